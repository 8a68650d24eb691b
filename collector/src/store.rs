//! The query store: sled as working memory over the segments. Everything in it can be dropped and made again.
//!
//! | key | value |
//! |---|---|
//! | `cursor` | [`Cursor`]: from which leaf everything has to be read again |
//! | `b` leaf | [`LeafRecord`]: where a batch lies, whose it is, which span of time it covers |
//! | `n` author 0 size | the leaf whose note has that size |
//! | `d` day leaf | nothing: a batch that touches that UTC day |
//! | `E` author 0 epoch | [`RollOverRecord`]: where the roll-over to that epoch lies, and what is before it |
//! | `f` id | [`FindingRecord`] |
//! | `M` author 0 number | [`Mark`]: an on-site test of a machine, or a change of its system or program |
//! | `H` author | [`HealthRecord`]: what a machine last said of itself |
//! | `h` author | [`InventoryRecord`]: what the accounts of a machine hold |
//! | `w` author 0 id | [`ProposalRecord`]: what a machine proposed to watch |
//! | `Q` leaf, `q` leaf | [`crate::rollup`]: which leaves one covers, and its rows, of the leaves from this one on |
//! | `i` source 0 mark | a record of that source is an entry: marks (16 bytes of SHA-256) of its id and of what it says |
//! | `version` | [`VERSION`] of the rows: a store of another one is read anew from the first leaf |
//! | `R` leaf, `P` leaf | roster and policy that came into force with an act in that leaf |
//!
//! Where the practice is encrypted at rest, each value is sealed under its key, and in the place of an author in a
//! key stands an HMAC of it: what is left to read are leaves, days, epochs, ids of findings and tickets.
//!
//! sled 0.34 is used the safe way: its flush is no fsync on Linux, so `db` is synced after it; batches hold
//! at most 64 keys; it is opened under `catch_unwind` and moved aside when it does not open. Writes are
//! idempotent by leaf and the cursor is written last, so a crash anywhere repeats work and changes nothing.

mod imported;
mod record;
mod rollups;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_segment::disk::{Disk as _, RealDisk};
use tracing::warn;

use crate::at_rest::keys::{SealError, StoreSeal};
use crate::engine::Snapshot;
use crate::on_site::Mark;
use crate::ticket::items::Usage;

pub use imported::{content, mark};
pub use record::{
    Cursor, FindingRecord, HealthRecord, InventoryRecord, LeafRecord, ProposalRecord, RollOverRecord,
    TicketAct,
};

/// sled keeps memory for long when batches are larger.
const KEYS_PER_BATCH_MAX: usize = 64;
const CURSOR: &[u8] = b"cursor";
const VERSION_KEY: &[u8] = b"version";
/// Goes up with every kind of row that older entries would have made, too.
const VERSION: &[u8] = b"3";
const CACHE_BYTES: u64 = 64 << 20;
const SECONDS_PER_DAY: i64 = 86_400;

/// The store failed; it may be deleted and is made again from the segments.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// sled said no.
    #[error("the query store failed; delete the folder `cache`, it is made again from the ledger")]
    Sled(#[from] sled::Error),
    /// A value is not what was written.
    #[error("the query store holds something that cannot be read; delete the folder `cache`")]
    Value(#[from] serde_json::Error),
    /// A value was not sealed under its key.
    #[error(
        "the query store holds something that does not open; delete the folder `cache`, it is made again from the ledger"
    )]
    DoesNotOpen,
    /// A value could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Its files.
    #[error("could not use `{}`", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes that belong together.
