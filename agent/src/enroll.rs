//! Enrolment: a one-time token becomes an identity. Never a side effect of anything else.
//!
//! 1. The token names the collector and pins the practice's certificate authority by its hash.
//! 2. Two secret keys are made and are durable before anyone hears of them.
//! 3. Over TLS to exactly that authority ([`pinned`]) the token's secret goes up with a certificate request and the
//!    public half of the signing key; certificate, slug, author and log key come back.
//! 4. They are checked and written, `identity.toml` last.
//!
//! A crash before the last step leaves an incomplete identity: the command can be run again and uses the same keys.
//!
//! A machine that was set up anew, or whose spool is lost, takes its own earlier place (`--replace`): the new identity
//! is made beside the old one, and only when it is complete the old spool and identity are moved aside ([`aside`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::hash::{Hash, base64};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::VerifierKey;
use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use ntk_proto::v1::ledger_client::LedgerClient;
use ntk_proto::v1::{EnrollRequest, EnrollResponse};
use tonic::transport::{ClientTlsConfig, Endpoint};

use crate::config;
use crate::identity::epochs::Seed;
use crate::identity::{Enrolled, IdentityError, IdentityFiles, Secrets};
use crate::whole_file::{Files, Readable, create_private_folder};

mod aside;
pub mod pinned;
pub mod token;

use token::{Token, TokenError};

/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Enrolment failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The machine has an identity.
    #[error(
        "this machine is already enrolled (`{path}`); to enrol it anew, use a token from `ntk-collector enroll new --replace NAME` and add --replace here: the old identity and spool are moved aside"
    )]
    AlreadyEnrolled {
        /// The identity's folder.
        path: PathBuf,
    },
    /// A log of an earlier enrolment.
    #[error(
        "`{path}` holds the log of an earlier enrolment; add --replace to have it moved aside, and keep it: it may hold entries that the collector does not have"
    )]
    SpoolThere {
        /// The spool's folder.
        path: PathBuf,
    },
    /// The agent runs, and would go on writing into the spool that is moved.
    #[error("an agent runs in `{path}`; stop it first (`systemctl stop ntk-agent`, where it is a service)")]
    Running {
        /// The agent's folder.
        path: PathBuf,
    },
    /// A folder could not be moved aside.
    #[error(
        "could not move `{path}` aside; check permissions, then run this again: it goes on where it stopped"
    )]
    Aside {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address is not one.
    #[error("`{0}` is not an address; write host:port, such as collector.example:7443")]
    Address(String),
    /// The agent's folder cannot be made.
    #[error("could not make `{path}`; check permissions, or choose another folder with --dir")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A key or certificate request could not be made.
    #[error("could not make this machine's keys")]
    Keys(#[source] rcgen::Error),
    /// No random numbers.
    #[error("the system gave no random numbers for a key: {0}")]
    Random(getrandom::Error),
    /// No connection, or not to the collector that the token pins.
    #[error(
        "could not reach the collector of this token at `{address}`; check address, network and firewall, and that the token is of this collector"
    )]
    Reach {
        /// `host:port`.
        address: String,
        /// What failed.
        source: tonic::transport::Error,
    },
    /// Somebody took the connection and said nothing.
    #[error("`{address}` takes the connection and does not answer; check that it is the collector's address")]
    Silent {
        /// `host:port`.
        address: String,
    },
    /// The collector said no.
    #[error("the collector refused the enrolment: {0}")]
    Refused(String),
    /// The collector's answer makes no sense.
    #[error("the collector's answer cannot be used: {0}; check that both programs have the same version")]
    Answer(&'static str),
    /// The identity could not be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The token's text.
    pub token: String,
    /// The agent's folder.
    pub dir: PathBuf,
    /// In place of the token's address.
    pub collector: Option<String>,
    /// Whether the machine's users were told that access is recorded, or why not.
    pub notice: String,
    /// Operating system and name, for people.
    pub machine: String,
    /// Whether an identity and a spool that are there are moved aside, once the new identity is complete.
    pub replace: Replace,
}

