//! After the collector is gone: what machines kept makes a new one, a bundle of it verifies, and what is gone is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{program, recording, wait};

use crate::bundle::{unpack, verify};
use crate::crash::reaches;
use crate::foreign::proofs::script_agrees;

const WITHIN: Duration = Duration::from_secs(60);
/// Segments of 256 KiB and one group more; at least one of them is kept, and never all of 4000 accesses.
const LITTLE: &str = "[spool]\nbytes_max = 4194304\n[kept]\nbytes = 700000\n";

/// A machine that played so many accesses; its agent runs.
fn played(practice: &Practice, name: &str, accesses: u64, more: &str) -> Result<Machine> {
    let mut machine = practice.enroll(name)?;
    let file = practice.folder().join(format!("{name}.log"));
    recording::write(&file, name, 1001, accesses, 3)?;
    machine.configure(&(recording::configuration(&[&file], None) + more))?;
    machine.start()?;
    reaches(practice, &mut machine, accesses + 1)?;
    Ok(machine)
}

/// `kept --out`, the package's folder.
fn package(practice: &Practice, machine: &Machine) -> Result<PathBuf> {
    let out = practice.folder().join(format!("package-{}", machine.name()));
    machine.command(&["kept", "--out", &out.to_string_lossy()])?;
    Ok(out)
}

/// `refill` into the practice's own folder, which is not there any more; exit code and words.
fn refill(practice: &Practice, from: &[&Path], more: &[&str]) -> Result<(Option<i32>, String)> {
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let roster = practice.folder().join("roster.toml").to_string_lossy().into_owned();
    let address = practice.address();
    let mut arguments =
        vec!["refill", "--keys", &keys, "--timezone", "America/New_York", "--roster", &roster];
    arguments.extend(["--administers", "host=A,hypervisor=A,network=A,backup=A", "--listen", &address]);
    let from: Vec<String> = from.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
    for folder in &from {
        arguments.extend(["--from", folder]);
    }
    arguments.extend(more);
    practice.try_collector(&arguments)
}

/// A bundle of everything, and what `ntk-verify` says of it.
fn exported(practice: &Practice, name: &str) -> Result<(PathBuf, Option<i32>, String)> {
    let out = practice.folder().join(name);
    let to = out.to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "S-1",
        "--out",
        &to,
    ])?;
    let (code, said) = verify(&out, Some(&practice.dir().join("trust.txt")))?;
    Ok((out, code, said))
}

#[test]
fn a_bundle_still_builds_after_the_collector_and_two_of_three_machines_were_wiped_and_names_what_is_gone()
-> Result<()> {
    let mut practice = Practice::start()?;
    let mut left = played(&practice, "ws-01", 4000, LITTLE)?;
    let lost = [played(&practice, "ws-02", 20, "")?, played(&practice, "ws-03", 20, "")?];
    // The twin: before anything is lost nothing is said to be gone.
    let (before, code, said) = exported(&practice, "before.zip")?;
    ensure!(code == Some(0), "{said}");
    let old_trust = practice.folder().join("old-trust.txt");
    fs::copy(practice.dir().join("trust.txt"), &old_trust)?;
    let folder = practice.folder().to_owned();
    let info = |bundle: &Path, to: &str| -> Result<String> {
        Ok(fs::read_to_string(unpack(bundle, &folder.join(to))?.join("bag-info.txt"))?)
    };
    ensure!(!info(&before, "twin")?.contains("filled again"), "nothing was lost yet");
    wait::until_so("finished segments to be put away, and the first to be gone", WITHIN, || {
        left.agent()?.ensure_running()?;
        let kept = left.command(&["kept"])?;
        Ok(kept.contains(".age") && !kept.contains("/00000000000000000000.age"))
    })?;

    // Everything of the collector and of two machines is deleted by whoever has the power to.
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;
    for mut machine in lost {
        machine.kill()?;
        fs::remove_dir_all(machine.dir())?;
    }
    let package = package(&practice, &left)?;
    ensure!(left.stop()?.success(), "the agent ends in order: {}", left.log());

    let (code, said) =
        noticed("refill", || refill(&practice, &[&package], &["--expect", "ws-01,ws-02,ws-03"]))?;
    ensure!(code == Some(0), "{said}");
    for gone in
        ["Of ws-02 nothing is here.", "Of ws-03 nothing is here.", "Of ws-01, entries 0 to", "tickets"]
    {
        ensure!(said.contains(gone), "`{gone}` in {said}");
    }
    practice.start_collector()?;
    practice.collector(&["self-check"])?;
    practice.collector(&["rebuild"])?;
    let (bundle, code, told) = exported(&practice, "after.zip")?;
    ensure!(code == Some(0) && told.contains("are gone, as the act that enrolled it says"), "{told}");
    let named = info(&bundle, "after")?.replace("\r\n", "\n").replace("\n ", "");
    for gone in ["filled again", "Of ws-02 nothing is here.", "Of ws-03 nothing is here."] {
        ensure!(named.contains(gone), "`{gone}` in {named}");
    }
    // The old bundle stands as it was, under the trust file of its time, and not under the new one.
    ensure!(verify(&before, Some(&old_trust))?.0 == Some(0), "the old bundle verifies as before");
    ensure!(
        verify(&before, Some(&practice.dir().join("trust.txt")))?.0 != Some(0),
        "the new keys are others"
    );
    script_agrees("survival::script", &bundle, &practice.dir().join("trust.txt"), &(code, told.clone()))?;
    // The review tells it, and the findings of what was kept are there again.
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let review = fs::read_to_string(out.join("report.json"))?;
    ensure!(review.contains("filled again") && review.contains("Of ws-02 nothing is here."), "{review}");
    ensure!(!practice.findings()?.is_empty(), "what was kept is judged again");

    // The machine goes on in its own place; its old identity speaks no more.
    let token = practice.collector(&["enroll", "new", "--replace", "ws-01"])?;
    let token =
        token.split_whitespace().find(|word| word.starts_with("ntk1.")).context("a token")?.to_owned();
    let dir = left.dir().to_string_lossy().into_owned();
    program::succeed(
        "ntk-agent",
        &["enroll", "--token", token.trim_matches('`'), "--dir", &dir, "--replace"],
    )?;
    left.start()?;
    wait::until_so("the machine to go on in its own place", WITHIN, || {
        left.agent()?.ensure_running()?;
        Ok(practice.size_of("ws-01.2")? > 0)
    })
}

