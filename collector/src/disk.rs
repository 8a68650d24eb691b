//! How long the disk below the collector's folder lasts at the present growth.
//!
//! What is free is looked at once an hour and kept in `disk.json` (working memory: where it is deleted, a day passes before
//! there is a forecast again). [`forecast`] and [`step`] are pure. What is foreseen becomes an act ([`act::kind::DISK`]): at
//! 30 and 7 days, which is a notice and an alarm of the review; when that is over; and once a week, so that each review
//! has it.
//!
//! The free space itself is followed, not the ledger's size: what fills a disk may be something else.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::App;
use crate::home::{Home, HomeError, write_file};
use crate::turns::every;

const FILE: &str = "disk.json";
const DAY: i64 = 24 * 3600;
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// Growth is that of so many seconds.
const KEPT: i64 = 14 * DAY;
/// A disk that lasts no longer than so many days is told, at each once.
const TOLD_AT: [u64; 2] = [7, 30];
/// It is over where the disk lasts so many days again: nobody should be told each day anew.
const OVER_AT: u64 = 45;
/// The figure becomes an act after so many seconds without one.
const SAID_EVERY: i64 = 7 * DAY;

/// What was free at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Unix seconds.
    pub at: i64,
    /// Bytes that the collector may still write.
    pub free: u64,
    /// Size of the file system, bytes.
    pub total: u64,
}

/// How long a disk lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Bytes free now.
    pub free_bytes: u64,
    /// Size of the file system, bytes.
    pub total_bytes: u64,
    /// How many bytes a day it fills by; none before a day has passed, 0 where it does not fill.
    pub per_day_bytes: Option<u64>,
    /// Whole days until it is full; none where that is not known or it does not fill.
    pub days: Option<u64>,
}

/// What acts say of the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// When it was said last, RFC 3339.
    pub said: String,
    /// Within how many days it was said to be full, where that is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_days: Option<u64>,
}

impl Recorded {
    /// Takes in the body of an [`act::kind::DISK`].
    pub fn apply(&mut self, time: &str, body: &Value) {
        *self = Self { said: time.to_owned(), within_days: body.get("within_days").and_then(Value::as_u64) };
    }
}

/// Takes in what is free now: drops what is too old, and everything from before somebody made room.
pub fn take_in(seen: &mut Vec<Seen>, now: Seen) {
    let made_room = |before: &Seen| now.free > before.free.saturating_add(now.total / 100);
    if seen.last().is_some_and(|last| made_room(last) || last.total != now.total || last.at > now.at) {
        seen.clear();
    }
    seen.retain(|seen| now.at.saturating_sub(seen.at) <= KEPT);
    seen.push(now);
}

/// How long the disk lasts, from what was seen, in order of time; none where nothing was.
pub fn forecast(seen: &[Seen]) -> Option<Forecast> {
    let (first, last) = (seen.first()?, seen.last()?);
    let seconds = u128::try_from(last.at.saturating_sub(first.at)).unwrap_or(0);
    let day = u128::from(DAY.unsigned_abs());
    let less = u128::from(first.free.saturating_sub(last.free));
    let per_day = (seconds >= day).then(|| less.saturating_mul(day).checked_div(seconds)).flatten();
    let days = per_day.and_then(|per_day| u128::from(last.free).checked_div(per_day));
    let number = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
    Some(Forecast {
        free_bytes: last.free,
        total_bytes: last.total,
        per_day_bytes: per_day.map(number),
        days: days.map(number),
    })
}

/// The act that is due, if one is.
pub fn step(forecast: &Forecast, recorded: Option<&Recorded>, now: Moment) -> Option<Event> {
    let told = recorded.and_then(|recorded| recorded.within_days);
    let within = forecast.days.and_then(|days| TOLD_AT.into_iter().find(|within| days <= *within));
    let is_known = forecast.per_day_bytes.is_some();
    let is_over = is_known && forecast.days.is_none_or(|days| days >= OVER_AT);
    let (is_due, in_force) = match (told, within) {
        (Some(told), Some(within)) if within < told => (true, Some(within)),
        (None, Some(within)) => (true, Some(within)),
        (Some(_), _) if is_over => (true, None),
        (told, _) => {
            let said = recorded.and_then(|recorded| Moment::parse(&recorded.said));
            (is_known && said.is_none_or(|said| said.plus_seconds(SAID_EVERY) <= now), told)
        }
    };
    is_due.then(|| {
        let step = if in_force.is_some() && in_force != told { "runs_out" } else { "seen" };
        let body = json!({
            "step": step, "within_days": in_force, "days": forecast.days,
            "free_bytes": forecast.free_bytes, "per_day_bytes": forecast.per_day_bytes,
        });
        act::event(act::kind::DISK, now.to_rfc3339(3), body)
    })
}

