//! `ntk-verify BUNDLE`: the named checks of a bundle.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use ntk_evidence::checks;
use ntk_verify::read::{self, Limits, ReadError};
use ntk_verify::tell::{self, Marks, Measured};

use crate::command::{USAGE, input, print};

/// What is checked, against what.
#[derive(Args)]
pub(crate) struct CheckArgs {
    /// The bundle: a ZIP file, or a folder with bagit.txt in it
    #[arg(required = true)]
    bundle: Option<PathBuf>,
    /// The practice's trust file, from another source than the bundle
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads, checks and tells; the exit code.
pub(crate) fn run(args: &CheckArgs) -> anyhow::Result<u8> {
    let Some(bundle) = &args.bundle else { return Ok(USAGE) };
    let trust = args.trust.as_deref().map(input).transpose()?;
    let began = Instant::now();
    let mut progress = Progress::new();
    let mut measured = Measured::default();
    let read = read::bundle_telling(bundle, Limits::default(), &mut |files, bytes| {
        (measured.files, measured.bytes) = (files, bytes);
        progress.tell(files, bytes);
    });
    progress.say(&format!("checking {} files", measured.files));
    let verification = match read {
        Ok(files) => checks::check(&files, trust.as_deref()),
        Err(ReadError::Refused { status, sentence }) => read::refusal(status, &sentence),
        Err(error) => {
            progress.clear();
            return Err(error.into());
        }
    };
    progress.clear();
    measured.seconds = began.elapsed().as_secs_f64();
    let marks = if io::stdout().is_terminal() { Marks::Symbols } else { Marks::Ascii };
    print(&if args.json { tell::json(&verification, measured) } else { tell::text(&verification, marks) })?;
    Ok(verification.exit_code())
}

/// One line on a terminal's standard error that says how far long work is; nothing where nobody looks.
struct Progress {
    seen: bool,
    told: u64,
}

/// A line is written every so many bytes: small bundles are done before anyone reads it.
const PROGRESS_STEP: u64 = 16 << 20;

impl Progress {
    fn new() -> Self {
        Self { seen: io::stderr().is_terminal(), told: 0 }
    }

    fn tell(&mut self, files: usize, bytes: u64) {
        let step = bytes / PROGRESS_STEP;
        if step > self.told {
            self.told = step;
            self.say(&format!("read {files} files, {} MiB", bytes >> 20));
        }
    }

    /// Only after something was told already: short work stays quiet.
    fn say(&self, words: &str) {
        if self.seen && self.told > 0 {
            eprint!("\r\x1b[K{words} ...");
        }
    }

    fn clear(&self) {
        if self.seen && self.told > 0 {
            eprint!("\r\x1b[K");
        }
    }
}
