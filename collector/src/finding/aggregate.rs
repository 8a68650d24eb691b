//! From decisions to findings: one step when a finding opens, one when its window closes. No I/O, no clock.
//!
//! # After a crash
//! The ledger holds the steps; the counts between two steps are gone. [`Findings::resume`] takes the steps of
//! the ledger, and the accesses after [`Findings::resume_from`] are observed again. What a step already
//! covers is skipped by its number, so that nothing is counted or opened twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::{Confidence, Kind};
use sha2::{Digest, Sha256};

use super::severity::{is_break_glass, severity};
use super::{
    CANDIDATES_MAX, ClosedBecause, Deed, Finding, FindingStep, NUMBERS_MAX, SIGNALS_MAX, Way, wording,
};
use crate::need_to_know::{Access, Asset, Decision, Judgement, Who};
use crate::policy::Area;
use crate::signal::{Signal, Weight};

/// Minutes of event time without another access after which a finding is complete.
pub const QUIET_AFTER_MINUTES: i64 = 30;

/// What makes two accesses one finding. Signals are no part of it: they come and go within one session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    author: String,
    host: String,
    person: String,
    asset: (Area, Option<String>),
    session: Option<u64>,
    outcome: Judgement,
    recorded: bool,
}

/// Open findings of every author, and what is already in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    open: BTreeMap<Key, Finding>,
    /// Last number that a step of the ledger covers, per key; only of the steps given to `resume`.
    covered: BTreeMap<Key, u64>,
    /// Per open finding: its last number at an `advance`, and the first `advance` that saw it so.
    unchanged: BTreeMap<Key, (u64, Timestamp)>,
    n_explained: u64,
}

impl Findings {
    /// Nothing open yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the steps of the ledger, oldest first: all of them, or those since the oldest finding still open.
    pub fn resume(steps: impl IntoIterator<Item = FindingStep>) -> Self {
        let mut findings = Self::default();
        for step in steps {
            let key = Key::of_finding(step.finding());
            findings.covered.insert(key.clone(), step.finding().last_number);
            match step {
                FindingStep::Opened { finding } => {
                    findings.open.insert(key, finding);
                }
                FindingStep::Closed { .. } => {
                    findings.open.remove(&key);
                }
            }
        }
        findings
    }

    /// The number of this author from which accesses have to be observed again after [`Findings::resume`].
    pub fn resume_from(&self, author: &str) -> u64 {
        let open = self.open.values().filter(|finding| finding.author == author);
        if let Some(oldest) = open.map(|finding| finding.last_number).min() {
            return oldest.saturating_add(1);
        }
        let covered = self.covered.iter().filter(|(key, _)| key.author == author);
        covered.map(|(_, number)| number.saturating_add(1)).max().unwrap_or(0)
    }

    /// The findings whose windows are open.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.open.values()
    }

    /// How many explained accesses were counted.
    pub fn n_explained(&self) -> u64 {
        self.n_explained
    }

    /// Takes in one access with its decision, what is unusual about it, and who could have been where nobody
    /// is named; entries of one author come in order of their numbers.
    ///
    /// An explained access is counted, and opens a finding only where a signal asks for a look or break-glass
    /// was used; once it is open, explained accesses that belong to it are added.
    pub fn observe(
        &mut self,
        access: &Access<'_>,
        decision: &Decision,
        signals: &[Signal],
        candidates: &[String],
    ) -> Vec<FindingStep> {
        let mut steps = self.close_quiet(access);
        if decision.outcome == Judgement::Explained {
            self.n_explained = self.n_explained.saturating_add(access.n_accesses());
        }
        if let (Some(who), Some(asset)) = (&decision.who, &decision.asset) {
            let seen = Seen { access, decision, who, asset, signals, candidates };
            steps.extend(self.add(&seen));
        }
        if access.event.kind == Kind::Logout {
            steps.extend(self.close_session(access));
        }
        steps
    }

    /// Closes what has got nothing more for [`QUIET_AFTER_MINUTES`] by the collector's own clock.
    ///
    /// This looks at when `advance` was called, not at event times: an agent that was offline sends yesterday's
    /// entries in many batches, and they are one finding all the same.
    pub fn advance(&mut self, now: Timestamp) -> Vec<FindingStep> {
        let mut unchanged = BTreeMap::new();
        for (key, finding) in &self.open {
            let since = match self.unchanged.get(key) {
                Some((number, since)) if *number == finding.last_number => *since,
                _ => now,
            };
            unchanged.insert(key.clone(), (finding.last_number, since));
        }
        let quiet = SignedDuration::from_mins(QUIET_AFTER_MINUTES);
        let over = unchanged.iter().filter(|(_, (_, since))| now.duration_since(*since) >= quiet);
        let over: BTreeSet<Key> = over.map(|(key, _)| key.clone()).collect();
        self.unchanged = unchanged;
        self.close_keys(&over, ClosedBecause::Quiet)
    }

    /// Closes everything: the day ends.
    pub fn end_day(&mut self) -> Vec<FindingStep> {
        self.close(ClosedBecause::DayEnded, |_| true)
    }

    fn add(&mut self, seen: &Seen<'_>) -> Option<FindingStep> {
        if seen.decision.outcome == Judgement::NotJudged {
            return None;
        }
        let key = Key::new(seen.access, seen.decision.outcome, seen.who, seen.asset);
        if self.covered.get(&key).is_some_and(|through| seen.access.number <= *through) {
            return None;
        }
        if let Some(finding) = self.open.get_mut(&key) {
            finding.add(seen);
            return None;
        }
        if !seen.opens() {
            return None;
        }
        let finding = Finding::begin(seen, &key);
        self.open.insert(key, finding.clone());
        Some(FindingStep::Opened { finding })
    }

    /// The event time of an author closes this author's windows only: clocks of machines differ.
    fn close_quiet(&mut self, access: &Access<'_>) -> Vec<FindingStep> {
        let Some(local) = access.local else { return Vec::new() };
        self.close(ClosedBecause::Quiet, |finding| {
            let is_later = finding.last_number < access.number;
            finding.author == access.author && is_later && is_quiet(finding, local.at)
        })
    }

    fn close_session(&mut self, access: &Access<'_>) -> Vec<FindingStep> {
        let session = access.event.actor.as_ref().and_then(|actor| actor.session);
        self.close(ClosedBecause::SessionEnded, |finding| {
            let is_later = finding.last_number < access.number;
            let is_same = finding.author == access.author && finding.host == access.host;
            session.is_some() && is_same && is_later && finding.session == session
        })
    }

    fn close(&mut self, because: ClosedBecause, is_over: impl Fn(&Finding) -> bool) -> Vec<FindingStep> {
        let over: BTreeSet<Key> =
            self.open.iter().filter(|(_, finding)| is_over(finding)).map(|(key, _)| key.clone()).collect();
        self.close_keys(&over, because)
    }

    fn close_keys(&mut self, over: &BTreeSet<Key>, because: ClosedBecause) -> Vec<FindingStep> {
        let mut closed: Vec<Finding> = over.iter().filter_map(|key| self.open.remove(key)).collect();
        closed.sort_by(|one, other| {
            (&one.author, one.first_number, &one.id).cmp(&(&other.author, other.first_number, &other.id))
        });
        closed.into_iter().map(|finding| FindingStep::Closed { finding, because }).collect()
    }
}

