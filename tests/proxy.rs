//! A wire that can be cut: forwards connections to an address until told to drop them, as a firewall would.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// How long a silent connection is read before the cut is looked for again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A wire from a port of its own to an address.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Listens on loopback and forwards to `target`.
    pub fn to(target: &str) -> Result<Self> {
        Self::to_first_of(&[target])
    }

    /// Listens on loopback and forwards each connection to the first of these that accepts it, as a balancer would.
    pub fn to_first_of(targets: &[&str]) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (cut, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let (is_cut, streams) = (Arc::clone(&cut), Arc::clone(&open));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_cut.load(Ordering::Relaxed) {
                    continue;
                }
                let connected = targets.iter().find_map(|target| TcpStream::connect(target).ok());
                let Some(far) = connected else { continue };
                let pairs = [(near.try_clone(), far.try_clone()), (far.try_clone(), near.try_clone())];
                streams.lock().unwrap_or_else(PoisonError::into_inner).extend([near, far]);
                for pair in pairs {
                    if let (Ok(from), Ok(to)) = pair {
                        let is_cut = Arc::clone(&is_cut);
                        std::thread::spawn(move || forward(from, to, &is_cut));
                    }
                }
            }
        });
        Ok(Self { address, cut, open })
    }

    /// Where to connect.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Nothing passes any more.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// New connections pass again.
    pub fn mend(&self) {
        self.cut.store(false, Ordering::Relaxed);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    if from.set_read_timeout(Some(LOOK_EVERY)).is_err() {
        return;
    }
    while !cut.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                if buffer.get(..n).is_none_or(|bytes| to.write_all(bytes).is_err()) {
                    break;
                }
            }
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
