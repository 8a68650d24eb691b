//! The collector: ingest -> ledger -> need-to-know -> findings -> report, export.
//!
//! [`ingest`] takes batches from agents over mutual TLS and verifies them; [`ledger`] appends them to the
//! segments, the only truth, and signs a checkpoint; [`follow`] reads them again in order, puts them into
//! the query [`store`], decides each event ([`need_to_know`], pure) and writes finding acts; [`report`] and
//! [`export`] make what people read; [`admin`] is the one JSON API behind command line and console.

pub mod account;
pub mod admin;
pub mod app;
pub mod at_rest;
pub mod authority;
pub mod baseline;
pub mod breach;
pub mod bundles;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod coverage;
pub mod delegation;
pub mod delivery;
pub mod departure;
pub mod desk;
pub mod disk;
pub mod encrypt;
pub mod engine;
pub mod escape;
pub mod export;
pub mod finding;
pub mod first_start;
pub mod follow;
pub mod history;
pub mod hold;
pub mod home;
pub mod import;
pub mod in_common;
pub mod ingest;
pub mod init;
pub mod inventory;
pub mod items;
pub mod journal;
pub mod keys_file;
pub mod ledger;
pub mod link;
pub mod machine;
pub mod mail;
pub mod migrate;
pub mod mine;
pub mod monitoring;
pub mod need_to_know;
#[cfg(test)]
mod noise;
pub mod notice;
pub mod off_site;
pub mod on_site;
pub mod outside;
pub mod people;
pub mod place;
pub mod policy;
pub mod poll;
pub mod practice;
pub mod practices;
pub mod private;
pub mod program;
pub mod proposals;
pub mod protected;
pub mod prune;
pub mod question;
pub mod recovery;
pub mod refill;
pub mod renewal;
pub mod report;
pub mod rest;
pub mod restore;
pub mod review;
pub mod reviewer;
pub mod rollup;
pub mod roster;
pub mod run;
pub mod second;
pub mod self_check;
pub mod server_certificate;
pub mod set_up;
pub mod sign_off;
pub mod signal;
pub mod silence;
pub mod staff_notice;
pub mod store;
pub mod succession;
pub mod system;
pub mod threads;
pub mod ticket;
pub mod time_stamp;
pub mod token;
pub mod turns;
pub mod watch;
#[cfg(windows)]
pub mod windows;
pub mod witness;

/// An error with everything behind it, in one line: printed once, at the edge.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}
