//! Second signatures over the admin API: what waits, signing, declining; and how leave dates, tables and exports ask.
//!
//! A signature and what takes effect by it are one group of acts: neither stands without the other.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Signature, Word, prove, sign};
use super::roster::in_force;
use super::second::reason;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking};
use crate::app::App;
use crate::export::Question;
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::roster::append::{Addition, append};
use crate::second::cosign::{CosignStep, Pending, WAITING_MAX, WAITS, What};
use crate::ticket::approve::is_approver;

/// How large the text that waits may be, bytes: it is kept in mind until it is signed.
const BODY_BYTES_MAX: usize = 256 << 10;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/cosign", "What waits for a second signature", list)
        .get("/v1/cosign/{id}", "What a second signature would be for, whole", show)
        .post("/v1/cosign/sign", "Give the second signature", give)
        .post("/v1/cosign/decline", "Decline the second signature", decline)
}

fn moment_now(app: &App) -> Answer<Timestamp> {
    app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))
}

/// Id of the second reviewer, where the practice has one.
pub(crate) fn second(app: &App) -> Option<String> {
    app.ledger.published().registry.people.second.person().map(str::to_owned)
}

/// The act that asks for a signature, and what is told of it. `at_once` says why the thing holds already.
pub(crate) fn ask(
    app: &App,
    (what, says, body): (What, String, Value),
    at_once: Option<String>,
    by: &Signature,
) -> Answer<(Event, Value)> {
    let now = moment_now(app)?;
    let published = app.ledger.published();
    let cosigns = &published.registry.people.cosigns;
    if !cosigns.has_room(now) {
        return Err(Failure::bad(format!(
            "{WAITING_MAX} things wait for a second signature already; have some signed or declined first: ntk-collector cosign list"
        )));
    }
    if body.to_string().len() > BODY_BYTES_MAX {
        return Err(Failure::bad(format!(
            "a text of more than {BODY_BYTES_MAX} bytes cannot wait for a second signature; make it shorter"
        )));
    }
    let expires = now.checked_add(WAITS).map_err(|_| Failure::bad("the clock cannot be read"))?;
    let mut pending = Pending {
        id: cosigns.next_id(),
        what,
        says,
        body,
        sha256: String::new(),
        at_once,
        by: by.by.clone(),
        proof: by.proof.to_owned(),
        expires,
    };
    pending.sha256 = pending.hash();
    let told = row(&pending);
    let body = serde_json::to_value(CosignStep::Asked(pending)).map_err(|error| Failure::ours(&error))?;
    Ok((act::event(act::kind::COSIGN, app.ledger.now(), body), told))
}

fn row(pending: &Pending) -> Value {
    json!({
        "id": pending.id, "what": pending.what, "says": pending.says, "sha256": pending.sha256, "by": pending.by,
        "at_once": pending.at_once, "expires": pending.expires.to_string(),
    })
}

/// Writes a group of acts.
pub(crate) async fn write(app: &App, acts: Vec<Event>) -> Answer<()> {
    let _appended = app.ledger.act(acts).await?;
    Ok(())
}

/// Who is not to learn that they are or were to leave, or that a bundle about them is made, is told nothing of it here.
fn is_hidden_from(what: What, says: &str, by: &str, viewer: &Viewer, roster: &Roster) -> bool {
    let Some(me) = viewer.person().filter(|me| *me != by) else { return false };
    let is_named = roster.person(me).is_some_and(|person| says.contains(person.name.as_str()));
    matches!(what, What::Leave | What::LeaveWithdrawn | What::Export) && is_named
}

/// What a review does not tell its reader: the same that [`is_hidden_from`] keeps from them.
pub(crate) struct Untold {
    name: Option<String>,
    ids: Vec<String>,
}

impl Untold {
    /// For whoever reads.
    pub(crate) fn of(app: &App, viewer: &Viewer, roster: &Roster) -> Answer<Self> {
        let now = moment_now(app)?;
        let published = app.ledger.published();
        let cosigns = &published.registry.people.cosigns;
        let asked = cosigns.waiting(now).chain(cosigns.lapsed(now));
        let asked = asked.map(|one| (&one.id, one.what, &one.says, &one.by));
        let over = cosigns.all_over().map(|one| (&one.id, one.what, &one.says, &one.by));
        let hidden = |(_, what, says, by): &(&String, What, &String, &String)| {
            is_hidden_from(*what, says, by, viewer, roster)
        };
        let ids = asked.chain(over).filter(hidden).map(|(id, ..)| id.clone()).collect();
        let me = viewer.person().and_then(|me| roster.person(me));
        Ok(Self { name: me.map(|me| me.name.clone()), ids })
    }

