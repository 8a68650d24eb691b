//! Whether Windows records what this agent is to tell: its audit policy, the entries for auditing on watched folders and its
//! Security log, looked at again and again and compared with the list of [`ntk_windows::audit_policy`].
//!
//! ```text
//! System (audit_policy_ffi, or a test's) -> Found -> differences -> cannot_see of health, and what became worse as a tamper event
//! ```
//! Looks are at the start, every [`LOOK_EVERY`], and soon after a record that says that somebody changed any of it
//! (4719, 4907, 4670). Such a record names who did it; the event of this sensor says what is not recorded from now on, and comes
//! even where the record does not: policy can be taken away so that nobody records that.
//!
//! What was so at the first look is told by health entries alone: who made it so, and when, nobody here knows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ntk_evidence::event::{Event, Kind, Object, OtherFields, Source, Tamper, TamperKind};
use ntk_windows::audit_policy::{Difference, Found, SCRIPT, Wanted, sentences, worse};

use super::sink::{Sensed, Sink};
use super::standing::Standing;
use super::stop::Stop;
use crate::clock::{self, Clock};
use crate::watch_list::WatchList;

/// Name of this sensor in events.
pub const SENSOR: &str = "audit-policy";

/// Time between two looks that nothing asked for.
const LOOK_EVERY: Duration = Duration::from_secs(300);
/// How soon a look follows a record that asks for one: a policy that is set in many steps is looked at once.
const STEP: Duration = Duration::from_secs(2);

/// Records after which the machine is looked at: audit policy (4719, 4906), access lists for auditing (4907), rights (4670), a
/// log that was cleared (1102).
pub const ASKS: &[u32] = &[1102, 4670, 4719, 4906, 4907];

/// What the machine answers.
pub trait System: Send {
    /// Looks at everything; `watched` are paths as the system writes them.
    fn look(&self, watched: &[String]) -> Found;
}

/// Paths whose accesses the event log is to tell: decoys too, guards of our own folder not.
pub fn watched(watches: &WatchList) -> Vec<String> {
    watches.iter().filter(|watch| watch.is_asset()).map(|watch| watch.path.clone()).collect()
}

/// What a machine does not record, each with what to do about it, or nothing.
pub fn to_do(system: &dyn System, watches: &WatchList) -> Vec<String> {
    let there: Vec<String> = watched(watches).into_iter().filter(|path| Path::new(path).exists()).collect();
    let differences = Wanted::built_in().differences(&system.look(&there));
    let (unread, known): (BTreeSet<_>, BTreeSet<_>) =
        differences.into_iter().partition(|one| matches!(one, Difference::Unread(..)));
    let with = |differences: &BTreeSet<Difference>, what: &str| -> Vec<String> {
        sentences(differences).into_iter().map(|sentence| format!("{sentence}; {what}")).collect()
    };
    let mut lines = with(&known, &format!("run {SCRIPT} as an administrator"));
    lines.extend(with(&unread, "ask again as an administrator"));
    lines
}

/// Compares the machine with the list.
pub struct AuditPolicySensor {
    system: Box<dyn System>,
    watches: WatchList,
    watched: Vec<String>,
    clock: Arc<dyn Clock>,
    last: Option<Last>,
}

/// The look before this one.
struct Last {
    differences: BTreeSet<Difference>,
    folders: BTreeSet<String>,
}

impl AuditPolicySensor {
    /// Of a machine and its watches.
    pub fn new(system: Box<dyn System>, watches: &WatchList, clock: Arc<dyn Clock>) -> Self {
        Self { system, watches: watches.clone(), watched: watched(watches), clock, last: None }
    }

    /// Looks: sentences about what is not recorded, and events of what became worse since the look before.
    pub fn look(&mut self) -> (Vec<String>, Vec<Event>) {
        let there: Vec<String> =
            self.watched.iter().filter(|path| Path::new(path).exists()).cloned().collect();
        self.look_at(&there)
    }

