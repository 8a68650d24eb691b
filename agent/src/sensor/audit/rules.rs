//! Audit rules as the kernel takes them: `struct audit_rule_data`.
//!
//! ```text
//! flags u32 (filter list), action u32, field_count u32, mask u32 x 64 (system calls),
//! fields u32 x 64, values u32 x 64, fieldflags u32 x 64 (operators), buflen u32, buf (texts in field order)
//! ```
//! A watch is one rule on its folder. The other rules close what such a rule does not see: access that was
//! refused at a parent folder makes no record under it, and io_uring passes it by.

use crate::watch_list::{DENIED_KEY, START_KEY, Watch, WatchList};

const FILTER_EXIT: u32 = 4;
const FILTER_URING_EXIT: u32 = 7;
const ALWAYS: u32 = 2;

const FIELD_ARCH: u32 = 11;
const FIELD_LOGIN_UID_SET: u32 = 24;
const FIELD_EXIT: u32 = 103;
const FIELD_SUCCESS: u32 = 104;
const FIELD_PERM: u32 = 106;
const FIELD_WATCH: u32 = 105;
const FIELD_DIR: u32 = 107;
const FIELD_ARGUMENT: u32 = 200;
const FIELD_KEY: u32 = 210;

const EQUAL: u32 = 0x4000_0000;
const PERM_WRITE_READ_ATTRIBUTES: u32 = 2 | 4 | 8;

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
    /// Refusals at a parent folder.
    Denied,
    /// The same for 32-bit programs.
    Denied32,
    /// A watch's accesses through io_uring.
    IoUring,
    /// Starts of programs.
    Start,
    /// The same for 32-bit programs.
    Start32,
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
}

struct Draft {
    filter: u32,
    mask: [u32; MASK_WORDS],
    fields: Vec<(u32, u32)>,
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
        self.fields.push((field, value));
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
        let padded = |take: fn(&(u32, u32)) -> u32| {
            let words: Vec<u32> = draft.fields.iter().map(take).collect();
            words.into_iter().chain(std::iter::repeat(0)).take(FIELDS_MAX).collect::<Vec<u32>>()
        };
        padded(|(field, _)| *field).into_iter().for_each(&mut put);
        padded(|(_, value)| *value).into_iter().for_each(&mut put);
        padded(|_| EQUAL).into_iter().for_each(&mut put);
        put(u32::try_from(draft.text.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&draft.text);
        Rule(bytes)
    }
}

/// A watch's rules. `is_folder` decides between a folder's tree and one file.
pub(super) fn watch_rules(place: usize, watch: &Watch, is_folder: bool) -> Vec<(Purpose, Rule)> {
    let field = if is_folder { FIELD_DIR } else { FIELD_WATCH };
    let key = WatchList::key(place);
    let access = Draft::new(FILTER_EXIT).every_call().text(field, &watch.path);
    let access = access.field(FIELD_PERM, PERM_WRITE_READ_ATTRIBUTES).rule(&key);
    // openat, openat2, renameat, unlinkat, mkdirat, symlinkat, linkat; kernels without io_uring audit refuse it.
    let uring = Draft::new(FILTER_URING_EXIT).calls(&[18, 28, 35, 36, 37, 38, 39]).text(field, &watch.path);
    vec![(Purpose::Watch, access), (Purpose::IoUring, uring.rule(&key))]
}

/// The rules that report refusals anywhere, to persons.
pub(super) fn denied_rules() -> Vec<(Purpose, Rule)> {
    let mut rules = Vec::new();
    for (purpose, arch, calls) in DENIED_CALLS {
        for error in [rustix::io::Errno::ACCESS, rustix::io::Errno::PERM] {
            let exit = error.raw_os_error().saturating_neg().cast_unsigned();
            let draft = Draft::new(FILTER_EXIT).calls(calls).field(FIELD_ARCH, *arch).field(FIELD_EXIT, exit);
            rules.push((*purpose, draft.field(FIELD_LOGIN_UID_SET, 1).rule(DENIED_KEY)));
        }
    }
    rules
}

