//! Where a process came from: the programs above it, the remote-support tool among them, and which starts of
//! processes are worth telling.
//!
//! ```text
//! Observation, Actor -> Lineage (who started whom) -> parent, ancestors, tool   -> marks on every event
//!                    -> starts: an exec of a privileged session or below a tool -> `process_start`
//!                    -> remote: a tool's session began or ended                 -> `remote_control`
//! ```
//! The kernel tells of every exec that succeeded. What an ordinary session runs with its own rights is used for
//! the tree and told to nobody. No I/O: what the records do not show is asked of a [`Processes`].
//!
//! # What it does not show
//! A tool is known by the names of its programs (`data/remote_tools.toml`): one that was renamed is seen as what
//! its file is called. A session that comes through a tool's relay and starts no process of its own is told only
//! where the tool has a program that runs while somebody is connected (`data/remote_sessions.toml`).

mod jobs;
mod lineage;
mod remote;
mod repeats;
mod secrets;
mod starts;
mod tools;

use std::borrow::Cow;
use std::time::Duration;

use ntk_evidence::event::{Actor, Event, Kind, Process};

use crate::attribute::command_of;
use crate::coalesce::Observation;
use crate::record::{Record, Stamp, kind};

pub use jobs::is_housekeeping;
pub use lineage::{ANCESTORS_MAX, NoProcesses, PROCESSES_MAX, Parentage, Processes, Running};
pub use remote::{Connection, INTERVALS_MAX, Presence};
pub use repeats::{REPEATS_MAX, REPEATS_WITHIN};
pub use secrets::masked;
pub use tools::{Tool, Tools};

use lineage::Lineage;
use remote::{Remote, Sign};
use repeats::Repeats;

/// Follows processes, tools and starts of one machine, or of one recording.
pub struct Origin {
    lineage: Lineage,
    tools: Tools,
    remote: Remote,
    repeats: Repeats,
    /// This agent's own process: what it starts is not told.
    own: Option<u32>,
    /// The last command line, as it came and without its secrets.
    masked: (String, String),
    /// The machine whose processes these are; a recording may hold several, and their numbers say nothing of each
    /// other.
    machine: Option<Option<String>>,
}

impl Origin {
    /// Knows no process yet. `own` is the agent's own process number when live.
    pub fn new(processes: Box<dyn Processes>, own: Option<u32>) -> Self {
        Self {
            lineage: Lineage::new(processes),
            tools: Tools::built_in(),
            remote: Remote::default(),
            repeats: Repeats::default(),
            own,
            masked: Default::default(),
            machine: None,
        }
    }

    /// The tools that are known.
    pub const fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Learns from an observation, marks its events, and adds those that it finds.
    pub fn observe(
        &mut self,
        observation: &Observation,
        actor: &Actor,
        events: &mut Vec<Event>,
        now: Duration,
    ) {
        let machine = self.machine.get_or_insert_with(|| observation.node().map(str::to_owned));
        let is_here = machine.as_deref() == observation.node();
        let call = observation.first(kind::SYSCALL).filter(|_| is_here);
        let exec = call.filter(|call| starts::is_exec(call));
        let around = call.and_then(|call| self.lineage.learn(call, exec.is_some(), &self.tools, now));
        if let Some((pid, command)) =
            exec.and_then(|call| call.id("pid")).zip(exec.and_then(|_| starts::command(observation)))
        {
            self.lineage.starts(pid, &command);
        }
        if let Some((call, child)) = call.and_then(|call| Some((call, starts::forked(call)?))) {
            self.lineage.forked(call, child, now);
        }
        let start = exec.and_then(|call| self.start(call, observation, actor, around.as_deref()));
        let mut found = Vec::new();
        for event in events.iter_mut() {
            let own = call.and_then(|call| call.id("pid"));
            let own =
                own.is_some_and(|pid| event.process.as_ref().and_then(|process| process.pid) == Some(pid));
            // What was held back since an earlier record is no act of this record's process.
            self.mark(event, observation, around.as_deref().filter(|_| own), now);
            found.extend(self.session(event, observation.stamp));
        }
        events.append(&mut found);
        if let (Some(call), Some(start)) = (exec, start) {
            events.extend(self.signs(call, &start, around.as_deref(), observation.stamp));
            events.extend(self.repeats.take(start, now));
        }
        events.extend(self.repeats.expire(now));
    }

    /// Lets time pass without a record.
    pub fn expire(&mut self, now: Duration) -> Vec<Event> {
        self.repeats.expire(now)
    }

    /// Gives out what is held back, at the end.
    pub fn flush(&mut self) -> Vec<Event> {
        self.repeats.flush()
    }

    /// Takes in what a look at the machine showed of tools and their connections; `time` is the look's.
    pub fn look(&mut self, presence: &Presence, time: &str) -> Vec<Event> {
        self.remote.look(presence, time)
    }

    /// The ends of what tools opened, where these events are ends of sessions.
    pub fn ends(&mut self, events: &[Event], stamp: Stamp) -> Vec<Event> {
        events.iter().filter_map(|event| self.session(event, stamp)).collect()
    }

