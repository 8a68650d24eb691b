//! Windows: lists of rights, a named pipe, Ctrl-C and the service's stop.
//!
//! Modes are Unix's: what they keep from all other accounts (`mode & 0o007 == 0`) is made with the list of
//! [`sddl::CLOSED`], for SYSTEM, the administrators and the owner alone; the rest inherits from its folder.
//!
//! The pipe has a name that nobody can guess, made anew at each start; it stands in the collector's folder, which others
//! cannot read. Names of pipes are no secret while they exist, so the name alone is no proof: a server's pipe is the first of
//! its name or none, and a client talks only to a pipe that SYSTEM, the administrators or the folder's owner own.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer};
use tokio::signal::windows as signals;
use tracing::{error, warn};

use super::NOT_OURS;
use super::sddl::{CLOSED, CLOSED_THING, Rights};
use crate::home::{Home, random, write_file};
use crate::windows::security_ffi;

/// Where a collector keeps everything unless told otherwise.
pub const DEFAULT_DIR: &str = r"C:\ProgramData\Need-to-Know\collector";
/// Where the command line finds a collector that runs, in its folder: the name of the pipe.
pub const SOCKET: &str = "admin.pipe";
/// What keeps others from files on a medium without rights.
pub const CLOSING_FAT: &str = "it keeps no rights, format it with NTFS";

/// Where Windows keeps pipes (Microsoft, "Pipe Names").
const PIPES: &str = r"\\.\pipe\";
/// The longest file that names one, bytes.
const NAME_BYTES_MAX: u64 = 256;
/// How long a client waits while all of a server's pipes are taken.
const BUSY_AT_MOST: Duration = Duration::from_secs(5);
/// How long to wait before something is tried again.
const AGAIN: Duration = Duration::from_millis(20);

/// Of winerror.h.
const ERROR_PIPE_BUSY: i32 = 231;
/// Of winnt.h and winbase.h (`CreateFileW`).
const READ_CONTROL: u32 = 0x0002_0000;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x0000_0400;
/// A server learns who its client is, and cannot act as that account.
const SECURITY_IDENTIFICATION: u32 = 0x0001_0000;

/// A connection to the admin API.
pub type Stream = NamedPipeClient;
/// Whose a file is: SIDs as text, of accounts that count as one.
pub type Owner = Vec<String>;

const fn is_for_owner_alone(mode: u32) -> bool {
    mode & 0o007 == 0
}

/// Makes a new file with this mode, for writing.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    if is_for_owner_alone(mode) {
        security_ffi::create_file(path, CLOSED)
    } else {
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

/// Makes a folder, and those above it. One that is there stays as it is, and is refused where it should be closed and is not:
/// whoever made it may have made it for themselves.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    if !is_for_owner_alone(mode) {
        return fs::create_dir_all(path);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match security_ffi::create_folder(path, CLOSED) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            let rights = rights_at(path)?;
            match rights.stranger() {
                None if rights.is_owned_by(&security_ffi::own()?) => Ok(()),
                None => Err(io::Error::other(format!(
                    "the folder is there already, and {} owns it; run: icacls \"{}\" /setowner *S-1-5-32-544",
                    rights.owner,
                    path.display()
                ))),
                Some(other) => Err(io::Error::other(format!(
                    "the folder is there already, and {other} may use it; run: {}",
                    closing(path)
                ))),
            }
        }
        other => other,
    }
}

/// Makes a file that is gone with this process however that ends: Windows removes it with its last handle. For reading and
/// writing; nobody else opens it.
pub fn create_unnamed(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).share_mode(0).custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    options.open(path)
}

/// Whether other accounts may use this file.
pub fn is_loose(file: &File) -> io::Result<bool> {
    Ok(Rights::read(&security_ffi::descriptor(file)?).stranger().is_some())
}

/// Whether other accounts may use the file of this name.
pub fn is_loose_at(path: &Path) -> io::Result<bool> {
    Ok(rights_at(path)?.stranger().is_some())
}

/// Rights of a file or folder; of a link itself, not of what it leads to.
fn rights_at(path: &Path) -> io::Result<Rights> {
    let mut options = OpenOptions::new();
    options.access_mode(READ_CONTROL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    Ok(Rights::read(&security_ffi::descriptor(options.open(path)?)?))
}

/// The command that takes a file or folder away from other accounts.
pub fn closing(path: &Path) -> String {
    let name = path.display();
    if path.is_dir() {
        format!("icacls \"{name}\" /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F /T")
    } else {
        format!("icacls \"{name}\" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F")
    }
}

/// Whose it is.
pub fn owner_of(path: &Path) -> io::Result<Owner> {
    Ok(vec![rights_at(path)?.owner])
}

/// How a secret is kept: with its owner, or what is wrong and what mends it. A certificate (`wanted` lets all read it) is held
/// to its owner only.
pub fn kept_so(path: &Path, wanted: u32, own: &Owner) -> Result<String, String> {
    use std::os::windows::fs::MetadataExt as _;
    let name = path.display();
    let failed = |error: io::Error| format!("`{name}` cannot be looked at: {error}");
    let is_link = fs::symlink_metadata(path)
        .map(|found| found.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0)
        .map_err(failed)?;
    let rights = rights_at(path).map_err(failed)?;
    let said = format!("`{name}` of {}", rights.owner);
    if is_link {
        return Err(format!(
            "{said}: it is a link, and whoever can change it chooses the key; put the file itself there"
        ));
    }
    if let Some(other) = rights.stranger().filter(|_| is_for_owner_alone(wanted)) {
        return Err(format!("{said}: {other} could use it; run: {}", closing(path)));
    }
    if !rights.is_owned_by(own) {
        return Err(format!(
            "{said}, where the collector's folder is of {}: that account could use it; run as an administrator: icacls \"{name}\" /setowner *S-1-5-32-544",
            own.join(" or ")
        ));
    }
    Ok(format!("{said}, for SYSTEM, administrators and its owner"))
}

/// Reads these bytes of a file.
pub fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = bytes.get_mut(read..).unwrap_or_default();
                at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(())
}

