//! A bundle asked for, looked through, built, checked, handed on and removed by the pages, which ntk-verify accepts; and who
//! may not have one.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{Answer, Browser, PASSPHRASE, let_in, with_manager};
use ntk_tests::practice::Practice;
use ntk_tests::wait;

use super::pages::{keep, with_access};
use crate::bundle::verify;

/// How long a bundle or a check of these small ledgers may take.
const WITHIN: Duration = Duration::from_secs(60);
/// What a hostile person may write.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// The question that most tests ask.
const QUESTION: &str = "case=C-7&person=northwind&from=2026-01-01&to=2036-12-31";

/// The page once nothing runs any more.
pub(super) fn settled(browser: &mut Browser, path: &str) -> Result<Answer> {
    wait::until("the work in the background", WITHIN, || {
        let page = browser.get(path)?;
        ensure!(page.status == 200, "{path}: {} {}", page.status, page.body);
        Ok((!page.body.contains("http-equiv=\"refresh\"")).then_some(page))
    })
}

/// Asks for a bundle; the fields of the form that the preview shows.
fn build(browser: &mut Browser, more: &[(&str, &str)]) -> Result<Answer> {
    let fields = [("case", "C-7"), ("person", "northwind"), ("from", "2026-01-01"), ("to", "2036-12-31")];
    browser.post("/evidence/build", &[&fields[..], more].concat())
}

/// A file that a browser saved.
pub(super) fn saved(browser: &Browser, practice: &Practice, path: &str) -> Result<PathBuf> {
    let file = practice.folder().join("saved.zip");
    let name = file.to_string_lossy().into_owned();
    let _ = fs::remove_file(&file);
    browser.save(path, &name)?;
    Ok(file)
}

fn acts(practice: &Practice) -> Result<Vec<String>> {
    Ok(practice.events(&["--acts"])?.iter().map(ToString::to_string).collect())
}

