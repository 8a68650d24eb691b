//! `hold`, `preserve`, `custody`: what must stay, securing it at once, and who had a copy.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{json, text, with_bar};
use super::exit;
use super::passphrase::{By, send, send_maybe};
use crate::admin::client::Client;

/// `hold`.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Begin a hold: nothing of its time is removed until it is released
    Add(HoldArgs),
    /// End a hold
    Release {
        /// Its id, such as H-1
        id: String,
        /// Who ends it
        #[command(flatten)]
        by: By,
        /// Why
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
    },
    /// All holds
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// `hold add`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// The case
    #[arg(long)]
    pub case: String,
    /// Whom it is about, as in the roster
    #[arg(long)]
    pub person: Option<String>,
    /// From: 2026-11-20 [default: the first entry]
    #[arg(long)]
    pub from: Option<String>,
    /// Until, a day to its end [default: without end]
    #[arg(long)]
    pub to: Option<String>,
    /// Why
    #[arg(long)]
    pub reason: String,
    /// Who asks for it
    #[command(flatten)]
    pub by: By,
}

/// `preserve`.
#[derive(Debug, Args)]
pub struct PreserveArgs {
    /// Who asks for it [default: nobody is named]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "by")]
    pub passphrase_file: Option<PathBuf>,
    /// The case
    #[arg(long, default_value = "preserve")]
    pub case: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `custody`.
#[derive(Debug, Subcommand)]
pub enum CustodyCommand {
    /// Write down that a bundle or copy went from hand to hand
    Add(CustodyArgs),
    /// What was written down
    List {
        /// Only of this case
        #[arg(long)]
        case: Option<String>,
        /// Print JSON lines
        #[arg(long)]
        json: bool,
    },
}

/// `custody add`.
#[derive(Debug, Args)]
pub struct CustodyArgs {
    /// The case
    #[arg(long)]
    pub case: String,
    /// What happened
    #[arg(long, value_parser = ["handed_over", "received", "returned", "copied", "viewed", "destroyed"])]
    pub what: String,
    /// To whom
    #[arg(long, value_name = "NAME")]
    pub to: String,
    /// Who says so
    #[command(flatten)]
    pub by: By,
    /// The file itself, to take its SHA-256
    #[arg(long, value_name = "FILE", conflicts_with = "sha256")]
    pub file: Option<PathBuf>,
    /// SHA-256 of the file, 64 hex digits
    #[arg(long, value_name = "HASH")]
    pub sha256: Option<String>,
    /// Which way it went: by hand, by courier
    #[arg(long, value_name = "TEXT")]
    pub how: Option<String>,
    /// When: 2026-11-20T18:30 [default: now]
    #[arg(long, value_name = "TIME")]
    pub when: Option<String>,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

pub(super) async fn hold(client: &Client, what: HoldCommand) -> anyhow::Result<u8> {
    match what {
        HoldCommand::Add(args) => {
            let request = json!({
                "case": args.case, "person": args.person, "from": args.from, "to": args.to, "reason": args.reason,
            });
            let body = json(&send(client, "/v1/hold", request, &args.by).await?)?;
            println!(
                "{} holds case {}: nothing of its time is removed until it is released.",
                text(&body, "id"),
                args.case
            );
        }
        HoldCommand::Release { id, by, because } => {
            let request = json!({"id": id, "because": because});
            send(client, "/v1/hold/release", request, &by).await?;
            println!("{id} is released. It stays listed.");
        }
        HoldCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/hold", &[]).await?)?;
            if as_json {
                println!("{body}");
                return Ok(0);
            }
            let holds = body.get("holds").and_then(Value::as_array).cloned().unwrap_or_default();
            if holds.is_empty() {
                println!("There is no hold.");
            }
            for hold in &holds {
                let at = |pointer: &str, or: &str| {
                    hold.pointer(pointer).and_then(Value::as_str).unwrap_or(or).to_owned()
                };
                let state = hold.get("released").and_then(Value::as_str);
                println!(
                    "{:<6} case {:<20} {} to {}  {}  {}",
                    at("/terms/id", ""),
                    at("/terms/case", ""),
                    at("/terms/from", "the first entry"),
                    at("/terms/to", "no end"),
                    state.map_or_else(|| "in force".to_owned(), |when| format!("released {when}")),
                    at("/terms/reason", ""),
                );
            }
        }
    }
    Ok(0)
}

pub(super) async fn preserve(client: &Client, args: PreserveArgs) -> anyhow::Result<u8> {
    let request = json!({"case": args.case});
    let asked = send_maybe(client, "/v1/preserve", request, args.by, args.passphrase_file);
    let body = json(&with_bar(client, "preserving", asked).await?)?;
    let steps = body.get("steps").and_then(Value::as_array).cloned().unwrap_or_default();
    let failed = steps.iter().any(|step| text(step, "outcome") == "failed");
    if args.json {
        println!("{body}");
    } else {
        for (number, step) in (1usize..).zip(&steps) {
            let outcome = text(step, "outcome").replace('_', " ");
            println!("{number}/{} {:<14} {outcome}: {}", steps.len(), text(step, "step"), text(step, "said"));
        }
    }
    Ok(if failed { exit::NO } else { 0 })
}

pub(super) async fn custody(client: &Client, what: CustodyCommand) -> anyhow::Result<u8> {
    match what {
        CustodyCommand::Add(args) => {
            let sha256 = args.file.as_deref().map(super::people::sha256_of).transpose()?.or(args.sha256);
            let request = json!({
                "case": args.case, "what": args.what, "to": args.to, "sha256": sha256, "note": args.note,
                "how": args.how, "when": args.when,
            });
            let body = json(&send(client, "/v1/custody", request, &args.by).await?)?;
            println!("Written down. It stands in every later bundle of this ledger.");
            match body.get("exported").and_then(Value::as_str) {
                Some(when) => println!("It is the bundle that was made here at {when}."),
                None if sha256.is_some() => {
                    println!("No bundle with this SHA-256 was made here: an encrypted copy, or another file.")
                }
                None => {}
            }
        }
        CustodyCommand::List { case, json: as_json } => {
            let query: Vec<(&str, &str)> = case.iter().map(|case| ("case", case.as_str())).collect();
            let body = json(&client.get("/v1/custody", &query).await?)?;
            for line in body.get("custody").and_then(Value::as_array).into_iter().flatten() {
                if as_json {
                    println!("{line}");
                    continue;
                }
                let at = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
                println!(
                    "{}  act {:<6} case {}  {}  by {}  to {}  sha256 {}",
                    at("/time"),
                    line.get("act").and_then(Value::as_u64).unwrap_or_default(),
                    at("/body/case"),
                    at("/body/what").replace('_', " "),
                    at("/body/by"),
                    at("/body/to"),
                    at("/body/sha256"),
                );
            }
        }
    }
    Ok(0)
}

/// `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) async fn prune(client: &Client, args: PruneArgs) -> anyhow::Result<u8> {
    let request = json!({"dry_run": args.dry_run});
    let body = json(&with_bar(client, "retention", client.post("/v1/prune", &request)).await?)?;
    if args.json {
        println!("{body}");
        return Ok(0);
    }
    let list = |key: &str| body.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (removed, held) = (list("removed"), list("held"));
    let verb = if args.dry_run { "would lose" } else { "lost" };
    println!("Received before {}: {} segments {verb} their entries.", text(&body, "before"), removed.len());
    for row in &held {
        let holds = row.get(1).and_then(Value::as_array).cloned().unwrap_or_default();
        let holds: Vec<&str> = holds.iter().filter_map(Value::as_str).collect();
        let segment = row.get(0).and_then(Value::as_u64).unwrap_or_default();
        println!("Segment {segment} stays: held by {}.", holds.join(", "));
    }
    Ok(0)
}
