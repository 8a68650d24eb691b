//! Tickets and break-glass over the admin API. Each step is an act; a step that is refused changes nothing.

use axum::Json;
use axum::extract::{Query, State};
use jiff::{SignedDuration, Zoned};
use ntk_evidence::act::kind::{BREAK_GLASS, TICKET};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reviewers::prove;
use super::viewer::Viewer;
use super::{Answer, Failure};
use crate::app::App;
use crate::desk::View;
use crate::reviewer::{Passphrase, Proof};
use crate::roster::Person;
use crate::ticket::approve::{SECOND_APPROVER, is_approver, is_own_side};
use crate::ticket::echo::echo;
use crate::ticket::request::{Fault, HOURS_DEFAULT, reason};
use crate::ticket::step::{BreakGlassStep, TicketStep};
use crate::ticket::{BreakGlass, Draft, Glass, Record, Request, State as TicketState, Via, approve, csv};

/// How many requests may wait for a decision.
pub(crate) const OPEN_MAX: usize = 1_000;

/// `ticket list`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketsQuery {
    /// Only those that wait for a decision.
    #[serde(default)]
    pub open: bool,
}

/// `ticket approve`, first half: what would it allow?
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EchoRequest {
    /// Number of the ticket.
    pub id: String,
    /// Id of the person who would approve.
    pub by: String,
}

/// `ticket approve`, second half.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// Number of the ticket.
    pub id: String,
    /// Id of the person who approves.
    pub by: String,
    /// The sentence that the person was shown.
    pub echo: String,
    /// How the person shows who they are.
    pub passphrase: Passphrase,
}

/// `ticket decline`, `ticket close`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndRequest {
    /// Number of the ticket.
    pub id: String,
    /// Id of the person.
    pub by: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// How the person shows who they are; written down where it is given.
    #[serde(default)]
    pub passphrase: Option<Passphrase>,
}

/// `ticket import`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// The file.
    pub text: String,
}

/// `break-glass`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlassRequest {
    /// Id of the person.
    pub person: String,
    /// Why, as typed.
    pub reason: String,
    /// For how long.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// `break-glass acknowledge`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// `B-1`.
    pub id: String,
    /// Id of the person.
    pub by: String,
    /// How the person shows who they are.
    pub passphrase: Passphrase,
}

/// Every fault of a request in one text.
pub(crate) fn faulty(faults: &[Fault], prefix: &str) -> Failure {
    let lines: Vec<_> =
        faults.iter().map(|fault| format!("{prefix}{}: {}", fault.key, fault.wrong)).collect();
    Failure::bad(lines.join("\n"))
}

/// The body of a step's act.
pub(crate) fn body(step: &impl serde::Serialize) -> Answer<Value> {
    serde_json::to_value(step).map_err(|error| Failure::ours(&error))
}

/// Refuses a request where too many wait already.
pub(crate) fn room(view: &View<'_>, n: usize) -> Answer<()> {
    let (terms, now) = (view.policy.tickets(), view.now.timestamp());
    let open = view.tickets.records().filter(|record| record.state(terms, now).is_open()).count();
    if open.saturating_add(n) > OPEN_MAX {
        return Err(Failure::bad(format!(
            "{open} requests wait for a decision already; decide or decline some of them first"
        )));
    }
    Ok(())
}

/// One request.
pub(super) async fn request(
    State(app): State<App>,
    viewer: Viewer,
    Json(draft): Json<Draft>,
) -> Answer<Json<Value>> {
    let via = if viewer.person().is_some() { Via::Console } else { Via::CommandLine };
    let asked = ask_for(&app, draft, via).await?;
    let (id, echo) = asked.map_err(|faults| faulty(&faults, "--"))?;
    Ok(Json(json!({"id": id, "echo": echo})))
}

/// Asks: the number and what it would allow, or everything that is wrong with it.
pub(crate) async fn ask_for(
    app: &App,
    draft: Draft,
    via: Via,
) -> Answer<Result<(String, String), Vec<Fault>>> {
    app.desk
        .step(|view| {
            room(view, 1)?;
            let id = view.tickets.next_ticket();
            let request = match draft.read(id.clone(), view.roster, view.policy.tickets(), via, view.now) {
                Ok(request) => request,
                Err(faults) => return Ok((Vec::new(), Err(faults))),
            };
            let echo = echo(&request, view.roster, view.now);
            Ok((vec![(TICKET, requested(request)?)], Ok((id, echo))))
        })
        .await
}

