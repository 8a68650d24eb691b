//! `set-up`: what a new practice still has to do; the console's wizard shows the same.

use clap::Subcommand;
use serde_json::{Value, json};

use super::answer::{json, text};
use super::exit;
use super::passphrase::{By, send};
use crate::admin::client::Client;

/// `set-up`.
#[derive(Debug, Subcommand)]
pub enum SetUpCommand {
    /// What is set up and what is not
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Record that the file with the keys was taken away and is no longer on this computer
    Keys(By),
    /// Put the list away although something is left
    PutAway(By),
}

/// Runs `set-up`: exit 1 while something is left.
pub(super) async fn set_up(client: &Client, what: Option<SetUpCommand>) -> anyhow::Result<u8> {
    match what.unwrap_or(SetUpCommand::List { json: false }) {
        SetUpCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/set-up", &[]).await?)?;
            if as_json {
                println!("{body}");
            } else {
                for step in body.get("steps").and_then(Value::as_array).into_iter().flatten() {
                    let is_done = step.get("done").and_then(Value::as_bool) == Some(true);
                    let mark = if is_done { "done" } else { "open" };
                    println!("{mark}  {:<28}{}", text(step, "title"), text(step, "says"));
                }
            }
            Ok(if body.get("over").and_then(Value::as_bool) == Some(true) { 0 } else { exit::NO })
        }
        SetUpCommand::Keys(by) => {
            send(client, "/v1/set-up/keys", json!({}), &by).await?;
            println!("Recorded. Where they lie is written down nowhere here: you know it.");
            Ok(0)
        }
        SetUpCommand::PutAway(by) => {
            send(client, "/v1/set-up/put-away", json!({}), &by).await?;
            println!("The list is put away; `ntk-collector set-up` still shows it.");
            Ok(0)
        }
    }
}
