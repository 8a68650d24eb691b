//! systemd: timers and services that people made, that run as people, or that start a program from a home folder.
//!
//! Units of the distribution that run as the system's own accounts are everybody's and not listed. Of what a unit
//! starts the program is told, never its arguments or environment.

use ntk_evidence::event::{Holding, HoldingKind};

use super::accounts::{Account, People};
use super::jobs;
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Where administrators put units.
const MADE_HERE: &[&str] =
    &["/etc/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/transient", "/etc/systemd/user"];
/// Where packages put them.
pub(super) const PACKAGED: &[&str] = &["/usr/lib/systemd/system", "/lib/systemd/system"];
/// Where an account puts its own.
const IN_HOME: &[&str] = &[".config/systemd/user", ".local/share/systemd/user"];

/// What is read of a unit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unit {
    user: Option<String>,
    program: Option<String>,
    times: Vec<String>,
}

impl Unit {
    fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = value.trim();
            match key.trim() {
                "User" => unit.user = Some(value.to_owned()).filter(|user| !user.is_empty()),
                "ExecStart" | "ExecStartPre" | "ExecStartPost" if unit.program.is_none() => {
                    let value = value.trim_start_matches(['-', '@', '+', '!', ':']);
                    unit.program = jobs::program(value.split_whitespace());
                }
                "OnCalendar" | "OnBootSec" | "OnUnitActiveSec" | "OnStartupSec" | "OnActiveSec" => {
                    unit.times.push(format!("{} {value}", in_words(key.trim())));
                }
                _ => {}
            }
        }
        unit
    }
}

fn in_words(key: &str) -> &str {
    match key {
        "OnCalendar" => "at",
        "OnBootSec" | "OnStartupSec" => "after a start",
        _ => "every",
    }
}

/// Lists timers and services.
pub(super) fn list(root: &Root, people: &People, list: &mut List) {
    for folder in MADE_HERE {
        for (name, unit, place) in units(root, folder) {
            let account = unit.user.clone().unwrap_or_else(|| "root".to_owned());
            add(&name, &unit, &account, &place, list);
        }
    }
    // /lib is a link to /usr/lib on newer systems: one of the two is enough.
    let packaged = PACKAGED.iter().find(|folder| root.path(folder).is_dir());
    for (name, unit, place) in packaged.into_iter().flat_map(|folder| units(root, folder)) {
        let by_person =
            unit.user.as_deref().and_then(|user| people.account(user)).is_some_and(Account::is_person);
        let from_home = unit.program.as_deref().is_some_and(|program| program.starts_with("/home/"));
        if by_person || from_home {
            let account = unit.user.clone().unwrap_or_else(|| "root".to_owned());
            add(&name, &unit, &account, &place, list);
        }
    }
    for account in people.homes() {
        for below in IN_HOME {
            for name in root.names(&format!("{}/{below}", account.home)) {
                let Some(text) =
                    root.read_in_home(account, &format!("{below}/{name}")).filter(|_| is_unit(&name))
                else {
                    continue;
                };
                add(&name, &Unit::parse(&text), &account.name, &format!("~/{below}"), list);
            }
        }
        autostart(root, account, list);
    }
}

fn is_unit(name: &str) -> bool {
    [".service", ".timer", ".path", ".socket"].iter().any(|end| name.ends_with(end))
}

/// Units of a folder that are files of their own, and additions to others (`x.service.d/y.conf`).
fn units(root: &Root, folder: &str) -> Vec<(String, Unit, String)> {
    let mut found = Vec::new();
    for name in root.names(folder) {
        let path = format!("{folder}/{name}");
        if let Some(base) = name.strip_suffix(".d").filter(|base| is_unit(base)) {
            for part in root.names(&path).into_iter().filter(|part| part.ends_with(".conf")) {
                let text = root.read(&format!("{path}/{part}")).unwrap_or_default();
                found.push((format!("{base}, addition {part}"), Unit::parse(&text), path.clone()));
            }
        } else if is_unit(&name) && root.is_plain_file(&path) {
            let text = root.read(&path).unwrap_or_default();
            found.push((name, Unit::parse(&text), folder.to_owned()));
        }
    }
    found
}

fn add(name: &str, unit: &Unit, account: &str, place: &str, list: &mut List) {
    let is_timer = name.contains(".timer");
    let what = if is_timer { HoldingKind::ScheduledJob } else { HoldingKind::Service };
    let starts = unit.program.as_ref().map(|program| format!("starts {program}"));
    let detail: Vec<String> = starts.into_iter().chain(unit.times.iter().cloned()).collect();
    list.add(Holding {
        place: Some(place.to_owned()),
        detail: Some(detail.join(", ")),
        ..List::of(what, name, &[account])
    });
}

/// What a desktop session of the account starts.
fn autostart(root: &Root, account: &Account, list: &mut List) {
    let below = ".config/autostart";
    for name in root.names(&format!("{}/{below}", account.home)) {
        let Some(text) = root.read_in_home(account, &format!("{below}/{name}")) else { continue };
        let exec = text.lines().find_map(|line| line.trim().strip_prefix("Exec="));
        let Some(program) = exec.and_then(|exec| jobs::program(exec.split_whitespace())) else { continue };
        list.add(Holding {
            place: Some(format!("~/{below}")),
            detail: Some(format!("starts {program} with the desktop")),
            ..List::of(HoldingKind::Service, &name, &[&account.name])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_says_who_runs_what_and_when_and_no_arguments() {
        let text = "[Service]\nUser=bea\nEnvironment=TOKEN=hunter2\nExecStart=-/home/bea/bin/push --key hunter2\n[Timer]\nOnCalendar=*-*-* 02:00\n";
        let unit = Unit::parse(text);
        assert_eq!(unit.user.as_deref(), Some("bea"));
        assert_eq!(unit.program.as_deref(), Some("/home/bea/bin/push"));
        assert_eq!(unit.times, ["at *-*-* 02:00"]);
        assert_eq!(Unit::parse("garbage\n=\nUser=\n"), Unit::default());
    }
}
