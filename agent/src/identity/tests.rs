//! An identity that is missing, unfinished, loose or damaged gets a sentence.

use std::fs;

use std::sync::Arc;

use ntk_evidence::note::{KeyType, NoteSigner};

use super::epochs::EpochKeys;
use super::*;
use crate::whole_file::RealFiles;

/// Of the practice key whose seed is 32 times 3.
pub(crate) const SLUG: &str = "maple-street.b62e867f";

/// The practice key.
pub(crate) fn practice() -> NoteSigner {
    NoteSigner::new(&format!("{SLUG}/practice"), KeyType::Ed25519, &[3; 32]).unwrap()
}

/// A trust file of the practice.
pub(crate) fn trust_file() -> TrustFile {
    let key = |name: &str, seed| {
        NoteSigner::new(&format!("{SLUG}/{name}"), KeyType::Ed25519, &[seed; 32]).unwrap().verifier().clone()
    };
    TrustFile {
        slug: Slug::parse(SLUG).unwrap(),
        practice: "Maple Street Family Practice".to_owned(),
        made: "2026-11-22T15:00:00Z".to_owned(),
        practice_key: practice().verifier().clone(),
        log: log_signer().verifier().clone(),
        collector: key("collector", 8),
        bundle: key("bundle", 9),
        recovery: format!("age1{}", "q".repeat(58)),
        reviewers: Vec::new(),
        custodians: Vec::new(),
        succeeded: Vec::new(),
        retired: Vec::new(),
        restored: Vec::new(),
        machines_max: 9,
        enrolment_until: "2036-11-22T15:00:00Z".to_owned(),
        committee: Vec::new(),
        outside: Vec::new(),
        committee_quorum: 0,
        outside_quorum: 0,
    }
}

/// The same, signed.
pub(crate) fn trust() -> String {
    trust_file().sign(&practice()).unwrap()
}

pub(crate) fn log_signer() -> NoteSigner {
    NoteSigner::new(&format!("{SLUG}/log"), KeyType::Ed25519, &[7; 32]).unwrap()
}

pub(crate) fn enrolled() -> Enrolled {
    Enrolled {
        slug: SLUG.to_owned(),
        author: "agent/ws-01".to_owned(),
        epoch: 0,
        log_key: log_signer().verifier().to_string(),
        collector: "127.0.0.1:7443".to_owned(),
        more_collectors: Vec::new(),
        server_name: "collector".to_owned(),
    }
}

fn secrets() -> (Secrets, Seed) {
    (Secrets { tls_key_pem: "key\n".to_owned(), witness_seed: [6; 32] }, Zeroizing::new([5; 32]))
}

fn keys(files: &IdentityFiles) -> EpochKeys {
    let (slug, author) = (Slug::parse(SLUG).unwrap(), Author::parse("agent/ws-01").unwrap());
    EpochKeys::new(files.clone(), &slug, &author, Arc::new(RealFiles))
}

pub(crate) fn finished() -> (tempfile::TempDir, IdentityFiles) {
    let scratch = tempfile::tempdir().unwrap();
    let identity = IdentityFiles::of(scratch.path());
    identity.secrets_or_new(&RealFiles, secrets).unwrap();
    identity.finish(&RealFiles, "certificate\n", "authority\n", &trust(), &enrolled()).unwrap();
    (scratch, identity)
}

/// An identity that is whole, below an agent's folder.
pub(crate) fn whole(dir: &Path) -> Identity {
    let identity = IdentityFiles::of(dir);
    identity.secrets_or_new(&RealFiles, secrets).unwrap();
    identity.finish(&RealFiles, "certificate\n", "authority\n", &trust(), &enrolled()).unwrap();
    identity.load(&RealFiles).unwrap()
}

#[test]
fn an_identity_reads_back_and_signs_as_its_author() {
    let (_scratch, files) = finished();
    assert!(files.is_complete());
    let identity = files.load(&RealFiles).unwrap();
    assert_eq!(identity.author.to_string(), "agent/ws-01");
    assert_eq!(keys(&files).signer(0).unwrap().verifier().name(), format!("{SLUG}/agent/ws-01"));
    assert!(!format!("{identity:?}").contains("key\\n"), "secrets are not printed");
}

