//! The rules as they were at a place in the ledger: every decision is made again under the rules of its time.

use jiff::Timestamp;

use super::answer::store_error;
use crate::ledger::LedgerError;
use crate::need_to_know::{Access, Decision, Verdicts, decide_with};
use crate::policy::Policy;
use crate::roster::Roster;
use crate::store::Store;
use crate::ticket::Tickets;

/// Roster, policy and tickets as they were at a leaf, parsed once a change.
#[derive(Debug, Default)]
pub struct Rules {
    texts: Option<(Option<String>, Option<String>)>,
    /// The roster there.
    pub roster: Roster,
    /// The policy there.
    pub policy: Policy,
    /// The book of tickets there.
    pub tickets: Tickets,
    /// Leaves whose tickets are in the book.
    reached: u64,
    verdicts: Verdicts,
}

impl Rules {
    /// Before the first act.
    pub fn new() -> Self {
        Self { verdicts: Verdicts::remembering(), ..Self::default() }
    }

    /// Goes to a leaf; forwards is cheap.
    pub fn at(&mut self, store: &Store, leaf: u64) -> Result<(), LedgerError> {
        let texts = (
            store.roster_before(leaf).map_err(store_error)?,
            store.policy_before(leaf).map_err(store_error)?,
        );
        if self.texts.as_ref() != Some(&texts) {
            self.roster = texts.0.as_deref().and_then(|text| Roster::parse(text).ok()).unwrap_or_default();
            self.policy = texts.1.as_deref().and_then(|text| Policy::parse(text).ok()).unwrap_or_default();
            self.texts = Some(texts);
        }
        if leaf < self.reached {
            (self.tickets, self.reached) = (Tickets::default(), 0);
        }
        for step in store.ticket_acts(self.reached, leaf).map_err(store_error)? {
            let at = step.time.parse().unwrap_or(Timestamp::UNIX_EPOCH);
            // Only what the engine took in is in the store.
            let _ = self.tickets.apply(at, &step.kind, &step.body);
        }
        self.reached = leaf;
        Ok(())
    }

    /// The decision under these rules.
    pub fn decide(&mut self, access: &Access<'_>) -> Decision {
        decide_with(access, &self.roster, &self.policy, &self.tickets, &mut self.verdicts)
    }
}
