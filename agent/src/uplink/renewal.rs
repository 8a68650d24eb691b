//! The machine's certificate, renewed before it ends: looked at now and then, asked for, kept, taken into use.
//!
//! What is due is a pure question of dates ([`due`]). The new key is durable before it is asked with, the answer before it
//! is used ([`crate::identity`]). Streams that are open go on; the next one is opened with the new certificate. Within its
//! time the old one opens the connection, and the key of the current epoch signs the request. After its end the
//! connection is opened without one, and the cosigning key signs.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::renewal::statement;
use ntk_evidence::time::Moment;
use ntk_proto::v1::ledger_client::LedgerClient;
use ntk_proto::v1::{RenewRequest, RenewResponse};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::addresses::Addresses;
use super::stream::{Line, LineError, Shown};
use crate::clock::Clock;
use crate::host::Run;
use crate::identity::epochs::EpochKeys;
use crate::identity::{Identity, IdentityError, IdentityFiles};
use crate::spool::keeper::Progress;
use crate::whole_file::Files;

/// With so many days left it is renewed: the collector gives 90, so at two thirds of them.
const LEFT_DAYS: i64 = 30;
/// One that lasts longer is of an earlier version, and is replaced by a short one.
const LIFE_DAYS_MAX: i64 = 91;
const SECONDS_PER_DAY: i64 = 86_400;
/// How long the first look waits: the key of an epoch that began with this start is to be known to the collector.
pub const FIRST_LOOK_AFTER: Duration = Duration::from_secs(15);
/// How often it is looked at after that.
pub const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// How soon it is tried again after an attempt without a certificate.
pub const AGAIN_AFTER: Duration = Duration::from_secs(300);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Whether a certificate is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Not yet.
    No,
    /// It holds, and it is time.
    Now,
    /// It has ended.
    Ended,
}

/// Whether one that holds until then is to be renewed now.
pub fn due(not_after_unix_seconds: i64, now: Moment) -> Due {
    let left = not_after_unix_seconds.saturating_sub(now.unix_seconds());
    if left < 0 {
        Due::Ended
    } else if left <= LEFT_DAYS.saturating_mul(SECONDS_PER_DAY)
        || left > LIFE_DAYS_MAX.saturating_mul(SECONDS_PER_DAY)
    {
        Due::Now
    } else {
        Due::No
    }
}

/// Why there is no new certificate yet; the next look tries again.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// A file of the identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The new pair opens no line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The request could not be made.
    #[error("the certificate request could not be made")]
    Request(#[source] rcgen::Error),
    /// The certificate that is there is none.
    #[error("this machine's certificate is damaged; enrol it anew")]
    Certificate,
    /// No collector answered.
    #[error("no collector could be asked")]
    Reach,
    /// It said no, with a code only: the peer's own words are a stranger's.
    #[error("the collector gives no new certificate ({0:?}); its log says why")]
    Refused(tonic::Code),
    /// Its answer is not what was asked for.
    #[error("the collector's answer is not used: {0}")]
    Answer(&'static str),
    /// A thread ended.
    #[error("a thread of the agent ended")]
    Thread,
}

/// Everything that renewal is joined to.
#[derive(Debug)]
pub struct Renewing {
    /// The identity's files.
    pub identity: IdentityFiles,
    /// The disk.
    pub files: Arc<dyn Files>,
    /// Addresses of the configuration; those of the enrolment where it names none.
    pub configured: Vec<String>,
    /// This run.
    pub run: Run,
    /// Which epoch the machine's log is in.
    pub progress: watch::Receiver<Progress>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Takes lines with the new certificate.
    pub lines: watch::Sender<Option<Addresses<Line>>>,
}

impl Renewing {
    /// Looks again and again until `drain` is cancelled.
    pub async fn run(self, drain: CancellationToken) {
        let mut wait = FIRST_LOOK_AFTER;
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = LOOK_EVERY;
            match self.look().await {
                Ok(false) => {}
                Ok(true) => info!("this machine's certificate was renewed"),
                Err(error) => {
                    wait = AGAIN_AFTER;
                    warn!(error = %crate::error_chain(&error), "this machine's certificate could not be renewed yet");
                }
            }
        }
    }

    /// Renews the certificate if it is due; whether it was.
    pub async fn look(&self) -> Result<bool, RenewalError> {
        let now = self.clock.now();
        let epoch = self.progress.borrow().epoch;
        let (files, disk) = (self.identity.clone(), Arc::clone(&self.files));
        let asked = blocking(move || ask_with(&files, &disk, epoch, now)).await?;
        let Some(asked) = asked else { return Ok(false) };
        let lines = Line::all_showing(&asked.identity, &self.configured, &self.run, asked.shown)?;
        let response = ask(&lines, &asked.request).await?;
        let pem = checked(&asked, &response, now)?;
        let (files, disk) = (self.identity.clone(), Arc::clone(&self.files));
        let identity = blocking(move || {
            files.keep_certificate(&*disk, &pem)?;
            files.settle_renewal(&*disk)?;
            Ok(files.load(&*disk)?)
        })
        .await?;
        self.lines.send_replace(Some(Line::all(&identity, &self.configured, &self.run)?));
        Ok(true)
    }
}