/// What becomes of an identity and a spool that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replace {
    /// They are left alone, and the enrolment is refused.
    No,
    /// They are moved aside under names that say this time; nothing is deleted.
    At(Moment),
}

/// Enrols this machine.
pub async fn enroll(request: &Request, files: &dyn Files) -> Result<Enrolled, EnrollError> {
    let token = Token::parse(&request.token)?;
    let addresses = match &request.collector {
        Some(address) => vec![address.clone()],
        None => std::iter::once(&token.address).chain(&token.more_addresses).cloned().collect(),
    };
    if let Some(address) = addresses.iter().find(|address| !config::is_address(address)) {
        return Err(EnrollError::Address(address.clone()));
    }
    let identity = match request.replace {
        Replace::No => IdentityFiles::of(&request.dir),
        Replace::At(_) => aside::new_identity(&request.dir),
    };
    let held = match request.replace {
        Replace::No => {
            refuse_what_is_there(&request.dir, &identity)?;
            None
        }
        Replace::At(_) => aside::refuse_running(&request.dir)?,
    };
    if let Replace::At(now) = request.replace
        && identity.is_complete()
    {
        // An earlier attempt was cut after the collector had answered: its token is used, its identity is good.
        drop(held);
        aside::swap(&request.dir, now)?;
        return Ok(IdentityFiles::of(&request.dir).enrolment(files)?);
    }
    create_private_folder(&request.dir)
        .map_err(|source| EnrollError::Folder { path: request.dir.clone(), source })?;

    let fresh = new_secrets()?;
    let (secrets, first) = identity.secrets_or_new(files, || fresh)?;
    let key = rcgen::KeyPair::from_pem(&secrets.tls_key_pem).map_err(EnrollError::Keys)?;
    let csr = rcgen::CertificateParams::default().serialize_request(&key).map_err(EnrollError::Keys)?;
    let public =
        |seed: &[u8; 32]| base64(ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().as_bytes());
    let message = EnrollRequest {
        secret: token.secret.to_vec(),
        certificate_request: csr.der().to_vec(),
        // The name of the key comes with the answer; until then there are only its bytes.
        author_key: public(&first),
        witness_key: public(&secrets.witness_seed),
        machine: request.machine.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        notice: request.notice.clone(),
    };
    let response = ask_each(&token, &addresses, message).await?;
    let (enrolled, certificate, authority, trust) = checked(&token, addresses, &key, response)?;
    identity.finish(files, &certificate, &authority, &trust, &enrolled)?;
    if let Replace::At(now) = request.replace {
        drop(held);
        aside::swap(&request.dir, now)?;
    }
    write_template(&request.dir, files)?;
    Ok(enrolled)
}

fn refuse_what_is_there(dir: &Path, identity: &IdentityFiles) -> Result<(), EnrollError> {
    if identity.is_complete() {
        return Err(EnrollError::AlreadyEnrolled { path: identity.folder().to_owned() });
    }
    let spool = dir.join("spool");
    let is_used = std::fs::read_dir(&spool).is_ok_and(|mut names| names.next().is_some());
    if is_used { Err(EnrollError::SpoolThere { path: spool }) } else { Ok(()) }
}

fn new_secrets() -> Result<(Secrets, Seed), EnrollError> {
    let (mut first, mut witness_seed) = (Seed::new([0; 32]), [0; 32]);
    getrandom::fill(&mut *first).map_err(EnrollError::Random)?;
    getrandom::fill(&mut witness_seed).map_err(EnrollError::Random)?;
    let key = rcgen::KeyPair::generate().map_err(EnrollError::Keys)?;
    Ok((Secrets { tls_key_pem: key.serialize_pem(), witness_seed }, first))
}

