//! Who may sign in to the console, and sign-ins that failed, in words.

use serde_json::Value;

use super::{name, signed};
use crate::report::text::count;
use crate::roster::Roster;

/// What changed about an account; none for what changes nothing.
pub(super) fn change(body: &Value, roster: &Roster) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    let whose = name(text("person"), roster);
    let role = match text("case") {
        "" => text("role").to_owned(),
        case => format!("{} of case {case}", text("role")),
    };
    let sentence = match text("step") {
        "made" => format!("{whose} may sign in to the console as {role}."),
        "role" => format!("{whose} is {role} in the console from now on, and was {} before.", text("before")),
        "removed" => format!("{whose} can sign in to the console no more."),
        "locked" => {
            let n = body.get("wrong").and_then(Value::as_u64).unwrap_or(0);
            return Some(format!(
                "The console’s sign-in of {whose} was locked after {n} wrong attempts in a row."
            ));
        }
        "unlocked" => {
            return Some(match text("by") {
                "" => format!("The sign-in of {whose} was unlocked from the command line."),
                by => format!("The sign-in of {whose} was unlocked by {}.", name(by, roster)),
            });
        }
        "second_factor_set" => return Some(format!("{whose} set up a second factor for the console.")),
        "second_factor_reset" => {
            return Some(format!(
                "The second factor of {whose} was taken away {}: whoever has the passphrase and the new link signs in under this name. Ask {whose} whether they asked for it.",
                match text("by") {
                    "" => "from the command line".to_owned(),
                    by => format!("by {}", name(by, roster)),
                }
            ));
        }
        "link_made" => return Some("A link to set up the console was made on the collector.".to_owned()),
        "link_used" => format!("{whose} used a one-time link and signs in to the console as {role}."),
        "link_refused" => {
            return Some(format!(
                "A one-time link to the console that was {} was opened again, from {}.",
                text("why"),
                text("from")
            ));
        }
        _ => return None,
    };
    Some(signed(&sentence, body, roster))
}

/// Sign-ins that failed; none for those that did not.
pub(super) fn failed(body: &Value, roster: &Roster) -> Option<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("outcome") != "failed" {
        return None;
    }
    let n = body.get("n").and_then(Value::as_u64).unwrap_or(1);
    let tries = count(n, "sign-in", "sign-ins");
    let whose = match text("person") {
        "" => "under a name that has no account".to_owned(),
        person => format!("as {}", name(person, roster)),
    };
    Some(format!("{tries} to the console {whose} failed, the last from {}.", text("from")))
}
