//! What leaves the practice by itself: reviews on schedule, notices, and signs of life.
//!
//! [`schedule`] says which review is due and [`letter`] what a mail says of it; [`outbox`] keeps what is to be sent until
//! somebody has taken it; [`send`] makes one attempt; [`task`] goes round. Every step is an act: what was queued, what
//! was taken, what failed, whom it goes to. [`Deliveries`] is what these acts amount to.
//!
//! # Invariants
//! - DL-1: a message is queued durably before the act that says so, and the act stands before the first attempt.
//! - DL-2: what a server has taken is never sent again: it is marked in the outbox, then told in an act, then removed.
//!   Between the server's yes and the mark a crash can send it a second time, with the same Message-ID.
//! - DL-3: what the acts say was queued and is neither taken nor in the outbox is told, and a review is made and sent
//!   again: deleting the outbox hides nothing.

pub mod heartbeat;
pub mod letter;
pub mod outbox;
pub mod report;
pub mod schedule;
pub mod send;
pub mod task;
pub mod web;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many weeks and messages are remembered as done.
const REMEMBERED_MAX: usize = 256;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A weekly review.
    Report,
    /// A notice that should not wait.
    Notice,
    /// A trial.
    Test,
}

/// Body of `act_delivery`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum DeliveryAct {
    /// Whom it goes to, at a start where that is not what it was.
    Addressees {
        /// From now on.
        #[serde(flatten)]
        addressees: Addressees,
        /// Leaves up to here need no notice any more.
        #[serde(default)]
        until: u64,
    },
    /// Messages lie in the outbox.
    Queued {
        /// About what.
        what: What,
        /// Of a review: its week.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        week: Option<String>,
        /// Whether the schedule asked for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        scheduled: bool,
        /// Whether the week's review could not be made, and that is what the message says.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not_made: bool,
        /// Id and way of each.
        items: BTreeMap<String, String>,
        /// Of notices: leaves up to here were looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Of notices: what they tell of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        about: Vec<String>,
    },
    /// Somebody's server has taken it.
    Sent(Attempted),
    /// The first attempt failed; it is tried again.
    Failed(Attempted),
    /// It is not tried again.
    GivenUp(Attempted),
    /// It waited to be sent and is gone.
    Missing(Attempted),
    /// An address that the watched person may run is kept all the same.
    Declined {
        /// Why.
        because: String,
        /// The warnings that were shown.
        warnings: Vec<String>,
        /// Id of who decided it; absent where whoever runs the collector did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// How they showed who they are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<String>,
    },
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempted {
    /// The message.
    pub id: String,
    /// About what.
    pub what: What,
    /// `mail mary@example.net`, `ntfy ntfy.sh`, `folder`.
    pub way: String,
    /// Of a review: its week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whom it goes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressees {
    /// Who gets reviews, each with its way.
    pub reports: Vec<String>,
    /// Who gets notices.
    pub notices: Vec<String>,
    /// Over which mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Day and time of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// What a mail carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attach: Option<String>,
}

/// A message that was queued and not yet taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// About what.
    pub what: What,
    /// Its way.
    pub way: String,
    /// Its week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week: Option<String>,
}

/// What the acts say about deliveries so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliveries {
    /// Weeks whose review was queued by the schedule, oldest act first; with `/not made` those where only that was told.
    #[serde(default)]
    pub weeks: Vec<String>,
    /// What waits.
    #[serde(default)]
    pub open: BTreeMap<String, Open>,
    /// Ids of what was taken, oldest first.
    #[serde(default)]
    pub sent: Vec<String>,
    /// Whom it goes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressees: Option<Addressees>,
    /// Leaves up to here were looked at for notices.
    #[serde(default)]
    pub noticed_until: u64,
    /// When a review was last taken by anybody, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_report: Option<String>,
}

impl Deliveries {
    /// Whether no act spoke of deliveries yet.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in the body of an act, recorded at `time`.
    pub fn apply(&mut self, body: &Value, time: &str) {
        match serde_json::from_value(body.clone()) {
            Ok(DeliveryAct::Addressees { addressees, until }) => {
                self.addressees = Some(addressees);
                self.noticed_until = self.noticed_until.max(until);
            }
            Ok(DeliveryAct::Queued { what, week, scheduled, not_made, items, until, .. }) => {
                if let (Some(week), true) = (&week, scheduled) {
                    remember(&mut self.weeks, marked(week, not_made));
                }
                self.noticed_until = self.noticed_until.max(until.unwrap_or(0));
                for (id, way) in items {
                    self.open.insert(id, Open { what, way, week: week.clone() });
                }
            }
            Ok(DeliveryAct::Sent(sent)) => {
                if sent.what == What::Report {
                    self.last_report = Some(time.to_owned());
                }
                self.open.remove(&sent.id);
                remember(&mut self.sent, sent.id);
            }
            Ok(DeliveryAct::GivenUp(given_up)) => {
                self.open.remove(&given_up.id);
                remember(&mut self.sent, given_up.id);
            }
            Ok(DeliveryAct::Missing(missing)) => {
                self.open.remove(&missing.id);
                // The review is due again; who has it already does not get it twice, because ids stay.
                self.weeks
                    .retain(|week| Some(week.split('/').next().unwrap_or(week)) != missing.week.as_deref());
            }
            Ok(DeliveryAct::Failed(_) | DeliveryAct::Declined { .. }) | Err(_) => {}
        }
    }

    /// Whether the schedule is done with a week.
    pub fn is_done(&self, week: &str) -> bool {
        self.weeks.iter().any(|done| done == week)
    }

    /// Whether it was told that a week's review could not be made.
    pub fn is_told_not_made(&self, week: &str) -> bool {
        self.weeks.contains(&marked(week, true))
    }

    /// Whether this message needs nothing any more.
    pub fn is_sent(&self, id: &str) -> bool {
        self.sent.iter().any(|sent| sent == id)
    }
}

fn marked(week: &str, not_made: bool) -> String {
    if not_made { format!("{week}/not made") } else { week.to_owned() }
}

fn remember(list: &mut Vec<String>, one: String) {
    list.retain(|other| *other != one);
    list.push(one);
    let more = list.len().saturating_sub(REMEMBERED_MAX);
    list.drain(..more);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_queued_is_open_until_it_was_taken_and_due_again_where_it_is_gone() {
        let mut deliveries = Deliveries::default();
        let time = "2026-11-23T12:00:00Z";
        let queued = json!({"step": "queued", "what": "report", "week": "2026-W47", "scheduled": true, "items": {"a": "mail a@b.example", "b": "folder"}});
        deliveries.apply(&queued, time);
        assert!(deliveries.is_done("2026-W47") && !deliveries.is_done("2026-W46"));
        let of = |step: &str, id: &str| json!({"step": step, "id": id, "what": "report", "way": "folder", "week": "2026-W47", "reason": "x"});
        deliveries.apply(&of("failed", "b"), time);
        assert_eq!(deliveries.open.len(), 2);
        deliveries.apply(&of("sent", "b"), time);
        assert!(deliveries.is_sent("b") && deliveries.open.contains_key("a"));
        deliveries.apply(&of("missing", "a"), time);
        assert!(!deliveries.is_done("2026-W47") && deliveries.open.is_empty() && deliveries.is_sent("b"));
        let not_made = json!({"step": "queued", "what": "report", "week": "2026-W48", "scheduled": true, "not_made": true, "items": {}});
        deliveries.apply(&not_made, time);
        assert!(deliveries.is_told_not_made("2026-W48") && !deliveries.is_done("2026-W48"));
        deliveries.apply(&json!({"step": "of a newer version"}), time);
    }
}
