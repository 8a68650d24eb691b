//! `sign-off`: a week's review is gone through.

use clap::Args;
use serde_json::json;

use super::passphrase::{By, send};
use crate::admin::client::Client;

/// `sign-off`.
#[derive(Debug, Args)]
pub struct SignOffArgs {
    /// Which week, such as 2026-W47; it is over, and its review was made
    #[arg(long)]
    pub week: String,
    /// A remark
    #[arg(long)]
    pub note: Option<String>,
    /// Who signs
    #[command(flatten)]
    pub by: By,
}

pub(super) async fn sign_off(client: &Client, args: SignOffArgs) -> anyhow::Result<u8> {
    send(client, "/v1/sign-off", json!({"week": args.week, "note": args.note}), &args.by).await?;
    println!("The review of week {} is signed off by {}.", args.week, args.by.by);
    Ok(0)
}
