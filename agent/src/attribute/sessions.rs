//! Sessions by number: whose, under which name, from where.

use std::collections::{BTreeMap, VecDeque};

use ntk_evidence::event::{Actor, Candidate, Confidence, Process};

use super::{Fact, FactKind, Names, from_of, process_of};
use crate::coalesce::Observation;
use crate::record::{Record, Stamp, kind, text_of};

/// Sessions that are remembered, ended ones too: what a session started may outlive it.
const SESSIONS_MAX: usize = 8192;

/// The machine and its number of the session.
type Key = (Option<Box<str>>, u32);

#[derive(Clone, Debug, Default)]
struct Session {
    /// The uid that the kernel stamps on this session's records.
    stamped_uid: u32,
    /// The person's uid; differs from the stamped one where that was forged.
    login_uid: u32,
    login_user: Option<String>,
    from: Option<String>,
    /// The process that set the login uid. Only it may name the account.
    login_pid: Option<u32>,
    opened: bool,
    closed: bool,
    /// What the last look at the machine's processes showed of it.
    standing: Standing,
    /// Accounts taken on by sudo and su, by the process that asked.
    elevations: BTreeMap<Option<u32>, String>,
    /// Names of other uids, learned from the records of this session.
    names: BTreeMap<u32, String>,
}

/// Whether a session has processes, as the machine showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Not looked yet.
    #[default]
    Unknown,
    /// It has.
    Present,
    /// It had none at the last look; at the next one it is over.
    Missed,
}

/// A session that has processes, as the machine shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its number.
    pub number: u32,
    /// The login uid of its processes.
    pub login_uid: u32,
}

/// Sessions that are named as candidates for one event.
const CANDIDATES_MAX: usize = 16;

/// Every session that the records spoke of.
#[derive(Default)]
pub(super) struct Sessions {
    by_number: BTreeMap<Key, Session>,
    order: VecDeque<Key>,
    /// Names of persons' uids, learned at their logins.
    known: BTreeMap<Key, String>,
    /// Processes whose login uid was taken away, and what they started: the person stays.
    unset: BTreeMap<Key, Actor>,
    unset_order: VecDeque<Key>,
}

impl Sessions {
    /// The person behind one record.
    pub(super) fn actor(&self, record: &Record, names: &dyn Names) -> Actor {
        let effective_uid = record.id("euid").or_else(|| record.id("uid"));
        let pid = record.id("pid");
        // Operations of io_uring bear neither login uid nor session: the process is asked, if it still lives.
        let asked = || pid.filter(|_| record.field("auid").is_none()).and_then(|pid| names.login_of(pid));
        if let Some((uid, number)) = record.id("auid").is_none().then(asked).flatten() {
            return self.asked(record, uid, number, names);
        }
        let Some(auid) = record.id("auid") else {
            let unset = pid.and_then(|pid| self.unset.get(&(record.node().map(Into::into), pid)));
            if let Some(person) = unset {
                let effective_user = effective_uid.map(|uid| name_or_number(uid, names));
                return Actor { effective_user, ..person.clone() };
            }
            let known = |uid| self.known_name(record, uid).filter(|_| names.user_name(uid).is_none());
            let effective_user =
                effective_uid.map(|uid| known(uid).unwrap_or_else(|| name_or_number(uid, names)));
            return Actor { effective_user, confidence: Some(Confidence::Unattributed), ..Actor::default() };
        };
        let number = record.id("ses");
        let session = number.and_then(|number| self.by_number.get(&(record.node().map(Into::into), number)));
        let session = session.filter(|session| session.stamped_uid == auid);
        let login_uid = session.map_or(auid, |session| session.login_uid);
        let forged = login_uid != auid;
        let in_record = || if forged { None } else { record.enriched("AUID") };
        let login_user = names
            .user_name(login_uid)
            .or_else(|| session.and_then(|session| session.login_user.clone()))
            .or_else(in_record)
            .or_else(|| self.known_name(record, login_uid))
            .or_else(|| (login_uid == 0).then(|| "root".to_owned()));
        let effective_user = match effective_uid {
            Some(uid) if uid == login_uid => login_user.clone(),
            Some(uid) => {
                let learned = || session.and_then(|session| session.names.get(&uid).cloned());
                let known = || self.known_name(record, uid);
                let name = names.user_name(uid).or_else(learned).or_else(known);
                Some(name.unwrap_or_else(|| name_or_number(uid, names)))
            }
            None => None,
        };
        Actor {
            login_uid: Some(login_uid),
            login_user,
            effective_user,
            session: number.map(u64::from),
            from: session.and_then(|session| session.from.clone()),
            claims: forged.then(|| auid.to_string()),
            confidence: Some(if forged { Confidence::Derived } else { Confidence::Kernel }),
            ..Actor::default()
        }
    }

