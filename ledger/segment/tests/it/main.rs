//! The format and the log, through their public interface.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod damage;
mod disk;
mod encrypted;
mod faults;
mod fixture;
mod frames;
mod life;
mod pruning;
mod put_back;
mod sealing;
mod threads;
mod values;
