//! Who takes the agent off this machine: what its last entry but one says.
//!
//! The signal that ends a service comes from the service manager, so its record names nobody. `uninstall` leaves its own
//! process number in the agent's folder first (which kernel audit records with the person, too), and waits. The agent that
//! ends asks the kernel whose session that process belongs to. A number whose process is gone, or is another program, says
//! nothing: who writes a false note can put blame on nobody.

use std::path::Path;

use ntk_evidence::event::{Actor, Confidence, Event, Kind, Outcome, Process, Tamper, TamperKind};
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use crate::attribute::Names;
use crate::{clock, host};

/// Name of the note below the agent's folder.
pub(super) const NAME: &str = "leaving.json";

/// The note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The process that uninstalls.
    pub(super) pid: u32,
}

/// What the kernel says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    command: Vec<String>,
    login_uid: Option<u32>,
    session: Option<u32>,
}

/// The entry of an agent that ends because somebody uninstalls it; none where nobody does.
pub fn event(dir: &Path, names: &dyn Names, now: Moment) -> Option<Event> {
    let note: Note = serde_json::from_slice(&std::fs::read(dir.join(NAME)).ok()?).ok()?;
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", note.pid)).ok()?;
    let hand = host::own_hand(note.pid);
    let command = command.split('\0').map(str::to_owned).collect();
    told(note, &Asked { command, login_uid: hand.login_uid, session: hand.session }, names, now)
}

fn told(note: Note, asked: &Asked, names: &dyn Names, now: Moment) -> Option<Event> {
    let program = asked.command.first().map(|program| program.rsplit('/').next().unwrap_or_default());
    let is_uninstall = program == Some("ntk-agent") && asked.command.iter().any(|word| word == "uninstall");
    if !is_uninstall {
        return None;
    }
    let mut event = Event::new(Kind::Tamper, clock::text(now));
    event.outcome = Some(Outcome::Success);
    let confidence = if asked.login_uid.is_some() { Confidence::Derived } else { Confidence::Unattributed };
    event.actor = Some(Actor {
        login_uid: asked.login_uid,
        login_user: asked.login_uid.and_then(|uid| names.user_name(uid)),
        session: asked.session.map(u64::from),
        confidence: Some(confidence),
        ..Actor::default()
    });
    event.process = Some(Process {
        pid: Some(note.pid),
        command: Some("ntk-agent uninstall".to_owned()),
        ..Process::default()
    });
    let detail = Some("uninstalled from this machine".to_owned());
    event.tamper = Some(Tamper { what: TamperKind::AgentKilled, detail, other: Default::default() });
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::NoNames;

    fn check(command: &[&str], login_uid: Option<u32>) -> Option<(Option<u32>, String)> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let asked = Asked { command, login_uid, session: login_uid };
        let event = told(Note { pid: 7 }, &asked, &NoNames, Moment::from_unix_nanos(0))?;
        let actor = event.actor.unwrap();
        Some((actor.login_uid, actor.confidence.unwrap().to_string()))
    }

    #[test]
    fn the_session_of_the_process_that_uninstalls_is_named_and_no_other_process_can_be() {
        let uninstall = ["/usr/local/sbin/ntk-agent", "uninstall", "--keep-data"];
        assert_eq!(check(&uninstall, Some(1001)), Some((Some(1001), "derived".to_owned())));
        assert_eq!(check(&uninstall, None), Some((None, "unattributed".to_owned())));
        assert_eq!(check(&["/usr/bin/vi", "uninstall"], Some(1001)), None);
        assert_eq!(check(&["ntk-agent", "run"], Some(1001)), None);
        assert_eq!(check(&[], Some(1001)), None);
        let dir = tempfile::tempdir().unwrap();
        let now = Moment::from_unix_nanos(0);
        assert_eq!(event(dir.path(), &NoNames, now), None, "nobody uninstalls");
        std::fs::write(dir.path().join(NAME), "{}").unwrap();
        assert_eq!(event(dir.path(), &NoNames, now), None);
        // This process, which is a test.
        let note = serde_json::to_vec(&Note { pid: std::process::id() }).unwrap();
        std::fs::write(dir.path().join(NAME), note).unwrap();
        assert_eq!(event(dir.path(), &NoNames, now), None);
    }
}
