//! Who decides on the command line, and how they show it: a prompt, a file, or the environment.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use console::Term;
use serde_json::{Value, json};

use super::answer::Usage;
use crate::admin::client::{Client, ClientError};
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

/// Sends a request in somebody's name. The passphrase is asked for only where the collector wants one: while a
/// practice is being set up nobody has any.
pub(super) async fn send(client: &Client, path: &str, mut body: Value, by: &By) -> anyhow::Result<Vec<u8>> {
    let given = by.passphrase_file.is_some() || std::env::var_os(VARIABLE).is_some();
    let passphrase = if given { Some(by.passphrase()?) } else { None };
    put(&mut body, "by", json!(by.by));
    put(&mut body, "passphrase", json!(passphrase));
    match client.post(path, &body).await {
        Err(ClientError::Unproved(_)) if !given && console::user_attended() => {
            put(&mut body, "passphrase", json!(by.passphrase()?));
            Ok(client.post(path, &body).await?)
        }
        answer => Ok(answer?),
    }
}

/// [`send`] where it may be in nobody's name.
pub(super) async fn send_maybe(
    client: &Client,
    path: &str,
    body: Value,
    by: Option<String>,
    passphrase_file: Option<PathBuf>,
) -> anyhow::Result<Vec<u8>> {
    match by {
        Some(by) => send(client, path, body, &By { by, passphrase_file }).await,
        None => Ok(client.post(path, &body).await?),
    }
}

fn put(body: &mut Value, key: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(key.to_owned(), value);
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
