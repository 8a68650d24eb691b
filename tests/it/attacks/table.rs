//! The table itself: SECURITY.md holds it word for word, and each test that it names exists.

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::{Ends, MARKERS, markdown, table};

use crate::tidy::{sources, top};

#[test]
fn security_md_holds_the_table_of_attacks() -> Result<()> {
    let path = top().join("SECURITY.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(MARKERS.0).context("the beginning of the table")?;
    let (held, after) = rest.split_once(MARKERS.1).context("the end of the table")?;
    if held != markdown() && std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, format!("{before}{}{}{}{after}", MARKERS.0, markdown(), MARKERS.1))?;
        return Ok(());
    }
    ensure!(held == markdown(), "SECURITY.md holds another table; run this test with UPDATE_EXPECT=1");
    Ok(())
}

#[test]
fn each_attack_has_one_name_and_the_test_that_it_names_exists() {
    let files = sources();
    let mut seen = std::collections::BTreeSet::new();
    for attack in table() {
        assert!(seen.insert(attack.id), "{} stands twice", attack.id);
        let (Ends::Seen { test, .. } | Ends::Prevented { test, .. }) = attack.ends else { continue };
        let name = test.rsplit("::").next().unwrap_or(test);
        let found =
            files.iter().any(|file| file.path.ends_with(".rs") && file.text.contains(&format!("fn {name}(")));
        assert!(found, "{}: there is no test `{test}`", attack.id);
    }
}
