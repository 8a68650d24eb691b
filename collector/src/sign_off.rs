//! Weekly reviews after they were made: who opened which, and who signed it off.
//!
//! A sign-off says that a person has gone through a week's review (45 CFR 164.308(a)(1)(ii)(D), information system
//! activity review). It is an act with a passphrase, never taken back; a second person may sign the same week too.
//! What is kept here is made of acts alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::week::Week;

/// The longest remark, letters.
pub const NOTE_MAX: usize = 500;

/// Who did what when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Id of the person.
    pub by: String,
    /// RFC 3339.
    pub time: String,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was done with one week's review.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// Who signed it off, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Mark>,
    /// Who opened it: each person once, with the last time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<Mark>,
}

/// All weeks, by name: `2026-W47`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reviews(BTreeMap<String, Reviewed>);

impl Reviews {
    /// Whether nobody opened or signed any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One week's.
    pub fn of(&self, week: &str) -> Option<&Reviewed> {
        self.0.get(week)
    }

    /// Takes in a sign-off.
    pub fn signed(&mut self, body: &Value, time: &str) {
        if let Some((week, mark)) = read(body, time) {
            self.0.entry(week).or_default().signed.push(mark);
        }
    }

    /// Takes in that a review was opened.
    pub fn opened(&mut self, body: &Value, time: &str) {
        if let Some((week, mark)) = read(body, time) {
            let opened = &mut self.0.entry(week).or_default().opened;
            opened.retain(|before| before.by != mark.by);
            opened.push(mark);
        }
    }
}

fn read(body: &Value, time: &str) -> Option<(String, Mark)> {
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((text("week")?, Mark { by: text("by")?, time: time.to_owned(), note: text("note") }))
}

/// A sign-off was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignOffFault {
    /// The week is not over.
    #[error("week {0} is not over; its review can be signed off from {1} on")]
    NotOver(String, String),
    /// There is nothing to sign.
    #[error("there is no review of week {0} yet; make it with `ntk-collector report --week {0} --out DIR`")]
    NotMade(String),
    /// It was signed.
    #[error("`{0}` has signed off week {1} already")]
    Signed(String, String),
    /// The remark.
    #[error("a remark has at most {NOTE_MAX} letters and no control characters")]
    Note,
}

/// Whether a person may sign off a week's review now.
pub fn check(
    (week, by, note): (Week, &str, Option<&str>),
    before: Option<&Reviewed>,
    is_made: bool,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), SignOffFault> {
    let (_, end) = week.bounds(zone);
    if now < end {
        let from = end.to_zoned(zone.clone()).strftime("%A %-d %B").to_string();
        return Err(SignOffFault::NotOver(week.to_string(), from));
    }
    if !is_made {
        return Err(SignOffFault::NotMade(week.to_string()));
    }
    if before.is_some_and(|before| before.signed.iter().any(|mark| mark.by == by)) {
        return Err(SignOffFault::Signed(by.to_owned(), week.to_string()));
    }
    if note.is_some_and(|note| note.chars().count() > NOTE_MAX || note.chars().any(char::is_control)) {
        return Err(SignOffFault::Note);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_week_that_is_over_and_has_a_review_is_signed_once_by_each() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let week = Week::parse("2026-W47").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (sunday, monday) = (at("2026-11-23T04:59:59Z"), at("2026-11-23T05:00:00Z"));
        let mut reviews = Reviews::default();
        let may = |reviews: &Reviews, by: &str, is_made, now| {
            check((week, by, None), reviews.of("2026-W47"), is_made, now, &zone)
        };
        let early = may(&reviews, "mary", true, sunday).unwrap_err();
        assert_eq!(early, SignOffFault::NotOver("2026-W47".into(), "Monday 23 November".into()));
        assert!(matches!(may(&reviews, "mary", false, monday), Err(SignOffFault::NotMade(_))));
        assert_eq!(may(&reviews, "mary", true, monday), Ok(()));
        reviews.signed(&json!({"week": "2026-W47", "by": "mary"}), "2026-11-23T12:00:00Z");
        assert!(matches!(may(&reviews, "mary", true, monday), Err(SignOffFault::Signed(..))));
        assert_eq!(may(&reviews, "chen", true, monday), Ok(()));
        let long = "x".repeat(NOTE_MAX + 1);
        for note in [long.as_str(), "a\nb"] {
            let wrong = check((week, "chen", Some(note)), None, true, monday, &zone);
            assert_eq!(wrong, Err(SignOffFault::Note));
        }
        for _ in 0..3 {
            reviews.opened(&json!({"week": "2026-W47", "by": "chen"}), "2026-11-24T12:00:00Z");
        }
        let of = reviews.of("2026-W47").unwrap();
        assert_eq!((of.signed.len(), of.opened.len()), (1, 1));
        reviews.signed(&json!({"by": 7}), "2026-11-24T12:00:00Z");
        assert!(reviews.of("2026-W48").is_none());
    }
}
