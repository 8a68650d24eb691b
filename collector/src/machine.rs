//! How each machine stands: whether it records, what its agent said of itself last, what an on-site test has proved.
//!
//! Made of acts, of the streams that are open now, and of the machine's own last health entry. Pages, the command line
//! and the JSON API say the same words. A machine that was set up anew is one machine: its newest log counts.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::Health;
use ntk_evidence::name::Author;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};

use crate::follow::Lookup;
use crate::follow::answer::store_error;
use crate::ledger::LedgerError;
use crate::ledger::registry::Machine;
use crate::ledger::writer::Published;
use crate::program::Runs;
use crate::report::coverage::{Beat, clock_off};
use crate::report::text::{count, moment};
use crate::review::{machine_name, on_site};
use crate::watch::Stream;

/// Whether a machine records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is connected, and heard.
    Recording {
        /// Since when it is connected, RFC 3339.
        since: String,
    },
    /// It was not heard for as long as the practice calls silent.
    Silent {
        /// Since when, RFC 3339.
        since: String,
    },
    /// Not connected, and not silent for long enough to be called so.
    Away {
        /// Since when, RFC 3339; absent where the collector has not heard it since its own start.
        since: Option<String>,
    },
    /// It was let in, and nothing of it ever came.
    NeverConnected,
    /// Nothing is taken from it any more.
    ShutOut {
        /// Since when, RFC 3339.
        since: String,
    },
}

/// How a machine stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its newest log: `agent/<id>`.
    pub author: String,
    /// Whether it records.
    #[serde(flatten)]
    pub state: State,
    /// The same in one sentence, in the practice's zone.
    pub in_words: String,
    /// When it was enrolled, RFC 3339.
    pub enrolled: String,
    /// What it said of itself when it was enrolled: operating system, host name.
    pub described: Option<String>,
    /// Whether its users were told that access is recorded, or why not.
    pub notice: Option<String>,
    /// Entries of its newest log.
    pub entries: u64,
    /// When it last said anything since the collector's start, RFC 3339.
    pub last_spoke: Option<String>,
    /// Entries that wait on the machine, by its last keepalive; unknown while it is not connected.
    pub waiting: Option<u64>,
    /// Its agent's last word about itself.
    pub health: Option<Health>,
    /// When that was received, RFC 3339.
    pub health_received: Option<String>,
    /// Whether the program that it runs was announced by the practice key.
    #[serde(flatten)]
    pub runs: Runs,
    /// The same in a sentence.
    pub runs_in_words: String,
    /// What an on-site test has proved, in a sentence.
    pub proof: String,
    /// Whether everything is proved, and still is.
    pub is_proved: bool,
}

impl Standing {
    /// Whether nothing is taken from it any more.
    pub fn is_shut_out(&self) -> bool {
        matches!(self.state, State::ShutOut { .. })
    }

    /// Whether there is anything to say of its program.
    pub fn program_is_compared(&self) -> bool {
        self.runs != Runs::NotCompared
    }

    /// What waits on the machine, in words.
    pub fn spool_in_words(&self) -> String {
        let on_disk = self.health.as_ref().and_then(|health| health.spool_bytes);
        let on_disk = on_disk.map(|bytes| format!("{} on its disk", size_in_words(bytes)));
        let waiting = match self.waiting {
            Some(0) => Some("nothing waits to be sent".to_owned()),
            Some(n) => Some(format!("{} to be sent", count(n, "entry waits", "entries wait"))),
            None => None,
        };
        let parts: Vec<String> = waiting.into_iter().chain(on_disk).collect();
        if parts.is_empty() { "not known".to_owned() } else { parts.join("; ") }
    }

    /// How its clock stands against the collector's, in words.
    pub fn clock_in_words(&self) -> String {
        let ahead_ms = self.health.as_ref().and_then(|health| health.clock_ahead_ms);
        let Some(ahead_ms) = ahead_ms else { return "not known".to_owned() };
        let beat = Beat {
            at: Timestamp::UNIX_EPOCH,
            reason: None,
            boot_id: None,
            uptime_s: None,
            ahead_ms: Some(ahead_ms),
        };
        clock_off(&[beat]).unwrap_or_else(|| "In order, within two seconds of the collector’s.".to_owned())
    }
}

