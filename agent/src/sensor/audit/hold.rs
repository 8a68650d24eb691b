//! Taking kernel audit over, and giving it back exactly as it was.
//!
//! 1. look: who owns it, what state, which rules;
//! 2. clean up what an earlier agent left when it was killed;
//! 3. write the state before us to disk;
//! 4. become the owner, then add our rules. Where another process owns it, listen beside it and add our rules:
//!    whoever may control audit may do that, owner or not. State and limits are then the owner's business.
//!
//! Giving back goes the other way. Other people's rules and another owner are never touched.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::netlink::{ADD_RULE, AuditSocket, DEL_RULE, GET, LIST_RULES, SET};
use super::rules::{Purpose, Rule, denied_rules, watch_rules};
use super::state_file::{self, Before, hex, unhex};
use super::status::{
    AuditStatus, KernelState, LOCKED, MASK_BACKLOG_LIMIT, MASK_BACKLOG_WAIT, MASK_ENABLED, MASK_PID,
};
use crate::watch_list::WatchList;

/// Records that may wait in the kernel.
const BACKLOG_LIMIT: u32 = 8192;

/// How long a caller is held up when the backlog is full, in the kernel's ticks: a fraction of a second.
const BACKLOG_WAIT: u32 = 100;

/// Room in the socket, so that a pause of the reader loses nothing.
const RECEIVE_BYTES: usize = 16 * 1024 * 1024;

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
    control: AuditSocket,
    before: KernelState,
    state_file: PathBuf,
    wanted: Vec<(Purpose, String, Rule)>,
    refused: Vec<usize>,
    /// Rules that were there before us: somebody else's, though they are the same.
    foreign: Vec<usize>,
    n_added: usize,
    given_back: bool,
}

