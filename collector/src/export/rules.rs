//! Rules in force, notices and who acknowledged them, custody and decisions, out of the rows that are shown.
//!
//! Each line names the act that it comes from: nothing here is known from elsewhere.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use serde_json::{Value, json};

use super::{ExportError, Part, Question};
use crate::prune::Segment;
use crate::roster::Roster;

/// Tables and rosters that were in force, the notices in them, and who acknowledged which when.
pub(super) fn rules(bag: &mut Bag, parts: &[Part], question: &Question) -> Result<(), ExportError> {
    let (mut notices, mut acknowledgements) = (String::new(), String::new());
    let mut seen = BTreeSet::new();
    for (number, event) in acts(parts) {
        let Some(body) = act::body(&event) else { continue };
        let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
        if event.kind.as_str() == act::kind::STAFF_NOTICE {
            staff_notice(bag, (number, &event.time, body), (&mut notices, &mut acknowledgements))?;
            continue;
        }
        let name = match event.kind.as_str() {
            act::kind::ROSTER => "roster",
            act::kind::POLICY => "need-to-know",
            _ => continue,
        };
        if text.is_empty() {
            continue;
        }
        bag.insert(&format!("{}{name}-act-{number}.toml", bundle::POLICIES), text)?;
        // A roster that this version cannot read never came into force here either.
        let Some(roster) = Some(text).filter(|_| name == "roster").and_then(|text| Roster::parse(text).ok())
        else {
            continue;
        };
        for notice in roster.notices() {
            if seen.insert(format!("notice {} {}", notice.id, notice.version)) {
                let line = json!({
                    "act": number, "recorded": event.time, "notice": notice.id, "title": notice.title,
                    "version": notice.version, "kind": format!("{:?}", notice.kind).to_lowercase(),
                    "in_force_from": notice.in_force_from.to_string(),
                });
                notices.push_str(&format!("{line}\n"));
            }
        }
        let asked = question.person.as_ref();
        for said in roster.acknowledgements() {
            let is_asked = asked.is_none_or(|person| *person == said.person);
            if is_asked && seen.insert(format!("said {} {} {}", said.person, said.notice, said.version)) {
                let line = json!({
                    "act": number, "recorded": event.time, "person": said.person, "notice": said.notice,
                    "version": said.version, "on": said.on.to_string(),
                    "by": body.get("by"), "proof": body.get("proof"),
                });
                acknowledgements.push_str(&format!("{line}\n"));
            }
        }
    }
    if !notices.is_empty() {
        bag.insert(&format!("{}notices.jsonl", bundle::POLICIES), notices)?;
    }
    if !acknowledgements.is_empty() {
        bag.insert(bundle::ACKNOWLEDGEMENTS, acknowledgements)?;
    }
    Ok(())
}

/// A staff notice as it came into force, or that somebody acknowledged one.
fn staff_notice(
    bag: &mut Bag,
    (number, recorded, body): (u64, &str, &Value),
    (notices, acknowledgements): (&mut String, &mut String),
) -> Result<(), ExportError> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    if text("step") == Some("published") {
        let file = format!("{}staff-notice-act-{number}.md", bundle::POLICIES);
        bag.insert(&file, text("text").unwrap_or_default())?;
        let line = json!({
            "act": number, "recorded": recorded, "notice": text("notice"), "version": text("version"), "kind": "staff notice",
            "file": file, "sha256": text("sha256"),
        });
        notices.push_str(&format!("{line}\n"));
    } else {
        let line = json!({
            "act": number, "recorded": recorded, "person": text("person"), "notice": text("notice"),
            "version": text("version"), "how": text("how"), "link": text("link"), "on": text("on"),
            "by": text("recorded_by").or_else(|| text("by")), "proof": body.get("proof"),
        });
        acknowledgements.push_str(&format!("{line}\n"));
    }
    Ok(())
}

