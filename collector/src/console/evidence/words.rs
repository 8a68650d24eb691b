//! Kept bundles, custody and what was preserved, as pages say it.

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::bundles::Kept;
use crate::bundles::acts::Line;
use crate::bundles::work::Checked;
use crate::console::words::when_in_short as when;
use crate::export::Question;
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::number;
use crate::roster::Roster;

/// A bundle that is kept.
#[derive(Clone, Debug)]
pub(in crate::console) struct Card {
    pub(in crate::console) id: String,
    pub(in crate::console) case: String,
    pub(in crate::console) about: String,
    pub(in crate::console) span: String,
    pub(in crate::console) withheld: String,
    pub(in crate::console) made: String,
    pub(in crate::console) by: String,
    pub(in crate::console) size: String,
    pub(in crate::console) sha256: String,
    /// Verdict of the last check since the collector's start, and whether it passed.
    pub(in crate::console) checked: Option<(bool, String)>,
}

/// Whom a question is about.
pub(in crate::console) fn about(question: &Question, roster: &Roster) -> String {
    question.person.as_deref().map_or_else(|| "everybody".to_owned(), |id| visible(&name(id, roster)))
}

/// From when to when it asks.
pub(in crate::console) fn span(question: &Question, zone: &TimeZone) -> String {
    format!("{} to {}", when(&question.from.to_string(), zone), when(&question.to.to_string(), zone))
}

/// What it leaves out by choice.
pub(in crate::console) fn withheld(question: &Question) -> String {
    let mut parts = Vec::new();
    if let Some(assets) = &question.assets {
        parts.push(format!("all but {}", visible(&assets.join(", "))));
    }
    if question.redact_paths {
        parts.push("paths and command lines".to_owned());
    }
    if question.redact_people {
        parts.push("what names other people".to_owned());
    } else if question.person.is_some() {
        parts.push("entries of other people".to_owned());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}

/// A kept bundle in words.
pub(in crate::console) fn card(
    kept: &Kept,
    checked: Option<Checked>,
    roster: &Roster,
    zone: &TimeZone,
) -> Card {
    let checked = checked.map(|checked| {
        let verification = &checked.verification;
        (verification.exit_code() == 0, verification.verdict())
    });
    Card {
        id: kept.id.clone(),
        case: kept.question.case.clone(),
        about: about(&kept.question, roster),
        span: span(&kept.question, zone),
        withheld: withheld(&kept.question),
        made: when(&kept.made, zone),
        by: kept
            .by
            .as_deref()
            .map_or_else(|| "nobody who was named".to_owned(), |by| visible(&name(by, roster))),
        size: number(kept.bytes),
        sha256: kept.sha256.clone(),
        checked,
    }
}

/// One line of custody.
#[derive(Clone, Debug)]
pub(in crate::console) struct Hand {
    pub(in crate::console) when: String,
    pub(in crate::console) case: String,
    pub(in crate::console) what: String,
    pub(in crate::console) to: String,
    pub(in crate::console) by: String,
    pub(in crate::console) more: String,
    pub(in crate::console) sha256: String,
}

/// The lines that belong to a case, newest first.
pub(in crate::console) fn hands(lines: &[Line], roster: &Roster, zone: &TimeZone) -> Vec<Hand> {
    let of_case = lines.iter().rev().filter(|line| line.body.get("case").is_some());
    of_case.map(|line| hand(line, roster, zone)).collect()
}

fn hand(line: &Line, roster: &Roster, zone: &TimeZone) -> Hand {
    let text = |key: &str| line.body.get(key).and_then(Value::as_str).unwrap_or_default();
    let named = |id: &str| if id.is_empty() { String::new() } else { visible(&name(id, roster)) };
    let what = match text("what") {
        "" => "a bundle was asked for".to_owned(),
        "exported" => "the bundle was made".to_owned(),
        what => visible(&what.replace('_', " ")),
    };
    let mut more = Vec::new();
    if !text("how").is_empty() {
        more.push(visible(text("how")));
    }
    if !text("when").is_empty() {
        more.push(format!("on {}", when(text("when"), zone)));
    }
    if !text("note").is_empty() {
        more.push(visible(text("note")));
    }
    if !text("alone_because").is_empty() {
        more.push(format!("without a second signature, because: {}", visible(text("alone_because"))));
    }
    if !text("cosign").is_empty() {
        more.push(format!("co-signed, {}", visible(text("cosign"))));
    }
    Hand {
        when: when(&line.time, zone),
        case: visible(text("case")),
        what,
        to: named(text("to")),
        by: named(text("by")),
        more: more.join("; "),
        sha256: visible(text("sha256")),
    }
}

/// A step of what was preserved.
#[derive(Clone, Debug)]
pub(in crate::console) struct Secured {
    pub(in crate::console) step: String,
    pub(in crate::console) outcome: &'static str,
    pub(in crate::console) is_failed: bool,
    pub(in crate::console) said: String,
}

/// What was preserved last: when, of which case, by whom, and how each step ended.
#[derive(Clone, Debug)]
pub(in crate::console) struct Preserved {
    pub(in crate::console) when: String,
    pub(in crate::console) case: String,
    pub(in crate::console) by: String,
    pub(in crate::console) steps: Vec<Secured>,
}

/// The last act of preserving in words.
pub(in crate::console) fn preserved(line: &Line, roster: &Roster, zone: &TimeZone) -> Preserved {
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let step = |step: &Value| {
        let outcome = text(step, "outcome");
        Secured {
            step: visible(&text(step, "step")),
            is_failed: outcome == "failed",
            outcome: match outcome.as_str() {
                "done" => "done",
                "failed" => "failed",
                _ => "not set up",
            },
            said: visible(&text(step, "said")),
        }
    };
    let steps = line.body.get("steps").and_then(Value::as_array).into_iter().flatten().map(step);
    let by = text(&line.body, "by");
    let signed = line.body.get("proof").is_some();
    Preserved {
        when: when(&line.time, zone),
        case: visible(&text(&line.body, "case")),
        by: match (by.as_str(), signed) {
            ("", _) => "by nobody who was named".to_owned(),
            (by, true) => format!("by {}", visible(&name(by, roster))),
            (by, false) => format!("by {}, signed in, without a passphrase", visible(&name(by, roster))),
        },
        steps: steps.collect(),
    }
}
