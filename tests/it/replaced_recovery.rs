//! The recovery key is replaced: a machine puts away for the new one, the copy outside moves to it, the old stick opens
//! nothing that was made since, and a lost collector is put back with the new stick, and what lies there from before with both.

mod shared;
mod taken_back;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_collector::keys_file::{Secret, secret};
use ntk_collector::recovery::RecoveryKeys;
use ntk_evidence::hash::{Hash, unhex};
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::trust::TrustFile;
use ntk_tests::machine::Machine;
use ntk_tests::practice::Practice;
use ntk_tests::{recording, wait};

use crate::bundle::{unpack, verify};
use crate::crash::reaches;
use crate::foreign::proofs::{go_accepts, script_agrees};
use crate::survival::with_vault;

const WITHIN: Duration = Duration::from_secs(60);
/// Segments of 256 KiB, so that some are put away.
const LITTLE: &str = "[spool]\nbytes_max = 4194304\n";
const MUCH: u64 = 3000;

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn trust_of(practice: &Practice) -> Result<TrustFile> {
    Ok(TrustFile::parse(&fs::read(practice.dir().join("trust.txt"))?)?)
}

/// The recovery key of a stick, alone.
fn only(stick: &Path) -> Result<RecoveryKeys> {
    let key = secret(&fs::read_to_string(stick)?, Secret::Recovery).context("a recovery key")?;
    Ok(RecoveryKeys::new(&key, &[])?)
}

fn opens(keys: &RecoveryKeys, path: &Path) -> Result<bool> {
    Ok(keys.open(&fs::read(path)?).is_ok())
}

/// Every encrypted file below a folder.
fn sealed(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sealed(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "age") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What a machine put away.
fn kept(machine: &Machine) -> Result<Vec<PathBuf>> {
    let folder = machine.dir().join("spool/kept");
    if folder.is_dir() { sealed(&folder) } else { Ok(Vec::new()) }
}

/// Plays a recording of so many accesses besides what was played before.
fn plays(practice: &Practice, machine: &mut Machine, part: usize, before: u64) -> Result<()> {
    let files: Vec<PathBuf> =
        (0..=part).map(|part| practice.folder().join(format!("{}-{part}.log", machine.name()))).collect();
    let name = format!("{}-{part}", machine.name());
    let opens = (0..MUCH).map(|number| recording::Open {
        login_uid: 1001,
        session: 8,
        program: "/usr/bin/cat".to_owned(),
        file: recording::file_of(&name, number),
    });
    let begins = recording::BEGINS + 3600 * u64::try_from(part)?;
    recording::write_opens(files.last().context("a file")?, begins, opens, 3)?;
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    machine.configure(&(recording::configuration(&files, None) + LITTLE))?;
    machine.start()?;
    reaches(practice, machine, before + MUCH + 1)
}

fn copy_of(folder: &Path, to: &Path) -> Result<()> {
    let output = std::process::Command::new("cp").arg("-a").arg(folder).arg(to).output()?;
    ensure!(output.status.success(), "{}", ntk_tests::program::text(&output.stderr));
    Ok(())
}

fn signer(keys: &Path, trust: &TrustFile) -> Result<NoteSigner> {
    let seed = secret(&fs::read_to_string(keys)?, Secret::Practice).context("a practice key")?;
    Ok(NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &seed)?)
}

