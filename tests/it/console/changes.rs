//! What a manager changes by the pages and what it takes: regular work made a job, a table that was tried, a leave date
//! with the second name under it.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, ToSpan as _};
use ntk_evidence::entry::Entry;
use ntk_tests::console::{Answer, Browser, PASSPHRASE, let_in, with_manager};
use ntk_tests::crafted::{Crafted, message};
use ntk_tests::forge::Forge;
use ntk_tests::practice::{Practice, START_WITHIN, week};
use ntk_tests::wait;
use serde_json::{Value, json};

use super::pages::{MARKUP, keep, with_access};
use crate::refusals::{accepted, enrolled, runtime};

/// How long looking through a few hundred entries may take.
const WITHIN: Duration = Duration::from_secs(60);

fn acts(practice: &Practice) -> Result<Vec<String>> {
    Ok(practice.events(&["--acts"])?.iter().map(ToString::to_string).collect())
}

/// How many acts say all of this.
fn n_acts(practice: &Practice, parts: &[&str]) -> Result<usize> {
    Ok(acts(practice)?.iter().filter(|act| parts.iter().all(|part| act.contains(part))).count())
}

/// A value as a browser reads it out of a page.
fn unescaped(text: &str) -> String {
    let marks = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    marks.iter().fold(text.to_owned(), |text, (mark, letter)| text.replace(mark, letter))
}

/// A program at work so many days ago, at ten past six by UTC, with nobody logged in.
fn at_work(exe: &str, days_ago: i64, owner: &str) -> Result<Value> {
    let day = Timestamp::now().checked_sub((days_ago * 24).hours())?.to_string();
    let day = day.split('T').next().context("a day")?;
    Ok(
        json!({"kind": "file_access", "time": format!("{day}T06:10:00Z"), "outcome": "success", "action": "read",
        "actor": {"login_uid": u32::MAX, "effective_user": "svc-backup", "confidence": "kernel"},
        "process": {"exe": exe, "parent": "/usr/lib/systemd/systemd"},
        "object": {"class": "mailbox", "owner": owner}, "count": 40, "source": {"sensor": "linux-audit"}}),
    )
}

/// Sends a batch of a machine's log.
fn send(agent: &mut Crafted, events: &[Value]) -> Result<()> {
    runtime()?.block_on(async {
        let mut stream = agent.stream().await?;
        let entries = events.iter().map(|event| Ok(Entry::freeze(serde_json::from_value(event.clone())?)?));
        let batch = agent.seal(entries.collect::<Result<Vec<_>>>()?)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })
}

