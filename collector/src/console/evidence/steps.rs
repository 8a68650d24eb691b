//! What is done on the page Evidence: each answers with the page where it is seen, or with the form as it was typed.

use askama::Template;
use axum::extract::{Form, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Deserialize;

use super::super::shell::{Page, Shell, Trouble, Visitor, page};
use super::super::{Console, see};
use super::form::{QuestionForm, Wrong};
use super::{Filled, Refused, looked_through, today, written};
use crate::admin::Failure;
use crate::admin::bundles::{Begun, RemoveRequest, begin, begin_check, fetched, found, removed, signed_for};
use crate::admin::cosigns::{ExportAsked, ExportRequest};
use crate::admin::preservation::{CustodyRequest, ReleaseRequest, handed_over, released};
use crate::admin::preserve::{PreserveRequest, begin_preserving};
use crate::bundles::work::Checked;
use crate::console::form::{as_said, passphrase};
use crate::console::words::when_in_short as when;

fn given(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The whole page again, with what was refused at its form.
async fn again(console: &Console, visitor: &Visitor, at: impl Into<String>, failure: Failure) -> Page {
    let (status, sentence) = as_said(failure)?;
    let filled = Filled {
        form: QuestionForm::fresh(today(console)),
        refused: Refused::new(at, sentence),
        ..Filled::default()
    };
    written(console, visitor, status, "", filled).await
}

/// The question of a bundle, and who asks.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct BuildForm {
    #[serde(flatten)]
    question: QuestionForm,
    /// Number of the signature; what was asked stands in the ledger then.
    #[serde(default)]
    cosigned: String,
    #[serde(default)]
    alone_because: String,
    passphrase: String,
}

pub(super) async fn build(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<BuildForm>,
) -> Page {
    let (app, viewer) = (&console.app, visitor.viewer());
    let cosigned = given(&form.cosigned);
    let question = match &cosigned {
        Some(id) => {
            let signed = signed_for(app, &viewer).await?;
            let signed = signed.into_iter().find(|signed| signed.id == *id);
            let Some(signed) = signed else {
                let gone = Failure::bad("Nothing of yours with that number is signed and still to be built.");
                return again(&console, &visitor, "signed", gone).await;
            };
            signed.question
        }
        None => match form.question.question(app.lookup.zone()) {
            Ok(question) => question,
            Err(wrong) => {
                let filled = Filled { form: form.question, wrong, ..Filled::default() };
                return written(&console, &visitor, StatusCode::BAD_REQUEST, "", filled).await;
            }
        },
    };
    let asked = ExportAsked {
        by: Some(visitor.person.clone()),
        passphrase: passphrase(&form.passphrase),
        cosigned: cosigned.clone(),
        alone_because: given(&form.alone_because),
    };
    let begun = {
        let _room = console.passphrases.acquire().await;
        begin(app, &viewer, ExportRequest { question, asked }).await
    };
    match begun {
        Ok(Begun::Builds(_)) => Ok(see("/evidence?said=builds")),
        Ok(Begun::Waits(_)) => Ok(see("/evidence?said=waits")),
        Err(failure) if cosigned.is_some() => again(&console, &visitor, "signed", failure).await,
        Err(failure) => {
            let (status, wrong) = as_said(failure)?;
            looked_through(&console, &visitor, status, form.question, wrong, form.alone_because).await
        }
    }
}

/// Preserving: the passphrase may wait, the evidence may not.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PreserveForm {
    case: String,
    #[serde(default)]
    passphrase: String,
}

pub(super) async fn preserve(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PreserveForm>,
) -> Page {
    let case = given(&form.case).unwrap_or_else(|| "preserve".to_owned());
    let passphrase = passphrase(&form.passphrase);
    let by = passphrase.is_some().then(|| visitor.person.clone());
    let begun = {
        let _room = console.passphrases.acquire().await;
        begin_preserving(&console.app, &visitor.viewer(), PreserveRequest { case, by, passphrase }).await
    };
    match begun {
        Ok(()) => Ok(see("/evidence?said=preserves")),
        Err(failure) => again(&console, &visitor, "preserve", failure).await,
    }
}

pub(super) async fn fetch(State(console): State<Console>, visitor: Visitor, Path(id): Path<String>) -> Page {
    attachment(&console, &visitor, &id).await
}

/// A bundle as a file to keep.
pub(in crate::console) async fn attachment(console: &Console, visitor: &Visitor, id: &str) -> Page {
    let (kept, zip) = fetched(&console.app, &visitor.viewer(), id).await?;
    // The id has letters, digits, - and _ only.
    let name = format!("attachment; filename=\"bundle-{}.zip\"", kept.id);
    let headers = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, zip).into_response())
}

/// The forms of one bundle.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct HandOverForm {
    /// `check`, `remove`, `hand-over`.
    step: String,
    what: String,
    pub(in crate::console) to: String,
    pub(in crate::console) how: String,
    pub(in crate::console) when: String,
    pub(in crate::console) note: String,
    passphrase: String,
}

/// What may be written down about a bundle.
const HANDED: [&str; 6] = ["handed_over", "received", "returned", "copied", "viewed", "destroyed"];