/// Asks the addresses in their order until one is reached: the token is shown to one collector only, because it is used
/// with the first answer.
async fn ask_each(
    token: &Token,
    addresses: &[String],
    message: EnrollRequest,
) -> Result<EnrollResponse, EnrollError> {
    let mut failed = EnrollError::Address(String::new());
    for address in addresses {
        match ask(token, address, message.clone()).await {
            Err(error @ (EnrollError::Reach { .. } | EnrollError::Silent { .. })) => failed = error,
            answer => return answer,
        }
    }
    Err(failed)
}

async fn ask(token: &Token, address: &str, message: EnrollRequest) -> Result<EnrollResponse, EnrollError> {
    let failed = |source| EnrollError::Reach { address: address.to_owned(), source };
    let verifier = Arc::new(pinned::PinnedAuthority::new(token.authority));
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .map_err(failed)?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .tls_config_with_verifier(ClientTlsConfig::new().domain_name(&token.server_name), verifier)
        .map_err(failed)?;
    let channel = tokio::time::timeout(PATIENCE, endpoint.connect())
        .await
        .map_err(|_| EnrollError::Silent { address: address.to_owned() })?
        .map_err(failed)?;
    let answer = LedgerClient::new(channel).enroll(message).await;
    answer.map(tonic::Response::into_inner).map_err(|status| EnrollError::Refused(plain(status.message())))
}

/// A stranger's sentence, fit for a terminal.
fn plain(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    if text.is_empty() { "no reason given".to_owned() } else { text.trim_end_matches('.').to_owned() }
}

fn checked(
    token: &Token,
    addresses: Vec<String>,
    key: &rcgen::KeyPair,
    response: EnrollResponse,
) -> Result<(Enrolled, String, String, String), EnrollError> {
    let wrong = EnrollError::Answer;
    if Hash::of(&response.authority) != token.authority {
        return Err(wrong("another certificate authority than the token's"));
    }
    let (_, certificate) = x509_parser::parse_x509_certificate(&response.certificate)
        .map_err(|_| wrong("the certificate is none"))?;
    if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(wrong("the certificate is for another key"));
    }
    let slug = Slug::parse(&response.slug).map_err(|_| wrong("the slug is none"))?;
    let author = Author::parse(&response.author).map_err(|_| wrong("the author is none"))?;
    if author.machine() != Some(token.machine.as_str()) {
        return Err(wrong("it is for another machine than the token's"));
    }
    let log_key = VerifierKey::parse(&response.log_key).map_err(|_| wrong("the log key is none"))?;
    if log_key.name() != slug.log_origin() {
        return Err(wrong("the log key is another practice's"));
    }
    let trust = TrustFile::parse(&response.trust).map_err(|_| wrong("the trust file is none"))?;
    if trust.slug != slug || trust.log != log_key {
        return Err(wrong("the trust file names another practice or log"));
    }
    let trust = String::from_utf8(response.trust).map_err(|_| wrong("the trust file is none"))?;
    let mut addresses = addresses.into_iter();
    let enrolled = Enrolled {
        slug: response.slug,
        author: response.author,
        epoch: 0,
        log_key: response.log_key,
        collector: addresses.next().unwrap_or_default(),
        more_collectors: addresses.collect(),
        server_name: token.server_name.clone(),
    };
    let certificates = [&response.certificate, &response.authority].map(|der| pem("CERTIFICATE", der));
    let [certificate, authority] = certificates;
    Ok((enrolled, certificate, authority, trust))
}

/// A configuration to begin with, where there is none.
fn write_template(dir: &Path, files: &dyn Files) -> Result<(), EnrollError> {
    let path = config::path_in(dir);
    if path.exists() {
        return Ok(());
    }
    files
        .replace(&path, config::TEMPLATE.as_bytes(), Readable::ByOwner)
        .map_err(|source| IdentityError::Write { path, source }.into())
}

/// DER as PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests;
