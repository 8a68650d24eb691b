//! Following over a real ledger in a folder: what was decided stays decided, and nobody waits for it.

mod rig;

use std::time::Duration;

use ntk_evidence::act;
use serde_json::json;

use super::*;
use crate::need_to_know::Judgement;
use rig::{Desk, file, login, policy, roster, ticket};

const ADMIN: &str =
    r#""login_uid":1001,"login_user":"itadmin1","effective_user":"root","session":4,"confidence":"kernel""#;
const SAM: &str = r#""login_user":"frontdesk1","effective_user":"frontdesk1","session":5"#;
const BEA: &str = r#""login_user":"billing1","effective_user":"billing1","session":6"#;
const NOBODY_KNOWN: &str = r#""login_uid":1777,"login_user":"temp","effective_user":"temp","session":7"#;

/// One of each: under a ticket, never, in hours, after leaving, by a stranger, by a job.
fn accesses(day: &str) -> Vec<String> {
    let job = r#""effective_user":"svc-backup","confidence":"unattributed""#;
    vec![
        login(day, "19:05", ADMIN),
        file(day, "19:10", ADMIN, "export", "practice", "/usr/bin/cat"),
        file(day, "19:11", ADMIN, "mailbox", "mary", "/usr/bin/less"),
        file(day, "19:12", SAM, "ehr", "practice", "/usr/bin/ehr"),
        file(day, "19:13", BEA, "export", "practice", "/usr/bin/cat"),
        file(day, "19:14", NOBODY_KNOWN, "hr", "sam", "/usr/bin/cat"),
        file(day, "08:00", job, "mailbox", "sam", "/usr/bin/restic"),
    ]
}

/// ND-2: what was decided by the rules of its time is decided so again, whatever comes later. Later are: a
/// stricter table, a roster in which the accounts are other people's and a job fits, tickets that would have
/// covered it, break-glass, an approval of an old request; then a restart, another store made from the ledger,
/// and entries of the same kind that are decided otherwise.
#[test]
fn a_later_rule_changes_no_earlier_decision() {
    let mut desk = Desk::open();
    desk.act(roster(include_str!("../../templates/roster-example.toml")));
    desk.act(ticket("T-1", "export", "2026-11-27T19:00:00Z", "2026-11-27T22:00:00Z"));
    desk.act(rig::approved("T-1"));
    desk.act(ticket("T-2", "mailbox", "2026-11-27T19:00:00Z", "2026-11-27T22:00:00Z"));
    desk.append(&accesses("2026-11-27"));
    desk.catch_up();
    let (before, found) = (desk.decisions(), desk.findings());
    let outcomes: Vec<Judgement> = before.iter().map(|(_, decision)| decision.outcome).collect();
    for outcome in [Judgement::Explained, Judgement::Unexplained, Judgement::Never] {
        assert!(outcomes.contains(&outcome), "{outcome:?} is among {outcomes:?}");
    }
    // The follower's own decisions, as its findings tell them, are those that are read.
    for finding in &found {
        let (_, decision) =
            before.iter().find(|(at, _)| *at == (finding.author.clone(), finding.first_number)).unwrap();
        assert_eq!(
            (finding.outcome, &finding.reasons),
            (decision.outcome, &decision.reasons),
            "{}",
            finding.id
        );
    }
    let n_findings = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Judgement::Unexplained | Judgement::Never))
        .count();
    assert!(found.len() >= n_findings, "each is a finding: {found:?}");

    desk.act(policy(Policy::template("strict").unwrap()));
    desk.act(roster(rig::OTHER_ROSTER));
    // Both approvals claim a time before the accesses; their place in the ledger says that they came after.
    desk.act(rig::approved("T-2"));
    desk.act(ticket("T-3", "hr", "2026-11-27T18:00:00Z", "2026-11-28T02:00:00Z"));
    desk.act(rig::approved("T-3"));
    let glass = json!({"step": "opened", "id": "B-1", "person": "bea", "reason": "the server is down",
        "from": "2026-11-27T18:00:00Z", "to": "2026-11-28T02:00:00Z"});
    desk.act(act::event(act::kind::BREAK_GLASS, "2026-11-27T19:30:00Z", glass));
    desk.catch_up();
    assert_eq!(desk.decisions(), before, "after later acts");

    desk.append(&accesses("2026-11-27"));
    desk.catch_up();
    let now = desk.decisions();
    let (old, new) = now.split_at(before.len());
    assert_eq!(old, before, "after entries under the later rules");
    let differ = old.iter().zip(new).filter(|((_, old), (_, new))| old.outcome != new.outcome).count();
    assert!(differ >= 3, "the later rules do decide otherwise: {differ}");

    let findings = desk.findings();
    desk.restart();
    assert_eq!(desk.decisions(), now, "after a restart");
    assert_eq!(desk.findings(), findings, "after a restart");
    desk.lose_the_store();
    assert_eq!(desk.decisions(), now, "from a store that was made anew");
    assert_eq!(desk.findings(), findings, "from a store that was made anew");
    for finding in &found {
        assert!(
            desk.findings().iter().any(|other| other.id == finding.id && other.outcome == finding.outcome)
        );
    }
}

/// Decided after append: batches are durable and acknowledged while nobody follows; whoever follows later
/// decides them all.
#[test]
fn batches_are_receipted_while_no_decision_is_made() {
    const BATCHES: u64 = 40;
    let mut desk = Desk::open();
    desk.act(roster(include_str!("../../templates/roster-example.toml")));
    desk.catch_up();
    let stood_at = desk.progress().applied();
    for _ in 0..BATCHES {
        // `append` gives back only when the receipt is there.
        desk.append(&accesses("2026-11-27"));
    }
    assert_eq!(desk.progress().applied(), stood_at, "nothing was decided meanwhile");
    assert_eq!(desk.durable(), stood_at + BATCHES, "and everything is durable");
    assert!(!desk.progress().wait_for(stood_at + BATCHES, Duration::ZERO));
    desk.catch_up();
    assert_eq!(desk.decisions().len(), accesses("2026-11-27").len() * usize::try_from(BATCHES).unwrap());
}

/// A disk or thread that makes following slow slows nobody who appends.
#[test]
fn batches_are_receipted_while_following_hangs_in_the_middle_of_one() {
    let mut desk = Desk::open();
    desk.act(roster(include_str!("../../templates/roster-example.toml")));
    desk.append(&accesses("2026-11-27"));
    // The follower waits for this gate when it says how far it has come, in the middle of its work.
    let progress = desk.progress();
    let gate = progress.gate.lock().unwrap();
    let hanging = desk.follow_apart();
    let before = desk.durable();
    for _ in 0..10 {
        desk.append(&accesses("2026-11-27"));
    }
    assert!(desk.durable() >= before + 10);
    assert_eq!(progress.applied(), 0, "following hangs");
    drop(gate);
    desk.take_back(hanging);
    desk.catch_up();
    assert_eq!(desk.decisions().len(), accesses("2026-11-27").len() * 11);
}
