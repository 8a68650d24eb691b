//! `practices`: how each practice of a folder stands, with what each tells about itself.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::exit;
use crate::admin::client::Client;
use crate::home::Home;
use crate::practices::board::{self, Standing, State};
use crate::practices::{DEFAULT_FOLDER, PracticesError, found, lock};
use crate::system;

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Run every practice below this folder, each with keys, ledger and ports of its own; new ones are found
    #[arg(long, value_name = "FOLDER")]
    pub practices: Option<PathBuf>,
}

/// `practices`.
#[derive(Debug, Args)]
pub struct PracticesArgs {
    /// The folder that `run --practices` was given
    #[arg(value_name = "FOLDER", default_value = DEFAULT_FOLDER)]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints how every practice stands; the answer is no where one does not run.
pub(super) fn practices(args: &PracticesArgs) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(rows(&args.folder))?;
    let all_run = rows.iter().all(|row| row.get("state").is_some_and(|state| state == "running"));
    if args.json {
        println!("{}", Value::Array(rows));
    } else {
        rows.iter().for_each(print);
    }
    Ok(if all_run { 0 } else { exit::NO })
}

async fn rows(folder: &Path) -> anyhow::Result<Vec<Value>> {
    // What was written down holds only while the collector that wrote it runs.
    let is_run = match is_there(folder).then(|| lock(folder)).transpose() {
        Ok(_) => false,
        Err(PracticesError::Busy(_)) => true,
        Err(failure) => return Err(failure.into()),
    };
    let written = board::read(folder)?;
    let mut rows = Vec::new();
    for name in found(folder)? {
        rows.push(row(folder, &name, written.get(&name), is_run).await);
    }
    Ok(rows)
}

/// Whether a collector ever ran over it: asking makes no file, which would be the asker's.
fn is_there(folder: &Path) -> bool {
    folder.join("practices.lock").exists()
}

async fn row(folder: &Path, name: &str, standing: Option<&Standing>, is_run: bool) -> Value {
    let home = Home::new(folder.join(name));
    let state = match (standing, is_run) {
        (Some(standing), true) => standing.state,
        (None, true) => State::Starting,
        // It may have a collector of its own.
        (_, false) if system::answers(&home) => State::Running,
        (_, false) => State::Stopped,
    };
    let said = if state == State::Running { status(home).await } else { None };
    // A practice that answers says these itself.
    let own = |key: &str| said.as_ref().and_then(|said| said.get(key)?.as_str());
    let agents = said.as_ref().and_then(|said| said.get("streams")?.as_object());
    let agents = agents.map(|streams| {
        streams.values().filter(|stream| stream.get("connected").is_some_and(|is| is == true)).count()
    });
    json!({
        "folder": name,
        "slug": own("slug").or(standing.and_then(|standing| standing.slug.as_deref())),
        "name": own("practice").or(standing.and_then(|standing| standing.name.as_deref())),
        "state": state,
        "agents": agents,
        "leaves": said.as_ref().and_then(|said| said.pointer("/log/size")?.as_u64()),
        "fault": standing.and_then(|standing| standing.fault.as_ref()),
    })
}

async fn status(home: Home) -> Option<Value> {
    let bytes = Client::Socket(home).get("/v1/status", &[]).await.ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn print(row: &Value) {
    let told = |at: &str| row.pointer(at).and_then(Value::as_str);

    let number = |key: &str, of: &str| {
        row.get(key).and_then(Value::as_u64).map(|n| format!("{n} {of}, ")).unwrap_or_default()
    };
    println!(
        "{:<8} {}: {}{}{}",
        told("/state").unwrap_or_default(),
        told("/slug").or(told("/folder")).unwrap_or_default(),
        number("agents", "agents connected"),
        number("leaves", "leaves"),
        told("/name").unwrap_or("-"),
    );
    if let Some(why) = told("/fault/why") {
        println!("         last fault {}: {why}", told("/fault/time").unwrap_or_default());
    }
}
