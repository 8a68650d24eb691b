//! Refused logins: several records of one try, or several tries of one process, become one fact.
//!
//! sshd writes USER_AUTH, USER_LOGIN and USER_ERR for the same try, some with a placeholder for the account.
//! They are held back for [`SETTLE`] after the last one, so that the fact names the account that was typed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Fact, FactKind, claimed, from_of, process_of};
use crate::record::{Record, Stamp, kind};

/// How long after its last record a refused login is given out.
const SETTLE: Duration = Duration::from_secs(5);

/// Processes whose tries are held at once; beyond that the oldest goes out early.
const ATTEMPTS_MAX: usize = 4096;

type Key = (Option<Box<str>>, Option<u32>);

struct Attempt {
    fact: Fact,
    n_tries: u64,
    named: bool,
    touched: Duration,
}

/// Refused logins that may get more records.
#[derive(Default)]
pub(super) struct Attempts {
    open: BTreeMap<Key, Attempt>,
}

impl Attempts {
    pub(super) fn refused(&mut self, record: &Record, now: Duration) -> Vec<Fact> {
        let mut out = Vec::new();
        let key = (record.node().map(Into::into), record.id("pid"));
        let account = record.claim_text("acct");
        let named = account.as_deref().is_some_and(|name| !name.starts_with('(') && name != "UNKNOWN");
        let n_tries = u64::from(named && record.kind() == kind::USER_AUTH);
        if let Some(attempt) = self.open.get(&key)
            && attempt.named
            && named
            && attempt.fact.actor.claims != account
        {
            // Another account: another login.
            out.extend(self.open.remove(&key).map(Attempt::into_fact));
        }
        let attempt = self.open.entry(key).or_insert_with(|| Attempt::new(record));
        attempt.touched = now;
        attempt.n_tries = attempt.n_tries.saturating_add(n_tries);
        attempt.fact.last = Some(record.stamp());
        if account.is_some() && (named || attempt.fact.actor.claims.is_none()) && !attempt.named {
            attempt.fact.actor.claims = account;
            attempt.named = named;
        }
        if attempt.fact.actor.from.is_none() {
            attempt.fact.actor.from = from_of(record);
        }
        if self.open.len() > ATTEMPTS_MAX {
            let oldest =
                self.open.iter().min_by_key(|(_, attempt)| attempt.touched).map(|(key, _)| key.clone());
            out.extend(oldest.and_then(|key| self.open.remove(&key)).map(Attempt::into_fact));
        }
        out
    }

    pub(super) fn expire(&mut self, now: Duration) -> Vec<Fact> {
        let late = |_: &Key, attempt: &mut Attempt| now.saturating_sub(attempt.touched) >= SETTLE;
        self.open.extract_if(.., late).map(|(_, attempt)| attempt.into_fact()).collect()
    }

    pub(super) fn flush(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.open).into_values().map(Attempt::into_fact).collect()
    }
}

impl Attempt {
    fn new(record: &Record) -> Self {
        let fact = Fact {
            stamp: record.stamp(),
            last: None,
            count: None,
            kind: FactKind::LoginRefused,
            actor: claimed(None, from_of(record)),
            process: process_of(record),
        };
        Self { fact, n_tries: 0, named: false, touched: Duration::ZERO }
    }

    fn into_fact(self) -> Fact {
        let several = self.n_tries > 1;
        let last = self.fact.last.filter(|last: &Stamp| several && *last != self.fact.stamp);
        Fact { count: several.then_some(self.n_tries), last, ..self.fact }
    }
}
