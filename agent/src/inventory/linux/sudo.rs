//! sudoers(5) as far as it says who may act as whom: user specifications, aliases, includes, `!authenticate`.
//!
//! Of commands the program is told, never its arguments: they may hold anything.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Holding, HoldingKind};

use super::accounts::People;
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Includes beyond this depth are not followed: two files that include each other would be followed for ever.
const DEPTH_MAX: u32 = 8;
/// Files that are read at most.
const FILES_MAX: usize = 256;
/// Programs of one rule that are named.
const COMMANDS_MAX: usize = 12;

/// Lists every rule.
pub(super) fn list(root: &Root, people: &People, list: &mut List) {
    let mut files = Vec::new();
    gather(root, "/etc/sudoers", 0, &mut files);
    let mut aliases = BTreeMap::new();
    for (_, lines) in &files {
        lines.iter().for_each(|line| user_alias(line, &mut aliases));
    }
    for (place, lines) in &files {
        for line in lines {
            rule(line, place, people, &aliases, list);
        }
    }
}

/// The file and what it includes, each with its logical lines.
fn gather(root: &Root, path: &str, depth: u32, files: &mut Vec<(String, Vec<String>)>) {
    if depth > DEPTH_MAX || files.len() >= FILES_MAX || files.iter().any(|(file, _)| file == path) {
        return;
    }
    let Some(text) = root.read(path) else { return };
    let lines = logical_lines(&text);
    files.push((path.to_owned(), lines.clone()));
    for line in &lines {
        let mut words = line.split_whitespace();
        let (Some(directive), Some(target)) = (words.next(), words.next()) else { continue };
        let target = target.trim_matches('"');
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let target = if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
        match directive {
            "@include" | "#include" => gather(root, &target, depth.saturating_add(1), files),
            "@includedir" | "#includedir" => {
                for name in root.names(&target) {
                    // sudo itself passes over these.
                    if !name.ends_with('~') && !name.contains('.') {
                        gather(root, &format!("{target}/{name}"), depth.saturating_add(1), files);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Lines with continuations joined; comments are gone, include directives stay.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        match line.strip_suffix('\\') {
            Some(begun) => open.push_str(begun),
            None => {
                let line = format!("{}{line}", std::mem::take(&mut open));
                let line = line.trim();
                let is_include = line.starts_with("#include");
                // `#1000` names an account by its number; a comment has something else behind its sign.
                let is_uid =
                    line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                if !line.is_empty() && (is_include || is_uid || !line.starts_with('#')) {
                    let text =
                        if is_include || is_uid { line } else { line.split(" #").next().unwrap_or(line) };
                    lines.push(text.trim().to_owned());
                }
            }
        }
    }
    lines
}

/// `User_Alias ADMINS = bea, %ops : OTHERS = sam`.
fn user_alias(line: &str, aliases: &mut BTreeMap<String, Vec<String>>) {
    let Some(definitions) = line.strip_prefix("User_Alias") else { return };
    for definition in definitions.split(':') {
        if let Some((name, members)) = definition.split_once('=') {
            let members = members.split(',').map(|member| member.trim().to_owned());
            aliases
                .entry(name.trim().to_owned())
                .or_default()
                .extend(members.filter(|member| !member.is_empty()));
        }
    }
}

fn rule(line: &str, place: &str, people: &People, aliases: &BTreeMap<String, Vec<String>>, list: &mut List) {
    if let Some(defaults) = line.strip_prefix("Defaults") {
        if defaults.contains("!authenticate") {
            let whom = defaults.strip_prefix(':').and_then(|rest| rest.split_whitespace().next());
            let mut holding = sudo_rule(whom.unwrap_or("every account"), place);
            holding.accounts = whom.map(|whom| accounts_of(whom, people, aliases, 0)).unwrap_or_default();
            holding.detail = Some("no password is asked for (!authenticate)".to_owned());
            list.add(holding);
        }
        return;
    }
    let is_other =
        ["User_Alias", "Runas_Alias", "Host_Alias", "Cmnd_Alias", "Cmd_Alias", "@include", "#include"];
    if is_other.iter().any(|word| line.starts_with(word)) {
        return;
    }
    let Some((left, right)) = line.split_once('=') else { return };
    // What stands before the last word are users, the last word is the host.
    let left = left.replace(", ", ",").replace(" ,", ",");
    let Some((users, _host)) = left.trim().rsplit_once(char::is_whitespace) else { return };
    for user in users.split(',').map(str::trim).filter(|user| !user.is_empty()) {
        let mut holding = sudo_rule(user, place);
        holding.accounts = accounts_of(user, people, aliases, 0);
        holding.detail = Some(rights(right));
        list.add(holding);
    }
}

fn sudo_rule(name: &str, place: &str) -> Holding {
    Holding { place: Some(place.to_owned()), ..List::of::<&str>(HoldingKind::SudoRule, name, &[]) }
}

/// The accounts that a user of a rule stands for; `ALL` and what is not known here name nobody.
fn accounts_of(
    user: &str,
    people: &People,
    aliases: &BTreeMap<String, Vec<String>>,
    depth: u32,
) -> Vec<String> {
    let user = user.trim_matches('"');
    let mut accounts = if let Some(group) = user.strip_prefix('%') {
        people.members(group)
    } else if let Some(uid) = user.strip_prefix('#') {
        uid.parse().ok().and_then(|uid| people.name_of(uid)).map(str::to_owned).into_iter().collect()
    } else if let Some(members) = aliases.get(user).filter(|_| depth < DEPTH_MAX) {
        members
            .iter()
            .flat_map(|member| accounts_of(member, people, aliases, depth.saturating_add(1)))
            .collect()
    } else if user == "ALL" || user.starts_with(['!', '+']) {
        Vec::new()
    } else {
        vec![user.to_owned()]
    };
    accounts.sort();
    accounts.dedup();
    accounts
}

/// What the right side of a rule allows, in words.
fn rights(right: &str) -> String {
    let (as_whom, commands) = match right.trim().strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((whom, commands)) => (whom.split(':').next().unwrap_or_default().trim().to_owned(), commands),
        None => ("root".to_owned(), right),
    };
    let as_whom = match as_whom.as_str() {
        "ALL" => "anybody",
        "" => "themselves",
        whom => whom,
    };
    let mut programs = BTreeSet::new();
    let mut no_password = false;
    for command in commands.split(',') {
        let mut command = command.trim();
        // Tags stand before a command: NOPASSWD: SETENV: /usr/bin/x
        while let Some((tag, rest)) = command.split_once(':') {
            let tag = tag.trim();
            if tag.is_empty() || !tag.bytes().all(|letter| letter.is_ascii_uppercase() || letter == b'_') {
                break;
            }
            no_password |= tag == "NOPASSWD";
            command = rest.trim();
        }
        programs.extend(command.split_whitespace().next().map(str::to_owned));
    }
    let more = programs.len().saturating_sub(COMMANDS_MAX);
    let mut named = programs.into_iter().take(COMMANDS_MAX).collect::<Vec<_>>().join(", ");
    if named == "ALL" {
        named = "everything".to_owned();
    }
    if more > 0 {
        named.push_str(&format!(" and {more} more"));
    }
    let password = if no_password { ", without a password" } else { "" };
    format!("as {as_whom}{password}: {named}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::text;
    use expect_test::expect;

    #[test]
    fn rules_are_told_by_account_and_arguments_are_not() {
        let scratch = tempfile::tempdir().unwrap();
        let root = Root::at(scratch.path());
        std::fs::create_dir_all(root.path("/etc/sudoers.d")).unwrap();
        std::fs::write(
            root.path("/etc/sudoers"),
            "# comment\nDefaults env_reset\nDefaults:sam !authenticate\nUser_Alias OPS = bea, %ops : X = zoe\nroot ALL=(ALL:ALL) ALL\n%sudo\tALL=(ALL:ALL) ALL\nOPS ALL = NOPASSWD: /usr/bin/mysqldump --password=hunter2, \\\n  /usr/bin/less\n#1001 ALL=(www) /bin/ls\n@includedir /etc/sudoers.d\n@include /etc/sudoers\n",
        )
        .unwrap();
        std::fs::write(root.path("/etc/sudoers.d/late"), "sam, zoe ALL=(ALL) NOPASSWD:SETENV: ALL # why\n")
            .unwrap();
        std::fs::write(root.path("/etc/sudoers.d/off.bak"), "eve ALL=(ALL) ALL\n").unwrap();
        let people =
            People::parse("bea:x:1001:1001::/home/bea:/bin/sh\n", "sudo:x:27:bea\nops:x:30:sam\n", "");
        let mut found = List::default();
        list(&root, &people, &mut found);
        let lines: Vec<String> = found.finish().0.iter().map(text::line).collect();
        expect![[r#"
            sudo_rule #1001 [bea] as www: /bin/ls (/etc/sudoers)
            sudo_rule %sudo [bea] as anybody: everything (/etc/sudoers)
            sudo_rule OPS [bea, sam] as root, without a password: /usr/bin/less, /usr/bin/mysqldump (/etc/sudoers)
            sudo_rule root [root] as anybody: everything (/etc/sudoers)
            sudo_rule sam [sam] no password is asked for (!authenticate) (/etc/sudoers)
            sudo_rule sam [sam] as anybody, without a password: everything (/etc/sudoers.d/late)
            sudo_rule zoe [zoe] as anybody, without a password: everything (/etc/sudoers.d/late)"#]]
        .assert_eq(&lines.join("\n"));
    }
}