#[test]
fn a_bundle_is_looked_through_built_checked_handed_on_and_removed_on_its_page_and_ntk_verify_accepts_it()
-> Result<()> {
    let (practice, mut browser, _) = with_manager()?;
    with_access(&practice, &[("itadmin1", "manager"), (MARKUP, MARKUP)])?;
    wait::until("the finding", WITHIN, || {
        Ok(browser.get("/")?.body.contains("Ask or decide").then_some(()))
    })?;
    let empty = browser.get("/evidence")?;
    ensure!(empty.status == 200 && empty.body.contains("No bundle is kept here"), "{}", empty.body);
    keep("evidence-empty", &empty)?;

    // What is wrong is said at its field, with what was typed; nothing is asked of the ledger.
    let wrong = browser
        .get("/evidence/preview?case=our+case&from=2026-01-01&to=2026-02-01&assets=%3Cimg%20src%3Dx%3E")?;
    ensure!(
        wrong.status == 400 && wrong.body.contains("id=\"case-wrong\"") && wrong.body.contains("our case")
    );
    ensure!(wrong.body.contains("aria-invalid=\"true\"") && !wrong.body.contains("<img"), "{}", wrong.body);
    keep("evidence-wrong", &wrong)?;
    let preview = browser.get(&format!("/evidence/preview?{QUESTION}"))?;
    ensure!(preview.status == 200 && preview.body.contains("would be shown"), "{}", preview.body);
    ensure!(preview.body.contains("itadmin1") && !preview.body.contains("<img"), "{}", preview.body);
    keep("evidence-preview", &preview)?;
    let looked = acts(&practice)?;
    ensure!(looked.iter().any(|act| act.contains("export preview") && act.contains("\"by\":\"mary\"")));

    // Without the passphrase nothing is built, and the page comes back.
    for passphrase in ["", "wrong horse battery"] {
        let refused = build(&mut browser, &[("passphrase", passphrase)])?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was built"), "{}", refused.body);
    }
    ensure!(!acts(&practice)?.iter().any(|act| act.contains("act_export")));
    let asked = build(&mut browser, &[("passphrase", PASSPHRASE)])?;
    ensure!(asked.leads_to() == Some("/evidence?said=builds"), "{} {}", asked.status, asked.body);
    let page = settled(&mut browser, "/evidence")?;
    keep("evidence", &page)?;
    let id = page
        .between("<a class=\"btn first\" href=\"/evidence/bundle/", "\"")
        .context("a bundle is kept")?
        .to_owned();
    ensure!(id.starts_with("C-7-") && page.body.contains("Case C-7: Northwind IT"), "{}", page.body);
    let path = format!("/evidence/bundle/{id}");

    // The file is the one whose hash the page names, and a stranger's verifier accepts it.
    let file = saved(&browser, &practice, &path)?;
    let sha256 = ntk_evidence::hash::Hash::of(&fs::read(&file)?).to_hex();
    ensure!(page.body.contains(&sha256), "the page names the file's hash");
    let (code, said) = verify(&file, Some(&practice.dir().join("trust.txt")))?;
    ensure!(code == Some(0), "{said}");
    // The same by the page, from the same code.
    let check = browser.post(&path, &[("step", "check")])?;
    ensure!(check.leads_to() == Some(&*format!("/evidence/checked/{id}")), "{}", check.body);
    let checked = settled(&mut browser, &format!("/evidence/checked/{id}"))?;
    keep("evidence-checked", &checked)?;
    for name in ntk_evidence::checks::NAMES {
        ensure!(checked.body.contains(name), "{name} is told: {}", checked.body);
    }
    ensure!(checked.body.contains("verified: all 18 checks passed"), "{}", checked.body);

    // A hand-over stands in custody, in the words of who wrote it; a time that is yet to come is refused.
    let hand = |when: &'static str| {
        [
            ("step", "hand-over"),
            ("what", "handed_over"),
            ("to", MARKUP),
            ("how", "by hand"),
            ("when", when),
            ("passphrase", PASSPHRASE),
        ]
    };
    let refused = browser.post(&path, &hand("2090-01-01T10:00"))?;
    ensure!(
        refused.status == 400 && refused.body.contains("yet to come") && refused.body.contains("by hand")
    );
    let handed = browser.post(&path, &hand("2026-01-02T10:00"))?;
    ensure!(handed.leads_to() == Some("/evidence?said=handed"), "{}", handed.body);
    let page = browser.get("/evidence?said=handed")?;
    for said in ["handed over", "by hand; on 2026-01-02 10:00", "downloaded", "the bundle was made"] {
        ensure!(page.body.contains(said), "{said}: {}", page.body);
    }
    ensure!(!page.body.contains("<img"), "{}", page.body);
    keep("evidence-custody", &page)?;
    let listed = practice.collector(&["custody", "list", "--case", "C-7"])?;
    ensure!(listed.contains("downloaded  by mary") && listed.contains("handed over"), "{listed}");

    // A file that was changed is given to nobody.
    let kept = practice.dir().join(format!("bundles/{id}.zip"));
    let whole = fs::read(&kept)?;
    let mut changed = whole.clone();
    *changed.get_mut(whole.len() / 2).context("bytes")? ^= 1;
    fs::write(&kept, &changed)?;
    let answer = browser.get(&path)?;
    ensure!(answer.status == 400 && answer.body.contains("changed afterwards"), "{}", answer.body);
    // Nor where the record beside it was made to fit: the ledger knows another hash.
    let record = practice.dir().join(format!("bundles/{id}.json"));
    let other =
        fs::read_to_string(&record)?.replace(&sha256, &ntk_evidence::hash::Hash::of(&changed).to_hex());
    let original = fs::read(&record)?;
    fs::write(&record, other)?;
    ensure!(browser.get(&path)?.status == 400);
    fs::write(&record, original)?;
    fs::write(&kept, &whole)?;
    saved(&browser, &practice, &path)?;

    // While a hold of its case is in force it stays; afterwards it goes, and its custody stays.
    browser.get("/evidence")?;
    let preserved = browser.post("/evidence/preserve", &[("case", "C-7")])?;
    ensure!(preserved.leads_to() == Some("/evidence?said=preserves"), "{}", preserved.body);
    let page = settled(&mut browser, "/evidence")?;
    keep("evidence-preserved", &page)?;
    for said in
        ["Preserved last", "signed in, without a passphrase", "H-1: case C-7", "not set up", "self-check"]
    {
        ensure!(page.body.contains(said), "{said}: {}", page.body);
    }
    let remove = [("step", "remove"), ("passphrase", PASSPHRASE)];
    let refused = browser.post(&path, &remove)?;
    ensure!(refused.status == 400 && refused.body.contains("A hold is in force (H-1)"), "{}", refused.body);
    let release = |because: &'static str| [("id", "H-1"), ("because", because), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/evidence/hold/release", &release(""))?.status == 400);
    ensure!(
        browser.post("/evidence/hold/release", &release("settled"))?.leads_to()
            == Some("/evidence?said=released")
    );
    ensure!(browser.post(&path, &remove)?.leads_to() == Some("/evidence?said=removed"));
    ensure!(!kept.exists() && !record.exists());
    ensure!(browser.get(&path)?.status == 404);
    let page = browser.get("/evidence")?;
    ensure!(
        page.body.contains("copy removed here") && page.body.contains("No bundle is kept here"),
        "{}",
        page.body
    );
    Ok(())
}

