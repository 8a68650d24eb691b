//! `/live`: tells a page by server-sent events that something is new, so that it asks again; never what.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use ntk_evidence::hash::Hash;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Console;
use super::shell::Visitor;
use crate::app::App;

/// How often a page is told at most.
const TELL_EVERY: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/live", get(live))
}

async fn live(State(console): State<Console>, visitor: Visitor) -> Response {
    let Ok(place) = console.live.clone().try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let (tell, told) = mpsc::channel::<Result<Event, Infallible>>(1);
    tokio::spawn(async move {
        let _place = place;
        let mut sizes = console.app.ledger.sizes();
        let mut last = looked(&console.app).await;
        // The stream ends with its session, not at the next click.
        let is_signed_in = || console.app.sessions.find(&visitor.token, console.now(), false).is_some();
        while is_signed_in() {
            tokio::select! {
                changed = sizes.changed() => if changed.is_err() { return },
                () = tell.closed() => return,
                () = tokio::time::sleep(Duration::from_secs(60)) => continue,
            }
            let now = looked(&console.app).await;
            if now.is_some() && now != last {
                last = now;
                if tell.send(Ok(Event::default().event("new").data("findings"))).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    });
    Sse::new(ReceiverStream::new(told)).keep_alive(KeepAlive::default()).into_response()
}

async fn looked(app: &App) -> Option<Hash> {
    let app = app.clone();
    let read = tokio::task::spawn_blocking(move || {
        app.lookup.up_to_date().ok()?;
        state(&app)
    });
    read.await.ok().flatten()
}

/// A hash of every finding with its counts and steps; nothing where they cannot be read.
pub(super) fn state(app: &App) -> Option<Hash> {
    let records = app.lookup.store().findings().ok()?;
    let mut text = String::new();
    for record in records {
        let finding = &record.finding;
        text.push_str(&format!("{} {} {}\n", finding.id, finding.n_accesses, record.steps.len()));
    }
    Some(Hash::of(text.as_bytes()))
}
