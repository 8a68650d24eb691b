//! Listens to the streams and writes the acts of [`super::Silences`], once a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ntk_evidence::event::Kind;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_proto::v1;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Facts, Meanwhile, Silence, Silences, is_inside};
use crate::app::App;
use crate::follow::Lookup;
use crate::ledger::registry::Registry;

/// How often silences are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// Health entries come every five minutes: the last one before a silence is not older than this.
const LOOK_BACK_SECONDS: i64 = 900;

/// Where streams tell that they heard a machine.
#[derive(Clone, Debug)]
pub struct Ear(Arc<Mutex<Silences>>);

impl Ear {
    /// An ear for machines that may be silent for so long.
    pub fn new(silences: Silences) -> Self {
        Self(Arc::new(Mutex::new(silences)))
    }

    fn lock(&self) -> MutexGuard<'_, Silences> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine greeted.
    pub fn greeted(&self, author: &Author, hello: &v1::Hello, at: Moment) {
        self.lock().greeted(&author.to_string(), Facts::from(hello), at);
    }

    /// A machine's sign of life.
    pub fn keepalive(&self, author: &Author, keepalive: &v1::Keepalive, at: Moment) {
        self.lock().keepalive(&author.to_string(), keepalive.monotonic_ms, keepalive.boottime_ms, at);
    }

    /// A machine said anything.
    pub fn spoke(&self, author: &Author, at: Moment) {
        self.lock().spoke(&author.to_string(), at);
    }
}

/// Writes silences until stopped.
pub async fn run(app: App, ear: Ear, stop: CancellationToken) {
    let began = app.ledger.clock().now();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (app, ear) = (app.clone(), ear.clone());
        let written = tokio::task::spawn_blocking(move || tick(&app, &ear, began)).await;
        if let Ok(Err(failure)) = written {
            error!(reason = %crate::error_chain(&failure), "a silence could not be written");
            return;
        }
    }
}

fn tick(app: &App, ear: &Ear, began: Moment) -> Result<(), crate::ledger::LedgerError> {
    let registry = app.ledger.published().registry;
    let now = app.ledger.clock().now();
    let elsewhere = app.ledger.share_heard(Vec::new());
    let returned = {
        let mut silences = ear.lock();
        let config = app.practice.current();
        silences.set(config.raw.silent_after_seconds, config.raw.settle_seconds);
        elsewhere.iter().for_each(|author| silences.spoke(author, now));
        expect(&mut silences, &registry, began);
        silences.returned(now)
    };
    // The log is read only for machines that have come back, once for all of them, and while nobody waits for the ear: every
    // word of every machine goes through it.
    let own = meanwhile(&app.lookup, &returned);
    let acts = ear.lock().tick(now, |author, from, to| {
        own.get(author).filter(|own| (own.from, own.to) == (from, to)).map(|own| own.said.clone())
    });
    if acts.is_empty() {
        return Ok(());
    }
    for act in &acts {
        info!(agent = %act.author, step = ?act.step, cause = ?act.cause, "silence");
    }
    let events = acts.iter().map(|act: &Silence| act.event(app.ledger.now())).collect();
    app.ledger.act_blocking(events).map(|_| ())
}

/// Every machine that is enrolled and not revoked is expected, from its enrolment or the collector's start on.
fn expect(silences: &mut Silences, registry: &Registry, began: Moment) {
    silences.forget_all_but(|author| {
        registry.machines.get(author).is_some_and(|machine| machine.revoked.is_none())
    });
    for (author, machine) in registry.machines.iter().filter(|(_, machine)| machine.revoked.is_none()) {
        let enrolled = Moment::parse(&machine.enrolled).unwrap_or(began);
        let silent_from = registry.silent.get(author).and_then(|from| Moment::parse(from));
        silences.expect(author, enrolled, began, silent_from);
    }
}

/// What a machine's own log says about the time of its silence, by its own clock.
#[derive(Debug)]
struct Own {
    from: Moment,
    to: Moment,
    said: Meanwhile,
}

fn meanwhile(lookup: &Lookup, returned: &[(String, Moment, Moment)]) -> BTreeMap<String, Own> {
    let of = |(author, from, to): &(String, Moment, Moment)| {
        (author.clone(), Own { from: *from, to: *to, said: Meanwhile::default() })
    };
    let mut all: BTreeMap<String, Own> = returned.iter().map(of).collect();
    for (first, last) in spans(returned) {
        let read = lookup.events(first.unix_nanos(), last.unix_nanos(), |seen| {
            let Some(Own { from, to, said }) = all.get_mut(seen.access.author) else { return };
            let (from, to) = (*from, *to);
            let Some(at) = Moment::parse(&seen.event.time) else { return };
            if let Some(health) = seen.event.health.as_ref().filter(|_| at <= from) {
                said.before = health.boot_id.clone().zip(health.run_id.clone()).or(said.before.take());
            }
            if let Some(gap) = &seen.event.gap {
                let touches = |edge: &Option<String>| edge.as_deref().and_then(Moment::parse);
                let overlaps =
                    touches(&gap.from).zip(touches(&gap.to)).is_some_and(|(a, b)| a < to && b > from);
                said.frozen |= overlaps && gap.cause == "frozen";
                said.asleep |= overlaps && gap.cause == "asleep";
            } else if is_inside(at, from, to) && !matches!(seen.event.kind, Kind::Epoch) {
                said.recorded = said.recorded.saturating_add(1);
            }
        });
        if let Err(failure) = read {
            error!(reason = %crate::error_chain(&failure), "machines' own logs could not be read for their silences");
        }
    }
    all
}

/// The times to be read for these silences, each once: those that overlap are one.
fn spans(returned: &[(String, Moment, Moment)]) -> Vec<(Moment, Moment)> {
    let mut each: Vec<(Moment, Moment)> = returned
        .iter()
        .map(|(_, from, to)| {
            (from.plus_seconds(LOOK_BACK_SECONDS.wrapping_neg()), to.plus_seconds(LOOK_BACK_SECONDS))
        })
        .collect();
    each.sort_unstable();
    let mut all: Vec<(Moment, Moment)> = Vec::new();
    for (from, to) in each {
        match all.last_mut().filter(|(_, end)| from <= *end) {
            Some((_, end)) => *end = to.max(*end),
            None => all.push((from, to)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silences_of_one_outage_are_read_for_in_one_pass_and_others_apart() {
        let at = |text: &str| Moment::parse(text).unwrap();
        let one = |name: &str, from, to| (format!("agent/{name}"), at(from), at(to));
        let returned = [
            one("ws-02", "2026-11-29T10:00:01Z", "2026-11-29T10:05:00Z"),
            one("ws-03", "2026-11-01T08:00:00Z", "2026-11-01T08:01:00Z"),
            one("ws-01", "2026-11-29T10:00:00Z", "2026-11-29T10:04:00Z"),
        ];
        let told: Vec<String> = spans(&returned)
            .iter()
            .map(|(a, b)| format!("{} {}", a.to_rfc3339(0), b.to_rfc3339(0)))
            .collect();
        let wanted =
            ["2026-11-01T07:45:00Z 2026-11-01T08:16:00Z", "2026-11-29T09:45:00Z 2026-11-29T10:20:00Z"];
        assert_eq!(told, wanted);
        assert!(spans(&[]).is_empty());
    }
}
