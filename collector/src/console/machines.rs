//! Machines: which are recording and what each can see; one page a machine; `add` lets one in, `shut_out` ends one.

mod add;
mod holdings;

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::event::Health;
use serde::Deserialize;

use super::form::{Done, is_the_forms, needed_passphrase};
use super::shell::{Page, Shell, Trouble, Visitor, page, page_with};
use super::week::{this_week, without_style};
use super::words::{plain, when};
use super::{Console, see};
use crate::account::Role;
use crate::admin::Failure;
use crate::admin::inventory::{AskRequest, ask_now};
use crate::admin::machines::{all, shut_out};
use crate::admin::requests::RevokeRequest;
use crate::admin::reviewers::prove;
use crate::machine::{Standing, State as MachineState};
use crate::report::WeeklyReport;
use crate::report::coverage::{Interval, MachineCoverage, State as Covering};
use crate::report::html;
use crate::report::text::{number, period};
use crate::report::trend::Covered;
use holdings::Holder;

/// So many letters of a reason are taken.
const REASON_MAX: usize = 500;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/machines", get(list))
        .route("/machines/{name}", get(one))
        .route("/machines/{name}/ask", post(ask))
        .route("/machines/{name}/shut-out", post(end))
        .merge(add::routes())
}

/// A machine as a page shows it.
struct Shown {
    standing: Standing,
    tag: (&'static str, &'static str),
    coverage: String,
    sentence: String,
    health: Option<Said>,
}

/// What an agent said of itself last.
struct Said {
    when: String,
    version: String,
    system: String,
    sees: Vec<String>,
    cannot_see: Vec<String>,
    lost: Option<String>,
}

impl Said {
    fn of(health: &Health, received: &str, zone: &TimeZone) -> Self {
        let or_unknown =
            |text: &Option<String>| text.as_deref().map_or_else(|| "not known".to_owned(), plain);
        let build = health.os_build.as_deref().map(plain).filter(|build| !build.is_empty());
        let system = or_unknown(&health.os);
        Self {
            when: when(received, zone),
            version: or_unknown(&health.version),
            system: build.map_or_else(|| system.clone(), |build| format!("{system}, build {build}")),
            sees: health.sensors.iter().map(|sensor| sensor_in_words(sensor)).collect(),
            cannot_see: health.cannot_see.iter().map(|sentence| plain(sentence)).collect(),
            lost: health.lost.filter(|lost| *lost > 0).map(number),
        }
    }
}

/// What a sensor tells, in words.
fn sensor_in_words(name: &str) -> String {
    let words = match name {
        "linux-audit" | "linux_audit" => {
            "logins, rights and access to files, by the kernel’s audit: it proves which login"
        }
        "fanotify" => "access to files, by the kernel (fanotify): which account, not always which login",
        "auth-log" | "auth_log" => "logins and sudo, by the system’s own logs",
        "notify" | "inotify" => "that a file was opened or changed (inotify): not by whom",
        "event-log" => "logins, rights and access to files, by the event log of Windows",
        "audit-policy" => "whether Windows records what it should",
        "recorded" | "replay" => "a recording that is played",
        other => return plain(other),
    };
    words.to_owned()
}

const fn tag(state: &MachineState) -> (&'static str, &'static str) {
    match state {
        MachineState::Recording { .. } => ("ok", "recording"),
        MachineState::Silent { .. } => ("no", "silent"),
        MachineState::Away { .. } => ("ask", "not connected"),
        MachineState::NeverConnected => ("ask", "never connected"),
        MachineState::ShutOut { .. } => ("", "shut out"),
    }
}

impl Shown {
    fn of(standing: Standing, report: &WeeklyReport, zone: &TimeZone) -> Self {
        let covered = report.machines.iter().find(|machine| machine.name == standing.name);
        let percent = covered.and_then(|machine| Covered::of(std::slice::from_ref(machine)).percent());
        let received = standing.health_received.clone().unwrap_or_default();
        Self {
            tag: tag(&standing.state),
            coverage: percent.map_or_else(|| "–".to_owned(), |percent| format!("{percent} %")),
            sentence: covered.map(|machine| plain(&machine.sentence)).unwrap_or_default(),
            health: standing.health.as_ref().map(|health| Said::of(health, &received, zone)),
            standing,
        }
    }

    fn version(&self) -> &str {
        self.health.as_ref().map_or("–", |said| &said.version)
    }

    fn system(&self) -> &str {
        self.health.as_ref().map_or("–", |said| &said.system)
    }
}

/// Whether a role lets machines in and shuts them out.
pub(super) fn keeps(role: &Role) -> bool {
    matches!(role, Role::Manager | Role::Operator)
}

#[derive(Template)]
#[template(path = "console/machines.html")]
struct MachinesPage {
    shell: Shell,
    machines: Vec<Shown>,
    offers: Vec<(String, String, String)>,
    coverage: String,
    sentences: Vec<String>,
    sentence: String,
    can_add: bool,
    zone: String,
}

