//! Tickets: what waits for a decision, what is allowed now, what has ended, who opened the glass; one page a ticket.
//!
//! Who approves repeats the sentence that says what it allows: it stands in the form, and where it reads differently by
//! then the form comes back with the new one.

mod ask;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::form::{Done, is_the_forms, needed_passphrase};
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::words::plain;
use super::{Console, see};
use crate::admin::Failure;
use crate::admin::roster::in_force;
use crate::admin::tickets::{
    AcknowledgeRequest, ApproveRequest, Book, EndRequest, Standing, acknowledged, approved, book, closed,
    declined,
};
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::{moment, period};
use crate::roster::Roster;
use crate::ticket::echo::assignee;
use crate::ticket::record::Signed;
use crate::ticket::request::REASON_MAX;
use crate::ticket::{Glass, State as TicketState};

/// Ended tickets on the page.
const ENDED_MAX: usize = 100;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/tickets", get(list))
        .route("/tickets/{id}", get(one).post(step))
        .route("/tickets/{id}/seen", post(seen))
        .merge(ask::routes())
}

/// A ticket as a page shows it.
struct Shown {
    id: String,
    tag: (&'static str, &'static str),
    echo: String,
    who: String,
    reason: String,
    asked: String,
    span: String,
}

const fn tag(state: TicketState) -> (&'static str, &'static str) {
    match state {
        TicketState::Requested => ("ask", "to be decided"),
        TicketState::AwaitsSecond => ("ask", "waits for a second approval"),
        TicketState::Approved => ("ok", "approved"),
        TicketState::Declined => ("", "declined"),
        TicketState::Closed => ("", "ended early"),
        TicketState::Expired => ("", "never decided, and over"),
        TicketState::Over => ("", "over"),
    }
}

impl Shown {
    fn of(standing: &Standing, roster: &Roster, zone: &TimeZone) -> Self {
        let request = &standing.record.request;
        let asker = plain(&name(&request.requested_by, roster));
        let number =
            request.external_id.as_deref().map(|id| format!(", there {}", plain(id))).unwrap_or_default();
        Self {
            id: request.id.clone(),
            tag: tag(standing.state),
            echo: plain(&standing.echo),
            who: plain(&assignee(&request.assignee, roster)),
            reason: plain(&request.reason),
            asked: format!("by {asker}{number}, {}", moment(standing.record.requested_at, zone)),
            span: period(request.from, request.to, zone),
        }
    }
}

/// One use of break-glass.
struct Opened {
    id: String,
    who: String,
    reason: String,
    span: String,
    seen: String,
}

