//! Sessions by machine and logon id: who logged in, from where, and which sessions are one person's.

use std::collections::BTreeMap;

use ntk_evidence::event::{Actor, Because, Candidate, Confidence};
use ntk_evidence::time::Moment;

use super::is_past;
use crate::sid::{SYSTEM_LOGONS, is_account, is_machine_name, is_system};

/// Sessions that are known at once, over all machines; beyond that the oldest is forgotten.
pub const SESSIONS_MAX: usize = 8192;

/// Sessions that are named where nobody else can be, as the vocabulary says.
const CANDIDATES_MAX: usize = 16;

/// LogonType of 4624 of a session over the network.
pub(super) const NETWORK: u64 = 3;

/// An account as a record names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) sid: Option<String>,
    pub(super) name: Option<String>,
}

impl Account {
    /// Whether somebody could log in to it: not SYSTEM, not a service, not a machine's own account.
    pub(super) fn is_person_like(&self) -> bool {
        let is_account = self.sid.as_deref().is_none_or(|sid| is_account(sid) || sid == "S-1-0-0");
        is_account && self.name.as_deref().is_some_and(|name| !is_machine_name(name))
    }

    /// Whether it is a machine's own account in its domain.
    pub(super) fn is_machine(&self) -> bool {
        self.name.as_deref().is_some_and(is_machine_name) && self.sid.as_deref().is_none_or(is_account)
    }
}

/// One session.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) account: Account,
    pub(super) from: Option<String>,
    /// LogonType of its 4624.
    pub(super) logon_type: u64,
    /// The logon id that stands for all of the person's sessions that are one with it.
    pub(super) stands_as: u64,
    /// The account that logged in, where this session was made from within another one with a password (runas).
    pub(super) person: Option<Account>,
    /// Whether its beginning (4624) was seen; others are known from what was done in them.
    pub(super) is_seen: bool,
    /// Whether its beginning was told.
    pub(super) is_told: bool,
    /// Whether special privileges were told of it.
    pub(super) is_privileged: bool,
    pub(super) since: Option<Moment>,
    /// Order in which it became known.
    pub(super) number: u64,
}

/// Every session that is known.
#[derive(Default)]
pub(super) struct Sessions {
    known: BTreeMap<(String, u64), Session>,
    by_age: BTreeMap<u64, (String, u64)>,
    next: u64,
}

impl Sessions {
    /// The machine started: what was, is over, and logon ids begin anew.
    pub(super) fn started(&mut self, computer: &str) {
        let over: Vec<(String, u64)> = self
            .known
            .range((computer.to_owned(), 0)..=(computer.to_owned(), u64::MAX))
            .map(|(key, _)| key.clone())
            .collect();
        over.iter().for_each(|key| self.forget(key));
    }

    pub(super) fn of(&self, computer: &str, id: u64) -> Option<&Session> {
        self.known.get(&(computer.to_owned(), id))
    }

    pub(super) fn of_mut(&mut self, computer: &str, id: u64) -> Option<&mut Session> {
        self.known.get_mut(&(computer.to_owned(), id))
    }

    /// The session that stands for this one, where it is known.
    pub(super) fn standing_mut(&mut self, computer: &str, id: u64) -> Option<&mut Session> {
        let stands_as = self.of(computer, id)?.stands_as;
        if self.of(computer, stands_as).is_some() {
            self.of_mut(computer, stands_as)
        } else {
            self.of_mut(computer, id)
        }
    }

    /// A session in which something was done, and of which the beginning was not seen.
    pub(super) fn learn(&mut self, computer: &str, id: u64, account: Account, at: Moment) {
        if self.of(computer, id).is_none() && account.is_person_like() && !SYSTEM_LOGONS.contains(&id) {
            let session = Session { account, stands_as: id, ..Session::default() };
            self.begins(computer, id, session, at);
        }
    }

    pub(super) fn begins(&mut self, computer: &str, id: u64, session: Session, at: Moment) {
        let key = (computer.to_owned(), id);
        self.forget(&key);
        if self.known.len() >= SESSIONS_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.known.remove(&oldest);
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.by_age.insert(number, key.clone());
        self.known.insert(key, Session { number, since: Some(at), ..session });
    }

