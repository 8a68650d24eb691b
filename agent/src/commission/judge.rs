//! Which entries of the log tell of which step: pure. The command waits by it, the agent seals by it.
//!
//! A step arrived where an entry after the test's beginning has its kind, its process, the name that holds the test's
//! random number, and the person. An entry of another process, another file or another account is no proof; neither is
//! one that names nobody.
//!
//! Windows records less of what was done to a file, and so less is asked of an entry of its security log: creating is the use
//! of the right to write, listing that to read, renaming that to delete the old name (4663), and a second name is told
//! without a process (4664).

use ntk_evidence::event::{
    Action, Actor, CommissionOutcome, CommissionStep, CommissionWhat, Event, Health, Kind, Outcome,
    TamperKind, Via,
};

use super::claim::{Claim, Made};
use crate::watch_list::is_below;

/// What the agent itself knows.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The test's folder, absolute.
    pub folder: &'a str,
    /// Paths that the practice has watched, without decoys.
    pub watched: &'a [String],
    /// Entries that the collector acknowledged.
    pub released: u64,
}

/// The machine as health entries tell of it: what a test holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    os: Option<String>,
    os_build: Option<String>,
    version: Option<String>,
    binary_sha256: Option<String>,
    boot_id: Option<String>,
}

impl Facts {
    /// Those of a health entry.
    pub fn of(health: &Health) -> Self {
        Self {
            os: health.os.clone(),
            os_build: health.os_build.clone(),
            version: health.version.clone(),
            binary_sha256: health.binary_sha256.clone(),
            boot_id: health.boot_id.clone(),
        }
    }

    /// Whether the machine was this one, in this boot and under this program, from before the test on.
    pub fn hold_since(&self, since: u64, log: &[(u64, Event)]) -> bool {
        let healths = || log.iter().filter_map(|(number, event)| Some((*number, event.health.as_ref()?)));
        let before = healths().rfind(|(number, _)| *number < since);
        let mut all = before.into_iter().chain(healths().filter(|(number, _)| *number >= since)).peekable();
        all.peek().is_some() && all.all(|(_, health)| Self::of(health) == *self)
    }
}

/// The file that is opened in most steps.
pub fn letter(id: &str) -> String {
    format!("letter-{id}")
}

/// Its second name, and that one renamed.
pub fn second(id: &str) -> String {
    format!("second-{id}")
}

/// See [`second`].
pub fn third(id: &str) -> String {
    format!("third-{id}")
}

/// Where something is mounted.
pub fn mount_point(id: &str) -> String {
    format!("mount-{id}")
}

/// What became of each step, in order, and the person that the kernel stamped on them.
pub fn judge(claim: &Claim, log: &[(u64, Event)], scene: &Scene<'_>) -> (Vec<CommissionStep>, Option<Actor>) {
    let mut steps: Vec<CommissionStep> = CommissionWhat::all()
        .filter(|what| *what != CommissionWhat::Receipt)
        .map(|what| step(what, claim, log, scene))
        .collect();
    let newest = steps.iter().flat_map(|step| &step.entries).max().copied();
    let actor = steps.iter().find(|step| step.what == CommissionWhat::Read);
    let actor = actor.and_then(|step| step.entries.first());
    let actor = actor.and_then(|number| log.iter().find(|(of, _)| of == number));
    let actor = actor.and_then(|(_, event)| event.actor.clone());
    steps.push(receipt(newest, scene.released));
    (steps, actor)
}

