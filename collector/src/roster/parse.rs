//! From the text of a roster to a [`Roster`]: every fault named, with its key.

use jiff::civil::Date;
use ntk_evidence::event::Class;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{Account, Job, Key, Person, Roster};
use crate::policy::hours::parse_spans;

/// A roster that was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RosterError {
    /// The text is not TOML.
    #[error("the roster is not readable as TOML: {message}")]
    Toml {
        /// What the reader said, with line and column.
        message: String,
    },
    /// The text is TOML, but says things that cannot be.
    #[error("the roster has {} to mend:\n- {}", crate::report::text::count(faults.len(), "thing", "things"), faults.join("\n- "))]
    Faults {
        /// One sentence each, beginning with the key.
        faults: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPerson {
    id: String,
    name: String,
    roles: Vec<String>,
    organisation: Option<String>,
    email: Option<String>,
    employed_from: Option<String>,
    leave_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccount {
    person: String,
    host: Option<String>,
    uid: Option<u32>,
    user: Option<String>,
    sid: Option<String>,
    upn: Option<String>,
    ehr_user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    person: String,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJob {
    id: String,
    name: String,
    program: String,
    host: String,
    uid: Option<u32>,
    user: Option<String>,
    hours: Option<String>,
    classes: Vec<Class>,
}

pub(super) fn parse(text: &str) -> Result<Roster, RosterError> {
    let mut table: Table =
        toml::from_str(text).map_err(|error| RosterError::Toml { message: error.to_string() })?;
    let mut faults = Vec::new();
    let persons: Vec<(String, RawPerson)> = take(&mut table, "person", &mut faults);
    let accounts: Vec<(String, RawAccount)> = take(&mut table, "account", &mut faults);
    let keys: Vec<(String, RawKey)> = take(&mut table, "ssh_key", &mut faults);
    let jobs: Vec<(String, RawJob)> = take(&mut table, "job", &mut faults);
    for key in table.keys() {
        faults.push(format!("{key}: unknown; a roster has [[person]], [[account]], [[ssh_key]] and [[job]]"));
    }
    let mut roster = Roster { version: version_of(text), ..Roster::default() };
    for (key, raw) in persons {
        add_person(&mut roster, &key, raw, &mut faults);
    }
    for (key, raw) in accounts {
        add_account(&mut roster, &key, raw, &mut faults);
    }
    for (key, raw) in keys {
        add_key(&mut roster, &key, raw, &mut faults);
    }
    for (key, raw) in jobs {
        add_job(&mut roster, &key, raw, &mut faults);
    }
    if faults.is_empty() { Ok(roster) } else { Err(RosterError::Faults { faults }) }
}

/// Takes one list out of the table; each entry is read by itself, so that one bad entry hides no other.
fn take<T: DeserializeOwned>(table: &mut Table, name: &str, faults: &mut Vec<String>) -> Vec<(String, T)> {
    let entries = match table.remove(name) {
        None => return Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            faults.push(format!("{name}: write [[{name}]] with two brackets, once for each entry"));
            return Vec::new();
        }
    };
    let mut taken = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        let key = format!("{name}[{position}]");
        match entry.try_into::<T>() {
            Ok(raw) => taken.push((key, raw)),
            Err(error) => faults.push(format!("{key}: {}", error.to_string().trim().replace('\n', "; "))),
        }
    }
    taken
}

fn add_person(roster: &mut Roster, key: &str, raw: RawPerson, faults: &mut Vec<String>) {
    for (field, text) in [("id", &raw.id), ("name", &raw.name)] {
        if text.trim().is_empty() {
            faults.push(format!("{key}.{field}: is empty"));
        }
    }
    if roster.person(&raw.id).is_some() {
        faults.push(format!("{key}.id: `{}` is already another person's id", raw.id));
    }
    if raw.roles.is_empty() {
        faults.push(format!("{key}.roles: is empty; without a role no row of the table applies"));
    }
    if raw.email.as_deref().is_some_and(|email| !email.contains('@')) {
        faults.push(format!("{key}.email: is not a mail address"));
    }
    let mut date = |field: &str, text: Option<String>| {
        let text = text?;
        let date = text.parse::<Date>().ok();
        if date.is_none() {
            faults.push(format!("{key}.{field}: `{text}` is not a date; write it as \"2026-11-30\""));
        }
        date
    };
    let employed_from = date("employed_from", raw.employed_from);
    let leave_date = date("leave_date", raw.leave_date);
    if let (Some(from), Some(leave)) = (employed_from, leave_date)
        && leave < from
    {
        faults.push(format!("{key}.leave_date: is before employed_from"));
    }
    roster.persons.push(Person {
        id: raw.id,
        name: raw.name,
        roles: raw.roles,
        organisation: raw.organisation,
        email: raw.email,
        employed_from,
        leave_date,
        notice_given: None,
        is_organisation: false,
    });
}

fn add_account(roster: &mut Roster, key: &str, raw: RawAccount, faults: &mut Vec<String>) {
    must_exist(roster, key, &raw.person, faults);
    let account = Account {
        person: raw.person,
        host: raw.host,
        uid: raw.uid,
        user: raw.user,
        sid: raw.sid,
        upn: raw.upn,
        ehr_user: raw.ehr_user,
    };
    let names = [&account.user, &account.sid, &account.upn, &account.ehr_user];
    if account.uid.is_none() && names.iter().all(|name| name.is_none()) {
        faults.push(format!("{key}: names no account; give one of uid, user, sid, upn, ehr_user"));
    }
    if names.iter().any(|name| name.as_deref().is_some_and(|name| name.trim().is_empty())) {
        faults.push(format!("{key}: holds an empty name; leave the key out instead"));
    }
    if account.uid.is_some() && account.host.is_none() {
        faults.push(format!("{key}.uid: needs a host, because a uid means another account on each machine"));
    }
    if let Some(other) = roster.accounts.iter().find(|other| overlaps(other, &account)) {
        let advice = "leave a shared account out, so that it is shown as not in the roster";
        faults.push(format!("{key}: this account is already held by `{}`; {advice}", other.person));
    }
    roster.accounts.push(account);
}

fn overlaps(one: &Account, other: &Account) -> bool {
    fn same<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
        one.is_some() && one == other
    }
    let same_host = one.host.is_none() || other.host.is_none() || one.host == other.host;
    let uid_differs = one.uid.is_some() && other.uid.is_some() && one.uid != other.uid;
    same(&one.sid, &other.sid)
        || same(&one.upn, &other.upn)
        || same(&one.ehr_user, &other.ehr_user)
        || (same_host && (same(&one.uid, &other.uid) || (same(&one.user, &other.user) && !uid_differs)))
}

