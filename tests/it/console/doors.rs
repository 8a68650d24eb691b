//! Who comes in, and who does not: roles, old sessions, old forms, wrong passphrases, names that are markup.

use anyhow::Result;
use ntk_collector::account::Role;
use ntk_collector::console::table::{Who, may, rows};
use ntk_tests::console::{Browser, PASSPHRASE, ask_row, let_in, of_every_role, with_manager};

#[test]
fn each_page_and_endpoint_opens_to_the_roles_of_its_row_and_to_nobody_else() -> Result<()> {
    let (practice, mary, _) = with_manager()?;
    for (role, mut browser) in of_every_role(&practice, mary)? {
        browser.get("/me")?;
        for row in rows().filter(|row| !matches!(row.who, Who::Anybody)) {
            // Live pages never end; what ends the session comes last.
            if row.path == "/live" || row.path == "/sign-out" {
                continue;
            }
            let opens = role.as_ref().is_some_and(|role| may(row.who, role));
            let answer = ask_row(&mut browser, row)?;
            let who = role.as_ref().map_or("nobody", Role::name);
            let (is, to) = (answer.status, answer.leads_to());
            assert_eq!(answer.is_shut(), !opens, "{} {} as {who}: {is} {to:?}", row.method, row.path);
        }
        // What has no row is for nobody, whatever the API has behind it.
        for path in ["/api/v1/export", "/api/v1/prune", "/v1/status", "/api/v1/../v1/prune"] {
            let answer = browser.ask(&[], path)?;
            assert!(answer.status == 404 || answer.is_shut(), "{path}: {}", answer.status);
        }
    }
    Ok(())
}

#[test]
fn a_form_from_elsewhere_or_of_another_session_changes_nothing() -> Result<()> {
    let (practice, mut browser, mut mary) = with_manager()?;
    browser.get("/me")?;
    let own = format!("Origin: {}", practice.console_origin());
    let token = format!("csrf={}", browser.csrf());
    let end = "/me/end-others";
    assert_eq!(browser.post_so(end, &[], &[&token], &[&own])?.status, 303, "the twin without the attack");
    for (what, raw, headers) in [
        ("no token", vec![], vec![own.as_str()]),
        ("a guessed token", vec!["csrf=00000000000000000000000000000000"], vec![own.as_str()]),
        ("another site", vec![token.as_str()], vec!["Origin: https://evil.example"]),
        ("a site that hides", vec![token.as_str()], vec!["Origin: null"]),
        ("no origin", vec![token.as_str()], vec![]),
        ("plain HTTP", vec![token.as_str()], vec!["Origin: http://127.0.0.1"]),
    ] {
        assert_eq!(browser.post_so(end, &[], &raw, &headers)?.status, 403, "{what}");
    }
    // The token of an earlier session of the same person.
    browser.post("/sign-out", &[])?;
    browser.sign_in(&mut mary)?;
    assert_eq!(browser.post_so(end, &[], &[&token], &[&own])?.status, 403);
    // The API the same, and in nobody else's name.
    browser.get("/me")?;
    let body = serde_json::json!({"person": "mary", "by": "northwind"});
    let answer = browser.post_json("/api/v1/accounts/unlock", &body)?;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let kind = "Content-Type: application/json";
    let bare =
        browser.ask(&["-X", "POST", "-H", &own, "-H", kind, "--data-raw", "{}"], "/api/v1/self-check")?;
    assert_eq!(bare.status, 403);
    assert_eq!(browser.post_json("/api/v1/self-check", &serde_json::json!({}))?.status, 200);
    Ok(())
}

#[test]
fn a_session_ends_with_the_role_and_the_passphrase_that_it_began_with() -> Result<()> {
    let (practice, mut mary_browser, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut browser, mut chen) = let_in(&practice, "chen", &["reviewer"])?;
    assert_eq!(browser.get("/findings")?.status, 200);
    mary_browser.get("/me")?;
    let role =
        serde_json::json!({"person": "chen", "role": "operator", "by": "mary", "passphrase": PASSPHRASE});
    let answer = mary_browser.post_json("/api/v1/accounts/role", &role)?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(browser.get("/findings")?.leads_to(), Some("/sign-in?next=/findings"));
    browser.sign_in(&mut chen)?;
    assert_eq!(browser.get("/findings")?.status, 403, "an operator sees no findings");
    // A changed passphrase ends both browsers, the one that changed it too.
    let mut other = Browser::open(&practice)?;
    other.sign_in(&mut chen)?;
    other.get("/me")?;
    let new = "another horse battery staple";
    let changed = other.post("/me/passphrase", &[("old", PASSPHRASE), ("new", new), ("again", new)])?;
    assert_eq!(changed.leads_to(), Some("/sign-in?changed=1"), "{}", changed.body);
    for one in [&mut browser, &mut other] {
        assert_eq!(one.get("/me")?.leads_to(), Some("/sign-in?next=/me"));
    }
    let answer = other.sign_in(&mut chen)?;
    assert_eq!(answer.status, 401, "the old passphrase");
    chen.passphrase = new.to_owned();
    assert_eq!(other.sign_in(&mut chen)?.status, 303);
    Ok(())
}

#[test]
fn a_hundred_wrong_passphrases_lock_the_account_and_the_command_line_opens_it_again() -> Result<()> {
    let (practice, _, mut mary) = with_manager()?;
    let mut stranger = Browser::open(&practice)?;
    stranger.get("/sign-in")?;
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for n in 0..100 {
        let wrong = format!("wrong horse battery {n}");
        let fields = [("name", "mary"), ("passphrase", wrong.as_str()), ("code", "000000")];
        let answer = stranger.post("/sign-in", &fields)?;
        assert!(answer.header("set-cookie").is_none(), "{n}");
        *statuses.entry(answer.status).or_default() += 1;
    }
    assert_eq!(statuses.keys().copied().collect::<Vec<_>>(), [401, 429], "{statuses:?}");
    let locked = practice.collector(&["account", "list"])?;
    assert!(locked.contains("mary: manager (locked)"), "{locked}");
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let n = |part: &str| acts.iter().filter(|line| line.contains(part)).count();
    assert_eq!(n("\"locked\""), 1);
    assert!(n("\"failed\"") <= 3, "counted, not one act a try: {acts:#?}");
    // The way back. RV-2 still counts the hour's wrong passphrases, so the right one has to wait, too.
    let said = practice.collector(&["account", "unlock", "mary"])?;
    assert!(said.contains("mary can sign in again"), "{said}");
    let acts = practice.events(&["--acts"])?;
    assert!(acts.iter().any(|act| act.to_string().contains("\"unlocked\"")));
    let unlocked = practice.collector(&["account", "list"])?;
    assert!(!unlocked.contains("locked"), "{unlocked}");
    mary.recovery.clear();
    Ok(())
}

#[test]
fn names_that_are_markup_are_text_on_every_page() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let evil = "<script>alert(1)</script>\"'&";
    let echoed = browser.get("/findings?person=%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%27%26&show=all")?;
    assert!(!echoed.body.contains("<script>alert"), "{}", echoed.body);
    assert!(echoed.body.contains("alert(1)"), "it is shown as text");
    let mut stranger = Browser::open(&practice)?;
    stranger.get("/sign-in")?;
    let answer =
        stranger.post("/sign-in", &[("name", evil), ("passphrase", evil), ("code", evil), ("next", evil)])?;
    assert_eq!(answer.status, 401);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    let answer = stranger.get("/sign-in?next=https://evil.example/")?;
    assert!(!answer.body.contains("evil.example"));
    Ok(())
}
