//! The running agent's part of an on-site test: it watches the test's folder, looks for a claim, and seals what its own
//! log has of it.
//!
//! The file of the claim goes only after the entry is durable, and a test is sealed once: a crash at any step is as good
//! as none.

use std::path::Path;
use std::sync::Arc;

use ntk_evidence::event::{Event, Health};
use ntk_segment::reader::Reader;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::commission::claim::{Claim, ClaimError, path_in};
use crate::commission::judge::Scene;
use crate::commission::own_log::OwnLog;
use crate::commission::{folder, older, seal, watch};
use crate::host;
use crate::spool::keeper::Progress;
use crate::watch_list::WatchList;
use crate::whole_file::{RealFiles, create_private_folder};

/// Makes the test's folder and says that the agent began: before the sensors, so that this is no access.
pub(super) fn begin(dir: &Path, clock: &dyn Clock) {
    if create_private_folder(&folder(dir)).is_err() {
        warn!("the folder of on-site tests could not be made");
    }
    let uptime = u64::try_from(clock.uptime().as_millis()).unwrap_or(u64::MAX);
    older::begin(dir, &host::boot_id(), uptime, &RealFiles);
}

/// What is watched, with the test's folder: a practice that has nothing watched has nothing to test.
pub(super) fn watched(dir: &Path, watches: &WatchList) -> WatchList {
    let test = watch(dir).filter(|_| !watches.is_empty() && folder(dir).is_dir());
    watches.with(test.into_iter().collect())
}

/// Whether a claim lies there: looked at all day, so before anything else is made ready.
pub(super) fn is_asked(dir: &Path) -> bool {
    std::fs::symlink_metadata(path_in(dir)).is_ok()
}

/// Looks for claims.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    /// The test whose entry was handed to the spool and is not durable yet.
    told: Option<String>,
}

/// What the agent knows when it looks.
pub(super) struct Around<'a> {
    pub(super) dir: &'a Path,
    pub(super) watches: &'a WatchList,
    pub(super) progress: &'a Progress,
    pub(super) clock: &'a dyn Clock,
}

impl Sealing {
    /// The entry to write, if a test was made. `health` is asked only then.
    pub(super) fn look(&mut self, around: &Around<'_>, health: impl FnOnce() -> Health) -> Option<Event> {
        match self.sealed(around, health) {
            Ok(event) => event,
            Err(error) => {
                warn!(error = %crate::error_chain(error.as_ref()), "the result of an on-site test is not sealed");
                if let Err(error) = Claim::remove(around.dir) {
                    warn!(error = %crate::error_chain(&error), "the claim of an on-site test stays");
                }
                None
            }
        }
    }

    fn sealed(
        &mut self,
        around: &Around<'_>,
        health: impl FnOnce() -> Health,
    ) -> Result<Option<Event>, Box<dyn std::error::Error>> {
        let Some(claim) = Claim::read(around.dir)? else { return Ok(None) };
        let (size, now) = (around.progress.size, around.clock.now());
        let claim = claim.checked(size, now)?;
        let log = read(&around.progress.reader, claim.since)?;
        if seal::is_sealed(&claim.id, &log) {
            Claim::remove(around.dir)?;
            self.told = None;
            return Ok(None);
        }
        if self.told.as_ref() == Some(&claim.id) {
            return Ok(None);
        }
        let folder = folder(around.dir);
        let folder = folder.to_str().ok_or(ClaimError::Refused("the agent's folder has no name"))?;
        let watched = places(around.watches);
        let released = around.progress.position.released;
        let scene = Scene { folder, watched: &watched, released };
        let health = health();
        let uptime = u64::try_from(around.clock.uptime().as_millis()).unwrap_or(u64::MAX);
        let older = older::older(around.dir, &host::boot_id(), uptime);
        let event = seal::event(&claim, &log, &scene, health, older, now)?;
        info!(test = %claim.id, "an on-site test is sealed");
        self.told = Some(claim.id);
        Ok(Some(event))
    }
}

fn read(reader: &Arc<Reader>, since: u64) -> Result<Vec<(u64, Event)>, ntk_segment::error::SegmentError> {
    OwnLog::live(Arc::clone(reader)).read(|number, core| seal::is_wanted(since, number, core))
}

/// Paths that a test opens: what the practice has watched, without decoys, which are for nobody to open.
pub(crate) fn places(watches: &WatchList) -> Vec<String> {
    let places = watches.iter().filter(|watch| watch.is_asset() && !watch.is_decoy);
    places.map(|watch| watch.path.clone()).collect()
}