    /// Whether a sentence says it.
    pub(crate) fn is_in(&self, sentence: &str) -> bool {
        let Some(name) = &self.name else { return false };
        let says = |before: &str, after: &str| sentence.contains(&format!("{before} {name}{after}"));
        let names = |id: &String| {
            let signs = ["co-sign", "co-signed"].map(|word| format!("{word} {id}"));
            let mut ends = signs.iter().filter_map(|words| Some(sentence.split_once(words.as_str())?.1));
            ends.any(|end| !end.starts_with(|next: char| next.is_ascii_digit()))
        };
        says("recorded that", "")
            || says("leave date of", "")
            || says("about", ", ")
            || self.ids.iter().any(names)
    }
}

async fn list(State(app): State<App>, viewer: Viewer) -> Answer<Json<Value>> {
    let now = moment_now(&app)?;
    let (_, roster) = in_force(&app).await?;
    let approvers = approvers(&app, &roster).await?;
    let published = app.ledger.published();
    let people = &published.registry.people;
    let second = people.second.person();
    let cosigns = &people.cosigns;
    let is_shown = |one: &&Pending| !is_hidden_from(one.what, &one.says, &one.by, &viewer, &roster);
    let n_all = cosigns.waiting(now).count();
    let may_sign = |one: &Pending| {
        let (me, second) = viewer.person().zip(second)?;
        let allowed = cosigns.may_sign(&one.id, &one.sha256, me, second, |id| approvers.contains(id), now);
        Some(allowed.is_ok())
    };
    let row_for = |one: &Pending| {
        let mut told = row(one);
        if let (Some(may), Some(fields)) = (may_sign(one), told.as_object_mut()) {
            fields.insert("may_sign".to_owned(), json!(may));
        }
        told
    };
    let waiting: Vec<Value> = cosigns.waiting(now).filter(is_shown).map(row_for).collect();
    let over = cosigns.all_over();
    let over = over.filter(|one| !is_hidden_from(one.what, &one.says, &one.by, &viewer, &roster));
    Ok(Json(json!({
        "second": second,
        "not_shown": n_all.saturating_sub(waiting.len()),
        "waiting": waiting,
        "lapsed": cosigns.lapsed(now).filter(is_shown).map(row).collect::<Vec<_>>(),
        "over": over.map(|over| json!(over)).collect::<Vec<_>>(),
    })))
}

/// Ids of those who approve.
async fn approvers(app: &App, roster: &Roster) -> Answer<BTreeSet<String>> {
    let app = app.clone();
    let terms = blocking(move || Ok(app.lookup.rules_now()?.1.tickets().clone())).await?;
    let approving = roster.persons().iter().filter(|person| is_approver(person, &terms));
    Ok(approving.map(|person| person.id.clone()).collect())
}

/// Refuses what is about whoever is signed in, and what is not to be known by them yet.
fn not_about(pending: &Pending, viewer: &Viewer, roster: &Roster) -> Answer<()> {
    if is_hidden_from(pending.what, &pending.says, &pending.by, viewer, roster) {
        return Err(Failure::not_theirs("This is not shown to you, and you do not sign or decline it."));
    }
    Ok(())
}

/// Refuses a word about one's own leave date, whichever way it comes: a signature under its end, or the word that ends it.
fn not_of_signer(pending: &Pending, by: &str) -> Answer<()> {
    let person = pending.body.get("person").and_then(Value::as_str);
    if matches!(pending.what, What::Leave | What::LeaveWithdrawn) && person == Some(by) {
        return Err(Failure::not_theirs(
            "It is about the one who signs: nobody signs or declines what is about their own leave date. Whoever asked may record it alone, with the reason.",
        ));
    }
    Ok(())
}

