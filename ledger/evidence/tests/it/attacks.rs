//! A bundle from the inside: the forger seals again with the bundle key, so every manifest and signature round
//! the forgery is right. Each attack names the check that must say so.

use ntk_evidence::bundle::range::Range;
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::bundle::{self, entries_path};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::checks::{Status, check};
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::merkle::{CompactRange, leaf_hash};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::tree::MemoryTree;
use serde_json::json;

use crate::practice::{Dice, Draft, Keys, Practice, agent, nothing};

/// Forges a draft, seals it, and expects this check to fail with this status.
#[track_caller]
pub(crate) fn forged(
    practice: &Practice,
    name: &str,
    status: Status,
    edit: impl FnOnce(&mut Draft),
) -> String {
    let mut draft = practice.draft();
    edit(&mut draft);
    let verification = check(&practice.seal(draft), Some(practice.keys.trust_text().as_bytes()));
    let found = verification.checks.iter().find(|check| check.name == name).unwrap();
    assert_eq!(found.status, status, "{:#?}", verification.checks);
    assert_ne!(verification.exit_code(), 0);
    for outside in ["bag-manifests", "bag-tagmanifest", "bag-oxum", "bundle-signature"] {
        let outside = verification.checks.iter().find(|check| check.name == outside).unwrap();
        assert_eq!(outside.status, Status::Passed, "the forger sealed well: {outside:?}");
    }
    found.sentence.clone()
}

fn changed(row: &Row, from: &str, to: &str) -> Row {
    let line = row.line().replacen(from, to, 1);
    assert_ne!(line, row.line());
    serde_json::from_str(&line).unwrap()
}

#[test]
fn rows_that_were_edited_dropped_swapped_or_added_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    forged(&p, "entries", Altered, |d| {
        d.agent_rows()[0] = changed(&d.agent_rows()[0].clone(), "patient-3", "patient-9")
    });
    forged(&p, "entries", Altered, |d| {
        d.agent_rows()[0] = changed(&d.agent_rows()[0].clone(), "itadmin1", "itadmin2")
    });
    forged(&p, "entries", Altered, |d| d.agent_rows()[1] = Row::withheld(4, nothing()));
    let sentence = forged(&p, "entries", Incomplete, |d| drop(d.agent_rows().remove(2)));
    assert_eq!(sentence, "entry 5 of agent/ws-01 [3, 8) is missing");
    forged(&p, "entries", Incomplete, |d| drop(d.agent_rows().pop()));
    forged(&p, "entries", Incomplete, |d| drop(d.agent_rows().remove(0)));
    forged(&p, "entries", Altered, |d| d.agent_rows().swap(0, 2));
    forged(&p, "entries", Altered, |d| {
        let again = d.agent_rows()[0].clone();
        d.agent_rows().insert(1, again);
    });
    forged(&p, "entries", Altered, |d| {
        // The texts of two entries change places and keep their numbers.
        let (a, b) = (d.agent_rows()[0].line(), d.agent_rows()[4].line());
        d.agent_rows()[0] = serde_json::from_str(&b.replacen("\"number\":7", "\"number\":3", 1)).unwrap();
        d.agent_rows()[4] = serde_json::from_str(&a.replacen("\"number\":3", "\"number\":7", 1)).unwrap();
    });
    forged(&p, "entries", NotVerifiable, |d| d.agent_rows().push(Row::withheld(8, nothing())));
    forged(&p, "entries", NotVerifiable, |d| {
        d.rows.insert(Author::agent("ws-09").unwrap(), vec![Row::withheld(0, nothing())]);
    });
    forged(&p, "entries", Altered, |d| {
        d.files.insert("data/entries/notes.jsonl".into(), b"{}\n".to_vec());
    });
    forged(&p, "entries", Incomplete, |d| d.rows.get_mut(&agent()).unwrap().clear());
}

