//! The agents' listener: gRPC over mutual TLS, and the only way from the wire into the ledger.
//!
//! [`verify`] turns a message into a [`VerifiedBatch`](verify::VerifiedBatch) or a refusal; [`session`] runs
//! one agent's stream; [`enroll`] exchanges a one-time token for a certificate. Every method but Enroll needs
//! an [`AgentIdentity`], which only a verified client certificate of an enrolled machine makes.

pub mod enroll;
pub mod listener;
pub mod session;
pub mod verify;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use tonic::Status;
use tonic::transport::CertificateDer;

use crate::ledger::registry::Registry;

/// Who speaks on a stream: made from a verified client certificate and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    author: Author,
}

impl AgentIdentity {
    /// Finds the machine that was enrolled with this certificate.
    fn from_certificates(
        certificates: Option<&[CertificateDer<'static>]>,
        registry: &Registry,
    ) -> Result<Self, Status> {
        let first = certificates.and_then(<[_]>::first);
        let first = first.ok_or_else(|| {
            Status::unauthenticated("a client certificate is needed; enrol this machine first")
        })?;
        let machine = registry.by_certificate(&Hash::of(first.as_ref()).to_hex());
        let machine = machine.ok_or_else(|| {
            Status::permission_denied("this certificate belongs to no enrolled machine, or was revoked")
        })?;
        let author = Author::parse(&machine.enrolment.author)
            .map_err(|_| Status::internal("the machine's name cannot be read"))?;
        Ok(Self { author })
    }

    /// The author that this machine is.
    pub const fn author(&self) -> &Author {
        &self.author
    }
}

/// What was refused, by reason: shown by `status` and in the report.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<String, u64>>>);

impl Refusals {
    /// Counts one refusal.
    pub fn count(&self, code: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(code.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// All counts.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
