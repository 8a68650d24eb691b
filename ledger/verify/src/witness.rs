//! A witness in one file, for the manager's USB stick: its cosigning key, the log's key, the newest checkpoint.
//!
//! State: `ntk-verify witness v1`, `key <seed hex>`, `name <name>`, `log <vkey>`, an empty line, then the note
//! of the newest checkpoint, if any. Behind an announced restore, until the log that goes on was seen, one more line after
//! `log`: `before <vkey>`, the key of the log that signed the note, or `restored ...`, the trust file's line, where the note
//! was beyond what it covers; that note is kept beside (`.closed-<size>`). The state is replaced by rename, file and folder synced, BEFORE a
//! cosignature leaves; a crash before that leaves the old state, a crash after it a cosignature not sent. A
//! lock file beside it keeps two processes from answering from one state.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::name::Slug;
use ntk_evidence::note::{KeyType, NoteError, NoteSigner, VerifierKey};
use ntk_evidence::receipt::{ReceiptError, SeenCheckpoint};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::trust::restored::Restored;
use ntk_evidence::witness::{AddCheckpoint, WitnessError, consider};

const MAGIC: &str = "ntk-verify witness v1";

/// Something went wrong; the exit code tells whose turn it is.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system said no.
    #[error("could not read or write `{path}`; check the folder, free space and permissions")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state file is not one.
    #[error(
        "`{0}` is not a witness's state file; a damaged one must be replaced by a new key, so keep a copy of the old"
    )]
    Form(PathBuf),
    /// The first use needs the log's key.
    #[error("`{0}` is new: give the log's key with --trust FILE or --log-key VKEY")]
    NeedsLog(PathBuf),
    /// Another log than the one that is remembered.
    #[error("this witness watches `{remembered}`, not the log key that was given; use another state file")]
    OtherLog {
        /// The remembered log key.
        remembered: String,
    },
    /// The key or name cannot be used.
    #[error("the witness's name or key cannot be used: {0}")]
    Key(#[from] NoteError),
    /// The trust file closes the log where this witness remembers something else.
    #[error(
        "the trust file names another root at {0} batches than this witness remembers: keep both, and ask the practice"
    )]
    OtherRoot(u64),
    /// The request was refused.
    #[error(transparent)]
    Refused(#[from] WitnessError),
}

impl StateError {
    /// 1 when the answer is no, 64 for usage and I/O.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::OtherRoot(_) => 1,
            Self::Io { .. } | Self::Form(_) | Self::NeedsLog(_) | Self::OtherLog { .. } | Self::Key(_) => 64,
        }
    }
}

/// A witness with its state file locked.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    seed: [u8; 32],
    signer: NoteSigner,
    log: VerifierKey,
    seen: Option<SeenCheckpoint>,
    under: Under,
    _lock: fs::File,
}

/// Who vouches for what is remembered.
#[derive(Debug)]
enum Under {
    /// The log that is watched.
    Log,
    /// A log that was closed at that size or later.
    Before(Box<VerifierKey>),
    /// The practice key: what was seen beyond is void.
    Announced(Box<Restored>),
}

