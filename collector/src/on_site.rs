//! What an on-site test has proved of a machine, and whether that still holds: pure.
//!
//! A machine's log holds the result of each test and, in its health entries, which system and program it is. The query
//! store keeps a [`Mark`] of each test and of each change of system or program. A test holds for the system and the
//! program that it was made under: after an upgrade nothing is proved until it is made again.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::event::{Commission, Event, Health};
use serde::{Deserialize, Serialize};

use crate::report::Note;
use crate::report::text::list_of;

/// System and program of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Operating system and kernel.
    pub os: Option<String>,
    /// Build of the operating system.
    pub os_build: Option<String>,
    /// Version of the agent.
    pub version: Option<String>,
    /// SHA-256 of the agent's program.
    pub binary_sha256: Option<String>,
}

/// A test as far as it is told again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Who ran it.
    pub by: Option<String>,
    /// Who else was there.
    pub present: Vec<String>,
    /// What did not arrive, in words.
    pub exceptions: Vec<String>,
    /// Whether nothing arrived at all.
    pub is_empty: bool,
}

/// Something in a machine's log that the proof rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Number of the entry.
    pub number: u64,
    /// When it was received, nanoseconds since 1970.
    pub received_unix_ns: i64,
    /// System and program from here on.
    pub facts: Facts,
    /// The result of a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
}

impl Facts {
    fn of_health(health: &Health) -> Self {
        Self {
            os: health.os.clone(),
            os_build: health.os_build.clone(),
            version: health.version.clone(),
            binary_sha256: health.binary_sha256.clone(),
        }
    }

    fn of_test(test: &Commission) -> Self {
        Self {
            os: test.os.clone(),
            os_build: test.os_build.clone(),
            version: test.version.clone(),
            binary_sha256: test.binary_sha256.clone(),
        }
    }

    /// What is another from here to there, in words.
    fn changed(&self, to: &Self) -> String {
        let split = |facts: &Self| {
            let os = facts.os.clone().unwrap_or_else(|| "not known".to_owned());
            match os.split_once(", kernel ") {
                Some((system, kernel)) => (system.to_owned(), Some(kernel.to_owned())),
                None => (os, None),
            }
        };
        let ((system, kernel), (other_system, other_kernel)) = (split(self), split(to));
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".to_owned());
        let mut parts = Vec::new();
        let mut part = |what: &str, from: String, to: String| {
            if from != to {
                parts.push(format!("{what} {from} to {to}"));
            }
        };
        part("system", system, other_system);
        part("kernel", or_none(&kernel), or_none(&other_kernel));
        part("build", or_none(&self.os_build), or_none(&to.os_build));
        part("agent", or_none(&self.version), or_none(&to.version));
        if parts.is_empty() && self.binary_sha256 != to.binary_sha256 {
            parts.push("another program file of the agent".to_owned());
        }
        parts.join(", ")
    }
}

/// The mark of an entry, if it is one; `before` is what the machine was until then.
pub fn mark(event: &Event, number: u64, received_unix_ns: i64, before: Option<&Facts>) -> Option<Mark> {
    if let Some(test) = &event.commission {
        let told = Test {
            by: test.by.clone(),
            present: test.present.clone(),
            exceptions: test.exceptions().iter().map(|what| what.words().to_owned()).collect(),
            is_empty: test.in_words() == Commission::default().in_words(),
        };
        return Some(Mark { number, received_unix_ns, facts: Facts::of_test(test), test: Some(told) });
    }
    let facts = Facts::of_health(event.health.as_ref()?);
    (before != Some(&facts)).then_some(Mark { number, received_unix_ns, facts, test: None })
}

/// How far a machine is proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnSite {
    /// No test was made, or nothing arrived.
    #[default]
    Never,
    /// A test was made and still holds.
    Tested {
        /// When its result was received.
        at: Timestamp,
        /// Its result.
        test: Test,
    },
    /// System or program were changed after it.
    Outdated {
        /// When its result was received.
        at: Timestamp,
        /// When the change was first told of.
        changed_at: Timestamp,
        /// What was changed.
        what: String,
    },
}

