//! `import`: records that a service or server made itself, from a file; `imports`: what was imported.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::answer::{Usage, json, text, with_bar};
use super::exit;
use super::print::number;
use crate::admin::client::Client;
use crate::admin::imports::PART_BYTES_MAX;

/// `import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector import m365 AuditLog_2026-11-01_2026-11-30.csv --by mary\n  \
    ntk-collector import exchange SearchResult.xml\n  \
    ntk-collector import ehr-audit access-log.csv --map our-ehr.toml\n  \
    ntk-collector import ehr-audit AuditEvent.ndjson\n  \
    ntk-collector import evtx Security.evtx --map watched.toml\n\n\
Microsoft 365: in Purview, “Audit”, search the days that are wanted, “Export”, “Download all results”; import the file as \
it comes. Files of JSON (the Management Activity API, Sentinel, Graph) are read as well. The same file, or one that \
overlaps it, may be imported again: what is there already is not doubled. Subjects of messages are never kept, nor the \
file.\n\n\
Health-record systems: a file of FHIR AuditEvent (NDJSON) as it is; a file of CSV with a map, which says in TOML which \
column holds what: time = \"Access Time\", user = \"User ID\", and where there are such columns patient, action, what, \
from, outcome, id; timezone = \"America/New_York\" where its times bear none; [actions] gives words another meaning: \
\"Chart Review\" = \"read\", \"Login\" = \"login\", \"Heartbeat\" = \"noise\".\n\n\
Event logs (.evtx) copied from a Windows machine without an agent: logins and changes are told; file access only below what \
a map names, in TOML: [[watch]] with path = 'C:\\Exports', class = \"export\", and owner where it is somebody's.")]
pub struct ImportArgs {
    /// Where the records come from: m365, exchange, ehr-audit, evtx
    #[arg(value_name = "SOURCE")]
    pub source: String,
    /// The file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Which column holds what, for a CSV file of a health-record system; what is watched there, for an event log
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
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
    let map = args.map.as_deref().map(crate::home::read_text).transpose()?;
    let begun = json!({"source": args.source, "file": name, "by": by, "map": map});
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

/// `poll`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    ntk-collector poll m365 --set-secret\n  \
    ntk-collector poll m365 --lookback 7d\n\n\
Once: in Microsoft Entra, signed in as a Global Administrator whom the practice owns (not the watched person), register an \
application, give it the application permissions ActivityFeed.Read (Office 365 Management APIs), AuditLog.Read.All and \
Directory.Read.All (Microsoft Graph), grant consent, and make a client secret. Then in collector.toml: [m365] with tenant and \
client_id. All permissions only read.")]
pub struct PollArgs {
    /// Which service: m365
    #[arg(value_name = "SERVICE", value_parser = ["m365"])]
    pub service: String,
    /// How far back, such as 12h or 7d, which is all that the service keeps [default: since the last time]
    #[arg(long, value_name = "TIME")]
    pub lookback: Option<String>,
    /// Set the application's secret, and ask nothing
    #[arg(long, conflicts_with = "lookback")]
    pub set_secret: bool,
    /// File with the secret [default: a prompt, or the variable NTK_M365_SECRET]
    #[arg(long, value_name = "FILE", requires = "set_secret")]
    pub secret_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Asks now, and says what came.
pub(super) async fn poll(client: &Client, args: PollArgs) -> anyhow::Result<u8> {
    if args.set_secret {
        let value = super::passphrase::read(args.secret_file.as_deref(), "NTK_M365_SECRET", "Client secret")?;
        client.post("/v1/delivery/secret", &json!({"what": crate::poll::SECRET, "value": value})).await?;
        println!("The secret is kept below private/. Ask with: ntk-collector poll m365");
        return Ok(0);
    }
    let hours = args.lookback.as_deref().map(hours).transpose()?;
    let body = json!({"lookback_hours": hours, "by": caller()});
    let body = json(&with_bar(client, "asking Microsoft 365", client.post("/v1/poll", &body)).await?)?;
    if args.json {
        println!("{body}");
        return Ok(0);
    }
    match body.get("sentence").and_then(Value::as_str) {
        Some(sentence) => println!("Microsoft 365: {sentence}."),
        None => println!("Microsoft 365: nothing new."),
    }
    for note in body.get("notes").and_then(Value::as_array).into_iter().flatten() {
        println!("  note  {}", note.as_str().unwrap_or_default());
    }
    Ok(0)
}

/// `12h`, `7d`.
fn hours(text: &str) -> Result<u32, Usage> {
    let wrong = || Usage(format!("`{text}` is no time such as 12h or 7d; the service keeps 7d"));
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let hours = match unit {
        "h" => number,
        "d" => number.saturating_mul(24),
        _ => return Err(wrong()),
    };
    if (1..=168).contains(&hours) { Ok(hours) } else { Err(wrong()) }
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
    for id in tally.get("differ_ids").and_then(Value::as_array).into_iter().flatten() {
        println!(
            "  differs   {}: the entry under this id says something else; it stays as it is",
            id.as_str().unwrap_or_default()
        );
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
