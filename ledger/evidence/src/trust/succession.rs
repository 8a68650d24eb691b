//! Who signed before: a practice key that was replaced, and how it said so itself.
//!
//! ```text
//! succeeded <RFC 3339> <former practice verifier key> <signature, base64> <why, one line>
//! ```
//! The former key signed the statement ([`Succession::statement`]), which names practice, time, both keys and the reason:
//!
//! ```text
//! <slug>/succession
//! made <RFC 3339>
//! former <verifier key>
//! next <verifier key>
//! why <one line>
//! ```
//! No trust file and no announcement begins with its first line: a signature over one is none over the other. The next key
//! is the former of the line below, and behind the last line the one that signs the trust file. The practice's name
//! belongs to the first key, and no key comes back.
//!
//! What this does not decide: a former key that was stolen can sign another next one. Whoever holds a trust file takes
//! none that leads elsewhere ([`super::TrustFile::leads_from`]), so what counts is which of the two came first.

use std::fmt;

use super::line::{are_in_order, is_reason};
use crate::hash::{base64, unbase64};
use crate::name::Slug;
use crate::note::{KeyType, NoteSigner, VerifierKey};
use crate::time::Moment;
use crate::words;

/// The most successions that a trust file names.
pub const SUCCEEDED_MAX: usize = 16;

/// A practice key that handed over to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// When, RFC 3339, as the former key says.
    pub made: String,
    /// The key that signed until then.
    pub former: VerifierKey,
    /// Its signature over the statement.
    pub signature: [u8; 64],
    /// Why, in one line of at most [`REASON_BYTES_MAX`](super::line::REASON_BYTES_MAX) bytes.
    pub why: String,
}

/// Lines that are no succession; what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a succession of the practice key has no valid {0}")]
pub struct NotSucceeded(pub &'static str);

impl Succession {
    /// Lets the former key name the next one.
    pub fn sign(
        slug: &Slug,
        former: &NoteSigner,
        next: &VerifierKey,
        made: &str,
        why: &str,
    ) -> Result<Self, NotSucceeded> {
        let mut succession = Self {
            made: made.to_owned(),
            former: former.verifier().clone(),
            signature: [0; 64],
            why: why.to_owned(),
        };
        succession.check()?;
        succession.signature = former.raw(succession.statement(slug, next).as_bytes());
        Ok(succession)
    }

    /// Reads what stands behind `succeeded `; its signature needs the next key, and is for [`founding`] to check.
    pub fn parse(text: &str, slug: &Slug) -> Result<Self, NotSucceeded> {
        let mut words = text.splitn(4, ' ');
        let mut word = |name| words.next().ok_or(NotSucceeded(name));
        let made = word("time")?.to_owned();
        let former = VerifierKey::parse(word("former key")?).map_err(|_| NotSucceeded("former key"))?;
        if former.name() != slug.practice_name() || former.key_type() != KeyType::Ed25519 {
            return Err(NotSucceeded("former key"));
        }
        let signature = unbase64(word("signature")?).and_then(|bytes| bytes.try_into().ok());
        let signature = signature.ok_or(NotSucceeded("signature"))?;
        let succession = Self { made, former, signature, why: word("reason")?.to_owned() };
        succession.check()?;
        // One text for one meaning.
        if succession.to_string() == text { Ok(succession) } else { Err(NotSucceeded("form")) }
    }

    /// What the former key signs.
    pub fn statement(&self, slug: &Slug, next: &VerifierKey) -> String {
        let Self { made, former, why, .. } = self;
        format!("{slug}/succession\nmade {made}\nformer {former}\nnext {next}\nwhy {why}\n")
    }

    fn check(&self) -> Result<(), NotSucceeded> {
        if Moment::parse(&self.made).is_none() {
            return Err(NotSucceeded("time"));
        }
        if !is_reason(&self.why) {
            return Err(NotSucceeded("reason"));
        }
        Ok(())
    }
}

impl fmt::Display for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { made, former, signature, why } = self;
        write!(f, "{made} {former} {} {why}", base64(signature))
    }
}

