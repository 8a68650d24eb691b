//! Asks DNS where names lead to: addresses of hosts, and who takes a domain's mail (MX records).
//!
//! Only here is hickory spoken (AR-1): the system's resolver has no call for MX records. What a name server says is a
//! stranger's text: it becomes names and addresses, or it counts as not looked up. Everything together has one deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::place::{Place, Served, Server};

/// So long all questions about one set of places may take.
pub const WITHIN: Duration = Duration::from_secs(5);
/// The most mail servers of one domain that are looked at.
const SERVERS_MAX: usize = 10;
/// One question may take this part of the time: a datagram that was lost is sent again, and there is time for what follows.
const PART: u32 = 4;

/// Who is asked.
#[derive(Clone, Debug, Default)]
pub enum Names {
    /// What this machine asks itself: its resolver for addresses, its name servers for MX records.
    #[default]
    OfThisMachine,
    /// These name servers, for everything.
    At(Vec<SocketAddr>),
}

/// Whether a part of this program that logs under `target` repeats names of questions and answers (PR-1).
pub fn tells_names(target: &str) -> bool {
    target.starts_with("hickory_")
}

/// What was looked at last. Pages ask each time they are opened, and a name server that is gone would hold up each of them.
#[derive(Clone, Debug, Default)]
pub struct LookedUp(Arc<Mutex<Option<Kept>>>);

#[derive(Debug)]
struct Kept {
    at: Instant,
    asked: Vec<Place>,
    found: Vec<Place>,
}

/// So long an answer is given again.
const FRESH: Duration = Duration::from_secs(60);

impl LookedUp {
    /// [`look_at`], or what it came to for the same places a moment ago. Two who ask at once ask once.
    pub async fn places(&self, names: &Names, asked: Vec<Place>) -> Vec<Place> {
        let mut kept = self.0.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.at.elapsed() < FRESH && kept.asked == asked) {
            return kept.found.clone();
        }
        let found = look_at(names, asked.clone(), WITHIN).await;
        *kept = Some(Kept { at: Instant::now(), asked, found: found.clone() });
        found
    }
}

/// Looks at places, each name once. What did not answer within the time stays open and is marked.
pub async fn look_at(names: &Names, mut places: Vec<Place>, within: Duration) -> Vec<Place> {
    let deadline = Instant::now() + within;
    let domains: BTreeSet<String> = places.iter().filter(|place| place.is_domain).map(domain).collect();
    let wanted: BTreeSet<String> = places.iter().flat_map(hosts).collect();
    let resolver = timeout_at(deadline, names.resolver(within)).await.ok().flatten();

    let mut asked = JoinSet::new();
    for host in wanted {
        let resolver = resolver.clone();
        let by_system = matches!(names, Names::OfThisMachine);
        asked.spawn(async move {
            let found = match resolver {
                _ if by_system => timeout_at(deadline, by_the_system(host.clone())).await.ok(),
                Some(resolver) => Some(addresses(&resolver, &host, deadline).await.0),
                None => None,
            };
            (host, found)
        });
    }
    let mut mail = JoinSet::new();
    for domain in domains {
        let resolver = resolver.clone();
        mail.spawn(async move {
            let served = match resolver {
                // The domain of `mary@[192.0.2.1]` is an address, of which DNS knows nothing.
                _ if domain.parse::<IpAddr>().is_ok() => Served::default(),
                Some(resolver) => served(&resolver, &domain, deadline).await,
                None => Served { is_partial: true, ..Served::default() },
            };
            (domain, served)
        });
    }
    // Each ends by the deadline.
    let found: BTreeMap<_, _> = ended(asked).await.into_iter().collect();
    let mail: BTreeMap<_, _> = ended(mail).await.into_iter().collect();

    for place in &mut places {
        let answers: Vec<_> = hosts(place).iter().map(|host| found.get(host).cloned().flatten()).collect();
        place.is_late = answers.iter().any(Option::is_none);
        place.addresses = answers.into_iter().flatten().flatten().collect();
        if place.is_domain {
            let open = || Served { is_partial: true, ..Served::default() };
            place.served = mail.get(&domain(place)).cloned().unwrap_or_else(open);
        }
    }
    places
}

/// What tasks came to. One that panicked leaves its question open and takes nobody along.
async fn ended<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        found.extend(ended.ok());
    }
    found
}

/// The place's domain; of an address in brackets, the address.
fn domain(place: &Place) -> String {
    place.host.trim_matches(['[', ']']).to_owned()
}

