//! Ways in from elsewhere: remote-access tools, Remote Desktop, what Windows itself lets in, and shared folders.

use std::collections::{BTreeMap, BTreeSet};

use ntk_evidence::event::{Holding, HoldingKind};
use ntk_windows::sid::is_account;
use ntk_windows::tools::Tools;

use super::services::{Service, Start};
use super::system::{Environment, System, Value};
use crate::inventory::list::List;
use crate::inventory::running::Running;

/// Where installed programs are named; below the machine and below each account.
const INSTALLED: &[&str] = &[
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
];
const TERMINALS: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server";
const TERMINALS_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services";
const SHARES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\LanmanServer\Shares";
/// Services of Windows itself that let somebody in, and what they are called.
const OF_WINDOWS: &[(&str, &str)] =
    &[("sshd", "OpenSSH"), ("winrm", "Windows Remote Management"), ("tlntsvr", "Telnet")];

/// Lists them.
pub(super) fn list(
    system: &dyn System,
    environment: &Environment,
    services: &[Service],
    running: &Running,
    list: &mut List,
) {
    for (tool, said) in tools(system, environment, services, running) {
        let said: Vec<String> = said.into_iter().collect();
        list.add(Holding {
            detail: Some(said.join(", ")),
            ..List::of::<&str>(HoldingKind::RemoteTool, &tool, &[])
        });
    }
    for service in services.iter().filter(|service| service.start == Start::ByItself) {
        let name = service.name.to_lowercase();
        for (_, shown) in OF_WINDOWS.iter().filter(|(known, _)| *known == name) {
            let detail = Some(format!("starts by itself (service {})", service.name));
            list.add(Holding { detail, ..List::of::<&str>(HoldingKind::RemoteTool, shown, &[]) });
        }
    }
    remote_desktop(system, list);
    shares(system, list);
}

/// Tools of the data file, each with what tells of it.
fn tools(
    system: &dyn System,
    environment: &Environment,
    services: &[Service],
    running: &Running,
) -> BTreeMap<String, BTreeSet<String>> {
    let known = Tools::built_in();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut say = |tool: &str, sentence: String| {
        found.entry(tool.to_owned()).or_default().insert(sentence);
    };
    for service in services {
        let tool = known.of_service(&service.name).or_else(|| known.of_program(&service.program));
        let Some(tool) = tool else { continue };
        let how = if service.start == Start::ByItself { "starts by itself" } else { "has a service" };
        say(&tool.name, format!("{how} (service {})", service.name));
    }
    let mut hives = vec!["HKLM".to_owned()];
    hives.extend(
        system
            .keys("HKU")
            .into_iter()
            .filter(|sid| is_account(sid) && !sid.ends_with("_Classes"))
            .map(|sid| format!("HKU\\{sid}")),
    );
    for key in hives.iter().flat_map(|hive| INSTALLED.iter().map(move |below| format!("{hive}\\{below}"))) {
        for entry in system.keys(&key) {
            let values = system.values(&format!("{key}\\{entry}"));
            let text = |name: &str| {
                values.iter().find_map(|(known, value)| match value {
                    Value::Text(text) if known.eq_ignore_ascii_case(name) => Some(text.clone()),
                    _ => None,
                })
            };
            let icon = text("DisplayIcon")
                .map(|icon| environment.program(icon.split(',').next().unwrap_or_default()));
            let shown = text("DisplayName").unwrap_or_default();
            let by_program = icon.as_deref().and_then(|icon| known.of_program(icon));
            let Some(tool) = by_program.or_else(|| known.of_title(&shown)) else { continue };
            let place = text("InstallLocation").map(|place| place.trim_matches('"').to_owned());
            let place = place.filter(|place| !place.is_empty()).or(icon);
            say(
                &tool.name,
                place.map_or_else(|| "installed".to_owned(), |place| format!("installed ({place})")),
            );
        }
    }
    for program in &running.programs {
        if let Some(tool) = known.of_program(program)
            && !found.contains_key(&tool.name)
        {
            found.entry(tool.name.clone()).or_default().insert("runs without being installed".to_owned());
        }
    }
    found
}

/// Remote Desktop, where it is on (`fDenyTSConnections` 0; a policy goes before the setting).
fn remote_desktop(system: &dyn System, list: &mut List) {
    let denied = system
        .number(TERMINALS_POLICY, "fDenyTSConnections")
        .or_else(|| system.number(TERMINALS, "fDenyTSConnections"));
    if denied != Some(0) {
        return;
    }
    let station = format!("{TERMINALS}\\WinStations\\RDP-Tcp");
    let port = system.number(&station, "PortNumber").unwrap_or(3389);
    let asks = system
        .number(TERMINALS_POLICY, "UserAuthentication")
        .or_else(|| system.number(&station, "UserAuthentication"));
    let asks = if asks == Some(1) { "" } else { ", a session begins before the password" };
    let detail = Some(format!("is on, port {port}{asks}"));
    list.add(Holding { detail, ..List::of::<&str>(HoldingKind::RemoteTool, "Remote Desktop", &[]) });
}

/// Shared folders of disks (`Type` 0; Microsoft, SHARE_INFO_502); those that every Windows has for administrators are not
/// in this list.
fn shares(system: &dyn System, list: &mut List) {
    for (name, value) in system.values(SHARES) {
        let Value::Texts(texts) = value else { continue };
        let field = |wanted: &str| {
            texts
                .iter()
                .find_map(|text| text.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case(wanted)))
        };
        let is_disk = field("Type").is_none_or(|(_, kind)| kind == "0");
        let place = field("Path").map(|(_, path)| path.to_owned()).filter(|_| is_disk);
        let Some(place) = place else { continue };
        list.add(Holding { place: Some(place), ..List::of::<&str>(HoldingKind::Share, &name, &[]) });
    }
}
