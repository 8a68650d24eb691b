//! Whoever administers the database of a shared ledger: what they cannot do, and how the rest is seen.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::forge::Forge;
use ntk_tests::postgres::Postgres;
use ntk_tests::practice::Practice;
use ntk_tests::{skip, wait};

use crate::crash::{player, reaches};

const WITHIN: Duration = Duration::from_secs(60);

/// A practice with some entries, its ledger in a database; no collector runs.
fn shared(test: &str, so: impl FnOnce(&Practice) -> Result<()>) -> Result<Option<(Postgres, Practice)>> {
    let Some(server) = Postgres::start()? else {
        skip::skip(test, "no PostgreSQL server is installed");
        return Ok(None);
    };
    let mut practice = Practice::start()?;
    let mut machine = player(&practice, "ws-01", 1001, 200, None)?;
    reaches(&practice, &mut machine, 201)?;
    machine.stop()?;
    practice.stop_collector()?;
    so(&practice)?;
    practice.migrate(&server.database("ntk")?)?;
    Ok(Some((server, practice)))
}

/// A collector that makes its copy from the database now; what it said.
fn newcomer(practice: &Practice) -> Result<(Option<i32>, String)> {
    practice.second()?.try_collector(&["self-check"])
}

#[test]
fn a_changed_row_is_seen_by_whoever_makes_a_copy() -> Result<()> {
    let Some((server, practice)) = shared("database: rows", |_| Ok(()))? else { return Ok(()) };
    let (code, said) = newcomer(&practice)?;
    ensure!(code == Some(0), "the twin: an untouched database is copied: {said}");
    server.sql("ntk", "CREATE TABLE kept AS SELECT * FROM ntk_batch")?;
    let longest =
        "SELECT leaf FROM ntk_batch WHERE author <> 'collector' ORDER BY length(frame) DESC LIMIT 1";
    let flip = format!(
        "UPDATE ntk_batch SET frame = set_byte(frame, length(frame) - 30, 255 - get_byte(frame, length(frame) - 30)) WHERE leaf = ({longest})"
    );
    let swap = "UPDATE ntk_batch SET frame = (SELECT frame FROM kept WHERE leaf = 2) WHERE leaf = 3";
    let drop = "DELETE FROM ntk_batch WHERE leaf = 3";
    for change in [flip.as_str(), swap, drop] {
        server.sql("ntk", change)?;
        noticed("database-row", || {
            let (code, said) = newcomer(&practice)?;
            ensure!(code != Some(0), "{change}: {said}");
            Ok(())
        })?;
        server.sql("ntk", "TRUNCATE ntk_batch")?;
        server.sql("ntk", "INSERT INTO ntk_batch SELECT * FROM kept")?;
    }
    let (code, said) = newcomer(&practice)?;
    ensure!(code == Some(0), "put back, it is copied again: {said}");
    Ok(())
}

#[test]
fn a_database_that_went_back_is_refused_by_every_collector_that_saw_more() -> Result<()> {
    let Some((server, mut practice)) = shared("database: rollback", |_| Ok(()))? else { return Ok(()) };
    practice.start_collector()?;
    let mut other = practice.second()?;
    other.start_collector()?;
    let back = "DELETE FROM ntk_batch WHERE leaf >= 5; DELETE FROM ntk_commit WHERE size > 5;
        INSERT INTO ntk_commit SELECT tenant, 5, term, frame FROM ntk_commit ORDER BY size DESC LIMIT 1 ON CONFLICT DO NOTHING;
        UPDATE ntk_tenant SET size = 5";
    server.sql("ntk", back)?;
    noticed("database-back", || {
        wait::until_so("a collector to refuse", WITHIN, || {
            let _ =
                practice.try_collector(&["hold", "add", "--case", "C-1", "--reason", "why", "--by", "mary"]);
            Ok(practice.collector_log().contains("another history")
                || other.collector_log().contains("another history"))
        })
    })?;
    let _ = practice.kill_collector();
    let (code, said) = practice.try_collector(&["status"])?;
    ensure!(code != Some(0) && said.contains("another history"), "a start goes on: {said}");
    Ok(())
}

