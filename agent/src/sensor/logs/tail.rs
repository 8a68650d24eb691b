//! Follows one log file from its present end: what is appended, also through rotation.
//!
//! A file that was renamed and made anew is read to its end, then the new one from its beginning. A file that became
//! shorter, or that is gone without another name, was cleared: that is said, and the new content is read.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Bytes that one look takes at most, so that a flood does not hold up the rest.
const LOOK_BYTES_MAX: u64 = 1 << 20;

/// What a look found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Appended bytes, as they came.
    pub(super) bytes: Vec<u8>,
    /// The file was cleared since the last look, before these bytes; how.
    pub(super) cleared: Option<&'static str>,
    /// These bytes begin another file than those before.
    pub(super) is_other: bool,
}

/// A followed file.
pub(super) struct Tail {
    path: PathBuf,
    file: Option<File>,
    offset: u64,
}

impl Tail {
    /// Follows a file from its end; one that is not there yet, from its beginning.
    pub(super) fn follow(path: &Path) -> io::Result<Self> {
        let mut tail = Self { path: path.to_owned(), file: None, offset: 0 };
        match File::open(path) {
            Ok(mut file) => {
                tail.offset = file.seek(SeekFrom::End(0))?;
                tail.file = Some(file);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(tail)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes what was appended since the last look.
    pub(super) fn look(&mut self) -> io::Result<Found> {
        let mut found = Found::default();
        let Some(file) = &mut self.file else {
            return self.begin(found);
        };
        let metadata = file.metadata()?;
        if metadata.len() < self.offset {
            found.cleared = Some("it became shorter");
            found.is_other = true;
            self.offset = file.seek(SeekFrom::Start(0))?;
        }
        let n_read = file.take(LOOK_BYTES_MAX).read_to_end(&mut found.bytes)?;
        self.offset = self.offset.saturating_add(u64::try_from(n_read).unwrap_or(u64::MAX));
        // Only at its end can a file be left for the one that took its name.
        let is_named = std::fs::metadata(&self.path)
            .is_ok_and(|named| (named.dev(), named.ino()) == (metadata.dev(), metadata.ino()));
        if found.bytes.is_empty() && !is_named {
            let is_gone = metadata.nlink() == 0;
            self.file = None;
            found.cleared = is_gone.then_some("it was removed");
            return self.begin(found);
        }
        Ok(found)
    }

    fn begin(&mut self, mut found: Found) -> io::Result<Found> {
        match File::open(&self.path) {
            Ok(file) => {
                (self.file, self.offset) = (Some(file), 0);
                found.is_other = true;
                Ok(found)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(found),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn append(path: &Path, text: &str) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Everything that a few looks give.
    fn all(tail: &mut Tail) -> (String, Vec<&'static str>) {
        let (mut text, mut cleared) = (String::new(), Vec::new());
        for _ in 0..4 {
            let found = tail.look().unwrap();
            text.push_str(&String::from_utf8(found.bytes).unwrap());
            cleared.extend(found.cleared);
        }
        (text, cleared)
    }

    #[test]
    fn a_log_is_followed_through_rotation_and_clearing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.log");
        append(&path, "before\n");
        let mut tail = Tail::follow(&path).unwrap();
        assert_eq!(all(&mut tail), (String::new(), vec![]), "what was there is not read");
        append(&path, "one\n");
        assert_eq!(all(&mut tail), ("one\n".to_owned(), vec![]));
        append(&path, "two\n");
        std::fs::rename(&path, folder.path().join("auth.log.1")).unwrap();
        append(&folder.path().join("auth.log.1"), "late\n");
        append(&path, "three\n");
        assert_eq!(all(&mut tail), ("two\nlate\nthree\n".to_owned(), vec![]), "rotated");
        std::fs::write(&path, "x\n").unwrap();
        assert_eq!(all(&mut tail), ("x\n".to_owned(), vec!["it became shorter"]));
        std::fs::remove_file(&path).unwrap();
        append(&path, "four\n");
        assert_eq!(all(&mut tail), ("four\n".to_owned(), vec!["it was removed"]));
        let mut later = Tail::follow(&folder.path().join("later")).unwrap();
        assert_eq!(all(&mut later), (String::new(), vec![]));
        append(later.path().to_owned().as_path(), "new\n");
        assert_eq!(all(&mut later), ("new\n".to_owned(), vec![]), "it was not there yet");
    }
}
