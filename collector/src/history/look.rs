//! What is unusual about one access. Each sentence says what the entries show and no more.

use ntk_evidence::event::{Action, Via};

use super::day::Day;
use super::outside::Outside;
use super::past::{Again, Changed, Past};
use super::tally::OBJECTS_MAX;
use super::weeks::Usual;
use super::{DAY_S, DAYS_UNTIL_RIPE, History, Sighting, is_others};
use crate::need_to_know::Judgement;
use crate::need_to_know::job::file_name;
use crate::policy::Area;
use crate::report::text::{count, number};
use crate::roster::Roster;
use crate::signal::SignalKind;

/// A session beyond this many accesses, and beyond ten times the usual one, is an item.
const BULK_RAISE: (f64, f64) = (200.0, 10.0);
/// A session beyond this many accesses, and beyond five times the usual one, is noted.
const BULK_NOTE: (f64, f64) = (50.0, 5.0);
/// A week of three times the usual one is an item. Quarters and flu seasons double the work, seldom triple it.
const WEEK_RAISE: f64 = 3.0;
/// A day of four times the usual one is an item: single days vary more than weeks.
const DAY_RAISE: f64 = 4.0;
/// Twice the usual is noted.
const VOLUME_NOTE: f64 = 2.0;
/// Counts spread at least like chance arrivals, whose spread is the root of their mean. Work comes in clumps,
/// so an item asks for six times that spread.
const SPREAD: f64 = 6.0;
/// Beyond the margin: a handful of patients or personnel files more is nothing.
const MORE: f64 = 30.0;
/// Beyond the margin, for exports, of which each holds many patients.
const MORE_EXPORT: f64 = 10.0;
/// Beyond the usual day, for everything: see [`volume`].
const MORE_DAY: f64 = 45.0;
/// After this many days a growth that was an item and stayed may be one again.
const DAYS_UNTIL_AGAIN: i32 = 28;
/// What the table allows and somebody does day by day (reading backups, working from a new address) makes an
/// item once in so many days.
const DAYS_UNTIL_HABIT_AGAIN: i32 = 7;
/// How long a change of rights or password stands beside what follows.
const CHANGE_MATTERS_S: i64 = 2 * DAY_S;
/// Days of entries before a first time is noted at all: at the beginning everything is the first time.
const DAYS_UNTIL_FIRST_IS_NOTED: i32 = 7;
/// On how many earlier days a computer was used before it counts as known.
const DAYS_UNTIL_KNOWN: u32 = 3;

/// A signal before it is known whether it may make an item now.
pub(super) struct Draft {
    pub(super) kind: SignalKind,
    pub(super) sentence: String,
    /// Wants to make an item, and how soon it may make another.
    pub(super) raise: Option<Again>,
}

impl Draft {
    fn note(kind: SignalKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), raise: None }
    }

    fn raise_if(mut self, raises: bool, again: Again) -> Self {
        self.raise = raises.then_some(again);
        self
    }
}

/// What is unusual, before anything of this access is remembered.
pub(super) fn look(history: &History, past: &Past, s: &Sighting<'_>, roster: &Roster) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = [
        first_time(history, past, s, roster),
        first_program(history, past, s),
        bulk(history, past, s, roster),
        volume(past, s, roster),
        refused(past, s),
        moved_out(s),
        through_copy(s),
        after_rights_change(past, s),
        after_reset(past, s),
        unenrolled(history, past, s, roster),
        remote_control(history, s),
        clock_off(s),
        decoy(s),
    ]
    .into_iter()
    .flatten()
    .collect();
    drafts.extend(after_notice(s, &drafts));
    drafts
}

/// Areas of which one look by somebody new already matters.
fn is_sensitive(area: Area) -> bool {
    matches!(area, Area::Mailbox | Area::ManagersMailbox | Area::Hr | Area::Export)
}

