//! This machine as a witness of the collector's log: its own cosigning key, and the trust file that says whether it
//! is of the committee.
//!
//! A cosignature (cosignature/v1, c2sp.org/tlog-cosignature) means: at this time this was the largest consistent tree
//! that I have seen. It is made only over a checkpoint that is durable in the position. A newer trust file is believed
//! when the same practice key signed it, or one that this key named, and it is not older than the one held; it is durable
//! before it counts. One that announces that the collector's log was closed and put back is believed in the same way, and
//! only where it contradicts nothing that is remembered up to where the log was closed; what is remembered beyond is kept
//! as evidence first. Another recovery key is believed where the file says line by line how it took the place of the one held:
//! nobody leads this machine back to one that was replaced.

use std::path::PathBuf;
use std::sync::Arc;

use ntk_evidence::checkpoint;
use ntk_evidence::event::{Event, Health, Kind};
use ntk_evidence::note::{KeyType, NoteError, NoteSigner, VerifierKey};
use ntk_evidence::receipt::SeenCheckpoint;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use ntk_evidence::trust::restored::Restored;
use serde_json::json;
use tracing::{error, info, warn};

use crate::clock;
use crate::identity::{Identity, IdentityFiles};
use crate::spool::position::Position;
use crate::whole_file::{Files, Readable};

