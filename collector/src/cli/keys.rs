//! `keys`: the practice key and the recovery key outside, on sticks and on paper.
//!
//! Only `hand-over` and `replace-recovery` speak to a collector. The others run, with `--trust`, on the manager's own
//! computer, where nobody whom the practice watches can read what is typed.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::words;
use zeroize::Zeroizing;

use super::answer::{Usage, json, text};
use super::exit;
use super::trust::made_after;
use crate::admin::client::Client;
use crate::home::{Home, random, read_text};
use crate::init::{InitError, OnPaper, write_copy};
use crate::keys_file::paper::{self, PaperError};
use crate::keys_file::{Found, Secret, TakenAway, check, is_of};
use crate::succession::{self, HandOver, HandOverError, Renewed};

/// The most that is read from standard input, in bytes.
const TEXT_MAX: u64 = 1 << 16;

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Say whether a file or paper words belong to this practice; changes nothing
    Check {
        /// A file of `init`, or one key alone (64 hex digits or 24 words); `-` reads it from standard input
        file: PathBuf,
        /// The practice's trust.txt, where this is not the collector
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
    },
    /// Let another practice key take the place of the present one, which signs that: rotation, a new manager, theft
    HandOver(HandOverArgs),
    /// Let another recovery key take the place of the present one, as the practice key says: rotation, loss, theft
    #[command(after_help = "Example:\n  \
        ntk-collector keys replace-recovery --keys /media/safe/keys.txt --new-keys /media/usb1/keys.txt --new-keys /media/usb2/keys.txt --why \"a stick was lost\"\n\n\
        What was encrypted before stays readable with the former key: keep one copy of it as long as the command says.")]
    ReplaceRecovery(RenewArgs),
    /// Make the file of keys again from the words on paper: those of the practice key, then those of the recovery key
    FromWords {
        /// Where to; must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The practice's trust.txt, where this is not the collector
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
    },
}

impl KeysCommand {
    /// Whether it is a request to a collector.
    pub(super) const fn is_request(&self) -> bool {
        matches!(self, Self::HandOver(_) | Self::ReplaceRecovery(_))
    }
}

/// `keys hand-over`.
#[derive(Debug, Args)]
pub struct HandOverArgs {
    #[command(flatten)]
    renew: RenewArgs,
    /// Make a new recovery key as well: whoever had the stick or paper had both
    #[arg(long)]
    recovery_key_too: bool,
    /// Leave out the programs that the present key announced: they are compared with nothing until they are announced again
    #[arg(long)]
    without_programs: bool,
}

/// Keys that are made anew.
#[derive(Debug, Args)]
pub struct RenewArgs {
    /// The file with both keys of now; from paper words make it with `keys from-words`. The practice key alone is enough
    /// where a new recovery key is made
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// File for the keys of then; a second time for a second stick. Each is a whole copy and is read back. The same
    /// files again go on where an attempt broke off
    #[arg(long, value_name = "FILE", required_unless_present = "new_keys_on_paper")]
    new_keys: Vec<PathBuf>,
    /// Show the keys of then once as 24 words each, to be written on paper, and have some of them typed back
    #[arg(long)]
    new_keys_on_paper: bool,
    /// With --new-keys-on-paper: as with `init`
    #[arg(long, requires = "new_keys_on_paper")]
    words_answer: bool,
    /// Why, in one line; whoever checks a bundle reads it
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Who holds the new key from now on
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
}

/// Runs what is a request.
pub(super) async fn renew(client: &Client, what: KeysCommand) -> anyhow::Result<u8> {
    let (args, renewed, without_programs) = match what {
        KeysCommand::HandOver(HandOverArgs { renew, recovery_key_too, without_programs }) => {
            let renewed = if recovery_key_too { Renewed::Both } else { Renewed::Practice };
            (renew, renewed, without_programs)
        }
        KeysCommand::ReplaceRecovery(renew) => (renew, Renewed::Recovery, true),
        _ => return Err(anyhow::anyhow!("this is no request")),
    };
    if args.new_keys_on_paper {
        must_be_terminal(args.words_answer)?;
    }
    let held = TrustFile::parse(text(&json(&client.get("/v1/trust", &[]).await?)?, "text").as_bytes())?;
    let listed = json(&client.get("/v1/programs", &[]).await?)?;
    let listed = listed.get("programs").and_then(serde_json::Value::as_array).into_iter().flatten();
    let announced: Vec<String> = listed
        .filter(|one| !without_programs && one.get("withdrawn").is_none_or(serde_json::Value::is_null))
        .map(|one| text(one, "text").to_owned())
        .collect();
    let (keys, why) = (
        Zeroizing::new(read_text(&args.keys)?),
        match &args.to {
            Some(name) => format!("to {name}: {}", args.why),
            None => args.why.clone(),
        },
    );
    let order = HandOver {
        held: &held,
        renewed,
        keys: &keys,
        to: &args.new_keys,
        made: &made_after(&held.made, jiff::Timestamp::now())?,
        why: &why,
        announced: &announced,
    };
    // A new practice key comes with a whole sheet; a paper with the one that stays need not be shown again.
    let shown = if renewed == Renewed::Recovery { renewed.secrets() } else { &Secret::BOTH };
    let mut show = |keys: &TakenAway, trust: &TrustFile| on_paper(keys, trust, shown, args.words_answer);
    let on_paper: Option<OnPaper<'_>> = if args.new_keys_on_paper { Some(&mut show) } else { None };
    let signed = succession::hand_over(order, on_paper).map_err(|error| match error {
        HandOverError::Copy(error) => anyhow::Error::from(error),
        HandOverError::Home(error) => error.into(),
        HandOverError::Paper(error) => InitError::Paper(error).into(),
        error => Usage(error.to_string()).into(),
    })?;
    client.post("/v1/trust", &serde_json::json!({"text": signed.text, "programs": signed.programs})).await?;
    print!("{}", succession::told(&signed, &held, renewed));
    Ok(0)
}

