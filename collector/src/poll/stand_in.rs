//! A stand-in for Microsoft's servers: tokens that end, pages, throttling and refusals, as their documentation has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, RawForm, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

/// How it behaves, and what it was asked.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// Records of each content, by id; each id holds a list.
    pub(super) content: BTreeMap<String, (String, Vec<Value>)>,
    /// Sign-ins and directory audits; none where the tenant has no licence.
    pub(super) graph: Option<(Vec<Value>, Vec<Value>)>,
    /// Rights of applications: principal, name, role.
    pub(super) rights: Vec<(String, String, String)>,
    /// Requests to answer with 429 first.
    pub(super) throttle: u32,
    /// Seconds that it then asks to wait.
    pub(super) wait: u64,
    /// After so many requests a token has ended; 0 for never.
    pub(super) token_uses: u32,
    pub(super) used: u32,
    /// A next page at another server.
    pub(super) leads_away: bool,
    /// Secret that is right.
    pub(super) secret: String,
    /// What was asked, method and path.
    pub(super) asked: Vec<String>,
    pub(super) tokens: u32,
    pub(super) subscribed: Vec<String>,
}

type Shared = Arc<Mutex<Manner>>;

/// The server, on a free port of this machine; its address.
pub(super) async fn start(manner: Shared) -> String {
    let app = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/api/v1.0/{tenant}/activity/feed/subscriptions/start", post(subscribe))
        .route("/api/v1.0/{tenant}/activity/feed/subscriptions/content", get(list))
        .route("/api/v1.0/{tenant}/activity/feed/audit/{id}", get(content))
        .route("/v1.0/auditLogs/{list}", get(audit_logs))
        .route("/v1.0/servicePrincipals", get(principals))
        .route("/v1.0/servicePrincipals/{id}", get(principal))
        .route("/v1.0/servicePrincipals/{id}/appRoleAssignedTo", get(assigned))
        .route("/v1.0/oauth2PermissionGrants", get(grants))
        .with_state(manner);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}}).to_string();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn token(State(shared): State<Shared>, RawForm(form): RawForm) -> Response {
    let form = String::from_utf8(form.to_vec()).unwrap();
    let mut manner = shared.lock().unwrap();
    manner.asked.push("token".into());
    if !form.contains(&format!("client_secret={}&", manner.secret))
        || !form.contains("grant_type=client_credentials")
    {
        let body = json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\nTrace ID: 7"});
        return (StatusCode::UNAUTHORIZED, body.to_string()).into_response();
    }
    manner.tokens += 1;
    manner.used = 0;
    let token = format!("token-{}", manner.tokens);
    json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}).to_string().into_response()
}

/// Refuses who has no token or an old one, and lets some wait.
fn let_in(manner: &mut Manner, headers: &HeaderMap, what: String) -> Option<Response> {
    manner.asked.push(what);
    let bearer = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number: u32 = bearer.strip_prefix("Bearer token-").and_then(|n| n.parse().ok()).unwrap_or(0);
    manner.used += 1;
    if number != manner.tokens || (manner.token_uses > 0 && manner.used > manner.token_uses) {
        return Some(refusal(401, "AF10001", "The access token has expired."));
    }
    if manner.throttle > 0 {
        manner.throttle -= 1;
        let mut answer = refusal(429, "AF429", "Too many requests.");
        answer.headers_mut().insert("retry-after", manner.wait.into());
        return Some(answer);
    }
    None
}

async fn subscribe(
    State(shared): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut manner = shared.lock().unwrap();
    let content = query["contentType"].clone();
    if let Some(no) = let_in(&mut manner, &headers, format!("subscribe {content}")) {
        return no;
    }
    if manner.subscribed.contains(&content) {
        return refusal(400, "AF20024", "The subscription is already enabled. No property change.");
    }
    manner.subscribed.push(content);
    json!({"status": "enabled"}).to_string().into_response()
}

