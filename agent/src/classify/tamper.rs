//! Acts against the means of recording: audit switched off, rules changed, the recorder killed.

use ntk_evidence::event::{Outcome, TamperKind};

use super::access;
use crate::coalesce::Observation;
use crate::record::{Record, kind, text_of};
use crate::watch_list::{CANARY_KEY, CLOCK_KEY, KERNEL_KEY, KEY_PREFIX};

/// The agent itself, whose own changes are no tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnHand {
    /// Its process number.
    pub pid: u32,
    /// Its login uid, if it was started by a person.
    pub login_uid: Option<u32>,
    /// Its audit session.
    pub session: Option<u32>,
}

impl OwnHand {
    /// Whether an observation is this agent's own test of its sight.
    pub(super) fn tests(&self, observation: &Observation) -> bool {
        let call = observation.first(kind::SYSCALL).filter(|call| call.id("ppid") == Some(self.pid));
        let keys = call.and_then(|call| call.spelled("key")).unwrap_or_default();
        keys.split('\u{1}').any(|key| key == CANARY_KEY)
    }

    /// Whether an observation is of this process itself: its own folder is written all day. The kernel keeps such
    /// records back from the owner of audit, not from one who only listens.
    pub(super) fn did(&self, observation: &Observation) -> bool {
        observation.first(kind::SYSCALL).is_some_and(|call| call.id("pid") == Some(self.pid))
    }
}

/// An act against the recording.
pub(super) struct Found {
    pub(super) what: TamperKind,
    pub(super) detail: String,
    pub(super) outcome: Outcome,
}

/// Signals that end or stop a process.
const DEADLY: &[u64] = &[1, 2, 3, 6, 9, 11, 15, 19];

/// Signals that end nobody: none at all, a closed pipe (which this program ignores), a child's end, to go on, urgent data,
/// another window size. Every other one ends or stops a process that does not ask for it, and the agent asks for two.
const HARMLESS: &[u64] = &[0, 13, 17, 18, 23, 28];

/// Reads an act against the recording; none where it is none, or our own.
pub(super) fn read(observation: &Observation, own: Option<&OwnHand>) -> Option<Found> {
    let record = observation.records.iter().find(|record| {
        matches!(
            record.kind(),
            kind::CONFIG_CHANGE
                | kind::FEATURE_CHANGE
                | kind::DAEMON_END
                | kind::DAEMON_CONFIG
                | kind::OBJ_PID
                | kind::EVENT_LISTENER
                | kind::TIME_INJOFFSET
                | kind::KERN_MODULE
        )
    });
    let Some(record) = record else { return by_key(observation) };
    match record.kind() {
        kind::CONFIG_CHANGE if own.is_some_and(|own| is_own(observation, record, own)) => None,
        kind::CONFIG_CHANGE => config_change(record),
        // The agent locks login uids where it is to seal the machine.
        kind::FEATURE_CHANGE if own.is_some_and(|own| record.id("pid") == Some(own.pid)) => None,
        kind::FEATURE_CHANGE => {
            let changed = record.number("old") != record.number("new");
            let found = || found(TamperKind::AuditPolicyChanged, record, &["feature", "old", "new"]);
            changed.then(found)
        }
        kind::DAEMON_END => {
            // The system ends auditd at every shutdown; a person who does it is in the record.
            record.id("ses")?;
            Some(found(TamperKind::AuditDisabled, record, &["op"]))
        }
        kind::DAEMON_CONFIG => Some(found(TamperKind::AuditPolicyChanged, record, &["op", "state"])),
        kind::EVENT_LISTENER => listens(record, own),
        kind::TIME_INJOFFSET => Some(found(TamperKind::ClockChanged, record, &["sec", "nsec"])),
        kind::KERN_MODULE => Some(of_call(TamperKind::KernelChanged, observation, record.text("name"))?),
        _ => killed(observation, record, own),
    }
}

/// Calls that are known by the key of our own rule alone.
fn by_key(observation: &Observation) -> Option<Found> {
    let keys = observation.first(kind::SYSCALL)?.spelled("key")?;
    let what = keys.split('\u{1}').find_map(|key| match key {
        CLOCK_KEY => Some(TamperKind::ClockChanged),
        KERNEL_KEY => Some(TamperKind::KernelChanged),
        _ => None,
    })?;
    of_call(what, observation, None)
}

/// The outcome of the observation's call. What was refused for want of rights is told, what failed otherwise is not.
fn of_call(what: TamperKind, observation: &Observation, name: Option<String>) -> Option<Found> {
    let outcome = access::outcome_of(observation.first(kind::SYSCALL)?);
    let detail = name.map_or_else(|| "by a system call".to_owned(), |name| format!("module {name}"));
    (outcome != Outcome::Failed).then_some(Found { what, detail, outcome })
}

