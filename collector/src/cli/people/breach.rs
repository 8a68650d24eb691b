//! `breach`: assessments under 45 CFR 164.402, and the days that are left.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::super::answer::{json, text};
use super::super::passphrase::{By, send};
use super::rows;
use crate::admin::client::Client;

/// A factor of 45 CFR 164.402(2).
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Factor {
    /// Which information, which identifiers, how likely people can be recognised
    Information,
    /// Who used it, or to whom it was disclosed
    Recipient,
    /// Whether it was actually acquired or viewed
    Viewed,
    /// How far the risk was made smaller
    Mitigated,
}

/// What a factor says about the risk.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Says {
    /// It speaks for a low probability that the information was compromised
    Low,
    /// It speaks against it
    High,
    /// It is not known
    Unknown,
}

/// How an assessment ends.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Outcome {
    /// A low probability that the information was compromised, by all four factors
    LowProbability,
    /// An exception of 45 CFR 164.402(1), or no unsecured protected information
    NoBreach,
    /// It was a breach, and those concerned were told
    Notified,
}

/// `breach`.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
    ntk-collector breach start 9c3a51d27be0f418 --because \"an export was opened\" --by mary\n  \
    ntk-collector breach note A-1 --factor viewed --says low --text \"The file was removed unopened.\" --by mary\n  \
    ntk-collector breach close A-1 low-probability --because \"All four factors speak for it.\" --by mary\n\n\
    The days are those of 45 CFR 164.404 and 164.408, a state's law may give fewer: ask counsel.")]
pub enum BreachCommand {
    /// Begin an assessment from a finding about protected information; 60 days run from the discovery
    Start {
        /// The finding
        finding: String,
        /// First day on which it was known, or would have been with reasonable care [default: today]
        #[arg(long, value_name = "DATE")]
        discovered: Option<String>,
        /// Why
        #[arg(long)]
        because: String,
        /// Who begins it
        #[command(flatten)]
        by: By,
    },
    /// All of them, with the days that are left
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Note a factor, how many people are concerned, or something else
    Note {
        /// Its number: A-1
        id: String,
        /// Which factor
        #[arg(long, value_enum, requires = "says")]
        factor: Option<Factor>,
        /// What it says about the risk
        #[arg(long, value_enum, requires = "factor")]
        says: Option<Says>,
        /// How many people are concerned
        #[arg(long, value_name = "N")]
        people: Option<u64>,
        /// What is noted
        #[arg(long)]
        text: String,
        /// Who notes it
        #[command(flatten)]
        by: By,
    },
    /// End it; what was noted stays
    Close {
        /// Its number: A-1
        id: String,
        /// With what
        #[arg(value_enum)]
        outcome: Outcome,
        /// Why
        #[arg(long)]
        because: String,
        /// Who ends it
        #[command(flatten)]
        by: By,
    },
}

pub(in crate::cli) async fn breach(client: &Client, what: BreachCommand) -> anyhow::Result<u8> {
    let (path, request, by) = match what {
        BreachCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/breach", &[]).await?)?;
            if as_json {
                println!("{body}");
                return Ok(0);
            }
            let rows = rows(&body, "assessments");
            if rows.is_empty() {
                println!("There is no breach assessment.");
            }
            rows.iter().for_each(print_one);
            return Ok(0);
        }
        BreachCommand::Start { finding, discovered, because, by } => {
            ("/v1/breach", json!({"finding": finding, "discovered": discovered, "because": because}), by)
        }
        BreachCommand::Note { id, factor, says, people, text, by } => {
            let request = json!({
                "id": id, "factor": name(factor), "says": name(says), "people": people, "text": text,
            });
            ("/v1/breach/note", request, by)
        }
        BreachCommand::Close { id, outcome, because, by } => {
            let outcome = name(Some(outcome));
            ("/v1/breach/close", json!({"id": id, "outcome": outcome, "because": because}), by)
        }
    };
    print_one(&json(&send(client, path, request, &by).await?)?);
    Ok(0)
}

/// The name of a choice as the collector takes it.
fn name(choice: Option<impl ValueEnum>) -> Option<String> {
    Some(choice?.to_possible_value()?.get_name().replace('-', "_"))
}

fn print_one(row: &Value) {
    match row.get("sentence").and_then(Value::as_str) {
        Some(sentence) => println!("{sentence}"),
        None => println!(
            "Assessment {} under 45 CFR 164.402: closed, {}.",
            row.pointer("/assessment/id").and_then(Value::as_str).unwrap_or_default(),
            text(row, "outcome_in_words")
        ),
    }
    let factors = row.pointer("/assessment/factors").and_then(Value::as_object);
    for (factor, noted) in factors.into_iter().flatten() {
        println!("  {factor}: {}, “{}”", text(noted, "leaning"), text(noted, "text"));
    }
    for open in rows(row, "open_factors") {
        println!("  {}: nothing noted. {}", text(&open, "factor"), text(&open, "question"));
    }
}
