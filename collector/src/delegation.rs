//! What the practice key permitted the collector: so many machines, until such a time. Whether it still lasts, and when
//! that is said: 30 days before its end, and where nine of ten machines are enrolled. Pure, but for [`run`].
//!
//! What is foreseen becomes an act ([`act::kind::DELEGATION`]), once for each permission and reason: a notice, and an alarm
//! of the review.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ntk_evidence::act;
use ntk_evidence::event::Event;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::App;
use crate::ledger::registry::Machine;
use crate::turns::every;

const DAY: i64 = 24 * 3600;
/// So long before its end a permission is said to end.
const ENDS_SOON: i64 = 30 * DAY;
/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

const ENDED: &str = "the practice key's permission to enrol has ended; sign a new trust file";
/// What a machine more than permitted is answered.
pub const FULL: &str = "as many machines as the practice key permits were enrolled, revoked ones among them; sign a new trust file";

/// How a permission stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Machines whose names were ever enrolled: a bundle is judged by them, revoked ones too.
    pub machines: u32,
    /// How many may be.
    pub machines_max: u32,
    /// Until when, RFC 3339.
    pub until: String,
    /// Whether it ends within 30 days, or has ended.
    pub ends_soon: bool,
    /// Whether nine of ten are enrolled.
    pub nearly_full: bool,
    /// What to do, in a sentence; none where it lasts.
    pub sentence: Option<String>,
}

/// What acts said of it, and of which permission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    until: String,
    machines_max: u32,
    ends_soon: bool,
    nearly_full: bool,
}

impl Recorded {
    /// Takes in the body of an [`act::kind::DELEGATION`].
    pub fn apply(&mut self, body: Value) {
        if let Ok(recorded) = serde_json::from_value(body) {
            *self = recorded;
        }
    }
}

/// Why another machine may not be enrolled, where the practice key does not permit it.
pub fn refuses(trust: &TrustFile, enrolled: usize, now: Moment) -> Option<&'static str> {
    let is_full = u32::try_from(enrolled).unwrap_or(u32::MAX) >= trust.machines_max;
    ended(trust, now).or_else(|| is_full.then_some(FULL))
}

/// Why nobody may be enrolled any more, where the time is over.
pub fn ended(trust: &TrustFile, now: Moment) -> Option<&'static str> {
    Moment::parse(&trust.enrolment_until).is_none_or(|until| until < now).then_some(ENDED)
}

/// How the permission stands.
pub fn standing(trust: &TrustFile, machines: &BTreeMap<String, Machine>, now: Moment) -> Standing {
    of(trust, u32::try_from(names(machines).len()).unwrap_or(u32::MAX), now)
}

/// The names that a bundle is judged by: revoked machines count, one that took its own earlier place counts once.
pub fn names(machines: &BTreeMap<String, Machine>) -> BTreeSet<String> {
    machines.keys().filter_map(|author| Author::parse(author).ok()?.machine().map(str::to_owned)).collect()
}

fn of(trust: &TrustFile, machines: u32, now: Moment) -> Standing {
    let (until, max) = (Moment::parse(&trust.enrolment_until), trust.machines_max);
    let ends_soon = until.is_none_or(|until| until <= now.plus_seconds(ENDS_SOON));
    let nearly_full = u64::from(machines).saturating_mul(10) >= u64::from(max).saturating_mul(9);
    let mut said = Vec::new();
    if ends_soon {
        let has_ended = until.is_none_or(|until| until < now);
        let ends = if has_ended { "ended" } else { "ends" };
        said.push(format!(
            "The practice key's permission to enrol machines {ends} at {}.",
            trust.enrolment_until
        ));
    }
    if nearly_full {
        said.push(format!("{machines} of the {max} machines that the practice key permits were enrolled."));
    }
    let sentence = (!said.is_empty()).then(|| {
        said.push(
            "What is enrolled goes on; no other can be enrolled after that: take the practice key from its safe and run `ntk-collector trust sign` with `--until` or `--machines-max`.".to_owned(),
        );
        said.join(" ")
    });
    Standing {
        machines,
        machines_max: max,
        until: trust.enrolment_until.clone(),
        ends_soon,
        nearly_full,
        sentence,
    }
}

