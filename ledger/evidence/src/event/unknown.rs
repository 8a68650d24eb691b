//! What an event of a newer version says that this one does not know: stored, counted, shown, never judged.

use super::{Event, OtherFields};
use crate::act;

impl Event {
    /// Names of the fields and words that this version does not know, dotted, sorted.
    pub fn unknown(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut fields = |prefix: &str, other: &OtherFields| {
            found.extend(other.keys().filter(|key| *key != act::FIELD).map(|key| format!("{prefix}{key}")));
        };
        fields("", &self.other);
        if let Some(actor) = &self.actor {
            fields("actor.", &actor.other);
            actor.candidates.iter().for_each(|candidate| fields("actor.candidates.", &candidate.other));
        }
        if let Some(process) = &self.process {
            fields("process.", &process.other);
        }
        if let Some(object) = &self.object {
            fields("object.", &object.other);
        }
        if let Some(source) = &self.source {
            fields("source.", &source.other);
        }
        if let Some(tamper) = &self.tamper {
            fields("tamper.", &tamper.other);
        }
        if let Some(gap) = &self.gap {
            fields("gap.", &gap.other);
        }
        if let Some(health) = &self.health {
            fields("health.", &health.other);
        }
        if let Some(epoch) = &self.epoch {
            fields("epoch.", &epoch.other);
        }
        if let Some(inventory) = &self.inventory {
            fields("inventory.", &inventory.other);
        }
        if let Some(commission) = &self.commission {
            fields("commission.", &commission.other);
        }
        if let Some(change) = &self.change {
            fields("change.", &change.other);
        }
        let mut word = |name: &str, known: bool, word: &str| {
            if !known {
                found.push(format!("{name}={word}"));
            }
        };
        word("kind", self.kind.is_known() || act::is_act(&self.kind), self.kind.as_str());
        if let Some(outcome) = &self.outcome {
            word("outcome", outcome.is_known(), outcome.as_str());
        }
        if let Some(action) = &self.action {
            word("action", action.is_known(), action.as_str());
        }
        if let Some(confidence) = self.actor.as_ref().and_then(|actor| actor.confidence.as_ref()) {
            word("actor.confidence", confidence.is_known(), confidence.as_str());
        }
        if let Some(acting_as) = self.actor.as_ref().and_then(|actor| actor.acting_as.as_ref()) {
            word("actor.acting_as", acting_as.is_known(), acting_as.as_str());
        }
        if let Some(change) = &self.change {
            word("change.what", change.what.is_known(), change.what.as_str());
        }
        if let Some(because) = self.actor.as_ref().and_then(|actor| actor.because.as_ref()) {
            word("actor.because", because.is_known(), because.as_str());
        }
        if let Some(object) = &self.object {
            if let Some(class) = &object.class {
                word("object.class", class.is_known(), class.as_str());
            }
            if let Some(via) = &object.via {
                word("object.via", via.is_known(), via.as_str());
            }
        }
        if let Some(tamper) = &self.tamper {
            word("tamper.what", tamper.what.is_known(), tamper.what.as_str());
        }
        if let Some(inventory) = &self.inventory {
            word("inventory.reason", inventory.reason.is_known(), inventory.reason.as_str());
            for holding in inventory.holdings.iter().chain(&inventory.gone) {
                word("inventory.what", holding.what.is_known(), holding.what.as_str());
            }
        }
        for step in self.commission.iter().flat_map(|commission| &commission.steps) {
            word("commission.what", step.what.is_known(), step.what.as_str());
            word("commission.outcome", step.outcome.is_known(), step.outcome.as_str());
        }
        found.sort();
        found
    }
}
