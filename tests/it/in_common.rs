//! What collectors that share a ledger have in common beside it: passphrases, accounts and kept reviews are there when the
//! one that leads is killed, and whoever administers the database puts no passphrase in and none back. RV-1.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::console::{Browser, Credentials, with_manager};
use ntk_tests::postgres::Postgres;
use ntk_tests::practice::{Practice, week};
use ntk_tests::proxy::Cutter;
use ntk_tests::{skip, wait};

const WITHIN: Duration = Duration::from_secs(60);
/// What Mary signs in with after she changed it.
const NEW: &str = "another horse battery staple";

/// Moves the ledger there. Passphrases are hashed here, which takes a busy machine for itself: a lease that outlasts it.
fn move_to(practice: &Practice, database: &str) -> Result<()> {
    practice.collector(&["migrate", "--to", "postgres", "--lease-seconds", "10", "--database", database])?;
    Ok(())
}

/// A practice whose manager is set up, its ledger in a database; no collector runs.
fn with_manager_in(test: &str) -> Result<Option<(Postgres, Practice, Credentials)>> {
    let Some(server) = Postgres::start()? else {
        skip::skip(test, "no PostgreSQL server is installed");
        return Ok(None);
    };
    let (mut practice, _, mary) = with_manager()?;
    practice.stop_collector()?;
    move_to(&practice, &server.database("ntk")?)?;
    Ok(Some((server, practice, mary)))
}

fn written(practice: &Practice, name: &str, words: &str) -> Result<String> {
    let file = practice.folder().join(name);
    fs::write(&file, words)?;
    Ok(file.to_string_lossy().into_owned())
}

/// Mary's passphrase is another one from now on.
fn change_passphrase(practice: &Practice, mary: &Credentials) -> Result<Credentials> {
    let (old, new) = (written(practice, "old", &mary.passphrase)?, written(practice, "new", NEW)?);
    practice.collector(&[
        "reviewer",
        "passphrase",
        "mary",
        "--passphrase-file",
        &new,
        "--old-passphrase-file",
        &old,
    ])?;
    Ok(Credentials { passphrase: NEW.to_owned(), ..mary.clone() })
}

/// Whether a passphrase lets Mary in at this collector. A code that is refused is not spent.
fn gets_in(practice: &Practice, who: &mut Credentials) -> Result<bool> {
    let answer = Browser::open(practice)?.sign_in(who).with_context(|| practice.collector_log())?;
    ensure!(answer.status < 500, "{}: {}", answer.status, answer.body);
    Ok(answer.leads_to().is_some_and(|to| to.starts_with("/me")))
}

/// Makes last week's review; its files as they are kept.
fn reviewed(practice: &Practice) -> Result<Vec<(String, Vec<u8>)>> {
    let out = practice.folder().join("out").to_string_lossy().into_owned();
    practice.collector(&["report", "--week", &week(1)?, "--out", &out])?;
    kept(practice)
}

fn kept(practice: &Practice) -> Result<Vec<(String, Vec<u8>)>> {
    let Ok(listed) = fs::read_dir(practice.dir().join("reports")) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".new") {
            files.push((name, fs::read(entry.path())?));
        }
    }
    files.sort();
    Ok(files)
}

fn hashes(practice: &Practice) -> PathBuf {
    practice.dir().join("private/reviewers.json")
}

fn same_hashes(one: &Practice, other: &Practice) -> Result<()> {
    wait::until_so("both collectors to have the same passphrases", WITHIN, || {
        Ok(fs::read(hashes(one)).ok() == fs::read(hashes(other)).ok())
    })
}

