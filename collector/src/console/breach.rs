//! Breach assessments (45 CFR 164.402, 164.404): begun from a finding about protected information, with the days that are
//! left, the four factors, and how each ended.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;

use super::form::{Done, as_said, passphrase};
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::week::about_you;
use super::words::when_in_short as when;
use super::{Console, see};
use crate::admin::Failure;
use crate::admin::breaches::{CloseRequest, NoteRequest, StartRequest, assessments, closed, noted, started};
use crate::admin::findings::told;
use crate::admin::roster::{in_force, today};
use crate::breach::{Assessment, BreachStep, Factor, Leaning, Outcome, TEXT_MAX};
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::{count, number};
use crate::roster::Roster;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/breach", get(list))
        .route("/breach/begin/{id}", get(fresh).post(begin))
        .route("/breach/{id}", get(show).post(step))
}

/// One assessment in the list.
struct Line {
    id: String,
    discovered: String,
    left: String,
    is_late: bool,
    due: String,
    n_factors: usize,
    outcome: &'static str,
}

#[derive(Template)]
#[template(path = "console/breaches.html")]
struct BreachesPage {
    shell: Shell,
    open: Vec<Line>,
    closed: Vec<Line>,
    hidden: String,
}

/// How many days are left, in words; and whether they are over.
fn left(one: &Assessment, on: jiff::civil::Date) -> (String, bool) {
    match one.days_left(on) {
        None => ("not to be reckoned".to_owned(), false),
        Some(0) => ("today is the last day".to_owned(), false),
        Some(n) if n > 0 => (format!("{} left", count(n.unsigned_abs(), "day", "days")), false),
        Some(n) => (format!("past by {}", count(n.unsigned_abs(), "day", "days")), true),
    }
}

fn line(one: &Assessment, on: jiff::civil::Date) -> Line {
    let (left, is_late) = left(one, on);
    Line {
        id: one.id.clone(),
        discovered: one.discovered.to_string(),
        left,
        is_late,
        due: one.due().map(|day| day.to_string()).unwrap_or_default(),
        n_factors: one.factors.len(),
        outcome: one.outcome.map_or("", Outcome::in_words),
    }
}

async fn list(State(console): State<Console>, visitor: Visitor) -> Page {
    let (all, n_hidden) = assessments(&console.app, &visitor.viewer()).await?;
    console.viewed(&visitor, json!({"what": "breach assessments"})).await?;
    let on = today(&console.app)?;
    let (open, closed): (Vec<&Assessment>, Vec<&Assessment>) =
        all.iter().partition(|one| one.outcome.is_none());
    let page = BreachesPage {
        shell: Shell::new(&console, Some(&visitor), "/findings", "Breach assessments"),
        open: open.into_iter().map(|one| line(one, on)).collect(),
        closed: closed.into_iter().map(|one| line(one, on)).collect(),
        hidden: about_you(n_hidden),
    };
    page_with(StatusCode::OK, &page)
}

#[derive(Template)]
#[template(path = "console/breach_begin.html")]
struct BeginPage {
    shell: Shell,
    finding: String,
    headline: String,
    typed: BeginForm,
    wrong: String,
    text_max: usize,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct BeginForm {
    discovered: String,
    because: String,
    passphrase: String,
}

async fn fresh(State(console): State<Console>, visitor: Visitor, Path(id): Path<String>) -> Page {
    let typed = BeginForm { discovered: today(&console.app)?.to_string(), ..BeginForm::default() };
    begin_page(&console, &visitor, StatusCode::OK, id, typed, String::new()).await
}

async fn begin_page(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    id: String,
    typed: BeginForm,
    wrong: String,
) -> Page {
    // Looked at like any finding: an act, and not by those whom it is about.
    let whole = told(&console.app, &visitor.viewer(), id).await?;
    let text = |pointer: &str| whole.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    let page = BeginPage {
        shell: Shell::new(console, Some(visitor), "/findings", "Begin a breach assessment"),
        finding: text("/incident/id").to_owned(),
        headline: visible(text("/incident/headline")),
        typed,
        wrong,
        text_max: TEXT_MAX,
    };
    page_with(status, &page)
}

async fn begin(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<BeginForm>,
) -> Page {
    let request = StartRequest {
        finding: id.clone(),
        discovered: Some(form.discovered.clone()).filter(|day| !day.is_empty()),
        because: form.because.clone(),
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let begun = {
        let _room = console.passphrases.acquire().await;
        started(&console.app, &visitor.viewer(), request).await
    };
    match begun {
        Ok(id) => Ok(see(&format!("/breach/{id}?said=begun"))),
        Err(failure) => {
            let (status, wrong) = as_said(failure)?;
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
                return Err(Trouble { status, sentence: wrong });
            }
            let form = BeginForm { passphrase: String::new(), ..form };
            begin_page(&console, &visitor, status, id, form, wrong).await
        }
    }
}

/// A factor with the last word on it.
struct Weighed {
    name: &'static str,
    question: &'static str,
    says: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "console/breach.html")]
struct BreachPage {
    shell: Shell,
    zone: String,
    id: String,
    finding: String,
    discovered: String,
    due: String,
    left: String,
    is_late: bool,
    secretary: String,
    people: String,
    factors: Vec<Weighed>,
    notes: Vec<(String, String, String)>,
    outcome: &'static str,
    typed: StepForm,
    wrong: String,
    said: &'static str,
    text_max: usize,
}

async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Done>,
) -> Page {
    let said = match said.said.as_str() {
        "begun" => "The assessment has begun. Note the four factors as you learn of them.",
        "noted" => "Noted.",
        "closed" => "Closed. If more comes to light, begin another one from its finding.",
        _ => "",
    };
    one(&console, &visitor, StatusCode::OK, id, StepForm::default(), String::new(), said).await
}

