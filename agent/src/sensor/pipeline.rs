//! The one way from records to events, shared verbatim by live sensors, recordings and `replay`.
//!
//! ```text
//! RawRecord | line -> Record -> Coalescer -> Observation -> Attribution -> Classifier -> Event
//! ```
//! Moments come in with the records: the machine's monotonic clock when live, the records' own when played.
//!
//! # Invariants
//! - SE-1: bytes that are no record, and events with missing records, become `gap` events.
//! - EV-2: any input gives events; none stops the way.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::event::{Confidence, Event, Gap, Kind, Source};

use super::standing::Standing;
use crate::attribute::{Attributed, Attribution, Names, NoNames, Present};
use crate::classify::{Classifier, ForeignKeys, KeyLearner, NoFolders, SENSOR, event_of_fact};
use crate::coalesce::{Coalescer, Completeness, Observation};
use crate::origin::{NoProcesses, Origin, Presence, is_housekeeping};
use crate::record::{RawRecord, Record, RecordError, Stamp, is_remark, kind, rfc3339};
use crate::watch_list::WatchList;

/// Where the pipeline stands in a run of damaged records.
#[derive(Clone, Copy, Debug, Default)]
struct Damage {
    n_records: u64,
    since: Option<Stamp>,
}

/// Events with missing records that were not told yet.
#[derive(Clone, Copy, Debug)]
struct Partials {
    first: Stamp,
    last: Stamp,
    since: Duration,
    n_missing: u64,
}

/// How long events with missing records are counted before they are told, in the records' own time.
const PARTIALS_WITHIN: Duration = Duration::from_secs(1);

/// Records in, events out.
pub struct Pipeline {
    coalescer: Coalescer,
    attribution: Attribution,
    classifier: Classifier,
    origin: Origin,
    damage: Damage,
    partials: Option<Partials>,
    last: Option<Stamp>,
    fallback: String,
    told: Option<Arc<Standing>>,
    /// Room for the events of one observation, which are large.
    found: Vec<Event>,
}

impl Pipeline {
    /// A pipeline for a recording: it asks nothing of this machine.
    pub fn recorded(watches: WatchList, keys: ForeignKeys) -> Self {
        let classifier = Classifier::new(watches, keys, Box::new(NoFolders), None);
        Self::new(classifier, Box::new(NoNames), Origin::new(Box::new(NoProcesses), None))
    }

    /// A pipeline for a live sensor.
    pub fn new(classifier: Classifier, names: Box<dyn Names>, origin: Origin) -> Self {
        Self {
            coalescer: Coalescer::default(),
            attribution: Attribution::new(names),
            classifier,
            origin,
            damage: Damage::default(),
            partials: None,
            last: None,
            fallback: rfc3339(Duration::ZERO),
            told: None,
            found: Vec::new(),
        }
    }

    /// The agent is this process from now on, where it is not the one that asks.
    pub fn set_own(&mut self, own: crate::classify::OwnHand) {
        self.classifier.set_own(own);
    }

    /// The moment that a gap bears when no record with a time was seen: a file's own time, or now.
    pub fn set_fallback_time(&mut self, time: String) {
        self.fallback = time;
    }

    /// Tells the comparison with fanotify which inodes the records speak of.
    #[cfg(target_os = "linux")]
    pub(crate) fn tell(&mut self, standing: Arc<Standing>) {
        self.told = Some(standing);
    }

    /// Takes a line of a recording; its own time is the moment.
    pub fn line(&mut self, line: &[u8]) -> Vec<Event> {
        if is_remark(line) {
            return Vec::new();
        }
        let record = Record::from_line(line);
        let moment = record.as_ref().ok().map(|record| record.stamp().since_epoch());
        let mut events = Vec::new();
        self.take(record, moment.unwrap_or_default(), &mut events);
        events
    }

    /// Takes a message of the kernel at a moment of the monotonic clock.
    pub fn raw(&mut self, raw: RawRecord<'_>, now: Duration, events: &mut Vec<Event>) {
        self.take(Record::from_raw(raw), now, events);
    }

    /// Lets time pass without a record.
    pub fn tick(&mut self, now: Duration) -> Vec<Event> {
        let observations = self.coalescer.expire(now);
        let mut events = Vec::new();
        self.observations(observations, now, &mut events);
        events.extend(self.attribution.expire(now).into_iter().map(event_of_fact));
        events.extend(self.origin.expire(now));
        if self.partials.is_some_and(|partials| now.saturating_sub(partials.since) >= PARTIALS_WITHIN) {
            events.extend(self.partials_end());
        }
        events.extend(self.damage_ends(None));
        events
    }

    /// What is known of inodes, for a live sensor that looks through its watches at start.
    pub fn places_mut(&mut self) -> &mut crate::classify::Places {
        self.classifier.places_mut()
    }

    /// Where processes came from, for a live sensor that looks at the machine now and then.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Gives out everything that waits for more, at the end.
    pub fn finish(&mut self) -> Vec<Event> {
        let observations = self.coalescer.flush();
        let mut events = Vec::new();
        self.observations(observations, Duration::ZERO, &mut events);
        events.extend(self.attribution.flush().into_iter().map(event_of_fact));
        events.extend(self.origin.flush());
        events.extend(self.partials_end());
        events.extend(self.damage_ends(None));
        events
    }

    /// Shows a learner the rule keys of a line; the first of two readings of a recording.
    pub fn learn_keys(coalescer: &mut Coalescer, line: &[u8], watches: &WatchList, learner: &mut KeyLearner) {
        let Ok(record) = Record::from_line(line) else { return };
        let moment = record.stamp().since_epoch();
        for observation in coalescer.take(record, moment) {
            Classifier::learn_keys(&observation, watches, learner);
        }
    }