fn add_key(roster: &mut Roster, key: &str, raw: RawKey, faults: &mut Vec<String>) {
    must_exist(roster, key, &raw.person, faults);
    if !raw.fingerprint.starts_with("SHA256:") {
        faults.push(format!("{key}.fingerprint: write it as sshd does, `SHA256:...` (ssh-keygen -lf FILE)"));
    }
    if let Some(other) = roster.keys.iter().find(|other| other.fingerprint == raw.fingerprint) {
        faults.push(format!("{key}.fingerprint: this key is already held by `{}`", other.person));
    }
    roster.keys.push(Key { person: raw.person, fingerprint: raw.fingerprint });
}

fn add_job(roster: &mut Roster, key: &str, raw: RawJob, faults: &mut Vec<String>) {
    for (field, text) in [("id", &raw.id), ("name", &raw.name), ("host", &raw.host)] {
        if text.trim().is_empty() {
            faults.push(format!("{key}.{field}: is empty"));
        }
    }
    if roster.jobs.iter().any(|other| other.id == raw.id) {
        faults.push(format!("{key}.id: `{}` is already another job's id", raw.id));
    }
    let is_full_path = raw.program.starts_with('/') || raw.program.contains(":\\");
    if !is_full_path {
        faults.push(format!("{key}.program: `{}` is not a full path", raw.program));
    }
    if raw.uid.is_none() && raw.user.is_none() {
        faults.push(format!("{key}: names no account; give uid or user"));
    }
    if raw.classes.is_empty() {
        faults.push(format!("{key}.classes: is empty; name what the job may touch"));
    }
    for class in raw.classes.iter().filter(|class| !class.is_known()) {
        faults.push(format!("{key}.classes: `{class}` is none of {}", Class::WORDS.join(", ")));
    }
    let hours = match raw.hours.as_deref().map(parse_spans) {
        None => Vec::new(),
        Some(Ok(spans)) => spans,
        Some(Err(fault)) => {
            faults.push(format!("{key}.hours: {fault}"));
            Vec::new()
        }
    };
    roster.jobs.push(Job {
        id: raw.id,
        name: raw.name,
        program: raw.program,
        host: raw.host,
        uid: raw.uid,
        user: raw.user,
        hours,
        classes: raw.classes,
    });
}

