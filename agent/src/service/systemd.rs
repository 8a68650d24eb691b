//! sd_notify(3): one datagram for each sign, to the socket that `NOTIFY_SOCKET` names; nothing where it names none.

use std::os::unix::net::UnixDatagram;

use super::Sign;

/// The way to the service manager, if one asks for signs.
#[derive(Debug)]
pub struct Service {
    socket: Option<UnixDatagram>,
}

impl Service {
    /// The one that the environment names.
    pub fn from_environment() -> Self {
        Self { socket: std::env::var("NOTIFY_SOCKET").ok().and_then(|name| connect(&name)) }
    }

    /// Tells it. A manager that does not listen is no reason to stop.
    pub fn tell(&self, sign: Sign) {
        if let Some(socket) = &self.socket {
            let _ = socket.send(word(sign));
        }
    }

    /// Where log lines go besides stderr: nowhere, the system keeps what stderr says.
    pub fn log_file(&self, _dir: &std::path::Path) -> Option<std::fs::File> {
        None
    }

    /// Has its wish to stop told. Here it is a signal, for which whoever runs the agent listens anyway.
    pub fn on_stop(&self, _stop: impl Fn() + Send + Sync + 'static) {}
}

const fn word(sign: Sign) -> &'static [u8] {
    match sign {
        Sign::Ready => b"READY=1",
        Sign::Alive => b"WATCHDOG=1",
        Sign::Stopping => b"STOPPING=1",
    }
}

/// A path, or with `@` in front a name in the abstract namespace.
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

#[cfg(test)]
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
