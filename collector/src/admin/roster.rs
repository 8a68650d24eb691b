//! The roster over the admin API: whole texts and spreadsheets in and out, and additions one at a time.
//!
//! Every change is an act with the whole new text, so that any entry can be judged by the roster of its time.
//! A change that is wrong anywhere changes nothing.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use ntk_evidence::event::Event;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;

use super::api::Api;
use super::reviewers::{Signature, Word, sign};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, cosigns, record};
use crate::app::App;
use crate::reviewer::Passphrase;
use crate::roster::append::{Addition, append};
use crate::roster::proposal::Gathering;
use crate::roster::{Attribution, Proposal, Roster, changes, csv, roster_items};
use crate::second::cosign::{What, loosens};

/// How far back proposals look where nothing else is asked for.
const WEEKS: u16 = 4;
/// How far back they look at most.
const WEEKS_MAX: u16 = 104;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/roster", "The roster in force", show)
        .post("/v1/roster", "Put a roster in force", import)
        .get("/v1/roster/items", "People, computers and accounts of the roster as rows", items)
        .get("/v1/roster/proposals", "Accounts that were used and that belong to nobody yet", proposals)
        .post("/v1/roster/confirm", "Say whose an account is", confirm)
        .post("/v1/roster/acknowledge", "Record that a person has read a notice", acknowledge)
        .post("/v1/leave", "Record or withdraw the day on which a person leaves", leave)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    #[serde(default)]
    format: Option<String>,
}