/// The whole text, to be read before it is signed.
async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Answer<Json<Value>> {
    let now = moment_now(&app)?;
    let (_, roster) = in_force(&app).await?;
    let published = app.ledger.published();
    let pending = published.registry.people.cosigns.find(&id, now);
    let pending = pending.map_err(|fault| Failure::missing(fault.to_string()))?;
    not_about(pending, &viewer, &roster)?;
    let mut told = row(pending);
    if let Some(told) = told.as_object_mut() {
        told.insert("body".to_owned(), pending.body.clone());
        told.insert(
            "text".to_owned(),
            json!(Pending::text(&pending.id, pending.what, &pending.says, &pending.body)),
        );
    }
    Ok(Json(told))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignRequest {
    id: String,
    /// Of the text that was read.
    sha256: String,
    by: String,
    passphrase: Option<Passphrase>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclineRequest {
    id: String,
    because: String,
    by: String,
    passphrase: Option<Passphrase>,
}

/// Who signs, proved; nothing less than a passphrase.
async fn signer(app: &App, roster: &Roster, by: &str, passphrase: Option<&Passphrase>) -> Answer<Signature> {
    let Some(passphrase) = passphrase else {
        return Err(Failure::unproved(format!(
            "`{by}` signs with a passphrase: give it at the prompt, with --passphrase-file, or in NTK_PASSPHRASE"
        )));
    };
    let person = super::roster::person(roster, by)?;
    let name = person.name.clone();
    Ok(Signature { by: by.to_owned(), name, proof: prove(app, by, passphrase).await?.how() })
}

/// What waits under a number, if this person may sign it.
async fn waiting(app: &App, roster: &Roster, id: &str, sha256: Option<&str>, by: &str) -> Answer<Pending> {
    let now = moment_now(app)?;
    let Some(second) = second(app) else {
        return Err(Failure::bad("there is no second reviewer, and nothing waits for a signature"));
    };
    let approvers = approvers(app, roster).await?;
    let approves = |id: &str| approvers.contains(id);
    let published = app.ledger.published();
    let cosigns = &published.registry.people.cosigns;
    let own = cosigns.find(id, now).map(|pending| pending.sha256.clone()).unwrap_or_default();
    let found = cosigns.may_sign(id, sha256.unwrap_or(&own), by, &second, approves, now);
    found.cloned().map_err(|fault| Failure::bad(fault.to_string()))
}

async fn give(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<SignRequest>,
) -> Answer<Json<Value>> {
    let _turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(&app).await?;
    let by = signer(&app, &roster, &request.by, request.passphrase.as_ref()).await?;
    let pending = waiting(&app, &roster, &request.id, Some(&request.sha256), &by.by).await?;
    not_about(&pending, &viewer, &roster)?;
    not_of_signer(&pending, &by.by)?;
    let step = CosignStep::Signed { id: pending.id.clone(), sha256: request.sha256, by: by.by.clone() };
    let body = serde_json::to_value(step).map_err(|error| Failure::ours(&error))?;
    let mut acts = vec![act::event(act::kind::COSIGN, app.ledger.now(), by.sign(body))];
    acts.extend(effect(&app, &pending, (&text, &roster), &by).await?);
    write(&app, acts).await?;
    Ok(Json(json!({"id": pending.id, "says": pending.says, "signed_by": by.by, "what": pending.what})))
}

/// What takes effect with the signature. What has changed since it was asked for is not overwritten.
async fn effect(
    app: &App,
    pending: &Pending,
    (text, roster): (&str, &Roster),
    by: &Signature,
) -> Answer<Option<Event>> {
    let said = |key: &str| pending.body.get(key).and_then(Value::as_str).unwrap_or_default();
    let moved_on = |what: &str| {
        Failure::bad(format!(
            "{what} has changed since `{}` was asked for; decline it and have it asked for again",
            pending.id
        ))
    };
    let mut body = match pending.what {
        // In force already, or done by who asked with this number.
        What::Leave | What::Export => return Ok(None),
        What::LeaveWithdrawn => {
            let person = said("person");
            if roster.leave_of(person).map(|date| date.to_string()).as_deref() != Some(said("on")) {
                return Err(moved_on("the leave date"));
            }
            let addition = Addition::LeaveWithdrawn { person: person.to_owned() };
            let (text, roster) =
                append(text, &addition).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
            json!({"text": text, "version": roster.version(), "change": pending.says})
        }
        What::Roster => {
            if roster.version() != said("over") {
                return Err(moved_on("the roster"));
            }
            json!({"text": said("text"), "version": said("version"), "change": said("change")})
        }
        What::Policy => {
            let app = app.clone();
            let (_, policy) = blocking(move || Ok(app.lookup.rules_now()?)).await?;
            if policy.hash() != said("over") {
                return Err(moved_on("the table"));
            }
            json!({"text": said("text"), "hash": said("hash"), "name": said("name")})
        }
    };
    if let Some(fields) = body.as_object_mut() {
        for (key, value) in [
            ("by", json!(pending.by)),
            ("proof", json!(pending.proof)),
            ("second", json!(by.by)),
            ("second_proof", json!(by.proof)),
            ("cosign", json!(pending.id)),
        ] {
            fields.insert(key.to_owned(), value);
        }
    }
    let kind = if pending.what == What::Policy { act::kind::POLICY } else { act::kind::ROSTER };
    Ok(Some(act::event(kind, app.ledger.now(), body)))
}

async fn decline(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<DeclineRequest>,
) -> Answer<Json<Value>> {
    let _turn = app.turns.roster.lock().await;
    let (text, roster) = in_force(&app).await?;
    let because = reason("--because", &request.because)?;
    let by = signer(&app, &roster, &request.by, request.passphrase.as_ref()).await?;
    let now = moment_now(&app)?;
    let published = app.ledger.published();
    let own =
        published.registry.people.cosigns.find(&request.id, now).is_ok_and(|pending| pending.by == by.by);
    // Whoever asked may take it back.
    let pending = if own {
        published
            .registry
            .people
            .cosigns
            .find(&request.id, now)
            .cloned()
            .map_err(|fault| Failure::bad(fault.to_string()))?
    } else {
        waiting(&app, &roster, &request.id, None, &by.by).await?
    };
    not_about(&pending, &viewer, &roster)?;
    if !own {
        not_of_signer(&pending, &by.by)?;
    }
    let step = CosignStep::Declined { id: pending.id.clone(), because, by: by.by.clone() };
    let body = serde_json::to_value(step).map_err(|error| Failure::ours(&error))?;
    let mut acts = vec![act::event(act::kind::COSIGN, app.ledger.now(), by.sign(body))];
    let person = pending.body.get("person").and_then(Value::as_str).unwrap_or_default();
    let on = pending.body.get("on").and_then(Value::as_str);
    let is_in_force = roster.leave_of(person).map(|date| date.to_string()).as_deref() == on;
    let mut withdrawn = false;
    if pending.what == What::Leave && is_in_force {
        let addition = Addition::LeaveWithdrawn { person: person.to_owned() };
        let (text, roster) =
            append(&text, &addition).map_err(|fault| Failure::bad(crate::error_chain(&fault)))?;
        let name = roster.person(person).map_or(person, |person| person.name.as_str());
        let change = format!(
            "{} did not co-sign the leave date of {name}, {}: it is withdrawn.",
            by.name,
            on.unwrap_or_default()
        );
        let body = json!({"text": text, "version": roster.version(), "change": change, "cosign": pending.id});
        acts.push(act::event(act::kind::ROSTER, app.ledger.now(), by.sign(body)));
        withdrawn = true;
    }
    write(&app, acts).await?;
    Ok(Json(json!({"id": pending.id, "says": pending.says, "declined_by": by.by, "withdrawn": withdrawn})))
}

/// Who wants an export, and by which signature it goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ExportAsked {
    /// Who asks.
    #[serde(default)]
    pub(crate) by: Option<String>,
    /// Shows that it is them.
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
    /// The signature that allows it.
    #[serde(default)]
    pub(crate) cosigned: Option<String>,
    /// Why it cannot wait for one.
    #[serde(default)]
    pub(crate) alone_because: Option<String>,
}

/// The question of an export, and who asks it. A field that there is not is refused: `redact_path` would show everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportRequest {
    #[serde(flatten)]
    pub(crate) question: Question,
    #[serde(flatten)]
    pub(crate) asked: ExportAsked,
}

