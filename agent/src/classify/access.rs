//! File accesses: which action a call was, on which path, how it ended, and whether it concerns a watch.

use std::borrow::Cow;

use ntk_evidence::event::{Action, Class, Object, Outcome, Via};

use super::calls::{self, Call, Verb};
use super::keys::{ForeignKeys, KeyLearner};
use super::places::{Folders, Inode, Known, Places};
use crate::coalesce::Observation;
use crate::record::{Record, kind};
use crate::watch_list::{Watch, WatchList, absolute, normal};

const O_ACCMODE: u64 = 3;
const O_CREAT: u64 = 0x40;
const O_TRUNC: u64 = 0x200;

/// Format bits of a file's mode.
const MODE_FORMAT: u64 = 0o170_000;
const MODE_FOLDER: u64 = 0o040_000;
const MODE_BLOCK_DEVICE: u64 = 0o060_000;

/// What a file access was.
pub(super) struct Access {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) object: Object,
}

/// A PATH record, read once.
struct Item<'a> {
    name: Option<Cow<'a, str>>,
    inode: Option<Inode>,
    mode: u64,
    device: Option<&'a [u8]>,
    nametype: &'a [u8],
}

/// What surrounds the reading of one access.
pub(super) struct Scene<'a> {
    pub(super) watches: &'a WatchList,
    pub(super) keys: &'a ForeignKeys,
    pub(super) places: &'a mut Places,
    pub(super) folders: &'a dyn Folders,
}

/// The call of an observation, with the record that tells how it ended.
fn call_of(observation: &Observation) -> Option<(Call, &Record)> {
    if let Some(operation) = observation.first(kind::URINGOP) {
        let verb = calls::uring_of(operation.number("uring_op")?)?;
        return Some((Call { verb, folders_at: &[] }, operation));
    }
    let record = observation.first(kind::SYSCALL)?;
    Some((calls::call_of(record.hexadecimal("arch")?, record.number("syscall")?)?, record))
}

/// The signal that a call sends, if that is what it does.
pub(super) fn signal_of(observation: &Observation) -> Option<u64> {
    match call_of(observation)? {
        (Call { verb: Verb::Kill { signal_at }, .. }, record) => argument(record, signal_at),
        _ => None,
    }
}

/// How a system call ended: `success` decides, the error number says why.
pub(super) fn outcome_of(record: &Record) -> Outcome {
    match record.field("success").map(|word| word.word()) {
        Some(b"yes") => Outcome::Success,
        _ => match record.field("exit").map(|word| word.word()) {
            Some(b"-13" | b"-1") => Outcome::Denied,
            Some(word) if word.starts_with(b"EACCES") || word.starts_with(b"EPERM") => Outcome::Denied,
            _ => Outcome::Failed,
        },
    }
}

/// The keys of the rules that made a record, as they stand in it: joined.
fn keys_of(record: &Record) -> Cow<'_, str> {
    record.spelled("key").unwrap_or_default()
}

/// Each of them.
fn each_key(joined: &str) -> impl Iterator<Item = &str> {
    joined.split('\u{1}').filter(|key| !key.is_empty())
}

/// Shows the learner which key was borne by a record of which watch.
pub(super) fn learn_keys(observation: &Observation, watches: &WatchList, learner: &mut KeyLearner) {
    let Some((call, record)) = call_of(observation) else { return };
    if matches!(call.verb, Verb::Kill { .. }) {
        return;
    }
    let cwd = folder_of(observation);
    let names = observation.each(kind::PATH).filter_map(|path| path.text("name"));
    let watch = names.filter_map(|name| watches.place_of(&absolute(&cwd, &name))).next();
    each_key(&keys_of(record)).for_each(|key| learner.saw(key, watch));
}