#[test]
fn after_the_recovery_key_is_replaced_the_old_stick_opens_nothing_made_since_and_the_new_one_puts_the_collector_back()
-> Result<()> {
    let (mut practice, vault) = with_vault()?;
    let old = practice.folder().join("keys-to-take-away.txt");
    let new = practice.folder().join("stick-1.txt");
    let mut machine = practice.enroll("ws-01")?;
    plays(&practice, &mut machine, 0, 0)?;
    wait::until_so("segments to be put away", WITHIN, || Ok(!kept(&machine)?.is_empty()))
        .with_context(|| machine.log())?;
    practice.collector(&["backup"])?;
    let before = trust_of(&practice)?;
    let (old_trust, old_copy) =
        (practice.folder().join("trust-before.txt"), practice.folder().join("copy-before"));
    fs::copy(practice.dir().join("trust.txt"), &old_trust)?;
    copy_of(&vault, &old_copy)?;

    let order = ["keys", "replace-recovery", "--keys", &text(&old), "--new-keys", &text(&new)];
    let said = practice.collector(&[&order[..], &["--why", "a stick was lost"]].concat())?;
    let after = trust_of(&practice)?;
    for needed in
        [before.recovery.as_str(), after.recovery.as_str(), "What the FORMER recovery key still opens"]
    {
        ensure!(said.contains(needed), "{needed}: {said}");
    }
    ensure!(after.practice_key == before.practice_key && after.recovery_leads_from(&before), "{said}");
    let said = practice.collector(&["keys", "check", &text(&new)])?;
    ensure!(said.matches("it is that of").count() == 2, "{said}");
    let (code, said) = practice.try_collector(&["keys", "check", &text(&old)])?;
    ensure!(
        code == Some(1) && said.contains("still opens what was encrypted to it before"),
        "{code:?} {said}"
    );
    let shown = practice.collector(&["trust", "show"])?;
    ensure!(shown.contains("a stick was lost") && shown.contains(&after.recovery), "{shown}");

    // The machine hears of it while it runs, and puts away for the new key from then on.
    practice.collector(&["witness", "round"])?;
    let held_at = machine.dir().join("identity/trust.txt");
    let held = || -> Result<TrustFile> { Ok(TrustFile::parse(&fs::read(&held_at)?)?) };
    wait::until_so("the machine to hold the newer trust file", WITHIN, || Ok(held()? == after))
        .with_context(|| machine.log())?;
    let (with_old, with_new) = (only(&old)?, only(&new)?);
    let lay = kept(&machine)?;
    for path in &lay {
        ensure!(opens(&with_old, path)? && !opens(&with_new, path)?, "from before: {}", path.display());
    }
    machine.stop()?;
    plays(&practice, &mut machine, 1, MUCH)?;
    wait::until_so("more segments to be put away", WITHIN, || Ok(kept(&machine)?.len() > lay.len()))
        .with_context(|| machine.log())?;
    for path in kept(&machine)?.iter().filter(|path| !lay.contains(path)) {
        ensure!(!opens(&with_old, path)? && opens(&with_new, path)?, "made since: {}", path.display());
    }

    // The next copy is for the new key as a whole.
    practice.collector(&["backup"])?;
    practice.collector(&["off-site", "check"])?;
    let objects = sealed(&vault)?;
    ensure!(objects.iter().any(|path| text(path).contains("settings-")), "{objects:?}");
    for path in &objects {
        ensure!(!opens(&with_old, path)? && opens(&with_new, path)?, "{}", path.display());
    }

    // Three verifiers read the line; none takes one that nobody signed, or that leads back.
    let bundle = practice.folder().join("after.zip");
    let ask =
        ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "K-1", "--out", &text(&bundle)];
    practice.collector(&ask)?;
    let in_force = practice.dir().join("trust.txt");
    let judged = |trust: &Path| -> Result<(Option<i32>, String)> {
        let said = verify(&bundle, Some(trust))?;
        script_agrees("replaced_recovery::script", &bundle, trust, &said)?;
        Ok(said)
    };
    let (code, said) = judged(&in_force)?;
    ensure!(code == Some(0), "{said}");
    let bag = unpack(&bundle, &practice.folder().join("bag"))?;
    let forged = practice.folder().join("forged.txt");
    let signed = fs::read_to_string(&in_force)?;
    fs::write(&forged, signed.replace("a stick was lost", "a stick was found"))?;
    ensure!(judged(&forged)?.0 != Some(0), "a changed reason");
    let mut back = after.clone();
    back.recovery.clone_from(&before.recovery);
    fs::write(&forged, back.sign(&signer(&new, &after)?)?)?;
    ensure!(judged(&forged)?.0 != Some(0), "a key that comes back, though the practice key signed");
    if let Some(accepted) = go_accepts(&bag, &in_force)? {
        ensure!(accepted, "Go accepts the line");
        ensure!(go_accepts(&bag, &forged)? == Some(false), "Go refuses a key that comes back");
    }
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &text(&out)])?;
    let page = fs::read_to_string(out.join("report.html"))?;
    ensure!(page.contains("The recovery key was replaced (a stick was lost)"), "the review names it");

    // The collector is lost. With the old stick, or with the new one and the copy of before, the other one is asked for.
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;
    let restore = |keys: &Path, from: &Path, more: &[&str]| -> Result<(Option<i32>, String)> {
        let mut arguments =
            vec!["restore".to_owned(), "--keys".into(), text(keys), "--from".into(), text(from)];
        arguments.extend(["--by", "Anna Roth", "--reason", "the disk broke"].map(str::to_owned));
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        practice.try_collector(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let refused = |keys: &Path, from: &Path, more: &[&str], why: &[&str]| -> Result<()> {
        let (code, said) = restore(keys, from, more)?;
        ensure!(code != Some(0) && why.iter().all(|why| said.contains(why)), "{why:?}: {code:?} {said}");
        ensure!(!practice.dir().join("collector.toml").exists(), "no collector was made of it");
        Ok(())
    };
    refused(&old, &vault, &[], &["was replaced on", "--former-keys"])?;
    refused(&new, &old_copy, &[], &["is none that the newest trust file", "--trust"])?;
    let machine_holds = text(&held_at);
    let newer = ["--trust", machine_holds.as_str()];
    refused(&new, &old_copy, &newer, &[before.recovery.as_str(), "--former-keys"])?;
    let former = text(&old);
    let both = [&newer[..], &["--former-keys", former.as_str()]].concat();
    let (code, said) = restore(&new, &old_copy, &both)?;
    ensure!(code == Some(0), "both sticks read the copy of before: {said}");
    ensure!(trust_of(&practice)?.recovery == after.recovery, "the recovery key in force stays so");
    fs::remove_dir_all(practice.dir())?;

    let (code, said) = restore(&new, &vault, &[])?;
    ensure!(code == Some(0), "{said}");
    let made = trust_of(&practice)?;
    ensure!((&made.recovery, &made.retired) == (&after.recovery, &after.retired), "{said}");
    practice.start_collector()?;
    wait::until_so("the machine to follow the collector that was put back", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(held()?.restored.len() == 1)
    })
    .with_context(|| machine.log())?;
    practice.collector(&["self-check"])?;
    machine.stop()?;
    Ok(())
}

