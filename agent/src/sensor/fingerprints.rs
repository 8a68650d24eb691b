//! Which key opened which ssh session: sshd writes it to the log, audit records do not have it.
//!
//! The process number is what both have in common: the sshd that writes `Accepted publickey` is the one whose number
//! the login's audit records bear. A line in a plain log file can be written by anybody in sshd's name, so a second
//! line that says something else makes both worth nothing: who forges one makes a key doubtful, never another's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::auth_log::Accepted;

/// Logins that are remembered.
const LOGINS_MAX: usize = 4096;
/// For how long: process numbers are used again.
const REMEMBERED_FOR: Duration = Duration::from_secs(120);

/// What the log says of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// This key opened it.
    By(String),
    /// No key did: a password, or the log contradicts itself.
    Unkeyed,
}

#[derive(Debug)]
struct Login {
    user: String,
    key: Option<String>,
    doubtful: bool,
    since: Duration,
}

#[derive(Debug, Default)]
struct Table {
    by_pid: BTreeMap<u32, Login>,
    order: VecDeque<u32>,
}

/// Shared by the log's reader, which learns, and the audit sensor, which asks.
#[derive(Debug, Default)]
pub struct Fingerprints {
    table: Mutex<Table>,
    fed: AtomicBool,
}

impl Fingerprints {
    /// Whether some log is being read, so that waiting for its line is worth while.
    pub fn is_fed(&self) -> bool {
        self.fed.load(Ordering::Acquire)
    }

    /// Says whether some log is being read.
    pub fn feed(&self, fed: bool) {
        self.fed.store(fed, Ordering::Release);
    }

    /// Learns what sshd wrote; `now` is the machine's uptime.
    pub fn learn(&self, accepted: Accepted, now: Duration) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Accepted { pid, user, key } = accepted;
        match table.by_pid.get_mut(&pid).filter(|login| now.saturating_sub(login.since) < REMEMBERED_FOR) {
            Some(login) => login.doubtful |= login.user != user || login.key != key,
            None => {
                if table.by_pid.insert(pid, Login { user, key, doubtful: false, since: now }).is_none() {
                    table.order.push_back(pid);
                }
                if table.order.len() > LOGINS_MAX
                    && let Some(oldest) = table.order.pop_front()
                {
                    table.by_pid.remove(&oldest);
                }
            }
        }
    }

    /// What opened the login of this sshd, for this account; nothing where the log has no line of it yet.
    pub fn of(&self, sshd: u32, user: Option<&str>, now: Duration) -> Option<Opened> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let login = table.by_pid.get(&sshd)?;
        if now.saturating_sub(login.since) >= REMEMBERED_FOR {
            return None;
        }
        let is_sure = !login.doubtful && user.is_none_or(|user| user == login.user);
        Some(login.key.clone().filter(|_| is_sure).map_or(Opened::Unkeyed, Opened::By))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: u32, user: &str, key: Option<&str>) -> Accepted {
        Accepted { pid, user: user.to_owned(), key: key.map(str::to_owned) }
    }

    #[test]
    fn a_line_ties_a_key_to_a_login_and_a_second_one_that_differs_unties_it() {
        let table = Fingerprints::default();
        let s = Duration::from_secs;
        assert_eq!(table.of(7, Some("anna"), s(1)), None);
        table.learn(line(7, "anna", Some("SHA256:a")), s(1));
        table.learn(line(7, "anna", Some("SHA256:a")), s(1));
        assert_eq!(table.of(7, Some("anna"), s(1)), Some(Opened::By("SHA256:a".to_owned())));
        assert_eq!(table.of(7, Some("bob"), s(1)), Some(Opened::Unkeyed), "another account");
        table.learn(line(8, "anna", None), s(1));
        table.learn(line(8, "anna", Some("SHA256:b")), s(2));
        assert_eq!(table.of(8, Some("anna"), s(2)), Some(Opened::Unkeyed), "the log contradicts itself");
        assert_eq!(table.of(7, Some("anna"), s(200)), None, "numbers are used again");
        table.learn(line(8, "bob", Some("SHA256:c")), s(200));
        assert_eq!(table.of(8, None, s(201)), Some(Opened::By("SHA256:c".to_owned())));
    }

    #[test]
    fn memory_is_bounded() {
        let table = Fingerprints::default();
        for pid in 0..=u32::try_from(LOGINS_MAX).unwrap() {
            table.learn(line(pid, "a", None), Duration::ZERO);
        }
        assert_eq!(table.of(0, None, Duration::ZERO), None);
        assert!(table.of(1, None, Duration::ZERO).is_some());
    }
}