#[test]
fn an_unfinished_enrolment_goes_on_with_the_same_keys() {
    let scratch = tempfile::tempdir().unwrap();
    let files = IdentityFiles::of(scratch.path());
    files.secrets_or_new(&RealFiles, secrets).unwrap();
    assert!(!files.is_complete());
    let (_, again) = files.secrets_or_new(&RealFiles, || (secrets().0, Zeroizing::new([9; 32]))).unwrap();
    assert_eq!(*again, [5; 32]);
    let sentence = files.load(&RealFiles).unwrap_err().to_string();
    assert!(
        sentence.contains("is missing: this machine is not enrolled; run `ntk-agent enroll"),
        "{sentence}"
    );
}

#[cfg(unix)]
#[test]
fn a_loose_secret_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (_scratch, files) = finished();
    for (path, loose, tight) in [
        (files.tls_key(), 0o640, 0o600),
        (files.epoch_key(0), 0o604, 0o600),
        (files.folder().to_owned(), 0o750, 0o700),
    ] {
        chmod(&path, loose);
        let sentence = files.load(&RealFiles).unwrap_err().to_string();
        assert!(sentence.contains(&format!("has mode {loose:04o}")), "{sentence}");
        assert!(sentence.contains(&format!("run `chmod {tight:04o} {}`", path.display())), "{sentence}");
        chmod(&path, tight);
    }
    chmod(&files.tls_key(), 0o400);
    files.load(&RealFiles).unwrap();
}

#[test]
fn each_missing_or_damaged_file_is_named() {
    let (_scratch, files) = finished();
    let with = |path: PathBuf, content: &[u8]| {
        let before = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let error = files.load(&RealFiles).unwrap_err().to_string();
        fs::write(&path, before).unwrap();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    };
    assert!(with(files.witness_key(), b"05").contains("not 64 hex digits"));
    assert!(with(files.enrolled(), b"slug = 3").contains("is damaged"));
    let other = toml::to_string(&Enrolled { slug: "oak.00000000".to_owned(), ..enrolled() }).unwrap();
    assert!(with(files.enrolled(), other.as_bytes()).contains("another practice"));
    let author = toml::to_string(&Enrolled { author: "collector".to_owned(), ..enrolled() }).unwrap();
    assert!(with(files.enrolled(), author.as_bytes()).contains("not an agent"));
    fs::write(files.epoch_key(0), "05").unwrap();
    let error = keys(&files).signer(0).unwrap_err().to_string();
    assert!(error.contains("epoch-0.key") && error.contains("not 64 hex digits"), "{error}");
    fs::remove_file(files.certificate()).unwrap();
    assert!(matches!(files.load(&RealFiles), Err(IdentityError::Missing { .. })));
}

#[test]
fn the_next_key_is_made_once_and_old_ones_are_overwritten_and_removed() {
    let (_scratch, files) = finished();
    let keys = keys(&files);
    let next = keys.prepare(1).unwrap().verifier().clone();
    assert_ne!(next, *keys.signer(0).unwrap().verifier());
    assert_eq!(
        *keys.prepare(1).unwrap().verifier(),
        next,
        "an attempt that was cut goes on with the same key"
    );
    assert_eq!(keys.numbers().unwrap(), [0, 1]);
    keys.forget_before(1).unwrap();
    assert_eq!(keys.numbers().unwrap(), [1]);
    assert!(matches!(keys.signer(0), Err(IdentityError::Missing { .. })));
    assert!(files.is_complete() && files.load(&RealFiles).is_ok());
    // Half overwritten and half removed: it is damaged, and goes with the next attempt.
    fs::write(files.epoch_key(0), [0; 65]).unwrap();
    keys.forget_before(1).unwrap();
    assert_eq!(keys.numbers().unwrap(), [1]);
    for odd in ["epoch-01.key", "epoch-x.key", "epoch-2.key.new", "epoch-.key"] {
        fs::write(files.folder().join(odd), "").unwrap();
    }
    assert_eq!(keys.numbers().unwrap(), [1]);
    fs::remove_file(files.epoch_key(1)).unwrap();
    assert!(matches!(files.load(&RealFiles), Err(IdentityError::Missing { .. })));
}
