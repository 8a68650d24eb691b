//! Thousands of accesses, one finding; a crash repeats nothing.

use expect_test::{Expect, expect};
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;

use super::*;
use crate::need_to_know::decide;
use crate::policy::Policy;
use crate::roster::Roster;
use crate::ticket::Tickets;

struct Bench {
    roster: Roster,
    policy: Policy,
    zone: TimeZone,
}

impl Bench {
    fn new() -> Self {
        Self {
            roster: Roster::parse(include_str!("../../../templates/roster-example.toml")).unwrap(),
            policy: Policy::parse(Policy::template("small-practice").unwrap()).unwrap(),
            zone: TimeZone::get("America/New_York").unwrap(),
        }
    }

    fn feed(&self, findings: &mut Findings, events: &[Event], from: u64) -> Vec<FindingStep> {
        let mut steps = Vec::new();
        for (number, event) in (0u64..).zip(events).skip(usize::try_from(from).unwrap()) {
            let access = Access::new("agent/ws-01", "ws-01", number, event, &self.zone);
            let decision = decide(&access, &self.roster, &self.policy, &Tickets::default());
            let (signals, candidates) = beside(event);
            steps.extend(findings.observe(&access, &decision, &signals, &candidates));
        }
        steps
    }
}

/// What a test says of an event beside the policy: `raise:KIND`, `note:KIND`, `who:NAME`.
fn beside(event: &Event) -> (Vec<Signal>, Vec<String>) {
    let said = event.other.get("beside").and_then(|beside| beside.as_str()).unwrap_or_default();
    let mut signals = Vec::new();
    let mut candidates = Vec::new();
    for word in said.split_whitespace() {
        match word.split_once(':') {
            Some(("who", name)) => candidates.push(name.to_owned()),
            Some((weight, kind)) => {
                let (kind, detail) = kind.split_once('/').unwrap_or((kind, ""));
                signals.push(Signal {
                    kind: serde_json::from_value(kind.into()).unwrap(),
                    sentence: format!("This is {kind} {detail}.").replace(" .", "."),
                    weight: serde_json::from_value(weight.into()).unwrap(),
                });
            }
            None => panic!("{word}"),
        }
    }
    (signals, candidates)
}

fn with(mut event: Event, beside: &str) -> Event {
    event.other.insert("beside".to_owned(), beside.into());
    event
}

fn read(second: i64, session: u64, owner: &str) -> Event {
    let time = Timestamp::from_second(1_795_053_780 + second).unwrap();
    serde_json::from_str(&format!(
        r#"{{"kind":"file_access","time":"{time}","outcome":"success","action":"read",
        "actor":{{"login_uid":1001,"login_user":"itadmin1","effective_user":"root","session":{session},"confidence":"kernel"}},
        "process":{{"exe":"/usr/bin/cat","parent":"/usr/bin/sudo"}},
        "object":{{"class":"mailbox","owner":"{owner}"}},"source":{{"sensor":"linux-audit"}}}}"#
    ))
    .unwrap()
}

fn logout(second: i64, session: u64) -> Event {
    let mut event = read(second, session, "x");
    event.kind = Kind::Logout;
    event
}

fn told(steps: &[FindingStep]) -> String {
    steps
        .iter()
        .map(|step| {
            let finding = step.finding();
            let because = match step {
                FindingStep::Opened { .. } => String::new(),
                FindingStep::Closed { because, .. } => format!(" {because:?}"),
            };
            format!(
                "{}{because} {} {:?} {} entries from {} to {}\n",
                step.name(),
                finding.asset.label,
                finding.session,
                finding.n_entries,
                finding.first_number,
                finding.last_number
            )
        })
        .collect()
}

#[track_caller]
fn check(events: &[Event], expected: Expect) {
    let bench = Bench::new();
    let mut findings = Findings::new();
    let mut steps = bench.feed(&mut findings, events, 0);
    steps.extend(findings.end_day());
    expected.assert_eq(&told(&steps));
    crash_anywhere(&bench, events, &steps);
}

/// Whatever step was the last in the ledger, going on from there writes the same steps again.
#[track_caller]
fn crash_anywhere(bench: &Bench, events: &[Event], steps: &[FindingStep]) {
    for n_kept in 0..=steps.len() {
        let (kept, lost) = steps.split_at(n_kept);
        let json = serde_json::to_string(kept).unwrap();
        let kept: Vec<FindingStep> = serde_json::from_str(&json).unwrap();
        let mut findings = Findings::resume(kept);
        let from = findings.resume_from("agent/ws-01");
        let mut again = bench.feed(&mut findings, events, from);
        again.extend(findings.end_day());
        assert_eq!(again, lost, "after {n_kept} steps");
    }
}

