//! System tests, in one binary: the house's own rules, then real processes, faults and strangers' verifiers.
//!
//! The programs under test are the built binaries beside this one (`tests/run` builds them first).
#![expect(clippy::unwrap_used, reason = "test code")]
#![expect(clippy::indexing_slicing, reason = "test code: a missing element is the failure")]

mod at_rest;
mod attacks;
mod browser;
mod bundle;
mod captured;
mod commission;
mod console;
mod container;
mod crash;
mod custody;
mod database;
mod decisions;
mod delivery;
mod detection;
mod documents;
mod doors;
mod encrypted;
mod epochs;
mod expert;
mod failover;
mod findings;
mod fleet;
mod foreign;
mod hold;
mod holdings;
mod imports;
mod install;
mod ladder;
mod live;
mod metrics;
mod mistakes;
mod mutations;
mod newer;
mod off_site;
mod one_person;
mod operation;
mod packages;
mod people;
mod policy;
mod postgres;
mod power;
mod promises;
mod prune;
mod quickstart;
mod readers;
mod redaction;
mod refusals;
mod sensing;
mod silence;
mod ssh;
mod static_verifier;
mod store;
mod survival;
mod tenants;
mod tickets;
mod tidy;
mod time_stamps;
mod vm;
mod walk;
mod windows_policy;
mod wine;
mod witness;
