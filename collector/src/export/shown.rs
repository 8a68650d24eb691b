//! What a question shows, and what stays withheld as a commitment.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::{Event, Kind};
use serde_json::Value;

use super::{Question, assets};
use crate::follow::Lookup;
use crate::follow::answer::store_error;
use crate::ledger::LedgerError;
use crate::need_to_know::Asset;

/// What a question shows, and what stays withheld as a commitment.
pub(super) struct Shown<'q> {
    pub(super) question: &'q Question,
    /// Tickets and break-glass of the person asked about.
    tickets: BTreeSet<String>,
    /// Findings about other assets than those asked for.
    elsewhere: BTreeSet<String>,
}

impl<'q> Shown<'q> {
    pub(super) fn new(question: &'q Question, lookup: &Lookup) -> Result<Self, LedgerError> {
        let (book, (roster, _)) = (lookup.tickets_now()?, lookup.rules_now()?);
        let wanted = question.person.as_deref();
        let person = wanted.and_then(|id| roster.person(id));
        let own =
            person.into_iter().flat_map(|person| book.of(person, &roster)).map(|ticket| ticket.id.clone());
        let asked = book.records().filter(|record| wanted == Some(record.request.assignee.as_str()));
        let glasses = book.glasses().filter(|glass| wanted == Some(glass.glass.person.as_str()));
        let asked = asked.map(|record| record.request.id.clone());
        let tickets = own.chain(asked).chain(glasses.map(|glass| glass.glass.id.clone())).collect();
        let mut elsewhere = BTreeSet::new();
        if let Some(assets) = &question.assets {
            let findings = lookup.store().findings().map_err(store_error)?;
            let others = findings.into_iter().map(|record| record.finding);
            elsewhere
                .extend(others.filter(|finding| !is_of(assets, &finding.asset)).map(|finding| finding.id));
        }
        Ok(Self { question, tickets, elsewhere })
    }

    /// Whether a finding is about an asset asked for.
    pub(super) fn is_asked(&self, finding: &str) -> bool {
        !self.elsewhere.contains(finding)
    }

    /// Whether an entry is shown: the person's own in the time asked for, and what belongs to nobody in it.
    pub(super) fn entry(&self, event: &Event, person: Option<&str>, at: Option<Timestamp>) -> bool {
        if act::is_act(&event.kind) {
            return self.act(event);
        }
        let question = self.question;
        let in_time = at.is_none_or(|at| at >= question.from && at <= question.to);
        let about = question.person.as_ref().is_none_or(|wanted| person == Some(wanted.as_str()));
        // Gaps, tampering, health and on-site tests are about the machine: exculpatory or not, they belong to every question.
        let machine =
            matches!(event.kind, Kind::Gap | Kind::Tamper | Kind::Health | Kind::Epoch | Kind::Commission);
        let names_others = question.redact_people && !about && names_somebody(event);
        let names_places = question.redact_paths && names_places(event);
        let is_asked = event.kind != Kind::FileAccess
            || question.assets.as_ref().is_none_or(|assets| assets::touches(assets, event));
        in_time && (about || machine) && is_asked && !names_others && !names_places
    }