#[test]
fn ranges_that_do_not_fit_their_notes_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    forged(&p, "entries", Altered, |d| d.ranges[1].compact_range_before[0].hash = nothing());
    forged(&p, "entries", Altered, |d| d.ranges[1].compact_range_before[0].size = 4);
    forged(&p, "entries", Incomplete, |d| d.ranges[1].before = None);
    forged(&p, "entries", Altered, |d| d.ranges[0].before = d.ranges[1].before.clone());
    forged(&p, "batch-notes", Altered, |d| d.ranges[1].size = 7);
    forged(&p, "batch-notes", Altered, |d| d.ranges[1].first = 4);
    forged(&p, "batch-notes", Altered, |d| (d.ranges[1].first, d.ranges[1].size) = (9, 8));
    forged(&p, "batch-notes", Altered, |d| d.ranges[1].size = 0);
    forged(&p, "batch-notes", Incomplete, |d| d.ranges[1].note = bundle::note_path(&agent(), 5));
    forged(&p, "batch-notes", NotVerifiable, |d| d.ranges[1].epoch = 1);
    forged(&p, "batch-notes", NotVerifiable, |d| d.ranges[0].epoch = 1);
    forged(&p, "entries", NotVerifiable, |d| d.ranges.clear());
    forged(&p, "entries", NotVerifiable, |d| drop(d.ranges.pop()));
    forged(&p, "entries", Altered, |d| {
        let again = d.ranges[1].clone();
        d.ranges.push(again);
    });
    forged(&p, "batch-notes", Altered, |d| {
        // A range that begins inside a batch, with the right compact range but no note of that size.
        let leaves: Vec<_> = p.entries(&agent()).iter().take(4).map(|(n, e, k)| k.leaf(*n, e)).collect();
        let mut range = Range::new(&agent(), 0, &CompactRange::of(&leaves).unwrap(), 0, 8);
        range.before.as_mut().unwrap().note = bundle::note_path(&agent(), 3);
        range.before.as_mut().unwrap().proof = bundle::proof_path(&agent(), 3);
        d.ranges[1] = range;
        d.agent_rows().remove(0);
    });
}

#[test]
fn notes_that_the_author_did_not_sign_or_the_log_does_not_hold_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    let path = bundle::note_path(&agent(), 8);
    let other = Checkpoint { origin: p.keys.slug.author_origin(&agent()), size: 8, root: nothing() };
    let thief = NoteSigner::new(&other.origin, KeyType::Ed25519, &[66; 32]).unwrap();
    let put = |d: &mut Draft, note: String| drop(d.files.insert(path.clone(), note.into_bytes()));
    forged(&p, "batch-notes", NotVerifiable, |d| put(d, other.sign(&thief).unwrap()));
    forged(&p, "batch-notes", Incomplete, |d| drop(d.files.remove(&path)));
    // The agent's own key, stolen: the signature is right, but the log holds another note.
    forged(&p, "inclusion", Altered, |d| put(d, other.sign(&p.keys.agent).unwrap()));
    forged(&p, "inclusion", Incomplete, |d| drop(d.files.remove(&bundle::proof_path(&agent(), 8))));
    forged(&p, "inclusion", Altered, |d| {
        let proof = d.files[&bundle::proof_path(&agent(), 3)].clone();
        d.files.insert(bundle::proof_path(&agent(), 8), proof);
    });
    forged(&p, "inclusion", Altered, |d| {
        // A proof against an older checkpoint, also signed by the log.
        let proof = String::from_utf8(d.files[&bundle::proof_path(&agent(), 8)].clone()).unwrap();
        let older = Checkpoint { size: 4, root: nothing(), ..p.checkpoint().0 }.sign(&p.keys.log).unwrap();
        let (head, _) = proof.split_once("\n\n").unwrap();
        d.files.insert(bundle::proof_path(&agent(), 8), format!("{head}\n\n{older}").into_bytes());
    });
}

