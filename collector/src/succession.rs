//! The keys' successors: made, written where they are kept, read back, and only then named. The next practice key is named by
//! the key before it, the next recovery key by the practice key ([`Renewed`] says which are made anew).
//!
//! # What a crash leaves
//! 1. Before the first copy: nothing.
//! 2. Between the copies, or behind the last: the former key in force, and a new one that signed nothing. The same command
//!    again finds the copies that are there and goes on with their key ([`next_of`]); words on paper are made anew.
//! 3. Behind the act, before `trust.txt`: the former key in force; the act holds a trust file that is not. The same
//!    command signs once more, with a later time.
//! 4. Behind `trust.txt`: the new key in force. The same command says so. Where what is stored is encrypted, its data key is
//!    still encrypted to the former recovery key: the next start encrypts it to the new one.
//!
//! The former key is needed for nothing after that: its word for the next one stands in the trust file, which whoever was
//! away follows ([`TrustFile::leads_from`]). The former recovery key opens what was encrypted to it before; what that is, and what
//! can be done about it, [`told`] says.

use std::path::PathBuf;

use ntk_evidence::note::NoteError;
use ntk_evidence::program::{Announcement, AnnouncementError};
use ntk_evidence::trust::retired::NotRetired;
use ntk_evidence::trust::succession::NotSucceeded;
use ntk_evidence::trust::{TrustError, TrustFile};
use zeroize::Zeroizing;

use crate::home::{HomeError, random, read_text};
use crate::init::{InitError, OnPaper, write_copy};
use crate::keys_file::paper::PaperError;
use crate::keys_file::{Found, Secret, TakenAway, check, secret};
use crate::recovery::RecoveryError;

/// Which keys are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The practice key.
    Practice,
    /// The recovery key.
    Recovery,
    /// Both.
    Both,
}

impl Renewed {
    /// Which of the two.
    pub const fn secrets(self) -> &'static [Secret] {
        match self {
            Self::Practice => &[Secret::Practice],
            Self::Recovery => &[Secret::Recovery],
            Self::Both => &Secret::BOTH,
        }
    }

    fn has(self, which: Secret) -> bool {
        self.secrets().contains(&which)
    }
}

/// What a person decides.
#[derive(Clone, Copy, Debug)]
pub struct HandOver<'h> {
    /// The trust file in force.
    pub held: &'h TrustFile,
    /// Which keys are made anew.
    pub renewed: Renewed,
    /// The text of the file that holds the two keys of now; the practice key is enough where the recovery key is made anew.
    pub keys: &'h str,
    /// Where the keys of then go: files of a whole copy each; none where they are on paper alone.
    pub to: &'h [PathBuf],
    /// When, RFC 3339; later than the trust file in force.
    pub made: &'h str,
    /// Why, in one line.
    pub why: &'h str,
    /// Programs that the former key announced, as it signed them.
    pub announced: &'h [String],
}

/// What the keys signed; nothing of it is in force yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The next trust file.
    pub trust: TrustFile,
    /// Its text, signed by the practice key of then.
    pub text: String,
    /// The announced programs, signed again by a new practice key.
    pub programs: Vec<String>,
}

