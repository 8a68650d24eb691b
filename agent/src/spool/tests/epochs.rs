//! Keys that follow one another: at each start and each day, whatever fails between two steps.

use ntk_evidence::note::{KeyType, NoteSigner};

use super::*;

/// Everything that is durable, followed from the enrolled key on: the log as any follower knows it.
fn followed(machine: &Machine) -> AuthorLog {
    let slug = Slug::parse(SLUG).unwrap();
    let author = Author::agent("ws-01").unwrap();
    let first = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &[5; 32]).unwrap();
    let mut log = AuthorLog::new(&slug, author, first.verifier().clone());
    for item in Reader::open(&machine.path()).unwrap().frames().unwrap() {
        if let Frame::Batch(batch) = item.unwrap().1 {
            log = log.follow(&sealed(batch).unwrap()).unwrap();
        }
    }
    log
}

/// Reasons of the roll-overs, in order.
fn reasons(machine: &Machine) -> Vec<String> {
    let mut reasons = Vec::new();
    for item in Reader::open(&machine.path()).unwrap().frames().unwrap() {
        if let Frame::Batch(batch) = item.unwrap().1 {
            let events = sealed(batch).unwrap().entries.into_iter().map(|entry| entry.event().unwrap());
            reasons.extend(events.filter_map(|event| event.epoch?.reason));
        }
    }
    reasons
}

fn epochs_on_disk(machine: &Machine) -> Vec<u32> {
    machine.identity().epochs().unwrap()
}

fn said(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("e{n}")).collect()
}

fn observed(machine: &Machine) -> Vec<String> {
    machine.stored().into_iter().filter(|name| name.starts_with('e')).collect()
}

#[test]
fn each_start_and_each_day_has_its_key_and_no_older_one_is_left() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.flush();
    assert_eq!(
        (keeper.progress().epoch, epochs_on_disk(&machine)),
        (0, vec![0]),
        "the enrolled key signed nothing"
    );
    keeper.take(event("e0"));
    keeper.flush();
    drop(keeper);
    let mut keeper = machine.start().unwrap();
    assert_eq!((keeper.progress().epoch, epochs_on_disk(&machine)), (1, vec![1]), "at a start");
    machine.clock.advance(86_399);
    keeper.take(event("e1"));
    keeper.flush();
    assert_eq!(keeper.progress().epoch, 1);
    machine.clock.advance(1);
    keeper.flush();
    assert_eq!((keeper.progress().epoch, epochs_on_disk(&machine)), (2, vec![2]), "after a day");
    machine.clock.advance(86_400);
    keeper.flush();
    assert_eq!(keeper.progress().epoch, 3, "an epoch without an entry ends, too");
    keeper.take(event("e2"));
    keeper.flush();
    drop(keeper);
    assert_eq!(reasons(&machine), ["start", "daily", "daily"]);
    let log = followed(&machine);
    assert_eq!((log.epoch(), observed(&machine)), (3, said(3)));
    // The seeds that are gone were never written anywhere else.
    let folder = std::fs::read_dir(machine.identity().folder()).unwrap();
    let names: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["epoch-3.key"]);
}

/// Where the roll-over is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    NextKey(FileFault),
    DiskRefuses,
    SyncFails,
    OldKey(FileFault),
}

