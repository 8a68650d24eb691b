//! Accounts and groups: passwd(5), group(5) and, of shadow(5), only whether a password is set.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Holding, HoldingKind};

use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Uids from here on are people's on every distribution that we know; below stand the system's own.
pub const PEOPLE_FROM: u32 = 1000;
/// `nobody` and its like.
const NOBODY: u32 = 65_534;

/// Groups that give an administrator's reach, and what that reach is.
const ADMIN_GROUPS: &[(&str, &str)] = &[
    ("root", "the group of root"),
    ("sudo", "may act as root with sudo"),
    ("wheel", "may act as root with sudo or su"),
    ("admin", "may act as root with sudo"),
    ("adm", "may read the system's logs"),
    ("systemd-journal", "may read the system's logs"),
    ("docker", "may start containers, and so act as root"),
    ("podman", "may start containers"),
    ("lxd", "may start containers, and so act as root"),
    ("lxc", "may start containers, and so act as root"),
    ("incus-admin", "may start containers, and so act as root"),
    ("libvirt", "may start virtual machines, and so act as root"),
    ("disk", "may read and write every file through the disk"),
    ("shadow", "may read password hashes"),
    ("kmem", "may read the kernel's memory"),
    ("backup", "may read what backups hold"),
    ("staff", "may write to /usr/local"),
    ("lpadmin", "may set up printers"),
    ("netdev", "may set up networks"),
];

/// One line of passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its first group.
    pub gid: u32,
    /// Its home folder.
    pub home: String,
    /// What it is given at a login.
    pub shell: String,
}

impl Account {
    /// Whether it may be a person's.
    pub fn is_person(&self) -> bool {
        self.uid >= PEOPLE_FROM && self.uid != NOBODY
    }

    /// Whether it can sign in to a shell.
    pub fn has_shell(&self) -> bool {
        !matches!(self.shell.rsplit('/').next(), Some("nologin" | "false" | "sync" | "halt" | "shutdown"))
    }

    /// Whether its home folder is one of its own, below which may lie what it holds.
    pub fn has_home(&self) -> bool {
        let shared =
            ["", "/", "/nonexistent", "/bin", "/sbin", "/usr/sbin", "/usr/bin", "/dev", "/proc", "/sys"];
        self.home.starts_with('/') && !shared.contains(&self.home.trim_end_matches('/'))
    }
}

/// Every account and group of the machine.
#[derive(Clone, Debug, Default)]
pub struct People {
    /// In order of their names.
    pub accounts: Vec<Account>,
    /// Members of each group, first groups included.
    groups: BTreeMap<String, BTreeSet<String>>,
    passwords: BTreeMap<String, Password>,
}

/// What shadow says of a password, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Password {
    Set,
    Locked,
    Empty,
}

impl People {
    /// Reads passwd, group and shadow.
    pub fn read(root: &Root) -> Self {
        let passwd = root.read("/etc/passwd").unwrap_or_default();
        let group = root.read("/etc/group").unwrap_or_default();
        let shadow = root.read("/etc/shadow").unwrap_or_default();
        Self::parse(&passwd, &group, &shadow)
    }

