//! The verifier that `tests/run` builds for strangers: one file without libraries and without a network, small enough
//! to mail.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::{program, skip};

/// The largest that it may be, bytes.
const BYTES_MAX: u64 = 5_000_000;

#[test]
fn the_verifier_for_strangers_is_static_and_under_five_megabytes() -> Result<()> {
    let Some(verifier) = std::env::var_os("NTK_STATIC_VERIFIER") else {
        skip::skip("static verifier's size", "NTK_STATIC_VERIFIER is not set; tests/run builds it");
        return Ok(());
    };
    let listed = Command::new("ldd").arg(&verifier).output()?;
    let said = program::text(&listed.stdout) + &program::text(&listed.stderr);
    ensure!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
    let bytes = fs::metadata(&verifier)?.len();
    println!("the static verifier has {bytes} bytes");
    ensure!(bytes < BYTES_MAX, "{bytes} bytes are more than {BYTES_MAX}");
    Ok(())
}

#[test]
fn no_crate_of_the_verifier_can_reach_a_network() -> Result<()> {
    // Of rustix only the terminal's width is used, by clap; that our own two crates name no socket is looked at below.
    const NETWORK: [&str; 9] =
        ["tokio", "mio", "socket2", "hyper", "ureq", "reqwest", "rustls", "tonic", "openssl"];
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(crate::tidy::top().join("Cargo.toml"))
        .other_options(vec!["--locked".to_owned(), "--filter-platform=x86_64-unknown-linux-gnu".to_owned()])
        .exec()?;
    let resolve = metadata.resolve.as_ref().context("a resolved graph")?;
    let verifier =
        metadata.packages.iter().find(|package| package.name == "ntk-verify").context("ntk-verify")?;
    let (mut todo, mut seen) = (vec![verifier.id.clone()], std::collections::BTreeSet::new());
    while let Some(id) = todo.pop() {
        let node = resolve.nodes.iter().find(|node| node.id == id).context("a node of the graph")?;
        let normal = node.deps.iter().filter(|dep| {
            dep.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal)
        });
        for dep in normal {
            if seen.insert(dep.pkg.clone()) {
                todo.push(dep.pkg.clone());
            }
        }
    }
    let names: Vec<String> = metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.to_string())
        .collect();
    ensure!(names.len() > 10, "crates of the verifier: {names:?}");
    for name in &names {
        ensure!(!NETWORK.contains(&name.as_str()), "`{name}` is among the verifier's crates: {names:?}");
    }
    let mut todo =
        vec![crate::tidy::top().join("ledger/verify/src"), crate::tidy::top().join("ledger/evidence/src")];
    let mut n_files = 0;
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                todo.push(entry?.path());
            }
        } else {
            let text = fs::read_to_string(&path)?;
            let socket = ["std::net", "TcpStream", "UdpSocket", "UnixStream"]
                .iter()
                .find(|word| text.contains(**word));
            ensure!(socket.is_none(), "{} names {socket:?}", path.display());
            n_files += 1;
        }
    }
    ensure!(n_files > 30, "{n_files} files of the verifier");
    Ok(())
}
