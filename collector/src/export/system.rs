//! The system as it was: programs and their hashes, configuration and its changes, administrators over time, what the
//! sensors said of themselves, losses; the bill of materials; and the form of certification that names all of it.

use std::collections::BTreeMap;

use ntk_evidence::act;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::certification::{CertificationFacts, certification_html, certification_text};
use ntk_evidence::hash::Hash;
use serde_json::{Value, json};

use super::rules::acts;
use super::{ExportError, Part, Question};
use crate::follow::Lookup;
use crate::follow::answer::store_error;
use crate::ledger::writer::Published;
use crate::on_site::OnSite;
use crate::practice::Practice;
use crate::roster::Roster;

/// What the programs are made of, written by the build out of Cargo.lock.
pub(super) const SBOM: &str = include_str!(concat!(env!("OUT_DIR"), "/sbom.cdx.json"));

/// Roles whose holders may administer machines or the practice.
const ADMINISTERING: [&str; 4] = ["itadmin", "vendor", "manager", "reviewer"];

/// What the system says of itself in the rows that are shown.
#[derive(Default)]
pub(super) struct SystemFacts {
    /// A line for each machine: its sensors and version.
    pub(super) machines: Vec<String>,
    /// Who administers what.
    pub(super) administrators: Vec<String>,
    /// The last check of the whole ledger.
    pub(super) self_check: Option<String>,
    /// SHA-256 of this program.
    pub(super) collector_sha256: Option<String>,
}

/// Puts system/ in.
pub(super) fn system(
    bag: &mut Bag,
    practice: &Practice,
    lookup: &Lookup,
    published: &Published,
    parts: &[Part],
    question: &Question,
) -> Result<SystemFacts, ExportError> {
    let mut facts = SystemFacts {
        // The program that runs is the one whose hash counts; where the system does not show it, it is not known.
        collector_sha256: std::env::current_exe()
            .and_then(std::fs::read)
            .ok()
            .map(|program| Hash::of(&program).to_hex()),
        ..SystemFacts::default()
    };
    let agents = agents(parts, lookup, question, &mut facts)?;
    let (mut changes, mut checks, mut administrators) = (Vec::new(), Vec::new(), Vec::new());
    for (number, event) in acts(parts) {
        let body = act::body(&event).cloned().unwrap_or_default();
        let line = |body: Value| json!({"act": number, "time": event.time, "kind": event.kind.as_str(), "body": body});
        match event.kind.as_str() {
            act::kind::CONFIGURATION | act::kind::TRUST => changes.push(line(body)),
            act::kind::INIT => {
                administrators.push(line(json!({"administers": body.get("administers")})));
            }
            act::kind::SELF_CHECK => {
                facts.self_check = body.get("sentence").and_then(Value::as_str).map(str::to_owned);
                checks.push(line(body));
            }
            act::kind::ROSTER => {
                let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
                let Ok(roster) = Roster::parse(text) else { continue };
                let holders = roster
                    .persons()
                    .iter()
                    .filter(|person| ADMINISTERING.iter().any(|role| person.has_role(role)));
                let holders: Vec<Value> = holders
                    .map(|person| {
                        json!({
                            "person": person.id, "roles": person.roles, "organisation": person.organisation,
                            "leaves": roster.leave_of(&person.id).map(|day| day.to_string()),
                        })
                    })
                    .collect();
                let next = json!({"holders": holders});
                // Only what changed: a roster often changes elsewhere.
                if administrators.last().and_then(|last: &Value| last.get("body")) != Some(&next) {
                    administrators.push(line(next));
                }
            }
            _ => {}
        }
    }
    facts.administrators =
        practice.config.raw.administers.iter().map(|(what, who)| format!("{what}: {who}")).collect();
    let value = json!({
        "made_from": "the rows shown in this bundle, the collector's configuration now, and its program file",
        "collector": {"version": env!("CARGO_PKG_VERSION"), "sha256": facts.collector_sha256},
        "agents": agents,
        "configuration": {"now": practice.config.raw, "changes": changes},
        "administrators": {"now": practice.config.raw.administers, "over_time": administrators},
        "self_checks": checks,
    });
    bag.insert(bundle::SYSTEM, serde_json::to_vec_pretty(&value)?)?;
    bag.insert(bundle::SBOM, SBOM)?;
    // Of other people's machines nothing is told where people are withheld: sessions of theirs stand in there.
    let machines = if question.redact_people {
        json!(published.registry.machines.keys().collect::<Vec<_>>())
    } else {
        json!(published.registry.machines)
    };
    bag.insert(
        bundle::VERSIONS,
        serde_json::to_vec_pretty(&json!({
            "collector": env!("CARGO_PKG_VERSION"),
            "administers": practice.config.raw.administers,
            "machines": machines,
        }))?,
    )?;
    Ok(facts)
}

