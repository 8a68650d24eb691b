//! `ticket`, `break-glass`, `reviewer`: requests to the admin API, and their answers for people.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{json as parsed, text};
use super::passphrase::{self, By, confirm};
use super::{Json, exit};
use crate::admin::client::Client;
use crate::home::read_text;

/// `ticket`.
#[derive(Debug, Subcommand)]
pub enum Ticket {
    /// Ask for access to one area, for some hours
    Request(Box<RequestArgs>),
    /// Allow what a request asks for, after reading in plain words what that is
    Approve {
        /// Number of the ticket, such as T-12
        id: String,
        /// Who approves
        #[command(flatten)]
        by: By,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Say no to a request
    Decline {
        /// Number of the ticket
        id: String,
        /// Who declines
        #[arg(long, value_name = "WHO")]
        by: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// End a ticket before its time
    Close {
        /// Number of the ticket
        id: String,
        /// Who closes
        #[arg(long, value_name = "WHO")]
        by: String,
        /// Anything to add
        #[arg(long)]
        note: Option<String>,
    },
    /// List tickets and break-glass uses
    List {
        /// Only those that wait for somebody
        #[arg(long)]
        open: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask for every row of a CSV file; a file with one bad row asks for nothing
    Import {
        /// Columns: for,class,owner,host,from,to,hours,reason,kind,by
        file: PathBuf,
    },
    /// Tokens of help-desk systems, which may ask and nothing else
    Token {
        /// What to do
        #[command(subcommand)]
        what: TicketToken,
    },
}

/// `ticket request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Whom it lets in: a person's or organisation's id; role:NAME for a maintenance window
    #[arg(long = "for", value_name = "PERSON")]
    pub assignee: String,
    /// The one area it is for: mailbox, ehr, export, backup, system, ...
    #[arg(long)]
    pub class: String,
    /// Only what belongs to this owner
    #[arg(long, conflicts_with = "host")]
    pub owner: Option<String>,
    /// Only what lies on this machine
    #[arg(long)]
    pub host: Option<String>,
    /// From when: 2026-11-27T14:00 in the practice's zone [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME", conflicts_with = "hours")]
    pub to: Option<String>,
    /// For how many hours [default: 4]
    #[arg(long)]
    pub hours: Option<u32>,
    /// Why, in one line
    #[arg(long)]
    pub reason: String,
    /// What kind of work: ticket, maintenance, on_call
    #[arg(long)]
    pub kind: Option<String>,
    /// Who asks [default: the person it is for]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
}

/// `ticket token`.
#[derive(Debug, Subcommand)]
pub enum TicketToken {
    /// Make a token; shown once
    New {
        /// The help desk's name, which its requests will bear
        #[arg(long)]
        name: String,
    },
    /// List tokens
    List(Json),
    /// Take nothing more from a token
    Revoke {
        /// The help desk's name
        name: String,
    },
}

/// `break-glass`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BreakGlassArgs {
    /// Who takes access without a ticket
    #[arg(long, required = true)]
    pub person: Option<String>,
    /// Why, in one line; it is always reported
    #[arg(long, required = true)]
    pub reason: Option<String>,
    /// For how many hours [default: 4]
    #[arg(long)]
    pub hours: Option<u32>,
    /// Or: acknowledge one
    #[command(subcommand)]
    pub what: Option<BreakGlassCommand>,
}

/// `break-glass acknowledge`.
#[derive(Debug, Subcommand)]
pub enum BreakGlassCommand {
    /// Say that another person has seen it
    Acknowledge {
        /// Such as B-1
        id: String,
        /// Who has seen it
        #[command(flatten)]
        by: By,
    },
}

/// `reviewer`.
#[derive(Debug, Subcommand)]
pub enum Reviewer {
    /// Set or change a person's passphrase
    Passphrase {
        /// The person's id in the roster
        who: String,
        /// File with the new passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// File with the old passphrase [default: a prompt, or the variable NTK_OLD_PASSPHRASE]
        #[arg(long, value_name = "FILE")]
        old_passphrase_file: Option<PathBuf>,
        /// The old one is lost: the review will show that it was set anew
        #[arg(long, conflicts_with = "old_passphrase_file")]
        reset: bool,
    },
    /// Who may approve, and who has a passphrase
    List(Json),
    /// The second reviewer: who it is, named, or declined
    Second(super::people::SecondArgs),
}

pub(super) async fn ticket(client: &Client, what: Ticket) -> anyhow::Result<u8> {
    match what {
        Ticket::Request(args) => {
            let mut draft = json!({"for": args.assignee, "class": args.class, "reason": args.reason});
            let given = [
                ("owner", args.owner.map(Value::from)),
                ("host", args.host.map(Value::from)),
                ("from", args.from.map(Value::from)),
                ("to", args.to.map(Value::from)),
                ("hours", args.hours.map(Value::from)),
                ("kind", args.kind.map(Value::from)),
                ("by", args.by.map(Value::from)),
            ];
            if let Some(draft) = draft.as_object_mut() {
                draft.extend(given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
            }
            let body = parsed(&client.post("/v1/tickets/request", &draft).await?)?;
            println!("{} asks: {}", text(&body, "id"), text(&body, "echo"));
            println!("Nothing is allowed yet: ntk-collector ticket approve {} --by WHO", text(&body, "id"));
            Ok(0)
        }
        Ticket::Approve { id, by, yes } => approve(client, &id, &by, yes).await,
        Ticket::Decline { id, by, reason } => {
            let ask = json!({"id": id, "by": by, "reason": reason});
            client.post("/v1/tickets/decline", &ask).await?;
            println!("{id} is declined.");
            Ok(0)
        }
        Ticket::Close { id, by, note } => {
            client.post("/v1/tickets/close", &json!({"id": id, "by": by, "reason": note})).await?;
            println!("{id} is closed: it allows nothing from now on.");
            Ok(0)
        }
        Ticket::List { open, json } => {
            let query: &[(&str, &str)] = if open { &[("open", "true")] } else { &[] };
            let body = parsed(&client.get("/v1/tickets", query).await?)?;
            if json {
                println!("{body}")
            } else {
                print_list(&body)
            }
            Ok(0)
        }
        Ticket::Import { file } => {
            let body =
                parsed(&client.post("/v1/tickets/import", &json!({"text": read_text(&file)?})).await?)?;
            let ids = rows(&body, "ids");
            let first = ids.first().and_then(Value::as_str).unwrap_or_default();
            let last = ids.last().and_then(Value::as_str).unwrap_or_default();
            println!(
                "{} asked for: {first} to {last}. Nothing is allowed yet.",
                crate::report::text::count(ids.len(), "ticket", "tickets")
            );
            Ok(0)
        }
        Ticket::Token { what } => token(client, what).await,
    }
}

async fn approve(client: &Client, id: &str, by: &By, is_yes: bool) -> anyhow::Result<u8> {
    let body = parsed(&client.post("/v1/tickets/echo", &json!({"id": id, "by": by.by})).await?)?;
    let echo = text(&body, "echo");
    println!("{id}, reason given: {}", text(&body, "reason"));
    println!("{echo}");
    let awaits_second = body.get("awaits_second").and_then(Value::as_bool) == Some(true);
    if awaits_second {
        println!("It holds once a second person has approved it as well.");
    }
    if !confirm("Is that to be allowed?", is_yes)? {
        println!("Nothing was approved.");
        return Ok(exit::NO);
    }
    let ask = json!({"id": id, "by": by.by, "echo": echo, "passphrase": by.passphrase()?});
    client.post("/v1/tickets/approve", &ask).await?;
    println!("{}", if awaits_second { "Approved; a second person is still needed." } else { "Approved." });
    Ok(0)
}

async fn token(client: &Client, what: TicketToken) -> anyhow::Result<u8> {
    match what {
        TicketToken::New { name } => {
            let body = parsed(&client.post("/v1/ticket-tokens", &json!({"name": name})).await?)?;
            eprintln!("Token of {name}. It is shown once; it may ask for tickets and nothing else.");
            if body.get("tickets_listen").is_none_or(Value::is_null) {
                eprintln!(
                    "No help desk can reach the collector yet: set `tickets_listen` in collector.toml and start it again."
                );
            }
            // The token alone on standard output, so that a script can take it.
            println!("{}", text(&body, "token"));
        }
        TicketToken::List(args) => {
            let body = parsed(&client.get("/v1/ticket-tokens", &[]).await?)?;
            if args.json {
                println!("{body}");
            } else if rows(&body, "tokens").is_empty() {
                println!("There is no token. Make one: ntk-collector ticket token new --name NAME");
            }
            for row in rows(&body, "tokens").iter().filter(|_| !args.json) {
                let revoked = row.get("revoked").and_then(Value::as_str);
                let state = revoked.map_or("in use".to_owned(), |at| format!("revoked {at}"));
                println!("{:<24} made {}  {state}", text(row, "name"), text(row, "made"));
            }
        }
        TicketToken::Revoke { name } => {
            client.post("/v1/ticket-tokens/revoke", &json!({"name": name})).await?;
            println!("{name} is revoked: nothing more is taken from it. What it asked for stays.");
        }
    }
    Ok(0)
}

pub(super) async fn break_glass(client: &Client, args: BreakGlassArgs) -> anyhow::Result<u8> {
    if let Some(BreakGlassCommand::Acknowledge { id, by }) = args.what {
        let ask = json!({"id": id, "by": by.by, "passphrase": by.passphrase()?});
        client.post("/v1/break-glass/acknowledge", &ask).await?;
        println!("{id} is acknowledged by {}.", by.by);
        return Ok(0);
    }
    let ask = json!({"person": args.person, "reason": args.reason, "hours": args.hours});
    let body = parsed(&client.post("/v1/break-glass", &ask).await?)?;
    println!(
        "{}: {} has access until {}. It is reported, and another person acknowledges it.",
        text(&body, "id"),
        text(&body, "person"),
        text(&body, "until")
    );
    Ok(0)
}

pub(super) async fn reviewer(client: &Client, what: Reviewer) -> anyhow::Result<u8> {
    match what {
        Reviewer::Passphrase { who, passphrase_file, old_passphrase_file, reset } => {
            let list = parsed(&client.get("/v1/reviewers", &[]).await?)?;
            let has = rows(&list, "reviewers").iter().any(|row| {
                text(row, "person") == who && row.get("passphrase_set").is_some_and(Value::is_string)
            });
            let old = if has && !reset {
                let prompt = format!("Old passphrase of {who}");
                Some(passphrase::read(old_passphrase_file.as_deref(), "NTK_OLD_PASSPHRASE", &prompt)?)
            } else {
                None
            };
            let prompt =
                format!("New passphrase of {who}, at least {} letters", crate::reviewer::LETTERS_MIN);
            let new = passphrase::read(passphrase_file.as_deref(), passphrase::VARIABLE, &prompt)?;
            let is_typed = passphrase_file.is_none() && std::env::var_os(passphrase::VARIABLE).is_none();
            if is_typed && passphrase::read(None, passphrase::VARIABLE, "The same again")? != new {
                println!("The two differ; nothing was changed.");
                return Ok(exit::NO);
            }
            let ask = json!({"person": who, "new": new, "old": old, "reset": reset});
            let body = parsed(&client.post("/v1/reviewers/passphrase", &ask).await?)?;
            println!(
                "The passphrase of {who} was {}.",
                match text(&body, "step") {
                    "changed" => "changed",
                    "reset" => "set anew; the review will show that",
                    _ => "set",
                }
            );
        }
        Reviewer::Second(args) => return super::people::second(client, args).await,
        Reviewer::List(args) => {
            let body = parsed(&client.get("/v1/reviewers", &[]).await?)?;
            if args.json {
                println!("{body}");
            }
            for row in rows(&body, "reviewers").iter().filter(|_| !args.json) {
                let may = |key: &str| row.get(key).and_then(Value::as_bool) == Some(true);
                let role = match (may("approves"), may("approves_second")) {
                    (true, _) => "approves",
                    (false, true) => "approves as second person",
                    (false, false) => "approves nothing",
                };
                let set = row.get("passphrase_set").and_then(Value::as_str);
                let set = set.map_or("no passphrase".to_owned(), |at| format!("passphrase set {at}"));
                println!("{:<16} {:<24} {role:<26} {set}", text(row, "person"), text(row, "name"));
            }
        }
    }
    Ok(0)
}

fn rows(body: &Value, key: &str) -> Vec<Value> {
    body.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn print_list(body: &Value) {
    let (tickets, glasses) = (rows(body, "tickets"), rows(body, "break_glass"));
    if tickets.is_empty() && glasses.is_empty() {
        println!("There is no ticket.");
    }
    for row in &tickets {
        println!("{:<6} {:<28} {}", text(row, "id"), text(row, "state_in_words"), text(row, "echo"));
        let inner = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        println!(
            "       asked for by {}: {}",
            inner("/record/request/requested_by"),
            inner("/record/request/reason")
        );
        for approval in row.pointer("/record/approvals").and_then(Value::as_array).into_iter().flatten() {
            println!("       approved by {} at {}", text(approval, "by"), text(approval, "at"));
        }
    }
    for row in &glasses {
        let inner = |pointer: &str| row.pointer(pointer).and_then(Value::as_str);
        let seen = inner("/acknowledged/by")
            .map_or("not acknowledged yet".to_owned(), |by| format!("acknowledged by {by}"));
        println!(
            "{:<6} break-glass of {} until {}: {}; {seen}",
            inner("/glass/id").unwrap_or_default(),
            inner("/glass/person").unwrap_or_default(),
            inner("/glass/to").unwrap_or_default(),
            inner("/glass/reason").unwrap_or_default()
        );
    }
}
