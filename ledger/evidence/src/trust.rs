//! The trust file: what a verifier must be given from outside the bundle, signed by the practice key.
//!
//! A signed note by `<slug>/practice`. Its text is `<slug>/trust` and one `<word> <value>` a line, in the
//! order of [`TrustFile::text`]. The practice key itself is taken away at `init`; whoever checks compares its
//! twelve words with a printed report. A line with an unknown word is refused: a trust file that is only half
//! understood is not trusted. So a program from before `custodian` refuses a file that has such a line, and says which.

pub mod custodian;

use self::custodian::{CUSTODIANS_MAX, Custodian};
use crate::name::{NameError, Slug};
use crate::note::{KeyType, NoteError, NoteSigner, SignedNote, VerifierKey};
use crate::words;

/// Who is trusted for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFile {
    /// The practice's name in logs.
    pub slug: Slug,
    /// The practice's full name.
    pub practice: String,
    /// When it was signed, RFC 3339.
    pub made: String,
    /// The key that signs this file.
    pub practice_key: VerifierKey,
    /// Signs checkpoints of the collector log.
    pub log: VerifierKey,
    /// Signs the collector's own batches (acts).
    pub collector: VerifierKey,
    /// Signs bundles.
    pub bundle: VerifierKey,
    /// The age recipient to which what is kept for a rebuild is encrypted; only the recovery key reads it.
    pub recovery: String,
    /// Ids of the people whom the practice key names as reviewers.
    pub reviewers: Vec<String>,
    /// Who outside the practice holds copies of keys or remembers the log, at most [`CUSTODIANS_MAX`].
    pub custodians: Vec<Custodian>,
    /// How many machines the collector may enrol without the practice key.
    pub machines_max: u32,
    /// Until when it may, RFC 3339.
    pub enrolment_until: String,
    /// Agents that cosign checkpoints.
    pub committee: Vec<VerifierKey>,
    /// Witnesses outside the building.
    pub outside: Vec<VerifierKey>,
    /// How many of the committee must have cosigned.
    pub committee_quorum: u32,
    /// How many of the outside witnesses must have cosigned.
    pub outside_quorum: u32,
}

