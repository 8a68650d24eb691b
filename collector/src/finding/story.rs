//! The story of an incident: what its sessions did, from login to logout, in order, explained or not.
//!
//! Pure: [`Story::observe`] takes entries in the order of the ledger, [`Story::told`] gives at most
//! [`LINES_MAX`] lines. Each says what its record proves, in the words of [`super::wording`].

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ntk_evidence::event::{Action, Kind, Outcome};
use serde::{Deserialize, Serialize};

use super::way::file_name;
use super::{Finding, wording};
use crate::need_to_know::{Access, Decision, Judgement, moment};
use crate::report::text;
use crate::roster::account_text;

/// Lines that a story has at most.
pub const LINES_MAX: usize = 40;
/// How far before and after its findings a story looks.
pub const MARGIN: SignedDuration = SignedDuration::from_hours(12);

/// Lines that are kept while entries come; beyond them entries are only counted.
const KEPT_MAX: usize = 4000;
/// The same again is counted into one of so many lines before.
const LOOK_BACK: usize = 6;
/// Beyond this pause the same again is a line of its own.
const PAUSE: SignedDuration = SignedDuration::from_mins(30);

/// One line of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryLine {
    /// When it began, as the machine claims.
    #[serde(with = "moment::option")]
    pub at: Option<Timestamp>,
    /// The same in the practice's zone, in words.
    pub when: String,
    /// Machine.
    pub host: String,
    /// What the record proves.
    pub text: String,
    /// How many accesses.
    pub n_accesses: u64,
    /// What was decided; absent for what is no access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Judgement>,
    /// Whether it is part of a finding of the incident.
    pub is_of_finding: bool,
    /// Author of the entries.
    pub author: String,
    /// Number of the first entry.
    pub first_number: u64,
    /// Number of the last entry.
    pub last_number: u64,
}

/// A story as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The lines, in order of time.
    pub lines: Vec<StoryLine>,
    /// Entries that there was no room for.
    pub n_left_out: u64,
}

/// A story in the making.
#[derive(Clone, Debug)]
pub struct Story<'a> {
    findings: Vec<&'a Finding>,
    sessions: BTreeSet<(String, u64)>,
    hosts: BTreeSet<&'a str>,
    lines: Vec<Line>,
    n_left_out: u64,
}

#[derive(Clone, Debug)]
struct Line {
    key: LineKey,
    /// Counts and words where it was judged; the sentence where it was not.
    said: Said,
    at: Option<Timestamp>,
    last: Option<Timestamp>,
    author: String,
    first_number: u64,
    last_number: u64,
    n_accesses: u64,
    is_of_finding: bool,
    /// Accounts with a session open at the time, where the record names nobody and the machine listed them.
    open: BTreeSet<String>,
}