fn size_in_words(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// Whether a machine records, as acts and streams say.
fn state(machine: &Machine, silent: Option<&String>, stream: Option<&Stream>, entries: u64) -> State {
    if let Some(since) = &machine.revoked {
        return State::ShutOut { since: since.clone() };
    }
    match (silent, stream) {
        (_, None) if entries == 0 => State::NeverConnected,
        (Some(since), _) => State::Silent { since: since.clone() },
        (None, Some(stream)) if stream.connected => State::Recording { since: stream.since.clone() },
        (None, Some(stream)) => State::Away { since: Some(stream.since.clone()) },
        (None, None) => State::Away { since: None },
    }
}

fn in_words(state: &State, zone: &TimeZone) -> String {
    let at = |time: &str| time.parse::<Timestamp>().map_or_else(|_| time.to_owned(), |at| moment(at, zone));
    match state {
        State::Recording { since } => format!("Recording; connected since {}.", at(since)),
        State::Silent { since } => format!("Silent since {}: nothing of it is seen.", at(since)),
        State::Away { since: Some(since) } => format!("Not connected since {}.", at(since)),
        State::Away { since: None } => "Not connected since the collector was started.".to_owned(),
        State::NeverConnected => "Let in, and never connected.".to_owned(),
        State::ShutOut { since } => format!("Shut out since {}: nothing is taken from it.", at(since)),
    }
}

/// Every machine by name, as it stands now.
pub fn standings(
    lookup: &Lookup,
    published: &Published,
    streams: &BTreeMap<String, Stream>,
    trust: &TrustFile,
    now: Timestamp,
) -> Result<Vec<Standing>, LedgerError> {
    lookup.up_to_date()?;
    let mut newest: BTreeMap<String, (&String, &Machine)> = BTreeMap::new();
    for (author, machine) in published.registry.machines.iter() {
        let one = newest.entry(machine_name(author)).or_insert((author, machine));
        if one.1.act <= machine.act {
            *one = (author, machine);
        }
    }
    let until = now.checked_add(SignedDuration::from_secs(1)).unwrap_or(now);
    let programs = published.registry.programs.known(trust);
    let standing = |(name, (author, machine)): (String, (&String, &Machine))| {
        let known = Author::parse(author).ok().and_then(|author| published.authors.get(&author));
        let entries = known.map_or(0, |known| known.log.size());
        let stream = streams.get(author);
        let state = state(machine, published.registry.silent.get(author), stream, entries);
        let proved = on_site(lookup, published, &name, until)?;
        let health = last_health(lookup, author)?;
        let (health_received, health) = health.unzip();
        let sha256 = health.as_ref().and_then(|health| health.binary_sha256.as_deref());
        let marks = match programs.is_empty() {
            true => Vec::new(),
            false => lookup.store().marks(author, u64::MAX).map_err(store_error)?,
        };
        let runs = Runs::of(&programs, sha256, &marks);
        Ok(Standing {
            in_words: in_words(&state, lookup.zone()),
            author: author.clone(),
            state,
            enrolled: machine.enrolled.clone(),
            described: machine.enrolment.machine.clone(),
            notice: machine.enrolment.notice.clone(),
            entries,
            last_spoke: stream.map(|stream| stream.last_spoke.clone()),
            waiting: stream.filter(|stream| stream.connected).map(|stream| stream.waiting),
            health,
            health_received,
            runs_in_words: runs.in_words(lookup.zone()),
            runs,
            proof: proved.sentence(lookup.zone()),
            is_proved: proved.is_proved(),
            name,
        })
    };
    newest.into_iter().map(standing).collect()
}

/// When a machine's agent last spoke of itself, and what it said.
fn last_health(lookup: &Lookup, author: &str) -> Result<Option<(String, Health)>, LedgerError> {
    let told = lookup.store().health(author).map_err(store_error)?;
    Ok(told.map(|told| {
        let received =
            Timestamp::from_nanosecond(i128::from(told.received_unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
        (received.to_string(), told.health)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn machine(revoked: Option<&str>) -> Machine {
        serde_json::from_value(json!({
            "enrolment": {"author": "agent/ws-01", "key": "k", "epoch": 0}, "enrolled": "2026-11-01T00:00:00Z", "act": 1,
            "revoked": revoked,
        }))
        .unwrap()
    }

    fn stream(connected: bool) -> Stream {
        let mut stream = Stream::default();
        stream.connected = connected;
        stream.since = "2026-11-20T15:00:00Z".into();
        stream
    }

    #[test]
    fn a_machine_is_in_one_state_and_the_worst_is_said() {
        let (since, zone) = ("2026-11-20T16:30:00Z".to_owned(), TimeZone::UTC);
        let cases = [
            state(&machine(Some("2026-11-21T00:00:00Z")), Some(&since), Some(&stream(true)), 3),
            state(&machine(None), None, None, 0),
            state(&machine(None), Some(&since), None, 0),
            state(&machine(None), Some(&since), Some(&stream(false)), 3),
            state(&machine(None), Some(&since), Some(&stream(true)), 3),
            state(&machine(None), None, Some(&stream(true)), 0),
            state(&machine(None), None, Some(&stream(false)), 3),
            state(&machine(None), None, None, 3),
        ];
        let said: Vec<String> = cases.iter().map(|state| in_words(state, &zone)).collect();
        expect![[r#"
            Shut out since Saturday 21 November, 00:00 (UTC): nothing is taken from it.
            Let in, and never connected.
            Let in, and never connected.
            Silent since Friday 20 November, 16:30 (UTC): nothing of it is seen.
            Silent since Friday 20 November, 16:30 (UTC): nothing of it is seen.
            Recording; connected since Friday 20 November, 15:00 (UTC).
            Not connected since Friday 20 November, 15:00 (UTC).
            Not connected since the collector was started."#]]
        .assert_eq(&said.join("\n"));
    }
}
