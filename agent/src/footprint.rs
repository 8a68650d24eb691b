//! What the agent keeps of the machine's memory: after a start or a burst, pages of the program and its libraries that only
//! that needed are unmapped again, and free memory goes back, so that a resting agent is small beside the office's work.
//!
//! Nothing is lost by it: the pages are those of files, the system's cache keeps them, and the next call that needs one finds
//! it there. `tests/bench sensor` has the figure.

mod pages_ffi;

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::time::Duration;

/// Processor time after which it is worth a look at the pages again: a look costs less than a millisecond.
const WORK: Duration = Duration::from_millis(10);

/// An agent that used less than this part of the time since the last look rests.
const BUSY_PART: u32 = 50;

/// Bytes of `/proc/self/smaps` that are read; the agent's has some 100 KiB.
const SMAPS_BYTES_MAX: u64 = 1 << 20;

/// When pages are given back. No I/O and no clock.
#[derive(Debug, Default)]
struct Rest {
    /// Processor time used at the last giving back.
    given_back: Option<Duration>,
    /// Processor time and moment of the last look.
    looked: Option<(Duration, Duration)>,
}

impl Rest {
    /// Whether this look finds the agent at rest after work; both times only grow.
    fn look(&mut self, used: Duration, now: Duration) -> bool {
        let Some((used_before, before)) = self.looked.replace((used, now)) else { return false };
        let rests = used.saturating_sub(used_before) < now.saturating_sub(before) / BUSY_PART;
        let has_worked = self.given_back.is_none_or(|then| used.saturating_sub(then) >= WORK);
        if rests && has_worked {
            self.given_back = Some(used);
        }
        rests && has_worked
    }
}

/// At the start of a process, before it has threads: memory comes from one arena. By itself the allocator makes one for each
/// thread, of which each keeps its own free pages; the two threads that are ever busy hand on whole batches, and do not wait
/// for each other (`tests/bench sensor`).
pub fn begin() {
    pages_ffi::one_arena();
}

/// The agent's look at its own pages.
#[derive(Debug, Default)]
pub struct Footprint {
    rest: Rest,
}

impl Footprint {
    /// Gives pages back where the agent rests after work. Where `/proc` cannot be read nothing happens.
    pub fn look(&mut self) {
        let of = |clock| Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default();
        let used = of(rustix::time::ClockId::ProcessCPUTime);
        if self.rest.look(used, of(rustix::time::ClockId::Monotonic)) {
            let _ = give_back();
        }
    }
}

fn give_back() -> std::io::Result<()> {
    pages_ffi::trim();
    let mut smaps = String::new();
    File::open("/proc/self/smaps")?.take(SMAPS_BYTES_MAX).read_to_string(&mut smaps)?;
    for mapping in of_programs(&smaps) {
        pages_ffi::unmap(mapping);
    }
    Ok(())
}

/// Mappings of the program and of libraries that nobody wrote to and nobody can write to: every page in them is the file's.
/// They stand until the process ends: nothing here unloads a library.
fn of_programs(smaps: &str) -> Vec<Range<usize>> {
    let mut mappings: Vec<(Range<usize>, bool, u64)> = Vec::new();
    let mut last = None;
    for line in smaps.lines() {
        if let Some(mapping) = header(line) {
            last = Some(mapping).filter(|(_, rights, inode)| *inode != 0 && !rights.contains('w'));
        } else if let Some(size) = line.strip_prefix("Anonymous:") {
            // Relocated pages are read-only, too, and no longer what the file says.
            let is_the_files = size.trim() == "0 kB";
            let mapping = last.take().filter(|_| is_the_files);
            mappings.extend(mapping.map(|(range, rights, inode)| (range, rights.contains('x'), inode)));
        }
    }
    let programs: Vec<u64> = mappings.iter().filter(|(_, runs, _)| *runs).map(|(.., inode)| *inode).collect();
    mappings.retain(|(.., inode)| programs.contains(inode));
    mappings.into_iter().map(|(range, ..)| range).collect()
}

/// `START-END rights offset device inode path`: proc_pid_maps(5).
fn header(line: &str) -> Option<(Range<usize>, &str, u64)> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let hexadecimal = |word| usize::from_str_radix(word, 16).ok();
    let range = hexadecimal(from)?..hexadecimal(to)?;
    let rights = words.next()?;
    let inode = words.nth(2)?.parse().ok()?;
    Some((range, rights, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_given_back_once_at_rest_after_a_start_and_after_work() {
        let mut rest = Rest::default();
        let mut given = Vec::new();
        // Processor time in milliseconds at looks three seconds apart.
        for (at, used) in [300, 900, 910, 915, 919, 4000, 4010, 4013].into_iter().enumerate() {
            let now = Duration::from_secs(3) * u32::try_from(at).unwrap();
            if rest.look(Duration::from_millis(used), now) {
                given.push(at);
            }
        }
        assert_eq!(given, [2, 6]);
    }

    #[test]
    fn only_mappings_of_programs_that_nobody_wrote_to_are_found() {
        let smaps = "\
5500000-5600000 r--p 00000000 fe:00 77  /usr/sbin/ntk-agent\nSize: 4 kB\nAnonymous:             0 kB\n\
5600000-5900000 r-xp 00100000 fe:00 77  /usr/sbin/ntk-agent\nAnonymous:             0 kB\n\
5900000-5a00000 r--p 00400000 fe:00 77  /usr/sbin/ntk-agent\nAnonymous:           560 kB\n\
5a00000-5b00000 rw-p 00500000 fe:00 77  /usr/sbin/ntk-agent\nAnonymous:             0 kB\n\
7f00000-7f10000 r-xp 00000000 fe:00 78  /usr/lib/libc.so.6\nAnonymous:             0 kB\n\
7f20000-7f30000 r--p 00000000 fe:00 79  /usr/lib/locale/locale-archive\nAnonymous:             0 kB\n\
7ff0000-7ff1000 r-xp 00000000 00:00 0  [vdso]\nAnonymous:             0 kB\nnonsense\n";
        let found = of_programs(smaps);
        assert_eq!(found, [0x550_0000..0x560_0000, 0x560_0000..0x590_0000, 0x7f0_0000..0x7f1_0000]);
    }

    #[test]
    fn the_program_runs_on_after_its_pages_were_given_back() {
        give_back().unwrap();
        assert_eq!(std::fs::read("/proc/self/smaps").unwrap().first().map(u8::is_ascii_hexdigit), Some(true));
    }
}
