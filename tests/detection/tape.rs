//! The tape on which the made-up practice is recorded: entries as the agents write them, acts as the collector does.
//!
//! Everything may be put on it in any order; [`Tape::finish`] brings it into the order of a ledger, numbers
//! sessions and audit records per computer, and writes the roster anew at each change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::event::{
    Action, Actor, Class, Confidence, Event, Kind, Object, Outcome, Process, Source, Tamper, TamperKind, Via,
};
use serde_json::{Value, json};

use super::calendar::{minutes, seconds};
use super::cast::Person;
use super::chance::Chance;
use super::scenario::{Act, Entry, Label, Line, text};

/// A session on a computer, or a service outside any.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The computer.
    pub host: String,
    /// As each record of the session names the actor.
    pub actor: Actor,
}

impl Seat {
    /// The same session with another account's rights.
    pub fn acting_as(&self, user: &str) -> Self {
        let actor = Actor { effective_user: Some(user.to_owned()), ..self.actor.clone() };
        Self { actor, ..self.clone() }
    }

    /// A service, started by the system: no login stands behind it.
    pub fn service(host: &str, user: &str) -> Self {
        let actor = Actor {
            effective_user: Some(user.to_owned()),
            confidence: Some(Confidence::Unattributed),
            ..Actor::default()
        };
        Self { host: host.to_owned(), actor }
    }
}

/// One access to files.
#[derive(Clone, Debug)]
pub struct Touch {
    action: Action,
    outcome: Outcome,
    object: Object,
    process: Process,
    count: Option<u64>,
}

impl Touch {
    /// Something done to a file of a class.
    pub fn new(action: Action, class: Class, path: impl Into<String>, exe: &str) -> Self {
        let object = Object {
            path: Some(path.into()),
            class: Some(class),
            via: Some(Via::Direct),
            ..Object::default()
        };
        let process = Process { exe: Some(exe.to_owned()), ..Process::default() };
        Self { action, outcome: Outcome::Success, object, process, count: None }
    }

    /// Whose file it is.
    pub fn of(mut self, owner: &str) -> Self {
        self.object.owner = Some(owner.to_owned());
        self
    }

    /// Where it went.
    pub fn to(mut self, path: impl Into<String>) -> Self {
        self.object.to = Some(path.into());
        self
    }

    /// By which way.
    pub fn via(mut self, via: Via) -> Self {
        self.object.via = Some(via);
        self
    }

    /// The command line.
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.process.command = Some(command.into());
        self
    }

    /// The program that started it.
    pub fn from(mut self, parent: &str) -> Self {
        self.process.parent = Some(parent.to_owned());
        self
    }

    /// How often within a few seconds.
    pub fn times(mut self, n: i64) -> Self {
        self.count = u64::try_from(n).ok().filter(|n| *n > 1);
        self
    }

    /// It was refused.
    pub fn denied(mut self) -> Self {
        self.outcome = Outcome::Denied;
        self
    }
}

struct Pending {
    received: Timestamp,
    at: Timestamp,
    line: Line,
}

/// The tape.
pub struct Tape {
    pending: Vec<Pending>,
    labels: Vec<Label>,
    roster: Vec<(Timestamp, String)>,
    mark: Option<String>,
    n_sessions: u64,
    n_tickets: u32,
    /// Computers that could not send, from when to when.
    pub offline: Vec<(String, Timestamp, Timestamp)>,
    /// Seconds by which a computer's clock is wrong.
    pub drift: BTreeMap<String, i64>,
    chance: Chance,
}

impl Tape {
    /// An empty one.
    pub fn new(chance: Chance) -> Self {
        Self {
            pending: Vec::new(),
            labels: Vec::new(),
            roster: Vec::new(),
            mark: None,
            n_sessions: 0,
            n_tickets: 0,
            offline: Vec::new(),
            drift: BTreeMap::new(),
            chance,
        }
    }

    /// What comes next carries this label, or none.
    pub fn mark(&mut self, label: Option<&str>) {
        self.mark = label.map(ToOwned::to_owned);
    }

    /// Declares a label.
    pub fn label(&mut self, label: Label) {
        self.labels.push(label);
    }

    /// The number of the next ticket.
    pub fn next_ticket(&mut self) -> String {
        self.n_tickets += 1;
        format!("T-{}", self.n_tickets)
    }

    /// An act.
    pub fn act(&mut self, at: Timestamp, kind: &str, body: Value) {
        self.pending.push(Pending {
            received: at,
            at,
            line: Line::Act(Act { at, kind: kind.to_owned(), body }),
        });
    }

    /// Appends a block to the roster; the first one is the whole text.
    pub fn roster(&mut self, at: Timestamp, block: String) {
        self.roster.push((at, block));
    }

