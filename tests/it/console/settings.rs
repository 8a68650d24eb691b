//! Settings by their pages: accounts, help desks, holds, what goes out; and how little of it the operator sees.

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{Browser, PASSPHRASE, let_in, with_manager};

use super::pages::{MARKUP, keep};

#[test]
fn an_account_is_made_with_a_link_shown_once_changed_and_removed() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    mary.get("/settings/accounts")?;
    let path = "/settings/accounts";
    let add = |person: &'static str, role: &'static str, passphrase: &'static str| {
        [("act", "add"), ("person", person), ("role", role), ("passphrase", passphrase)]
    };
    for (person, role, passphrase) in [
        ("chen", "reviewer", "wrong horse battery"),
        ("chen", "reviewer", ""),
        ("chen", "king", PASSPHRASE),
        ("chen", "attorney", PASSPHRASE),
        (MARKUP, "reviewer", PASSPHRASE),
        ("", "reviewer", PASSPHRASE),
    ] {
        let refused = mary.post(path, &add(person, role, passphrase))?;
        ensure!(refused.status == 400 || refused.status == 404, "{person}: {}", refused.body);
        ensure!(refused.body.contains("Nothing was changed"), "{}", refused.body);
        ensure!(!refused.body.contains("<img") && !refused.body.contains("/set-up/"), "{}", refused.body);
    }
    let made = mary.post(path, &add("chen", "reviewer", PASSPHRASE))?;
    keep("settings-accounts-link", &made)?;
    let link = format!("{}/set-up/", practice.console_origin());
    let token = made.between(&link, "<").context("the link is shown")?.to_owned();
    let page = mary.get(path)?;
    keep("settings-accounts", &page)?;
    ensure!(!page.body.contains(&token), "once");
    let mut chen = Browser::open(&practice)?;
    chen.set_up(&format!("{link}{token}"), &[])?;
    ensure!(chen.get(path)?.status == 403, "a manager lets people in");
    ensure!(chen.get("/findings")?.status == 200);
    mary.get(path)?;
    let role = [("act", "role"), ("person", "chen"), ("role", "operator"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post(path, &role)?.leads_to() == Some("/settings/accounts?said=role"));
    ensure!(chen.get("/findings")?.status == 303, "signed out by it");
    for act in ["unlock", "reset", "remove"] {
        let wrong = [("act", act), ("person", "chen"), ("passphrase", "wrong horse battery")];
        let refused = mary.post(path, &wrong)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{act}");
        ensure!(!refused.body.contains(&link), "{act}");
    }
    let unlock = [("act", "unlock"), ("person", "chen"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post(path, &unlock)?.leads_to() == Some("/settings/accounts?said=unlocked"));
    let reset = [("act", "reset"), ("person", "chen"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post(path, &reset)?.body.contains(&link), "a new link");
    let remove = [("act", "remove"), ("person", "chen"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post(path, &remove)?.leads_to() == Some("/settings/accounts?said=removed"));
    ensure!(!practice.collector(&["account", "list"])?.contains("chen"));
    Ok(())
}

#[test]
fn help_desks_holds_and_texts_are_kept_and_their_words_are_text() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    let desks = "/settings/help-desks";
    mary.get(desks)?;
    let refused = mary.post(desks, &[("act", "make"), ("name", MARKUP)])?;
    ensure!(refused.status == 400 && !refused.body.contains("<img"), "{}", refused.body);
    let made = mary.post(desks, &[("act", "make"), ("name", "desk-one")])?;
    let token = made.between("aria-label=\"The token\">", "<").context("the token is shown")?.to_owned();
    let page = mary.get(desks)?;
    keep("settings-help-desks", &page)?;
    ensure!(page.body.contains("desk-one") && !page.body.contains(&token), "once");
    let revoked = mary.post(desks, &[("act", "revoke"), ("name", "desk-one")])?;
    ensure!(revoked.leads_to() == Some("/settings/help-desks?said=revoked"), "{}", revoked.body);

    let keeping = "/settings/keeping";
    mary.get(keeping)?;
    let hold = |case: &'static str, because: &'static str, passphrase: &'static str| {
        [("act", "hold"), ("case", case), ("person", "sam"), ("because", because), ("passphrase", passphrase)]
    };
    for (case, because, passphrase) in
        [("no case", MARKUP, PASSPHRASE), ("C-1", "", PASSPHRASE), ("C-1", MARKUP, "wrong horse battery")]
    {
        let refused = mary.post(keeping, &hold(case, because, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
        ensure!(refused.body.contains(&format!("value=\"{case}\"")), "what was typed stays");
    }
    ensure!(mary.post(keeping, &hold("C-1", MARKUP, PASSPHRASE))?.status == 303);
    let page = mary.get(keeping)?;
    keep("settings-keeping", &page)?;
    ensure!(page.body.contains("case C-1") && !page.body.contains("<img"), "{}", page.body);
    let release = [("act", "release"), ("what", "H-1"), ("because", "settled"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post(keeping, &release)?.leads_to() == Some("/settings/keeping?said=released"));
    ensure!(practice.collector(&["hold", "list"])?.contains("H-1"));

    for path in ["/settings/roster", "/settings/table", "/settings/table?template=strict", "/settings"] {
        let page = mary.get(path)?;
        keep(&path.replace(['/', '?', '='], "-"), &page)?;
        ensure!(page.status == 200 && !page.body.contains("style=\""), "{path}");
    }
    mary.get("/settings/roster")?;
    let broken =
        [("act", "roster"), ("form", "toml"), ("text", "[[person]]\nid = <x>"), ("passphrase", PASSPHRASE)];
    let refused = mary.post("/settings/roster", &broken)?;
    ensure!(refused.status == 400 && refused.body.contains("[[person]]"), "{}", refused.body);
    Ok(())
}

#[test]
fn nobody_reads_of_a_hold_about_themselves_and_the_operator_reads_of_none() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    let (mut otto, _) = let_in(&practice, "otto", &["operator"])?;
    mary.get("/settings/keeping")?;
    for (case, person) in [("C-1", "chen"), ("C-2", "sam")] {
        let hold = [
            ("act", "hold"),
            ("case", case),
            ("person", person),
            ("because", "x"),
            ("passphrase", PASSPHRASE),
        ];
        ensure!(mary.post("/settings/keeping", &hold)?.status == 303);
    }
    let page = chen.get("/settings/keeping")?;
    ensure!(page.body.contains("case C-2") && !page.body.contains("case C-1"), "{}", page.body);
    ensure!(page.body.contains("Something here is not shown to you"));
    let both = mary.get("/settings/keeping")?;
    ensure!(both.body.contains("case C-1") && both.body.contains("case C-2"), "the twin");
    // The operator: what runs, and nothing of people, tables, holds, accounts.
    let page = otto.get("/settings")?;
    keep("settings-operator", &page)?;
    ensure!(page.status == 200 && page.body.contains("The copy outside"), "{}", page.body);
    for (path, shown) in [
        ("/settings/accounts", false),
        ("/settings/roster", false),
        ("/settings/table", false),
        ("/settings/keeping", false),
        ("/settings/help-desks", false),
        ("/wizard", false),
        ("/second", false),
        ("/self-check", true),
    ] {
        ensure!(page.body.contains(&format!("href=\"{path}\"")) == shown, "{path}");
        ensure!((otto.get(path)?.status == 200) == shown, "{path}");
    }
    otto.get("/settings")?;
    ensure!(
        otto.post("/settings", &[("act", "mail"), ("because", "x")])?.status == 403,
        "a manager declines"
    );
    let round = otto.post("/settings", &[("act", "round")])?;
    ensure!(round.leads_to() == Some("/settings?said=round"), "{}", round.body);
    ensure!(otto.post("/settings", &[("act", "copy")])?.body.contains("no copy is made outside"));
    ensure!(otto.post("/settings", &[("act", "trial"), ("what", "mail")])?.body.contains("[mail]"));
    chen.get("/settings")?;
    ensure!(chen.post("/settings", &[("act", "round")])?.status == 403, "who decides keeps nothing running");
    Ok(())
}
