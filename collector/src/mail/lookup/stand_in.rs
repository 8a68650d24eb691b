//! A name server for tests, on loopback: it answers from a table, byte by byte and without the crate that it is asked by.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::Names;

const A: u16 = 1;
const MX: u16 = 15;
const AAAA: u16 = 28;

/// What is said of a name.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// These mail servers; `.` is the null MX record.
    Mail(Vec<(u16, String)>),
    /// The same, and too long for a datagram.
    MailByTcp(Vec<(u16, String)>),
    /// An address.
    At(&'static str),
    /// Nothing, ever.
    Silence,
    /// That the server failed.
    Failed,
    /// A header, the question, and these bytes where one answer should stand.
    Bytes(Vec<u8>),
    /// Bytes without even a header.
    Noise,
}

/// A record of one mail server.
pub(crate) fn mail(server: &str) -> Says {
    Says::Mail(vec![(10, server.to_owned())])
}

/// Starts one; it ends with the test's runtime.
pub(crate) async fn start(table: Vec<(&'static str, Says)>) -> Names {
    let (tcp, udp) = bound().await;
    let address = udp.local_addr().unwrap();
    let by_tcp = table.clone();
    tokio::spawn(async move {
        let mut bytes = [0; 2048];
        while let Ok((n, asker)) = udp.recv_from(&mut bytes).await {
            if let Some(answer) = answer(&bytes[..n], &table, false) {
                udp.send_to(&answer, asker).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let table = by_tcp.clone();
            tokio::spawn(async move {
                while let Ok(n) = stream.read_u16().await {
                    let mut bytes = vec![0; n.into()];
                    stream.read_exact(&mut bytes).await.unwrap();
                    if let Some(answer) = answer(&bytes, &table, true) {
                        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                }
            });
        }
    });
    Names::At(vec![address])
}

/// Both of one port: another that is taken for one of them is let go.
async fn bound() -> (TcpListener, UdpSocket) {
    for _ in 0..32 {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = tcp.local_addr().unwrap();
        if let Ok(udp) = UdpSocket::bind(address).await {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both");
}

fn answer(query: &[u8], table: &[(&'static str, Says)], by_tcp: bool) -> Option<Vec<u8>> {
    let (name, end) = name(query);
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let says = table.iter().filter(|(of, says)| *of == name && fits(says, kind)).map(|(_, says)| says).next();
    let is_known = table.iter().any(|(of, _)| *of == name);
    let records: Vec<Vec<u8>> = match says {
        Some(Says::Silence) => return None,
        Some(Says::Noise) => return Some(b"not even a header".to_vec()),
        Some(Says::Mail(servers)) => servers.iter().map(|server| record(MX, &exchange(server))).collect(),
        Some(Says::MailByTcp(servers)) if by_tcp => {
            servers.iter().map(|server| record(MX, &exchange(server))).collect()
        }
        Some(Says::At(address)) => match address.parse().unwrap() {
            std::net::IpAddr::V4(four) if kind == A => vec![record(A, &four.octets())],
            std::net::IpAddr::V6(six) if kind == AAAA => vec![record(AAAA, &six.octets())],
            _ => Vec::new(),
        },
        Some(Says::Bytes(bytes)) => vec![bytes.clone()],
        Some(Says::Failed | Says::MailByTcp(_)) | None => Vec::new(),
    };
    let code = match says {
        Some(Says::Failed) => 2,
        None if !is_known => 3,
        _ => 0,
    };
    let is_cut = matches!(says, Some(Says::MailByTcp(_))) && !by_tcp;
    let mut answer = query[..2].to_vec();
    answer.extend([0x81 | if is_cut { 2 } else { 0 }, 0x80 | code, 0, 1]);
    answer.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    answer.extend([0; 4]);
    answer.extend(&query[12..end + 4]);
    answer.extend(records.concat());
    Some(answer)
}

fn fits(says: &Says, kind: u16) -> bool {
    match says {
        Says::Mail(_) | Says::MailByTcp(_) => kind == MX,
        Says::At(_) => kind == A || kind == AAAA,
        _ => true,
    }
}

/// The name in a question, and where it ends.
fn name(query: &[u8]) -> (String, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    (labels.join("."), at + 1)
}

fn exchange((preference, server): &(u16, String)) -> Vec<u8> {
    let mut bytes = preference.to_be_bytes().to_vec();
    for label in server.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A record of the name in the question.
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 60]);
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}
