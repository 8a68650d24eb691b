//! The trust file in force: read at start, replaced while running when the practice key has signed another one.

use std::sync::{Arc, PoisonError, RwLock};

use ntk_evidence::time::Moment;
use ntk_evidence::trust::{TrustError, TrustFile};

use crate::encrypt::Recipients;

/// The most agents that a committee has.
pub const COMMITTEE_MAX: usize = 15;

/// The trust file in force, shared by whoever needs it.
#[derive(Clone, Debug)]
pub struct CurrentTrust(Arc<RwLock<(Arc<TrustFile>, Arc<str>)>>);

/// A trust file is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeError {
    /// Not signed, or not one.
    #[error("this is no trust file that the practice key signed: {0}")]
    Form(#[from] TrustError),
    /// Another practice, or other keys than the ledger is written with; a practice key that the one in force did not name.
    #[error("it is of another practice key, log or collector than this ledger's; nothing was changed")]
    Other,
    /// Another recovery key without a word, or one that was replaced.
    #[error(
        "it names another recovery key than the one in force and does not say that it took its place; nothing was changed. `keys replace-recovery` makes a new one"
    )]
    OtherRecovery,
    /// No key that anything can be encrypted to.
    #[error("its recovery key `{0}` is none; nothing was changed")]
    Unusable(String),
    /// Older than the one in force.
    #[error("it was signed before the one in force ({0}); nothing was changed")]
    Older(String),
    /// Of two of one second nobody can say which is the newer one.
    #[error(
        "it was signed in the same second as the one in force ({0}) and says something else; sign it once more"
    )]
    SameSecond(String),
    /// Too many.
    #[error("a committee has at most {COMMITTEE_MAX} machines; name the ones that are always on")]
    Committee,
    /// A quorum that can never be met.
    #[error("a quorum asks for more witnesses than are named")]
    Quorum,
}

impl CurrentTrust {
    /// The one that was read at start.
    pub fn new(trust: TrustFile, text: &str) -> Self {
        Self(Arc::new(RwLock::new((Arc::new(trust), Arc::from(text)))))
    }

    /// The one in force, and its text verbatim.
    pub fn now(&self) -> (Arc<TrustFile>, Arc<str>) {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Checks that a text may take the place of the one in force.
    pub fn check(&self, text: &str) -> Result<TrustFile, TakeError> {
        let next = TrustFile::parse(text.as_bytes())?;
        let (held, held_text) = self.now();
        let keys = |trust: &TrustFile| (trust.log.clone(), trust.collector.clone(), trust.bundle.clone());
        if !next.leads_from(&held) || keys(&next) != keys(&held) {
            return Err(TakeError::Other);
        }
        if !next.recovery_leads_from(&held) {
            return Err(TakeError::OtherRecovery);
        }
        // The trust file knows the form of a recipient; that something can be encrypted to it is found out here.
        let is_usable = Recipients::parse(&[next.recovery.as_str()]).is_ok_and(|to| to.is_some());
        if next.recovery != held.recovery && !is_usable {
            return Err(TakeError::Unusable(next.recovery));
        }
        if Moment::parse(&next.made) < Moment::parse(&held.made) {
            return Err(TakeError::Older(held.made.clone()));
        }
        if Moment::parse(&next.made) == Moment::parse(&held.made) && *text != *held_text {
            return Err(TakeError::SameSecond(held.made.clone()));
        }
        if next.committee.len() > COMMITTEE_MAX {
            return Err(TakeError::Committee);
        }
        let more = |quorum: u32, keys: usize| usize::try_from(quorum).is_ok_and(|quorum| quorum > keys);
        if more(next.committee_quorum, next.committee.len()) || more(next.outside_quorum, next.outside.len())
        {
            return Err(TakeError::Quorum);
        }
        Ok(next)
    }

    /// Puts a checked one in force; it is durable already.
    pub fn replace(&self, trust: TrustFile, text: &str) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(trust), Arc::from(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::tests::example;
    use ntk_evidence::note::{KeyType, NoteSigner};

    #[test]
    fn an_older_trust_file_one_of_the_same_second_and_one_of_another_key_are_refused() {
        let (trust, practice) = example();
        let held = trust.sign(&practice).unwrap();
        let current = CurrentTrust::new(trust.clone(), &held);
        assert_eq!(current.check(&held), Ok(trust.clone()), "the same again changes nothing");

        let dated = |made: &str| TrustFile { made: made.into(), machines_max: 99, ..trust.clone() };
        let check = |trust: &TrustFile| current.check(&trust.sign(&practice).unwrap());
        assert!(matches!(check(&dated("2025-12-31T23:59:59Z")), Err(TakeError::Older(_))));
        assert!(matches!(check(&dated("2026-01-01T00:00:00Z")), Err(TakeError::SameSecond(_))));
        assert!(matches!(check(&dated("2026-01-01T01:00:00+01:00")), Err(TakeError::SameSecond(_))));
        assert!(matches!(check(&dated("some day")), Err(TakeError::Older(_))), "no date is no newer one");
        let newer = dated("2026-01-01T00:00:01Z");
        assert_eq!(check(&newer), Ok(newer.clone()));

        // In force, the one before it is an older one that is put back.
        current.replace(newer.clone(), &newer.sign(&practice).unwrap());
        assert!(matches!(current.check(&held), Err(TakeError::Older(_))));

        let stranger = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &[66; 32]).unwrap();
        assert!(matches!(current.check(&newer.sign(&stranger).unwrap()), Err(TakeError::Form(_))));
        let mut other = TrustFile { made: "2026-02-01T00:00:00Z".into(), ..trust };
        other.log =
            NoteSigner::new(&other.slug.log_origin(), KeyType::Ed25519, &[9; 32]).unwrap().verifier().clone();
        assert_eq!(check(&other), Err(TakeError::Other));
    }

    #[test]
    fn another_recovery_key_is_taken_with_its_line_and_neither_silently_nor_back() {
        let (mut trust, practice) = example();
        let recipient = |seed| crate::recovery::recipient(&[seed; 32]).unwrap();
        trust.recovery = recipient(1);
        let current = CurrentTrust::new(trust.clone(), &trust.sign(&practice).unwrap());
        let check = |trust: &TrustFile| current.check(&trust.sign(&practice).unwrap());
        let replaced = |next: &str, made: &str| {
            let mut trust = trust.clone();
            trust.replace_recovery(next, made, "the stick was lost").unwrap();
            trust
        };
        let next = replaced(&recipient(2), "2026-02-01T00:00:00Z");
        let silent = TrustFile { retired: Vec::new(), ..next.clone() };
        assert_eq!(check(&silent), Err(TakeError::OtherRecovery));
        let nobody = replaced(&format!("age1{}", "q".repeat(58)), "2026-02-01T00:00:00Z");
        assert!(matches!(check(&nobody), Err(TakeError::Unusable(_))));
        assert_eq!(check(&next), Ok(next.clone()));
        current.replace(next.clone(), &next.sign(&practice).unwrap());
        let back = TrustFile { made: "2026-03-01T00:00:00Z".into(), ..trust.clone() };
        assert_eq!(check(&back), Err(TakeError::OtherRecovery));
        assert_eq!(check(&replaced(&recipient(3), "2026-03-01T00:00:00Z")), Err(TakeError::OtherRecovery));
    }
}
