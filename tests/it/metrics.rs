//! The numbers for monitoring, from the real collector: a machine that comes and goes, and a whole ledger checked.

use std::time::Duration;

use anyhow::{Result, ensure};
use ntk_tests::practice::Practice;
use ntk_tests::{recording, wait};

#[test]
fn monitoring_sees_a_machine_come_and_go_and_the_last_check() -> Result<()> {
    let practice = Practice::start()?;
    let metrics = || practice.collector(&["metrics"]);
    let mut machine = practice.enroll("front-desk")?;
    let first = metrics()?;
    assert!(first.contains("ntk_agent_connected{author=\"agent/front-desk\"} 0\n"), "{first}");
    let file = practice.folder().join("recording.log");
    recording::write(&file, "week", 1001, 12, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("the machine to be connected", Duration::from_secs(60), || {
        machine.agent()?.ensure_running()?;
        let here = metrics()?.contains("ntk_agent_connected{author=\"agent/front-desk\"} 1\n");
        Ok(here && practice.size_of("front-desk")? > 12)
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    wait::until_so("the machine to be gone", Duration::from_secs(60), || {
        Ok(metrics()?.contains("ntk_agent_connected{author=\"agent/front-desk\"} 0\n"))
    })?;
    practice.collector(&["self-check"])?;
    let said = metrics()?;
    assert!(said.contains("\nntk_self_check_passed 1\n"), "{said}");
    let entries =
        format!("ntk_author_entries{{author=\"agent/front-desk\"}} {}\n", practice.size_of("front-desk")?);
    assert!(said.contains(&entries), "{said}");
    for word in ["itadmin1", "northwind", "week-0000003", "/srv"] {
        assert!(!said.contains(word), "`{word}` stands in:\n{said}");
    }
    Ok(())
}