/// A person who listens to the records, too; daemons do so at every start.
fn listens(record: &Record, own: Option<&OwnHand>) -> Option<Found> {
    let is_person = record.id("auid").is_some() && record.id("pid") != own.map(|own| own.pid);
    let connects = record.field("op").is_some_and(|op| op.word() == b"connect");
    (is_person && connects).then(|| found(TamperKind::AuditPolicyChanged, record, &["op", "nl-mcgrp"]))
}

/// The kernel's state in which neither rules nor state can be changed until it boots.
const LOCKED: u64 = 2;

fn config_change(record: &Record) -> Option<Found> {
    let op = record.field("op").map(|op| op.word()).unwrap_or_default();
    if op.ends_with(b"_rule") || op.ends_with(b"_rules") || matches!(op, b"make_equiv" | b"trim") {
        // A locked kernel says neither key nor list, but that it is locked.
        return Some(found(TamperKind::RulesChanged, record, &["op", "key", "list", "audit_enabled"]));
    }
    let old = record.number("old");
    let setting = |name: &str| record.number(name);
    if setting("audit_enabled") == Some(0) && old != Some(0) {
        return Some(found(TamperKind::AuditDisabled, record, &["op", "audit_enabled", "old"]));
    }
    if let Some(owner) = setting("audit_pid") {
        // 0 to a number is an owner that starts; anything else takes the records away from one.
        let taken = old.is_some_and(|old| old != 0 && old != owner);
        return taken.then(|| found(TamperKind::AuditPolicyChanged, record, &["op", "audit_pid", "old"]));
    }
    let others = [
        "audit_enabled",
        "audit_failure",
        "audit_backlog_limit",
        "audit_backlog_wait_time",
        "audit_rate_limit",
        "lost",
    ];
    let name = *others.iter().find(|name| setting(name).is_some())?;
    // Switching on is no act against the recording; locking it, and trying to unlock it, is told.
    let locks = |value: Option<u64>| value == Some(LOCKED);
    let weaker = setting(name) != old && (name != "audit_enabled" || locks(old) || locks(setting(name)));
    weaker.then(|| found(TamperKind::AuditPolicyChanged, record, &["op", name, "old"]))
}

fn killed(observation: &Observation, target: &Record, own: Option<&OwnHand>) -> Option<Found> {
    let is_own = own.is_some_and(|own| target.id("opid") == Some(own.pid));
    let Some(signal) = access::signal_of(observation) else {
        // Our own rule on signals and on ptrace made it: what is no signal attaches itself.
        let outcome = access::outcome_of(observation.first(kind::SYSCALL)?);
        let detail = "by a system call".to_owned();
        return is_own.then_some(Found { what: TamperKind::AgentTraced, detail, outcome });
    };
    let is_deadly = if is_own { !HARMLESS.contains(&signal) } else { DEADLY.contains(&signal) };
    if !is_deadly {
        return None;
    }
    let command = target.text("ocomm").unwrap_or_default();
    let is_recorder = command == "auditd" || command == "ntk-agent";
    if !is_recorder && !is_own {
        return None;
    }
    // A hang-up makes auditd read its configuration again; it does not end it.
    let what = if signal == 1 && !is_own { TamperKind::AuditPolicyChanged } else { TamperKind::AgentKilled };
    let outcome = access::outcome_of(observation.first(kind::SYSCALL)?);
    Some(Found { what, detail: format!("signal {signal} to {command}"), outcome })
}

fn is_own(observation: &Observation, record: &Record, own: &OwnHand) -> bool {
    if let Some(call) = observation.first(kind::SYSCALL) {
        return call.id("pid") == Some(own.pid);
    }
    if let Some(owner) = record.number("audit_pid") {
        // Another one that wants to be the owner is refused by the kernel, and that is worth telling.
        return owner == u64::from(own.pid) || (owner == 0 && record.number("old") == Some(own.pid.into()));
    }
    // A process older than audit's first use has no SYSCALL record. The status poll sees what a stranger with
    // our session and without one would change.
    let key_is_own = record.text("key").is_some_and(|key| key.starts_with(KEY_PREFIX));
    let setting = record.field("op").is_some_and(|op| op.word() == b"set");
    record.id("auid") == own.login_uid && record.id("ses") == own.session && (key_is_own || setting)
}

/// The record's own words; paths are not among the names asked for.
fn found(what: TamperKind, record: &Record, names: &[&str]) -> Found {
    let mut words = Vec::new();
    for name in names {
        if let Some(value) = record.field(name) {
            // Only keys may be in hex: a number such as 8192 looks like hex and is none.
            let value = if *name == "key" { value.text() } else { Some(text_of(value.word())) };
            words.push(format!(
                "{name}={}",
                value.unwrap_or_else(|| "(null)".to_owned()).replace('\u{1}', ",")
            ));
        }
    }
    let failed =
        record.number("res") == Some(0) || record.field("res").is_some_and(|res| res.word() == b"failed");
    let outcome = if failed { Outcome::Denied } else { Outcome::Success };
    Found { what, detail: words.join(" "), outcome }
}
