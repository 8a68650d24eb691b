//! What in the roster itself waits for a person: shared accounts, ended contracts, unread notices.

use jiff::civil::Date;
use serde::Serialize;

use super::{Person, Roster};
use crate::report::text::{count, list_of};

/// What an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Several people use one account.
    SharedAccount,
    /// Somebody else than its holder knows an account's password, and has left.
    KnownPassword,
    /// A contract has ended and no leave date is written down.
    ContractEnded,
    /// A notice in force that people have not acknowledged.
    NotAcknowledged,
}

/// One thing in the roster that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RosterItem {
    /// What it is about.
    pub kind: ItemKind,
    /// The plain sentence, with what to do.
    pub sentence: String,
    /// The people it is about (ids).
    pub persons: Vec<String>,
}

/// Everything in the roster that waits for a person on a day.
pub fn roster_items(roster: &Roster, on: Date) -> Vec<RosterItem> {
    [shared(roster), known_passwords(roster, on), contracts(roster, on), notices(roster, on)].concat()
}

fn shared(roster: &Roster) -> Vec<RosterItem> {
    let item = |account: &super::Account| {
        let persons = account.holder.ids().to_vec();
        let sentence = format!(
            "Account {} is shared by {}: a record of it does not show which of them it was. An account for each of them would.",
            account.in_words(),
            names(roster, &persons),
        );
        RosterItem { kind: ItemKind::SharedAccount, sentence, persons }
    };
    roster.shared_accounts().map(item).collect()
}

fn known_passwords(roster: &Roster, on: Date) -> Vec<RosterItem> {
    let mut items = Vec::new();
    for account in roster.accounts() {
        let users = if account.is_shared() { account.holder.ids() } else { &[] };
        let gone = account.known_to.iter().chain(users).filter(|id| has_left(roster, id, on));
        let persons: Vec<String> = gone.cloned().collect();
        if !persons.is_empty() {
            let sentence = format!(
                "The password of account {} is also known to {}, whose leave date has come: change it, then correct the roster.",
                account.in_words(),
                names(roster, &persons),
            );
            items.push(RosterItem { kind: ItemKind::KnownPassword, sentence, persons });
        }
    }
    items
}

fn contracts(roster: &Roster, on: Date) -> Vec<RosterItem> {
    let has_ended = |person: &&Person| {
        let is_settled = person.written.leave_date.is_some()
            || roster.leave().iter().any(|leave| leave.person == person.id && leave.on.is_some());
        person.contract_until.is_some_and(|last| last < on) && !is_settled
    };
    let item = |person: &Person| RosterItem {
        kind: ItemKind::ContractEnded,
        sentence: format!(
            "The contract of {} ended on {}, and no leave date is recorded: record it with `ntk-collector leave {} --on DATE`, or correct the contract.",
            person.in_words(),
            person.contract_until.map(|last| last.to_string()).unwrap_or_default(),
            person.id,
        ),
        persons: vec![person.id.clone()],
    };
    roster.persons().iter().filter(has_ended).map(item).collect()
}

fn notices(roster: &Roster, on: Date) -> Vec<RosterItem> {
    let mut items = Vec::new();
    for notice in roster.notices_in_force(on) {
        let is_here = |person: &&Person| {
            person.employed_from.is_none_or(|first| first <= on) && !has_left(roster, &person.id, on)
        };
        let open = roster.persons().iter().filter(is_here);
        let open = open.filter(|person| !roster.acknowledged(&person.id, &notice.id, on));
        let persons: Vec<String> = open.map(|person| person.id.clone()).collect();
        if persons.is_empty() {
            continue;
        }
        let (verb, n) =
            (if persons.len() == 1 { "has" } else { "have" }, count(persons.len(), "person", "people"));
        let sentence = format!(
            "{n} {verb} not acknowledged “{}”, version {}, in force since {}: {}.",
            notice.title,
            notice.version,
            notice.in_force_from,
            names(roster, &persons),
        );
        items.push(RosterItem { kind: ItemKind::NotAcknowledged, sentence, persons });
    }
    items
}

fn has_left(roster: &Roster, person: &str, on: Date) -> bool {
    roster.leave_of(person).is_some_and(|leave| leave <= on)
}

fn names(roster: &Roster, ids: &[String]) -> String {
    let names =
        ids.iter().map(|id| roster.person(id).map_or_else(|| id.clone(), |person| person.name.clone()));
    list_of(&names.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_item_is_a_plain_sentence_with_what_to_do() {
        let text = r#"
            [[organisation]]
            id = "northwind"
            name = "Northwind IT"
            roles = ["itadmin"]
            contract_until = "2026-10-31"
            [[person]]
            id = "sam"
            name = "Sam Ortiz"
            roles = ["frontdesk"]
            [[person]]
            id = "bea"
            name = "Bea Novak"
            roles = ["billing"]
            leave_date = "2026-11-20"
            [[person]]
            id = "new"
            name = "Ny Doe"
            roles = ["billing"]
            employed_from = "2027-01-01"
            [[account]]
            shared_by = ["sam", "bea"]
            user = "desk"
            [[account]]
            person = "sam"
            upn = "sam@maplestreet.example"
            known_to = ["northwind"]
            [[notice]]
            id = "monitoring"
            title = "Access is recorded"
            version = "2"
            kind = "monitoring"
            in_force_from = "2026-11-01"
        "#;
        let items = roster_items(&Roster::parse(text).unwrap(), jiff::civil::date(2026, 11, 25));
        let lines: Vec<_> = items.iter().map(|item| format!("{:?}: {}", item.kind, item.sentence)).collect();
        expect![[r#"
            SharedAccount: Account desk is shared by Sam Ortiz and Bea Novak: a record of it does not show which of them it was. An account for each of them would.
            KnownPassword: The password of account desk is also known to Bea Novak, whose leave date has come: change it, then correct the roster.
            KnownPassword: The password of account sam@maplestreet.example is also known to Northwind IT, whose leave date has come: change it, then correct the roster.
            ContractEnded: The contract of Northwind IT ended on 2026-10-31, and no leave date is recorded: record it with `ntk-collector leave northwind --on DATE`, or correct the contract.
            NotAcknowledged: 1 person has not acknowledged “Access is recorded”, version 2, in force since 2026-11-01: Sam Ortiz."#]].assert_eq(&lines.join("\n"));
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(lines.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
        }
    }
}
