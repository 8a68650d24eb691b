//! What a refill reads from: an agent's package, or a copy of the old ledger's finished segments. Each is a row of
//! segment files encrypted to the recovery key, one of which is in memory at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::name::Author;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::receipt::SeenCheckpoint;
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::trust::TrustFile;
use ntk_segment::disk::{Disk, DiskFile, Locking};
use ntk_segment::pointer::SegmentNumber;
use ntk_segment::reader::Reader;
use serde::Deserialize;

use super::RefillError;
use crate::recovery::RecoveryKeys;

/// The largest encrypted segment that is read, bytes: four times what the largest segment should be.
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// More than the header of a file that is encrypted to one recipient.
const BEGINNING_BYTES: u64 = 1 << 12;

/// A row of segments, and what came with it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The folder, for messages.
    pub(crate) folder: PathBuf,
    /// Where its files lie: this folder, or the practice's own in it.
    pub(crate) place: PathBuf,
    /// Whose segments.
    pub(crate) kind: Kind,
    /// The trust file that lay beside them, of the practice key or of one before it.
    pub(crate) trust: TrustFile,
    segments: BTreeMap<SegmentNumber, Vec<PathBuf>>,
}

/// Whose segments.
#[derive(Debug)]
pub(crate) enum Kind {
    /// One machine's own log, with its newest receipt.
    Package(Box<Package>),
    /// The old collector's ledger, as far as it was copied.
    OldLedger,
}

/// What an agent knows beside its log.
#[derive(Debug)]
pub(crate) struct Package {
    /// The machine.
    pub(crate) author: Author,
    /// The newest acknowledgement that it holds.
    pub(crate) receipt: Option<Acknowledged>,
    /// The newest checkpoint of the old log that it saw, and its note.
    pub(crate) seen: Option<(Checkpoint, String)>,
}

/// A receipt of the old log that verified.
#[derive(Debug)]
pub(crate) struct Acknowledged {
    /// How many entries it acknowledges.
    pub(crate) size: u64,
    /// The machine's note of that size.
    pub(crate) note: Vec<u8>,
    /// Where the note stands in the old log.
    pub(crate) leaf: u64,
    /// The old log's checkpoint, and its note.
    pub(crate) log: (Checkpoint, String),
}

/// A segment in memory.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its number.
    pub(crate) number: SegmentNumber,
    /// Reads it, and nothing else.
    pub(crate) reader: Reader,
}

impl Source {
    /// Opens a folder of the practice of which this is the newest trust file.
    pub(crate) fn open(folder: &Path, newest: &TrustFile) -> Result<Self, RefillError> {
        if folder.join("identity.toml").is_file() {
            return package(folder, newest);
        }
        let place = place_of(folder)?;
        let trust = trust(&place, newest)?;
        let segments = listed(&place.join("segments"))?;
        Ok(Self { folder: folder.to_owned(), place, kind: Kind::OldLedger, trust, segments })
    }

    /// How many segments there are.
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// How many segments are encrypted to another key than those that were given.
    pub(crate) fn n_of_another_key(&self, keys: &RecoveryKeys) -> usize {
        let is_other = |paths: &&Vec<PathBuf>| {
            paths.iter().all(|path| beginning(path).is_ok_and(|sealed| keys.is_for_another(&sealed)))
        };
        self.segments.values().filter(is_other).count()
    }

    /// The segments in order, each decrypted when its turn comes. One that cannot be used says why.
    pub(crate) fn segments<'a>(
        &'a self,
        key: &'a RecoveryKeys,
    ) -> impl Iterator<Item = (SegmentNumber, Result<Segment, String>)> + 'a {
        self.segments.iter().map(|(number, paths)| (*number, first_that_opens(*number, paths, key)))
    }
}

/// A segment may be there twice, kept and live, or before and after it was compressed: the first that opens is used.
fn first_that_opens(number: SegmentNumber, paths: &[PathBuf], key: &RecoveryKeys) -> Result<Segment, String> {
    let mut wrong = String::new();
    for path in paths {
        match open_segment(number, path, key) {
            Ok(segment) => return Ok(segment),
            Err(error) => wrong = error,
        }
    }
    Err(wrong)
}