/// Collected, viewed, checked, exported, handed over: who, when, which hash.
pub(super) fn custody(bag: &mut Bag, parts: &[Part]) -> Result<(), ExportError> {
    let mut custody = String::new();
    for (number, event) in acts(parts) {
        let body = act::body(&event).cloned().unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let what = match event.kind.as_str() {
            act::kind::ENROLMENT => "collection began",
            act::kind::REVOCATION => "collection ended",
            act::kind::SELF_CHECK => "checked",
            act::kind::REPORT_MADE => "report made",
            act::kind::EXPORT => "export asked for",
            act::kind::OFF_SITE => match text("step") {
                Some("failing") => "copying off-site fails",
                Some("works_again") => "copying off-site works again",
                _ => "copied off-site",
            },
            act::kind::DELIVERY if text("step") == Some("sent") && text("what") == Some("report") => {
                "report sent"
            }
            act::kind::HOLD => "hold",
            act::kind::PRESERVED => "preserved",
            act::kind::PRUNED => "removed after retention",
            act::kind::REFILLED => "refilled",
            act::kind::RESTORED => "put back from a copy",
            act::kind::CUSTODY => text("what").unwrap_or("custody"),
            _ => continue,
        };
        let hash = ["sha256", "root", "log_root"].into_iter().find_map(text);
        let who = text("by").or_else(|| text("author"));
        let line = json!({
            "act": number, "time": event.time, "what": what, "who": who, "to": text("to"), "hash": hash,
            "kind": event.kind.as_str(), "body": body,
        });
        custody.push_str(&format!("{line}\n"));
    }
    // What was looked at is counsel's own affair: that it was, and when, follows from the withheld rows' numbers.
    let withheld = parts
        .iter()
        .filter(|part| part.author == Author::Collector)
        .flat_map(|part| &part.rows)
        .filter(|row| !row.is_disclosed())
        .map(|row| row.number())
        .collect::<Vec<_>>();
    let line = json!({
        "what": "acts withheld", "count": withheld.len(), "numbers": withheld,
        "sentence": "looks, searches, refusals and acts about other people are withheld behind their commitments",
    });
    custody.push_str(&format!("{line}\n"));
    bag.insert(bundle::CUSTODY, custody)?;
    Ok(())
}

/// What was asked, answered and decided about the findings that are shown, with reasons.
pub(super) fn decisions(bag: &mut Bag, parts: &[Part]) -> Result<(), ExportError> {
    let mut lines = String::new();
    for (number, event) in acts(parts).filter(|(_, event)| event.kind.as_str() == act::kind::FINDING_STEP) {
        let line = json!({"act": number, "time": event.time, "step": act::body(&event)});
        lines.push_str(&format!("{line}\n"));
    }
    if !lines.is_empty() {
        bag.insert(bundle::DECISIONS, lines)?;
    }
    Ok(())
}

/// What retention removed of the question's time, by the acts that said so before it was done.
pub(super) fn removed(parts: &[Part], question: &Question) -> Vec<String> {
    let mut sentences = Vec::new();
    for (number, event) in acts(parts).filter(|(_, event)| event.kind.as_str() == act::kind::PRUNED) {
        let segments = act::body(&event).and_then(|body| body.get("segments").cloned());
        let segments = segments.and_then(|list| serde_json::from_value::<Vec<Segment>>(list).ok());
        for segment in segments.unwrap_or_default() {
            let (from, to) = (segment.from.parse::<Timestamp>(), segment.to.parse::<Timestamp>());
            let is_outside =
                from.is_ok_and(|from| from > question.to) || to.is_ok_and(|to| to < question.from);
            if is_outside {
                continue;
            }
            sentences.extend(segment.authors.iter().map(|span| {
                format!(
                    "entries {} to {} of {} were removed after their retention (act {number}); their hashes and notes stand",
                    span.first,
                    span.size.saturating_sub(1),
                    span.author
                )
            }));
        }
    }
    sentences
}

/// The collector's acts that are shown, with their numbers.
pub(super) fn acts(parts: &[Part]) -> impl Iterator<Item = (u64, Event)> + '_ {
    let rows = parts.iter().filter(|part| part.author == Author::Collector).flat_map(|part| &part.rows);
    rows.filter_map(|row| Some((row.number(), row.event().ok()??)))
}
