//! Which programs a practice's machines may run: announced by the practice key, from the safe, before they are installed.
//!
//! A signed note by `<slug>/practice`. Its text:
//!
//! ```text
//! <slug>/program
//! version 0.2.0
//! platform linux-x86_64
//! made 2026-11-28T10:00:00Z
//! program <SHA-256 of the program file, hex: what a machine reports of the one that runs>
//! package <SHA-256 of a package or archive that holds it, hex>     (0 to 16 times)
//! ```
//! An unknown line is refused: an announcement that is only half understood is none. It can be taken back: [`withdrawal`].

pub mod withdrawal;

use std::str::Lines;

use crate::hash::Hash;
use crate::name::Slug;
use crate::note::{NoteError, NoteSigner, SignedNote, VerifierKey};
use crate::time::Moment;

/// Packages that one announcement names, at most.
pub const PACKAGES_MAX: usize = 16;
/// Letters of a version or platform, at most.
const WORD_MAX: usize = 64;

/// One program, as the practice key announced it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The practice.
    pub slug: Slug,
    /// The program's version: letters, digits and `.-+~_`.
    pub version: String,
    /// For which system; the same letters.
    pub platform: String,
    /// When it was signed, RFC 3339.
    pub made: String,
    /// SHA-256 of the program file.
    pub program: Hash,
    /// SHA-256 of packages that hold it.
    pub packages: Vec<Hash>,
}

/// An announcement cannot be made or read, or the practice key did not sign it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnouncementError {
    /// A line is missing, unknown or misplaced.
    #[error("the announcement is not one: `{0}` is needed")]
    Line(&'static str),
    /// A version or platform has other letters, or too many.
    #[error("`{0}` is no version or platform: letters, digits and `.-+~_`, at most 64")]
    Word(String),
    /// More packages than one announcement names.
    #[error("an announcement names at most {PACKAGES_MAX} packages")]
    Packages,
    /// It is another practice's.
    #[error("the announcement is of the practice `{0}`, not of this one")]
    OtherPractice(String),
    /// The reason of a withdrawal.
    #[error(
        "a reason has 1 to {} bytes in one line, and no space at either end",
        withdrawal::REASON_BYTES_MAX
    )]
    Reason,
    /// The note, or its signature.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Announcement {
    /// The text that is signed, from the version on.
    fn lines(&self) -> String {
        let mut text = format!(
            "version {}\nplatform {}\nmade {}\nprogram {}\n",
            self.version,
            self.platform,
            self.made,
            self.program.to_hex()
        );
        for package in &self.packages {
            text.push_str(&format!("package {}\n", package.to_hex()));
        }
        text
    }

    /// Whether it has the form of one.
    fn check(&self) -> Result<(), AnnouncementError> {
        word(&self.version)?;
        word(&self.platform)?;
        if self.packages.len() > PACKAGES_MAX {
            return Err(AnnouncementError::Packages);
        }
        Ok(())
    }

    /// Signs it with the practice key.
    pub fn sign(&self, practice: &NoteSigner) -> Result<String, AnnouncementError> {
        self.check()?;
        Ok(practice.sign(&format!("{}/program\n{}", self.slug, self.lines()))?)
    }

    /// Reads an announcement that this practice key signed.
    pub fn parse(bytes: &[u8], slug: &Slug, practice: &VerifierKey) -> Result<Self, AnnouncementError> {
        let note = SignedNote::parse(bytes)?;
        let mut lines = note.text().lines();
        head(&mut lines, slug, "/program", "<practice>/program")?;
        let read = Self::read(lines, slug)?;
        note.verified_by(practice)?;
        Ok(read)
    }

    fn read(mut lines: Lines<'_>, slug: &Slug) -> Result<Self, AnnouncementError> {
        use AnnouncementError::Line;
        let version = value(&mut lines, "version ", "version <word>")?.to_owned();
        let platform = value(&mut lines, "platform ", "platform <word>")?.to_owned();
        let made = value(&mut lines, "made ", "made <time>")?.to_owned();
        Moment::parse(&made).ok_or(Line("made <time>"))?;
        let hash = |text: &str, wanted| Hash::from_hex(text).map_err(|_| Line(wanted));
        let program = hash(value(&mut lines, "program ", "program <SHA-256>")?, "program <SHA-256>")?;
        let mut packages = Vec::new();
        for line in lines {
            let text = line.strip_prefix("package ").ok_or(Line("package <SHA-256>"))?;
            packages.push(hash(text, "package <SHA-256>")?);
        }
        let read = Self { slug: slug.clone(), version, platform, made, program, packages };
        read.check()?;
        Ok(read)
    }

    /// Whether this file is the program, or a package that holds it.
    pub fn names(&self, file: &Hash) -> bool {
        self.program == *file || self.packages.contains(file)
    }
}

