//! The set-up wizard: what is still to be set up, one page a step; each can be left and come back to.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::civil::Weekday;
use serde::Deserialize;
use serde_json::{Value, json};

use super::parts::{
    ChangeForm, Outgoing, Refused, RosterPart, TablePart, add_person, put_roster, put_table, said, send_trial,
};
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::{Console, ask, see, table};
use crate::admin::{Failure, blocking};
use crate::report::shown::visible;
use crate::set_up::{Standing, Step};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/wizard", get(overview))
        .route("/wizard/{step}", get(open).post(change))
        .route("/wizard/put-away/now", post(put_away))
}

#[derive(Deserialize)]
struct SetUp {
    steps: Vec<Standing>,
    done: usize,
    over: bool,
}

#[derive(Template)]
#[template(path = "console/wizard.html")]
struct WizardPage {
    shell: Shell,
    set_up: SetUp,
    wrong: String,
}

impl WizardPage {
    fn next(&self) -> Option<&Standing> {
        self.set_up.steps.iter().find(|one| !one.done)
    }
}

async fn overview(State(console): State<Console>, visitor: Visitor) -> Page {
    list(&console, &visitor, StatusCode::OK, String::new()).await
}

async fn list(console: &Console, visitor: &Visitor, status: StatusCode, wrong: String) -> Page {
    let set_up: SetUp = ask::get(console, visitor, "/v1/set-up").await?;
    let shell = Shell::new(console, Some(visitor), "/settings", "Set-up");
    page_with(status, &WizardPage { shell, set_up, wrong })
}

async fn put_away(State(console): State<Console>, visitor: Visitor, Form(form): Form<ChangeForm>) -> Page {
    match ask::signed(&console, &visitor, "/v1/set-up/put-away", json!({}), &form.passphrase).await {
        Ok(_) => Ok(see("/")),
        Err(failure) => match failure.into_parts() {
            (status, wrong) if status.is_client_error() && status != StatusCode::FORBIDDEN => {
                list(&console, &visitor, StatusCode::BAD_REQUEST, wrong).await
            }
            (status, sentence) => Err(Trouble { status, sentence }),
        },
    }
}

/// What was asked for by the address.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    said: String,
    template: String,
}

/// One step. What it has no use for is empty.
#[derive(Template)]
#[template(path = "console/wizard_step.html")]
struct StepPage {
    shell: Shell,
    step: &'static str,
    standing: Standing,
    number: usize,
    n_steps: usize,
    before: Option<&'static str>,
    after: Option<&'static str>,
    said: &'static str,
    refused: Refused,
    /// Where its forms go.
    to: String,
    back: &'static str,
    practice: (String, String),
    hours: Vec<String>,
    config: String,
    outgoing: Option<Outgoing>,
    roster: Option<RosterPart>,
    table: Option<TablePart>,
    sentence: String,
    machines: Vec<String>,
    has_protected: bool,
    has_machines: bool,
    words: String,
    witnesses: Vec<String>,
    witnessed: Option<String>,
}

async fn open(
    State(console): State<Console>,
    visitor: Visitor,
    Path(step): Path<String>,
    Query(asked): Query<Asked>,
) -> Page {
    show(&console, &visitor, &step, StatusCode::OK, asked, Refused::default()).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    status: StatusCode,
    asked: Asked,
    refused: Refused,
) -> Page {
    let step = Step::parse(name).ok_or_else(|| Failure::missing("There is no such step here."))?;
    let set_up: SetUp = ask::get(console, visitor, "/v1/set-up").await?;
    let at = Step::ALL.iter().position(|one| *one == step).unwrap_or_default();
    let near = |at: Option<usize>| at.and_then(|at| Step::ALL.get(at)).map(|step| step.name());
    let standing = set_up.steps.into_iter().find(|one| one.step == step);
    let config = &console.app.practice.config.raw;
    let title = format!("Set-up: {}", step.title());
    let mut page = StepPage {
        shell: Shell::new(console, Some(visitor), "/settings", title),
        step: step.name(),
        standing: standing.ok_or_else(|| Failure::missing("There is no such step here."))?,
        number: at.saturating_add(1),
        n_steps: Step::ALL.len(),
        before: near(at.checked_sub(1)),
        after: near(at.checked_add(1)),
        said: said(&asked.said),
        refused,
        to: format!("/wizard/{}", step.name()),
        back: "/wizard/table",
        practice: (visible(&config.practice), config.timezone.clone()),
        hours: Vec::new(),
        config: console.app.practice.home.config().display().to_string(),
        outgoing: None,
        roster: None,
        table: None,
        sentence: String::new(),
        machines: Vec::new(),
        has_protected: opens("/protected", visitor),
        has_machines: opens("/machines", visitor),
        words: String::new(),
        witnesses: Vec::new(),
        witnessed: None,
    };
    fill(console, visitor, step, &asked, &mut page).await?;
    page_with(status, &page)
}

