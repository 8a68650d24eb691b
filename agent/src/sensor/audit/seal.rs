//! Sealed mode: rules, state and login uids that nobody can change until the machine boots, root and this agent included.
//!
//! 1. login uids: the feature `loginuid_immutable`, and its lock, so that it cannot be taken back;
//! 2. rules and state: `enabled` 2. It comes last, because nothing of ours could be added after it.
//!
//! Each step is asked of the kernel, not remembered: a crash between them leaves what the next start goes on from. Who
//! starts in a locked kernel becomes the owner of the records (the kernel allows that) and changes nothing else. A kernel
//! that belongs to another process is not locked: its owner may have rules still to add.

use std::io;

use super::hold::{Hold, Role, state};
use super::netlink::{GET_FEATURE, Kernel, SET, SET_FEATURE};
use super::status::{KernelState, LOCKED, Lock, MASK_ENABLED};

/// `AUDIT_FEATURE_LOGINUID_IMMUTABLE` of linux/audit.h, as a mask.
const LOGIN_UIDS: u32 = 1 << 1;

/// Version of `struct audit_features`: version, mask, features, lock, each 32 bits in host order.
const FEATURES_VERSION: u32 = 1;

/// Whether this machine is to be sealed, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seal {
    /// The configuration asks for it.
    pub(super) is_asked: bool,
    /// Why it is not so.
    refused: Option<String>,
}

impl Seal {
    /// As the configuration says.
    pub(super) fn new(is_asked: bool) -> Self {
        Self { is_asked, refused: None }
    }

    /// A sentence where it was asked for and is not so.
    pub(super) fn sentence(&self) -> Option<String> {
        let why = self.refused.as_ref()?;
        Some(format!("this machine is not sealed, though its configuration asks for it: {why}"))
    }
}

impl Hold {
    /// Seals, where the configuration asks for it and it is not so yet. What fails is said, and the recording goes on.
    pub(super) fn seal(&mut self) {
        if !self.seal.is_asked {
            return;
        }
        let lock = lock_of(self.control.as_mut());
        self.seal.refused = match (lock, self.role()) {
            (Ok(Lock::Sealed), _) => None,
            (Ok(_), Role::Listener) => {
                Some("kernel audit belongs to another process, which may have to change it".to_owned())
            }
            (Ok(lock), Role::Owner) => self.lock(lock).err().map(|error| {
                format!("the kernel refused ({error}); kernel audit can still be changed by root")
            }),
            (Err(error), _) => Some(format!("the kernel does not say what is locked ({error})")),
        };
        self.locked = lock_of(self.control.as_mut()).is_ok_and(Lock::holds_rules);
    }

    fn lock(&mut self, lock: Lock) -> io::Result<()> {
        if !lock.holds_login_uids() {
            let words = [FEATURES_VERSION, LOGIN_UIDS, LOGIN_UIDS, LOGIN_UIDS];
            let features: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
            self.control.request(SET_FEATURE, &features)?;
        }
        if !lock.holds_rules() {
            let locked = KernelState { enabled: LOCKED, ..KernelState::default() };
            self.control.request(SET, &locked.change(MASK_ENABLED))?;
        }
        Ok(())
    }
}

/// What is locked, as the kernel tells it.
pub(super) fn lock_of(kernel: &mut dyn Kernel) -> io::Result<Lock> {
    let rules = state(kernel)?.enabled == LOCKED;
    // A kernel without features has no such answer: nothing of them is locked.
    let features = kernel.ask(GET_FEATURE).unwrap_or_default();
    let word = |nth: usize| {
        let at = nth.saturating_mul(4);
        let word = features.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
        word.map_or(0, u32::from_ne_bytes)
    };
    let login_uids = word(2) & word(3) & LOGIN_UIDS != 0;
    Ok(match (rules, login_uids) {
        (true, true) => Lock::Sealed,
        (true, false) => Lock::Rules,
        (false, true) => Lock::LoginUids,
        (false, false) => Lock::Nothing,
    })
}
