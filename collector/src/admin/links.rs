//! One-time links and paper forms over the admin API, and what comes by them.
//!
//! A link is made with the question that it carries, in one group of acts. What comes by a link is taken in one at a
//! time, so that a link that is followed twice at once is used once.

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::hash::Hash;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::api::Api;
use super::findings::{Prepared, hidden_from, prepare};
use super::reviewers::{Signature, Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::finding::step::{Confirmed, Given, How, Step};
use crate::link::{Closed, Code, DAYS, DAYS_MAX, Link, LinkStep, OPEN_MAX, Purpose, Token};
use crate::question::{self, Asked, PATH};
use crate::reviewer::Passphrase;
use crate::roster::Roster;
use crate::staff_notice::{self, Acknowledged, Notice, NoticeStep};

/// Wrong codes that a link takes; after them its answer is taken without one only.
const WRONG_CODES_MAX: u32 = 5;

/// Wrong codes by practice and link, since the start.
static WRONG_CODES: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

pub(super) fn routes() -> Api {
    Api::new().get("/v1/links", "One-time links and paper forms that are open", list).post(
        "/v1/links/withdraw",
        "Withdraw a one-time link or form",
        withdraw,
    )
}

/// What somebody who asks wants of a link or a form.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A one-time link.
    #[serde(default)]
    pub link: bool,
    /// A form to print.
    #[serde(default)]
    pub paper: bool,
    /// Whom; the person whom the finding is about where absent.
    #[serde(default)]
    pub to: Option<String>,
    /// For how many days.
    #[serde(default)]
    pub days: Option<u16>,
    /// Whether the person runs the practice's mail, where whoever asks knows it better than the roster.
    #[serde(default)]
    pub runs_mail: Option<bool>,
}

impl Wanted {
    /// Whether anything is.
    pub(crate) fn is_some(&self) -> bool {
        self.link || self.paper
    }
}

/// A link with what is shown of it once.
pub(crate) struct Made {
    pub(crate) act: Event,
    pub(crate) shown: Value,
}

fn moment_now(app: &App) -> Answer<Timestamp> {
    app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))
}

/// The link or form for a question that is being put.
pub(crate) async fn for_question(
    app: &App,
    roster: &Roster,
    wanted: &Wanted,
    prepared: &Prepared,
    (question, by): (&str, &Signature),
) -> Answer<Made> {
    let to = wanted.to.clone().or_else(|| prepared.person.clone()).ok_or_else(|| {
        Failure::bad(
            "this finding names nobody in the roster: say whom the question goes to with --to PERSON",
        )
    })?;
    let person = super::roster::person(roster, &to)?;
    if to == by.by {
        return Err(Failure::bad(format!("`--to {to}`: nobody puts a question to themselves")));
    }
    let administers = &app.practice.config.raw.administers;
    let knows = question::runs_mail(person, roster, administers);
    // Nobody is talked out of the second way: who is known to run it stays so.
    let runs_mail = knows || wanted.runs_mail == Some(true);
    let purpose = Purpose::Question {
        finding: prepared.act.id.clone(),
        question: question.trim().to_owned(),
        recorded: prepared.headline.clone(),
        asked_by: by.by.clone(),
    };
    make(app, roster, to, purpose, (wanted, runs_mail), by).await
}

/// A link to a notice.
pub(crate) async fn for_notice(
    app: &App,
    roster: &Roster,
    (to, notice, version): (String, Notice, String),
    days: Option<u16>,
    by: &Signature,
) -> Answer<Made> {
    let wanted = Wanted { link: true, days, ..Wanted::default() };
    let purpose = Purpose::Notice { notice: notice.name().to_owned(), version };
    make(app, roster, to, purpose, (&wanted, false), by).await
}

