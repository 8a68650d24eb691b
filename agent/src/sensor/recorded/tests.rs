//! Recordings are played once, in order, and go on where they were left.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::*;
use crate::clock::fake::FakeClock;

const NAMES: &[&str] = &["16-sudo-ok.log", "12-ssh-invalid-user-fail.log", "77-tamper-loginuid-forge.log"];

fn recordings(after: Option<Position>) -> Recordings {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/linux-audit");
    let watches = WatchList::new(vec!["/srv/practice/ehr/exports/week=export".parse().unwrap()]).unwrap();
    let files = NAMES.iter().map(|name| folder.join(name)).collect();
    Recordings { files, watches, after, rate_per_second: None }
}

fn queue(n_max: usize) -> (Sink, Receiver<Sensed>) {
    Sink::bounded(n_max, Arc::new(FakeClock::default()))
}

fn played(after: Option<Position>) -> Vec<Sensed> {
    let (sink, receiver) = queue(1000);
    play(&recordings(after), &sink, &Stop::default()).unwrap();
    drop(sink);
    receiver.iter().collect()
}

#[test]
fn events_are_those_of_a_replay_and_say_that_they_were_recorded() {
    let mut out = Vec::new();
    let one = Recordings { files: recordings(None).files[..1].to_vec(), ..recordings(None) };
    replay::replay(
        replay::Format::LinuxAudit,
        &one.files,
        &replay::Watched::Linux(one.watches.clone()),
        &mut out,
    )
    .unwrap();
    let replayed: Vec<Event> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (sink, receiver) = queue(1000);
    assert_eq!(play(&one, &sink, &Stop::default()).unwrap(), 4);
    drop(sink);
    for (sensed, mut event) in receiver.iter().zip(replayed) {
        event.source.as_mut().unwrap().recorded = Some(true);
        assert_eq!(*sensed.event, event);
    }
}

#[test]
fn after_any_position_exactly_the_rest_is_played() {
    let all = played(None);
    assert!(all.len() > 9, "{all:#?}");
    assert!(all.is_sorted_by_key(|sensed| sensed.position));
    for n_kept in 0..=all.len() {
        let after = n_kept.checked_sub(1).and_then(|last| all[last].position);
        // The forged session of the third file still has its person: earlier records are read again.
        assert_eq!(played(after), all[n_kept..], "after {n_kept} events");
    }
}

#[test]
fn a_missing_recording_is_a_gap_and_the_next_one_is_played() {
    let mut missing = recordings(None);
    missing.files.insert(1, PathBuf::from("/nowhere.log"));
    let (sink, receiver) = queue(1000);
    let error = play(&missing, &sink, &Stop::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere.log"), "{error}");
    drop(sink);
    let events: Vec<Event> = receiver.iter().map(|sensed| *sensed.event).collect();
    let causes: Vec<&str> =
        events.iter().filter_map(|event| event.gap.as_ref()).map(|gap| gap.cause.as_str()).collect();
    assert_eq!(causes, ["recording_unreadable"]);
    assert_eq!(events.len(), played(None).len() + 1);
}

#[test]
fn a_full_queue_holds_a_recording_up_and_loses_nothing() {
    let (sink, receiver) = queue(1);
    let player = std::thread::spawn(move || play(&recordings(None), &sink, &Stop::default()));
    let events: Vec<Sensed> = receiver.iter().collect();
    player.join().unwrap().unwrap();
    assert_eq!(events, played(None));
}

#[test]
fn a_stop_ends_a_slow_recording_at_once() {
    let (sink, receiver) = queue(1000);
    let (stop, slow) = (Stop::default(), Recordings { rate_per_second: Some(1), ..recordings(None) });
    let player = std::thread::spawn({
        let stop = stop.clone();
        move || play(&slow, &sink, &stop)
    });
    receiver.recv().unwrap();
    stop.request();
    assert!(player.join().unwrap().unwrap() < 3);
}
