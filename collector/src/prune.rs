//! Retention: agents' entries that are old enough are taken out of finished segments; notes of every batch, leaf hashes
//! and the collector's whole acts stay, so that the log, old checkpoints and old bundles stay checkable.
//!
//! A segment is due when it is finished and every batch of an agent in it was received before the limit; one whose time
//! a hold covers is left. For each: the new form is written and read back, the act PRUNED with both hashes is made
//! durable, and only then the new form takes the place of the old. A crash before the act leaves the old form, one after
//! it either; the next run makes the same bytes and finishes. Roll-overs of keys stay whole: later bundles need them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use ntk_evidence::author_log::SealedBatch;
use ntk_evidence::epoch::is_roll_over;
use ntk_evidence::hash::{Hash, hex};
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_segment::frame::{Batch, Frame};
use ntk_segment::pointer::{Pointer, SegmentNumber};
use ntk_segment::reader::Reader;
use ntk_segment::verify::PrunedSegment;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::app::App;
use crate::hold::Holds;
use crate::ledger::{LedgerError, LedgerHandle, from_frame};
use crate::turns::every;

/// How often retention is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What the act says of one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its bytes before, hex.
    pub was: String,
    /// SHA-256 of its bytes after, hex.
    pub is: String,
    /// When its first batch was received, RFC 3339.
    pub from: String,
    /// When its last batch was received, RFC 3339.
    pub to: String,
    /// Whose entries, from which number to before which.
    pub authors: Vec<Span>,
}

/// Entries `[first, size)` of an author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The author.
    pub author: String,
    /// First number.
    pub first: u64,
    /// Number after the last.
    pub size: u64,
}

impl Segment {
    /// Whether this act speaks of what was found on disk.
    pub fn is_of(&self, found: &PrunedSegment) -> bool {
        self.number == found.segment.value() && self.was == hex(&found.was) && self.is == hex(&found.is)
    }
}

/// The segments that the acts of a batch say were pruned.
pub fn segments_of(batch: &SealedBatch) -> Vec<Segment> {
    if batch.author != Author::Collector {
        return Vec::new();
    }
    let acts = batch.numbered().filter_map(|(_, entry)| entry.event().ok());
    let pruned = acts.filter(|event| event.kind.as_str() == act::kind::PRUNED);
    let segments = pruned.filter_map(|event| act::body(&event)?.get("segments").cloned());
    segments.filter_map(|list| serde_json::from_value::<Vec<Segment>>(list).ok()).flatten().collect()
}

/// What a run found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The limit: what was received before it is old enough, RFC 3339.
    pub before: String,
    /// Segments whose entries are removed now, or would be.
    pub removed: Vec<u64>,
    /// Segments that are old enough and under a hold: segment and holds.
    pub held: Vec<(u64, Vec<String>)>,
    /// Finished segments that are not old enough.
    pub young: u64,
    /// Segments that were pruned before.
    pub before_this: u64,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// One look at a segment.
struct Look {
    newest_agent_ns: Option<i64>,
    oldest_ns: i64,
    newest_ns: i64,
    spans: BTreeMap<String, (u64, u64)>,
}

/// Removes what is old enough, or says what it would.
pub fn prune(
    ledger: &LedgerHandle,
    raw_months: u32,
    dry_run: bool,
    mut tell: impl FnMut(u64, u64),
) -> Result<Outcome, LedgerError> {
    let now = ledger.clock().now();
    let at = Timestamp::from_nanosecond(i128::from(now.unix_nanos())).unwrap_or(Timestamp::UNIX_EPOCH);
    let zoned = at.to_zoned(jiff::tz::TimeZone::UTC);
    let limit = zoned
        .checked_sub(i64::from(raw_months).months())
        .map_or(Timestamp::UNIX_EPOCH, |limit| limit.timestamp());
    let limit_ns = i64::try_from(limit.as_nanosecond()).unwrap_or(0);
    let mut outcome = Outcome { before: limit.to_string(), dry_run, ..Outcome::default() };
    let reader = ledger.reader();
    if !dry_run && last_is_due(&reader, limit_ns)? {
        // A small practice may not fill a segment within its retention.
        ledger.finish_segment_blocking()?;
    }
    let last = reader.committed_end().segment;
    let segments: Vec<SegmentNumber> = reader
        .segments()?
        .iter()
        .map(|segment| segment.number)
        .filter(|number| *number < last || dry_run)
        .collect();
    let total = u64::try_from(segments.len()).unwrap_or(u64::MAX);
    for (done, segment) in (0u64..).zip(segments) {
        tell(done, total);
        if ledger.pruner().is_pruned(segment)? {
            if !dry_run {
                // An earlier run may have ended in between.
                ledger.share_pruned(segment)?;
            }
            outcome.before_this = outcome.before_this.saturating_add(1);
            continue;
        }
        let look = look(&reader, segment)?;
        match look.newest_agent_ns {
            // Nothing of an agent: nothing to remove.
            None => continue,
            Some(newest) if newest >= limit_ns => {
                outcome.young = outcome.young.saturating_add(1);
                continue;
            }
            Some(_) => {}
        }
        let held = holds_of(&ledger.published().registry.holds, &look);
        if !held.is_empty() {
            outcome.held.push((segment.value(), held));
            continue;
        }
        if !dry_run {
            remove(ledger, segment, &look)?;
        }
        outcome.removed.push(segment.value());
    }
    tell(total, total);
    Ok(outcome)
}

