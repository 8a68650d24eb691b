//! A practice in a folder of its own, and its collector as a process.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_collector::report::week::Week;
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::Machine;
use crate::program::{self, Running};
use crate::wait;

/// Where a practice lives, by whose clock its days and weeks go.
const TIMEZONE: &str = "America/New_York";

/// How long a start may take.
pub const START_WITHIN: Duration = Duration::from_secs(30);

/// The name of a practice that a test makes.
const NAME: &str = "Maple Street Family Practice";

/// Who works here: the accounts that recordings and live tests use.
pub const ROSTER: &str = r#"
[[person]]
id = "mary"
name = "Mary Lopez"
roles = ["manager"]

[[person]]
id = "northwind"
name = "Northwind IT"
organisation = "Northwind IT"
roles = ["vendor"]

[[person]]
id = "sam"
name = "Sam Ortiz"
roles = ["frontdesk"]

[[account]]
person = "northwind"
host = "front-desk"
uid = 1001
user = "itadmin1"

[[account]]
person = "northwind"
host = "ws-01"
uid = 1001
user = "itadmin1"

[[account]]
person = "sam"
host = "ws-02"
uid = 1002
user = "frontdesk1"

[[account]]
person = "northwind"
host = "live"
uid = 4242
user = "itadmin1"
"#;

/// A practice: folder, collector, address.
#[derive(Debug)]
pub struct Practice {
    folder: PathBuf,
    _scratch: Option<TempDir>,
    port: u16,
    console_port: u16,
    collector: Option<Running>,
    environment: Vec<(String, String)>,
}

impl Practice {
    /// Makes a practice in a scratch folder, imports the roster and starts the collector.
    pub fn start() -> Result<Self> {
        Self::start_so(|_| (Vec::new(), Vec::new()))
    }

    /// [`Practice::start`], with more at the end of `collector.toml`.
    pub fn start_configured(more: &str) -> Result<Self> {
        Self::start_with(|_| (Vec::new(), Vec::new()), more)
    }

    /// [`Practice::start`], with more arguments for `init` and more variables for every run of the collector; both are
    /// made when the folder is there.
    pub fn start_so(so: impl FnOnce(&Path) -> (Vec<String>, Vec<(String, String)>)) -> Result<Self> {
        Self::start_with(so, "")
    }

