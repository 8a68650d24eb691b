//! Requests of the admin API as types: read once, every fault in one sentence.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use ntk_evidence::hash::{Hash, hex};
use ntk_evidence::name::Author;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use crate::app::App;
use crate::follow::answer::Seen;
use crate::init::SERVER_NAME;
use crate::ledger::registry::Offer;
use crate::need_to_know::Reason;
use crate::token::Token;

/// How long a token may hold at most, seconds.
const TOKEN_SECONDS_MAX: u64 = 7 * 86_400;

/// `enroll new`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolment {
    /// The machine's name.
    pub machine: String,
    /// Whether the machine was set up again and takes its own earlier place, which ends with that.
    #[serde(default)]
    pub replace: bool,
    /// How long the token holds, seconds.
    #[schemars(range(min = 1, max = 604_800))]
    pub expires_seconds: u64,
    /// Address for this machine, where it is not the configured one.
    #[serde(default)]
    pub address: Option<String>,
    /// Whether the machine's users were told that access is recorded, or why not.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub notice: Option<String>,
}

/// `enroll revoke`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The machine's name.
    pub machine: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `report`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// `2026-W47`; this week where absent.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-W[0-9]{2}$"))]
    pub week: Option<String>,
    /// Whether it is sent to everybody who gets reviews.
    #[serde(default)]
    pub send: bool,
}

/// `findings`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindingsQuery {
    /// Only those with an access since.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"))]
    pub since: Option<String>,
    /// Only of this person or account.
    #[serde(default)]
    pub person: Option<String>,
    /// Who looks: findings about themselves or their own firm are not shown.
    #[serde(default)]
    pub viewer: Option<String>,
}

/// `finding`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewerQuery {
    /// Who looks: what is about themselves or their own firm is not there for them.
    #[serde(default)]
    pub viewer: Option<String>,
}

impl FindingsQuery {
    /// The moment asked for.
    pub fn since(&self) -> Result<Option<Timestamp>, Failure> {
        self.since.as_deref().map(|since| moment(since, &TimeZone::UTC, Edge::Start)).transpose()
    }
}

/// `events`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
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
    /// Only what rested on this ticket, break-glass or job: `T-12`.
    #[serde(default)]
    pub rests_on: Option<String>,
    /// Acts of the collector too.
    #[serde(default)]
    pub acts: bool,
}

/// Which end of a day is meant where only a day is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Its first moment.
    Start,
    /// Its last.
    End,
}

impl EventsQuery {
    /// First and last nanosecond; everything where absent.
    pub fn span(&self) -> Result<(i64, i64), Failure> {
        let nanos = |text: &Option<String>, edge, open| match text {
            Some(text) => {
                moment(text, &TimeZone::UTC, edge).map(|at| i64::try_from(at.as_nanosecond()).unwrap_or(open))
            }
            None => Ok(open),
        };
        let (from, to) = (nanos(&self.from, Edge::Start, 0)?, nanos(&self.to, Edge::End, i64::MAX)?);
        if from > to { Err(Failure::bad("`--from` is later than `--to`")) } else { Ok((from, to)) }
    }
}

/// A moment as people write it: RFC 3339, or a day or a day and time in a zone.
pub fn moment(text: &str, zone: &TimeZone, edge: Edge) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wrong = || {
        Failure::bad(format!(
            "`{text}` is not a time; write 2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30:00Z"
        ))
    };
    let local = match text.parse::<Date>() {
        Ok(day) if text.len() == 10 => match edge {
            Edge::Start => day.at(0, 0, 0, 0),
            Edge::End => day.at(23, 59, 59, 999_999_999),
        },
        _ => text.parse::<DateTime>().map_err(|_| wrong())?,
    };
    zone.to_timestamp(local).map_err(|_| wrong())
}

