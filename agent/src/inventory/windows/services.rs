//! Services that do not come with Windows, or run as somebody: by their keys in the registry.
//!
//! What comes with Windows and runs as the system's own accounts is everybody's and not listed; drivers are not either. Of
//! what a service starts the program is told, never its arguments.

use ntk_evidence::event::{Holding, HoldingKind};

use super::system::{Environment, System, is_system};
use crate::inventory::list::List;

/// Where services stand.
pub const SERVICES: &str = r"HKLM\SYSTEM\CurrentControlSet\Services";
/// `Type`: `SERVICE_WIN32_OWN_PROCESS` and `SERVICE_WIN32_SHARE_PROCESS`; the others are drivers.
const PROGRAMS: u64 = 0x30;

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its key.
    pub name: String,
    /// Its program; with `svchost.exe` the library that it runs.
    pub program: String,
    /// As whom it runs.
    pub account: String,
    /// When it is started.
    pub start: Start,
}

/// When a service is started (`Start`: 0 to 2, 3, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the machine.
    ByItself,
    /// When something asks for it.
    Asked,
    /// Never.
    Never,
}

impl Start {
    fn in_words(self) -> &'static str {
        match self {
            Self::ByItself => "with the machine",
            Self::Asked => "when asked",
            Self::Never => "switched off",
        }
    }
}

/// Every service that is a program.
pub fn services(system: &dyn System, environment: &Environment) -> Vec<Service> {
    let of = |name: String| {
        let key = format!("{SERVICES}\\{name}");
        system.number(&key, "Type").filter(|kind| kind & PROGRAMS != 0)?;
        let program = environment.program(&system.text(&key, "ImagePath")?);
        let is_shared =
            ntk_windows::path::file_name(&program) == "svchost.exe" && environment.is_of_windows(&program);
        let library = || {
            let own = system.text(&format!("{key}\\Parameters"), "ServiceDll");
            own.or_else(|| system.text(&key, "ServiceDll")).map(|library| environment.program(&library))
        };
        let account = system.text(&key, "ObjectName").unwrap_or_else(|| "LocalSystem".to_owned());
        Some(Service {
            program: if is_shared { library().unwrap_or(program) } else { program },
            account: plain(&account),
            start: match system.number(&key, "Start") {
                Some(0..=2) => Start::ByItself,
                Some(4) => Start::Never,
                _ => Start::Asked,
            },
            name,
        })
    };
    system.keys(SERVICES).into_iter().filter_map(of).collect()
}

/// `.\sam` is `sam` of this machine.
fn plain(account: &str) -> String {
    let account = account.strip_prefix(r".\").unwrap_or(account);
    if account.eq_ignore_ascii_case("LocalSystem") { "SYSTEM".to_owned() } else { account.to_owned() }
}

/// Lists them.
pub(super) fn list(services: &[Service], environment: &Environment, list: &mut List) {
    for service in services {
        if is_system(&service.account) && environment.is_of_windows(&service.program) {
            continue;
        }
        list.add(Holding {
            place: Some("services".to_owned()),
            detail: Some(format!("starts {}, {}", service.program, service.start.in_words())),
            ..List::of(HoldingKind::Service, &service.name, &[&service.account])
        });
    }
}
