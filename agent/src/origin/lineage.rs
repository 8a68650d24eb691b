//! Who started whom: a bounded table of processes, from the records and, live, from the machine itself.
//!
//! A record names a process and its parent by number, and numbers are used again. So a live table is compared with
//! the machine before it is believed: where the process of that number began after the entry was made, the entry is
//! an earlier process's. Otherwise the records are right, also where the machine shows another program by now: it
//! was started since. A process that ended stays for [`KEPT_FOR`], because its children outlive it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::tools::Tools;
use crate::record::Record;

/// Processes that are remembered; beyond that the one that was seen longest ago is forgotten.
pub const PROCESSES_MAX: usize = 8192;

/// Programs above the parent that are told.
pub const ANCESTORS_MAX: usize = 8;

/// How long a process that showed nothing more is believed, where the machine no longer has it.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// For how long the record of a fork may come after those of the process that it made.
const FORK_LATE: Duration = Duration::from_secs(5);

/// Looks up running processes. Live sensors pass the machine's; a replay passes [`NoProcesses`].
pub trait Processes: Send {
    /// A process, while it runs.
    fn process(&self, pid: u32) -> Option<Running>;

    /// The systemd unit of a process, while it runs.
    fn unit(&self, _pid: u32) -> Option<String> {
        None
    }

    /// Whether what this knows is worth more than what records said before.
    fn is_live(&self) -> bool;
}

/// A process that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its program.
    pub exe: String,
    /// Its parent's number.
    pub parent: u32,
    /// When it began, as the machine's uptime then.
    pub began: Duration,
}

/// Knows no process: what a recording does not say stays unsaid.
#[derive(Clone, Copy, Debug)]
pub struct NoProcesses;

impl Processes for NoProcesses {
    fn process(&self, _pid: u32) -> Option<Running> {
        None
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// What is above a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parentage {
    /// Program of the parent.
    pub parent: Option<Arc<str>>,
    /// Programs above the parent, nearest first.
    pub above: Vec<Arc<str>>,
    /// Numbers of all of them, the parent's first.
    pub pids: Vec<u32>,
    /// The remote-support tool that the process is, or is below of.
    pub tool: Option<String>,
}

#[derive(Clone, Debug)]
struct Known {
    exe: Arc<str>,
    parent: u32,
    /// The tool that it is or is below of; kept when the processes in between have ended.
    tool: Option<String>,
    /// What was above it when its own records came.
    around: Option<Arc<Parentage>>,
    /// Its command line, as its exec told it.
    command: Option<Arc<str>>,
    /// Its fork was recorded: its parent is the one that made it, whoever took it over since.
    forked: bool,
    seen: Duration,
    order: u64,
}

/// The table.
pub(super) struct Lineage {
    processes: Box<dyn Processes>,
    known: HashMap<u32, Known>,
    by_age: BTreeMap<u64, u32>,
    next: u64,
}

impl Lineage {
    pub(super) fn new(processes: Box<dyn Processes>) -> Self {
        Self { processes, known: HashMap::new(), by_age: BTreeMap::new(), next: 0 }
    }

    /// Takes in the process of a call; gives what is above it.
    pub(super) fn learn(
        &mut self,
        call: &Record,
        is_exec: bool,
        tools: &Tools,
        now: Duration,
    ) -> Option<Arc<Parentage>> {
        let (pid, parent) = (call.id("pid")?, call.id("ppid")?);
        let exe = call.spelled("exe").unwrap_or_default();
        let forked = self.known.get(&pid).filter(|known| known.forked);
        let forked = forked
            .filter(|known| known.parent == parent || self.takes_over(parent))
            .map(|known| known.parent);
        let (parent, forked) = (forked.unwrap_or(parent), forked.is_some());
        let same = |known: &&Known| known.parent == parent && (is_exec || *known.exe == *exe);
        let before = self.known.get(&pid).filter(same);
        if let Some(around) = before.and_then(|known| known.around.clone()).filter(|_| !is_exec) {
            // The thousandth open of one process costs no look at the machine.
            return Some(around);
        }
        // An exec below a tool stays below it; another program under a number that was used before does not.
        let kept = before.and_then(|known| known.tool.clone());
        let command = before.filter(|_| !is_exec).and_then(|known| known.command.clone());
        let mut around = self.above(pid, parent, tools, now);
        let own = tools.of_program(&exe).map(|tool| tool.name.clone());
        around.tool = own.or(around.tool).or(kept);
        let around = Arc::new(around);
        let (tool, kept) = (around.tool.clone(), Some(Arc::clone(&around)));
        self.put(
            pid,
            Known { exe: (*exe).into(), parent, tool, around: kept, command, forked, seen: now, order: 0 },
        );
        Some(around)
    }

