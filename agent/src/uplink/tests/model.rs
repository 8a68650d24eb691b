//! A spool in memory and a collector in memory, each as honest as the real one.

use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::leaf_hash;
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::receipt::Receipt;
use ntk_evidence::tree::{MemoryTree, consistency_proof, inclusion_proof, root};
use ntk_evidence::witness::AddCheckpoint;
use ntk_segment::frame::Batch;

use super::super::wire::{ReceiptFor, Welcome};
use super::{author, pointer, slug};
use crate::identity::tests::log_signer;
use crate::spool::shelf::{Place, end_of};

fn author_signer() -> NoteSigner {
    NoteSigner::new(&slug().author_origin(&author()), KeyType::Ed25519, &[5; 32]).unwrap()
}

/// Batches one after the other; their place is their pointer.
pub(super) struct FakeSpool {
    pub(super) batches: Vec<Batch>,
    log: AuthorLog,
    text: &'static str,
}

impl FakeSpool {
    pub(super) fn new() -> Self {
        Self::with_text("entry")
    }

    pub(super) fn with_text(text: &'static str) -> Self {
        Self {
            batches: Vec::new(),
            log: AuthorLog::new(&slug(), author(), author_signer().verifier().clone()),
            text,
        }
    }

    pub(super) fn append(&mut self, n_entries: usize) {
        let first = self.log.size();
        let entry = |n| {
            Entry::from_parts([format!("{} {}", self.text, first + n).into_bytes(), Vec::new(), Vec::new()])
                .unwrap()
        };
        let entries = (0..n_entries as u64).map(entry).collect();
        let key = BatchKey::new(*Hash::of(&first.to_be_bytes()).as_bytes());
        let (sealed, next) = self.log.seal(entries, key, &author_signer()).unwrap();
        self.log = next;
        self.batches.push(Batch {
            author: sealed.author.to_string(),
            epoch: 0,
            first,
            note: sealed.note,
            batch_key: *sealed.key.as_bytes(),
            entries: sealed.entries.into_iter().map(Entry::into_parts).collect(),
        });
    }

    pub(super) fn size(&self) -> u64 {
        self.log.size()
    }

    pub(super) fn find(&self, size: u64) -> Option<Place> {
        if size == 0 {
            return Some(Place { size, note: Vec::new(), next: pointer(0) });
        }
        let index = self.batches.iter().position(|batch| end_of(batch) == size)?;
        Some(Place { size, note: self.batches[index].note.clone(), next: pointer(index + 1) })
    }
}

/// The collector's log and what it holds of one author.
pub(super) struct Collector {
    tree: MemoryTree,
    log: AuthorLog,
    notes: Vec<(Vec<u8>, u64, u64)>,
    pub(super) held: Vec<String>,
    remembered: u64,
}

impl Collector {
    pub(super) fn new() -> Self {
        Self {
            tree: MemoryTree::default(),
            log: AuthorLog::new(&slug(), author(), author_signer().verifier().clone()),
            notes: Vec::new(),
            held: Vec::new(),
            remembered: 0,
        }
    }

    /// A log of so many other leaves and one more.
    pub(super) fn forked_at(size: u64) -> Self {
        let mut forked = Self::new();
        for n in 0..=size {
            forked.tree.append(leaf_hash(format!("other {n}").as_bytes()));
        }
        forked
    }

    fn checkpoint(&self) -> String {
        let origin = slug().log_origin();
        let size = self.tree.size();
        let checkpoint = Checkpoint { origin, size, root: root(&self.tree, size).unwrap() };
        checkpoint.sign(&log_signer()).unwrap()
    }

    fn consistency(&self, from: u64) -> Vec<Hash> {
        let size = self.tree.size();
        if from == 0 || from >= size {
            Vec::new()
        } else {
            consistency_proof(&self.tree, from, size).unwrap()
        }
    }

    /// The first answer on a stream of an agent that remembers so much.
    pub(super) fn greet(&mut self, remembered: u64) -> Welcome {
        self.remembered = remembered;
        let note = self.notes.last().map(|(note, ..)| note.clone()).unwrap_or_default();
        let receipt = self.receipt(&note);
        Welcome {
            size: self.log.size(),
            note,
            receipt,
            unix_nanos: 0,
            trust: Vec::new(),
            decisions: Vec::new(),
            inventory_asked: None,
        }
    }

    /// Takes a batch; an old one with an equal note is fine, too.
    pub(super) fn take(&mut self, batch: &Batch) -> Result<(), &'static str> {
        if end_of(batch) <= self.log.size() {
            return if self.notes.iter().any(|(note, ..)| *note == batch.note) {
                Ok(())
            } else {
                Err("fork")
            };
        }
        let sealed = SealedBatch {
            removed: Vec::new(),
            author: author(),
            epoch: 0,
            first: batch.first,
            note: batch.note.clone(),
            key: BatchKey::new(batch.batch_key),
            entries: batch.entries.iter().map(|parts| Entry::from_parts(parts.clone()).unwrap()).collect(),
        };
        self.log = self.log.follow(&sealed).map_err(|_| "gap")?;
        self.held.extend(batch.entries.iter().map(|[core, ..]| String::from_utf8(core.clone()).unwrap()));
        self.notes.push((batch.note.clone(), self.tree.size(), self.log.size()));
        self.tree.append(leaf_hash(&batch.note));
        Ok(())
    }

    pub(super) fn receipt(&mut self, note: &[u8]) -> Option<ReceiptFor> {
        let (_, leaf_index, size) = self.notes.iter().find(|(held, ..)| held == note)?;
        let receipt = Receipt {
            leaf_index: *leaf_index,
            inclusion: inclusion_proof(&self.tree, *leaf_index, self.tree.size()).unwrap(),
            checkpoint: self.checkpoint().into_bytes(),
            consistency: self.consistency(self.remembered),
        };
        let receipt = ReceiptFor { size: *size, receipt };
        self.remembered = self.tree.size();
        Some(receipt)
    }

    /// A round for an agent that remembers what this stream says it does.
    pub(super) fn round(&mut self, remembered: u64) -> String {
        let request = AddCheckpoint {
            old: remembered,
            proof: self.consistency(remembered),
            checkpoint: self.checkpoint(),
        };
        self.remembered = self.tree.size();
        request.to_string()
    }

    pub(super) fn round_on_stream(&mut self) -> String {
        self.round(self.remembered)
    }

    /// A round with whatever proof this log can make.
    pub(super) fn round_from_other(&self, remembered: u64) -> String {
        AddCheckpoint { old: remembered, proof: self.consistency(remembered), checkpoint: self.checkpoint() }
            .to_string()
    }

    pub(super) fn log_size(&self) -> u64 {
        self.tree.size()
    }
}