/// A whole roster: `text` in TOML, or `csv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImportRequest {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    csv: Option<String>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProposalsQuery {
    #[serde(default)]
    #[schemars(range(min = 1, max = WEEKS_MAX))]
    weeks: Option<u16>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    pub(crate) account: String,
    pub(crate) persons: Vec<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AcknowledgeRequest {
    person: String,
    notice: String,
    version: String,
    #[serde(default)]
    #[schemars(extend("format" = "date"))]
    on: Option<String>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaveRequest {
    pub(crate) person: String,
    #[serde(default)]
    #[schemars(extend("format" = "date"))]
    pub(crate) on: Option<String>,
    #[serde(default)]
    pub(crate) withdraw: bool,
    #[serde(default)]
    #[schemars(extend("format" = "date"))]
    pub(crate) notice_given: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

/// Today on the practice's wall.
pub(crate) fn today(app: &App) -> Answer<Date> {
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    Ok(app.lookup.zone().to_datetime(now).date())
}

/// The roster in force and its text.
pub(crate) async fn in_force(app: &App) -> Answer<(String, Roster)> {
    let app = app.clone();
    blocking(move || {
        let text = app.lookup.rule_texts_now()?.0;
        let roster = Roster::parse(&text).map_err(|fault| Failure::ours(&fault))?;
        Ok((text, roster))
    })
    .await
}

/// A day that somebody typed.
pub(super) fn day(flag: &str, text: &str) -> Answer<Date> {
    let wrong = || Failure::bad(format!("`{flag} {text}` is not a date; write it as 2026-11-30"));
    if text.len() == 10 { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
}

/// The person, or what to do.
pub(super) fn person<'r>(roster: &'r Roster, id: &str) -> Answer<&'r crate::roster::Person> {
    roster.person(id).ok_or_else(|| {
        Failure::missing(format!(
            "nobody in the roster has the id `{id}`; `ntk-collector roster export FILE` shows the ids"
        ))
    })
}

/// Lists the first manager of a practice that is being set up, where the roster does not have them; their name.
pub(crate) async fn list_manager(app: &App, id: &str, name: &str) -> Answer<String> {
    let turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(app).await?;
    if let Some(person) = roster.person(id) {
        return Ok(person.name.clone());
    }
    let person = Addition::Person { id: id.to_owned(), name: name.to_owned(), roles: vec!["manager".into()] };
    let change = format!("{name} was listed as the manager, by the set-up link.");
    add(app, (&text, &person), None, &change, None, &turn).await?;
    Ok(name.to_owned())
}

/// Whether that is possible, and what the roster says of the person.
pub(crate) async fn check_manager(app: &App, id: &str, name: &str) -> Answer<()> {
    let (text, roster) = in_force(app).await?;
    let reviewers = app.reviewers.clone();
    let passphrases = blocking(move || Ok(reviewers.list()?)).await?;
    // A practice that has somebody who decides takes no other word: the link is no way round them.
    if !passphrases.is_empty() && !passphrases.iter().any(|(person, _)| person == id) {
        return Err(Failure::bad(
            "Somebody in this practice has a passphrase already: write the short name of a manager who has one.",
        ));
    }
    match roster.person(id) {
        Some(person) if person.has_role("manager") => Ok(()),
        Some(person) => Err(Failure::bad(format!(
            "The roster lists {} without the role of manager; write the short name of a manager.",
            person.name
        ))),
        None => {
            let (id, name) = (id.to_owned(), name.to_owned());
            let person = Addition::Person { id, name, roles: vec!["manager".into()] };
            append(&text, &person).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
            Ok(())
        }
    }
}

/// Name of a person who may still use what is theirs: in the roster, and not past their leave date.
pub(crate) async fn name_of_present(app: &App, id: &str) -> Answer<Option<String>> {
    let (_, roster) = in_force(app).await?;
    let today = today(app)?;
    let is_gone = roster.gone(today).any(|person| person.id == id);
    Ok(roster.person(id).filter(|_| !is_gone).map(|person| person.name.clone()))
}

/// Adds a block, and writes the new roster down with what changed in plain words.
async fn add(
    app: &App,
    (text, addition): (&str, &Addition),
    by: Option<&Signature>,
    change: &str,
    more: Option<Event>,
    _turn: &MutexGuard<'_, ()>,
) -> Answer<Roster> {
    let (text, roster) = append(text, addition).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
    let body = json!({"text": text, "version": roster.version(), "change": change});
    let body = by.map_or_else(|| body.clone(), |by| by.sign(body.clone()));
    let mut acts = vec![act::event(act::kind::ROSTER, app.ledger.now(), body)];
    acts.extend(more);
    cosigns::write(app, acts).await?;
    Ok(roster)
}

async fn show(State(app): State<App>, Query(query): Query<ShowQuery>) -> Answer<Json<Value>> {
    let (text, roster) = in_force(&app).await?;
    match query.format.as_deref() {
        None | Some("toml") => Ok(Json(json!({"text": text}))),
        Some("csv") => Ok(Json(json!({"text": csv::write(&roster)}))),
        Some(other) => Err(Failure::bad(format!("`{other}` is no form of a roster; there is toml and csv"))),
    }
}

async fn import(State(app): State<App>, Json(request): Json<ImportRequest>) -> Answer<Json<Value>> {
    let _turn = app.turns.roster.lock().await;
    let (text_before, before) = in_force(&app).await?;
    let text = match (request.text, request.csv) {
        (Some(text), None) => text,
        (None, Some(rows)) => {
            csv::merge(&rows, &text_before).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?
        }
        _ => return Err(Failure::bad("a roster comes either as `text` or as `csv`")),
    };
    let roster = Roster::parse(&text).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
    let changed = changes(&before, &roster);
    let said = if changed.is_empty() { "It says the same as before.".to_owned() } else { changed.join(" ") };
    let change = format!("A roster came into force. {said}");
    let body = json!({"text": text, "version": roster.version(), "change": change});
    let body = match &request.by {
        // Whoever brings the first roster into force stands in that roster.
        Some(by) => {
            let by = sign(&app, &roster, by, request.passphrase.as_ref(), Word::Decides).await?;
            let second = cosigns::second(&app);
            let loose = second.map(|second| loosens(&before, &roster, &second)).unwrap_or_default();
            if !loose.is_empty() {
                let says = format!("{} brings a roster into force in which {}.", by.name, loose.join("; "));
                let mut body = body;
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("over".into(), json!(before.version()));
                }
                let (act, told) = cosigns::ask(&app, (What::Roster, says, body), None, &by)?;
                cosigns::write(&app, vec![act]).await?;
                return Ok(Json(json!({"pending": told, "changes": changed})));
            }
            by.sign(body)
        }
        None if app.reviewers.list()?.is_empty() => body,
        None => return Err(Failure::unproved("this practice has reviewers: say who does this, --by WHO")),
    };
    record(&app, act::kind::ROSTER, body).await?;
    Ok(Json(
        json!({"version": roster.version(), "people": roster.persons().len(), "accounts": roster.accounts().len(), "changes": changed}),
    ))
}

async fn items(State(app): State<App>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    Ok(Json(json!({"items": roster_items(&roster, today(&app)?)})))
}

