//! What a manager does with findings at the terminal: look, ask, decide; and that nothing of it can be lost.

use anyhow::{Context as _, Result};

use crate::bundle::{Exported, exported};

#[test]
fn a_finding_is_told_asked_about_and_decided() -> Result<()> {
    let Exported { mut practice, .. } = exported(120)?;
    let listed = practice.collector(&["findings"])?;
    let first = listed.lines().find(|line| line.starts_with(['!', '?'])).context("an item")?;
    let id = first.split_whitespace().nth(1).context("an id")?.to_owned();
    let told = practice.collector(&["finding", &id])?;
    for part in
        ["What the records show, in order:", "Harmless causes", "What the records do not show", "Evidence:"]
    {
        assert!(told.contains(part), "{part} in {told}");
    }

    let ask =
        |by| practice.try_collector(&["finding", &id, "ask", "--question", "What was this for?", "--by", by]);
    let (code, said) = ask("northwind")?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nobody decides about themselves"), "{said}");
    let (code, said) = ask("mary")?;
    assert_eq!(code, Some(0), "{said}");
    assert!(practice.collector(&["findings"])?.contains("asked, no answer yet"));
    let answer = ["finding", &id, "answer", "--text", "The migration.", "--by", "northwind"];
    practice.collector(&answer)?;
    let decide =
        ["finding", &id, "decide", "expected", "--because", "We agreed on the migration.", "--by", "mary"];
    practice.collector(&decide)?;
    assert!(!practice.collector(&["findings"])?.contains(&id), "decided is not listed");

    practice.kill_collector()?;
    practice.start_collector()?;
    let all = practice.collector(&["findings", "--all"])?;
    assert!(all.contains(&id) && all.contains("expected"), "{all}");
    let told = practice.collector(&["finding", &id])?;
    assert!(told.contains("mary decided expected: We agreed on the migration."), "{told}");
    practice.collector(&["rebuild"])?;
    practice.collector(&["self-check"])?;
    let (code, said) =
        practice.try_collector(&["finding", "zz", "decide", "open", "--because", "x", "--by", "mary"])?;
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no finding `zz`"), "{said}");
    Ok(())
}
