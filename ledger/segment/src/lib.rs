//! Append-only segment files of frames, one fdatasync per commit: the agent's spool and the collector's ledger.
//!
//! The crate knows bytes and small plain structs, no evidence. A caller appends batches, commits them, and
//! gets a [`log::Durable`]; after a crash it opens the folder again and replays what was committed.
//!
//! # Layout
//! A folder holds `<20-digit number>.seg` files, `<number>.segz` for sealed ones, `<number>.seg.quarantined`
//! for damaged ones that a person set aside, and a `lock`. A segment is an 8-byte magic, one STATE frame, then
//! groups of BATCH frames that each end in a COMMIT frame ([`frame`] has the bytes of each; `sealed` those of a
//! sealed file). A position is ([`pointer::SegmentNumber`], logical offset): sealing invalidates none.
//!
//! # Operation
//! [`log::SegmentLog::append`] buffers; [`log::SegmentLog::commit`] is one write and one fdatasync;
//! [`log::SegmentLog::roll`] begins the next file; [`seal::Sealer`] compresses finished ones;
//! [`install::Install`] fills an empty folder with whole files; [`log::SegmentLog::remove_whole_segments_before`] removes from the front; [`prune::Pruner`] takes the entries out of
//! finished segments and leaves what proofs need (`<number>.segp`). [`reader::Reader`] reads what is committed, also
//! from other threads and without the lock. [`verify::verify_chain`] checks a whole folder. All of it works on any
//! [`disk::Disk`]: [`encrypted::EncryptedDisk`] is one, and [`convert::Conversion`] brings a log from one to another.
//!
//! # What a crash leaves at each step, and what open does
//! - commit, before the fdatasync: any part of the group after the last whole COMMIT. Without a whole COMMIT it
//!   is a torn tail and is cut; with one it counts, and is written and synced again before anyone hears of it,
//!   because a page that failed to reach the disk may still look whole in memory.
//! - create and roll, before the rename: a `.tmp` file, removed. After it: a segment with only a STATE, kept.
//!   A last file without a whole STATE and without a COMMIT holds nothing of its own and is removed, so that the
//!   segment before it is the last again.
//! - seal, before the rename: a `.tmp` file, removed. After it: both forms; the one that hashes to what the next
//!   segment says stays.
//! - prune: removed is removed, oldest first, the folder synced after each: the rest is still a chain.
//! - entries taken out: a `.tmp` file, removed; or both forms, of which the pruned one stays if it is whole and was
//!   made of what the next segment says.
//! - quarantine: one rename, done or not.
//!
//! # Damage
//! A broken frame with a whole COMMIT anywhere behind it is no torn tail: those bytes were once acknowledged.
//! Nothing is cut then; open names segment and offset, and a person decides ([`quarantine`]). A last COMMIT that
//! was damaged afterwards looks like a torn one, from the inside: who must tell them apart compares with
//! checkpoints that others hold. The other way round, an author who hides the bytes of a COMMIT in a batch can
//! make a torn tail look like damage: then, too, nothing is cut and a person decides.
//!
//! # Invariants
//! - SP-1: a [`log::Durable`] exists only for bytes that were written and synced.
//! - SP-3: one process per log, held by a lock on a file in the folder.
//! - SP-4: pruning removes whole segments, oldest first, never the last.
//! - LG-2: after a failed commit or roll every call refuses until the log is opened again.
//! - EV-1: entry bytes are stored and returned verbatim. EV-2: every decoder is total.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod convert;
pub mod disk;
pub mod encrypted;
pub mod error;
pub mod frame;
pub mod install;
pub mod log;
pub mod pointer;
pub mod prune;
pub mod put_back;
pub mod quarantine;
pub mod reader;
pub mod seal;
pub mod verify;

mod folder;
mod recover;
mod scan;
mod sealed;
mod shared;
mod sizes;
mod source;
