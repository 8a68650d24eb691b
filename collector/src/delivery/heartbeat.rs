//! Signs of life to a service outside, which tells the manager when none comes any more: after each review that was sent,
//! and at an interval. None comes while the collector cannot vouch for itself; then the service is told that, with a
//! reason, at `/fail` behind the address.

use ntk_evidence::time::Moment;

use crate::app::App;

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// All is well.
    Well,
    /// It is not, and why.
    Fail(String),
}

/// What is remembered of the last one, while the collector runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// When, and what it said.
    pub sent: Option<(Moment, Beat)>,
    /// When a review was last sent, at that time.
    pub report: Option<String>,
}

/// What is due now: pure.
pub fn next(
    every_seconds: i64,
    last: &Last,
    faults: &[String],
    report: Option<&str>,
    now: Moment,
) -> Option<Beat> {
    let beat = if faults.is_empty() { Beat::Well } else { Beat::Fail(faults.join(" ")) };
    let Some((at, before)) = &last.sent else { return Some(beat) };
    // A clock that was set back makes one due.
    let is_recent = *at <= now && now < at.plus_seconds(every_seconds);
    let is_news =
        *before != beat || (beat == Beat::Well && report.is_some() && last.report.as_deref() != report);
    (!is_recent || is_news).then_some(beat)
}

/// Why the collector cannot vouch for what it keeps, one plain sentence each; names nobody and no machine.
pub fn faults(app: &App) -> Vec<String> {
    let mut found = Vec::new();
    let registry = app.ledger.published().registry;
    if let Some(checked) = &registry.checked {
        let hours = i64::from(app.practice.current().raw.self_check_hours);
        let at = Moment::parse(&checked.time);
        if !checked.passed {
            found.push("The ledger’s check of itself did not pass.".to_owned());
        } else if at.is_some_and(|at| {
            at.plus_seconds((hours.saturating_mul(2) + 24).saturating_mul(3600)) < app.ledger.clock().now()
        }) {
            found.push("The ledger has not checked itself for more than two days.".to_owned());
        }
    }
    if !app.lookup.reached().1 {
        found.push(
            "The collector stopped evaluating what computers send; it has to be started again.".to_owned(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_comes_at_the_interval_after_each_review_and_when_something_changes() {
        let at = |second: i64| Moment::from_unix_seconds(1_795_000_000 + second).unwrap();
        let broken = ["The ledger’s check of itself did not pass.".to_owned()];
        assert_eq!(next(60, &Last::default(), &[], None, at(0)), Some(Beat::Well));
        let last = Last { sent: Some((at(0), Beat::Well)), report: None };
        assert_eq!(next(60, &last, &[], None, at(59)), None);
        assert_eq!(next(60, &last, &[], None, at(60)), Some(Beat::Well));
        assert_eq!(next(60, &last, &[], Some("2026-11-23T12:00:00Z"), at(1)), Some(Beat::Well));
        assert_eq!(next(60, &last, &broken, None, at(1)), Some(Beat::Fail(broken[0].clone())));
        let failed = Last { sent: Some((at(1), Beat::Fail(broken[0].clone()))), report: None };
        assert_eq!(next(60, &failed, &broken, None, at(2)), None);
        assert_eq!(next(60, &failed, &[], None, at(2)), Some(Beat::Well));
        assert_eq!(next(60, &last, &[], None, at(-5)), Some(Beat::Well), "the clock was set back");
    }
}
