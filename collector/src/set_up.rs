//! What a new practice still has to set up, from what is there: nothing of it is kept twice.
//!
//! Pure. Two things that cannot be seen are acts: that the keys were taken away, and that somebody put the list away
//! before its end ([`SetUp`]).

use ntk_evidence::act;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::text::count;

/// `change` of an `act_configuration`: the keys are no longer on the collector.
pub const KEYS_AWAY: &str = "keys taken away";
/// `change` of an `act_configuration`: the list of what is to be set up is put away.
pub const PUT_AWAY: &str = "set-up put away";

/// What acts say of the set-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SetUp {
    /// When a table was put in force by a person, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// When a trial was last taken by a mail server or gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tested: Option<String>,
    /// When the keys were taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_away: Option<String>,
    /// When the list was put away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_away: Option<String>,
}

impl SetUp {
    /// Takes in an act at its time.
    pub fn apply(&mut self, kind: &str, at: &str, body: &Value) {
        let said = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        let field = match kind {
            act::kind::POLICY if !said("by").is_empty() => &mut self.table,
            act::kind::DELIVERY if said("step") == "sent" && said("what") == "test" => &mut self.tested,
            act::kind::CONFIGURATION if said("change") == KEYS_AWAY => &mut self.keys_away,
            act::kind::CONFIGURATION if said("change") == PUT_AWAY => &mut self.put_away,
            _ => return,
        };
        *field = Some(at.to_owned());
    }

    /// What an act of [`KEYS_AWAY`] or [`PUT_AWAY`] says in the review.
    pub fn sentence(body: &Value) -> Option<&'static str> {
        match body.get("change").and_then(Value::as_str)? {
            KEYS_AWAY => {
                Some("Practice key and recovery key were recorded as taken away from the collector.")
            }
            PUT_AWAY => Some("The list of what is still to be set up was put away."),
            _ => None,
        }
    }
}

/// One thing to set up, in the order in which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Name, zone, hours.
    Practice,
    /// The roster.
    People,
    /// Where reviews and notices go.
    Notices,
    /// Who puts the second name.
    SecondReviewer,
    /// Places that machines found.
    Places,
    /// The need-to-know table.
    Table,
    /// The first machines.
    Machines,
    /// A trial of mails and notices.
    MailTest,
    /// Somebody outside remembers the log.
    Witness,
    /// The keys.
    Keys,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 10] = [
        Self::Practice,
        Self::People,
        Self::Notices,
        Self::SecondReviewer,
        Self::Places,
        Self::Table,
        Self::Machines,
        Self::MailTest,
        Self::Witness,
        Self::Keys,
    ];

    /// As it stands in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Practice => "practice",
            Self::People => "people",
            Self::Notices => "notices",
            Self::SecondReviewer => "second-reviewer",
            Self::Places => "places",
            Self::Table => "table",
            Self::Machines => "machines",
            Self::MailTest => "mail-test",
            Self::Witness => "witness",
            Self::Keys => "keys",
        }
    }

    /// As it stands on pages.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Practice => "Your practice",
            Self::People => "People",
            Self::Notices => "Who is told",
            Self::SecondReviewer => "A second reviewer",
            Self::Places => "Places found on machines",
            Self::Table => "Who needs what",
            Self::Machines => "The first machines",
            Self::MailTest => "A trial",
            Self::Witness => "Somebody outside remembers",
            Self::Keys => "Keys to take away",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the practice.
    pub practice: String,
    /// Its zone.
    pub zone: String,
    /// People in the roster.
    pub n_people: usize,
    /// Their accounts.
    pub n_accounts: usize,
    /// Ways on which reviews go.
    pub n_reports: usize,
    /// Ways on which notices go.
    pub n_notices: usize,
    /// Whether there is a second reviewer, or a reason why not.
    pub is_second_settled: bool,
    /// Machines that are let in.
    pub n_machines: usize,
    /// Places that machines propose to watch.
    pub n_places: usize,
    /// Of these, not decided.
    pub n_undecided: usize,
    /// Name of the table in force.
    pub table: String,
    /// Whether a witness outside has cosigned.
    pub is_witnessed: bool,
    /// What acts say.
    pub acts: SetUp,
}

/// How one step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub step: Step,
    /// As it stands on pages.
    pub title: String,
    /// Whether nothing of it is left to do.
    pub done: bool,
    /// What is there, in one sentence.
    pub says: String,
}

