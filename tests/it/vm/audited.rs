//! A machine that audits from its first moment, without a service manager.

use anyhow::{Context as _, Result, ensure};

use serde_json::Value;

use super::{AT_MOST, events, kernel, practice_of_its_own};

#[test]
fn a_machine_that_audits_from_its_boot_sees_also_who_was_there_before_the_agent() -> Result<()> {
    let Some(kernel) = kernel("a_machine_that_audits_from_its_boot_sees_also_who_was_there_before_the_agent")
    else {
        return Ok(());
    };
    let image = practice_of_its_own(include_str!("audited.sh"))?.with_libraries()?;
    let ended = kernel.boot(&image, AT_MOST)?;
    ended.ensure_done()?;
    let events = events(&ended)?;
    let accesses: Vec<_> = events.iter().filter(|event| event["kind"] == "file_access").collect();
    // One of the two was there before the agent.
    for session in [1, 2] {
        let is_it = |access: &&Value| {
            access["object"]["path"] == "/srv/mail/letter"
                && access["object"]["owner"] == "mary"
                && access["object"]["via"] == "direct"
                && access["outcome"] == "success"
                && access["actor"]["session"] == session
                && access["actor"]["login_uid"] == 1001
                && access["actor"]["login_user"] == "itadmin1"
                && access["process"]["command"] == "cat /srv/mail/letter"
        };
        ensure!(accesses.iter().any(is_it), "session {session}: {accesses:#?}");
    }
    // The twin beside them: what is not watched is not told.
    ensure!(
        accesses.len() == 2,
        "two letters were read, and nothing else of this was watched: {accesses:#?}"
    );
    let health: Vec<_> = events.iter().filter(|event| event["kind"] == "health").collect();
    let start = health.first().context("health")?;
    ensure!(
        start["health"]["audit_was"].as_str().is_some_and(|was| was.starts_with("on, read by nobody")),
        "{start}"
    );
    ensure!(start["health"]["audit_enabled"] == 1 && start["health"].get("cannot_see").is_none(), "{start}");
    let after = ended.said("audit.after")?;
    ensure!(
        after.starts_with("on, read by nobody, 0 rules, failure 1, rate 0, backlog 8192, wait 15000"),
        "{after}"
    );
    println!("{}", ended.steps());
    Ok(())
}
