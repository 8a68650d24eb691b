//! When a remote-support tool drove a session, or the machine: once told when it begins, once when it is over.
//!
//! Signs that somebody is connected, none of which shows contents: a login session that the tool opened; a program
//! that runs only while somebody is connected, or a bare shell below the tool, for as long as it runs; a connection
//! to a port on which the tool listens, for as long as two looks in a row show it. An interval lasts while it has
//! any sign. A connection or shell tells nothing of who sits at the other end.

use std::collections::BTreeSet;

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome, Process, Source};

use crate::classify::SENSOR;
use crate::record::Stamp;

/// Intervals that are open at once; further ones are joined to none and not told.
pub const INTERVALS_MAX: usize = 256;

/// A sign that somebody is connected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sign {
    /// A login session that the tool opened.
    Session(u64),
    /// A process that runs for as long as somebody is connected.
    Process(u32),
    /// A connection: the process and the other end.
    Connection(u32, String),
}

/// What shows that somebody is connected to a tool's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The tool.
    pub tool: String,
    /// The tool's process.
    pub pid: u32,
    /// Its program.
    pub exe: String,
    /// Address and port of the other end of a connection to a port on which it listens; none where the process
    /// itself runs only while somebody is connected.
    pub from: Option<(String, u16)>,
    /// Login uid and session of the tool's process, where a person's session runs it.
    pub session: Option<(u32, u64)>,
    /// Name of that login uid.
    pub login_user: Option<String>,
}

/// What a look at the machine showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Open connections to tools, and processes of tools that run only while somebody is connected.
    pub connections: Vec<Connection>,
    /// Which of the followed processes still run.
    pub living: BTreeSet<u32>,
}

struct Interval {
    tool: String,
    session: Option<u64>,
    event: Event,
    signs: BTreeSet<Sign>,
}

/// Intervals that are open.
#[derive(Default)]
pub(super) struct Remote {
    intervals: Vec<Interval>,
    /// Connections of the last look, with its time: they count from the second look on.
    seen: Vec<(Sign, String)>,
}

impl Remote {
    /// A sign came up in this event; gives the beginning, if it is the first of its tool and session.
    pub(super) fn begins(&mut self, tool: &str, sign: Sign, of: &Event, stamp: Stamp) -> Option<Event> {
        let actor = of.actor.clone().unwrap_or_default();
        let session = actor.session;
        let mut event = Event::new(Kind::RemoteControl, stamp.rfc3339());
        event.actor = Some(Actor { tool: Some(tool.to_owned()), effective_user: None, ..actor });
        event.process = of.process.clone().map(|process| Process { command: None, ..process });
        event.source.clone_from(&of.source);
        self.open(tool, session, sign, event)
    }

    /// A login session ended; gives the end of the interval that it carried.
    pub(super) fn session_ends(&mut self, session: u64, stamp: Stamp) -> Option<Event> {
        let time = stamp.rfc3339();
        self.without(&|sign| *sign == Sign::Session(session), &time).into_iter().next()
    }

    /// The tool that drives a session.
    pub(super) fn tool_of(&self, session: Option<u64>) -> Option<String> {
        let session = session?;
        let drives = |interval: &&Interval| interval.session == Some(session);
        self.intervals.iter().find(drives).map(|interval| interval.tool.clone())
    }

    /// Processes whose end is waited for.
    pub(super) fn followed(&self) -> Vec<u32> {
        let of = |sign: &Sign| match sign {
            Sign::Process(pid) => Some(*pid),
            Sign::Session(_) | Sign::Connection(..) => None,
        };
        self.intervals.iter().flat_map(|interval| interval.signs.iter().filter_map(of)).collect()
    }

    /// Begins and ends what a look showed.
    pub(super) fn look(&mut self, presence: &Presence, time: &str) -> Vec<Event> {
        let mut events = Vec::new();
        let mut here = Vec::new();
        for connection in &presence.connections {
            let sign = connection.sign();
            let before = self.seen.iter().find(|(seen, _)| *seen == sign).map(|(_, since)| since.clone());
            let at_once = connection.from.is_none().then(|| time.to_owned());
            if let Some(since) = before.as_ref().or(at_once.as_ref()) {
                let session = connection.session.map(|(_, session)| session);
                events.extend(self.open(&connection.tool, session, sign.clone(), connection.event(since)));
            }
            here.push((sign, before.unwrap_or_else(|| time.to_owned())));
        }
        self.seen = here;
        let seen: BTreeSet<Sign> = self.seen.iter().map(|(sign, _)| sign.clone()).collect();
        let is_over = |sign: &Sign| match sign {
            Sign::Session(_) => false,
            Sign::Process(pid) => !presence.living.contains(pid) && !seen.contains(sign),
            Sign::Connection(..) => !seen.contains(sign),
        };
        events.extend(self.without(&is_over, time));
        events
    }

