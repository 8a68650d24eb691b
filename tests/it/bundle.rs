//! A bundle as a stranger gets it: verified with the trust file, not verifiable without, and never again verified
//! once one byte of any file of it has changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, skip, wait};

/// A practice with one machine whose recording has become findings, and a bundle of it.
pub(crate) struct Exported {
    pub(crate) practice: Practice,
    pub(crate) bundle: PathBuf,
    pub(crate) trust: PathBuf,
}

/// Makes the practice, plays a recording of so many accesses and exports everything.
pub(crate) fn exported(accesses: u64) -> Result<Exported> {
    exported_by(Practice::start()?, accesses)
}

/// The same by a practice that was started otherwise.
pub(crate) fn exported_by(practice: Practice, accesses: u64) -> Result<Exported> {
    exported_from(practice, recording::BEGINS, accesses)
}

/// The same with accesses from a second since 1970 on.
pub(crate) fn exported_from(practice: Practice, begins: u64, accesses: u64) -> Result<Exported> {
    let mut machine = practice.enroll("front-desk")?;
    let file = practice.folder().join("recording.log");
    recording::write_from(&file, begins, "week", 1001, accesses, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("all accesses to arrive", Duration::from_secs(60), || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of("front-desk")? > accesses)
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let bundle = practice.folder().join("bundle.zip");
    let out = bundle.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "T-1",
        "--out",
        &out,
    ])?;
    let trust = practice.dir().join("trust.txt");
    Ok(Exported { practice, bundle, trust })
}

/// Exit code and words of the verifier.
pub(crate) fn verify(bundle: &Path, trust: Option<&Path>) -> Result<(Option<i32>, String)> {
    let bundle = bundle.to_string_lossy();
    let trust = trust.map(|trust| trust.to_string_lossy().into_owned());
    let mut arguments = vec![bundle.as_ref()];
    if let Some(trust) = &trust {
        arguments.extend(["--trust", trust]);
    }
    let output = program::run("ntk-verify", &arguments)?;
    Ok((output.status.code(), program::text(&output.stdout) + &program::text(&output.stderr)))
}

