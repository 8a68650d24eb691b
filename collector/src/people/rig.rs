//! A practice with people who have passphrases, findings about the firm and about the manager, and the public pages.

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::desk::rig::Rig;

/// Passphrases of the two who sign.
pub(crate) const MARYS: &str = "correct horse battery";
pub(crate) const CHENS: &str = "staple of the morning";

/// A practice in which `mary` and `drchen` have passphrases, with one finding about `northwind` and one about `mary`.
pub(crate) async fn practice() -> Rig {
    let rig = Rig::start().await;
    for (person, new) in [("mary", MARYS), ("drchen", CHENS)] {
        let (status, body) =
            rig.post("/v1/reviewers/passphrase", json!({"person": person, "new": new})).await;
        assert_eq!(status, 200, "{body}");
    }
    rig.entries("ws-01", &[read("itadmin1", 1001, "manager"), read("mlopez", 1002, "bea")]).await;
    rig
}

fn read(user: &str, uid: u32, owner: &str) -> String {
    format!(
        r#"{{"kind":"file_access","time":"2026-11-26T02:03:00Z","outcome":"success","actor":{{"login_uid":{uid},"login_user":"{user}","session":{uid},"confidence":"kernel"}},"action":"read","object":{{"class":"mailbox","owner":"{owner}","path":"/var/mail/{owner}/1"}},"source":{{"sensor":"linux-audit"}}}}"#
    )
}

/// The practice with `drchen` as second reviewer.
pub(crate) async fn with_second() -> Rig {
    let rig = practice().await;
    let (status, body) = rig.post("/v1/second-reviewer", mary(json!({"person": "drchen"}))).await;
    assert_eq!(status, 200, "{body}");
    rig
}

/// A request in Mary's name.
pub(crate) fn mary(body: Value) -> Value {
    signed(body, "mary", MARYS)
}

/// A request in Dr. Chen's name.
pub(crate) fn chen(body: Value) -> Value {
    signed(body, "drchen", CHENS)
}

/// A request in somebody's name.
pub(crate) fn signed(mut body: Value, by: &str, passphrase: &str) -> Value {
    body["by"] = json!(by);
    body["passphrase"] = json!(passphrase);
    body
}

/// Id of the finding about a person.
pub(crate) async fn finding_about(rig: &Rig, person: &str) -> String {
    let (_, body) = rig.get("/v1/findings").await;
    let all = body["incidents"].as_array().unwrap();
    let found = all.iter().find(|incident| incident["person"] == person);
    found.unwrap_or_else(|| panic!("a finding about {person} in {body}"))["id"].as_str().unwrap().to_owned()
}

/// A GET of a public page: status and text.
pub(crate) async fn page(rig: &Rig, path: &str) -> (u16, String) {
    read_page(web(rig, Request::get(path).body(Body::empty()).unwrap()).await).await
}

/// A form that is sent to a public page: status and text.
pub(crate) async fn form(rig: &Rig, path: &str, fields: &str) -> (u16, String) {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    read_page(web(rig, request.body(Body::from(fields.to_owned())).unwrap()).await).await
}

/// The answer of the public pages.
pub(crate) async fn web(rig: &Rig, request: Request<Body>) -> Response<Body> {
    crate::question::public::routes(rig.app().clone()).oneshot(request).await.unwrap()
}

async fn read_page(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

/// Every act of a kind, in order.
pub(crate) async fn acts(rig: &Rig, kind: &str) -> Vec<Value> {
    let app = rig.app().clone();
    let kind = kind.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        app.lookup
            .events(0, i64::MAX, |seen| {
                if seen.event.kind.as_str() == kind {
                    found.push(ntk_evidence::act::body(seen.event).cloned().unwrap());
                }
            })
            .unwrap();
        found
    })
    .await
    .unwrap()
}
