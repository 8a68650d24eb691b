//! What this agent asks of Windows itself: clocks and the boot, secrets sealed to the machine, its event log, its registry
//! and accounts.
//!
//! `unsafe` stands in the files that call the system, `*_ffi`; everything above them is safe.

pub mod accounts_ffi;
pub mod event_log_ffi;
pub mod machine;
pub mod registry_ffi;
pub mod system_ffi;
