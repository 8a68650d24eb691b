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

/// What is done to a transaction's end on the wire to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It passes.
    Passes,
    /// The connection ends before it is sent: nothing was written.
    NeverSent,
    /// It is sent, and the connection ends with its answer: written, though it looks failed.
    NeverAnswered,
}

/// A wire to a database on which every few ends of transactions go wrong, now one way and now the other.
#[derive(Debug)]
pub struct Cutter {
    address: SocketAddr,
    cuts: Arc<Mutex<[u64; 2]>>,
}

impl Cutter {
    /// Listens on loopback, forwards to `target`, and spoils one `COMMIT` in `every`.
    pub fn to(target: &str, every: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (cuts, seen) = (Arc::<Mutex<[u64; 2]>>::default(), Arc::<Mutex<u64>>::default());
        let (target, counted) = (target.to_owned(), Arc::clone(&cuts));
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let (cuts, seen) = (Arc::clone(&counted), Arc::clone(&seen));
                std::thread::spawn(move || cutting(near, far, every, &seen, &cuts));
            }
        });
        Ok(Self { address, cuts })
    }

    /// The port to connect to.
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many never went out, and how many never came back.
    pub fn cuts(&self) -> [u64; 2] {
        *self.cuts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forwards one connection until it is cut or ends. Answers are passed on by a second thread until the cut.
fn cutting(mut near: TcpStream, mut far: TcpStream, every: u64, seen: &Mutex<u64>, cuts: &Mutex<[u64; 2]>) {
    let swallows = Arc::new(AtomicBool::new(false));
    let (Ok(mut from), Ok(mut to)) = (far.try_clone(), near.try_clone()) else { return };
    let swallowing = Arc::clone(&swallows);
    let answers = std::thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // What was swallowed has arrived: the transaction is over.
            if swallowing.load(Ordering::Relaxed) {
                break;
            }
            if buffer.get(..n).is_none_or(|bytes| to.write_all(bytes).is_err()) {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = near.read(&mut buffer) {
        let bytes = buffer.get(..n).unwrap_or_default();
        let fate = if bytes.ends_with(b"COMMIT\0") {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen += 1;
            match (*seen % every, *seen / every % 2) {
                (0, 0) => Fate::NeverSent,
                (0, _) => Fate::NeverAnswered,
                _ => Fate::Passes,
            }
        } else {
            Fate::Passes
        };
        swallows.store(fate == Fate::NeverAnswered, Ordering::Relaxed);
        if fate != Fate::Passes {
            let mut cuts = cuts.lock().unwrap_or_else(PoisonError::into_inner);
            let [not_sent, not_answered] = &mut *cuts;
            *(if fate == Fate::NeverAnswered { not_answered } else { not_sent }) += 1;
        }
        if fate == Fate::NeverSent || far.write_all(bytes).is_err() {
            break;
        }
    }
    if !swallows.load(Ordering::Relaxed) {
        let _ = far.shutdown(Shutdown::Both);
        let _ = near.shutdown(Shutdown::Both);
    }
    let _ = answers.join();
}
