//! Mounts that lead to a watch under another name, or hide one.
//!
//! A bind mount is the same files under another path: the folder's rule sees them. An overlay shows the files of a
//! folder as files of its own, and the rule sees nothing of what is read through it. The record of a mount names
//! neither, so the table of mounts is looked at when one was made.
//!
//! A mount of another mount namespace is told, and that an overlay there is not seen through: the kernel takes a rule on
//! a folder only from inside its namespace, and entering one needs rights that the agent does without.

use ntk_evidence::event::{Object, Outcome, TamperKind, Via};

use super::access;
use super::places::{Folders, Places};
use crate::coalesce::Observation;
use crate::record::kind;
use crate::watch_list::{WatchList, normalise};

/// In the detail of a mount that this agent's own namespace does not have.
pub const ELSEWHERE: &str = ", in another mount namespace";

/// A line of a process's table of mounts, without the numbers that differ from namespace to namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// `major:minor`, decimal.
    pub device: String,
    /// What of the file system is shown.
    pub root: String,
    /// Where.
    pub point: String,
    /// Kind of the file system.
    pub kind: String,
    /// Folders that it shows the files of: `lowerdir`, `upperdir`.
    pub layers: Vec<String>,
    /// Only another mount namespace has it.
    pub is_elsewhere: bool,
}

impl Mount {
    /// Reads a line of `/proc/PID/mountinfo` (proc(5)); none where it is none.
    pub fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(2);
        let (device, root, point) = (before.next()?, before.next()?, before.next()?);
        let mut after = after.split(' ');
        let kind = after.next()?.to_owned();
        let options = after.nth(1).unwrap_or_default();
        let layers = options.split(',').filter_map(|option| {
            let (name, value) = option.split_once('=')?;
            matches!(name.trim_end_matches('+'), "lowerdir" | "upperdir" | "datadir").then_some(value)
        });
        let layers = layers.flat_map(|value| value.split(':')).map(unescaped);
        Some(Self {
            device: device.to_owned(),
            root: unescaped(root),
            point: unescaped(point),
            kind,
            layers: layers.filter(|layer| layer.starts_with('/')).map(|layer| normalise(&layer)).collect(),
            is_elsewhere: false,
        })
    }

    /// The watch that it leads to or hides, and how.
    fn about(&self, watches: &WatchList) -> Option<(usize, &'static str)> {
        let within = |path: &str, folder: &str| {
            folder == "/"
                || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let touches = |folder: &str| {
            let assets = watches.iter().enumerate().filter(|(_, watch)| watch.is_asset());
            assets
                .filter(|(_, watch)| within(&watch.path, folder) || within(folder, &watch.path))
                .map(|(place, _)| place)
                .next()
        };
        if let Some(place) = self.layers.iter().find_map(|layer| touches(layer)) {
            return Some((place, "overlay"));
        }
        // A bind mount of a folder on the file system of the root: its root is its path. Others are found by inode.
        let is_part = self.root != "/" && self.root != self.point;
        if let Some(place) = is_part.then(|| touches(&self.root)).flatten() {
            return Some((place, "bind"));
        }
        let hides = |point: &str| {
            watches.iter().position(|watch| {
                watch.is_asset() && (within(&watch.path, point) || within(point, &watch.path))
            })
        };
        (self.point != "/").then(|| hides(&self.point)).flatten().map(|place| (place, "over"))
    }
}

/// Octal escapes of the table: space, tab, newline, backslash.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = (first == b'\\').then(|| tail.get(..3)).flatten();
        let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a mount does to a watch.
pub(super) struct Found {
    pub(super) what: TamperKind,
    pub(super) detail: String,
    pub(super) object: Option<Object>,
}

/// A call that makes file systems visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    /// The table of mounts shows it.
    Attached,
    /// Only a descriptor leads to it.
    Detached,
}

const fn call_of(arch: u64, number: u64) -> Option<Call> {
    match (arch, number) {
        (0xc000_003e, 165 | 166 | 155) | (0x4000_0003, 21 | 22 | 52 | 217) => Some(Call::Attached),
        (0xc000_00b7, 39..=41) | (0x4000_0028, 21 | 52 | 218) => Some(Call::Attached),
        // These have one number everywhere.
        (_, 428 | 429 | 467) => Some(Call::Attached),
        (_, 432) => Some(Call::Detached),
        _ => None,
    }
}