/// One line of `events`: the event as it was frozen, with where it stands and what was decided.
pub fn event_row(query: &EventsQuery, from: i64, to: i64, seen: &Seen<'_>) -> Option<Value> {
    if seen.record.author == "collector" && !query.acts {
        return None;
    }
    let at = seen.access.local.map(|local| local.at.as_nanosecond());
    if at.is_some_and(|at| at < i128::from(from) || at > i128::from(to)) {
        return None;
    }
    let who = seen.decision.who.as_ref();
    if let Some(wanted) = &query.person {
        let actor = seen.event.actor.as_ref();
        let names = [
            who.and_then(|who| who.person.as_deref()),
            who.and_then(|who| who.account.as_deref()),
            actor.and_then(|actor| actor.login_user.as_deref()),
        ];
        if !names.contains(&Some(wanted.as_str())) {
            return None;
        }
    }
    if let Some(id) = &query.rests_on {
        let is_it = |reason: &Reason| reason.rule.split_once(':').is_some_and(|(_, own)| own == id);
        if !seen.decision.is_explained() || !seen.decision.reasons.iter().any(is_it) {
            return None;
        }
    }
    if let Some(asset) = &query.asset {
        let object = seen.event.object.as_ref()?;
        let class = object.class.as_ref().is_some_and(|class| class.as_str() == asset);
        let owner = object.owner.as_deref() == Some(asset.as_str());
        let path = object.path.as_deref().is_some_and(|path| path.contains(asset.as_str()));
        if !(class || owner || path) {
            return None;
        }
    }
    let mut row = json!({"author": seen.record.author, "number": seen.access.number, "leaf": seen.record.leaf, "event": seen.event});
    if let (Some(row), true) = (row.as_object_mut(), who.is_some()) {
        row.insert(
            "decision".into(),
            json!({
                "outcome": seen.decision.outcome,
                "person": who.and_then(|who| who.person.as_deref()),
                "account": who.and_then(|who| who.account.as_deref()),
                "reasons": seen.decision.reasons,
            }),
        );
    }
    Some(row)
}

/// An offer for a machine: the token for it, and what the ledger keeps.
#[derive(Clone, Debug)]
pub struct MadeOffer {
    /// The token, shown once.
    pub token: String,
    /// The act's body.
    pub body: Offer,
}

/// The longest answer to the question whether the users were told, bytes.
const NOTICE_BYTES_MAX: usize = 500;

/// The answer as it is kept; that nothing was said is said.
fn notice(said: Option<&str>) -> Result<String, Failure> {
    let said = said.map(str::trim).filter(|said| !said.is_empty()).unwrap_or("not said at enrolment");
    if said.len() > NOTICE_BYTES_MAX {
        return Err(Failure::bad(format!("the reason is longer than {NOTICE_BYTES_MAX} bytes")));
    }
    Ok(said.to_owned())
}

/// Makes an offer.
pub fn offer(app: &App, request: &NewEnrolment) -> Result<MadeOffer, Failure> {
    Author::agent(&request.machine).map_err(|error| Failure::bad(error.to_string()))?;
    if !(1..=TOKEN_SECONDS_MAX).contains(&request.expires_seconds) {
        return Err(Failure::bad("`--expires` is at least a second and at most 7 days"));
    }
    let registry = app.ledger.published().registry;
    let machine = &request.machine;
    let replaces = match (registry.newest(machine), request.replace) {
        (None, false) => None,
        (Some((before, _)), true) => Some(before.to_string()),
        (Some(_), false) => {
            return Err(Failure::bad(format!(
                "a machine `{machine}` was enrolled before; choose another name, or use `--replace {machine}` if it was set up anew"
            )));
        }
        (None, true) => {
            return Err(Failure::missing(format!(
                "there is no machine `{machine}` to replace; see `ntk-collector enroll list`"
            )));
        }
    };
    let secret = crate::home::random().map_err(|error| Failure::ours(&error))?;
    let (_, authority) = app.practice.authority().map_err(|error| Failure::ours(&error))?;
    let address = request.address.clone().or_else(|| app.practice.config.raw.address_for_agents.clone());
    let address = address
        .or_else(|| app.address.get().cloned())
        .unwrap_or_else(|| app.practice.config.raw.listen.clone());
    // A listener on every address is reached on this very machine by loopback.
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let token = Token {
        address,
        server_name: SERVER_NAME.into(),
        secret: hex(&secret),
        authority: authority.fingerprint().to_hex(),
        machine: request.machine.clone(),
    };
    let expires = app
        .ledger
        .clock()
        .now()
        .plus_seconds(i64::try_from(request.expires_seconds).unwrap_or(0))
        .to_rfc3339(0);
    let body = Offer {
        machine: request.machine.clone(),
        secret_sha256: Hash::of(&secret).to_hex(),
        expires,
        notice: Some(notice(request.notice.as_deref())?),
        replaces,
    };
    Ok(MadeOffer { token: token.to_string(), body })
}
