//! Accesses of watched files: 4656 (refused), 4663, 4664, 4670, and 5145 over a share.
//!
//! | bits of the access mask (winnt.h) | told as |
//! |---|---|
//! | 0x1 | read |
//! | 0x2, 0x4 | write |
//! | 0x10000, 0x40 | delete |
//! | 0x40000, 0x80000, 0x100, 0x10 | attributes |
//! | anything else: 0x80, 0x8, 0x20, 0x20000, 0x100000 | nothing: no contents were reached and nothing changed |
//!
//! A folder and a file are not told apart by these records: 0x1 on a folder is listing it. Only the watched folder of a
//! share itself is known to be one.

use ntk_evidence::event::{Action, Actor, Class, Confidence, Event, Kind, Object, Outcome, Via};

use super::logins::plain_address;
use super::{Found, Room};
use crate::path::{Place, Root};
use crate::record::Record;
use crate::tally::Noise;

const READ: u64 = 0x1;
const WRITE: u64 = 0x2 | 0x4;
const DELETE: u64 = 0x1_0000 | 0x40;
const ATTRIBUTES: u64 = 0x4_0000 | 0x8_0000 | 0x100 | 0x10;

/// Bits that stand for others, which the record does not tell: all that is allowed, and the generic ones.
const UNKNOWN: u64 = 0x0200_0000 | 0xf000_0000;

impl Room {
    /// 4656, 4663 and 5145.
    pub(super) fn access(&mut self, record: &Record) -> Found {
        let is_refused = record.is_failure();
        let is_share = record.event_id == 5145;
        if !is_share && record.field("ObjectType").is_some_and(|kind| !kind.eq_ignore_ascii_case("File")) {
            return Err(Noise::NotAFile);
        }
        let place = if is_share { shared(record) } else { record.field("ObjectName").and_then(Place::parse) };
        let place = place.ok_or(Noise::NotWatched)?;
        let object = self.object(&place, is_share).ok_or(Noise::NotWatched)?;
        if self.is_by_own(record) {
            return Err(Noise::Own);
        }
        if record.event_id == 4656 && !is_refused {
            return Err(Noise::AskedAndGranted);
        }
        let mask = record.number("AccessMask").unwrap_or_default();
        let is_folder = is_share && record.field("RelativeTargetName").is_none_or(|name| name == "\\");
        let actions = match is_refused {
            true => refused(mask).into_iter().collect(),
            false => used(mask, is_folder),
        };
        if actions.is_empty() {
            return Err(Noise::AttributesOnly);
        }
        let actor = self.actor_of_access(record);
        let event = |action| {
            let mut event = Self::event(Kind::FileAccess, record);
            event.outcome = Some(if is_refused { Outcome::Denied } else { Outcome::Success });
            event.action = Some(action);
            event.actor = Some(actor.clone());
            event.object = Some(object.clone());
            event.process = self.process(record, "ProcessId", "ProcessName");
            event
        };
        Ok(actions.into_iter().map(event).collect())
    }

    /// A hard link was made (4664).
    pub(super) fn linked(&mut self, record: &Record) -> Found {
        let [old, new] = ["FileName", "LinkName"].map(|name| record.field(name).and_then(Place::parse));
        let found = [&old, &new].into_iter().flatten().find_map(|place| self.object(place, false));
        let object = found.ok_or(Noise::NotWatched)?;
        let mut event = self.of_watched(record, Action::Link, object);
        if let Some(object) = event.object.as_mut() {
            object.path = old.map(|place| place.shown());
            object.to = new.map(|place| place.shown());
        }
        Ok(vec![event])
    }

    /// Permissions of a file were changed (4670).
    pub(super) fn rights_of_file_changed(&mut self, record: &Record) -> Found {
        if record.field("ObjectType").is_none_or(|kind| !kind.eq_ignore_ascii_case("File")) {
            return Err(Noise::NotAFile);
        }
        let place = record.field("ObjectName").and_then(Place::parse);
        let object = place.and_then(|place| self.object(&place, false)).ok_or(Noise::NotWatched)?;
        Ok(vec![self.of_watched(record, Action::Attributes, object)])
    }

