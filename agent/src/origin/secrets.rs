//! Masks what a command line shows of secrets: the word after `--password`, the value of `--token=`, a password in
//! a web address. A command line travels and is kept; a secret in it would be one more copy.
//!
//! It finds what is obvious and no more: a secret that stands alone in a script's text stays, because nothing tells
//! it from any other word.

/// What stands in place of a secret.
const MASK: &str = "***";

/// Parts of the name of an option or variable whose value is a secret.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api-key",
    "api_key",
    "accesskey",
    "access-key",
    "access_key",
    "private-key",
    "credential",
    "auth",
];

/// Names that hold such a part and whose value is none.
const NO_SECRETS: &[&str] = &[
    "passfile",
    "password-file",
    "passwordfile",
    "token-file",
    "secret-file",
    "author",
    "authenticate",
    "authorized",
];

/// Programs of which `-p`, joined or with the next word, is a password.
const PASSWORD_P: &[&str] = &[
    "sshpass",
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mariadb",
    "mariadb-dump",
    "mysqlimport",
    "useradd",
    "usermod",
    "7z",
    "7za",
    "7zr",
];

/// Programs of which `-p` takes the password only when joined, as `-pPW`; alone it asks for one.
const JOINED_ONLY: &[&str] =
    &["mysql", "mysqldump", "mysqladmin", "mariadb", "mariadb-dump", "mysqlimport", "7z", "7za", "7zr"];

/// A command line, its words joined by spaces, with its obvious secrets masked.
pub fn masked(command: &str) -> String {
    let mut program = "";
    let mut hides_next = false;
    let mut hides_all = false;
    let mut out = String::with_capacity(command.len());
    for (nth, word) in command.split(' ').enumerate() {
        if nth > 0 {
            out.push(' ');
        }
        let bare = word.trim_matches(['\'', '"', '(', '{']);
        let is_operator = matches!(word, "|" | "||" | "&&" | ";" | "&") || word.ends_with(';');
        if (hides_next || hides_all) && !word.is_empty() && !is_operator {
            out.push_str(MASK);
            hides_next = false;
            continue;
        }
        hides_all &= !is_operator;
        if let Some(name) = program_of(bare) {
            program = name;
        }
        let reading = Reading::of(bare, program);
        if program == "sshpass" && matches!(reading, Reading::HidesFrom(_) | Reading::HidesNext) {
            // What follows is the command that it runs, with a `-p` of its own.
            program = "";
        }
        match reading {
            Reading::Plain => out.push_str(word),
            Reading::HidesFrom(at) => {
                let start = word.find(bare).unwrap_or(0).saturating_add(at);
                out.push_str(word.get(..start).unwrap_or_default());
                out.push_str(MASK);
            }
            Reading::HidesPart { from, to } => {
                let start = word.find(bare).unwrap_or(0);
                out.push_str(word.get(..start.saturating_add(from)).unwrap_or_default());
                out.push_str(MASK);
                out.push_str(word.get(start.saturating_add(to)..).unwrap_or_default());
            }
            Reading::HidesNext => {
                out.push_str(word);
                hides_next = true;
            }
            Reading::HidesRest => {
                out.push_str(word);
                hides_all = true;
            }
        }
    }
    out
}

/// What a word says of secrets.
enum Reading {
    Plain,
    /// Its end from this byte on.
    HidesFrom(usize),
    /// The bytes from one place to another.
    HidesPart {
        from: usize,
        to: usize,
    },
    /// The word after it.
    HidesNext,
    /// The words after it, to the end of the command.
    HidesRest,
}

impl Reading {
    fn of(word: &str, program: &str) -> Self {
        let lower = word.to_ascii_lowercase();
        if lower.ends_with("authorization:") {
            return Self::HidesRest;
        }
        if let Some(found) = of_address(word) {
            return found;
        }
        if let Some(at) = word.find('=') {
            let name = lower.get(..at).unwrap_or_default();
            let has_value = at.saturating_add(1) < word.len();
            return if is_secret(name) && has_value {
                Self::HidesFrom(at.saturating_add(1))
            } else {
                Self::Plain
            };
        }
        if let Some(rest) = lower.strip_prefix("pass:").filter(|rest| !rest.is_empty()) {
            return Self::HidesFrom(word.len().saturating_sub(rest.len()));
        }
        if lower.starts_with("--") {
            return if is_secret(&lower) { Self::HidesNext } else { Self::Plain };
        }
        Self::of_short(word, program)
    }