    /// The systemd unit of a running process.
    pub fn unit_of(&self, pid: u32) -> Option<String> {
        self.lineage.unit_of(pid)
    }

    /// Processes whose end ends a tool's session: the next look is to say whether they live.
    pub fn followed(&self) -> Vec<u32> {
        self.remote.followed()
    }

    /// The event of an exec that is worth telling.
    fn start(
        &self,
        call: &Record,
        observation: &Observation,
        actor: &Actor,
        around: Option<&Parentage>,
    ) -> Option<Event> {
        let is_own = |pid: u32| Some(pid) == self.own;
        if call.id("ppid").is_some_and(is_own)
            || around.is_some_and(|around| around.pids.iter().any(|pid| is_own(*pid)))
        {
            return None;
        }
        let tool = around.and_then(|around| around.tool.clone());
        let tool = tool.or_else(|| self.remote.tool_of(actor.session));
        if tool.is_none() && !starts::is_privileged(call) {
            return None;
        }
        let mut event = starts::event(call, observation, actor);
        self.tell_parents(&mut event, around);
        if let Some(actor) = event.actor.as_mut() {
            actor.tool = tool;
        }
        Some(event)
    }

    fn tell_parents(&self, event: &mut Event, around: Option<&Parentage>) {
        if let (Some(process), Some(around)) = (event.process.as_mut(), around) {
            process.parent = process.parent.take().or_else(|| around.parent.as_deref().map(str::to_owned));
            if event.kind == Kind::ProcessStart {
                process.ancestors = around.above.iter().map(|program| program.to_string()).collect();
            }
        }
    }

    /// The tool behind an event, its parent, and a command line without what looks like a secret.
    fn mark(
        &mut self,
        event: &mut Event,
        observation: &Observation,
        around: Option<&Parentage>,
        now: Duration,
    ) {
        let pid = event.process.as_ref().and_then(|process| process.pid);
        let exe = event.process.as_ref().and_then(|process| process.exe.as_deref());
        let tool = match around {
            Some(around) => around.tool.clone(),
            // A message of a login program: the number is the kernel's. Its program is its own word, and is
            // taken only where the process cannot be asked for.
            None if self.lineage.is_live() => pid.and_then(|pid| self.lineage.tool_of(pid, &self.tools, now)),
            None => exe.and_then(|exe| self.tools.of_program(exe)).map(|tool| tool.name.clone()),
        };
        self.tell_parents(event, around);
        if let Some(process) = &mut event.process {
            let command = match process.command.take() {
                None if event.kind == Kind::FileAccess => {
                    // What the exec told goes before the title in the record, which may be that of the program before it.
                    let told = process.pid.zip(process.exe.as_deref());
                    let told = told.and_then(|(pid, exe)| self.lineage.command_of(pid, exe));
                    told.map(Cow::Borrowed).or_else(|| command_of(observation).map(Cow::Owned))
                }
                command => command.map(Cow::Owned),
            };
            if let Some(command) = command {
                // The thousandth open of one process has the command line of the first.
                if self.masked.0 != command {
                    self.masked = (command.to_string(), masked(&command));
                }
                process.command = Some(self.masked.1.clone());
            }
        }
        if event.process == Some(Process::default()) {
            event.process = None;
        }
        if let Some(actor) = event.actor.as_mut().filter(|actor| actor.tool.is_none()) {
            actor.tool = tool.or_else(|| self.remote.tool_of(actor.session));
        }
    }

    /// A session that a tool opened through the machine's logins, at its beginning and end.
    fn session(&mut self, event: &Event, stamp: Stamp) -> Option<Event> {
        let session = event.actor.as_ref()?.session?;
        match event.kind {
            Kind::Login => {
                let tool = event.actor.as_ref()?.tool.clone()?;
                self.remote.begins(&tool, Sign::Session(session), event, stamp)
            }
            Kind::Logout => self.remote.session_ends(session, stamp),
            _ => None,
        }
    }

    /// Signs that somebody is connected: a program that runs only then, or a shell that was given no command.
    fn signs(
        &mut self,
        call: &Record,
        start: &Event,
        around: Option<&Parentage>,
        stamp: Stamp,
    ) -> Option<Event> {
        let tool = start.actor.as_ref()?.tool.clone()?;
        let pid = call.id("pid")?;
        let exe = start.process.as_ref()?.exe.as_deref().unwrap_or_default();
        let words = starts::words_of_start(start);
        let is_its_own = self.tools.of_program(exe).is_some();
        let is_connected = self.tools.runs_while_connected(&tool, exe, &words);
        let below_a_tool = around.is_some_and(|around| around.tool.is_some());
        (is_connected || (below_a_tool && !is_its_own && starts::is_bare_shell(exe, &words)))
            .then(|| self.remote.begins(&tool, Sign::Process(pid), start, stamp))
            .flatten()
    }
}

#[cfg(test)]
mod tests;
