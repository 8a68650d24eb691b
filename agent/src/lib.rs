//! One machine's agent: sensors -> coalesce -> attribute -> classify -> spool -> uplink.

pub mod attribute;
pub mod auth_log;
pub mod boot;
pub mod check;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod coalesce;
pub mod commission;
pub mod config;
pub mod decoy;
pub mod discover;
pub mod enroll;
#[cfg(target_os = "linux")]
pub mod footprint;
pub mod generation;
pub mod host;
pub mod identity;
#[cfg(target_os = "linux")]
pub mod install;
pub mod inventory;
pub mod kept;
pub mod log_output;
pub mod origin;
pub mod package;
pub mod receipt;
pub mod record;
pub mod replay;
pub mod run;
pub mod sensor;
pub mod service;
pub mod spool;
pub mod status;
pub mod uplink;
pub mod vigil;
pub mod watch_list;
pub mod whole_file;
#[cfg(windows)]
pub mod windows;

/// An error and its causes on one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
