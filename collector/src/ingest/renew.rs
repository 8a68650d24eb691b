//! Renewal: a machine's certificate that ends is replaced, after the act is durable.
//!
//! Within its time the old one is the client certificate of the connection, and the key of the machine's current epoch
//! signs the request: who copied the machine's folder some days ago has neither that key nor, soon, a certificate. After
//! its end no connection can be opened with it, and the next epoch may not be known here yet; then the newest certificate
//! is named in the request and the machine's cosigning key signs, for [`GRACE_DAYS`]. A machine that renewed meanwhile
//! leaves nothing to be renewed late. Revocation ends both ways.

use std::sync::Arc;

use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_evidence::name::Author;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::renewal::statement;
use ntk_evidence::time::Moment;
use ntk_proto::convert;
use ntk_proto::v1;
use serde_json::json;
use tonic::Status;
use tonic::transport::CertificateDer;
use tracing::{info, warn};

use super::Refusals;
use crate::authority::{Asked, Authority, DAY, Dates};
use crate::ledger::LedgerHandle;
use crate::ledger::registry::Machine;
use crate::renewal::{AskedBy, GRACE_DAYS, PAUSE_SECONDS, Renewal};

/// The longest request and certificate that is read, bytes.
const DER_BYTES_MAX: usize = 16 * 1024;

/// What renewal needs.
#[derive(Debug)]
pub struct Renewing {
    ledger: LedgerHandle,
    authority: Arc<Authority>,
    refusals: Refusals,
    // One at a time: two requests of one machine at once are one after the other.
    turn: tokio::sync::Mutex<()>,
}

