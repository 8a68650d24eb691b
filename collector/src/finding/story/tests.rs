//! A story from login to deletion, with what else the session did.

use expect_test::{Expect, expect};
use ntk_evidence::event::Event;

use super::*;
use crate::finding::Findings;
use crate::need_to_know::decide;
use crate::policy::Policy;
use crate::roster::Roster;
use crate::ticket::Tickets;

/// `MINUTE KIND SESSION REST`: an event of `itadmin1` on ws-01.
fn event(line: &str) -> Event {
    let mut words = line.trim().splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (minute, kind, session, rest) = (word(), word(), word(), word());
    let at = "2026-11-19T02:00:00Z".parse::<Timestamp>().unwrap()
        + SignedDuration::from_mins(minute.parse().unwrap());
    let json = format!(
        r#"{{"kind":"{kind}","time":"{at}","actor":{{"login_uid":1001,"login_user":"itadmin1","effective_user":"root","session":{session},"confidence":"kernel"}},
        "process":{{"exe":"/usr/bin/cat","parent":"/usr/bin/sudo"}},{rest}"source":{{"sensor":"linux-audit"}}}}"#
    );
    serde_json::from_str(&json).unwrap()
}

/// What nobody's session did, with the sessions that the machine listed.
fn nameless() -> Event {
    let json = r#"{"kind":"file_access","time":"2026-11-19T02:07:00Z","outcome":"success","action":"read",
        "actor":{"effective_user":"root","confidence":"unattributed","candidates":[{"login_user":"itadmin1","session":5},{"login_uid":1007}]},
        "process":{"exe":"/usr/bin/cat"},"object":{"class":"mailbox","owner":"manager"}}"#;
    serde_json::from_str(json).unwrap()
}

fn tell(events: &[Event]) -> (Told, Vec<Finding>) {
    let zone = TimeZone::get("America/New_York").unwrap();
    let roster = Roster::parse(include_str!("../../../templates/roster-example.toml")).unwrap();
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let mut findings = Findings::new();
    let mut steps = Vec::new();
    let decided: Vec<_> = (0u64..)
        .zip(events)
        .map(|(number, event)| {
            let access = Access::new("agent/ws-01", "ws-01", number, event, &zone);
            let decision = decide(&access, &roster, &policy, &Tickets::default());
            steps.extend(findings.observe(&access, &decision, &[], &[]));
            (access, decision)
        })
        .collect();
    steps.extend(findings.end_day());
    let closed: Vec<Finding> = steps
        .iter()
        .filter(|step| step.name() == "finding_closed")
        .map(|step| step.finding().clone())
        .collect();
    let mut story = Story::of(closed.iter().collect());
    for (access, decision) in &decided {
        story.observe(access, decision);
    }
    (story.told(&zone), closed.clone())
}

#[track_caller]
fn check(lines: &str, expected: Expect) {
    let events: Vec<Event> =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(event).collect();
    let (told, _) = tell(&events);
    let mut text = String::new();
    for line in &told.lines {
        wording::tests::accuses_nobody(&line.text);
        let mark = if line.is_of_finding { "*" } else { " " };
        text.push_str(&format!(
            "{mark} {} {}..{} {}\n",
            line.when, line.first_number, line.last_number, line.text
        ));
    }
    expected.assert_eq(&text);
}

#[test]
fn from_login_to_logout_in_order_with_what_is_explained() {
    check(
        r#"0 login 5 "outcome":"success",
           1 elevation 5 "outcome":"success",
           2 process_start 5
           3 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager","path":"/srv/mail/x"},
           4 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},
           4 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"northwind"},
           5 file_access 5 "outcome":"success","action":"read","count":40,"object":{"class":"mailbox","owner":"manager"},
           6 file_access 5 "outcome":"success","action":"delete","object":{"class":"mailbox","owner":"manager"},
           7 file_access 6 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"northwind"},
           8 tamper 6 "tamper":{"what":"clock_changed"},
           9 logout 5
           10 health 5"#,
        expect![[r#"
            * Wednesday 18 November, 21:00 (EST) 0..0 A login to ws-01 with account itadmin1 (held by Northwind IT) succeeded.
            * Wednesday 18 November, 21:01 (EST) 1..1 A session with the rights of root was opened on ws-01 by account itadmin1 (held by Northwind IT), through sudo.
              Wednesday 18 November, 21:02 (EST) 2..2 The program cat was started on ws-01 in a session of account itadmin1 (uid 1001).
            * Wednesday 18 November, 21:03 to 21:05 (EST) 3..6 The manager’s mailbox was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo. (42 × opened for reading)
              Wednesday 18 November, 21:04 (EST) 5..5 The mailbox of Northwind IT was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo.
            * Wednesday 18 November, 21:06 (EST) 7..7 A file was removed from the manager’s mailbox on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo.
              Wednesday 18 November, 21:07 (EST) 8..8 The mailbox of Northwind IT was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo.
            * Wednesday 18 November, 21:08 (EST) 9..9 The clock was moved on ws-01 in a session of account itadmin1, held by Northwind IT.
              Wednesday 18 November, 21:09 (EST) 10..10 A session of account itadmin1 (uid 1001) on ws-01 ended.
        "#]],
    );
}

#[test]
fn what_nobody_can_be_named_for_says_who_had_a_session_and_a_tool_is_named() {
    let mut started = event("2 process_start 5");
    let mut login = event(r#"0 login 5 "outcome":"success","#);
    for event in [&mut started, &mut login] {
        event.actor.iter_mut().for_each(|actor| actor.tool = Some("RustDesk".to_owned()));
    }
    let (told, _) = tell(&[login, started, nameless()]);
    let lines: Vec<&str> = told.lines.iter().map(|line| line.text.as_str()).collect();
    for line in &lines {
        wording::tests::accuses_nobody(line);
    }
    let text = lines.join("\n");
    assert!(
        text.contains(
            "The program cat was started on ws-01 through RustDesk, in a session of account itadmin1"
        ),
        "{text}"
    );
    assert!(text.ends_with("Open at the time: account itadmin1, account uid 1007."), "{text}");
}

#[test]
fn a_story_has_forty_lines_and_keeps_its_own() {
    let mut events = Vec::new();
    for n in 0..300 {
        let line = format!(
            r#"{n} file_access 5 "outcome":"success","action":"read","object":{{"class":"mailbox","owner":"northwind"}},"#
        );
        events.push(event(&line));
        events.push(event(&format!("{n} process_start 5 ")));
        events.last_mut().unwrap().process.as_mut().unwrap().exe = Some(format!("/usr/bin/tool{n}"));
    }
    events.push(event(r#"301 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},"#));
    let (told, _) = tell(&events);
    assert_eq!(told.lines.len(), LINES_MAX);
    assert!(told.n_left_out > 200, "{}", told.n_left_out);
    assert!(told.lines.last().unwrap().is_of_finding);
    assert!(told.lines.windows(2).all(|two| two[0].at <= two[1].at));
}

#[test]
fn spans_that_touch_are_read_once() {
    let (_, findings) = tell(&[
        event(
            r#"0 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},"#,
        ),
        event(
            r#"600 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},"#,
        ),
        event(
            r#"9000 file_access 5 "outcome":"success","action":"read","object":{"class":"mailbox","owner":"manager"},"#,
        ),
    ]);
    let spans = Story::of(findings.iter().collect()).spans();
    assert_eq!(spans.len(), 2);
    assert!(spans[0].1 < spans[1].0);
}
