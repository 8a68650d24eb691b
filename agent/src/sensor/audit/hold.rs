//! Taking kernel audit over, and giving it back exactly as it was.
//!
//! 1. look: who owns it, what state, which rules;
//! 2. clean up what an earlier agent left when it was killed;
//! 3. write the state before us to disk;
//! 4. become the owner, then add our rules. Where another process owns it, listen beside it and add our rules:
//!    whoever may control audit may do that, owner or not. State and limits are then the owner's business.
//!
//! Giving back goes the other way. Other people's rules and another owner are never touched.
//!
//! A kernel that is locked ([`super::seal`]) is asked for nothing but its records: no rule is added or removed in it, not at
//! the start and not at the end, because each try would be refused and recorded. What is missing is said.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::netlink::{ADD_RULE, AuditSocket, DEL_RULE, GET, Kernel, LIST_RULES, SET};
use super::rules::{
    Purpose, Rule, canary_rule, lasting_standing_rules, lasting_watch_rules, standing_rules, watch_rules,
};
use super::seal::{self, Seal};
use super::state_file::{self, Before, hex, unhex};
use super::status::{
    AuditStatus, KernelState, LOCKED, MASK_BACKLOG_LIMIT, MASK_BACKLOG_WAIT, MASK_ENABLED, MASK_PID,
};
use crate::watch_list::{Watch, WatchList};

/// Records that may wait in the kernel.
const BACKLOG_LIMIT: u32 = 8192;

/// How long a caller is held up when the backlog is full, in the kernel's ticks: 15 to 60 ms. Long enough for a reader
/// that keeps up, and short enough that one that hangs does not hold up the machine.
const BACKLOG_WAIT: u32 = 15;

/// Further paths that lead to watched files, which are watched, too.
const FOLLOWED_MAX: usize = 512;

/// Kernel audit cannot be had; the reason is a sentence for a person.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// Why.
    pub reason: String,
}

impl Unavailable {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// A rule that we want, and the path that it is about.
struct Wanted {
    purpose: Purpose,
    path: String,
    rule: Rule,
}

fn wanted_of(place: usize, watch: &Watch, path: &str, is_lasting: bool) -> Vec<Wanted> {
    let is_folder = !Path::new(path).is_file() && (watch.is_asset() || Path::new(path).is_dir());
    let rules = if is_lasting {
        lasting_watch_rules(watch, path, is_folder)
    } else {
        watch_rules(place, watch, path, is_folder)
    };
    rules.into_iter().map(|(purpose, rule)| Wanted { purpose, path: path.to_owned(), rule }).collect()
}

/// How the records come to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The kernel sends them to this process, and waits for it.
    Owner,
    /// The kernel sends them to another process, and lets this one hear them.
    Listener,
}

/// Kernel audit in our hands.
pub(super) struct Hold {
    role: Role,
    boot_id: String,
    pub(super) control: Box<dyn Kernel>,
    before: KernelState,
    state_file: PathBuf,
    wanted: Vec<Wanted>,
    refused: Vec<usize>,
    /// Rules that were there before us: somebody else's, though they are the same.
    foreign: Vec<usize>,
    n_added: usize,
    given_back: bool,
    /// Rules bear no mark of this process and this list, because they outlast both.
    is_lasting: bool,
    /// The kernel takes no change of rules and state until it boots.
    pub(super) locked: bool,
    pub(super) seal: Seal,
}

/// Whether the kernel takes no change of rules and state until it boots.
pub(super) fn is_locked() -> bool {
    AuditSocket::open().and_then(|mut socket| state(&mut socket)).is_ok_and(|state| state.enabled == LOCKED)
}

impl Hold {
    /// Takes over. The second value is the socket that the kernel sends the records to.
    pub(super) fn take(
        watches: &WatchList,
        canary: Option<&str>,
        state_file: &Path,
        boot_id: &str,
    ) -> Result<(Self, AuditSocket), Unavailable> {
        let control = AuditSocket::open().map_err(|error| refusal(&error))?;
        Self::take_from(Box::new(control), watches, canary, state_file, boot_id)
    }

