//! Events: what an account touched, a page at a time, with the gaps in between, and the same as a spreadsheet.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;

use super::Console;
use super::gate::encoded;
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use crate::admin::Failure;
use crate::admin::events::stretch::{Bounds, Line, Stretch, read};
use crate::admin::events::{EventsQuery, Place, What, sheet};
use crate::admin::requests::{Edge, moment};
use crate::admin::roster::in_force;
use crate::finding::incident::Incident;
use crate::report::text;
use crate::roster::Roster;

/// One page.
const PAGE: Bounds = Bounds { rows: 100, entries: 200_000 };
/// One spreadsheet.
const SHEET: Bounds = Bounds { rows: 10_000, entries: 1_000_000 };
/// Days that are looked through where none are named.
const DAYS: i64 = 7;
/// Pages that a link back remembers.
const BACK_MAX: usize = 40;
/// Letters of a field.
const FIELD_MAX: usize = 300;

/// What may stand in the field of the kind.
const KINDS: [(&str, &str); 5] = [
    ("everything", "everything"),
    ("read", "opened for reading"),
    ("change", "written, removed, renamed"),
    ("login", "sessions"),
    ("admin", "rights, programs, settings"),
];
/// What may be named as a place.
const CLASSES: [&str; 8] = ["mailbox", "voicemail", "ehr", "export", "hr", "backup", "system", "self"];

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/events", get(list)).route("/events.csv", get(download))
}

/// The fields as they were sent.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    person: String,
    #[serde(default)]
    computer: String,
    #[serde(default)]
    asset: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    what: String,
    /// That the form was sent, whatever stands in it.
    #[serde(default)]
    show: String,
    /// After which place of the ledger the page begins.
    #[serde(default)]
    after: String,
    /// Where the pages before it began: `0.0,12.345`.
    #[serde(default)]
    before: String,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Default)]
struct Wrong {
    field: &'static str,
    sentence: String,
}

impl Wanted {
    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("person", &self.person),
            ("computer", &self.computer),
            ("asset", &self.asset),
            ("path", &self.path),
            ("from", &self.from),
            ("to", &self.to),
            ("what", &self.what),
        ]
    }

    /// Whether anything is asked for.
    fn is_asked(&self) -> bool {
        !self.show.is_empty() || self.fields().iter().any(|(_, value)| !value.is_empty())
    }

    /// The same search as part of an address.
    fn address(&self) -> String {
        let given = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        let pairs = given.map(|(name, value)| format!("&{name}={}", encoded(value)));
        format!("?show=1{}", pairs.collect::<String>())
    }

    /// As the code behind asks it, or the field that is wrong.
    fn query(&self, roster: &Roster, zone: &TimeZone, now: Timestamp) -> Result<EventsQuery, Wrong> {
        let too_long = self.fields().into_iter().find(|(_, value)| value.chars().count() > FIELD_MAX);
        if let Some((field, _)) = too_long {
            return Err(Wrong { field, sentence: format!("At most {FIELD_MAX} letters fit here.") });
        }
        let day = |field: &'static str, text: &str, edge| {
            let wrong = |_| Wrong { field, sentence: "Write a day as 2026-11-30.".to_owned() };
            moment(text, zone, edge).map_err(wrong)
        };
        let to = match self.to.trim() {
            "" => None,
            text => Some(day("to", text, Edge::End)?),
        };
        let from = match self.from.trim() {
            "" => to.unwrap_or(now).checked_sub((DAYS * 24).hours()).unwrap_or(Timestamp::UNIX_EPOCH),
            text => day("from", text, Edge::Start)?,
        };
        if to.is_some_and(|to| to < from) {
            let sentence = "The last day is before the first one.".to_owned();
            return Err(Wrong { field: "to", sentence });
        }
        let what = match self.what.as_str() {
            "" => What::Everything,
            name => What::parse(name).ok_or_else(|| Wrong {
                field: "what",
                sentence: "Choose one of the kinds that there are.".to_owned(),
            })?,
        };
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let by_name = |name: String| {
            let known = roster.persons().iter().find(|person| person.name.eq_ignore_ascii_case(&name));
            known.map_or(name, |person| person.id.clone())
        };
        Ok(EventsQuery {
            person: given(&self.person).map(by_name),
            computer: given(&self.computer),
            asset: given(&self.asset),
            path: given(&self.path),
            from: Some(from.to_string()),
            to: to.map(|to| to.to_string()),
            what: Some(what),
            after: Place::parse(&self.after).map(|place| place.to_string()),
            ..EventsQuery::default()
        })
    }

    /// Addresses of the page before and the page after.
    fn neighbours(&self, next: Option<Place>) -> (Option<String>, Option<String>) {
        let here = Place::parse(&self.after);
        let mut before: Vec<Place> = self.before.split(',').filter_map(Place::parse).collect();
        let later = next.map(|next| {
            let begin = here.unwrap_or(Place { leaf: 0, number: 0 });
            let mut all = before.clone();
            all.push(begin);
            let skip = all.len().saturating_sub(BACK_MAX);
            let all: Vec<String> = all.iter().skip(skip).map(ToString::to_string).collect();
            format!("/events{}&after={next}&before={}", self.address(), all.join(","))
        });
        let earlier = here.map(|_| match before.pop() {
            Some(place) if place.leaf > 0 || place.number > 0 => {
                let all: Vec<String> = before.iter().map(ToString::to_string).collect();
                format!("/events{}&after={place}&before={}", self.address(), all.join(","))
            }
            _ => format!("/events{}", self.address()),
        });
        (earlier, later)
    }
}