/// A file of requests: all or none.
pub(super) async fn import(State(app): State<App>, Json(file): Json<ImportRequest>) -> Answer<Json<Value>> {
    app.desk
        .step(|view| {
            let number = view.tickets.next_ticket().trim_start_matches("T-").parse().unwrap_or(1);
            let requests = csv::requests(&file.text, view.roster, view.policy.tickets(), view.now, number)
                .map_err(|faults| Failure::bad(faults.to_string()))?;
            room(view, requests.len())?;
            let ids: Vec<_> = requests.iter().map(|request| request.id.clone()).collect();
            let acts: Answer<Vec<_>> =
                requests.into_iter().map(|request| Ok((TICKET, requested(request)?))).collect();
            Ok((acts?, Json(json!({"ids": ids}))))
        })
        .await
}

fn requested(request: Request) -> Answer<Value> {
    body(&TicketStep::Requested { ticket: request })
}

/// Every ticket and break-glass.
pub(super) async fn list(State(app): State<App>, Query(query): Query<TicketsQuery>) -> Answer<Json<Value>> {
    let Book { tickets, glasses } = book(&app).await?;
    let tickets: Vec<_> = tickets
        .iter()
        .filter(|one| !query.open || one.state.is_open())
        .map(|one| {
            json!({"id": one.record.request.id, "state": one.state, "state_in_words": one.state.in_words(), "echo": one.echo, "record": one.record})
        })
        .collect();
    let glasses: Vec<_> =
        glasses.iter().filter(|glass| !query.open || glass.acknowledged.is_none()).collect();
    Ok(Json(json!({"tickets": tickets, "break_glass": glasses})))
}

/// A ticket as it stands now.
pub(crate) struct Standing {
    /// What was asked for, and what became of it.
    pub(crate) record: Record,
    /// How it stands.
    pub(crate) state: TicketState,
    /// What it allows, in one sentence.
    pub(crate) echo: String,
}

/// Every ticket and break-glass, in the order in which they came.
pub(crate) struct Book {
    /// The tickets.
    pub(crate) tickets: Vec<Standing>,
    /// The uses of break-glass.
    pub(crate) glasses: Vec<Glass>,
}

/// The book as it stands now.
pub(crate) async fn book(app: &App) -> Answer<Book> {
    app.desk
        .step(|view| {
            let tickets = view.tickets.records().map(|record| Standing {
                state: record.state(view.policy.tickets(), view.now.timestamp()),
                echo: echo(&record.request, view.roster, view.now),
                record: record.clone(),
            });
            let glasses = view.tickets.glasses().cloned().collect();
            Ok((Vec::new(), Book { tickets: tickets.collect(), glasses }))
        })
        .await
}

/// What an approval would allow, or why it would be refused. No act.
///
/// One for the approver's own side is not refused here but after the passphrase: only then is it known who
/// tried, and that it was tried becomes an act.
pub(super) async fn preview(State(app): State<App>, Json(ask): Json<EchoRequest>) -> Answer<Json<Value>> {
    app.desk
        .step(|view| {
            let terms = view.policy.tickets();
            let awaits_second = match approve(view.tickets, view.roster, terms, &ask.id, &ask.by, view.now) {
                Ok(approved) => approved.awaits_second(),
                Err(refusal) if refusal.is_own_side() => false,
                Err(refusal) => return Err(Failure::bad(refusal.to_string())),
            };
            let request = &found(view, &ask.id)?.request;
            let echo = echo(request, view.roster, view.now);
            let answer = json!({"echo": echo, "awaits_second": awaits_second, "reason": request.reason});
            Ok((Vec::new(), Json(answer)))
        })
        .await
}

/// An approval. One for the approver's own side is refused, and that it was tried is an act.
pub(super) async fn approve_ticket(
    State(app): State<App>,
    Json(ask): Json<ApproveRequest>,
) -> Answer<Json<Value>> {
    let (id, echo) = (ask.id.clone(), ask.echo.clone());
    let awaits_second = approved(&app, ask).await?;
    Ok(Json(json!({"id": id, "echo": echo, "awaits_second": awaits_second})))
}

