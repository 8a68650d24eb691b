//! From decisions to findings: one step when a finding opens, one when its window closes. No I/O, no clock.
//!
//! # After a crash
//! The ledger holds the steps; the counts between two steps are gone. [`Findings::resume`] takes the steps of
//! the ledger, and the accesses after [`Findings::resume_from`] are observed again. What a step already
//! covers is skipped by its number, so that nothing is counted or opened twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::Kind;
use sha2::{Digest, Sha256};

use super::gather::Seen;
use super::{ClosedBecause, Finding, FindingStep};
use crate::need_to_know::{Access, Asset, Decision, Judgement, Who};
use crate::policy::Area;
use crate::signal::Signal;

/// Minutes of event time without another access after which a finding is complete.
pub const QUIET_AFTER_MINUTES: i64 = 30;

/// What makes two accesses one finding. Signals are no part of it: they come and go within one session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    author: String,
    host: String,
    person: String,
    asset: (Area, Option<String>),
    pub(super) session: Option<u64>,
    outcome: Judgement,
    pub(super) recorded: bool,
}

/// Open findings of every author, and what is already in the ledger.
///
/// An access costs what its own author has open, an `advance` what grew since the one before: a thousand machines
/// with something open cost the others nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// By author.
    open: BTreeMap<String, BTreeMap<Key, Finding>>,
    /// Last number that a step of the ledger covers, per key; only of the steps given to `resume`.
    covered: BTreeMap<Key, u64>,
    /// Begun or grown since the last `advance`.
    grown: BTreeSet<Key>,
    /// The first `advance` that saw an open finding as it is.
    unchanged: BTreeMap<Key, Timestamp>,
    /// The same from the other side, oldest first.
    quiet: BTreeSet<(Timestamp, Key)>,
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
                FindingStep::Opened { finding } => findings.put(key, finding),
                FindingStep::Closed { .. } => {
                    findings.take(&key);
                }
            }
        }
        findings
    }

    /// The number of this author from which accesses have to be observed again after [`Findings::resume`].
    pub fn resume_from(&self, author: &str) -> u64 {
        let open = self.of(author).map(|(_, finding)| finding.last_number);
        if let Some(oldest) = open.min() {
            return oldest.saturating_add(1);
        }
        let covered = self.covered.iter().filter(|(key, _)| key.author == author);
        covered.map(|(_, number)| number.saturating_add(1)).max().unwrap_or(0)
    }

    /// The findings whose windows are open.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.open.values().flat_map(BTreeMap::values)
    }

    /// Those of them that began or grew since the last [`Findings::advance`].
    pub fn grown(&self) -> impl Iterator<Item = &Finding> {
        self.grown.iter().filter_map(|key| self.open.get(&key.author)?.get(key))
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
        for key in std::mem::take(&mut self.grown) {
            if let Some(before) = self.unchanged.insert(key.clone(), now) {
                self.quiet.remove(&(before, key.clone()));
            }
            self.quiet.insert((now, key));
        }
        let quiet = SignedDuration::from_mins(QUIET_AFTER_MINUTES);
        let mut over = BTreeSet::new();
        while let Some((since, _)) = self.quiet.first()
            && now.duration_since(*since) >= quiet
            && let Some((_, key)) = self.quiet.pop_first()
        {
            over.insert(key);
        }
        self.close_keys(&over, ClosedBecause::Quiet)
    }

    /// Closes everything: the day ends.
    pub fn end_day(&mut self) -> Vec<FindingStep> {
        let all = self.open.values().flat_map(BTreeMap::keys).cloned().collect();
        self.close_keys(&all, ClosedBecause::DayEnded)
    }

    fn add(&mut self, seen: &Seen<'_>) -> Option<FindingStep> {
        if seen.decision.outcome == Judgement::NotJudged {
            return None;
        }
        let key = Key::new(seen.access, seen.decision.outcome, seen.who, seen.asset);
        if self.covered.get(&key).is_some_and(|through| seen.access.number <= *through) {
            return None;
        }
        if let Some(finding) = self.open.get_mut(&key.author).and_then(|open| open.get_mut(&key)) {
            finding.add(seen);
            self.grown.insert(key);
            return None;
        }
        if !seen.opens() {
            return None;
        }
        let finding = Finding::begin(seen, &key);
        self.put(key, finding.clone());
        Some(FindingStep::Opened { finding })
    }

    fn put(&mut self, key: Key, finding: Finding) {
        self.grown.insert(key.clone());
        self.open.entry(key.author.clone()).or_default().insert(key, finding);
    }

    fn take(&mut self, key: &Key) -> Option<Finding> {
        let open = self.open.get_mut(&key.author)?;
        let finding = open.remove(key);
        if open.is_empty() {
            self.open.remove(&key.author);
        }
        self.grown.remove(key);
        if let Some(since) = self.unchanged.remove(key) {
            self.quiet.remove(&(since, key.clone()));
        }
        finding
    }

    fn of(&self, author: &str) -> impl Iterator<Item = (&Key, &Finding)> {
        self.open.get(author).into_iter().flatten()
    }

    /// The event time of an author closes this author's windows only: clocks of machines differ.
    fn close_quiet(&mut self, access: &Access<'_>) -> Vec<FindingStep> {
        let Some(local) = access.local else { return Vec::new() };
        self.close(access.author, ClosedBecause::Quiet, |finding| {
            finding.last_number < access.number && is_quiet(finding, local.at)
        })
    }

    fn close_session(&mut self, access: &Access<'_>) -> Vec<FindingStep> {
        let session = access.event.actor.as_ref().and_then(|actor| actor.session);
        self.close(access.author, ClosedBecause::SessionEnded, |finding| {
            let is_later = finding.last_number < access.number;
            session.is_some() && finding.host == access.host && is_later && finding.session == session
        })
    }

    fn close(
        &mut self,
        author: &str,
        because: ClosedBecause,
        is_over: impl Fn(&Finding) -> bool,
    ) -> Vec<FindingStep> {
        let over: BTreeSet<Key> =
            self.of(author).filter(|(_, finding)| is_over(finding)).map(|(key, _)| key.clone()).collect();
        self.close_keys(&over, because)
    }

    fn close_keys(&mut self, over: &BTreeSet<Key>, because: ClosedBecause) -> Vec<FindingStep> {
        let mut closed: Vec<Finding> = over.iter().filter_map(|key| self.take(key)).collect();
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

impl Key {
    pub(super) fn new(access: &Access<'_>, outcome: Judgement, who: &Who, asset: &Asset) -> Self {
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
    pub(super) fn finding_id(&self, first_number: u64) -> String {
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

#[cfg(test)]
mod tests;