#[test]
fn keys_that_nobody_enrolled_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    forged(&p, "author-keys", NotVerifiable, |d| drop(d.keys.pop()));
    forged(&p, "author-keys", NotVerifiable, |d| d.keys[1].enrolled_by = None);
    forged(&p, "author-keys", NotVerifiable, |d| d.keys[1].enrolled_by.as_mut().unwrap().number = 0);
    forged(&p, "author-keys", NotVerifiable, |d| {
        d.keys[1].enrolled_by.as_mut().unwrap().author = agent().to_string()
    });
    forged(&p, "author-keys", NotVerifiable, |d| d.keys[1].epoch = 1);
    let thief = NoteSigner::new(&p.keys.slug.author_origin(&agent()), KeyType::Ed25519, &[66; 32]).unwrap();
    forged(&p, "author-keys", NotVerifiable, |d| d.keys[1].key = thief.verifier().to_string());
    forged(&p, "author-keys", NotVerifiable, |d| {
        let collector =
            NoteSigner::new(&p.keys.slug.author_origin(&Author::Collector), KeyType::Ed25519, &[66; 32])
                .unwrap();
        d.keys[0].key = collector.verifier().to_string();
    });
    forged(&p, "author-keys", Altered, |d| {
        let again = d.keys[1].clone();
        d.keys.push(again);
    });
    forged(&p, "author-keys", NotVerifiable, |d| {
        // The enrolment is withheld: nothing says whose key this is.
        let (number, entry, key) = p.entries(&Author::Collector)[1];
        d.rows.get_mut(&Author::Collector).unwrap()[1] = Row::withheld(number, key.leaf(number, entry));
    });
    forged(&p, "author-keys", NotVerifiable, |d| {
        // An enrolment that the collector never wrote, in a row that leads elsewhere.
        let rows = d.rows.get_mut(&Author::Collector).unwrap();
        rows[2] = Row::disclosed(
            2,
            &Entry::from_parts([rows[1].parts().unwrap()[0].text().unwrap().into(), vec![], vec![]]).unwrap(),
            &BatchKey::new([1; 32]),
            Paths::Shown,
        );
        d.keys[1].enrolled_by.as_mut().unwrap().number = 2;
    });
    forged(&p, "author-keys", Incomplete, |d| {
        d.ranges.clear();
        d.keys.pop();
    });
    let late = Practice::with(Keys::of(40), "2027-11-20T20:00:01Z", 1);
    forged(&late, "author-keys", NotVerifiable, |_| {});
    let many = Practice::with(Keys::of(40), "2026-11-20T20:30:00Z", 2);
    forged(&many, "author-keys", NotVerifiable, |_| {});
}

#[test]
fn a_rewritten_log_and_a_missing_witness_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    let (checkpoint, note) = p.checkpoint();
    let put =
        |d: &mut Draft, note: String| drop(d.files.insert(bundle::CHECKPOINT.into(), note.into_bytes()));
    let thief = NoteSigner::new(&checkpoint.origin, KeyType::Ed25519, &[66; 32]).unwrap();
    forged(&p, "checkpoint", NotVerifiable, |d| put(d, checkpoint.sign(&thief).unwrap()));
    forged(&p, "checkpoint", Altered, |d| {
        put(d, note.replacen(&checkpoint.root.to_base64(), &nothing().to_base64(), 1))
    });
    forged(&p, "checkpoint", Altered, |d| d.info.log_root = nothing());
    forged(&p, "checkpoint", Altered, |d| d.info.log_size = 6);
    forged(&p, "witnesses", Incomplete, |d| put(d, checkpoint.sign(&p.keys.log).unwrap()));
    forged(&p, "witnesses", Altered, |d| {
        d.files.insert(bundle::POLICY.into(), b"quorum none\n".to_vec()).map_or((), drop)
    });

    // The log's owner leaves out a batch and signs again with all of the collector's keys: nobody cosigned that.
    let mut rewritten = Practice::new();
    rewritten.batches.remove(2);
    rewritten.tree = MemoryTree::of(rewritten.batches.iter().map(|batch| leaf_hash(&batch.note)));
    let sentence = forged(&rewritten, "witnesses", Altered, |d| {
        let own = rewritten.checkpoint().0.sign(&rewritten.keys.log).unwrap();
        let (_, cosignature) = note.split_at(note.rfind("— ").unwrap());
        put(d, format!("{own}{cosignature}"));
    });
    assert!(sentence.contains("does not fit"), "{sentence}");
}

