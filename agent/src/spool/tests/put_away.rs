//! What is released and finished is put away encrypted: no plain text stays, nothing is lost, and any fault keeps one form.

use age::x25519::Identity;

use super::super::away::{self, Away, Limits};
use super::*;

const NO_LIMITS: Limits = Limits { days: 36_500, bytes: u64::MAX };

fn machine_with(key: &Identity, limits: Limits) -> Machine {
    let mut machine = Machine::new();
    let spool = machine.path();
    machine.away = Some(Away::new(&spool, &key.to_public().to_string(), limits).unwrap());
    machine
}

/// Two finished segments and one in use; the first two hold `secret-a` and `secret-b`.
fn written(machine: &Machine) -> Keeper {
    let mut keeper = machine.start().unwrap();
    for name in ["secret-a", "secret-b", "secret-c"] {
        keeper.take(event(name));
        keeper.take(event(name));
        keeper.flush();
        machine.clock.advance(86_400 + 60);
    }
    keeper
}

fn release(keeper: &mut Keeper, released: u64) {
    keeper.release(position::Position { released, ..position::Position::default() });
}

/// Whether any file below the folder holds the text.
fn is_on_disk(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            is_on_disk(&path, text)
        } else {
            let content = std::fs::read(path).unwrap();
            content.windows(text.len()).any(|window| window == text.as_bytes())
        }
    })
}

#[test]
fn no_plain_text_of_a_released_finished_segment_stays_and_the_recovery_key_reads_it() {
    let key = Identity::generate();
    let machine = machine_with(&key, NO_LIMITS);
    let mut keeper = written(&machine);
    assert!(is_on_disk(&machine.path(), "secret-a"), "it waits in the clear until it is released");
    let size = keeper.progress().size;
    release(&mut keeper, size);
    for gone in ["secret-a", "secret-b"] {
        assert!(!is_on_disk(&machine.path(), gone), "{gone}");
    }
    assert!(is_on_disk(&machine.path(), "secret-c"), "the segment in use is not finished");
    let stored = away::list(&machine.path()).unwrap();
    assert_eq!(stored.len(), 2);
    let sealed = std::fs::read(&stored[0].path).unwrap();
    let plain = age::decrypt(&key, &sealed).unwrap();
    assert!(plain.windows(8).any(|window| window == b"secret-a"));
    assert!(age::decrypt(&Identity::generate(), &sealed).is_err(), "another key");
    let mut flipped = sealed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(age::decrypt(&key, &flipped).is_err(), "a flipped byte");
    assert!(age::decrypt(&key, &sealed[..sealed.len() - 1]).is_err(), "cut");

    // The uplink goes on from where it was, and the log goes on over a start.
    let reader = Reader::open(&machine.path()).unwrap();
    assert!(shelf::find(&reader, size).unwrap().is_some());
    drop(keeper);
    assert!(machine.start().unwrap().progress().size >= size);
}

#[test]
fn after_the_recovery_key_was_replaced_the_former_one_opens_what_lay_there_and_nothing_that_is_put_away_since()
 {
    let (former, key) = (Identity::generate(), Identity::generate());
    let machine = machine_with(&former, NO_LIMITS);
    let mut keeper = written(&machine);
    release(&mut keeper, 3);
    let before = away::list(&machine.path()).unwrap();
    assert_eq!(before.len(), 1);
    let unchanged = std::fs::read(&before[0].path).unwrap();
    keeper.put_away_for(&key.to_public().to_string());
    let size = keeper.progress().size;
    release(&mut keeper, size);
    let stored = away::list(&machine.path()).unwrap();
    assert_eq!(stored.len(), 2);
    assert_eq!(std::fs::read(&stored[0].path).unwrap(), unchanged);
    let opens =
        |key: &Identity, at: usize| age::decrypt(key, &std::fs::read(&stored[at].path).unwrap()).is_ok();
    assert_eq!([opens(&former, 0), opens(&former, 1)], [true, false]);
    assert_eq!([opens(&key, 0), opens(&key, 1)], [false, true]);

    // One that cannot be used encrypts nothing to anybody: recording goes on, and what is released stays as it is.
    keeper.put_away_for("age1nobody");
    for name in ["secret-d", "secret-e"] {
        keeper.take(event(name));
        keeper.flush();
        machine.clock.advance(86_400 + 60);
    }
    let size = keeper.progress().size;
    release(&mut keeper, size);
    assert_eq!(away::list(&machine.path()).unwrap().len(), 2);
    assert!(machine.stored().contains(&"secret-e".to_owned()));
}

#[test]
fn what_is_not_released_stays_as_it_is() {
    let machine = machine_with(&Identity::generate(), NO_LIMITS);
    let mut keeper = written(&machine);
    release(&mut keeper, 2);
    assert!(
        is_on_disk(&machine.path(), "secret-a"),
        "the batch that ends there is what the uplink goes on from"
    );
    assert_eq!(away::list(&machine.path()).unwrap(), []);
    release(&mut keeper, 3);
    assert!(!is_on_disk(&machine.path(), "secret-a"));
    assert!(is_on_disk(&machine.path(), "secret-b"));
}

#[test]
fn what_cannot_be_put_away_stays_and_a_later_try_does_it() {
    let machine = machine_with(&Identity::generate(), NO_LIMITS);
    let mut keeper = written(&machine);
    let size = keeper.progress().size;
    *machine.file_fault.lock().unwrap() = FileFault::NotWritten;
    release(&mut keeper, size);
    assert!(is_on_disk(&machine.path(), "secret-a"), "the position is not durable: nothing goes");
    *machine.file_fault.lock().unwrap() = FileFault::None;
    let in_the_way = machine.path().join("kept");
    std::fs::write(&in_the_way, "").unwrap();
    release(&mut keeper, size);
    assert!(is_on_disk(&machine.path(), "secret-a"), "not encrypted: nothing goes");
    keeper.take(event("d"));
    keeper.flush();
    assert!(machine.stored().contains(&"d".to_owned()), "recording goes on");
    std::fs::remove_file(&in_the_way).unwrap();
    // A crash after the encrypted file, whole or torn, and before the segment went.
    std::fs::create_dir(&in_the_way).unwrap();
    std::fs::write(in_the_way.join("00000000000000000001.age"), "torn").unwrap();
    drop(keeper);
    let mut keeper = machine.start().unwrap();
    keeper.tidy();
    assert!(!is_on_disk(&machine.path(), "secret-a"));
    assert!(!is_on_disk(&machine.path(), "torn"), "done again");
}

#[test]
fn beyond_its_limit_the_oldest_goes_and_recording_goes_on() {
    let machine = machine_with(&Identity::generate(), Limits { days: 36_500, bytes: 0 });
    let mut keeper = written(&machine);
    let size = keeper.progress().size;
    release(&mut keeper, size);
    assert_eq!(away::list(&machine.path()).unwrap(), []);
    keeper.take(event("d"));
    keeper.flush();
    assert!(machine.stored().contains(&"d".to_owned()));
}
