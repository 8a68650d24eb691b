//! `ntk-verify`: checks an evidence bundle without collector or network; `ntk-verify witness`: cosigns checkpoints.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use ntk_evidence::checks;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::trust::TrustFile;
use ntk_verify::agree::{self, AgreeArgs};
use ntk_verify::read::{self, Limits, ReadError};
use ntk_verify::tell::{self, Marks};
use ntk_verify::witness::{StateError, Witness};

/// Usage and I/O, from sysexits.
const USAGE: u8 = 64;
/// The largest trust file or request that is read.
const INPUT_BYTES_MAX: u64 = 1 << 20;

/// Check an evidence bundle of Need-to-Know: named checks, one sentence each.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit code: 0 verified (only with --trust), 1 altered, 2 incomplete, 3 not verifiable, 64 usage or I/O.

Examples:
  ntk-verify bundle.zip --trust trust.txt     check a bundle against a trust file that came another way
  ntk-verify bundle/ --json                   check an unpacked bundle, for a machine
  ntk-verify witness --state usb.state --trust trust.txt          make a witness, print its key
  ntk-verify witness --state usb.state round.txt                  cosign a checkpoint"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
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

#[derive(Subcommand)]
enum Command {
    /// Cosign a checkpoint if it continues the newest one that this witness saw
    #[command(
        after_help = "Prints the cosignature line; give it to `ntk-collector witness add FILE`. Without BODY it prints the
witness's key. Exit code: 0 cosigned, 1 refused, 64 usage or I/O.

Examples:
  ntk-verify witness --state usb.state --trust trust.txt
  ntk-verify witness --state usb.state round.txt > cosignature.txt"
    )]
    Witness(WitnessArgs),
    /// Compare two bundles of one log: the same entries, notes and texts wherever both have them
    #[command(
        after_help = "Says what one shows that the other withholds. Exit code: 0 agree, 1 contradict, 3 nothing in common, 64 usage
or I/O. It does not verify either bundle: do that first.

Examples:
  ntk-verify agree full.zip redacted.zip"
    )]
    Agree(AgreeArgs),
}

#[derive(Args)]
struct WitnessArgs {
    /// Where key and newest checkpoint are kept; made on first use. Keep it secret, and keep it
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Trust file that names the log's key; needed on first use
    #[arg(long, value_name = "FILE", conflicts_with = "log_key")]
    trust: Option<PathBuf>,
    /// The log's key itself, instead of a trust file
    #[arg(long, value_name = "VKEY")]
    log_key: Option<String>,
    /// Name of a new witness: lower-case letters, digits and `-`
    #[arg(long, default_value = "outside", value_parser = id)]
    name: String,
    /// A tlog-witness add-checkpoint request; `-` for standard input
    body: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match (cli.command, cli.bundle) {
        (Some(Command::Witness(args)), _) => witness(args),
        (Some(Command::Agree(args)), _) => compare(&args),
        (None, Some(bundle)) => verify(&bundle, cli.trust.as_deref(), cli.json),
        (None, None) => Ok(USAGE),
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("ntk-verify: {error:#}");
        USAGE
    }))
}

fn verify(bundle: &Path, trust: Option<&Path>, json: bool) -> anyhow::Result<u8> {
    let trust = trust.map(input).transpose()?;
    let verification = match read::bundle(bundle, Limits::default()) {
        Ok(files) => checks::check(&files, trust.as_deref()),
        Err(ReadError::Refused { status, sentence }) => read::refusal(status, &sentence),
        Err(error) => return Err(error.into()),
    };
    let marks = if io::stdout().is_terminal() { Marks::Symbols } else { Marks::Ascii };
    print(&if json { tell::json(&verification) } else { tell::text(&verification, marks) })?;
    Ok(verification.exit_code())
}

fn compare(args: &AgreeArgs) -> anyhow::Result<u8> {
    let (said, code) = agree::run(args)?;
    print(&said).map(|()| code)
}

fn witness(args: WitnessArgs) -> anyhow::Result<u8> {
    let log = match (&args.trust, &args.log_key) {
        (Some(path), _) => {
            Some(TrustFile::parse(&input(path)?).with_context(|| format!("`{}`", path.display()))?.log)
        }
        (None, Some(key)) => Some(VerifierKey::parse(key).context("--log-key")?),
        (None, None) => None,
    };
    let body = args.body.as_deref().map(input).transpose()?;
    let body = body.map(String::from_utf8).transpose().context("the request is not UTF-8")?;
    let is_new = !args.state.exists();
    let refusal = |error: StateError| -> anyhow::Result<u8> {
        let code = error.exit_code();
        eprintln!("ntk-verify: {:#}", anyhow::Error::from(error));
        Ok(code)
    };
    let mut witness = match Witness::open(&args.state, log, &args.name) {
        Ok(witness) => witness,
        Err(error) => return refusal(error),
    };
    let Some(body) = body else {
        print(&format!("{}\n", witness.key()))?;
        return Ok(0);
    };
    if is_new {
        eprintln!("ntk-verify: a new witness; have the practice key sign it in: --witness {}", witness.key());
    }
    match witness.add(&body, now()) {
        Ok(line) => print(&line).map(|()| 0),
        Err(error) => refusal(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one real clock of this program: a cosignature bears its time"
)]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn input(path: &Path) -> anyhow::Result<Vec<u8>> {
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

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("could not write to standard output")
}

fn id(text: &str) -> Result<String, String> {
    let fits = ntk_evidence::name::Author::agent(text).is_ok();
    if fits { Ok(text.to_owned()) } else { Err("use 1 to 63 lower-case letters, digits and `-`".to_owned()) }
}
