//! From lines and records to events: several sentences about one login are one event.
//!
//! sshd, PAM and wtmp each speak of the same login. What belongs together is known by the process number in text; a
//! record of wtmp or btmp is left out where a line told the same of the same account shortly before.

use std::collections::{BTreeMap, VecDeque};

use ntk_evidence::event::{Actor, Confidence, Event, Gap, Kind, Outcome, Process, Source};
use ntk_evidence::time::Moment;

use super::SENSOR;
use super::line::Line;
use super::said::{self, Told};
use super::utmp::{Visit, VisitKind};

/// Login processes that are remembered; beyond that the oldest is forgotten.
const PROCESSES_MAX: usize = 4096;

/// What was told lately, to leave out what wtmp and btmp say again.
const LATELY_MAX: usize = 1024;
const LATELY_NANOS: u64 = 10_000_000_000;

/// How long the sentences of one login may lie apart.
const ONE_LOGIN_NANOS: u64 = 60_000_000_000;

/// Services of PAM that open a session which is somebody's login. Greeters and user managers are none.
const LOGIN_SERVICES: &[&str] = &[
    "sshd",
    "login",
    "remote",
    "cron",
    "crond",
    "atd",
    "lightdm",
    "sddm",
    "xdm",
    "kdm",
    "cockpit",
    "xrdp-sesman",
];
/// Services that take on another account's rights within a session.
const ELEVATION_SERVICES: &[&str] =
    &["su", "su-l", "sudo", "sudo-i", "runuser", "runuser-l", "polkit-1", "doas", "su-rs", "sudo-rs"];

/// sshd let somebody in: what audit records do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The login process: the one that audit's records of the login bear, too.
    pub pid: u32,
    /// The account.
    pub user: String,
    /// Fingerprint of the key; none after a password.
    pub key: Option<String>,
}

/// The login that a line of sshd tells of.
pub fn accepted(line: &Line) -> Option<Accepted> {
    if !is_its_own(line) {
        return None;
    }
    match (said::read(&line.program, &line.message)?, line.pid) {
        (Told::Accepted { user, key, .. }, Some(pid)) => Some(Accepted { pid, user, key }),
        _ => None,
    }
}

#[derive(Clone, Debug, Default)]
struct Known {
    from: Option<String>,
    key: Option<String>,
    /// When its login or elevation was told: what follows soon is the same one, what comes later another process.
    began: Option<Moment>,
    refused: bool,
}

impl Known {
    /// Whether this is the first sentence of a login or an elevation.
    fn begins(&mut self, at: Moment) -> bool {
        let before = self.began.replace(at);
        before.is_none_or(|before| at.unix_nanos().abs_diff(before.unix_nanos()) > ONE_LOGIN_NANOS)
    }
}

/// Makes events of what logs say; remembers what belongs together.
#[derive(Debug, Default)]
pub struct Teller {
    processes: BTreeMap<u32, Known>,
    order: VecDeque<u32>,
    lately: VecDeque<(Moment, Kind, Outcome, String)>,
    /// Who is on which terminal, for ends that name nobody.
    terminals: BTreeMap<String, String>,
}

impl Teller {
    /// The events of one line.
    pub fn line(&mut self, line: &Line) -> Option<Event> {
        let told = said::read(&line.program, &line.message).filter(|_| is_its_own(line))?;
        let mut known = line.pid.and_then(|pid| self.processes.get(&pid).cloned()).unwrap_or_default();
        let event = self.event(line, told, &mut known);
        if let Some(pid) = line.pid {
            self.remember(pid, known);
        }
        if let Some(event) = &event {
            self.told(line.at, event);
        }
        event
    }

