//! Explanations that hold for a while, and tickets that came late.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Choice, Step, StepRecord};
use crate::finding::{Finding, Severity};
use crate::need_to_know::{Judgement, moment};
use crate::policy::{Area, TicketTerms};
use crate::roster::Roster;
use crate::signal::{SignalKind, Weight};
use crate::ticket::{Fit, Need, Ticket};

/// A decision that explains the same of the same person for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Id of the finding that was decided.
    pub finding: String,
    /// Number of the act that decided it.
    pub number: u64,
    /// Id of the person.
    pub person: String,
    /// The area.
    pub area: Area,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Machine, where the asset has no owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// From when.
    #[serde(with = "moment")]
    pub from: Timestamp,
    /// Until when.
    #[serde(with = "moment")]
    pub until: Timestamp,
    /// Why.
    pub because: String,
    /// Id of the person who decided.
    pub by: String,
    /// What was unusual about what was decided; anything beyond that is not explained.
    pub raised: BTreeSet<SignalKind>,
    /// Whether the decided finding came from a recording.
    pub recorded: bool,
}

/// The explanations that decisions amount to. Only a finding's last decision counts: one that was taken back
/// explains nothing any more.
pub fn explanations<'a>(
    findings: impl IntoIterator<Item = (&'a Finding, &'a [StepRecord])>,
) -> Vec<Explanation> {
    findings.into_iter().filter_map(|(finding, steps)| explanation(finding, steps)).collect()
}

fn explanation(finding: &Finding, steps: &[StepRecord]) -> Option<Explanation> {
    let last = steps.iter().rev().find(|record| matches!(record.step, Step::Decided { .. }))?;
    let Step::Decided { decision: Choice::Expected, because, until: Some(until), by, .. } = &last.step else {
        return None;
    };
    if !can_be_explained_ahead(finding) {
        return None;
    }
    Some(Explanation {
        finding: finding.id.clone(),
        number: last.number,
        person: finding.person.clone()?,
        area: finding.asset.area,
        owner: finding.asset.owner.clone(),
        host: host_of_asset(finding),
        from: last.at,
        until: *until,
        because: because.clone(),
        by: by.clone(),
        raised: raised(finding),
        recorded: finding.recorded,
    })
}

/// The explanation that covers a finding, if one does.
pub fn covered_by<'e>(finding: &Finding, explanations: &'e [Explanation]) -> Option<&'e Explanation> {
    if !can_be_explained_ahead(finding) || finding.severity > Severity::Normal {
        return None;
    }
    let (first, last) = (finding.first_time?, finding.last_time.max(finding.first_time)?);
    let unusual = raised(finding);
    explanations.iter().find(|explanation| {
        finding.person.as_ref() == Some(&explanation.person)
            && finding.asset.area == explanation.area
            && finding.asset.owner == explanation.owner
            && host_of_asset(finding) == explanation.host
            && finding.recorded == explanation.recorded
            && first > explanation.from
            && last <= explanation.until
            && unusual.is_subset(&explanation.raised)
    })
}

fn can_be_explained_ahead(finding: &Finding) -> bool {
    matches!(finding.outcome, Judgement::Unexplained | Judgement::Explained) && !finding.is_break_glass()
}

/// An asset without an owner is told apart by its machine.
fn host_of_asset(finding: &Finding) -> Option<String> {
    finding.asset.owner.is_none().then(|| finding.host.clone())
}

fn raised(finding: &Finding) -> BTreeSet<SignalKind> {
    let raising = finding.signals.iter().filter(|signal| signal.weight == Weight::Raise);
    raising.map(|signal| signal.kind).collect()
}

/// The ticket that would have covered an unexplained finding, had it been approved in time.
pub fn late_ticket<'t>(
    finding: &Finding,
    tickets: &'t [Ticket],
    roster: &Roster,
    terms: &TicketTerms,
) -> Option<&'t Ticket> {
    if finding.outcome != Judgement::Unexplained {
        return None;
    }
    let (person, first) = (roster.person(finding.person.as_deref()?)?, finding.first_time?);
    let owner = finding.asset.owner.as_deref();
    let owner_person = owner.and_then(|owner| roster.owner(&finding.host, owner));
    let need = |at: Option<Timestamp>| Need {
        person,
        roster,
        area: finding.asset.area,
        owners: [owner, owner_person.map(|person| person.id.as_str())],
        host: &finding.host,
        at,
    };
    tickets.iter().find(|ticket| {
        let is_late = ticket.approved_at.is_some_and(|approved| approved > first);
        // As if it had been approved in time: nothing else may stand against it.
        let in_time = Ticket { approved_at: None, ..(*ticket).clone() };
        let covers = |at| in_time.fit(need(at), terms) == Fit::Covers;
        is_late && covers(finding.first_time) && covers(finding.last_time.max(finding.first_time))
    })
}
