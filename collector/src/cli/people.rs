//! `link`, `staff-notice`, `cosign`, `breach`, `mine`, `self-view`, and the second reviewer.

mod breach;
mod cosign;
mod notice;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

pub(super) use breach::BreachCommand;
pub(super) use cosign::CosignCommand;
pub(super) use notice::StaffNotice;

pub(super) use breach::breach;
pub(super) use cosign::cosign;
pub(super) use notice::staff_notice;

use super::answer::{Usage, json, text};
use super::exit;
use super::passphrase::{self, By, send};
use crate::admin::client::Client;
use crate::home::write_file;
use crate::report::text::count;

/// `link`.
#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// Links and paper forms that are open
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take one back: it opens nothing from then on
    Withdraw {
        /// Its number: L-3
        id: String,
        /// Who takes it back
        #[command(flatten)]
        by: By,
    },
}

/// `self-view`.
#[derive(Debug, Subcommand)]
pub enum SelfView {
    /// Let people see what is recorded about themselves, without findings
    Allow(By),
    /// No longer let them
    Forbid(By),
    /// Whether they do
    Show,
}

/// `mine`.
#[derive(Debug, Args)]
pub struct MineArgs {
    /// Who, as in the roster
    pub person: String,
    /// For how many days, at most 31
    #[arg(long, default_value_t = 7)]
    pub days: u16,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How a question goes to somebody.
#[derive(Debug, Args)]
pub struct Ways {
    /// Make a one-time link; printed once
    #[arg(long)]
    pub link: bool,
    /// Write a form to print: a page where FILE ends in .html, else text
    #[arg(long, value_name = "FILE")]
    pub paper: Option<PathBuf>,
    /// Whom to ask [default: whom the finding is about]
    #[arg(long, value_name = "PERSON")]
    pub to: Option<String>,
    /// For how many days link and form hold, at most 60
    #[arg(long, value_name = "N")]
    pub days: Option<u16>,
    /// They run the practice's mail: an answer by link counts as confirmed only with a code that goes another way
    #[arg(long, requires = "link")]
    pub runs_mail: bool,
    /// Address under which they reach the console, such as https://records.example:7444
    #[arg(long, value_name = "URL", requires = "link")]
    pub address: Option<String>,
}

impl Ways {
    /// As the collector is asked for them.
    pub(super) fn request(&self) -> Value {
        json!({
            "link": self.link, "paper": self.paper.is_some(), "to": self.to, "days": self.days,
            "runs_mail": self.runs_mail.then_some(true),
        })
    }

    /// Writes the form.
    pub(super) fn write(&self, link: &Value) -> anyhow::Result<()> {
        let Some(file) = self.paper.as_ref().filter(|_| link.is_object()) else { return Ok(()) };
        let is_page = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("html"));
        let form = text(link, if is_page { "form_html" } else { "form" });
        Ok(write_file(file, form.as_bytes(), 0o600)?)
    }

    /// Prints the link, and where the form is.
    pub(super) fn tell(&self, link: &Value) {
        if link.is_object() {
            print_link(link, self.address.as_deref());
            if let Some(file) = &self.paper {
                println!("Form {} to print: {}", text(link, "id"), file.display());
            }
        }
    }
}

/// A link with the code that must go another way.
pub(super) fn print_link(link: &Value, address: Option<&str>) {
    if let Some(path) = link.get("path").and_then(Value::as_str) {
        let address = address.map(|address| address.trim_end_matches('/')).unwrap_or_default();
        println!(
            "One-time link {} for {}, until {}; shown once:",
            text(link, "id"),
            text(link, "to"),
            text(link, "expires")
        );
        println!("  {address}{path}");
        if address.is_empty() {
            println!("  (below the address of the practice’s console)");
        }
    }
    let needs_code = link.get("needs_code").and_then(Value::as_bool) == Some(true);
    if let (true, Some(code)) = (needs_code, link.get("code").and_then(Value::as_str)) {
        println!("Code {code}: hand it over on paper or by telephone, never in the same mail.");
        println!("Without it the answer is kept and marked as not confirmed.");
    }
}

pub(super) async fn link(client: &Client, what: LinkCommand) -> anyhow::Result<u8> {
    match what {
        LinkCommand::List { json: as_json } => {
            let body = json(&client.get("/v1/links", &[]).await?)?;
            if as_json {
                println!("{body}");
                return Ok(0);
            }
            let rows = rows(&body, "links");
            if rows.is_empty() {
                println!("No link and no form is open.");
            }
            for row in rows {
                let what = row.pointer("/purpose/question").and_then(Value::as_str);
                let what = what
                    .map_or_else(|| "a notice to acknowledge".to_owned(), |question| format!("“{question}”"));
                let opened = row.get("opened").and_then(Value::as_str);
                let opened = opened.map_or("not opened yet".to_owned(), |at| format!("opened first {at}"));
                println!(
                    "{:<6} {:<16} until {}  {opened}  {what}",
                    text(&row, "id"),
                    text(&row, "to"),
                    text(&row, "expires")
                );
            }
            Ok(0)
        }
        LinkCommand::Withdraw { id, by } => {
            send(client, "/v1/links/withdraw", json!({"id": id}), &by).await?;
            println!("{id} is withdrawn: it opens nothing any more.");
            Ok(0)
        }
    }
}

