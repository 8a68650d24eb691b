//! Beside a real auditd, and blinded for one person: audit as it is on other people's machines.

use std::process::{Child, Command, Stdio};

use super::super::hold::another;
use super::super::rules::Rule;
use super::*;
use crate::sensor::fanotify;

/// auditd in the foreground with a folder of its own; ended when this goes.
struct Auditd {
    child: Child,
    _dir: tempfile::TempDir,
}

impl Auditd {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("audit.log");
        let config = format!(
            "log_file = {}\nlog_format = RAW\nflush = NONE\nwrite_logs = yes\nlocal_events = yes\n\
             space_left_action = IGNORE\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n\
             max_log_file = 8\nmax_log_file_action = IGNORE\nspace_left = 2\nadmin_space_left = 1\n",
            log.display()
        );
        std::fs::write(dir.path().join("auditd.conf"), config).unwrap();
        std::fs::create_dir(dir.path().join("plugins.d")).unwrap();
        let mut command = Command::new("/sbin/auditd");
        command
            .args(["-n", "-c"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let auditd = Self { child, _dir: dir };
        let deadline = Instant::now() + DEADLINE;
        while owner() != auditd.child.id() {
            assert!(Instant::now() < deadline, "auditd does not own kernel audit, but {}", owner());
            std::thread::yield_now();
        }
        auditd
    }

    /// Ended at once, as by a crash; the kernel finds out by itself.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A rule of somebody else, gone when this goes, also when a test fails.
struct Foreign(Rule);

impl Foreign {
    fn add(rule: &Rule, listed: Rule) -> Self {
        AuditSocket::open().unwrap().request(ADD_RULE, rule.bytes()).unwrap();
        Self(listed)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let removed = AuditSocket::open().and_then(|mut socket| socket.request(DEL_RULE, self.0.bytes()));
        removed.into_iter().for_each(drop);
    }
}

fn owner() -> u32 {
    KernelState::from_bytes(&AuditSocket::open().unwrap().ask(GET).unwrap()).owner_pid
}

/// Puts the kernel's switches back to what they were before an auditd changed them.
struct Restored(KernelState);

impl Drop for Restored {
    fn drop(&mut self) {
        let mut socket = AuditSocket::open().unwrap();
        let masks = status::MASK_BACKLOG_LIMIT | status::MASK_BACKLOG_WAIT;
        socket.request(SET, &self.0.change(masks)).unwrap();
        socket.request(SET, &self.0.change(MASK_ENABLED)).unwrap();
    }
}

fn restored() -> Restored {
    Restored(KernelState::from_bytes(&AuditSocket::open().unwrap().ask(GET).unwrap()))
}

fn missing_auditd(test: &str) -> bool {
    let is_missing = !Path::new("/sbin/auditd").exists();
    if is_missing {
        crate::replay::tests::skipped(test, "auditd is not installed");
    }
    is_missing
}

fn health(sensing: &Sensing) -> ntk_evidence::event::Health {
    let mut health = ntk_evidence::event::Health::default();
    sensing.started().fill(&mut health);
    health
}

#[track_caller]
fn until(what: &str, mut found: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !found() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::yield_now();
    }
}

#[test]
fn live_beside_an_auditd_everything_is_heard_and_its_end_is_taken_over() {
    let test = "live_beside_an_auditd_everything_is_heard_and_its_end_is_taken_over";
    let Some(_turn) = turn(test) else { return };
    if missing_auditd(test) {
        return;
    }
    let practice = Practice::new();
    let before = snapshot();
    let restored = restored();
    // Somebody else's rule, which must survive everything.
    let watch: crate::watch_list::Watch = "/etc/hostname=system".parse().unwrap();
    let (_, foreign) = watch_rules(77, &watch, &watch.path, false).remove(0);
    let foreign = Foreign::add(&foreign, foreign.clone());
    let auditd = Auditd::start();
    let beside = snapshot();

    let mut sensing = Sensing::start(&practice);
    let (owner_pid, told) = (auditd.child.id(), health(&sensing));
    assert_eq!(told.audit_owner, Some(owner_pid), "it is not fought for");
    assert!(
        told.cannot_see.iter().any(|line| line.contains(&format!("belongs to process {owner_pid}"))),
        "{told:?}"
    );
    person(&["cat", "week.csv"], &practice.path(""));
    let event = sensing.access(Action::Read, &practice.path("week.csv"));
    let actor = event.actor.unwrap();
    assert_eq!((actor.login_uid, actor.confidence), (Some(LOGIN_UID), Some(Confidence::Kernel)));
    person(&["cat", "secret/deep.csv"], &practice.path(""));
    let event = sensing.access(Action::Read, &practice.path("secret/deep.csv"));
    assert_eq!(event.outcome, Some(Outcome::Denied));
    assert_eq!(owner(), owner_pid);

    auditd.kill();
    until("the takeover", || owner() == std::process::id());
    until("its telling", || health(&sensing).audit_owner == Some(std::process::id()));
    assert!(!health(&sensing).cannot_see.iter().any(|line| line.contains("belongs to process")));
    person(&["cat", "sub/one"], &practice.path(""));
    sensing.access(Action::Read, &practice.path("sub/one"));
    let events = sensing.end();
    let n_of = |path: &str| {
        let is_it = |event: &&Event| {
            let object = event.object.as_ref();
            event.action == Some(Action::Read)
                && object.and_then(|object| object.path.as_deref()) == Some(path)
        };
        events.iter().filter(is_it).map(|event| event.count.unwrap_or(1)).sum::<u64>()
    };
    assert_eq!((n_of(&practice.path("week.csv")), n_of(&practice.path("sub/one"))), (1, 1), "{events:#?}");
    let gaps: Vec<_> = events.iter().filter_map(|event| event.gap.as_ref()).collect();
    assert!(gaps.is_empty(), "nothing was lost: {gaps:#?}");
    assert_eq!(snapshot().rules, beside.rules, "ours are gone, the others are there");
    drop(foreign);
    drop(restored);
    assert_eq!(snapshot(), before);
}

#[test]
fn live_beside_an_auditd_that_goes_on_its_state_stays_its_own() {
    let test = "live_beside_an_auditd_that_goes_on_its_state_stays_its_own";
    let Some(_turn) = turn(test) else { return };
    if missing_auditd(test) {
        return;
    }
    let practice = Practice::new();
    let restored = restored();
    let auditd = Auditd::start();
    let beside = snapshot();
    let mut sensing = Sensing::start(&practice);
    assert!(snapshot().rules.len() > beside.rules.len());
    // Switched off by its side: said, and left to its owner.
    let mut stranger = AuditSocket::open().unwrap();
    let off = KernelState { enabled: 0, ..KernelState::default() };
    stranger.request(SET, &off.change(MASK_ENABLED)).unwrap();
    sensing.wait_for("audit_disabled", |event| {
        event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::AuditDisabled)
    });
    until("the sentence", || health(&sensing).cannot_see.iter().any(|line| line.contains("is switched off")));
    stranger.request(SET, &KernelState { enabled: 1, ..off }.change(MASK_ENABLED)).unwrap();
    until("its end", || !health(&sensing).cannot_see.iter().any(|line| line.contains("is switched off")));
    person(&["cat", "week.csv"], &practice.path(""));
    sensing.access(Action::Read, &practice.path("week.csv"));
    let events = sensing.end();
    let n_disabled =
        events.iter().filter(|event| event.gap.as_ref().is_some_and(|gap| gap.cause == "audit_disabled"));
    assert_eq!(n_disabled.count(), 1, "told once, not every two seconds");
    assert_eq!(snapshot(), beside);
    drop((auditd, restored));
}

