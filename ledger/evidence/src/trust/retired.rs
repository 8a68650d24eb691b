//! Recovery keys before the one in force: which one was replaced, when, and why.
//!
//! ```text
//! retired <RFC 3339> <age recipient> <why, one line>
//! ```
//! The practice key says it by signing the trust file; nothing else vouches for a recipient. The next recovery key is the
//! recipient of the line below, and behind the last line the one in `recovery`. No recipient comes back.
//!
//! Whoever encrypts takes `recovery` and nothing else. The lines are for whoever decrypts, for what was encrypted before
//! stays so; and so that nobody is led back to a key that was seen by somebody else: whoever holds a trust file takes none
//! in which the recovery key is another one without a line ([`TrustFile::recovery_leads_from`]).

use std::fmt;

use super::TrustFile;
use super::line::{are_in_order, is_reason};
use crate::time::Moment;

/// The most replaced recovery keys that a trust file names.
pub const RETIRED_MAX: usize = 16;

/// A recovery key in the place of which another one came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// When, RFC 3339.
    pub made: String,
    /// Its public half, `age1...`.
    pub recipient: String,
    /// Why, in one line of at most [`REASON_BYTES_MAX`](super::line::REASON_BYTES_MAX) bytes.
    pub why: String,
}

/// Lines that name no replaced recovery key; what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recovery key that was replaced has no valid {0}")]
pub struct NotRetired(pub &'static str);

impl Retired {
    /// Reads what stands behind `retired `.
    pub fn parse(text: &str) -> Result<Self, NotRetired> {
        let mut words = text.splitn(3, ' ');
        let mut word = |name| words.next().map(str::to_owned).ok_or(NotRetired(name));
        let retired = Self { made: word("time")?, recipient: word("recipient")?, why: word("reason")? };
        retired.check()?;
        Ok(retired)
    }

    fn check(&self) -> Result<(), NotRetired> {
        if Moment::parse(&self.made).is_none() {
            return Err(NotRetired("time"));
        }
        if !is_recipient(&self.recipient) {
            return Err(NotRetired("recipient"));
        }
        if !is_reason(&self.why) {
            return Err(NotRetired("reason"));
        }
        Ok(())
    }
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, recipient, why } = self;
        write!(f, "{made} {recipient} {why}")
    }
}

impl TrustFile {
    /// Names another recovery key, to which everything is encrypted from then on.
    pub fn replace_recovery(&mut self, next: &str, made: &str, why: &str) -> Result<(), NotRetired> {
        let retired =
            Retired { made: made.to_owned(), recipient: self.recovery.clone(), why: why.to_owned() };
        retired.check()?;
        self.retired.push(retired);
        (self.recovery, self.made) = (next.to_owned(), made.to_owned());
        Ok(())
    }

    /// Whether the recovery key is the one of `held`, or this file says line by line how another one took its place.
    pub fn recovery_leads_from(&self, held: &Self) -> bool {
        let Some((known, new)) = self.retired.split_at_checked(held.retired.len()) else { return false };
        let next = new.first().map_or(&self.recovery, |first| &first.recipient);
        known == held.retired && *next == held.recovery
    }
}

/// Lines stand in the order of their times, and no recipient comes back.
pub(super) fn follow_each_other(
    retired: &[Retired],
    (made, recovery): (&str, &str),
) -> Result<(), NotRetired> {
    if retired.is_empty() {
        return Ok(());
    }
    if retired.len() > RETIRED_MAX {
        return Err(NotRetired("number of lines"));
    }
    let times = retired.iter().map(|one| one.made.as_str()).chain([made]);
    if !are_in_order(times) {
        return Err(NotRetired("time"));
    }
    let mut recipients: Vec<&str> =
        retired.iter().map(|one| one.recipient.as_str()).chain([recovery]).collect();
    let n_recipients = recipients.len();
    recipients.sort_unstable();
    recipients.dedup();
    if recipients.len() == n_recipients { Ok(()) } else { Err(NotRetired("new recipient")) }
}

/// The replaced keys in sentences for a review; nothing where the first one is in force.
pub fn in_words(retired: &[Retired], recovery: &str) -> String {
    let next = retired.iter().skip(1).map(|one| one.recipient.as_str()).chain([recovery]);
    let sentences = retired.iter().zip(next).map(|(Retired { made, recipient, why }, next)| {
        format!(
            "On {made} the recovery key {recipient} was replaced by {next} ({why}); what was encrypted to it before stays readable with it."
        )
    });
    sentences.collect::<Vec<_>>().join(" ")
}

