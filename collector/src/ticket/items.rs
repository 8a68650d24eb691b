//! What a review says about tickets: late, self-approved, unused, broad ones, and access without any.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::echo::assignee;
use super::record::{Record, State};
use super::side::same_side;
use super::{Glass, ROLE, Scope, Ticket, Tickets};
use crate::policy::{Area, TicketTerms};
use crate::report::text::{count, duration};
use crate::roster::Roster;

/// From which length on a ticket is broad.
const BROAD_HOURS: SignedDuration = SignedDuration::from_hours(24);

/// What is to be said about a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// Approved by the assignee's own side, or tried to.
    SelfApproved,
    /// Approved when the work had begun.
    Late,
    /// Access without a ticket.
    BreakGlass,
    /// More hours or more of an area than one piece of work needs.
    Broad,
    /// Approved, over, and nothing rested on it.
    Unused,
    /// Over before anybody decided.
    ExpiredRequest,
    /// It allowed mailboxes: always listed.
    Mailbox,
}

/// One thing that the review lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketItem {
    /// What.
    pub kind: ItemKind,
    /// Number of the ticket or the break-glass.
    pub id: String,
    /// For people; accuses nobody (RP-3).
    pub sentence: String,
    /// Whether somebody has to decide; otherwise it is listed only.
    pub is_to_decide: bool,
}

/// How a ticket was used, as the decisions say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Accesses that rested on it.
    pub n_accesses: u64,
    /// Accesses that it would have explained, had it been approved before.
    pub n_before_approval: u64,
}

/// The period of a review and what it rests on.
#[derive(Clone, Copy, Debug)]
pub struct Period<'a> {
    /// The roster in force.
    pub roster: &'a Roster,
    /// What a ticket must have.
    pub terms: &'a TicketTerms,
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub to: Timestamp,
    /// When the review is made.
    pub now: Timestamp,
}

/// Everything to say about the tickets of a period, worst first. `usage` is by number of the ticket.
pub fn items(tickets: &Tickets, usage: &BTreeMap<String, Usage>, period: Period<'_>) -> Vec<TicketItem> {
    let mut items = Vec::new();
    for record in tickets.records() {
        let usage = usage.get(&record.request.id).copied().unwrap_or_default();
        Speaker { record, period, items: &mut items }.all(usage);
    }
    items.extend(tickets.glasses().filter_map(|glass| break_glass(glass, period)));
    items.sort_by_key(|item| (!item.is_to_decide, item.kind));
    items
}

struct Speaker<'a> {
    record: &'a Record,
    period: Period<'a>,
    items: &'a mut Vec<TicketItem>,
}

