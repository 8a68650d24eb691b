//! What the running agent says of itself in `DIR/status.json`, and how a person reads it.

use std::path::{Path, PathBuf};

use ntk_evidence::event::Health;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::identity::IdentityFiles;
use crate::spool::keeper::Progress;
use crate::uplink::task::UplinkStatus;
use crate::whole_file::{Files as _, Readable, RealFiles};

/// A status that is older than this was written by an agent that no longer runs.
const FRESH_SECONDS: i64 = 30;

/// The status cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Not written.
    #[error("could not write `{path}`; check free space and permissions")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Not read.
    #[error(
        "could not read `{path}`; run this as the user that runs the agent (root, when installed as a service)"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Something else.
    #[error("`{path}` is damaged; restart the agent")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
}

/// Whether the agent runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It runs.
    Running,
    /// It was stopped in order.
    Stopped,
}

/// The content of `status.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFile {
    /// Whether the agent ran when this was written.
    pub life: Life,
    /// Its process number.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// `agent/<machine>`.
    pub author: String,
    /// When it started.
    pub since: String,
    /// When this was written.
    pub updated: String,
    /// Sensors that run.
    pub sensors: Vec<String>,
    /// What this machine cannot show.
    pub cannot_see: Vec<String>,
    /// What of kernel audit nobody can change until the machine boots: `rules`, `login_uids`, `sealed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_lock: Option<String>,
    /// Entries that are durable.
    pub durable: u64,
    /// Entries that the collector acknowledged.
    pub released: u64,
    /// Entries that wait for the collector.
    pub waiting: u64,
    /// Bytes of the spool.
    pub spool_bytes: u64,
    /// Events lost for lack of room since the start.
    pub lost: u64,
    /// Whether batches go to the collector.
    pub connected: bool,
    /// Whether sending is over until a person has acted.
    pub halted: bool,
    /// When a receipt last verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_receipt: Option<String>,
    /// Size of the collector's log as last seen.
    pub log_size: u64,
    /// Why nothing can be written, or why there is no connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl StatusFile {
    /// The status as of now.
    pub fn new(
        life: Life,
        author: &Author,
        since: Moment,
        now: Moment,
        health: &Health,
        progress: &Progress,
        uplink: &UplinkStatus,
    ) -> Self {
        Self {
            life,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            author: author.to_string(),
            since: clock::text(since),
            updated: clock::text(now),
            sensors: health.sensors.clone(),
            cannot_see: health.cannot_see.clone(),
            audit_lock: health.audit_lock.clone(),
            durable: progress.size,
            released: progress.position.released,
            waiting: progress.size.saturating_sub(progress.position.released),
            spool_bytes: progress.bytes_on_disk,
            lost: progress.n_lost,
            connected: uplink.is_connected && life == Life::Running,
            halted: uplink.is_halted,
            last_receipt: uplink.last_receipt.map(clock::text),
            log_size: progress.position.log_size(),
            last_error: progress.fault.clone().or_else(|| uplink.trouble.clone()),
        }
    }

    /// Writes the file whole.
    pub fn write(&self, dir: &Path) -> Result<(), StatusError> {
        let path = path_in(dir);
        let content = serde_json::to_vec_pretty(self)
            .map_err(|source| StatusError::Damaged { path: path.clone(), source })?;
        RealFiles
            .replace(&path, &content, Readable::ByOwner)
            .map_err(|source| StatusError::Write { path, source })
    }

    /// Reads the file; `None` where no agent ever ran.
    pub fn read(dir: &Path) -> Result<Option<Self>, StatusError> {
        let path = path_in(dir);
        match RealFiles.read(&path) {
            Ok(None) => Ok(None),
            Ok(Some(content)) => serde_json::from_slice(&content)
                .map(Some)
                .map_err(|source| StatusError::Damaged { path, source }),
            Err(source) => Err(StatusError::Read { path, source }),
        }
    }

    /// Whether the agent that wrote this still runs.
    pub fn is_running(&self, now: Moment) -> bool {
        let is_fresh =
            Moment::parse(&self.updated).is_some_and(|updated| updated.plus_seconds(FRESH_SECONDS) >= now);
        self.life == Life::Running && is_fresh
    }

    /// The status in plain words, a line each.
    pub fn sentences(&self, now: Moment) -> Vec<String> {
        let mut lines = Vec::new();
        if self.is_running(now) {
            lines.push(format!("{} is running since {} (process {}).", self.author, self.since, self.pid));
        } else {
            let how = match self.life {
                Life::Running => "was not stopped in order",
                Life::Stopped => "was stopped",
            };
            lines.push(format!("{} is NOT running; it {how}, last heard at {}.", self.author, self.updated));
        }
        match self.sensors.as_slice() {
            [] => {
                lines.push("No sensor runs: nothing is being recorded but the agent's own health.".to_owned())
            }
            sensors => lines.push(format!("Sensors: {}.", sensors.join(", "))),
        }
        lines.extend(self.audit_lock.as_deref().map(|lock| {
            match lock {
                "sealed" => {
                    "Sealed: nobody can change kernel audit or a login identity until the machine boots."
                        .to_owned()
                }
                "rules" => {
                    "Nobody can change kernel audit until the machine boots; login identities can be changed."
                        .to_owned()
                }
                "login_uids" => {
                    "Nobody can change a login identity until the machine boots; kernel audit can be changed."
                        .to_owned()
                }
                other => format!("Until the machine boots nobody can change: {other}."),
            }
        }));
        lines.extend(self.cannot_see.iter().map(|what| format!("Cannot see: {what}.")));
        lines.push(format!(
            "{} entries are kept safe, {} acknowledged by the collector, {} wait ({} KiB on disk).",
            self.durable,
            self.released,
            self.waiting,
            self.spool_bytes / 1024
        ));
        if self.lost > 0 {
            lines.push(format!("{} events were lost for lack of room; gap entries tell of them.", self.lost));
        }
        let receipt = self.last_receipt.as_ref().map_or_else(
            || "no receipt since the start".to_owned(),
            |time| format!("last receipt at {time}"),
        );
        lines.push(match (self.halted, self.connected) {
            (true, _) => format!("Sending is STOPPED until a person has acted; {receipt}."),
            (false, true) => format!("Connected to the collector; {receipt}."),
            (false, false) => format!("Not connected to the collector; {receipt}."),
        });
        lines.extend(self.last_error.iter().map(|error| format!("Trouble: {error}.")));
        lines
    }
}