fn open_segment(number: SegmentNumber, path: &Path, key: &RecoveryKeys) -> Result<Segment, String> {
    let named = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
    let length = fs::metadata(path).map_err(|error| named(&error))?.len();
    if length > SEGMENT_BYTES_MAX {
        return Err(named(&"larger than any segment"));
    }
    let sealed = fs::read(path).map_err(|error| named(&error))?;
    let plain = key.open(&sealed).map_err(|error| named(&error))?;
    let disk = Arc::new(OneFile { name: form(number, path), bytes: plain.into() });
    let reader = Reader::open_on(disk, Path::new("")).map_err(|error| named(&crate::error_chain(&error)))?;
    Ok(Segment { number, reader })
}

/// As much of a file as says to whom it is encrypted.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BEGINNING_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `…1.segz.age` says its form; `…1.age` is a plain segment.
fn form(number: SegmentNumber, path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let form = stem.rsplit_once('.').map_or("seg", |(_, form)| form);
    format!("{number}.{form}")
}

#[derive(Deserialize)]
struct Identity {
    author: String,
    log_key: String,
}

#[derive(Deserialize)]
struct Position {
    #[serde(default)]
    checkpoint: Option<String>,
    #[serde(default)]
    receipt: Option<Receipt>,
}

#[derive(Deserialize)]
struct Receipt {
    size: u64,
    note: String,
    leaf_index: u64,
    inclusion: Vec<ntk_evidence::hash::Hash>,
    checkpoint: String,
}

fn package(folder: &Path, newest: &TrustFile) -> Result<Source, RefillError> {
    let wrong = |name: &str, what: &dyn std::fmt::Display| RefillError::Package {
        path: folder.join(name),
        what: what.to_string(),
    };
    let trust = trust(folder, newest)?;
    let text = read(&folder.join("identity.toml"))?;
    let identity: Identity = toml::from_str(&String::from_utf8_lossy(&text))
        .map_err(|error| wrong("identity.toml", &error.message()))?;
    let author = Author::parse(&identity.author).map_err(|error| wrong("identity.toml", &error))?;
    if author.machine().is_none() {
        return Err(wrong("identity.toml", &format!("`{author}` is no machine")));
    }
    // An identity names the log that it was enrolled with, which may have been closed and put back since.
    if !trust.logs().any(|log| identity.log_key == log.to_string()) {
        return Err(wrong("identity.toml", &"the log key is not the one of the trust file beside it"));
    }
    let (mut receipt, mut seen) = (None, None);
    if folder.join("position.json").is_file() {
        let position: Position = serde_json::from_slice(&read(&folder.join("position.json"))?)
            .map_err(|error| wrong("position.json", &error))?;
        let checkpoint = |note: &str| {
            let recall = |log: &VerifierKey| SeenCheckpoint::recall(note.as_bytes(), log);
            let seen = trust.logs().find_map(|log| recall(log).ok());
            seen.map_or_else(|| recall(&trust.log), Ok)
                .map(|seen| (seen.checkpoint().clone(), note.to_owned()))
                .map_err(|error| wrong("position.json", &error))
        };
        seen = position.checkpoint.as_deref().map(checkpoint).transpose()?;
        let found = position.receipt.map(|found| acknowledged(found, &trust)).transpose();
        receipt = found.map_err(|error| wrong("position.json", &error))?;
    }
    let mut segments = listed(&folder.join("kept"))?;
    for (number, paths) in listed(&folder.join("live"))? {
        segments.entry(number).or_default().extend(paths);
    }
    let kind = Kind::Package(Box::new(Package { author, receipt, seen }));
    Ok(Source { folder: folder.to_owned(), place: folder.to_owned(), kind, trust, segments })
}

