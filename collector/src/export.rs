//! Builds an evidence bundle: rows, notes, proofs, rules and custody of one question, signed as one file.
//!
//! For each author the range runs from the batch boundary before the first entry of the question's time to
//! the one after the last; entries of other people stand in it as commitments, so that nothing can be left
//! out unseen. The collector's range begins at its first act, because enrolments vouch for the agents' keys.

mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Write as _};

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::bundle::bag::{Bag, BagError, BagInfo, Files};
use ntk_evidence::bundle::range::{ListedKey, Range, to_json};
use ntk_evidence::bundle::readme::{ReadmeFacts, readme_html, readme_text};
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::bundle::timeline::timeline_csv;
use ntk_evidence::bundle::{self};
use ntk_evidence::event::{Event, Kind};
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use ntk_evidence::note::NoteSigner;
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::words;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::SegmentNumber;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use crate::engine::Entry;
use crate::follow::answer::{Seen, read, store_error};
use crate::follow::{Lookup, Rules};
use crate::ledger::state::LedgerState;
use crate::ledger::writer::Published;
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint, from_frame};
use crate::practice::Practice;
use crate::report::html::render_html;
use crate::report::week::Week;
use crate::review::review;
use crate::store::LeafRecord;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Question {
    /// Whose accesses; everybody's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// From when.
    #[serde(with = "crate::need_to_know::moment")]
    pub from: Timestamp,
    /// Until when.
    #[serde(with = "crate::need_to_know::moment")]
    pub to: Timestamp,
    /// The case.
    pub case: String,
    /// Whether paths are withheld.
    #[serde(default)]
    pub redact_paths: bool,
}