    fn take(&mut self, record: Result<Record, RecordError>, now: Duration, events: &mut Vec<Event>) {
        let record = match record {
            Ok(record) => record,
            Err(_) => {
                if self.damage.n_records == 0 {
                    self.damage.since = self.last;
                }
                self.damage.n_records = self.damage.n_records.saturating_add(1);
                return;
            }
        };
        let stamp = record.stamp();
        if self.damage.n_records > 0 {
            events.extend(self.damage_ends(Some(stamp)));
        }
        self.last = Some(stamp);
        let observations = self.coalescer.take(record, now);
        self.observations(observations, now, events);
    }

    fn observations(&mut self, observations: Vec<Observation>, now: Duration, events: &mut Vec<Event>) {
        for observation in observations {
            if let Some(told) = self.told.as_ref().filter(|told| told.is_compared()) {
                told.tell(
                    observation
                        .each(kind::PATH)
                        .filter_map(|path| Some(told.inode(&path.text("dev")?, path.number("inode")?))),
                );
            }
            let Attributed { actor, facts } = self.attribution.observe(&observation, now);
            let mut found = std::mem::take(&mut self.found);
            self.classifier.classify(&observation, &actor, facts, &mut found);
            self.origin.observe(&observation, &actor, &mut found, now);
            self.name_candidates(&mut found, observation.node());
            events.append(&mut found);
            self.found = found;
            let over = |partials: &Partials| {
                observation.stamp.since_epoch().abs_diff(partials.first.since_epoch()) >= PARTIALS_WITHIN
            };
            if self.partials.as_ref().is_some_and(over) {
                events.extend(self.partials_end());
            }
            if let Completeness::Partial { missing } = &observation.completeness {
                let stamp = observation.stamp;
                let partials = self.partials.get_or_insert(Partials {
                    first: stamp,
                    last: stamp,
                    since: now,
                    n_missing: 0,
                });
                let n_missing = u64::try_from(missing.len()).unwrap_or(u64::MAX);
                partials.n_missing = partials.n_missing.saturating_add(n_missing);
                partials.last = stamp;
            }
        }
    }

    /// Root's work outside any login: names the systemd unit it ran in, and the sessions open at the time unless the
    /// machine does such work by itself.
    fn name_candidates(&self, events: &mut [Event], node: Option<&str>) {
        for event in events.iter_mut().filter(|event| !matches!(event.kind, Kind::Login | Kind::Gap)) {
            let Some(actor) = event.actor.as_mut() else { continue };
            let is_roots =
                actor.effective_user.as_deref() == Some("root") || event.kind == Kind::RemoteControl;
            if actor.confidence != Some(Confidence::Unattributed) || !is_roots {
                continue;
            }
            let process = event.process.as_mut();
            let unit = process.and_then(|process| {
                process.unit = process.pid.and_then(|pid| self.origin.unit_of(pid));
                process.unit.clone()
            });
            if !unit.is_some_and(|unit| is_housekeeping(&unit)) {
                actor.candidates = self.attribution.candidates(node);
            }
        }
    }

    /// Takes in what a look at the machine showed of remote-support tools and of sessions; `at` is the look's time.
    pub fn look(&mut self, presence: &Presence, sessions: Option<&[Present]>, at: Duration) -> Vec<Event> {
        let stamp = Stamp::of_moment(at);
        let ended = sessions.map(|sessions| self.attribution.present(sessions, stamp)).unwrap_or_default();
        let mut events: Vec<Event> = ended.into_iter().map(event_of_fact).collect();
        for event in &mut events {
            // No record told it.
            event.source.iter_mut().for_each(|source| source.record = None);
        }
        let mut ends = self.origin.ends(&events, stamp);
        events.append(&mut ends);
        let mut found = self.origin.look(presence, &stamp.rfc3339());
        self.name_candidates(&mut found, None);
        events.append(&mut found);
        events
    }

    /// The gap of events with missing records: under overload there are thousands, and one gap tells of them.
    fn partials_end(&mut self) -> Option<Event> {
        // INVARIANT SE-1: an event that is not whole is said to be so.
        let partials = self.partials.take()?;
        let (from, to) = (partials.first.rfc3339(), partials.last.rfc3339());
        let mut event = gap("partial_record", &from, Some(&from), Some(&to));
        if let Some(source) = &mut event.source {
            source.record = Some(partials.first.serial().to_string());
        }
        if let Some(gap) = &mut event.gap {
            gap.lost = Some(partials.n_missing);
        }
        Some(event)
    }

    /// The gap of a run of damaged records, when a whole one follows or the input ends.
    fn damage_ends(&mut self, next: Option<Stamp>) -> Option<Event> {
        let damage = std::mem::take(&mut self.damage);
        if damage.n_records == 0 {
            return None;
        }
        // INVARIANT SE-1: damaged records are a gap with its bounds, as far as its neighbours tell them.
        let (from, to) = (damage.since.map(Stamp::rfc3339), next.map(Stamp::rfc3339));
        let time = from.clone().or_else(|| to.clone()).unwrap_or_else(|| self.fallback.clone());
        let mut event = gap("damaged_record", &time, from.as_deref(), to.as_deref());
        if let Some(gap) = &mut event.gap {
            gap.lost = Some(damage.n_records);
        }
        Some(event)
    }
}

/// A gap of the audit sensor.
pub(crate) fn gap(cause: &str, time: &str, from: Option<&str>, to: Option<&str>) -> Event {
    let mut event = Event::new(Kind::Gap, time);
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event.gap = Some(Gap {
        cause: cause.to_owned(),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        lost: None,
        other: Default::default(),
    });
    event
}
