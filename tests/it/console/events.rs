//! What an account touched, by the page and its spreadsheet: pages, gaps, hostile names, nothing about who looks.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, ToSpan as _};
use ntk_evidence::entry::Entry;
use ntk_tests::console::{Answer, PASSPHRASE, with_manager};
use ntk_tests::crafted::message;
use ntk_tests::practice::{Practice, ROSTER, START_WITHIN};
use ntk_tests::wait;
use serde_json::{Value, json};

use crate::refusals::{accepted, enrolled, runtime};

/// What a hostile machine may call an account or a file.
const MARKUP: &str = "<script>alert(1)</script>";
/// What a spreadsheet program would compute.
const FORMULA: &str = "=HYPERLINK(\"http://example.invalid\")";

/// Keeps a page for whoever wants to look at it: in the folder that `NTK_PAGES` names.
pub(super) fn keep(name: &str, page: &Answer) -> Result<()> {
    if let Some(folder) = std::env::var_os("NTK_PAGES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), &page.body)?;
    }
    Ok(())
}

pub(super) fn read(at: Timestamp, user: &str, uid: u32, path: &str) -> Value {
    json!({"kind": "file_access", "time": at.to_string(), "outcome": "success", "action": "read",
        "actor": {"login_uid": uid, "login_user": user, "session": uid, "confidence": "kernel"},
        "object": {"class": "mailbox", "owner": "manager", "path": path},
        "process": {"exe": "/usr/bin/cat"}, "source": {"sensor": "linux-audit"}})
}

/// Sends entries as a machine of this name.
pub(super) fn send(practice: &Practice, machine: &str, events: &[Value]) -> Result<()> {
    runtime()?.block_on(async {
        let mut agent = enrolled(practice, machine).await?;
        let mut stream = agent.stream().await?;
        let entries = events
            .iter()
            .map(|event| Ok(Entry::freeze(serde_json::from_value(event.clone())?)?))
            .collect::<Result<Vec<_>>>()?;
        let batch = agent.seal(entries)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })
}

/// Puts a roster with more in it in force.
pub(super) fn roster(practice: &Practice, more: &str) -> Result<()> {
    let (file, passphrase) =
        (practice.folder().join("roster.toml"), practice.folder().join("marys-passphrase"));
    std::fs::write(&file, format!("{ROSTER}{more}"))?;
    std::fs::write(&passphrase, PASSPHRASE)?;
    let (file, passphrase) = (file.to_string_lossy().into_owned(), passphrase.to_string_lossy().into_owned());
    practice.collector(&["roster", "import", &file, "--by", "mary", "--passphrase-file", &passphrase])?;
    Ok(())
}

/// The address of a link with this text, as a browser reads it.
fn link(page: &Answer, text: &str) -> Option<String> {
    let before = page.body.split_once(&format!("\">{text}"))?.0;
    let address = before.rsplit_once("href=\"")?.1;
    Some(address.replace("&#38;", "&").replace("&amp;", "&"))
}

