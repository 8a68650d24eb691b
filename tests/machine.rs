//! One machine with its agent as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, ensure};

use crate::program::{self, Running};

/// A machine of the practice.
#[derive(Debug)]
pub struct Machine {
    name: String,
    dir: PathBuf,
    agent: Option<Running>,
}

impl Machine {
    /// Exchanges a token for an identity.
    pub fn enroll(folder: &Path, name: &str, token: &str) -> Result<Self> {
        let dir = folder.join(format!("agent-{name}"));
        program::succeed("ntk-agent", &["enroll", "--token", token, "--dir", &dir.to_string_lossy()])?;
        Ok(Self { name: name.to_owned(), dir, agent: None })
    }

    /// A machine that was enrolled before: its agent's folder.
    pub fn at(name: &str, dir: PathBuf) -> Self {
        Self { name: name.to_owned(), dir, agent: None }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The agent's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the agent's configuration.
    pub fn configure(&self, text: &str) -> Result<()> {
        Ok(std::fs::write(self.dir.join("agent.toml"), text)?)
    }

    /// Starts the agent.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.agent.is_none(), "the agent of {} runs already", self.name);
        let log = self.dir.join("agent.log");
        self.agent = Some(Running::start("ntk-agent", &["run", "--dir", &self.dir.to_string_lossy()], &log)?);
        Ok(())
    }

    /// Starts the agent below another program, such as a tracer.
    pub fn start_under(&mut self, wrapper: &str, arguments: &[&str]) -> Result<()> {
        ensure!(self.agent.is_none(), "the agent of {} runs already", self.name);
        let mut command = Command::new(wrapper);
        command.args(arguments).arg(program::binary("ntk-agent")?).arg("run").arg("--dir").arg(&self.dir);
        self.agent = Some(Running::spawn(wrapper, command, &self.dir.join("agent.log"))?);
        Ok(())
    }

    /// The agent's process.
    pub fn agent(&mut self) -> Result<&mut Running> {
        self.agent.as_mut().context("the agent runs")
    }

    /// Kills the agent with -9.
    pub fn kill(&mut self) -> Result<()> {
        self.agent.take().context("the agent runs")?.kill()
    }

    /// Asks the agent to end, and waits.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.agent.take().context("the agent runs")?.stop()
    }

    /// Runs one subcommand of the agent that must succeed; what it printed.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        program::succeed("ntk-agent", &[arguments, &["--dir", &self.dir.to_string_lossy()]].concat())
    }

    /// Everything that the agent logged.
    pub fn log(&self) -> String {
        std::fs::read(self.dir.join("agent.log")).map(|bytes| program::text(&bytes)).unwrap_or_default()
    }
}
