//! Help desks' tokens over the admin API: made, listed, revoked; each step an act.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::rest::tokens::TokenError;

/// `ticket token new`, `ticket token revoke`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameRequest {
    /// The help desk's name.
    pub name: String,
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        match &error {
            TokenError::Name(_) | TokenError::Taken(_) | TokenError::Revoked(_) => {
                Self::bad(error.to_string())
            }
            TokenError::Unknown(_) => Self::missing(error.to_string()),
            TokenError::Home(_) | TokenError::Form(_) => Self::ours(&error),
        }
    }
}

pub(super) async fn make(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<NameRequest>,
) -> Answer<Json<Value>> {
    let name = request.name;
    let (desks, wanted) = (app.help_desks.clone(), name.clone());
    blocking(move || Ok(desks.check_new(&wanted)?)).await?;
    let change = json!({"change": "help-desk token made", "name": name});
    record(&app, act::kind::CONFIGURATION, viewer.looked(change)).await?;
    let now = app.desk.now().timestamp();
    let (desks, wanted) = (app.help_desks.clone(), name.clone());
    let token = blocking(move || Ok(desks.make(&wanted, now)?)).await?;
    let address = &app.practice.config.raw.tickets_listen;
    Ok(Json(json!({"name": name, "token": token, "tickets_listen": address})))
}

pub(super) async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<NameRequest>,
) -> Answer<Json<Value>> {
    let now = app.desk.now().timestamp();
    let (desks, name) = (app.help_desks.clone(), request.name.clone());
    // Revoked first: a token that is shut out too early harms nobody.
    blocking(move || Ok(desks.revoke(&name, now)?)).await?;
    let change = json!({"change": "help-desk token revoked", "name": request.name});
    record(&app, act::kind::CONFIGURATION, viewer.looked(change)).await?;
    Ok(Json(json!({"revoked": request.name})))
}

pub(super) async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let tokens = app.help_desks.list()?;
        let rows = tokens.into_iter().map(|(name, entry)| {
            json!({"name": name, "made": entry.made.to_string(), "revoked": entry.revoked.map(|at| at.to_string())})
        });
        Ok(Json(json!({"tokens": rows.collect::<Vec<_>>()})))
    })
    .await
}
