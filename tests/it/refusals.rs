//! Batches that no honest agent sends: each gets its refusal by name, is counted, becomes an act, and nothing that
//! is stored is touched. EV-2.

use anyhow::{Context as _, Result};
use ntk_proto::v1;
use ntk_tests::crafted::{Answer, Crafted, Stream, connect, core, entry, message, secret_of};
use ntk_tests::practice::Practice;
use serde_json::Value;
use tokio::runtime::Runtime;

pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

pub(crate) async fn enrolled(practice: &Practice, machine: &str) -> Result<Crafted> {
    let token = practice.token(machine)?;
    Crafted::enroll(&practice.address(), &practice.dir(), &token).await
}

pub(crate) async fn accepted(stream: &mut Stream, batch: v1::Batch, size: u64) -> Result<()> {
    stream.send(batch).await?;
    match stream.answer().await? {
        Answer::Receipt(receipt) if receipt.size == size => Ok(()),
        other => anyhow::bail!("expected a receipt for {size}, got {other:?}"),
    }
}

async fn refused(stream: &mut Stream, batch: v1::Batch) -> Result<String> {
    stream.send(batch).await?;
    match stream.answer().await? {
        Answer::Refusal(refusal) => {
            assert!(!refusal.reason.is_empty(), "{refusal:?}");
            Ok(refusal.code)
        }
        other => anyhow::bail!("expected a refusal, got {other:?}"),
    }
}

fn count_of(practice: &Practice, code: &str) -> Result<u64> {
    Ok(practice.status()?["refusals"][code].as_u64().unwrap_or(0))
}

fn numbers(practice: &Practice, machine: &str) -> Result<Vec<Value>> {
    let author = format!("agent/{machine}");
    Ok(practice.events(&[])?.into_iter().filter(|row| row["author"] == author.as_str()).collect())
}

/// Each way to be wrong, its code, and how to make it from a good batch of entries 2 and 3.
type Spoil = fn(&mut v1::Batch, &mut Crafted) -> Result<()>;

fn ways_to_be_wrong() -> Vec<(&'static str, &'static str, Spoil)> {
    vec![
        ("a bad signature", "bad_signature", |batch, _| {
            let last = batch.note.len() - 6;
            batch.note[last] = if batch.note[last] == b'A' { b'B' } else { b'A' };
            Ok(())
        }),
        ("a stranger's key", "bad_signature", |batch, agent| {
            let stranger = ntk_evidence::note::NoteSigner::new(
                agent.log().origin(),
                ntk_evidence::note::KeyType::Ed25519,
                &[99; 32],
            )?;
            let text = String::from_utf8(batch.note.clone())?;
            let body = text.split_once("\n\n").context("a note has an empty line")?.0;
            batch.note = stranger.sign(&format!("{body}\n"))?.into_bytes();
            Ok(())
        }),
        ("no note", "bad_signature", |batch, _| {
            batch.note.clear();
            Ok(())
        }),
        ("a changed entry", "wrong_root", |batch, _| {
            batch.entries[0].core = core(77).into_bytes();
            Ok(())
        }),
        ("two entries swapped", "wrong_root", |batch, _| {
            batch.entries.swap(0, 1);
            Ok(())
        }),
        ("a dropped entry", "wrong_root", |batch, _| {
            batch.entries.pop();
            Ok(())
        }),
        ("other salts", "wrong_root", |batch, _| {
            batch.batch_key = vec![5; 32];
            Ok(())
        }),
        ("a short batch key", "bad_field", |batch, _| {
            batch.batch_key = vec![5; 31];
            Ok(())
        }),
        ("another epoch", "epoch", |batch, _| {
            batch.epoch = 7;
            Ok(())
        }),
        ("a gap in numbers", "gap", |batch, _| {
            batch.first += 5;
            Ok(())
        }),
        ("too many entries", "too_large", |batch, _| {
            batch.entries = vec![batch.entries[0].clone(); 513];
            Ok(())
        }),
        ("a part that is too large", "too_large", |batch, _| {
            batch.entries[0].paths = vec![b' '; (1 << 20) + 1];
            Ok(())
        }),
        ("a part that is not UTF-8", "not_an_entry", |batch, _| {
            batch.entries[0].core = vec![0xff, 0xfe];
            Ok(())
        }),
        ("signed, but not JSON", "not_an_entry", |batch, agent| {
            *batch = message(&agent.seal(vec![entry("this is no JSON")?])?);
            Ok(())
        }),
        ("signed JSON, but no event", "not_an_entry", |batch, agent| {
            *batch = message(&agent.seal(vec![entry("{\"colour\":\"green\"}")?])?);
            Ok(())
        }),
        ("every entry dropped", "wrong_root", |batch, _| {
            batch.entries.clear();
            Ok(())
        }),
    ]
}