    /// An entry of the agent of a computer.
    pub fn entry(&mut self, host: &str, at: Timestamp, mut event: Event) {
        let lag = self.chance.between(1, 4);
        let cut = self.offline.iter().find(|(name, from, to)| name == host && *from <= at && at < *to);
        let received = seconds(cut.map_or(at, |(_, _, to)| *to), lag);
        let claimed = seconds(at, self.drift.get(host).copied().unwrap_or_default());
        let within = self.chance.between(0, 999);
        event.time = text(millis(claimed, within));
        let entry =
            Entry { author: format!("agent/{host}"), number: 0, received, event, label: self.mark.clone() };
        self.pending.push(Pending { received, at, line: Line::Entry(Box::new(entry)) });
    }

    fn event(
        &mut self,
        kind: Kind,
        outcome: Outcome,
        actor: Actor,
        exe: &str,
        command: Option<&str>,
    ) -> Event {
        let mut event = Event::new(kind, "");
        event.outcome = Some(outcome);
        event.actor = Some(actor);
        event.process = Some(Process {
            pid: u32::try_from(self.chance.between(1200, 60_000)).ok(),
            exe: Some(exe.to_owned()),
            command: command.map(ToOwned::to_owned),
            ..Process::default()
        });
        event.source = Some(Source { sensor: Some("linux-audit".to_owned()), ..Source::default() });
        event
    }

    /// Somebody logs in with an account; at the console where `from` is a device.
    pub fn login(
        &mut self,
        at: Timestamp,
        host: &str,
        account: (&str, u32),
        from: &str,
        key: Option<&str>,
    ) -> Seat {
        self.n_sessions += 1;
        let actor = Actor {
            login_uid: Some(account.1),
            login_user: Some(account.0.to_owned()),
            key: key.map(ToOwned::to_owned),
            session: Some(self.n_sessions),
            from: Some(from.to_owned()),
            confidence: Some(Confidence::Kernel),
            ..Actor::default()
        };
        let event = self.event(Kind::Login, Outcome::Success, actor.clone(), door(from), None);
        self.entry(host, at, event);
        let actor = Actor { effective_user: Some(account.0.to_owned()), ..actor };
        Seat { host: host.to_owned(), actor }
    }

    /// A session that the scheduler began for an account: no login, no place it came from.
    pub fn scheduled(&mut self, host: &str, account: (&str, u32)) -> Seat {
        self.n_sessions += 1;
        let actor = Actor {
            login_uid: Some(account.1),
            login_user: Some(account.0.to_owned()),
            effective_user: Some(account.0.to_owned()),
            session: Some(self.n_sessions),
            confidence: Some(Confidence::Kernel),
            ..Actor::default()
        };
        Seat { host: host.to_owned(), actor }
    }

    /// At their own computer's console.
    pub fn sit_down(&mut self, at: Timestamp, host: &str, person: &Person) -> Seat {
        self.login(at, host, (&person.user, person.uid), "/dev/tty2", None)
    }

    /// A login that was refused: a name was typed, nobody was verified.
    pub fn refused_login(&mut self, at: Timestamp, host: &str, name: &str, from: &str) {
        let actor = Actor {
            claims: Some(name.to_owned()),
            from: Some(from.to_owned()),
            confidence: Some(Confidence::Unattributed),
            ..Actor::default()
        };
        let event = self.event(Kind::Login, Outcome::Denied, actor, door(from), None);
        self.entry(host, at, event);
    }

    /// The session ends.
    pub fn logout(&mut self, at: Timestamp, seat: &Seat) {
        let from = seat.actor.from.clone().unwrap_or_default();
        let actor = Actor { effective_user: None, ..seat.actor.clone() };
        let event = self.event(Kind::Logout, Outcome::Success, actor, door(&from), None);
        self.entry(&seat.host, at, event);
    }

    /// sudo or su to another account's rights.
    pub fn elevate(
        &mut self,
        at: Timestamp,
        seat: &Seat,
        user: &str,
        exe: &str,
        command: Option<&str>,
    ) -> Seat {
        let seat = seat.acting_as(user);
        let event = self.event(Kind::Elevation, Outcome::Success, seat.actor.clone(), exe, command);
        self.entry(&seat.host, at, event);
        seat
    }

    /// sudo or su that was refused.
    pub fn refused_elevation(&mut self, at: Timestamp, seat: &Seat, command: &str) {
        let actor = Actor { effective_user: None, ..seat.actor.clone() };
        let event = self.event(Kind::Elevation, Outcome::Denied, actor, "/usr/bin/sudo", Some(command));
        self.entry(&seat.host, at, event);
    }

