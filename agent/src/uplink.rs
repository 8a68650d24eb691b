//! The way to the collector: batches up verbatim, receipts down, checkpoints seen and remembered.
//!
//! [`session`] is the protocol without I/O: inputs in, outputs out. [`task`] reads sockets, timers and the spool,
//! calls it and does what it says. [`wire`] turns messages into its values and back; [`incident`] is what the
//! collector did that has to stand in this machine's own log. [`addresses`] decides where the next attempt goes.
//!
//! # Invariants
//! - UP-1: nothing is released without a receipt that verified: inclusion of our own note, and consistency with
//!   the newest checkpoint that this machine has seen. The position is durable before anything is let go.
//! - EV-1: entries, keys and notes are sent as they are stored.
//! - What is remembered of the collector's log never shrinks. A log that is smaller or other than remembered is
//!   recorded and nothing is released on its word.

pub mod addresses;
pub mod backoff;
pub mod cosigner;
pub mod incident;
pub mod renewal;
pub mod session;
pub mod stream;
pub mod task;
pub mod wire;

#[cfg(test)]
pub(crate) mod tests;
