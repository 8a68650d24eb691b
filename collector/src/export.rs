//! Builds an evidence bundle: rows, notes, proofs, rules and custody of one question, signed as one file.
//!
//! For each author the range runs from the batch boundary before the first entry of the question's time to
//! the one after the last; entries of other people stand in it as commitments, so that nothing can be left
//! out unseen. The collector's range begins at its first act, because enrolments vouch for the agents' keys.

mod assets;
mod keys;
mod page_one;
mod preview;
mod restored;
mod reviews;
mod rows;
mod rules;
mod shown;
mod stamped;
mod system;
mod weekly;
mod witnessed;

pub use preview::{AuthorPart, Line, Preview, preview};
pub use witnessed::Vouched;
mod zip;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use ntk_evidence::bundle::bag::{Bag, BagError, BagInfo, Files};
use ntk_evidence::bundle::certification::CertificationFacts;
use ntk_evidence::bundle::interchange::{fhir_lines, ocsf_lines};
use ntk_evidence::bundle::range::{Range, to_json};
use ntk_evidence::bundle::readme::{ReadmeFacts, ReadmeStamps, readme_html, readme_text};
use ntk_evidence::bundle::row::Row;
use ntk_evidence::bundle::timeline::timeline_csv;
use ntk_evidence::bundle::{self};
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use ntk_evidence::note::NoteSigner;
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::trust::restored::Restored;
use ntk_evidence::words;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::SegmentNumber;

use crate::coverage::coverage;
use crate::follow::Lookup;
use crate::follow::answer::store_error;
use crate::ledger::registry::Refilled;
use crate::ledger::state::LedgerState;
use crate::ledger::writer::Published;
use crate::ledger::{LedgerError, LedgerHandle, SignedCheckpoint, from_frame, from_pruned};
use crate::need_to_know::Asset;
use crate::practice::Practice;
use crate::roster::Roster;
use crate::store::LeafRecord;
use page_one::page_one;
use reviews::Reviewed;
use rows::part;
use shown::Shown;
pub use zip::{unzip, zip};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Whose accesses; everybody's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// From when.
    #[serde(with = "crate::need_to_know::moment")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// Until when.
    #[serde(with = "crate::need_to_know::moment")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// The case.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub case: String,
    /// Accesses to which assets: `mailbox`, `mailbox:mary`; to all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assets: Option<Vec<String>>,
    /// Whether paths are withheld.
    #[serde(default)]
    pub redact_paths: bool,
    /// Whether what names other people than the one asked about is withheld, rosters too.
    #[serde(default)]
    pub redact_people: bool,
    /// Which renderings for other programs are put in; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interchange: Option<Vec<String>>,
}

/// The renderings for other programs that there are; `timesketch` is timeline.csv, which is always there.
pub const INTERCHANGE: [&str; 3] = ["ocsf", "fhir", "timesketch"];

impl Question {
    /// Whether it can be answered.
    pub fn check(&self) -> Result<(), ExportError> {
        self.assets.as_deref().map_or(Ok(()), assets::check)
    }

    /// Whether findings about this asset are among what is asked for.
    pub fn is_about(&self, asset: &Asset) -> bool {
        self.assets.as_ref().is_none_or(|assets| shown::is_of(assets, asset))
    }

    /// Whether nobody and nothing is left out: only then may a review go in as it was made.
    fn shows_everything(&self) -> bool {
        let Self { person, assets, redact_paths, redact_people, .. } = self;
        person.is_none() && assets.is_none() && !redact_paths && !redact_people
    }

