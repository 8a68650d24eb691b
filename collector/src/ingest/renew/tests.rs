//! Renewal under a clock that is moved: who gets a certificate, until when which one counts, and who gets none.

use ntk_evidence::note::{KeyType, NoteSigner};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::json;

use super::*;
use crate::desk::rig::Rig;
use crate::ingest::{AgentIdentity, Unidentified};

const ENROLLED: &str = "2026-11-27T19:00:00Z";

/// A machine with its keys, outside of any agent.
struct Asker {
    certificate: Vec<u8>,
    key: NoteSigner,
    witness: NoteSigner,
}

fn request(name: &str) -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    (KeyPair::from_pem(&key.serialize_pem()).unwrap(), request_with(name, &key))
}

fn request_with(name: &str, key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serialize_request(key).unwrap().der().to_vec()
}

fn authority(rig: &Rig) -> Arc<Authority> {
    Arc::new(rig.app().practice.authority().unwrap().1)
}

fn renewing(rig: &Rig) -> Renewing {
    Renewing::new(rig.app().ledger.clone(), authority(rig), rig.app().refusals.clone())
}

impl Asker {
    async fn enroll(rig: &Rig, machine: &str, seed: u8, certificate: Option<Vec<u8>>) -> Self {
        let slug = rig.app().practice.trust.slug.clone();
        let author = Author::agent(machine).unwrap();
        let key = NoteSigner::new(&slug.author_origin(&author), KeyType::Ed25519, &[seed; 32]).unwrap();
        let witness =
            NoteSigner::new(&slug.witness_name(machine), KeyType::CosignatureV1, &[seed + 1; 32]).unwrap();
        let now = rig.app().ledger.clock().now().unix_seconds();
        let made = || authority(rig).client(&author.to_string(), &request("any").1, now).unwrap();
        let certificate = certificate.unwrap_or_else(made);
        let body = json!({
            "author": author.to_string(), "key": key.verifier().to_string(), "epoch": 0,
            "certificate": Hash::of(&certificate).to_hex(), "witness": witness.verifier().to_string(),
        });
        let event = act::event(act::kind::ENROLMENT, rig.app().ledger.now(), body);
        let _appended = rig.app().ledger.act(vec![event]).await.unwrap();
        Self { certificate, key, witness }
    }

    fn ask(&self, rig: &Rig, author: &str, csr: Vec<u8>, signer: &NoteSigner) -> v1::RenewRequest {
        let slug = &rig.app().practice.trust.slug;
        let signed = statement(slug, &Author::parse(author).unwrap(), &csr, &self.certificate);
        v1::RenewRequest {
            certificate_request: csr,
            signature: signer.raw(&signed).to_vec(),
            ..v1::RenewRequest::default()
        }
    }

    fn shown(&self) -> CertificateDer<'static> {
        CertificateDer::from(self.certificate.clone())
    }
}

fn may_open_a_session(rig: &Rig, certificate: &[u8]) -> bool {
    let published = rig.app().ledger.published();
    let now = rig.app().ledger.clock().now();
    let shown = [CertificateDer::from(certificate.to_vec())];
    AgentIdentity::from_certificates(Some(&shown), &published.registry, now).is_ok()
}

