//! `bundle list|check|save|remove` as typed, on a bundle that was asked for by the API and is kept here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_evidence::hash::Hash;
use ntk_tests::console::{PASSPHRASE, marys_passphrase, with_manager};
use ntk_tests::practice::Practice;
use ntk_tests::wait;
use serde_json::{Value, json};

use super::pages::with_access;
use crate::bundle::verify;

/// How long a bundle of this small ledger may take.
const WITHIN: Duration = Duration::from_secs(60);

/// What `bundle list` tells a script.
fn listed(practice: &Practice) -> Result<Vec<Value>> {
    let told: Value = serde_json::from_str(&practice.collector(&["bundle", "list", "--json"])?)?;
    Ok(told["bundles"].as_array().context("a list")?.clone())
}

/// The acts of custody that say this.
fn custody(practice: &Practice, said: &str) -> Result<Vec<String>> {
    let acts = practice.events(&["--acts"])?;
    let acts = acts.iter().map(ToString::to_string);
    Ok(acts.filter(|act| act.contains("act_custody") && act.contains(said)).collect())
}

#[test]
fn a_kept_bundle_is_listed_checked_saved_and_removed_by_its_commands_and_a_changed_byte_is_told() -> Result<()>
{
    let (mut practice, mut mary, _) = with_manager()?;
    let none = practice.collector(&["bundle", "list"])?;
    ensure!(none.contains("No bundle is kept here"), "{none}");
    with_access(&practice, &[("itadmin1", "manager")])?;
    mary.get("/evidence")?;
    let question = json!({"person": "northwind", "case": "C-7", "from": "2026-01-01T00:00:00Z",
        "to": "2036-12-31T00:00:00Z", "by": "mary", "passphrase": PASSPHRASE});
    let begun = mary.post_json("/api/v1/bundles", &question)?;
    ensure!(begun.status == 202, "{} {}", begun.status, begun.body);
    let kept = wait::until("the bundle", WITHIN, || Ok(listed(&practice)?.pop()))?;
    let text = |key: &str| kept[key].as_str().map(str::to_owned).with_context(|| format!("{key}: {kept}"));
    let (id, sha256) = (text("id")?, text("sha256")?);
    let said = practice.collector(&["bundle", "list"])?;
    ensure!(said.lines().count() == 1 && said.starts_with(&id), "{said}");
    ensure!(said.contains("about northwind") && said.contains(&sha256), "{said}");

    // Checked as ntk-verify does.
    let said = practice.collector(&["bundle", "check", &id])?;
    for name in ntk_evidence::checks::NAMES {
        ensure!(said.contains(name), "{name} is told: {said}");
    }
    ensure!(said.contains("verified: all 18 checks passed") && !said.contains("FAIL"), "{said}");
    let told: Value = serde_json::from_str(&practice.collector(&["bundle", "check", &id, "--json"])?)?;
    ensure!(told["exit_code"] == 0 && told["id"] == id.as_str(), "{told}");

    // Saved: the bytes that the list names, for its owner alone, and a stranger's verifier accepts them.
    let out = practice.folder().join("for-the-expert.zip");
    let out_name = out.to_string_lossy().into_owned();
    let save = ["bundle", "save", &id, "--out", &out_name];
    practice.collector(&save)?;
    let saved = fs::read(&out)?;
    ensure!(Hash::of(&saved).to_hex() == sha256, "it is the one that was made");
    ensure!(fs::metadata(&out)?.permissions().mode() & 0o777 == 0o600, "it names patients");
    let (code, said) = verify(&out, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{said}");
    ensure!(custody(&practice, "downloaded")?.len() == 1, "that there is a copy is an act");
    // Never over another file, unless it is asked for; what is not saved is no copy.
    fs::write(&out, "something else")?;
    let (code, said) = practice.try_collector(&save)?;
    ensure!(code == Some(64) && said.contains("is there already"), "{code:?} {said}");
    ensure!(fs::read(&out)? == b"something else");
    ensure!(custody(&practice, "downloaded")?.len() == 1);
    practice.collector(&[&save[..], &["--replace"]].concat())?;
    ensure!(fs::read(&out)? == saved);
    ensure!(custody(&practice, "downloaded")?.len() == 2);

    // One byte of the kept file is another: no, and nothing is given out; whole again, yes.
    let file = practice.dir().join(format!("bundles/{id}.zip"));
    let mut changed = saved.clone();
    *changed.get_mut(saved.len() / 2).context("bytes")? ^= 1;
    fs::write(&file, &changed)?;
    let (code, said) = practice.try_collector(&["bundle", "check", &id])?;
    ensure!(code == Some(1) && said.contains("changed afterwards"), "{code:?} {said}");
    let other = practice.folder().join("other.zip");
    let to_other = ["bundle", "save", &id, "--out", &other.to_string_lossy()].map(str::to_owned);
    let to_other: Vec<&str> = to_other.iter().map(String::as_str).collect();
    let (code, said) = practice.try_collector(&to_other)?;
    ensure!(code == Some(1) && said.contains("changed afterwards") && !other.exists(), "{code:?} {said}");
    ensure!(custody(&practice, "downloaded")?.len() == 2);
    fs::write(&file, &saved)?;
    practice.collector(&["bundle", "check", &id])?;
    // The same where no collector runs.
    practice.stop_collector()?;
    ensure!(practice.collector(&["bundle", "list"])?.starts_with(&id));
    practice.collector(&["bundle", "check", &id])?;
    practice.start_collector()?;

    // Removed by who shows who they are, and that it was is an act.
    let wrong = practice.folder().join("wrong-passphrase");
    fs::write(&wrong, "wrong horse battery")?;
    let wrong = wrong.to_string_lossy().into_owned();
    for passphrase in [vec![], vec!["--passphrase-file", &wrong]] {
        let remove = [&["bundle", "remove", &id, "--by", "mary"], &passphrase[..]].concat();
        let (code, said) = practice.try_collector(&remove)?;
        ensure!(code == Some(1), "{code:?} {said}");
    }
    ensure!(file.exists() && custody(&practice, "copy removed here")?.is_empty());
    let right = marys_passphrase(&practice)?;
    let remove = ["bundle", "remove", &id, "--by", "mary", "--passphrase-file", &right];
    let said = practice.collector(&remove)?;
    ensure!(said.contains("What it was made of stays in the ledger"), "{said}");
    ensure!(!file.exists() && listed(&practice)?.is_empty());
    let removed = custody(&practice, "copy removed here")?;
    let [act] = &removed[..] else { anyhow::bail!("one act: {removed:#?}") };
    for part in ["\"by\":\"mary\"", "\"proof\":\"passphrase\"", &sha256, "C-7"] {
        ensure!(act.contains(part), "{part}: {act}");
    }
    // What is not there, or is no name, is no bundle.
    for id in [id.as_str(), "C-7-0", "../private/log"] {
        let (code, said) = practice.try_collector(&["bundle", "check", id])?;
        ensure!(code == Some(1), "{id}: {code:?} {said}");
        let remove = ["bundle", "remove", id, "--by", "mary", "--passphrase-file", &right];
        ensure!(practice.try_collector(&remove)?.0 == Some(1), "{id}");
    }
    ensure!(custody(&practice, "copy removed here")?.len() == 1);
    Ok(())
}