    fn wants(&self, rendering: &str) -> bool {
        self.interchange.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| wanted == rendering))
    }
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
    Zip(#[from] ::zip::result::ZipError),
    /// An asset that is none.
    #[error("`{0}`: write assets as class or class:owner, such as ehr or mailbox:mary; 1 to 50 of them")]
    Asset(String),
    /// The ZIP file.
    #[error("the ZIP file could not be written")]
    Write(#[from] std::io::Error),
}

/// Parts of the design that bundles of this version do not hold yet.
const NOT_INCLUDED: &[&str] =
    &["the report of this bundle is a page and data (data/report.html, data/report.json), not a PDF"];

fn not_included(question: &Question) -> Vec<String> {
    let mut absent: Vec<String> = NOT_INCLUDED.iter().map(|&sentence| sentence.to_owned()).collect();
    for (rendering, path) in [("ocsf", bundle::OCSF), ("fhir", bundle::FHIR)] {
        if !question.wants(rendering) {
            absent.push(format!("{path} was not asked for"));
        }
    }
    if let Some(assets) = &question.assets {
        absent.push(format!(
            "accesses to other assets than {} are withheld behind their hashes, so are findings about them with their steps, questions by link, and assessments",
            assets.join(", ")
        ));
    }
    if question.redact_paths {
        absent.push(
            "paths and command lines are withheld behind their commitments, and inventories and health entries that name places behind their hashes; where programs lie, and names of accounts, stay"
                .to_owned(),
        );
    }
    if question.redact_people {
        absent.push(
            "rosters, and entries and acts that name other people than the one asked about, are withheld behind their hashes"
                .to_owned(),
        );
    } else if question.person.is_some() {
        absent.push("entries of other people are withheld behind their hashes".to_owned());
    }
    absent
}

/// What was lost before this ledger was filled again, or put back from a copy.
fn refilled(published: &Published) -> Vec<String> {
    let mut said = Vec::new();
    let mut tell = |what: &str, refilled: &Refilled| {
        said.push(format!(
            "this ledger was {what} at {} after it was lost; what is gone follows",
            refilled.time
        ));
        said.extend(refilled.gone.iter().cloned());
    };
    published.registry.refilled.iter().for_each(|refilled| tell("filled again", refilled));
    published.registry.restored.iter().for_each(|restored| tell("put back from a copy", restored));
    let short = published.registry.short.iter();
    said.extend(
        short.map(|author| {
            format!("{author} no longer holds entries that the lost collector had acknowledged")
        }),
    );
    said
}

/// Who the question is about, and what they administer.
fn account_in_question(question: &Question, roster: &Roster, administrators: &[String]) -> Option<String> {
    let id = question.person.as_deref()?;
    let Some(person) = roster.person(id) else {
        return Some(format!("{id}; nobody in the roster holds it"));
    };
    let names = [Some(&person.name), person.organisation.as_ref()];
    let theirs: Vec<&str> = administrators
        .iter()
        .filter(|line| names.into_iter().flatten().any(|name| line.ends_with(name.as_str())))
        .map(String::as_str)
        .collect();
    let administers = if theirs.is_empty() {
        "is not named as administrator of host, hypervisor, network or backup".to_owned()
    } else {
        format!("administers {}", theirs.join(", "))
    };
    Some(format!("those of {} (roles: {}), who {administers}", person.name, person.roles.join(", ")))
}

struct Part {
    author: Author,
    range: Range,
    rows: Vec<Row>,
}

/// By author, from which entry to which.
type Spans = BTreeMap<String, (u64, u64)>;

/// By author, from which entry to which: the batches of the question's time, and all acts of the collector; and how
/// many entries that is. What came after a checkpoint of `log_size` is for the next bundle.
fn spans(lookup: &Lookup, question: &Question, log_size: u64) -> Result<(Spans, u64), ExportError> {
    let is_covered = |record: &LeafRecord| record.leaf < log_size;
    let (from, to) = (nanos(question.from), nanos(question.to));
    let mut spans = Spans::new();
    for record in lookup.store().leaves_between(from, to).map_err(store_error)? {
        if record.author != "collector" && is_covered(&record) {
            let span = spans.entry(record.author).or_insert((record.first, record.size));
            *span = (span.0.min(record.first), span.1.max(record.size));
        }
    }
    let acts = lookup.store().leaves_of(&Author::Collector.to_string()).map_err(store_error)?;
    let acts = acts.iter().filter(|record| is_covered(record)).map(|record| record.size).max().unwrap_or(0);
    spans.insert("collector".into(), (0, acts));
    let total = spans.values().map(|(first, size)| size.saturating_sub(*first)).fold(0, u64::saturating_add);
    Ok((spans, total))
}

/// Builds the bundle's files. `tell` hears done and total batches.
pub fn bundle(
    practice: &Practice,
    lookup: &Lookup,
    ledger: &LedgerHandle,
    bundle_key: &NoteSigner,
    question: &Question,
    vouched: &Vouched,
    mut tell: impl FnMut(u64, u64),
) -> Result<Files, ExportError> {
    question.check()?;
    lookup.up_to_date()?;
    let what = Shown::new(question, lookup)?;
    let published = Published { checkpoint: Arc::new(vouched.checkpoint.clone()), ..ledger.published() };
    let checkpoint = &published.checkpoint;
    let (spans, total) = spans(lookup, question, checkpoint.checkpoint.size)?;

    let mut bag = Bag::new();
    let (mut parts, mut done) = (Vec::new(), 0u64);
    for (author, (first, size)) in spans {
        let part = part(lookup, ledger, checkpoint, &what, &author, first, size, &mut bag, &mut |n| {
            done = done.saturating_add(n);
            tell(done, total);
        })?;
        parts.push(part);
    }
    let mut keys = restored::keys(&vouched.trust);
    restored::seams(lookup, ledger, checkpoint, &vouched.trust, &mut bag)?;
    for part in parts.iter().filter(|part| part.author != Author::Collector) {
        keys.extend(keys::of_author(lookup, ledger, checkpoint, &part.author, part.range.epoch, &mut bag)?);
    }
    bag.insert(bundle::KEYS, to_json(&keys)?)?;
    bag.insert(bundle::RANGES, to_json(&parts.iter().map(|part| &part.range).collect::<Vec<_>>())?)?;
    bag.insert(bundle::CHECKPOINT, checkpoint.note.clone())?;
    bag.insert(bundle::TRUST, vouched.trust_text.as_bytes())?;
    bag.insert(bundle::POLICY, vouched.trust.tlog_policy())?;
    vouched.older(ledger, &mut bag)?;
    let config = practice.current();
    let settings = config.time_stamps.as_ref();
    let (received, unstamped) =
        stamped::stamped(&mut bag, lookup, ledger, checkpoint, &parts, &practice.home, settings)?;
    let provable = ntk_evidence::checks::provable_up_to(bag.payload(), &vouched.trust);
    for part in &parts {
        bag.insert(&bundle::entries_path(&part.author), part.rows.iter().map(Row::line).collect::<String>())?;
    }
    bag.insert(
        bundle::TIMELINE,
        timeline_csv(parts.iter().flat_map(|part| part.rows.iter().map(|row| (&part.author, row)))),
    )?;
    let all = || parts.iter().flat_map(|part| part.rows.iter().map(move |row| (&part.author, row)));
    if question.wants("ocsf") {
        bag.insert(bundle::OCSF, ocsf_lines(all()))?;
    }
    if question.wants("fhir") {
        bag.insert(bundle::FHIR, fhir_lines(all()))?;
    }
    rules::rules(&mut bag, &parts, question)?;
    rules::custody(&mut bag, &parts)?;
    rules::decisions(&mut bag, &parts)?;
    let seen = coverage(lookup, &ledger.reader(), question.from, question.to)?;
    let end = question.to.min(ledger.now().parse().unwrap_or(question.to));
    bag.insert(bundle::COVERAGE, seen.csv(question.from, end))?;
    let made = ledger.now();
    let now: Timestamp = made.parse().unwrap_or(question.to);
    weekly::weekly(&mut bag, lookup, ledger, &vouched.trust, checkpoint, question, now)?;
    let reviewed =
        Reviewed { practice, trust: &vouched.trust, lookup, published: &published, now, shown: &what };
    let mut not_included = not_included(question);
    not_included.extend(unstamped);
    not_included.extend(vouched.absent(&published.registry.witnessed));
    not_included.extend(refilled(&published));
    not_included.extend(vouched.trust.restored.iter().map(Restored::sentence));
    not_included.extend(rules::removed(&parts, question));
    not_included.extend(reviewed.weekly(&mut bag, &parts)?);
    if !bag.payload().contains_key(bundle::ACKNOWLEDGEMENTS) {
        not_included
            .push("data/acknowledgements: no acknowledgement of a notice stands in what is shown".to_owned());
    }
    let (roster, _) = lookup.rules_now()?;
    let mut findings = lookup.store().findings().map_err(store_error)?;
    findings.retain(|record| what.is_asked(&record.finding.id));
    let page = page_one(question, &parts, &findings, &roster, &received, &provable, &not_included);
    reviewed.report(&mut bag, &page)?;
    let words = words::of_checkpoint(&checkpoint.checkpoint.text());
    let system = system::system(&mut bag, practice, lookup, &published, &parts, question)?;
    system::certification(
        &mut bag,
        &CertificationFacts {
            practice: practice.config.raw.practice.clone(),
            case: question.case.clone(),
            made: made.clone(),
            from: question.from.to_string(),
            to: question.to.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            collector_sha256: system.collector_sha256,
            log_size: checkpoint.checkpoint.size,
            log_root: checkpoint.checkpoint.root.to_base64(),
            checkpoint_words: words.clone(),
            practice_words: vouched.trust.practice_words(),
            account_in_question: account_in_question(question, &roster, &system.administrators),
            machines: system.machines,
            administrators: system.administrators,
            not_included: not_included.clone(),
            self_check: system.self_check,
        },
    )?;
    let facts = ReadmeFacts {
        practice: practice.config.raw.practice.clone(),
        case: question.case.clone(),
        zip_name: "bundle.zip".into(),
        practice_words: vouched.trust.practice_words(),
        checkpoint_words: words,
        log_size: checkpoint.checkpoint.size,
        made: made.clone(),
        time_stamps: match (received.newest(), bag.payload().contains_key(bundle::TIME_STAMP_CHAIN)) {
            (None, _) => ReadmeStamps::None,
            (Some(_), false) => ReadmeStamps::WithoutChain,
            (Some(_), true) => ReadmeStamps::WithChain,
        },
        not_included,
    };
    bundle::verifier_source::insert(&mut bag)?;
    bag.insert(bundle::README_TXT, readme_text(&facts))?;
    bag.insert(bundle::README_HTML, readme_html(&facts))?;
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
        legal_hold_id: published.registry.holds.ids_of(&question.case, question.person.as_deref()),
        provable_up_to: provable,
        not_included: facts.not_included.clone(),
    };
    Ok(bag.seal(&info, bundle_key)?)
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
    let known = state.authors.get(author).map(|known| known.log.range().clone());
    let begins = || ledger.published().registry.begins(author);
    let mut range = known.or_else(begins).unwrap_or_else(CompactRange::empty);
    let start = ntk_segment::pointer::Pointer::first_in(SegmentNumber::new(record.segment));
    for frame in reader.frames_from(start) {
        let (pointer, frame) = frame?;
        if pointer >= record.pointer() {
            break;
        }
        let batch = match frame {
            Frame::Batch(batch) if batch.author == author.to_string() => from_frame(record.leaf, batch)?,
            Frame::Pruned(pruned) if pruned.author == author.to_string() => from_pruned(record.leaf, pruned)?,
            _ => continue,
        };
        for leaf in batch.leaves() {
            range.append(leaf)?;
        }
    }
    Ok(range)
}

fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}
