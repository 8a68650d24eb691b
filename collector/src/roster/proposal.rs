//! Accounts that were seen and are in nobody's entry: who probably holds them, ready for a person to confirm.
//!
//! A suggestion is never a fact: it names what it rests on, and nothing in the roster changes before somebody
//! confirms it. Where two people fit, nobody is suggested.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::event::{Actor, Confidence, Kind};
use serde::Serialize;

use super::raw::{Blocks, RawAccount};
use super::{Roster, account_on_host};
use crate::need_to_know::{Access, moment};
use crate::report::text::{count, list_of};

/// One account that nobody holds yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The account in words, with its machine: how `roster confirm` names it.
    pub account: String,
    /// Machine, where the account is of one machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Linux uid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// User name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Windows security identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Microsoft 365 user principal name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// Account in the health-record system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehr_user: Option<String>,
    /// Earliest record, as claimed.
    #[serde(with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// Latest.
    #[serde(with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Logins that succeeded or not.
    pub n_logins: u64,
    /// Everything else.
    pub n_accesses: u64,
    /// Whose it probably is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

/// Whose an account probably is, and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// Id of the person.
    pub person: String,
    /// What it rests on, in words.
    pub because: String,
}

/// Gathers unknown accounts, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    accounts: BTreeMap<String, (Proposal, BTreeSet<String>)>,
}

impl Gathering {
    /// Takes in one entry, as the roster of today sees it.
    pub fn observe(&mut self, access: &Access<'_>, roster: &Roster) {
        let Some(actor) = &access.event.actor else { return };
        if actor.confidence == Some(Confidence::Unattributed)
            || roster.account_of(access.host, actor).is_some()
        {
            return;
        }
        let Some(account) = account_on_host(access.host, actor) else { return };
        let (proposal, keys) = self
            .accounts
            .entry(account.clone())
            .or_insert_with(|| (Proposal::of(account, access.host, actor), BTreeSet::new()));
        let (first, last) = (access.local.map(|local| local.at), access.last());
        proposal.first_seen = [proposal.first_seen, first].into_iter().flatten().min();
        proposal.last_seen = [proposal.last_seen, last].into_iter().flatten().max();
        let n =
            if access.event.kind == Kind::Login { &mut proposal.n_logins } else { &mut proposal.n_accesses };
        *n = n.saturating_add(access.n_accesses());
        keys.extend(actor.key.clone());
    }

    /// The proposals, most used first.
    pub fn finish(self, roster: &Roster) -> Vec<Proposal> {
        let proposals = self.accounts.into_values().map(|(mut proposal, keys)| {
            proposal.suggestion = suggest(&proposal, &keys, roster);
            proposal
        });
        let mut proposals: Vec<_> = proposals.collect();
        proposals
            .sort_by_key(|proposal| std::cmp::Reverse(proposal.n_logins.saturating_add(proposal.n_accesses)));
        proposals
    }
}

impl Proposal {
    fn of(account: String, host: &str, actor: &Actor) -> Self {
        let uid = actor.login_uid.filter(|uid| *uid != super::LOGIN_UID_UNSET);
        let user = actor.login_user.clone();
        let is_local = uid.is_some() || user.is_some();
        Self {
            account,
            host: is_local.then(|| host.to_owned()),
            uid,
            user,
            sid: actor.sid.clone(),
            upn: actor.upn.clone(),
            ehr_user: actor.ehr_user.clone(),
            first_seen: None,
            last_seen: None,
            n_logins: 0,
            n_accesses: 0,
            suggestion: None,
        }
    }

    /// The `[[account]]` block that gives the account to one person, or to several who share it.
    pub fn block(&self, holders: &[String], confirmed_on: Option<Date>) -> Result<String, toml::ser::Error> {
        let (person, shared_by) = match holders {
            [person] => (Some(person.clone()), None),
            several => (None, Some(several.to_vec())),
        };
        let account = RawAccount {
            person,
            shared_by,
            host: self.host.clone(),
            uid: self.uid,
            user: self.user.clone(),
            sid: self.sid.clone(),
            upn: self.upn.clone(),
            ehr_user: self.ehr_user.clone(),
            known_to: None,
            confirmed_on: confirmed_on.map(|day| day.to_string()),
        };
        Blocks { account: vec![account], ..Blocks::default() }.to_toml()
    }

    /// Whether a person who typed this means the account: its whole name, or one as `temp@ws-02`.
    pub fn is_named(&self, text: &str) -> bool {
        let short = self.user.as_ref().zip(self.host.as_ref()).map(|(user, host)| format!("{user}@{host}"));
        self.account == text || short.as_deref() == Some(text)
    }

    /// What was seen, in words.
    pub fn sentence(&self, roster: &Roster) -> String {
        let mut seen = Vec::new();
        if self.n_logins > 0 {
            seen.push(count(self.n_logins, "login", "logins"));
        }
        if self.n_accesses > 0 {
            seen.push(count(self.n_accesses, "other record", "other records"));
        }
        let whose = self.suggestion.as_ref().map_or_else(
            || "Whose it is, the roster does not show.".to_owned(),
            |suggestion| {
                let name = roster
                    .person(&suggestion.person)
                    .map_or(suggestion.person.as_str(), |person| &person.name);
                format!("It may be held by {name}: {}.", suggestion.because)
            },
        );
        format!("Account {} is not in the roster: {}. {whose}", self.account, list_of(&seen))
    }
}

