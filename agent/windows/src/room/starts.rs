//! Starts and ends of processes (4688, 4689): parents, and the remote-support tool above them.
//!
//! Told are starts with administrators' rights in a session of an account, and everything below a remote-support tool.
//! Rights are known by the integrity level (S-1-16-12288 is high) or the kind of token (%%1937 is a raised one); where
//! User Account Control is off, by the session's 4672.

use std::collections::{BTreeMap, VecDeque};

use ntk_evidence::event::{Actor, Event, Kind, Outcome, Process};

use super::logins::account;
use super::{Found, Room};
use crate::command::masked;
use crate::path::file_name;
use crate::record::Record;
use crate::sid::SYSTEM_LOGONS;
use crate::tally::Noise;
use crate::tools::is_bare_shell;

/// Processes that are known at once, over all machines.
const PROCESSES_MAX: usize = 16_384;

/// Programs above the parent that an event names, as the vocabulary says.
const ANCESTORS_MAX: usize = 8;

/// Sessions of tools that are open at once.
const CONTROLS_MAX: usize = 256;

#[derive(Clone)]
struct Started {
    exe: String,
    /// Its parent: what it was when it started, and its number.
    parent: Option<(String, u32)>,
    tool: Option<String>,
    number: u64,
}

/// What is known of processes.
#[derive(Default)]
pub(super) struct Starts {
    known: BTreeMap<(String, u32), Started>,
    by_age: VecDeque<(u64, (String, u32))>,
    next: u64,
    /// Sessions of tools: machine and process, and the event of their beginning.
    controls: Vec<((String, u32), Event)>,
}

impl Starts {
    /// The machine started: process numbers begin anew.
    pub(super) fn started(&mut self, computer: &str) {
        self.known.retain(|(of, _), _| of != computer);
        self.controls.retain(|((of, _), _)| of != computer);
    }

    pub(super) fn parent_of(&self, computer: &str, pid: u32) -> Option<String> {
        self.of(computer, pid)?.parent.as_ref().map(|(exe, _)| exe.clone())
    }

    /// The remote-support tool that a process belongs to or lies below.
    pub(super) fn tool_of(&self, computer: &str, pid: u32) -> Option<String> {
        self.of(computer, pid)?.tool.clone()
    }

    /// The tool that drives a session now.
    pub(super) fn tool_of_session(&self, computer: &str, session: Option<u64>) -> Option<String> {
        let session = session?;
        let drives = |event: &Event| event.actor.as_ref().is_some_and(|actor| actor.session == Some(session));
        let control = self.controls.iter().find(|((of, _), event)| of == computer && drives(event));
        control.and_then(|(_, event)| event.actor.as_ref()?.tool.clone())
    }

    fn of(&self, computer: &str, pid: u32) -> Option<&Started> {
        self.known.get(&(computer.to_owned(), pid))
    }

    fn learn(&mut self, computer: &str, pid: u32, started: Started) {
        let key = (computer.to_owned(), pid);
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.known.insert(key.clone(), Started { number, ..started });
        self.by_age.push_back((number, key));
        while self.by_age.len() > PROCESSES_MAX {
            let Some((number, key)) = self.by_age.pop_front() else { break };
            if self.known.get(&key).is_some_and(|started| started.number == number) {
                self.known.remove(&key);
            }
        }
    }

    /// Programs above a process's parent, nearest first.
    fn ancestors(&self, computer: &str, parent: u32) -> Vec<String> {
        let mut above = Vec::new();
        let mut pid = parent;
        while above.len() < ANCESTORS_MAX {
            let Some((exe, next)) = self.of(computer, pid).and_then(|started| started.parent.clone()) else {
                break;
            };
            above.push(exe);
            pid = next;
        }
        above
    }
}

