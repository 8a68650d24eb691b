//! Who runs the place where a mail ends up: whoever administers it can read it, hold it back or delete it.
//!
//! Pure: what names resolve to comes in. What is compared: names of enrolled machines, and addresses of the inside.
//! MX records are not looked up, because the system's resolver gives none to programs, and the sentences say so.

use std::net::IpAddr;

/// A place of mail, as it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it is there for, in words: `the address mary@example.net`.
    pub what: String,
    /// Host or domain.
    pub host: String,
    /// What the host, and `mail.` before it, resolve to; empty where nothing answered.
    pub addresses: Vec<IpAddr>,
}

/// Warnings, one sentence each; `machines` are the names of enrolled machines.
pub fn warnings(places: &[Place], machines: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for Place { what, host, addresses } in places {
        let first = host.split('.').next().unwrap_or_default();
        let enrolled = machines.iter().find(|name| name.as_str() == first || host.eq_ignore_ascii_case(name));
        let inside = addresses.iter().find(|address| is_inside(address));
        let why = match (enrolled, inside) {
            (Some(name), _) => format!("`{host}` has the name of the enrolled machine {name}"),
            (None, Some(address)) => format!("`{host}` is {address}, an address inside the practice"),
            (None, None) => continue,
        };
        found.push(format!(
            "{what}: {why}. Whoever administers the practice’s computers could read or hold back what is sent there. Give an address that they do not run, or record that this was decided: ntk-collector mail decline --because TEXT."
        ));
    }
    found
}

/// What was not looked at, in one sentence.
pub const NOT_CHECKED: &str = "Compared were the domains, the hosts named mail. in them, and the mail server; not compared were their MX records, a forward at the provider, and who has the password there. Ask whoever set the address up.";

/// Addresses of the inside: loopback, private, link-local, unique local.
const fn is_inside(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_inside_the_practice_is_named_with_what_to_do_and_one_outside_is_not() {
        let place = |host: &str, address: &str| Place {
            what: "The address mary@example.net".into(),
            host: host.into(),
            addresses: address.parse().into_iter().collect(),
        };
        let places = [
            place("maple.example", "192.168.1.5"),
            place("ws-01.maple.example", "203.0.113.9"),
            place("example.net", "203.0.113.9"),
            place("gone.example", ""),
            place("v6.example", "fd00::1"),
        ];
        let found = warnings(&places, &["ws-01".to_owned()]);
        assert_eq!(found.len(), 3, "{found:?}");
        for (said, part) in found.iter().zip(["192.168.1.5", "enrolled machine ws-01", "fd00::1"]) {
            assert!(said.contains(part) && said.contains("mail decline"), "{said}");
        }
    }
}
