//! The stage: the cast, the calendar and the tape, with what every scene needs.

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::event::{Action, Class};
use serde_json::{Value, json};

use super::calendar::{Calendar, seconds};
use super::cast::{Cast, EHR, MAIL, Person, Role};
use super::chance::Chance;
use super::scenario::{CONTEXT, Label, text};
use super::tape::{Seat, Tape, Touch};

/// Everything a scene plays with.
pub struct Stage {
    /// Who and where.
    pub cast: Cast,
    /// When.
    pub calendar: Calendar,
    /// What is recorded.
    pub tape: Tape,
    /// What is left to chance.
    pub chance: Chance,
    /// Spans in which somebody does nothing of their own, because a scene speaks for them.
    pub quiet: Vec<(String, Timestamp, Timestamp)>,
    n_incidents: u32,
    n_innocent: u32,
    n_break_glass: u32,
}

/// The labels of one case.
#[derive(Clone, Debug)]
pub struct Case {
    /// For the entries that matter.
    pub key: String,
    /// For those around them.
    pub context: String,
}

/// What a ticket asks for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// `ticket`, `maintenance` or `on_call`.
    pub kind: &'a str,
    /// Who is to be let in.
    pub assignee: &'a str,
    /// The class of asset.
    pub class: &'a str,
    /// `"everything"`, `{"owner": ..}` or `{"host": ..}`.
    pub scope: Value,
    /// First moment.
    pub from: Timestamp,
    /// Last moment.
    pub to: Timestamp,
    /// Why.
    pub reason: &'a str,
}

impl Stage {
    /// An empty one.
    pub fn new(cast: Cast, calendar: Calendar, tape: Tape, chance: Chance) -> Self {
        Self {
            cast,
            calendar,
            tape,
            chance,
            quiet: Vec::new(),
            n_incidents: 0,
            n_innocent: 0,
            n_break_glass: 0,
        }
    }

    /// Declares an incident.
    pub fn incident(&mut self, kind: &str, about: &str) -> Case {
        self.n_incidents += 1;
        self.case(format!("I-{:03}", self.n_incidents), kind, about, true)
    }

    /// Declares an innocent look-alike.
    pub fn innocent(&mut self, kind: &str, about: &str) -> Case {
        self.n_innocent += 1;
        self.case(format!("N-{:03}", self.n_innocent), kind, about, false)
    }

    fn case(&mut self, id: String, kind: &str, about: &str, incident: bool) -> Case {
        let label = |id: String, key: bool| Label {
            id,
            kind: kind.to_owned(),
            incident,
            about: about.to_owned(),
            key,
        };
        let case = Case { context: format!("{id}{CONTEXT}"), key: id };
        self.tape.label(label(case.key.clone(), true));
        self.tape.label(label(case.context.clone(), false));
        case
    }

    /// A moment of a day.
    pub fn at(&mut self, date: Date, minute: i64) -> Timestamp {
        let within = self.chance.between(0, 59);
        seconds(self.calendar.at(date, minute), within)
    }

    /// A moment between two minutes of a day.
    pub fn between(&mut self, date: Date, least: i64, most: i64) -> Timestamp {
        let minute = self.chance.between(least, most);
        self.at(date, minute)
    }

    /// Somebody with one of these roles who is at work that day and is none of those.
    pub fn one(&mut self, roles: &[Role], date: Date, but: &[&str]) -> Option<Person> {
        let mut found: Vec<Person> = roles.iter().flat_map(|role| self.cast.with(*role, date)).collect();
        found.retain(|person| !but.contains(&person.id.as_str()));
        self.chance.pick(&found).cloned()
    }

    /// Whoever looks after the computers that day: somebody of the house, or the firm.
    pub fn admin(&mut self, date: Date) -> Option<Person> {
        let house = self.one(&[Role::It], date, &[]);
        if house.is_none() || self.chance.happens(250) {
            return self.cast.person("northwind").cloned();
        }
        house
    }

    /// The manager.
    pub fn manager(&self) -> Option<Person> {
        self.cast.people.iter().find(|person| person.role == Role::Manager).cloned()
    }

    /// The physician who looks over the manager's shoulder.
    pub fn reviewer(&self) -> Option<Person> {
        self.cast.people.iter().find(|person| person.is_reviewer).cloned()
    }

    /// Somebody who may leave on that day: nobody's case needs them afterwards.
    pub fn leaver(&mut self, roles: &[Role], notice: Date) -> Option<Person> {
        let free = |person: &&Person| {
            roles.contains(&person.role)
                && !person.is_firm
                && !person.is_reviewer
                && person.begins.is_none()
                && person.leaves.is_none()
                && person.is_at_work(notice)
                && person.needed_until.is_none_or(|until| until < notice)
                && self.cast.people.iter().filter(|other| other.role == person.role && !other.is_firm).count()
                    > 1
        };
        let found: Vec<Person> = self.cast.people.iter().filter(free).cloned().collect();
        self.chance.pick(&found).cloned()
    }

    /// A case needs this person until then.
    pub fn need(&mut self, id: &str, until: Date) {
        if let Some(person) = self.cast.person_mut(id) {
            person.needed_until = person.needed_until.max(Some(until));
        }
    }