impl Speaker<'_> {
    fn all(&mut self, usage: Usage) {
        let attempts = self.record.attempts.iter().filter(|attempt| self.period.holds(attempt.at));
        let names: Vec<_> = attempts.map(|attempt| self.name(&attempt.by)).collect();
        if let Some(by) = names.first() {
            let times = if names.len() == 1 { "once".into() } else { format!("{} times", names.len()) };
            self.say(
                ItemKind::SelfApproved,
                format!("was to be approved from the side it is for, by {by}, {times}; it was refused."),
            );
        }
        let is_expired = self.record.state(self.period.terms, self.period.now) == State::Expired;
        if is_expired && self.period.holds(self.record.request.to) {
            self.say(
                ItemKind::ExpiredRequest,
                "was asked for, and its time passed before anybody decided.".into(),
            );
        }
        if let Some(ticket) = self.record.ticket() {
            self.approved(&ticket, usage);
        }
    }

    fn approved(&mut self, ticket: &Ticket, usage: Usage) {
        let roster = self.period.roster;
        let approved_at = ticket.approved_at.unwrap_or(ticket.from);
        let approvers = [Some(&ticket.approved_by), ticket.second_approved_by.as_ref()];
        let own =
            approvers.into_iter().flatten().find(|by| same_side(by, &ticket.assignee, roster).is_some());
        if self.period.holds(approved_at) {
            if let Some(by) = own {
                let by = self.name(by);
                self.say(
                    ItemKind::SelfApproved,
                    format!("was approved by {by}, on the side it is for; it explains nothing."),
                );
            }
            if usage.n_before_approval > 0 && approved_at > ticket.from {
                let n = count(usage.n_before_approval, "access", "accesses");
                self.say(ItemKind::Late, format!("was approved after {n} that it would have covered."));
            }
            self.broad(ticket, usage);
            if ticket.class.class() == Area::Mailbox {
                let by: Vec<_> = approvers.into_iter().flatten().map(|by| self.name(by)).collect();
                let n = count(usage.n_accesses, "access", "accesses");
                let by = crate::report::text::list_of(&by);
                self.say(
                    ItemKind::Mailbox,
                    format!("allowed mailboxes, approved by {by}; {n} rested on it."),
                );
            }
        }
        let is_over = own.is_none() && ticket.to <= self.period.now && ticket.to >= ticket.from;
        let needs = self.record.state(self.period.terms, ticket.from);
        if is_over && needs != State::AwaitsSecond && self.period.holds(ticket.to) && usage.n_accesses == 0 {
            self.say(ItemKind::Unused, "was approved and is over, and no access rested on it.".into());
        }
    }

    fn broad(&mut self, ticket: &Ticket, usage: Usage) {
        let mut wide = Vec::new();
        // As it was approved: a closing afterwards does not make it narrow.
        let length = self.record.request.to.duration_since(self.record.request.from);
        if length > BROAD_HOURS {
            wide.push(format!("for {}", duration(length)));
        }
        let is_sensitive = matches!(ticket.class.class(), Area::Mailbox | Area::Hr | Area::Export);
        let is_person = !ticket.assignee.starts_with(ROLE)
            && self.period.roster.person(&ticket.assignee).is_none_or(|person| !person.is_organisation);
        if is_sensitive && is_person && ticket.scope == Scope::Everything {
            let area = ticket.class.heading().to_lowercase();
            wide.push(format!("for all {area}, not for one owner or machine"));
        }
        if !wide.is_empty() {
            let n = count(usage.n_accesses, "access", "accesses");
            let wide = wide.join(", and ");
            self.say(ItemKind::Broad, format!("was approved {wide}; {n} rested on it so far."));
        }
    }

    fn say(&mut self, kind: ItemKind, ending: String) {
        let request = &self.record.request;
        let who = assignee(&request.assignee, self.period.roster);
        let sentence = format!("{} {} for {who} {ending}", request.kind.in_words(), request.id);
        let is_to_decide = kind != ItemKind::Mailbox;
        self.items.push(TicketItem { kind, id: request.id.clone(), sentence, is_to_decide });
    }

    fn name(&self, id: &str) -> String {
        assignee(id, self.period.roster)
    }
}