/// Runs it.
pub(super) fn keys(home: &Home, what: KeysCommand) -> anyhow::Result<u8> {
    match what {
        KeysCommand::Check { file, trust } => {
            let trust = read_trust(home, trust.as_deref())?;
            let text = if file == Path::new("-") {
                let mut text = Zeroizing::new(String::new());
                std::io::stdin().take(TEXT_MAX).read_to_string(&mut text)?;
                text
            } else {
                Zeroizing::new(read_text(&file)?)
            };
            Ok(say(check(&text, &trust), &trust))
        }
        KeysCommand::HandOver(_) | KeysCommand::ReplaceRecovery(_) => {
            Err(anyhow::anyhow!("this is a request to a collector"))
        }
        KeysCommand::FromWords { out, trust } => from_words(&out, &read_trust(home, trust.as_deref())?),
    }
}

fn read_trust(home: &Home, given: Option<&Path>) -> anyhow::Result<TrustFile> {
    let path = given.map_or_else(|| home.trust(), Path::to_owned);
    TrustFile::parse(read_text(&path)?.as_bytes())
        .with_context(|| format!("`{}` is no trust file that a practice key signed", path.display()))
}

fn say(found: [Found; 2], trust: &TrustFile) -> u8 {
    for (which, found) in Secret::BOTH.into_iter().zip(found) {
        println!(
            "{}: {}",
            which.label(),
            match found {
                Found::Ours => format!("it is that of {} ({})", trust.practice, trust.slug),
                Found::Former if which == Secret::Practice => {
                    "NOT in force: it handed over to another key; destroy it".to_owned()
                }
                Found::Former => {
                    "NOT in force: it was replaced. It still opens what was encrypted to it before (--former-keys of restore, take-back and refill)".to_owned()
                }
                Found::Other => "NOT this practice's, or damaged".to_owned(),
                Found::Absent => "not here".to_owned(),
            }
        );
    }
    if found == [Found::Absent; 2] {
        println!("No key was found: a whole file, 64 hex digits or 24 words are needed.");
    }
    let is_good =
        found.contains(&Found::Ours) && !found.iter().any(|one| matches!(one, Found::Other | Found::Former));
    if is_good { 0 } else { exit::NO }
}

fn from_words(out: &Path, trust: &TrustFile) -> anyhow::Result<u8> {
    if out.exists() {
        return Err(Usage(format!("`{}` exists already; name another file", out.display())).into());
    }
    let practice = words_of(Secret::Practice, trust)?;
    let recovery = words_of(Secret::Recovery, trust)?;
    let keys = TakenAway::new(*practice, *recovery);
    let text = Zeroizing::new(keys.file(&trust.practice, &trust.slug, trust.practice_key.public_bytes())?);
    write_copy(out, &text)?;
    println!("{}: both keys, written and read back. Take it away now.", out.display());
    Ok(0)
}

/// Reads the words of one key, on one line, and checks whose they are before anything is written.
fn words_of(which: Secret, trust: &TrustFile) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if std::io::stdin().is_terminal() {
        eprint!("The 24 words of the {}, on one line: ", which.label());
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().take(TEXT_MAX).read_line(&mut line)?;
    let words = Zeroizing::new(line.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase());
    let secret = words::secret_from_words(&words).map(Zeroizing::new).ok_or_else(|| {
        Usage(format!(
            "these are not the 24 words of a {}: a word is wrong, missing or misplaced",
            which.label()
        ))
    })?;
    if is_of(&secret, which, trust) {
        Ok(secret)
    } else {
        Err(Usage(format!(
            "these 24 words are whole, but they are not the {} of {}",
            which.label(),
            trust.slug
        ))
        .into())
    }
}

/// Shows the sheet once and has some of its words typed back.
///
/// Where the output is no terminal it may be a file, and the keys would be on a disk: only `is_piped` allows it.
pub(super) fn on_paper(
    keys: &TakenAway,
    trust: &TrustFile,
    shown: &[Secret],
    is_piped: bool,
) -> Result<(), PaperError> {
    let (mut answers, mut screen) = (std::io::stdin().lock(), std::io::stdout());
    println!("{}", paper::sheet(keys, trust, shown));
    if !is_piped {
        println!("Write it down by hand, twice; take no photograph. Press Enter when it is on paper.");
        let mut line = String::new();
        std::io::Read::take(&mut answers, TEXT_MAX).read_line(&mut line)?;
        console::Term::stdout().clear_screen()?;
    }
    let random = random().map_err(std::io::Error::other)?;
    paper::type_back(keys, &paper::questions(&random, shown), &mut answers, &mut screen)?;
    println!("The words on paper are right.");
    Ok(())
}

/// Refuses paper words where nobody sees them.
pub(super) fn must_be_terminal(is_piped: bool) -> anyhow::Result<()> {
    if is_piped || (std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Ok(());
    }
    Err(Usage("`--keys-on-paper` shows secret words: run it on a terminal, with nothing redirected".into())
        .into())
}
