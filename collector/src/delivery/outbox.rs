//! What waits to be sent: a file for each message and addressee, `private/outbox-<id>.json`, written whole and synced.
//!
//! # Crashes
//! - before the file: nothing was queued, and whoever asked queues the same id again;
//! - after it, before the act: it is sent, and the same id is not queued twice;
//! - after a server's yes: see DL-2.
//!
//! A failed write leaves either file or none; both are one of the above.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use super::{Attempted, What};
use crate::home::{Home, HomeError, sync_folder};

/// Beginning of every file's name.
const PREFIX: &str = "outbox-";
/// The most messages that wait: some hundred times what an ordinary week brings. More are refused, with an act's words.
pub const ITEMS_MAX: usize = 1000;
/// First wait after a failure, and the longest, seconds.
const WAIT_SECONDS: (i64, i64) = (30, 6 * 3600);
/// The same for notices, which should not wait.
const NOTICE_WAIT_SECONDS: (i64, i64) = (15, 1800);
/// Tried for so long, seconds: reviews for ten days, the rest for three.
const REPORT_SECONDS: i64 = 10 * 86_400;
const OTHER_SECONDS: i64 = 3 * 86_400;

/// How a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Way {
    /// By mail to this address.
    Mail {
        /// The address.
        to: String,
    },
    /// To the gateway in the configuration.
    Webhook,
    /// To the topic in the configuration.
    Ntfy,
    /// Into the folder in the configuration.
    Folder,
}

impl Way {
    /// Which loop sends it.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Mail { .. } => Channel::Mail,
            Self::Webhook => Channel::Webhook,
            Self::Ntfy => Channel::Ntfy,
            Self::Folder => Channel::Folder,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail { to } => write!(formatter, "mail to {to}"),
            Self::Webhook => write!(formatter, "webhook"),
            Self::Ntfy => write!(formatter, "ntfy"),
            Self::Folder => write!(formatter, "folder"),
        }
    }
}

/// One of the ways out; each has a loop of its own, so that one that hangs holds up no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Mail.
    Mail,
    /// A gateway.
    Webhook,
    /// A topic.
    Ntfy,
    /// A folder.
    Folder,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mail, Self::Webhook, Self::Ntfy, Self::Folder];
}

/// A file that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Its name.
    pub name: String,
    /// Its bytes, base64.
    pub base64: String,
}

impl Attached {
    /// For these bytes.
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), base64: STANDARD.encode(bytes) }
    }

    /// The bytes; empty where the text is not what [`Attached::new`] wrote.
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.base64).unwrap_or_default()
    }
}

/// A message for one addressee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Letters, digits and `-`: name of the file, and the Message-ID.
    pub id: String,
    /// About what.
    pub what: What,
    /// Of a review: its week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<String>,
    /// How it goes.
    pub way: Way,
    /// One line.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The same in HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Attached>,
    /// When it was queued, RFC 3339.
    pub queued: String,
    /// How often it was tried in vain.
    #[serde(default)]
    pub attempts: u32,
    /// Not before this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When somebody's server took it, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
}

/// What a failed attempt comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is tried again.
    Again,
    /// It is not.
    GiveUp,
}

impl Item {
    /// What an act says of it.
    pub fn attempted(&self, reason: Option<String>) -> Attempted {
        let (id, way) = (self.id.clone(), self.way.to_string());
        Attempted { id, what: self.what, way, week: self.week.clone(), reason }
    }

    /// Whether it is to be tried now. A clock that was set back makes nothing wait for a time that was ahead.
    pub fn is_due(&self, now: Moment) -> bool {
        let next = self.next.as_deref().and_then(Moment::parse);
        self.taken.is_none()
            && next.is_none_or(|next| next <= now || now.plus_seconds(WAIT_SECONDS.1 * 2) < next)
    }

    /// Counts a failure; `jitter` moves the next attempt by up to a fifth, so that many collectors do not come at once.
    pub fn failed(&mut self, now: Moment, jitter: u8) -> AfterFailure {
        let queued = Moment::parse(&self.queued).unwrap_or(now);
        let (first, longest) = if self.what == What::Notice { NOTICE_WAIT_SECONDS } else { WAIT_SECONDS };
        let tried_for = if self.what == What::Report { REPORT_SECONDS } else { OTHER_SECONDS };
        let doubled =
            first.saturating_mul(1i64.checked_shl(self.attempts.min(20)).unwrap_or(i64::MAX)).min(longest);
        let moved = doubled.saturating_mul(i64::from(jitter).saturating_sub(128)) / 640;
        self.attempts = self.attempts.saturating_add(1);
        self.next = Some(now.plus_seconds(doubled.saturating_add(moved).max(1)).to_rfc3339(0));
        if queued.plus_seconds(tried_for) <= now { AfterFailure::GiveUp } else { AfterFailure::Again }
    }
}

