//! TLS towards servers outside the practice: a bucket, a time-stamping authority. Their certificates are vouched for by the
//! authorities that this machine trusts, never by the practice's own.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Trusts what this machine trusts.
///
/// # Errors
/// When this build of TLS offers no version that is safe.
pub fn connector() -> Result<TlsConnector, rustls::Error> {
    Ok(TlsConnector::from(Arc::new(client_config()?)))
}

/// [`connector`], for whoever joins it to sockets by itself.
///
/// # Errors
/// As [`connector`].
pub fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    // A certificate of the machine's store that cannot be read vouches for nobody; without any, the handshake says so.
    let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trusting(roots)
}

/// Trusts these authorities and no others.
///
/// # Errors
/// As [`connector`].
pub fn trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