/// What an act says, or `status`: one sentence, its figures rounded down.
pub fn sentence(free_bytes: u64, per_day_bytes: Option<u64>, days: Option<u64>) -> String {
    let free = size(free_bytes);
    match (per_day_bytes, days) {
        (Some(per_day), Some(days)) => format!(
            "The collector's disk has {free} free and fills by {} a day: at that growth it lasts {days} days",
            size(per_day)
        ),
        (Some(_), None) => format!("The collector's disk has {free} free and does not fill"),
        (None, _) => {
            format!("The collector's disk has {free} free; how long it lasts is known after a day")
        }
    }
}

/// The sentence of an act's body.
pub fn sentence_of(body: &Value) -> String {
    let number = |key: &str| body.get(key).and_then(Value::as_u64);
    sentence(number("free_bytes").unwrap_or(0), number("per_day_bytes"), number("days"))
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (unit, name) in UNITS {
        if let (Some(whole @ 1..), Some(tenth)) =
            (bytes.checked_div(unit), (bytes % unit).checked_div(unit / 10))
        {
            return format!("{whole}.{tenth} {name}");
        }
    }
    format!("{bytes} bytes")
}

/// What was seen of the disk, for any thread.
#[derive(Clone, Debug)]
pub struct Disk {
    home: Home,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Disk {
    /// With what was seen before; with nothing where that cannot be read.
    pub fn open(home: &Home) -> Self {
        let bytes = std::fs::read(home.path(FILE)).unwrap_or_default();
        let seen = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { home: home.clone(), seen: Arc::new(Mutex::new(seen)) }
    }

    /// How long it lasts, with what is free at this moment; none where the system does not tell.
    pub fn forecast(&self, now: Moment) -> Option<Forecast> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        take_in(&mut seen, look(&self.home, now)?);
        forecast(&seen)
    }

