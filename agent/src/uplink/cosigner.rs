//! This machine as a witness of the collector's log: its own cosigning key, and the trust file that says whether it
//! is of the committee.
//!
//! A cosignature (cosignature/v1, c2sp.org/tlog-cosignature) means: at this time this was the largest consistent tree
//! that I have seen. It is made only over a checkpoint that is durable in the position. A newer trust file is believed
//! when the same practice key signed it and it is not older than the one held; it is durable before it counts.

use std::path::PathBuf;
use std::sync::Arc;

use ntk_evidence::checkpoint;
use ntk_evidence::event::{Event, Health, Kind};
use ntk_evidence::note::{KeyType, NoteError, NoteSigner};
use ntk_evidence::receipt::SeenCheckpoint;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use serde_json::json;
use tracing::{error, info, warn};

use crate::clock;
use crate::identity::{Identity, IdentityFiles};
use crate::whole_file::{Files, Readable};

/// See the module.
#[derive(Debug)]
pub struct Cosigner {
    witness: NoteSigner,
    trust: TrustFile,
    trust_path: PathBuf,
    folder: PathBuf,
    files: Arc<dyn Files>,
}

impl Cosigner {
    /// The witness that an identity holds; what disagrees is kept in `folder`.
    pub fn new(
        identity: &Identity,
        identity_files: &IdentityFiles,
        folder: PathBuf,
        files: Arc<dyn Files>,
    ) -> Result<Self, NoteError> {
        let name = identity.slug.witness_name(identity.author.machine().unwrap_or_default());
        let witness = NoteSigner::new(&name, KeyType::CosignatureV1, &identity.secrets.witness_seed)?;
        Ok(Self { witness, trust: identity.trust.clone(), trust_path: identity_files.trust(), folder, files })
    }

    /// The cosignature line over a durable checkpoint, where this machine is of the committee.
    pub fn cosign(&self, seen: &SeenCheckpoint, now: Moment) -> Option<String> {
        if !self.trust.committee.contains(self.witness.verifier()) {
            return None;
        }
        let seconds = u64::try_from(now.unix_nanos()).ok()?.checked_div(1_000_000_000)?;
        Some(checkpoint::cosign(&seen.checkpoint().text(), seconds, &self.witness))
    }

    /// The collector shows the practice's trust file: a newer one of the same practice key is kept, and that is an
    /// entry of this machine's log.
    pub fn hear_of(&mut self, text: &[u8], now: Moment) -> Option<Event> {
        let shown = match TrustFile::parse(text) {
            Ok(shown) => shown,
            Err(error) => {
                warn!(%error, "the collector shows a trust file that cannot be used");
                return None;
            }
        };
        let is_ours = shown.practice_key == self.trust.practice_key && shown.log == self.trust.log;
        let times = Moment::parse(&shown.made).zip(Moment::parse(&self.trust.made));
        if shown == self.trust || !is_ours || times.is_none_or(|(shown, held)| shown <= held) {
            if !is_ours {
                warn!("the collector shows a trust file of another practice key or log; the one held stays");
            }
            return None;
        }
        if let Err(error) = self.files.replace(&self.trust_path, text, Readable::ByOwner) {
            error!(%error, "the newer trust file could not be kept; the one held stays");
            return None;
        }
        info!(committee = shown.committee.len(), "a newer trust file of the practice is in force");
        self.trust = shown;
        let mut event = Event::new(Kind::Health, clock::text(now));
        event.health = Some(Box::new(Health { reason: Some("trust".to_owned()), ..Health::default() }));
        Some(event)
    }

    /// Keeps both notes where the collector shows another history than the one remembered: together they are
    /// evidence, whatever becomes of the collector. Nobody resets this by himself.
    pub fn keep_both(&self, remembered: &SeenCheckpoint, offered: &str, why: &str, now: Moment) {
        let path = self.folder.join(format!("disagreement-{}.json", remembered.checkpoint().size));
        if path.exists() {
            return;
        }
        let content = json!({
            "time": clock::text(now),
            "why": why,
            "remembered": String::from_utf8_lossy(remembered.note()),
            "offered": offered,
        });
        match self.files.replace(&path, content.to_string().as_bytes(), Readable::ByOwner) {
            Ok(()) => error!("the collector shows another history than before; both checkpoints are kept"),
            Err(error) => error!(%error, "two checkpoints that contradict each other could not be kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{SLUG, finished, log_signer, practice, trust_file};
    use crate::whole_file::RealFiles;
    use ntk_evidence::checkpoint::{Checkpoint, cosigned_at};
    use ntk_evidence::hash::Hash;
    use ntk_evidence::note::SignedNote;

    fn seen() -> SeenCheckpoint {
        let checkpoint = Checkpoint { origin: format!("{SLUG}/log"), size: 7, root: Hash::of(b"x") };
        let note = checkpoint.sign(&log_signer()).unwrap();
        SeenCheckpoint::recall(note.as_bytes(), log_signer().verifier()).unwrap()
    }

    #[test]
    fn a_machine_of_the_committee_cosigns_and_another_one_does_not() {
        let (scratch, files) = finished();
        let identity = files.load(&RealFiles).unwrap();
        let mut cosigner =
            Cosigner::new(&identity, &files, scratch.path().to_owned(), Arc::new(RealFiles)).unwrap();
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        assert_eq!(cosigner.cosign(&seen(), now), None);

        let mut newer = trust_file();
        newer.made = "2026-11-27T11:00:00Z".to_owned();
        newer.committee = vec![cosigner.witness.verifier().clone()];
        newer.committee_quorum = 1;
        let signed = newer.sign(&practice()).unwrap();
        assert!(cosigner.hear_of(signed.as_bytes(), now).is_some());
        let line = cosigner.cosign(&seen(), now).unwrap();
        let note = format!("{}{line}", String::from_utf8(seen().note().to_vec()).unwrap());
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        assert_eq!(cosigned_at(&note, cosigner.witness.verifier()), Ok(1_795_780_800));
        assert_eq!(files.load(&RealFiles).unwrap().trust, newer, "durable");

        // The same again is no news; an older one and a stranger's are refused.
        assert!(cosigner.hear_of(signed.as_bytes(), now).is_none());
        assert!(cosigner.hear_of(trust_file().sign(&practice()).unwrap().as_bytes(), now).is_none());
        assert!(cosigner.hear_of(&signed.as_bytes()[..100], now).is_none());
        // Two of one second that differ: the one that came first stays.
        let mut twin = newer.clone();
        twin.committee.clear();
        twin.committee_quorum = 0;
        assert!(cosigner.hear_of(twin.sign(&practice()).unwrap().as_bytes(), now).is_none());
        assert!(cosigner.cosign(&seen(), now).is_some());
    }
}
