//! What stands on more than one page: what goes out, the roster, the table; and the forms that change them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use csv::{ReaderBuilder, WriterBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shell::Visitor;
use super::{Console, ask};
use crate::admin::Failure;
use crate::admin::roster::in_force;
use crate::policy::TEMPLATES;
use crate::report::shown::visible;
use crate::roster::{Account, Roster};

/// What became of the trials that somebody sent last: each way, and why it was not taken.
#[derive(Debug, Default)]
pub(crate) struct Tried(Mutex<Vec<(String, Option<String>)>>);

/// What goes out, as the API tells it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Outgoing {
    pub(super) scheduled: bool,
    pub(super) reports_to: Vec<String>,
    pub(super) notices_to: Vec<String>,
    pub(super) heartbeat: bool,
    pub(super) waiting: u64,
    #[serde(default)]
    pub(super) last_report: Option<String>,
    pub(super) secrets: BTreeMap<String, bool>,
    pub(super) warnings: Vec<String>,
    pub(super) not_checked: String,
    #[serde(skip)]
    pub(super) tried: Vec<(String, Option<String>)>,
    #[serde(skip)]
    pub(super) lines: String,
}

impl Outgoing {
    pub(super) async fn now(console: &Console, visitor: &Visitor) -> Result<Self, Failure> {
        let mut told: Self = ask::get(console, visitor, "/v1/delivery").await?;
        told.tried = console.tried.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        told.lines = lines_to_write();
        let zone = console.app.lookup.zone();
        told.last_report = told
            .last_report
            .map(|at| at.parse().map(|at| crate::report::text::moment(at, zone)).unwrap_or(at));
        Ok(told)
    }

    /// Whether an address is one that the watched people may run.
    pub(super) fn warns_of_a_place(&self) -> bool {
        self.warnings.iter().any(|sentence| sentence.contains("mail decline"))
    }

    /// Names of passwords and tokens that are set.
    pub(super) fn set_secrets(&self) -> Vec<&str> {
        self.secrets.iter().filter(|(_, is_set)| **is_set).map(|(name, _)| name.as_str()).collect()
    }
}

/// The example of collector.toml without its marks of comment.
fn lines_to_write() -> String {
    let example = include_str!("../../templates/delivery-example.toml");
    let lines = example.lines().filter(|line| !line.trim_matches(['#', ' ']).is_empty()).map(|line| {
        let bare = line.trim_start_matches("# ").trim_start_matches('#');
        let is_setting =
            bare.starts_with('[') || bare.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        if is_setting { bare.to_owned() } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Sends a trial each way, `mail` or `notice`, and remembers what became of it for the next page.
pub(super) async fn send_trial(console: &Console, visitor: &Visitor, what: &str) -> Result<(), Failure> {
    let answer = ask::post(console, visitor, "/v1/delivery/test", json!({"what": what})).await?;
    let rows = answer.get("tried").and_then(Value::as_array).into_iter().flatten();
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).map(visible);
    let tried = rows.map(|row| (text(row, "way").unwrap_or_default(), text(row, "reason"))).collect();
    *console.tried.0.lock().unwrap_or_else(PoisonError::into_inner) = tried;
    Ok(())
}

/// One person of the roster, as a row.
pub(super) struct PersonRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) roles: String,
    pub(super) accounts: Vec<String>,
}

/// The roster in force.
pub(super) struct RosterPart {
    pub(super) rows: Vec<PersonRow>,
    pub(super) toml: String,
    pub(super) csv: String,
    /// Rows of the table, for choosing a role.
    pub(super) roles: Vec<String>,
}

impl RosterPart {
    pub(super) async fn now(console: &Console, visitor: &Visitor) -> Result<Self, Failure> {
        let (toml, roster) = in_force(&console.app).await?;
        let csv: Value = ask::get(console, visitor, "/v1/roster?format=csv").await?;
        let table: Value = ask::get(console, visitor, "/v1/policy/table").await?;
        let table = table.get("rows").and_then(Value::as_array).into_iter().flatten();
        let roles = table.filter_map(|row| row.get("role").and_then(Value::as_str));
        let roles = roles.filter(|role| *role != "everyone").map(str::to_owned).collect();
        Ok(Self { rows: rows(&roster), toml, csv: text_of(&csv), roles })
    }
}