    /// Takes a session away; gives it, and whether it was the last of those that are one with it.
    pub(super) fn ends(&mut self, computer: &str, id: u64) -> Option<(Session, bool)> {
        let key = (computer.to_owned(), id);
        let session = self.known.get(&key)?.clone();
        self.forget(&key);
        let others = self.known.range((computer.to_owned(), 0)..=(computer.to_owned(), u64::MAX));
        let is_last = others.filter(|(_, other)| other.stands_as == session.stands_as).count() == 0;
        Some((session, is_last))
    }

    /// Takes away every session that is one with this one: the person signed out.
    pub(super) fn ends_with_all(&mut self, computer: &str, id: u64) -> Option<Session> {
        let (session, _) = self.ends(computer, id)?;
        let range = (computer.to_owned(), 0)..=(computer.to_owned(), u64::MAX);
        let twins = self.known.range(range).filter(|(_, other)| other.stands_as == session.stands_as);
        let twins: Vec<(String, u64)> = twins.map(|(key, _)| key.clone()).collect();
        twins.iter().for_each(|key| self.forget(key));
        Some(session)
    }

    /// The session of the same account that began in the same moment in the same way: the other half of a login under
    /// User Account Control, where the record does not name it (versions 0 and 1).
    pub(super) fn twin_of(&self, computer: &str, session: &Session, at: Moment) -> Option<u64> {
        let range = (computer.to_owned(), 0)..=(computer.to_owned(), u64::MAX);
        let is_twin = |other: &Session| {
            other.is_seen
                && other.account.sid == session.account.sid
                && other.logon_type == session.logon_type
                && other.person == session.person
                && other.since.is_some_and(|since| !is_past(since, at, std::time::Duration::from_millis(100)))
        };
        self.known.range(range).find(|(_, other)| is_twin(other)).map(|(_, other)| other.stands_as)
    }

    /// Whose act a record is that names this account and logon id.
    pub(super) fn actor(&self, computer: &str, account: &Account, id: Option<u64>) -> Actor {
        let session = id.and_then(|id| self.of(computer, id));
        let is_named = account.sid.is_some() || account.name.is_some();
        let account = session.map(|session| &session.account).filter(|_| !is_named).unwrap_or(account);
        let is_nobody = id.is_some_and(|id| SYSTEM_LOGONS.contains(&id))
            || account
                .sid
                .as_deref()
                .is_some_and(|sid| is_system(sid) || !(is_account(sid) || sid == "S-1-0-0"))
            || (account.sid.is_none() && account.name.is_none());
        if is_nobody {
            return Actor {
                effective_user: account.name.clone(),
                from: session
                    .filter(|session| session.logon_type == NETWORK)
                    .and_then(|session| session.from.clone()),
                confidence: Some(Confidence::Unattributed),
                because: account.name.as_ref().or(account.sid.as_ref()).map(|_| Because::NoLogin),
                candidates: self.candidates(computer),
                ..Actor::default()
            };
        }
        let stands_as = session.map(|session| session.stands_as).or(id);
        let standing = stands_as.and_then(|id| self.of(computer, id)).or(session);
        let from = standing.and_then(|session| session.from.clone());
        if let Some(person) = session.and_then(|session| session.person.as_ref()) {
            return Actor {
                sid: person.sid.clone(),
                login_user: person.name.clone(),
                effective_user: account.name.clone(),
                session: stands_as,
                from,
                confidence: Some(Confidence::Derived),
                ..Actor::default()
            };
        }
        let sid = account.sid.clone().filter(|sid| sid != "S-1-0-0");
        let sid = sid.or_else(|| session.and_then(|session| session.account.sid.clone()));
        Actor {
            sid,
            login_user: account
                .name
                .clone()
                .or_else(|| session.and_then(|session| session.account.name.clone())),
            session: stands_as,
            from,
            confidence: Some(Confidence::Kernel),
            ..Actor::default()
        }
    }

    /// Sessions of accounts that are open on a machine, each once.
    fn candidates(&self, computer: &str) -> Vec<Candidate> {
        let range = (computer.to_owned(), 0)..=(computer.to_owned(), u64::MAX);
        let open =
            self.known.range(range).filter(|((_, id), session)| session.is_told && session.stands_as == *id);
        let candidate = |((_, id), session): (&(String, u64), &Session)| Candidate {
            login_user: session.account.name.clone(),
            session: Some(*id),
            from: session.from.clone(),
            ..Candidate::default()
        };
        open.map(candidate).take(CANDIDATES_MAX).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len().max(self.by_age.len())
    }

    fn forget(&mut self, key: &(String, u64)) {
        if let Some(session) = self.known.remove(key) {
            self.by_age.remove(&session.number);
        }
    }
}
