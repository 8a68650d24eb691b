//! A bundle of 100,000 entries: made, packed, and verified by our two verifiers, beside SHA-256 of the same bytes.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_collector::export::zip;
use ntk_evidence::act;
use ntk_evidence::author_log::AuthorLog;
use ntk_evidence::bundle::bag::{Bag, BagInfo, Files};
use ntk_evidence::bundle::range::{ListedKey, Range, to_json};
use ntk_evidence::bundle::readme::{ReadmeFacts, readme_html, readme_text};
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::bundle::timeline::timeline_csv;
use ntk_evidence::bundle::{self, entries_path};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::provable_up_to;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::{Action, Actor, Class, Event, Kind, Object, Outcome, Process, Source};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::{CompactRange, leaf_hash};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::tree::{MemoryTree, inclusion_proof, root};
use ntk_evidence::trust::TrustFile;
use ntk_tests::{program, usage};
use serde_json::json;

use crate::table::{Table, float};

const ENTRIES: u64 = 100_000;
const GROUP: u64 = 512;

fn access(number: u64) -> Event {
    let (minute, second) = (number / 60 % 60, number % 60);
    let time = format!("2026-11-20T{:02}:{minute:02}:{second:02}.250Z", 7 + number / 3600 % 12);
    let mut event = Event::new(Kind::FileAccess, time);
    let path = format!("/srv/practice/ehr/exports/week/patient-{number:06}.csv");
    event.outcome = Some(Outcome::Success);
    event.action = Some(Action::Read);
    event.actor = Some(Actor {
        login_uid: Some(1001),
        login_user: Some("itadmin1".into()),
        effective_user: Some("root".into()),
        ..Actor::default()
    });
    event.process = Some(Process {
        exe: Some("/usr/bin/cat".into()),
        command: Some(format!("cat {path}")),
        ..Process::default()
    });
    event.object = Some(Object { path: Some(path), class: Some(Class::Export), ..Object::default() });
    event.source = Some(Source {
        sensor: Some("linux-audit".into()),
        record: Some(number.to_string()),
        ..Source::default()
    });
    event
}

/// A practice's ledger in memory, and the bundle of all of it.
struct Ledger {
    files: Files,
    trust: String,
}

fn made() -> Result<Ledger> {
    let plain = |name: &str, n: u8| NoteSigner::new(name, KeyType::Ed25519, &[n; 32]);
    let slug = Slug::new("bench", plain("x", 1)?.verifier().public_bytes())?;
    let machine = Author::agent("ws-01")?;
    let (practice, log) = (plain(&slug.practice_name(), 1)?, plain(&slug.log_origin(), 2)?);
    let (collector, bundle_key) =
        (plain(&slug.author_origin(&Author::Collector), 3)?, plain(&slug.bundle_name(), 4)?);
    let agent = plain(&slug.author_origin(&machine), 5)?;
    let trust = TrustFile {
        slug: slug.clone(),
        practice: "Bench".into(),
        made: "2026-11-20T06:00:00Z".into(),
        practice_key: practice.verifier().clone(),
        log: log.verifier().clone(),
        collector: collector.verifier().clone(),
        bundle: bundle_key.verifier().clone(),
        recovery: format!("age1{}", "q".repeat(58)),
        reviewers: Vec::new(),
        custodians: Vec::new(),
        succeeded: Vec::new(),
        retired: Vec::new(),
        restored: Vec::new(),
        machines_max: 1,
        enrolment_until: "2027-11-20T20:00:00Z".into(),
        committee: Vec::new(),
        outside: Vec::new(),
        committee_quorum: 0,
        outside_quorum: 0,
    };
    let enrolment = json!({"author": machine.to_string(), "key": agent.verifier().to_string(), "epoch": 0});
    let acts = vec![Entry::freeze(act::event(act::kind::ENROLMENT, "2026-11-20T06:30:00Z", enrolment))?];
    let mut batches = vec![
        AuthorLog::new(&slug, Author::Collector, collector.verifier().clone())
            .seal(acts, BatchKey::new([1; 32]), &collector)?
            .0,
    ];
    let mut known = AuthorLog::new(&slug, machine.clone(), agent.verifier().clone());
    for first in (0..ENTRIES).step_by(usize::try_from(GROUP)?) {
        let group = first..(first + GROUP).min(ENTRIES);
        let entries = group.map(|number| Entry::freeze(access(number))).collect::<Result<Vec<_>, _>>()?;
        let (batch, next) = known.seal(entries, BatchKey::new([2; 32]), &agent)?;
        batches.push(batch);
        known = next;
    }
    let tree = MemoryTree::of(batches.iter().map(|batch| leaf_hash(&batch.note)));
    let size = count(batches.len())?;
    let checkpoint = Checkpoint { origin: slug.log_origin(), size, root: root(&tree, size)? };
    let note = checkpoint.sign(&log)?;
    let mut bag = Bag::new();
    let mut ranges = Vec::new();
    for (author, size) in [(Author::Collector, 1), (machine.clone(), ENTRIES)] {
        let place =
            batches.iter().rposition(|batch| batch.author == author).context("a batch of each author")?;
        let batch = batches.get(place).context("a batch")?;
        let index = count(place)?;
        let hashes = inclusion_proof(&tree, index, checkpoint.size)?;
        let proof = TlogProof { index, hashes, checkpoint: note.clone() };
        bag.insert(&bundle::note_path(&author, size), batch.note.clone())?;
        bag.insert(&bundle::proof_path(&author, size), proof.to_string())?;
        ranges.push(Range::new(&author, 0, &CompactRange::empty(), 0, size));
    }
    let rows: Vec<(Author, Row)> = batches
        .iter()
        .flat_map(|batch| {
            let row =
                |(number, entry): (u64, &Entry)| Row::disclosed(number, entry, &batch.key, Paths::Shown);
            batch.numbered().map(move |numbered| (batch.author.clone(), row(numbered)))
        })
        .collect();
    for author in [&Author::Collector, &machine] {
        let lines: String = rows.iter().filter(|(of, _)| of == author).map(|(_, row)| row.line()).collect();
        bag.insert(&entries_path(author), lines)?;
    }
    bag.insert(bundle::TIMELINE, timeline_csv(rows.iter().map(|(author, row)| (author, row))))?;
    let keys = vec![
        ListedKey::of_collector(0, collector.verifier()),
        ListedKey::enrolled(&machine, 0, agent.verifier(), 0),
    ];
    bag.insert(bundle::KEYS, to_json(&keys)?)?;
    bag.insert(bundle::RANGES, to_json(&ranges)?)?;
    bag.insert(bundle::CHECKPOINT, note)?;
    let trust_text = trust.sign(&practice)?;
    bag.insert(bundle::TRUST, trust_text.clone())?;
    bag.insert(bundle::POLICY, trust.tlog_policy())?;
    let facts = ReadmeFacts {
        practice: "Bench".into(),
        case: "B-1".into(),
        zip_name: "bundle.zip".into(),
        practice_words: trust.practice_words(),
        checkpoint_words: String::new(),
        log_size: checkpoint.size,
        made: "2026-11-22T15:00:00Z".into(),
        time_stamps: Default::default(),
        not_included: Vec::new(),
    };
    bag.insert(bundle::README_TXT, readme_text(&facts))?;
    bag.insert(bundle::README_HTML, readme_html(&facts))?;
    let absent =
        [bundle::CUSTODY, bundle::COVERAGE, bundle::VERSIONS].map(|path| format!("{path}: a bench has none"));
    let info = BagInfo {
        source_organization: "Bench".into(),
        external_identifier: "B-1".into(),
        bagging_date: "2026-11-22".into(),
        log_origin: checkpoint.origin,
        log_size: checkpoint.size,
        log_root: checkpoint.root,
        range_from: "2026-11-20T00:00:00Z".into(),
        range_to: "2026-11-21T00:00:00Z".into(),
        disclosed_events: count(rows.len())?,
        withheld_events: 0,
        legal_hold_id: None,
        provable_up_to: provable_up_to(bag.payload(), &trust),
        not_included: absent.to_vec(),
    };
    Ok(Ledger { files: bag.seal(&info, &bundle_key)?, trust: trust_text })
}

