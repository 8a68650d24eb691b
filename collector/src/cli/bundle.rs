//! `bundle`: evidence bundles that were built in the console and are kept here.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::{Usage, json, text};
use super::exit;
use super::passphrase::{By, send};
use crate::admin::client::Client;
use crate::home::write_file;

/// `bundle`.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Bundles that are kept here, and what is being built
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check one as ntk-verify does, against the trust file in force
    Check {
        /// Its id, such as C-1-204
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write one to a file, never over another; that there is a copy is an act of custody
    Save {
        /// Its id
        id: String,
        /// Where to
        #[arg(long, value_name = "FILE.zip")]
        out: PathBuf,
        /// Write over a file that is there
        #[arg(long)]
        replace: bool,
    },
    /// Remove one; what it was made of stays in the ledger
    Remove {
        /// Its id
        id: String,
        /// Who removes it
        #[command(flatten)]
        by: By,
    },
}

pub(super) async fn bundle(client: &Client, what: BundleCommand) -> anyhow::Result<u8> {
    match what {
        BundleCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/bundles", &[]).await?)?;
            if as_json {
                println!("{body}");
                return Ok(0);
            }
            let bundles = body.get("bundles").and_then(Value::as_array).cloned().unwrap_or_default();
            if bundles.is_empty() {
                println!("No bundle is kept here; the console's page Evidence builds one.");
            }
            for kept in &bundles {
                let at = |pointer: &str, or: &str| {
                    kept.pointer(pointer).and_then(Value::as_str).unwrap_or(or).to_owned()
                };
                println!(
                    "{:<20} made {}  about {}  {} to {}  {} bytes  sha256 {}",
                    at("/id", ""),
                    at("/made", ""),
                    at("/question/person", "everybody"),
                    at("/question/from", ""),
                    at("/question/to", ""),
                    kept.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
                    at("/sha256", ""),
                );
            }
            if let Some(running) = body.get("running").filter(|running| running.is_object()) {
                println!("Now: {} for case {}.", text(running, "what"), text(running, "case"));
            }
        }
        BundleCommand::Check { id, json: as_json } => {
            let body = json(&client.post("/v1/bundles/check", &json!({"id": id})).await?)?;
            if as_json {
                println!("{body}");
            } else {
                for check in body.get("checks").and_then(Value::as_array).into_iter().flatten() {
                    let mark = if text(check, "status") == "passed" { "ok  " } else { "FAIL" };
                    println!("{mark} {:<16} {}", text(check, "name"), text(check, "sentence"));
                }
                println!("\n{}", text(&body, "verdict"));
            }
            return Ok(if body.get("exit_code").and_then(Value::as_u64) == Some(0) { 0 } else { exit::NO });
        }
        BundleCommand::Save { id, out, replace } => {
            // Before it is asked for: a copy that is not made is no act of custody.
            if !replace && out.symlink_metadata().is_ok() {
                return Err(Usage(format!(
                    "`{}` is there already and is left as it is; give another name, or add --replace",
                    out.display()
                ))
                .into());
            }
            let zip = client.get(&format!("/v1/bundles/{id}"), &[]).await?;
            write_file(&out, &zip, 0o600)?;
            println!("{} ({} bytes)", out.display(), zip.len());
        }
        BundleCommand::Remove { id, by } => {
            send(client, "/v1/bundles/remove", json!({"id": id}), &by).await?;
            println!("{id} is removed here. What it was made of stays in the ledger.");
        }
    }
    Ok(0)
}
