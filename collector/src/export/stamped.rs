//! Time-stamps of a bundle: those that bracket rows that are shown, and the notes that place the rows between them.
//!
//! For each batch that shows a row: the last stamp before it and the first after it; and the newest of all. Where that
//! is more than [`STAMPS_MAX`], it is one a day (or one every few days), with the first and the last of them.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::bundle::bag::Bag;
use ntk_evidence::bundle::received::{Received, placed_lines};
use ntk_evidence::bundle::{self, time_stamp_path};
use ntk_evidence::name::Author;
use ntk_evidence::time_stamp::placed::PlacedNote;

use super::rules::acts;
use super::{ExportError, Part};
use crate::config::time_stamps::{TimeStamps, read_certificates};
use crate::follow::Lookup;
use crate::follow::answer::{read, store_error};
use crate::home::Home;
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint};
use crate::store::LeafRecord;
use crate::time_stamp::{StampedAct, TimeStampAct};

/// How many time-stamps go into one bundle.
const STAMPS_MAX: usize = 400;
const SECONDS_PER_DAY: i64 = 86_400;

/// A time-stamp with the batch that holds its act.
struct Kept {
    act: StampedAct,
    record: LeafRecord,
    seconds: i64,
}

/// The batches of one author that the bundle's rows come from, in order, and which of them show a row.
struct Batches<'p> {
    author: &'p Author,
    first: u64,
    size: u64,
    records: Vec<(LeafRecord, bool)>,
}

/// Puts in the time-stamps, the chain, the notes that place rows, and the brackets; what is absent, in sentences.
pub(super) fn stamped(
    bag: &mut Bag,
    lookup: &Lookup,
    ledger: &LedgerHandle,
    last: &SignedCheckpoint,
    parts: &[Part],
    home: &Home,
    settings: Option<&TimeStamps>,
) -> Result<(Received, Vec<String>), ExportError> {
    let collector = parts.iter().find(|part| part.author == Author::Collector);
    let rows = collector.map(|part| part.rows.as_slice()).unwrap_or_default();
    let size = last.checkpoint.size;
    let kept = kept(lookup, parts, size)?;
    if kept.is_empty() {
        return Ok((Received::default(), vec![none(settings.is_some())]));
    }
    let batches: Vec<Batches<'_>> =
        parts.iter().map(|part| batches(lookup, part)).collect::<Result<_, _>>()?;
    let chosen: Vec<&Kept> = chosen(&kept, &batches).into_iter().filter_map(|at| kept.get(at)).collect();
    for stamp in &chosen {
        let of = |suffix| time_stamp_path(stamp.act.size, suffix);
        let proof = ledger.consistency(stamp.act.size, size)?;
        let proof: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        bag.insert(&of(".txt"), stamp.act.note.as_bytes())?;
        bag.insert(&of(".tsq"), stamp.act.request_der().unwrap_or_default())?;
        bag.insert(&of(".tsr"), stamp.act.response_der().unwrap_or_default())?;
        bag.insert(&of(".consistency"), proof)?;
    }
    let placed = placed(ledger, size, &chosen, &batches)?;
    if !placed.is_empty() {
        bag.insert(bundle::PLACED, placed_lines(&placed))?;
    }
    let received = Received::read(bag.payload(), rows);
    bag.insert(bundle::BRACKETS, received.csv())?;
    let mut absent = Vec::new();
    match settings.and_then(|settings| settings.certificates.as_deref()) {
        None => absent.push(
            "data/proofs/timestamps/chain.pem: take the authority's certificates from the authority itself"
                .to_owned(),
        ),
        Some(file) => match read_certificates(home.dir(), file) {
            Ok(text) => bag.insert(bundle::TIME_STAMP_CHAIN, text)?,
            Err(_) => absent.push(
                "data/proofs/timestamps/chain.pem: the collector's file of certificates could not be used; take them from the authority itself"
                    .to_owned(),
            ),
        },
    }
    Ok((received, absent))
}

