//! SSH: which public keys open which account, and where private keys lie.
//!
//! Keys are named by the fingerprint that sshd logs (SHA256, base64). Options are told by name, never with their
//! values, and of a private key only the place.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ntk_evidence::event::{Holding, HoldingKind};
use sha2::{Digest as _, Sha256};

use super::accounts::{Account, People};
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Key lines of one file that are read.
const LINES_MAX: usize = 2000;
/// Where sshd looks when it is not told otherwise.
const USUAL: &[&str] = &[".ssh/authorized_keys", ".ssh/authorized_keys2"];

/// One line of an authorized_keys file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `ssh-ed25519`, ...
    pub(super) kind: String,
    /// `SHA256:` and 43 letters.
    pub(super) fingerprint: String,
    /// Names of its options.
    pub(super) options: Vec<String>,
    /// What stands behind the key.
    pub(super) comment: String,
}

/// Reads a line; none where it holds no key.
pub(super) fn key(line: &str) -> Option<Key> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (options, rest) =
        if is_kind(line.split_whitespace().next()?) { ("", line) } else { split_options(line)? };
    let mut words = rest.split_whitespace();
    let kind = words.next().filter(|word| is_kind(word))?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    // The blob begins with the name of its kind: a text that decodes by accident is no key.
    let length = u32::from_be_bytes(blob.get(..4)?.try_into().ok()?);
    let named = blob.get(4..usize::try_from(length).ok()?.checked_add(4)?)?;
    if named.is_empty() || !kind.as_bytes().starts_with(named.get(..4)?) {
        return None;
    }
    Some(Key {
        kind: kind.to_owned(),
        fingerprint: format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))),
        options: option_names(options),
        comment: words.collect::<Vec<_>>().join(" "),
    })
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|begin| word.starts_with(begin))
}

/// Options end at the first blank outside of quotes.
fn split_options(line: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in line.char_indices() {
        match letter {
            '\\' if quoted => {
                escaped = !escaped;
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return line.split_at_checked(at),
            _ => {}
        }
        escaped = false;
    }
    None
}

fn option_names(options: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut quoted, mut escaped, mut in_value) = (false, false, false);
    let mut name = String::new();
    for letter in options.chars() {
        match letter {
            '\\' if quoted => {
                escaped = !escaped;
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            ',' if !quoted => {
                names.push(std::mem::take(&mut name));
                in_value = false;
            }
            '=' if !quoted => in_value = true,
            letter if !quoted && !in_value => name.push(letter),
            _ => {}
        }
        escaped = false;
    }
    names.push(name);
    names.retain(|name| {
        !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
    });
    names.sort();
    names.dedup();
    names
}

/// What of sshd's configuration says where keys are.
#[derive(Debug, Default)]
struct Daemon {
    key_files: Vec<String>,
    authorities: Option<String>,
    runs_command: Option<String>,
}

fn daemon(root: &Root) -> Daemon {
    let mut texts = vec![root.read("/etc/ssh/sshd_config").unwrap_or_default()];
    for name in root.names("/etc/ssh/sshd_config.d") {
        if name.ends_with(".conf") {
            texts.extend(root.read(&format!("/etc/ssh/sshd_config.d/{name}")));
        }
    }
    let mut daemon = Daemon::default();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let line = line.trim();
        let Some((word, value)) = line.split_once(|letter: char| letter.is_whitespace() || letter == '=')
        else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match word.to_ascii_lowercase().as_str() {
            "authorizedkeysfile" => {
                daemon
                    .key_files
                    .extend(value.split_whitespace().filter(|word| *word != "none").map(str::to_owned));
            }
            "trustedusercakeys" if value != "none" => daemon.authorities = Some(value.to_owned()),
            "authorizedkeyscommand" if value != "none" => {
                daemon.runs_command = value.split_whitespace().next().map(str::to_owned);
            }
            _ => {}
        }
    }
    if daemon.key_files.is_empty() {
        daemon.key_files = USUAL.iter().map(|file| (*file).to_owned()).collect();
    }
    daemon.key_files.sort();
    daemon.key_files.dedup();
    daemon
}

