//! The subcommands, one file each: its arguments, and what it does. A new one is a file here, a line in
//! [`Command`] and a line in [`Command::run`].
//!
//! Shared by all: input from a file or standard input within a bound, output, and the exit code for usage.

pub(crate) mod check;
pub(crate) mod receipt;
pub(crate) mod witness;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::{CommandFactory as _, Subcommand};
use ntk_verify::agree::{self, AgreeArgs};

/// Usage and I/O, from sysexits.
pub(crate) const USAGE: u8 = 64;
/// The largest trust file, note, proof or request that is read, bytes.
const INPUT_BYTES_MAX: u64 = 1 << 20;

/// What else this program does, besides checking a bundle.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Cosign a checkpoint if it continues the newest one that this witness saw
    Witness(witness::WitnessArgs),
    /// Check that the log acknowledged what an agent's receipt says, and that a bundle does not contradict it
    Receipt(receipt::ReceiptArgs),
    /// Compare two bundles of one log: the same entries, notes and texts wherever both have them
    #[command(
        after_help = "Says what one shows that the other withholds. Exit code: 0 agree, 1 contradict, 3 nothing in common, 64 usage
or I/O. It does not verify either bundle: do that first.

Examples:
  ntk-verify agree full.zip redacted.zip"
    )]
    Agree(AgreeArgs),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Does it; the exit code, or what went wrong with usage or I/O.
    pub(crate) fn run(self) -> anyhow::Result<u8> {
        match self {
            Self::Witness(args) => witness::run(args),
            Self::Receipt(args) => receipt::run(&args),
            Self::Agree(args) => {
                let (said, code) = agree::run(&args)?;
                print(&said).map(|()| code)
            }
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut crate::Cli::command(), "ntk-verify", &mut script);
                print(&String::from_utf8(script)?).map(|()| 0)
            }
        }
    }
}

/// The bytes of a file, `-` for standard input; at most 1 MiB.
pub(crate) fn input(path: &Path) -> anyhow::Result<Vec<u8>> {
    let from: Box<dyn io::Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        Box::new(fs::File::open(path).with_context(|| format!("could not read `{}`", path.display()))?)
    };
    let mut bytes = Vec::new();
    from.take(INPUT_BYTES_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| format!("could not read `{}`", path.display()))?;
    anyhow::ensure!(
        u64::try_from(bytes.len())? <= INPUT_BYTES_MAX,
        "`{}` is larger than 1 MiB",
        path.display()
    );
    Ok(bytes)
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("could not write to standard output")
}
