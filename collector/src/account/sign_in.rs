//! A sign-in: name, passphrase, and a code of the second factor; what fits is told only as a whole.

use jiff::Timestamp;

use super::{Account, AccountError, Accounts, Role, WRONG_MAX, secret, totp};
use crate::reviewer::{Passphrase, ReviewerError, Reviewers};

/// What somebody typed.
#[derive(Clone, Debug)]
pub struct Given {
    /// Id of the person.
    pub name: String,
    /// Their passphrase.
    pub passphrase: Passphrase,
    /// A code of the app, or a recovery code.
    pub code: String,
}

/// How a sign-in ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are who they say.
    SignedIn {
        /// What they may do.
        role: Role,
        /// How many recovery codes are left, where one of them was used.
        recovery_left: Option<usize>,
    },
    /// Something did not fit; what, is for nobody to know.
    Wrong {
        /// Whose account it is, where the name is one.
        person: Option<String>,
        /// Whether this attempt locked it.
        locks: bool,
    },
}

impl Accounts {
    /// Tries a sign-in. Takes a good part of a second whatever the name: not on a thread that serves others.
    pub fn sign_in(
        &self,
        reviewers: &Reviewers,
        given: &Given,
        now: Timestamp,
    ) -> Result<Outcome, AccountError> {
        let Some(locks) = self.begin_attempt(&given.name, now)? else {
            // As slow as a name that has an account.
            Reviewers::spend(&given.passphrase);
            let person = self.get(&given.name)?.map(|_| given.name.clone());
            return Ok(Outcome::Wrong { person, locks: false });
        };
        let wrong = Outcome::Wrong { person: Some(given.name.clone()), locks };
        match reviewers.verify(&given.name, &given.passphrase, now) {
            Ok(_) => {}
            Err(ReviewerError::Home(error)) => return Err(error.into()),
            Err(ReviewerError::Form(error)) => return Err(AccountError::Form(error)),
            Err(ReviewerError::None(_) | ReviewerError::Older(_) | ReviewerError::TooMany(_)) => {
                Reviewers::spend(&given.passphrase);
                return Ok(wrong);
            }
            Err(ReviewerError::Wrong(_) | ReviewerError::Weak | ReviewerError::Hash(_)) => return Ok(wrong),
        }
        Ok(self.end_attempt(given, now, locks)?.unwrap_or(wrong))
    }

    /// INVARIANT AC-1: counts the attempt; whether it is the one that locks, or nothing where none is allowed.
    fn begin_attempt(&self, name: &str, now: Timestamp) -> Result<Option<bool>, AccountError> {
        match self.get(name)? {
            Some(account) if account.locked.is_none() && account.second_factor.is_some() => {}
            _ => return Ok(None),
        }
        self.change(|stored| {
            let account = stored.account(name)?;
            if account.locked.is_some() {
                return Ok(None);
            }
            account.wrong = account.wrong.saturating_add(1);
            let locks = account.wrong >= WRONG_MAX;
            account.locked = locks.then_some(now);
            Ok(Some(locks))
        })
    }

    /// The passphrase was right: what the code says. INVARIANT AC-2: its use is written before it counts.
    fn end_attempt(
        &self,
        given: &Given,
        now: Timestamp,
        locks: bool,
    ) -> Result<Option<Outcome>, AccountError> {
        self.change(|stored| {
            let account = stored.account(&given.name)?;
            let Some(recovery_left) = use_code(account, &given.code, now) else { return Ok(None) };
            account.wrong = 0;
            if locks {
                account.locked = None;
            }
            Ok(Some(Outcome::SignedIn { role: account.role.clone(), recovery_left }))
        })
    }
}

/// Uses a code; how many recovery codes are left where it was one of them.
fn use_code(account: &mut Account, code: &str, now: Timestamp) -> Option<Option<usize>> {
    let factor = account.second_factor.as_mut()?;
    if let Some(step) = totp::accept(&factor.secret, code, now.as_second(), factor.last_used) {
        factor.last_used = Some(step);
        return Some(None);
    }
    let hash = secret::hash(&secret::typed(code));
    let at = factor.recovery.iter().position(|have| secret::is_same(have, &hash))?;
    factor.recovery.remove(at);
    Some(Some(factor.recovery.len()))
}
