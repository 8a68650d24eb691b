//! Rows to blocks: cells are read by the names of their columns, and each block remembers its line.

use std::collections::BTreeMap;

use csv::{ReaderBuilder, StringRecord};

use super::write::plain;
use crate::roster::raw::{Blocks, RawAccount, RawKey, RawOrganisation, RawPerson};

/// Declares the columns.
macro_rules! columns {
    ($($name:ident = $word:literal,)+) => {
        /// A column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Column { $($name,)+ }

        impl Column {
            /// Every column, in the order in which files are written.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in the first row.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

columns! {
    Person = "person",
    Name = "name",
    Roles = "roles",
    Organisation = "organisation",
    Email = "email",
    EmployedFrom = "employed_from",
    ContractUntil = "contract_until",
    LeaveDate = "leave_date",
    Host = "host",
    Uid = "uid",
    User = "user",
    Sid = "sid",
    Upn = "upn",
    EhrUser = "ehr_user",
    SshKey = "ssh_key",
    Kind = "kind",
    NoticeGiven = "notice_given",
    RemoteTools = "remote_tools",
    KnownTo = "known_to",
    ConfirmedOn = "confirmed_on",
}

/// What describes the person, and not one of their accounts.
const OF_PERSON: [Column; 10] = [
    Column::Name,
    Column::Roles,
    Column::Organisation,
    Column::Email,
    Column::EmployedFrom,
    Column::ContractUntil,
    Column::LeaveDate,
    Column::Kind,
    Column::NoticeGiven,
    Column::RemoteTools,
];

/// Separates several roles or people in one cell.
pub(super) const BETWEEN: char = ';';

/// A spreadsheet as blocks, each with its line.
pub(super) struct Rows {
    pub(super) blocks: Blocks,
    columns: BTreeMap<Column, usize>,
    lines: BTreeMap<&'static str, Vec<u64>>,
}

/// One row.
struct Row<'r> {
    line: u64,
    columns: &'r BTreeMap<Column, usize>,
    cells: &'r StringRecord,
}

impl Row<'_> {
    fn cell(&self, column: Column) -> Option<String> {
        let text = self.cells.get(*self.columns.get(&column)?)?.trim();
        let text = plain(text);
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn list(&self, column: Column) -> Vec<String> {
        let cell = self.cell(column).unwrap_or_default();
        cell.split(BETWEEN).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn fault(&self, column: Column, said: impl std::fmt::Display) -> String {
        format!("line {}, column {}: {said}", self.line, column.name())
    }

    fn of_person(&self) -> Vec<(Column, String)> {
        OF_PERSON.iter().filter_map(|column| Some((*column, self.cell(*column)?))).collect()
    }
}

impl Rows {
    /// Reads a spreadsheet; every fault at once.
    pub(super) fn read(text: &str) -> Result<Self, Vec<String>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let first = text.lines().next().unwrap_or_default();
        let separator = *[b',', b';', b'\t']
            .iter()
            .max_by_key(|separator| first.bytes().filter(|byte| byte == *separator).count())
            .unwrap_or(&b',');
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let header = match records.next() {
            Some(Ok(header)) => header,
            Some(Err(error)) => return Err(vec![format!("line 1: {error}")]),
            None => return Err(vec!["line 1: is empty; the first row names the columns".to_owned()]),
        };
        let mut faults = Vec::new();
        let columns = columns(&header, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut rows = Self { blocks: Blocks::default(), columns, lines: BTreeMap::new() };
        let mut known = BTreeMap::new();
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    faults.push(format!("this row cannot be read: {error}"));
                    continue;
                }
            };
            if record.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let columns = std::mem::take(&mut rows.columns);
            let line = record.position().map_or(0, csv::Position::line);
            let row = Row { line, columns: &columns, cells: &record };
            if record.iter().skip(header.len()).any(|cell| !cell.trim().is_empty()) {
                let (n, m) = (record.len(), header.len());
                faults.push(format!("line {line}: has {n} cells, but the first row names {m} columns"));
            } else {
                rows.add(&row, &mut known, &mut faults);
            }
            rows.columns = columns;
        }
        if faults.is_empty() { Ok(rows) } else { Err(faults) }
    }

    /// Whether the file has a column.
    pub(super) fn has(&self, column: Column) -> bool {
        self.columns.contains_key(&column)
    }

    /// The line that a block came from.
    pub(super) fn line_of(&self, kind: &str, position: usize) -> Option<u64> {
        self.lines.get(kind)?.get(position).copied()
    }

    /// Leaves out the blocks of people who stand elsewhere; their accounts stay.
    pub(super) fn drop_people(&mut self, stands_elsewhere: impl Fn(&str) -> bool) {
        let lines = self.lines.entry("person").or_default();
        let mut kept = self.blocks.person.iter().map(|person| !stands_elsewhere(&person.id));
        lines.retain(|_| kept.next().unwrap_or(true));
        self.blocks.person.retain(|person| !stands_elsewhere(&person.id));
    }

    fn add(&mut self, row: &Row<'_>, known: &mut BTreeMap<String, u64>, faults: &mut Vec<String>) {
        let ids = row.list(Column::Person);
        match ids.as_slice() {
            [] => return faults.push(row.fault(Column::Person, "is empty; it says whose row this is")),
            [id] => self.add_person(row, id, known, faults),
            _ => {
                if let Some((column, _)) = row.of_person().first() {
                    let said = "must be empty in the row of a shared account";
                    faults.push(row.fault(*column, said));
                }
            }
        }
        self.add_account(row, &ids, faults);
        if let Some(fingerprint) = row.cell(Column::SshKey) {
            match ids.as_slice() {
                [id] => {
                    self.line("ssh_key", row);
                    self.blocks.ssh_key.push(RawKey { person: id.clone(), fingerprint });
                }
                _ => faults.push(row.fault(Column::SshKey, "a key has one holder, this row names several")),
            }
        }
    }

    fn add_person(
        &mut self,
        row: &Row<'_>,
        id: &str,
        known: &mut BTreeMap<String, u64>,
        faults: &mut Vec<String>,
    ) {
        if let Some(line) = known.get(id) {
            return self.must_agree(row, id, *line, faults);
        }
        known.insert(id.to_owned(), row.line);
        let kind = row.cell(Column::Kind).unwrap_or_else(|| "person".to_owned());
        let (id, name) = (id.to_owned(), row.cell(Column::Name).unwrap_or_default());
        let (roles, email) = (row.list(Column::Roles), row.cell(Column::Email));
        let tools = Some(row.list(Column::RemoteTools)).filter(|tools| !tools.is_empty());
        match kind.as_str() {
            "person" => {
                if tools.is_some() {
                    faults.push(row.fault(Column::RemoteTools, "belongs to organisations; empty it here"));
                }
                self.line("person", row);
                self.blocks.person.push(RawPerson {
                    id,
                    name,
                    roles,
                    organisation: row.cell(Column::Organisation),
                    email,
                    employed_from: row.cell(Column::EmployedFrom),
                    leave_date: row.cell(Column::LeaveDate),
                    contract_until: row.cell(Column::ContractUntil),
                    notice_given: row.cell(Column::NoticeGiven),
                });
            }
            "organisation" => {
                for column in [Column::LeaveDate, Column::Organisation] {
                    if row.cell(column).is_some() {
                        faults
                            .push(row.fault(column, "belongs to persons; empty it in an organisation’s row"));
                    }
                }
                self.line("organisation", row);
                self.blocks.organisation.push(RawOrganisation {
                    id,
                    name,
                    roles,
                    email,
                    contract_from: row.cell(Column::EmployedFrom),
                    contract_until: row.cell(Column::ContractUntil),
                    notice_given: row.cell(Column::NoticeGiven),
                    remote_tools: tools,
                });
            }
            other => {
                faults.push(row.fault(Column::Kind, format!("`{other}` is none of person, organisation")))
            }
        }
    }

    /// A further row of a person may repeat what the first one says, and say nothing else.
    fn must_agree(&self, row: &Row<'_>, id: &str, first: u64, faults: &mut Vec<String>) {
        let said = self.blocks.person.iter().find(|person| person.id == id);
        let organisation = self.blocks.organisation.iter().find(|organisation| organisation.id == id);
        for (column, text) in row.of_person() {
            let roles = |roles: &[String]| roles.join(&BETWEEN.to_string());
            let before = match (said, organisation, column) {
                (Some(raw), _, Column::Name) => Some(raw.name.clone()),
                (Some(raw), _, Column::Roles) => Some(roles(&raw.roles)),
                (Some(raw), _, Column::Organisation) => raw.organisation.clone(),
                (Some(raw), _, Column::Email) => raw.email.clone(),
                (Some(raw), _, Column::EmployedFrom) => raw.employed_from.clone(),
                (Some(raw), _, Column::ContractUntil) => raw.contract_until.clone(),
                (Some(raw), _, Column::LeaveDate) => raw.leave_date.clone(),
                (Some(raw), _, Column::NoticeGiven) => raw.notice_given.clone(),
                (Some(_), _, Column::Kind) => Some("person".to_owned()),
                (None, Some(raw), Column::Name) => Some(raw.name.clone()),
                (None, Some(raw), Column::Roles) => Some(roles(&raw.roles)),
                (None, Some(raw), Column::Email) => raw.email.clone(),
                (None, Some(raw), Column::EmployedFrom) => raw.contract_from.clone(),
                (None, Some(raw), Column::ContractUntil) => raw.contract_until.clone(),
                (None, Some(raw), Column::NoticeGiven) => raw.notice_given.clone(),
                (None, Some(raw), Column::RemoteTools) => raw.remote_tools.as_deref().map(roles),
                (None, Some(_), Column::Kind) => Some("organisation".to_owned()),
                _ => None,
            };
            let text = if matches!(column, Column::Roles | Column::RemoteTools) {
                roles(&row.list(column))
            } else {
                text
            };
            if before.as_deref() != Some(text.as_str()) {
                let said = format!(
                    "`{text}` is not what line {first} says of `{id}`; correct one, or leave this empty"
                );
                faults.push(row.fault(column, said));
            }
        }
    }

    fn add_account(&mut self, row: &Row<'_>, ids: &[String], faults: &mut Vec<String>) {
        let uid = row.cell(Column::Uid).and_then(|text| match text.parse::<u32>() {
            Ok(uid) => Some(uid),
            Err(_) => {
                faults.push(row.fault(Column::Uid, format!("`{text}` is not a whole number such as 1001")));
                None
            }
        });
        let known_to = Some(row.list(Column::KnownTo)).filter(|ids| !ids.is_empty());
        let names = [Column::User, Column::Sid, Column::Upn, Column::EhrUser].map(|column| row.cell(column));
        if row.cell(Column::Uid).is_none() && names.iter().all(Option::is_none) {
            for column in [Column::Host, Column::KnownTo, Column::ConfirmedOn] {
                if row.cell(column).is_some() {
                    faults.push(row.fault(
                        column,
                        "the row names no account; fill one of uid, user, sid, upn, ehr_user",
                    ));
                }
            }
            if ids.len() > 1 {
                faults.push(row.fault(
                    Column::Person,
                    "names several people, but the row names no account that they share",
                ));
            }
            return;
        }
        let [user, sid, upn, ehr_user] = names;
        let (person, shared_by) = match ids {
            [id] => (Some(id.clone()), None),
            ids => (None, Some(ids.to_vec())),
        };
        self.line("account", row);
        self.blocks.account.push(RawAccount {
            person,
            shared_by,
            host: row.cell(Column::Host),
            uid,
            user,
            sid,
            upn,
            ehr_user,
            known_to,
            confirmed_on: row.cell(Column::ConfirmedOn),
        });
    }

    fn line(&mut self, kind: &'static str, row: &Row<'_>) {
        self.lines.entry(kind).or_default().push(row.line);
    }
}

fn columns(header: &StringRecord, faults: &mut Vec<String>) -> BTreeMap<Column, usize> {
    let mut columns = BTreeMap::new();
    for (position, cell) in header.iter().enumerate() {
        let name = cell.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        match Column::ALL.iter().find(|column| column.name() == name) {
            Some(column) if columns.insert(*column, position).is_some() => {
                faults.push(format!("line 1: the column {name} is there twice"));
            }
            Some(_) => {}
            None if name.is_empty() => {}
            None => {
                let all: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
                faults.push(format!("line 1: `{}` is none of the columns {}", cell.trim(), all.join(", ")));
            }
        }
    }
    if faults.is_empty() && !columns.contains_key(&Column::Person) {
        faults.push("line 1: there is no column person; the first row names the columns".to_owned());
    }
    columns
}
