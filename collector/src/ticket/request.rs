//! A request for access: from the words that somebody typed, imported or sent to a [`Request`], or every fault.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ROLE, Scope, TicketKind};
use crate::admin::requests::{Edge, moment as read_moment};
use crate::need_to_know::moment;
use crate::policy::{Area, TicketTerms};
use crate::roster::Roster;

/// How long a ticket holds where nobody says.
pub const HOURS_DEFAULT: u32 = 4;
/// How far ahead a ticket may begin, days.
const AHEAD_DAYS_MAX: i64 = 90;
/// The longest reason, letters.
pub const REASON_MAX: usize = 500;
/// The longest name of an owner, a machine, a help desk's number.
const NAME_MAX: usize = 120;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Number of the ticket, `T-12`.
    pub id: String,
    /// What kind of work it is for.
    pub kind: TicketKind,
    /// Whom it lets in: id of a person or an organisation, or `role:` and a role.
    pub assignee: String,
    /// The one area it is for.
    pub class: Area,
    /// What of that area.
    pub scope: Scope,
    /// First moment covered.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// Last moment covered.
    #[serde(with = "moment")]
    pub to: Timestamp,
    /// Why, as typed.
    pub reason: String,
    /// Who asked: an id of the roster, or the name of a help desk's token.
    pub requested_by: String,
    /// How it came.
    pub via: Via,
    /// The help desk's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// Typed by somebody at the collector.
    #[serde(rename = "command line")]
    CommandLine,
    /// Typed by somebody who is signed in to the console.
    #[serde(rename = "console")]
    Console,
    /// A row of a file.
    #[serde(rename = "csv")]
    Csv,
    /// A help-desk system.
    #[serde(rename = "rest")]
    Rest,
}

/// The words of a request, before anything is known about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Whom it lets in.
    #[serde(rename = "for")]
    pub assignee: String,
    /// The area.
    pub class: String,
    /// Only what belongs to this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only what lies on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// From when; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many hours, where no end is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
    /// Why.
    pub reason: String,
    /// What kind of work it is for; a ticket where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Who asks; the assignee where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The help desk's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which key: `for`, `class`, `owner`, `host`, `from`, `to`, `hours`, `reason`, `kind`, `by`.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub wrong: String,
}

impl Draft {
    /// Reads the words; every fault at once. `now` is in the practice's zone.
    pub fn read(
        &self,
        id: String,
        roster: &Roster,
        terms: &TicketTerms,
        via: Via,
        now: &Zoned,
    ) -> Result<Request, Vec<Fault>> {
        let mut faults = Faults(Vec::new());
        let kind = self.read_kind(&mut faults);
        self.check_assignee(kind, roster, &mut faults);
        let class = self.read_class(&mut faults);
        let scope = self.read_scope(kind, &mut faults);
        let span = self.read_span(terms, now, &mut faults);
        if let Err(wrong) = reason(&self.reason) {
            faults.add("reason", wrong);
        }
        for (key, text) in [("by", &self.by), ("external_id", &self.external_id)] {
            if text.as_deref().is_some_and(|text| !is_name(text)) {
                faults.add(key, format!("is not a name of 1 to {NAME_MAX} letters without line breaks"));
            }
        }
        match (class, scope, span) {
            (Some(class), Some(scope), Some((from, to))) if faults.0.is_empty() => Ok(Request {
                id,
                kind: kind.unwrap_or_default(),
                assignee: self.assignee.clone(),
                class,
                scope,
                from,
                to,
                reason: self.reason.trim().to_owned(),
                requested_by: self.by.clone().unwrap_or_else(|| self.assignee.clone()),
                via,
                external_id: self.external_id.clone(),
            }),
            _ => Err(faults.0),
        }
    }

    fn read_kind(&self, faults: &mut Faults) -> Option<TicketKind> {
        let Some(word) = self.kind.as_deref() else { return Some(TicketKind::Ticket) };
        let kind = TicketKind::parse(word);
        if kind.is_none() {
            faults.add("kind", format!("`{word}` is none of {}", TicketKind::WORDS.join(", ")));
        }
        kind
    }

    fn check_assignee(&self, kind: Option<TicketKind>, roster: &Roster, faults: &mut Faults) {
        let assignee = &self.assignee;
        if let Some(role) = assignee.strip_prefix(ROLE) {
            if kind.is_some_and(|kind| kind != TicketKind::Maintenance) {
                faults
                    .add("for", "only a maintenance window is for a role; name a person or an organisation");
            } else if !roster.persons().iter().any(|person| person.has_role(role)) {
                faults.add("for", format!("nobody in the roster has the role `{role}`"));
            }
        } else if assignee.is_empty() {
            faults.add("for", "is missing; name a person or an organisation by the id in the roster");
        } else if roster.person(assignee).is_none() {
            faults.add(
                "for",
                format!(
                    "`{assignee}` is not in the roster; use an id that `ntk-collector roster export` shows"
                ),
            );
        }
    }

