//! `first-start`: the page with which a box that has no screen but its own becomes a practice's collector.
//!
//! Whoever sits on the practice's network may be the watched person. So the page is TLS with a key of this start alone,
//! whose fingerprint stands on the box's own screen, and it does nothing before a code was typed that stands there, too.
//! It makes the practice by [`crate::init`], hands the keys file out, and leads over to the console. It logs nothing.
//!
//! # Invariants
//! - FS-1: nothing is shown or changed before the code of this start was typed; after [`TRIES_MAX`] wrong ones no code is
//!   right until the program is started again, which makes another code.
//! - FS-2: where a practice is set up and its keys file was taken away, there is no page.
//! - FS-3: the keys file is deleted only after words of both keys were typed back. A start after a power cut offers it again.

mod page;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use ntk_evidence::hash::Hash;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sysinfo::Networks;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{AppError, Working};
use crate::clock::Clock;
use crate::console::listener;
use crate::console::start::{hand_over, set_up_link};
use crate::home::{Home, HomeError};
use crate::link::{Code, SecretError};
use crate::rest::listener::acceptor;

pub use page::{FirstStart, router};

/// Wrong codes of one start.
pub const TRIES_MAX: u32 = 5;
/// Name of the keys file in the collector's folder while it waits to be taken away.
pub const KEYS: &str = "keys-to-take-away.txt";
/// How long the network may take to give the box an address before the screen says that there is none.
const ADDRESS_WITHIN: Duration = Duration::from_secs(60);
/// What the screen shows until then.
const NO_ADDRESS: &str = "Need-to-Know: this box has no address yet. Plug in the network cable; what to do next then appears here.";
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The page could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The address is taken or not ours.
    #[error("the first-start page could not listen on `{address}`")]
    Bind {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate of this start.
    #[error("no certificate could be made for the first-start page: {0}")]
    Certificate(String),
    /// Files or random numbers.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The code.
    #[error(transparent)]
    Code(#[from] SecretError),
    /// The runtime.
    #[error("could not start")]
    Runtime(#[source] std::io::Error),
}

/// What is left to do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no practice yet.
    Fresh,
    /// There is one, and its keys are still here.
    KeysHere,
    /// Nothing.
    Over,
}

/// How a folder stands.
pub fn standing(home: &Home) -> Standing {
    match (home.config().exists(), keys(home).exists()) {
        (false, _) => Standing::Fresh,
        (true, true) => Standing::KeysHere,
        (true, false) => Standing::Over,
    }
}

fn keys(home: &Home) -> PathBuf {
    home.path(KEYS)
}

/// Serves the page until it has done its work, or a signal ends it; says at once where nothing is left to do.
pub fn first_start(home: &Home, listen: &str, clock: &Clock) -> Result<(), FirstStartError> {
    if standing(home) == Standing::Over {
        println!("A practice is set up here and its keys were taken away: there is no first start any more.");
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(FirstStartError::Runtime)?.block_on(serve(home, listen, clock))
}

async fn serve(home: &Home, listen: &str, clock: &Clock) -> Result<(), FirstStartError> {
    let bound = TcpListener::bind(listen).await;
    let bound = bound.map_err(|source| FirstStartError::Bind { address: listen.to_owned(), source })?;
    let port = bound.local_addr().map(|at| at.port()).unwrap_or_default();
    let wrong = |error: &dyn std::error::Error| FirstStartError::Certificate(crate::error_chain(error));
    let key = KeyPair::generate().map_err(|error| wrong(&error))?;
    let made = CertificateParams::new(vec![crate::init::SERVER_NAME.to_owned()])
        .and_then(|params| params.self_signed(&key))
        .map_err(|error| wrong(&error))?;
    let pem = made.pem();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| wrong(&error))?;
    let tls = acceptor(&pem, &key.serialize_pem()).map_err(FirstStartError::Certificate)?;
    let code = Code::make()?;
    let done = CancellationToken::new();
    let page = FirstStart::new(home.clone(), listen, clock.clone(), code.hash()?, done.clone());
    let shown = Hash::of(&der).to_hex();
    let screen = tokio::spawn(async move {
        let at = address(port, || println!("{NO_ADDRESS}")).await;
        println!("{}", screen(&at, &shown, &code));
    });
    let ended = done.clone();
    tokio::spawn(async move {
        crate::system::asked_to_stop().await;
        ended.cancel();
    });
    listener::serve(bound, tls, router(page), done).await;
    screen.abort();
    Ok(())
}

/// `https://192.168.1.20:7444`, as soon as the network gave an address; `told` is called once if that takes long.
async fn address(port: u16, told: impl FnOnce()) -> String {
    let until = tokio::time::Instant::now() + ADDRESS_WITHIN;
    let mut told = Some(told);
    loop {
        if let Some(at) = towards_outside().or_else(of_a_cable) {
            return format!("https://{at}:{port}");
        }
        if tokio::time::Instant::now() >= until
            && let Some(told) = told.take()
        {
            told();
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Connecting such a socket sends nothing: it asks the kernel from which address it would. None where no router is known.
fn towards_outside() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).ok().map(|at| at.ip())
}

/// In a network without a router: the first address that others there reach; the one that nobody gave last.
fn of_a_cable() -> Option<IpAddr> {
    let networks = Networks::new_with_refreshed_list().ok()?;
    let all = networks.values().flat_map(|network| network.ip_networks()).map(|at| at.addr);
    let mut reached: Vec<Ipv4Addr> = all
        .filter_map(|at| if let IpAddr::V4(at) = at { Some(at) } else { None })
        .filter(|at| !at.is_loopback())
        .collect();
    reached.sort_by_key(Ipv4Addr::is_link_local);
    reached.first().copied().map(IpAddr::V4)
}

/// What the box's own screen shows. The code is not in the picture, so that no browser's history keeps it.
fn screen(address: &str, fingerprint: &str, code: &Code) -> String {
    let picture = qrcode::QrCode::new(address.as_bytes())
        .map(|code| code.render::<qrcode::render::unicode::Dense1x2>().quiet_zone(true).build());
    let fingerprint: Vec<_> = fingerprint.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    let (first, second) = fingerprint.split_at(fingerprint.len() / 2);
    format!(
        "\n{}\nNeed-to-Know, first start. Open with a browser in this network:\n\n    {address}\n\n\
         The browser warns, because nobody vouches for a new box. Look at the certificate there: its SHA-256\n\
         fingerprint must be this one, or somebody stands between:\n\n    {}\n    {}\n\n\
         Then type this code:    {}\n\n\
         After {TRIES_MAX} wrong codes switch the box off and on: it shows another one.",
        picture.unwrap_or_default(),
        first.join(" ").to_uppercase(),
        second.join(" ").to_uppercase(),
        code.reveal(),
    )
}

/// The link with which the first manager sets up the console; the collector's next start makes no other.
async fn link(home: Home, origin: &str, clock: Clock) -> Result<Option<String>, AppError> {
    let opened = tokio::task::spawn_blocking({
        let home = home.clone();
        move || Working::start(home, clock)
    });
    let Ok(working) = opened.await else { return Ok(None) };
    let working = working?;
    // Where none can be made, the collector's start makes one and shows it on the box's screen.
    let link = set_up_link(&working.app, origin).await.ok().flatten();
    let _ = tokio::task::spawn_blocking(move || working.stop()).await;
    if link.is_some() {
        hand_over(&home).map_err(crate::practice::PracticeError::from)?;
    }
    Ok(link)
}

/// Whether the tz database knows it.
fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}