fn none(is_configured: bool) -> String {
    let why = if is_configured {
        "the time-stamping authority has stamped no checkpoint of this log yet"
    } else {
        "no time-stamping authority is configured"
    };
    format!(
        "no RFC 3161 time-stamp: {why}; times are what the machines claim and when the collector received them"
    )
}

/// Every time-stamp that the shown acts hold, by size of the log; of several over one size the first.
fn kept(lookup: &Lookup, parts: &[Part], size: u64) -> Result<Vec<Kept>, ExportError> {
    let mut kept: BTreeMap<u64, Kept> = BTreeMap::new();
    for (number, event) in acts(parts) {
        if event.kind.as_str() != ntk_evidence::act::kind::TIME_STAMP {
            continue;
        }
        let body = ntk_evidence::act::body(&event).cloned().unwrap_or_default();
        let Ok(TimeStampAct::Stamped(act)) = serde_json::from_value(body) else { continue };
        let Some(seconds) = act.moment().map(|moment| moment.unix_seconds()) else { continue };
        let record =
            lookup.store().leaf_of_entry(&Author::Collector.to_string(), number).map_err(store_error)?;
        let record = record.ok_or(LedgerError::Behind)?;
        if (1..=size).contains(&act.size) && record.leaf < size {
            kept.entry(act.size).or_insert(Kept { act, record, seconds });
        }
    }
    Ok(kept.into_values().collect())
}

fn batches<'p>(lookup: &Lookup, part: &'p Part) -> Result<Batches<'p>, ExportError> {
    let (first, size) = (part.range.first, part.range.size);
    let mut batches = Batches { author: &part.author, first, size, records: Vec::new() };
    let (name, mut at) = (part.author.to_string(), first);
    while at < size {
        let record = lookup.store().leaf_of_entry(&name, at).map_err(store_error)?;
        let record = record.ok_or(LedgerError::Behind)?;
        let from = part.rows.partition_point(|row| row.number() < record.first);
        let to = part.rows.partition_point(|row| row.number() < record.size);
        let is_shown = part.rows.get(from..to).unwrap_or_default().iter().any(|row| row.is_disclosed());
        at = record.size;
        batches.records.push((record, is_shown));
    }
    Ok(batches)
}

