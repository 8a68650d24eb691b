//! Kernel audit from outside the agent: what is locked, and putting back what an agent that was killed left.

use std::io;
use std::path::Path;

use super::hold::{another, state};
use super::netlink::{AuditSocket, DEL_RULE, Kernel, SET};
use super::rules::Rule;
use super::seal::lock_of;
use super::state_file::{self, unhex};
use super::status::{LOCKED, Lock, MASK_BACKLOG_LIMIT, MASK_BACKLOG_WAIT, MASK_ENABLED};
use crate::host;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// Nothing was left, or the machine was started anew since.
    NothingLeft,
    /// Put back.
    Done,
    /// Nothing can be changed until the machine boots, which clears it.
    Locked,
    /// The agent that took it lives, under this process number.
    Running(u32),
}

/// What of kernel audit is locked; none where it cannot be asked.
pub fn lock() -> Option<Lock> {
    AuditSocket::open().and_then(|mut kernel| lock_of(&mut kernel)).ok()
}

/// Puts kernel audit back as the state file says. Each step can be done twice; the file goes last.
pub fn put_back(state_file: &Path) -> io::Result<PutBack> {
    if state_file::read(state_file).is_none_or(|left| left.boot_id != host::boot_id()) {
        return Ok(PutBack::NothingLeft);
    }
    put_back_in(&mut AuditSocket::open()?, state_file, &host::boot_id())
}

pub(super) fn put_back_in(kernel: &mut dyn Kernel, state_file: &Path, boot_id: &str) -> io::Result<PutBack> {
    let Some(left) = state_file::read(state_file).filter(|left| left.boot_id == boot_id) else {
        return Ok(PutBack::NothingLeft);
    };
    let now = state(kernel)?;
    if another(now.owner_pid) && now.owner_pid == left.agent_pid {
        return Ok(PutBack::Running(left.agent_pid));
    }
    if now.enabled == LOCKED {
        return Ok(PutBack::Locked);
    }
    for rule in left.rules.iter().filter_map(|rule| unhex(rule)).map(Rule::from_bytes) {
        match kernel.request(DEL_RULE, rule.bytes()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // Where another process owns audit by now, its state is that one's business.
    if !another(now.owner_pid) {
        kernel.request(SET, &left.state.change(MASK_BACKLOG_LIMIT | MASK_BACKLOG_WAIT))?;
        kernel.request(SET, &left.state.change(MASK_ENABLED))?;
    }
    state_file::remove(state_file)?;
    Ok(PutBack::Done)
}
