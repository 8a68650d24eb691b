//! Logins, their ends, and rights that are taken on (4624, 4625, 4634, 4647, 4648, 4672, 4771, 4776, 4778, 4779).

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome};

use super::sessions::{Account, Session};
use super::{Found, HELD, Room, Waiting, is_past};
use crate::record::Record;
use crate::sid::full_name;
use crate::tally::Noise;

/// LogonType of 4624, as far as it is asked for: at the console, over the network, as a job, as a service,
/// with another account's password for the network only, over remote desktop.
mod logon_type {
    pub(super) use super::super::sessions::NETWORK;
    pub(super) const BATCH: u64 = 4;
    pub(super) const SERVICE: u64 = 5;
    pub(super) const NEW_CREDENTIALS: u64 = 9;
    pub(super) const REMOTE: [u64; 2] = [10, 12];
    /// Those that make two sessions under User Account Control.
    pub(super) const BY_A_PERSON: [u64; 6] = [2, 7, 10, 11, 12, 13];
    /// Interactive, and the same by a password that the machine remembers. Unlocking (7, 13) is not: that may be over
    /// remote desktop.
    pub(super) const AT_THE_CONSOLE: [u64; 2] = [2, 11];
}

/// Elevations by password that are remembered, so that 4648 and 4624 of one are told once.
const PASSWORDS_MAX: usize = 256;

/// The account that a record names with this prefix: `Subject` or `Target`.
pub(super) fn account(record: &Record, prefix: &str) -> Account {
    let field = |name: &str| record.field(&format!("{prefix}{name}"));
    let sid = field("UserSid").or_else(|| field("Sid")).map(str::to_owned);
    Account { sid, name: full_name(field("DomainName"), field("UserName")) }
}

impl Room {
    /// The actor of a record whose subject is who acted.
    pub(super) fn subject(&self, record: &Record) -> Actor {
        let account = account(record, "Subject");
        let mut actor = self.sessions.actor(&record.computer, &account, record.logon_id("SubjectLogonId"));
        actor.tool = self.starts.tool_of_session(&record.computer, actor.session);
        actor
    }

    pub(super) fn logged_in(&mut self, record: &Record) -> Found {
        let id = record.logon_id("TargetLogonId").ok_or(Noise::SystemSession)?;
        let (target, subject) = (account(record, "Target"), account(record, "Subject"));
        let logon_type = record.number("LogonType").unwrap_or_default();
        let by = record.logon_id("SubjectLogonId");
        let mut session = Session {
            from: from(record, logon_type),
            account: target.clone(),
            logon_type,
            stands_as: id,
            is_seen: true,
            ..Session::default()
        };
        let at = record.time.moment;
        let waiting = self.take_back(&record.computer, &Waiting::Privileges(id));
        if waiting.is_some() {
            self.tally.n_joined = self.tally.n_joined.saturating_add(1);
        }
        if !target.is_person_like() {
            self.sessions.begins(&record.computer, id, session, at);
            if waiting.is_some() {
                self.tally.drop(Noise::SystemSession);
            }
            return Err(if target.is_machine() { Noise::MachineSession } else { Noise::SystemSession });
        }
        let is_secondary =
            record.field("LogonProcessName").is_some_and(|name| name.eq_ignore_ascii_case("seclogo"));
        let from_within = by.filter(|_| subject.is_person_like());
        if let Some(by) = from_within.filter(|_| is_secondary || logon_type == logon_type::NEW_CREDENTIALS) {
            return self.opened_within(record, session, subject, by, waiting);
        }
        let linked = record.logon_id("TargetLinkedLogonId");
        let linked = linked.and_then(|id| self.sessions.of(&record.computer, id)).map(|twin| twin.stands_as);
        // Version 2 names the twin, or says that there is none.
        let is_told_of_twins = record.fields().any(|(name, _)| name == "TargetLinkedLogonId");
        let has_twins = !is_told_of_twins && logon_type::BY_A_PERSON.contains(&logon_type);
        let twin = || self.sessions.twin_of(&record.computer, &session, at).filter(|_| has_twins);
        if let Some(twin) = linked.or_else(twin) {
            session.stands_as = twin;
            self.sessions.begins(&record.computer, id, session, at);
            let Some(waiting) = waiting else { return Err(Noise::ToldAlready) };
            self.tally.drop(Noise::ToldAlready);
            return self.privileges_told(record, twin, waiting);
        }
        session.is_told = true;
        self.sessions.begins(&record.computer, id, session, at);
        let mut event = Self::event(Kind::Login, record);
        event.outcome = Some(Outcome::Success);
        event.actor = Some(self.sessions.actor(&record.computer, &target, Some(id)));
        event.process = self.process(record, "ProcessId", "ProcessName");
        let mut events = vec![event];
        if let Some(waiting) = waiting {
            events.extend(self.privileges_told(record, id, waiting).unwrap_or_default());
        }
        Ok(events)
    }

