//! What an administrator runs and installs on Windows: the script for the audit policy, held to the list that the agent compares
//! machines with, and signatures. The script itself runs on Windows alone, and has not yet.

mod service;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::skip;

use crate::foreign::run;
use crate::tidy::top;

fn script() -> Result<String> {
    Ok(fs::read_to_string(top().join("deploy/windows/audit-policy.ps1"))?)
}

fn list() -> Result<toml::Table> {
    Ok(fs::read_to_string(top().join("agent/data/windows_audit_policy.toml"))?.parse()?)
}

/// Each part of the policy: its name, whether success and failure are wanted, and whether of servers alone.
type Parts = BTreeMap<String, (String, bool, bool, bool)>;

fn parts_of_list() -> Result<Parts> {
    let list = list()?;
    let parts = list["subcategory"].as_array().context("a list")?.iter().map(|part| {
        let text = |name: &str| part[name].as_str().unwrap().to_owned();
        let servers = part.get("servers_only").is_some_and(|value| value.as_bool() == Some(true));
        let (success, failure) = (part.get("success").is_some(), part.get("failure").is_some());
        (text("guid"), (text("name"), success, failure, servers))
    });
    Ok(parts.collect())
}

fn parts_of_script(script: &str) -> Result<Parts> {
    let table = script.split_once("$Wanted = @'\n").context("the table begins")?.1;
    let table = table.split_once("\n'@").context("the table ends")?.0;
    let mut parts = Parts::new();
    for line in table.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let [guid, success, failure, name] = words.as_slice() else { anyhow::bail!("`{line}` is no row") };
        let halves = [*success, *failure];
        ensure!(halves.iter().all(|half| ["S", "V", "-"].contains(half)), "`{line}`");
        let part = (
            name.to_string(),
            *success != "-",
            *failure != "-",
            halves.contains(&"V") && !halves.contains(&"S"),
        );
        parts.insert(guid.to_string(), part);
    }
    Ok(parts)
}

fn number_of_script(script: &str, name: &str) -> Result<i64> {
    let line =
        script.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).context("a number")?;
    Ok(line.strip_prefix("0x").map_or_else(|| line.parse(), |digits| i64::from_str_radix(digits, 16))?)
}

fn differs(script: &str) -> Result<bool> {
    let list = list()?;
    Ok(parts_of_script(script)? != parts_of_list()?
        || number_of_script(script, "$LogBytesMin")? != list["log_bytes_min"].as_integer().unwrap()
        || number_of_script(script, "$AuditedRights")? != list["sacl"]["rights"].as_integer().unwrap()
        || !script.contains(&format!("$EveryoneSid = '{}'", list["sacl"]["sid"].as_str().unwrap())))
}

/// The list stands once: the script writes it down again for its reviewers, and this test holds the two together.
#[test]
fn the_script_sets_what_the_agent_looks_for() -> Result<()> {
    let script = script()?;
    ensure!(parts_of_list()?.len() == 16 && !differs(&script)?, "{:#?}", parts_of_script(&script)?);
    for (from, to) in [
        ("0cce921d", "0cce921e"),
        ("505054503030 S S Logon", "505054503030 S - Logon"),
        ("505054503030 V V Detailed", "505054503030 S S Detailed"),
        ("0x000D0007", "0x000D0006"),
        ("= 536870912", "= 536870911"),
        ("'S-1-1-0'", "'S-1-5-11'"),
    ] {
        ensure!(script.contains(from) && differs(&script.replace(from, to))?, "{from} -> {to} went unseen");
    }
    Ok(())
}

/// What its reviewers rely on without running it.
#[test]
fn the_script_asks_before_each_change_and_names_no_word_of_a_language() -> Result<()> {
    let script = script()?;
    let code: Vec<&str> = script.split_once("#>").context("its head ends")?.1.lines().collect();
    ensure!(code.iter().any(|line| line.contains("SupportsShouldProcess = $true")));
    // Everything that changes the machine stands in one of these functions, each behind a question that -WhatIf answers with no.
    let mut inside = String::new();
    let mut asked = false;
    for line in &code {
        if let Some(rest) = line.strip_prefix("function ") {
            (inside, asked) = (rest.split([' ', '(']).next().unwrap_or_default().to_owned(), false);
        }
        asked |= line.contains("ShouldProcess(");
        let changes = ["$AuditPol $arguments", "'/restore'", "'sl'", "Set-Number $", "Set-Audited $"];
        if changes.iter().any(|word| line.contains(word)) && !line.starts_with("function ") {
            ensure!(asked, "{inside} changes without a question: {line}");
        }
    }
    // Parts by identifier, identities by SID: names are other ones on a German or Japanese Windows.
    for word in ["/category", "/subcategory:\"File", "Everyone\"", "'Everyone'", "Administrators'", "BUILTIN"]
    {
        ensure!(!code.iter().any(|line| line.contains(word)), "the script names `{word}`");
    }
    Ok(())
}

#[test]
fn the_script_is_powershell_by_a_strangers_grammar() -> Result<()> {
    let test = "windows_policy::powershell";
    let Some(python) = std::env::var_os("NTK_PYTHON") else {
        skip::skip(test, "NTK_PYTHON is not set; tests/run installs it");
        return Ok(());
    };
    let mut probe = Command::new(&python);
    probe.args(["-c", "import tree_sitter_powershell"]);
    if !run(probe)?.0 {
        skip::skip(test, "PyPI's tree-sitter-powershell is not installed; tests/run installs it");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let judge = |text: &str| -> Result<(bool, String)> {
        let path = scratch.path().join("script.ps1");
        fs::write(&path, text)?;
        let mut command = Command::new(&python);
        command.arg(top().join("tests/it/windows_policy/powershell.py")).arg(path);
        run(command)
    };
    let script = script()?;
    let (is_good, said) = judge(&script)?;
    ensure!(is_good, "{said}");
    let (is_good, said) = judge(&script.replacen("function Set-Log {", "function Set-Log ", 1))?;
    ensure!(!is_good, "a bracket too few went unseen: {said}");
    Ok(())
}

fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder);
    let (is_good, said) = run(command)?;
    ensure!(is_good, "openssl {arguments:?}: {said}");
    Ok(())
}

