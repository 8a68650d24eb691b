//! Who is signed in: in memory only, so a new start of the collector signs everybody out.
//!
//! # Invariants
//! - SS-1: of a session's secret only the hash is kept.
//! - SS-2: no session outlives a change of its person's role, passphrase or second factor, nor its own ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Role;
use super::secret;
use crate::home::HomeError;

/// A session ends when nobody did anything for so long.
pub const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// And so long after sign-in in any case.
pub const AT_MOST: SignedDuration = SignedDuration::from_hours(12);
/// How many sessions one person may have; the oldest ends.
const OF_ONE_MAX: usize = 8;
/// How many sessions there may be.
const ALL_MAX: usize = 1_000;

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Has a passphrase, and is to set up the second factor: may open nothing else.
    NoSecondFactor,
    /// Signed in.
    SignedIn,
}

/// One session, as requests see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Id of the person.
    pub person: String,
    /// Name of the person.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How far they are.
    pub stage: Stage,
    /// What every form of this session carries.
    pub csrf: String,
    /// When it began.
    pub since: Timestamp,
    /// From which address.
    pub from: String,
    /// The secret of a second factor that is being set up.
    pub pending: Option<Vec<u8>>,
    seen: Timestamp,
}

impl Session {
    fn is_live(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen) < IDLE && now.duration_since(self.since) < AT_MOST
    }
}

/// All sessions, by hash of their secret.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<BTreeMap<String, Session>>);

impl Sessions {
    /// Begins a session; its secret, for the cookie.
    pub fn begin(
        &self,
        (person, name): (&str, &str),
        (role, stage): (&Role, Stage),
        from: &str,
        now: Timestamp,
    ) -> Result<String, HomeError> {
        let (token, csrf) = (secret::token()?, secret::token()?);
        let session = Session {
            person: person.to_owned(),
            name: name.to_owned(),
            role: role.clone(),
            stage,
            csrf,
            since: now,
            from: from.to_owned(),
            pending: None,
            seen: now,
        };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.is_live(now));
        let oldest = |sessions: &BTreeMap<String, Session>, of: Option<&str>| {
            let of_them =
                sessions.iter().filter(|(_, session)| of.is_none_or(|person| session.person == person));
            of_them.min_by_key(|(_, session)| session.seen).map(|(hash, _)| hash.clone())
        };
        let n_own = sessions.values().filter(|session| session.person == person).count();
        if n_own >= OF_ONE_MAX {
            oldest(&sessions, Some(person)).map(|hash| sessions.remove(&hash));
        } else if sessions.len() >= ALL_MAX {
            oldest(&sessions, None).map(|hash| sessions.remove(&hash));
        }
        // INVARIANT SS-1.
        sessions.insert(secret::hash(&token), session);
        Ok(token)
    }

    /// The session of a secret. `counts` says whether this is somebody's doing, or a page that asks by itself.
    pub fn find(&self, token: &str, now: Timestamp, counts: bool) -> Option<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = secret::hash(token);
        let session = sessions.get_mut(&hash)?;
        if !session.is_live(now) {
            sessions.remove(&hash);
            return None;
        }
        if counts {
            session.seen = now;
        }
        Some(session.clone())
    }

    /// Keeps the secret of a second factor that is being set up.
    pub fn set_pending(&self, token: &str, pending: Vec<u8>) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get_mut(&secret::hash(token)) {
            session.pending = Some(pending);
        }
    }

    /// Ends one.
    pub fn end(&self, token: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&secret::hash(token));
    }

    /// Ends all of a person, but one where it is named; how many.
    pub fn end_of(&self, person: &str, but: Option<&str>) -> usize {
        let but = but.map(secret::hash);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sessions.len();
        sessions.retain(|hash, session| session.person != person || Some(hash) == but.as_ref());
        before.saturating_sub(sessions.len())
    }

    /// Those of a person, the newest first.
    pub fn of(&self, person: &str, now: Timestamp) -> Vec<Session> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own: Vec<Session> = sessions
            .values()
            .filter(|session| session.person == person && session.is_live(now))
            .cloned()
            .collect();
        own.sort_by_key(|session| std::cmp::Reverse(session.since));
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + minutes * 60).unwrap()
    }

    fn begin(sessions: &Sessions, person: &str, minutes: i64) -> String {
        sessions.begin((person, person), (&Role::Manager, Stage::SignedIn), "10.0.0.9", at(minutes)).unwrap()
    }

    #[test]
    fn a_session_ends_when_idle_when_old_and_when_ended() {
        let sessions = Sessions::default();
        let one = begin(&sessions, "mary", 0);
        assert!(sessions.find(&one, at(29), true).is_some());
        assert!(sessions.find(&one, at(58), true).is_some(), "used in between");
        assert!(sessions.find(&one, at(88), true).is_none(), "idle");
        assert!(sessions.find(&one, at(59), true).is_none(), "gone for good");

        let one = begin(&sessions, "mary", 0);
        for minutes in (0..12 * 60).step_by(20) {
            assert!(sessions.find(&one, at(minutes), true).is_some());
        }
        assert!(sessions.find(&one, at(12 * 60), true).is_none(), "twelve hours are enough");

        let one = begin(&sessions, "mary", 0);
        assert!(sessions.find(&one, at(20), false).is_some());
        assert!(sessions.find(&one, at(31), false).is_none(), "a page that asks by itself keeps nobody in");

        let (one, two) = (begin(&sessions, "mary", 0), begin(&sessions, "mary", 0));
        let other = begin(&sessions, "sam", 0);
        assert_eq!(sessions.end_of("mary", Some(&one)), 1);
        assert!(sessions.find(&one, at(1), true).is_some() && sessions.find(&two, at(1), true).is_none());
        sessions.end(&one);
        assert!(sessions.find(&one, at(1), true).is_none() && sessions.find(&other, at(1), true).is_some());
    }

    #[test]
    fn only_hashes_are_kept_and_their_number_is_bounded() {
        let sessions = Sessions::default();
        let first = begin(&sessions, "mary", 0);
        assert!(!format!("{sessions:?}").contains(&first));
        for minutes in 1..20 {
            begin(&sessions, "mary", minutes);
        }
        assert_eq!(sessions.of("mary", at(20)).len(), OF_ONE_MAX);
        assert!(sessions.find(&first, at(20), true).is_none(), "the oldest ends");
        assert_ne!(begin(&sessions, "mary", 20), begin(&sessions, "mary", 20));
    }
}
