//! A bundle from disk: a folder or a ZIP file, read within bounds and never written anywhere.
//!
//! What a ZIP may hold is small: plain files with plain names, each once, stored or deflated. A doubled name,
//! a path that leaves the folder, a link, an encrypted or oversized entry is refused before anything is
//! judged, because two programs could read such an archive as two different bundles.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use ntk_evidence::bundle::bag::Files;
use ntk_evidence::bundle::{BAGIT, is_safe_path};
use ntk_evidence::checks::{Check, Status, Verification};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many files.
    pub files_max: usize,
    /// How many bytes all files may hold together, unpacked: they are judged in memory.
    pub bytes_max: u64,
    /// How many bytes one file may hold, unpacked.
    pub file_bytes_max: u64,
    /// How many times its packed size a file may have, once it is larger than [`RATIO_FROM`].
    pub ratio_max: u64,
}

/// Smaller files may be packed as well as can be: an empty table is nearly nothing, bytes.
pub const RATIO_FROM: u64 = 1 << 20;

impl Default for Limits {
    /// A hundred thousand files and 1 GiB: a year of notes from hundreds of machines is a tenth of it. Half of that for
    /// one file: a million rows. Rows pack to a tenth and zeros to a thousandth: 200 lies between.
    fn default() -> Self {
        Self { files_max: 100_000, bytes_max: 1 << 30, file_bytes_max: 1 << 29, ratio_max: 200 }
    }
}

/// A bundle cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system said no.
    #[error("could not read `{path}`; check that it exists and that you may read it")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither a folder nor a ZIP file.
    #[error("`{0}` is neither a folder nor a ZIP file; name the bundle's folder or its .zip")]
    NoBundle(PathBuf),
    /// What is there must not be judged as a bundle.
    #[error("{sentence}")]
    Refused {
        /// How that counts.
        status: Status,
        /// What is wrong.
        sentence: String,
    },
}

fn refused(status: Status, sentence: impl Into<String>) -> ReadError {
    ReadError::Refused { status, sentence: sentence.into() }
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(120).collect()
}

/// The verdict on an archive that is refused as such: one check named `archive`.
pub fn refusal(status: Status, sentence: &str) -> Verification {
    let checks = vec![Check { name: "archive", status, sentence: plain(sentence) }];
    Verification { checks, checkpoint: None, practice_words: None }
}

/// Reads a bundle from a folder or a ZIP file; a single folder round it is taken off.
pub fn bundle(path: &Path, limits: Limits) -> Result<Files, ReadError> {
    bundle_telling(path, limits, &mut |_, _| {})
}

/// The same; `tell` hears after each file how many files and bytes were read.
pub fn bundle_telling(
    path: &Path,
    limits: Limits,
    tell: &mut dyn FnMut(usize, u64),
) -> Result<Files, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(io)?;
    let bounded = Bounded { limits, files: Files::new(), bytes: 0, tell };
    let files = if metadata.is_dir() { folder(path, bounded)? } else { archive(path, bounded)? };
    Ok(without_top_folder(files))
}

fn without_top_folder(files: Files) -> Files {
    if files.contains_key(BAGIT) {
        return files;
    }
    let tops: BTreeSet<Option<&str>> =
        files.keys().map(|path| path.split_once('/').map(|(top, _)| top)).collect();
    let top = match tops.first() {
        Some(Some(top)) if tops.len() == 1 => format!("{top}/"),
        _ => return files,
    };
    files.into_iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&top)?.to_owned(), bytes))).collect()
}

/// What has been read so far, held to the bounds.
struct Bounded<'a> {
    limits: Limits,
    files: Files,
    bytes: u64,
    tell: &'a mut dyn FnMut(usize, u64),
}

