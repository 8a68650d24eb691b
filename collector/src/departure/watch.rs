//! "Came back?": every use of what a person held, from the day on which nothing of it is used any more.
//!
//! Accounts that are in nobody's entry are listed beside it: nobody has confirmed that they are somebody else's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::event::{Actor, Confidence, Kind, Outcome};
use serde::Serialize;

use crate::need_to_know::{Access, moment};
use crate::report::text::count;
use crate::roster::{Roster, account_on_host};

/// How a record is about the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Link {
    /// An SSH key of theirs.
    Key,
    /// An account of theirs.
    Account,
    /// An account that they share.
    SharedAccount,
    /// The name of an account of theirs was typed at a login that failed.
    TypedName,
    /// An account that is in nobody's entry.
    Unconfirmed,
}

/// What was used, how often, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    link: Link,
    /// The account in words, with its machine.
    pub account: String,
    /// Logins.
    pub n_logins: u64,
    /// Logins that did not succeed, among them.
    pub n_refused: u64,
    /// Everything else.
    pub n_accesses: u64,
    /// First record, as claimed.
    #[serde(with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last.
    #[serde(with = "moment::option", skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// The watch over one person.
#[derive(Clone, Debug)]
pub struct Watch<'r> {
    roster: &'r Roster,
    person: &'r str,
    since: Date,
    uses: BTreeMap<(Link, String), Use>,
}

impl<'r> Watch<'r> {
    /// From the person's leave date on; none where no such date is known.
    pub fn over(roster: &'r Roster, person: &'r str) -> Option<Self> {
        Some(Self { roster, person, since: roster.leave_of(person)?, uses: BTreeMap::new() })
    }

    /// The first day watched.
    pub const fn since(&self) -> Date {
        self.since
    }

    /// Takes in one entry; the order does not matter.
    pub fn observe(&mut self, access: &Access<'_>) {
        // A record whose time cannot be read may be of any day: it is shown rather than left out.
        if access.local.is_some_and(|local| local.date < self.since) {
            return;
        }
        let Some(actor) = &access.event.actor else { return };
        let Some((link, account)) = self.link(access, actor) else { return };
        let used = self.uses.entry((link, account.clone())).or_insert_with(|| Use {
            link,
            account,
            n_logins: 0,
            n_refused: 0,
            n_accesses: 0,
            first: None,
            last: None,
        });
        let n = access.n_accesses();
        if access.event.kind == Kind::Login {
            used.n_logins = used.n_logins.saturating_add(n);
            if access.event.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::Success) {
                used.n_refused = used.n_refused.saturating_add(n);
            }
        } else {
            used.n_accesses = used.n_accesses.saturating_add(n);
        }
        used.first = [used.first, access.local.map(|local| local.at)].into_iter().flatten().min();
        used.last = [used.last, access.last()].into_iter().flatten().max();
    }

    /// What was used, theirs first.
    pub fn uses(self) -> Vec<Use> {
        self.uses.into_values().collect()
    }

    fn link(&self, access: &Access<'_>, actor: &Actor) -> Option<(Link, String)> {
        let (host, roster) = (access.host, self.roster);
        let in_words = || account_on_host(host, actor);
        if roster.holder_of_key(actor).is_some_and(|holder| holder.id == self.person) {
            let account =
                in_words().unwrap_or_else(|| format!("an account that the record does not name on {host}"));
            return Some((Link::Key, account));
        }
        if let (Kind::Login, Some(name)) = (&access.event.kind, &actor.claims)
            && actor.confidence == Some(Confidence::Unattributed)
        {
            let claimed = roster.claimed_person(host, name)?;
            return (claimed.id == self.person).then(|| (Link::TypedName, format!("{name} on {host}")));
        }
        if actor.confidence == Some(Confidence::Unattributed) {
            return None;
        }
        match roster.account_of(host, actor) {
            Some(account) if account.holder.person() == Some(self.person) => {
                Some((Link::Account, in_words()?))
            }
            Some(account) if account.holder.ids().iter().any(|id| id == self.person) => {
                Some((Link::SharedAccount, in_words()?))
            }
            Some(_) => None,
            None => Some((Link::Unconfirmed, in_words()?)),
        }
    }
}

impl Use {
    /// Whether what was used is the person's own by the roster: a key, an account, its typed name.
    pub const fn is_theirs(&self) -> bool {
        matches!(self.link, Link::Key | Link::Account | Link::TypedName)
    }