fn acknowledged(receipt: Receipt, trust: &TrustFile) -> Result<Acknowledged, String> {
    let said = Checkpoint::unverified(receipt.note.as_bytes()).map_err(|error| error.to_string())?;
    if said.size != receipt.size {
        return Err("the receipt is for another size than its note".to_owned());
    }
    let (index, hashes) = (receipt.leaf_index, receipt.inclusion);
    let proof = TlogProof { index, hashes, checkpoint: receipt.checkpoint.clone() };
    let verify = |log: &VerifierKey| proof.verify(receipt.note.as_bytes(), log);
    let verified = trust.logs().find_map(|log| verify(log).ok());
    let checkpoint = verified.map_or_else(|| verify(&trust.log), Ok).map_err(|error| error.to_string())?;
    Ok(Acknowledged {
        size: receipt.size,
        note: receipt.note.into_bytes(),
        leaf: index,
        log: (checkpoint, receipt.checkpoint),
    })
}

/// The trust file that lies in a folder of either kind, whosever it is.
pub(crate) fn trust_in(folder: &Path) -> Result<TrustFile, RefillError> {
    let is_package = folder.join("identity.toml").is_file();
    let path = if is_package { folder.to_owned() } else { place_of(folder)? }.join("trust.txt");
    TrustFile::parse(&read(&path)?).map_err(|error| RefillError::Package { path, what: error.to_string() })
}

/// One of before a hand-over leads to the newest.
fn trust(folder: &Path, newest: &TrustFile) -> Result<TrustFile, RefillError> {
    let path = folder.join("trust.txt");
    let trust = TrustFile::parse(&read(&path)?)
        .map_err(|error| RefillError::Package { path: path.clone(), what: error.to_string() })?;
    if newest.leads_from(&trust) { Ok(trust) } else { Err(RefillError::OtherPractice(path)) }
}

/// The folder that was configured, or the practice's own folder in it.
fn place_of(folder: &Path) -> Result<PathBuf, RefillError> {
    let below =
        fs::read_dir(folder).map_err(|source| RefillError::Read { path: folder.to_owned(), source })?;
    let below = below.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let place = std::iter::once(folder.to_owned()).chain(below).find(|at| at.join("segments").is_dir());
    place.ok_or_else(|| RefillError::NoSource(folder.to_owned()))
}

fn read(path: &Path) -> Result<Vec<u8>, RefillError> {
    fs::read(path).map_err(|source| RefillError::Read { path: path.to_owned(), source })
}

/// `<20 digits>[.form].age` in a folder; none where there is no folder.
fn listed(folder: &Path) -> Result<BTreeMap<SegmentNumber, Vec<PathBuf>>, RefillError> {
    let failed = |source| RefillError::Read { path: folder.to_owned(), source };
    let mut found: BTreeMap<SegmentNumber, Vec<PathBuf>> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(stem) = name.strip_suffix(".age") else { continue };
        let number = stem.split_once('.').map_or(stem, |(number, _)| number);
        if let Ok(number) = number.parse::<u64>() {
            found.entry(SegmentNumber::new(number)).or_default().push(path);
        }
    }
    // The form with more in it comes first: `.seg`, `.segz`, then the pruned `.segp`.
    let rank = |path: &PathBuf| (path.to_string_lossy().contains(".segp."), path.clone());
    found.values_mut().for_each(|paths| paths.sort_by_key(rank));
    Ok(found)
}

/// A folder of one file that lies in memory and is only read: a decrypted segment touches no disk.
#[derive(Debug)]
struct OneFile {
    name: String,
    bytes: Arc<[u8]>,
}

#[derive(Debug)]
struct OpenFile(Arc<[u8]>);

fn read_only<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "a decrypted segment is only read"))
}

impl Disk for OneFile {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn lock(&self, _: &Path) -> io::Result<Locking> {
        read_only()
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(vec![self.name.clone()])
    }

    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        read_only()
    }

    fn open_write(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        read_only()
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if path.file_name().is_some_and(|name| name == self.name.as_str()) {
            Ok(Box::new(OpenFile(Arc::clone(&self.bytes))))
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        read_only()
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        read_only()
    }
}

impl DiskFile for OpenFile {
    fn write_at(&mut self, _: &[u8], _: u64) -> io::Result<()> {
        read_only()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        u64::try_from(self.0.len()).map_err(io::Error::other)
    }

    fn sync_data(&self) -> io::Result<()> {
        read_only()
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        read_only()
    }
}