/// Reads mounts that lead to a watch or hide one; each once.
pub(super) fn read(
    observation: &Observation,
    watches: &WatchList,
    places: &mut Places,
    folders: &dyn Folders,
) -> Vec<Found> {
    let Some(record) = observation.first(kind::SYSCALL) else { return Vec::new() };
    let call = record.hexadecimal("arch").zip(record.number("syscall"));
    let Some(call) = call.and_then(|(arch, number)| call_of(arch, number)) else { return Vec::new() };
    let Some(pid) = record.id("pid") else { return Vec::new() };
    if access::outcome_of(record) != Outcome::Success {
        return Vec::new();
    }
    let mut found = Vec::new();
    if call == Call::Detached {
        let descriptor =
            record.field("exit").and_then(|exit| exit.signed()).and_then(|exit| i32::try_from(exit).ok());
        // Gone already, or not to be looked at: it may be one, and is told.
        if descriptor.is_some_and(|descriptor| folders.is_overlay(pid, descriptor) != Some(false)) {
            found.push(Found { what: TamperKind::MountChanged, detail: "detached".to_owned(), object: None });
        }
    }
    for mount in places.new_mounts(folders.mounts(pid)) {
        let Some((place, how)) = mount.about(watches) else { continue };
        let Some(watch) = watches.at(place) else { continue };
        let object = Object {
            path: Some(watch.path.clone()),
            to: Some(mount.point.clone()).filter(|point| *point != watch.path),
            owner: watch.owner.clone(),
            class: Some(watch.class.clone()),
            via: Some(Via::Direct),
            ..Object::default()
        };
        let detail = format!("{how} {}{}", mount.kind, whence(&mount, how));
        found.push(Found { what: TamperKind::MountChanged, detail, object: Some(object) });
    }
    found
}

/// Where a mount is, and what that means; nothing for one that this agent sees, too.
fn whence(mount: &Mount, how: &str) -> String {
    match (mount.is_elsewhere, how) {
        (false, _) => String::new(),
        (true, "overlay") => format!("{ELSEWHERE}: what is opened through it is not seen"),
        (true, _) => ELSEWHERE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&str>) {
        let watches = ["/srv/ehr=ehr", "/home/mary/Maildir=mailbox:mary"].map(|watch| watch.parse().unwrap());
        let watches = WatchList::new(watches.to_vec()).unwrap();
        let mount = Mount::parse(line).unwrap();
        let about =
            mount.about(&watches).map(|(place, how)| format!("{how} {}", watches.at(place).unwrap().path));
        assert_eq!(about.as_deref(), expected, "{line}");
    }

    #[test]
    fn a_mount_that_leads_to_a_watch_or_hides_it_is_known() {
        let overlay = "36 28 0:50 / /mnt/x\\040y rw,relatime shared:2 - overlay overlay rw,lowerdir=";
        check(&format!("{overlay}/srv/ehr/exports,upperdir=/tmp/u,workdir=/tmp/w"), Some("overlay /srv/ehr"));
        check(&format!("{overlay}/opt:/srv,upperdir=/tmp/u"), Some("overlay /srv/ehr"));
        check(&format!("{overlay}/var/lib/docker/a,upperdir=/var/lib/docker/b"), None);
        check("40 28 254:0 /srv/ehr/exports /mnt/b rw - ext4 /dev/vda rw", Some("bind /srv/ehr"));
        check("40 28 254:0 /home/mary /mnt/b rw - ext4 /dev/vda rw", Some("bind /home/mary/Maildir"));
        check("41 28 0:60 / /srv/ehr rw - tmpfs tmpfs rw", Some("over /srv/ehr"));
        check("41 28 0:60 / /srv rw - tmpfs tmpfs rw", Some("over /srv/ehr"));
        check("41 28 0:60 / /srv/ehrs rw - tmpfs tmpfs rw", None);
        check("28 1 254:0 / / rw - ext4 /dev/vda rw", None);
        let seen = Mount::parse("40 28 254:0 /srv/ehr /mnt/b rw - ext4 /dev/vda rw").unwrap();
        let elsewhere = Mount { is_elsewhere: true, ..seen.clone() };
        assert_eq!((whence(&seen, "overlay").as_str(), whence(&elsewhere, "bind").as_str()), ("", ELSEWHERE));
        assert!(whence(&elsewhere, "overlay").ends_with("is not seen"));
        assert_eq!(Mount::parse("nothing of the kind"), None);
        assert_eq!(Mount::parse("36 28 0:50 / /mnt/x\\040y rw - tmpfs t rw").unwrap().point, "/mnt/x y");
        assert_eq!(unescaped("\\\\12\\9"), "\\\\12\\9");
    }
}
