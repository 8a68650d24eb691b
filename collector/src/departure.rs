//! Leaving: what a person holds, in the order in which it is taken back, who ticked what off, and what was used after.
//!
//! Pure: the list comes from the roster (and from what the machines' inventories say, where agents report one),
//! ticks from acts, the watch from entries. The order is that of urgency: what reaches in from outside first,
//! what opens a door last. Nothing here says that anybody did anything; it says what a record shows.

mod book;
mod holdings;
mod inventory;
mod watch;

pub use book::{DepartureFault, DepartureStep, Tick, Ticks};
pub use holdings::{Held, checklist, held};
pub use inventory::{Holding, Inventory};
pub use watch::{Use, Watch};

use jiff::civil::Date;
use serde::Serialize;

use crate::roster::Roster;

/// What kind of thing a step takes back; the order of the kinds is the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Open sessions.
    Sessions,
    /// Remote-support tools.
    RemoteTools,
    /// Administrator groups and sudoers.
    AdminGroups,
    /// Accounts, machine by machine.
    Accounts,
    /// SSH keys.
    Keys,
    /// Mailbox, forwards, delegates, phones that synchronise.
    Mail,
    /// Passwords that they know.
    Passwords,
    /// Programs that run as them.
    Jobs,
    /// Covers that name them.
    Covers,
    /// Contracts.
    Contracts,
    /// Keys of doors, phones, papers.
    Things,
}

/// One thing to do when a person leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Short name by which it is ticked; the same as long as the roster says the same.
    pub id: String,
    /// What to do.
    pub what: String,
    /// Why, in one sentence.
    pub why: String,
    /// Where it stands in the list.
    pub order: Order,
    /// Since when a machine tells of it, RFC 3339; absent for what the roster says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// What follows from a person's leave date, in plain words.
pub fn follows(roster: &Roster, person: &str, today: Date) -> Vec<String> {
    let Some(who) = roster.person(person) else { return Vec::new() };
    let name = who.in_words();
    let Some(on) = who.leave_date else {
        return vec![format!("No leave date of {name} is in force: what they hold is judged as before.")];
    };
    let mut sentences = vec![format!(
        "From {on} on, every login and access by {name}, with their keys, and by accounts that nobody has confirmed as somebody else’s is shown as urgent."
    )];
    if who.leave_date == by_roster(roster, person) {
        sentences.push(
            "This date comes from their own entry in the roster: leave date or end of contract.".into(),
        );
    } else if on > today {
        sentences.push(format!(
            "Until then it can be taken back: ntk-collector leave {person} --withdraw --by WHO. Both stay in the ledger."
        ));
    } else {
        sentences.push("That day has come, so it holds now and is no longer withdrawn.".into());
    }
    let n = checklist(roster, person, None).len();
    sentences.push(format!(
        "{} to do, in order: ntk-collector departure {person}",
        crate::report::text::count(n, "thing", "things")
    ));
    sentences
}

/// The leave date where no `[[leave]]` block set it.
fn by_roster(roster: &Roster, person: &str) -> Option<Date> {
    let last = roster.leave().iter().rev().find(|block| block.person == person);
    if last.is_some_and(|block| block.on.is_some()) { None } else { roster.leave_of(person) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use jiff::civil::date;

    #[test]
    fn what_follows_is_said_for_each_way_to_a_leave_date() {
        let bea = "[[person]]\nid = \"bea\"\nname = \"Bea Novak\"\nroles = [\"billing\"]\n";
        let leave = "[[leave]]\nperson = \"bea\"\non = \"2026-12-01\"\n";
        let said = |text: String, today| follows(&Roster::parse(&text).unwrap(), "bea", today).join("\n");
        let (before, after) = (date(2026, 11, 25), date(2026, 12, 1));
        let all = [
            said(bea.to_owned(), before),
            said([bea, leave].concat(), before),
            said([bea, leave].concat(), after),
            said([bea, "contract_until = \"2026-11-30\"\n"].concat(), before),
        ];
        expect![[r#"
            No leave date of Bea Novak is in force: what they hold is judged as before.

            From 2026-12-01 on, every login and access by Bea Novak, with their keys, and by accounts that nobody has confirmed as somebody else’s is shown as urgent.
            Until then it can be taken back: ntk-collector leave bea --withdraw --by WHO. Both stay in the ledger.
            4 things to do, in order: ntk-collector departure bea

            From 2026-12-01 on, every login and access by Bea Novak, with their keys, and by accounts that nobody has confirmed as somebody else’s is shown as urgent.
            That day has come, so it holds now and is no longer withdrawn.
            4 things to do, in order: ntk-collector departure bea

            From 2026-12-01 on, every login and access by Bea Novak, with their keys, and by accounts that nobody has confirmed as somebody else’s is shown as urgent.
            This date comes from their own entry in the roster: leave date or end of contract.
            4 things to do, in order: ntk-collector departure bea"#]].assert_eq(&all.join("\n\n"));
    }
}
