//! Departure by its page: the day, the steps, what computers hold, what is used afterwards; and not by whom it is about.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};
use ntk_tests::crafted::{entry, message};
use ntk_tests::wait;
use serde_json::json;

use super::pages::keep;
use crate::refusals::{accepted, enrolled, runtime};

const WITHIN: Duration = Duration::from_secs(60);
/// What a hostile machine may call a group.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

#[test]
fn a_departure_has_its_day_its_steps_in_order_what_computers_hold_and_what_was_used_after() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let now = Timestamp::now().to_string();
    let held = json!({"kind": "inventory", "time": now, "source": {"sensor": "holdings"}, "inventory": {"reason": "start", "holdings": [
        {"what": "admin_group", "name": MARKUP, "accounts": ["itadmin1"]},
        {"what": "authorized_key", "name": "SHA256:abc", "accounts": ["itadmin1"]}]}});
    let login = json!({"kind": "login", "time": now, "outcome": "success", "source": {"sensor": "linux-audit"},
        "actor": {"login_uid": 1001, "login_user": "itadmin1", "session": 5, "confidence": "kernel"}});
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        let entries = [&held, &login].map(|event| entry(&event.to_string()));
        let batch = agent.seal(entries.into_iter().collect::<Result<Vec<_>>>()?)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })?;
    let all = browser.get("/departure")?;
    ensure!(all.status == 200 && all.body.contains("Nobody has a leave date"), "{}", all.body);
    ensure!(!all.body.contains("value=\"mary\""), "not their own: {}", all.body);
    keep("departure-empty", &all)?;
    let path = "/departure?person=northwind";
    let page = wait::until("the computer's inventory", WITHIN, || {
        let page = browser.get(path)?;
        Ok(page.body.contains("administrator’s rights").then_some(page))
    })?;
    keep("departure-before", &page)?;
    ensure!(!page.body.contains("<img") && page.body.contains("Told since"), "{}", page.body);
    ensure!(
        page.body.contains("href=\"/evidence#preserve\"") && page.body.contains("No leave date is recorded")
    );
    // The order is the core's: what reaches in first, what opens a door last.
    let step = |name: &str| {
        page.body.find(&format!("name=\"item:{name}")).with_context(|| format!("{name} is a step"))
    };
    ensure!(step("sessions")? < step("account/")? && step("account/")? < step("keys-and-phone")?);

    let leave = |on: &'static str, passphrase: &'static str| {
        [("person", "northwind"), ("step", "leave"), ("on", on), ("passphrase", passphrase)]
    };
    for (on, passphrase) in [("soon", PASSPHRASE), ("2026-01-05", ""), ("2026-01-05", "wrong horse battery")]
    {
        let refused = browser.post("/departure", &leave(on, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("role=\"alert\""), "{on}: {}", refused.body);
    }
    let left = browser.post("/departure", &leave("2026-01-05", PASSPHRASE))?;
    ensure!(
        left.leads_to() == Some("/departure?person=northwind&said=left"),
        "{} {}",
        left.status,
        left.body
    );
    let page = browser.get(path)?;
    ensure!(page.body.contains("From <b>2026-01-05</b> on"), "{}", page.body);
    ensure!(page.body.contains("1 login"), "what was used afterwards is told: {}", page.body);

    // Two steps at once; who, when and the remark stand there; undone, and both stay in the ledger.
    let chosen =
        [("person", "northwind"), ("step", "tick"), ("item:sessions", "on"), ("item:keys-and-phone", "on")];
    let with = |more: &[(&'static str, &'static str)]| [&chosen[..], more].concat();
    ensure!(browser.post("/departure", &with(&[("passphrase", "")]))?.status == 400);
    let none = [("person", "northwind"), ("step", "tick"), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/departure", &none)?.body.contains("Choose at least one step"));
    let ticked = browser.post("/departure", &with(&[("note", MARKUP), ("passphrase", PASSPHRASE)]))?;
    ensure!(ticked.leads_to() == Some("/departure?person=northwind&said=ticked"), "{}", ticked.body);
    let page = browser.get(path)?;
    keep("departure", &page)?;
    ensure!(page.body.contains("2 of ") && page.body.contains("Mary Lopez, 20"), "{}", page.body);
    ensure!(!page.body.contains("<img"), "{}", page.body);
    let undo =
        [("person", "northwind"), ("step", "untick"), ("item:sessions", "on"), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/departure", &undo)?.status == 303);
    let page = browser.get(path)?;
    ensure!(page.body.contains("name=\"item:sessions\""), "open again: {}", page.body);
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let n =
        |word: &str| acts.iter().filter(|act| act.contains("act_departure") && act.contains(word)).count();
    ensure!((n("\"ticked\""), n("\"unticked\"")) == (2, 1), "{acts:#?}");
    ensure!(practice.collector(&["departure", "northwind"])?.contains("[x] "), "the command says the same");
    Ok(())
}

#[test]
fn nobody_sees_or_handles_their_own_departure_and_the_leave_date_is_co_signed() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    let file = practice.folder().join("marys-passphrase").to_string_lossy().into_owned();
    practice.collector(&["reviewer", "second", "chen", "--by", "mary", "--passphrase-file", &file])?;
    for (browser, own) in [(&mut mary, "mary"), (&mut chen, "chen")] {
        let page = browser.get(&format!("/departure?person={own}"))?;
        ensure!(page.status == 403, "{own}: {}", page.status);
        ensure!(browser.get(&format!("/api/v1/departure?person={own}"))?.status == 403, "{own}");
        browser.get("/departure")?;
        let tick = [("person", own), ("step", "tick"), ("item:sessions", "on"), ("passphrase", PASSPHRASE)];
        ensure!(browser.post("/departure", &tick)?.status == 403, "{own}");
    }
    ensure!(chen.get("/departure?person=sam")?.status == 200, "the twin");
    ensure!(mary.get("/departure?person=nobody")?.status == 404);
    mary.get("/departure")?;
    let leave = [("person", "sam"), ("step", "leave"), ("on", "2090-01-05"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post("/departure", &leave)?.status == 303);
    let page = chen.get("/departure?person=sam")?;
    ensure!(page.body.contains("2090-01-05") && page.body.contains("href=\"/second\""), "{}", page.body);
    keep("departure-waits", &page)?;
    let page = chen.get("/second")?;
    let sha256 = page.between("name=\"sha256\" value=\"", "\"").context("what is signed")?.to_owned();
    let sign = [("id", "C-1"), ("sha256", sha256.as_str()), ("passphrase", PASSPHRASE)];
    ensure!(chen.post("/second/sign", &sign)?.leads_to() == Some("/second?said=signed"));
    // Taking it back waits for the second signature.
    mary.get("/departure")?;
    let back = [("person", "sam"), ("step", "withdraw"), ("passphrase", PASSPHRASE)];
    let waits = mary.post("/departure", &back)?;
    ensure!(waits.leads_to() == Some("/departure?person=sam&said=waits"), "{} {}", waits.status, waits.body);
    ensure!(
        mary.get("/departure?person=sam")?.body.contains("From <b>2090-01-05</b> on"),
        "it holds until then"
    );
    Ok(())
}
