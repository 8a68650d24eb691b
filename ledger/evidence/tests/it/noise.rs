//! Noise and mutations for every decoder: an answer or an error, never a panic, and never "verified" (EV-2).

use std::collections::BTreeSet;

use ntk_evidence::bundle::range::{ListedKey, Range, to_json};
use ntk_evidence::bundle::row::Row;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::check;
use ntk_evidence::entry::read_event;
use ntk_evidence::note::{SignedNote, VerifierKey};
use ntk_evidence::time::Moment;
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::trust::TrustFile;
use ntk_evidence::witness::AddCheckpoint;

use crate::practice::{Dice, Practice};

/// Every decoder that reads a stranger's bytes.
fn decode(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = SignedNote::parse(bytes);
    let _ = Checkpoint::unverified(bytes);
    let _ = Checkpoint::parse(&text);
    let _ = VerifierKey::parse(&text);
    let _ = TrustFile::parse(bytes);
    let _ = TlogProof::parse(&text).map(|proof| assert_eq!(TlogProof::parse(&proof.to_string()), Ok(proof)));
    let _ =
        AddCheckpoint::parse(&text).map(|body| assert_eq!(AddCheckpoint::parse(&body.to_string()), Ok(body)));
    let _ = Moment::parse(&text);
    if let Ok(event) = read_event(&text, &text, &text) {
        let _ = event.unknown();
    }
    if let Ok(event) = read_event(&text, "", "") {
        let _ = event.unknown();
    }
    if let Ok(row) = serde_json::from_slice::<Row>(bytes) {
        let _ = (row.leaf_hash(), row.event().is_ok());
        assert_eq!(serde_json::from_str::<Row>(&row.line()).unwrap(), row);
    }
    for range in serde_json::from_slice::<Vec<Range>>(bytes).into_iter().flatten() {
        let _ = range.compact_range();
    }
    let _ = serde_json::from_slice::<Vec<ListedKey>>(bytes);
}

/// One of the ways in which bytes go wrong.
fn mutated(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let place = dice.below(bytes.len() + 1);
    match dice.below(6) {
        0 => bytes.truncate(place),
        1 => {
            let length = dice.below(9);
            let noise = dice.bytes(length);
            bytes.splice(place..place, noise);
        }
        2 => {
            let again = bytes[place..].to_vec();
            bytes.extend(again);
        }
        3 => bytes.iter_mut().skip(place).take(4).for_each(|byte| *byte = dice.bytes(1)[0]),
        4 => {
            let digits = bytes.iter().position(u8::is_ascii_digit).unwrap_or_default();
            bytes.splice(digits..digits, *b"18446744073709551615");
        }
        _ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
    }
    bytes
}

#[test]
fn no_bytes_panic_any_decoder() {
    let mut dice = Dice::thrown("no_bytes_panic_any_decoder");
    let mut samples: Vec<Vec<u8>> = Practice::new().bundle().into_values().collect();
    let practice = Practice::new();
    samples.push(format!("old 3\n{}\n\n{}", practice.tree.size(), practice.checkpoint().1).into_bytes());
    samples.push(practice.draft().agent_rows()[0].line().into_bytes());
    samples.push(to_json(&practice.draft().ranges).unwrap());
    samples.extend(
        ["", "\n", "\n\n", "— ", "[[[[", "{\"number\":", "\u{2014} a b\n"]
            .map(|text| text.as_bytes().to_vec()),
    );
    for sample in &samples {
        decode(sample);
        for _ in 0..40 {
            decode(&mutated(sample, &mut dice));
        }
    }
    for _ in 0..500 {
        let length = dice.below(300);
        decode(&dice.bytes(length));
    }
    decode("[".repeat(100_000).as_bytes());
    decode("\n".repeat(100_000).as_bytes());
}

#[test]
fn no_mutated_bundle_panics_or_verifies() {
    let mut dice = Dice::thrown("no_mutated_bundle_panics_or_verifies");
    let practice = Practice::new();
    let (bundle, trust) = (practice.bundle(), practice.keys.trust_text());
    let paths: Vec<String> = bundle.keys().cloned().collect();
    for _ in 0..300 {
        let mut changed = bundle.clone();
        for _ in 0..=dice.below(2) {
            let path = &paths[dice.below(paths.len())];
            let bytes = mutated(&changed[path], &mut dice);
            changed.insert(path.clone(), bytes);
        }
        if changed != bundle {
            assert_ne!(check(&changed, Some(trust.as_bytes())).exit_code(), 0);
        }
        let given = mutated(trust.as_bytes(), &mut dice);
        // A signature line that stands there twice says the same: signed notes drop doubles.
        let lines =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<BTreeSet<_>>();
        if lines(&given) != lines(trust.as_bytes()) {
            assert_ne!(check(&bundle, Some(&given)).exit_code(), 0, "{}", String::from_utf8_lossy(&given));
        }
    }
}

#[test]
fn mutated_insides_under_a_good_seal_do_not_panic() {
    let mut dice = Dice::thrown("mutated_insides_under_a_good_seal_do_not_panic");
    let practice = Practice::new();
    let trust = practice.keys.trust_text();
    let sealed = practice.bundle();
    let inner: Vec<&String> = sealed
        .keys()
        .filter(|path| path.starts_with("data/entries/") || path.starts_with("data/proofs/"))
        .collect();
    for _ in 0..150 {
        let mut bag = ntk_evidence::bundle::bag::Bag::new();
        let chosen = inner[dice.below(inner.len())];
        for (path, bytes) in sealed.iter().filter(|(path, _)| path.starts_with("data/")) {
            let bytes = if path == chosen { mutated(bytes, &mut dice) } else { bytes.clone() };
            bag.insert(path, bytes).unwrap();
        }
        let _ =
            check(&bag.seal(&practice.draft().info, &practice.keys.bundle).unwrap(), Some(trust.as_bytes()));
    }
}