async fn proposals(State(app): State<App>, Query(query): Query<ProposalsQuery>) -> Answer<Json<Value>> {
    let weeks = query.weeks.unwrap_or(WEEKS);
    let (_, roster) = in_force(&app).await?;
    let found = gather(&app, roster.clone(), weeks).await?;
    let today = today(&app)?;
    let rows = found.proposals.iter().map(|proposal| {
        let holder = proposal.suggestion.as_ref().map_or("WHO", |suggestion| &suggestion.person).to_owned();
        let block = proposal.block(&[holder], Some(today)).unwrap_or_default();
        json!({"proposal": proposal, "sentence": proposal.sentence(&roster), "block": block})
    });
    let rows: Vec<Value> = rows.collect();
    record(&app, act::kind::VIEWED, json!({"what": "accounts outside the roster"})).await?;
    let last_seen = found.last_seen.iter().map(|(person, at)| (person, at.to_string()));
    let last_seen: BTreeMap<&String, String> = last_seen.collect();
    Ok(Json(
        json!({"weeks": weeks, "proposals": rows, "last_seen": last_seen, "items": roster_items(&roster, today)}),
    ))
}

/// What the entries of some weeks say about people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lately {
    /// Accounts that are in nobody's entry.
    pub(crate) proposals: Vec<Proposal>,
    /// When an account of a person (id) was recorded last, as the machines claim.
    pub(crate) last_seen: BTreeMap<String, Timestamp>,
}

/// [`Lately`] of the last four weeks. That somebody looked is an act.
pub(crate) async fn lately(app: &App, viewer: &Viewer) -> Answer<Lately> {
    let (_, roster) = in_force(app).await?;
    let found = gather(app, roster, WEEKS).await?;
    let looked = viewer.looked(json!({"what": "accounts outside the roster"}));
    record(app, act::kind::VIEWED, looked).await?;
    Ok(found)
}

/// Accounts of the last weeks that are in nobody's entry, and who was recorded last when.
async fn gather(app: &App, roster: Roster, weeks: u16) -> Answer<Lately> {
    if !(1..=WEEKS_MAX).contains(&weeks) {
        return Err(Failure::bad(format!("`--weeks` is at least 1 and at most {WEEKS_MAX}")));
    }
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let from = now.checked_sub((i64::from(weeks) * 7 * 24).hours()).unwrap_or(Timestamp::UNIX_EPOCH);
    let app = app.clone();
    blocking(move || {
        let mut gathering = Gathering::default();
        let mut last_seen: BTreeMap<String, Timestamp> = BTreeMap::new();
        let from = i64::try_from(from.as_nanosecond()).unwrap_or(0);
        app.lookup.rolled(from, i64::MAX, |seen| {
            if !act::is_act(&seen.event.kind) {
                gathering.observe(seen.access, &roster);
                let actor = seen.event.actor.as_ref();
                let who = actor.map(|actor| roster.person_of(seen.access.host, actor));
                if let (Some(Attribution::Person(id)), Some(at)) = (who, seen.access.last()) {
                    let last = last_seen.entry(id).or_insert(at);
                    *last = at.max(*last);
                }
            }
        })?;
        Ok(Lately { proposals: gathering.finish(&roster), last_seen })
    })
    .await
}

pub(crate) async fn confirm(
    State(app): State<App>,
    Json(request): Json<ConfirmRequest>,
) -> Answer<Json<Value>> {
    let turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    for id in &request.persons {
        person(&roster, id)?;
    }
    let found = gather(&app, roster.clone(), WEEKS_MAX).await?.proposals;
    let Some(proposal) = found.iter().find(|proposal| proposal.is_named(&request.account)) else {
        let known: Vec<_> = found.iter().map(|proposal| format!("`{}`", proposal.account)).collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        return Err(Failure::missing(format!(
            "no account `{}` was seen that is outside the roster; seen were: {known}",
            request.account
        )));
    };
    let holders: Vec<_> = request.persons.iter().filter_map(|id| roster.person(id)).collect();
    let names: Vec<_> = holders.iter().map(|holder| holder.name.clone()).collect();
    let whose = crate::report::text::list_of(&names);
    let change = format!("{} recorded that account {} is held by {whose}.", by.name, proposal.account);
    let addition = Addition::Account {
        proposal: Box::new(proposal.clone()),
        holders: request.persons.clone(),
        confirmed_on: today(&app)?,
    };
    let roster = add(&app, (&text, &addition), Some(&by), &change, None, &turn).await?;
    Ok(Json(json!({"version": roster.version(), "account": proposal.account, "sentence": change})))
}

