//! The accounts' own folders: below them lie most mailboxes and downloads.

use ntk_windows::path::file_name;
use ntk_windows::sid::is_account;

use super::templates::Place;
use crate::inventory::root::Root;
use crate::inventory::windows::system::{Environment, System};

/// Where Windows says whose folder lies where, by security identifier.
const PROFILES: &str = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// Folders beside those of accounts that are nobody's.
const NOBODYS: &[&str] = &["public", "default", "default user", "all users", "defaultapppool"];

/// Those of this machine.
#[cfg(target_os = "linux")]
pub fn homes(root: &Root) -> Vec<Place> {
    use crate::inventory::linux::accounts::{Account, People};
    let home = |account: &Account| Place {
        path: account.home.trim_end_matches('/').to_owned(),
        account: Some(account.name.clone()),
    };
    People::read(root).homes().map(home).collect()
}

/// Those of this machine.
#[cfg(windows)]
pub fn homes(root: &Root) -> Vec<Place> {
    of_windows(&crate::windows::machine::Machine::default(), root)
}

/// Those of a Windows: of accounts that have logged in there, and folders beside them of which the account is gone, or
/// came from elsewhere. Sorted.
pub fn of_windows(system: &dyn System, root: &Root) -> Vec<Place> {
    let environment = Environment::read(system);
    let mut homes: Vec<Place> = Vec::new();
    for sid in system.keys(PROFILES).into_iter().filter(|sid| is_account(sid)) {
        let path = system.text(&format!("{PROFILES}\\{sid}"), "ProfileImagePath");
        let Some(path) = path.map(|path| environment.expand(&path)) else { continue };
        let account = system.account(&sid).unwrap_or_else(|| file_name(&path));
        homes.push(Place { path, account: Some(account) });
    }
    let folder =
        system.text(PROFILES, "ProfilesDirectory").unwrap_or_else(|| r"%SystemDrive%\Users".to_owned());
    let folder = environment.expand(&folder);
    for name in root.names(&folder) {
        let path = root.below(&folder, &name);
        let is_known = homes.iter().any(|home| home.path.eq_ignore_ascii_case(&path));
        if !is_known && !NOBODYS.contains(&name.to_lowercase().as_str()) {
            homes.push(Place { path, account: Some(name) });
        }
    }
    homes.retain(|home| root.is_folder(&home.path));
    homes.sort();
    homes
}
