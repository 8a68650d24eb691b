//! Where records of the event log become events: the only place of the agent that knows what a record says.

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome};

use super::head::Head;
use crate::watch_list::WatchList;

/// Makes events of records. Records come in the order of their channel, one at a time; the same records in the same order
/// make the same events.
pub trait Room: Send {
    /// The events of one record, as the system rendered it.
    fn feed(&mut self, xml: &str) -> Vec<Event>;
}

/// The room of this agent.
pub fn room(_watches: &WatchList) -> Box<dyn Room> {
    Box::new(LoginsOnly)
}

/// Logins at the machine and over remote desktop, 4624 and 4625 of the types 2, 7, 10 and 11 (Microsoft, "4624(S): An account
/// was successfully logged on"), without sessions.
#[derive(Clone, Copy, Debug, Default)]
struct LoginsOnly;

impl Room for LoginsOnly {
    fn feed(&mut self, xml: &str) -> Vec<Event> {
        let Some(head) = Head::of(xml) else { return Vec::new() };
        let outcome = match head.id {
            4624 => Outcome::Success,
            4625 => Outcome::Denied,
            _ => return Vec::new(),
        };
        if !matches!(data(xml, "LogonType"), Some("2" | "7" | "10" | "11")) {
            return Vec::new();
        }
        let mut event = Event::new(Kind::Login, head.at);
        event.outcome = Some(outcome);
        event.actor = Some(Actor {
            sid: data(xml, "TargetUserSid").map(str::to_owned),
            login_user: data(xml, "TargetUserName").map(str::to_owned),
            from: data(xml, "IpAddress").filter(|from| *from != "-").map(str::to_owned),
            confidence: Some(Confidence::Kernel),
            ..Actor::default()
        });
        vec![event]
    }
}

fn data<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    ['\'', '"'].iter().find_map(|quote| {
        let (_, rest) = xml.split_once(&format!("<Data Name={quote}{name}{quote}>"))?;
        rest.split_once("</Data>").map(|(text, _)| text).filter(|text| !text.is_empty())
    })
}
