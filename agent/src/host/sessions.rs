//! Who is logged in now, from /proc: login uids and session numbers of the running processes.

use std::collections::BTreeMap;
use std::path::Path;

use crate::attribute::Names;
use crate::record::UNSET;

/// A session that has processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The kernel's number of the session.
    pub number: u32,
    /// The account that logged in.
    pub login_uid: u32,
    /// Its name, where the machine knows one.
    pub login_user: Option<String>,
    /// Processes that belong to it.
    pub n_processes: u32,
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.login_user {
            Some(name) => write!(f, "{name} (uid {}) session {}", self.login_uid, self.number),
            None => write!(f, "uid {} session {}", self.login_uid, self.number),
        }
    }
}

/// The sessions of this machine by number.
pub fn sessions(names: &dyn Names) -> Vec<Session> {
    let mut found: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let is_process =
            entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        if let Some(session) =
            is_process.then(|| number(&path, "sessionid").zip(number(&path, "loginuid"))).flatten()
        {
            let n_processes = found.entry(session).or_default();
            *n_processes = n_processes.saturating_add(1);
        }
    }
    let session = |((number, login_uid), n_processes)| Session {
        number,
        login_uid,
        login_user: names.user_name(login_uid),
        n_processes,
    };
    found.into_iter().map(session).collect()
}

pub(super) fn number(process: &Path, name: &str) -> Option<u32> {
    let text = std::fs::read_to_string(process.join(name)).ok()?;
    text.trim().parse().ok().filter(|number| *number != UNSET)
}
