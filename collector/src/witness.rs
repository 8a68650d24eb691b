//! Who else remembers the log: rounds with the agents, witnesses outside the building, the trust file in force.
//!
//! One round is one checkpoint. It goes to every stream as an add-checkpoint body (c2sp.org/tlog-witness); each agent
//! checks that it continues what it remembers, keeps it durably and answers; those of the committee cosign. The note
//! with its cosignatures becomes an act, if a leaf other than such acts came since the last one. An outside witness
//! gets a body as a file (`witness body`) and its cosignature comes back as one (`witness add`).
//!
//! [`Witnessed`] is what the acts amount to; the registry carries it, so that a start reads one segment only.

use std::collections::BTreeMap;

use ntk_evidence::checkpoint::{Checkpoint, cosigned_at};
use ntk_evidence::note::{SignedNote, VerifierKey};
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod elsewhere;
pub mod rounds;
pub mod trust;

/// How many checkpoints that were handed out are remembered: as many as witnesses may be late.
const ASKED_MAX: usize = 16;

/// Body of `act_witnessed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessedAct {
    /// `round`, `asked` (handed out to a witness outside) or `outside` (its cosignature came back).
    pub by: By,
    /// Size of the log.
    pub size: u64,
    /// The checkpoint note with every cosignature that it bears.
    pub note: String,
    /// How many agents have checked it in this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// Names of the keys that cosigned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cosigned: Vec<String>,
}

/// How a note came to be witnessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A round with the agents.
    Round,
    /// It was handed out to a witness outside.
    Asked,
    /// A witness outside cosigned.
    Outside,
}

/// A checkpoint note that somebody witnessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Size of the log.
    pub size: u64,
    /// The note with its cosignatures.
    pub note: String,
}

/// What the acts say about witnessing so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witnessed {
    /// The newest round's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Kept>,
    /// The newest note that a witness outside cosigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Kept>,
    /// Notes that were handed out and may still come back, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Kept>,
    /// What each witness outside is known to remember, by the name of its key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remembered: BTreeMap<String, u64>,
}

impl Witnessed {
    /// Takes in the body of an act.
    pub fn apply(&mut self, body: &Value) {
        let Ok(act) = serde_json::from_value::<WitnessedAct>(body.clone()) else { return };
        let kept = Kept { size: act.size, note: act.note };
        match act.by {
            By::Round => self.inside = Some(kept),
            By::Asked => {
                self.asked.retain(|asked| asked.size != kept.size);
                self.asked.push(kept);
                let more = self.asked.len().saturating_sub(ASKED_MAX);
                self.asked.drain(..more);
            }
            By::Outside => {
                for name in act.cosigned {
                    let size = self.remembered.entry(name).or_default();
                    *size = kept.size.max(*size);
                }
                if self.outside.as_ref().is_none_or(|held| held.size <= kept.size) {
                    self.outside = Some(kept);
                }
            }
        }
    }

    /// Since when, by the cosignatures' own times, enough of the committee and of those outside have seen the log.
    pub fn until(&self, trust: &TrustFile) -> Until {
        Until {
            inside: self
                .inside
                .as_ref()
                .and_then(|kept| met(&kept.note, &trust.committee, trust.committee_quorum)),
            outside: self
                .outside
                .as_ref()
                .and_then(|kept| met(&kept.note, &trust.outside, trust.outside_quorum)),
        }
    }
}

/// The times until which the log is vouched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until {
    /// By the committee of agents.
    pub inside: Option<Moment>,
    /// By witnesses outside.
    pub outside: Option<Moment>,
}

/// The latest cosignature where at least one, and as many as the quorum asks for, are there.
fn met(note: &str, keys: &[VerifierKey], quorum: u32) -> Option<Moment> {
    let note = SignedNote::parse(note.as_bytes()).ok()?;
    let times: Vec<u64> = keys.iter().filter_map(|key| cosigned_at(&note, key).ok()).collect();
    let needed = usize::try_from(quorum).unwrap_or(usize::MAX).max(1);
    let latest = times.iter().max().filter(|_| times.len() >= needed)?;
    Moment::from_unix_seconds(i64::try_from(*latest).ok()?)
}

/// A cosignature that came back from outside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// Not a signature line.
    #[error("the file holds no cosignature; give the file that `ntk-verify witness` wrote")]
    Form,
    /// No trusted witness made it over anything that was handed out.
    #[error(
        "no outside witness of the trust file signed this over a checkpoint that was handed out; sign the trust file with --witness VKEY first, or hand out a checkpoint with `witness body`"
    )]
    Unknown,
}

/// Finds the handed-out checkpoint that a cosignature belongs to: the act to write.
pub fn add(witnessed: &Witnessed, line: &str, outside: &[VerifierKey]) -> Result<WitnessedAct, AddError> {
    let line = line.lines().rfind(|line| line.starts_with('\u{2014}')).ok_or(AddError::Form)?;
    for asked in witnessed.asked.iter().rev() {
        let held = witnessed.outside.as_ref().filter(|held| held.size == asked.size);
        let before = held.map_or(asked.note.as_str(), |held| held.note.as_str());
        let note = format!("{before}{line}\n");
        // This line alone has to verify: the note may bear a good one of the same name already.
        let alone = format!("{}{line}\n", asked.note);
        let Ok(alone) = SignedNote::parse(alone.as_bytes()) else { continue };
        if let Some(key) = outside.iter().find(|key| cosigned_at(&alone, key).is_ok()) {
            return Ok(WitnessedAct {
                by: By::Outside,
                size: asked.size,
                note,
                seen: None,
                cosigned: vec![key.name().to_owned()],
            });
        }
    }
    Err(AddError::Unknown)
}

/// The size that a note claims, unverified: for what was written after it had been verified.
pub fn size_of(note: &str) -> Option<u64> {
    Checkpoint::unverified(note.as_bytes()).ok().map(|checkpoint| checkpoint.size)
}
