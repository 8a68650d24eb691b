//! The event log's sensor against a log of records in memory, which is cleared, runs over and fails.

use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use super::*;
use crate::clock::fake::FakeClock;
use ntk_evidence::event::Kind;

#[derive(Clone, Default)]
struct FakeLog(Arc<Mutex<FakeState>>);

#[derive(Default)]
struct FakeState {
    records: Vec<(u64, String)>,
    is_failing: bool,
}

impl FakeLog {
    /// `kinds`: how many events each new record makes.
    fn write(&self, from: u64, at: &str, kinds: &[u32]) {
        let mut state = self.0.lock().unwrap();
        for (record, n_events) in (from..).zip(kinds) {
            let xml = format!(
                "<Event><System><EventID>1</EventID><TimeCreated SystemTime='{at}-{record}'/>\
                <EventRecordID>{record}</EventRecordID></System><n>{n_events}</n></Event>"
            );
            state.records.push((record, xml));
        }
    }

    fn clear(&self) {
        self.0.lock().unwrap().records.clear();
    }
}

struct FakeRecords {
    log: FakeLog,
    next: usize,
}

impl Records for FakeRecords {
    fn next(&mut self) -> io::Result<Option<String>> {
        let state = self.log.0.lock().unwrap();
        if state.is_failing {
            return Err(io::Error::other("the service is not running"));
        }
        let found = state.records.get(self.next).map(|(_, xml)| xml.clone());
        self.next += usize::from(found.is_some());
        Ok(found)
    }
}

