//! What vouches for the rest: the trust file, the practice key, the bundle's signature, the final checkpoint
//! and its witnesses.

use crate::bundle::bag::{Files, signed_text};
use crate::bundle::{CHECKPOINT, TAG_MANIFEST, TAG_MANIFEST_NOTE, TRUST};
use crate::checkpoint::Checkpoint;
use crate::checks::bag::Info;
use crate::checks::{Check, Faults, Status, log, quoted, weekly};
use crate::note::{NoteError, SignedNote};
use crate::trust::{TrustError, TrustFile, custodian, restored, succession};

/// The keys under which a bundle is judged: those of the given trust file, else the bundle's own.
pub(super) struct Anchor {
    trust: Option<TrustFile>,
    own: Option<TrustFile>,
}

/// The final checkpoint after its signature verified.
pub(super) struct FinalCheckpoint {
    pub(super) checkpoint: Checkpoint,
    pub(super) note: Vec<u8>,
}

impl Anchor {
    /// Reads both trust files: the checks trust-file and practice-key.
    pub(super) fn find(files: &Files, given: Option<&[u8]>, checks: &mut Vec<Check>) -> Self {
        let mut faults = Faults::default();
        let own = match files.get(TRUST).map(|bytes| TrustFile::parse(bytes)) {
            None => {
                faults.add(Status::Incomplete, format!("{TRUST} is missing"));
                None
            }
            Some(Err(error)) => {
                faults.add(status_of(&error), format!("{TRUST} cannot be used: {}", told(&error)));
                None
            }
            Some(Ok(own)) => Some(own),
        };
        let given = given.map(TrustFile::parse);
        if let Some(Err(error)) = &given {
            faults.add(
                Status::NotVerifiable,
                format!("the trust file that was given cannot be used: {}", told(error)),
            );
        }
        let whose = if matches!(given, Some(Ok(_))) {
            "the trust file that was given"
        } else {
            "the bundle's own trust file"
        };
        let says = given.as_ref().and_then(|given| given.as_ref().ok()).or(own.as_ref());
        let custodians = says.map(|trust| custodian::in_words(&trust.custodians)).unwrap_or_default();
        let before = says.map(|trust| succession::in_words(&trust.succeeded, &trust.practice_key));
        let restored = says.map(|trust| restored::in_words(&trust.restored)).unwrap_or_default();
        checks.push(faults.into_check("trust-file", || {
            let said = [custodians, before.unwrap_or_default(), restored]
                .into_iter()
                .filter(|said| !said.is_empty());
            let said: Vec<String> = said.collect();
            format!("{whose} is signed by the practice key that it names. {}", said.join(" "))
                .trim_end()
                .to_owned()
        }));

        let mut faults = Faults::default();
        let trust = match given {
            Some(Ok(given)) => {
                match &own {
                    None => faults.add(
                        Status::Incomplete,
                        "the bundle does not say under which practice key it stands",
                    ),
                    // One of before a hand-over: the key that it stands under named the way to the given one.
                    Some(own) if given.leads_from(own) => {}
                    Some(own) if own.leads_from(&given) => {
                        let words = own.practice_words();
                        faults.add(Status::NotVerifiable, format!("the bundle stands under a later practice key, {words}, of which the trust file that was given does not know yet: take the newer one from another source than the bundle, and compare these words with a printed report"));
                    }
                    Some(own) if own.practice_key != given.practice_key || own.slug != given.slug => {
                        let words = own.practice_words();
                        faults.add(Status::NotVerifiable, format!("the bundle stands under another practice key than the one that was given: {words}"));
                    }
                    Some(_) => {}
                }
                Some(given)
            }
            // A trust file that was given and cannot be used must not be replaced by the bundle's own word.
            Some(Err(_)) => {
                faults.add(
                    Status::NotVerifiable,
                    "no practice key can be taken from the trust file that was given",
                );
                None
            }
            None => {
                faults.add(
                    Status::NotVerifiable,
                    match &own {
                        Some(own) => format!(
                            "consistent in itself; nobody vouched for key {}: compare with a printed report",
                            own.practice_words()
                        ),
                        None => "no practice key is known".to_owned(),
                    },
                );
                own.clone()
            }
        };
        let words = trust.as_ref().map(TrustFile::practice_words).unwrap_or_default();
        checks.push(faults.into_check("practice-key", || {
            let is_before = own
                .as_ref()
                .zip(trust.as_ref())
                .is_some_and(|(own, given)| own.practice_key != given.practice_key);
            let how = if is_before {
                "a key before the practice key that was given, which it named as the next"
            } else {
                "the practice key that was given"
            };
            format!("the bundle stands under {how}: {words}")
        }));
        Self { trust, own }
    }

    /// The trust file that counts.
    pub(super) const fn trust(&self) -> Option<&TrustFile> {
        self.trust.as_ref()
    }

    /// The bundle's own trust file.
    pub(super) const fn own(&self) -> Option<&TrustFile> {
        self.own.as_ref()
    }

