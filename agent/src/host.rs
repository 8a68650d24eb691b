//! Facts of this machine: what it is, who is on it, which processes are around an access.
//!
//! sysinfo tells of the system, processes and accounts; /proc tells what sysinfo does not know: login uids,
//! sessions and the boot's id. Everything is a snapshot, and nothing here is an actor of an event.

mod around;
#[cfg(target_os = "linux")]
mod lineage;
#[cfg(target_os = "linux")]
mod remote;
mod sessions;
mod shutdown;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ntk_evidence::event::Health;
use ntk_evidence::hash::hex;
use ntk_evidence::time::Moment;
use sha2::{Digest as _, Sha256};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind, Users};

use crate::attribute::Names;
use crate::boot::Parameters;
use crate::classify::{Folders, Mount, OwnHand};
use crate::clock::{self, Clock};
use crate::record::UNSET;

pub use around::Surroundings;
#[cfg(target_os = "linux")]
pub use lineage::RunningProcesses;
#[cfg(target_os = "linux")]
pub use remote::presence;
pub use sessions::{Session, sessions};

/// Accounts are read again for an unknown uid, at most this often.
const ACCOUNTS_EVERY: Duration = Duration::from_secs(30);

/// The kernel's random id of this boot; empty where it cannot be read.
#[cfg(not(windows))]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// An id of this boot, which the first run of the agent in it made; empty where it cannot be kept.
#[cfg(windows)]
pub fn boot_id() -> String {
    let mut random = [0; 16];
    let new = getrandom::fill(&mut random).map(|()| hex(&random));
    new.ok().and_then(|new| crate::windows::system_ffi::boot_id(&new).ok()).unwrap_or_default()
}

/// The generation of this virtual machine: Linux keeps it to itself.
#[cfg(not(windows))]
const fn vm_generation() -> Option<String> {
    None
}

#[cfg(windows)]
use crate::windows::vm_generation_ffi::vm_generation;

/// The build of the operating system: what it says of itself, and Debian's point release, which stands elsewhere.
fn os_build() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let told = [read("/etc/os-release"), read("/usr/lib/os-release")];
    let told = told.iter().find(|text| !text.is_empty())?;
    let of = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    let debian = Some(read("/etc/debian_version").trim().to_owned());
    let parts = [of("ID"), of("BUILD_ID").or_else(|| of("VERSION_ID")), debian];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Some(parts.join(" ")).filter(|text| !text.is_empty())
}

/// This run of the agent's process, and the boot it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The kernel's random id of this boot.
    pub boot_id: String,
    /// Random, made at the start of the process.
    pub run_id: String,
    /// When the process started.
    pub started: Moment,
    /// When the machine was last shut down in order, by its own records.
    pub last_shutdown: Option<Moment>,
    /// SHA-256 of the program file as it started, hex. Another program with the same keys shows here, unless it lies.
    pub binary_sha256: Option<String>,
}

impl Run {
    /// The run that begins now.
    pub fn begin(now: Moment) -> Self {
        let mut random = [0; 16];
        // Without random numbers the time stands in: two runs never begin in one nanosecond.
        if getrandom::fill(&mut random).is_err() {
            random[..8].copy_from_slice(&now.unix_nanos().to_be_bytes());
        }
        // The link of the process itself: a file that was put in its place meanwhile is not what runs.
        let program = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?));
        Self {
            boot_id: boot_id(),
            run_id: hex(&random),
            started: now,
            last_shutdown: shutdown::last(),
            binary_sha256: program.and_then(hash_of).ok(),
        }
    }
}

/// SHA-256 of a file, hex, read piece by piece: the program is many times larger than what it needs to run.
pub(crate) fn hash_of(mut file: File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(piece.get(..n).unwrap_or_default()),
        }
    }
}

/// This machine's name.
pub fn name() -> Option<String> {
    System::host_name().ok()
}

