//! What this agent asks of Windows itself: clocks and the boot, secrets sealed to the machine, its event log.
//!
//! `unsafe` stands in the two files that call the system, [`system_ffi`] and [`event_log_ffi`]; everything above them is safe.

pub mod event_log_ffi;
pub mod system_ffi;
