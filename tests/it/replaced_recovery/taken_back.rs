//! What a machine had put away for a recovery key that was replaced since is taken back with both sticks.

use ntk_tests::program;

use super::*;

#[test]
fn what_was_put_away_for_the_former_key_is_taken_back_with_both_sticks_and_not_with_one() -> Result<()> {
    let (mut practice, vault) = with_vault()?;
    let old = practice.folder().join("keys-to-take-away.txt");
    let new = practice.folder().join("stick-1.txt");
    let mut machine = practice.enroll("ws-01")?;
    practice.collector(&["backup"])?;
    let old_copy = practice.folder().join("copy-before");
    copy_of(&vault, &old_copy)?;
    plays(&practice, &mut machine, 0, 0)?;
    wait::until_so("segments to be put away", WITHIN, || Ok(!kept(&machine)?.is_empty()))
        .with_context(|| machine.log())?;
    let order = ["keys", "replace-recovery", "--keys", &text(&old), "--new-keys", &text(&new)];
    practice.collector(&[&order[..], &["--why", "a stick was lost"]].concat())?;
    let after = trust_of(&practice)?;
    practice.collector(&["witness", "round"])?;
    let held = machine.dir().join("identity/trust.txt");
    wait::until_so("the machine to hold the newer trust file", WITHIN, || {
        Ok(TrustFile::parse(&fs::read(&held)?)? == after)
    })
    .with_context(|| machine.log())?;
    let size = practice.size_of("ws-01")?;

    // The collector is lost, and what it lacks is with the machine alone, for the former key.
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;
    let (keys, former, from, trust) = (text(&new), text(&old), text(&old_copy), text(&held));
    let arguments =
        ["restore", "--keys", &keys, "--former-keys", &former, "--from", &from, "--trust", &trust];
    practice.collector(&[&arguments[..], &["--by", "Anna Roth", "--reason", "the disk broke"]].concat())?;
    practice.start_collector()?;
    wait::until_so("the machine to say what it cannot send", WITHIN, || {
        machine.agent()?.ensure_running()?;
        let acts = practice.events(&["--acts"])?;
        Ok(acts.iter().any(|row| row["event"]["act"]["step"] == "short"))
    })
    .with_context(|| format!("{}\n{}", machine.log(), practice.collector_log()))?;
    let package = text(&practice.folder().join("package-ws-01"));
    machine.command(&["kept", "--out", &package])?;
    practice.stop_collector()?;

    let before = practice.size_of("ws-01")?;
    let taking = |more: &[&str]| {
        practice.try_collector(&[&["take-back", "--keys", &keys, "--package", &package], more].concat())
    };
    // With the stick of now alone it says which other one is wanted, and takes nothing in.
    let (code, said) = taking(&[])?;
    ensure!(
        code == Some(1) && said.contains("--former-keys") && !said.contains("came back"),
        "{code:?} {said}"
    );
    ensure!(practice.size_of("ws-01")? == before, "nothing was taken in");
    // A stick of somebody else's is no former one.
    let stranger = Practice::make_named("Elm Street")?;
    let strange = text(&stranger.folder().join("keys-to-take-away.txt"));
    let (code, said) = taking(&["--former-keys", &strange])?;
    ensure!(
        code == Some(1) && said.contains("were not read") && !said.contains("came back"),
        "{code:?} {said}"
    );
    ensure!(practice.size_of("ws-01")? == before, "nothing was taken in");
    let (code, said) = taking(&["--former-keys", &former])?;
    ensure!(code == Some(0) && said.contains("came back from what it had put away"), "{code:?} {said}");

    practice.start_collector()?;
    wait::until_so("the machine to go on", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of("ws-01")? >= size)
    })
    .with_context(|| format!("{}\n{}", machine.log(), practice.collector_log()))?;
    practice.collector(&["self-check"])?;
    let bundle = practice.folder().join("after.zip");
    let days = ["--from", "2026-01-01", "--to", "2099-12-31"];
    practice.collector(&[&["export", "--case", "T-1", "--out", &text(&bundle)], days.as_slice()].concat())?;
    let (code, said) = verify(&bundle, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{said}");
    program::succeed("ntk-collector", &["--dir", &text(&practice.dir()), "rebuild"])?;
    machine.stop()?;
    Ok(())
}