/// Lists keys of every account, with the time when the machine's logs last show them in use.
pub(super) fn list(root: &Root, people: &People, last_used: &BTreeMap<String, String>, list: &mut List) {
    let daemon = daemon(root);
    for account in people.homes() {
        for file in &daemon.key_files {
            let file =
                file.replace("%%", "%").replace("%u", &account.name).replace("%U", &account.uid.to_string());
            let below = file.strip_prefix("%h/").map(str::to_owned).unwrap_or_else(|| file.clone());
            let (text, place) = if below.starts_with('/') {
                (root.read(&below), below)
            } else {
                (root.read_in_home(account, &below), format!("~/{below}"))
            };
            for key in text.iter().flat_map(|text| text.lines().take(LINES_MAX)).filter_map(key) {
                list.add(holding(&key, &[account.name.as_str()], &place, last_used));
            }
        }
        private_keys(root, account, list);
    }
    if let Some(file) = daemon.authorities {
        for key in root.read(&file).iter().flat_map(|text| text.lines()).filter_map(key) {
            let mut holding = holding::<&str>(&key, &[], &file, last_used);
            holding.detail = Some(format!("{}, an authority whose certificates open accounts", key.kind));
            list.add(holding);
        }
    }
    if let Some(program) = daemon.runs_command {
        let detail =
            Some("sshd asks this program which keys open an account; it is not asked here".to_owned());
        list.add(Holding { detail, ..List::of::<&str>(HoldingKind::AuthorizedKey, &program, &[]) });
    }
    for name in root.names("/etc/ssh") {
        if name.starts_with("ssh_host_") && name.ends_with("_key") {
            let place = Some(format!("/etc/ssh/{name}"));
            let detail = Some("the machine's own".to_owned());
            list.add(Holding { place, detail, ..List::of::<&str>(HoldingKind::PrivateKey, &name, &[]) });
        }
    }
}

fn holding<T: AsRef<str>>(
    key: &Key,
    accounts: &[T],
    place: &str,
    last_used: &BTreeMap<String, String>,
) -> Holding {
    let mut detail = key.kind.clone();
    if !key.options.is_empty() {
        detail.push_str(&format!(", options {}", key.options.join(", ")));
    }
    if !key.comment.is_empty() {
        // A comment is `who@where` by habit; longer ones hold whatever somebody pasted.
        let comment: String = key.comment.chars().take(48).collect();
        detail.push_str(&format!(", “{comment}”"));
    }
    Holding {
        place: Some(place.to_owned()),
        detail: Some(detail),
        last_used: last_used.get(&key.fingerprint).cloned(),
        ..List::of(HoldingKind::AuthorizedKey, &key.fingerprint, accounts)
    }
}

/// Private keys by the names that ssh-keygen and its like give; nothing of them is read.
fn private_keys(root: &Root, account: &Account, list: &mut List) {
    for name in root.names(&format!("{}/.ssh", account.home)) {
        let is_private = (name.starts_with("id_") && !name.ends_with(".pub") && !name.ends_with("-cert.pub"))
            || [".pem", ".ppk", ".key"].iter().any(|end| name.ends_with(end))
            || name == "identity";
        if is_private && root.is_plain_file(&format!("{}/.ssh/{name}", account.home)) {
            let place = Some(format!("~/.ssh/{name}"));
            list.add(Holding { place, ..List::of(HoldingKind::PrivateKey, &name, &[&account.name]) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    /// What `ssh-keygen -lf` says of it.
    const FINGERPRINT: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

    #[test]
    fn a_key_has_the_fingerprint_that_ssh_keygen_prints_and_its_options_no_values() {
        let plain = key(&format!("ssh-ed25519 {BLOB} bea@laptop")).unwrap();
        assert_eq!((plain.fingerprint.as_str(), plain.comment.as_str()), (FINGERPRINT, "bea@laptop"));
        let line = format!(
            r#"from="10.0.0.*,!10.0.0.9",command="/bin/pay --token=\"hunter2\" x",no-pty,environment="K=v" ssh-ed25519 {BLOB}"#
        );
        let bound = key(&line).unwrap();
        assert_eq!(bound.options, ["command", "environment", "from", "no-pty"]);
        assert_eq!(bound.fingerprint, FINGERPRINT);
        for none in
            ["", "# ssh-ed25519 AAAA", "ssh-ed25519", "ssh-ed25519 !!", "ssh-ed25519 aGVsbG8=", "x y z"]
        {
            assert_eq!(key(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_key_or_none(line in ".{0,300}", options in "[a-z=\",\\\\ ]{0,60}") {
            let _ = key(&line);
            let found = key(&format!("{options} ssh-ed25519 {BLOB} c"));
            prop_assert!(found.is_none_or(|key| key.options.iter().all(|name| !name.contains('"'))));
        }
    }
}
