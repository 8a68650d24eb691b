//! The console's start: listener, certificate, and the link with which the first manager sets up the practice.
//!
//! What goes wrong here stops no agent: the collector runs on without a console and says so.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::listener::{self, ConsoleError};
use super::{Console, router};
use crate::account::{AccountError, LINK_HOLDS};
use crate::admin::blocking;
use crate::admin::{Answer, Failure};
use crate::app::App;
use crate::config::console::ConsoleAt;
use crate::home::{Home, HomeError, write_file};
use ntk_evidence::act;
use serde_json::json;

/// Starts the console where the configuration has one.
pub async fn start(app: &App, stop: &CancellationToken) -> Option<JoinHandle<()>> {
    let at = app.practice.config.console.as_ref()?;
    match begin(app, at, stop).await {
        Ok(serving) => Some(serving),
        Err(failure) => {
            error!(reason = %crate::error_chain(&failure), "the collector runs without its console");
            None
        }
    }
}

async fn begin(app: &App, at: &ConsoleAt, stop: &CancellationToken) -> Result<JoinHandle<()>, ConsoleError> {
    let (tls, is_ordinary) = listener::tls(app, at)?;
    let listener = listener::bind(at).await?;
    let bound = listener.local_addr().map(|bound| bound.to_string()).unwrap_or_default();
    let console = Console::new(app.clone(), &at.origin);
    info!(listen = %bound, address = %at.origin, "the console is open");
    if !is_ordinary {
        info!(
            "the console's certificate is of the practice's own authority, so browsers ask once; for an ordinary one set `certificate` and `key` in [console]"
        );
    }
    let serving = tokio::spawn(listener::serve(listener, tls, router(console), stop.clone()));
    if is_handed_over(&app.practice.home) {
        return Ok(serving);
    }
    // To the terminal or journal of whoever starts it, not into the log: it opens the practice, once.
    match set_up_link(app, &at.origin).await {
        Ok(Some(link)) => println!(
            "Nobody is a manager yet. Open this once, within {} hours, to set up the console:\n{link}",
            LINK_HOLDS.as_hours()
        ),
        Ok(None) => {}
        Err(failure) => error!(reason = %failure.into_parts().1, "no set-up link could be made"),
    }
    Ok(serving)
}

/// A new set-up link in place of any before; none once somebody is a manager.
pub async fn set_up_link(app: &App, origin: &str) -> Answer<Option<String>> {
    let (reading, now) = (app.clone(), app.desk.now().timestamp());
    let made = blocking(move || match reading.accounts.set_up_link(now) {
        Ok(token) => Ok(Some(token)),
        Err(AccountError::SetUp) => Ok(None),
        Err(error) => Err(Failure::from(error)),
    });
    let Some(token) = made.await? else { return Ok(None) };
    crate::admin::record(app, act::kind::ACCOUNT, json!({"step": "link_made", "for": "set-up"})).await?;
    Ok(Some(format!("{origin}/set-up/{token}")))
}

/// Name of the file under `private/` that says so.
const HANDED_OVER: &str = "set-up-link-handed-over";

/// Notes that somebody already has the set-up link, so that the collector's next start makes no other in its place.
pub fn hand_over(home: &Home) -> Result<(), HomeError> {
    write_file(&home.private(HANDED_OVER), b"", 0o600)
}

/// Whether somebody has it: said once, so that a later start prints another one for whoever lost it.
fn is_handed_over(home: &Home) -> bool {
    std::fs::remove_file(home.private(HANDED_OVER)).is_ok()
}
