//! The copy as the collector holds it: where to, how it stands, one run at a time, and the acts that tell of it.

use std::sync::{Arc, Mutex, PoisonError};

use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_evidence::time::Moment;
use ntk_segment::frame::Frame;
use ntk_segment::pointer::Pointer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::check::{CheckError, Found, check};
use super::copy::{Copied, CopyError, Run};
use super::list::{self, Newest};
use super::memory::Memory;
use super::settings::Settings;
use super::shelf::{self, Shelf, ShelfError};
use super::target::Target;
use crate::ledger::LedgerError;
use crate::ledger::LedgerHandle;
use crate::practice::Practice;
use crate::witness::trust::CurrentTrust;

/// A copy that has failed for so long is an act and an alarm in the weekly review.
const ALARM_AFTER_SECONDS: i64 = 24 * 3600;

/// Whether the segment in use is finished first, so that everything up to now is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is.
    Yes,
    /// Only what is finished is copied.
    No,
}

/// Nothing was copied, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum OffSiteError {
    /// Nothing says where to.
    #[error(
        "no copy is made outside this machine: set `[off_site]` with `to = \"/mnt/backup/ntk\"` (or sftp://, s3://) in collector.toml and start the collector again"
    )]
    None,
    /// The run.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// Reading back.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The place.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The ledger.
    #[error("that a copy was made could not be written into the ledger")]
    Act(#[from] LedgerError),
    /// The list there.
    #[error("`newest.json` there cannot be read: {0}")]
    List(#[from] list::NotAList),
}

/// How the copy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Where to, without credentials; none where nothing is set up.
    pub to: Option<String>,
    /// Leaves of the log that are outside.
    pub log_size: u64,
    /// Segments that are outside.
    pub segments: usize,
    /// When a run last came to its end, RFC 3339.
    pub succeeded: Option<String>,
    /// Since when every run has failed, RFC 3339.
    pub failing_since: Option<String>,
    /// What the last failure was.
    pub failure: Option<String>,
    /// Whether one runs now.
    pub running: bool,
}

/// What the acts say of the copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// When something was copied last, RFC 3339.
    pub copied: Option<String>,
    /// Up to how many leaves of the log.
    #[serde(default)]
    pub log_size: u64,
    /// Since when it fails, RFC 3339, where that was told and is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
}

impl Recorded {
    /// Takes in the body of an [`act::kind::OFF_SITE`].
    pub fn apply(&mut self, time: &str, body: &Value) {
        match body.get("step").and_then(Value::as_str) {
            Some("failing") => self.failing_since = Some(time.to_owned()),
            Some("works_again") => self.failing_since = None,
            Some("copied") => {
                let log_size = body.get("log_size").and_then(Value::as_u64).unwrap_or_default();
                *self = Self { copied: Some(time.to_owned()), log_size, failing_since: None };
            }
            _ => {}
        }
    }
}

/// The copy of a practice's ledger, for any thread.
#[derive(Clone, Debug)]
pub struct OffSite(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    practice: Arc<Practice>,
    ledger: LedgerHandle,
    trust: CurrentTrust,
    /// Held while something is sent or read back: one at a time.
    turn: Mutex<()>,
    running: Mutex<bool>,
}

impl OffSite {
    /// As the configuration says.
    pub fn new(practice: Arc<Practice>, ledger: LedgerHandle, trust: CurrentTrust) -> Self {
        Self(Arc::new(Inner { practice, ledger, trust, turn: Mutex::default(), running: Mutex::default() }))
    }

    /// Where copies go.
    pub fn target(&self) -> Option<Target> {
        self.0.practice.current().off_site.clone()
    }

