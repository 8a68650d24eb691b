//! Break-glass, tickets and the roster: what a review lists of them, and what of it waits for a person. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::acts::name;
use super::text::{capitalise, count, duration, list_of, moment, number};
use super::{Matter, RosterPart, UnknownAccount};
use crate::baseline::Proposal as StandingPermit;
use crate::need_to_know::{Access, Decision};
use crate::roster::Roster;
use crate::roster::proposal::Proposal as AccountSeen;
use crate::ticket::Tickets;
use crate::ticket::items::{ItemKind, Period, Usage, items};
use crate::ticket::record::{Glass, Record};

/// So many assets are named beside what rested on a ticket.
const ASSETS_MAX: usize = 3;
/// So many accounts are listed; more are counted.
const ACCOUNTS_MAX: usize = 12;
/// So many programs are named.
const PROGRAMS_MAX: usize = 3;

/// What rested on tickets and break-glass in the week: accesses by number, then by asset.
#[derive(Clone, Debug, Default)]
pub struct Rested(BTreeMap<String, BTreeMap<String, u64>>);

impl Rested {
    /// Takes in one entry.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let Some(asset) = decision.asset.as_ref().filter(|_| decision.is_explained()) else { return };
        let ids = decision.reasons.iter().filter_map(|reason| reason.rule.split_once(':'));
        for (_, id) in ids.filter(|(kind, _)| matches!(*kind, "ticket" | "break-glass")) {
            let n = self.0.entry(id.to_owned()).or_default().entry(asset.label.clone()).or_default();
            *n = n.saturating_add(access.n_accesses());
        }
    }

    /// Numbers of the tickets and break-glass on which something rested.
    pub fn ids(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    fn n(&self, id: &str) -> u64 {
        self.0.get(id).map_or(0, |assets| assets.values().fold(0, |sum, n| sum.saturating_add(*n)))
    }

    /// ` (the manager’s mailbox 3, logging in on srv-01 1)`.
    fn assets(&self, id: &str) -> String {
        let mut assets: Vec<_> = self.0.get(id).into_iter().flatten().collect();
        assets.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let mut named: Vec<_> =
            assets.iter().take(ASSETS_MAX).map(|(label, n)| format!("{label} {}", number(**n))).collect();
        if assets.len() > ASSETS_MAX {
            named.push("others".to_owned());
        }
        if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) }
    }
}

/// Every break-glass of the week, and every one before that nobody has acknowledged.
pub fn break_glass(
    book: &Tickets,
    uses: &BTreeMap<String, Usage>,
    rested: &Rested,
    period_of: Period<'_>,
    zone: &TimeZone,
) -> Vec<Matter> {
    let is_here = |glass: &&Glass| {
        let is_new = period_of.from <= glass.opened_at && glass.opened_at < period_of.to;
        is_new || (glass.acknowledged.is_none() && glass.opened_at < period_of.to)
    };
    let matter = |glass: &Glass| {
        let (opened, roster) = (&glass.glass, period_of.roster);
        let reason = match opened.reason.trim() {
            "" => "no reason was typed".to_owned(),
            reason => format!("the typed reason is “{reason}”"),
        };
        let acknowledged = match &glass.acknowledged {
            Some(signed) => {
                format!("{} acknowledged it on {}", name(&signed.by, roster), moment(signed.at, zone))
            }
            None => "nobody has acknowledged it yet".to_owned(),
        };
        let n = uses.get(&opened.id).map_or(0, |used| used.n_accesses).max(rested.n(&opened.id));
        let n = if n == 0 { "no access".to_owned() } else { count(n, "access", "accesses") };
        let sentence = format!(
            "{}: {} took access without a ticket for {}; {reason}; {n} rested on it{}; {acknowledged}.",
            opened.id,
            name(&opened.person, roster),
            duration(opened.to.duration_since(opened.from)),
            rested.assets(&opened.id),
        );
        let is_to_decide = glass.acknowledged.is_none();
        Matter { id: opened.id.clone(), at: Some(glass.opened_at), sentence, is_to_decide }
    };
    let mut matters: Vec<Matter> = book.glasses().filter(is_here).map(matter).collect();
    matters.sort_by_key(|matter| (!matter.is_to_decide, matter.at));
    matters
}

/// What is to be said about the tickets of the week, what waits for somebody first.
pub fn tickets(book: &Tickets, uses: &BTreeMap<String, Usage>, period_of: Period<'_>) -> Vec<Matter> {
    let listed = items(book, uses, period_of).into_iter().filter(|item| item.kind != ItemKind::BreakGlass);
    let matter = |item: crate::ticket::items::TicketItem| {
        let at = book.record(&item.id).map(|record| moment_of(record, item.kind));
        Matter { id: item.id, at, sentence: item.sentence, is_to_decide: item.is_to_decide }
    };
    listed.map(matter).collect()
}

fn moment_of(record: &Record, kind: ItemKind) -> jiff::Timestamp {
    let approved = record.approvals.last().map_or(record.requested_at, |signed| signed.at);
    match kind {
        ItemKind::Unused | ItemKind::ExpiredRequest => record.request.to,
        ItemKind::SelfApproved => record.attempts.last().map_or(approved, |signed| signed.at),
        ItemKind::Late | ItemKind::Broad | ItemKind::Mailbox | ItemKind::BreakGlass => approved,
    }
}

/// What in the roster waits for a person.
pub fn roster_part(
    new_items: Vec<String>,
    seen: &[AccountSeen],
    programs: &[StandingPermit],
    roster: &Roster,
) -> RosterPart {
    let mut unknown_accounts: Vec<UnknownAccount> = seen
        .iter()
        .take(ACCOUNTS_MAX)
        .map(|account| UnknownAccount {
            account: account.account.clone(),
            n_records: account.n_logins.saturating_add(account.n_accesses),
            sentence: account.sentence(roster),
        })
        .collect();
    if let Some(others) = seen.get(ACCOUNTS_MAX..).filter(|others| !others.is_empty()) {
        let n = |account: &AccountSeen| account.n_logins.saturating_add(account.n_accesses);
        unknown_accounts.push(UnknownAccount {
            account: String::new(),
            n_records: others.iter().fold(0, |sum, account| sum.saturating_add(n(account))),
            sentence: format!("And {}.", count(others.len(), "more account", "more accounts")),
        });
    }
    RosterPart { new_items, unknown_accounts, standing_permits: standing_permits(programs, roster) }
}

/// One line for programs that are as regular as a job and are not one yet.
fn standing_permits(programs: &[StandingPermit], roster: &Roster) -> Option<String> {
    // Its entries of before the confirmation stay unexplained for four weeks more.
    let is_job = |permit: &&StandingPermit| {
        roster.jobs().iter().any(|job| job.program == permit.pins.program && job.host == permit.pins.host)
    };
    let open: Vec<_> = programs.iter().filter(|permit| !is_job(permit)).collect();
    if open.is_empty() {
        return None;
    }
    let mut names: Vec<String> = open.iter().take(PROGRAMS_MAX).map(|permit| permit.name.clone()).collect();
    if open.len() > PROGRAMS_MAX {
        names.push(count(open.len() - PROGRAMS_MAX, "more", "more"));
    }
    let (works, n) = (if open.len() == 1 { "works" } else { "work" }, open.len());
    let n = super::text::count_in_words(u64::try_from(n).unwrap_or(u64::MAX), "program", "programs");
    Some(format!(
        "{} {works} regularly with nobody logged in and could be confirmed as a standing permit: {}. Look with `ntk-collector baseline`.",
        capitalise(&n),
        list_of(&names)
    ))
}