    /// The plain sentence.
    pub fn sentence(&self) -> String {
        let account = &self.account;
        let mut seen = Vec::new();
        if self.n_logins > 0 {
            let refused = match self.n_refused {
                0 => String::new(),
                n => format!(" ({} did not succeed)", crate::report::text::number(n)),
            };
            seen.push(format!("{}{refused}", count(self.n_logins, "login", "logins")));
        }
        if self.n_accesses > 0 {
            seen.push(count(self.n_accesses, "other record", "other records"));
        }
        let seen = crate::report::text::list_of(&seen);
        let when = match (self.first, self.last) {
            (Some(first), Some(last)) if first != last => format!(" from {first} to {last}"),
            (Some(at), _) | (None, Some(at)) => format!(" at {at}"),
            (None, None) => " at a time that cannot be read".to_owned(),
        };
        match self.link {
            Link::Key => format!("A key of theirs was used for account {account}: {seen}{when}."),
            Link::Account => format!("Account {account}, which they held: {seen}{when}."),
            Link::SharedAccount => {
                format!(
                    "Account {account}, which they shared: {seen}{when}. Which of its users it was, the records do not show."
                )
            }
            Link::TypedName => format!(
                "The name of account {account} was typed: {seen}{when}. Who typed it, the records do not show."
            ),
            Link::Unconfirmed => format!("Account {account}, which is in nobody’s entry: {seen}{when}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use jiff::tz::TimeZone;
    use ntk_evidence::event::Event;

    #[test]
    fn keys_accounts_typed_names_and_unconfirmed_accounts_are_watched_from_the_leave_date() {
        let text = r#"
            [[person]]
            id = "bea"
            name = "Bea Novak"
            roles = ["billing"]
            leave_date = "2026-11-20"
            [[person]]
            id = "sam"
            name = "Sam Ortiz"
            roles = ["frontdesk"]
            [[account]]
            person = "bea"
            user = "billing1"
            [[account]]
            person = "sam"
            user = "frontdesk1"
            [[account]]
            shared_by = ["bea", "sam"]
            user = "desk"
            [[ssh_key]]
            person = "bea"
            fingerprint = "SHA256:bea"
        "#;
        let roster = Roster::parse(text).unwrap();
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut watch = Watch::over(&roster, "bea").unwrap();
        assert!(Watch::over(&roster, "sam").is_none(), "nobody is watched who does not leave");
        for event in [
            // Still the 19th on the practice's wall.
            r#"{"kind":"login","time":"2026-11-20T04:59:00Z","outcome":"success","actor":{"login_user":"billing1"}}"#,
            r#"{"kind":"login","time":"2026-11-20T05:00:00Z","outcome":"success","actor":{"login_user":"billing1"}}"#,
            r#"{"kind":"login","time":"2026-11-21T05:00:00Z","outcome":"denied","actor":{"login_user":"billing1"}}"#,
            r#"{"kind":"file_access","time":"2026-11-21T06:00:00Z","count":40,"last":"2026-11-21T06:05:00Z","actor":{"login_user":"billing1"}}"#,
            r#"{"kind":"login","time":"2026-11-22T05:00:00Z","actor":{"login_user":"root","login_uid":0,"key":"SHA256:bea"}}"#,
            r#"{"kind":"login","time":"2026-11-22T06:00:00Z","outcome":"failed","actor":{"claims":"billing1","confidence":"unattributed"}}"#,
            r#"{"kind":"login","time":"2026-11-22T07:00:00Z","actor":{"login_user":"desk"}}"#,
            r#"{"kind":"login","time":"2026-11-22T08:00:00Z","actor":{"login_user":"helper","login_uid":1050}}"#,
            r#"{"kind":"login","time":"2026-11-22T08:00:00Z","actor":{"login_user":"frontdesk1"}}"#,
            r#"{"kind":"login","time":"2026-11-22T09:00:00Z","outcome":"failed","actor":{"claims":"frontdesk1","confidence":"unattributed"}}"#,
        ] {
            let event: Event = serde_json::from_str(event).unwrap();
            watch.observe(&Access::new("agent/ws-01", "ws-01", 0, &event, &zone));
        }
        let lines: Vec<_> = watch.uses().iter().map(Use::sentence).collect();
        expect![[r#"
            A key of theirs was used for account root (uid 0) on ws-01: 1 login at 2026-11-22T05:00:00Z.
            Account billing1 on ws-01, which they held: 2 logins (1 did not succeed) and 40 other records from 2026-11-20T05:00:00Z to 2026-11-21T06:05:00Z.
            Account desk on ws-01, which they shared: 1 login at 2026-11-22T07:00:00Z. Which of its users it was, the records do not show.
            The name of account billing1 on ws-01 was typed: 1 login (1 did not succeed) at 2026-11-22T06:00:00Z. Who typed it, the records do not show.
            Account helper (uid 1050) on ws-01, which is in nobody’s entry: 1 login at 2026-11-22T08:00:00Z."#]].assert_eq(&lines.join("\n"));
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(lines.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
        }
    }
}
