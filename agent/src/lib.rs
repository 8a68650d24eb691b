//! One machine's agent: sensors -> coalesce -> attribute -> classify -> spool -> uplink.

pub mod attribute;
pub mod check;
pub mod classify;
pub mod cli;
pub mod clock;
pub mod coalesce;
pub mod config;
pub mod enroll;
pub mod host;
pub mod identity;
pub mod log_output;
pub mod record;
pub mod replay;
pub mod run;
pub mod sensor;
pub mod spool;
pub mod status;
pub mod uplink;
pub mod watch_list;
pub mod whole_file;