/// The key with which a practice began: each line verifies under the key that it names, in the order of their times, and no
/// key comes back.
pub fn founding<'a>(
    slug: &Slug,
    succeeded: &'a [Succession],
    newest: &'a VerifierKey,
    made: &str,
) -> Result<&'a VerifierKey, NotSucceeded> {
    let Some(first) = succeeded.first() else { return Ok(newest) };
    if succeeded.len() > SUCCEEDED_MAX {
        return Err(NotSucceeded("number of lines"));
    }
    let times = succeeded.iter().map(|one| one.made.as_str()).chain([made]);
    if !are_in_order(times) {
        return Err(NotSucceeded("time"));
    }
    let keys: Vec<&VerifierKey> = succeeded.iter().map(|one| &one.former).chain([newest]).collect();
    for (one, next) in succeeded.iter().zip(keys.iter().skip(1)) {
        if !one.former.verify_bytes(one.statement(slug, next).as_bytes(), &one.signature) {
            return Err(NotSucceeded("signature"));
        }
    }
    let mut bytes: Vec<&[u8; 32]> = keys.iter().map(|key| key.public_bytes()).collect();
    bytes.sort_unstable();
    bytes.dedup();
    if bytes.len() == keys.len() { Ok(&first.former) } else { Err(NotSucceeded("new key")) }
}

