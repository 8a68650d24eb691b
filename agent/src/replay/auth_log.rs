//! Replays what login programs wrote: text, entries of journald, or utmp records.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ntk_evidence::time::Moment;

use super::{ReplayError, each_line, modified, write_events};
use crate::auth_log::{Line, RECORD_BYTES, Teller, Undated, Visit, gap, line_of_journal, looks_like_utmp};

/// The files as one stream, each in its own form.
pub(super) fn replay(files: &[PathBuf], out: &mut dyn Write) -> Result<(), ReplayError> {
    let failed = |path: &Path, source| ReplayError::Read { path: path.to_owned(), source };
    // All of them are opened first: a wrong name among them prints nothing.
    for path in files {
        File::open(path).and_then(|mut file| file.read(&mut [0])).map_err(|source| failed(path, source))?;
    }
    let mut teller = Teller::default();
    for path in files {
        let mut begin = Vec::new();
        let file = File::open(path).map_err(|source| failed(path, source))?;
        let bytes = u64::try_from(RECORD_BYTES).unwrap_or(u64::MAX);
        file.take(bytes).read_to_end(&mut begin).map_err(|source| failed(path, source))?;
        let mut damage = Damage { time: modified(path), ..Damage::default() };
        if looks_like_utmp(&begin) {
            records(path, &mut teller, &mut damage, out)?;
        } else {
            lines(path, &mut teller, &mut damage, out)?;
        }
        damage.end(None, out)?;
    }
    Ok(())
}

fn lines(
    path: &Path,
    teller: &mut Teller,
    damage: &mut Damage,
    out: &mut dyn Write,
) -> Result<(), ReplayError> {
    let last = Moment::parse(&damage.time).unwrap_or(Moment::from_unix_nanos(0));
    each_line(path, |bytes, _| {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(ControlFlow::Continue(()));
        }
        let line = match bytes.first() {
            Some(b'{') => line_of_journal(bytes),
            Some(_) | None => Line::parse(bytes, Undated::Before(last)),
        };
        let Some(line) = line else {
            damage.n_records = damage.n_records.saturating_add(1);
            return Ok(ControlFlow::Continue(()));
        };
        damage.end(Some(line.time()), out)?;
        write_events(out, teller.line(&line).into_iter().collect())?;
        Ok(ControlFlow::Continue(()))
    })
}

fn records(
    path: &Path,
    teller: &mut Teller,
    damage: &mut Damage,
    out: &mut dyn Write,
) -> Result<(), ReplayError> {
    let failed = |source| ReplayError::Read { path: path.to_owned(), source };
    let refused = is_of_refusals(path);
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut record = [0; RECORD_BYTES];
    loop {
        let (mut n_read, mut ended) = (0, false);
        while let Some(room) = record.get_mut(n_read..).filter(|room| !room.is_empty() && !ended) {
            match reader.read(room) {
                Ok(0) => ended = true,
                Ok(more) => n_read = n_read.saturating_add(more),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if n_read == 0 {
            return Ok(());
        }
        match record.get(..n_read).and_then(Visit::parse) {
            // An empty record has no time of its own, and is no damage.
            Some(visit) if visit.at.unix_nanos() == 0 => {}
            Some(visit) => {
                damage.end(Some(visit.at.to_rfc3339(0)), out)?;
                write_events(out, teller.visit(&visit, refused).into_iter().collect())?;
            }
            None => damage.n_records = damage.n_records.saturating_add(1),
        }
    }
}

/// btmp and its rotated files hold refused tries; their records look like those of wtmp.
fn is_of_refusals(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("btmp"))
}

/// What could not be read since the last thing that could.
#[derive(Default)]
struct Damage {
    n_records: u64,
    /// Time of the last thing that was read; at first that of the file.
    time: String,
    /// The same, where something was read.
    since: Option<String>,
}

impl Damage {
    /// INVARIANT SE-1: what is no record is a gap, with its bounds as far as its neighbours tell them.
    fn end(&mut self, next: Option<String>, out: &mut dyn Write) -> Result<(), ReplayError> {
        let n_records = std::mem::take(&mut self.n_records);
        if n_records > 0 {
            let time = self.since.clone().or_else(|| next.clone()).unwrap_or_else(|| self.time.clone());
            let mut event = gap("damaged_record", &time, self.since.as_deref(), Some(n_records));
            if let Some(gap) = &mut event.gap {
                gap.to.clone_from(&next);
            }
            write_events(out, vec![event])?;
        }
        self.since = next.or(self.since.take());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
