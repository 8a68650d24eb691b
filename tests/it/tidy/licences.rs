//! Licences and banned crates of what is shipped, from `deny.toml`, which `cargo deny` reads too.
//!
//! Here they are held without that program: the closure of the three binaries, without test dependencies.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata};

use super::arrows::metadata;
use super::{none, some, top};

const SHIPPED: &[&str] = &["ntk-agent", "ntk-collector", "ntk-verify"];

/// What `deny.toml` says.
struct Rules {
    allow: BTreeSet<String>,
    ban: BTreeSet<String>,
}

impl Rules {
    fn read() -> Self {
        let text = std::fs::read_to_string(top().join("deny.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let words = |list: &toml::Value, key: &str| -> BTreeSet<String> {
            let word = |value: &toml::Value| match value {
                toml::Value::Table(table) => table[key].as_str().unwrap().to_owned(),
                value => value.as_str().unwrap().to_owned(),
            };
            list.as_array().unwrap().iter().map(word).collect()
        };
        Self { allow: words(&table["licenses"]["allow"], ""), ban: words(&table["bans"]["deny"], "crate") }
    }
}

/// Names and licences of everything that ends in a binary we ship.
fn shipped(metadata: &Metadata) -> BTreeMap<String, String> {
    let graph = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let packages: BTreeMap<_, _> = metadata.packages.iter().map(|package| (&package.id, package)).collect();
    let roots = metadata.workspace_packages();
    let roots = roots.iter().filter(|package| SHIPPED.contains(&package.name.as_str()));
    let mut waiting: Vec<_> = roots.map(|package| &package.id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            let kept = nodes[id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development)
            });
            waiting.extend(kept.map(|dependency| &dependency.pkg));
        }
    }
    let entry = |id: &&cargo_metadata::PackageId| {
        let package = packages[*id];
        (format!("{} {}", package.name, package.version), package.license.clone().unwrap_or_default())
    };
    seen.iter().map(entry).collect()
}

fn not_ours_to_ship(shipped: &BTreeMap<String, String>, rules: &Rules) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, licence) in shipped {
        if !permitted(licence, &rules.allow) {
            complaints.push(format!("`{name}` is under `{licence}`, which deny.toml does not allow"));
        }
        if rules.ban.contains(name.split(' ').next().unwrap_or_default()) {
            complaints.push(format!("`{name}` is banned by deny.toml"));
        }
    }
    complaints
}

/// Whether one way to read a licence expression is allowed: `OR` binds weaker than `AND`, as in SPDX.
fn permitted(expression: &str, allow: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (answer, rest) = any_of(&words, allow);
    answer && rest.is_empty() && !words.is_empty()
}

fn any_of<'a>(words: &'a [&'a str], allow: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut answer, mut rest) = all_of(words, allow);
    while let ["OR", more @ ..] = rest {
        let (next, left) = all_of(more, allow);
        (answer, rest) = (answer || next, left);
    }
    (answer, rest)
}

fn all_of<'a>(words: &'a [&'a str], allow: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut answer, mut rest) = one(words, allow);
    while let ["AND", more @ ..] = rest {
        let (next, left) = one(more, allow);
        (answer, rest) = (answer && next, left);
    }
    (answer, rest)
}

fn one<'a>(words: &'a [&'a str], allow: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => match any_of(inner, allow) {
            (answer, [")", rest @ ..]) => (answer, rest),
            (_, rest) => (false, rest),
        },
        [name, "WITH", exception, rest @ ..] => (allow.contains(&format!("{name} WITH {exception}")), rest),
        [name, rest @ ..] => (allow.contains(*name), rest),
        [] => (false, words),
    }
}

#[test]
fn what_is_shipped_may_be_shipped() {
    let shipped = shipped(&metadata());
    assert!(shipped.len() > 100, "the closure was found: {}", shipped.len());
    none(&not_ours_to_ship(&shipped, &Rules::read()));
}

#[test]
fn a_licence_or_a_crate_that_is_not_allowed_is_seen() {
    let rules = Rules::read();
    let check = |name: &str, licence: &str| {
        not_ours_to_ship(&BTreeMap::from([(name.to_owned(), licence.to_owned())]), &rules)
    };
    for fine in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
        none(&check("a 1.0.0", fine));
    }
    for not_fine in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "(MIT", "(MIT AND AGPL-3.0)"] {
        some(&check("a 1.0.0", not_fine), "does not allow");
    }
    for banned in ["aws-lc-rs 1.0.0", "openssl 0.10.0", "openssl-sys 0.9.0"] {
        some(&check(banned, "MIT"), "banned");
    }
}