/// What a newer trust file brings.
#[derive(Debug)]
pub struct News {
    /// For this machine's own log.
    pub event: Event,
    /// The log that goes on and what is remembered of it, where a restore was announced.
    pub restored: Option<(VerifierKey, Position)>,
    /// The recovery key that took the place of the one before it.
    pub recovery: Option<String>,
}

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
    /// entry of this machine's log. `position` is what this machine remembers of the collector's log.
    pub fn hear_of(&mut self, text: &[u8], position: &Position, now: Moment) -> Option<News> {
        let shown = match TrustFile::parse(text) {
            Ok(shown) => shown,
            Err(error) => {
                warn!(%error, "the collector shows a trust file that cannot be used");
                return None;
            }
        };
        let announced = shown.since(&self.trust).map(<[_]>::to_vec);
        let is_ours = announced.is_some();
        let times = Moment::parse(&shown.made).zip(Moment::parse(&self.trust.made));
        if shown == self.trust || !is_ours || times.is_none_or(|(shown, held)| shown <= held) {
            if !is_ours {
                warn!("the collector shows a trust file of another practice key or log; the one held stays");
            }
            return None;
        }
        if !shown.recovery_leads_from(&self.trust) {
            warn!(
                "the collector shows a trust file in which another recovery key takes the place of the one held without a word; the one held stays"
            );
            return None;
        }
        let announced = announced.unwrap_or_default();
        if !announced.is_empty() && !self.may_be_restored(&announced, position, text, now) {
            return None;
        }
        if let Err(error) = self.files.replace(&self.trust_path, text, Readable::ByOwner) {
            error!(%error, "the newer trust file could not be kept; the one held stays");
            return None;
        }
        info!(committee = shown.committee.len(), "a newer trust file of the practice is in force");
        let recovery = (shown.recovery != self.trust.recovery).then(|| shown.recovery.clone());
        self.trust = shown;
        let mut event = Event::new(Kind::Health, clock::text(now));
        let reason = if announced.is_empty() { "trust" } else { "collector_restored" };
        event.health = Some(Box::new(Health { reason: Some(reason.to_owned()), ..Health::default() }));
        let restored =
            (!announced.is_empty()).then(|| (self.trust.log.clone(), position.clone().under(&self.trust)));
        Some(News { event, restored, recovery })
    }

    /// Whether an announced restore contradicts nothing that is remembered. What is remembered beyond where the log was
    /// closed is written down before the announcement counts: the collector that acknowledged it may have been honest.
    fn may_be_restored(&self, announced: &[Restored], position: &Position, text: &[u8], now: Moment) -> bool {
        let Some(seen) = &position.seen else { return true };
        let remembered = seen.checkpoint();
        let other = |closed: &Restored| closed.size == remembered.size && closed.root != remembered.root;
        if announced.iter().any(other) {
            error!(
                "an announced restore closes the collector's log with another root than the one remembered; it is not believed"
            );
            self.keep_both(
                seen,
                &String::from_utf8_lossy(text),
                "an announced restore names another root",
                now,
            );
            return false;
        }
        let content = json!({
            "time": clock::text(now),
            "remembered": String::from_utf8_lossy(seen.note()),
            "released": position.released,
            "receipt": position.receipt.as_deref(),
            "announced": String::from_utf8_lossy(text),
        });
        let path = self.folder.join(format!("restored-{}.json", self.trust.restored.len()));
        match self.files.replace(&path, content.to_string().as_bytes(), Readable::ByOwner) {
            Ok(()) => {
                warn!(
                    remembered = remembered.size,
                    closed = announced.last().map(|closed| closed.size),
                    "the practice key announces that the collector was put back from a copy; what was remembered is kept"
                );
                true
            }
            Err(error) => {
                error!(%error, "what is remembered of the lost collector could not be kept; the announced restore waits");
                false
            }
        }
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

    /// A machine that was enrolled, with its files.
    fn begun() -> (tempfile::TempDir, IdentityFiles, Cosigner) {
        let (scratch, files) = finished();
        let identity = files.load(&RealFiles).unwrap();
        let folder = scratch.path().to_owned();
        let cosigner = Cosigner::new(&identity, &files, folder, Arc::new(RealFiles)).unwrap();
        (scratch, files, cosigner)
    }

    #[test]
    fn a_machine_of_the_committee_cosigns_and_another_one_does_not() {
        let (_scratch, files, mut cosigner) = begun();
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        let none = Position::default();
        assert_eq!(cosigner.cosign(&seen(), now), None);

        let mut newer = trust_file();
        newer.made = "2026-11-27T11:00:00Z".to_owned();
        newer.committee = vec![cosigner.witness.verifier().clone()];
        newer.committee_quorum = 1;
        let signed = newer.sign(&practice()).unwrap();
        assert!(cosigner.hear_of(signed.as_bytes(), &none, now).is_some());
        let line = cosigner.cosign(&seen(), now).unwrap();
        let note = format!("{}{line}", String::from_utf8(seen().note().to_vec()).unwrap());
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        assert_eq!(cosigned_at(&note, cosigner.witness.verifier()), Ok(1_795_780_800));
        assert_eq!(files.load(&RealFiles).unwrap().trust, newer, "durable");

        // The same again is no news; an older one and a stranger's are refused.
        assert!(cosigner.hear_of(signed.as_bytes(), &none, now).is_none());
        assert!(cosigner.hear_of(trust_file().sign(&practice()).unwrap().as_bytes(), &none, now).is_none());
        assert!(cosigner.hear_of(&signed.as_bytes()[..100], &none, now).is_none());
        // A key that this one named signs from now on; who holds the former one leads nobody back or elsewhere.
        let key = |seed| {
            NoteSigner::new(&trust_file().slug.practice_name(), KeyType::Ed25519, &[seed; 32]).unwrap()
        };
        let handed = |before: &TrustFile, next: &NoteSigner, made: &str| {
            let mut trust = before.clone();
            trust.hand_over(&practice(), next, made, "the manager changed").unwrap();
            trust
        };
        let (next, thief) = (key(91), key(92));
        let successor = handed(&newer, &next, "2026-11-27T11:30:00Z");
        let forged = successor.sign(&next).unwrap().replace("the manager changed", "the manager chanted");
        assert!(cosigner.hear_of(forged.as_bytes(), &none, now).is_none());
        assert!(cosigner.hear_of(successor.sign(&next).unwrap().as_bytes(), &none, now).is_some());
        assert_eq!(files.load(&RealFiles).unwrap().trust, successor, "durable");
        for made in ["2026-11-27T11:20:00Z", "2026-11-27T11:40:00Z"] {
            let elsewhere = handed(&newer, &thief, made);
            assert!(cosigner.hear_of(elsewhere.sign(&thief).unwrap().as_bytes(), &none, now).is_none());
            let back = TrustFile { made: made.to_owned(), ..newer.clone() };
            assert!(cosigner.hear_of(back.sign(&practice()).unwrap().as_bytes(), &none, now).is_none());
        }
        assert_eq!(files.load(&RealFiles).unwrap().trust, successor);
        newer = TrustFile { made: "2026-11-27T11:50:00Z".to_owned(), ..successor };
        assert!(cosigner.hear_of(newer.sign(&next).unwrap().as_bytes(), &none, now).is_some());
        let practice = || key(91);
        // Two of one second that differ: the one that came first stays.
        let mut twin = newer.clone();
        twin.committee.clear();
        twin.committee_quorum = 0;
        assert!(cosigner.hear_of(twin.sign(&practice()).unwrap().as_bytes(), &none, now).is_none());
        assert!(cosigner.cosign(&seen(), now).is_some());
    }

    #[test]
    fn another_recovery_key_is_taken_with_its_line_and_neither_silently_nor_back_nor_from_whoever_has_the_collector()
     {
        let (_scratch, files, mut cosigner) = begun();
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        let none = Position::default();
        let recipient = |letter: char| format!("age1{}", letter.to_string().repeat(58));
        let first = trust_file();
        let mut second = first.clone();
        second.replace_recovery(&recipient('w'), "2026-11-27T11:00:00Z", "the stick was lost").unwrap();
        let mut silent = second.clone();
        silent.retired.clear();
        let named = NoteSigner::new(practice().verifier().name(), KeyType::Ed25519, &[66; 32]).unwrap();
        let swapped = second.sign(&practice()).unwrap().replace(&recipient('w'), &recipient('z'));
        for refused in [
            log_signer().sign(&second.text()).unwrap(),
            named.sign(&second.text()).unwrap(),
            silent.sign(&practice()).unwrap(),
            swapped,
        ] {
            assert!(cosigner.hear_of(refused.as_bytes(), &none, now).is_none(), "{refused}");
            assert_eq!(files.load(&RealFiles).unwrap().trust, first);
        }
        let news = cosigner.hear_of(second.sign(&practice()).unwrap().as_bytes(), &none, now).unwrap();
        assert_eq!((news.recovery, news.restored.is_none()), (Some(recipient('w')), true));
        assert_eq!(files.load(&RealFiles).unwrap().trust, second, "durable");
        // Later ones: back to the first key, aside from the line that is held, and on to a third one.
        let back = TrustFile { made: "2026-11-27T11:30:00Z".to_owned(), ..first.clone() };
        assert!(cosigner.hear_of(back.sign(&practice()).unwrap().as_bytes(), &none, now).is_none());
        let mut aside = first;
        aside.replace_recovery(&recipient('z'), "2026-11-27T11:31:00Z", "the stick was lost").unwrap();
        assert!(cosigner.hear_of(aside.sign(&practice()).unwrap().as_bytes(), &none, now).is_none());
        second.made = "2026-11-27T11:40:00Z".to_owned();
        let news = cosigner.hear_of(second.sign(&practice()).unwrap().as_bytes(), &none, now).unwrap();
        assert_eq!(news.recovery, None, "the same key is no news");
    }

    /// What the practice key signs when the collector was put back with so many leaves.
    fn announcing(size: u64, root: Hash) -> TrustFile {
        let key =
            |name: &str, seed| NoteSigner::new(&format!("{SLUG}/{name}"), KeyType::Ed25519, &[seed; 32]);
        let mut trust = trust_file();
        let made = "2026-11-27T11:00:00Z".to_owned();
        let (log, collector) = (trust.log.clone(), trust.collector.clone());
        trust.restored =
            vec![Restored { made: made.clone(), size, root, log, collector, why: "a fire".to_owned() }];
        trust.made = made;
        trust.log = key("log", 70).unwrap().verifier().clone();
        trust.collector = key("collector", 71).unwrap().verifier().clone();
        trust
    }

    #[test]
    fn an_announced_restore_is_believed_and_what_was_remembered_is_kept_as_evidence() {
        let (scratch, files, mut cosigner) = begun();
        let folder = scratch.path().to_owned();
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        let position = Position { released: 9, seen: Some(seen()), ..Position::default() };
        let trust = announcing(3, Hash::of(b"three"));
        let news = cosigner.hear_of(trust.sign(&practice()).unwrap().as_bytes(), &position, now).unwrap();
        let (log, set_back) = news.restored.unwrap();
        assert_eq!((log, set_back.released, set_back.log_size()), (trust.log.clone(), 0, 3));
        assert_eq!(news.event.health.unwrap().reason.as_deref(), Some("collector_restored"));
        let kept = std::fs::read_to_string(folder.join("restored-0.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["remembered"].as_str().unwrap().as_bytes(), seen().note());
        assert_eq!(kept["released"], 9);
        // Durable: a start finds the log that goes on.
        assert_eq!(files.load(&RealFiles).unwrap().log_key, trust.log);
        // The same again, and the file from before, change nothing.
        assert!(cosigner.hear_of(trust.sign(&practice()).unwrap().as_bytes(), &set_back, now).is_none());
        assert!(
            cosigner.hear_of(trust_file().sign(&practice()).unwrap().as_bytes(), &set_back, now).is_none()
        );
    }

    #[test]
    fn a_restore_that_nobody_with_the_practice_key_announced_or_that_contradicts_what_is_remembered_is_not_believed()
     {
        let (scratch, files, mut cosigner) = begun();
        let folder = scratch.path().to_owned();
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        let position = Position { released: 9, seen: Some(seen()), ..Position::default() };
        let mut hear = |text: String| cosigner.hear_of(text.as_bytes(), &position, now).is_none();
        let good = announcing(3, Hash::of(b"three"));
        // An administrator has the collector's keys and may call a key by the practice's name.
        let named = NoteSigner::new(practice().verifier().name(), KeyType::Ed25519, &[66; 32]).unwrap();
        assert!(hear(log_signer().sign(&good.text()).unwrap()) && hear(named.sign(&good.text()).unwrap()));
        let silent = TrustFile { restored: Vec::new(), ..good.clone() };
        assert!(hear(silent.sign(&practice()).unwrap()), "another log without a word");
        let mut other = good.clone();
        other.restored[0].log = good.bundle.clone();
        assert!(hear(other.sign(&practice()).unwrap()), "another log is closed");
        let older = TrustFile { made: "2026-11-21T11:00:00Z".to_owned(), ..good.clone() };
        assert!(hear(older.sign(&practice()).unwrap()), "it is older than the one held");
        // Seven leaves are remembered with another root: the copy is of another history.
        assert!(hear(announcing(7, Hash::of(b"other")).sign(&practice()).unwrap()));
        assert!(folder.join("disagreement-7.json").is_file());
        assert_eq!(files.load(&RealFiles).unwrap().trust, trust_file());
    }

    /// Fails to replace files of this name: before it is done, or after.
    #[derive(Debug)]
    struct Failing(&'static str, bool, std::sync::atomic::AtomicBool);

    impl Files for Failing {
        fn replace(&self, path: &std::path::Path, content: &[u8], readable: Readable) -> std::io::Result<()> {
            let fails =
                path.to_string_lossy().contains(self.0) && self.2.load(std::sync::atomic::Ordering::Relaxed);
            if !fails || self.1 {
                RealFiles.replace(path, content, readable)?;
            }
            if fails { Err(std::io::Error::other("the disk is sick")) } else { Ok(()) }
        }

        fn read(&self, path: &std::path::Path) -> std::io::Result<Option<Vec<u8>>> {
            RealFiles.read(path)
        }

        fn destroy(&self, path: &std::path::Path) -> std::io::Result<()> {
            RealFiles.destroy(path)
        }
    }

    #[test]
    fn evidence_and_announcement_that_are_not_durable_or_only_reported_so_are_taken_in_at_the_next_greeting()
    {
        for name in ["restored-0.json", "trust.txt"] {
            for is_done in [false, true] {
                let (scratch, files) = finished();
                let identity = files.load(&RealFiles).unwrap();
                let sick = Arc::new(Failing(name, is_done, true.into()));
                let theirs: Arc<dyn Files> = Arc::<Failing>::clone(&sick);
                let mut cosigner =
                    Cosigner::new(&identity, &files, scratch.path().to_owned(), theirs).unwrap();
                let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
                let position = Position { released: 9, seen: Some(seen()), ..Position::default() };
                let text = announcing(3, Hash::of(b"three")).sign(&practice()).unwrap();
                assert!(cosigner.hear_of(text.as_bytes(), &position, now).is_none(), "{name} {is_done}");
                let held = files.load(&RealFiles).unwrap();
                assert_eq!(held.trust.restored.len(), usize::from(is_done && name == "trust.txt"), "{name}");
                // A start here knows the log that goes on exactly where the trust file is durable.
                assert_eq!(held.log_key, held.trust.log);
                sick.2.store(false, std::sync::atomic::Ordering::Relaxed);
                let news = cosigner.hear_of(text.as_bytes(), &position, now).unwrap();
                assert_eq!(news.restored.unwrap().1.log_size(), 3, "{name} {is_done}");
                assert!(scratch.path().join("restored-0.json").is_file());
            }
        }
    }
}
