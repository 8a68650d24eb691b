//! Whose act an observation is: follows sessions from login to logout, through sudo and su.
//!
//! The kernel stamps the login uid and the session on every record; both survive sudo, su and sh. That stamp
//! names the person. Records of logins add what the number is called and where the session came from. Where
//! there is no login uid there is no person: `unattributed`, never a guess.
//!
//! A login uid that was overwritten (a LOGIN record whose old uid is set) changes nothing about the person:
//! the new session belongs to whom the old one belonged, and the new uid is only what is *claimed*.
//!
//! No I/O: names come from the records, or live from a [`Names`] that is passed in.

mod attempts;
mod elevations;
mod sessions;

use std::time::Duration;

use ntk_evidence::event::{Actor, Candidate, Confidence, Process};

use crate::coalesce::Observation;
use crate::record::{Record, Stamp, kind};

use attempts::Attempts;
use elevations::Elevations;
pub use sessions::Present;
use sessions::Sessions;
pub(crate) use sessions::command_of;

/// Looks up what a uid is called. Live sensors pass the machine's accounts; a replay passes [`NoNames`].
pub trait Names: Send {
    /// The account's name.
    fn user_name(&self, uid: u32) -> Option<String>;

    /// Login uid and session of a running process, for records that do not bear them; none in a replay.
    fn login_of(&self, _pid: u32) -> Option<(u32, u32)> {
        None
    }

    /// Numbers of a running process's parents, nearest first; none in a replay.
    fn parents_of(&self, _pid: u32) -> Vec<u32> {
        Vec::new()
    }
}

/// Knows no names: what a recording does not say stays unsaid.
#[derive(Clone, Copy, Debug)]
pub struct NoNames;

impl Names for NoNames {
    fn user_name(&self, _uid: u32) -> Option<String> {
        None
    }
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// When, and in which record.
    pub stamp: Stamp,
    /// When it last happened, for what stands for several tries.
    pub last: Option<Stamp>,
    /// How many tries it stands for.
    pub count: Option<u64>,
    /// What it is.
    pub kind: FactKind,
    /// Whose act.
    pub actor: Actor,
    /// By which program.
    pub process: Process,
}

/// The things that happen to sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactKind {
    /// A session began.
    LoggedIn,
    /// A login was refused.
    LoginRefused,
    /// A session ended.
    LoggedOut,
    /// Another account's rights were taken on.
    Elevated,
    /// Another account's rights were refused.
    ElevationRefused,
    /// A login uid that was set was overwritten.
    LoginUidChanged,
    /// Overwriting a login uid was refused.
    LoginUidChangeRefused,
}

/// An observation's person, and what it did to sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributed {
    /// Whose act the observation is.
    pub actor: Actor,
    /// What happened to sessions, in order.
    pub facts: Vec<Fact>,
}

/// Follows the sessions of a machine, or of the machines of one recording.
pub struct Attribution {
    sessions: Sessions,
    attempts: Attempts,
    elevations: Elevations,
    names: Box<dyn Names>,
}

impl Attribution {
    /// Knows no session yet.
    pub fn new(names: Box<dyn Names>) -> Self {
        Self {
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            elevations: Elevations::default(),
            names,
        }
    }

    /// Names the person behind an observation, and learns from it.
    pub fn observe(&mut self, observation: &Observation, now: Duration) -> Attributed {
        let mut facts = self.expire(now);
        for record in &observation.records {
            self.learn(record, observation, now, &mut facts);
        }
        Attributed { actor: self.actor_of(observation), facts }
    }

    /// Facts that were held back for more records, and waited long enough.
    pub fn expire(&mut self, now: Duration) -> Vec<Fact> {
        let mut facts = self.attempts.expire(now);
        facts.extend(self.elevations.expire(now));
        facts
    }

    /// Facts that are still held back, at the end.
    pub fn flush(&mut self) -> Vec<Fact> {
        let mut facts = self.attempts.flush();
        facts.extend(self.elevations.flush());
        facts.sort_by_key(|fact| fact.stamp);
        facts
    }

    /// The sessions of a machine that are open: who could have been, where nobody can be named.
    pub fn candidates(&self, node: Option<&str>) -> Vec<Candidate> {
        self.sessions.candidates(node, self.names.as_ref())
    }