#[test]
fn renderings_and_numbers_that_tell_something_else_are_seen() {
    let p = Practice::new();
    use Status::{Altered, Incomplete, NotVerifiable};
    forged(&p, "timeline", Altered, |d| d.timeline = Some("message\n".into()));
    forged(&p, "counts", Altered, |d| d.info.disclosed_events = 5);
    forged(&p, "counts", Altered, |d| d.info.withheld_events = 0);
    forged(&p, "counts", Incomplete, |d| std::mem::swap(&mut d.info.range_from, &mut d.info.range_to));
    let report = |text: &str| {
        let bytes = text.as_bytes().to_vec();
        move |d: &mut Draft| drop(d.files.insert(bundle::REPORT_JSON.into(), bytes))
    };
    forged(&p, "report-tied", Altered, report(&format!(r#"{{"log":{{"size":5,"root":"{}"}}}}"#, nothing())));
    forged(&p, "report-tied", Altered, report(&format!(r#"{{"log":{{"size":6,"root":"{}"}}}}"#, nothing())));
    forged(
        &p,
        "report-tied",
        Incomplete,
        report(&format!(r#"{{"log":{{"size":4,"root":"{}"}}}}"#, nothing())),
    );
    forged(&p, "report-tied", NotVerifiable, report("{}"));
    forged(&p, "report-tied", Incomplete, |d| drop(d.files.remove(bundle::REPORT_JSON)));
    forged(&p, "bag-structure", Incomplete, |d| drop(d.files.remove(bundle::CUSTODY)));
    forged(&p, "trust-file", Incomplete, |d| drop(d.files.remove(bundle::TRUST)));
    forged(&p, "trust-file", Altered, |d| {
        let other = p.keys.trust_text().replacen("machines-max 1", "machines-max 9", 1);
        d.files.insert(bundle::TRUST.into(), other.into_bytes());
    });
}

#[test]
fn what_the_design_lets_a_bundle_leave_out_is_accepted_when_it_says_so() {
    let p = Practice::new();
    let mut draft = p.draft();
    draft.files.remove(bundle::CUSTODY);
    draft.files.remove(bundle::REPORT_JSON);
    draft.files.remove(bundle::REPORT_HTML);
    draft.info.not_included.push(format!("{} is not written by this version.", bundle::CUSTODY));
    let verification = check(&p.seal(draft), Some(p.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
}

#[test]
fn a_report_of_an_earlier_log_needs_its_consistency_proof() {
    let p = Practice::new();
    let root = ntk_evidence::tree::root(&p.tree, 3).unwrap();
    let proof = ntk_evidence::tree::consistency_proof(&p.tree, 3, p.tree.size()).unwrap();
    let mut draft = p.draft();
    draft.files.insert(
        bundle::REPORT_JSON.into(),
        format!(r#"{{"log":{{"size":3,"root":"{root}"}}}}"#).into_bytes(),
    );
    let lines: String = proof.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
    draft.files.insert(bundle::REPORT_CONSISTENCY.into(), lines.clone().into_bytes());
    let verification = check(&p.seal(draft), Some(p.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    forged(&p, "report-tied", Status::Altered, |d| {
        d.files.insert(
            bundle::REPORT_JSON.into(),
            format!(r#"{{"log":{{"size":4,"root":"{root}"}}}}"#).into_bytes(),
        );
        d.files.insert(bundle::REPORT_CONSISTENCY.into(), lines.into_bytes());
    });
}

#[test]
fn a_bundle_sealed_with_another_key_is_refused() {
    let p = Practice::new();
    let thief = NoteSigner::new(&p.keys.slug.bundle_name(), KeyType::Ed25519, &[66; 32]).unwrap();
    let verification = check(&p.draft().seal(&thief), Some(p.keys.trust_text().as_bytes()));
    let failed: Vec<_> = verification.checks.iter().filter(|check| check.status != Status::Passed).collect();
    assert_eq!(failed.iter().map(|check| check.name).collect::<Vec<_>>(), ["bundle-signature"]);
    assert_eq!(verification.exit_code(), 3);
}

#[test]
fn a_changed_byte_in_rows_proofs_and_timeline_is_seen_without_the_manifests() {
    for practice in [Practice::new(), Practice::rolled(), Practice::restored()] {
        changed_bytes_are_seen_without_the_manifests(&practice);
    }
}

fn changed_bytes_are_seen_without_the_manifests(p: &Practice) {
    let trust = p.keys.trust_text();
    let mut dice = Dice::thrown("a_changed_byte_in_rows_proofs_and_timeline_is_seen_without_the_manifests");
    let sealed = p.bundle();
    let inner = sealed.keys().filter(|path| {
        path.starts_with("data/entries/") || path.starts_with("data/proofs/") || *path == bundle::TIMELINE
    });
    for path in inner {
        let places = if *path == bundle::KEYS { 400 } else { 6 };
        for _ in 0..places {
            let mut changed = sealed.clone();
            let place = dice.below(changed[path].len());
            changed.get_mut(path).unwrap()[place] ^= 1 << dice.below(8);
            let mut bag = bundle::bag::Bag::new();
            for (path, bytes) in changed.iter().filter(|(path, _)| path.starts_with("data/")) {
                bag.insert(path, bytes.clone()).unwrap();
            }
            let verification =
                check(&bag.seal(&p.draft().info, &p.keys.bundle).unwrap(), Some(trust.as_bytes()));
            assert_ne!(verification.exit_code(), 0, "{path} at {place}");
        }
    }
    assert!(sealed.contains_key(&entries_path(&agent())));
}

#[test]
fn a_log_of_which_the_first_entries_are_gone_begins_where_its_enrolment_says_and_nowhere_else() {
    use Status::{Altered, Incomplete};
    let says = |range: &CompactRange| json!({"first": range.size(), "range": range.hashes()});
    let p = Practice::refilled(says);
    let verification = check(&p.bundle(), Some(p.keys.trust_text().as_bytes()));
    assert_eq!(verification.exit_code(), 0, "{:#?}", verification.checks);
    let entries = verification.checks.iter().find(|check| check.name == "entries").unwrap();
    assert!(entries.sentence.contains("entries before 3 are gone"), "{}", entries.sentence);
    forged(&p, "entries", Incomplete, |d| d.ranges[1].compact_range_before[0].hash = nothing());
    forged(&p, "entries", Incomplete, |d| drop(d.agent_rows().remove(0)));
    forged(&p, "entries", Incomplete, |d| {
        let leaves: Vec<_> = p.entries(&agent()).iter().take(2).map(|(n, e, k)| k.leaf(*n, e)).collect();
        let mut range = CompactRange::new(3, d.ranges[1].compact_range().unwrap().hashes().to_vec()).unwrap();
        leaves.into_iter().for_each(|leaf| range.append(leaf).unwrap());
        d.ranges[1] = Range::new(&agent(), 0, &range, 0, 8).known_from_here();
        d.agent_rows().drain(..2);
    });
    // The enrolment says another beginning, none, or one of nothing.
    for (what, status, says) in [
        ("another root", Incomplete, json!({"first": 3, "range": [nothing(), nothing()]})),
        ("another number", Incomplete, json!({"first": 2, "range": [nothing()]})),
        ("too few roots", Incomplete, json!({"first": 3, "range": [nothing()]})),
        ("nothing before", Incomplete, json!({"first": 0, "range": []})),
        ("no word of it", Incomplete, json!(null)),
    ] {
        let p = Practice::refilled(|_| says.clone());
        println!("{what}");
        forged(&p, "entries", status, |_| {});
    }
    // In a ledger that was never refilled no range goes without the note of its beginning.
    forged(&Practice::new(), "entries", Incomplete, |d| d.ranges[1] = d.ranges[1].clone().known_from_here());
    // A second enrolment of the same author cannot move its beginning.
    let mut p = Practice::refilled(says);
    let key = p.keys.agent.verifier().to_string();
    let begins = json!({"first": 5, "range": [nothing(), nothing()]});
    p.act("act_enrolment", json!({"author": agent().to_string(), "key": key, "epoch": 0, "begins": begins}));
    forged(&p, "author-keys", Altered, |_| {});
}