/// `never,exit -F auid=LOGIN_UID`: what this person does makes no record.
fn never(person: u32, filter: u32) -> Rule {
    const FIELD_LOGIN_UID: u32 = 9;
    const EQUAL: u32 = 0x4000_0000;
    let mut words = vec![filter, 0, 1];
    words.extend([u32::MAX; 64]);
    for first in [FIELD_LOGIN_UID, person, EQUAL] {
        words.push(first);
        words.extend([0; 63]);
    }
    words.push(0);
    Rule::from_bytes(words.into_iter().flat_map(u32::to_ne_bytes).collect())
}

#[test]
fn live_an_open_that_audit_was_made_blind_to_is_told_by_the_comparison() {
    let test = "live_an_open_that_audit_was_made_blind_to_is_told_by_the_comparison";
    let Some(_turn) = turn(test) else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start_with(SensorConfig { fanotify: true, ..practice.config() });
    if !health(&sensing).sensors.iter().any(|name| name == fanotify::SENSOR) {
        crate::replay::tests::skipped(test, &format!("{:?}", sensing.started().cannot_see));
        return;
    }
    // It stays for a moment: a process that still lives can be asked who it is.
    let open = |name: &str| person(&["sh", "-c", &format!("exec 3< {name}; sleep 1")], &practice.path(""));
    // The twin without the attack: audit tells of it, and nothing is news.
    open("week.csv");
    sensing.access(Action::Read, &practice.path("week.csv"));
    // Before every other rule, which is only said when it is added.
    let (filter, first) = (4, 0x10);
    let blinding = Foreign::add(&never(LOGIN_UID, filter | first), never(LOGIN_UID, filter));
    open("sub/one");
    let event = sensing.wait_for("record_gap", |event| {
        event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::RecordGap)
    });
    drop(blinding);
    assert_eq!(event.object.unwrap().path, Some(practice.path("sub/one")));
    let actor = event.actor.unwrap();
    assert_eq!((actor.login_uid, actor.confidence), (Some(LOGIN_UID), Some(Confidence::Derived)));
    assert!(event.process.unwrap().pid.is_some());
    let read = sensing.access(Action::Read, &practice.path("sub/one"));
    assert_eq!(
        read.source.unwrap().sensor.as_deref(),
        Some(fanotify::SENSOR),
        "the access itself is told, too"
    );
    let events = sensing.end();
    let gaps: Vec<&Event> = events
        .iter()
        .filter(|event| event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::RecordGap))
        .collect();
    let week = practice.path("week.csv");
    let of_week =
        |event: &&&Event| event.object.as_ref().is_some_and(|object| object.path.as_ref() == Some(&week));
    assert_eq!(gaps.iter().filter(of_week).count(), 0, "{gaps:#?}");
    assert_eq!(snapshot(), before);
}

