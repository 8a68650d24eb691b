//! The outbox over a disk that fails: nothing is lost, and nothing that was taken is sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;

/// How writing fails.
const WELL: u8 = 0;
const NOT_WRITTEN: u8 = 1;
const WRITTEN_THOUGH_FAILED: u8 = 2;

#[derive(Clone, Debug, Default)]
struct Sick {
    mood: Arc<AtomicU8>,
    files: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Sick {
    fn done(&self, work: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), HomeError> {
        let mood = self.mood.load(Ordering::Relaxed);
        if mood != NOT_WRITTEN {
            work(&mut self.files.lock().unwrap());
        }
        match mood {
            WELL => Ok(()),
            _ => Err(HomeError::Write { path: "outbox".into(), source: std::io::Error::other("sick") }),
        }
    }

    fn open(&self) -> Outbox {
        self.mood.store(WELL, Ordering::Relaxed);
        Outbox::open(Box::new(self.clone())).unwrap().0
    }
}

impl Place for Sick {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        self.done(|files| {
            files.insert(name.to_owned(), String::from_utf8(bytes.to_vec()).unwrap());
        })
    }

    fn remove(&self, name: &str) -> Result<(), HomeError> {
        self.done(|files| {
            files.remove(name);
        })
    }

    fn names(&self) -> Result<Vec<String>, HomeError> {
        Ok(self.files.lock().unwrap().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Option<String> {
        self.files.lock().unwrap().get(name).cloned()
    }
}

fn at(second: i64) -> Moment {
    Moment::from_unix_seconds(1_795_000_000 + second).unwrap()
}

fn item(id: &str, what: What) -> Item {
    Item {
        id: id.into(),
        what,
        week: None,
        way: Way::Ntfy,
        subject: "s".into(),
        text: "t".into(),
        html: None,
        files: vec![Attached::new("a.age", &[0, 255])],
        queued: at(0).to_rfc3339(0),
        attempts: 0,
        next: None,
        taken: None,
    }
}

#[test]
fn a_message_that_could_not_be_written_is_queued_again_and_is_one() {
    for mood in [NOT_WRITTEN, WRITTEN_THOUGH_FAILED] {
        let disk = Sick::default();
        let outbox = disk.open();
        disk.mood.store(mood, Ordering::Relaxed);
        assert!(outbox.queue(item("a", What::Report)).is_err());
        assert!(!outbox.holds("a"), "not in memory either: whoever asked asks again");
        for outbox in [outbox, disk.open()] {
            disk.mood.store(WELL, Ordering::Relaxed);
            assert!(outbox.queue(item("a", What::Report)).unwrap());
            assert_eq!(outbox.due(Channel::Ntfy, at(1)).len(), 1);
            assert!(outbox.due(Channel::Mail, at(1)).is_empty());
        }
        assert_eq!(disk.open().due(Channel::Ntfy, at(1))[0].files[0].bytes(), [0, 255]);
        assert_eq!(disk.files.lock().unwrap().len(), 1);
    }
}

#[test]
fn what_was_taken_is_never_due_again_whatever_the_disk_says() {
    for mood in [NOT_WRITTEN, WRITTEN_THOUGH_FAILED] {
        let disk = Sick::default();
        let outbox = disk.open();
        outbox.queue(item("a", What::Report)).unwrap();
        disk.mood.store(mood, Ordering::Relaxed);
        assert!(outbox.mark_taken("a", at(1)).is_err());
        assert!(outbox.due(Channel::Ntfy, at(9_999_999)).is_empty());
        assert!(outbox.remove("a").is_err());
        // After a start the act says that it was taken; where the mark was written, the file says it too.
        let again = disk.open();
        assert_eq!(again.holds("a"), mood == NOT_WRITTEN);
    }
}

#[test]
fn a_failure_waits_longer_each_time_and_ends_after_days() {
    let mut report = item("a", What::Report);
    let mut now = at(0);
    let mut waits = Vec::new();
    while report.failed(now, 128) == AfterFailure::Again {
        let next = Moment::parse(report.next.as_deref().unwrap()).unwrap();
        waits.push(next.unix_seconds() - now.unix_seconds());
        assert!(!report.is_due(now) && report.is_due(next));
        now = next;
    }
    assert_eq!(waits[..4], [30, 60, 120, 240]);
    assert!(waits.iter().all(|wait| *wait <= 6 * 3600) && waits.len() < 60, "{waits:?}");
    assert!(now >= at(10 * 86_400));
    let mut early = item("b", What::Notice);
    let mut late = early.clone();
    early.failed(at(0), 0);
    late.failed(at(0), 255);
    assert_eq!((early.next.unwrap(), late.next.unwrap()), (at(12).to_rfc3339(0), at(17).to_rfc3339(0)));
    let mut ahead = item("c", What::Report);
    ahead.next = Some(at(400 * 86_400).to_rfc3339(0));
    assert!(ahead.is_due(at(0)), "a clock that was far ahead holds nothing up");
}

#[test]
fn a_file_that_somebody_removed_is_gone_and_a_full_outbox_takes_nothing() {
    let disk = Sick::default();
    let outbox = disk.open();
    outbox.queue(item("a", What::Report)).unwrap();
    assert_eq!(outbox.gone().unwrap(), Vec::<String>::new());
    disk.files.lock().unwrap().clear();
    assert_eq!(outbox.gone().unwrap(), ["a"]);
    for n in 0..ITEMS_MAX {
        assert!(outbox.queue(item(&n.to_string(), What::Notice)).unwrap());
    }
    assert!(!outbox.queue(item("one-more", What::Notice)).unwrap());
    disk.files.lock().unwrap().insert("outbox-odd.json".into(), "{".into());
    assert_eq!(Outbox::open(Box::new(disk.clone())).unwrap().1, 1);
}