fn first_time(history: &History, past: &Past, s: &Sighting<'_>, roster: &Roster) -> Option<Draft> {
    let area = s.asset.area;
    let age = history.age_days(s.day);
    let is_looked_for = s.is_others || area == Area::Login;
    if !is_looked_for || s.is_refused || age < DAYS_UNTIL_FIRST_IS_NOTED || past.has_reached(area, s.owner) {
        return None;
    }
    let since = history.since.map(Day::date)?;
    let what = &s.asset.label;
    // Whoever covers for somebody has their work as well.
    let roles = s.person.map_or(Vec::new(), |person| roster.roles_on(&person.id, s.local.date));
    // A role that is new itself has no habits yet.
    let is_ripe = |role: &String| {
        history
            .roles
            .get(role)
            .and_then(|role| role.first)
            .is_some_and(|first| s.day.days_after(first) >= DAYS_UNTIL_RIPE)
    };
    // Whoever keeps personnel files keeps everybody's: one of them is no news where others were.
    let has_reached = |role: &String| {
        history.roles.get(role).is_some_and(|role| match area {
            Area::Hr => role.assets.contains_key(&area),
            _ => role.has_reached(area, s.owner),
        })
    };
    let is_new_to_role =
        age >= DAYS_UNTIL_RIPE && roles.iter().any(is_ripe) && !roles.iter().any(has_reached);
    let mut sentence = format!("No entry since {since} shows this account at {what} before");
    if is_new_to_role {
        let roles: Vec<_> = roles.iter().map(|role| format!("“{role}”")).collect();
        sentence.push_str(&format!(", nor anybody else with the role {}", roles.join(" or ")));
    }
    sentence.push('.');
    let raises = is_new_to_role && is_sensitive(area) && !s.is_under_ticket && !reads_for_owner(s, roster);
    Some(Draft::note(SignalKind::FirstTime, sentence).raise_if(raises, Again::NextDay))
}

/// Whether the person reads the mailbox for somebody who is away, as the roster has it.
fn reads_for_owner(s: &Sighting<'_>, roster: &Roster) -> bool {
    let Some(person) = s.person else { return false };
    let owner = roster.owner(s.access.host, s.owner).map(|owner| owner.id.as_str());
    let mut covers = roster.covers(&person.id, s.local.date);
    covers.any(|cover| cover.mailbox && Some(cover.covers.as_str()) == owner)
}

fn first_program(history: &History, past: &Past, s: &Sighting<'_>) -> Option<Draft> {
    let program =
        s.access.event.process.as_ref().and_then(|process| process.exe.as_deref()).map(file_name)?;
    let is_looked_for = s.is_others && !s.is_refused && !past.programs.is_empty();
    if !is_looked_for || history.age_days(s.day) < DAYS_UNTIL_RIPE || past.programs.contains_key(program) {
        return None;
    }
    let sentence = format!("This account had not used the program {program} on protected files before.");
    Some(Draft::note(SignalKind::FirstTime, sentence))
}

fn bulk(history: &History, past: &Past, s: &Sighting<'_>, roster: &Roster) -> Option<Draft> {
    let area = s.asset.area.class();
    if !s.is_others || s.is_refused {
        return None;
    }
    let counter = past.tally.of(s.access.host, s.session, s.day);
    let so_far = f64::from(counter.map_or(0, |counter| counter.accesses(area)).saturating_add(s.n));
    if so_far <= BULK_NOTE.0 {
        return None;
    }
    let of_role = |role: &String| history.roles.get(role).and_then(|role| role.recent.usual(area));
    let of_roles =
        || s.person.iter().flat_map(|person| &person.roles).filter_map(of_role).max_by(f64::total_cmp);
    let usual = past.tally.recent.usual(area).or_else(of_roles);
    let is_beyond = |(at_least, factor): (f64, f64)| so_far > at_least.max(factor * usual.unwrap_or(0.0));
    if !is_beyond(BULK_NOTE) {
        return None;
    }
    // Health records are opened all day: without a usual session nothing can be said.
    let is_measured = usual.is_some() || area != Area::Ehr;
    let files = match counter.map_or(0, |counter| counter.n_objects()) {
        0 | 1 => String::new(),
        OBJECTS_MAX.. => format!(", of {OBJECTS_MAX} or more different files"),
        n => format!(", of {n} different files"),
    };
    let measure = match usual {
        Some(usual) => format!("a usual session has {}", whole(usual)),
        None => "there are too few earlier sessions to say what is usual".to_owned(),
    };
    let sentence =
        format!("{} to {} in this session so far{files}; {measure}.", accesses(so_far), topic(area));
    let raises = is_beyond(BULK_RAISE) && is_measured && !s.is_under_ticket && !reads_for_owner(s, roster);
    Some(Draft::note(SignalKind::Bulk, sentence).raise_if(raises, Again::NextDay))
}

