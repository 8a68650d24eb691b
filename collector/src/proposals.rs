//! What machines propose to watch, and what a person of the practice decided about it.
//!
//! A machine tells by `inventory` events what it found; the decision is an act, by somebody who may approve tickets and
//! proved who they are (RV-1). [`Decisions`] is what the acts amount to and goes down every stream of its machine; an
//! agent only ever adds watches, so a collector in wrong hands can make it watch more, never less. [`Proposals`] is what
//! the entries say, for people: rows of the query store, so that asking for them reads no entries.

use std::collections::BTreeMap;

use ntk_evidence::event::{Event, InventoryReason, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Decisions of one machine that are kept; more than it can propose.
const OF_A_MACHINE_MAX: usize = 10_000;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It is to be watched.
    Confirmed,
    /// It is not to be asked again.
    Declined,
}

/// Body of `act_watch`; what it is about stands in the event's `object`, so that its path can be withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchAct {
    /// What was decided.
    pub step: Step,
    /// The machine: `agent/<id>`.
    pub author: String,
    /// Id of the proposal.
    pub id: String,
    /// What speaks for watching it, as the machine told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// The decisions in force, by author and proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decisions {
    by_author: BTreeMap<String, BTreeMap<String, Step>>,
}

impl Decisions {
    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.by_author.is_empty()
    }

    /// Takes in the body of an act. What was confirmed stays confirmed.
    pub fn apply(&mut self, body: &Value) {
        let Ok(act) = serde_json::from_value::<WatchAct>(body.clone()) else { return };
        let decided = self.by_author.entry(act.author).or_default();
        if decided.len() >= OF_A_MACHINE_MAX || decided.get(&act.id) == Some(&Step::Confirmed) {
            return;
        }
        decided.insert(act.id, act.step);
    }

    /// What was decided for a machine, by proposal.
    pub fn of(&self, author: &str) -> impl Iterator<Item = (&str, Step)> {
        self.by_author.get(author).into_iter().flatten().map(|(id, step)| (id.as_str(), *step))
    }

    /// What was decided about one proposal.
    pub fn about(&self, author: &str, id: &str) -> Option<Step> {
        self.by_author.get(author)?.get(id).copied()
    }
}

/// How a proposal stands, as its machine told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It waits for a decision.
    Proposed,
    /// The machine watches it.
    Watched,
    /// The machine knows that it was declined.
    Declined,
}

/// One thing that a machine proposed or watches beyond its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Id of the proposal.
    pub id: String,
    /// The machine: `agent/<id>`.
    pub author: String,
    /// When it was told first, RFC 3339, as the machine says.
    pub since: String,
    /// Where it lies.
    pub path: String,
    /// Class of asset.
    pub class: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What speaks for watching it.
    pub because: String,
    /// How it stands on the machine.
    pub standing: Standing,
}

impl Proposal {
    /// How a proposal stands after an entry of its machine; nothing where the entry tells of none. The machine's last word
    /// stands, and the time of its first.
    pub fn after(before: Option<&Self>, author: &str, event: &Event) -> Option<Self> {
        let inventory = event.inventory.as_ref().filter(|_| event.kind == Kind::Inventory)?;
        let standing = match inventory.reason {
            InventoryReason::WatchProposed => Standing::Proposed,
            InventoryReason::WatchBegun => Standing::Watched,
            InventoryReason::WatchDeclined => Standing::Declined,
            InventoryReason::Start
            | InventoryReason::Change
            | InventoryReason::Asked
            | InventoryReason::Other(_) => return None,
        };
        let (id, object) = (inventory.proposal.as_ref()?, event.object.as_ref()?);
        Some(Self {
            id: id.clone(),
            author: author.to_owned(),
            since: before.map_or_else(|| event.time.clone(), |known| known.since.clone()),
            path: object.path.clone().unwrap_or_default(),
            class: object.class.as_ref().map(ToString::to_string).unwrap_or_default(),
            owner: object.owner.clone(),
            because: inventory.because.clone().unwrap_or_default(),
            standing,
        })
    }
}

/// Everything that machines proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals {
    found: BTreeMap<(String, String), Proposal>,
}

impl FromIterator<Proposal> for Proposals {
    fn from_iter<T: IntoIterator<Item = Proposal>>(all: T) -> Self {
        let key = |one: &Proposal| (one.author.clone(), one.id.clone());
        Self { found: all.into_iter().map(|one| (key(&one), one)).collect() }
    }
}

impl Proposals {
    /// All of them, by machine and path.
    pub fn sorted(&self) -> Vec<&Proposal> {
        let mut all: Vec<&Proposal> = self.found.values().collect();
        all.sort_by(|a, b| (&a.author, &a.path, &a.id).cmp(&(&b.author, &b.path, &b.id)));
        all
    }

    /// Those with this id, or with an id that begins so: more than one where it is not unique.
    pub fn named(&self, id: &str) -> Vec<&Proposal> {
        let exact = self.found.values().filter(|proposal| proposal.id == id);
        let exact: Vec<&Proposal> = exact.collect();
        if !exact.is_empty() || id.len() < 4 {
            return exact;
        }
        self.found.values().filter(|proposal| proposal.id.starts_with(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(reason: &str, id: &str, time: &str) -> Event {
        let event = json!({
            "kind": "inventory", "time": time, "object": {"path": format!("/srv/{id}"), "class": "export"},
            "inventory": {"reason": reason, "proposal": id, "because": "looks like FHIR health records"},
        });
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_last_word_of_a_machine_stands_and_its_first_time() {
        let first = Proposal::after(None, "agent/ws-01", &told("watch_proposed", "aa11", "1"));
        let second = Proposal::after(None, "agent/ws-02", &told("watch_proposed", "aa11", "2"));
        let third = Proposal::after(first.as_ref(), "agent/ws-01", &told("watch_begun", "aa11", "3"));
        assert_eq!(Proposal::after(None, "agent/ws-01", &told("start", "bb22", "4")), None);
        let proposals: Proposals = [first, second, third].into_iter().flatten().collect();
        let lines: Vec<_> = proposals
            .sorted()
            .iter()
            .map(|one| format!("{} {} {} {:?}", one.author, one.path, one.since, one.standing))
            .collect();
        assert_eq!(lines, ["agent/ws-01 /srv/aa11 1 Watched", "agent/ws-02 /srv/aa11 2 Proposed"]);
        assert_eq!(proposals.named("aa11").len(), 2);
        assert_eq!((proposals.named("aa1").len(), proposals.named("bb22").len()), (0, 0));
    }

    #[test]
    fn what_was_confirmed_is_never_declined_afterwards() {
        let mut decisions = Decisions::default();
        let mut apply = |step: &str, id: &str| {
            decisions.apply(&json!({"step": step, "author": "agent/ws-01", "id": id, "by": "mary"}));
        };
        apply("declined", "a");
        apply("confirmed", "b");
        apply("declined", "b");
        apply("burned", "c");
        let of: Vec<_> = decisions.of("agent/ws-01").collect();
        assert_eq!(of, [("a", Step::Declined), ("b", Step::Confirmed)]);
        assert_eq!(decisions.of("agent/ws-02").count(), 0);
    }
}