async fn make(
    app: &App,
    roster: &Roster,
    to: String,
    purpose: Purpose,
    (wanted, runs_mail): (&Wanted, bool),
    by: &Signature,
) -> Answer<Made> {
    let now = moment_now(app)?;
    let days = wanted.days.unwrap_or(DAYS);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Failure::bad(format!("`--days` is at least 1 and at most {DAYS_MAX}")));
    }
    let expires = question::expires(now, days).ok_or_else(|| Failure::bad("the clock cannot be read"))?;
    let published = app.ledger.published();
    let links = &published.registry.people.links;
    if !links.has_room(now) {
        return Err(Failure::bad(format!(
            "{OPEN_MAX} links are open; withdraw some first: ntk-collector link list"
        )));
    }
    let ours = |error: &dyn std::error::Error| Failure::ours(error);
    let token = wanted.link.then(Token::make).transpose().map_err(|error| ours(&error))?;
    let needs_code = runs_mail && wanted.link;
    let code = (needs_code || wanted.paper).then(Code::make).transpose().map_err(|error| ours(&error))?;
    let for_hashing = code.clone();
    let hash = blocking(move || {
        for_hashing.map(|code| code.hash()).transpose().map_err(|error| Failure::ours(&error))
    })
    .await?;
    let sha256 = token.as_ref().map(Token::sha256);
    let link = Link { id: links.next_id(), to, purpose, sha256, code: hash, needs_code, expires };
    let practice = app.practice.config.raw.practice.as_str();
    let code = code.map(|code| code.reveal());
    let form = match (&code, wanted.paper) {
        (Some(code), true) => Asked::of(&link, practice, roster, app.lookup.zone())
            .map(|asked| (question::paper_text(&asked, code), question::paper_html(&asked, code))),
        _ => None,
    };
    let (form, form_html) = form.unzip();
    let shown = json!({
        "id": link.id, "to": link.to, "path": token.map(|token| format!("{PATH}/{}", token.reveal())),
        "code": code, "needs_code": needs_code, "expires": link.expires.to_string(),
        "form": form, "form_html": form_html,
    });
    let body = serde_json::to_value(LinkStep::Made(link)).map_err(|error| ours(&error))?;
    Ok(Made { act: act::event(act::kind::LINK, app.ledger.now(), by.sign(body)), shown })
}

/// A link was opened: an act, the first time.
pub(crate) async fn opened(app: &App, id: &str) -> Answer<()> {
    let _turn = app.turns.links.lock().await;
    if app.ledger.published().registry.people.links.was_opened(id) {
        return Ok(());
    }
    record(app, act::kind::LINK, json!({"step": "opened", "id": id})).await.map(|_| ())
}

/// What comes by a link.
#[derive(Clone, Debug)]
pub(crate) enum Sent {
    /// An answer, and what was typed as code.
    Answer {
        /// The answer.
        text: String,
        /// The code; empty where none was typed.
        code: String,
    },
    /// That a notice was read.
    Read,
}

/// Why what came by a link was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// The link opens nothing any more.
    Closed(Closed),
    /// What was typed; it can be sent again.
    Wrong(String),
    /// Ours.
    Failed(Failure),
}

