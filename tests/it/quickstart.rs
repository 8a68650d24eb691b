//! `deploy/quickstart --once`, as a newcomer types it: one real access by another login, a finding that names that
//! login, report, bundle, verification; the kernel's audit as before.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use ntk_tests::{audit_state, program, skip};

use crate::bundle::{every_flipped_byte_is_seen, verify};
use crate::tidy::top;

#[test]
fn live_quickstart_once_shows_a_real_access_from_record_to_verified_bundle() -> Result<()> {
    if let Err(why) = audit_state::free_for_a_test() {
        skip::skip("live_quickstart_once", &why);
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    // The script and nothing else of the project: it writes below its own folder only.
    let deploy = scratch.path().join("clone/deploy");
    std::fs::create_dir_all(&deploy)?;
    std::fs::copy(top().join("deploy/quickstart"), deploy.join("quickstart"))?;
    let before = audit_state::read()?;
    let binaries = program::binary("ntk-agent")?.parent().map(std::path::Path::to_owned);
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let output = Command::new(deploy.join("quickstart"))
        .arg("--once")
        .env("NTK_BINARIES", binaries.unwrap_or_default())
        .env("NTK_QUICKSTART_PORT", port.to_string())
        .stdin(Stdio::null())
        .output()?;
    let said = program::text(&output.stdout) + &program::text(&output.stderr);
    println!("{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("held by Northwind IT"), "the finding names who holds the login: {said}");
    assert!(said.contains("working as root"), "and that root's rights were in use: {said}");
    assert!(said.contains("and after, the same"), "before and after are compared: {said}");
    assert_eq!(audit_state::read()?, before, "rules and state of the kernel's audit are as before");

    let out = scratch.path().join("clone/var/quickstart/out");
    for name in ["report.html", "report.pdf", "report.json", "bundle.zip", "trust.txt"] {
        assert!(out.join(name).metadata()?.len() > 200, "{name}");
    }
    let (bundle, trust) = (out.join("bundle.zip"), out.join("trust.txt"));
    let (code, said) = verify(&bundle, None)?;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("compare with a printed report"), "{said}");
    // What it says to compare stands on the report: the practice key in twelve words.
    let words =
        said.split("for key ").nth(1).and_then(|rest| rest.split(':').next()).context("twelve words")?;
    assert_eq!(words.split(' ').count(), 12, "{words}");
    assert!(std::fs::read_to_string(out.join("report.html"))?.contains(words), "{words}");
    every_flipped_byte_is_seen(&bundle, &trust, scratch.path())
}
