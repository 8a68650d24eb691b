//! Acts on their way from one collector to another, signed: the database carries them, and cannot make them.

use ntk_evidence::event::Event;

use crate::ledger::LedgerError;
use crate::ledger::database::Refusal;
use crate::ledger::writer::Writer;

/// Acts that were signed longer ago are not taken: so long is remembered which ones were.
pub(super) const ACTS_SECONDS_MAX: i64 = 3600;

/// `signature 64 | text`: the log's origin, the request's id, the term, the time in seconds, the acts, a line each.
pub(super) fn signed_acts(
    writer: &Writer,
    id: &str,
    term: i64,
    at: i64,
    acts: &[Event],
) -> Result<Vec<u8>, LedgerError> {
    let acts = serde_json::to_string(acts).map_err(|source| LedgerError::Damaged {
        leaf: writer.core.state.range.size(),
        source: source.into(),
    })?;
    let text = format!("{}/waiting\n{id}\n{term}\n{at}\n{acts}\n", writer.core.state.slug().log_origin());
    let mut body = writer.core.keys.collector.raw(text.as_bytes()).to_vec();
    body.extend_from_slice(text.as_bytes());
    Ok(body)
}

/// When the acts were signed, and the acts.
pub(super) fn verified_acts(
    writer: &Writer,
    id: &str,
    term: i64,
    now: i64,
    body: &[u8],
) -> Result<(i64, Vec<Event>), Refusal> {
    let (signature, text) = body.split_first_chunk::<64>().ok_or(Refusal::Unsigned)?;
    if !writer.core.keys.collector.verifier().verify_bytes(text, signature) {
        return Err(Refusal::Unsigned);
    }
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Unsigned)?;
    let mut lines = text.split_terminator('\n');
    let mut line = || lines.next().ok_or(Refusal::Unsigned);
    let (origin, named, signed_term, at, acts) = (line()?, line()?, line()?, line()?, line()?);
    if origin != format!("{}/waiting", writer.core.state.slug().log_origin()) || named != id {
        return Err(Refusal::Unsigned);
    }
    let at: i64 = at.parse().map_err(|_| Refusal::Unsigned)?;
    if signed_term.parse() != Ok(term) || now.saturating_sub(at) > ACTS_SECONDS_MAX {
        return Err(Refusal::Term);
    }
    Ok((at, serde_json::from_str(acts).map_err(|_| Refusal::Unsigned)?))
}
