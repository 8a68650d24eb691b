//! Evidence: a bundle asked for, looked through, built, kept, checked, handed on; preserving now; holds.

pub(super) mod form;
mod imports;
pub(super) mod steps;
pub(super) mod words;

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;

use super::Console;
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::signing::{Waiting, waiting};
use super::week::about_you;
use super::words::when_in_short as when;
use crate::account::Role;
use crate::admin::bundles::{Signed, listed, previewed, signed_for};
use crate::admin::preservation::{chain, holds_for};
use crate::admin::preserve::preserved_so_far;
use crate::admin::roster::in_force;
use crate::bundles::work::{What, Works};
use crate::export::Preview;
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::{count, number};
use crate::roster::Roster;
use crate::second::cosign;
use form::{QuestionForm, Wrong};
use words::{Card, Hand, Preserved, card, hands, preserved};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/evidence", get(show))
        .route("/evidence/imports", get(imports::show))
        .route("/evidence/preview", get(preview))
        .route("/evidence/build", post(steps::build))
        .route("/evidence/preserve", post(steps::preserve))
        .route("/evidence/bundle/{id}", get(steps::fetch).post(steps::on_bundle))
        .route("/evidence/checked/{id}", get(steps::checked))
        .route("/evidence/hold/release", post(steps::release))
}

/// How far something in the background is.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) what: &'static str,
    pub(super) case: String,
    pub(super) done: u64,
    pub(super) total: u64,
}

/// What runs now, of a case where one is named.
pub(super) fn bar(works: &Works, case: Option<&str>) -> Option<Bar> {
    let running = works.running().filter(|running| case.is_none_or(|case| running.case == case))?;
    let (done, total) = works.job.now();
    let total = total.max(1);
    Some(Bar { what: running.what.in_words(), case: running.case, done: done.min(total), total })
}

/// Why the last thing in the background failed, of a case where one is named.
pub(super) fn failed(works: &Works, case: Option<&str>) -> String {
    let ended = works.ended().filter(|ended| case.is_none_or(|case| ended.case == case));
    let failed = ended.and_then(|ended| Some((ended.what, ended.case, ended.outcome.err()?)));
    failed.map_or_else(String::new, |(what, case, why)| {
        let what = match what {
            What::Build => "The bundle was not built",
            What::Check => "The bundle was not checked",
            What::Preserve => "Preserving did not come to its end",
        };
        format!("{what} (case {case}): {why}")
    })
}

/// A hold in force.
struct InForce {
    id: String,
    case: String,
    since: String,
    about: String,
    reason: String,
}

/// What is wrong, and at which form.
#[derive(Default)]
pub(super) struct Refused {
    /// `build`, `preserve`, or the id of a bundle, hold or signature.
    at: String,
    sentence: String,
}

impl Refused {
    fn new(at: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { at: at.into(), sentence: sentence.into() }
    }

    fn is(&self, at: &str) -> bool {
        !self.sentence.is_empty() && self.at == at
    }
}