/// Whether an export goes now.
pub(super) enum Export {
    /// It does; what its act says of how.
    Goes(BTreeMap<&'static str, Value>),
    /// It waits for a signature.
    Waits(Value),
}

/// Whether an export goes now: at once where there is no second reviewer, otherwise with a signature or a reason.
pub(super) async fn export(app: &App, question: &Question, asked: ExportAsked) -> Answer<Export> {
    let mut how = BTreeMap::new();
    let (_, roster) = in_force(app).await?;
    let by = match &asked.by {
        Some(by) => Some(sign(app, &roster, by, asked.passphrase.as_ref(), Word::Decides).await?),
        None => None,
    };
    if let Some(by) = &by {
        how.insert("by", json!(by.by));
        how.insert("proof", json!(by.proof));
    }
    if second(app).is_none() {
        return Ok(Export::Goes(how));
    }
    let by = by.ok_or_else(|| {
        Failure::unproved("this practice has a second reviewer who co-signs exports: say who asks, --by WHO")
    })?;
    let body = serde_json::to_value(question).map_err(|error| Failure::ours(&error))?;
    if let Some(id) = &asked.cosigned {
        let published = app.ledger.published();
        published
            .registry
            .people
            .cosigns
            .may_export(id, &by.by, &body)
            .map_err(|fault| Failure::bad(fault.to_string()))?;
        how.insert("cosign", json!(id));
        return Ok(Export::Goes(how));
    }
    let whose = question.person.as_deref().map_or_else(
        || "everybody".to_owned(),
        |id| roster.person(id).map_or_else(|| id.to_owned(), |person| person.name.clone()),
    );
    let day = |at: Timestamp| app.lookup.zone().to_datetime(at).date();
    let says = format!(
        "{} makes an evidence bundle for case {} about {whose}, {} to {}.",
        by.name,
        question.case,
        day(question.from),
        day(question.to)
    );
    let at_once = asked.alone_because.as_deref().map(|why| reason("--alone-because", why)).transpose()?;
    let goes = at_once.is_some();
    if let Some(why) = &at_once {
        how.insert("alone_because", json!(why));
    }
    let (act, told) = ask(app, (What::Export, says, body), at_once, &by)?;
    write(app, vec![act]).await?;
    Ok(if goes { Export::Goes(how) } else { Export::Waits(told) })
}

#[cfg(test)]
mod tests;