/// What became of one step. Not of [`CommissionWhat::Receipt`], which is about all others.
pub fn step(what: CommissionWhat, claim: &Claim, log: &[(u64, Event)], scene: &Scene<'_>) -> CommissionStep {
    let Some(made) = claim.step(&what) else {
        return told(what, CommissionOutcome::Skipped, None, Found::default());
    };
    if made.skipped {
        return told(what, CommissionOutcome::Skipped, Some(made), Found::default());
    }
    if made.because.is_some() {
        let found = Found { because: made.because.clone(), ..Found::default() };
        return told(what, CommissionOutcome::NotMade, Some(made), found);
    }
    let found = match what {
        CommissionWhat::Login => match login(claim, log) {
            Ok(found) => found,
            Err(because) => {
                let found = Found { because: Some(because.to_owned()), ..Found::default() };
                return told(what, CommissionOutcome::NotMade, Some(made), found);
            }
        },
        CommissionWhat::Watched => watched(made, claim, log, scene),
        CommissionWhat::Stop => stop(claim, log),
        CommissionWhat::ReadAgain => after_the_stop(made, claim, log, scene),
        _ => one(&what, made, claim, claim.since, log, scene),
    };
    let outcome =
        if found.because.is_none() { CommissionOutcome::Arrived } else { CommissionOutcome::NotArrived };
    told(what, outcome, Some(made), found)
}

/// What the log has of a step; whole where there is no `because`.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<u64>,
    because: Option<String>,
}

fn told(
    what: CommissionWhat,
    outcome: CommissionOutcome,
    made: Option<&Made>,
    found: Found,
) -> CommissionStep {
    CommissionStep {
        what,
        outcome,
        began: made.filter(|made| made.because.is_none() && !made.skipped).map(|made| made.began.clone()),
        pid: made.and_then(|made| made.pid),
        entries: found.entries,
        because: found.because,
    }
}

/// A step of one process: the entries that tell of it and name the person.
fn one(
    what: &CommissionWhat,
    made: &Made,
    claim: &Claim,
    since: u64,
    log: &[(u64, Event)],
    scene: &Scene<'_>,
) -> Found {
    let about =
        log.iter().filter(|(number, event)| *number >= since && tells(what, made, event, claim, scene));
    let about: Vec<_> = about.collect();
    let entries: Vec<u64> =
        about.iter().filter(|(_, event)| names(event, claim)).map(|(number, _)| *number).collect();
    let because = match (about.is_empty(), entries.is_empty()) {
        (_, false) => None,
        (true, _) => Some("no entry of it came".to_owned()),
        (false, true) => Some("what came does not name the account that did it".to_owned()),
    };
    Found { entries, because }
}

