//! Sealed mode against a kernel of the test's own: a real one that is locked stays so until the machine boots.

use std::collections::VecDeque;
use std::io;

use rustix::io::Errno;

use super::super::hold::Hold;
use super::super::netlink::{GET_FEATURE, Kernel, SET_FEATURE};
use super::super::rules::Rule;
use super::super::seal::{self, Seal};
use super::super::status::{LOCKED, Lock, MASK_BACKLOG_LIMIT, MASK_BACKLOG_WAIT, MASK_PID};
use super::*;

/// What one request does, apart from what the kernel would do.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Refused, and nothing is done.
    NotDone,
    /// Done, but the answer is that it was not.
    DoneThoughRefused,
}

#[derive(Default)]
struct Inside {
    state: KernelState,
    /// Features and their lock.
    features: (u32, u32),
    rules: Vec<Rule>,
    /// Requests for a change that came, by their word.
    asked: Vec<&'static str>,
    /// Faults of the next requests that would lock something.
    faults: VecDeque<Fault>,
    /// The request that fails, counted from now.
    fails_at: Option<(usize, Fault)>,
}

/// Kernel audit as kernel/audit.c does it, as far as a hold asks for it.
#[derive(Clone, Default)]
struct Machine(Arc<Mutex<Inside>>);

impl Machine {
    fn new() -> Self {
        let machine = Self::default();
        machine.0.lock().unwrap().state = KernelState { backlog_limit: 64, ..KernelState::default() };
        machine
    }

    fn take(&self, watches: &WatchList, practice: &Practice) -> Hold {
        let kernel = Box::new(self.clone());
        let file = practice.config().state_file;
        let (hold, _) = Hold::take_from(kernel, watches, Some("/canary"), &file, "boot").unwrap();
        hold
    }

    /// As the sensor does it: taken, then sealed.
    fn take_and_seal(&self, watches: &WatchList, practice: &Practice) -> Hold {
        let mut hold = self.take(watches, practice);
        hold.seal = Seal::new(true);
        hold.seal();
        hold
    }

    fn lock(&self) -> Lock {
        seal::lock_of(&mut self.clone()).unwrap()
    }

    fn forget_what_was_asked(&self) {
        self.0.lock().unwrap().asked.clear();
    }

    fn asked(&self) -> Vec<&'static str> {
        let mut asked = self.0.lock().unwrap().asked.clone();
        asked.dedup();
        asked
    }

    fn rules(&self) -> Vec<Rule> {
        self.0.lock().unwrap().rules.clone()
    }
}

fn words<const N: usize>(payload: &[u8]) -> [u32; N] {
    std::array::from_fn(|nth| u32::from_ne_bytes(payload[nth * 4..nth * 4 + 4].try_into().unwrap()))
}

impl Inside {
    fn change(&mut self, kind: u16, payload: &[u8]) -> Result<(), Errno> {
        let is_locked = self.state.enabled == LOCKED;
        match kind {
            ADD_RULE | DEL_RULE => {
                self.asked.push(if kind == ADD_RULE { "add" } else { "remove" });
                let rule = Rule::from_bytes(payload.to_vec());
                let is_there = self.rules.contains(&rule);
                match (is_locked, kind == ADD_RULE, is_there) {
                    (true, ..) => return Err(Errno::PERM),
                    (false, true, true) => return Err(Errno::EXIST),
                    (false, true, false) => self.rules.push(rule),
                    (false, false, true) => self.rules.retain(|other| *other != rule),
                    (false, false, false) => return Err(Errno::NOENT),
                }
            }
            SET => {
                let [mask, enabled, _, owner, _, limit, .., wait, _] = words::<11>(payload);
                if mask & MASK_PID != 0 {
                    self.asked.push(if owner == 0 { "no owner" } else { "owner" });
                    self.state.owner_pid = owner;
                }
                if mask & MASK_ENABLED != 0 {
                    self.asked.push(["off", "on", "locked"][enabled as usize]);
                    if is_locked {
                        return Err(Errno::PERM);
                    }
                    self.state.enabled = enabled;
                }
                if mask & (MASK_BACKLOG_LIMIT | MASK_BACKLOG_WAIT) != 0 {
                    self.asked.push("backlog");
                    if is_locked {
                        return Err(Errno::PERM);
                    }
                    (self.state.backlog_limit, self.state.backlog_wait_time) = (limit, wait);
                }
            }
            SET_FEATURE => {
                self.asked.push("features");
                let [version, mask, features, lock] = words::<4>(payload);
                assert_eq!(version, 1);
                if self.features.1 & mask & (self.features.0 ^ features) != 0 {
                    return Err(Errno::PERM);
                }
                self.features.0 = self.features.0 & !mask | features & mask;
                self.features.1 |= lock & mask;
            }
            _ => return Err(Errno::INVAL),
        }
        Ok(())
    }
}

