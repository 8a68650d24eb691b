//! The wire between agents and the collector: gRPC over mutual TLS, entries and notes as verbatim bytes.
//!
//! `ntk.proto` is the source; `gen/` is made from it and checked in, so that building needs no protobuf
//! compiler; the test `generated` makes it again and compares. [`convert`] turns messages into the types of
//! the caller's own world, once, with the limits stated there.

pub mod convert;

/// With what the `refusal` of a `CheckpointSeen` begins by which a machine says that it no longer holds, as it could send
/// them, entries that a collector which was put back from a copy lacks. Their first and last number follow, in decimal.
pub const SHORT: &str = "short: ";

/// Messages and service, made from `ntk.proto`.
#[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::pedantic, clippy::restriction)]
#[rustfmt::skip]
pub mod v1 {
    include!("gen/ntk.v1.rs");
}
