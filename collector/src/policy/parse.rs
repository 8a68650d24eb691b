//! From the text of a policy to a [`Policy`]: every fault named, with its key.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;
use toml::{Table, Value};

use super::hours::{OpeningHours, WEEKDAYS, parse_spans};
use super::sentence::default_sentence;
use super::{Area, Cell, Policy, Rule, TicketTerms, beside, cedar, lines};
use crate::report::text::count;
use crate::roster::version_of;

/// A policy that was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// The text is not TOML.
    #[error("the policy is not readable as TOML: {message}")]
    Toml {
        /// What the reader said, with line and column.
        message: String,
    },
    /// The text is TOML, but says things that cannot be.
    #[error("the policy has {} to mend:\n- {}", count(faults.len(), "thing", "things"), faults.join("\n- "))]
    Faults {
        /// One sentence each, beginning with the key.
        faults: Vec<String>,
    },
}

/// A cell: its word, or its word and a sentence.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCell {
    is: String,
    sentence: Option<String>,
}

pub(super) fn parse(text: &str) -> Result<Policy, PolicyError> {
    let mut table: Table =
        toml::from_str(text).map_err(|error| PolicyError::Toml { message: error.to_string() })?;
    let mut faults = Vec::new();
    let name = match table.remove("name") {
        Some(Value::String(name)) if !name.trim().is_empty() => name,
        _ => {
            faults.push("name: give the policy a name".to_owned());
            String::new()
        }
    };
    let hours = opening_hours(section(&mut table, "opening_hours", &mut faults), &mut faults);
    let tickets = ticket_terms(section(&mut table, "tickets", &mut faults), &mut faults);
    let rows = rows(section(&mut table, "table", &mut faults), &mut faults);
    let groups = beside::groups(section(&mut table, "group", &mut faults), &mut faults);
    let experts = beside::experts(section(&mut table, "expert", &mut faults), &mut faults);
    for key in table.keys() {
        faults.push(format!(
            "{key}: unknown; a policy has name, opening_hours, tickets, table, group and expert"
        ));
    }
    if rows.is_empty() {
        faults.push("table: has no row; write [table.ROLE] for each role".to_owned());
    }
    let compiled = if faults.is_empty() {
        cedar::compile(&rows, &experts).map_err(|wrong| faults.extend(wrong)).ok()
    } else {
        None
    };
    if !faults.is_empty() {
        let faults = faults.into_iter().map(|fault| lines::with_line(text, fault)).collect();
        return Err(PolicyError::Faults { faults });
    }
    Ok(Policy {
        name,
        hash: version_of(text),
        hours,
        tickets,
        rows,
        groups,
        compiled: compiled.map(Arc::new),
    })
}

fn section(table: &mut Table, name: &str, faults: &mut Vec<String>) -> Table {
    match table.remove(name) {
        None => Table::new(),
        Some(Value::Table(section)) => section,
        Some(_) => {
            faults.push(format!("{name}: write it as a section, [{name}]"));
            Table::new()
        }
    }
}

fn opening_hours(mut section: Table, faults: &mut Vec<String>) -> OpeningHours {
    let mut days = Vec::new();
    for (name, weekday) in WEEKDAYS {
        let Some(value) = section.remove(*name) else { continue };
        let spans = value.as_str().ok_or_else(|| "write \"07:00-18:30\" or \"closed\"".to_owned());
        match spans.and_then(parse_spans) {
            Ok(spans) => days.push((*weekday, spans)),
            Err(fault) => faults.push(format!("opening_hours.{name}: {fault}")),
        }
    }
    let mut closed_on = Vec::new();
    match section.remove("closed_on") {
        None => {}
        Some(Value::Array(dates)) => {
            for value in dates {
                match value.as_str().and_then(|text| text.parse::<Date>().ok()) {
                    Some(date) => closed_on.push(date),
                    None => faults.push(format!(
                        "opening_hours.closed_on: {value} is not a date; write it as \"2026-11-26\""
                    )),
                }
            }
        }
        Some(_) => faults.push("opening_hours.closed_on: write a list, [\"2026-11-26\"]".to_owned()),
    }
    for key in section.keys() {
        faults.push(format!("opening_hours.{key}: unknown; use monday to sunday and closed_on"));
    }
    OpeningHours::new(days, closed_on)
}

fn ticket_terms(mut section: Table, faults: &mut Vec<String>) -> TicketTerms {
    let mut terms = TicketTerms::default();
    match section.remove("hours_max").as_ref().map(Value::as_integer) {
        None => {}
        Some(hours) => {
            match hours.and_then(|hours| u32::try_from(hours).ok()).filter(|hours| (1..=72).contains(hours)) {
                Some(hours) => terms.hours_max = hours,
                None => faults.push("tickets.hours_max: is not a number from 1 to 72".to_owned()),
            }
        }
    }
    match section.remove("mailbox_needs_two").as_ref().map(Value::as_bool) {
        None => {}
        Some(Some(needs_two)) => terms.mailbox_needs_two = needs_two,
        Some(None) => faults.push("tickets.mailbox_needs_two: is neither true nor false".to_owned()),
    }
    match section.remove("approvers") {
        None => {}
        Some(Value::Array(roles)) => {
            for role in roles {
                match role.as_str().filter(|role| !role.trim().is_empty()) {
                    Some(role) => terms.approvers.push(role.to_owned()),
                    None => faults.push(format!("tickets.approvers: {role} is not a role")),
                }
            }
        }
        Some(_) => faults.push("tickets.approvers: write a list of roles, [\"reviewer\"]".to_owned()),
    }
    for key in section.keys() {
        faults.push(format!("tickets.{key}: unknown; use hours_max, mailbox_needs_two and approvers"));
    }
    terms
}

