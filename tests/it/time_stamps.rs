//! RFC 3161 from end to end: a collector asks an authority, the bundle brackets its rows between the answers, and an
//! answer that is not one is kept by nobody and told to everybody.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::authority::{Authority, Mood, openssl};
use ntk_tests::practice::Practice;
use ntk_tests::{recording, skip, wait};
use serde_json::Value;

use crate::bundle::{export, unpack, verify};

const WITHIN: Duration = Duration::from_secs(60);

/// An authority in a folder of its own, or none where openssl is not installed.
fn authority(test: &str) -> Result<Option<(tempfile::TempDir, Authority)>> {
    if !Authority::is_possible() {
        skip::skip(test, "openssl is not installed; tests/run installs it");
        return Ok(None);
    }
    let scratch = tempfile::tempdir()?;
    let authority = Authority::start(scratch.path())?;
    Ok(Some((scratch, authority)))
}

/// The largest size of a stamped checkpoint in a bundle's folder, and the smallest.
pub(crate) fn newest(stamps: &Path) -> Result<(u64, u64)> {
    let names = fs::read_dir(stamps)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<Result<Vec<_>>>()?;
    let sizes = names.iter().filter_map(|name| name.strip_suffix(".tsr")?.parse::<u64>().ok());
    let sizes: Vec<u64> = sizes.collect();
    Ok((*sizes.iter().max().context("a time-stamp")?, *sizes.iter().min().context("a time-stamp")?))
}

fn stamps(practice: &Practice) -> Result<Value> {
    Ok(practice.status()?["time_stamps"].clone())
}

/// How many acts about time-stamps there are.
fn kept(practice: &Practice) -> Result<usize> {
    let acts = practice.events(&["--acts"])?;
    let steps = acts.iter().filter(|line| line["event"]["kind"] == "act_time_stamp");
    Ok(steps.filter(|line| line["event"]["act"]["step"] == "stamped").count())
}

fn deliver(practice: &Practice, machine: &str, accesses: u64) -> Result<()> {
    let mut machine = practice.enroll(machine)?;
    // What a machine says first has no note before it, and so no lower bound: that is its start, here, and no access.
    machine.configure("[sensor]\naudit = false\nnotify = false\n")?;
    machine.start()?;
    wait::until_so("the machine's first entry", WITHIN, || Ok(practice.size_of(machine.name())? > 0))?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    let file = practice.folder().join(format!("{}.log", machine.name()));
    recording::write(&file, "week", 1001, accesses, 5)?;
    machine.configure(&recording::configuration(&[&file], None))?;
    machine.start()?;
    wait::until_so("all accesses to arrive", WITHIN, || {
        machine.agent()?.ensure_running()?;
        Ok(practice.size_of(machine.name())? > accesses + 2)
    })?;
    ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
    Ok(())
}

/// Lower and upper bounds of an author's rows in brackets.csv.
fn brackets(bag: &Path, author: &str) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(bag.join("data/proofs/brackets.csv"))?;
    let cells = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    Ok(cells.filter(|cells| cells[0] == author).map(|cells| (cells[3].clone(), cells[4].clone())).collect())
}

