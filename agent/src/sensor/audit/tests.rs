//! Kernel audit for real. One per machine: every test here is named `live_...`, takes a lock, and is skipped
//! with its reason where there is no root, no kernel audit, or another owner.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use ntk_evidence::event::Action;

use super::netlink::{ADD_RULE, AuditSocket, DEL_RULE, GET, LIST_RULES, SET};
use super::rules::watch_rules;
use super::status::{KernelState, MASK_ENABLED};
use super::*;
use crate::clock::RealClock;
use crate::sensor::{self, Sensed, SensorConfig, Started};

mod holes;
mod ladder;
mod locked;
mod tampers;

/// A login uid that no account of a test machine has.
const LOGIN_UID: u32 = 4242;

/// How long the slowest of these may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Held while a test uses the one kernel audit of the machine.
struct Turn {
    _lock: std::fs::File,
}

fn turn(test: &str) -> Option<Turn> {
    let lock = std::fs::File::create("/tmp/ntk-live-audit.lock").unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let state = AuditSocket::open().and_then(|mut socket| socket.ask(GET));
    let reason = match state.map(|bytes| KernelState::from_bytes(&bytes)) {
        Err(error) => format!("kernel audit does not answer ({error})"),
        Ok(state) if state.enabled == status::LOCKED => "kernel audit is locked".to_owned(),
        Ok(state) if state.owner_pid != 0 && Path::new(&format!("/proc/{}", state.owner_pid)).exists() => {
            format!("process {} owns kernel audit", state.owner_pid)
        }
        Ok(_) if Command::new("setpriv").arg("--version").output().is_err() => {
            "setpriv is missing".to_owned()
        }
        Ok(_) => return Some(Turn { _lock: lock }),
    };
    skipped(test, &reason);
    None
}

/// Says why a test does not run here, where `tests/run` counts it.
fn skipped(test: &str, reason: &str) {
    println!("skipped: {test}: {reason}");
    if let Some(skips) = std::env::var_os("NTK_SKIPS") {
        let mut file = std::fs::File::options().create(true).append(true).open(skips).unwrap();
        writeln!(file, "{test}: {reason}").unwrap();
    }
}

/// Everything that must be the same afterwards.
#[derive(Debug, PartialEq)]
struct Snapshot {
    state: KernelState,
    /// Their bytes' hashes, short.
    rules: Vec<String>,
}

fn snapshot() -> Snapshot {
    let mut socket = AuditSocket::open().unwrap();
    let mut state = KernelState::from_bytes(&socket.ask(GET).unwrap());
    (state.lost, state.backlog) = (0, 0);
    if !Path::new(&format!("/proc/{}", state.owner_pid)).exists() {
        state.owner_pid = 0;
    }
    let short = |rule: Vec<u8>| state_file::hex(&<sha2::Sha256 as sha2::Digest>::digest(rule)[..4]);
    Snapshot { state, rules: socket.ask_all(LIST_RULES).unwrap().into_iter().map(short).collect() }
}

/// A watched folder that everybody may enter.
struct Practice {
    _dir: tempfile::TempDir,
    root: PathBuf,
}

impl Practice {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir_in("/tmp").unwrap();
        let root = dir.path().join("exports");
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
        };
        std::fs::create_dir_all(root.join("secret")).unwrap();
        std::fs::create_dir_all(root.join("sub/deeper")).unwrap();
        for name in ["week.csv", "secret/deep.csv", "sub/one", "sub/deeper/two"] {
            std::fs::write(root.join(name), b"name,born\n").unwrap();
            mode(&root.join(name), 0o644);
        }
        mode(dir.path(), 0o755);
        mode(&root, 0o755);
        mode(&root.join("secret"), 0o700);
        Self { _dir: dir, root }
    }

    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    fn config(&self) -> SensorConfig {
        let watch = format!("{}=export:anna", self.root.display()).parse().unwrap();
        SensorConfig {
            channels: Vec::new(),
            channels_after: Default::default(),
            watches: WatchList::new(vec![watch]).unwrap(),
            observe: false,
            audit: true,
            sealed: false,
            fanotify: false,
            logs: false,
            log_files: Vec::new(),
            notify: false,
            recordings: None,
            state_file: self._dir.path().join("agent/audit-before.json"),
            clock: Arc::new(RealClock),
        }
    }
}

/// A started sensor and its events.
struct Sensing {
    started: Option<Started>,
    stop: Stop,
    events: Receiver<Sensed>,
    seen: Vec<Event>,
}

impl Sensing {
    fn start(practice: &Practice) -> Self {
        let sensing = Self::start_with(practice.config());
        assert_eq!(sensing.started().running.len(), 1, "{:?}", sensing.started().cannot_see);
        sensing
    }

