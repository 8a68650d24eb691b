//! Whatever comes, in whatever order: the same entries and acts say the same again, also from a kept state on.

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::act;
use ntk_evidence::event::Event;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;

const ROSTER: &str = include_str!("../../templates/roster-example.toml");
const HOST: &str = "ws-01";

const ACTORS: &[&str] = &[
    r#"{"login_uid":1001,"login_user":"itadmin1","effective_user":"root","confidence":"kernel"}"#,
    r#"{"login_uid":1001,"login_user":"itadmin1","effective_user":"itadmin1","from":"203.0.113.9"}"#,
    r#"{"login_user":"frontdesk1","effective_user":"frontdesk1"}"#,
    r#"{"login_user":"drchen","effective_user":"drchen"}"#,
    r#"{"login_user":"billing1","effective_user":"billing1"}"#,
    r#"{"login_uid":1777,"login_user":"temp"}"#,
    r#"{"effective_user":"svc-backup","confidence":"unattributed"}"#,
    r#"{"claims":"mlopez","confidence":"unattributed"}"#,
];
const ASSETS: &[(&str, &str)] = &[
    ("mailbox", "mary"),
    ("mailbox", "sam"),
    ("mailbox", "drchen"),
    ("export", "practice"),
    ("ehr", "practice"),
    ("hr", "bea"),
    ("backup", "practice"),
];

