//! Files of the system and of this agent whose changes are told beside the practice's own folders: who may log in and
//! become root, what the recorder and the kernel start with, and everything that this agent is.

use std::path::Path;

use ntk_evidence::event::Class;

use crate::watch_list::{Touch, Watch};

/// Accounts, groups, rights, logins, and what root runs unasked; each is watched where it or its folder exists.
const SYSTEM: &[&str] = &[
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/pam.d",
    "/etc/ssh",
    "/etc/security",
    "/etc/audit",
    "/etc/ld.so.preload",
    "/etc/crontab",
    "/etc/cron.d",
    // What the kernel is started with, and which modules it loads.
    "/etc/default/grub",
    "/etc/default/grub.d",
    "/etc/kernel",
    "/etc/modprobe.d",
    "/etc/modules-load.d",
    "/boot/grub/grub.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/loader/entries",
];

/// Where a unit of this agent may lie.
const UNITS: &[&str] = &[
    "/etc/systemd/system/ntk-agent.service",
    "/etc/systemd/system/ntk-agent.service.d",
    "/lib/systemd/system/ntk-agent.service",
    "/usr/lib/systemd/system/ntk-agent.service",
];

/// The guards of an agent with this folder.
pub(super) fn guards(own_dir: &Path) -> Vec<Watch> {
    let system = SYSTEM.iter().map(|path| Watch::guard(path, Class::System, Touch::Changes));
    let units = UNITS.iter().map(|path| Watch::guard(path, Class::SelfFiles, Touch::Changes));
    let own = |path: &Path, touch| {
        path.to_str()
            .filter(|path| path.starts_with('/'))
            .map(|path| Watch::guard(path, Class::SelfFiles, touch))
    };
    let program = std::env::current_exe().ok();
    let ours = [
        program.as_deref().and_then(|program| own(program, Touch::Changes)),
        own(own_dir, Touch::Changes),
        own(&own_dir.join("identity"), Touch::Own),
    ];
    system.chain(units).chain(ours.into_iter().flatten()).filter(may_be_watched).collect()
}

/// The kernel takes a rule on a file that is not there yet, if its folder is.
fn may_be_watched(guard: &Watch) -> bool {
    let path = Path::new(&guard.path);
    path.exists() || path.parent().is_some_and(Path::is_dir)
}
