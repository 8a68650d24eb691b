//! fanotify for real, as root: persons, subfolders, renames; and beside an audit that tells, or does not.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::*;
use crate::clock::RealClock;
use crate::host::Accounts;
use crate::sensor::sink::Sensed;

const DEADLINE: Duration = Duration::from_secs(20);
/// A login uid that no account of a test machine has.
const LOGIN_UID: u32 = 4243;

struct Rig {
    dir: tempfile::TempDir,
    root: PathBuf,
    standing: Arc<Standing>,
    stop: Stop,
    events: Receiver<Sensed>,
    seen: Vec<Event>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rig {
    fn start(test: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("exports");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("week.csv"), b"name\n").unwrap();
        std::fs::write(root.join("sub/one"), b"name\n").unwrap();
        let watch = format!("{}=export:anna", root.display()).parse().unwrap();
        let standing = Arc::<Standing>::default();
        let sensor = FanotifySensor::start(FanotifyConfig {
            watches: WatchList::new(vec![watch]).unwrap(),
            standing: Arc::clone(&standing),
            names: Box::new(Accounts::default()),
            clock: Arc::new(RealClock),
        });
        let sensor = match sensor {
            Ok(sensor) => sensor,
            Err(reason) => {
                crate::replay::tests::skipped(test, &reason);
                return None;
            }
        };
        let stop = Stop::default();
        let (sink, events) = Sink::bounded(4096, Arc::new(RealClock));
        let ended = stop.clone();
        let thread = Some(std::thread::spawn(move || sensor.run(&sink, &ended)));
        Some(Self { dir, root, standing, stop, events, seen: Vec::new(), thread })
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn wait_for(&mut self, what: &str, found: impl Fn(&Event) -> bool) -> Event {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            if let Ok(sensed) = self.events.recv_timeout(Duration::from_millis(50)) {
                self.seen.push(*sensed.event);
            }
            if let Some(event) = self.seen.iter().find(|event| found(event)) {
                return event.clone();
            }
        }
        panic!("no {what} among {:#?}", self.seen);
    }

    #[track_caller]
    fn access(&mut self, action: Action, path: &str) -> Event {
        self.wait_for(&format!("{action} of {path}"), |event| {
            let at = event.object.as_ref().and_then(|object| object.path.as_deref());
            event.action.as_ref() == Some(&action) && at == Some(path)
        })
    }

    fn end(&mut self) -> Vec<Event> {
        self.stop.request();
        self.thread.take().unwrap().join().unwrap();
        self.seen.extend(self.events.try_iter().map(|sensed| *sensed.event));
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.request();
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
        let _ = self.dir.path();
    }
}

/// A person who opens a file and stays until told: a process that still lives can be asked for.
fn reader(path: &str) -> std::process::Child {
    let script = format!("echo {LOGIN_UID} > /proc/self/loginuid; exec 3< \"$1\"; echo open; read x; true");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &script, "reader", path])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert_eq!(line, "open\n");
    child
}

fn end(mut child: std::process::Child) {
    drop(child.stdin.take());
    child.wait().unwrap();
}

fn is_tamper(event: &Event) -> bool {
    event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::RecordGap)
}

#[test]
fn an_open_names_the_person_from_the_living_process() {
    let Some(mut rig) = Rig::start("an_open_names_the_person") else { return };
    let child = reader(&rig.path("week.csv"));
    let pid = child.id();
    let event = rig.access(Action::Read, &rig.path("week.csv"));
    end(child);
    let (actor, process) = (event.actor.unwrap(), event.process.unwrap());
    assert_eq!(process.pid, Some(pid));
    assert!(process.exe.is_some_and(|exe| exe.contains("sh")));
    let own = std::fs::read_to_string("/proc/self/loginuid").unwrap();
    if own.trim() == u32::MAX.to_string() {
        assert_eq!(actor.login_uid, Some(LOGIN_UID));
        assert_eq!(actor.confidence, Some(Confidence::Derived));
    }
    let object = event.object.unwrap();
    assert_eq!((object.owner.as_deref(), object.class.unwrap().as_str()), (Some("anna"), "export"));
    assert_eq!(event.source.unwrap().sensor.as_deref(), Some("fanotify"));
}

