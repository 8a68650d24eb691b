//! `time-stamp`: ask the authority now, or by way of a file that somebody takes to a machine that can reach one.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use ntk_evidence::time_stamp::RESPONSE_BYTES_MAX;
use serde_json::{Value, json};

use super::answer::{Usage, json, text};
use super::exit;
use crate::admin::client::{Client, ClientError};
use crate::home::write_file;

/// `time-stamp`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TimeStampArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    what: Option<TimeStampCommand>,
}

/// By way of files.
#[derive(Debug, Subcommand)]
pub(super) enum TimeStampCommand {
    /// Write the newest checkpoint as a request that another machine can send
    Request {
        /// Where to
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take the authority's answer to such a request
    Add {
        /// The answer
        file: PathBuf,
    },
}

/// Runs `time-stamp`.
pub(super) async fn time_stamp(client: &Client, args: TimeStampArgs) -> anyhow::Result<u8> {
    match args.what {
        None => now(client, args.json).await,
        Some(TimeStampCommand::Request { out }) => request(client, &out).await,
        Some(TimeStampCommand::Add { file }) => {
            let response = STANDARD.encode(read(&file)?);
            let answer = json(&client.post("/v1/time-stamp/add", &json!({"response": response})).await?)?;
            println!("{}", in_words(&answer));
            Ok(0)
        }
    }
}

async fn now(client: &Client, as_json: bool) -> anyhow::Result<u8> {
    match client.post("/v1/time-stamp", &json!({})).await {
        Ok(answer) => {
            let answer = json(&answer)?;
            println!("{}", if as_json { answer.to_string() } else { in_words(&answer) });
            Ok(0)
        }
        Err(ClientError::Refused(sentence)) if as_json => {
            println!("{}", json!({"error": sentence}));
            Ok(exit::NO)
        }
        Err(error) => Err(error.into()),
    }
}

async fn request(client: &Client, out: &Path) -> anyhow::Result<u8> {
    let answer = json(&client.post("/v1/time-stamp/request", &json!({})).await?)?;
    let query = STANDARD.decode(text(&answer, "request")).context("the collector's request is not base64")?;
    write_file(out, &query, 0o640)?;
    let size = answer.get("size").and_then(Value::as_u64).unwrap_or(0);
    println!("{}: the log at size {size}. On a machine that reaches an authority:", out.display());
    println!(
        "  curl --fail -H 'Content-Type: application/timestamp-query' --data-binary @{} -o answer.tsr http://AUTHORITY",
        out.display()
    );
    println!("Then here: ntk-collector time-stamp add answer.tsr");
    Ok(0)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let opened = std::fs::File::open(file)
        .map_err(|error| anyhow!(Usage(format!("`{}` cannot be read: {error}", file.display()))))?;
    let most = u64::try_from(RESPONSE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).context("the answer cannot be read")?;
    if bytes.len() > RESPONSE_BYTES_MAX {
        return Err(Usage(format!("`{}` is longer than any time-stamp", file.display())).into());
    }
    Ok(bytes)
}

fn in_words(answer: &Value) -> String {
    format!(
        "The log at size {} was stamped at {} by {} (serial {}). Its signature is checked by `openssl ts -verify`.",
        answer.get("size").and_then(Value::as_u64).unwrap_or(0),
        text(answer, "time"),
        answer.get("authority").and_then(Value::as_str).unwrap_or("an authority that does not name itself"),
        text(answer, "serial"),
    )
}
