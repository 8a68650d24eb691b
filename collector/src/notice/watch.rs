//! Reads the ledger behind the follower and keeps what notices need to know: `private/notices.json`.
//!
//! Where that file is gone, reading goes on at the leaf that the acts name: deleting it makes nothing unseen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::signs::{Place, Signs};
use super::{Kind, Sign};
use crate::app::App;
use crate::follow::answer::{read, store_error};
use crate::home::{Home, HomeError};
use crate::ledger::LedgerError;

const FILE: &str = "notices.json";
/// How many leaves are read before somebody else gets a turn.
const LEAVES_AT_ONCE: u64 = 500;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Leaves that were read.
    pub read_until: u64,
    /// Of the signs.
    #[serde(default)]
    signs: Signs,
    /// Of the notices.
    #[serde(default)]
    pub plan: Plan,
}

impl Watch {
    /// From its file, but no earlier than where the acts say that reading goes on.
    pub fn load(home: &Home, noticed_until: u64) -> Self {
        let text = home.read_secret(FILE).ok();
        let kept = text.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        let kept = kept.unwrap_or_default();
        Self { read_until: kept.read_until.max(noticed_until), ..kept }
    }

    /// Writes it down.
    pub fn save(&self, home: &Home) -> Result<(), HomeError> {
        home.write_secret(FILE, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Takes in what is new; whether there is more. Blocks.
    pub fn read_on(
        &mut self,
        app: &App,
        silent_machines: usize,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let (reached, goes_on) = app.lookup.reached();
        if !goes_on {
            let key = format!("stopped at {reached}");
            self.plan.add([Sign { kind: Kind::Stopped, key, at: now, leaf: reached }]);
        }
        // A ledger that is shorter than what was read is another one: it is read from its beginning. The follower may be
        // behind for a while after a start.
        let size = app.ledger.published().checkpoint.checkpoint.size;
        let from = if self.read_until > size { 0 } else { self.read_until };
        let to = reached.min(from.saturating_add(LEAVES_AT_ONCE)).max(from);
        let reader = app.lookup.reader();
        for leaf in from..to {
            let Some(record) = app.lookup.store().leaf(leaf).map_err(store_error)? else { continue };
            let batch = read(&reader, &record)?;
            for (number, entry) in batch.numbered() {
                let Ok(event) = entry.event() else { continue };
                let place = Place { author: &record.author, number, leaf, at: record.received() };
                let found = self.signs.observe(place, &event, silent_machines);
                self.plan.add(found);
            }
        }
        self.read_until = to;
        // A finding that is open may become more than it was when its act was written.
        for id in self.signs.open.clone() {
            if let Some(record) = app.lookup.store().finding(&id).map_err(store_error)? {
                let found = self.signs.finding(&record.finding, to, now);
                self.plan.add(found);
            }
        }
        Ok(to < reached)
    }
}
