//! Enrolment against a collector on this machine: what is accepted, what is refused, what can be run again.

use ntk_segment::disk::{Disk as _, RealDisk};

use super::*;
use crate::uplink::tests::server::TestCollector;
use crate::whole_file::RealFiles;

fn request(dir: &Path, token: String) -> Request {
    Request {
        token,
        dir: dir.to_owned(),
        collector: None,
        notice: String::new(),
        machine: "test".to_owned(),
        replace: Replace::No,
    }
}

#[tokio::test]
async fn a_token_becomes_an_identity_once() {
    let collector = TestCollector::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("agent");
    let request = request(&dir, collector.token());
    let enrolled = enroll(&request, &RealFiles).await.unwrap();
    assert_eq!(enrolled.author, "agent/ws-01");
    let identity = IdentityFiles::of(&dir).load(&RealFiles).unwrap();
    assert!(identity.authority_pem.starts_with("-----BEGIN CERTIFICATE-----\n"));
    config::load(&config::path_in(&dir)).unwrap();
    let again = enroll(&request, &RealFiles).await.unwrap_err();
    assert!(again.to_string().contains("already enrolled"), "{again}");
    assert_eq!(collector.shared.lock().unwrap().n_enrolments, 1);
}

#[tokio::test]
async fn a_half_finished_enrolment_goes_on_with_the_same_keys() {
    let collector = TestCollector::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let request = request(scratch.path(), collector.token());
    enroll(&request, &RealFiles).await.unwrap();
    let files = IdentityFiles::of(scratch.path());
    let keys =
        || (files.load(&RealFiles).unwrap().secrets.tls_key_pem, std::fs::read(files.epoch_key(0)).unwrap());
    let before = keys();
    std::fs::remove_file(files.enrolled()).unwrap();
    enroll(&request, &RealFiles).await.unwrap();
    assert_eq!(before, keys());
}

#[tokio::test]
async fn a_machine_takes_its_own_place_and_what_was_there_is_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let first = TestCollector::start().await;
    enroll(&request(dir, first.token()), &RealFiles).await.unwrap();
    let before = std::fs::read(IdentityFiles::of(dir).epoch_key(0)).unwrap();
    std::fs::create_dir(dir.join("spool")).unwrap();
    std::fs::write(dir.join("spool/x"), "an entry").unwrap();

    // An attempt that fails moves nothing.
    let second = TestCollector::start().await;
    let now = Moment::parse("2026-11-27T12:30:00Z").unwrap();
    let elsewhere = Some(second.address.to_string());
    let again = Request { replace: Replace::At(now), collector: elsewhere, ..request(dir, first.token()) };
    assert!(matches!(enroll(&again, &RealFiles).await.unwrap_err(), EnrollError::Reach { .. }));
    assert!(IdentityFiles::of(dir).is_complete() && dir.join("spool/x").exists());

    let again = Request { token: second.token(), ..again };
    let lock = RealDisk.lock(&dir.join("spool/lock")).unwrap();
    assert!(matches!(enroll(&again, &RealFiles).await.unwrap_err(), EnrollError::Running { .. }));
    drop(lock);
    enroll(&again, &RealFiles).await.unwrap();
    assert_eq!(second.shared.lock().unwrap().n_enrolments, 1);
    IdentityFiles::of(dir).load(&RealFiles).unwrap();
    assert_ne!(std::fs::read(IdentityFiles::of(dir).epoch_key(0)).unwrap(), before, "other keys");
    assert_eq!(std::fs::read(dir.join("identity.before-20261127T123000Z/epoch-0.key")).unwrap(), before);
    assert_eq!(std::fs::read(dir.join("spool.before-20261127T123000Z/x")).unwrap(), b"an entry");
    assert!(!dir.join("spool").exists() && !dir.join("identity.new").exists());

    // Cut after the collector's answer: the same command goes on without a second token.
    std::fs::rename(dir.join("identity"), dir.join("identity.new")).unwrap();
    std::fs::create_dir(dir.join("spool")).unwrap();
    enroll(&again, &RealFiles).await.unwrap();
    assert_eq!(second.shared.lock().unwrap().n_enrolments, 1, "no second token was asked for");
    assert!(IdentityFiles::of(dir).is_complete() && dir.join("spool.before-20261127T123000Z-2").is_dir());
}

#[tokio::test]
async fn another_authority_than_the_pinned_one_gets_no_secret() {
    let (collector, other) = (TestCollector::start().await, TestCollector::start().await);
    let scratch = tempfile::tempdir().unwrap();
    let mut request = request(scratch.path(), collector.token());
    request.collector = Some(other.address.to_string());
    let error = enroll(&request, &RealFiles).await.unwrap_err();
    assert!(matches!(error, EnrollError::Reach { .. }), "{error}");
    assert_eq!(other.shared.lock().unwrap().n_enrolments, 0);
    assert!(!IdentityFiles::of(scratch.path()).is_complete());
}

#[tokio::test]
async fn the_name_in_the_certificate_must_be_the_token_s() {
    let collector = TestCollector::start().await;
    let mut token = Token::parse(&collector.token()).unwrap();
    token.server_name = "somebody-else".to_owned();
    let error = ask(&token, &collector.address.to_string(), EnrollRequest::default()).await.unwrap_err();
    assert!(matches!(error, EnrollError::Reach { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_token_is_refused() {
    let collector = TestCollector::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let request = request(scratch.path(), collector.token());
    type Falsify = fn(&mut EnrollResponse);
    let cases: [(Falsify, &str); 7] = [
        (|answer| answer.authority.push(0), "another certificate authority"),
        (|answer| answer.certificate.clone_from(&answer.authority), "for another key"),
        (|answer| answer.certificate.truncate(9), "the certificate is none"),
        (|answer| answer.author = "agent/ws-02".to_owned(), "for another machine"),
        (|answer| answer.slug = "oak.00000000".to_owned(), "another practice's"),
        (|answer| answer.log_key.clear(), "log key is none"),
        (|answer| answer.trust.truncate(40), "the trust file is none"),
    ];
    for (falsify, expected) in cases {
        collector.shared.lock().unwrap().falsify = falsify;
        let error = enroll(&request, &RealFiles).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_used_token_and_a_left_over_spool_get_a_sentence() {
    let collector = TestCollector::start().await;
    let mut token = Token::parse(&collector.token()).unwrap();
    token.secret = [1; 32];
    let message = EnrollRequest { secret: token.secret.to_vec(), ..EnrollRequest::default() };
    let error = ask(&token, &token.address, message).await.unwrap_err().to_string();
    assert_eq!(error, "the collector refused the enrolment: the token was used already");
    let scratch = tempfile::tempdir().unwrap();
    std::fs::create_dir(scratch.path().join("spool")).unwrap();
    std::fs::write(scratch.path().join("spool/x"), "").unwrap();
    let error = enroll(&request(scratch.path(), collector.token()), &RealFiles).await.unwrap_err();
    assert!(matches!(error, EnrollError::SpoolThere { .. }), "{error}");
}