    fn look_at(&mut self, there: &[String]) -> (Vec<String>, Vec<Event>) {
        let found = self.system.look(there);
        let differences = Wanted::built_in().differences(&found);
        let now = clock::text(self.clock.now());
        let events = match &self.last {
            Some(last) => {
                let worse = worse(&last.differences, &last.folders, &differences);
                worse.into_iter().map(|difference| self.event(difference, &now)).collect()
            }
            None => Vec::new(),
        };
        let sentences = sentences(&differences);
        self.last = Some(Last { differences, folders: found.folders.into_keys().collect() });
        (sentences, events)
    }

    fn event(&self, difference: &Difference, now: &str) -> Event {
        let mut event = Event::new(Kind::Tamper, now);
        let what = match difference {
            Difference::Folder { .. } => TamperKind::SaclChanged,
            _ => TamperKind::AuditPolicyChanged,
        };
        event.tamper = Some(Tamper { what, detail: Some(difference.detail()), other: OtherFields::new() });
        let watch = difference.path().and_then(|path| self.watches.iter().find(|watch| watch.path == path));
        event.object = watch.map(|watch| Object {
            path: Some(watch.path.clone()),
            owner: watch.owner.clone(),
            class: Some(watch.class.clone()),
            ..Object::default()
        });
        event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
        event
    }

