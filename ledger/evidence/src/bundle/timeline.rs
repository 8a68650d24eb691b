//! `timeline.csv`: the disclosed events in order of time, in Timesketch's columns. Made from the rows alone,
//! so that whoever checks makes it again and compares every byte.

use crate::bundle::row::Row;
use crate::bundle::wording;
use crate::event::Event;
use crate::name::Author;
use crate::time::Moment;

/// The header line: Timesketch's three columns, then ours.
pub const HEADER: &str = "message,datetime,timestamp_desc,author,number,kind,outcome,account,effective_user,computer,action,path,program,sensor,recorded,does_not_show";

/// The timeline of these rows, ordered by claimed time, then author, then number.
///
/// Withheld rows do not appear; a row that cannot be read appears as such, without a time, at the end.
pub fn timeline_csv<'a>(rows: impl IntoIterator<Item = (&'a Author, &'a Row)>) -> String {
    let mut lines: Vec<_> = rows
        .into_iter()
        .filter_map(|(author, row)| {
            let (moment, line) = match row.event() {
                Ok(None) => return None,
                Ok(Some(event)) => (Moment::parse(&event.time), line(author, row.number(), &event)),
                Err(_) => (None, unreadable(author, row.number())),
            };
            Some(((moment.is_none(), moment, author.to_string(), row.number()), line))
        })
        .collect();
    lines.sort();
    let mut text = format!("{HEADER}\n");
    for (_, line) in lines {
        text.push_str(&line);
    }
    text
}

fn line(author: &Author, number: u64, event: &Event) -> String {
    let computer = author.machine();
    let owned = |text: Option<&String>| text.cloned().unwrap_or_default();
    let source = event.source.as_ref();
    record([
        wording::message(event, computer),
        event.time.clone(),
        wording::verb(event).to_owned(),
        author.to_string(),
        number.to_string(),
        event.kind.to_string(),
        event.outcome.as_ref().map(ToString::to_string).unwrap_or_default(),
        wording::account(event).unwrap_or_default(),
        owned(event.actor.as_ref().and_then(|actor| actor.effective_user.as_ref())),
        computer.unwrap_or_default().to_owned(),
        event.action.as_ref().map(ToString::to_string).unwrap_or_default(),
        owned(event.object.as_ref().and_then(|object| object.path.as_ref())),
        owned(event.process.as_ref().and_then(|process| process.exe.as_ref())),
        owned(source.and_then(|source| source.sensor.as_ref())),
        source.and_then(|source| source.recorded).map(|recorded| recorded.to_string()).unwrap_or_default(),
        wording::does_not_show(event).to_owned(),
    ])
}

fn unreadable(author: &Author, number: u64) -> String {
    let mut cells: [String; 16] = Default::default();
    let [message, _, description, of, at, ..] = &mut cells;
    "an entry whose text this version cannot read".clone_into(message);
    "not readable".clone_into(description);
    (*of, *at) = (author.to_string(), number.to_string());
    record(cells)
}

fn record(cells: [String; 16]) -> String {
    let mut line = cells.map(|cell| quoted(&cell)).join(",");
    line.push('\n');
    line
}

/// A cell as a spreadsheet should show it: a text that it would take for a formula gets a leading `'`.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{BatchKey, Entry};

    fn row(number: u64, core: &str, paths: &str) -> Row {
        let parts = [core, paths, ""].map(|part| part.as_bytes().to_vec());
        let entry = Entry::from_parts(parts).unwrap();
        Row::disclosed(number, &entry, &BatchKey::new([1; 32]), crate::bundle::row::Paths::Shown)
    }

    #[test]
    fn rows_are_told_in_order_of_time_and_cells_are_quoted() {
        let author = Author::agent("ws-01").unwrap();
        let late =
            row(0, r#"{"kind":"login","time":"2026-11-20T22:00:00Z","actor":{"login_user":"=cmd"}}"#, "");
        let early = row(
            1,
            r#"{"kind":"file_access","time":"2026-11-20T21:00:00+00:00","action":"read","object":{"class":"ehr"}}"#,
            r#"{"path":"/a, \"b\".csv"}"#,
        );
        let broken = row(2, "no json", "");
        let hidden = Row::withheld(3, crate::merkle::empty_root());
        let csv = timeline_csv([&late, &early, &broken, &hidden].map(|row| (&author, row)));
        expect_test::expect![[r#"
            message,datetime,timestamp_desc,author,number,kind,outcome,account,effective_user,computer,action,path,program,sensor,recorded,does_not_show
            "account not named by the record, computer ws-01: opened for reading, ehr, /a, ""b"".csv",2026-11-20T21:00:00+00:00,opened for reading,agent/ws-01,1,file_access,,,,ws-01,read,"/a, ""b"".csv",,,,"whether anything was read, changed or copied after the open, and who sat at the keyboard"
            "account =cmd, computer ws-01: session began",2026-11-20T22:00:00Z,session began,agent/ws-01,0,login,,'=cmd,,ws-01,,,,,,"who sat at the keyboard, and what was looked at without opening a watched file"
            an entry whose text this version cannot read,,not readable,agent/ws-01,2,,,,,,,,,,,
        "#]]
        .assert_eq(&csv);
    }
}
