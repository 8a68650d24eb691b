//! The machines' pages: let in, seen, asked, shut out; what a machine says of itself is text.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};
use ntk_tests::crafted::{Crafted, entry, message};
use ntk_tests::practice::START_WITHIN;
use ntk_tests::wait;
use serde_json::json;

use super::pages::{MARKUP, keep};
use crate::refusals::{accepted, runtime};

/// The form with which reception-2 is let in.
fn asked<'f>(machine: &'f str, told: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![
        ("machine", machine),
        ("told", told),
        ("told_on", "2026-11-02"),
        ("because", "<b>nobody</b> uses it"),
        ("lasts", "3600"),
        ("address", ""),
    ]
}

#[test]
fn a_machine_is_let_in_seen_asked_and_shut_out_on_its_pages_and_its_texts_are_text() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let empty = browser.get("/machines")?;
    keep("machines-empty", &empty)?;
    ensure!(empty.body.contains("No machine is let in yet"), "{}", empty.body);
    // What is wrong is said at its field, and what was typed stays.
    browser.get("/add-machine")?;
    for (fields, says) in [
        (asked("", "yes"), "Give the machine a name"),
        (asked("<img src=x onerror=alert(1)>", "yes"), "No token was made"),
        (asked("reception-2", ""), "Say whether the people who use it were told"),
    ] {
        let refused = browser.post("/add-machine", &fields)?;
        ensure!(refused.status == 400 && refused.body.contains(says), "{says}: {}", refused.body);
        ensure!(refused.body.contains("nobody&#60;/b&#62;") || refused.body.contains("nobody&lt;/b&gt;"));
        ensure!(!refused.body.contains("<img") && !refused.body.contains("ntk1."), "{}", refused.body);
    }
    keep("machines-add", &browser.get("/add-machine")?)?;
    let offered = browser.post("/add-machine", &asked("reception-2", "no"))?;
    keep("machines-offer", &offered)?;
    ensure!(offered.status == 200, "{}", offered.body);
    let token = offered.between("enroll --token ", "<").context("the line to type")?.trim().to_owned();
    ensure!(token.starts_with("ntk1.") && offered.body.contains("no agent for Windows"), "{}", offered.body);
    let list = browser.get("/machines")?;
    ensure!(list.body.contains("Let in, not come yet") && !list.body.contains(&token), "{}", list.body);
    // It comes, and says what it is.
    let now = Timestamp::now().to_string();
    let health = json!({"kind": "health", "time": now, "health": {"reason": "start", "version": MARKUP, "os": "Debian 13\u{202e}, kernel 6.12",
        "sensors": ["linux-audit", MARKUP], "cannot_see": [format!("{MARKUP} is not seen")], "clock_ahead_ms": 90_000, "spool_bytes": 4096}});
    let inventory = json!({"kind": "inventory", "time": now, "inventory": {"reason": "start", "holdings": [
        {"what": "admin_group", "name": "sudo", "accounts": ["itadmin1"]},
        {"what": "authorized_key", "name": "SHA256:abc", "accounts": [MARKUP], "place": "~/.ssh"},
        {"what": "remote_tool", "name": MARKUP}]}});
    runtime()?.block_on(async {
        let mut agent = Crafted::enroll(&practice.address(), &practice.dir(), &token).await?;
        let mut stream = agent.stream().await?;
        let entries =
            [health, inventory].iter().map(|event| entry(&event.to_string())).collect::<Result<Vec<_>>>()?;
        let batch = agent.seal(entries)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })?;
    let path = "/machines/reception-2";
    let page = wait::until("what the machine holds", START_WITHIN, || {
        let page = browser.get(path)?;
        Ok(page.body.contains("Remote-access tool").then_some(page))
    })?;
    keep("machine", &page)?;
    let list = browser.get("/machines")?;
    keep("machines", &list)?;
    for page in [&page, &list] {
        ensure!(!page.body.contains("<img") && !page.body.contains('\u{202e}'), "{}", page.body);
        ensure!(!page.body.contains("style=\""), "no inline style");
        ensure!(
            page.body.contains("Debian 13\\u{202e}") && page.body.contains("90 seconds ahead"),
            "{}",
            page.body
        );
    }
    ensure!(page.body.contains("not proved") && page.body.contains("itadmin1"), "{}", page.body);
    ensure!(page.body.contains("by the kernel’s audit"), "{}", page.body);
    // Asked for what it holds now: only with the passphrase, and once.
    let refused = browser.post(&format!("{path}/ask"), &[("passphrase", "wrong horse battery")])?;
    ensure!(refused.status == 400 && refused.body.contains("Nothing was asked"), "{}", refused.body);
    let went = browser.post(&format!("{path}/ask"), &[("passphrase", PASSPHRASE)])?;
    let to = went.leads_to().context("a page to go on")?.to_owned();
    ensure!(browser.get(&to)?.body.contains("The machine is asked"), "{to}");
    // The operator sees how it stands, and nothing of what accounts hold there.
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut otto, _) = let_in(&practice, "otto", &["operator"])?;
    let seen = otto.get(path)?;
    ensure!(seen.body.contains("It cannot see") && !seen.body.contains("itadmin1"), "{}", seen.body);
    ensure!(!seen.body.contains("/findings") && !seen.body.contains("/live"), "{}", seen.body);
    // Shut out: with its name, a reason and the passphrase.
    let end =
        |machine, reason, passphrase| [("machine", machine), ("reason", reason), ("passphrase", passphrase)];
    for (machine, reason, passphrase) in [
        ("reception-1", "sold", PASSPHRASE),
        ("reception-2", "", PASSPHRASE),
        ("reception-2", "sold", "wrong horse battery"),
        ("reception-2", "sold", ""),
    ] {
        let refused = browser.post(&format!("{path}/shut-out"), &end(machine, reason, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
    }
    ensure!(browser.get(path)?.body.contains("Shut reception-2 out"));
    let went = browser.post(&format!("{path}/shut-out"), &end("reception-2", "sold", PASSPHRASE))?;
    let to = went.leads_to().context("a page to go on")?.to_owned();
    let page = browser.get(&to)?;
    keep("machine-shut-out", &page)?;
    ensure!(
        page.body.contains("shut out</span>") && page.body.contains("What it sent stays"),
        "{}",
        page.body
    );
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let of = |parts: &[&str]| acts.iter().filter(|act| parts.iter().all(|part| act.contains(part))).count();
    ensure!(of(&["act_enrolment_offered", "\"by\":\"mary\""]) == 1, "{acts:#?}");
    ensure!(of(&["act_revocation", "\"by\":\"mary\"", "\"proof\":\"passphrase\"", "sold"]) == 1, "{acts:#?}");
    ensure!(
        of(&["inventories of computers", "\"by\":\"mary\""]) >= 2,
        "each look at what accounts hold is an act"
    );
    // The command says the same.
    ensure!(practice.collector(&["enroll", "list"])?.contains("revoked"));
    Ok(())
}