#[test]
fn rows_of_a_bundle_lie_between_two_answers_of_an_authority() -> Result<()> {
    let Some((_scratch, authority)) = authority("time-stamps")? else { return Ok(()) };
    let practice = Practice::start_configured(&authority.section(60))?;
    let trust = practice.dir().join("trust.txt");
    wait::until_so("the first time-stamp, unasked", WITHIN, || Ok(!stamps(&practice)?["newest"].is_null()))?;
    let first = stamps(&practice)?["newest"]["time"].as_str().context("a time")?.to_owned();
    deliver(&practice, "front-desk", 30)?;
    let said = practice.collector(&["time-stamp"])?;
    assert!(said.contains("was stamped at") && said.contains("O=Example, CN=TestTSA"), "{said}");
    deliver(&practice, "ws-01", 20)?;
    let bundle = practice.folder().join("bundle.zip");
    export(&practice, &bundle, &[])?;
    let (code, told) = verify(&bundle, Some(&trust))?;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("ok   time-stamps"), "{told}");
    let bag = unpack(&bundle, &practice.folder().join("bag"))?;
    // The first machine's rows lie between the first answer and the second, the second machine's behind that.
    let (desk, second) = (brackets(&bag, "agent/front-desk")?, brackets(&bag, "agent/ws-01")?);
    assert!(
        desk.len() > 1 && desk[0].0.is_empty(),
        "nothing proves that a first note was not sooner: {desk:?}"
    );
    assert!(desk[1..].iter().all(|(from, to)| *from == first && !to.is_empty()), "{desk:?}");
    assert!(second.len() > 1 && second[0].0.is_empty(), "{second:?}");
    assert!(
        second[1..].iter().all(|(from, to)| !from.is_empty() && !to.is_empty() && from >= &desk[0].1),
        "{second:?}"
    );
    let info = fs::read_to_string(bag.join("bag-info.txt"))?;
    assert!(
        info.lines()
            .any(|line| line.starts_with("Provable-Up-To: ") && line.contains("time-stamp, log size"))
    );
    assert!(!info.contains("no RFC 3161 time-stamp"), "{info}");
    let report: Value = serde_json::from_str(&fs::read_to_string(bag.join("data/report.json"))?)?;
    let received = report["page_one"]["findings"][0]["received"].as_str().unwrap_or_default();
    assert!(received.starts_with(&format!("Received between {first} and ")), "{received}");
    // The review of the week that the recordings speak of says it of each item.
    let week = practice.folder().join("week");
    practice.collector(&["report", "--week", "2026-W47", "--out", &week.to_string_lossy()])?;
    let week: Value = serde_json::from_str(&fs::read_to_string(week.join("report.json"))?)?;
    let item = &week["items"][0]["received_between"];
    assert_eq!(
        (item["not_before"].as_str(), item["not_after"].is_string()),
        (Some(first.as_str()), true),
        "{item}"
    );

    // As the page says it, with openssl alone.
    let folder = bag.join("data/proofs/timestamps");
    let (large, small) = newest(&folder)?;
    assert!(small < large);
    for size in [small, large] {
        for with in [format!("-data {size}.txt"), format!("-queryfile {size}.tsq")] {
            let (accepted, said) =
                openssl(&folder, &format!("ts -verify -in {size}.tsr {with} -CAfile chain.pem"))?;
            assert!(accepted, "{with}: {said}");
        }
    }
    // Each part changed, the bundle not sealed again: by name.
    let damaged = |name: &str, bytes: &[u8], complaint: &str| -> Result<()> {
        let path = bag.join("data/proofs").join(name);
        let good = fs::read(&path)?;
        fs::write(&path, bytes)?;
        let (code, told) = verify(&bag, Some(&trust))?;
        ensure!(code == Some(1), "{name}: {told}");
        let line = told.lines().find(|line| line.contains("time-stamps")).unwrap_or_default();
        ensure!(line.starts_with("FAIL") && line.contains(complaint), "{name}: {told}");
        fs::write(&path, good)?;
        Ok(())
    };
    let read = |name: &str| fs::read(bag.join("data/proofs").join(name));
    let (large_tsr, small_tsr) = (format!("timestamps/{large}.tsr"), format!("timestamps/{small}.tsr"));
    let mut flipped = read(&large_tsr)?;
    let last = flipped.len() - 2;
    flipped[last] ^= 1;
    damaged(&large_tsr, &flipped, "not the one that the collector's act holds")?;
    damaged(&large_tsr, &read(&small_tsr)?, "over another text")?;
    let query = format!("timestamps/{large}.tsq");
    damaged(&query, &read(&format!("timestamps/{small}.tsq"))?, "another request")?;
    let narrower = String::from_utf8(read("brackets.csv")?)?.replacen(&first, "2031-01-01T00:00:00Z", 1);
    damaged("brackets.csv", narrower.as_bytes(), "brackets.csv is not what")?;
    let placed = String::from_utf8(read("placed.jsonl")?)?;
    let dropped: String = placed.split_inclusive('\n').skip(1).collect();
    damaged("placed.jsonl", dropped.as_bytes(), "brackets.csv is not what")?;
    let moved = placed.replacen("\"index\":", "\"index\":1", 1);
    damaged("placed.jsonl", moved.as_bytes(), "placed.jsonl")?;
    assert_eq!(verify(&bag, Some(&trust))?.0, Some(0));
    Ok(())
}

