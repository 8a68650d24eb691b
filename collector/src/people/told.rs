//! Acts about people in words, for the weekly review: who was named, what was asked for, signed, published, assessed.

use ntk_evidence::act;
use serde_json::Value;

use super::SELF_VIEW;
use crate::breach::BreachStep;
use crate::link::LinkStep;
use crate::report::acts::name;
use crate::roster::Roster;
use crate::second::cosign::CosignStep;
use crate::second::{SecondStep, shown};
use crate::set_up::SetUp;
use crate::staff_notice::{How, NoticeStep};

/// What an act did, and whether it stands out; none for acts of other kinds and those that nobody has to read.
pub fn sentence(kind: &str, body: &Value, roster: &Roster) -> Option<(String, bool)> {
    let name = |id: &str| name(id, roster);
    Some(match kind {
        act::kind::SECOND_REVIEWER => match read(body)? {
            SecondStep::Named { person, because: Some(why), .. } => (
                format!(
                    "{} is the second reviewer from then on, without the agreement of the one before (“{}”). Ask them whether they know.",
                    name(&person),
                    shown(&why)
                ),
                true,
            ),
            SecondStep::Named { person, .. } if body.get("refilled") == Some(&Value::Bool(true)) => (
                format!("{} stays the second reviewer, as the ledger before this one says.", name(&person)),
                false,
            ),
            SecondStep::Named { person, .. } => {
                (format!("{} is the second reviewer from then on.", name(&person)), false)
            }
            SecondStep::Declined { because, .. } => {
                (format!("The practice does without a second reviewer (“{}”).", shown(&because)), true)
            }
        },
        act::kind::COSIGN => cosign(read(body)?, name),
        act::kind::STAFF_NOTICE => match read(body)? {
            NoticeStep::Published(published) => (
                format!(
                    "Version {} of the {} came into force; everybody is asked again.",
                    published.version,
                    published.notice.in_words()
                ),
                false,
            ),
            NoticeStep::Acknowledged(said) => {
                let typed_in = match (said.how, &said.recorded_by, &said.on) {
                    (How::Paper, Some(by), Some(on)) => format!(" of {on}, as {} recorded", name(by)),
                    _ => String::new(),
                };
                (
                    format!(
                        "{} acknowledged the {}, version {}, {}{typed_in}.",
                        name(&said.person),
                        said.notice.in_words(),
                        said.version,
                        said.how.in_words()
                    ),
                    false,
                )
            }
        },
        act::kind::LINK => match read(body)? {
            // A question is told on its item.
            LinkStep::Made(_) | LinkStep::Opened { .. } => return None,
            LinkStep::Withdrawn { id } => (format!("The one-time link or form {id} was withdrawn."), false),
        },
        act::kind::BREACH => match read(body)? {
            BreachStep::Started { id, finding, discovered, .. } => (
                format!(
                    "The assessment {id} under 45 CFR 164.402 began, about finding {finding}, discovered {discovered}."
                ),
                false,
            ),
            BreachStep::Closed { id, outcome, because } => (
                format!(
                    "The assessment {id} under 45 CFR 164.402 was closed: {} (“{}”).",
                    outcome.in_words(),
                    shown(&because)
                ),
                false,
            ),
            BreachStep::Noted { .. } => return None,
        },
        act::kind::CONFIGURATION if body.get("change").and_then(Value::as_str) == Some(SELF_VIEW) => {
            let allowed = body.get("allowed").and_then(Value::as_bool)?;
            let said = if allowed { "may see" } else { "no longer see" };
            (format!("People {said} what is recorded about themselves, without findings."), false)
        }
        act::kind::CONFIGURATION => (SetUp::sentence(body)?.to_owned(), false),
        _ => return None,
    })
}

fn cosign(step: CosignStep, name: impl Fn(&str) -> String) -> (String, bool) {
    match step {
        CosignStep::Asked(asked) => match &asked.at_once {
            Some(why) => (
                format!(
                    "{}, which holds already (“{}”), waits for a second signature: {}",
                    asked.id,
                    shown(why),
                    asked.says
                ),
                // It stands on page one for as long as it waits.
                false,
            ),
            None => (format!("{} waits for a second signature: {}", asked.id, asked.says), false),
        },
        CosignStep::Signed { id, by, .. } => (format!("{} co-signed {id}.", name(&by)), false),
        CosignStep::Declined { id, because, by } => {
            (format!("{} did not co-sign {id} (“{}”).", name(&by), shown(&because)), true)
        }
    }
}

