//! What collectors tell each other beside the log: which machines they hear, and what they have in common.

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::{LISTEN_EVERY, Shared};
use crate::in_common::InCommon;
use crate::ledger::LedgerError;
use crate::ledger::database::DatabaseError;
use crate::threads;

impl Shared {
    /// Hears the others and is heard. A machine that another collector hears is not silent.
    pub(super) fn listen(&mut self) -> Result<(), LedgerError> {
        if *self.leads.borrow() {
            let elsewhere = self.database.heard()?;
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).elsewhere = elsewhere;
        } else {
            let here = self.heard.lock().unwrap_or_else(PoisonError::into_inner).here.clone();
            if !here.is_empty() {
                self.database.tell_heard(&here)?;
            }
        }
        Ok(())
    }
}

/// Looks at what collectors have in common until the ledger has ended. In a thread of its own: copies are synced to this
/// computer's disk, and no lease runs out meanwhile.
pub(super) fn look_on(common: Arc<InCommon>, mut leads: watch::Receiver<bool>) -> Result<(), LedgerError> {
    let mut database = common.connect()?;
    let looking = threads::spawn("in-common", move || {
        while !matches!(database.wait(LISTEN_EVERY, leads.changed()), Some(Err(_))) {
            let is_leading = *leads.borrow_and_update();
            if let Err(lost) = common.look(&mut database, is_leading) {
                common.say("the database", &lost);
            }
        }
    });
    let _detached = looking.map_err(|error| DatabaseError::Lost(Box::new(error)))?;
    Ok(())
}
