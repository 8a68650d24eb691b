//! What a refilled ledger lacks, in sentences. Pure; written into the act, the review and each bundle.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::name::Author;

use crate::report::text::count;

/// What is known after everything was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Leaves of the old log, as the largest checkpoint says that is at hand.
    pub(super) old_leaves: Option<u64>,
    /// How many batches of machines are here that the old log acknowledged, as far as is proved.
    pub(super) here: u64,
    /// Leaves of the old log that a copy of the old ledger holds.
    pub(super) copied: Option<u64>,
    /// What is here of each machine.
    pub(super) machines: BTreeMap<Author, Here>,
    /// Machines that the practice had, as far as anything names them.
    pub(super) expected: BTreeSet<String>,
    /// Segments that could not be used.
    pub(super) broken: Vec<String>,
}

/// What is here of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Here {
    /// Number of the first entry.
    pub(super) first: u64,
    /// The number after the last one.
    pub(super) size: u64,
    /// Entries below this number were acknowledged by the old log, which proves them.
    pub(super) proved: u64,
}

/// One sentence for each thing that is gone or not proved.
pub(super) fn sentences(facts: &Facts) -> Vec<String> {
    let mut said = Vec::new();
    let acts = "the collector's own acts: rosters, tables, tickets, findings, decisions, sign-offs and holds";
    match (facts.old_leaves, facts.copied) {
        (Some(leaves), None) => {
            let gone = leaves.saturating_sub(facts.here);
            said.push(format!(
                "The old ledger held {} as far as the machines remember. {} of them are here, {gone} are gone, among them {acts}.",
                count(leaves, "batch", "batches"),
                facts.here,
            ));
        }
        (leaves, Some(copied)) => {
            said.push(format!(
                "The copy of the old ledger reaches up to its batch {copied}. The machines' entries that could be read there are here; {acts} are in that copy only: keep it.",
            ));
            let later = leaves.unwrap_or(copied).saturating_sub(copied);
            if later > 0 {
                said.push(format!(
                    "The old ledger held at least {} more. What the machines kept of them is here; the rest is gone, the collector's acts among it.",
                    count(later, "batch", "batches"),
                ));
            }
        }
        (None, None) => said.push(format!(
            "How much the old ledger held is not known: no machine kept a receipt of it. Gone are {acts}."
        )),
    }
    for (author, here) in &facts.machines {
        let name = author.machine().unwrap_or_default();
        if here.first > 0 {
            let last = here.first.saturating_sub(1);
            said.push(format!("Of {name}, entries 0 to {last} are gone: the machine no longer kept them."));
        }
        if here.proved < here.size {
            said.push(format!(
                "Of {name}, for entries {} to {} only the machine itself speaks: no receipt of the old ledger covers them.",
                here.proved.max(here.first),
                here.size.saturating_sub(1)
            ));
        }
    }
    for name in &facts.expected {
        if !facts.machines.keys().any(|author| author.machine() == Some(name.as_str())) {
            said.push(format!("Of {name} nothing is here."));
        }
    }
    said.push(
        "When the old collector received these entries is gone: their times are those of the machines' own clocks."
            .to_owned(),
    );
    said.extend(facts.broken.iter().map(|what| format!("Not used: {what}.")));
    said
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(facts: &Facts, expected: Expect) {
        let said = sentences(facts);
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!said.join(" ").to_lowercase().contains(word), "RP-3: {word}");
        }
        expected.assert_eq(&said.join("\n"));
    }

    fn machines(of: &[(&str, u64, u64, u64)]) -> BTreeMap<Author, Here> {
        let here =
            |&(name, first, size, proved)| (Author::agent(name).unwrap(), Here { first, size, proved });
        of.iter().map(here).collect()
    }

    #[test]
    fn what_is_gone_is_named_with_numbers() {
        let three = ["ws-01", "ws-02", "ws-03"].map(str::to_owned).into();
        check(
            &Facts {
                old_leaves: Some(120),
                here: 31,
                machines: machines(&[("ws-01", 40, 90, 88)]),
                expected: three,
                ..Facts::default()
            },
            expect![[r#"
                The old ledger held 120 batches as far as the machines remember. 31 of them are here, 89 are gone, among them the collector's own acts: rosters, tables, tickets, findings, decisions, sign-offs and holds.
                Of ws-01, entries 0 to 39 are gone: the machine no longer kept them.
                Of ws-01, for entries 88 to 89 only the machine itself speaks: no receipt of the old ledger covers them.
                Of ws-02 nothing is here.
                Of ws-03 nothing is here.
                When the old collector received these entries is gone: their times are those of the machines' own clocks."#]],
        );
        check(
            &Facts {
                old_leaves: Some(120),
                copied: Some(100),
                machines: machines(&[("ws-01", 0, 90, 90), ("ws-02", 0, 7, 7)]),
                broken: vec!["segment 4: damaged".to_owned()],
                ..Facts::default()
            },
            expect![[r#"
                The copy of the old ledger reaches up to its batch 100. The machines' entries that could be read there are here; the collector's own acts: rosters, tables, tickets, findings, decisions, sign-offs and holds are in that copy only: keep it.
                The old ledger held at least 20 batches more. What the machines kept of them is here; the rest is gone, the collector's acts among it.
                When the old collector received these entries is gone: their times are those of the machines' own clocks.
                Not used: segment 4: damaged."#]],
        );
        check(
            &Facts { machines: machines(&[("ws-01", 0, 3, 0)]), ..Facts::default() },
            expect![[r#"
                How much the old ledger held is not known: no machine kept a receipt of it. Gone are the collector's own acts: rosters, tables, tickets, findings, decisions, sign-offs and holds.
                Of ws-01, for entries 0 to 2 only the machine itself speaks: no receipt of the old ledger covers them.
                When the old collector received these entries is gone: their times are those of the machines' own clocks."#]],
        );
    }
}
