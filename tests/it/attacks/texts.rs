//! Whoever names a file, a computer or an account, or writes a sentence to the practice, may write markup, formulas and
//! letters that hide. All of it is text: on every page that there is, in the review's PDF, in every cell of a bundle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use ntk_collector::console::table::rows;
use ntk_evidence::entry::Entry;
use ntk_evidence::event::Event;
use ntk_tests::attack_table::noticed;
use ntk_tests::console::{Answer, Browser, let_in, marys_passphrase, with_manager};
use ntk_tests::crafted::message;
use ntk_tests::practice::{Practice, ROSTER, START_WITHIN};
use ntk_tests::{program, skip, wait};
use serde_json::{Value, json};

use crate::bundle::{unpack, verify};
use crate::refusals::{accepted, enrolled, runtime};

/// What a browser would do something for, in text and in an attribute.
const MARKUP: &str =
    "<script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus=\"alert(3)\" autofocus=\"'";
/// What of it no page may hold.
const RAW: &[&str] = &["<script>alert", "<img src=x", "\" onfocus=\"", "javascript:alert"];
/// What a spreadsheet would run.
const FORMULA: &str = "=HYPERLINK(\"http://evil.example/\";\"a\")";
/// Letters that hide or turn round what stands beside them.
const HIDDEN: &str = "gpj.\u{202e}txe\u{200b}\u{2066}\u{7}\u{1b}[2J";
/// The most pages that are opened.
const PAGES_MAX: usize = 400;

/// Everything at once.
fn hostile(begins: &str) -> String {
    format!("{begins}{MARKUP}{HIDDEN}")
}

/// The same as people can write it, where control characters are refused.
fn said(begins: &str) -> String {
    let letters = hostile(begins).chars().filter(|letter| !letter.is_control()).collect::<String>();
    letters.replace("[2J", "")
}

/// What a machine tells in these words.
fn events(now: Timestamp) -> Result<Vec<Entry>> {
    let time = now.to_string();
    let actor = |user: &str| {
        json!({"login_uid": 1001, "login_user": user, "session": 5, "confidence": "kernel",
        "from": hostile("host-"), "key": hostile("SHA256:"), "tool": hostile("tool-"), "claims": hostile("@")})
    };
    let process = json!({"pid": 7, "exe": hostile("/usr/bin/"), "command": hostile("+cat "), "parent": hostile("-"),
        "ancestors": [hostile("=")], "unit": hostile("unit-")});
    let access = |user: &str, owner: &str, path: &str| {
        json!({"kind": "file_access", "time": time, "outcome": "success", "action": "read", "actor": actor(user),
            "process": process, "object": {"class": "mailbox", "owner": owner, "path": path, "to": path},
            "source": {"sensor": hostile("sensor-")}})
    };
    let holding = json!({"what": "account", "name": hostile(FORMULA), "accounts": [hostile("@")],
        "place": hostile("/etc/"), "detail": hostile("-")});
    let all = [
        json!({"kind": "health", "time": time, "health": {"reason": "start", "version": hostile("1."), "os": hostile("Debian 12, kernel "),
            "os_build": hostile("="), "sensors": [hostile("sensor-")], "cannot_see": [hostile("=")],
            "boot_parameters": [hostile("quiet=")]}}),
        json!({"kind": "login", "time": time, "outcome": "success", "actor": actor(&hostile("")), "process": process}),
        access("itadmin1", "manager", &hostile("/srv/")),
        access(&hostile(""), &hostile(""), &hostile("=/srv/")),
        access(FORMULA, FORMULA, FORMULA),
        json!({"kind": "tamper", "time": time, "tamper": {"what": "log_cleared", "detail": hostile("=")}}),
        json!({"kind": "inventory", "time": time, "inventory": {"reason": "start", "holdings": [holding],
            "cannot_see": [hostile("=")]}}),
    ];
    let freeze = |event: Value| Ok(Entry::freeze(serde_json::from_value::<Event>(event)?)?);
    all.into_iter().map(freeze).collect()
}

