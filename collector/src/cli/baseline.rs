//! `baseline`: what works by itself, proposed for a person to confirm.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::passphrase::By;
use crate::admin::client::Client;

/// `baseline`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
    ntk-collector baseline\n  \
    ntk-collector baseline confirm 3f9a0c1b2d4e --by mary --until 2027-06-30"
)]
pub struct BaselineArgs {
    /// What to do
    #[command(subcommand)]
    pub what: Option<BaselineCommand>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be done with a proposal.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Say that a proposal is right: it becomes a job of the roster
    Confirm {
        /// The proposal's id
        id: String,
        /// Who confirms, and how they show it
        #[command(flatten)]
        by: By,
        /// Last day on which it counts
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
    },
}

/// Asks, and shows the answer.
pub(super) async fn run(client: &Client, args: BaselineArgs) -> anyhow::Result<u8> {
    match args.what {
        None => {
            let body: Value = serde_json::from_slice(&client.get("/v1/baseline", &[]).await?)?;
            if args.json { println!("{body}") } else { print!("{}", in_words(&body)) }
        }
        Some(BaselineCommand::Confirm { id, by, until }) => {
            let request = json!({"id": id, "by": by.by, "until": until, "passphrase": by.passphrase()?});
            let body: Value = serde_json::from_slice(&client.post("/v1/baseline/confirm", &request).await?)?;
            println!("Confirmed by {}: {}", by.by, text(&body, "sentence"));
        }
    }
    Ok(0)
}

fn in_words(body: &Value) -> String {
    if let Some(day) = body.get("not_before").and_then(Value::as_str) {
        return format!("There are fewer than four weeks of entries; programs are proposed from {day} on.\n");
    }
    let list = |key: &str| body.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (proposals, unfit) = (list("proposals"), list("unfit"));
    let mut said = String::new();
    if proposals.is_empty() {
        said.push_str("No program is proposed: none worked regularly by itself and unexplained.\n");
    }
    for proposal in &proposals {
        said.push_str(&format!("{}  {}\n", text(proposal, "id"), text(proposal, "sentence")));
        for caution in proposal.get("cautions").and_then(Value::as_array).into_iter().flatten() {
            said.push_str(&format!("    {}\n", caution.as_str().unwrap_or_default()));
        }
    }
    if !proposals.is_empty() {
        said.push_str("Confirm one that you know: ntk-collector baseline confirm ID --by WHO\n");
    }
    for unfit in &unfit {
        said.push_str(&format!(
            "not proposed: {} on {}. {}\n",
            text(unfit, "program"),
            text(unfit, "host"),
            text(unfit, "why")
        ));
    }
    said
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}