    pub(super) fn take_from(
        mut control: Box<dyn Kernel>,
        watches: &WatchList,
        canary: Option<&str>,
        state_file: &Path,
        boot_id: &str,
    ) -> Result<(Self, AuditSocket), Unavailable> {
        let mut before = state(control.as_mut()).map_err(|error| refusal(&error))?;
        let locked = before.enabled == LOCKED;
        let other = another(before.owner_pid);
        if let Some(left) = state_file::read(state_file).filter(|left| left.boot_id == boot_id) {
            // An earlier agent was killed: its rules go, and the state before *it* is the one to restore.
            let left_rules = left.rules.iter().filter_map(|rule| unhex(rule)).map(Rule::from_bytes);
            for rule in left_rules.filter(|_| !locked) {
                let _ = control.request(DEL_RULE, rule.bytes());
            }
            before = KernelState { lost: before.lost, ..left.state };
        }
        before.owner_pid = 0;
        let is_lasting = watches.is_lasting();
        let mut wanted = Vec::new();
        for (place, watch) in watches.iter().enumerate() {
            wanted.extend(wanted_of(place, watch, &watch.path, is_lasting));
        }
        let standing = if is_lasting { lasting_standing_rules() } else { standing_rules(std::process::id()) };
        let standing = standing.into_iter().chain(canary.map(canary_rule));
        wanted.extend(standing.map(|(purpose, rule)| Wanted { purpose, path: String::new(), rule }));
        let (state_file, boot_id) = (state_file.to_owned(), boot_id.to_owned());
        let role = if other { Role::Listener } else { Role::Owner };
        let mut hold = Self {
            role,
            boot_id,
            control,
            before,
            state_file,
            wanted,
            refused: Vec::new(),
            foreign: Vec::new(),
            n_added: 0,
            given_back: false,
            is_lasting,
            locked,
            seal: Seal::default(),
        };
        let listed = hold.list().unwrap_or_default();
        let is_there = |(_, wanted): &(usize, &Wanted)| listed.iter().any(|other| same(other, &wanted.rule));
        hold.foreign = hold.wanted.iter().enumerate().filter(is_there).map(|(nth, _)| nth).collect();
        hold.save().map_err(|error| {
            hold.given_back = true;
            Unavailable::because(format!(
                "the audit state before this agent could not be saved ({error}), so nothing was changed; check the agent's folder"
            ))
        })?;
        let socket =
            if other { hold.listen() } else { hold.become_owner().or_else(|error| hold.instead(error)) };
        match socket {
            Ok(socket) => {
                hold.add_rules();
                Ok((hold, socket))
            }
            Err(error) => {
                hold.give_back();
                Err(refusal(&error))
            }
        }
    }

    /// Another process was faster: it is listened to.
    fn instead(&mut self, error: io::Error) -> io::Result<AuditSocket> {
        if error.kind() == io::ErrorKind::AlreadyExists { self.listen() } else { Err(error) }
    }

    fn save(&self) -> io::Result<()> {
        if self.locked {
            // Nothing is changed, so what an earlier start wrote stays what is true.
            return Ok(());
        }
        let rules = self.own_rules().map(|rule| hex(rule.bytes())).collect();
        let agent_pid = std::process::id();
        let saved = Before { boot_id: self.boot_id.clone(), agent_pid, state: self.before, rules };
        state_file::write(&self.state_file, &saved)
    }

