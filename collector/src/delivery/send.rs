//! One attempt to hand a message over, by its way.

use std::path::Path;

use ntk_evidence::time::Moment;
use serde_json::json;

use super::outbox::{Item, Way};
use super::web::{self, WebError};
use crate::app::App;
use crate::config::delivery::Delivery;
use crate::home::{Home, HomeError, write_file};
use crate::mail::{self, Address, Letter, MailError};

/// Secrets below `private/`.
pub mod secret {
    /// Password at the mail server.
    pub const MAIL: &str = "mail-password";
    /// Passphrase of encrypted attachments.
    pub const PASSPHRASE: &str = "mail-passphrase";
    /// What the gateway knows us by.
    pub const WEBHOOK: &str = "webhook-secret";
    /// The topic's access token.
    pub const NTFY: &str = "ntfy-token";
}

/// Header that bears the gateway's secret.
pub const SECRET_HEADER: &str = "x-need-to-know-secret";

/// A message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The configuration no longer has this way.
    #[error("collector.toml has no {0} any more")]
    NoWay(&'static str),
    /// Mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// A web service.
    #[error(transparent)]
    Web(#[from] WebError),
    /// A file: the folder, or a secret.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No password.
    #[error("`mail.user` is set and there is no password; run `ntk-collector mail password`")]
    NoPassword,
    /// The folder is not there.
    #[error("`report.folder` `{0}` is not there; is the stick in its place?")]
    NoFolder(String),
    /// The attempt ended with a panic.
    #[error("the attempt failed inside; see the collector's log")]
    Inside,
}

/// A secret, where it was set.
pub fn read_secret(home: &Home, name: &str) -> Result<Option<String>, HomeError> {
    if !home.private(name).exists() {
        return Ok(None);
    }
    Ok(Some(home.read_secret(name)?.trim_end_matches(['\r', '\n']).to_owned()))
}

/// One attempt.
pub async fn attempt(app: &App, settings: &Delivery, item: Item, now: Moment) -> Result<(), SendError> {
    let home = app.practice.home.clone();
    match &item.way {
        Way::Mail { to } => {
            let mail = settings.mail.clone().ok_or(SendError::NoWay("[mail]"))?;
            let to = Address::parse(to).ok_or(SendError::NoWay("such address"))?;
            let password = read_secret(&home, secret::MAIL)?;
            if mail.user.is_some() && password.is_none() {
                return Err(SendError::NoPassword);
            }
            let practice = app.practice.config.raw.practice.clone();
            let message_id = format!("<{}@{}.ntk.invalid>", item.id, app.ledger.slug().as_str());
            let sent = tokio::task::spawn_blocking(move || {
                let files = item.files.iter().map(|file| (file.name.clone(), file.bytes())).collect();
                let (subject, text, html) = (&item.subject, &item.text, item.html.as_deref());
                let letter = Letter { message_id, practice: &practice, subject, text, html, files };
                mail::send(&mail, password.as_deref(), &to, letter, now)
            });
            Ok(sent.await.map_err(|_| SendError::Inside)??)
        }
        Way::Webhook => {
            let notices = settings.notices.as_ref();
            let url =
                notices.and_then(|notices| notices.webhook.as_ref()).ok_or(SendError::NoWay("webhook"))?;
            let mut headers =
                vec![("content-type", "application/json".to_owned()), ("idempotency-key", item.id.clone())];
            headers.extend(read_secret(&home, secret::WEBHOOK)?.map(|secret| (SECRET_HEADER, secret)));
            let body =
                json!({"id": item.id, "title": item.subject, "message": item.text, "time": item.queued});
            Ok(web::post(url, "", &headers, body.to_string().into_bytes()).await?)
        }
        Way::Ntfy => {
            let notices = settings.notices.as_ref();
            let url =
                notices.and_then(|notices| notices.ntfy.as_ref()).ok_or(SendError::NoWay("ntfy topic"))?;
            let mut headers = vec![("title", item.subject.clone()), ("priority", "high".to_owned())];
            headers.extend(
                read_secret(&home, secret::NTFY)?.map(|token| ("authorization", format!("Bearer {token}"))),
            );
            Ok(web::post(url, "", &headers, item.text.into_bytes()).await?)
        }
        Way::Folder => {
            let folder = settings.folder.clone().ok_or(SendError::NoWay("`report.folder`"))?;
            let put = tokio::task::spawn_blocking(move || put(&folder, &item));
            put.await.map_err(|_| SendError::Inside)?
        }
    }
}

/// Writes a review's files into the folder; the folder itself is never made, so that a stick that is not there is told.
fn put(folder: &Path, item: &Item) -> Result<(), SendError> {
    if !folder.is_dir() {
        return Err(SendError::NoFolder(folder.display().to_string()));
    }
    for file in &item.files {
        write_file(&folder.join(&file.name), &file.bytes(), 0o640)?;
    }
    if item.files.is_empty() {
        let name = format!("{}.txt", item.id);
        write_file(&folder.join(name), item.text.as_bytes(), 0o640)?;
    }
    Ok(())
}
