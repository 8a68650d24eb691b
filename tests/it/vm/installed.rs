//! The agent as a service that `install` made, under a real service manager, and off again.

use anyhow::{Result, ensure};
use ntk_tests::skip;
use ntk_tests::vm::is_installed;

use super::{AT_MOST, events, kernel, service};

#[test]
fn install_starts_the_service_and_uninstall_says_by_whose_session_it_went() -> Result<()> {
    let name = "install_starts_the_service_and_uninstall_says_by_whose_session_it_went";
    let Some(kernel) = kernel(name) else { return Ok(()) };
    if let Some(absent) = service::PACKAGES.iter().find(|package| !is_installed(package)) {
        skip::skip(name, &format!("the package {absent} is not installed"));
        return Ok(());
    }
    let mut image = service::image()?;
    image.file("/script", 0o755, include_str!("installed.sh"));
    let ended = kernel.boot(&image, AT_MOST)?;
    ended.ensure_done()?;
    println!("{}", ended.steps());
    let says = |name: &str, words: &str| {
        let said = ended.said(name)?;
        ensure!(said.contains(words), "{name}: no `{words}` in {said}");
        Ok(())
    };
    says("not-enrolled", "ntk-agent enroll")?;
    says("not-enrolled", "exit 78")?;
    says("dry-run", "unit: /etc/systemd/system/ntk-agent.service would be written")?;
    says("installed", "boot parameters: this machine was started with them")?;
    says("installed", "service: enabled and started")?;
    for words in ["enabled", "ActiveState=active", "NRestarts=0"] {
        says("state", words)?;
    }
    says("again", "unit: /etc/systemd/system/ntk-agent.service is as it should be")?;
    says("uninstalled", "its last entries say so, and by whose session")?;
    says("uninstalled", "kernel audit: as it was before the agent")?;
    says("state", "inactive")?;
    let left = ended.said("left")?;
    ensure!(!left.contains("ntk-agent.service") && left.contains("identity"), "{left}");
    ensure!(ended.said("audit.after")? == ended.said("audit.before")?, "{}", ended.said("audit.after")?);

    let events = events(&ended)?;
    let by_person = |event: &serde_json::Value| event["actor"]["login_uid"] == 1001;
    let read = events.iter().find(|event| event["object"]["path"] == "/srv/mail/letter");
    ensure!(read.is_some_and(by_person), "{events:#?}");
    let gone = events.iter().find(|event| event["tamper"]["detail"] == "uninstalled from this machine");
    ensure!(gone.is_some_and(by_person), "{events:#?}");
    let stopped = events.iter().rev().find(|event| event["kind"] == "health");
    ensure!(stopped.is_some_and(|event| event["health"]["reason"] == "stop"), "{events:#?}");
    Ok(())
}
