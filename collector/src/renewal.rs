//! Certificates that machines were given in the place of those that end, as the acts say.
//!
//! An act ([`act::kind::CERTIFICATE`](ntk_evidence::act::kind::CERTIFICATE)) adds the hash of one to the machine that was
//! enrolled; nothing else of its enrolment changes, and revoking the machine ends them all. The one before is accepted for
//! [`OVERLAP_DAYS`] more: as long as it would have lasted, had it been renewed at two thirds of its life. So one that an
//! earlier version made last until 2036 does not, once the machine has a new one. An answer that got lost leaves the
//! machine with the old one: it asks again with the same key, and the days run from then on.

use ntk_evidence::time::Moment;
use serde::{Deserialize, Serialize};

use crate::authority::{DAY, LEFT_DAYS};
use crate::ledger::registry::Machine;

/// For how many days the certificate before is accepted.
pub const OVERLAP_DAYS: i64 = LEFT_DAYS;
/// For how many days after its end the newest certificate of a machine may be renewed without a person.
pub const GRACE_DAYS: i64 = 365;
/// Seconds between two renewals of a machine.
pub const PAUSE_SECONDS: i64 = 600;
/// Renewed certificates that are remembered of a machine: it needs two, and all of a ledger's machines have to fit a STATE.
pub(crate) const KEPT_MAX: usize = 3;

/// Body of the act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// `agent/<id>`.
    pub author: String,
    /// SHA-256 of the new certificate, hex.
    pub certificate: String,
    /// SHA-256 of its public key, hex.
    pub key: String,
    /// Until when it holds, RFC 3339.
    pub until: String,
    /// SHA-256 of the certificate that was shown.
    pub before: String,
    /// Which key signed the request.
    pub asked_by: AskedBy,
}

/// Which key signed the request for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    /// The one that signs the machine's log now.
    Author,
    /// The one with which it cosigns checkpoints: its certificate had ended.
    Witness,
}

/// One certificate in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// SHA-256 of it, hex.
    pub certificate: String,
    /// SHA-256 of its public key, hex.
    pub key: String,
    /// When it was given, RFC 3339.
    pub given: String,
    /// Until when it holds, RFC 3339.
    pub until: String,
}

impl Machine {
    /// Takes in the body of an act.
    pub(crate) fn renewed(&mut self, renewal: Renewal, given: &str) {
        let Renewal { certificate, key, until, .. } = renewal;
        self.certificates.retain(|one| one.key != key);
        self.certificates.push(Renewed { certificate, key, given: given.to_owned(), until });
        let too_many = self.certificates.len().saturating_sub(KEPT_MAX);
        self.certificates.drain(..too_many);
    }

    /// The hash of the certificate that it was given last.
    pub fn certificate(&self) -> Option<&str> {
        let newest = self.certificates.last().map(|one| one.certificate.as_str());
        newest.or(self.enrolment.certificate.as_deref())
    }

    /// Whether it was ever given this certificate, as far as is remembered.
    pub(crate) fn was_given(&self, sha256: &str) -> bool {
        self.given().any(|one| one == sha256)
    }

    /// The hashes of the certificates that it was given, as far as is remembered.
    pub(crate) fn given(&self) -> impl Iterator<Item = &str> {
        let renewed = self.certificates.iter().map(|one| one.certificate.as_str());
        self.enrolment.certificate.as_deref().into_iter().chain(renewed)
    }

    /// Whether it may still show this certificate: the newest, or one that was replaced not long ago. Dates in the
    /// certificate itself are the listener's to check.
    pub fn accepts(&self, sha256: &str, now: Moment) -> bool {
        let is_enrolled = self.enrolment.certificate.as_deref() == Some(sha256);
        let place = self.certificates.iter().position(|one| one.certificate == sha256);
        let next = match place {
            Some(place) => self.certificates.get(place.saturating_add(1)),
            None if is_enrolled => self.certificates.first(),
            None => return false,
        };
        let overlap = OVERLAP_DAYS.saturating_mul(DAY);
        next.is_none_or(|next| {
            Moment::parse(&next.given).is_some_and(|given| now < given.plus_seconds(overlap))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn machine() -> Machine {
        serde_json::from_value(json!({
            "enrolment": {"author": "agent/ws-01", "key": "k", "epoch": 0, "certificate": "first"},
            "enrolled": "2026-11-01T00:00:00Z", "act": 1,
        }))
        .unwrap()
    }

    fn renewal(certificate: &str, key: &str) -> Renewal {
        serde_json::from_value(json!({
            "author": "agent/ws-01", "certificate": certificate, "key": key, "until": "2027-01-01T00:00:00Z",
            "before": "first", "asked_by": "author",
        }))
        .unwrap()
    }

    fn at(text: &str) -> Moment {
        Moment::parse(text).unwrap()
    }

    #[test]
    fn the_one_before_is_accepted_for_thirty_days_and_the_newest_as_long_as_it_lasts() {
        let mut machine = machine();
        assert!(
            machine.accepts("first", at("2035-01-01T00:00:00Z"))
                && !machine.accepts("other", at("2026-11-02T00:00:00Z"))
        );
        machine.renewed(renewal("second", "k2"), "2026-12-01T00:00:00Z");
        assert_eq!(machine.certificate(), Some("second"));
        assert!(machine.accepts("first", at("2026-12-30T23:59:59Z")));
        assert!(!machine.accepts("first", at("2026-12-31T00:00:00Z")));
        assert!(machine.accepts("second", at("2035-01-01T00:00:00Z")));
        machine.renewed(renewal("third", "k3"), "2027-02-01T00:00:00Z");
        assert!(!machine.accepts("first", at("2027-02-02T00:00:00Z")));
        assert!(machine.accepts("second", at("2027-02-02T00:00:00Z")));
    }

    #[test]
    fn who_asks_again_with_the_same_key_has_one_certificate_more_and_not_two() {
        let mut machine = machine();
        machine.renewed(renewal("lost", "k2"), "2026-12-01T00:00:00Z");
        machine.renewed(renewal("second", "k2"), "2026-12-20T00:00:00Z");
        assert_eq!(machine.certificates.len(), 1);
        assert!(
            machine.accepts("first", at("2027-01-18T00:00:00Z")),
            "the days run from the second answer on"
        );
        assert!(!machine.accepts("lost", at("2026-12-21T00:00:00Z")));
        for n in 0..20 {
            machine.renewed(renewal(&format!("c{n}"), &format!("n{n}")), "2026-12-21T00:00:00Z");
        }
        assert_eq!(machine.certificates.len(), KEPT_MAX);
    }
}
