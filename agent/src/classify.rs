//! From an observation and its person to events, or to nothing.
//!
//! No I/O and no clock: what it says depends only on the records, the watches and what earlier records showed
//! of inodes and open folders. A record counts as an access to a watch if a path in it lies below the watch, if
//! it bears the watch's rule key, or if its inode was seen below the watch. A refused access that bears only
//! [`crate::watch_list::DENIED_KEY`] counts only by path or inode.

mod access;
mod calls;
mod keys;
mod mounts;
mod places;
mod tamper;

use ntk_evidence::event::{
    Action, Actor, Class, Event, Gap, Kind, Object, Outcome, Process, Source, Tamper, TamperKind,
};

use crate::attribute::{Fact, FactKind, command_of};
use crate::coalesce::Observation;
use crate::record::{Record, Stamp, kind};
use crate::watch_list::WatchList;

pub use keys::{ForeignKeys, KeyLearner};
pub use mounts::{ELSEWHERE, Mount};
pub use places::{Folders, Inode, Known, NoFolders, Places};
pub use tamper::OwnHand;

/// Name of this sensor in events.
pub const SENSOR: &str = "linux-audit";

/// Turns observations into events.
pub struct Classifier {
    watches: WatchList,
    keys: ForeignKeys,
    places: Places,
    folders: Box<dyn Folders>,
    own: Option<OwnHand>,
}

impl Classifier {
    /// A classifier for these watches.
    pub fn new(
        watches: WatchList,
        keys: ForeignKeys,
        folders: Box<dyn Folders>,
        own: Option<OwnHand>,
    ) -> Self {
        Self { watches, keys, places: Places::default(), folders, own }
    }

    /// What is known of inodes, for a live sensor that looks through its watches at start.
    pub fn places_mut(&mut self) -> &mut Places {
        &mut self.places
    }

    /// The agent is this process from now on, where it is not the one that asks.
    pub fn set_own(&mut self, own: OwnHand) {
        self.own = Some(own);
    }

    /// Adds the events of one observation, in order.
    pub fn classify(
        &mut self,
        observation: &Observation,
        actor: &Actor,
        facts: Vec<Fact>,
        events: &mut Vec<Event>,
    ) {
        events.extend(facts.into_iter().map(event_of_fact));
        let mut scene = access::Scene {
            watches: &self.watches,
            keys: &self.keys,
            places: &mut self.places,
            folders: self.folders.as_ref(),
        };
        let is_own = self.own.as_ref().is_some_and(|own| own.did(observation));
        let is_own_test = self.own.as_ref().is_some_and(|own| own.tests(observation));
        // Its own folder is written all day, and at a start after a kill, or in a locked kernel, rules already stand while it
        // looks through the watches. The kernel itself keeps what the owner of audit does back.
        if let Some(access) = access::read(observation, &mut scene).filter(|_| !is_own_test && !is_own) {
            let mut event = event(Kind::FileAccess, observation.stamp);
            event.outcome = Some(access.outcome);
            event.action = Some(access.action);
            event.object = Some(access.object);
            event.actor = Some(actor.clone());
            event.process = caller_of(observation);
            events.push(event);
        }
        if let Some(found) = tamper::read(observation, self.own.as_ref()) {
            events.push(tampered(observation, found, actor.clone()));
        }
        let (places, folders) = (&mut self.places, self.folders.as_ref());
        for mounts::Found { what, detail, object } in
            mounts::read(observation, &self.watches, places, folders)
        {
            let found = tamper::Found { what, detail, outcome: Outcome::Success };
            let mut event = tampered(observation, found, actor.clone());
            event.object = object;
            events.push(event);
        }
        for record in &observation.records {
            // Not `extend`: it would move an event that is none for each record.
            if let Some(event) = account_change(record, actor) {
                events.push(event);
            }
            if let Some(event) = daemon_stopped(record) {
                events.push(event);
            }
        }
    }

    /// Shows a learner the rule keys of an observation; see [`KeyLearner`].
    pub fn learn_keys(observation: &Observation, watches: &WatchList, learner: &mut KeyLearner) {
        access::learn_keys(observation, watches, learner);
    }
}