/// The chain in sentences for a review, a bundle and a verifier; nothing where the first key still signs.
pub fn in_words(succeeded: &[Succession], newest: &VerifierKey) -> String {
    let Some(first) = succeeded.first() else { return String::new() };
    let words = |key: &VerifierKey| words::of_key(key.public_bytes());
    let next = succeeded.iter().skip(1).map(|one| &one.former).chain([newest]);
    let links = succeeded.iter().zip(next);
    let links =
        links.map(|(one, next)| format!("On {} that key named {} ({}).", one.made, words(next), one.why));
    format!(
        "The practice began under the key {}. {} What the last of these keys signs counts now; each was named under the signature of the one before it.",
        words(&first.former),
        links.collect::<Vec<_>>().join(" "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::TrustError;
    use crate::trust::TrustFile;
    use crate::trust::tests::example;
    use expect_test::expect;

    /// A trust file after a chain of keys of these seeds, and the signer of the newest.
    fn after(seeds: &[u8]) -> (TrustFile, NoteSigner) {
        let (mut trust, mut held) = example();
        for seed in seeds {
            let next = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[*seed; 32]).unwrap();
            trust
                .hand_over(
                    &held,
                    &next,
                    &format!("2026-11-23T{:02}:{:02}:00Z", seed / 60, seed % 60),
                    "the manager changed",
                )
                .unwrap();
            held = next;
        }
        (trust, held)
    }

    fn parse(trust: &TrustFile, by: &NoteSigner) -> Result<TrustFile, TrustError> {
        TrustFile::parse(trust.sign(by).unwrap().as_bytes())
    }

    #[test]
    fn the_statement_names_practice_time_both_keys_and_the_reason() {
        let (trust, _) = after(&[31]);
        let text = trust.succeeded[0].statement(&trust.slug, &trust.practice_key);
        expect![[r#"
            maple-street.7599776c/succession
            made 2026-11-23T00:31:00Z
            former maple-street.7599776c/practice+b9d2dc97+AW56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx
            next maple-street.7599776c/practice+106df1f9+AUMEa/5AkrPpSZTq2hXcwg2Kqge2WP05VOuODvuL3KXe
            why the manager changed
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_chain_reads_back_under_the_founding_name_and_every_changed_byte_is_refused() {
        let (trust, newest) = after(&[31, 32]);
        let signed = trust.sign(&newest).unwrap();
        assert_eq!(TrustFile::parse(signed.as_bytes()), Ok(trust.clone()));
        for at in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(TrustFile::parse(&bytes).is_err(), "byte {at}");
        }
        let (founding, _) = example();
        assert_eq!(trust.founding_key(), &founding.practice_key);
        expect!["The practice began under the key intact slight swallow genre funny woman habit pen alpha void coffee filter. On 2026-11-23T00:31:00Z that key named butter you neck magnet milk liar wedding fiber net can found lizard (the manager changed). On 2026-11-23T00:32:00Z that key named ship loop alcohol machine cake cave merit spy sweet enrich bracket attend (the manager changed). What the last of these keys signs counts now; each was named under the signature of the one before it."].assert_eq(&in_words(&trust.succeeded, &trust.practice_key));
        assert_eq!(in_words(&[], &trust.practice_key), "");
    }

    #[test]
    fn a_forged_a_missing_and_a_misplaced_link_are_refused_though_the_newest_key_signed() {
        let (trust, newest) = after(&[31, 32, 33]);
        let refused = |change: &dyn Fn(&mut TrustFile)| {
            let mut changed = trust.clone();
            change(&mut changed);
            assert!(parse(&changed, &newest).is_err());
        };
        refused(&|trust| trust.succeeded[1].signature[7] ^= 1);
        refused(&|trust| trust.succeeded.swap(0, 1));
        refused(&|trust| drop(trust.succeeded.remove(0)));
        refused(&|trust| drop(trust.succeeded.remove(1)));
        refused(&|trust| drop(trust.succeeded.pop()));
        refused(&|trust| trust.succeeded.clear());
        refused(&|trust| trust.succeeded[0].why = "another reason".into());
        refused(&|trust| trust.succeeded[0].made = "2026-11-22T15:00:00Z".into());
        refused(&|trust| trust.succeeded.push(trust.succeeded[2].clone()));
        refused(&|trust| trust.made = "2026-11-22T15:00:00Z".into());
        // What another key signs instead of the former one.
        let stranger = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[66; 32]).unwrap();
        let statement = trust.succeeded[2].statement(&trust.slug, &trust.practice_key);
        refused(&|trust| trust.succeeded[2].signature = stranger.raw(statement.as_bytes()));
        // The link of another practice of the same keys: the statement names the slug.
        let other = Slug::new("elm-street", trust.founding_key().public_bytes()).unwrap();
        let statement = trust.succeeded[2].statement(&other, &trust.practice_key);
        let former = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[32; 32]).unwrap();
        refused(&|trust| trust.succeeded[2].signature = former.raw(statement.as_bytes()));
        let right = trust.succeeded[2].statement(&trust.slug, &trust.practice_key);
        let mut same = trust.clone();
        same.succeeded[2].signature = former.raw(right.as_bytes());
        assert_eq!(parse(&same, &newest), Ok(trust));
    }

    #[test]
    fn a_key_that_comes_back_more_than_sixteen_and_a_time_that_runs_back_are_refused() {
        let (trust, newest) = after(&[31, 32, 31]);
        assert!(parse(&trust, &newest).is_err());
        let (trust, newest) = after(&[31, 5]);
        assert!(parse(&trust, &newest).is_err(), "the founding key");
        let (trust, newest) = after(&[32, 31]);
        assert!(parse(&trust, &newest).is_err(), "a time that runs back");
        let seeds: Vec<u8> = (31..48).collect();
        let (trust, newest) = after(&seeds[..16]);
        assert!(parse(&trust, &newest).is_ok());
        let (trust, newest) = after(&seeds);
        assert!(parse(&trust, &newest).is_err());
        let (mut trust, held) = after(&[31]);
        let next = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[32; 32]).unwrap();
        for why in ["", " because", "a\nsucceeded b", "b\u{202e}", &"x".repeat(301)] {
            assert!(trust.hand_over(&held, &next, "2026-11-23T16:00:00Z", why).is_err(), "{why:?}");
        }
        assert!(trust.hand_over(&held, &next, "yesterday", "a reason").is_err());
    }

    #[test]
    fn whoever_holds_a_key_of_the_chain_follows_it_and_nobody_is_led_back_or_aside() {
        let (first, _) = example();
        let (second, held) = after(&[31]);
        let (third, _) = after(&[31, 32]);
        assert!(third.leads_from(&first) && third.leads_from(&second) && second.leads_from(&first));
        assert!(third.leads_from(&third) && first.leads_from(&first));
        assert!(!second.leads_from(&third) && !first.leads_from(&second), "the way back");
        // The former key, stolen, names another one after it named the right one.
        let (thief, _) = after(&[66]);
        assert!(
            parse(
                &thief,
                &NoteSigner::new(&thief.slug.practice_name(), KeyType::Ed25519, &[66; 32]).unwrap()
            )
            .is_ok()
        );
        assert!(!thief.leads_from(&second) && !third.leads_from(&thief), "the first that is accepted wins");
        assert!(thief.leads_from(&first), "as long as nobody has heard, the thief's is as good");
        let (aside, _) = after(&[31, 67]);
        assert!(aside.leads_from(&second) && !aside.leads_from(&third));
        assert_eq!(third.since(&second), Some(&[][..]), "a hand-over closes no log");
        assert_eq!(held.verifier(), &second.practice_key);
    }
}