impl Log for FakeLog {
    fn newest(&self, channel: &str) -> io::Result<Option<String>> {
        if channel == "none" {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(self.0.lock().unwrap().records.last().map(|(_, xml)| xml.clone()))
    }

    fn reread(&self, _: &str, record: u64, n_max: u32) -> io::Result<Box<dyn Records>> {
        let state = self.0.lock().unwrap();
        let place = state.records.iter().position(|(number, _)| *number >= record).unwrap_or_default();
        let next = place.saturating_sub(usize::try_from(n_max).unwrap());
        Ok(Box::new(FakeRecords { log: self.clone(), next }))
    }

    fn follow(&self, _: &str, start: Start) -> io::Result<Box<dyn Records>> {
        let state = self.0.lock().unwrap();
        let next = match start {
            Start::Oldest => 0,
            Start::Behind(record) => {
                state.records.iter().position(|(number, _)| *number == record).map(|at| at + 1).unwrap()
            }
        };
        Ok(Box::new(FakeRecords { log: self.clone(), next }))
    }
}

/// As many events of a record as it says, named by its number and theirs; of one that came before none, as in the real room.
#[derive(Default)]
struct Counting(std::collections::BTreeSet<String>);

impl Room for Counting {
    fn feed(&mut self, xml: &str) -> Vec<Event> {
        if !self.0.insert(xml.to_owned()) {
            return Vec::new();
        }
        let record = Head::of(xml).unwrap().record;
        let n_events: u32 =
            xml.split_once("<n>").unwrap().1.split_once("</n>").unwrap().0.parse().unwrap_or_default();
        (0..n_events).map(|n| Event::new(Kind::Login, format!("{record}.{n}"))).collect()
    }
}

fn start(log: &FakeLog, after: &BTreeMap<String, Place>) -> EventLogSensor {
    EventLogSensor::start(EventLogConfig {
        channels: vec!["Security".into(), "none".into()],
        after: after.clone(),
        log: Box::new(log.clone()),
        room: Box::new(Counting::default()),
        clock: Arc::new(FakeClock::default()),
    })
    .unwrap()
}

/// One run that ends when so many events were taken; what it told. Places are kept as the spool would.
fn told(log: &FakeLog, after: &mut BTreeMap<String, Place>, n_max: usize) -> Vec<String> {
    let sensor = start(log, after);
    let (sink, events): (Sink, Receiver<Sensed>) = Sink::bounded(1, Arc::new(FakeClock::default()));
    let stop = Stop::default();
    let theirs = stop.clone();
    let thread = std::thread::spawn(move || sensor.run(&sink, &theirs));
    let mut told = Vec::new();
    while told.len() < n_max {
        let Ok(sensed) = events.recv_timeout(Duration::from_millis(600)) else { break };
        let passed = sensed.passed.unwrap();
        after.insert(passed.channel, passed.place);
        told.push(sensed.event.gap.map_or(sensed.event.time, |gap| gap.cause));
    }
    stop.request();
    drop(events);
    thread.join().unwrap();
    told
}

#[test]
fn the_first_start_tells_from_where_on_and_later_ones_what_came_since() {
    let (log, mut after) = (FakeLog::default(), BTreeMap::new());
    log.write(1, "a", &[1, 1]);
    assert_eq!(told(&log, &mut after, 9), ["event_log_begins"]);
    log.write(3, "a", &[1, 0, 2]);
    assert_eq!(told(&log, &mut after, 9), ["3.0", "5.0", "5.1"]);
    assert_eq!(told(&log, &mut after, 9), Vec::<String>::new());
}

#[test]
fn an_empty_log_is_told_from_its_first_record_on() {
    let (log, mut after) = (FakeLog::default(), BTreeMap::new());
    assert_eq!(told(&log, &mut after, 9), ["event_log_begins"]);
    log.write(1, "a", &[1]);
    assert_eq!(told(&log, &mut after, 9), ["1.0"]);
}

#[test]
fn whatever_event_is_the_last_durable_one_nothing_is_lost_or_told_twice() {
    for n_first in 1..=9 {
        let (log, mut after) = (FakeLog::default(), BTreeMap::new());
        told(&log, &mut after, 9);
        log.write(1, "a", &[2, 0, 3, 1, 0, 0, 2, 1]);
        let mut all = told(&log, &mut after, n_first);
        assert_eq!(all.len(), n_first);
        all.extend(told(&log, &mut after, 99));
        assert_eq!(all, ["1.0", "1.1", "3.0", "3.1", "3.2", "4.0", "7.0", "7.1", "8.0"], "{n_first}");
    }
}

#[test]
fn a_log_that_was_cleared_is_a_gap_and_what_it_holds_now_is_told() {
    for (from, at) in [(1, "b"), (4, "a")] {
        let (log, mut after) = (FakeLog::default(), BTreeMap::new());
        log.write(1, "a", &[1]);
        told(&log, &mut after, 9);
        log.write(2, "a", &[1]);
        told(&log, &mut after, 9);
        // Cleared and filled beyond the place by others; or run over.
        log.clear();
        log.write(from, at, &[1, 1, 1]);
        let numbers: Vec<String> = (from..from + 3).map(|record| format!("{record}.0")).collect();
        let all = told(&log, &mut after, 9);
        assert_eq!((all[0].as_str(), &all[1..]), ("event_log_cut", numbers.as_slice()));
        assert_eq!(told(&log, &mut after, 9), Vec::<String>::new());
    }
}

#[test]
fn a_channel_that_cannot_be_read_is_said_and_tried_again() {
    let log = FakeLog::default();
    log.write(1, "a", &[1]);
    let mut sensor = start(&log, &BTreeMap::from([("Security".into(), Place::default())]));
    assert_eq!(sensor.cannot_see.len(), 1, "the channel `none`: {:?}", sensor.cannot_see);
    let clock = Arc::new(FakeClock::default());
    sensor.clock = clock.clone();
    let (sink, events) = Sink::bounded(9, clock.clone());
    let mut channel = sensor.channels.remove(0);
    log.0.lock().unwrap().is_failing = true;
    assert_eq!(sensor.turn(&mut channel, &sink, &Stop::default()), Ok(false));
    log.0.lock().unwrap().is_failing = false;
    assert_eq!(sensor.turn(&mut channel, &sink, &Stop::default()), Ok(false));
    assert!(events.try_recv().is_err());
    clock.advance(5);
    assert_eq!(sensor.turn(&mut channel, &sink, &Stop::default()), Ok(false));
    assert_eq!(events.recv().unwrap().event.time, "1.0");
}
