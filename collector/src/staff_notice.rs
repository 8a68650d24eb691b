//! The notice that tells staff and vendors that access is recorded: its text, its versions, and who acknowledged which.
//!
//! Pure. A new version asks everybody again; an acknowledgement holds for the version that was read.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::report::text::{count, list_of};
use crate::roster::{Person, Roster};
use crate::second::is_hidden;

/// How long a notice may be, bytes.
pub const TEXT_BYTES_MAX: usize = 32 << 10;
/// How long a version's name may be.
const VERSION_MAX: usize = 32;
/// Acknowledgements that are kept in mind: far more than a practice has people and versions.
const SAID_MAX: usize = 5_000;

/// Whom a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Everybody who works here.
    Staff,
    /// Firms and their technicians: what their contract says.
    VendorContract,
}

impl Notice {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Staff, Self::VendorContract];

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::VendorContract => "vendor_contract",
        }
    }

    /// As people say it.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Staff => "staff notice",
            Self::VendorContract => "notice to vendors",
        }
    }

    /// The text that comes with the program, for a practice of this name.
    pub fn template(self, practice: &str) -> String {
        let text = match self {
            Self::Staff => include_str!("../templates/notices/staff.md"),
            Self::VendorContract => include_str!("../templates/notices/vendor-contract.md"),
        };
        let name: String = practice.chars().filter(|c| !is_hidden(*c)).collect();
        text.replace("{practice}", &name)
    }

    /// Whether this notice asks this person.
    pub fn asks(self, person: &Person) -> bool {
        let is_of_firm = person.is_organisation || person.organisation.is_some();
        (self == Self::VendorContract) == is_of_firm
    }
}

/// How somebody acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By a one-time link.
    Link,
    /// With their passphrase.
    Passphrase,
    /// On paper; somebody else recorded it.
    Paper,
}

impl How {
    /// In words.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Link => "by a one-time link",
            Self::Passphrase => "with their passphrase",
            Self::Paper => "on paper",
        }
    }
}

/// Body of `act_staff_notice`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum NoticeStep {
    /// A version is in force from now on.
    Published(Published),
    /// A person has read a version.
    Acknowledged(Acknowledged),
}

/// A version of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Which.
    pub notice: Notice,
    /// `1`, `2`, or what the practice calls it.
    pub version: String,
    /// The whole text.
    pub text: String,
}

/// That a person has read a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Which.
    pub notice: Notice,
    /// Its version.
    pub version: String,
    /// Id of the person.
    pub person: String,
    /// How.
    pub how: How,
    /// The link that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// On which day the paper was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Id of the person who recorded it, where it was on paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<String>,
}

/// A version as it came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// What was published.
    #[serde(flatten)]
    pub published: Published,
    /// When, RFC 3339.
    pub since: String,
}

/// An acknowledgement with when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What.
    #[serde(flatten)]
    pub acknowledged: Acknowledged,
    /// When, RFC 3339.
    pub at: String,
}

/// A notice cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeFault {
    /// The text.
    #[error("the text of a notice has 1 to {TEXT_BYTES_MAX} bytes; this one has {0}")]
    Length(usize),
    /// Something invisible in it.
    #[error(
        "line {0} of the text holds a control character, or one that turns the direction of writing; take it out"
    )]
    Hidden(usize),
    /// Something of the template that was not filled in.
    #[error("line {0} of the text still has a blank to fill in (`{{...}}`)")]
    Blank(usize),
    /// The version's name.
    #[error("`{0}` is no name of a version: use 1 to {VERSION_MAX} letters, digits, `.` and `-`")]
    Version(String),
    /// The version was used.
    #[error("there was a version `{0}` of this notice; a new text has a new version")]
    Taken(String),
}

/// Every notice and who acknowledged it, as the acts so far say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    in_force: BTreeMap<Notice, InForce>,
    versions: BTreeMap<Notice, Vec<String>>,
    said: Vec<Said>,
}

