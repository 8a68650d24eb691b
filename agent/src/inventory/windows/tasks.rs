//! Scheduled tasks, by their files: as whom they run, what they start, when.
//!
//! Those below `\Microsoft` that start what comes with Windows, as the system's own accounts or as whoever is signed in,
//! are everybody's and not listed.

use ntk_evidence::event::{Holding, HoldingKind};
use ntk_windows::task::{self, Task};

use super::system::{Environment, System, is_system};
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Files that are read, and how deep folders may lie.
const FILES_MAX: usize = 2000;
const DEPTH_MAX: usize = 8;
/// Programs of one task that are named.
const NAMED_MAX: usize = 3;

/// Lists them.
pub(super) fn list(
    system: &dyn System,
    root: &Root,
    environment: &Environment,
    list: &mut List,
) -> Option<String> {
    let top = format!("{}\\System32\\Tasks", environment.windows());
    let mut files = Vec::new();
    let mut folders = vec![(top.clone(), 0usize)];
    let mut is_cut = false;
    while let Some((folder, depth)) = folders.pop() {
        for name in root.names(&folder) {
            let path = root.below(&folder, &name);
            if root.is_folder(&path) {
                is_cut |= depth >= DEPTH_MAX;
                folders.extend(Some((path, depth.saturating_add(1))).filter(|_| depth < DEPTH_MAX));
            } else if files.len() < FILES_MAX {
                files.push(path);
            } else {
                is_cut = true;
            }
        }
    }
    let mut n_unread = 0u32;
    for path in files {
        let name = path.strip_prefix(top.as_str()).unwrap_or(&path).to_owned();
        match root.bytes(&path).map(|bytes| task::parse(&task::text(&bytes))) {
            Some(Ok(task)) => add(system, environment, &name, &task, list),
            _ => n_unread = n_unread.saturating_add(1),
        }
    }
    match (is_cut, n_unread) {
        (true, _) => Some(format!("scheduled tasks beyond the first {FILES_MAX} files are not looked at")),
        (false, 0) => None,
        (false, n) => Some(format!("some files of scheduled tasks could not be read ({n})")),
    }
}

fn add(system: &dyn System, environment: &Environment, name: &str, task: &Task, list: &mut List) {
    let account = |account: &String| {
        let name = in_english(account).map(str::to_owned).or_else(|| system.account(account));
        (is_system(account) || is_everybody(account), name.unwrap_or_else(|| account.clone()))
    };
    let accounts: Vec<(bool, String)> = task.accounts.iter().map(account).collect();
    let programs: Vec<String> = task.programs.iter().map(|program| environment.program(program)).collect();
    let is_microsofts =
        name.get(..r"\Microsoft\".len()).is_some_and(|start| start.eq_ignore_ascii_case(r"\Microsoft\"));
    if is_microsofts
        && accounts.iter().all(|(is_nobodys, _)| *is_nobodys)
        && programs.iter().all(|program| environment.is_of_windows(program))
    {
        return;
    }
    let names: Vec<&String> = accounts.iter().map(|(_, name)| name).collect();
    let mut starts: Vec<String> = programs.iter().take(NAMED_MAX).cloned().collect();
    starts.extend(task.classes.iter().take(NAMED_MAX).map(|class| format!("the class {class}")));
    let mut detail = vec![if starts.is_empty() {
        "starts nothing that is known".to_owned()
    } else {
        format!("starts {}", starts.join(" and "))
    }];
    detail.extend(task.when.iter().map(|when| (*when).to_owned()));
    let marks = [
        (task.is_elevated, "with all rights of the account"),
        (task.is_hidden, "hidden"),
        (task.is_disabled, "switched off"),
    ];
    detail.extend(marks.iter().filter(|(is, _)| *is).map(|(_, word)| (*word).to_owned()));
    list.add(Holding {
        place: Some("scheduled tasks".to_owned()),
        detail: Some(detail.join(", ")),
        ..List::of(HoldingKind::ScheduledJob, name, &names)
    });
}

/// The system's own accounts, whose names are localised.
fn in_english(sid: &str) -> Option<&'static str> {
    match sid {
        "S-1-5-18" => Some("SYSTEM"),
        "S-1-5-19" => Some("LOCAL SERVICE"),
        "S-1-5-20" => Some("NETWORK SERVICE"),
        _ => None,
    }
}

/// Groups as which a task runs in the session of whoever is signed in: everybody, interactive, authenticated, users,
/// administrators.
fn is_everybody(sid: &str) -> bool {
    matches!(sid, "S-1-1-0" | "S-1-5-4" | "S-1-5-11" | "S-1-5-32-545" | "S-1-5-32-544")
}
