//! Checkers of the proofs themselves, beside npm's: Go's x/mod note and tlog, PyPI's pymerkle, openssl and PyPI's
//! rfc3161-client for tokens; and our own Python script, which shares no line with the Rust verifier. Each has twins
//! that must fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::strangers::{Checks, judged};
use ntk_tests::{program, skip};

use crate::bundle::{exported, unpack, verify};
use crate::foreign::{run, script, tool};
use crate::tidy::top;

fn go(bag: &Path, trust: &Path) -> Result<(bool, String)> {
    let mut command = Command::new("go");
    command.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").arg("run");
    command.arg(top().join("ledger/verify/check_proofs.go")).arg(bag).arg(trust).arg("twins");
    run(command)
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

/// A time-stamping authority of the test's own, and its token over a text.
struct Authority {
    folder: PathBuf,
}

const CONFIGURATION: &str = "[tsa]\ndefault_tsa=t\n[t]\ndir=.\nserial=./serial\ncrypto_device=builtin\nsigner_cert=./tsa.crt\n\
signer_key=./tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=yes\n\
tsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n[v3tsa]\nbasicConstraints=critical,CA:false\n\
keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n[v3ca]\nbasicConstraints=critical,CA:true\n\
keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n[req]\ndistinguished_name=dn\n[dn]\n";

impl Authority {
    fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("tsa.cnf"), CONFIGURATION)?;
        fs::write(folder.join("serial"), "01\n")?;
        let authority = Self { folder: folder.to_owned() };
        for line in [
            "req -config tsa.cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=TestCA -extensions v3ca",
            "req -config tsa.cnf -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=TestTSA",
            "x509 -req -in tsa.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tsa.crt -days 30 -extfile tsa.cnf -extensions v3tsa",
        ] {
            authority.succeeds(line)?;
        }
        Ok(authority)
    }

    fn openssl(&self, line: &str) -> Result<(bool, String)> {
        let mut command = Command::new("openssl");
        command.args(line.split(' ')).current_dir(&self.folder);
        run(command)
    }

    fn succeeds(&self, line: &str) -> Result<()> {
        let (done, said) = self.openssl(line)?;
        ensure!(done, "openssl {line}: {said}");
        Ok(())
    }
}

#[test]
fn openssl_and_rfc3161_client_accept_a_token_over_the_checkpoint_and_no_changed_one() -> Result<()> {
    if Command::new("openssl").arg("version").output().is_err() {
        skip::skip("foreign::time-stamps", "openssl is not installed; tests/run installs it");
        return Ok(());
    }
    let exported = exported(20)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let authority = Authority::new(&exported.practice.folder().join("tsa"))?;
    let note = fs::read_to_string(bag.join("data/proofs/checkpoint.txt"))?;
    let text = format!("{}\n", note.split_once("\n\n").context("a note")?.0);
    fs::write(authority.folder.join("text"), &text)?;
    authority.succeeds("ts -query -data text -sha256 -out query")?;
    authority.succeeds("ts -reply -config tsa.cnf -section t -queryfile query -out token")?;
    let python = tool("NTK_PYTHON", "foreign::rfc3161-client");
    let both = || -> Result<Vec<(bool, String)>> {
        let mut all =
            vec![authority.openssl("ts -verify -data text -in token -CAfile ca.crt -untrusted tsa.crt")?];
        if let Some(python) = &python {
            let mut command = Command::new(python);
            command.arg(script("timestamp.py")).args(["token", "text", "tsa.crt", "ca.crt"]);
            command.current_dir(&authority.folder);
            all.push(run(command)?);
        }
        Ok(all)
    };
    for (accepted, said) in both()? {
        ensure!(accepted, "{said}");
    }
    let token = fs::read(authority.folder.join("token"))?;
    let mut refused = 0;
    let imprint = ntk_evidence::hash::Hash::of(text.as_bytes());
    let imprint = token.windows(32).position(|bytes| bytes == imprint.as_bytes()).context("an imprint")?;
    // In the token: the imprint, and the signature at its end.
    let places = [("text", text.as_bytes(), [0, text.len() / 2, text.len() - 2])];
    let places = places.into_iter().chain([(
        "token",
        token.as_slice(),
        [imprint + 3, token.len() - 200, token.len() - 2],
    )]);
    for (name, good, places) in places {
        for at in places {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            fs::write(authority.folder.join(name), bad)?;
            for (accepted, said) in both()? {
                ensure!(!accepted, "a changed byte {at} of the {name} was accepted: {said}");
                refused += 1;
            }
        }
        fs::write(authority.folder.join(name), good)?;
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