/// A trust file cannot be read or is not what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A line is missing, unknown, doubled or misplaced.
    #[error("line {line} of the trust file: {wrong}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        wrong: String,
    },
    /// The slug does not belong to the practice key.
    #[error("the name `{0}` does not belong to the practice key")]
    OtherPractice(String),
    /// The note or a key is wrong.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The slug is wrong.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl TrustFile {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}/trust\npractice {}\nmade {}\npractice-key {}\nlog {}\ncollector {}\nbundle {}\nrecovery {}\nmachines-max {}\nenrolment-until {}\n",
            self.slug,
            self.practice,
            self.made,
            self.practice_key,
            self.log,
            self.collector,
            self.bundle,
            self.recovery,
            self.machines_max,
            self.enrolment_until,
        );
        for reviewer in &self.reviewers {
            text.push_str(&format!("reviewer {reviewer}\n"));
        }
        for custodian in &self.custodians {
            text.push_str(&format!("custodian {custodian}\n"));
        }
        for key in &self.committee {
            text.push_str(&format!("committee {key}\n"));
        }
        for key in &self.outside {
            text.push_str(&format!("outside {key}\n"));
        }
        text.push_str(&format!(
            "quorum committee {} outside {}\n",
            self.committee_quorum, self.outside_quorum
        ));
        text
    }

    /// Signs it with the practice key.
    pub fn sign(&self, practice: &NoteSigner) -> Result<String, TrustError> {
        Ok(practice.sign(&self.text())?)
    }

    /// Reads a trust file and checks the practice key's signature, and that every name belongs to the practice.
    ///
    /// That the practice key is the right one is for people to know: by the twelve words.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        let note = SignedNote::parse(bytes)?;
        let mut lines = Lines { lines: note.text().lines().collect(), at: 0 };
        let first = lines.next()?;
        let slug = Slug::parse(
            first.strip_suffix("/trust").ok_or_else(|| lines.wrong("`<name>/trust` is needed"))?,
        )?;
        let practice = lines.value("practice")?.to_owned();
        let made = lines.value("made")?.to_owned();
        let practice_key = lines.key("practice-key", &slug.practice_name(), KeyType::Ed25519)?;
        let log = lines.key("log", &slug.log_origin(), KeyType::Ed25519)?;
        let collector = lines.key("collector", &format!("{slug}/collector"), KeyType::Ed25519)?;
        let bundle = lines.key("bundle", &slug.bundle_name(), KeyType::Ed25519)?;
        let recovery = lines.value("recovery")?.to_owned();
        if !is_recipient(&recovery) {
            return Err(lines.wrong("an age recipient (`age1...`) is needed"));
        }
        let machines_max = lines.number("machines-max")?;
        let enrolment_until = lines.value("enrolment-until")?.to_owned();
        let mut reviewers = Vec::new();
        while lines.peek().is_some_and(|line| line.starts_with("reviewer ")) {
            reviewers.push(lines.value("reviewer")?.to_owned());
        }
        let mut custodians: Vec<Custodian> = Vec::new();
        while lines.peek().is_some_and(|line| line.starts_with("custodian ")) {
            let custodian = Custodian::parse(lines.value("custodian")?);
            let custodian = custodian.map_err(|error| lines.wrong(&error.to_string()))?;
            if custodians.iter().any(|named| named.name() == custodian.name()) {
                return Err(lines.wrong("this custodian is named already"));
            }
            if custodians.len() >= CUSTODIANS_MAX {
                return Err(lines.wrong(&format!("at most {CUSTODIANS_MAX} custodians are named")));
            }
            custodians.push(custodian);
        }
        let mut seen: Vec<[u8; 32]> = Vec::new();
        let mut witnesses = |word| {
            let mut keys = Vec::new();
            while lines.peek().is_some_and(|line| line.starts_with(word)) {
                let key = VerifierKey::parse(lines.value(word)?)?;
                if key.key_type() != KeyType::CosignatureV1 {
                    return Err(lines.wrong("a witness needs a cosigning key"));
                }
                // One key under two names, or inside and outside, would count twice towards a quorum.
                if seen.contains(key.public_bytes()) {
                    return Err(lines.wrong("this witness key is listed already"));
                }
                seen.push(*key.public_bytes());
                keys.push(key);
            }
            Ok::<_, TrustError>(keys)
        };
        let (committee, outside) = (witnesses("committee")?, witnesses("outside")?);
        let quorum = lines.value("quorum")?;
        let numbers = quorum.strip_prefix("committee ").and_then(|rest| rest.split_once(" outside "));
        let numbers = numbers.and_then(|(inner, outer)| Some((inner.parse().ok()?, outer.parse().ok()?)));
        let (committee_quorum, outside_quorum) =
            numbers.ok_or_else(|| lines.wrong("`quorum committee <n> outside <n>` is needed"))?;
        if lines.peek().is_some() {
            lines.at = lines.at.saturating_add(1);
            return Err(lines.wrong("an unknown line"));
        }
        if !slug.belongs_to(practice_key.public_bytes()) {
            return Err(TrustError::OtherPractice(slug.to_string()));
        }
        note.verified_by(&practice_key)?;
        Ok(Self {
            slug,
            practice,
            made,
            practice_key,
            log,
            collector,
            bundle,
            recovery,
            reviewers,
            custodians,
            machines_max,
            enrolment_until,
            committee,
            outside,
            committee_quorum,
            outside_quorum,
        })
    }

    /// The twelve words by which people recognise the practice key.
    pub fn practice_words(&self) -> String {
        words::of_key(self.practice_key.public_bytes())
    }

    /// The same rules as a tlog-policy text, for tools that read one.
    pub fn tlog_policy(&self) -> String {
        let mut text = format!("log {}\n", self.log);
        let mut group = |name: &str, keys: &[VerifierKey], quorum: u32| {
            for (number, key) in keys.iter().enumerate() {
                text.push_str(&format!("witness {name}{number} {key}\n"));
            }
            let members: Vec<String> = (0..keys.len()).map(|number| format!("{name}{number}")).collect();
            if quorum > 0 {
                text.push_str(&format!("group {name} {quorum} {}\n", members.join(" ")));
            }
            quorum > 0
        };
        let inner = group("committee", &self.committee, self.committee_quorum);
        let outer = group("outside", &self.outside, self.outside_quorum);
        text.push_str(match (inner, outer) {
            (true, true) => "group both all committee outside\nquorum both\n",
            (true, false) => "quorum committee\n",
            (false, true) => "quorum outside\n",
            (false, false) => "quorum none\n",
        });
        text
    }
}

