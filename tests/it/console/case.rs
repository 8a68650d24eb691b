//! An attorney's page: the bundles of one case and nothing else; what they look at stays behind hashes.

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};

use super::evidence::{saved, settled};
use super::pages::{keep, with_access};
use crate::bundle::{unpack, verify};

#[test]
fn an_attorney_has_the_bundles_of_one_case_checks_them_and_leaves_no_trace_of_looking_in_the_next_one()
-> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    with_access(&practice, &[("frontdesk1", "manager")])?;
    let (mut lee, _) = let_in(&practice, "lee", &["attorney", "--case", "C-1"])?;
    ensure!(lee.get("/")?.status == 403, "nothing else is theirs");
    let empty = lee.get("/case")?;
    ensure!(empty.status == 200 && empty.body.contains("No bundle of this case"), "{}", empty.body);
    ensure!(
        empty.body.matches("<li><a href=").count() == 2,
        "the case and what is about oneself: {}",
        empty.body
    );
    let mut ids = Vec::new();
    for case in ["C-1", "C-2"] {
        mary.get("/evidence")?;
        let question = [("case", case), ("person", "sam"), ("from", "2026-01-01"), ("to", "2036-12-31")];
        let built = mary.post("/evidence/build", &[&question[..], &[("passphrase", PASSPHRASE)]].concat())?;
        ensure!(built.status == 303, "{}", built.body);
        let page = settled(&mut mary, "/evidence")?;
        let id = page.between(&format!("href=\"/evidence/bundle/{case}"), "\"").context("it is kept")?;
        ids.push(format!("{case}{id}"));
    }
    let [own, other] = <[String; 2]>::try_from(ids).map_err(|ids| anyhow::anyhow!("{ids:?}"))?;
    let page = lee.get("/case")?;
    keep("case", &page)?;
    ensure!(page.body.contains(&own) && !page.body.contains("C-2"), "{}", page.body);
    for path in [
        format!("/case/bundle/{other}"),
        format!("/case/checked/{other}"),
        format!("/api/v1/bundles/{other}"),
    ] {
        ensure!(lee.get(&path)?.status == 404, "{path}");
    }
    for path in [
        "/evidence".to_owned(),
        format!("/evidence/bundle/{own}"),
        "/findings".to_owned(),
        "/departure".to_owned(),
    ] {
        ensure!(lee.get(&path)?.status == 403, "{path}");
    }
    ensure!(!lee.get("/api/v1/custody?case=C-2")?.body.contains("C-2\""), "custody of theirs alone");
    let trust = practice.dir().join("trust.txt");
    let file = saved(&lee, &practice, &format!("/case/bundle/{own}"))?;
    ensure!(verify(&file, Some(&trust))?.0 == Some(0));
    lee.get("/case")?;
    ensure!(lee.post(&format!("/case/bundle/{own}"), &[])?.status == 303);
    let checked = settled(&mut lee, &format!("/case/checked/{own}"))?;
    ensure!(checked.body.contains("verified: all 18 checks passed"), "{}", checked.body);

    // The next bundle holds that lee had a copy, and of their looks the hashes alone.
    let next = practice.folder().join("next.zip").to_string_lossy().into_owned();
    practice.collector(&[
        "export",
        "--from",
        "2026-01-01",
        "--to",
        "2036-12-31",
        "--case",
        "C-1",
        "--out",
        &next,
    ])?;
    let folder = unpack(next.as_ref(), &practice.folder().join("next"))?;
    let custody = std::fs::read_to_string(folder.join("data/custody/custody.jsonl"))?;
    ensure!(custody.contains("downloaded") && custody.contains("\"lee\""), "{custody}");
    let entries = std::fs::read_to_string(folder.join("data/entries/collector.jsonl"))?;
    for looked in ["their case", "a bundle checked"] {
        ensure!(!entries.contains(looked) && !custody.contains(looked), "{looked}");
    }
    let acts: Vec<String> = practice.events(&["--acts"])?.iter().map(ToString::to_string).collect();
    ensure!(
        acts.iter().any(|act| act.contains("their case") && act.contains("\"by\":\"lee\"")),
        "the twin: it is an act"
    );
    Ok(())
}
