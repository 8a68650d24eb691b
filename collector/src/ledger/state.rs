//! What the ledger amounts to: how far each author's log reaches, who is enrolled, the collector log's range.
//!
//! The same [`LedgerState::apply`] runs for a batch that is appended now and for one that is read back at
//! start, so that a crash is as good as a stop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::{CompactRange, leaf_hash};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::VerifierKey;
use ntk_evidence::trust::TrustFile;
use ntk_segment::frame;

use super::registry::{Change, Registry};
use super::{Continuation, LedgerError};

/// One author as the ledger knows it.
#[derive(Clone, Debug)]
pub struct KnownAuthor {
    /// How far its log reaches, and the key of its epoch; none once it was revoked.
    pub log: AuthorLog,
    /// Leaf and note of its last batch, where that is in a segment which was read since the start: a greeting then needs no
    /// look at the query store, which after a start may be a day behind.
    pub last: Option<(u64, Arc<[u8]>)>,
}

impl KnownAuthor {
    /// Leaf and note of the batch that ends its log, if its log has this size and they are at hand.
    pub fn ends_with(&self, size: u64) -> Option<(u64, Arc<[u8]>)> {
        self.last.clone().filter(|_| self.log.size() == size)
    }

    /// The key that speaks for it now; none once it was revoked.
    pub const fn key(&self) -> Option<&VerifierKey> {
        self.log.key()
    }
}

/// How far everything reaches.
#[derive(Clone, Debug)]
pub struct LedgerState {
    slug: Slug,
    /// All authors by name. Shared, as each group changes few of thousands.
    pub authors: BTreeMap<Author, Arc<KnownAuthor>>,
    /// Authors that changed since readers were told; too many do no harm.
    pub(super) changed: BTreeSet<Author>,
    /// Who is enrolled; copied by the first act after readers were told.
    pub registry: Arc<Registry>,
    /// The collector log.
    pub range: CompactRange,
}

impl LedgerState {
    /// The empty ledger of a practice.
    pub fn new(slug: Slug, collector: VerifierKey) -> Self {
        let log = AuthorLog::new(&slug, Author::Collector, collector);
        let authors = BTreeMap::from([(Author::Collector, Arc::new(KnownAuthor { log, last: None }))]);
        Self {
            slug,
            authors,
            changed: BTreeSet::new(),
            registry: Arc::default(),
            range: CompactRange::empty(),
        }
    }

    /// The state at the start of a segment.
    pub fn from_frame(slug: Slug, collector: VerifierKey, state: &frame::State) -> Result<Self, LedgerError> {
        let mut read = Self::new(slug, collector);
        let hashes = |bytes: &[[u8; 32]]| bytes.iter().copied().map(Hash::from_bytes).collect();
        read.range = CompactRange::new(state.log_size, hashes(&state.log_range))?;
        for author in &state.authors {
            let name = Author::parse(&author.author)?;
            let range = CompactRange::new(author.size, hashes(&author.range))?;
            let key = if author.key.is_empty() { None } else { Some(VerifierKey::parse(&author.key)?) };
            let log = AuthorLog::resume(&read.slug, name.clone(), author.epoch, key, range);
            read.authors.insert(name, Arc::new(KnownAuthor { log, last: None }));
        }
        // The registry is rebuilt from the collector's acts: STATE carries it in `decided`, as JSON.
        if !state.decided.is_empty() {
            let registry: Registry = serde_json::from_slice(&state.decided)
                .map_err(|source| LedgerError::Damaged { leaf: state.log_size, source: source.into() })?;
            read.registry = Arc::new(registry.indexed());
        }
        Ok(read)
    }

    /// The state as the next segment's first frame.
    pub fn to_frame(&self) -> frame::State {
        let bytes = |range: &CompactRange| range.hashes().iter().map(|hash| *hash.as_bytes()).collect();
        let authors = self.authors.iter().map(|(name, known)| frame::AuthorState {
            author: name.to_string(),
            key: known.key().map(ToString::to_string).unwrap_or_default(),
            epoch: known.log.epoch(),
            size: known.log.size(),
            range: bytes(known.log.range()),
        });
        frame::State {
            authors: authors.collect(),
            log_size: self.range.size(),
            log_range: bytes(&self.range),
            previous_hash: [0; 32],
            decided: serde_json::to_vec(&*self.registry).unwrap_or_default(),
        }
    }