    fn start_with(
        so: impl FnOnce(&Path) -> (Vec<String>, Vec<(String, String)>),
        more: &str,
    ) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
        let folder = scratch.path().to_owned();
        let (arguments, environment) = so(&folder);
        let mut practice = Self::make_so(&folder, NAME, Some(scratch), &arguments, environment)?;
        let config = practice.dir().join("collector.toml");
        let text = std::fs::read_to_string(&config)?;
        std::fs::write(&config, text + more)?;
        practice.start_collector()?;
        practice.import_roster(ROSTER)?;
        Ok(practice)
    }

    /// Makes a practice without starting anything, in a folder that the caller keeps.
    pub fn make(folder: &Path, scratch: Option<TempDir>) -> Result<Self> {
        Self::make_so(folder, NAME, scratch, &[], Vec::new())
    }

    /// [`Practice::make`] for a practice of another name.
    pub fn make_named(name: &str) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
        let folder = scratch.path().to_owned();
        Self::make_so(&folder, name, Some(scratch), &[], Vec::new())
    }

    fn make_so(
        folder: &Path,
        name: &str,
        scratch: Option<TempDir>,
        more: &[String],
        environment: Vec<(String, String)>,
    ) -> Result<Self> {
        let port = free_port()?;
        let console_port = free_port()?;
        let folder_of_it = folder.to_owned();
        let practice = Self {
            folder: folder_of_it,
            _scratch: scratch,
            port,
            console_port,
            collector: None,
            environment,
        };
        let keys = folder.join("keys-to-take-away.txt");
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        program::succeed_in(
            &practice.environment,
            "ntk-collector",
            &[
                &[
                    "init",
                    "--dir",
                    &practice.dir().to_string_lossy(),
                    "--name",
                    name,
                    "--timezone",
                    TIMEZONE,
                    "--keys-to",
                    &keys.to_string_lossy(),
                    "--administers",
                    "host=Northwind IT,hypervisor=Northwind IT,network=Northwind IT,backup=Northwind IT",
                    "--listen",
                    &format!("127.0.0.1:{port}"),
                    "--console",
                    &format!("127.0.0.1:{console_port}"),
                ],
                more.as_slice(),
            ]
            .concat(),
        )?;
        if let Some(database) = crate::postgres::database_of_this_run()? {
            practice.migrate(&database)?;
        }
        Ok(practice)
    }

    /// Moves the ledger into a database, while no collector runs.
    pub fn migrate(&self, database: &str) -> Result<String> {
        self.collector(&["migrate", "--to", "postgres", "--lease-seconds", "2", "--database", database])
    }

    /// A second collector of the same practice, on ports of its own: the keys, the trust file and the configuration, and
    /// nothing of the ledger. It does not run yet.
    pub fn second(&self) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
        let (port, console_port) = (free_port()?, free_port()?);
        let other = Self::over(scratch, port, console_port);
        std::fs::create_dir_all(other.dir().join("private"))?;
        for entry in std::fs::read_dir(self.dir().join("private"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), other.dir().join("private").join(entry.file_name()))?;
        }
        std::fs::copy(self.dir().join("trust.txt"), other.dir().join("trust.txt"))?;
        if self.dir().join("at-rest.json").exists() {
            std::fs::copy(self.dir().join("at-rest.json"), other.dir().join("at-rest.json"))?;
        }
        let config = std::fs::read_to_string(self.dir().join("collector.toml"))?;
        let config = config.replace(&self.address(), &other.address());
        let config =
            config.replace(&format!("127.0.0.1:{}", self.console_port), &format!("127.0.0.1:{console_port}"));
        std::fs::write(other.dir().join("collector.toml"), config)?;
        Ok(other)
    }

    /// A practice that was made without a process, in the folder's `collector`; nothing is started.
    pub fn over(folder: TempDir, port: u16, console_port: u16) -> Self {
        let (at, environment) = (folder.path().to_owned(), Vec::new());
        Self { folder: at, _scratch: Some(folder), port, console_port, collector: None, environment }
    }

    /// The variables that every run of the collector gets from now on.
    pub fn set_environment(&mut self, environment: Vec<(String, String)>) {
        self.environment = environment;
    }

    /// Folder of everything in this practice.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The collector's folder.
    pub fn dir(&self) -> PathBuf {
        self.folder.join("collector")
    }

    /// Where agents connect.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Beginning of the console's links.
    pub fn console_origin(&self) -> String {
        format!("https://127.0.0.1:{}", self.console_port)
    }

    /// Starts the collector and waits until it answers.
    pub fn start_collector(&mut self) -> Result<()> {
        ensure!(self.collector.is_none(), "the collector runs already");
        let config = self.dir().join("collector.toml");
        let log = self.folder.join("collector.log");
        let mut command = Command::new(program::binary("ntk-collector")?);
        command.arg("run").arg("--config").arg(&config).envs(self.environment.iter().cloned());
        let mut running = Running::spawn("ntk-collector", command, &log)?;
        wait::until_so("the collector to answer", START_WITHIN, || {
            running.ensure_running()?;
            Ok(std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.status().is_ok())
        })?;
        self.collector = Some(running);
        Ok(())
    }

    /// Kills the collector with -9.
    pub fn kill_collector(&mut self) -> Result<()> {
        self.collector.take().context("the collector runs")?.kill()
    }

    /// Asks the collector to end; it must end with 0.
    pub fn stop_collector(&mut self) -> Result<()> {
        let status = self.collector.take().context("the collector runs")?.stop()?;
        ensure!(status.success(), "the collector ended with {status}:\n{}", self.collector_log());
        Ok(())
    }

    /// The collector's process number.
    pub fn collector_id(&self) -> Result<u32> {
        Ok(self.collector.as_ref().context("the collector runs")?.id())
    }

    /// Everything that the collector logged.
    pub fn collector_log(&self) -> String {
        std::fs::read(self.folder.join("collector.log"))
            .map(|bytes| program::text(&bytes))
            .unwrap_or_default()
    }

    /// Runs one subcommand of the collector that must succeed; what it printed.
    pub fn collector(&self, arguments: &[&str]) -> Result<String> {
        let dir = self.dir();
        program::succeed_in(
            &self.environment,
            "ntk-collector",
            &[&["--dir", &dir.to_string_lossy()], arguments].concat(),
        )
    }

    /// Runs one subcommand, however it ends: exit code and everything it said.
    pub fn try_collector(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let dir = self.dir();
        let output = program::run_in(
            &self.environment,
            "ntk-collector",
            &[&["--dir", &dir.to_string_lossy()], arguments].concat(),
        )?;
        let said = format!("{}{}", program::text(&output.stdout), program::text(&output.stderr));
        Ok((output.status.code(), said))
    }

    /// `status --json`.
    pub fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.collector(&["status", "--json"])?)?)
    }

    /// How many entries of this machine the collector holds.
    pub fn size_of(&self, machine: &str) -> Result<u64> {
        let status = self.status()?;
        let author = format!("agent/{machine}");
        let authors = status.get("authors").and_then(Value::as_array).context("status names authors")?;
        let size = authors.iter().find(|row| row.get("author").and_then(Value::as_str) == Some(&author));
        Ok(size.and_then(|row| row.get("size")).and_then(Value::as_u64).unwrap_or(0))
    }

    /// All events, one JSON a line; acts too where asked.
    pub fn events(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let mut all = vec!["events", "--json"];
        all.extend_from_slice(arguments);
        let lines = self.collector(&all)?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// All findings.
    pub fn findings(&self) -> Result<Vec<Value>> {
        let said: Value = serde_json::from_str(&self.collector(&["findings", "--json"])?)?;
        let findings = said.get("findings").unwrap_or(&said).as_array().context("a list of findings")?;
        Ok(findings.clone())
    }

    /// Brings a roster into force.
    pub fn import_roster(&self, text: &str) -> Result<()> {
        let file = self.folder.join("roster.toml");
        std::fs::write(&file, text)?;
        self.collector(&["roster", "import", &file.to_string_lossy()])?;
        Ok(())
    }

    /// Adds people without accounts to the roster, in the manager's name.
    pub fn import_people(&self, one: &str, two: &str, three: &str, four: &str) -> Result<()> {
        let people =
            [one, two, three, four].into_iter().filter(|id| !ROSTER.contains(&format!("id = \"{id}\"")));
        let people = people
            .map(|id| format!("\n[[person]]\nid = \"{id}\"\nname = \"{id}\"\nroles = [\"frontdesk\"]\n"));
        let (file, passphrase) = (self.folder.join("roster.toml"), self.folder.join("marys-passphrase"));
        std::fs::write(&file, format!("{ROSTER}{}", people.collect::<String>()))?;
        std::fs::write(&passphrase, crate::console::PASSPHRASE)?;
        let (file, passphrase) =
            (file.to_string_lossy().into_owned(), passphrase.to_string_lossy().into_owned());
        self.collector(&["roster", "import", &file, "--by", "mary", "--passphrase-file", &passphrase])?;
        Ok(())
    }

    /// A one-time token for a machine.
    pub fn token(&self, machine: &str) -> Result<String> {
        let said = self.collector(&["enroll", "new", "--machine", machine])?;
        let token = said.split_whitespace().find(|word| word.starts_with("ntk1."));
        Ok(token.with_context(|| format!("no token in {said}"))?.trim_matches('`').to_owned())
    }

    /// Enrols a machine; its agent does not run yet.
    pub fn enroll(&self, machine: &str) -> Result<Machine> {
        Machine::enroll(&self.folder, machine, &self.token(machine)?)
    }
}

/// A port on loopback that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The week so many weeks ago, by the practice's wall and not by UTC: on a Monday the two are of different weeks for hours. As
/// commands take it: `2026-W48`.
pub fn week(weeks_ago: i32) -> Result<String> {
    Ok(Week::of(Timestamp::now(), &TimeZone::get(TIMEZONE)?).earlier(weeks_ago).to_string())
}
