//! One page of entries in plain words, with the times in between in which a computer did not record.
//!
//! Pure but for what is read: at most [`Bounds::rows`] lines are kept and at most [`Bounds::entries`] entries looked at,
//! so that a page over years of a busy practice costs no more than one over a week.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::bundle::wording;
use ntk_evidence::event::{Confidence, Event, Kind, Object, Via};

use super::{EventsQuery, Place};
use crate::admin::viewer::{Themselves, Viewer};
use crate::admin::{Answer, Failure, blocking, findings, record};
use crate::app::App;
use crate::finding::Finding;
use crate::finding::story::belongs;
use crate::finding::way::file_name;
use crate::follow::Lookup;
use crate::follow::answer::Seen;
use crate::need_to_know::Who;
use crate::report::build::cause_in_words;
use crate::report::shown::visible;
use crate::report::text::{count, period};
use crate::roster::{Attribution, Roster, account_text};
use crate::silence::{Cause, Silence, Step};

/// Letters of one text that are shown.
const LETTERS_MAX: usize = 300;
/// Gaps that are shown where no entry fits.
const GAPS_MAX: usize = 20;

/// How much one page may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Lines.
    pub(crate) rows: usize,
    /// Entries that are looked at.
    pub(crate) entries: u64,
}

/// An entry in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it stands.
    pub(crate) place: Place,
    /// When, as the machine claims; absent where that cannot be read.
    pub(crate) at: Option<Timestamp>,
    /// The same as it came.
    pub(crate) time: String,
    /// Who, as far as the record and the roster show.
    pub(crate) who: String,
    /// On which computer.
    pub(crate) computer: String,
    /// What the record proves.
    pub(crate) what: String,
    /// Where: the path, or what it is part of.
    pub(crate) at_what: String,
    /// Through what: program, tool, share, from which address.
    pub(crate) through: String,
    /// Which sensor said so.
    pub(crate) sensor: String,
    /// How sure it is who it was.
    pub(crate) sure: &'static str,
    /// The finding that it is part of.
    pub(crate) finding: Option<String>,
}

/// A time in which a computer did not record, or was not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// On which computer.
    pub(crate) computer: String,
    /// From when to when and why, in words.
    pub(crate) sentence: String,
}

/// What stands on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// An entry.
    Entry(Box<Row>),
    /// A gap.
    Gap(Gap),
}

/// A page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stretch {
    /// In the order of the ledger.
    pub(crate) lines: Vec<Line>,
    /// Where the next page goes on; absent where there is nothing more.
    pub(crate) next: Option<Place>,
    /// Whether the page ends because enough was looked through, not because it is full.
    pub(crate) is_tired: bool,
    /// How far it was looked through then.
    pub(crate) reached: Option<Timestamp>,
    /// Entries that are, or may be, about the one who asks.
    pub(crate) n_hidden: u64,
    /// Batches of that time that have lost their entries to retention.
    pub(crate) n_removed: u64,
    /// Gaps that there was no room for.
    pub(crate) n_more_gaps: usize,
}

/// Reads a page for whoever asks. That they looked is an act.
pub(crate) async fn read(app: &App, viewer: &Viewer, query: EventsQuery, bounds: Bounds) -> Answer<Stretch> {
    let (span, after) = (query.span()?, query.place()?);
    let hidden = findings::hidden_from(app, viewer).await?;
    let (looked, viewer) = (query.looked(viewer), viewer.clone());
    let app_for_reading = app.clone();
    let stretch = blocking(move || {
        let lookup = &app_for_reading.lookup;
        let roster = lookup.rules_now()?.0;
        let mut reading = Reading {
            them: viewer.themselves(&roster),
            findings: by_author(lookup)?,
            zone: lookup.zone(),
            roster,
            query: &query,
            hidden,
            span,
            after,
            bounds,
            n_looked: 0,
            n_rows: 0,
            last: None,
            found: Stretch::default(),
        };
        lookup.events_from(after.map_or(0, |place| place.leaf), span, |seen, rules| {
            reading.take(&seen, &rules.roster)
        })?;
        let published = app_for_reading.ledger.published();
        let mut found = reading.finish(&published.registry.silent);
        found.n_removed = lookup.removed(span.0, span.1)?;
        Ok(found)
    })
    .await?;
    record(app, ntk_evidence::act::kind::VIEWED, looked).await?;
    Ok(stretch)
}

