//! What a changed table would have said about the last weeks. Pure: decisions go in, a comparison comes out.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::finding::incident::incidents;
use crate::finding::{Finding, FindingStep, Findings};
use crate::need_to_know::{Access, Decision, Judgement};

/// Groups of changes that are told one by one; the rest is counted.
const ROWS_MAX: usize = 40;

/// One kind of change, counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Who, in words.
    pub who: String,
    /// What, in words.
    pub asset: String,
    /// What the rules of the time said.
    pub before: Judgement,
    /// What the changed table says.
    pub after: Judgement,
    /// The sentence behind it.
    pub because: String,
    /// How many accesses.
    pub n_accesses: u64,
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Accesses that were judged.
    pub n_accesses: u64,
    /// Of which another outcome would have come.
    pub n_changed: u64,
    /// Items to decide under the rules of the time.
    pub items_before: u64,
    /// Items to decide under the changed table.
    pub items_after: u64,
    /// The changes, most first.
    pub changes: Vec<Change>,
    /// Accesses behind changes that are not listed.
    pub n_not_listed: u64,
}

/// Gathers both sides.
#[derive(Debug, Default)]
pub struct Trial {
    n_accesses: u64,
    changes: BTreeMap<(String, String, Judgement, Judgement, String), u64>,
    before: Side,
    after: Side,
}

/// One side's findings; signals are left out, because they do not depend on the table.
#[derive(Debug, Default)]
struct Side {
    open: Findings,
    found: BTreeMap<String, Finding>,
}

impl Side {
    fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let steps = self.open.observe(access, decision, &[], &[]);
        self.keep(steps);
    }

    fn keep(&mut self, steps: Vec<FindingStep>) {
        for step in steps {
            self.found.insert(step.finding().id.clone(), step.finding().clone());
        }
    }

    fn items(mut self, zone: &TimeZone) -> u64 {
        let steps = self.open.end_day();
        self.keep(steps);
        let found: Vec<Finding> = self.found.into_values().collect();
        u64::try_from(incidents(&found, zone).len()).unwrap_or(u64::MAX)
    }
}

impl Trial {
    /// One access with both decisions.
    pub fn observe(&mut self, access: &Access<'_>, before: &Decision, after: &Decision) {
        let n = access.n_accesses();
        self.before.observe(access, before);
        self.after.observe(access, after);
        if before.outcome == Judgement::NotJudged && after.outcome == Judgement::NotJudged {
            return;
        }
        self.n_accesses = self.n_accesses.saturating_add(n);
        if before.outcome == after.outcome {
            return;
        }
        let who = after.who.as_ref().or(before.who.as_ref());
        let who = who.and_then(|who| who.holder.clone().or_else(|| who.account.clone()));
        let asset = after.asset.as_ref().or(before.asset.as_ref()).map(|asset| asset.label.clone());
        let because = after.reasons.first().map(|reason| reason.sentence.clone());
        let key = (
            who.unwrap_or_else(|| "an account that the record does not name".to_owned()),
            asset.unwrap_or_default(),
            before.outcome,
            after.outcome,
            because.unwrap_or_default(),
        );
        let count = self.changes.entry(key).or_default();
        *count = count.saturating_add(n);
    }

    /// The comparison.
    pub fn finish(self, zone: &TimeZone) -> Comparison {
        let n_changed = self.changes.values().sum();
        let mut changes: Vec<Change> = self
            .changes
            .into_iter()
            .map(|((who, asset, before, after, because), n_accesses)| Change {
                who,
                asset,
                before,
                after,
                because,
                n_accesses,
            })
            .collect();
        changes.sort_by_key(|change| (std::cmp::Reverse(change.after), std::cmp::Reverse(change.n_accesses)));
        let n_not_listed = changes.iter().skip(ROWS_MAX).map(|change| change.n_accesses).sum();
        changes.truncate(ROWS_MAX);
        Comparison {
            n_accesses: self.n_accesses,
            n_changed,
            items_before: self.before.items(zone),
            items_after: self.after.items(zone),
            changes,
            n_not_listed,
        }
    }
}