#[test]
fn each_wrong_batch_is_refused_by_name_counted_and_touches_nothing() -> Result<()> {
    let practice = Practice::start()?;
    for (at, (what, code, spoil)) in ways_to_be_wrong().into_iter().enumerate() {
        let machine = format!("ws-{at}");
        runtime()?.block_on(async {
            let mut agent = enrolled(&practice, &machine).await?;
            let mut stream = agent.stream().await?;
            let good = message(&agent.seal(vec![entry(&core(0))?, entry(&core(1))?])?);
            accepted(&mut stream, good, 2).await.context(what)?;
            let before = numbers(&practice, &machine)?;
            let counted = count_of(&practice, code)?;
            let after_two = agent.log().clone();
            // What is spoiled in its content is sealed anew by the spoiler; the rest is bent on the wire.
            let entries = vec![entry(&core(2))?, entry(&core(3))?];
            let key = ntk_evidence::entry::BatchKey::new([40; 32]);
            let honest = message(&agent.log().seal(entries, key, agent.signer())?.0);
            let mut bent = honest.clone();
            spoil(&mut bent, &mut agent).context(what)?;
            assert_eq!(refused(&mut stream, bent).await.context(what)?, code, "{what}");
            assert_eq!(count_of(&practice, code)?, counted + 1, "{what} is counted");
            assert_eq!(numbers(&practice, &machine)?, before, "{what} touches nothing");
            // The honest batch is still taken, on a new stream.
            agent.rewind(after_two);
            let mut again = agent.stream().await?;
            assert_eq!(again.welcome.size, 2, "{what}: the collector stands where it stood");
            accepted(&mut again, honest, 4).await.context(what)
        })?;
    }
    let acts = practice.events(&["--acts"])?;
    let refusals = acts.iter().filter(|row| row["event"]["kind"] == "act_refusal").count();
    assert_eq!(refusals, ways_to_be_wrong().len(), "each refusal is an act");
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn a_replayed_batch_gets_its_old_receipt_and_a_second_history_is_a_fork() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let start = agent.log().clone();
        let first = message(&agent.seal(vec![entry(&core(0))?, entry(&core(1))?])?);
        let second = message(&agent.seal(vec![entry(&core(2))?])?);
        let mut stream = agent.stream().await?;
        accepted(&mut stream, first.clone(), 2).await?;
        accepted(&mut stream, second, 3).await?;
        accepted(&mut stream, first, 2).await.context("replayed")?;
        assert_eq!(practice.size_of("ws-01")?, 3, "nothing is stored twice");

        agent.rewind(start);
        let other = message(&agent.seal(vec![entry(&core(0))?, entry(&core(9))?])?);
        let mut stream = agent.stream().await?;
        assert_eq!(refused(&mut stream, other).await?, "fork");
        assert_eq!(practice.size_of("ws-01")?, 3);
        anyhow::Ok(())
    })?;
    let acts = practice.events(&["--acts"])?;
    let fork = acts.iter().find(|row| row["event"]["kind"] == "act_fork").context("the fork is an act")?;
    let body = &fork["event"]["act"];
    assert!(
        body["held"]["note"].is_string() && body["offered"]["note"].is_string(),
        "both notes are kept: {body}"
    );
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn messages_that_are_none_end_the_stream_with_a_status() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let mut agent = enrolled(&practice, "ws-01").await?;
        let mut stream = agent.stream().await?;
        stream.send_nothing().await?;
        match stream.answer().await? {
            Answer::Status(status) => assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}"),
            other => anyhow::bail!("an empty message: {other:?}"),
        }
        // Larger than any message may be: refused before it is decoded.
        let mut large = message(&agent.seal(vec![entry(&core(0))?])?);
        large.entries =
            (0..12).map(|_| v1::Entry { core: vec![b'x'; 1 << 20], ..v1::Entry::default() }).collect();
        let mut stream = agent.stream().await?;
        stream.send(large).await?;
        match stream.answer().await? {
            Answer::Status(status) => {
                let too_large = [tonic::Code::OutOfRange, tonic::Code::ResourceExhausted];
                assert!(too_large.contains(&status.code()), "{status:?}");
            }
            Answer::Refusal(refusal) => assert_eq!(refusal.code, "too_large"),
            other => anyhow::bail!("a message of 12 MiB: {other:?}"),
        }
        anyhow::Ok(())
    })?;
    assert_eq!(practice.size_of("ws-01")?, 0);
    practice.collector(&["self-check"])?;
    Ok(())
}

