//! Legal holds: what must not be removed, built from acts alone.
//!
//! A hold covers a span of time; one of a person covers that span as well, because what speaks for or against a
//! person may stand in anybody's entries. A hold ends by an act of its own and stays listed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use serde::{Deserialize, Serialize};

use crate::need_to_know::moment;

/// Body of [`act::kind::HOLD`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum HoldStep {
    /// It begins.
    Began(Terms),
    /// It ends.
    Released {
        /// Which.
        id: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
        /// Who ends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// How they showed who they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
}

/// What a hold covers and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// `H-1`.
    pub id: String,
    /// The case.
    pub case: String,
    /// Whom it is about; nobody in particular where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// From when; from the first entry where absent.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when; without end where absent.
    #[serde(default, with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How they showed who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// A hold as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What it covers.
    pub terms: Terms,
    /// When it began, RFC 3339.
    pub began: String,
    /// Number of the act.
    pub act: u64,
    /// When it was released, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
    /// Number of the act that released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_by: Option<u64>,
}

impl Hold {
    /// Whether it is in force.
    pub const fn is_in_force(&self) -> bool {
        self.released.is_none()
    }

    /// Whether something between these moments must not be removed.
    pub fn covers(&self, from: Timestamp, to: Timestamp) -> bool {
        let (begins, ends) = (self.terms.from, self.terms.to);
        self.is_in_force() && begins.is_none_or(|begins| begins <= to) && ends.is_none_or(|ends| ends >= from)
    }
}

/// All holds, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Holds(BTreeMap<String, Hold>);

impl Holds {
    /// Takes in an act with its number; acts of other kinds change nothing.
    pub fn apply(&mut self, number: u64, event: &Event) {
        if event.kind.as_str() != act::kind::HOLD {
            return;
        }
        let step = act::body(event).and_then(|body| serde_json::from_value::<HoldStep>(body.clone()).ok());
        match step {
            Some(HoldStep::Began(terms)) => {
                let hold =
                    Hold { terms, began: event.time.clone(), act: number, released: None, released_by: None };
                // An id is given once: a second act of one id releases or loosens nothing.
                self.0.entry(hold.terms.id.clone()).or_insert(hold);
            }
            Some(HoldStep::Released { id, .. }) => {
                if let Some(hold) = self.0.get_mut(&id).filter(|hold| hold.is_in_force()) {
                    (hold.released, hold.released_by) = (Some(event.time.clone()), Some(number));
                }
            }
            // An act of a newer version that this one cannot read releases nothing.
            None => {}
        }
    }

    /// Whether there never was one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A hold.
    pub fn get(&self, id: &str) -> Option<&Hold> {
        self.0.get(id)
    }

    /// All of them, by act.
    pub fn all(&self) -> Vec<&Hold> {
        let mut holds: Vec<&Hold> = self.0.values().collect();
        holds.sort_by_key(|hold| hold.act);
        holds
    }

    /// Those in force.
    pub fn in_force(&self) -> impl Iterator<Item = &Hold> {
        self.0.values().filter(|hold| hold.is_in_force())
    }

    /// The id of the next one.
    pub fn next_id(&self) -> String {
        format!("H-{}", self.0.len().saturating_add(1))
    }

    /// Ids of the holds in force of a case, or about a person; `H-1, H-3`.
    pub fn ids_of(&self, case: &str, person: Option<&str>) -> Option<String> {
        let of = |hold: &&Hold| {
            let about = hold.terms.person.as_deref();
            hold.terms.case == case || (about.is_some() && about == person)
        };
        let ids: Vec<&str> = self.in_force().filter(of).map(|hold| hold.terms.id.as_str()).collect();
        (!ids.is_empty()).then(|| ids.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn act(body: serde_json::Value) -> Event {
        act::event(act::kind::HOLD, "2026-11-27T12:00:00Z", body)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_hold_covers_its_span_until_it_is_released_once() {
        let mut holds = Holds::default();
        holds.apply(
            4,
            &act(json!({"step": "began", "id": "H-1", "case": "C-1", "reason": "letter of counsel",
            "person": "sam", "from": "2026-11-01T00:00:00Z", "to": "2026-11-30T00:00:00Z"})),
        );
        let covers =
            |holds: &Holds, from: &str, to: &str| holds.in_force().any(|hold| hold.covers(at(from), at(to)));
        assert!(covers(&holds, "2026-10-01T00:00:00Z", "2026-11-02T00:00:00Z"));
        assert!(covers(&holds, "2026-11-30T00:00:00Z", "2026-12-02T00:00:00Z"));
        assert!(!covers(&holds, "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"));
        assert_eq!(holds.ids_of("C-1", None).as_deref(), Some("H-1"));
        assert_eq!(holds.ids_of("C-2", Some("sam")).as_deref(), Some("H-1"));
        assert_eq!(holds.ids_of("C-2", Some("mary")), None);
        assert_eq!(holds.next_id(), "H-2");
        // A second act of the same id cannot shorten it, and one that cannot be read changes nothing.
        holds.apply(5, &act(json!({"step": "began", "id": "H-1", "case": "C-9", "reason": "x", "to": "2020-01-01T00:00:00Z"})));
        holds.apply(6, &act(json!({"step": "burned", "id": "H-1"})));
        holds.apply(7, &act(json!({"step": "released", "id": "H-7"})));
        assert_eq!(holds.get("H-1").map(|hold| (hold.act, hold.is_in_force())), Some((4, true)));
        holds.apply(8, &act(json!({"step": "released", "id": "H-1", "by": "mary", "proof": "none"})));
        holds.apply(9, &act(json!({"step": "released", "id": "H-1", "by": "sam"})));
        assert_eq!(holds.get("H-1").and_then(|hold| hold.released_by), Some(8));
        assert!(!covers(&holds, "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"));
    }
}
