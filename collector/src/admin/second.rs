//! The second reviewer over the admin API: named, declined, shown.
//!
//! Whoever is named has a passphrase by then: a second signature is a passphrase and nothing less. Who is the second
//! reviewer agrees to being replaced with their own; where that cannot be had, the reason is recorded, and every review
//! says so for as long as the new one is there.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, prove, sign};
use super::roster::{in_force, person, today};
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::reviewer::Passphrase;
use crate::second::SecondStep;
use crate::ticket::approve::{is_approver, is_own_side};

/// How long a reason may be, characters.
const REASON_MAX: usize = 500;

pub(super) fn routes() -> Api {
    Api::new().get("/v1/second-reviewer", "Who the second reviewer is", show).post(
        "/v1/second-reviewer",
        "Name the second reviewer, or decline to have one",
        name,
    )
}

async fn show(State(app): State<App>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    let published = app.ledger.published();
    let people = &published.registry.people;
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let waiting = people.cosigns.waiting(now).count();
    Ok(Json(json!({
        "standing": people.second, "sentence": people.second.sentence(&roster, today(&app)?), "waiting": waiting,
    })))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NameRequest {
    /// The person; absent where the practice does without.
    #[serde(default)]
    person: Option<String>,
    /// Why it does without.
    #[serde(default)]
    decline: Option<String>,
    /// Why the present one's agreement cannot be had.
    #[serde(default)]
    because: Option<String>,
    /// The present one's passphrase: they agree.
    #[serde(default)]
    second_passphrase: Option<Passphrase>,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

pub(super) fn reason(flag: &str, text: &str) -> Answer<String> {
    let length = text.trim().chars().count();
    if (1..=REASON_MAX).contains(&length) {
        Ok(text.trim().to_owned())
    } else {
        Err(Failure::bad(format!("`{flag}` has {length} characters; write 1 to {REASON_MAX}")))
    }
}

async fn name(State(app): State<App>, Json(request): Json<NameRequest>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let app_for_reading = app.clone();
    let terms = blocking(move || Ok(app_for_reading.lookup.rules_now()?.1.tickets().clone())).await?;
    let present = app.ledger.published().registry.people.second.person().map(str::to_owned);
    let may = roster.person(&by.by).is_some_and(|person| is_approver(person, &terms));
    if !may && present.as_deref() != Some(by.by.as_str()) {
        return Err(Failure::bad(format!(
            "`{}` may not name the second reviewer; a manager, a reviewer, or who stands in [tickets] approvers may",
            by.by
        )));
    }
    let because = request.because.as_deref().map(|because| reason("--because", because)).transpose()?;
    let agreed = match (&present, &request.second_passphrase) {
        (Some(present), _) if *present == by.by => Some(present.clone()),
        (Some(present), Some(passphrase)) => Some(prove(&app, present, passphrase).await?.by().to_owned()),
        (Some(present), None) if because.is_none() => {
            return Err(Failure::unproved(format!(
                "`{present}` is the second reviewer and agrees to a change with their own passphrase (--second-passphrase-file); where that cannot be had, say why with --because, which every review shows"
            )));
        }
        _ => None,
    };
    let because = because.filter(|_| present.is_some() && agreed.is_none());
    let step = match (&request.person, &request.decline) {
        (Some(id), None) => {
            let who = person(&roster, id)?;
            if is_own_side(id, &by.by, &roster) && present.as_deref() != Some(by.by.as_str()) {
                return Err(Failure::bad(format!(
                    "`{id}`: the second reviewer is another person than `{}`, of another firm",
                    by.by
                )));
            }
            if roster.leave_of(id).is_some_and(|leave| today(&app).is_ok_and(|today| leave <= today)) {
                return Err(Failure::bad(format!("{} has left by the roster", who.name)));
            }
            let (reviewers, wanted) = (app.reviewers.clone(), id.clone());
            if !blocking(move || Ok(reviewers.has(&wanted)?)).await? {
                return Err(Failure::bad(format!(
                    "{} has no passphrase yet, and signs with one; set it first: ntk-collector reviewer passphrase {id}",
                    who.name
                )));
            }
            SecondStep::Named { person: id.clone(), agreed, because }
        }
        (None, Some(why)) => {
            let because = match because {
                None => reason("--decline", why)?,
                Some(because) => format!(
                    "{}; without the agreement of the one before: {because}",
                    reason("--decline", why)?
                ),
            };
            SecondStep::Declined { because, agreed }
        }
        _ => return Err(Failure::bad("name a person, or say with --decline why the practice does without")),
    };
    let body = serde_json::to_value(step).map_err(|error| Failure::ours(&error))?;
    record(&app, act::kind::SECOND_REVIEWER, by.sign(body)).await?;
    let published = app.ledger.published();
    let second = &published.registry.people.second;
    Ok(Json(json!({"standing": second, "sentence": second.sentence(&roster, today(&app)?)})))
}

#[cfg(test)]
mod tests;