    /// A session that was made from within another one: runas, or other credentials for the network only.
    fn opened_within(
        &mut self,
        record: &Record,
        mut session: Session,
        subject: Account,
        by: u64,
        waiting: Option<Result<Event, Noise>>,
    ) -> Found {
        let id = session.stands_as;
        let outer = self.sessions.of(&record.computer, by);
        session.stands_as = outer.map_or(by, |outer| outer.stands_as);
        session.from = outer.and_then(|outer| outer.from.clone());
        let person = outer.and_then(|outer| outer.person.clone()).unwrap_or(subject.clone());
        let is_other = session.account.sid != person.sid || session.account.name != person.name;
        session.person = Some(person).filter(|_| is_other);
        let outbound =
            full_name(record.field("TargetOutboundDomainName"), record.field("TargetOutboundUserName"));
        let effective = outbound.or_else(|| session.account.name.clone());
        self.sessions.begins(&record.computer, id, session, record.time.moment);
        if waiting.is_some() {
            self.tally.drop(Noise::ToldAlready);
        }
        if self.is_password_told(record, by, effective.as_deref()) {
            return Err(Noise::ToldAlready);
        }
        let mut event = Self::event(Kind::Elevation, record);
        event.outcome = Some(Outcome::Success);
        let actor = self.sessions.actor(&record.computer, &subject, Some(by));
        event.actor = Some(Actor { effective_user: effective, ..actor });
        event.process = self.process(record, "ProcessId", "ProcessName");
        Ok(vec![event])
    }

    /// 4625 and, on a domain controller, 4771.
    pub(super) fn login_refused(&mut self, record: &Record) -> Found {
        if record.event_id == 4771 && record.number("Status") == Some(0) {
            return Err(Noise::PasswordRight);
        }
        let target = account(record, "Target");
        let bare = record.field("TargetUserName").unwrap_or_default().to_lowercase();
        if self.take_back(&record.computer, &Waiting::Password(bare)).is_some() {
            self.tally.drop(Noise::ToldAlready);
        }
        let subject = account(record, "Subject");
        let mut event = Self::event(Kind::Login, record);
        event.outcome = Some(Outcome::Denied);
        // Who tries another account's password from within a session is known.
        let is_known = subject.is_person_like() && subject.sid.as_deref().is_some_and(|sid| sid != "S-1-0-0");
        let actor = if is_known { self.subject(record) } else { nobody() };
        let from = from(record, record.number("LogonType").unwrap_or(logon_type::NETWORK));
        event.actor =
            Some(Actor { claims: target.name.or(target.sid), from: from.or(actor.from.clone()), ..actor });
        event.process = self.process(record, "ProcessId", "ProcessName");
        Ok(vec![event])
    }

    /// A name and password checked by NTLM: the failure is told if no 4625 of the same machine does.
    pub(super) fn password_checked(&mut self, record: &Record) -> Found {
        if record.number("Status").unwrap_or_default() == 0 && !record.is_failure() {
            return Err(Noise::PasswordRight);
        }
        let name = record.field("TargetUserName").map(str::to_owned);
        let mut event = Self::event(Kind::Login, record);
        event.outcome = Some(Outcome::Denied);
        let from = record.field("Workstation").map(|name| name.trim_start_matches('\\').to_owned());
        event.actor = Some(Actor { claims: name.clone(), from, ..nobody() });
        let what = Waiting::Password(name.unwrap_or_default().to_lowercase());
        Ok(self.hold(record, what, Ok(event)))
    }

    /// 4634 ends one session, 4647 is the person's signing out of all that are one with it.
    pub(super) fn logged_out(&mut self, record: &Record) -> Found {
        let id = record.logon_id("TargetLogonId").ok_or(Noise::EndOfUntold)?;
        let target = account(record, "Target");
        let actor = self.sessions.actor(&record.computer, &target, Some(id));
        let known = if record.event_id == 4647 {
            self.sessions.ends_with_all(&record.computer, id).map(|session| (session, true))
        } else {
            self.sessions.ends(&record.computer, id)
        };
        match known {
            Some((_, false)) => return Err(Noise::ToldAlready),
            Some((session, true)) if session.account.is_machine() => return Err(Noise::MachineSession),
            Some((session, true)) if !session.account.is_person_like() => return Err(Noise::SystemSession),
            // The last of several that are one: the first may be gone, and was the one that was told.
            Some((_, true)) => {}
            None if record.event_id == 4634 || !target.is_person_like() => return Err(Noise::EndOfUntold),
            None => {}
        }
        let mut event = Self::event(Kind::Logout, record);
        event.outcome = Some(Outcome::Success);
        event.actor = Some(actor);
        Ok(vec![event])
    }