/// A practice in which machines and people wrote what they liked, its manager's browser, and another's.
fn written_to() -> Result<(Practice, Browser)> {
    let (practice, mut mary, _) = with_manager()?;
    let entries = events(Timestamp::now())?;
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        let batch = agent.seal(entries)?;
        accepted(&mut stream, message(&batch), batch.size()).await
    })?;
    let passphrase = marys_passphrase(&practice)?;
    let by = |arguments: &[&str]| {
        practice.collector(&[arguments, &["--by", "mary", "--passphrase-file", &passphrase]].concat())
    };
    let name = toml_text(&said("Eve "));
    let more = format!(
        "{ROSTER}\n[[person]]\nid = \"eve\"\nname = {name}\norganisation = {name}\nroles = [\"vendor\"]\n\
         [[person]]\nid = \"chen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\n"
    );
    let file = practice.folder().join("roster.toml");
    fs::write(&file, more)?;
    by(&["roster", "import", &file.to_string_lossy()])?;
    for (begins, class) in [("", "mailbox"), (FORMULA, "export"), ("@", "ehr")] {
        let reason = said(begins);
        practice.collector(&["ticket", "request", "--for", "eve", "--class", class, "--reason", &reason])?;
    }
    practice.collector(&["ticket", "decline", "T-2", "--by", "mary", "--reason", &said("@")])?;
    by(&["hold", "add", "--case", "C-1", "--reason", &said("=")])?;
    let id = wait::until("a finding", START_WITHIN, || {
        let found = practice.findings()?;
        Ok(found.iter().find_map(|one| {
            one.pointer("/finding/id").or_else(|| one.get("id"))?.as_str().map(str::to_owned)
        }))
    })?;
    let asked = by(&[
        "finding",
        &id,
        "ask",
        "--question",
        &said("What was "),
        "--link",
        "--address",
        &practice.console_origin(),
    ])?;
    let link = asked.split_whitespace().find(|word| word.contains("/a/")).context("a link")?.to_owned();
    let mut asked = Browser::open(&practice)?;
    let page = asked.get(&link)?;
    is_text("the question", &page)?;
    let answer = asked.post(&link, &[("answer", &said("=")), ("code", "")])?;
    ensure!(answer.status == 200, "{}", answer.body);
    is_text("the answer's page", &answer)?;
    by(&["breach", "start", &id, "--because", &said("@")])?;
    mary.get("/me")?;
    Ok((practice, mary))
}

fn toml_text(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '"' | '\\' => format!("\\{letter}"),
        letter if letter.is_control() => format!("\\u{:04X}", u32::from(letter)),
        letter => letter.to_string(),
    });
    format!("\"{}\"", letters.collect::<String>())
}

/// Whether a letter shows nothing, or changes how others are shown.
fn hides(letter: char) -> bool {
    (letter.is_control() && !['\n', '\r', '\t'].contains(&letter))
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// What a page holds of strangers is text; what hides is written out.
fn is_text(what: &str, page: &Answer) -> Result<()> {
    let kind = page.header("content-type").unwrap_or_default();
    if !kind.starts_with("text/html") {
        // Nothing else is taken for a page.
        let sniffs = page.header("x-content-type-options") != Some("nosniff");
        ensure!(!sniffs, "{what}: {kind}");
        return Ok(());
    }
    for raw in RAW {
        ensure!(!page.body.contains(raw), "{what} holds `{raw}`: {}", page.body);
    }
    if let Some(letter) = page.body.chars().find(|&letter| hides(letter)) {
        bail!("{what} holds {:?} as it came: {}", letter, page.body);
    }
    Ok(())
}

/// Every page that links lead to from those that the table names, once.
fn every_page(browser: &mut Browser) -> Result<BTreeMap<String, Answer>> {
    let mut seen = BTreeSet::new();
    let mut waiting: VecDeque<String> = rows()
        .filter(|row| row.method == "GET" && !row.path.contains('{') && row.path != "/live")
        .map(|row| row.path.to_owned())
        .collect();
    let mut pages = BTreeMap::new();
    while let Some(path) = waiting.pop_front() {
        if pages.len() >= PAGES_MAX || !seen.insert(path.clone()) {
            continue;
        }
        let answer = browser.get(&path)?;
        for link in answer.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.split('#').next().unwrap_or_default().replace("&amp;", "&").replace("&#38;", "&");
            if link.starts_with('/') && !link.starts_with("//") {
                waiting.push_back(link);
            }
        }
        pages.insert(path, answer);
    }
    Ok(pages)
}

