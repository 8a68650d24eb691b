//! Checkers of the proofs themselves, beside npm's: Go's x/mod note and tlog, PyPI's pymerkle, openssl and PyPI's
//! rfc3161-client for tokens; and our own Python script, which shares no line with the Rust verifier. Each has twins
//! that must fail.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::authority::{Authority, openssl};
use ntk_tests::practice::Practice;
use ntk_tests::strangers::{Checks, judged};
use ntk_tests::{program, skip};

use crate::bundle::{exported, exported_by, unpack, verify};
use crate::foreign::{run, script, tool};
use crate::tidy::top;
use crate::time_stamps::newest;

fn go(bag: &Path, trust: &Path) -> Result<(bool, String)> {
    let mut command = Command::new("go");
    command.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").arg("run");
    command.arg(top().join("ledger/verify/check_proofs.go")).arg(bag).arg(trust).arg("twins");
    run(command)
}

/// Whether Go accepts the proofs of a bag; nothing where it is not here.
pub(crate) fn go_accepts(bag: &Path, trust: &Path) -> Result<Option<bool>> {
    let packages = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/note").is_dir();
    if !packages || Command::new("go").arg("version").output().is_err() {
        skip::skip("foreign::go", "golang-go and golang-golang-x-mod-dev are not installed; tests/run does");
        return Ok(None);
    }
    Ok(Some(go(bag, trust)?.0))
}

#[test]
fn go_accepts_signatures_inclusion_and_the_root_over_all_rows() -> Result<()> {
    let packages = Path::new("/usr/share/gocode/src/golang.org/x/mod/sumdb/note").is_dir();
    if !packages || Command::new("go").arg("version").output().is_err() {
        skip::skip("foreign::go", "golang-go and golang-golang-x-mod-dev are not installed; tests/run does");
        return Ok(());
    }
    let exported = exported(80)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let (accepted, said) = go(&bag, &exported.trust)?;
    println!("{said}");
    ensure!(accepted && said.contains("checks hold") && !said.contains(" 0 twins"), "{said}");
    // What the driver itself is worth: files damaged on disk.
    for name in ["data/proofs/checkpoint.txt", "data/entries/agent-front-desk.jsonl"] {
        let path = bag.join(name);
        let good = fs::read(&path)?;
        let mut bad = good.clone();
        let at = bad.len() / 2;
        bad[at] ^= 1;
        fs::write(&path, bad)?;
        ensure!(!go(&bag, &exported.trust)?.0, "Go should refuse a changed {name}");
        fs::write(&path, good)?;
    }
    judged(Checks::Proofs, "Go x/mod note and tlog");
    Ok(())
}

#[test]
fn pymerkle_accepts_inclusion() -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", "foreign::pymerkle") else { return Ok(()) };
    let exported = exported(40)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let mut command = Command::new(&python);
    command.arg(script("merkle.py")).arg(bag.join("data/proofs"));
    let (accepted, said) = run(command)?;
    println!("{said}");
    ensure!(accepted && said.contains("twins refused"), "{said}");
    judged(Checks::Proofs, "PyPI pymerkle");
    Ok(())
}

