//! The person behind a process, asked of /proc while it lives.
//!
//! The event brings a descriptor of the process. What was read under its number counts only if the descriptor still
//! names that number afterwards: otherwise the number may have been somebody else's by then.

use std::path::Path;

use ntk_evidence::event::{Actor, Because, Confidence, Process};

use crate::attribute::Names;
use crate::record::UNSET;

/// Who did it, and with what.
pub(super) fn who(pid: u32, pidfd: Option<i32>, names: &dyn Names) -> (Actor, Process) {
    let gone = || {
        let process = Process { pid: Some(pid), ..Process::default() };
        (unattributed(Because::ProcessEnded), process)
    };
    let Some(pidfd) = pidfd else { return gone() };
    let folder = Path::new("/proc").join(pid.to_string());
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u32>().ok().filter(|number| *number != UNSET);
    let (login_uid, session) = (number("loginuid"), number("sessionid"));
    let status = read("status").unwrap_or_default();
    let exe = std::fs::read_link(folder.join("exe")).ok().map(|path| path.to_string_lossy().into_owned());
    let exe = exe.or_else(|| field(&status, "Name:").map(str::to_owned));
    if !is_still(pid, pidfd) {
        return gone();
    }
    let effective = field(&status, "Uid:").and_then(|uids| uids.split_whitespace().nth(1)?.parse().ok());
    let name_of = |uid: u32| {
        let root = || (uid == 0).then(|| "root".to_owned());
        names.user_name(uid).or_else(root).unwrap_or_else(|| uid.to_string())
    };
    let parent = field(&status, "PPid:").and_then(|pid| pid.parse::<u32>().ok()).filter(|pid| *pid != 0);
    let parent = parent.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok());
    let process = Process {
        pid: Some(pid),
        exe,
        parent: parent.map(|path| path.to_string_lossy().into_owned()),
        ..Process::default()
    };
    let effective_user = effective.map(name_of);
    let Some(login_uid) = login_uid else {
        return (Actor { effective_user, ..unattributed(Because::NoLogin) }, process);
    };
    let actor = Actor {
        login_uid: Some(login_uid),
        login_user: names.user_name(login_uid).or_else(|| (login_uid == 0).then(|| "root".to_owned())),
        effective_user,
        session: session.map(u64::from),
        confidence: Some(Confidence::Derived),
        ..Actor::default()
    };
    (actor, process)
}

fn unattributed(because: Because) -> Actor {
    Actor { confidence: Some(Confidence::Unattributed), because: Some(because), ..Actor::default() }
}

/// Whether the descriptor still names this process: after its end it names -1.
fn is_still(pid: u32, pidfd: i32) -> bool {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{pidfd}")).unwrap_or_default();
    field(&info, "Pid:").and_then(|number| number.parse().ok()) == Some(pid)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