fn volume(past: &Past, s: &Sighting<'_>, roster: &Roster) -> Option<Draft> {
    let area = s.asset.area.class();
    if !s.is_others || s.is_refused || s.is_under_ticket {
        return None;
    }
    let more = if area == Area::Export { MORE_EXPORT } else { MORE };
    let weeks = past.weeks.get(&area)?;
    let this_week = f64::from(weeks.in_week(s.day.week()).saturating_add(s.n));
    if this_week < more {
        return None;
    }
    let usual = Usual::of(weeks, &past.days, past.first?, s.day.week())?;
    let today = f64::from(weeks.on_day(s.day).saturating_add(s.n));
    let is_beyond = |count: f64, usual: f64, factor: f64, spread: f64| {
        count >= factor * usual && count >= usual + spread * usual.sqrt() + more
    };
    let is_week = is_beyond(this_week, usual.week, WEEK_RAISE, SPREAD);
    // The end of a month makes single days of billing large: a day alone has to stand out further.
    let is_day = is_beyond(today, usual.day, DAY_RAISE, SPREAD) && today >= usual.day + MORE_DAY;
    let growth = usual.week_at_first.filter(|first| is_beyond(this_week, *first, WEEK_RAISE, SPREAD));
    let is_noted = is_beyond(this_week, usual.week, VOLUME_NOTE, SPREAD / 2.0);
    let topic = topic(area);
    let sentence = match growth {
        _ if is_week || (is_noted && !is_day) => format!(
            "{} to {topic} this week so far; a usual week of the last eight has {}.",
            accesses(this_week),
            whole(usual.week)
        ),
        _ if is_day => {
            format!("{} to {topic} today so far; a usual day has {}.", accesses(today), whole(usual.day))
        }
        Some(first) => format!(
            "{} to {topic} this week so far; the oldest of the last eight weeks had {}, and it has grown since.",
            accesses(this_week),
            whole(first)
        ),
        None => return None,
    };
    // The level is a week's, so that a habit that has been looked at is an item again only where it grows on.
    let level = weeks.in_week(s.day.week()).saturating_add(s.n);
    let again = Again::After { days: DAYS_UNTIL_AGAIN, level };
    let raises = (is_week || is_day || growth.is_some()) && !reads_for_owner(s, roster);
    Some(Draft::note(SignalKind::Volume, sentence).raise_if(raises, again))
}

fn refused(past: &Past, s: &Sighting<'_>) -> Option<Draft> {
    if !s.is_refused || !s.is_others {
        return None;
    }
    let before = past.tally.of(s.access.host, s.session, s.day).map_or(0, |counter| counter.refused());
    let n = count(before.saturating_add(s.n), "attempt was", "attempts were");
    Some(Draft::note(SignalKind::Denied, format!("{n} refused in this session so far.")))
}

fn moved_out(s: &Sighting<'_>) -> Option<Draft> {
    let object = s.access.event.object.as_ref()?;
    let area = s.asset.area;
    if s.is_refused || !(is_others(area) || area.is_own()) {
        return None;
    }
    let from = object.path.as_deref().and_then(Outside::of);
    let place = match s.access.event.action.as_ref()? {
        Action::Rename | Action::Link => {
            object.to.as_deref().and_then(Outside::of).filter(|to| Some(*to) != from)
        }
        // Where the practice itself writes its exports is no place outside.
        Action::Create if area == Area::Export => {
            from.filter(|place| !matches!(place, Outside::Home(_) | Outside::Mounted(_)))
        }
        _ => None,
    }?;
    let sentence = match s.access.event.action {
        Some(Action::Create) => format!("The file was made in {}.", place.in_words()),
        Some(Action::Link) => format!("A second name was given to the file, in {}.", place.in_words()),
        _ => format!("The file was moved to {}.", place.in_words()),
    };
    let raises = !area.is_own() && !s.is_under_ticket;
    Some(Draft::note(SignalKind::MovedOut, sentence).raise_if(raises, Again::NextDay))
}