#[test]
fn regular_work_of_four_weeks_is_made_a_job_with_the_passphrase_and_explains_what_it_does_from_then_on()
-> Result<()> {
    let (mut practice, mut mary, mut her) = with_manager()?;
    // The ledger began forty days ago.
    practice.stop_collector()?;
    Forge::open(&practice.dir())?.aged(40).write()?;
    practice.start_collector()?;
    mary.sign_in(&mut her)?;
    let mut agent = runtime()?.block_on(enrolled(&practice, "ws-01"))?;
    let strange = format!("/usr/bin/{MARKUP}\u{202e}");
    let mut events = Vec::new();
    for days_ago in (1..=30).rev() {
        events.push(at_work("/usr/bin/restic", days_ago, "anna")?);
        events.push(at_work("/tmp/helper", days_ago, "anna")?);
        events.push(at_work(&strange, days_ago, "anna")?);
    }
    send(&mut agent, &events)?;
    let page = wait::until("the proposals", WITHIN, || {
        let page = mary.get("/protected/jobs")?;
        ensure!(page.status == 200, "{}", page.body);
        Ok(page.body.contains("restic").then_some(page))
    })?;
    keep("jobs-proposed", &page)?;
    ensure!(!page.body.contains("<img") && !page.body.contains('\u{202e}'), "names are text: {}", page.body);
    ensure!(page.body.contains("28 days") && page.body.contains("/usr/lib/systemd/systemd"), "{}", page.body);
    ensure!(page.body.contains("another program in its place would look the same"), "{}", page.body);
    let unfit = page.body.split_once("As regular, and not proposed").context("what is not proposed")?.1;
    ensure!(unfit.contains("/tmp/helper") && !unfit.contains("/usr/bin/restic"), "{unfit}");
    let article = page.body.split("<article").find(|part| part.contains("<dd>/usr/bin/restic</dd>"));
    let id = article.and_then(|part| part.split_once("name=\"id\" value=\"")?.1.split_once('"'));
    let id = id.context("the form of restic")?.0.to_owned();

    // Without the passphrase, with a wrong one, until a day that is over, of what is not proposed: nothing.
    let roster = |browser: &mut Browser| -> Result<String> {
        let told: Value = serde_json::from_str(&browser.get("/api/v1/roster")?.body)?;
        Ok(told["text"].as_str().context("a roster")?.to_owned())
    };
    let before = roster(&mut mary)?;
    for (id, until, passphrase) in [
        (id.as_str(), "", ""),
        (&id, "", "wrong horse battery"),
        (&id, "2020-01-01", PASSPHRASE),
        (&id, "soon", PASSPHRASE),
        ("0123456789ab", "", PASSPHRASE),
    ] {
        mary.get("/protected/jobs")?;
        let form = [("id", id), ("until", until), ("passphrase", passphrase)];
        let refused = mary.post("/protected/jobs", &form)?;
        ensure!(refused.status == 400, "{until} {passphrase}: {} {}", refused.status, refused.body);
        ensure!(
            refused.body.contains("Nothing was changed") && refused.body.contains("<dd>/usr/bin/restic</dd>"),
            "{}",
            refused.body
        );
    }
    ensure!(roster(&mut mary)? == before && !before.contains("[[job]]"), "{before}");
    ensure!(n_acts(&practice, &["act_roster", "confirmed proposal"])? == 0);

    // With it: the roster has the job with who and until when, an act says how, and nothing is left to confirm.
    let form = [("id", id.as_str()), ("until", "2099-06-30"), ("passphrase", PASSPHRASE)];
    let taken = mary.post("/protected/jobs", &form)?;
    ensure!(taken.leads_to() == Some("/protected/jobs?said=confirmed"), "{}", taken.body);
    let page = mary.get("/protected/jobs?said=confirmed")?;
    keep("jobs-confirmed", &page)?;
    ensure!(page.body.contains("The job stands in the roster now"), "{}", page.body);
    ensure!(!page.body.contains(&id) && !page.body.contains("<dd>/usr/bin/restic</dd>"), "it is gone");
    let after = roster(&mut mary)?;
    ensure!(after.starts_with(before.trim_end()), "what stood there stands there: {after}");
    let added = after.split_once("[[job]]").context("a job")?.1;
    for line in [
        "program = \"/usr/bin/restic\"",
        "host = \"ws-01\"",
        "user = \"svc-backup\"",
        "parent = \"/usr/lib/systemd/systemd\"",
        "confirmed_by = \"mary\"",
        "until = \"2099-06-30\"",
    ] {
        ensure!(added.contains(line), "{line}: {added}");
    }
    ensure!(!added.contains("[[job]]"), "one job, and no other: {added}");
    let said = format!("confirmed proposal {id}");
    let of = ["act_roster", &said, "\"by\":\"mary\"", "\"proof\":\"passphrase\""];
    ensure!(n_acts(&practice, &of)? == 1, "{:#?}", acts(&practice)?);
    let again = mary.post("/protected/jobs", &form)?;
    ensure!(again.status == 400 && again.body.contains("there is no proposal"), "{}", again.body);
    ensure!(n_acts(&practice, &["act_roster", "confirmed proposal"])? == 1, "once");

    // What it does from then on is explained; another program in its place is not.
    send(&mut agent, &[at_work("/usr/bin/restic", 1, "bea")?, at_work("/usr/bin/rclone", 1, "carl")?])?;
    let found = wait::until("the finding about the other program", START_WITHIN, || {
        let found: String = practice.findings()?.iter().map(ToString::to_string).collect();
        Ok(found.contains("carl").then_some(found))
    })?;
    ensure!(!found.contains("bea"), "the job explains it: {found}");
    ensure!(found.contains("anna"), "what it did before stays as it was decided: {found}");
    Ok(())
}

/// The table in force, as text.
fn table(practice: &Practice) -> Result<String> {
    let file = practice.folder().join("in-force.toml");
    practice.collector(&["policy", "export", &file.to_string_lossy()])?;
    Ok(fs::read_to_string(&file)?)
}

/// What the form for taking the table that was tried would send.
fn to_take(tried: &Answer) -> Option<String> {
    let form = tried.body.split_once("action=\"/settings/table\"")?.1.split_once("</form>")?.0;
    Some(unescaped(form.split_once("name=\"text\" value=\"")?.1.split_once('"')?.0))
}

fn take(browser: &mut Browser, text: &str, passphrase: &str) -> Result<Answer> {
    browser.post("/settings/table", &[("act", "table"), ("text", text), ("passphrase", passphrase)])
}

