//! `ntk-verify BUNDLE`: the named checks of a bundle.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use ntk_evidence::checks;
use ntk_verify::read::{self, Limits, ReadError};
use ntk_verify::tell::{self, Marks};

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
    let verification = match read::bundle(bundle, Limits::default()) {
        Ok(files) => checks::check(&files, trust.as_deref()),
        Err(ReadError::Refused { status, sentence }) => read::refusal(status, &sentence),
        Err(error) => return Err(error.into()),
    };
    let marks = if io::stdout().is_terminal() { Marks::Symbols } else { Marks::Ascii };
    print(&if args.json { tell::json(&verification) } else { tell::text(&verification, marks) })?;
    Ok(verification.exit_code())
}
