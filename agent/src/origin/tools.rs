//! The remote-support tools that are known, from two data files that ship with the program.

use serde::Deserialize;

const TOOLS: &str = include_str!("../../data/remote_tools.toml");
const SESSIONS: &str = include_str!("../../data/remote_sessions.toml");

/// A remote-support tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tool {
    /// Its name, as people say it.
    pub name: String,
    /// Names of its programs, in lower case.
    pub processes: Vec<String>,
    /// Files or folders that are there when it is installed.
    #[serde(default)]
    pub paths: Vec<String>,
    /// TCP ports on which it listens by default.
    #[serde(default)]
    pub ports: Vec<u16>,
}

/// A program that runs only while somebody is connected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Connected {
    tool: String,
    process: String,
    /// A word of its command line, where the program has other uses too.
    argument: Option<String>,
}

#[derive(Deserialize)]
struct ToolsFile {
    tool: Vec<Tool>,
}

#[derive(Deserialize)]
struct SessionsFile {
    session: Vec<Connected>,
}

/// The tools that are known.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    tools: Vec<Tool>,
    connected: Vec<Connected>,
}

impl Tools {
    /// Those of the data files. A file that cannot be read is none: the tests hold both.
    pub fn built_in() -> Self {
        let tools = toml::from_str::<ToolsFile>(TOOLS).map(|file| file.tool).unwrap_or_default();
        let connected = toml::from_str::<SessionsFile>(SESSIONS).map(|file| file.session).unwrap_or_default();
        Self { tools, connected }
    }

    /// The tool that a program belongs to: by its name, or because it lies in the tool's folder.
    pub fn of_program(&self, exe: &str) -> Option<&Tool> {
        let name = file_name(exe);
        let is_named = |tool: &&Tool| tool.processes.contains(&name);
        let lies_in = |tool: &&Tool| {
            tool.paths.iter().any(|path| {
                exe.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        self.tools.iter().find(is_named).or_else(|| self.tools.iter().find(lies_in))
    }

    /// Whether a program of a tool runs only while somebody is connected.
    pub fn runs_while_connected(&self, tool: &str, exe: &str, words: &[String]) -> bool {
        let name = file_name(exe);
        self.connected.iter().any(|connected| {
            let asks = |argument: &String| words.iter().skip(1).any(|word| word == argument);
            connected.tool == tool
                && connected.process == name
                && connected.argument.as_ref().is_none_or(asks)
        })
    }

    /// Whether a connection to a tool's port is taken as a session: not where a program of its own tells better.
    pub fn is_told_by_connections(&self, tool: &str) -> bool {
        !self.connected.iter().any(|connected| connected.tool == tool && connected.argument.is_none())
    }
}

/// The last part of a path, in lower case; without what the kernel says of a file that was deleted.
fn file_name(exe: &str) -> String {
    let exe = exe.strip_suffix(" (deleted)").unwrap_or(exe);
    exe.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_files_are_whole_and_speak_of_the_same_tools() {
        let tools: ToolsFile = toml::from_str(TOOLS).unwrap();
        let sessions: SessionsFile = toml::from_str(SESSIONS).unwrap();
        for name in
            ["AnyDesk", "TeamViewer", "RustDesk", "ScreenConnect", "VNC", "xrdp", "NoMachine", "MeshCentral"]
        {
            assert!(tools.tool.iter().any(|tool| tool.name == name), "{name}");
        }
        for tool in &tools.tool {
            assert!(!tool.processes.is_empty(), "{}", tool.name);
            for process in &tool.processes {
                assert_eq!(*process, file_name(process), "{}", tool.name);
                let twice = tools.tool.iter().filter(|other| other.processes.contains(process)).count();
                assert_eq!(twice, 1, "{process} is one tool's");
            }
        }
        for session in &sessions.session {
            let tool = tools.tool.iter().find(|tool| tool.name == session.tool);
            assert!(tool.is_some_and(|tool| tool.processes.contains(&session.process)), "{session:?}");
        }
    }

    #[test]
    fn a_program_is_a_tools_by_name_or_folder_and_not_by_likeness() {
        let tools = Tools::built_in();
        let tool = |exe: &str| tools.of_program(exe).map_or("-", |tool| tool.name.as_str());
        assert_eq!(tool("/home/x/Downloads/AnyDesk"), "AnyDesk");
        assert_eq!(tool("/tmp/rustdesk (deleted)"), "RustDesk");
        assert_eq!(tool("/opt/teamviewer/tv_bin/script/x"), "TeamViewer");
        assert_eq!(tool("/usr/bin/rustdeskish"), "-");
        assert_eq!(tool("/opt/teamviewer-logs/cat"), "-");
        assert_eq!(tool("/usr/sbin/sshd"), "-");
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(tools.runs_while_connected("RustDesk", "/usr/bin/rustdesk", &words("rustdesk --cm")));
        assert!(!tools.runs_while_connected("RustDesk", "/usr/bin/rustdesk", &words("rustdesk --service")));
    }
}
