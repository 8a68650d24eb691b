//! The Office 365 Management Activity API (Microsoft, "Office 365 Management Activity API reference"): subscriptions, lists of
//! content by day, content.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::session::{Session, code, encoded, said};
use super::web::{Answer, Asked};
use super::{Feed, Memory, PollError};
use crate::config::m365::M365;

/// What is subscribed to: mail; searches and compliance; the directory where Graph does not tell of it.
const CONTENT: [&str; 2] = ["Audit.Exchange", "Audit.General"];
const DIRECTORY: &str = "Audit.AzureActiveDirectory";
/// One list reaches over a day at most.
const WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// Pages of one list that are followed.
const PAGES_MAX: u32 = 10_000;

/// Feeds all content that was not had yet.
pub(super) async fn contents(
    session: &mut Session<'_>,
    settings: &M365,
    feed: &mut Feed<'_>,
    memory: &mut Memory,
    (from, to): (Timestamp, Timestamp),
    with_directory: bool,
) -> Result<(), PollError> {
    let root = format!("/api/v1.0/{}/activity/feed", settings.tenant);
    let types = CONTENT.into_iter().chain(with_directory.then_some(DIRECTORY));
    for content in types {
        subscribe(session, &root, content).await?;
        let mut start = from;
        while start < to {
            let end = start.checked_add(WINDOW).unwrap_or(to).min(to);
            let mut answer = list(session, &root, content, (start, end)).await?;
            for _ in 0..PAGES_MAX {
                for blob in answer.json("a list of content")?.as_array().into_iter().flatten() {
                    take(session, feed, memory, blob, to).await?;
                }
                let Some(next) = answer.next_page() else { break };
                answer = done(session.ask_at(&next).await?, "the next page of a list of content")?;
            }
            start = end;
        }
    }
    Ok(())
}

fn done(answer: Answer, what: &'static str) -> Result<Answer, PollError> {
    match answer.status {
        200..=299 => Ok(answer),
        403 => Err(PollError::NotLetIn(said(&answer))),
        _ => Err(PollError::Refused { what, said: said(&answer) }),
    }
}

async fn subscribe(session: &mut Session<'_>, root: &str, content: &str) -> Result<(), PollError> {
    let path = format!("{root}/subscriptions/start?contentType={}", encoded(content));
    let answer = session.ask(&Asked::post(path, None)).await?;
    // AF20024: the subscription is there already.
    if answer.status == 400 && code(&answer) == "AF20024" {
        return Ok(());
    }
    done(answer, "a subscription").map(|_| ())
}

async fn list(
    session: &mut Session<'_>,
    root: &str,
    content: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<Answer, PollError> {
    let moment = |at: Timestamp| encoded(&at.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    let path = format!(
        "{root}/subscriptions/content?contentType={}&startTime={}&endTime={}",
        encoded(content),
        moment(from),
        moment(to)
    );
    done(session.ask(&Asked::get(path)).await?, "a list of content")
}

async fn take(
    session: &mut Session<'_>,
    feed: &mut Feed<'_>,
    memory: &mut Memory,
    blob: &Value,
    now: Timestamp,
) -> Result<(), PollError> {
    let text = |name: &str| blob.get(name).and_then(Value::as_str);
    let (Some(id), Some(uri)) = (text("contentId"), text("contentUri")) else { return Ok(()) };
    if memory.had.contains_key(id) {
        return Ok(());
    }
    let answer = session.ask_at(uri).await?;
    // Content that has ended since it was listed (AF20051) is gone, and was asked for in time the last time.
    if answer.status == 400 && code(&answer) == "AF20051" {
        return Ok(());
    }
    feed.take(done(answer, "content")?.body).await?;
    let made: Option<Timestamp> = text("contentCreated").and_then(|made| made.parse().ok());
    memory.had.insert(id.to_owned(), made.unwrap_or(now).as_second());
    Ok(())
}