/// The practice key was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// The file of now holds other keys.
    #[error(
        "the file does not hold both keys of {0}; take the whole file of `init`, or make it of the paper words with `keys from-words`"
    )]
    NotTheKeys(String),
    /// The file of now holds a key that handed over before.
    #[error(
        "the practice key in the file handed over on {0} already, and signs nothing any more; destroy it"
    )]
    Former(String),
    /// The file of now holds a recovery key that was replaced before.
    #[error(
        "the recovery key in the file was replaced on {0} already; take the file with the one in force, or have it replaced as well"
    )]
    FormerRecovery(String),
    /// Neither a file nor paper.
    #[error(
        "the new keys would be nowhere; name a file with --new-keys, or take them with --new-keys-on-paper"
    )]
    Nowhere,
    /// A file for the new keys is there and holds none that could go on.
    #[error(
        "`{0}` is there already and holds no new keys of an attempt before; name another file, nothing was changed"
    )]
    There(String),
    /// Two files for the new keys hold different ones.
    #[error(
        "`{0}` holds other new keys than the file named before it; name other files, nothing was changed"
    )]
    Differ(String),
    /// Copies, paper.
    #[error(transparent)]
    Copy(#[from] InitError),
    /// The words were not copied onto paper.
    #[error(transparent)]
    Paper(#[from] PaperError),
    /// Files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The reason or the time.
    #[error("the hand-over cannot be signed: {0}")]
    Succession(#[from] NotSucceeded),
    /// The reason or the time, for the recovery key.
    #[error("that the recovery key is replaced cannot be signed: {0}")]
    Retired(#[from] NotRetired),
    /// The next trust file would be refused.
    #[error("the next trust file would be refused: {0}")]
    Trust(#[from] TrustError),
    /// An announced program.
    #[error("an announced program cannot be signed again: {0}")]
    Program(#[from] AnnouncementError),
    /// A key.
    #[error("a key cannot be used")]
    Note(#[from] NoteError),
    /// The recovery key.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

/// Makes the new keys, writes and reads back every copy, and has the keys sign. Nothing is in force after that.
pub fn hand_over(order: HandOver<'_>, on_paper: Option<OnPaper<'_>>) -> Result<Signed, HandOverError> {
    let HandOver { held, to, renewed, .. } = order;
    if to.is_empty() && on_paper.is_none() {
        return Err(HandOverError::Nowhere);
    }
    let now = keys_of_now(order.keys, held, renewed)?;
    let found = next_of(to, &now, held, renewed)?;
    let next = match found {
        Some(next) => next,
        None => {
            let fresh = || -> Result<Zeroizing<[u8; 32]>, HomeError> { Ok(Zeroizing::new(random()?)) };
            let mut next = now.clone();
            if renewed.has(Secret::Practice) {
                next = next.with_practice(*fresh()?);
            }
            if renewed.has(Secret::Recovery) {
                next = next.with_recovery(*fresh()?);
            }
            next
        }
    };
    let (former, signer) = (now.signer(&held.slug)?, next.signer(&held.slug)?);
    let mut trust = held.clone();
    if renewed.has(Secret::Practice) {
        trust.hand_over(&former, &signer, order.made, order.why)?;
    }
    if renewed.has(Secret::Recovery) {
        trust.replace_recovery(&next.recipient()?, order.made, order.why)?;
    }
    let text = trust.sign(&signer)?;
    // What everybody would refuse is found out before anything is written.
    TrustFile::parse(text.as_bytes())?;
    let again = |text: &String| {
        let one = Announcement::parse(text.as_bytes(), &held.slug, &held.practice_key)?;
        Announcement { made: order.made.to_owned(), ..one }.sign(&signer)
    };
    // What the practice key in force announced stays announced.
    let announced = if renewed.has(Secret::Practice) { order.announced } else { &[] };
    let programs = announced.iter().map(again).collect::<Result<_, _>>()?;
    // Paper first, as at `init`.
    if let Some(on_paper) = on_paper {
        on_paper(&next, &trust)?;
    }
    let file = Zeroizing::new(next.file(&trust.practice, &trust.slug, signer.verifier().public_bytes())?);
    for place in to.iter().filter(|place| !place.exists()) {
        write_copy(place, &file)?;
    }
    for place in to {
        if *Zeroizing::new(read_text(place)?) != *file {
            return Err(HandOverError::Differ(place.display().to_string()));
        }
    }
    Ok(Signed { trust, text, programs })
}

/// When the key of a text handed over, if it is a former one of this practice.
pub fn handed_over<'t>(keys: &TakenAway, trust: &'t TrustFile) -> Option<&'t str> {
    let signer = keys.signer(&trust.slug).ok()?;
    let former = trust.succeeded.iter().find(|one| one.former == *signer.verifier());
    former.map(|one| one.made.as_str())
}

/// The keys of now. A recovery key that is made anew may be missing: it is lost, or kept elsewhere.
fn keys_of_now(text: &str, held: &TrustFile, renewed: Renewed) -> Result<TakenAway, HandOverError> {
    let other = || HandOverError::NotTheKeys(held.slug.to_string());
    let practice = Zeroizing::new(secret(text, Secret::Practice).ok_or_else(other)?);
    // Nothing is made of a recovery key that is missing: the next one takes its place.
    let recovery = TakenAway::read(text).unwrap_or_else(|| TakenAway::new(*practice, [0; 32]));
    match check(text, held) {
        [Found::Ours, Found::Ours] => Ok(recovery),
        [Found::Ours, Found::Absent | Found::Former] if renewed.has(Secret::Recovery) => Ok(recovery),
        [Found::Ours, Found::Former] => {
            let recipient = recovery.recipient()?;
            let former = held.retired.iter().find(|one| one.recipient == recipient);
            Err(HandOverError::FormerRecovery(former.map(|one| one.made.clone()).unwrap_or_default()))
        }
        [Found::Former, _] => match handed_over(&TakenAway::new(*practice, [0; 32]), held) {
            Some(when) => Err(HandOverError::Former(when.to_owned())),
            None => Err(other()),
        },
        _ => Err(other()),
    }
}

/// The new keys that an attempt before wrote to one of these places; none where nothing is there.
fn next_of(
    to: &[PathBuf],
    now: &TakenAway,
    held: &TrustFile,
    renewed: Renewed,
) -> Result<Option<TakenAway>, HandOverError> {
    let mut found: Option<TakenAway> = None;
    for place in to.iter().filter(|place| place.exists()) {
        let name = || place.display().to_string();
        let text = Zeroizing::new(read_text(place)?);
        let there = TakenAway::read(&text).ok_or_else(|| HandOverError::There(name()))?;
        let signer = there.signer(&held.slug)?;
        let is_practice = if renewed.has(Secret::Practice) {
            *signer.verifier() != held.practice_key && handed_over(&there, held).is_none()
        } else {
            there.is_same_practice(now)
        };
        let is_recovery = if renewed.has(Secret::Recovery) {
            let recipient = there.recipient()?;
            recipient != held.recovery && held.retired.iter().all(|one| one.recipient != recipient)
        } else {
            there.is_same_recovery(now)
        };
        let file = there.file(&held.practice, &held.slug, signer.verifier().public_bytes())?;
        // The whole file, and the key of now that stays: keys of another practice are none of an attempt before.
        if !is_practice || !is_recovery || *Zeroizing::new(file) != *text {
            return Err(HandOverError::There(name()));
        }
        let is_same =
            |earlier: &TakenAway| earlier.is_same_practice(&there) && earlier.is_same_recovery(&there);
        if !found.as_ref().is_none_or(is_same) {
            return Err(HandOverError::Differ(name()));
        }
        found = Some(there);
    }
    Ok(found)
}

/// What a person is told when the new keys are in force.
pub fn told(signed: &Signed, former: &TrustFile, renewed: Renewed) -> String {
    let mut said = String::new();
    if renewed.has(Secret::Practice) {
        said.push_str(&told_of_practice(signed, former, renewed));
    }
    if renewed.has(Secret::Recovery) {
        said.push_str(&told_of_recovery(&signed.trust, former));
    }
    said.push_str("Give the new trust.txt to whoever checks bundles");
    said.push_str(match renewed {
        Renewed::Recovery => ", and keep a copy beside each stick: `restore` may ask for it.\n",
        _ => ", and compare the new twelve words with the next report.\n",
    });
    said
}

fn told_of_practice(signed: &Signed, former: &TrustFile, renewed: Renewed) -> String {
    let programs = match signed.programs.len() {
        0 => String::new(),
        1 => "The announced program was signed again by the new key.\n".to_owned(),
        n => format!("The {n} announced programs were signed again by the new key.\n"),
    };
    let recovery = match renewed {
        Renewed::Practice => {
            "The recovery key is the same as before:\n\
             if somebody else had the stick or paper, have it replaced, too (`keys replace-recovery`).\n"
        }
        _ => {
            "Of a file with both keys\nkeep the line `recovery key` in a file of its own first, as said below.\n"
        }
    };
    format!(
        "In force now. The practice key handed over.\n  former  {}\n  new     {}\n{programs}\
         Agents take it when they hear of it, from the former key's own word; each makes an entry of that.\n\
         Destroy every copy of the former key now, on sticks and on paper: nothing needs it any more, and who finds it\n\
         could name another key to whoever has not heard. {recovery}",
        former.practice_words(),
        signed.trust.practice_words(),
    )
}

fn told_of_recovery(trust: &TrustFile, former: &TrustFile) -> String {
    format!(
        "In force now. The recovery key was replaced.\n  former  {}\n  new     {}\n\
         Machines put away for the new key as soon as they hear of it; the next copy outside is encrypted to it as a whole,\n\
         and so is the data key, where what is stored is encrypted.\n\
         What the FORMER recovery key still opens, for whoever has it and the files:\n\
         - what machines put away before: it stays there for 90 days or 1 GiB, unless agent.toml says otherwise;\n\
         - the copy outside as it lies there until the next one is done (`off-site now`), and earlier versions of it for as\n  \
           long as that place keeps them;\n\
         - at-rest.json in earlier backups, with the same data key as now.\n\
         Keep ONE copy of the former recovery key until the copy outside is done and those 90 days are over: `restore`,\n\
         `take-back` and `refill` take it with --former-keys. Its line `recovery key` alone is enough. Then destroy it.\n\
         If somebody else has it: run `off-site now`, have earlier versions there deleted, remove what machines put away\n\
         before (`ntk-agent kept` lists it) where you can do without, and make a new data key: `at-rest off`, `at-rest on`.\n",
        former.recovery, trust.recovery,
    )
}

#[cfg(test)]
mod tests;