/// One line of a ledger, before it gets its time and number.
#[derive(Clone, Debug)]
enum Line {
    File { actor: usize, asset: usize, session: u64, count: u64, is_denied: bool },
    Way { kind: &'static str, actor: usize, session: u64 },
    Tool { is_over: bool, session: u64 },
    Roster(usize),
    Policy(usize),
    Ticket { class: usize, hours: i64, is_approved: bool },
    Glass { person: usize },
}

fn line() -> impl Strategy<Value = Line> {
    let (actor, session) = (0..ACTORS.len(), 1..4u64);
    let file = (actor.clone(), 0..ASSETS.len(), session.clone(), 1..400u64, prop::bool::weighted(0.1))
        .prop_map(|(actor, asset, session, count, is_denied)| Line::File {
            actor,
            asset,
            session,
            count,
            is_denied,
        });
    let way = (select(&["login", "logout", "elevation", "account_change"][..]), actor, session.clone())
        .prop_map(|(kind, actor, session)| Line::Way { kind, actor, session });
    let tool = (any::<bool>(), session).prop_map(|(is_over, session)| Line::Tool { is_over, session });
    let ticket = (0..ASSETS.len(), 1..72i64, prop::bool::weighted(0.8))
        .prop_map(|(class, hours, is_approved)| Line::Ticket { class, hours, is_approved });
    prop_oneof![
        20 => file,
        6 => way,
        1 => tool,
        1 => (0..3usize).prop_map(Line::Roster),
        1 => (0..2usize).prop_map(Line::Policy),
        2 => ticket,
        1 => (0..2usize).prop_map(|person| Line::Glass { person }),
    ]
}

/// What goes into the engine.
#[derive(Clone, Debug)]
enum Given {
    Act(Event),
    Entry { number: u64, event: Event, received: Timestamp },
}

/// Lines with the minutes between them, as a ledger has them. It begins on a Wednesday morning in New York.
fn ledger() -> impl Strategy<Value = Vec<Given>> {
    let pauses = prop_oneof![3 => 0..20i64, 1 => 20..900i64];
    // An agent that was out of reach sends later, and a clock may be wrong by a quarter of an hour.
    let lag = prop_oneof![6 => Just(0i64), 1 => -15..600i64];
    prop::collection::vec((line(), pauses, lag), 1..80).prop_map(|lines| {
        let mut now: Timestamp = "2026-11-18T13:00:00Z".parse().unwrap();
        let (mut number, mut n_tickets) = (0, 0);
        let mut given = vec![roster_act(0, now), policy_act(0, now)];
        for (line, pause, lag) in lines {
            now += SignedDuration::from_mins(pause);
            match entry_of(&line, now - SignedDuration::from_mins(lag)) {
                Some(event) => {
                    given.push(Given::Entry { number, event, received: now + SignedDuration::from_secs(2) });
                    number += 1;
                }
                None => given.extend(acts_of(&line, now, &mut n_tickets)),
            }
        }
        given
    })
}

fn entry_of(line: &Line, at: Timestamp) -> Option<Event> {
    let actor = |actor: usize, session: u64| {
        let mut actor: Value = serde_json::from_str(ACTORS[actor]).unwrap();
        actor["session"] = json!(session);
        actor
    };
    let json = match line {
        Line::File { actor: who, asset, session, count, is_denied } => {
            let (class, owner) = ASSETS[*asset];
            json!({"kind": "file_access", "time": at.to_string(), "action": "read", "actor": actor(*who, *session),
                "outcome": if *is_denied { "denied" } else { "success" }, "count": count,
                "process": {"exe": "/usr/bin/less"},
                "object": {"class": class, "owner": owner, "path": format!("/srv/{class}/{owner}/{count}")}})
        }
        Line::Way { kind, actor: who, session } => {
            json!({"kind": kind, "time": at.to_string(), "outcome": "success", "actor": actor(*who, *session), "object": {"owner": "mlopez"}})
        }
        Line::Tool { is_over, session } => {
            let mut actor = actor(2, *session);
            actor["tool"] = json!("AnyDesk");
            let begin = (at - SignedDuration::from_mins(9)).to_string();
            let last = is_over.then_some(at.to_string());
            json!({"kind": "remote_control", "time": begin, "last": last, "actor": actor})
        }
        _ => return None,
    };
    Some(serde_json::from_value(json).unwrap())
}

fn acts_of(line: &Line, at: Timestamp, n: &mut u32) -> Vec<Given> {
    let act = |kind: &str, body: Value| Given::Act(act::event(kind, at.to_string(), body));
    let until = |hours: i64| (at + SignedDuration::from_hours(hours)).to_string();
    match line {
        Line::Roster(which) => vec![roster_act(*which, at)],
        Line::Policy(which) => vec![policy_act(*which, at)],
        Line::Ticket { class, hours, is_approved } => {
            *n += 1;
            let id = format!("T-{n}");
            let ticket = json!({"id": id, "kind": "ticket", "assignee": "northwind", "class": ASSETS[*class].0,
                "scope": "everything", "from": at.to_string(), "to": until(*hours), "reason": "as asked",
                "requested_by": "northwind", "via": "command line"});
            let mut acts = vec![act(act::kind::TICKET, json!({"step": "requested", "ticket": ticket}))];
            for by in ["mary", "drchen"].into_iter().filter(|_| *is_approved) {
                let body = json!({"step": "approved", "id": id, "by": by, "proof": "passphrase", "echo": "as asked"});
                acts.push(act(act::kind::TICKET, body));
            }
            acts
        }
        Line::Glass { person } => {
            *n += 1;
            let body = json!({"step": "opened", "id": format!("B-{n}"), "person": (["northwind", "sam"][*person]),
                "reason": "the server is down", "from": at.to_string(), "to": until(2)});
            vec![act(act::kind::BREAK_GLASS, body)]
        }
        _ => Vec::new(),
    }
}

fn roster_act(which: usize, at: Timestamp) -> Given {
    let more = [
        "",
        "\n[[leave]]\nperson = \"sam\"\non = \"2026-11-19\"\nnotice_given = \"2026-11-18\"\n",
        "\n[[cover]]\nperson = \"sam\"\ncovers = \"drchen\"\nfrom = \"2026-11-18\"\nto = \"2026-11-25\"\nmailbox = true\n[[machine]]\nname = \"vpn\"\naddresses = [\"203.0.113.9\"]\n",
    ];
    let text = format!("{ROSTER}{}", more[which]);
    Given::Act(act::event(act::kind::ROSTER, at.to_string(), json!({ "text": text })))
}

fn policy_act(which: usize, at: Timestamp) -> Given {
    let text = Policy::template(["small-practice", "strict"][which]).unwrap();
    Given::Act(act::event(act::kind::POLICY, at.to_string(), json!({ "text": text })))
}

fn zone() -> TimeZone {
    TimeZone::get("America/New_York").unwrap()
}

/// What an engine says, step by step.
type Said = (Option<(Decision, Around)>, Vec<FindingStep>);

fn give(engine: &mut Engine, given: &Given) -> Said {
    match given {
        Given::Act(event) => {
            engine.act(event).unwrap();
            (None, Vec::new())
        }
        Given::Entry { number, event, received } => {
            let mut steps = engine.advance(*received);
            let seen =
                Entry { author: "agent/ws-01", host: HOST, number: *number, event, received: *received };
            let decided = engine.entry(seen);
            steps.extend(decided.steps);
            (Some((decided.decision, decided.around)), steps)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    /// ND-2. Steps hold the findings with their signals; what is remembered for later is compared as well.
    #[test]
    fn the_same_ledger_gives_the_same_decisions_signals_and_steps(ledger in ledger()) {
        let (mut one, mut other) = (Engine::new(zone()), Engine::new(zone()));
        for given in &ledger {
            prop_assert_eq!(give(&mut one, given), give(&mut other, given));
        }
        prop_assert_eq!(one.finish(), other.finish());
        prop_assert_eq!(one.snapshot(), other.snapshot());
    }

    /// What the follower keeps where nothing is open is enough to go on from there.
    #[test]
    fn a_kept_state_goes_on_as_if_there_had_been_no_stop(ledger in ledger(), cut in any::<prop::sample::Index>()) {
        let mut whole = Engine::new(zone());
        let mut texts = [String::new(), String::new()];
        let mut kept = Vec::new();
        let mut said = Vec::new();
        for (position, given) in ledger.iter().enumerate() {
            if whole.open().next().is_none() {
                kept.push((position, serde_json::to_string(whole.snapshot()).unwrap(), texts.clone()));
            }
            said.push(give(&mut whole, given));
            if let Given::Act(event) = given
                && let Some(text) = act::body(event).and_then(|body| body.get("text")).and_then(Value::as_str)
            {
                texts[usize::from(event.kind.as_str() == act::kind::POLICY)] = text.to_owned();
            }
        }
        let last = whole.finish();
        let (position, state, [roster, policy]) = cut.get(&kept);
        let state: Snapshot = serde_json::from_str(state).unwrap();
        let roster = Roster::parse(roster).unwrap();
        let policy = Policy::parse(policy).unwrap_or_default();
        let mut resumed = Engine::resume(zone(), state, roster, policy);
        for (given, said) in ledger.iter().zip(&said).skip(*position) {
            prop_assert_eq!(&give(&mut resumed, given), said);
        }
        prop_assert_eq!(resumed.finish(), last);
        prop_assert_eq!(resumed.snapshot(), whole.snapshot());
    }

    /// A policy, roster or ticket that comes after an entry is no part of its decision: cut off, it is the same.
    #[test]
    fn what_comes_later_changes_no_decision(ledger in ledger(), cut in any::<prop::sample::Index>()) {
        let upto = cut.index(ledger.len());
        let (mut whole, mut part) = (Engine::new(zone()), Engine::new(zone()));
        let all: Vec<Said> = ledger.iter().map(|given| give(&mut whole, given)).collect();
        let some: Vec<Said> = ledger.iter().take(upto).map(|given| give(&mut part, given)).collect();
        prop_assert_eq!(&all[..upto], &some[..]);
    }
}
