//! A Windows of our own in a folder: Wine, agent and collector built for Windows, and an event log that the tests write.
//!
//! `$NTK_WINDOWS` names the folder in which `tests/run` put the programs and the two libraries of `tests/windows`. Each
//! machine has a prefix of its own, so that tests do not meet; it ends, with all of its processes, when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{Running, text};
use crate::wait;

/// Where Debian puts it; other places come first in PATH.
const WINE: &str = "/usr/lib/wine/wine64";
const SERVER: &str = "/usr/lib/wine/wineserver64";
/// The agent's folder, as the machine names it.
pub const DIR: &str = r"C:\ntk";
/// The collector's folder, as the machine names it.
pub const COLLECTOR_DIR: &str = r"C:\practice";
/// How often Wine may begin to make a machine.
const BEGINNINGS: usize = 3;
const LISTENS_WITHIN: Duration = Duration::from_secs(60);
/// Libraries that stand in for what Wine lacks.
const LIBRARIES: [&str; 2] = ["bcryptprimitives.dll", "wevtapi.dll"];

/// Why no such machine can be had here, if it cannot.
pub fn missing() -> Option<String> {
    let Some(folder) = std::env::var_os("NTK_WINDOWS").map(PathBuf::from) else {
        return Some("no agent for Windows was built ($NTK_WINDOWS is not set)".to_owned());
    };
    let all = LIBRARIES.iter().map(|name| folder.join(name)).chain([
        folder.join("ntk-agent.exe"),
        folder.join("ntk-collector.exe"),
        WINE.into(),
    ]);
    let gone = all.into_iter().find(|path| !path.is_file());
    gone.map(|path| format!("{} is not there", path.display()))
}

/// One machine.
#[derive(Debug)]
pub struct Windows {
    /// What its programs are processes of; none before Wine has made it. It ends before the folder does.
    server: Option<Server>,
    prefix: TempDir,
    agent: PathBuf,
}

impl Windows {
    /// Starts one for the first time, with empty logs of these channels.
    pub fn new(channels: &[&str]) -> Result<Self> {
        let folder = PathBuf::from(std::env::var_os("NTK_WINDOWS").context("$NTK_WINDOWS is set")?);
        let mut this = Self::made(&folder.join("ntk-agent.exe"))?;
        this.server = Some(Server::start(this.prefix.path())?);
        for name in LIBRARIES {
            let place = this.drive().join("windows/system32").join(name);
            // Wine's own is a link to a file that is not ours.
            let _ = fs::remove_file(&place);
            fs::copy(folder.join(name), place)?;
        }
        for channel in channels {
            fs::create_dir_all(this.channel(channel))?;
        }
        Ok(this)
    }

    /// A machine that Wine has made, with nothing of ours in it. Wine itself was seen to end at once with 1, before any program
    /// of ours ran; then it begins again in another folder.
    fn made(agent: &Path) -> Result<Self> {
        let mut failed = Vec::new();
        while failed.len() < BEGINNINGS {
            let prefix = tempfile::Builder::new().prefix("ntk-wine-").tempdir()?;
            let this = Self { server: None, prefix, agent: agent.to_path_buf() };
            let mut boot = this.command("wineboot", &["-i"]);
            boot.env("WINEDEBUG", "fixme-all");
            let (ended, said) = this.end_of(boot)?;
            // Until its own programs have ended: a service manager that still makes the machine starts nothing of ours in time.
            let waited = server(this.prefix.path(), "-w")?;
            if ended.success() && waited.success() {
                return Ok(this);
            }
            eprintln!("wineboot ended with {ended}, wineserver with {waited}: {said}");
            server(this.prefix.path(), "-k")?;
            failed.push(said);
        }
        bail!("Wine made no machine in {BEGINNINGS} beginnings: {failed:?}")
    }

    /// Its folder, which each of its processes has in `$WINEPREFIX`.
    pub fn prefix(&self) -> &Path {
        self.prefix.path()
    }

    /// Its drive C, from here.
    pub fn drive(&self) -> PathBuf {
        self.prefix.path().join("drive_c")
    }

    fn channel(&self, channel: &str) -> PathBuf {
        self.drive().join("event-log").join(channel.replace('/', "%4"))
    }

    /// Puts a record into a channel's log, whole at once.
    pub fn write(&self, channel: &str, record: u64, xml: &str) -> Result<()> {
        let folder = self.channel(channel);
        let beside = folder.join("next.tmp");
        fs::write(&beside, xml)?;
        Ok(fs::rename(beside, folder.join(format!("{record}.xml")))?)
    }

    /// Clears a channel's log.
    pub fn clear(&self, channel: &str) -> Result<()> {
        fs::remove_dir_all(self.channel(channel))?;
        Ok(fs::create_dir_all(self.channel(channel))?)
    }

