//! What is true and how anyone checks it: pure formats and checks, no I/O, no clock, no randomness.
//!
//! The way down the page is the way of one event: an [`event::Event`] is frozen to an [`entry::Entry`] of
//! three strings; an [`author_log::AuthorLog`] puts entries into the author's own Merkle tree
//! ([`merkle`]), under a key that changes from [`epoch`] to epoch, and signs its size and root as a [`checkpoint::Checkpoint`] in a signed [`note`]; the
//! collector puts that note as a leaf into its log and answers with a [`receipt::Receipt`]; a
//! [`bundle`] carries rows, proofs and a [`trust::TrustFile`] to a stranger, who runs [`checks`].
//!
//! Formats are the C2SP text formats (signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof) over RFC
//! 6962 hashes, so that code which nobody here wrote can check them.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod act;
pub mod author_log;
pub mod bundle;
pub mod checkpoint;
pub mod checks;
pub mod entry;
pub mod epoch;
pub mod event;
pub mod hash;
pub mod merkle;
pub mod name;
pub mod note;
pub mod program;
pub mod receipt;
pub mod renewal;
pub mod time;
pub mod time_stamp;
pub mod tlog_proof;
pub mod tree;
pub mod trust;
pub mod witness;
pub mod words;