/// Fills the machine's part of a health entry.
pub fn fill(health: &mut Health, run: &Run, clock: &dyn Clock) {
    health.run_id = Some(run.run_id.clone());
    health.binary_sha256.clone_from(&run.binary_sha256);
    health.last_shutdown = run.last_shutdown.map(clock::text);
    health.monotonic_ms = u64::try_from(clock.monotonic().as_millis()).ok();
    health.boottime_ms = u64::try_from(clock.uptime().as_millis()).ok();
    let os = [System::long_os_version().ok(), System::kernel_version().ok()];
    let os: Vec<String> = os.into_iter().flatten().collect();
    health.os = Some(os.join(", kernel ")).filter(|os| !os.is_empty());
    health.os_build = os_build();
    health.boot_id = Some(boot_id()).filter(|id| !id.is_empty());
    health.vm_generation = vm_generation();
    health.boot_parameters = Parameters::now().told();
    health.uptime_s = System::uptime().ok();
    health.sessions = sessions(&Accounts::default()).into_iter().map(|session| session.to_string()).collect();
    let Ok(mut system) = System::new() else { return };
    let own = Pid::from_u32(std::process::id());
    system.refresh_processes_specifics(
        ProcessesToUpdate::All,
        true,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    health.processes = u64::try_from(system.processes().len()).ok();
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, kind);
    health.memory_bytes = system.process(own).map(sysinfo::Process::memory);
}

/// A process around an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Around {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub exe: Option<String>,
    /// Name of the account whose rights it has.
    pub user: Option<String>,
}

/// A process and its parents, nearest first; what has ended already is not there.
pub fn processes_around(pid: u32) -> Vec<Around> {
    const PARENTS_MAX: usize = 32;
    let (Ok(mut system), Ok(users)) = (System::new(), Users::new_with_refreshed_list()) else {
        return Vec::new();
    };
    let kind = ProcessRefreshKind::nothing()
        .with_exe(UpdateKind::Always)
        .with_user(UpdateKind::Always)
        .without_tasks();
    let mut around = Vec::new();
    let mut next = Some(Pid::from_u32(pid));
    while let Some(pid) = next.filter(|_| around.len() < PARENTS_MAX) {
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        let Some(process) = system.process(pid) else { break };
        let user = process.user_id().and_then(|uid| users.get_user_by_id(uid));
        around.push(Around {
            pid: pid.as_u32(),
            exe: process.exe().map(|exe| exe.to_string_lossy().into_owned()),
            user: user.map(|user| user.name().to_owned()),
        });
        next = process.parent();
    }
    around
}

/// The machine's accounts by uid, read when first asked and again for unknown ones.
#[derive(Debug, Default)]
pub struct Accounts {
    known: Mutex<(HashMap<u32, String>, Option<Instant>)>,
}

impl Names for Accounts {
    fn user_name(&self, uid: u32) -> Option<String> {
        let mut known = self.known.lock().ok()?;
        if let Some(name) = known.0.get(&uid) {
            return Some(name.clone());
        }
        if known.1.is_none_or(|read| read.elapsed() >= ACCOUNTS_EVERY) {
            known.1 = Some(Instant::now());
            known.0 = accounts();
        }
        known.0.get(&uid).cloned()
    }

    fn login_of(&self, pid: u32) -> Option<(u32, u32)> {
        let process = std::path::PathBuf::from(format!("/proc/{pid}"));
        sessions::number(&process, "loginuid").zip(sessions::number(&process, "sessionid"))
    }

    fn parents_of(&self, pid: u32) -> Vec<u32> {
        const PARENTS_MAX: usize = 16;
        let parent = |pid: &u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            line.trim().parse().ok().filter(|parent| *parent > 1)
        };
        std::iter::successors(parent(&pid), parent).take(PARENTS_MAX).collect()
    }
}

fn accounts() -> HashMap<u32, String> {
    let Ok(users) = Users::new_with_refreshed_list() else { return HashMap::new() };
    let one = |user: &sysinfo::User| Some((user.id().to_string().parse().ok()?, user.name().to_owned()));
    users.iter().filter_map(one).collect()
}

/// Looks up open folders in /proc.
#[derive(Clone, Copy, Debug)]
pub struct OpenFolders;

impl Folders for OpenFolders {
    fn folder(&self, pid: u32, descriptor: i32) -> Option<String> {
        let path = std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        path.to_str().filter(|path| path.starts_with('/')).map(str::to_owned)
    }

    fn mounts(&self, pid: u32) -> Vec<Mount> {
        mounts(pid)
    }

