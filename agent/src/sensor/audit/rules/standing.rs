//! The rules that do not belong to one watch: what a folder's rule does not see, and what is done to the recording.
//!
//! Each stands twice, for this machine's programs and for 32-bit ones, whose calls have other numbers.
//!
//! The rules on signals name this process. Rules that outlast it name none: then every signal that may end a process, and
//! every attachment, makes a record, and the record of the target says whether the agent was meant.

use super::calls::{ARCHES, Arch, Group};
use super::{
    Draft, FIELD_ARCH, FIELD_ARGUMENT, FIELD_EXIT, FIELD_FILE_TYPE, FIELD_LOGIN_UID_SET, FIELD_PERM,
    FIELD_PID, FIELD_SUCCESS, FIELD_WATCH, FILTER_EXIT, PERM_READ, Purpose, Rule,
};
use crate::watch_list::{CANARY_KEY, CLOCK_KEY, DENIED_KEY, KERNEL_KEY, START_KEY};

/// Key of opens by handle, of which only inodes seen under a watch become events.
const HANDLE_KEY: &str = "ntk-handle";
/// Key of opened block devices, of which only those that hold a watch become events.
const DISK_KEY: &str = "ntk-disk";
/// Key of mounts, of which only those that lead to a watch or hide one become events.
const MOUNT_KEY: &str = "ntk-mount";
/// Key of signals to this process, or to any where the rules outlast it.
const SIGNAL_KEY: &str = "ntk-signal";

/// Flags with which the C library's fork calls clone: no threads, and not what execs at once.
const FORK_FLAGS: u32 = 0x0120_0011;

/// Format bits of a block device's mode.
const BLOCK_DEVICE: u32 = 0o060_000;

/// Signals that end nobody: none at all (0), a child's end, to go on, urgent data, another window size.
const HARMLESS: [u32; 5] = [0, 17, 18, 23, 28];

/// How ptrace attaches: `PTRACE_ATTACH`, `PTRACE_SEIZE`.
const ATTACHES: [u32; 2] = [16, 0x4206];

/// The rules that stand beside the watches; `own` is this process.
pub(in crate::sensor::audit) fn standing_rules(own: u32) -> Vec<(Purpose, Rule)> {
    rules(|arch| {
        let signals = of(arch, Group::Signals).calls(arch.calls(Group::ThreadSignals));
        vec![
            signals.field(FIELD_ARGUMENT, own),
            of(arch, Group::OtherSignals).field_not(FIELD_PID, own),
            of(arch, Group::Traces).field(FIELD_ARGUMENT + 1, own),
        ]
    })
}

/// The same for a kernel that takes no other rules until it boots: whichever process the agent is, they hold.
pub(in crate::sensor::audit) fn lasting_standing_rules() -> Vec<(Purpose, Rule)> {
    rules(|arch| {
        let deadly = |draft: Draft, signal_at: u32| {
            HARMLESS.iter().fold(draft, |draft, signal| {
                draft.field_not(FIELD_ARGUMENT.saturating_add(signal_at), *signal)
            })
        };
        let mut drafts = vec![
            deadly(of(arch, Group::Signals), 1),
            deadly(of(arch, Group::ThreadSignals), 2),
            of(arch, Group::OtherSignals),
        ];
        drafts.extend(ATTACHES.map(|request| of(arch, Group::Traces).field(FIELD_ARGUMENT, request)));
        drafts
    })
}

fn rules(on_the_agent: impl Fn(&Arch) -> Vec<Draft>) -> Vec<(Purpose, Rule)> {
    let mut rules = Vec::new();
    for arch in ARCHES {
        let mut add = |purpose: Purpose, rule: Rule| {
            rules.push((if arch.is_twin { Purpose::Twin } else { purpose }, rule));
        };
        // Refusals anywhere, to persons: at a parent folder they make no record under a folder's rule.
        for error in [rustix::io::Errno::ACCESS, rustix::io::Errno::PERM] {
            let exit = error.raw_os_error().saturating_neg().cast_unsigned();
            let denied = of(arch, Group::Names).field(FIELD_EXIT, exit).field(FIELD_LOGIN_UID_SET, 1);
            add(Purpose::Denied, denied.rule(DENIED_KEY));
        }
        add(Purpose::Handle, of(arch, Group::Handles).rule(HANDLE_KEY));
        // By kind and not by path: a second node of the same device is a disk, too.
        let disks = of(arch, Group::Opens).field(FIELD_FILE_TYPE, BLOCK_DEVICE);
        add(Purpose::Disk, disks.rule(DISK_KEY));
        add(Purpose::Mount, of(arch, Group::Mounts).rule(MOUNT_KEY));
        on_the_agent(arch).into_iter().for_each(|draft| add(Purpose::Signal, draft.rule(SIGNAL_KEY)));
        add(Purpose::Clock, of(arch, Group::Clocks).rule(CLOCK_KEY));
        // Every start that succeeded: only what privileged sessions and remote-support tools start is told, the rest says
        // who started whom.
        add(Purpose::Start, of(arch, Group::Starts).field(FIELD_SUCCESS, 1).rule(START_KEY));
        // And every fork, as the C library makes it: a process between two programs may end before it can be asked for.
        if !arch.calls(Group::Forks).is_empty() {
            add(Purpose::Start, of(arch, Group::Forks).field(FIELD_SUCCESS, 1).rule(START_KEY));
        }
        let clones = of(arch, Group::Clones).field(FIELD_SUCCESS, 1).field(FIELD_ARGUMENT, FORK_FLAGS);
        add(Purpose::Start, clones.rule(START_KEY));
        add(Purpose::Kernel, of(arch, Group::Kernel).rule(KERNEL_KEY));
    }
    rules
}

fn of(arch: &Arch, group: Group) -> Draft {
    Draft::new(FILTER_EXIT).calls(arch.calls(group)).field(FIELD_ARCH, arch.number)
}

/// The rule of this agent's own test: a child opens the file, and the record must come.
pub(in crate::sensor::audit) fn canary_rule(path: &str) -> (Purpose, Rule) {
    let draft = Draft::new(FILTER_EXIT).every_call().text(FIELD_WATCH, path).field(FIELD_PERM, PERM_READ);
    (Purpose::Canary, draft.rule(CANARY_KEY))
}
