//! Requests from help-desk systems: HTTPS with the practice's own certificate, a token, and two routes.
//!
//! A help desk may ask for a ticket and see how its own requests stand. There is no route that approves,
//! declines or closes anything, and none that reads what was recorded. What a help desk may send is described
//! in [`OPENAPI`], which it can fetch.
//!
//! # Invariants
//! - RS-1: nothing is read of a request before its token is known; no more than [`BODY_BYTES_MAX`] afterwards.
//! - RS-2: a request that is sent again under the same `external_id` is answered, not made again.

pub mod listener;
pub mod tokens;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ntk_evidence::act::kind::TICKET;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admin::tickets::{OPEN_MAX, body as act_body};
use crate::app::App;
use crate::desk::View;
use crate::ledger::LedgerError;
use crate::ticket::request::Fault;
use crate::ticket::step::TicketStep;
use crate::ticket::{Draft, Record, Via};
use tokens::Caller;

/// The largest request, bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The longest number of a help desk.
const EXTERNAL_ID_MAX: usize = 120;
/// What this endpoint takes and answers, as OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("rest/openapi.json");

/// What a help desk asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketRequest {
    /// The help desk's own number: sent again, it names the same request.
    pub external_id: String,
    /// Whom the ticket lets in.
    #[serde(rename = "for")]
    pub assignee: String,
    /// The one area it is for.
    pub class: String,
    /// Why.
    pub reason: String,
    /// Only what belongs to this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only what lies on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// From when; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many hours, where no end is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    /// `ticket`, `maintenance` or `on_call`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// The routes, by method and path as the description has them.
pub const ROUTES: &[(&str, &str)] =
    &[("post", "/v1/ticket-requests"), ("get", "/v1/ticket-requests/{id}"), ("get", "/openapi.json")];

/// All routes.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/ticket-requests", post(request))
        .route("/v1/ticket-requests/{id}", get(state))
        .route("/openapi.json", get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }))
        .fallback(|| async { Refused::Missing("there is no such address here; see /openapi.json".into()) })
        .method_not_allowed_fallback(|| async {
            Refused::Missing("this address does not take that; see /openapi.json".into())
        })
        .with_state(app)
}

/// Why a help desk's request was not taken.
#[derive(Debug)]
enum Refused {
    Token,
    Missing(String),
    Large,
    Faulty(Vec<String>),
    Often,
    Ours,
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        tracing::warn!(reason = %crate::error_chain(&error), "a help desk's request could not be answered");
        Self::Ours
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, sentence) = match self {
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "send `Authorization: Bearer TOKEN` with a token from `ntk-collector ticket token new`"
                    .to_owned(),
            ),
            Self::Missing(sentence) => (StatusCode::NOT_FOUND, sentence),
            Self::Large => {
                (StatusCode::PAYLOAD_TOO_LARGE, format!("a request has at most {BODY_BYTES_MAX} bytes"))
            }
            Self::Faulty(faults) => (StatusCode::UNPROCESSABLE_ENTITY, faults.join("; ")),
            Self::Often => (
                StatusCode::TOO_MANY_REQUESTS,
                format!("at most {} requests a minute; wait a minute", tokens::PER_MINUTE_MAX),
            ),
            Self::Ours => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the collector could not answer now; send the same request again in a minute".to_owned(),
            ),
        };
        let mut response = (status, Json(json!({"error": sentence}))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Refused> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|text| text.strip_prefix("Bearer ")).ok_or(Refused::Token)?;
    let (app, given) = (app.clone(), given.trim().to_owned());
    let now = app.desk.now().timestamp();
    let found = tokio::task::spawn_blocking(move || app.help_desks.caller(&given, now)).await;
    match found.map_err(|_| Refused::Ours)? {
        Ok(Some(caller)) if caller.is_within_rate => Ok(caller),
        Ok(Some(_)) => Err(Refused::Often),
        Ok(None) => Err(Refused::Token),
        Err(error) => {
            tracing::warn!(reason = %crate::error_chain(&error), "the help desks' tokens cannot be read");
            Err(Refused::Ours)
        }
    }
}

