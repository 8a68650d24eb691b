//! Work that a machine does by itself, by the systemd unit it runs in: what it is called instead of whose it may be.

/// Units of package managers and of the system's own housekeeping, started by timers.
const UNITS: &[&str] = &[
    "apt-daily.service",
    "apt-daily-upgrade.service",
    "apt-news.service",
    "dnf-automatic.service",
    "dnf-automatic-install.service",
    "dnf-makecache.service",
    "dnf5-automatic.service",
    "dpkg-db-backup.service",
    "e2scrub_all.service",
    "e2scrub_reap.service",
    "esm-cache.service",
    "fstrim.service",
    "fwupd-refresh.service",
    "logrotate.service",
    "man-db.service",
    "mlocate-updatedb.service",
    "motd-news.service",
    "packagekit.service",
    "plocate-updatedb.service",
    "systemd-tmpfiles-clean.service",
    "unattended-upgrades.service",
    "update-notifier-download.service",
    "updatedb.service",
];

/// Whether a unit is such work.
pub fn is_housekeeping(unit: &str) -> bool {
    UNITS.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn housekeeping_is_known_by_name_and_a_transient_unit_is_none() {
        assert!(is_housekeeping("apt-daily.service"));
        for unit in ["run-u7.service", "cron.service", "ssh.service", "session-3.scope", "apt-daily"] {
            assert!(!is_housekeeping(unit), "{unit}");
        }
    }
}
