//! journald through its own program: `journalctl -o json -f` as a child, begun again when it ends.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use crate::auth_log::{LINE_BYTES_MAX, Line, line_of_journal};

/// Entries that wait; the child waits when there are more.
const ENTRIES_MAX: usize = 1024;

/// How long after its end the child is begun again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A followed journal.
pub(super) struct Journal {
    program: PathBuf,
    running: Option<(Child, Receiver<Option<Line>>)>,
    ended: Duration,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) lines: Vec<Line>,
    pub(super) n_damaged: u64,
    /// The child ended: entries may be missing until it runs again.
    pub(super) ended: bool,
}

impl Journal {
    /// Begins with what is written from now on.
    pub(super) fn follow(program: &Path, now: Duration) -> io::Result<Self> {
        Ok(Self { program: program.to_owned(), running: Some(begin(program)?), ended: now })
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Takes what came since the last look.
    pub(super) fn look(&mut self, now: Duration) -> Found {
        let mut found = Found::default();
        let Some((child, entries)) = &mut self.running else {
            if now.saturating_sub(self.ended) >= AGAIN_AFTER {
                self.ended = now;
                self.running = begin(&self.program).ok();
            }
            return found;
        };
        loop {
            match entries.try_recv() {
                Ok(Some(line)) => found.lines.push(line),
                Ok(None) => found.n_damaged = found.n_damaged.saturating_add(1),
                Err(TryRecvError::Empty) => return found,
                Err(TryRecvError::Disconnected) => break,
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        (self.running, self.ended, found.ended) = (None, now, true);
        found
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn begin(program: &Path) -> io::Result<(Child, Receiver<Option<Line>>)> {
    let mut child = Command::new(program)
        // Facilities auth and authpriv: what login programs write.
        .args(["-o", "json", "-f", "-n", "0", "SYSLOG_FACILITY=4", "SYSLOG_FACILITY=10"])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("the child has no output"))?;
    let (sender, entries) = sync_channel(ENTRIES_MAX);
    let read = move || {
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        let bound = u64::try_from(LINE_BYTES_MAX.saturating_mul(4)).unwrap_or(u64::MAX);
        loop {
            line.clear();
            match reader.by_ref().take(bound).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send(line_of_journal(&line)).is_err() => return,
                Ok(_) => {}
            }
        }
    };
    std::thread::Builder::new().name("journal".to_owned()).spawn(read)?;
    Ok((child, entries))
}