fn must_exist(roster: &Roster, key: &str, person: &str, faults: &mut Vec<String>) {
    if roster.person(person).is_none() {
        faults.push(format!("{key}.person: nobody in the roster has the id `{person}`"));
    }
}

/// SHA-256 of a text in hex: the version of a roster, the hash of a policy.
pub(crate) fn version_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_fault_is_named_at_once() {
        let text = r#"
            [people]
            [[person]]
            id = "a"
            name = ""
            roles = []
            email = "nowhere"
            employed_from = "2026-11-30"
            leave_date = "2026-11-01"
            [[person]]
            id = "a"
            name = "B"
            roles = ["physician"]
            leave_date = "soon"
            [[person]]
            id = "c"
            nmae = "C"
            [[account]]
            person = "zoe"
            uid = 1001
            [[account]]
            person = "a"
            host = "ws-01"
            [[account]]
            person = "a"
            host = "ws-01"
            user = "x"
            [[account]]
            person = "a"
            user = "x"
            [[ssh_key]]
            person = "a"
            fingerprint = "MD5:00"
            [[job]]
            id = "j"
            name = "J"
            program = "restic"
            host = "ws-01"
            hours = "22:00-05:00"
            classes = ["mailbox", "post"]
        "#;
        let error = Roster::parse(text).unwrap_err();
        expect![[r#"
            the roster has 17 things to mend:
            - person[2]: unknown field `nmae`, expected one of `id`, `name`, `roles`, `organisation`, `email`, `employed_from`, `leave_date`
            - people: unknown; a roster has [[person]], [[account]], [[ssh_key]] and [[job]]
            - person[0].name: is empty
            - person[0].roles: is empty; without a role no row of the table applies
            - person[0].email: is not a mail address
            - person[0].leave_date: is before employed_from
            - person[1].id: `a` is already another person's id
            - person[1].leave_date: `soon` is not a date; write it as "2026-11-30"
            - account[0].person: nobody in the roster has the id `zoe`
            - account[0].uid: needs a host, because a uid means another account on each machine
            - account[1]: names no account; give one of uid, user, sid, upn, ehr_user
            - account[3]: this account is already held by `a`; leave a shared account out, so that it is shown as not in the roster
            - ssh_key[0].fingerprint: write it as sshd does, `SHA256:...` (ssh-keygen -lf FILE)
            - job[0].program: `restic` is not a full path
            - job[0]: names no account; give uid or user
            - job[0].classes: `post` is none of mailbox, voicemail, ehr, export, hr, backup, system, self
            - job[0].hours: `22:00-05:00` ends before it begins; write hours over midnight as two, "22:00-24:00, 00:00-05:00""#]]
        .assert_eq(&error.to_string());
    }

    #[test]
    fn text_that_is_not_toml_is_answered_with_the_place() {
        let error = Roster::parse("[[person]\nid = 1").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn the_version_is_the_hash_of_the_exact_text() {
        let empty = Roster::parse("").unwrap();
        assert_eq!(empty.version(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(Roster::parse("\n").unwrap().version(), empty.version());
    }
}
