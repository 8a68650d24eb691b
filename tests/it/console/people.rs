//! People by the pages: whose an account is, leave dates, the notice by link and on paper, self-view.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, ToSpan as _, Zoned};
use ntk_tests::console::{Browser, PASSPHRASE, with_manager};
use ntk_tests::practice::START_WITHIN;
use ntk_tests::wait;

use super::events::{keep, read, roster, send};

/// What somebody may be called in a roster.
const MARKUP: &str = "Eve <img src=x onerror=alert(1)>";

#[test]
fn an_account_that_belongs_to_nobody_is_given_to_somebody_and_who_leaves_is_recorded() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let hostile = format!("\n[[person]]\nid = \"eve\"\nname = \"{MARKUP}\"\nroles = [\"frontdesk\"]\n");
    roster(&practice, &hostile)?;
    let now = Timestamp::now();
    let strange = "temp<b>";
    send(
        &practice,
        "ws-01",
        &[read(now, "itadmin1", 1001, "/var/mail/mary/1"), read(now, strange, 1044, "/var/mail/mary/2")],
    )?;
    let page = browser.get("/people")?;
    ensure!(page.status == 200 && page.body.contains("Nobody has looked yet"), "{}", page.body);
    ensure!(page.body.contains("itadmin1 (uid 1001) on ws-01"), "{}", page.body);
    ensure!(!page.body.contains("<img") && page.body.contains("Eve "), "{}", page.body);
    let looked = wait::until("the account that belongs to nobody", START_WITHIN, || {
        browser.get("/people")?;
        let answer = browser.post("/people", &[])?;
        ensure!(answer.leads_to() == Some("/people?said=looked"), "{}", answer.body);
        let page = browser.get("/people?said=looked")?;
        Ok(page.body.contains("temp").then_some(page))
    })?;
    keep("people", &looked)?;
    ensure!(!looked.body.contains("temp<b>") && looked.body.contains("not in four weeks"), "{}", looked.body);
    let account = looked.between("name=\"account\" value=\"", "\"").context("a form says which")?;
    let account = account.replace("&#60;", "<").replace("&#62;", ">");
    let give = |person: &'static str, passphrase: &'static str, account: &str| {
        [
            ("account", account.to_owned()),
            ("person", person.to_owned()),
            ("passphrase", passphrase.to_owned()),
        ]
    };
    for (person, passphrase) in [("", PASSPHRASE), ("sam", ""), ("sam", "wrong horse battery")] {
        let form = give(person, passphrase, &account);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = browser.post("/accounts/confirm", &form)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was kept"), "{}", refused.body);
        ensure!(refused.body.contains("aria-invalid=\"true\""), "at its field: {}", refused.body);
    }
    let form = give("sam", PASSPHRASE, &account);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = browser.post("/accounts/confirm", &form)?;
    ensure!(kept.leads_to() == Some("/people?said=confirmed"), "{}", kept.body);
    let page = browser.get("/people")?;
    ensure!(page.body.contains("Every account that was recorded"), "{}", page.body);
    // Who leaves.
    let sam = browser.get("/people/sam")?;
    ensure!(sam.status == 200 && sam.body.contains("(uid 1044) on ws-01"), "{}", sam.body);
    ensure!(browser.get("/people/nobody")?.status == 404);
    let in_a_week = Zoned::now().checked_add(7.days())?.date().to_string();
    let leave = |on: &str, given: &str, passphrase: &str| {
        [("step", "leave"), ("on", on), ("notice_given", given), ("passphrase", passphrase)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    for (on, given, passphrase) in [
        ("", "", PASSPHRASE),
        ("soon", "", PASSPHRASE),
        (in_a_week.as_str(), "2099-01-01", PASSPHRASE),
        (in_a_week.as_str(), "", ""),
    ] {
        browser.get("/people/sam")?;
        let form = leave(on, given, passphrase);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = browser.post("/people/sam/leave", &form)?;
        ensure!(refused.status == 400 && refused.body.contains("aria-invalid=\"true\""), "{}", refused.body);
        ensure!(refused.body.contains(&format!("value=\"{on}\"")), "what was typed stays: {}", refused.body);
    }
    let form = [("step", "leave"), ("on", in_a_week.as_str()), ("passphrase", PASSPHRASE)];
    let kept = browser.post("/people/sam/leave", &form)?;
    ensure!(kept.leads_to() == Some("/people/sam?said=leave"), "{}", kept.body);
    let sam = browser.get("/people/sam?said=leave")?;
    keep("person", &sam)?;
    ensure!(sam.body.contains(&format!("From {in_a_week} on")), "{}", sam.body);
    ensure!(!sam.body.contains("ntk-collector "), "no command on a page: {}", sam.body);
    let back = browser.post("/people/sam/leave", &[("step", "withdraw"), ("passphrase", PASSPHRASE)])?;
    ensure!(back.leads_to() == Some("/people/sam?said=withdrawn"), "{}", back.body);
    ensure!(browser.get("/people/sam")?.body.contains("No leave date is recorded"));
    // One's own is recorded by somebody else.
    ensure!(
        browser.get("/people/mary")?.body.contains("When your own access ends is recorded by somebody else")
    );
    let own = browser.post("/people/mary/leave", &form)?;
    ensure!(own.status == 403 && own.body.contains("somebody else who decides"), "{}", own.body);
    Ok(())
}

#[test]
fn the_notice_is_published_and_acknowledged_by_link_and_on_paper() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let empty = browser.get("/notices")?;
    ensure!(empty.body.contains("None is in force yet"), "{}", empty.body);
    let publish = |text: &'static str, passphrase: &'static str| {
        [("notice", "staff"), ("text", text), ("version", "1"), ("passphrase", passphrase)]
    };
    for (text, passphrase) in [("", PASSPHRASE), ("Access is recorded. <b>", "")] {
        let refused = browser.post("/notices", &publish(text, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was published"), "{}", refused.body);
        ensure!(!refused.body.contains("recorded. <b>"), "{}", refused.body);
    }
    let kept = browser.post("/notices", &publish("Access is recorded. <b>", PASSPHRASE))?;
    ensure!(kept.leads_to() == Some("/notices?notice=staff&said=published"), "{}", kept.body);
    let page = browser.get("/notices?notice=staff&said=published")?;
    keep("notices", &page)?;
    ensure!(page.body.contains("Version 1") && page.body.contains("Sam Ortiz"), "{}", page.body);
    ensure!(browser.get("/notices?notice=vendor_contract")?.body.contains("Clause for vendors"));
    // By a link, which is shown once and works once.
    browser.get("/people/sam")?;
    let refused = browser.post("/people/sam/notice", &[("step", "link"), ("passphrase", "wrong horse")])?;
    ensure!(refused.status == 400 && !refused.body.contains("/a/"), "{}", refused.body);
    let made = browser.post("/people/sam/notice", &[("step", "link"), ("passphrase", PASSPHRASE)])?;
    keep("link-made", &made)?;
    ensure!(made.status == 200, "{}", made.body);
    let address = made.between("class=\"copy mono\" value=\"", "\"").context("the link")?.to_owned();
    ensure!(address.starts_with(&practice.console_origin()) && made.body.contains("Please read the notice"));
    ensure!(!browser.get("/people/sam")?.body.contains(&address), "once");
    let mut sam = Browser::open(&practice)?;
    let text = sam.get(&address)?;
    ensure!(text.status == 200 && text.body.contains("Access is recorded."), "{}", text.body);
    let path = address.strip_prefix(&practice.console_origin()).context("a path")?.to_owned();
    ensure!(sam.post_so(&path, &[("read", "yes")], &[], &[])?.status == 200, "it is taken");
    ensure!(sam.post_so(&path, &[("read", "yes")], &[], &[])?.status == 410, "once");
    let page = browser.get("/people/sam")?;
    ensure!(page.body.contains("version 1, by a one-time link"), "{}", page.body);
    ensure!(!page.body.contains("Make the link"), "nothing is left to do: {}", page.body);
    // On paper, recorded by somebody else; a day to come is none.
    browser.get("/people/northwind")?;
    let open = browser.get("/people/northwind")?;
    ensure!(
        open.body.contains("notice to vendors") && open.body.contains("none is in force"),
        "{}",
        open.body
    );
    let more = "\n[[person]]\nid = \"eve\"\nname = \"Eve\"\nroles = [\"frontdesk\"]\n";
    roster(&practice, more)?;
    browser.get("/people/eve")?;
    let paper = |on: &'static str| [("step", "paper"), ("on", on), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/people/eve/notice", &paper("2099-01-01"))?.status == 400);
    ensure!(
        browser.post("/people/eve/notice", &paper("2026-11-01"))?.leads_to()
            == Some("/people/eve?said=paper")
    );
    ensure!(browser.get("/people/eve")?.body.contains("version 1, on paper, 2026-11-01"));
    let list = browser.get("/people")?;
    ensure!(list.body.contains("version 1, on paper") && list.body.contains("version 1 not acknowledged"));
    Ok(())
}
