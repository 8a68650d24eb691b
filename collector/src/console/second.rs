//! Second signatures: who the second reviewer is, what waits for a second name, and what became of what has waited.

mod show;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::form::Done;
use super::shell::{Page, Trouble, Visitor};
use super::{Console, ask, see};
use crate::admin::Failure;
use show::{Wrong, page_of};

pub(super) use show::n_to_sign;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/second", get(open))
        .route("/second/reviewer", post(name))
        .route("/second/sign", post(sign))
        .route("/second/decline", post(decline))
}

/// What was done before this page.
async fn open(State(console): State<Console>, visitor: Visitor, Query(said): Query<Done>) -> Page {
    let said = match said.said.as_str() {
        "named" => "The second reviewer is named. It is kept in the ledger.",
        "without" => "That the practice does without is kept, with your reason.",
        "signed" => "Signed. It holds from now on.",
        "export" => "Signed. Whoever asked for the bundle can make it now, once.",
        "declined" => "Declined, with your reason.",
        "withdrawn" => "Declined, with your reason. The leave date is withdrawn.",
        _ => "",
    };
    page_of(&console, &visitor, StatusCode::OK, said, Wrong::default()).await
}

/// A refused form comes back; everything else is a page of its own.
async fn refused(console: &Console, visitor: &Visitor, failure: Failure, wrong: Wrong) -> Page {
    let (status, sentence) = failure.into_parts();
    if !status.is_client_error() || status == StatusCode::FORBIDDEN {
        return Err(Trouble { status, sentence });
    }
    let status = if status == StatusCode::UNAUTHORIZED { StatusCode::BAD_REQUEST } else { status };
    page_of(console, visitor, status, "", Wrong { sentence, ..wrong }).await
}

/// Names the second reviewer, or declines to have one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NameForm {
    what: String,
    person: String,
    because: String,
    second: String,
    changed_because: String,
    passphrase: String,
}

async fn name(State(console): State<Console>, visitor: Visitor, Form(form): Form<NameForm>) -> Page {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let without = form.what == "decline";
    let field = match form.what.as_str() {
        "person" => "person",
        "decline" => "because",
        _ => "what",
    };
    let wrong = Wrong {
        field: format!("name-{field}"),
        person: form.person.clone(),
        because: form.because.clone(),
        changed_because: form.changed_because.clone(),
        ..Wrong::default()
    };
    let missing = match (form.what.as_str(), given(&form.person), given(&form.because)) {
        ("person", Some(_), _) | ("decline", _, Some(_)) => None,
        ("person", None, _) => Some("Choose who it is."),
        ("decline", _, None) => Some("Say why the practice does without: every review says it."),
        _ => Some("Choose: somebody, or nobody with a reason."),
    };
    if let Some(missing) = missing {
        return refused(&console, &visitor, Failure::bad(missing), wrong).await;
    }
    let mut body = json!({});
    let mut put = |key: &str, value: Option<String>| {
        if let (Some(value), Some(fields)) = (value, body.as_object_mut()) {
            fields.insert(key.to_owned(), json!(value));
        }
    };
    if without {
        put("decline", given(&form.because))
    } else {
        put("person", given(&form.person))
    }
    put("because", given(&form.changed_because));
    put("second_passphrase", Some(form.second.clone()).filter(|text| !text.is_empty()));
    match ask::signed(&console, &visitor, "/v1/second-reviewer", body, &form.passphrase).await {
        Ok(_) => Ok(see(if without { "/second?said=without" } else { "/second?said=named" })),
        Err(failure) => refused(&console, &visitor, failure, wrong).await,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SignForm {
    id: String,
    sha256: String,
    because: String,
    passphrase: String,
}

async fn sign(State(console): State<Console>, visitor: Visitor, Form(form): Form<SignForm>) -> Page {
    let body = json!({"id": form.id, "sha256": form.sha256});
    match ask::signed(&console, &visitor, "/v1/cosign/sign", body, &form.passphrase).await {
        Ok(done) => {
            console.week.forget();
            let is_export = done.get("what").and_then(Value::as_str) == Some("export");
            Ok(see(if is_export { "/second?said=export" } else { "/second?said=signed" }))
        }
        Err(failure) => {
            let wrong = Wrong { field: format!("sign-{}", form.id), ..Wrong::default() };
            refused(&console, &visitor, failure, wrong).await
        }
    }
}

async fn decline(State(console): State<Console>, visitor: Visitor, Form(form): Form<SignForm>) -> Page {
    let wrong =
        Wrong { field: format!("decline-{}", form.id), because: form.because.clone(), ..Wrong::default() };
    if form.because.trim().is_empty() {
        return refused(&console, &visitor, Failure::bad("Say why it is not signed."), wrong).await;
    }
    let body = json!({"id": form.id, "because": form.because.trim()});
    match ask::signed(&console, &visitor, "/v1/cosign/decline", body, &form.passphrase).await {
        Ok(done) => {
            console.week.forget();
            let withdrawn = done.get("withdrawn").and_then(Value::as_bool) == Some(true);
            Ok(see(if withdrawn { "/second?said=withdrawn" } else { "/second?said=declined" }))
        }
        Err(failure) => refused(&console, &visitor, failure, wrong).await,
    }
}