#[derive(Clone, Debug)]
enum Said {
    Judged(Box<Finding>),
    Plain(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct LineKey {
    host: String,
    session: Option<u64>,
    kind: Kind,
    action: Option<Action>,
    outcome: Option<Outcome>,
    judgement: Judgement,
    what: String,
}

impl<'a> Story<'a> {
    /// Of the findings of an incident.
    pub fn of(findings: Vec<&'a Finding>) -> Self {
        let session = |finding: &&Finding| Some((finding.host.clone(), finding.session?));
        Self {
            sessions: findings.iter().filter_map(session).collect(),
            hosts: findings.iter().map(|finding| finding.host.as_str()).collect(),
            findings,
            lines: Vec::new(),
            n_left_out: 0,
        }
    }

    /// The spans of time to read, nanoseconds since 1970; they do not overlap.
    pub fn spans(&self) -> Vec<(i64, i64)> {
        let nanos = |at: Timestamp| i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX);
        let margin = i64::try_from(MARGIN.as_nanos()).unwrap_or(0);
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for finding in &self.findings {
            let Some(first) = finding.first_time else { continue };
            let last = finding.last_time.unwrap_or(first);
            spans.push((nanos(first).saturating_sub(margin), nanos(last.max(first)).saturating_add(margin)));
        }
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// Takes in one entry; entries of one author come in order of their numbers.
    pub fn observe(&mut self, access: &Access<'_>, decision: &Decision) {
        let is_of_finding = self.findings.iter().any(|finding| belongs(finding, access, decision));
        let session = access.event.actor.as_ref().and_then(|actor| actor.session);
        let session = session.map(|session| (access.host.to_owned(), session));
        if let (true, Some(session)) = (is_of_finding, &session) {
            // A login's finding is of no session; what the session does afterwards belongs to the story.
            self.sessions.insert(session.clone());
        }
        let in_session = session.as_ref().is_some_and(|session| self.sessions.contains(session));
        // The recording matters to every session of its machine.
        let is_about_recording =
            matches!(access.event.kind, Kind::Tamper | Kind::Gap) && self.hosts.contains(access.host);
        if !(is_of_finding || in_session || is_about_recording) {
            return;
        }
        let Some(said) = said(access, decision) else { return };
        let what = match &said {
            Said::Judged(finding) => finding.asset.label.clone(),
            Said::Plain(text) => text.clone(),
        };
        let key = LineKey {
            host: access.host.to_owned(),
            session: session.map(|(_, session)| session),
            kind: access.event.kind.clone(),
            action: access.event.action.clone(),
            outcome: access.event.outcome.clone(),
            judgement: decision.outcome,
            what,
        };
        let at = access.local.map(|local| local.at);
        let same = self.lines.iter_mut().rev().take(LOOK_BACK).find(|line| {
            let is_near = match (line.last, at) {
                (Some(last), Some(at)) => at.duration_since(last).abs() <= PAUSE,
                _ => true,
            };
            is_near && line.key == key && line.author == access.author && line.is_of_finding == is_of_finding
        });
        if let Some(line) = same {
            line.take(access, decision);
        } else if self.lines.len() < KEPT_MAX {
            self.lines.push(Line {
                key,
                said,
                at,
                last: access.last(),
                author: access.author.to_owned(),
                first_number: access.number,
                last_number: access.number,
                n_accesses: access.n_accesses(),
                is_of_finding,
                open: open_at_the_time(access).collect(),
            });
        } else {
            self.n_left_out = self.n_left_out.saturating_add(1);
        }
    }

    /// The lines in order of time; where they are too many, the incident's own and the gravest stay.
    pub fn told(mut self, zone: &TimeZone) -> Told {
        let mut n_left_out = self.n_left_out;
        if self.lines.len() > LINES_MAX {
            self.lines.sort_by_key(|line| (line.rank(), line.at, line.first_number));
            let cut = self.lines.split_off(LINES_MAX);
            n_left_out = cut.iter().fold(n_left_out, |n, line| n.saturating_add(line.n_accesses));
        }
        self.lines.sort_by(|one, other| {
            (one.at.is_none(), one.at, &one.author, one.first_number).cmp(&(
                other.at.is_none(),
                other.at,
                &other.author,
                other.first_number,
            ))
        });
        Told { lines: self.lines.into_iter().map(|line| line.told(zone)).collect(), n_left_out }
    }
}

/// Whether an entry is one of those that a finding counts.
pub fn belongs(finding: &Finding, access: &Access<'_>, decision: &Decision) -> bool {
    let (Some(who), Some(asset)) = (&decision.who, &decision.asset) else { return false };
    let session = access.event.actor.as_ref().and_then(|actor| actor.session);
    finding.author == access.author
        && (finding.first_number..=finding.last_number).contains(&access.number)
        && (finding.person == who.person && (who.person.is_some() || finding.account == who.account))
        && (finding.asset.area, &finding.asset.owner) == (asset.area, &asset.owner)
        && (finding.session.is_none() || finding.session == session)
        && finding.outcome == decision.outcome
}

fn said(access: &Access<'_>, decision: &Decision) -> Option<Said> {
    if decision.outcome != Judgement::NotJudged {
        return Finding::of_one(access, decision).map(|finding| Said::Judged(Box::new(finding)));
    }
    let host = access.host;
    let account = access.event.actor.as_ref().and_then(account_text);
    let of_account = account.map(|account| format!(" of account {account}")).unwrap_or_default();
    let program = access.event.process.as_ref().and_then(|process| process.exe.as_deref()).map(file_name);
    let text = match access.event.kind {
        Kind::Logout => format!("A session{of_account} on {host} ended."),
        Kind::ProcessStart => {
            let program = program.unwrap_or_else(|| "whose name is not recorded".to_owned());
            match access.event.actor.as_ref().and_then(|actor| actor.tool.as_deref()) {
                Some(tool) if of_account.is_empty() => {
                    format!("The program {program} was started on {host} through {tool}.")
                }
                Some(tool) => {
                    format!(
                        "The program {program} was started on {host} through {tool}, in a session{of_account}."
                    )
                }
                None => format!("The program {program} was started on {host} in a session{of_account}."),
            }
        }
        Kind::AccountChange => {
            format!("Accounts or their rights were changed on {host} in a session{of_account}.")
        }
        Kind::Tamper => {
            let what = access.event.tamper.as_ref().map(|tamper| &tamper.what);
            let is_refused = access.event.outcome == Some(Outcome::Denied);
            format!("{}.", wording::recording(what, is_refused, host, ""))
        }
        Kind::Gap => format!("Records of {host} are missing here."),
        Kind::Login
        | Kind::Elevation
        | Kind::FileAccess
        | Kind::RemoteControl
        | Kind::Health
        | Kind::Inventory
        | Kind::Epoch
        | Kind::Commission
        | Kind::Other(_) => return None,
    };
    Some(Said::Plain(text))
}

/// The accounts whose sessions the machine listed as open.
fn open_at_the_time<'a>(access: &Access<'a>) -> impl Iterator<Item = String> + use<'a> {
    let candidates = access.event.actor.iter().flat_map(|actor| &actor.candidates);
    candidates.filter_map(|one| {
        let name = one.login_user.clone().or_else(|| one.login_uid.map(|uid| format!("uid {uid}")));
        name.map(|name| format!("account {name}"))
    })
}

