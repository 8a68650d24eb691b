//! Which machine may speak: offers, enrolments and revocations, as the acts in the ledger say.
//!
//! Built from acts alone, in their order, by the code that runs at every start: there is no second list that
//! could disagree with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::act::{self, Enrolment, Revocation};
use ntk_evidence::event::Event;
use ntk_evidence::merkle::CompactRange;
use ntk_evidence::name::Author;
use serde::{Deserialize, Serialize};

use crate::delivery::Deliveries;
use crate::hold::Holds;
use crate::import::Reached;
use crate::inventory::Asked;
use crate::off_site::Recorded;
use crate::people::Shared;
use crate::program::Programs;
use crate::proposals::Decisions;
use crate::renewal::{Renewal, Renewed};
use crate::sign_off::Reviews;
use crate::silence::{Silence, Step};
use crate::time_stamp::Stamps;
use crate::witness::Witnessed;

/// How many machines a ledger names at most, those that are gone among them. Each segment begins with a frame that names
/// all, and a frame holds 16 MiB: with more, a ledger could not begin its next segment.
pub const MACHINES_EVER_MAX: usize = 7_500;

/// Body of `act_enrolment_offered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The machine's name.
    pub machine: String,
    /// SHA-256 of the token's secret, hex.
    pub secret_sha256: String,
    /// Until when it holds, RFC 3339.
    pub expires: String,
    /// Whether the machine's users were told that access is recorded, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The author in whose place the machine is enrolled anew, for one that was set up again: `agent/<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl Offer {
    /// The author that the offer enrols.
    pub fn author(&self) -> Option<Author> {
        match &self.replaces {
            None => Author::agent(&self.machine).ok(),
            Some(before) => Author::parse(before).ok()?.successor(),
        }
    }
}

/// One machine as enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What was enrolled.
    pub enrolment: Enrolment,
    /// When, RFC 3339.
    pub enrolled: String,
    /// Number of the act in the collector's own log.
    pub act: u64,
    /// Certificates that it was given in the place of that of its enrolment, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Renewed>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// Number of the act that revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<u64>,
}

/// Offers and machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Offers by the hash of their secret; used ones are gone.
    pub offers: BTreeMap<String, Offer>,
    /// Machines by author.
    pub machines: BTreeMap<String, Machine>,
    /// Their authors by the fingerprint of their certificate: made of the above, and never written.
    #[serde(skip)]
    by_certificate: BTreeMap<String, String>,
    /// Authors of imports. Nobody waits for them, and none can be silent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<String, Machine>,
    /// How far imports reach, as far as acts say.
    #[serde(default, skip_serializing_if = "Reached::is_empty")]
    pub imported: Reached,
    /// Since when machines are silent, RFC 3339, for as long as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub silent: BTreeMap<String, String>,
    /// The last check of the whole ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// Who opened which weekly review, and who signed it off.
    #[serde(default, skip_serializing_if = "Reviews::is_empty")]
    pub reviews: Reviews,
    /// Who remembers the log, as far as acts say.
    #[serde(default)]
    pub witnessed: Witnessed,
    /// The newest trust file that an act put in force, as it was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<String>,
    /// That this ledger was filled again after an earlier one was lost, and what is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refilled: Option<Refilled>,
    /// When it was put back from a copy, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restored: Vec<Refilled>,
    /// Machines that no longer hold what the lost collector had acknowledged, as each said first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub short: BTreeSet<String>,
    /// Time-stamps, as far as acts say.
    #[serde(default, skip_serializing_if = "Stamps::is_empty")]
    pub stamps: Stamps,
    /// Legal holds.
    #[serde(default, skip_serializing_if = "Holds::is_empty")]
    pub holds: Holds,
    /// What was decided about machines' proposals to watch more.
    #[serde(default, skip_serializing_if = "Decisions::is_empty")]
    pub watch_decisions: Decisions,
    /// The newest question of each machine for what accounts hold there.
    #[serde(default, skip_serializing_if = "Asked::is_empty")]
    pub inventory_asked: Asked,
    /// The copy outside, as far as acts say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_site: Option<Recorded>,
    /// How long the disk lasts, as far as acts say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<crate::disk::Recorded>,
    /// Programs that were announced, as far as acts say.
    #[serde(default, skip_serializing_if = "Programs::is_empty")]
    pub programs: Programs,
    /// When passphrases were set last, by person, RFC 3339.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passphrases: BTreeMap<String, String>,
    /// What was said of the permission to enrol machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<crate::delegation::Recorded>,
    /// Links, notices, signatures, assessments.
    #[serde(default, skip_serializing_if = "Shared::is_empty")]
    pub people: Shared,
    /// What was sent out, as far as acts say.
    #[serde(default, skip_serializing_if = "Deliveries::is_empty")]
    pub deliveries: Deliveries,
}