impl Bounded<'_> {
    /// Reads one file; `packed` is its size in an archive.
    fn add(&mut self, name: String, from: impl io::Read, packed: Option<u64>) -> Result<(), ReadError> {
        if self.files.len() >= self.limits.files_max {
            return Err(refused(
                Status::NotVerifiable,
                format!("more than {} files are not read", self.limits.files_max),
            ));
        }
        let Limits { bytes_max, file_bytes_max, ratio_max, .. } = self.limits;
        let by_ratio = packed.map_or(u64::MAX, |packed| packed.saturating_mul(ratio_max).max(RATIO_FROM));
        let total = bytes_max.saturating_sub(self.bytes);
        let left = total.min(file_bytes_max).min(by_ratio);
        let mut bytes = Vec::new();
        // One byte more than is left tells "too large" from "just fits"; what an archive claims is not believed.
        let read = from.take(left.saturating_add(1)).read_to_end(&mut bytes);
        let read = read.map_err(|_| {
            refused(Status::Altered, format!("`{}` cannot be unpacked: it is damaged", plain(&name)))
        })?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read > left {
            let name = plain(&name);
            let sentence = if left == total {
                format!("more than {bytes_max} bytes are not read")
            } else if left == by_ratio {
                format!(
                    "`{name}` unpacks to more than {ratio_max} times its size: such an archive is not read"
                )
            } else {
                format!("`{name}` is larger than {file_bytes_max} bytes: such a file is not read")
            };
            return Err(refused(Status::NotVerifiable, sentence));
        }
        self.bytes = self.bytes.saturating_add(read);
        self.files.insert(name, bytes);
        (self.tell)(self.files.len(), self.bytes);
        Ok(())
    }
}

fn folder(root: &Path, mut found: Bounded<'_>) -> Result<Files, ReadError> {
    let mut todo = vec![(root.to_owned(), String::new())];
    while let Some((path, prefix)) = todo.pop() {
        let io = |source| ReadError::Io { path: path.clone(), source };
        for entry in fs::read_dir(&path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(io)?;
            if kind.is_dir() {
                if name.matches('/').count() > 32 {
                    return Err(refused(Status::Altered, "folders are nested deeper than 32"));
                }
                todo.push((entry.path(), format!("{name}/")));
            } else if kind.is_file() {
                let file = fs::File::open(entry.path())
                    .map_err(|source| ReadError::Io { path: entry.path(), source })?;
                found.add(name, file, None)?;
            } else {
                return Err(refused(
                    Status::Altered,
                    format!("`{}` is a link or device, not a file", plain(&name)),
                ));
            }
        }
    }
    Ok(found.files)
}

fn archive(path: &Path, mut found: Bounded<'_>) -> Result<Files, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(io)?;
    let mut magic = [0; 4];
    if file.read_exact(&mut magic).is_err() || !matches!(&magic, b"PK\x03\x04" | b"PK\x05\x06") {
        return Err(ReadError::NoBundle(path.to_owned()));
    }
    file.rewind().map_err(io)?;
    let damaged = |_| refused(Status::Altered, "the ZIP file is damaged or cut off");
    let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(damaged)?;
    if zip.has_duplicate_names() {
        return Err(refused(Status::Altered, "the ZIP file holds a name twice"));
    }
    if zip.has_overlapping_entries().map_err(damaged)? {
        return Err(refused(Status::Altered, "files overlap inside the ZIP file"));
    }
    let mut names = BTreeSet::new();
    for index in 0..zip.len() {
        let mut entry = match zip.by_index(index) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::UnsupportedArchive(why)) => {
                return Err(refused(
                    Status::NotVerifiable,
                    format!("the ZIP file is encrypted or packed in an unknown way: {why}"),
                ));
            }
            Err(_) => return Err(refused(Status::Altered, "the ZIP file is damaged or cut off")),
        };
        let name = std::str::from_utf8(entry.name_raw()).unwrap_or("?").to_owned();
        if entry.encrypted() {
            return Err(refused(Status::NotVerifiable, format!("`{}` is encrypted", plain(&name))));
        }
        let file_name = name.strip_suffix('/').unwrap_or(&name);
        if !is_safe_path(file_name) {
            return Err(refused(Status::Altered, format!("`{}` is no path for a bundle", plain(&name))));
        }
        if !names.insert(file_name.to_ascii_lowercase()) {
            return Err(refused(Status::Altered, format!("the ZIP file holds `{}` twice", plain(&name))));
        }
        if entry.is_symlink() {
            return Err(refused(Status::Altered, format!("`{}` is a link, not a file", plain(&name))));
        }
        if !entry.is_dir() {
            let packed = entry.compressed_size();
            found.add(name, &mut entry, Some(packed))?;
        }
    }
    Ok(found.files)
}