    /// The person behind a record without a login uid, whose process was asked for it.
    fn asked(&self, record: &Record, login_uid: u32, number: u32, names: &dyn Names) -> Actor {
        let session = self.by_number.get(&(record.node().map(Into::into), number));
        let session = session.filter(|session| session.stamped_uid == login_uid);
        let person = session.map_or(login_uid, |session| session.login_uid);
        let login_user =
            names.user_name(person).or_else(|| session.and_then(|session| session.login_user.clone()));
        let effective_uid = record.id("euid").or_else(|| record.id("uid"));
        Actor {
            login_uid: Some(person),
            effective_user: match effective_uid {
                Some(uid) if uid == person => login_user.clone(),
                uid => uid.map(|uid| name_or_number(uid, names)),
            },
            login_user,
            session: Some(u64::from(number)),
            from: session.and_then(|session| session.from.clone()),
            claims: (person != login_uid).then(|| login_uid.to_string()),
            confidence: Some(Confidence::Derived),
            ..Actor::default()
        }
    }

    /// What a process without a login uid started belongs to whom it was taken from.
    pub(super) fn inherits(&mut self, record: &Record, names: &dyn Names) {
        if self.unset.is_empty() || record.id("auid").is_some() {
            return;
        }
        let key = |pid| (record.node().map(Into::into), pid);
        let (Some(pid), Some(parent)) = (record.id("pid"), record.id("ppid")) else { return };
        if self.unset.contains_key(&key(pid)) {
            return;
        }
        let further = || names.parents_of(parent);
        let person = self.unset.get(&key(parent)).cloned();
        let person =
            person.or_else(|| further().into_iter().find_map(|parent| self.unset.get(&key(parent)).cloned()));
        if let Some(person) = person {
            self.put_unset(key(pid), person);
        }
    }

    fn put_unset(&mut self, key: Key, person: Actor) {
        if self.unset.insert(key.clone(), person).is_none() {
            self.unset_order.push_back(key);
        }
        if self.unset_order.len() > SESSIONS_MAX
            && let Some(oldest) = self.unset_order.pop_front()
        {
            self.unset.remove(&oldest);
        }
    }

    /// LOGIN: a process got a login uid. A fact only where it had one already.
    pub(super) fn login(
        &mut self,
        record: &Record,
        observation: &Observation,
        names: &dyn Names,
    ) -> Option<Fact> {
        let refused = record.number("res") == Some(0);
        let (new_uid, new_number) = (record.id("auid"), record.id("ses"));
        let old_uid = record.id("old-auid").filter(|old| Some(*old) != new_uid);
        let fact = old_uid.map(|old_uid| {
            let kind = if refused { FactKind::LoginUidChangeRefused } else { FactKind::LoginUidChanged };
            let mut actor = self.owner_before(record, old_uid, names);
            actor.claims = Some(new_uid.map_or_else(|| "unset".to_owned(), |uid| uid.to_string()));
            Fact {
                stamp: record.stamp(),
                last: None,
                count: None,
                kind,
                actor,
                process: process_with(observation),
            }
        });
        if refused {
            return fact;
        }
        if let (None, Some(fact), Some(pid)) = (new_uid, &fact, record.id("pid")) {
            let person = Actor { confidence: Some(Confidence::Derived), ..fact.actor.clone() };
            self.put_unset((record.node().map(Into::into), pid), person);
        } else if let Some(pid) = record.id("pid") {
            // The number of a process that ended may come again with a login of its own.
            self.unset.remove(&(record.node().map(Into::into), pid));
        }
        if let (Some(new_uid), Some(number)) = (new_uid, new_number) {
            let mut session = Session {
                stamped_uid: new_uid,
                login_uid: new_uid,
                login_pid: record.id("pid"),
                login_user: record.enriched("AUID"),
                ..Session::default()
            };
            if let Some(fact) = &fact {
                // The new session still belongs to the old person.
                session.login_uid = fact.actor.login_uid.unwrap_or(new_uid);
                session.login_user = fact.actor.login_user.clone();
                session.from = fact.actor.from.clone();
                session.opened = true;
            }
            self.put((record.node().map(Into::into), number), session);
        }
        fact
    }

