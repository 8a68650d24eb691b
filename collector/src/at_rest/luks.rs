//! Whether the disk under a folder is encrypted by the system below the collector (LUKS), as Linux tells it.
//!
//! `/sys/dev/block/<major>:<minor>/dm/uuid` begins with `CRYPT-LUKS1-` or `CRYPT-LUKS2-` for such a device. A logical volume,
//! or a RAID, stands on the devices in `slaves/`: all of them have to be. What cannot be seen (a file system over several
//! devices, a network disk, another system than Linux) counts as not encrypted: a promise that was not looked at would mislead.

#[cfg(any(target_os = "linux", test))]
use std::fs;
use std::path::Path;

/// Devices on devices, at most.
#[cfg(any(target_os = "linux", test))]
const DEPTH_MAX: u8 = 8;

/// Whether what lies in `folder` lies on LUKS.
#[cfg(target_os = "linux")]
pub fn is_under(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(device) = fs::metadata(folder).map(|found| found.dev()) else { return false };
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    stands_on_luks(&Path::new("/sys/dev/block").join(number), DEPTH_MAX)
}

/// Another system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn is_under(_folder: &Path) -> bool {
    false
}

/// The same of a device's folder in `/sys`.
#[cfg(any(target_os = "linux", test))]
fn stands_on_luks(device: &Path, depth: u8) -> bool {
    if fs::read_to_string(device.join("dm/uuid")).is_ok_and(|uuid| is_luks(&uuid)) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    let Ok(below) = fs::read_dir(device.join("slaves")) else { return false };
    let below: Vec<bool> =
        below.map(|entry| entry.is_ok_and(|entry| stands_on_luks(&entry.path(), depth))).collect();
    !below.is_empty() && below.into_iter().all(|is_luks| is_luks)
}

/// Whether a device-mapper's uuid is one of LUKS: not dm-verity or dm-integrity, whose names begin with `CRYPT-`, too.
#[cfg(any(target_os = "linux", test))]
fn is_luks(uuid: &str) -> bool {
    uuid.starts_with("CRYPT-LUKS1-") || uuid.starts_with("CRYPT-LUKS2-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_of_luks_is_one_and_those_that_begin_alike_are_none() {
        assert!(is_luks("CRYPT-LUKS2-3f1de6a1b7d4406e8f9e7b1b2c3d4e5f-ntk-data\n"));
        assert!(is_luks("CRYPT-LUKS1-3f1de6a1b7d4406e8f9e7b1b2c3d4e5f-ntk-data"));
        for other in [
            "",
            "CRYPT-VERITY-3f1d-root",
            "CRYPT-INTEGRITY-x",
            "LVM-abc",
            "part1-CRYPT-LUKS2-x",
            "crypt-luks2-",
        ] {
            assert!(!is_luks(other), "{other}");
        }
    }

    #[test]
    fn a_volume_stands_on_luks_where_all_below_it_do() {
        let scratch = tempfile::tempdir().unwrap();
        let device = |name: &str, uuid: Option<&str>, below: &[&str]| {
            let folder = scratch.path().join(name);
            fs::create_dir_all(folder.join("slaves")).unwrap();
            if let Some(uuid) = uuid {
                fs::create_dir(folder.join("dm")).unwrap();
                fs::write(folder.join("dm/uuid"), uuid).unwrap();
            }
            for other in below {
                // In /sys these are links.
                #[cfg(unix)]
                std::os::unix::fs::symlink(scratch.path().join(other), folder.join("slaves").join(other))
                    .unwrap();
            }
        };
        let stands = |name: &str| stands_on_luks(&scratch.path().join(name), DEPTH_MAX);
        device("sda2", None, &[]);
        device("sdb2", None, &[]);
        device("dm-0", Some("CRYPT-LUKS2-1-a\n"), &["sda2"]);
        device("dm-1", Some("CRYPT-LUKS2-2-b\n"), &["sdb2"]);
        device("dm-2", Some("LVM-all\n"), &["dm-0", "dm-1"]);
        device("dm-3", Some("LVM-half\n"), &["dm-0", "sdb2"]);
        device("dm-4", Some("LVM-round\n"), &["dm-4"]);
        assert!(stands("dm-0"));
        #[cfg(unix)]
        assert!(stands("dm-2"));
        for plain in ["sda2", "dm-3", "dm-4", "gone"] {
            assert!(!stands(plain), "{plain}");
        }
        assert!(!is_under(&scratch.path().join("gone")));
    }
}
