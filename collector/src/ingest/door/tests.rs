//! Those who come in and hold on: each for a bounded time, and an honest one beside them is let in.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;

const SHORT: Patience = Patience {
    handshake: Duration::from_millis(300),
    handshake_in_a_crowd: Duration::from_millis(50),
    stranger: Duration::from_millis(300),
};
const LONG: Patience = Patience {
    handshake: Duration::from_secs(60),
    handshake_in_a_crowd: Duration::from_millis(50),
    stranger: Duration::from_secs(60),
};
const WITHIN: Duration = Duration::from_secs(20);

struct Rig {
    address: std::net::SocketAddr,
    connections: mpsc::Receiver<io::Result<Connection>>,
    client: TlsConnector,
    _stop: tokio_util::sync::DropGuard,
}

async fn rig(patience: Patience) -> Rig {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(["ntk-collector".to_owned()]).unwrap().self_signed(&key).unwrap();
    let server = Credentials { certificate: own.pem(), key: key.serialize_pem() };
    let mut roots = RootCertStore::empty();
    roots.add(own.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let connections = open(listener, tls(&server, &own.pem()).unwrap(), patience, stop.clone());
    Rig { address, connections, client: TlsConnector::from(Arc::new(client)), _stop: stop.drop_guard() }
}

impl Rig {
    async fn shake_hands(&self) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        self.client.connect("ntk-collector".try_into().unwrap(), stream).await
    }
}

async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(WITHIN, stream.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn who_says_nothing_or_half_a_handshake_is_let_go_in_time() {
    let rig = rig(SHORT).await;
    let mut mute = TcpStream::connect(rig.address).await.unwrap();
    let mut half = TcpStream::connect(rig.address).await.unwrap();
    half.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    is_closed(&mut mute).await;
    is_closed(&mut half).await;
}

#[tokio::test]
async fn who_has_no_certificate_is_let_in_and_not_for_ever() {
    let mut rig = rig(SHORT).await;
    let mut stream = rig.shake_hands().await.unwrap();
    let mut inside = rig.connections.recv().await.unwrap().unwrap();
    stream.write_all(b"enrol").await.unwrap();
    let mut heard = [0; 5];
    inside.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"enrol");
    let ended = tokio::time::timeout(WITHIN, inside.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn an_honest_one_gets_in_past_a_crowd_that_fills_every_place() {
    let mut rig = rig(LONG).await;
    let mut crowd = Vec::new();
    for _ in 0..HALF_OPEN_MAX {
        crowd.push(TcpStream::connect(rig.address).await.unwrap());
    }
    // Every place is taken for a minute, but the oldest give way.
    let _stream = tokio::time::timeout(WITHIN, rig.shake_hands()).await.unwrap().unwrap();
    rig.connections.recv().await.unwrap().unwrap();
    is_closed(crowd.first_mut().unwrap()).await;
}

#[tokio::test]
async fn a_crowd_of_honest_ones_is_not_thinned() {
    let mut crowd = Crowd::default();
    let (done, mut told) = mpsc::unbounded_channel();
    for _ in 0..200 {
        crowd.make_room(4, Duration::from_secs(60)).await;
        let done = done.clone();
        crowd.add(async move {
            tokio::task::yield_now().await;
            done.send(()).unwrap();
        });
        assert!(crowd.handshakes.len() <= 4);
    }
    drop(done);
    let mut n = 0;
    while told.recv().await.is_some() {
        n += 1;
    }
    assert_eq!(n, 200, "each was let through");
}
