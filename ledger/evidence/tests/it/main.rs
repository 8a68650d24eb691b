//! Tests of the evidence crate from outside: worked example, foreign vectors, other implementations, schema,
//! a whole practice with its bundle and every attack on it, and noise.
#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(clippy::indexing_slicing, reason = "test code")]
#![expect(clippy::panic, reason = "test code")]

mod agree;
mod attacks;
mod bagit;
mod differential;
mod epochs;
mod mutate;
mod mutations;
mod noise;
mod practice;
mod receipts;
mod restored;
mod schema;
mod tampering;
mod time_stamps;
mod vectors;
mod worked_example;
