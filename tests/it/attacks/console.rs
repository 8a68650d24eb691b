//! Whoever tries the console's doors: forms without the session's token, sessions that were stolen, passphrases and codes
//! that are guessed, a link that is used again.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use ntk_collector::console::table::{Row, Who, may, rows};
use ntk_tests::attack_table::noticed;
use ntk_tests::console::{
    Answer, Browser, Credentials, PASSPHRASE, ask_row, filled, let_in, marys_passphrase, of_every_role,
    set_up_link, with_manager,
};
use ntk_tests::practice::Practice;
use serde_json::json;

/// What the gate says of a form whose token is not the session's.
const OLD_FORM: &str = "This form is of an earlier session, so nothing was done.";

/// Acts that somebody did, and not the collector by itself.
fn done(practice: &Practice) -> Result<Vec<String>> {
    let acts = practice.events(&["--acts"])?.into_iter().map(|act| act.to_string());
    Ok(acts.filter(|act| act.contains("\"by\":")).collect())
}

fn is_old_form(answer: &Answer) -> bool {
    answer.status == 403 && answer.body.contains(OLD_FORM)
}

#[test]
fn every_form_and_request_that_changes_something_needs_the_token_of_its_own_session() -> Result<()> {
    let (practice, mut mary, mut credentials) = with_manager()?;
    mary.get("/me")?;
    let stale = mary.csrf().to_owned();
    mary.post("/sign-out", &[])?;
    mary.sign_in(&mut credentials)?;
    let mut browsers = of_every_role(&practice, mary)?;
    browsers.pop();
    for (_, browser) in &mut browsers {
        browser.get("/me")?;
    }
    let others: Vec<String> = browsers.iter().map(|(_, browser)| browser.csrf().to_owned()).collect();
    ensure!(others.iter().chain([&stale]).collect::<BTreeSet<_>>().len() == 6, "each session has its own");
    let changes = |row: &&'static Row| row.method == "POST" && row.who != Who::Anybody;
    let (mut tried, before) = (0, done(&practice)?);
    for row in rows().filter(changes) {
        let whose = browsers
            .iter()
            .enumerate()
            .filter(|(_, (role, _))| role.as_ref().is_some_and(|role| may(row.who, role)));
        let (at, (_, browser)) = whose.into_iter().next().context("a role that may")?;
        let another = others.get(if at == 0 { 1 } else { 0 }).context("another session")?;
        let path = filled(row.path);
        let cut = browser.csrf().get(1..).unwrap_or_default();
        for (what, token) in [
            ("none", None),
            ("an empty one", Some("")),
            ("that of an earlier session", Some(stale.as_str())),
            ("that of another's session", Some(another.as_str())),
            ("a part of the right one", Some(cut)),
        ] {
            let answer = browser.post_with_token(&path, token)?;
            ensure!(is_old_form(&answer), "{path} with {what}: {} {}", answer.status, answer.body);
        }
        // As another site's form would send it, which a browser sends without asking first.
        let origin = format!("Origin: {}", practice.console_origin());
        let body = format!("csrf={}\r\n", browser.csrf());
        let plain = ["-X", "POST", "-H", &origin, "-H", "Content-Type: text/plain", "--data-binary", &body];
        let answer = browser.ask(&plain, &path)?;
        ensure!(is_old_form(&answer), "{path} as plain text: {} {}", answer.status, answer.body);
        tried += 1;
    }
    ensure!(tried > 40, "{tried} forms and requests were tried");
    ensure!(done(&practice)? == before, "nothing was done");
    // The twin: with its own token each gets past the gate. What ends sessions comes last.
    let ends = |row: &&Row| row.path == "/sign-out";
    for row in rows().filter(changes).filter(|row| !ends(row)).chain(rows().filter(changes).filter(ends)) {
        let whose =
            browsers.iter_mut().find(|(role, _)| role.as_ref().is_some_and(|role| may(row.who, role)));
        let (_, browser) = whose.context("a role that may")?;
        let answer = ask_row(browser, row)?;
        ensure!(!answer.is_shut() || row.path == "/sign-out", "{}: {}", row.path, answer.body);
    }
    Ok(())
}