#[test]
fn four_thousand_messages_are_one_finding() {
    let events: Vec<_> = (0..4012).map(|n| read(n / 11, 5, "manager")).collect();
    let bench = Bench::new();
    let mut findings = Findings::new();
    let steps = bench.feed(&mut findings, &events, 0);
    assert_eq!(steps.len(), 1, "one step while it goes on");
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    assert_eq!(findings.advance(now), [], "old entries that come late are still one finding");
    assert_eq!(findings.advance(now + SignedDuration::from_mins(29)), []);
    let closed = findings.advance(now + SignedDuration::from_mins(30));
    let [FindingStep::Closed { finding, because: ClosedBecause::Quiet }] = closed.as_slice() else {
        panic!("{closed:?}")
    };
    assert_eq!((finding.n_entries, finding.n_accesses), (4012, 4012));
    assert_eq!(finding.numbers.len(), NUMBERS_MAX);
    assert_eq!(finding.id, steps[0].finding().id);
    assert_eq!(finding.id.len(), 16);
    expect!["The manager’s mailbox was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo."]
        .assert_eq(&wording::headline(finding));
}

#[test]
fn a_coalesced_run_counts_what_it_stands_for() {
    let mut event = read(0, 5, "manager");
    event.count = Some(4012);
    event.last = Some("2026-11-19T02:09:00Z".to_owned());
    let bench = Bench::new();
    let mut findings = Findings::new();
    let steps = bench.feed(&mut findings, &[event], 0);
    assert_eq!((steps[0].finding().n_entries, steps[0].finding().n_accesses), (1, 4012));
    assert_eq!(steps[0].finding().last_time, Some("2026-11-19T02:09:00Z".parse().unwrap()));
}