    /// Where a log was closed at this size and put back, the collector's own log goes on under the key that the trust file
    /// names for the next leaf: the practice key's word stands in the place of a roll-over, which the lost key cannot sign.
    pub fn goes_on(&mut self, trust: &TrustFile) {
        let epoch = u32::try_from(trust.generation(self.range.size().saturating_add(1))).unwrap_or(u32::MAX);
        let Some(known) = self.authors.get_mut(&Author::Collector) else { return };
        if known.log.epoch() < epoch
            && let Some(key) = trust.collector_of(epoch)
        {
            let range = known.log.range().clone();
            let log = AuthorLog::resume(&self.slug, Author::Collector, epoch, Some(key.clone()), range);
            *known = Arc::new(KnownAuthor { log, last: known.last.clone() });
            self.changed.insert(Author::Collector);
        }
    }

    /// The log's checkpoint as it stands.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.slug.log_origin(), size: self.range.size(), root: self.range.root() }
    }

    /// The practice's slug.
    pub const fn slug(&self) -> &Slug {
        &self.slug
    }

    /// Appends a batch that continues its author's log as it stands; the hash of the new leaf.
    pub fn apply(&mut self, continuation: &Continuation) -> Result<Hash, LedgerError> {
        let Continuation { batch, base, next } = continuation;
        let known = self
            .authors
            .get_mut(&batch.author)
            .ok_or_else(|| LedgerError::NotEnrolled(batch.author.to_string()))?;
        if known.key().is_none() {
            return Err(LedgerError::NotEnrolled(batch.author.to_string()));
        }
        if known.log != *base {
            return Err(LedgerError::Moved(batch.author.to_string()));
        }
        *Arc::make_mut(known) =
            KnownAuthor { log: next.clone(), last: Some((self.range.size(), batch.note.as_slice().into())) };
        self.changed.insert(batch.author.clone());
        let leaf = leaf_hash(&batch.note);
        self.range.append(leaf)?;
        if batch.author == Author::Collector {
            self.apply_acts(batch)?;
        }
        Ok(leaf)
    }

    /// Checks a stored batch against its author's log and key, and applies it: for start and self-check.
    pub fn follow(&mut self, batch: SealedBatch) -> Result<Hash, LedgerError> {
        let continuation = self.continuation(batch)?;
        self.apply(&continuation)
    }

    /// Checks a stored batch against its author's log and key.
    pub fn continuation(&self, batch: SealedBatch) -> Result<Continuation, LedgerError> {
        let leaf = self.range.size();
        let known = self
            .authors
            .get(&batch.author)
            .ok_or_else(|| LedgerError::NotEnrolled(batch.author.to_string()))?;
        if known.key().is_none() {
            return Err(LedgerError::NotEnrolled(batch.author.to_string()));
        }
        let base = known.log.clone();
        let next =
            base.follow(&batch).map_err(|source| LedgerError::Damaged { leaf, source: source.into() })?;
        Ok(Continuation { batch, base, next })
    }

    fn apply_acts(&mut self, batch: &SealedBatch) -> Result<(), LedgerError> {
        for (number, entry) in batch.numbered() {
            let Ok(event) = entry.event() else { continue };
            for change in Arc::make_mut(&mut self.registry).apply(number, &event) {
                match change {
                    Change::Enrolled(enrolment) => {
                        let name = Author::parse(&enrolment.author)?;
                        let key = Some(VerifierKey::parse(&enrolment.key)?);
                        // Only a refilled log begins later than with its first entry.
                        let begins = enrolment.begins.map(|begins| begins.compact_range()).transpose()?;
                        let range = begins.unwrap_or_else(CompactRange::empty);
                        let log = AuthorLog::resume(&self.slug, name.clone(), enrolment.epoch, key, range);
                        self.changed.insert(name.clone());
                        self.authors.entry(name).or_insert_with(|| Arc::new(KnownAuthor { log, last: None }));
                    }
                    Change::Revoked(author) => {
                        let name = Author::parse(&author)?;
                        if let Some(known) = self.authors.get_mut(&name) {
                            let known = Arc::make_mut(known);
                            known.log = known.log.clone().revoked();
                            self.changed.insert(name);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ntk_evidence::act;
    use ntk_evidence::event::Event;
    use ntk_evidence::note::{KeyType, NoteSigner};
    use ntk_segment::frame::{FRAME_BYTES_MAX, Frame};
    use serde_json::json;

    use super::super::registry::MACHINES_EVER_MAX;
    use super::*;
    use crate::renewal::KEPT_MAX;

    fn enrolment(slug: &Slug, number: usize) -> Event {
        let author = Author::agent(&format!("reception-desk-{number:05}")).unwrap();
        let key = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &[7; 32]).unwrap();
        let witness = slug.witness_name(author.machine().unwrap());
        let witness = NoteSigner::new(&witness, KeyType::CosignatureV1, &[8; 32]).unwrap();
        let body = json!({
            "author": author.to_string(), "key": key.verifier().to_string(), "epoch": 0,
            "certificate": Hash::of(author.to_string().as_bytes()).to_hex(), "witness": witness.verifier().to_string(),
            "machine": "Debian GNU/Linux 12 (bookworm), front-desk.practice.example", "notice": "staff were told",
        });
        act::event(act::kind::ENROLMENT, "2026-11-29T05:00:00.000Z", body)
    }

    fn renewed(number: usize, renewal: usize) -> Event {
        let body = json!({
            "author": format!("agent/reception-desk-{number:05}"), "until": "2027-02-27T05:00:00.000Z", "asked_by": "author",
            "certificate": Hash::of(format!("{number} {renewal}").as_bytes()).to_hex(), "before": "00".repeat(32),
            "key": Hash::of(format!("key {number} {renewal}").as_bytes()).to_hex(),
        });
        act::event(act::kind::CERTIFICATE, "2026-11-29T05:00:00.000Z", body)
    }

    #[test]
    fn the_state_of_as_many_machines_as_a_ledger_names_fits_a_frame_and_is_read_back_with_its_index() {
        let slug = Slug::parse("maple.0badcafe").unwrap();
        let collector = NoteSigner::new(&slug.author_origin(&Author::Collector), KeyType::Ed25519, &[1; 32]);
        let key = collector.unwrap().verifier().clone();
        let mut state = LedgerState::new(slug.clone(), key.clone());
        // After a million entries an author's range has at most twenty hashes; these have twenty.
        let hashes = (0u8..20).map(|n| Hash::of(&[n])).collect();
        let range = CompactRange::new((1 << 20) - 1, hashes).unwrap();
        for number in 0..MACHINES_EVER_MAX {
            let event = enrolment(&slug, number);
            for change in Arc::make_mut(&mut state.registry).apply(1, &event) {
                let Change::Enrolled(enrolment) = change else { panic!("{change:?}") };
                let name = Author::parse(&enrolment.author).unwrap();
                let key = Some(VerifierKey::parse(&enrolment.key).unwrap());
                let log = AuthorLog::resume(&slug, name.clone(), 0, key, range.clone());
                state.authors.insert(name, Arc::new(KnownAuthor { log, last: None }));
            }
            // Years later: as many renewed certificates as are remembered.
            for renewal in 0..KEPT_MAX {
                Arc::make_mut(&mut state.registry).apply(2, &renewed(number, renewal));
            }
        }
        let frame = state.to_frame();
        let mut bytes = Vec::new();
        Frame::State(frame.clone()).encode(&mut bytes).unwrap();
        println!("{} machines: a STATE of {} bytes", MACHINES_EVER_MAX, bytes.len());
        assert!(bytes.len() < FRAME_BYTES_MAX);
        let again = LedgerState::from_frame(slug, key, &frame).unwrap();
        assert_eq!(again.registry, state.registry, "the index, too");
        let one = Hash::of(b"agent/reception-desk-04711").to_hex();
        assert_eq!(
            again.registry.by_certificate(&one).unwrap().enrolment.author,
            "agent/reception-desk-04711"
        );
        let one = Hash::of(b"4711 2").to_hex();
        assert_eq!(
            again.registry.by_certificate(&one).unwrap().enrolment.author,
            "agent/reception-desk-04711"
        );
    }
}