/// The hash that a page asks somebody to sign.
fn to_sign(page: &Answer, id: &str) -> Option<String> {
    let before = format!("name=\"id\" value=\"{id}\"><input type=\"hidden\" name=\"sha256\" value=\"");
    page.between(&before, "\"").map(str::to_owned)
}

fn sign(browser: &mut Browser, id: &str, sha256: &str, passphrase: &str) -> Result<Answer> {
    browser.post("/second/sign", &[("id", id), ("sha256", sha256), ("passphrase", passphrase)])
}

/// The manager names the second reviewer by the page.
fn name_second(mary: &mut Browser, person: &str) -> Result<()> {
    mary.get("/second")?;
    let fields = [("what", "person"), ("person", person), ("passphrase", PASSPHRASE)];
    let named = mary.post("/second/reviewer", &fields)?;
    ensure!(named.leads_to() == Some("/second?said=named"), "{}", named.body);
    Ok(())
}

#[test]
fn a_table_that_was_tried_is_taken_from_its_page_at_once_or_once_it_is_co_signed() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    with_access(&practice, &[("itadmin1", "sam")])?;
    wait::until_so("the finding", WITHIN, || Ok(mary.get("/")?.body.contains("Ask or decide")))?;
    let before = table(&practice)?;
    let never = "system = \"with_ticket\"\nmailbox = \"never\"";
    ensure!(before.matches(never).count() == 1, "{before}");
    let wider =
        format!("{}\n# {MARKUP} & \"so\"\n", before.replace(never, &never.replace("never", "always")));

    // The trial says what would change, and changes nothing.
    mary.get("/protected/try")?;
    let tried = mary.post("/protected/try", &[("text", wider.as_str()), ("weeks", "1")])?;
    keep("protected-tried-to-take", &tried)?;
    ensure!(tried.status == 200 && !tried.body.contains("<img"), "{}", tried.body);
    let row = tried.between("<th scope=\"row\">Northwind IT", "</tr>").context("what would change")?;
    ensure!(row.contains("<td>never</td><td>explained</td>") && row.contains(">1</td>"), "{row}");
    ensure!(tried.body.contains("of which 1 would have had another outcome"), "{}", tried.body);
    ensure!(table(&practice)? == before, "trying changes nothing");
    ensure!(n_acts(&practice, &["act_policy", "\"by\":\"mary\""])? == 0);
    let text = to_take(&tried).context("a form to take it")?;
    ensure!(text == wider, "what is taken is what was tried: {text}");
    // Who reviews tries it, too, and does not take it.
    chen.get("/protected/try")?;
    let theirs = chen.post("/protected/try", &[("text", wider.as_str()), ("weeks", "1")])?;
    ensure!(theirs.status == 200 && to_take(&theirs).is_none(), "{}", theirs.body);
    ensure!(take(&mut chen, &wider, PASSPHRASE)?.status == 403, "a manager puts a table in force");
    // Nor does anybody take what cannot be tried.
    let broken = mary.post("/protected/try", &[("text", "name = 3"), ("weeks", "1")])?;
    ensure!(broken.status == 400 && to_take(&broken).is_none(), "{}", broken.body);

    // Taking it needs the passphrase; what was tried stays in the field where it is refused.
    for passphrase in ["", "wrong horse battery"] {
        let refused = take(&mut mary, &text, passphrase)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
        ensure!(refused.body.contains("mailbox = &#34;always&#34;") && !refused.body.contains("<img"));
    }
    ensure!(table(&practice)? == before);
    let taken = take(&mut mary, &text, PASSPHRASE)?;
    ensure!(taken.leads_to() == Some("/settings/table?said=in-force"), "{} {}", taken.status, taken.body);
    ensure!(mary.get("/settings/table?said=in-force")?.body.contains("It is in force from now on"));
    ensure!(table(&practice)? == wider);
    let of = ["act_policy", "\"by\":\"mary\"", "\"proof\":\"passphrase\""];
    ensure!(n_acts(&practice, &of)? == 1, "{:#?}", acts(&practice)?);

    // With a second reviewer it waits, whole, and holds once they have signed it.
    name_second(&mut mary, "chen")?;
    mary.get("/protected/try")?;
    let tried = mary.post("/protected/try", &[("text", before.as_str()), ("weeks", "1")])?;
    let text = to_take(&tried).context("a form to take it")?;
    let asked = take(&mut mary, &text, PASSPHRASE)?;
    ensure!(asked.leads_to() == Some("/settings/table?said=waits"), "{} {}", asked.status, asked.body);
    ensure!(mary.get("/settings/table?said=waits")?.body.contains("is not in force yet"));
    ensure!(table(&practice)? == wider, "it waits");
    ensure!(mary.get("/second")?.body.contains("None of these is yours to sign"));
    let page = chen.get("/second")?;
    keep("second-table-tried", &page)?;
    ensure!(unescaped(&page.body).contains(never), "whole: {}", page.body);
    let sha256 = to_sign(&page, "C-1").context("it is theirs to sign")?;
    for passphrase in ["", "wrong horse battery"] {
        let refused = sign(&mut chen, "C-1", &sha256, passphrase)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was kept"), "{}", refused.body);
    }
    ensure!(sign(&mut mary, "C-1", &sha256, PASSPHRASE)?.status == 400, "not by who asked");
    ensure!(table(&practice)? == wider, "it still waits");
    let signed = sign(&mut chen, "C-1", &sha256, PASSPHRASE)?;
    ensure!(signed.leads_to() == Some("/second?said=signed"), "{}", signed.body);
    ensure!(table(&practice)? == before, "it is in force");
    let of = ["act_policy", "\"cosign\":\"C-1\"", "\"second\":\"chen\"", "\"second_proof\":\"passphrase\""];
    ensure!(n_acts(&practice, &of)? == 1, "{:#?}", acts(&practice)?);

    // Declined, the table that is in force stays there.
    mary.get("/protected/try")?;
    ensure!(take(&mut mary, &wider, PASSPHRASE)?.leads_to() == Some("/settings/table?said=waits"));
    let sha256 = to_sign(&chen.get("/second")?, "C-2").context("it is theirs to sign")?;
    let decline = [("id", "C-2"), ("because", "Vendors read no mail."), ("passphrase", PASSPHRASE)];
    let declined = chen.post("/second/decline", &decline)?;
    ensure!(declined.leads_to() == Some("/second?said=declined"), "{}", declined.body);
    ensure!(sign(&mut chen, "C-2", &sha256, PASSPHRASE)?.status == 400, "it is over");
    ensure!(table(&practice)? == before, "the old table stays");
    ensure!(mary.get("/second")?.body.contains("Vendors read no mail."), "who asked reads why");
    Ok(())
}