/// The rest of the next line, which begins so.
fn value<'a>(
    lines: &mut Lines<'a>,
    prefix: &str,
    wanted: &'static str,
) -> Result<&'a str, AnnouncementError> {
    lines.next().and_then(|line| line.strip_prefix(prefix)).ok_or(AnnouncementError::Line(wanted))
}

/// The first line: what it is, and whose.
fn head(
    lines: &mut Lines<'_>,
    slug: &Slug,
    suffix: &str,
    wanted: &'static str,
) -> Result<(), AnnouncementError> {
    let name = value(lines, "", wanted)?.strip_suffix(suffix).ok_or(AnnouncementError::Line(wanted))?;
    if name == slug.as_str() { Ok(()) } else { Err(AnnouncementError::OtherPractice(name.to_owned())) }
}

fn word(text: &str) -> Result<(), AnnouncementError> {
    let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || b".-+~_".contains(&letter);
    let is_word = !text.is_empty() && text.len() <= WORD_MAX && text.bytes().all(is_letter);
    is_word.then_some(()).ok_or_else(|| AnnouncementError::Word(text.to_owned()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::note::KeyType;
    use expect_test::expect;

    pub(crate) fn practice(seed: u8) -> (Slug, NoteSigner) {
        let public = NoteSigner::new("x", KeyType::Ed25519, &[seed; 32]).unwrap();
        let slug = Slug::new("maple", public.verifier().public_bytes()).unwrap();
        let signer = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &[seed; 32]).unwrap();
        (slug, signer)
    }

    pub(crate) fn announcement(slug: &Slug) -> Announcement {
        Announcement {
            slug: slug.clone(),
            version: "0.2.0".to_owned(),
            platform: "linux-x86_64".to_owned(),
            made: "2026-11-28T10:00:00Z".to_owned(),
            program: Hash::of(b"program"),
            packages: vec![Hash::of(b"package")],
        }
    }

    #[test]
    fn an_announcement_reads_back_and_names_program_and_packages() {
        let (slug, signer) = practice(3);
        let signed = announcement(&slug).sign(&signer).unwrap();
        let read = Announcement::parse(signed.as_bytes(), &slug, signer.verifier()).unwrap();
        assert_eq!(read, announcement(&slug));
        assert!(read.names(&Hash::of(b"program")) && read.names(&Hash::of(b"package")));
        assert!(!read.names(&Hash::of(b"other")));
    }

    #[test]
    fn whatever_the_practice_key_did_not_sign_is_none() {
        let (slug, signer) = practice(3);
        let (other_slug, other) = practice(4);
        let signed = announcement(&slug).sign(&signer).unwrap();
        let parse = |text: &str| Announcement::parse(text.as_bytes(), &slug, signer.verifier());
        let mut said = Vec::new();
        let by_other_key = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &[4; 32]).unwrap();
        for text in [
            signed.replace("0.2.0", "0.2.1"),
            signed.replace(&Hash::of(b"program").to_hex(), &Hash::of(b"evil").to_hex()),
            signed.replace(&format!("package {}\n", Hash::of(b"package").to_hex()), ""),
            announcement(&slug).sign(&by_other_key).unwrap(),
            announcement(&other_slug).sign(&other).unwrap(),
            signer.sign(&format!("{slug}/program\nversion 1\n")).unwrap(),
            signer.sign(&format!("{slug}/trust\nversion 1\n")).unwrap(),
            signer.sign(&format!("{slug}/program\n{}later 1\n", announcement(&slug).lines())).unwrap(),
            "none".to_owned(),
        ] {
            said.push(parse(&text).unwrap_err().to_string());
        }
        expect![[r#"
            the signature by `maple.b62e867f/practice` does not fit the text
            the signature by `maple.b62e867f/practice` does not fit the text
            the signature by `maple.b62e867f/practice` does not fit the text
            no signature by `maple.b62e867f/practice`
            the announcement is of the practice `maple.c5b940ed`, not of this one
            the announcement is not one: `platform <word>` is needed
            the announcement is not one: `<practice>/program` is needed
            the announcement is not one: `package <SHA-256>` is needed
            not a signed note: no empty line before the signatures"#]]
        .assert_eq(&said.join("\n"));
        let wrong = Announcement { version: "1 2".to_owned(), ..announcement(&slug) };
        assert!(matches!(wrong.sign(&signer), Err(AnnouncementError::Word(_))));
    }
}
