//! Whether this virtual machine went on from an earlier point: a snapshot that was put back, a backup, a copy of it.
//!
//! The hypervisor gives such a machine another generation id; booting, pausing and moving it do not. The id seen last is kept
//! beside the spool. A machine that is put back has the older file and the new id; one that is put back while it runs has the
//! older memory: either way the two differ. A machine without such an id (hardware, most of Linux: its kernel keeps the id to
//! itself) says nothing here. What it had recorded since that point, the collector misses by its numbers.
//!
//! The file is written with the next health entry after the event: by then that is durable, and a crash between the two tells
//! it twice, never not at all.

use std::path::{Path, PathBuf};

use ntk_evidence::event::{Event, Kind, OtherFields, Source, Tamper, TamperKind};
use ntk_evidence::time::Moment;

use crate::clock;
use crate::whole_file::{Files, Readable};

/// The file, below the agent's folder.
const FILE: &str = "vm-generation";
/// Letters of an id.
const ID_LETTERS: usize = 32;

/// The generation seen last.
#[derive(Debug)]
pub struct Generation {
    path: PathBuf,
    known: Option<String>,
    is_kept: bool,
}

impl Generation {
    /// As it was kept. A file that cannot be read counts as none.
    pub fn open(dir: &Path, files: &dyn Files) -> Self {
        let path = dir.join(FILE);
        let text = files.read(&path).ok().flatten().and_then(|text| String::from_utf8(text).ok());
        let known =
            text.filter(|id| id.len() == ID_LETTERS && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Self { path, is_kept: known.is_some(), known }
    }

    /// Takes in the id of a health entry; the event, where it is another one than before.
    pub fn look(&mut self, id: Option<&str>, now: Moment, files: &dyn Files) -> Option<Event> {
        // An id that cannot be read now is no other id.
        let id = id?;
        if self.known.as_deref() == Some(id) {
            if !self.is_kept {
                self.is_kept = files.replace(&self.path, id.as_bytes(), Readable::ByOwner).is_ok();
            }
            return None;
        }
        let before = self.known.replace(id.to_owned());
        self.is_kept = false;
        before.map(|_| event(now))
    }
}

fn event(now: Moment) -> Event {
    let mut event = Event::new(Kind::Tamper, clock::text(now));
    event.tamper = Some(Tamper {
        what: TamperKind::MachineRestored,
        detail: Some("the hypervisor gave it another generation id".to_owned()),
        other: OtherFields::new(),
    });
    event.source = Some(Source { sensor: Some("vm-generation".to_owned()), ..Source::default() });
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole_file::RealFiles;

    const ONE: &str = "000000000000000000000000000000a1";
    const OTHER: &str = "000000000000000000000000000000b2";

    fn look(generation: &mut Generation, id: Option<&str>) -> bool {
        generation.look(id, Moment::from_unix_nanos(0), &RealFiles).is_some()
    }

    #[test]
    fn a_machine_that_was_put_back_is_told_whether_it_ran_or_not() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Generation::open(dir.path(), &RealFiles);
        let mut running = open();
        assert!(!look(&mut running, Some(ONE)), "the first one is compared with nothing");
        assert!(!look(&mut running, Some(ONE)) && !look(&mut running, Some(ONE)));
        assert!(!look(&mut open(), Some(ONE)), "another start, the same machine");
        // Put back while it ran: its memory is older than its id. And while it was off: its disk is.
        assert!(look(&mut running, Some(OTHER)));
        assert!(look(&mut open(), Some(OTHER)), "the crash before the file is written tells it twice");
        assert!(!look(&mut running, Some(OTHER)));
        assert!(!look(&mut open(), Some(OTHER)), "kept by now");
    }

    #[test]
    fn an_id_that_is_absent_or_damaged_is_no_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut generation = Generation::open(dir.path(), &RealFiles);
        assert!(!look(&mut generation, None) && !look(&mut generation, Some(ONE)));
        assert!(!look(&mut generation, Some(ONE)) && !look(&mut generation, None));
        assert!(!look(&mut generation, Some(ONE)));
        RealFiles.replace(&dir.path().join(FILE), b"\xff what?", Readable::ByOwner).unwrap();
        assert!(!look(&mut Generation::open(dir.path(), &RealFiles), Some(OTHER)));
    }
}
