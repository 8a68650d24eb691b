//! Linux and other Unix systems: permission bits, a socket in the collector's folder, signals.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tracing::error;

use crate::home::Home;

/// Where a collector keeps everything unless told otherwise.
pub const DEFAULT_DIR: &str = "/var/lib/ntk-collector";
/// Where the command line finds a collector that runs, in its folder.
pub const SOCKET: &str = "admin.sock";
/// What keeps others from files on a medium without rights.
pub const CLOSING_FAT: &str = "mount it with umask=077";

/// What the admin API listens on.
pub type Answering = tokio::net::UnixListener;
/// A connection to it.
pub type Stream = tokio::net::UnixStream;
/// Whose a file is: a uid.
pub type Owner = u32;

/// Makes a new file with this mode, for writing.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// Makes a folder, and those above it, with this mode; one that is there stays as it is.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Makes a file that is gone with this process however that ends: it has no name. For reading and writing.
pub fn create_unnamed(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Whether other accounts may use this file.
pub fn is_loose(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

/// Whether other accounts may use the file of this name.
pub fn is_loose_at(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// The command that takes a file away from other accounts.
pub fn closing(path: &Path) -> String {
    format!("chmod 600 {}", path.display())
}

/// Whose it is.
pub fn owner_of(path: &Path) -> io::Result<Owner> {
    Ok(fs::metadata(path)?.uid())
}

/// How a secret is kept: with its mode and owner, or what is wrong with them and what mends it.
pub fn kept_so(path: &Path, wanted: u32, own: &Owner) -> Result<String, String> {
    let name = path.display();
    let metadata =
        fs::symlink_metadata(path).map_err(|error| format!("`{name}` cannot be looked at: {error}"))?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let said = format!("`{name}` mode {mode:04o}, owner uid {owner}");
    if metadata.is_symlink() {
        return Err(format!(
            "{said}: it is a link, and whoever can change it chooses the key; put the file itself there"
        ));
    }
    if mode & !wanted != 0 {
        return Err(format!("{said}: other accounts could use it; run: chmod {wanted:04o} {name}"));
    }
    if owner != *own {
        return Err(format!(
            "{said}, where the collector's folder is of uid {own}: that account could use it; run as root: chown {own} {name}"
        ));
    }
    Ok(said)
}

/// Reads these bytes of a file.
pub fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(bytes, at)
}

/// Writes these bytes of a file.
pub fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Keys are in memory now: no core dump, and no other process of this account may look. Root may.
pub fn keep_memory() {
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Comes back when a signal asks the collector to end.
pub async fn asked_to_stop() {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (terminate, interrupt) {
        (Ok(mut terminate), Ok(mut interrupt)) => {
            tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} }
        }
        _ => {
            error!("signals cannot be heard; stop the collector with kill");
            std::future::pending::<()>().await;
        }
    }
}

/// Begins to listen for the command line.
pub fn answering(home: &Home) -> io::Result<Answering> {
    let path = home.socket();
    // The ledger's lock is ours, so a socket that is there is one that a crash left.
    let _ = fs::remove_file(&path);
    let socket = Answering::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(socket)
}

/// Connects to a collector that runs.
pub async fn connect(home: &Home) -> io::Result<Stream> {
    Stream::connect(home.socket()).await
}

/// Whether a collector runs.
pub fn answers(home: &Home) -> bool {
    std::os::unix::net::UnixStream::connect(home.socket()).is_ok()
}
