//! Several practices in one process: nothing of one is at the other, and what happens to one happens to it alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::console::{Browser, set_up_link_in};
use ntk_tests::crafted::{Crafted, core, entry, message};
use ntk_tests::disk::Disk;
use ntk_tests::postgres::Postgres;
use ntk_tests::practice::{Practice, ROSTER};
use ntk_tests::program::{self, Running};
use ntk_tests::{skip, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::refusals::{accepted, enrolled, runtime};

const WITHIN: Duration = Duration::from_secs(60);

/// One collector over a folder of practices, each of which is a link to where a test made it.
struct Several {
    folder: TempDir,
    running: Option<Running>,
}

impl Several {
    fn over(practices: &[(&str, &Practice)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("ntk-").tempdir()?;
        let mut this = Self { folder, running: None };
        practices.iter().try_for_each(|(name, practice)| this.add(name, practice))?;
        let mut command = Command::new(program::binary("ntk-collector")?);
        command.args(["run", "--practices"]).arg(this.folder.path());
        this.running =
            Some(Running::spawn("ntk-collector", command, &this.folder.path().with_extension("log"))?);
        Ok(this)
    }

    fn add(&self, name: &str, practice: &Practice) -> Result<()> {
        Ok(symlink(practice.dir(), self.folder.path().join(name))?)
    }

    fn log(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }

    /// What `practices` says: its exit code, and the row of one folder.
    fn row(&self, name: &str) -> Result<(Option<i32>, Value)> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let output = program::run("ntk-collector", &["practices", &folder, "--json"])?;
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("no rows: {}", program::text(&output.stderr)))?;
        let row = rows.into_iter().find(|row| row["folder"] == name).context("a row of the practice")?;
        Ok((output.status.code(), row))
    }

    fn comes_to(&mut self, name: &str, state: &str) -> Result<Value> {
        let waited = wait::until(&format!("{name} to be {state}"), WITHIN, || {
            self.running.as_mut().context("it runs")?.ensure_running()?;
            let (_, row) = self.row(name)?;
            Ok((row["state"] == state).then_some(row))
        });
        waited.with_context(|| format!("{:?}\n{}", self.row(name), self.log()))
    }

    fn stop(mut self) -> Result<()> {
        let log = self.log();
        let status = self.running.take().context("it runs")?.stop()?;
        ensure!(status.success(), "the collector ended with {status}:\n{log}");
        Ok(())
    }
}

/// Two practices that run in one process, each with its people.
fn two() -> Result<(Several, Practice, Practice)> {
    let (maple, oak) =
        (Practice::make_named("Maple Street Family Practice")?, Practice::make_named("Oak Lane Dental")?);
    let mut several = Several::over(&[("maple", &maple), ("oak", &oak)])?;
    several.comes_to("maple", "running")?;
    several.comes_to("oak", "running")?;
    maple.import_roster(ROSTER)?;
    Ok((several, maple, oak))
}

/// An agent's entries are taken: the practice works.
fn takes(practice: &Practice, machine: &str) -> Result<()> {
    runtime()?.block_on(async {
        let mut agent = enrolled(practice, machine).await?;
        let mut stream = agent.stream().await?;
        let batch = message(&agent.seal(vec![entry(&core(1))?])?);
        accepted(&mut stream, batch, 1).await
    })
}

fn authors(practice: &Practice) -> Result<Vec<String>> {
    let status = practice.status()?;
    let authors = status["authors"].as_array().context("authors")?;
    Ok(authors.iter().filter_map(|row| row["author"].as_str().map(str::to_owned)).collect())
}

fn slug(practice: &Practice) -> Result<String> {
    Ok(practice.status()?["slug"].as_str().context("a slug")?.to_owned())
}