impl OnSite {
    /// What the marks of a machine come to, in the order of its log, as of a moment.
    pub fn of(marks: &[Mark], until_unix_ns: i64) -> Self {
        let known: Vec<&Mark> =
            marks.iter().take_while(|mark| mark.received_unix_ns < until_unix_ns).collect();
        let Some(place) = known.iter().rposition(|mark| mark.test.is_some()) else { return Self::Never };
        let Some((mark, later)) = known.get(place..).and_then(<[&Mark]>::split_first) else {
            return Self::Never;
        };
        let Some(test) = mark.test.as_ref().filter(|test| !test.is_empty) else { return Self::Never };
        let at = moment(mark.received_unix_ns);
        let Some(last) = later.last().filter(|last| last.facts != mark.facts) else {
            return Self::Tested { at, test: test.clone() };
        };
        // Since when it has been another one: what was changed and changed back does not count.
        let since =
            later.iter().rposition(|one| one.facts == mark.facts).map_or(0, |same| same.saturating_add(1));
        let changed = later.get(since).unwrap_or(last);
        Self::Outdated {
            at,
            changed_at: moment(changed.received_unix_ns),
            what: mark.facts.changed(&last.facts),
        }
    }

    /// Whether everything is proved, and still is.
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Tested { test, .. } if test.exceptions.is_empty())
    }

    /// In one sentence.
    pub fn sentence(&self, zone: &TimeZone) -> String {
        match self {
            Self::Never => "Not proved by an on-site test.".to_owned(),
            Self::Tested { at, test } if test.exceptions.is_empty() => {
                format!("Proved by an on-site test on {}{}.", day(*at, zone), people(test))
            }
            Self::Tested { at, test } => format!(
                "An on-site test on {}{} proved all but {} of the ways that were tried. Proved except: {}.",
                day(*at, zone),
                people(test),
                test.exceptions.len(),
                test.exceptions.join(", ")
            ),
            Self::Outdated { at, changed_at, what } => format!(
                "Not proved since the upgrade of {} ({what}); the last on-site test was on {}.",
                day(*changed_at, zone),
                day(*at, zone)
            ),
        }
    }
}

/// The sentence of a week in which a test was made.
pub fn note(host: &str, event: &Event, at: Option<Timestamp>) -> Option<Note> {
    let result = event.commission.as_ref()?.in_words();
    let test = mark(event, 0, 0, None)?.test?;
    let sentence = format!("An on-site test of the recording was made on {host}{}: {result}.", people(&test));
    Some(Note::new(at, sentence))
}

