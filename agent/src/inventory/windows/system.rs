//! What an inventory asks of a Windows: its registry, and who stands behind a security identifier. A trait, so that all
//! that is made of the answers runs on every system.

use std::collections::BTreeMap;

/// Most of one value that is taken; longer ones give nothing.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Most keys of one key, and most values.
pub const NAMES_MAX: usize = 4096;

/// A value of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, with or without names of the environment in it.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// A number.
    Number(u64),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Value {
    /// A value as the registry keeps it (winnt.h: 1 `REG_SZ`, 2 `REG_EXPAND_SZ`, 4 `REG_DWORD`, 7 `REG_MULTI_SZ`, 11
    /// `REG_QWORD`). Whoever wrote it need not have ended its texts with 0, or given a number its length.
    pub fn of(kind: u32, bytes: &[u8]) -> Self {
        let text = || {
            let (pairs, _) = bytes.as_chunks::<2>();
            String::from_utf16_lossy(&pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect::<Vec<_>>())
        };
        match (kind, bytes) {
            (1 | 2, _) => Self::Text(text().split('\0').next().unwrap_or_default().to_owned()),
            (7, _) => {
                let text = text();
                Self::Texts(text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            (4, &[a, b, c, d]) => Self::Number(u32::from_le_bytes([a, b, c, d]).into()),
            (11, &[a, b, c, d, e, f, g, h]) => Self::Number(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// An account of the machine itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAccount {
    /// Its name.
    pub name: String,
    /// Whether nobody can sign in to it.
    pub is_disabled: bool,
    /// Whether it may have no password.
    pub needs_no_password: bool,
}

/// See the module. Keys are written from their hive: `HKLM\SOFTWARE`, `HKU\S-1-5-21-...`.
pub trait System {
    /// Names of the keys below a key, sorted; none where it is not there.
    fn keys(&self, key: &str) -> Vec<String>;
    /// The values of a key by name, sorted; none where it is not there.
    fn values(&self, key: &str) -> Vec<(String, Value)>;
    /// The account or group behind a security identifier: its name, before it `DOMAIN\` where it is not this machine's.
    fn account(&self, sid: &str) -> Option<String>;
    /// Members of a local group; one that has no name any more by its identifier.
    fn members(&self, sid: &str) -> Result<Vec<String>, String>;
    /// The machine's own accounts.
    fn accounts(&self) -> Result<Vec<LocalAccount>, String>;
    /// Sentences about what could not be read.
    fn unread(&self) -> Vec<String>;

    /// A value, whatever the case of its name.
    fn value(&self, key: &str, name: &str) -> Option<Value> {
        let is_it = |(known, _): &(String, Value)| known.eq_ignore_ascii_case(name);
        self.values(key).into_iter().find(is_it).map(|(_, value)| value)
    }

    /// A value that is text.
    fn text(&self, key: &str, name: &str) -> Option<String> {
        match self.value(key, name)? {
            Value::Text(text) => Some(text).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A value that is a number.
    fn number(&self, key: &str, name: &str) -> Option<u64> {
        match self.value(key, name)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// The names of the environment that stand in the paths of services and tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    names: BTreeMap<String, String>,
}

impl Environment {
    /// As the registry has them; where it has none, as every Windows has them.
    pub fn read(system: &dyn System) -> Self {
        const NT: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion";
        const WINDOWS: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion";
        let or = |found: Option<String>, usual: &str| found.unwrap_or_else(|| usual.to_owned());
        let folder = or(system.text(NT, "SystemRoot"), r"C:\Windows");
        let drive = folder.get(..2).unwrap_or("C:").to_owned();
        let names = [
            ("windir", folder.clone()),
            ("systemroot", folder),
            ("programdata", format!("{drive}\\ProgramData")),
            ("systemdrive", drive),
            ("programfiles", or(system.text(WINDOWS, "ProgramFilesDir"), r"C:\Program Files")),
            (
                "programfiles(x86)",
                or(system.text(WINDOWS, "ProgramFilesDir (x86)"), r"C:\Program Files (x86)"),
            ),
        ];
        Self { names: names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// The folder of Windows.
    pub fn windows(&self) -> &str {
        self.names.get("systemroot").map_or(r"C:\Windows", String::as_str)
    }

    /// A text with `%NAME%` replaced where the name is known.
    pub fn expand(&self, text: &str) -> String {
        let mut parts = text.split('%');
        let mut out = parts.next().unwrap_or_default().to_owned();
        let mut is_name = true;
        let parts: Vec<&str> = parts.collect();
        for (nth, part) in parts.iter().enumerate() {
            let value = self.names.get(&part.to_lowercase());
            // The last part has no second `%`.
            match value.filter(|_| is_name && nth.saturating_add(1) < parts.len()) {
                Some(value) => {
                    out.push_str(value);
                    is_name = false;
                }
                None => {
                    if is_name {
                        out.push('%');
                    }
                    out.push_str(part);
                    is_name = true;
                }
            }
        }
        out
    }

    /// The program of a command line of Windows, as a whole path where that can be told: what stands in quotes, or all up
    /// to the first `.exe` and the like (CreateProcessW, lpCommandLine), else the first word. Never an argument.
    pub fn program(&self, command: &str) -> String {
        const ENDS: &[&str] =
            &[".exe", ".com", ".bat", ".cmd", ".dll", ".sys", ".vbs", ".ps1", ".js", ".msc"];
        let text = self.expand(command.trim());
        let path = if let Some(rest) = text.strip_prefix('"') {
            rest.split('"').next().unwrap_or_default().to_owned()
        } else {
            let lower = text.to_ascii_lowercase();
            let ends = |end: &&str| {
                let at = lower.find(end)?.saturating_add(end.len());
                let is_whole = lower.get(at..)?.starts_with([' ', '\t', '"', ',']) || at == lower.len();
                is_whole.then_some(at)
            };
            let at = ENDS.iter().filter_map(ends).min();
            let word = || text.split_whitespace().next().unwrap_or_default();
            at.and_then(|at| text.get(..at)).unwrap_or_else(word).to_owned()
        };
        let path = path.strip_prefix(r"\??\").unwrap_or(&path).to_owned();
        let below =
            |prefix: &str| path.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix));
        if below(r"\SystemRoot\").is_some() {
            return format!("{}\\{}", self.windows(), path.get(r"\SystemRoot\".len()..).unwrap_or_default());
        }
        if below(r"System32\").is_some() {
            return format!("{}\\{path}", self.windows());
        }
        path
    }

    /// Whether a program is one of those that come with Windows and run nothing but itself: it lies where Windows has its
    /// own, and is none that runs whatever it is told to.
    pub fn is_of_windows(&self, program: &str) -> bool {
        const FOLDERS: &[&str] =
            &["System32", "SysWOW64", "servicing", "WinSxS", "Microsoft.NET", "SystemApps"];
        const RUNS_OTHERS: &[&str] = &[
            "cmd.exe",
            "powershell.exe",
            "powershell_ise.exe",
            "rundll32.exe",
            "regsvr32.exe",
            "wscript.exe",
            "cscript.exe",
            "mshta.exe",
            "conhost.exe",
            "schtasks.exe",
            "msiexec.exe",
            "bash.exe",
            "wsl.exe",
            "forfiles.exe",
            "wmic.exe",
            "installutil.exe",
            "msbuild.exe",
            "srvany.exe",
            "ssh.exe",
            "sshd.exe",
        ];
        let name = ntk_windows::path::file_name(program);
        if RUNS_OTHERS.contains(&name.as_str()) {
            return false;
        }
        // A name alone is looked for by the system, first among its own.
        if !program.contains('\\') {
            return matches!(name.as_str(), "svchost.exe" | "services.exe" | "lsass.exe");
        }
        // Anything may follow a step back.
        let is_plain = !program.split(['\\', '/']).any(|part| part == "..");
        is_plain
            && FOLDERS
                .iter()
                .any(|folder| crate::watch_list::is_below(&format!("{}\\{folder}", self.windows()), program))
    }
}

/// Whether an account is the system's own: nobody signs in to it.
pub fn is_system(account: &str) -> bool {
    let lower = account.to_lowercase();
    matches!(
        lower.as_str(),
        "system" | "localsystem" | "local service" | "network service" | "s-1-5-18" | "s-1-5-19" | "s-1-5-20"
    ) || lower.starts_with("nt authority\\")
        || lower.starts_with("nt service\\")
        || lower.starts_with("nt-autorität\\")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn environment() -> Environment {
        Environment::read(&crate::inventory::windows::fake::Fake::default())
    }

    #[test]
    fn values_are_read_whatever_their_writer_left_out() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(Value::of(1, &wide("a b\0rest")), Value::Text("a b".into()));
        assert_eq!(Value::of(2, &wide("ü")), Value::Text("ü".into()));
        assert_eq!(Value::of(7, &wide("a\0b\0\0")), Value::Texts(vec!["a".into(), "b".into()]));
        assert_eq!(Value::of(4, &[1, 0, 0, 0]), Value::Number(1));
        assert_eq!(Value::of(4, &[1]), Value::Bytes(vec![1]));
        assert_eq!(Value::of(3, &[9]), Value::Bytes(vec![9]));
    }

    #[test]
    fn the_program_of_a_command_line_is_told_and_its_arguments_are_not() {
        let environment = environment();
        for (command, program) in [
            (r#""C:\Program Files\X\x.exe" --token hunter2"#, r"C:\Program Files\X\x.exe"),
            (r"C:\Program Files\X Y\x.exe -k hunter2", r"C:\Program Files\X Y\x.exe"),
            (r"%SystemRoot%\system32\svchost.exe -k netsvcs -p", r"C:\Windows\system32\svchost.exe"),
            (r"\SystemRoot\System32\drivers\a.sys", r"C:\Windows\System32\drivers\a.sys"),
            (r"\??\C:\x\b.sys", r"C:\x\b.sys"),
            (r"System32\lsass.exe", r"C:\Windows\System32\lsass.exe"),
            (r"C:\x\run.execute.cmd /p hunter2", r"C:\x\run.execute.cmd"),
            ("powershell -enc hunter2", "powershell"),
            (r"%NONE%\100%\a.exe", r"%NONE%\100%\a.exe"),
            ("", ""),
        ] {
            assert_eq!(environment.program(command), program, "{command}");
        }
    }

    #[test]
    fn what_runs_others_or_lies_elsewhere_is_not_windows_own() {
        let environment = environment();
        for (program, is) in [
            (r"c:\windows\SYSTEM32\spoolsv.exe", true),
            (r"C:\Windows\Microsoft.NET\Framework64\v4\mscorsvw.exe", true),
            (r"C:\Windows\System32\cmd.exe", false),
            (r"C:\Windows\System32\..\..\x.exe", false),
            (r"C:\Windows\PSEXESVC.exe", false),
            (r"C:\Windows\Temp\System32\x.exe", false),
            (r"C:\Program Files\X\x.exe", false),
            ("x.exe", false),
        ] {
            assert_eq!(environment.is_of_windows(program), is, "{program}");
        }
    }

    proptest! {
        // EV-2
        #[test]
        fn any_command_has_a_program(command in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0u32..12) {
            let _ = environment().program(&command);
            let _ = Value::of(kind, &bytes);
        }
    }
}