/// Whether an event tells of a step, whoever it names.
fn tells(what: &CommissionWhat, made: &Made, event: &Event, claim: &Claim, scene: &Scene<'_>) -> bool {
    let Some(pid) = made.pid else { return false };
    let process = event.process.as_ref();
    let is_process = process.and_then(|process| process.pid) == Some(pid);
    let command = || process.and_then(|process| process.command.as_deref()).unwrap_or_default();
    let object = event.object.as_ref();
    let is_at = |name: &str| {
        object.and_then(|object| object.path.as_deref()).is_some_and(|path| same(path, &at(scene, name)))
    };
    let is_to = |name: &str| {
        object.and_then(|object| object.to.as_deref()).is_some_and(|path| same(path, &at(scene, name)))
    };
    let is_windows = claim.sid.is_some();
    let via = object.and_then(|object| object.via.as_ref());
    let (letter, second, third) = (letter(&claim.id), second(&claim.id), third(&claim.id));
    let succeeded = event.outcome == Some(Outcome::Success);
    let file = |action: Action, via_wanted: Via| {
        event.kind == Kind::FileAccess
            && event.action == Some(action)
            && via == Some(&via_wanted)
            && is_process
    };
    let did = |action: Action| file(action, Via::Direct) && succeeded;
    let tampered = |what: TamperKind| event.tamper.as_ref().is_some_and(|tamper| tamper.what == what);
    match what {
        CommissionWhat::Elevation => event.kind == Kind::Elevation && succeeded && is_process,
        CommissionWhat::ProcessStart => {
            event.kind == Kind::ProcessStart && is_process && command().contains(&claim.id)
        }
        CommissionWhat::Create => (did(Action::Create) || is_windows && did(Action::Write)) && is_at(&letter),
        CommissionWhat::Write => did(Action::Write) && is_at(&letter),
        CommissionWhat::Read | CommissionWhat::ReadAgain => did(Action::Read) && is_at(&letter),
        CommissionWhat::Attributes => did(Action::Attributes) && is_at(&letter),
        CommissionWhat::List => {
            (did(Action::List) || is_windows && did(Action::Read))
                && object
                    .and_then(|object| object.path.as_deref())
                    .is_some_and(|path| same(path, scene.folder))
        }
        CommissionWhat::Link => {
            let told = event.kind == Kind::FileAccess && event.action == Some(Action::Link) && succeeded;
            let is_its =
                did(Action::Link) || is_windows && process.is_none_or(|process| process.pid.is_none());
            told && is_its && is_at(&letter) && is_to(&second)
        }
        CommissionWhat::Rename => {
            let as_windows = is_windows && did(Action::Delete) && is_at(&second);
            did(Action::Rename) && is_at(&second) && is_to(&third) || as_windows
        }
        CommissionWhat::Delete => did(Action::Delete) && is_at(&third),
        CommissionWhat::Denied => {
            event.kind == Kind::FileAccess
                && event.outcome == Some(Outcome::Denied)
                && is_process
                && is_at(&letter)
        }
        CommissionWhat::Handle => file(Action::Read, Via::Handle) && succeeded && is_at(&letter),
        CommissionWhat::IoUring => file(Action::Read, Via::IoUring) && succeeded && is_at(&letter),
        // Whether the disk let itself be read is not the question.
        CommissionWhat::RawDisk => file(Action::Read, Via::RawDisk),
        CommissionWhat::Mount => {
            tampered(TamperKind::MountChanged) && is_process && is_to(&mount_point(&claim.id))
        }
        CommissionWhat::Rules => {
            let detail =
                event.tamper.as_ref().and_then(|tamper| tamper.detail.as_deref()).unwrap_or_default();
            tampered(TamperKind::RulesChanged) && (is_process || detail.contains(&claim.id))
        }
        CommissionWhat::Clock => {
            let by_clocks =
                event.source.as_ref().and_then(|source| source.sensor.as_deref()) == Some("clocks");
            tampered(TamperKind::ClockChanged) && (is_process || by_clocks)
        }
        CommissionWhat::Login
        | CommissionWhat::Watched
        | CommissionWhat::Stop
        | CommissionWhat::Receipt
        | CommissionWhat::Other(_) => false,
    }
}

fn at(scene: &Scene<'_>, name: &str) -> String {
    let separator = if scene.folder.starts_with('/') { '/' } else { '\\' };
    format!("{}{separator}{name}", scene.folder)
}

/// Whether two paths are one; on Windows in large or small letters.
fn same(a: &str, b: &str) -> bool {
    a == b || is_below(a, b) && is_below(b, a)
}

/// Whether an event names the person of the test.
fn names(event: &Event, claim: &Claim) -> bool {
    let actor = event.actor.as_ref();
    // The halves of a login under User Account Control have numbers of their own: the account, the process and the name
    // of the file are what binds an entry to the test there.
    if let Some(sid) = &claim.sid {
        let named = actor.and_then(|actor| actor.sid.as_deref());
        return named.is_some_and(|named| named.eq_ignore_ascii_case(sid));
    }
    let is_session =
        claim.session.is_none_or(|session| actor.and_then(|actor| actor.session) == Some(session));
    actor.and_then(|actor| actor.login_uid) == Some(claim.login_uid) && is_session
}

