//! Logs that are written while they are followed.

use std::fs::File;
use std::io::Write as _;
use std::sync::mpsc::Receiver;

use super::*;
use crate::auth_log::tests::record;
use crate::clock::fake::FakeClock;
use crate::sensor::fingerprints::Opened;
use crate::sensor::sink::Sensed;

const KEY: &str = "SHA256:5xyQ+PG1Z3CIiShclJ2iNya5TOdKDgE/HrOXr21IdOo";

struct Rig {
    folder: tempfile::TempDir,
    sensor: LogsSensor,
    sink: Sink,
    events: Receiver<Sensed>,
    clock: Arc<FakeClock>,
}

impl Rig {
    fn start(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        files.iter().for_each(|path| std::fs::write(path, "").unwrap());
        let clock = Arc::new(FakeClock::default());
        let config = LogsConfig {
            files,
            standing: Arc::default(),
            fingerprints: Arc::default(),
            clock: clock.clone(),
        };
        let sensor = LogsSensor::start(config).unwrap();
        let (sink, events) = Sink::bounded(100, clock.clone());
        Self { folder, sensor, sink, events, clock }
    }

    fn append(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        File::options().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn look(&mut self) -> Vec<String> {
        for _ in 0..3 {
            let events = self.sensor.look();
            self.sensor.hand_over(events, &self.sink).unwrap();
        }
        let shown = |sensed: Sensed| {
            let event = *sensed.event;
            let actor = event.actor.unwrap_or_default();
            let tamper = event.tamper.and_then(|tamper| tamper.detail);
            let gap = event.gap.map(|gap| gap.cause);
            let what = actor.login_user.or(actor.claims).or(tamper).or(gap).unwrap_or_default();
            format!("{} {} {what}", event.time, event.kind)
        };
        self.events.try_iter().map(shown).collect()
    }
}

#[test]
fn a_login_in_the_log_is_an_event_and_its_key_is_known() {
    let mut rig = Rig::start(&["auth.log", "wtmp", "btmp"]);
    assert!(rig.sensor.config.fingerprints.is_fed());
    let line = format!(
        "Nov 20 03:00:00 h sshd[7]: Accepted publickey for anna from 10.0.0.9 port 5 ssh2: ED25519 {KEY}"
    );
    let (begin, end) = line.split_at(30);
    rig.append("auth.log", begin.as_bytes());
    assert_eq!(rig.look(), Vec::<String>::new(), "half a line is none");
    rig.append("auth.log", end.as_bytes());
    rig.append("auth.log", b"\nno line at all\n");
    rig.append("wtmp", &record(7, 9, "pts/0", "anna", "10.0.0.9", 1_795_208_400));
    rig.append("wtmp", &record(7, 9, "pts/1", "bob", "10.0.0.9", 1_795_208_400)[..100]);
    rig.append("btmp", &record(6, 9, "ssh:notty", "eve", "10.0.0.9", 1_795_208_400));
    let told = rig.look();
    assert_eq!(
        told,
        [
            "2026-11-20T21:00:00.000Z gap damaged_record",
            "2026-11-20T21:00:00Z login anna",
            "2026-11-20T21:00:00Z login eve",
        ]
    );
    let opened = rig.sensor.config.fingerprints.of(7, Some("anna"), rig.clock.uptime());
    assert_eq!(opened, Some(Opened::By(KEY.to_owned())));
}

#[test]
fn beside_audit_nothing_is_told_twice_and_nothing_is_lost_between_both() {
    let mut rig = Rig::start(&["auth.log"]);
    rig.sensor.config.standing.set(true, true);
    let line = |pid: u32| {
        format!("Nov 20 03:00:00 h sshd[{pid}]: Accepted password for anna from 10.0.0.9 port 5 ssh2\n")
    };
    rig.append("auth.log", line(1).as_bytes());
    assert_eq!(rig.look(), Vec::<String>::new());
    rig.clock.advance(6);
    assert_eq!(rig.look(), Vec::<String>::new(), "audit told it");
    rig.append("auth.log", line(2).as_bytes());
    assert_eq!(rig.look(), Vec::<String>::new());
    rig.clock.advance(2);
    rig.sensor.config.standing.set(false, false);
    assert_eq!(rig.look(), ["2026-11-20T21:00:06Z login anna"], "audit was being switched off");
    rig.sensor.say();
    assert!(rig.sensor.cannot_see().lock().unwrap()[0].contains("does not tell of logins"));
}

#[test]
fn a_sensor_that_was_opened_before_audit_was_taken_says_nothing_before_and_then_what_is_so() {
    let taken = Rig::start(&["auth.log"]);
    let said = |rig: &Rig| rig.sensor.cannot_see().lock().unwrap().join("; ");
    assert_eq!(said(&taken), "", "what audit tells is not known yet");
    assert!(taken.sensor.config.fingerprints.is_fed(), "audit waits for keys from its first login");
    taken.sensor.config.standing.set(true, true);
    taken.sensor.say();
    assert_eq!(said(&taken), "");
    let without = Rig::start(&["auth.log"]);
    without.sensor.say();
    assert!(said(&without).contains("does not tell of logins now"));
}

#[test]
fn a_cleared_log_is_told_beside_audit_too() {
    let mut rig = Rig::start(&["auth.log"]);
    rig.sensor.config.standing.set(true, true);
    rig.append("auth.log", b"Nov 20 03:00:00 h cron[1]: x\n");
    assert_eq!(rig.look(), Vec::<String>::new());
    std::fs::write(rig.folder.path().join("auth.log"), "").unwrap();
    assert_eq!(rig.look(), ["2026-11-20T21:00:00.000Z tamper auth.log: it became shorter"]);
}

#[test]
fn the_journals_program_is_read_and_begun_again_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("journalctl");
    let entry = r#"{"__REALTIME_TIMESTAMP":"1795208400000000","_PID":"7","_EXE":"/usr/sbin/sshd","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"Accepted password for anna from 10.0.0.9 port 5 ssh2"}"#;
    std::fs::write(&program, format!("#!/bin/sh\necho '{entry}'\necho '{{'\n")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut journal = Journal::follow(&program, Duration::ZERO).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let (mut n_lines, mut n_damaged, mut n_ends, mut now) = (0, 0, 0, Duration::ZERO);
    while n_ends < 2 && std::time::Instant::now() < deadline {
        let found = journal.look(now);
        n_lines += found.lines.len();
        n_damaged += found.n_damaged;
        if found.ended {
            n_ends += 1;
            assert!(!journal.is_running());
            now += Duration::from_secs(6);
        }
        std::thread::yield_now();
    }
    assert_eq!((n_lines, n_damaged, n_ends), (2, 2, 2));
}
