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
    rig_for(patience, None).await.0
}

/// The same, whose client shows a certificate; and another client with another one.
async fn rig_with_certificates(patience: Patience) -> (Rig, TlsConnector) {
    let made = crate::authority::make("maple-street").unwrap();
    let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
    let authority = crate::authority::Authority::open(&made, der.to_vec()).unwrap();
    let (rig, other) = rig_for(patience, Some((&authority, &made.certificate))).await;
    (rig, other.unwrap())
}

type Signs<'a> = (&'a crate::authority::Authority, &'a str);

async fn rig_for(patience: Patience, signs: Option<Signs<'_>>) -> (Rig, Option<TlsConnector>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(["ntk-collector".to_owned()]).unwrap().self_signed(&key).unwrap();
    let server = Credentials { certificate: own.pem(), key: key.serialize_pem() };
    let mut roots = RootCertStore::empty();
    roots.add(own.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = |name: &str| {
        let client = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone());
        let Some((authority, _)) = signs else { return client.with_no_client_auth() };
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        // Between the first and the last second of the authority, whatever the day.
        let until = jiff::Timestamp::now().as_second();
        let certificate = authority.client(name, request.der(), until).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        client.with_client_auth_cert(vec![certificate.into()], key).unwrap()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let authority = signs.map_or_else(|| own.pem(), |(_, certificate)| certificate.to_owned());
    let connections = open(listener, tls(&server, &authority).unwrap(), patience, stop.clone());
    let other = signs.map(|_| TlsConnector::from(Arc::new(client("agent/ws-02"))));
    let client = TlsConnector::from(Arc::new(client("agent/ws-01")));
    (Rig { address, connections, client, _stop: stop.drop_guard() }, other)
}

impl Rig {
    async fn shake_hands(&self) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        self.shake_hands_as(&self.client).await
    }

    async fn shake_hands_as(
        &self,
        client: &TlsConnector,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        client.connect("ntk-collector".try_into().unwrap(), stream).await
    }

    /// A connection, as the client and as the service have it.
    async fn pair(
        &mut self,
        client: &TlsConnector,
    ) -> (tokio_rustls::client::TlsStream<TcpStream>, Connection) {
        let outside = self.shake_hands_as(client).await.unwrap();
        let inside = tokio::time::timeout(WITHIN, self.connections.recv()).await.unwrap();
        (outside, inside.unwrap().unwrap())
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

#[tokio::test]
async fn of_more_connections_of_one_certificate_than_a_machine_needs_the_oldest_gives_way() {
    let (mut rig, other) = rig_with_certificates(LONG).await;
    let client = rig.client.clone();
    let mut held = VecDeque::new();
    let (mut other_outside, mut other_inside) = rig.pair(&other).await;
    for _ in 0..OF_ONE_CERTIFICATE_MAX {
        held.push_back(rig.pair(&client).await);
    }
    // As many as may be: each is heard.
    for (outside, inside) in &mut held {
        outside.write_all(b"a").await.unwrap();
        assert_eq!(inside.read_u8().await.unwrap(), b'a');
    }
    held.push_back(rig.pair(&client).await);
    let (_, mut oldest) = held.pop_front().unwrap();
    let ended = tokio::time::timeout(WITHIN, oldest.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    assert_eq!(oldest.write_all(b"b").await.unwrap_err().kind(), io::ErrorKind::TimedOut, "for good");
    // The others, the newest and another machine's are heard as before.
    for (outside, inside) in &mut held {
        outside.write_all(b"c").await.unwrap();
        assert_eq!(inside.read_u8().await.unwrap(), b'c');
    }
    other_outside.write_all(b"d").await.unwrap();
    assert_eq!(other_inside.read_u8().await.unwrap(), b'd');
    // One that ended leaves its place to the next, and nobody gives way.
    drop(held.pop_back());
    held.push_back(rig.pair(&client).await);
    for (outside, inside) in &mut held {
        outside.write_all(b"e").await.unwrap();
        assert_eq!(inside.read_u8().await.unwrap(), b'e');
    }
}
