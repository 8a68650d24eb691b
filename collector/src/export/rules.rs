//! Rules in force, custody and coverage, out of the rows that are shown.

use ntk_evidence::act;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;
use serde_json::{Value, json};

use super::{ExportError, Part};

pub(super) fn rules_and_custody(bag: &mut Bag, parts: &[Part]) -> Result<(), ExportError> {
    let mut custody = String::new();
    let mut coverage = String::from("author,time,kind,detail\n");
    for part in parts {
        for row in &part.rows {
            let Ok(Some(event)) = row.event() else { continue };
            let number = row.number();
            match event.kind.as_str() {
                act::kind::ROSTER | act::kind::POLICY => {
                    let text = act::body(&event)
                        .and_then(|body| body.get("text"))
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let name =
                        if event.kind.as_str() == act::kind::ROSTER { "roster" } else { "need-to-know" };
                    bag.insert(&format!("{}{name}-act-{number}.toml", bundle::POLICIES), text)?;
                }
                act::kind::EXPORT
                | act::kind::REPORT_MADE
                | act::kind::SELF_CHECK
                | act::kind::ENROLMENT
                | act::kind::REVOCATION => {
                    let line = json!({"act": number, "time": event.time, "kind": event.kind.as_str(), "body": act::body(&event)});
                    custody.push_str(&format!("{line}\n"));
                }
                "health" | "gap" | "tamper" => {
                    let detail = match (&event.gap, &event.health, &event.tamper) {
                        (Some(gap), _, _) => format!(
                            "{} {} to {} lost {}",
                            gap.cause,
                            gap.from.as_deref().unwrap_or("?"),
                            gap.to.as_deref().unwrap_or("?"),
                            gap.lost.map_or("?".into(), |n| n.to_string())
                        ),
                        (_, Some(health), _) => format!(
                            "{} uptime {} s",
                            health.reason.as_deref().unwrap_or("-"),
                            health.uptime_s.map_or("?".into(), |n| n.to_string())
                        ),
                        (_, _, Some(tamper)) => tamper.what.to_string(),
                        _ => String::new(),
                    };
                    let line = [part.author.to_string(), event.time.clone(), event.kind.to_string(), detail];
                    let line = line.map(|field| {
                        if field.contains([',', '"']) {
                            format!("\"{}\"", field.replace('"', "\"\""))
                        } else {
                            field
                        }
                    });
                    coverage.push_str(&format!("{}\n", line.join(",")));
                }
                _ => {}
            }
        }
    }
    bag.insert(bundle::CUSTODY, custody)?;
    bag.insert(bundle::COVERAGE, coverage)?;
    Ok(())
}