fn read<T: for<'de> serde::Deserialize<'de>>(body: &Value) -> Option<T> {
    T::deserialize(body).ok()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_act_is_a_sentence_that_accuses_nobody() {
        let roster = Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap();
        let asked = |at_once: Value| {
            json!({
                "step": "asked", "id": "C-1", "what": "policy", "says": "Mary Lopez adopts a table.", "body": {}, "sha256": "0",
                "at_once": at_once, "by": "mary", "proof": "passphrase", "expires": "2026-11-27T10:00:00Z",
            })
        };
        let acts = [
            (
                "act_second_reviewer",
                json!({"step": "named", "person": "drchen", "by": "mary", "proof": "passphrase"}),
            ),
            (
                "act_second_reviewer",
                json!({"step": "named", "person": "drchen", "because": "moved away", "by": "mary"}),
            ),
            ("act_second_reviewer", json!({"step": "declined", "because": "two of us"})),
            ("act_cosign", asked(Value::Null)),
            ("act_cosign", asked(json!("the server is down"))),
            ("act_cosign", json!({"step": "signed", "id": "C-1", "sha256": "0", "by": "drchen"})),
            ("act_cosign", json!({"step": "declined", "id": "C-1", "because": "not agreed", "by": "drchen"})),
            (
                "act_staff_notice",
                json!({"step": "published", "notice": "staff", "version": "2", "text": "x"}),
            ),
            (
                "act_staff_notice",
                json!({"step": "acknowledged", "notice": "staff", "version": "2", "person": "sam", "how": "link", "link": "L-1"}),
            ),
            (
                "act_staff_notice",
                json!({"step": "acknowledged", "notice": "vendor_contract", "version": "1", "person": "northwind", "how": "paper", "on": "2026-11-20", "recorded_by": "mary"}),
            ),
            ("act_link", json!({"step": "opened", "id": "L-1"})),
            ("act_link", json!({"step": "withdrawn", "id": "L-1", "by": "mary"})),
            (
                "act_breach",
                json!({"step": "started", "id": "A-1", "finding": "f1", "discovered": "2026-11-20", "because": "x"}),
            ),
            (
                "act_breach",
                json!({"step": "closed", "id": "A-1", "outcome": "low_probability", "because": "it was encrypted"}),
            ),
            ("act_configuration", json!({"change": "self view", "allowed": true})),
            ("act_configuration", json!({"change": "stopped"})),
            ("act_cosign", json!({"step": "of a newer version"})),
        ];
        let said = acts.map(|(kind, body)| match sentence(kind, &body, &roster) {
            Some((said, prominent)) => format!("{}{said}", if prominent { "! " } else { "" }),
            None => "(nothing)".to_owned(),
        });
        expect![[r#"
            Dr. Chen is the second reviewer from then on.
            ! Dr. Chen is the second reviewer from then on, without the agreement of the one before (“moved away”). Ask them whether they know.
            ! The practice does without a second reviewer (“two of us”).
            C-1 waits for a second signature: Mary Lopez adopts a table.
            C-1, which holds already (“the server is down”), waits for a second signature: Mary Lopez adopts a table.
            Dr. Chen co-signed C-1.
            ! Dr. Chen did not co-sign C-1 (“not agreed”).
            Version 2 of the staff notice came into force; everybody is asked again.
            Sam Ortiz acknowledged the staff notice, version 2, by a one-time link.
            Northwind IT acknowledged the notice to vendors, version 1, on paper of 2026-11-20, as Mary Lopez recorded.
            (nothing)
            The one-time link or form L-1 was withdrawn.
            The assessment A-1 under 45 CFR 164.402 began, about finding f1, discovered 2026-11-20.
            The assessment A-1 under 45 CFR 164.402 was closed: a low probability that the information was compromised (“it was encrypted”).
            People may see what is recorded about themselves, without findings.
            (nothing)
            (nothing)"#]]
        .assert_eq(&said.join("\n"));
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(said.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
        }
    }
}
