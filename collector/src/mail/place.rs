//! Who runs the place where a mail ends up: whoever administers it can read it, hold it back or delete it.
//!
//! Pure: what names lead to comes in, from [`super::lookup`]. What is compared: names of enrolled machines, and addresses of
//! the inside.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// A place of mail, as it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What it is there for, in words: `the address mary@example.net`.
    pub what: String,
    /// Host or domain.
    pub host: String,
    /// Whether it is the domain of an address, so that its mail servers count.
    pub is_domain: bool,
    /// What the host, and `mail.` before it, resolve to; empty where nothing answered.
    pub addresses: Vec<IpAddr>,
    /// Not every name was answered in time.
    pub is_late: bool,
    /// Who takes its mail.
    pub served: Served,
}

/// Who takes a domain's mail, by its MX records. Without any it is the domain itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Mail servers, the preferred ones first.
    pub by: Vec<Server>,
    /// The domain says that it takes no mail (RFC 7505).
    pub takes_none: bool,
    /// Not everything could be looked up.
    pub is_partial: bool,
}

/// One mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// What the name resolves to.
    pub addresses: Vec<IpAddr>,
}

impl Place {
    /// A host, not looked at yet.
    pub fn of(what: impl Into<String>, host: &str) -> Self {
        Self { what: what.into(), host: host.to_owned(), ..Self::default() }
    }

    /// The domain of an address, not looked at yet.
    pub fn of_mail(what: impl Into<String>, domain: &str) -> Self {
        Self { is_domain: true, ..Self::of(what, domain) }
    }
}

/// Warnings, one sentence each; `machines` are the names of enrolled machines.
pub fn warnings(places: &[Place], machines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for Place { what, host, addresses, served, .. } in places {
        let own = inside(host, addresses, machines).map(|why| format!("`{host}` {why}"));
        let other = served.by.iter().filter(|server| !server.name.eq_ignore_ascii_case(host));
        let other = other.filter_map(|server| {
            let why = inside(&server.name, &server.addresses, machines)?;
            Some(format!("the mail of `{host}` is served by `{}`, which {why}", server.name))
        });
        // One server is enough to say it.
        found.extend(own.into_iter().chain(other.take(1)).map(|why| format!(
            "{what}: {why}. Whoever administers the practice’s computers could read or hold back what is sent there. Give an address that they do not run, or record that this was decided: ntk-collector mail decline --because TEXT."
        )));
        if served.takes_none {
            found.push(format!(
                "{what}: `{host}` says in DNS that it takes no mail (a null MX record), so nothing that is sent there arrives. Give an address at a domain that takes mail."
            ));
        }
    }
    found
}

/// Why a host is one of the inside, if it is.
fn inside(host: &str, addresses: &[IpAddr], machines: &[String]) -> Option<String> {
    let first = host.split('.').next().unwrap_or_default();
    let is_named = |name: &&String| name.eq_ignore_ascii_case(first) || name.eq_ignore_ascii_case(host);
    if let Some(name) = machines.iter().find(is_named) {
        return Some(format!("has the name of the enrolled machine {name}"));
    }
    let address = addresses.iter().find(|address| is_inside(address))?;
    Some(format!("is {address}, an address inside the practice"))
}

/// What was not looked at, in a few sentences.
pub fn not_checked(places: &[Place]) -> String {
    let mut said = "Compared were the domains, the hosts named mail. in them, the mail servers that their MX records name, as far as this machine’s name server tells them, and the server that mails are handed to; not compared were a forward at the provider, and who has the password there. Ask whoever set the address up.".to_owned();
    let names = |is_open: fn(&Place) -> bool| {
        let hosts: BTreeSet<&str> =
            places.iter().filter(|place| is_open(place)).map(|place| place.host.as_str()).collect();
        (!hosts.is_empty()).then(|| hosts.into_iter().collect::<Vec<_>>().join(", "))
    };
    if let Some(names) = names(|place| place.served.is_partial) {
        said.push_str(&format!(" The mail servers of {names} could not all be looked up now."));
    }
    if let Some(names) = names(|place| place.is_late) {
        said.push_str(&format!(" The addresses of {names} could not all be looked up in time."));
    }
    said
}

