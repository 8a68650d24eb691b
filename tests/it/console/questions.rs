//! A question from a finding's page, by link and on paper, its answers; and what people see about themselves.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_tests::console::{Answer, Browser, PASSPHRASE, let_in, with_manager};
use ntk_tests::practice::{Practice, START_WITHIN};
use ntk_tests::wait;

use super::events::{keep, read, roster, send};

/// What somebody may ask or answer.
const MARKUP: &str = "<script>alert(1)</script>";

/// The page of the one finding that there is.
fn finding(browser: &mut Browser) -> Result<String> {
    wait::until("the finding", START_WITHIN, || {
        let list = browser.get("/findings")?;
        Ok(list.between("<a href=\"/findings/", "\"").map(|id| format!("/findings/{id}")))
    })
}

/// The address that a page shows once, as a path.
fn shown_once(practice: &Practice, made: &Answer) -> Result<String> {
    let address = made.between("class=\"copy mono\" value=\"", "\"").context("the link")?;
    Ok(address.strip_prefix(&practice.console_origin()).context("below the console")?.to_owned())
}

#[test]
fn a_question_goes_out_by_link_and_on_paper_and_its_answers_stand_on_the_finding() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    send(&practice, "ws-01", &[read(Timestamp::now(), "itadmin1", 1001, "/var/mail/mary/1")])?;
    let path = finding(&mut browser)?;
    ensure!(browser.get("/links")?.body.contains("None is open"));
    let ask = |way: &'static str, to: &'static str, passphrase: &'static str| {
        [
            ("step", "ask"),
            ("text", MARKUP),
            ("way", way),
            ("to", to),
            ("days", "3"),
            ("runs_mail", "yes"),
            ("passphrase", passphrase),
        ]
    };
    browser.get(&path)?;
    for (way, to, passphrase) in [
        ("link", "", PASSPHRASE),
        ("link", "northwind", ""),
        ("link", "mary", PASSPHRASE),
        ("paper", "x", PASSPHRASE),
    ] {
        let refused = browser.post(&path, &ask(way, to, passphrase))?;
        ensure!([400, 404].contains(&refused.status), "{way} {to}: {} {}", refused.status, refused.body);
        ensure!(!refused.body.contains("<script>alert") && !refused.body.contains("/a/"), "{}", refused.body);
    }
    ensure!(browser.get("/links")?.body.contains("None is open"), "nothing was made");
    browser.get(&path)?;
    let made = browser.post(&path, &ask("link", "northwind", PASSPHRASE))?;
    keep("question-made", &made)?;
    ensure!(made.status == 200 && made.body.contains("Give this code another way"), "{}", made.body);
    let code = made.between("<code class=\"key-text\">", "<").context("the code")?.to_owned();
    let link = shown_once(&practice, &made)?;
    let page = browser.get(&path)?;
    ensure!(page.body.contains("Waits for an answer") && page.body.contains("by link, with a code"));
    ensure!(!page.body.contains(&link) && !page.body.contains(&code), "shown once");
    let mut asked = Browser::open(&practice)?;
    let question = asked.get(&link)?;
    ensure!(question.status == 200 && !question.body.contains("<script>"), "{}", question.body);
    let answer = format!("{MARKUP} It was the migration.");
    let fields = [("answer", answer.as_str()), ("code", code.as_str())];
    let said = asked.post_so(&link, &fields, &[], &[])?;
    ensure!(said.status == 200, "{}", said.body);
    ensure!(asked.post_so(&link, &fields, &[], &[])?.status == 410, "once");
    let page = browser.get(&path)?;
    keep("finding-answered", &page)?;
    ensure!(page.body.contains("It was the migration.") && !page.body.contains("<script>alert"));
    ensure!(page.body.contains("with the code that was handed over apart from it"), "{}", page.body);
    // On paper: the sheet is in the answer, and its code ties what is typed in to it.
    let made = browser.post(&path, &ask("paper", "northwind", PASSPHRASE))?;
    keep("paper-made", &made)?;
    ensure!(made.body.contains("Not answering is never taken as an admission"), "{}", made.body);
    let code = made.between(", code ", ".").context("the code of the sheet")?.to_owned();
    browser.get(&path)?;
    let typed = |code: &str, from: &str| {
        [
            ("step", "paper".to_owned()),
            ("text", "As on the sheet.".to_owned()),
            ("to", from.to_owned()),
            ("code", code.to_owned()),
            ("passphrase", PASSPHRASE.to_owned()),
        ]
    };
    for (code, from) in [("0000-0000-00", "northwind"), (code.as_str(), "")] {
        let form = typed(code, from);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let refused = browser.post(&path, &form)?;
        ensure!(refused.status == 400 && refused.body.contains("As on the sheet."), "{}", refused.body);
    }
    let form = typed(&code, "northwind");
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = browser.post(&path, &form)?;
    ensure!(kept.leads_to().is_some_and(|to| to.ends_with("said=answered")), "{}", kept.body);
    ensure!(browser.get(&path)?.body.contains("with the code of the form"));
    // A third one is taken back.
    let made = browser.post(&path, &ask("link", "sam", PASSPHRASE))?;
    let link = shown_once(&practice, &made)?;
    let open = browser.get("/links")?;
    keep("links", &open)?;
    let id = open.between("name=\"id\" value=\"", "\"").context("it is listed")?.to_owned();
    ensure!(browser.post("/links", &[("id", &id), ("passphrase", "")])?.status == 400);
    ensure!(asked.get(&link)?.status == 200, "still open");
    let taken = browser.post("/links", &[("id", &id), ("passphrase", PASSPHRASE)])?;
    ensure!(taken.leads_to() == Some("/links?said=withdrawn"), "{}", taken.body);
    ensure!(asked.get(&link)?.status == 410 && browser.get("/links")?.body.contains("None is open"));
    Ok(())
}

