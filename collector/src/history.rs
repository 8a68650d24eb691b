//! What earlier entries amount to: who reached what, from where, how much; and what is unusual about the next one.
//!
//! [`History::observe`] looks first and remembers afterwards, in the order of the ledger, so the same entries
//! give the same signals again. It holds no path: files are told apart by a mark that cannot be read back.
//! Its size is bounded: by people, and for each of them by the constants beside what they bound.
//!
//! # Invariants
//! - What a job explains raises nothing and teaches nothing: a backup at night is nobody's habit.
//! - Hours alone are never a signal; no signal changes a decision.

pub(crate) mod day;
mod desk;
mod look;
pub(crate) mod outside;
mod past;
mod tally;
mod weeks;

use std::collections::BTreeMap;

use ntk_evidence::event::{Action, Actor, ChangeWhat, Kind, Outcome};
use serde::{Deserialize, Serialize};

use crate::need_to_know::job::file_name;
use crate::need_to_know::{Access, Asset, Decision, Judgement, LocalTime, Who};
use crate::policy::Area;
use crate::roster::{Attribution, Person, Roster};
use crate::signal::{Signal, SignalKind, Weight};
use day::Day;
use desk::Desk;
use look::Draft;
use past::{Change, Changed, Past, RolePast};

/// Holders that are remembered: ten times the largest practice. The longest unseen is forgotten first.
pub const HOLDERS_MAX: usize = 4096;
/// Days of entries before "never before" means anything: the four weeks of the baseline.
pub const DAYS_UNTIL_RIPE: i32 = 28;
/// Seconds of an hour.
const HOUR_S: i64 = 3600;
/// Seconds of a day.
const DAY_S: i64 = 24 * HOUR_S;

/// What the entries so far amount to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Day of the first entry.
    since: Option<Day>,
    people: BTreeMap<String, Past>,
    /// Accounts that are in nobody's entry of the roster, with their machine.
    strangers: BTreeMap<String, Past>,
    roles: BTreeMap<String, RolePast>,
    desk: Desk,
}

/// One access as it is looked at.
struct Sighting<'a> {
    access: &'a Access<'a>,
    decision: &'a Decision,
    who: &'a Who,
    asset: &'a Asset,
    /// The person who holds the account.
    person: Option<&'a Person>,
    local: LocalTime,
    at: i64,
    day: Day,
    session: Option<u64>,
    n: u32,
    /// Whose asset; the machine where the area is no files.
    owner: &'a str,
    /// Address from which the session came, unless somebody sat at the machine itself.
    from: Option<&'a str>,
    /// Protected files of others; not the holder's own while a tool drives the session, which count as others' there.
    is_others: bool,
    is_refused: bool,
    is_under_ticket: bool,
}

