//! The set-up wizard by its pages: what is done is seen from what is there; what is refused stays in its fields.

use anyhow::{Context as _, Result, ensure};
use ntk_collector::set_up::Step;
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};

use super::pages::{MARKUP, keep};

#[test]
fn a_manager_is_led_to_what_is_open_until_the_list_is_put_away() -> Result<()> {
    let (practice, mut browser, mut mary) = with_manager()?;
    let list = browser.get("/wizard")?;
    keep("wizard", &list)?;
    ensure!(list.status == 200 && list.body.contains("of 10 done"), "{}", list.body);
    ensure!(browser.get("/")?.body.contains("Go on with the set-up"));
    for step in Step::ALL {
        let path = format!("/wizard/{}", step.name());
        ensure!(list.body.contains(&format!("href=\"{path}\"")), "{path} is listed");
        let page = browser.get(&path)?;
        keep(&format!("wizard-{}", step.name()), &page)?;
        ensure!(page.status == 200 && page.body.contains(step.title()), "{path}: {}", page.body);
        ensure!(!page.body.contains("style=\"") && page.body.matches("<h1").count() == 1, "{path}");
    }
    ensure!(browser.get("/wizard/nothing")?.status == 404);
    let (code, said) = practice.try_collector(&["set-up"])?;
    ensure!(code == Some(1) && said.contains("open  Keys to take away"), "{said}");

    browser.get("/wizard/keys")?;
    let refused = browser.post("/wizard/keys", &[("act", "keys"), ("passphrase", "wrong horse battery")])?;
    ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
    let kept = browser.post("/wizard/keys", &[("act", "keys"), ("passphrase", PASSPHRASE)])?;
    ensure!(kept.leads_to() == Some("/wizard/keys?said=keys"), "{}", kept.body);
    ensure!(browser.get("/wizard/keys")?.body.contains("recorded that they were taken away"));

    ensure!(browser.post("/wizard/put-away/now", &[])?.status == 400, "with a passphrase");
    let away = browser.post("/wizard/put-away/now", &[("passphrase", PASSPHRASE)])?;
    ensure!(away.leads_to() == Some("/"), "{}", away.body);
    ensure!(!browser.get("/")?.body.contains("Go on with the set-up"));
    let (code, said) = practice.try_collector(&["set-up"])?;
    ensure!(code == Some(0) && said.contains("done  Keys to take away"), "{said}");
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    for change in ["keys taken away", "set-up put away"] {
        let n = acts.iter().filter(|act| act.contains(change) && act.contains("\"by\":\"mary\"")).count();
        ensure!(n == 1, "{change}: {acts:#?}");
    }
    browser.post("/sign-out", &[])?;
    mary.recovery.truncate(1);
    browser.sign_in(&mut mary)?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    ensure!(chen.get("/wizard")?.status == 403, "a manager sets up");
    Ok(())
}

#[test]
fn people_and_the_table_are_put_in_force_where_they_are_asked_for() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let person = |name: &'static str, id: &'static str, passphrase: &'static str| {
        [
            ("act", "person"),
            ("name", name),
            ("person", id),
            ("role", "frontdesk"),
            ("user", "=cmd()"),
            ("passphrase", passphrase),
        ]
    };
    browser.get("/wizard/people")?;
    for (name, id, passphrase) in [
        (MARKUP, "bea", "wrong horse battery"),
        (MARKUP, "bea", ""),
        (MARKUP, "mary", PASSPHRASE),
        ("", "bea", PASSPHRASE),
    ] {
        let refused = browser.post("/wizard/people", &person(name, id, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was changed"), "{}", refused.body);
        ensure!(refused.body.contains(&format!("value=\"{id}\"")), "what was typed stays: {}", refused.body);
        ensure!(!refused.body.contains("<img"), "{}", refused.body);
    }
    let added = browser.post("/wizard/people", &person(MARKUP, "bea", PASSPHRASE))?;
    ensure!(added.leads_to() == Some("/wizard/people?said=in-force"), "{}", added.body);
    let page = browser.get("/wizard/people?said=in-force")?;
    keep("wizard-people-added", &page)?;
    ensure!(
        page.body.contains("<td class=\"mono\">bea</td>") && !page.body.contains("<img"),
        "{}",
        page.body
    );
    // A sheet with a fault is refused whole, with its sentence and what was pasted.
    let fault = "person,name,roles\nmary,Mary Lopez,manager\nmary,Somebody,manager\nx y,X,frontdesk\n";
    let sheet =
        |text: &'static str| [("act", "roster"), ("form", "csv"), ("text", text), ("passphrase", PASSPHRASE)];
    let refused = browser.post("/wizard/people", &sheet(fault))?;
    ensure!(refused.status == 400 && refused.body.contains("x y,X,frontdesk"), "{}", refused.body);
    let good = "person\tname\troles\tuser\nmary\tMary Lopez\tmanager\tmlopez\nsam\tSam Ortiz\tfrontdesk\tfrontdesk1\n";
    ensure!(browser.post("/wizard/people", &sheet(good))?.status == 303);
    let exported = practice.folder().join("roster.csv").to_string_lossy().into_owned();
    practice.collector(&["roster", "export", &exported])?;
    let exported = std::fs::read_to_string(&exported)?;
    ensure!(exported.contains("frontdesk1") && !exported.contains("bea"), "{exported}");

    let dental = browser.get("/wizard/table?template=dental")?;
    keep("wizard-table-dental", &dental)?;
    ensure!(dental.body.contains("It is not in force until you put it there"), "{}", dental.body);
    let text = dental.between("<textarea id=\"t-text\"", "</textarea>").context("a field")?;
    let text = text.split_once('>').context("its text")?.1;
    let text = text
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&");
    let table = |text: &str, passphrase: &str| {
        [("act", "table".to_owned()), ("text", text.to_owned()), ("passphrase", passphrase.to_owned())]
    };
    let mut post = |fields: [(&str, String); 3]| {
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        browser.post("/wizard/table", &fields)
    };
    let refused = post(table("name = \"x\"\n[table.everyone]\nlogin = \"sometimes\"\n", PASSPHRASE))?;
    ensure!(refused.status == 400 && refused.body.contains("sometimes"), "{}", refused.body);
    ensure!(post(table(&text, "wrong horse battery"))?.status == 400);
    let put = post(table(&text, PASSPHRASE))?;
    ensure!(put.leads_to() == Some("/wizard/table?said=in-force"), "{}", put.body);
    let list = browser.get("/wizard")?;
    ensure!(list.body.contains("put in force by one of you"), "{}", list.body);
    let refused = browser.post("/wizard/mail-test", &[("act", "trial"), ("what", "mail")])?;
    ensure!(refused.status == 400 && refused.body.contains("[mail]"), "{}", refused.body);
    Ok(())
}