    /// Looks until the stop.
    pub fn run(mut self, cannot_see: &Mutex<Vec<String>>, standing: &Standing, sink: &Sink, stop: &Stop) {
        let mut waited = LOOK_EVERY;
        loop {
            if standing.policy_is_asked() || waited >= LOOK_EVERY {
                waited = Duration::ZERO;
                let (sentences, events) = self.look();
                *cannot_see.lock().unwrap_or_else(PoisonError::into_inner) = sentences;
                for event in events {
                    let sensed = Sensed { event: Box::new(event), position: None, passed: None };
                    if sink.send(sensed).is_err() {
                        return;
                    }
                }
            }
            if stop.wait(STEP) {
                return;
            }
            waited = waited.saturating_add(STEP);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ntk_windows::audit_policy::{Descriptor, SecurityLog, Setting};

    use super::*;
    use crate::clock::fake::FakeClock;

    /// A machine that answers what the test says.
    #[derive(Clone)]
    struct FakeSystem(Arc<Mutex<Found>>);

    impl System for FakeSystem {
        fn look(&self, watched: &[String]) -> Found {
            let mut found = self.0.lock().unwrap().clone();
            found.folders.retain(|path, _| watched.contains(path));
            found
        }
    }

    const EVERYONE: &str = "S:AI(AU;OICISAFA;CCDCLCSDWDWO;;;WD)";

    fn in_order() -> Found {
        let on = Setting { success: true, failure: true };
        let parts = &Wanted::built_in().subcategories;
        let descriptor = Descriptor { text: EVERYONE.to_owned(), is_folder: true };
        Found {
            is_server: false,
            settings: Ok(parts.iter().map(|part| (part.guid.clone(), on)).collect()),
            is_subcategory_forced: Ok(true),
            log: Ok(SecurityLog { bytes_max: 1 << 30, stops_when_full: false }),
            folders: BTreeMap::from([(r"C:\exports".to_owned(), Ok(descriptor))]),
        }
    }

    fn sensor() -> (AuditPolicySensor, Arc<Mutex<Found>>) {
        let system = FakeSystem(Arc::new(Mutex::new(in_order())));
        let found = Arc::clone(&system.0);
        let watches = WatchList::new(vec!["c:/exports=export".parse().unwrap()]).unwrap();
        let sensor = AuditPolicySensor::new(Box::new(system), &watches, Arc::new(FakeClock::default()));
        assert_eq!(sensor.watched, [r"C:\exports"]);
        (sensor, found)
    }

    fn look(sensor: &mut AuditPolicySensor) -> (usize, Vec<String>) {
        let there = sensor.watched.clone();
        let (sentences, events) = sensor.look_at(&there);
        let told = events.iter().map(|event| {
            let tamper = event.tamper.as_ref().unwrap();
            let path = event.object.as_ref().and_then(|object| object.path.clone()).unwrap_or_default();
            format!("{} {path}: {}", tamper.what, tamper.detail.clone().unwrap_or_default())
        });
        (sentences.len(), told.collect())
    }

    #[test]
    fn what_is_taken_away_is_told_once_and_not_seen_from_then_on() {
        let (mut sensor, found) = sensor();
        assert_eq!(look(&mut sensor), (0, vec![]));
        let files = Wanted::built_in().subcategories.iter().find(|part| part.name == "File System").unwrap();
        let off = Setting { success: false, failure: true };
        found.lock().unwrap().settings.as_mut().unwrap().insert(files.guid.clone(), off);
        let told = "audit_policy_changed : File System: success is not recorded any more".to_owned();
        assert_eq!(look(&mut sensor), (1, vec![told]));
        assert_eq!(look(&mut sensor), (1, vec![]));
        let emptied = Descriptor { text: "S:AI".to_owned(), is_folder: true };
        found.lock().unwrap().folders.insert(r"C:\exports".to_owned(), Ok(emptied));
        let (n_sentences, told) = look(&mut sensor);
        assert_eq!(n_sentences, 2);
        assert_eq!(
            told,
            [
                r"sacl_changed C:\exports: the entry for auditing of a watched folder: success is not recorded any more",
                r"sacl_changed C:\exports: the entry for auditing of a watched folder: failure is not recorded any more"
            ]
        );
        *found.lock().unwrap() = in_order();
        assert_eq!(look(&mut sensor), (0, vec![]), "put right: health says so");
    }

    #[test]
    fn what_was_so_at_the_start_is_nobodys_act() {
        let (mut sensor, found) = sensor();
        found.lock().unwrap().settings = Ok(BTreeMap::new());
        let (n_sentences, told) = look(&mut sensor);
        assert_eq!((n_sentences, told), (15, vec![]), "all but what servers alone have");
    }

    /// EV-2 in spirit: a system that answers nothing, as Wine does, is never in order.
    #[test]
    fn a_system_that_cannot_be_read_is_never_in_order() {
        let (mut sensor, found) = sensor();
        let why = || "not here".to_owned();
        let folder = (r"C:\exports".to_owned(), Err(why()));
        *found.lock().unwrap() = Found {
            is_server: false,
            settings: Err(why()),
            is_subcategory_forced: Err(why()),
            log: Err(why()),
            folders: BTreeMap::from([folder]),
        };
        let there = sensor.watched.clone();
        let (sentences, events) = sensor.look_at(&there);
        assert_eq!(events, []);
        assert_eq!(sentences.len(), 4);
        assert!(sentences.iter().all(|sentence| sentence.contains("could not be read (not here)")));
    }

    #[test]
    fn each_line_of_a_check_says_what_to_do() {
        let watches = WatchList::new(Vec::new()).unwrap();
        let mut found = in_order();
        found.is_subcategory_forced = Ok(false);
        found.log = Err("access is denied".to_owned());
        let lines = to_do(&FakeSystem(Arc::new(Mutex::new(found))), &watches);
        assert!(
            lines[0].ends_with("is not 1; run deploy/windows/audit-policy.ps1 as an administrator"),
            "{lines:?}"
        );
        assert!(lines[1].ends_with("(access is denied); ask again as an administrator"), "{lines:?}");
        let lines = to_do(&FakeSystem(Arc::new(Mutex::new(in_order()))), &watches);
        assert_eq!(lines, Vec::<String>::new());
    }

    #[test]
    fn a_record_of_a_change_has_the_machine_looked_at_at_once() {
        let (sensor, found) = sensor();
        let standing = Arc::<Standing>::default();
        let (sink, _events) = Sink::bounded(9, Arc::new(FakeClock::default()));
        let (stop, cannot_see) = (Stop::default(), Arc::<Mutex<Vec<String>>>::default());
        let theirs = (Arc::clone(&cannot_see), Arc::clone(&standing), stop.clone());
        let thread = std::thread::spawn(move || sensor.run(&theirs.0, &theirs.1, &sink, &theirs.2));
        found.lock().unwrap().is_subcategory_forced = Ok(false);
        standing.ask_policy();
        let began = std::time::Instant::now();
        while cannot_see.lock().unwrap().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody looked");
            std::thread::yield_now();
        }
        stop.request();
        thread.join().unwrap();
    }
}
