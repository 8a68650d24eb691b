//! Thousands of seeded mutations of what a real collector made: a full and a redacted bundle under three powers, and
//! the segments of its ledger under self-check. None whose meaning changed verifies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, ensure};
use ntk_collector::home::Home;
use ntk_collector::self_check::self_check;
use ntk_evidence::bundle::bag::Files;
use ntk_evidence::checks::check;
use ntk_segment::reader::Reader;
use ntk_tests::authority::Authority;
use ntk_tests::practice::Practice;

use crate::bundle::{Exported, exported, exported_by, unpack};
use mutate::{Power, storm};

#[path = "../../ledger/evidence/tests/it/mutate.rs"]
mod mutate;

/// How often each file of a bundle is mutated under each power.
const ROUNDS: usize = 8;
/// How often the ledger is mutated.
const LEDGER_ROUNDS: usize = 1500;

/// Chance from `NTK_SEED`, else from the system; prints the seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn thrown(test: &str) -> Self {
        use std::hash::{BuildHasher as _, Hasher as _};
        let seed = std::env::var("NTK_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
        println!("{test}: NTK_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

fn files_of(bundle: &Path, scratch: &Path) -> Result<Files> {
    fn below(root: &Path, folder: &Path, files: &mut Files) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                below(root, &path, files)?;
            } else {
                let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                files.insert(name, fs::read(&path)?);
            }
        }
        Ok(())
    }
    let root = unpack(bundle, scratch)?;
    let mut files = Files::new();
    below(&root, &root, &mut files)?;
    Ok(files)
}

#[test]
fn no_mutation_of_a_real_full_or_redacted_bundle_verifies() -> Result<()> {
    // With time-stamps where openssl is there, so that their files are changed, too.
    let tsa = tempfile::tempdir()?;
    let authority = Authority::is_possible().then(|| Authority::start(tsa.path())).transpose()?;
    let section = authority.as_ref().map(|authority| authority.section(60)).unwrap_or_default();
    let Exported { practice, bundle, trust } = exported_by(Practice::start_configured(&section)?, 30)?;
    let redacted = practice.folder().join("redacted.zip");
    let out = redacted.to_string_lossy().into_owned();
    let question =
        ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "T-2", "--redact", "paths"];
    practice.collector(&[&question[..], &["--out", &out]].concat())?;
    let key = ntk_collector::practice::Practice::open(Home::new(practice.dir()))?.bundle_key()?;
    let trust = fs::read(&trust)?;
    let mut dice = Dice::thrown("no_mutation_of_a_real_full_or_redacted_bundle_verifies");
    for (name, bundle) in [("full", &bundle), ("redacted", &redacted)] {
        let mut files = files_of(bundle, &practice.folder().join(name))?;
        // The verifier's own source is large and only the seal protects it: its mutations would be nearly all.
        let source: Vec<String> = files.keys().filter(|path| path.ends_with(".tar")).cloned().collect();
        source.iter().for_each(|path| drop(files.insert(path.clone(), b"source\n".to_vec())));
        let files = mutate::sealed_again(&files, Power::BundleKey, &key);
        for power in [Power::Files, Power::Sums, Power::BundleKey] {
            let judge = |files: &Files| check(files, Some(&trust)).exit_code();
            let done = storm(&files, power, ROUNDS, &key, &mut |bound| dice.below(bound), judge);
            let tally = done.map_err(|verified| anyhow!("{name}: {verified}"))?;
            println!(
                "{name}, {power:?}: {} refused, {} meant the same, {} of what only the seal protects",
                tally.refused, tally.meant_the_same, tally.seal_alone
            );
            ensure!(tally.refused > 100, "{tally:?}");
        }
    }
    for (path, why) in mutate::SEAL_ALONE {
        println!("protected by the bundle's signature alone: {path}: {why}");
    }
    Ok(())
}

