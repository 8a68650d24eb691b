//! The need-to-know table over the admin API: in force, tried, adopted.
//!
//! Adoption is an act with the whole text, who adopted it, and with whom. What is refused changes nothing.

use axum::Json;
use axum::extract::{Query, State};
use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use ntk_evidence::event::Event;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Signature, Word, sign};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, cosigns, record};
use crate::app::App;
use crate::need_to_know::{Verdicts, decide_with};
use crate::policy::sensors::Delivered;
use crate::policy::trial::{Comparison, Trial};
use crate::policy::{Area, Policy, cedar};
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::second::cosign::What;
use crate::ticket::approve::{is_approver, is_own_side};

/// How far back a trial looks where nothing else is asked for.
const WEEKS: u16 = 4;
/// How far back it looks at most.
const WEEKS_MAX: u16 = 26;
/// How far back sensors are looked for.
const SENSORS_WEEKS: u16 = 4;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/policy", "The policy in force, as it was written or as rules", show)
        .post("/v1/policy", "Put a policy in force", adopt)
        .post("/v1/policy/try", "What a changed policy would have said about the past weeks", attempt)
        .get("/v1/policy/table", "The policy as a table of roles and areas", table)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    #[serde(default)]
    form: Option<String>,
}

/// An expert's file: its name and its policies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpertFile {
    name: String,
    cedar: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdoptRequest {
    text: String,
    #[serde(default)]
    experts: Vec<ExpertFile>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    passphrase: Option<Passphrase>,
    #[serde(default)]
    second: Option<String>,
    #[serde(default)]
    second_passphrase: Option<Passphrase>,
    #[serde(default)]
    alone_because: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryRequest {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) experts: Vec<ExpertFile>,
    #[serde(default)]
    #[schemars(range(min = 1, max = WEEKS_MAX))]
    pub(crate) weeks: Option<u16>,
}

/// What a changed policy would have said.
pub(crate) struct Tried {
    /// About so many weeks.
    pub(crate) weeks: u16,
    /// What would have been another outcome.
    pub(crate) comparison: Comparison,
    /// What it needs and no sensor delivers, in sentences.
    pub(crate) not_delivered: Vec<String>,
}

/// The table's text with the experts' files as sections of it, so that one text says everything.
fn whole(text: &str, experts: &[ExpertFile]) -> Answer<(String, Policy)> {
    let mut whole = text.to_owned();
    for ExpertFile { name, cedar } in experts {
        let is_plain =
            !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
        if !is_plain || cedar.contains("'''") {
            return Err(Failure::bad(format!(
                "`{name}`: an expert's file has a name of letters, digits, `-` and `_`, and holds no '''"
            )));
        }
        whole.push_str(&format!("\n[expert.{name}]\ncedar = '''\n{}'''\n", with_line_end(cedar)));
    }
    let policy = Policy::parse(&whole).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
    Ok((whole, policy))
}

