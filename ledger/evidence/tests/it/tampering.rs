//! A bundle from the outside: flipped, dropped, added, renamed; whoever does it holds no key.

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::{MANIFEST_SHA256, README_TXT, TAG_MANIFEST_NOTE, TRUST};
use ntk_evidence::checks::{NAMES, Status, Verification, check};

use crate::practice::{Dice, Keys, Practice};

#[track_caller]
fn refused(verification: &Verification, what: &str) {
    assert_ne!(verification.exit_code(), 0, "{what}");
    let failed: Vec<_> = verification.checks.iter().filter(|check| check.status != Status::Passed).collect();
    assert!(!failed.is_empty() && failed.iter().all(|check| !check.sentence.is_empty()), "{what}");
    assert!(failed.iter().any(|check| verification.verdict().contains(check.name)), "{what}");
}

#[test]
fn a_whole_bundle_verifies_only_with_a_trust_file() {
    let practice = Practice::new();
    let bundle = practice.bundle();
    let trusted = check(&bundle, Some(practice.keys.trust_text().as_bytes()));
    assert_eq!(trusted.checks.iter().map(|check| check.name).collect::<Vec<_>>(), NAMES);
    for check in &trusted.checks {
        assert_eq!(check.status, Status::Passed, "{check:?}");
    }
    assert_eq!(trusted.exit_code(), 0);
    assert!(trusted.verdict().starts_with("verified"));
    let entries = trusted.checks.iter().find(|check| check.name == "entries").unwrap();
    assert_eq!(
        entries.sentence,
        "of entries 0..2 of collector, 3 shown, 0 withheld, none missing; of entries 3..7 of agent/ws-01, 3 shown, 2 withheld, none missing"
    );

    let alone = check(&bundle, None);
    assert_eq!(alone.exit_code(), 3);
    let failed: Vec<_> = alone.checks.iter().filter(|check| check.status != Status::Passed).collect();
    assert_eq!(failed.len(), 1);
    let words = practice.keys.trust.practice_words();
    assert_eq!(
        failed[0].sentence,
        format!("consistent in itself; nobody vouched for key {words}: compare with a printed report")
    );
}

#[test]
fn a_changed_byte_in_any_file_is_seen() {
    let practice = Practice::new();
    let (bundle, trust) = (practice.bundle(), practice.keys.trust_text());
    let mut dice = Dice::thrown("a_changed_byte_in_any_file_is_seen");
    for (path, bytes) in &bundle {
        let mut places = vec![0, bytes.len() / 2, bytes.len() - 1];
        places.extend((0..3).map(|_| dice.below(bytes.len())));
        for place in places {
            let mut changed = bundle.clone();
            changed.get_mut(path).unwrap()[place] ^= 1 << dice.below(8);
            let verification = check(&changed, Some(trust.as_bytes()));
            refused(&verification, &format!("{path} at {place}"));
            // Whatever a manifest covers contradicts it: that is an alteration and nothing milder.
            if path != TAG_MANIFEST_NOTE {
                assert_eq!(verification.exit_code(), 1, "{path} at {place}: {}", verification.verdict());
            }
        }
    }
}

#[test]
fn a_dropped_emptied_added_or_renamed_file_is_seen() {
    let practice = Practice::new();
    let (bundle, trust) = (practice.bundle(), practice.keys.trust_text());
    let change = |what: &str, edit: &dyn Fn(&mut Files)| {
        let mut changed = bundle.clone();
        edit(&mut changed);
        let verification = check(&changed, Some(trust.as_bytes()));
        refused(&verification, what);
        verification
    };
    for path in bundle.keys() {
        let dropped = change(path, &|files| drop(files.remove(path)));
        let missing = dropped.checks.iter().any(|check| check.status == Status::Incomplete);
        assert!(missing, "{path} dropped: {:?}", dropped.checks);
        change(path, &|files| files.get_mut(path).unwrap().clear());
        change(path, &|files| files.get_mut(path).unwrap().push(b'\n'));
    }
    for path in [
        "data/extra.txt",
        "extra.txt",
        "data/../x",
        "/etc/passwd",
        "data\\x",
        "data/README-HOW-TO-VERIFY.txt",
        "tagmanifest-md5.txt",
        "manifest-md5.txt",
        "data/entries/agent-ws-09.jsonl",
    ] {
        let added = change(path, &|files| drop(files.insert(path.to_owned(), b"x\n".to_vec())));
        assert_eq!(added.exit_code(), 1, "{path}");
    }
    change("renamed", &|files| {
        let bytes = files.remove(README_TXT).unwrap();
        files.insert("data/README.txt".into(), bytes);
    });
    change("doubled line", &|files| {
        let manifest = files.get_mut(MANIFEST_SHA256).unwrap();
        *manifest = manifest.repeat(2);
    });
}

#[test]
fn nothing_is_never_enough() {
    let practice = Practice::new();
    let trust = practice.keys.trust_text();
    let empty = check(&Files::new(), Some(trust.as_bytes()));
    refused(&empty, "empty");
    assert_eq!(empty.checks.len(), NAMES.len());
    assert_eq!(empty.checks.iter().find(|check| check.status == Status::Passed), None);
    refused(&check(&Files::new(), None), "empty, without trust");
    assert_eq!(check(&practice.bundle(), Some(b"")).exit_code(), 3);
    assert_eq!(check(&practice.bundle(), Some(b"noise")).exit_code(), 3);
}

#[test]
fn another_practices_bundle_is_not_verifiable_under_this_trust_file() {
    let stranger = Practice::with(Keys::of(90), "2026-11-20T20:30:00Z", 1);
    let own = Practice::new();
    let verification = check(&stranger.bundle(), Some(own.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 3, "{:?}", verification.checks);
    let practice_key = verification.checks.iter().find(|check| check.name == "practice-key").unwrap();
    assert!(practice_key.sentence.contains(&stranger.keys.trust.practice_words()));

    let mut replaced = own.bundle();
    replaced.insert(TRUST.into(), stranger.keys.trust_text().into_bytes());
    assert_eq!(check(&replaced, Some(own.keys.trust_text().as_bytes())).exit_code(), 1);
    assert_ne!(check(&replaced, None).exit_code(), 0);
}

#[test]
fn a_second_signature_beside_the_bundles_is_refused() {
    let practice = Practice::new();
    let mut bundle = practice.bundle();
    let note = bundle.get_mut(TAG_MANIFEST_NOTE).unwrap();
    let line = practice.keys.agent.line(&[1; 64]);
    note.extend_from_slice(line.as_bytes());
    assert_eq!(check(&bundle, Some(practice.keys.trust_text().as_bytes())).exit_code(), 1);
}