/// For each agent: versions and sensors as they changed, what they could not see, and the counters of losses.
fn agents(
    parts: &[Part],
    lookup: &Lookup,
    question: &Question,
    facts: &mut SystemFacts,
) -> Result<Vec<Value>, ExportError> {
    let mut found = Vec::new();
    for part in parts.iter().filter(|part| part.author.machine().is_some()) {
        let mut tests: Vec<Value> = Vec::new();
        let mut losses: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut version, mut sensors, mut gaps) = (None, Vec::new(), 0u64);
        for row in &part.rows {
            let Ok(Some(event)) = row.event() else { continue };
            gaps = gaps.saturating_add(u64::from(event.gap.is_some()));
            let Some(health) = &event.health else { continue };
            let test = json!({
                "version": health.version, "sensors": health.sensors, "cannot_see": health.cannot_see, "os": health.os,
                "audit_enabled": health.audit_enabled, "rules_hash": health.rules_hash,
                "binary_sha256": health.binary_sha256,
            });
            if tests.last().and_then(|last| last.get("said")) != Some(&test) {
                tests.push(json!({"number": row.number(), "time": event.time, "said": test}));
            }
            (version, sensors) = (health.version.clone().or(version), health.sensors.clone());
            for (name, lost) in [("lost", health.lost), ("audit_lost", health.audit_lost)] {
                let most = losses.entry(name).or_default();
                *most = (*most).max(lost.unwrap_or(0));
            }
        }
        let seen =
            if sensors.is_empty() { "sensors not said in these rows".to_owned() } else { sensors.join(", ") };
        facts.machines.push(format!(
            "{}: {seen}, version {}",
            part.author,
            version.as_deref().unwrap_or("not said")
        ));
        found.push(json!({
            "author": part.author.to_string(), "self_tests": tests, "most_lost_since_a_start": losses, "gaps": gaps,
            "on_site_test": on_site(part, lookup, question)?,
        }));
    }
    Ok(found)
}

/// The newest on-site test of a machine before the end of the question, though it lies before the range of the rows: then
/// its number says which entry to ask for.
fn on_site(part: &Part, lookup: &Lookup, question: &Question) -> Result<Value, ExportError> {
    let marks = lookup.store().marks(&part.author.to_string(), u64::MAX).map_err(store_error)?;
    let until = super::nanos(question.to);
    let tests = marks.iter().filter(|mark| mark.test.is_some() && mark.received_unix_ns < until);
    let Some(entry) = tests.map(|mark| mark.number).next_back() else { return Ok(Value::Null) };
    let standing = OnSite::of(&marks, until);
    // The names of who was there are other people's.
    let said = (!question.redact_people).then(|| standing.sentence(lookup.zone()));
    let is_among_the_rows = part.rows.iter().any(|row| row.number() == entry);
    Ok(json!({
        "entry": entry, "is_among_the_rows": is_among_the_rows, "is_proved": standing.is_proved(), "said": said,
    }))
}

/// Puts certification/ in.
pub(super) fn certification(bag: &mut Bag, facts: &CertificationFacts) -> Result<(), ExportError> {
    bag.insert(bundle::CERTIFICATION_HTML, certification_html(facts))?;
    bag.insert(bundle::CERTIFICATION_TXT, certification_text(facts))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_of_materials_is_that_of_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let sbom: Value = serde_json::from_str(SBOM).unwrap();
        assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
        let components = sbom["components"].as_array().unwrap();
        assert_eq!(components.len(), lock.matches("[[package]]").count());
        let checksums = lock.lines().filter_map(|line| line.strip_prefix("checksum = "));
        for checksum in checksums {
            assert!(SBOM.contains(checksum.trim_matches('"')), "{checksum}");
        }
        assert!(components.iter().any(|component| component["name"] == "ed25519-dalek"));
    }
}