    /// USER_START or USER_LOGIN of a login program: the session has begun, once.
    pub(super) fn opened(&mut self, record: &Record, names: &dyn Names) -> Option<Fact> {
        let session = self.of_message(record)?;
        let by_login_process = session.login_pid.is_none_or(|pid| record.id("pid") == Some(pid));
        if session.login_uid != session.stamped_uid || !by_login_process {
            return None;
        }
        if session.from.is_none() {
            session.from = from_of(record);
        }
        if session.login_user.is_none() {
            session.login_user = record.claim_text("acct");
        }
        if session.opened {
            return None;
        }
        session.opened = true;
        session.login_pid = session.login_pid.or(record.id("pid"));
        let (uid, name) = (session.login_uid, session.login_user.clone());
        if let Some(name) = name.filter(|_| self.known.len() < SESSIONS_MAX) {
            self.known.insert((record.node().map(Into::into), uid), name);
        }
        Some(self.fact(record, FactKind::LoggedIn, names))
    }

    /// USER_END of a login program: the session has ended.
    pub(super) fn closed(&mut self, record: &Record, names: &dyn Names) -> Option<Fact> {
        let session = self.of_message(record)?;
        let by_login_process = session.login_pid.is_none_or(|pid| record.id("pid") == Some(pid));
        if session.closed || !by_login_process {
            return None;
        }
        session.closed = true;
        // A recording may begin in the middle of a session: then its end is what names it.
        session.from = session.from.take().or_else(|| from_of(record));
        session.login_user = session.login_user.take().or_else(|| record.claim_text("acct"));
        Some(self.fact(record, FactKind::LoggedOut, names))
    }

    /// USER_START of sudo or su within a session.
    pub(super) fn elevated(&mut self, record: &Record) {
        if let (Some(session), Some(account)) = (self.of_message(record), record.claim_text("acct")) {
            session.elevations.insert(record.id("pid"), account);
        }
    }

    /// USER_END of sudo or su.
    pub(super) fn elevation_ended(&mut self, record: &Record) {
        if let Some(session) = self.of_message(record) {
            session.elevations.remove(&record.id("pid"));
        }
    }

    /// Learns what a uid is called: a process that is wholly another uid than root and the person, and whose
    /// parent is the very su or sudo that named an account, is that account.
    pub(super) fn learn_names(&mut self, record: &Record) {
        let uid = record.id("uid").filter(|uid| *uid != 0 && record.id("euid") == Some(*uid));
        let key = record.id("ses").map(|number| (record.node().map(Into::into), number));
        let Some((uid, session)) = uid.zip(key.and_then(|key| self.by_number.get_mut(&key))) else { return };
        let account = session.elevations.get(&record.id("ppid")).cloned();
        if let Some(account) = account.filter(|_| uid != session.login_uid) {
            session.names.insert(uid, account);
        }
    }

    /// The sessions of a machine that are open, the last that began first.
    pub(super) fn candidates(&self, node: Option<&str>, names: &dyn Names) -> Vec<Candidate> {
        let is_open =
            |session: &Session| (session.opened && !session.closed) || session.standing == Standing::Present;
        let of_node = self.by_number.iter().rev().filter(|((of, _), _)| of.as_deref() == node);
        let open = of_node.filter(|(_, session)| is_open(session)).take(CANDIDATES_MAX);
        let candidate = |((_, number), session): (&Key, &Session)| Candidate {
            login_uid: Some(session.login_uid),
            login_user: session.login_user.clone().or_else(|| names.user_name(session.login_uid)),
            session: Some((*number).into()),
            from: session.from.clone(),
            ..Candidate::default()
        };
        open.map(candidate).collect()
    }

    /// Takes in which sessions of this machine have processes. One that opened, and had none at two looks in a
    /// row, has ended without saying so: those are given.
    pub(super) fn present(&mut self, present: &[Present], stamp: Stamp, names: &dyn Names) -> Vec<Fact> {
        let mut ended = Vec::new();
        for (key, session) in self.by_number.iter_mut().filter(|((node, _), _)| node.is_none()) {
            let is_there = |one: &Present| one.number == key.1 && one.login_uid == session.stamped_uid;
            session.standing = match session.standing {
                _ if present.iter().any(is_there) => Standing::Present,
                Standing::Missed if session.opened && !session.closed => {
                    session.closed = true;
                    ended.push(logout_without_word(key.1, session, stamp, names));
                    Standing::Missed
                }
                _ => Standing::Missed,
            };
        }
        for one in present {
            let key: Key = (None, one.number);
            if !self.by_number.contains_key(&key) {
                // It began before the agent did.
                let uid = one.login_uid;
                let standing = Standing::Present;
                self.put(key, Session { stamped_uid: uid, login_uid: uid, standing, ..Session::default() });
            }
        }
        ended
    }

