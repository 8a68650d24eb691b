//! A finding from its entry to its decision, a review from its making to its sign-off, a self-check, by the pages.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_tests::console::{Answer, PASSPHRASE, with_manager};
use ntk_tests::crafted::{entry, message};
use ntk_tests::practice::{Practice, START_WITHIN, week};
use ntk_tests::wait;
use serde_json::json;

use crate::refusals::{accepted, enrolled, runtime};

/// What a hostile machine may call an account or an owner.
pub(super) const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// Keeps a page for whoever wants to look at it: in the folder that `NTK_PAGES` names.
pub(super) fn keep(name: &str, page: &Answer) -> Result<()> {
    if let Some(folder) = std::env::var_os("NTK_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), &page.body)?;
    }
    Ok(())
}

/// A machine that tells of accounts which read somebody's mailbox: account, owner of the mailbox.
pub(super) fn with_access(practice: &Practice, accesses: &[(&str, &str)]) -> Result<()> {
    let now = Timestamp::now();
    let access = |user: &str, owner: &str| {
        json!({"kind": "file_access", "time": now.to_string(), "outcome": "success", "action": "read",
            "actor": {"login_uid": 1001, "login_user": user, "session": 5, "confidence": "kernel"},
            "object": {"class": "mailbox", "owner": owner}, "source": {"sensor": "linux-audit"}})
    };
    runtime()?.block_on(async {
        let mut agent = enrolled(practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        let entries = accesses.iter().map(|(user, owner)| entry(&access(user, owner).to_string()));
        let batch = agent.seal(entries.collect::<Result<Vec<_>>>()?)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })
}

#[test]
fn a_finding_is_asked_about_and_decided_on_its_page_and_its_names_are_text() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    with_access(&practice, &[("itadmin1", "manager"), (MARKUP, MARKUP)])?;
    let week = wait::until("the finding on the page of this week", START_WITHIN, || {
        let page = browser.get("/")?;
        Ok(page.body.contains("Ask or decide").then_some(page))
    })?;
    keep("this-week", &week)?;
    let list = browser.get("/findings")?;
    keep("findings", &list)?;
    let path = list.between("<a href=\"/findings/", "\"").context("a finding is listed")?;
    let path = format!("/findings/{path}");
    let page = browser.get(&path)?;
    keep("finding", &page)?;
    for page in [&week, &list, &page] {
        ensure!(!page.body.contains("<img"), "markup of a machine is markup: {}", page.body);
        ensure!(!page.body.contains("style=\""), "no inline style");
    }
    // Without the passphrase, with a wrong one, without a reason: nothing is kept, and what was typed stays.
    let decide = |passphrase: &'static str, because: &'static str| {
        [("step", "decide"), ("decision", "expected"), ("text", because), ("passphrase", passphrase)]
    };
    for (passphrase, because) in
        [("", "The migration."), ("wrong horse battery", "The migration."), (PASSPHRASE, "")]
    {
        let refused = browser.post(&path, &decide(passphrase, because))?;
        ensure!(refused.status == 400, "{} {}", refused.status, refused.body);
        ensure!(
            refused.body.contains("Nothing was kept") && refused.body.contains(because),
            "{}",
            refused.body
        );
    }
    let asked = [("step", "ask"), ("text", "What was <b>this</b> for?"), ("passphrase", PASSPHRASE)];
    let asked = browser.post(&path, &asked)?;
    ensure!(asked.leads_to().is_some_and(|to| to.ends_with("said=asked")), "{}", asked.body);
    ensure!(browser.post(&path, &decide(PASSPHRASE, "The migration."))?.status == 303);
    let page = browser.get(&path)?;
    ensure!(page.body.contains("Mary Lopez decides: expected, because The migration."), "{}", page.body);
    ensure!(page.body.contains("What was &#60;b&#62;this") || page.body.contains("What was &lt;b&gt;this"));
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let looked = acts.iter().filter(|act| act.contains("act_viewed") && act.contains("\"by\":\"mary\""));
    ensure!(looked.count() >= 4, "each look is an act in her name");
    Ok(())
}

#[test]
fn a_review_is_opened_and_signed_off_once_and_the_page_says_by_whom() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let week = week(1)?;
    let out = practice.folder().join("out").to_string_lossy().into_owned();
    ensure!(browser.get("/reports")?.body.contains("No review was made yet"));
    practice.collector(&["report", "--week", &week, "--out", &out])?;
    let list = browser.get("/reports")?;
    let file =
        list.between("<a class=\"btn\" href=\"/reports/", "\"").context("a file is listed")?.to_owned();
    let review = browser.get(&format!("/reports/{file}"))?;
    let policy = review.header("content-security-policy").unwrap_or_default();
    ensure!(policy.contains("style-src-elem 'sha256-") && policy.contains("default-src 'none'"), "{policy}");
    ensure!(review.body.contains("Weekly access review"));
    for file in ["../private/accounts.json", "%2e%2e%2fprivate%2faccounts.json", "none.html"] {
        ensure!(browser.get(&format!("/reports/{file}"))?.status == 404, "{file}");
    }
    browser.get("/reports")?;
    let sign = |passphrase| [("week", week.as_str()), ("note", "gone through"), ("passphrase", passphrase)];
    ensure!(browser.post("/reports/sign-off", &sign("wrong horse battery"))?.status == 400);
    ensure!(browser.post("/reports/sign-off", &sign(PASSPHRASE))?.leads_to() == Some("/reports"));
    let list = browser.get("/reports")?;
    keep("reports", &list)?;
    ensure!(list.body.contains("signed off</span>") && list.body.contains("gone through"), "{}", list.body);
    // The command says the same, and nobody signs twice.
    let file = practice.folder().join("marys-passphrase");
    std::fs::write(&file, PASSPHRASE)?;
    let file = file.to_string_lossy().into_owned();
    let (code, said) =
        practice.try_collector(&["sign-off", "--week", &week, "--by", "mary", "--passphrase-file", &file])?;
    ensure!(code == Some(1) && said.contains("has signed off week"), "{said}");
    Ok(())
}

#[test]
fn a_self_check_is_run_from_its_page() -> Result<()> {
    let (_practice, mut browser, _) = with_manager()?;
    browser.get("/self-check")?;
    ensure!(browser.post("/self-check", &[])?.leads_to() == Some("/self-check"));
    let page = wait::until("the check", START_WITHIN, || {
        let page = browser.get("/self-check")?;
        Ok(page.body.contains("What it found").then_some(page))
    })?;
    keep("self-check", &page)?;
    ensure!(page.body.contains("The last check passed"), "{}", page.body);
    keep("me", &browser.get("/me")?)?;
    Ok(())
}
