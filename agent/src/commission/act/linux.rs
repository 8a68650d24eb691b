//! The acts as Linux does them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ntk_evidence::event::CommissionWhat;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::process::Uid;
use rustix::time::{ClockId, Timespec};

use super::{ActError, CLOCK_SECONDS, Order, done_and_wait, refused};
use crate::commission::{FOLDER, NOBODY, judge};
use crate::sensor::audit;

/// Why this system cannot do a step at all: Linux can do each.
pub fn cannot(_: &CommissionWhat) -> Option<&'static str> {
    None
}

impl Order {
    /// Does it, and waits until it is no longer asked about.
    pub fn perform(&self) -> Result<(), ActError> {
        if let Some(uid) = self.login_uid {
            fs::write("/proc/self/loginuid", uid.to_string()).map_err(refused("a login uid of its own"))?;
        }
        let Some(what) = &self.what else { return self.tidy() };
        match what {
            CommissionWhat::Elevation => return Err(elevation()),
            CommissionWhat::ProcessStart => return Err(exec(Command::new("true").arg(&self.id))),
            CommissionWhat::Handle => return Err(self.by_way("handle")),
            CommissionWhat::IoUring => return Err(self.by_way("io_uring")),
            CommissionWhat::Mount => return self.mount(),
            CommissionWhat::Create => {
                File::create_new(self.letter()).map_err(refused("creating a file"))?;
            }
            CommissionWhat::Write => {
                File::options().write(true).open(self.letter()).map_err(refused("writing"))?;
            }
            CommissionWhat::Read | CommissionWhat::ReadAgain => {
                File::open(self.letter()).map_err(refused("reading"))?;
            }
            CommissionWhat::Attributes => {
                fs::set_permissions(self.letter(), fs::Permissions::from_mode(0o640))
                    .map_err(refused("changing attributes"))?;
            }
            CommissionWhat::List => {
                fs::read_dir(&self.folder).map_err(refused("listing"))?;
            }
            CommissionWhat::Link => {
                fs::hard_link(self.letter(), self.at(&judge::second(&self.id)))
                    .map_err(refused("a second name"))?;
            }
            CommissionWhat::Rename => {
                fs::rename(self.at(&judge::second(&self.id)), self.at(&judge::third(&self.id)))
                    .map_err(refused("renaming"))?;
            }
            CommissionWhat::Delete => {
                fs::remove_file(self.at(&judge::third(&self.id))).map_err(refused("removing"))?;
            }
            CommissionWhat::Denied => self.denied()?,
            CommissionWhat::RawDisk => self.raw_disk()?,
            CommissionWhat::Rules => self.rules()?,
            CommissionWhat::Clock => clock()?,
            CommissionWhat::Watched => self.watched()?,
            CommissionWhat::Login
            | CommissionWhat::Stop
            | CommissionWhat::Receipt
            | CommissionWhat::Other(_) => return Err(ActError::Absent("no process does this")),
        }
        done_and_wait()
    }

    /// An account without rights asks for the file; the folder above it is the agent's alone.
    fn denied(&self) -> Result<(), ActError> {
        let nobody = Uid::from_raw(NOBODY);
        rustix::thread::set_thread_res_uid(nobody, nobody, nobody)
            .map_err(|error| refused("becoming the account nobody")(error.into()))?;
        match File::open(self.letter()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(refused("an open that is refused")(error)),
            Ok(_) => Err(ActError::Absent(
                "the account nobody may open the agent's own files: nothing was refused",
            )),
        }
    }

    /// Opens the device that holds the folder, reads one sector, and keeps nothing of it.
    fn raw_disk(&self) -> Result<(), ActError> {
        let number = fs::metadata(&self.folder).map_err(refused("the folder's device"))?.dev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let facts = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/uevent"))
            .map_err(|_| ActError::Absent("the agent's folder lies on no block device of its own"))?;
        let name = facts.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        let node = name.map(|name| Path::new("/dev").join(name)).filter(|node| {
            fs::metadata(node).is_ok_and(|node| node.file_type().is_block_device() && node.rdev() == number)
        });
        let node = match node {
            Some(node) => node,
            None => {
                let node = self.disk();
                let kind = rustix::fs::FileType::BlockDevice;
                let mode = rustix::fs::Mode::RUSR;
                rustix::fs::mknodat(rustix::fs::CWD, &node, kind, mode, number)
                    .map_err(|error| refused("a name for the disk")(error.into()))?;
                node
            }
        };
        let mut sector = [0u8; 512];
        match File::open(node).and_then(|mut disk| disk.read_exact(&mut sector)) {
            // A container may not; that it was asked for is recorded all the same.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            other => other.map_err(refused("reading the disk")),
        }
    }