/// Writes these bytes of a file.
pub fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = bytes.get(written..).unwrap_or_default();
                at = at.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(())
}

/// Nothing: Windows keeps other accounts out of a process, and lets administrators in whatever it does; a dump of it is made
/// only where somebody set that up (Microsoft, "Windows Error Reporting", LocalDumps).
pub const fn keep_memory() {}

/// Comes back when somebody presses Ctrl-C or Ctrl-Break, closes the window, or the machine shuts down.
pub async fn asked_to_stop() {
    let all = (signals::ctrl_c(), signals::ctrl_break(), signals::ctrl_close(), signals::ctrl_shutdown());
    match all {
        (Ok(mut interrupt), Ok(mut stop), Ok(mut close), Ok(mut shutdown)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = stop.recv() => {}
                _ = close.recv() => {}
                _ = shutdown.recv() => {}
            }
        }
        _ => {
            error!("Ctrl-C cannot be heard; stop the collector with the task manager");
            std::future::pending::<()>().await;
        }
    }
}

/// What the admin API listens on: always one pipe that waits for the next client.
#[derive(Debug)]
pub struct Answering {
    name: String,
    next: Option<NamedPipeServer>,
}

impl Answering {
    async fn connected(&mut self) -> io::Result<NamedPipeServer> {
        let waiting = match self.next.take() {
            Some(waiting) => waiting,
            None => security_ffi::create_pipe(&self.name, false, CLOSED_THING)?,
        };
        let connected = waiting.connect().await;
        // Before this one is spoken on: a client that finds no pipe believes that no collector runs.
        self.next = security_ffi::create_pipe(&self.name, false, CLOSED_THING)
            .inspect_err(|failure| warn!(reason = %failure, "no pipe waits for the next command"))
            .ok();
        connected.map(|()| waiting)
    }
}

impl Listener for Answering {
    type Addr = ();
    type Io = NamedPipeServer;

    async fn accept(&mut self) -> (NamedPipeServer, ()) {
        loop {
            match self.connected().await {
                Ok(pipe) => return (pipe, ()),
                Err(failure) => {
                    warn!(reason = %failure, "a command could not connect");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to listen for the command line.
pub fn answering(home: &Home) -> io::Result<Answering> {
    let failed = |error: crate::home::HomeError| io::Error::other(crate::error_chain(&error));
    let unguessable = ntk_evidence::hash::hex(random().map_err(failed)?.get(..16).unwrap_or_default());
    let name = format!("{PIPES}ntk-collector-{unguessable}");
    let next = Some(security_ffi::create_pipe(&name, true, CLOSED_THING)?);
    write_file(&home.socket(), name.as_bytes(), 0o600).map_err(failed)?;
    Ok(Answering { name, next })
}

/// The pipe of the collector that runs, or ran, here.
fn pipe_of(home: &Home) -> io::Result<String> {
    let path = home.socket();
    if fs::metadata(&path)?.len() > NAME_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let name = fs::read_to_string(path)?;
    if name.starts_with(PIPES) { Ok(name) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Connects to a collector that runs, and looks whose pipe that is.
pub async fn connect(home: &Home) -> io::Result<Stream> {
    let name = pipe_of(home)?;
    let deadline = tokio::time::Instant::now() + BUSY_AT_MOST;
    let pipe = loop {
        match ClientOptions::new().open(&name) {
            Err(error)
                if error.raw_os_error() == Some(ERROR_PIPE_BUSY)
                    && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(AGAIN).await;
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let text =
                    "only SYSTEM, administrators and its owner may ask it: run this as an administrator";
                return Err(io::Error::new(NOT_OURS, text));
            }
            other => break other?,
        }
    };
    let owner = security_ffi::descriptor(&pipe)?;
    trusted(&owner, home)?;
    Ok(pipe)
}

/// Whether a collector runs.
pub fn answers(home: &Home) -> bool {
    let opened = pipe_of(home).and_then(|name| {
        OpenOptions::new().read(true).write(true).security_qos_flags(SECURITY_IDENTIFICATION).open(name)
    });
    match opened {
        Ok(pipe) => security_ffi::descriptor(&pipe).is_ok_and(|owner| trusted(&owner, home).is_ok()),
        Err(error) => error.raw_os_error() == Some(ERROR_PIPE_BUSY),
    }
}

fn trusted(descriptor: &str, home: &Home) -> io::Result<()> {
    let owners = [owner_of(home.dir())?, security_ffi::own()?].concat();
    if Rights::read(descriptor).is_owned_by(&owners) {
        return Ok(());
    }
    let text = "the pipe that answers is neither the system's nor of whoever owns the collector's folder";
    Err(io::Error::new(NOT_OURS, text))
}