fn sign(file: &Path, environment: &[(&str, &Path)]) -> Result<(bool, String)> {
    let mut command = Command::new(top().join("deploy/windows/sign"));
    for name in ["PKCS12", "PASSWORD_FILE", "CERTIFICATE", "KEY", "TIME_STAMP"] {
        command.env_remove(format!("NTK_SIGN_{name}"));
    }
    run({
        command.arg(file).envs(environment.iter().copied());
        command
    })
}

/// What there is to sign: what was built for Windows, or else a small program of the same form.
fn program(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let to = folder.join(name);
    if let Some(built) = std::env::var_os("NTK_WINDOWS").map(|place| PathBuf::from(place).join(name))
        && built.is_file()
    {
        fs::copy(built, &to)?;
        return Ok(Some(to));
    }
    if name.ends_with(".msi") {
        return Ok(None);
    }
    let source = folder.join("empty.c");
    fs::write(&source, "int main(void) { return 0; }\n")?;
    let mut compile = Command::new("x86_64-w64-mingw32-gcc");
    compile.arg(&source).arg("-o").arg(&to);
    Ok(run(compile).is_ok_and(|(is_good, _)| is_good).then_some(to))
}

#[test]
fn what_is_signed_verifies_and_a_flipped_byte_does_not() -> Result<()> {
    let test = "windows_policy::signing";
    for tool in ["osslsigncode", "openssl"] {
        let mut probe = Command::new(tool);
        probe.arg("--version");
        if run(probe).is_err() {
            skip::skip(test, &format!("{tool} is not installed; tests/run installs it"));
            return Ok(());
        }
    }
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path();
    let of = |name: &str| folder.join(name);
    fs::write(of("password"), "a long word\n")?;
    let subject = ["-subj", "/CN=Practice test", "-addext", "extendedKeyUsage=codeSigning"];
    let request =
        ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", "key.pem", "-out"];
    openssl(folder, &[&request[..], &["certificate.pem"], &subject].concat())?;
    openssl(
        folder,
        &[
            &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "other.pem", "-out"],
            &["another.pem"][..],
            &subject,
        ]
        .concat(),
    )?;
    let export =
        ["pkcs12", "-export", "-in", "certificate.pem", "-inkey", "key.pem", "-out", "both.p12", "-passout"];
    openssl(folder, &[&export[..], &["file:password"]].concat())?;
    let verify = |file: &Path, certificate: &str| {
        let mut command = Command::new("osslsigncode");
        command.args(["verify", "-in"]).arg(file).arg("-CAfile").arg(of(certificate));
        run(command)
    };
    let (key, certificate, both, password) =
        (of("key.pem"), of("certificate.pem"), of("both.p12"), of("password"));
    let pem: &[(&str, &Path)] = &[("NTK_SIGN_CERTIFICATE", &certificate), ("NTK_SIGN_KEY", &key)];
    let pkcs12: &[(&str, &Path)] = &[("NTK_SIGN_PKCS12", &both), ("NTK_SIGN_PASSWORD_FILE", &password)];
    let mut n_signed = 0;
    for (name, with) in [("ntk-agent.exe", pem), ("ntk-agent.msi", pkcs12)] {
        let Some(file) = program(folder, name)? else {
            skip::skip(test, &format!("no {name} was built, nor is there a compiler for Windows"));
            continue;
        };
        let unsigned = fs::read(&file)?;
        let (is_good, said) = sign(&file, &[])?;
        ensure!(is_good && said.starts_with("not signed: ") && fs::read(&file)? == unsigned, "{said}");
        let (is_good, said) = verify(&file, "certificate.pem")?;
        ensure!(!is_good, "{name} has no signature yet: {said}");
        let (is_good, said) = sign(&file, with)?;
        ensure!(is_good && said.starts_with("signed: "), "{said}");
        let (is_good, said) = verify(&file, "certificate.pem")?;
        ensure!(is_good, "{name}: {said}");
        let (is_good, said) = verify(&file, "another.pem")?;
        ensure!(!is_good, "{name} was not signed by that one: {said}");
        let mut flipped = fs::read(&file)?;
        let at = flipped.len() / 3;
        flipped[at] ^= 1;
        fs::write(&file, flipped)?;
        let (is_good, said) = verify(&file, "certificate.pem")?;
        ensure!(!is_good, "a flipped byte of {name} went unseen: {said}");
        n_signed += 1;
    }
    if n_signed == 0 {
        return Ok(());
    }
    // Half a certificate, and a wrong password: nothing is signed, and nobody takes it for signed.
    let file = program(folder, "ntk-agent.exe")?.context("it was there")?;
    let before = fs::read(&file)?;
    fs::write(&password, "another\n")?;
    for with in [&pem[..1], pkcs12] {
        let (is_good, said) = sign(&file, with)?;
        ensure!(!is_good && fs::read(&file)? == before, "{said}");
        ensure!(!said.contains("another"), "the password is told: {said}");
    }
    Ok(())
}