/// Why nothing is given.
enum Refused {
    /// It is not time yet, or not possible now; nobody did anything wrong.
    Later(&'static str),
    /// Whoever asks has no right to it.
    Denied(&'static str),
}

impl Renewing {
    /// Renewal by this authority.
    pub fn new(ledger: LedgerHandle, authority: Arc<Authority>, refusals: Refusals) -> Self {
        Self { ledger, authority, refusals, turn: tokio::sync::Mutex::default() }
    }

    /// Gives the machine of this certificate another one.
    pub async fn renew(
        &self,
        shown: Option<&CertificateDer<'static>>,
        request: v1::RenewRequest,
    ) -> Result<v1::RenewResponse, Status> {
        let _turn = self.turn.lock().await;
        let now = self.ledger.clock().now();
        let certificate = shown.map_or(request.ended.as_slice(), AsRef::as_ref);
        let registry = self.ledger.published().registry;
        let machine = registry.by_certificate(&Hash::of(certificate).to_hex());
        let author = machine.map(|machine| machine.enrolment.author.clone());
        let decided = match machine {
            None => Err(Refused::Denied("this certificate belongs to no enrolled machine")),
            Some(machine) => self.decide(machine, certificate, shown.is_some(), &request, now),
        };
        let (renewal, given) = match decided {
            Ok(decided) => decided,
            Err(Refused::Later(why)) => return Err(Status::failed_precondition(why)),
            Err(Refused::Denied(why)) => return Err(self.denied(author.as_deref(), why, now).await),
        };
        let author = renewal.author.clone();
        let body = serde_json::to_value(&renewal)
            .map_err(|_| Status::internal("the renewal could not be written down"))?;
        let event = act::event(act::kind::CERTIFICATE, self.ledger.now(), body);
        let _appended =
            self.ledger.act(vec![event]).await.map_err(|_| Status::unavailable("the ledger has stopped"))?;
        info!(agent = %author, until = %renewal.until, "certificate renewed");
        Ok(v1::RenewResponse { certificate: given })
    }

    async fn denied(&self, author: Option<&str>, why: &'static str, now: Moment) -> Status {
        let Some(author) = author else {
            self.refusals.count("renewal");
            return Status::permission_denied(why);
        };
        warn!(agent = %author, why, "a certificate was not renewed");
        if let Some(count) = self.refusals.count_of(author, "renewal", now) {
            let body = json!({"author": author, "code": "renewal", "reason": why, "count": count});
            let event = act::event(act::kind::REFUSAL, self.ledger.now(), body);
            if self.ledger.act(vec![event]).await.is_err() {
                return Status::unavailable("the ledger has stopped");
            }
        }
        Status::permission_denied(why)
    }

    fn decide(
        &self,
        machine: &Machine,
        certificate: &[u8],
        is_shown: bool,
        request: &v1::RenewRequest,
        now: Moment,
    ) -> Result<(Renewal, Vec<u8>), Refused> {
        use Refused::{Denied, Later};
        if machine.revoked.is_some() {
            return Err(Denied("this machine was revoked"));
        }
        if request.certificate_request.len() > DER_BYTES_MAX || certificate.len() > DER_BYTES_MAX {
            return Err(Denied("the request is too long"));
        }
        let author = Author::parse(&machine.enrolment.author)
            .map_err(|_| Denied("the machine's name cannot be read"))?;
        let asked = Asked::read(&request.certificate_request)
            .map_err(|_| Denied("the certificate request is none, or its own signature does not hold"))?;
        if asked.name.as_deref() != Some(machine.enrolment.author.as_str()) {
            return Err(Denied("the certificate request names another machine"));
        }
        let dates = Dates::of(certificate).ok_or(Denied("the certificate cannot be read"))?;
        let before = Hash::of(certificate).to_hex();
        let asked_by = if is_shown {
            if !machine.accepts(&before, now) {
                return Err(Denied("this certificate was replaced more than 30 days ago"));
            }
            if !dates.is_due(now.unix_seconds()) {
                return Err(Later("this certificate holds for long enough"));
            }
            AskedBy::Author
        } else {
            let ended = now.unix_seconds().saturating_sub(dates.not_after);
            if ended < 0 {
                return Err(Denied("this certificate has not ended; show it on the connection"));
            }
            if ended > GRACE_DAYS.saturating_mul(DAY) {
                return Err(Denied("this certificate ended more than a year ago; enrol the machine anew"));
            }
            let is_newest = machine.certificate() == Some(before.as_str());
            // The newest one may have got lost on its way; then the machine asks with the same key.
            let is_asked_again = machine.certificates.last().is_some_and(|newest| newest.key == asked.key);
            if !is_newest && !is_asked_again {
                return Err(Denied("this certificate was replaced by another one"));
            }
            AskedBy::Witness
        };
        let key = match asked_by {
            AskedBy::Author => {
                let published = self.ledger.published();
                let known = published.authors.get(&author).ok_or(Denied("this machine is not enrolled"))?;
                let key = known.key().ok_or(Denied("this machine was revoked"))?;
                if request.epoch > known.log.epoch() {
                    return Err(Later("the key of this epoch is not known here yet"));
                }
                if request.epoch != known.log.epoch() {
                    return Err(Denied("the epoch of the key that signed the request is over"));
                }
                key.clone()
            }
            AskedBy::Witness => {
                let key = machine.enrolment.witness.as_deref().and_then(|key| VerifierKey::parse(key).ok());
                key.ok_or(Denied("this machine has no key that outlives its certificate; enrol it anew"))?
            }
        };
        let signature: [u8; 64] = convert::exactly("signature", &request.signature)
            .map_err(|_| Denied("the signature of the request is none"))?;
        let signed = statement(self.ledger.slug(), &author, &request.certificate_request, certificate);
        if !key.verify_bytes(&signed, &signature) {
            return Err(Denied("the request is not signed by this machine's key"));
        }
        // Last, so that nobody but the machine itself makes it wait.
        let given = machine.certificates.last().and_then(|last| Moment::parse(&last.given));
        if given.is_some_and(|given| given <= now && now < given.plus_seconds(PAUSE_SECONDS)) {
            return Err(Later("another certificate was given only just now; ask again in ten minutes"));
        }
        let made = self
            .authority
            .client(&author.to_string(), &request.certificate_request, now.unix_seconds())
            .map_err(|_| Denied("no certificate can be made of the request"))?;
        let until = Dates::of(&made).and_then(|dates| Moment::from_unix_seconds(dates.not_after));
        let renewal = Renewal {
            author: author.to_string(),
            certificate: Hash::of(&made).to_hex(),
            key: asked.key,
            until: until.map(|until| until.to_rfc3339(0)).unwrap_or_default(),
            before,
            asked_by,
        };
        Ok((renewal, made))
    }
}

#[cfg(test)]
mod tests;
