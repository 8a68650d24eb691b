//! The help desks’ endpoint over a real TLS socket, and its description.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::desk::rig;
use crate::init::SERVER_NAME;

struct Rig {
    inner: rig::Rig,
    address: std::net::SocketAddr,
    authority: String,
    stop: CancellationToken,
}

impl Rig {
    async fn start() -> Self {
        let inner = rig::Rig::start().await;
        let app = inner.app().clone();
        let (authority, signing) = app.practice.authority().unwrap();
        // The client's clock is the real one, the rig's is not.
        let now = crate::clock::Clock::system().now().unix_seconds();
        let server = signing.server(&[SERVER_NAME.to_owned()], now).unwrap();
        let (_, tls) = tokio::sync::watch::channel(listener::tls(&server, &authority).unwrap());
        let (socket, address) = listener::bind("127.0.0.1:0").await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(listener::serve(socket, tls, app, stop.clone()));
        Self { inner, address, authority, stop }
    }

    fn app(&self) -> &App {
        self.inner.app()
    }

    fn token(&self, name: &str) -> String {
        self.app().help_desks.make(name, self.app().desk.now().timestamp()).unwrap()
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> (u16, Value) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = hyper::Request::builder().method(method).uri(path).header("host", "desk");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn ask(&self, token: &str, body: &Value) -> (u16, Value) {
        self.send("POST", "/v1/ticket-requests", Some(token), body.to_string().as_bytes()).await
    }

    async fn end(self) {
        self.stop.cancel();
        self.inner.end().await;
    }
}

fn restore(external_id: &str) -> Value {
    json!({"external_id": external_id, "for": "northwind", "class": "export", "hours": 2, "reason": "Restore a record"})
}

fn sentence(answer: &(u16, Value)) -> &str {
    answer.1["error"].as_str().unwrap_or_default()
}

// RS-2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_help_desk_may_ask_and_see_how_its_own_requests_stand_and_nothing_else() {
    let rig = Rig::start().await;
    let token = rig.token("helpdesk");
    let created = rig.ask(&token, &restore("HD-1")).await;
    assert_eq!(created, (201, json!({"id": "T-1", "external_id": "HD-1", "state": "requested"})));
    // Sent again: the same answer, no second request.
    assert_eq!(rig.ask(&token, &restore("HD-1")).await, (200, created.1.clone()));
    assert_eq!(rig.ask(&token, &restore("HD-2")).await.1["id"], "T-2");
    let mut other = restore("HD-1");
    other["class"] = "hr".into();
    let reused = rig.ask(&token, &other).await;
    assert!(reused.0 == 422 && sentence(&reused).contains("external_id"), "{reused:?}");
    let state = rig.send("GET", "/v1/ticket-requests/T-1", Some(&token), b"").await;
    assert_eq!(state, (200, created.1));
    // Another help desk does not see it, and may use the same number for its own.
    let second = rig.token("second");
    assert_eq!(rig.send("GET", "/v1/ticket-requests/T-1", Some(&second), b"").await.0, 404);
    assert_eq!(rig.ask(&second, &restore("HD-1")).await.1["id"], "T-3");

    for (method, path) in [
        ("POST", "/v1/ticket-requests/T-1/approve"),
        ("POST", "/v1/tickets/approve"),
        ("POST", "/v1/tickets/close"),
        ("PUT", "/v1/ticket-requests/T-1"),
        ("DELETE", "/v1/ticket-requests/T-1"),
        ("GET", "/v1/findings"),
        ("GET", "/v1/roster"),
        ("GET", "/"),
    ] {
        let answer = rig.send(method, path, Some(&token), b"{}").await;
        assert_eq!(answer.0, 404, "{method} {path}: {answer:?}");
    }
    // What it asked for is a request by its name, and nobody has approved it.
    let (by, n_approvals) = rig
        .app()
        .desk
        .step(|view| {
            let record = view.tickets.record("T-1").unwrap();
            Ok::<_, LedgerError>((Vec::new(), (record.request.requested_by.clone(), record.approvals.len())))
        })
        .await
        .unwrap();
    assert_eq!((by.as_str(), n_approvals), ("helpdesk", 0));
    rig.end().await;
}

