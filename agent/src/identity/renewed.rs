//! A new certificate with a new key in the place of the old pair: at every moment one whole pair is in force.
//!
//! ```text
//! DIR/identity/
//!   agent-next.key          0600  PKCS#8 PEM: the key of a certificate that is asked for; durable before anyone hears of it
//!   certificate-next.pem          the answer; from the moment it is durable on, this pair is the one that is used
//! ```
//! Then both take the places of the old ones, and the two files go: the certificate first, so that what is left names
//! no pair. A crash at each step leaves the old pair or the new one, and the next start goes on; a key that was asked with
//! and got no answer is asked with again.

use std::path::PathBuf;

use rcgen::KeyPair;

use super::{IdentityError, IdentityFiles, text};
use crate::whole_file::{Files, Readable};

/// A certificate with its key, both PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl IdentityFiles {
    /// The file that holds the key of a certificate that is asked for.
    pub fn next_tls_key(&self) -> PathBuf {
        self.folder().join("agent-next.key")
    }

    /// The file that holds a new certificate until it took the place of the old one.
    pub fn next_certificate(&self) -> PathBuf {
        self.folder().join("certificate-next.pem")
    }

    /// The pair that is used: the new one from the moment on that it is whole.
    pub(super) fn tls_pair(&self, files: &dyn Files) -> Result<Pair, IdentityError> {
        match self.next_pair(files)? {
            Some(pair) => Ok(pair),
            None => Ok(Pair {
                certificate: text(files, &self.certificate())?,
                key: text(files, &self.tls_key())?,
            }),
        }
    }

    fn next_pair(&self, files: &dyn Files) -> Result<Option<Pair>, IdentityError> {
        let [certificate, key] = [self.next_certificate(), self.next_tls_key()].map(|path| {
            let found = files.read(&path).map_err(|source| IdentityError::Read { path, source })?;
            Ok(found.and_then(|content| String::from_utf8(content).ok()))
        });
        let (Some(certificate), Some(key)) = (certificate?, key?) else { return Ok(None) };
        // One that is not of this key is left of an earlier attempt.
        let is_pair = KeyPair::from_pem(&key).is_ok_and(|key| is_of(&certificate, &key));
        Ok(is_pair.then_some(Pair { certificate, key }))
    }

    /// The key for the next certificate, durable: that of an attempt without an answer, or a new one.
    pub fn prepare_tls_key(&self, files: &dyn Files) -> Result<KeyPair, IdentityError> {
        let path = self.next_tls_key();
        let read = |path: PathBuf| {
            let found = files.read(&path).map_err(|source| IdentityError::Read { path, source });
            found.map(|found| found.and_then(|content| String::from_utf8(content).ok()))
        };
        let (next, current) = (read(path.clone())?, read(self.tls_key())?);
        if let Some(key) = next.filter(|next| Some(next) != current.as_ref())
            && let Ok(key) = KeyPair::from_pem(&key)
        {
            return Ok(key);
        }
        let damaged =
            |what: rcgen::Error| IdentityError::Damaged { path: path.clone(), what: what.to_string() };
        let key = KeyPair::generate().map_err(damaged)?;
        files
            .replace(&path, key.serialize_pem().as_bytes(), Readable::Secret)
            .map_err(|source| IdentityError::Write { path: path.clone(), source })?;
        Ok(key)
    }

    /// Keeps the answer: once this came back, the new pair is the one that is used.
    pub fn keep_certificate(&self, files: &dyn Files, pem: &str) -> Result<(), IdentityError> {
        let path = self.next_certificate();
        files
            .replace(&path, pem.as_bytes(), Readable::ByOwner)
            .map_err(|source| IdentityError::Write { path, source })
    }

    /// Puts a new pair that is whole in the place of the old one; whether there was one. Goes on from any step.
    pub fn settle_renewal(&self, files: &dyn Files) -> Result<bool, IdentityError> {
        let Some(pair) = self.next_pair(files)? else { return Ok(false) };
        let write = |path: PathBuf| move |source| IdentityError::Write { path, source };
        let (key, certificate) = (self.tls_key(), self.certificate());
        files.replace(&key, pair.key.as_bytes(), Readable::Secret).map_err(write(key))?;
        files
            .replace(&certificate, pair.certificate.as_bytes(), Readable::ByOwner)
            .map_err(write(certificate))?;
        for path in [self.next_certificate(), self.next_tls_key()] {
            files.destroy(&path).map_err(write(path))?;
        }
        Ok(true)
    }
}