/// The form of an X25519 recipient of age: `age1` and 58 characters of Bech32. Its checksum is age's to check.
fn is_recipient(text: &str) -> bool {
    text.len() == 62
        && text.starts_with("age1")
        && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    fn wrong(&self, wrong: &str) -> TrustError {
        TrustError::Line { line: self.at, wrong: wrong.to_owned() }
    }

    fn next(&mut self) -> Result<&'a str, TrustError> {
        let line = self.peek();
        self.at = self.at.saturating_add(1);
        line.ok_or_else(|| self.wrong("the file ends too early"))
    }

    fn value(&mut self, word: &str) -> Result<&'a str, TrustError> {
        let value = self.next()?.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        value.filter(|value| !value.is_empty()).ok_or_else(|| self.wrong(&format!("`{word} ...` is needed")))
    }

    fn number(&mut self, word: &str) -> Result<u32, TrustError> {
        let value = self.value(word)?;
        value.parse().map_err(|_| self.wrong("a number is needed"))
    }

    fn key(&mut self, word: &str, name: &str, key_type: KeyType) -> Result<VerifierKey, TrustError> {
        let key = VerifierKey::parse(self.value(word)?)?;
        if key.name() == name && key.key_type() == key_type {
            Ok(key)
        } else {
            Err(self.wrong(&format!("the key of `{name}` is needed")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (TrustFile, NoteSigner) {
        let seed = [5; 32];
        let public = *NoteSigner::new("x", KeyType::Ed25519, &seed).unwrap().verifier().public_bytes();
        let slug = Slug::new("maple-street", &public).unwrap();
        let practice = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &seed).unwrap();
        let key = |name: &str, n: u8, key_type| {
            NoteSigner::new(name, key_type, &[n; 32]).unwrap().verifier().clone()
        };
        let trust = TrustFile {
            practice: "Maple Street Family Practice".into(),
            made: "2026-11-22T15:00:00Z".into(),
            practice_key: practice.verifier().clone(),
            log: key(&slug.log_origin(), 1, KeyType::Ed25519),
            collector: key(&format!("{slug}/collector"), 2, KeyType::Ed25519),
            bundle: key(&slug.bundle_name(), 3, KeyType::Ed25519),
            recovery: format!("age1{}", "q".repeat(58)),
            reviewers: vec!["mary".into()],
            custodians: vec![Custodian::parse("recovery-key Smith & Jones, CPA").unwrap()],
            machines_max: 50,
            enrolment_until: "2027-11-22T15:00:00Z".into(),
            committee: vec![key(&slug.witness_name("ws-01"), 4, KeyType::CosignatureV1)],
            outside: Vec::new(),
            committee_quorum: 1,
            outside_quorum: 0,
            slug,
        };
        (trust, practice)
    }

    #[test]
    fn a_trust_file_reads_back_and_every_changed_byte_is_refused() {
        let (trust, practice) = example();
        let signed = trust.sign(&practice).unwrap();
        assert_eq!(TrustFile::parse(signed.as_bytes()), Ok(trust));
        for at in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(TrustFile::parse(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_witness_that_would_count_twice_and_a_key_that_cannot_cosign_are_refused() {
        let (trust, practice) = example();
        let mut twice = trust.clone();
        twice.outside = twice.committee.clone();
        assert!(TrustFile::parse(twice.sign(&practice).unwrap().as_bytes()).is_err());
        let mut plain = trust;
        plain.committee = vec![plain.log.clone()];
        assert!(TrustFile::parse(plain.sign(&practice).unwrap().as_bytes()).is_err());
    }

    #[test]
    fn a_custodian_named_twice_and_more_than_eight_are_refused() {
        let (mut trust, practice) = example();
        trust.custodians.push(Custodian::parse("witness Smith & Jones, CPA").unwrap());
        assert!(TrustFile::parse(trust.sign(&practice).unwrap().as_bytes()).is_err());
        let named = |n: usize| (0..n).map(|n| Custodian::parse(&format!("witness W{n}")).unwrap()).collect();
        trust.custodians = named(8);
        assert!(TrustFile::parse(trust.sign(&practice).unwrap().as_bytes()).is_ok());
        trust.custodians = named(9);
        assert!(TrustFile::parse(trust.sign(&practice).unwrap().as_bytes()).is_err());
    }

    #[test]
    fn a_trust_file_of_a_stranger_under_the_practices_name_is_refused() {
        let (mut trust, _) = example();
        let stranger = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[66; 32]).unwrap();
        trust.practice_key = stranger.verifier().clone();
        let signed = trust.sign(&stranger).unwrap();
        assert_eq!(
            TrustFile::parse(signed.as_bytes()),
            Err(TrustError::OtherPractice(trust.slug.to_string()))
        );
    }
}