fn by_author(lookup: &Lookup) -> Answer<BTreeMap<String, Vec<Finding>>> {
    let mut all: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for record in lookup.store().findings().map_err(|error| Failure::ours(&error))? {
        all.entry(record.finding.author.clone()).or_default().push(record.finding);
    }
    Ok(all)
}

/// A page in the making.
struct Reading<'a> {
    query: &'a EventsQuery,
    them: Themselves,
    roster: Roster,
    /// Findings by author.
    findings: BTreeMap<String, Vec<Finding>>,
    /// Ids of findings that the one who asks is not shown.
    hidden: BTreeSet<String>,
    zone: &'a TimeZone,
    span: (i64, i64),
    after: Option<Place>,
    bounds: Bounds,
    n_looked: u64,
    n_rows: usize,
    last: Option<Place>,
    found: Stretch,
}

impl Reading<'_> {
    fn take(&mut self, seen: &Seen<'_>, then: &Roster) -> ControlFlow<()> {
        let place = Place { leaf: seen.record.leaf, number: seen.access.number };
        if self.after.is_some_and(|after| place <= after) {
            return ControlFlow::Continue(());
        }
        let is_full = self.n_rows >= self.bounds.rows;
        if self.n_looked >= self.bounds.entries {
            self.found.is_tired = !is_full;
            self.found.next = self.last;
            return ControlFlow::Break(());
        }
        self.n_looked = self.n_looked.saturating_add(1);
        if let Some(gap) = self.gap(seen) {
            if !is_full {
                self.found.lines.push(Line::Gap(gap));
                self.last = Some(place);
            }
            return ControlFlow::Continue(());
        }
        if seen.record.author == "collector" || !self.query.fits(self.span, seen, then) {
            if !is_full {
                self.last = Some(place);
                self.found.reached = seen.access.local.map(|local| local.at);
            }
            return ControlFlow::Continue(());
        }
        if self.is_about_them(seen) {
            self.found.n_hidden = self.found.n_hidden.saturating_add(1);
            self.last = if is_full { self.last } else { Some(place) };
            return ControlFlow::Continue(());
        }
        if is_full {
            self.found.next = self.last;
            return ControlFlow::Break(());
        }
        self.n_rows = self.n_rows.saturating_add(1);
        let row = row(seen, then, self.finding(seen));
        self.found.lines.push(Line::Entry(Box::new(row)));
        self.last = Some(place);
        ControlFlow::Continue(())
    }

    fn of_entry(&self, seen: &Seen<'_>) -> impl Iterator<Item = &Finding> {
        let of_author = self.findings.get(seen.access.author).map_or(&[][..], Vec::as_slice);
        of_author.iter().filter(|finding| belongs(finding, seen.access, seen.decision))
    }

    /// VW-1.
    fn is_about_them(&self, seen: &Seen<'_>) -> bool {
        self.them.are_in_entry(seen.access, seen.decision, &self.roster)
            || self.of_entry(seen).any(|finding| self.them.are_in(finding))
    }

    fn finding(&self, seen: &Seen<'_>) -> Option<String> {
        let mut shown = self.of_entry(seen).filter(|finding| !self.hidden.contains(&finding.id));
        shown.next().map(|finding| finding.id.clone())
    }

    /// What an entry says about a time that was not recorded; of the computer asked for only.
    fn gap(&self, seen: &Seen<'_>) -> Option<Gap> {
        let parse = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let (author, from, to, why) = if let Some(gap) = &seen.event.gap {
            if gap.lost == Some(0) {
                return None;
            }
            let lost = gap.lost.map(|lost| format!("; {} lost", count(lost, "record", "records")));
            let why = format!("{}{}", cause_in_words(&gap.cause), lost.unwrap_or_default());
            (seen.access.host.to_owned(), parse(&gap.from), parse(&gap.to), why)
        } else {
            let silence = Silence::of(seen.event).filter(|silence| silence.step == Step::Ended)?;
            let from = silence.from.parse().ok();
            (silence.author.clone(), from, parse(&silence.to), silence_in_words(silence.cause).to_owned())
        };
        let computer = author.trim_start_matches("agent/").to_owned();
        self.is_asked_for(&computer).then_some(())?;
        let at: Option<Timestamp> = seen.event.time.parse().ok();
        let (from, to) = (from.or(at)?, to.or(at)?);
        let is_inside =
            from.as_nanosecond() <= i128::from(self.span.1) && to.as_nanosecond() >= i128::from(self.span.0);
        let when = period(from, to.max(from), self.zone);
        let before = if seen.event.gap.is_some() { "may not have recorded all" } else { "was not heard" };
        let computer = clean(&computer);
        let why = clean(&why);
        is_inside.then(|| Gap { sentence: format!("{computer} {before}, {when}: {why}."), computer })
    }

    fn is_asked_for(&self, computer: &str) -> bool {
        self.query.computer.as_ref().is_none_or(|asked| asked.eq_ignore_ascii_case(computer))
    }

    /// What is kept: gaps of computers that the page is about, and all where it shows no entry.
    fn finish(mut self, open: &BTreeMap<String, String>) -> Stretch {
        if self.found.next.is_none() {
            for (author, since) in open {
                let Ok(from) = since.parse::<Timestamp>() else { continue };
                let computer = author.trim_start_matches("agent/").to_owned();
                if self.is_asked_for(&computer) && from.as_nanosecond() <= i128::from(self.span.1) {
                    let when = crate::report::text::moment(from, self.zone);
                    let sentence = format!("{computer} has not been heard since {when}.");
                    self.found.lines.push(Line::Gap(Gap { computer, sentence }));
                }
            }
        }
        let computers: BTreeSet<String> = self
            .found
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Entry(row) => Some(row.computer.clone()),
                Line::Gap(_) => None,
            })
            .collect();
        let mut n_gaps = 0usize;
        let mut n_more = 0usize;
        self.found.lines.retain(|line| match line {
            Line::Entry(_) => true,
            Line::Gap(gap) if !computers.is_empty() => computers.contains(&gap.computer),
            Line::Gap(_) => {
                n_gaps = n_gaps.saturating_add(1);
                n_more = n_gaps.saturating_sub(GAPS_MAX);
                n_gaps <= GAPS_MAX
            }
        });
        self.found.n_more_gaps = n_more;
        self.found
    }
}

