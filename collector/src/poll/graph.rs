//! Sign-ins and directory audits of Microsoft Graph: `auditLogs/signIns` and `auditLogs/directoryAudits`.

use jiff::Timestamp;
use serde_json::Value;

use super::session::{Session, encoded, said};
use super::web::{Answer, Asked};
use super::{Feed, PollError};

/// Pages of one list that are followed.
const PAGES_MAX: u32 = 10_000;

/// Feeds both lists; whether both could be had, so that the activity log need not be asked for the same.
pub(super) async fn lists(
    session: &mut Session<'_>,
    feed: &mut Feed<'_>,
    notes: &mut Vec<String>,
    from: Timestamp,
) -> Result<bool, PollError> {
    let from = from.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut is_whole = true;
    for (what, list, time) in [
        ("directory audits", "directoryAudits", "activityDateTime"),
        ("sign-ins", "signIns", "createdDateTime"),
    ] {
        let filter = encoded(&format!("{time} ge {from}"));
        let first =
            session.ask(&Asked::get(format!("/v1.0/auditLogs/{list}?$filter={filter}&$top=500"))).await?;
        // A tenant without a licence for it is told 403; then the activity log has the same events, more tersely.
        if matches!(first.status, 400 | 403 | 404) {
            notes.push(format!(
                "Microsoft Graph gave no {what} ({}); the activity log is asked instead.",
                said(&first)
            ));
            is_whole = false;
            continue;
        }
        pages(session, first, |_| ()).await?.feed(feed).await?;
    }
    Ok(is_whole)
}

/// The values of all pages of a list.
pub(super) struct Values(pub(super) Vec<Value>);

impl Values {
    async fn feed(self, feed: &mut Feed<'_>) -> Result<(), PollError> {
        if self.0.is_empty() {
            return Ok(());
        }
        feed.take(Value::Array(self.0).to_string().into_bytes()).await
    }
}

/// Follows `@odata.nextLink` to the end.
pub(super) async fn pages(
    session: &mut Session<'_>,
    first: Answer,
    mut each: impl FnMut(&Value),
) -> Result<Values, PollError> {
    let (mut answer, mut values) = (first, Vec::new());
    for _ in 0..PAGES_MAX {
        if !(200..300).contains(&answer.status) {
            return Err(PollError::Refused { what: "a page of a list", said: said(&answer) });
        }
        let body = answer.json("a page of a list")?;
        for value in body.get("value").and_then(Value::as_array).into_iter().flatten() {
            each(value);
            values.push(value.clone());
        }
        let Some(next) = body.get("@odata.nextLink").and_then(Value::as_str) else { break };
        answer = session.ask_at(next).await?;
    }
    Ok(Values(values))
}
