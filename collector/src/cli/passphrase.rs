//! Who decides on the command line, and how they show it: a prompt, a file, or the environment.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use console::Term;

use super::commands::Usage;
use crate::home::read_text;

/// Where a passphrase is read from when nobody sits at a terminal.
pub(super) const VARIABLE: &str = "NTK_PASSPHRASE";

/// Who decides.
#[derive(Debug, Args)]
pub struct By {
    /// Who decides: the person's id in the roster
    #[arg(long, value_name = "WHO")]
    pub by: String,
    /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl By {
    /// The passphrase of the one who decides.
    pub(super) fn passphrase(&self) -> anyhow::Result<String> {
        read(self.passphrase_file.as_deref(), VARIABLE, &format!("Passphrase of {}", self.by))
    }
}

/// A passphrase: out of the file, else the variable, else typed unseen.
pub(super) fn read(file: Option<&Path>, variable: &str, prompt: &str) -> anyhow::Result<String> {
    if let Some(file) = file {
        return Ok(read_text(file)?.trim_end_matches(['\r', '\n']).to_owned());
    }
    if let Ok(text) = std::env::var(variable) {
        return Ok(text);
    }
    let term = Term::stderr();
    if !term.is_term() || !console::user_attended() {
        return Err(Usage(format!(
            "{prompt}: nobody sits at a terminal; give a file or the variable {variable}"
        ))
        .into());
    }
    term.write_str(&format!("{prompt}: ")).context("the terminal cannot be written to")?;
    term.read_secure_line().context("the passphrase could not be read")
}

/// Whether the person at the terminal says yes; `--yes` stands for it where nobody sits there.
pub(super) fn confirm(question: &str, is_yes: bool) -> anyhow::Result<bool> {
    if is_yes {
        return Ok(true);
    }
    if !console::user_attended() {
        return Err(Usage(format!("{question} Nobody sits at a terminal; add --yes")).into());
    }
    Ok(super::print::ask(&format!("{question} Type yes to approve.")).is_some_and(|word| word == "yes"))
}