impl Room {
    pub(super) fn process_started(&mut self, record: &Record) -> Found {
        let number = |name: &str| record.number(name).and_then(|pid| u32::try_from(pid).ok());
        let pid = number("NewProcessId").ok_or(Noise::OrdinaryStart)?;
        let exe = record.field("NewProcessName").unwrap_or_default().to_owned();
        let creator = number("ProcessId");
        let known = creator.and_then(|pid| self.starts.of(&record.computer, pid));
        let parent = record
            .field("ParentProcessName")
            .map(str::to_owned)
            .or_else(|| known.map(|known| known.exe.clone()));
        let above = known.and_then(|known| known.tool.clone());
        let of_parent =
            parent.as_deref().and_then(|exe| self.tools.of_program(exe)).map(|tool| tool.name.clone());
        let above = above.or(of_parent);
        let own = self.tools.of_program(&exe).map(|tool| tool.name.clone());
        let tool = above.clone().or_else(|| own.clone());
        let ancestors = creator.map(|pid| self.starts.ancestors(&record.computer, pid)).unwrap_or_default();
        self.starts.learn(
            &record.computer,
            pid,
            Started { exe: exe.clone(), parent: parent.clone().zip(creator), tool: tool.clone(), number: 0 },
        );
        if self.is_by_own(record) {
            return Err(Noise::Own);
        }
        let actor = self.actor_of_start(record);
        let is_attributed = !actor.is_nobody() || actor.login_user.is_some();
        let tool = tool.or_else(|| actor.tool.clone());
        let is_console_host = file_name(&exe) == "conhost.exe";
        // A tool's own programs start each other all day: what counts is one that runs while somebody is connected.
        let is_sign = self.tools.runs_while_connected(&exe);
        let is_below = own.is_none() && tool.is_some();
        let is_told = is_sign || is_below || (is_attributed && self.is_privileged_start(record, &actor));
        if !is_told || is_console_host {
            return Err(Noise::OrdinaryStart);
        }
        let command = record.field("CommandLine").unwrap_or_default();
        let mut event = Self::event(Kind::ProcessStart, record);
        event.outcome = Some(Outcome::Success);
        event.actor = Some(Actor { tool: tool.clone(), ..actor });
        event.process = Some(Process {
            pid: Some(pid),
            exe: Some(exe.clone()),
            command: Some(masked(command)).filter(|command| !command.is_empty()),
            parent,
            ancestors,
            ..Process::default()
        });
        let is_sign = is_sign || (above.is_some() && own.is_none() && is_bare_shell(&exe, command));
        let begins =
            tool.filter(|_| is_sign).and_then(|tool| self.control_begins(record, pid, &tool, &event));
        Ok([Some(event), begins].into_iter().flatten().collect())
    }

    pub(super) fn process_ended(&mut self, record: &Record) -> Found {
        let pid =
            record.number("ProcessId").and_then(|pid| u32::try_from(pid).ok()).ok_or(Noise::EndOfProcess)?;
        let key = (record.computer.clone(), pid);
        self.starts.known.remove(&key);
        let place = self.starts.controls.iter().position(|(of, _)| *of == key).ok_or(Noise::EndOfProcess)?;
        let (_, event) = self.starts.controls.remove(place);
        Ok(vec![Event { last: Some(record.time.rfc3339()), ..event }])
    }

    /// The account whose rights a process has: that of the target, where the record names one (version 2), and on whose
    /// behalf it was started.
    fn actor_of_start(&self, record: &Record) -> Actor {
        let subject = self.subject(record);
        let Some(id) = record.logon_id("TargetLogonId").filter(|id| !SYSTEM_LOGONS.contains(id)) else {
            return subject;
        };
        let target = account(record, "Target");
        let actor = self.sessions.actor(&record.computer, &target, Some(id));
        if subject.is_nobody() || actor.sid == subject.sid {
            return actor;
        }
        Actor { effective_user: target.name, ..subject }
    }

    fn is_privileged_start(&self, record: &Record, actor: &Actor) -> bool {
        let level =
            record.field("MandatoryLabel").and_then(|sid| sid.strip_prefix("S-1-16-")?.parse::<u32>().ok());
        let is_raised = record.field("TokenElevationType") == Some("%%1937");
        let is_limited = record.field("TokenElevationType") == Some("%%1938");
        let session = actor.session.and_then(|id| self.sessions.of(&record.computer, id));
        match level {
            Some(level) => level >= 0x3000,
            None => is_raised || (!is_limited && session.is_some_and(|session| session.is_privileged)),
        }
    }

    /// A sign that somebody is connected through a tool: told once for a tool and session, until the sign ends.
    fn control_begins(&mut self, record: &Record, pid: u32, tool: &str, start: &Event) -> Option<Event> {
        let session = start.actor.as_ref().and_then(|actor| actor.session);
        let is_same = |((of, _), event): &((String, u32), Event)| {
            let actor = event.actor.as_ref();
            *of == record.computer
                && actor.is_some_and(|actor| actor.tool.as_deref() == Some(tool) && actor.session == session)
        };
        if self.starts.controls.iter().any(is_same) || self.starts.controls.len() >= CONTROLS_MAX {
            return None;
        }
        let mut event = Self::event(Kind::RemoteControl, record);
        event.outcome = Some(Outcome::Success);
        event.actor = start.actor.clone().map(|actor| Actor { effective_user: None, ..actor });
        event.process =
            start.process.clone().map(|process| Process { command: None, ancestors: Vec::new(), ..process });
        self.starts.controls.push(((record.computer.clone(), pid), event.clone()));
        Some(event)
    }
}
