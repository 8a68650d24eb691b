//! The files and sentences of install: the service's unit as it ships, the boot parameters, and what sealing costs.

use std::path::Path;

/// The unit as it ships; this and the file in `deploy` cannot differ.
const UNIT: &str = include_str!("../../../deploy/systemd/ntk-agent.service");

/// Lines of the shipped unit that name where things are.
const START: &str = "ExecStart=/usr/bin/ntk-agent run --dir /var/lib/ntk-agent\n";
const STATE: &str = "StateDirectory=ntk-agent\nStateDirectoryMode=0700\n";

/// The unit for a program and a folder: the shipped one but for these two places.
pub(super) fn unit(program: &Path, dir: &Path) -> String {
    let start = format!("ExecStart={} run --dir {}\n", quoted(program), quoted(dir));
    let unit = UNIT.replace(START, &start);
    if dir == Path::new(crate::config::DEFAULT_DIR) {
        unit
    } else {
        unit.replace(STATE, &format!("ReadWritePaths={}\n", quoted(dir)))
    }
}

/// A path as one word of a unit: quotes round it where it is not plain, `%` and `$` doubled (systemd.syntax(7)).
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,%$".contains(c);
    if text.chars().all(is_plain) {
        text
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// Parameters of the kernel's command line.
pub(super) const PARAMETERS: [&str; 2] = ["audit=1", "audit_backlog_limit=8192"];

/// The boot loader's drop-in (Debian, Ubuntu).
pub(super) const BOOT: &str = "\
# Written by `ntk-agent install --boot-parameters`; `ntk-agent uninstall` removes it.
# Kernel audit from the first process on, and room for its records until the agent reads them.
GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX audit=1 audit_backlog_limit=8192\"
";

/// What the boot parameters are for.
pub(super) const WHY_BOOT: &str = "\
boot parameters: not set. Processes that started before kernel audit was first switched on are never seen by it, and what \
happens between two agents is kept only with them. To have them, run install again with --boot-parameters, or add \
`audit=1 audit_backlog_limit=8192` to the kernel's command line by hand";

/// What install leaves to people.
pub(super) const NOT_DONE: &str = "\
What this does not do:
- It chooses no folders: name them in agent.toml, or see `ntk-agent discover`.
- It sets up no observer, which says who killed the agent: deploy/systemd/ntk-observer.service says how.
- It gives the service no right to compare kernel audit with fanotify: that right (CAP_SYS_ADMIN) is nearly root's own. Who
  wants the comparison runs `systemctl edit ntk-agent` and adds:
    [Service]
    CapabilityBoundingSet=CAP_SYS_ADMIN
    SystemCallFilter=fanotify_init fanotify_mark
- It does not keep root from booting another system, another kernel or other parameters; that they are changed is recorded.";

/// What sealed mode costs, in words for whoever has to decide.
pub const COSTS: &str = "\
Sealed mode: from the moment the agent has its rules until this machine boots again nobody can change kernel audit, root and
the agent included. What that costs:
- Nobody can add or remove audit rules, switch audit off, or change how many records may wait. Other programs that want rules
  of their own (auditd, a compliance scanner) must have them before the agent starts.
- What is watched later, and another name for a watched file, is recorded by kernel audit from the next boot on. The same
  holds for a watched folder that is not there when the agent starts, that is removed and made again, or whose disk is
  taken out and put back. The agent says which those are.
- A login identity that is set stays for good. Whatever sets another one fails, or its work counts as the first person's:
  sshd, cron or a container's logins that somebody starts from a session and not through the service manager.
- Every signal that may end a process, and every debugger's attachment, makes a record: the rules name no process.
- Uninstalling takes the agent away at once, and the rules at the next boot.
Root can still switch it off for the next boot. That leaves a record; it is not prevented.";
