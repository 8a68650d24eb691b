//! A page asks the JSON API in-process, as whoever is signed in: one code for page, API and command.
//!
//! # Invariants
//! - AK-1: a page does nothing for somebody that the API would refuse them: the API's row of the table is asked first.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Console;
use super::shell::Visitor;
use super::table::{Row, api::API, may};
use crate::admin::Failure;

/// The largest answer that a page makes something of, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A GET of the API; `path` from `/v1/` on.
pub(super) async fn get<T: DeserializeOwned>(
    console: &Console,
    visitor: &Visitor,
    path: &str,
) -> Result<T, Failure> {
    read(send(console, visitor, Method::GET, path, None).await?)
}

/// A POST of the API in the visitor's name. Where it has a passphrase, there is room for few at once.
pub(super) async fn post(
    console: &Console,
    visitor: &Visitor,
    path: &str,
    body: Value,
) -> Result<Value, Failure> {
    let _room = match body.get("passphrase") {
        Some(_) => Some(console.passphrases.acquire().await),
        None => None,
    };
    send(console, visitor, Method::POST, path, Some(body)).await
}

/// [`post`] of what is signed: `by` is who is signed in, and the passphrase what they typed just now.
pub(super) async fn signed(
    console: &Console,
    visitor: &Visitor,
    path: &str,
    mut body: Value,
    passphrase: &str,
) -> Result<Value, Failure> {
    check_open(visitor, &Method::POST, path)?;
    if passphrase.is_empty() {
        return Err(Failure::unproved("Type your passphrase: it shows that it is you."));
    }
    if let Some(fields) = body.as_object_mut() {
        fields.insert("by".to_owned(), json!(visitor.person));
        fields.insert("passphrase".to_owned(), json!(passphrase));
    }
    post(console, visitor, path, body).await
}

/// What was answered, in the form that a page needs.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|error| Failure::ours(&error))
}

async fn send(
    console: &Console,
    visitor: &Visitor,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Failure> {
    check_open(visitor, &method, path)?;
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request =
        Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let mut request = request.body(Body::from(body)).map_err(|error| Failure::ours(&error))?;
    request.extensions_mut().insert(visitor.viewer());
    let response = match console.api.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes =
        to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.map_err(|error| Failure::ours(&error))?;
    let answer: Value = serde_json::from_slice(&bytes).map_err(|error| Failure::ours(&error))?;
    if status.is_success() {
        return Ok(answer);
    }
    let sentence = answer.get("error").and_then(Value::as_str).unwrap_or("the request was refused");
    Err(Failure::answered(status, for_a_page(status, sentence)))
}

/// INVARIANT AK-1.
fn check_open(visitor: &Visitor, method: &Method, path: &str) -> Result<(), Failure> {
    let is_open =
        |row: &Row| row.method == method.as_str() && may(row.who, &visitor.role) && is_of(row.path, path);
    if API.iter().any(is_open) {
        return Ok(());
    }
    Err(Failure::not_theirs("This is not open to your role."))
}

/// Whether a path is one of a row: `/api/v1/cosign/{id}` is that of `/v1/cosign/C-1?x=y`.
fn is_of(pattern: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let pattern = pattern.strip_prefix("/api").unwrap_or(pattern);
    let (wanted, given) = (pattern.split('/'), path.split('/'));
    wanted.clone().count() == given.clone().count()
        && wanted.zip(given).all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
}

/// The command line's sentence, where a page has something better to say.
fn for_a_page(status: StatusCode, sentence: &str) -> String {
    if status == StatusCode::UNAUTHORIZED && sentence.contains("give it at the prompt") {
        return "Type your passphrase: it shows that it is you.".to_owned();
    }
    if sentence.contains("--alone-because") {
        return "A second person puts a table in force with you: choose them, and let them type their passphrase. Or say why you do it alone; that is recorded.".to_owned();
    }
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn a_path_belongs_to_the_row_of_its_shape_and_to_no_other() {
        assert!(is_of("/api/v1/cosign/{id}", "/v1/cosign/C-1"));
        assert!(is_of("/api/v1/roster", "/v1/roster?format=csv"));
        for (row, path) in [
            ("/api/v1/cosign", "/v1/cosign/C-1"),
            ("/api/v1/cosign/{id}", "/v1/cosign"),
            ("/api/v1/roster", "/v1/policy"),
        ] {
            assert!(!is_of(row, path), "{row} {path}");
        }
    }
}
