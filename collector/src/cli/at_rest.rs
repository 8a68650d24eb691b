//! `at-rest`: how what the collector keeps is encrypted on its disk.
//!
//! Each change is an act, written before anything is changed; no collector may run meanwhile.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget};
use ntk_evidence::act;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::answer::Usage;
use super::exit;
use crate::app::Working;
use crate::at_rest::header::{Header, State};
use crate::at_rest::source::{self, Source};
use crate::at_rest::{self, AtRestError, Opening, convert};
use crate::clock::Clock;
use crate::home::{Home, read_text};
use crate::keys_file::{Secret, secret};
use crate::practice::Practice;

/// What is left behind when a folder was encrypted while it was in use.
const FREED: &str =
    "What was stored before was freed on the disk and is not overwritten; earlier backups still hold it.";

/// Where the key comes from.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// passphrase (typed at each start), credential (systemd's ntk-at-rest), or file:PATH on removable media
    #[arg(long, value_name = "KEY")]
    key: Source,
}

/// `at-rest`.
#[derive(Debug, Subcommand)]
pub enum AtRestCommand {
    /// Say how it is kept; needs no key
    Status(super::Json),
    /// Encrypt what is stored and what will be; can be run again after a crash
    On {
        /// Where the key comes from: passphrase (typed at each start), credential (systemd's ntk-at-rest), or file:PATH on
        /// removable media, made where there is none; not needed to go on with what was begun
        #[arg(long, value_name = "KEY")]
        key: Option<Source>,
        /// File with the passphrase [default: typed twice, or the file in NTK_AT_REST_PASSPHRASE_FILE]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Let the key come from elsewhere, or change the passphrase; what is stored is not written again
    Change {
        /// Where the key comes from, from now on
        #[command(flatten)]
        to: KeyArgs,
        /// File with the passphrase until now
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// File with the passphrase from now on [default: typed twice]
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Open with the recovery key instead, where passphrase or medium are lost: the file that init wrote
        #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
        recovery_key: Option<PathBuf>,
    },
    /// Decrypt everything
    Off {
        /// File with the passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

/// Runs it.
pub(super) fn at_rest(home: Home, what: AtRestCommand) -> anyhow::Result<u8> {
    let practice = Practice::open(home.clone())?;
    match what {
        AtRestCommand::Status(args) => status(&home, &args),
        AtRestCommand::On { key, passphrase_file } => {
            on(home, key, passphrase_file.as_deref(), &practice.trust.recovery)
        }
        AtRestCommand::Change { to, passphrase_file, new_passphrase_file, recovery_key } => {
            let opening = opening(&home, passphrase_file.as_deref(), recovery_key.as_deref())?;
            change(home, &opening, &to.key, new_passphrase_file.as_deref(), &practice.trust.recovery)
        }
        AtRestCommand::Off { passphrase_file } => off(home, passphrase_file.as_deref()),
    }
}

fn status(home: &Home, args: &super::Json) -> anyhow::Result<u8> {
    let header = Header::read(home)?;
    let sentence = at_rest::sentence(home)?;
    let keys = home.path("keys-to-take-away.txt");
    if args.json {
        let header = header.as_ref();
        let body = json!({
            "encrypted": header.is_some_and(|header| header.state == State::Encrypted),
            "state": header.map(|header| header.state),
            "key": header.map(|header| header.source().to_string()),
            "sentence": sentence,
            "keys_to_take_away_are_here": keys.exists(),
        });
        println!("{body}");
        return Ok(0);
    }
    println!("{sentence}");
    if let Some(header) = header {
        println!("The key comes from: {}", header.source());
    }
    if keys.exists() {
        println!(
            "ATTENTION: {} still lies here and holds the practice's keys; take it away.",
            keys.display()
        );
    }
    Ok(0)
}

fn on(
    home: Home,
    key: Option<Source>,
    passphrase_file: Option<&std::path::Path>,
    recovery: &str,
) -> anyhow::Result<u8> {
    nobody_runs(&home)?;
    match Header::read(&home)? {
        Some(header) if header.state == State::Decrypting => Err(AtRestError::Decrypting.into()),
        // Begun before, or files were put back plain: whatever is plain is encrypted.
        Some(header) => {
            if key.is_some_and(|key| key != header.source()) {
                let known = header.source();
                return Err(Usage(format!(
                    "`--key`: it is encrypted with {known}; see ntk-collector at-rest change"
                ))
                .into());
            }
            let opening = Opening::Secret(source::obtain(&header.source(), &home, passphrase_file)?);
            let home = at_rest::unlock_with(home, &header, &opening)?;
            let keys = home.keys().cloned().context("the folder was just unlocked")?;
            told(|tell| convert::encrypt_all(home, &keys, header, tell))?;
            println!("Everything is encrypted. {FREED}");
            Ok(0)
        }
        None => {
            let key = key.ok_or_else(|| {
                Usage("`--key` says where the key comes from: passphrase, credential or file:PATH".into())
            })?;
            let secret = source::make(&key, &home, passphrase_file)?;
            record(&home, json!({"change": "at_rest", "encrypted": true, "key": key.kind()}))?;
            let home = convert::begin(home, &key, &secret, recovery)?;
            let home = told(|tell| convert::finish(home, tell))?;
            println!("{}", at_rest::sentence(&home)?);
            println!("{FREED}");
            println!(
                "Keep at-rest.json in every backup: without it nothing can be read, with or without the key."
            );
            Ok(0)
        }
    }
}

fn change(
    home: Home,
    opening: &Opening,
    to: &Source,
    new_passphrase_file: Option<&std::path::Path>,
    recovery: &str,
) -> anyhow::Result<u8> {
    nobody_runs(&home)?;
    let header = Header::read(&home)?.ok_or(AtRestError::NotEncrypted)?;
    let home = at_rest::unlock_with(home, &header, opening)?;
    let secret = source::make_new(to, &home, new_passphrase_file)?;
    record(
        &home,
        json!({"change": "at_rest", "encrypted": true, "key": to.kind(), "before": header.source().kind()}),
    )?;
    convert::change(&home, opening, to, &secret, recovery)?;
    println!("{}", at_rest::sentence(&home)?);
    println!("An earlier at-rest.json, as in a backup, still opens with the earlier key.");
    Ok(0)
}

fn off(home: Home, passphrase_file: Option<&std::path::Path>) -> anyhow::Result<u8> {
    nobody_runs(&home)?;
    let header = Header::read(&home)?.ok_or(AtRestError::NotEncrypted)?;
    let opening = Opening::Secret(source::obtain(&header.source(), &home, passphrase_file)?);
    let mut home = at_rest::unlock_with(home, &header, &opening)?;
    if header.state != State::Decrypting {
        record(&home, json!({"change": "at_rest", "encrypted": false, "before": header.source().kind()}))?;
        home = convert::begin_decrypting(home, &opening)?;
    }
    let home = told(|tell| convert::finish(home, tell))?;
    println!("{}", at_rest::sentence(&home)?);
    Ok(0)
}

fn opening(
    home: &Home,
    passphrase_file: Option<&std::path::Path>,
    recovery_key: Option<&std::path::Path>,
) -> anyhow::Result<Opening> {
    let header = Header::read(home)?.ok_or(AtRestError::NotEncrypted)?;
    let Some(file) = recovery_key else {
        return Ok(Opening::Secret(source::obtain(&header.source(), home, passphrase_file)?));
    };
    let text = Zeroizing::new(read_text(file)?);
    let key = secret(&text, Secret::Recovery).ok_or_else(|| {
        Usage(format!("`{}` holds no recovery key, neither in hex nor in 24 words", file.display()))
    })?;
    Ok(Opening::RecoveryKey(Box::new(Zeroizing::new(key))))
}

fn nobody_runs(home: &Home) -> anyhow::Result<()> {
    if crate::system::answers(home) { Err(NotNow.into()) } else { Ok(()) }
}

/// A collector has the files open.
#[derive(Debug, thiserror::Error)]
#[error("a collector runs here; stop it first, and start it again afterwards. Nothing was changed")]
pub(super) struct NotNow;

impl NotNow {
    pub(super) const CODE: u8 = exit::NO;
}

/// Writes the act; whatever was begun before is finished by opening the folder.
fn record(home: &Home, body: Value) -> anyhow::Result<()> {
    let working = Working::start(home.clone(), Clock::system())?;
    let ledger = working.app.ledger.clone();
    let written = ledger.act_blocking(vec![act::event(act::kind::CONFIGURATION, ledger.now(), body)]);
    drop(ledger);
    working.stop();
    written.map(|_| ()).map_err(Into::into)
}

/// Shows how far the ledger's files are.
fn told<T>(work: impl FnOnce(convert::Tell<'_>) -> Result<T, AtRestError>) -> Result<T, AtRestError> {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    let result = work(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    result
}
