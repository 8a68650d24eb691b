//! Files that are still being written: Windows tells of every piece of a file and never of its end.

use std::collections::BTreeMap;
use std::time::Duration;

/// A file of which nothing was told for so long is taken to be whole.
const QUIET: Duration = Duration::from_secs(1);
/// One that never rests is looked at after so long all the same.
const AT_LATEST: Duration = Duration::from_secs(10);
/// Files that are followed.
const FILES_MAX: usize = 1024;

/// The files; times are those of a monotonic clock.
#[derive(Debug, Default)]
pub struct Settling {
    /// First and last word of each.
    files: BTreeMap<String, (Duration, Duration)>,
}

/// More files are written at once than are followed: everything has to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Settling {
    /// Something was told of a file.
    pub fn touched(&mut self, path: String, now: Duration) -> Result<(), TooMany> {
        if let Some((_, last)) = self.files.get_mut(&path) {
            *last = now;
        } else if self.files.len() >= FILES_MAX {
            self.files.clear();
            return Err(TooMany);
        } else {
            self.files.insert(path, (now, now));
        }
        Ok(())
    }

    /// A file that may be looked at now.
    pub fn settled(&mut self, now: Duration) -> Option<String> {
        let rests = |(first, last): &(Duration, Duration)| {
            now.saturating_sub(*last) >= QUIET || now.saturating_sub(*first) >= AT_LATEST
        };
        let path = self.files.iter().find(|(_, told)| rests(told)).map(|(path, _)| path.clone())?;
        self.files.remove(&path);
        Some(path)
    }

    /// Whether some file is still being written.
    pub fn waits(&self) -> bool {
        !self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_at_once_it_rests_and_one_that_never_rests_after_ten_seconds() {
        let at = Duration::from_millis;
        let mut files = Settling::default();
        files.touched("a".into(), at(0)).unwrap();
        files.touched("a".into(), at(900)).unwrap();
        assert_eq!(files.settled(at(1899)), None);
        assert_eq!(files.settled(at(1900)).as_deref(), Some("a"));
        assert!(files.settled(at(9000)).is_none() && !files.waits());
        for n in 0..=100 {
            files.touched("log".into(), at(10_000 + n * 100)).unwrap();
        }
        assert_eq!(files.settled(at(20_000)).as_deref(), Some("log"));
    }

    #[test]
    fn more_files_than_are_followed_are_one_look_at_everything() {
        let mut files = Settling::default();
        for n in 0..FILES_MAX {
            files.touched(n.to_string(), Duration::ZERO).unwrap();
        }
        assert_eq!(files.touched("more".into(), Duration::ZERO), Err(TooMany));
        assert!(!files.waits());
    }
}