fn text_of(answer: &Value) -> String {
    answer.get("text").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn rows(roster: &Roster) -> Vec<PersonRow> {
    let of = |id: &str| {
        let held =
            roster.accounts().iter().filter(|account| account.holder.ids().iter().any(|one| one == id));
        held.map(in_words).collect()
    };
    let row = |person: &crate::roster::Person| PersonRow {
        id: person.id.clone(),
        name: visible(&person.name),
        roles: visible(&person.roles.join(", ")),
        accounts: of(&person.id),
    };
    roster.persons().iter().map(row).collect()
}

fn in_words(account: &Account) -> String {
    let names = [&account.user, &account.upn, &account.ehr_user, &account.sid];
    let name = names.into_iter().flatten().next().cloned();
    let name = name.or_else(|| account.uid.map(|uid| format!("uid {uid}"))).unwrap_or_default();
    match &account.host {
        Some(host) => visible(&format!("{name} on {host}")),
        None => visible(&name),
    }
}

/// What a change of roster or table came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Into force.
    IntoForce,
    /// It waits for the second signature.
    Waits,
}

impl Came {
    fn of(answer: &Value) -> Self {
        if answer.get("pending").is_some_and(Value::is_object) { Self::Waits } else { Self::IntoForce }
    }

    /// For the address of the next page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::IntoForce => "in-force",
            Self::Waits => "waits",
        }
    }
}

/// What the next page says.
pub(super) fn said(name: &str) -> &'static str {
    match name {
        "in-force" => "It is in force from now on, and kept in the ledger.",
        "waits" => "It waits for the second reviewer’s signature, and is not in force yet.",
        "tried" => "The trial was sent; what became of it stands below.",
        "declined" => "Your reason is kept. It stands in the next review.",
        "keys" => "That the keys were taken away is kept in the ledger.",
        "removed" => "The account is removed; whoever was signed in with it is not any more.",
        "role" => "The role is changed; the person signs in anew.",
        "unlocked" => "The account can sign in again.",
        "revoked" => "The token opens nothing any more.",
        "held" => "The hold is in force: nothing of its time is removed.",
        "released" => "The hold is released.",
        "copied" => "The copy outside is up to date.",
        "stamped" => "The time-stamp is kept.",
        "round" => "The connected machines remember the log as it stands now.",
        _ => "",
    }
}

/// Puts a roster in force: the text of the file, or a spreadsheet.
pub(super) async fn put_roster(
    console: &Console,
    visitor: &Visitor,
    form: &ChangeForm,
) -> Result<Came, Failure> {
    let text = form.text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(Failure::bad(
            "There is nothing in the field: paste the roster, or load this page again.",
        ));
    }
    let body = if form.form == "csv" { json!({"csv": text}) } else { json!({"text": text}) };
    let answer = ask::signed(console, visitor, "/v1/roster", body, &form.passphrase).await?;
    console.week.forget();
    Ok(Came::of(&answer))
}

/// Adds one person, as one row more of the spreadsheet.
pub(super) async fn add_person(
    console: &Console,
    visitor: &Visitor,
    form: &ChangeForm,
) -> Result<Came, Failure> {
    let line = |text: &str, what: &str| {
        let text = text.trim();
        if text.is_empty() {
            return Err(Failure::bad(format!("Write {what}.")));
        }
        Ok(text.to_owned())
    };
    let id = line(&form.person, "a short name, in small letters")?;
    let (_, roster) = in_force(&console.app).await?;
    if roster.person(&id).is_some() {
        return Err(Failure::bad(format!("`{}` is in the roster already.", visible(&id))));
    }
    let given = BTreeMap::from([
        ("name", line(&form.name, "the person’s name")?),
        ("roles", line(&form.role, "a role")?),
        ("person", id),
        ("user", form.user.trim().to_owned()),
        ("host", form.host.trim().to_owned()),
    ]);
    let now: Value = ask::get(console, visitor, "/v1/roster?format=csv").await?;
    let csv = with_row(&text_of(&now), &given)?;
    let answer = ask::signed(console, visitor, "/v1/roster", json!({"csv": csv}), &form.passphrase).await?;
    console.week.forget();
    Ok(Came::of(&answer))
}

/// A spreadsheet with a row more at its end.
fn with_row(text: &str, given: &BTreeMap<&str, String>) -> Result<String, Failure> {
    let ours = |error: csv::Error| Failure::ours(&error);
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let header = reader.records().next().transpose().map_err(ours)?.unwrap_or_default();
    let row = header.iter().map(|column| given.get(column).map_or("", String::as_str));
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    writer.write_record(row).map_err(ours)?;
    let row = writer.into_inner().map_err(|error| Failure::ours(&error))?;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{text}{end}{}", String::from_utf8_lossy(&row)))
}

/// The table in force, or a template to begin with.
pub(super) struct TablePart {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) templates: Vec<&'static str>,
    /// Which template stands in the field; empty for the one in force.
    pub(super) template: String,
    /// Who else may adopt, where the practice has no second reviewer.
    pub(super) others: Vec<(String, String)>,
}