/// A thief's session is worth nothing: not for pages, not for the API, not for forms.
fn is_out(what: &str, thief: &mut Browser) -> Result<()> {
    for path in ["/", "/findings", "/me", "/live"] {
        let answer = thief.ask(&[], path)?;
        ensure!(answer.is_shut(), "{what}: {path}: {}", answer.status);
    }
    let answer = thief.ask(&[], "/api/v1/status")?;
    ensure!(answer.status == 401, "{what}: {}", answer.body);
    ensure!(thief.post("/me/end-others", &[])?.is_shut(), "{what}");
    ensure!(thief.post_json("/api/v1/self-check", &json!({}))?.is_shut(), "{what}");
    Ok(())
}

/// A browser that signs in anew, and a thief of its session; the theft is worth something as long as nothing happens.
fn robbed(practice: &Practice, who: &mut Credentials) -> Result<(Browser, Browser)> {
    let mut own = Browser::open(practice)?;
    let answer = own.sign_in(who)?;
    ensure!(answer.status == 303, "{}", answer.body);
    own.get("/me")?;
    let mut thief = own.stolen()?;
    ensure!(thief.get("/me")?.status == 200, "the twin: a live session is one, whoever holds it");
    Ok((own, thief))
}

#[test]
fn a_stolen_session_is_worth_nothing_once_the_one_it_was_stolen_from_has_ended() -> Result<()> {
    let (mut practice, _, mut mary) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (_, mut chen) = let_in(&practice, "chen", &["reviewer"])?;
    let (_, mut sam) = let_in(&practice, "sam", &["person"])?;
    let signed = ["--by", "mary", "--passphrase-file", &marys_passphrase(&practice)?].map(str::to_owned);
    let account = |practice: &Practice, arguments: &[&str]| -> Result<()> {
        let signed: Vec<&str> = signed.iter().map(String::as_str).collect();
        practice.collector(&[&["account"], arguments, &signed].concat())?;
        Ok(())
    };

    let (mut own, mut thief) = robbed(&practice, &mut chen)?;
    own.post("/sign-out", &[])?;
    is_out("signed out", &mut thief)?;

    let (_, mut thief) = robbed(&practice, &mut chen)?;
    let mut other = Browser::open(&practice)?;
    other.sign_in(&mut chen)?;
    other.get("/me")?;
    other.post("/me/end-others", &[])?;
    is_out("ended from another browser", &mut thief)?;

    let (mut own, mut thief) = robbed(&practice, &mut chen)?;
    chen.passphrase = "another horse battery staple".to_owned();
    let (old, new) = (PASSPHRASE, chen.passphrase.as_str());
    let answer = own.post("/me/passphrase", &[("old", old), ("new", new), ("again", new)])?;
    ensure!(answer.leads_to() == Some("/sign-in?changed=1"), "{}", answer.body);
    is_out("another passphrase", &mut thief)?;

    let (_, mut thief) = robbed(&practice, &mut chen)?;
    account(&practice, &["role", "chen", "operator"])?;
    is_out("another role", &mut thief)?;

    let (_, mut thief) = robbed(&practice, &mut mary)?;
    practice.kill_collector()?;
    practice.start_collector()?;
    is_out("the collector began anew", &mut thief)?;

    let (_, mut thief) = robbed(&practice, &mut chen)?;
    practice.collector(&["account", "reset-second-factor", "chen"])?;
    is_out("another second factor", &mut thief)?;

    let (_, mut thief) = robbed(&practice, &mut sam)?;
    account(&practice, &["remove", "sam"])?;
    is_out("no account any more", &mut thief)
}

