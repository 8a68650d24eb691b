//! What is done to the means of recording: logs cleared, audit policy, access lists for auditing, clock, services (104,
//! 1100, 1101, 1102, 1104, 4612, 4616, 4697, 4719, 4906, 4907, 7036, 7045).

use ntk_evidence::event::{Actor, Confidence, Event, Gap, Kind, Outcome, Process, Tamper, TamperKind};
use ntk_evidence::time::Moment;

use super::{Found, Room};
use crate::audit_policy::Wanted;
use crate::command::masked;
use crate::path::Place;
use crate::record::Record;
use crate::sid::full_name;
use crate::tally::Noise;

/// Keys of the services without which nothing is recorded: the log itself, and this agent.
const RECORDING: &[&str] = &["eventlog", "ntk-agent"];

/// How far the time service may move the clock without a word: it does so all day.
const CLOCK_KEPT_SECONDS: i64 = 5;

impl Room {
    /// 1102 of the security log, 104 of any other.
    pub(super) fn log_cleared(&mut self, record: &Record) -> Found {
        let which =
            record.field("Channel").unwrap_or(if record.event_id == 1102 { "Security" } else { "unknown" });
        let mut event = tampered(record, TamperKind::LogCleared, format!("log {which}"));
        let mut actor = self.subject(record);
        // 104 names the account without its identifier; the provider ran under it.
        actor.sid = actor.sid.or_else(|| record.user_sid.clone().filter(|_| actor.login_user.is_some()));
        event.actor = Some(actor);
        Ok(vec![event])
    }

    /// The log's service ended (1100), events did not reach it (1101), it is full (1104).
    pub(super) fn log_stopped(&mut self, record: &Record) -> Found {
        let cause = match record.event_id {
            1100 => "event_log_stopped",
            1101 => "events_dropped",
            _ => "log_full",
        };
        Ok(vec![gap(record, cause, None)])
    }

    pub(super) fn recording_touched(&mut self, record: &Record) -> Found {
        match record.event_id {
            4612 => Ok(vec![gap(record, "queue_overflow", record.number("AuditsDiscarded"))]),
            4616 => self.clock_moved(record),
            4719 => Ok(vec![self.by_subject(record, TamperKind::AuditPolicyChanged, policy(record))]),
            4906 => {
                let value = record.field("CrashOnAuditFailValue").unwrap_or("?");
                Ok(vec![self.by_subject(
                    record,
                    TamperKind::AuditPolicyChanged,
                    format!("CrashOnAuditFail {value}"),
                )])
            }
            _ => self.access_list_changed(record),
        }
    }

    /// An access list for auditing (4907), of a watched file or of the program's own.
    fn access_list_changed(&mut self, record: &Record) -> Found {
        if record.field("ObjectType").is_none_or(|kind| !kind.eq_ignore_ascii_case("File")) {
            return Err(Noise::NotAFile);
        }
        let place = record.field("ObjectName").and_then(Place::parse);
        let object = place.and_then(|place| self.object(&place, false)).ok_or(Noise::NotWatched)?;
        let is_emptied = record.field("NewSd").is_none_or(|text| !text.contains("(AU;"));
        let whose = if Self::is_own(&object) { "of the program's own files" } else { "of what is watched" };
        let how =
            if is_emptied { "no entry for auditing is left" } else { "entries for auditing were replaced" };
        let mut event = self.by_subject(record, TamperKind::SaclChanged, format!("{whose}: {how}"));
        event.object = Some(object);
        Ok(vec![event])
    }

    fn clock_moved(&mut self, record: &Record) -> Found {
        let moved = moved_seconds(record);
        let actor = self.subject(record);
        if actor.is_nobody()
            && actor.login_user.is_none()
            && moved.is_some_and(|by| by.abs() <= CLOCK_KEPT_SECONDS)
        {
            return Err(Noise::ClockKept);
        }
        // Setting it by hand gives a second record, of the rest of a second.
        if moved == Some(0) {
            return Err(Noise::ClockKept);
        }
        let detail = moved.map_or_else(|| "by an unknown time".to_owned(), |by| format!("by {by:+} s"));
        Ok(vec![self.by_subject(record, TamperKind::ClockChanged, detail)])
    }