    /// Another account's name and password were used from within a session (4648).
    pub(super) fn used_password(&mut self, record: &Record) -> Found {
        let (subject, target) = (account(record, "Subject"), account(record, "Target"));
        if !subject.is_person_like() || !target.is_person_like() {
            return Err(Noise::SystemCredentials);
        }
        let mut event = Self::event(Kind::Elevation, record);
        event.outcome = Some(Outcome::Success);
        let actor = self.subject(record);
        event.actor = Some(Actor { effective_user: target.name.clone(), ..actor });
        event.process = self.process(record, "ProcessId", "ProcessName");
        let by = record.logon_id("SubjectLogonId").unwrap_or_default();
        if self.passwords.len() >= PASSWORDS_MAX {
            self.passwords.remove(0);
        }
        let bare = record.field("TargetUserName").unwrap_or_default().to_lowercase();
        self.passwords.push((record.computer.clone(), by, bare, record.time.moment));
        Ok(vec![event])
    }

    fn is_password_told(&self, record: &Record, by: u64, effective: Option<&str>) -> bool {
        let bare = effective.and_then(|name| name.rsplit('\\').next()).unwrap_or_default().to_lowercase();
        self.passwords.iter().any(|(computer, of, name, at)| {
            *computer == record.computer
                && *of == by
                && *name == bare
                && !is_past(*at, record.time.moment, HELD)
        })
    }

    /// Special privileges for a new session (4672). It comes just before or just after that session's 4624.
    pub(super) fn privileged(&mut self, record: &Record) -> Found {
        self.tally.n_privileged = self.tally.n_privileged.saturating_add(1);
        let subject = account(record, "Subject");
        let id = record.logon_id("SubjectLogonId").ok_or(Noise::SystemSession)?;
        let noise = if subject.is_machine() { Noise::MachineSession } else { Noise::SystemSession };
        let event = || {
            let mut event = Self::event(Kind::Elevation, record);
            event.outcome = Some(Outcome::Success);
            event.actor = Some(self.sessions.actor(&record.computer, &subject, Some(id)));
            event
        };
        let event = if subject.is_person_like() { Ok(event()) } else { Err(noise) };
        if self.sessions.of(&record.computer, id).is_none_or(|session| !session.is_seen) {
            return Ok(self.hold(record, Waiting::Privileges(id), event));
        }
        self.tally.n_joined = self.tally.n_joined.saturating_add(1);
        self.privileges_told(record, id, event)
    }

    /// The elevation of a session, once for all that are one with it.
    fn privileges_told(&mut self, record: &Record, id: u64, event: Result<Event, Noise>) -> Found {
        let mut event = event?;
        let standing = self.sessions.standing_mut(&record.computer, id);
        if let Some(session) = standing {
            if std::mem::replace(&mut session.is_privileged, true) {
                return Err(Noise::ToldAlready);
            }
            let (account, stands_as) = (session.account.clone(), session.stands_as);
            event.actor = Some(self.sessions.actor(&record.computer, &account, Some(stands_as)));
        }
        Ok(vec![event])
    }

    /// A remote-desktop or console session is taken up again, or left without ending (4778, 4779).
    pub(super) fn connected(&mut self, record: &Record) -> Found {
        let id = record.logon_id("LogonID").or_else(|| record.logon_id("LogonId"));
        let account = Account {
            sid: None,
            name: full_name(record.field("AccountDomain"), record.field("AccountName")),
        };
        let kind = if record.event_id == 4778 { Kind::Login } else { Kind::Logout };
        let mut event = Self::event(kind, record);
        event.outcome = Some(Outcome::Success);
        let actor = self.sessions.actor(&record.computer, &account, id);
        let address = record.field("ClientAddress");
        let from = match address {
            Some(text) if text.eq_ignore_ascii_case("LOCAL") => Some("console".to_owned()),
            Some(text) => Some(plain_address(text)),
            None => record.field("ClientName").map(str::to_owned),
        };
        // From now on the session comes from there.
        if let (Some(session), Kind::Login) =
            (id.and_then(|id| self.sessions.standing_mut(&record.computer, id)), &event.kind)
        {
            session.from.clone_from(&from);
        }
        event.actor = Some(Actor { from: from.or(actor.from.clone()), ..actor });
        Ok(vec![event])
    }
}

fn nobody() -> Actor {
    Actor { confidence: Some(Confidence::Unattributed), ..Actor::default() }
}

/// Where a session came from: an address, a machine's name, or the words `console`, `batch` and `service`.
fn from(record: &Record, logon_type: u64) -> Option<String> {
    let address = record.field("IpAddress").map(plain_address);
    let is_loopback = address.as_deref().is_some_and(|text| matches!(text, "127.0.0.1" | "::1"));
    match logon_type {
        logon_type::BATCH => Some("batch".to_owned()),
        logon_type::SERVICE => Some("service".to_owned()),
        other if logon_type::AT_THE_CONSOLE.contains(&other) && (address.is_none() || is_loopback) => {
            Some("console".to_owned())
        }
        other if logon_type::REMOTE.contains(&other) => address,
        _ => address.or_else(|| record.field("WorkstationName").map(str::to_owned)),
    }
}

/// An address without the prefix by which IPv6 writes one of IPv4.
pub(super) fn plain_address(text: &str) -> String {
    text.strip_prefix("::ffff:").unwrap_or(text).to_owned()
}