/// The beginning of the session that the test was run from, whenever it was.
fn login(claim: &Claim, log: &[(u64, Event)]) -> Result<Found, &'static str> {
    if claim.session.is_none() {
        return Err("the test was run outside every login");
    }
    let session = |event: &Event| event.actor.as_ref().and_then(|actor| actor.session);
    // On Windows the session is the one that stands in the entries of the test.
    let is_of_test = |(number, event): &&(u64, Event)| {
        let pid = event.process.as_ref().and_then(|process| process.pid);
        *number >= claim.since
            && pid.is_some()
            && claim.steps.iter().any(|made| made.pid == pid)
            && names(event, claim)
    };
    let own = log.iter().find(is_of_test).and_then(|(_, event)| session(event));
    let is_login = |event: &Event| {
        event.kind == Kind::Login
            && event.outcome == Some(Outcome::Success)
            && names(event, claim)
            && (claim.sid.is_none() || own.is_some() && session(event) == own)
    };
    let entry = log.iter().rev().find(|(_, event)| is_login(event));
    match entry {
        Some((number, _)) => Ok(Found { entries: vec![*number], because: None }),
        None => Err("the log holds no beginning of this session: log in anew and run the test from there"),
    }
}

/// Each place that the practice has watched was opened.
fn watched(made: &Made, claim: &Claim, log: &[(u64, Event)], scene: &Scene<'_>) -> Found {
    let opened = |path: &String| {
        let tells = |event: &Event| {
            event.kind == Kind::FileAccess
                && matches!(event.action, Some(Action::List | Action::Read))
                && event.process.as_ref().and_then(|process| process.pid) == made.pid
                && event
                    .object
                    .as_ref()
                    .and_then(|object| object.path.as_ref())
                    .is_some_and(|told| same(told, path))
                && names(event, claim)
        };
        log.iter().find(|(number, event)| *number >= claim.since && tells(event)).map(|(number, _)| *number)
    };
    let entries: Vec<u64> = scene.watched.iter().filter(|_| made.pid.is_some()).filter_map(opened).collect();
    let because = match (scene.watched.len(), entries.len()) {
        (0, _) => Some("the practice has no folder watched".to_owned()),
        (all, n) if n < all => Some(format!("{n} of {all} watched places told of it")),
        _ => None,
    };
    Found { entries, because }
}

/// The end of a run, the hole that it left, and the beginning of the next run.
fn stop(claim: &Claim, log: &[(u64, Event)]) -> Found {
    let since = || log.iter().filter(|(number, _)| *number >= claim.since);
    let gap = since().find(|(_, event)| {
        event.gap.as_ref().is_some_and(|gap| matches!(gap.cause.as_str(), "clean_stop" | "agent_restart"))
    });
    let Some((gap, _)) = gap else {
        return Found { entries: Vec::new(), because: Some("no entry of it came".to_owned()) };
    };
    let reason = |event: &Event, wanted: &str| {
        event.health.as_ref().and_then(|health| health.reason.as_deref()) == Some(wanted)
    };
    let end =
        since().rfind(|(number, event)| number < gap && reason(event, "stop")).map(|(number, _)| *number);
    let start =
        since().find(|(number, event)| number > gap && reason(event, "start")).map(|(number, _)| *number);
    let because = start.is_none().then(|| "the recording program did not say that it runs again".to_owned());
    Found { entries: end.into_iter().chain([*gap]).chain(start).collect(), because }
}

fn after_the_stop(made: &Made, claim: &Claim, log: &[(u64, Event)], scene: &Scene<'_>) -> Found {
    let stopped = stop(claim, log);
    match stopped.entries.last().filter(|_| stopped.because.is_none()) {
        Some(start) => one(&CommissionWhat::ReadAgain, made, claim, *start, log, scene),
        None => Found { entries: Vec::new(), because: Some("there was no restart before it".to_owned()) },
    }
}

/// Whether the collector has acknowledged everything that the other steps name.
pub fn receipt(newest: Option<u64>, released: u64) -> CommissionStep {
    let (outcome, because) = match newest {
        Some(newest) if newest < released => (CommissionOutcome::Arrived, None),
        Some(newest) => {
            let because = format!(
                "the collector acknowledged {released} entries, and entry {newest} is not among them"
            );
            (CommissionOutcome::NotArrived, Some(because))
        }
        None => (CommissionOutcome::NotArrived, Some("there is nothing to acknowledge".to_owned())),
    };
    told(CommissionWhat::Receipt, outcome, None, Found { entries: Vec::new(), because })
}

#[cfg(test)]
mod tests;