pub(super) async fn on_bundle(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<HandOverForm>,
) -> Page {
    let (app, viewer, by) = (&console.app, visitor.viewer(), visitor.person.clone());
    let passphrase = passphrase(&form.passphrase);
    let (done, to) = match form.step.as_str() {
        "check" => (begin_check(app, &viewer, &id).await, format!("/evidence/checked/{id}")),
        "remove" => {
            let _room = console.passphrases.acquire().await;
            let gone = removed(app, &viewer, RemoveRequest { id: id.clone(), by, passphrase }).await;
            (gone.map(|_| ()), "/evidence?said=removed".to_owned())
        }
        "hand-over" => {
            let _room = console.passphrases.acquire().await;
            let handed = hand_over(&console, &visitor, &id, &form).await;
            (handed, "/evidence?said=handed".to_owned())
        }
        _ => (Err(Failure::bad("Choose what you want to do.")), String::new()),
    };
    let Err(failure) = done else { return Ok(see(&to)) };
    let (status, sentence) = as_said(failure)?;
    if status == StatusCode::NOT_FOUND {
        return Err(Trouble { status, sentence });
    }
    let filled = Filled {
        form: QuestionForm::fresh(today(&console)),
        refused: Refused::new(format!("{}:{id}", form.step), sentence),
        typed: HandOverForm { passphrase: String::new(), ..form },
        wrong: Wrong::default(),
    };
    written(&console, &visitor, status, "", filled).await
}

async fn hand_over(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    form: &HandOverForm,
) -> Result<(), Failure> {
    let kept = found(&console.app, &visitor.viewer(), id).await?;
    if !HANDED.contains(&form.what.as_str()) {
        return Err(Failure::bad("Choose what happened."));
    }
    for (text, wanted) in
        [(&form.to, "Write to whom it went."), (&form.how, "Write how it went: by hand, by courier.")]
    {
        if text.trim().is_empty() {
            return Err(Failure::bad(wanted));
        }
    }
    let when = given(&form.when);
    let zone = console.app.lookup.zone();
    let at = when
        .as_deref()
        .map(|when| crate::admin::requests::moment(when, zone, crate::admin::requests::Edge::Start));
    if at.transpose()?.is_some_and(|at| at > console.now()) {
        return Err(Failure::bad(
            "That time is yet to come. Write when it happened, or leave it empty for now.",
        ));
    }
    let request = CustodyRequest {
        case: kept.question.case,
        what: form.what.clone(),
        to: form.to.trim().to_owned(),
        how: given(&form.how),
        when,
        sha256: Some(kept.sha256),
        note: given(&form.note),
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    handed_over(&console.app, request).await.map(|_| ())
}

/// The form that releases a hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReleaseForm {
    id: String,
    because: String,
    passphrase: String,
}

pub(super) async fn release(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<ReleaseForm>,
) -> Page {
    let id = form.id.clone();
    let request = ReleaseRequest {
        id: form.id,
        because: given(&form.because),
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let done = if request.because.is_some() {
        let _room = console.passphrases.acquire().await;
        released(&console.app, &visitor.viewer(), request).await
    } else {
        Err(Failure::bad("Write why the hold is no longer needed."))
    };
    match done {
        Ok(_) => Ok(see("/evidence?said=released")),
        Err(failure) => again(&console, &visitor, id, failure).await,
    }
}

#[derive(Template)]
#[template(path = "console/evidence_checked.html")]
pub(in crate::console) struct CheckedPage {
    shell: Shell,
    zone: String,
    back: &'static str,
    id: String,
    case: String,
    sha256: String,
    running: Option<super::Bar>,
    failed: String,
    at: String,
    checked: Option<Checked>,
}

impl CheckedPage {
    fn passed(&self, status: &ntk_evidence::checks::Status) -> bool {
        *status == ntk_evidence::checks::Status::Passed
    }

    fn verdict(&self, checked: &Checked) -> String {
        checked.verification.verdict()
    }

    fn is_verified(&self, checked: &Checked) -> bool {
        checked.verification.exit_code() == 0
    }

    fn words(&self, checked: &Checked) -> String {
        checked.verification.checkpoint_words().unwrap_or_default()
    }

    fn practice_words(&self, checked: &Checked) -> String {
        checked.verification.practice_words.clone().unwrap_or_default()
    }
}

pub(super) async fn checked(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Page {
    checked_page(&console, &visitor, &id, "/evidence").await
}

/// How a check ended, or how far it is.
pub(in crate::console) async fn checked_page(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    back: &'static str,
) -> Page {
    let kept = found(&console.app, &visitor.viewer(), id).await?;
    let (works, zone) = (&console.app.works, console.app.lookup.zone());
    let running = super::bar(works, Some(&kept.question.case));
    let checked = works.checked(id);
    page(&CheckedPage {
        shell: Shell::new(console, Some(visitor), back, "A bundle checked"),
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        back,
        id: kept.id,
        running,
        failed: super::failed(works, Some(&kept.question.case)),
        case: kept.question.case,
        sha256: kept.sha256,
        at: checked.as_ref().map(|checked| when(&checked.at.to_string(), zone)).unwrap_or_default(),
        checked,
    })
}