/// A token out of a bundle: what the collector asked for, its exporter wrote, and openssl signed.
#[test]
fn openssl_and_rfc3161_client_accept_a_bundles_token_over_its_checkpoint_and_no_changed_one() -> Result<()> {
    if !Authority::is_possible() {
        skip::skip("foreign::time-stamps", "openssl is not installed; tests/run installs it");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let authority = Authority::start(scratch.path())?;
    let exported = exported_by(Practice::start_configured(&authority.section(60))?, 20)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let stamps = bag.join("data/proofs/timestamps");
    let (size, _) = newest(&stamps)?;
    for suffix in ["txt", "tsq", "tsr"] {
        fs::copy(stamps.join(format!("{size}.{suffix}")), scratch.path().join(format!("stamp.{suffix}")))?;
    }
    let python = tool("NTK_PYTHON", "foreign::rfc3161-client");
    let all = || -> Result<Vec<(bool, String)>> {
        let verify = "ts -verify -in stamp.tsr -CAfile ca.crt";
        let mut all = vec![openssl(scratch.path(), &format!("{verify} -data stamp.txt"))?];
        if let Some(python) = &python {
            let mut command = Command::new(python);
            command.arg(script("timestamp.py")).args(["stamp.tsr", "stamp.txt", "tsa.crt", "ca.crt"]);
            command.current_dir(scratch.path());
            all.push(run(command)?);
        }
        Ok(all)
    };
    for (accepted, said) in all()? {
        ensure!(accepted, "{said}");
    }
    let (accepted, said) =
        openssl(scratch.path(), "ts -verify -in stamp.tsr -CAfile ca.crt -queryfile stamp.tsq")?;
    ensure!(accepted, "{said}");
    let (text, token) =
        (fs::read(scratch.path().join("stamp.txt"))?, fs::read(scratch.path().join("stamp.tsr"))?);
    let imprint = ntk_evidence::hash::Hash::of(&text);
    let imprint = token.windows(32).position(|bytes| bytes == imprint.as_bytes()).context("an imprint")?;
    let mut refused = 0;
    // In the token: the imprint, and the signature at its end.
    for (name, good, places) in [
        ("stamp.txt", &text, [0, text.len() / 2, text.len() - 2]),
        ("stamp.tsr", &token, [imprint + 3, token.len() - 200, token.len() - 2]),
    ] {
        for at in places {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(scratch.path().join(name), bad)?;
            for (accepted, said) in all()? {
                ensure!(!accepted, "a changed byte {at} of {name} was accepted: {said}");
                refused += 1;
            }
        }
        fs::write(scratch.path().join(name), good)?;
    }
    println!("1 token accepted, {refused} twins refused");
    judged(Checks::Proofs, "openssl ts");
    judged(Checks::Proofs, "PyPI rfc3161-client");
    Ok(())
}

/// What the Python script says of a bundle, and how it ends.
pub(crate) fn script_says(
    python: &Path,
    bundle: &Path,
    trust: Option<&Path>,
) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(python);
    command.arg(top().join("ledger/verify/verify_bundle.py")).arg(bundle);
    if let Some(trust) = trust {
        command.arg("--trust").arg(trust);
    }
    let output = command.output()?;
    Ok((output.status.code(), program::text(&output.stdout) + &program::text(&output.stderr)))
}

/// Where Python is here: the script ends as `ntk-verify` did.
pub(crate) fn script_agrees(
    test: &str,
    bundle: &Path,
    trust: &Path,
    (code, said): &(Option<i32>, String),
) -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", test) else { return Ok(()) };
    let (theirs, words) = script_says(&python, bundle, Some(trust))?;
    ensure!(theirs == *code, "the script says {theirs:?}: {words}\nntk-verify says {code:?}: {said}");
    Ok(())
}

#[test]
fn the_python_script_says_what_ntk_verify_says() -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", "foreign::script") else { return Ok(()) };
    let exported = exported(40)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let say = |bundle: &Path, trust: bool| {
        script_says(Path::new(&python), bundle, trust.then_some(exported.trust.as_path()))
    };
    for bundle in [&exported.bundle, &bag] {
        let (code, said) = say(bundle, true)?;
        ensure!(code == Some(0), "{said}");
        ensure!(say(bundle, false)?.0 == Some(3), "without a trust file nobody vouched");
    }
    let mut compared = 0;
    let entries = fs::read_dir(bag.join("data/proofs"))?.chain(fs::read_dir(bag.join("data/entries"))?);
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.extend(
        ["bag-info.txt", "manifest-sha512.txt", "tagmanifest-sha256.txt.note"].map(|name| bag.join(name)),
    );
    for path in paths.iter().filter(|path| path.is_file()) {
        let good = fs::read(path)?;
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(path, bad)?;
            let (ours, theirs) = (verify(&bag, Some(&exported.trust))?, say(&bag, true)?);
            let place = format!("byte {at} of {}", path.display());
            ensure!(
                theirs.0 == ours.0 && theirs.0 != Some(0),
                "{place}: {theirs:?} where ntk-verify says {ours:?}"
            );
            ensure!(!theirs.1.contains("Traceback"), "{place}: {}", theirs.1);
            compared += 1;
        }
        fs::write(path, good)?;
    }
    println!("{compared} damaged bundles: both say the same");
    Ok(())
}
