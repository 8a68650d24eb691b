//! The baseline: after four weeks, programs that work by themselves are proposed as jobs, each for a person to confirm.
//!
//! Nothing is permitted by being usual. A [`Proposal`] pins what the entries show (program, machine, account,
//! parent, hours, classes, file or signer) and becomes a `[[job]]` of the roster only by a person's act. What
//! somebody logged in for, what ran under remote control, and programs that could be anybody's are not proposed.

mod confirm;
mod hours;
mod proposal;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::{Actor, Class, Event, Kind, Outcome, Process};
use serde::{Serialize, Serializer};

pub use confirm::{ConfirmError, Confirmation, Confirmed, confirm};
pub use proposal::{Evidence, Pins, Proposal, Sample, Unfit};

use crate::history::day::Day;
use crate::need_to_know::job::file_name;
use crate::need_to_know::{Access, Decision, Judgement, job};
use crate::roster::Roster;
use hours::HalfHours;

/// Days of entries that a proposal is made from: four weeks, so that each weekday comes four times.
pub const DAYS: i32 = 28;
/// On so many of these days a program that works daily was at work.
const DAYS_REGULAR: usize = 10;
/// How often a program that works by a longer timetable, once a week say, was at work.
const DAYS_SCHEDULED: usize = 4;
/// Entries that a proposal names as samples.
const SAMPLES_MAX: usize = 5;
/// Programs that are told apart; a practice has dozens.
const GROUPS_MAX: usize = 4096;

/// What four weeks of entries propose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Baseline {
    /// First day looked at.
    #[serde(serialize_with = "as_text")]
    pub from: Date,
    /// Last day looked at.
    #[serde(serialize_with = "as_text")]
    pub to: Date,
    /// Day from which proposals are made, where there are too few entries yet.
    #[serde(serialize_with = "as_text_or_null")]
    pub not_before: Option<Date>,
    /// Programs to confirm as jobs.
    pub proposals: Vec<Proposal>,
    /// Programs that are as regular and are not proposed, with the reason.
    pub unfit: Vec<Unfit>,
}

fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

fn as_text_or_null<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
    match date {
        Some(date) => serializer.collect_str(date),
        None => serializer.serialize_none(),
    }
}

/// Which program, started by what, under which account, where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Worker {
    host: String,
    program: String,
    parent: Option<String>,
    account: Option<Account>,
}

/// An account as a job names it: by uid where somebody could log in with it, by name for a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    Uid(u32, Option<String>),
    Service(String),
}

/// What a worker did.
#[derive(Clone, Debug, Default)]
struct Work {
    days: BTreeSet<Day>,
    n_accesses: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    hours: HalfHours,
    classes: BTreeSet<Class>,
    files: BTreeSet<Option<String>>,
    signers: BTreeSet<Option<String>>,
    /// Name of the person who holds the account, where one does.
    holder: Option<String>,
    samples: Vec<Sample>,
}

/// Gathers what programs did by themselves. Shown every entry of the four weeks in the order of the log.
#[derive(Clone, Debug)]
pub struct Survey {
    now: Timestamp,
    start: Timestamp,
    oldest: Option<Timestamp>,
    works: BTreeMap<Worker, Work>,
    /// Paths under which a program's name ran on a machine.
    paths: BTreeMap<(String, String), BTreeSet<String>>,
    /// Accounts with which somebody logged in, by machine.
    logged_in: BTreeSet<(String, Account)>,
}

/// Proposals from entries and their decisions: all that there are, in the order of the log.
pub fn propose<'a>(
    accesses: impl Iterator<Item = (Access<'a>, Decision)>,
    roster: &Roster,
    now: Timestamp,
) -> Vec<Proposal> {
    let mut survey = Survey::new(now, None);
    for (access, decision) in accesses {
        survey.observe(&access, &decision);
    }
    survey.finish(roster, now.to_zoned(jiff::tz::TimeZone::UTC).date()).proposals
}

impl Survey {
    /// A survey that ends now; `oldest` is when the first entry ever came, where that is known.
    pub fn new(now: Timestamp, oldest: Option<Timestamp>) -> Self {
        let weeks = SignedDuration::from_hours(i64::from(DAYS) * 24);
        // On a half hour: a row of a roll-up is on one side of it.
        let start = now.as_second().saturating_sub(weeks.as_secs()).div_euclid(1_800).saturating_mul(1_800);
        Self {
            now,
            start: Timestamp::from_second(start).unwrap_or(Timestamp::UNIX_EPOCH),
            oldest,
            works: BTreeMap::new(),
            paths: BTreeMap::new(),
            logged_in: BTreeSet::new(),
        }
    }

