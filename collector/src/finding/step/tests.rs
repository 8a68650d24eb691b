//! Steps: who may take them, what they amount to, what an explanation covers.

use expect_test::{Expect, expect};

use super::*;
use crate::finding::{Finding, Severity};
use crate::need_to_know::Judgement;
use crate::policy::Policy;
use crate::roster::Roster;
use crate::signal::{Signal, SignalKind, Weight};
use crate::ticket::Ticket;

const AT: &str = "2026-11-19T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn roster() -> Roster {
    let text = include_str!("../../../templates/roster-example.toml").to_owned()
        + "[[person]]\nid = \"tech\"\nname = \"Tess Technician\"\norganisation = \"Northwind IT\"\nroles = [\"itadmin\"]\n";
    Roster::parse(&text).unwrap()
}

fn finding(outcome: &str, time: &str) -> Finding {
    let json = serde_json::json!({
        "id": "f1", "outcome": outcome, "author": "agent/ws-01", "host": "ws-01", "first_number": 7, "last_number": 9,
        "numbers": [7], "n_entries": 1, "n_accesses": 1, "first_time": time, "last_time": time, "person": "northwind",
        "account": "itadmin1", "holder": "Northwind IT", "is_verified": true,
        "asset": {"area": "mailbox", "owner": "drchen", "label": "the mailbox of Dr. Chen"}, "session": 5, "way": {},
        "deeds": [{"action": "read", "outcome": "success", "count": 1}], "reasons": [], "innocent_causes": [],
        "severity": "normal", "recorded": false, "policy_hash": "", "roster_version": "",
    });
    serde_json::from_value(json).unwrap()
}

fn step(json: &str) -> Step {
    serde_json::from_str(json).unwrap()
}

fn record(number: u64, time: &str, json: &str) -> StepRecord {
    StepRecord { number, at: at(time), seen: Some(1), step: step(json) }
}

const ASKED: &str = r#"{"step":"asked","question":"What was this for?","by":"mary"}"#;
const ANSWERED: &str = r#"{"step":"answered","answer":"The migration.","by":"northwind"}"#;
const EXPECTED: &str = r#"{"step":"decided","decision":"expected","because":"The migration.","by":"mary"}"#;
const ESCALATED: &str = r#"{"step":"decided","decision":"escalated","because":"Counsel looks.","by":"mary"}"#;
const OPEN: &str = r#"{"step":"decided","decision":"open","because":"A slip of mine.","by":"mary"}"#;
const AHEAD: &str = r#"{"step":"decided","decision":"expected","because":"The migration.","by":"mary","until":"2026-12-04T04:59:59Z"}"#;

