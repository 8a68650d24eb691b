//! `receipt`: the collector's newest acknowledgement as two files that stand without agent and collector.
//!
//! `<author>-<size>.note` is this machine's own signed note, `<author>-<size>.tlog-proof` shows it in the collector log
//! (c2sp.org/tlog-proof@v1). Whoever keeps them elsewhere can show later what the log key acknowledged, whatever
//! becomes of the log.

use std::path::{Path, PathBuf};

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::words;

use crate::identity::{IdentityError, IdentityFiles};
use crate::run::spool_path;
use crate::spool::position::{PositionError, PositionFile, Recalled};
use crate::whole_file::{Files, Readable, create_private_folder};

/// There is no receipt, or it could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The position.
    #[error(transparent)]
    Position(#[from] PositionError),
    /// Nothing was acknowledged yet.
    #[error("the collector has acknowledged nothing of this machine yet; see `ntk-agent status`")]
    Nothing,
    /// The file holds what does not verify.
    #[error(
        "the position of the spool is damaged: its receipt does not verify; keep a copy of the spool, and ask who changed it"
    )]
    Damaged,
    /// A file could not be written.
    #[error(
        "could not write `{path}`; check free space and permissions, or choose another folder with --out"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The two files, and what they say.
#[derive(Debug)]
pub struct Written {
    /// This machine's note.
    pub note: PathBuf,
    /// Its place in the collector log.
    pub proof: PathBuf,
    /// For people.
    pub sentence: String,
}

/// Writes the newest receipt of the agent in `dir` into the folder `out`.
pub fn write(dir: &Path, out: &Path, files: &dyn Files) -> Result<Written, ReceiptError> {
    let identity = IdentityFiles::of(dir).load(files)?;
    let recalled = PositionFile::of(&spool_path(dir)).read(files, &identity.trust)?;
    let position = match recalled {
        Recalled::Known(position) => position,
        Recalled::None => return Err(ReceiptError::Nothing),
        Recalled::Damaged => return Err(ReceiptError::Damaged),
    };
    let receipt = position.receipt.ok_or(ReceiptError::Nothing)?;
    let log = Checkpoint::unverified(receipt.checkpoint.as_bytes()).map_err(|_| ReceiptError::Damaged)?;
    let folder = |source| ReceiptError::Write { path: out.to_owned(), source };
    create_private_folder(out).map_err(folder)?;
    let stem = format!("{}-{}", identity.author.file_stem(), receipt.size);
    let (note, proof) = (out.join(format!("{stem}.note")), out.join(format!("{stem}.tlog-proof")));
    let written = |path: &PathBuf, text: &str| {
        let write = |source| ReceiptError::Write { path: path.clone(), source };
        files.replace(path, text.as_bytes(), Readable::ByOwner).map_err(write)
    };
    written(&note, &receipt.note)?;
    written(&proof, &receipt.proof().to_string())?;
    let sentence = format!(
        "the collector acknowledged {} entries of {} as leaf {} of its log of {}; that log in words: {}",
        receipt.size,
        identity.author,
        receipt.leaf_index,
        log.size,
        words::of_checkpoint(&log.text())
    );
    Ok(Written { note, proof, sentence })
}
