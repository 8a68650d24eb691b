//! Taking an announcement back: what was announced may no longer be installed, and machines that run it are named.
//!
//! A signed note by `<slug>/practice`. Its text is that of the announcement, with another first line, a reason, and the time
//! of the withdrawal:
//!
//! ```text
//! <slug>/program-withdrawn
//! reason <one line of 1 to 200 bytes>
//! version 0.2.0
//! platform linux-x86_64
//! made 2026-11-29T10:00:00Z
//! program <SHA-256>
//! package <SHA-256>                                                (0 to 16 times)
//! ```
//! It ends every announcement of that program that was made until then. One that is made later announces it again: both
//! times are in what the practice key signed, so nobody else decides which of them counts.

use super::{Announcement, AnnouncementError, head, value};
use crate::hash::Hash;
use crate::name::{Slug, is_plain};
use crate::note::{NoteSigner, SignedNote, VerifierKey};
use crate::time::Moment;

/// Bytes of a reason, at most.
pub const REASON_BYTES_MAX: usize = 200;

/// One announcement taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Which; `made` is the time of the withdrawal.
    pub of: Announcement,
    /// Why, in the words of whoever has the practice key; one line.
    pub reason: String,
}

impl Withdrawal {
    /// Signs it with the practice key.
    pub fn sign(&self, practice: &NoteSigner) -> Result<String, AnnouncementError> {
        self.of.check()?;
        check(&self.reason)?;
        let text = format!("{}/program-withdrawn\nreason {}\n{}", self.of.slug, self.reason, self.of.lines());
        Ok(practice.sign(&text)?)
    }

    /// Reads a withdrawal that this practice key signed.
    pub fn parse(bytes: &[u8], slug: &Slug, practice: &VerifierKey) -> Result<Self, AnnouncementError> {
        let note = SignedNote::parse(bytes)?;
        let mut lines = note.text().lines();
        head(&mut lines, slug, "/program-withdrawn", "<practice>/program-withdrawn")?;
        let reason = value(&mut lines, "reason ", "reason <one line>")?.to_owned();
        check(&reason)?;
        let of = Announcement::read(lines, slug)?;
        note.verified_by(practice)?;
        Ok(Self { of, reason })
    }

    /// Whether it ends this announcement.
    pub fn ends(&self, announcement: &Announcement) -> bool {
        let made = |one: &Announcement| Moment::parse(&one.made);
        self.of.program == announcement.program
            && made(announcement)
                .zip(made(&self.of))
                .is_none_or(|(announced, withdrawn)| announced <= withdrawn)
    }

    /// Whether this file is the program, or a package that held it.
    pub fn names(&self, file: &Hash) -> bool {
        self.of.names(file)
    }
}

fn check(reason: &str) -> Result<(), AnnouncementError> {
    let fits = reason.len() <= REASON_BYTES_MAX && is_plain(reason);
    if fits { Ok(()) } else { Err(AnnouncementError::Reason) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::tests::{announcement, practice};

    fn withdrawal(slug: &Slug, made: &str) -> Withdrawal {
        let of = Announcement { made: made.to_owned(), ..announcement(slug) };
        Withdrawal { of, reason: "it loses events of the year's last day".to_owned() }
    }

    #[test]
    fn a_withdrawal_reads_back_and_ends_what_was_announced_until_then() {
        let (slug, signer) = practice(3);
        let (before, after) = ("2026-11-28T09:59:59Z", "2026-11-29T10:00:00Z");
        let signed = withdrawal(&slug, after).sign(&signer).unwrap();
        let read = Withdrawal::parse(signed.as_bytes(), &slug, signer.verifier()).unwrap();
        assert_eq!(read, withdrawal(&slug, after));
        assert!(read.names(&Hash::of(b"program")) && read.names(&Hash::of(b"package")));
        assert!(read.ends(&announcement(&slug)));
        assert!(withdrawal(&slug, "2026-11-28T10:00:00Z").ends(&announcement(&slug)), "at the same second");
        assert!(!withdrawal(&slug, before).ends(&announcement(&slug)), "it was announced again");
        assert!(!read.ends(&Announcement { program: Hash::of(b"other"), ..announcement(&slug) }));
    }

    #[test]
    fn whatever_the_practice_key_did_not_sign_withdraws_nothing_and_neither_is_read_as_the_other() {
        let (slug, signer) = practice(3);
        let (_, other) = practice(4);
        let made = "2026-11-29T10:00:00Z";
        let signed = withdrawal(&slug, made).sign(&signer).unwrap();
        let parse = |text: &str| Withdrawal::parse(text.as_bytes(), &slug, signer.verifier());
        let announced = announcement(&slug).sign(&signer).unwrap();
        for text in [
            signed.replace("loses", "keeps"),
            signed.replace("reason it", "reason  it"),
            signed.replace(&Hash::of(b"program").to_hex(), &Hash::of(b"good").to_hex()),
            withdrawal(&slug, made).sign(&other).unwrap(),
            announced.replace("/program\n", "/program-withdrawn\nreason x\n"),
            announced,
        ] {
            assert!(parse(&text).is_err(), "{text}");
        }
        assert!(Announcement::parse(signed.as_bytes(), &slug, signer.verifier()).is_err());
        for reason in ["", " x", "two\nlines", "turned \u{202e}round", &"x".repeat(201)] {
            let wrong = Withdrawal { reason: reason.to_owned(), ..withdrawal(&slug, made) };
            assert_eq!(wrong.sign(&signer), Err(AnnouncementError::Reason), "{reason:?}");
        }
    }
}
