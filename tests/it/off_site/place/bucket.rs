//! A bucket: the four requests of S3 that a copy needs, over HTTP/1.1, in the clear or over TLS, into a folder. It checks each signature from the
//! public description of Signature Version 4 for headers, and each put as a bucket with Object Lock does: the body is what
//! the signature and the checksum header name, or nothing is kept. It can be told to fail.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ntk_evidence::hash::{Hash, hex};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::Sha256;

const KEY_ID: &str = "AKIATESTONLY00000001";
const SECRET: &str = "only-for-this-test/secret+key=7";
const BUCKET: &str = "vault";
/// A list has so many objects a page.
const PAGE: usize = 2;

/// A running server.
pub(crate) struct Bucket {
    folder: PathBuf,
    port: u16,
    scheme: &'static str,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    place: PathBuf,
    stopped: AtomicBool,
    /// The so-manieth put from now breaks off in the middle.
    break_off: AtomicI64,
    /// The so-manieth put from now holds still in the middle until the connection ends.
    hold: AtomicI64,
    holds: AtomicBool,
    /// The so-manieth put from now is done and answered with a failure.
    fail_after: AtomicI64,
    /// Of the so-manieth put from now one byte is another one when it arrives.
    alter: AtomicI64,
}

impl Bucket {
    /// What may stand in no message.
    pub(crate) const SECRETS: [&'static str; 3] = [SECRET, "only-for-this-test", KEY_ID];

    /// Starts it.
    pub(crate) fn start(scratch: &Path) -> Result<Self> {
        Self::start_with(scratch, None)
    }

    /// Starts it with a certificate of its own, and writes that to a file.
    pub(crate) fn start_with_tls(scratch: &Path, certificate: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        fs::write(certificate, made.cert.pem())?;
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())?;
        Self::start_with(scratch, Some(Arc::new(config)))
    }

    fn start_with(scratch: &Path, tls: Option<Arc<ServerConfig>>) -> Result<Self> {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let folder = scratch.join("bucket");
        let place = folder.join("place");
        fs::create_dir_all(&place)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State { place, ..State::default() });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    let (state, tls) = (Arc::clone(&shared), tls.clone());
                    std::thread::spawn(move || {
                        let _ = match tls.map(ServerConnection::new).transpose() {
                            Ok(Some(tls)) => answer(&state, StreamOwned::new(tls, stream)),
                            _ => answer(&state, stream),
                        };
                    });
                }
            }
        });
        Ok(Self { folder, port, scheme, state, thread: Some(thread) })
    }

    /// What `off_site.endpoint` says.
    pub(crate) fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Where the objects lie.
    pub(crate) fn place(&self) -> PathBuf {
        self.state.place.clone()
    }

    /// A file with the right credentials.
    pub(crate) fn credentials(&self) -> Result<PathBuf> {
        self.write("right", SECRET, 0o600)
    }

    /// One with another secret.
    pub(crate) fn wrong_credentials(&self) -> Result<PathBuf> {
        self.write("wrong", "only-for-this-test/another", 0o600)
    }

    /// The right ones, readable by others.
    pub(crate) fn loose_credentials(&self) -> Result<PathBuf> {
        self.write("loose", SECRET, 0o644)
    }

    fn write(&self, name: &str, secret: &str, mode: u32) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(
            &path,
            format!("[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n"),
        )?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// The n-th put from now breaks off.
    pub(crate) fn break_off_at(&self, n: i64) {
        self.state.break_off.store(n, Ordering::SeqCst);
    }

    /// The n-th put from now holds still in its middle.
    pub(crate) fn hold_at(&self, n: i64) {
        self.state.hold.store(n, Ordering::SeqCst);
    }

    /// Whether one does.
    pub(crate) fn holds(&self) -> bool {
        self.state.holds.load(Ordering::SeqCst)
    }

    /// The n-th put from now is done and reported failed.
    pub(crate) fn fail_after(&self, n: i64) {
        self.state.fail_after.store(n, Ordering::SeqCst);
    }

    /// The n-th put from now is changed on the way.
    pub(crate) fn alter_at(&self, n: i64) {
        self.state.alter.store(n, Ordering::SeqCst);
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request as it came.
struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    /// By their names in small letters.
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read(reader: &mut BufReader<impl Read>, state: &State) -> Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length: usize = headers.get("content-length").map_or(Ok(0), |length| length.parse())?;
    if method == "PUT" && state.break_off.fetch_sub(1, Ordering::SeqCst) == 1 {
        let mut half = vec![0; length / 2];
        reader.read_exact(&mut half)?;
        return Ok(None);
    }
    if method == "PUT" && state.hold.fetch_sub(1, Ordering::SeqCst) == 1 {
        let mut half = vec![0; length / 2];
        reader.read_exact(&mut half)?;
        state.holds.store(true, Ordering::SeqCst);
        // The rest is taken in only when nobody is left to send it: it may lie in the socket already.
        while reader.read(&mut half)? > 0 {}
        return Ok(None);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if method == "PUT" && state.alter.fetch_sub(1, Ordering::SeqCst) == 1 {
        body[length / 2] ^= 1;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (unescape(name), unescape(value))).collect();
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), query, headers, body }))
}