    fn known_name(&self, record: &Record, uid: u32) -> Option<String> {
        self.known.get(&(record.node().map(Into::into), uid)).cloned()
    }

    fn of_message(&mut self, record: &Record) -> Option<&mut Session> {
        let (uid, number) = (record.id("auid")?, record.id("ses")?);
        let key: Key = (record.node().map(Into::into), number);
        if self.by_number.get(&key).is_none_or(|session| session.stamped_uid != uid) {
            let session = Session { stamped_uid: uid, login_uid: uid, ..Session::default() };
            self.put(key.clone(), session);
        }
        self.by_number.get_mut(&key)
    }

    fn put(&mut self, key: Key, session: Session) {
        if self.by_number.insert(key.clone(), session).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > SESSIONS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_number.remove(&oldest);
        }
    }

    fn fact(&self, record: &Record, kind: FactKind, names: &dyn Names) -> Fact {
        let actor = Actor { effective_user: None, ..self.actor(record, names) };
        Fact { stamp: record.stamp(), last: None, count: None, kind, actor, process: process_of(record) }
    }

    /// The person as whom the process acted before its login uid was overwritten.
    fn owner_before(&self, record: &Record, old_uid: u32, names: &dyn Names) -> Actor {
        let number = record.id("old-ses");
        let session = number.and_then(|number| self.by_number.get(&(record.node().map(Into::into), number)));
        let session = session.filter(|session| session.stamped_uid == old_uid);
        let login_uid = session.map_or(old_uid, |session| session.login_uid);
        let known = session.and_then(|session| session.login_user.clone());
        Actor {
            login_uid: Some(login_uid),
            login_user: names.user_name(login_uid).or(known),
            effective_user: record.id("uid").map(|uid| name_or_number(uid, names)),
            session: number.map(u64::from),
            from: session.and_then(|session| session.from.clone()),
            confidence: Some(if login_uid == old_uid { Confidence::Kernel } else { Confidence::Derived }),
            ..Actor::default()
        }
    }
}

/// The end of a session that no login program told: its processes are gone.
fn logout_without_word(number: u32, session: &Session, stamp: Stamp, names: &dyn Names) -> Fact {
    let actor = Actor {
        login_uid: Some(session.login_uid),
        login_user: session.login_user.clone().or_else(|| names.user_name(session.login_uid)),
        session: Some(number.into()),
        from: session.from.clone(),
        confidence: Some(Confidence::Derived),
        ..Actor::default()
    };
    let kind = FactKind::LoggedOut;
    Fact { stamp, last: None, count: None, kind, actor, process: Process::default() }
}

/// An account's name; where nobody says it, its number is right and a guess would not be.
fn name_or_number(uid: u32, names: &dyn Names) -> String {
    let root = || (uid == 0).then(|| "root".to_owned());
    names.user_name(uid).or_else(root).unwrap_or_else(|| uid.to_string())
}

fn process_with(observation: &Observation) -> Process {
    let call = observation.first(kind::SYSCALL);
    Process {
        pid: observation.records.iter().find_map(|record| record.id("pid")),
        exe: call.and_then(|call| call.text("exe")),
        command: command_of(observation),
        ..Process::default()
    }
}

/// The command line of an observation, its words joined by spaces.
///
/// The kernel keeps the command line of a process's first record, also through an exec: one whose program is
/// not the record's own is an earlier program's, and is left out.
pub(crate) fn command_of(observation: &Observation) -> Option<String> {
    let mut bytes = observation.first(kind::PROCTITLE)?.field("proctitle")?.decoded()?;
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    if let Some(call) = observation.first(kind::SYSCALL) {
        let program = bytes.split(|byte| matches!(byte, 0 | b':' | b' ')).next().unwrap_or_default();
        let program = text_of(program.strip_prefix(b"-").unwrap_or(program));
        let program = program.rsplit('/').next().unwrap_or_default();
        let exe = call.spelled("exe").unwrap_or_default();
        let exe = exe.rsplit('/').next().unwrap_or_default();
        let comm = call.spelled("comm").unwrap_or_default();
        // `comm` is cut to 15 bytes; `python3` is the program `python3.11`.
        let is_own = (!comm.is_empty() && program.starts_with(&*comm)) || exe.starts_with(program);
        if !is_own {
            return None;
        }
    }
    for byte in &mut bytes {
        if *byte == 0 {
            *byte = b' ';
        }
    }
    Some(text_of(&bytes)).filter(|text| !text.is_empty())
}
