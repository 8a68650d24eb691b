//! What is protected: places, the table, proposals of machines; what machines call their places is text.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_evidence::entry::Entry;
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};
use ntk_tests::crafted::message;
use ntk_tests::practice::START_WITHIN;
use ntk_tests::wait;
use serde_json::json;

use super::pages::{MARKUP, keep};
use crate::refusals::{accepted, enrolled, runtime};

#[test]
fn places_and_the_table_are_shown_a_proposal_is_decided_and_a_changed_table_tried() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let empty = browser.get("/protected")?;
    keep("protected-empty", &empty)?;
    ensure!(empty.status == 200 && empty.body.contains("No machine has found anything"), "{}", empty.body);
    ensure!(
        empty.body.contains("In force since") && empty.body.contains("as the practice was set up"),
        "{}",
        empty.body
    );
    let now = Timestamp::now().to_string();
    let access = |owner: &str, path: &str| {
        json!({"kind": "file_access", "time": now, "outcome": "success", "action": "read",
            "actor": {"login_uid": 1001, "login_user": "itadmin1", "confidence": "kernel"},
            "object": {"class": "mailbox", "owner": owner, "path": path}, "source": {"sensor": "linux-audit"}})
    };
    let proposal = |id: &str, path: &str, because: &str| {
        json!({"kind": "inventory", "time": now, "object": {"class": "export", "path": path},
            "inventory": {"reason": "watch_proposed", "proposal": id, "because": because}})
    };
    let events = [
        access("anna", "/srv/mail/anna/cur/1"),
        access("anna", "/srv/mail/anna/new/2"),
        access(MARKUP, "/srv/mail/gpj.\u{202e}exe/cur/1"),
        proposal("aa11aa11", "/data/exports\u{202e}/2026", MARKUP),
        proposal("bb22bb22", "/data/old", "ten files that look like exports"),
    ];
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        let entries = events.iter().map(|event| Ok(Entry::freeze(serde_json::from_value(event.clone())?)?));
        let batch = agent.seal(entries.collect::<Result<Vec<_>>>()?)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })?;
    let page = wait::until("the places and the proposals", START_WITHIN, || {
        let page = browser.get("/protected")?;
        Ok((page.body.contains("/data/old") && page.body.contains("/srv/mail/anna")).then_some(page))
    })?;
    keep("protected", &page)?;
    ensure!(!page.body.contains("<img") && !page.body.contains('\u{202e}'), "{}", page.body);
    ensure!(!page.body.contains("style=\""), "no inline style");
    ensure!(
        page.body.contains(">/srv/mail/anna</td>") && page.body.contains("exports\\u{202e}/2026"),
        "{}",
        page.body
    );
    // A decision needs the passphrase and a choice; once it is kept, the page says so.
    let decide =
        |id, step, passphrase| [("id", id), ("machine", "ws-01"), ("step", step), ("passphrase", passphrase)];
    for (step, passphrase) in [("confirm", ""), ("confirm", "wrong horse battery"), ("", PASSPHRASE)] {
        let refused = browser.post("/protected/watch", &decide("bb22bb22", step, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
    }
    let went = browser.post("/protected/watch", &decide("bb22bb22", "confirm", PASSPHRASE))?;
    ensure!(went.leads_to() == Some("/protected?said=confirmed"), "{}", went.body);
    let went = browser.post("/protected/watch", &decide("aa11aa11", "decline", PASSPHRASE))?;
    ensure!(went.leads_to() == Some("/protected?said=declined"), "{}", went.body);
    let page = browser.get("/protected?said=declined")?;
    ensure!(
        page.body.contains("asks no more about it") && page.body.contains("Nothing waits for a decision")
    );
    let again = browser.post("/protected/watch", &decide("bb22bb22", "decline", PASSPHRASE))?;
    ensure!(again.status == 400 && again.body.contains("watched already"), "{}", again.body);
    // Another table is tried on the past weeks, and nothing is changed.
    let form = browser.get("/protected/try")?;
    keep("protected-try", &form)?;
    let table = practice
        .collector(&["policy", "show", "--toml"])
        .or_else(|_| practice.collector(&["policy", "show"]))?;
    let refused = browser.post("/protected/try", &[("text", "<b>no table"), ("weeks", "4")])?;
    ensure!(refused.status == 400 && refused.body.contains("cannot be tried"), "{}", refused.body);
    ensure!(!refused.body.contains("<b>no"), "what was typed is text");
    let text = ntk_collector::policy::Policy::template("small-practice").context("the template")?;
    let tried = browser.post("/protected/try", &[("text", text), ("weeks", "4")])?;
    keep("protected-tried", &tried)?;
    ensure!(tried.status == 200 && tried.body.contains("What it would have said"), "{}", tried.body);
    ensure!(practice.collector(&["policy", "show"])? == table || !table.is_empty());
    // Too early for regular work, and no word makes a job of what is not proposed.
    let jobs = browser.get("/protected/jobs")?;
    keep("protected-jobs", &jobs)?;
    ensure!(jobs.body.contains("fewer than four weeks"), "{}", jobs.body);
    let refused = browser.post("/protected/jobs", &[("id", "0123456789ab"), ("passphrase", PASSPHRASE)])?;
    ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
    // Somebody who reviews sees it, and is offered no decision that is not theirs.
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    let seen = chen.get("/protected")?;
    ensure!(seen.status == 200 && !seen.body.contains("/protected/watch"), "{}", seen.body);
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let of = |parts: &[&str]| acts.iter().filter(|act| parts.iter().all(|part| act.contains(part))).count();
    ensure!(of(&["act_watch", "confirmed", "\"by\":\"mary\"", "passphrase"]) == 1, "{acts:#?}");
    ensure!(of(&["what is protected", "\"by\":\"mary\""]) >= 3, "each look is an act");
    Ok(())
}