#[test]
fn acts_that_were_written_into_the_database_are_not_taken_and_no_act_twice() -> Result<()> {
    let Some((server, mut practice)) = shared("database: acts", |_| Ok(()))? else { return Ok(()) };
    practice.start_collector()?;
    let mut other = practice.second()?;
    other.start_collector()?;
    server.sql(
        "ntk",
        "CREATE TABLE stolen AS SELECT * FROM ntk_waiting LIMIT 0;
         CREATE FUNCTION steal() RETURNS trigger AS $$ BEGIN INSERT INTO stolen SELECT NEW.*; RETURN NEW; END $$ LANGUAGE plpgsql;
         CREATE TRIGGER steal AFTER INSERT ON ntk_waiting FOR EACH ROW EXECUTE FUNCTION steal()",
    )?;
    // Handed over by the collector that stands by, and taken: the twin.
    other.collector(&["hold", "add", "--case", "C-1", "--reason", "counsel asked", "--by", "mary"])?;
    let holds = |practice: &Practice| -> Result<usize> {
        let acts = practice.events(&["--acts"])?;
        Ok(acts.iter().filter(|row| row["event"]["kind"] == "act_hold").count())
    };
    assert_eq!(holds(&practice)?, 1);
    server.sql("ntk", "DROP TRIGGER steal ON ntk_waiting")?;
    noticed("database-acts", || {
        server.sql(
            "ntk",
            "DELETE FROM ntk_waiting; INSERT INTO ntk_waiting SELECT * FROM stolen;
             INSERT INTO ntk_waiting SELECT tenant, md5(id) || md5(id), arrived, kind, body FROM stolen;
             INSERT INTO ntk_waiting SELECT tenant, md5(id) || md5(id || 'c'), arrived, kind,
               convert_to(replace(convert_from(substr(body, 65), 'UTF8'), 'counsel', 'nobody!'), 'UTF8') FROM stolen",
        )?;
        wait::until_so("the answers", WITHIN, || {
            let open = "SELECT count(*) FROM ntk_waiting WHERE leaf IS NULL AND refused IS NULL";
            Ok(server.sql("ntk", open)?.trim() == "0")
        })
    })?;
    let refused = server.sql("ntk", "SELECT count(*) FROM ntk_waiting WHERE refused IS NOT NULL")?;
    let asked = server.sql("ntk", "SELECT count(*) FROM ntk_waiting")?;
    assert_eq!(refused, asked, "every one of them is refused");
    assert_eq!(holds(&practice)?, 1);
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_stolen_lease_stops_nobody_for_long_and_nothing_is_written_twice() -> Result<()> {
    let Some((server, mut practice)) = shared("database: lease", |_| Ok(()))? else { return Ok(()) };
    practice.start_collector()?;
    noticed("database-lease", || {
        server.sql("ntk", "UPDATE ntk_tenant SET holder = 'somebody', term = term + 1, until = now() + interval '3 seconds'")?;
        // It ends in order and says why; whoever keeps it running starts it again.
        wait::until_so("the collector to step back", WITHIN, || {
            Ok(practice.collector_log().contains("another collector took over"))
        })?;
        let _ = practice.kill_collector();
        practice.start_collector()?;
        wait::until_so("the collector to lead again", WITHIN, || {
            Ok(practice.collector_log().matches("this collector leads").count() > 1)
        })
    })?;
    let mut machine = player(&practice, "ws-02", 1002, 100, None)?;
    reaches(&practice, &mut machine, 101)?;
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_database_that_forgets_in_a_power_cut_is_refused() -> Result<()> {
    let Some((mut server, practice)) = shared("database: durability", |_| Ok(()))? else { return Ok(()) };
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        practice.collector(&["status"]).context("the twin")?;
        server.configure(&format!("{setting} = off\n"))?;
        server.stop()?;
        server.run()?;
        let (code, said) = practice.try_collector(&["status"])?;
        ensure!(code != Some(0) && said.contains(&format!("`{setting} = off`")), "{setting}: {said}");
        server.configure(&format!("{setting} = on\n"))?;
        server.stop()?;
        server.run()?;
    }
    Ok(())
}

#[test]
fn entries_that_retention_takes_out_leave_the_database_and_every_copy() -> Result<()> {
    let aged = |practice: &Practice| Forge::open(&practice.dir())?.aged(3 * 365).write();
    let Some((server, mut practice)) = shared("database: retention", aged)? else { return Ok(()) };
    practice.start_collector()?;
    let mut other = practice.second()?;
    other.start_collector()?;
    wait::until_so("retention to be done in the database", WITHIN, || {
        Ok(server.sql("ntk", "SELECT count(*) FROM ntk_segment WHERE pruned IS NOT NULL")?.trim() == "1")
    })?;
    let left = "SELECT count(*) FROM ntk_batch, ntk_segment WHERE number = 1 AND leaf < ntk_segment.size AND frame <> ''";
    assert_eq!(server.sql("ntk", left)?.trim(), "0");
    // A newcomer copies what is left, and it verifies.
    let third = practice.second()?;
    let said = third.collector(&["self-check"])?;
    assert!(said.contains("The whole ledger verifies") && said.contains("removed after retention"), "{said}");
    // The copy of a collector that was there before follows at its next look.
    other.stop_collector()?;
    other.start_collector()?;
    let pruned = other.dir().join("ledger/00000000000000000000.segp");
    wait::until_so("the other copy to follow", WITHIN, || Ok(pruned.exists()))?;
    other.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_database_of_a_practice_that_is_encrypted_holds_nothing_readable() -> Result<()> {
    let Some(server) = Postgres::start()? else {
        skip::skip("database: encrypted", "no PostgreSQL server is installed");
        return Ok(());
    };
    for is_encrypted in [false, true] {
        let mut practice = Practice::start_so(|folder| {
            let key = format!("file:{}", folder.join("at-rest.key").display());
            (if is_encrypted { vec!["--at-rest".to_owned(), key] } else { Vec::new() }, Vec::new())
        })?;
        let mut machine = player(&practice, "ws-01", 1001, 50, None)?;
        reaches(&practice, &mut machine, 51)?;
        machine.stop()?;
        practice.stop_collector()?;
        let name = format!("ntk{}", u8::from(is_encrypted));
        practice.migrate(&server.database(&name)?)?;
        practice.start_collector()?;
        let path = ntk_tests::recording::file_of("ws-01", 7);
        let found = format!(
            "SELECT count(*) FROM ntk_batch WHERE position(convert_to('{path}', 'UTF8') in frame) > 0"
        );
        assert_eq!(server.sql(&name, &found)?.trim(), if is_encrypted { "0" } else { "1" }, "and its twin");
        practice.collector(&["self-check"])?;
        let said = practice.second()?.collector(&["self-check"])?;
        assert!(said.contains("The whole ledger verifies"), "{said}");
    }
    Ok(())
}
