//! What the acts say about people beside roster and findings: open links, notices, the second reviewer and what waits
//! for a signature, breach assessments, and whether people see what is recorded about themselves.
//!
//! Built from acts alone, by the code that runs at every start ([`crate::ledger::registry`]): no second list that
//! could disagree with the ledger. Shared, because it is published after every group of batches.

#[cfg(test)]
pub(crate) mod rig;
pub mod told;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::breach::Breaches;
use crate::finding::step::{Step, StepAct};
use crate::link::Links;
use crate::roster::Roster;
use crate::second::Standing;
use crate::second::cosign::Cosigns;
use crate::set_up::SetUp;
use crate::staff_notice::Notices;

/// `change` of an `act_configuration` that says whether people see what is recorded about themselves.
pub const SELF_VIEW: &str = "self view";

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct People {
    /// One-time links and paper forms.
    pub links: Links,
    /// Staff notices.
    pub notices: Notices,
    /// The second reviewer.
    pub second: Standing,
    /// What waits for a signature.
    pub cosigns: Cosigns,
    /// Breach assessments.
    pub breaches: Breaches,
    /// Whether people may see what is recorded about themselves.
    pub self_view: bool,
    /// How far the set-up is, as far as acts say.
    pub set_up: SetUp,
}

impl People {
    fn apply(&mut self, event: &Event) -> Option<()> {
        let (at, body) = (event.time.as_str(), act::body(event)?);
        self.set_up.apply(event.kind.as_str(), at, body);
        match event.kind.as_str() {
            act::kind::INIT => self.second = Standing::of_init(body),
            act::kind::SECOND_REVIEWER => self.second.apply(at, read(body)?),
            act::kind::COSIGN => self.cosigns.apply(at, read(body)?),
            act::kind::LINK => self.links.apply(at, read(body)?),
            act::kind::STAFF_NOTICE => {
                let link = self.notices.apply(at, read(body)?)?;
                self.links.used(&link);
            }
            act::kind::FINDING_STEP => {
                if let Step::Answered { given: Some(given), .. } = StepAct::of_body(body)?.step {
                    self.links.used(given.link.as_deref()?);
                }
            }
            act::kind::BREACH => {
                let by = body.get("by").and_then(Value::as_str).unwrap_or_default();
                self.breaches.apply(at, by, read(body)?);
            }
            act::kind::EXPORT => self.cosigns.used(body.get("cosign").and_then(Value::as_str)?),
            act::kind::CONFIGURATION if body.get("change").and_then(Value::as_str) == Some(SELF_VIEW) => {
                self.self_view = body.get("allowed").and_then(Value::as_bool)?;
            }
            _ => {}
        }
        Some(())
    }

    /// What every weekly review says, and whether it stands out: no second reviewer, how many days an assessment has
    /// left, what waits for a signature, who has not acknowledged.
    pub fn sentences(&self, roster: &Roster, now: Timestamp, today: Date) -> Vec<(String, bool)> {
        // That there is none is known; that there no longer is one has to be seen.
        let is_new = self.second.person().is_some();
        let second = self.second.sentence(roster, today).map(|said| (said, is_new));
        let waiting = self.cosigns.waiting(now).map(|waiting| {
            let now = if waiting.at_once.is_some() { "holds already and waits" } else { "waits" };
            (format!("{} {now} for a second signature: {}", waiting.id, waiting.says), true)
        });
        let lapsed = self.cosigns.lapsed(now).map(|lapsed| {
            let became = match &lapsed.at_once {
                None => "so it did not take effect",
                Some(_) => "and it holds on one person’s word",
            };
            (format!("Nobody co-signed {} in time, {became}: {}", lapsed.id, lapsed.says), false)
        });
        let breaches = self.breaches.open().map(|open| (open.sentence(today), true));
        let notices = self.notices.sentences(roster, today).into_iter().map(|said| (said, false));
        second.into_iter().chain(breaches).chain(waiting).chain(lapsed).chain(notices).collect()
    }
}

fn read<T: for<'de> Deserialize<'de>>(body: &Value) -> Option<T> {
    // An act of a newer version that this one cannot read changes nothing here.
    T::deserialize(body).ok()
}

/// [`People`], shared until an act changes something in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "People", into = "People")]
pub struct Shared(Arc<People>);

impl Shared {
    /// Takes in an act; acts of other kinds change nothing.
    pub fn apply(&mut self, event: &Event) {
        let is_ours = [
            act::kind::INIT,
            act::kind::SECOND_REVIEWER,
            act::kind::COSIGN,
            act::kind::LINK,
            act::kind::STAFF_NOTICE,
            act::kind::FINDING_STEP,
            act::kind::BREACH,
            act::kind::EXPORT,
            act::kind::CONFIGURATION,
            act::kind::DELIVERY,
            act::kind::POLICY,
        ];
        if is_ours.contains(&event.kind.as_str()) {
            let _ = Arc::make_mut(&mut self.0).apply(event);
        }
    }

    /// Whether no act has said anything.
    pub fn is_empty(&self) -> bool {
        *self.0 == People::default()
    }
}

impl std::ops::Deref for Shared {
    type Target = People;

    fn deref(&self) -> &People {
        &self.0
    }
}

impl From<People> for Shared {
    fn from(people: People) -> Self {
        Self(Arc::new(people))
    }
}

impl From<Shared> for People {
    fn from(shared: Shared) -> Self {
        Arc::unwrap_or_clone(shared.0)
    }
}