    /// The check bundle-signature.
    pub(super) fn bundle_signature(&self, files: &Files) -> Check {
        let mut faults = Faults::default();
        match (files.get(TAG_MANIFEST), files.get(TAG_MANIFEST_NOTE), &self.trust) {
            (None, _, _) => faults.add(Status::Incomplete, format!("{TAG_MANIFEST} is missing")),
            (_, None, _) => faults
                .add(Status::Incomplete, format!("{TAG_MANIFEST_NOTE} is missing: the bundle is not signed")),
            (_, _, None) => faults.add(Status::NotVerifiable, "no key is known for the bundle's signature"),
            (Some(manifest), Some(note), Some(trust)) => {
                // Exactly one signature: nothing covers this file, so nothing else may stand in it.
                let one = |note: &SignedNote| note.signatures().len() == 1;
                match SignedNote::parse(note) {
                    Err(error) => faults.add(Status::Altered, format!("{TAG_MANIFEST_NOTE}: {error}")),
                    Ok(note) if !one(&note) => faults
                        .add(Status::Altered, format!("{TAG_MANIFEST_NOTE} has more than one signature")),
                    Ok(note) => match note.verified_by(&trust.bundle) {
                        Err(error) => {
                            faults.add(status_of_note(&error), format!("{TAG_MANIFEST_NOTE}: {error}"))
                        }
                        Ok(text) if text != signed_text(trust.bundle.name(), manifest) => {
                            faults.add(Status::Altered, "the bundle key signed another tag manifest");
                        }
                        Ok(_) => {}
                    },
                }
            }
        }
        faults.into_check("bundle-signature", || {
            "the bundle key of the trust file signed the tag manifest".to_owned()
        })
    }

    /// The check checkpoint, and the checkpoint where its signature verified.
    pub(super) fn checkpoint(&self, files: &Files, info: Option<&Info>) -> (Option<FinalCheckpoint>, Check) {
        let mut faults = Faults::default();
        let seen = match (files.get(CHECKPOINT), &self.trust) {
            (None, _) => {
                faults.add(Status::Incomplete, format!("{CHECKPOINT} is missing"));
                None
            }
            (_, None) => {
                faults.add(Status::NotVerifiable, "no key is known for the log's checkpoint");
                None
            }
            (Some(note), Some(trust)) => match log::checkpoint(note, trust) {
                Ok(checkpoint) => Some(FinalCheckpoint { checkpoint, note: note.clone() }),
                Err((status, wrong)) => {
                    faults.add(status, format!("{CHECKPOINT}: {wrong}"));
                    if self.own.as_ref().and_then(|own| own.since(trust)).is_some_and(|new| !new.is_empty()) {
                        faults.add(status, "the trust file that was given is older than a restore which the bundle's own announces: ask the practice for today's");
                    }
                    None
                }
            },
        };
        if let Some(Checkpoint { origin, size, root }) = seen.as_ref().map(|seen| &seen.checkpoint) {
            let expected = [
                ("Log-Origin", origin.clone()),
                ("Log-Size", size.to_string()),
                ("Log-Root", root.to_base64()),
            ];
            for (label, value) in expected {
                match info.and_then(|info| info.one(label)) {
                    None => {
                        faults.add(Status::Incomplete, format!("bag-info.txt has not exactly one {label}"))
                    }
                    Some(noted) if noted != value => {
                        faults.add(
                            Status::Altered,
                            format!("bag-info.txt has {label} {}, the checkpoint another", quoted(noted)),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
        let size = seen.as_ref().map_or(0, |seen| seen.checkpoint.size);
        let (weekly, continued) = match (&seen, &self.trust) {
            (Some(seen), Some(trust)) => (
                weekly::judge(files, trust, &seen.checkpoint, &mut faults),
                log::continues(files, trust, &seen.checkpoint, &mut faults),
            ),
            _ => (0, Vec::new()),
        };
        let mut also = match weekly {
            0 => String::new(),
            1 => "; one weekly checkpoint leads to it".to_owned(),
            n => format!("; {n} weekly checkpoints lead to it"),
        };
        for size in continued {
            also.push_str(&format!("; it continues the log that was closed at {size}"));
        }
        let check = faults.into_check("checkpoint", || {
            format!(
                "the log key signed the final checkpoint of size {size}, which bag-info.txt names too{also}"
            )
        });
        (seen, check)
    }
}

/// A signature that fails is an alteration; a key that is not the asked one vouches for nothing.
fn status_of_note(error: &NoteError) -> Status {
    match error {
        NoteError::Form(_) | NoteError::Key(_) | NoteError::BadSignature(_) => Status::Altered,
        NoteError::NotSigned(_) => Status::NotVerifiable,
    }
}

fn status_of(error: &TrustError) -> Status {
    match error {
        TrustError::Note(error) => status_of_note(error),
        TrustError::OtherPractice(_) => Status::NotVerifiable,
        TrustError::Line { .. } | TrustError::Name(_) => Status::Altered,
    }
}

/// How a checkpoint's error counts.
pub(super) fn status_of_checkpoint(error: &crate::checkpoint::CheckpointError) -> Status {
    match error {
        crate::checkpoint::CheckpointError::Note(error) => status_of_note(error),
        crate::checkpoint::CheckpointError::Form | crate::checkpoint::CheckpointError::OtherOrigin { .. } => {
            Status::Altered
        }
    }
}

fn told(error: &TrustError) -> String {
    error.to_string().chars().map(|c| if c.is_control() { '?' } else { c }).take(200).collect()
}
