//! Mail that goes on: aliases, `.forward`, procmail, sieve, and what postfix copies or rewrites.
//!
//! A target is told where it has the form of an address, a program or a file; anything else is not repeated.

use ntk_evidence::event::{Holding, HoldingKind};

use super::accounts::{Account, People};
use super::jobs;
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Lines of one file that are read.
const LINES_MAX: usize = 5000;
/// Sieve scripts of one account that are read.
const SCRIPTS_MAX: usize = 50;
/// Settings of postfix that send a copy of everything.
const COPIES: &[&str] = &["always_bcc", "recipient_bcc_maps", "sender_bcc_maps"];

/// Lists every forward.
pub(super) fn list(root: &Root, people: &People, list: &mut List) {
    for path in ["/etc/aliases", "/etc/mail/aliases"] {
        for (alias, targets) in aliases(&root.read(path).unwrap_or_default()) {
            targets.iter().for_each(|to| add(to, Some(&alias), path, "alias", list));
        }
    }
    for account in people.homes() {
        let texts = |below: &str| root.read_in_home(account, below);
        let name = Some(account.name.as_str());
        if let Some(text) = texts(".forward") {
            for line in text.lines().take(LINES_MAX) {
                targets(line).iter().for_each(|to| add(to, name, "~/.forward", "forward", list));
            }
        }
        if let Some(text) = texts(".procmailrc") {
            for to in text.lines().take(LINES_MAX).filter_map(|line| line.trim().strip_prefix('!')) {
                let to = to.split_whitespace().filter_map(target);
                to.for_each(|to| add(&to, name, "~/.procmailrc", "forward by procmail", list));
            }
        }
        sieve(root, account, list);
    }
    postfix(root, list);
}

/// Name and targets of each alias; lines that begin with a blank go on.
fn aliases(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().take(LINES_MAX) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, more)) = found.last_mut() {
                more.extend(targets(line));
            }
        } else if let Some((name, rest)) = line.split_once(':') {
            found.push((name.trim().trim_matches('"').to_owned(), targets(rest)));
        }
    }
    found
}

/// The targets of a list with commas, quotes respected.
fn targets(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(String::new()),
            letter => {
                if let Some(part) = parts.last_mut() {
                    part.push(letter);
                }
            }
        }
    }
    parts.iter().filter_map(|part| target(part)).collect()
}

/// An address, an account, a program without its arguments, or a file; nothing else.
fn target(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('\\').trim_matches(['"', '\'', '<', '>', ';']);
    if let Some(command) = text.strip_prefix('|') {
        return jobs::program(command.split_whitespace()).map(|program| format!("the program {program}"));
    }
    if text.starts_with('/') {
        return Some(format!("the file {}", text.split_whitespace().next().unwrap_or(text)));
    }
    if let Some(file) = text.strip_prefix(":include:") {
        return Some(format!("the addresses in {}", file.trim()));
    }
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"._%+-=~".contains(&letter))
    };
    let fits = match text.rsplit_once('@') {
        Some((local, domain)) => is_plain(local) && is_plain(domain),
        None => is_plain(text) && text.len() <= 32,
    };
    fits.then(|| text.to_owned())
}

fn add(to: &str, whose: Option<&str>, place: &str, how: &str, list: &mut List) {
    let accounts: Vec<&str> = whose.into_iter().collect();
    list.add(Holding {
        place: Some(place.to_owned()),
        detail: Some(how.to_owned()),
        ..List::of(HoldingKind::MailForward, to, &accounts)
    });
}

fn sieve(root: &Root, account: &Account, list: &mut List) {
    let mut scripts = vec![".dovecot.sieve".to_owned(), ".sieve".to_owned()];
    for folder in ["sieve", "mail/sieve", "Maildir/sieve"] {
        let names = root.names(&format!("{}/{folder}", account.home));
        let names = names.into_iter().filter(|name| name.ends_with(".sieve")).take(SCRIPTS_MAX);
        scripts.extend(names.map(|name| format!("{folder}/{name}")));
    }
    for script in scripts {
        let Some(text) = root.read_in_home(account, &script) else { continue };
        for to in redirects(&text) {
            add(&to, Some(&account.name), &format!("~/{script}"), "redirect by sieve", list);
        }
    }
}

/// The addresses of `redirect "x";` and `redirect :copy "x";`.
fn redirects(text: &str) -> Vec<String> {
    let lines = text.lines().take(LINES_MAX).filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n");
    let after = text.split("redirect").skip(1);
    let address = |rest: &str| rest.split(';').next()?.split('"').nth(1).and_then(target);
    after.filter_map(address).collect()
}

fn postfix(root: &Root, list: &mut List) {
    let mut maps = vec!["/etc/postfix/virtual".to_owned()];
    for line in root.read("/etc/postfix/main.cf").unwrap_or_default().lines().take(LINES_MAX) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if key == "always_bcc" {
            let to = target(value);
            to.iter().for_each(|to| add(to, None, "/etc/postfix/main.cf", "a copy of every message", list));
        } else if key == "virtual_alias_maps" || COPIES.contains(&key) {
            let files = value.split([',', ' ']).filter_map(|map| map.split_once(":/"));
            maps.extend(files.map(|(_, file)| format!("/{file}")));
        }
    }
    maps.sort();
    maps.dedup();
    for map in maps {
        for line in root.read(&map).unwrap_or_default().lines().take(LINES_MAX) {
            let Some((from, to)) = line.trim().split_once(char::is_whitespace) else { continue };
            if !from.starts_with('#') {
                targets(to).iter().for_each(|to| add(to, Some(from), &map, "rewritten by postfix", list));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aliases_forwards_and_redirects_are_read_and_strange_texts_are_not_repeated() {
        let read = aliases(
            "# c\npostmaster: root\nbea: bea, \"|/usr/bin/vacation -p hunter2 bea\",\n  out@example.org\nall: :include:/etc/list\n",
        );
        assert_eq!(
            read,
            [
                ("postmaster".into(), vec!["root".into()]),
                (
                    "bea".into(),
                    vec!["bea".into(), "the program /usr/bin/vacation".into(), "out@example.org".into()]
                ),
                ("all".into(), vec!["the addresses in /etc/list".into()]),
            ]
        );
        assert_eq!(
            redirects(
                "require [\"copy\"];\n# redirect \"no@example.org\";\nif true { redirect :copy \"yes@example.org\"; }"
            ),
            ["yes@example.org"]
        );
        for strange in ["root:$6$salt$hash:1:2", "-----BEGIN KEY-----", "a b c", "x@y z", ""] {
            assert_eq!(target(strange), None, "{strange}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,400}") {
            let _ = (aliases(&text), targets(&text), redirects(&text));
        }
    }
}