/// Whether another page of this console is there for the visitor.
fn opens(path: &str, visitor: &Visitor) -> bool {
    table::rows().any(|row| row.method == "GET" && row.path == path && table::may(row.who, &visitor.role))
}

/// What this step shows.
async fn fill(
    console: &Console,
    visitor: &Visitor,
    step: Step,
    asked: &Asked,
    page: &mut StepPage,
) -> Result<(), Failure> {
    match step {
        Step::Practice => page.hours = hours(console).await?,
        Step::People => page.roster = Some(RosterPart::now(console, visitor).await?),
        Step::Notices | Step::MailTest => page.outgoing = Some(Outgoing::now(console, visitor).await?),
        Step::SecondReviewer => {
            let told: Value = ask::get(console, visitor, "/v1/second-reviewer").await?;
            let sentence = told.get("sentence").and_then(Value::as_str).unwrap_or_default();
            page.sentence = visible(sentence.split(" Name one: ").next().unwrap_or_default());
        }
        Step::Table => page.table = Some(TablePart::now(console, visitor, &asked.template).await?),
        Step::Machines | Step::Places => {
            let registry = console.app.ledger.published();
            let let_in = registry.registry.machines.iter().filter(|(_, machine)| machine.revoked.is_none());
            page.machines =
                let_in.map(|(author, _)| author.trim_start_matches("agent/").to_owned()).collect();
        }
        Step::Witness | Step::Keys => {
            let (trust, _) = console.app.trust.now();
            page.words = trust.practice_words();
            page.witnesses = trust.outside.iter().map(|key| visible(key.name())).collect();
            let told: Value = ask::get(console, visitor, "/v1/witness").await?;
            let until = told.pointer("/outside/until").and_then(Value::as_str);
            let zone = console.app.lookup.zone();
            page.witnessed = until.map(|at| {
                at.parse().map(|at| crate::report::text::moment(at, zone)).unwrap_or_else(|_| at.to_owned())
            });
        }
    }
    Ok(())
}

/// The opening hours of a week in words; holidays of this week are said as closed.
async fn hours(console: &Console) -> Result<Vec<String>, Failure> {
    let app = console.app.clone();
    let (_, policy) = blocking(move || Ok(app.lookup.rules_now()?)).await?;
    let today = console.now().to_zoned(console.app.lookup.zone().clone()).date();
    let monday = today.nth_weekday(-1, Weekday::Monday).ok();
    let monday = if today.weekday() == Weekday::Monday { Some(today) } else { monday };
    let days = (0..7).filter_map(|n| monday?.checked_add(jiff::Span::new().days(n)).ok());
    Ok(days.map(|day| policy.opening_hours().in_words(day)).collect())
}

async fn change(
    State(console): State<Console>,
    visitor: Visitor,
    Path(step): Path<String>,
    Form(form): Form<ChangeForm>,
) -> Page {
    if Step::parse(&step).is_none() {
        return Err(Failure::missing("There is no such step here.").into());
    }
    let done = match form.act.as_str() {
        "roster" => put_roster(&console, &visitor, &form).await.map(|came| came.name()),
        "person" => add_person(&console, &visitor, &form).await.map(|came| came.name()),
        "table" => put_table(&console, &visitor, &form).await.map(|came| came.name()),
        "trial" => send_trial(&console, &visitor, &form.what).await.map(|()| "tried"),
        "mail" => decline(&console, &visitor, &form).await.map(|()| "declined"),
        "keys" => {
            let put = ask::signed(&console, &visitor, "/v1/set-up/keys", json!({}), &form.passphrase).await;
            put.map(|_| "keys")
        }
        _ => Err(Failure::bad("Choose what you want to do.")),
    };
    match done.map_err(Failure::into_parts) {
        Ok(said) => Ok(see(&format!("/wizard/{step}?said={said}"))),
        Err((status, sentence)) if status.is_client_error() && status != StatusCode::FORBIDDEN => {
            let refused = Refused::new(&form, sentence);
            show(&console, &visitor, &step, StatusCode::BAD_REQUEST, Asked::default(), refused).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

/// Keeps an address of which the collector warns.
pub(super) async fn decline(console: &Console, visitor: &Visitor, form: &ChangeForm) -> Result<(), Failure> {
    if form.because.trim().is_empty() {
        return Err(Failure::bad("Say why it is kept all the same."));
    }
    let body = json!({"because": form.because.trim()});
    ask::signed(console, visitor, "/v1/delivery/decline", body, &form.passphrase).await?;
    Ok(())
}
