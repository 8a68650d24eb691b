//! Kills, faults, caps and positions: what was durable is there once, and every loss is told of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ntk_evidence::event::{Event, Health, Kind};
use ntk_segment::disk::{DiskFile, Locking, RealDisk};

use super::keeper::{Incoming, Keeper, Setup};
use super::position::PositionFile;
use super::*;
use crate::identity::IdentityFiles;
use crate::identity::epochs::EpochKeys;
use crate::identity::tests::{SLUG, log_signer, trust_file};
use crate::whole_file::{Files, Readable, RealFiles};
use clock::Clock as _;
use clock::fake::FakeClock;

mod epochs;
mod put_away;

/// The real disk, whose syncs fail while asked to (done or not, nobody can tell), or which takes no byte at all.
#[derive(Clone, Debug, Default)]
struct Sick {
    is_sick: Arc<AtomicBool>,
    is_refusing: Arc<AtomicBool>,
}

#[derive(Debug)]
struct SickFile(Box<dyn DiskFile>, Sick);

impl Disk for Sick {
    fn create_folder(&self, folder: &Path) -> std::io::Result<()> {
        RealDisk.create_folder(folder)
    }
    fn lock(&self, path: &Path) -> std::io::Result<Locking> {
        RealDisk.lock(path)
    }
    fn list(&self, folder: &Path) -> std::io::Result<Vec<String>> {
        RealDisk.list(folder)
    }
    fn create(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SickFile(RealDisk.create(path)?, self.clone())))
    }
    fn open_write(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SickFile(RealDisk.open_write(path)?, self.clone())))
    }
    fn open_read(&self, path: &Path) -> std::io::Result<Box<dyn DiskFile>> {
        RealDisk.open_read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.remove(path)
    }
    fn sync_folder(&self, folder: &Path) -> std::io::Result<()> {
        RealDisk.sync_folder(folder)
    }
}

impl DiskFile for SickFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        if self.1.is_refusing.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("refused"));
        }
        self.0.write_at(bytes, offset)
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn size(&self) -> std::io::Result<u64> {
        self.0.size()
    }
    fn sync_data(&self) -> std::io::Result<()> {
        if self.1.is_sick.load(Ordering::Relaxed) {
            Err(std::io::Error::other("sick"))
        } else {
            self.0.sync_data()
        }
    }
    fn truncate(&mut self, size: u64) -> std::io::Result<()> {
        self.0.truncate(size)
    }
}

/// Small files that fail while asked to, before or after the deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileFault {
    None,
    NotWritten,
    WrittenThoughReportedFailed,
}

#[derive(Debug)]
struct SickFiles(Arc<std::sync::Mutex<FileFault>>);

impl Files for SickFiles {
    fn replace(&self, path: &Path, content: &[u8], readable: Readable) -> std::io::Result<()> {
        let fault = *self.0.lock().unwrap();
        if fault != FileFault::NotWritten {
            RealFiles.replace(path, content, readable)?;
        }
        if fault == FileFault::None { Ok(()) } else { Err(std::io::Error::other("sick")) }
    }
    fn read(&self, path: &Path) -> std::io::Result<Option<Vec<u8>>> {
        RealFiles.read(path)
    }
    fn destroy(&self, path: &Path) -> std::io::Result<()> {
        let fault = *self.0.lock().unwrap();
        if fault != FileFault::NotWritten {
            RealFiles.destroy(path)?;
        }
        if fault == FileFault::None { Ok(()) } else { Err(std::io::Error::other("sick")) }
    }
}

struct Machine {
    scratch: tempfile::TempDir,
    clock: Arc<FakeClock>,
    disk: Sick,
    file_fault: Arc<std::sync::Mutex<FileFault>>,
    bytes_max: u64,
    away: Option<away::Away>,
}

