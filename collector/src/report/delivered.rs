//! What was sent out, in words: whom it goes to among the changes, what was taken among the looks.

use serde_json::Value;

use super::text::{count, list_of};
use crate::delivery::{DeliveryAct, What};

/// What changed, or failed, and whether it stands with the verdict; none for what is no change.
pub(super) fn change(body: &Value) -> Option<(String, bool)> {
    Some(match serde_json::from_value(body.clone()).ok()? {
        DeliveryAct::Addressees { addressees, .. } => {
            let named = |ways: &[String]| if ways.is_empty() { "nobody".to_owned() } else { list_of(ways) };
            let server = addressees
                .server
                .map(|server| format!(", over the mail server {server}"))
                .unwrap_or_default();
            let schedule = addressees.schedule.map_or_else(
                || "made only when somebody asks".to_owned(),
                |schedule| format!("made every {schedule}"),
            );
            let sentence = format!(
                "Whom reviews and notices go to was set. Reviews, {schedule}: {}{server}. Notices: {}. Ask who set this, and whether the addresses are yours.",
                named(&addressees.reports),
                named(&addressees.notices)
            );
            (sentence, true)
        }
        DeliveryAct::Failed(one) => {
            let what = what(one.what, one.week.as_deref());
            (
                format!(
                    "{what} could not be sent at first ({}): {}.",
                    one.way,
                    one.reason.unwrap_or_default()
                ),
                false,
            )
        }
        DeliveryAct::GivenUp(one) => {
            let what = what(one.what, one.week.as_deref());
            (
                format!(
                    "{what} was not taken for days ({}) and is not tried again: {}.",
                    one.way,
                    one.reason.unwrap_or_default()
                ),
                true,
            )
        }
        DeliveryAct::Missing(one) => {
            let what = what(one.what, one.week.as_deref());
            (
                format!(
                    "{what} waited to be sent ({}) and was removed from the collector’s outbox. Ask who has access to the collector.",
                    one.way
                ),
                true,
            )
        }
        DeliveryAct::Declined { because, warnings, .. } => {
            let n = count(warnings.len(), "warning was", "warnings were");
            (
                format!(
                    "It was recorded that mails and notices stay as they are although {n} shown: “{because}”."
                ),
                true,
            )
        }
        DeliveryAct::Queued { not_made: true, week, .. } => {
            (format!("The review of week {} could not be made at first.", week.unwrap_or_default()), true)
        }
        DeliveryAct::Queued { what: What::Notice, about, .. } => {
            (format!("A notice was sent out: {}.", list_of(&about)), false)
        }
        DeliveryAct::Queued { .. } | DeliveryAct::Sent(_) => return None,
    })
}

/// What was taken by somebody's server.
pub(super) fn look(body: &Value) -> Option<String> {
    match serde_json::from_value(body.clone()).ok()? {
        DeliveryAct::Sent(one) => {
            Some(format!("{} was sent ({}).", what(one.what, one.week.as_deref()), one.way))
        }
        _ => None,
    }
}

fn what(what: What, week: Option<&str>) -> String {
    match (what, week) {
        (What::Report, Some(week)) => format!("The review of week {week}"),
        (What::Report, None) => "A review".to_owned(),
        (What::Notice, _) => "A notice".to_owned(),
        (What::Test, _) => "A trial message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn deliveries_are_told_in_plain_words() {
        let one = |step: &str, what: &str| json!({"step": step, "id": "a", "what": what, "way": "mail to mary@example.net", "week": "2026-W47", "reason": "no answer"});
        let bodies = [
            json!({"step": "addressees", "reports": ["mail to mary@example.net"], "notices": [], "server": "smtp.example.com:587", "schedule": "Monday 07:00"}),
            one("failed", "report"),
            one("given_up", "notice"),
            one("missing", "report"),
            json!({"step": "declined", "because": "our own server", "warnings": ["x"]}),
            json!({"step": "queued", "what": "notice", "items": {}, "about": ["A decoy was opened"]}),
            one("sent", "report"),
            json!({"step": "of a newer version"}),
        ];
        let mut text = String::new();
        for body in bodies {
            let said = match (change(&body), look(&body)) {
                (Some((said, is_told_first)), _) => {
                    format!("{}{said}", if is_told_first { "! " } else { "" })
                }
                (None, Some(said)) => format!("(look) {said}"),
                (None, None) => "(nothing)".to_owned(),
            };
            text.push_str(&format!("{said}\n"));
        }
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!text.to_lowercase().contains(word), "RP-3: `{word}` in {text}");
        }
        expect![[r#"
            ! Whom reviews and notices go to was set. Reviews, made every Monday 07:00: mail to mary@example.net, over the mail server smtp.example.com:587. Notices: nobody. Ask who set this, and whether the addresses are yours.
            The review of week 2026-W47 could not be sent at first (mail to mary@example.net): no answer.
            ! A notice was not taken for days (mail to mary@example.net) and is not tried again: no answer.
            ! The review of week 2026-W47 waited to be sent (mail to mary@example.net) and was removed from the collector’s outbox. Ask who has access to the collector.
            ! It was recorded that mails and notices stay as they are although 1 warning was shown: “our own server”.
            A notice was sent out: A decoy was opened.
            (look) The review of week 2026-W47 was sent (mail to mary@example.net).
            (nothing)
        "#]]
        .assert_eq(&text);
    }
}
