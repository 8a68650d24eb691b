//! The bench's page: the product's figures, and the naive rules beside it in the same run.

use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};

use super::detector::Detector;
use super::naive::{Naive, Rule};
use super::scenario::Scenario;
use super::score::{Outcome, Share, judge};

/// What was measured on one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// People, weeks, and weeks that are counted.
    pub size: (u32, u32, u32),
    /// Entries of all agents.
    pub entries: usize,
    /// The product, where it is plugged in.
    pub product: Option<Outcome>,
    /// The naive rules.
    pub naive: Vec<Outcome>,
}

/// Judges the product and the naive rules on one scenario.
pub fn measure(scenario: &Scenario, product: Option<&mut dyn Detector>) -> Result<Report> {
    let mut naive = Vec::new();
    for rule in Rule::ALL {
        naive.push(judge(scenario, &mut Naive::new(rule, &scenario.header)?)?);
    }
    let product = product.map(|product| judge(scenario, product)).transpose()?;
    let counted = naive.first().map_or(0, |outcome| outcome.weeks);
    Ok(Report {
        scenario: scenario.header.name.clone(),
        size: (scenario.header.people, scenario.header.weeks, counted),
        entries: scenario.entries().count(),
        product,
        naive,
    })
}

impl Report {
    /// For machines: the product's figures on top, the naive rules under `naive`.
    pub fn json(&self) -> Value {
        let (people, weeks, counted) = self.size;
        let mut all = json!({
            "bench": "detection", "scenario": self.scenario, "people": people, "weeks": weeks,
            "counted_weeks": counted, "entries": self.entries,
        });
        let naive: Value = self.naive.iter().map(|outcome| (outcome.name.clone(), outcome.json())).collect();
        if let Value::Object(all) = &mut all {
            if let Some(Value::Object(product)) = self.product.as_ref().map(Outcome::json) {
                all.extend(product);
            }
            all.insert("naive".to_owned(), naive);
        }
        all
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (people, weeks, counted) = self.size;
        writeln!(f, "detection: {} ({} entries)", self.scenario, self.entries)?;
        writeln!(
            f,
            "  {people} people, {weeks} weeks, {counted} of them counted; generator and detector come from one team"
        )?;
        writeln!(
            f,
            "  {:<24} {:>9} {:>7} {:>8} {:>7} {:>11} {:>11}",
            "", "incidents", "found", "recall", "items", "items/week", "precision"
        )?;
        let outcomes: Vec<&Outcome> = self.product.iter().chain(&self.naive).collect();
        for outcome in &outcomes {
            writeln!(
                f,
                "  {:<24} {:>9} {:>7} {:>7.1}% {:>7} {:>11.1} {:>10.1}%",
                outcome.name,
                outcome.incidents.all,
                outcome.incidents.found,
                100.0 * outcome.recall(),
                outcome.items,
                outcome.items_per_week(),
                100.0 * outcome.precision()
            )?;
        }
        table(f, "incidents found, by kind", &outcomes, |outcome| &outcome.kinds)?;
        table(f, "look-alikes flagged, by kind", &outcomes, |outcome| &outcome.innocents)?;
        if let Some(outcome) = &self.product {
            for miss in &outcome.misses {
                writeln!(f, "  missed: {} {}: {}", miss.id, miss.kind, miss.about)?;
            }
        }
        Ok(())
    }
}

fn table(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    outcomes: &[&Outcome],
    of: impl Fn(&Outcome) -> &std::collections::BTreeMap<String, Share>,
) -> fmt::Result {
    let Some(first) = outcomes.first() else { return Ok(()) };
    write!(f, "  {heading:<30}")?;
    outcomes.iter().try_for_each(|outcome| write!(f, " {:>19}", outcome.name))?;
    writeln!(f)?;
    for kind in of(first).keys() {
        write!(f, "    {kind:<28}")?;
        for outcome in outcomes {
            let share = of(outcome).get(kind).copied().unwrap_or_default();
            write!(f, " {:>19}", format!("{}/{}", share.found, share.all))?;
        }
        writeln!(f)?;
    }
    Ok(())
}
