//! Roll-ups: what a few thousand entries come to, kept, so that a review of nine weeks need not read and decide each of
//! them again. Working memory over the segments, as everything in the store: it may be deleted and is made again.
//!
//! A roll-up covers a run of leaves. Entries of a day's work that differ in nothing that a review counts (author, account,
//! program, kind of asset, decision) and lie in the same half hour are one [`Row`] with their number; all others, and every
//! act, stand by themselves. Of a row's own entries the first and the last are named; single paths, sessions and process
//! numbers are not in it. Whoever needs those reads the ledger.
//!
//! What is made here is fed to the same code as the entries themselves ([`Rolled`]), and a test holds the two to the same
//! review. Half hours, because no practice's zone, no weekday and no hour of a table begins within one; the decisions in it
//! are those of each entry's own time.

mod maker;
mod read;

use std::collections::BTreeMap;
use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use ntk_evidence::event::{Event, Health, Kind};
use serde::{Deserialize, Serialize};

use crate::follow::answer::Seen;
use crate::need_to_know::{Access, Decision};
use crate::protected::common;

pub use maker::Maker;
pub(crate) use read::put_right;

/// A roll-up covers so many entries, and the rest of its last batch: few enough that the entries after the last one are
/// read in a moment.
pub const ENTRIES: u64 = 4096;
/// Goes up when a row says something else than before.
const FORM: u32 = 1;
const HALF_HOUR_S: i64 = 1_800;

/// Which leaves a roll-up covers, which time its entries claim, and by which program it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// First leaf.
    pub first: u64,
    /// First leaf after it.
    pub end: u64,
    /// Earliest time of an entry, as claimed, nanoseconds since 1970.
    pub from_unix_ns: i64,
    /// Latest.
    pub to_unix_ns: i64,
    /// Form, version of the program and zone: decisions of another version may be others.
    pub made_by: String,
}

/// What is written into [`Cover::made_by`] now.
pub(crate) fn made_by(zone: &TimeZone) -> String {
    format!("{FORM} {} {}", env!("CARGO_PKG_VERSION"), zone.iana_name().unwrap_or_default())
}

/// What the entries of a run of leaves come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rollup {
    /// JSON of a [`Subject`] each: they come again and again, so a reader parses each text once.
    subjects: Vec<String>,
    rows: Vec<Row>,
}

/// What the entries of a row have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Subject {
    author: String,
    host: String,
    event: Event,
    decision: Decision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
}

/// One entry, or several of one half hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// Which subject.
    #[serde(rename = "s")]
    subject: usize,
    /// Leaf and number of the first entry.
    #[serde(rename = "f")]
    first: (u64, u64),
    /// Entries.
    #[serde(rename = "n")]
    entries: u64,
    /// Accesses, where an entry counts them or there are several.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Earliest time, as claimed.
    #[serde(rename = "t")]
    time: String,
    /// Latest time, where that is another.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// Leaf, number and time of the last entry, where there are several.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    end: Option<(u64, u64, String)>,
    /// The folder that holds everything that was touched.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    /// Of a health entry: seconds since boot, and how far the clock was ahead.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    beat: Option<(Option<u64>, Option<i64>)>,
    /// When the batch was received, where the claimed time cannot be read.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    received_unix_ns: Option<i64>,
}

/// One entry, or a row of several, as reviews take it in.
#[derive(Clone, Copy, Debug)]
pub struct Rolled<'a> {
    /// As need-to-know sees it; [`Access::entries`] of them.
    pub access: &'a Access<'a>,
    /// The event; of several entries what they have in common, with their count and the earliest and latest time.
    pub event: &'a Event,
    /// The decision, the same for all of them.
    pub decision: &'a Decision,
    /// Leaf of the first.
    pub leaf: u64,
    /// Leaf, number and claimed time of the last.
    pub last: (u64, u64, &'a str),
    /// The claimed time, or that of receipt where it cannot be read: nanoseconds since 1970.
    pub at_unix_ns: i64,
}

impl<'a> From<&Seen<'a>> for Rolled<'a> {
    fn from(seen: &Seen<'a>) -> Self {
        let leaf = seen.record.leaf;
        Self {
            access: seen.access,
            event: seen.event,
            decision: seen.decision,
            leaf,
            last: (leaf, seen.access.number, &seen.event.time),
            at_unix_ns: claimed(seen.access).unwrap_or(seen.record.received_unix_ns),
        }
    }
}

