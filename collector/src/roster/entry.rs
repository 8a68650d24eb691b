//! What a roster holds: people, accounts, keys, jobs, covers, leave, notices, known computers.

use std::net::IpAddr;

use jiff::civil::Date;
use ntk_evidence::event::{Actor, Class};
use serde::{Deserialize, Serialize};

use crate::policy::hours::Span;

/// One person, or an organisation whose technicians change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Short name that never changes, such as `mary`.
    pub id: String,
    /// Name as people say it.
    pub name: String,
    /// Rows of the table that apply.
    pub roles: Vec<String>,
    /// Firm the person works for, where it is not the practice; an organisation's own name.
    pub organisation: Option<String>,
    /// Address for questions.
    pub email: Option<String>,
    /// First day; of an organisation, the first day of its contract.
    pub employed_from: Option<Date>,
    /// First day on which nothing of this person's is used any more: see [`super::Roster::leave_of`].
    pub leave_date: Option<Date>,
    /// Last day of the contract.
    pub contract_until: Option<Date>,
    /// Day since which it is known that the person leaves.
    pub notice_given: Option<Date>,
    /// A firm whose technicians change.
    pub is_organisation: bool,
    /// Programs through which an organisation's technicians drive other computers.
    pub remote_tools: Vec<String>,
    /// What stands in the person's own block, before later blocks and contracts were considered.
    pub(super) written: Written,
}

/// Fields of a person's own block that other blocks can overrule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) organisation: Option<String>,
    pub(super) leave_date: Option<Date>,
    pub(super) notice_given: Option<Date>,
}

/// Who holds an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// One person or organisation (id).
    Person(String),
    /// Several people log in with it: a record names none of them.
    Shared(Vec<String>),
}

/// One account and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who holds it.
    pub holder: Holder,
    /// Machine on which the account exists; absent for accounts that are the same everywhere.
    pub host: Option<String>,
    /// Linux uid on that machine.
    pub uid: Option<u32>,
    /// User name.
    pub user: Option<String>,
    /// Windows security identifier.
    pub sid: Option<String>,
    /// Microsoft 365 user principal name.
    pub upn: Option<String>,
    /// Account in the health-record system.
    pub ehr_user: Option<String>,
    /// Who else knows its password (ids).
    pub known_to: Vec<String>,
    /// Day on which a person confirmed whose it is.
    pub confirmed_on: Option<Date>,
}

/// One SSH key and its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Id of the holder.
    pub person: String,
    /// `SHA256:...` as sshd writes it.
    pub fingerprint: String,
}

/// One person does another one's work for some days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Id of the person who covers.
    pub person: String,
    /// Id of the person who is away.
    pub covers: String,
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Whether the covering person also reads the other one's mailbox.
    pub mailbox: bool,
}

/// A leave date that was set after the person's own block, or taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Id of the person.
    pub person: String,
    /// First day on which nothing of theirs is used any more; absent where earlier blocks are withdrawn.
    pub on: Option<Date>,
    /// Day since which it is known.
    pub notice_given: Option<Date>,
}

/// A program that works by itself: one program, one account, one machine, its hours, what it may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Short name.
    pub id: String,
    /// What it does, as people say it.
    pub name: String,
    /// Full path of the program.
    pub program: String,
    /// Machine it runs on.
    pub host: String,
    /// Linux uid it runs as; `4294967295` stands for a service outside any login.
    pub uid: Option<u32>,
    /// User name it runs as.
    pub user: Option<String>,
    /// Hours of the day in which it works; empty means any hour.
    pub hours: Vec<Span>,
    /// Classes of asset it may touch.
    pub classes: Vec<Class>,
    /// SHA-256 of the program's file, 64 lower-case hex digits.
    pub sha256: Option<String>,
    /// Who signed the program.
    pub signer: Option<String>,
    /// The program that starts it: a full path or a file name.
    pub parent: Option<String>,
    /// Last day on which it counts.
    pub until: Option<Date>,
    /// Id of the person who confirmed it.
    pub confirmed_by: Option<String>,
    /// Day of that.
    pub confirmed_on: Option<Date>,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// That access is recorded.
    Monitoring,
    /// What follows from breaking the rules.
    Sanctions,
}

/// One version of a notice or policy that people are told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Short name; its versions share it.
    pub id: String,
    /// Title as people know it.
    pub title: String,
    /// Version.
    pub version: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// First day on which this version holds.
    pub in_force_from: Date,
}

/// One person has read one version of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Id of the person.
    pub person: String,
    /// Id of the notice.
    pub notice: String,
    /// Its version.
    pub version: String,
    /// Day.
    pub on: Date,
}

/// A computer that the practice knows, with or without an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Person {
    /// Whether this row of the table applies to the person.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|have| have == role)
    }

    /// Whether the person works for this firm.
    pub fn works_for(&self, firm: &Self) -> bool {
        let own = self.organisation.as_deref();
        own.is_some_and(|own| own == firm.id || own.eq_ignore_ascii_case(&firm.name))
    }

    /// The holder in words: the name, and the firm where it is another word.
    pub fn in_words(&self) -> String {
        match &self.organisation {
            Some(firm) if *firm != self.name => format!("{}, {firm}", self.name),
            Some(_) | None => self.name.clone(),
        }
    }
}

impl Holder {
    /// The ids: one, or those who share.
    pub fn ids(&self) -> &[String] {
        match self {
            Self::Person(id) => std::slice::from_ref(id),
            Self::Shared(ids) => ids,
        }
    }

    /// The one holder, where there is one.
    pub fn person(&self) -> Option<&str> {
        match self {
            Self::Person(id) => Some(id),
            Self::Shared(_) => None,
        }
    }
}

impl Account {
    /// Whether several people use it.
    pub const fn is_shared(&self) -> bool {
        matches!(self.holder, Holder::Shared(_))
    }

    /// Whether a record on a host names this account. A uid decides over a name: the kernel stamped it.
    pub fn is_named_by(&self, host: &str, actor: &Actor) -> bool {
        if self.host.as_deref().is_some_and(|own| own != host) {
            return false;
        }
        let same_text = |own: &Option<String>, theirs: &Option<String>| match (own, theirs) {
            (Some(own), Some(theirs)) => own.eq_ignore_ascii_case(theirs),
            _ => false,
        };
        if same_text(&self.sid, &actor.sid)
            || same_text(&self.upn, &actor.upn)
            || same_text(&self.ehr_user, &actor.ehr_user)
        {
            return true;
        }
        match (self.uid, actor.login_uid) {
            (Some(own), Some(theirs)) => own == theirs,
            _ => self.user.is_some() && self.user == actor.login_user,
        }
    }

    /// Whether a typed name means this account.
    pub fn has_name(&self, host: &str, name: &str) -> bool {
        if self.host.as_deref().is_some_and(|own| own != host) {
            return false;
        }
        self.user.as_deref() == Some(name)
            || [&self.upn, &self.ehr_user, &self.sid]
                .into_iter()
                .any(|own| own.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// The account in words: `itadmin1 (uid 1001) on ws-01`.
    pub fn in_words(&self) -> String {
        let local = match (&self.user, self.uid) {
            (Some(user), Some(uid)) => Some(format!("{user} (uid {uid})")),
            (Some(user), None) => Some(user.clone()),
            (None, Some(uid)) => Some(format!("uid {uid}")),
            (None, None) => None,
        };
        let local = local.map(|text| match &self.host {
            Some(host) => format!("{text} on {host}"),
            None => text,
        });
        let others = [&self.upn, &self.ehr_user, &self.sid].into_iter().flatten().cloned();
        local.into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }
}