pub(super) async fn self_view(client: &Client, what: SelfView) -> anyhow::Result<u8> {
    let (allowed, by) = match what {
        SelfView::Allow(by) => (true, by),
        SelfView::Forbid(by) => (false, by),
        SelfView::Show => {
            let body = json(&client.get("/v1/self-view", &[]).await?)?;
            let allowed = body.get("allowed").and_then(Value::as_bool) == Some(true);
            println!(
                "People {} what is recorded about themselves.",
                if allowed { "may see" } else { "do not see" }
            );
            return Ok(0);
        }
    };
    send(client, "/v1/self-view", json!({"allowed": allowed}), &by).await?;
    println!(
        "From now on people {} what is recorded about themselves.",
        if allowed { "may see" } else { "do not see" }
    );
    Ok(0)
}

pub(super) async fn mine(client: &Client, args: MineArgs) -> anyhow::Result<u8> {
    let days = args.days.to_string();
    let query = [("person", args.person.as_str()), ("days", days.as_str())];
    let body = json(&client.get("/v1/mine", &query).await?)?;
    if args.json {
        println!("{body}");
        return Ok(0);
    }
    let n = body.pointer("/mine/n_entries").and_then(Value::as_u64).unwrap_or(0);
    println!(
        "{} of {} in the last {}.",
        count(n, "entry", "entries"),
        args.person,
        count(u64::from(args.days), "day", "days")
    );
    for (what, n) in body.pointer("/mine/counts").and_then(Value::as_object).into_iter().flatten() {
        println!("  {:>7} × {what}", n.as_u64().unwrap_or(0));
    }
    for row in body.pointer("/mine/rows").and_then(Value::as_array).into_iter().flatten() {
        println!(
            "{}  {}  {} {}",
            text(row, "when"),
            text(row, "computer"),
            text(row, "what"),
            text(row, "object")
        );
    }
    Ok(0)
}

/// `reviewer second`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector reviewer second drchen --by mary\n  \
    ntk-collector reviewer second --decline \"there are two of us\" --by mary")]
pub struct SecondArgs {
    /// Who it is from now on, as in the roster [default: say who it is]
    pub person: Option<String>,
    /// The practice does without, and why
    #[arg(long, value_name = "WHY", conflicts_with = "person")]
    pub decline: Option<String>,
    /// Why the one before cannot agree; every review shows it
    #[arg(long, value_name = "WHY")]
    pub because: Option<String>,
    /// File with the passphrase of the one before, who agrees
    #[arg(long, value_name = "FILE")]
    pub second_passphrase_file: Option<PathBuf>,
    /// Who names them
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// File with that person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

pub(super) async fn second(client: &Client, args: SecondArgs) -> anyhow::Result<u8> {
    if args.person.is_none() && args.decline.is_none() {
        let body = json(&client.get("/v1/second-reviewer", &[]).await?)?;
        print_second(&body);
        return Ok(0);
    }
    let Some(by) = args.by else {
        return Err(Usage("`--by WHO`: say who names the second reviewer".to_owned()).into());
    };
    let file = args.second_passphrase_file.as_deref();
    let second = file.map(|file| passphrase::read(Some(file), "", "")).transpose()?;
    let request = json!({
        "person": args.person, "decline": args.decline, "because": args.because, "second_passphrase": second,
    });
    let by = By { by, passphrase_file: args.passphrase_file };
    print_second(&json(&send(client, "/v1/second-reviewer", request, &by).await?)?);
    Ok(0)
}

fn print_second(body: &Value) {
    match (
        body.pointer("/standing/person").and_then(Value::as_str),
        body.get("sentence").and_then(Value::as_str),
    ) {
        (_, Some(sentence)) => println!("{sentence}"),
        (Some(person), None) => println!(
            "{person} is the second reviewer, since {}.",
            body.pointer("/standing/since").and_then(Value::as_str).unwrap_or_default()
        ),
        (None, None) => println!("There is no second reviewer."),
    }
    if let Some(n @ 1..) = body.get("waiting").and_then(Value::as_u64) {
        println!("{} for a signature: ntk-collector cosign list", count(n, "thing waits", "things wait"));
    }
}

/// What waits for a signature, instead of having been done; the answer is "not yet".
pub(super) fn waits(body: &Value) -> Option<u8> {
    let pending = body.get("pending").filter(|pending| pending.is_object())?;
    println!("{}", text(pending, "says"));
    if pending.get("at_once").is_some_and(Value::is_string) {
        println!(
            "It holds already, and {} waits for a second signature until {}: ntk-collector cosign sign {0} --by SECOND",
            text(pending, "id"),
            text(pending, "expires")
        );
        return None;
    }
    println!(
        "Not yet: {} waits for a second signature until {}: ntk-collector cosign sign {0} --by SECOND",
        text(pending, "id"),
        text(pending, "expires")
    );
    Some(exit::NO)
}

pub(super) fn rows(body: &Value, key: &str) -> Vec<Value> {
    body.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// SHA-256 of a file, hex.
pub(super) fn sha256_of(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file)
        .map_err(|error| anyhow::anyhow!("could not read `{}`: {error}", file.display()))?;
    Ok(ntk_evidence::hash::Hash::of(&bytes).to_hex())
}