#[test]
fn after_the_collector_that_leads_is_killed_the_new_passphrase_and_the_kept_review_are_at_the_other()
-> Result<()> {
    let Some((_server, mut one, mary)) = with_manager_in("in common: a kill")? else { return Ok(()) };
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    ensure!(gets_in(&two, &mut mary.clone())?, "the twin: before the change the old one lets in");
    let mut changed = change_passphrase(&one, &mary)?;
    let there = reviewed(&one)?;
    ensure!(there.len() == 3, "a page, its data and its PDF: {}", there.len());
    one.kill_collector()?;

    wait::until_so("the other collector to lead", WITHIN, || {
        Ok(two.collector_log().contains("this collector leads"))
    })?;
    same_hashes(&two, &one)?;
    // A recovery code was spent by the twin.
    changed.recovery.pop();
    ensure!(!gets_in(&two, &mut mary.clone())?, "the old passphrase is refused");
    ensure!(gets_in(&two, &mut changed)?, "the new one lets in: {}", two.collector_log());
    wait::until_so("the kept review, byte for byte", WITHIN, || Ok(kept(&two)? == there))?;
    let mut browser = Browser::open(&two)?;
    browser.sign_in(&mut changed)?;
    for (name, content) in there.iter().filter(|(name, _)| !name.ends_with(".json")) {
        let saved = two.folder().join("saved").to_string_lossy().into_owned();
        browser.save(&format!("/reports/{name}"), &saved)?;
        ensure!(fs::read(&saved)? == *content, "{name} is read as it was made");
    }
    let said = two.collector(&["self-check"])?;
    ensure!(said.contains("The whole ledger verifies"), "{said}");

    // What is changed at the other one comes back, too.
    one.start_collector()?;
    let sams = written(&two, "sams", "the third passphrase of sam")?;
    two.collector(&["reviewer", "passphrase", "sam", "--passphrase-file", &sams])?;
    same_hashes(&one, &two)?;
    ensure!(fs::read_to_string(hashes(&one))?.contains("\"sam\""));
    Ok(())
}

#[test]
fn a_passphrase_row_that_was_changed_swapped_put_back_or_removed_lets_nobody_in_and_is_said() -> Result<()> {
    let Some((server, mut one, mary)) = with_manager_in("in common: rows")? else { return Ok(()) };
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    // It has the folder of before the change, and sees nothing since.
    let mut late = one.second()?;
    server.sql("ntk", "CREATE TABLE older AS SELECT * FROM ntk_file")?;
    let mut changed = change_passphrase(&one, &mary)?;
    same_hashes(&two, &one)?;
    server.sql("ntk", "CREATE TABLE newest AS SELECT * FROM ntk_file")?;

    let row = "name = 'private/reviewers.json'";
    let flip = format!("UPDATE ntk_file SET body = set_byte(body, 20, 255 - get_byte(body, 20)) WHERE {row}");
    let swap = format!(
        "UPDATE ntk_file SET body = (SELECT body FROM newest WHERE name = 'private/accounts.json') WHERE {row}"
    );
    let replayed = format!("UPDATE ntk_file SET body = (SELECT body FROM older WHERE {row}) WHERE {row}");
    let back =
        format!("DELETE FROM ntk_file WHERE {row}; INSERT INTO ntk_file SELECT * FROM older WHERE {row}");
    let removed = format!("DELETE FROM ntk_file WHERE {row}");
    let sams = written(&two, "sams", "the third passphrase of sam")?;
    for (change, says) in [
        (&flip, "somebody changed it"),
        (&swap, "somebody changed it"),
        (&replayed, "somebody changed it"),
        (&removed, "somebody put it back"),
        (&back, "somebody put it back"),
    ] {
        server.sql("ntk", change)?;
        noticed("database-passphrases", || {
            let (code, said) =
                two.try_collector(&["reviewer", "passphrase", "sam", "--passphrase-file", &sams])?;
            ensure!(code != Some(0) && said.contains(says), "{change}: {code:?} {said}");
            ensure!(!gets_in(&two, &mut mary.clone())?, "{change}: the old passphrase");
            Ok(())
        })?;
        if change != &back {
            let right = format!("{removed}; INSERT INTO ntk_file SELECT * FROM newest WHERE {row}");
            server.sql("ntk", &right)?;
            ensure!(gets_in(&two, &mut changed)?, "put right, the new passphrase lets in");
        }
    }
    // Also where nobody reads: it is said by itself.
    wait::until_so("the collector to say so", WITHIN, || {
        Ok(two.collector_log().contains("what the collectors have in common was not taken from the database"))
    })?;
    // A collector that never saw the newer row takes the older one for whole; the ledger says that it is not the last.
    late.start_collector()?;
    ensure!(!gets_in(&late, &mut mary.clone())?, "the old passphrase, at a collector that was away");
    ensure!(late.collector_log().contains("older here than the ledger says"), "{}", late.collector_log());
    Ok(())
}