    fn of_short(word: &str, program: &str) -> Self {
        if PASSWORD_P.contains(&program) && word.starts_with("-p") {
            return match word.len() {
                2 if JOINED_ONLY.contains(&program) => Self::Plain,
                2 => Self::HidesNext,
                _ => Self::HidesFrom(2),
            };
        }
        if matches!(program, "curl" | "wget") && (word == "-u" || word == "-U") {
            return Self::HidesNext;
        }
        if program == "smbclient" && word.contains('%') {
            return word.find('%').map_or(Self::Plain, |at| Self::HidesFrom(at.saturating_add(1)));
        }
        if matches!(program, "zip" | "unzip") && word == "-P" {
            return Self::HidesNext;
        }
        if matches!(word, "-passin" | "-passout" | "-password" | "-storepass" | "-keypass") {
            return Self::HidesNext;
        }
        Self::Plain
    }
}

/// `scheme://user:secret@host`.
fn of_address(word: &str) -> Option<Reading> {
    let begin = word.find("://")?.saturating_add(3);
    let rest = word.get(begin..)?;
    let host = rest.find('/').unwrap_or(rest.len());
    let at = rest.get(..host)?.rfind('@')?;
    let colon = rest.get(..at)?.find(':')?;
    Some(Reading::HidesPart {
        from: begin.saturating_add(colon).saturating_add(1),
        to: begin.saturating_add(at),
    })
}

fn is_secret(name: &str) -> bool {
    let holds = |list: &[&str]| list.iter().any(|part| name.contains(part));
    holds(SECRET_NAMES) && !holds(NO_SECRETS)
}

/// The name of a program, if a word is one that is known here.
fn program_of(word: &str) -> Option<&'static str> {
    let name = word.rsplit('/').next().unwrap_or_default();
    let others = ["curl", "wget", "smbclient", "zip", "unzip"];
    PASSWORD_P.iter().copied().chain(others).find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn obvious_secrets_are_masked_and_the_rest_stays() {
        for (command, shown) in [
            ("mysqldump -u root -phunter2 ehr", "mysqldump -u root -p*** ehr"),
            ("/usr/bin/mysql -p ehr", "/usr/bin/mysql -p ehr"),
            ("sshpass -p hunter2 ssh -p 22 anna@srv", "sshpass -p *** ssh -p 22 anna@srv"),
            ("pg_dump --password=hunter2 --port=5", "pg_dump --password=*** --port=5"),
            ("restic --password hunter2 ls", "restic --password *** ls"),
            ("restic --password-file /root/pw ls", "restic --password-file /root/pw ls"),
            ("env PGPASSWORD=hunter2 psql", "env PGPASSWORD=*** psql"),
            ("sh -c 'API_TOKEN=hunter2 x'", "sh -c 'API_TOKEN=*** x'"),
            ("curl -u anna:hunter2 https://x", "curl -u *** https://x"),
            ("curl https://anna:hunter2@host/x?a=b", "curl https://anna:***@host/x?a=b"),
            ("curl -H Authorization: Bearer hunter2 more", "curl -H Authorization: *** *** ***"),
            ("openssl rsa -passin pass:hunter2 -in k", "openssl rsa -passin *** -in k"),
            ("useradd -m -p $6$hunter2 sam", "useradd -m -p *** sam"),
            ("unzip -P hunter2 a.zip", "unzip -P *** a.zip"),
            ("git log --author=anna", "git log --author=anna"),
            ("mkdir -p /srv/x", "mkdir -p /srv/x"),
            ("ssh -p 2222 host cat /etc/passwd", "ssh -p 2222 host cat /etc/passwd"),
            ("", ""),
        ] {
            assert_eq!(masked(command), shown);
        }
    }

    proptest! {
        #[test]
        fn any_command_line_is_read_and_never_grows_beyond_its_masks(command in "\\PC{0,80}") {
            let shown = masked(&command);
            prop_assert_eq!(shown.split(' ').count(), command.split(' ').count());
        }

        #[test]
        fn no_value_after_an_equals_sign_of_a_secret_survives(secret in "[a-z0-9]{8,12}") {
            for name in ["--password", "TOKEN", "--client-secret"] {
                let text = masked(&format!("x {name}={secret} y"));
                prop_assert!(!text.contains(&secret));
            }
        }
    }
}
