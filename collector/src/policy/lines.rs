//! Puts the line of a file beside a fault that begins with a key: `table.itadmin.hr (line 17): ...`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The fault with the line of its key, or of the nearest key above it; unchanged where the text has none.
pub fn with_line(text: &str, fault: String) -> String {
    let Some((key, said)) = fault.split_once(": ") else { return fault };
    if key.contains(' ') {
        return fault;
    }
    match line_of(text, key) {
        Some(line) => format!("{key} (line {line}): {said}"),
        None => fault,
    }
}

/// The line in which a dotted key, or the nearest one above it, stands; `person[2].id` counts entries of a list.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let mut here: &DeTable<'_> = table.get_ref();
    let mut at = None;
    for part in key.split('.') {
        let (name, position) = match part.split_once('[') {
            Some((name, position)) => (name, position.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let found = here.iter().find(|(own, _)| own.get_ref().as_ref() == name);
        let Some((own, value)) = found else { break };
        at = Some(own.span().start);
        let value: &Spanned<DeValue<'_>> = match (value.get_ref(), position) {
            (DeValue::Array(entries), Some(position)) => match entries.get(position) {
                Some(entry) => {
                    at = Some(entry.span().start);
                    entry
                }
                None => break,
            },
            _ => value,
        };
        match value.get_ref() {
            DeValue::Table(table) => here = table,
            _ => break,
        }
    }
    let start = at?;
    Some(text.bytes().take(start).filter(|byte| *byte == b'\n').count().saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_its_line() {
        let text = "name = \"x\"\n\n[table.itadmin]\nmailbox = \"never\"\n\n[[person]]\nid = 1\n[[person]]\nid = 2\n";
        for (key, line) in [
            ("name", Some(1)),
            ("table.itadmin", Some(3)),
            ("table.itadmin.mailbox", Some(4)),
            ("table.itadmin.no-such", Some(3)),
            ("person[1]", Some(8)),
            ("person[1].id", Some(9)),
            ("nothing", None),
        ] {
            assert_eq!(line_of(text, key), line, "{key}");
        }
        assert_eq!(with_line(text, "name: is wrong".into()), "name (line 1): is wrong");
        assert_eq!(with_line(text, "a sentence: with a colon".into()), "a sentence: with a colon");
    }
}