/// The form of an X25519 recipient of age: `age1` and 58 characters of Bech32. Its checksum is age's to check.
pub(super) fn is_recipient(text: &str) -> bool {
    text.len() == 62
        && text.starts_with("age1")
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::TrustError;
    use crate::trust::tests::example;
    use expect_test::expect;

    fn recipient(letter: char) -> String {
        format!("age1{}", letter.to_string().repeat(58))
    }

    /// A trust file after the recovery keys of these letters came one after the other.
    fn after(letters: &[char]) -> TrustFile {
        let (mut trust, _) = example();
        for (hour, letter) in (10..).zip(letters) {
            let made = format!("2026-11-23T{hour}:00:00Z");
            trust.replace_recovery(&recipient(*letter), &made, "the stick was lost").unwrap();
        }
        trust
    }

    fn parse(trust: &TrustFile) -> Result<TrustFile, TrustError> {
        TrustFile::parse(trust.sign(&example().1).unwrap().as_bytes())
    }

    #[test]
    fn a_replaced_recovery_key_reads_back_and_every_changed_byte_is_refused() {
        let trust = after(&['w', 'x']);
        let signed = trust.sign(&example().1).unwrap();
        assert_eq!(TrustFile::parse(signed.as_bytes()), Ok(trust.clone()));
        for at in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(TrustFile::parse(&bytes).is_err(), "byte {at}");
        }
        let lines: Vec<&str> = signed.lines().filter(|line| line.starts_with("ret")).collect();
        expect![[r#"
            retired 2026-11-23T10:00:00Z age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq the stick was lost
            retired 2026-11-23T11:00:00Z age1wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww the stick was lost"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!(trust.recovery, recipient('x'));
        let said = in_words(&trust.retired, &trust.recovery);
        assert!(said.matches("was replaced by").count() == 2 && said.contains(&recipient('x')), "{said}");
        assert_eq!(in_words(&[], "age1"), "");
    }

    #[test]
    fn a_key_that_comes_back_a_time_that_runs_back_and_a_line_out_of_form_are_refused_though_signed() {
        let refused = |change: &dyn Fn(&mut TrustFile)| {
            let mut changed = after(&['w', 'x']);
            change(&mut changed);
            assert!(parse(&changed).is_err());
        };
        refused(&|trust| trust.recovery = recipient('q'));
        refused(&|trust| trust.retired[1].recipient = recipient('x'));
        refused(&|trust| trust.retired.swap(0, 1));
        refused(&|trust| trust.made = "2026-11-22T15:00:00Z".into());
        refused(&|trust| trust.retired[0].made = "yesterday".into());
        refused(&|trust| trust.retired[0].recipient = "age1short".into());
        refused(&|trust| trust.retired[0].why = String::new());
        refused(&|trust| trust.retired[0].why = "a\nretired b".into());
        refused(&|trust| trust.retired[0].why = "x".repeat(301));
        let letters: Vec<char> = ('a'..='z').filter(|letter| *letter != 'q').collect();
        let many = |n: usize| {
            let mut trust = example().0;
            for letter in &letters[..n] {
                trust.replace_recovery(&recipient(*letter), "2026-11-23T10:00:00Z", "again").unwrap();
            }
            parse(&trust)
        };
        assert!(many(16).is_ok() && many(17).is_err());
        let mut trust = example().0;
        for why in ["", " because", "a\nsucceeded b", "b\u{202e}"] {
            assert!(trust.replace_recovery(&recipient('w'), "2026-11-23T16:00:00Z", why).is_err(), "{why:?}");
        }
        assert!(trust.replace_recovery(&recipient('w'), "yesterday", "a reason").is_err());
        assert_eq!(trust, example().0);
    }

    #[test]
    fn nobody_is_led_to_another_recovery_key_without_a_line_nor_back_to_one_that_was_replaced() {
        let (first, second, third) = (after(&[]), after(&['w']), after(&['w', 'x']));
        assert!(second.recovery_leads_from(&first) && third.recovery_leads_from(&first));
        assert!(third.recovery_leads_from(&second) && third.recovery_leads_from(&third));
        assert!(!first.recovery_leads_from(&second) && !second.recovery_leads_from(&third), "the way back");
        let silent = TrustFile { recovery: recipient('w'), ..first.clone() };
        assert!(!silent.recovery_leads_from(&first), "another key without a word");
        let aside = after(&['w', 'z']);
        assert!(aside.recovery_leads_from(&second) && !aside.recovery_leads_from(&third));
        assert!(!after(&['y']).recovery_leads_from(&second));
        assert!(third.leads_from(&first) && third.since(&first) == Some(&[][..]), "no practice key, no log");
    }
}
