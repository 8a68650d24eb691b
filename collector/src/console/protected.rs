//! What is protected: places by class, the table in force, what machines propose to watch; `jobs` are programs that
//! four weeks of entries propose, `trial` decides the past weeks again by a changed table.

mod jobs;
mod trial;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::form::{Done, is_the_forms, needed_passphrase};
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::words::{plain, when};
use super::{Console, see};
use crate::account::Role;
use crate::admin::proposals::{DecideRequest, decided, proposed};
use crate::admin::protected::{Standing, looked, standing};
use crate::admin::{Failure, blocking};
use crate::policy::{Area, EVERYONE, Policy, Rule};
use crate::proposals::{Proposal, Standing as WatchStanding, Step};
use crate::protected::Protected;
use crate::report::text::number;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/protected", get(show))
        .route("/protected/watch", post(decide))
        .merge(jobs::routes())
        .merge(trial::routes())
}

/// Places that were read so long ago are shown again: two people who look at once, or a form that comes back, read once.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// Places and table as they were read last, and the table's hash.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<(Timestamp, String, Arc<Standing>)>>);

/// What is protected, as it was read just now.
async fn kept(console: &Console, policy: &Policy) -> Result<Arc<Standing>, Failure> {
    let mut kept = console.protected.0.lock().await;
    let now = console.now();
    if let Some((read, hash, standing)) = &*kept
        && now.duration_since(*read).abs() < FRESH
        && *hash == policy.hash()
    {
        return Ok(Arc::clone(standing));
    }
    let read = Arc::new(standing(&console.app).await?);
    *kept = Some((now, policy.hash().to_string(), Arc::clone(&read)));
    Ok(read)
}

/// A proposal of a machine.
struct Watch {
    id: String,
    machine: String,
    what: String,
    path: String,
    because: String,
    since: String,
    standing: &'static str,
    waits: bool,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    proposal: Proposal,
    #[serde(default)]
    decided: Option<Step>,
}

impl Watch {
    fn of(row: Row, console: &Console) -> Self {
        let Row { proposal, decided } = row;
        let standing = match (proposal.standing, decided) {
            (WatchStanding::Watched, _) => "watched",
            (_, Some(Step::Confirmed)) => "confirmed; the machine has not heard of it yet",
            (_, Some(Step::Declined)) => "declined",
            (WatchStanding::Declined, None) => "declined there",
            (WatchStanding::Proposed, None) => "waits for a decision",
        };
        let owner =
            proposal.owner.as_deref().map(|owner| format!(" of {}", plain(owner))).unwrap_or_default();
        Self {
            waits: standing == "waits for a decision",
            standing,
            machine: plain(proposal.author.strip_prefix("agent/").unwrap_or(&proposal.author)),
            what: format!("{}{owner}", class_in_words(&proposal.class)),
            path: plain(&proposal.path),
            because: plain(&proposal.because),
            since: when(&proposal.since, console.app.lookup.zone()),
            id: proposal.id,
        }
    }
}

/// A class as its heading says it.
fn class_in_words(class: &str) -> String {
    let known = Area::ALL.iter().find(|area| area.as_str() == class);
    known.map_or_else(|| plain(class), |area| area.heading().to_owned())
}

/// The table: roles as columns, areas as rows.
struct Table {
    name: String,
    roles: Vec<String>,
    rows: Vec<(&'static str, Vec<Cell>)>,
    /// What it says beside the cells.
    experts: Vec<String>,
    groups: Vec<String>,
}

/// One cell.
struct Cell {
    word: &'static str,
    sentence: String,
    is_never: bool,
}

fn word(rule: Rule) -> &'static str {
    match rule {
        Rule::Never => "never",
        Rule::WithTicket => "with a ticket",
        Rule::InHours => "in hours",
        Rule::Always => "always",
        Rule::Own => "their own",
    }
}

