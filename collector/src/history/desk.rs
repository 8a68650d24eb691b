//! Who sits where: the sessions open on each machine, and the remote-support tools that drive them.

use std::collections::BTreeMap;

use ntk_evidence::event::{Actor, Event, Kind, Outcome};
use serde::{Deserialize, Serialize};

use super::{DAY_S, HOUR_S};
use crate::need_to_know::job::file_name;
use crate::need_to_know::{Access, Decision};
use crate::roster::{Attribution, Roster, account_text};

/// Machines that are remembered: more than any practice has.
const HOSTS_MAX: usize = 4096;
/// Open sessions of one machine; a terminal server of a large practice stays below.
const SESSIONS_MAX: usize = 256;
/// Remote-control intervals of one machine that may still hold a late entry.
const INTERVALS_MAX: usize = 32;
/// A session that shows nothing for so long has ended without saying so: a power cut, a crash.
const SESSION_SILENT_S: i64 = DAY_S;
/// A remote-control interval whose end nobody recorded ends after this: nobody supports for longer at a stretch.
const REMOTE_S_MAX: i64 = 12 * HOUR_S;

/// A session of an account on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// The account and its holder in words.
    words: String,
    /// Where it came from, as its login said.
    from: Option<String>,
    opened: i64,
    seen: i64,
}

/// A time in which a tool drove a session, or the whole machine where the record names no session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Interval {
    pub(super) tool: String,
    session: Option<u64>,
    from: i64,
    until: i64,
    /// Whether a ticket explained the remote control itself.
    pub(super) has_ticket: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Host {
    sessions: BTreeMap<u64, Session>,
    remote: Vec<Interval>,
}

/// Sessions and remote control on every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Desk {
    hosts: BTreeMap<String, Host>,
}

/// The sessions that the machine itself says were open, each as the roster knows its account.
pub(super) fn told(access: &Access<'_>, roster: &Roster) -> Vec<String> {
    let candidates = access.event.actor.iter().flat_map(|actor| &actor.candidates);
    let mut words: Vec<String> = candidates
        .filter_map(|candidate| {
            let actor = Actor {
                login_uid: candidate.login_uid,
                login_user: candidate.login_user.clone(),
                session: candidate.session,
                ..Actor::default()
            };
            let account = candidate.login_user.clone().or_else(|| account_text(&actor));
            match roster.person_of(access.host, &actor) {
                Attribution::Person(id) => {
                    in_words(roster.person(&id).map(|person| person.in_words()), account)
                }
                Attribution::Shared(_) => {
                    account.map(|account| format!("account {account}, which is shared"))
                }
                Attribution::Account(_) | Attribution::Unattributed => in_words(None, account),
            }
        })
        .collect();
    words.sort();
    words.dedup();
    words
}

/// An account and its holder, as far as they are known.
fn in_words(holder: Option<String>, account: Option<String>) -> Option<String> {
    match (holder, account) {
        (Some(holder), Some(account)) => Some(format!("{holder} (account {account})")),
        (Some(holder), None) => Some(holder),
        (None, Some(account)) => Some(format!("account {account}, which is not in the roster")),
        (None, None) => None,
    }
}

fn session_of(event: &Event) -> Option<u64> {
    event.actor.as_ref().and_then(|actor| actor.session)
}

fn seconds(access: &Access<'_>) -> Option<i64> {
    access.judged.map(|judged| judged.at.as_second())
}

impl Desk {
    /// Whether the machine has sent entries: then it is enrolled.
    pub(super) fn knows(&self, host: &str) -> bool {
        self.hosts.contains_key(host)
    }

    /// The remote-control interval in which an access lies.
    pub(super) fn interval(&self, access: &Access<'_>) -> Option<&Interval> {
        let at = seconds(access)?;
        let session = session_of(access.event);
        let remote = &self.hosts.get(access.host)?.remote;
        remote.iter().rev().find(|interval| {
            // A shell that a tool opens below every session has none; so has a tool that drives the machine.
            let same = interval.session.is_none() || session.is_none() || interval.session == session;
            same && interval.from <= at && at <= interval.until
        })
    }

