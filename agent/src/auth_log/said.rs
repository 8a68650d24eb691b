//! What a line means: the few sentences of sshd, PAM, sudo, su, login and pkexec that tell of sessions.
//!
//! Names that a stranger typed stand in the middle of these sentences. They are read from the end that the program
//! itself wrote, and where a name could be either of two things nothing is said of it.

/// A sentence that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// sshd let somebody in.
    Accepted { user: String, from: String, key: Option<String> },
    /// sshd refused so many tries.
    Failed { user: String, from: String, n_tries: u64 },
    /// A connection ended before anybody came in.
    Left { user: String, from: String },
    /// PAM opened a session for an account, on behalf of another.
    Opened { service: String, user: String, by: Option<String> },
    /// PAM closed it.
    Closed { service: String, user: String },
    /// sudo or pkexec ran a command as another account, or refused to.
    Ran { by: String, target: Option<String>, command: Option<String>, refused: bool, n_tries: u64 },
    /// su changed to another account, or refused to.
    Became { by: String, target: String, refused: bool },
    /// login(1) let somebody in at a terminal.
    AtTerminal { user: String, from: String },
    /// login(1) refused somebody.
    RefusedAtTerminal { user: Option<String>, from: Option<String> },
}

/// Reads what a program said.
pub(super) fn read(program: &str, message: &str) -> Option<Told> {
    let session = message.split_once(":session): ").filter(|(begin, _)| begin.starts_with("pam_"));
    if let Some((begin, rest)) = session {
        let service = begin.split_once('(').map(|(_, service)| service)?;
        return of_session(service, rest);
    }
    match program {
        "sshd" | "sshd-session" | "sshd-auth" => of_sshd(message),
        "sudo" | "sudo-rs" | "sudo-i" => of_sudo(message),
        "su" | "su-l" | "su-rs" => of_su(message),
        "login" => of_login(message),
        "pkexec" => of_pkexec(message),
        _ => None,
    }
}

fn of_session(service: &str, rest: &str) -> Option<Told> {
    let name = |text: &str| {
        let name = text.split(['(', ' ']).next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    };
    let service = service.to_owned();
    if let Some(rest) = rest.strip_prefix("session opened for user ") {
        let (user, by) = rest.split_once(" by ").unwrap_or((rest, ""));
        return Some(Told::Opened { service, user: name(user)?, by: name(by) });
    }
    let user = rest.strip_prefix("session closed for user ")?;
    Some(Told::Closed { service, user: name(user)? })
}