    /// Takes in which sessions of this machine have processes; gives the ends that nobody told.
    pub fn present(&mut self, present: &[Present], stamp: Stamp) -> Vec<Fact> {
        self.sessions.present(present, stamp, self.names.as_ref())
    }

    fn actor_of(&self, observation: &Observation) -> Actor {
        // SYSCALL is what the kernel says of the caller itself; LOGIN already bears the new uid.
        let record = observation
            .first(kind::SYSCALL)
            .or_else(|| observation.records.iter().find(|record| record.field("auid").is_some()));
        let record = record.or_else(|| observation.records.first());
        record.map_or_else(Actor::default, |record| self.sessions.actor(record, self.names.as_ref()))
    }

    fn learn(&mut self, record: &Record, observation: &Observation, now: Duration, facts: &mut Vec<Fact>) {
        let succeeded = record.claim("res").is_some_and(|word| word.word() == b"success");
        let names = self.names.as_ref();
        match record.kind() {
            kind::SYSCALL => {
                self.sessions.inherits(record, names);
                self.sessions.learn_names(record);
            }
            kind::LOGIN => facts.extend(self.sessions.login(record, observation, names)),
            kind::USER_START if succeeded && is_elevation(record) => {
                let actor = self.sessions.actor(record, names);
                facts.extend(self.elevations.took_effect(record, actor, now));
                self.sessions.elevated(record);
            }
            kind::USER_START | kind::USER_LOGIN if succeeded && !is_elevation(record) => {
                facts.extend(self.sessions.opened(record, names));
            }
            kind::USER_END if is_elevation(record) => {
                self.elevations.ended(record);
                self.sessions.elevation_ended(record);
            }
            kind::USER_END if succeeded => facts.extend(self.sessions.closed(record, names)),
            kind::CRED_REFR | kind::CRED_ACQ if succeeded && is_elevation(record) => {
                facts.extend(self.elevations.credentials(record));
            }
            kind::USER_CMD => {
                let actor = self.sessions.actor(record, names);
                facts.extend(self.elevations.command(record, actor, succeeded, now));
            }
            kind::USER_AUTH | kind::USER_ACCT | kind::USER_LOGIN | kind::USER_ERR if !succeeded => {
                let actor = self.sessions.actor(record, names);
                if is_elevation(record) {
                    facts.extend(self.elevations.refused(record, actor, now));
                } else if record.id("auid").is_none() {
                    facts.extend(self.attempts.refused(record, now));
                }
            }
            _ => {}
        }
    }
}

/// Whether a program's message is about taking on another account's rights within a session.
fn is_elevation(record: &Record) -> bool {
    matches!(
        program(record).as_str(),
        "sudo"
            | "su"
            | "sudo-rs"
            | "su-rs"
            | "pkexec"
            | "polkit-agent-helper-1"
            | "doas"
            | "runuser"
            | "run0"
    )
}

/// File name of the program that sent a message.
fn program(record: &Record) -> String {
    let exe = record.claim_text("exe").unwrap_or_default();
    exe.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The process of a message: the pid is the kernel's, the program the sender's.
fn process_of(record: &Record) -> Process {
    Process { pid: record.id("pid"), exe: record.claim_text("exe"), ..Process::default() }
}

/// Where a login came from, as the login program says: an address, a host name, or a terminal; `cron` says its own name
/// there. `atd` and a person's service manager say nothing, and are no doors that anybody comes through.
fn from_of(record: &Record) -> Option<String> {
    let said = ["addr", "hostname", "terminal"].into_iter().find_map(|name| record.claim_text(name));
    let silent = || match program(record).as_str() {
        "systemd" | "systemd-executor" => Some("systemd-user".to_owned()),
        "atd" => Some("atd".to_owned()),
        _ => None,
    };
    said.or_else(silent)
}

/// An actor of whom only a claim is known.
fn claimed(claims: Option<String>, from: Option<String>) -> Actor {
    Actor { claims, from, confidence: Some(Confidence::Unattributed), ..Actor::default() }
}

#[cfg(test)]
mod tests;