#[test]
fn a_package_that_was_changed_is_not_believed_and_a_ledger_that_is_there_is_not_touched() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut machine = played(&practice, "ws-01", 50, "")?;
    let package = package(&practice, &machine)?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let (code, said) = refill(&practice, &[&package], &[])?;
    ensure!(code == Some(1) && said.contains("holds a practice already"), "{said}");
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir())?;
    let changed = |name: &str, from: &str, to: &str| -> Result<()> {
        let path = package.join(name);
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "`{from}` in {text}");
        Ok(fs::write(&path, text.replacen(from, to, 1))?)
    };
    for (name, from, to) in [
        ("trust.txt", "machines-max 100", "machines-max 900"),
        ("identity.toml", "agent/ws-01", "agent/ws-07"),
        ("position.json", "\"leaf_index\":", "\"leaf_index\":1"),
    ] {
        let good = fs::read(package.join(name))?;
        changed(name, from, to)?;
        let (code, said) = refill(&practice, &[&package], &[])?;
        ensure!(
            code.is_some_and(|code| code != 0) && said.contains(name) || said.contains("another machine"),
            "{name}: {said}"
        );
        ensure!(!practice.dir().exists(), "{name}: nothing was made");
        fs::write(package.join(name), good)?;
    }
    let live = fs::read_dir(package.join("live"))?.next().context("a live segment")??.path();
    let good = fs::read(&live)?;
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&live, bad)?;
    let (code, said) = refill(&practice, &[&package], &[])?;
    ensure!(code == Some(1) && said.contains("no entry of any machine"), "{said}");
    fs::write(&live, good)?;
    // The twin: unchanged, it is taken, and everything in it is proved by the machine's receipt.
    let (code, said) = refill(&practice, &[&package], &[])?;
    ensure!(code == Some(0) && !said.contains("Not used"), "{said}");
    Ok(())
}

/// A practice that copies its ledger into a folder.
pub(crate) fn with_vault() -> Result<(Practice, PathBuf)> {
    let mut practice = Practice::start()?;
    let vault = practice.folder().join("vault");
    fs::create_dir(&vault)?;
    practice.stop_collector()?;
    let config = practice.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, format!("{text}\n[off_site]\nto = {vault:?}\n"))?;
    practice.start_collector()?;
    Ok((practice, vault))
}

/// `refill` with the roster out of the copy, not from a file.
fn again(practice: &Practice, from: &[&Path]) -> Result<(Option<i32>, String)> {
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let address = practice.address();
    let mut arguments = vec!["refill", "--keys", &keys, "--timezone", "America/New_York"];
    arguments.extend(["--administers", "host=A,hypervisor=A,network=A,backup=A", "--listen", &address]);
    let from: Vec<String> = from.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
    from.iter().for_each(|folder| arguments.extend(["--from", folder]));
    practice.try_collector(&arguments)
}

