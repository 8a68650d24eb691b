//! Notices: what should not wait a week, within minutes, without names or paths.
//!
//! [`signs`] reads entries and acts as they come and gives [`Sign`]s; [`plan`] makes notices of them, with quiet hours
//! and bundling; both are pure. [`watch`] feeds them from the ledger. What is sent is queued by [`crate::delivery`].

pub mod plan;
pub mod signs;
pub mod watch;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::need_to_know::moment;
use crate::report::text;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something that belongs to a person was used after the day on which they left.
    AfterLeaving,
    /// The recording of a computer was switched off, or a log was cleared.
    Recording,
    /// Something was opened that was put there for nobody to open.
    Decoy,
    /// Somebody remembers another history of the ledger.
    Disagreement,
    /// The ledger's check of itself did not pass.
    SelfCheck,
    /// The collector no longer evaluates what comes.
    Stopped,
    /// Messages that waited to be sent were removed.
    OutboxRemoved,
    /// Several machines went silent at once.
    Silent,
    /// An account got an administrator's rights.
    NewAdministrator,
    /// Mail goes on to another address.
    MailForward,
    /// The collector's disk is full soon.
    DiskRunsOut,
    /// A machine runs a program that nobody announced, or that was withdrawn.
    Program,
    /// The permission to enrol machines ends soon.
    DelegationEnds,
    /// Nothing came of a mail service's log for a day.
    ServiceSilent,
}

/// Whether a notice waits for the end of quiet hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InQuietHours {
    /// It comes at any hour.
    Comes,
    /// It waits.
    Waits,
}

impl Kind {
    /// What waits in quiet hours: what the manager can do nothing about before the morning.
    pub const fn in_quiet_hours(self) -> InQuietHours {
        match self {
            Self::AfterLeaving
            | Self::Recording
            | Self::Decoy
            | Self::Disagreement
            | Self::SelfCheck
            | Self::Stopped
            | Self::OutboxRemoved => InQuietHours::Comes,
            Self::Silent
            | Self::NewAdministrator
            | Self::MailForward
            | Self::DiskRunsOut
            | Self::Program
            | Self::DelegationEnds
            | Self::ServiceSilent => InQuietHours::Waits,
        }
    }

    /// What it is, as the beginning of a sentence; one, or several.
    const fn what(self) -> (&'static str, &'static str) {
        match self {
            Self::AfterLeaving => (
                "An account or key of a person who has left was used",
                "Accounts or keys of people who have left were used",
            ),
            Self::Recording => (
                "On a computer the recording was changed, or a log was cleared",
                "On computers the recording was changed, or logs were cleared",
            ),
            Self::Decoy => ("A decoy was opened", "Decoys were opened"),
            Self::Disagreement => (
                "A computer remembers another history of the ledger than the one that is kept",
                "Computers remember another history of the ledger than the one that is kept",
            ),
            Self::SelfCheck => {
                ("The ledger’s check of itself did not pass", "The ledger’s check of itself did not pass")
            }
            Self::Stopped => (
                "The collector stopped evaluating what computers send",
                "The collector stopped evaluating what computers send",
            ),
            Self::OutboxRemoved => (
                "A message that waited to be sent was removed",
                "Messages that waited to be sent were removed",
            ),
            Self::Silent => {
                ("Several computers went silent at once", "Several computers went silent at once")
            }
            Self::NewAdministrator => (
                "An account got the rights of an administrator",
                "Accounts got the rights of an administrator",
            ),
            Self::MailForward => {
                ("Mail is now sent on to another address", "Mail is now sent on to other addresses")
            }
            Self::DiskRunsOut => ("The collector’s disk is full soon", "The collector’s disk is full soon"),
            Self::Program => (
                "A computer runs a program of the agent that nobody announced, or that was withdrawn",
                "Computers run programs of the agent that nobody announced, or that were withdrawn",
            ),
            Self::DelegationEnds => (
                "The practice key’s permission to enrol computers ends soon",
                "The practice key’s permission to enrol computers ends soon",
            ),
            Self::ServiceSilent => (
                "No record came from the mail service for a day",
                "No records came from the mail service for days",
            ),
        }
    }