// RS-1.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_request_is_said_in_a_sentence() {
    let rig = Rig::start().await;
    let token = rig.token("helpdesk");
    for wrong in [None, Some(""), Some("ntk-ticket.00"), Some("x")] {
        let answer =
            rig.send("POST", "/v1/ticket-requests", wrong, restore("A").to_string().as_bytes()).await;
        assert!(answer.0 == 401 && sentence(&answer).contains("ticket token new"), "{wrong:?}: {answer:?}");
    }
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let answer = rig.send("POST", "/v1/ticket-requests", Some(&token), &large).await;
    assert!(answer.0 == 413 && sentence(&answer).contains("16384"), "{answer:?}");
    let with = |key: &str, value: Value| {
        let mut body = restore("A");
        body[key] = value;
        body.to_string()
    };
    for (body, says) in [
        ("".to_owned(), "not a request"),
        ("[]".to_owned(), "not a request"),
        ("{\"external_id\": \"A\"}".to_owned(), "for"),
        (with("approved_by", json!("mary")), "approved_by"),
        (with("by", json!("mary")), "by"),
        (with("external_id", json!(" ")), "external_id"),
        (with("for", json!("nobody")), "for: `nobody` is not in the roster"),
        (with("class", json!("tea")), "class: `tea`"),
        (with("hours", json!(100)), "hours: is a number from 1 to 72"),
        (with("hours", json!(-1)), "-1"),
        (with("to", json!("soon")), "to: `soon` is not a time"),
        (with("reason", json!("")), "reason: is empty"),
        (with("kind", json!("party")), "kind: `party`"),
    ] {
        let answer = rig.send("POST", "/v1/ticket-requests", Some(&token), body.as_bytes()).await;
        assert!(answer.0 == 422 && sentence(&answer).contains(says), "{body}: {answer:?}");
    }
    assert_eq!(
        rig.send("GET", "/v1/ticket-requests/T-1", Some(&token), b"").await.0,
        404,
        "nothing was made"
    );
    let mut last = 0;
    for _ in 0..tokens::PER_MINUTE_MAX {
        last = rig.send("GET", "/v1/ticket-requests/T-1", Some(&token), b"").await.0;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    let now = rig.app().desk.now().timestamp();
    rig.app().help_desks.revoke("helpdesk", now).unwrap();
    assert_eq!(rig.ask(&token, &restore("B")).await.0, 401);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_says_nothing_or_no_tls_holds_up_no_other() {
    let rig = Rig::start().await;
    let token = rig.token("helpdesk");
    let silent = TcpStream::connect(rig.address).await.unwrap();
    let plain = TcpStream::connect(rig.address).await.unwrap();
    plain.try_write(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(rig.ask(&token, &restore("A")).await.0, 201);
    drop((silent, plain));
    let described = rig.send("GET", "/openapi.json", None, b"").await;
    assert_eq!(described.1["openapi"], "3.1.0");
    rig.end().await;
}

#[test]
fn the_description_is_that_of_the_routes_and_of_the_request() {
    let described: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut routes: Vec<(String, String)> = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        routes.extend(methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let mut ours: Vec<_> = ROUTES.iter().map(|(m, p)| ((*m).to_owned(), (*p).to_owned())).collect();
    routes.sort();
    ours.sort();
    assert_eq!(routes, ours);

    let text = || Some("x".to_owned());
    let full = TicketRequest {
        external_id: "A".into(),
        assignee: "northwind".into(),
        class: "export".into(),
        reason: "r".into(),
        owner: text(),
        host: text(),
        from: text(),
        to: text(),
        hours: Some(1),
        kind: text(),
    };
    let full = serde_json::to_value(&full).unwrap();
    let schema = &described["components"]["schemas"]["TicketRequest"];
    let keys =
        |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys(&schema["properties"]), keys(&full));
    assert_eq!(schema["additionalProperties"], false);
    for key in keys(&full) {
        let mut without = full.clone();
        without.as_object_mut().unwrap().remove(&key);
        let is_needed = serde_json::from_value::<TicketRequest>(without).is_err();
        let says_needed = schema["required"].as_array().unwrap().contains(&json!(key));
        assert_eq!(is_needed, says_needed, "{key}");
    }
    let classes: Vec<_> = crate::policy::Area::ALL
        .iter()
        .filter(|area| area.class() == **area)
        .map(|area| json!(area.as_str()))
        .collect();
    assert_eq!(schema["properties"]["class"]["enum"], json!(classes));
    assert_eq!(schema["properties"]["kind"]["enum"], json!(crate::ticket::TicketKind::WORDS));
    assert_eq!(schema["properties"]["reason"]["maxLength"], crate::ticket::request::REASON_MAX);
}
