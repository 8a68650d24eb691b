//! `watch`: what machines propose to watch, for a person of the practice to confirm or decline.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{json, text};
use super::passphrase::By;
use crate::admin::client::Client;

/// `watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector watch list\n  \
    ntk-collector watch confirm 3f9a0c1b2d4e --by mary\n  \
    ntk-collector watch decline 3f9a0c1b2d4e --by mary")]
pub struct WatchArgs {
    /// What to do
    #[command(subcommand)]
    pub what: WatchCommand,
}

/// What can be done with a proposal.
#[derive(Debug, Subcommand)]
pub enum WatchCommand {
    /// Mailboxes, voicemail, exports and backups that machines found, and how they stand
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have it watched from now on; that is not taken back
    Confirm(DecideArgs),
    /// Have the machine ask no more
    Decline(DecideArgs),
}

/// A decision.
#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The proposal's id
    pub id: String,
    /// Who decides, and how they show it
    #[command(flatten)]
    pub by: By,
    /// The computer, where two proposed the same
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
}

/// Asks, and shows the answer.
pub(super) async fn run(client: &Client, args: WatchArgs) -> anyhow::Result<u8> {
    let (args, step) = match args.what {
        WatchCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/watches", &[]).await?)?;
            if as_json {
                println!("{body}")
            } else {
                print!("{}", in_words(&body))
            }
            return Ok(0);
        }
        WatchCommand::Confirm(args) => (args, "confirmed"),
        WatchCommand::Decline(args) => (args, "declined"),
    };
    let request = json!({
        "id": args.id, "step": step, "by": args.by.by, "machine": args.machine, "passphrase": args.by.passphrase()?,
    });
    let body = json(&client.post("/v1/watches/decide", &request).await?)?;
    let machine = machine(text(&body, "machine")).to_owned();
    if step == "confirmed" {
        println!(
            "{} on {machine} is watched as soon as {machine} hears of it; `ntk-collector watch list` shows when.",
            text(&body, "path")
        );
    } else {
        println!("{machine} asks no more about {}.", text(&body, "path"));
    }
    Ok(0)
}

fn machine(author: &str) -> &str {
    author.strip_prefix("agent/").unwrap_or(author)
}

fn in_words(body: &Value) -> String {
    let rows = body.get("proposals").and_then(Value::as_array).cloned().unwrap_or_default();
    if rows.is_empty() {
        return "No machine has found anything that is not watched.\n".to_owned();
    }
    let mut said = String::new();
    for row in &rows {
        let standing = match (text(row, "standing"), text(row, "decided")) {
            ("watched", _) => "watched",
            (_, "confirmed") => "confirmed, not yet heard of by the computer",
            (_, "declined") => "declined",
            _ => "waits for a decision",
        };
        let owner = Some(text(row, "owner")).filter(|owner| !owner.is_empty());
        let owner = owner.map(|owner| format!(" of {owner}")).unwrap_or_default();
        said.push_str(&format!(
            "{}  {}: {}{owner} {}\n              {}; {standing}\n",
            text(row, "id"),
            machine(text(row, "author")),
            text(row, "class"),
            text(row, "path"),
            text(row, "because"),
        ));
    }
    said.push_str("Confirm what holds patients’ or people’s data: ntk-collector watch confirm ID --by WHO\n");
    said
}