    #[cfg(target_os = "linux")]
    fn is_overlay(&self, pid: u32, descriptor: i32) -> Option<bool> {
        /// `OVERLAYFS_SUPER_MAGIC` of linux/magic.h.
        const OVERLAY: u64 = 0x794c_7630;
        let system = rustix::fs::statfs(format!("/proc/{pid}/fd/{descriptor}")).ok()?;
        Some(u64::try_from(system.f_type).ok() == Some(OVERLAY))
    }
}

/// Mount namespaces that are looked at beside this one's.
const NAMESPACES_MAX: usize = 64;

/// The file systems that a process sees; where it is gone, those of every namespace.
pub fn mounts(pid: u32) -> Vec<Mount> {
    let (Some(theirs), Some(namespace)) = (table(pid), namespace(pid)) else { return all_mounts() };
    let own = table(std::process::id()).unwrap_or_default();
    let is_own = Some(namespace) == self::namespace(std::process::id());
    theirs.into_iter().map(|mount| if is_own { mount } else { seen_from(&own, mount) }).collect()
}

/// The file systems of every namespace that a process lives in.
pub fn all_mounts() -> Vec<Mount> {
    let own = table(std::process::id()).unwrap_or_default();
    let mut known: Vec<_> = namespace(std::process::id()).into_iter().collect();
    let mut all = own.clone();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let Some(found) = namespace(pid).filter(|found| !known.contains(found)) else { continue };
        if known.len() > NAMESPACES_MAX {
            break;
        }
        known.push(found);
        let theirs = table(pid).unwrap_or_default().into_iter().map(|mount| seen_from(&own, mount));
        all.extend(theirs.filter(|mount| mount.is_elsewhere));
    }
    all
}

fn seen_from(own: &[Mount], mount: Mount) -> Mount {
    Mount { is_elsewhere: !own.contains(&mount), ..mount }
}

fn table(pid: u32) -> Option<Vec<Mount>> {
    let table = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
    Some(table.lines().filter_map(Mount::parse).collect())
}

fn namespace(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()
}

/// A process of this agent as the kernel stamps it.
pub fn own_hand(pid: u32) -> OwnHand {
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok()?;
        text.trim().parse().ok().filter(|number| *number != UNSET)
    };
    OwnHand { pid, login_uid: number("loginuid"), session: number("sessionid") }
}

/// The agent that records on this machine, as any account can see it: root's process of this name that was told to run.
#[cfg(target_os = "linux")]
pub fn agent_process() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let is_agent = |path: &std::path::Path| {
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
        read("comm").trim() == "ntk-agent"
            && read("cmdline").split('\0').nth(1) == Some("run")
            && std::fs::metadata(path).is_ok_and(|metadata| metadata.uid() == 0)
    };
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| is_agent(std::path::Path::new(&format!("/proc/{pid}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::RealClock;

    #[test]
    fn this_machine_and_process_are_known() {
        let mut health = Health::default();
        fill(&mut health, &Run::begin(RealClock.now()), &RealClock);
        assert!(health.boottime_ms >= health.monotonic_ms && health.monotonic_ms > Some(0));
        assert!(health.os.is_some() && health.uptime_s.is_some());
        assert!(health.processes.is_some_and(|n| n > 1), "{health:?}");
        assert!(health.memory_bytes.is_some_and(|bytes| bytes > 100_000), "{health:?}");
        let around = processes_around(std::process::id());
        let first = &around[0];
        assert_eq!(first.pid, std::process::id());
        assert!(first.exe.as_deref().is_some_and(|exe| exe.contains("ntk")), "{around:?}");
        assert!(around.len() > 1, "{around:?}");
        assert_eq!(processes_around(u32::MAX - 7), []);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn uids_have_names_and_unknown_ones_have_none() {
        let accounts = Accounts::default();
        assert_eq!(accounts.user_name(0).as_deref(), Some("root"));
        assert_eq!(accounts.user_name(3_999_999_999), None);
        let here = std::fs::canonicalize(env!("CARGO_MANIFEST_DIR")).unwrap();
        let folder = File::open(&here).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&folder);
        let found = OpenFolders.folder(std::process::id(), descriptor);
        assert_eq!(found.as_deref(), here.to_str());
        assert_eq!(OpenFolders.folder(std::process::id(), 9999), None);
    }
}
