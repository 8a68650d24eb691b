//! `account`: who may sign in to the console, and the ways back in.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Json;
use super::answer::{json, text};
use super::passphrase::send_maybe;
use crate::admin::client::Client;

/// What can be done.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  \
    ntk-collector account add chen --role reviewer --by mary\n  \
    ntk-collector account add lee --role attorney --case C-2026-1 --by mary\n  \
    ntk-collector account unlock mary")]
pub enum AccountCommand {
    /// Let a person of the roster sign in; prints a link that works once
    Add {
        /// The person's id in the roster
        person: String,
        /// manager, reviewer, attorney, operator or person
        #[arg(long)]
        role: String,
        /// The case that an attorney sees
        #[arg(long, value_name = "ID")]
        case: Option<String>,
        /// Who does this
        #[command(flatten)]
        by: ByMaybe,
    },
    /// Who may sign in, as what
    List(Json),
    /// Give another role; ends every sign-in of the person
    Role {
        /// The person's id
        person: String,
        /// manager, reviewer, attorney, operator or person
        role: String,
        /// The case that an attorney sees
        #[arg(long, value_name = "ID")]
        case: Option<String>,
        /// Who does this
        #[command(flatten)]
        by: ByMaybe,
    },
    /// Let a person sign in no more
    Remove {
        /// The person's id
        person: String,
        /// Who does this
        #[command(flatten)]
        by: ByMaybe,
    },
    /// Open a sign-in that wrong attempts have locked; the ledger says so
    Unlock {
        /// The person's id
        person: String,
    },
    /// The phone is lost: prints a link for another second factor; the ledger says so
    ResetSecondFactor {
        /// The person's id
        person: String,
    },
    /// Print a new link for the first manager, while nobody is one
    SetUpLink,
}

/// Who does this, once somebody in the practice has a passphrase.
#[derive(Debug, clap::Args)]
pub struct ByMaybe {
    /// Who does this: the person's id in the roster
    #[arg(long = "by", value_name = "WHO")]
    who: Option<String>,
    /// File with that person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<std::path::PathBuf>,
}

pub(super) async fn account(client: &Client, what: AccountCommand) -> anyhow::Result<u8> {
    let signed = async |path: &str, body: Value, by: ByMaybe| {
        json(&send_maybe(client, path, body, by.who, by.passphrase_file).await?)
    };
    match what {
        AccountCommand::Add { person, role, case, by } => {
            let ask = json!({"person": person, "role": role, "case": case});
            let body = signed("/v1/accounts", ask, by).await?;
            println!(
                "{person} may sign in as {role}. This link works once, within a day; give it to nobody else:"
            );
            println!("{}", text(&body, "link"));
        }
        AccountCommand::List(args) => {
            let body = json(&client.get("/v1/accounts", &[]).await?)?;
            if args.json {
                println!("{body}");
            } else {
                list(&body);
            }
        }
        AccountCommand::Role { person, role, case, by } => {
            signed("/v1/accounts/role", json!({"person": person, "role": role, "case": case}), by).await?;
            println!("{person} is {role} from now on, and has to sign in again.");
        }
        AccountCommand::Remove { person, by } => {
            signed("/v1/accounts/remove", json!({"person": person}), by).await?;
            println!("{person} can sign in no more.");
        }
        AccountCommand::Unlock { person } => {
            let body = json(&client.post("/v1/accounts/unlock", &json!({"person": person})).await?)?;
            let was_locked = body.get("was_locked").and_then(Value::as_bool) == Some(true);
            println!(
                "{person} {}",
                if was_locked {
                    "can sign in again."
                } else {
                    "was not locked; wrong attempts count from none."
                }
            );
        }
        AccountCommand::ResetSecondFactor { person } => {
            let ask = json!({"person": person});
            let body = json(&client.post("/v1/accounts/reset-second-factor", &ask).await?)?;
            println!("{person} sets another second factor with this link, which works once, within a day:");
            println!("{}", text(&body, "link"));
        }
        AccountCommand::SetUpLink => {
            let body = json(&client.post("/v1/accounts/set-up-link", &json!({})).await?)?;
            println!("{}", text(&body, "link"));
        }
    }
    Ok(0)
}

fn list(body: &Value) {
    let rows = body.get("accounts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        println!(
            "Nobody can sign in yet; `ntk-collector account set-up-link` prints the link for the first manager."
        );
    }
    for row in rows {
        let case = row.get("case").and_then(Value::as_str).map(|case| format!(" of case {case}"));
        let mut notes = Vec::new();
        if row.get("second_factor").and_then(Value::as_bool) != Some(true) {
            notes.push("no second factor yet");
        }
        if row.get("locked").is_some_and(Value::is_string) {
            notes.push("locked");
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        println!("{}: {}{}{notes}", text(row, "person"), text(row, "role"), case.unwrap_or_default());
    }
}