    /// Reads their texts; a line that is none is passed over.
    pub fn parse(passwd: &str, group: &str, shadow: &str) -> Self {
        let mut accounts: Vec<Account> = passwd.lines().filter_map(account).collect();
        accounts.sort_by(|a, b| (&a.name, a.uid).cmp(&(&b.name, b.uid)));
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in group.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(_), Some(gid), members) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let listed =
                members.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
            let first = accounts.iter().filter(|account| Some(account.gid) == gid.parse().ok());
            let members = listed.map(str::to_owned).chain(first.map(|account| account.name.clone()));
            groups.entry(name.to_owned()).or_default().extend(members);
        }
        let password = |line: &str| {
            let (name, rest) = line.split_once(':')?;
            let password = match rest.split(':').next()? {
                "" => Password::Empty,
                text if text.starts_with(['!', '*']) || text == "x" => Password::Locked,
                _ => Password::Set,
            };
            Some((name.to_owned(), password))
        };
        Self { accounts, groups, passwords: shadow.lines().filter_map(password).collect() }
    }

    /// The account with this name.
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.name == name)
    }

    /// The name of an account by its number.
    pub fn name_of(&self, uid: u32) -> Option<&str> {
        self.accounts.iter().find(|account| account.uid == uid).map(|account| account.name.as_str())
    }

    /// Members of a group.
    pub fn members(&self, group: &str) -> Vec<String> {
        self.groups.get(group).into_iter().flatten().cloned().collect()
    }

    /// Accounts with a home folder of their own.
    pub fn homes(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|account| account.has_home())
    }

    /// Whether an account can do what root can, as far as groups say.
    pub fn is_admin(&self, name: &str) -> bool {
        let acts = |(group, _): &(&str, &str)| {
            let reaches =
                ["root", "sudo", "wheel", "admin", "docker", "lxd", "lxc", "incus-admin", "libvirt", "disk"];
            reaches.contains(group) && self.groups.get(*group).is_some_and(|members| members.contains(name))
        };
        self.account(name).is_some_and(|account| account.uid == 0) || ADMIN_GROUPS.iter().any(acts)
    }

    /// Lists accounts that somebody can sign in to, and members of administrators' groups.
    pub(super) fn list(&self, last_logins: &BTreeMap<String, String>, list: &mut List) {
        for account in &self.accounts {
            let can_sign_in =
                account.has_shell() && (account.is_person() || self.has_password(&account.name));
            if account.uid != 0 && !can_sign_in {
                continue;
            }
            let mut holding = List::of(HoldingKind::Account, &account.name, &[&account.name]);
            holding.detail = Some(self.in_words(account));
            holding.last_used = last_logins.get(&account.name).cloned();
            list.add(holding);
        }
        for (group, reach) in ADMIN_GROUPS {
            for member in self.groups.get(*group).into_iter().flatten() {
                // Programs have groups of their own kind; root is in every one.
                let is_its_own = member == *group && !self.account(member).is_some_and(Account::is_person);
                if is_its_own {
                    continue;
                }
                let detail = Some((*reach).to_owned());
                list.add(Holding { detail, ..List::of(HoldingKind::AdminGroup, group, &[member]) });
            }
        }
    }

    fn has_password(&self, name: &str) -> bool {
        matches!(self.passwords.get(name), Some(Password::Set | Password::Empty))
    }

    fn in_words(&self, account: &Account) -> String {
        let password = match self.passwords.get(&account.name) {
            Some(Password::Set) => ", password set",
            Some(Password::Locked) => ", no password",
            Some(Password::Empty) => ", empty password",
            None => "",
        };
        let rights = if account.uid == 0 { ", has the rights of root" } else { "" };
        format!("uid {}, shell {}{password}{rights}", account.uid, account.shell)
    }
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let mut next = || fields.next();
    let (name, _, uid, gid, _, home, shell) = (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    if name.is_empty() || name.starts_with(['+', '-', '#']) {
        return None;
    }
    let shell = if shell.is_empty() { "/bin/sh" } else { shell };
    Some(Account {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn accounts_that_can_sign_in_and_members_of_administrators_groups_are_listed() {
        let people = People::parse(
            "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nbin:x:2:2::/bin:/usr/sbin/nologin\nbea:x:1001:1001:Bea,,,:/home/bea:/bin/bash\nsvc:x:1002:27::/home/svc:/usr/sbin/nologin\nwww:x:33:33::/var/www:/bin/bash\nbroken\n+nis::::::\n",
            "root:x:0:\nsudo:x:27:bea\ndocker:x:999:bea, sam\nusers:x:100:bea\nodd\n",
            "root:*:19000:0:99999:7:::\nbea:$y$j9T$secret:19000:0:99999:7:::\nwww:!:19000::::::\n",
        );
        let mut list = List::default();
        people.list(&BTreeMap::from([("bea".to_owned(), "2026-11-20T08:00:00Z".to_owned())]), &mut list);
        let lines: Vec<String> = list.finish().0.iter().map(crate::inventory::text::line).collect();
        expect![[r#"
            account bea [bea] uid 1001, shell /bin/bash, password set, last used 2026-11-20T08:00:00Z
            account root [root] uid 0, shell /bin/bash, no password, has the rights of root
            account toor [toor] uid 0, shell /bin/sh, has the rights of root
            admin_group docker [bea] may start containers, and so act as root
            admin_group docker [sam] may start containers, and so act as root
            admin_group root [toor] the group of root
            admin_group sudo [bea] may act as root with sudo
            admin_group sudo [svc] may act as root with sudo"#]]
        .assert_eq(&lines.join("\n"));
        assert!(people.is_admin("bea") && people.is_admin("toor") && !people.is_admin("www"));
    }
}
