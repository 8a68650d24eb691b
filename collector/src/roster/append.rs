//! Additions to a roster: a block at the end of the text, and the whole read again before it counts.
//!
//! Nothing is rewritten or removed, so the text itself shows what was said later.

use jiff::civil::Date;

use super::raw::{Blocks, RawAcknowledgement, RawLeave, RawPerson};
use super::{Proposal, Roster, RosterError};

/// One addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addition {
    /// Somebody who was not listed.
    Person {
        /// Short name that never changes.
        id: String,
        /// Name as people say it.
        name: String,
        /// Rows of the table that apply.
        roles: Vec<String>,
    },
    /// From this day on nothing of the person's is used any more.
    Leave {
        /// Id of the person.
        person: String,
        /// First such day.
        on: Date,
        /// Day since which it is known.
        notice_given: Option<Date>,
    },
    /// Earlier leave blocks of the person count no more.
    LeaveWithdrawn {
        /// Id of the person.
        person: String,
    },
    /// A person has read a notice.
    Acknowledgement {
        /// Id of the person.
        person: String,
        /// Id of the notice.
        notice: String,
        /// Its version.
        version: String,
        /// Day.
        on: Date,
    },
    /// An account that was seen has a holder, or several who share it.
    Account {
        /// The account as it was seen.
        proposal: Box<Proposal>,
        /// Ids of the holders.
        holders: Vec<String>,
        /// Day of the confirmation.
        confirmed_on: Date,
    },
}

/// A roster's text with one more block, and the roster that it says.
pub fn append(text: &str, addition: &Addition) -> Result<(String, Roster), RosterError> {
    let block = block(addition).map_err(|error| RosterError::Toml { message: error.to_string() })?;
    let between = match text {
        "" => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let text = format!("{text}{between}{block}");
    let roster = Roster::parse(&text)?;
    Ok((text, roster))
}

fn block(addition: &Addition) -> Result<String, toml::ser::Error> {
    match addition.clone() {
        Addition::Person { id, name, roles } => {
            let person = RawPerson { id, name, roles, ..RawPerson::default() };
            Blocks { person: vec![person], ..Blocks::default() }.to_toml()
        }
        Addition::Leave { person, on, notice_given } => {
            let notice_given = notice_given.map(|day| day.to_string());
            let leave = RawLeave { person, on: Some(on.to_string()), notice_given, withdrawn: None };
            Blocks { leave: vec![leave], ..Blocks::default() }.to_toml()
        }
        Addition::LeaveWithdrawn { person } => {
            let leave = RawLeave { person, withdrawn: Some(true), ..RawLeave::default() };
            Blocks { leave: vec![leave], ..Blocks::default() }.to_toml()
        }
        Addition::Acknowledgement { person, notice, version, on } => {
            let said = RawAcknowledgement { person, notice, version, on: on.to_string() };
            Blocks { acknowledgement: vec![said], ..Blocks::default() }.to_toml()
        }
        Addition::Account { proposal, holders, confirmed_on } => proposal.block(&holders, Some(confirmed_on)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const EXAMPLE: &str = include_str!("../../templates/roster-example.toml");

    #[test]
    fn what_stood_before_stays_byte_for_byte_and_the_last_word_counts() {
        let leave = |on| Addition::Leave { person: "sam".into(), on, notice_given: Some(date(2026, 11, 1)) };
        let (first, roster) = append(EXAMPLE, &leave(date(2026, 12, 1))).unwrap();
        assert!(first.starts_with(EXAMPLE));
        assert_eq!(roster.leave_of("sam"), Some(date(2026, 12, 1)));
        assert_eq!(roster.notice_of("sam"), Some(date(2026, 11, 1)));
        let (second, roster) = append(&first, &leave(date(2026, 12, 24))).unwrap();
        assert!(second.starts_with(&first));
        assert_eq!(roster.leave_of("sam"), Some(date(2026, 12, 24)));
        let (third, roster) = append(&second, &Addition::LeaveWithdrawn { person: "sam".into() }).unwrap();
        assert!(third.starts_with(&second));
        assert_eq!(roster.leave_of("sam"), None);
    }

    #[test]
    fn an_addition_that_cannot_be_changes_nothing_and_says_why() {
        let leave = Addition::Leave { person: "zoe".into(), on: date(2026, 12, 1), notice_given: None };
        let error = append(EXAMPLE, &leave).unwrap_err().to_string();
        assert!(error.contains("nobody in the roster has the id `zoe`"), "{error}");
        let said = Addition::Acknowledgement {
            person: "sam".into(),
            notice: "monitoring".into(),
            version: "1".into(),
            on: date(2026, 12, 1),
        };
        let error = append(EXAMPLE, &said).unwrap_err().to_string();
        assert!(error.contains("there is no [[notice]] with the id `monitoring`"), "{error}");
    }
}