impl Machine {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let identity = IdentityFiles::of(scratch.path());
        crate::whole_file::create_private_folder(identity.folder()).unwrap();
        RealFiles.replace(&identity.epoch_key(0), "05".repeat(32).as_bytes(), Readable::ByOwner).unwrap();
        Self {
            scratch,
            clock: Arc::default(),
            disk: Sick::default(),
            file_fault: Arc::new(std::sync::Mutex::new(FileFault::None)),
            bytes_max: 64 << 20,
            away: None,
        }
    }

    fn path(&self) -> PathBuf {
        self.scratch.path().join("spool")
    }

    fn identity(&self) -> IdentityFiles {
        IdentityFiles::of(self.scratch.path())
    }

    fn start(&self) -> Result<Keeper, SpoolError> {
        let slug = Slug::parse(SLUG).unwrap();
        let author = Author::agent("ws-01").unwrap();
        let files: Arc<dyn Files> = Arc::new(SickFiles(Arc::clone(&self.file_fault)));
        let keys = EpochKeys::new(self.identity(), &slug, &author, files);
        let writer = Arc::new(Writer { slug, author, keys });
        let setup = Setup {
            path: self.path(),
            bytes_max: self.bytes_max,
            epoch_every: Duration::from_secs(86_400),
            trust: trust_file(),
            away: self.away.clone(),
            disk: Arc::new(self.disk.clone()),
            files: Arc::new(SickFiles(Arc::clone(&self.file_fault))),
            clock: Arc::clone(&self.clock) as Arc<dyn clock::Clock>,
        };
        Keeper::open(setup, writer).map(|(keeper, _)| keeper)
    }

    /// The events that are durable, in order, in short: exe for observations, cause or reason for the agent's own.
    fn stored(&self) -> Vec<String> {
        let reader = Reader::open(&self.path()).unwrap();
        let mut stored = Vec::new();
        for item in reader.frames().unwrap() {
            if let Frame::Batch(batch) = item.unwrap().1 {
                for entry in sealed(batch).unwrap().entries {
                    let event = entry.event().unwrap();
                    // What keys do is told in a test of its own.
                    if event.epoch.is_some() {
                        continue;
                    }
                    stored.push(match (event.gap, event.health) {
                        (Some(gap), _) => format!("gap {} {}", gap.cause, gap.lost.unwrap_or(0)),
                        (_, Some(health)) => format!("health {}", health.reason.unwrap()),
                        _ => event.process.unwrap().exe.unwrap(),
                    });
                }
            }
        }
        stored
    }
}

fn event(name: &str) -> Incoming {
    let mut event = Event::new(Kind::FileAccess, "2026-11-20T21:00:00.000Z");
    event.process = Some(ntk_evidence::event::Process { exe: Some(name.to_owned()), ..Default::default() });
    Incoming::Observed(event, None)
}

fn recorded(n: u64) -> Incoming {
    let Incoming::Observed(event, _) = event(&format!("r{n}")) else { unreachable!() };
    Incoming::Observed(
        event,
        Some(Bookmark {
            recorded: Some(bookmark::Recorded {
                list: "a".to_owned(),
                position: crate::sensor::recorded::Position { file: 0, offset: n, nth: 0 },
            }),
            ..Bookmark::default()
        }),
    )
}

fn health(reason: &str) -> Incoming {
    let mut event = Event::new(Kind::Health, "2026-11-20T21:00:00.000Z");
    event.health = Some(Box::new(Health { reason: Some(reason.to_owned()), ..Default::default() }));
    Incoming::Own(event)
}

#[test]
fn a_kill_loses_only_what_was_not_durable_and_the_next_start_tells_of_it() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.take(event("a"));
    keeper.take(event("b"));
    keeper.flush();
    assert_eq!(keeper.progress().size, 2);
    keeper.take(event("c"));
    drop(keeper);
    machine.clock.advance(60);
    let mut keeper = machine.start().unwrap();
    keeper.take(health("start"));
    keeper.take(health("stop"));
    keeper.flush();
    drop(keeper);
    let mut keeper = machine.start().unwrap();
    keeper.flush();
    assert_eq!(
        machine.stored(),
        ["a", "b", "gap agent_restart 0", "health start", "health stop", "gap clean_stop 0"]
    );
    let place = shelf::find(&keeper.progress().reader, 8).unwrap().unwrap();
    assert_eq!(place.note, keeper.progress().note.as_ref());
    assert_eq!(shelf::find(&keeper.progress().reader, 1).unwrap(), None, "no batch ends there");
}

#[test]
fn a_second_process_is_refused() {
    let machine = Machine::new();
    let _keeper = machine.start().unwrap();
    let error = machine.start().unwrap_err();
    assert!(matches!(error, SpoolError::Segment { source: SegmentError::Locked { .. }, .. }), "{error}");
}

#[test]
fn an_altered_batch_is_found_at_the_next_start() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.take(event("a"));
    keeper.flush();
    drop(keeper);
    let (mut log, recovery) = SegmentLog::open(&machine.path(), Options::default()).unwrap();
    let frames: Vec<_> = recovery.replay().map(|item| item.unwrap().1).collect();
    let Frame::Batch(mut forged) = frames[0].clone() else { panic!() };
    forged.first = 1;
    log.append(&forged).unwrap();
    let _ = log.commit(&frame::Commit::default()).unwrap();
    drop(log);
    assert!(matches!(machine.start().unwrap_err(), SpoolError::Altered { first: 1, .. }));
}

