//! What stands in the description, and that refusals of others read like ours.

use expect_test::expect_file;
use serde_json::Value;

use crate::admin::api;

fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn a_changed_api_is_seen_in_review() {
    expect_file!["listing.txt"].assert_eq(&api().listing());
}

#[test]
fn the_document_has_every_route_once_and_says_what_it_does() {
    let document = api().document();
    let described = operations(&document);
    assert_eq!(described.len(), api().operations().len());
    let mut ids: Vec<_> = described.iter().map(|(_, operation)| operation["operationId"].clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), described.len());
    for (name, operation) in described {
        let summary = operation["summary"].as_str().unwrap();
        assert!(summary.len() > 10 && !summary.ends_with('.'), "{name}: {summary}");
        for status in ["200", "400", "401", "403", "404", "503"] {
            assert!(operation["responses"][status].is_object(), "{name} does not say {status}");
        }
    }
}

#[test]
fn a_body_names_each_field_and_says_that_others_are_refused() {
    for (name, operation) in operations(&api().document()) {
        let Some(body) = operation.get("requestBody") else { continue };
        let schema = &body["content"]["application/json"]["schema"];
        assert_eq!(schema["type"], "object", "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}: unknown fields are to be refused");
        assert!(schema["properties"].as_object().is_some_and(|fields| !fields.is_empty()), "{name}");
    }
}

#[test]
fn forms_and_bounds_stand_in_the_document() {
    let document = api().document();
    let field = |path: &str, name: &str| {
        let pointer = format!(
            "/paths/{}/post/requestBody/content/application~1json/schema/properties/{name}",
            path.replace('/', "~1")
        );
        document.pointer(&pointer).unwrap_or_else(|| panic!("{pointer}")).clone()
    };
    assert_eq!(field("/v1/report", "week")["pattern"], "^[0-9]{4}-W[0-9]{2}$");
    assert_eq!(field("/v1/enroll", "expires_seconds")["maximum"], 604_800);
    assert_eq!(field("/v1/export", "from")["format"], "date-time");
    assert_eq!(field("/v1/leave", "on")["format"], "date");
    assert_eq!(field("/v1/hold", "case")["pattern"], "^[A-Za-z0-9_-]{1,64}$");
    assert_eq!(field("/v1/tickets/approve", "passphrase")["format"], "password");
}

#[tokio::test]
async fn what_refuses_before_any_function_of_ours_says_so_as_json() {
    use axum::body::{Body, to_bytes};
    use axum::response::Response;

    let plain = |status: u16, body: &'static str| {
        Response::builder().status(status).header("allow", "POST").body(Body::from(body)).unwrap()
    };
    for (status, body, error) in [
        (422, "missing field `case`", "missing field `case`"),
        (415, "", "Unsupported Media Type"),
        (500, "", "Internal Server Error"),
    ] {
        let answer = crate::admin::in_a_sentence(plain(status, body)).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["allow"], "POST");
        let said = to_bytes(answer.into_body(), 1000).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&said).unwrap(), serde_json::json!({"error": error}));
    }
    let answer = crate::admin::in_a_sentence(plain(200, "# HELP")).await;
    assert_eq!(to_bytes(answer.into_body(), 1000).await.unwrap(), "# HELP");
}