    /// A service was installed (7045, 4697), or one of those that record was stopped (7036).
    pub(super) fn service(&mut self, record: &Record) -> Found {
        if record.event_id == 7036 {
            return self.service_changed(record);
        }
        let name = record.field("ServiceName").unwrap_or("unknown");
        let image = record.field("ImagePath").or_else(|| record.field("ServiceFileName"));
        let program =
            image.map(|image| image.trim_start_matches('"').split(['"', ' ']).next().unwrap_or_default());
        let tool = self.tools.of_service(name).or_else(|| self.tools.of_program(program?));
        let detail = match tool {
            Some(tool) => format!("service {name}, of the remote-support tool {}", tool.name),
            None => format!("service {name}"),
        };
        let mut event = tampered(record, TamperKind::ServiceInstalled, detail);
        event.actor = Some(if record.event_id == 4697 { self.subject(record) } else { by_provider(record) });
        event.process = image.map(|image| Process { command: Some(masked(image)), ..Process::default() });
        Ok(vec![event])
    }

    /// 7036 names service and state in the system's language; its binary part holds the key and the state's number.
    fn service_changed(&mut self, record: &Record) -> Found {
        let binary = record.field("Binary").and_then(utf16_of_hex).ok_or(Noise::OrdinaryService)?;
        let (key, state) = binary.trim_end_matches('\0').rsplit_once('/').ok_or(Noise::OrdinaryService)?;
        // 1 is stopped, 4 is running (SERVICE_STATUS, winsvc.h).
        if state != "1" || !RECORDING.contains(&key.to_lowercase().as_str()) {
            return Err(Noise::OrdinaryService);
        }
        let mut event = tampered(record, TamperKind::AgentKilled, format!("service {key} stopped"));
        event.actor = Some(by_provider(record));
        Ok(vec![event])
    }

    fn by_subject(&self, record: &Record, what: TamperKind, detail: String) -> Event {
        let mut event = tampered(record, what, detail);
        event.actor = Some(self.subject(record));
        event.process = self.process(record, "ProcessId", "ProcessName");
        event
    }
}

fn tampered(record: &Record, what: TamperKind, detail: String) -> Event {
    let mut event = Room::event(Kind::Tamper, record);
    event.outcome = Some(if record.is_failure() { Outcome::Denied } else { Outcome::Success });
    event.tamper = Some(Tamper { what, detail: Some(detail), other: Default::default() });
    event
}

fn gap(record: &Record, cause: &str, lost: Option<u64>) -> Event {
    let mut event = Room::event(Kind::Gap, record);
    let from = Some(event.time.clone());
    event.gap = Some(Gap { cause: cause.to_owned(), from, to: None, lost, other: Default::default() });
    event
}

/// The account under which a provider wrote, which for the service control manager is who asked it.
fn by_provider(record: &Record) -> Actor {
    let sid = record.user_sid.clone().filter(|sid| crate::sid::is_account(sid));
    let name = full_name(record.field("SubjectDomainName"), record.field("SubjectUserName"));
    let confidence = if sid.is_some() { Confidence::Derived } else { Confidence::Unattributed };
    Actor { sid, login_user: name, confidence: Some(confidence), ..Actor::default() }
}

/// What of the audit policy changed (4719): the subcategory's identifier, its name where we need it, and the codes of the
/// changes in words.
fn policy(record: &Record) -> String {
    const CHANGES: &[(&str, &str)] = &[
        ("%%8448", "success removed"),
        ("%%8449", "success added"),
        ("%%8450", "failure removed"),
        ("%%8451", "failure added"),
    ];
    let guid = record.field("SubcategoryGuid").unwrap_or("?").trim_matches(['{', '}']).to_ascii_lowercase();
    let name = Wanted::built_in().name_of(&guid);
    let codes = record.field("AuditPolicyChanges").unwrap_or_default();
    let changes: Vec<&str> =
        CHANGES.iter().filter(|(code, _)| codes.contains(code)).map(|(_, words)| *words).collect();
    let changes = if changes.is_empty() { "changed".to_owned() } else { changes.join(", ") };
    match name {
        Some(name) => format!("{name}: {changes}"),
        None => format!("subcategory {guid}: {changes}"),
    }
}

/// By how many seconds the clock was moved; forward is positive. Version 0 has dates and times apart, localised: unknown.
fn moved_seconds(record: &Record) -> Option<i64> {
    let moment = |name: &str| Moment::parse(record.field(name)?);
    let nanos = moment("NewTime")?.unix_nanos().saturating_sub(moment("PreviousTime")?.unix_nanos());
    Some(nanos.wrapping_div(1_000_000_000))
}

/// Text in UTF-16, written as hexadecimal digits.
fn utf16_of_hex(digits: &str) -> Option<String> {
    let bytes: Vec<u8> = digits
        .as_bytes()
        .chunks(2)
        .map_while(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let units: Vec<u16> =
        bytes.chunks_exact(2).filter_map(|pair| Some(u16::from_le_bytes(pair.try_into().ok()?))).collect();
    String::from_utf16(&units).ok()
}
