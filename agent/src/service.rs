//! Signs of life to the service manager that started the agent (sd_notify(3)): a stopped process is ended by it, and the
//! kernel's records no longer wait for one that does not read.
//!
//! One datagram for each word, to the socket that `NOTIFY_SOCKET` names; nothing where it names none.

#[cfg(unix)]
use std::os::unix::net::UnixDatagram;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Sensors run; what depends on the agent may start.
    Ready,
    /// Still here.
    Alive,
    /// Ending in order.
    Stopping,
}

impl Sign {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Ready => b"READY=1",
            Self::Alive => b"WATCHDOG=1",
            Self::Stopping => b"STOPPING=1",
        }
    }
}

/// The way to the service manager, if one asks for signs.
#[derive(Debug)]
pub struct Service {
    #[cfg(unix)]
    socket: Option<UnixDatagram>,
}

impl Service {
    /// The one that the environment names.
    pub fn from_environment() -> Self {
        #[cfg(unix)]
        return Self { socket: std::env::var("NOTIFY_SOCKET").ok().and_then(|name| connect(&name)) };
        #[cfg(not(unix))]
        Self {}
    }

    /// Tells it. A manager that does not listen is no reason to stop.
    pub fn tell(&self, sign: Sign) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let _ = socket.send(sign.word());
        }
        #[cfg(not(unix))]
        let _ = sign.word();
    }
}

/// A path, or with `@` in front a name in the abstract namespace.
#[cfg(unix)]
fn connect(name: &str) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name).ok()?;
        socket.connect_addr(&address).ok()?;
        return Some(socket);
    }
    socket.connect(name).ok()?;
    Some(socket)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn signs_reach_a_socket_of_either_kind_and_none_is_no_fault() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let service = Service { socket: connect(path.to_str().unwrap()) };
        let mut heard = Vec::new();
        for sign in [Sign::Ready, Sign::Alive, Sign::Stopping] {
            service.tell(sign);
            let mut buffer = [0; 64];
            let n = manager.recv(&mut buffer).unwrap();
            heard.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
        assert_eq!(heard, ["READY=1", "WATCHDOG=1", "STOPPING=1"]);
        assert!(connect("@ntk-nobody-listens-here").is_none());
        Service { socket: connect("/nowhere") }.tell(Sign::Alive);
    }
}
