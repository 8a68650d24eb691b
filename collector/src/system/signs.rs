//! sd_notify(3): tells the service manager that the collector serves, lives, ends. Nothing where `NOTIFY_SOCKET` names nobody.
//!
//! A sign of life says that the event loop turns and that a thread of those which verify and read took work. Whether the disk
//! answers is not part of it: a collector whose disk is slow is better slow than started anew.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

/// So often, unless the unit asks for more: a third of the time that it waits.
const EVERY: Duration = Duration::from_secs(20);

/// Signs of life go to the service manager until `stop`; ends when it was told that the collector ends.
pub async fn tell(stop: CancellationToken) {
    let Some(socket) = std::env::var("NOTIFY_SOCKET").ok().and_then(|name| connect(&name)) else { return };
    tell_to(&socket, EVERY, stop).await;
}

async fn tell_to(socket: &UnixDatagram, every: Duration, stop: CancellationToken) {
    send(socket, b"READY=1");
    loop {
        if tokio::task::spawn_blocking(|| ()).await.is_ok() {
            send(socket, b"WATCHDOG=1");
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => break,
        }
    }
    send(socket, b"STOPPING=1");
}

fn send(socket: &UnixDatagram, sign: &[u8]) {
    // A manager that does not listen is no reason to stop.
    if let Err(error) = socket.send(sign) {
        warn!(%error, "the service manager did not take a sign");
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

    #[tokio::test(flavor = "multi_thread")]
    async fn the_service_manager_hears_that_the_collector_serves_lives_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let socket = connect(path.to_str().unwrap()).unwrap();
        let stop = CancellationToken::new();
        let told = stop.clone();
        let teller = tokio::spawn(async move { tell_to(&socket, Duration::from_millis(5), told).await });
        let mut heard = Vec::new();
        let heard = tokio::task::spawn_blocking(move || {
            while heard.last().is_none_or(|sign| sign != "STOPPING=1") {
                let mut buffer = [0; 64];
                let n = manager.recv(&mut buffer).unwrap();
                heard.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
                if heard.len() == 4 {
                    stop.cancel();
                }
            }
            heard
        })
        .await
        .unwrap();
        teller.await.unwrap();
        assert_eq!(heard[..4], ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
        assert!(connect("@ntk-nobody-listens-here").is_none() && connect("/nowhere").is_none());
    }
}