#[test]
fn half_an_hour_of_quiet_begins_another_finding() {
    check(
        &[read(0, 5, "manager"), read(1799, 5, "manager"), read(3599, 5, "manager")],
        expect![[r#"
        finding_opened the manager’s mailbox Some(5) 1 entries from 0 to 0
        finding_closed Quiet the manager’s mailbox Some(5) 2 entries from 0 to 1
        finding_opened the manager’s mailbox Some(5) 1 entries from 2 to 2
        finding_closed DayEnded the manager’s mailbox Some(5) 1 entries from 2 to 2
    "#]],
    );
}

#[test]
fn sessions_and_assets_are_apart_and_a_logout_closes() {
    check(
        &[
            read(0, 5, "manager"),
            read(1, 6, "manager"),
            read(2, 5, "drchen"),
            read(3, 5, "manager"),
            logout(4, 5),
            read(5, 6, "manager"),
            read(6, 5, "manager"),
            read(5000, 7, "manager"),
        ],
        expect![[r#"
            finding_opened the manager’s mailbox Some(5) 1 entries from 0 to 0
            finding_opened the manager’s mailbox Some(6) 1 entries from 1 to 1
            finding_opened the mailbox of Dr. Chen Some(5) 1 entries from 2 to 2
            finding_closed SessionEnded the manager’s mailbox Some(5) 2 entries from 0 to 3
            finding_closed SessionEnded the mailbox of Dr. Chen Some(5) 1 entries from 2 to 2
            finding_opened the manager’s mailbox Some(5) 1 entries from 6 to 6
            finding_closed Quiet the manager’s mailbox Some(6) 2 entries from 1 to 5
            finding_closed Quiet the manager’s mailbox Some(5) 1 entries from 6 to 6
            finding_opened the manager’s mailbox Some(7) 1 entries from 7 to 7
            finding_closed DayEnded the manager’s mailbox Some(7) 1 entries from 7 to 7
        "#]],
    );
}

#[test]
fn a_clock_that_goes_back_closes_nothing() {
    check(
        &[read(9000, 5, "manager"), read(0, 5, "manager"), read(9001, 5, "manager")],
        expect![[r#"
        finding_opened the manager’s mailbox Some(5) 1 entries from 0 to 0
        finding_closed DayEnded the manager’s mailbox Some(5) 3 entries from 0 to 2
    "#]],
    );
}

#[test]
fn a_hundred_refused_logins_are_one_finding() {
    let events: Vec<Event> = (0..100)
        .map(|n| {
            let time = Timestamp::from_second(1_795_053_780 + n).unwrap();
            let json = format!(r#"{{"kind":"login","time":"{time}","outcome":"failed","actor":{{"claims":"user{n}","session":{n}}}}}"#);
            serde_json::from_str(&json).unwrap()
        })
        .collect();
    let bench = Bench::new();
    let mut findings = Findings::new();
    assert_eq!(bench.feed(&mut findings, &events, 0).len(), 1);
    let finding = findings.open().next().unwrap();
    expect!["100 logins to ws-01 with names that are not in the roster were refused."]
        .assert_eq(&wording::headline(finding));
}

#[test]
fn explained_accesses_are_only_counted_and_recordings_are_apart() {
    let mut own = read(0, 5, "northwind");
    own.count = Some(3);
    let mut recorded = read(1, 5, "manager");
    recorded.source.as_mut().unwrap().recorded = Some(true);
    let bench = Bench::new();
    let mut findings = Findings::new();
    let steps = bench.feed(&mut findings, &[own, recorded, read(2, 5, "manager")], 0);
    assert_eq!(findings.n_explained(), 3);
    assert_eq!(steps.iter().map(|step| step.finding().recorded).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_step_holds_no_path() {
    let mut event = read(0, 5, "manager");
    event.object.as_mut().unwrap().path = Some("/srv/mail/manager/cur/jane-doe-biopsy".to_owned());
    event.process.as_mut().unwrap().command = Some("cat jane-doe-biopsy".to_owned());
    let bench = Bench::new();
    let steps = bench.feed(&mut Findings::new(), &[event], 0);
    assert!(!serde_json::to_string(&steps).unwrap().contains("jane"));
}

#[test]
fn a_signal_opens_an_explained_finding_and_what_follows_is_added() {
    // Northwind's own mailbox: explained.
    check(
        &[
            read(0, 5, "northwind"),
            with(read(1, 5, "northwind"), "note:first_time"),
            with(read(2, 5, "northwind"), "raise:bulk"),
            read(3, 5, "northwind"),
            with(read(4, 5, "northwind"), "note:volume"),
            read(5, 6, "northwind"),
            read(6, 5, "manager"),
            logout(7, 5),
            read(8, 5, "northwind"),
        ],
        expect![[r#"
            finding_opened the mailbox of Northwind IT Some(5) 1 entries from 2 to 2
            finding_opened the manager’s mailbox Some(5) 1 entries from 6 to 6
            finding_closed SessionEnded the mailbox of Northwind IT Some(5) 3 entries from 2 to 4
            finding_closed SessionEnded the manager’s mailbox Some(5) 1 entries from 6 to 6
        "#]],
    );
}

#[test]
fn signals_and_candidates_are_merged_within_bounds() {
    let mut events: Vec<Event> =
        (0..40).map(|n| with(read(n, 5, "manager"), &format!("note:bulk/{n} who:account{n}"))).collect();
    events.push(with(read(40, 5, "manager"), "raise:moved_out note:volume who:account3"));
    events.push(with(read(41, 5, "manager"), "raise:moved_out"));
    let bench = Bench::new();
    let mut findings = Findings::new();
    let mut steps = bench.feed(&mut findings, &events, 0);
    steps.extend(findings.end_day());
    crash_anywhere(&bench, &events, &steps);
    let finding = steps.last().unwrap().finding();
    assert_eq!((finding.signals.len(), finding.candidates.len()), (SIGNALS_MAX, CANDIDATES_MAX));
    assert_eq!(finding.signals.iter().filter(|signal| signal.weight == Weight::Raise).count(), 1);
    assert_eq!(finding.severity, crate::finding::Severity::Urgent, "never, and a strong signal");
    assert_eq!(steps[0].finding().severity, crate::finding::Severity::High);
    assert!(finding.innocent_causes.iter().any(|cause| cause.contains("insurer")));
}

#[test]
fn break_glass_always_opens_a_finding() {
    let bench = Bench::new();
    let event = read(0, 5, "northwind");
    let access = Access::new("agent/ws-01", "ws-01", 0, &event, &bench.zone);
    let mut decision = decide(&access, &bench.roster, &bench.policy, &Tickets::default());
    decision.reasons.push(crate::need_to_know::Reason::new("break-glass:B-1", "Break-glass B-1 was used."));
    let mut findings = Findings::new();
    let steps = findings.observe(&access, &decision, &[], &[]);
    let finding = steps[0].finding();
    assert_eq!((finding.outcome, finding.severity), (Judgement::Explained, crate::finding::Severity::High));
    assert_eq!((findings.n_explained(), wording::tag(finding)), (1, "break-glass was used"));
}