#[test]
fn nobody_has_a_bundle_that_is_about_themselves_neither_by_the_pages_nor_by_the_api() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    // An account of the vendor, and northwind himself decides here.
    with_access(&practice, &[("itadmin1", "manager")])?;
    wait::until("the finding", WITHIN, || Ok(mary.get("/")?.body.contains("Ask or decide").then_some(())))?;
    let (mut nina, _) = let_in(&practice, "northwind", &["reviewer"])?;
    let about = "person=northwind&from=2026-01-01&to=2036-12-31&case=C-7";
    let of_all = "from=2026-01-01&to=2036-12-31&case=C-7";
    let account = "account=itadmin1&from=2026-01-01&to=2036-12-31&case=C-7";
    for (question, why) in
        [(about, "is about you"), (account, "is about you"), (of_all, "holds a finding that is")]
    {
        let refused = nina.get(&format!("/evidence/preview?{question}"))?;
        ensure!(
            refused.status == 403 && refused.body.contains(why),
            "{question}: {} {}",
            refused.status,
            refused.body
        );
        ensure!(refused.body.contains("command line"), "it says who can: {}", refused.body);
    }
    let page = nina.get("/evidence")?;
    ensure!(!page.body.contains("value=\"northwind\""), "they are not offered as whom it may be about");
    ensure!(build(&mut nina, &[("passphrase", PASSPHRASE)])?.status == 403);
    let question = serde_json::json!({"person": "northwind", "case": "C-7", "from": "2026-01-01T00:00:00Z", "to": "2036-12-31T00:00:00Z"});
    ensure!(nina.post_json("/api/v1/export/preview", &question)?.status == 403);
    let mut asked = question.clone();
    asked["by"] = "northwind".into();
    asked["passphrase"] = PASSPHRASE.into();
    for path in ["/api/v1/export", "/api/v1/bundles"] {
        ensure!(nina.post_json(path, &asked)?.status == 403, "{path}");
    }
    ensure!(
        !acts(&practice)?.iter().any(|act| act.contains("act_export")),
        "nothing was asked of the ledger"
    );
    // The twin: somebody else has it, and what they have the one it is about is neither shown nor given.
    mary.get("/evidence")?;
    ensure!(build(&mut mary, &[("passphrase", PASSPHRASE)])?.status == 303);
    let page = settled(&mut mary, "/evidence")?;
    let id = page.between("href=\"/evidence/bundle/", "\"").context("a bundle is kept")?.to_owned();
    let page = nina.get("/evidence")?;
    ensure!(!page.body.contains(&id) && !page.body.contains("C-7"), "{}", page.body);
    ensure!(page.body.contains("1 item about you"), "that there is one is said: {}", page.body);
    for path in
        [format!("/evidence/bundle/{id}"), format!("/evidence/checked/{id}"), format!("/api/v1/bundles/{id}")]
    {
        ensure!(nina.get(&path)?.status == 403, "{path}");
    }
    nina.get("/evidence")?;
    for step in ["check", "remove", "hand-over"] {
        let fields =
            [("step", step), ("what", "viewed"), ("to", "x"), ("how", "x"), ("passphrase", PASSPHRASE)];
        ensure!(nina.post(&format!("/evidence/bundle/{id}"), &fields)?.status == 403, "{step}");
    }
    ensure!(!nina.get("/api/v1/custody")?.body.contains("C-7"));
    // The API gives it to whom the page does, with the same words.
    let listed = mary.get("/api/v1/bundles")?;
    ensure!(listed.body.contains(&id), "{}", listed.body);
    let check = mary.post_json("/api/v1/bundles/check", &serde_json::json!({"id": id}))?;
    ensure!(check.status == 200 && check.body.contains("verified: all 18 checks passed"), "{}", check.body);
    Ok(())
}

#[test]
fn with_a_second_reviewer_a_bundle_waits_for_the_signature_and_is_built_once() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    let file = practice.folder().join("marys-passphrase").to_string_lossy().into_owned();
    practice.collector(&["reviewer", "second", "chen", "--by", "mary", "--passphrase-file", &file])?;
    mary.get("/evidence")?;
    let asked = build(&mut mary, &[("passphrase", PASSPHRASE)])?;
    ensure!(asked.leads_to() == Some("/evidence?said=waits"), "{} {}", asked.status, asked.body);
    let page = mary.get("/evidence?said=waits")?;
    ensure!(page.body.contains("Waiting for a second signature"), "{}", page.body);
    ensure!(
        page.body.contains("somebody else signs it") && page.body.contains("href=\"/second\""),
        "{}",
        page.body
    );
    let cosigned = [("cosigned", "C-1"), ("passphrase", PASSPHRASE)];
    ensure!(mary.post("/evidence/build", &cosigned)?.status == 400, "not signed yet");
    ensure!(chen.get("/evidence")?.body.contains("Waiting for a second signature"));
    let page = chen.get("/second")?;
    let sha256 = page.between("name=\"sha256\" value=\"", "\"").context("what is signed")?.to_owned();
    let sign = [("id", "C-1"), ("sha256", sha256.as_str()), ("passphrase", PASSPHRASE)];
    ensure!(chen.post("/second/sign", &sign)?.leads_to() == Some("/second?said=export"));
    let page = mary.get("/evidence")?;
    ensure!(page.body.contains("Build C-1"), "{}", page.body);
    ensure!(mary.post("/evidence/build", &cosigned)?.leads_to() == Some("/evidence?said=builds"));
    let page = settled(&mut mary, "/evidence")?;
    ensure!(page.body.contains("co-signed, C-1") && !page.body.contains("Build C-1"), "{}", page.body);
    ensure!(mary.post("/evidence/build", &cosigned)?.status == 400, "a signature is used once");
    Ok(())
}
