//! Entries of a person, a time, a place: as lines of JSON, and as the page Events shows them.
//!
//! Both ask the same ([`EventsQuery`]) and leave out what is about the one who asks (VW-1).

pub(crate) mod sheet;
pub(crate) mod stretch;

use std::ops::ControlFlow;

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use ntk_evidence::act;
use ntk_evidence::event::{Action, Event, Kind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::requests::{Edge, moment};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::follow::answer::Seen;
use crate::need_to_know::Reason;
use crate::roster::{Attribution, Roster, account_text};

/// Entries on one page at most.
pub(crate) const LIMIT_MAX: u32 = 10_000;

/// What kind of entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Files and folders opened for reading or listing, or asked for so.
    Read,
    /// Files written, made, removed, renamed, their attributes changed.
    Change,
    /// Sessions that began, ended, were refused, were driven from elsewhere.
    Login,
    /// Another account's rights, accounts and rights changed, programs of privileged sessions, the recording touched.
    Admin,
    /// All that somebody did; not what machines tell of themselves.
    Everything,
}

impl What {
    /// By its name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        serde_json::from_value(json!(name)).ok()
    }

    /// Whether an entry is of this kind.
    pub(crate) fn is(self, event: &Event) -> bool {
        let reads = !matches!(
            event.action,
            Some(Action::Write | Action::Create | Action::Delete | Action::Rename)
                | Some(Action::Link | Action::Attributes)
        );
        match (self, &event.kind) {
            (Self::Read, Kind::FileAccess) => reads,
            (Self::Change, Kind::FileAccess) => !reads,
            (Self::Login, kind) => matches!(kind, Kind::Login | Kind::Logout | Kind::RemoteControl),
            (Self::Admin, kind) => matches!(
                kind,
                Kind::Elevation
                    | Kind::AccountChange
                    | Kind::ProcessStart
                    | Kind::RemoteControl
                    | Kind::Tamper
            ),
            (Self::Everything, kind) => {
                !matches!(kind, Kind::Gap | Kind::Health | Kind::Inventory | Kind::Epoch | Kind::Commission)
            }
            (Self::Read | Self::Change, _) => false,
        }
    }
}

/// A place in the order of the ledger: `12.345`, an entry of an author within a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index in the collector log.
    pub(crate) leaf: u64,
    /// Number in the author's log.
    pub(crate) number: u64,
}

impl Place {
    /// As it stands in an address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (leaf, number) = text.split_once('.')?;
        Some(Self { leaf: leaf.parse().ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.leaf, self.number)
    }
}

/// `events`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    /// Only of this person or account.
    #[serde(default)]
    pub person: Option<String>,
    /// From when.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    pub from: Option<String>,
    /// Until when.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    pub to: Option<String>,
    /// Only this class of asset, or this owner, or a part of a path.
    #[serde(default)]
    pub asset: Option<String>,
    /// Only on this computer.
    #[serde(default)]
    pub computer: Option<String>,
    /// Only of this kind.
    #[serde(default)]
    pub what: Option<What>,
    /// Only where the path holds this text, whatever its case.
    #[serde(default)]
    pub path: Option<String>,
    /// Only what stands after this place in the ledger, as `leaf.number` of a line: for the next lines.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]+\\.[0-9]+$"))]
    pub after: Option<String>,
    /// So many lines at most.
    #[serde(default)]
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    pub limit: Option<u32>,
    /// Only what rested on this ticket, break-glass or job: `T-12`.
    #[serde(default)]
    pub rests_on: Option<String>,
    /// Acts of the collector too.
    #[serde(default)]
    pub acts: bool,
}

impl EventsQuery {
    /// First and last nanosecond; everything where absent.
    pub(crate) fn span(&self) -> Result<(i64, i64), Failure> {
        let nanos = |text: &Option<String>, edge, open| match text {
            Some(text) => {
                moment(text, &TimeZone::UTC, edge).map(|at| i64::try_from(at.as_nanosecond()).unwrap_or(open))
            }
            None => Ok(open),
        };
        let (from, to) = (nanos(&self.from, Edge::Start, 0)?, nanos(&self.to, Edge::End, i64::MAX)?);
        if from > to { Err(Failure::bad("`--from` is later than `--to`")) } else { Ok((from, to)) }
    }
    /// After which place.
    pub(crate) fn place(&self) -> Result<Option<Place>, Failure> {
        let wrong =
            |text: &String| Failure::bad(format!("`after={text}` is no place in the ledger, such as 12.345"));
        self.after.as_ref().map(|text| Place::parse(text).ok_or_else(|| wrong(text))).transpose()
    }

    /// How many lines at most.
    fn limit(&self) -> Result<usize, Failure> {
        match self.limit {
            None => Ok(usize::MAX),
            Some(limit @ 1..=LIMIT_MAX) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
            Some(_) => Err(Failure::bad(format!("`limit` is at least 1 and at most {LIMIT_MAX}"))),
        }
    }

    /// The body of the act that somebody looked.
    pub(crate) fn looked(&self, viewer: &Viewer) -> Value {
        let mut looked = json!({"what": "events", "person": self.person, "from": self.from, "to": self.to, "asset": self.asset});
        let more = [("computer", self.computer.as_ref()), ("path", self.path.as_ref())];
        for (name, value) in more {
            if let (Some(value), Some(fields)) = (value, looked.as_object_mut()) {
                fields.insert(name.to_owned(), json!(value));
            }
        }
        viewer.looked(looked)
    }