#[derive(Template)]
#[template(path = "console/evidence.html")]
struct EvidencePage {
    shell: Shell,
    zone: String,
    said: &'static str,
    running: Option<Bar>,
    failed: String,
    form: QuestionForm,
    wrong: Wrong,
    refused: Refused,
    typed: steps::HandOverForm,
    people: Vec<(String, String)>,
    bundles: Vec<Card>,
    n_hidden: usize,
    hidden: String,
    waiting: Vec<Waiting>,
    signed: Vec<Signed>,
    preserved: Option<Preserved>,
    holds: Vec<InForce>,
    hands: Vec<Hand>,
    can_release: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Said {
    #[serde(default)]
    said: String,
    /// A case that another page began.
    #[serde(default)]
    case: String,
    /// A person that another page named.
    #[serde(default)]
    person: String,
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(said): Query<Said>) -> Page {
    let sentence = match said.said.as_str() {
        "builds" => "The bundle is being built. You may leave this page: it goes on.",
        "waits" => "It waits for a second signature. Once it is signed, build it below.",
        "preserves" => "Everything is being preserved. You may leave this page: it goes on.",
        "handed" => "Written down. It stands in every later bundle.",
        "removed" => "The copy here is removed. What it was made of stays in the ledger.",
        "released" => "The hold is released. It stays listed in the ledger.",
        _ => "",
    };
    let form = QuestionForm { case: said.case, person: said.person, ..QuestionForm::fresh(today(&console)) };
    let filled = Filled { form, ..Filled::default() };
    written(&console, &visitor, StatusCode::OK, sentence, filled).await
}

pub(super) fn today(console: &Console) -> jiff::civil::Date {
    console.app.lookup.zone().to_datetime(console.now()).date()
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Filled {
    form: QuestionForm,
    wrong: Wrong,
    refused: Refused,
    typed: steps::HandOverForm,
}

/// The people whom a bundle may be about: all but the reader and theirs.
fn people(visitor: &Visitor, roster: &Roster) -> Vec<(String, String)> {
    let them = visitor.viewer().themselves(roster);
    let others = roster.persons().iter().filter(|person| !them.are_named(&person.id, roster));
    let mut people: Vec<(String, String)> =
        others.map(|person| (person.id.clone(), visible(&person.in_words()))).collect();
    people.sort_by_key(|(_, name)| name.to_lowercase());
    people
}

async fn written(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    filled: Filled,
) -> Page {
    let (app, viewer, zone) = (&console.app, visitor.viewer(), console.app.lookup.zone());
    // Before what it makes is listed: where it is done, that is there.
    let running = bar(&app.works, None);
    let (_, roster) = in_force(app).await?;
    let (kept, n_hidden) = listed(app, &viewer).await?;
    let (holds, n_holds_hidden) = holds_for(app, &viewer).await?;
    let lines = chain(app, &viewer, None).await?;
    let hidden_in_all = n_hidden.saturating_add(n_holds_hidden);
    let holds = holds.iter().filter(|hold| hold.is_in_force()).map(|hold| InForce {
        id: hold.terms.id.clone(),
        case: hold.terms.case.clone(),
        since: when(&hold.began, zone),
        about: hold
            .terms
            .person
            .as_deref()
            .map_or_else(|| "everything".to_owned(), |id| visible(&name(id, &roster))),
        reason: visible(&hold.terms.reason),
    });
    let page = EvidencePage {
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        said,
        running,
        failed: failed(&app.works, None),
        people: people(visitor, &roster),
        bundles: kept.iter().map(|kept| card(kept, app.works.checked(&kept.id), &roster, zone)).collect(),
        n_hidden,
        hidden: about_you(hidden_in_all),
        waiting: waiting(console, visitor, &roster, &[cosign::What::Export], None),
        signed: signed_for(app, &viewer).await?,
        preserved: preserved_so_far(app).await?.last().map(|line| preserved(line, &roster, zone)),
        holds: holds.collect(),
        hands: hands(&lines, &roster, zone),
        can_release: visitor.role == Role::Manager,
        shell: Shell::new(console, Some(visitor), "/evidence", "Evidence"),
        form: filled.form,
        wrong: filled.wrong,
        refused: filled.refused,
        typed: filled.typed,
    };
    page_with(status, &page)
}

#[derive(Template)]
#[template(path = "console/evidence_preview.html")]
struct PreviewPage {
    shell: Shell,
    zone: String,
    form: QuestionForm,
    about: String,
    span: String,
    withheld: String,
    preview: Preview,
    words: Vec<(String, String, String)>,
    n_more: u64,
    wrong: String,
    alone_because: String,
    second: String,
}

impl PreviewPage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }

    fn total(&self) -> String {
        count(self.preview.shown.saturating_add(self.preview.withheld), "entry", "entries")
    }
}

async fn preview(State(console): State<Console>, visitor: Visitor, Query(form): Query<QuestionForm>) -> Page {
    looked_through(&console, &visitor, StatusCode::OK, form, String::new(), String::new()).await
}

/// What a bundle would show, with the form that builds it.
async fn looked_through(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    form: QuestionForm,
    wrong: String,
    alone_because: String,
) -> Page {
    let (app, zone) = (&console.app, console.app.lookup.zone());
    let question = match form.question(zone) {
        Ok(question) => question,
        Err(wrong) => {
            let filled = Filled { form, wrong, ..Filled::default() };
            return written(console, visitor, StatusCode::BAD_REQUEST, "", filled).await;
        }
    };
    let preview = match previewed(app, &visitor.viewer(), question.clone()).await {
        Ok(preview) => preview,
        Err(failure) => {
            let (status, sentence) = failure.into_parts();
            if !status.is_client_error() {
                return Err(Trouble { status, sentence });
            }
            let filled = Filled { form, refused: Refused::new("build", sentence), ..Filled::default() };
            return written(console, visitor, status, "", filled).await;
        }
    };
    let (_, roster) = in_force(app).await?;
    let second = crate::admin::cosigns::second(app).map(|id| visible(&name(&id, &roster)));
    let lines = preview.words.iter();
    let lines = lines.map(|line| (when(&line.time, zone), line.author.clone(), visible(&line.sentence)));
    let of_acts: u64 =
        preview.authors.iter().filter(|part| part.author == "collector").map(|part| part.shown).sum();
    let n_told = u64::try_from(preview.words.len()).unwrap_or(u64::MAX);
    let page = PreviewPage {
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        about: words::about(&question, &roster),
        span: words::span(&question, zone),
        withheld: words::withheld(&question),
        words: lines.collect(),
        n_more: preview.shown.saturating_sub(of_acts).saturating_sub(n_told),
        preview,
        second: second.unwrap_or_default(),
        shell: Shell::new(console, Some(visitor), "/evidence", "Evidence: what a bundle would show"),
        form,
        wrong,
        alone_because,
    };
    page_with(status, &page)
}