    /// Where the session of an access came from, as its login said.
    pub(super) fn from<'a>(&'a self, access: &Access<'a>) -> Option<&'a str> {
        let own = access.event.actor.as_ref().and_then(|actor| actor.from.as_deref());
        own.or_else(|| {
            let session = session_of(access.event)?;
            self.hosts.get(access.host)?.sessions.get(&session)?.from.as_deref()
        })
    }

    /// The accounts with a session open on the machine at that time.
    pub(super) fn candidates(&self, access: &Access<'_>) -> Vec<String> {
        let (Some(host), Some(at)) = (self.hosts.get(access.host), seconds(access)) else {
            return Vec::new();
        };
        let open = host
            .sessions
            .values()
            .filter(|session| session.opened <= at && at.saturating_sub(session.seen) <= SESSION_SILENT_S);
        let mut words: Vec<String> = open.map(|session| session.words.clone()).collect();
        words.sort();
        words.dedup();
        words
    }

    /// Takes in one entry of a machine.
    pub(super) fn remember(&mut self, access: &Access<'_>, decision: &Decision) {
        if !self.hosts.contains_key(access.host) {
            if self.hosts.len() >= HOSTS_MAX {
                self.hosts.pop_first();
            }
            self.hosts.insert(access.host.to_owned(), Host::default());
        }
        let (Some(at), Some(host)) = (seconds(access), self.hosts.get_mut(access.host)) else { return };
        let event = access.event;
        let is_refused = matches!(event.outcome, Some(Outcome::Denied | Outcome::Failed));
        let session = session_of(event);
        match (&event.kind, session) {
            (Kind::Logout, Some(session)) => host.log_out(session, at),
            (Kind::Login, Some(session)) if !is_refused => {
                host.sessions.remove(&session);
                host.seen(session, at, access, decision);
            }
            (_, Some(session)) => host.seen(session, at, access, decision),
            (_, None) => {}
        }
        let tool = event.actor.as_ref().and_then(|actor| actor.tool.as_deref());
        let opens = event.kind == Kind::RemoteControl || (event.kind == Kind::Login && tool.is_some());
        if opens && !is_refused {
            let program = event.process.as_ref().and_then(|process| process.exe.as_deref()).map(file_name);
            let tool = tool.or(program).unwrap_or("a remote-support tool");
            host.drive(tool, session, at, access, decision);
        }
    }
}

impl Host {
    fn seen(&mut self, number: u64, at: i64, access: &Access<'_>, decision: &Decision) {
        if let Some(session) = self.sessions.get_mut(&number) {
            session.seen = session.seen.max(at);
            return;
        }
        let Some(who) = decision.who.as_ref().filter(|who| who.is_verified) else { return };
        let Some(words) = in_words(who.holder.clone(), who.account.clone()) else { return };
        if self.sessions.len() >= SESSIONS_MAX {
            let oldest =
                self.sessions.iter().min_by_key(|(_, session)| session.seen).map(|(number, _)| *number);
            oldest.map(|oldest| self.sessions.remove(&oldest));
        }
        let from = access.event.actor.as_ref().and_then(|actor| actor.from.clone());
        self.sessions.insert(number, Session { words, from, opened: at, seen: at });
    }

    fn log_out(&mut self, session: u64, at: i64) {
        self.sessions.remove(&session);
        for interval in self.remote.iter_mut().filter(|interval| interval.session == Some(session)) {
            interval.until = interval.until.min(at);
        }
    }

    fn drive(&mut self, tool: &str, session: Option<u64>, at: i64, access: &Access<'_>, decision: &Decision) {
        let longest = at.saturating_add(REMOTE_S_MAX);
        let ends = access.event.last.is_some();
        let until = access.last().filter(|_| ends).map_or(longest, |last| last.as_second());
        let has_ticket = super::is_under_ticket(decision);
        let same = |interval: &&mut Interval| {
            interval.tool == tool
                && interval.session == session
                && interval.from <= at
                && at <= interval.until
        };
        if let Some(interval) = self.remote.iter_mut().rev().find(same) {
            interval.until = if ends { until } else { interval.until.max(until) };
            interval.has_ticket &= has_ticket;
            return;
        }
        self.remote.retain(|interval| at.saturating_sub(interval.until) <= REMOTE_S_MAX);
        if self.remote.len() >= INTERVALS_MAX {
            self.remote.remove(0);
        }
        self.remote.push(Interval { tool: tool.to_owned(), session, from: at, until, has_ticket });
    }
}