    /// The first moment that is looked at.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Takes in one entry.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let Some(local) = access.local else { return };
        self.oldest = Some(self.oldest.map_or(local.at, |oldest| oldest.min(local.at)));
        if local.at < self.start || local.at > self.now {
            return;
        }
        let event = access.event;
        let nobody = Actor::default();
        let actor = event.actor.as_ref().unwrap_or(&nobody);
        let is_interactive = job::is_interactive(actor) || access.remote_tool.is_some();
        if event.kind == Kind::Login && is_interactive && event.outcome != Some(Outcome::Denied) {
            self.logged_in.extend(account_of(actor).map(|account| (access.host.to_owned(), account)));
        }
        let Some((process, program)) = program_of(event) else { return };
        let name = (access.host.to_owned(), file_name(program).to_lowercase());
        self.paths.entry(name).or_default().insert(program.to_owned());
        let class = event.object.as_ref().and_then(|object| object.class.clone()).filter(Class::is_known);
        let is_open = matches!(decision.outcome, Judgement::Unexplained | Judgement::Never);
        let (Some(class), true) = (class, event.kind == Kind::FileAccess && is_open && !is_interactive)
        else {
            return;
        };
        let worker = Worker {
            host: access.host.to_owned(),
            program: program.to_owned(),
            parent: process.parent.clone(),
            account: account_of(actor),
        };
        if self.works.len() >= GROUPS_MAX && !self.works.contains_key(&worker) {
            return;
        }
        let work = self.works.entry(worker).or_default();
        let day = Day::of(local.date);
        work.days.insert(day);
        work.n_accesses = work.n_accesses.saturating_add(access.n_accesses());
        work.first = Some(work.first.map_or(local.at, |first| first.min(local.at)));
        work.last = work.last.max(access.last());
        let minutes = access.last().map_or(0, |last| last.duration_since(local.at).as_mins());
        work.hours.add(local.minute, minutes);
        work.classes.insert(class);
        let shown =
            |field: &str| process.other.get(field).and_then(|value| value.as_str()).map(str::to_owned);
        work.files.insert(shown("sha256").map(|hash| hash.to_lowercase()));
        work.signers.insert(shown("signer"));
        if let Some(who) = decision.who.as_ref().filter(|who| who.person.is_some()) {
            work.holder.clone_from(&who.holder);
        }
        if work.samples.len() < SAMPLES_MAX {
            work.samples.push(Sample { author: access.author.to_owned(), number: access.number });
        }
    }

    /// What is proposed on this day.
    pub fn finish(self, roster: &Roster, today: Date) -> Baseline {
        let (start, to) = (Day::of(self.start.to_zoned(jiff::tz::TimeZone::UTC).date()), Day::of(today));
        let from = self.oldest.filter(|oldest| *oldest > self.start);
        let mut baseline = Baseline {
            from: today.saturating_sub(jiff::ToSpan::days(i64::from(DAYS))),
            to: today,
            not_before: None,
            proposals: Vec::new(),
            unfit: Vec::new(),
        };
        // Without any entry there is nothing to wait for that could be named: four weeks from now.
        if from.is_some() || self.oldest.is_none() {
            let missing = from.unwrap_or(self.now).duration_since(self.start);
            let days = missing.as_hours().saturating_add(23) / 24;
            baseline.not_before = Some(today.saturating_add(jiff::ToSpan::days(days)));
            return baseline;
        }
        for (worker, work) in &self.works {
            if !is_regular(&work.days, start, to) {
                continue;
            }
            match self.unfit(worker, work) {
                Some(why) => baseline.unfit.push(Unfit::new(worker, work, why)),
                None => baseline.proposals.extend(Proposal::new(worker, work, roster)),
            }
        }
        // What was confirmed is no proposal any more, though its older entries are still among the four weeks.
        let is_job = |pins: &Pins| {
            roster.jobs().iter().any(|job| {
                job.program == pins.program
                    && job.host == pins.host
                    && job.user == pins.user
                    && job.uid == pins.uid
            })
        };
        baseline.proposals.retain(|proposal| !is_job(&proposal.pins));
        baseline
    }

    /// Why a regular worker is not proposed.
    fn unfit(&self, worker: &Worker, work: &Work) -> Option<String> {
        use crate::history::outside::Outside;
        let Some(account) = &worker.account else {
            return Some("The records do not name the account, so none can be pinned.".to_owned());
        };
        if let Some(holder) = &work.holder {
            return Some(format!(
                "It runs under an account held by {holder}; a program needs an account of its own."
            ));
        }
        if self.logged_in.contains(&(worker.host.clone(), account.clone())) {
            return Some(
                "Somebody also logs in with its account; a program needs an account of its own.".to_owned(),
            );
        }
        if let Some(place) = Outside::of(&worker.program) {
            return Some(format!(
                "The program lies in {}, where others could put a program of this name.",
                place.in_words()
            ));
        }
        let name = (worker.host.clone(), file_name(&worker.program).to_lowercase());
        let paths = self.paths.get(&name).filter(|paths| paths.len() > 1)?;
        let paths: Vec<String> = paths.iter().cloned().collect();
        Some(format!(
            "Programs of this name ran from several places: {}.",
            crate::report::text::list_of(&paths)
        ))
    }
}

fn program_of(event: &Event) -> Option<(&Process, &str)> {
    let process = event.process.as_ref()?;
    Some((process, process.exe.as_deref()?))
}

/// The account as a job names it.
fn account_of(actor: &Actor) -> Option<Account> {
    match actor.login_uid.filter(|uid| *uid != u32::MAX) {
        Some(uid) => Some(Account::Uid(uid, actor.login_user.clone())),
        None => actor.effective_user.clone().map(Account::Service),
    }
}

/// At work on most days, or on each day of a longer timetable.
fn is_regular(days: &BTreeSet<Day>, start: Day, to: Day) -> bool {
    if days.len() >= DAYS_REGULAR {
        return true;
    }
    let days: Vec<Day> = days.iter().copied().collect();
    let gaps: BTreeSet<i32> =
        days.windows(2).filter_map(|pair| Some(pair.last()?.days_after(*pair.first()?))).collect();
    let (Some(gap), Some(first), Some(last)) = (gaps.first().copied(), days.first(), days.last()) else {
        return false;
    };
    let is_whole = first.days_after(start) <= gap && to.days_after(*last) <= gap;
    days.len() >= DAYS_SCHEDULED && gaps.len() == 1 && is_whole
}

#[cfg(test)]
mod tests;