/// Unpacks a bundle; its one folder.
pub(crate) fn unpack(bundle: &Path, to: &Path) -> Result<PathBuf> {
    let mut archive = zip::ZipArchive::new(fs::File::open(bundle)?)?;
    archive.extract(to)?;
    let entry = fs::read_dir(to)?.next().context("a folder in the bundle")??;
    Ok(entry.path())
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// Changes each file of a bundle in one byte, at its beginning, middle and end, and expects a named complaint.
/// EV-1: what was frozen is compared byte for byte to the very end.
pub(crate) fn every_flipped_byte_is_seen(bundle: &Path, trust: &Path, scratch: &Path) -> Result<()> {
    let folder = unpack(bundle, &scratch.join("flipped"))?;
    let (code, said) = verify(&folder, Some(trust))?;
    ensure!(code == Some(0), "unpacked, it verifies as well: {said}");
    let files = files_below(&folder)?;
    ensure!(files.len() > 15, "the bundle's files: {files:?}");
    for path in files {
        let whole = fs::read(&path)?;
        for at in [0, whole.len() / 2, whole.len().saturating_sub(1)] {
            let mut changed = whole.clone();
            *changed.get_mut(at).context("an empty file in the bundle")? ^= 1;
            fs::write(&path, changed)?;
            let (code, said) = verify(&folder, Some(trust))?;
            let name = path.strip_prefix(&folder)?.display();
            ensure!(code != Some(0), "byte {at} of {name} changed and still verified:\n{said}");
            ensure!(matches!(code, Some(1..=3)), "byte {at} of {name}: exit {code:?} is no verdict:\n{said}");
        }
        fs::remove_file(&path)?;
        let (code, said) = verify(&folder, Some(trust))?;
        ensure!(code != Some(0), "{} removed and still verified:\n{said}", path.display());
        fs::write(&path, whole)?;
    }
    let (code, said) = verify(&folder, Some(trust))?;
    ensure!(code == Some(0), "put back, it verifies again: {said}");
    Ok(())
}

#[test]
fn a_bundle_verifies_with_the_trust_file_and_only_so() -> Result<()> {
    let Exported { practice, bundle, trust, .. } = exported(40)?;
    let (code, said) = verify(&bundle, Some(&trust))?;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = verify(&bundle, None)?;
    assert_eq!(code, Some(3), "nobody vouched for the key: {said}");
    assert!(said.contains("compare"), "it says what to compare: {said}");
    let other = Practice::make(&practice.folder().join("other"), None)?;
    let (code, said) = verify(&bundle, Some(&other.dir().join("trust.txt")))?;
    assert!(matches!(code, Some(1 | 3)), "another practice's trust file: {said}");
    let (code, said) = verify(&practice.folder().join("absent.zip"), Some(&trust))?;
    assert_eq!(code, Some(64), "{said}");
    Ok(())
}

#[test]
fn the_verifier_without_libraries_needs_none_and_says_the_same() -> Result<()> {
    let Some(program) = std::env::var_os("NTK_STATIC_VERIFIER") else {
        skip::skip("static verifier", "NTK_STATIC_VERIFIER is not set; tests/run builds it");
        return Ok(());
    };
    let listed = Command::new("ldd").arg(&program).output()?;
    let said = program::text(&listed.stdout) + &program::text(&listed.stderr);
    assert!(said.contains("statically linked"), "{said}");
    let Exported { practice: _practice, bundle, trust } = exported(10)?;
    let output = Command::new(&program).arg(&bundle).arg("--trust").arg(&trust).output()?;
    assert_eq!(output.status.code(), Some(0), "{}", program::text(&output.stdout));
    assert_eq!(program::text(&output.stdout), verify(&bundle, Some(&trust))?.1);
    assert_eq!(Command::new(&program).arg(&bundle).output()?.status.code(), Some(3));
    Ok(())
}

#[test]
fn one_changed_byte_of_any_file_of_a_bundle_is_seen() -> Result<()> {
    let Exported { practice, bundle, trust, .. } = exported(40)?;
    every_flipped_byte_is_seen(&bundle, &trust, practice.folder())
}

#[test]
fn a_changed_byte_of_the_zip_itself_never_verifies_as_something_else() -> Result<()> {
    let Exported { practice, bundle, trust, .. } = exported(10)?;
    let whole = fs::read(&bundle)?;
    let changed = practice.folder().join("changed.zip");
    let step = (whole.len() / 120).max(1);
    let mut verdicts = BTreeMap::new();
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::File::create(&changed)?.write_all(&bytes)?;
        let (code, said) = verify(&changed, Some(&trust))?;
        *verdicts.entry(code).or_insert(0u32) += 1;
        if code == Some(0) {
            // A byte of the archive that is no content (a date, an attribute) changes no file of the bundle.
            assert!(same_contents(&whole, &bytes)?, "byte {at} changed a file and it verified: {said}");
        }
        assert!(matches!(code, Some(0..=3 | 64)), "byte {at}: exit {code:?}: {said}");
    }
    println!("verdicts by exit code: {verdicts:?}");
    Ok(())
}

fn same_contents(one: &[u8], other: &[u8]) -> Result<bool> {
    let contents = |bytes: &[u8]| -> Result<BTreeMap<String, Vec<u8>>> {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
        let mut files = BTreeMap::new();
        for index in 0..archive.len() {
            let mut file = archive.by_index(index)?;
            let name = file.name()?.into_owned();
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            files.insert(name, content);
        }
        Ok(files)
    };
    Ok(contents(one)? == contents(other)?)
}