/// The act that is due, if one is: a reason that was not told of this permission.
pub fn step(standing: &Standing, recorded: Option<&Recorded>, now: Moment) -> Option<Event> {
    let sentence = standing.sentence.as_ref()?;
    let told = recorded
        .filter(|told| told.until == standing.until && told.machines_max == standing.machines_max)
        .cloned()
        .unwrap_or_default();
    let is_new = (standing.ends_soon && !told.ends_soon) || (standing.nearly_full && !told.nearly_full);
    is_new.then(|| {
        let body = json!({
            "until": standing.until, "machines_max": standing.machines_max, "machines": standing.machines,
            "ends_soon": standing.ends_soon || told.ends_soon, "nearly_full": standing.nearly_full || told.nearly_full,
            "sentence": sentence,
        });
        act::event(act::kind::DELEGATION, now.to_rfc3339(3), body)
    })
}

/// Looks once an hour, until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let (registry, now) = (app.ledger.published().registry, app.ledger.clock().now());
        let standing = standing(&app.trust.now().0, &registry.machines, now);
        let Some(due) = step(&standing, registry.delegation.as_ref(), now) else { continue };
        if let Err(failure) = app.ledger.act(vec![due]).await {
            warn!(reason = %crate::error_chain(&failure), "that the permission to enrol ends is not in the ledger");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ntk_evidence::name::Slug;
    use ntk_evidence::note::{KeyType, NoteSigner};

    /// A trust file that permits ten machines until the end of 2026, and the key that signs it.
    pub(crate) fn example() -> (TrustFile, NoteSigner) {
        let seed = [5; 32];
        let public = *NoteSigner::new("x", KeyType::Ed25519, &seed).unwrap().verifier().public_bytes();
        let slug = Slug::new("maple-street", &public).unwrap();
        let signer = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &seed).unwrap();
        let key =
            |name: &str, n: u8| NoteSigner::new(name, KeyType::Ed25519, &[n; 32]).unwrap().verifier().clone();
        let trust = TrustFile {
            practice: "Maple Street".into(),
            made: "2026-01-01T00:00:00Z".into(),
            practice_key: signer.verifier().clone(),
            log: key(&slug.log_origin(), 1),
            collector: key(&format!("{slug}/collector"), 2),
            bundle: key(&slug.bundle_name(), 3),
            recovery: format!("age1{}", "q".repeat(58)),
            reviewers: Vec::new(),
            custodians: Vec::new(),
            succeeded: Vec::new(),
            retired: Vec::new(),
            restored: Vec::new(),
            machines_max: 10,
            enrolment_until: "2026-12-31T00:00:00Z".into(),
            committee: Vec::new(),
            outside: Vec::new(),
            committee_quorum: 0,
            outside_quorum: 0,
            slug,
        };
        (trust, signer)
    }

    fn at(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn a_machine_more_than_permitted_and_one_after_the_date_are_refused() {
        let (trust, _) = example();
        let before = at("2026-12-31T00:00:00Z");
        assert_eq!(refuses(&trust, 9, before), None);
        assert!(refuses(&trust, 10, before).unwrap().contains("as many machines"));
        assert!(refuses(&trust, 0, at("2026-12-31T00:00:01Z")).unwrap().contains("has ended"));
        let unread = TrustFile { enrolment_until: "some day".into(), ..trust };
        assert!(refuses(&unread, 0, before).unwrap().contains("has ended"), "no date is no permission");
    }

    #[test]
    fn it_is_said_thirty_days_before_the_end_and_at_nine_of_ten_machines_and_each_once() {
        let (trust, _) = example();
        let early = at("2026-11-30T23:59:59Z");
        assert_eq!(of(&trust, 8, early).sentence, None);
        let full = of(&trust, 9, early);
        assert!(full.sentence.as_ref().unwrap().starts_with("9 of the 10 machines"), "{full:?}");
        let mut recorded = Recorded::default();
        let first = step(&full, Some(&recorded), early).unwrap();
        recorded.apply(act::body(&first).unwrap().clone());
        assert!(step(&full, Some(&recorded), early).is_none(), "once");
        assert!(step(&of(&trust, 8, early), None, early).is_none());

        let late = at("2026-12-01T00:00:00Z");
        let ends = of(&trust, 9, late);
        assert!(ends.sentence.as_ref().unwrap().contains("ends at 2026-12-31"), "{ends:?}");
        let second = step(&ends, Some(&recorded), late).unwrap();
        recorded.apply(act::body(&second).unwrap().clone());
        assert!(step(&ends, Some(&recorded), late).is_none());
        assert!(of(&trust, 0, at("2027-01-01T00:00:00Z")).sentence.unwrap().contains("ended at"));

        // Another permission is told of anew.
        let again = TrustFile { machines_max: 20, enrolment_until: "2027-12-31T00:00:00Z".into(), ..trust };
        assert!(step(&of(&again, 9, late), Some(&recorded), late).is_none());
        assert!(step(&of(&again, 18, late), Some(&recorded), late).is_some());
    }
}
