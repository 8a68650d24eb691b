//! When a notice goes out: pure. Signs and the time go in, notices come out.
//!
//! - In quiet hours what may wait waits ([`Kind::in_quiet_hours`]); it comes when they are over, as one notice.
//! - At most so many notices an hour; what is more waits and comes as one, with counts. A kind that was not told within
//!   the hour is told all the same: nobody buries one thing under many of another.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{InQuietHours, Kind, Notice, Sign};
use crate::config::delivery::Quiet;
use crate::need_to_know::moment;

/// The window of bundling, seconds.
const WINDOW_SECONDS: i64 = 3600;
/// How many keys are remembered as told, and how many signs may wait.
const KEYS_MAX: usize = 4096;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Signs that wait.
    #[serde(default)]
    pub waiting: Vec<Sign>,
    /// Keys of signs that were told or wait, oldest first.
    #[serde(default)]
    known: Vec<String>,
    /// Notices of the last hour.
    #[serde(default)]
    recent: Vec<Recent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    #[serde(with = "moment")]
    at: Timestamp,
    kinds: Vec<Kind>,
}

impl Plan {
    /// Takes in new signs.
    pub fn add(&mut self, signs: impl IntoIterator<Item = Sign>) {
        for sign in signs {
            if self.known.contains(&sign.key) || self.waiting.len() >= KEYS_MAX {
                continue;
            }
            self.known.push(sign.key.clone());
            self.waiting.push(sign);
        }
        let more = self.known.len().saturating_sub(KEYS_MAX);
        self.known.drain(..more);
    }

    /// The notice that goes out now, if one does.
    pub fn next(
        &mut self,
        quiet: Option<Quiet>,
        per_hour: usize,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Option<Notice> {
        self.recent.retain(|recent| {
            let age = now.duration_since(recent.at).as_secs();
            (0..WINDOW_SECONDS).contains(&age)
        });
        let is_quiet = quiet.is_some_and(|quiet| quiet.holds(now, zone));
        let is_full = self.recent.len() >= per_hour;
        let is_told = |kind: &Kind| self.recent.iter().any(|recent| recent.kinds.contains(kind));
        let goes = |sign: &Sign| {
            let waits = is_quiet && sign.kind.in_quiet_hours() == InQuietHours::Waits;
            !(waits || is_full && is_told(&sign.kind))
        };
        let (signs, waiting): (Vec<Sign>, Vec<Sign>) =
            std::mem::take(&mut self.waiting).into_iter().partition(goes);
        self.waiting = waiting;
        if signs.is_empty() {
            return None;
        }
        let mut kinds: Vec<Kind> = signs.iter().map(|sign| sign.kind).collect();
        kinds.sort();
        kinds.dedup();
        self.recent.push(Recent { at: now, kinds });
        Some(Notice { signs })
    }

    /// Up to where everything that was read is told: no leaf behind it has a sign that waits.
    pub fn settled_until(&self, read_until: u64) -> u64 {
        self.waiting.iter().map(|sign| sign.leaf).fold(read_until, u64::min)
    }
}

impl Quiet {
    /// Whether a moment lies in the quiet hours, by the clock on the wall.
    pub fn holds(self, at: Timestamp, zone: &TimeZone) -> bool {
        let time = zone.to_datetime(at).time();
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;

    const NIGHT: Option<Quiet> =
        Some(Quiet { from: Time::constant(22, 0, 0, 0), to: Time::constant(6, 30, 0, 0) });

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn sign(kind: Kind, key: &str) -> Sign {
        Sign { kind, key: key.into(), at: at("2026-11-28T00:00:00Z"), leaf: 7 }
    }

    fn keys(notice: Option<Notice>) -> Vec<String> {
        notice.map_or_else(Vec::new, |notice| notice.signs.into_iter().map(|sign| sign.key).collect())
    }

    #[test]
    fn at_night_what_may_wait_waits_and_the_rest_comes() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut plan = Plan::default();
        plan.add([sign(Kind::Silent, "s"), sign(Kind::AfterLeaving, "l"), sign(Kind::MailForward, "f")]);
        // 23:00 in New York.
        assert_eq!(keys(plan.next(NIGHT, 4, &zone, at("2026-11-28T04:00:00Z"))), ["l"]);
        assert_eq!(plan.settled_until(9), 7);
        assert_eq!(keys(plan.next(NIGHT, 4, &zone, at("2026-11-28T11:29:59Z"))), [""; 0]);
        assert_eq!(keys(plan.next(NIGHT, 4, &zone, at("2026-11-28T11:30:00Z"))), ["s", "f"]);
        assert_eq!(plan.settled_until(9), 9);
        // The night on which clocks go back: 06:29 local is 11:29 UTC then.
        assert!(NIGHT.unwrap().holds(at("2026-11-01T11:29:00Z"), &zone));
        assert!(!NIGHT.unwrap().holds(at("2026-11-01T11:30:00Z"), &zone));
        let noon = Quiet { from: Time::constant(12, 0, 0, 0), to: Time::constant(13, 0, 0, 0) };
        assert!(
            noon.holds(at("2026-11-28T17:30:00Z"), &zone) && !noon.holds(at("2026-11-28T18:00:00Z"), &zone)
        );
    }

    #[test]
    fn more_than_so_many_an_hour_come_as_one_and_bury_no_other_kind() {
        let zone = TimeZone::UTC;
        let mut plan = Plan::default();
        let minute = |n: i64| at("2026-11-28T10:00:00Z") + jiff::SignedDuration::from_mins(n);
        for n in 0..10 {
            plan.add([sign(Kind::Recording, &format!("r{n}"))]);
            let told = keys(plan.next(None, 2, &zone, minute(n)));
            assert_eq!(told.len(), usize::from(n < 2), "{n}");
        }
        plan.add([sign(Kind::Decoy, "d")]);
        assert_eq!(keys(plan.next(None, 2, &zone, minute(11))), ["d"]);
        let later = keys(plan.next(None, 2, &zone, minute(61)));
        assert_eq!(later.len(), 8, "{later:?}");
        // Told once, also when it is read again.
        plan.add([sign(Kind::Recording, "r3"), sign(Kind::Decoy, "d")]);
        assert_eq!(keys(plan.next(None, 2, &zone, minute(200))), [""; 0]);
        plan.add([sign(Kind::Decoy, "e")]);
        assert_eq!(
            keys(plan.next(None, 1, &zone, at("2026-11-20T10:00:00Z"))),
            ["e"],
            "a clock that was set back"
        );
    }
}