#[derive(Debug, Default)]
pub struct Changes {
    sets: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Changes {
    /// A batch: its record, its size, the days that it touches.
    pub fn leaf(&mut self, record: &LeafRecord) -> Result<(), StoreError> {
        self.sets.push((leaf_key(b'b', record.leaf), serde_json::to_vec(record)?));
        self.sets.push((note_key(&record.author, record.size), record.leaf.to_be_bytes().to_vec()));
        let (from, to) = (day(record.from_unix_ns), day(record.to_unix_ns));
        // A clock that jumps may stretch a batch over years: the ends are enough to find it.
        let days = if to.saturating_sub(from) > 31 { vec![from, to] } else { (from..=to).collect() };
        self.sets.extend(days.into_iter().map(|day| (day_key(day, record.leaf), Vec::new())));
        Ok(())
    }

    /// The roll-over to an epoch of an author.
    pub fn roll_over(&mut self, author: &str, record: &RollOverRecord) -> Result<(), StoreError> {
        self.sets.push((epoch_key(author, record.epoch), serde_json::to_vec(record)?));
        Ok(())
    }

    /// A finding as it stands.
    pub fn finding(&mut self, record: &FindingRecord) -> Result<(), StoreError> {
        self.sets.push((finding_key(&record.finding.id), serde_json::to_vec(record)?));
        Ok(())
    }

    /// What a machine's accounts hold.
    pub fn inventory(&mut self, record: &InventoryRecord) -> Result<(), StoreError> {
        self.sets.push((inventory_key(&record.known.author), serde_json::to_vec(record)?));
        Ok(())
    }

    /// What a machine last said of itself.
    pub fn health(&mut self, record: &HealthRecord) -> Result<(), StoreError> {
        self.sets.push((health_key(&record.author), serde_json::to_vec(record)?));
        Ok(())
    }

    /// What a machine proposed to watch.
    pub fn proposal(&mut self, record: &ProposalRecord) -> Result<(), StoreError> {
        let key = proposal_key(&record.proposal.author, &record.proposal.id);
        self.sets.push((key, serde_json::to_vec(record)?));
        Ok(())
    }

    /// A roster that came into force.
    pub fn roster(&mut self, leaf: u64, text: &str) {
        self.sets.push((leaf_key(b'R', leaf), text.as_bytes().to_vec()));
    }

    /// A step of a ticket, by leaf and number of its act.
    pub fn ticket(&mut self, leaf: u64, number: u64, step: &TicketAct) -> Result<(), StoreError> {
        self.sets.push((ticket_key(leaf, number), serde_json::to_vec(step)?));
        Ok(())
    }

    /// How much a ticket was used so far.
    pub fn ticket_use(&mut self, id: &str, used: Usage) -> Result<(), StoreError> {
        self.sets.push(([b"u", id.as_bytes()].concat(), serde_json::to_vec(&used)?));
        Ok(())
    }

    /// What the proof of a machine rests on.
    pub fn mark(&mut self, author: &str, mark: &Mark) -> Result<(), StoreError> {
        self.sets.push((mark_key(author, mark.number), serde_json::to_vec(mark)?));
        Ok(())
    }

    /// A policy that came into force.
    pub fn policy(&mut self, leaf: u64, text: &str) {
        self.sets.push((leaf_key(b'P', leaf), text.as_bytes().to_vec()));
    }
}

/// The store.
#[derive(Debug)]
pub struct Store {
    db: sled::Db,
    path: PathBuf,
    seal: Option<Arc<StoreSeal>>,
}

impl Store {
    /// Opens it, or moves aside what does not open and begins anew; whether that happened.
    pub fn open(path: &Path) -> Result<(Self, bool), StoreError> {
        Self::open_sealed(path, None)
    }

    /// [`Store::open`] where values are sealed. What does not open then is removed: it may be plain.
    pub fn open_sealed(path: &Path, seal: Option<Arc<StoreSeal>>) -> Result<(Self, bool), StoreError> {
        let fresh = !path.exists();
        if let Some(db) = open_sled(path, seal.as_deref()) {
            sync_folders(path)?;
            return Ok((Self { db, path: path.to_owned(), seal }, fresh));
        }
        if seal.is_some() {
            warn!("the query store does not open; it is removed and made again from the ledger");
            let removed = fs::remove_dir_all(path);
            removed.map_err(|source| StoreError::File { path: path.to_owned(), source })?;
            let db = config(path).open()?;
            sync_folders(path)?;
            return Ok((Self { db, path: path.to_owned(), seal }, true));
        }
        let aside = (0..).map(|n| path.with_extension(format!("broken-{n}"))).find(|aside| !aside.exists());
        let aside = aside.unwrap_or_else(|| path.with_extension("broken"));
        warn!("the query store does not open; it is moved aside and made again from the ledger");
        fs::rename(path, &aside).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let db = config(path).open()?;
        sync_folders(path)?;
        Ok((Self { db, path: path.to_owned(), seal }, true))
    }