/// The same: whether a second person is still needed.
pub(crate) async fn approved(app: &App, ask: ApproveRequest) -> Answer<bool> {
    let proof = prove(app, &ask.by, &ask.passphrase).await?;
    let answer: Answer<Result<bool, String>> = app
        .desk
        .step(|view| {
            let terms = view.policy.tickets();
            let approved = match approve(view.tickets, view.roster, terms, &ask.id, proof.by(), view.now) {
                Ok(approved) => approved,
                Err(refusal) if refusal.is_own_side() => {
                    let why = refusal.to_string();
                    let step = TicketStep::Refused { id: ask.id, by: ask.by, why: why.clone() };
                    return Ok((vec![(TICKET, body(&step)?)], Err(why)));
                }
                Err(refusal) => return Err(Failure::bad(refusal.to_string())),
            };
            let echo = echo(approved.request(), view.roster, view.now);
            if echo != ask.echo {
                let wrong = "what the ticket allows reads differently by now; look at it again";
                return Err(Failure::bad(format!("{wrong}: {echo}")));
            }
            let step = TicketStep::Approved {
                id: ask.id.clone(),
                by: proof.by().to_owned(),
                proof: proof.how().to_owned(),
                echo: echo.clone(),
            };
            Ok((vec![(TICKET, body(&step)?)], Ok(approved.awaits_second())))
        })
        .await;
    answer?.map_err(Failure::bad)
}

/// Somebody says no, or takes a request back.
pub(super) async fn decline(State(app): State<App>, Json(ask): Json<EndRequest>) -> Answer<Json<Value>> {
    let id = ask.id.clone();
    declined(&app, ask).await?;
    Ok(Json(json!({"id": id})))
}

/// The same.
pub(crate) async fn declined(app: &App, ask: EndRequest) -> Answer<()> {
    let proof = shown(app, &ask).await?;
    app.desk
        .step(|view| {
            let state = standing(view, &ask.id, &ask.by)?;
            if !state.is_open() {
                return Err(Failure::bad(format!("ticket {} is not open: {}", ask.id, state.in_words())));
            }
            let why = ask.reason.unwrap_or_default();
            reason(&why).map_err(|wrong| Failure::bad(format!("--reason: {wrong}")))?;
            let step = TicketStep::Declined { id: ask.id.clone(), by: ask.by, reason: why };
            Ok((vec![(TICKET, signed(&step, proof)?)], ()))
        })
        .await
}

/// Ends a ticket before its time.
pub(super) async fn close(State(app): State<App>, Json(ask): Json<EndRequest>) -> Answer<Json<Value>> {
    let id = ask.id.clone();
    closed(&app, ask).await?;
    Ok(Json(json!({"id": id})))
}

/// Who ends or declines, where they show it.
async fn shown(app: &App, ask: &EndRequest) -> Answer<Option<Proof>> {
    match &ask.passphrase {
        Some(passphrase) => Ok(Some(prove(app, &ask.by, passphrase).await?)),
        None => Ok(None),
    }
}

/// A step's act with how its person showed who they are.
fn signed(step: &TicketStep, proof: Option<Proof>) -> Answer<Value> {
    let mut body = body(step)?;
    if let (Some(proof), Some(fields)) = (proof, body.as_object_mut()) {
        fields.insert("proof".into(), json!(proof.how()));
    }
    Ok(body)
}

/// The same as [`close`].
pub(crate) async fn closed(app: &App, ask: EndRequest) -> Answer<()> {
    let proof = shown(app, &ask).await?;
    app.desk
        .step(|view| {
            let state = standing(view, &ask.id, &ask.by)?;
            if !matches!(state, TicketState::Approved | TicketState::AwaitsSecond | TicketState::Requested) {
                return Err(Failure::bad(format!("ticket {} has ended: {}", ask.id, state.in_words())));
            }
            if let Some(note) = &ask.reason {
                reason(note).map_err(|wrong| Failure::bad(format!("--note: {wrong}")))?;
            }
            let step = TicketStep::Closed { id: ask.id.clone(), by: ask.by, note: ask.reason };
            Ok((vec![(TICKET, signed(&step, proof)?)], ()))
        })
        .await
}