/// The rules that report the start of programs: every exec that succeeded. Only what privileged sessions and
/// remote-support tools start is told; the rest says who started whom, and so do the forks: a process between two
/// programs may end before anybody can ask the machine for it.
pub(super) fn start_rules() -> Vec<(Purpose, Rule)> {
    let rule = |(purpose, arch, calls): &(Purpose, u32, &[u32])| {
        let draft = Draft::new(FILTER_EXIT).calls(calls).field(FIELD_ARCH, *arch).field(FIELD_SUCCESS, 1);
        (*purpose, draft.rule(START_KEY))
    };
    let fork = |(purpose, arch, call, flags): &(Purpose, u32, u32, Option<u32>)| {
        let draft = Draft::new(FILTER_EXIT).calls(&[*call]).field(FIELD_ARCH, *arch).field(FIELD_SUCCESS, 1);
        let draft = flags.iter().fold(draft, |draft, flags| draft.field(FIELD_ARGUMENT, *flags));
        (*purpose, draft.rule(START_KEY))
    };
    START_CALLS.iter().map(rule).chain(FORK_CALLS.iter().map(fork)).collect()
}

/// Flags with which the C library's fork calls clone: no threads, and not what execs at once.
const FORK_FLAGS: u32 = 0x0120_0011;

/// execve, execveat.
#[cfg(target_arch = "x86_64")]
const START_CALLS: &[(Purpose, u32, &[u32])] =
    &[(Purpose::Start, 0xc000_003e, &[59, 322]), (Purpose::Start32, 0x4000_0003, &[11, 358])];

/// fork, and clone as fork.
#[cfg(target_arch = "x86_64")]
const FORK_CALLS: &[(Purpose, u32, u32, Option<u32>)] = &[
    (Purpose::Start, 0xc000_003e, 57, None),
    (Purpose::Start, 0xc000_003e, 56, Some(FORK_FLAGS)),
    (Purpose::Start32, 0x4000_0003, 2, None),
    (Purpose::Start32, 0x4000_0003, 120, Some(FORK_FLAGS)),
];

/// execve, execveat.
#[cfg(target_arch = "aarch64")]
const START_CALLS: &[(Purpose, u32, &[u32])] =
    &[(Purpose::Start, 0xc000_00b7, &[221, 281]), (Purpose::Start32, 0x4000_0028, &[11, 387])];

/// clone as fork; the 32-bit twin has a fork of its own.
#[cfg(target_arch = "aarch64")]
const FORK_CALLS: &[(Purpose, u32, u32, Option<u32>)] = &[
    (Purpose::Start, 0xc000_00b7, 220, Some(FORK_FLAGS)),
    (Purpose::Start32, 0x4000_0028, 2, None),
    (Purpose::Start32, 0x4000_0028, 120, Some(FORK_FLAGS)),
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const START_CALLS: &[(Purpose, u32, &[u32])] = &[];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FORK_CALLS: &[(Purpose, u32, u32, Option<u32>)] = &[];

/// open, openat, openat2, creat, truncate, rename*, unlink*, rmdir, link* of this machine and its 32-bit twin.
#[cfg(target_arch = "x86_64")]
const DENIED_CALLS: &[(Purpose, u32, &[u32])] = &[
    (Purpose::Denied, 0xc000_003e, &[2, 257, 437, 85, 76, 82, 264, 316, 87, 263, 84, 86, 265, 304]),
    (Purpose::Denied32, 0x4000_0003, &[5, 295, 437, 8, 92, 193, 38, 302, 353, 10, 301, 40, 9, 303, 342]),
];

/// openat, openat2, truncate, renameat*, unlinkat, linkat of this machine and its 32-bit twin.
#[cfg(target_arch = "aarch64")]
const DENIED_CALLS: &[(Purpose, u32, &[u32])] = &[
    (Purpose::Denied, 0xc000_00b7, &[56, 437, 45, 38, 276, 35, 37, 265]),
    (Purpose::Denied32, 0x4000_0028, &[5, 322, 437, 8, 92, 193, 38, 329, 382, 10, 328, 40, 9, 330]),
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DENIED_CALLS: &[(Purpose, u32, &[u32])] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_the_kernels_layout() {
        let watch: Watch = "/srv/practice/ehr/exports/week=export".parse().unwrap();
        let rules = watch_rules(3, &watch, true);
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
        let (_, rule) = denied_rules().remove(0);
        let padded = [rule.bytes(), &[0, 0]].concat();
        assert_eq!(Rule::from_bytes(padded), rule);
        assert_eq!(Rule::from_bytes(vec![1, 2, 3]).bytes(), [1, 2, 3]);
    }
}
