//! Running processes by number, for the table of who started whom.

use crate::origin::Processes;

/// Looks up processes in /proc.
#[derive(Clone, Copy, Debug)]
pub struct RunningProcesses;

impl Processes for RunningProcesses {
    fn process(&self, pid: u32) -> Option<(String, u32)> {
        let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((exe.to_string_lossy().into_owned(), parent_of(&stat)?))
    }

    fn unit(&self, pid: u32) -> Option<String> {
        unit_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// `PID (NAME) STATE PPID ...`; the name may hold spaces and brackets.
fn parent_of(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
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
        let (exe, parent) = RunningProcesses.process(std::process::id()).unwrap();
        assert!(exe.contains("ntk_agent") && parent > 0, "{exe} {parent}");
        assert_eq!(RunningProcesses.process(u32::MAX - 7), None);
        assert_eq!(parent_of("12 (a) b) S 7 12 12"), Some(7));
        assert_eq!(parent_of("12 (a"), None);
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
