//! The acts as Windows does them: only such as leave an entry of the security log or of the disk.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ntk_evidence::event::CommissionWhat;

use super::{ActError, Order, done_and_wait, done_by_and_wait, refused};
use crate::commission::judge;

/// Everyone (Microsoft, "Well-known SIDs").
const EVERYONE: &str = "*S-1-1-0";
/// SYSTEM, which has all rights there already.
const SYSTEM: &str = "*S-1-5-18";
/// A volume is read by whole sectors: those of every disk fit into this.
const SECTOR_BYTES: usize = 4096;

/// Why this system cannot do a step at all.
pub fn cannot(what: &CommissionWhat) -> Option<&'static str> {
    match what {
        CommissionWhat::Elevation => Some("Windows gives another account's rights for its password only"),
        CommissionWhat::Handle | CommissionWhat::IoUring | CommissionWhat::Mount => {
            Some("this way is one of Linux")
        }
        CommissionWhat::Rules => {
            Some("this version changes no audit policy; the event log tells of whoever does")
        }
        CommissionWhat::Clock => Some("this version moves no clock on Windows"),
        _ => None,
    }
}

impl Order {
    /// Does it, and waits until it is no longer asked about.
    pub fn perform(&self) -> Result<(), ActError> {
        let Some(what) = &self.what else { return self.tidy() };
        if let Some(why) = cannot(what) {
            return Err(ActError::Absent(why));
        }
        match what {
            CommissionWhat::ProcessStart => {
                let mut command = Command::new(system32("cmd.exe"));
                return done_by(command.args(["/d", "/c", "rem"]).arg(&self.id));
            }
            CommissionWhat::Attributes => {
                // Rights, not marks such as `read-only`: only those are in the audit rules of a folder.
                return done_by(&mut self.icacls(&["/grant", &format!("{SYSTEM}:(F)")]));
            }
            CommissionWhat::Create => {
                let mut file = File::create_new(self.letter()).map_err(refused("creating a file"))?;
                file.write_all(b"on-site test\r\n").map_err(refused("writing"))?;
            }
            CommissionWhat::Write => {
                let mut file = File::options().write(true).open(self.letter()).map_err(refused("writing"))?;
                file.write_all(b"on-site test\r\n").map_err(refused("writing"))?;
            }
            CommissionWhat::Read | CommissionWhat::ReadAgain => {
                let mut file = File::open(self.letter()).map_err(refused("reading"))?;
                io::copy(&mut file, &mut io::sink()).map_err(refused("reading"))?;
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
            CommissionWhat::Watched => self.watched()?,
            _ => return Err(ActError::Absent("no process does this")),
        }
        done_and_wait()
    }

    /// Takes everybody's right to read away, asks for the file, and gives the right back.
    fn denied(&self) -> Result<(), ActError> {
        ended(&mut self.icacls(&["/deny", &format!("{EVERYONE}:(RD)")]))?;
        let opened = File::open(self.letter());
        ended(&mut self.icacls(&["/remove:d", EVERYONE]))?;
        match opened {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(refused("an open that is refused")(error)),
            Ok(_) => Err(ActError::Absent(
                "this system lets a file be opened that nobody may read: nothing was refused",
            )),
        }
    }

    /// Opens the volume that holds the folder, reads a sector, and keeps nothing of it.
    fn raw_disk(&self) -> Result<(), ActError> {
        let drive =
            self.folder.to_str().and_then(|folder| folder.get(..2)).filter(|drive| drive.ends_with(':'));
        let drive = drive.ok_or(ActError::Absent("the agent's folder lies on no drive"))?;
        let mut sector = vec![0u8; SECTOR_BYTES];
        match File::open(format!(r"\\.\{drive}")).and_then(|mut disk| disk.read_exact(&mut sector)) {
            // That it was asked for is what counts.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            other => other.map_err(refused("reading the disk")),
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

    fn icacls(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(system32("icacls.exe"));
        command.arg(self.letter()).args(arguments).arg("/q");
        command
    }

    /// Takes away what the test made and left.
    fn tidy(&self) -> Result<(), ActError> {
        let names = [self.letter(), self.at(&judge::second(&self.id)), self.at(&judge::third(&self.id))];
        for path in names.iter().filter(|path| path.symlink_metadata().is_ok()) {
            fs::remove_file(path).map_err(refused("removing what the test made"))?;
        }
        done_and_wait()
    }
}

fn system32(program: &str) -> PathBuf {
    let windows = std::env::var_os("SystemRoot").map_or_else(|| r"C:\Windows".into(), PathBuf::from);
    windows.join("System32").join(Path::new(program))
}

fn started(command: &mut Command) -> Result<Child, ActError> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ActError::Absent("the program that does it is not there (cmd, icacls)"))
        }
        other => other.map_err(refused("starting a program")),
    }
}

/// Another program does it; which process that was.
fn ended(command: &mut Command) -> Result<u32, ActError> {
    let mut child = started(command)?;
    let status = child.wait().map_err(refused("waiting for a program"))?;
    if status.success() {
        Ok(child.id())
    } else {
        Err(ActError::Absent("the program that does it failed (cmd, icacls)"))
    }
}

fn done_by(command: &mut Command) -> Result<(), ActError> {
    let pid = ended(command)?;
    done_by_and_wait(&format!("done {pid}"))
}
