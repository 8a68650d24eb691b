//! Masks what a Windows command line shows of secrets: it travels and is kept, and a secret in it would be one more copy.
//!
//! It finds what is obvious and no more: the value of an option whose name says that it is a secret, after `:`, `=` or a
//! space; the password that `net user`, `net use`, `cmdkey`, `schtasks`, `psexec` and `wmic` take; a password in a web
//! address. A secret that stands alone in a script's text stays.

/// Longest command line that is told, in bytes; the rest is cut off.
pub const COMMAND_BYTES_MAX: usize = 4096;

/// What stands in place of a secret.
const MASK: &str = "***";

/// Parts of the name of an option or variable whose value is a secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "credential",
    "securestring",
];

/// Names that hold such a part and whose value is none.
const NO_SECRETS: &[&str] =
    &["passwordneverexpires", "password-file", "passwordfile", "passwordreq", "passwordchg", "token-file"];

/// Options that are a password's only with these programs.
const SHORT: &[(&str, &[&str])] = &[
    ("psexec", &["-p", "/p"]),
    ("psexec64", &["-p", "/p"]),
    ("schtasks", &["/p", "/rp"]),
    ("cmdkey", &["/pass", "/p"]),
    ("sshpass", &["-p"]),
    ("plink", &["-pw"]),
    ("pscp", &["-pw"]),
    ("putty", &["-pw"]),
    ("winscp", &["/passphrase"]),
    ("7z", &["-p"]),
    ("rar", &["-p", "-hp"]),
    ("curl", &["-u", "--user"]),
    ("anydesk", &["--set-password"]),
];

/// A command line with its obvious secrets masked, at most [`COMMAND_BYTES_MAX`] long.
pub fn masked(command: &str) -> String {
    let words: Vec<&str> = command.split(' ').collect();
    let mut out = String::with_capacity(command.len().min(COMMAND_BYTES_MAX));
    let mut program = String::new();
    let mut hides_next = false;
    // Where in `net user NAME PASSWORD` or `net use [DRIVE:] PLACE PASSWORD` the words are.
    let mut net = Net::Elsewhere;
    for (nth, word) in words.iter().enumerate() {
        if nth > 0 {
            out.push(' ');
        }
        if out.len() > COMMAND_BYTES_MAX {
            break;
        }
        let bare = word.trim_matches(['"', '\'']);
        if bare.is_empty() {
            out.push_str(word);
            continue;
        }
        if std::mem::take(&mut hides_next) {
            out.push_str(MASK);
            continue;
        }
        let name = crate::path::file_name(bare);
        let name = name.strip_suffix(".exe").unwrap_or(&name).to_owned();
        if SHORT.iter().any(|(known, _)| *known == name) || matches!(name.as_str(), "net" | "net1") {
            program = name;
        } else if matches!(program.as_str(), "net" | "net1") && !bare.starts_with('/') {
            let was = std::mem::replace(&mut net, Net::Elsewhere);
            net = match (was, name.as_str()) {
                (Net::Password, _) if bare != "*" => {
                    out.push_str(MASK);
                    continue;
                }
                (Net::Elsewhere, "user") => Net::Name,
                (Net::Elsewhere, "use") => Net::Place,
                (Net::Name, _) => Net::Password,
                (Net::Place, _) if bare.starts_with("\\\\") => Net::Password,
                (Net::Place, _) => Net::Place,
                (Net::Elsewhere | Net::Password, _) => Net::Elsewhere,
            };
        }
        match hidden_from(bare, &program) {
            Hidden::Nothing => out.push_str(word),
            Hidden::Next => {
                out.push_str(word);
                hides_next = true;
            }
            Hidden::From(at) => {
                let start = word.find(bare).unwrap_or(0).saturating_add(at);
                out.push_str(word.get(..start).unwrap_or_default());
                out.push_str(MASK);
            }
            Hidden::Part(from, to) => {
                let start = word.find(bare).unwrap_or(0);
                out.push_str(word.get(..start.saturating_add(from)).unwrap_or_default());
                out.push_str(MASK);
                out.push_str(word.get(start.saturating_add(to)..).unwrap_or_default());
            }
        }
    }
    cut(out)
}

/// Which word comes next.
enum Net {
    Elsewhere,
    Name,
    Place,
    Password,
}