/// A text of a machine or of a person, made visible and bounded.
fn clean(text: &str) -> String {
    let text = visible(text);
    let more = text.chars().count().saturating_sub(LETTERS_MAX);
    if more == 0 {
        return text;
    }
    let kept: String = text.chars().take(LETTERS_MAX).collect();
    format!("{kept}… ({})", count(more, "more letter", "more letters"))
}

/// Why a computer was not heard.
const fn silence_in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Silent => "nothing says why",
        Cause::PoweredOff => "it was started again afterwards",
        Cause::Asleep => "it slept",
        Cause::Frozen => "the agent was held still while the computer ran",
        Cause::Firewalled => "the way to the collector was cut; what was recorded meanwhile came later",
        Cause::Stopped => "the agent was not running",
    }
}

/// An entry in words, made visible and bounded.
fn row(seen: &Seen<'_>, roster: &Roster, finding: Option<String>) -> Row {
    let event = seen.event;
    let times = event.count.filter(|count| *count > 1);
    let times = times.map(|n| format!(", {}", count(n, "time", "times"))).unwrap_or_default();
    let what = event.action.as_ref().filter(|action| !action.is_known());
    let other = what.map(|action| format!(" ({})", clean(action.as_str()))).unwrap_or_default();
    let sensor = event.source.as_ref().and_then(|source| source.sensor.as_deref());
    let recorded = event.source.as_ref().and_then(|source| source.recorded) == Some(true);
    Row {
        place: Place { leaf: seen.record.leaf, number: seen.access.number },
        at: seen.access.local.map(|local| local.at),
        time: clean(&event.time),
        who: clean(&who(seen, roster)),
        computer: clean(seen.access.host),
        what: format!("{}{other}{times}", wording::verb(event)),
        at_what: clean(&place(seen)),
        through: clean(&through(seen)),
        sensor: format!(
            "{}{}",
            clean(sensor.unwrap_or("not named")),
            if recorded { ", from a recording" } else { "" }
        ),
        sure: sure(event),
        finding,
    }
}

