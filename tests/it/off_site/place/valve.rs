//! A way that holds still after so many bytes towards the server, with the connection open, until it is opened again.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::Result;

/// Bytes that may still pass; none at all means any number.
type Left = Arc<(Mutex<Option<usize>>, Condvar)>;

/// The way.
pub(crate) struct Valve {
    port: u16,
    left: Left,
}

impl Valve {
    /// To a port on loopback; so many bytes pass.
    pub(crate) fn to(target: u16, bytes: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let left: Left = Arc::new((Mutex::new(Some(bytes)), Condvar::new()));
        let shared = Arc::clone(&left);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                if let (Ok(back), Ok(near_back)) = (far.try_clone(), near.try_clone()) {
                    let left = Arc::clone(&shared);
                    std::thread::spawn(move || forward(near, far, Some(&left)));
                    std::thread::spawn(move || forward(back, near_back, None));
                }
            }
        });
        Ok(Self { port, left })
    }

    /// Where to connect.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether it holds still.
    pub(crate) fn holds(&self) -> bool {
        *self.left.0.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    /// Lets everything pass from now on.
    pub(crate) fn open(&self) {
        *self.left.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.left.1.notify_all();
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, left: Option<&Left>) {
    let mut buffer = [0; 4096];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => n,
        };
        if let Some((left, opened)) = left.map(|left| &**left) {
            let mut may = left.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bytes) = may.as_mut() {
                *bytes = bytes.saturating_sub(n);
            }
            while *may == Some(0) {
                may = opened.wait(may).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