    /// Where to look.
    const fn look(self) -> &'static str {
        match self {
            Self::AfterLeaving => {
                "Findings, and the page Departure (ntk-collector findings, ntk-collector departure)"
            }
            Self::Recording | Self::Decoy => "Findings (ntk-collector findings)",
            Self::Disagreement => {
                "Self-check (ntk-collector status); compare the words on earlier printed reviews"
            }
            Self::SelfCheck => {
                "Self-check (ntk-collector self-check); change nothing on the collector before"
            }
            Self::Stopped => "the collector’s own log; then start it again",
            Self::OutboxRemoved => "Reports (ntk-collector mail check)",
            Self::Silent => "Machines (ntk-collector status); ask whether the power or the network was off",
            Self::NewAdministrator | Self::MailForward => {
                "Findings and People (ntk-collector findings, ntk-collector inventory --all)"
            }
            Self::DiskRunsOut => {
                "how long it lasts (ntk-collector status); a larger disk, or room on this one"
            }
            Self::Program => "Machines (ntk-collector enroll list); ask who installed it",
            Self::DelegationEnds => {
                "until when, and for how many (ntk-collector status); then take the practice key from its safe (ntk-collector trust sign)"
            }
            Self::ServiceSilent => {
                "whether its audit log is still switched on and the application still let in (ntk-collector poll m365)"
            }
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// What.
    pub kind: Kind,
    /// Names it, so that it is told once; never shown.
    pub key: String,
    /// When the collector heard of it.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// The leaf that it stands in.
    pub leaf: u64,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is made of, never empty.
    pub signs: Vec<Sign>,
}

impl Notice {
    /// Kinds, each with how often and when first, most pressing first.
    fn kinds(&self) -> Vec<(Kind, usize, Timestamp)> {
        let mut kinds: Vec<(Kind, usize, Timestamp)> = Vec::new();
        for sign in &self.signs {
            match kinds.iter_mut().find(|(kind, ..)| *kind == sign.kind) {
                Some((_, n, first)) => (*n, *first) = (n.saturating_add(1), (*first).min(sign.at)),
                None => kinds.push((sign.kind, 1, sign.at)),
            }
        }
        kinds.sort();
        kinds
    }

    /// The kinds, for the act.
    pub fn kinds_in_words(&self) -> Vec<String> {
        self.kinds().into_iter().map(|(kind, ..)| kind.what().0.to_owned()).collect()
    }

    /// One line, plain letters: it stands in headers.
    pub fn title(&self) -> String {
        match self.kinds().as_slice() {
            [(kind, 1, _)] => format!("Need-to-Know: {}", kind.what().0.replace('’', "'")),
            [(kind, n, _)] => format!("Need-to-Know: {} ({n} times)", kind.what().1.replace('’', "'")),
            kinds => format!("Need-to-Know: {} things to look at now", kinds.len()),
        }
    }

    /// The words: what, when, where to look.
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut said = String::new();
        for (kind, n, first) in self.kinds() {
            let at = text::moment(first, zone);
            let (one, more) = kind.what();
            match n {
                1 => said.push_str(&format!("{one}: {at}.\n")),
                n => said.push_str(&format!("{more}: {n} times, first {at}.\n")),
            }
            said.push_str(&format!("Look at: {}.\n\n", kind.look()));
        }
        said.push_str("This message names nobody, because others may read it. There may be a harmless cause; the records say more.\n");
        said
    }

    /// Id of its messages: the same for the same signs.
    pub fn id(&self) -> String {
        let keys: Vec<&str> = self.signs.iter().map(|sign| sign.key.as_str()).collect();
        let hash = ntk_evidence::hash::Hash::of(keys.join("\n").as_bytes()).to_hex();
        format!("notice-{}", hash.get(..16).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_when_and_where_to_look_and_accuses_nobody() {
        let all = [
            Kind::AfterLeaving,
            Kind::Recording,
            Kind::Decoy,
            Kind::Disagreement,
            Kind::SelfCheck,
            Kind::Stopped,
            Kind::OutboxRemoved,
            Kind::Silent,
            Kind::NewAdministrator,
            Kind::MailForward,
            Kind::DiskRunsOut,
            Kind::DelegationEnds,
            Kind::Program,
            Kind::ServiceSilent,
        ];
        let at: Timestamp = "2026-11-28T04:40:00Z".parse().unwrap();
        let sign = |kind, key: &str| Sign { kind, key: key.into(), at, leaf: 1 };
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut said = String::new();
        for kind in all {
            let one = Notice { signs: vec![sign(kind, "a")] };
            let two = Notice { signs: vec![sign(kind, "a"), sign(kind, "b")] };
            assert!(one.title().is_ascii(), "{}", one.title());
            assert_ne!(one.id(), two.id());
            said.push_str(&format!("{}\n{}{}", one.title(), one.text(&zone), two.text(&zone)));
        }
        assert!(
            said.contains("Friday 27 November, 23:40 (EST)") && said.contains("2 times, first"),
            "local time: {said}"
        );
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!said.to_lowercase().contains(word), "RP-3: `{word}` in {said}");
        }
        let mixed = Notice { signs: all.map(|kind| sign(kind, "a")).to_vec() };
        assert_eq!(mixed.title(), "Need-to-Know: 14 things to look at now");
    }
}
