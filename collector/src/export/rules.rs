//! Rules in force and custody, out of the rows that are shown.

use ntk_evidence::act;
use ntk_evidence::bundle;
use ntk_evidence::bundle::bag::Bag;
use serde_json::{Value, json};

use super::{ExportError, Part};

pub(super) fn rules_and_custody(bag: &mut Bag, parts: &[Part]) -> Result<(), ExportError> {
    let mut custody = String::new();
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
                _ => {}
            }
        }
    }
    bag.insert(bundle::CUSTODY, custody)?;
    Ok(())
}