fn count(n: usize) -> Result<u64> {
    Ok(u64::try_from(n)?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "memory is looked at every few milliseconds; no test waits here"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// Runs a command to its end: seconds, and the most memory that was seen, read every few milliseconds.
fn timed(command: &mut Command) -> Result<(f64, u64)> {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        most = usage::of(child.id()).map_or(most, |seen| seen.resident_max.max(most));
        pause();
    };
    let seconds = began.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok((seconds, most))
}

const MIB: f64 = 1024.0 * 1024.0;

/// Measures.
pub(crate) fn measure() -> Result<Table> {
    let mut table = Table::new("evidence: a bundle of 100,000 entries, all shown");
    let began = Instant::now();
    let Ledger { files, trust } = made()?;
    table.row("made: frozen, signed, rows, timeline, sums", began.elapsed().as_secs_f64(), "s");
    let began = Instant::now();
    let packed = zip(&files, "bundle")?;
    table.row("packed into one ZIP file", began.elapsed().as_secs_f64(), "s");
    let own = usage::of(std::process::id())?.resident_max;
    table.row("peak memory of making and packing", float(own) / MIB, "MiB");
    let bytes =
        files.values().map(Vec::len).fold(0u64, |sum, n| sum.saturating_add(n.try_into().unwrap_or(0)));
    table.row("the bundle's files", float(bytes) / MIB, "MiB");
    table.row("the ZIP file", float(count(packed.len())?) / MIB, "MiB");
    let began = Instant::now();
    for file in files.values() {
        let _hash = std::hint::black_box(Hash::of(file));
    }
    table.row("SHA-256 of the same bytes, one core (the limit)", began.elapsed().as_secs_f64(), "s");
    let scratch = tempfile::tempdir()?;
    let (bundle, trusted) = (scratch.path().join("bundle.zip"), scratch.path().join("trust.txt"));
    std::fs::write(&bundle, packed)?;
    std::fs::write(&trusted, trust)?;
    drop(files);
    let arguments = [bundle.as_os_str(), "--trust".as_ref(), trusted.as_os_str()];
    let (seconds, memory) = timed(Command::new(program::binary("ntk-verify")?).args(arguments))?;
    table.row("ntk-verify of the ZIP file (aim: under 2)", seconds, "s");
    table.row("peak memory of ntk-verify", float(memory) / MIB, "MiB");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/verify/verify_bundle.py");
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let probe = Command::new(python).args(["-c", "import cryptography"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    match python {
        Some(python) => {
            let (seconds, memory) = timed(Command::new(python).arg(script).args(arguments))?;
            table.row("verify_bundle.py of the ZIP file", seconds, "s");
            table.row("peak memory of verify_bundle.py", float(memory) / MIB, "MiB");
        }
        None => eprintln!("verify_bundle.py is not timed: python3-cryptography is not installed"),
    }
    Ok(table)
}