impl Kernel for Machine {
    fn request(&mut self, kind: u16, payload: &[u8]) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        let locks = kind == SET_FEATURE || kind == SET && words::<2>(payload) == [MASK_ENABLED, LOCKED];
        let due = inside.fails_at.filter(|(left, _)| *left == 0).map(|(_, fault)| fault);
        inside.fails_at = inside.fails_at.and_then(|(left, fault)| Some((left.checked_sub(1)?, fault)));
        let fault = if locks { inside.faults.pop_front() } else { due };
        if fault == Some(Fault::NotDone) {
            return Err(Errno::NOBUFS.into());
        }
        inside.change(kind, payload)?;
        if fault.is_some() { Err(Errno::NOBUFS.into()) } else { Ok(()) }
    }

    fn ask(&mut self, kind: u16) -> io::Result<Vec<u8>> {
        let inside = self.0.lock().unwrap();
        match kind {
            GET => Ok(inside.state.change(0)),
            GET_FEATURE => Ok([1, 7, inside.features.0, inside.features.1]
                .into_iter()
                .flat_map(u32::to_ne_bytes)
                .collect()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn ask_all(&mut self, _kind: u16) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.rules().iter().map(|rule| rule.bytes().to_vec()).collect())
    }

    fn owner(&mut self, change: &[u8]) -> io::Result<AuditSocket> {
        self.request(SET, change)?;
        AuditSocket::deaf()
    }

    fn listener(&mut self) -> io::Result<AuditSocket> {
        AuditSocket::deaf()
    }
}

fn watches(practice: &Practice, more: &[&str]) -> WatchList {
    let mut watches: Vec<crate::watch_list::Watch> =
        more.iter().map(|name| format!("{}=hr", practice.path(name)).parse().unwrap()).collect();
    watches.push(format!("{}=export:anna", practice.path("sub")).parse().unwrap());
    WatchList::new(watches).unwrap().lasting()
}

#[test]
fn rules_come_before_the_lock_and_stay_as_they_are_whoever_starts_next() {
    let (machine, practice) = (Machine::new(), Practice::new());
    let watches = watches(&practice, &[]);
    let mut hold = machine.take_and_seal(&watches, &practice);
    assert_eq!(machine.asked(), ["owner", "backlog", "on", "add", "features", "locked"]);
    assert_eq!(machine.lock(), Lock::Sealed);
    assert_eq!((hold.cannot_see(), hold.sees_files()), (Vec::new(), true));
    let rules = machine.rules();
    assert_eq!(hold.look().unwrap().status.lock.word(), Some("sealed"));
    machine.forget_what_was_asked();
    hold.give_back();
    assert_eq!(machine.asked(), ["no owner"], "nothing is tried that would be refused and recorded");
    assert!(practice.config().state_file.exists(), "it says what was there before, until the machine boots");
    // Another start, after a stop or a kill: owner of the records, and everything in force.
    for _ in 0..2 {
        machine.forget_what_was_asked();
        let mut hold = machine.take_and_seal(&watches, &practice);
        assert_eq!(machine.asked(), ["owner"]);
        let look = hold.look().unwrap();
        assert_eq!((look.n_missing, look.status.owner_pid), (0, std::process::id()));
        assert_eq!((hold.cannot_see(), hold.sees_files()), (Vec::new(), true));
        std::mem::forget(hold);
        assert_eq!(machine.rules(), rules);
    }
}

#[test]
fn what_is_watched_later_is_said_to_wait_for_the_next_boot() {
    let (machine, practice) = (Machine::new(), Practice::new());
    drop(machine.take_and_seal(&watches(&practice, &[]), &practice));
    let rules = machine.rules();
    machine.forget_what_was_asked();
    // In front of the old one: places in the list are others now.
    let list = watches(&practice, &["secret"]);
    let mut hold = machine.take_and_seal(&list, &practice);
    let sentence = |name: &str| {
        format!(
            "kernel audit does not record what happens in {} until the machine boots again: its rules are locked",
            practice.path(name)
        )
    };
    assert_eq!(hold.cannot_see(), [sentence("secret")]);
    assert!(!hold.sees_files(), "so the next rung stands in");
    assert!(!hold.may_add_more(), "and nothing is tried again and again");
    assert!(!hold.follow(1, list.at(1).unwrap(), &practice.path("week.csv")));
    assert_eq!(hold.cannot_see(), [sentence("secret"), sentence("week.csv")]);
    hold.add_rules();
    drop(hold);
    assert_eq!(machine.asked(), ["owner", "no owner"]);
    assert_eq!(machine.rules(), rules);
}

