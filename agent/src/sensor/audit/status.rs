//! The kernel's audit state: `struct audit_status`, eleven numbers of 32 bits in host order.

use serde::{Deserialize, Serialize};

/// Which numbers of the state a change is about.
pub(super) const MASK_ENABLED: u32 = 0x01;
pub(super) const MASK_PID: u32 = 0x04;
pub(super) const MASK_BACKLOG_LIMIT: u32 = 0x10;
pub(super) const MASK_BACKLOG_WAIT: u32 = 0x20;

/// Locked until the next boot: neither rules nor state can be changed.
pub(super) const LOCKED: u32 = 2;

/// The state as the kernel tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KernelState {
    pub(super) enabled: u32,
    pub(super) failure: u32,
    pub(super) owner_pid: u32,
    pub(super) rate_limit: u32,
    pub(super) backlog_limit: u32,
    pub(super) lost: u32,
    pub(super) backlog: u32,
    pub(super) backlog_wait_time: u32,
}

impl std::fmt::Display for KernelState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let on = match self.enabled {
            0 => "off",
            LOCKED => "locked",
            _ => "on",
        };
        let owner =
            if self.owner_pid == 0 { "nobody".to_owned() } else { format!("process {}", self.owner_pid) };
        write!(
            f,
            "{on}, read by {owner}, failure {}, rate {}, backlog {}, wait {}",
            self.failure, self.rate_limit, self.backlog_limit, self.backlog_wait_time
        )
    }
}

impl KernelState {
    /// Reads an answer; older kernels send fewer numbers.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |nth: usize| {
            let at = nth.saturating_mul(4);
            let word = bytes.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
            word.map_or(0, u32::from_ne_bytes)
        };
        Self {
            enabled: number(1),
            failure: number(2),
            owner_pid: number(3),
            rate_limit: number(4),
            backlog_limit: number(5),
            lost: number(6),
            backlog: number(7),
            backlog_wait_time: number(9),
        }
    }

    /// A request to change what the mask names to the values of this state.
    pub(super) fn change(&self, mask: u32) -> Vec<u8> {
        let words = [
            mask,
            self.enabled,
            self.failure,
            self.owner_pid,
            self.rate_limit,
            self.backlog_limit,
            0,
            0,
            0,
            self.backlog_wait_time,
            0,
        ];
        words.into_iter().flat_map(u32::to_ne_bytes).collect()
    }
}

/// What nobody can change until the machine boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// Root can change everything.
    #[default]
    Nothing,
    /// Login uids that are set stay as they are; rules and state can be changed.
    LoginUids,
    /// Rules and state.
    Rules,
    /// Both: sealed.
    Sealed,
}

impl Lock {
    /// Its word in health entries; none where nothing is locked.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::LoginUids => Some("login_uids"),
            Self::Rules => Some("rules"),
            Self::Sealed => Some("sealed"),
        }
    }

    /// Whether rules and state are locked.
    pub(super) fn holds_rules(self) -> bool {
        matches!(self, Self::Rules | Self::Sealed)
    }

    /// Whether login uids that are set stay as they are.
    pub(super) fn holds_login_uids(self) -> bool {
        matches!(self, Self::LoginUids | Self::Sealed)
    }
}

/// What health entries tell of kernel audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditStatus {
    /// 0 off, 1 on, 2 locked.
    pub enabled: u32,
    /// Process number of the owner, 0 for none.
    pub owner_pid: u32,
    /// Records that the kernel lost since boot.
    pub lost: u64,
    /// Records that wait in the kernel.
    pub backlog: u64,
    /// SHA-256 of the rule list, hex.
    pub rules_hash: String,
    /// What was there before the agent, and is put back at its end.
    pub was: String,
    /// What is locked until the machine boots.
    pub lock: Lock,
}
