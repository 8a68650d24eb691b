//! Findings: the list, and one page an incident, where somebody asks, keeps an answer, decides.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::form::Done;
use super::link_made::LinkMade;
use super::questions::{self, OpenLink};
use super::shell::{Page, Shell, Trouble, Visitor, page, page_with};
use super::week::about_you;
use super::{Console, see};
use crate::admin::Failure;
use crate::admin::findings::{Asked, StepRequest, found, step_on, told};
use crate::admin::links::{Paper, Wanted as Way};
use crate::admin::requests::FindingsQuery;
use crate::finding::Finding;
use crate::finding::incident::Incident;
use crate::finding::step::{Choice, Step, TEXT_MAX};
use crate::finding::story::Told;
use crate::link::{DAYS, DAYS_MAX};
use crate::need_to_know::Judgement;
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::{moment, number, period};
use crate::reviewer::Passphrase;
use crate::roster::Roster;

/// Incidents on one page of the list.
const SHOWN_MAX: usize = 100;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/findings", get(list)).route("/findings/{id}", get(one).post(step))
}

/// An incident as the API tells it.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(flatten)]
    incident: Incident,
    state_in_words: String,
    is_undecided: bool,
    is_open: bool,
    #[serde(default)]
    age: Option<String>,
    #[serde(default)]
    tag: Option<String>,
    reasons: Vec<String>,
    signals: Vec<String>,
}

impl Row {
    fn is_never(&self) -> bool {
        self.incident.outcome == Judgement::Never
    }

