//! The question of a bundle as a form: what was typed, what is wrong with it, and the question that it asks.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;

use crate::admin::bundles::askable;
use crate::admin::requests::{Edge, moment};
use crate::export::Question;

/// How many days back the form begins.
const DAYS_BACK: i64 = 30;

/// What was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct QuestionForm {
    pub(in crate::console) case: String,
    /// Id of a person; everybody where empty.
    pub(in crate::console) person: String,
    /// An account that is in nobody's entry, in the place of a person.
    pub(in crate::console) account: String,
    pub(in crate::console) from: String,
    pub(in crate::console) to: String,
    /// `ehr, mailbox:mary`.
    pub(in crate::console) assets: String,
    pub(in crate::console) paths: String,
    pub(in crate::console) people: String,
    /// Renderings that are left out.
    pub(in crate::console) no_ocsf: String,
    pub(in crate::console) no_fhir: String,
}

/// Which field is wrong, and what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::console) struct Wrong {
    pub(in crate::console) field: &'static str,
    pub(in crate::console) sentence: String,
}

impl Wrong {
    pub(in crate::console) fn new(field: &'static str, sentence: impl Into<String>) -> Self {
        Self { field, sentence: sentence.into() }
    }

    /// Whether it is this field.
    pub(in crate::console) fn is(&self, field: &str) -> bool {
        !self.sentence.is_empty() && self.field == field
    }
}

impl QuestionForm {
    /// As it stands before anybody typed: everybody, the last month.
    pub(super) fn fresh(today: Date) -> Self {
        let from = today.checked_sub(DAYS_BACK.days()).unwrap_or(today);
        Self { from: from.to_string(), to: today.to_string(), ..Self::default() }
    }

    /// The question, in the practice's zone.
    pub(super) fn question(&self, zone: &TimeZone) -> Result<Question, Wrong> {
        let case = self.case.trim();
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if case.is_empty() || case.len() > 64 || !case.bytes().all(plain) {
            return Err(Wrong::new(
                "case",
                "Name the case with 1 to 64 letters, digits, - and _, such as C-2026-7.",
            ));
        }
        let day = |field, text: &str, edge| -> Result<Timestamp, Wrong> {
            moment(text.trim(), zone, edge).map_err(|_| {
                Wrong::new(field, "Write a day as 2026-11-20, or a day and time as 2026-11-20T18:30.")
            })
        };
        let (from, to) = (day("from", &self.from, Edge::Start)?, day("to", &self.to, Edge::End)?);
        if from > to {
            return Err(Wrong::new("to", "This day is before the first one."));
        }
        let (person, account) = (self.person.trim(), self.account.trim());
        if !person.is_empty() && !account.is_empty() {
            return Err(Wrong::new("account", "Choose a person or name an account, not both."));
        }
        let who = if person.is_empty() { account } else { person };
        let person = Some(who.to_owned()).filter(|who| !who.is_empty());
        if !self.people.is_empty() && person.is_none() {
            return Err(Wrong::new(
                "person",
                "To withhold what names other people, choose whom the bundle is about.",
            ));
        }
        let assets: Vec<String> =
            self.assets.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        let left_out = !self.no_ocsf.is_empty() || !self.no_fhir.is_empty();
        let wanted = [("ocsf", &self.no_ocsf), ("fhir", &self.no_fhir)];
        let wanted =
            wanted.into_iter().filter(|(_, without)| without.is_empty()).map(|(name, _)| name.to_owned());
        let question = Question {
            person,
            from,
            to,
            case: case.to_owned(),
            assets: Some(assets).filter(|assets| !assets.is_empty()),
            redact_paths: !self.paths.is_empty(),
            redact_people: !self.people.is_empty(),
            interchange: left_out.then(|| wanted.chain(["timesketch".to_owned()]).collect()),
        };
        // What is left that can be wrong is how assets are written.
        askable(&question).map_err(|failure| Wrong::new("assets", failure.sentence()))?;
        Ok(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(change: impl FnOnce(&mut QuestionForm)) -> Result<Question, Wrong> {
        let mut form = QuestionForm {
            case: "C-1".to_owned(),
            from: "2026-11-01".to_owned(),
            to: "2026-11-02".to_owned(),
            ..QuestionForm::default()
        };
        change(&mut form);
        form.question(&TimeZone::get("America/New_York").unwrap())
    }

    #[test]
    fn each_thing_that_is_wrong_is_said_at_its_field() {
        let check = |field: &str, change: fn(&mut QuestionForm)| {
            assert_eq!(form(change).unwrap_err().field, field);
        };
        check("case", |form| form.case = "our case".to_owned());
        check("case", |form| form.case = String::new());
        check("from", |form| form.from = "yesterday".to_owned());
        check("to", |form| form.to = "2026-10-01".to_owned());
        check("person", |form| form.people = "on".to_owned());
        check("account", |form| (form.person, form.account) = ("sam".to_owned(), "itadmin1".to_owned()));
        check("assets", |form| form.assets = "the mails of mary".to_owned());
    }

    #[test]
    fn days_are_those_of_the_practice_and_what_is_left_out_is_named() {
        let asked = form(|form| {
            form.assets = "ehr, mailbox:mary".to_owned();
            (form.no_fhir, form.paths) = ("on".to_owned(), "on".to_owned());
        });
        let asked = asked.unwrap();
        assert_eq!(asked.from.to_string(), "2026-11-01T04:00:00Z");
        assert_eq!(asked.to.to_string(), "2026-11-03T04:59:59.999999999Z");
        assert_eq!(asked.assets.unwrap(), ["ehr", "mailbox:mary"]);
        assert_eq!(asked.interchange.unwrap(), ["ocsf", "timesketch"]);
        assert!(asked.redact_paths && !asked.redact_people && asked.person.is_none());
        assert_eq!(form(|_| {}).unwrap().interchange, None);
    }
}
