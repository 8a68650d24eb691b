//! The fallback sees opens and changes, and names nobody.

use std::time::Instant;

use super::*;
use crate::clock::RealClock;

fn sees(action: Action, path: &str, to: Option<&str>, act: impl FnOnce()) {
    SEES.with(|sees| sees.borrow_mut().sees(action, path, to, act));
}

thread_local! {
    static SEES: std::cell::RefCell<Sees> = std::cell::RefCell::new(Sees::start());
}

struct Sees {
    dir: tempfile::TempDir,
    events: std::sync::mpsc::Receiver<crate::sensor::Sensed>,
    stop: Stop,
}

impl Sees {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let watch = format!("{}/mail=mailbox:anna", dir.path().display()).parse().unwrap();
        std::fs::create_dir(dir.path().join("mail")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let sensor = WatchSensor::start(WatchList::new(vec![watch]).unwrap(), Arc::clone(&clock)).unwrap();
        assert_eq!(sensor.cannot_see().len(), 2);
        let (sink, events) = Sink::bounded(1024, clock);
        let stop = Stop::default();
        let ends = stop.clone();
        std::thread::spawn(move || sensor.run(&sink, &ends));
        Self { dir, events, stop }
    }

    fn sees(&mut self, action: Action, path: &str, to: Option<&str>, act: impl FnOnce()) {
        act();
        let deadline = Instant::now() + Duration::from_secs(20);
        let absolute = |path: &str| self.dir.path().join(path).to_str().unwrap().to_owned();
        let (path, to) = (absolute(path), to.map(absolute));
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            let Ok(sensed) = self.events.recv_timeout(Duration::from_millis(50)) else { continue };
            let object = sensed.event.object.clone().unwrap_or_default();
            if sensed.event.action.as_ref() == Some(&action)
                && object.path.as_ref() == Some(&path)
                && object.to == to
            {
                let actor = sensed.event.actor.unwrap();
                assert_eq!((actor.login_uid, actor.confidence), (None, Some(Confidence::Unattributed)));
                assert_eq!(object.owner.as_deref(), Some("anna"));
                return;
            }
            seen.push(sensed.event);
        }
        panic!("no {action} of {path} among {seen:#?}");
    }
}

impl Drop for Sees {
    fn drop(&mut self) {
        self.stop.request();
    }
}

#[test]
fn opens_and_changes_are_events_without_a_person() {
    let dir = SEES.with(|sees| sees.borrow().dir.path().to_owned());
    sees(Action::Create, "mail/1", None, || std::fs::write(dir.join("mail/1"), "x").unwrap());
    sees(Action::Read, "mail/1", None, || drop(std::fs::read(dir.join("mail/1")).unwrap()));
    // Listing is no event: the watcher lists folders itself, and one cannot be told from the other.
    assert_eq!(std::fs::read_dir(dir.join("mail")).unwrap().count(), 1);
    sees(Action::Rename, "mail/1", Some("mail/2"), || {
        std::fs::rename(dir.join("mail/1"), dir.join("mail/2")).unwrap()
    });
    sees(Action::Delete, "mail/2", None, || std::fs::remove_file(dir.join("mail/2")).unwrap());
}

#[test]
fn a_rename_out_of_the_watch_keeps_its_old_name() {
    let mut halves = Halves::default();
    let event = Event::new(Kind::FileAccess, "t");
    halves.open.push((Some(1), event.clone(), Duration::ZERO));
    halves.open.push((Some(2), event, Duration::ZERO));
    halves.joined(Some(1));
    assert_eq!(halves.expire(Duration::from_millis(900)).len(), 0);
    assert_eq!(halves.expire(HALF_WAIT).len(), 1);
}

#[test]
fn a_rescan_is_a_gap_before_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let watch = format!("{}=ehr", dir.path().display()).parse().unwrap();
    let sensor = WatchSensor::start(WatchList::new(vec![watch]).unwrap(), Arc::new(RealClock)).unwrap();
    let hint = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    let events = sensor.events(Ok(hint), "t", Duration::ZERO, &mut Halves::default());
    assert_eq!(events[0].gap.as_ref().unwrap().cause, "notify_rescan");
    assert_eq!(events[0].source.as_ref().unwrap().sensor.as_deref(), Some("notify"));
}
