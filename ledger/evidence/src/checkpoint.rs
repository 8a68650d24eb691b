//! Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log as a signed note; and
//! cosignatures (c2sp.org/tlog-cosignature): a witness's word that it saw no larger inconsistent tree.

use crate::hash::{Hash, NotAHash};
use crate::note::{KeyType, NoteError, NoteSigner, SignedNote, VerifierKey};

/// Size and root of a log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log: `<slug>/log`, `<slug>/agent/<id>`, ...
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

/// A text or note is no checkpoint, or not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines origin, size, root.
    #[error("not a checkpoint: three lines origin, size and root are needed")]
    Form,
    /// Another log's checkpoint.
    #[error("a checkpoint of `{found}` where one of `{wanted}` is needed")]
    OtherOrigin {
        /// Origin that the caller asked for.
        wanted: String,
        /// Origin in the text.
        found: String,
    },
    /// The note round it is wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl From<NotAHash> for CheckpointError {
    fn from(_: NotAHash) -> Self {
        Self::Form
    }
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Reads the text; extension lines are refused, because this design has none.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Form);
        };
        let decimal = !size.is_empty() && size.bytes().all(|c| c.is_ascii_digit());
        let canonical = decimal && (size == "0" || !size.starts_with('0'));
        if origin.is_empty() || !canonical {
            return Err(CheckpointError::Form);
        }
        let size = size.parse().map_err(|_| CheckpointError::Form)?;
        Ok(Self { origin: origin.to_owned(), size, root: Hash::from_base64(root)? })
    }

    /// Signs it as a note, under the signer's name.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, CheckpointError> {
        Ok(signer.sign(&self.text())?)
    }

    /// Reads a note and checks the key's signature and that the key's name is the origin.
    pub fn verify(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Self::parse(note.verified_by(key)?)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::OtherOrigin {
                wanted: key.name().to_owned(),
                found: checkpoint.origin,
            });
        }
        Ok(checkpoint)
    }

    /// Reads a note's claim without checking any signature.
    pub fn unverified(note: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse(SignedNote::parse(note)?.text())
    }
}

/// A witness's cosignature line over a checkpoint text at a time (unix seconds).
pub fn cosign(text: &str, time: u64, witness: &NoteSigner) -> String {
    let mut bytes = time.to_be_bytes().to_vec();
    bytes.extend_from_slice(&witness.raw(&cosigned_message(text, time)));
    witness.line(&bytes)
}

/// The latest time (unix seconds) at which this witness cosigned the note's checkpoint.
///
/// Fails when it did not sign, or when one of its lines does not verify.
pub fn cosigned_at(note: &SignedNote, witness: &VerifierKey) -> Result<u64, NoteError> {
    let bad = || NoteError::BadSignature(witness.name().to_owned());
    if witness.key_type() != KeyType::CosignatureV1 {
        return Err(NoteError::Key("a witness key has the cosignature type"));
    }
    let mut latest = None;
    for line in note.lines_of(witness) {
        let (time, rest) = line.signature.split_first_chunk::<8>().ok_or_else(bad)?;
        let signature: &[u8; 64] = rest.try_into().map_err(|_| bad())?;
        let time = u64::from_be_bytes(*time);
        if !witness.verify_bytes(&cosigned_message(note.text(), time), signature) {
            return Err(bad());
        }
        latest = latest.max(Some(time));
    }
    latest.ok_or_else(|| NoteError::NotSigned(witness.name().to_owned()))
}

fn cosigned_message(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_checkpoint_reads_back_and_no_text_panics(size in any::<u64>(), bytes in any::<[u8; 32]>(), noise in ".{0,200}") {
            let checkpoint = Checkpoint { origin: "maple/log".into(), size, root: Hash::from_bytes(bytes) };
            prop_assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
            let _ = Checkpoint::parse(&noise);
        }
    }

    #[test]
    fn other_spellings_of_a_checkpoint_are_refused() {
        let root = Hash::of(b"").to_base64();
        for text in [
            format!("maple/log\n03\n{root}\n"),
            format!("maple/log\n+3\n{root}\n"),
            format!("maple/log\n3\n{root}"),
            format!("maple/log\n3\n{root}\nmore\n"),
            format!("\n3\n{root}\n"),
            "maple/log\n3\n\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Form), "{text}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_log_under_a_good_signature_is_refused() {
        let signer = NoteSigner::new("maple/log", KeyType::Ed25519, &[1; 32]).unwrap();
        let note =
            Checkpoint { origin: "oak/log".into(), size: 0, root: Hash::of(b"") }.sign(&signer).unwrap();
        assert!(matches!(
            Checkpoint::verify(note.as_bytes(), signer.verifier()),
            Err(CheckpointError::OtherOrigin { .. })
        ));
    }
}