fn is_quiet(finding: &Finding, now: Timestamp) -> bool {
    let quiet = SignedDuration::from_mins(QUIET_AFTER_MINUTES);
    finding.last_time.is_some_and(|last| now.duration_since(last) >= quiet)
}

/// One judged access with everything that stands beside it.
struct Seen<'a> {
    access: &'a Access<'a>,
    decision: &'a Decision,
    who: &'a Who,
    asset: &'a Asset,
    signals: &'a [Signal],
    candidates: &'a [String],
}

impl Seen<'_> {
    /// Whether this is worth a finding of its own.
    fn opens(&self) -> bool {
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

impl Key {
    fn new(access: &Access<'_>, outcome: Judgement, who: &Who, asset: &Asset) -> Self {
        // Each login makes a session of its own: a hundred refused logins are still one question.
        let session = access.event.actor.as_ref().and_then(|actor| actor.session);
        Self {
            author: access.author.to_owned(),
            host: access.host.to_owned(),
            person: person_text(who.person.as_deref(), who.account.as_deref(), who.is_verified),
            asset: (asset.area, asset.owner.clone()),
            session: session.filter(|_| asset.area != Area::Login),
            outcome,
            recorded: access.is_recorded(),
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        Self {
            author: finding.author.clone(),
            host: finding.host.clone(),
            person: person_text(finding.person.as_deref(), finding.account.as_deref(), finding.is_verified),
            asset: (finding.asset.area, finding.asset.owner.clone()),
            session: finding.session,
            outcome: finding.outcome,
            recorded: finding.recorded,
        }
    }

    /// First 16 hex digits of SHA-256(author, first number, person, asset, session), joined by line feeds.
    fn finding_id(&self, first_number: u64) -> String {
        let (area, owner) = &self.asset;
        let session = self.session.map(|session| session.to_string()).unwrap_or_default();
        let text = format!(
            "{}\n{first_number}\n{}\n{area} {}\n{session}",
            self.author,
            self.person,
            owner.as_deref().unwrap_or_default()
        );
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn person_text(person: Option<&str>, account: Option<&str>, is_verified: bool) -> String {
    match (person, account) {
        (Some(person), _) => person.to_owned(),
        (None, Some(account)) if is_verified => format!("account {account}"),
        (None, Some(name)) => format!("typed {name}"),
        (None, None) if is_verified => "unattributed".to_owned(),
        (None, None) => "typed".to_owned(),
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

    fn begin(seen: &Seen<'_>, key: &Key) -> Self {
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
            severity: super::Severity::default(),
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

    fn add(&mut self, seen: &Seen<'_>) {
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
        if self.signals.iter().any(|have| have.kind == signal.kind && have.sentence == signal.sentence) {
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

fn weakness(confidence: Option<&Confidence>) -> u8 {
    match confidence {
        Some(Confidence::Kernel) => 0,
        Some(Confidence::Derived) => 1,
        None | Some(Confidence::Other(_)) => 2,
        Some(Confidence::Unattributed) => 3,
    }
}

#[cfg(test)]
mod tests;