fn table(policy: &Policy) -> Table {
    let roles: Vec<&str> = policy.roles().collect();
    let cell = |role: &&str, area: Area| match policy.cell(role, area) {
        Some(cell) => Cell {
            word: word(cell.rule),
            sentence: cell.sentence.clone(),
            is_never: cell.rule == Rule::Never,
        },
        None => Cell { word: "–", sentence: String::new(), is_never: false },
    };
    let row = |area: &Area| (area.heading(), roles.iter().map(|role| cell(role, *area)).collect());
    let is_written = |area: &&Area| roles.iter().any(|role| policy.cell(role, **area).is_some());
    let rules = policy.compiled().into_iter().flat_map(crate::policy::cedar::Compiled::rules);
    let experts = rules.filter(|rule| rule.id.starts_with("expert:"));
    let group = |group: &crate::policy::cedar::Group| {
        let parts = [
            group.class.as_ref().map(|class| class_in_words(class.as_str())),
            group.owner.as_ref().map(|owner| format!("of {owner}")),
            group.host.as_ref().map(|host| format!("on {host}")),
            group.below.as_ref().map(|below| format!("below {below}")),
        ];
        plain(&format!("{}: {}", group.name, parts.into_iter().flatten().collect::<Vec<_>>().join(" ")))
    };
    Table {
        name: plain(policy.name()),
        rows: Area::ALL.iter().filter(is_written).map(row).collect(),
        roles: roles.iter().map(|role| plain(if *role == EVERYONE { "everyone" } else { role })).collect(),
        experts: experts.map(|rule| plain(&format!("{}: {}", rule.id, rule.plain))).collect(),
        groups: policy.groups().iter().map(group).collect(),
    }
}

#[derive(Template)]
#[template(path = "console/protected.html")]
struct ProtectedPage {
    shell: Shell,
    classes: Vec<Protected>,
    n_left_out: u64,
    zone: String,
    table: Table,
    since: String,
    how: String,
    watches: Vec<Watch>,
    can_decide: bool,
    said: &'static str,
    wrong_id: String,
    wrong: String,
}

impl ProtectedPage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }

    fn plain(&self, text: &str) -> String {
        plain(text)
    }

    fn n_waiting(&self) -> usize {
        self.watches.iter().filter(|watch| watch.waits).count()
    }
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(told): Query<Done>) -> Page {
    let said = match told.said.as_str() {
        "confirmed" => "Your decision is kept. It is watched as soon as the machine hears of it.",
        "declined" => "Your decision is kept. The machine asks no more about it.",
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
    let viewer = visitor.viewer();
    looked(&console.app, &viewer).await?;
    let mut watches = Vec::new();
    for row in proposed(&console.app, &viewer).await? {
        let row: Row = serde_json::from_value(row).map_err(|error| Failure::ours(&error))?;
        watches.push(Watch::of(row, console));
    }
    watches.sort_by_key(|watch| !watch.waits);
    let app = console.app.clone();
    let (_, policy) = blocking(move || Ok(app.lookup.rules_now()?)).await?;
    let standing = kept(console, &policy).await?;
    page_with(
        status,
        &ProtectedPage {
            shell: Shell::new(console, Some(visitor), "/protected", "What is protected"),
            classes: standing.classes.clone(),
            n_left_out: standing.n_left_out,
            zone: console.app.practice.config.raw.timezone.clone(),
            table: table(&policy),
            since: standing
                .since
                .as_deref()
                .map(|at| when(at, console.app.lookup.zone()))
                .unwrap_or_default(),
            how: standing.how.as_deref().map(plain).unwrap_or_default(),
            watches,
            can_decide: visitor.role == Role::Manager,
            said,
            wrong_id,
            wrong,
        },
    )
}

#[derive(Debug, Deserialize)]
struct WatchForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    machine: String,
    #[serde(default)]
    step: String,
    #[serde(default)]
    passphrase: String,
}

async fn decide(State(console): State<Console>, visitor: Visitor, Form(form): Form<WatchForm>) -> Page {
    match take(&console, &visitor, &form).await.map_err(Failure::into_parts) {
        Ok(step) => Ok(see(&format!("/protected?said={step}"))),
        Err((status, sentence)) if is_the_forms(status) => {
            with(&console, &visitor, StatusCode::BAD_REQUEST, "", form.id, sentence).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

async fn take(console: &Console, visitor: &Visitor, form: &WatchForm) -> Result<&'static str, Failure> {
    let (step, word) = match form.step.as_str() {
        "confirm" => (Step::Confirmed, "confirmed"),
        "decline" => (Step::Declined, "declined"),
        _ => return Err(Failure::bad("Choose whether it is to be watched.")),
    };
    let request = DecideRequest {
        id: form.id.clone(),
        step,
        by: visitor.person.clone(),
        passphrase: needed_passphrase(&form.passphrase)?,
        machine: Some(form.machine.clone()).filter(|machine| !machine.is_empty()),
    };
    let _room = console.passphrases.acquire().await;
    decided(&console.app, request).await?;
    Ok(word)
}
