//! Second signatures by their page: named, asked for, read, signed, declined; and what is shown to nobody.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::console::{PASSPHRASE, let_in, with_manager};

use super::pages::{MARKUP, keep};

#[test]
fn a_table_waits_until_the_second_reviewer_has_read_and_signed_it() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    let empty = mary.get("/second")?;
    ensure!(empty.body.contains("Nothing waits for a second signature"), "{}", empty.body);
    let name = |person: &'static str, passphrase: &'static str| {
        [("what", "person"), ("person", person), ("passphrase", passphrase)]
    };
    for (person, passphrase, says) in [
        ("chen", "wrong horse battery", "not kept"),
        ("chen", "", "Type your passphrase"),
        ("", PASSPHRASE, "Choose who it is"),
        ("mary", PASSPHRASE, "another person than"),
        ("lee", PASSPHRASE, "no passphrase yet"),
    ] {
        let refused = mary.post("/second/reviewer", &name(person, passphrase))?;
        ensure!(refused.status == 400, "{person}: {} {}", refused.status, refused.body);
        ensure!(refused.body.contains("Nothing was kept"), "{}", refused.body);
        ensure!(says == "not kept" || refused.body.contains(says), "{says}: {}", refused.body);
    }
    let without = mary.post("/second/reviewer", &[("what", "decline"), ("passphrase", PASSPHRASE)])?;
    ensure!(without.status == 400 && without.body.contains("Say why"), "{}", without.body);
    chen.get("/me")?;
    ensure!(chen.post("/second/reviewer", &name("lee", PASSPHRASE))?.status == 403, "a manager names");
    mary.get("/second")?;
    let named = mary.post("/second/reviewer", &name("chen", PASSPHRASE))?;
    ensure!(named.leads_to() == Some("/second?said=named"), "{}", named.body);

    // The table waits, whole, with its markup as text; who asked for it does not sign it.
    let words = practice.folder().join("marys-passphrase").to_string_lossy().into_owned();
    let table = practice.folder().join("table.toml").to_string_lossy().into_owned();
    practice.collector(&["policy", "export", &table])?;
    fs::write(&table, format!("{}\n# {MARKUP} \u{202e}reversed\n", fs::read_to_string(&table)?))?;
    let adopt = ["policy", "adopt", &table, "--by", "mary", "--passphrase-file", &words];
    let (_, said) = practice.try_collector(&adopt)?;
    ensure!(said.contains("C-1"), "{said}");
    let own = mary.get("/second")?;
    ensure!(own.body.contains("None of these is yours to sign"), "{}", own.body);
    let shown = own.between("name=\"sha256\"", ">").is_some();
    ensure!(!shown, "no form to sign one's own");
    let week = chen.get("/")?;
    ensure!(week.body.contains("<a href=\"/second\">1 thing to sign"), "{}", week.body);
    ensure!(!mary.get("/")?.body.contains("to sign as the second"), "it is not hers");
    let page = chen.get("/second")?;
    keep("second", &page)?;
    ensure!(!page.body.contains("<img") && page.body.contains("\\u{202e}reversed"), "{}", page.body);
    let sha256 = page.between("name=\"sha256\" value=\"", "\"").context("what is signed")?.to_owned();
    let sign = |sha256: &str, passphrase: &str| {
        [("id", "C-1".to_owned()), ("sha256", sha256.to_owned()), ("passphrase", passphrase.to_owned())]
    };
    let post = |browser: &mut ntk_tests::console::Browser, fields: [(&str, String); 3]| {
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        browser.post("/second/sign", &fields)
    };
    mary.get("/second")?;
    for (is_hers, fields) in [
        (true, sign(&sha256, PASSPHRASE)),
        (false, sign(&"0".repeat(64), PASSPHRASE)),
        (false, sign(&sha256, "wrong horse battery")),
        (false, sign(&sha256, "")),
    ] {
        let refused = post(if is_hers { &mut mary } else { &mut chen }, fields)?;
        ensure!(refused.status == 400 && refused.body.contains("Nothing was kept"), "{}", refused.body);
    }
    let signed = post(&mut chen, sign(&sha256, PASSPHRASE))?;
    ensure!(signed.leads_to() == Some("/second?said=signed"), "{}", signed.body);
    ensure!(post(&mut chen, sign(&sha256, PASSPHRASE))?.status == 400, "a second time signs nothing");
    practice.collector(&["policy", "export", &table])?;
    ensure!(fs::read_to_string(&table)?.contains(MARKUP), "it is in force");
    Ok(())
}

#[test]
fn a_leave_date_is_declined_with_a_reason_and_nobody_reads_of_their_own() -> Result<()> {
    let (practice, mut mary, _) = with_manager()?;
    practice.import_people("chen", "lee", "otto", "sam")?;
    let (mut chen, _) = let_in(&practice, "chen", &["reviewer"])?;
    mary.get("/second")?;
    mary.post("/second/reviewer", &[("what", "person"), ("person", "chen"), ("passphrase", PASSPHRASE)])?;
    let words = practice.folder().join("marys-passphrase").to_string_lossy().into_owned();
    let leave = |who: &str| {
        practice.collector(&["leave", who, "--on", "2099-01-01", "--by", "mary", "--passphrase-file", &words])
    };
    leave("sam")?;
    leave("chen")?;
    let page = chen.get("/second")?;
    ensure!(page.body.contains("id=\"c-C-1\"") && !page.body.contains("C-2"), "{}", page.body);
    ensure!(page.body.contains("Something else waits that is not shown to you"), "{}", page.body);
    ensure!(!chen.get("/api/v1/cosign")?.body.contains("C-2"));
    ensure!(chen.get("/api/v1/cosign/C-2")?.status == 403);
    chen.get("/second")?;
    let decline = |id: &'static str, because: &'static str| {
        [("id", id), ("because", because), ("passphrase", PASSPHRASE)]
    };
    ensure!(chen.post("/second/decline", &decline("C-2", "no"))?.status == 403);
    let refused = chen.post("/second/decline", &decline("C-1", " "))?;
    ensure!(refused.status == 400 && refused.body.contains("Say why it is not signed"), "{}", refused.body);
    let declined = chen.post("/second/decline", &decline("C-1", MARKUP))?;
    ensure!(declined.leads_to() == Some("/second?said=withdrawn"), "{}", declined.body);
    let page = chen.get("/second?said=withdrawn")?;
    keep("second-declined", &page)?;
    ensure!(page.body.contains("The leave date is withdrawn") && page.body.contains("declined by"));
    ensure!(!page.body.contains("<img"), "a reason is text");
    // The twin: the manager, who asked, sees both, and takes hers back.
    mary.get("/second")?;
    let back = mary.post("/second/decline", &decline("C-2", "It was a mistake."))?;
    ensure!(back.leads_to() == Some("/second?said=withdrawn"), "{}", back.body);
    Ok(())
}
