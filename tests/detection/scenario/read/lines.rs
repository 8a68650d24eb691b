//! The lines of a scenario by themselves: their bytes, their fields, what may stand in them.

use std::io::{self, BufRead, Read as _};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ntk_collector::policy::Policy;
use ntk_evidence::event::Event;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::{CONTEXT, Header, Label};
use super::LINE_BYTES_MAX;

/// What is wrong, and what to do.
pub(super) type Complaint = (String, String);

/// What became of reading one line.
pub(super) enum Got {
    Line,
    TooLong,
    End,
}

/// The next line without its end; a longer one than allowed is skipped, never kept.
pub(super) fn line_of(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Got> {
    line.clear();
    let most = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    if from.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(Got::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Got::Line);
    }
    // Either the last line, which needs no end, or one that is too long.
    let mut is_longer = false;
    while line.last() != Some(&b'\n') {
        let mut rest = Vec::new();
        if from.by_ref().take(most).read_until(b'\n', &mut rest)? == 0 {
            break;
        }
        is_longer = true;
        *line = rest;
    }
    Ok(if is_longer { Got::TooLong } else { Got::Line })
}

/// A line by its fields.
pub(super) enum Raw {
    Header(Box<RawHeader>),
    Act { at: String, kind: String, body: Value },
    Event { event: Box<Event>, author: String, received: String, label: Option<String> },
    Label(Label),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHeader {
    pub(super) scenario: String,
    pub(super) name: String,
    pub(super) timezone: String,
    pub(super) people: u32,
    pub(super) weeks: u32,
    pub(super) from: String,
    pub(super) counted_from: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAct {
    act: RawActBody,
    at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActBody {
    kind: String,
    body: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    event: Event,
    author: String,
    received: String,
    #[serde(default)]
    label: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLabel {
    label: Label,
}

/// Which line it is, by the one field that only that kind has.
pub(super) fn parse(object: Map<String, Value>) -> Result<Raw, Complaint> {
    if object.contains_key("scenario") {
        return Ok(Raw::Header(Box::new(fields("the header", object)?)));
    }
    if object.contains_key("act") {
        let raw: RawAct = fields("an act", object)?;
        return Ok(Raw::Act { at: raw.at, kind: raw.act.kind, body: raw.act.body });
    }
    if object.contains_key("event") {
        let raw: RawEvent = fields("an event", object)?;
        let RawEvent { event, author, received, label } = raw;
        return Ok(Raw::Event { event: Box::new(event), author, received, label });
    }
    if object.contains_key("label") {
        return Ok(Raw::Label(fields::<RawLabel>("a label", object)?.label));
    }
    let names: Vec<&str> = object.keys().map(String::as_str).take(5).collect();
    let what =
        format!("none of scenario, act, event, label stands here (found: {})", short(&names.join(", ")));
    Err((what, "tests/scenario.md shows the four kinds of lines".to_owned()))
}

fn fields<T: DeserializeOwned>(what: &str, object: Map<String, Value>) -> Result<T, Complaint> {
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        let told = format!("{what} is not as it should be: {}", short(&error.to_string()));
        (told, "tests/scenario.md lists the fields of each kind of line".to_owned())
    })
}

/// What an act must hold.
pub(super) fn check_act(kind: &str, body: &Value) -> Result<(), Complaint> {
    let complain = |what: String, to_do: &str| Err((what, to_do.to_owned()));
    if !kind.starts_with("act_") {
        return complain(
            format!("act.kind: `{}` is no act", short(kind)),
            "acts begin with act_, such as act_roster; what machines record goes into an event",
        );
    }
    let Some(object) = body.as_object() else {
        return complain("act.body is no object".to_owned(), "write it as the ledger has it");
    };
    let text = object.get("text").and_then(Value::as_str);
    match kind {
        "act_roster" | "act_policy" => match (text, object.get("template").and_then(Value::as_str)) {
            (Some(text), None) => match text.parse::<toml::Table>() {
                Ok(_) => Ok(()),
                Err(error) => complain(
                    format!("act.body.text is no TOML: {}", short(error.message())),
                    "import the file with ntk-collector, which names its line, and paste the text that it took",
                ),
            },
            (None, Some(name)) if kind == "act_policy" && Policy::template(name).is_some() => Ok(()),
            (None, Some(name)) if kind == "act_policy" => complain(
                format!("act.body.template: there is no template `{}`", short(name)),
                "write \"small-practice\", or the whole table as `text`",
            ),
            _ => complain(
                "act.body has no text".to_owned(),
                "write {\"text\":\"..\"} with the whole file; a policy may be {\"template\":\"small-practice\"}",
            ),
        },
        "act_ticket" | "act_break_glass" => match object.get("step").and_then(Value::as_str) {
            Some(_) => Ok(()),
            None => complain(
                "act.body has no step".to_owned(),
                "write \"step\":\"requested\", \"approved\", \"declined\", \"closed\", \"opened\" or \"acknowledged\"",
            ),
        },
        _ => Ok(()),
    }
}

/// What an event must be.
pub(super) fn check_event(event: &Event, author: &str) -> Result<(), Complaint> {
    let id = author.strip_prefix("agent/").or_else(|| author.strip_prefix("import/")).unwrap_or_default();
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if id.is_empty() || !id.bytes().all(is_fine) {
        let what = format!("author: `{}` is no agent and no import", short(author));
        return Err((
            what,
            "write agent/NAME or import/NAME in small letters, digits, dots and dashes".to_owned(),
        ));
    }
    if event.kind.as_str().starts_with("act_") {
        let what = format!("event.kind: `{}` is an act", short(event.kind.as_str()));
        return Err((what, "write acts as {\"act\":{\"kind\":..,\"body\":..},\"at\":..}".to_owned()));
    }
    if let Some(unknown) = event.unknown().first() {
        let what = format!("event: this version does not know `{}`", short(unknown));
        return Err((what, "correct the word; event.schema.json of the evidence crate lists all".to_owned()));
    }
    for (field, text) in [("time", Some(&event.time)), ("last", event.last.as_ref())] {
        if let Some(text) = text.filter(|text| text.parse::<Timestamp>().is_err()) {
            let what = format!("event.{field}: `{}` is no moment", short(text));
            return Err((what, "write RFC 3339 UTC, such as 2026-01-05T09:00:00.250Z".to_owned()));
        }
    }
    Ok(())
}

/// What a label must say.
pub(super) fn check_label(label: &Label) -> Result<(), Complaint> {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if label.kind.is_empty() || !label.kind.bytes().all(is_word) {
        let what = format!("label.kind: `{}` is not in snake_case", short(&label.kind));
        return Err((what, "write a word such as slow_drip".to_owned()));
    }
    if label.id.trim().is_empty() || label.about.trim().is_empty() {
        let to_do = "give the case an id and a sentence that says what it is";
        return Err(("label: id or about is empty".to_owned(), to_do.to_owned()));
    }
    if label.key == label.id.ends_with(CONTEXT) {
        let what = format!("label.id: `{}` and key do not fit", short(&label.id));
        let to_do = format!("end the id with {CONTEXT} where key is false, and only there");
        return Err((what, to_do));
    }
    Ok(())
}

/// Stands in for a header that is wrong, so that the other lines can be checked.
pub(super) fn nowhere() -> Header {
    Header {
        name: String::new(),
        timezone: TimeZone::UTC.iana_name().unwrap_or("UTC").to_owned(),
        people: 1,
        weeks: 1,
        from: Timestamp::UNIX_EPOCH,
        counted_from: Timestamp::UNIX_EPOCH,
    }
}

/// A stranger's words, cut to a length that fits in a sentence.
pub(super) fn short(text: &str) -> String {
    let mut cut: String = text.chars().filter(|letter| !letter.is_control()).take(120).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// serde_json counts lines within ours, which is always the first.
pub(super) fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{} at column {}", short(what), error.column()),
        None => short(&text),
    }
}
