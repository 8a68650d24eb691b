//! Audit rules as the kernel takes them: `struct audit_rule_data`.
//!
//! ```text
//! flags u32 (filter list), action u32, field_count u32, mask u32 x 64 (system calls),
//! fields u32 x 64, values u32 x 64, fieldflags u32 x 64 (operators), buflen u32, buf (texts in field order)
//! ```
//! A watch is one rule on its folder. The [`standing`] rules close what such a rule does not see.

mod calls;
mod probe;
mod standing;

use crate::watch_list::{Touch, Watch, WatchList};

pub(super) use probe::probe_rule;
pub(super) use standing::{canary_rule, lasting_standing_rules, standing_rules};

const FILTER_EXIT: u32 = 4;
const FILTER_EXCLUDE: u32 = 5;
const FILTER_URING_EXIT: u32 = 7;
const NEVER: u32 = 0;
const ALWAYS: u32 = 2;

const FIELD_PID: u32 = 0;
const FIELD_ARCH: u32 = 11;
const FIELD_LOGIN_UID_SET: u32 = 24;
const FIELD_EXIT: u32 = 103;
const FIELD_SUCCESS: u32 = 104;
const FIELD_PERM: u32 = 106;
const FIELD_WATCH: u32 = 105;
const FIELD_DIR: u32 = 107;
const FIELD_FILE_TYPE: u32 = 108;
const FIELD_ARGUMENT: u32 = 200;
const FIELD_KEY: u32 = 210;

const EQUAL: u32 = 0x4000_0000;
const NOT_EQUAL: u32 = 0x3000_0000;
const PERM_WRITE: u32 = 2;
const PERM_READ: u32 = 4;
const PERM_ATTRIBUTES: u32 = 8;

const FIELDS_MAX: usize = 64;
const MASK_WORDS: usize = 64;
const WORDS_AT: usize = 12;

/// Where the texts begin: after twelve bytes, the mask, three tables and the length of the texts.
const TEXT_AT: usize = WORDS_AT + MASK_WORDS * 4 + FIELDS_MAX * 12 + 4;

/// One rule, byte for byte as the kernel takes and lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rule(Vec<u8>);

/// What a rule is for, to say what cannot be seen when the kernel refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A watch.
    Watch,
    /// A file of the system or of this agent, whose changes are told.
    Guard,
    /// A name under which something of a watch can be reached, too.
    Followed,
    /// Refusals at a parent folder.
    Denied,
    /// A watch's accesses through io_uring.
    IoUring,
    /// Opens by file handle.
    Handle,
    /// Opens of block devices.
    Disk,
    /// File systems that are mounted.
    Mount,
    /// Signals to this process.
    Signal,
    /// The clock that is set.
    Clock,
    /// Kernel modules, and another kernel that is loaded.
    Kernel,
    /// This agent's own test.
    Canary,
    /// Starts of programs.
    Start,
    /// One of the above, for 32-bit programs.
    Twin,
}

impl Rule {
    /// A rule as the kernel lists it: without the padding of the message, so that it equals what was sent.
    pub(super) fn from_bytes(mut bytes: Vec<u8>) -> Self {
        let length = bytes.get(TEXT_AT - 4..TEXT_AT).and_then(|bytes| bytes.try_into().ok());
        let length = length.map_or(0, u32::from_ne_bytes);
        bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX).saturating_add(TEXT_AT));
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this rule keeps records from being made: a word for the way it does, else none.
    pub(super) fn blinds(&self) -> Option<&'static str> {
        let word = |at: usize| {
            let bytes = self.0.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_ne_bytes)
        };
        match (word(0)? & !PREPEND, word(4)?) {
            (FILTER_EXCLUDE, _) => Some("exclude"),
            (_, NEVER) => Some("never"),
            _ => None,
        }
    }
}

/// The bit of the filter list that asks for the first place.
const PREPEND: u32 = 0x10;

struct Draft {
    filter: u32,
    mask: [u32; MASK_WORDS],
    fields: Vec<(u32, u32, u32)>,
    text: Vec<u8>,
}

impl Draft {
    fn new(filter: u32) -> Self {
        Self { filter, mask: [0; MASK_WORDS], fields: Vec::new(), text: Vec::new() }
    }

    fn every_call(mut self) -> Self {
        self.mask = [u32::MAX; MASK_WORDS];
        self
    }

    fn calls(mut self, numbers: &[u32]) -> Self {
        for number in numbers {
            let word = usize::try_from(number / 32).ok().and_then(|word| self.mask.get_mut(word));
            word.into_iter().for_each(|word| *word |= 1_u32 << (number % 32));
        }
        self
    }

    fn field(mut self, field: u32, value: u32) -> Self {
        self.fields.push((field, value, EQUAL));
        self
    }

    fn field_not(mut self, field: u32, value: u32) -> Self {
        self.fields.push((field, value, NOT_EQUAL));
        self
    }

    fn text(mut self, field: u32, text: &str) -> Self {
        self.text.extend_from_slice(text.as_bytes());
        self.field(field, u32::try_from(text.len()).unwrap_or(u32::MAX))
    }

