//! Silences as a person would tell them: who was not heard, from when to when, and why.

use expect_test::{Expect, expect};

use super::*;

const AUTHOR: &str = "agent/ws-01";

fn at(seconds: i64) -> Moment {
    Moment::from_unix_seconds(1_795_208_400).unwrap().plus_seconds(seconds)
}

fn facts(boot: &str, run: &str, monotonic_s: u64, boottime_s: u64) -> Facts {
    Facts {
        boot_id: boot.to_owned(),
        run_id: run.to_owned(),
        monotonic_ms: monotonic_s * 1000,
        boottime_ms: boottime_s * 1000,
        last_shutdown: None,
    }
}

/// Heard until 100 s, then returning at 400 s as this; what is told up to 500 s.
fn check(after: Option<Facts>, own: &Meanwhile, expected: Expect) {
    let mut silences = Silences::new(35, 10);
    silences.expect(AUTHOR, at(0), at(0), None);
    silences.greeted(AUTHOR, facts("b1", "r1", 1000, 1000), at(1));
    let mut told = String::new();
    for second in 0..500 {
        if second <= 100 && second % 15 == 0 {
            let ms = u64::try_from(1000 + second).unwrap() * 1000;
            silences.keepalive(AUTHOR, ms, ms, at(second));
        }
        if second == 400 {
            match &after {
                Some(facts) => silences.greeted(AUTHOR, facts.clone(), at(second)),
                None => silences.spoke(AUTHOR, at(second)),
            }
        }
        if second > 400 && second % 15 == 0 {
            silences.spoke(AUTHOR, at(second));
        }
        for act in silences.tick(at(second), |_, _, _| own.clone()) {
            told.push_str(&format!(
                "{second}: {:?} {:?} {} .. {} {}\n",
                act.step,
                act.cause,
                &act.from[11..19],
                act.to.as_deref().map_or("", |to| &to[11..19]),
                act.detail.as_deref().unwrap_or_default()
            ));
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn a_machine_that_was_started_again_was_off_and_its_records_are_named() {
    let after = facts("b2", "r2", 50, 50);
    check(
        Some(after.clone()),
        &Meanwhile::default(),
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended PoweredOff 21:01:30 .. 21:06:40 the machine was started again at 2026-11-20T21:05:50Z; its records tell of no orderly shutdown in that time
        "#]],
    );
    check(
        Some(Facts { last_shutdown: Some(at(95)), ..after }),
        &Meanwhile::default(),
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended PoweredOff 21:01:30 .. 21:06:40 the machine was started again at 2026-11-20T21:05:50Z; its records tell of an orderly shutdown at 2026-11-20T21:01:35Z
        "#]],
    );
}

#[test]
fn another_run_of_one_boot_was_stopped() {
    check(
        Some(facts("b1", "r2", 1400, 1400)),
        &Meanwhile { recorded: 3, ..Meanwhile::default() },
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended Stopped 21:01:30 .. 21:06:40 the same boot; the agent's process ended and was started again
        "#]],
    );
}

#[test]
fn the_same_run_slept_was_frozen_or_was_cut_off() {
    check(
        Some(facts("b1", "r1", 1110, 1400)),
        &Meanwhile::default(),
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended Asleep 21:01:30 .. 21:06:40 the same run; the machine's clocks show that it slept
        "#]],
    );
    check(
        None,
        &Meanwhile { frozen: true, ..Meanwhile::default() },
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended Frozen 21:01:30 .. 21:06:40 the same run; its own log says that the process was held still while the machine ran
        "#]],
    );
    check(
        Some(facts("b1", "r1", 1400, 1400)),
        &Meanwhile { recorded: 7, ..Meanwhile::default() },
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended Firewalled 21:01:30 .. 21:06:40 the same run; it recorded 7 entries meanwhile and delivered them at its return: the way to the collector was cut
        "#]],
    );
    check(
        Some(facts("b1", "r1", 1400, 1400)),
        &Meanwhile::default(),
        expect![[r#"
            126: Began Silent 21:01:30 ..  
            410: Ended Silent 21:01:30 .. 21:06:40 the same run as far as is known; nothing says why it was not heard
        "#]],
    );
}

#[test]
fn a_machine_that_is_heard_is_never_silent_and_one_that_never_came_is_so_from_its_enrolment() {
    let mut silences = Silences::new(35, 10);
    silences.expect(AUTHOR, at(0), at(0), None);
    silences.expect("agent/ws-02", at(0), at(0), None);
    let mut told = Vec::new();
    for second in 0..300 {
        if second % 15 == 0 {
            silences.spoke(AUTHOR, at(second));
        }
        told.extend(silences.tick(at(second), |_, _, _| Meanwhile::default()));
    }
    let [only] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((only.author.as_str(), only.step), ("agent/ws-02", Step::Began));
    assert_eq!(only.from, at(0).to_rfc3339(3));
}

#[test]
fn a_silence_goes_on_over_the_collectors_restart_and_ends_once() {
    let mut silences = Silences::new(35, 10);
    silences.expect(AUTHOR, at(0), at(1000), Some(at(500)));
    assert!(silences.tick(at(2000), |_, _, _| Meanwhile::default()).is_empty(), "it was told before");
    silences.greeted(AUTHOR, facts("b1", "r1", 1, 1), at(2000));
    let own = Meanwhile { before: Some(("b1".into(), "r1".into())), ..Meanwhile::default() };
    let ended = silences.tick(at(2010), |_, from, to| {
        assert_eq!((from, to), (at(500), at(2000)));
        own.clone()
    });
    assert_eq!(ended.len(), 1);
    assert!(silences.tick(at(2011), |_, _, _| Meanwhile::default()).is_empty());
}

#[test]
fn after_a_start_of_the_collector_a_machine_is_waited_for_as_long_as_it_waits_between_attempts() {
    let first_told = |heard: Option<i64>| {
        let mut silences = Silences::new(35, 10);
        silences.expect(AUTHOR, at(0), at(1000), None);
        (1000..1300).find(|second| {
            if heard.is_some_and(|from| *second >= from && (second - from) % 15 == 0) {
                silences.spoke(AUTHOR, at(*second));
            }
            !silences.tick(at(*second), |_, _, _| Meanwhile::default()).is_empty()
        })
    };
    assert_eq!(first_told(Some(1060)), None, "it ran, and came with its next attempt");
    assert_eq!(first_told(None), Some(1000 + 35 + RECONNECT_SECONDS + 1), "it did not come");
    let mut silences = Silences::new(35, 10);
    silences.expect(AUTHOR, at(1000), at(990), None);
    assert_eq!(
        silences.tick(at(1036), |_, _, _| Meanwhile::default()).len(),
        1,
        "enrolled since: no attempt waits"
    );
}

#[test]
fn an_act_reads_back() {
    let act = Silence {
        author: AUTHOR.to_owned(),
        step: Step::Ended,
        cause: Cause::PoweredOff,
        from: "2026-11-20T21:01:30.000Z".into(),
        to: Some("2026-11-20T21:06:40.000Z".into()),
        detail: Some("x".into()),
    };
    let event = act.event("2026-11-20T21:06:50.000Z".into());
    assert_eq!(Silence::of(&event), Some(act));
    assert!(event.other["act"]["cause"] == "powered_off");
}
