//! The offline verifier's parts: reading a bundle safely, telling the checks, and a witness in one file.
//!
//! [`read`] turns a folder or ZIP into the map of files that [`ntk_evidence::checks`] judges; [`tell`] prints
//! the outcome; [`agree`] compares two bundles; [`witness`] keeps a cosigning key and the newest checkpoint it saw in one state file.

pub mod agree;
pub mod read;
pub mod tell;
pub mod witness;