impl TablePart {
    pub(super) async fn now(console: &Console, visitor: &Visitor, template: &str) -> Result<Self, Failure> {
        let table: Value = ask::get(console, visitor, "/v1/policy/table").await?;
        let found = TEMPLATES.iter().find(|(name, _)| *name == template);
        let text = match found {
            Some((_, text)) => (*text).to_owned(),
            None => text_of(&ask::get(console, visitor, "/v1/policy").await?),
        };
        let has_second = crate::admin::cosigns::second(&console.app).is_some();
        let others = if has_second || visitor.role.name() != "manager" {
            Vec::new()
        } else {
            let told: Value = ask::get(console, visitor, "/v1/reviewers").await?;
            let told = told.get("reviewers").and_then(Value::as_array).cloned().unwrap_or_default();
            let text =
                |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let all = told.iter().map(|row| (text(row, "person"), visible(&text(row, "name"))));
            all.filter(|(id, _)| *id != visitor.person).collect()
        };
        Ok(Self {
            name: table.get("name").and_then(Value::as_str).map(visible).unwrap_or_default(),
            text,
            templates: TEMPLATES.iter().map(|(name, _)| *name).collect(),
            template: found.map(|(name, _)| (*name).to_owned()).unwrap_or_default(),
            others,
        })
    }
}

/// Puts a table in force, or has it wait for the second signature.
pub(super) async fn put_table(
    console: &Console,
    visitor: &Visitor,
    form: &ChangeForm,
) -> Result<Came, Failure> {
    let mut body = json!({"text": form.text.replace("\r\n", "\n")});
    let mut put = |key: &str, value: &str| {
        if let (false, Some(fields)) = (value.trim().is_empty(), body.as_object_mut()) {
            fields.insert(key.to_owned(), json!(value));
        }
    };
    put("second", &form.second);
    put("second_passphrase", &form.second_passphrase);
    put("alone_because", &form.because);
    let answer = ask::signed(console, visitor, "/v1/policy", body, &form.passphrase).await?;
    console.week.forget();
    Ok(Came::of(&answer))
}

/// Everything that these forms send; each sends a part of it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChangeForm {
    pub(super) act: String,
    pub(super) form: String,
    pub(super) text: String,
    pub(super) person: String,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) case: String,
    pub(super) user: String,
    pub(super) host: String,
    pub(super) what: String,
    pub(super) because: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) second: String,
    pub(super) second_passphrase: String,
    pub(super) passphrase: String,
}

impl ChangeForm {
    /// What is shown again: everything but the passphrases.
    pub(super) fn typed(&self) -> Self {
        Self { passphrase: String::new(), second_passphrase: String::new(), ..self.clone() }
    }
}

/// A form that was refused.
#[derive(Default)]
pub(super) struct Refused {
    /// Which form.
    pub(super) act: String,
    /// Why, and what to do.
    pub(super) sentence: String,
    /// What had been typed.
    pub(super) typed: ChangeForm,
}

impl Refused {
    pub(super) fn new(form: &ChangeForm, sentence: String) -> Self {
        Self { act: form.act.clone(), sentence, typed: form.typed() }
    }

    /// Whether it is this form that was refused.
    pub(super) fn is(&self, act: &str) -> bool {
        !self.sentence.is_empty() && self.act == act
    }

    /// The text of a field: what was typed, or what is in force.
    pub(super) fn or<'a>(&'a self, act: &str, now: &'a str) -> &'a str {
        if self.is(act) { &self.typed.text } else { now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_write_are_a_configuration_with_all_three_sections() {
        let lines = lines_to_write();
        for section in ["[report]\n", "[mail]\n", "[notices]\n", "\nserver = \"smtp.example.com\""] {
            assert!(lines.contains(section), "{section} in {lines}");
        }
        let whole = format!("practice = 'a'\ntimezone = 'UTC'\n{}", lines.replace('…', "x"));
        let read = crate::config::Config::parse(&whole, "c.toml");
        assert!(read.is_ok(), "{read:?}");
    }

    #[test]
    fn a_row_more_is_quoted_and_stands_under_its_columns() {
        let given = BTreeMap::from([("name", "O\"Hara, Bea\nx".to_owned()), ("person", "bea".to_owned())]);
        let csv = with_row("person,name,roles\nmary,Mary,manager\n", &given).unwrap();
        assert_eq!(csv, "person,name,roles\nmary,Mary,manager\nbea,\"O\"\"Hara, Bea\nx\",\n");
    }
}