fn answer(state: &State, stream: impl Read + Write) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader, state)? else { return Ok(()) };
    let error = |code: &str, why: &str| {
        format!("<Error><Code>{code}</Code><Why>{why}</Why><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>")
            .into_bytes()
    };
    let (status, body) = match (signed(&request), kept_as_sent(&request)) {
        (Err(why), _) => (403, error("SignatureDoesNotMatch", &why.to_string())),
        (_, Err(code)) => (400, error(code, "")),
        _ => serve(state, &request)?,
    };
    let head = format!(
        "HTTP/1.1 {status} x\r\netag: \"x\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    Ok(stream.flush()?)
}

fn of<'a>(request: &'a Request, name: &str) -> &'a str {
    request.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).map_or("", String::as_str)
}

/// Signature Version 4, in a header (docs.aws.amazon.com, "Authenticating Requests: Using the Authorization Header").
fn signed(request: &Request) -> Result<()> {
    let parts = header(request, "authorization").strip_prefix("AWS4-HMAC-SHA256 ").context("no signature")?;
    let part = |name: &str| parts.split(", ").find_map(|part| part.strip_prefix(name)).context("a part");
    let (names, signature) = (part("SignedHeaders=")?, part("Signature=")?);
    let scope = part("Credential=")?.strip_prefix(&format!("{KEY_ID}/")).context("another key id")?;
    let mut parts = scope.split('/');
    let (date, region) = (parts.next().context("a date")?, parts.next().context("a region")?);
    ensure!(region == "eu-test-1", "another region");
    ensure!(header(request, "x-amz-date").starts_with(date), "another day");
    let must = |name: &str| name == "host" || name.starts_with("x-amz-");
    let is_under_it = |name: &str| names.split(';').any(|signed| signed == name);
    ensure!(request.headers.keys().all(|name| !must(name) || is_under_it(name)), "a header is not signed");
    let mut query: Vec<String> =
        request.query.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    query.sort();
    let headers: String =
        names.split(';').map(|name| format!("{name}:{}\n", header(request, name))).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        request.method,
        request.path,
        query.join("&"),
        header(request, "x-amz-content-sha256")
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        header(request, "x-amz-date"),
        Hash::of(canonical.as_bytes()).to_hex()
    );
    let mut key = mac(format!("AWS4{SECRET}").as_bytes(), date);
    for part in [region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    ensure!(hex(&mac(&key, &to_sign)) == signature, "another signature");
    Ok(())
}

/// Whether what arrived is what was signed and, for an object, what its checksum names; the code of the complaint.
fn kept_as_sent(request: &Request) -> Result<(), &'static str> {
    let hash = Hash::of(&request.body);
    if header(request, "x-amz-content-sha256") != hash.to_hex() {
        return Err("XAmzContentSHA256Mismatch");
    }
    match (request.method.as_str(), header(request, "x-amz-checksum-sha256")) {
        // As a bucket with Object Lock has it.
        ("PUT", "") => Err("InvalidRequest"),
        ("PUT", sum) if sum != hash.to_base64() => Err("BadDigest"),
        _ => Ok(()),
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &more[2..];
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escape(text: &str) -> String {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|c| if is_plain(c) { char::from(c).to_string() } else { format!("%{c:02X}") }).collect()
}

fn serve(state: &State, request: &Request) -> Result<(u16, Vec<u8>)> {
    let path = unescape(&request.path);
    let (bucket, key) = path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_matches('/'), ""));
    if bucket != BUCKET {
        return Ok((404, b"<Error><Code>NoSuchBucket</Code></Error>".to_vec()));
    }
    ensure!(!key.contains(".."), "a name that leaves the bucket");
    let file = state.place.join(key);
    Ok(match request.method.as_str() {
        "PUT" => {
            fs::create_dir_all(file.parent().context("a folder")?)?;
            fs::write(&file, &request.body)?;
            match state.fail_after.fetch_sub(1, Ordering::SeqCst) {
                1 => (500, b"<Error><Code>InternalError</Code></Error>".to_vec()),
                _ => (200, Vec::new()),
            }
        }
        "DELETE" => {
            let _ = fs::remove_file(&file);
            (204, Vec::new())
        }
        "GET" if of(request, "list-type") == "2" => (200, list(state, request)?),
        "GET" => match fs::read(&file) {
            Ok(bytes) => (200, bytes),
            Err(_) => (404, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
        },
        _ => (405, Vec::new()),
    })
}

/// A page of names below a prefix; the token is the last name of the page before.
fn list(state: &State, request: &Request) -> Result<Vec<u8>> {
    let (prefix, after) = (of(request, "prefix"), of(request, "continuation-token"));
    let mut keys: Vec<(String, u64)> = super::super::files(&state.place)?
        .iter()
        .map(|path| {
            let key = path.strip_prefix(&state.place).unwrap().to_string_lossy().into_owned();
            (key, fs::metadata(path).map_or(0, |found| found.len()))
        })
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after)
        .collect();
    keys.sort();
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>vault</Name>",
    );
    text.push_str(&format!(
        "<Prefix>{prefix}</Prefix><MaxKeys>{PAGE}</MaxKeys><IsTruncated>{}</IsTruncated>",
        keys.len() > PAGE
    ));
    for (key, size) in keys.iter().take(PAGE) {
        text.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-27T19:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        ));
    }
    if keys.len() > PAGE {
        text.push_str(&format!("<NextContinuationToken>{}</NextContinuationToken>", keys[PAGE - 1].0));
    }
    text.push_str("</ListBucketResult>");
    Ok(text.into_bytes())
}