    /// Whether an entry is one of those asked for; `roster` is that of its time.
    pub(crate) fn fits(&self, (from, to): (i64, i64), seen: &Seen<'_>, roster: &Roster) -> bool {
        let at = seen.access.local.map(|local| local.at.as_nanosecond());
        at.is_none_or(|at| at >= i128::from(from) && at <= i128::from(to))
            && (seen.record.author != "collector" || self.acts)
            && self.what.is_none_or(|what| what.is(seen.event))
            && self.computer.as_ref().is_none_or(|computer| seen.access.host.eq_ignore_ascii_case(computer))
            && self.person.as_ref().is_none_or(|wanted| is_of(wanted, seen, roster))
            && self.rests_on.as_ref().is_none_or(|id| rests_on(id, seen))
            && self.asset.as_ref().is_none_or(|asset| is_at(asset, seen.event))
            && self.path.as_ref().is_none_or(|part| holds(part, seen.event))
    }
}

/// Whether a person (by id) or an account is named by an entry.
fn is_of(wanted: &str, seen: &Seen<'_>, roster: &Roster) -> bool {
    let who = seen.decision.who.as_ref();
    let actor = seen.event.actor.as_ref();
    let names = [
        who.and_then(|who| who.person.as_deref()),
        who.and_then(|who| who.account.as_deref()),
        actor.and_then(|actor| actor.login_user.as_deref()),
        actor.and_then(|actor| actor.upn.as_deref()),
        actor.and_then(|actor| actor.ehr_user.as_deref()),
        actor.and_then(|actor| actor.sid.as_deref()),
        actor.and_then(|actor| actor.claims.as_deref()),
    ];
    if names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(wanted)) {
        return true;
    }
    let Some(actor) = actor else { return false };
    // What is no access is judged by nobody, and still has an account.
    let is_theirs = match roster.person_of(seen.access.host, actor) {
        Attribution::Person(id) => id == wanted,
        Attribution::Shared(ids) => ids.iter().any(|id| id == wanted),
        Attribution::Account(on_host) => on_host == wanted,
        Attribution::Unattributed => false,
    };
    is_theirs || account_text(actor).as_deref() == Some(wanted)
}

fn rests_on(id: &str, seen: &Seen<'_>) -> bool {
    let is_it = |reason: &Reason| reason.rule.split_once(':').is_some_and(|(_, own)| own == id);
    seen.decision.is_explained() && seen.decision.reasons.iter().any(is_it)
}

fn is_at(asset: &str, event: &Event) -> bool {
    let Some(object) = event.object.as_ref() else { return false };
    object.class.as_ref().is_some_and(|class| class.as_str() == asset)
        || object.owner.as_deref() == Some(asset)
        || object.path.as_deref().is_some_and(|path| path.contains(asset))
}

fn holds(part: &str, event: &Event) -> bool {
    let part = part.to_lowercase();
    let Some(object) = event.object.as_ref() else { return false };
    [&object.path, &object.to].into_iter().flatten().any(|path| path.to_lowercase().contains(&part))
}

/// One line of `events`: the event as it was frozen, with where it stands and what was decided.
fn line(seen: &Seen<'_>) -> Value {
    let mut row = json!({"author": seen.record.author, "number": seen.access.number, "leaf": seen.record.leaf, "event": seen.event});
    if let (Some(row), Some(who)) = (row.as_object_mut(), seen.decision.who.as_ref()) {
        row.insert(
            "decision".into(),
            json!({
                "outcome": seen.decision.outcome,
                "person": who.person,
                "account": who.account,
                "reasons": seen.decision.reasons,
            }),
        );
    }
    row
}

/// Entries as lines of JSON, in the order of the ledger. That somebody looked is an act.
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<EventsQuery>,
) -> Answer<Response> {
    if query.acts && viewer.person().is_some() {
        return Err(Failure::not_theirs(
            "acts hold what was found and decided about whoever asks, too; they stand in the weekly review, and `ntk-collector events --acts` shows them on the collector",
        ));
    }
    let looked = query.looked(&viewer);
    let app_for_reading = app.clone();
    let lines = blocking(move || {
        let (span, after, limit) = (query.span()?, query.place()?, query.limit()?);
        let lookup = &app_for_reading.lookup;
        let today = lookup.rules_now()?.0;
        let them = viewer.themselves(&today);
        let (mut lines, mut n) = (String::new(), 0usize);
        lookup.events_from(after.map_or(0, |place| place.leaf), span, |seen, rules| {
            let place = Place { leaf: seen.record.leaf, number: seen.access.number };
            let is_new = after.is_none_or(|after| place > after);
            if is_new
                && query.fits(span, &seen, &rules.roster)
                && !them.are_in_entry(seen.access, seen.decision, &today)
            {
                lines.push_str(&line(&seen).to_string());
                lines.push('\n');
                n = n.saturating_add(1);
            }
            if n >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(lines)
    })
    .await?;
    record(&app, act::kind::VIEWED, looked).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}