fn segments(ledger: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(ledger)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "seg" || kind == "segz") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// One mutation of a segment's bytes, never to the same bytes.
fn mutated(whole: &[u8], dice: &mut Dice) -> (&'static str, Vec<u8>) {
    let mut bytes = whole.to_vec();
    let length = bytes.len();
    let what = match dice.below(6) {
        0 => {
            bytes.truncate(dice.below(length));
            "cut"
        }
        1 => {
            let (at, n) = (dice.below(length), 1 + dice.below(400));
            let piece = bytes[at..(at + n).min(length)].to_vec();
            bytes.splice(at..at, piece);
            "doubled"
        }
        2 => {
            let (one, two, n) = (dice.below(length), dice.below(length), 1 + dice.below(200));
            let (one, two) = (one.min(two), one.max(two));
            let n = n.min(length - two).min(two - one);
            let (left, right) = bytes.split_at_mut(two);
            left[one..one + n].swap_with_slice(&mut right[..n]);
            "swapped"
        }
        3 => {
            let (at, n) = (dice.below(length), 1 + dice.below(400));
            bytes.drain(at..(at + n).min(length));
            "dropped"
        }
        _ => {
            let at = dice.below(length);
            bytes[at] ^= 1 << dice.below(8);
            "flipped"
        }
    };
    (what, bytes)
}

#[test]
fn no_mutation_of_a_live_ledger_passes_the_self_check() -> Result<()> {
    let Exported { mut practice, .. } = exported(30)?;
    practice.stop_collector()?;
    let open = ntk_collector::practice::Practice::open(Home::new(practice.dir()))?;
    let ledger = practice.dir().join("ledger");
    let judge = || match Reader::open(&ledger).map(|reader| self_check(&open, &reader, |_| {})) {
        Ok(Ok(found)) if found.passed => Some((found.log_size, found.log_root)),
        _ => None,
    };
    let whole = judge().context("the whole ledger passes")?;
    let segments = segments(&ledger)?;
    ensure!(!segments.is_empty(), "segments in {}", ledger.display());
    let mut dice = Dice::thrown("no_mutation_of_a_live_ledger_passes_the_self_check");
    let (mut refused, mut shorter, mut behind, mut nothing) = (BTreeMap::new(), 0u32, 0u32, 0u32);
    for round in 0..LEDGER_ROUNDS {
        let path = &segments[dice.below(segments.len())];
        let good = fs::read(path)?;
        let (what, bad) = mutated(&good, &mut dice);
        if bad == good {
            nothing += 1;
            continue;
        }
        fs::write(path, &bad)?;
        let found = judge();
        fs::write(path, &good)?;
        match found {
            None => *refused.entry(what).or_insert(0u32) += 1,
            // What is cut behind a commit is an older ledger, whole in itself: only those who remember a newer
            // checkpoint can tell, and every agent does (`a_receipt_shows_its_batch_in_a_log_that_only_grows`).
            Some((size, _)) if size < whole.0 => shorter += 1,
            // Bytes behind the last commit belong to no batch: a torn write, cut off by the next start.
            Some(found) if found == whole && bad.starts_with(&good) => behind += 1,
            Some(found) => {
                ensure!(false, "round {round}, {} {what}: it passed as {found:?}", path.display());
            }
        }
    }
    ensure!(judge() == Some(whole), "put back, it passes again");
    println!(
        "refused: {refused:?}; {shorter} were an older ledger, whole in itself; {behind} stood behind the last commit; \
         {nothing} changed nothing"
    );
    ensure!(refused.values().sum::<u32>() > 1000, "{refused:?}");
    Ok(())
}

#[test]
fn the_self_check_of_the_program_names_the_damage_of_a_changed_ledger() -> Result<()> {
    let Exported { mut practice, .. } = exported(10)?;
    practice.stop_collector()?;
    let ledger = practice.dir().join("ledger");
    let path = segments(&ledger)?.pop().context("a segment")?;
    let good = fs::read(&path)?;
    let mut bad = good.clone();
    // In the middle lies a committed batch.
    bad[good.len() / 2] ^= 1;
    fs::write(&path, bad)?;
    let (code, said) = practice.try_collector(&["self-check"])?;
    // 1 where the entries contradict the notes, 74 where the files themselves cannot be read.
    ensure!(matches!(code, Some(1 | 74)), "exit {code:?}: {said}");
    ensure!(said.contains("damaged") || said.contains("does NOT verify"), "{said}");
    Ok(())
}
