//! `import`: records that a service or server made itself, from a file; `imports`: what was imported.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::answer::{json, text};
use super::exit;
use super::print::number;
use crate::admin::client::Client;
use crate::admin::imports::PART_BYTES_MAX;

/// `import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector import m365 AuditLog_2026-11-01_2026-11-30.csv --by mary\n\n\
Microsoft 365: in Purview, “Audit”, search the days that are wanted, “Export”, “Download all results”; import the file as \
it comes. Files of JSON (the Management Activity API, Sentinel, Graph) are read as well. The same file, or one that \
overlaps it, may be imported again: what is there already is not doubled. Subjects of messages are never kept, nor the \
file.")]
pub struct ImportArgs {
    /// Where the records come from: m365
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who imports it [default: the account that runs this command]
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Sends the file piece by piece, and says what came of it; 1 where records could not be read.
pub(super) async fn import(client: &Client, args: ImportArgs) -> anyhow::Result<u8> {
    let failed = || {
        format!("could not read `{}`; check the name and that this account may read it", args.file.display())
    };
    let mut file = File::open(&args.file).with_context(failed)?;
    let length = file.metadata().with_context(failed)?.len();
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let by = args.by.clone().unwrap_or_else(caller);
    let begun = json!({"source": args.source, "file": name, "by": by});
    let begun = json(&client.post("/v1/imports/begin", &begun).await?)?;
    let import = text(&begun, "import").to_owned();
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("importing {bar:30} {bytes}/{total_bytes}, {msg}") {
        bar.set_style(style);
    }
    let (mut piece, mut at) = (vec![0; PART_BYTES_MAX], 0_u64);
    loop {
        let n = fill(&mut file, &mut piece).with_context(failed)?;
        let bytes = piece.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let body = json!({"import": import, "at": at, "data": BASE64_STANDARD.encode(bytes)});
        let taken = json(&client.post("/v1/imports/part", &body).await?)?;
        at = number(&taken, "/bytes");
        bar.set_position(at);
        bar.set_message(format!("{} records", number(&taken, "/tally/records")));
    }
    let done = json(&client.post("/v1/imports/end", &json!({"import": import})).await?)?;
    bar.finish_and_clear();
    if args.json {
        println!("{done}");
    } else {
        told(&done);
    }
    Ok(if number(&done, "/tally/damaged") > 0 { exit::NO } else { 0 })
}

/// `imports`.
pub(super) async fn imports(client: &Client, args: super::Json) -> anyhow::Result<u8> {
    let body = json(&client.get("/v1/imports", &[]).await?)?;
    if args.json {
        println!("{body}");
        return Ok(0);
    }
    let list = body.get("imports").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.is_empty() {
        println!("Nothing was imported yet; see `ntk-collector import --help`.");
    }
    for line in list {
        let import = line.get("import").unwrap_or(&Value::Null);
        println!(
            "{}  {}  {}, by {}",
            text(&line, "time"),
            text(import, "source"),
            text(import, "file"),
            text(import, "by")
        );
        println!("    {}", text(&line, "sentence"));
        println!("    sha256 {}", text(import, "sha256"));
    }
    Ok(0)
}

fn told(done: &Value) {
    println!("{}: {}.", text(done, "file"), text(done, "sentence"));
    let tally = done.get("tally").unwrap_or(&Value::Null);
    if let (Some(first), Some(last)) =
        (tally.get("first").and_then(Value::as_str), tally.get("last").and_then(Value::as_str))
    {
        println!("They are from {first} to {last}; they were collected afterwards, and say so.");
    }
    for (rule, n) in tally.get("noise").and_then(Value::as_object).into_iter().flatten() {
        println!("  left out  {n} × {rule}");
    }
    for row in tally.get("damaged_rows").and_then(Value::as_array).into_iter().flatten() {
        println!("  damaged   row {}: {}", number(row, "/row"), text(row, "what"));
    }
    let (damaged, named) =
        (number(tally, "/damaged"), tally.get("damaged_rows").and_then(Value::as_array).map_or(0, Vec::len));
    if usize::try_from(damaged).is_ok_and(|damaged| damaged > named) {
        println!("  damaged   … and {} more", damaged.saturating_sub(u64::try_from(named).unwrap_or(0)));
    }
    println!("sha256 {} is recorded; the file itself is not kept here.", text(done, "sha256"));
}

/// Who runs the command, as the system says; a sudo keeps who asked for it.
fn caller() -> String {
    let named = ["SUDO_USER", "LOGNAME", "USER"].iter().find_map(|name| std::env::var(name).ok());
    named.map_or_else(|| "the command line".to_owned(), |name| format!("account {name}"))
}

/// Fills a piece as far as the file goes.
fn fill(file: &mut File, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while let Some(rest) = piece.get_mut(n..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => n = n.saturating_add(more),
        }
    }
    Ok(n)
}