/// When a ledger was filled again, and what is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refilled {
    /// When, RFC 3339.
    #[serde(default)]
    pub time: String,
    /// What is gone, one sentence each.
    pub gone: Vec<String>,
}

/// When the whole ledger was last checked, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// When, RFC 3339.
    pub time: String,
    /// Whether everything verified.
    pub passed: bool,
}

/// A change that an act brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// From here on this key speaks for this author.
    Enrolled(Enrolment),
    /// From here on nobody speaks for this author.
    Revoked(String),
}

impl Registry {
    /// Whether an author was enrolled, be it revoked since.
    pub fn is_enrolled(&self, author: &str) -> bool {
        self.machines.contains_key(author) || self.imports.contains_key(author)
    }

    /// When a person's passphrase was set last, as far as acts say.
    pub fn passphrase_set(&self, person: &str) -> Option<jiff::Timestamp> {
        self.passphrases.get(person)?.parse().ok()
    }

    /// Takes in one act with its number in the collector's log: what it changed, in order.
    pub fn apply(&mut self, number: u64, event: &Event) -> Vec<Change> {
        self.changes(number, event).unwrap_or_default()
    }

    fn changes(&mut self, number: u64, event: &Event) -> Option<Vec<Change>> {
        let body = act::body(event)?.clone();
        self.holds.apply(number, event);
        self.people.apply(event);
        match event.kind.as_str() {
            act::kind::ENROLMENT_OFFERED => {
                let offer: Offer = serde_json::from_value(body).ok()?;
                self.offers.retain(|_, other| other.machine != offer.machine);
                self.offers.insert(offer.secret_sha256.clone(), offer);
                None
            }
            act::kind::ENROLMENT => {
                let enrolment: Enrolment = serde_json::from_value(body).ok()?;
                let author = Author::parse(&enrolment.author).ok()?;
                let machine = author.machine();
                self.offers.retain(|_, offer| Some(offer.machine.as_str()) != machine);
                let entry = Machine {
                    enrolment: enrolment.clone(),
                    enrolled: event.time.clone(),
                    act: number,
                    certificates: Vec::new(),
                    revoked: None,
                    revoked_by: None,
                };
                if let Some(certificate) = enrolment.certificate.clone().filter(|_| author.source().is_none())
                {
                    self.by_certificate.insert(certificate, enrolment.author.clone());
                }
                let known = if author.source().is_some() { &mut self.imports } else { &mut self.machines };
                known.insert(enrolment.author.clone(), entry);
                // The word passes from the earlier author to this one in one act: there is no moment of both.
                let replaced = enrolment.replaced();
                let revoked = replaced.and_then(|before| self.revoke(before, number, event));
                Some(revoked.into_iter().chain([Change::Enrolled(enrolment)]).collect())
            }
            act::kind::CERTIFICATE => {
                let renewal: Renewal = serde_json::from_value(body).ok()?;
                let machine = self.machines.get_mut(&renewal.author)?;
                self.by_certificate.insert(renewal.certificate.clone(), renewal.author.clone());
                machine.renewed(renewal, &event.time);
                None
            }
            act::kind::REVOCATION => {
                let revocation: Revocation = serde_json::from_value(body).ok()?;
                Some(self.revoke(revocation.author, number, event).into_iter().collect())
            }
            act::kind::REVIEWER => {
                let person = body.get("person")?.as_str()?;
                self.passphrases.insert(person.to_owned(), event.time.clone());
                None
            }
            act::kind::SIGN_OFF => {
                self.reviews.signed(&body, &event.time);
                None
            }
            act::kind::REPORT_OPENED => {
                self.reviews.opened(&body, &event.time);
                None
            }
            act::kind::SELF_CHECK => {
                let passed = body.get("passed").and_then(serde_json::Value::as_bool).unwrap_or(false);
                self.checked = Some(Checked { time: event.time.clone(), passed });
                None
            }
            act::kind::TRUST => {
                self.trusted = body.get("text").and_then(serde_json::Value::as_str).map(str::to_owned);
                None
            }
            act::kind::REFILLED => {
                let refilled: Refilled = serde_json::from_value(body).ok()?;
                self.refilled = Some(Refilled { time: event.time.clone(), ..refilled });
                None
            }
            act::kind::RESTORED => {
                self.restored(body, &event.time);
                None
            }
            act::kind::OFF_SITE => {
                self.off_site.get_or_insert_default().apply(&event.time, &body);
                None
            }
            act::kind::DELEGATION => {
                self.delegation.get_or_insert_default().apply(body.clone());
                None
            }
            act::kind::DISK => {
                self.disk.get_or_insert_default().apply(&event.time, &body);
                None
            }
            act::kind::PROGRAM => {
                self.programs.apply(&body);
                None
            }
            act::kind::DELIVERY => {
                self.deliveries.apply(&body, &event.time);
                None
            }
            act::kind::IMPORT => {
                self.imported.apply(&body, &event.time);
                None
            }
            act::kind::WATCH => {
                self.watch_decisions.apply(&body);
                None
            }
            act::kind::INVENTORY_ASKED => {
                self.inventory_asked.apply(&body);
                None
            }
            act::kind::WITNESSED => {
                self.witnessed.apply(&body);
                None
            }
            act::kind::TIME_STAMP => {
                self.stamps.apply(&body, &event.time);
                None
            }
            act::kind::SILENCE => {
                let silence: Silence = serde_json::from_value(body).ok()?;
                match silence.step {
                    Step::Began => self.silent.insert(silence.author, silence.from),
                    Step::Ended => self.silent.remove(&silence.author),
                };
                None
            }
            _ => None,
        }
    }

