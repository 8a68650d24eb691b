//! `uninstall`: stops the service, puts back what was there before, and leaves what people may still need.

use std::path::Path;

use super::leaving::{self, Note};
use super::{
    BOOT_FILE, Hands, InstallError, PROGRAM, Plan, SERVICE, UNIT, WANTED, Work, failed, record, sealed_key,
};
use crate::sensor::STATE_FILE;
use crate::sensor::audit::{self, PutBack};
use crate::status::StatusFile;
use crate::whole_file::Readable;

/// What stays of the agent's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Identity, configuration, and every entry, acknowledged or not.
    Data,
    /// Nothing; refused while entries wait.
    Nothing,
    /// Nothing, and entries that wait are lost.
    NothingWhateverWaits,
}

/// Takes the service off this machine. What is said is a line each.
pub fn uninstall(
    plan: &Plan,
    kept: Kept,
    hands: &mut dyn Hands,
    say: &mut dyn FnMut(&str),
) -> Result<(), InstallError> {
    let mut work = Work::begin(plan, hands, say)?;
    work.may_go(kept)?;
    work.stop()?;
    work.put_audit_back()?;
    // What has to hear of it may have failed to the last time, when the file went.
    if work.take_away("unit", UNIT)? && plan.is_live() && !plan.dry_run {
        work.command(&["systemctl", "daemon-reload"])?;
    }
    if work.take_away("boot parameters", BOOT_FILE)? {
        work.update_boot_loader()?;
    }
    work.unseal()?;
    work.take_away("program", PROGRAM)?;
    work.leave(kept)
}

impl Work<'_> {
    fn may_go(&mut self, kept: Kept) -> Result<(), InstallError> {
        let status = StatusFile::read(&self.plan.at(&self.plan.dir)).ok().flatten();
        let n_waiting = status.map_or(0, |status| status.waiting);
        if kept == Kept::Nothing && n_waiting > 0 {
            return Err(InstallError::Waiting(n_waiting));
        }
        Ok(())
    }

    /// Ends the agent, which says in its last entries who uninstalls it.
    fn stop(&mut self) -> Result<(), InstallError> {
        if !self.plan.is_live() {
            let at = self.plan.at(WANTED);
            if !self.plan.dry_run {
                self.hands.remove(&at).map_err(failed("remove", &at))?;
            }
            (self.say)("service: is not started at boot");
            return Ok(());
        }
        let unit = self.plan.at(UNIT);
        if self.hands.read(&unit).map_err(failed("read", &unit))?.is_none() {
            (self.say)("service: none is installed");
            return Ok(());
        }
        let is_active = self.hands.run(&["systemctl", "is-active", "--quiet", SERVICE]);
        let is_active = is_active.is_ok_and(|ran| ran.is_done);
        if self.plan.dry_run {
            (self.say)("service: would be stopped, and not started at boot any more");
            return Ok(());
        }
        let note = self.plan.at(self.plan.dir.join(leaving::NAME));
        if is_active {
            let pid = std::process::id();
            let text = serde_json::to_vec(&Note { pid }).map_err(std::io::Error::other);
            let written = text.and_then(|text| self.hands.replace(&note, &text, Readable::ByOwner));
            written.map_err(failed("write", &note))?;
        }
        self.command(&["systemctl", "disable", "--now", SERVICE])?;
        self.hands.remove(&note).map_err(failed("remove", &note))?;
        (self.say)(if is_active {
            "service: stopped, and not started at boot any more; its last entries say so, and by whose session"
        } else {
            "service: not started at boot any more; it did not run, so no entry says that it was uninstalled: the collector \
             sees only that this machine is silent"
        });
        Ok(())
    }

    /// An agent that was killed left its rules: they go here.
    fn put_audit_back(&mut self) -> Result<(), InstallError> {
        if !self.plan.is_live() || self.plan.dry_run {
            return Ok(());
        }
        let file = self.plan.at(self.plan.dir.join(STATE_FILE));
        match audit::put_back(&file).map_err(InstallError::Audit)? {
            PutBack::NothingLeft => (self.say)("kernel audit: as it was before the agent"),
            PutBack::Done => {
                (self.say)("kernel audit: an agent that was killed had left its rules; put back as it was")
            }
            PutBack::Locked => (self.say)(
                "kernel audit: sealed; its rules go, and it is as it was before the agent, when this machine boots again",
            ),
            PutBack::Running(pid) => return Err(InstallError::Running(pid)),
        }
        Ok(())
    }

    /// Removes a file if an install wrote it. Whether it is gone by this uninstall, or by one that did not come to its end.
    fn take_away(&mut self, what: &str, path: &str) -> Result<bool, InstallError> {
        let at = self.plan.at(path);
        let Some(found) = self.hands.read(&at).map_err(failed("read", &at))? else {
            return Ok(self.record.names(path));
        };
        if !self.record.wrote(Path::new(path), &found) {
            (self.say)(&format!("{what}: {path} was not written by install, or was changed since; it stays"));
            return Ok(false);
        }
        if self.plan.dry_run {
            (self.say)(&format!("{what}: {path} would be removed"));
            return Ok(true);
        }
        self.hands.remove(&at).map_err(failed("remove", &at))?;
        (self.say)(&format!("{what}: {path} removed"));
        Ok(true)
    }

    /// Sets `sealed` back where an install set it.
    fn unseal(&mut self) -> Result<(), InstallError> {
        if self.record.was_sealed != Some(false) {
            return Ok(());
        }
        let path = self.config_path();
        let text = self.hands.read(&path).map_err(failed("read", &path))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        match sealed_key::set(&text, false, &path) {
            Some(after) if after != text && !self.plan.dry_run => {
                self.hands
                    .replace(&path, after.as_bytes(), Readable::ByOwner)
                    .map_err(failed("write", &path))?;
                (self.say)(&format!("sealed mode: no longer set in {}", path.display()));
            }
            Some(_) => {}
            None => {
                (self.say)(&format!("sealed mode: {} could not be read and stays as it is", path.display()))
            }
        }
        Ok(())
    }

    /// The agent's folder, and the record as the last thing.
    fn leave(&mut self, kept: Kept) -> Result<(), InstallError> {
        let dir = self.plan.at(&self.plan.dir);
        let words = match kept {
            Kept::Data => "stays, with identity, configuration and entries; `uninstall --purge` removes it",
            Kept::Nothing | Kept::NothingWhateverWaits => "removed, with identity, configuration and entries",
        };
        if self.plan.dry_run {
            (self.say)(&format!("data: {} would be: {words}", dir.display()));
            return Ok(());
        }
        if kept == Kept::Data {
            let path = dir.join(record::NAME);
            self.hands.remove(&path).map_err(failed("remove", &path))?;
        } else {
            self.hands.remove_folder(&dir).map_err(failed("remove", &dir))?;
        }
        (self.say)(&format!("data: {} {words}", dir.display()));
        Ok(())
    }
}
