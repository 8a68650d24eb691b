//! Enrolment: a one-time secret and a certificate request in; a certificate out, after the act is durable.

use std::sync::Arc;

use ntk_evidence::act::{self, Enrolment};
use ntk_evidence::hash::{Hash, unbase64};
use ntk_evidence::name::Author;
use ntk_evidence::note::{KeyType, VerifierKey};
use ntk_evidence::time::Moment;
use ntk_proto::convert;
use ntk_proto::v1;
use serde_json::json;
use tonic::Status;
use tracing::{info, warn};

use super::Refusals;
use crate::authority::Authority;
use crate::delegation;
use crate::ledger::registry::{MACHINES_EVER_MAX, Offer};
use crate::ledger::{LedgerError, LedgerHandle};
use crate::witness::trust::CurrentTrust;

/// The longest text that a machine may say about itself, bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// What enrolment needs.
#[derive(Debug)]
pub struct Enrolling {
    ledger: LedgerHandle,
    authority: Arc<Authority>,
    trust: CurrentTrust,
    refusals: Refusals,
    // One at a time: an offer that two machines present at once is used by one.
    turn: tokio::sync::Mutex<Told>,
}

/// Refusals that are already in the ledger, and those that wait to be told: anybody on the network can cause
/// one, so they are told at most once a minute, with their number.
#[derive(Debug, Default)]
struct Told {
    last: Option<Moment>,
    waiting: u64,
}

/// What a token that is no offer is answered.
const USED: &str =
    "this token is unknown or was used already; make a new one with `ntk-collector enroll new`";
/// For how long a token that is not known yet is waited for, where another collector leads.
const HEAR_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);
/// Seconds between two acts about refused enrolments.
const TELL_EVERY_SECONDS: i64 = 60;

impl Enrolling {
    /// Enrolment within the delegation of the trust file.
    pub fn new(
        ledger: LedgerHandle,
        authority: Arc<Authority>,
        trust: CurrentTrust,
        refusals: Refusals,
    ) -> Self {
        Self { ledger, authority, trust, refusals, turn: tokio::sync::Mutex::default() }
    }

    /// Exchanges a token's secret for a certificate.
    pub async fn enroll(&self, request: v1::EnrollRequest) -> Result<v1::EnrollResponse, Status> {
        let mut told = self.turn.lock().await;
        let response = self.decide(request).await;
        if let Err(status) = &response {
            warn!(code = ?status.code(), "enrolment refused");
            self.refusals.count("enrolment");
            told.waiting = told.waiting.saturating_add(1);
            let now = self.ledger.clock().now();
            if told.last.is_none_or(|last| last.plus_seconds(TELL_EVERY_SECONDS) <= now) {
                let body = json!({"code": "enrolment", "reason": status.message(), "count": told.waiting});
                *told = Told { last: Some(now), waiting: 0 };
                let event = act::event(act::kind::REFUSAL, self.ledger.now(), body);
                let stopped = |_| Status::unavailable("the ledger has stopped");
                let _appended = self.ledger.act(vec![event]).await.map_err(stopped)?;
            }
        }
        response
    }