#[test]
fn each_step_of_sealing_may_fail_and_the_next_start_goes_on_from_there() {
    use Fault::{DoneThoughRefused, NotDone};
    // Which request fails, how, and what is locked afterwards.
    for (n_before, fault, lock) in [
        (0, NotDone, Lock::Nothing),
        (0, DoneThoughRefused, Lock::LoginUids),
        (1, NotDone, Lock::LoginUids),
        (1, DoneThoughRefused, Lock::Sealed),
    ] {
        let (machine, practice) = (Machine::new(), Practice::new());
        let list = watches(&practice, &[]);
        let mut hold = machine.take(&list, &practice);
        if n_before == 1 {
            // The first step was done by a start that ended there.
            let mut kernel = machine.clone();
            kernel.request(SET_FEATURE, &[1, 2, 2, 2].map(u32::to_ne_bytes).concat()).unwrap();
        }
        machine.0.lock().unwrap().faults.push_back(fault);
        hold.seal = Seal::new(true);
        hold.seal();
        assert_eq!(machine.lock(), lock);
        let sentences = hold.cannot_see();
        assert!(sentences[0].starts_with("this machine is not sealed, though its configuration asks for it"));
        assert_eq!(hold.look().unwrap().n_missing, 0, "the recording goes on");
        drop(hold);
        let hold = machine.take_and_seal(&list, &practice);
        assert_eq!((machine.lock(), hold.cannot_see()), (Lock::Sealed, Vec::new()));
        std::mem::forget(hold);
    }
}

#[test]
fn a_kernel_that_belongs_to_another_process_is_not_locked() {
    let (machine, practice) = (Machine::new(), Practice::new());
    // A process that lives and is not this one.
    machine.0.lock().unwrap().state.owner_pid = 1;
    machine.0.lock().unwrap().state.enabled = 1;
    let hold = machine.take_and_seal(&watches(&practice, &[]), &practice);
    assert_eq!(machine.lock(), Lock::Nothing);
    assert!(hold.cannot_see()[0].contains("kernel audit belongs to another process"));
}

#[test]
fn without_sealing_everything_is_put_back_and_a_strangers_lock_is_lived_with() {
    let (machine, practice) = (Machine::new(), Practice::new());
    let list = watches(&practice, &[]);
    drop(machine.take(&list, &practice));
    let inside = |machine: &Machine| {
        let inside = machine.0.lock().unwrap();
        (inside.rules.len(), inside.state.enabled, inside.state.backlog_limit)
    };
    assert_eq!(inside(&machine), (0, 0, 64));
    assert!(!practice.config().state_file.exists());
    // Somebody else locks while the agent runs: it learns of it by looking.
    let mut hold = machine.take(&list, &practice);
    machine
        .clone()
        .request(SET, &KernelState { enabled: 2, ..Default::default() }.change(MASK_ENABLED))
        .unwrap();
    assert_eq!(hold.look().unwrap().status.lock.word(), Some("rules"));
    machine.forget_what_was_asked();
    drop(hold);
    assert_eq!(machine.asked(), ["no owner"]);
}

