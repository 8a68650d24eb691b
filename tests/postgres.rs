//! A PostgreSQL server of a test's own, as the distribution ships it: started, killed without warning, replicated, promoted.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::practice::free_port;
use crate::program::{self, Running};
use crate::wait;

/// How long a server may take to start or to be promoted.
const WITHIN: Duration = Duration::from_secs(60);
/// Who owns the databases.
const USER: &str = "ntk";

/// A server with a folder of its own.
#[derive(Debug)]
pub struct Postgres {
    // Ended before its folder goes.
    server: Option<Running>,
    folder: TempDir,
    bin: PathBuf,
    port: u16,
}

/// Where the distribution put the programs of its newest version; none where there are none.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.flatten().map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("initdb").is_file()).max()
}

/// A command as somebody who is not root: the server refuses to be.
fn as_nobody(program: &Path) -> Result<Command> {
    if !rustix::process::geteuid().is_root() {
        return Ok(Command::new(program));
    }
    let passwd = std::fs::read_to_string("/etc/passwd")?;
    let line = passwd.lines().find(|line| line.starts_with("postgres:")).context("an account `postgres`")?;
    let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
    let (uid, gid) = (fields.next().context("a uid")??, fields.next().context("a gid")??);
    let mut command = Command::new(program);
    command.uid(uid).gid(gid);
    Ok(command)
}

fn succeed(mut command: Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).current_dir("/").output()?;
    let said = format!("{}{}", program::text(&output.stdout), program::text(&output.stderr));
    ensure!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    Ok(said)
}

/// Where a server's files lie: in memory where there is room. On a disk that other tests fill it answers nobody for half a
/// minute at times, and leases end. Killed with -9 it loses nothing in either.
fn place() -> PathBuf {
    const ROOM: u64 = 2 << 30;
    let memory = PathBuf::from("/dev/shm");
    let has_room =
        rustix::fs::statvfs(&memory).is_ok_and(|there| there.f_bavail.saturating_mul(there.f_frsize) > ROOM);
    if has_room { memory } else { std::env::temp_dir() }
}

impl Postgres {
    /// A server with nothing in it; none where the distribution's server is not installed.
    pub fn start() -> Result<Option<Self>> {
        let Some(bin) = programs() else { return Ok(None) };
        let mut this = Self { folder: Self::scratch()?, bin, port: free_port()?, server: None };
        let mut init = as_nobody(&this.bin.join("initdb"))?;
        init.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"])
            .arg(this.data());
        succeed(init)?;
        this.configure("wal_level = replica\nmax_wal_senders = 5\nshared_buffers = 32MB\n")?;
        this.run()?;
        Ok(Some(this))
    }