fn through_copy(s: &Sighting<'_>) -> Option<Draft> {
    let event = s.access.event;
    let area = s.asset.area;
    if s.is_refused || !area.is_files() || area == Area::System {
        return None;
    }
    let way = match event.object.as_ref().and_then(|object| object.via.as_ref()) {
        Some(Via::RawDisk) => "below the file system, from the disk itself",
        Some(Via::ShadowCopy) => "from a shadow copy or snapshot",
        Some(Via::Handle) => "by a file handle, without its name",
        _ if area == Area::Backup && event.action == Some(Action::Read) => {
            let again = Again::After { days: DAYS_UNTIL_HABIT_AGAIN, level: 0 };
            let sentence = "A backup was read, not the files that it was made of.";
            return Some(Draft::note(SignalKind::ThroughCopy, sentence).raise_if(!s.is_under_ticket, again));
        }
        _ => return None,
    };
    let sentence = format!("It was reached {way}.");
    Some(Draft::note(SignalKind::ThroughCopy, sentence).raise_if(!s.is_under_ticket, Again::NextDay))
}

fn after_rights_change(past: &Past, s: &Sighting<'_>) -> Option<Draft> {
    if !s.is_others {
        return None;
    }
    let change = recent(past, s, Changed::Rights)?;
    let sentence =
        format!("Rights of this account were changed {} before, by {}.", ago(s.at - change.at), change.by);
    let raises = change.is_own && is_sensitive(s.asset.area) && !s.is_under_ticket && !s.is_refused;
    Some(Draft::note(SignalKind::AfterRightsChange, sentence).raise_if(raises, Again::NextDay))
}

fn after_reset(past: &Past, s: &Sighting<'_>) -> Option<Draft> {
    let is_own = s.asset.area.is_own();
    if !is_own && !s.is_others && s.asset.area != Area::Login {
        return None;
    }
    let change = recent(past, s, Changed::Password).filter(|change| !change.is_own)?;
    let computer = s.from.unwrap_or(s.access.host);
    let is_known = past.computers.get(computer).is_some_and(|reach| reach.first < change.at);
    // Somebody new has no usual computer: the first password is always set by somebody else.
    let has_usual = past.computers.values().any(|reach| reach.first < change.at);
    let place = match (is_known, has_usual) {
        (true, _) if s.access.is_imported() => "this is from an address that it was used from before",
        (false, true) if s.access.is_imported() => "this is from an address that it was not used from before",
        (true, _) => "this is from a computer that it was used from before",
        (false, true) => "this is from a computer that it was not used from before",
        (false, false) => "it was not used before",
    };
    let sentence = format!(
        "The password of this account was set {} before, by {}; {place}.",
        ago(s.at - change.at),
        change.by
    );
    // A whole office has one address to a service outside: there whoever set the password may sit at the next desk.
    let is_question = (has_usual && !is_known) || s.access.is_imported();
    let raises = is_own && is_question && s.decision.outcome == Judgement::Explained;
    Some(Draft::note(SignalKind::AfterReset, sentence).raise_if(raises, Again::NextDay))
}

fn recent<'p>(past: &'p Past, s: &Sighting<'_>, what: Changed) -> Option<&'p super::past::Change> {
    let is_recent = |at: i64| at <= s.at && s.at.saturating_sub(at) <= CHANGE_MATTERS_S;
    past.changes.iter().rev().find(|change| change.what == what && is_recent(change.at))
}

fn unenrolled(history: &History, past: &Past, s: &Sighting<'_>, roster: &Roster) -> Option<Draft> {
    let from = s.from?;
    let before = past.computers.get(from).map_or(0, |reach| reach.days_before(s.day));
    if before >= DAYS_UNTIL_KNOWN || history.desk.knows(from) || roster.is_known_computer(from) {
        return None;
    }
    let sentence = format!(
        "The session came from {from}, which is not enrolled and was not used by this account on {DAYS_UNTIL_KNOWN} days before."
    );
    let area = s.asset.area;
    let is_ripe = history.age_days(s.day) >= DAYS_UNTIL_RIPE;
    let raises =
        is_ripe && (is_sensitive(area) || area == Area::Backup) && !s.is_under_ticket && !s.is_refused;
    let again = Again::After { days: DAYS_UNTIL_HABIT_AGAIN, level: 0 };
    Some(Draft::note(SignalKind::UnenrolledHost, sentence).raise_if(raises, again))
}