    /// Keeps the command line that an exec told: later records of the process bear a stale one.
    pub(super) fn starts(&mut self, pid: u32, command: &str) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.command = Some(command.into());
        }
    }

    /// The command line of a process that is known by its program.
    pub(super) fn command_of(&self, pid: u32, exe: &str) -> Option<&str> {
        self.known.get(&pid).filter(|known| *known.exe == *exe)?.command.as_deref()
    }

    /// Takes in that the process of a call made another one.
    pub(super) fn forked(&mut self, call: &Record, child: u32, now: Duration) {
        let Some(parent) = call.id("pid") else { return };
        // Whoever was made may have been faster, and is known by its own records already.
        let is_known = self
            .known
            .get(&child)
            .is_some_and(|known| known.parent == parent && now.saturating_sub(known.seen) < FORK_LATE);
        if let Some(of) = self.known.get(&parent).filter(|_| !is_known) {
            let (exe, tool) = (Arc::clone(&of.exe), of.tool.clone());
            self.put(
                child,
                Known { exe, parent, tool, around: None, command: None, forked: true, seen: now, order: 0 },
            );
        }
    }

    /// Whether a process takes over those whose parent ended: the first one, or a person's service manager.
    fn takes_over(&self, pid: u32) -> bool {
        let is_manager = |known: &Known| known.exe.ends_with("/systemd");
        pid == 1 || self.known.get(&pid).is_some_and(is_manager)
    }

    /// The systemd unit of a running process.
    pub(super) fn unit_of(&self, pid: u32) -> Option<String> {
        self.processes.unit(pid)
    }

    /// Whether the machine itself can be asked.
    pub(super) fn is_live(&self) -> bool {
        self.processes.is_live()
    }

    /// The tool that a process is or is below of, by its number alone.
    pub(super) fn tool_of(&mut self, pid: u32, tools: &Tools, now: Duration) -> Option<String> {
        let known = self.find(pid, tools, now)?;
        if known.tool.is_some() {
            return known.tool;
        }
        self.above(pid, known.parent, tools, now).tool
    }

    fn above(&mut self, pid: u32, parent: u32, tools: &Tools, now: Duration) -> Parentage {
        let mut around = Parentage::default();
        let mut next = parent;
        while next > 0 && next != pid && !around.pids.contains(&next) && around.pids.len() <= ANCESTORS_MAX {
            let Some(known) = self.find(next, tools, now) else { break };
            around.pids.push(next);
            around.tool = around.tool.or(known.tool);
            match around.parent {
                None => around.parent = Some(known.exe),
                Some(_) => around.above.push(known.exe),
            }
            next = known.parent;
        }
        around
    }

    /// What is known of a process: the machine's word while it runs, the records' for a while after.
    fn find(&mut self, pid: u32, tools: &Tools, now: Duration) -> Option<Known> {
        let known = self.known.get(&pid).cloned();
        if !self.processes.is_live() {
            return known;
        }
        match (self.processes.process(pid), known) {
            // Its parent may have ended since, and then the machine names another one.
            (Some(running), Some(known)) if running.began <= known.seen => Some(known),
            (Some(Running { exe, parent, .. }), _) => {
                let tool = tools.of_program(&exe).map(|tool| tool.name.clone());
                let exe = exe.into();
                self.put(
                    pid,
                    Known {
                        exe,
                        parent,
                        tool,
                        around: None,
                        command: None,
                        forked: false,
                        seen: now,
                        order: 0,
                    },
                );
                self.known.get(&pid).cloned()
            }
            (None, known) => known.filter(|known| now.saturating_sub(known.seen) < KEPT_FOR),
        }
    }

    fn put(&mut self, pid: u32, known: Known) {
        let order = self.next;
        self.next = self.next.saturating_add(1);
        let before = self.known.insert(pid, Known { order, ..known });
        before.and_then(|before| self.by_age.remove(&before.order));
        self.by_age.insert(order, pid);
        if self.by_age.len() > PROCESSES_MAX
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number, program, parent, second of the beginning.
    struct Machine(Vec<(u32, &'static str, u32, u64)>);

    impl Processes for Machine {
        fn process(&self, pid: u32) -> Option<Running> {
            let (_, exe, parent, began) = self.0.iter().find(|(own, ..)| *own == pid)?;
            Some(Running { exe: (*exe).to_owned(), parent: *parent, began: Duration::from_secs(*began) })
        }

        fn is_live(&self) -> bool {
            true
        }
    }

    fn call(pid: u32, parent: u32, exe: &str) -> Record {
        let line = format!("type=SYSCALL msg=audit(1.000:1): pid={pid} ppid={parent} exe=\"{exe}\"");
        Record::from_line(line.as_bytes()).unwrap()
    }

    fn learn(lineage: &mut Lineage, pid: u32, parent: u32, exe: &str, at: u64) -> Parentage {
        let now = Duration::from_secs(at);
        static TOOLS: std::sync::OnceLock<Tools> = std::sync::OnceLock::new();
        let tools = TOOLS.get_or_init(Tools::built_in);
        Parentage::clone(&lineage.learn(&call(pid, parent, exe), true, tools, now).unwrap())
    }

    fn texts(programs: &[Arc<str>]) -> Vec<&str> {
        programs.iter().map(|program| &**program).collect()
    }

    #[test]
    fn a_chain_is_told_nearest_first_and_a_tool_above_is_inherited() {
        let mut lineage = Lineage::new(Box::new(NoProcesses));
        learn(&mut lineage, 10, 1, "/usr/bin/rustdesk", 0);
        learn(&mut lineage, 11, 10, "/bin/sh", 0);
        learn(&mut lineage, 12, 11, "/usr/bin/sudo", 0);
        let around = learn(&mut lineage, 13, 12, "/usr/bin/cat", 0);
        assert_eq!(around.parent.as_deref(), Some("/usr/bin/sudo"));
        assert_eq!(texts(&around.above), ["/bin/sh", "/usr/bin/rustdesk"]);
        assert_eq!(around.tool.as_deref(), Some("RustDesk"));
        // Its parent ended, and another process took it over: the tool stays.
        let around = learn(&mut lineage, 13, 1, "/usr/bin/less", 0);
        assert_eq!(around.tool, None, "another parent: the number may be another process's");
        let around = learn(&mut lineage, 14, 13, "/usr/bin/id", 0);
        assert_eq!((around.parent.as_deref(), around.tool), (Some("/usr/bin/less"), None));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_process() {
        let machine = vec![(10, "/usr/sbin/nginx", 1, 3), (20, "/usr/bin/id", 1, 0), (1, "/sbin/init", 0, 0)];
        let mut lineage = Lineage::new(Box::new(Machine(machine)));
        learn(&mut lineage, 20, 1, "/bin/bash", 0);
        let around = learn(&mut lineage, 21, 20, "/usr/bin/mesg", 1);
        assert_eq!(around.parent.as_deref(), Some("/bin/bash"), "it became another program since");
        learn(&mut lineage, 10, 1, "/usr/bin/rustdesk", 2);
        let around = learn(&mut lineage, 11, 10, "/bin/sh", 5);
        assert_eq!(around.parent.as_deref(), Some("/usr/sbin/nginx"));
        assert_eq!((texts(&around.above), around.tool.as_deref()), (vec!["/sbin/init"], None));
    }

    fn fork(lineage: &mut Lineage, pid: u32, child: u32) {
        lineage.forked(&call(pid, 1, "/x"), child, Duration::from_secs(1));
    }

    #[test]
    fn a_process_between_two_programs_may_be_gone_before_anybody_asks() {
        let mut lineage = Lineage::new(Box::new(Machine(vec![(1, "/sbin/init", 0, 0)])));
        learn(&mut lineage, 10, 1, "/usr/bin/rustdesk", 1);
        fork(&mut lineage, 10, 11);
        fork(&mut lineage, 11, 12);
        // Its parent ended, and the first process took it over.
        let around = learn(&mut lineage, 12, 1, "/bin/sh", 2);
        assert_eq!(texts(&around.above), ["/usr/bin/rustdesk", "/sbin/init"]);
        assert_eq!(
            (around.parent.as_deref(), around.tool.as_deref()),
            (Some("/usr/bin/rustdesk"), Some("RustDesk"))
        );
        assert_eq!(learn(&mut lineage, 12, 1, "/usr/bin/id", 3).tool.as_deref(), Some("RustDesk"));
        // The record of a fork that comes after the exec of what it made changes nothing.
        learn(&mut lineage, 13, 12, "/usr/bin/cat", 3);
        fork(&mut lineage, 12, 13);
        assert_eq!(learn(&mut lineage, 14, 13, "/bin/x", 3).parent.as_deref(), Some("/usr/bin/cat"));
        // A number that was used again, by another parent, is another process.
        assert_eq!(learn(&mut lineage, 12, 77, "/bin/sh", 4).tool, None);
    }

    #[test]
    fn a_process_that_ended_is_believed_for_a_while() {
        let mut lineage = Lineage::new(Box::new(Machine(Vec::new())));
        learn(&mut lineage, 10, 1, "/usr/bin/anydesk", 0);
        assert_eq!(learn(&mut lineage, 11, 10, "/bin/sh", 599).tool.as_deref(), Some("AnyDesk"));
        assert_eq!(learn(&mut lineage, 12, 10, "/bin/sh", 600).tool, None);
    }

    #[test]
    fn the_table_is_bounded_and_a_circle_has_an_end() {
        let mut lineage = Lineage::new(Box::new(NoProcesses));
        learn(&mut lineage, 7, 8, "/a", 0);
        learn(&mut lineage, 8, 7, "/b", 0);
        assert_eq!(learn(&mut lineage, 9, 8, "/c", 0).pids, [8, 7]);
        for pid in 0..20_000 {
            learn(&mut lineage, pid + 10, pid + 9, "/x", 0);
        }
        assert_eq!((lineage.known.len(), lineage.by_age.len()), (PROCESSES_MAX, PROCESSES_MAX));
        let around = learn(&mut lineage, 30_000, 20_000, "/y", 0);
        assert_eq!(around.above.len(), ANCESTORS_MAX);
    }
}
