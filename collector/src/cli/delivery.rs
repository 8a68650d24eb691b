//! `mail` and `notice`: secrets, a check, a trial.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{json, text};
use super::{exit, passphrase};
use crate::admin::client::Client;
use crate::delivery::send::secret;

/// Where a secret is read from when nobody sits at a terminal.
const VARIABLE: &str = "NTK_SECRET";

/// Where a secret comes from.
#[derive(Debug, Args)]
pub struct From {
    /// File that holds it in its first line [default: typed unseen, or the variable NTK_SECRET]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// `mail`.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Set the password at the mail server; it is kept below private/ and nowhere else
    Password(From),
    /// Set the passphrase that opens encrypted attachments; tell it to the reader by another way than mail
    Passphrase(From),
    /// How mails and notices stand, and what should be looked at before they are relied on
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send one trial to everybody who gets the review
    Test,
    /// Record that an address is kept although `check` warns of it
    Decline {
        /// Why
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
}

/// `notice`.
#[derive(Debug, Subcommand)]
pub enum NoticeCommand {
    /// Send one trial each way, now
    Test,
    /// Set what the gateway of notices.webhook knows us by (header X-Need-To-Know-Secret)
    Secret(From),
    /// Set the access token of the ntfy topic
    Token(From),
}

pub(super) async fn mail(client: &Client, what: MailCommand) -> anyhow::Result<u8> {
    match what {
        MailCommand::Password(from) => set(client, secret::MAIL, "Password at the mail server", from).await,
        MailCommand::Passphrase(from) => {
            set(client, secret::PASSPHRASE, "Passphrase of encrypted attachments", from).await
        }
        MailCommand::Check { json: as_json } => check(client, as_json).await,
        MailCommand::Test => test(client, "mail").await,
        MailCommand::Decline { because } => {
            client.post("/v1/delivery/decline", &json!({"because": because})).await?;
            println!("Recorded, with what `mail check` says now. It stands in the next review.");
            Ok(0)
        }
    }
}

pub(super) async fn notice(client: &Client, what: NoticeCommand) -> anyhow::Result<u8> {
    match what {
        NoticeCommand::Test => test(client, "notice").await,
        NoticeCommand::Secret(from) => set(client, secret::WEBHOOK, "Secret of the gateway", from).await,
        NoticeCommand::Token(from) => set(client, secret::NTFY, "Token of the ntfy topic", from).await,
    }
}

async fn set(client: &Client, name: &str, prompt: &str, from: From) -> anyhow::Result<u8> {
    let value = passphrase::read(from.file.as_deref(), VARIABLE, prompt)?;
    client.post("/v1/delivery/secret", &json!({"what": name, "value": value})).await?;
    println!("Set. It is used from the next attempt on.");
    Ok(0)
}

async fn test(client: &Client, what: &str) -> anyhow::Result<u8> {
    let body = json(&client.post("/v1/delivery/test", &json!({"what": what})).await?)?;
    let mut code = 0;
    for row in body.get("tried").and_then(Value::as_array).into_iter().flatten() {
        match row.get("reason").and_then(Value::as_str) {
            None => println!("ok    {}: taken; look whether it arrives", text(row, "way")),
            Some(reason) => {
                code = exit::NO;
                println!("FAULT {}: {reason}", text(row, "way"));
            }
        }
    }
    Ok(code)
}

async fn check(client: &Client, as_json: bool) -> anyhow::Result<u8> {
    let body = json(&client.get("/v1/delivery", &[]).await?)?;
    let warnings: Vec<&str> = body
        .get("warnings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let code = if warnings.is_empty() { 0 } else { exit::NO };
    if as_json {
        println!("{body}");
        return Ok(code);
    }
    for (key, what) in [("reports_to", "Reviews go"), ("notices_to", "Notices go")] {
        let ways: Vec<&str> =
            body.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        println!("{what}: {}", if ways.is_empty() { "nowhere".to_owned() } else { ways.join(", ") });
    }
    let waiting = body.get("waiting").and_then(Value::as_u64).unwrap_or(0);
    let last = body.get("last_report").and_then(Value::as_str).unwrap_or("never");
    println!("Waiting to be sent: {waiting}. A review was last taken: {last}.");
    for warning in &warnings {
        println!("WARN  {warning}");
    }
    println!("{}", text(&body, "not_checked"));
    Ok(code)
}