/// One content a page, so that each list has several.
async fn list(
    State(shared): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut manner = shared.lock().unwrap();
    let wanted = query["contentType"].clone();
    if let Some(no) = let_in(&mut manner, &headers, format!("list {wanted}")) {
        return no;
    }
    if !manner.subscribed.contains(&wanted) {
        return refusal(400, "AF20022", "No subscription found for the specified content type.");
    }
    let span = (&query["startTime"], &query["endTime"]);
    let times: Vec<jiff::civil::DateTime> =
        [span.0, span.1].iter().map(|text| text.parse().unwrap()).collect();
    if times[1].duration_since(times[0]) > jiff::SignedDuration::from_hours(24) {
        return refusal(
            400,
            "AF20030",
            "Start time and end time must both be specified and must be less than or equal to 24 hours apart.",
        );
    }
    let host = headers["host"].to_str().unwrap().to_owned();
    let in_span = |records: &Vec<Value>| {
        records.iter().any(|record| {
            let made: jiff::civil::DateTime = record["CreationTime"].as_str().unwrap().parse().unwrap();
            made >= times[0] && made < times[1]
        })
    };
    let of_type = manner.content.iter().filter(|(_, (kind, records))| *kind == wanted && in_span(records));
    let ids: Vec<String> = of_type.map(|(id, _)| id.clone()).collect();
    let page: usize = query.get("nextPage").and_then(|n| n.parse().ok()).unwrap_or(0);
    let rows: Vec<Value> = ids
        .get(page)
        .into_iter()
        .map(|id| {
            json!({
                "contentType": wanted, "contentId": id, "contentCreated": "2026-11-28T09:00:00.000Z",
                "contentUri": format!("http://{host}/api/v1.0/t/activity/feed/audit/{id}"),
            })
        })
        .collect();
    let mut answer = Value::Array(rows).to_string().into_response();
    if page + 1 < ids.len() {
        let away = if manner.leads_away { "elsewhere.example".to_owned() } else { host };
        let next = format!(
            "http://{away}/api/v1.0/t/activity/feed/subscriptions/content?contentType={wanted}&startTime={}&endTime={}&nextPage={}",
            span.0,
            span.1,
            page + 1
        );
        answer.headers_mut().insert("nextpageuri", next.parse().unwrap());
    }
    answer
}

async fn content(
    State(shared): State<Shared>,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let mut manner = shared.lock().unwrap();
    if let Some(no) = let_in(&mut manner, &headers, format!("content {id}")) {
        return no;
    }
    match manner.content.get(&id) {
        Some((_, records)) => Value::Array(records.clone()).to_string().into_response(),
        None => refusal(400, "AF20051", "Content requested has already expired."),
    }
}

async fn audit_logs(
    State(shared): State<Shared>,
    Path(list): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut manner = shared.lock().unwrap();
    if let Some(no) = let_in(&mut manner, &headers, format!("graph {list}")) {
        return no;
    }
    let Some((sign_ins, audits)) = &manner.graph else {
        return refusal(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        );
    };
    let all = if list == "signIns" { sign_ins } else { audits };
    let page: usize = query.get("$skiptoken").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = json!({"value": all.get(page).into_iter().collect::<Vec<_>>()});
    if page + 1 < all.len() {
        let host = headers["host"].to_str().unwrap();
        body["@odata.nextLink"] =
            format!("http://{host}/v1.0/auditLogs/{list}?$skiptoken={}", page + 1).into();
    }
    body.to_string().into_response()
}

async fn principals(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let mut manner = shared.lock().unwrap();
    if let Some(no) = let_in(&mut manner, &headers, "principals".into()) {
        return no;
    }
    let roles: Vec<Value> = ["Mail.Read", "User.Read.All", "full_access_as_app"]
        .iter()
        .map(|name| json!({"id": format!("role-{name}"), "value": name}))
        .collect();
    json!({"value": [{"id": "graph", "appId": "g", "appRoles": roles}]}).to_string().into_response()
}

async fn principal(Path(id): Path<String>) -> Response {
    json!({"displayName": format!("App {id}"), "appId": id}).to_string().into_response()
}

async fn assigned(State(shared): State<Shared>) -> Response {
    let manner = shared.lock().unwrap();
    let rows: Vec<Value> = manner
        .rights
        .iter()
        .map(|(id, name, role)| json!({"principalId": id, "principalDisplayName": name, "appRoleId": format!("role-{role}")}))
        .collect();
    json!({"value": rows}).to_string().into_response()
}

async fn grants() -> Response {
    json!({"value": [{"clientId": "c-9", "consentType": "AllPrincipals", "scope": "User.Read Mail.ReadWrite"}]})
        .to_string()
        .into_response()
}
