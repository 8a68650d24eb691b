//! A roster's people, accounts and keys as a spreadsheet.

use csv::{QuoteStyle, WriterBuilder};
use jiff::civil::Date;

use super::rows::{BETWEEN, Column};
use crate::roster::{Account, Key, Person, Roster};

/// What a spreadsheet program takes for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Makes a cell plain text.
const PLAIN: char = '\'';

/// People, accounts and keys; a person with several accounts or keys has several rows.
pub fn write(roster: &Roster) -> String {
    let mut writer = WriterBuilder::new().quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
    let header = Column::ALL.iter().map(|column| column.name());
    // Writing into memory does not fail.
    let _ = writer.write_record(header);
    for person in roster.persons() {
        let accounts: Vec<&Account> = roster
            .accounts()
            .iter()
            .filter(|account| account.holder.person() == Some(person.id.as_str()))
            .collect();
        let keys: Vec<&Key> = roster.keys().iter().filter(|key| key.person == person.id).collect();
        for position in 0..accounts.len().max(keys.len()).max(1) {
            let said = (position == 0).then_some(person);
            let (account, key) = (accounts.get(position).copied(), keys.get(position).copied());
            let _ = writer.write_record(row(person.id.clone(), said, account, key));
        }
    }
    for account in roster.shared_accounts() {
        let ids = account.holder.ids().join(&BETWEEN.to_string());
        let _ = writer.write_record(row(ids, None, Some(account), None));
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn row(ids: String, person: Option<&Person>, account: Option<&Account>, key: Option<&Key>) -> Vec<String> {
    let cells = Column::ALL.iter().map(|column| {
        let text = match column {
            Column::Person => Some(ids.clone()),
            Column::SshKey => key.map(|key| key.fingerprint.clone()),
            column => person
                .and_then(|person| of_person(person, *column))
                .or_else(|| account.and_then(|account| of_account(account, *column))),
        };
        text.map(|text| guarded(&text)).unwrap_or_default()
    });
    cells.collect()
}

fn of_person(person: &Person, column: Column) -> Option<String> {
    let list = |parts: &[String]| (!parts.is_empty()).then(|| parts.join(&BETWEEN.to_string()));
    let day = |date: Option<Date>| date.map(|date| date.to_string());
    match column {
        Column::Name => Some(person.name.clone()),
        Column::Roles => list(&person.roles),
        Column::Organisation => person.written.organisation.clone(),
        Column::Email => person.email.clone(),
        Column::EmployedFrom => day(person.employed_from),
        Column::ContractUntil => day(person.contract_until),
        Column::LeaveDate => day(person.written.leave_date),
        Column::Kind => Some(if person.is_organisation { "organisation" } else { "person" }.to_owned()),
        Column::NoticeGiven => day(person.written.notice_given),
        Column::RemoteTools => list(&person.remote_tools),
        _ => None,
    }
}

fn of_account(account: &Account, column: Column) -> Option<String> {
    match column {
        Column::Host => account.host.clone(),
        Column::Uid => account.uid.map(|uid| uid.to_string()),
        Column::User => account.user.clone(),
        Column::Sid => account.sid.clone(),
        Column::Upn => account.upn.clone(),
        Column::EhrUser => account.ehr_user.clone(),
        Column::KnownTo => {
            (!account.known_to.is_empty()).then(|| account.known_to.join(&BETWEEN.to_string()))
        }
        Column::ConfirmedOn => account.confirmed_on.map(|day| day.to_string()),
        _ => None,
    }
}

/// A cell that no spreadsheet program takes for a formula.
pub(crate) fn guarded(text: &str) -> String {
    let text = text.trim();
    if text.starts_with(FORMULA) || text.starts_with(PLAIN) {
        format!("{PLAIN}{text}")
    } else {
        text.to_owned()
    }
}

/// The cell that was guarded.
pub(super) fn plain(text: &str) -> &str {
    match text.strip_prefix(PLAIN) {
        Some(rest) if rest.starts_with(FORMULA) || rest.starts_with(PLAIN) => rest,
        Some(_) | None => text,
    }
}