#[test]
fn live_bulk_reads_beside_audit_are_no_news() {
    let test = "live_bulk_reads_beside_audit_are_no_news";
    let Some(_turn) = turn(test) else { return };
    let practice = Practice::new();
    for n in 0..2000 {
        std::fs::write(practice.root.join(format!("sub/{n}")), b"x").unwrap();
    }
    let mut sensing = Sensing::start_with(SensorConfig { fanotify: true, ..practice.config() });
    for round in 0..3 {
        person(&["grep", "-r", "nothing", "sub"], &practice.path(""));
        sensing.access(Action::Read, &practice.path(&format!("sub/{round}")));
    }
    let deadline = Instant::now() + sensor::cross_check::TOLD_WITHIN + Duration::from_secs(2);
    while Instant::now() < deadline {
        if let Ok(sensed) = sensing.events.recv_timeout(Duration::from_millis(50)) {
            sensing.seen.push(*sensed.event);
        }
    }
    let news: Vec<Event> = sensing
        .end()
        .into_iter()
        .filter(|event| {
            event.tamper.is_some()
                || event
                    .source
                    .as_ref()
                    .is_some_and(|source| source.sensor.as_deref() == Some(fanotify::SENSOR))
        })
        .collect();
    let kinds: Vec<String> = news.iter().map(|event| format!("{} {}", event.kind, event.time)).collect();
    assert!(news.is_empty(), "{} {:?} {:#?}", news.len(), kinds, news.first());
}

#[test]
fn live_a_lost_place_is_told_and_whoever_has_it_is_listened_to() {
    let test = "live_a_lost_place_is_told_and_whoever_has_it_is_listened_to";
    let Some(_turn) = turn(test) else { return };
    if missing_auditd(test) {
        return;
    }
    let practice = Practice::new();
    let before = snapshot();
    let restored = restored();
    let config = practice.config();
    let standing = Arc::<Standing>::default();
    let mut sensor = AuditSensor::take(AuditConfig {
        sealed: false,
        watches: config.watches,
        state_file: config.state_file,
        names: Box::new(host::Accounts::default()),
        clock: config.clock,
        standing: Arc::clone(&standing),
        fingerprints: Arc::default(),
    })
    .unwrap();
    let is_silent =
        |events: &[Event]| !events.iter().any(|event| event.tamper.is_some() || event.gap.is_some());
    assert!(is_silent(&sensor.look(Duration::from_secs(1))), "the twin: nothing happened");
    assert!(standing.sees_files() && standing.sees_logins());

    // Its socket breaks, as when somebody closes it from outside; the kernel finds out, and an auditd is faster.
    sensor.drain_stop.request();
    until("the socket's end", || sensor.drain.has_ended());
    person(&["cat", "week.csv"], &practice.path(""));
    until("the kernel to give it up", || owner() != std::process::id());
    let auditd = Auditd::start();
    let events = sensor.look(Duration::from_secs(2));
    let told = |what: &str| {
        let fits = |event: &&Event| {
            let tamper = event.tamper.as_ref().is_some_and(|tamper| tamper.what.as_str() == what);
            tamper || event.gap.as_ref().is_some_and(|gap| gap.cause == what)
        };
        events.iter().filter(fits).count()
    };
    assert_eq!((told("audit_policy_changed"), told("owner_changed")), (1, 1), "{events:#?}");
    assert_eq!(sensor.hold.role(), Role::Listener);
    let sentences = sensor.cannot_see().lock().unwrap().clone();
    assert!(sentences.iter().any(|line| line.contains(&auditd.child.id().to_string())), "{sentences:?}");
    assert!(standing.sees_files(), "its rules are there");
    assert!(is_silent(&sensor.look(Duration::from_secs(3))), "told once");

    // And nobody in its place: the owner again, once told.
    auditd.kill();
    until("its end to be seen", || !another(owner()));
    let events = sensor.look(Duration::from_secs(4));
    assert_eq!((sensor.hold.role(), owner()), (Role::Owner, std::process::id()), "{events:#?}");
    sensor.hold.give_back();
    drop(sensor);
    drop(restored);
    assert_eq!(snapshot(), before);
}
