//! What a system call or an io_uring operation does to files, by its number and architecture.

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Opens; the argument at this place holds the flags.
    Open { flags_at: Option<usize> },
    /// Opens by a file handle, without a name.
    OpenHandle { flags_at: usize },
    /// Makes and opens a file for writing.
    Create,
    /// Makes a folder, a device or a symbolic link.
    Make,
    /// Cuts a file.
    Truncate,
    /// Gives another name.
    Rename,
    /// Gives a further name.
    Link,
    /// Takes a name away.
    Unlink,
    /// Changes mode, owner, times or extended attributes.
    Attributes,
    /// Sends the signal at this place.
    Kill { signal_at: usize },
}

/// A call: what it does, and where its arguments name folders by descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) verb: Verb,
    /// Places of the descriptors that relative names start from; none means the working directory.
    pub(super) folders_at: &'static [usize],
}

const X86_64: u64 = 0xc000_003e;
const I386: u64 = 0x4000_0003;
const AARCH64: u64 = 0xc000_00b7;

/// The call of a SYSCALL record; none for calls that touch no file's contents, name or attributes.
pub(super) fn call_of(arch: u64, number: u64) -> Option<Call> {
    let table = match arch {
        X86_64 => X86_64_CALLS,
        I386 => I386_CALLS,
        AARCH64 => AARCH64_CALLS,
        _ => return None,
    };
    table.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, call)| *call)
}

/// The operation of a URINGOP record.
pub(super) fn uring_of(operation: u64) -> Option<Verb> {
    Some(match operation {
        18 | 28 => Verb::Open { flags_at: None },
        35 => Verb::Rename,
        36 => Verb::Unlink,
        37 | 38 => Verb::Make,
        39 => Verb::Link,
        41 | 43 => Verb::Attributes,
        55 => Verb::Truncate,
        _ => return None,
    })
}

/// O_DIRECTORY, which is the one open flag that differs between the architectures.
pub(super) fn folder_flag(arch: u64) -> u64 {
    if arch == AARCH64 { 0x4000 } else { 0x1_0000 }
}

const fn call(verb: Verb, folders_at: &'static [usize]) -> Call {
    Call { verb, folders_at }
}

const fn open(flags_at: Option<usize>) -> Verb {
    Verb::Open { flags_at }
}

#[rustfmt::skip]
const X86_64_CALLS: &[(&[u64], Call)] = &[
    (&[257], call(open(Some(2)), &[0])),
    (&[2], call(open(Some(1)), &[])),
    (&[437], call(open(None), &[0])),
    (&[304], call(Verb::OpenHandle { flags_at: 2 }, &[])),
    (&[85], call(Verb::Create, &[])),
    (&[83, 88, 133], call(Verb::Make, &[])),
    (&[258, 259], call(Verb::Make, &[0])),
    (&[266], call(Verb::Make, &[1])),
    (&[76, 77, 285], call(Verb::Truncate, &[])),
    (&[82], call(Verb::Rename, &[])),
    (&[264, 316], call(Verb::Rename, &[0, 2])),
    (&[86], call(Verb::Link, &[])),
    (&[265], call(Verb::Link, &[0, 2])),
    (&[84, 87], call(Verb::Unlink, &[])),
    (&[263], call(Verb::Unlink, &[0])),
    (&[90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235], call(Verb::Attributes, &[])),
    (&[260, 261, 268, 280, 452, 463, 466], call(Verb::Attributes, &[0])),
    (&[62, 200, 424, 129], call(Verb::Kill { signal_at: 1 }, &[])),
    (&[234, 297], call(Verb::Kill { signal_at: 2 }, &[])),
];

#[rustfmt::skip]
const I386_CALLS: &[(&[u64], Call)] = &[
    (&[295], call(open(Some(2)), &[0])),
    (&[5], call(open(Some(1)), &[])),
    (&[437], call(open(None), &[0])),
    (&[342], call(Verb::OpenHandle { flags_at: 2 }, &[])),
    (&[8], call(Verb::Create, &[])),
    (&[39, 83, 14], call(Verb::Make, &[])),
    (&[296, 297], call(Verb::Make, &[0])),
    (&[304], call(Verb::Make, &[1])),
    (&[92, 93, 193, 194, 324], call(Verb::Truncate, &[])),
    (&[38], call(Verb::Rename, &[])),
    (&[302, 353], call(Verb::Rename, &[0, 2])),
    (&[9], call(Verb::Link, &[])),
    (&[303], call(Verb::Link, &[0, 2])),
    (&[10, 40], call(Verb::Unlink, &[])),
    (&[301], call(Verb::Unlink, &[0])),
    (&[15, 16, 30, 94, 95, 182, 198, 207, 212, 226, 227, 228, 235, 236, 237, 271], call(Verb::Attributes, &[])),
    (&[298, 299, 306, 320, 412, 452, 463, 466], call(Verb::Attributes, &[0])),
    (&[37, 238, 424, 178], call(Verb::Kill { signal_at: 1 }, &[])),
    (&[270, 335], call(Verb::Kill { signal_at: 2 }, &[])),
];

#[rustfmt::skip]
const AARCH64_CALLS: &[(&[u64], Call)] = &[
    (&[56], call(open(Some(2)), &[0])),
    (&[437], call(open(None), &[0])),
    (&[265], call(Verb::OpenHandle { flags_at: 2 }, &[])),
    (&[33, 34], call(Verb::Make, &[0])),
    (&[36], call(Verb::Make, &[1])),
    (&[45, 46, 47], call(Verb::Truncate, &[])),
    (&[38, 276], call(Verb::Rename, &[0, 2])),
    (&[37], call(Verb::Link, &[0, 2])),
    (&[35], call(Verb::Unlink, &[0])),
    (&[5, 6, 7, 14, 15, 16, 52, 55], call(Verb::Attributes, &[])),
    (&[53, 54, 88, 452, 463, 466], call(Verb::Attributes, &[0])),
    (&[129, 130, 424, 138], call(Verb::Kill { signal_at: 1 }, &[])),
    (&[131, 240], call(Verb::Kill { signal_at: 2 }, &[])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_has_other_numbers_elsewhere() {
        for (arch, number) in [(X86_64, 316), (I386, 353), (AARCH64, 276)] {
            assert_eq!(call_of(arch, number), Some(call(Verb::Rename, &[0, 2])));
        }
        assert_eq!(call_of(X86_64, 0), None);
        assert_eq!(call_of(0, 257), None);
        assert_eq!(uring_of(18), Some(Verb::Open { flags_at: None }));
        assert_eq!(uring_of(1), None);
    }
}
