//! What another text makes different, in plain words: shown to who imports it, and kept in the act.
//!
//! A whole text replaces what commands have added, so what it leaves out is named first.

use super::{Account, Person, Roster};
use crate::report::text::{capitalise, count, list_of};

/// How many names are listed before they are only counted.
const NAMES_MAX: usize = 5;

/// Sentences about what the second roster says otherwise than the first; none where they say the same.
pub fn changes(before: &Roster, after: &Roster) -> Vec<String> {
    let mut sentences = leave_dates(before, after);
    let lost = before.acknowledgements().iter().filter(|said| !after.acknowledgements().contains(said));
    let lost = lost.count();
    if lost > 0 {
        sentences.push(format!(
            "{} no longer in the roster.",
            is_or_are(lost, "acknowledgement", "acknowledgements")
        ));
    }
    let people = |of: &Roster, other: &Roster| {
        let missing = of.persons().iter().filter(|person| other.person(&person.id).is_none());
        missing.map(|person| person.name.clone()).collect::<Vec<_>>()
    };
    say(&mut sentences, people(before, after), ("person", "people"), "no longer in the roster");
    say(&mut sentences, people(after, before), ("person", "people"), "new");
    let accounts = |of: &Roster, other: &Roster| {
        let missing = of.accounts().iter().filter(|account| same(other, account).is_none());
        missing.map(Account::in_words).collect::<Vec<_>>()
    };
    say(&mut sentences, accounts(before, after), ("account", "accounts"), "no longer in the roster");
    say(&mut sentences, accounts(after, before), ("account", "accounts"), "new");
    let moved = after
        .accounts()
        .iter()
        .filter(|account| same(before, account).is_some_and(|earlier| earlier.holder != account.holder));
    say(
        &mut sentences,
        moved.map(Account::in_words).collect(),
        ("account", "accounts"),
        "held by somebody else",
    );
    let keys = after.keys().iter().filter(|key| !before.keys().contains(key)).count();
    if keys > 0 {
        sentences.push(format!("{} new or held by somebody else.", is_or_are(keys, "SSH key", "SSH keys")));
    }
    let keys = before.keys().iter().filter(|key| !after.keys().contains(key)).count();
    if keys > 0 {
        sentences.push(format!("{} no longer held as before.", is_or_are(keys, "SSH key", "SSH keys")));
    }
    let roles = after
        .persons()
        .iter()
        .filter(|person| before.person(&person.id).is_some_and(|earlier| earlier.roles != person.roles));
    for person in roles {
        sentences.push(format!("{} now has the {}.", person.name, roles_of(person)));
    }
    if before.jobs() != after.jobs() {
        sentences.push("The jobs are not the same as before.".to_owned());
    }
    if before.all_covers() != after.all_covers() {
        sentences.push("The covers are not the same as before.".to_owned());
    }
    sentences
}

fn leave_dates(before: &Roster, after: &Roster) -> Vec<String> {
    let mut sentences = Vec::new();
    for person in before.persons() {
        let Some(later) = after.person(&person.id) else { continue };
        match (person.leave_date, later.leave_date) {
            (Some(was), None) => sentences
                .push(format!("The leave date of {}, {was}, is no longer in the roster.", person.in_words())),
            (was, Some(is)) if was != Some(is) => {
                sentences.push(format!("The leave date of {} is now {is}.", person.in_words()));
            }
            _ => {}
        }
    }
    sentences
}

fn same<'r>(roster: &'r Roster, account: &Account) -> Option<&'r Account> {
    let names = |account: &Account| {
        let Account { host, uid, user, sid, upn, ehr_user, .. } = account.clone();
        (host, uid, user, sid, upn, ehr_user)
    };
    roster.accounts().iter().find(|other| names(other) == names(account))
}

fn roles_of(person: &Person) -> String {
    let word = if person.roles.len() == 1 { "role" } else { "roles" };
    format!("{word} {}", list_of(&person.roles))
}

fn say(sentences: &mut Vec<String>, names: Vec<String>, (one, more): (&str, &str), what: &str) {
    if names.is_empty() {
        return;
    }
    let n = is_or_are(names.len(), one, more);
    let listed = if names.len() > NAMES_MAX { String::new() } else { format!(": {}", list_of(&names)) };
    sentences.push(capitalise(&format!("{n} {what}{listed}.")));
}

fn is_or_are(n: usize, one: &str, more: &str) -> String {
    format!("{} {}", count(n, one, more), if n == 1 { "is" } else { "are" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const EXAMPLE: &str = include_str!("../../templates/roster-example.toml");

    #[track_caller]
    fn check(before: &str, after: &str, expected: Expect) {
        let (before, after) = (Roster::parse(before).unwrap(), Roster::parse(after).unwrap());
        expected.assert_eq(&changes(&before, &after).join("\n"));
    }

    #[test]
    fn what_an_import_leaves_out_is_said_first() {
        let leave = "\n[[leave]]\nperson = \"sam\"\non = \"2026-12-01\"\n";
        check(
            &[EXAMPLE, leave].concat(),
            EXAMPLE,
            expect!["The leave date of Sam Ortiz, 2026-12-01, is no longer in the roster."],
        );
    }

    #[test]
    fn a_first_roster_is_counted_and_an_equal_one_is_silent() {
        check(
            "",
            EXAMPLE,
            expect![[r#"
            5 people are new: Mary Lopez, Dr. Chen, Sam Ortiz, Bea Novak and Northwind IT.
            5 accounts are new: itadmin1 (uid 1001) on ws-01, frontdesk1, drchen, CHEN, mlopez, mary@maplestreet.example and billing1.
            1 SSH key is new or held by somebody else.
            The jobs are not the same as before."#]],
        );
        check(EXAMPLE, &EXAMPLE.replace("#", "# "), expect![[""]]);
    }

    #[test]
    fn holders_roles_and_jobs_that_changed_are_named() {
        let after = EXAMPLE
            .replace("person = \"sam\"", "person = \"mary\"")
            .replace("[\"billing\"]", "[\"billing\", \"hr\"]");
        check(
            EXAMPLE,
            &after.replace("02:00-05:00", "01:00-05:00"),
            expect![[r#"
            1 account is held by somebody else: frontdesk1.
            Bea Novak now has the roles billing and hr.
            The jobs are not the same as before."#]],
        );
    }
}
