//! What Exchange writes of its administrators' commands: records 1 (done) and 6 (failed) of the log `MSExchange
//! Management`, with all they say as texts in order.
//!
//! # What is not certain
//! Exchange writes the parameters as one text and does not say how quotation marks within values are told from those
//! around them. So parameters are what the text looks like: whoever may run commands can write a value that looks like
//! two. The command's name and its author stand apart and are certain.

use crate::record::Record;

/// Parameters of one command that are kept; the richest cmdlets have about 200.
const PARAMETERS_MAX: usize = 256;

/// A command that somebody ran, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmdlet {
    /// Such as `Set-Mailbox`.
    pub name: String,
    /// Names without their dash and values without quotation marks around the whole, in order.
    pub parameters: Vec<(String, String)>,
    /// Who ran it, as Exchange writes it: a canonical name such as `practice.example/Users/Anna`, or else a security
    /// identifier. Empty where the record has neither.
    pub user: String,
    /// It came to nothing.
    pub failed: bool,
}

impl Cmdlet {
    /// The value of a parameter, whose name is the same in any case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The command of a record, if it is one of those.
pub fn cmdlet(record: &Record) -> Option<Cmdlet> {
    let is_log = record.channel.eq_ignore_ascii_case("MSExchange Management");
    if !is_log || !matches!(record.event_id, 1 | 6) {
        return None;
    }
    // winlogbeat calls texts without a name by their place from 1.
    let field = |name: &str, of_winlogbeat: &str| record.field(name).or_else(|| record.field(of_winlogbeat));
    Some(Cmdlet {
        name: field("0", "param1")?.to_owned(),
        parameters: field("1", "param2").map(parameters).unwrap_or_default(),
        user: field("2", "param3").or_else(|| field("3", "param4")).unwrap_or_default().to_owned(),
        failed: record.event_id == 6,
    })
}

/// `-Identity "Anna" -Confirm:$false -Force`: a name is a dash and letters that follow a space outside quotation marks.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_quoted = false;
    // The text of a parameter from after its dash.
    let mut begin = None;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        let is_name = character == '-'
            && before.is_whitespace()
            && !is_quoted
            && rest.chars().nth(1).is_some_and(char::is_alphabetic);
        if is_name {
            found.extend(begin.and_then(|begin| text.get(begin..at)).map(parameter));
            begin = Some(at.saturating_add(1));
        }
        if found.len() >= PARAMETERS_MAX {
            return found;
        }
        is_quoted ^= character == '"';
        before = character;
    }
    found.extend(begin.and_then(|begin| text.get(begin..)).map(parameter));
    found
}

fn parameter(text: &str) -> (String, String) {
    let is_end = |character: char| character.is_whitespace() || character == ':';
    let (name, value) = text.split_once(is_end).unwrap_or((text, ""));
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    // Lists have quotation marks around each of their items, and stay as they are.
    let value = inner.filter(|inner| !inner.contains('"')).unwrap_or(value);
    (name.to_owned(), value.to_owned())
}

#[cfg(test)]
mod tests;
