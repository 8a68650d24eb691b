//! What a ledger that was put back lacks, in sentences: for the act, the review and whoever restores. Pure.

use serde_json::{Value, json};

use super::copied::Copied;
use crate::ledger::state::LedgerState;
use crate::off_site::settings::Settings;
use crate::refill::filling::Filling;
use crate::refill::source::{Kind, Source};
use crate::report::text::count;

/// What is known before packages are taken in.
pub(super) fn before(
    copied: &Copied,
    packages: &[Source],
    state: &LedgerState,
    settings: &Settings,
) -> Vec<String> {
    let size = copied.checkpoint.size;
    let mut said = vec![format!(
        "The copy of {} holds the ledger up to its {}. Whatever the lost collector wrote or acknowledged later is void: decisions, tickets, sign-offs, findings and enrolments of that time among it.",
        copied.list.written,
        count(size, "batch", "batches"),
    )];
    let remembered = remembered(packages).filter(|(remembered, _)| *remembered > size);
    if let Some((remembered, _)) = remembered {
        said.push(format!(
            "Computers remember the lost log with at least {} more.",
            count(remembered.saturating_sub(size), "batch", "batches")
        ));
    }
    for author in packages.iter().filter_map(author) {
        if !state.authors.contains_key(author) {
            said.push(format!(
                "{} was enrolled after the copy was made: enrol it again in its own place.",
                author.machine().unwrap_or_default()
            ));
        }
    }
    said.push(
        "Computers that run send again what they still hold behind the copy's end; what one of them no longer holds is told when it connects."
            .to_owned(),
    );
    said.push(format!(
        "Passphrases, second factors and passwords for mail are those of {}: what was changed later is gone.",
        settings.made
    ));
    said
}

/// What packages brought, and what they say is gone.
pub(super) fn after(filling: &Filling, packages: &[Source]) -> Vec<String> {
    let mut said = Vec::new();
    for (author, log) in &filling.logs {
        let name = author.machine().unwrap_or_default();
        let first = filling.begins.get(author).copied().unwrap_or_default();
        if log.size() > first {
            said.push(format!(
                "Of {name}, entries {first} to {} came back from what it had put away.",
                log.size().saturating_sub(1)
            ));
        }
        let acknowledged = packages.iter().filter_map(|package| match &package.kind {
            Kind::Package(package) if package.author == *author => {
                package.receipt.as_ref().map(|receipt| receipt.size)
            }
            _ => None,
        });
        if let Some(acknowledged) = acknowledged.max().filter(|acknowledged| *acknowledged > log.size()) {
            said.push(format!(
                "Of {name}, the lost collector had acknowledged entries {} to {}; they are not in its package.",
                log.size(),
                acknowledged.saturating_sub(1)
            ));
        }
    }
    said
}

/// Checkpoints of the lost log beyond where it was closed: evidence of what it held, whoever asks later.
pub(super) fn beyond(packages: &[Source], size: u64) -> Vec<Value> {
    let seen = packages.iter().filter_map(|package| match &package.kind {
        Kind::Package(package) => package.seen.as_ref().map(|seen| (&package.author, seen)),
        Kind::OldLedger => None,
    });
    let beyond = seen.filter(|(_, (checkpoint, _))| checkpoint.size > size);
    beyond.map(|(author, (_, note))| json!({"by": author.to_string(), "checkpoint": note})).collect()
}

fn remembered(packages: &[Source]) -> Option<(u64, &str)> {
    let seen = packages.iter().filter_map(|package| match &package.kind {
        Kind::Package(package) => package.seen.as_ref(),
        Kind::OldLedger => None,
    });
    seen.map(|(checkpoint, note)| (checkpoint.size, note.as_str())).max()
}

fn author(source: &Source) -> Option<&ntk_evidence::name::Author> {
    match &source.kind {
        Kind::Package(package) => Some(&package.author),
        Kind::OldLedger => None,
    }
}
