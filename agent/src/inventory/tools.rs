//! Remote-access tools that are installed, that start by themselves, or that run: by the data file of known ones.

use std::collections::BTreeSet;

use ntk_evidence::event::{Holding, HoldingKind};
use serde::Deserialize;

use super::list::List;
use super::root::Root;
use super::units::PACKAGED;

const DATA: &str = include_str!("../../data/remote_tools.toml");

/// One known tool; the data file says what its fields mean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// As people say it.
    pub name: String,
    /// Names of its programs, in lower case.
    pub processes: Vec<String>,
    /// Names of its units.
    pub services: Vec<String>,
    /// What is there when it is installed.
    pub paths: Vec<String>,
    /// TCP ports on which it listens by default.
    pub ports: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: Vec<Tool>,
}

/// The tools of the data file.
pub fn known() -> Vec<Tool> {
    toml::from_str(DATA).map(|file: File| file.tool).unwrap_or_default()
}

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
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
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

/// Lists the tools that are here.
pub(super) fn list(root: &Root, running: &Running, list: &mut List) {
    let folders = PACKAGED.iter().chain(&["/etc/systemd/system"]);
    let units: Vec<(String, bool)> = folders
        .flat_map(|folder| {
            let wanted = root.names(&format!("{folder}/multi-user.target.wants"));
            root.names(folder)
                .into_iter()
                .map(|name| (name, false))
                .chain(wanted.into_iter().map(|name| (name, true)))
        })
        .collect();
    for tool in known() {
        let installed = tool.paths.iter().find(|path| root.is_there(path));
        let unit = |wanted: bool| {
            units.iter().find(|(name, by_itself)| *by_itself >= wanted && is_unit_of(&tool, name))
        };
        let runs = tool.processes.iter().any(|name| running.programs.contains(name));
        let mut said = Vec::new();
        said.extend(installed.map(|path| format!("installed ({path})")));
        if let Some((name, _)) = unit(true) {
            said.push(format!("starts by itself ({name})"));
        } else if let Some((name, _)) = unit(false) {
            said.push(format!("has a unit ({name})"));
        }
        if runs && installed.is_none() {
            said.push("runs without being installed".to_owned());
        }
        if said.is_empty() {
            continue;
        }
        let ports: Vec<String> =
            tool.ports.iter().filter(|port| running.ports.contains(port)).map(u16::to_string).collect();
        if !ports.is_empty() {
            said.push(format!("port {} is open", ports.join(", ")));
        }
        let detail = Some(said.join(", "));
        list.add(Holding { detail, ..List::of::<&str>(HoldingKind::RemoteTool, &tool.name, &[]) });
    }
}

fn is_unit_of(tool: &Tool, unit: &str) -> bool {
    let name = unit.strip_suffix(".service").or_else(|| unit.strip_suffix(".socket")).unwrap_or(unit);
    tool.services.iter().any(|service| match service.strip_suffix('*') {
        Some(begin) => name.starts_with(begin),
        None => name == service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_sound_and_no_name_stands_twice() {
        let tools = known();
        assert!(tools.len() > 10);
        let mut names = BTreeSet::new();
        for tool in &tools {
            assert!(names.insert(&tool.name), "{} stands twice", tool.name);
            assert!(!tool.processes.is_empty() && !tool.paths.is_empty(), "{}", tool.name);
            assert!(tool.paths.iter().all(|path| path.starts_with('/')), "{}", tool.name);
            assert!(tool.processes.iter().all(|name| *name == name.to_lowercase()), "{}", tool.name);
        }
    }

    #[test]
    fn a_tool_is_told_by_its_path_unit_or_process_and_never_by_a_port_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let root = Root::at(scratch.path());
        std::fs::create_dir_all(root.path("/usr/NX")).unwrap();
        std::fs::create_dir_all(root.path("/etc/systemd/system/multi-user.target.wants")).unwrap();
        std::fs::write(root.path("/etc/systemd/system/multi-user.target.wants/anydesk.service"), "").unwrap();
        let running = Running {
            programs: BTreeSet::from(["rustdesk".to_owned(), "bash".to_owned()]),
            ports: BTreeSet::from([5938, 4000]),
        };
        let mut found = List::default();
        list(&root, &running, &mut found);
        let lines: Vec<String> = found.finish().0.iter().map(crate::inventory::text::line).collect();
        assert_eq!(
            lines,
            [
                "remote_tool AnyDesk [] starts by itself (anydesk.service)",
                "remote_tool NoMachine [] installed (/usr/NX), port 4000 is open",
                "remote_tool RustDesk [] runs without being installed",
            ]
        );
    }

    #[test]
    fn only_listeners_count() {
        let line =
            "   0: 00000000:16DA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1";
        assert_eq!(listener(line), Some(5850));
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
    }
}
