//! Signs out of the ledger as it grows: pure. Entries, acts and findings go in, in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::event::{
    Change, ChangeWhat, Event, HoldingKind, InventoryReason, Kind as EventKind, Outcome, TamperKind,
};
use ntk_windows::sid::powerful_group;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Kind, Sign};
use crate::finding::{Finding, FindingStep};
use crate::signal::SignalKind;
use crate::silence::{Silence, Step};

/// Machines that go silent within so many seconds go "at once".
const AT_ONCE_SECONDS: i64 = 300;
/// Groups whose members administer the machine, on the systems that there are agents for.
const ADMIN_GROUPS: [&str; 6] = ["sudo", "wheel", "admin", "adm", "root", "administrators"];

/// What somebody else recorded is told at once only if it happened within so many seconds before it came: an import of half a
/// year is history, and stands in the review.
const NEWS_SECONDS: i64 = 48 * 3600;

/// What is remembered between entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signs {
    /// Findings that are open and were told of nothing yet.
    #[serde(default)]
    pub open: Vec<String>,
    /// Since when machines are silent.
    #[serde(default)]
    silent: BTreeMap<String, i64>,
}

/// Where something stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The author of the batch.
    pub author: &'a str,
    /// Number of the entry.
    pub number: u64,
    /// Leaf of the batch.
    pub leaf: u64,
    /// When it was received.
    pub at: Timestamp,
}

impl Place<'_> {
    fn sign(&self, kind: Kind, key: String) -> Sign {
        Sign { kind, key, at: self.at, leaf: self.leaf }
    }

    fn own(&self, kind: Kind) -> Sign {
        self.sign(kind, format!("{kind:?} {} {}", self.author, self.number))
    }
}

impl Signs {
    /// The signs in one entry; `silent_machines` is how many make several, 0 for never.
    pub fn observe(&mut self, place: Place<'_>, event: &Event, silent_machines: usize) -> Vec<Sign> {
        if act::is_act(&event.kind) {
            let Some(body) = act::body(event) else { return Vec::new() };
            return self.act(place, event.kind.as_str(), body, silent_machines);
        }
        of_entry(event, place.at).into_iter().map(|kind| place.own(kind)).collect()
    }

    /// The signs of a finding as it stands; asked again while it is open.
    pub fn finding(&mut self, finding: &Finding, leaf: u64, at: Timestamp) -> Vec<Sign> {
        let found = of_finding(finding);
        let place = Place { author: &finding.author, number: finding.first_number, leaf, at };
        found.into_iter().map(|kind| place.sign(kind, format!("{kind:?} {}", finding.id))).collect()
    }

    fn act(&mut self, place: Place<'_>, kind: &str, body: &Value, silent_machines: usize) -> Vec<Sign> {
        match kind {
            act::kind::FINDING_OPENED | act::kind::FINDING_CLOSED => {
                let Ok(step) = serde_json::from_value::<FindingStep>(body.clone()) else { return Vec::new() };
                let id = &step.finding().id;
                self.open.retain(|open| open != id);
                if kind == act::kind::FINDING_OPENED {
                    self.open.push(id.clone());
                }
                self.finding(step.finding(), place.leaf, place.at)
            }
            act::kind::DISAGREEMENT | act::kind::FORK => vec![place.own(Kind::Disagreement)],
            act::kind::SELF_CHECK if body.get("passed").and_then(Value::as_bool) == Some(false) => {
                vec![place.own(Kind::SelfCheck)]
            }
            act::kind::DISK if body.get("step").and_then(Value::as_str) == Some("runs_out") => {
                vec![place.own(Kind::DiskRunsOut)]
            }
            act::kind::PROGRAM
                if matches!(
                    body.get("step").and_then(Value::as_str),
                    Some("not_announced" | "runs_withdrawn")
                ) =>
            {
                vec![place.own(Kind::Program)]
            }
            act::kind::DELEGATION => vec![place.own(Kind::DelegationEnds)],
            act::kind::SILENCE => {
                let Ok(silence) = serde_json::from_value::<Silence>(body.clone()) else { return Vec::new() };
                self.silence(place, silence, silent_machines).into_iter().collect()
            }
            act::kind::DELIVERY if body.get("step").and_then(Value::as_str) == Some("missing") => {
                vec![place.own(Kind::OutboxRemoved)]
            }
            _ => Vec::new(),
        }
    }

    fn silence(&mut self, place: Place<'_>, silence: Silence, several: usize) -> Option<Sign> {
        if silence.step == Step::Ended {
            self.silent.remove(&silence.author);
            return None;
        }
        let at = silence.from.parse::<Timestamp>().map_or(place.at.as_second(), Timestamp::as_second);
        self.silent.insert(silence.author, at);
        let near = self.silent.values().filter(|since| (at.saturating_sub(**since)).abs() <= AT_ONCE_SECONDS);
        // Exactly then: the next ones of the same row are told by the review.
        (several > 0 && near.count() == several).then(|| place.own(Kind::Silent))
    }
}

