//! `keys`: the practice key and the recovery key outside, on sticks and on paper.
//!
//! No command here speaks to a collector: with `--trust` they run on the manager's own computer, where nobody whom the
//! practice watches can read what is typed.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use ntk_evidence::trust::TrustFile;
use ntk_evidence::words;
use zeroize::Zeroizing;

use super::answer::Usage;
use super::exit;
use crate::home::{Home, random, read_text};
use crate::init::write_copy;
use crate::keys_file::paper::{self, PaperError};
use crate::keys_file::{Found, Secret, TakenAway, check, is_of};

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
                Found::Other => "NOT this practice's, or damaged".to_owned(),
                Found::Absent => "not here".to_owned(),
            }
        );
    }
    if found == [Found::Absent; 2] {
        println!("No key was found: a whole file, 64 hex digits or 24 words are needed.");
    }
    let is_good = found.contains(&Found::Ours) && !found.contains(&Found::Other);
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
pub(super) fn on_paper(keys: &TakenAway, trust: &TrustFile, is_piped: bool) -> Result<(), PaperError> {
    let (mut answers, mut screen) = (std::io::stdin().lock(), std::io::stdout());
    println!("{}", paper::sheet(keys, trust));
    if !is_piped {
        println!("Write it down by hand, twice; take no photograph. Press Enter when it is on paper.");
        let mut line = String::new();
        std::io::Read::take(&mut answers, TEXT_MAX).read_line(&mut line)?;
        console::Term::stdout().clear_screen()?;
    }
    let random = random().map_err(std::io::Error::other)?;
    paper::type_back(keys, &paper::questions(&random), &mut answers, &mut screen)?;
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