#[test]
fn who_has_the_collector_cannot_exchange_the_recovery_key_for_one_of_his_own() -> Result<()> {
    let mut practice = Practice::start()?;
    let mut machine = practice.enroll("ws-01")?;
    let file = practice.folder().join("ws-01.log");
    recording::write(&file, "ws-01", 1001, 40, 3)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    reaches(&practice, &mut machine, 41)?;
    let path = practice.dir().join("trust.txt");
    let good = fs::read_to_string(&path)?;
    let before = trust_of(&practice)?;
    let held = machine.dir().join("identity/trust.txt");
    let kept = fs::read(&held)?;
    let mut own = before.clone();
    let his = ntk_collector::recovery::recipient(&Hash::of(b"his own").as_bytes()[..].try_into()?)?;
    own.replace_recovery(&his, "2036-01-01T00:00:00Z", "a stick was lost")?;
    // He has the collector's keys, and may call one by the practice's name.
    let seed = unhex(&"42".repeat(32)).and_then(|seed| seed.try_into().ok()).context("a seed")?;
    let named = NoteSigner::new(&before.slug.practice_name(), KeyType::Ed25519, &seed)?;
    let forged = named.sign(&own.text())?;
    let swapped = good.replace(&before.recovery, &his);
    for text in [&forged, &swapped] {
        practice.stop_collector()?;
        fs::write(&path, text)?;
        ensure!(practice.start_collector().is_err(), "a collector does not start with it");
        let _ended = practice.kill_collector();
        fs::write(&path, &good)?;
        practice.start_collector()?;
        practice.collector(&["witness", "round"])?;
        ensure!(fs::read(&held)? == kept, "the machine holds what the practice key signed");
    }
    // Who has a stick with the practice key and names his key without a word is refused as well.
    let keys = practice.folder().join("keys-to-take-away.txt");
    let mut silent = own;
    silent.retired.clear();
    practice.stop_collector()?;
    fs::write(&path, silent.sign(&signer(&keys, &before)?)?)?;
    practice.start_collector()?;
    practice.collector(&["witness", "round"])?;
    wait::until_so("the machine to say that it stays", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(machine.log().contains("without a word"))
    })
    .with_context(|| machine.log())?;
    ensure!(fs::read(&held)? == kept, "the machine stays with the key that it holds");
    machine.stop()?;
    Ok(())
}