fn of_entry(event: &Event, received: Timestamp) -> Vec<Kind> {
    let is_old = || {
        let at = event.time.parse::<Timestamp>();
        at.is_ok_and(|at| received.as_second().saturating_sub(at.as_second()) > NEWS_SECONDS)
    };
    if event.source.as_ref().is_some_and(|source| source.recorded == Some(true)) && is_old() {
        return Vec::new();
    }
    let is_done = !matches!(event.outcome, Some(Outcome::Denied | Outcome::Failed));
    match &event.kind {
        EventKind::Tamper if is_done => {
            let what = event.tamper.as_ref().map(|tamper| &tamper.what);
            let is_told = matches!(
                what,
                Some(TamperKind::LogCleared | TamperKind::AuditDisabled | TamperKind::AuditPolicyChanged)
            );
            if is_told { vec![Kind::Recording] } else { Vec::new() }
        }
        EventKind::Gap => {
            let cause = event.gap.as_ref().map(|gap| gap.cause.as_str());
            if cause == Some(crate::poll::SILENT) { vec![Kind::ServiceSilent] } else { Vec::new() }
        }
        EventKind::AccountChange if is_done && event.change.is_some() => {
            event.change.as_deref().and_then(of_change).into_iter().collect()
        }
        EventKind::AccountChange if is_done => {
            let texts = event.other.values().filter_map(Value::as_str);
            let mut words = texts.flat_map(|text| text.split([',', ' ', '"']));
            let is_admin = words.any(|word| ADMIN_GROUPS.contains(&word.to_ascii_lowercase().as_str()));
            if is_admin { vec![Kind::NewAdministrator] } else { Vec::new() }
        }
        EventKind::Inventory => {
            let Some(inventory) = &event.inventory else { return Vec::new() };
            if inventory.reason != InventoryReason::Change {
                return Vec::new();
            }
            let mut kinds: Vec<Kind> = inventory
                .holdings
                .iter()
                .filter_map(|holding| match holding.what {
                    HoldingKind::AdminGroup | HoldingKind::SudoRule => Some(Kind::NewAdministrator),
                    HoldingKind::MailForward => Some(Kind::MailForward),
                    _ => None,
                })
                .collect();
            kinds.sort();
            kinds.dedup();
            kinds
        }
        _ => Vec::new(),
    }
}

fn of_change(change: &Change) -> Option<Kind> {
    // `Administrators (S-1-5-32-544)`: the number is the same in every language.
    let administers = |right: &String| {
        let sid = right.trim_end_matches(')').rsplit('(').next();
        sid.and_then(powerful_group).is_some_and(|group| group.contains("Admin"))
    };
    match change.what {
        _ if change.is_removal => None,
        ChangeWhat::Role => Some(Kind::NewAdministrator),
        ChangeWhat::Account if change.rights.iter().any(administers) => Some(Kind::NewAdministrator),
        ChangeWhat::Forwarding | ChangeWhat::JournalRule => Some(Kind::MailForward),
        _ => None,
    }
}