/// The event of something that happened to a session.
pub fn event_of_fact(fact: Fact) -> Event {
    let (kind, outcome) = match fact.kind {
        FactKind::LoggedIn => (Kind::Login, Outcome::Success),
        FactKind::LoginRefused => (Kind::Login, Outcome::Denied),
        FactKind::LoggedOut => (Kind::Logout, Outcome::Success),
        FactKind::Elevated => (Kind::Elevation, Outcome::Success),
        FactKind::ElevationRefused => (Kind::Elevation, Outcome::Denied),
        FactKind::LoginUidChanged => (Kind::Tamper, Outcome::Success),
        FactKind::LoginUidChangeRefused => (Kind::Tamper, Outcome::Denied),
    };
    let mut event = event(kind, fact.stamp);
    if event.kind == Kind::Tamper {
        let detail = match (fact.actor.login_uid, &fact.actor.claims) {
            (Some(old), Some(new)) => Some(format!("old-auid={old} auid={new}")),
            _ => None,
        };
        event.tamper = Some(Tamper { what: TamperKind::LoginUidChanged, detail, other: Default::default() });
    }
    event.outcome = Some(outcome);
    event.actor = Some(fact.actor);
    event.process = Some(fact.process).filter(|process| *process != Process::default());
    event.count = fact.count;
    event.last = fact.last.map(Stamp::rfc3339);
    event
}

fn event(kind: Kind, stamp: Stamp) -> Event {
    let mut event = Event::new(kind, stamp.rfc3339());
    event.source = Some(Source {
        sensor: Some(SENSOR.to_owned()),
        record: Some(stamp.serial().to_string()),
        ..Source::default()
    });
    event
}

/// The process of an observation with its command line.
fn process_of(observation: &Observation) -> Option<Process> {
    let process = Process { command: command_of(observation), ..caller_of(observation)? };
    Some(process).filter(|process| *process != Process::default())
}

/// The same without a command line, which [`crate::origin`] knows, or takes from the record as this does.
fn caller_of(observation: &Observation) -> Option<Process> {
    let record = observation
        .first(kind::SYSCALL)
        .or_else(|| observation.records.iter().find(|record| record.field("pid").is_some()))?;
    let exe = record.text("exe").or_else(|| record.claim_text("exe"));
    Some(Process { pid: record.id("pid"), exe, ..Process::default() })
}

fn tampered(observation: &Observation, found: tamper::Found, actor: Actor) -> Event {
    let mut event = event(Kind::Tamper, observation.stamp);
    event.outcome = Some(found.outcome);
    event.actor = Some(actor);
    event.process = process_of(observation);
    event.tamper = Some(Tamper { what: found.what, detail: Some(found.detail), other: Default::default() });
    event
}

/// auditd ended, though no person ended it: from here on its log is silent until the next start (SE-1).
fn daemon_stopped(record: &Record) -> Option<Event> {
    let by_nobody = || record.id("ses").is_none();
    let stopped = record.kind() == kind::DAEMON_ABORT || (record.kind() == kind::DAEMON_END && by_nobody());
    stopped.then(|| {
        let mut event = event(Kind::Gap, record.stamp());
        let from = Some(event.time.clone());
        event.gap = Some(Gap {
            cause: "audit_stopped".to_owned(),
            from,
            to: None,
            lost: None,
            other: Default::default(),
        });
        event
    })
}

/// Accounts and groups that were added, changed or removed. The account is the object's owner.
fn account_change(record: &Record, actor: &Actor) -> Option<Event> {
    let action = match record.kind() {
        kind::ADD_USER | kind::ADD_GROUP | kind::ROLE_ASSIGN => Action::Create,
        kind::DEL_USER | kind::DEL_GROUP | kind::ROLE_REMOVE => Action::Delete,
        kind::USER_CHAUTHTOK
        | kind::USER_MGMT
        | kind::GRP_MGMT
        | kind::GRP_CHAUTHTOK
        | kind::ACCT_LOCK
        | kind::ACCT_UNLOCK
        | kind::USER_ROLE_CHANGE => Action::Attributes,
        _ => return None,
    };
    let number = || record.claim("id").and_then(|id| id.id()).map(|uid| format!("uid {uid}"));
    let succeeded = record.claim("res").is_some_and(|word| word.word() == b"success");
    let mut event = event(Kind::AccountChange, record.stamp());
    event.outcome = Some(if succeeded { Outcome::Success } else { Outcome::Failed });
    event.action = Some(action);
    event.actor = Some(actor.clone());
    event.process =
        Some(Process { pid: record.id("pid"), exe: record.claim_text("exe"), ..Process::default() });
    event.object = Some(Object {
        owner: record.claim_text("acct").or_else(number),
        class: Some(Class::System),
        ..Object::default()
    });
    Some(event)
}

#[cfg(test)]
mod tests;
