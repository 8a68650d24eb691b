//! Down and up the ladder: owner, listener beside another owner, nothing; each step is said.
//!
//! ```text
//! owner    -- another process lives in our place --> tamper, gap, listener
//! owner    -- nobody is in our place             --> tamper, gap, owner again
//! listener -- the other owner is gone            --> owner; what both sockets brought is told once
//! listener -- hears nothing at all               --> said; fanotify and logs stand in
//! ```
//! A listener never fights: it changes neither state nor limits, and adds and removes nothing but its own rules.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use ntk_evidence::event::{Event, TamperKind};

use super::drain::Drain;
use super::hold::{Role, another};
use super::netlink::AuditSocket;
use super::status::AuditStatus;
use super::{AuditSensor, tamper, watchdog};
use crate::record::RawRecord;
use crate::sensor::stop::Stop;

/// A listener that has heard nothing of its own rules for so long will not hear anything.
const HEARS_WITHIN: Duration = Duration::from_secs(10);

/// Records of a listener's last moments that are remembered: an owner gets what waited for one again.
const OVERLAP_MAX: usize = 8192;
/// For so long after a takeover they are looked for.
const OVERLAP_FOR: Duration = Duration::from_secs(10);

impl AuditSensor {
    /// Follows who owns audit. Whether rules and state have to be looked after again.
    pub(super) fn step(&mut self, status: &AuditStatus, time: &str, now: Duration) -> (Vec<Event>, bool) {
        let (other, broken) = (another(status.owner_pid), self.drain.has_ended());
        let mut events = Vec::new();
        let socket = match (self.hold.role(), other) {
            (Role::Owner, _) if status.owner_pid == std::process::id() && !broken => return (events, false),
            (Role::Owner, _) => {
                let detail = format!("audit_pid={}", status.owner_pid);
                events.push(tamper(TamperKind::AuditPolicyChanged, &detail, time));
                events.push(self.gap("owner_changed", time, None));
                if other {
                    self.hold.listen()
                } else {
                    self.hold.become_owner().or_else(|_| self.hold.listen())
                }
            }
            (Role::Listener, true) if !broken => return (events, false),
            (Role::Listener, true) => {
                events.push(self.gap("listening_failed", time, None));
                self.hold.listen()
            }
            (Role::Listener, false) => self.hold.succeed().or_else(|_| self.hold.listen()),
        };
        if let Ok(socket) = socket {
            events.extend(self.drain_from(socket, now));
        }
        (events, true)
    }

    /// Takes records from another socket from now on; what the old one still had comes out.
    fn drain_from(&mut self, socket: AuditSocket, now: Duration) -> Vec<Event> {
        let stop = Stop::default();
        let Ok(drain) = Drain::start(socket, stop.clone()) else { return Vec::new() };
        let _ = watchdog::watch(drain.beats(), stop.clone());
        self.drain_stop.request();
        self.drain_stop = stop;
        let mut events = Vec::new();
        for batch in std::mem::replace(&mut self.drain, drain).join() {
            for raw in batch.iter().filter(|raw| self.overlap.is_new(*raw, now)) {
                self.pipeline.raw(raw, now, &mut events);
            }
        }
        self.overlap.begin(self.hold.role(), now);
        (self.seen.n_queue_full, self.seen.n_overflows) = (0, 0);
        (self.seen.since, self.seen.heard) = (now, false);
        events
    }

    /// Says to the other sensors what audit tells, and to people what it does not.
    pub(super) fn stand(&self, status: &AuditStatus, now: Duration) -> Vec<String> {
        let mut sentences = self.hold.cannot_see();
        let is_listener = self.hold.role() == Role::Listener;
        let is_deaf = is_listener
            && status.enabled != 0
            && self.hold.n_added() > 0
            && !self.seen.heard
            && now.saturating_sub(self.seen.since) >= HEARS_WITHIN;
        let tells = status.enabled != 0 && !is_deaf && !self.drain.has_ended();
        self.standing.set(tells && self.hold.sees_files(), tells);
        if is_deaf {
            sentences.push(
                "kernel audit belongs to another process and this agent hears nothing of it: it runs in another network \
                 namespace than the machine's first one, or the owner keeps records back"
                    .to_owned(),
            );
        } else if is_listener && status.enabled == 0 {
            sentences.push(format!(
                "kernel audit belongs to process {} and is switched off; nothing is seen through it",
                status.owner_pid
            ));
        } else if is_listener {
            sentences.push(format!(
                "kernel audit belongs to process {}; this agent listens beside it: the kernel does not wait for a \
                 listener, and what it loses under load is a gap without a number",
                status.owner_pid
            ));
        }
        sentences
    }
}

/// Records that a listener and an owner both get are told once.
#[derive(Default)]
pub(super) struct Overlap {
    seen: HashMap<u64, u64>,
    next: u64,
    hasher: RandomState,
    phase: Phase,
}

#[derive(Default)]
enum Phase {
    /// Every record is new.
    #[default]
    Alone,
    /// Listening: records are remembered.
    Noting,
    /// Took over: remembered ones are left out, until then.
    Leaving(Duration),
}

impl Overlap {
    /// Begins in a role.
    pub(super) fn begin(&mut self, role: Role, now: Duration) {
        self.phase = match (role, &self.phase) {
            (Role::Listener, _) => Phase::Noting,
            (Role::Owner, Phase::Noting) => Phase::Leaving(now.saturating_add(OVERLAP_FOR)),
            (Role::Owner, _) => Phase::Alone,
        };
    }

    /// Whether a record was not told yet.
    pub(super) fn is_new(&mut self, raw: RawRecord<'_>, now: Duration) -> bool {
        match self.phase {
            Phase::Alone => true,
            Phase::Noting => {
                self.seen.insert(self.hasher.hash_one((raw.kind, raw.payload)), self.next);
                self.next = self.next.saturating_add(1);
                let oldest = self.next.saturating_sub(u64::try_from(OVERLAP_MAX).unwrap_or(u64::MAX));
                if self.seen.len() >= OVERLAP_MAX.saturating_mul(2) {
                    self.seen.retain(|_, nth| *nth >= oldest);
                }
                true
            }
            Phase::Leaving(until) if now < until => {
                self.seen.remove(&self.hasher.hash_one((raw.kind, raw.payload))).is_none()
            }
            Phase::Leaving(_) => {
                self.phase = Phase::Alone;
                self.seen = HashMap::new();
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_heard_is_not_told_again_by_the_owner_it_becomes() {
        let is_new = |overlap: &mut Overlap, n: u32, at: Duration| {
            let payload = format!("audit(1.0:{n}): x").into_bytes();
            overlap.is_new(RawRecord { kind: 1300, payload: &payload }, at)
        };
        let s = Duration::from_secs;
        let mut overlap = Overlap::default();
        assert!(is_new(&mut overlap, 1, s(0)) && is_new(&mut overlap, 1, s(0)));
        overlap.begin(Role::Listener, s(0));
        assert!(is_new(&mut overlap, 2, s(1)) && is_new(&mut overlap, 3, s(1)));
        overlap.begin(Role::Owner, s(2));
        assert!(!is_new(&mut overlap, 3, s(3)));
        assert!(is_new(&mut overlap, 3, s(3)), "the same bytes again are another record");
        assert!(is_new(&mut overlap, 4, s(3)));
        assert!(is_new(&mut overlap, 2, s(60)), "the time is over");
        overlap.begin(Role::Listener, s(60));
        for n in 0..40_000 {
            is_new(&mut overlap, n, s(61));
        }
        assert!(overlap.seen.len() <= OVERLAP_MAX * 2);
    }
}