    /// A folder that the server's account may write to.
    fn scratch() -> Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("ntk-db-").tempdir_in(place())?;
        if rustix::process::geteuid().is_root() {
            let mut own = Command::new("chown");
            own.arg("postgres").arg(folder.path());
            succeed(own)?;
        }
        Ok(folder)
    }

    /// Where it listens on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Adds lines to its configuration; they count from the next start.
    pub fn configure(&self, lines: &str) -> Result<()> {
        let file = self.data().join("postgresql.conf");
        let text = std::fs::read_to_string(&file)?;
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\n{lines}",
            self.port
        );
        std::fs::write(&file, format!("{text}\n{own}"))?;
        Ok(())
    }

    /// Starts the server and waits until it answers.
    pub fn run(&mut self) -> Result<()> {
        let mut command = as_nobody(&self.bin.join("postgres"))?;
        command.arg("-D").arg(self.data()).current_dir("/").process_group(0);
        let mut running = Running::spawn("postgres", command, &self.folder.path().join("server.log"))?;
        wait::until_so("the database to answer", WITHIN, || {
            running.ensure_running()?;
            Ok(self.sql("postgres", "SELECT 1").is_ok())
        })?;
        self.server = Some(running);
        Ok(())
    }

    /// Asks it to end.
    pub fn stop(&mut self) -> Result<()> {
        let running = self.server.take().context("the database runs")?;
        // Fast: connections are ended.
        running.signal(rustix::process::Signal::INT)?;
        let _status = running.stop()?;
        Ok(())
    }

    /// Kills it with everything that belongs to it, without warning.
    pub fn kill(&mut self) -> Result<()> {
        let running = self.server.take().context("the database runs")?;
        let group =
            rustix::process::Pid::from_raw(i32::try_from(running.id())?).context("a process group")?;
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
        let _ = running.kill();
        Ok(())
    }

    /// A second server that has everything before this one acknowledges it.
    pub fn standby(&self) -> Result<Self> {
        let mut other =
            Self { folder: Self::scratch()?, bin: self.bin.clone(), port: free_port()?, server: None };
        let mut copy = as_nobody(&self.bin.join("pg_basebackup"))?;
        copy.args([
            "-h",
            "127.0.0.1",
            "-U",
            USER,
            "-X",
            "stream",
            "-R",
            "--checkpoint=fast",
            "--no-sync",
            "-p",
        ]);
        copy.arg(self.port.to_string()).arg("-D").arg(other.data());
        succeed(copy)?;
        other.configure("synchronous_standby_names = ''\n")?;
        other.run()?;
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.sql("postgres", "SELECT pg_reload_conf()")?;
        wait::until_so("the standby to be synchronous", WITHIN, || {
            Ok(self.sql("postgres", "SELECT sync_state FROM pg_stat_replication")?.contains("sync"))
        })?;
        Ok(other)
    }

    /// Makes a standby the one that is written to.
    pub fn promote(&self) -> Result<()> {
        let mut promote = as_nobody(&self.bin.join("pg_ctl"))?;
        promote.args(["promote", "-w", "-D"]).arg(self.data());
        succeed(promote).map(|_| ())
    }

    /// Runs SQL in a database; rows as lines, columns with `|`.
    pub fn sql(&self, database: &str, text: &str) -> Result<String> {
        sql(&self.bin, self.port, database, text)
    }

    /// Makes a database; how `collector.toml` names it.
    pub fn database(&self, name: &str) -> Result<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.settings(name))
    }

    /// How `collector.toml` names a database.
    pub fn settings(&self, name: &str) -> String {
        format!("host=127.0.0.1 port={} user={USER} dbname={name}", self.port)
    }

    /// The same for a database that is on this server or on another.
    pub fn settings_of_two(&self, other: &Self, name: &str) -> String {
        format!("host=127.0.0.1,127.0.0.1 port={},{} user={USER} dbname={name}", self.port, other.port)
    }
}

/// Runs SQL on a server of this computer.
fn sql(bin: &Path, port: u16, database: &str, text: &str) -> Result<String> {
    let mut psql = Command::new(bin.join("psql"));
    psql.args([
        "-h",
        "127.0.0.1",
        "-U",
        USER,
        "-X",
        "-A",
        "-t",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        database,
    ]);
    psql.args(["-p", &port.to_string(), "-c", text]);
    succeed(psql)
}

/// The hand of whoever runs collector and database: where a collector's ledger is in a database, what lies in its files
/// now is put there in the place of what was there.
pub fn put_in_place(collector: &Path) -> Result<()> {
    let file = collector.join("collector.toml");
    let text = std::fs::read_to_string(&file)?;
    let config: toml::Table = text.parse()?;
    let Some(settings) =
        config.get("store").and_then(|store| store.get("postgres")).and_then(toml::Value::as_str)
    else {
        return Ok(());
    };
    let setting =
        |name: &str| settings.split(' ').find_map(|pair| pair.strip_prefix(name)).context("a setting");
    let bin = programs().context("the programs of a database")?;
    let tables = "ntk_batch, ntk_commit, ntk_segment, ntk_waiting, ntk_heard, ntk_tenant";
    // The database's own rule that no author has two batches of one size falls first: its owner can drop it.
    let free = "ALTER TABLE ntk_batch DROP CONSTRAINT IF EXISTS ntk_batch_tenant_author_size_key";
    sql(&bin, setting("port=")?.parse()?, setting("dbname=")?, &format!("{free}; TRUNCATE {tables}"))?;
    let (before, _) = text.split_once("\n[store]").context("a section")?;
    std::fs::write(&file, before)?;
    let dir = collector.to_string_lossy();
    let migrate =
        ["--dir", &dir, "migrate", "--to", "postgres", "--lease-seconds", "2", "--database", settings];
    program::succeed("ntk-collector", &migrate).map(|_| ())
}

/// Makes a database of its own on the server that `$NTK_STORE_PORT` names, for tests that run on the second form of the
/// store; none where tests run on the first.
pub fn database_of_this_run() -> Result<Option<String>> {
    let Some(port) = std::env::var_os("NTK_STORE_PORT") else { return Ok(None) };
    let port: u16 = port.to_string_lossy().parse()?;
    let bin = programs().context("the programs of a database")?;
    let name = format!("ntk_{}_{}", std::process::id(), free_port()?);
    sql(&bin, port, "postgres", &format!("CREATE DATABASE {name}"))?;
    Ok(Some(format!("host=127.0.0.1 port={port} user={USER} dbname={name}")))
}