    fn event(&mut self, line: &Line, told: Told, known: &mut Known) -> Option<Event> {
        match told {
            Told::Accepted { user, from, key } => {
                (known.from, known.key, known.began) = (Some(from), key, Some(line.at));
                Some(login(line, Outcome::Success, named(user, known)))
            }
            Told::Failed { user, from, n_tries } => {
                known.refused = true;
                let mut event = login(line, Outcome::Denied, claimed(Some(user), Some(from)));
                event.count = Some(n_tries).filter(|n| *n > 1);
                Some(event)
            }
            Told::Left { user, from } => {
                let is_new = !std::mem::replace(&mut known.refused, true) && known.began.is_none();
                is_new.then(|| login(line, Outcome::Denied, claimed(Some(user), Some(from))))
            }
            Told::Opened { service, user, by } => {
                let is_elevation = ELEVATION_SERVICES.contains(&service.as_str());
                if !is_elevation && !is_login(&service) || !known.begins(line.at) {
                    return None;
                }
                if !is_elevation {
                    return Some(login(line, Outcome::Success, named(user, known)));
                }
                let actor = named_or_none(by, Some(user));
                Some(event(line, Kind::Elevation, Outcome::Success, actor))
            }
            Told::Closed { service, user } => {
                let before = std::mem::take(known);
                is_login(&service).then(|| event(line, Kind::Logout, Outcome::Success, named(user, &before)))
            }
            Told::Ran { by, target, command, refused, n_tries } => {
                // The session that PAM opens for it is the same elevation, also where it speaks first.
                known.began = Some(line.at);
                let outcome = if refused { Outcome::Denied } else { Outcome::Success };
                let mut event = event(line, Kind::Elevation, outcome, named_or_none(Some(by), target));
                event.count = Some(n_tries).filter(|n| *n > 1);
                if let Some(process) = &mut event.process {
                    process.command = command;
                }
                Some(event)
            }
            Told::Became { by, target, refused } => {
                if !refused && !known.begins(line.at) {
                    return None;
                }
                let outcome = if refused { Outcome::Denied } else { Outcome::Success };
                Some(event(line, Kind::Elevation, outcome, named_or_none(Some(by), Some(target))))
            }
            Told::AtTerminal { user, from } => {
                let is_new = known.begins(line.at);
                known.from = Some(from);
                is_new.then(|| login(line, Outcome::Success, named(user, known)))
            }
            Told::RefusedAtTerminal { user, from } => Some(login(line, Outcome::Denied, claimed(user, from))),
        }
    }

    /// The event of a record of wtmp, or of btmp where every record is a refused try.
    pub fn visit(&mut self, visit: &Visit, refused: bool) -> Option<Event> {
        let time = visit.at.to_rfc3339(0);
        let from = [&visit.host, &visit.line].into_iter().find(|text| !text.is_empty()).cloned();
        let mut known = Known { from, ..Known::default() };
        let (kind, outcome, user) = match visit.kind {
            _ if refused => (Kind::Login, Outcome::Denied, visit.user.clone()),
            VisitKind::Began => (Kind::Login, Outcome::Success, visit.user.clone()),
            VisitKind::Ended => {
                known.from = Some(visit.line.clone());
                match self.terminals.remove(&visit.line) {
                    Some(user) => (Kind::Logout, Outcome::Success, user),
                    // Somebody was there before this log began; a getty on a console that ends was nobody.
                    None if visit.line.starts_with("pts/") => {
                        return Some(ended_unnamed(visit, &time, known.from));
                    }
                    None => return None,
                }
            }
            VisitKind::Other => return None,
        };
        if kind == Kind::Login && !refused && self.terminals.len() < PROCESSES_MAX {
            self.terminals.insert(visit.line.clone(), user.clone());
        }
        let again = self.lately.iter().any(|(at, told, ended, who)| {
            let apart = at.unix_nanos().abs_diff(visit.at.unix_nanos());
            apart <= LATELY_NANOS && *told == kind && *ended == outcome && *who == user
        });
        if again {
            return None;
        }
        let actor = if refused { claimed(Some(user), known.from.clone()) } else { named(user, &known) };
        let mut event = bare(kind, &time);
        event.outcome = Some(outcome);
        event.actor = Some(actor);
        event.process = visit.pid.map(|pid| Process { pid: Some(pid), ..Process::default() });
        Some(event)
    }

