//! Each act against the recording, for real: the event says what was done, and by whom where a record does.

use super::*;

fn is(what: TamperKind) -> impl Fn(&Event) -> bool {
    move |event: &Event| event.tamper.as_ref().is_some_and(|tamper| tamper.what == what)
}

#[track_caller]
fn by_person(event: &Event) {
    assert_eq!(event.actor.as_ref().and_then(|actor| actor.login_uid), Some(LOGIN_UID), "{event:#?}");
}

#[test]
fn live_a_login_uid_that_is_forged_or_taken_away_stays_with_its_person() {
    let Some(_turn) = turn("live_a_login_uid_that_is_forged_or_taken_away_stays_with_its_person") else {
        return;
    };
    let practice = Practice::new();
    let mut sensing = Sensing::start(&practice);
    let at = |name: &str| practice.path(name);
    root_person(&format!("echo 7 > /proc/self/loginuid; cat '{}'", at("week.csv")));
    by_person(&sensing.wait_for("the forged login uid", is(TamperKind::LoginUidChanged)));
    let event = sensing.access(Action::Read, &at("week.csv"));
    by_person(&event);
    assert_eq!(event.actor.unwrap().claims.as_deref(), Some("7"));
    // Unset, by a shell of a shell: what it starts is still the person's.
    root_person(&format!(
        "echo 4294967295 > /proc/self/loginuid; sh -c \"sh -c 'cat {}; true'; true\"",
        at("sub/one")
    ));
    let event = sensing.access(Action::Read, &at("sub/one"));
    by_person(&event);
    let actor = event.actor.unwrap();
    assert_eq!((actor.claims.as_deref(), actor.confidence), (Some("unset"), Some(Confidence::Derived)));
    // The twin: a process that never had a login uid is nobody's.
    Command::new("cat").arg(at("sub/deeper/two")).stdout(Stdio::null()).status().unwrap();
    let event = sensing.access(Action::Read, &at("sub/deeper/two"));
    assert_eq!(event.actor.unwrap().confidence, Some(Confidence::Unattributed));
    sensing.end();
}

#[test]
fn live_rules_that_blind_are_said() {
    let Some(_turn) = turn("live_rules_that_blind_are_said") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let mut stranger = AuditSocket::open().unwrap();
    let rule = never_rule();
    stranger.request(ADD_RULE, &rule).unwrap();
    let event = sensing.wait_for("the never rule", |event| {
        let detail = event.tamper.as_ref().and_then(|tamper| tamper.detail.as_deref());
        detail.is_some_and(|detail| detail.starts_with("never rule"))
    });
    assert!(is(TamperKind::RulesChanged)(&event));
    sensing.wait_for("its gap", |event| event.gap.as_ref().is_some_and(|gap| gap.cause == "rules_blind"));
    let mut health = ntk_evidence::event::Health::default();
    sensing.started().fill(&mut health);
    assert!(health.cannot_see.iter().any(|sentence| sentence.contains("(never)")), "{health:?}");
    stranger.request(DEL_RULE, &rule).unwrap();
    sensing.end();
    assert_eq!(snapshot(), before);
}

/// A rule that keeps the records of one file from being made.
fn never_rule() -> Vec<u8> {
    let watch: crate::watch_list::Watch = "/etc/hostname=system".parse().unwrap();
    let (_, rule) = watch_rules(77, &watch, &watch.path, false).remove(0);
    let mut bytes = rule.bytes().to_vec();
    bytes[4..8].copy_from_slice(&0_u32.to_ne_bytes());
    bytes
}

#[test]
fn live_account_files_and_the_agents_own_are_guarded() {
    let Some(_turn) = turn("live_account_files_and_the_agents_own_are_guarded") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let own = practice.config().state_file.parent().unwrap().to_owned();
    // Without sudo installed there is no folder of rights: the accounts' file stands in.
    let rights =
        if Path::new("/etc/sudoers.d").is_dir() { "/etc/sudoers.d/ntk-guard-test" } else { "/etc/passwd" };
    let touch = if rights == "/etc/passwd" {
        "chmod 644 /etc/passwd".to_owned()
    } else {
        format!("echo '# nothing' > {rights}; rm {rights}")
    };
    root_person(&format!("{touch}; touch '{}/stranger'", own.display()));
    let mut class_of = |path: &str| {
        let event = sensing.wait_for(path, |event| {
            event.object.as_ref().is_some_and(|object| object.path.as_deref() == Some(path))
        });
        by_person(&event);
        event.object.unwrap().class.unwrap().to_string()
    };
    assert_eq!(class_of(rights), "system");
    assert_eq!(class_of(&format!("{}/stranger", own.display())), "self");
    let events = sensing.end();
    let own_hand =
        |event: &&Event| event.process.as_ref().and_then(|process| process.pid) == Some(std::process::id());
    assert_eq!(events.iter().find(own_hand), None, "what the agent writes itself is no event");
    assert_eq!(snapshot(), before);
}

#[test]
fn live_who_sends_a_signal_moves_the_clock_or_attaches_is_named() {
    let Some(_turn) = turn("live_who_sends_a_signal_moves_the_clock_or_attaches_is_named") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let own = std::process::id();
    // A refused one: a person without rights. One that is not refused would end this test.
    person(&["sh", "-c", &format!("kill -TERM {own}")], "/");
    let event = sensing.wait_for("the signal", is(TamperKind::AgentKilled));
    by_person(&event);
    assert_eq!(event.outcome, Some(Outcome::Denied));
    // The clock is set to what it is.
    root_person("date -s \"$(date '+%F %T.%N')\"");
    by_person(&sensing.wait_for("the clock", is(TamperKind::ClockChanged)));
    // PTRACE_SEIZE and the end of the process that did it, which detaches.
    root_person(&format!("python3 -c 'import ctypes; print(ctypes.CDLL(None).ptrace(0x4206, {own}, 0, 0))'"));
    by_person(&sensing.wait_for("the attachment", is(TamperKind::AgentTraced)));
    sensing.end();
    assert_eq!(snapshot(), before);
}

#[test]
fn live_the_agents_own_test_arrives_and_its_absence_is_said() {
    let Some(_turn) = turn("live_the_agents_own_test_arrives_and_its_absence_is_said") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let canary = practice.config().state_file.with_file_name("canary");
    let never = |path: &Path| {
        let watch: crate::watch_list::Watch = format!("{}=system", path.display()).parse().unwrap();
        let (_, rule) = watch_rules(78, &watch, &watch.path, false).remove(0);
        let mut bytes = rule.bytes().to_vec();
        bytes[4..8].copy_from_slice(&0_u32.to_ne_bytes());
        bytes
    };
    std::fs::create_dir_all(canary.parent().unwrap()).unwrap();
    std::fs::write(&canary, "").unwrap();
    let rule = never(&canary);
    let mut stranger = AuditSocket::open().unwrap();
    // In front of all others; the kernel lists it without that flag.
    let mut first = rule.clone();
    first[0..4].copy_from_slice(&(4_u32 | 0x10).to_ne_bytes());
    stranger.request(ADD_RULE, &first).unwrap();
    let mut sensing = Sensing::start(&practice);
    let event = sensing.wait_for("that no record came", is(TamperKind::RecordGap));
    assert!(event.tamper.unwrap().detail.unwrap().contains("no record of it came"));
    sensing.wait_for("its gap", |event| event.gap.as_ref().is_some_and(|gap| gap.cause == "self_test"));
    sensing.end();
    stranger.request(DEL_RULE, &rule).unwrap();
    assert_eq!(snapshot(), before);
}
