//! Verdicts that were given before: the same question under the same policy has the same answer.
//!
//! The key is the whole question ([`Facts`] as far as any policy reads them), so remembering changes no
//! decision (ND-2); it only spares the policies' evaluation.

use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::Policy;
use crate::policy::cedar::{Facts, Verdict};

/// Questions that are remembered at most: a hospital's busy hour. Beyond that all are forgotten at once.
const REMEMBERED_MAX: usize = 1 << 15;

/// Verdicts by question, of one policy.
#[derive(Debug, Default)]
pub struct Verdicts {
    policy_hash: String,
    remembered: HashMap<Facts, Arc<Verdict>>,
    n_max: usize,
}

impl Verdicts {
    /// Remembers up to [`REMEMBERED_MAX`] questions.
    pub fn remembering() -> Self {
        Self { n_max: REMEMBERED_MAX, ..Self::default() }
    }

    /// Remembers nothing.
    pub fn forgetful() -> Self {
        Self::default()
    }

    /// The verdict of a policy on a question.
    pub(super) fn of(&mut self, policy: &Policy, facts: Facts) -> Arc<Verdict> {
        let facts = match policy.compiled() {
            Some(compiled) => facts.only(compiled.uses()),
            None => facts,
        };
        if self.n_max == 0 {
            return Arc::new(policy.judge(&facts));
        }
        if self.policy_hash != policy.hash() || self.remembered.len() >= self.n_max {
            self.remembered.clear();
            policy.hash().clone_into(&mut self.policy_hash);
        }
        if let Some(verdict) = self.remembered.get(&facts) {
            return Arc::clone(verdict);
        }
        let verdict = Arc::new(policy.judge(&facts));
        self.remembered.insert(facts, Arc::clone(&verdict));
        verdict
    }
}
