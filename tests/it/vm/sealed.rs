//! A machine that is sealed: what is tried against its recording is refused by the kernel, and told with the person. The
//! twin without the seal, where the same acts succeed, are told and undone, is in `sensing`.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{AT_MOST, events, kernel, practice_of_its_own};

#[test]
fn what_root_tries_against_a_sealed_recording_is_refused_and_told_with_the_person() -> Result<()> {
    let Some(kernel) =
        kernel("what_root_tries_against_a_sealed_recording_is_refused_and_told_with_the_person")
    else {
        return Ok(());
    };
    let mut image = practice_of_its_own(include_str!("sealed.sh"))?;
    if !std::path::Path::new("/usr/sbin/auditctl").exists() {
        ntk_tests::skip::skip("vm::sealed", "auditctl is not installed");
        return Ok(());
    }
    image.host("/usr/sbin/auditctl")?;
    let ended = kernel.boot(&image.with_libraries()?, AT_MOST)?;
    ended.ensure_done()?;
    println!("{}", ended.steps());
    let events = events(&ended)?;

    // The kernel itself: locked, with the same rules whatever was tried, and whoever owns it.
    let (sealed, tried) = (ended.said("audit.sealed")?, ended.said("audit.attempted")?);
    ensure!(sealed.starts_with("on and locked, read by process"), "{sealed}");
    ensure!(sealed == tried, "the attempts changed the kernel's audit: {}", ended.said("person")?);
    let rules = |state: &str| state.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    for name in ["audit.again", "audit.after"] {
        let later = ended.said(name)?;
        ensure!(later.starts_with("on and locked") && rules(&later) == rules(&sealed), "{name}: {later}");
    }
    let said = ended.said("person")?;
    ensure!(said.matches("Operation not permitted").count() >= 6, "{said}");
    ensure!(!said.contains("the kernel did it"), "{said}");

    // The collector: each attempt with the person.
    let told = |what: &str, detail: &str| {
        let is_it = |event: &&Value| {
            event["tamper"]["what"] == what
                && event["tamper"]["detail"].as_str().is_some_and(|said| said.contains(detail))
                && event["actor"]["login_uid"] == 1001
                && event["actor"]["login_user"] == "itadmin1"
                && event["outcome"] == "denied"
        };
        let found = events.iter().find(is_it);
        ensure!(found.is_some(), "no {what} with {detail}: {events:#?}");
        Ok(())
    };
    told("audit_disabled", "audit_enabled=0 old=2")?;
    told("rules_changed", "op=remove_rule")?;
    told("rules_changed", "op=add_rule")?;
    told("audit_policy_changed", "audit_backlog_limit=1 old=8192")?;
    told("audit_policy_changed", "audit_pid=")?;
    told("login_uid_changed", "old-auid=1001 auid=7")?;
    told("login_uid_changed", "old-auid=1001 auid=unset")?;

    // Every access bears the person who logged in, also while the agent was dead and after its restart; and none is
    // the agent's own.
    let accesses: Vec<&Value> = events.iter().filter(|event| event["kind"] == "file_access").collect();
    let letters = accesses.iter().filter(|access| access["object"]["path"] == "/srv/mail/letter");
    let (n, mine) = letters.fold((0, 0), |(n, mine), access| {
        (
            n + 1,
            mine + usize::from(
                access["actor"]["login_uid"] == 1001 && access["actor"].get("claims").is_none(),
            ),
        )
    });
    ensure!((n, mine) == (4, 4), "{accesses:#?}");
    ensure!(!accesses.iter().any(|access| access["process"]["exe"] == "/usr/bin/ntk-agent"), "{accesses:#?}");
    ensure!(events.iter().any(|event| event["gap"]["cause"] == "agent_restart"), "{events:#?}");

    // Health says that it is sealed, and what came too late for the lock.
    let health: Vec<&Value> = events.iter().filter(|event| event["kind"] == "health").collect();
    ensure!(health.iter().filter(|one| one["health"]["audit_lock"] == "sealed").count() >= 2, "{health:#?}");
    let status = ended.said("status.json")?;
    ensure!(status.contains("/srv/later until the machine boots again: its rules are locked"), "{status}");
    Ok(())
}