#[test]
fn the_state_is_what_the_steps_amount_to() {
    let said = |steps: &[&str]| {
        let steps: Vec<_> = (0..).zip(steps).map(|(number, json)| record(number, AT, json)).collect();
        state(&finding("unexplained", AT), &steps)
    };
    assert_eq!(said(&[]), FindingState::Open);
    assert_eq!(said(&[ASKED]), FindingState::Asked);
    assert_eq!(said(&[ASKED, ANSWERED]), FindingState::Answered);
    assert_eq!(said(&[ASKED, ANSWERED, EXPECTED]), FindingState::Expected);
    assert_eq!(said(&[EXPECTED, ASKED]), FindingState::Expected, "a question undoes no decision");
    assert_eq!(said(&[EXPECTED, ESCALATED]), FindingState::Escalated);
    assert_eq!(said(&[EXPECTED, OPEN]), FindingState::Open, "only a decision does");
    assert_eq!(said(&[EXPECTED, OPEN, ASKED]), FindingState::Asked);
    assert_eq!(said(&[r#"{"step":"late_ticket","ticket":"T-1"}"#]), FindingState::Open);
}

#[test]
fn what_grows_after_it_was_expected_is_open_again() {
    let mut finding = finding("unexplained", AT);
    let steps = [record(1, AT, EXPECTED)];
    assert_eq!(state(&finding, &steps), FindingState::Expected);
    finding.n_accesses = 4000;
    assert_eq!(state(&finding, &steps), FindingState::Open);
    assert_eq!(state(&finding, &[record(1, AT, ESCALATED)]), FindingState::Escalated);
}

#[track_caller]
fn check_faults(cases: &[(&str, &str)], outcome: &str, expected: Expect) {
    let finding = finding(outcome, AT);
    let mut said = String::new();
    for (what, json) in cases {
        let steps = if what.contains("asked before") { vec![record(1, AT, ASKED)] } else { Vec::new() };
        let answer = match check(&step(json), &[(&finding, steps.as_slice())], &roster(), at(AT)) {
            Ok(()) => "may be taken".to_owned(),
            Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n    "),
        };
        said.push_str(&format!("{what}\n    {answer}\n"));
    }
    expected.assert_eq(&said);
}

#[test]
fn nobody_decides_about_themselves_or_their_firm_and_words_have_bounds() {
    let long = format!(r#"{{"step":"asked","question":"{}","by":"mary"}}"#, "x".repeat(TEXT_MAX + 1));
    check_faults(
        &[
            ("the manager decides", EXPECTED),
            ("for a while", AHEAD),
            (
                "the firm itself",
                r#"{"step":"decided","decision":"expected","because":"ours","by":"northwind"}"#,
            ),
            (
                "somebody of the firm",
                r#"{"step":"decided","decision":"expected","because":"ours","by":"tech"}"#,
            ),
            (
                "a stranger without a reason",
                r#"{"step":"decided","decision":"expected","because":"  ","by":"nn"}"#,
            ),
            ("a question too long", &long),
            ("an answer before a question", ANSWERED),
            ("an answer, asked before", ANSWERED),
            (
                "too far ahead",
                r#"{"step":"decided","decision":"expected","because":"x","by":"mary","until":"2027-11-19T12:00:00Z"}"#,
            ),
            (
                "in the past",
                r#"{"step":"decided","decision":"expected","because":"x","by":"mary","until":"2026-11-19T11:00:00Z"}"#,
            ),
            (
                "escalated until",
                r#"{"step":"decided","decision":"escalated","because":"x","by":"mary","until":"2026-11-20T11:00:00Z"}"#,
            ),
            ("no such break-glass", r#"{"step":"acknowledged","break_glass":"B-1","by":"mary"}"#),
        ],
        "unexplained",
        expect![[r#"
            the manager decides
                may be taken
            for a while
                may be taken
            the firm itself
                this is about `northwind`: nobody decides about themselves; somebody else has to
            somebody of the firm
                this is about `northwind`, who is of the same firm as `tech`; somebody of another one has to decide
            a stranger without a reason
                `nn` is nobody in the roster; `by` takes the id of a person there, such as `mary`
                `because` has 0 characters; write 1 to 2000
            a question too long
                `question` has 2001 characters; write 1 to 2000
            an answer before a question
                nobody has been asked about this; put a question first
            an answer, asked before
                may be taken
            too far ahead
                `until` is 2027-11-19T12:00:00Z; choose a time from now to 90 days ahead
            in the past
                `until` is 2026-11-19T11:00:00Z; choose a time from now to 90 days ahead
            escalated until
                `until` goes with the decision `expected` only; leave it away
            no such break-glass
                break-glass `B-1` does not explain any of this
        "#]],
    );
    check_faults(
        &[("never", EXPECTED), ("never, for a while", AHEAD)],
        "never",
        expect![[r#"
        never
            may be taken
        never, for a while
            your table says that this never happens, so it cannot be explained ahead; decide without `until`
    "#]],
    );
}

/// A finding of later, changed in one way, and whether the decision of before covers it.
#[track_caller]
fn covers(change: impl Fn(&mut Finding), steps: &[StepRecord]) -> bool {
    let mut decided = finding("unexplained", "2026-11-18T12:00:00Z");
    decided.signals = vec![raise(SignalKind::FirstTime)];
    let mut later = finding("unexplained", "2026-11-25T12:00:00Z");
    change(&mut later);
    let explanations = explanations([(&decided, steps)]);
    covered_by(&later, &explanations).is_some()
}

fn raise(kind: SignalKind) -> Signal {
    Signal { kind, sentence: "Unusual.".to_owned(), weight: Weight::Raise }
}

#[test]
fn an_explanation_covers_the_same_of_the_same_person_for_a_while_and_nothing_more() {
    let steps = [record(3, AT, AHEAD)];
    assert!(covers(|_| {}, &steps));
    assert!(covers(|later| later.outcome = Judgement::Explained, &steps));
    assert!(
        covers(|later| later.signals = vec![raise(SignalKind::FirstTime)], &steps),
        "no more unusual than before"
    );
    let later_at = |time: &'static str| {
        move |later: &mut Finding| (later.first_time, later.last_time) = (Some(at(time)), Some(at(time)))
    };
    assert!(!covers(later_at("2026-11-19T11:59:00Z"), &steps), "not what was there before the decision");
    assert!(!covers(later_at("2026-12-04T05:00:00Z"), &steps), "not afterwards");
    assert!(!covers(|later| later.first_time = None, &steps), "not at an unknown time");
    assert!(!covers(|later| later.person = Some("sam".to_owned()), &steps));
    assert!(!covers(|later| later.person = None, &steps));
    assert!(!covers(|later| later.asset.owner = Some("bea".to_owned()), &steps));
    assert!(!covers(|later| later.asset.area = crate::policy::Area::ManagersMailbox, &steps));
    assert!(!covers(|later| later.outcome = Judgement::Never, &steps));
    assert!(!covers(|later| later.severity = Severity::High, &steps));
    assert!(
        !covers(|later| later.signals = vec![raise(SignalKind::Bulk)], &steps),
        "nobody can train the system"
    );
    assert!(!covers(|later| later.recorded = true, &steps));
    assert!(!covers(
        |later| {
            later.outcome = Judgement::Explained;
            later.reasons.push(crate::need_to_know::Reason::new("break-glass:B-1", "Break-glass."));
        },
        &steps
    ));
}

#[test]
fn what_was_opened_again_is_covered_by_nothing() {
    let (decided, later) = (finding("unexplained", AT), finding("unexplained", "2026-11-25T12:00:00Z"));
    let ahead = [record(3, AT, AHEAD)];
    let explanations = explanations([(&decided, ahead.as_slice())]);
    let standing = |steps: &[StepRecord]| {
        let (state, covered) = standing(&later, steps, &explanations);
        (state, covered.is_some())
    };
    assert_eq!(standing(&[]), (FindingState::Expected, true));
    assert_eq!(
        standing(&[record(9, AT, r#"{"step":"late_ticket","ticket":"T-1"}"#)]),
        (FindingState::Expected, true)
    );
    assert_eq!(standing(&[record(9, AT, OPEN)]), (FindingState::Open, false));
    assert_eq!(standing(&[record(9, AT, ASKED)]), (FindingState::Asked, false));
}

#[test]
fn only_the_last_decision_counts_and_one_without_a_time_explains_nothing_ahead() {
    assert!(!covers(|_| {}, &[record(3, AT, EXPECTED)]));
    assert!(!covers(|_| {}, &[record(3, AT, AHEAD), record(4, AT, OPEN)]));
    assert!(!covers(|_| {}, &[record(3, AT, AHEAD), record(4, AT, ESCALATED)]));
    assert!(covers(|_| {}, &[record(3, AT, EXPECTED), record(4, AT, AHEAD), record(5, AT, ASKED)]));
}

#[test]
fn a_ticket_that_was_approved_afterwards_is_a_late_one() {
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let ticket = |approved: &str, to: &str, owner: &str| -> Ticket {
        serde_json::from_value(serde_json::json!({
            "id": "T-1", "assignee": "northwind", "class": "mailbox", "scope": {"owner": owner}, "from": "2026-11-19T10:00:00Z",
            "to": to, "approved_by": "mary", "second_approved_by": "drchen", "approved_at": approved, "kind": "ticket",
        }))
        .unwrap()
    };
    let late = |outcome: &str, ticket: Ticket| {
        late_ticket(&finding(outcome, AT), &[ticket], &roster(), policy.tickets())
            .map(|ticket| ticket.id.clone())
    };
    let (after, before) = ("2026-11-19T15:00:00Z", "2026-11-19T11:00:00Z");
    assert_eq!(late("unexplained", ticket(after, "2026-11-19T14:00:00Z", "drchen")), Some("T-1".to_owned()));
    assert_eq!(
        late("unexplained", ticket(before, "2026-11-19T14:00:00Z", "drchen")),
        None,
        "that one was in time"
    );
    assert_eq!(late("unexplained", ticket(after, "2026-11-19T11:30:00Z", "drchen")), None, "another time");
    assert_eq!(late("unexplained", ticket(after, "2026-11-19T14:00:00Z", "bea")), None, "another mailbox");
    assert_eq!(
        late("never", ticket(after, "2026-11-19T14:00:00Z", "drchen")),
        None,
        "no ticket covers a never"
    );
}

#[test]
fn an_act_reads_back_and_stays_flat() {
    let act = StepAct {
        id: "f1".to_owned(),
        findings: vec!["f1".to_owned(), "f2".to_owned()],
        seen: BTreeMap::from([("f1".to_owned(), 40)]),
        about: Some("northwind".to_owned()),
        step: step(AHEAD),
    };
    let body = serde_json::to_value(&act).unwrap();
    assert_eq!(
        (&body["step"], &body["decision"], &body["id"]),
        (&"decided".into(), &"expected".into(), &"f1".into())
    );
    assert_eq!(StepAct::of_body(&body), Some(act));
    let short =
        StepAct::of_body(&serde_json::json!({"step": "late_ticket", "id": "f9", "ticket": "T-1"})).unwrap();
    assert_eq!(short.applies_to(), ["f9"]);
    assert_eq!(StepAct::of_body(&serde_json::json!({"step": "of a newer version", "id": "f9"})), None);
    let record = record(3, AT, AHEAD);
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<StepRecord>(&text).unwrap(), record);
}