enum Hidden {
    Nothing,
    /// The next word.
    Next,
    /// The word's end from this byte on.
    From(usize),
    /// The bytes from one place to another.
    Part(usize, usize),
}

fn hidden_from(word: &str, program: &str) -> Hidden {
    if let Some((from, to)) = in_address(word) {
        return Hidden::Part(from, to);
    }
    let lower = word.to_ascii_lowercase();
    let is_option = lower.starts_with(['-', '/']);
    let value = lower.find(['=', ':']).filter(|at| at.saturating_add(1) < word.len());
    let name = lower.get(..value.unwrap_or(lower.len())).unwrap_or_default();
    let of_program =
        SHORT.iter().filter(|(known, _)| *known == program).flat_map(|(_, options)| options.iter());
    let is_short = of_program.clone().any(|option| *option == name);
    let is_secret = SECRET_NAMES.iter().any(|part| name.contains(part))
        && !NO_SECRETS.iter().any(|part| name.contains(part));
    match value {
        Some(at) if is_short || is_secret => Hidden::From(at.saturating_add(1)),
        None if is_short || (is_option && is_secret) => Hidden::Next,
        None => of_program
            .filter(|option| matches!(program, "7z" | "rar") && lower.starts_with(**option))
            .map(|option| Hidden::From(option.len()))
            .next()
            .unwrap_or(Hidden::Nothing),
        Some(_) => Hidden::Nothing,
    }
}

/// `scheme://user:secret@host`: where the secret stands.
fn in_address(word: &str) -> Option<(usize, usize)> {
    let begin = word.find("://")?.saturating_add(3);
    let rest = word.get(begin..)?;
    let host = rest.find('/').unwrap_or(rest.len());
    let at = rest.get(..host)?.rfind('@')?;
    let colon = rest.get(..at)?.find(':')?;
    Some((begin.saturating_add(colon).saturating_add(1), begin.saturating_add(at)))
}

fn cut(text: String) -> String {
    if text.len() <= COMMAND_BYTES_MAX {
        return text;
    }
    let end = (0..=COMMAND_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn obvious_secrets_are_masked_and_the_rest_stays() {
        for (command, shown) in [
            ("net user sam hunter2 /add", "net user sam *** /add"),
            (
                r"C:\Windows\system32\net1 user sam hunter2 /add /domain",
                r"C:\Windows\system32\net1 user sam *** /add /domain",
            ),
            ("net user sam * /add", "net user sam * /add"),
            ("net user sam /active:yes", "net user sam /active:yes"),
            (r"net use Z: \\srv\c$ hunter2 /user:sam", r"net use Z: \\srv\c$ *** /user:sam"),
            ("cmdkey /add:srv /user:sam /pass:hunter2", "cmdkey /add:srv /user:sam /pass:***"),
            ("PsExec.exe -u sam -p hunter2 cmd", "PsExec.exe -u sam -p *** cmd"),
            ("schtasks /create /ru sam /rp hunter2 /tn x", "schtasks /create /ru sam /rp *** /tn x"),
            ("wmic /node:srv /user:sam /password:hunter2 os", "wmic /node:srv /user:sam /password:*** os"),
            ("powershell -Password hunter2 -File a.ps1", "powershell -Password *** -File a.ps1"),
            ("x.exe --token=hunter2 --port=5", "x.exe --token=*** --port=5"),
            ("7z a -phunter2 a.7z C:\\x", "7z a -p*** a.7z C:\\x"),
            ("curl -u sam:hunter2 https://x", "curl -u *** https://x"),
            ("curl https://sam:hunter2@host/x", "curl https://sam:***@host/x"),
            ("robocopy C:\\a D:\\b /mir", "robocopy C:\\a D:\\b /mir"),
            ("notepad.exe", "notepad.exe"),
        ] {
            assert_eq!(masked(command), shown);
        }
    }

    proptest! {
        // EV-2
        #[test]
        fn any_text_is_masked_within_bounds(text in any::<String>(), words in proptest::collection::vec(r"[-/:=a-z*@\u{e9}]{0,9}", 0..300)) {
            prop_assert!(masked(&text).len() <= text.len().saturating_mul(4).saturating_add(8));
            prop_assert!(masked(&words.join(" ")).len() <= COMMAND_BYTES_MAX + 8);
        }
    }
}
