//! As much of a roster and a table as the naive rules need: who holds an account, what they do, when it is open.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use jiff::civil::Date;
use ntk_evidence::event::{Actor, Event};
use toml::{Table, Value};

/// People, accounts and jobs by the roster in force.
#[derive(Clone, Debug, Default)]
pub struct People {
    roles: BTreeMap<String, BTreeSet<String>>,
    accounts: Vec<Account>,
    jobs: BTreeSet<(String, String, String)>,
}

#[derive(Clone, Debug)]
struct Account {
    holder: String,
    host: Option<String>,
    uid: Option<u32>,
    user: Option<String>,
}

impl People {
    /// From the text of a roster.
    pub fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("the roster is TOML")?;
        let mut people = Self::default();
        for person in blocks(&table, "person").chain(blocks(&table, "organisation")) {
            if let Some(id) = word(person, "id") {
                let roles = person.get("roles").and_then(Value::as_array).into_iter().flatten();
                let roles = roles.filter_map(|role| role.as_str().map(ToOwned::to_owned)).collect();
                people.roles.insert(id, roles);
            }
        }
        for account in blocks(&table, "account") {
            let shared = || word(account, "user").map(|user| format!("shared account {user}"));
            let Some(holder) = word(account, "person").or_else(shared) else { continue };
            let uid = account.get("uid").and_then(Value::as_integer).and_then(|uid| u32::try_from(uid).ok());
            let (host, user) = (word(account, "host"), word(account, "user"));
            people.accounts.push(Account { holder, host, uid, user });
        }
        for job in blocks(&table, "job") {
            if let (Some(program), Some(host), Some(user)) =
                (word(job, "program"), word(job, "host"), word(job, "user"))
            {
                people.jobs.insert((program, host, user));
            }
        }
        Ok(people)
    }

    /// Who holds the account: the roster's id, or the account itself; nothing where no login stands behind it.
    pub fn holder(&self, host: &str, actor: &Actor) -> Option<String> {
        if actor.login_uid.is_none() && actor.login_user.is_none() {
            return None;
        }
        let is_it = |account: &&Account| {
            account.host.as_deref().is_none_or(|own| own == host)
                && match (account.uid, actor.login_uid) {
                    (Some(own), Some(theirs)) => own == theirs,
                    _ => account.user.is_some() && account.user == actor.login_user,
                }
        };
        let found = self.accounts.iter().find(is_it).map(|account| account.holder.clone());
        found.or_else(|| actor.login_user.clone()).or_else(|| actor.login_uid.map(|uid| format!("uid {uid}")))
    }

    /// Whether the person looks after computers.
    pub fn is_privileged(&self, id: &str) -> bool {
        let roles = self.roles.get(id);
        roles.is_some_and(|roles| roles.contains("itadmin") || roles.contains("vendor"))
    }

    /// Whether this is a job of the roster: that program on that computer, as that account, without a login.
    pub fn is_job(&self, host: &str, event: &Event) -> bool {
        let actor = event.actor.as_ref();
        let exe = event.process.as_ref().and_then(|process| process.exe.clone());
        let user = actor.and_then(|actor| actor.effective_user.clone());
        let is_service = actor.is_some_and(|actor| actor.login_uid.is_none_or(|uid| uid == u32::MAX));
        match (exe, user) {
            (Some(exe), Some(user)) if is_service => self.jobs.contains(&(exe, host.to_owned(), user)),
            _ => false,
        }
    }
}

/// Opening hours by the table in force.
#[derive(Clone, Debug)]
pub struct Hours {
    days: BTreeMap<i8, Vec<(i16, i16)>>,
    closed_on: BTreeSet<String>,
}

impl Default for Hours {
    /// What the template for small practices says: Monday to Friday, 07:00 to 18:30.
    fn default() -> Self {
        let days = (1..=5).map(|day| (day, vec![(420, 1110)])).collect();
        Self { days, closed_on: BTreeSet::new() }
    }
}

impl Hours {
    /// From the text of a table; without a section for opening hours the practice never opens.
    pub fn parse(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("the policy is TOML")?;
        let mut hours = Self { days: BTreeMap::new(), closed_on: BTreeSet::new() };
        let Some(opening) = table.get("opening_hours").and_then(Value::as_table) else { return Ok(hours) };
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        for (number, day) in (1..).zip(days) {
            let text = opening.get(day).and_then(Value::as_str).unwrap_or_default();
            let spans = text.split(',').filter_map(|span| {
                let (from, to) = span.trim().split_once('-')?;
                Some((minute(from)?, minute(to)?))
            });
            hours.days.insert(number, spans.collect());
        }
        let closed = opening.get("closed_on").and_then(Value::as_array).into_iter().flatten();
        hours.closed_on = closed.filter_map(|day| day.as_str().map(ToOwned::to_owned)).collect();
        Ok(hours)
    }

    /// Whether the practice is open.
    pub fn is_open(&self, date: Date, minute: i16) -> bool {
        let spans = self.days.get(&date.weekday().to_monday_one_offset());
        !self.closed_on.contains(&date.to_string())
            && spans.is_some_and(|spans| spans.iter().any(|(from, to)| *from <= minute && minute < *to))
    }
}

fn minute(text: &str) -> Option<i16> {
    let (hour, minute) = text.trim().split_once(':')?;
    hour.parse::<i16>().ok()?.checked_mul(60)?.checked_add(minute.parse().ok()?)
}

fn blocks<'a>(table: &'a Table, name: &str) -> impl Iterator<Item = &'a Table> {
    table.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn word(table: &Table, key: &str) -> Option<String> {
    table.get(key).and_then(Value::as_str).map(ToOwned::to_owned)
}
