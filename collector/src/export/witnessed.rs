//! Who vouches for a bundle's checkpoint: the round that was held for it, and older checkpoints from outside.

use std::sync::Arc;

use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::{witnessed_consistency_path, witnessed_path};
use ntk_evidence::trust::TrustFile;

use super::ExportError;
use crate::ledger::{LedgerHandle, SignedCheckpoint};
use crate::witness::{Kept, Witnessed};

/// The final checkpoint of a bundle with everything that vouches for it.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// The checkpoint of the round that was held for the bundle, with the committee's cosignatures.
    pub checkpoint: SignedCheckpoint,
    /// The trust file in force.
    pub trust: Arc<TrustFile>,
    /// The same, verbatim.
    pub trust_text: Arc<str>,
    /// The newest checkpoint that a witness outside cosigned.
    pub outside: Option<Kept>,
    /// Why the authority that was asked just before gave no time-stamp; absent where it did, or nobody is asked.
    pub unstamped: Option<String>,
}

impl Vouched {
    /// Puts the outside checkpoint in, with the proof that the final one continues it.
    pub(super) fn older(&self, ledger: &LedgerHandle, bag: &mut Bag) -> Result<(), ExportError> {
        let last = self.checkpoint.checkpoint.size;
        let Some(kept) = self.outside.as_ref().filter(|kept| kept.size <= last && kept.size > 0) else {
            return Ok(());
        };
        let proof = ledger.consistency(kept.size, last)?;
        let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        bag.insert(&witnessed_path(kept.size), kept.note.as_bytes())?;
        bag.insert(&witnessed_consistency_path(kept.size), lines)?;
        Ok(())
    }

    /// What nobody vouches for, in words.
    pub(super) fn absent(&self, witnessed: &Witnessed) -> Vec<String> {
        let until = witnessed.until(&self.trust);
        let mut absent = Vec::new();
        if let Some(reason) = &self.unstamped {
            let reason = reason.replace(char::is_control, " ");
            absent.push(format!("no time-stamp was got when this bundle was made: {}", reason.trim()));
        }
        if until.inside.is_none() {
            absent.push(
                "no committee of agents has cosigned a checkpoint: each agent only checks it".to_owned(),
            );
        }
        if until.outside.is_none() {
            absent.push(
                "no witness outside has cosigned a checkpoint: compare its twelve words with a printed weekly review"
                    .to_owned(),
            );
        }
        absent
    }
}
