//! EV-2: texts and acts from outside give a value or an error, never a panic.

use jiff::tz::TimeZone;
use ntk_evidence::act;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::finding::step::StepAct;
use crate::policy::{Policy, TEMPLATES};
use crate::roster::{Roster, csv};

/// A text with some of its letters replaced, dropped or doubled.
fn damaged(text: &'static str) -> impl Strategy<Value = String> {
    let blows = prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0u8..4), 1..6);
    blows.prop_map(move |blows| {
        let mut letters: Vec<char> = text.chars().collect();
        for (at, letter, how) in blows {
            if letters.is_empty() {
                break;
            }
            let at = at.index(letters.len());
            match how {
                0 => letters[at] = letter,
                1 => drop(letters.remove(at)),
                2 => letters.insert(at, letter),
                _ => letters.truncate(at.max(1)),
            }
        }
        letters.into_iter().collect()
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "requested",
        "approved",
        "declined",
        "closed",
        "refused",
        "opened",
        "acknowledged",
        "asked",
        "answered",
        "decided",
        "T-1",
        "B-1",
        "T-99999999999999999999",
        "mary",
        "everything",
        "mailbox",
        "2026-11-25T10:00:00Z",
        "",
    ]);
    let keys = prop::sample::select(vec![
        "step",
        "ticket",
        "id",
        "by",
        "from",
        "to",
        "assignee",
        "class",
        "scope",
        "owner",
        "kind",
        "reason",
        "requested_by",
        "via",
        "person",
        "text",
        "findings",
        "question",
        "until",
        "decision",
        "proof",
        "echo",
    ]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i64>().prop_map(|number| json!(number)),
        words.prop_map(|word| json!(word)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| json!(map)),
        ]
    })
}

const CEDAR: &str = r#"
name = "x"
[table.everyone]
login = "always"
[expert.house]
cedar = '''
@id("a") @plain("A.")
permit (principal in Practice::Role::"billing", action == Practice::Action::"read", resource in Practice::Group::"x")
when { context.minute >= 720 && context has tool && context.tool == "AnyDesk" };
'''
"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_table_is_a_table_or_a_sentence(text in prop_oneof![damaged(TEMPLATES[0].1), damaged(CEDAR), any::<String>()]) {
        if let Err(fault) = Policy::parse(&text) {
            prop_assert!(fault.to_string().starts_with("the policy"));
        }
    }

    #[test]
    fn a_damaged_roster_is_a_roster_or_a_sentence(
        text in prop_oneof![damaged(include_str!("../templates/roster-example.toml")), any::<String>()],
    ) {
        if let Err(fault) = Roster::parse(&text) {
            prop_assert!(fault.to_string().starts_with("the roster"));
        }
        let _ = csv::merge(&text, "");
    }

    #[test]
    fn an_act_that_nobody_should_have_written_changes_nothing_and_ends_nothing(bodies in prop::collection::vec(any_json(), 1..6)) {
        let mut engine = Engine::new(TimeZone::UTC);
        for body in bodies {
            let _ = StepAct::of_body(&body);
            for kind in [act::kind::TICKET, act::kind::BREAK_GLASS, act::kind::ROSTER, act::kind::FINDING_STEP] {
                let before = engine.snapshot().clone();
                if engine.act(&act::event(kind, "2026-11-25T10:00:00Z", body.clone())).is_err() {
                    prop_assert_eq!(engine.snapshot(), &before);
                }
            }
        }
    }
}
