//! Which programs run on the machine, and on which ports somebody listens.

use std::collections::BTreeSet;

use super::root::Root;

/// What runs on the machine and on which ports somebody listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Names of programs, in lower case.
    pub programs: BTreeSet<String>,
    /// TCP ports with a listener.
    pub ports: BTreeSet<u16>,
}

impl Running {
    /// What runs now.
    pub fn now(root: &Root) -> Self {
        let mut running = Self::default();
        // Only Linux has these files; elsewhere no port is known.
        let tables: &[&str] = if root.is_caseless() { &[] } else { &["/proc/net/tcp", "/proc/net/tcp6"] };
        for table in tables {
            running.ports.extend(root.read(table).unwrap_or_default().lines().filter_map(listener));
        }
        let Ok(mut system) = sysinfo::System::new() else { return running };
        let kind =
            sysinfo::ProcessRefreshKind::nothing().with_exe(sysinfo::UpdateKind::Always).without_tasks();
        system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::All, true, kind);
        for process in system.processes().values() {
            let exe = process
                .exe()
                .and_then(|exe| exe.file_name())
                .map(|name| name.to_string_lossy().to_lowercase());
            running.programs.extend(exe);
            running.programs.insert(process.name().to_string_lossy().to_lowercase());
        }
        running
    }
}

/// The local port of a line of /proc/net/tcp that stands for a listener (state 0A).
fn listener(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace();
    let local = words.nth(1)?;
    let state = words.nth(1)?;
    let port = local.rsplit_once(':')?.1;
    u16::from_str_radix(port, 16).ok().filter(|_| state == "0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_count() {
        let line =
            "   0: 00000000:16DA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1";
        assert_eq!(listener(line), Some(5850));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
    }
}