    /// A file is reached.
    pub fn touch(&mut self, at: Timestamp, seat: &Seat, touch: Touch) {
        let mut event = self.event(Kind::FileAccess, touch.outcome, seat.actor.clone(), "", None);
        let pid = event.process.as_ref().and_then(|process| process.pid);
        event.action = Some(touch.action);
        event.process = Some(Process { pid, ..touch.process });
        event.object = Some(touch.object);
        event.count = touch.count;
        // A run of equal accesses is given out after five seconds at most.
        let drift = self.drift.get(&seat.host).copied().unwrap_or_default();
        event.last = touch.count.map(|_| text(seconds(at, drift + 3)));
        self.entry(&seat.host, at, event);
    }

    /// Something is done to the recording.
    pub fn tamper(
        &mut self,
        at: Timestamp,
        seat: &Seat,
        what: TamperKind,
        detail: &str,
        exe: &str,
        command: &str,
    ) {
        let mut event = self.event(Kind::Tamper, Outcome::Success, seat.actor.clone(), exe, Some(command));
        event.tamper = Some(Tamper { what, detail: Some(detail.to_owned()), other: Default::default() });
        self.entry(&seat.host, at, event);
    }

    /// An account is changed: `create` for a new one, `attributes` for a new password.
    pub fn account_change(&mut self, at: Timestamp, seat: &Seat, action: Action, account: &str, exe: &str) {
        let mut event = self.event(Kind::AccountChange, Outcome::Success, seat.actor.clone(), exe, None);
        event.action = Some(action);
        event.object =
            Some(Object { owner: Some(account.to_owned()), class: Some(Class::System), ..Object::default() });
        self.entry(&seat.host, at, event);
    }

    /// A remote-support tool drives the session for so many minutes: once when it begins, once when it is over.
    pub fn remote_control(&mut self, at: Timestamp, seat: &Seat, tool: &str, for_minutes: i64) {
        let actor = Actor { tool: Some(tool.to_owned()), ..seat.actor.clone() };
        let event = self.event(Kind::RemoteControl, Outcome::Success, actor, "/usr/bin/anydesk", None);
        self.entry(&seat.host, at, event.clone());
        let began = self.pending.last().and_then(|pending| match &pending.line {
            Line::Entry(entry) => Some(entry.event.time.clone()),
            Line::Label(_) | Line::Act(_) => None,
        });
        let drift = self.drift.get(&seat.host).copied().unwrap_or_default();
        let ends = minutes(at, for_minutes);
        self.entry(&seat.host, ends, Event { last: Some(text(seconds(ends, drift))), ..event });
        // The closing entry tells of the whole interval: its time is the beginning, and it comes at the end.
        if let (Some(began), Some(Pending { line: Line::Entry(entry), .. })) =
            (began, self.pending.last_mut())
        {
            entry.event.time = began;
        }
    }

    /// The ledger's order.
    pub fn finish(mut self) -> Vec<Line> {
        self.roster.sort_by_key(|(at, _)| *at);
        let mut whole = String::new();
        for (at, block) in std::mem::take(&mut self.roster) {
            whole.push_str(&block);
            self.act(at, "act_roster", json!({ "text": whole.clone() }));
        }
        // Stable: what was put down first stays first among equals.
        self.pending.sort_by_key(|pending| (pending.received, pending.at));
        let mut lines: Vec<Line> = self.labels.into_iter().map(Line::Label).collect();
        let mut hosts: BTreeMap<String, Numbers> = BTreeMap::new();
        for pending in self.pending {
            let mut line = pending.line;
            if let Line::Entry(entry) = &mut line {
                hosts.entry(entry.author.clone()).or_default().give(entry, &mut self.chance);
            }
            lines.push(line);
        }
        lines
    }
}

/// The numbers of one computer.
#[derive(Default)]
struct Numbers {
    next: u64,
    record: u64,
    sessions: BTreeMap<u64, u64>,
}

impl Numbers {
    fn give(&mut self, entry: &mut Entry, chance: &mut Chance) {
        entry.number = self.next;
        self.next += 1;
        self.record += chance.number() % 9 + 1;
        if let Some(source) = &mut entry.event.source {
            source.record = Some(self.record.to_string());
        }
        let session = entry.event.actor.as_mut().and_then(|actor| actor.session.as_mut());
        if let Some(session) = session {
            let n = u64::try_from(self.sessions.len()).unwrap_or_default() + 1;
            *session = *self.sessions.entry(*session).or_insert(n);
        }
    }
}

fn millis(at: Timestamp, n: i64) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(n)).unwrap_or(at)
}

/// The program that lets people in.
fn door(from: &str) -> &'static str {
    if from.starts_with("/dev/") { "/usr/libexec/gdm-session-worker" } else { "/usr/sbin/sshd" }
}