#[test]
fn a_failed_sync_neither_loses_nor_doubles_the_group() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.take(event("a"));
    keeper.flush();
    machine.disk.is_sick.store(true, Ordering::Relaxed);
    keeper.take(event("b"));
    keeper.flush();
    assert_eq!(keeper.progress().size, 1, "not durable, so not said");
    assert!(keeper.progress().fault.is_some() && keeper.is_failing());
    keeper.take(event("c"));
    keeper.take(event("d"));
    machine.clock.advance(5);
    keeper.flush();
    assert!(keeper.is_failing(), "opening syncs, too");
    machine.disk.is_sick.store(false, Ordering::Relaxed);
    machine.clock.advance(5);
    keeper.flush();
    keeper.take(event("e"));
    keeper.flush();
    keeper.flush();
    assert_eq!(machine.stored(), ["a", "b", "gap spool_failed 2", "e"]);
    assert_eq!((keeper.progress().size, keeper.progress().fault.clone()), (4, None));
}

#[test]
fn recorded_events_are_neither_lost_nor_doubled_by_kills_at_any_point() {
    for seed in 0..40u64 {
        let machine = Machine::new();
        let mut random = crate::uplink::tests::Random::new(seed);
        let mut n_runs = 0;
        loop {
            n_runs += 1;
            let mut keeper = machine.start().unwrap();
            let from = keeper
                .bookmark()
                .and_then(|bookmark| bookmark.recorded.as_ref())
                .map_or(0, |it| it.position.offset);
            for n in from + 1..=50 {
                keeper.take(recorded(n));
                if random.below(4) == 0 {
                    keeper.flush();
                }
                if n_runs < 6 && random.below(12) == 0 {
                    break; // killed here, whatever is in the group
                }
                if n == 50 {
                    keeper.flush();
                    n_runs = 100;
                }
            }
            if n_runs >= 100 {
                break;
            }
        }
        let expected: Vec<String> = (1..=50).map(|n| format!("r{n}")).collect();
        let found: Vec<String> = machine.stored().into_iter().filter(|name| name.starts_with('r')).collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn a_full_spool_counts_what_it_cannot_keep_and_says_so_when_there_is_room() {
    let mut machine = Machine::new();
    machine.bytes_max = 4 << 20;
    let mut keeper = machine.start().unwrap();
    let large = "x".repeat(10_000);
    let mut n_taken = 0;
    while keeper.progress().n_lost == 0 {
        keeper.take(event(&large));
        n_taken += 1;
        if n_taken % 10 == 0 {
            keeper.flush();
        }
    }
    keeper.flush();
    let size_when_full = keeper.progress().size;
    assert!(keeper.progress().bytes_on_disk <= 3 << 20, "the reserve is free");
    machine.clock.advance(10);
    keeper.take(event(&large));
    keeper.take(event(&large));
    assert_eq!(keeper.progress().n_lost, 3);
    // Health may use the reserve, and takes the gap with it.
    keeper.take(health("periodic"));
    keeper.flush();
    let stored = machine.stored();
    assert_eq!(stored[stored.len() - 2..], ["gap spool_full 2", "health periodic"], "one was told of before");
    // Released segments make room.
    keeper.take(event(&large));
    keeper.release(position::Position { released: size_when_full, ..position::Position::default() });
    keeper.flush();
    keeper.take(event("after"));
    keeper.flush();
    let stored = machine.stored();
    assert_eq!(stored[stored.len() - 2..], ["gap spool_full 1", "after"]);
    assert!(keeper.progress().bytes_on_disk < 3 << 20);
    assert_eq!(keeper.progress().size, size_when_full + 4, "numbers have no gap");
    // The oldest went; what is kept is still found and read.
    assert_eq!(shelf::find(&keeper.progress().reader, 0).unwrap(), None);
    let place = shelf::find(&keeper.progress().reader, size_when_full).unwrap().unwrap();
    let (batches, next) = shelf::read(&keeper.progress().reader, place.next, 1 << 20).unwrap();
    assert_eq!(batches.iter().map(|batch| batch.first).next(), Some(size_when_full));
    assert_eq!(shelf::read(&keeper.progress().reader, next, 1).unwrap().0, []);
    drop(keeper);
    machine.start().unwrap();
}

#[test]
fn the_reserve_ends_too_and_then_everything_is_counted() {
    let mut machine = Machine::new();
    machine.bytes_max = 4 << 20;
    let mut keeper = machine.start().unwrap();
    for _ in 0..400 {
        let Incoming::Own(mut own) = health("periodic") else { unreachable!() };
        own.health.as_mut().unwrap().cannot_see = vec!["x".repeat(20_000)];
        keeper.take(Incoming::Own(own));
        keeper.flush();
    }
    assert!(keeper.progress().bytes_on_disk <= 4 << 20);
    assert!(keeper.progress().n_lost > 100);
}

#[test]
fn released_segments_are_kept_for_ninety_days() {
    let mut machine = Machine::new();
    machine.bytes_max = 64 << 20;
    let mut keeper = machine.start().unwrap();
    for _ in 0..9 {
        keeper.take(event(&"x".repeat(700_000)));
        keeper.flush();
    }
    let size = keeper.progress().size;
    keeper.release(position::Position { released: size, ..position::Position::default() });
    machine.clock.advance(89 * 86_400);
    keeper.tidy();
    assert!(shelf::find(&keeper.progress().reader, 0).unwrap().is_some());
    machine.clock.advance(2 * 86_400);
    keeper.tidy();
    assert!(shelf::find(&keeper.progress().reader, 0).unwrap().is_none());
}

#[test]
fn a_position_that_could_not_be_written_releases_nothing() {
    for fault in [FileFault::NotWritten, FileFault::WrittenThoughReportedFailed] {
        let machine = Machine::new();
        let mut keeper = machine.start().unwrap();
        keeper.take(event("a"));
        keeper.flush();
        *machine.file_fault.lock().unwrap() = fault;
        keeper.release(position::Position { released: 1, ..position::Position::default() });
        assert_eq!(keeper.progress().position.released, 0, "{fault:?}");
        assert!(keeper.progress().fault.is_some());
        *machine.file_fault.lock().unwrap() = FileFault::None;
        // A crash now finds either of the two, and both are true.
        drop(keeper);
        let mut keeper = machine.start().unwrap();
        let expected = if fault == FileFault::NotWritten { 0 } else { 1 };
        assert_eq!(keeper.progress().position.released, expected);
        keeper.release(position::Position { released: 1, ..position::Position::default() });
        assert_eq!((keeper.progress().position.released, keeper.progress().fault.clone()), (1, None));
        keeper.release(position::Position { released: 0, ..position::Position::default() });
        assert_eq!(keeper.progress().position.released, 1, "it never shrinks");
    }
}

#[test]
fn a_removed_or_damaged_position_becomes_a_gap_and_loses_nothing() {
    for damage in [None, Some("{"), Some(r#"{"released":1,"checkpoint":"forged\n"}"#)] {
        let machine = Machine::new();
        let mut keeper = machine.start().unwrap();
        keeper.take(event("a"));
        keeper.flush();
        keeper.release(position::Position { released: 1, ..position::Position::default() });
        drop(keeper);
        let path = machine.path().join("position.json");
        match damage {
            None => std::fs::remove_file(&path).unwrap(),
            Some(text) => std::fs::write(&path, text).unwrap(),
        }
        let mut keeper = machine.start().unwrap();
        assert_eq!(keeper.progress().position, position::Position::default());
        keeper.flush();
        assert_eq!(machine.stored(), ["a", "gap agent_restart 0", "gap position_lost 0"]);
    }
}

#[test]
fn a_position_reads_back_with_its_checkpoint() {
    let scratch = tempfile::tempdir().unwrap();
    let file = PositionFile::of(scratch.path());
    let signer = log_signer();
    let checkpoint = ntk_evidence::checkpoint::Checkpoint {
        origin: format!("{SLUG}/log"),
        size: 0,
        root: ntk_evidence::merkle::empty_root(),
    };
    let note = checkpoint.sign(&signer).unwrap();
    let seen = ntk_evidence::receipt::SeenCheckpoint::recall(note.as_bytes(), signer.verifier()).unwrap();
    let position = position::Position { released: 7, seen: Some(seen), ..position::Position::default() };
    file.write(&RealFiles, &position).unwrap();
    assert_eq!(file.read(&RealFiles, &trust_file()).unwrap(), position::Recalled::Known(position));
}

#[test]
fn an_event_too_large_for_an_entry_becomes_a_gap() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.take(event(&"x".repeat(2 << 20)));
    keeper.take(event("b"));
    keeper.flush();
    assert_eq!(machine.stored(), ["gap event_too_large 1", "b"]);
}

#[test]
fn the_thread_groups_events_and_ends_with_everything_durable() {
    let machine = Machine::new();
    let thread = thread::SpoolThread::start(machine.start().unwrap(), Duration::from_millis(5)).unwrap();
    let (intake, progress) = (thread.intake(), thread.progress());
    for n in 0..2000 {
        let Incoming::Observed(event, bookmark) = event(&n.to_string()) else { unreachable!() };
        intake.observed(event, bookmark).unwrap();
    }
    thread.wishes().release(position::Position { released: 1, ..position::Position::default() });
    thread.end();
    assert_eq!((progress.borrow().size, progress.borrow().position.released), (2000, 1));
    let Incoming::Own(event) = health("late") else { unreachable!() };
    assert_eq!(intake.own(event), Err(thread::Closed));
    let expected: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    assert_eq!(machine.stored(), expected);
    assert!(machine.clock.now().unix_nanos() > 0);
}
