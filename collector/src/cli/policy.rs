//! `policy`: the need-to-know table shown, tried on the last weeks, adopted; experts' policies beside it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answer::{Usage, json, save, text, with_bar};
use super::passphrase::{self, send_maybe};
use crate::admin::client::Client;
use crate::home::{read_text, write_file};
use crate::policy::{Policy, TEMPLATES};
use crate::report::text::{count, number};

/// `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// The table in force: who may reach what, and when
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What a changed table would have said about the last weeks; nothing is changed
    Try(TryArgs),
    /// Bring a table into force
    Adopt(AdoptArgs),
    /// Write the table in force to a file
    Export {
        /// The file
        file: PathBuf,
        /// As the policies that it is compiled to
        #[arg(long)]
        cedar: bool,
    },
    /// Print what an expert's policies may speak of
    Schema,
    /// Print a table to begin with; without a name, which there are
    Template {
        /// Its name
        name: Option<String>,
    },
}

/// `policy try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The changed table
    pub file: PathBuf,
    /// An expert's policies, in Cedar; several times for several files
    #[arg(long, value_name = "FILE.cedar")]
    pub expert: Vec<PathBuf>,
    /// How many weeks to look back
    #[arg(long, default_value_t = 4)]
    pub weeks: u16,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `policy adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// The table
    pub file: PathBuf,
    /// An expert's policies, in Cedar; several times for several files
    #[arg(long, value_name = "FILE.cedar")]
    pub expert: Vec<PathBuf>,
    /// Who adopts it: the person's id in the roster
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// File with the person's passphrase [default: a prompt, or the variable NTK_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "by")]
    pub passphrase_file: Option<PathBuf>,
    /// The second person
    #[arg(long, value_name = "WHO", requires = "by")]
    pub second: Option<String>,
    /// File with the second person's passphrase [default: a prompt, or the variable NTK_SECOND_PASSPHRASE]
    #[arg(long, value_name = "FILE", requires = "second")]
    pub second_passphrase_file: Option<PathBuf>,
    /// Why no second person adopts with you; recorded and shown in the review
    #[arg(long, value_name = "TEXT", conflicts_with = "second")]
    pub alone_because: Option<String>,
}

/// Where the second person's passphrase is read from when nobody sits at a terminal.
const SECOND_VARIABLE: &str = "NTK_SECOND_PASSPHRASE";

pub(super) async fn policy(client: &Client, what: PolicyCommand) -> anyhow::Result<u8> {
    match what {
        PolicyCommand::Show { json: as_json } => {
            let body = json(&client.get("/v1/policy/table", &[]).await?)?;
            if as_json {
                println!("{body}")
            } else {
                print_table(&body)
            }
            Ok(0)
        }
        PolicyCommand::Try(args) => attempt(client, args).await,
        PolicyCommand::Adopt(args) => adopt(client, args).await,
        PolicyCommand::Export { file, cedar: false } => save(client, "/v1/policy", &file).await,
        PolicyCommand::Export { file, cedar: true } => {
            let body = json(&client.get("/v1/policy", &[("form", "cedar")]).await?)?;
            write_file(&file, text(&body, "text").as_bytes(), 0o640)?;
            println!("{}", file.display());
            Ok(0)
        }
        PolicyCommand::Schema => {
            print!("{}", crate::policy::cedar::SCHEMA);
            Ok(0)
        }
        PolicyCommand::Template { name } => template(name.as_deref()),
    }
}

/// Prints a template, or their names.
pub(super) fn template(name: Option<&str>) -> anyhow::Result<u8> {
    let names = || TEMPLATES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    match name.map(|name| (name, Policy::template(name))) {
        None => println!("{}", names()),
        Some((_, Some(text))) => print!("{text}"),
        Some((name, None)) => {
            return Err(Usage(format!("there is no template `{name}`; there are {}", names())).into());
        }
    }
    Ok(0)
}

fn experts(files: &[PathBuf]) -> anyhow::Result<Vec<Value>> {
    let name =
        |file: &Path| file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    files.iter().map(|file| Ok(json!({"name": name(file), "cedar": read_text(file)?}))).collect()
}

async fn attempt(client: &Client, args: TryArgs) -> anyhow::Result<u8> {
    let request =
        json!({"text": read_text(&args.file)?, "experts": experts(&args.expert)?, "weeks": args.weeks});
    let body = json(
        &with_bar(client, "deciding the last weeks again", client.post("/v1/policy/try", &request)).await?,
    )?;
    if args.json {
        println!("{body}");
    } else {
        print_comparison(&body, args.weeks, &args.file);
    }
    Ok(0)
}

async fn adopt(client: &Client, args: AdoptArgs) -> anyhow::Result<u8> {
    let mut request = json!({
        "text": read_text(&args.file)?, "experts": experts(&args.expert)?,
        "second": args.second, "alone_because": args.alone_because,
    });
    if let Some(second) = &args.second {
        let given = args.second_passphrase_file.is_some()
            || std::env::var_os(SECOND_VARIABLE).is_some()
            || console::user_attended();
        if given {
            let prompt = format!("Passphrase of {second}");
            let typed = passphrase::read(args.second_passphrase_file.as_deref(), SECOND_VARIABLE, &prompt)?;
            if let (Some(fields), false) = (request.as_object_mut(), typed.is_empty()) {
                fields.insert("second_passphrase".into(), json!(typed));
            }
        }
    }
    let body = json(&send_maybe(client, "/v1/policy", request, args.by, args.passphrase_file).await?)?;
    if let Some(code) = super::people::waits(&body) {
        return Ok(code);
    }
    println!("In force: table {}.", text(&body, "name"));
    Ok(0)
}

fn at<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn print_table(body: &Value) {
    println!("{}", at(body, "name"));
    for row in list(body, "rows") {
        println!("\n{}", at(row, "role"));
        for cell in list(row, "cells") {
            println!(
                "  {:<20} {:<12} {}",
                at(cell, "heading"),
                at(cell, "is").replace('_', " "),
                at(cell, "sentence")
            );
        }
    }
    if list(body, "experts").next().is_some() {
        println!("\nbeside the table");
        for rule in list(body, "experts") {
            println!("  {:<33} {}", at(rule, "id"), at(rule, "plain"));
        }
    }
    println!(
        "\nWhat has no cell explains nothing: it becomes a question. An approved ticket explains what it covers, but never a `never`."
    );
}

fn print_comparison(body: &Value, weeks: u16, file: &Path) {
    let empty = Value::Null;
    let comparison = body.get("comparison").unwrap_or(&empty);
    let n = |key: &str| comparison.get(key).and_then(Value::as_u64).unwrap_or(0);
    for sentence in list(body, "not_delivered").filter_map(Value::as_str) {
        println!("It could not be adopted as it is: {sentence}.");
    }
    println!(
        "The last {}: {}, of which {} would have had another outcome.",
        count(u64::from(weeks), "week", "weeks"),
        count(n("n_accesses"), "access and login", "accesses and logins"),
        number(n("n_changed"))
    );
    println!(
        "Items to decide: {} under the rules of the time, {} under this table.",
        number(n("items_before")),
        number(n("items_after"))
    );
    let word = |change: &Value, key: &str| match at(change, key) {
        "not_judged" => "not judged".to_owned(),
        word => word.to_owned(),
    };
    for change in list(comparison, "changes") {
        println!(
            "  {:>7} × {}: {}: {} instead of {}\n            {}",
            number(change.get("n_accesses").and_then(Value::as_u64).unwrap_or(0)),
            at(change, "who"),
            at(change, "asset"),
            word(change, "after"),
            word(change, "before"),
            at(change, "because")
        );
    }
    if n("n_not_listed") > 0 {
        println!("  {:>7} more in smaller groups", number(n("n_not_listed")));
    }
    println!(
        "Nothing was changed. To bring it into force: ntk-collector policy adopt {} --by WHO",
        file.display()
    );
}