    fn disk(&self) -> PathBuf {
        self.at(&format!("disk-{}", self.id))
    }

    /// A file system of its own over a folder of its own, for as long as it is asked about.
    fn mount(&self) -> Result<(), ActError> {
        let point = self.at(&judge::mount_point(&self.id));
        fs::create_dir(&point).map_err(refused("a folder to mount at"))?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        rustix::mount::mount("ntk-on-site-test", &point, "tmpfs", flags, None)
            .map_err(|error| refused("mounting")(error.into()))?;
        let waited = done_and_wait();
        unmount(&point)?;
        fs::remove_dir(&point).map_err(refused("removing the folder"))?;
        waited
    }

    /// A rule on the test's own folder, added and removed. A sealed kernel refuses both and records that.
    fn rules(&self) -> Result<(), ActError> {
        let path = self.folder.to_str().ok_or(ActError::Absent("the folder's name is no text"))?;
        match audit::add_and_remove_rule(path, &format!("{}-{}", FOLDER, self.id)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            other => other.map_err(refused("an audit rule")),
        }
    }

    /// Opens each place and reads nothing of it.
    fn watched(&self) -> Result<(), ActError> {
        for place in &self.places {
            let opened =
                if place.is_dir() { fs::read_dir(place).map(drop) } else { File::open(place).map(drop) };
            opened.map_err(refused("opening a watched place"))?;
        }
        Ok(())
    }

    /// Opens the file as `ways.pl` does. The script comes on standard input, which the program reads on.
    fn by_way(&self, way: &str) -> ActError {
        exec(Command::new("perl").arg("-").arg(way).arg(self.letter()))
    }

    /// Takes away what the test made and left.
    fn tidy(&self) -> Result<(), ActError> {
        let point = self.at(&judge::mount_point(&self.id));
        if point.exists() {
            let _ = unmount(&point);
            let _ = fs::remove_dir(&point);
        }
        let names =
            [self.letter(), self.at(&judge::second(&self.id)), self.at(&judge::third(&self.id)), self.disk()];
        for path in names.iter().filter(|path| path.symlink_metadata().is_ok()) {
            fs::remove_file(path).map_err(refused("removing what the test made"))?;
        }
        done_and_wait()
    }
}

fn unmount(point: &Path) -> Result<(), ActError> {
    rustix::mount::unmount(point, UnmountFlags::DETACH).map_err(|error| refused("unmounting")(error.into()))
}

/// Moves the clock forward and puts it back at once; what passed in between is kept.
fn clock() -> Result<(), ActError> {
    let moved = |time: Timespec, by: i64| Timespec { tv_sec: time.tv_sec.saturating_add(by), ..time };
    let set = |by: i64| {
        let now = rustix::time::clock_gettime(ClockId::Realtime);
        rustix::time::clock_settime(ClockId::Realtime, moved(now, by)).map_err(io::Error::from)
    };
    set(CLOCK_SECONDS).map_err(refused("moving the clock"))?;
    set(-CLOCK_SECONDS).map_err(refused("putting the clock back; it is 2 seconds ahead now"))
}

/// Takes on another account's rights as people do; root is asked for no password.
fn elevation() -> ActError {
    exec(Command::new("su").args(["-s", "/bin/sh", "-c", "true", "nobody"]))
}

/// Becomes another program; comes back only where it cannot.
fn exec(command: &mut Command) -> ActError {
    match command.exec() {
        error if error.kind() == io::ErrorKind::NotFound => {
            ActError::Absent("the program that does it is not installed (su, true, perl)")
        }
        error => refused("starting a program")(error),
    }
}
