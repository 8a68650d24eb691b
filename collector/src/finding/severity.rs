//! How soon somebody should look: one pure function over a finding as it stands.

use ntk_evidence::event::TamperKind;

use super::{Finding, Severity};
use crate::need_to_know::Judgement;
use crate::policy::Area;
use crate::signal::{SignalKind, Weight};

/// So many refused attempts are an ordinary slip.
const FEW_ATTEMPTS: u64 = 5;

/// Weighs a finding by what was reached, what the table says of it, and what is unusual about it.
pub fn severity(finding: &Finding) -> Severity {
    if finding.asset.area == Area::Recording && finding.outcome != Judgement::Explained {
        return of_the_recording(finding);
    }
    match finding.outcome {
        Judgement::Never if finding.has_left() || finding.is_raised() => Severity::Urgent,
        Judgement::Never => Severity::High,
        _ if finding.is_verified && finding.has_left() => Severity::Urgent,
        _ if is_much_of_others_mail(finding) => Severity::High,
        Judgement::Explained if finding.is_break_glass() && is_confidential(finding.asset.area) => {
            Severity::High
        }
        Judgement::Explained if finding.is_break_glass() || finding.is_raised() => Severity::Normal,
        Judgement::Explained | Judgement::NotJudged => Severity::Low,
        Judgement::Unexplained if !finding.is_raised() && is_slight(finding) => Severity::Low,
        Judgement::Unexplained => Severity::Normal,
    }
}

fn of_the_recording(finding: &Finding) -> Severity {
    match finding.way.tamper {
        _ if finding.account.is_some() => Severity::Urgent,
        Some(TamperKind::LoginUidChanged | TamperKind::AuditDisabled | TamperKind::LogCleared) => {
            Severity::High
        }
        // Rules are loaded and agents are ended at every start of a machine.
        _ => Severity::Normal,
    }
}

fn is_much_of_others_mail(finding: &Finding) -> bool {
    let is_much =
        |signal: &crate::signal::Signal| matches!(signal.kind, SignalKind::Bulk | SignalKind::Volume);
    matches!(finding.asset.area, Area::Mailbox | Area::ManagersMailbox) && finding.signals.iter().any(is_much)
}

fn is_confidential(area: Area) -> bool {
    matches!(area.class(), Area::Mailbox | Area::Voicemail | Area::Hr)
}

/// A name that was only typed, a few refusals, or somebody at work at another hour.
fn is_slight(finding: &Finding) -> bool {
    let is_way_in = matches!(finding.asset.area, Area::Login | Area::Elevation);
    let is_few = finding.is_only_attempts() && finding.n_accesses <= FEW_ATTEMPTS;
    !finding.is_verified || is_few || (is_way_in && finding.person.is_some())
}

impl Finding {
    /// Whether something about it is a question even where a sentence of the table explains it.
    pub fn is_raised(&self) -> bool {
        self.signals.iter().any(|signal| signal.weight == Weight::Raise)
    }

    /// Whether it was done under break-glass.
    pub fn is_break_glass(&self) -> bool {
        self.outcome == Judgement::Explained && self.reasons.iter().any(|reason| is_break_glass(&reason.rule))
    }

    /// Whether the holder had left by then. An account that nobody has confirmed as somebody else's counts as
    /// theirs where it got in; what was refused to it is an ordinary question.
    pub fn has_left(&self) -> bool {
        let is_theirs = |rule: &str| rule == "left" || rule.starts_with("left:") && !self.is_only_attempts();
        self.reasons.iter().any(|reason| is_theirs(&reason.rule))
    }
}

/// Whether a reason's rule is a break-glass.
pub(super) fn is_break_glass(rule: &str) -> bool {
    rule.starts_with("break-glass:")
}

#[cfg(test)]
mod tests;
