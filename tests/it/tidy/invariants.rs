//! Each numbered invariant stands in ARCHITECTURE.md, beside the line that upholds it, and in a test.

use std::collections::BTreeSet;

use super::{Source, none, some, sources};

/// The promises this house began with; ARCHITECTURE.md may add to them.
const PROMISED: &[&str] = &[
    "EV-1", "EV-2", "SE-1", "SP-1", "SP-2", "SP-3", "SP-4", "UP-1", "LG-1", "LG-2", "LG-3", "ND-1", "ND-2",
    "RP-1", "RP-2", "RP-3", "PR-1", "PR-2", "AR-1",
];

/// Files that speak about invariants without upholding or testing one.
const THIS_RULE: &str = "tests/it/tidy/invariants.rs";

fn unkept(sources: &[Source]) -> Vec<String> {
    let map =
        sources.iter().find(|source| source.path == "ARCHITECTURE.md").map_or("", |source| &source.text);
    let mut names: BTreeSet<String> = PROMISED.iter().map(|&name| name.to_owned()).collect();
    names.extend(named(map));
    let rust: Vec<&Source> =
        sources.iter().filter(|source| source.is_rust() && source.path != THIS_RULE).collect();
    let code: BTreeSet<String> = rust.iter().flat_map(|source| named(source.split_tests().0)).collect();
    let tests: BTreeSet<String> = rust.iter().flat_map(|source| named(source.split_tests().1)).collect();
    // AR-1 is upheld by the test that reads the walls, and by nothing in a room.
    let code_or_walls = |name: &String| code.contains(name) || name == "AR-1";
    let mut complaints = Vec::new();
    for name in &names {
        if !named(map).contains(name) {
            complaints.push(format!("{name} is not in ARCHITECTURE.md"));
        }
        if !code_or_walls(name) {
            complaints.push(format!("{name} stands beside no line of code"));
        }
        if !tests.contains(name) {
            complaints.push(format!("{name} is held by no test: name it in the test's comment"));
        }
    }
    for name in code.difference(&names) {
        complaints.push(format!("{name} stands in code but not in ARCHITECTURE.md"));
    }
    complaints
}

/// Names of the form `XX-1` in a text, where XX is a known room; `SP-1..4` and other numbers are not guessed.
fn named(text: &str) -> BTreeSet<String> {
    let rooms: BTreeSet<&str> = PROMISED.iter().filter_map(|name| name.split('-').next()).collect();
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices('-') {
        let before: String = text[..at].chars().rev().take_while(char::is_ascii_alphanumeric).collect();
        let room: String = before.chars().rev().collect();
        let number: String = text[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        if rooms.contains(room.as_str()) && !number.is_empty() {
            found.insert(format!("{room}-{number}"));
        }
    }
    found
}

#[test]
fn every_invariant_is_named_upheld_and_tested() {
    none(&unkept(&sources()));
}

#[test]
fn an_invariant_that_is_only_a_word_is_seen() {
    let all = PROMISED.join(" ");
    let house = |map: &str, code: &str, test: &str| {
        vec![
            Source::new("ARCHITECTURE.md", map),
            Source::new(
                "agent/src/spool.rs",
                &format!("//! {code}\n#[cfg(test)]\nmod tests {{ // {test}\n}}\n"),
            ),
        ]
    };
    none(&unkept(&house(&all, &all, &all)));
    some(&unkept(&house("", &all, &all)), "SP-4 is not in ARCHITECTURE.md");
    some(&unkept(&house(&all, &all.replace("SP-4", ""), &all)), "SP-4 stands beside no line of code");
    some(&unkept(&house(&all, &all, &all.replace("SP-4", ""))), "SP-4 is held by no test");
    some(&unkept(&house(&format!("{all} LG-9"), &all, &all)), "LG-9 stands beside no line");
    some(
        &unkept(&house(&all, &format!("{all} LG-9"), &all)),
        "LG-9 stands in code but not in ARCHITECTURE.md",
    );
}
