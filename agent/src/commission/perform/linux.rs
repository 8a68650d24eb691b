//! Who runs a test on Linux, and how a service is restarted there.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Me, PerformError};
use crate::record::UNSET;

/// Where each step's process is.
pub(super) const TOP: &str = "/";

/// Who runs the test: root, from the login that the kernel stamped on it.
pub(super) fn me() -> Result<Me, PerformError> {
    if !rustix::process::geteuid().is_root() {
        return Err(PerformError::NotRoot);
    }
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        text.trim().parse::<u32>().ok().filter(|number| *number != UNSET)
    };
    let login_uid = number("loginuid");
    Ok(Me { login_uid, sid: None, session: login_uid.and(number("sessionid")).map(u64::from) })
}

/// The systemd service that a process belongs to, where systemd runs.
pub(super) fn unit_of(pid: u32) -> Option<String> {
    if !Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let names = groups.lines().filter_map(|line| line.rsplit('/').next());
    names.filter(|name| name.ends_with(".service")).map(str::to_owned).next()
}

pub(super) fn restart(unit: &str) -> Result<(), String> {
    let output = Command::new("systemctl").args(["restart", "--", unit]).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("systemctl: {error}")),
    }
}
