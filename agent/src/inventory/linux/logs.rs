//! When keys and accounts were last used, as far as the machine's own logs say: the ends of auth.log and wtmp.
//!
//! Logs are rotated and can be written by root: a missing time means nothing, and none of this is evidence of a login.

use std::collections::BTreeMap;

use ntk_evidence::time::Moment;

use crate::inventory::root::Root;

/// Bytes at the end of each log that are read.
const TAIL_BYTES: u64 = 4 << 20;
const LOGS: &[&str] = &["/var/log/auth.log.1", "/var/log/auth.log", "/var/log/secure"];
const WTMP: &[&str] = &["/var/log/wtmp.1", "/var/log/wtmp"];
/// utmp(5) on 64-bit Linux.
const RECORD_BYTES: usize = 384;
const USER_PROCESS: i16 = 7;
const DAY_S: i64 = 86_400;

/// Times in RFC 3339 by key fingerprint and by account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LastUsed {
    /// By `SHA256:...`.
    pub(super) keys: BTreeMap<String, String>,
    /// By account.
    pub(super) accounts: BTreeMap<String, String>,
}

impl LastUsed {
    /// Reads the logs; `now` gives the year to lines that have none.
    pub(super) fn read(root: &Root, now: Moment) -> Self {
        let mut found = Self::default();
        for log in LOGS {
            let tail = root.tail(log, TAIL_BYTES).unwrap_or_default();
            String::from_utf8_lossy(&tail).lines().for_each(|line| found.line(line, now));
        }
        for log in WTMP {
            for (account, at) in logins(&root.tail(log, TAIL_BYTES).unwrap_or_default()) {
                found.accounts.insert(account, at);
            }
        }
        found
    }

    fn line(&mut self, line: &str, now: Moment) {
        let Some((head, accepted)) = line.split_once("Accepted publickey for ") else { return };
        let fingerprint = accepted.split_whitespace().find(|word| word.starts_with("SHA256:"));
        let Some((fingerprint, at)) = fingerprint.zip(time(head, now)) else { return };
        self.keys.insert(fingerprint.to_owned(), at);
    }
}

/// The time at the beginning of a line: RFC 3339, or `Nov  3 07:12:00` without a year, in the machine's own zone, which
/// is taken for UTC.
fn time(head: &str, now: Moment) -> Option<String> {
    let first = head.split_whitespace().next()?;
    if let Some(moment) = Moment::parse(first) {
        return Some(moment.to_rfc3339(0));
    }
    let mut words = head.split_whitespace();
    let (month, day, clock) = (words.next()?, words.next()?, words.next()?);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| *name == month)?.checked_add(1)?;
    let day: u32 = day.parse().ok()?;
    let year: i64 = now.to_rfc3339(0).get(..4)?.parse().ok()?;
    let at = |year: i64| Moment::parse(&format!("{year:04}-{month:02}-{day:02}T{clock}Z"));
    // A day in the future was last year's.
    let latest = now.unix_nanos().saturating_add(DAY_S.saturating_mul(1_000_000_000));
    let this_year = at(year)?;
    let moment = if this_year.unix_nanos() > latest { at(year.saturating_sub(1))? } else { this_year };
    Some(moment.to_rfc3339(0))
}

/// Account and time of every login that wtmp tells of, in its order.
fn logins(bytes: &[u8]) -> Vec<(String, String)> {
    // The tail may begin within a record; whole files are a multiple of one.
    let skip = bytes.len().checked_rem(RECORD_BYTES).unwrap_or_default();
    let records = bytes.get(skip..).unwrap_or_default().chunks_exact(RECORD_BYTES);
    records.filter_map(login).collect()
}

fn login(record: &[u8]) -> Option<(String, String)> {
    let (kind, _) = record.split_first_chunk::<2>()?;
    let user = record.get(44..76)?.split(|byte| *byte == 0).next()?;
    let (seconds, _) = record.get(340..344)?.split_first_chunk::<4>()?;
    let name = std::str::from_utf8(user).ok().filter(|name| !name.is_empty())?;
    let at = Moment::from_unix_seconds(i64::from(u32::from_le_bytes(*seconds)))?;
    (i16::from_le_bytes(*kind) == USER_PROCESS).then(|| (name.to_owned(), at.to_rfc3339(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_of_time_are_read_and_a_day_to_come_was_last_years() {
        let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
        let mut found = LastUsed::default();
        for line in [
            "2026-11-20T08:00:00.123456+01:00 ws sshd[1]: Accepted publickey for bea from 10.0.0.1 port 5 ssh2: ED25519 SHA256:aaa",
            "Nov  3 07:12:00 ws sshd[1]: Accepted publickey for sam from ::1 port 5 ssh2: RSA SHA256:bbb",
            "Dec 24 07:12:00 ws sshd[1]: Accepted publickey for sam from ::1 port 5 ssh2: RSA SHA256:ccc",
            "Nov  4 07:12:00 ws sshd[1]: Accepted password for sam from ::1 port 5 ssh2",
            "garbage Accepted publickey for x SHA256:ddd",
        ] {
            found.line(line, now);
        }
        let keys: Vec<_> = found.keys.iter().map(|(key, at)| format!("{key} {at}")).collect();
        assert_eq!(
            keys,
            [
                "SHA256:aaa 2026-11-20T07:00:00Z",
                "SHA256:bbb 2026-11-03T07:12:00Z",
                "SHA256:ccc 2025-12-24T07:12:00Z"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..1200), line in ".{0,120}") {
            let _ = logins(&bytes);
            let now = Moment::parse("2026-11-27T12:00:00Z").unwrap();
            LastUsed::default().line(&format!("{line}Accepted publickey for a SHA256:x"), now);
        }
    }
}
