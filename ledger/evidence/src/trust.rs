//! The trust file: what a verifier must be given from outside the bundle, signed by the practice key.
//!
//! A signed note by `<slug>/practice`. Its text is `<slug>/trust` and one `<word> <value>` a line, in the
//! order of [`TrustFile::text`]. The practice key itself is taken away at `init`; whoever checks compares its
//! twelve words with a printed report. A line with an unknown word is refused: a trust file that is only half
//! understood is not trusted. So a program from before `custodian`, `succeeded`, `retired` or `restored` refuses a file that has such a line, and says which.

pub mod custodian;
pub mod line;
pub mod restored;
pub mod retired;
pub mod succession;

use self::custodian::{CUSTODIANS_MAX, Custodian};
use self::restored::Restored;
use self::retired::{Retired, is_recipient};
use self::succession::{NotSucceeded, Succession};
use crate::checkpoint::{Checkpoint, CheckpointError};
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
    /// Practice keys before `practice_key`, oldest first, each with its word for the next.
    pub succeeded: Vec<Succession>,
    /// Recovery keys before `recovery`, oldest first.
    pub retired: Vec<Retired>,
    /// Logs that were closed when a copy was put back, oldest first, at most [`RESTORED_MAX`]; `log` goes on from the last.
    pub restored: Vec<Restored>,
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
        for succession in &self.succeeded {
            text.push_str(&format!("succeeded {succession}\n"));
        }
        for retired in &self.retired {
            text.push_str(&format!("retired {retired}\n"));
        }
        for restored in &self.restored {
            text.push_str(&format!("restored {restored}\n"));
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
        let mut succeeded: Vec<Succession> = Vec::new();
        while lines.peek().is_some_and(|line| line.starts_with("succeeded ")) {
            let line = Succession::parse(lines.value("succeeded")?, &slug);
            succeeded.push(line.map_err(|error| lines.wrong(&error.to_string()))?);
        }
        let founding = succession::founding(&slug, &succeeded, &practice_key, &made);
        let founding = founding.map_err(|error| lines.wrong(&error.to_string()))?;
        if !slug.belongs_to(founding.public_bytes()) {
            return Err(TrustError::OtherPractice(slug.to_string()));
        }
        let mut retired: Vec<Retired> = Vec::new();
        while lines.peek().is_some_and(|line| line.starts_with("retired ")) {
            let line = Retired::parse(lines.value("retired")?);
            retired.push(line.map_err(|error| lines.wrong(&error.to_string()))?);
        }
        retired::follow_each_other(&retired, (&made, &recovery))
            .map_err(|error| lines.wrong(&error.to_string()))?;
        let mut restored: Vec<Restored> = Vec::new();
        while lines.peek().is_some_and(|line| line.starts_with("restored ")) {
            let line = Restored::parse(lines.value("restored")?, &slug);
            restored.push(line.map_err(|error| lines.wrong(&error.to_string()))?);
        }
        restored::follow_each_other(&restored, (&made, &log, &collector))
            .map_err(|error| lines.wrong(&error.to_string()))?;
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
            succeeded,
            retired,
            restored,
            machines_max,
            enrolment_until,
            committee,
            outside,
            committee_quorum,
            outside_quorum,
        })
    }

    /// How many logs were closed before the one in which a tree of this size stands: 0 for the practice's first log.
    ///
    /// What a closed log had beyond the size at which it was closed is void, and those sizes belong to the next.
    pub fn generation(&self, size: u64) -> usize {
        self.restored.iter().rposition(|closed| size > closed.size).map_or(0, |last| last.saturating_add(1))
    }

    /// Every log that the practice had, the one in force first.
    pub fn logs(&self) -> impl Iterator<Item = &VerifierKey> {
        std::iter::once(&self.log).chain(self.restored.iter().map(|closed| &closed.log))
    }

    /// The key that signs checkpoints of this size.
    pub fn log_at(&self, size: u64) -> &VerifierKey {
        self.restored.get(self.generation(size)).map_or(&self.log, |closed| &closed.log)
    }

    /// The restores that bound the tree of `size` leaves, oldest first: where each log of which it holds leaves was closed.
    ///
    /// Not those of which an older copy, put back later, left nothing beyond.
    pub fn closed_within(&self, size: u64) -> impl Iterator<Item = &Restored> {
        let counts =
            move |(n, closed): &(usize, &Restored)| closed.size < size && self.generation(closed.size) <= *n;
        self.restored.iter().enumerate().filter(counts).map(|(_, closed)| closed)
    }

    /// The key that signs the collector's own batches of an epoch; every announced restore begins one.
    pub fn collector_of(&self, epoch: u32) -> Option<&VerifierKey> {
        let epoch = usize::try_from(epoch).ok()?;
        match self.restored.get(epoch) {
            Some(closed) => Some(&closed.collector),
            None => (epoch == self.restored.len()).then_some(&self.collector),
        }
    }

    /// Reads a checkpoint and checks that the log signed it to which its size belongs.
    pub fn checkpoint(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let claimed = Checkpoint::unverified(note)?;
        Checkpoint::verify(note, self.log_at(claimed.size))
    }

    /// The key with which the practice began, to which its name belongs.
    pub fn founding_key(&self) -> &VerifierKey {
        self.succeeded.first().map_or(&self.practice_key, |first| &first.former)
    }

    /// Whether the practice key of `held` is the one of this file, or named it by way of its successors.
    pub fn leads_from(&self, held: &Self) -> bool {
        let Some((known, new)) = self.succeeded.split_at_checked(held.succeeded.len()) else { return false };
        let next = new.first().map_or(&self.practice_key, |first| &first.former);
        self.slug == held.slug && known == held.succeeded && *next == held.practice_key
    }

    /// Lets the practice key name the next one, which signs from then on.
    pub fn hand_over(
        &mut self,
        former: &NoteSigner,
        next: &NoteSigner,
        made: &str,
        why: &str,
    ) -> Result<(), NotSucceeded> {
        let next = next.verifier().clone();
        self.succeeded.push(Succession::sign(&self.slug, former, &next, made, why)?);
        (self.practice_key, self.made) = (next, made.to_owned());
        Ok(())
    }

    /// The restores that this file announces to whoever holds `held`: none where both speak of one log.
    ///
    /// Nothing where its practice key does not lead back to the one of `held`, or where its log does not lead back to the one of `held`.
    pub fn since(&self, held: &Self) -> Option<&[Restored]> {
        if !self.leads_from(held) {
            return None;
        }
        let (known, new) = self.restored.split_at_checked(held.restored.len())?;
        let (log, collector) =
            new.first().map_or((&self.log, &self.collector), |closed| (&closed.log, &closed.collector));
        (known == held.restored && *log == held.log && *collector == held.collector).then_some(new)
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
pub(super) mod tests {
    use super::*;
    use crate::hash::Hash;

    /// A log that was closed at a size, under keys of these seeds.
    fn closed(slug: &Slug, seed: u8, size: u64) -> Restored {
        let key =
            |name: &str, n: u8| NoteSigner::new(name, KeyType::Ed25519, &[n; 32]).unwrap().verifier().clone();
        Restored {
            made: "2026-11-22T14:00:00Z".into(),
            size,
            root: Hash::of(&[seed]),
            log: key(&slug.log_origin(), seed),
            collector: key(&format!("{slug}/collector"), seed + 1),
            why: "the disk of the collector broke".into(),
        }
    }

    pub(in crate::trust) fn example() -> (TrustFile, NoteSigner) {
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
            succeeded: Vec::new(),
            retired: Vec::new(),
            restored: vec![closed(&slug, 21, 42)],
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

    #[test]
    fn each_size_belongs_to_one_log_and_what_a_closed_one_had_beyond_is_void() {
        let (mut trust, _) = example();
        let mut seeds = |sizes: &[u64]| {
            trust.restored =
                sizes.iter().zip([21, 23, 25]).map(|(size, seed)| closed(&trust.slug, seed, *size)).collect();
            [1, 5, 6, 10, 11, 99].map(|size| trust.generation(size))
        };
        assert_eq!(seeds(&[]), [0; 6]);
        assert_eq!(seeds(&[10]), [0, 0, 0, 0, 1, 1]);
        assert_eq!(seeds(&[5, 10]), [0, 0, 1, 1, 2, 2]);
        // The second time an older copy was put back: what the log between had is void as well.
        assert_eq!(seeds(&[10, 5]), [0, 0, 2, 2, 2, 2]);
        assert_eq!(seeds(&[5, 5]), [0, 0, 2, 2, 2, 2]);
        let bounds = |size| trust.closed_within(size).map(|closed| closed.size).collect::<Vec<_>>();
        assert_eq!((bounds(5), bounds(99)), (vec![], vec![5, 5]));
        assert_eq!(trust.log_at(5), &trust.restored[0].log);
        assert_eq!(trust.log_at(6), &trust.log);
        assert_eq!(trust.collector_of(1), Some(&trust.restored[1].collector));
        assert_eq!((trust.collector_of(2), trust.collector_of(3)), (Some(&trust.collector), None));
    }

    #[test]
    fn a_checkpoint_counts_only_under_the_key_of_the_log_to_which_its_size_belongs() {
        let (trust, _) = example();
        let signed = |size, seed| {
            let log = NoteSigner::new(&trust.slug.log_origin(), KeyType::Ed25519, &[seed; 32]).unwrap();
            let checkpoint = Checkpoint { origin: trust.slug.log_origin(), size, root: Hash::of(b"root") };
            trust.checkpoint(checkpoint.sign(&log).unwrap().as_bytes()).map(|checkpoint| checkpoint.size)
        };
        assert_eq!((signed(42, 21), signed(43, 1)), (Ok(42), Ok(43)));
        // The lost collector's key, whoever has it, signs nothing beyond; the new one nothing before.
        assert!(signed(43, 21).is_err() && signed(42, 1).is_err());
    }

    #[test]
    fn a_restore_is_announced_to_whoever_holds_the_log_that_it_closes_and_to_nobody_else() {
        let (after, _) = example();
        let mut before = after.clone();
        let closed_now = before.restored.remove(0);
        (before.log, before.collector) = (closed_now.log.clone(), closed_now.collector.clone());
        assert_eq!(after.since(&before), Some(&after.restored[..]));
        assert_eq!(after.since(&after), Some(&[][..]));
        assert_eq!(before.since(&after), None, "the way back is a rollback");
        let (mut other, mut no_line, mut twice) = (before.clone(), after.clone(), after.clone());
        other.collector = after.bundle.clone();
        assert_eq!(after.since(&other), None);
        no_line.restored.clear();
        assert_eq!(no_line.since(&before), None, "another key without a word");
        twice.restored[0].size = 41;
        assert_eq!(twice.since(&after), None, "one log is closed at one size");
    }

    #[test]
    fn restores_that_contradict_themselves_are_refused_though_signed() {
        let (trust, practice) = example();
        let refused = |change: &dyn Fn(&mut TrustFile)| {
            let mut changed = trust.clone();
            change(&mut changed);
            assert!(TrustFile::parse(changed.sign(&practice).unwrap().as_bytes()).is_err());
        };
        refused(&|trust| trust.restored[0].log = trust.log.clone());
        refused(&|trust| trust.restored[0].collector = trust.collector.clone());
        refused(&|trust| trust.restored[0].collector = trust.bundle.clone());
        refused(&|trust| trust.restored.push(trust.restored[0].clone()));
        refused(&|trust| trust.restored[0].made = "2026-11-23T14:00:00Z".into());
        refused(&|trust| trust.restored[0].made = "yesterday".into());
        refused(&|trust| trust.restored[0].size = 0);
        refused(&|trust| trust.restored[0].why = "a\nrestored b".into());
        refused(&|trust| trust.restored[0].why = "x".repeat(301));
        refused(&|trust| trust.restored = (0..33).map(|n| closed(&trust.slug, 100 + 2 * n, 5)).collect());
        let text = trust.text().replace(" 42 ", " 042 ");
        assert!(TrustFile::parse(practice.sign(&text).unwrap().as_bytes()).is_err());
    }
}