async fn list(State(console): State<Console>, visitor: Visitor) -> Page {
    let report = this_week(&console).await?;
    let zone = console.app.lookup.zone();
    let registry = console.app.ledger.published().registry;
    let now = console.now();
    let is_open = |expires: &str| expires.parse::<Timestamp>().is_ok_and(|at| at > now);
    let offers = registry.offers.values().map(|offer| {
        let until = match is_open(&offer.expires) {
            true => format!("until {}", when(&offer.expires, zone)),
            false => format!("ran out {}", when(&offer.expires, zone)),
        };
        (plain(&offer.machine), until, offer.notice.as_deref().map(plain).unwrap_or_default())
    });
    let mut machines: Vec<Shown> = Vec::new();
    for standing in all(&console.app).await? {
        machines.push(Shown::of(standing, &report, zone));
    }
    let (coverage, sentences) = html::coverage(&report);
    let shell = Shell::new(&console, Some(&visitor), "/machines", "Machines");
    // The stream of what is new tells of findings too: whoever keeps it running loads the page again.
    let follows = visitor.role != Role::Operator;
    page(&MachinesPage {
        shell: if follows { shell.live() } else { shell },
        sentence: summary(&machines),
        coverage: if report.machines.is_empty() { String::new() } else { without_style(&coverage) },
        sentences: sentences.iter().map(|sentence| plain(sentence)).collect(),
        offers: offers.collect(),
        can_add: keeps(&visitor.role),
        zone: report.timezone.clone(),
        machines,
    })
}

/// How many there are of what, in one sentence.
fn summary(machines: &[Shown]) -> String {
    let let_in: Vec<&Shown> = machines.iter().filter(|machine| !machine.standing.is_shut_out()).collect();
    let n = |is: &dyn Fn(&MachineState) -> bool| {
        let_in.iter().filter(|machine| is(&machine.standing.state)).count()
    };
    let n_recording = n(&|state| matches!(state, MachineState::Recording { .. }));
    let n_silent = n(&|state| matches!(state, MachineState::Silent { .. }));
    match (let_in.len(), n_silent) {
        (0, _) => "No machine is let in.".to_owned(),
        (1, 0) if n_recording == 1 => "The one machine is recording.".to_owned(),
        (all, 0) if all == n_recording => format!("All {all} are recording."),
        (all, 0) => format!("{n_recording} of {all} are recording."),
        (all, silent) => format!("{n_recording} of {all} are recording, {silent} silent."),
    }
}