impl From<Failure> for NotTaken {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Takes in what comes by a link, which spends it; what is said to whoever sent it.
pub(crate) async fn send(app: &App, id: &str, sent: Sent) -> Result<Vec<String>, NotTaken> {
    let _turn = app.turns.links.lock().await;
    let now = moment_now(app)?;
    // INVARIANT LK-1: looked up again now that nobody else is between looking and writing.
    let link = app.ledger.published().registry.people.links.open(id, now).map_err(NotTaken::Closed)?.clone();
    match (sent, &link.purpose) {
        (Sent::Answer { text, code }, Purpose::Question { finding, .. }) => {
            answer(app, &link, finding, text, &code).await
        }
        (Sent::Read, Purpose::Notice { notice, version }) => {
            let notice = Notice::parse(notice).ok_or(NotTaken::Closed(Closed::Unknown))?;
            let step = NoticeStep::Acknowledged(Acknowledged {
                notice,
                version: version.clone(),
                person: link.to.clone(),
                how: staff_notice::How::Link,
                link: Some(link.id.clone()),
                on: None,
                recorded_by: None,
            });
            let body = serde_json::to_value(step).map_err(|error| Failure::ours(&error))?;
            record(app, act::kind::STAFF_NOTICE, body).await?;
            Ok(vec!["That you have read the notice is kept. You may close this page.".to_owned()])
        }
        _ => Err(NotTaken::Closed(Closed::Unknown)),
    }
}

async fn answer(
    app: &App,
    link: &Link,
    finding: &str,
    text: String,
    code: &str,
) -> Result<Vec<String>, NotTaken> {
    if text.is_empty() {
        return Err(NotTaken::Wrong(
            "Write an answer, or close this page: nothing is taken from that.".into(),
        ));
    }
    if text.chars().count() > crate::finding::step::TEXT_MAX {
        let most = crate::finding::step::TEXT_MAX;
        return Err(NotTaken::Wrong(format!(
            "An answer has at most {most} letters; shorten it, or give the rest on paper."
        )));
    }
    let confirmed = confirmed(app, link, code).await?;
    let given = Given { how: How::Link, link: Some(link.id.clone()), from: link.to.clone(), confirmed };
    let step = Step::Answered {
        answer: text,
        by: link.to.clone(),
        proof: Some("link".to_owned()),
        given: Some(given),
    };
    let prepared = prepare(app, finding.to_owned(), step).await?;
    let body = serde_json::to_value(&prepared.act).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::FINDING_STEP, body).await?;
    let mut said =
        vec!["Your answer is kept as you wrote it, with its time. You may close this page.".to_owned()];
    if confirmed == Confirmed::No {
        said.push("It is marked as not confirmed, because no code came with it. Tell the practice in person that it is yours.".to_owned());
    }
    Ok(said)
}

/// Whether the code that goes another way came with it.
async fn confirmed(app: &App, link: &Link, code: &str) -> Result<Confirmed, NotTaken> {
    if !link.needs_code {
        return Ok(Confirmed::NotAsked);
    }
    if code.trim().is_empty() {
        return Ok(Confirmed::No);
    }
    let key = format!("{} {}", app.ledger.slug(), link.id);
    let wrong = |n: u32| {
        let mut counted = WRONG_CODES.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = counted.entry(key.clone()).or_default();
        *wrong = wrong.saturating_add(n);
        *wrong
    };
    // An attempt counts before it is known how it ends.
    if wrong(1) > WRONG_CODES_MAX {
        return Err(NotTaken::Wrong(
            "Too many wrong codes. Leave the code away: your answer is kept and marked as not confirmed."
                .into(),
        ));
    }
    let (code, hash) = (Code::parse(code), link.code.clone());
    let fits = blocking(move || Ok(code.zip(hash).is_some_and(|(code, hash)| code.is_of(&hash)))).await?;
    if fits {
        return Ok(Confirmed::ByCode);
    }
    Err(NotTaken::Wrong(
        "That is not the code for this link. Type it again, or leave it away: then your answer is marked as not confirmed.".into(),
    ))
}

/// An answer that somebody types in from paper.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Whose answer it is; the person whom the finding is about where absent.
    #[serde(default)]
    pub from: Option<String>,
    /// The code of the form.
    #[serde(default)]
    pub code: Option<String>,
}

