//! What whoever ran the test says was done: one small file in the agent's folder, of which the agent believes nothing
//! but the names of people.

use std::path::{Path, PathBuf};

use ntk_evidence::event::CommissionWhat;
use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use crate::whole_file::{Files, Readable};

/// The file's largest size that is read.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Names of people.
const NAMES_MAX: usize = 16;
/// Letters of a name, and of a reason.
const TEXT_LETTERS_MAX: usize = 200;
/// A test may be so old when it is sealed.
const AGE_SECONDS_MAX: i64 = 3600;
/// So far ahead may a claimed time be: the test moves the clock.
const AHEAD_SECONDS_MAX: i64 = 60;
/// Letters of a test's random number.
pub const ID_LETTERS: usize = 16;

/// A claim cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The disk.
    #[error("could not use `{path}`; check permissions and free space")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is no claim.
    #[error("`{path}` is no result of an on-site test; it is removed, run `ntk-agent commission` again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
    /// It says what cannot be.
    #[error("the result of an on-site test is not taken: {0}; run `ntk-agent commission` again")]
    Refused(&'static str),
}

/// One step as it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// What.
    pub what: CommissionWhat,
    /// When it was begun.
    pub began: String,
    /// The process that did it; none where nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Whether it was left out by whoever ran the test.
    #[serde(default)]
    pub skipped: bool,
    /// Why it could not be done here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Random number of the test, hex; part of the name of everything that it touched.
    pub id: String,
    /// When it began.
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// How many entries the log had when it began: none before may tell of it.
    pub since: u64,
    /// Who ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who else was there.
    #[serde(default)]
    pub present: Vec<String>,
    /// The login uid of the accesses.
    pub login_uid: u32,
    /// On Windows the security identifier of the account instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The session of whoever ran it; none outside every login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    /// Every step that was done or left out.
    pub steps: Vec<Made>,
}

/// The file below the agent's folder.
pub fn path_in(dir: &Path) -> PathBuf {
    dir.join("on-site-test.json")
}

impl Claim {
    /// Reads the file; none where there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, ClaimError> {
        let path = path_in(dir);
        let failed = |source| ClaimError::Io { path: path.clone(), source };
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
            Ok(file) if !file.is_file() || file.len() > FILE_BYTES_MAX => {
                return Err(ClaimError::Refused("it is no small file"));
            }
            Ok(_) => {}
        }
        let text = std::fs::read(&path).map_err(failed)?;
        serde_json::from_slice(&text).map(Some).map_err(|source| ClaimError::Damaged { path, source })
    }

    /// Hands it to the running agent.
    pub fn write(&self, dir: &Path, files: &dyn Files) -> Result<(), ClaimError> {
        let path = path_in(dir);
        let text =
            serde_json::to_vec(self).map_err(|source| ClaimError::Damaged { path: path.clone(), source })?;
        files.replace(&path, &text, Readable::ByOwner).map_err(|source| ClaimError::Io { path, source })
    }

    /// Takes the file away; one that is gone is fine.
    pub fn remove(dir: &Path) -> Result<(), ClaimError> {
        let path = path_in(dir);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ClaimError::Io { path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be of a test that was made just now, in a log of this size; its texts are bounded.
    pub fn checked(mut self, n_entries: u64, now: Moment) -> Result<Self, ClaimError> {
        let is_id = self.id.len() == ID_LETTERS
            && self.id.bytes().all(|letter| matches!(letter, b'0'..=b'9' | b'a'..=b'f'));
        if !is_id {
            return Err(ClaimError::Refused("its number is none"));
        }
        let times = Moment::parse(&self.began).zip(Moment::parse(&self.ended));
        let Some((began, ended)) = times else { return Err(ClaimError::Refused("it bears no times")) };
        if began.plus_seconds(AGE_SECONDS_MAX) < now || ended > now.plus_seconds(AHEAD_SECONDS_MAX) {
            return Err(ClaimError::Refused("it is not of the last hour"));
        }
        if self.since > n_entries {
            return Err(ClaimError::Refused("it is of another log"));
        }
        self.by = self.by.as_deref().and_then(named);
        self.present = self.present.iter().filter_map(|name| named(name)).take(NAMES_MAX).collect();
        for step in &mut self.steps {
            step.because = step.because.as_deref().and_then(named);
        }
        Ok(self)
    }

    /// What was said of a step, where it was said once.
    pub fn step(&self, what: &CommissionWhat) -> Option<&Made> {
        let mut of_it = self.steps.iter().filter(|step| step.what == *what);
        of_it.next().filter(|_| of_it.next().is_none())
    }
}

/// A text of a person without control characters, cut where it is too long; none where nothing is left.
pub fn named(text: &str) -> Option<String> {
    let plain: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(TEXT_LETTERS_MAX)
        .collect();
    Some(plain.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole_file::RealFiles;

    fn claim() -> Claim {
        Claim {
            id: "0123456789abcdef".into(),
            began: "2026-11-20T21:00:00.000Z".into(),
            ended: "2026-11-20T21:01:00.000Z".into(),
            since: 10,
            by: Some(" Anna Roth\u{1b}[2J ".into()),
            present: vec!["x".repeat(500), "\n".into(), "Mary Lopez".into()],
            login_uid: 1001,
            sid: None,
            session: Some(3),
            steps: Vec::new(),
        }
    }

    fn refused(claim: Claim) -> String {
        let now = Moment::parse("2026-11-20T21:02:00Z").unwrap();
        claim.checked(100, now).unwrap_err().to_string()
    }

    #[test]
    fn names_are_bounded_and_hold_nothing_that_a_terminal_obeys() {
        let now = Moment::parse("2026-11-20T21:02:00Z").unwrap();
        let claim = claim().checked(100, now).unwrap();
        assert_eq!(claim.by.as_deref(), Some("Anna Roth [2J"));
        assert_eq!(claim.present, ["x".repeat(200), "Mary Lopez".to_owned()]);
    }

    #[test]
    fn a_claim_of_another_log_or_another_day_is_not_taken() {
        assert!(refused(Claim { since: 101, ..claim() }).contains("of another log"));
        let old = Claim { began: "2026-11-20T20:01:59.000Z".into(), ..claim() };
        assert!(refused(old).contains("not of the last hour"));
        let ahead = Claim { ended: "2026-11-20T21:04:00.000Z".into(), ..claim() };
        assert!(refused(ahead).contains("not of the last hour"));
        assert!(refused(Claim { began: "yesterday".into(), ..claim() }).contains("no times"));
        for id in ["", "0123456789abcdeg", "0123456789abcdef0", "../../etc/passwd"] {
            assert!(refused(Claim { id: id.into(), ..claim() }).contains("its number is none"), "{id}");
        }
    }

    #[test]
    fn the_file_comes_back_and_anything_else_gets_a_sentence() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Claim::read(dir.path()).unwrap(), None);
        claim().write(dir.path(), &RealFiles).unwrap();
        assert_eq!(Claim::read(dir.path()).unwrap(), Some(claim()));
        for text in ["", "{}", "{\"id\":7}", &"x".repeat(1 << 17)] {
            std::fs::write(path_in(dir.path()), text).unwrap();
            assert!(Claim::read(dir.path()).is_err(), "{text:.20}");
        }
        Claim::remove(dir.path()).unwrap();
        Claim::remove(dir.path()).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path_in(dir.path())).unwrap();
        assert!(matches!(Claim::read(dir.path()), Err(ClaimError::Refused(_))));
    }
}
