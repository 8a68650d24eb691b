//! `/v1/enroll`: machines that record, offers to more of them, and the end of one.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use ntk_evidence::name::Author;
use serde_json::{Value, json};

use super::api::Api;
use super::requests::{self, NewEnrolment, RevokeRequest};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::ledger::registry::Offer;
use crate::machine::{Standing, standings};
use crate::reviewer::Proof;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/enroll", "Machines that record, how each stands, and offers that are open", list)
        .post("/v1/enroll", "Offer a machine a place: the token is shown once", enroll)
        .post("/v1/enroll/revoke", "Shut a machine out", revoke)
}

/// How every machine stands.
pub(crate) async fn all(app: &App) -> Answer<Vec<Standing>> {
    let app = app.clone();
    blocking(move || {
        let streams = app.liveness.streams();
        let now = app.desk.now().timestamp();
        Ok(standings(&app.lookup, &app.ledger.published(), &streams, &app.trust.now().0, now)?)
    })
    .await
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let standings = all(&app).await?;
    let published = app.ledger.published();
    let streams = app.liveness.streams();
    let machines: Vec<Value> = published
        .registry
        .machines
        .iter()
        .map(|(author, machine)| {
            let known = Author::parse(author).ok().and_then(|author| published.authors.get(&author));
            let (size, epoch) = known.map_or((0, 0), |known| (known.log.size(), known.log.epoch()));
            let standing = standings.iter().find(|standing| standing.author == *author);
            json!({"author": author, "machine": machine, "entries": size, "epoch": epoch, "stream": streams.get(author),
                   "standing": standing})
        })
        .collect();
    let offers: Vec<Value> = published
        .registry
        .offers
        .values()
        .map(|offer| json!({"machine": offer.machine, "expires": offer.expires, "notice": offer.notice, "replaces": offer.replaces}))
        .collect();
    Ok(Json(json!({"machines": machines, "offers": offers})))
}

/// An offer that was made.
pub(crate) struct Offered {
    /// The token: it is nowhere else.
    pub(crate) token: String,
    /// What the ledger keeps of it.
    pub(crate) offer: Offer,
}

/// Offers a machine a place.
pub(crate) async fn offer(app: &App, viewer: &Viewer, request: &NewEnrolment) -> Answer<Offered> {
    let made = requests::offer(app, request)?;
    let body = serde_json::to_value(&made.body).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::ENROLMENT_OFFERED, viewer.looked(body)).await?;
    Ok(Offered { token: made.token, offer: made.body })
}

async fn enroll(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<NewEnrolment>,
) -> Answer<Json<Value>> {
    let Offered { token, offer } = offer(&app, &viewer, &request).await?;
    let author = offer.author().map(|author| author.to_string());
    Ok(Json(json!({"token": token, "machine": request.machine, "author": author, "expires": offer.expires})))
}

/// Takes nothing more from a machine; `proof` where whoever does it has shown who they are.
pub(crate) async fn shut_out(
    app: &App,
    viewer: &Viewer,
    request: &RevokeRequest,
    proof: Option<Proof>,
) -> Answer<()> {
    let registry = app.ledger.published().registry;
    let newest = registry.newest(&request.machine);
    let author = newest.as_ref().map(|(author, _)| author.to_string()).unwrap_or_default();
    match newest.map(|(_, machine)| machine) {
        None => {
            return Err(Failure::missing(format!(
                "there is no machine `{}`; see `ntk-collector enroll list`",
                request.machine
            )));
        }
        Some(machine) if machine.revoked.is_some() => {
            return Err(Failure::bad(format!("`{}` was revoked already", request.machine)));
        }
        Some(_) => {}
    }
    let mut body = viewer.looked(json!({"author": author, "reason": request.reason}));
    if let (Some(proof), Some(fields)) = (proof, body.as_object_mut()) {
        fields.insert("proof".into(), json!(proof.how()));
    }
    record(app, act::kind::REVOCATION, body).await?;
    Ok(())
}

async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<RevokeRequest>,
) -> Answer<Json<Value>> {
    shut_out(&app, &viewer, &request, None).await?;
    Ok(Json(json!({"revoked": request.machine})))
}
