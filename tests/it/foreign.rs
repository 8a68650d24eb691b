//! What ours wrote, checked by programs that nobody here wrote; each with a twin that must fail. Not part of
//! `tests/run quick`. Here npm's @sigstore/verify checks proofs, PyPI's bagit, jsonschema,
//! ocsf-json-schema and fhir.resources shape and checksums; the
//! other checkers of proofs are in `proofs`, those of the JSON API in `api`.

mod api;
pub(crate) mod proofs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::strangers::{Checks, judged};
use ntk_tests::{program, recording, skip};
use serde_json::Value;

use crate::bundle::{exported, unpack};
use crate::tidy::top;

/// The interpreter that `tests/run` prepared; a skipped test where there is none.
pub(crate) fn tool(variable: &str, test: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from);
    if found.is_none() {
        skip::skip(test, &format!("{variable} is not set; tests/run installs it"));
    }
    found
}

pub(crate) fn script(name: &str) -> PathBuf {
    top().join("tests/it/foreign").join(name)
}

/// Runs a command; whether it succeeded, and what it said.
pub(crate) fn run(mut command: Command) -> Result<(bool, String)> {
    let output = command.stdin(Stdio::null()).output()?;
    Ok((output.status.success(), program::text(&output.stdout) + &program::text(&output.stderr)))
}

#[test]
fn bagit_of_the_library_of_congress_validates_a_bundle() -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", "foreign::bagit") else { return Ok(()) };
    let exported = exported(20)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let validate = || {
        let mut command = Command::new(&python);
        command.args(["-m", "bagit", "--validate"]).arg(&bag);
        run(command)
    };
    let (valid, said) = validate()?;
    ensure!(valid, "bagit refuses our bundle: {said}");
    for name in ["data/timeline.csv", "data/proofs/checkpoint.txt", "bag-info.txt", "manifest-sha512.txt"] {
        let path = bag.join(name);
        let good = fs::read(&path)?;
        let mut bad = good.clone();
        bad[4] ^= 1;
        fs::write(&path, bad)?;
        let (valid, said) = validate()?;
        ensure!(!valid, "bagit should refuse a changed {name}: {said}");
        fs::write(&path, good)?;
    }
    judged(Checks::Shape, "PyPI bagit");
    Ok(())
}

#[test]
fn jsonschema_accepts_what_replay_prints() -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", "foreign::jsonschema") else { return Ok(()) };
    let schema = top().join("ledger/evidence/schema/event.schema.json");
    let scratch = tempfile::tempdir()?;
    let mut recordings = vec![scratch.path().join("own.log")];
    recording::write(&recordings[0], "week", 1001, 50, 5)?;
    // The shared recordings too, where they are.
    let shared = top().parent().context("the project lies in a folder")?.join("shared/data/linux-audit");
    if let Ok(entries) = fs::read_dir(&shared) {
        recordings.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
    } else {
        skip::skip("foreign::jsonschema over shared recordings", "shared/data/linux-audit is not here");
    }
    let lines = scratch.path().join("events.jsonl");
    let mut text = String::new();
    let watch = format!("{}=export", recording::WATCHED);
    for path in &recordings {
        let path = path.to_string_lossy();
        text +=
            &program::succeed("ntk-agent", &["replay", "--format", "linux-audit", &path, "--watch", &watch])?;
    }
    for form in ["evtx", "windows-json"] {
        let Ok(entries) = fs::read_dir(shared.with_file_name(form)) else {
            skip::skip("foreign::jsonschema over records of Windows", "shared/data is not here");
            continue;
        };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let path = path.to_string_lossy();
            let watch = r"C:\Users=hr";
            text += &program::succeed("ntk-agent", &["replay", "--format", form, &path, "--watch", watch])?;
        }
    }
    fs::write(&lines, &text)?;
    ensure!(text.lines().count() >= 50, "replay printed events");
    let check = |lines: &Path| {
        let mut command = Command::new(&python);
        command.arg(script("schema.py")).arg(&schema).arg(lines);
        run(command)
    };
    let (valid, said) = check(&lines)?;
    ensure!(valid, "{said}");
    println!("{said}");
    let first = text.lines().next().context("a line")?;
    let mut broken: Value = serde_json::from_str(first)?;
    for (field, value) in [("kind", Value::Null), ("time", Value::from(7)), ("outcome", Value::from(1))] {
        let good = broken[field].clone();
        broken[field] = value;
        fs::write(&lines, format!("{broken}\n"))?;
        let (valid, said) = check(&lines)?;
        ensure!(!valid, "jsonschema should refuse a wrong `{field}`: {said}");
        broken[field] = good;
    }
    judged(Checks::Shape, "PyPI jsonschema");
    Ok(())
}

#[test]
fn sigstore_accepts_checkpoint_and_inclusion() -> Result<()> {
    let Some(package) = tool("NTK_SIGSTORE", "foreign::sigstore") else { return Ok(()) };
    let exported = exported(200)?;
    let bag = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?;
    let mut command = Command::new("node");
    command.arg(script("sigstore.cjs")).arg(&package).arg(bag.join("data/proofs"));
    let (accepted, said) = run(command)?;
    println!("{said}");
    ensure!(accepted, "{said}");
    ensure!(said.contains("proofs accepted") && said.contains("twins refused"), "{said}");
    judged(Checks::Proofs, "npm @sigstore/verify");
    Ok(())
}

/// Shape only: OCSF's own schema and fhir.resources; the twin has a field of a wrong type and one that does not exist.
#[test]
fn ocsf_and_fhir_schemas_accept_the_renderings_of_a_bundle() -> Result<()> {
    let Some(python) = tool("NTK_PYTHON", "foreign::interchange") else { return Ok(()) };
    let mut imports = Command::new(&python);
    imports.args(["-c", "import fhir.resources, jsonschema, ocsf_json_schema"]);
    if !run(imports)?.0 {
        skip::skip("foreign::interchange", "ocsf-json-schema and fhir.resources are not installed");
        return Ok(());
    }
    let exported = exported(5)?;
    let folder = unpack(&exported.bundle, &exported.practice.folder().join("bag"))?.join("data/interchange");
    let (ocsf, fhir) = (folder.join("ocsf.jsonl"), folder.join("fhir-auditevents.ndjson"));
    let judge = || {
        let mut command = Command::new(&python);
        command.arg(script("interchange.py")).args([&ocsf, &fhir]);
        run(command)
    };
    let (valid, said) = judge()?;
    ensure!(valid, "our renderings do not have the shape: {said}");
    for (path, from, to) in
        [(&ocsf, "\"activity_id\":", "\"activity_id\":7"), (&fhir, "\"requestor\":", "\"bogus\":")]
    {
        let good = fs::read_to_string(path)?;
        fs::write(path, good.replacen(from, to, 1))?;
        let (valid, said) = judge()?;
        ensure!(!valid, "a changed {} should be refused: {said}", path.display());
        fs::write(path, good)?;
    }
    judged(Checks::Shape, "PyPI ocsf-json-schema");
    judged(Checks::Shape, "PyPI fhir.resources");
    Ok(())
}