fn claimed(access: &Access<'_>) -> Option<i64> {
    i64::try_from(access.local?.at.as_nanosecond()).ok()
}

/// A half hour: of the world's clock, and of the one on the practice's wall, so that the hour that comes twice a year is two.
type HalfHour = (i64, Date, u16);

/// A roll-up in the making.
#[derive(Debug, Default)]
pub(crate) struct Making {
    rollup: Rollup,
    numbers: HashMap<String, usize>,
    open: BTreeMap<(usize, HalfHour), Open>,
}

/// A row that grows.
#[derive(Debug)]
struct Open {
    row: usize,
    from: Timestamp,
    to: Timestamp,
}

impl Making {
    /// Takes in one entry, in the order of the log.
    pub(crate) fn add(&mut self, seen: &Seen<'_>) -> Result<(), serde_json::Error> {
        let half_hour = half_hour_of(seen);
        let mut event = match half_hour {
            Some(_) => common_of(seen.event),
            None => seen.event.clone(),
        };
        (event.time, event.last, event.count) = (String::new(), None, None);
        let beat = event.health.as_mut().map(|health| {
            let beat = (health.uptime_s.take(), health.clock_ahead_ms.take());
            **health = Health {
                reason: health.reason.take(),
                boot_id: health.boot_id.take(),
                cannot_see: std::mem::take(&mut health.cannot_see),
                other: std::mem::take(&mut health.other),
                ..Health::default()
            };
            beat
        });
        let subject = Subject {
            author: seen.access.author.to_owned(),
            host: seen.access.host.to_owned(),
            event,
            decision: seen.decision.clone(),
            tool: seen.access.remote_tool.map(ToOwned::to_owned),
        };
        let text = serde_json::to_string(&subject)?;
        let number = self.numbers.get(&text).copied().unwrap_or_else(|| {
            let number = self.rollup.subjects.len();
            self.rollup.subjects.push(text.clone());
            self.numbers.insert(text, number);
            number
        });
        let (leaf, entry) = (seen.record.leaf, seen.access.number);
        let folder = half_hour.and_then(|_| folder_of(seen.event));
        if let Some(open) = half_hour.and_then(|half_hour| self.open.get_mut(&(number, half_hour)))
            && let Some(row) = self.rollup.rows.get_mut(open.row)
        {
            row.grow(open, seen, folder);
            return Ok(());
        }
        if let (Some(half_hour), Some(from)) = (half_hour, seen.access.local) {
            let open = Open {
                row: self.rollup.rows.len(),
                from: from.at,
                to: seen.access.last().unwrap_or(from.at),
            };
            self.open.insert((number, half_hour), open);
        }
        self.rollup.rows.push(Row {
            subject: number,
            first: (leaf, entry),
            entries: 1,
            count: seen.event.count,
            time: seen.event.time.clone(),
            last: seen.event.last.clone(),
            end: None,
            folder,
            beat,
            received_unix_ns: claimed(seen.access).is_none().then_some(seen.record.received_unix_ns),
        });
        Ok(())
    }

    /// What was made.
    pub(crate) fn finish(self) -> Rollup {
        self.rollup
    }
}

impl Row {
    fn grow(&mut self, open: &mut Open, seen: &Seen<'_>, folder: Option<String>) {
        let before = self.count.unwrap_or(1).max(1);
        self.entries = self.entries.saturating_add(1);
        self.count = Some(before.saturating_add(seen.access.n_accesses()));
        self.end = Some((seen.record.leaf, seen.access.number, seen.event.time.clone()));
        self.folder = match (self.folder.take(), folder) {
            (Some(one), Some(other)) => Some(common(&one, &other)),
            (one, other) => one.or(other),
        };
        let last = self.last.take().unwrap_or_else(|| self.time.clone());
        let (from, to) = (seen.access.local.map(|local| local.at), seen.access.last());
        self.last = Some(if to.is_some_and(|to| to > open.to) {
            seen.event.last.clone().filter(|_| to > from).unwrap_or_else(|| seen.event.time.clone())
        } else {
            last
        });
        open.to = open.to.max(to.unwrap_or(open.to));
        if let Some(from) = from.filter(|from| *from < open.from) {
            (open.from, self.time) = (from, seen.event.time.clone());
        }
    }
}

