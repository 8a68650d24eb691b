//! People, accounts and keys as a spreadsheet: one row a person, further rows for further accounts and keys.
//!
//! Columns come in any order, named by the first row. The separator is whatever the first row uses (`,`, `;` or a
//! tab); a mark of UTF-8 at the beginning and either kind of line end are taken. Roles, and the people who
//! share an account, stand in one cell with `;` between them. A spreadsheet replaces people, accounts and
//! keys; every other block of the roster in force stays as it is, and so does what the spreadsheet has no
//! column for.
//!
//! A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet program, and some cells come from
//! machines' records: written files put `'` before such cells, and reading takes it away again.

mod rows;
mod write;

use std::collections::BTreeMap;

use toml::Table;

use super::parse::{self, Fault, RosterError};
use super::raw::Blocks;
use super::{Account, Roster};
use crate::report::text::count;
use rows::{Column, Rows};

pub(crate) use write::guarded;
pub use write::write;

/// A spreadsheet that was not taken; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The bytes are not text as we read it.
    #[error("the spreadsheet is not UTF-8 text{at}; save it anew as “CSV UTF-8”")]
    Encoding {
        /// ` (line 3)`, where it is known.
        at: String,
    },
    /// The rows say things that cannot be.
    #[error("the spreadsheet has {} to mend:\n- {}", count(faults.len(), "thing", "things"), faults.join("\n- "))]
    Faults {
        /// One sentence each, beginning with line and column.
        faults: Vec<String>,
    },
    /// The roster in force cannot be read, so nothing can be kept of it.
    #[error("the roster in force cannot be read; import one as TOML first")]
    InForce(#[source] RosterError),
    /// The rows could not be written as TOML.
    #[error("the spreadsheet could not be written as TOML")]
    Toml(#[from] toml::ser::Error),
}

/// The text in a file's bytes.
pub fn text_of(bytes: &[u8]) -> Result<String, CsvError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(CsvError::Encoding { at: " (it is UTF-16)".to_owned() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
        CsvError::Encoding { at: format!(" (line {line} holds a letter in an older encoding)") }
    })?;
    Ok(text.to_owned())
}

/// The roster's text with the people, accounts and keys of the spreadsheet, and all else as in force.
pub fn merge(csv: &str, in_force: &str) -> Result<String, CsvError> {
    let before = Roster::parse(in_force).map_err(CsvError::InForce)?;
    let mut rows = Rows::read(csv).map_err(|faults| CsvError::Faults { faults })?;
    keep_what_has_no_column(&mut rows, &before);
    let text = with_the_rest(&rows, in_force)?;
    match parse::read(&text) {
        Ok(Ok(_)) => Ok(text),
        Ok(Err(faults)) => {
            let faults = faults.iter().map(|fault| rows.in_words(fault)).collect();
            Err(CsvError::Faults { faults })
        }
        Err(error) => Err(CsvError::InForce(RosterError::Toml { message: error.to_string() })),
    }
}

fn with_the_rest(rows: &Rows, in_force: &str) -> Result<String, CsvError> {
    let toml = |error: toml::de::Error| CsvError::InForce(RosterError::Toml { message: error.to_string() });
    let mut rest: Table = toml::from_str(in_force).map_err(toml)?;
    for replaced in ["person", "account", "ssh_key"] {
        rest.remove(replaced);
    }
    if rows.has(Column::Kind) {
        rest.remove("organisation");
    }
    let rest = toml::to_string(&rest)?;
    let new = rows.blocks.to_toml()?;
    Ok(if rest.is_empty() { new } else { format!("{new}\n{rest}") })
}

/// Columns that the file does not have say nothing: what was known stays.
fn keep_what_has_no_column(rows: &mut Rows, before: &Roster) {
    if !rows.has(Column::Kind) {
        // Organisations stay as their own blocks: their rows only bring accounts and keys.
        let is_organisation = |id: &str| before.person(id).is_some_and(|person| person.is_organisation);
        rows.drop_people(is_organisation);
    }
    let (notice, tools) = (rows.has(Column::NoticeGiven), rows.has(Column::RemoteTools));
    let (known, confirmed) = (rows.has(Column::KnownTo), rows.has(Column::ConfirmedOn));
    let Blocks { person, organisation, account, .. } = &mut rows.blocks;
    let given = |id: &str| Some(before.person(id)?.written.notice_given?.to_string());
    if !notice {
        person.iter_mut().for_each(|raw| raw.notice_given = given(&raw.id));
        organisation.iter_mut().for_each(|raw| raw.notice_given = given(&raw.id));
    }
    if !tools {
        for raw in organisation.iter_mut() {
            let tools = before.person(&raw.id).map(|person| person.remote_tools.clone());
            raw.remote_tools = tools.filter(|tools| !tools.is_empty());
        }
    }
    type Identity<'a> = (&'a [String], [Option<&'a str>; 5], Option<u32>);
    fn identity(account: &Account) -> Identity<'_> {
        let Account { host, user, sid, upn, ehr_user, uid, .. } = account;
        let names = [host, user, sid, upn, ehr_user].map(|name| name.as_deref());
        (account.holder.ids(), names, *uid)
    }
    let by_identity: BTreeMap<_, _> =
        before.accounts().iter().map(|account| (identity(account), account)).collect();
    for raw in account {
        let names = [&raw.host, &raw.user, &raw.sid, &raw.upn, &raw.ehr_user].map(|name| name.as_deref());
        let ids = match (&raw.person, &raw.shared_by) {
            (Some(person), _) => std::slice::from_ref(person),
            (None, Some(ids)) => ids.as_slice(),
            (None, None) => &[],
        };
        let Some(same) = by_identity.get(&(ids, names, raw.uid)) else { continue };
        let (known_to, confirmed_on) = (same.known_to.clone(), same.confirmed_on);
        if !known {
            raw.known_to = Some(known_to).filter(|ids| !ids.is_empty());
        }
        if !confirmed {
            raw.confirmed_on = confirmed_on.map(|day| day.to_string());
        }
    }
}

impl Rows {
    /// A fault of the merged text, said of the spreadsheet's line and column.
    fn in_words(&self, fault: &Fault) -> String {
        let line = fault.position.and_then(|position| self.line_of(&fault.kind, position));
        let Some(line) = line else {
            return format!(
                "{fault} (outside the spreadsheet: in the roster in force, which this import keeps)"
            );
        };
        let column = match fault.field.as_deref() {
            Some("id" | "shared_by") => Some("person"),
            Some("fingerprint") => Some("ssh_key"),
            Some("contract_from") => Some("employed_from"),
            other => other,
        };
        match column {
            Some(column) => format!("line {line}, column {column}: {}", fault.said),
            None => format!("line {line}: {}", fault.said),
        }
    }
}

#[cfg(test)]
mod tests;