fn of_sshd(message: &str) -> Option<Told> {
    if let Some(inside) = message.strip_prefix("message repeated ") {
        let (count, rest) = inside.split_once(" times: [ ")?;
        let count = count.parse().ok()?;
        return match of_sshd(rest.trim_end_matches(']'))? {
            Told::Failed { user, from, .. } => Some(Told::Failed { user, from, n_tries: count }),
            _ => None,
        };
    }
    if let Some(rest) = message.strip_prefix("Accepted ") {
        let (_method, rest) = rest.split_once(" for ")?;
        let (user, from, end) = address(rest)?;
        let key = end.split_whitespace().find(|word| is_fingerprint(word)).map(str::to_owned);
        return Some(Told::Accepted { user: user.to_owned(), from: from.to_owned(), key });
    }
    let failed = message.strip_prefix("Failed ").and_then(|rest| Some(rest.split_once(" for ")?.1));
    let exceeded = || message.strip_prefix("error: maximum authentication attempts exceeded for ");
    if let Some(rest) = failed.or_else(exceeded) {
        let (user, from, _) = address(rest)?;
        let user = user.strip_prefix("invalid user ").unwrap_or(user).to_owned();
        return Some(Told::Failed { user, from: from.to_owned(), n_tries: 1 });
    }
    let left = ["Connection closed by ", "Connection reset by ", "Disconnected from ", "Disconnecting "];
    let rest = left.iter().find_map(|begin| message.strip_prefix(begin))?;
    let who = ["invalid user ", "authenticating user "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    let (who, _) = who.rsplit_once(" port ")?;
    let (user, from) = who.rsplit_once(' ')?;
    Some(Told::Left { user: user.to_owned(), from: from.to_owned() })
}

/// `USER from ADDRESS port N REST`, from the end: the account may be any text that a stranger typed.
fn address(text: &str) -> Option<(&str, &str, &str)> {
    let (begin, end) = text.rsplit_once(" port ")?;
    let (user, from) = begin.rsplit_once(" from ")?;
    (!from.is_empty() && !from.contains(' ')).then_some((user, from, end))
}

/// `SHA256:` and 43 characters, or sixteen bytes of MD5 with colons between them, bare or behind `MD5:`.
fn is_fingerprint(word: &str) -> bool {
    let hex = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    match word.strip_prefix("SHA256:") {
        Some(hash) => {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
            hash.len() == 43 && hash.bytes().all(fits)
        }
        None => {
            let parts = word.strip_prefix("MD5:").unwrap_or(word).split(':');
            parts.clone().count() == 16 && parts.clone().all(hex)
        }
    }
}

/// `BY : [REASON ; ]TTY=.. ; PWD=.. ; USER=TARGET ; [..] ; COMMAND=..`
fn of_sudo(message: &str) -> Option<Told> {
    let (by, rest) = message.split_once(" : ")?;
    let by = by.trim();
    if by.is_empty() || by.contains(char::is_whitespace) {
        return None;
    }
    let (reason, fields) = match rest.split_once("TTY=") {
        Some((reason, fields)) => (reason.trim_end().trim_end_matches(';').trim_end(), fields),
        // Without a terminal sudo leaves the field out.
        None => {
            let at = rest.find("PWD=")?;
            (rest.get(..at)?.trim_end().trim_end_matches(';').trim_end(), rest.get(at..)?)
        }
    };
    let command = fields.split_once(" ; COMMAND=").map(|(_, command)| command.to_owned());
    // A folder and a command may hold any text, this one too: then it is not said for whom.
    let mut targets = fields.split(" ; USER=").skip(1);
    let target = targets.next().filter(|_| targets.next().is_none());
    let target = target.and_then(|rest| rest.split(" ; ").next()).map(str::to_owned);
    let tries = reason.split(' ').next().and_then(|word| word.parse().ok());
    Some(Told::Ran {
        by: by.to_owned(),
        target,
        command,
        refused: !reason.is_empty(),
        n_tries: tries.unwrap_or(1),
    })
}

/// `BY: Executing command [USER=root] [TTY=..] [CWD=..] [COMMAND=..]`
fn of_pkexec(message: &str) -> Option<Told> {
    let (by, rest) = message.split_once(": ")?;
    let (reason, fields) = rest.split_once(" [USER=")?;
    let (target, fields) = fields.split_once("] [")?;
    let command = fields.split_once("COMMAND=").and_then(|(_, command)| command.strip_suffix(']'));
    Some(Told::Ran {
        by: by.to_owned(),
        target: Some(target.to_owned()),
        command: command.map(str::to_owned),
        refused: reason != "Executing command",
        n_tries: 1,
    })
}

/// `(to TARGET) BY on TTY`, `FAILED SU (to TARGET) BY on TTY`
fn of_su(message: &str) -> Option<Told> {
    let (refused, rest) = match message.strip_prefix("FAILED SU ") {
        Some(rest) => (true, rest),
        None => (false, message),
    };
    let (target, rest) = rest.strip_prefix("(to ")?.split_once(") ")?;
    let (by, _) = rest.split_once(" on ")?;
    Some(Told::Became { by: by.to_owned(), target: target.to_owned(), refused })
}

/// `LOGIN ON tty1 BY bob[ FROM host]`, `ROOT LOGIN ON tty1`, `FAILED LOGIN (1) on '/dev/tty1' FOR 'bob', ...`
fn of_login(message: &str) -> Option<Told> {
    let root = message.trim_start().strip_prefix("ROOT LOGIN").map(|rest| rest.trim_start());
    if let Some(rest) = root {
        let terminal = rest.strip_prefix("ON ").or_else(|| rest.strip_prefix("on "))?;
        let terminal = terminal.split([' ', '\'']).find(|word| !word.is_empty())?;
        let from = terminal.trim_start_matches("/dev/").to_owned();
        return Some(Told::AtTerminal { user: "root".to_owned(), from });
    }
    if let Some(rest) = message.strip_prefix("LOGIN ON ") {
        let (terminal, user) = rest.split_once(" BY ")?;
        let (user, from) = user.split_once(" FROM ").unwrap_or((user, terminal));
        return Some(Told::AtTerminal { user: user.to_owned(), from: from.to_owned() });
    }
    let rest = message.strip_prefix("FAILED LOGIN ")?;
    let quoted = |mark: &str| Some(rest.split_once(mark)?.1.split('\'').next()?.to_owned());
    let from = quoted("on '").map(|terminal| terminal.trim_start_matches("/dev/").to_owned());
    Some(Told::RefusedAtTerminal { user: quoted("FOR '"), from })
}
