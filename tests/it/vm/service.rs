//! The shipped units under the service manager that they are written for.

use anyhow::Result;
use ntk_tests::vm::Image;
use super::{AT_MOST, events, kernel, practice_of_its_own};

/// What a machine with systemd is put together from.
const PACKAGES: &[&str] = &[
    "systemd", "libpam-systemd", "dbus", "dbus-daemon", "dbus-bin", "dbus-system-bus-common", "libpam-modules", "libpam-modules-bin",
    "libpam-runtime", "libpam-cap", "login", "passwd", "bash", "dash", "coreutils", "util-linux", "mount", "sudo", "at", "openssh-server", "openssh-client",
];

/// Units that a machine of one test has no use for.
const MASKED: &[&str] = &[
    "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service", "getty.target", "systemd-hwdb-update.service",
    "systemd-journal-flush.service", "systemd-update-utmp-runlevel.service", "systemd-binfmt.service", "systemd-modules-load.service",
    "remote-fs.target", "timers.target", "systemd-random-seed.service", "systemd-pstore.service", "dev-hugepages.mount",
    "systemd-journald-audit.socket",
];

fn image() -> Result<Image> {
    let mut image = practice_of_its_own("")?;
    for package in PACKAGES {
        image.package(package)?;
    }
    for file in ["common-account", "common-auth", "common-password", "common-session", "common-session-noninteractive"] {
        image.host(format!("/etc/pam.d/{file}"))?;
    }
    for file in ["/etc/nsswitch.conf", "/etc/os-release", "/etc/debian_version", "/usr/lib/os-release", "/etc/login.defs"] {
        image.host(file)?;
    }
    for library in ["libnss_files.so.2", "libnss_systemd.so.2", "libgcc_s.so.1"] {
        let path = format!("/lib/x86_64-linux-gnu/{library}");
        if std::path::Path::new(&path).exists() {
            image.host(path)?;
        }
    }
    image.file("/init", 0o755, include_str!("../../vm/switch.sh"));
    image.file("/etc/passwd", 0o644, include_str!("passwd"));
    image.file("/etc/group", 0o644, include_str!("group"));
    image.file("/etc/shadow", 0o600, "root:*:20000::::::\nitadmin1:*:20000::::::\n");
    image.file("/etc/hostname", 0o644, "ws-01\n");
    image.file("/etc/machine-id", 0o444, "0123456789abcdef0123456789abcdef\n");
    image.file("/etc/fstab", 0o644, "");
    // Their packages are not worth their size.
    for applet in ["grep", "sed", "find", "cpio", "tail", "usleep"] {
        image.link(&format!("/usr/bin/{applet}"), "busybox");
    }
    for unit in MASKED {
        image.link(&format!("/etc/systemd/system/{unit}"), "/dev/null");
    }
    image.link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/multi-user.target");
    image.link("/etc/systemd/system/multi-user.target.wants/vm-test.service", "../vm-test.service");
    image.file("/etc/systemd/system/vm-test.service", 0o644, include_str!("vm-test.service"));
    for unit in ["ntk-agent", "ntk-collector", "ntk-observer"] {
        let text = std::fs::read(crate::tidy::top().join(format!("deploy/systemd/{unit}.service")))?;
        image.file(&format!("/etc/systemd/system/{unit}.service"), 0o644, text);
    }
    image.file("/script", 0o755, include_str!("service.sh"));
    image.with_libraries()
}

#[test]
fn the_shipped_units_work_under_systemd_and_say_who_is_behind_its_jobs() -> Result<()> {
    let Some(kernel) = kernel("the_shipped_units_work_under_systemd_and_say_who_is_behind_its_jobs") else {
        return Ok(());
    };
    let ended = kernel.boot(&image()?, AT_MOST)?;
    println!("{}", ended.console);
    ended.ensure_done()?;
    let events = events(&ended)?;
    println!("{events:#?}");
    Ok(())
}