/// Whether a certificate, PEM, has this public key.
fn is_of(certificate: &str, key: &KeyPair) -> bool {
    let pem = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).ok().map(|(_, pem)| pem);
    let parsed = pem.as_ref().and_then(|pem| pem.parse_x509().ok());
    parsed.is_some_and(|parsed| parsed.public_key().subject_public_key.data.as_ref() == key.public_key_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};

    use crate::identity::tests::finished;
    use crate::whole_file::RealFiles;

    /// Fails once, at the step of this number: before it is done, or after.
    #[derive(Debug)]
    struct Failing {
        at: u32,
        is_done: bool,
        n: AtomicU32,
    }

    impl Failing {
        fn step(&self, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
            let n = self.n.fetch_add(1, Ordering::Relaxed);
            if n != self.at {
                return act();
            }
            if self.is_done {
                act()?;
            }
            Err(io::Error::other("the disk said no"))
        }
    }

    impl Files for Failing {
        fn replace(&self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()> {
            self.step(|| RealFiles.replace(path, content, readable))
        }

        fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
            RealFiles.read(path)
        }

        fn destroy(&self, path: &Path) -> io::Result<()> {
            self.step(|| RealFiles.destroy(path))
        }
    }

    fn certificate(key: &KeyPair) -> String {
        rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(key).unwrap().pem()
    }

    /// An identity with a pair that fits.
    fn begun() -> (tempfile::TempDir, IdentityFiles, KeyPair) {
        let (scratch, files) = finished();
        let key = KeyPair::generate().unwrap();
        RealFiles.replace(&files.tls_key(), key.serialize_pem().as_bytes(), Readable::Secret).unwrap();
        RealFiles.replace(&files.certificate(), certificate(&key).as_bytes(), Readable::ByOwner).unwrap();
        (scratch, files, key)
    }

    /// The public key of the pair that a start would use, which must fit.
    fn in_force(files: &IdentityFiles) -> Vec<u8> {
        let identity = files.load(&RealFiles).unwrap();
        let key = KeyPair::from_pem(&identity.secrets.tls_key_pem).unwrap();
        assert!(is_of(&identity.certificate_pem, &key), "key and certificate belong together");
        key.public_key_raw().to_vec()
    }

    fn renew(files: &IdentityFiles, disk: &dyn Files) -> Result<Vec<u8>, IdentityError> {
        let key = files.prepare_tls_key(disk)?;
        files.keep_certificate(disk, &certificate(&key))?;
        files.settle_renewal(disk)?;
        Ok(key.public_key_raw().to_vec())
    }

    #[test]
    fn a_new_pair_takes_the_place_of_the_old_one_and_nothing_is_left_beside() {
        let (_scratch, files, old) = begun();
        let new = renew(&files, &RealFiles).unwrap();
        assert_eq!(in_force(&files), new);
        assert_ne!(new, old.public_key_raw());
        assert!(!files.next_tls_key().exists() && !files.next_certificate().exists());
        assert!(!files.settle_renewal(&RealFiles).unwrap(), "nothing is left to do");
    }

    #[test]
    fn each_step_fails_twice_and_a_whole_pair_is_in_force_before_and_after_the_next_start() {
        for (at, is_done) in (0..6).flat_map(|at| [(at, false), (at, true)]) {
            let (_scratch, files, old) = begun();
            let disk = Failing { at, is_done, n: AtomicU32::new(0) };
            renew(&files, &disk).unwrap_err();
            let between = in_force(&files);
            let is_new = between != old.public_key_raw();
            assert_eq!(is_new, at > 1 || (at == 1 && is_done), "step {at}, done: {is_done}");
            // The next start.
            files.settle_renewal(&RealFiles).unwrap();
            assert_eq!(in_force(&files), between, "step {at}: a start changes nobody's mind");
            let renewed = renew(&files, &RealFiles).unwrap();
            assert_eq!(in_force(&files), renewed);
            assert_ne!(renewed, between, "another key, in step {at}");
            assert!(!files.next_tls_key().exists() && !files.next_certificate().exists());
        }
    }

    #[test]
    fn an_attempt_without_an_answer_goes_on_with_its_key() {
        let (_scratch, files, old) = begun();
        let asked = files.prepare_tls_key(&RealFiles).unwrap();
        assert_eq!(in_force(&files), old.public_key_raw());
        let again = files.prepare_tls_key(&RealFiles).unwrap();
        assert_eq!(asked.public_key_raw(), again.public_key_raw());
    }

    #[test]
    fn a_certificate_of_another_key_is_not_used() {
        let (_scratch, files, old) = begun();
        files.prepare_tls_key(&RealFiles).unwrap();
        files.keep_certificate(&RealFiles, &certificate(&KeyPair::generate().unwrap())).unwrap();
        assert_eq!(in_force(&files), old.public_key_raw());
        assert!(!files.settle_renewal(&RealFiles).unwrap());
        files.keep_certificate(&RealFiles, "no certificate").unwrap();
        assert_eq!(in_force(&files), old.public_key_raw());
    }
}