const fn says(leaning: Leaning) -> &'static str {
    match leaning {
        Leaning::Low => "speaks for a low probability",
        Leaning::High => "speaks against it",
        Leaning::Unknown => "is not known",
    }
}

/// What was noted, one line a step: when, by whom, what.
fn notes(one: &Assessment, roster: &Roster, zone: &TimeZone) -> Vec<(String, String, String)> {
    let words = |step: &BreachStep| match step {
        BreachStep::Started { discovered, because, .. } => {
            format!("begun; discovered on {discovered}, because: {}", visible(because))
        }
        BreachStep::Noted { factor, leaning, people, text, .. } => {
            let mut parts = Vec::new();
            if let (Some(factor), Some(leaning)) = (factor, leaning) {
                parts.push(format!("{} {}", factor_in_words(*factor), says(*leaning)));
            }
            if let Some(people) = people {
                parts.push(format!("{} concerned", count(*people, "person", "people")));
            }
            parts.push(visible(text));
            parts.join("; ")
        }
        BreachStep::Closed { outcome, because, .. } => {
            format!("closed with: {}, because: {}", outcome.in_words(), visible(because))
        }
    };
    let line = |note: &crate::breach::Note| {
        (when(&note.at, zone), visible(&name(&note.by, roster)), words(&note.step))
    };
    one.notes.iter().map(line).collect()
}

const fn factor_in_words(factor: Factor) -> &'static str {
    match factor {
        Factor::Information => "the kind of information",
        Factor::Recipient => "who used or received it",
        Factor::Viewed => "whether it was viewed",
        Factor::Mitigated => "how far the risk was made smaller",
    }
}

async fn one(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    id: String,
    typed: StepForm,
    wrong: String,
    said: &'static str,
) -> Page {
    let (all, _) = assessments(&console.app, &visitor.viewer()).await?;
    let missing = || Failure::missing(format!("There is no breach assessment `{id}` that you are shown."));
    let one = all.into_iter().find(|one| one.id == id).ok_or_else(missing)?;
    console.viewed(visitor, json!({"what": "a breach assessment", "assessment": id})).await?;
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    let (left, is_late) = left(&one, today(&console.app)?);
    let factors = Factor::ALL.into_iter().map(|factor| {
        let noted = one.factors.get(&factor);
        Weighed {
            name: factor.name(),
            question: factor.question(),
            says: noted.map_or("", |noted| says(noted.leaning)),
            text: noted.map(|noted| visible(&noted.text)).unwrap_or_default(),
        }
    });
    let page = BreachPage {
        shell: Shell::new(console, Some(visitor), "/findings", format!("Breach assessment {}", one.id)),
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        discovered: one.discovered.to_string(),
        due: one.due().map(|day| day.to_string()).unwrap_or_default(),
        left,
        is_late,
        secretary: one.secretary_due().map(|day| day.to_string()).unwrap_or_default(),
        people: one.people.map(number).unwrap_or_default(),
        factors: factors.collect(),
        notes: notes(&one, &roster, zone),
        outcome: one.outcome.map_or("", Outcome::in_words),
        id: one.id,
        finding: one.finding,
        typed,
        wrong,
        said,
        text_max: TEXT_MAX,
    };
    page_with(status, &page)
}

/// The forms of an assessment, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StepForm {
    /// `note` or `close`.
    step: String,
    factor: String,
    says: String,
    people: String,
    text: String,
    outcome: String,
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
    match taken {
        Ok(said) => Ok(see(&format!("/breach/{id}?said={said}"))),
        Err(failure) => {
            let (status, wrong) = as_said(failure)?;
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
                return Err(Trouble { status, sentence: wrong });
            }
            let form = StepForm { passphrase: String::new(), ..form };
            one(&console, &visitor, status, id, form, wrong, "").await
        }
    }
}

async fn take(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    form: &StepForm,
) -> Result<&'static str, Failure> {
    let (viewer, by, passphrase) = (visitor.viewer(), visitor.person.clone(), passphrase(&form.passphrase));
    match form.step.as_str() {
        "note" => {
            let people = form.people.trim();
            let people = (!people.is_empty()).then(|| people.parse::<u64>()).transpose();
            let people = people.map_err(|_| Failure::bad("Write how many people as a number."))?;
            let leaning = match form.says.as_str() {
                "low" => Some(Leaning::Low),
                "high" => Some(Leaning::High),
                "unknown" => Some(Leaning::Unknown),
                _ => None,
            };
            let factor = Factor::parse(&form.factor);
            if factor.is_some() != leaning.is_some() {
                return Err(Failure::bad("Choose a factor together with what it says, or neither."));
            }
            let request = NoteRequest {
                id: id.to_owned(),
                factor,
                says: leaning,
                people,
                text: form.text.clone(),
                by,
                passphrase,
            };
            noted(&console.app, &viewer, request).await?;
            Ok("noted")
        }
        "close" => {
            let outcome = match form.outcome.as_str() {
                "low_probability" => Outcome::LowProbability,
                "no_breach" => Outcome::NoBreach,
                "notified" => Outcome::Notified,
                _ => return Err(Failure::bad("Choose how it ends.")),
            };
            let request =
                CloseRequest { id: id.to_owned(), outcome, because: form.text.clone(), by, passphrase };
            closed(&console.app, &viewer, request).await?;
            Ok("closed")
        }
        _ => Err(Failure::bad("Choose what you want to do.")),
    }
}