    fn open(&mut self, tool: &str, session: Option<u64>, sign: Sign, mut event: Event) -> Option<Event> {
        let same = |interval: &&mut Interval| interval.tool == tool && interval.session == session;
        if let Some(interval) = self.intervals.iter_mut().find(same) {
            interval.signs.insert(sign);
            return None;
        }
        if self.intervals.len() >= INTERVALS_MAX {
            return None;
        }
        event.outcome = Some(Outcome::Success);
        self.intervals.push(Interval {
            tool: tool.to_owned(),
            session,
            event: event.clone(),
            signs: BTreeSet::from([sign]),
        });
        Some(event)
    }

    /// Takes signs away; gives the ends of the intervals that have none left.
    fn without(&mut self, is_over: &dyn Fn(&Sign) -> bool, time: &str) -> Vec<Event> {
        for interval in &mut self.intervals {
            interval.signs.retain(|sign| !is_over(sign));
        }
        let over = self.intervals.extract_if(.., |interval| interval.signs.is_empty());
        over.map(|interval| Event { last: Some(time.to_owned()), ..interval.event }).collect()
    }
}

impl Connection {
    fn sign(&self) -> Sign {
        match &self.from {
            Some((address, port)) => Sign::Connection(self.pid, format!("{address} {port}")),
            None => Sign::Process(self.pid),
        }
    }

    fn event(&self, time: &str) -> Event {
        let mut event = Event::new(Kind::RemoteControl, time);
        event.actor = Some(Actor {
            tool: Some(self.tool.clone()),
            login_uid: self.session.map(|(uid, _)| uid),
            login_user: self.login_user.clone(),
            session: self.session.map(|(_, session)| session),
            from: self.from.as_ref().map(|(address, _)| address.clone()),
            confidence: Some(match self.session {
                Some(_) => Confidence::Derived,
                None => Confidence::Unattributed,
            }),
            ..Actor::default()
        });
        event.process =
            Some(Process { pid: Some(self.pid), exe: Some(self.exe.clone()), ..Process::default() });
        event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(pid: u32, from: &str, session: Option<(u32, u64)>) -> Connection {
        Connection {
            tool: "AnyDesk".to_owned(),
            pid,
            exe: "/usr/bin/anydesk".to_owned(),
            from: Some((from.to_owned(), 50_000)),
            session,
            login_user: session.map(|_| "anna".to_owned()),
        }
    }

    fn shown(events: &[Event]) -> Vec<String> {
        let one = |event: &Event| {
            let actor = event.actor.clone().unwrap_or_default();
            let (user, from) = (actor.login_user.unwrap_or("-".into()), actor.from.unwrap_or("-".into()));
            format!("{}..{} {user} from {from}", event.time, event.last.as_deref().unwrap_or("-"))
        };
        events.iter().map(one).collect()
    }

    fn look(remote: &mut Remote, connections: &[Connection], time: &str) -> Vec<String> {
        let presence = Presence { connections: connections.to_vec(), ..Presence::default() };
        shown(&remote.look(&presence, time))
    }

    #[test]
    fn a_connection_counts_from_its_second_look_and_ends_when_it_is_gone() {
        let mut remote = Remote::default();
        let one = connection(7, "203.0.113.9", Some((1001, 3)));
        assert!(look(&mut remote, std::slice::from_ref(&one), "t1").is_empty(), "a scanner knocks once");
        assert_eq!(look(&mut remote, std::slice::from_ref(&one), "t2"), ["t1..- anna from 203.0.113.9"]);
        assert_eq!(remote.tool_of(Some(3)).as_deref(), Some("AnyDesk"));
        assert_eq!(remote.tool_of(Some(4)), None);
        assert!(look(&mut remote, std::slice::from_ref(&one), "t3").is_empty());
        assert_eq!(look(&mut remote, &[], "t4"), ["t1..t4 anna from 203.0.113.9"]);
        assert!(look(&mut remote, &[], "t5").is_empty());
    }

    #[test]
    fn a_program_that_was_there_before_the_agent_counts_at_once() {
        let mut remote = Remote::default();
        let one = Connection { from: None, ..connection(7, "", Some((1001, 3))) };
        assert_eq!(look(&mut remote, std::slice::from_ref(&one), "t1"), ["t1..- anna from -"]);
        assert!(look(&mut remote, &[one], "t2").is_empty());
        assert_eq!(look(&mut remote, &[], "t3"), ["t1..t3 anna from -"]);
    }

    #[test]
    fn several_signs_of_one_tool_and_session_are_one_interval() {
        let mut remote = Remote::default();
        let (one, two) = (connection(7, "203.0.113.9", None), connection(7, "203.0.113.10", None));
        look(&mut remote, &[one.clone(), two.clone()], "t1");
        assert_eq!(look(&mut remote, &[one, two.clone()], "t2"), ["t1..- - from 203.0.113.9"]);
        assert!(look(&mut remote, &[two], "t3").is_empty(), "one of two is gone");
        assert_eq!(look(&mut remote, &[], "t4").len(), 1);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut remote = Remote::default();
        let many: Vec<Connection> =
            (0..1000).map(|n| connection(n, "203.0.113.9", Some((1000, n.into())))).collect();
        look(&mut remote, &many, "t1");
        assert_eq!(look(&mut remote, &many, "t2").len(), INTERVALS_MAX);
        assert_eq!(look(&mut remote, &[], "t3").len(), INTERVALS_MAX);
    }
}
