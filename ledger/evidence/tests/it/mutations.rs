//! Thousands of seeded mutations of full and redacted bundles, in three powers: none whose meaning changed verifies,
//! except where `mutate::SEAL_ALONE` says by name that only the seal protects it.

use ntk_evidence::bundle;
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::checks::check;

use crate::mutate::{Power, SEAL_ALONE, storm};
use crate::practice::{Dice, Practice, agent};

/// How often each file is mutated under each power.
const ROUNDS: usize = 20;

#[derive(Clone, Copy)]
enum Shows {
    Everything,
    NoPaths,
}

#[track_caller]
fn weathers(name: &str, practice: &Practice, shows: Shows) {
    let mut dice = Dice::thrown(name);
    let mut draft = practice.draft();
    let rows = practice.entries(&agent()).into_iter().skip(3).map(|(number, entry, key)| match shows {
        Shows::Everything => Row::disclosed(number, entry, &key, Paths::Shown),
        // Every other entry is withheld, and of the rest the paths.
        Shows::NoPaths if number % 2 == 0 => Row::withheld(number, key.leaf(number, entry)),
        Shows::NoPaths => Row::disclosed(number, entry, &key, Paths::Withheld),
    });
    *draft.agent_rows() = rows.collect();
    let count = |disclosed: bool| {
        let n = draft.rows.values().flatten().filter(|row| row.is_disclosed() == disclosed).count();
        u64::try_from(n).unwrap()
    };
    (draft.info.disclosed_events, draft.info.withheld_events) = (count(true), count(false));
    let (bundle, trust) = (practice.seal(draft), practice.keys.trust_text());
    for power in [Power::Files, Power::Sums, Power::BundleKey] {
        let judge = |files: &_| check(files, Some(trust.as_bytes())).exit_code();
        let done =
            storm(&bundle, power, ROUNDS, &practice.keys.bundle, &mut |bound| dice.below(bound), judge);
        let tally = done.unwrap_or_else(|verified| panic!("{verified}"));
        println!(
            "{name}, {power:?}: {} refused, {} meant the same, {} of what only the seal protects",
            tally.refused, tally.meant_the_same, tally.seal_alone
        );
        assert!(tally.refused > 100, "{tally:?}");
        assert!(power == Power::BundleKey || tally.seal_alone == 0);
    }
}

#[test]
fn no_mutation_of_a_full_bundle_verifies() {
    weathers("full", &Practice::new(), Shows::Everything);
}

#[test]
fn no_mutation_of_a_redacted_bundle_verifies() {
    weathers("redacted", &Practice::new(), Shows::NoPaths);
}

#[test]
fn no_mutation_of_a_full_bundle_over_three_epochs_verifies() {
    weathers("full, three epochs", &Practice::rolled(), Shows::Everything);
}

#[test]
fn no_mutation_of_a_redacted_bundle_over_three_epochs_verifies() {
    weathers("redacted, three epochs", &Practice::rolled(), Shows::NoPaths);
}

#[test]
fn no_mutation_of_a_bundle_from_behind_a_restore_verifies() {
    weathers("full, restored", &Practice::restored(), Shows::Everything);
}

#[test]
fn what_only_the_seal_protects_is_told_and_never_a_proof_or_an_entry() {
    for (path, why) in SEAL_ALONE {
        println!("protected by the bundle's signature alone: {path}: {why}");
        // Certificates lie beside the answers they are for, and are no proof: whoever checks takes them from elsewhere.
        let is_proof = path.starts_with("data/proofs/") && *path != bundle::TIME_STAMP_CHAIN;
        assert!(!is_proof && !path.starts_with("data/entries/"), "{path}");
    }
}