#[test]
fn whoever_is_asked_neither_reads_nor_withdraws_the_question_in_the_console() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    let more = "\n[[person]]\nid = \"chen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\n\
                [[account]]\nperson = \"chen\"\nhost = \"ws-01\"\nuid = 1007\nuser = \"chen\"\n";
    roster(&practice, more)?;
    send(&practice, "ws-01", &[read(Timestamp::now(), "chen", 1007, "/var/mail/mary/1")])?;
    let path = finding(&mut mary)?;
    mary.get(&path)?;
    let fields = [
        ("step", "ask"),
        ("text", "What was it for?"),
        ("way", "link"),
        ("to", "chen"),
        ("passphrase", PASSPHRASE),
    ];
    let made = mary.post(&path, &fields)?;
    ensure!(made.status == 200, "{}", made.body);
    let id = made.between("is number ", ".").context("a number")?.to_owned();
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    for page in ["/links", "/api/v1/links"] {
        let page = chen.get(page)?;
        ensure!(page.status == 200 && !page.body.contains("What was it for"), "{}", page.body);
        ensure!(!page.body.contains(&format!("\"{id}\"")), "{}", page.body);
    }
    chen.get("/links")?;
    let taken = chen.post("/links", &[("id", &id), ("passphrase", PASSPHRASE)])?;
    ensure!(taken.status == 403, "{} {}", taken.status, taken.body);
    ensure!(mary.get("/links")?.body.contains("What was it for?"), "the twin: who asked sees it");
    Ok(())
}

#[test]
fn a_person_sees_their_own_entries_only_where_the_practice_allows_it() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    let now = Timestamp::now();
    let events = [read(now, "frontdesk1", 1002, "/srv/<b>of-sam"), read(now, "temp", 1044, "/srv/of-temp")];
    send(&practice, "ws-02", &events)?;
    let (mut sam, _) = let_in(&practice, "sam", &["person"])?;
    let shut = sam.get("/mine")?;
    ensure!(shut.status == 200 && shut.body.contains("does not show people"), "{}", shut.body);
    ensure!(sam.get("/api/v1/mine?person=sam")?.status == 403);
    mary.get("/people")?;
    ensure!(mary.post("/self-view", &[("allowed", "yes"), ("passphrase", "")])?.status == 400);
    let allowed = mary.post("/self-view", &[("allowed", "yes"), ("passphrase", PASSPHRASE)])?;
    ensure!(allowed.leads_to() == Some("/people?said=allowed"), "{}", allowed.body);
    let own = wait::until("their own entry", START_WITHIN, || {
        let page = sam.get("/mine?days=14")?;
        Ok(page.body.contains("of-sam").then_some(page))
    })?;
    keep("mine", &own)?;
    ensure!(!own.body.contains("of-temp") && !own.body.contains("<b>of-sam"), "{}", own.body);
    ensure!(!own.body.to_lowercase().contains("finding"), "{}", own.body);
    let api = sam.get("/api/v1/mine?person=sam")?;
    ensure!(api.status == 200 && api.body.contains("of-sam"), "{}", api.body);
    ensure!(sam.get("/api/v1/mine?person=mary")?.status == 403, "nobody else's");
    for path in ["/events?show=1", "/people", "/people/sam", "/links", "/notices", "/findings"] {
        ensure!(sam.get(path)?.status == 403, "{path}");
    }
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let looked = |act: &String| act.contains("recorded about oneself") && act.contains("\"by\":\"sam\"");
    ensure!(acts.iter().any(looked), "a look is an act in their name");
    let back = mary.post("/self-view", &[("allowed", "no"), ("passphrase", PASSPHRASE)])?;
    ensure!(back.leads_to() == Some("/people?said=forbidden"), "{}", back.body);
    ensure!(sam.get("/mine")?.body.contains("does not show people"));
    Ok(())
}
