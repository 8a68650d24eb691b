//! Remote-access tools that are installed, that start by themselves, or that run: by the data file of known ones.

use ntk_evidence::event::{Holding, HoldingKind};
use serde::Deserialize;

use super::units::PACKAGED;
use crate::inventory::list::List;
use crate::inventory::root::Root;
use crate::inventory::running::Running;

const DATA: &str = include_str!("../../../data/remote_tools.toml");

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
    use std::collections::BTreeSet;

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
}
