//! Running processes by number, for the table of who started whom.

use std::time::Duration;

use crate::origin::{Processes, Running};

/// Looks up processes in /proc.
#[derive(Clone, Copy, Debug)]
pub struct RunningProcesses;

impl Processes for RunningProcesses {
    fn process(&self, pid: u32) -> Option<Running> {
        let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let (parent, began) =
            parent_and_beginning(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        Some(Running { exe: exe.to_string_lossy().into_owned(), parent, began })
    }

    fn unit(&self, pid: u32) -> Option<String> {
        unit_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// `PID (NAME) STATE PPID ... STARTTIME ...`; the name may hold spaces and brackets.
fn parent_and_beginning(stat: &str) -> Option<(u32, Duration)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace().skip(1);
    let parent = words.next()?.parse().ok()?;
    let ticks: u64 = words.nth(17)?.parse().ok()?;
    let began = ticks.saturating_mul(1000).checked_div(rustix::param::clock_ticks_per_second())?;
    Some((parent, Duration::from_millis(began)))
}

/// The systemd unit of a control group; none where there is no systemd. `0::/system.slice/apt-daily.service`: the last part that is a service or a scope.
fn unit_in(cgroups: &str) -> Option<String> {
    let path =
        cgroups.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find(|path| path.contains(".slice"))?;
    let is_unit = |part: &&str| part.ends_with(".service") || part.ends_with(".scope");
    path.rsplit('/').find(is_unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_a_program_and_a_parent() {
        let own = RunningProcesses.process(std::process::id()).unwrap();
        assert!(own.exe.contains("ntk_agent") && own.parent > 0, "{own:?}");
        let uptime = Duration::from_secs(sysinfo::System::uptime().unwrap());
        assert!(own.began.abs_diff(uptime) < Duration::from_secs(600), "{own:?} {uptime:?}");
        assert_eq!(RunningProcesses.process(u32::MAX - 7), None);
        let stat = "12 (a) b) S 7 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 250 1 2";
        assert_eq!(parent_and_beginning(stat), Some((7, Duration::from_millis(2500))));
        assert_eq!(parent_and_beginning("12 (a) S 7"), None);
    }

    #[test]
    fn a_unit_is_named_by_its_control_group() {
        assert_eq!(unit_in("0::/system.slice/apt-daily.service\n").as_deref(), Some("apt-daily.service"));
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n";
        assert_eq!(unit_in(user).as_deref(), Some("x.scope"));
        assert_eq!(
            unit_in("1:name=systemd:/system.slice/run-u7.service\n").as_deref(),
            Some("run-u7.service")
        );
        assert_eq!(unit_in("0::/\n"), None);
    }
}