/// Whose memory an access belongs to.
enum Holder {
    Person(String),
    Stranger(String),
    /// The record names nobody.
    Nobody,
}

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The remote-support tool that drives the session or machine of an access, by earlier entries.
    pub fn remote_tool(&self, access: &Access<'_>) -> Option<&str> {
        self.desk.interval(access).map(|interval| interval.tool.as_str())
    }

    /// Where the session of an access came from: as the record says, or else as the session's login said.
    pub fn came_from<'a>(&'a self, access: &Access<'a>) -> Option<&'a str> {
        self.desk.from(access)
    }

    /// The accounts with a session open on the machine at that time, in words: who could have been. The machine's own
    /// list counts where it made one; it saw sessions that began before its first entry, too.
    pub fn candidates(&self, access: &Access<'_>, roster: &Roster) -> Vec<String> {
        let is_own_work = access.event.process.as_ref().is_some_and(|process| process.unit.is_some());
        let told = desk::told(access, roster);
        if told.is_empty() && !is_own_work { self.desk.candidates(access) } else { told }
    }

    /// Looks at one access, then remembers it.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision, roster: &Roster) -> Vec<Signal> {
        let signals = self.look_and_learn(access, decision, roster);
        self.desk.remember(access, decision);
        signals
    }

    fn look_and_learn(&mut self, access: &Access<'_>, decision: &Decision, roster: &Roster) -> Vec<Signal> {
        let Some(local) = access.judged else { return Vec::new() };
        let day = Day::of(local.date);
        self.since = Some(self.since.map_or(day, |since| since.min(day)));
        if access.event.kind == Kind::AccountChange {
            self.account_changed(access, roster, local.at.as_second());
            return Vec::new();
        }
        if decision.outcome == Judgement::NotJudged || is_job(decision) {
            return Vec::new();
        }
        let (Some(who), Some(asset)) = (&decision.who, &decision.asset) else { return Vec::new() };
        // A name that was only typed is nobody's act, and nobody's habit.
        if !who.is_verified {
            return Vec::new();
        }
        let from = self.desk.from(access).map(ToOwned::to_owned);
        let person = who.person.as_deref().and_then(|id| roster.person(id));
        let is_own = access.tool().is_some()
            && asset
                .owner
                .as_deref()
                .and_then(|owner| roster.owner(access.host, owner))
                .is_some_and(|owner| person.is_some_and(|person| person.id == owner.id));
        let sighting = Sighting {
            access,
            decision,
            who,
            asset,
            person,
            local,
            at: local.at.as_second(),
            day,
            session: access.event.actor.as_ref().and_then(|actor| actor.session),
            n: u32::try_from(access.n_accesses()).unwrap_or(u32::MAX),
            owner: if asset.area.is_files() {
                asset.owner.as_deref().unwrap_or_default()
            } else {
                access.host
            },
            from: from.as_deref().filter(|from| !is_console(from, access.host)),
            is_others: is_others(asset.area) && !is_own,
            is_refused: matches!(access.event.outcome, Some(Outcome::Denied | Outcome::Failed)),
            is_under_ticket: is_under_ticket(decision),
        };
        let holder = sighting.holder();
        let nothing = Past::default();
        let past = self.past(&holder).unwrap_or(&nothing);
        let drafts = look::look(self, past, &sighting, roster);
        self.learn(&holder, &sighting);
        self.weigh(drafts, &holder, &sighting)
    }

    fn past(&self, holder: &Holder) -> Option<&Past> {
        match holder {
            Holder::Person(id) => self.people.get(id),
            Holder::Stranger(account) => self.strangers.get(account),
            Holder::Nobody => None,
        }
    }

    fn past_mut(&mut self, holder: &Holder) -> Option<&mut Past> {
        let (pasts, name) = match holder {
            Holder::Person(id) => (&mut self.people, id),
            Holder::Stranger(account) => (&mut self.strangers, account),
            Holder::Nobody => return None,
        };
        if !pasts.contains_key(name) {
            if pasts.len() >= HOLDERS_MAX {
                let oldest =
                    pasts.iter().min_by_key(|(_, past)| past.newest_day()).map(|(name, _)| name.clone());
                oldest.map(|oldest| pasts.remove(&oldest));
            }
            pasts.insert(name.clone(), Past::default());
        }
        pasts.get_mut(name)
    }

    /// Days of entries up to this one.
    fn age_days(&self, day: Day) -> i32 {
        self.since.map_or(0, |since| day.days_after(since))
    }

    fn learn(&mut self, holder: &Holder, sighting: &Sighting<'_>) {
        let Sighting { at, day, n, asset, .. } = *sighting;
        let host = sighting.access.host;
        let is_others = sighting.is_others;
        let Some(past) = self.past_mut(holder) else { return };
        if sighting.is_refused {
            if is_others {
                past.tally.refuse(host, sighting.session, day, n);
            }
            return;
        }
        let is_new_day = past.was_here(day);
        past.came_from(sighting.from.unwrap_or(host), at, day);
        let is_new_reach = past.reach(asset.area, sighting.owner, at, day);
        let mut over = Vec::new();
        if is_others {
            let event = sighting.access.event;
            let program = event.process.as_ref().and_then(|process| process.exe.as_deref());
            if let Some(program) = program {
                past.ran(file_name(program), at, day);
            }
            // What a ticket explains is no habit: it neither fills the usual week nor is measured by it.
            if !sighting.is_under_ticket {
                past.weeks.entry(asset.area.class()).or_default().add(day, n);
            }
            let object = event.object.as_ref().and_then(|object| object.path.as_deref());
            over = past.tally.add(host, sighting.session, day, asset.area.class(), n, object);
        }
        if !(is_new_day || is_new_reach || !over.is_empty()) {
            return;
        }
        for role in sighting.person.iter().flat_map(|person| &person.roles) {
            if !self.roles.contains_key(role) {
                self.roles.insert(role.clone(), RolePast::default());
            }
            let Some(role) = self.roles.get_mut(role) else { continue };
            role.was_here(day);
            role.reach(asset.area, sighting.owner, at, day);
            over.iter().for_each(|(area, n)| role.recent.add(*area, *n));
        }
    }

    /// Drafts as signals; one that wants to make an item may do so once a day and asset, or more seldom.
    fn weigh(&mut self, drafts: Vec<Draft>, holder: &Holder, sighting: &Sighting<'_>) -> Vec<Signal> {
        if drafts.is_empty() {
            return Vec::new();
        }
        let mut past = self.past_mut(holder);
        let mut signals: Vec<Signal> = drafts
            .into_iter()
            .map(|draft| {
                let raises = match (draft.raise, past.as_deref_mut()) {
                    (Some(again), Some(past)) => {
                        let area = sighting.asset.area;
                        let name = match draft.kind {
                            // How much is counted by area, whoever owns the parts.
                            SignalKind::Bulk | SignalKind::Volume => format!("{:?}/{area}", draft.kind),
                            kind => format!("{kind:?}/{area}/{}", sighting.owner),
                        };
                        past.may_raise(name, sighting.day, sighting.access.host, sighting.session, again)
                    }
                    // Nobody's memory: whoever touched a decoy, it is an item.
                    (Some(_), None) => draft.kind == SignalKind::Decoy,
                    (None, _) => false,
                };
                let weight = if raises { Weight::Raise } else { Weight::Note };
                Signal { kind: draft.kind, sentence: draft.sentence, weight }
            })
            .collect();
        signals.sort();
        signals
    }

    /// Remembers a change of an account's rights or password for the person who holds it.
    fn account_changed(&mut self, access: &Access<'_>, roster: &Roster, at: i64) {
        let event = access.event;
        let is_done = event.outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Success);
        // Whose rights are wider now is who was given something; of a password, whose it is.
        let change = event.change.as_ref().filter(|change| !change.is_removal);
        let given = change.and_then(|change| change.to.as_deref());
        let target = given.or(event.object.as_ref().and_then(|object| object.owner.as_deref()));
        let (Some(target), true) = (target, is_done && event.action != Some(Action::Delete)) else { return };
        let Some(holder) = holder_of(target, access.host, roster).map(|person| person.id.clone()) else {
            return;
        };
        let nobody = Actor::default();
        let actor = event.actor.as_ref().unwrap_or(&nobody);
        let (by, is_own) = match roster.person_of(access.host, actor) {
            Attribution::Person(id) => {
                let words = roster.person(&id).map_or_else(|| id.clone(), Person::in_words);
                (words, id == holder)
            }
            Attribution::Account(account) => (format!("account {account}"), false),
            _ => ("an account that the record does not name".to_owned(), false),
        };
        let what = changed(access);
        if let Some(past) = self.past_mut(&Holder::Person(holder)) {
            past.changed(Change { at, what, by, is_own });
        }
    }
}

