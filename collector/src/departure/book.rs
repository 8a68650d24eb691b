//! Ticks: who said when that a step is done; taking a tick back is another act, and both stay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `act_departure`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum DepartureStep {
    /// Somebody says that it is done.
    Ticked {
        /// Id of the person who leaves.
        person: String,
        /// Id of the step.
        item: String,
        /// Id of the person who says so.
        by: String,
        /// What they add.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Somebody says that it is not done after all.
    Unticked {
        /// Id of the person who leaves.
        person: String,
        /// Id of the step.
        item: String,
        /// Id of the person who says so.
        by: String,
        /// What they add.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// A step that stands ticked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tick {
    /// When, RFC 3339.
    pub at: String,
    /// Id of the person who ticked it.
    pub by: String,
    /// What they added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// An act about a departure that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("an act about a departure cannot be read")]
pub struct DepartureFault(#[from] serde_json::Error);

/// Which steps stand ticked, as the acts so far say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticks(BTreeMap<(String, String), Tick>);

impl Ticks {
    /// Takes in an act with its time.
    pub fn apply(&mut self, at: &str, body: &Value) -> Result<(), DepartureFault> {
        match DepartureStep::deserialize(body)? {
            DepartureStep::Ticked { person, item, by, note } => {
                self.0.insert((person, item), Tick { at: at.to_owned(), by, note });
            }
            DepartureStep::Unticked { person, item, .. } => {
                self.0.remove(&(person, item));
            }
        }
        Ok(())
    }

    /// The tick of a step.
    pub fn of(&self, person: &str, item: &str) -> Option<&Tick> {
        self.0.get(&(person.to_owned(), item.to_owned()))
    }

    /// Every tick of a person's departure, with the step's id.
    pub fn of_person(&self, person: &str) -> impl Iterator<Item = (&str, &Tick)> {
        self.0
            .iter()
            .filter(move |((whose, _), _)| whose == person)
            .map(|((_, item), tick)| (item.as_str(), tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_act_of_a_step_counts() {
        let mut ticks = Ticks::default();
        let act = |step: &str, by: &str| json!({"step": step, "person": "bea", "item": "mail", "by": by});
        ticks.apply("2026-11-20T10:00:00Z", &act("ticked", "mary")).unwrap();
        assert_eq!(ticks.of("bea", "mail").map(|tick| tick.by.as_str()), Some("mary"));
        assert_eq!(ticks.of("sam", "mail"), None);
        ticks.apply("2026-11-20T11:00:00Z", &act("unticked", "drchen")).unwrap();
        assert_eq!(ticks.of("bea", "mail"), None);
        ticks.apply("2026-11-20T12:00:00Z", &act("ticked", "drchen")).unwrap();
        assert_eq!(
            ticks.of_person("bea").map(|(item, tick)| (item, tick.at.as_str())).collect::<Vec<_>>(),
            [("mail", "2026-11-20T12:00:00Z")]
        );
    }

    #[test]
    fn an_act_of_another_form_is_named_and_changes_nothing() {
        let mut ticks = Ticks::default();
        for body in
            [json!({}), json!({"step": "burned"}), json!({"step": "ticked", "person": "bea"}), json!(7)]
        {
            assert!(ticks.apply("2026-11-20T10:00:00Z", &body).is_err());
        }
        assert_eq!(ticks, Ticks::default());
    }
}