    fn read_class(&self, faults: &mut Faults) -> Option<Area> {
        let word = &self.class;
        let area = Area::ALL.iter().copied().find(|area| area.as_str() == word);
        match area {
            Some(area) if area.class() == area => return Some(area),
            None if word.is_empty() => faults.add("class", "is missing; name exactly one, such as `export`"),
            Some(area) => faults.add(
                "class",
                format!("`{word}` is a special case; write `{}` and name the owner", area.class()),
            ),
            None => {
                let general = Area::ALL.iter().filter(|area| area.class() == **area);
                let words: Vec<_> = general.map(|area| area.as_str()).collect();
                faults.add("class", format!("`{word}` is none of {}; name exactly one", words.join(", ")));
            }
        }
        None
    }

    fn read_scope(&self, kind: Option<TicketKind>, faults: &mut Faults) -> Option<Scope> {
        for (key, text) in [("owner", &self.owner), ("host", &self.host)] {
            if text.as_deref().is_some_and(|text| !is_name(text)) {
                faults.add(key, format!("is not a name of 1 to {NAME_MAX} letters without line breaks"));
            }
        }
        match (self.owner.clone(), self.host.clone()) {
            (Some(_), Some(_)) => {
                faults.add("owner", "give an owner or a host, not both");
                None
            }
            (Some(owner), None) => Some(Scope::Owner(owner)),
            (None, Some(host)) => Some(Scope::Host(host)),
            (None, None) if kind == Some(TicketKind::Maintenance) => {
                faults.add("host", "is missing; a maintenance window is for one machine");
                None
            }
            (None, None) => Some(Scope::Everything),
        }
    }

    fn read_span(
        &self,
        terms: &TicketTerms,
        now: &Zoned,
        faults: &mut Faults,
    ) -> Option<(Timestamp, Timestamp)> {
        let n_before = faults.0.len();
        let mut read = |key, text: &Option<String>, edge| {
            let text = text.as_deref()?;
            let at = moment_in(text, now.time_zone(), edge);
            if at.is_none() {
                let how = "write 2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30:00Z";
                faults.add(key, format!("`{text}` is not a time; {how}"));
            }
            at
        };
        let from = read("from", &self.from, Edge::Start);
        let to = read("to", &self.to, Edge::End);
        if self.hours.is_some() && self.to.is_some() {
            faults.add("hours", "give an end or a number of hours, not both");
        }
        if self.hours.is_some_and(|hours| hours < 1 || hours > terms.hours_max) {
            faults.add("hours", format!("is a number from 1 to {}", terms.hours_max));
        }
        if faults.0.len() > n_before {
            return None;
        }
        let now = now.timestamp();
        let from = from.unwrap_or(now);
        let hours = |hours: u32| SignedDuration::from_hours(i64::from(hours));
        let default = HOURS_DEFAULT.min(terms.hours_max);
        let to = to.or_else(|| from.checked_add(hours(self.hours.unwrap_or(default))).ok());
        let Some(to) = to else {
            faults.add("from", "is too far ahead");
            return None;
        };
        if to <= from {
            faults.add("to", "is not later than `from`");
        } else if to.duration_since(from) > hours(terms.hours_max) {
            let wrong = format!("is more than {} hours after `from`; ask for less", terms.hours_max);
            faults.add("to", wrong);
        } else if to <= now {
            faults.add("to", "is over already; a ticket cannot allow what was done before it");
        }
        if now.checked_add((AHEAD_DAYS_MAX * 24).hours()).is_ok_and(|latest| from > latest) {
            faults.add("from", format!("is more than {AHEAD_DAYS_MAX} days ahead"));
        }
        (faults.0.len() == n_before).then_some((from, to))
    }
}

struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, key: &'static str, wrong: impl Into<String>) {
        self.0.push(Fault { key, wrong: wrong.into() });
    }
}

/// Checks a typed reason.
pub fn reason(text: &str) -> Result<(), String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty; say why in a few words".to_owned());
    }
    if text.chars().count() > REASON_MAX || text.chars().any(char::is_control) {
        return Err(format!("is longer than {REASON_MAX} letters or holds line breaks; say it in one line"));
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control)
}

fn moment_in(text: &str, zone: &TimeZone, edge: Edge) -> Option<Timestamp> {
    read_moment(text, zone, edge).ok()
}