/// The first way that names exactly one person.
fn suggest(proposal: &Proposal, keys: &BTreeSet<String>, roster: &Roster) -> Option<Suggestion> {
    let only = |people: BTreeSet<&str>, because: &str| {
        let [person] = people.into_iter().collect::<Vec<_>>().try_into().ok()?;
        let [person]: [&str; 1] = [person];
        Some(Suggestion { person: person.to_owned(), because: because.to_owned() })
    };
    let by_key = roster.keys().iter().filter(|key| keys.contains(&key.fingerprint));
    let by_key = by_key.map(|key| key.person.as_str()).collect();
    let same_name = |account: &&super::Account| {
        account.user.is_some() && account.user.as_deref() == proposal.user.as_deref()
    };
    let by_name = roster.accounts().iter().filter(same_name).filter_map(|account| account.holder.person());
    let by_name = by_name.collect();
    let names = [&proposal.user, &proposal.upn, &proposal.ehr_user];
    let local_part = |text: &str| text.split('@').next().unwrap_or(text).to_ascii_lowercase();
    let names: BTreeSet<_> = names.into_iter().flatten().map(|name| local_part(name)).collect();
    let has_mail = |person: &&super::Person| {
        person.email.as_deref().is_some_and(|email| names.contains(&local_part(email)))
    };
    let by_mail = roster.persons().iter().filter(has_mail).map(|person| person.id.as_str()).collect();
    only(by_key, "a session of it was opened with a key that the roster gives to them")
        .or_else(|| only(by_name, "the roster gives them the same user name on another computer"))
        .or_else(|| only(by_mail, "their mail address begins with the same name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use jiff::tz::TimeZone;
    use ntk_evidence::event::Event;

    fn roster() -> Roster {
        Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap()
    }

    #[track_caller]
    fn check(events: &[&str], expected: Expect) {
        let roster = roster();
        let mut gathering = Gathering::default();
        for (number, event) in (0..).zip(events) {
            let event: Event = serde_json::from_str(event).unwrap();
            gathering.observe(&Access::new("agent/ws-02", "ws-02", number, &event, &TimeZone::UTC), &roster);
        }
        let lines = gathering.finish(&roster).into_iter().map(|proposal| {
            let holder =
                proposal.suggestion.as_ref().map_or("WHO", |suggestion| &suggestion.person).to_owned();
            let block = proposal.block(&[holder], Some(jiff::civil::date(2026, 11, 25))).unwrap();
            format!("{}\n{block}", proposal.sentence(&roster))
        });
        expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn unknown_accounts_are_counted_once_each_with_a_block_to_confirm() {
        check(
            &[
                r#"{"kind":"login","time":"2026-11-20T08:00:00Z","actor":{"login_uid":1044,"login_user":"temp"}}"#,
                r#"{"kind":"file_access","time":"2026-11-20T09:00:00Z","count":12,"last":"2026-11-20T09:30:00Z","actor":{"login_uid":1044,"login_user":"temp"}}"#,
                r#"{"kind":"file_access","time":"2026-11-21T09:00:00Z","actor":{"sid":"S-1-5-21-1-2-3-500"}}"#,
            ],
            expect![[r#"
                Account temp (uid 1044) on ws-02 is not in the roster: 1 login and 12 other records. Whose it is, the roster does not show.
                [[account]]
                person = "WHO"
                host = "ws-02"
                uid = 1044
                user = "temp"
                confirmed_on = "2026-11-25"

                Account S-1-5-21-1-2-3-500 is not in the roster: 1 other record. Whose it is, the roster does not show.
                [[account]]
                person = "WHO"
                sid = "S-1-5-21-1-2-3-500"
                confirmed_on = "2026-11-25"
            "#]],
        );
    }

    #[test]
    fn a_suggestion_rests_on_a_key_a_name_elsewhere_or_a_mail_address() {
        check(
            &[
                r#"{"kind":"login","time":"2026-11-20T08:00:00Z","actor":{"login_uid":0,"login_user":"root","key":"SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0"}}"#,
                r#"{"kind":"login","time":"2026-11-20T08:01:00Z","actor":{"login_uid":1007,"login_user":"itadmin1"}}"#,
                r#"{"kind":"login","time":"2026-11-20T08:02:00Z","actor":{"upn":"Chen@other.example"}}"#,
            ],
            expect![[r#"
                Account Chen@other.example is not in the roster: 1 login. It may be held by Dr. Chen: their mail address begins with the same name.
                [[account]]
                person = "drchen"
                upn = "Chen@other.example"
                confirmed_on = "2026-11-25"

                Account itadmin1 (uid 1007) on ws-02 is not in the roster: 1 login. It may be held by Northwind IT: the roster gives them the same user name on another computer.
                [[account]]
                person = "northwind"
                host = "ws-02"
                uid = 1007
                user = "itadmin1"
                confirmed_on = "2026-11-25"

                Account root (uid 0) on ws-02 is not in the roster: 1 login. It may be held by Northwind IT: a session of it was opened with a key that the roster gives to them.
                [[account]]
                person = "northwind"
                host = "ws-02"
                uid = 0
                user = "root"
                confirmed_on = "2026-11-25"
            "#]],
        );
    }

    #[test]
    fn known_accounts_typed_names_and_nobody_are_no_proposals() {
        check(
            &[
                r#"{"kind":"login","time":"2026-11-20T08:00:00Z","actor":{"login_uid":1010,"login_user":"frontdesk1"}}"#,
                r#"{"kind":"login","time":"2026-11-20T08:00:00Z","outcome":"failed","actor":{"claims":"admin","confidence":"unattributed"}}"#,
                r#"{"kind":"file_access","time":"2026-11-20T08:00:00Z","actor":{"login_uid":4294967295}}"#,
                r#"{"kind":"health","time":"2026-11-20T08:00:00Z"}"#,
            ],
            expect![""],
        );
    }
}
