//! `audit-policy`: what this machine is to record and where it does not; for people, and for the script that sets it.

use std::path::Path;

use ntk_windows::audit_policy::Wanted;
use serde_json::json;

use super::{CONFIG, Failure};
use crate::config;
use crate::run;
use crate::sensor::audit_policy;
use crate::windows::audit_policy_ffi::SystemPolicy;

/// Prints it; 1 where something is not recorded, or nobody knows.
pub(super) fn perform(dir: &Path, json: bool) -> Result<u8, Failure> {
    let config = config::load(&config::path_in(dir)).map_err(|error| Failure::new(CONFIG, error))?;
    let watches = run::watches(dir, &config);
    let wanted = Wanted::built_in();
    if json {
        println!("{}", json!({ "folders": audit_policy::watched(&watches), "wanted": wanted }));
        return Ok(0);
    }
    for part in &wanted.subcategories {
        let halves = [part.success.as_ref().map(|_| "success"), part.failure.as_ref().map(|_| "failure")];
        let halves: Vec<&str> = halves.into_iter().flatten().collect();
        let whose = if part.servers_only { " (servers)" } else { "" };
        println!("{} {}: {}{whose}", part.guid, part.name, halves.join(", "));
    }
    for folder in audit_policy::watched(&watches) {
        println!("{folder}: {} of {:#x}", wanted.sacl.sid, wanted.sacl.rights);
    }
    let lines = audit_policy::to_do(&SystemPolicy, &watches);
    lines.iter().for_each(|line| println!("{line}"));
    if lines.is_empty() {
        println!("this machine records all of it");
    }
    Ok(u8::from(!lines.is_empty()))
}
