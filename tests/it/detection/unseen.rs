//! What the product finds of practices that nobody has looked at: the aims, kept from run to run.
//!
//! tests/scenario.md says which seeds were looked at while the detector was tuned. These were not, and whoever
//! tunes by what fails here has looked at them: say so there, and take others.

use anyhow::Result;
use jiff::tz::TimeZone;
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::product::Product;
use ntk_tests::detection::report::{Report, measure};
use ntk_tests::detection::score::Outcome;

/// Practices of 15 people.
const SMALL: [u64; 5] = [2026112501, 2026112502, 2026112503, 2026112504, 2026112505];
/// One of 150.
const LARGE: u64 = 2026112506;

/// Incidents that come up, of 100.
const RECALL_PERCENT: u32 = 95;

fn page(seed: u64, people: u32) -> Result<Report> {
    let scenario = Request { seed, people, weeks: 12 }.scenario()?;
    let mut product = Product::new(TimeZone::get(&scenario.header.timezone)?);
    measure(&scenario, Some(&mut product))
}

#[test]
fn of_unseen_practices_nearly_every_incident_comes_up_for_few_items_a_week() -> Result<()> {
    let small = SMALL.map(|seed| page(seed, 15)).into_iter().collect::<Result<Vec<_>>>()?;
    let pages: Vec<Report> = small.into_iter().chain([page(LARGE, 150)?]).collect();
    let outcomes: Vec<&Outcome> = pages.iter().filter_map(|page| page.product.as_ref()).collect();
    assert_eq!(outcomes.len(), 6);
    let of = |count: fn(&Outcome) -> u32| outcomes.iter().map(|outcome| count(outcome)).sum::<u32>();
    let (all, found) = (of(|outcome| outcome.incidents.all), of(|outcome| outcome.incidents.found));
    let mut wrong = Vec::new();
    if found * 100 < all * RECALL_PERCENT {
        wrong.push(format!("{found} of {all} incidents came up, fewer than {RECALL_PERCENT} of 100"));
    }
    for (people, most) in [(15, 5), (150, 15)] {
        let these =
            || pages.iter().filter(|page| page.size.0 == people).filter_map(|page| page.product.as_ref());
        let (items, weeks): (u32, u32) =
            (these().map(|outcome| outcome.items).sum(), these().map(|outcome| outcome.weeks).sum());
        if items > most * weeks {
            wrong.push(format!("{people} people: {items} items in {weeks} weeks, more than {most} a week"));
        }
    }
    let shown: String = pages.iter().map(|page| format!("{page}\n")).collect();
    assert!(wrong.is_empty(), "{}\n{shown}", wrong.join("\n"));
    Ok(())
}
