//! Failed sign-ins, told in the ledger: each name at once, then counted and told every ten minutes at most, so that
//! whoever tries a million times fills no disk.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::act;
use serde_json::json;

use super::super::Console;
use crate::admin::Failure;

/// How often one name is told.
const TELL_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What is counted and not told yet, by person; those under a name that is nobody's together.
#[derive(Debug, Default)]
pub(crate) struct Failed(Mutex<BTreeMap<Option<String>, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    told: Option<Timestamp>,
    n: u64,
    from: String,
}

impl Failed {
    /// Counts one; how many are to be told now.
    fn count(&self, person: Option<String>, from: IpAddr, now: Timestamp) -> u64 {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = failed.entry(person).or_default();
        waiting.n = waiting.n.saturating_add(1);
        waiting.from = from.to_string();
        if waiting.told.is_some_and(|told| now.duration_since(told) < TELL_EVERY) {
            return 0;
        }
        waiting.told = Some(now);
        std::mem::take(&mut waiting.n)
    }

    /// All that wait.
    fn take(&self) -> Vec<(Option<String>, u64, String)> {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = failed.iter_mut().filter(|(_, waiting)| waiting.n > 0);
        waiting
            .map(|(person, waiting)| (person.clone(), std::mem::take(&mut waiting.n), waiting.from.clone()))
            .collect()
    }
}

impl Console {
    /// Counts a failed sign-in, and tells it where it is time. A name that is nobody's is not kept: people type their
    /// passphrase there.
    pub(super) async fn count_failed(&self, person: Option<String>, from: IpAddr) -> Result<(), Failure> {
        match self.failed.count(person.clone(), from, self.now()) {
            0 => Ok(()),
            n => self.tell(person, n, &from.to_string()).await,
        }
    }

    /// Tells what waits: before somebody is let in, so that they see it.
    pub(super) async fn tell_failed(&self) -> Result<(), Failure> {
        for (person, n, from) in self.failed.take() {
            self.tell(person, n, &from).await?;
        }
        Ok(())
    }

    async fn tell(&self, person: Option<String>, n: u64, from: &str) -> Result<(), Failure> {
        let body = json!({"outcome": "failed", "person": person, "n": n, "from": from});
        self.record(act::kind::SIGN_IN, body).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_rest_in_one_line() {
        let at = |minutes: i64| Timestamp::from_second(1_795_000_000 + minutes * 60).unwrap();
        let from: IpAddr = "10.0.0.9".parse().unwrap();
        let failed = Failed::default();
        let mary = || Some("mary".to_owned());
        assert_eq!(failed.count(mary(), from, at(0)), 1);
        for minutes in 1..10 {
            assert_eq!(failed.count(mary(), from, at(minutes)), 0);
        }
        assert_eq!(failed.count(None, from, at(1)), 1);
        assert_eq!(failed.count(mary(), from, at(10)), 10);
        assert_eq!(failed.count(mary(), from, at(11)), 0);
        assert_eq!(failed.take(), [(mary(), 1, "10.0.0.9".to_owned())]);
        assert_eq!(failed.take(), []);
    }
}
