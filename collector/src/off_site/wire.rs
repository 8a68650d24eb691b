//! Waiting on the network from a thread that may wait: a small event loop of the place's own, a limit for each step, and
//! the way out when the run is stopped.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::shelf::ShelfError;

/// What a step may take whatever its size: three tries of a handshake over a bad line.
const STEP_AT_MOST: Duration = Duration::from_secs(120);
/// A line slower than this is no line for segments of 64 MiB.
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// What is told of what a server said.
const SAID_BYTES_MAX: usize = 300;

/// The event loop of one place.
pub(super) struct Wire {
    runtime: Runtime,
    stop: CancellationToken,
    target: String,
}

impl Wire {
    /// For the place of this name.
    pub(super) fn new(target: String, stop: CancellationToken) -> Result<Self, ShelfError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| ShelfError::Io { path: "the event loop".into(), source })?;
        Ok(Self { runtime, stop, target })
    }

    /// Waits for a step that moves so many bytes.
    pub(super) fn wait<T>(
        &self,
        n_bytes: usize,
        step: impl Future<Output = Result<T, ShelfError>>,
    ) -> Result<T, ShelfError> {
        let n_bytes = u64::try_from(n_bytes).unwrap_or(u64::MAX);
        let at_most = STEP_AT_MOST.saturating_add(Duration::from_secs(n_bytes / BYTES_PER_SECOND_MIN));
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(ShelfError::Stopped),
                done = step => done,
                () = tokio::time::sleep(at_most) => Err(self.unreachable(&"no answer in time")),
            }
        })
    }

    pub(super) fn unreachable(&self, said: &dyn std::fmt::Display) -> ShelfError {
        ShelfError::Unreachable { target: self.target.clone(), said: plain(&said.to_string()) }
    }

    pub(super) fn refused(&self, said: &dyn std::fmt::Display) -> ShelfError {
        ShelfError::Refused { target: self.target.clone(), said: plain(&said.to_string()) }
    }

    pub(super) fn failed(&self, doing: &'static str, name: &str, said: &dyn std::fmt::Display) -> ShelfError {
        let (target, said) = (self.target.clone(), plain(&said.to_string()));
        ShelfError::Failed { doing, name: name.to_owned(), target, said }
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

/// A stranger's words in one line that a terminal does not obey.
fn plain(said: &str) -> String {
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said").trim();
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    let end = (0..=SAID_BYTES_MAX.min(line.len())).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    line.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_when_the_run_is_stopped_and_what_a_server_says_is_one_plain_line() {
        let stop = CancellationToken::new();
        let wire = Wire::new("sftp://a@b:22/c".into(), stop.clone()).unwrap();
        assert!(wire.wait(0, async { Ok(7) }).is_ok_and(|found| found == 7));
        stop.cancel();
        let never = std::future::pending::<Result<(), ShelfError>>();
        assert!(matches!(wire.wait(0, never), Err(ShelfError::Stopped)));
        let said = wire.unreachable(&"banner\n\u{1b}[31mno route\r\n\n").to_string();
        assert!(said.contains("[31mno route; check") && !said.contains('\u{1b}'), "{said}");
        assert!(wire.refused(&"é".repeat(1000)).to_string().len() < 500);
    }
}
