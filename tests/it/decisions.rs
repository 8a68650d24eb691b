//! Decisions over a whole made-up practice: remembering verdicts and living through the practice change none.

use anyhow::Result;
use ntk_collector::need_to_know::{Decision, Verdicts, decide, decide_with};
use ntk_evidence::hash::Hash;
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::walk::Walk;

#[test]
fn remembered_verdicts_change_no_decision_of_a_whole_practice() -> Result<()> {
    let scenario = Request { seed: 5, people: 15, weeks: 12 }.scenario()?;
    let mut by_engine: Vec<Decision> = Vec::new();
    let walk = Walk::through(&scenario, |_, decided| by_engine.push(decided.decision.clone()))?;
    let (mut alone, mut remembered) = (Vec::new(), Vec::new());
    let mut verdicts = Verdicts::remembering();
    walk.stretches(|rules, accesses| {
        for access in accesses {
            alone.push(decide(&access, &rules.roster, &rules.policy, &rules.tickets));
            remembered.push(decide_with(
                &access,
                &rules.roster,
                &rules.policy,
                &rules.tickets,
                &mut verdicts,
            ));
        }
    })?;
    assert!(alone.len() > 1000 && alone.iter().any(Decision::is_finding));
    for ((alone, remembered), by_engine) in alone.iter().zip(&remembered).zip(&by_engine) {
        assert_eq!(remembered, alone);
        assert_eq!(by_engine, alone, "the engine decides as `decide` does");
    }
    assert_eq!((remembered.len(), by_engine.len()), (alone.len(), alone.len()));
    // For whoever makes deciding faster: the same before and after.
    println!("{} decisions, {}", alone.len(), Hash::of(&serde_json::to_vec(&alone)?).to_hex());
    Ok(())
}
