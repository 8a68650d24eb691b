//! Regular work: programs that four weeks of entries propose as jobs, and a person's word that one of them is right.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::machines::{is_the_forms, plain, typed};
use super::super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::super::{Console, see};
use crate::admin::Failure;
use crate::admin::baseline::{ConfirmRequest, confirmed, proposed};
use crate::baseline::{Evidence, Proposal, Unfit};
use crate::report::text::{count, list_of, period};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/protected/jobs", get(show).post(confirm))
}

/// A program that could become a job.
struct Job {
    id: String,
    name: String,
    sentence: String,
    pins: Vec<(&'static str, String)>,
    evidence: String,
    cautions: Vec<String>,
}

fn in_words(evidence: &Evidence, zone: &TimeZone) -> String {
    let days = u64::try_from(evidence.n_days).unwrap_or(u64::MAX);
    let seen =
        format!("{} on {}", count(evidence.n_accesses, "access", "accesses"), count(days, "day", "days"));
    match evidence.first.zip(evidence.last) {
        Some((first, last)) => format!("{seen}, {}", period(first, last, zone)),
        None => seen,
    }
}

impl Job {
    fn of(proposal: &Proposal, zone: &TimeZone) -> Self {
        let pins = &proposal.pins;
        let classes: Vec<String> =
            pins.classes.iter().map(|class| super::class_in_words(class.as_str())).collect();
        let all = [
            ("Program", Some(pins.program.clone())),
            ("Machine", Some(pins.host.clone())),
            ("Account", pins.user.clone().or_else(|| pins.uid.map(|uid| format!("uid {uid}")))),
            ("Hours", Some(pins.hours.clone().unwrap_or_else(|| "any".to_owned()))),
            ("Touches", Some(list_of(&classes))),
            ("Started by", pins.parent.clone()),
            ("Signed by", pins.signer.clone()),
            ("Its file (SHA-256)", pins.sha256.clone()),
        ];
        Self {
            id: proposal.id.clone(),
            name: plain(&proposal.name),
            sentence: plain(&proposal.sentence),
            pins: all.into_iter().filter_map(|(what, text)| Some((what, plain(&text?)))).collect(),
            evidence: in_words(&proposal.evidence, zone),
            cautions: proposal.cautions.iter().map(|caution| plain(caution)).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct JobsPage {
    shell: Shell,
    from: Date,
    to: Date,
    not_before: Option<Date>,
    jobs: Vec<Job>,
    unfit: Vec<(String, String, String)>,
    said: &'static str,
    wrong_id: String,
    wrong: String,
    until: String,
}

#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(default)]
    said: String,
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(told): Query<Told>) -> Page {
    let said = match told.said.as_str() {
        "confirmed" => {
            "The job stands in the roster now. What it does is explained from here on; what it did before stays as it was decided."
        }
        _ => "",
    };
    with(&console, &visitor, StatusCode::OK, said, JobForm::default(), String::new()).await
}

async fn with(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    form: JobForm,
    wrong: String,
) -> Page {
    let baseline = proposed(&console.app, &visitor.viewer()).await?;
    let zone = console.app.lookup.zone();
    let unfit = |unfit: &Unfit| {
        (
            plain(&format!("{} on {}", unfit.program, unfit.host)),
            plain(&unfit.why),
            in_words(&unfit.evidence, zone),
        )
    };
    page_with(
        status,
        &JobsPage {
            shell: Shell::new(console, Some(visitor), "/protected", "Regular work"),
            from: baseline.from,
            to: baseline.to,
            not_before: baseline.not_before,
            jobs: baseline.proposals.iter().map(|proposal| Job::of(proposal, zone)).collect(),
            unfit: baseline.unfit.iter().map(unfit).collect(),
            said,
            wrong_id: form.id,
            until: form.until,
            wrong,
        },
    )
}

#[derive(Debug, Default, Deserialize)]
struct JobForm {
    #[serde(default)]
    id: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    passphrase: String,
}

async fn confirm(State(console): State<Console>, visitor: Visitor, Form(form): Form<JobForm>) -> Page {
    let taken = match typed(&form.passphrase) {
        Ok(passphrase) => {
            let until = Some(form.until.clone()).filter(|until| !until.is_empty());
            let request =
                ConfirmRequest { id: form.id.clone(), by: visitor.person.clone(), until, passphrase };
            let _room = console.passphrases.acquire().await;
            confirmed(&console.app, request).await.map(|_| ())
        }
        Err(failure) => Err(failure),
    };
    match taken.map_err(Failure::into_parts) {
        Ok(()) => Ok(see("/protected/jobs?said=confirmed")),
        Err((status, sentence)) if is_the_forms(status) || status == StatusCode::NOT_FOUND => {
            with(&console, &visitor, StatusCode::BAD_REQUEST, "", form, sentence).await
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}
