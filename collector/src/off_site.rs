//! Copies off-site: finished segments, encrypted to the recovery key, in a folder, on an SFTP server or in an S3 bucket.
//!
//! ```text
//! <to>/<slug>/segments/<20-digit number>.<seg|segz|segp>.age   a segment's file as on a plain disk, encrypted
//! <to>/<slug>/newest.json                                      what is there, and the checkpoint it leads to ([`list`])
//! <to>/<slug>/trust.txt                                        the trust file
//! <to>/<slug>/settings-<16 hex digits>.age                     what no segment holds ([`settings`])
//! ```
//! Nothing here can be read without the recovery key, which was taken away at `init` or made anew since ([`crate::succession`]): not by whoever holds the copy, and not
//! by this collector. `off-site.json` in the collector's own folder remembers the list that was written last, so that
//! a list or an object that somebody else changed is not believed ([`memory`]).
//!
//! # Operation
//! [`copy`] is one run: pure of time and clock, over a [`shelf::Shelf`], which is all it knows of a target. [`task`] runs it
//! on schedule on a thread of its own; [`OffSite`] holds what `status` says. [`check`] reads everything back.
//!
//! # What a crash leaves at each step
//! - an object half sent: under a temporary name (folder, SFTP) or not at all (S3); sent again.
//! - an object whole and not in the list, or not remembered here: sent again in its own place.
//! - the list written and the act not: the next run that sends something names the whole in its act.
//!
//! # What is never done
//! - Nothing of another history is written over: where the list there has a checkpoint that this ledger does not lead
//!   to, or reaches further, or is gone while segments are there, nothing is sent and a person decides.
//! - An object is replaced only by the pruned form of its segment, where no legal hold covers its time, and by the same form
//!   for another recovery key. That one lies beside it under a name with a mark (`<number>.<8 hex digits>.segz.age`) until the
//!   list names it: at every moment what the list names can be put back.

pub mod check;
pub mod copy;
mod folder;
mod http;
pub mod list;
pub mod memory;
mod s3;
pub mod settings;
mod sftp;
pub mod shelf;
mod standing;
pub mod target;
pub mod task;
mod wire;

pub use standing::{Finish, OffSite, OffSiteError, Recorded, Standing};

#[cfg(test)]
mod tests;
