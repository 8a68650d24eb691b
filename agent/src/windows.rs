//! What this agent asks of Windows itself: clocks and the boot, secrets sealed to the machine, its event log, what it records, its
//! registry and accounts, and which generation of a virtual machine it is.
//!
//! `unsafe` stands in the files that call the system, each named `*_ffi`; everything above them is safe.

pub mod accounts_ffi;
pub mod audit_policy_ffi;
pub mod event_log_ffi;
pub mod machine;
pub mod registry_ffi;
pub mod system_ffi;
pub mod vm_generation_ffi;