/// A bundle could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The bag.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// A file of the bundle.
    #[error("a part of the bundle could not be written")]
    Json(#[from] serde_json::Error),
    /// The ZIP file.
    #[error("the ZIP file could not be made")]
    Zip(#[from] zip::result::ZipError),
    /// The ZIP file.
    #[error("the ZIP file could not be written")]
    Write(#[from] std::io::Error),
}

/// Parts of the design that bundles of this version do not hold yet.
const NOT_INCLUDED: &[&str] = &[
    "no witness has cosigned the checkpoint: compare its twelve words with a printed weekly review",
    "no RFC 3161 time-stamp: times are what the machines claim and when the collector received them",
    "report.pdf, interchange renderings, acknowledgements, certification form and verifier source are not made by this version",
];

struct Part {
    author: Author,
    range: Range,
    rows: Vec<Row>,
}

/// Builds the bundle's files. `tell` hears done and total batches.
pub fn bundle(
    practice: &Practice,
    lookup: &Lookup,
    ledger: &LedgerHandle,
    bundle_key: &NoteSigner,
    question: &Question,
    mut tell: impl FnMut(u64, u64),
) -> Result<Files, ExportError> {
    lookup.up_to_date()?;
    let what = Shown::new(question, lookup)?;
    let published = ledger.published();
    let checkpoint = &published.checkpoint;
    let (from, to) = (nanos(question.from), nanos(question.to));
    let mut spans: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for record in lookup.store().leaves_between(from, to).map_err(store_error)? {
        if record.author != "collector" {
            let span = spans.entry(record.author).or_insert((record.first, record.size));
            *span = (span.0.min(record.first), span.1.max(record.size));
        }
    }
    let acts = published.authors.get(&Author::Collector).map_or(0, |known| known.log.size());
    spans.insert("collector".into(), (0, acts));
    let total = spans.values().map(|(first, size)| size.saturating_sub(*first)).fold(0, u64::saturating_add);

    let mut bag = Bag::new();
    let (mut parts, mut done) = (Vec::new(), 0u64);
    for (author, (first, size)) in spans {
        let part = part(lookup, ledger, checkpoint, &what, &author, first, size, &mut bag, &mut |n| {
            done = done.saturating_add(n);
            tell(done, total);
        })?;
        parts.push(part);
    }
    let mut keys = vec![ListedKey::of_collector(0, &practice.trust.collector)];
    for part in parts.iter().filter(|part| part.author != Author::Collector) {
        keys.extend(keys::of_author(lookup, ledger, &published, &part.author, part.range.epoch, &mut bag)?);
    }
    bag.insert(bundle::KEYS, to_json(&keys)?)?;
    bag.insert(bundle::RANGES, to_json(&parts.iter().map(|part| &part.range).collect::<Vec<_>>())?)?;
    bag.insert(bundle::CHECKPOINT, checkpoint.note.clone())?;
    bag.insert(bundle::TRUST, practice.trust_text.clone())?;
    bag.insert(bundle::POLICY, practice.trust.tlog_policy())?;
    for part in &parts {
        bag.insert(&bundle::entries_path(&part.author), part.rows.iter().map(Row::line).collect::<String>())?;
    }
    bag.insert(
        bundle::TIMELINE,
        timeline_csv(parts.iter().flat_map(|part| part.rows.iter().map(|row| (&part.author, row)))),
    )?;
    rules_and_custody(&mut bag, &parts)?;
    let made = ledger.now();
    let now: Timestamp = made.parse().unwrap_or(question.to);
    reviews(&mut bag, practice, lookup, &published, now, &what)?;
    let words = words::of_checkpoint(&checkpoint.checkpoint.text());
    let facts = ReadmeFacts {
        practice: practice.config.raw.practice.clone(),
        case: question.case.clone(),
        zip_name: "bundle.zip".into(),
        practice_words: practice.trust.practice_words(),
        checkpoint_words: words,
        log_size: checkpoint.checkpoint.size,
        made: made.clone(),
        not_included: NOT_INCLUDED.iter().map(|&sentence| sentence.to_owned()).collect(),
    };
    bag.insert(bundle::README_TXT, readme_text(&facts))?;
    bag.insert(bundle::README_HTML, readme_html(&facts))?;
    bag.insert(
        bundle::VERSIONS,
        serde_json::to_vec_pretty(&json!({
            "collector": env!("CARGO_PKG_VERSION"),
            "administers": practice.config.raw.administers,
            "machines": published.registry.machines,
        }))?,
    )?;
    let shown = parts.iter().flat_map(|part| &part.rows).filter(|row| row.is_disclosed()).count();
    let rows = parts.iter().map(|part| part.rows.len()).fold(0, usize::saturating_add);
    let info = BagInfo {
        source_organization: practice.config.raw.practice.clone(),
        external_identifier: question.case.clone(),
        bagging_date: made.get(..10).unwrap_or(&made).to_owned(),
        log_origin: checkpoint.checkpoint.origin.clone(),
        log_size: checkpoint.checkpoint.size,
        log_root: checkpoint.checkpoint.root,
        range_from: question.from.to_string(),
        range_to: question.to.to_string(),
        disclosed_events: u64::try_from(shown).unwrap_or(u64::MAX),
        withheld_events: u64::try_from(rows.saturating_sub(shown)).unwrap_or(u64::MAX),
        legal_hold_id: None,
        not_included: facts.not_included.clone(),
    };
    Ok(bag.seal(&info, bundle_key)?)
}

/// One ZIP file of the bundle's files, in one top folder.
pub fn zip(files: &Files, folder: &str) -> Result<Vec<u8>, ExportError> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (path, bytes) in files {
        zip.start_file(format!("{folder}/{path}"), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[expect(
    clippy::too_many_arguments,
    reason = "one author's part of one bundle; a struct would only rename them"
)]
fn part(
    lookup: &Lookup,
    ledger: &LedgerHandle,
    checkpoint: &SignedCheckpoint,
    shown: &Shown<'_>,
    author: &str,
    first: u64,
    size: u64,
    bag: &mut Bag,
    done: &mut dyn FnMut(u64),
) -> Result<Part, ExportError> {
    let name = Author::parse(author).map_err(LedgerError::from)?;
    let reader = ledger.reader();
    let (mut rows, mut at, mut epoch) = (Vec::new(), first, 0);
    let mut rules = Rules::new();
    let first_leaf = lookup.store().leaf_of_entry(author, first).map_err(store_error)?;
    while at < size {
        let record = lookup.store().leaf_of_entry(author, at).map_err(store_error)?;
        let record = record.ok_or(LedgerError::Behind)?;
        let batch = read(&reader, &record)?;
        rules.at(lookup.store(), record.leaf)?;
        for (number, entry) in batch.numbered() {
            let event = entry.event().ok();
            let is_shown = event.as_ref().is_some_and(|event| {
                let host = name.machine().unwrap_or(author);
                let around = record.around(number);
                let received = record.received();
                let access = around.access(Entry { author, host, number, event, received }, lookup.zone());
                let decision = rules.decide(&access);
                let who = decision.who.as_ref();
                let person = who.and_then(|who| who.person.clone().or_else(|| who.account.clone()));
                shown.entry(event, person.as_deref(), access.local.map(|local| local.at))
            });
            let paths = if shown.question.redact_paths { Paths::Withheld } else { Paths::Shown };
            rows.push(if is_shown {
                Row::disclosed(number, entry, &batch.key, paths)
            } else {
                Row::withheld(number, batch.key.leaf(number, entry))
            });
        }
        done(record.size.saturating_sub(record.first));
        (at, epoch) = (record.size, record.epoch);
        if at == size {
            boundary(ledger, checkpoint, &name, &record, &batch.note, bag)?;
        }
    }
    let (before, before_epoch) = match (first, first_leaf) {
        (0, _) | (_, None) => (CompactRange::empty(), epoch),
        (_, Some(record)) => {
            let earlier = lookup
                .store()
                .leaf_of_note(author, first)
                .map_err(store_error)?
                .ok_or(LedgerError::Behind)?;
            let batch = read(&reader, &earlier)?;
            boundary(ledger, checkpoint, &name, &earlier, &batch.note, bag)?;
            (range_before(ledger, &name, &record)?, earlier.epoch)
        }
    };
    let range = Range::new(&name, epoch, &before, before_epoch, size);
    Ok(Part { author: name, range, rows })
}

/// Note and proof of the batch that ends at a range's boundary.
fn boundary(
    ledger: &LedgerHandle,
    checkpoint: &SignedCheckpoint,
    author: &Author,
    record: &LeafRecord,
    note: &[u8],
    bag: &mut Bag,
) -> Result<(), ExportError> {
    let proof = TlogProof {
        index: record.leaf,
        hashes: ledger.inclusion(record.leaf, checkpoint.checkpoint.size)?,
        checkpoint: String::from_utf8_lossy(&checkpoint.note).into_owned(),
    };
    bag.insert(&bundle::note_path(author, record.size), note)?;
    bag.insert(&bundle::proof_path(author, record.size), proof.to_string())?;
    Ok(())
}

/// The author's compact range before a batch: from the state of its segment, then batch by batch.
fn range_before(
    ledger: &LedgerHandle,
    author: &Author,
    record: &LeafRecord,
) -> Result<CompactRange, LedgerError> {
    let reader = ledger.reader();
    let begin = reader.state_of(SegmentNumber::new(record.segment))?;
    let slug = ledger.slug().clone();
    let collector = ledger.published().authors.get(&Author::Collector).and_then(|known| known.key().cloned());
    let collector = collector.ok_or_else(|| LedgerError::NotEnrolled("collector".into()))?;
    let state = LedgerState::from_frame(slug, collector, &begin)?;
    let mut range =
        state.authors.get(author).map_or(CompactRange::empty(), |known| known.log.range().clone());
    let start = ntk_segment::pointer::Pointer::first_in(SegmentNumber::new(record.segment));
    for frame in reader.frames_from(start) {
        let (pointer, frame) = frame?;
        if pointer >= record.pointer() {
            break;
        }
        if let Frame::Batch(batch) = frame
            && batch.author == author.to_string()
        {
            for leaf in from_frame(record.leaf, batch)?.leaves() {
                range.append(leaf)?;
            }
        }
    }
    Ok(range)
}

/// What a question shows, and what stays withheld as a commitment.
struct Shown<'q> {
    question: &'q Question,
    /// Tickets and break-glass of the person asked about.
    tickets: BTreeSet<String>,
}

impl<'q> Shown<'q> {
    fn new(question: &'q Question, lookup: &Lookup) -> Result<Self, LedgerError> {
        let (book, (roster, _)) = (lookup.tickets_now()?, lookup.rules_now()?);
        let wanted = question.person.as_deref();
        let person = wanted.and_then(|id| roster.person(id));
        let own =
            person.into_iter().flat_map(|person| book.of(person, &roster)).map(|ticket| ticket.id.clone());
        let asked = book.records().filter(|record| wanted == Some(record.request.assignee.as_str()));
        let glasses = book.glasses().filter(|glass| wanted == Some(glass.glass.person.as_str()));
        let asked = asked.map(|record| record.request.id.clone());
        let tickets = own.chain(asked).chain(glasses.map(|glass| glass.glass.id.clone())).collect();
        Ok(Self { question, tickets })
    }

    /// Whether an entry is shown: the person's own in the time asked for, and what belongs to nobody in it.
    fn entry(&self, event: &Event, person: Option<&str>, at: Option<Timestamp>) -> bool {
        if act::is_act(&event.kind) {
            return self.act(event);
        }
        let question = self.question;
        let in_time = at.is_none_or(|at| at >= question.from && at <= question.to);
        let about = question.person.as_ref().is_none_or(|wanted| person == Some(wanted.as_str()));
        // Gaps, tampering and health are about the machine: exculpatory or not, they belong to every question.
        let machine = matches!(event.kind, Kind::Gap | Kind::Tamper | Kind::Health | Kind::Epoch);
        in_time && (about || machine)
    }

    fn act(&self, event: &Event) -> bool {
        let body = act::body(event);
        let text = |key: &str| body.and_then(|body| body.get(key)).and_then(Value::as_str);
        let wanted = self.question.person.as_deref();
        match event.kind.as_str() {
            act::kind::FINDING_OPENED | act::kind::FINDING_CLOSED => {
                let finding = body.and_then(|body| body.get("finding"));
                let name = |key: &str| finding.and_then(|finding| finding.get(key)).and_then(Value::as_str);
                wanted.is_none() || name("person").or_else(|| name("account")) == wanted
            }
            act::kind::FINDING_STEP => wanted.is_none() || text("about") == wanted,
            act::kind::DEPARTURE => wanted.is_none() || text("person") == wanted,
            act::kind::TICKET | act::kind::BREAK_GLASS => {
                let asked = body.and_then(|body| body.pointer("/ticket/id")).and_then(Value::as_str);
                let id = asked.or_else(|| text("id"));
                wanted.is_none() || id.is_some_and(|id| self.tickets.contains(id))
            }
            act::kind::ENROLMENT_OFFERED | act::kind::VIEWED | act::kind::REFUSAL => false,
            _ => true,
        }
    }
}

fn rules_and_custody(bag: &mut Bag, parts: &[Part]) -> Result<(), ExportError> {
    let mut custody = String::new();
    let mut coverage = String::from("author,time,kind,detail\n");
    for part in parts {
        for row in &part.rows {
            let Ok(Some(event)) = row.event() else { continue };
            let number = row.number();
            match event.kind.as_str() {
                act::kind::ROSTER | act::kind::POLICY => {
                    let text = act::body(&event)
                        .and_then(|body| body.get("text"))
                        .and_then(Value::as_str)
                        .unwrap_or_default();
                    let name =
                        if event.kind.as_str() == act::kind::ROSTER { "roster" } else { "need-to-know" };
                    bag.insert(&format!("{}{name}-act-{number}.toml", bundle::POLICIES), text)?;
                }
                act::kind::EXPORT
                | act::kind::REPORT_MADE
                | act::kind::SELF_CHECK
                | act::kind::ENROLMENT
                | act::kind::REVOCATION => {
                    let line = json!({"act": number, "time": event.time, "kind": event.kind.as_str(), "body": act::body(&event)});
                    custody.push_str(&format!("{line}\n"));
                }
                "health" | "gap" | "tamper" => {
                    let detail = match (&event.gap, &event.health, &event.tamper) {
                        (Some(gap), _, _) => format!(
                            "{} {} to {} lost {}",
                            gap.cause,
                            gap.from.as_deref().unwrap_or("?"),
                            gap.to.as_deref().unwrap_or("?"),
                            gap.lost.map_or("?".into(), |n| n.to_string())
                        ),
                        (_, Some(health), _) => format!(
                            "{} uptime {} s",
                            health.reason.as_deref().unwrap_or("-"),
                            health.uptime_s.map_or("?".into(), |n| n.to_string())
                        ),
                        (_, _, Some(tamper)) => tamper.what.to_string(),
                        _ => String::new(),
                    };
                    let line = [part.author.to_string(), event.time.clone(), event.kind.to_string(), detail];
                    let line = line.map(|field| {
                        if field.contains([',', '"']) {
                            format!("\"{}\"", field.replace('"', "\"\""))
                        } else {
                            field
                        }
                    });
                    coverage.push_str(&format!("{}\n", line.join(",")));
                }
                _ => {}
            }
        }
    }
    bag.insert(bundle::CUSTODY, custody)?;
    bag.insert(bundle::COVERAGE, coverage)?;
    Ok(())
}

/// The review of the last week of the question's time, of the entries that are shown alone.
fn reviews(
    bag: &mut Bag,
    practice: &Practice,
    lookup: &Lookup,
    published: &Published,
    now: Timestamp,
    shown: &Shown<'_>,
) -> Result<(), ExportError> {
    let last = Week::of(shown.question.to.min(now), lookup.zone());
    let of_case = |seen: &Seen<'_>| {
        let who = seen.decision.who.as_ref();
        let person = who.and_then(|who| who.person.clone().or_else(|| who.account.clone()));
        shown.entry(seen.event, person.as_deref(), seen.access.local.map(|local| local.at))
    };
    let mut report = review(practice, lookup, published, now, last, Some(&of_case))?;
    if shown.question.redact_paths {
        report.items.iter_mut().for_each(|item| item.paths.clear());
    }
    bag.insert(bundle::REPORT_JSON, serde_json::to_vec_pretty(&report)?)?;
    bag.insert(bundle::REPORT_HTML, render_html(&report))?;
    Ok(())
}

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}
