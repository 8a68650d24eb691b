//! Requests of the admin API as types: read once, every fault in one sentence.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use ntk_evidence::hash::{Hash, hex};
use ntk_evidence::name::Author;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Failure;
use crate::app::App;
use crate::config::{ADDRESSES_MAX, is_address};
use crate::init::SERVER_NAME;
use crate::ledger::registry::Offer;
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
    /// More addresses of this ledger's collectors, tried in this order; only beside `address`.
    #[serde(default)]
    #[schemars(length(max = 7))]
    pub more_addresses: Vec<String>,
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

/// Which end of a day is meant where only a day is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Its first moment.
    Start,
    /// Its last.
    End,
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

/// Where the machine of an offer finds this ledger's collectors, in order.
fn addresses(app: &App, request: &NewEnrolment) -> Result<(String, Vec<String>), Failure> {
    let raw = &app.practice.config.raw;
    if let Some(address) = request.more_addresses.iter().find(|address| !is_address(address)) {
        return Err(Failure::bad(format!("`{address}` is not an address; write host:port")));
    }
    if request.more_addresses.len() >= ADDRESSES_MAX {
        return Err(Failure::bad(format!("a token carries at most {ADDRESSES_MAX} addresses")));
    }
    let (address, more) = match &request.address {
        Some(address) => (Some(address.clone()), &request.more_addresses),
        None if request.more_addresses.is_empty() => {
            (raw.address_for_agents.clone(), &raw.more_addresses_for_agents)
        }
        None => return Err(Failure::bad("`more_addresses` go with `address`, the first of them".to_owned())),
    };
    let address = address.or_else(|| app.address.get().cloned()).unwrap_or_else(|| raw.listen.clone());
    // A listener on every address is reached on this very machine by loopback.
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    Ok((address, more.clone()))
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
    let (address, more_addresses) = addresses(app, request)?;
    let token = Token {
        address,
        more_addresses,
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
