//! Which way an answer came, and what that is worth: never more than it is.

use serde::{Deserialize, Serialize};

use crate::roster::Roster;

/// Which way an answer came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// How.
    pub how: How,
    /// Number of the link or form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Id of the person whose answer it is said to be.
    pub from: String,
    /// Whether another way says the same.
    pub confirmed: Confirmed,
}

/// How an answer was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By a one-time link.
    Link,
    /// On paper, and somebody typed it in.
    Paper,
}

/// Whether a second way speaks for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// The code that was handed over on another way came with it.
    ByCode,
    /// No code was asked for: the person does not run the practice's mail.
    NotAsked,
    /// The code that should have come did not.
    No,
}

impl Given {
    /// In words, for the end of a sentence about the answer.
    pub fn in_words(&self, roster: &Roster) -> String {
        let from = roster.person(&self.from).map_or(self.from.as_str(), |person| person.name.as_str());
        match (self.how, self.confirmed) {
            (How::Link, Confirmed::ByCode) => {
                format!("by the one-time link for {from}, with the code that was handed over apart from it")
            }
            (How::Link, Confirmed::NotAsked) => format!("by the one-time link for {from}"),
            (How::Link, Confirmed::No) => format!(
                "by the one-time link for {from}, NOT CONFIRMED: without the code that was handed over apart from it"
            ),
            (How::Paper, Confirmed::ByCode) => {
                // Whoever asked knows the code as well: it ties the answer to a sheet and no more.
                format!(
                    "typed in from paper of {from}, with the code of the form; the signed sheet shows whose it is"
                )
            }
            (How::Paper, Confirmed::NotAsked | Confirmed::No) => {
                format!("typed in from paper of {from}, NOT CONFIRMED: without the code of a form")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn what_no_second_way_confirms_says_so() {
        let roster =
            Roster::parse("[[person]]\nid = \"sam\"\nname = \"Sam Ortiz\"\nroles = [\"itadmin\"]\n").unwrap();
        let mut lines = Vec::new();
        for how in [How::Link, How::Paper] {
            for confirmed in [Confirmed::ByCode, Confirmed::NotAsked, Confirmed::No] {
                lines.push(Given { how, link: None, from: "sam".into(), confirmed }.in_words(&roster));
            }
        }
        expect![[r#"
            by the one-time link for Sam Ortiz, with the code that was handed over apart from it
            by the one-time link for Sam Ortiz
            by the one-time link for Sam Ortiz, NOT CONFIRMED: without the code that was handed over apart from it
            typed in from paper of Sam Ortiz, with the code of the form; the signed sheet shows whose it is
            typed in from paper of Sam Ortiz, NOT CONFIRMED: without the code of a form
            typed in from paper of Sam Ortiz, NOT CONFIRMED: without the code of a form"#]]
        .assert_eq(&lines.join("\n"));
    }
}