async fn acknowledge(State(app): State<App>, Json(request): Json<AcknowledgeRequest>) -> Answer<Json<Value>> {
    let turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(&app).await?;
    let who = person(&roster, &request.person)?;
    let by = match &request.by {
        Some(by) => Some(sign(&app, &roster, by, request.passphrase.as_ref(), Word::IsRecorded).await?),
        None => None,
    };
    let today = today(&app)?;
    let on = request.on.as_deref().map_or(Ok(today), |on| day("--on", on))?;
    if on > today {
        return Err(Failure::bad(format!("`--on {on}` is yet to come")));
    }
    let versions = roster.notices().iter().filter(|notice| notice.id == request.notice);
    let versions: Vec<&str> = versions.map(|notice| notice.version.as_str()).collect();
    if !versions.contains(&request.version.as_str()) {
        let known = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
        return Err(Failure::missing(format!(
            "the roster has no version `{}` of the notice `{}`; it has {known}",
            request.version, request.notice
        )));
    }
    let change = format!(
        "{} acknowledged the notice {}, version {}, on {on}.",
        who.name, request.notice, request.version
    );
    let addition = Addition::Acknowledgement {
        person: request.person,
        notice: request.notice,
        version: request.version,
        on,
    };
    let roster = add(&app, (&text, &addition), by.as_ref(), &change, None, &turn).await?;
    Ok(Json(json!({"version": roster.version(), "sentence": change})))
}

pub(crate) async fn leave(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<LeaveRequest>,
) -> Answer<Json<Value>> {
    let turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(&app).await?;
    let who = person(&roster, &request.person)?;
    if viewer.themselves(&roster).are_named(&who.id, &roster) {
        return Err(Failure::not_theirs(
            "This departure is yours or your firm's: somebody else who decides handles it.",
        ));
    }
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    if by.by == who.id {
        return Err(Failure::bad(format!("`--by {}`: a leave date is recorded by another person", by.by)));
    }
    let today = today(&app)?;
    let notice_given =
        request.notice_given.as_deref().map(|given| day("--notice-given", given)).transpose()?;
    let (addition, change) = match (&request.on, request.withdraw) {
        (Some(on), false) => {
            let on = day("--on", on)?;
            if notice_given.is_some_and(|given| given > on) {
                return Err(Failure::bad("`--notice-given` is later than `--on`"));
            }
            let change = format!("{} recorded that {} leaves: {on}.", by.name, who.in_words());
            (Addition::Leave { person: who.id.clone(), on, notice_given }, change)
        }
        (None, true) => {
            let last = roster.leave().iter().rev().find(|block| block.person == who.id);
            let Some(on) = last.and_then(|block| block.on) else {
                return Err(Failure::bad(format!(
                    "no leave date of {} was recorded with `leave`; there is nothing to withdraw",
                    who.name
                )));
            };
            if on <= today {
                return Err(Failure::bad(format!(
                    "the leave date of {}, {on}, has come and is no longer withdrawn; if they work here again, record it in the roster and import that",
                    who.name
                )));
            }
            let change = format!("{} withdrew the leave date of {}, {on}.", by.name, who.in_words());
            (Addition::LeaveWithdrawn { person: who.id.clone() }, change)
        }
        _ => return Err(Failure::bad("give either `--on DATE` or `--withdraw`")),
    };
    let cosign = match (cosigns::second(&app), &addition) {
        (None, _) => None,
        // What watches less waits for a second person; what watches more does not (second::cosign).
        (Some(_), Addition::LeaveWithdrawn { person }) => {
            let says = change.replacen(" withdrew ", " takes back ", 1);
            let body = json!({"person": person, "on": roster.leave_of(person).map(|on| on.to_string())});
            let (act, told) = cosigns::ask(&app, (What::LeaveWithdrawn, says, body), None, &by)?;
            cosigns::write(&app, vec![act]).await?;
            return Ok(Json(json!({"pending": told, "person": request.person})));
        }
        (Some(_), _) => {
            let body =
                json!({"person": request.person, "on": request.on, "notice_given": request.notice_given});
            let why = "a leave date only adds to what is shown".to_owned();
            Some(cosigns::ask(&app, (What::Leave, change.clone(), body), Some(why), &by)?)
        }
    };
    let (asked, told) = cosign.unzip();
    let after = add(&app, (&text, &addition), Some(&by), &change, asked, &turn).await?;
    let follows = crate::departure::follows(&after, &request.person, today);
    Ok(Json(json!({
        "version": after.version(),
        "person": request.person,
        "leave_date": after.leave_of(&request.person).map(|date| date.to_string()),
        "sentence": change,
        "follows": follows,
        "pending": told,
    })))
}

#[cfg(test)]
mod tests;
