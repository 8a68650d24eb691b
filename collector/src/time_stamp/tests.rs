//! When what is asked, from acts and time alone; and which answers are kept.

use super::*;

const HOUR: i64 = 3600;
/// Over "stamped text\n", by `openssl ts -reply`, with this nonce.
const RESPONSE: &[u8] = include_bytes!("../../../ledger/evidence/fixtures/time-stamp.tsr");
const NONCE: [u8; 8] = [0, 0x80, 1, 2, 3, 4, 5, 6];

fn at(second: i64) -> Moment {
    Moment::from_unix_seconds(1_795_806_000).unwrap().plus_seconds(second)
}

fn stamped_at(size: u64, second: i64) -> Stamps {
    let time = at(second).to_rfc3339(0);
    Stamps {
        newest: Some(Newest { size, time: time.clone(), authority: None, recorded: time }),
        ..Stamps::default()
    }
}

fn failed(times: &[i64]) -> Attempts {
    let mut attempts = Attempts::default();
    times.iter().for_each(|second| attempts.ended(at(*second), Some("no answer".into())));
    attempts
}

#[test]
fn a_stamp_is_due_at_once_then_every_hour_where_something_came() {
    let none = Attempts::default();
    let next = |stamps: &Stamps, size, second| next(HOUR, stamps, &none, size, at(second));
    assert_eq!(next(&Stamps::default(), 3, 0), Next::Ask);
    assert_eq!(next(&Stamps::default(), 0, 0), Next::Wait, "an empty log has no checkpoint worth a stamp");
    assert_eq!(next(&stamped_at(3, 0), 9, HOUR - 1), Next::Wait);
    assert_eq!(next(&stamped_at(3, 0), 9, HOUR), Next::Ask);
    // Its own act is the only leaf that came.
    assert_eq!(next(&stamped_at(3, 0), 4, 5 * HOUR), Next::Wait);
    // The clock was set back behind the last one.
    assert_eq!(next(&stamped_at(3, 0), 9, -HOUR), Next::Ask);
}

#[test]
fn a_failure_is_followed_by_longer_and_longer_waits_up_to_the_usual_one() {
    let mut times = vec![0];
    for wait in [60, 120, 240, 480, 960, 1920, HOUR, HOUR, HOUR] {
        let attempts = failed(&times);
        let last = *times.last().unwrap();
        let next = |second| next(HOUR, &Stamps::default(), &attempts, 3, at(second));
        assert_eq!((next(last + wait - 1), next(last + wait)), (Next::Wait, Next::Ask), "after {times:?}");
        times.push(last + wait);
    }
    let mut attempts = failed(&times);
    attempts.ended(at(90_000), None);
    assert_eq!((attempts.failed, attempts.in_a_row, attempts.failing_since), (10, 0, None));
}

#[test]
fn after_a_day_without_one_the_ledger_is_told_once() {
    let day = FAILING_SECONDS;
    let attempts = failed(&[0, day]);
    let next_at = |stamps: &Stamps, second| next(HOUR, stamps, &attempts, 9, at(second));
    let tell = |second| Next::Tell { since: at(second).to_rfc3339(0), reason: "no answer".into() };
    assert_eq!(next_at(&Stamps::default(), day), tell(0));
    let mut told = Stamps::default();
    told.apply(&serde_json::json!({"step": "failing", "since": "x", "reason": "y"}), "");
    assert_eq!(next_at(&told, day), Next::Wait);
    // After a start: the ledger knows how long there was none.
    let attempts = failed(&[day]);
    assert_eq!(next(HOUR, &stamped_at(3, 0), &attempts, 9, at(day)), tell(0));
    assert_eq!(next(HOUR, &stamped_at(3, HOUR), &attempts, 9, at(day)), Next::Wait);
}

#[test]
fn only_a_granted_answer_to_this_request_over_this_checkpoint_is_kept() {
    let asked = Asked::new(3, b"stamped text\n", &NONCE);
    let act = asked.answered(RESPONSE).unwrap();
    assert_eq!((act.size, act.time.as_str()), (3, "2026-11-27T14:02:04Z"));
    assert_eq!(act.authority.as_deref(), Some("CN=Time-stamps for tests"));
    assert_eq!((act.response_der().as_deref(), act.request_der()), (Some(RESPONSE), asked.query()));
    use TimeStampError::{OtherRequest, OtherText, Refused};
    let of = |note: &[u8], nonce| Asked::new(3, note, &nonce).answered(RESPONSE);
    assert_eq!(of(b"another text\n", NONCE), Err(OtherText));
    assert_eq!(of(b"stamped text\n", [7; 8]), Err(OtherRequest));
    assert_eq!(asked.answered(&[0x30, 5, 0x30, 3, 2, 1, 2]), Err(Refused(2)));
    assert!(matches!(asked.answered(b"<html>"), Err(TimeStampError::Form(_))));
}

#[test]
fn a_response_that_was_fetched_by_hand_finds_its_request_and_no_other() {
    let mut stamps = Stamps::default();
    let mut apply =
        |act: TimeStampAct| stamps.apply(&serde_json::to_value(act).unwrap(), "2026-11-27T20:00:00Z");
    for (size, note, nonce) in
        [(3, b"stamped text\n".as_slice(), NONCE), (5, b"a later checkpoint\n", [9; 8])]
    {
        apply(TimeStampAct::Asked(Asked::new(size, note, &nonce)));
    }
    let act = stamps.add(RESPONSE).unwrap();
    assert_eq!(act.size, 3);
    stamps.apply(&serde_json::to_value(TimeStampAct::Stamped(act)).unwrap(), "2026-11-27T20:05:00Z");
    assert_eq!(stamps.newest.as_ref().map(|newest| newest.size), Some(3));
    // Played again: nothing asks for it any more.
    assert_eq!(stamps.add(RESPONSE), Err(TimeStampError::OtherRequest));
    assert!(matches!(stamps.add(b"garbage"), Err(TimeStampError::Form(_))));
    // As many requests as may be late are remembered, not more.
    for number in 0..40 {
        let asked = Asked::new(number, b"note\n", &[1; 8]);
        stamps.apply(&serde_json::to_value(TimeStampAct::Asked(asked)).unwrap(), "");
    }
    assert_eq!(stamps.asked.len(), ASKED_MAX);
}