impl Hold {
    /// Takes over. The second value is the socket that the kernel sends the records to.
    pub(super) fn take(
        watches: &WatchList,
        state_file: &Path,
        boot_id: &str,
    ) -> Result<(Self, AuditSocket), Unavailable> {
        let mut control = AuditSocket::open().map_err(|error| refusal(&error))?;
        let mut before = state(&mut control).map_err(|error| refusal(&error))?;
        let other = another(before.owner_pid);
        if let Some(left) = state_file::read(state_file).filter(|left| left.boot_id == boot_id) {
            // An earlier agent was killed: its rules go, and the state before *it* is the one to restore.
            for rule in left.rules.iter().filter_map(|rule| unhex(rule)).map(Rule::from_bytes) {
                let _ = control.request(DEL_RULE, rule.bytes());
            }
            before = KernelState { lost: before.lost, ..left.state };
        }
        before.owner_pid = 0;
        let mut wanted: Vec<(Purpose, String, Rule)> = Vec::new();
        for (place, watch) in watches.iter().enumerate() {
            let is_folder = !Path::new(&watch.path).is_file();
            let rules = watch_rules(place, watch, is_folder);
            wanted.extend(rules.into_iter().map(|(purpose, rule)| (purpose, watch.path.clone(), rule)));
        }
        wanted.extend(denied_rules().into_iter().map(|(purpose, rule)| (purpose, String::new(), rule)));
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
        };
        let listed = hold.list().unwrap_or_default();
        let is_there = |(_, (_, _, rule)): &(usize, &(Purpose, String, Rule))| {
            listed.iter().any(|other| same(other, rule))
        };
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
        let rules = self.own_rules().map(|rule| hex(rule.bytes())).collect();
        let agent_pid = std::process::id();
        let saved = Before { boot_id: self.boot_id.clone(), agent_pid, state: self.before, rules };
        state_file::write(&self.state_file, &saved)
    }

    fn own_rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.wanted.iter().enumerate().filter(|(nth, _)| !self.foreign.contains(nth));
        own.map(|(_, (_, _, rule))| rule)
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
        let socket = AuditSocket::listen()?;
        socket.widen(RECEIVE_BYTES);
        self.role = Role::Listener;
        Ok(socket)
    }

    /// The other owner is gone: takes its place, and remembers the state that it left as the one to restore.
    pub(super) fn succeed(&mut self) -> io::Result<AuditSocket> {
        let left = KernelState { owner_pid: 0, ..state(&mut self.control)? };
        self.before = KernelState { lost: self.before.lost, ..left };
        self.save()?;
        self.become_owner()
    }

    /// Whether every watch that is there has its rule.
    pub(super) fn sees_files(&self) -> bool {
        let refused = self.refused.iter().filter_map(|nth| self.wanted.get(*nth));
        !refused
            .filter(|(purpose, ..)| *purpose == Purpose::Watch)
            .any(|(_, path, _)| Path::new(path).exists())
    }

    /// The state before us.
    pub(super) fn lost_before(&self) -> u32 {
        self.before.lost
    }

    /// Sentences about what the kernel refused.
    pub(super) fn cannot_see(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for nth in &self.refused {
            let Some((purpose, path, _)) = self.wanted.get(*nth) else { continue };
            let sentence = match purpose {
                Purpose::Watch if !Path::new(path).exists() => {
                    format!("{path} does not exist, so nothing in it is seen until it does")
                }
                Purpose::Watch => format!("the kernel refused to watch {path}"),
                Purpose::Denied => "access that is refused at a parent folder is not seen".to_owned(),
                Purpose::Denied32 => "refusals to 32-bit programs are not seen".to_owned(),
                Purpose::IoUring if !Path::new(path).exists() => continue,
                Purpose::IoUring => "access through io_uring is not seen on this kernel".to_owned(),
            };
            if !sentences.contains(&sentence) {
                sentences.push(sentence);
            }
        }
        sentences
    }

    /// The kernel's state and a hash of all its rules.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        let state = state(&mut self.control)?;
        let rules = self.list()?;
        let mut hash = Sha256::new();
        rules.iter().for_each(|rule| hash.update(rule.bytes()));
        let status = AuditStatus {
            enabled: state.enabled,
            owner_pid: state.owner_pid,
            lost: state.lost.into(),
            backlog: state.backlog.into(),
            rules_hash: hex(&hash.finalize()),
        };
        let is_missing = |nth: &usize| {
            let rule = self.wanted.get(*nth).map(|(_, _, rule)| rule);
            rule.is_some_and(|rule| !rules.iter().any(|listed| same(listed, rule)))
        };
        let asked = (0..self.wanted.len()).filter(|nth| !self.refused.contains(nth));
        let n_missing = asked.filter(is_missing).count();
        Ok(Look { status, n_missing })
    }

    /// Adds the rules that are not there: at start, again after someone removed them, or when a folder appears.
    pub(super) fn add_rules(&mut self) {
        let listed = self.list().unwrap_or_default();
        self.refused.clear();
        for (nth, (_, _, rule)) in self.wanted.iter().enumerate() {
            if listed.iter().any(|other| same(other, rule)) {
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
        refused
            .filter(|(purpose, ..)| *purpose == Purpose::Watch)
            .any(|(_, path, _)| Path::new(path).exists())
    }

    /// Becomes the owner and switches audit on.
    pub(super) fn become_owner(&mut self) -> io::Result<AuditSocket> {
        let mut owner = AuditSocket::open()?;
        owner.widen(RECEIVE_BYTES);
        let pid = KernelState { owner_pid: std::process::id(), ..KernelState::default() };
        owner.request(SET, &pid.change(MASK_PID))?;
        self.role = Role::Owner;
        self.switch_on()?;
        Ok(owner)
    }

    /// Switches audit on, with room in the backlog. What is locked stays as it is.
    pub(super) fn switch_on(&mut self) -> io::Result<()> {
        if state(&mut self.control)?.enabled == LOCKED {
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
    /// whatever the others gave; the file stays if any of them failed, so that the next start tries again.
    pub(super) fn give_back(&mut self) {
        if std::mem::replace(&mut self.given_back, true) {
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

fn state(control: &mut AuditSocket) -> io::Result<KernelState> {
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