    /// The key as it stands in sled.
    fn key(&self, key: Vec<u8>) -> Vec<u8> {
        let Some(seal) = &self.seal else { return key };
        let tail = match key.first() {
            Some(b'n' | b'M') => 9,
            Some(b'E') => 5,
            Some(b'h' | b'H') => 0,
            // From the end of the author's name on.
            Some(b'w') => {
                let name = key.iter().position(|byte| *byte == 0).unwrap_or(key.len());
                key.len().saturating_sub(name)
            }
            _ => return key,
        };
        let author = key.len().checked_sub(tail).and_then(|end| key.split_at_checked(end));
        let Some((head, tail)) = author else { return key };
        let (kind, author) = head.split_at_checked(1).unwrap_or_default();
        [kind, &seal.name(author), tail].concat()
    }

    fn sealed(&self, key: &[u8], value: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        match &self.seal {
            Some(seal) => Ok(seal.seal(key, &value)?),
            None => Ok(value),
        }
    }

    fn opened(&self, key: &[u8], value: sled::IVec) -> Result<sled::IVec, StoreError> {
        match &self.seal {
            Some(seal) => seal.open(key, &value).map(Into::into).ok_or(StoreError::DoesNotOpen),
            None => Ok(value),
        }
    }

    fn get(&self, key: Vec<u8>) -> Result<Option<sled::IVec>, StoreError> {
        let key = self.key(key);
        self.db.get(&key)?.map(|value| self.opened(&key, value)).transpose()
    }