fn remote_control(history: &History, s: &Sighting<'_>) -> Option<Draft> {
    let area = s.asset.area;
    if area == Area::RemoteControl {
        return None;
    }
    let interval = history.desk.interval(s.access);
    let own = s.access.event.actor.as_ref().and_then(|actor| actor.tool.as_deref());
    let tool = own.or(s.access.remote_tool).or(interval.map(|interval| interval.tool.as_str()))?;
    let has_ticket = interval.is_some_and(|interval| interval.has_ticket);
    let ticket = if has_ticket { "under a ticket" } else { "without a ticket for it" };
    let sentence = format!("{tool} was driving the session or the computer at that time, {ticket}.");
    let is_protected = is_others(area) || area.is_own() || area == Area::SelfFiles;
    let raises = is_protected && !has_ticket && !s.is_under_ticket && !s.is_refused;
    Some(Draft::note(SignalKind::RemoteControl, sentence).raise_if(raises, Again::NextDay))
}

/// No work leads to a decoy, so a ticket for something else does not explain it.
fn decoy(s: &Sighting<'_>) -> Option<Draft> {
    let event = s.access.event;
    event.object.as_ref()?.decoy.filter(|is_decoy| *is_decoy)?;
    let verb = match event.action {
        Some(Action::Read | Action::OpenDenied) | None if s.is_refused => {
            "asked for, and the system refused it"
        }
        Some(Action::Read) | None => "opened",
        Some(Action::List) => "listed",
        Some(_) => "touched",
    };
    let sentence =
        format!("A decoy was {verb}: it was put there for nobody to open, so no task leads to it.");
    Some(Draft::note(SignalKind::Decoy, sentence).raise_if(true, Again::NextDay))
}

fn clock_off(s: &Sighting<'_>) -> Option<Draft> {
    let off = s.access.clock_off()?;
    let way = if off.is_positive() {
        "later than it was received"
    } else {
        "earlier than the machine’s entries before it allow"
    };
    let sentence = format!("By the machine’s clock this happened {} {way}.", ago(off.abs().as_secs()));
    Some(Draft::note(SignalKind::ClockOff, sentence))
}

fn after_notice(s: &Sighting<'_>, others: &[Draft]) -> Option<Draft> {
    let notice = s.person?.notice_given.filter(|notice| *notice <= s.local.date)?;
    let area = s.asset.area;
    if !(is_others(area) || area.is_own()) {
        return None;
    }
    let is_much =
        |draft: &Draft| matches!(draft.kind, SignalKind::Bulk | SignalKind::Volume | SignalKind::MovedOut);
    let sentence = format!("It has been known since {notice} that this person leaves.");
    let raises = others.iter().any(is_much) && !s.is_under_ticket;
    Some(Draft::note(SignalKind::AfterNotice, sentence).raise_if(raises, Again::NextDay))
}

fn accesses(n: f64) -> String {
    count(rounded(n), "access", "accesses")
}

fn whole(n: f64) -> String {
    number(rounded(n))
}

fn rounded(n: f64) -> u64 {
    // A float becomes the nearest whole number; what is too large or none at all becomes the nearest that fits.
    n.round().max(0.0) as u64
}

/// `3 hours`, `2 days`.
fn ago(seconds: i64) -> String {
    crate::report::text::duration(jiff::SignedDuration::from_secs(seconds))
}

fn topic(area: Area) -> &'static str {
    match area {
        Area::Mailbox | Area::ManagersMailbox => "other people’s mailboxes",
        Area::Voicemail => "other people’s voicemail",
        Area::Ehr => "the health-record system’s files",
        Area::Export => "the health-record exports",
        Area::Hr => "the personnel files",
        Area::Backup => "the backups",
        _ => "protected files",
    }
}