#[test]
fn a_migration_takes_passphrases_accounts_and_kept_reviews_along_both_ways() -> Result<()> {
    let Some(server) = Postgres::start()? else {
        skip::skip("in common: there and back", "no PostgreSQL server is installed");
        return Ok(());
    };
    let (mut one, _, mary) = with_manager()?;
    let there = reviewed(&one)?;
    one.stop_collector()?;
    move_to(&one, &server.database("ntk")?)?;
    let mut two = one.second()?;
    for name in ["reviewers.json", "accounts.json", "in-common.json"] {
        fs::remove_file(two.dir().join("private").join(name)).context(name)?;
    }
    // A command that works without a running collector looks there first.
    let listed = two.collector(&["reviewer", "list"])?;
    ensure!(listed.contains("mary"), "{listed}");
    two.start_collector()?;
    ensure!(gets_in(&two, &mut mary.clone())?, "passphrase and second factor came along");
    wait::until_so("the kept review", WITHIN, || Ok(kept(&two)? == there))?;
    let mut changed = change_passphrase(&two, &mary)?;
    changed.recovery.pop();
    two.stop_collector()?;

    // The collector that goes back to files was not there when it was changed.
    one.collector(&["migrate", "--to", "files"])?;
    one.start_collector()?;
    ensure!(!gets_in(&one, &mut mary.clone())?, "the old passphrase");
    ensure!(gets_in(&one, &mut changed)?, "the new one came back: {}", one.collector_log());
    one.stop_collector()?;
    // Closed, the first database takes no change any more.
    let (code, said) = two.try_collector(&["reviewer", "list"])?;
    ensure!(code != Some(0) && said.contains("was moved out of this database"), "{said}");
    // Into another database they are the newest again, also for a collector that saw more of the first one.
    move_to(&one, &server.database("again")?)?;
    let versions = server.sql("again", "SELECT count(*) FROM ntk_file WHERE version > 1000000000")?;
    ensure!(versions.trim() == "2", "{versions}");
    Ok(())
}

#[test]
fn a_change_that_was_not_sent_or_not_answered_is_made_once() -> Result<()> {
    let Some((server, mut one, _)) = with_manager_in("in common: cuts")? else { return Ok(()) };
    let cutter = Cutter::to(&format!("127.0.0.1:{}", server.port()), 3)?;
    let config = one.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    let cut = text.replace(&format!("port={}", server.port()), &format!("port={}", cutter.port()));
    ensure!(cut != text, "the configuration names the wire");
    fs::write(&config, cut)?;
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    let version = || -> Result<i64> {
        let said = server.sql("ntk", "SELECT version FROM ntk_file WHERE name = 'private/reviewers.json'")?;
        Ok(said.trim().parse()?)
    };
    let before = version()?;
    for n in 0..12 {
        let words = written(&one, "sams", &format!("passphrase number {n} of sam"))?;
        let at = if n % 2 == 0 { &one } else { &two };
        at.collector(&["reviewer", "passphrase", "sam", "--passphrase-file", &words, "--reset"])?;
    }
    ensure!(version()? == before + 12, "each once: {} after {before}", version()?);
    let [not_sent, not_answered] = cutter.cuts();
    ensure!(not_sent > 3 && not_answered > 3, "{not_sent} were not sent, {not_answered} not answered");
    Ok(())
}
