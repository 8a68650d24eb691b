//! Gives ssh logins the fingerprint of their key: audit records have none, sshd's line in the log does.
//!
//! The line may come a moment after the record. So a login of sshd waits for it, at most [`WAIT`], and what follows
//! waits behind it: events stay in order. Later events of the same session bear the key, too.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, Outcome};

use crate::sensor::fingerprints::{Fingerprints, Opened};

/// How long a login waits for sshd's line.
const WAIT: Duration = Duration::from_secs(2);

/// Events that wait behind a login; beyond that it goes without its key.
const WAITING_MAX: usize = 4096;

/// Sessions whose key is remembered.
const SESSIONS_MAX: usize = 4096;

/// Events on their way.
pub(super) struct Keys {
    fingerprints: Arc<Fingerprints>,
    waiting: VecDeque<(Event, Duration)>,
    by_session: BTreeMap<(u64, Option<u32>), String>,
}

impl Keys {
    pub(super) fn new(fingerprints: Arc<Fingerprints>) -> Self {
        Self { fingerprints, waiting: VecDeque::new(), by_session: BTreeMap::new() }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: Event, now: Duration) {
        self.waiting.push_back((event, now));
    }

    /// Gives the next event, if it need not wait any longer.
    pub(super) fn ready(&mut self, now: Duration) -> Option<Event> {
        let (event, since) = self.waiting.front()?;
        let login = ssh_login(event);
        let opened = login.and_then(|(pid, user)| self.fingerprints.of(pid, user, now));
        let waits = login.is_some() && opened.is_none() && self.fingerprints.is_fed();
        let is_late = now.saturating_sub(*since) >= WAIT || self.waiting.len() > WAITING_MAX;
        if waits && !is_late {
            return None;
        }
        let (event, _) = self.waiting.pop_front()?;
        Some(self.with_key(event, opened))
    }

    /// Nothing waits any longer, at the end.
    pub(super) fn flush(&self) {
        self.fingerprints.feed(false);
    }

    fn with_key(&mut self, mut event: Event, opened: Option<Opened>) -> Event {
        let is_end = event.kind == Kind::Logout;
        let Some(actor) = &mut event.actor else { return event };
        let session = actor.session.map(|session| (session, actor.login_uid));
        if let (Some(Opened::By(key)), Some(session)) = (opened, session) {
            if self.by_session.len() >= SESSIONS_MAX {
                self.by_session.pop_first();
            }
            self.by_session.insert(session, key);
        }
        // A forged login uid is another pair, and gets nobody's key.
        let key = session.and_then(|session| self.by_session.get(&session));
        actor.key = actor.key.take().or_else(|| key.cloned());
        if let (true, Some(session)) = (is_end && actor.key.is_some(), session) {
            self.by_session.remove(&session);
        }
        event
    }
}

/// The process and account of a login through sshd.
fn ssh_login(event: &Event) -> Option<(u32, Option<&str>)> {
    if event.kind != Kind::Login || event.outcome != Some(Outcome::Success) {
        return None;
    }
    let (process, actor) = (event.process.as_ref()?, event.actor.as_ref()?);
    let program = process.exe.as_deref()?.rsplit('/').next()?;
    (matches!(program, "sshd" | "sshd-session") && actor.key.is_none())
        .then_some((process.pid?, actor.login_user.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth_log::Accepted;
    use ntk_evidence::event::{Actor, Process};

    fn event(kind: Kind, session: u64, uid: u32, pid: u32) -> Event {
        let mut event = Event::new(kind, "t");
        event.outcome = Some(Outcome::Success);
        event.actor = Some(Actor {
            session: Some(session),
            login_uid: Some(uid),
            login_user: Some("anna".into()),
            ..Actor::default()
        });
        event.process =
            Some(Process { pid: Some(pid), exe: Some("/usr/sbin/sshd".into()), ..Process::default() });
        event
    }

    fn keys(joined: &mut Keys, now: Duration) -> Vec<String> {
        let key = |event: Event| event.actor.unwrap().key.unwrap_or_else(|| "-".to_owned());
        std::iter::from_fn(|| joined.ready(now)).map(key).collect()
    }

    fn accepted(pid: u32, key: Option<&str>) -> Accepted {
        Accepted { pid, user: "anna".into(), key: key.map(str::to_owned) }
    }

    #[test]
    fn a_login_waits_for_its_line_and_what_follows_stays_behind_it() {
        let fingerprints = Arc::new(Fingerprints::default());
        fingerprints.feed(true);
        let mut joined = Keys::new(Arc::clone(&fingerprints));
        let ms = Duration::from_millis;
        joined.take(event(Kind::Login, 5, 1000, 70), ms(0));
        joined.take(event(Kind::FileAccess, 5, 1000, 71), ms(1));
        joined.take(event(Kind::FileAccess, 5, 0, 71), ms(1));
        assert_eq!(keys(&mut joined, ms(500)), Vec::<String>::new());
        fingerprints.learn(accepted(70, Some("SHA256:a")), ms(600));
        assert_eq!(keys(&mut joined, ms(601)), ["SHA256:a", "SHA256:a", "-"]);
        joined.take(event(Kind::Logout, 5, 1000, 70), ms(700));
        joined.take(event(Kind::FileAccess, 5, 1000, 90), ms(701));
        assert_eq!(
            keys(&mut joined, ms(702)),
            ["SHA256:a", "-"],
            "session numbers are used again after a boot"
        );
    }

    #[test]
    fn a_password_a_missing_line_and_an_unread_log_leave_no_key() {
        let fingerprints = Arc::new(Fingerprints::default());
        let mut joined = Keys::new(Arc::clone(&fingerprints));
        let s = Duration::from_secs;
        joined.take(event(Kind::Login, 5, 1000, 70), s(0));
        assert_eq!(keys(&mut joined, s(0)), ["-"], "no log is read: nothing to wait for");
        fingerprints.feed(true);
        fingerprints.learn(accepted(80, None), s(1));
        joined.take(event(Kind::Login, 6, 1000, 80), s(1));
        assert_eq!(keys(&mut joined, s(1)), ["-"], "a password opened it");
        joined.take(event(Kind::Login, 7, 1000, 81), s(2));
        assert_eq!(keys(&mut joined, s(3)), Vec::<String>::new());
        assert_eq!(keys(&mut joined, s(4)), ["-"], "it does not wait for ever");
        joined.take(event(Kind::Login, 8, 1000, 82), s(5));
        joined.flush();
        assert_eq!(keys(&mut joined, s(5)), ["-"]);
    }
}