    fn when(&self, zone: &TimeZone) -> String {
        match (self.incident.first_time, self.incident.last_time) {
            (Some(first), Some(last)) => period(first, last, zone),
            (Some(at), None) | (None, Some(at)) => moment(at, zone),
            (None, None) => "at a time that is not known".to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Found {
    incidents: Vec<Row>,
    not_shown: usize,
}

/// What the API answers, as the page needs it.
fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Trouble> {
    serde_json::from_value(answer).map_err(|error| Failure::ours(&error).into())
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    show: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    since: String,
}

#[derive(Template)]
#[template(path = "console/findings.html")]
struct FindingsPage {
    shell: Shell,
    rows: Vec<(Row, String)>,
    n_left_out: usize,
    wanted: Wanted,
    hidden: String,
    wrong: String,
}

async fn list(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = FindingsQuery { since: given(&wanted.since), person: given(&wanted.person), viewer: None };
    let (found, status, wrong) = match found(&console.app, &visitor.viewer(), query).await {
        Ok(found) => (read::<Found>(found)?, StatusCode::OK, String::new()),
        Err(failure) => {
            let (status, wrong) = failure.into_parts();
            if !status.is_client_error() {
                return Err(Trouble { status, sentence: wrong });
            }
            (Found { incidents: Vec::new(), not_shown: 0 }, status, wrong)
        }
    };
    let is_wanted = |row: &Row| match wanted.show.as_str() {
        "all" => true,
        "decided" => !row.is_undecided,
        _ => row.is_undecided,
    };
    let zone = console.app.lookup.zone();
    let all: Vec<Row> = found.incidents.into_iter().filter(is_wanted).collect();
    let n_left_out = all.len().saturating_sub(SHOWN_MAX);
    let rows = all.into_iter().take(SHOWN_MAX).map(|row| {
        let when = row.when(zone);
        (row, when)
    });
    let page = FindingsPage {
        shell: Shell::new(&console, Some(&visitor), "/findings", "Findings").live(),
        rows: rows.collect(),
        n_left_out,
        hidden: about_you(found.not_shown),
        wanted,
        wrong,
    };
    page_with(status, &page)
}

/// One finding of an incident as the API tells it.
#[derive(Debug, Deserialize)]
struct Detail {
    finding: Finding,
    headline: String,
    account: String,
    what: String,
    #[serde(default)]
    way: Option<String>,
    #[serde(default)]
    who_could_have_been: Option<String>,
    not_shown: Vec<String>,
    state_in_words: String,
    #[serde(default)]
    opened_by: Option<u64>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Whole {
    incident: Row,
    story: Told,
    findings: Vec<Detail>,
}

#[derive(Template)]
#[template(path = "console/finding.html")]
struct FindingPage {
    shell: Shell,
    whole: Whole,
    when: String,
    around: String,
    steps: Vec<String>,
    innocent: Vec<String>,
    would_explain: Vec<String>,
    not_shown: Vec<String>,
    typed: StepForm,
    wrong: String,
    said: &'static str,
    text_max: usize,
    can_decide: bool,
    /// Whether protected information was reached.
    is_files: bool,
    /// Whom a question may go to, and whom it is about.
    people: Vec<(String, String)>,
    about: String,
    links: Vec<OpenLink>,
    days: u16,
    days_max: u16,
}

impl FindingPage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }

    /// Whether it is this form that is wrong.
    fn is_wrong(&self, step: &str) -> bool {
        !self.wrong.is_empty() && self.typed.step == step
    }

    /// Whom the question goes to, as typed or as the finding has it.
    fn goes_to(&self, id: &String) -> bool {
        let asked = if self.typed.step == "ask" { &self.typed.to } else { &self.about };
        id == asked
    }

    /// Whose answer it is that is typed in.
    fn comes_from(&self, id: &String) -> bool {
        let from = if self.typed.step == "paper" { &self.typed.to } else { &self.about };
        id == from
    }
}

async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Done>,
) -> Page {
    let said = match said.said.as_str() {
        "asked" => "Your question is kept. Give it to the person, and write the answer down here.",
        "answered" => "The answer is kept, with the way it came.",
        "decided" => "Your decision is kept. You can decide again; both stay.",
        _ => "",
    };
    show(&console, &visitor, id, StatusCode::OK, StepForm::default(), String::new(), said).await
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    id: String,
    status: StatusCode,
    typed: StepForm,
    wrong: String,
    said: &'static str,
) -> Page {
    let whole: Whole = read(told(&console.app, &visitor.viewer(), id).await?)?;
    let (_, roster) = crate::admin::roster::in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    let steps =
        whole.findings.first().map(|detail| in_words(&detail.steps, &roster, zone)).unwrap_or_default();
    let page = FindingPage {
        when: whole.incident.when(zone),
        around: super::events::around(&whole.incident.incident, zone),
        steps,
        innocent: all_of(&whole, |detail| &detail.finding.innocent_causes),
        would_explain: all_of(&whole, |detail| &detail.finding.would_explain),
        not_shown: all_of(&whole, |detail| &detail.not_shown),
        shell: Shell::new(console, Some(visitor), "/findings", "Finding"),
        is_files: whole.findings.iter().any(|detail| detail.finding.asset.area.is_files()),
        people: roster
            .persons()
            .iter()
            .filter(|person| person.id != visitor.person)
            .map(|person| (person.id.clone(), visible(&person.name)))
            .collect(),
        about: whole.incident.incident.person.clone().unwrap_or_default(),
        links: questions::open(console, visitor)
            .await?
            .into_iter()
            .filter(|link| {
                let of = |id: &String| whole.incident.incident.findings.contains(id);
                link.finding.as_ref().is_some_and(of)
            })
            .collect(),
        days: DAYS,
        days_max: DAYS_MAX,
        can_decide: whole.findings.iter().all(|detail| detail.opened_by.is_some()),
        whole,
        typed,
        wrong,
        said,
        text_max: TEXT_MAX,
    };
    page_with(status, &page)
}

/// What the findings say, each sentence once.
fn all_of(whole: &Whole, of: impl Fn(&Detail) -> &Vec<String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sentence in whole.findings.iter().flat_map(of) {
        if !all.contains(sentence) {
            all.push(sentence.clone());
        }
    }
    all
}

/// What was said and decided so far, one line a step.
fn in_words(steps: &[Step], roster: &Roster, zone: &TimeZone) -> Vec<String> {
    let named = |by: &str| name(by, roster);
    let until = |until: &Option<Timestamp>| {
        until.map(|at| format!(" It explains the same until {}.", moment(at, zone))).unwrap_or_default()
    };
    let said = steps.iter().map(|step| match step {
        Step::Asked { question, by, .. } => format!("{} asks: {question}", named(by)),
        Step::Answered { answer, by, given: None, .. } => format!("{} answers: {answer}", named(by)),
        Step::Answered { answer, by, given: Some(given), .. } => {
            let way = given.in_words(roster);
            format!(
                "{} answers: {answer} (It came {way}; kept in the name of {}.)",
                named(&given.from),
                named(by)
            )
        }
        Step::Decided { decision, because, until: end, by, .. } => {
            let decided = match decision {
                Choice::Expected => "expected",
                Choice::Escalated => "to be looked into by somebody else",
                Choice::Open => "undecided again",
            };
            format!("{} decides: {decided}, because {because}.{}", named(by), until(end))
        }
        Step::LateTicket { ticket } => {
            format!("Ticket {ticket}, approved afterwards, would have covered it.")
        }
        Step::Acknowledged { break_glass, by } => {
            format!("{} has taken note of break-glass {break_glass}.", named(by))
        }
    });
    said.collect()
}

/// The form of a step, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct StepForm {
    #[serde(default)]
    step: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    until: String,
    /// `link`, `paper`, or the question alone.
    #[serde(default)]
    way: String,
    /// Whom the question goes to; whose answer it is.
    #[serde(default)]
    to: String,
    #[serde(default)]
    days: String,
    #[serde(default)]
    runs_mail: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    passphrase: String,
}

