//! Where records of the event log become events: the only place of the agent that knows what a record says.

use std::sync::Arc;

use ntk_evidence::event::Event;
use ntk_windows::record::Record;
use ntk_windows::room::{Damage, Numbers};
use ntk_windows::watch;

use crate::sensor::audit_policy;
use crate::sensor::standing::Standing;
use crate::watch_list::WatchList;

/// Makes events of records. Records come in the order of their channel, one at a time; the same records in the same order
/// make the same events.
pub trait Room: Send {
    /// The events that are finished with one record, as the system rendered it.
    fn feed(&mut self, xml: &str) -> Vec<Event>;
}

/// The room of this agent: that of replayed recordings, for a log of which every record is read.
///
/// Events that wait for others (a run of accesses, privileges of a login) are told with a later record and never by the
/// clock: so a restart, which reads the same records again, tells each of them once.
///
/// A record of a change of what is recorded asks for a look at the machine, too.
pub fn room(watches: &WatchList, standing: Arc<Standing>) -> Box<dyn Room> {
    let mut room = ntk_windows::room::Room::new(of_windows(watches), Numbers::Whole);
    room.set_own(std::process::id());
    Box::new(Following { room, standing })
}

/// The watches as the room of Windows has them; guards of our own folder are told by other sensors.
fn of_windows(watches: &WatchList) -> watch::Watches {
    let of = |own: &crate::watch_list::Watch| {
        let made = watch::Watch::new(&own.path, own.class.clone(), own.owner.clone()).ok()?;
        Some(if own.decoy().is_some() { made.as_decoy() } else { made })
    };
    let assets = watches.iter().filter(|watch| watch.is_asset());
    watch::Watches::new(assets.filter_map(of).collect()).unwrap_or_default()
}

struct Following {
    room: ntk_windows::room::Room,
    standing: Arc<Standing>,
}

impl Room for Following {
    fn feed(&mut self, xml: &str) -> Vec<Event> {
        match Record::from_xml(xml) {
            Ok(record) => {
                if audit_policy::ASKS.contains(&record.event_id) {
                    self.standing.ask_policy();
                }
                self.room.feed(&record)
            }
            Err(_) => {
                self.room.damaged(Damage::Record);
                Vec::new()
            }
        }
    }
}
