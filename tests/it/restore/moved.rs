//! A ledger that was put back, closed under the old log key and continued under the new one, moves into a database and back.

use ntk_tests::postgres::Postgres;
use ntk_tests::skip;

use super::*;

/// Size and root of the log.
fn root(practice: &Practice) -> Result<(u64, String)> {
    let status = practice.status()?;
    let (size, root) = (status["log"]["size"].as_u64(), status["log"]["root"].as_str());
    Ok((size.context("a size")?, root.context("a root")?.to_owned()))
}

/// Everything verifies, here and with strangers.
fn verifies(practice: &Practice, name: &str) -> Result<()> {
    let said = practice.collector(&["self-check"])?;
    ensure!(said.contains("The whole ledger verifies"), "{said}");
    let (bundle, trust) = (practice.folder().join(name), practice.dir().join("trust.txt"));
    let to = bundle.to_string_lossy().into_owned();
    let days = ["--from", "2026-01-01", "--to", "2099-12-31"];
    practice.collector(&[&["export", "--case", "M-1", "--out", &to], days.as_slice()].concat())?;
    let said = verify(&bundle, Some(&trust))?;
    ensure!(said.0 == Some(0), "{name}: {}", said.1);
    script_agrees("restore::moved", &bundle, &trust, &said)
}

#[test]
fn a_ledger_that_was_put_back_moves_into_a_database_and_back_and_verifies_in_both() -> Result<()> {
    let Some(server) = Postgres::start()? else {
        skip::skip("restore: moved", "no PostgreSQL server is installed");
        return Ok(());
    };
    let (mut practice, vault) = with_vault()?;
    let mut machine = played(&practice, "ws-01", "")?;
    practice.collector(&["backup"])?;
    plays_on(&practice, &mut machine, AFTER, "")?;
    practice.kill_collector()?;
    fs::remove_dir_all(practice.dir())?;
    let (code, said) = restore(&practice, &vault, &[])?;
    ensure!(code == Some(0), "{said}");

    // At once: what was signed last in the files is the restore itself.
    let said = practice.migrate(&server.database("ntk")?)?;
    ensure!(said.contains("both places have the root"), "{said}");
    practice.start_collector()?;
    wait::until_so("the machine to send again into the database", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(accesses(&practice, "ws-01")? == BEFORE + AFTER)
    })
    .with_context(|| format!("{}\n{}", machine.log(), practice.collector_log()))?;
    verifies(&practice, "there.zip")?;

    // What a machine put away does not go into the copy beside the database: that would be another history.
    let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
    let before = root(&practice)?;
    practice.stop_collector()?;
    let (code, said) = practice.try_collector(&["take-back", "--keys", &keys, "--package", &keys])?;
    ensure!(code == Some(1) && said.contains("migrate --to files"), "{code:?} {said}");
    practice.start_collector()?;
    ensure!(root(&practice)?.0 >= before.0, "the ledger goes on");

    // A second collector makes its copy of what is closed and of what follows, and shows the same log.
    let mut other = practice.second()?;
    let said = other.collector(&["self-check"])?;
    ensure!(said.contains("The whole ledger verifies"), "{said}");
    other.start_collector()?;
    wait::until_so("both to show the same log", WITHIN, || Ok(root(&practice)? == root(&other)?))?;
    other.stop_collector()?;

    // The twin: whoever writes to the database changes nothing that is closed, unseen.
    server.sql("ntk", "CREATE TABLE kept AS SELECT * FROM ntk_batch")?;
    let byte = "length(frame) - 30";
    let of_closed = "SELECT min(leaf) FROM ntk_batch WHERE author LIKE 'agent/%'";
    let flip = format!(
        "UPDATE ntk_batch SET frame = set_byte(frame, {byte}, 255 - get_byte(frame, {byte})) WHERE leaf = ({of_closed})"
    );
    for change in [flip.as_str(), "DELETE FROM ntk_batch WHERE leaf = 1"] {
        server.sql("ntk", change)?;
        let (code, said) = practice.second()?.try_collector(&["self-check"])?;
        ensure!(code != Some(0), "{change}: {said}");
        server.sql("ntk", "TRUNCATE ntk_batch")?;
        server.sql("ntk", "INSERT INTO ntk_batch SELECT * FROM kept")?;
    }

    // And back.
    ensure!(machine.stop()?.success(), "{}", machine.log());
    practice.stop_collector()?;
    let said = practice.collector(&["migrate", "--to", "files"])?;
    ensure!(said.contains("In the database it is closed"), "{said}");
    practice.start_collector()?;
    machine.start()?;
    verifies(&practice, "back.zip")?;
    practice.collector(&["rebuild"])?;
    assert_eq!(accesses(&practice, "ws-01")?, BEFORE + AFTER);
    let both =
        ["there.zip", "back.zip"].map(|name| practice.folder().join(name).to_string_lossy().into_owned());
    program::succeed("ntk-verify", &["agree", &both[0], &both[1]])?;
    practice.collector(&["backup"])?;
    practice.collector(&["off-site", "check"])?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    Ok(())
}
