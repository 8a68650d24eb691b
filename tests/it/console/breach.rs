//! Breach assessments by their pages: begun from a finding, noted on, closed; and not by whom the finding is about.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};
use ntk_tests::wait;

use super::pages::{keep, with_access};

const WITHIN: Duration = Duration::from_secs(60);
const MARKUP: &str = "<img src=x onerror=alert(1)>";

#[test]
fn an_assessment_is_begun_from_a_finding_counts_its_days_and_closes_once_all_factors_are_noted() -> Result<()>
{
    let (practice, mut browser, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    with_access(&practice, &[("itadmin1", "manager")])?;
    let list = wait::until("the finding", WITHIN, || {
        let page = browser.get("/findings")?;
        Ok(page.body.contains("href=\"/findings/").then_some(page))
    })?;
    let finding = list.between("<a href=\"/findings/", "\"").context("a finding is listed")?.to_owned();
    let page = browser.get(&format!("/findings/{finding}"))?;
    let begin = format!("/breach/begin/{finding}");
    ensure!(page.body.contains(&format!("href=\"{begin}\"")), "the finding leads there: {}", page.body);
    ensure!(browser.get("/breach")?.body.contains("None is open"));
    let page = browser.get(&begin)?;
    ensure!(page.status == 200 && page.body.contains("60 days"), "{}", page.body);
    keep("breach-begin", &page)?;
    let fields = |discovered: &'static str, passphrase: &'static str| {
        [("discovered", discovered), ("because", MARKUP), ("passphrase", passphrase)]
    };
    for (discovered, passphrase) in [("2090-01-01", PASSPHRASE), ("2020-01-01", PASSPHRASE), ("", "")] {
        let refused = browser.post(&begin, &fields(discovered, passphrase))?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was begun"), "{}", refused.body);
        ensure!(!refused.body.contains("<img"));
    }
    let begun = browser.post(&begin, &fields("", PASSPHRASE))?;
    ensure!(begun.leads_to() == Some("/breach/A-1?said=begun"), "{} {}", begun.status, begun.body);
    let page = browser.get("/breach/A-1?said=begun")?;
    ensure!(page.body.contains("60 days left") && !page.body.contains("<img"), "{}", page.body);
    ensure!(browser.get("/breach")?.body.contains("0 of 4"));

    let close =
        [("step", "close"), ("outcome", "low_probability"), ("text", "Few."), ("passphrase", PASSPHRASE)];
    let refused = browser.post("/breach/A-1", &close)?;
    ensure!(refused.status == 400 && refused.body.contains("all four factors"), "{}", refused.body);
    let half = [("step", "note"), ("factor", "viewed"), ("text", "x"), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/breach/A-1", &half)?.body.contains("together with what it says"));
    for factor in ["information", "recipient", "viewed", "mitigated"] {
        let note = [
            ("step", "note"),
            ("factor", factor),
            ("says", "low"),
            ("text", MARKUP),
            ("passphrase", PASSPHRASE),
        ];
        ensure!(browser.post("/breach/A-1", &note)?.leads_to() == Some("/breach/A-1?said=noted"), "{factor}");
    }
    let people = [("step", "note"), ("people", "12"), ("text", "Counted."), ("passphrase", PASSPHRASE)];
    ensure!(browser.post("/breach/A-1", &people)?.status == 303);
    let page = browser.get("/breach/A-1")?;
    keep("breach", &page)?;
    ensure!(
        page.body.contains("speaks for a low probability") && page.body.contains("<dd>12</dd>"),
        "{}",
        page.body
    );
    ensure!(!page.body.contains("<img"), "{}", page.body);
    let list = browser.get("/breach")?;
    keep("breach-list", &list)?;
    ensure!(list.body.contains("4 of 4"), "{}", list.body);
    // The same by the command, and nobody sees one about themselves.
    ensure!(practice.collector(&["breach", "list"])?.contains("60 days left"));
    let (mut nina, _) = let_in(&practice, "northwind", &["reviewer"])?;
    ensure!(!nina.get("/breach")?.body.contains("A-1") && nina.get("/breach/A-1")?.status == 404);
    ensure!(nina.get(&begin)?.status == 403);
    nina.get("/breach")?;
    ensure!(nina.post("/breach/A-1", &close)?.status == 403);
    ensure!(!nina.get("/api/v1/breach")?.body.contains("A-1"));
    browser.get("/breach/A-1")?;
    ensure!(browser.post("/breach/A-1", &close)?.leads_to() == Some("/breach/A-1?said=closed"));
    let page = browser.get("/breach/A-1")?;
    ensure!(page.body.contains("Ended with") && !page.body.contains("Your part"), "{}", page.body);
    Ok(())
}