#[test]
fn a_search_is_paged_and_shows_gaps_and_findings_and_is_an_act() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    let now = Timestamp::now();
    let at = |second: i64| now.checked_add((second - 400).seconds());
    let mut events: Vec<Value> = Vec::new();
    for n in 0..130 {
        events.push(read(at(n)?, "itadmin1", 1001, &format!("/var/mail/mary/{n}")));
    }
    events.push(json!({"kind": "gap", "time": at(140)?.to_string(),
        "gap": {"cause": "queue_overflow", "from": at(131)?.to_string(), "to": at(139)?.to_string(), "lost": 7}}));
    for n in 150..250 {
        events.push(read(at(n)?, "itadmin1", 1001, &format!("/var/mail/mary/{n}")));
    }
    events.push(json!({"kind": "login", "time": at(260)?.to_string(), "outcome": "success",
        "actor": {"login_uid": 1001, "login_user": "itadmin1", "session": 1001, "from": "203.0.113.9"},
        "source": {"sensor": "linux-audit"}}));
    send(&practice, "ws-01", &events)?;
    let empty = browser.get("/events")?;
    ensure!(empty.status == 200 && empty.body.contains("Nothing was looked up yet"), "{}", empty.body);
    let search = "/events?person=Northwind%20IT&computer=&asset=mailbox&path=&from=&to=&what=read&show=1";
    let first = wait::until("the entries", START_WITHIN, || {
        let page = browser.get(search)?;
        ensure!(page.body.contains("/var/mail/mary/99"), "{}", page.body);
        Ok(Some(page))
    })?;
    keep("events", &first)?;
    ensure!(first.body.contains("100 entries on this page") && !first.body.contains("/var/mail/mary/100"));
    ensure!(
        first.body.contains("opened for reading") && first.body.contains("Northwind IT, account itadmin1")
    );
    ensure!(first.body.contains("linux-audit") && first.body.contains("stamped by the kernel"));
    ensure!(first.body.contains("<td>cat</td>"), "through what: {}", first.body);
    let finding =
        first.between("href=\"/findings/", "\"").context("an entry leads to its finding")?.to_owned();
    let second = browser.get(&link(&first, "Next page").context("a next page")?)?;
    ensure!(second.body.contains("/var/mail/mary/100<") || second.body.contains("/var/mail/mary/100 "));
    ensure!(second.body.contains("ws-01 may not have recorded all"), "{}", second.body);
    ensure!(second.body.contains("more records came than could be taken in; 7 records lost"));
    let third = browser.get(&link(&second, "Next page").context("a third page")?)?;
    ensure!(third.body.contains("/var/mail/mary/249") && link(&third, "Next page").is_none());
    ensure!(!third.body.contains("203.0.113.9"), "a login is no read");
    let back = browser.get(&link(&third, "Page before").context("a way back")?)?;
    ensure!(back.body.contains("/var/mail/mary/100 ") && !back.body.contains("/var/mail/mary/249"));
    let begin = browser.get(&link(&back, "Page before").context("a way back")?)?;
    ensure!(begin.body.contains("/var/mail/mary/0 "), "{}", begin.body);
    // Other questions: by kind, by computer, by a part of the path, of a day long ago.
    let logins = browser.get("/events?person=itadmin1&what=login&show=1")?;
    ensure!(logins.body.contains("from 203.0.113.9") && !logins.body.contains("/var/mail/mary/0 "));
    ensure!(browser.get("/events?computer=ws-99&show=1")?.body.contains("Nothing fits"));
    let part = browser.get("/events?path=MAIL%2Fmary%2F249&show=1")?;
    ensure!(part.body.contains("1 entry<") && part.body.contains("/var/mail/mary/249"), "{}", part.body);
    let past = browser.get("/events?from=2020-01-01&to=2020-01-02&show=1")?;
    ensure!(past.body.contains("No entry fits"), "{}", past.body);
    keep("events-none", &past)?;
    // What is wrong is said at its field, and nothing is looked up.
    for (query, field) in
        [("from=yesterday", "from"), ("from=2026-11-02&to=2026-11-01", "to"), ("what=all", "what")]
    {
        let wrong = browser.get(&format!("/events?{query}"))?;
        let marked = wrong.body.split(&format!("id=\"{field}\"")).nth(1).unwrap_or_default();
        let tag = marked.split('>').next().unwrap_or_default();
        ensure!(wrong.status == 400 && tag.contains("aria-invalid=\"true\""), "{query}: {}", wrong.body);
        ensure!(wrong.body.contains("Nothing was looked up."));
    }
    // From the finding to what is around it.
    let page = browser.get(&format!("/findings/{finding}"))?;
    let around = link(&page, "All entries around it").context("a link to the entries")?;
    ensure!(around.contains("person=northwind") && around.contains("computer=ws-01"), "{around}");
    ensure!(browser.get(&around)?.body.contains("/var/mail/mary/0 "));
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    let looked = |act: &&String| {
        act.contains("act_viewed") && act.contains("\"what\":\"events\"") && act.contains("\"by\":\"mary\"")
    };
    ensure!(acts.iter().filter(looked).count() >= 9, "each search is an act in her name");
    Ok(())
}