fn rows(section: Table, faults: &mut Vec<String>) -> BTreeMap<String, BTreeMap<Area, Cell>> {
    let mut rows = BTreeMap::new();
    for (role, row) in section {
        let Value::Table(row) = row else {
            faults.push(format!("table.{role}: write it as a section, [table.{role}]"));
            continue;
        };
        let mut cells = BTreeMap::new();
        for (column, value) in row {
            match cell(&role, &column, value) {
                Ok((area, cell)) => {
                    cells.insert(area, cell);
                }
                Err(fault) => faults.push(format!("table.{role}.{column}: {fault}")),
            }
        }
        rows.insert(role, cells);
    }
    rows
}

fn cell(role: &str, column: &str, value: Value) -> Result<(Area, Cell), String> {
    let area = Area::ALL.iter().copied().find(|area| area.as_str() == column).ok_or_else(|| {
        let words: Vec<_> = Area::ALL.iter().map(|area| area.as_str()).collect();
        format!("no such area; use one of {}", words.join(", "))
    })?;
    let raw = match value {
        Value::String(word) => RawCell { is: word, sentence: None },
        other => other.try_into::<RawCell>().map_err(|error| {
            let message = error.to_string();
            format!(
                "write a word, or {{ is = \"never\", sentence = \"...\" }} ({})",
                message.trim().replace('\n', "; ")
            )
        })?,
    };
    let rule = match raw.is.as_str() {
        "never" => Rule::Never,
        "with_ticket" => Rule::WithTicket,
        "in_hours" => Rule::InHours,
        "always" => Rule::Always,
        "own" => Rule::Own,
        other => return Err(format!("`{other}` is none of {}", Rule::WORDS.join(", "))),
    };
    if rule == Rule::Own && !matches!(area, Area::Mailbox | Area::Voicemail | Area::Hr) {
        return Err("`own` is for mailbox, voicemail and hr, which belong to one person".to_owned());
    }
    let sentence = match raw.sentence {
        Some(sentence) if sentence.trim().is_empty() => return Err("the sentence is empty".to_owned()),
        Some(sentence) => sentence.trim().to_owned(),
        None => default_sentence(role, area, rule),
    };
    Ok((area, Cell { rule, sentence }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_fault_is_named_at_once() {
        let text = r#"
            hours = 3
            [opening_hours]
            monday = "7-18"
            tuesday = 8
            mittwoch = "closed"
            closed_on = ["Thanksgiving"]
            [tickets]
            hours_max = 500
            mailbox_needs_two = "yes"
            days = 1
            [table]
            vendor = "never"
            [table.itadmin]
            mailbox = "nevver"
            letters = "never"
            login = { is = "always", sentance = "x" }
            ehr = "own"
            hr = { is = "never", sentence = " " }
        "#;
        let error = Policy::parse(text).unwrap_err();
        expect![[r#"
            the policy has 15 things to mend:
            - name: give the policy a name
            - opening_hours.monday (line 4): `7-18` is not like "07:00-18:30" or "closed"
            - opening_hours.tuesday (line 5): write "07:00-18:30" or "closed"
            - opening_hours.closed_on (line 7): "Thanksgiving" is not a date; write it as "2026-11-26"
            - opening_hours.mittwoch (line 6): unknown; use monday to sunday and closed_on
            - tickets.hours_max (line 9): is not a number from 1 to 72
            - tickets.mailbox_needs_two (line 10): is neither true nor false
            - tickets.days (line 11): unknown; use hours_max, mailbox_needs_two and approvers
            - table.itadmin.ehr (line 18): `own` is for mailbox, voicemail and hr, which belong to one person
            - table.itadmin.hr (line 19): the sentence is empty
            - table.itadmin.letters (line 16): no such area; use one of mailbox, own_mailbox, managers_mailbox, voicemail, own_voicemail, ehr, export, hr, own_hr, backup, system, self, login, elevation, remote_control, recording, access_rights
            - table.itadmin.login (line 17): write a word, or { is = "never", sentence = "..." } (unknown field `sentance`, expected `is` or `sentence`)
            - table.itadmin.mailbox (line 15): `nevver` is none of never, with_ticket, in_hours, always, own
            - table.vendor (line 13): write it as a section, [table.vendor]
            - hours (line 2): unknown; a policy has name, opening_hours, tickets, table, group and expert"#]].assert_eq(&error.to_string());
    }

    #[test]
    fn a_cell_has_the_managers_sentence_or_a_generated_one() {
        let text = r#"
            name = "x"
            [table.itadmin]
            managers_mailbox = { is = "never", sentence = "IT does not open the manager’s mailbox." }
            mailbox = "with_ticket"
        "#;
        let policy = Policy::parse(text).unwrap();
        let sentence = |area| policy.cell("itadmin", area).unwrap().sentence.clone();
        assert_eq!(sentence(Area::ManagersMailbox), "IT does not open the manager’s mailbox.");
        assert_eq!(
            sentence(Area::Mailbox),
            "IT administrators may open other people’s mailboxes under an approved ticket."
        );
    }
}