impl StepForm {
    fn asked(&self) -> Result<Asked, Failure> {
        let text = self.text.trim().to_owned();
        match (self.step.as_str(), self.decision.as_str()) {
            ("ask", _) => Ok(Asked::Asked { question: text, way: self.wanted()? }),
            ("paper", _) => {
                let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                let from = given(&self.to).ok_or_else(|| Failure::bad("Choose whose answer it is."))?;
                let paper = Paper { from: Some(from), code: given(&self.code) };
                Ok(Asked::Answered { answer: text, paper: Some(paper) })
            }
            ("answer", _) => Ok(Asked::Answered { answer: text, paper: None }),
            ("decide", decision) => {
                let decision = match decision {
                    "expected" => Choice::Expected,
                    "escalated" => Choice::Escalated,
                    "open" => Choice::Open,
                    _ => return Err(Failure::bad("Choose what you decide.")),
                };
                let until = Some(self.until.clone()).filter(|until| !until.is_empty());
                Ok(Asked::Decided { decision, because: text, until })
            }
            _ => Err(Failure::bad("Choose what you want to do.")),
        }
    }
}

impl StepForm {
    /// How the question is to reach the person.
    fn wanted(&self) -> Result<Way, Failure> {
        let (link, paper) = (self.way == "link", self.way == "paper");
        if (link || paper) && self.to.is_empty() {
            return Err(Failure::bad("Choose whom you ask."));
        }
        let wrong = |_| Failure::bad("Write for how many days it holds, as a number.");
        let days = Some(self.days.trim()).filter(|days| !days.is_empty());
        Ok(Way {
            link,
            paper,
            to: Some(self.to.clone()).filter(|to| !to.is_empty()),
            days: days.map(str::parse).transpose().map_err(wrong)?,
            runs_mail: (self.runs_mail == "yes").then_some(true),
        })
    }
}

/// A refusal as whoever sits before the page understands it.
fn in_page_words(sentence: String) -> String {
    for (part, words) in [
        ("give it at the prompt", "Type your passphrase: it shows that it is you who decides."),
        (
            "`--code` is not",
            "That is not the code of an open form for this finding. Leave it empty, and the answer is kept as not confirmed.",
        ),
        (
            "nobody puts a question to themselves",
            "Nobody puts a question to themselves; choose whom you ask.",
        ),
        ("`--days` is at least", "A link holds for 1 day at least, and for 60 at most."),
        ("nobody in the roster has the id", "Choose somebody in the roster."),
    ] {
        if sentence.contains(part) {
            return words.to_owned();
        }
    }
    sentence
}

async fn step(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<StepForm>,
) -> Page {
    let taken = match form.asked() {
        Ok(what) => {
            let passphrase = Some(form.passphrase.clone()).filter(|text| !text.is_empty());
            let by = visitor.person.clone();
            let request = StepRequest { what, by, passphrase: passphrase.map(Passphrase::new) };
            let _room = console.passphrases.acquire().await;
            step_on(console.app.clone(), &visitor.viewer(), id.clone(), request).await
        }
        Err(failure) => Err(failure),
    };
    match taken.map_err(Failure::into_parts) {
        Ok(taken) => {
            console.week.forget();
            if let Some(made) = taken.get("link") {
                let (_, roster) = crate::admin::roster::in_force(&console.app).await?;
                let to = roster.person(&form.to).map_or(form.to.as_str(), |person| person.name.as_str());
                // Shown once, so in the answer itself: there is nothing to come back to.
                return page(&LinkMade::of_question(
                    &console,
                    &visitor,
                    made,
                    to,
                    format!("/findings/{id}"),
                )?);
            }
            let said = match form.step.as_str() {
                "ask" => "asked",
                "answer" | "paper" => "answered",
                _ => "decided",
            };
            Ok(see(&format!("/findings/{id}?said={said}")))
        }
        Err((status, wrong)) if status.is_client_error() && status != StatusCode::FORBIDDEN => {
            let typed = StepForm { passphrase: String::new(), ..form };
            let sentence = in_page_words(wrong);
            let status = if status == StatusCode::UNAUTHORIZED { StatusCode::BAD_REQUEST } else { status };
            show(&console, &visitor, id, status, typed, sentence, "").await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}