impl Opened {
    fn of(glass: &Glass, roster: &Roster, zone: &TimeZone) -> Self {
        let by = |signed: &Signed| format!("by {}, {}", name(&signed.by, roster), moment(signed.at, zone));
        Self {
            id: glass.glass.id.clone(),
            who: plain(&name(&glass.glass.person, roster)),
            reason: plain(&glass.glass.reason),
            span: period(glass.glass.from, glass.glass.to, zone),
            seen: glass.acknowledged.as_ref().map(|signed| plain(&by(signed))).unwrap_or_default(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/tickets.html")]
struct TicketsPage {
    shell: Shell,
    zone: String,
    waiting: Vec<Shown>,
    allowed: Vec<Shown>,
    ended: Vec<Shown>,
    n_left_out: usize,
    unseen: Vec<Opened>,
    seen: Vec<Opened>,
    said: &'static str,
    wrong_id: String,
    wrong: String,
}

async fn list(State(console): State<Console>, visitor: Visitor, Query(told): Query<Done>) -> Page {
    let said = match told.said.as_str() {
        "seen" => "It is kept that you have seen it.",
        _ => "",
    };
    with(&console, &visitor, StatusCode::OK, said, String::new(), String::new()).await
}

async fn with(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    wrong_id: String,
    wrong: String,
) -> Page {
    let Book { mut tickets, mut glasses } = book(&console.app).await?;
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    // The newest first.
    tickets.sort_by_key(|one| std::cmp::Reverse(one.record.requested_at));
    glasses.sort_by_key(|glass| std::cmp::Reverse(glass.opened_at));
    let those = |is: &dyn Fn(TicketState) -> bool| {
        let found = tickets.iter().filter(|one| is(one.state));
        found.map(|one| Shown::of(one, &roster, zone)).collect::<Vec<_>>()
    };
    let mut ended = those(&|state| !state.is_open() && state != TicketState::Approved);
    let n_left_out = ended.len().saturating_sub(ENDED_MAX);
    ended.truncate(ENDED_MAX);
    let opened = |is_seen: bool| {
        let found = glasses.iter().filter(|glass| glass.acknowledged.is_some() == is_seen);
        found.map(|glass| Opened::of(glass, &roster, zone)).collect::<Vec<_>>()
    };
    let mut seen = opened(true);
    seen.truncate(ENDED_MAX);
    page_with(
        status,
        &TicketsPage {
            shell: Shell::new(console, Some(visitor), "/tickets", "Tickets"),
            zone: console.app.practice.config.raw.timezone.clone(),
            waiting: those(&TicketState::is_open),
            allowed: those(&|state| state == TicketState::Approved),
            ended,
            n_left_out,
            unseen: opened(false),
            seen,
            said,
            wrong_id,
            wrong,
        },
    )
}

#[derive(Template)]
#[template(path = "console/ticket.html")]
struct TicketPage {
    shell: Shell,
    zone: String,
    ticket: Shown,
    /// The whole sentence: it is what is repeated.
    echo: String,
    history: Vec<String>,
    is_open: bool,
    can_end: bool,
    said: &'static str,
    typed: StepForm,
    wrong: String,
    reason_max: usize,
}

async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(told): Query<Done>,
) -> Page {
    let said = match told.said.as_str() {
        "asked" => "It is asked for. Nothing is allowed before somebody approves it.",
        "approved" => "Your approval is kept.",
        "declined" => "It is declined: it allows nothing.",
        "ended" => "It is ended: it allows nothing from now on.",
        _ => "",
    };
    show(&console, &visitor, &id, StatusCode::OK, said, StepForm::default(), String::new()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    status: StatusCode,
    said: &'static str,
    typed: StepForm,
    wrong: String,
) -> Page {
    let found = book(&console.app).await?.tickets.into_iter().find(|one| one.record.request.id == id);
    let standing =
        found.ok_or_else(|| Failure::missing("There is no ticket of this number. Go back to Tickets."))?;
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    let can_end = standing.state == TicketState::Approved;
    page_with(
        status,
        &TicketPage {
            shell: Shell::new(console, Some(visitor), "/tickets", format!("Ticket {id}")),
            zone: console.app.practice.config.raw.timezone.clone(),
            ticket: Shown::of(&standing, &roster, zone),
            history: history(&standing, &roster, zone),
            is_open: standing.state.is_open(),
            can_end,
            echo: standing.echo,
            said,
            typed,
            wrong,
            reason_max: REASON_MAX,
        },
    )
}

/// What became of it so far, one line a step.
fn history(standing: &Standing, roster: &Roster, zone: &TimeZone) -> Vec<String> {
    let record = &standing.record;
    let line = |what: &str, signed: &Signed| {
        let words = signed.words.as_deref().filter(|words| !words.is_empty());
        let words = words.map(|words| format!(": {words}")).unwrap_or_default();
        plain(&format!("{what} by {}, {}{words}", name(&signed.by, roster), moment(signed.at, zone)))
    };
    let approvals = record.approvals.iter().map(|signed| line("Approved", signed));
    let attempts =
        record.attempts.iter().map(|signed| line("An approval that was not taken was tried", signed));
    let declined = record.declined.iter().map(|signed| line("Declined", signed));
    let closed = record.closed.iter().map(|signed| line("Ended early", signed));
    approvals.chain(attempts).chain(declined).chain(closed).collect()
}

/// The form of a step, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct StepForm {
    #[serde(default)]
    step: String,
    #[serde(default)]
    echo: String,
    #[serde(default)]
    yes: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    passphrase: String,
}

async fn step(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<StepForm>,
) -> Page {
    let taken = {
        let _room = console.passphrases.acquire().await;
        take(&console, &visitor, &id, &form).await
    };
    match taken.map_err(Failure::into_parts) {
        Ok(said) => {
            console.week.forget();
            Ok(see(&format!("/tickets/{id}?said={said}")))
        }
        Err((status, sentence)) if is_the_forms(status) => {
            let typed = StepForm { passphrase: String::new(), ..form };
            show(&console, &visitor, &id, StatusCode::BAD_REQUEST, "", typed, plain(&sentence)).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

async fn take(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    form: &StepForm,
) -> Result<&'static str, Failure> {
    let by = visitor.person.clone();
    let end = |passphrase, reason: &str| EndRequest {
        id: id.to_owned(),
        by: by.clone(),
        reason: Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        passphrase: Some(passphrase),
    };
    match form.step.as_str() {
        "approve" if form.yes != "yes" => {
            Err(Failure::bad("Tick that the sentence is what is to be allowed."))
        }
        "approve" => {
            let passphrase = needed_passphrase(&form.passphrase)?;
            let echo = as_it_is(console, id, &form.echo).await?;
            let ask = ApproveRequest { id: id.to_owned(), by, echo, passphrase };
            approved(&console.app, ask).await?;
            Ok("approved")
        }
        "decline" if form.reason.trim().is_empty() => Err(Failure::bad("Say why it is declined.")),
        "decline" => {
            declined(&console.app, end(needed_passphrase(&form.passphrase)?, &form.reason)).await?;
            Ok("declined")
        }
        "end" => {
            closed(&console.app, end(needed_passphrase(&form.passphrase)?, &form.reason)).await?;
            Ok("ended")
        }
        _ => Err(Failure::bad("Choose what you want to do.")),
    }
}

/// The sentence as it is, where the form repeats it as it was shown: what hides is written out on a page.
async fn as_it_is(console: &Console, id: &str, shown: &str) -> Result<String, Failure> {
    let found = book(&console.app).await?.tickets.into_iter().find(|one| one.record.request.id == id);
    let echo = found.map(|one| one.echo).filter(|echo| visible(echo) == shown);
    Ok(echo.unwrap_or_else(|| shown.to_owned()))
}

#[derive(Debug, Deserialize)]
struct SeenForm {
    #[serde(default)]
    passphrase: String,
}

async fn seen(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<SeenForm>,
) -> Page {
    let taken = match needed_passphrase(&form.passphrase) {
        Ok(passphrase) => {
            let _room = console.passphrases.acquire().await;
            let ask = AcknowledgeRequest { id: id.clone(), by: visitor.person.clone(), passphrase };
            acknowledged(&console.app, ask).await
        }
        Err(failure) => Err(failure),
    };
    match taken.map_err(Failure::into_parts) {
        Ok(()) => {
            console.week.forget();
            Ok(see("/tickets?said=seen"))
        }
        Err((status, sentence)) if is_the_forms(status) => {
            with(&console, &visitor, StatusCode::BAD_REQUEST, "", id, plain(&sentence)).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}
