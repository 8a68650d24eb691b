//! How a finding grows with each access: counts, times, reasons, signals, within bounds.

use ntk_evidence::event::Confidence;

use super::aggregate::Key;
use super::severity::{is_break_glass, severity};
use super::{CANDIDATES_MAX, Deed, Finding, NUMBERS_MAX, SIGNALS_MAX, Severity, Way, wording};
use crate::need_to_know::{Access, Asset, Decision, Judgement, Who};
use crate::signal::{Signal, SignalKind, Weight};

/// One judged access with everything that stands beside it.
pub(super) struct Seen<'a> {
    pub(super) access: &'a Access<'a>,
    pub(super) decision: &'a Decision,
    pub(super) who: &'a Who,
    pub(super) asset: &'a Asset,
    pub(super) signals: &'a [Signal],
    pub(super) candidates: &'a [String],
}

impl Seen<'_> {
    /// Whether this is worth a finding of its own.
    pub(super) fn opens(&self) -> bool {
        match self.decision.outcome {
            Judgement::Unexplained | Judgement::Never => true,
            Judgement::Explained => {
                self.signals.iter().any(|signal| signal.weight == Weight::Raise)
                    || self.decision.reasons.iter().any(|reason| is_break_glass(&reason.rule))
            }
            Judgement::NotJudged => false,
        }
    }
}

impl Finding {
    /// A finding of this one access, whether or not it is worth one: the story of an incident shows
    /// explained accesses too.
    pub(super) fn of_one(access: &Access<'_>, decision: &Decision) -> Option<Self> {
        let (who, asset) = (decision.who.as_ref()?, decision.asset.as_ref()?);
        let key = Key::new(access, decision.outcome, who, asset);
        Some(Self::begin(&Seen { access, decision, who, asset, signals: &[], candidates: &[] }, &key))
    }

    /// Counts one more access of the same kind in.
    pub(super) fn take(&mut self, access: &Access<'_>, decision: &Decision) {
        if let (Some(who), Some(asset)) = (&decision.who, &decision.asset) {
            self.add(&Seen { access, decision, who, asset, signals: &[], candidates: &[] });
        }
    }

    pub(super) fn begin(seen: &Seen<'_>, key: &Key) -> Self {
        let Seen { access, decision, who, asset, .. } = seen;
        let mut finding = Self {
            id: key.finding_id(access.number),
            outcome: decision.outcome,
            author: access.author.to_owned(),
            host: access.host.to_owned(),
            first_number: access.number,
            last_number: access.number,
            numbers: Vec::new(),
            n_entries: 0,
            n_accesses: 0,
            first_time: access.local.map(|local| local.at),
            last_time: None,
            person: who.person.clone(),
            account: who.account.clone(),
            holder: who.holder.clone(),
            is_verified: who.is_verified,
            asset: (*asset).clone(),
            session: key.session,
            way: Way::of(access),
            deeds: Vec::new(),
            reasons: Vec::new(),
            would_explain: Vec::new(),
            innocent_causes: Vec::new(),
            severity: Severity::default(),
            signals: Vec::new(),
            candidates: Vec::new(),
            confidence: None,
            recorded: key.recorded,
            policy_hash: decision.policy_hash.clone(),
            roster_version: decision.roster_version.clone(),
        };
        finding.add(seen);
        finding
    }

    pub(super) fn add(&mut self, seen: &Seen<'_>) {
        let Seen { access, decision, signals, candidates, .. } = seen;
        self.last_number = self.last_number.max(access.number);
        self.n_entries = self.n_entries.saturating_add(1);
        self.n_accesses = self.n_accesses.saturating_add(access.n_accesses());
        if self.numbers.len() < NUMBERS_MAX {
            self.numbers.push(access.number);
        }
        let at = access.local.map(|local| local.at);
        self.first_time = self.first_time.into_iter().chain(at).min();
        self.last_time = self.last_time.max(access.last());
        let n_kinds = self.deeds.len();
        self.count(access);
        let mut is_of_a_new_kind = self.deeds.len() > n_kinds;
        for reason in &decision.reasons {
            if !self.reasons.contains(reason) {
                self.reasons.push(reason.clone());
            }
        }
        for remedy in &decision.would_explain {
            if !self.would_explain.contains(remedy) {
                self.would_explain.push(remedy.clone());
            }
        }
        for signal in *signals {
            is_of_a_new_kind |= self.take_signal(signal);
        }
        for candidate in *candidates {
            if self.candidates.len() < CANDIDATES_MAX && !self.candidates.contains(candidate) {
                self.candidates.push(candidate.clone());
            }
        }
        let confidence = access.event.actor.as_ref().and_then(|actor| actor.confidence.clone());
        if weakness(confidence.as_ref()) > weakness(self.confidence.as_ref()) || self.n_entries == 1 {
            self.confidence = confidence;
        }
        if is_of_a_new_kind {
            self.innocent_causes = wording::innocent_causes(self);
        }
        self.severity = severity(self);
    }

    /// Takes a signal once, and says whether it did; where there is no more room, one that asks for a look takes
    /// the place of one that does not.
    fn take_signal(&mut self, signal: &Signal) -> bool {
        if let Some(have) = self.signals.iter_mut().find(|have| is_same(have, signal)) {
            have.weight = have.weight.max(signal.weight);
            return false;
        }
        if self.signals.len() >= SIGNALS_MAX {
            let note = self.signals.iter().rposition(|have| have.weight < signal.weight);
            let Some(note) = note else { return false };
            self.signals.remove(note);
        }
        self.signals.push(signal.clone());
        true
    }

    fn count(&mut self, access: &Access<'_>) {
        let (action, outcome) = (&access.event.action, &access.event.outcome);
        let count = access.n_accesses();
        match self.deeds.iter_mut().find(|deed| deed.action == *action && deed.outcome == *outcome) {
            Some(deed) => deed.count = deed.count.saturating_add(count),
            None => {
                self.deeds.push(Deed { action: action.clone(), outcome: outcome.clone(), count });
                self.deeds
                    .sort_by(|one, other| (&one.action, &one.outcome).cmp(&(&other.action, &other.outcome)));
            }
        }
    }
}

/// Whether two signals say the same. How long ago rights or a password were changed differs with each access of a session:
/// the first of them says it, and the others would crowd out what else is unusual.
fn is_same(one: &Signal, other: &Signal) -> bool {
    let what = |signal: &Signal| match signal.kind {
        SignalKind::AfterRightsChange | SignalKind::AfterReset => {
            signal.sentence.split_once(" before, ").map(|(_, by)| by.to_owned())
        }
        _ => None,
    };
    one.kind == other.kind
        && (one.sentence == other.sentence || (what(one).is_some() && what(one) == what(other)))
}

fn weakness(confidence: Option<&Confidence>) -> u8 {
    match confidence {
        Some(Confidence::Kernel) => 0,
        Some(Confidence::Derived) => 1,
        None | Some(Confidence::Other(_)) => 2,
        Some(Confidence::Unattributed) => 3,
    }
}