/// Reads a file access; none where it is none, or concerns no watch.
pub(super) fn read(observation: &Observation, scene: &mut Scene<'_>) -> Option<Access> {
    let (call, record) = call_of(observation)?;
    if matches!(call.verb, Verb::Kill { .. }) {
        return None;
    }
    let outcome = outcome_of(record);
    let items: Vec<Item<'_>> = observation.each(kind::PATH).map(Item::read).collect();
    let keys = keys_of(record);
    let own = each_key(&keys).find_map(|key| scene.watches.place_of_key(key));
    let foreign = each_key(&keys).find_map(|key| scene.keys.reading(key));
    let (first, second) = choose(call.verb, &items);
    let by_inode = |item: Option<&Item<'_>>| {
        item.and_then(|item| item.inode.as_ref())
            .and_then(|inode| scene.places.known(inode))
            .map(|known| known.watch)
    };
    let disk = first.filter(|item| item.is_block_device()).and_then(|item| item.device);
    let disk = disk.map(crate::record::text_of);
    let disk = disk.map(|device| held_by(scene.places.disk(&device), scene.watches)).unwrap_or_default();
    let hint = own.or_else(|| by_inode(first)).or_else(|| by_inode(second));
    let hint = hint.or(disk.first().copied()).or(foreign.flatten());
    let resolver = Resolver { observation, record, call, hint, keyed: foreign.is_some() };
    let path = first.and_then(|item| resolver.path(item, 0, &items, scene));
    let to = second.and_then(|item| resolver.path(item, 1, &items, scene));
    let by_name = [&path, &to].into_iter().flatten().find_map(|path| scene.watches.place_of(path));
    let watch = by_name.or(hint);
    if watch.is_none() && foreign.is_none() {
        return None;
    }
    if outcome == Outcome::Success && call.verb == Verb::Link {
        let inode = first.and_then(|item| item.inode.as_ref());
        inode.into_iter().for_each(|inode| scene.places.has_more_names(inode, 1));
    }
    remember(call.verb, &items, (first, path.as_deref()), (second, to.as_deref()), scene);
    let action = action_of(call.verb, observation, record, first, &outcome);
    if action == Action::List && outcome == Outcome::Success {
        let descriptor = record.field("exit").and_then(|exit| exit.signed());
        if let (Some(path), Some(pid), Some(descriptor)) = (&path, record.id("pid"), descriptor) {
            scene.places.opened_folder(observation.node(), pid, descriptor, path);
        }
    }
    if outcome == Outcome::Success && call.verb == Verb::Unlink {
        first
            .and_then(|item| item.inode.as_ref())
            .into_iter()
            .for_each(|inode| scene.places.lost_a_name(inode));
    }
    let via = match call.verb {
        _ if record.kind() == kind::URINGOP => Via::IoUring,
        Verb::OpenHandle { .. } => Via::Handle,
        _ if first.is_some_and(Item::is_block_device) => Via::RawDisk,
        _ => Via::Direct,
    };
    let watch = watch.and_then(|place| scene.watches.at(place));
    let mut holds: Vec<String> =
        disk.iter().filter_map(|place| scene.watches.at(*place)).map(named).collect();
    // Equal ones are neighbours.
    holds.dedup();
    let object = Object {
        path,
        to,
        // A disk holds everybody's files.
        owner: watch.filter(|_| via != Via::RawDisk).and_then(|watch| watch.owner.clone()),
        class: watch.map(|watch| watch.class.clone()),
        decoy: watch.and_then(Watch::decoy),
        via: Some(via),
        holds,
        ..Object::default()
    };
    Some(Access { action, outcome, object })
}

/// The watches on a disk, the most protected first.
fn held_by(places: &[usize], watches: &WatchList) -> Vec<usize> {
    let rank = |class: &Class| match class {
        Class::Ehr => 0,
        Class::Mailbox => 1,
        Class::Voicemail => 2,
        Class::Hr => 3,
        Class::Export => 4,
        Class::Backup => 5,
        Class::Other(_) => 6,
        Class::System | Class::SelfFiles => 7,
    };
    let order = |place: &usize| {
        let watch = watches.at(*place)?;
        Some((rank(&watch.class), watch.class.to_string(), watch.owner.clone()))
    };
    let mut held = places.to_vec();
    held.sort_by_key(order);
    held
}

fn named(watch: &Watch) -> String {
    match &watch.owner {
        Some(owner) => format!("{}:{owner}", watch.class),
        None => watch.class.to_string(),
    }
}

/// The action from the verb and the open flags.
fn action_of(
    verb: Verb,
    observation: &Observation,
    record: &Record,
    item: Option<&Item<'_>>,
    outcome: &Outcome,
) -> Action {
    let created = item.is_some_and(|item| item.nametype == b"CREATE");
    let flags_at = match verb {
        Verb::Open { flags_at } => flags_at,
        Verb::OpenHandle { flags_at } => Some(flags_at),
        Verb::Create if created => return Action::Create,
        Verb::Create | Verb::Truncate => return Action::Write,
        Verb::Make => return Action::Create,
        Verb::Rename => return Action::Rename,
        Verb::Link => return Action::Link,
        Verb::Unlink => return Action::Delete,
        Verb::Attributes | Verb::Kill { .. } => return Action::Attributes,
    };
    let in_record = || {
        // openat2 hands its flags over in memory; newer kernels write them in a record of their own, in octal.
        let word = observation.first(kind::OPENAT2)?.field("oflag")?.word();
        u64::from_str_radix(std::str::from_utf8(word).ok()?, 8).ok()
    };
    let flags = flags_at.and_then(|at| argument(record, at)).or_else(in_record);
    let is_folder = item.is_some_and(|item| item.mode & MODE_FORMAT == MODE_FOLDER);
    match flags {
        _ if created => Action::Create,
        None if is_folder => Action::List,
        None if *outcome == Outcome::Success => Action::Read,
        None => Action::OpenDenied,
        Some(flags) if flags & O_TRUNC != 0 || flags & O_ACCMODE != 0 => Action::Write,
        Some(flags) => {
            let folder_flag = calls::folder_flag(record.hexadecimal("arch").unwrap_or_default());
            let no_item = item.is_none_or(|item| item.mode == 0);
            let listed = is_folder || (no_item && flags & folder_flag != 0);
            if listed && flags & O_CREAT == 0 { Action::List } else { Action::Read }
        }
    }
}