/// ` (run by Jan Novak; Anna Roth was there)`, from the names that were given.
fn people(test: &Test) -> String {
    let run = test.by.as_ref().map(|by| format!("run by {by}"));
    let verb = if test.present.len() == 1 { "was" } else { "were" };
    let there = (!test.present.is_empty()).then(|| format!("{} {verb} there", list_of(&test.present)));
    let parts: Vec<String> = run.into_iter().chain(there).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn day(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%-d %B %Y").to_string()
}

fn moment(unix_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use ntk_evidence::event::CommissionWhat;
    use serde_json::{Value, json};

    use super::*;

    fn health(kernel: &str, version: &str) -> Value {
        json!({"kind": "health", "health": {"os": format!("Debian 12, kernel {kernel}"), "version": version}})
    }

    /// A test in which everything arrived but these.
    fn test(kernel: &str, without: &[CommissionWhat]) -> Value {
        let steps: Vec<Value> = CommissionWhat::all()
            .filter(|what| !without.contains(what))
            .map(|what| json!({"what": what, "outcome": "arrived"}))
            .collect();
        json!({"kind": "commission", "commission": {"id": "x", "by": "Jan Novak", "present": ["Anna Roth"],
            "os": format!("Debian 12, kernel {kernel}"), "version": "1", "steps": steps}})
    }

    /// The sentence after these entries, one a day from 1 March 2026 on.
    #[track_caller]
    fn check(entries: &[Value], expected: Expect) {
        let begin: Timestamp = "2026-03-01T15:00:00Z".parse().unwrap();
        let (mut marks, mut before) = (Vec::<Mark>::new(), None::<Facts>);
        for (number, entry) in (0u64..).zip(entries) {
            let mut entry = entry.clone();
            entry["time"] = "2026-03-01T15:00:00Z".into();
            let event: Event = serde_json::from_value(entry).unwrap();
            let day = i64::try_from(number).unwrap() * 86_400_000_000_000;
            let at = i64::try_from(begin.as_nanosecond()).unwrap() + day;
            if let Some(mark) = mark(&event, number, at, before.as_ref()) {
                before = Some(mark.facts.clone());
                marks.push(mark);
            }
        }
        let zone = TimeZone::get("America/New_York").unwrap();
        let standing = OnSite::of(&marks, i64::MAX);
        let sentence = standing.sentence(&zone);
        for word in ntk_evidence::bundle::wording::table::ACCUSING_WORDS {
            assert!(!sentence.to_lowercase().contains(word), "{word}");
        }
        expected.assert_eq(&format!("{} {sentence}", standing.is_proved()));
    }

    #[test]
    fn a_machine_is_proved_by_a_whole_test_and_by_nothing_else() {
        check(&[], expect!["false Not proved by an on-site test."]);
        check(&[health("18", "1")], expect!["false Not proved by an on-site test."]);
        check(
            &[health("18", "1"), test("18", &[]), health("18", "1")],
            expect![
                "true Proved by an on-site test on 2 March 2026 (run by Jan Novak; Anna Roth was there)."
            ],
        );
        check(
            &[health("18", "1"), test("18", &[CommissionWhat::RawDisk, CommissionWhat::Clock])],
            expect![
                "false An on-site test on 2 March 2026 (run by Jan Novak; Anna Roth was there) proved all but 2 of the ways that were tried. Proved except: raw disk, a moved clock."
            ],
        );
        let everything: Vec<_> = CommissionWhat::all().collect();
        check(&[test("18", &everything)], expect!["false Not proved by an on-site test."]);
    }

    #[test]
    fn an_upgrade_ends_the_proof_and_a_new_test_brings_it_back() {
        let upgraded = vec![
            health("6.1.0-18", "1"),
            test("6.1.0-18", &[]),
            health("6.1.0-18", "1"),
            health("6.1.0-21", "1"),
            health("6.1.0-21", "1"),
        ];
        check(
            &upgraded,
            expect![
                "false Not proved since the upgrade of 4 March 2026 (kernel 6.1.0-18 to 6.1.0-21); the last on-site test was on 2 March 2026."
            ],
        );
        check(
            &[health("18", "1"), test("18", &[]), health("18", "2")],
            expect![
                "false Not proved since the upgrade of 3 March 2026 (agent 1 to 2); the last on-site test was on 2 March 2026."
            ],
        );
        let again = [upgraded.clone(), vec![test("6.1.0-21", &[])]].concat();
        check(
            &again,
            expect![
                "true Proved by an on-site test on 6 March 2026 (run by Jan Novak; Anna Roth was there)."
            ],
        );
        let back = [upgraded.clone(), vec![health("6.1.0-18", "1")]].concat();
        check(
            &back,
            expect![
                "true Proved by an on-site test on 2 March 2026 (run by Jan Novak; Anna Roth was there)."
            ],
        );
        let away_again = [back, vec![health("6.1.0-21", "1")]].concat();
        check(
            &away_again,
            expect![
                "false Not proved since the upgrade of 7 March 2026 (kernel 6.1.0-18 to 6.1.0-21); the last on-site test was on 2 March 2026."
            ],
        );
    }

    #[test]
    fn the_week_of_a_test_tells_of_it_and_other_entries_do_not() {
        let event = |mut entry: Value| -> Event {
            entry["time"] = "2026-03-01T15:00:00Z".into();
            serde_json::from_value(entry).unwrap()
        };
        let sentence = note("ws-01", &event(test("18", &[CommissionWhat::IoUring])), None).unwrap().sentence;
        expect!["An on-site test of the recording was made on ws-01 (run by Jan Novak; Anna Roth was there): proved except: io_uring."].assert_eq(&sentence);
        assert_eq!(note("ws-01", &event(health("18", "1")), None), None);
    }

    #[test]
    fn a_test_under_another_kernel_than_the_machine_tells_of_proves_nothing_of_it() {
        check(
            &[health("18", "1"), test("17", &[]), health("18", "1")],
            expect![
                "false Not proved since the upgrade of 3 March 2026 (kernel 17 to 18); the last on-site test was on 2 March 2026."
            ],
        );
    }
}