#[test]
fn bytes_that_are_not_protobuf_get_a_status_and_the_collector_lives_on() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let agent = enrolled(&practice, "ws-01").await?;
        let status = agent.send_raw(b"\xff\xff\xff\xff no protobuf \x00\x01").await?;
        assert_eq!(status.code(), tonic::Code::Internal, "{status:?}");
        anyhow::Ok(())
    })?;
    assert_eq!(practice.size_of("ws-01")?, 0);
    let _ = practice.enroll("ws-02")?;
    Ok(())
}

#[test]
fn a_stream_needs_the_certificate_of_an_enrolled_machine() -> Result<()> {
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let agent = enrolled(&practice, "ws-01").await?;
        let error = agent.stream_as(None).await.err().context("no certificate")?;
        assert!(format!("{error:#}").contains("certificate"), "{error:#}");
        // A certificate that another authority signed is refused in the handshake or on the first call.
        let key = rcgen::KeyPair::generate()?;
        let own = rcgen::CertificateParams::default().self_signed(&key)?;
        let stranger = agent.stream_as(Some((&own.pem(), &key.serialize_pem()))).await;
        assert!(stranger.is_err(), "a stranger's certificate was taken");
        // Revoked: the same certificate is worth nothing.
        practice.collector(&["enroll", "revoke", "ws-01"])?;
        let error = agent.stream().await.err().context("revoked")?;
        assert!(format!("{error:#}").contains("revoked"), "{error:#}");
        anyhow::Ok(())
    })?;
    let counted = (count_of(&practice, "certificate")?, count_of(&practice, "revoked")?);
    assert!(counted.0 >= 1 && counted.1 == 1, "counted: {}", practice.status()?);
    Ok(())
}

#[test]
fn enrolment_takes_a_token_once_and_nothing_else() -> Result<()> {
    let practice = Practice::start()?;
    let authority = ntk_tests::crafted::authority_of(&practice.dir())?;
    let token = practice.token("ws-01")?;
    let (secret, _) = secret_of(&token)?;
    let address = practice.address();
    runtime()?.block_on(async {
        let request = |secret: Vec<u8>| -> Result<v1::EnrollRequest> {
            let key = rcgen::KeyPair::generate()?;
            let csr = rcgen::CertificateParams::default().serialize_request(&key)?;
            let signer =
                ntk_evidence::note::NoteSigner::new("x", ntk_evidence::note::KeyType::Ed25519, &[3; 32])?;
            let author_key = ntk_evidence::hash::base64(signer.verifier().public_bytes());
            let certificate_request = csr.der().to_vec();
            Ok(v1::EnrollRequest { secret, certificate_request, author_key, ..v1::EnrollRequest::default() })
        };
        let mut client = connect(&address, &authority, None).await?;
        let mut expect = async |what: &str, wanted: tonic::Code, request: v1::EnrollRequest| -> Result<()> {
            let status = client.enroll(request).await.err().with_context(|| format!("{what} was taken"))?;
            assert_eq!(status.code(), wanted, "{what}: {status:?}");
            assert!(status.message().len() > 10, "{what}: a sentence: {status:?}");
            Ok(())
        };
        use tonic::Code::{InvalidArgument, PermissionDenied};
        expect("a guessed secret", PermissionDenied, request(vec![1; 32])?).await?;
        expect("a short secret", InvalidArgument, request(vec![1; 5])?).await?;
        let mut garbage = request(secret.clone())?;
        garbage.certificate_request = b"not a request".to_vec();
        expect("no certificate request", InvalidArgument, garbage).await?;
        let mut garbage = request(secret.clone())?;
        garbage.author_key = "not base64!".into();
        expect("no key", InvalidArgument, garbage).await?;
        let mut garbage = request(secret.clone())?;
        garbage.notice = "x".repeat(2000);
        expect("a long text", InvalidArgument, garbage).await?;
        // After all these the token still holds: once.
        let mut client = connect(&address, &authority, None).await?;
        client.enroll(request(secret.clone())?).await?;
        let status = client.enroll(request(secret)?).await.err().context("a used token was taken")?;
        assert_eq!(status.code(), PermissionDenied, "{status:?}");
        anyhow::Ok(())
    })?;
    assert_eq!(count_of(&practice, "enrolment")?, 6);
    Ok(())
}