    fn own_rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.wanted.iter().enumerate().filter(|(nth, _)| !self.foreign.contains(nth));
        own.map(|(_, wanted)| &wanted.rule)
    }

    /// How many rules this agent added.
    pub(super) fn n_added(&self) -> usize {
        self.n_added
    }

    /// How the records come.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Hears the records beside their owner.
    pub(super) fn listen(&mut self) -> io::Result<AuditSocket> {
        let socket = self.control.listener()?;
        self.role = Role::Listener;
        Ok(socket)
    }

    /// The other owner is gone: takes its place, and remembers the state that it left as the one to restore.
    pub(super) fn succeed(&mut self) -> io::Result<AuditSocket> {
        let left = KernelState { owner_pid: 0, ..state(self.control.as_mut())? };
        self.before = KernelState { lost: self.before.lost, ..left };
        self.save()?;
        self.become_owner()
    }

    /// Whether every watch that is there has its rule.
    pub(super) fn sees_files(&self) -> bool {
        let refused = self.refused.iter().filter_map(|nth| self.wanted.get(*nth));
        !refused
            .filter(|wanted| wanted.purpose == Purpose::Watch)
            .any(|wanted| Path::new(&wanted.path).exists())
    }

    /// Records that the kernel had lost before us.
    pub(super) fn lost_before(&self) -> u32 {
        self.before.lost
    }

    /// Watches a further path that leads to what a watch holds. Whether the kernel took it.
    pub(super) fn follow(&mut self, place: usize, watch: &Watch, path: &str) -> bool {
        let mut more = wanted_of(place, watch, path, self.is_lasting);
        more.retain(|one| !self.wanted.iter().any(|known| same(&known.rule, &one.rule)));
        let n_followed = self.wanted.iter().filter(|wanted| wanted.purpose == Purpose::Followed).count();
        if more.is_empty() || n_followed >= FOLLOWED_MAX {
            return more.is_empty();
        }
        // As at the start: what will be added is on disk first, so that a kill leaves nothing behind.
        let from = self.wanted.len();
        self.wanted.extend(more);
        if self.save().is_err() {
            self.wanted.truncate(from);
            return false;
        }
        self.add_rules();
        !self.refused.contains(&from)
    }

    /// Sentences about what the kernel refused.
    pub(super) fn cannot_see(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.seal.sentence().into_iter().collect();
        for nth in &self.refused {
            let Some(Wanted { purpose, path, .. }) = self.wanted.get(*nth) else { continue };
            let sentence = match purpose {
                Purpose::Watch | Purpose::Guard | Purpose::Followed
                    if self.locked && (*purpose == Purpose::Watch || Path::new(path).exists()) =>
                {
                    let what = if *purpose == Purpose::Guard { "changes of" } else { "what happens in" };
                    format!(
                        "kernel audit does not record {what} {path} until the machine boots again: its rules are locked"
                    )
                }
                Purpose::Watch if !Path::new(path).exists() => {
                    format!("{path} does not exist, so nothing in it is seen until it does")
                }
                Purpose::Watch => format!("the kernel refused to watch {path}"),
                Purpose::Denied => "access that is refused at a parent folder is not seen".to_owned(),
                Purpose::Twin => "what 32-bit programs are refused or hide is not seen".to_owned(),
                Purpose::Handle => {
                    "files that are opened by their handle, without a name, are not seen".to_owned()
                }
                Purpose::Disk => "reading a whole disk is not seen".to_owned(),
                Purpose::Mount => {
                    "a file system that is mounted over a watched folder is not seen".to_owned()
                }
                Purpose::Signal => "who ends this agent is not seen".to_owned(),
                Purpose::Clock => "who moves the clock is not seen".to_owned(),
                Purpose::Kernel => "kernel modules that are loaded are not seen".to_owned(),
                Purpose::Canary => "this agent cannot test whether records reach it".to_owned(),
                Purpose::Guard | Purpose::Followed if !Path::new(path).exists() => continue,
                Purpose::Guard => format!("the kernel refused to watch {path} for changes"),
                Purpose::Followed => {
                    format!("the kernel refused to watch {path}, which leads to a watched file")
                }
                Purpose::IoUring if !Path::new(path).exists() || self.lacks_all_of(path) => continue,
                Purpose::IoUring => "access through io_uring is not seen on this kernel".to_owned(),
                Purpose::Start => {
                    "what privileged sessions and remote-support tools start is not seen".to_owned()
                }
            };
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// Whether the rule on a path itself is not in force either.
    fn lacks_all_of(&self, path: &str) -> bool {
        let refused = self.refused.iter().filter_map(|nth| self.wanted.get(*nth));
        refused
            .filter(|wanted| wanted.path == path)
            .any(|wanted| matches!(wanted.purpose, Purpose::Watch | Purpose::Followed))
    }

    /// The kernel's state and a hash of all its rules.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        let state = state(self.control.as_mut())?;
        let lock = seal::lock_of(self.control.as_mut())?;
        self.locked = state.enabled == LOCKED;
        let rules = self.list()?;
        let mut hash = Sha256::new();
        rules.iter().for_each(|rule| hash.update(rule.bytes()));
        let status = AuditStatus {
            enabled: state.enabled,
            owner_pid: state.owner_pid,
            lost: state.lost.into(),
            backlog: state.backlog.into(),
            rules_hash: hex(&hash.finalize()),
            was: self.before.to_string(),
            lock,
        };
        let is_missing = |nth: &usize| {
            let rule = self.wanted.get(*nth).map(|wanted| &wanted.rule);
            rule.is_some_and(|rule| !rules.iter().any(|listed| same(listed, rule)))
        };
        // A rule on a file goes when its folder goes: that is no work of anybody's on the rules.
        let has_place = |nth: &usize| {
            let wanted = self.wanted.get(*nth);
            wanted.is_none_or(|wanted| wanted.path.is_empty() || Path::new(&wanted.path).exists())
        };
        let asked = (0..self.wanted.len()).filter(|nth| !self.refused.contains(nth));
        let n_missing = asked.filter(has_place).filter(is_missing).count();
        let own = |rule: &Rule| self.wanted.iter().any(|wanted| same(rule, &wanted.rule));
        let foreign = rules.iter().filter(|rule| !own(rule));
        let blind: Vec<&'static str> = foreign.filter_map(Rule::blinds).collect();
        Ok(Look { status, n_missing, blind })
    }

    /// Adds the rules that are not there: at start, again after someone removed them, or when a folder appears. In a locked
    /// kernel they stay away.
    pub(super) fn add_rules(&mut self) {
        let listed = self.list().unwrap_or_default();
        self.refused.clear();
        for (nth, Wanted { rule, .. }) in self.wanted.iter().enumerate() {
            if listed.iter().any(|other| same(other, rule)) {
                continue;
            }
            if self.locked {
                self.refused.push(nth);
                continue;
            }
            match self.control.request(ADD_RULE, rule.bytes()) {
                Ok(()) => {
                    self.n_added = self.n_added.saturating_add(1);
                    self.foreign.retain(|foreign| *foreign != nth);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => self.refused.push(nth),
            }
        }
    }

    /// Whether some watched folder was refused and is there now.
    pub(super) fn may_add_more(&self) -> bool {
        let refused = self.refused.iter().filter_map(|nth| self.wanted.get(*nth));
        !self.locked
            && refused
                .filter(|wanted| matches!(wanted.purpose, Purpose::Watch | Purpose::Guard))
                .any(|wanted| Path::new(&wanted.path).exists())
    }

    /// Becomes the owner and switches audit on.
    pub(super) fn become_owner(&mut self) -> io::Result<AuditSocket> {
        let pid = KernelState { owner_pid: std::process::id(), ..KernelState::default() };
        let owner = self.control.owner(&pid.change(MASK_PID))?;
        self.role = Role::Owner;
        self.switch_on()?;
        Ok(owner)
    }

    /// Switches audit on, with room in the backlog. What is locked stays as it is.
    pub(super) fn switch_on(&mut self) -> io::Result<()> {
        if state(self.control.as_mut())?.enabled == LOCKED {
            return Ok(());
        }
        let limits = KernelState {
            backlog_limit: BACKLOG_LIMIT,
            backlog_wait_time: BACKLOG_WAIT,
            enabled: 1,
            ..Default::default()
        };
        self.control.request(SET, &limits.change(MASK_BACKLOG_LIMIT | MASK_BACKLOG_WAIT))?;
        self.control.request(SET, &limits.change(MASK_ENABLED))
    }

    /// Removes our rules, puts the state back, ends the ownership, removes the state file. Each step is tried
    /// whatever the others gave; the file stays if any of them failed, so that the next start tries again. A locked kernel
    /// keeps rules and state until it boots, and so does the file.
    pub(super) fn give_back(&mut self) {
        if std::mem::replace(&mut self.given_back, true) {
            return;
        }
        if self.locked {
            if self.role == Role::Owner {
                let _ = self.control.request(SET, &self.before.change(MASK_PID));
            }
            return;
        }
        let mut whole = true;
        let own: Vec<Rule> = self.own_rules().cloned().collect();
        for rule in own {
            let gone = self.control.request(DEL_RULE, rule.bytes());
            whole &= gone.is_ok() || gone.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        }
        // What belongs to another owner stays as it is.
        let masks = [MASK_BACKLOG_LIMIT | MASK_BACKLOG_WAIT, MASK_ENABLED, MASK_PID];
        let masks = if self.role == Role::Owner { masks.as_slice() } else { &[] };
        // The owner ends before audit is switched off, so that switching off is not told to us but to the log.
        for mask in masks {
            whole &= self.control.request(SET, &self.before.change(*mask)).is_ok();
        }
        if whole {
            let _ = state_file::remove(&self.state_file);
        }
    }

    fn list(&mut self) -> io::Result<Vec<Rule>> {
        Ok(self.control.ask_all(LIST_RULES)?.into_iter().map(Rule::from_bytes).collect())
    }
}

impl Drop for Hold {
    /// The guard for every way out that did not give back; after a kill the state file does it.
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What one look at the kernel showed.
pub(super) struct Look {
    pub(super) status: AuditStatus,
    /// Our rules that are gone.
    pub(super) n_missing: usize,
    /// Other people's rules that keep records from being made, by the way they do.
    pub(super) blind: Vec<&'static str>,
}

/// Whether a listed rule is the one we asked for: the kernel clears the class bits of the call mask.
fn same(listed: &Rule, asked: &Rule) -> bool {
    const MASK_AT: std::ops::Range<usize> = 12..268;
    let without = |rule: &Rule| {
        let mut bytes = rule.bytes().to_vec();
        if let Some(mask) = bytes.get_mut(MASK_AT).and_then(|mask| mask.last_chunk_mut::<2>()) {
            *mask = [0, 0];
        }
        bytes
    };
    listed == asked || without(listed) == without(asked)
}

/// The kernel's state.
pub(super) fn state(control: &mut dyn Kernel) -> io::Result<KernelState> {
    Ok(KernelState::from_bytes(&control.ask(GET)?))
}

/// Whether this number is that of another process that lives.
pub(super) fn another(owner_pid: u32) -> bool {
    owner_pid != 0
        && owner_pid != std::process::id()
        && Path::new("/proc").join(owner_pid.to_string()).exists()
}

fn refusal(error: &io::Error) -> Unavailable {
    let reason = match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => {
            "kernel audit needs root (CAP_AUDIT_CONTROL) in the machine's first user and network namespaces"
                .to_owned()
        }
        Some(rustix::io::Errno::PROTONOSUPPORT | rustix::io::Errno::CONNREFUSED) => {
            "this kernel has no audit, or this is a container that is kept from it".to_owned()
        }
        Some(rustix::io::Errno::EXIST) => {
            "another process receives kernel audit, and this agent may not listen beside it".to_owned()
        }
        _ => format!("kernel audit did not answer as expected ({error})"),
    };
    Unavailable::because(reason)
}