/// Where the files are.
pub trait Place: fmt::Debug + Send + Sync {
    /// Writes one whole and durably.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError>;
    /// Removes one; one that is not there is removed.
    fn remove(&self, name: &str) -> Result<(), HomeError>;
    /// Names of all.
    fn names(&self) -> Result<Vec<String>, HomeError>;
    /// What one holds; none where it cannot be read.
    fn read(&self, name: &str) -> Option<String>;
}

impl Place for Home {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        self.write_secret(name, bytes)
    }

    fn remove(&self, name: &str) -> Result<(), HomeError> {
        let path = self.private(name);
        let failed = |source| HomeError::Write { path: path.clone(), source };
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => sync_folder(&path).map_err(failed),
        }
    }

    fn names(&self) -> Result<Vec<String>, HomeError> {
        let folder = self.path("private");
        let entries =
            std::fs::read_dir(&folder).map_err(|source| HomeError::Read { path: folder, source })?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with(PREFIX) && name.ends_with(".json")).collect())
    }

    fn read(&self, name: &str) -> Option<String> {
        self.read_secret(name).ok()
    }
}

/// All that waits.
#[derive(Debug)]
pub struct Outbox {
    place: Box<dyn Place>,
    items: Mutex<BTreeMap<String, Item>>,
}

impl Outbox {
    /// What the place holds. A file that is no message is left where it is and counted.
    pub fn open(place: Box<dyn Place>) -> Result<(Self, usize), HomeError> {
        let all = place.names()?;
        let items = all.iter().filter_map(|name| {
            let item = serde_json::from_str::<Item>(&place.read(name)?).ok()?;
            (file(&item.id) == *name).then_some(item)
        });
        let items: BTreeMap<String, Item> = items.map(|item| (item.id.clone(), item)).collect();
        let n_odd = all.len().saturating_sub(items.len());
        Ok((Self { place, items: Mutex::new(items) }, n_odd))
    }

    /// Queues a message, durably when this comes back; one of the same id is there already and stays. False where the
    /// outbox is full.
    pub fn queue(&self, item: Item) -> Result<bool, HomeError> {
        let mut items = self.items();
        if items.contains_key(&item.id) {
            return Ok(true);
        }
        if items.len() >= ITEMS_MAX {
            return Ok(false);
        }
        self.write(&item)?;
        items.insert(item.id.clone(), item);
        Ok(true)
    }

    /// What is to be tried now on a channel.
    pub fn due(&self, channel: Channel, now: Moment) -> Vec<Item> {
        let items = self.items();
        items.values().filter(|item| item.way.channel() == channel && item.is_due(now)).cloned().collect()
    }

    /// Messages that a server has taken and that are not removed yet.
    pub fn taken(&self) -> Vec<Item> {
        self.items().values().filter(|item| item.taken.is_some()).cloned().collect()
    }

    /// Whether a message is here.
    pub fn holds(&self, id: &str) -> bool {
        self.items().contains_key(id)
    }

    /// How many wait.
    pub fn n_waiting(&self) -> usize {
        self.items().values().filter(|item| item.taken.is_none()).count()
    }

    /// A server took it: from now on it is not sent again, also where the mark cannot be written.
    pub fn mark_taken(&self, id: &str, now: Moment) -> Result<(), HomeError> {
        let mut items = self.items();
        let Some(item) = items.get_mut(id) else { return Ok(()) };
        item.taken = Some(now.to_rfc3339(0));
        self.write(item)
    }

    /// An attempt failed. The wait holds also where it cannot be written.
    pub fn mark_failed(&self, id: &str, now: Moment, jitter: u8) -> (AfterFailure, Result<(), HomeError>) {
        let mut items = self.items();
        let Some(item) = items.get_mut(id) else { return (AfterFailure::Again, Ok(())) };
        let after = item.failed(now, jitter);
        let written = self.write(item);
        (after, written)
    }

    /// Removes a message whose end is an act.
    pub fn remove(&self, id: &str) -> Result<(), HomeError> {
        self.items().remove(id);
        self.place.remove(&file(id))
    }

    /// Ids of messages whose files are gone while this runs: somebody else removed them.
    pub fn gone(&self) -> Result<Vec<String>, HomeError> {
        let mut items = self.items();
        let there = self.place.names()?;
        let gone: Vec<String> = items.keys().filter(|id| !there.contains(&file(id))).cloned().collect();
        items.retain(|id, _| !gone.contains(id));
        Ok(gone)
    }

    fn write(&self, item: &Item) -> Result<(), HomeError> {
        self.place.write(&file(&item.id), &serde_json::to_vec(item).unwrap_or_default())
    }

    fn items(&self) -> MutexGuard<'_, BTreeMap<String, Item>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file(id: &str) -> String {
    format!("{PREFIX}{id}.json")
}

#[cfg(test)]
mod tests;