    /// Asks for a ticket and has it approved by these people at these moments.
    pub fn ticket(&mut self, wanted: &Wanted<'_>, requested: Timestamp, by: &[(&str, Timestamp)]) -> String {
        let id = self.tape.next_ticket();
        let ticket = json!({
            "id": id, "kind": wanted.kind, "assignee": wanted.assignee, "class": wanted.class,
            "scope": wanted.scope, "from": text(wanted.from), "to": text(wanted.to),
            "reason": wanted.reason, "requested_by": wanted.assignee,
            "via": self.chance.word(&["command line", "rest"]),
        });
        self.tape.act(requested, "act_ticket", json!({"step": "requested", "ticket": ticket}));
        let echo = format!(
            "From {} until {} {} may open what is of the class {}.",
            text(wanted.from),
            text(wanted.to),
            wanted.assignee,
            wanted.class
        );
        for (who, at) in by {
            let body = json!({"step": "approved", "id": id, "by": who, "proof": "passphrase", "echo": echo});
            self.tape.act(*at, "act_ticket", body);
        }
        id
    }

    /// A ticket as it should be: asked for and approved in time, by two people where it is about mail.
    pub fn proper_ticket(&mut self, wanted: &Wanted<'_>) -> Option<String> {
        let manager = self.manager()?.id;
        let reviewer = self.reviewer()?.id;
        let ahead = self.chance.between(60, 200);
        let requested = seconds(wanted.from, -60 * ahead);
        let first = seconds(wanted.from, -60 * (ahead - 20));
        let second = seconds(wanted.from, -60 * (ahead - 45));
        let both = [(manager.as_str(), first), (reviewer.as_str(), second)];
        let by = if wanted.class == "mailbox" { both.as_slice() } else { both.get(..1)? };
        Some(self.ticket(wanted, requested, by))
    }

    /// Somebody goes in without a ticket, with a typed reason.
    pub fn break_glass(&mut self, person: &str, reason: &str, from: Timestamp, hours: i64) -> String {
        self.n_break_glass += 1;
        let id = format!("B-{}", self.n_break_glass);
        let body = json!({
            "step": "opened", "id": id, "person": person, "reason": reason,
            "from": text(from), "to": text(seconds(from, hours * 3600)),
        });
        self.tape.act(from, "act_break_glass", body);
        id
    }

    /// An administrator's session on a computer, from their own one or from outside.
    pub fn admin_session(&mut self, at: Timestamp, host: &str, admin: &Person, from_home: bool) -> Seat {
        let from =
            if from_home || admin.is_firm { admin.remote_address() } else { self.cast.address(&admin.host) };
        self.tape.login(at, host, (&admin.user, admin.uid), &from, admin.key.as_deref())
    }

    /// The same with root's rights.
    pub fn root_session(
        &mut self,
        at: Timestamp,
        host: &str,
        admin: &Person,
        from_home: bool,
    ) -> (Seat, Seat) {
        let seat = self.admin_session(at, host, admin, from_home);
        let root = self.tape.elevate(seconds(at, 40), &seat, "root", "/usr/bin/sudo", Some("bash"));
        (seat, root)
    }

    /// Reads so many messages of somebody's mailbox; gives the moment after the last.
    pub fn read_mail(&mut self, at: Timestamp, seat: &Seat, of: &str, n: i64, exe: &str) -> Timestamp {
        let mut at = at;
        for _ in 0..n {
            let path = self.message(of);
            let touch = Touch::new(Action::Read, Class::Mailbox, path, exe).of(of).from("/usr/bin/bash");
            self.tape.touch(at, seat, touch);
            at = seconds(at, self.chance.between(2, 25));
        }
        at
    }

    /// Reads so many exports; gives the moment after the last.
    pub fn read_exports(&mut self, at: Timestamp, seat: &Seat, n: i64, exe: &str, parent: &str) -> Timestamp {
        let mut at = at;
        for _ in 0..n {
            let path = self.export(&seat.host);
            self.tape.touch(at, seat, Touch::new(Action::Read, Class::Export, path, exe).from(parent));
            at = seconds(at, self.chance.between(2, 25));
        }
        at
    }

    /// Some system files, read and written as administrators do.
    pub fn system_work(&mut self, at: Timestamp, root: &Seat, n: i64) -> Timestamp {
        let mut at = at;
        for _ in 0..n {
            let file =
                self.chance.word(&["/etc/fstab", "/etc/passwd", "/etc/ssh/sshd_config", "/etc/cron.d/local"]);
            let (action, exe) = match self.chance.between(0, 2) {
                0 => (Action::Write, "/usr/bin/vim.basic"),
                _ => (Action::Read, "/usr/bin/cat"),
            };
            self.tape.touch(at, root, Touch::new(action, Class::System, file, exe).from("/usr/bin/bash"));
            at = seconds(at, self.chance.between(30, 240));
        }
        at
    }

    /// A message in somebody's mailbox.
    pub fn message(&mut self, of: &str) -> String {
        let n = self.chance.between(1_767_000_000, 1_799_000_000);
        let m = self.chance.between(100, 999);
        format!("/srv/mail/{of}/cur/{n}.M{m}.{MAIL}:2,S")
    }

    /// An export, as that computer sees it.
    pub fn export(&mut self, host: &str) -> String {
        let n = self.chance.between(1, 9000);
        let kind = self.chance.word(&["claims", "labs", "visits", "referral", "summary"]);
        format!("{}/exports/{kind}-{n:05}.csv", practice(host))
    }

    /// A patient's chart, as that computer sees it.
    pub fn chart(&mut self, host: &str) -> String {
        let n = self.chance.between(1, 9000);
        format!("{}/charts/{n:05}.xml", practice(host))
    }
}

/// Where the practice's files lie: on the server, or as the workstations mount them.
pub fn practice(host: &str) -> &'static str {
    if host == EHR { "/srv/practice/ehr" } else { "/mnt/practice/ehr" }
}