    fn rule(self, key: &str) -> Rule {
        let draft = self.text(FIELD_KEY, key);
        let mut bytes = Vec::with_capacity(1040 + draft.text.len());
        let mut put = |word: u32| bytes.extend_from_slice(&word.to_ne_bytes());
        put(draft.filter);
        put(ALWAYS);
        put(u32::try_from(draft.fields.len()).unwrap_or(u32::MAX));
        draft.mask.iter().for_each(|word| put(*word));
        let padded = |take: fn(&(u32, u32, u32)) -> u32| {
            let words: Vec<u32> = draft.fields.iter().map(take).collect();
            words.into_iter().chain(std::iter::repeat(0)).take(FIELDS_MAX).collect::<Vec<u32>>()
        };
        padded(|(field, ..)| *field).into_iter().for_each(&mut put);
        padded(|(_, value, _)| *value).into_iter().for_each(&mut put);
        padded(|(.., operator)| *operator).into_iter().for_each(&mut put);
        put(u32::try_from(draft.text.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&draft.text);
        Rule(bytes)
    }
}

/// A watch's rules, on its own path or on another one that leads to the same. `is_folder` decides between a folder's
/// tree and one file.
pub(super) fn watch_rules(place: usize, watch: &Watch, path: &str, is_folder: bool) -> Vec<(Purpose, Rule)> {
    keyed_rules(&WatchList::key(place), watch, path, is_folder)
}

/// The same under a key that follows from the watch alone: for rules that outlast the agent.
pub(super) fn lasting_watch_rules(watch: &Watch, path: &str, is_folder: bool) -> Vec<(Purpose, Rule)> {
    keyed_rules(&watch.lasting_key(), watch, path, is_folder)
}

fn keyed_rules(key: &str, watch: &Watch, path: &str, is_folder: bool) -> Vec<(Purpose, Rule)> {
    let field = if is_folder { FIELD_DIR } else { FIELD_WATCH };
    let access = Draft::new(FILTER_EXIT).every_call().text(field, path);
    let (purpose, perm) = match watch.touch {
        _ if watch.path != path => (Purpose::Followed, PERM_WRITE | PERM_READ | PERM_ATTRIBUTES),
        Touch::Any => (Purpose::Watch, PERM_WRITE | PERM_READ | PERM_ATTRIBUTES),
        Touch::Changes => (Purpose::Guard, PERM_WRITE | PERM_ATTRIBUTES),
        Touch::Own => (Purpose::Guard, PERM_WRITE | PERM_READ | PERM_ATTRIBUTES),
    };
    let mut rules = vec![(purpose, access.field(FIELD_PERM, perm).rule(key))];
    if purpose != Purpose::Guard {
        // openat, openat2, renameat, unlinkat, mkdirat, symlinkat, linkat; kernels without io_uring audit refuse it.
        let uring = Draft::new(FILTER_URING_EXIT).calls(&[18, 28, 35, 36, 37, 38, 39]).text(field, path);
        rules.push((Purpose::IoUring, uring.rule(key)));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_the_kernels_layout() {
        let watch: Watch = "/srv/practice/ehr/exports/week=export".parse().unwrap();
        let rules = watch_rules(3, &watch, &watch.path, true);
        let bytes = rules[0].1.bytes();
        // auditctl sends 1,040 bytes and the texts; the recordings show exit=1092 with a header of 16.
        assert_eq!(bytes.len(), 1040 + "/srv/practice/ehr/exports/week".len() + "ntk-w3".len());
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4), word(8)), (FILTER_EXIT, ALWAYS, 3));
        assert_eq!((word(268), word(272), word(276)), (FIELD_DIR, FIELD_PERM, FIELD_KEY));
        assert_eq!((word(524), word(528), word(532)), (30, 14, 6));
        assert_eq!(&bytes[1040..], b"/srv/practice/ehr/exports/weekntk-w3");
    }

    #[test]
    fn a_listed_rule_is_the_one_that_was_sent() {
        let (_, rule) = standing_rules(1).remove(0);
        let padded = [rule.bytes(), &[0, 0]].concat();
        assert_eq!(Rule::from_bytes(padded), rule);
        assert_eq!(Rule::from_bytes(vec![1, 2, 3]).bytes(), [1, 2, 3]);
    }

    #[test]
    fn rules_that_blind_are_known() {
        let rule = |filter: u32, action: u32| {
            let mut bytes = standing_rules(1).remove(0).1.bytes().to_vec();
            bytes[..4].copy_from_slice(&filter.to_ne_bytes());
            bytes[4..8].copy_from_slice(&action.to_ne_bytes());
            Rule::from_bytes(bytes).blinds()
        };
        assert_eq!(rule(FILTER_EXIT, ALWAYS), None);
        assert_eq!(rule(FILTER_EXIT, NEVER), Some("never"));
        assert_eq!(rule(1, NEVER), Some("never"));
        assert_eq!(rule(FILTER_EXCLUDE, ALWAYS), Some("exclude"));
        assert_eq!(Rule::from_bytes(Vec::new()).blinds(), None);
    }
}
