//! The desk where tickets are handled: one step at a time, on the book as the ledger has it by now.
//!
//! A step reads what came since the last one, decides by a pure function, and writes its acts before the next
//! step begins: two approvals at once cannot both be the first, two requests cannot get one number.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use ntk_evidence::act;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::follow::{Lookup, Rules};
use crate::ledger::{LedgerError, LedgerHandle};
use crate::policy::Policy;
use crate::roster::Roster;
use crate::ticket::Tickets;

/// One desk a collector.
#[derive(Clone, Debug)]
pub struct Desk {
    ledger: LedgerHandle,
    lookup: Lookup,
    rules: Arc<Mutex<Rules>>,
}

/// What a step looks at.
#[derive(Debug)]
pub struct View<'a> {
    /// The book.
    pub tickets: &'a Tickets,
    /// The roster in force.
    pub roster: &'a Roster,
    /// The table in force, with the terms of tickets.
    pub policy: &'a Policy,
    /// The moment, in the practice's zone.
    pub now: &'a Zoned,
}

/// What a step writes: kind and body of each act.
pub type Acts = Vec<(&'static str, Value)>;

impl Desk {
    /// The desk of a ledger.
    pub fn new(ledger: LedgerHandle, lookup: Lookup) -> Self {
        Self { ledger, lookup, rules: Arc::default() }
    }

    /// Looks at the book, decides, writes; whoever comes next sees what was written.
    pub async fn step<T, E: From<LedgerError>>(
        &self,
        decide: impl FnOnce(&View<'_>) -> Result<(Acts, T), E>,
    ) -> Result<T, E> {
        let lookup = self.lookup.clone();
        let mut guard = Arc::clone(&self.rules).lock_owned().await;
        let reading = tokio::task::spawn_blocking(move || {
            let size = lookup.up_to_date()?;
            guard.at(lookup.store(), size)?;
            Ok::<_, LedgerError>(guard)
        });
        let rules = reading.await.map_err(|_| LedgerError::Stopped)??;
        let now = self.now();
        let view = View { tickets: &rules.tickets, roster: &rules.roster, policy: &rules.policy, now: &now };
        let (acts, answer) = decide(&view)?;
        if !acts.is_empty() {
            let time = now.timestamp().to_string();
            let acts = acts.into_iter().map(|(kind, body)| act::event(kind, time.clone(), body)).collect();
            // The book itself learns of it from the ledger, by the same code as after a new start.
            let _appended = self.ledger.act(acts).await?;
        }
        Ok(answer)
    }

    /// The moment, in the practice's zone, by the collector's clock.
    pub fn now(&self) -> Zoned {
        let zone: &TimeZone = self.lookup.zone();
        let now = self.ledger.now().parse().unwrap_or(Timestamp::UNIX_EPOCH);
        now.to_zoned(zone.clone())
    }
}

#[cfg(test)]
pub(crate) mod rig;
