//! Tickets by their pages: asked for, approved with the sentence repeated, declined, ended; break-glass seen by another.

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{Answer, Browser, PASSPHRASE, let_in, with_manager};

use super::pages::{MARKUP, keep};

/// What somebody types who asks.
fn asking<'f>(person: &'f str, class: &'f str, reason: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![
        ("for", person),
        ("class", class),
        ("owner", ""),
        ("host", ""),
        ("from", ""),
        ("to", ""),
        ("reason", reason),
    ]
}

/// Asks, and the page of the ticket with its path.
fn asked(browser: &mut Browser, person: &str, reason: &str) -> Result<(String, Answer)> {
    browser.get("/tickets/request")?;
    let went = browser.post("/tickets/request", &asking(person, "export", reason))?;
    let to = went.leads_to().with_context(|| went.body.clone())?.to_owned();
    let page = browser.get(&to)?;
    ensure!(page.body.contains("Nothing is allowed before somebody approves it"), "{}", page.body);
    Ok((to.split('?').next().unwrap_or_default().to_owned(), page))
}

/// The sentence that stands in the form, as a browser sends it back.
fn echo(page: &Answer) -> Result<String> {
    let echo = page.between("name=\"echo\" value=\"", "\"").context("the sentence")?;
    Ok(echo
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#38;", "&"))
}

#[test]
fn a_ticket_is_asked_for_approved_by_its_sentence_declined_or_ended_and_its_texts_are_text() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    // A physician, who may say that they have seen a break-glass.
    let file = practice.folder().join("roster.toml");
    let chen = "name = \"chen\"\nroles = [\"frontdesk\"]";
    let roster = std::fs::read_to_string(&file)?;
    ensure!(roster.contains(chen), "{roster}");
    std::fs::write(&file, roster.replace(chen, "name = \"Dr. Chen\"\nroles = [\"physician\"]"))?;
    let passphrase = practice.folder().join("marys-passphrase").to_string_lossy().into_owned();
    let file = file.to_string_lossy().into_owned();
    practice.collector(&["roster", "import", &file, "--by", "mary", "--passphrase-file", &passphrase])?;
    let empty = browser.get("/tickets")?;
    keep("tickets-empty", &empty)?;
    ensure!(empty.body.contains("Nothing waits for a decision"), "{}", empty.body);
    // What is wrong is said at its field.
    browser.get("/tickets/request")?;
    let refused = browser.post("/tickets/request", &asking("nobody", "", MARKUP))?;
    keep("tickets-request-refused", &refused)?;
    ensure!(refused.status == 400 && refused.body.contains("id=\"for-wrong\""), "{}", refused.body);
    ensure!(
        refused.body.contains("What it opens is missing") && !refused.body.contains("<img"),
        "{}",
        refused.body
    );
    let (path, page) = asked(&mut browser, "sam", &format!("{MARKUP}\u{202e}"))?;
    keep("ticket-asked", &page)?;
    ensure!(!page.body.contains("<img") && !page.body.contains('\u{202e}'), "{}", page.body);
    let sentence = echo(&page)?;
    ensure!(sentence.contains("may open every export of health records"), "{sentence}");
    // Without the tick, the passphrase, or with another sentence, nothing is allowed.
    let approve = |echo: &str, yes: &'static str, passphrase: &'static str| {
        [
            ("step", "approve".to_owned()),
            ("echo", echo.to_owned()),
            ("yes", yes.to_owned()),
            ("passphrase", passphrase.to_owned()),
        ]
    };
    let post = |browser: &mut Browser, path: &str, fields: &[(&str, String)]| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(path, &fields)
    };
    for (echo, yes, passphrase, says) in [
        (sentence.as_str(), "", PASSPHRASE, "Tick that the sentence"),
        (&sentence, "yes", "", "Type your passphrase"),
        (&sentence, "yes", "wrong horse battery", "It stands as it did"),
        ("They may do everything.", "yes", PASSPHRASE, "reads differently by now"),
    ] {
        let refused = post(&mut browser, &path, &approve(echo, yes, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains(says), "{says}: {}", refused.body);
    }
    ensure!(browser.get(&path)?.body.contains("to be decided"));
    let went = post(&mut browser, &path, &approve(&sentence, "yes", PASSPHRASE))?;
    ensure!(went.leads_to().is_some_and(|to| to.ends_with("said=approved")), "{}", went.body);
    let page = browser.get(&path)?;
    keep("ticket-approved", &page)?;
    ensure!(
        page.body.contains("Approved by Mary Lopez") && page.body.contains("End it early"),
        "{}",
        page.body
    );
    // Twice does nothing more.
    ensure!(post(&mut browser, &path, &approve(&sentence, "yes", PASSPHRASE))?.status == 400);
    let ended =
        browser.post(&path, &[("step", "end"), ("reason", "done <b>early"), ("passphrase", PASSPHRASE)])?;
    ensure!(ended.leads_to().is_some_and(|to| to.ends_with("said=ended")), "{}", ended.body);
    ensure!(browser.get(&path)?.body.contains("ended early"));
    // Declined, with a reason and the passphrase.
    let (path, _) = asked(&mut browser, "sam", "to copy an export")?;
    for (reason, passphrase) in [("", PASSPHRASE), ("not needed", ""), ("not needed", "wrong horse battery")]
    {
        let refused =
            browser.post(&path, &[("step", "decline"), ("reason", reason), ("passphrase", passphrase)])?;
        ensure!(refused.status == 400 && refused.body.contains("It stands as it did"), "{}", refused.body);
    }
    let went =
        browser.post(&path, &[("step", "decline"), ("reason", "not needed"), ("passphrase", PASSPHRASE)])?;
    ensure!(went.leads_to().is_some_and(|to| to.ends_with("said=declined")), "{}", went.body);
    // Nobody approves for themselves, and that it was tried is kept.
    let (path, page) = asked(&mut browser, "mary", "for myself")?;
    let own = post(&mut browser, &path, &approve(&echo(&page)?, "yes", PASSPHRASE))?;
    ensure!(
        own.status == 400 && own.body.contains("An approval that was not taken was tried by Mary Lopez"),
        "{}",
        own.body
    );
    // Break-glass: seen by another person than the one who opened it.
    practice.collector(&["break-glass", "--person", "mary", "--reason", &format!("server down {MARKUP}")])?;
    let page = browser.get("/tickets")?;
    keep("tickets", &page)?;
    ensure!(page.body.contains("Opened without a ticket") && !page.body.contains("<img"), "{}", page.body);
    ensure!(!page.body.contains("style=\""), "no inline style");
    let own = browser.post("/tickets/B-1/seen", &[("passphrase", PASSPHRASE)])?;
    ensure!(own.status == 400 && own.body.contains("another person"), "{}", own.body);
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    chen.get("/tickets")?;
    ensure!(chen.post("/tickets/B-1/seen", &[("passphrase", "wrong horse battery")])?.status == 400);
    let went = chen.post("/tickets/B-1/seen", &[("passphrase", PASSPHRASE)])?;
    ensure!(went.leads_to() == Some("/tickets?said=seen"), "{}", went.body);
    let page = chen.get("/tickets?said=seen")?;
    keep("tickets-seen", &page)?;
    ensure!(
        page.body.contains("break-glass, seen") && !page.body.contains("Opened without a ticket"),
        "{}",
        page.body
    );
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let of = |parts: &[&str]| acts.iter().filter(|act| parts.iter().all(|part| act.contains(part))).count();
    ensure!(
        of(&["\"step\":\"requested\"", "\"via\":\"console\"", "\"requested_by\":\"mary\""]) == 3,
        "{acts:#?}"
    );
    ensure!(of(&["\"step\":\"approved\"", "\"proof\":\"passphrase\""]) == 1, "{acts:#?}");
    ensure!(
        of(&["\"step\":\"closed\"", "\"proof\":\"passphrase\""]) == 1
            && of(&["\"step\":\"declined\"", "passphrase"]) == 1
    );
    ensure!(of(&["\"step\":\"acknowledged\"", "\"by\":\"chen\""]) == 1, "{acts:#?}");
    Ok(())
}
