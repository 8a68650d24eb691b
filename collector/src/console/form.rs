//! What every form of a page has in common: refusals that come back to it, and days that somebody typed.

use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;

use super::shell::Trouble;
use super::table;
use crate::account::Role;
use crate::admin::Failure;
use crate::reviewer::Passphrase;

/// What was done, as the page on which a form ended is told in its address: a word for which it has a sentence.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Done {
    pub(super) said: String,
}

/// What is wrong with a form, and with which field of it; nothing where the sentence is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    /// Name of the form.
    pub(super) form: &'static str,
    /// Name of the field; empty where it is not known.
    pub(super) field: &'static str,
    /// What.
    pub(super) sentence: String,
    /// With which status the page is answered.
    pub(super) status: StatusCode,
}

impl Wrong {
    /// A field of a form.
    pub(super) fn new(form: &'static str, field: &'static str, sentence: impl Into<String>) -> Self {
        Self { form, field, sentence: sentence.into(), status: StatusCode::BAD_REQUEST }
    }

    /// A refusal that whoever filled in the form can do something about; others are a page of their own.
    pub(super) fn from_failure(form: &'static str, failure: Failure) -> Result<Self, Trouble> {
        let (status, sentence) = failure.into_parts();
        if !status.is_client_error() || status == StatusCode::FORBIDDEN || status == StatusCode::NOT_FOUND {
            return Err(Trouble { status, sentence });
        }
        if sentence.contains("give it at the prompt") {
            return Ok(Self::new(form, "passphrase", "Type your passphrase: it shows that it is you."));
        }
        let field = if status == StatusCode::UNAUTHORIZED || sentence.contains("passphrase") {
            "passphrase"
        } else {
            ""
        };
        let status = if status == StatusCode::UNAUTHORIZED { StatusCode::BAD_REQUEST } else { status };
        Ok(Self { form, field, sentence, status })
    }

    /// Whether it is this form that is wrong.
    pub(super) fn is_of(&self, form: &str) -> bool {
        self.form == form && !self.sentence.is_empty()
    }

    /// Whether it is this field.
    pub(super) fn is_at(&self, form: &str, field: &str) -> bool {
        self.is_of(form) && self.field == field
    }
}

/// A passphrase as it was typed; none where the field is empty.
pub(super) fn passphrase(typed: &str) -> Option<Passphrase> {
    Some(typed.to_owned()).filter(|text| !text.is_empty()).map(Passphrase::new)
}

/// [`passphrase`] of a form that does nothing without one.
pub(super) fn needed_passphrase(typed: &str) -> Result<Passphrase, Failure> {
    passphrase(typed)
        .ok_or_else(|| Failure::bad("Type your passphrase: it shows that it is you who decides."))
}

/// Whether a refusal is about what was typed, so that the form comes back.
pub(super) fn is_the_forms(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::CONFLICT)
}

/// A refusal as the form says it, with a status that keeps the page here; what is ours is a page of its own.
pub(super) fn as_said(failure: Failure) -> Result<(StatusCode, String), Trouble> {
    let (status, sentence) = failure.into_parts();
    match status {
        StatusCode::UNAUTHORIZED => Ok((
            StatusCode::BAD_REQUEST,
            "Type your passphrase: it shows that it is you who decides.".to_owned(),
        )),
        status if status.is_client_error() => Ok((status, sentence)),
        status => Err(Trouble { status, sentence }),
    }
}

/// A day as it was typed; none where the field is empty.
pub(super) fn day(form: &'static str, field: &'static str, typed: &str) -> Result<Option<String>, Wrong> {
    match typed.trim() {
        "" => Ok(None),
        text if text.len() == 10 && text.parse::<Date>().is_ok() => Ok(Some(text.to_owned())),
        _ => Err(Wrong::new(form, field, "Write a day as 2026-11-30.")),
    }
}

/// Whether a role may send a form to this route.
pub(super) fn may_post(role: &Role, pattern: &str) -> bool {
    table::row(&axum::http::Method::POST, pattern).is_some_and(|row| table::may(row.who, role))
}