#[test]
fn nothing_of_one_practice_is_told_on_the_socket_or_in_the_log_lines_of_another() -> Result<()> {
    let (mut several, maple, oak) = two()?;
    takes(&maple, "ws-maple")?;
    takes(&oak, "ws-oak")?;
    assert_eq!(authors(&maple)?, ["agent/ws-maple", "collector"]);
    assert_eq!(authors(&oak)?, ["agent/ws-oak", "collector"]);
    for (practice, other) in
        [(&maple, ["ws-oak", "oak-lane", "Oak Lane"]), (&oak, ["ws-maple", "maple-street", "Maple Street"])]
    {
        for asked in [
            &["status", "--json"][..],
            &["events", "--acts", "--json"],
            &["enroll", "list", "--json"],
            &["metrics"],
            &["findings", "--json"],
        ] {
            let said = practice.collector(asked)?;
            for word in other {
                assert!(!said.contains(word), "`{word}` in {asked:?}:\n{said}");
            }
        }
        let own = format!("{{practice=\"{}\"", slug(practice)?);
        for sample in practice.collector(&["metrics"])?.lines().filter(|line| !line.starts_with('#')) {
            assert!(sample.contains(&own), "`{sample}` says which practice is meant");
        }
        practice.collector(&["self-check"])?;
    }
    let row = several.comes_to("oak", "running")?;
    assert_eq!(row["slug"], slug(&oak)?);
    assert!(row["leaves"].as_u64().is_some_and(|leaves| leaves > 1), "{row}");
    let log = several.log();
    for (own, other) in [(slug(&maple)?, "oak-lane"), (slug(&oak)?, "maple-street")] {
        let tag = format!("practice={own}");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&tag)).collect();
        for said in ["ledger opened", "collector runs", "the console is open"] {
            assert!(lines.iter().any(|line| line.contains(said)), "`{said}` of {own} in:\n{log}");
        }
        for line in lines {
            assert!(!line.contains(other), "{line}");
        }
    }
    let untold = log.lines().filter(|line| {
        let is_logged = line.contains(" INFO ") || line.contains(" WARN ") || line.contains("ERROR ");
        is_logged && !line.contains("practice=")
    });
    assert_eq!(untold.count(), 1, "only the process itself says something without a practice:\n{log}");
    several.stop()
}

#[test]
fn a_certificate_a_token_or_a_session_of_one_practice_opens_nothing_of_another() -> Result<()> {
    let (several, maple, oak) = two()?;
    runtime()?.block_on(async {
        // The agent believes the other practice's authority, as a thief would make it.
        let mut agent = enrolled(&maple, "ws-maple").await?;
        agent.go_to(&oak.address(), &oak.dir())?;
        let stream = agent.stream().await;
        ensure!(stream.is_err(), "a certificate of another practice's authority opened a stream");
        agent.go_to(&maple.address(), &maple.dir())?;
        let stream = agent.stream().await?;
        stream.send(message(&agent.seal(vec![entry(&core(1))?])?)).await?;
        // The token with the other practice's address and authority in it.
        let token = maple.token("ws-2")?;
        let refused = Crafted::enroll(&oak.address(), &oak.dir(), &token).await;
        ensure!(refused.is_err(), "a token of another practice enrolled a machine");
        Crafted::enroll(&maple.address(), &maple.dir(), &token).await.context("and its own takes it")?;
        anyhow::Ok(())
    })?;
    assert_eq!(authors(&oak)?, ["collector"]);
    let mut mary = Browser::open(&maple)?;
    mary.set_up(&set_up_link_in(&maple, || several.log())?, &[("person", "mary"), ("name", "Mary Lopez")])?;
    let mut own = mary.stolen()?;
    ensure!(!own.get("/")?.is_shut(), "the session is worth something where it is from");
    let mut thief = mary.stolen_at(&oak)?;
    let answer = thief.get("/")?;
    ensure!(answer.is_shut(), "a session of another practice: {} {}", answer.status, answer.body);
    several.stop()
}

#[test]
fn a_damaged_practice_is_told_and_tried_again_and_the_others_go_on() -> Result<()> {
    let (mut several, maple, oak) = two()?;
    several.add("copy", &maple)?;
    let row = several.comes_to("copy", "waiting")?;
    let why = row["fault"]["why"].to_string();
    assert!(why.contains("two logs of one name"), "{why}");
    fs::remove_file(several.folder.path().join("copy"))?;
    // A third one is found; it names a port of the first.
    let elm = Practice::make_named("Elm Park Clinic")?;
    let config = elm.dir().join("collector.toml");
    let text = fs::read_to_string(&config)?;
    fs::write(&config, text.replace(&elm.address(), &maple.address()))?;
    several.add("elm", &elm)?;
    let row = several.comes_to("elm", "waiting")?;
    let why = row["fault"]["why"].to_string();
    assert!(why.contains(&format!("the practice `{}` listens on", slug(&maple)?)), "{why}");
    assert_eq!(several.row("elm")?.0, Some(1), "one does not run");
    fs::write(&config, text)?;
    several.comes_to("elm", "running")?;
    takes(&elm, "ws-elm")?;
    // Its trust file is damaged and it is begun anew: taken away, and put back.
    fs::remove_file(several.folder.path().join("elm"))?;
    wait::until_so("elm to be ended", WITHIN, || Ok(std::net::TcpStream::connect(elm.address()).is_err()))?;
    let trust = fs::read_to_string(elm.dir().join("trust.txt"))?;
    fs::write(elm.dir().join("trust.txt"), &trust[..trust.len() / 2])?;
    several.add("elm", &elm)?;
    noticed("tenant-damage", || {
        wait::until_so("the damage to be named", WITHIN, || {
            let (_, row) = several.row("elm")?;
            Ok(row["state"] == "waiting" && row["fault"]["why"].to_string().contains("trust.txt"))
        })
    })?;
    takes(&maple, "ws-maple")?;
    takes(&oak, "ws-oak")?;
    fs::write(elm.dir().join("trust.txt"), trust)?;
    several.comes_to("elm", "running")?;
    takes(&elm, "ws-elm-2")?;
    assert_eq!(several.row("elm")?.0, Some(0), "all run");
    several.stop()
}