impl Witness {
    /// Opens the state file, or makes it: `log` is needed then, and `id` becomes part of the key's name.
    pub fn open(path: &Path, log: Option<VerifierKey>, id: &str) -> Result<Self, StateError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { path, source }
        };
        let beside = with_suffix(path, ".lock");
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&beside)
            .map_err(io(&beside))?;
        lock.lock().map_err(io(&beside))?;
        match fs::read(path) {
            Ok(bytes) => {
                let witness =
                    Self::parse(path, &bytes, lock).ok_or_else(|| StateError::Form(path.to_owned()))?;
                match log {
                    Some(log) if log != witness.log => {
                        Err(StateError::OtherLog { remembered: witness.log.to_string() })
                    }
                    _ => Ok(witness),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let log = log.ok_or_else(|| StateError::NeedsLog(path.to_owned()))?;
                let mut seed = [0; 32];
                let random = Path::new("/dev/urandom");
                fs::File::open(random).and_then(|mut file| file.read_exact(&mut seed)).map_err(io(random))?;
                let slug = log
                    .name()
                    .strip_suffix("/log")
                    .ok_or(NoteError::Key("a log key is named `<practice>/log`"))?;
                let signer = NoteSigner::new(&format!("{slug}/witness/{id}"), KeyType::CosignatureV1, &seed)?;
                let under = Under::Log;
                let witness =
                    Self { path: path.to_owned(), seed, signer, log, seen: None, under, _lock: lock };
                witness.persist()?;
                Ok(witness)
            }
            Err(source) => Err(StateError::Io { path: path.to_owned(), source }),
        }
    }

    /// The verifier key, for `ntk-collector trust sign --witness VKEY`.
    pub const fn key(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// The size of the newest checkpoint that this witness cosigned; 0 for none.
    pub fn size(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.checkpoint().size)
    }

    /// The restores by which this trust file leads from the log that is watched to another one; none where it does not.
    ///
    /// The state holds no practice key: whoever asks compares its words before [`Self::go_on`].
    pub fn announced<'a>(&self, trust: &'a TrustFile) -> &'a [Restored] {
        let at = trust.restored.iter().position(|closed| closed.log == self.log);
        at.and_then(|at| trust.restored.get(at..)).unwrap_or_default()
    }

    /// Goes on with the log of this trust file, which announces that the one watched until now was closed.
    ///
    /// What was seen up to the size at which it was closed stays; what was seen beyond is kept beside and void.
    pub fn go_on(&mut self, trust: &TrustFile) -> Result<(), StateError> {
        let Some(cut) = self.announced(trust).iter().min_by_key(|closed| closed.size) else {
            return Err(StateError::OtherLog { remembered: self.log.to_string() });
        };
        let seen = self.seen.as_ref();
        if seen.is_some_and(|seen| seen.checkpoint().size == cut.size && seen.checkpoint().root != cut.root) {
            return Err(StateError::OtherRoot(cut.size));
        }
        if let Some(beyond) = seen.filter(|seen| seen.checkpoint().size > cut.size) {
            write_durably(&with_suffix(&self.path, &format!(".closed-{}", cut.size)), beyond.note())?;
            (self.seen, self.under) =
                (Some(SeenCheckpoint::announced(cut)), Under::Announced(Box::new(cut.clone())));
        } else if matches!(self.under, Under::Log) {
            self.under = Under::Before(Box::new(self.log.clone()));
        }
        self.log = trust.log.clone();
        self.persist()
    }

    /// Applies the witness rules to an add-checkpoint body: the cosignature line, after the state is durable.
    ///
    /// Of a checkpoint that contradicts the one remembered, both are kept beside the state file.
    pub fn add(&mut self, body: &str, time: u64) -> Result<String, StateError> {
        let request = AddCheckpoint::parse(body)?;
        match consider(self.seen.as_ref(), &request, &self.log) {
            Ok((seen, accepted)) => {
                (self.seen, self.under) = (Some(seen), Under::Log);
                self.persist()?;
                Ok(accepted.cosign(time, &self.signer))
            }
            Err(error) => {
                if let WitnessError::Inconsistent(ReceiptError::Forked(_) | ReceiptError::RolledBack { .. }) =
                    &error
                {
                    let announced = match &self.under {
                        Under::Announced(closed) => format!("restored {closed}\n"),
                        Under::Log | Under::Before(_) => String::new(),
                    };
                    let known = self.seen.as_ref().map_or(&[][..], |seen| seen.note());
                    let both = [announced.as_bytes(), known, b"\n", request.checkpoint.as_bytes()].concat();
                    write_durably(&with_suffix(&self.path, ".contradiction"), &both)?;
                }
                Err(error.into())
            }
        }
    }

    fn persist(&self) -> Result<(), StateError> {
        let name = self.signer.verifier().name();
        let under = match &self.under {
            Under::Log => String::new(),
            Under::Before(log) => format!("before {log}\n"),
            Under::Announced(closed) => format!("restored {closed}\n"),
        };
        let (seed, log) = (hex(&self.seed), &self.log);
        let mut bytes = format!("{MAGIC}\nkey {seed}\nname {name}\nlog {log}\n{under}\n").into_bytes();
        bytes.extend_from_slice(self.seen.as_ref().map_or(&[][..], |seen| seen.note()));
        write_durably(&self.path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8], lock: fs::File) -> Option<Self> {
        let (head, note) = std::str::from_utf8(bytes).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        if lines.next() != Some(MAGIC) {
            return None;
        }
        let seed: [u8; 32] = unhex(lines.next()?.strip_prefix("key ")?)?.try_into().ok()?;
        let signer =
            NoteSigner::new(lines.next()?.strip_prefix("name ")?, KeyType::CosignatureV1, &seed).ok()?;
        let log = VerifierKey::parse(lines.next()?.strip_prefix("log ")?).ok()?;
        let under = match lines.next().map(|line| line.split_once(' ')) {
            None => Under::Log,
            Some(Some(("before", log))) => Under::Before(Box::new(VerifierKey::parse(log).ok()?)),
            Some(Some(("restored", closed))) => {
                let slug = Slug::parse(log.name().strip_suffix("/log")?).ok()?;
                Under::Announced(Box::new(Restored::parse(closed, &slug).ok()?))
            }
            Some(_) => return None,
        };
        let recall = |log| match note.is_empty() {
            true => Some(None),
            false => SeenCheckpoint::recall(note.as_bytes(), log).ok().map(Some),
        };
        let seen = match &under {
            Under::Log => recall(&log)?,
            Under::Before(before) => recall(before)?,
            Under::Announced(closed) => note.is_empty().then(|| Some(SeenCheckpoint::announced(closed)))?,
        };
        let witness = Self { path: path.to_owned(), seed, signer, log, seen, under, _lock: lock };
        lines.next().is_none().then_some(witness)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Write beside it, sync, rename, sync the folder: after a power cut there is the old file or the new one.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let beside = with_suffix(path, ".new");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The name, too, must survive a power cut.
        #[cfg(unix)]
        fs::File::open(folder)?.sync_all()?;
        // NTFS has it in its journal.
        #[cfg(not(unix))]
        let _ = folder;
        Ok(())
    };
    write().map_err(|source| StateError::Io { path: path.to_owned(), source })
}
