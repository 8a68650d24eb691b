//! How much of what matters comes up, and how many items a week that costs; the naive rules beside it.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jiff::tz::TimeZone;
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::product::Product;
use ntk_tests::detection::report::{Report, measure};
use ntk_tests::detection::scenario::Scenario;
use ntk_tests::detection::{cert, scenario};

use crate::Usage;

/// The folder of the public CERT insider-threat files, where somebody has them.
const CERT_DIR: &str = "NTK_CERT_DIR";
/// Flags with a value each.
const FLAGS: &[&str] = &["--seed", "--people", "--weeks", "--scenario", "--write"];

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    request: Request,
    scenario: Option<PathBuf>,
    write: Option<PathBuf>,
}

impl Wanted {
    /// From the words after `detection`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Usage> {
        let request = Request { seed: 1, people: 15, weeks: 12 };
        let mut wanted = Self { request, scenario: None, write: None };
        let mut words = words.iter();
        while let Some(flag) = words.next() {
            if !FLAGS.contains(flag) {
                return Err(Usage(format!(
                    "detection: `{flag}` is none of {}, --json; tests/bench --help says what they do",
                    FLAGS.join(", ")
                )));
            }
            let value = words.next();
            let value = value.ok_or_else(|| Usage(format!("{flag}: a value is missing behind it")))?;
            let is_no_number = |_| Usage(format!("{flag}: `{value}` is no number; write a whole one"));
            match *flag {
                "--seed" => wanted.request.seed = value.parse().map_err(is_no_number)?,
                "--people" => wanted.request.people = value.parse().map_err(is_no_number)?,
                "--weeks" => wanted.request.weeks = value.parse().map_err(is_no_number)?,
                "--scenario" => wanted.scenario = Some(value.into()),
                _ => wanted.write = Some(value.into()),
            }
        }
        wanted.request.check().map_err(|error| Usage(error.to_string()))?;
        Ok(wanted)
    }

    fn scenario(&self) -> Result<Scenario> {
        let Some(path) = &self.scenario else { return self.request.scenario() };
        let file = File::open(path).with_context(|| format!("could not open `{}`", path.display()))?;
        let read = scenario::read::read(&mut BufReader::new(file));
        read.with_context(|| format!("`{}` is not used", path.display()))
    }
}

/// Measures; a scenario of the CERT files too, where their folder is named.
pub(crate) fn run(wanted: &Wanted) -> Result<Vec<Report>> {
    let scenario = wanted.scenario()?;
    if let Some(path) = &wanted.write {
        let file = File::create(path).with_context(|| format!("could not create `{}`", path.display()))?;
        scenario
            .write(&mut BufWriter::new(file))
            .with_context(|| format!("could not write `{}`", path.display()))?;
    }
    let mut reports = vec![report(&scenario)?];
    if let Some(folder) = std::env::var_os(CERT_DIR) {
        let cert = cert::read(&PathBuf::from(folder), wanted.request.weeks)?;
        eprintln!("{}", cert.in_words());
        reports.push(report(&cert.scenario)?);
    }
    Ok(reports)
}

/// The product and the naive rules on one scenario.
fn report(scenario: &Scenario) -> Result<Report> {
    let mut product = Product::new(TimeZone::get(&scenario.header.timezone)?);
    measure(scenario, Some(&mut product))
}
