//! Which column of a health-record system's log holds what: a small TOML file that the practice keeps beside its exports.
//!
//! ```toml
//! time = "Access Time"              # required
//! time_format = "%m/%d/%Y %H:%M:%S" # where it is not RFC 3339 or the American form; jiff's letters
//! timezone = "America/New_York"     # where the times bear none; UTC otherwise
//! user = "User ID"                  # required: the account in the health-record system
//! patient = "Patient ID"
//! action = "Event"
//! what = "Screen"
//! from = "Workstation"
//! outcome = "Result"
//! id = "Audit ID"                   # where each line has one: then nothing is ever doubled
//!
//! [actions]                         # words of the column `action` that mean something else than they say
//! "Chart Review" = "read"
//! "Login" = "login"
//! "Heartbeat" = "noise"
//! ```

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ntk_evidence::event::{Action, Kind, Outcome};
use serde::Deserialize;

use super::{Access, action_of, short};
use crate::import::{Found, m365};

/// The largest map, bytes.
pub const MAP_BYTES_MAX: usize = 64 << 10;

/// Rule: a word that the map says is noise.
const NOISE: &str = "words that the map calls noise";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    time: String,
    user: String,
    #[serde(default)]
    time_format: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    #[serde(default)]
    patient: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    what: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    actions: BTreeMap<String, Word>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Read,
    Write,
    Create,
    Delete,
    List,
    Login,
    Logout,
    Noise,
}

/// A map that was read.
#[derive(Clone, Debug)]
pub struct Map {
    raw: Raw,
    zone: TimeZone,
}

/// A map that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Not TOML of this form.
    #[error("the map of columns cannot be read: {0}")]
    Form(String),
    /// No such zone.
    #[error(
        "the map of columns names the time zone `{0}`, which there is not; use one such as America/New_York"
    )]
    Zone(String),
    /// Too long.
    #[error("the map of columns is larger than 64 KiB")]
    TooLarge,
}

impl Map {
    /// Reads a map.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > MAP_BYTES_MAX {
            return Err(MapError::TooLarge);
        }
        let raw: Raw = toml::from_str(text).map_err(|error| MapError::Form(error.message().to_owned()))?;
        let zone = match &raw.timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| MapError::Zone(name.clone()))?,
        };
        Ok(Self { raw, zone })
    }

    /// Columns that it names and the file does not have.
    pub(super) fn missing(&self, columns: &[String]) -> Vec<String> {
        let raw = &self.raw;
        let named = [&raw.patient, &raw.action, &raw.what, &raw.from, &raw.outcome, &raw.id];
        let named = [&raw.time, &raw.user].into_iter().chain(named.into_iter().flatten());
        let is_missing = |name: &&String| !columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        named.filter(is_missing).cloned().collect()
    }

    pub(super) fn read(&self, cells: &[(String, String)]) -> Found {
        let raw = &self.raw;
        let cell = |name: &Option<String>| {
            let found = cells.iter().find(|(own, _)| {
                Some(own.as_str())
                    .zip(name.as_deref())
                    .is_some_and(|(own, name)| own.eq_ignore_ascii_case(name))
            });
            short(&found?.1, 200)
        };
        let word = cell(&raw.action);
        let mapped = word.as_ref().and_then(|word| {
            raw.actions.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map(|(_, means)| *means)
        });
        if mapped == Some(Word::Noise) {
            return Found::Noise(NOISE);
        }
        let (kind, action) = match mapped {
            Some(Word::Login) => (Kind::Login, None),
            Some(Word::Logout) => (Kind::Logout, None),
            Some(Word::Read) => (Kind::FileAccess, Some(Action::Read)),
            Some(Word::Write) => (Kind::FileAccess, Some(Action::Write)),
            Some(Word::Create) => (Kind::FileAccess, Some(Action::Create)),
            Some(Word::Delete) => (Kind::FileAccess, Some(Action::Delete)),
            Some(Word::List) => (Kind::FileAccess, Some(Action::List)),
            Some(Word::Noise) | None => (Kind::FileAccess, word.as_deref().and_then(action_of)),
        };
        Access {
            id: cell(&raw.id),
            time: cell(&Some(raw.time.clone())).and_then(|text| self.moment(&text)),
            user: cell(&Some(raw.user.clone())),
            from: cell(&raw.from),
            action,
            kind: Some(kind),
            outcome: cell(&raw.outcome).map(|word| outcome(&word)),
            patient: cell(&raw.patient),
            what: cell(&raw.what),
            operation: word,
        }
        .found()
    }

    fn moment(&self, text: &str) -> Option<Timestamp> {
        if let Some(form) = &self.raw.time_format {
            let there = DateTime::strptime(form, text).ok()?;
            return self.zone.to_timestamp(there).ok();
        }
        match text.parse::<Timestamp>() {
            Ok(at) => Some(at),
            Err(_) => self.zone.to_timestamp(m365::civil(text)?).ok(),
        }
    }
}

fn outcome(word: &str) -> Outcome {
    let word = word.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    match () {
        () if has(&["den", "refus", "block", "unauth"]) => Outcome::Denied,
        () if has(&["fail", "error", "abort"]) => Outcome::Failed,
        () => Outcome::Success,
    }
}