/// What is no answer is not kept, and the reason is told where people and monitoring look.
#[test]
fn an_authority_that_lies_refuses_or_says_nothing_leaves_no_time_stamp_and_a_reason() -> Result<()> {
    let Some((_scratch, authority)) = authority("time-stamps that are none")? else { return Ok(()) };
    let practice = Practice::start_configured(&authority.section(60))?;
    wait::until_so("the first time-stamp", WITHIN, || Ok(!stamps(&practice)?["newest"].is_null()))?;
    for (mood, reason) in [
        (Mood::OtherNonce, "answers another request"),
        (Mood::OtherImprint, "over another text"),
        (Mood::Garbage, "no time-stamp response"),
        (Mood::Endless, "longer than 65536 bytes"),
        (Mood::Closes, "does not speak HTTP"),
        (Mood::Rejects, "did not grant it (status 2)"),
        (Mood::NotFound, "HTTP status 404"),
        (Mood::Replays, "over another text"),
    ] {
        authority.set(mood);
        let (code, said) = practice.try_collector(&["time-stamp"])?;
        assert_eq!(code, Some(1), "{mood:?}: {said}");
        assert!(said.contains(reason), "{mood:?}: {said}");
        let standing = stamps(&practice)?;
        assert!(standing["reason"].as_str().unwrap_or_default().contains(reason), "{mood:?}: {standing}");
    }
    assert_eq!(kept(&practice)?, 1, "only the honest answer is in the ledger");
    let status = practice.collector(&["status"])?;
    assert!(status.contains("ATTENTION: no time-stamp since 20") && status.contains("8 times"), "{status}");
    assert!(practice.collector(&["metrics"])?.contains("\nntk_time_stamp_failures_total 8\n"));
    // A document does not wait for one that says nothing, and says so.
    authority.set(Mood::Silent);
    deliver(&practice, "front-desk", 5)?;
    let bundle = practice.folder().join("bundle.zip");
    export(&practice, &bundle, &[])?;
    assert_eq!(verify(&bundle, Some(&practice.dir().join("trust.txt")))?.0, Some(0));
    let bag = unpack(&bundle, &practice.folder().join("bag"))?;
    let info = fs::read_to_string(bag.join("bag-info.txt"))?;
    assert!(info.contains("no time-stamp was got when this bundle was made: the time-stamping authority did not answer within 4 s"), "{info}");
    let open = brackets(&bag, "agent/front-desk")?;
    assert!(open.len() > 1 && open.iter().all(|(_, to)| to.is_empty()), "{open:?}");
    assert!(open[1..].iter().all(|(from, _)| !from.is_empty()), "{open:?}");
    // The twin: honest again, and nothing is told any more.
    authority.set(Mood::Honest);
    practice.collector(&["time-stamp", "--json"])?;
    assert_eq!((kept(&practice)?, stamps(&practice)?["reason"].is_null()), (2, true));
    assert!(!practice.collector(&["status"])?.contains("ATTENTION"));
    Ok(())
}

#[test]
fn without_an_authority_everybody_says_so_and_a_file_can_be_taken_to_one() -> Result<()> {
    let Some((_scratch, authority)) = authority("time-stamps by file")? else { return Ok(()) };
    let practice = Practice::start()?;
    let (code, said) = practice.try_collector(&["time-stamp"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("no time-stamping authority is configured; set `url` under [time_stamps]"),
        "{said}"
    );
    assert!(practice.collector(&["status"])?.contains("no time-stamping authority is configured"));
    let week = practice.folder().join("week");
    practice.collector(&["report", "--out", &week.to_string_lossy()])?;
    let file = |name: &str| practice.folder().join(name).to_string_lossy().into_owned();
    let (query, answer) = (file("log.tsq"), file("log.tsr"));
    practice.collector(&["time-stamp", "request", "--out", &query])?;
    authority.reply(Path::new(&query), Path::new(&answer))?;
    let said = practice.collector(&["time-stamp", "add", &answer])?;
    assert!(said.contains("was stamped at"), "{said}");
    // Played again, of a stranger's request, and no answer at all.
    let (stranger, other) = (file("stranger.tsq"), file("other.tsr"));
    let asked = ntk_evidence::time_stamp::request(&ntk_evidence::hash::Hash::of(b"a stranger's"), &[1; 8]);
    fs::write(&stranger, asked)?;
    authority.reply(Path::new(&stranger), Path::new(&other))?;
    fs::write(file("page.tsr"), "<html>")?;
    for (name, reason) in [
        (&answer, "answers another request"),
        (&other, "another request"),
        (&file("page.tsr"), "no time-stamp response"),
    ] {
        let (code, said) = practice.try_collector(&["time-stamp", "add", name])?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!((kept(&practice)?, authority.asked()), (1, 0));
    let (code, said) = practice.try_collector(&["time-stamp", "add", &file("absent.tsr")])?;
    assert!(code == Some(64) && said.contains("absent.tsr"), "{said}");
    Ok(())
}

#[test]
fn preserve_asks_for_a_time_stamp_as_a_step_of_its_own() -> Result<()> {
    let Some((_scratch, authority)) = authority("preserve's time-stamp")? else { return Ok(()) };
    let practice = Practice::start_configured(&authority.section(60))?;
    let step = || -> Result<(String, String)> {
        let (_, said) = practice.try_collector(&["preserve", "--case", "T-9", "--json"])?;
        let body: Value = serde_json::from_str(&said)?;
        let steps = body["steps"].as_array().context("steps")?.clone();
        let step = steps.iter().find(|step| step["step"] == "time-stamp").context("the step")?.clone();
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        Ok((text("outcome"), text("said")))
    };
    let (outcome, said) = step()?;
    assert!(outcome == "done" && said.contains("CN=TestTSA"), "{outcome}: {said}");
    authority.set(Mood::Rejects);
    let (outcome, said) = step()?;
    assert!(outcome == "failed" && said.contains("did not grant"), "{outcome}: {said}");
    Ok(())
}
