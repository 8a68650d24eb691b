//! A bucket as the place of copies: Amazon's S3, or any server that speaks its protocol.
//!
//! `object_store` makes the requests, signs them (Signature Version 4, the body's SHA-256 under the signature) and reads
//! lists; the HTTP exchange under it is ours ([`http`]), with this machine's certificates and a limit on each answer. A put is
//! whole or not there, and has the checksum header that Object Lock asks for. Nothing is tried twice here: the next run
//! goes on. The secret key never leaves this process, and no message repeats an address or a header.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, ETAG, HeaderValue};
use hyper::{Method, StatusCode};
use ntk_evidence::name::Slug;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential, Checksum};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt as _, PutPayload, RetryConfig, StaticCredentialProvider};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::http::{self, Answer};
use super::shelf::{OBJECT_BYTES_MAX, Shelf, ShelfError};
use super::target::{self, Target};
use super::wire::Wire;
use crate::system;

/// Lists and complaints are short.
const LIST_BYTES_MAX: usize = 8 << 20;
/// Lists come in pages of a thousand: a million segments are not a practice's.
const PAGES_MAX: usize = 1000;
/// Where a list goes on is sent back in an address, which has an end.
const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Objects of one practice below a prefix.
pub(super) struct S3Shelf {
    wire: Wire,
    store: AmazonS3,
    top: String,
}