    /// Looks, and writes down what was seen.
    fn look(&self, now: Moment) -> Result<Option<Forecast>, HomeError> {
        let Some(now) = look(&self.home, now) else { return Ok(None) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        take_in(&mut seen, now);
        write_file(&self.home.path(FILE), &serde_json::to_vec(&*seen).unwrap_or_default(), 0o600)?;
        Ok(forecast(&seen))
    }
}

#[cfg(unix)]
fn look(home: &Home, now: Moment) -> Option<Seen> {
    let found = rustix::fs::statvfs(home.dir()).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Seen { at: now.unix_seconds(), free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

/// On Windows nothing is told yet.
#[cfg(not(unix))]
fn look(_home: &Home, _now: Moment) -> Option<Seen> {
    None
}

/// Looks once an hour, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let (disk, now) = (app.disk.clone(), app.ledger.clock().now());
        let looked = tokio::task::spawn_blocking(move || disk.look(now)).await;
        let forecast = match looked {
            Ok(Ok(Some(forecast))) => forecast,
            Ok(Ok(None)) | Err(_) => continue,
            Ok(Err(failure)) => {
                warn!(reason = %crate::error_chain(&failure), "what is free on the disk could not be kept");
                continue;
            }
        };
        let recorded = app.ledger.published().registry.disk.clone();
        let Some(due) = step(&forecast, recorded.as_ref(), now) else { continue };
        if let Err(failure) = app.ledger.act(vec![due]).await {
            warn!(reason = %crate::error_chain(&failure), "how long the disk lasts is not in the ledger");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn at(day: i64, free_gb: u64) -> Seen {
        Seen { at: day * DAY, free: free_gb * GB, total: 1000 * GB }
    }

    fn seen(all: &[Seen]) -> Vec<Seen> {
        let mut seen = Vec::new();
        all.iter().for_each(|now| take_in(&mut seen, *now));
        seen
    }

    fn days(all: &[Seen]) -> Option<u64> {
        forecast(&seen(all)).and_then(|forecast| forecast.days)
    }

    #[test]
    fn a_disk_lasts_as_long_as_its_free_space_at_the_growth_of_the_last_two_weeks() {
        assert_eq!(forecast(&[]), None);
        let first = forecast(&seen(&[at(0, 500)])).unwrap();
        assert_eq!((first.per_day_bytes, first.days), (None, None), "one look is no growth");
        assert_eq!(days(&[at(0, 500), at(1, 490)]), Some(49));
        assert_eq!(days(&[at(0, 500), at(1, 500)]), None, "it does not fill");
        assert_eq!(
            days(&[at(0, 900), at(100, 100), at(101, 90)]),
            Some(9),
            "what is long ago is not counted"
        );
        assert_eq!(days(&[at(0, 100), at(1, 90), at(2, 0)]), Some(0), "full");
    }

    #[test]
    fn growth_is_counted_anew_where_somebody_made_room_changed_the_disk_or_turned_the_clock_back() {
        assert_eq!(days(&[at(0, 100), at(1, 90), at(2, 500), at(3, 490)]), Some(49));
        assert_eq!(days(&[at(0, 100), at(1, 90), Seen { total: 5000 * GB, ..at(2, 90) }]), None);
        assert_eq!(days(&[at(9, 100), at(3, 90)]), None);
        assert_eq!(days(&[at(0, 100), at(1, 90), at(2, 91), at(3, 85)]), Some(17), "a little is no room");
    }

    #[test]
    fn it_is_told_at_thirty_and_at_seven_days_once_each_and_when_it_is_over_and_once_a_week() {
        let foreseen = |days: Option<u64>| Forecast {
            free_bytes: 10 * GB,
            total_bytes: 1000 * GB,
            per_day_bytes: Some(days.map_or(0, |_| GB)),
            days,
        };
        let mut recorded: Option<Recorded> = None;
        let mut said = Vec::new();
        for (day, days) in [
            (0, Some(100)),
            (1, Some(99)),
            (2, Some(30)),
            (3, Some(31)),
            (4, Some(29)),
            (5, Some(7)),
            (6, Some(8)),
            (7, Some(2)),
            (8, Some(44)),
            (9, Some(45)),
            (10, None),
            (16, None),
            (17, Some(6)),
        ] {
            let now = Moment::from_unix_seconds(1_795_806_000 + day * DAY).unwrap();
            let Some(event) = step(&foreseen(days), recorded.as_ref(), now) else { continue };
            let body = act::body(&event).unwrap();
            recorded.get_or_insert_default().apply(&event.time, body);
            said.push((day, body["step"].as_str().unwrap().to_owned(), body["within_days"].as_u64()));
        }
        let expected = [
            (0, "seen", None),
            (2, "runs_out", Some(30)),
            (5, "runs_out", Some(7)),
            (9, "seen", None),
            (16, "seen", None),
            (17, "runs_out", Some(7)),
        ];
        assert_eq!(said, expected.map(|(day, step, within)| (day, step.to_owned(), within)));
        let unknown = Forecast { per_day_bytes: None, ..foreseen(None) };
        assert_eq!(step(&unknown, None, Moment::from_unix_seconds(0).unwrap()), None, "nothing is known yet");
    }

    #[test]
    fn the_sentence_has_what_is_free_the_growth_and_the_days() {
        assert_eq!(
            sentence(27_450_000_000, Some(910_000_000), Some(30)),
            "The collector's disk has 27.4 GB free and fills by 910.0 MB a day: at that growth it lasts 30 days"
        );
        assert_eq!(sentence(900, Some(0), None), "The collector's disk has 900 bytes free and does not fill");
        assert!(sentence(1, None, None).ends_with("known after a day"));
    }

    #[cfg(unix)]
    #[test]
    fn what_was_seen_is_kept_and_a_file_that_cannot_be_read_is_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        let now = Moment::from_unix_seconds(1_795_806_000).unwrap();
        let found = Disk::open(&home).look(now).unwrap().unwrap();
        assert!(found.total_bytes > 0 && found.days.is_none());
        let later = Disk::open(&home).forecast(now.plus_seconds(DAY)).unwrap();
        assert!(later.per_day_bytes.is_some(), "{later:?}");
        std::fs::write(home.path(FILE), "{").unwrap();
        assert_eq!(Disk::open(&home).forecast(now).unwrap().per_day_bytes, None);
    }
}
