//! The disclosed events in other people's formats, each line tied to its entry by author and number.
//!
//! Made from the rows alone, so that whoever checks makes them again and compares every byte. A rendering says no
//! more than the entry: verbs come from the table in [`super::wording`].

mod fhir;
mod ocsf;

use serde_json::Value;

use crate::bundle::row::Row;
use crate::event::Event;
use crate::hash::Hash;
use crate::name::Author;
use crate::time::Moment;

/// One disclosed event with where it stands.
struct Line<'a> {
    author: &'a Author,
    number: u64,
    leaf: Hash,
    event: Event,
}

/// OCSF 1.8.0, one event a line, by author and number.
pub fn ocsf_lines<'a>(rows: impl IntoIterator<Item = (&'a Author, &'a Row)>) -> String {
    rendered(rows, ocsf::event)
}

/// FHIR R4 AuditEvents, one a line, by author and number.
pub fn fhir_lines<'a>(rows: impl IntoIterator<Item = (&'a Author, &'a Row)>) -> String {
    rendered(rows, fhir::event)
}

fn rendered<'a>(
    rows: impl IntoIterator<Item = (&'a Author, &'a Row)>,
    render: fn(&Line<'_>) -> Value,
) -> String {
    let mut lines: Vec<_> = rows
        .into_iter()
        .filter_map(|(author, row)| {
            // What cannot be read has no event to render; the timeline names it.
            let event = row.event().ok()??;
            let line = Line { author, number: row.number(), leaf: row.leaf_hash(), event };
            Some(((author.to_string(), row.number()), format!("{}\n", in_order(&render(&line)))))
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

impl Line<'_> {
    /// Milliseconds since 1970; 0 where the entry's time cannot be read.
    fn time_ms(&self) -> i64 {
        Moment::parse(&self.event.time).map_or(0, Moment::unix_nanos).checked_div(1_000_000).unwrap_or(0)
    }

    /// `agent/ws-01/5120`.
    fn reference(&self) -> String {
        format!("{}/{}", self.author, self.number)
    }

    fn computer(&self) -> &str {
        self.author.machine().unwrap_or("collector")
    }

    fn path(&self) -> Option<&str> {
        self.event.object.as_ref()?.path.as_deref()
    }

    fn program(&self) -> Option<&str> {
        self.event.process.as_ref()?.exe.as_deref()
    }
}

fn last_part(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// JSON with the keys of each object in order: whoever makes the line again must get the same bytes, however the
/// program that does so keeps its maps.
fn in_order(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let field = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::from(name.as_str()), in_order(value))
            };
            format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(in_order).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::row::Paths;
    use crate::entry::{BatchKey, Entry};

    const EVENTS: [&str; 5] = [
        r#"{"kind":"file_access","time":"2026-11-20T21:00:00.250Z","outcome":"success","action":"read","actor":{"login_uid":1001,"login_user":"itadmin1","session":7},"process":{"pid":5000,"exe":"/usr/bin/cat"},"object":{"class":"export"},"source":{"sensor":"linux-audit"}}"#,
        r#"{"kind":"login","time":"2026-11-20T20:59:00Z","outcome":"denied","actor":{"login_user":"itadmin1","from":"10.0.4.17"}}"#,
        r#"{"kind":"gap","time":"2026-11-20T22:00:00Z","gap":{"cause":"restart"}}"#,
        r#"{"kind":"process_start","time":"2026-11-20T22:01:00Z","actor":{"login_user":"itadmin1"},"process":{"exe":"/usr/bin/rclone"}}"#,
        r#"{"kind":"something_new","time":"no time"}"#,
    ];

    fn rows(paths: Paths) -> Vec<Row> {
        let row = |(number, core): (u64, &&str)| {
            let path = if number == 0 { r#"{"path":"/srv/exports/patient-1.csv"}"# } else { "" };
            let entry = Entry::from_parts([core, path, ""].map(|part| part.as_bytes().to_vec())).unwrap();
            Row::disclosed(number, &entry, &BatchKey::new([1; 32]), paths)
        };
        (0..).zip(&EVENTS).map(row).collect()
    }

    fn both(rows: &[Row]) -> [Vec<Value>; 2] {
        let author = Author::agent("ws-01").unwrap();
        let read = |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        [
            read(ocsf_lines(rows.iter().map(|row| (&author, row)))),
            read(fhir_lines(rows.iter().map(|row| (&author, row)))),
        ]
    }

    #[test]
    fn each_shown_event_is_one_line_in_each_format_tied_to_its_entry() {
        let rows = rows(Paths::Shown);
        let [ocsf, fhir] = both(&rows);
        assert_eq!((ocsf.len(), fhir.len()), (5, 5));
        for ((number, ocsf), fhir) in (0u64..).zip(&ocsf).zip(&fhir) {
            assert_eq!(ocsf["metadata"]["uid"], format!("agent/ws-01/{number}"));
            let leaf = rows[usize::try_from(number).unwrap()].leaf_hash().to_hex();
            assert_eq!(ocsf["unmapped"]["entry"]["leaf_sha256"], leaf);
            assert_eq!(ocsf["unmapped"]["entry"]["number"], number);
            assert_eq!(fhir["id"], leaf);
            let detail = fhir["entity"][0]["detail"].to_string();
            assert!(detail.contains("agent/ws-01") && detail.contains(&format!("\"{number}\"")), "{detail}");
            let class = ocsf["class_uid"].as_u64().unwrap();
            let type_uid = class * 100 + ocsf["activity_id"].as_u64().unwrap();
            assert_eq!(ocsf["type_uid"], type_uid);
        }
        assert_eq!(
            (&ocsf[0]["file"]["name"], &ocsf[0]["activity_name"]),
            (&"patient-1.csv".into(), &"Open".into())
        );
        assert_eq!((&ocsf[1]["class_uid"], &ocsf[1]["status_id"]), (&3002.into(), &2.into()));
        assert_eq!(fhir[1]["outcome"], "4");
    }

    #[test]
    fn what_is_withheld_is_in_no_line() {
        let mut some = rows(Paths::Withheld);
        let [ocsf, fhir] = both(&some);
        for line in ocsf.iter().chain(&fhir) {
            assert!(!line.to_string().contains("patient-1"), "{line}");
        }
        assert_eq!(ocsf[0]["file"]["name"], "withheld");
        some[1] = Row::withheld(1, some[1].leaf_hash());
        let [ocsf, fhir] = both(&some);
        assert_eq!((ocsf.len(), fhir.len()), (4, 4));
    }
}
