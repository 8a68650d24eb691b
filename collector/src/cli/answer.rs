//! What every subcommand does with the collector's answers: read them, save them, show how far a long one is.

use std::path::Path;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use crate::admin::client::{ASK_EVERY, Client, ClientError};
use crate::home::write_file;

/// The command line was wrong in a way that clap cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

/// Shows how far a long request is, on a terminal.
pub(super) async fn with_bar<E: From<ClientError>>(
    client: &Client,
    what: &'static str,
    request: impl Future<Output = Result<Vec<u8>, E>>,
) -> Result<Vec<u8>, E> {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}") {
        bar.set_style(style);
    }
    bar.set_message(what);
    let asking = async {
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            if let Some((done, total)) = client.progress().await {
                bar.set_length(total.max(1));
                bar.set_position(done);
            }
        }
    };
    let result = tokio::select! { result = request => result, () = asking => Err(ClientError::Talk("no answer".into()).into()) };
    bar.finish_and_clear();
    result
}

/// Writes the text of an answer to a file.
pub(super) async fn save(client: &Client, path: &str, file: &Path) -> anyhow::Result<u8> {
    let body = json(&client.get(path, &[]).await?)?;
    write_file(file, text(&body, "text").as_bytes(), 0o640)?;
    println!("{}", file.display());
    Ok(0)
}

/// `api`: what can be asked for; it needs no practice.
pub(super) fn api(args: &super::Json) -> anyhow::Result<u8> {
    let api = crate::admin::api();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&api.document())?);
    } else {
        print!("{}", api.listing());
    }
    Ok(0)
}

/// The parts of a query that were given.
pub(super) fn given<'a>(query: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    query.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect()
}

/// An answer as JSON.
pub(super) fn json(bytes: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(bytes).context("the collector's answer is not JSON")
}

/// A text of an answer; empty where it has none.
pub(super) fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}