/// How all steps stand, in order.
pub fn standings(facts: &Facts) -> Vec<Standing> {
    let standing = |step: Step| {
        let (done, says) = stands(step, facts);
        Standing { step, title: step.title().to_owned(), done, says }
    };
    Step::ALL.into_iter().map(standing).collect()
}

fn stands(step: Step, facts: &Facts) -> (bool, String) {
    let at = |at: &Option<String>| at.is_some();
    match step {
        Step::Practice => (true, format!("{}, times in {}.", facts.practice, facts.zone)),
        Step::People => (
            facts.n_people > 1 && facts.n_accounts > 0,
            format!(
                "{} and {} are listed.",
                count(facts.n_people, "person", "people"),
                count(facts.n_accounts, "account", "accounts")
            ),
        ),
        Step::Notices => {
            let ways = |n: usize| if n == 0 { "nowhere".to_owned() } else { count(n, "way", "ways") };
            let says = format!("Reviews go {}, notices {}.", ways(facts.n_reports), ways(facts.n_notices));
            (facts.n_reports > 0 && facts.n_notices > 0, says)
        }
        Step::SecondReviewer => {
            let says = if facts.is_second_settled {
                "It is settled."
            } else {
                "Nobody was named, and nobody declined."
            };
            (facts.is_second_settled, says.to_owned())
        }
        Step::Places => match (facts.n_machines, facts.n_places, facts.n_undecided) {
            (0, ..) => (false, "Machines look for them once the first one is let in.".to_owned()),
            (_, 0, _) => (true, "No machine found a place that is not watched.".to_owned()),
            (_, n, 0) => (true, format!("{} found, each decided.", count(n, "place", "places"))),
            (_, n, open) => (false, format!("{} found; {open} to be decided.", count(n, "place", "places"))),
        },
        Step::Table => {
            let by =
                if at(&facts.acts.table) { "put in force by one of you" } else { "as the set-up left it" };
            (at(&facts.acts.table), format!("In force: {}, {by}.", facts.table))
        }
        Step::Machines => match facts.n_machines {
            0 => (false, "No machine records yet.".to_owned()),
            n => (true, format!("{} let in.", count(n, "machine", "machines"))),
        },
        Step::MailTest => {
            let says = if at(&facts.acts.tested) { "A trial was taken." } else { "No trial was taken yet." };
            (at(&facts.acts.tested), says.to_owned())
        }
        Step::Witness => {
            let says = if facts.is_witnessed {
                "A witness outside remembers the log."
            } else {
                "Nobody outside remembers the log: whoever holds every computer here could write it anew."
            };
            (facts.is_witnessed, says.to_owned())
        }
        Step::Keys => {
            let says = if at(&facts.acts.keys_away) {
                "They were recorded as taken away."
            } else {
                "Nobody has recorded that they were taken away."
            };
            (at(&facts.acts.keys_away), says.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(facts: &Facts) -> Vec<&'static str> {
        standings(facts).into_iter().filter(|one| one.done).map(|one| one.step.name()).collect()
    }

    #[test]
    fn every_step_is_done_by_what_is_there_and_by_nothing_else() {
        let mut facts = Facts::default();
        assert_eq!(done(&facts), ["practice"]);
        (facts.n_people, facts.n_accounts) = (2, 1);
        (facts.n_reports, facts.n_notices, facts.is_second_settled) = (1, 1, true);
        (facts.n_machines, facts.n_places, facts.n_undecided) = (1, 3, 1);
        assert_eq!(done(&facts), ["practice", "people", "notices", "second-reviewer", "machines"]);
        facts.n_undecided = 0;
        facts.is_witnessed = true;
        let at = "2026-11-28T08:00:00Z";
        for (kind, body) in [
            (act::kind::POLICY, json!({"text": "x", "by": "mary"})),
            (act::kind::DELIVERY, json!({"step": "sent", "what": "test"})),
            (act::kind::CONFIGURATION, json!({"change": KEYS_AWAY, "by": "mary"})),
        ] {
            let before = facts.acts.clone();
            facts.acts.apply(
                kind,
                at,
                &json!({"step": "failed", "what": "test", "change": "collector.toml"}),
            );
            assert_eq!(facts.acts, before, "another act of the kind");
            facts.acts.apply(kind, at, &body);
            assert_ne!(facts.acts, before, "{kind}");
        }
        assert_eq!(done(&facts).len(), Step::ALL.len());
        for step in Step::ALL {
            assert_eq!(Step::parse(step.name()), Some(step));
            assert_eq!(serde_json::to_value(step).unwrap(), step.name());
        }
    }
}
