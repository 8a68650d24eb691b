//! How this machine's keys are kept: each file with its mode and owner, the folder, and the age of the epoch.

use std::path::Path;
use std::time::Duration;

use ntk_evidence::time::Moment;

use super::{Finding, Verdict, say};
use crate::config::{Config, EPOCH_HOURS_DEFAULT};
use crate::identity::IdentityFiles;

/// A key may outlive its epoch by so much before someone should look: roll-overs wait for room on the disk.
const LATE: Duration = Duration::from_secs(3600);

/// Every key file and the folder, then the epoch.
pub(super) fn keys(lines: &mut Vec<Finding>, identity: &IdentityFiles, config: Option<&Config>, now: Moment) {
    let Ok(epochs) = identity.epochs() else { return };
    file(lines, identity.folder(), 0o700);
    for path in [identity.tls_key(), identity.witness_key()] {
        file(lines, &path, 0o600);
    }
    for epoch in &epochs {
        file(lines, &identity.epoch_key(*epoch), 0o600);
    }
    let Some(newest) = epochs.last().copied() else { return };
    if epochs.len() > 1 {
        let text = "keys: an earlier signing key is still there; a running agent removes it within seconds, else the next start does";
        say(lines, Verdict::Attention, text.to_owned());
    }
    let every = config
        .map_or(Duration::from_secs(EPOCH_HOURS_DEFAULT.saturating_mul(3600)), |config| config.epoch_every);
    age(lines, &identity.epoch_key(newest), newest, every, now);
}

fn age(lines: &mut Vec<Finding>, path: &Path, epoch: u32, every: Duration, now: Moment) {
    let made = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let made = made.and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
    let Some(made) = made.and_then(|made| i64::try_from(made.as_secs()).ok()) else { return };
    let age = u64::try_from(now.unix_seconds().saturating_sub(made)).unwrap_or(0);
    let hours = every.as_secs() / 3600;
    let default = if hours == EPOCH_HOURS_DEFAULT {
        String::new()
    } else {
        format!(
            "; {EPOCH_HOURS_DEFAULT} is usual: whoever steals a key can sign as this machine until it is replaced"
        )
    };
    let said = format!(
        "keys: epoch {epoch}, its key is {} old; replaced every {hours} h and at each start{default}",
        told(age)
    );
    if Duration::from_secs(age) > every.saturating_add(LATE) {
        let late = "the agent does not run, or there is no room for the next key";
        say(lines, Verdict::Attention, format!("{said}; it should have been replaced: {late}"));
    } else {
        say(lines, Verdict::Good, said);
    }
}

fn told(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(unix)]
fn file(lines: &mut Vec<Finding>, path: &Path, wanted: u32) {
    use std::os::unix::fs::MetadataExt as _;
    let name = path.display();
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return say(lines, Verdict::NoStart, format!("keys: `{name}` cannot be looked at ({error})"));
        }
    };
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let said = format!("keys: `{name}` mode {mode:04o}, owner uid {owner}");
    if metadata.is_symlink() {
        let wrong = "it is a link: whoever can change the link chooses the key; put the file itself there";
        return say(lines, Verdict::NoStart, format!("{said}; {wrong}"));
    }
    if mode & !wanted != 0 {
        let mend = format!("others could use it; run `chmod {wanted:04o} {name}`");
        return say(lines, Verdict::NoStart, format!("{said}; {mend}"));
    }
    let own = rustix::process::geteuid().as_raw();
    if owner != own {
        let mend =
            format!("that account could use it; run `chown {own} {name}` as root, or this as that account");
        return say(lines, Verdict::Bad, format!("{said}, and this is uid {own}; {mend}"));
    }
    say(lines, Verdict::Good, said);
}

/// Windows: the installer sets the folder's access-control list; there are no bits to look at.
#[cfg(not(unix))]
fn file(lines: &mut Vec<Finding>, path: &Path, _wanted: u32) {
    let verdict = if path.exists() { Verdict::Good } else { Verdict::NoStart };
    say(lines, verdict, format!("keys: `{}`", path.display()));
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn lines(identity: &IdentityFiles, now: Moment) -> Vec<String> {
        let mut lines = Vec::new();
        keys(&mut lines, identity, None, now);
        let folder = format!("{}/", identity.folder().display());
        let own = format!("uid {}", rustix::process::geteuid().as_raw());
        let plain = |line: &Finding| line.to_string().replace(&folder, "").replace(&own, "uid ours");
        lines.iter().map(plain).filter(|line| !line.contains("identity`")).collect()
    }

    #[test]
    fn each_key_is_named_with_mode_and_owner_and_a_loose_one_with_what_mends_it() {
        let scratch = tempfile::tempdir().unwrap();
        let identity = IdentityFiles::of(scratch.path());
        crate::whole_file::create_private_folder(identity.folder()).unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
        };
        for path in [identity.tls_key(), identity.witness_key(), identity.epoch_key(3)] {
            std::fs::write(&path, "key").unwrap();
            set(&path, 0o600);
        }
        let made = std::fs::metadata(identity.epoch_key(3)).unwrap().modified().unwrap();
        let made = made.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let at = |hours: i64| Moment::from_unix_seconds(i64::try_from(made).unwrap() + hours * 3600).unwrap();
        assert_eq!(
            lines(&identity, at(5)),
            [
                "ok    keys: `agent.key` mode 0600, owner uid ours",
                "ok    keys: `witness.key` mode 0600, owner uid ours",
                "ok    keys: `epoch-3.key` mode 0600, owner uid ours",
                "ok    keys: epoch 3, its key is 5 h old; replaced every 24 h and at each start",
            ]
        );
        let late = lines(&identity, at(72)).pop().unwrap();
        assert!(
            late.starts_with("note") && late.contains("3 days old") && late.contains("should have been"),
            "{late}"
        );
        set(&identity.epoch_key(3), 0o644);
        let loose = &lines(&identity, at(5))[2];
        assert!(loose.starts_with("FAIL") && loose.contains("run `chmod 0600 epoch-3.key`"), "{loose}");
        std::fs::remove_file(identity.witness_key()).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", identity.witness_key()).unwrap();
        assert!(lines(&identity, at(5))[1].contains("it is a link"));
        std::fs::write(identity.epoch_key(2), "key").unwrap();
        assert!(lines(&identity, at(5)).iter().any(|line| line.contains("an earlier signing key")));
    }
}