#[test]
fn what_machines_and_people_write_is_text_on_every_page_and_hides_nothing() -> Result<()> {
    let (practice, mut mary) = written_to()?;
    wait::until_so("the accesses on the page of this week", START_WITHIN, || {
        Ok(mary.get("/")?.body.contains("Ask or decide"))
    })?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    for browser in [&mut mary, &mut chen] {
        let pages = every_page(browser)?;
        let html = pages.values().filter(|page| page.body.contains("<h1")).count();
        ensure!(html >= 6, "{html} pages were opened: {:?}", pages.keys());
        noticed("markup", || pages.iter().try_for_each(|(path, page)| is_text(path, page)))?;
        let shows = |part: &str| pages.values().filter(|page| page.body.contains(part)).count();
        // The twin: the same words are there to read.
        ensure!(shows("alert(2)") >= 3, "the names are shown: {}", shows("alert(2)"));
        ensure!(shows("gpj.\\u{202e}txe") >= 2, "and what hides in them is written out");
    }
    // A form that is refused comes back with what was typed.
    let evil = hostile("");
    for path in pages_with_forms(&mut mary)? {
        let fields: Vec<(&str, &str)> =
            ["text", "note", "person", "name", "reason", "because", "case", "week", "step"]
                .map(|name| (name, evil.as_str()))
                .to_vec();
        is_text(&path, &mary.post(&path, &fields)?)?;
    }
    Ok(())
}

/// Where forms lead, but those that end the session.
fn pages_with_forms(browser: &mut Browser) -> Result<BTreeSet<String>> {
    let pages = every_page(browser)?;
    let actions = pages.values().flat_map(|page| page.body.split(" action=\"").skip(1));
    let actions = actions.filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    Ok(actions.filter(|action| action.starts_with('/') && action != "/sign-out").collect())
}

#[test]
fn what_machines_and_people_write_is_text_in_the_reviews_pdf_and_runs_nothing() -> Result<()> {
    let test = "attacks::texts with pdftotext";
    if Command::new("pdftotext").arg("-v").output().is_err() {
        skip::skip(test, "pdftotext is not installed; tests/run installs it");
        return Ok(());
    }
    let (practice, _) = written_to()?;
    let out = practice.folder().join("report");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let pdf = out.join("report.pdf");
    let bytes = fs::read(&pdf)?;
    for word in ["/JavaScript", "/JS", "/Launch", "/SubmitForm", "/EmbeddedFile", "/OpenAction", "/AA"] {
        ensure!(!holds_name(&bytes, word), "the PDF holds {word}");
    }
    let output = Command::new("pdftotext").args(["-enc", "UTF-8", "-layout"]).arg(&pdf).arg("-").output()?;
    let text: String = program::text(&output.stdout).split_whitespace().collect();
    ensure!(text.contains("alert(2)") && text.contains("<script>"), "the names are there to read: {text}");
    ensure!(text.contains("gpj.\\u{202e}txe"), "what hides is written out: {text}");
    ensure!(!text.chars().any(|letter| hides(letter) && letter != '\u{c}'), "{text:?}");
    let html = fs::read_to_string(out.join("report.html"))?;
    for raw in RAW {
        ensure!(!html.contains(raw), "report.html holds `{raw}`");
    }
    ensure!(!html.chars().any(hides), "report.html holds letters that hide");
    Ok(())
}

/// Whether a PDF holds this name and not one that only begins so.
fn holds_name(bytes: &[u8], name: &str) -> bool {
    let ends = |at: usize| bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    bytes.windows(name.len()).enumerate().any(|(at, here)| here == name.as_bytes() && ends(at + name.len()))
}

#[test]
fn no_cell_that_leaves_the_practice_is_a_formula() -> Result<()> {
    let (practice, _) = written_to()?;
    let bundle = practice.folder().join("bundle.zip");
    let passphrase = marys_passphrase(&practice)?;
    let out = bundle.to_string_lossy().into_owned();
    let question = ["export", "--from", "2026-01-01", "--to", "2036-12-31", "--case", "C-1", "--out", &out];
    practice.collector(&[&question[..], &["--by", "mary", "--passphrase-file", &passphrase]].concat())?;
    let (code, said) = verify(&bundle, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{said}");
    let folder = unpack(&bundle, &practice.folder().join("bag"))?;
    let mut cells = 0;
    for name in ["timeline.csv", "coverage.csv", "proofs/brackets.csv"] {
        let path = folder.join("data").join(name);
        let Ok(mut reader) = csv::ReaderBuilder::new().has_headers(false).from_path(&path) else { continue };
        for record in reader.records() {
            for cell in &record? {
                cells += 1;
                ensure!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{name}: {cell}");
            }
        }
    }
    ensure!(cells > 100, "{cells} cells were looked at");
    let text = fs::read_to_string(folder.join("data/timeline.csv"))?;
    ensure!(text.contains("'=HYPERLINK"), "the twin: the text is there, as text");
    Ok(())
}
