//! A trust file that another collector of the same database put in force: its act comes with the ledger, the file does not.
//!
//! The act is no more than where the text is found. What counts is asked of the practice key, as of a text that somebody brings
//! ([`CurrentTrust::check`]): whoever writes acts changes nobody's trust file. A crash between file and act leaves what it
//! leaves at a hand-over here: the next look, or the next start, goes on.

use std::sync::Arc;
use std::time::Duration;

use ntk_evidence::time::Moment;
use ntk_evidence::trust::TrustFile;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::trust::{CurrentTrust, TakeError};
use crate::app::App;
use crate::at_rest::AtRestError;
use crate::at_rest::convert::for_recovery;
use crate::home::{Home, HomeError, write_file};
use crate::turns::every;

/// How often the ledger is asked. A machine that is let in meanwhile hears of the newer file with the next round.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A newer trust file is not in force here.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// The practice key does not vouch for it.
    #[error("an act names a trust file that is not taken over: {0}")]
    Refused(#[from] TakeError),
    /// It could not be written.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// It is in force, and the data key still encrypted to the former recovery key.
    #[error("the trust file is in force; the next start encrypts the data key to its recovery key")]
    AtRest(#[from] AtRestError),
}

/// Puts this text in force here where it is newer than what is; whether it was.
pub fn take_over(current: &CurrentTrust, home: &Home, text: &str) -> Result<bool, ElsewhereError> {
    let (held, held_text) = current.now();
    let made = |trust: &TrustFile| Moment::parse(&trust.made);
    // Most acts are of this file, or of one before it: of a log that was closed since, too.
    let is_newer = |next: &TrustFile| made(next) > made(&held);
    if *text == *held_text || TrustFile::parse(text.as_bytes()).is_ok_and(|next| !is_newer(&next)) {
        return Ok(false);
    }
    let next = current.check(text)?;
    write_file(&home.trust(), text.as_bytes(), 0o644)?;
    current.replace(next.clone(), text);
    for_recovery(home, &next)?;
    Ok(true)
}

/// Looks once, and says what it did; a text that was refused is named once.
pub fn look(app: &App, refused: &mut Option<Arc<str>>) {
    let published = app.ledger.published();
    let Some(text) = published.registry.trusted.as_deref() else { return };
    if refused.as_deref() == Some(text) {
        return;
    }
    match take_over(&app.trust, &app.practice.home, text) {
        Ok(false) => {}
        Ok(true) => {
            info!("a trust file that another collector of this practice put in force is in force here, too")
        }
        Err(failure) => {
            warn!(reason = %crate::error_chain(&failure), "the trust file of this collector stays as it was");
            // A disk may have room again at the next look; a text does not change.
            if matches!(failure, ElsewhereError::Refused(_)) {
                *refused = Some(Arc::from(text));
            }
        }
    }
}

/// Looks until stopped, where collectors share a database; elsewhere nobody else puts a trust file in force.
pub async fn run(app: App, stop: CancellationToken) {
    if app.practice.config.store.is_none() {
        return;
    }
    let mut turns = every(LOOK_EVERY, &stop);
    let mut refused = None;
    while turns.next().await {
        let looking = app.clone();
        let mut remembered = refused.take();
        let looked = tokio::task::spawn_blocking(move || {
            look(&looking, &mut remembered);
            remembered
        });
        refused = looked.await.unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::tests::example;
    use ntk_evidence::note::{KeyType, NoteSigner};

    fn practice() -> (tempfile::TempDir, Home, CurrentTrust, TrustFile, NoteSigner) {
        let (mut trust, signer) = example();
        trust.recovery = crate::recovery::recipient(&[1; 32]).unwrap();
        let text = trust.sign(&signer).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path());
        std::fs::write(home.trust(), &text).unwrap();
        (scratch, home, CurrentTrust::new(trust.clone(), &text), trust, signer)
    }

    fn on_disk(home: &Home) -> String {
        std::fs::read_to_string(home.trust()).unwrap()
    }

    #[test]
    fn a_newer_trust_file_is_taken_over_once_and_an_older_one_changes_nothing() {
        let (_scratch, home, current, trust, signer) = practice();
        let before = on_disk(&home);
        let mut next = trust;
        let recipient = crate::recovery::recipient(&[2; 32]).unwrap();
        next.replace_recovery(&recipient, "2026-02-01T00:00:00Z", "a stick was lost").unwrap();
        let text = next.sign(&signer).unwrap();
        assert!(!take_over(&current, &home, &before).unwrap(), "the same");
        assert!(take_over(&current, &home, &text).unwrap());
        assert_eq!((on_disk(&home), current.now().0.recovery.clone()), (text.clone(), recipient));
        assert!(!take_over(&current, &home, &text).unwrap() && !take_over(&current, &home, &before).unwrap());
        assert_eq!(on_disk(&home), text, "what was before it is not put back");
    }

    #[test]
    fn an_act_alone_puts_no_trust_file_in_force() {
        let (_scratch, home, current, trust, signer) = practice();
        let before = on_disk(&home);
        let newer = TrustFile { made: "2026-02-01T00:00:00Z".into(), ..trust };
        let stranger = NoteSigner::new(&newer.slug.practice_name(), KeyType::Ed25519, &[66; 32]).unwrap();
        let silent = TrustFile { recovery: crate::recovery::recipient(&[2; 32]).unwrap(), ..newer.clone() };
        for text in [
            newer.sign(&stranger).unwrap(),
            silent.sign(&signer).unwrap(),
            newer.sign(&signer).unwrap().replace("2026-02-01", "2026-02-02"),
            "none".to_owned(),
            String::new(),
        ] {
            assert!(matches!(take_over(&current, &home, &text), Err(ElsewhereError::Refused(_))), "{text}");
            assert_eq!((on_disk(&home).as_str(), &*current.now().1), (before.as_str(), before.as_str()));
        }
    }

    #[test]
    fn what_could_not_be_written_is_not_in_force_and_what_was_written_unheard_is_at_the_next_look() {
        let (scratch, home, current, trust, signer) = practice();
        let before = on_disk(&home);
        let text = TrustFile { made: "2026-02-01T00:00:00Z".into(), ..trust }.sign(&signer).unwrap();
        // Not written: the folder is gone.
        let gone = Home::new(scratch.path().join("gone"));
        assert!(matches!(take_over(&current, &gone, &text), Err(ElsewhereError::Home(_))));
        assert_eq!(*current.now().1, *before, "not in force");
        // Written though reported failed: what is on disk is what is put there again.
        std::fs::write(home.trust(), &text).unwrap();
        assert!(take_over(&current, &home, &text).unwrap());
        assert_eq!((on_disk(&home).as_str(), &*current.now().1), (text.as_str(), text.as_str()));
    }
}