impl Line {
    fn take(&mut self, access: &Access<'_>, decision: &Decision) {
        if let Said::Judged(finding) = &mut self.said {
            finding.take(access, decision);
        }
        self.n_accesses = self.n_accesses.saturating_add(access.n_accesses());
        self.last_number = self.last_number.max(access.number);
        self.last = self.last.max(access.last());
        self.open.extend(open_at_the_time(access));
    }

    /// Which lines stay where there are too many.
    fn rank(&self) -> u8 {
        match (self.is_of_finding, &self.key.kind) {
            (true, _) => 0,
            (false, Kind::Tamper | Kind::Gap) => 1,
            (
                false,
                Kind::Login | Kind::Logout | Kind::Elevation | Kind::RemoteControl | Kind::AccountChange,
            ) => 2,
            _ => 3,
        }
    }

    fn told(self, zone: &TimeZone) -> StoryLine {
        let when = match (self.at, self.last) {
            (Some(first), Some(last)) => text::period(first, last, zone),
            (Some(at), None) => text::moment(at, zone),
            (None, _) => "at a time that cannot be read".to_owned(),
        };
        let (text, outcome) = match &self.said {
            Said::Judged(finding) if finding.n_accesses > 1 => (
                format!("{} ({})", wording::headline(finding), wording::what(finding)),
                Some(finding.outcome),
            ),
            Said::Judged(finding) => (wording::headline(finding), Some(finding.outcome)),
            Said::Plain(text) => (text.clone(), None),
        };
        let open: Vec<&str> = self.open.iter().map(String::as_str).collect();
        let text =
            if open.is_empty() { text } else { format!("{text} Open at the time: {}.", open.join(", ")) };
        StoryLine {
            at: self.at,
            when,
            host: self.key.host,
            text,
            n_accesses: self.n_accesses,
            outcome,
            is_of_finding: self.is_of_finding,
            author: self.author,
            first_number: self.first_number,
            last_number: self.last_number,
        }
    }
}

#[cfg(test)]
mod tests;
