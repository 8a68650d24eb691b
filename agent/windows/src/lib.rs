//! Windows event records to the same events as Linux: pure, without I/O of its own, clock or threads.
//!
//! The way down the page is the way of one record. A [`record::Record`] is read from the XML that `EvtRender` hands
//! out ([`record::xml`]), from a line of winlogbeat or nxlog ([`record::json`]), or from a log file ([`evtx`]). A
//! [`room::Room`] takes records of any number of machines, in the order in which they come, and gives
//! [`ntk_evidence::event::Event`]s: it follows sessions by logon id, compares names with the [`watch::Watches`] after
//! [`path`] made them comparable, counts repeated accesses once, and drops what says nothing by rules that a
//! [`tally::Tally`] counts.
//!
//! Apart from that, [`exchange`] reads what Exchange writes of commands of its administrators, and [`task`] the files of
//! scheduled tasks.
//!
//! Everything is told by event ids, identifiers and numbers, never by texts: a German or Japanese Windows gives the
//! same events. Ids and fields are those of Microsoft's documentation of the security log (Advanced security audit
//! policy settings, one page for each event id).
//!
//! # Invariants
//! - EV-2: any bytes give records or errors, in bounded memory, never a panic.
//! - SE-1: what could not be read and what is missing from a sequence becomes a gap or a tamper event.
//! - PR-2: no contents and no message subject is read; the text of a record's message is never looked at.
#![deny(clippy::arithmetic_side_effects, clippy::as_conversions)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::as_conversions))]

pub mod audit_policy;
pub mod command;
pub mod evtx;
pub mod exchange;
pub mod path;
pub mod record;
pub mod room;
pub mod sid;
pub mod tally;
pub mod task;
pub mod tools;
pub mod watch;
