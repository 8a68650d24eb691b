//! Health entries: every few minutes, at start and stop, and when what the agent can see changes.

use std::time::{Duration, Instant};

use ntk_evidence::event::{Event, Health, Kind};
use ntk_evidence::time::Moment;

use super::sensing::Sensing;
use crate::clock;
use crate::spool::keeper::Progress;

/// What the agent knows of itself, without what has to be asked of the machine.
pub(super) fn health(reason: &str, sensing: Option<&Sensing>, progress: &Progress) -> Health {
    let mut health = Health {
        reason: Some(reason.to_owned()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        spool_bytes: Some(progress.bytes_on_disk),
        ..Health::default()
    };
    if let Some(sensing) = sensing {
        sensing.fill(&mut health);
    }
    health
}

/// The entry.
pub(super) fn event(health: Health, now: Moment) -> Event {
    let mut event = Event::new(Kind::Health, clock::text(now));
    event.health = Some(Box::new(health));
    event
}

/// Decides when the next entry is due.
pub(super) struct Pulse {
    every: Duration,
    last: Option<(Instant, Seen)>,
}

/// What counts as a change.
#[derive(PartialEq)]
struct Seen {
    sensors: Vec<String>,
    cannot_see: Vec<String>,
    audit: (Option<u32>, Option<u32>, Option<String>),
    rules_hash: Option<String>,
}

impl Seen {
    fn of(health: &Health) -> Self {
        Self {
            sensors: health.sensors.clone(),
            cannot_see: health.cannot_see.clone(),
            audit: (health.audit_enabled, health.audit_owner, health.audit_lock.clone()),
            rules_hash: health.rules_hash.clone(),
        }
    }
}

impl Pulse {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    pub(super) fn set_every(&mut self, every: Duration) {
        self.every = every;
    }

    /// Why an entry is due now, if it is.
    pub(super) fn reason(&self, health: &Health, now: Instant) -> Option<&'static str> {
        let Some((at, seen)) = &self.last else { return Some("periodic") };
        if *seen != Seen::of(health) {
            Some("change")
        } else if now.saturating_duration_since(*at) >= self.every {
            Some("periodic")
        } else {
            None
        }
    }

    /// An entry was made.
    pub(super) fn told(&mut self, health: &Health, now: Instant) {
        self.last = Some((now, Seen::of(health)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_due_on_change_and_after_the_interval() {
        let mut pulse = Pulse::new(Duration::from_secs(300));
        let now = Instant::now();
        let mut health = Health { uptime_s: Some(1), ..Health::default() };
        pulse.told(&health, now);
        health.uptime_s = Some(9);
        assert_eq!(pulse.reason(&health, now + Duration::from_secs(299)), None);
        assert_eq!(pulse.reason(&health, now + Duration::from_secs(300)), Some("periodic"));
        health.rules_hash = Some("other".to_owned());
        assert_eq!(pulse.reason(&health, now), Some("change"));
    }
}