/// Pairs of checkpoints that contradict each other, as this machine kept them: the collector showed another history of its
/// log than before. Nothing here removes them.
pub fn disagreements(dir: &Path) -> Vec<PathBuf> {
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("disagreement-") && name.ends_with(".json")
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut kept: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_kept).collect();
    kept.sort();
    kept
}

/// What a person has to know of them.
pub fn in_words(disagreements: &[PathBuf]) -> Option<String> {
    let first = disagreements.first()?.display();
    Some(format!(
        "ATTENTION: the collector showed another history of its log than this machine remembers. Both checkpoints are kept \
         ({} in all, the first in `{first}`): give a copy to the practice's manager and remove nothing.",
        disagreements.len()
    ))
}

/// The practice key that this machine follows, in the words by which people compare it, and when it signed the trust file.
///
/// Nothing where there is no trust file that can be read.
pub fn practice_key(dir: &Path) -> Option<(String, String)> {
    let trust = TrustFile::parse(&std::fs::read(IdentityFiles::of(dir).trust()).ok()?).ok()?;
    Some((trust.practice_words(), trust.made))
}

/// The status file below the agent's folder.
pub fn path_in(dir: &Path) -> PathBuf {
    dir.join("status.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn status() -> StatusFile {
        StatusFile {
            life: Life::Running,
            pid: 7,
            version: "0.1.0".to_owned(),
            author: "agent/ws-01".to_owned(),
            since: "2026-11-20T20:00:00.000Z".to_owned(),
            updated: "2026-11-20T21:00:00.000Z".to_owned(),
            sensors: vec!["linux-audit".to_owned()],
            cannot_see: vec!["programs that were running before the boot".to_owned()],
            audit_lock: Some("sealed".to_owned()),
            durable: 12,
            released: 10,
            waiting: 2,
            spool_bytes: 4096,
            lost: 0,
            connected: true,
            halted: false,
            last_receipt: Some("2026-11-20T20:59:59.000Z".to_owned()),
            log_size: 40,
            last_error: None,
        }
    }

    #[test]
    fn the_status_reads_as_plain_sentences() {
        let now = Moment::parse("2026-11-20T21:00:03Z").unwrap();
        expect![[r#"
            agent/ws-01 is running since 2026-11-20T20:00:00.000Z (process 7).
            Sensors: linux-audit.
            Sealed: nobody can change kernel audit or a login identity until the machine boots.
            Cannot see: programs that were running before the boot.
            12 entries are kept safe, 10 acknowledged by the collector, 2 wait (4 KiB on disk).
            Connected to the collector; last receipt at 2026-11-20T20:59:59.000Z."#]]
        .assert_eq(&status().sentences(now).join("\n"));
        let dead = StatusFile {
            halted: true,
            connected: false,
            sensors: Vec::new(),
            lost: 3,
            last_error: Some("x".into()),
            ..status()
        };
        let now = now.plus_seconds(60);
        assert!(!dead.is_running(now));
        let text = dead.sentences(now).join("\n");
        assert!(
            text.contains("NOT running; it was not stopped in order") && text.contains("STOPPED until"),
            "{text}"
        );
        assert!(
            text.contains("3 events were lost")
                && text.contains("Trouble: x.")
                && text.contains("No sensor runs"),
            "{text}"
        );
    }

    #[test]
    fn the_file_reads_back_and_a_missing_one_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        assert_eq!(StatusFile::read(scratch.path()).unwrap(), None);
        status().write(scratch.path()).unwrap();
        assert_eq!(StatusFile::read(scratch.path()).unwrap(), Some(status()));
        std::fs::write(path_in(scratch.path()), "{").unwrap();
        assert!(matches!(StatusFile::read(scratch.path()), Err(StatusError::Damaged { .. })));
    }
}
