//! Regular work: programs that four weeks of entries propose as jobs, and a person's word that one of them is right.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::super::{Console, see};
use crate::admin::Failure;
use crate::admin::baseline::{ConfirmRequest, confirmed, proposed};
use crate::baseline::{Evidence, Proposal, Unfit};
use crate::console::form::{Done, is_the_forms, needed_passphrase};
use crate::console::words::plain;
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

async fn show(State(console): State<Console>, visitor: Visitor, Query(told): Query<Done>) -> Page {
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
    let taken = match needed_passphrase(&form.passphrase) {
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::baseline::Pins;

    fn proposal() -> Proposal {
        Proposal {
            id: "3f9a0c1b2d4e".into(),
            job: "restic".into(),
            name: "<img src=x onerror=alert(1)>".into(),
            pins: Pins {
                program: "/usr/bin/restic\u{202e}".into(),
                host: "server-1".into(),
                uid: None,
                user: Some("backup".into()),
                hours: Some("01:00-02:30".into()),
                classes: vec![ntk_evidence::event::Class::Export],
                sha256: None,
                signer: None,
                parent: Some("systemd".into()),
            },
            evidence: Evidence {
                n_days: 27,
                n_accesses: 1_204,
                first: None,
                last: None,
                samples: Vec::new(),
            },
            sentence: "On server-1 restic reads exports each night.".into(),
            cautions: vec!["The records do not show the file’s hash.".into()],
        }
    }

    fn shell() -> Shell {
        Shell {
            title: "Regular work".into(),
            practice: "Maple Street".into(),
            is_inside: true,
            navigation: Vec::new(),
            name: "Mary Lopez".into(),
            csrf: "c5rf".into(),
            is_live: false,
            decides: true,
            may_change: true,
        }
    }

    #[test]
    fn a_proposal_says_what_it_is_pinned_by_and_its_names_are_text() {
        let job = Job::of(&proposal(), &TimeZone::UTC);
        let pins: Value =
            job.pins.iter().map(|(what, text)| ((*what).to_owned(), Value::from(text.as_str()))).collect();
        assert_eq!(
            pins,
            serde_json::json!({"Program": "/usr/bin/restic\\u{202e}", "Machine": "server-1", "Account": "backup",
                "Hours": "01:00-02:30", "Touches": "Record exports", "Started by": "systemd"})
        );
        let page = JobsPage {
            shell: shell(),
            from: Date::constant(2026, 11, 1),
            to: Date::constant(2026, 11, 28),
            not_before: None,
            jobs: vec![job],
            unfit: vec![(
                "/bin/sh on server-1".into(),
                "it could be anybody’s".into(),
                "3 accesses on 3 days".into(),
            )],
            said: "",
            wrong_id: "3f9a0c1b2d4e".into(),
            wrong: "That is not your passphrase.".into(),
            until: "2027-06-30".into(),
        };
        let page = page.render().unwrap();
        assert!(!page.contains("<img") && !page.contains('\u{202e}'), "{page}");
        for part in [
            "name=\"csrf\" value=\"c5rf\"",
            "name=\"id\" value=\"3f9a0c1b2d4e\"",
            "1,204 accesses on 27 days",
            "<details open>",
            "value=\"2027-06-30\"",
            "aria-describedby=\"wrong\"",
            "it could be anybody’s",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