#[test]
fn a_roll_over_that_is_cut_at_any_step_goes_on_and_loses_nothing() {
    use FileFault::{NotWritten, WrittenThoughReportedFailed};
    let cuts = [
        Cut::NextKey(NotWritten),
        Cut::NextKey(WrittenThoughReportedFailed),
        Cut::DiskRefuses,
        Cut::SyncFails,
        Cut::OldKey(NotWritten),
        Cut::OldKey(WrittenThoughReportedFailed),
    ];
    for cut in cuts {
        for is_killed in [false, true] {
            let what = format!("{cut:?}, killed: {is_killed}");
            let machine = Machine::new();
            let mut keeper = machine.start().unwrap();
            keeper.take(event("e0"));
            keeper.flush();
            let set = |fault| *machine.file_fault.lock().unwrap() = fault;
            match cut {
                Cut::NextKey(fault) => set(fault),
                Cut::OldKey(fault) => {
                    // The next key is there already, so that only the last step can fail.
                    let (slug, author) = (Slug::parse(SLUG).unwrap(), Author::agent("ws-01").unwrap());
                    let keys = EpochKeys::new(machine.identity(), &slug, &author, Arc::new(RealFiles));
                    keys.prepare(1).unwrap();
                    set(fault);
                }
                Cut::DiskRefuses => machine.disk.is_refusing.store(true, Ordering::Relaxed),
                Cut::SyncFails => machine.disk.is_sick.store(true, Ordering::Relaxed),
            }
            machine.clock.advance(86_400);
            keeper.flush();
            let is_begun = matches!(cut, Cut::OldKey(_));
            assert_eq!(keeper.progress().epoch, u32::from(is_begun), "{what}: said only when durable");
            // What comes meanwhile waits for its turn.
            keeper.take(event("e1"));
            set(FileFault::None);
            machine.disk.is_refusing.store(false, Ordering::Relaxed);
            machine.disk.is_sick.store(false, Ordering::Relaxed);
            if is_killed {
                drop(keeper);
                keeper = machine.start().unwrap();
                keeper.take(event("e1"));
            }
            machine.clock.advance(11);
            keeper.flush();
            keeper.take(event("e2"));
            keeper.flush();
            let epoch = keeper.progress().epoch;
            assert!(epoch >= 1 && keeper.progress().fault.is_none(), "{what}: {:?}", keeper.progress().fault);
            assert_eq!(epochs_on_disk(&machine), [epoch], "{what}: one key is left");
            assert_eq!(followed(&machine).epoch(), epoch, "{what}");
            assert_eq!(observed(&machine), said(3), "{what}: once each");
            drop(keeper);
            machine.start().unwrap();
        }
    }
}

#[test]
fn a_full_spool_postpones_the_roll_over() {
    let mut machine = Machine::new();
    machine.bytes_max = 4 << 20;
    let mut keeper = machine.start().unwrap();
    // The reserve, too, where only the agent's own entries get; at the end in small steps.
    for bytes in [20_000, 1] {
        let before = keeper.progress().n_lost;
        while keeper.progress().n_lost == before {
            let Incoming::Own(mut own) = health("periodic") else { unreachable!() };
            own.health.as_mut().unwrap().cannot_see = vec!["x".repeat(bytes)];
            keeper.take(Incoming::Own(own));
            keeper.flush();
        }
    }
    machine.clock.advance(86_400);
    keeper.flush();
    assert_eq!(
        (keeper.progress().epoch, keeper.progress().fault.clone()),
        (0, None),
        "postponed, not failed"
    );
    let size = keeper.progress().size;
    keeper.release(position::Position { released: size, ..position::Position::default() });
    machine.clock.advance(11);
    keeper.flush();
    assert_eq!((keeper.progress().epoch, epochs_on_disk(&machine)), (1, vec![1]), "there is room again");
}

#[test]
fn a_spool_whose_key_is_gone_or_another_is_refused_by_name() {
    let machine = Machine::new();
    let mut keeper = machine.start().unwrap();
    keeper.take(event("e0"));
    keeper.flush();
    drop(keeper);
    let key = machine.identity().epoch_key(0);
    let other = "06".repeat(32);
    std::fs::write(&key, other).unwrap();
    assert!(matches!(machine.start().unwrap_err(), SpoolError::OtherAuthor { .. }));
    std::fs::remove_file(&key).unwrap();
    let error = machine.start().unwrap_err().to_string();
    assert!(error.contains("epoch-0.key") && error.contains("is missing"), "{error}");
}
