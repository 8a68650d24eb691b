//! Arrows between crates, and what `evidence` and `verify` may take from outside (AR-1).

use std::collections::BTreeMap;

use cargo_metadata::{Metadata, MetadataCommand};

use super::{none, some, top};

/// Crate -> what it may depend on inside the workspace, for code, build scripts and tests alike.
const ARROWS: &[(&str, &[&str])] = &[
    ("ntk-proto", &[]),
    ("ntk-segment", &[]),
    ("ntk-evidence", &[]),
    ("ntk-verify", &["ntk-evidence"]),
    ("ntk-windows", &["ntk-evidence"]),
    ("ntk-agent", &["ntk-proto", "ntk-segment", "ntk-evidence", "ntk-windows"]),
    ("ntk-collector", &["ntk-proto", "ntk-segment", "ntk-evidence", "ntk-windows"]),
    (
        "ntk-tests",
        &[
            "ntk-proto",
            "ntk-segment",
            "ntk-evidence",
            "ntk-windows",
            "ntk-verify",
            "ntk-agent",
            "ntk-collector",
        ],
    ),
];

/// What an expert for the other side has to read besides our own code.
const OUTSIDE: &[(&str, &[&str])] = &[
    (
        "ntk-evidence",
        &["serde", "serde_json", "thiserror", "base64", "bip39", "sha2", "hmac", "ed25519-dalek"],
    ),
    (
        "ntk-verify",
        &[
            "serde",
            "serde_json",
            "thiserror",
            "base64",
            "bip39",
            "sha2",
            "hmac",
            "ed25519-dalek",
            "anyhow",
            "clap",
            "clap_complete",
            "zip",
        ],
    ),
];

/// One dependency of one crate.
#[derive(Debug)]
struct Arrow {
    from: String,
    to: String,
    /// Not only for tests.
    shipped: bool,
}

/// The workspace as cargo sees it.
pub(crate) fn metadata() -> Metadata {
    let platform = "--filter-platform=x86_64-unknown-linux-gnu".to_owned();
    MetadataCommand::new()
        .manifest_path(top().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned(), platform])
        .exec()
        .unwrap()
}

fn arrows(metadata: &Metadata) -> Vec<Arrow> {
    let of = |package: &cargo_metadata::Package| {
        let from = package.name.to_string();
        let arrow = move |dependency: &cargo_metadata::Dependency| Arrow {
            from: from.clone(),
            to: dependency.name.clone(),
            shipped: dependency.kind != cargo_metadata::DependencyKind::Development,
        };
        package.dependencies.iter().map(arrow).collect::<Vec<_>>()
    };
    metadata.workspace_packages().into_iter().flat_map(of).collect()
}

fn wrong_arrows(arrows: &[Arrow]) -> Vec<String> {
    let inside: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let outside: BTreeMap<_, _> = OUTSIDE.iter().copied().collect();
    let mut complaints = Vec::new();
    for Arrow { from, to, shipped } in arrows {
        let Some(allowed) = inside.get(from.as_str()) else {
            complaints.push(format!("crate `{from}` is not in the table of arrows"));
            continue;
        };
        if inside.contains_key(to.as_str()) {
            if !allowed.contains(&to.as_str()) {
                complaints.push(format!("`{from}` may not see `{to}`"));
            }
        } else if let Some(allowed) = outside.get(from.as_str())
            && *shipped
            && !allowed.contains(&to.as_str())
        {
            complaints
                .push(format!("`{from}` may not take `{to}`: whoever checks a bundle would have to read it"));
        }
    }
    complaints
}

#[test]
fn arrows_between_crates_point_the_way_of_the_map() {
    none(&wrong_arrows(&arrows(&metadata())));
}

#[test]
fn a_wrong_arrow_is_seen() {
    let arrow = |from: &str, to: &str, shipped| Arrow { from: from.to_owned(), to: to.to_owned(), shipped };
    some(
        &wrong_arrows(&[arrow("ntk-agent", "ntk-collector", false)]),
        "`ntk-agent` may not see `ntk-collector`",
    );
    some(
        &wrong_arrows(&[arrow("ntk-evidence", "ntk-segment", true)]),
        "`ntk-evidence` may not see `ntk-segment`",
    );
    some(&wrong_arrows(&[arrow("ntk-evidence", "tokio", true)]), "may not take `tokio`");
    some(&wrong_arrows(&[arrow("ntk-cellar", "serde", true)]), "not in the table");
    none(&wrong_arrows(&[
        arrow("ntk-evidence", "proptest", false),
        arrow("ntk-verify", "ntk-evidence", true),
    ]));
}