    fn of_watched(&self, record: &Record, action: Action, object: Object) -> Event {
        let mut event = Self::event(Kind::FileAccess, record);
        event.outcome = Some(Outcome::Success);
        event.action = Some(action);
        event.actor = Some(self.actor_of_access(record));
        event.object = Some(object);
        event.process = self.process(record, "ProcessId", "ProcessName");
        event
    }

    /// What is watched at a place, or a disk that holds what is watched.
    pub(super) fn object(&self, place: &Place, is_share: bool) -> Option<Object> {
        if let Root::Whole(name) = &place.root {
            let holds = self.watches.holds();
            return (!holds.is_empty()).then(|| Object {
                path: Some(name.clone()),
                via: Some(Via::RawDisk),
                holds,
                ..Object::default()
            });
        }
        let watch = self.watches.of(place)?;
        let via = match (place.is_snapshot, is_share) {
            (true, _) => Via::ShadowCopy,
            (false, true) => Via::Share,
            (false, false) => Via::Direct,
        };
        Some(Object {
            path: Some(place.shown()),
            owner: watch.owner.clone(),
            class: Some(watch.class.clone()),
            via: Some(via),
            decoy: watch.is_decoy.then_some(true),
            ..Object::default()
        })
    }

    /// Whether a place belongs to the program itself.
    pub(super) fn is_own(object: &Object) -> bool {
        object.class == Some(Class::SelfFiles)
    }

    fn actor_of_access(&self, record: &Record) -> Actor {
        let mut actor = self.subject(record);
        let pid = record.number("ProcessId").and_then(|pid| u32::try_from(pid).ok());
        actor.tool = actor.tool.or_else(|| self.starts.tool_of(&record.computer, pid?));
        // 5145 names the other end itself, also where the session's beginning was not seen.
        actor.from = record.field("IpAddress").map(plain_address).or(actor.from);
        if actor.confidence.is_none() {
            actor.confidence = Some(Confidence::Unattributed);
        }
        actor
    }
}

/// The file that 5145 names: below the shared folder, where the record tells that, or below the share.
fn shared(record: &Record) -> Option<Place> {
    let below = record.field("RelativeTargetName").unwrap_or_default().trim_start_matches('\\');
    let local = record.field("ShareLocalPath").map(|folder| folder.trim_end_matches('\\'));
    let local = local.and_then(|folder| Place::parse(&format!(r"{folder}\{below}")));
    let share = || Place::parse(&format!(r"{}\{below}", record.field("ShareName")?.trim_end_matches('\\')));
    local.or_else(share)
}

/// What an access did, one for each kind of bits.
fn used(mask: u64, is_folder: bool) -> Vec<Action> {
    let read = if is_folder { Action::List } else { Action::Read };
    let kinds =
        [(DELETE, Action::Delete), (WRITE, Action::Write), (READ, read), (ATTRIBUTES, Action::Attributes)];
    // A handle for writing is asked for with the right to write attributes, too, which says nothing more.
    let is_needed =
        |bits: u64| mask & bits != 0 && (bits != ATTRIBUTES || mask & (DELETE | WRITE | READ) == 0);
    kinds.into_iter().filter(|(bits, _)| is_needed(*bits)).map(|(_, action)| action).collect()
}

/// What a refused access was for: the strongest of what was asked, as it was refused as a whole.
fn refused(mask: u64) -> Option<Action> {
    let kinds = [
        (WRITE, Action::Write),
        (DELETE, Action::Delete),
        (READ, Action::Read),
        (ATTRIBUTES, Action::Attributes),
    ];
    let known = kinds.into_iter().find(|(bits, _)| mask & bits != 0).map(|(_, action)| action);
    known.or_else(|| (mask & UNKNOWN != 0).then_some(Action::OpenDenied))
}