    fn start_with(config: SensorConfig) -> Self {
        let stop = Stop::default();
        let (sink, events) = Sink::bounded(16_384, Arc::new(RealClock));
        let started = sensor::start(config, &sink, &stop);
        Self { started: Some(started), stop, events, seen: Vec::new() }
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

    fn access(&mut self, action: Action, path: &str) -> Event {
        self.wait_for(path, |event| {
            let at = event.object.as_ref().and_then(|object| object.path.as_deref());
            event.action.as_ref() == Some(&action) && at == Some(path)
        })
    }

    fn end(&mut self) -> Vec<Event> {
        self.stop.request();
        assert!(self.started.take().unwrap().join(DEADLINE));
        self.seen.extend(self.events.try_iter().map(|sensed| *sensed.event));
        std::mem::take(&mut self.seen)
    }

    fn started(&self) -> &Started {
        self.started.as_ref().unwrap()
    }
}

impl Drop for Sensing {
    /// A test that fails gives kernel audit back too.
    fn drop(&mut self) {
        self.stop.request();
        let _ = self.started.take().map(|started| started.join(DEADLINE));
    }
}

/// Runs a shell script as root in the session of a person, and gives what it printed.
fn root_person(script: &str) -> String {
    let script = format!("echo {LOGIN_UID} > /proc/self/loginuid || exit 9\n{script}");
    let output = Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command of a person: a login uid of its own, and the rights of nobody.
fn person(command: &[&str], cwd: &str) {
    // A fork, no exec: the kernel keeps the command line of a process's first record through an exec.
    let drop_rights = "setpriv --reuid 65534 --regid 65534 --clear-groups --";
    let script = format!("echo {LOGIN_UID} > /proc/self/loginuid && {drop_rights} \"$@\"; true");
    let mut child = Command::new("/bin/sh");
    child.args(["-c", &script, "person"]).args(command).current_dir(cwd);
    child.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    child.status().unwrap();
}

#[test]
fn live_a_read_names_the_person_and_leaves_audit_as_it_was() {
    let Some(_turn) = turn("live_a_read_names_the_person_and_leaves_audit_as_it_was") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    assert_eq!(sensing.started().running[0].name(), "linux-audit");
    person(&["cat", "week.csv"], &practice.path(""));
    let event = sensing.access(Action::Read, &practice.path("week.csv"));
    let actor = event.actor.unwrap();
    assert_eq!(actor.login_uid, Some(LOGIN_UID));
    assert_eq!(actor.confidence, Some(Confidence::Kernel));
    assert!(actor.session.is_some());
    assert_eq!(event.outcome, Some(Outcome::Success));
    let object = event.object.unwrap();
    assert_eq!((object.owner.as_deref(), object.class.unwrap().as_str()), (Some("anna"), "export"));
    let process = event.process.unwrap();
    assert_eq!(process.command.as_deref(), Some("cat week.csv"));
    let mut health = ntk_evidence::event::Health::default();
    sensing.started().fill(&mut health);
    assert_eq!((health.audit_enabled, health.audit_owner), (Some(1), Some(std::process::id())));
    assert_eq!(health.cannot_see, Vec::<String>::new());
    let events = sensing.end();
    let tampers: Vec<_> = events.iter().filter(|event| event.kind == Kind::Tamper).collect();
    assert!(tampers.is_empty(), "our own changes are no tampering: {tampers:#?}");
    let gaps: Vec<_> = events.iter().filter_map(|event| event.gap.as_ref()).collect();
    assert!(gaps.is_empty(), "nothing was lost: {gaps:#?}");
    assert_eq!(snapshot(), before);
}

#[test]
fn live_a_refusal_at_a_parent_folder_is_seen() {
    let Some(_turn) = turn("live_a_refusal_at_a_parent_folder_is_seen") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    // Relative, from below the watch; and one elsewhere, which is nobody's business.
    person(&["cat", "../secret/./deep.csv"], &practice.path("sub"));
    person(&["cat", "/root/.profile"], "/");
    let event = sensing.access(Action::Read, &practice.path("secret/deep.csv"));
    assert_eq!(event.outcome, Some(Outcome::Denied));
    assert_eq!(event.actor.unwrap().login_uid, Some(LOGIN_UID));
    let events = sensing.end();
    let elsewhere = |event: &&Event| {
        let object = event.object.as_ref();
        object.and_then(|object| object.path.as_deref()).is_some_and(|path| path.starts_with("/root"))
    };
    assert_eq!(events.iter().find(elsewhere), None);
    assert_eq!(snapshot(), before);
}

#[test]
fn live_names_that_start_at_an_open_folder_get_their_full_path() {
    let Some(_turn) = turn("live_names_that_start_at_an_open_folder_get_their_full_path") else { return };
    let practice = Practice::new();
    let mut sensing = Sensing::start(&practice);
    person(&["grep", "-r", "x", "sub"], &practice.path(""));
    sensing.access(Action::Read, &practice.path("sub/deeper/two"));
    assert!(Command::new("rm").args(["-rf", &practice.path("sub")]).status().unwrap().success());
    sensing.access(Action::Delete, &practice.path("sub/deeper/two"));
    sensing.access(Action::Delete, &practice.path("sub"));
    let events = sensing.end();
    let paths = events.iter().filter_map(|event| event.object.as_ref()?.path.clone());
    let root = practice.root.to_str().unwrap();
    let elsewhere: Vec<String> =
        paths.filter(|path| !path.starts_with(root) || path.contains("/.../")).collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn live_switching_audit_off_is_said_and_undone() {
    let Some(_turn) = turn("live_switching_audit_off_is_said_and_undone") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let mut stranger = AuditSocket::open().unwrap();
    let off = KernelState { enabled: 0, ..KernelState::default() };
    stranger.request(SET, &off.change(MASK_ENABLED)).unwrap();
    let is = |what: TamperKind| {
        move |event: &Event| event.tamper.as_ref().is_some_and(|tamper| tamper.what == what)
    };
    sensing.wait_for("audit_disabled", is(TamperKind::AuditDisabled));
    sensing.wait_for("its gap", |event| event.gap.as_ref().is_some_and(|gap| gap.cause == "audit_disabled"));
    let config = practice.config();
    let watch = config.watches.at(0).unwrap();
    let (_, rule) = &watch_rules(0, watch, &watch.path, true)[0];
    stranger.request(DEL_RULE, rule.bytes()).unwrap();
    let event = sensing.wait_for("rules_changed", is(TamperKind::RulesChanged));
    assert_eq!(event.tamper.unwrap().detail.as_deref(), Some("1 rules of this agent were removed"));
    person(&["cat", "week.csv"], &practice.path(""));
    sensing.access(Action::Read, &practice.path("week.csv"));
    sensing.end();
    assert_eq!(snapshot(), before);
}

/// Not a test by itself: holds kernel audit for [`live_after_a_kill_the_next_start_cleans_up`] until it is killed.
#[test]
fn live_holder() {
    let Some(root) = std::env::var_os("NTK_TEST_HOLD") else { return };
    let root = PathBuf::from(root);
    let dir = tempfile::tempdir().unwrap();
    let practice = Practice { root: root.clone(), _dir: dir };
    let config = SensorConfig {
        state_file: root.parent().unwrap().join("agent/audit-before.json"),
        ..practice.config()
    };
    let (sink, _events) = Sink::bounded(1024, Arc::new(RealClock));
    let started = sensor::start(config, &sink, &Stop::default());
    println!("\nholding {}", started.running.len());
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

fn hold_in_another_process(practice: &Practice) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "sensor::audit::tests::live_holder", "--nocapture", "--test-threads=1"]);
    command.env("NTK_TEST_HOLD", &practice.root).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.into_iter().any(|line| line == "holding 1"), "the other process did not take kernel audit");
    child
}

