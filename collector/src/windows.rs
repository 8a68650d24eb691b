//! What this collector asks of Windows itself: who may use a file, a folder, a pipe; and to be its service.
//!
//! `unsafe` stands in the one file that calls the system; everything above it is safe.

pub mod security_ffi;
pub mod service;