#[derive(Template)]
#[template(path = "console/machine.html")]
struct MachinePage {
    shell: Shell,
    machine: Shown,
    coverage: String,
    gaps: Vec<(String, &'static str, String)>,
    zone: String,
    enrolled: String,
    described: String,
    notice: String,
    last_spoke: String,
    sees_holdings: bool,
    told: String,
    holders: Vec<Holder>,
    cannot_list: Vec<String>,
    n_left_out: u64,
    can_ask: bool,
    can_end: bool,
    said: &'static str,
    wrong_ask: String,
    wrong_end: String,
    typed: EndForm,
}

impl MachinePage {
    fn n(&self, n: &u64) -> String {
        number(*n)
    }
}

#[derive(Debug, Default)]
struct Wrong {
    ask: String,
    end: String,
    typed: EndForm,
}

async fn one(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<Done>,
) -> Page {
    let said = match query.said.as_str() {
        "asked" => {
            "The machine is asked. Its answer comes within a minute or two; load this page again then."
        }
        "waits" => "The machine is asked. It is not connected now, and answers when it is.",
        "shut-out" => "It is shut out: nothing is taken from it any more. What it sent stays.",
        _ => "",
    };
    show(&console, &visitor, &name, StatusCode::OK, said, Wrong::default()).await
}

async fn find(console: &Console, name: &str) -> Result<Standing, Trouble> {
    let found = all(&console.app).await?.into_iter().find(|standing| standing.name == name);
    found.ok_or_else(|| Failure::missing("There is no machine of this name. Go back to Machines.").into())
}

async fn show(
    console: &Console,
    visitor: &Visitor,
    name: &str,
    status: StatusCode,
    said: &'static str,
    wrong: Wrong,
) -> Page {
    let standing = find(console, name).await?;
    let report = this_week(console).await?;
    let zone = console.app.lookup.zone();
    let covered = report.machines.iter().find(|machine| machine.name == name);
    let sees_holdings = matches!(visitor.role, Role::Manager | Role::Reviewer) && !standing.is_shut_out();
    let held = match sees_holdings {
        true => holdings::of(console, visitor, name).await?,
        false => holdings::Held::default(),
    };
    let machine = Shown::of(standing, &report, zone);
    let standing = &machine.standing;
    page_with(
        status,
        &MachinePage {
            shell: Shell::new(console, Some(visitor), "/machines", name),
            coverage: covered.map(|machine| drawing(&report, machine)).unwrap_or_default(),
            gaps: covered.map(|machine| gaps(&machine.intervals, zone)).unwrap_or_default(),
            zone: report.timezone.clone(),
            enrolled: when(&standing.enrolled, zone),
            described: standing.described.as_deref().map(plain).unwrap_or_default(),
            notice: standing.notice.as_deref().map_or_else(|| "not said at enrolment".to_owned(), plain),
            last_spoke: standing
                .last_spoke
                .as_deref()
                .map_or_else(|| "not since the collector was started".to_owned(), |at| when(at, zone)),
            sees_holdings,
            told: held.told,
            holders: held.holders,
            cannot_list: held.cannot_see,
            n_left_out: held.n_left_out,
            can_ask: sees_holdings,
            can_end: keeps(&visitor.role) && !standing.is_shut_out(),
            said,
            wrong_ask: wrong.ask,
            wrong_end: wrong.end,
            typed: wrong.typed,
            machine,
        },
    )
}

/// The bar of one machine's week.
fn drawing(report: &WeeklyReport, machine: &MachineCoverage) -> String {
    let alone = WeeklyReport { machines: vec![machine.clone()], ..report.clone() };
    without_style(&html::coverage(&alone).0)
}

/// When nothing of it was seen: period, what it was, why.
fn gaps(intervals: &[Interval], zone: &TimeZone) -> Vec<(String, &'static str, String)> {
    let dark = intervals.iter().filter(|interval| {
        interval.from < interval.to && !matches!(interval.state, Covering::Reporting | Covering::NotEnrolled)
    });
    let row = |interval: &Interval| {
        let what = match interval.state {
            Covering::Off => "off or asleep",
            Covering::Silent => "silent",
            Covering::Unknown | Covering::Reporting | Covering::NotEnrolled => "not known",
        };
        let why = interval.cause.as_deref().map(plain).unwrap_or_default();
        (period(interval.from, interval.to, zone), what, why)
    };
    dark.map(row).collect()
}

#[derive(Debug, Deserialize)]
struct AskForm {
    #[serde(default)]
    passphrase: String,
}

async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(form): Form<AskForm>,
) -> Page {
    let asked = {
        let _room = console.passphrases.acquire().await;
        match needed_passphrase(&form.passphrase) {
            Ok(passphrase) => {
                let request = AskRequest {
                    machine: Some(name.clone()),
                    by: visitor.person.clone(),
                    passphrase: Some(passphrase),
                };
                ask_now(&console.app, request).await
            }
            Err(failure) => Err(failure),
        }
    };
    match asked.map_err(Failure::into_parts) {
        Ok(answer) => {
            let connected = answer.pointer("/machines/0/connected").and_then(serde_json::Value::as_bool);
            let said = if connected == Some(true) { "asked" } else { "waits" };
            Ok(see(&format!("/machines/{name}?said={said}")))
        }
        Err((status, sentence)) if is_the_forms(status) => {
            let wrong = Wrong { ask: sentence, ..Wrong::default() };
            show(&console, &visitor, &name, StatusCode::BAD_REQUEST, "", wrong).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

/// The form that shuts a machine out, with what was typed.
#[derive(Debug, Default, Deserialize)]
struct EndForm {
    #[serde(default)]
    machine: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    passphrase: String,
}

async fn end(
    State(console): State<Console>,
    visitor: Visitor,
    Path(name): Path<String>,
    Form(form): Form<EndForm>,
) -> Page {
    match end_it(&console, &visitor, &name, &form).await.map_err(Failure::into_parts) {
        Ok(()) => Ok(see(&format!("/machines/{name}?said=shut-out"))),
        Err((status, sentence)) if is_the_forms(status) => {
            let typed = EndForm { passphrase: String::new(), ..form };
            let wrong = Wrong { end: sentence, typed, ..Wrong::default() };
            show(&console, &visitor, &name, StatusCode::BAD_REQUEST, "", wrong).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

async fn end_it(console: &Console, visitor: &Visitor, name: &str, form: &EndForm) -> Result<(), Failure> {
    if form.machine.trim() != name {
        return Err(Failure::bad(format!(
            "Type the machine’s name, {name}, to show that you mean this one."
        )));
    }
    let reason = form.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        return Err(Failure::bad(format!("Say why, in at most {REASON_MAX} letters; it is kept.")));
    }
    let passphrase = needed_passphrase(&form.passphrase)?;
    let _room = console.passphrases.acquire().await;
    let proof = prove(&console.app, &visitor.person, &passphrase).await?;
    let request = RevokeRequest { machine: name.to_owned(), reason: Some(reason.to_owned()) };
    shut_out(&console.app, &visitor.viewer(), &request, Some(proof)).await
}