impl Notices {
    /// Takes in an act at its time; the link that it used.
    pub fn apply(&mut self, at: &str, step: NoticeStep) -> Option<String> {
        match step {
            NoticeStep::Published(published) => {
                self.versions.entry(published.notice).or_default().push(published.version.clone());
                self.in_force.insert(published.notice, InForce { published, since: at.to_owned() });
                None
            }
            NoticeStep::Acknowledged(acknowledged) => {
                let link = acknowledged.link.clone();
                let is_new = !self.has_said(acknowledged.notice, &acknowledged.version, &acknowledged.person);
                if is_new && self.said.len() < SAID_MAX {
                    self.said.push(Said { acknowledged, at: at.to_owned() });
                }
                link
            }
        }
    }

    /// The version in force.
    pub fn in_force(&self, notice: Notice) -> Option<&InForce> {
        self.in_force.get(&notice)
    }

    /// Who said that they read which version.
    pub fn said(&self) -> &[Said] {
        &self.said
    }

    /// Whether a person acknowledged a version.
    pub fn has_said(&self, notice: Notice, version: &str, person: &str) -> bool {
        self.said.iter().any(|said| {
            let said = &said.acknowledged;
            said.notice == notice && said.version == version && said.person == person
        })
    }

    /// The version that comes next where nobody names one.
    pub fn next_version(&self, notice: Notice) -> String {
        let known = self.versions.get(&notice).map_or(&[][..], Vec::as_slice);
        let mut next = known.len().saturating_add(1);
        while known.contains(&next.to_string()) {
            next = next.saturating_add(1);
        }
        next.to_string()
    }

    /// Whether a text may be published under this version.
    pub fn check(&self, published: &Published) -> Result<(), NoticeFault> {
        let Published { notice, version, text } = published;
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
        if version.is_empty() || version.len() > VERSION_MAX || !version.bytes().all(plain) {
            return Err(NoticeFault::Version(version.clone()));
        }
        if self.versions.get(notice).is_some_and(|known| known.contains(version)) {
            return Err(NoticeFault::Taken(version.clone()));
        }
        if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(NoticeFault::Length(text.len()));
        }
        for (line, n) in text.lines().zip(1usize..) {
            if line.chars().any(|c| is_hidden(c) && c != '\t') {
                return Err(NoticeFault::Hidden(n));
            }
            if line.contains("{practice}") {
                return Err(NoticeFault::Blank(n));
            }
        }
        Ok(())
    }

    /// Who works here on a day and has not acknowledged the version in force.
    pub fn missing<'r>(&self, notice: Notice, roster: &'r Roster, on: Date) -> Vec<&'r Person> {
        let Some(in_force) = self.in_force(notice) else { return Vec::new() };
        let version = &in_force.published.version;
        let is_here = |person: &&Person| {
            person.employed_from.is_none_or(|first| first <= on)
                && roster.leave_of(&person.id).is_none_or(|leave| leave > on)
        };
        let asked = roster.persons().iter().filter(|person| notice.asks(person)).filter(is_here);
        asked.filter(|person| !self.has_said(notice, version, &person.id)).collect()
    }

    /// What the weekly review says: who has not acknowledged what is in force.
    pub fn sentences(&self, roster: &Roster, on: Date) -> Vec<String> {
        let sentence = |notice: Notice| {
            let version = &self.in_force(notice)?.published.version;
            let missing = self.missing(notice, roster, on);
            let names: Vec<String> = missing.iter().map(|person| person.name.clone()).collect();
            let verb = if names.len() == 1 { "has" } else { "have" };
            (!names.is_empty()).then(|| {
                format!(
                    "{} {verb} not acknowledged the {}, version {version}: {}.",
                    count(names.len(), "person", "people"),
                    notice.in_words(),
                    list_of(&names)
                )
            })
        };
        Notice::ALL.into_iter().filter_map(sentence).collect()
    }
}

#[cfg(test)]
mod tests;