/// The events around an incident: its holder, its days, its computer where it is only one.
pub(super) fn around(incident: &Incident, zone: &TimeZone) -> String {
    let day =
        |at: Option<Timestamp>| at.map(|at| zone.to_datetime(at).date().to_string()).unwrap_or_default();
    let wanted = Wanted {
        person: incident.person.clone().or_else(|| incident.account.clone()).unwrap_or_default(),
        computer: match incident.hosts.as_slice() {
            [only] => only.clone(),
            _ => String::new(),
        },
        from: day(incident.first_time),
        to: day(incident.last_time.or(incident.first_time)),
        ..Wanted::default()
    };
    format!("/events{}", wanted.address())
}

#[derive(Template)]
#[template(path = "console/events.html")]
struct EventsPage {
    shell: Shell,
    wanted: Wanted,
    wrong: Wrong,
    people: Vec<(String, String)>,
    computers: Vec<String>,
    zone: TimeZone,
    is_asked: bool,
    found: Stretch,
    n_entries: usize,
    sheet: String,
    earlier: Option<String>,
    later: Option<String>,
    reached: String,
}

impl EventsPage {
    fn at(&self, at: &Option<Timestamp>) -> String {
        let there =
            at.map(|at| at.to_zoned(self.zone.clone()).strftime("%a %-d %b %Y, %H:%M:%S").to_string());
        there.unwrap_or_default()
    }

    fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("the practice’s own zone")
    }

    fn n(&self, n: &u64) -> String {
        text::number(*n)
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.wrong.field == field
    }
}

async fn list(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone().clone();
    let mut wrong = Wrong::default();
    let mut found = Stretch::default();
    let is_asked = wanted.is_asked();
    if is_asked {
        match wanted.query(&roster, &zone, console.now()) {
            Ok(query) => found = read(&console.app, &visitor.viewer(), query, PAGE).await?,
            Err(fault) => wrong = fault,
        }
    }
    let status = if wrong.field.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let (earlier, later) = wanted.neighbours(found.next);
    let published = console.app.ledger.published();
    let machines = published.registry.machines.keys();
    let page = EventsPage {
        shell: Shell::new(&console, Some(&visitor), "/events", "Events"),
        people: roster.persons().iter().map(|person| (person.id.clone(), person.name.clone())).collect(),
        computers: machines.map(|author| author.trim_start_matches("agent/").to_owned()).collect(),
        sheet: format!("/events.csv{}&after={}", wanted.address(), encoded(&wanted.after)),
        n_entries: found.lines.iter().filter(|line| matches!(line, Line::Entry(_))).count(),
        reached: found.reached.map(|at| text::moment(at, &zone)).unwrap_or_default(),
        zone,
        is_asked: is_asked && wrong.field.is_empty(),
        wanted,
        wrong,
        found,
        earlier,
        later,
    };
    page_with(status, &page)
}

async fn download(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    let query = wanted
        .query(&roster, zone, console.now())
        .map_err(|wrong| Trouble::from(Failure::bad(wrong.sentence)))?;
    let found = read(&console.app, &visitor.viewer(), query, SHEET).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"events.csv\""),
    ];
    Ok((headers, sheet::write(&found, zone)).into_response())
}
