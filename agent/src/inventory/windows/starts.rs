//! What a login starts: Run keys of the machine and of the accounts whose hives are loaded, and the Startup folders.

use ntk_evidence::event::{Holding, HoldingKind};
use ntk_windows::sid::is_account;

use super::system::{Environment, System, Value};
use crate::discover::templates::Place;
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Of the machine: for whoever logs in.
const OF_MACHINE: &[&str] = &[
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Run",
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
];
/// Below the hive of one account.
const OF_ACCOUNT: &[&str] = &[
    r"Software\Microsoft\Windows\CurrentVersion\Run",
    r"Software\Microsoft\Windows\CurrentVersion\RunOnce",
    r"Software\Microsoft\Windows\CurrentVersion\Policies\Explorer\Run",
];
const STARTUP: &str = r"Microsoft\Windows\Start Menu\Programs\Startup";

/// Lists them.
pub(super) fn list(
    system: &dyn System,
    root: &Root,
    homes: &[Place],
    environment: &Environment,
    list: &mut List,
) {
    for key in OF_MACHINE {
        of_key(system, environment, key, None, list);
    }
    for sid in system.keys("HKU").into_iter().filter(|sid| is_account(sid) && !sid.ends_with("_Classes")) {
        let account = system.account(&sid).unwrap_or_else(|| sid.clone());
        for below in OF_ACCOUNT {
            of_key(system, environment, &format!("HKU\\{sid}\\{below}"), Some(&account), list);
        }
    }
    of_folder(root, &environment.expand(&format!("%ProgramData%\\{STARTUP}")), None, list);
    for home in homes {
        let folder = format!("{}\\AppData\\Roaming\\{STARTUP}", home.path);
        of_folder(root, &folder, home.account.as_deref(), list);
    }
}

fn of_key(system: &dyn System, environment: &Environment, key: &str, account: Option<&str>, list: &mut List) {
    for (name, value) in system.values(key) {
        let Value::Text(command) = value else { continue };
        // Below a hive the account says whose it is.
        let place = match (account, key.splitn(3, '\\').nth(2)) {
            (Some(_), Some(below)) => below.to_owned(),
            _ => key.to_owned(),
        };
        list.add(Holding {
            place: Some(place),
            detail: Some(format!("starts {} at a login", environment.program(&command))),
            ..List::of(HoldingKind::Service, &name, account.as_slice())
        });
    }
}

fn of_folder(root: &Root, folder: &str, account: Option<&str>, list: &mut List) {
    for name in root.names(folder).into_iter().filter(|name| !name.eq_ignore_ascii_case("desktop.ini")) {
        list.add(Holding {
            place: Some("Startup".to_owned()),
            detail: Some("starts at a login".to_owned()),
            ..List::of(HoldingKind::Service, &name, account.as_slice())
        });
    }
}
