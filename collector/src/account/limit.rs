//! How often an address may try something: a window, a bound on what is remembered.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Tries of one address.
const TRIES_MAX: usize = 40;
/// Over which time they count.
const WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// How many addresses are kept in mind; with more at once, new ones wait.
const ADDRESSES_MAX: usize = 2_000;

/// Tries by address.
#[derive(Debug, Default)]
pub struct Tries(Mutex<BTreeMap<IpAddr, VecDeque<Timestamp>>>);

impl Tries {
    /// Counts a try; false where there were too many.
    pub fn may(&self, from: IpAddr, now: Timestamp) -> bool {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Timestamp| now.duration_since(*at) < WITHIN;
        if tries.len() >= ADDRESSES_MAX {
            tries.retain(|_, times| times.back().is_some_and(is_recent));
        }
        let from = network(from);
        if tries.len() >= ADDRESSES_MAX && !tries.contains_key(&from) {
            return false;
        }
        let times = tries.entry(from).or_default();
        times.retain(is_recent);
        if times.len() >= TRIES_MAX {
            return false;
        }
        times.push_back(now);
        true
    }
}

/// One household has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_tries_and_no_more_and_strangers_cannot_fill_the_memory() {
        let at = |seconds: i64| Timestamp::from_second(1_795_000_000 + seconds).unwrap();
        let tries = Tries::default();
        let one: IpAddr = "fd00::1".parse().unwrap();
        let neighbour: IpAddr = "fd00::ffff:2".parse().unwrap();
        for _ in 0..TRIES_MAX {
            assert!(tries.may(one, at(0)));
        }
        assert!(!tries.may(one, at(1)) && !tries.may(neighbour, at(1)), "the same network");
        assert!(tries.may("10.0.0.1".parse().unwrap(), at(1)), "another address");
        assert!(tries.may(one, at(600)));
        for n in 0..5_000u32 {
            tries.may(IpAddr::V4(n.into()), at(601));
        }
        assert!(tries.0.lock().unwrap().len() <= ADDRESSES_MAX);
        assert!(!tries.may("9.9.9.9".parse().unwrap(), at(602)), "more than can be kept in mind");
        assert!(tries.may("9.9.9.9".parse().unwrap(), at(1_300)));
    }
}
