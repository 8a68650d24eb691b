//! Processes that are older than audit on Linux. The kernel makes no records of what they do: it prepares a process for that when
//! it begins, and only once audit was on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::whole_file::{Files, Readable};

/// Names that are told.
const NAMES_MAX: usize = 32;
/// `sysconf(_SC_CLK_TCK)`: the kernel's ticks for programs, on every architecture that we know of.
const TICKS_PER_SECOND: u64 = 100;

/// When an agent first ran in this boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct First {
    boot_id: String,
    uptime_ms: u64,
}

/// What is known of the processes that were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Older {
    /// Whether the kernel was started with audit on; none where that is no question.
    pub audit_at_boot: Option<bool>,
    /// How many may be older than audit; none where that is no question.
    pub n: Option<u64>,
    /// The names of some of their programs, sorted, each once.
    pub names: Vec<String>,
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join("first-run.json")
}

/// Keeps when an agent first ran in this boot; told again, it stays as it is. What cannot be kept is counted from this
/// start on.
pub fn begin(dir: &Path, boot_id: &str, uptime_ms: u64, files: &dyn Files) {
    let known = read(dir).is_some_and(|first| first.boot_id == boot_id);
    if !known && let Ok(text) = serde_json::to_vec(&First { boot_id: boot_id.to_owned(), uptime_ms }) {
        let _ = files.replace(&path_in(dir), &text, Readable::ByOwner);
    }
}

fn read(dir: &Path) -> Option<First> {
    serde_json::from_slice(&std::fs::read(path_in(dir)).ok()?).ok()
}

/// Looks at the processes of this machine. `uptime_ms` is now: where nothing was kept, every process counts.
pub fn older(dir: &Path, boot_id: &str, uptime_ms: u64) -> Older {
    // Windows asks at every open whether it is to be recorded, whoever opens.
    if cfg!(windows) {
        return Older::default();
    }
    let command_line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    if is_on_at_boot(&command_line) {
        return Older { audit_at_boot: Some(true), n: Some(0), names: Vec::new() };
    }
    let first = read(dir).filter(|first| first.boot_id == boot_id).map_or(uptime_ms, |first| first.uptime_ms);
    let mut found = Older { audit_at_boot: Some(false), ..Older::default() };
    let mut n = 0u64;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((name, _)) = parse(&stat).filter(|(_, began)| *began < first) else { continue };
        n = n.saturating_add(1);
        if !found.names.contains(&name) && found.names.len() < NAMES_MAX {
            found.names.push(name);
        }
    }
    found.names.sort();
    found.n = Some(n);
    found
}

/// Whether the kernel's command line switches audit on (kernel-parameters: `audit=1` or `audit=on`).
fn is_on_at_boot(command_line: &str) -> bool {
    let last = command_line.split_whitespace().filter_map(|word| word.strip_prefix("audit=")).next_back();
    matches!(last, Some("1" | "on"))
}

/// Name and begin (milliseconds since boot) of a line of `/proc/PID/stat` (proc(5)); none for a thread of the kernel.
fn parse(stat: &str) -> Option<(String, u64)> {
    /// `PF_KTHREAD` of the kernel's flags.
    const OF_KERNEL: u64 = 0x0020_0000;
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_whitespace();
    let flags: u64 = fields.nth(6)?.parse().ok()?;
    let began: u64 = fields.nth(12)?.parse().ok()?;
    (flags & OF_KERNEL == 0).then(|| (name, began.saturating_mul(1000 / TICKS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole_file::RealFiles;

    #[test]
    fn a_process_is_known_by_its_line_and_threads_of_the_kernel_are_left_out() {
        let line = "1234 (a (b) c) S 1 1234 1234 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 5678 1000 10 0";
        assert_eq!(parse(line), Some(("a (b) c".to_owned(), 56_780)));
        let kernel = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0";
        assert_eq!(parse(kernel), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_last_word_of_the_command_line_counts() {
        assert!(is_on_at_boot("ro quiet audit=1 audit_backlog_limit=8192"));
        assert!(is_on_at_boot("audit=0 audit=on"));
        assert!(!is_on_at_boot("audit=1 audit=0"));
        assert!(!is_on_at_boot("ro audit_backlog_limit=8192"));
    }

    #[test]
    fn the_first_run_of_a_boot_is_kept_and_another_boot_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        begin(dir.path(), "a", 100, &RealFiles);
        begin(dir.path(), "a", 900, &RealFiles);
        assert_eq!(read(dir.path()).unwrap().uptime_ms, 100);
        begin(dir.path(), "b", 50, &RealFiles);
        assert_eq!(read(dir.path()), Some(First { boot_id: "b".into(), uptime_ms: 50 }));
        // Nothing on this machine is older than its boot; everything is older than the end of time.
        let all = older(dir.path(), "c", u64::MAX);
        assert!(all.n > Some(0) || all.audit_at_boot == Some(true));
    }
}