#[test]
fn a_ledger_that_stops_stops_its_own_practice_only_and_runs_again_when_its_disk_does() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        skip::skip("tenants: disk", "needs root for a loop device");
        return Ok(());
    }
    let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
    let mut disk = match Disk::new(scratch.path(), 256) {
        Ok(disk) => disk,
        Err(error) => {
            skip::skip("tenants: disk", &format!("no loop device: {error:#}"));
            return Ok(());
        }
    };
    let (oak, maple) = (Practice::make(disk.path(), None)?, Practice::make_named("Oak Lane Dental")?);
    let mut several = Several::over(&[("on-disk", &oak), ("beside", &maple)])?;
    several.comes_to("on-disk", "running")?;
    several.comes_to("beside", "running")?;
    takes(&oak, "ws-before")?;
    disk.cut()?;
    ensure!(oak.token("ws-lost").is_err(), "nothing is acknowledged that no disk took");
    let row = several.comes_to("on-disk", "waiting")?;
    assert!(row["fault"]["why"].is_string(), "{row}");
    takes(&maple, "ws-beside")?;
    wait::until_so("the disk to be free", WITHIN, || Ok(disk.switch_on().is_ok()))?;
    several.comes_to("on-disk", "running")?;
    takes(&oak, "ws-after")?;
    ensure!(authors(&oak)?.contains(&"agent/ws-before".to_owned()), "what was acknowledged is there");
    oak.collector(&["self-check"])?;
    several.stop()
}

#[test]
fn two_practices_in_one_database_never_share_a_row() -> Result<()> {
    let Some(server) = Postgres::start()? else {
        skip::skip("tenants: database", "no PostgreSQL server is installed");
        return Ok(());
    };
    let (maple, oak) =
        (Practice::make_named("Maple Street Family Practice")?, Practice::make_named("Oak Lane Dental")?);
    let settings = server.database("ntk")?;
    maple.migrate(&settings)?;
    oak.migrate(&settings)?;
    let mut several = Several::over(&[("maple", &maple), ("oak", &oak)])?;
    several.comes_to("maple", "running")?;
    several.comes_to("oak", "running")?;
    // The same machine's name and the same author in both.
    takes(&maple, "ws-01")?;
    takes(&oak, "ws-01")?;
    takes(&oak, "ws-02")?;
    assert_eq!(authors(&maple)?, ["agent/ws-01", "collector"]);
    assert_eq!(authors(&oak)?, ["agent/ws-01", "agent/ws-02", "collector"]);
    let rows = |of: &str| {
        server.sql(
            "ntk",
            &format!("SELECT count(*) FROM ntk_batch WHERE tenant = '{of}' AND author = 'agent/ws-02'"),
        )
    };
    assert_eq!((rows(&slug(&maple)?)?.trim(), rows(&slug(&oak)?)?.trim()), ("0", "1"));
    let tenants = server.sql("ntk", "SELECT DISTINCT tenant FROM ntk_batch ORDER BY tenant")?;
    assert_eq!(tenants.split_whitespace().collect::<Vec<_>>(), [slug(&maple)?, slug(&oak)?]);
    // A row of one under the other's name is signed by nobody there: a fresh copy is refused.
    for practice in [&maple, &oak] {
        practice.collector(&["self-check"])?;
        practice.collector(&["rebuild"])?;
    }
    several.stop()
}

#[test]
fn a_practice_by_itself_raises_nothing_of_this() -> Result<()> {
    let maple = Practice::make_named("Maple Street Family Practice")?;
    let mut several = Several::over(&[("maple", &maple)])?;
    let row = several.comes_to("maple", "running")?;
    assert_eq!(row["fault"], Value::Null);
    takes(&maple, "ws-maple")?;
    several.stop()
}