/// Of which names the addresses count.
fn hosts(place: &Place) -> Vec<String> {
    let host = domain(place);
    if host.parse::<IpAddr>().is_ok() { vec![host] } else { vec![host.clone(), format!("mail.{host}")] }
}

impl Names {
    /// Asks name servers; none where this machine has none.
    async fn resolver(&self, within: Duration) -> Option<TokioResolver> {
        let provider = TokioRuntimeProvider::default();
        let mut builder = match self {
            // It reads a file.
            Self::OfThisMachine => {
                tokio::task::spawn_blocking(TokioResolver::builder_tokio).await.ok()?.ok()?
            }
            Self::At(servers) => {
                let servers = servers.iter().map(server).collect();
                TokioResolver::builder_with_config(ResolverConfig::from_name_servers(servers), provider)
            }
        };
        let options = builder.options_mut();
        options.timeout = within / PART;
        options.use_hosts_file = ResolveHosts::Never;
        // What the rest of the world sees of a domain has no suffix of this machine's.
        options.ndots = 0;
        builder.build().ok()
    }
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut server.connections {
        connection.port = at.port();
    }
    server
}

/// What this machine itself would connect to; nothing where it finds nothing.
async fn by_the_system(host: String) -> Vec<IpAddr> {
    let found = tokio::task::spawn_blocking(move || (host.as_str(), 25u16).to_socket_addrs());
    let found = found.await.ok().and_then(Result::ok);
    found.into_iter().flatten().map(|address| address.ip()).collect()
}

/// Who takes a domain's mail.
async fn served(resolver: &TokioResolver, domain: &str, deadline: Instant) -> Served {
    let (answers, is_whole) = ask(resolver, domain, RecordType::MX, deadline).await;
    let mut records: Vec<(u16, String)> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            // Printed with what is no letter written out.
            RData::MX(mx) => Some((mx.preference, mx.exchange.to_ascii())),
            _ => None,
        })
        .map(|(preference, name)| (preference, name.trim_end_matches('.').to_ascii_lowercase()))
        .collect();
    records.sort();
    let takes_none = !records.is_empty() && records.iter().all(|(_, name)| name.is_empty());
    let mut seen = BTreeSet::new();
    let mut servers: Vec<String> = records.into_iter().map(|(_, name)| name).collect();
    servers.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    let is_whole = is_whole && servers.len() <= SERVERS_MAX;
    servers.truncate(SERVERS_MAX);

    let n = servers.len();
    let mut asked = JoinSet::new();
    for (at, name) in servers.into_iter().enumerate() {
        let resolver = resolver.clone();
        asked.spawn(async move {
            let (addresses, is_whole) = addresses(&resolver, &name, deadline).await;
            (at, is_whole, Server { name, addresses })
        });
    }
    let mut by = ended(asked).await;
    by.sort_by_key(|(at, _, _)| *at);
    let is_partial = !is_whole || by.len() < n || by.iter().any(|(_, is_whole, _)| !is_whole);
    Served { by: by.into_iter().map(|(_, _, server)| server).collect(), takes_none, is_partial }
}

/// Addresses that DNS has of a host, and whether both questions were answered.
async fn addresses(resolver: &TokioResolver, host: &str, deadline: Instant) -> (Vec<IpAddr>, bool) {
    if let Ok(address) = host.parse() {
        return (vec![address], true);
    }
    let (four, six) = tokio::join!(
        ask(resolver, host, RecordType::A, deadline),
        ask(resolver, host, RecordType::AAAA, deadline)
    );
    let is_whole = four.1 && six.1;
    let address = |answer| match answer {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    (four.0.into_iter().chain(six.0).filter_map(address).collect(), is_whole)
}

/// One question: what was answered, and whether it was. That there is nothing is an answer, too; that the domain of an
/// address does not exist is none: a name server that knows the inside only says so of everybody.
async fn ask(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
    deadline: Instant,
) -> (Vec<RData>, bool) {
    let Ok(mut name) = Name::from_ascii(name) else { return (Vec::new(), false) };
    // No suffix of this machine's behind it.
    name.set_fqdn(true);
    match timeout_at(deadline, resolver.lookup(name, kind)).await {
        Ok(Ok(found)) => {
            let answers: Vec<_> = found.answers().iter().map(|record| record.data.clone()).collect();
            let is_answered = !answers.is_empty();
            (answers, is_answered)
        }
        Ok(Err(error)) => {
            let is_unknown = kind == RecordType::MX && error.is_nx_domain();
            (Vec::new(), error.is_no_records_found() && !is_unknown)
        }
        Err(_late) => (Vec::new(), false),
    }
}

#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
