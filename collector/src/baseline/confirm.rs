//! Confirming a proposal: the roster's text with one block more, read again as a whole.

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Proposal;
use crate::roster::{Roster, RosterError};

/// Who confirms, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// Id of the person.
    pub by: &'a str,
    /// How the person showed who they are.
    pub proof: &'a str,
    /// Today.
    pub on: Date,
    /// Last day on which the job counts.
    pub until: Option<Date>,
}

/// A proposal that was not confirmed; nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// The person is not in the roster.
    #[error("nobody in the roster has the id `{by}`; `--by` names a person of the roster in force")]
    Unknown {
        /// Whom the request names.
        by: String,
    },
    /// The end lies before today.
    #[error("`{until}` is over; give a day to come, or leave `until` out")]
    Over {
        /// The day.
        until: Date,
    },
    /// The block cannot be written.
    #[error("the proposal cannot be written as a job")]
    Write(#[from] toml::ser::Error),
    /// The roster with the block is not one.
    #[error("the roster in force cannot take the job")]
    Roster(#[from] RosterError),
}

/// A roster with the job in it.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The roster.
    pub roster: Roster,
    /// Body of the act that brings it into force.
    pub body: Value,
}

/// The roster that holds the proposed job. Whose word `by` is has to be proved before.
pub fn confirm(
    text: &str,
    proposal: &Proposal,
    confirmation: Confirmation<'_>,
) -> Result<Confirmed, ConfirmError> {
    let Confirmation { by, proof, on, until } = confirmation;
    if Roster::parse(text)?.person(by).is_none() {
        return Err(ConfirmError::Unknown { by: by.to_owned() });
    }
    if let Some(until) = until.filter(|until| *until < on) {
        return Err(ConfirmError::Over { until });
    }
    let block = proposal.to_job_toml(by, on, until)?;
    let text = format!("{}\n\n{block}", text.trim_end());
    let roster = Roster::parse(&text)?;
    let because = format!("confirmed proposal {}: {}", proposal.id, proposal.sentence);
    let body =
        json!({"text": text, "version": roster.version(), "by": by, "proof": proof, "because": because});
    Ok(Confirmed { roster, body })
}
