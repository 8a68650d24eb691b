//! `ntk-verify witness`: a witness in one file, for a USB stick.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use ntk_evidence::note::VerifierKey;
use ntk_evidence::trust::{TrustFile, restored};
use ntk_verify::witness::{StateError, Witness};

use crate::command::{input, print};

/// What `ntk-verify witness` is asked.
#[derive(Args)]
#[command(
    after_help = "Prints the cosignature line; give it to `ntk-collector witness add FILE`. Without BODY it prints the
witness's key. Exit code: 0 cosigned, 1 refused, 64 usage or I/O.

Examples:
  ntk-verify witness --state usb.state --trust trust.txt
  ntk-verify witness --state usb.state round.txt > cosignature.txt"
)]
pub(crate) struct WitnessArgs {
    /// Where key and newest checkpoint are kept; made on first use. Keep it secret, and keep it
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Trust file that names the log's key; needed on first use
    #[arg(long, value_name = "FILE", conflicts_with = "log_key")]
    trust: Option<PathBuf>,
    /// Goes on behind a restore that the trust file announces, after its practice key's words were compared
    #[arg(long, requires = "trust")]
    restored: bool,
    /// The log's key itself, instead of a trust file
    #[arg(long, value_name = "VKEY")]
    log_key: Option<String>,
    /// Name of a new witness: lower-case letters, digits and `-`
    #[arg(long, default_value = "outside", value_parser = id)]
    name: String,
    /// A tlog-witness add-checkpoint request; `-` for standard input
    body: Option<PathBuf>,
}

/// Cosigns, or prints the key.
pub(crate) fn run(args: WitnessArgs) -> anyhow::Result<u8> {
    let trust = args.trust.as_deref().map(|path| {
        let trust = TrustFile::parse(&input(path)?).with_context(|| format!("`{}`", path.display()))?;
        anyhow::Ok(trust)
    });
    let trust = trust.transpose()?;
    let log = match (&trust, &args.log_key) {
        (Some(trust), _) => Some(trust.log.clone()),
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
    let mut witness = match (Witness::open(&args.state, log, &args.name), &trust) {
        (Ok(witness), _) => witness,
        (Err(error @ StateError::OtherLog { .. }), Some(trust)) => {
            let mut witness = match Witness::open(&args.state, None, &args.name) {
                Ok(witness) => witness,
                Err(error) => return refusal(error),
            };
            let announced = witness.announced(trust);
            if announced.is_empty() {
                return refusal(error);
            }
            eprintln!("ntk-verify: {}", restored::in_words(announced));
            let words = trust.practice_words();
            if !args.restored {
                eprintln!(
                    "ntk-verify: that is the word of the practice key {words}: compare it with paper or a printed review, then give --restored"
                );
                return Ok(1);
            }
            if let Err(error) = witness.go_on(trust) {
                return refusal(error);
            }
            eprintln!(
                "ntk-verify: goes on behind size {}, on the word of the practice key {words}",
                witness.size()
            );
            witness
        }
        (Err(error), _) => return refusal(error),
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

fn id(text: &str) -> Result<String, String> {
    let fits = ntk_evidence::name::Author::agent(text).is_ok();
    if fits { Ok(text.to_owned()) } else { Err("use 1 to 63 lower-case letters, digits and `-`".to_owned()) }
}
