//! The start of a process as its exec tells it: which exec is worth telling, and its command line.

use ntk_evidence::event::{Actor, Event, Kind, Outcome, Process, Source};

use super::secrets::masked;
use crate::classify::SENSOR;
use crate::coalesce::Observation;
use crate::record::{Record, kind};

/// Longest command line that is told, in bytes; the rest is cut off.
const COMMAND_BYTES_MAX: usize = 4096;

/// execve and execveat, by architecture.
const CALLS: &[(u64, [u64; 2])] = &[
    (0xc000_003e, [59, 322]),
    (0x4000_0003, [11, 358]),
    (0xc000_00b7, [221, 281]),
    (0x4000_0028, [11, 387]),
];

/// fork and clone, by architecture.
const FORKS: &[(u64, &[u64])] =
    &[(0xc000_003e, &[56, 57]), (0x4000_0003, &[2, 120]), (0xc000_00b7, &[220]), (0x4000_0028, &[2, 120])];

/// Shells: one that was given no command waits for what somebody types.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "ash", "busybox", "csh", "tcsh"];

/// Whether a call replaced a process's program, and did.
pub(super) fn is_exec(call: &Record) -> bool {
    let numbers = call.hexadecimal("arch").zip(call.number("syscall"));
    let is_call = |(arch, number): (u64, u64)| {
        CALLS.iter().any(|(of, numbers)| *of == arch && numbers.contains(&number))
    };
    numbers.is_some_and(is_call) && call.field("success").is_some_and(|word| word.word() == b"yes")
}

/// The process that a call made, where it is a fork.
pub(super) fn forked(call: &Record) -> Option<u32> {
    let numbers = call.hexadecimal("arch").zip(call.number("syscall"))?;
    let is_call = FORKS.iter().any(|(of, calls)| *of == numbers.0 && calls.contains(&numbers.1));
    call.field("exit").filter(|_| is_call)?.id()
}

/// Whether a person's session started it with root's rights, or with those of another account than its own.
pub(super) fn is_privileged(call: &Record) -> bool {
    let (Some(login), Some(effective)) = (call.id("auid"), call.id("euid")) else { return false };
    effective == 0 || effective != login
}

/// The event of an exec.
pub(super) fn event(call: &Record, observation: &Observation, actor: &Actor) -> Event {
    let mut event = Event::new(Kind::ProcessStart, observation.stamp.rfc3339());
    event.outcome = Some(Outcome::Success);
    event.actor = Some(actor.clone());
    event.process = Some(Process {
        pid: call.id("pid"),
        exe: call.text("exe"),
        command: command(observation),
        ..Process::default()
    });
    event.source = Some(Source {
        sensor: Some(SENSOR.to_owned()),
        record: Some(observation.stamp.serial().to_string()),
        ..Source::default()
    });
    event
}

/// The words of an event's command line. Words that hold spaces are taken apart: enough to tell a bare shell.
pub(super) fn words_of_start(event: &Event) -> Vec<String> {
    let command = event.process.as_ref().and_then(|process| process.command.as_deref()).unwrap_or_default();
    command.split(' ').map(str::to_owned).collect()
}

/// Whether a program is a shell that was given no command and no script.
pub(super) fn is_bare_shell(exe: &str, words: &[String]) -> bool {
    let name = exe.rsplit('/').next().unwrap_or_default();
    SHELLS.contains(&name) && words.iter().skip(1).all(|word| word.starts_with('-') && !word.ends_with('c'))
}

/// The command line as the kernel's EXECVE records hold it, with what looks like a secret masked.
pub(super) fn command(observation: &Observation) -> Option<String> {
    let first = observation.first(kind::EXECVE)?;
    let n_words = first.number("argc").unwrap_or(0);
    let mut text = String::new();
    for n in 0..n_words {
        let Some(word) = word(observation, n) else { break };
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
        if text.len() > COMMAND_BYTES_MAX {
            break;
        }
    }
    let text = masked(&text);
    let cut = (0..=COMMAND_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    match text.get(..cut).filter(|_| text.len() > COMMAND_BYTES_MAX) {
        Some(start) => Some(format!("{start}…")),
        None => Some(text).filter(|text| !text.is_empty()),
    }
}

/// One word: whole in a record, or in parts over several.
fn word(observation: &Observation, n: u64) -> Option<String> {
    let name = format!("a{n}");
    if let Some(value) = observation.each(kind::EXECVE).find_map(|record| record.field(&name)) {
        return Some(value.text().unwrap_or_default());
    }
    let mut text = String::new();
    for part in 0.. {
        let name = format!("a{n}[{part}]");
        let Some(value) = observation.each(kind::EXECVE).find_map(|record| record.field(&name)) else {
            break;
        };
        text.push_str(&value.text().unwrap_or_default());
        if text.len() > COMMAND_BYTES_MAX {
            break;
        }
    }
    Some(text).filter(|text| !text.is_empty())
}
