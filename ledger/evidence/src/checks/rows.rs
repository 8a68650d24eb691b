//! The rows of a bundle as read: the checks counts, timeline and events-readable.

use std::collections::BTreeMap;

use crate::bundle::bag::Files;
use crate::bundle::interchange::{fhir_lines, ocsf_lines};
use crate::bundle::row::Row;
use crate::bundle::timeline::timeline_csv;
use crate::bundle::{ENTRIES, FHIR, OCSF, TIMELINE, entries_path};
use crate::checks::bag::Info;
use crate::checks::{Check, Faults, Status, quoted};
use crate::name::Author;
use crate::time::Moment;

/// How many different unknown names are counted one by one.
const UNKNOWN_NAMES_MAX: usize = 1000;
/// How many of them are told.
const UNKNOWN_NAMES_TOLD: usize = 10;

/// All rows by author, and what could not be read.
pub(super) struct Rows {
    by_author: BTreeMap<Author, Vec<Row>>,
    unreadable: Vec<(Status, String)>,
}

impl Rows {
    /// Reads every file below `data/entries/`.
    pub(super) fn read(files: &Files) -> Self {
        let mut rows = Self { by_author: BTreeMap::new(), unreadable: Vec::new() };
        for (path, bytes) in
            files.range(ENTRIES.to_owned()..).take_while(|(path, _)| path.starts_with(ENTRIES))
        {
            let Some(author) = author_of(path) else {
                rows.unreadable.push((Status::Altered, format!("{} belongs to no author", quoted(path))));
                continue;
            };
            match parse(bytes) {
                Ok(read) => drop(rows.by_author.insert(author, read)),
                Err(wrong) => rows.unreadable.push((Status::Altered, format!("{path}: {wrong}"))),
            }
        }
        rows
    }

    /// The rows of an author, in the order of the file.
    pub(super) fn of(&self, author: &Author) -> &[Row] {
        self.by_author.get(author).map(Vec::as_slice).unwrap_or_default()
    }

    /// Who has rows.
    pub(super) fn authors(&self) -> impl Iterator<Item = &Author> {
        self.by_author.keys()
    }

    /// What could not be read, a sentence each.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(|(_, sentence)| sentence.as_str())
    }

    /// Names what could not be read.
    pub(super) fn tell_unreadable(&self, faults: &mut Faults) {
        for (status, sentence) in &self.unreadable {
            faults.add(*status, sentence.clone());
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Author, &Row)> {
        self.by_author.iter().flat_map(|(author, rows)| rows.iter().map(move |row| (author, row)))
    }

    /// The check counts: the numbers of bag-info.txt against the rows.
    pub(super) fn counts(&self, info: Option<&Info>) -> Check {
        let mut faults = Faults::default();
        self.tell_unreadable(&mut faults);
        let disclosed = self.all().filter(|(_, row)| row.is_disclosed()).count();
        let withheld = self.all().filter(|(_, row)| !row.is_disclosed()).count();
        for (label, counted) in [("Disclosed-Events", disclosed), ("Withheld-Events", withheld)] {
            match info.and_then(|info| info.one(label)) {
                None => faults.add(Status::Incomplete, format!("bag-info.txt has not exactly one {label}")),
                Some(noted) if noted != counted.to_string() => {
                    faults.add(
                        Status::Altered,
                        format!("bag-info.txt has {label} {}, the rows {counted}", quoted(noted)),
                    );
                }
                Some(_) => {}
            }
        }
        let moment = |label| info.and_then(|info| info.one(label)).and_then(Moment::parse);
        match (moment("Range-From"), moment("Range-To")) {
            (Some(from), Some(to)) if from <= to => {}
            _ => faults.add(Status::Incomplete, "bag-info.txt has no Range-From and Range-To in this order"),
        }
        faults.into_check("counts", || {
            format!("{disclosed} rows are disclosed and {withheld} withheld, as noted")
        })
    }

    /// The check timeline: made again from the rows, compared byte for byte; so are renderings for other programs,
    /// where they are there.
    pub(super) fn timeline(&self, files: &Files) -> Check {
        let mut faults = Faults::default();
        self.tell_unreadable(&mut faults);
        match files.get(TIMELINE) {
            None => faults.add(Status::Incomplete, format!("{TIMELINE} is missing")),
            Some(bytes) if *bytes != timeline_csv(self.all()).into_bytes() => {
                faults.add(Status::Altered, format!("{TIMELINE} is not what the rows tell"));
            }
            Some(_) => {}
        }
        let mut also = String::new();
        let others: [(&str, &str, &dyn Fn() -> String); 2] = [
            (OCSF, " and ocsf.jsonl", &|| ocsf_lines(self.all())),
            (FHIR, " and fhir-auditevents.ndjson", &|| fhir_lines(self.all())),
        ];
        for (path, name, made_again) in others {
            let Some(bytes) = files.get(path) else { continue };
            if *bytes == made_again().into_bytes() {
                also.push_str(name);
            } else {
                faults.add(Status::Altered, format!("{path} is not what the rows tell"));
            }
        }
        let verb = if also.is_empty() { "is" } else { "are" };
        faults
            .into_check("timeline", || format!("the timeline{also} {verb} what the rows tell, byte for byte"))
    }

    /// The check events-readable: unknown kinds and fields are counted and named.
    pub(super) fn readable(&self) -> Check {
        let mut faults = Faults::default();
        self.tell_unreadable(&mut faults);
        let (mut events, mut coreless) = (0u64, 0u64);
        let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
        for (author, row) in self.all().filter(|(_, row)| row.is_disclosed()) {
            match row.event() {
                Err(error) => {
                    faults.add(Status::NotVerifiable, format!("entry {} of {author}: {error}", row.number()))
                }
                Ok(None) => coreless = coreless.saturating_add(1),
                Ok(Some(event)) => {
                    events = events.saturating_add(1);
                    for name in event.unknown() {
                        let name = if unknown.len() < UNKNOWN_NAMES_MAX { name } else { "others".to_owned() };
                        let count = unknown.entry(name).or_default();
                        *count = count.saturating_add(1);
                    }
                }
            }
        }
        if events == 0 {
            faults.add(Status::Incomplete, "no event is disclosed");
        }
        faults.into_check("events-readable", || {
            let mut sentence = format!("{events} events are readable");
            if coreless > 0 {
                sentence.push_str(&format!(", {coreless} more are blacked out in their core"));
            }
            if unknown.is_empty() {
                sentence.push_str(", every kind and field is known");
            } else {
                let told = unknown
                    .iter()
                    .take(UNKNOWN_NAMES_TOLD)
                    .map(|(name, count)| format!("{} {count} times", quoted(name)));
                let told = told.collect::<Vec<_>>().join(", ");
                sentence.push_str(&format!(
                    ", {} kinds or fields are unknown to this version: {told}",
                    unknown.len()
                ));
            }
            sentence
        })
    }
}

fn author_of(path: &str) -> Option<Author> {
    let stem = path.strip_prefix(ENTRIES)?.strip_suffix(".jsonl")?;
    let author = Author::parse(&stem.replacen('-', "/", 1)).ok()?;
    (entries_path(&author) == path).then_some(author)
}

fn parse(bytes: &[u8]) -> Result<Vec<Row>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let lines = text.strip_suffix('\n').ok_or_else(|| "the last row does not end".to_owned())?.split('\n');
    let row = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|_| format!("line {} is no row", at.saturating_add(1)))
    };
    lines.enumerate().map(row).collect()
}
