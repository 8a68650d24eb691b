//! The processes around an access, asked for while they live and remembered for a moment.

use std::collections::HashMap;
use std::time::Duration;

use super::processes_around;

/// How many processes are remembered; more are asked for again.
const REMEMBERED_MAX: usize = 4096;
/// For how long: numbers of processes are used again, and a run of one program is over by then.
const REMEMBERED_FOR: Duration = Duration::from_secs(2);

/// Programs of parent processes, by the number of the child.
#[derive(Debug, Default)]
pub struct Surroundings {
    parents: HashMap<u32, Option<String>>,
    since: Duration,
}

impl Surroundings {
    /// The program of the parent of this process, if both still live; `now` is the machine's uptime.
    pub fn parent_of(&mut self, pid: u32, now: Duration) -> Option<String> {
        if now.saturating_sub(self.since) >= REMEMBERED_FOR || self.parents.len() >= REMEMBERED_MAX {
            self.parents.clear();
            self.since = now;
        }
        let ask = || processes_around(pid).into_iter().nth(1).and_then(|parent| parent.exe);
        self.parents.entry(pid).or_insert_with(ask).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_a_parent_and_an_ended_one_has_none() {
        let mut around = Surroundings::default();
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let parent = around.parent_of(child.id(), Duration::ZERO);
        assert!(parent.is_some_and(|exe| exe.contains("ntk_agent")));
        let pid = child.id();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(around.parent_of(pid, Duration::from_secs(1)).is_some(), "remembered for a moment");
        assert_eq!(around.parent_of(pid, Duration::from_secs(60)), None);
    }
}