/// Whether everything of agents in the segment that is written now is old enough.
fn last_is_due(reader: &Reader, limit_ns: i64) -> Result<bool, LedgerError> {
    let last = reader.committed_end().segment;
    Ok(look(reader, last)?.newest_agent_ns.is_some_and(|newest| newest < limit_ns))
}

fn look(reader: &Reader, segment: SegmentNumber) -> Result<Look, LedgerError> {
    let mut look =
        Look { newest_agent_ns: None, oldest_ns: i64::MAX, newest_ns: i64::MIN, spans: BTreeMap::new() };
    let mut has_agent = false;
    for frame in reader.frames_from(Pointer::first_in(segment)) {
        let (pointer, frame) = frame?;
        if pointer.segment != segment {
            break;
        }
        match frame {
            Frame::Batch(batch) if batch.author != Author::Collector.to_string() => {
                let batch = from_frame(0, batch)?;
                if is_kept(&batch) {
                    continue;
                }
                has_agent = true;
                for (_, entry) in batch.numbered() {
                    let event = entry.event().ok();
                    // Claimed times count for holds, too: a hold is of the time in question.
                    if let Some(time) = event.and_then(|event| Moment::parse(&event.time)) {
                        look.oldest_ns = look.oldest_ns.min(time.unix_nanos());
                        look.newest_ns = look.newest_ns.max(time.unix_nanos());
                    }
                }
                let span = look.spans.entry(batch.author.to_string()).or_insert((batch.first, batch.size()));
                *span = (span.0.min(batch.first), span.1.max(batch.size()));
            }
            Frame::Commit(commit) => {
                look.oldest_ns = look.oldest_ns.min(commit.received_unix_ns);
                look.newest_ns = look.newest_ns.max(commit.received_unix_ns);
                if std::mem::take(&mut has_agent) {
                    look.newest_agent_ns = look.newest_agent_ns.max(Some(commit.received_unix_ns));
                }
            }
            Frame::State(_) | Frame::Batch(_) | Frame::Pruned(_) => {}
        }
    }
    Ok(look)
}

fn holds_of(holds: &Holds, look: &Look) -> Vec<String> {
    let at = |ns: i64| Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    let (from, to) = (at(look.oldest_ns), at(look.newest_ns));
    holds.in_force().filter(|hold| hold.covers(from, to)).map(|hold| hold.terms.id.clone()).collect()
}

/// Acts stay whole, and so does a roll-over: it holds a key and nothing of anybody.
fn is_kept(batch: &SealedBatch) -> bool {
    batch.author == Author::Collector || batch.entries.iter().all(is_roll_over)
}

fn leaves(batch: &Batch) -> Option<Vec<[u8; 32]>> {
    let batch = from_frame(0, batch.clone()).ok().filter(|batch| !is_kept(batch))?;
    Some(batch.leaves().map(|leaf: Hash| *leaf.as_bytes()).collect())
}

fn remove(ledger: &LedgerHandle, segment: SegmentNumber, look: &Look) -> Result<(), LedgerError> {
    let prepared = ledger.pruner().prepare(segment, leaves)?;
    let time = |ns: i64| Moment::from_unix_nanos(ns).to_rfc3339(3);
    let spans = look.spans.iter();
    let said = Segment {
        number: segment.value(),
        was: hex(&prepared.was),
        is: hex(&prepared.is),
        from: time(look.oldest_ns),
        to: time(look.newest_ns),
        authors: spans
            .map(|(author, (first, size))| Span { author: author.clone(), first: *first, size: *size })
            .collect(),
    };
    // Written down before it is done: a segment without entries and without this act is a fault.
    let body = json!({"segments": [said]});
    let _appended = ledger.act_blocking(vec![act::event(act::kind::PRUNED, ledger.now(), body)])?;
    ledger.pruner().publish(&prepared)?;
    ledger.share_pruned(segment)?;
    info!(segment = segment.value(), batches = prepared.n_pruned, "entries removed after retention");
    Ok(())
}

/// Takes out of this collector's copy what the collector that leads took out: what its acts say, and no more.
pub fn follow(ledger: &LedgerHandle) -> Result<u64, LedgerError> {
    let reader = ledger.reader();
    let mut said = Vec::new();
    for frame in reader.frames()? {
        if let Frame::Batch(batch) = frame?.1
            && batch.author == Author::Collector.to_string()
        {
            said.extend(segments_of(&from_frame(0, batch)?));
        }
    }
    let last = reader.committed_end().segment;
    let mut removed = 0u64;
    for act in said {
        let segment = SegmentNumber::new(act.number);
        if segment >= last || ledger.pruner().is_pruned(segment)? {
            continue;
        }
        let prepared = ledger.pruner().prepare(segment, leaves)?;
        if act.was == hex(&prepared.was) && act.is == hex(&prepared.is) {
            ledger.pruner().publish(&prepared)?;
            removed = removed.saturating_add(1);
        }
    }
    Ok(removed)
}

/// Looks once a day, and at a start, until stopped.
pub async fn daily(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let (ledger, months) = (app.ledger.clone(), app.practice.current().raw.retention.raw_months);
        let pruned = tokio::task::spawn_blocking(move || {
            if ledger.leads() {
                prune(&ledger, months, false, |_, _| {}).map(|_| ())
            } else {
                follow(&ledger).map(|_| ())
            }
        });
        let pruned = pruned.await;
        if let Ok(Err(failure)) = pruned {
            error!(reason = %crate::error_chain(&failure), "retention could not be applied");
        }
    }
}