impl Sighting<'_> {
    fn holder(&self) -> Holder {
        match (&self.who.person, &self.who.account) {
            (Some(person), _) => Holder::Person(person.clone()),
            (None, Some(account)) => Holder::Stranger(format!("{account} on {}", self.access.host)),
            (None, None) => Holder::Nobody,
        }
    }
}

/// What an `account_change` changed. Linux names the program; Windows numbers the event.
fn changed(access: &Access<'_>) -> Changed {
    /// "An attempt was made to change an account's password", "... to reset an account's password".
    const WINDOWS_PASSWORD: [u32; 2] = [4723, 4724];
    let event = access.event;
    let program = event.process.as_ref().and_then(|process| process.exe.as_deref()).map(file_name);
    let event_id = event.source.as_ref().and_then(|source| source.event_id);
    let by_service = event.change.as_ref().map(|change| &change.what);
    let is_password = matches!(by_service, Some(ChangeWhat::PasswordReset | ChangeWhat::SecondFactor))
        || matches!(program, Some("passwd" | "chpasswd" | "smbpasswd" | "kpasswd"))
        || event_id.is_some_and(|id| WINDOWS_PASSWORD.contains(&id));
    if is_password { Changed::Password } else { Changed::Rights }
}

/// The person who holds the account that a record names by user name or, as useradd does, by number.
fn holder_of<'r>(account: &str, host: &str, roster: &'r Roster) -> Option<&'r Person> {
    if let Some(uid) = account.strip_prefix("uid ").and_then(|uid| uid.parse().ok()) {
        return roster.holder_of_account(host, &Actor { login_uid: Some(uid), ..Actor::default() });
    }
    roster.claimed_person(host, account)
}

/// Whether a job of the roster explains it.
fn is_job(decision: &Decision) -> bool {
    is_explained_by(decision, &["job:"])
}

/// Whether a ticket, or a break-glass that is an item by itself, explains it.
fn is_under_ticket(decision: &Decision) -> bool {
    is_explained_by(decision, &["ticket:", "break-glass", "break_glass"])
}

fn is_explained_by(decision: &Decision, rules: &[&str]) -> bool {
    let is = |rule: &str| rules.iter().any(|prefix| rule.starts_with(prefix));
    decision.outcome == Judgement::Explained && decision.reasons.iter().any(|reason| is(&reason.rule))
}

/// Protected files that are not the person's own.
fn is_others(area: Area) -> bool {
    matches!(
        area,
        Area::Mailbox
            | Area::ManagersMailbox
            | Area::Voicemail
            | Area::Ehr
            | Area::Export
            | Area::Hr
            | Area::Backup
    )
}

/// Whether a session's origin is the machine itself.
fn is_console(from: &str, host: &str) -> bool {
    let is_display = from
        .strip_prefix(':')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains(':'));
    is_display
        || from.is_empty()
        || from == host
        || from == "::1"
        || ["tty", "pts/", "/dev/", "console", "seat", "localhost", "127.", "cron", "atd", "systemd-user"]
            .iter()
            .any(|word| from.starts_with(word))
}

#[cfg(test)]
mod tests;
