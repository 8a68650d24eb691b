//! What a machine says that cannot send what this collector lost, because it put it away for the recovery key: once an act.

use ntk_evidence::act;
use ntk_evidence::author_log::AuthorLog;
use serde_json::json;
use tonic::Status;
use tracing::warn;

use super::counted;
use super::session::{Shared, act};

/// A machine no longer holds what this collector lost: told once, until another copy is put back.
pub(super) async fn told(shared: &Shared, log: &AuthorLog, numbers: &str) -> Result<(), Status> {
    let author = log.author().to_string();
    let numbers = numbers.split_once(' ').and_then(|(first, last)| {
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        (first == log.size() && last >= first).then_some((first, last))
    });
    let (first, last) = numbers.ok_or_else(|| {
        counted(shared, "bad_message", Status::invalid_argument("which entries are missing is not said"))
    })?;
    let registry = shared.ledger.published().registry;
    if registry.restored.is_empty() || registry.short.contains(&author) {
        return Ok(());
    }
    warn!(agent = %author, first, last, "the agent no longer holds what this collector lost");
    let body = json!({"step": "short", "author": author, "first": first, "last": last});
    act(shared, act::kind::RESTORED, body).await
}
