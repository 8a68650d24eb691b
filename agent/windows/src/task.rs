//! Scheduled tasks as their files tell of them (Microsoft, "Task Scheduler Schema", version 1.2 and later): who they run as,
//! what they start, and when. Of a command the program is told, never its arguments.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Longest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 512 * 1024;
/// How deep elements may lie; those of tasks lie seven deep.
const DEPTH_MAX: usize = 32;
/// Principals, actions and triggers that are kept of one task; the system allows 32 actions and 48 triggers.
const PARTS_MAX: usize = 64;
/// Longest text of one element that is kept.
const TEXT_BYTES_MAX: usize = 4096;

/// One task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Accounts and groups that it runs as: security identifiers or names, as they stand there.
    pub accounts: Vec<String>,
    /// Programs that it starts, as they stand there.
    pub programs: Vec<String>,
    /// Classes of COM that it starts, `{...}`.
    pub classes: Vec<String>,
    /// When it runs, in words, each once.
    pub when: Vec<&'static str>,
    /// Whether it takes all rights that the account can have.
    pub is_elevated: bool,
    /// Whether it is switched off.
    pub is_disabled: bool,
    /// Whether lists of tasks leave it out.
    pub is_hidden: bool,
}

/// A file is no task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no description of a task")]
pub struct NoTask;

/// The text of a task's file: UTF-16 as Windows writes it, or UTF-8.
pub fn text(bytes: &[u8]) -> String {
    let units = |of: fn([u8; 2]) -> u16| -> String {
        let units: Vec<u16> =
            bytes.get(2..).unwrap_or_default().as_chunks::<2>().0.iter().map(|pair| of(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).trim_start_matches('\u{feff}').to_owned(),
    }
}

/// Reads one `Task` element.
pub fn parse(text: &str) -> Result<Task, NoTask> {
    if text.len() > FILE_BYTES_MAX.saturating_mul(2) {
        return Err(NoTask);
    }
    let mut reader = Reader::from_str(text);
    let mut task = Task::default();
    let mut open: Vec<String> = Vec::new();
    let mut content = String::new();
    loop {
        match reader.read_event().map_err(|_| NoTask)? {
            Event::Start(element) => {
                if open.len() >= DEPTH_MAX {
                    return Err(NoTask);
                }
                let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                if open.is_empty() && name != "Task" {
                    return Err(NoTask);
                }
                task.begins(&open, &name);
                open.push(name);
                content.clear();
            }
            Event::Empty(element) => {
                let name = String::from_utf8_lossy(element.local_name().as_ref()).into_owned();
                task.begins(&open, &name);
            }
            Event::End(_) => {
                let name = open.pop().ok_or(NoTask)?;
                task.takes(&open, &name, content.trim());
                content.clear();
                if open.is_empty() {
                    return Ok(task);
                }
            }
            Event::Text(piece) => push(&mut content, &piece.decode().map_err(|_| NoTask)?),
            Event::CData(piece) => push(&mut content, &piece.decode().map_err(|_| NoTask)?),
            Event::GeneralRef(reference) => {
                let name: &[u8] = reference.as_ref();
                let known = match name {
                    b"amp" => "&",
                    b"lt" => "<",
                    b"gt" => ">",
                    b"quot" => "\"",
                    b"apos" => "'",
                    _ => "",
                };
                push(&mut content, known);
            }
            Event::DocType(_) | Event::Eof => return Err(NoTask),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn push(content: &mut String, piece: &str) {
    if content.len().saturating_add(piece.len()) <= TEXT_BYTES_MAX {
        content.push_str(piece);
    }
}

impl Task {
    fn begins(&mut self, open: &[String], name: &str) {
        let is_trigger = matches!(open, [task, triggers] if task == "Task" && triggers == "Triggers");
        let when = match name {
            "BootTrigger" => "at a start of the machine",
            "LogonTrigger" => "at a login",
            "CalendarTrigger" => "by the calendar",
            "TimeTrigger" => "at a time",
            "IdleTrigger" => "when nobody works",
            "RegistrationTrigger" => "when it was made",
            "SessionStateChangeTrigger" => "when a session changes",
            "EventTrigger" => "at an event",
            "WnfStateChangeTrigger" => "when the system changes",
            _ => "otherwise",
        };
        if is_trigger && !self.when.contains(&when) {
            self.when.push(when);
        }
    }

    fn takes(&mut self, open: &[String], name: &str, content: &str) {
        let open: Vec<&str> = open.iter().map(String::as_str).collect();
        let keep = |list: &mut Vec<String>| {
            if !content.is_empty() && list.len() < PARTS_MAX {
                list.push(content.to_owned());
            }
        };
        match (open.as_slice(), name) {
            (["Task", "Principals", "Principal"], "UserId" | "GroupId") => keep(&mut self.accounts),
            (["Task", "Principals", "Principal"], "RunLevel") => {
                self.is_elevated |= content == "HighestAvailable";
            }
            (["Task", "Actions", "Exec"], "Command") => keep(&mut self.programs),
            (["Task", "Actions", "ComHandler"], "ClassId") => keep(&mut self.classes),
            (["Task", "Settings"], "Enabled") => self.is_disabled = content.eq_ignore_ascii_case("false"),
            (["Task", "Settings"], "Hidden") => self.is_hidden = content.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Windows 10 writes it.
    const TASK: &str = r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Author>WS-09\sam</Author><URI>\Nightly</URI></RegistrationInfo>
  <Triggers>
    <CalendarTrigger><StartBoundary>2026-11-01T02:00:00</StartBoundary><Enabled>false</Enabled></CalendarTrigger>
    <LogonTrigger /><LogonTrigger><UserId>WS-09\anna</UserId></LogonTrigger>
  </Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><Enabled>true</Enabled><Hidden>true</Hidden></Settings>
  <Actions Context="Author"><Exec><Command>"C:\Tools\a &amp; b\sync.exe"</Command><Arguments>--key hunter2</Arguments></Exec>
    <ComHandler><ClassId>{A}</ClassId></ComHandler></Actions>
</Task>"#;

    #[test]
    fn a_task_says_who_runs_what_and_when_and_no_arguments() {
        let task = parse(TASK).unwrap();
        assert_eq!(task.accounts, ["S-1-5-18"], "whose login starts it is not who it runs as");
        assert_eq!(task.programs, ["\"C:\\Tools\\a & b\\sync.exe\""]);
        assert_eq!(
            (task.classes, task.when),
            (vec!["{A}".to_owned()], vec!["by the calendar", "at a login"])
        );
        assert!(task.is_elevated && task.is_hidden && !task.is_disabled);
        assert!(!format!("{:?}", parse(TASK)).contains("hunter2"));
    }

    #[test]
    fn a_file_is_read_in_the_encodings_of_windows_and_what_is_no_task_is_refused() {
        let wide: Vec<u8> =
            std::iter::once(0xfeff).chain(TASK.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&wide), TASK);
        assert_eq!(text(TASK.as_bytes()), TASK);
        assert_eq!(text(&[0xff, 0xfe, 0x41]), "");
        for none in ["", "<Task>", "<Other></Other>", "<!DOCTYPE x><Task></Task>", "text"] {
            assert_eq!(parse(none), Err(NoTask), "{none}");
        }
    }

    proptest! {
        // EV-2
        #[test]
        fn any_bytes_are_a_task_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..1200) {
            let _ = parse(&text(&bytes));
            let _ = parse(TASK.get(..cut.min(TASK.len())).unwrap_or_default());
        }
    }
}