    fn act(&self, event: &Event) -> bool {
        let body = act::body(event);
        let text = |key: &str| body.and_then(|body| body.get(key)).and_then(Value::as_str);
        let wanted = self.question.person.as_deref();
        match event.kind.as_str() {
            act::kind::FINDING_OPENED | act::kind::FINDING_CLOSED => {
                let finding = body.and_then(|body| body.get("finding"));
                let name = |key: &str| finding.and_then(|finding| finding.get(key)).and_then(Value::as_str);
                let about = wanted.is_none() || name("person").or_else(|| name("account")) == wanted;
                about && name("id").is_none_or(|id| self.is_asked(id))
            }
            act::kind::FINDING_STEP => {
                let findings = body.and_then(|body| body.get("findings")).and_then(Value::as_array);
                let mut findings = findings.into_iter().flatten().filter_map(Value::as_str);
                let is_asked = findings.all(|id| self.is_asked(id));
                is_asked && (wanted.is_none() || text("about") == wanted)
            }
            // What was asked and assessed speaks of findings in words; which assets, nobody can tell.
            act::kind::LINK | act::kind::BREACH if self.question.assets.is_some() => false,
            act::kind::LINK => {
                let is_theirs = text("to") == wanted || wanted.is_none();
                // What a question shows of a finding names places.
                is_theirs
                    && !self.question.redact_paths
                    && (!self.question.redact_people || text("to") == wanted)
            }
            act::kind::STAFF_NOTICE => {
                text("step") == Some("published")
                    || text("person") == wanted
                    || (wanted.is_none() && !self.question.redact_people)
            }
            act::kind::BREACH => wanted.is_none() || text("about") == wanted,
            // What waits for a signature may hold a whole roster.
            act::kind::COSIGN | act::kind::SECOND_REVIEWER if self.question.redact_people => false,
            act::kind::DEPARTURE => wanted.is_none() || text("person") == wanted,
            act::kind::TICKET | act::kind::BREAK_GLASS => {
                let asked = body.and_then(|body| body.pointer("/ticket/id")).and_then(Value::as_str);
                let id = asked.or_else(|| text("id"));
                wanted.is_none() || id.is_some_and(|id| self.tickets.contains(id))
            }
            act::kind::ROSTER | act::kind::REVIEWER | act::kind::ACCOUNT if self.question.redact_people => {
                // A roster names everybody; a passphrase is one person's.
                wanted.is_some() && text("person") == wanted
            }
            // Addresses name whoever gets reviews.
            act::kind::DELIVERY if self.question.redact_people => false,
            act::kind::ENROLMENT_OFFERED | act::kind::VIEWED | act::kind::REFUSAL => false,
            act::kind::SIGN_IN | act::kind::REPORT_OPENED => false,
            _ => true,
        }
    }
}

/// Whether something is one of these assets, or none that has a class (a login, the recording).
pub(super) fn is_of(wanted: &[String], asset: &Asset) -> bool {
    let class = asset.area.class();
    !class.is_files() || assets::holds(wanted, Some(class.as_str()), asset.owner.as_deref())
}

/// Whether an entry about a machine names an account.
fn names_somebody(event: &Event) -> bool {
    let sessions = event.health.as_ref().is_some_and(|health| !health.sessions.is_empty());
    let test = event.commission.as_ref();
    let there = test.is_some_and(|test| test.by.is_some() || !test.present.is_empty());
    sessions || there || event.actor.is_some()
}

/// Whether an entry about a machine names a place in words of its core, where no part of it can be withheld: a key or a
/// job of an inventory, a folder that a sensor could not see.
fn names_places(event: &Event) -> bool {
    let is_place = |text: &str| {
        text.starts_with(['/', '~'])
            || [" /", " ~", "(/", "(~", "\"/", "=/"].iter().any(|begin| text.contains(begin))
    };
    let of_health = event.health.iter().flat_map(|health| &health.cannot_see).map(String::as_str);
    let of_inventory = event.inventory.iter().flat_map(|told| {
        let holdings = told.holdings.iter().chain(&told.gone);
        let texts = holdings.flat_map(|one| [Some(&one.name), one.place.as_ref(), one.detail.as_ref()]);
        texts.flatten().chain(&told.cannot_see).chain(&told.because).map(String::as_str)
    });
    of_health.chain(of_inventory).any(is_place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inventories_and_health_that_name_places_are_known_and_others_are_not() {
        let check = |expected: bool, event: Value| {
            let event: Event = serde_json::from_value(event).unwrap();
            assert_eq!(names_places(&event), expected, "{event:?}");
        };
        let held = |holding: Value| json!({"kind": "inventory", "time": "1", "inventory": {"reason": "start", "holdings": [holding]}});
        check(true, held(json!({"what": "secret_place", "name": "~/.aws/credentials", "accounts": ["bea"]})));
        check(true, held(json!({"what": "private_key", "name": "id_ed25519", "place": "~/.ssh/id_ed25519"})));
        check(true, held(json!({"what": "service", "name": "push", "detail": "starts /home/bea/push"})));
        check(false, held(json!({"what": "admin_group", "name": "sudo", "accounts": ["bea"]})));
        let health =
            |sentence: &str| json!({"kind": "health", "time": "1", "health": {"cannot_see": [sentence]}});
        check(true, health("/home/mary/Maildir does not exist, so nothing in it is seen until it does"));
        check(true, health("the kernel refused to watch /srv/ehr"));
        check(false, health("access through io_uring and/or handles is not seen on this kernel"));
        check(false, json!({"kind": "file_access", "time": "1", "object": {"path": "/srv/ehr/a"}}));
    }
}
