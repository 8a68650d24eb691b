//! `leave` and `departure`: the day a person leaves, the list that follows, and what was used afterwards.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{json, text};
use super::passphrase::{By, send};
use crate::admin::client::Client;

/// `leave`.
#[derive(Debug, Args)]
pub struct LeaveArgs {
    /// Who leaves, as in the roster
    pub person: String,
    /// First day on which nothing of theirs is used any more
    #[arg(long, value_name = "DATE", required_unless_present = "withdraw")]
    pub on: Option<String>,
    /// Take the recorded date back, before it has come
    #[arg(long, conflicts_with_all = ["on", "notice_given"])]
    pub withdraw: bool,
    /// Day since which it is known
    #[arg(long, value_name = "DATE")]
    pub notice_given: Option<String>,
    /// Who records it
    #[command(flatten)]
    pub by: By,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `departure`.
#[derive(Debug, Args)]
pub struct DepartureArgs {
    /// Who leaves, as in the roster
    pub person: String,
    /// Tick a step off, or take that back
    #[command(subcommand)]
    pub what: Option<Tick>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `departure PERSON tick`.
#[derive(Debug, Subcommand)]
pub enum Tick {
    /// Say that a step is done
    Tick(TickArgs),
    /// Say that it is not done after all
    Untick(TickArgs),
}

/// One step.
#[derive(Debug, Args)]
pub struct TickArgs {
    /// The step, as the list names it
    pub item: String,
    /// Who says so
    #[command(flatten)]
    pub by: By,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

pub(super) async fn leave(client: &Client, args: LeaveArgs) -> anyhow::Result<u8> {
    let request = json!({
        "person": args.person, "on": args.on, "withdraw": args.withdraw,
        "notice_given": args.notice_given,
    });
    let body = json(&send(client, "/v1/leave", request, &args.by).await?)?;
    if args.json {
        println!("{body}");
        return Ok(0);
    }
    if let Some(code) = super::people::waits(&body) {
        return Ok(code);
    }
    println!("{}", text(&body, "sentence"));
    for sentence in list(&body, "/follows") {
        println!("{}", sentence.as_str().unwrap_or_default());
    }
    Ok(0)
}

pub(super) async fn departure(client: &Client, args: DepartureArgs) -> anyhow::Result<u8> {
    let (tick, untick) = match args.what {
        None => {
            let body = json(&client.get("/v1/departure", &[("person", &args.person)]).await?)?;
            if args.json {
                println!("{body}")
            } else {
                print(&body)
            }
            return Ok(0);
        }
        Some(Tick::Tick(tick)) => (tick, false),
        Some(Tick::Untick(tick)) => (tick, true),
    };
    let request = json!({
        "person": args.person, "item": tick.item, "note": tick.note, "untick": untick,
    });
    let body = json(&send(client, "/v1/departure/tick", request, &tick.by).await?)?;
    if args.json {
        println!("{body}");
    } else {
        println!("{}: {}.", tick.item, if untick { "open again" } else { "done" });
    }
    Ok(0)
}

fn print(body: &Value) {
    let name = text(body, "name");
    match body.get("leave_date").and_then(Value::as_str) {
        Some(on) => println!("{name}: nothing of theirs is used from {on} on."),
        None => println!("{name}: no leave date is recorded."),
    }
    for row in list(body, "/steps") {
        let at = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let mark = if row.get("tick").is_some_and(Value::is_object) { "x" } else { " " };
        println!("[{mark}] {}  ({})", at("/step/what"), at("/step/id"));
        if mark == "x" {
            let note = row.pointer("/tick/note").and_then(Value::as_str);
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            println!("    {} on {}{note}", at("/tick/by"), at("/tick/at"));
        } else {
            println!("    {}", at("/step/why"));
        }
    }
    let earlier = list(body, "/ticked_before");
    if !earlier.is_empty() {
        println!("Ticked earlier, and no longer in the roster:");
    }
    for row in earlier {
        let at = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        println!("[x] {}  {} on {}", at("/id"), at("/tick/by"), at("/tick/at"));
    }
    let Some(since) = body.pointer("/watch/since").and_then(Value::as_str) else { return };
    if body.pointer("/watch/has_begun").and_then(Value::as_bool) == Some(false) {
        return println!("From {since} on, every use of what they held is shown here.");
    }
    let (theirs, others) = (list(body, "/watch/theirs"), list(body, "/watch/others"));
    if theirs.is_empty() {
        println!("Since {since}: nothing that they held was used, as far as machines report.");
    } else {
        println!("Since {since} this was used:");
    }
    for row in theirs {
        println!("  {}", text(&row, "sentence"));
    }
    if !others.is_empty() {
        println!("Shared accounts, and accounts that nobody has confirmed as somebody else’s:");
    }
    for row in others {
        println!("  {}", text(&row, "sentence"));
    }
}

fn list(body: &Value, pointer: &str) -> Vec<Value> {
    body.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}