/// The item that was acted on, and the one with the new name.
fn choose<'i, 'a>(verb: Verb, items: &'i [Item<'a>]) -> (Option<&'i Item<'a>>, Option<&'i Item<'a>>) {
    let of = |nametype: &'static [u8]| items.iter().filter(move |item| item.nametype == nametype);
    let not_parents = || items.iter().filter(|item| item.nametype != b"PARENT");
    match verb {
        Verb::Rename => {
            let new = of(b"CREATE").next();
            // A target that existed is a DELETE item too: the old name is the one whose inode lives on.
            let old = of(b"DELETE")
                .find(|item| item.inode.is_some() && item.inode == new.and_then(|new| new.inode.clone()))
                .or_else(|| of(b"DELETE").next());
            match (old, new) {
                (None, None) => (not_parents().next(), not_parents().nth(1)),
                (old, new) => (old, new),
            }
        }
        Verb::Link => match (of(b"NORMAL").next(), of(b"CREATE").next()) {
            (None, None) => (not_parents().next(), not_parents().nth(1)),
            (old, new) => (old, new),
        },
        Verb::Unlink => (of(b"DELETE").next().or_else(|| not_parents().next_back()).or(items.last()), None),
        Verb::Open { .. }
        | Verb::OpenHandle { .. }
        | Verb::Create
        | Verb::Make
        | Verb::Truncate
        | Verb::Attributes
        | Verb::Kill { .. } => {
            (of(b"CREATE").next().or_else(|| not_parents().next_back()).or(items.last()), None)
        }
    }
}

/// Keeps the inodes that were seen under a watch by name.
fn remember(
    verb: Verb,
    items: &[Item<'_>],
    first: (Option<&Item<'_>>, Option<&str>),
    second: (Option<&Item<'_>>, Option<&str>),
    scene: &mut Scene<'_>,
) {
    let (first, second) = match verb {
        Verb::Link if second.0.is_some_and(|new| is_known(new, scene.places)) => ((None, None), (None, None)),
        Verb::Unlink if goes_by_another(first.1, first.0, scene.places) => ((None, None), (None, None)),
        Verb::Rename if goes_by_another(first.1, second.0, scene.places) => ((None, None), (None, None)),
        _ => (first, second),
    };
    let parents = items.iter().filter(|item| item.nametype == b"PARENT");
    let parents = parents.map(|item| (Some(item), item.name.as_deref().filter(|name| name.starts_with('/'))));
    for (item, path) in parents.chain([first, second]) {
        let Some((inode, path)) = item.and_then(|item| item.inode.as_ref()).zip(path.map(normal)) else {
            continue;
        };
        // As the thousandth open of one file. The watch of a path does not change.
        if scene.places.known(inode).is_some_and(|known| known.path == path) {
            continue;
        }
        // Not the guards: an agent's own files come and go unseen, and a number that is free again may be anybody's.
        if let Some(watch) = scene.watches.place_of(&path)
            && scene.watches.at(watch).is_some_and(Watch::is_asset)
            && !path.contains(UNKNOWN_FOLDER)
        {
            scene.places.saw(inode.clone(), Known { watch, path: path.into_owned() });
        }
    }
}

fn is_known(item: &Item<'_>, places: &Places) -> bool {
    item.inode.as_ref().is_some_and(|inode| places.known(inode).is_some())
}

/// Whether a file with several names goes by another one than the one that moves or is new: that one may go again.
fn goes_by_another(old: Option<&str>, new: Option<&Item<'_>>, places: &Places) -> bool {
    let inode = new.and_then(|item| item.inode.as_ref());
    let several = inode.filter(|inode| places.has_several_names(inode));
    let known = several.and_then(|inode| places.known(inode));
    known.zip(old).is_some_and(|(known, old)| known.path != normal(old))
}

/// Stands in a path for folders that no record names.
const UNKNOWN_FOLDER: &str = "/.../";

struct Resolver<'a> {
    observation: &'a Observation,
    record: &'a Record,
    call: Call,
    hint: Option<usize>,
    keyed: bool,
}

impl Resolver<'_> {
    /// An item's path, made absolute. `nth` counts the names of the call: a rename has two.
    fn path(&self, item: &Item<'_>, nth: usize, items: &[Item<'_>], scene: &Scene<'_>) -> Option<String> {
        let known = || item.inode.as_ref().and_then(|inode| scene.places.known(inode));
        let Some(name) = item.name.as_deref() else {
            return known().map(|known| known.path.clone());
        };
        if name.starts_with('/') {
            return Some(normal(name).into_owned());
        }
        let at_cwd = absolute(&folder_of(self.observation), name);
        let Some(descriptor) = self.folder_descriptor(nth) else { return Some(at_cwd) };
        // The name starts at an open folder that the record does not name.
        let parents: Vec<&Item<'_>> = items.iter().filter(|item| item.nametype == b"PARENT").collect();
        let parent = parents.get(nth).or(parents.first()).and_then(|parent| parent.inode.as_ref());
        let last = name.rsplit('/').next().unwrap_or(name);
        if let Some(parent) = parent.and_then(|inode| scene.places.known(inode)) {
            return Some(absolute(&parent.path, last));
        }
        if let Some(known) = known().filter(|known| known.path.rsplit('/').next() == Some(last)) {
            return Some(known.path.clone());
        }
        let pid = self.record.id("pid");
        let remembered = pid.and_then(|pid| scene.places.folder(self.observation.node(), pid, descriptor));
        if let Some(folder) = remembered {
            return Some(absolute(folder, name));
        }
        let descriptor = i32::try_from(descriptor).ok();
        let live = pid.zip(descriptor).and_then(|(pid, descriptor)| scene.folders.folder(pid, descriptor));
        let live = live.map(|folder| absolute(&folder, name));
        // /proc may already show another folder: it is believed only where the rule agrees.
        let fits = |path: &String| self.hint.is_none() || scene.watches.place_of(path) == self.hint;
        let at_cwd = Some(at_cwd).filter(|_| self.hint.is_some() || self.keyed);
        let guess = live.filter(&fits).or_else(|| at_cwd.clone().filter(&fits));
        let unknown = || {
            let watch = self.hint.and_then(|place| scene.watches.at(place))?;
            Some(format!("{}{UNKNOWN_FOLDER}{last}", watch.path))
        };
        guess.or_else(unknown).or(at_cwd)
    }

    /// The descriptor that the call's nth name starts from; none for the working directory.
    fn folder_descriptor(&self, nth: usize) -> Option<i64> {
        let at = *self.call.folders_at.get(nth).or(self.call.folders_at.first())?;
        let low = u32::try_from(argument(self.record, at)? & u64::from(u32::MAX)).ok()?;
        let descriptor = i64::from(low.cast_signed());
        (descriptor >= 0).then_some(descriptor)
    }
}