    /// How it stands, as far as is known here.
    pub fn standing(&self) -> Standing {
        let Some(target) = self.target() else { return Standing::default() };
        let memory = self.memory(&target);
        Standing {
            to: Some(target.to_string()),
            log_size: memory.list.as_ref().map_or(0, |list| list.log_size),
            segments: memory.list.as_ref().map_or(0, |list| list.segments.len()),
            succeeded: memory.succeeded,
            failing_since: memory.failing_since,
            failure: memory.failure,
            running: *self.0.running.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn memory(&self, target: &Target) -> Memory {
        Memory::read(&self.0.practice.home, &target.to_string())
    }

    /// Copies what is missing, and writes down how that went. Waits for its turn; for a thread that may wait.
    pub fn copy(
        &self,
        finish: Finish,
        stop: &CancellationToken,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, OffSiteError> {
        let target = self.target().ok_or(OffSiteError::None)?;
        let open = || shelf::open(&target, self.0.ledger.slug(), stop);
        self.copy_to(&target, &open, finish, tell)
    }

    pub(super) fn copy_to(
        &self,
        target: &Target,
        open: &dyn Fn() -> Result<Box<dyn Shelf>, ShelfError>,
        finish: Finish,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, OffSiteError> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_running(true);
        let result = self.attempt(target, open, finish, tell);
        self.set_running(false);
        match result {
            Ok(copied) => self.went_well(target, copied),
            Err(error) => {
                self.went_wrong(target, &error)?;
                Err(error.into())
            }
        }
    }

    fn set_running(&self, is_running: bool) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = is_running;
    }

    fn attempt(
        &self,
        target: &Target,
        open: &dyn Fn() -> Result<Box<dyn Shelf>, ShelfError>,
        finish: Finish,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, CopyError> {
        let shelf = open()?;
        if finish == Finish::Yes {
            finish_segment(&self.0.ledger)?;
        }
        let (trust, trust_text) = self.0.trust.now();
        let home = &self.0.practice.home;
        let mut memory = self.memory(target);
        let remembered = memory.list.clone();
        let mut remember = |list: &Newest| {
            memory.list = Some(list.clone());
            memory.write(home)
        };
        let (now, leaves) = (self.0.ledger.now(), self.0.ledger.published().checkpoint.checkpoint.size);
        let settings = Settings::gather(home, self.0.ledger.slug(), now, leaves)?;
        let settings = settings.sign(&self.0.practice.ledger_keys()?.collector);
        let run = Run {
            settings: &settings,
            ledger: &self.0.ledger,
            trust: &trust_text,
            recovery: &trust.recovery,
            shelf: shelf.as_ref(),
            remembered,
            remember: &mut remember,
            tell,
        };
        run.copy()
    }

    fn went_well(&self, target: &Target, copied: Copied) -> Result<Copied, OffSiteError> {
        let ledger = &self.0.ledger;
        let mut memory = self.memory(target);
        memory.succeeded = Some(ledger.now());
        (memory.failing_since, memory.failure) = (None, None);
        memory.write(&self.0.practice.home).map_err(CopyError::from)?;
        let was_told = self.told().failing_since.is_some();
        if copied.n_sent > 0 {
            let list = &copied.list;
            self.act(json!({
                "step": "copied", "to": target.to_string(), "log_size": list.log_size, "log_root": list.log_root,
                "segments": copied.n_sent, "segments_there": list.segments.len(),
                "list_sha256": Hash::of(&list.to_bytes()).to_hex(),
            }))?;
            info!(segments = copied.n_sent, leaves = list.log_size, "copied off-site");
        } else if was_told {
            self.act(json!({"step": "works_again", "to": target.to_string()}))?;
        }
        Ok(copied)
    }

    fn went_wrong(&self, target: &Target, error: &CopyError) -> Result<(), OffSiteError> {
        if matches!(error, CopyError::Shelf(ShelfError::Stopped)) {
            return Ok(());
        }
        let ledger = &self.0.ledger;
        let mut memory = self.memory(target);
        let since = memory.failing_since.get_or_insert_with(|| ledger.now()).clone();
        memory.failure = Some(crate::error_chain(error));
        // The disk here may be what fails: then the warning below is all there is.
        let _ = memory.write(&self.0.practice.home);
        warn!(reason = error.word(), since, "the off-site copy failed");
        let is_long = Moment::parse(&since)
            .is_some_and(|since| since.plus_seconds(ALARM_AFTER_SECONDS) <= ledger.clock().now());
        if is_long && self.told().failing_since.is_none() {
            let why = error.word();
            self.act(json!({"step": "failing", "to": target.to_string(), "since": since, "why": why}))?;
        }
        Ok(())
    }

    fn told(&self) -> Recorded {
        self.0.ledger.published().registry.off_site.clone().unwrap_or_default()
    }

    fn act(&self, body: Value) -> Result<(), OffSiteError> {
        let ledger = &self.0.ledger;
        let event = act::event(act::kind::OFF_SITE, ledger.now(), body);
        ledger.act_blocking(vec![event]).map(|_| ()).map_err(OffSiteError::Act)
    }

    /// The list that lies there.
    pub fn list(&self, stop: &CancellationToken) -> Result<Option<Newest>, OffSiteError> {
        let target = self.target().ok_or(OffSiteError::None)?;
        let shelf = shelf::open(&target, self.0.ledger.slug(), stop)?;
        let bytes = shelf.get(list::NAME)?;
        Ok(bytes.map(|bytes| Newest::parse(&bytes)).transpose()?)
    }

    /// Reads everything back.
    pub fn check(&self, stop: &CancellationToken, tell: impl FnMut(u64, u64)) -> Result<Found, OffSiteError> {
        let target = self.target().ok_or(OffSiteError::None)?;
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = shelf::open(&target, self.0.ledger.slug(), stop)?;
        let memory = self.memory(&target);
        let trust = self.0.trust.now().1;
        Ok(check(shelf.as_ref(), &self.0.ledger, memory.list.as_ref(), &trust, tell)?)
    }
}

/// Finishes the segment that is written now, where there is a batch in it.
fn finish_segment(ledger: &LedgerHandle) -> Result<(), LedgerError> {
    let reader = ledger.reader();
    let from = Pointer::first_in(reader.committed_end().segment);
    for frame in reader.frames_from(from) {
        if matches!(frame?.1, Frame::Batch(_)) {
            return ledger.finish_segment_blocking();
        }
    }
    Ok(())
}