impl S3Shelf {
    /// Reads the credentials; nothing is asked of the server yet.
    pub(super) fn new(
        address: &target::S3,
        slug: &Slug,
        stop: CancellationToken,
    ) -> Result<Self, ShelfError> {
        let wire = Wire::new(Target::S3(address.clone()).to_string(), stop)?;
        let wrong = |key: &str, why: &dyn std::fmt::Display| {
            ShelfError::Settings(format!("`off_site.{key}` cannot be used: {why}"))
        };
        let (bucket, region) = (&address.bucket, &address.region);
        // A bucket with dots has no certificate of its own name, and servers other than Amazon's seldom have names for each.
        let (server, is_named_by_host) = match &address.endpoint {
            Some(endpoint) => (endpoint.clone(), false),
            None if bucket.contains('.') => (format!("https://s3.{region}.amazonaws.com"), false),
            None => (format!("https://{bucket}.s3.{region}.amazonaws.com"), true),
        };
        // The host is signed as this parser writes it, and has to be sent in the same letters.
        let server = Url::parse(&server).map_err(|error| wrong("endpoint", &error))?;
        let built = AmazonS3Builder::new()
            .with_endpoint(server.origin().ascii_serialization())
            .with_virtual_hosted_style_request(is_named_by_host)
            .with_allow_http(server.scheme() == "http")
            .with_bucket_name(bucket)
            .with_region(region)
            .with_credentials(Arc::new(StaticCredentialProvider::new(credentials(address)?)))
            .with_checksum_algorithm(Checksum::SHA256)
            // One request for one object: not every server knows the other form.
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Exchange(Arc::new(http::Web::new()?)))
            .build();
        let store = built.map_err(|error| wrong("to", &error))?;
        let prefix = if address.prefix.is_empty() { String::new() } else { format!("{}/", address.prefix) };
        Ok(Self { store, top: format!("{prefix}{}", slug.as_str()), wire })
    }

    fn key(&self, name: &str) -> Result<Path, ShelfError> {
        Path::parse(format!("{}/{name}", self.top)).map_err(|error| self.wire.failed("name", name, &error))
    }

    /// One request that moves so many bytes; what came of it, or the server's word that there is no such thing.
    fn ask<T>(
        &self,
        doing: &'static str,
        name: &str,
        n_bytes: usize,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<Asked<T>, ShelfError> {
        let step = async {
            match request.await {
                Ok(done) => Ok(Asked::Done(done)),
                Err(error) => self.understood(doing, name, &error),
            }
        };
        self.wire.wait(n_bytes, step)
    }

    /// What the server or the way to it said, out of what was made of it on its way up.
    fn understood<T>(
        &self,
        doing: &'static str,
        name: &str,
        error: &object_store::Error,
    ) -> Result<Asked<T>, ShelfError> {
        let first: &(dyn Error + 'static) = error;
        let mut chain =
            std::iter::successors(Some(first), |error: &&(dyn Error + 'static)| (*error).source());
        Err(match chain.find_map(|error| error.downcast_ref::<Fault>()) {
            Some(Fault::Way(http::HttpError::TooLarge)) => {
                self.wire.failed(doing, name, &"it is larger than any object of ours")
            }
            Some(Fault::Way(way)) => self.wire.unreachable(way),
            Some(Fault::No { status: StatusCode::NOT_FOUND, code }) => {
                return Ok(Asked::NotThere(code.clone()));
            }
            Some(Fault::No { status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code }) => {
                self.wire.refused(code)
            }
            Some(Fault::No { status, code }) => {
                self.wire.failed(doing, name, &format!("{} {code}", status.as_u16()))
            }
            None => self.wire.failed(doing, name, &odd(doing, error)),
        })
    }
}

/// What came of a request.
enum Asked<T> {
    Done(T),
    /// The code of the server's complaint.
    NotThere(String),
}

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Way(#[from] http::HttpError),
    #[error("{code}")]
    No { status: StatusCode, code: String },
}

/// An answer that came and is not what it should be.
fn odd(doing: &str, error: &object_store::Error) -> String {
    match error {
        object_store::Error::InvalidPath { source } => {
            format!("an object there has a name that no copy gives ({source}); take it away")
        }
        _ if doing == "list" => "the answer is no list of objects".to_owned(),
        other => other.to_string(),
    }
}

/// The way to the server, as `object_store` asks for it.
#[derive(Clone, Debug)]
struct Exchange(Arc<http::Web>);

impl Exchange {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let is_object = request.method() == Method::GET && request.uri().query().is_none();
        let object_max = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
        let limit = if is_object { object_max } else { LIST_BYTES_MAX };
        let answer = self.0.send(request, limit).await?;
        if !answer.status.is_success() {
            return Err(Fault::No { status: answer.status, code: complaint(&answer) });
        }
        // None of the server's headers goes further: nothing of ours depends on them, and a bad one would spoil a good object.
        // The crate wants a tag and the length to be there; the length is what was taken in.
        let length = answer.body.len();
        let mut response = HttpResponse::new(answer.body.into());
        response.headers_mut().insert(ETAG, HeaderValue::from_static("-"));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        Ok(response)
    }
}

impl HttpConnector for Exchange {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Exchange {
    // As the crate's trait is written out: an `async fn` in a trait object.
    fn call<'this, 'answer>(
        &'this self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'answer>>
    where
        'this: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            // Of this kind nothing is tried again.
            self.answer(request).await.map_err(|fault| HttpError::new(HttpErrorKind::Unknown, fault))
        })
    }
}

impl Shelf for S3Shelf {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        let (key, body) = (self.key(name)?, PutPayload::from(bytes.to_vec()));
        match self.ask("write", name, bytes.len(), self.store.put(&key, body))? {
            Asked::Done(_) => Ok(()),
            Asked::NotThere(code) => Err(self.wire.refused(&code)),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        let key = self.key(name)?;
        let whole = async { self.store.get(&key).await?.bytes().await };
        // Nobody knows yet how long it is.
        let n_bytes = usize::try_from(OBJECT_BYTES_MAX).unwrap_or(usize::MAX);
        match self.ask("read", name, n_bytes, whole)? {
            Asked::Done(bytes) => Ok(Some(bytes.into())),
            Asked::NotThere(code) if code == "NoSuchBucket" => {
                Err(self.wire.refused(&"there is no such bucket"))
            }
            Asked::NotThere(_) => Ok(None),
        }
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError> {
        let (prefix, mut found) = (format!("{}/{folder}/", self.top), BTreeMap::new());
        let mut goes_on: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let from = PaginatedListOptions { page_token: goes_on, ..PaginatedListOptions::default() };
            let page = match self.ask("list", folder, 0, self.store.list_paginated(Some(&prefix), from))? {
                Asked::Done(page) => page,
                Asked::NotThere(code) => return Err(self.wire.refused(&code)),
            };
            for object in page.result.objects {
                if let Some(name) = object.location.as_ref().strip_prefix(&prefix) {
                    found.insert(format!("{folder}/{name}"), object.size);
                }
            }
            goes_on = page.page_token.filter(|token| !token.is_empty());
            match &goes_on {
                None => return Ok(found),
                Some(token) if token.len() > TOKEN_BYTES_MAX => break,
                Some(_) => {}
            }
        }
        Err(self.wire.failed("list", folder, &"the list does not end"))
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        let key = self.key(name)?;
        self.ask("remove", name, 0, self.store.delete(&key)).map(|_| ())
    }
}

/// The code of an S3 complaint, such as `SignatureDoesNotMatch`; never the rest, which repeats what was signed.
fn complaint(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let is_word = |code: &&str| code.len() <= 64 && code.bytes().all(|c| c.is_ascii_alphanumeric());
    code.map(|(code, _)| code)
        .filter(is_word)
        .map_or_else(|| format!("status {}", answer.status.as_u16()), str::to_owned)
}

/// From the file that the configuration names, or from the environment.
fn credentials(address: &target::S3) -> Result<AwsCredential, ShelfError> {
    let Some(path) = &address.credentials else {
        let value = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let whole =
            whole(value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"), value("AWS_SESSION_TOKEN"));
        return whole.ok_or_else(|| {
            ShelfError::Settings(
                "there are no S3 credentials: name a file with `off_site.credentials`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
            )
        });
    };
    let name = path.display();
    let wrong = |why: &dyn std::fmt::Display| {
        ShelfError::Settings(format!("`{name}` (off_site.credentials) cannot be used: {why}"))
    };
    let mut file = std::fs::File::open(path).map_err(|error| wrong(&error))?;
    // The file that was opened, not one that took its name since.
    if system::is_loose(&file).map_err(|error| wrong(&error))? {
        return Err(wrong(&format!("other accounts can read it; run: {}", system::closing(path))));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| wrong(&error))?;
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    whole(value("aws_access_key_id"), value("aws_secret_access_key"), value("aws_session_token")).ok_or_else(
        || {
            wrong(&"it has no lines `aws_access_key_id = ...` and `aws_secret_access_key = ...` of plain letters")
        },
    )
}

/// Credentials that can be signed with and sent: key id and token stand in a header.
fn whole(key_id: Option<String>, secret_key: Option<String>, token: Option<String>) -> Option<AwsCredential> {
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_graphic());
    let (key_id, secret_key) = (key_id.filter(|id| is_plain(id))?, secret_key?);
    token.as_deref().is_none_or(is_plain).then_some(AwsCredential { key_id, secret_key, token })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt as _;

    use ntk_evidence::hash::Hash;

    use super::*;

    #[test]
    fn credentials_come_from_a_tight_file_and_stand_in_no_complaint() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s3");
        let address = target::S3 {
            bucket: "vault".into(),
            prefix: String::new(),
            endpoint: Some("http://127.0.0.1:1".into()),
            region: "us-east-1".into(),
            credentials: Some(path.clone()),
        };
        let write = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let whole = "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = \"hunter2/+=\"\n";
        write(whole, 0o600);
        let read = credentials(&address).unwrap();
        assert_eq!((read.key_id.as_str(), read.secret_key.as_str()), ("AKIAEXAMPLE", "hunter2/+="));
        for (text, mode, expected) in [
            (whole, 0o640, "chmod 600"),
            ("aws_access_key_id = AKIAEXAMPLE\naws_secret = hunter2\n", 0o600, "has no lines"),
            ("", 0o600, "has no lines"),
            // What cannot stand in a header is said, and ends no program.
            ("aws_access_key_id = AKIA\u{1}\naws_secret_access_key = hunter2\n", 0o600, "has no lines"),
            (
                "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = hunter2\naws_session_token = a\u{7f}b\n",
                0o600,
                "has no lines",
            ),
        ] {
            write(text, mode);
            let said = credentials(&address).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("off_site.credentials"), "{said}");
            assert!(!said.contains("hunter2") && !said.contains("AKIA"), "{said}");
        }
        // A server that is not there: the address that was signed is not repeated.
        write(whole, 0o600);
        let slug = Slug::parse("maple-street.0011aabb").unwrap();
        let shelf = S3Shelf::new(&address, &slug, CancellationToken::new()).unwrap();
        let said = crate::error_chain(&shelf.get("newest.json").unwrap_err());
        assert!(
            said.contains("s3://vault") && !said.contains("Signature") && !said.contains("AKIA"),
            "{said}"
        );
    }

    /// A server that gives these answers, one a connection; what it was asked comes back at the end.
    fn answering(answers: Vec<(u16, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let mut stream = listener.accept().unwrap().0;
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let mut sent = vec![0; length.map_or(0, |length| length.parse().unwrap())];
                stream.read_exact(&mut sent).unwrap();
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\nlast-modified: never\r\n\r\n{body}"
                );
                stream.write_all(answer.as_bytes()).unwrap();
                asked.push(head);
            }
            asked
        });
        // Not as it is signed: `LOCALHOST` is another host to a signature than `localhost`.
        (format!("http://LOCALHOST:{port}"), thread)
    }

    fn shelf_at(endpoint: String) -> (S3Shelf, tempfile::TempDir) {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("s3");
        std::fs::write(&path, "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = hunter2\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let address = target::S3 {
            bucket: "vault".into(),
            prefix: "ntk".into(),
            endpoint: Some(endpoint),
            region: "us-east-1".into(),
            credentials: Some(path),
        };
        let slug = Slug::parse("maple-street.0011aabb").unwrap();
        (S3Shelf::new(&address, &slug, CancellationToken::new()).unwrap(), scratch)
    }

    #[test]
    fn a_put_is_one_request_with_the_checksum_that_object_lock_asks_for_and_no_secret() {
        let (endpoint, server) = answering(vec![(200, String::new())]);
        let (shelf, _scratch) = shelf_at(endpoint.clone());
        shelf.put("segments/0.segz.age", b"sealed").unwrap();
        let head = server.join().unwrap().remove(0);
        let hash = Hash::of(b"sealed");
        let host = endpoint.to_ascii_lowercase().replace("http://", "");
        for line in [
            "PUT /vault/ntk/maple-street.0011aabb/segments/0.segz.age HTTP/1.1".to_owned(),
            format!("x-amz-content-sha256: {}", hash.to_hex()),
            format!("x-amz-checksum-sha256: {}", hash.to_base64()),
            "content-length: 6".to_owned(),
            format!("host: {host}"),
        ] {
            assert!(head.lines().any(|found| found == line), "`{line}` in {head}");
        }
        assert!(head.contains("x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date"), "signed: {head}");
        assert!(!head.contains("hunter2"), "{head}");
    }

    #[test]
    fn an_answer_that_is_no_answer_is_said_in_one_sentence_and_nothing_is_asked_twice() {
        let page = |inner: &str| (200, format!("<ListBucketResult>{inner}</ListBucketResult>"));
        let object = |key: &str| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-27T19:00:00.000Z</LastModified><Size>7</Size></Contents>"
            )
        };
        let goes_on = |token: &str| page(&format!("<NextContinuationToken>{token}</NextContinuationToken>"));
        let no = |code: &str| format!("<Error><Code>{code}</Code><Secret>hunter2</Secret></Error>");
        let list = |answers: Vec<(u16, String)>, expected: &str| {
            let n_answers = answers.len();
            let (endpoint, server) = answering(answers);
            let (shelf, _scratch) = shelf_at(endpoint);
            let said = crate::error_chain(&shelf.list("segments").unwrap_err());
            assert!(said.contains(expected), "`{expected}` in {said}");
            for secret in ["hunter2", "AKIA", "Signature="] {
                assert!(!said.contains(secret), "{said}");
            }
            assert_eq!(server.join().unwrap().len(), n_answers, "{said}");
        };
        list(
            vec![(500, no("InternalError"))],
            "could not list `segments` at `s3://vault/ntk`: 500 InternalError",
        );
        list(vec![(503, no("SlowDown"))], "503 SlowDown");
        list(vec![(301, no("PermanentRedirect"))], "301 PermanentRedirect");
        list(vec![(403, no("AccessDenied"))], "refused: AccessDenied");
        list(vec![(404, no("NoSuchBucket"))], "refused: NoSuchBucket");
        list(vec![(200, "<html>hello".to_owned())], "the answer is no list of objects");
        list(vec![page(&object("ntk/maple-street.0011aabb/segments/a//b"))], "take it away");
        list(vec![goes_on("next"), goes_on(&"t".repeat(70_000))], "the list does not end");
        // What is not ours below the prefix is no object; a page may be empty.
        let ours = object("ntk/maple-street.0011aabb/segments/0.segz.age");
        let (endpoint, server) = answering(vec![
            page("<NextContinuationToken>a b/&amp;c</NextContinuationToken>"),
            page(&(ours + &object("elsewhere/x") + &object("ntk/maple-street.0011aabb/segments/"))),
        ]);
        let (shelf, _scratch) = shelf_at(endpoint);
        let found = shelf.list("segments").unwrap();
        assert_eq!(found, BTreeMap::from([("segments/0.segz.age".to_owned(), 7)]));
        assert!(server.join().unwrap()[1].contains("continuation-token=a+b%2F%26c"));
    }

    #[test]
    fn what_is_not_there_is_no_fault_and_a_bucket_that_is_not_there_is_one() {
        let no = |code: &str| (404, format!("<Error><Code>{code}</Code></Error>"));
        let (endpoint, server) =
            answering(vec![no("NoSuchKey"), no("NoSuchKey"), no("NoSuchBucket"), (200, "whole".to_owned())]);
        let (shelf, _scratch) = shelf_at(endpoint);
        assert_eq!(shelf.get("trust.txt").unwrap(), None);
        shelf.remove("trust.txt").unwrap();
        let said = shelf.get("trust.txt").unwrap_err().to_string();
        assert!(said.contains("there is no such bucket"), "{said}");
        assert_eq!(shelf.get("trust.txt").unwrap().as_deref(), Some(b"whole".as_slice()));
        let asked = server.join().unwrap();
        assert!(asked[1].starts_with("DELETE /vault/ntk/maple-street.0011aabb/trust.txt "), "{asked:?}");
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_a_fault_of_the_settings() {
        let scratch = tempfile::tempdir().unwrap();
        let address = target::S3 {
            bucket: "vault".into(),
            prefix: String::new(),
            endpoint: Some("http://1.2.3.4.5".into()),
            region: "us-east-1".into(),
            credentials: Some(scratch.path().join("s3")),
        };
        let slug = Slug::parse("maple-street.0011aabb").unwrap();
        let refused = S3Shelf::new(&address, &slug, CancellationToken::new()).err();
        let said = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("off_site.endpoint"), "{said}");
    }

    #[test]
    fn a_complaint_is_its_code_alone() {
        let said =
            |body: &str| complaint(&Answer { status: StatusCode::FORBIDDEN, body: body.to_owned().into() });
        assert_eq!(
            said("<Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>"),
            "AccessDenied"
        );
        assert_eq!(said("<Code>AKIA hunter2</Code>"), "status 403");
        assert_eq!(said(""), "status 403");
    }
}