#[test]
fn live_after_a_kill_the_next_start_cleans_up() {
    let Some(_turn) = turn("live_after_a_kill_the_next_start_cleans_up") else { return };
    let practice = Practice::new();
    // Somebody else's rule, which must survive everything.
    let mut stranger = AuditSocket::open().unwrap();
    let watch: crate::watch_list::Watch = "/etc/hostname=system".parse().unwrap();
    let (_, foreign) = watch_rules(77, &watch, &watch.path, false).remove(0);
    stranger.request(ADD_RULE, foreign.bytes()).unwrap();
    let before = snapshot();
    let mut child = hold_in_another_process(&practice);
    let while_held = snapshot();
    assert!(while_held.rules.len() > before.rules.len());
    // A second agent does not fight for what a living one holds, and leaves its rules where they are.
    let config = SensorConfig { state_file: practice.root.join("elsewhere.json"), ..practice.config() };
    let mut second = Sensing::start_with(config);
    let mut health = ntk_evidence::event::Health::default();
    second.started().fill(&mut health);
    assert_eq!(health.audit_owner, Some(child.id()));
    assert!(health.cannot_see.iter().any(|sentence| sentence.contains(&child.id().to_string())));
    second.end();
    assert_eq!(snapshot().rules, while_held.rules, "the first one's rules are its own");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(snapshot().rules, while_held.rules, "a kill -9 leaves the rules");
    let mut sensing = Sensing::start(&practice);
    person(&["cat", "week.csv"], &practice.path(""));
    sensing.access(Action::Read, &practice.path("week.csv"));
    sensing.end();
    let after = snapshot();
    stranger.request(DEL_RULE, foreign.bytes()).unwrap();
    assert_eq!(after, before);
    assert!(!practice.config().state_file.exists());
}