/// Addresses of the inside: loopback, private, link-local, unique local.
const fn is_inside(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "The address mary@example.net";

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split_whitespace().map(|address| address.parse().unwrap()).collect()
    }

    fn served(domain: &str, by: &[(&str, &str)]) -> Place {
        let by = by.iter().map(|(name, at)| Server { name: (*name).to_owned(), addresses: addresses(at) });
        let served = Served { by: by.collect(), ..Served::default() };
        Place { served, ..Place::of_mail(WHAT, domain) }
    }

    #[test]
    fn a_place_inside_the_practice_is_named_with_what_to_do_and_one_outside_is_not() {
        let place = |host: &str, at: &str| Place { addresses: addresses(at), ..Place::of(WHAT, host) };
        let places = [
            place("maple.example", "192.168.1.5"),
            place("WS-01.maple.example", "203.0.113.9"),
            place("example.net", "203.0.113.9"),
            place("gone.example", ""),
            place("v6.example", "fd00::1"),
            place("mapped.example", "::ffff:10.0.0.4"),
        ];
        let found = warnings(&places, &["ws-01".to_owned()]);
        assert_eq!(found.len(), 4, "{found:?}");
        for (said, part) in found.iter().zip(["192.168.1.5", "enrolled machine ws-01", "fd00::1", "10.0.0.4"])
        {
            assert!(said.contains(part) && said.contains("mail decline"), "{said}");
        }
    }

    #[test]
    fn mail_that_is_served_inside_is_named_once_a_domain_and_mail_outside_is_not() {
        let places = [
            served(
                "maple.example",
                &[("mx.maple.example", "203.0.113.9 192.168.1.5"), ("mx2.maple.example", "10.0.0.2")],
            ),
            served("oak.example", &[("ws-01.oak.example", "")]),
            served("example.net", &[("mx.example.net", "203.0.113.9 2001:db8::9"), ("gone.example.net", "")]),
        ];
        let found = warnings(&places, &["ws-01".to_owned()]);
        assert_eq!(found.len(), 2, "{found:?}");
        for (said, part) in found.iter().zip([
            "the mail of `maple.example` is served by `mx.maple.example`, which is 192.168.1.5, an address inside the practice.",
            "the mail of `oak.example` is served by `ws-01.oak.example`, which has the name of the enrolled machine ws-01.",
        ]) {
            assert!(said.contains(part) && said.contains("mail decline"), "{said}");
        }
        // The domain serves itself: said once.
        let mut itself = served("elm.example", &[("Elm.Example", "10.0.0.3")]);
        itself.addresses = addresses("10.0.0.3");
        assert_eq!(warnings(&[itself], &[]).len(), 1);
    }

    #[test]
    fn a_domain_that_takes_no_mail_is_said() {
        let mut place = served("example.net", &[]);
        assert!(
            warnings(std::slice::from_ref(&place), &[]).is_empty(),
            "the twin: without records it serves itself"
        );
        place.served.takes_none = true;
        let found = warnings(&[place], &[]);
        assert!(matches!(&found[..], [said] if said.contains("takes no mail")), "{found:?}");
    }

    #[test]
    fn what_could_not_be_looked_up_is_named_once_beside_what_never_is() {
        let whole = served("example.net", &[]);
        let said = not_checked(std::slice::from_ref(&whole));
        assert!(said.contains("a forward at the provider") && !said.contains("example.net"), "{said}");
        let mut open = served("maple.example", &[]);
        open.served.is_partial = true;
        let late = Place { is_late: true, ..Place::of("The mail server", "smtp.maple.example") };
        let said = not_checked(&[open.clone(), whole, open, late]);
        assert!(said.contains("The mail servers of maple.example could not all be looked up now."), "{said}");
        assert!(
            said.ends_with("The addresses of smtp.maple.example could not all be looked up in time."),
            "{said}"
        );
    }
}