/// Which of them go in, as positions in `kept`, which is in order of sizes.
fn chosen(kept: &[Kept], batches: &[Batches<'_>]) -> BTreeSet<usize> {
    let newest = kept.len().saturating_sub(1);
    let mut wanted = BTreeSet::from([newest]);
    for batches in batches.iter().filter(|batches| *batches.author != Author::Collector) {
        for (record, _) in batches.records.iter().filter(|(_, is_shown)| *is_shown) {
            let after = kept.partition_point(|stamp| stamp.act.size <= record.leaf);
            wanted.extend((after < kept.len()).then_some(after));
            wanted.extend(kept.iter().rposition(|stamp| stamp.record.leaf < record.leaf));
        }
    }
    thinned(kept, wanted)
}

/// The first of each day, or of every few days, with both ends, where there are too many.
fn thinned(kept: &[Kept], wanted: BTreeSet<usize>) -> BTreeSet<usize> {
    let ends: Vec<usize> = wanted.first().into_iter().chain(wanted.iter().rev().take(2)).copied().collect();
    let mut days = 1i64;
    let mut fewer = wanted;
    while fewer.len() > STAMPS_MAX {
        let mut seen = BTreeSet::new();
        let span = SECONDS_PER_DAY.saturating_mul(days);
        fewer.retain(|at| {
            let day = kept.get(*at).map(|stamp| stamp.seconds.div_euclid(span));
            ends.contains(at) || seen.insert(day)
        });
        days = days.saturating_mul(2);
    }
    fewer
}

/// The notes on both sides of each stamp, of every author: the last that the stamped checkpoint holds, the first behind
/// the act, and the collector's own that holds the act.
fn placed(
    ledger: &LedgerHandle,
    size: u64,
    chosen: &[&Kept],
    batches: &[Batches<'_>],
) -> Result<Vec<PlacedNote>, ExportError> {
    let reader = ledger.reader();
    let mut placed: BTreeMap<(String, u64), PlacedNote> = BTreeMap::new();
    for batches in batches {
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        for stamp in chosen {
            let held = batches.records.partition_point(|(record, _)| record.leaf < stamp.act.size);
            let behind = batches.records.partition_point(|(record, _)| record.leaf < stamp.record.leaf);
            // For the collector, the first that is not before the act is the act's own.
            wanted.extend(held.checked_sub(1).into_iter().chain([behind]));
        }
        for record in wanted.into_iter().filter_map(|at| batches.records.get(at)).map(|(record, _)| record) {
            // A range's own ends are placed by its proofs.
            if record.size <= batches.first || record.size >= batches.size {
                continue;
            }
            let note = PlacedNote {
                author: batches.author.to_string(),
                epoch: record.epoch,
                size: record.size,
                note: String::from_utf8_lossy(&read(&reader, record)?.note).into_owned(),
                index: record.leaf,
                inclusion: ledger.inclusion(record.leaf, size)?,
            };
            placed.insert((note.author.clone(), note.size), note);
        }
    }
    Ok(placed.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_at(size: u64, seconds: i64) -> Kept {
        let act = StampedAct {
            size,
            note: String::new(),
            request: String::new(),
            response: String::new(),
            time: String::new(),
            authority: None,
            serial: String::new(),
            policy: String::new(),
        };
        let record = LeafRecord { leaf: size + 1, ..record(0, 0) };
        Kept { act, record, seconds }
    }

    fn record(leaf: u64, size: u64) -> LeafRecord {
        serde_json::from_value(serde_json::json!({
            "leaf": leaf, "segment": 0, "offset": 0, "author": "agent/a", "epoch": 0, "first": 0, "size": size,
            "received_unix_ns": 0, "from_unix_ns": 0, "to_unix_ns": 0,
        }))
        .unwrap()
    }

    #[test]
    fn each_shown_batch_has_the_stamps_on_both_sides_and_the_newest_is_always_there() {
        let kept: Vec<Kept> = (1..=9).map(|at| kept_at(at * 10, 0)).collect();
        let author = Author::agent("a").unwrap();
        let of = |leaves: &[(u64, bool)]| {
            let records = leaves.iter().map(|(leaf, shown)| (record(*leaf, 1), *shown)).collect();
            let batches = [Batches { author: &author, first: 0, size: 9, records }];
            chosen(&kept, &batches).into_iter().map(|at| kept[at].act.size).collect::<Vec<_>>()
        };
        assert_eq!(of(&[(25, true), (55, false)]), [20, 30, 90]);
        // At leaf 21 stands the act of 20 itself; it says nothing of that leaf.
        assert_eq!(of(&[(21, true)]), [10, 30, 90]);
        assert_eq!(of(&[(5, true), (95, true)]), [10, 90]);
        assert_eq!(of(&[(55, false)]), [90]);
    }

    #[test]
    fn a_wide_range_keeps_one_a_day_and_both_ends() {
        let kept: Vec<Kept> = (0..24 * 365).map(|hour| kept_at(hour + 1, hour as i64 * 3600)).collect();
        let all: BTreeSet<usize> = (5..kept.len()).collect();
        let fewer = thinned(&kept, all);
        assert!(fewer.len() <= STAMPS_MAX && fewer.len() >= 365, "{}", fewer.len());
        assert!(fewer.contains(&5) && fewer.contains(&(kept.len() - 1)) && fewer.contains(&(kept.len() - 2)));
        let days: BTreeSet<i64> = fewer.iter().map(|at| kept[*at].seconds / SECONDS_PER_DAY).collect();
        assert_eq!(days.len(), 365);
    }
}
