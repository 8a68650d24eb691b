//! What the health entries of a machine say about its hours.

use expect_test::{Expect, expect};

use super::*;

/// `minute boot uptime-minutes [reason]` per line; the week is a day long here.
#[track_caller]
fn check(beats: &str, enrolled: Option<i64>, expected: Expect) {
    let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
    let beat = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        Beat {
            at: at(words[0].parse().unwrap()),
            boot_id: Some(words[1].to_owned()),
            uptime_s: Some(words[2].parse::<u64>().unwrap() * 60),
            reason: words.get(3).map(|word| (*word).to_owned()),
            ahead_ms: None,
        }
    };
    let beats: Vec<_> = beats.lines().map(str::trim).filter(|line| !line.is_empty()).map(beat).collect();
    let intervals = intervals(&beats, at(0), at(1440), enrolled.map(at));
    let mut end = at(0);
    let mut text = String::new();
    for interval in &intervals {
        assert_eq!(interval.from, end, "no hole");
        end = interval.to;
        let cause = interval.cause.as_deref().unwrap_or("-");
        let minute = |at: Timestamp| at.as_second() / 60;
        text.push_str(&format!(
            "{}-{} {:?} {cause}\n",
            minute(interval.from),
            minute(interval.to),
            interval.state
        ));
    }
    assert_eq!(end, at(1440));
    expected.assert_eq(&text);
}

#[test]
fn a_clock_that_is_off_is_named_by_its_worst_and_one_in_order_is_not() {
    let said = |ahead: &[Option<i64>]| {
        let beat = |&ahead_ms: &Option<i64>| Beat {
            at: Timestamp::UNIX_EPOCH,
            reason: None,
            boot_id: None,
            uptime_s: None,
            ahead_ms,
        };
        clock_off(&ahead.iter().map(beat).collect::<Vec<_>>())
    };
    for in_order in [&[][..], &[None], &[Some(0), Some(-1_999)], &[Some(2_000)]] {
        assert_eq!(said(in_order), None);
    }
    let worst = |ahead: &[Option<i64>]| said(ahead).unwrap();
    assert_eq!(
        worst(&[Some(40), None, Some(-3_000)]),
        "Its clock was up to 3 seconds behind the collector’s."
    );
    assert_eq!(
        worst(&[Some(240_000), Some(-3_000)]),
        "Its clock was up to 4 minutes ahead of the collector’s."
    );
    assert_eq!(worst(&[Some(i64::MIN)]), "Its clock was up to 2562047788015 hours behind the collector’s.");
}

fn every_five(from: i64, to: i64, boot: &str, booted: i64) -> String {
    (from..=to).step_by(5).map(|minute| format!("{minute} {boot} {}\n", minute - booted)).collect()
}

#[test]
fn a_whole_day() {
    check(
        &every_five(0, 1440, "a", -100),
        None,
        expect![[r#"
        0-1440 Reporting -
    "#]],
    );
}

#[test]
fn the_same_boot_means_silence_and_another_boot_means_off() {
    let beats =
        [every_five(0, 600, "a", -100), every_five(733, 900, "a", -100), every_five(1003, 1440, "b", 1000)];
    check(
        &beats.concat(),
        None,
        expect![[r#"
        0-600 Reporting -
        600-733 Silent -
        733-898 Reporting -
        898-1000 Off -
        1000-1440 Reporting -
    "#]],
    );
}

#[test]
fn a_machine_that_came_up_long_before_its_agent_was_silent() {
    check(
        &[every_five(0, 300, "a", -9), every_five(600, 1440, "b", 500)].concat(),
        None,
        expect![[r#"
        0-300 Reporting -
        300-500 Off -
        500-600 Silent running before the first report
        600-1440 Reporting -
    "#]],
    );
}

#[test]
fn uptime_that_stood_still_means_sleep() {
    check(
        &[every_five(0, 300, "a", 0), every_five(700, 1440, "a", 399)].concat(),
        None,
        expect![[r#"
        0-300 Reporting -
        300-700 Off asleep
        700-1440 Reporting -
    "#]],
    );
}

#[test]
fn an_agent_that_stopped_is_silent_even_for_a_minute() {
    let beats = [every_five(0, 300, "a", 0), "301 a 301 stop\n".to_owned(), every_five(304, 1440, "a", 0)];
    check(
        &beats.concat(),
        None,
        expect![[r#"
        0-301 Reporting -
        301-304 Silent the agent had stopped
        304-1440 Reporting -
    "#]],
    );
}

#[test]
fn what_is_not_known_is_said() {
    check(
        "",
        None,
        expect![[r#"
        0-1440 Unknown no report came at all
    "#]],
    );
    check(
        &every_five(600, 700, "a", 595),
        None,
        expect![[r#"
        0-595 Unknown no report before the machine was started
        595-700 Reporting -
        700-1440 Unknown no report since
    "#]],
    );
    check(
        &every_five(600, 1440, "a", -5000),
        Some(590),
        expect![[r#"
        0-590 NotEnrolled -
        590-1440 Reporting -
    "#]],
    );
}

#[test]
fn the_collectors_own_observation_lies_on_top() {
    let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
    let interval = |from, to, state| Interval { from: at(from), to: at(to), state, cause: None };
    let laid = overlay(vec![interval(0, 100, State::Reporting)], &[interval(40, 43, State::Silent)]);
    assert_eq!(
        laid,
        [
            interval(0, 40, State::Reporting),
            interval(40, 43, State::Silent),
            interval(43, 100, State::Reporting)
        ]
    );
    assert_eq!(per_hour(&laid, at(0), at(120)), [State::Silent, State::Reporting]);
    let days = minutes_per_day(&laid, &[at(0), at(50), at(100)]);
    assert_eq!((days[0].reporting, days[0].silent, days[1].reporting), (47, 3, 50));
}
