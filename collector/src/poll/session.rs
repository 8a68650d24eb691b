//! A session with one service of Microsoft's: its token, and a new one when it is over.

use serde_json::Value;

use super::PollError;
use super::web::{Answer, Asked, ask, path_at};
use crate::config::m365::M365;
use crate::config::time_stamps::AuthorityUrl;

/// A service and the token for it.
pub(super) struct Session<'a> {
    settings: &'a M365,
    base: &'a AuthorityUrl,
    scope: String,
    secret: &'a str,
    token: Option<String>,
}

impl<'a> Session<'a> {
    /// With a service at an address; the token is got with the first request.
    pub(super) fn new(settings: &'a M365, base: &'a AuthorityUrl, secret: &'a str) -> Self {
        let scheme = if base.is_https { "https" } else { "http" };
        let scope = format!("{scheme}://{}/.default", base.host_header());
        Self { settings, base, scope, secret, token: None }
    }

    /// Asks with a token; once more with a new one where that has ended.
    pub(super) async fn ask(&mut self, asked: &Asked) -> Result<Answer, PollError> {
        let mut is_new = false;
        loop {
            let token = match &self.token {
                Some(token) => token.clone(),
                None => {
                    is_new = true;
                    self.token.insert(self.new_token().await?).clone()
                }
            };
            let answer = ask(self.base, asked, Some(&token)).await?;
            match answer.status {
                401 if !is_new => self.token = None,
                401 => return Err(PollError::NotLetIn(said(&answer))),
                _ => return Ok(answer),
            }
        }
    }

    /// [`Session::ask`] for an address that an answer named.
    pub(super) async fn ask_at(&mut self, named: &str) -> Result<Answer, PollError> {
        let path = path_at(self.base, named)?;
        self.ask(&Asked::get(path)).await
    }

    async fn new_token(&self) -> Result<String, PollError> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.settings.client_id),
            ("client_secret", self.secret),
            ("scope", &self.scope),
        ];
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/{}/oauth2/v2.0/token", self.settings.tenant);
        let answer = ask(&self.settings.login, &Asked::post(path, Some(form.join("&"))), None).await?;
        let body = answer.json("the answer to the request for a token").unwrap_or_default();
        let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        token.map(ToOwned::to_owned).ok_or_else(|| PollError::NoToken(said(&answer)))
    }
}

/// What a refusal says of itself, one line.
pub(super) fn said(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    let found = text("/error_description").or_else(|| text("/error/message")).or_else(|| text("/error"));
    let line = found.and_then(|text| text.lines().next()).unwrap_or("no reason given");
    let line: String = line.chars().filter(|letter| !letter.is_control()).take(200).collect();
    format!("HTTP status {}: {line}", answer.status)
}

/// The code of a refusal: `AF20024`.
pub(super) fn code(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A value as a form or query writes it (RFC 3986, unreserved letters stay).
pub(super) fn encoded(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
