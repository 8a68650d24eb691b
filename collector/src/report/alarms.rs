//! What the ledger refused or saw of machines' keys, in words: copies, two histories, keys that are over. Counted, because
//! a machine that tries once a second must not fill the review.

use ntk_evidence::act;
use ntk_evidence::event::Event;
use serde_json::Value;

/// The sentence of an act that a manager should ask about; none for others.
pub fn alarm(event: &Event) -> Option<String> {
    let body = act::body(event)?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = text("author").trim_start_matches("agent/");
    if event.kind.as_str() == act::kind::REFILLED {
        let gone = body.get("gone").and_then(Value::as_array).into_iter().flatten();
        let gone: Vec<&str> = gone.filter_map(Value::as_str).collect();
        return Some(format!(
            "This ledger was filled again after an earlier one was lost. Findings of that time are judged by the roster and the table that came into force then. {}",
            gone.join(" ")
        ));
    }
    if event.kind.as_str() == act::kind::RESTORED {
        return Some(restored(body));
    }
    let sentence = match (event.kind.as_str(), text("what"), text("code")) {
        (act::kind::CLONE, "behind", _) => format!(
            "The machine {name} came back with less than it had sent before: it was put back to an older state, or a copy of it runs. Ask who restored or copied it, then enrol it anew with --replace."
        ),
        (act::kind::CLONE, ..) => format!(
            "Two machines, or two agents, speak with the keys of {name}: one of them is a copy. Ask who copied or restored it, then enrol the machine anew with --replace."
        ),
        (act::kind::FORK, ..) => format!(
            "The machine {name} signed two different histories; both notes are kept. Ask who restored or copied it, then enrol it anew with --replace."
        ),
        (act::kind::DISAGREEMENT, ..) => format!(
            "The machine {name} remembers another history of this ledger than the one that is kept here; both checkpoints are kept, here and in its own folder. Ask who restored or changed the collector, and compare earlier printed reviews."
        ),
        (act::kind::OFF_SITE, ..) if text("step") == "failing" => format!(
            "No copy of this ledger has reached {} since {}: what came later is on this machine only. Ask who runs that place.",
            text("to"),
            text("since")
        ),
        (act::kind::DISK, ..) if text("step") == "runs_out" => format!(
            "{}. On a full disk nothing new is judged, and computers keep what they have to tell. Ask whoever runs the collector for a larger disk, or for room on this one.",
            crate::disk::sentence_of(body)
        ),
        (act::kind::PROGRAM, ..) if text("step") == "not_announced" => format!(
            "The machine {name} runs a program of the agent that nobody announced ({}). Ask who installed it; if it is the right one, announce it with the practice key (ntk-collector update announce).",
            crate::program::digits(text("program"))
        ),
        (act::kind::PROGRAM, ..) if text("step") == "runs_withdrawn" => format!(
            "The machine {name} runs version {} of the agent, which was withdrawn ({}). Install one that is announced.",
            text("version"),
            text("reason")
        ),
        (act::kind::REFUSAL, _, "renewal") => format!(
            "A new certificate in the name of {name} was asked for and not given: {}. Ask who had access to that machine.",
            text("reason")
        ),
        (act::kind::DELEGATION, ..) => text("sentence").to_owned(),
        (act::kind::REFUSAL, _, "epoch" | "bad_signature") => format!(
            "Entries in the name of {name} were refused: the key that signed them was not the machine’s, or no longer. Ask who had access to that machine."
        ),
        (act::kind::REFUSAL, _, "wrong_root" | "gap") => format!(
            "Entries of {name} were refused: they do not continue what it had sent. Ask who restored or changed that machine."
        ),
        (act::kind::REFUSAL, _, "revoked") => format!(
            "An identity of {name} that was revoked or replaced tried to send, and was turned away. Ask where it still runs."
        ),
        _ => return None,
    };
    Some(sentence)
}

/// A collector that was put back: the manager is to know of it whoever did it, and what is gone.
fn restored(body: &Value) -> String {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let gone = body.get("gone").and_then(Value::as_array).into_iter().flatten();
    let gone: Vec<&str> = gone.filter_map(Value::as_str).collect();
    let gone = gone.join(" ");
    match text("step") {
        "filled" => format!("What computers had put away was taken in. {gone}"),
        "short" => {
            let number = |key: &str| body.get(key).and_then(Value::as_u64).unwrap_or_default();
            format!(
                "Of {}, entries {} to {} are gone: the lost collector had acknowledged them, and the computer no longer keeps them where it can send them. Bring its package (ntk-agent kept --out), or enrol it again in its own place with --replace.",
                text("author").trim_start_matches("agent/"),
                number("first"),
                number("last")
            )
        }
        _ => format!(
            "This collector was put back from a copy by {}, with the practice key. Reason given: {}. {gone}",
            text("by"),
            text("why")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_has_its_sentence_and_accuses_nobody() {
        for (kind, body, expected) in [
            (
                "act_clone",
                json!({"author": "agent/ws-02.2", "what": "run_id_returned"}),
                "the keys of ws-02.2: one",
            ),
            ("act_clone", json!({"author": "agent/ws-02", "what": "behind"}), "came back with less"),
            ("act_fork", json!({"author": "agent/ws-02"}), "two different histories"),
            (
                "act_off_site",
                json!({"step": "failing", "to": "/mnt/backup", "since": "2026-11-17T15:00:00Z", "why": "io"}),
                "reached /mnt/backup since 2026-11-17",
            ),
            (
                "act_disk",
                json!({"step": "runs_out", "within_days": 7, "days": 6, "free_bytes": 6_500_000_000_u64, "per_day_bytes": 1_000_000_000}),
                "has 6.5 GB free and fills by 1.0 GB a day: at that growth it lasts 6 days. On a full disk",
            ),
            (
                "act_delegation",
                json!({"sentence": "9 of the 10 machines that the practice key permits were enrolled."}),
                "9 of the 10",
            ),
            ("act_disagreement", json!({"author": "agent/ws-02"}), "remembers another history"),
            (
                "act_refusal",
                json!({"author": "agent/ws-02", "code": "epoch"}),
                "not the machine’s, or no longer",
            ),
            ("act_refusal", json!({"author": "agent/ws-02", "code": "gap"}), "do not continue"),
            ("act_refilled", json!({"gone": ["Of ws-03 nothing is here."]}), "Of ws-03 nothing is here."),
            ("act_refusal", json!({"author": "agent/ws-02", "code": "revoked"}), "was turned away"),
        ] {
            let said = alarm(&act::event(kind, "2026-11-18T15:00:00Z", body)).unwrap();
            assert!(said.contains(expected), "{said}");
            for word in crate::finding::wording::ACCUSING_WORDS {
                assert!(!said.to_lowercase().contains(word), "RP-3: `{word}` in {said}");
            }
        }
        let other = act::event("act_refusal", "2026-11-18T15:00:00Z", json!({"code": "enrolment"}));
        assert_eq!(alarm(&other), None);
        let copied = act::event("act_off_site", "2026-11-18T15:00:00Z", json!({"step": "copied"}));
        assert_eq!(alarm(&copied), None);
    }
}