impl Period<'_> {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// A break-glass of the period, and one of any time before that nobody has acknowledged.
fn break_glass(glass: &Glass, period: Period<'_>) -> Option<TicketItem> {
    let is_new = period.holds(glass.opened_at);
    let is_waiting = glass.acknowledged.is_none() && glass.opened_at < period.to;
    let opened = &glass.glass;
    let who = assignee(&opened.person, period.roster);
    let ending = match &glass.acknowledged {
        Some(signed) => format!("{} has acknowledged it", assignee(&signed.by, period.roster)),
        None => "nobody has acknowledged it yet".to_owned(),
    };
    let hours = duration(opened.to.duration_since(opened.from));
    let sentence = format!(
        "Break-glass {}: {who} took access without a ticket for {hours}, saying “{}”; {ending}.",
        opened.id, opened.reason
    );
    (is_new || is_waiting).then(|| TicketItem {
        kind: ItemKind::BreakGlass,
        id: opened.id.clone(),
        sentence,
        is_to_decide: glass.acknowledged.is_none(),
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    use super::super::tests::{asked, at, roster, sign, terms};
    use super::*;

    #[track_caller]
    fn check(book: &Tickets, usage: Usage, expected: Expect) {
        let (roster, terms) = (roster(), terms());
        let day = SignedDuration::from_hours(24);
        let (from, to) = (at("00:00"), at("00:00").checked_add(day).unwrap());
        let period = Period { roster: &roster, terms: &terms, from, to, now: to };
        let usage = BTreeMap::from([("T-1".to_owned(), usage)]);
        let mut text = String::new();
        for item in items(book, &usage, period) {
            let lower = item.sentence.to_lowercase();
            for word in crate::finding::wording::ACCUSING_WORDS {
                assert!(!lower.contains(word), "`{word}` in {lower}");
            }
            let mark = if item.is_to_decide { "decide" } else { "listed" };
            text.push_str(&format!("{mark}: {}\n", item.sentence));
        }
        expected.assert_eq(&text);
    }

    fn used(n_accesses: u64) -> Usage {
        Usage { n_accesses, n_before_approval: 0 }
    }

    fn approved(json: Value, by: &str) -> Tickets {
        let mut book = asked(json);
        sign(&mut book, by, "14:30");
        book
    }

    #[test]
    fn a_ticket_as_it_should_be_is_no_item() {
        check(&approved(json!({"owner": "sam"}), "mary"), used(3), expect![[r#""#]]);
    }

    #[test]
    fn late_unused_broad_expired_and_self_approved_ones_are_items() {
        let late = Usage { n_accesses: 3, n_before_approval: 12 };
        check(
            &approved(json!({"owner": "sam"}), "mary"),
            late,
            expect![[r#"
            decide: Ticket T-1 for Northwind IT was approved after 12 accesses that it would have covered.
        "#]],
        );
        check(
            &approved(json!({"owner": "sam"}), "mary"),
            used(0),
            expect![[r#"
            decide: Ticket T-1 for Northwind IT was approved and is over, and no access rested on it.
        "#]],
        );
        check(
            &approved(json!({}), "mary"),
            used(3),
            expect![[r#"
                decide: Ticket T-1 for Northwind IT was approved for all record exports, not for one owner or machine; 3 accesses rested on it so far.
            "#]],
        );
        let long = json!({"to": "2026-11-29T14:00", "class": "system", "kind": "on_call"});
        check(
            &approved(long, "mary"),
            used(3),
            expect![[r#"
                decide: On-call ticket T-1 for Northwind IT was approved for 2 days; 3 accesses rested on it so far.
            "#]],
        );
        check(
            &asked(json!({})),
            used(0),
            expect![[r#"
            decide: Ticket T-1 for Northwind IT was asked for, and its time passed before anybody decided.
        "#]],
        );
        check(
            &approved(json!({"owner": "sam"}), "tess"),
            used(0),
            expect![[r#"
                decide: Ticket T-1 for Northwind IT was approved by Tess Hall, on the side it is for; it explains nothing.
            "#]],
        );
        let mut book = asked(json!({"owner": "sam"}));
        let refused = json!({"step": "refused", "id": "T-1", "by": "tess", "why": "own firm"});
        for _ in 0..2 {
            book.apply(at("14:10"), "act_ticket", &refused).unwrap();
        }
        sign(&mut book, "mary", "14:30");
        check(
            &book,
            used(1),
            expect![[r#"
            decide: Ticket T-1 for Northwind IT was to be approved from the side it is for, by Tess Hall, 2 times; it was refused.
        "#]],
        );
    }

    #[test]
    fn a_mailbox_ticket_is_always_listed() {
        let mut book = approved(json!({"class": "mailbox", "owner": "sam"}), "mary");
        sign(&mut book, "drchen", "14:40");
        check(
            &book,
            used(1),
            expect![[r#"
            listed: Ticket T-1 for Northwind IT allowed mailboxes, approved by Mary Lopez and Dr. Chen; 1 access rested on it.
        "#]],
        );
    }

    #[test]
    fn break_glass_is_an_item_until_another_person_acknowledges_it() {
        let mut book = Tickets::default();
        let opened = json!({"step": "opened", "id": "B-1", "person": "northwind", "reason": "server down", "from": at("14:00").to_string(), "to": at("18:00").to_string()});
        book.apply(at("14:00"), "act_break_glass", &opened).unwrap();
        check(
            &book,
            used(0),
            expect![[r#"
            decide: Break-glass B-1: Northwind IT took access without a ticket for 4 hours, saying “server down”; nobody has acknowledged it yet.
        "#]],
        );
        let seen = json!({"step": "acknowledged", "id": "B-1", "by": "mary", "proof": "passphrase"});
        book.apply(at("15:00"), "act_break_glass", &seen).unwrap();
        check(
            &book,
            used(0),
            expect![[r#"
            listed: Break-glass B-1: Northwind IT took access without a ticket for 4 hours, saying “server down”; Mary Lopez has acknowledged it.
        "#]],
        );
    }
}
