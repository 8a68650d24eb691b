//! `cosign`: what waits for a second signature; read it, sign it, decline it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::super::answer::{json, text};
use super::super::passphrase::{By, confirm, send};
use super::rows;
use crate::admin::client::Client;
use crate::cli::exit;

/// `cosign`.
#[derive(Debug, Subcommand)]
pub enum CosignCommand {
    /// What waits, and what became of what has waited
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The whole text that would be signed
    Show {
        /// Its number: C-3
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put the second signature under it
    Sign {
        /// Its number: C-3
        id: String,
        /// Who signs: the second reviewer
        #[command(flatten)]
        by: By,
        /// SHA-256 of the text that was read [default: the text is shown and asked about]
        #[arg(long, value_name = "HASH")]
        sha256: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Do not sign it; a leave date that holds already is withdrawn by that
    Decline {
        /// Its number: C-3
        id: String,
        /// Why
        #[arg(long)]
        because: String,
        /// Who declines
        #[command(flatten)]
        by: By,
    },
}

pub(in crate::cli) async fn cosign(client: &Client, what: CosignCommand) -> anyhow::Result<u8> {
    match what {
        CosignCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/cosign", &[]).await?)?;
            if as_json { println!("{body}") } else { print_list(&body) }
        }
        CosignCommand::Show { id, json: as_json } => {
            let body = show(client, &id).await?;
            if as_json { println!("{body}") } else { print_one(&body) }
        }
        CosignCommand::Sign { id, by, sha256, yes } => {
            let sha256 = match sha256 {
                Some(sha256) => sha256,
                None => {
                    let body = show(client, &id).await?;
                    print_one(&body);
                    if !confirm("Sign this?", yes)? {
                        println!("Not signed.");
                        return Ok(exit::NO);
                    }
                    text(&body, "sha256").to_owned()
                }
            };
            let body =
                json(&send(client, "/v1/cosign/sign", json!({"id": id, "sha256": sha256}), &by).await?)?;
            println!("Signed: {}", text(&body, "says"));
            if text(&body, "what") == "export" {
                println!("Who asked makes it now with --cosigned {id}.");
            }
        }
        CosignCommand::Decline { id, because, by } => {
            let body =
                json(&send(client, "/v1/cosign/decline", json!({"id": id, "because": because}), &by).await?)?;
            println!("Not signed: {}", text(&body, "says"));
            if body.get("withdrawn").and_then(Value::as_bool) == Some(true) {
                println!("The leave date is withdrawn.");
            }
        }
    }
    Ok(0)
}

async fn show(client: &Client, id: &str) -> anyhow::Result<Value> {
    let plain: String = id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    json(&client.get(&format!("/v1/cosign/{plain}"), &[]).await?)
}

fn print_one(body: &Value) {
    println!("{}: {}", text(body, "id"), text(body, "says"));
    println!("Asked for by {}, open until {}.", text(body, "by"), text(body, "expires"));
    if let Some(why) = body.get("at_once").and_then(Value::as_str) {
        println!("It holds already: {why}.");
    }
    for (key, value) in body.get("body").and_then(Value::as_object).into_iter().flatten() {
        match value.as_str() {
            Some(value) if value.contains('\n') => println!("{key}:\n{value}"),
            Some(value) => println!("{key}: {value}"),
            None => println!("{key}: {value}"),
        }
    }
    println!("SHA-256 of what is signed: {}", text(body, "sha256"));
}

fn print_list(body: &Value) {
    let (waiting, lapsed, over) = (rows(body, "waiting"), rows(body, "lapsed"), rows(body, "over"));
    if waiting.is_empty() {
        println!("Nothing waits for a second signature.");
    }
    for row in &waiting {
        let now = if row.get("at_once").is_some_and(Value::is_string) { "holds already; " } else { "" };
        println!("{:<5} {now}waits until {}: {}", text(row, "id"), text(row, "expires"), text(row, "says"));
    }
    for row in &lapsed {
        println!("{:<5} nobody signed in time: {}", text(row, "id"), text(row, "says"));
    }
    for row in &over {
        let outcome = row.pointer("/outcome/is").and_then(Value::as_str).unwrap_or_default();
        let by = row.pointer("/outcome/by").and_then(Value::as_str).unwrap_or_default();
        let said = match outcome {
            "signed" => format!("signed by {by}"),
            "used" => "signed, and done".to_owned(),
            "declined" => format!("declined by {by}"),
            _ => "nobody signed in time".to_owned(),
        };
        println!("{:<5} {said} at {}: {}", text(row, "id"), text(row, "at"), text(row, "says"));
    }
}
