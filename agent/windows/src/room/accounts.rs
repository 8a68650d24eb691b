//! Accounts and groups that were made, changed or removed, by security identifier: names of groups are localised.
//!
//! The account or group is the object's owner, as on Linux, by name and identifier. Where a group got or lost a member, the
//! member is the owner, and the group is the right that was given or taken. Well-known groups are named in English.

use ntk_evidence::event::{Action, Change, ChangeWhat, Class, Kind, Object, Outcome};

use super::{Found, Room};
use crate::record::Record;
use crate::sid::{full_name, powerful_group};
use crate::tally::Noise;

/// Accounts and groups that were made; security groups and distribution lists of all scopes.
const MADE: &[u32] = &[4720, 4727, 4731, 4741, 4744, 4749, 4754, 4759];
/// Removed.
const REMOVED: &[u32] = &[4726, 4730, 4734, 4743, 4748, 4753, 4758, 4763];
/// Let in to a group.
const MEMBER_ADDED: &[u32] = &[4728, 4732, 4746, 4751, 4756, 4761];
/// Taken out of one.
const MEMBER_REMOVED: &[u32] = &[4729, 4733, 4747, 4752, 4757, 4762];
/// Enabled, password changed or reset, disabled, changed, locked out, unlocked, renamed; groups changed; user rights given
/// and taken; logon rights given and taken; the password of directory services' restore mode.
const CHANGED: &[u32] = &[
    4722, 4723, 4724, 4725, 4738, 4740, 4742, 4767, 4781, 4735, 4737, 4755, 4764, 4704, 4705, 4717, 4718,
    4794,
];

/// Whether an event id is one of these.
pub(super) fn is_change(id: u32) -> bool {
    [MADE, REMOVED, MEMBER_ADDED, MEMBER_REMOVED, CHANGED].iter().any(|ids| ids.contains(&id))
}

impl Room {
    pub(super) fn account_changed(&mut self, record: &Record) -> Found {
        let id = record.event_id;
        let action = if MADE.contains(&id) {
            Action::Create
        } else if REMOVED.contains(&id) {
            Action::Delete
        } else {
            Action::Attributes
        };
        // A machine renews its own account's password every month.
        if matches!(id, 4742) && record.field("SubjectUserSid") == Some("S-1-5-7") {
            return Err(Noise::MachineSession);
        }
        let mut event = Self::event(Kind::AccountChange, record);
        event.outcome = Some(if record.is_failure() { Outcome::Failed } else { Outcome::Success });
        event.action = Some(action);
        event.actor = Some(self.subject(record));
        event.object = Some(Object { owner: owner(record), class: Some(Class::System), ..Object::default() });
        event.change = membership(record);
        Ok(vec![event])
    }
}

/// Whose account or which group it is: where a group got or lost a member, that member.
fn owner(record: &Record) -> Option<String> {
    if is_membership(record) {
        return named(record.field("MemberSid"), record.field("MemberName").map(common_name));
    }
    target(record)
}

/// The group that got or lost a member.
fn membership(record: &Record) -> Option<Box<Change>> {
    is_membership(record).then(|| {
        Box::new(Change {
            what: ChangeWhat::Account,
            to: None,
            rights: target(record).into_iter().collect(),
            is_removal: MEMBER_REMOVED.contains(&record.event_id),
            other: Default::default(),
        })
    })
}

fn is_membership(record: &Record) -> bool {
    MEMBER_ADDED.contains(&record.event_id) || MEMBER_REMOVED.contains(&record.event_id)
}

fn target(record: &Record) -> Option<String> {
    let name = record.field("NewTargetUserName").or_else(|| record.field("TargetUserName"));
    let sid = record.field("TargetSid").or_else(|| record.field("TargetUserSid"));
    named(sid, full_name(record.field("TargetDomainName"), name))
}

/// `name (SID)`, with the English name of a well-known group.
fn named(sid: Option<&str>, name: Option<String>) -> Option<String> {
    let known = sid.and_then(powerful_group).map(str::to_owned);
    match (known.or(name), sid) {
        (Some(name), Some(sid)) => Some(format!("{name} ({sid})")),
        (Some(text), None) => Some(text),
        (None, sid) => sid.map(str::to_owned),
    }
}

/// The name in `CN=name,OU=..,DC=..`.
fn common_name(text: &str) -> String {
    let name = text.strip_prefix("CN=").or_else(|| text.strip_prefix("cn="));
    name.and_then(|rest| rest.split(',').next()).unwrap_or(text).to_owned()
}
