//! One of our programs as a process: its folder of logs, its end by request or by force.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// How long a program may take to end when asked.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Where a built program lies: in `$NTK_BINARIES`, or beside this test's own binary.
pub fn binary(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("NTK_BINARIES") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let this = std::env::current_exe()?;
            let deps = this.parent().context("a program lies in a folder")?;
            let up = if deps.ends_with("deps") { deps.parent() } else { Some(deps) };
            up.context("a folder lies in a folder")?.to_owned()
        }
    };
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is not built; run tests/run, or cargo build --profile ci --workspace --bins --tests",
        path.display()
    );
    Ok(path)
}

/// Variables that a program gets beside ours.
pub type Environment = [(String, String)];

/// Runs a program to its end.
pub fn run(name: &str, arguments: &[&str]) -> Result<Output> {
    run_in(&[], name, arguments)
}

/// Runs a program to its end with more variables.
pub fn run_in(environment: &Environment, name: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary(name)?);
    command.args(arguments).envs(environment.iter().cloned()).stdin(Stdio::null());
    Ok(command.output()?)
}

/// Runs a program that must succeed; what it printed.
pub fn succeed(name: &str, arguments: &[&str]) -> Result<String> {
    succeed_in(&[], name, arguments)
}

/// [`succeed`] with more variables.
pub fn succeed_in(environment: &Environment, name: &str, arguments: &[&str]) -> Result<String> {
    let output = run_in(environment, name, arguments)?;
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{name} {arguments:?} ended with {}: {said}{complained}", output.status);
    Ok(said)
}

/// Bytes as text for people.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program that runs until it is stopped; dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program; everything that it says goes to the end of a log file.
    pub fn start(name: &str, arguments: &[&str], log: &Path) -> Result<Self> {
        let mut command = Command::new(binary(name)?);
        command.args(arguments);
        Self::spawn(name, command, log)
    }

    /// Starts any command so.
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("could not start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it said so far.
    pub fn said(&self) -> String {
        std::fs::read(&self.log).map(|bytes| text(&bytes)).unwrap_or_default()
    }

    /// Whether it still runs; an end that nobody asked for is an error with its last words.
    pub fn ensure_running(&mut self) -> Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "{} ended by itself with {ended:?}:\n{}", self.name, self.said());
        Ok(())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process number")?;
        Ok(kill_process(id, signal)?)
    }

    /// Asks it to end (as Ctrl-C on a service does) and waits for that.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let what = format!("{} to end; it said:\n{}", self.name, self.said());
        wait::until(&what, END_WITHIN, || Ok(self.child.try_wait()?))
    }

    /// Ends it with -9, as a power cut or an attacker would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever went wrong, no process outlives its test; asked first, so that audit rules are put back.
        if let Ok(None) = self.child.try_wait() {
            let asked = self.signal(Signal::TERM).is_ok();
            let ended = asked
                && wait::until_so("a program to end", END_WITHIN, || Ok(self.child.try_wait()?.is_some()))
                    .is_ok();
            if !ended {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}