async fn request(State(app): State<App>, request: Request) -> Result<Response, Refused> {
    // INVARIANT RS-1.
    let caller = caller(&app, request.headers()).await?;
    let asked = read(request.into_body()).await?;
    app.desk
        .step(|view| {
            if let Some(record) = view.tickets.by_external_id(&caller.name, &asked.external_id) {
                // INVARIANT RS-2.
                return if is_same(record, &asked) {
                    Ok((Vec::new(), (StatusCode::OK, Json(answer(record, view))).into_response()))
                } else {
                    let wrong = "external_id: was used for another request; give this one its own";
                    Err(Refused::Faulty(vec![wrong.to_owned()]))
                };
            }
            room(view)?;
            let id = view.tickets.next_ticket();
            let request = asked
                .draft(&caller.name)
                .read(id.clone(), view.roster, view.policy.tickets(), Via::Rest, view.now)
                .map_err(|faults| Refused::Faulty(faults.iter().map(said).collect()))?;
            let created = json!({"id": id, "external_id": asked.external_id, "state": "requested"});
            let act = act_body(&TicketStep::Requested { ticket: request }).map_err(|_| Refused::Ours)?;
            Ok((vec![(TICKET, act)], (StatusCode::CREATED, Json(created)).into_response()))
        })
        .await
}

async fn state(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    let caller = caller(&app, &headers).await?;
    app.desk
        .step(|view| {
            let record = view.tickets.record(&id);
            // Another's request is as good as none: numbers say nothing to a stranger.
            let record = record.filter(|record| {
                record.request.via == Via::Rest && record.request.requested_by == caller.name
            });
            let record = record.ok_or_else(|| Refused::Missing(format!("you made no request `{id}`")))?;
            Ok((Vec::new(), Json(answer(record, view))))
        })
        .await
}

async fn read(body: Body) -> Result<TicketRequest, Refused> {
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Refused::Large)?;
    let asked: TicketRequest = serde_json::from_slice(&bytes)
        .map_err(|error| Refused::Faulty(vec![format!("the body is not a request: {error}")]))?;
    let id = &asked.external_id;
    if id.trim().is_empty() || id.chars().count() > EXTERNAL_ID_MAX || id.chars().any(char::is_control) {
        let wrong = format!("external_id: is not a number or name of 1 to {EXTERNAL_ID_MAX} letters");
        return Err(Refused::Faulty(vec![wrong]));
    }
    Ok(asked)
}

fn said(fault: &Fault) -> String {
    format!("{}: {}", fault.key, fault.wrong)
}

fn room(view: &View<'_>) -> Result<(), Refused> {
    let (terms, now) = (view.policy.tickets(), view.now.timestamp());
    let open = view.tickets.records().filter(|record| record.state(terms, now).is_open()).count();
    if open < OPEN_MAX { Ok(()) } else { Err(Refused::Often) }
}

fn answer(record: &Record, view: &View<'_>) -> Value {
    let state = record.state(view.policy.tickets(), view.now.timestamp());
    json!({"id": record.request.id, "external_id": record.request.external_id, "state": state})
}

/// Whether a request that came again says what the first one said. Times may be left to the collector, so
/// they are not compared.
fn is_same(record: &Record, asked: &TicketRequest) -> bool {
    use crate::ticket::Scope;
    let request = &record.request;
    let (owner, host) = match &request.scope {
        Scope::Everything => (None, None),
        Scope::Owner(owner) => (Some(owner.as_str()), None),
        Scope::Host(host) => (None, Some(host.as_str())),
    };
    request.assignee == asked.assignee
        && request.class.as_str() == asked.class
        && request.reason == asked.reason.trim()
        && owner == asked.owner.as_deref()
        && host == asked.host.as_deref()
}

impl TicketRequest {
    fn draft(&self, by: &str) -> Draft {
        Draft {
            assignee: self.assignee.clone(),
            class: self.class.clone(),
            owner: self.owner.clone(),
            host: self.host.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            hours: self.hours,
            reason: self.reason.clone(),
            kind: self.kind.clone(),
            by: Some(by.to_owned()),
            external_id: Some(self.external_id.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