fn days(text: &str, days: i64) -> String {
    Moment::parse(text).unwrap().plus_seconds(days * DAY).to_rfc3339(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_at_two_thirds_and_the_one_before_ends_thirty_days_later() {
    let rig = Rig::start().await;
    let mut machine = Asker::enroll(&rig, "ws-07", 40, None).await;
    let until = Dates::of(&machine.certificate).unwrap().not_after;
    let life = until - Moment::parse(ENROLLED).unwrap().unix_seconds();
    assert!((89 * DAY..=90 * DAY).contains(&life), "{life} s");
    let (_, csr) = request("agent/ws-07");
    let asked = machine.ask(&rig, "agent/ws-07", csr.clone(), &machine.key);
    let early = renewing(&rig).renew(Some(&machine.shown()), asked.clone()).await.unwrap_err();
    assert_eq!(early.message(), "this certificate holds for long enough");

    let rig = rig.again(&days(ENROLLED, 60)).await;
    let given = renewing(&rig).renew(Some(&machine.shown()), asked.clone()).await.unwrap().certificate;
    let again = renewing(&rig).renew(Some(&machine.shown()), asked.clone()).await.unwrap_err();
    assert!(again.message().contains("only just now"), "{again}");
    let old = std::mem::replace(&mut machine.certificate, given);
    assert!(may_open_a_session(&rig, &old) && may_open_a_session(&rig, &machine.certificate));
    let published = rig.app().ledger.published();
    let kept = &published.registry.machines["agent/ws-07"];
    assert_eq!(kept.certificates.len(), 1, "the act says so, and nothing else of the enrolment changed");
    assert_eq!(kept.certificate(), Some(Hash::of(&machine.certificate).to_hex().as_str()));

    let rig = rig.again(&days(ENROLLED, 89)).await;
    assert!(may_open_a_session(&rig, &old), "for as long as it would have lasted");
    let rig = rig.again(&days(ENROLLED, 90)).await;
    assert!(!may_open_a_session(&rig, &old), "also where its own date is later");
    assert!(may_open_a_session(&rig, &machine.certificate));
    // A replayed request is about a certificate that is over.
    let replayed = renewing(&rig).renew(Some(&CertificateDer::from(old)), asked).await.unwrap_err();
    assert_eq!(replayed.message(), "this certificate was replaced more than 30 days ago");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_lasts_until_2036_is_replaced_at_once_by_a_short_one() {
    let rig = Rig::start().await;
    let far = Moment::parse("2036-10-01T00:00:00Z").unwrap().unix_seconds();
    let long = authority(&rig).client("agent/ws-07", &request("any").1, far).unwrap();
    let machine = Asker::enroll(&rig, "ws-07", 40, Some(long)).await;
    let asked = machine.ask(&rig, "agent/ws-07", request("agent/ws-07").1, &machine.key);
    let given = renewing(&rig).renew(Some(&machine.shown()), asked).await.unwrap().certificate;
    let now = rig.app().ledger.clock().now().unix_seconds();
    assert!(Dates::of(&given).unwrap().not_after - now <= 90 * DAY);
    assert!(may_open_a_session(&rig, &machine.certificate) && may_open_a_session(&rig, &given));
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_machine_itself_gets_its_certificate() {
    let rig = Rig::start().await;
    let machine = Asker::enroll(&rig, "ws-07", 40, None).await;
    let other = Asker::enroll(&rig, "ws-08", 50, None).await;
    let stranger = authority(&rig).client("agent/ws-07", &request("any").1, 1_800_000_000).unwrap();
    let rig = rig.again(&days(ENROLLED, 70)).await;
    let renewing = renewing(&rig);
    let mine = |signer: &NoteSigner| machine.ask(&rig, "agent/ws-07", request("agent/ws-07").1, signer);
    let shown = machine.shown();
    let later_epoch = v1::RenewRequest { epoch: 1, ..mine(&machine.key) };
    let mut other_request = mine(&machine.key);
    other_request.certificate_request = request("agent/ws-07").1;
    let mut flipped = mine(&machine.key);
    flipped.signature[0] ^= 1;
    let cases = [
        (
            shown.clone(),
            machine.ask(&rig, "agent/ws-07", request("agent/ws-08").1, &machine.key),
            "names another machine",
        ),
        (shown.clone(), machine.ask(&rig, "agent/ws-07", b"none".to_vec(), &machine.key), "request is none"),
        (shown.clone(), mine(&other.key), "not signed by this machine's key"),
        // A copy of the folder has the cosigning key, and no epoch's.
        (shown.clone(), mine(&machine.witness), "not signed by this machine's key"),
        (shown.clone(), other_request, "not signed by this machine's key"),
        (shown.clone(), flipped, "not signed by this machine's key"),
        (
            shown.clone(),
            v1::RenewRequest { signature: vec![1; 9], ..mine(&machine.key) },
            "signature of the request is none",
        ),
        (shown.clone(), later_epoch, "not known here yet"),
        // Another machine's certificate on the connection.
        (other.shown(), mine(&machine.key), "names another machine"),
        (CertificateDer::from(stranger), mine(&machine.key), "belongs to no enrolled machine"),
    ];
    for (shown, asked, expected) in cases {
        let status = renewing.renew(Some(&shown), asked).await.unwrap_err();
        assert!(status.message().contains(expected), "{expected}: {status}");
    }
    // Without a certificate on the connection: only after its end.
    let named = v1::RenewRequest { ended: machine.certificate.clone(), ..mine(&machine.witness) };
    let status = renewing.renew(None, named).await.unwrap_err();
    assert!(status.message().contains("has not ended"), "{status}");
    let status = renewing.renew(None, mine(&machine.witness)).await.unwrap_err();
    assert!(status.message().contains("belongs to no enrolled machine"), "{status}");

    let body = json!({"author": "agent/ws-07"});
    let _appended = rig
        .app()
        .ledger
        .act(vec![act::event(act::kind::REVOCATION, rig.app().ledger.now(), body)])
        .await
        .unwrap();
    let status = renewing.renew(Some(&shown), mine(&machine.key)).await.unwrap_err();
    assert_eq!(status.message(), "this machine was revoked");
    assert!(rig.app().ledger.published().registry.machines["agent/ws-07"].certificates.is_empty());
    assert!(rig.app().refusals.counts()["renewal"] >= 10, "each is counted");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_off_too_long_renews_within_a_year_and_a_copy_of_it_does_not() {
    let rig = Rig::start().await;
    let machine = Asker::enroll(&rig, "ws-07", 40, None).await;
    let copied = machine.certificate.clone();
    let gone = Asker::enroll(&rig, "ws-08", 50, None).await;
    let rig = rig.again(&days(ENROLLED, 200)).await;
    let (key, csr) = request("agent/ws-07");
    let asked = |machine: &Asker, csr: Vec<u8>, signer: &NoteSigner| v1::RenewRequest {
        ended: machine.certificate.clone(),
        ..machine.ask(&rig, "agent/ws-07", csr, signer)
    };
    // The key of an epoch proves nothing here: it may long be over.
    let by_author = renewing(&rig).renew(None, asked(&machine, csr.clone(), &machine.key)).await.unwrap_err();
    assert!(by_author.message().contains("not signed"), "{by_author}");
    let lost = renewing(&rig).renew(None, asked(&machine, csr, &machine.witness)).await.unwrap().certificate;
    assert!(may_open_a_session(&rig, &lost));
    let rig = rig.again(&days(ENROLLED, 201)).await;
    let asked = |machine: &Asker, csr: Vec<u8>, signer: &NoteSigner| v1::RenewRequest {
        ended: machine.certificate.clone(),
        ..machine.ask(&rig, "agent/ws-07", csr, signer)
    };
    // The answer got lost: asked again with the same key.
    let same_key = request_with("agent/ws-07", &key);
    let given =
        renewing(&rig).renew(None, asked(&machine, same_key, &machine.witness)).await.unwrap().certificate;
    assert!(!may_open_a_session(&rig, &lost) && may_open_a_session(&rig, &given));
    let rig = rig.again(&days(ENROLLED, 202)).await;
    // Whoever copied the folder before has the certificate of then.
    let thief = Asker { certificate: copied, ..machine };
    let theirs = v1::RenewRequest {
        ended: thief.certificate.clone(),
        ..thief.ask(&rig, "agent/ws-07", request("agent/ws-07").1, &thief.witness)
    };
    let status = renewing(&rig).renew(None, theirs).await.unwrap_err();
    assert_eq!(status.message(), "this certificate was replaced by another one");

    let rig = rig.again(&days(ENROLLED, 90 + 366)).await;
    let late = v1::RenewRequest {
        ended: gone.certificate.clone(),
        ..gone.ask(&rig, "agent/ws-08", request("agent/ws-08").1, &gone.witness)
    };
    let status = renewing(&rig).renew(None, late).await.unwrap_err();
    assert!(status.message().contains("more than a year ago; enrol the machine anew"), "{status}");
    assert!(matches!(
        AgentIdentity::from_certificates(
            None,
            &rig.app().ledger.published().registry,
            Moment::from_unix_nanos(0)
        ),
        Err(Unidentified::Unknown(_))
    ));
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_s_own_certificate_is_renewed_in_one_file() {
    let rig = Rig::start().await;
    let practice = &rig.app().practice;
    let now = Moment::parse(ENROLLED).unwrap();
    assert!(practice.renew_server(now).unwrap().is_none(), "not due");
    let first = practice.server().unwrap();
    let later = now.plus_seconds(61 * DAY);
    let renewed = practice.renew_server(later).unwrap().unwrap();
    assert_ne!(renewed.certificate, first.certificate);
    let kept = practice.server().unwrap();
    assert!(
        kept.certificate.starts_with(&renewed.certificate)
            && kept.dates().unwrap() == renewed.dates().unwrap()
    );
    assert!(practice.renew_server(later).unwrap().is_none(), "once");
    // One that ended while the collector was off is still read, and renewed at the start.
    let long_after = now.plus_seconds(400 * DAY);
    assert!(practice.renew_server(long_after).unwrap().is_some());
    rig.end().await;
}