fn standing(view: &View<'_>, id: &str, by: &str) -> Answer<TicketState> {
    known(view, by)?;
    let record = found(view, id)?;
    Ok(record.state(view.policy.tickets(), view.now.timestamp()))
}

fn found<'v>(view: &View<'v>, id: &str) -> Answer<&'v Record> {
    view.tickets.record(id).ok_or_else(|| {
        Failure::missing(format!("there is no ticket `{id}`; see `ntk-collector ticket list`"))
    })
}

fn known<'v>(view: &View<'v>, id: &str) -> Answer<&'v Person> {
    view.roster.person(id).ok_or_else(|| {
        Failure::bad(format!(
            "`{id}` is not in the roster; use an id that `ntk-collector roster export` shows"
        ))
    })
}

/// Access without a ticket, from now on.
pub(super) async fn open_glass(State(app): State<App>, Json(ask): Json<GlassRequest>) -> Answer<Json<Value>> {
    app.desk
        .step(|view| {
            let person = known(view, &ask.person)?;
            reason(&ask.reason).map_err(|wrong| Failure::bad(format!("--reason: {wrong}")))?;
            let hours_max = view.policy.tickets().hours_max;
            let hours = ask.hours.unwrap_or(HOURS_DEFAULT.min(hours_max));
            if hours < 1 || hours > hours_max {
                return Err(Failure::bad(format!("--hours: is a number from 1 to {hours_max}")));
            }
            let glass = BreakGlass {
                id: view.tickets.next_break_glass(),
                person: ask.person.clone(),
                reason: ask.reason.trim().to_owned(),
                from: view.now.timestamp(),
                to: later(view.now, hours)?,
            };
            let id = glass.id.clone();
            let until = glass.to.to_zoned(view.now.time_zone().clone());
            let answer = json!({"id": id, "person": person.name, "until": until.strftime("%A %-d %B %H:%M").to_string()});
            Ok((vec![(BREAK_GLASS, body(&BreakGlassStep::Opened(glass))?)], Json(answer)))
        })
        .await
}

fn later(now: &Zoned, hours: u32) -> Answer<jiff::Timestamp> {
    let length = SignedDuration::from_hours(i64::from(hours));
    now.timestamp().checked_add(length).map_err(|_| Failure::bad("--hours: is too many"))
}

/// Another person has seen a break-glass.
pub(super) async fn acknowledge(
    State(app): State<App>,
    Json(ask): Json<AcknowledgeRequest>,
) -> Answer<Json<Value>> {
    let id = ask.id.clone();
    acknowledged(&app, ask).await?;
    Ok(Json(json!({"id": id})))
}

/// The same.
pub(crate) async fn acknowledged(app: &App, ask: AcknowledgeRequest) -> Answer<()> {
    let proof = prove(app, &ask.by, &ask.passphrase).await?;
    app.desk
        .step(|view| {
            let glass = view.tickets.glasses().find(|glass| glass.glass.id == ask.id);
            let glass = glass.ok_or_else(|| {
                Failure::missing(format!(
                    "there is no break-glass `{}`; see `ntk-collector ticket list`",
                    ask.id
                ))
            })?;
            if glass.acknowledged.is_some() {
                return Err(Failure::bad(format!("{} was acknowledged already", ask.id)));
            }
            let person = known(view, proof.by())?;
            if is_own_side(&person.id, &glass.glass.person, view.roster) {
                return Err(Failure::bad(format!(
                    "{} was used on the side that {} stands on; another person acknowledges it",
                    ask.id, person.name
                )));
            }
            if !is_approver(person, view.policy.tickets()) && !person.has_role(SECOND_APPROVER) {
                return Err(Failure::bad(format!(
                    "{} has no role that acknowledges; a manager or reviewer does",
                    person.name
                )));
            }
            let step = BreakGlassStep::Acknowledged {
                id: ask.id.clone(),
                by: person.id.clone(),
                proof: proof.how().to_owned(),
            };
            Ok((vec![(BREAK_GLASS, body(&step)?)], ()))
        })
        .await
}

#[cfg(test)]
mod tests;
