//! The certificate of the agents' and help desks' listeners: renewed by itself, at a start and while running.
//!
//! The new one is durable before anybody is shown it. Listeners take it over from the channel; streams of agents that
//! were opened under the old one end, and are opened again within a second.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::app::App;
use crate::authority::Credentials;
use crate::practice::PracticeError;
use crate::turns::every;

/// How often its end is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// The one in force, renewed if that is due.
pub async fn at_start(app: &App) -> Result<watch::Sender<Arc<Credentials>>, PracticeError> {
    let renewed = app.practice.renew_server(app.ledger.clock().now())?;
    if let Some(renewed) = &renewed {
        tell(app, renewed).await;
    }
    let server = renewed.map_or_else(|| app.practice.server(), Ok)?;
    Ok(watch::Sender::new(Arc::new(server)))
}

/// Renews it whenever that is due, until stopped.
pub async fn run(app: App, server: watch::Sender<Arc<Credentials>>, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let looking = app.clone();
        let looked =
            tokio::task::spawn_blocking(move || looking.practice.renew_server(looking.ledger.clock().now()));
        match looked.await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(renewed))) => {
                tell(&app, &renewed).await;
                server.send_replace(Arc::new(renewed));
            }
            Ok(Err(failure)) => {
                error!(reason = %crate::error_chain(&failure), "the listener's certificate could not be renewed");
            }
            Err(panic) => error!(reason = %panic, "the listener's certificate could not be looked at"),
        }
    }
}

async fn tell(app: &App, renewed: &Credentials) {
    let sha256 =
        CertificateDer::from_pem_slice(renewed.certificate.as_bytes()).map(|der| Hash::of(&der).to_hex());
    info!("the listener's certificate was renewed");
    let body = json!({"author": "collector", "certificate": sha256.unwrap_or_default()});
    let event = act::event(act::kind::CERTIFICATE, app.ledger.now(), body);
    if let Err(failure) = app.ledger.act(vec![event]).await {
        warn!(reason = %crate::error_chain(&failure), "that a certificate was renewed is not in the ledger");
    }
}