fn with_line_end(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

async fn show(State(app): State<App>, Query(query): Query<ShowQuery>) -> Answer<Json<Value>> {
    let text = blocking(move || Ok(app.lookup.rule_texts_now()?.1)).await?;
    match query.form.as_deref() {
        None | Some("toml") => Ok(Json(json!({"text": text}))),
        Some("cedar") => {
            let policy = Policy::parse(&text).map_err(|fault| Failure::ours(&fault))?;
            let rules = policy.compiled().into_iter().flat_map(cedar::Compiled::rules);
            let rules: Vec<_> = rules.map(|rule| rule.text.as_str()).collect();
            Ok(Json(json!({"text": format!("{}\n", rules.join("\n\n"))})))
        }
        Some(other) => {
            Err(Failure::bad(format!("`{other}` is no form of a policy; there is toml and cedar")))
        }
    }
}

/// The table as rows and columns, for showing it.
async fn table(State(app): State<App>) -> Answer<Json<Value>> {
    let (_, policy) = blocking(move || Ok(app.lookup.rules_now()?)).await?;
    let rows = policy.roles().map(|role| {
        let cells = Area::ALL.iter().filter_map(|area| {
            let cell = policy.cell(role, *area)?;
            Some(json!({"area": area, "heading": area.heading(), "is": cell.rule, "sentence": cell.sentence}))
        });
        json!({"role": role, "cells": cells.collect::<Vec<_>>()})
    });
    let experts = policy.compiled().into_iter().flat_map(cedar::Compiled::rules);
    let experts = experts.filter(|rule| rule.id.starts_with("expert:"));
    let experts: Vec<_> = experts.map(|rule| json!({"id": rule.id, "plain": rule.plain})).collect();
    Ok(Json(
        json!({"name": policy.name(), "hash": policy.hash(), "rows": rows.collect::<Vec<_>>(), "experts": experts}),
    ))
}

async fn adopt(State(app): State<App>, Json(request): Json<AdoptRequest>) -> Answer<Json<Value>> {
    let (text, policy) = whole(&request.text, &request.experts)?;
    let delivered = delivered(&app).await?;
    if let Some(compiled) = policy.compiled() {
        let missing = delivered.missing(compiled.uses());
        if !missing.is_empty() {
            return Err(Failure::bad(format!("the policy is not adopted:\n- {}", missing.join("\n- "))));
        }
    }
    let (_, roster) = super::roster::in_force(&app).await?;
    let mut body = json!({"text": text, "hash": policy.hash(), "name": policy.name()});
    let mut asked = None;
    if let Some((by, second)) = signatures(&app, &roster, &policy, &request).await? {
        if let Some(reviewer) = cosigns::second(&app) {
            let signed = second.as_ref().is_some_and(|second| second.by == reviewer || by.by == reviewer);
            if !signed {
                let alone = request.alone_because.clone().filter(|why| !why.trim().is_empty());
                let is_waiting = alone.is_none();
                let (act, told) = ask_for(&app, &body, alone, &by).await?;
                if is_waiting {
                    cosigns::write(&app, vec![act]).await?;
                    return Ok(Json(json!({"pending": told, "hash": policy.hash(), "name": policy.name()})));
                }
                asked = Some(act);
            }
        }
        body = by.sign(body);
        if let Some(fields) = body.as_object_mut() {
            match second {
                Some(second) => {
                    fields.insert("second".into(), json!(second.by));
                    fields.insert("second_proof".into(), json!(second.proof));
                }
                None => {
                    fields.insert("alone_because".into(), json!(request.alone_because));
                }
            }
        }
    }
    let mut acts = vec![act::event(act::kind::POLICY, app.ledger.now(), body)];
    acts.extend(asked);
    cosigns::write(&app, acts).await?;
    Ok(Json(json!({"hash": policy.hash(), "name": policy.name()})))
}

/// The act that asks the second reviewer for a table, over the one that is in force.
async fn ask_for(app: &App, body: &Value, alone: Option<String>, by: &Signature) -> Answer<(Event, Value)> {
    let app_for_reading = app.clone();
    let (_, before) = blocking(move || Ok(app_for_reading.lookup.rules_now()?)).await?;
    let mut body = body.clone();
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("over".into(), json!(before.hash()));
    }
    let says = format!("{} adopts the need-to-know table {name} in place of {}.", by.name, before.name());
    cosigns::ask(app, (What::Policy, says, body), alone, by)
}

