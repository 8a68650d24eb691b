//! Two bundles of one log: one blacked out, one whole, and the ways in which one of them is not what was recorded.

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::bundle::{self, entries_path};
use ntk_evidence::checks::agree::{Agreement, Outcome, agree};
use ntk_evidence::name::Author;

use crate::practice::{Draft, Keys, Practice, agent, nothing};

/// The example's bundle with everything shown.
fn whole(practice: &Practice) -> Files {
    let mut draft = practice.draft();
    let all = practice.entries(&agent()).into_iter().skip(3);
    *draft.agent_rows() = all.map(|(n, entry, key)| Row::disclosed(n, entry, &key, Paths::Shown)).collect();
    practice.seal(draft)
}

#[track_caller]
fn compared(practice: &Practice, edit: impl FnOnce(&mut Draft)) -> Agreement {
    let mut draft = practice.draft();
    edit(&mut draft);
    agree(&whole(practice), &practice.seal(draft))
}

#[test]
fn a_blacked_out_bundle_agrees_with_the_whole_one_and_it_is_said_what_is_withheld() {
    let practice = Practice::new();
    let found = compared(&practice, |_| {});
    assert_eq!(found.outcome, Outcome::Agree, "{found:#?}");
    assert_eq!((found.rows_in_common, found.notes_in_common), (8, 3));
    assert!(found.contradictions.is_empty());
    expect_test::expect![[r#"
        A shows entries of agent/ws-01 that B withholds: 2, numbers 4, 6
        A shows the command part of entries of agent/ws-01 that B withholds: 1, numbers 5
        A shows the paths part of entries of agent/ws-01 that B withholds: 1, numbers 5"#]]
    .assert_eq(&found.differences.join("\n"));
    let same = agree(&whole(&practice), &whole(&practice));
    assert_eq!((same.outcome, same.differences), (Outcome::Agree, Vec::new()));
}

#[test]
fn a_text_a_leaf_or_a_note_that_differs_is_a_contradiction() {
    let practice = Practice::new();
    let text = compared(&practice, |draft| {
        let line = draft.agent_rows()[0].line().replacen("patient-3", "patient-9", 1);
        draft.agent_rows()[0] = serde_json::from_str(&line).unwrap();
    });
    assert_eq!(text.outcome, Outcome::Contradict);
    assert_eq!(
        text.contradictions,
        [
            "entry 3 of agent/ws-01 is one entry in A and another in B",
            "the paths part of entry 3 of agent/ws-01 has one text in A and another in B"
        ]
    );
    let leaf = compared(&practice, |draft| draft.agent_rows()[1] = Row::withheld(4, nothing()));
    assert_eq!(leaf.outcome, Outcome::Contradict);
    let note = compared(&practice, |draft| {
        let path = "data/proofs/agent-ws-01-8.note";
        let bytes = draft.files.get_mut(path).unwrap();
        bytes[20] ^= 1;
    });
    assert_eq!(note.contradictions, ["`data/proofs/agent-ws-01-8.note` is one note in A and another in B"]);
    let broken = compared(&practice, |_| {});
    assert_eq!(broken.outcome, Outcome::Agree);
    let mut files = practice.bundle();
    files.insert(entries_path(&agent()), b"no row\n".to_vec());
    assert_eq!(
        agree(&whole(&practice), &files).outcome,
        Outcome::Contradict,
        "what cannot be read agrees with nothing"
    );
}

#[test]
fn logs_of_two_practices_and_empty_files_have_nothing_in_common_or_cannot_be_read() {
    let (one, other) = (Practice::new(), Practice::with(Keys::of(80), "2026-11-20T20:30:00Z", 1));
    assert_eq!(agree(&one.bundle(), &other.bundle()).outcome, Outcome::NothingInCommon);
    assert_eq!(agree(&Files::new(), &Files::new()).outcome, Outcome::Contradict);
    let only = |practice: &Practice, keep: &str| {
        let mut files = practice.bundle();
        files.retain(|path, _| path.contains("checkpoint") || path.contains(keep));
        files
    };
    let (agents, acts) = (only(&one, "entries/agent"), only(&one, "entries/collector"));
    let found = agree(&agents, &acts);
    assert_eq!(found.outcome, Outcome::NothingInCommon, "{found:#?}");
    assert_eq!(found.outcome.exit_code(), 3);
}

#[test]
fn what_an_announced_restore_made_void_contradicts_nothing_and_everything_else_still_does() {
    // The old log went on to six batches, as the new one did, with another last act.
    let (mut before, after) = (Practice::new(), Practice::restored());
    before.act("act_policy", serde_json::json!({"table": "1"}));
    assert_eq!(before.tree.size(), after.tree.size());
    for (a, b, older) in [(before.bundle(), after.bundle(), "A"), (after.bundle(), before.bundle(), "B")] {
        let found = agree(&a, &b);
        assert_eq!(found.outcome, Outcome::Agree, "{found:#?}");
        assert!(
            found.differences[0].starts_with(&format!("{older} was made before this: A copy")),
            "{found:#?}"
        );
        let acts = "A and B have other acts of the collector behind the restore: 1, numbers 3";
        assert!(found.differences.iter().any(|said| said == acts), "{found:#?}");
    }
    // Without the practice key's word it is two histories of one log.
    let mut silent = after.draft();
    silent.files.insert(bundle::TRUST.into(), before.keys.trust_text().into_bytes());
    let silent = agree(&before.bundle(), &after.seal(silent));
    assert_eq!(silent.outcome, Outcome::Contradict, "{silent:#?}");
    // An act from before the restore, and an entry of a machine, are explained by nothing.
    let changed = |author: Author, from: &str, to: &str| {
        let mut draft = after.draft();
        let rows = draft.rows.get_mut(&author).unwrap();
        let row = rows.iter_mut().find(|row| row.line().contains(from)).unwrap();
        *row = serde_json::from_str(&row.line().replacen(from, to, 1)).unwrap();
        agree(&before.bundle(), &after.seal(draft)).outcome
    };
    assert_eq!(changed(Author::Collector, "Maple", "Apple"), Outcome::Contradict);
    assert_eq!(changed(agent(), "patient-7", "patient-9"), Outcome::Contradict);
}

#[test]
fn one_size_of_one_log_has_one_root() {
    let one = Practice::new();
    // The same keys, another history: the log was begun again.
    let other = Practice::with(Keys::of(40), "2026-11-20T20:31:00Z", 1);
    let found = agree(&one.bundle(), &other.bundle());
    assert_eq!(found.outcome, Outcome::Contradict);
    assert!(found.contradictions[0].contains("has one root in A and another in B"), "{found:#?}");
}
