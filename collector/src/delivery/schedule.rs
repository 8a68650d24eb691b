//! Which weekly reviews are due: pure, in the practice's zone, over changes of its clocks.
//!
//! A review is due at a day and a local time, for the week before. Where that time does not exist (clocks go forward) it
//! is as much later, where it comes twice it is the first. What was missed because the collector was off is due at once.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::Deliveries;
use crate::config::delivery::Schedule;
use crate::report::week::Week;

/// How many weeks back a review that was missed is made up for: two months.
const MISSED_WEEKS_MAX: i32 = 8;

/// When, in this week, the review of the week before is due.
pub fn due_at(schedule: Schedule, week: Week, zone: &TimeZone) -> Option<Timestamp> {
    let days = i64::from(schedule.day.to_monday_zero_offset());
    let date = week.first_day().checked_add(days.days()).ok()?;
    let local = date.to_datetime(schedule.time);
    zone.to_ambiguous_zoned(local).compatible().ok().map(|zoned| zoned.timestamp())
}

/// The weeks whose review is due now, oldest first; `since` is when the ledger began.
pub fn due(
    schedule: Schedule,
    zone: &TimeZone,
    done: &Deliveries,
    since: Timestamp,
    now: Timestamp,
) -> Vec<Week> {
    let this = Week::of(now, zone);
    let weeks = (0..MISSED_WEEKS_MAX).rev().map(|back| this.earlier(back));
    let due = weeks.filter(|week| due_at(schedule, *week, zone).is_some_and(|at| since < at && at <= now));
    due.map(|week| week.earlier(1)).filter(|week| !done.is_done(&week.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Time, Weekday};
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn check(schedule: Schedule, zone: &str, done: &[&str], since: &str, now: &str, expected: &[&str]) {
        let mut deliveries = Deliveries::default();
        for week in done {
            let body =
                json!({"step": "queued", "what": "report", "week": week, "scheduled": true, "items": {}});
            deliveries.apply(&body, now);
        }
        let zone = TimeZone::get(zone).unwrap();
        let found = due(schedule, &zone, &deliveries, at(since), at(now));
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{now}");
    }

    #[test]
    fn monday_at_seven_is_seven_by_the_clock_on_the_wall() {
        let monday = Schedule::default();
        let new_york = |done: &[&str], now, expected: &[&str]| {
            check(monday, "America/New_York", done, "2026-10-25T00:00:00Z", now, expected);
        };
        // The clocks went back on 1 November: seven is 11:00 UTC before, 12:00 UTC after.
        new_york(&[], "2026-10-26T10:59:59Z", &[]);
        new_york(&[], "2026-10-26T11:00:00Z", &["2026-W43"]);
        new_york(&["2026-W43"], "2026-11-02T11:59:59Z", &[]);
        new_york(&["2026-W43"], "2026-11-02T12:00:00Z", &["2026-W44"]);
        new_york(&["2026-W43", "2026-W44"], "2026-11-08T23:00:00Z", &[]);
    }

    #[test]
    fn what_was_missed_is_made_once_and_nothing_from_before_the_ledger() {
        let monday = Schedule::default();
        check(
            monday,
            "UTC",
            &["2026-W44"],
            "2026-10-20T00:00:00Z",
            "2026-11-25T09:00:00Z",
            &["2026-W43", "2026-W45", "2026-W46", "2026-W47"],
        );
        check(monday, "UTC", &[], "2026-11-23T08:00:00Z", "2026-11-25T09:00:00Z", &[]);
        let all: Vec<String> = (38..48).map(|week| format!("2026-W{week}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        check(monday, "UTC", &all, "2020-01-01T00:00:00Z", "2026-11-25T09:00:00Z", &[]);
        // A clock that was far ahead for a while: what was made then stands in nobody's way.
        check(monday, "UTC", &["2031-W01"], "2026-11-20T00:00:00Z", "2026-11-25T09:00:00Z", &["2026-W47"]);
    }

    #[test]
    fn a_time_that_does_not_exist_or_comes_twice_is_due_once() {
        let schedule = |hour| Schedule { day: Weekday::Sunday, time: Time::constant(hour, 30, 0, 0) };
        let zone = TimeZone::get("America/New_York").unwrap();
        let due = |week: &str, hour| due_at(schedule(hour), Week::parse(week).unwrap(), &zone).unwrap();
        assert_eq!(due("2026-W10", 2), at("2026-03-08T07:30:00Z"), "02:30 is 03:30 on that day");
        assert_eq!(due("2026-W44", 1), at("2026-11-01T05:30:00Z"), "the first of two");
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let due = |week: &str, hour| due_at(schedule(hour), Week::parse(week).unwrap(), &zone).unwrap();
        assert_eq!(due("2026-W13", 2), at("2026-03-29T01:30:00Z"), "02:30 is 03:30 on that day");
        assert_eq!(due("2026-W43", 2), at("2026-10-25T00:30:00Z"), "the first of two");
    }
}
