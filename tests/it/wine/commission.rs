//! The on-site test on Windows, in a Wine of our own, whose event log tells of no access: what is proved there is little, and
//! that is what it says.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ntk_tests::wine::{self, DIR};
use ntk_tests::{skip, wait};
use serde_json::Value;

use super::{MACHINE, enrolled, events};

const WITHIN: Duration = Duration::from_secs(90);

/// Real acts, a real restart of the service, and no word more than its own log has.
#[test]
fn an_on_site_test_says_what_it_proved_and_what_it_did_not() -> Result<()> {
    if let Some(why) = wine::missing() {
        skip::skip("wine::commission", &why);
        return Ok(());
    }
    let (practice, windows) = enrolled()?;
    std::fs::create_dir_all(windows.drive().join("Exports"))?;
    let config = std::fs::read_to_string(windows.file("agent.toml"))?;
    let watch = "\n[[watch]]\npath = 'C:\\Exports'\nclass = \"export\"\n";
    std::fs::write(windows.file("agent.toml"), config + watch)?;
    let order = [
        "commission",
        "--dir",
        DIR,
        "--by",
        "Jan Novak",
        "--witnessed-by",
        "Anna Roth",
        "--yes",
        "--json",
        "--within",
        "2",
    ];
    let none = windows.end_of(windows.command(&windows.program(), &order))?;
    ensure!(none.0.code() == Some(69) && none.1.contains("no agent runs"), "{none:?}");

    windows.succeed(&["install"])?;
    wait::until_so("the service to record", WITHIN, || {
        Ok(windows.file("on-site-test").is_dir() && !events(&practice, "health")?.is_empty())
    })?;
    let ran = windows.end_of(windows.command(&windows.program(), &order))?;
    ensure!(ran.0.code() == Some(1), "not everything is proved: {ran:?}");
    let json = ran.1.lines().find(|line| line.starts_with('{')).with_context(|| ran.1.clone())?;
    let result: Value = serde_json::from_str(json)?;
    ensure!(result["proved"] == false, "{result:#}");
    let commission = &result["event"]["commission"];
    let outcome = |what: &str| {
        let steps = commission["steps"].as_array().into_iter().flatten();
        let step = steps.into_iter().find(|step| step["what"] == what);
        step.map(|step| step["outcome"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    for (what, expected) in [
        // The service was stopped and started, and the collector has that.
        ("stop", "arrived"),
        ("receipt", "arrived"),
        // Done, and nothing names who did it: notify sees files, and no account.
        ("create", "not_arrived"),
        ("read", "not_arrived"),
        ("write", "not_arrived"),
        ("delete", "not_arrived"),
        ("watched", "not_arrived"),
        ("process_start", "not_arrived"),
        // Never done on Windows.
        ("elevation", "not_made"),
        ("io_uring", "not_made"),
        ("clock", "not_made"),
        ("login", "not_made"),
    ] {
        ensure!(outcome(what) == expected, "{what}: {commission:#}");
    }
    ensure!(commission["by"] == "Jan Novak" && commission["present"][0] == "Anna Roth", "{commission:#}");

    // The same entry at the collector, and the review reads it.
    let sealed = wait::until("the result", WITHIN, || Ok(events(&practice, "commission")?.pop()))?;
    ensure!(sealed["commission"] == *commission, "{sealed:#}");
    let out = practice.folder().join("review");
    practice.collector(&["report", "--out", &out.to_string_lossy()])?;
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json"))?)?;
    let machines = report["machines"].as_array().context("a review names machines")?;
    let own = machines.iter().find(|machine| machine["name"] == MACHINE).context("the machine")?;
    let said = own["sentence"].as_str().unwrap_or_default();
    ensure!(
        said.contains("roved except") && said.contains("reading") && said.contains("Jan Novak"),
        "{said}"
    );
    let left = std::fs::read_dir(windows.file("on-site-test"))?.count();
    ensure!(left == 0, "{left} files are left");
    windows.succeed(&["uninstall"])?;
    Ok(())
}