/// Everything that the layout names, in one bundle; what is not there is named by bag-info.txt.
#[test]
fn a_bundle_holds_every_part_of_its_layout_or_says_that_it_does_not() -> Result<()> {
    let Exported { practice, trust, .. } = exported(40)?;
    practice.collector(&["report", "--out", &practice.folder().join("week").to_string_lossy()])?;
    practice.collector(&["self-check"])?;
    let acknowledged = "[[notice]]\nid = \"monitoring\"\ntitle = \"Monitoring notice\"\nversion = \"1\"\nkind = \"monitoring\"\nin_force_from = \"2026-01-05\"\n\n[[acknowledgement]]\nperson = \"sam\"\nnotice = \"monitoring\"\nversion = \"1\"\non = \"2026-01-07\"\n";
    practice.import_roster(&format!("{}\n{acknowledged}", ntk_tests::practice::ROSTER))?;
    let bundle = practice.folder().join("whole.zip");
    export(&practice, &bundle, &[])?;
    let (code, said) = verify(&bundle, Some(&trust))?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ocsf.jsonl") && said.contains("fhir-auditevents.ndjson"), "{said}");
    let folder = unpack(&bundle, &practice.folder().join("whole"))?;
    for part in [
        "timeline.csv",
        "interchange/ocsf.jsonl",
        "interchange/fhir-auditevents.ndjson",
        "report.html",
        "report.json",
        "policies/notices.jsonl",
        "acknowledgements/acknowledgements.jsonl",
        "reviews/index.jsonl",
        "custody/custody.jsonl",
        "coverage.csv",
        "system/versions.json",
        "system/system.json",
        "system/sbom.cdx.json",
        "certification/certification.html",
        "certification/certification.txt",
        "entries/agent-front-desk.jsonl",
    ] {
        assert!(fs::metadata(folder.join("data").join(part)).is_ok_and(|file| file.len() > 0), "{part}");
    }
    let read = |part: &str| fs::read_to_string(folder.join("data").join(part));
    assert!(read("acknowledgements/acknowledgements.jsonl")?.contains("\"person\":\"sam\""));
    assert!(read("reviews/index.jsonl")?.contains("as it was made"), "{}", read("reviews/index.jsonl")?);
    // Each program's own hash: the agent's as it said it at its start, the collector's as it runs.
    let system = read("system/system.json")?;
    for program in ["ntk-agent", "ntk-collector"] {
        let hash = ntk_evidence::hash::Hash::of(&fs::read(program::binary(program)?)?).to_hex();
        assert!(system.contains(&hash), "{program} {hash} in {system}");
    }
    let form = read("certification/certification.txt")?;
    assert!(form.contains("host: Northwind IT") && form.contains("The whole ledger verifies"), "{form}");
    let page = read("report.html")?;
    for part in [
        "Page one",
        "Exhibit 1.",
        "What else may explain it",
        "Clocks",
        "Withheld or absent",
        "entries/agent-front-desk.jsonl",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let report: serde_json::Value = serde_json::from_str(&read("report.json")?)?;
    let words: Vec<&str> = report["footer"]["words"]
        .as_array()
        .context("words")?
        .iter()
        .filter_map(|word| word.as_str())
        .collect();
    let mut drawn =
        vec![words.join(" "), report["footer"]["practice_words"].as_str().context("words")?.to_owned()];
    drawn.extend(words.iter().map(|word| format!(">{word}<")));
    // Every text that a program wrote for people, held to the banned words.
    for path in files_below(&folder)? {
        let name = path.strip_prefix(&folder)?.to_string_lossy().into_owned();
        let is_ours = name.ends_with(".html")
            || name.ends_with(".txt")
            || name.ends_with(".csv")
            || name.contains("interchange");
        if !is_ours || name.starts_with("data/proofs") || name.contains("manifest") {
            continue;
        }
        let mut text = fs::read_to_string(&path)?.to_lowercase();
        // The twelve drawn words of the keys are not ours.
        drawn.iter().for_each(|words| text = text.replace(words, ""));
        // Nor are those of the checkpoints that earlier reviews in the bundle show.
        while let Some(from) = text.find("<ol class=\"words\">") {
            let to = text[from..].find("</ol>").map_or(text.len(), |to| from + to);
            text.replace_range(from..to, "");
        }
        for word in ntk_evidence::bundle::wording::table::ACCUSING_WORDS {
            assert!(!text.contains(word), "`{word}` in {name}");
        }
    }
    // Every line of the timeline and of the renderings has a verb of the table.
    for line in read("interchange/ocsf.jsonl")?.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        let verb = event["unmapped"]["verb"].as_str().context("a verb")?;
        let lines = ntk_evidence::bundle::wording::table::TABLE;
        assert!(lines.iter().any(|line| line.verb == verb), "`{verb}` is not in the table");
    }
    // The twin: a rendering that says something else than the rows.
    let path = folder.join("data/interchange/ocsf.jsonl");
    fs::write(
        &path,
        read("interchange/ocsf.jsonl")?.replacen("opened for reading", "opened for writing", 1),
    )?;
    let (code, said) = verify(&folder, Some(&trust))?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ocsf.jsonl is not what the rows tell"), "{said}");
    Ok(())
}

/// Exports everything with more arguments.
pub(crate) fn export(practice: &Practice, out: &Path, more: &[&str]) -> Result<()> {
    let out = out.to_string_lossy();
    let always = ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "T-1", "--out", &out];
    practice.collector(&[&always, more].concat())?;
    Ok(())
}
