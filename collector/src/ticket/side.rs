//! Who stands on whose side: an approval counts only from the other one.

use super::ROLE;
use crate::roster::{Person, Roster};

/// Whether an assignee (a person, an organisation, `role:` and a role) stands for this person.
pub(super) fn is_assigned(assignee: &str, person: &Person, roster: &Roster) -> bool {
    if let Some(role) = assignee.strip_prefix(ROLE) {
        return person.has_role(role);
    }
    assignee == person.id || !person.is_organisation && firm(person, roster) == Some(assignee)
}

/// Why an approval by this person is none by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    /// The approver is the assignee.
    Person,
    /// The approver works for the assignee's firm.
    Firm,
}

/// Whether approver and assignee are on one side.
pub(super) fn same_side(approver: &str, assignee: &str, roster: &Roster) -> Option<Same> {
    if approver == assignee {
        return Some(Same::Person);
    }
    let approver = roster.person(approver)?;
    if is_assigned(assignee, approver, roster) {
        let is_by_firm = roster.person(assignee).is_some_and(|holder| holder.is_organisation);
        return Some(if is_by_firm { Same::Firm } else { Same::Person });
    }
    let firm_of_approver = firm(approver, roster)?;
    let shares = |person: &Person| {
        firm(person, roster).is_some_and(|other| other.eq_ignore_ascii_case(firm_of_approver))
    };
    let assigned = roster.persons().iter().filter(|person| is_assigned(assignee, person, roster));
    assigned.into_iter().any(shares).then_some(Same::Firm)
}

/// The firm that a person works for: an organisation's id where the roster has it, else the firm's name.
fn firm<'r>(person: &'r Person, roster: &'r Roster) -> Option<&'r str> {
    if person.is_organisation {
        return Some(&person.id);
    }
    let text = person.organisation.as_deref()?;
    let is_named = |other: &&Person| {
        other.is_organisation && (other.id == text || other.name.eq_ignore_ascii_case(text))
    };
    Some(roster.persons().iter().find(is_named).map_or(text, |organisation| organisation.id.as_str()))
}