    /// Any program of the machine.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(WINE);
        command.arg(program).args(arguments).stdin(Stdio::null());
        command.env("WINEPREFIX", self.prefix.path()).env("WINEDEBUG", "-all").env("WINEARCH", "win64");
        command.env("WINEDLLOVERRIDES", "mscoree=;mshtml=;wevtapi=n;bcryptprimitives=n");
        command
    }

    /// The collector's program with these arguments and its folder.
    pub fn collector(&self, arguments: &[&str]) -> Command {
        let program = self.agent.with_file_name("ntk-collector.exe");
        self.command(&program.to_string_lossy(), &[&["--dir", COLLECTOR_DIR], arguments].concat())
    }

    /// Runs the collector's program to its end, which must be good; what it printed.
    pub fn collect(&self, arguments: &[&str]) -> Result<String> {
        let (status, said) = self.end_of(self.collector(arguments))?;
        ensure!(status.success(), "{arguments:?} ended with {status}: {said}");
        Ok(said)
    }

    /// Kills every process of this machine that runs this program, with -9; how many there were.
    pub fn kill(&self, program: &str) -> Result<usize> {
        let mut killed = 0_usize;
        let prefix = format!("WINEPREFIX={}", self.prefix.path().display());
        for entry in fs::read_dir("/proc")?.flatten() {
            let of =
                |name: &str| fs::read(entry.path().join(name)).map(|bytes| text(&bytes)).unwrap_or_default();
            let id = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            let Some(id) = id.filter(|_| of("environ").split('\0').any(|line| line == prefix)) else {
                continue;
            };
            if of("cmdline").split('\0').next().is_some_and(|name| name.ends_with(program)) {
                kill_process(id, Signal::KILL)?;
                killed += 1;
            }
        }
        Ok(killed)
    }

    /// The agent's program with these arguments and its folder.
    pub fn agent(&self, arguments: &[&str]) -> Command {
        self.command(&self.agent.to_string_lossy(), &[arguments, &["--dir", DIR]].concat())
    }

    /// The agent's program, as [`Self::command`] takes it.
    pub fn program(&self) -> String {
        self.agent.to_string_lossy().into_owned()
    }

    /// Runs the agent's program to its end, which must be good; what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> Result<String> {
        let (status, said) = self.end_of(self.agent(arguments))?;
        ensure!(status.success(), "{arguments:?} ended with {status}: {said}");
        Ok(said)
    }

    /// Runs a program to its end: how it ended, and everything that it said. Through a file: what Wine starts beside it would
    /// hold a pipe open for as long as the machine is up.
    pub fn end_of(&self, mut command: Command) -> Result<(ExitStatus, String)> {
        let path = self.prefix.path().join("said.txt");
        let file = fs::File::create(&path)?;
        let status = command.stdout(file.try_clone()?).stderr(file).status()?;
        Ok((status, text(&fs::read(path)?)))
    }

    /// The agent as a process in the foreground.
    pub fn run(&self) -> Result<Running> {
        Running::spawn("ntk-agent.exe", self.agent(&["run"]), &self.log())
    }

    /// Where what it says goes.
    pub fn log(&self) -> PathBuf {
        self.prefix.path().join("agent.log")
    }

    /// An installer's package, where one was built; copied onto the machine, as the machine names it.
    pub fn package(&self, name: &str) -> Result<Option<String>> {
        let package = self.agent.with_file_name(name);
        if !package.is_file() {
            return Ok(None);
        }
        fs::copy(package, self.drive().join(name))?;
        Ok(Some(format!(r"C:\{name}")))
    }

    /// A file of the agent's folder.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.drive().join("ntk").join(name)
    }
}

/// Asks a machine's server to end (`-k`), or until it has ended (`-w`).
fn server(prefix: &Path, what: &str) -> Result<ExitStatus> {
    Ok(Command::new(SERVER).arg(what).env("WINEPREFIX", prefix).status()?)
}

/// The machine's kernel, which stays up when none of its programs runs. One that Wine starts by itself ends some seconds after the
/// last program that is no service: services end with it, and a program that starts in that moment ends with 1 and says nothing.
#[derive(Debug)]
struct Server {
    process: Child,
    prefix: PathBuf,
}

impl Server {
    fn start(prefix: &Path) -> Result<Self> {
        let said = fs::File::create(prefix.join("server.txt"))?;
        let mut command = Command::new(SERVER);
        command.args(["-f", "-p"]).env("WINEPREFIX", prefix).stdin(Stdio::null());
        let process = command.stdout(said.try_clone()?).stderr(said).spawn()?;
        let mut this = Self { process, prefix: prefix.to_path_buf() };
        // A program that finds no server would start one of its own.
        wait::until_so("Wine's server to listen", LISTENS_WITHIN, || {
            ensure!(this.process.try_wait()?.is_none(), "it ended: {}", this.said());
            Ok(this.folder().is_some_and(|folder| {
                let servers = fs::read_dir(folder).into_iter().flatten().flatten();
                servers.map(|each| each.path().join("socket")).any(|socket| socket.exists())
            }))
        })?;
        Ok(this)
    }

    /// Where its socket lies: Debian's Wine takes a new folder and writes its name down.
    fn folder(&self) -> Option<PathBuf> {
        let name = fs::read_to_string(self.prefix.join("wineserver")).ok()?;
        let user = format!("/run/user/{}", rustix::process::getuid().as_raw());
        let mut places = [Path::new(&user), Path::new("/tmp")].into_iter().map(|place| place.join(&name));
        places.find(|folder| name.starts_with("wine-") && folder.is_dir())
    }

    fn said(&self) -> String {
        fs::read(self.prefix.join("server.txt")).map(|bytes| text(&bytes)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.process.try_wait();
        if !matches!(ended, Ok(None)) {
            eprintln!("Wine's server had ended before its machine: {ended:?} {}", self.said());
        }
        let folder = self.folder();
        let _ = server(&self.prefix, "-k");
        let _ = self.process.wait();
        if let Some(folder) = folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