impl<'a> Item<'a> {
    fn is_block_device(&self) -> bool {
        self.mode & MODE_FORMAT == MODE_BLOCK_DEVICE
    }

    fn read(record: &'a Record) -> Self {
        let number = record.number("inode");
        let device = record.field("dev").map(|device| crate::record::text_of(device.word()));
        let inode = number.zip(device).map(|(number, device)| Inode {
            node: record.node().map(Into::into),
            device: device.into(),
            number,
        });
        let octal = |word: &[u8]| u64::from_str_radix(std::str::from_utf8(word).ok()?, 8).ok();
        Self {
            name: record.spelled("name"),
            inode,
            mode: record.field("mode").and_then(|mode| octal(mode.word())).unwrap_or(0),
            device: record.field("rdev").map(|device| device.word()),
            nametype: record.field("nametype").map(|word| word.word()).unwrap_or_default(),
        }
    }
}

/// The working directory; a removed one keeps its name.
fn folder_of(observation: &Observation) -> String {
    let cwd = observation.first(kind::CWD).and_then(|record| record.text("cwd"));
    let cwd = cwd.unwrap_or_else(|| "/".to_owned());
    cwd.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(cwd)
}

pub(super) fn argument(record: &Record, at: usize) -> Option<u64> {
    record.hexadecimal(["a0", "a1", "a2", "a3"].get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_of_the_most_protected_class_that_lies_on_it_and_names_all() {
        let watches = ["/b=export:anna", "/c=mailbox:mary", "/a=ehr", "/d=mailbox:ann", "/e=export:anna"];
        let watches = WatchList::new(watches.iter().map(|watch| watch.parse().unwrap()).collect()).unwrap();
        let mut places = Places::default();
        for place in (0..watches.len()).chain([0, 1]) {
            places.holds("fe:00", place);
        }
        let held = held_by(places.disk("fe:00"), &watches);
        let names: Vec<String> = held.iter().map(|place| named(watches.at(*place).unwrap())).collect();
        assert_eq!(names, ["ehr", "mailbox:ann", "mailbox:mary", "export:anna", "export:anna"]);
        assert_eq!(held_by(places.disk("fe:01"), &watches), [] as [usize; 0]);
    }
}
