//! Numbers of the system calls that rules name, for this machine's programs and their 32-bit twins.

/// An architecture as rules and records write it, and whether it is the 32-bit twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arch {
    pub(super) number: u32,
    pub(super) is_twin: bool,
    calls: &'static Calls,
}

/// What rules are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// open, openat, openat2, creat, truncate, rename*, unlink*, rmdir, link*.
    Names,
    /// open, openat, openat2.
    Opens,
    /// open_by_handle_at: opens without a name.
    Handles,
    /// mount, umount, pivot_root, open_tree, move_mount, fsmount.
    Mounts,
    /// kill, tkill, rt_sigqueueinfo: the process is their first argument, the signal the second.
    Signals,
    /// tgkill: the process is its first argument, the signal the third.
    ThreadSignals,
    /// rt_tgsigqueueinfo, pidfd_send_signal: the process is told by the record of the target.
    OtherSignals,
    /// ptrace: the process is the second argument.
    Traces,
    /// settimeofday, clock_settime, stime.
    Clocks,
    /// execve, execveat.
    Starts,
    /// fork.
    Forks,
    /// clone, which is a fork where its flags say so.
    Clones,
    /// init_module, finit_module, delete_module, kexec_load, kexec_file_load.
    Kernel,
}

#[derive(Debug, PartialEq, Eq)]
struct Calls {
    names: &'static [u32],
    opens: &'static [u32],
    handles: &'static [u32],
    mounts: &'static [u32],
    signals: &'static [u32],
    thread_signals: &'static [u32],
    other_signals: &'static [u32],
    traces: &'static [u32],
    clocks: &'static [u32],
    kernel: &'static [u32],
    starts: &'static [u32],
    forks: &'static [u32],
    clones: &'static [u32],
}

impl Arch {
    pub(super) fn calls(&self, group: Group) -> &'static [u32] {
        match group {
            Group::Names => self.calls.names,
            Group::Opens => self.calls.opens,
            Group::Handles => self.calls.handles,
            Group::Mounts => self.calls.mounts,
            Group::Signals => self.calls.signals,
            Group::ThreadSignals => self.calls.thread_signals,
            Group::OtherSignals => self.calls.other_signals,
            Group::Traces => self.calls.traces,
            Group::Clocks => self.calls.clocks,
            Group::Kernel => self.calls.kernel,
            Group::Starts => self.calls.starts,
            Group::Forks => self.calls.forks,
            Group::Clones => self.calls.clones,
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) const ARCHES: &[Arch] = &[
    Arch {
        number: 0xc000_003e,
        is_twin: false,
        calls: &Calls {
            names: &[2, 257, 437, 85, 76, 82, 264, 316, 87, 263, 84, 86, 265],
            opens: &[2, 257, 437],
            handles: &[304],
            mounts: &[165, 166, 155, 428, 429, 432, 467],
            signals: &[62, 200, 129],
            thread_signals: &[234],
            other_signals: &[297, 424],
            traces: &[101],
            clocks: &[164, 227],
            kernel: &[175, 313, 176, 246, 320],
            starts: &[59, 322],
            forks: &[57],
            clones: &[56],
        },
    },
    Arch {
        number: 0x4000_0003,
        is_twin: true,
        calls: &Calls {
            names: &[5, 295, 437, 8, 92, 193, 38, 302, 353, 10, 301, 40, 9, 303],
            opens: &[5, 295, 437],
            handles: &[342],
            mounts: &[21, 22, 52, 217, 428, 429, 432, 467],
            signals: &[37, 238, 178],
            thread_signals: &[270],
            other_signals: &[335, 424],
            traces: &[26],
            clocks: &[25, 79, 264, 404],
            kernel: &[128, 350, 129, 283],
            starts: &[11, 358],
            forks: &[2],
            clones: &[120],
        },
    },
];

#[cfg(target_arch = "aarch64")]
pub(super) const ARCHES: &[Arch] = &[
    Arch {
        number: 0xc000_00b7,
        is_twin: false,
        calls: &Calls {
            names: &[56, 437, 45, 38, 276, 35, 37],
            opens: &[56, 437],
            handles: &[265],
            mounts: &[40, 39, 41, 428, 429, 432, 467],
            signals: &[129, 130, 138],
            thread_signals: &[131],
            other_signals: &[240, 424],
            traces: &[117],
            clocks: &[170, 112],
            kernel: &[105, 273, 106, 104, 294],
            starts: &[221, 281],
            forks: &[],
            clones: &[220],
        },
    },
    Arch {
        number: 0x4000_0028,
        is_twin: true,
        calls: &Calls {
            names: &[5, 322, 437, 8, 92, 193, 38, 329, 382, 10, 328, 40, 9, 330],
            opens: &[5, 322, 437],
            handles: &[371],
            mounts: &[21, 52, 218, 428, 429, 432, 467],
            signals: &[37, 238, 178],
            thread_signals: &[268],
            other_signals: &[363, 424],
            traces: &[26],
            clocks: &[79, 262, 404],
            kernel: &[128, 379, 129, 347],
            starts: &[11, 387],
            forks: &[2],
            clones: &[120],
        },
    },
];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const ARCHES: &[Arch] = &[];