#[test]
fn a_process_without_a_login_or_without_life_is_unattributed_with_the_reason() {
    let names = Accounts::default();
    let (actor, process) = who::who(u32::MAX - 7, None, &names);
    assert_eq!((actor.because, process.pid), (Some(Because::ProcessEnded), Some(u32::MAX - 7)));
    // A number that is alive, under a descriptor that is none of it: it may be another process by now.
    let (actor, process) = who::who(std::process::id(), Some(i32::MAX), &names);
    assert_eq!((actor.because, process.exe), (Some(Because::ProcessEnded), None));
}

#[test]
fn new_folders_are_watched_renames_have_both_names_and_what_is_deleted_is_told() {
    let Some(mut rig) = Rig::start("new_folders_are_watched") else { return };
    let [deep, file, moved] = ["new/deep", "new/deep/x", "new/deep/y"].map(|name| rig.path(name));
    assert!(Command::new("mkdir").args(["-p", &deep]).status().unwrap().success());
    rig.access(Action::Create, &deep);
    assert!(Command::new("touch").arg(&file).status().unwrap().success());
    rig.access(Action::Create, &file);
    assert!(Command::new("mv").args([&file, &moved]).status().unwrap().success());
    let event = rig.access(Action::Rename, &file);
    assert_eq!(event.object.unwrap().to, Some(moved));
    let [from, to] = ["new", "other"].map(|name| rig.path(name));
    assert!(Command::new("mv").args([&from, &to]).status().unwrap().success());
    rig.access(Action::Rename, &from);
    let inside = rig.path("other/deep/y");
    assert!(Command::new("sh").args(["-c", &format!("echo x >> {inside}")]).status().unwrap().success());
    rig.access(Action::Write, &inside);
    assert!(Command::new("rm").arg(&inside).status().unwrap().success());
    rig.access(Action::Delete, &inside);
    assert!(Command::new("ls").arg(rig.path("sub")).stdout(Stdio::null()).status().unwrap().success());
    rig.access(Action::List, &rig.path("sub"));
    let own: Vec<Event> = rig.end();
    std::fs::read(rig.path("week.csv")).unwrap();
    let pid = std::process::id();
    assert!(!own.iter().any(|event| event.process.as_ref().is_some_and(|process| process.pid == Some(pid))));
}

#[test]
fn beside_audit_only_an_open_without_a_record_is_news() {
    let Some(mut rig) = Rig::start("beside_audit") else { return };
    rig.standing.set(true, true);
    // The first turn after the change: nothing that was seen before it is in doubt.
    let told = rig.standing.path(&rig.path("week.csv"));
    rig.standing.tell([told]);
    end(reader(&rig.path("week.csv")));
    rig.standing.tell([told]);
    end(reader(&rig.path("sub/one")));
    let event = rig.wait_for("record_gap", is_tamper);
    let object = event.object.unwrap();
    assert_eq!(object.path, Some(rig.path("sub/one")));
    assert!(event.process.unwrap().pid.is_some());
    let detail = event.tamper.unwrap().detail.unwrap();
    assert!(detail.contains("kernel audit made no record of it") && !detail.contains("exports"), "{detail}");
    rig.access(Action::Read, &rig.path("sub/one"));
    let week = rig.path("week.csv");
    let events = rig.end();
    let of_week = events
        .iter()
        .filter(|event| event.object.as_ref().is_some_and(|object| object.path.as_ref() == Some(&week)));
    assert_eq!(of_week.filter(|event| is_tamper(event)).count(), 0, "{events:#?}");
}

#[test]
fn when_audit_ends_what_waited_is_told_at_once() {
    let Some(mut rig) = Rig::start("when_audit_ends") else { return };
    rig.standing.set(true, true);
    let standing = Arc::clone(&rig.standing);
    end(reader(&rig.path("sub/one")));
    standing.lost();
    standing.set(false, false);
    rig.access(Action::Read, &rig.path("sub/one"));
    assert!(!rig.end().iter().any(is_tamper), "audit's end is told elsewhere");
}