/// Who adopts, and the second person where there is one. None where nobody is named and nobody has to be.
async fn signatures(
    app: &App,
    roster: &Roster,
    policy: &Policy,
    request: &AdoptRequest,
) -> Answer<Option<(Signature, Option<Signature>)>> {
    let Some(by) = &request.by else {
        if app.reviewers.list()?.is_empty() {
            return Ok(None);
        }
        return Err(Failure::unproved("this practice has reviewers: say who adopts the policy, --by WHO"));
    };
    let by = sign(app, roster, by, request.passphrase.as_ref(), Word::Decides).await?;
    let terms = policy.tickets();
    let may = |id: &str| roster.person(id).is_some_and(|person| is_approver(person, terms));
    if by.proof != "none" && !may(&by.by) {
        return Err(Failure::bad(format!(
            "`{}` may not adopt a policy; a manager, a reviewer, or who stands in [tickets] approvers may",
            by.by
        )));
    }
    if let Some(second) = &request.second {
        if is_own_side(second, &by.by, roster) {
            return Err(Failure::bad(format!(
                "`--second {second}`: the second person is another one, of another firm"
            )));
        }
        let second = sign(app, roster, second, request.second_passphrase.as_ref(), Word::Decides).await?;
        let is_reviewer = cosigns::second(app).as_deref() == Some(second.by.as_str());
        if second.proof != "none" && !may(&second.by) && !is_reviewer {
            return Err(Failure::bad(format!("`--second {}` may not adopt a policy", second.by)));
        }
        return Ok(Some((by, Some(second))));
    }
    let others = roster.persons().iter().filter(|person| {
        person.id != by.by && is_approver(person, terms) && !is_own_side(&person.id, &by.by, roster)
    });
    let names: Vec<_> = others.map(|person| format!("`{}`", person.id)).collect();
    let is_alone = request.alone_because.as_deref().is_some_and(|why| !why.trim().is_empty());
    // Where there is a second reviewer, the table waits for their signature.
    let waits = cosigns::second(app).is_some();
    if by.proof != "none" && !names.is_empty() && !is_alone && !waits {
        return Err(Failure::bad(format!(
            "a second person adopts with you: --second {}; or say why not with --alone-because, which is recorded",
            names.join(" or ")
        )));
    }
    Ok(Some((by, None)))
}

async fn delivered(app: &App) -> Answer<Delivered> {
    let from = weeks_ago(app, SENSORS_WEEKS)?;
    let app = app.clone();
    blocking(move || {
        let mut delivered = Delivered::default();
        app.lookup.events(from, i64::MAX, |seen| {
            if !act::is_act(&seen.event.kind) {
                delivered.observe(seen.event);
            }
        })?;
        Ok(delivered)
    })
    .await
}

fn weeks_ago(app: &App, weeks: u16) -> Answer<i64> {
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let from = now.checked_sub((i64::from(weeks) * 7 * 24).hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(i64::try_from(from.as_nanosecond()).unwrap_or(0))
}

async fn attempt(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<TryRequest>,
) -> Answer<Json<Value>> {
    let Tried { weeks, comparison, not_delivered } = tried(&app, &viewer, request).await?;
    Ok(Json(json!({"weeks": weeks, "comparison": comparison, "not_delivered": not_delivered})))
}

/// Decides the past weeks again by another policy. Nothing is changed; a look, an act.
pub(crate) async fn tried(app: &App, viewer: &Viewer, request: TryRequest) -> Answer<Tried> {
    let weeks = request.weeks.unwrap_or(WEEKS);
    if !(1..=WEEKS_MAX).contains(&weeks) {
        return Err(Failure::bad(format!("`--weeks` is at least 1 and at most {WEEKS_MAX}")));
    }
    let (_, candidate) = whole(&request.text, &request.experts)?;
    let missing = match candidate.compiled() {
        Some(compiled) => delivered(app).await?.missing(compiled.uses()),
        None => Vec::new(),
    };
    let from = weeks_ago(app, weeks)?;
    let app_for_reading = app.clone();
    let comparison: Comparison = blocking(move || {
        let app = app_for_reading;
        let (mut trial, mut verdicts) = (Trial::default(), Verdicts::remembering());
        let total = app.ledger.published().checkpoint.checkpoint.size;
        app.lookup.events_with_rules(from, i64::MAX, |seen, rules| {
            if act::is_act(&seen.event.kind) {
                return;
            }
            app.job.set(seen.record.leaf, total);
            let after = decide_with(seen.access, &rules.roster, &candidate, &rules.tickets, &mut verdicts);
            trial.observe(seen.access, seen.decision, &after);
        })?;
        Ok(trial.finish(app.lookup.zone()))
    })
    .await?;
    let looked = json!({"what": "what a changed policy would have said", "weeks": weeks});
    record(app, act::kind::VIEWED, viewer.looked(looked)).await?;
    Ok(Tried { weeks, comparison, not_delivered: missing })
}