fn of_finding(finding: &Finding) -> Vec<Kind> {
    let mut kinds = Vec::new();
    if finding.has_left() && finding.is_verified {
        kinds.push(Kind::AfterLeaving);
    }
    if finding.signals.iter().any(|signal| signal.kind == SignalKind::Decoy) {
        kinds.push(Kind::Decoy);
    }
    kinds
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(signs: &mut Signs, number: u64, event: &Event) -> Vec<Kind> {
        let at = "2026-11-28T04:40:00Z".parse().unwrap();
        let place = Place { author: "agent/ws-01", number, leaf: number, at };
        signs.observe(place, event, 3).into_iter().map(|sign| sign.kind).collect()
    }

    fn entry(text: Value) -> Event {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn entries_and_acts_that_should_not_wait_are_signs_and_their_neighbours_are_not() {
        let time = "2026-11-28T04:40:00Z";
        let tamper = |what: &str, outcome: &str| {
            entry(json!({"kind": "tamper", "time": time, "outcome": outcome, "tamper": {"what": what}}))
        };
        let holds = |reason: &str, what: &str| {
            entry(
                json!({"kind": "inventory", "time": time, "inventory": {"reason": reason, "holdings": [{"what": what, "name": "x"}]}}),
            )
        };
        let changed = |group: &str| {
            entry(
                json!({"kind": "account_change", "time": time, "outcome": "success", "account": "helpdesk2", "group": group}),
            )
        };
        let changing = |what: &str, right: &str, is_removal: bool| {
            entry(json!({"kind": "account_change", "time": time, "outcome": "success",
                "change": {"what": what, "rights": [right], "is_removal": is_removal}}))
        };
        let gap = |cause: &str| entry(json!({"kind": "gap", "time": time, "gap": {"cause": cause}}));
        let recorded = |at: &str| {
            entry(
                json!({"kind": "account_change", "time": at, "outcome": "success", "source": {"recorded": true},
                "change": {"what": "forwarding"}}),
            )
        };
        let acted = |kind: &str, body: Value| act::event(kind, time, body);
        let table = [
            (tamper("log_cleared", "success"), vec![Kind::Recording]),
            (tamper("audit_disabled", "success"), vec![Kind::Recording]),
            (tamper("log_cleared", "denied"), vec![]),
            (tamper("rules_changed", "success"), vec![]),
            (holds("change", "admin_group"), vec![Kind::NewAdministrator]),
            (holds("change", "mail_forward"), vec![Kind::MailForward]),
            (holds("start", "mail_forward"), vec![]),
            (holds("change", "scheduled_job"), vec![]),
            (changed("sudo"), vec![Kind::NewAdministrator]),
            (changed("printers"), vec![]),
            (changing("account", "Administrators (S-1-5-32-544)", false), vec![Kind::NewAdministrator]),
            (
                changing("account", "Administratoren (S-1-5-21-1-2-3-512)", false),
                vec![Kind::NewAdministrator],
            ),
            (changing("account", "Administrators (S-1-5-32-544)", true), vec![]),
            (changing("account", "Administrators of printers (S-1-5-21-1-2-3-1107)", false), vec![]),
            (changing("role", "Global Administrator", false), vec![Kind::NewAdministrator]),
            (changing("forwarding", "x@example.org", false), vec![Kind::MailForward]),
            (changing("password_reset", "", false), vec![]),
            (gap("service_silent"), vec![Kind::ServiceSilent]),
            (gap("queue_full"), vec![]),
            (recorded("2026-11-28T01:40:00Z"), vec![Kind::MailForward]),
            (recorded("2026-06-28T01:40:00Z"), vec![]),
            (acted(act::kind::DISAGREEMENT, json!({"author": "agent/ws-01"})), vec![Kind::Disagreement]),
            (acted(act::kind::SELF_CHECK, json!({"passed": false})), vec![Kind::SelfCheck]),
            (acted(act::kind::SELF_CHECK, json!({"passed": true})), vec![]),
            (acted(act::kind::DELIVERY, json!({"step": "missing"})), vec![Kind::OutboxRemoved]),
            (acted(act::kind::DISK, json!({"step": "runs_out"})), vec![Kind::DiskRunsOut]),
            (acted(act::kind::DISK, json!({"step": "seen"})), vec![]),
            (acted(act::kind::PROGRAM, json!({"step": "not_announced"})), vec![Kind::Program]),
            (acted(act::kind::PROGRAM, json!({"step": "runs_withdrawn"})), vec![Kind::Program]),
            (acted(act::kind::PROGRAM, json!({"step": "announced"})), vec![]),
            (acted(act::kind::PROGRAM, json!({"step": "withdrawn"})), vec![]),
            (acted(act::kind::DELEGATION, json!({"ends_soon": true})), vec![Kind::DelegationEnds]),
            (acted(act::kind::ROSTER, json!({"text": ""})), vec![]),
        ];
        let mut signs = Signs::default();
        for (number, (event, expected)) in table.into_iter().enumerate() {
            assert_eq!(read(&mut signs, number as u64, &event), expected, "{event:?}");
        }
    }

    #[test]
    fn several_machines_at_once_are_one_sign_and_one_after_the_other_none() {
        let silent = |machine: &str, step: &str, from: &str| {
            let body = json!({"author": machine, "step": step, "cause": "silent", "from": from});
            act::event(act::kind::SILENCE, from, body)
        };
        let mut signs = Signs::default();
        let mut number = 0;
        let mut began = |machine: &str, from: &str| {
            number += 1;
            read(&mut signs, number, &silent(machine, "began", from)).len()
        };
        for (machine, from) in [("a", "04:00"), ("b", "04:10"), ("c", "04:20"), ("d", "04:21")] {
            assert_eq!(began(machine, &format!("2026-11-28T{from}:00Z")), 0, "{machine}");
        }
        assert_eq!(began("e", "2026-11-28T04:22:00Z"), 1);
        assert_eq!(began("f", "2026-11-28T04:23:00Z"), 0, "the same row");
        assert_eq!(read(&mut signs, 99, &silent("e", "ended", "2026-11-28T04:22:00Z")).len(), 0);
    }
}