    fn remember(&mut self, pid: u32, known: Known) {
        if self.processes.insert(pid, known).is_none() {
            self.order.push_back(pid);
        }
        if self.order.len() > PROCESSES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.processes.remove(&oldest);
        }
    }

    fn told(&mut self, at: Moment, event: &Event) {
        let actor = event.actor.as_ref();
        let who = actor.and_then(|actor| actor.login_user.clone().or_else(|| actor.claims.clone()));
        if let (Some(who), Some(outcome)) = (who, event.outcome.clone()) {
            self.lately.push_back((at, event.kind.clone(), outcome, who));
        }
        if self.lately.len() > LATELY_MAX {
            self.lately.pop_front();
        }
    }
}

/// A gap of this sensor.
pub(crate) fn gap(cause: &str, time: &str, from: Option<&str>, lost: Option<u64>) -> Event {
    let mut event = bare(Kind::Gap, time);
    event.gap = Some(Gap {
        cause: cause.to_owned(),
        from: from.map(str::to_owned),
        to: Some(time.to_owned()),
        lost,
        other: Default::default(),
    });
    event
}

fn is_login(service: &str) -> bool {
    LOGIN_SERVICES.contains(&service) || (service.starts_with("gdm-") && service != "gdm-launch-environment")
}

/// Whether a line came from the program that it names, where journald says which one wrote it.
fn is_its_own(line: &Line) -> bool {
    let Some(vouched) = &line.vouched else { return true };
    let Some(exe) = &vouched.exe else { return false };
    let in_system = ["/usr/", "/bin/", "/sbin/", "/lib"].iter().any(|folder| exe.starts_with(folder));
    let in_local = exe.starts_with("/usr/local/");
    let name = exe.rsplit('/').next().unwrap_or_default();
    let program = line.program.to_ascii_lowercase();
    let program = program.trim_end_matches(']');
    let fits = match program {
        "crond" | "cron" => matches!(name, "cron" | "crond"),
        _ if program.starts_with("gdm-") => name == "gdm-session-worker",
        _ if program.starts_with("sddm") => name.starts_with("sddm"),
        _ if program.starts_with("sshd") => matches!(name, "sshd" | "sshd-session" | "sshd-auth"),
        _ => name == program || name == program.trim_end_matches("-l").trim_end_matches("-i"),
    };
    fits && in_system && !in_local
}

fn named(user: String, known: &Known) -> Actor {
    Actor {
        login_user: Some(user),
        from: known.from.clone(),
        key: known.key.clone(),
        confidence: Some(Confidence::Derived),
        ..Actor::default()
    }
}

fn named_or_none(by: Option<String>, target: Option<String>) -> Actor {
    let confidence = if by.is_some() { Confidence::Derived } else { Confidence::Unattributed };
    Actor { login_user: by, effective_user: target, confidence: Some(confidence), ..Actor::default() }
}

fn claimed(claims: Option<String>, from: Option<String>) -> Actor {
    Actor { claims, from, confidence: Some(Confidence::Unattributed), ..Actor::default() }
}

fn login(line: &Line, outcome: Outcome, actor: Actor) -> Event {
    event(line, Kind::Login, outcome, actor)
}

fn event(line: &Line, kind: Kind, outcome: Outcome, mut actor: Actor) -> Event {
    if let Some(vouched) = &line.vouched {
        // journald copies what the kernel stamps on the writer: after a login it is the person's.
        actor.login_uid = vouched.login_uid;
        actor.session = vouched.session.map(u64::from);
    }
    let mut event = bare(kind, &line.time());
    event.outcome = Some(outcome);
    event.actor = Some(actor);
    event.process = Some(Process { pid: line.pid, exe: Some(line.program.clone()), ..Process::default() });
    event
}

fn ended_unnamed(visit: &Visit, time: &str, from: Option<String>) -> Event {
    let mut event = bare(Kind::Logout, time);
    event.outcome = Some(Outcome::Success);
    event.actor = Some(claimed(None, from));
    event.process = visit.pid.map(|pid| Process { pid: Some(pid), ..Process::default() });
    event
}

fn bare(kind: Kind, time: &str) -> Event {
    let mut event = Event::new(kind, time);
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event
}
