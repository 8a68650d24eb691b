//! `off-site`: copy now, what is there, whether it is whole.

use clap::Subcommand;
use ntk_evidence::name::Slug;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::answer::{json, text, with_bar};
use super::exit;
use super::print::{number, off_site as standing};
use crate::admin::client::Client;
use crate::off_site::list::{self, Newest};
use crate::off_site::shelf::{self, ShelfError};
use crate::off_site::target::Target;

/// `off-site`.
#[derive(Debug, Subcommand)]
pub enum OffSiteCommand {
    /// Finish the segment in use and copy everything that is not there yet
    Now {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What is there
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read every object back and compare it with the list; 1 where something is missing or changed
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn off_site(client: &Client, what: OffSiteCommand) -> anyhow::Result<u8> {
    match what {
        OffSiteCommand::Now { json } => now(client, json).await,
        OffSiteCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/off-site", &[]).await?)?;
            if as_json {
                println!("{body}");
                return Ok(0);
            }
            println!("{}", standing(body.get("standing").unwrap_or(&Value::Null)));
            for object in body.pointer("/list/segments").and_then(Value::as_array).into_iter().flatten() {
                println!(
                    "  {:020}.{:<5} {:>12} bytes  sha256 {}",
                    number(object, "/number"),
                    text(object, "form"),
                    number(object, "/bytes"),
                    text(object, "sha256")
                );
            }
            told_left_out(&body);
            Ok(0)
        }
        OffSiteCommand::Check { json: as_json } => {
            let nothing = json!({});
            let request = client.post("/v1/off-site/check", &nothing);
            let body = json(&with_bar(client, "reading the copy back", request).await?)?;
            let faults = body.get("faults").and_then(Value::as_array).cloned().unwrap_or_default();
            if as_json {
                println!("{body}");
            } else {
                println!(
                    "{} segments are whole ({} bytes), up to {} leaves of the log.",
                    number(&body, "/n_whole"),
                    number(&body, "/bytes"),
                    number(&body, "/log_size")
                );
                for fault in faults.iter().filter_map(Value::as_str) {
                    println!("FAULT {fault}");
                }
                for name in body.get("unknown").and_then(Value::as_array).into_iter().flatten() {
                    println!("note  `{}` is there and is on no list", name.as_str().unwrap_or_default());
                }
            }
            Ok(if faults.is_empty() { 0 } else { exit::NO })
        }
    }
}

/// Copies now and says what is there.
pub(super) async fn now(client: &Client, as_json: bool) -> anyhow::Result<u8> {
    let nothing = json!({});
    let request = client.post("/v1/off-site/now", &nothing);
    let body = json(&with_bar(client, "copying off-site", request).await?)?;
    if as_json {
        println!("{body}");
        return Ok(0);
    }
    let there = body.pointer("/list/segments").and_then(Value::as_array).map_or(0, Vec::len);
    println!(
        "{} segments sent, {there} there now: everything up to {} leaves of the log, readable with the recovery key alone.",
        number(&body, "/sent"),
        number(&body, "/list/log_size")
    );
    told_left_out(&body);
    Ok(0)
}

/// Whether the place can be reached, and whether a list of ours is there.
pub(super) fn reach(target: &Target, slug: &Slug) -> Result<String, ShelfError> {
    let shelf = shelf::open(target, slug, &CancellationToken::new())?;
    let found = shelf.get(list::NAME)?.and_then(|bytes| Newest::parse(&bytes).ok());
    Ok(found.map_or_else(
        || format!("{target} can be reached; there is no copy yet"),
        |list| {
            format!(
                "{target} can be reached; {} segments up to {} leaves",
                list.segments.len(),
                list.log_size
            )
        },
    ))
}

fn told_left_out(body: &Value) {
    for left in body.pointer("/list/left_out").and_then(Value::as_array).into_iter().flatten() {
        println!("Segment {} is not there: {}.", number(left, "/number"), text(left, "why"));
    }
}
