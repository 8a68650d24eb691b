//! sudo and su: joins the command that was asked for with the account whose rights were given.
//!
//! sudo's USER_CMD does not say which account; the CRED_REFR or USER_START that follows from the same process
//! does. su has no USER_CMD. A wrong password at sudo is held back for the USER_CMD that closes the try.

use std::collections::BTreeMap;
use std::time::Duration;

use ntk_evidence::event::Actor;

use super::{Fact, FactKind, process_of, program};
use crate::record::Record;

/// How long a permitted command waits for the record that names the account.
const TARGET_WAIT: Duration = Duration::from_secs(2);

/// How long a wrong password waits for the end of the try: people think.
const TRY_WAIT: Duration = Duration::from_secs(600);

/// Processes that are followed at once; beyond that the oldest is forgotten, its fact given out.
const OPEN_MAX: usize = 4096;

type Key = (Option<Box<str>>, Option<u32>);

enum Open {
    /// A permitted command whose account is not known yet.
    Command(Fact),
    /// A wrong password; the try goes on.
    Refused(Fact),
    /// Already given out.
    Told,
}

/// Elevations that may get more records.
#[derive(Default)]
pub(super) struct Elevations {
    open: BTreeMap<Key, (Open, Duration)>,
}

impl Elevations {
    /// USER_CMD: sudo ran, or refused, a command.
    pub(super) fn command(
        &mut self,
        record: &Record,
        actor: Actor,
        permitted: bool,
        now: Duration,
    ) -> Vec<Fact> {
        let kind = if permitted { FactKind::Elevated } else { FactKind::ElevationRefused };
        let mut fact = fact(record, kind, Actor { effective_user: None, ..actor });
        fact.process.command = record.claim_text("cmd");
        if permitted {
            return self.put(record, Open::Command(fact), now);
        }
        self.open.remove(&key(record));
        vec![fact]
    }

    /// CRED_REFR or CRED_ACQ: names the account of a command that waits for it.
    pub(super) fn credentials(&mut self, record: &Record) -> Option<Fact> {
        let (open, _) = self.open.get_mut(&key(record))?;
        match std::mem::replace(open, Open::Told) {
            Open::Command(fact) => Some(named(fact, record)),
            Open::Refused(fact) => {
                *open = Open::Refused(fact);
                None
            }
            Open::Told => None,
        }
    }

    /// USER_START: the rights were given.
    pub(super) fn took_effect(&mut self, record: &Record, actor: Actor, now: Duration) -> Vec<Fact> {
        let before = self.open.remove(&key(record)).map(|(open, _)| open);
        let fact = match before {
            Some(Open::Command(fact)) => Some(named(fact, record)),
            Some(Open::Told) => None,
            Some(Open::Refused(_)) | None => Some(named(fact(record, FactKind::Elevated, actor), record)),
        };
        let mut out = self.put(record, Open::Told, now);
        out.extend(fact);
        out
    }

    /// USER_AUTH, USER_ACCT: a password or account was refused.
    pub(super) fn refused(&mut self, record: &Record, actor: Actor, now: Duration) -> Vec<Fact> {
        let mut fact = fact(record, FactKind::ElevationRefused, Actor { effective_user: None, ..actor });
        if program(record).starts_with("sudo") {
            // sudo asks for the caller's own password: the account in the record is not the target.
            return match self.open.get(&key(record)) {
                Some(_) => Vec::new(),
                None => self.put(record, Open::Refused(fact), now),
            };
        }
        fact.actor.claims = record.claim_text("acct");
        vec![fact]
    }

    /// USER_END of an elevation: its process is done.
    pub(super) fn ended(&mut self, record: &Record) {
        self.open.remove(&key(record));
    }

    pub(super) fn expire(&mut self, now: Duration) -> Vec<Fact> {
        let late = |_: &Key, (open, since): &mut (Open, Duration)| {
            let wait = match open {
                Open::Command(_) => TARGET_WAIT,
                Open::Refused(_) | Open::Told => TRY_WAIT,
            };
            now.saturating_sub(*since) >= wait
        };
        self.open.extract_if(.., late).filter_map(|(_, (open, _))| open.into_fact()).collect()
    }

    pub(super) fn flush(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.open).into_values().filter_map(|(open, _)| open.into_fact()).collect()
    }

    fn put(&mut self, record: &Record, open: Open, now: Duration) -> Vec<Fact> {
        self.open.insert(key(record), (open, now));
        if self.open.len() <= OPEN_MAX {
            return Vec::new();
        }
        let oldest = self.open.iter().min_by_key(|(_, (_, since))| *since).map(|(key, _)| key.clone());
        oldest
            .and_then(|key| self.open.remove(&key))
            .and_then(|(open, _)| open.into_fact())
            .into_iter()
            .collect()
    }
}

impl Open {
    fn into_fact(self) -> Option<Fact> {
        match self {
            Self::Command(fact) | Self::Refused(fact) => Some(fact),
            Self::Told => None,
        }
    }
}

fn key(record: &Record) -> Key {
    (record.node().map(Into::into), record.id("pid"))
}

fn fact(record: &Record, kind: FactKind, actor: Actor) -> Fact {
    Fact { stamp: record.stamp(), last: None, count: None, kind, actor, process: process_of(record) }
}

fn named(mut fact: Fact, record: &Record) -> Fact {
    fact.actor.effective_user = record.claim_text("acct");
    fact
}
