//! The remote-support tools that are known by their programs and services on Windows, from a data file that people add to.

use serde::Deserialize;

use crate::path::file_name;

const DATA: &str = include_str!("../../data/remote_tools_windows.toml");

/// Shells: one that was given no command waits for what somebody types.
const SHELLS: &[&str] = &["cmd.exe", "powershell.exe", "pwsh.exe", "bash.exe", "wsl.exe"];

/// A remote-support tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Its name, as people say it, and as the list for Linux has it.
    pub name: String,
    /// Names of its programs, in lower case.
    pub programs: Vec<String>,
    /// Keys of its services, in lower case; `*` at the end stands for anything.
    pub services: Vec<String>,
    /// Those of its programs that run only while somebody is connected, in lower case.
    #[serde(default)]
    pub connected: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tool: Vec<Tool>,
}

/// The tools that are known.
#[derive(Clone, Debug, Default)]
pub struct Tools(Vec<Tool>);

impl Tools {
    /// Those of the data file. A file that cannot be read is none: a test holds it.
    pub fn built_in() -> Self {
        Self(toml::from_str::<File>(DATA).map(|file| file.tool).unwrap_or_default())
    }

    /// The tool that a program belongs to, by its name.
    pub fn of_program(&self, exe: &str) -> Option<&Tool> {
        let name = file_name(exe);
        self.0.iter().find(|tool| tool.programs.contains(&name))
    }

    /// The tool that a service belongs to, by its key.
    pub fn of_service(&self, key: &str) -> Option<&Tool> {
        let key = key.to_lowercase();
        let is_it = |known: &String| match known.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => *known == key,
        };
        self.0.iter().find(|tool| tool.services.iter().any(is_it))
    }

    /// The tool that an installed program's title begins with, as a word: `TeamViewer 15`.
    pub fn of_title(&self, title: &str) -> Option<&Tool> {
        let begins = |tool: &&Tool| {
            // Some names are words of everyday: the program itself tells of those.
            let rest = title.strip_prefix(tool.name.as_str()).filter(|_| tool.name.len() > 4);
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        self.0.iter().find(begins)
    }

    /// Whether a program runs only while somebody is connected.
    pub fn runs_while_connected(&self, exe: &str) -> bool {
        let name = file_name(exe);
        self.0.iter().any(|tool| tool.connected.contains(&name))
    }
}

/// Whether a program is a shell that was given no command and no script.
pub(crate) fn is_bare_shell(exe: &str, command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let waits =
        words.iter().all(|word| word.eq_ignore_ascii_case("-noexit") || word.eq_ignore_ascii_case("/k"));
    SHELLS.contains(&file_name(exe).as_str()) && waits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_whole_and_names_no_program_twice() {
        let file: File = toml::from_str(DATA).unwrap();
        for tool in &file.tool {
            for program in &tool.programs {
                assert_eq!(*program, file_name(program), "{}", tool.name);
                let n_tools = file.tool.iter().filter(|other| other.programs.contains(program)).count();
                assert_eq!(n_tools, 1, "{program}");
            }
            assert!(tool.connected.iter().all(|program| tool.programs.contains(program)), "{}", tool.name);
            assert!(tool.services.iter().all(|key| *key == key.to_lowercase()), "{}", tool.name);
        }
        let tools = Tools::built_in();
        assert_eq!(tools.of_program(r"C:\Program Files\AnyDesk\AnyDesk.exe").unwrap().name, "AnyDesk");
        assert_eq!(tools.of_service("ScreenConnect Client (0123abcd)").unwrap().name, "ScreenConnect");
        assert!(tools.of_program(r"C:\Windows\System32\cmd.exe").is_none());
    }

    #[test]
    fn a_shell_without_a_command_waits_for_somebody() {
        assert!(is_bare_shell(r"C:\Windows\System32\cmd.exe", "cmd.exe"));
        assert!(is_bare_shell(r"C:\Windows\System32\cmd.exe", ""));
        assert!(!is_bare_shell(r"C:\Windows\System32\cmd.exe", "cmd.exe /c dir"));
        assert!(!is_bare_shell(r"C:\Windows\System32\whoami.exe", "whoami"));
    }
}