/// A request with what its answer is compared with.
struct AskedWith {
    identity: Identity,
    key: KeyPair,
    request: RenewRequest,
    shown: Shown,
}

/// The request that is due now, if one is.
fn ask_with(
    files: &IdentityFiles,
    disk: &Arc<dyn Files>,
    epoch: u32,
    now: Moment,
) -> Result<Option<AskedWith>, RenewalError> {
    let identity = files.load(&**disk)?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(identity.certificate_pem.as_bytes())
        .map_err(|_| RenewalError::Certificate)?;
    let certificate = pem.parse_x509().map_err(|_| RenewalError::Certificate)?;
    let due = due(certificate.validity().not_after.timestamp(), now);
    if due == Due::No {
        return Ok(None);
    }
    let key = files.prepare_tls_key(&**disk)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, identity.author.to_string());
    let csr = params.serialize_request(&key).map_err(RenewalError::Request)?;
    let signed = statement(&identity.slug, &identity.author, csr.der(), &pem.contents);
    let mut request =
        RenewRequest { certificate_request: csr.der().to_vec(), epoch, ..RenewRequest::default() };
    let shown = if due == Due::Ended {
        let name = identity.slug.witness_name(identity.author.machine().unwrap_or_default());
        let witness = NoteSigner::new(&name, KeyType::CosignatureV1, &identity.secrets.witness_seed);
        let witness = witness
            .map_err(|error| IdentityError::Damaged { path: files.witness_key(), what: error.to_string() })?;
        request.signature = witness.raw(&signed).to_vec();
        request.ended = pem.contents;
        Shown::Nothing
    } else {
        let keys = EpochKeys::new(files.clone(), &identity.slug, &identity.author, Arc::clone(disk));
        request.signature = keys.signer(epoch)?.raw(&signed).to_vec();
        Shown::Certificate
    };
    Ok(Some(AskedWith { identity, key, request, shown }))
}

/// Asks one address after the other, until one answers.
async fn ask(lines: &Addresses<Line>, request: &RenewRequest) -> Result<RenewResponse, RenewalError> {
    let mut refused = RenewalError::Reach;
    for line in lines.iter() {
        let Ok(channel) = line.connect().await else { continue };
        let mut client = LedgerClient::new(channel);
        match tokio::time::timeout(ANSWER_WITHIN, client.renew(request.clone())).await {
            Ok(Ok(response)) => return Ok(response.into_inner()),
            Ok(Err(status)) => refused = RenewalError::Refused(status.code()),
            Err(_) => {}
        }
    }
    Err(refused)
}

/// The answer as PEM: for the key that was asked with, in this machine's name, and longer than the one that is there.
fn checked(asked: &AskedWith, response: &RenewResponse, now: Moment) -> Result<String, RenewalError> {
    let wrong = RenewalError::Answer;
    let (_, certificate) = x509_parser::parse_x509_certificate(&response.certificate)
        .map_err(|_| wrong("the certificate is none"))?;
    if certificate.public_key().subject_public_key.data.as_ref() != asked.key.public_key_raw() {
        return Err(wrong("the certificate is for another key"));
    }
    let mut names = certificate.subject().iter_common_name().map(|name| name.as_str());
    if names.next() != Some(Ok(asked.identity.author.to_string().as_str())) {
        return Err(wrong("the certificate names another machine"));
    }
    if due(certificate.validity().not_after.timestamp(), now) == Due::Ended {
        return Err(wrong("the certificate has ended"));
    }
    Ok(crate::enroll::pem("CERTIFICATE", &response.certificate))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RenewalError> + Send + 'static,
) -> Result<T, RenewalError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| RenewalError::Thread)?
}

#[cfg(test)]
mod tests;
