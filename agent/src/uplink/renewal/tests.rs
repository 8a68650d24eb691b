//! Renewal against a collector on this machine: what is asked, what is taken, and what leaves the old certificate in force.

use super::*;
use crate::clock::fake::FakeClock;
use crate::enroll::{Replace, Request, enroll};
use crate::spool::Writer;
use crate::spool::keeper::{Keeper, Setup};
use crate::spool::thread::SpoolThread;
use crate::uplink::tests::server::TestCollector;
use crate::whole_file::{Readable, RealFiles};
use ntk_segment::disk::RealDisk;

struct Rig {
    collector: TestCollector,
    scratch: tempfile::TempDir,
    renewing: Renewing,
    spool: SpoolThread,
    clock: Arc<FakeClock>,
}

impl Rig {
    async fn start() -> Self {
        let collector = TestCollector::start().await;
        let scratch = tempfile::tempdir().unwrap();
        let request = Request {
            token: collector.token(),
            dir: scratch.path().to_owned(),
            collector: None,
            notice: String::new(),
            machine: "test".to_owned(),
            replace: Replace::No,
        };
        enroll(&request, &RealFiles).await.unwrap();
        let files = IdentityFiles::of(scratch.path());
        let identity = files.load(&RealFiles).unwrap();
        let keys = EpochKeys::new(files.clone(), &identity.slug, &identity.author, Arc::new(RealFiles));
        let writer = Writer { slug: identity.slug.clone(), author: identity.author.clone(), keys };
        let clock: Arc<FakeClock> = Arc::default();
        let setup = Setup {
            path: scratch.path().join("spool"),
            bytes_max: 64 << 20,
            epoch_every: Duration::from_secs(86_400),
            trust: identity.trust.clone(),
            away: None,
            disk: Arc::new(RealDisk),
            files: Arc::new(RealFiles),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        let (keeper, _) = Keeper::open(setup, Arc::new(writer)).unwrap();
        let spool = SpoolThread::start(keeper, Duration::from_millis(2)).unwrap();
        let renewing = Renewing {
            identity: files,
            files: Arc::new(RealFiles),
            configured: Vec::new(),
            run: Run::begin(clock.now()),
            progress: spool.progress(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            lines: watch::channel(None).0,
        };
        Self { collector, scratch, renewing, spool, clock }
    }

    fn identity(&self) -> Identity {
        self.renewing.identity.load(&RealFiles).unwrap()
    }

    /// The key with this name that signed the last request, and whether a certificate was shown.
    fn signed_by(&self, before: &str, key: &ntk_evidence::note::VerifierKey) -> (bool, bool) {
        let shared = self.collector.shared.lock().unwrap();
        let (is_shown, request) = shared.renewals.last().unwrap();
        let (_, before) = x509_parser::pem::parse_x509_pem(before.as_bytes()).unwrap();
        let identity = self.identity();
        let signed =
            statement(&identity.slug, &identity.author, &request.certificate_request, &before.contents);
        let signature: [u8; 64] = request.signature.clone().try_into().unwrap();
        (*is_shown, key.verify_bytes(&signed, &signature))
    }

    async fn end(self) {
        let spool = self.spool;
        tokio::task::spawn_blocking(move || spool.end()).await.unwrap();
        drop(self.scratch);
    }
}

#[test]
fn it_is_due_with_thirty_days_left_and_where_it_lasts_longer_than_any_that_is_given() {
    let now = Moment::parse("2026-11-20T00:00:00Z").unwrap();
    let days = |days: i64| now.unix_seconds() + days * SECONDS_PER_DAY;
    for (left, expected) in [
        (-1, Due::Ended),
        (0, Due::Now),
        (30, Due::Now),
        (31, Due::No),
        (91, Due::No),
        (92, Due::Now),
        (3650, Due::Now),
    ] {
        assert_eq!(due(days(left), now), expected, "{left} days");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_certificate_is_asked_for_with_a_new_key_and_taken_into_use() {
    let rig = Rig::start().await;
    let before = rig.identity();
    let mut lines = rig.renewing.lines.subscribe();
    // What rcgen makes by itself lasts for ever, as those of earlier versions nearly did.
    assert!(rig.renewing.look().await.unwrap());
    let after = rig.identity();
    assert_ne!(after.certificate_pem, before.certificate_pem);
    assert_ne!(after.secrets.tls_key_pem, before.secrets.tls_key_pem);
    assert_eq!(after.secrets.witness_seed, before.secrets.witness_seed, "its other keys stay");
    let epoch = rig.renewing.progress.borrow().epoch;
    let keys = EpochKeys::new(rig.renewing.identity.clone(), &after.slug, &after.author, Arc::new(RealFiles));
    let key = keys.signer(epoch).unwrap().verifier().clone();
    assert_eq!(rig.signed_by(&before.certificate_pem, &key), (true, true));
    let line = lines.borrow_and_update().as_ref().unwrap().current().unwrap().clone();
    line.connect().await.unwrap();
    assert!(!rig.renewing.look().await.unwrap(), "it holds for long enough now");
    rig.clock.advance(60 * SECONDS_PER_DAY);
    assert!(rig.renewing.look().await.unwrap(), "and is due again at two thirds");
    assert_eq!(rig.collector.shared.lock().unwrap().renewals.len(), 2);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ended_is_asked_for_with_the_cosigning_key_and_shown_to_nobody() {
    let rig = Rig::start().await;
    let ended = {
        let key = KeyPair::from_pem(&rig.identity().secrets.tls_key_pem).unwrap();
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2026, 10, 1);
        params.self_signed(&key).unwrap().pem()
    };
    let path = rig.renewing.identity.certificate();
    Files::replace(&RealFiles, &path, ended.as_bytes(), Readable::ByOwner).unwrap();
    assert!(rig.renewing.look().await.unwrap());
    let identity = rig.identity();
    let name = identity.slug.witness_name("ws-01");
    let witness = NoteSigner::new(&name, KeyType::CosignatureV1, &identity.secrets.witness_seed).unwrap();
    assert_eq!(rig.signed_by(&ended, witness.verifier()), (false, true));
    assert!(!rig.renewing.look().await.unwrap());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_not_asked_for_leaves_the_old_certificate_in_force() {
    type Falsify = fn(&mut RenewResponse);
    let rig = Rig::start().await;
    let before = rig.identity();
    let cases: [(Falsify, &str); 3] = [
        (|answer| answer.certificate.truncate(9), "the certificate is none"),
        (|answer| answer.certificate = made("agent/ws-01", &KeyPair::generate().unwrap()), "for another key"),
        (|answer| answer.certificate.clear(), "the certificate is none"),
    ];
    for (falsify, expected) in cases {
        rig.collector.shared.lock().unwrap().falsify_renewal = falsify;
        let error = rig.renewing.look().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(rig.identity().certificate_pem, before.certificate_pem);
    }
    let asked: Vec<Vec<u8>> = {
        let shared = rig.collector.shared.lock().unwrap();
        let key = |request: &RenewRequest| {
            let csr = request.certificate_request.clone();
            use rcgen::PublicKeyData as _;
            rcgen::CertificateSigningRequestParams::from_der(&csr.into())
                .unwrap()
                .public_key
                .der_bytes()
                .to_vec()
        };
        shared.renewals.iter().map(|(_, request)| key(request)).collect()
    };
    assert!(asked.iter().all(|key| *key == asked[0]), "each attempt asks with the same key");
    // A replayed answer is one for the key of then.
    let replayed = made("agent/ws-01", &KeyPair::generate().unwrap());
    let identity = rig.identity();
    let key = rig.renewing.identity.prepare_tls_key(&RealFiles).unwrap();
    let other_name = made("agent/ws-02", &key);
    let asked = AskedWith { identity, key, request: RenewRequest::default(), shown: Shown::Nothing };
    for (certificate, expected) in [(replayed, "another key"), (other_name, "another machine")] {
        let error = checked(&asked, &RenewResponse { certificate }, rig.clock.now()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_to_ask_is_no_harm() {
    let mut rig = Rig::start().await;
    rig.renewing.configured = vec!["127.0.0.1:1".to_owned()];
    let before = rig.identity().certificate_pem;
    assert!(matches!(rig.renewing.look().await.unwrap_err(), RenewalError::Reach));
    assert_eq!(rig.identity().certificate_pem, before);
    rig.end().await;
}

fn made(name: &str, key: &KeyPair) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(key).unwrap().der().to_vec()
}