#[test]
fn the_second_reviewer_of_a_ledger_that_was_lost_is_the_second_reviewer_of_the_next_one() -> Result<()> {
    let (mut practice, vault) = with_vault()?;
    let mut machine = played(&practice, "ws-01", 20, "")?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    let passphrase = |who: &str| -> Result<String> {
        let file = practice.folder().join(format!("{who}.txt")).to_string_lossy().into_owned();
        fs::write(&file, format!("correct horse battery of {who}"))?;
        practice.collector(&["reviewer", "passphrase", who, "--passphrase-file", &file])?;
        Ok(file)
    };
    let (marys, _sams) = (passphrase("mary")?, passphrase("sam")?);
    let says = |practice: &Practice| practice.collector(&["reviewer", "second"]);
    let lost = |practice: &mut Practice| -> Result<()> {
        practice.collector(&["off-site", "now"])?;
        practice.stop_collector()?;
        fs::remove_dir_all(practice.dir())?;
        let (code, said) = again(practice, &[&vault])?;
        ensure!(code == Some(0), "{said}");
        practice.start_collector()
    };
    let by_mary = ["--by", "mary", "--passphrase-file", &marys];
    practice.collector(&[&["reviewer", "second", "sam"], &by_mary[..]].concat())?;
    lost(&mut practice)?;
    ensure!(says(&practice)?.contains("sam is the second reviewer"), "{}", says(&practice)?);
    practice.collector(&["self-check"])?;
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let review = fs::read_to_string(out.join("report.json"))?;
    ensure!(
        review.contains("Sam Ortiz stays the second reviewer, as the ledger before this one says."),
        "{review}"
    );
    // And it means the same: whoever begins anew cannot put another one there alone. The passphrases came with the copy.
    let alone = ["reviewer", "second", "--decline", "it is simpler"];
    let (code, said) = practice.try_collector(&[&alone[..], &by_mary].concat())?;
    ensure!(code == Some(1) && said.contains("`sam` is the second reviewer and agrees"), "{said}");
    Ok(())
}

#[test]
fn a_copy_off_site_and_what_machines_kept_since_make_one_ledger_and_a_changed_object_is_named() -> Result<()>
{
    let (mut practice, vault) = with_vault()?;
    let mut left = played(&practice, "ws-01", 40, "")?;
    let mut lost = played(&practice, "ws-02", 30, "")?;
    practice.collector(&["off-site", "now"])?;
    let copied = practice.size_of("ws-01")?;
    // Something comes after the copy: the machine starts anew, which is an entry.
    ensure!(left.stop()?.success(), "{}", left.log());
    left.start()?;
    reaches(&practice, &mut left, copied + 2)?;
    let package = package(&practice, &left)?;
    ensure!(left.stop()?.success(), "{}", left.log());
    lost.kill()?;
    fs::remove_dir_all(lost.dir())?;
    practice.stop_collector()?;
    fs::remove_dir_all(practice.dir())?;

    let objects = || -> Result<Vec<PathBuf>> {
        let slug = fs::read_dir(&vault)?.next().context("a practice's folder")??.path();
        let mut found: Vec<PathBuf> =
            fs::read_dir(slug.join("segments"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        found.sort();
        Ok(found)
    };
    let again = |from: &[&Path]| again(&practice, from);
    // One byte of one object changed: it is named and not used.
    let first = objects()?.into_iter().next().context("an object")?;
    let good = fs::read(&first)?;
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    fs::write(&first, bad)?;
    let (code, said) = again(&[&vault, &package])?;
    ensure!(code == Some(0) && said.contains("Not used: ") && said.contains(".age`: "), "{said}");
    fs::remove_dir_all(practice.dir())?;
    fs::write(&first, good)?;

    let (code, said) = again(&[&vault, &package])?;
    ensure!(code == Some(0) && !said.contains("Not used") && !said.contains("nothing is here"), "{said}");
    ensure!(said.contains("The copy of the old ledger reaches up to its batch"), "{said}");
    practice.start_collector()?;
    practice.collector(&["self-check"])?;
    ensure!(practice.size_of("ws-02")? >= 31, "the lost machine's entries came from the copy");
    ensure!(practice.size_of("ws-01")? > copied, "what came after the copy came from the machine");
    let (_, code, told) = exported(&practice, "both.zip")?;
    ensure!(code == Some(0), "{told}");
    let findings = serde_json::to_string(&practice.findings()?)?;
    ensure!(findings.contains("northwind"), "the roster of the copy is in force: {findings}");
    Ok(())
}
