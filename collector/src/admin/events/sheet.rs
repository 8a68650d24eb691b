//! Found entries as a spreadsheet: one line an entry or gap, and no cell that a spreadsheet program takes for a formula.

use csv::{QuoteStyle, WriterBuilder};
use jiff::tz::TimeZone;

use super::stretch::{Line, Row, Stretch};
use crate::roster::csv::guarded;

/// What stands above each column.
const COLUMNS: [&str; 11] = [
    "when",
    "utc",
    "who",
    "computer",
    "what the record proves",
    "where",
    "through",
    "sensor",
    "how sure",
    "finding",
    "place in the ledger",
];

/// The lines of a stretch; the last one says so where more entries fit.
pub(crate) fn write(stretch: &Stretch, zone: &TimeZone) -> String {
    let mut writer = WriterBuilder::new().quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = writer.write_record(COLUMNS);
    for line in &stretch.lines {
        let cells = match line {
            Line::Entry(row) => of_entry(row, zone),
            Line::Gap(gap) => note(&gap.computer, &gap.sentence),
        };
        let _ = writer.write_record(cells.iter().map(|cell| guarded(cell)));
    }
    if let Some(next) = stretch.next {
        let more =
            format!("More entries may fit: this is what stands up to place {next}. Narrow the search down.");
        let _ = writer.write_record(note("", &more));
    }
    if stretch.n_hidden > 0 {
        let _ = writer.write_record(note("", "What is about the one who asked is left out."));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_entry(row: &Row, zone: &TimeZone) -> [String; 11] {
    let there = row.at.map(|at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string());
    [
        there.unwrap_or_default(),
        row.time.clone(),
        row.who.clone(),
        row.computer.clone(),
        row.what.clone(),
        row.at_what.clone(),
        row.through.clone(),
        row.sensor.clone(),
        row.sure.to_owned(),
        row.finding.clone().unwrap_or_default(),
        row.place.to_string(),
    ]
}

/// A line that is no entry.
fn note(computer: &str, sentence: &str) -> [String; 11] {
    let mut cells: [String; 11] = Default::default();
    let [_, _, _, of, what, ..] = &mut cells;
    (*of, *what) = (computer.to_owned(), sentence.to_owned());
    cells
}