/// The holder and the account, no more than is shown by the record and the roster.
fn who(seen: &Seen<'_>, roster: &Roster) -> String {
    let actor = seen.event.actor.as_ref();
    let account = |name: String| format!("account {name}");
    match &seen.decision.who {
        Some(Who { holder: Some(holder), account: Some(user), is_verified: true, .. }) => {
            format!("{holder}, account {user}")
        }
        Some(Who { account: Some(user), is_verified: false, .. }) => {
            format!("not known who; the name {user} was typed")
        }
        Some(Who { account: Some(user), .. }) => format!("account {user}, not in the roster"),
        _ => {
            let Some(actor) = actor else { return "not shown by the record".to_owned() };
            let person =
                |id: &String| roster.person(id).map_or_else(|| id.clone(), |person| person.in_words());
            let name = account_text(actor).unwrap_or_else(|| "without a name".to_owned());
            match roster.person_of(seen.access.host, actor) {
                Attribution::Person(id) => format!("{}, {}", person(&id), account(name)),
                Attribution::Shared(ids) => {
                    let names: Vec<String> = ids.iter().map(person).collect();
                    format!("{}, {}", names.join(" or "), account(name))
                }
                Attribution::Account(_) => format!("{}, not in the roster", account(name)),
                Attribution::Unattributed => match &actor.claims {
                    Some(name) => format!("not known who; the name {name} was typed"),
                    None => "not shown by the record".to_owned(),
                },
            }
        }
    }
}

fn place(seen: &Seen<'_>) -> String {
    let object = seen.event.object.as_ref();
    let path = object.and_then(|object| object.path.clone());
    let to = object.and_then(|object| object.to.as_ref()).map(|to| format!(" to {to}"));
    let label = seen.decision.asset.as_ref().map(|asset| asset.label.clone());
    let class = |object: &Object| object.class.as_ref().map(ToString::to_string);
    match (path, label.or_else(|| object.and_then(class))) {
        (Some(path), Some(label)) => format!("{path}{} ({label})", to.unwrap_or_default()),
        (Some(path), None) => format!("{path}{}", to.unwrap_or_default()),
        (None, Some(label)) => label,
        (None, None) => String::new(),
    }
}

fn through(seen: &Seen<'_>) -> String {
    let event = seen.event;
    let actor = event.actor.as_ref();
    let program = event.process.as_ref().and_then(|process| process.exe.as_deref()).map(file_name);
    let rights = actor.and_then(|actor| {
        actor.effective_user.as_ref().filter(|user| actor.login_user.as_ref() != Some(*user))
    });
    let via = match event.object.as_ref().and_then(|object| object.via.as_ref()) {
        Some(Via::RawDisk) => Some("the raw disk".to_owned()),
        Some(Via::ShadowCopy) => Some("a shadow copy".to_owned()),
        Some(Via::Share) => Some("a network share".to_owned()),
        Some(Via::Handle) => Some("a file handle".to_owned()),
        Some(Via::IoUring | Via::Direct) | None => None,
        Some(Via::Other(other)) => Some(other.clone()),
    };
    let parts = [
        program,
        via,
        seen.access.tool().map(|tool| format!("driven through {tool}")),
        rights.map(|user| format!("with the rights of {user}")),
        actor.and_then(|actor| actor.from.as_ref()).map(|from| format!("from {from}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn sure(event: &Event) -> &'static str {
    match event.actor.as_ref().and_then(|actor| actor.confidence.as_ref()) {
        Some(Confidence::Kernel) => "who: stamped by the kernel",
        Some(Confidence::Derived) => "who: derived from other records",
        Some(Confidence::Unattributed) => "who: nobody can be named",
        Some(Confidence::Other(_)) => "who: in a word of a newer version",
        None if event.kind == Kind::Tamper => "who: not part of the record",
        None => "who: as the system’s own log has it",
    }
}