impl Rollup {
    /// Gives each row, in the order of the first entries. `known` keeps what was parsed, for the next roll-up.
    pub(crate) fn each(
        &self,
        known: &mut Known,
        zone: &TimeZone,
        mut each: impl FnMut(Rolled<'_>),
    ) -> Result<(), serde_json::Error> {
        let places = known.places_of(&self.subjects)?;
        for row in &self.rows {
            let subject = places.get(row.subject).and_then(|place| known.subjects.get_mut(*place));
            let Some(Subject { author, host, event, decision, tool }) = subject else { continue };
            event.time.clone_from(&row.time);
            event.last.clone_from(&row.last);
            event.count = row.count;
            if let (Some((uptime_s, ahead_ms)), Some(health)) = (row.beat, &mut event.health) {
                (health.uptime_s, health.clock_ahead_ms) = (uptime_s, ahead_ms);
            }
            if let (Some(folder), Some(object)) = (&row.folder, &mut event.object) {
                object.path = Some(format!("{folder}/"));
            }
            let (leaf, number) = row.first;
            let mut access = Access::new(author, host, number, event, zone);
            access.remote_tool = tool.as_deref();
            access.entries = row.entries;
            let last = row.end.as_ref().map_or((leaf, number, row.time.as_str()), |(leaf, number, time)| {
                (*leaf, *number, time.as_str())
            });
            let at_unix_ns = row.received_unix_ns.or_else(|| claimed(&access)).unwrap_or_default();
            each(Rolled { access: &access, event, decision, leaf, last, at_unix_ns });
        }
        Ok(())
    }
}

/// Subjects that were parsed: the same ones come in most roll-ups.
#[derive(Debug, Default)]
pub(crate) struct Known {
    by_text: HashMap<String, usize>,
    subjects: Vec<Subject>,
}

/// So many parsed subjects are kept; a practice has some hundreds.
const KNOWN_MAX: usize = 8_192;

impl Known {
    fn places_of(&mut self, texts: &[String]) -> Result<Vec<usize>, serde_json::Error> {
        if self.subjects.len() >= KNOWN_MAX {
            *self = Self::default();
        }
        let mut places = Vec::with_capacity(texts.len());
        for text in texts {
            let place = match self.by_text.get(text) {
                Some(place) => *place,
                None => {
                    let place = self.subjects.len();
                    self.subjects.push(serde_json::from_str(text)?);
                    self.by_text.insert(text.clone(), place);
                    place
                }
            };
            places.push(place);
        }
        Ok(places)
    }
}

/// The half hour in which an entry lies with everything that it stands for; none for what stands by itself.
fn half_hour_of(seen: &Seen<'_>) -> Option<HalfHour> {
    let is_work = matches!(
        seen.event.kind,
        Kind::FileAccess | Kind::ProcessStart | Kind::Login | Kind::Logout | Kind::Elevation
    );
    let local = seen.access.local.filter(|_| is_work)?;
    let of = |at: Timestamp| at.as_second().div_euclid(HALF_HOUR_S);
    let half_hour = of(local.at);
    let is_within = seen.access.last().is_none_or(|last| of(last) == half_hour);
    is_within.then_some((half_hour, local.date, local.minute / 30))
}

/// An event without what tells one access of a day's work from the next.
fn common_of(event: &Event) -> Event {
    let mut event = event.clone();
    if let Some(actor) = &mut event.actor {
        actor.session = None;
        actor.candidates.clear();
    }
    if let Some(process) = &mut event.process {
        (process.pid, process.command) = (None, None);
        process.ancestors.clear();
    }
    if let Some(object) = &mut event.object {
        (object.path, object.to) = (None, None);
    }
    if let Some(source) = &mut event.source {
        source.record = None;
    }
    event
}

fn folder_of(event: &Event) -> Option<String> {
    let path = event.object.as_ref()?.path.as_deref()?;
    Some(path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned())
}

#[cfg(test)]
mod tests;
