//! The agents' listener: gRPC over mutual TLS, and the only way from the wire into the ledger.
//!
//! [`door`] accepts connections and bounds what they cost before anybody is known; [`verify`] turns a message into a
//! [`VerifiedBatch`](verify::VerifiedBatch) or a refusal; [`session`] runs one agent's stream; [`enroll`] exchanges a one-time
//! token for a certificate, [`renew`] one that ends for another. A session needs an [`AgentIdentity`], which only a verified
//! client certificate of an enrolled machine makes.

pub mod clones;
pub mod door;
pub mod enroll;
pub mod listener;
pub mod renew;
pub mod session;
mod short;
mod told;
pub mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use ntk_evidence::time::Moment;
use tonic::Status;
use tonic::transport::CertificateDer;

use crate::ledger::registry::{Machine, Registry};
use told::Told;

/// Who speaks on a stream: made from a verified client certificate and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    author: Author,
}

/// Why nobody is identified.
enum Unidentified<'r> {
    /// No certificate, or one that was never enrolled.
    Unknown(Status),
    /// A machine that is no longer accepted.
    Revoked(&'r Machine),
}

impl AgentIdentity {
    /// Finds the machine that was enrolled with this certificate.
    fn from_certificates<'r>(
        certificates: Option<&[CertificateDer<'static>]>,
        registry: &'r Registry,
        now: Moment,
    ) -> Result<Self, Unidentified<'r>> {
        let first = certificates.and_then(<[_]>::first);
        let first = first.ok_or_else(|| {
            let status = Status::unauthenticated("a client certificate is needed; enrol this machine first");
            Unidentified::Unknown(status)
        })?;
        let sha256 = Hash::of(first.as_ref()).to_hex();
        let machine = registry.by_certificate(&sha256);
        let machine = machine.ok_or_else(|| {
            Unidentified::Unknown(Status::permission_denied(
                "this certificate belongs to no enrolled machine",
            ))
        })?;
        if machine.revoked.is_some() {
            return Err(Unidentified::Revoked(machine));
        }
        if !machine.accepts(&sha256, now) {
            let status = Status::permission_denied("this certificate was replaced more than 30 days ago");
            return Err(Unidentified::Unknown(status));
        }
        let author = Author::parse(&machine.enrolment.author)
            .map_err(|_| Unidentified::Unknown(Status::internal("the machine's name cannot be read")))?;
        Ok(Self { author })
    }

    /// The author that this machine is.
    pub const fn author(&self) -> &Author {
        &self.author
    }
}

/// What was refused, by reason: shown by `status` and in the report; and what of it stands in the ledger already.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    counts: Arc<Mutex<BTreeMap<String, u64>>>,
    told: Arc<Mutex<Told>>,
}

impl Refusals {
    /// Counts one refusal.
    pub fn count(&self, code: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(code.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts one refusal of an author; how many of its kind are to be told in an act now, if it is time for one.
    pub fn count_of(&self, author: &str, code: &str, now: Moment) -> Option<u64> {
        self.count(code);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).count(author, code, now)
    }

    /// All counts.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn counted(shared: &session::Shared, code: &str, status: Status) -> Status {
    shared.refusals.count(code);
    status
}
