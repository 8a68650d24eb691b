//! Reads a scenario; every fault is told with its line, what is wrong, and what to do.

mod lines;

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;
use serde_json::{Map, Value};

use self::lines::{Raw, RawHeader, line_of};
use super::{Act, CONTEXT, Entry, FORMAT, Header, Label, Line, Scenario};

/// The longest line; a roster of some thousand people fits in.
pub const LINE_BYTES_MAX: usize = 4 << 20;

/// After so many faults the rest is left out: by then the file is of another format.
const FAULTS_MAX: usize = 40;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub to_do: String,
}

/// Everything that is wrong with a file; it is used as a whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("the scenario could not be read to its end; check the file")]
    Io(#[from] std::io::Error),
    /// It was read, and is wrong.
    #[error("{}", in_words(.0))]
    Faults(Vec<Fault>),
}

fn in_words(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}; {}", self.line, self.what, self.to_do)
    }
}

/// Reads a whole scenario.
pub fn read(from: &mut impl BufRead) -> Result<Scenario, ScenarioError> {
    let mut reader = Reader::default();
    let mut bytes = Vec::new();
    for number in 1.. {
        reader.line = number;
        match line_of(from, &mut bytes)? {
            lines::Got::End => break,
            lines::Got::TooLong => {
                let what = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                reader.fault(what, "write one object a line");
            }
            lines::Got::Line => reader.take(&bytes),
        }
        if reader.faults.len() >= FAULTS_MAX {
            break;
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    line: usize,
    header: Option<Header>,
    lines: Vec<Line>,
    faults: Vec<Fault>,
    /// Moment of the last line that has one.
    reached: Option<Timestamp>,
    next_number: BTreeMap<String, u64>,
    labels: BTreeMap<String, Declared>,
}

struct Declared {
    line: usize,
    incident: bool,
    key: bool,
    n_entries: u64,
    /// Whether an entry of it lies in the learning time.
    is_early: bool,
}

impl Reader {
    fn fault(&mut self, what: impl Into<String>, to_do: impl Into<String>) {
        self.faults.push(Fault { line: self.line, what: what.into(), to_do: to_do.into() });
    }

    fn take(&mut self, bytes: &[u8]) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return self.fault("the line is empty", "take it out; each line is one JSON object");
        }
        let object: Map<String, Value> = match serde_json::from_slice(bytes) {
            Ok(object) => object,
            Err(error) => {
                let what = format!("this is no JSON object ({})", lines::without_line(&error));
                return self.fault(what, "write one whole object a line, in double quotes");
            }
        };
        match (lines::parse(object), self.header.is_some()) {
            (Err((what, to_do)), _) => self.fault(what, to_do),
            (Ok(Raw::Header(raw)), false) => self.header(*raw),
            (Ok(Raw::Header(_)), true) => {
                self.fault("a second header", "keep the first line only; one scenario a file");
            }
            (Ok(_), false) => {
                let what = "the header is missing";
                self.fault(
                    what,
                    format!("begin with {{\"scenario\":\"{FORMAT}\",\"name\":..,\"timezone\":..,..}}"),
                );
                // Once is enough: go on as if there were one.
                self.header = Some(lines::nowhere());
            }
            (Ok(Raw::Act { at, kind, body }), true) => self.act(&at, kind, body),
            (Ok(Raw::Event { event, author, received, label }), true) => {
                self.entry(*event, author, &received, label);
            }
            (Ok(Raw::Label(label)), true) => self.label(label),
        }
    }

    fn header(&mut self, raw: RawHeader) {
        if raw.scenario != FORMAT {
            let what = format!("scenario: this version does not know `{}`", raw.scenario);
            self.fault(what, format!("write \"{FORMAT}\""));
        }
        if TimeZone::get(&raw.timezone).is_err() {
            let what = format!("timezone: there is no zone `{}`", raw.timezone);
            self.fault(what, "write an IANA name such as America/New_York");
        }
        if raw.people == 0 || raw.weeks == 0 || raw.weeks > 5200 {
            self.fault(
                "people and weeks: not counts of a practice",
                "write whole numbers from 1, weeks to 5200",
            );
        }
        let from = self.moment("from", &raw.from);
        let counted_from = self.moment("counted_from", &raw.counted_from);
        if counted_from < from {
            self.fault("counted_from lies before from", "let the learning time end after it begins");
        }
        let nowhere = lines::nowhere();
        self.header = Some(Header {
            name: raw.name,
            timezone: raw.timezone,
            people: raw.people,
            weeks: raw.weeks,
            from: from.unwrap_or(nowhere.from),
            counted_from: counted_from.unwrap_or(nowhere.from),
        });
    }

    fn moment(&mut self, field: &str, text: &str) -> Option<Timestamp> {
        let at = text.parse().ok();
        if at.is_none() {
            let what = format!("{field}: `{}` is no moment", lines::short(text));
            self.fault(what, "write RFC 3339 UTC, such as 2026-01-05T09:00:00Z");
        }
        at
    }

    /// The moment of a line: never before the one above, because a ledger only grows.
    fn in_order(&mut self, field: &str, text: &str) -> Timestamp {
        let Some(at) = self.moment(field, text) else { return lines::nowhere().from };
        if self.reached.is_some_and(|reached| at < reached) {
            let what = format!("{field}: {at} lies before the line above");
            self.fault(what, "sort acts and events by `at` and `received`, as the collector would have them");
        }
        self.reached = self.reached.max(Some(at));
        at
    }

    fn act(&mut self, at: &str, kind: String, body: Value) {
        let at = self.in_order("at", at);
        if let Err((what, to_do)) = lines::check_act(&kind, &body) {
            self.fault(what, to_do);
        }
        self.lines.push(Line::Act(Act { at, kind, body }));
    }

    fn entry(&mut self, event: Event, author: String, received: &str, label: Option<String>) {
        let received = self.in_order("received", received);
        if let Err((what, to_do)) = lines::check_event(&event, &author) {
            self.fault(what, to_do);
        }
        let counted_from = self.header.as_ref().map(|header| header.counted_from);
        let is_early = event.time.parse::<Timestamp>().is_ok_and(|at| Some(at) < counted_from);
        if let Some(label) = &label {
            match self.labels.get_mut(label) {
                Some(declared) => {
                    declared.n_entries += 1;
                    declared.is_early |= is_early;
                }
                None => {
                    let what = format!("label: `{}` is not declared above", lines::short(label));
                    self.fault(what, "declare it in a line of its own before its first event");
                }
            }
        }
        let next = self.next_number.entry(author.clone()).or_default();
        let number = *next;
        *next += 1;
        self.lines.push(Line::Entry(Box::new(Entry { author, number, received, event, label })));
    }

    fn label(&mut self, label: Label) {
        if let Err((what, to_do)) = lines::check_label(&label) {
            self.fault(what, to_do);
        }
        if let Some(before) = self.labels.get(&label.id).map(|declared| declared.line) {
            let what =
                format!("label.id: `{}` is declared in line {before} already", lines::short(&label.id));
            self.fault(what, "give each case an id of its own");
            return;
        }
        if let (false, Some(case)) = (label.key, label.id.strip_suffix(CONTEXT))
            && !self.labels.contains_key(case)
        {
            let what = format!("label.id: there is no case `{}` for this context", lines::short(case));
            self.fault(what, "declare the case in a line above");
        }
        let declared = Declared {
            line: self.line,
            incident: label.incident,
            key: label.key,
            n_entries: 0,
            is_early: false,
        };
        self.labels.insert(label.id.clone(), declared);
        self.lines.push(Line::Label(label));
    }

    fn finish(mut self) -> Result<Scenario, ScenarioError> {
        for (id, declared) in std::mem::take(&mut self.labels) {
            if !declared.incident || !declared.key {
                continue;
            }
            self.line = declared.line;
            if declared.n_entries == 0 {
                let what = format!("the incident `{id}` has no entry");
                self.fault(what, "put its label on the events that matter, or take it out");
            }
            if declared.is_early {
                let what = format!("the incident `{id}` has entries before counted_from");
                self.fault(what, "move it, or let counted_from be earlier");
            }
        }
        self.line = 1;
        match self.header {
            Some(header) if self.faults.is_empty() => Ok(Scenario { header, lines: self.lines }),
            None if self.faults.is_empty() => {
                self.fault("the file is empty", "begin with a header; tests/scenario.md shows one");
                Err(ScenarioError::Faults(self.faults))
            }
            _ => {
                self.faults.sort_by_key(|fault| fault.line);
                Err(ScenarioError::Faults(self.faults))
            }
        }
    }
}