#[test]
fn a_hundred_guesses_lock_the_account_even_for_the_right_passphrase_until_the_command_line_opens_it()
-> Result<()> {
    let (practice, mut signed_in, mut mary) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (_, mut chen) = let_in(&practice, "chen", &["reviewer"])?;
    let list = |practice: &Practice| practice.collector(&["account", "list"]);
    // From many addresses: that one address has forty tries is another door.
    let mut guessers = (2..6)
        .map(|n| Ok(Browser::open(&practice)?.from(&format!("127.0.0.{n}"))))
        .collect::<Result<Vec<_>>>()?;
    for guesser in &mut guessers {
        guesser.get("/sign-in")?;
    }
    noticed("guess", || {
        for n in 0..100 {
            let guesser = guessers.get_mut(n % 4).context("a guesser")?;
            let wrong = if n < 5 { PASSPHRASE.to_owned() } else { format!("wrong horse battery {n}") };
            // The first few know the passphrase and guess the code.
            let fields = [("name", "mary"), ("passphrase", wrong.as_str()), ("code", "000000")];
            let answer = guesser.post("/sign-in", &fields)?;
            ensure!(answer.status == 401 && answer.header("set-cookie").is_none(), "{n}: {}", answer.status);
        }
        ensure!(list(&practice)?.contains("mary: manager (locked)"), "{}", list(&practice)?);
        Ok(())
    })?;
    let mut at_home = Browser::open(&practice)?.from("127.0.0.7");
    let answer = at_home.sign_in(&mut mary)?;
    ensure!(answer.status == 401 && answer.body.contains("account unlock"), "{}", answer.status);
    ensure!(signed_in.get("/")?.status == 200, "a session that runs goes on");
    let mut colleague = Browser::open(&practice)?.from("127.0.0.8");
    ensure!(colleague.sign_in(&mut chen)?.status == 303, "the twin: a colleague comes in");

    let acts = |what: &str| -> Result<usize> {
        let acts = practice.events(&["--acts"])?;
        Ok(acts.iter().filter(|act| act.to_string().contains(what)).count())
    };
    ensure!(acts("\"locked\"")? == 1 && acts("\"unlocked\"")? == 0);
    practice.collector(&["account", "unlock", "mary"])?;
    ensure!(acts("\"unlocked\"")? == 1, "the way back is an act");
    ensure!(!list(&practice)?.contains("locked"));
    ensure!(at_home.sign_in(&mut mary)?.status == 303, "she is in again");
    Ok(())
}

#[test]
fn a_set_up_link_that_was_used_opens_nothing_for_anybody_and_the_attempt_is_an_act() -> Result<()> {
    let (practice, _, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let file = marys_passphrase(&practice)?;
    let add = ["account", "add", "chen", "--by", "mary", "--passphrase-file", &file, "--role", "reviewer"];
    let said = practice.collector(&add)?;
    let of_chen = said.split_whitespace().find(|word| word.starts_with("https://")).context("a link")?;
    // The twin: it works the first time.
    Browser::open(&practice)?.set_up(of_chen, &[])?;
    let refused = || -> Result<usize> {
        let acts = practice.events(&["--acts"])?;
        Ok(acts.iter().filter(|act| act.to_string().contains("link_refused")).count())
    };
    let mut n = refused()?;
    for link in [of_chen.to_owned(), set_up_link(&practice)?] {
        let mut stranger = Browser::open(&practice)?;
        let page = stranger.get(&link)?;
        ensure!(page.status == 410 && page.body.contains("This link was used on"), "{}", page.body);
        let path = link.strip_prefix(&practice.console_origin()).context("of this console")?;
        let new = "another horse battery";
        let fields = [("person", "eve"), ("name", "Eve"), ("passphrase", new), ("again", new)];
        let answer = stranger.post(path, &fields)?;
        ensure!(answer.status == 410 && answer.header("set-cookie").is_none(), "{}", answer.body);
        ensure!(stranger.get("/me")?.is_shut());
        let now = refused()?;
        ensure!(now > n, "each attempt is told");
        n = now;
    }
    ensure!(!practice.collector(&["account", "list"])?.contains("eve"));
    Ok(())
}