/// What an answer on paper is worth: with the code of a form that was made for this finding and this person, as much as
/// that form; otherwise it is not confirmed.
pub(crate) async fn on_paper(
    app: &App,
    paper: &Paper,
    (finding, person): (&str, Option<String>),
) -> Answer<Given> {
    let now = moment_now(app)?;
    let from = paper.from.clone().or(person).ok_or_else(|| {
        Failure::bad("this finding names nobody in the roster: say whose answer it is with --from PERSON")
    })?;
    let Some(typed) = paper.code.as_deref().filter(|code| !code.trim().is_empty()) else {
        return Ok(Given { how: How::Paper, link: None, from, confirmed: Confirmed::No });
    };
    let wrong = || {
        Failure::bad(format!(
            "`--code` is not the code of an open form of {from} for this finding; leave it away, and the answer is kept as not confirmed"
        ))
    };
    let code = Code::parse(typed).ok_or_else(wrong)?;
    let published = app.ledger.published();
    // The incident may have grown since the form was printed.
    let app_for_reading = app.clone();
    let wanted = finding.to_owned();
    let own = blocking(move || super::findings::findings_of(&app_for_reading, &wanted)).await?;
    let is_for = |link: &&Link| match &link.purpose {
        Purpose::Question { finding, .. } => link.to == from && own.iter().any(|id| id == finding),
        Purpose::Notice { .. } => false,
    };
    let open = published.registry.people.links.all_open(now).map(|(link, _)| link);
    let forms: Vec<(String, String)> =
        open.filter(is_for).filter_map(|link| Some((link.id.clone(), link.code.clone()?))).collect();
    let found = blocking(move || Ok(forms.into_iter().find(|(_, hash)| code.is_of(hash)))).await?;
    let (id, _) = found.ok_or_else(wrong)?;
    Ok(Given { how: How::Paper, link: Some(id), from, confirmed: Confirmed::ByCode })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    finding: Option<String>,
}

/// The links and forms that are open, with when each was opened first, without those that are about the one who asks.
pub(crate) async fn open_to(app: &App, viewer: &Viewer) -> Answer<Vec<(Link, Option<String>)>> {
    let hidden = hidden_from(app, viewer).await?;
    let now = moment_now(app)?;
    let published = app.ledger.published();
    // VW-1: a question says what is recorded.
    let is_shown = |link: &Link| match &link.purpose {
        Purpose::Question { finding, .. } => {
            !hidden.contains(finding) && viewer.person() != Some(link.to.as_str())
        }
        Purpose::Notice { .. } => true,
    };
    let open = published.registry.people.links.all_open(now).filter(|(link, _)| is_shown(link));
    Ok(open.map(|(link, opened)| (link.clone(), opened.map(str::to_owned))).collect())
}

async fn list(State(app): State<App>, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer<Json<Value>> {
    let is_wanted = |link: &Link| match (&query.finding, &link.purpose) {
        (None, _) => true,
        (Some(wanted), Purpose::Question { finding, .. }) => finding.starts_with(wanted.as_str()),
        (Some(_), Purpose::Notice { .. }) => false,
    };
    let open = open_to(&app, &viewer).await?;
    let rows = open.iter().filter(|(link, _)| is_wanted(link)).map(|(link, opened)| {
        json!({
            "id": link.id, "to": link.to, "purpose": link.purpose, "by_link": link.sha256.is_some(),
            "needs_code": link.needs_code, "expires": link.expires.to_string(), "opened": opened,
        })
    });
    Ok(Json(json!({"links": rows.collect::<Vec<_>>()})))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithdrawRequest {
    pub(crate) id: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

pub(crate) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<WithdrawRequest>,
) -> Answer<Json<Value>> {
    let shown = open_to(&app, &viewer).await?;
    let _turn = app.turns.links.lock().await;
    let now = moment_now(&app)?;
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let published = app.ledger.published();
    let open = published.registry.people.links.open(&request.id, now);
    if let Err(why) = open {
        return Err(Failure::bad(format!("`{}` is not open: {why}", request.id)));
    }
    if viewer.person().is_some() && !shown.iter().any(|(link, _)| link.id == request.id) {
        return Err(Failure::not_theirs(
            "This question is about you, your firm or an account that you share.",
        ));
    }
    let body = by.sign(json!({"step": "withdrawn", "id": request.id}));
    record(&app, act::kind::LINK, body).await?;
    Ok(Json(json!({"withdrawn": request.id})))
}

/// SHA-256 of a text, hex, for acts that name a text by its hash.
pub(crate) fn sha256(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

#[cfg(test)]
mod tests;