#[test]
fn nobody_finds_entries_about_themselves_and_names_are_text_and_no_formula() -> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    roster(&practice, "\n[[account]]\nperson = \"mary\"\nhost = \"ws-01\"\nuid = 1000\nuser = \"mlopez\"\n")?;
    let now = Timestamp::now();
    let login = json!({"kind": "login", "time": now.to_string(), "outcome": "denied",
        "actor": {"claims": "mlopez"}, "source": {"sensor": "linux-audit"}});
    let events = [
        read(now, "mlopez", 1000, "/srv/hr/of-mary"),
        login,
        read(now, MARKUP, 1044, "/srv/hr/of-somebody"),
        read(now, FORMULA, 1045, FORMULA),
        read(now, "\u{202e}nimda", 1046, "+1\u{7}"),
        read(now, "sam", 1047, "@SUM(1)"),
    ];
    send(&practice, "ws-01", &events)?;
    let page = wait::until("the entries", START_WITHIN, || {
        let page = browser.get("/events?show=1")?;
        ensure!(page.body.contains("of-somebody"), "{}", page.body);
        Ok(Some(page))
    })?;
    keep("events-hostile", &page)?;
    let about_her = |text: &str| text.contains("of-mary") || text.contains("mlopez");
    ensure!(!about_her(&page.body), "{}", page.body);
    ensure!(page.body.contains("about you, your firm or an account that you share is left out"));
    ensure!(!page.body.contains("<script>alert"), "{}", page.body);
    ensure!(page.body.contains("\\u{202e}nimda") && page.body.contains("\\u{7}"), "{}", page.body);
    for search in ["person=mary", "person=mlopez", "path=of-mary"] {
        let page = browser.get(&format!("/events?{search}&show=1"))?;
        ensure!(!page.body.contains("of-mary<") && page.body.contains("Nothing fits"), "{}", page.body);
    }
    let sheet = browser.get("/events.csv?show=1")?;
    ensure!(sheet.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    ensure!(sheet.header("content-disposition").is_some_and(|how| how.starts_with("attachment")));
    ensure!(sheet.body.contains("of-somebody") && !about_her(&sheet.body), "{}", sheet.body);
    for line in sheet.body.lines() {
        for cell in line.split(',') {
            let cell = cell.trim_start_matches('"');
            ensure!(!cell.starts_with(['=', '+', '-', '@', '\t']), "a formula: {line}");
        }
    }
    // The JSON API tells no more; the acts, which hold what is decided about people, stay with the command.
    let api = browser.get("/api/v1/events")?;
    ensure!(api.status == 200 && api.body.contains("of-somebody") && !about_her(&api.body), "{}", api.body);
    ensure!(browser.get("/api/v1/events?acts=true")?.status == 403);
    ensure!(about_her(&practice.collector(&["events", "--json"])?), "the twin: whoever runs the collector");
    // Lines of the API go on where the last ones ended.
    let one: Value = serde_json::from_str(browser.get("/api/v1/events?limit=1")?.body.trim())?;
    let after = format!("{}.{}", one["leaf"], one["number"]);
    let two: Value =
        serde_json::from_str(browser.get(&format!("/api/v1/events?limit=1&after={after}"))?.body.trim())?;
    ensure!(two["number"].as_u64() > one["number"].as_u64(), "{one} {two}");
    ensure!(browser.get("/api/v1/events?limit=0")?.status == 400);
    ensure!(browser.get("/api/v1/events?after=x")?.status == 400);
    Ok(())
}
