//! Requests from a spreadsheet: all of its rows, or every fault with line and column and none of them.

use csv::{ReaderBuilder, StringRecord, Trim};
use jiff::Zoned;

use super::request::Fault;
use super::{Draft, Request, Via};
use crate::policy::TicketTerms;
use crate::report::text::count;
use crate::roster::Roster;

/// The columns that a file may have, in any order.
pub const COLUMNS: &[&str] =
    &["for", "class", "owner", "host", "from", "to", "hours", "reason", "kind", "by", "external_id"];
/// Those that it must have.
const NEEDED: &[&str] = &["for", "class", "reason"];
/// How many rows a file may have.
const ROWS_MAX: usize = 500;

/// A file of requests that was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing was imported; the file has {} to mend:\n- {}", count(faults.len(), "thing", "things"), faults.join("\n- "))]
pub struct CsvFaults {
    /// One sentence each, beginning with line and column.
    pub faults: Vec<String>,
}

/// Reads a file. `number` gives the numbers of the tickets; `now` is in the practice's zone.
pub fn requests(
    text: &str,
    roster: &Roster,
    terms: &TicketTerms,
    now: &Zoned,
    first_number: u64,
) -> Result<Vec<Request>, CsvFaults> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(CsvFaults { faults: vec![format!("line 1: {error}")] }),
    };
    let mut faults = header_faults(&header);
    let mut requests = Vec::new();
    let mut number = first_number;
    for (position, row) in reader.records().enumerate() {
        if position >= ROWS_MAX {
            faults.push(format!("line {}: a file has at most {ROWS_MAX} rows; split it", position + 2));
            break;
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                faults.push(error.to_string());
                continue;
            }
        };
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() != header.len() {
            let (have, want) = (row.len(), header.len());
            faults
                .push(format!("line {line}: has {have} fields, the header {want}; quote texts with commas"));
            continue;
        }
        let mut wrong = Vec::new();
        let draft = draft(&header, &row, &mut wrong);
        match draft.read(format!("T-{number}"), roster, terms, Via::Csv, now) {
            Ok(request) if wrong.is_empty() => {
                requests.push(request);
                number = number.saturating_add(1);
            }
            Ok(_) => {}
            Err(more) => wrong.extend(more),
        }
        // A column that is missing was named once, for the header.
        let is_there =
            |fault: &Fault| header.iter().any(|name| name == fault.key) || !NEEDED.contains(&fault.key);
        let said = wrong.iter().filter(|fault| is_there(fault));
        faults.extend(said.map(|fault| format!("line {line}, column {}: {}", fault.key, fault.wrong)));
    }
    if faults.is_empty() && requests.is_empty() {
        faults.push("line 2: there is no row below the header".to_owned());
    }
    if faults.is_empty() { Ok(requests) } else { Err(CsvFaults { faults }) }
}

fn header_faults(header: &StringRecord) -> Vec<String> {
    let mut faults = Vec::new();
    for (position, name) in header.iter().enumerate() {
        if !COLUMNS.contains(&name) {
            faults.push(format!("line 1: `{name}` is no column; use {}", COLUMNS.join(", ")));
        } else if header.iter().take(position).any(|before| before == name) {
            faults.push(format!("line 1: the column `{name}` stands there twice"));
        }
    }
    for name in NEEDED.iter().filter(|name| !header.iter().any(|have| have == **name)) {
        faults.push(format!("line 1: the column `{name}` is missing"));
    }
    faults
}

fn draft(header: &StringRecord, row: &StringRecord, faults: &mut Vec<Fault>) -> Draft {
    let field = |name: &str| {
        let position = header.iter().position(|have| have == name)?;
        row.get(position).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    let hours = field("hours").and_then(|text| {
        let hours = text.parse::<u32>().ok();
        if hours.is_none() {
            let wrong = format!("`{text}` is not a whole number of hours");
            faults.push(Fault { key: "hours", wrong });
        }
        hours
    });
    Draft {
        assignee: field("for").unwrap_or_default(),
        class: field("class").unwrap_or_default(),
        owner: field("owner"),
        host: field("host"),
        from: field("from"),
        to: field("to"),
        hours,
        reason: field("reason").unwrap_or_default(),
        kind: field("kind"),
        by: field("by"),
        external_id: field("external_id"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{local, roster, terms};
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let said = match requests(text, &roster(), &terms(), &local("14:00"), 5) {
            Ok(requests) => requests
                .iter()
                .map(|one| format!("{} {} {} {}\n", one.id, one.assignee, one.class, one.requested_by))
                .collect(),
            Err(faults) => faults.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn a_file_becomes_requests_in_its_own_order() {
        check(
            "\u{feff}class,for,reason,by,hours\nexport,northwind,\"Restore, then check\",sam,2\r\nehr,northwind,Look,,\n",
            expect![[r#"
                T-5 northwind export sam
                T-6 northwind ehr northwind
            "#]],
        );
    }

    #[test]
    fn one_bad_row_stops_all_and_every_fault_is_named() {
        check(
            "for,class,reason,hours,to\nnorthwind,export,Restore,2,\nnobody,tea,,x,\nnorthwind,tea,,200,soon\na,b\n",
            expect![[r#"
                nothing was imported; the file has 10 things to mend:
                - line 3, column hours: `x` is not a whole number of hours
                - line 3, column for: `nobody` is not in the roster; use an id that `ntk-collector roster export` shows
                - line 3, column class: `tea` is none of mailbox, voicemail, ehr, export, hr, backup, system, self, login, elevation, remote_control, recording, access_rights; name exactly one
                - line 3, column reason: is empty; say why in a few words
                - line 4, column class: `tea` is none of mailbox, voicemail, ehr, export, hr, backup, system, self, login, elevation, remote_control, recording, access_rights; name exactly one
                - line 4, column to: `soon` is not a time; write 2026-11-20, 2026-11-20T18:30 or 2026-11-20T18:30:00Z
                - line 4, column hours: give an end or a number of hours, not both
                - line 4, column hours: is a number from 1 to 72
                - line 4, column reason: is empty; say why in a few words
                - line 5: has 2 fields, the header 5; quote texts with commas"#]],
        );
        check(
            "for,clas,for\nnorthwind,export,x\n",
            expect![[r#"
                nothing was imported; the file has 4 things to mend:
                - line 1: `clas` is no column; use for, class, owner, host, from, to, hours, reason, kind, by, external_id
                - line 1: the column `for` stands there twice
                - line 1: the column `class` is missing
                - line 1: the column `reason` is missing"#]],
        );
        check(
            "",
            expect![[r#"
            nothing was imported; the file has 3 things to mend:
            - line 1: the column `for` is missing
            - line 1: the column `class` is missing
            - line 1: the column `reason` is missing"#]],
        );
        check(
            "for,class,reason\n",
            expect![[r#"
            nothing was imported; the file has 1 thing to mend:
            - line 2: there is no row below the header"#]],
        );
        check(
            "for,class,reason\nnorthwind,export,\"open quote\n",
            expect![[r#"
            T-5 northwind export northwind
        "#]],
        );
    }
}