    fn restored(&mut self, body: serde_json::Value, time: &str) {
        let text = |key: &str| body.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        match text("step").as_deref() {
            Some("short") => self.short.extend(text("author")),
            Some("filled") => {
                let authors = body.get("authors").and_then(serde_json::Value::as_array).into_iter().flatten();
                authors.filter_map(serde_json::Value::as_str).for_each(|author| {
                    self.short.remove(author);
                });
                if let (Some(last), Ok(filled)) =
                    (self.restored.last_mut(), serde_json::from_value::<Refilled>(body))
                {
                    last.gone.extend(filled.gone);
                }
            }
            _ => {
                // Another copy was put back: what was short of the one before says nothing of it.
                self.short.clear();
                let restored = serde_json::from_value::<Refilled>(body).ok();
                self.restored.extend(restored.map(|restored| Refilled { time: time.to_owned(), ..restored }));
            }
        }
    }

    fn revoke(&mut self, author: String, number: u64, event: &Event) -> Option<Change> {
        self.silent.remove(&author);
        self.inventory_asked.forget(&author);
        let machine = self.machines.get_mut(&author).or_else(|| self.imports.get_mut(&author))?;
        if machine.revoked.is_none() {
            (machine.revoked, machine.revoked_by) = (Some(event.time.clone()), Some(number));
        }
        Some(Change::Revoked(author))
    }

    /// The author of a machine that was enrolled last, revoked or not.
    pub fn newest(&self, machine: &str) -> Option<(Author, &Machine)> {
        let (mut author, mut newest) = (Author::agent(machine).ok()?, None);
        while let Some(found) = self.machines.get(&author.to_string()) {
            newest = Some((author.clone(), found));
            author = author.successor()?;
        }
        newest
    }

    /// An author as enrolled, machine or import, revoked or not.
    pub fn enrolled(&self, author: &Author) -> Option<&Machine> {
        let name = author.to_string();
        self.machines.get(&name).or_else(|| self.imports.get(&name))
    }

    /// The author of a source's imports that was enrolled last, revoked or not.
    pub fn newest_import(&self, source: &str) -> Option<(Author, &Machine)> {
        let (mut author, mut newest) = (Author::import(source).ok()?, None);
        while let Some(found) = self.imports.get(&author.to_string()) {
            newest = Some((author.clone(), found));
            author = author.successor()?;
        }
        newest
    }

    /// What stands before the first entry that is known of an author, in a ledger that was filled again.
    pub fn begins(&self, author: &Author) -> Option<CompactRange> {
        self.enrolled(author)?.enrolment.begins.as_ref()?.compact_range().ok()
    }

    /// The machine that was given this certificate, revoked or not; [`Machine::accepts`] says whether it still may show it.
    pub fn by_certificate(&self, sha256: &str) -> Option<&Machine> {
        let found = self.by_certificate.get(sha256).and_then(|author| self.machines.get(author));
        // An author that is enrolled again under another certificate no longer has the first one.
        found.filter(|machine| machine.was_given(sha256))
    }

    /// What was read back, with what is not written made again.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        let of = |(author, machine): (&String, &Machine)| {
            let given: Vec<String> = machine.given().map(str::to_owned).collect();
            given.into_iter().map(|certificate| (certificate, author.clone())).collect::<Vec<_>>()
        };
        self.by_certificate = self.machines.iter().flat_map(of).collect();
        self
    }
}
