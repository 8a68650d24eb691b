//! A one-time link or a paper form that was just made: shown once, with the text to send and the code to give otherwise.

use askama::Template;
use serde_json::Value;

use super::Console;
use super::shell::{Shell, Visitor};
use crate::admin::Failure;
use crate::report::shown::visible;
use crate::report::text::moment;
use crate::staff_notice::Notice;

/// What is shown of it, once.
#[derive(Template)]
#[template(path = "console/link_made.html")]
pub(super) struct LinkMade {
    shell: Shell,
    to: String,
    what: &'static str,
    /// The whole address; empty for a form on paper alone.
    address: String,
    /// What to send; empty for a form on paper alone.
    message: String,
    /// Handed over on another way than the link.
    code: String,
    until: String,
    /// The form to print; empty where there is none.
    paper: String,
    id: String,
    back: String,
}

impl LinkMade {
    /// For a question.
    pub(super) fn of_question(
        console: &Console,
        visitor: &Visitor,
        made: &Value,
        name: &str,
        back: String,
    ) -> Result<Self, Failure> {
        let message = |practice: &str, address: &str, until: &str| {
            format!(
                "{practice} has a question to you about a record of access. You can read and answer it here, without an account:\n{address}\nThe link works once, until {until}. You may answer, and you may leave it: not answering is never taken as an admission."
            )
        };
        Self::of(console, visitor, made, name, ("A question", back), message)
    }

    /// For a notice.
    pub(super) fn of_notice(
        console: &Console,
        visitor: &Visitor,
        made: &Value,
        (name, notice): (&str, Notice),
        back: String,
    ) -> Result<Self, Failure> {
        let what = match notice {
            Notice::Staff => "The staff notice",
            Notice::VendorContract => "The notice to vendors",
        };
        let message = |practice: &str, address: &str, until: &str| {
            format!(
                "At {practice} access to computers and records is recorded. Please read the notice about it, and say that you have read it:\n{address}\nThe link works once, until {until}."
            )
        };
        Self::of(console, visitor, made, name, (what, back), message)
    }

    fn of(
        console: &Console,
        visitor: &Visitor,
        made: &Value,
        name: &str,
        (what, back): (&'static str, String),
        message: impl Fn(&str, &str, &str) -> String,
    ) -> Result<Self, Failure> {
        let text = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let expires = text("expires").parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
        let until = moment(expires, console.app.lookup.zone());
        let path = text("path");
        let address = if path.is_empty() { path } else { format!("{}{path}", console.origin) };
        let practice = &console.app.practice.config.raw.practice;
        let message =
            if address.is_empty() { String::new() } else { message(&visible(practice), &address, &until) };
        Ok(Self {
            shell: Shell::new(console, Some(visitor), "", what),
            to: visible(name),
            what,
            address,
            message,
            code: text("code"),
            until,
            paper: text("form"),
            id: text("id"),
            back,
        })
    }
}