    /// Opens what an iterator of sled gives.
    fn each<'a>(
        &'a self,
        items: sled::Iter,
    ) -> impl DoubleEndedIterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + 'a {
        items.map(|item| {
            let (key, value) = item?;
            let value = self.opened(&key, value)?;
            Ok((key, value))
        })
    }

    fn range(
        &self,
        keys: impl std::ops::RangeBounds<Vec<u8>>,
    ) -> impl DoubleEndedIterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + '_ {
        self.each(self.db.range(keys))
    }

    fn prefix(
        &self,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = Result<(sled::IVec, sled::IVec), StoreError>> + '_ {
        self.each(self.db.scan_prefix(prefix))
    }

    /// Writes changes, then the cursor with what the engine was there.
    pub fn apply(&self, changes: Changes, cursor: Option<(Cursor, &Snapshot)>) -> Result<(), StoreError> {
        self.put(changes.sets.into_iter().map(|(key, value)| (self.key(key), value)))?;
        if let Some(cursor) = cursor {
            self.db.insert(CURSOR, self.sealed(CURSOR, serde_json::to_vec(&cursor)?)?)?;
        }
        Ok(())
    }

    /// Writes values under keys as they stand in sled.
    fn put(&self, sets: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), StoreError> {
        let mut sets = sets.peekable();
        while sets.peek().is_some() {
            let mut batch = sled::Batch::default();
            for (key, value) in sets.by_ref().take(KEYS_PER_BATCH_MAX) {
                let value = self.sealed(&key, value)?;
                batch.insert(key, value);
            }
            self.db.apply_batch(batch)?;
        }
        Ok(())
    }

    /// Makes everything so far durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        let file = self.path.join("db");
        // For writing, too: Windows flushes no other handle.
        let synced = RealDisk.open_write(&file).and_then(|db| db.sync_data());
        synced.map_err(|source| StoreError::File { path: file, source })
    }

    /// From where to go on, and with what.
    pub fn cursor(&self) -> Result<Option<(Cursor, Snapshot)>, StoreError> {
        let value = self.get(CURSOR.to_vec())?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// The record of a leaf.
    pub fn leaf(&self, leaf: u64) -> Result<Option<LeafRecord>, StoreError> {
        let value = self.get(leaf_key(b'b', leaf))?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// The leaf whose note has this size.
    pub fn leaf_of_note(&self, author: &str, size: u64) -> Result<Option<LeafRecord>, StoreError> {
        let Some(value) = self.get(note_key(author, size))? else { return Ok(None) };
        match value.as_ref().try_into() {
            Ok(bytes) => self.leaf(u64::from_be_bytes(bytes)),
            Err(_) => Ok(None),
        }
    }

    /// The leaf that holds an author's entry of this number.
    pub fn leaf_of_entry(&self, author: &str, number: u64) -> Result<Option<LeafRecord>, StoreError> {
        let from = self.key(note_key(author, number.saturating_add(1)));
        let Some((key, value)) = self.range(from.clone()..).next().transpose()? else { return Ok(None) };
        if !key.starts_with(from.split_last_chunk::<8>().map_or(&from, |(head, _)| head)) {
            return Ok(None);
        }
        match value.as_ref().try_into() {
            Ok(bytes) => self.leaf(u64::from_be_bytes(bytes)),
            Err(_) => Ok(None),
        }
    }

    /// Every batch of an author, in the order of its log.
    pub fn leaves_of(&self, author: &str) -> Result<Vec<LeafRecord>, StoreError> {
        let key = self.key(note_key(author, 0));
        let prefix = key.split_last_chunk::<8>().map_or(key.as_slice(), |(head, _)| head);
        let mut records = Vec::new();
        for item in self.prefix(prefix) {
            if let Ok(leaf) = item?.1.as_ref().try_into() {
                records.extend(self.leaf(u64::from_be_bytes(leaf))?);
            }
        }
        Ok(records)
    }

    /// The roll-overs of an author to the epochs up to this one, in their order.
    pub fn roll_overs(&self, author: &str, epoch_max: u32) -> Result<Vec<RollOverRecord>, StoreError> {
        let (from, to) = (self.key(epoch_key(author, 0)), self.key(epoch_key(author, epoch_max)));
        let items = self.range(from..=to);
        items.map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// What the proof of a machine rests on, of its log's entries before this number, in their order.
    pub fn marks(&self, author: &str, before: u64) -> Result<Vec<Mark>, StoreError> {
        let (from, to) = (self.key(mark_key(author, 0)), self.key(mark_key(author, before)));
        self.range(from..to).map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// The batches that touch the UTC days of `[from, to]`, in the order of the log.
    pub fn leaves_between(&self, from_unix_ns: i64, to_unix_ns: i64) -> Result<Vec<LeafRecord>, StoreError> {
        let records = self
            .indexes_between(from_unix_ns, to_unix_ns)?
            .into_iter()
            .filter_map(|leaf| self.leaf(leaf).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let touches = |record: &LeafRecord| record.touches(from_unix_ns, to_unix_ns);
        Ok(records.into_iter().filter(touches).collect())
    }

    /// Indexes of the leaves of those days, in order; a few may lie just outside the span.
    pub fn indexes_between(&self, from_unix_ns: i64, to_unix_ns: i64) -> Result<Vec<u64>, StoreError> {
        let (from, to) = (day_key(day(from_unix_ns), 0), day_key(day(to_unix_ns).saturating_add(1), 0));
        let mut leaves = Vec::new();
        for item in self.range(from..to) {
            let (key, _) = item?;
            if let Some((_, leaf)) = key.split_last_chunk::<8>() {
                leaves.push(u64::from_be_bytes(*leaf));
            }
        }
        leaves.sort_unstable();
        leaves.dedup();
        Ok(leaves)
    }

    /// Where to go on is known, and every kind of row was made up to there.
    pub fn is_current(&self) -> Result<bool, StoreError> {
        Ok(self.get(VERSION_KEY.to_vec())?.is_some_and(|version| version == VERSION))
    }

    /// Every kind of row is made from the first leaf on.
    pub fn begin_current(&self) -> Result<(), StoreError> {
        self.db.remove(CURSOR)?;
        self.forget_rollups(|_| true)?;
        self.put([(VERSION_KEY.to_vec(), VERSION.to_vec())].into_iter())
    }

    /// What a machine's accounts hold.
    pub fn inventory(&self, author: &str) -> Result<Option<InventoryRecord>, StoreError> {
        let value = self.get(inventory_key(author))?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// The same of every machine, in the order of their names where they have some.
    pub fn inventories(&self) -> Result<Vec<InventoryRecord>, StoreError> {
        self.prefix(b"h").map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// What a machine last said of itself.
    pub fn health(&self, author: &str) -> Result<Option<HealthRecord>, StoreError> {
        let value = self.get(health_key(author))?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// What a machine proposed to watch, by id.
    pub fn proposal(&self, author: &str, id: &str) -> Result<Option<ProposalRecord>, StoreError> {
        let value = self.get(proposal_key(author, id))?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// Everything that machines proposed to watch.
    pub fn proposals(&self) -> Result<Vec<ProposalRecord>, StoreError> {
        self.prefix(b"w").map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// Takes out what machines told of themselves in leaves whose entries retention removed.
    pub fn forget_told(&self, mut is_removed: impl FnMut(&LeafRecord) -> bool) -> Result<(), StoreError> {
        let mut is_removed =
            |leaf| Ok::<_, StoreError>(self.leaf(leaf)?.is_some_and(|leaf| is_removed(&leaf)));
        for record in self.inventories()? {
            if is_removed(record.leaf)? {
                self.db.remove(self.key(inventory_key(&record.known.author)))?;
            }
        }
        let told = self.prefix(b"H").map(|item| Ok(serde_json::from_slice(&item?.1)?));
        for record in told.collect::<Result<Vec<HealthRecord>, StoreError>>()? {
            if is_removed(record.leaf)? {
                self.db.remove(self.key(health_key(&record.author)))?;
            }
        }
        for record in self.proposals()? {
            if is_removed(record.leaf)? {
                self.db.remove(self.key(proposal_key(&record.proposal.author, &record.proposal.id)))?;
            }
        }
        let mut removed = Vec::new();
        for cover in self.covers()? {
            let leaves = (cover.first..cover.end).map(&mut is_removed).collect::<Result<Vec<_>, _>>()?;
            removed.extend(leaves.contains(&true).then_some(cover.first));
        }
        self.forget_rollups(|cover| removed.contains(&cover.first))?;
        self.flush()
    }

    /// A finding.
    pub fn finding(&self, id: &str) -> Result<Option<FindingRecord>, StoreError> {
        let value = self.get(finding_key(id))?;
        value.map(|value| Ok(serde_json::from_slice(&value)?)).transpose()
    }

    /// All findings, in the order of their ids.
    pub fn findings(&self) -> Result<Vec<FindingRecord>, StoreError> {
        self.prefix(b"f").map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// The roster in force before a leaf.
    pub fn roster_before(&self, leaf: u64) -> Result<Option<String>, StoreError> {
        self.text_before(b'R', leaf)
    }

    /// The policy in force before a leaf.
    pub fn policy_before(&self, leaf: u64) -> Result<Option<String>, StoreError> {
        self.text_before(b'P', leaf)
    }

    /// The leaf that put the policy in force.
    pub fn policy_leaf(&self) -> Result<Option<u64>, StoreError> {
        let found = self.range(leaf_key(b'P', 0)..leaf_key(b'P', u64::MAX)).next_back().transpose()?;
        let number = found.and_then(|(key, _)| Some(u64::from_be_bytes(*key.last_chunk::<8>()?)));
        Ok(number)
    }

    /// Steps of tickets in the leaves `[from, to)`, in the order of the ledger.
    pub fn ticket_acts(&self, from: u64, to: u64) -> Result<Vec<TicketAct>, StoreError> {
        let items = self.range(ticket_key(from, 0)..ticket_key(to, 0));
        items.map(|item| Ok(serde_json::from_slice(&item?.1)?)).collect()
    }

    /// How much each ticket was used, by number.
    pub fn ticket_uses(&self) -> Result<BTreeMap<String, Usage>, StoreError> {
        let items = self.prefix(b"u").map(|item| {
            let (key, value) = item?;
            let id = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            Ok((id, serde_json::from_slice(&value)?))
        });
        items.collect()
    }

    fn text_before(&self, kind: u8, leaf: u64) -> Result<Option<String>, StoreError> {
        let found = self.range(leaf_key(kind, 0)..leaf_key(kind, leaf)).next_back().transpose()?;
        Ok(found.map(|(_, text)| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Puts other contents in the place of its own, as [`Store::contents`] gives them; the cursor stays, and what was made
    /// of the other contents goes.
    pub fn replace(&self, contents: BTreeMap<Vec<u8>, Vec<u8>>) -> Result<(), StoreError> {
        self.forget_rollups(|_| true)?;
        for item in self.contents() {
            let (key, _) = item?;
            if !contents.contains_key(&key) {
                self.db.remove(key)?;
            }
        }
        self.put(contents.into_iter())?;
        self.flush()
    }

    /// Every key (as it stands in sled) and value but the cursor and the roll-ups, for comparing two stores of one seal.
    pub fn contents(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> + '_ {
        let is_left_out = |key: &[u8]| key == CURSOR || matches!(key.first(), Some(b'Q' | b'q'));
        let items = self.each(self.db.iter());
        let items = items.filter(move |item| !matches!(item, Ok((key, _)) if is_left_out(key)));
        items.map(|item| item.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }
}

fn config(path: &Path) -> sled::Config {
    sled::Config::new().path(path).cache_capacity(CACHE_BYTES).mode(sled::Mode::LowSpace).flush_every_ms(None)
}

/// sled panics on some damage: a panic counts as "does not open".
fn open_sled(path: &Path, seal: Option<&StoreSeal>) -> Option<sled::Db> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let db = config(path).open().ok()?;
        // Reading everything once finds damage that opening alone does not.
        let holds = |(key, value): (sled::IVec, sled::IVec)| {
            seal.is_none_or(|seal| seal.open(&key, &value).is_some())
        };
        db.iter().all(|item| item.is_ok_and(holds)).then_some(db)
    }));
    std::panic::set_hook(hook);
    opened.ok().flatten()
}

fn sync_folders(path: &Path) -> Result<(), StoreError> {
    let failed = |folder: &Path, source| StoreError::File { path: folder.to_owned(), source };
    let mut folders = [Some(path), path.parent()].into_iter().flatten();
    folders.try_for_each(|folder| RealDisk.sync_folder(folder).map_err(|error| failed(folder, error)))
}

fn day(unix_ns: i64) -> u32 {
    u32::try_from(unix_ns.div_euclid(1_000_000_000).div_euclid(SECONDS_PER_DAY)).unwrap_or(0)
}

fn leaf_key(kind: u8, leaf: u64) -> Vec<u8> {
    [&[kind], leaf.to_be_bytes().as_slice()].concat()
}

fn ticket_key(leaf: u64, number: u64) -> Vec<u8> {
    [b"T".as_slice(), &leaf.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn note_key(author: &str, size: u64) -> Vec<u8> {
    [b"n", author.as_bytes(), b"\0", &size.to_be_bytes()].concat()
}

fn mark_key(author: &str, number: u64) -> Vec<u8> {
    [b"M", author.as_bytes(), b"\0", &number.to_be_bytes()].concat()
}

fn epoch_key(author: &str, epoch: u32) -> Vec<u8> {
    [b"E", author.as_bytes(), b"\0", &epoch.to_be_bytes()].concat()
}

fn inventory_key(author: &str) -> Vec<u8> {
    [b"h", author.as_bytes()].concat()
}

fn health_key(author: &str) -> Vec<u8> {
    [b"H", author.as_bytes()].concat()
}

fn proposal_key(author: &str, id: &str) -> Vec<u8> {
    [b"w", author.as_bytes(), b"\0", id.as_bytes()].concat()
}

fn day_key(day: u32, leaf: u64) -> Vec<u8> {
    [b"d".as_slice(), &day.to_be_bytes(), &leaf.to_be_bytes()].concat()
}

fn finding_key(id: &str) -> Vec<u8> {
    [b"f", id.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