#[test]
fn what_a_killed_agent_left_is_put_back_from_outside_and_each_step_may_fail() {
    let left = || {
        let (machine, practice) = (Machine::new(), Practice::new());
        let hold = machine.take(&watches(&practice, &[]), &practice);
        std::mem::forget(hold);
        let n_rules = machine.rules().len();
        (machine, practice, n_rules)
    };
    let put_back = |machine: &Machine, practice: &Practice, boot: &str| {
        put_back::put_back_in(&mut machine.clone(), &practice.config().state_file, boot)
    };
    let is_as_before = |machine: &Machine, practice: &Practice| {
        let inside = machine.0.lock().unwrap();
        assert_eq!((inside.rules.len(), inside.state.enabled, inside.state.backlog_limit), (0, 0, 64));
        assert!(!practice.config().state_file.exists());
    };
    let (machine, practice, n_rules) = left();
    assert_eq!(put_back(&machine, &practice, "another boot").unwrap(), PutBack::NothingLeft);
    assert_eq!(machine.rules().len(), n_rules);
    // It lives: process 1 does, and is not this one.
    let file = practice.config().state_file;
    let before = state_file::read(&file).unwrap();
    state_file::write(&file, &state_file::Before { agent_pid: 1, ..before.clone() }).unwrap();
    machine.0.lock().unwrap().state.owner_pid = 1;
    assert_eq!(put_back(&machine, &practice, "boot").unwrap(), PutBack::Running(1));
    assert_eq!(machine.rules().len(), n_rules);
    state_file::write(&file, &before).unwrap();
    // Another owner: our rules go, its state stays.
    assert_eq!(put_back(&machine, &practice, "boot").unwrap(), PutBack::Done);
    let inside = |machine: &Machine| (machine.rules().len(), machine.0.lock().unwrap().state.enabled);
    assert_eq!(inside(&machine), (0, 1));
    // Alone: everything is as before, wherever a step failed.
    let n_steps = n_rules + 2;
    for (nth, fault) in (0..n_steps).flat_map(|nth| [(nth, Fault::NotDone), (nth, Fault::DoneThoughRefused)])
    {
        let (machine, practice, _) = left();
        machine.0.lock().unwrap().state.owner_pid = 0;
        machine.0.lock().unwrap().fails_at = Some((nth, fault));
        assert!(put_back(&machine, &practice, "boot").is_err(), "step {nth}");
        assert_eq!(put_back(&machine, &practice, "boot").unwrap(), PutBack::Done);
        is_as_before(&machine, &practice);
    }
    // Sealed: nothing is tried.
    let (machine, practice, n_rules) = left();
    machine.0.lock().unwrap().state.owner_pid = 0;
    machine.0.lock().unwrap().state.enabled = LOCKED;
    machine.forget_what_was_asked();
    assert_eq!(put_back(&machine, &practice, "boot").unwrap(), PutBack::Locked);
    assert_eq!((machine.asked(), machine.rules().len()), (Vec::new(), n_rules));
}

#[test]
fn live_what_a_killed_agent_left_is_put_back_from_outside() {
    let Some(_turn) = turn("live_what_a_killed_agent_left_is_put_back_from_outside") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut child = hold_in_another_process(&practice);
    let file = practice.config().state_file;
    assert_eq!(put_back(&file).unwrap(), PutBack::Running(child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(snapshot().rules.len() > before.rules.len());
    assert_eq!(put_back(&file).unwrap(), PutBack::Done);
    assert_eq!(snapshot(), before);
    assert_eq!(put_back(&file).unwrap(), PutBack::NothingLeft);
}

#[test]
fn rules_that_outlast_the_agent_name_no_process() {
    let own = std::process::id().to_ne_bytes();
    let names_it = |rules: Vec<(rules::Purpose, Rule)>| {
        // Numbers of fields: after the filter, the action, the count, the calls and the fields.
        let values = 12 + 64 * 4 + 64 * 4..12 + 64 * 4 + 64 * 8;
        rules
            .iter()
            .filter(|(_, rule)| rule.bytes()[values.clone()].chunks(4).any(|word| word == own))
            .count()
    };
    assert!(names_it(rules::standing_rules(std::process::id())) > 0);
    assert_eq!(names_it(rules::lasting_standing_rules()), 0);
}

#[test]
fn live_rules_that_outlast_the_agent_are_taken_by_the_kernel_and_show_signals_to_whoever_it_is() {
    let Some(_turn) = turn("live_rules_that_outlast_the_agent_are_taken_by_the_kernel") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let file = practice.config().state_file;
    let canary = practice.path("week.csv");
    let list = watches(&practice, &["secret"]);
    let (mut hold, mut socket) = Hold::take(&list, Some(&canary), &file, &host::boot_id()).unwrap();
    let (missing, cannot_see) = (hold.look().unwrap().n_missing, hold.cannot_see());
    // To a process that is not this one: a signal that ends it, and a question whether it is there, which makes no record.
    let asked = root_person("sleep 60 & kill -0 $!; kill -TERM $!; wait; true");
    let mut records = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    let is_signal = |record: &String| record.contains("key=\"ntk-signal\"");
    while Instant::now() < deadline
        && !records.iter().any(|record| is_signal(record) && record.contains("a1=f "))
    {
        if let Ok(netlink::Received::Message(_, payload)) = socket.receive() {
            records.push(String::from_utf8_lossy(&payload).into_owned());
        }
    }
    drop(hold);
    assert_eq!(snapshot(), before);
    assert_eq!((missing, cannot_see), (0, Vec::new()));
    let signals: Vec<&String> = records.iter().filter(|record| is_signal(record)).collect();
    assert!(signals.iter().any(|record| record.contains("a1=f ")), "{asked} {records:#?}");
    assert!(!signals.iter().any(|record| record.contains("a1=0 ")), "{signals:#?}");
}
