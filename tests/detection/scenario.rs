//! A scenario: what a practice's ledger holds, line by line, with labels that say what is an incident.
//!
//! `tests/scenario.md` is the format's description, for people who write their own. [`read`] reads one.

pub mod read;

use std::io::{self, Write};

use jiff::Timestamp;
use ntk_evidence::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// First words of the header.
pub const FORMAT: &str = "ntk-scenario/1";

/// What the id of a label for surrounding entries ends with.
pub const CONTEXT: &str = "-context";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name of the scenario.
    pub name: String,
    /// IANA name of the practice's zone.
    pub timezone: String,
    /// How many people work there.
    pub people: u32,
    /// How many weeks it lasts.
    pub weeks: u32,
    /// First moment.
    pub from: Timestamp,
    /// Items before this moment belong to the learning time and are not counted.
    pub counted_from: Timestamp,
}

/// What an entry is labelled with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// `I-003`, `N-017`; `I-003-context` for what surrounds I-003.
    pub id: String,
    /// Kind in snake_case: `slow_drip`.
    pub kind: String,
    /// Whether somebody has to hear of it; an innocent look-alike otherwise.
    pub incident: bool,
    /// One sentence.
    pub about: String,
    /// Whether its entries are those that matter; otherwise they only surround them.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub key: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

/// An act of the collector or of a person in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// When it was recorded.
    pub at: Timestamp,
    /// `act_roster`, `act_ticket`, ...
    pub kind: String,
    /// Its body.
    pub body: Value,
}

/// One entry of an agent or an import.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `agent/srv-01`.
    pub author: String,
    /// Number in the author's log, from 0; implied by the order of lines.
    pub number: u64,
    /// When the collector received it.
    pub received: Timestamp,
    /// What was recorded.
    pub event: Event,
    /// Id of the label.
    pub label: Option<String>,
}

/// One line after the header.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Declares a label.
    Label(Label),
    /// An act.
    Act(Act),
    /// An entry.
    Entry(Box<Entry>),
}

/// A whole scenario, in the order of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The first line.
    pub header: Header,
    /// The others.
    pub lines: Vec<Line>,
}

impl Scenario {
    /// Every label.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.lines.iter().filter_map(|line| match line {
            Line::Label(label) => Some(label),
            Line::Act(_) | Line::Entry(_) => None,
        })
    }

    /// Every entry of the agents.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.lines.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(&**entry),
            Line::Label(_) | Line::Act(_) => None,
        })
    }

    /// Every act.
    pub fn acts(&self) -> impl Iterator<Item = &Act> {
        self.lines.iter().filter_map(|line| match line {
            Line::Act(act) => Some(act),
            Line::Label(_) | Line::Entry(_) => None,
        })
    }

    /// Writes it as JSON lines.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let header = &self.header;
        let first = json!({
            "scenario": FORMAT, "name": header.name, "timezone": header.timezone, "people": header.people,
            "weeks": header.weeks, "from": text(header.from), "counted_from": text(header.counted_from),
        });
        writeln!(to, "{}", sorted(first))?;
        for line in &self.lines {
            match line {
                Line::Label(label) => writeln!(to, "{}", sorted(json!({ "label": label })))?,
                Line::Act(act) => {
                    let body = json!({"kind": act.kind, "body": act.body});
                    writeln!(to, "{}", sorted(json!({"act": body, "at": text(act.at)})))?;
                }
                Line::Entry(entry) => {
                    let row = Row {
                        event: &entry.event,
                        author: &entry.author,
                        received: text(entry.received),
                        label: entry.label.as_deref(),
                    };
                    serde_json::to_writer(&mut *to, &row)?;
                    writeln!(to)?;
                }
            }
        }
        Ok(())
    }

    /// The same as bytes in memory.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write(&mut bytes)?;
        Ok(bytes)
    }
}

/// With sorted keys: whether serde_json keeps the order of writing depends on what else is built with it.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// An entry as its line has it.
#[derive(Serialize)]
struct Row<'a> {
    event: &'a Event,
    author: &'a str,
    received: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
}

/// RFC 3339 UTC with milliseconds, as the agents write it.
pub fn text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
