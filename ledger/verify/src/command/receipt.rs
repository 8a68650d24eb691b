//! `ntk-verify receipt NOTE PROOF`: whether the log key acknowledged an author's note, and whether a bundle contradicts it.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use ntk_evidence::checks;
use ntk_verify::read::{self, Limits, ReadError};
use ntk_verify::tell::{self, Marks, Measured};

use crate::command::{input, print};

/// The two files of a receipt, and what they are checked against.
#[derive(Args)]
#[command(
    after_help = "NOTE and PROOF are what `ntk-agent receipt` wrote. Exit code: 0 acknowledged, and not contradicted; 1 altered, or
the bundle tells another history than the receipt; 2 incomplete, 3 not verifiable, 64 usage or I/O.

Examples:
  ntk-verify receipt agent-ws-01-812.note agent-ws-01-812.tlog-proof --trust trust.txt
  ntk-verify receipt agent-ws-01-812.note agent-ws-01-812.tlog-proof --trust trust.txt --bundle bundle.zip"
)]
pub(crate) struct ReceiptArgs {
    /// The author's signed note
    note: PathBuf,
    /// Its tlog-proof
    proof: PathBuf,
    /// The practice's trust file, from another source than the receipt
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// A bundle of the same practice, to compare with
    #[arg(long, value_name = "BUNDLE")]
    bundle: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads, checks and tells; the exit code.
pub(crate) fn run(args: &ReceiptArgs) -> anyhow::Result<u8> {
    let began = Instant::now();
    let (note, proof, trust) = (input(&args.note)?, input(&args.proof)?, input(&args.trust)?);
    let verification = match args.bundle.as_deref().map(|bundle| read::bundle(bundle, Limits::default())) {
        None => checks::receipt(&note, &proof, &trust, None),
        Some(Ok(files)) => checks::receipt(&note, &proof, &trust, Some(&files)),
        Some(Err(ReadError::Refused { status, sentence })) => read::refusal(status, &sentence),
        Some(Err(error)) => return Err(error.into()),
    };
    let read: usize = [&note, &proof, &trust].iter().map(|bytes| bytes.len()).sum();
    let measured = Measured { files: 3, bytes: u64::try_from(read)?, seconds: began.elapsed().as_secs_f64() };
    let marks = if io::stdout().is_terminal() { Marks::Symbols } else { Marks::Ascii };
    print(&if args.json { tell::json(&verification, measured) } else { tell::text(&verification, marks) })?;
    Ok(verification.exit_code())
}