    async fn decide(&self, request: v1::EnrollRequest) -> Result<v1::EnrollResponse, Status> {
        self.hear_of(&request).await;
        let offer = self.offer(&request)?;
        let author = offer.author().ok_or_else(|| Status::internal("the offer's name cannot be read"))?;
        let origin = self.ledger.slug().author_origin(&author);
        let public = unbase64(&request.author_key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let public = public
            .ok_or_else(|| Status::invalid_argument("the field `author_key` is not 32 bytes in base64"))?;
        let key = VerifierKey::new(&origin, KeyType::Ed25519, &public)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let witness = match request.witness_key.as_str() {
            "" => None,
            key => {
                let public = unbase64(key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                let public = public.ok_or_else(|| {
                    Status::invalid_argument("the field `witness_key` is not 32 bytes in base64")
                })?;
                let name = self.ledger.slug().witness_name(&offer.machine);
                let key = VerifierKey::new(&name, KeyType::CosignatureV1, &public);
                Some(key.map_err(|error| Status::invalid_argument(error.to_string()))?.to_string())
            }
        };
        if [&request.machine, &request.agent_version, &request.notice]
            .iter()
            .any(|text| text.len() > TEXT_BYTES_MAX)
        {
            return Err(Status::invalid_argument("a text is longer than 1024 bytes"));
        }
        let certificate = self
            .authority
            .client(
                &author.to_string(),
                &request.certificate_request,
                self.ledger.clock().now().unix_seconds(),
            )
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let text = |text: String| if text.is_empty() { None } else { Some(text) };
        let enrolment = Enrolment {
            author: author.to_string(),
            key: key.to_string(),
            epoch: 0,
            certificate: Some(Hash::of(&certificate).to_hex()),
            machine: text(request.machine),
            // The practice's own answer comes before what the machine says.
            notice: offer.notice.or_else(|| text(request.notice)),
            replaces: offer.replaces.as_deref().and_then(|before| self.key_of(before)),
            witness,
            begins: None,
        };
        let body = serde_json::to_value(&enrolment)
            .map_err(|_| Status::internal("the enrolment could not be written down"))?;
        let event = act::event(act::kind::ENROLMENT, self.ledger.now(), body);
        let _appended = self.ledger.act(vec![event]).await.map_err(|failure| match failure {
            // Another collector of the practice was shown the token at the same moment.
            LedgerError::Enrolled(_) => Status::permission_denied(USED),
            // Others were enrolled since the offer was looked at: it counts what is in the log.
            LedgerError::Full => Status::permission_denied(delegation::FULL),
            _ => Status::unavailable("the ledger has stopped"),
        })?;
        info!(agent = %author, "enrolled");
        Ok(v1::EnrollResponse {
            certificate,
            authority: self.authority.certificate().to_vec(),
            slug: self.ledger.slug().to_string(),
            author: author.to_string(),
            log_key: self.trust.now().0.log.to_string(),
            trust: self.trust.now().1.as_bytes().to_vec(),
        })
    }

    /// The key that speaks for an author, or spoke for it last as far as its enrolment says.
    fn key_of(&self, author: &str) -> Option<String> {
        let published = self.ledger.published();
        let known =
            Author::parse(author).ok().and_then(|author| published.authors.get(&author)?.key().cloned());
        let enrolled =
            || published.registry.machines.get(author).map(|machine| machine.enrolment.key.clone());
        known.map(|key| key.to_string()).or_else(enrolled)
    }

    /// A collector that does not lead hears of a token a moment later than it was made.
    async fn hear_of(&self, request: &v1::EnrollRequest) {
        let secret = Hash::of(&request.secret).to_hex();
        let mut sizes = self.ledger.sizes();
        let heard = async {
            while !self.ledger.leads() && !self.ledger.published().registry.offers.contains_key(&secret) {
                if sizes.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(HEAR_WITHIN, heard).await;
    }

    fn offer(&self, request: &v1::EnrollRequest) -> Result<Offer, Status> {
        let refuse = |why: &str| Status::permission_denied(why);
        let secret: [u8; 32] = convert::exactly("secret", &request.secret)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let registry = self.ledger.published().registry;
        let offer = registry.offers.get(&Hash::of(&secret).to_hex());
        let offer = offer.ok_or_else(|| refuse(USED))?;
        let now = self.ledger.clock().now();
        if Moment::parse(&offer.expires).is_none_or(|expires| expires < now) {
            return Err(refuse("this token has expired; make a new one with `ntk-collector enroll new`"));
        }
        // One that takes its own earlier place does not add to their number.
        let mut names = delegation::names(&registry.machines);
        if let Some(own) = offer.author() {
            names.remove(own.machine().unwrap_or_default());
        }
        if let Some(why) = delegation::refuses(&self.trust.now().0, names.len(), now) {
            return Err(refuse(why));
        }
        if registry.machines.len() >= MACHINES_EVER_MAX {
            return Err(refuse(
                "this ledger names as many machines as one can; begin another practice for more",
            ));
        }
        let author = offer.author().map(|author| author.to_string()).unwrap_or_default();
        if registry.machines.contains_key(&author) {
            return Err(refuse("a machine of this name was enrolled before; choose another name"));
        }
        Ok(offer.clone())
    }
}