fn leave(browser: &mut Browser, person: &str, fields: &[(&str, &str)]) -> Result<Answer> {
    browser.get(&format!("/people/{person}"))?;
    let all = [fields, &[("passphrase", PASSPHRASE)]].concat();
    browser.post(&format!("/people/{person}/leave"), &all)
}

#[test]
fn a_leave_date_and_its_withdrawal_are_co_signed_by_pages_and_nobody_reads_there_of_their_own() -> Result<()>
{
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    name_second(&mut mary, "chen")?;
    let on = [("step", "leave"), ("on", "2099-01-01"), ("notice_given", "2098-12-01")];
    let kept = leave(&mut mary, "sam", &on)?;
    ensure!(kept.leads_to() == Some("/people/sam?said=leave"), "{}", kept.body);
    // It holds at once, and the second reviewer reads all of it.
    ensure!(mary.get("/people/sam")?.body.contains("From 2099-01-01 on"));
    let page = chen.get("/second")?;
    keep("second-leave", &page)?;
    for said in [
        "id=\"c-C-1\"",
        "Sam Ortiz",
        "<dt>Date</dt><dd>2099-01-01</dd>",
        "<dt>Notice given</dt><dd>2098-12-01</dd>",
        "<dt>Person</dt><dd>sam</dd>",
        "<dt>Asked for by</dt><dd>Mary Lopez</dd>",
        "Holds already",
    ] {
        ensure!(page.body.contains(said), "{said}: {}", page.body);
    }
    let sha256 = to_sign(&page, "C-1").context("it is theirs to sign")?;
    for passphrase in ["", "wrong horse battery"] {
        let refused = sign(&mut chen, "C-1", &sha256, passphrase)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was kept"), "{}", refused.body);
    }
    ensure!(n_acts(&practice, &["act_cosign", "\"signed\""])? == 0);
    let signed = sign(&mut chen, "C-1", &sha256, PASSPHRASE)?;
    ensure!(signed.leads_to() == Some("/second?said=signed"), "{}", signed.body);
    let signed = ["act_cosign", "\"signed\"", "\"by\":\"chen\"", "\"proof\":\"passphrase\"", &sha256];
    ensure!(n_acts(&practice, &signed)? == 1, "{:#?}", acts(&practice)?);
    ensure!(chen.get("/second")?.body.contains("signed by chen"));
    // Signed, it is declined by nobody any more.
    let decline = [("id", "C-1"), ("because", "no"), ("passphrase", PASSPHRASE)];
    ensure!(chen.post("/second/decline", &decline)?.status == 400);
    ensure!(mary.get("/people/sam")?.body.contains("From 2099-01-01 on"));

    // Taking it back waits, and holds once it is signed.
    let asked = leave(&mut mary, "sam", &[("step", "withdraw")])?;
    ensure!(asked.leads_to() == Some("/people/sam?said=asked"), "{}", asked.body);
    let page = mary.get("/people/sam")?;
    ensure!(page.body.contains("From 2099-01-01 on") && page.body.contains("C-2"), "{}", page.body);
    let page = chen.get("/second")?;
    ensure!(page.body.contains("takes back the leave date of Sam Ortiz"), "{}", page.body);
    let sha256 = to_sign(&page, "C-2").context("it is theirs to sign")?;
    ensure!(sign(&mut chen, "C-2", &sha256, "wrong horse battery")?.status == 400);
    ensure!(mary.get("/people/sam")?.body.contains("From 2099-01-01 on"), "it still waits");
    let signed = sign(&mut chen, "C-2", &sha256, PASSPHRASE)?;
    ensure!(signed.leads_to() == Some("/second?said=signed"), "{}", signed.body);
    ensure!(mary.get("/people/sam")?.body.contains("No leave date is recorded"));

    // That they are to leave themselves, and that it is taken back, the second reviewer reads nowhere.
    let own = leave(&mut mary, "chen", &[("step", "leave"), ("on", "2099-02-02")])?;
    ensure!(own.leads_to() == Some("/people/chen?said=leave"), "{}", own.body);
    let own = leave(&mut mary, "chen", &[("step", "withdraw")])?;
    ensure!(own.leads_to() == Some("/people/chen?said=asked"), "{}", own.body);
    let reads_nothing = |chen: &mut Browser| -> Result<()> {
        for path in ["/second", "/", "/people", "/people/chen", "/departure", "/api/v1/cosign"] {
            let page = chen.get(path)?;
            ensure!(page.status == 200, "{path}: {}", page.status);
            for word in ["2099-02-02", "C-3", "C-4"] {
                ensure!(!page.body.contains(word), "{path} says {word}: {}", page.body);
            }
        }
        Ok(())
    };
    reads_nothing(&mut chen)?;
    ensure!(chen.get("/second")?.body.contains("Something else waits that is not shown to you"));
    ensure!(!chen.get("/")?.body.contains("to sign as the second"), "nothing of it is theirs to sign");
    for id in ["C-3", "C-4"] {
        let path = format!("/api/v1/cosign/{id}");
        ensure!(chen.get(&path)?.status == 403, "{id}");
        let told: Value = serde_json::from_str(&mary.get(&path)?.body)?;
        let sha256 = told["sha256"].as_str().context("the twin: who asked reads it")?.to_owned();
        chen.get("/second")?;
        ensure!(sign(&mut chen, id, &sha256, PASSPHRASE)?.status == 403, "{id}");
        let decline = [("id", id), ("because", "no"), ("passphrase", PASSPHRASE)];
        ensure!(chen.post("/second/decline", &decline)?.status == 403, "{id}");
    }
    // Nor in the review of the week, whose kept page is shown to them without it.
    let out = practice.folder().join("review").to_string_lossy().into_owned();
    practice.collector(&["report", "--week", &week(0)?, "--out", &out])?;
    let list = chen.get("/reports")?;
    let file = list.between("<a class=\"btn\" href=\"/reports/", "\"").context("a review")?.to_owned();
    let theirs = chen.get(&format!("/reports/{file}"))?;
    ensure!(theirs.status == 200 && !theirs.body.contains("2099-02-02"), "{}", theirs.body);
    ensure!(theirs.body.contains("this page is not the one that was kept"), "that it is so is said");
    ensure!(chen.get(&format!("/reports/{}", file.replace(".html", ".pdf")))?.status == 403);
    let whole = mary.get(&format!("/reports/{file}"))?;
    ensure!(whole.body.contains("2099-02-02"), "the twin: {}", whole.body);
    let page = mary.get("/second")?;
    ensure!(page.body.contains("id=\"c-C-3\"") && page.body.contains("id=\"c-C-4\""), "{}", page.body);
    let back = [("id", "C-4"), ("because", "It stays as it was."), ("passphrase", PASSPHRASE)];
    ensure!(mary.post("/second/decline", &back)?.leads_to() == Some("/second?said=declined"));
    ensure!(mary.get("/people/chen")?.body.contains("From 2099-02-02 on"), "the date stands");
    reads_nothing(&mut chen)
}
