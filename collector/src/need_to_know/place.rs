//! Which area of the table an event belongs to, and how that is said.

use ntk_evidence::event::{Actor, ChangeWhat, Kind, TamperKind};

use super::{Access, Asset, Reason};
use crate::policy::Area;
use crate::policy::cedar::Group;
use crate::roster::{Person, Roster};

/// The area of an event, and whose asset it is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) area: Area,
    /// As the watch list has it.
    pub(super) owner: Option<String>,
    /// Id of that person, where the roster knows them.
    pub(super) owner_person: Option<String>,
    owner_name: Option<String>,
    /// What was changed, where the area is access rights.
    change: Option<ChangeWhat>,
}

/// The place of an event; otherwise why it is not judged (nothing to say for what is no access at all).
pub(super) fn of(access: &Access<'_>, roster: &Roster) -> Result<Place, Option<Reason>> {
    let event = access.event;
    let area = match &event.kind {
        Kind::FileAccess => return file(access, roster),
        // Whoever signs in to a mail service is at their own mailbox; what computers are used when is another question.
        Kind::Login if access.is_imported() && signs_in(access).is_some() => {
            let owner = signs_in(access).map(ToOwned::to_owned);
            return Ok(Place::of_mailbox(access, owner, roster));
        }
        Kind::Login => Area::Login,
        Kind::AccountChange => return rights(access, roster).ok_or(None),
        Kind::Elevation => Area::Elevation,
        Kind::RemoteControl => Area::RemoteControl,
        Kind::Tamper => match event.tamper.as_ref().map(|tamper| &tamper.what) {
            // Services and time daemons do these by themselves: only what a named account did is judged.
            Some(TamperKind::ClockChanged | TamperKind::ServiceInstalled | TamperKind::KernelChanged)
                if event.actor.as_ref().is_none_or(Actor::is_nobody) =>
            {
                return Err(None);
            }
            Some(TamperKind::RecordGap) | None => return Err(None),
            Some(TamperKind::Other(_)) => {
                return Err(Some(Reason::new(
                    "unknown-word",
                    "A newer agent told of a change to the recording that this version does not know.",
                )));
            }
            Some(_) => Area::Recording,
        },
        Kind::Logout
        | Kind::ProcessStart
        | Kind::Gap
        | Kind::Health
        | Kind::Inventory
        | Kind::Epoch
        | Kind::Commission => return Err(None),
        Kind::Other(kind) if kind.starts_with("act_") => return Err(None),
        Kind::Other(_) => {
            let sentence = "A newer agent told of a kind of event that this version does not know.";
            return Err(Some(Reason::new("unknown-kind", sentence)));
        }
    };
    Ok(Place { area, owner: None, owner_person: None, owner_name: None, change: None })
}

/// The account that signs in to a service: as it was let in, or as it was typed.
fn signs_in<'a>(access: &Access<'a>) -> Option<&'a str> {
    let actor = access.event.actor.as_ref()?;
    actor.upn.as_deref().or_else(|| actor.claims.as_deref().filter(|name| name.contains('@')))
}

/// A change that lets somebody reach mail or act as somebody else from then on; nothing for any other.
fn rights(access: &Access<'_>, roster: &Roster) -> Option<Place> {
    let change = access.event.change.as_deref()?;
    if !change.what.opens_a_way() || change.is_removal {
        return None;
    }
    let owner = access.event.object.as_ref().and_then(|object| object.owner.clone());
    let person = owner_of(access, roster);
    Some(Place {
        area: Area::AccessRights,
        owner_person: person.map(|person| person.id.clone()),
        owner_name: person.map(|person| person.name.clone()),
        owner,
        change: Some(change.what.clone()),
    })
}

fn file(access: &Access<'_>, roster: &Roster) -> Result<Place, Option<Reason>> {
    let object = access.event.object.as_ref();
    let Some(class) = object.and_then(|object| object.class.as_ref()) else {
        let sentence =
            "A file access came without the class of its folder, so no column of the table applies.";
        return Err(Some(Reason::new("no-class", sentence)));
    };
    let Some(area) = Area::of_class(class) else {
        let sentence = "A newer agent named a class of asset that this version does not know.";
        return Err(Some(Reason::new("unknown-class", sentence)));
    };
    let owner = object.and_then(|object| object.owner.clone());
    let person = owner_of(access, roster);
    let is_managers =
        person.is_some_and(|person| person.has_role("manager")) || owner.as_deref() == Some("manager");
    let area = if area == Area::Mailbox && is_managers { Area::ManagersMailbox } else { area };
    Ok(Place {
        area,
        owner_person: person.map(|person| person.id.clone()),
        owner_name: person.map(|person| person.name.clone()),
        owner,
        change: None,
    })
}

/// The person whose asset was reached.
fn owner_of<'r>(access: &Access<'_>, roster: &'r Roster) -> Option<&'r Person> {
    let owner = access.event.object.as_ref()?.owner.as_deref()?;
    roster.owner(access.host, owner)
}

impl Place {
    /// Somebody's mailbox, before it is known who acts.
    fn of_mailbox(access: &Access<'_>, owner: Option<String>, roster: &Roster) -> Self {
        let person = owner.as_deref().and_then(|owner| roster.owner(access.host, owner));
        let is_managers = person.is_some_and(|person| person.has_role("manager"));
        Self {
            area: if is_managers { Area::ManagersMailbox } else { Area::Mailbox },
            owner_person: person.map(|person| person.id.clone()),
            owner_name: person.map(|person| person.name.clone()),
            owner,
            change: None,
        }
    }

    /// The action as policies name it.
    pub(super) fn action_word(&self, access: &Access<'_>) -> String {
        match self.area {
            Area::Login | Area::Elevation | Area::RemoteControl | Area::Recording | Area::AccessRights => {
                self.area.to_string()
            }
            _ => access.event.action.as_ref().map_or("read", |action| action.as_str()).to_owned(),
        }
    }

    /// Names of the groups that the asset is in: everything that a group says must fit.
    pub(super) fn groups(&self, access: &Access<'_>, groups: &[Group]) -> Vec<String> {
        let object = access.event.object.as_ref();
        let said = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let fits = |group: &&Group| {
            let class = object.and_then(|object| object.class.as_ref());
            let path = object.and_then(|object| object.path.as_deref());
            let is_below = |below: &str| {
                let rest = path.and_then(|path| path.strip_prefix(below.trim_end_matches(['/', '\\'])));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
            };
            group.class.as_ref().is_none_or(|wanted| class == Some(wanted))
                && said(&group.owner, self.owner_person.as_deref().or(self.owner.as_deref()))
                && said(&group.host, Some(access.host))
                && group.below.as_deref().is_none_or(is_below)
        };
        groups.iter().filter(fits).map(|group| group.name.clone()).collect()
    }

    pub(super) fn belongs_to(&self, person: &Person) -> bool {
        self.owner_person.as_deref() == Some(person.id.as_str())
    }

    /// Takes the special column where the asset is the acting person's own.
    pub(super) fn see_as(&mut self, person: &Person, access: &Access<'_>) {
        if self.belongs_to(person) {
            self.area = if access.tool().is_none() { self.area.owned() } else { self.area.class() };
        }
    }

    /// The asset as a finding shows it.
    pub(super) fn asset(&self, roster: &Roster, access: &Access<'_>) -> Asset {
        let are_managers = || roster.with_role("manager").nth(1).is_some();
        let mut label = match (self.area, &self.owner_name) {
            (Area::ManagersMailbox, Some(name)) if are_managers() => {
                format!("the mailbox of {name}, a manager")
            }
            _ => self.label(false),
        };
        if !self.area.is_files() {
            let at = if access.is_imported() { "in" } else { "on" };
            label = format!("{label} {at} {}", access.host);
        }
        let person = self.owner_person.clone().filter(|id| self.owner.as_ref() != Some(id));
        Asset { area: self.area, owner: self.owner.clone(), person, label }
    }

    /// The asset in words.
    pub(super) fn label(&self, is_own: bool) -> String {
        let owner = self.owner_name.as_ref().or(self.owner.as_ref());
        match (self.area, owner) {
            (Area::AccessRights, Some(owner)) => match self.change {
                Some(ChangeWhat::PasswordReset | ChangeWhat::SecondFactor) => {
                    format!("who may sign in as {owner}")
                }
                Some(ChangeWhat::SendAs) => format!("who may send mail as {owner}"),
                _ => format!("who may reach the mailbox of {owner}"),
            },
            (Area::Mailbox | Area::ManagersMailbox, _) if is_own => "their own mailbox".to_owned(),
            (Area::ManagersMailbox, _) => "the manager’s mailbox".to_owned(),
            (Area::Mailbox | Area::OwnMailbox, Some(owner)) => format!("the mailbox of {owner}"),
            (Area::Mailbox | Area::OwnMailbox, None) => "a mailbox".to_owned(),
            (Area::Voicemail | Area::OwnVoicemail, Some(owner)) => format!("the voicemail of {owner}"),
            (Area::Voicemail | Area::OwnVoicemail, None) => "the voicemail".to_owned(),
            (Area::Hr | Area::OwnHr, Some(owner)) => format!("the personnel file of {owner}"),
            (Area::Hr | Area::OwnHr, None) => "the personnel files".to_owned(),
            (area, Some(owner)) if area.is_files() => format!("{} of {owner}", self.topic()),
            _ => self.topic().to_owned(),
        }
    }

    /// What the area is about, in words.
    pub(super) fn topic(&self) -> &'static str {
        match self.area {
            Area::Mailbox => "other people’s mailboxes",
            Area::OwnMailbox => "their own mailbox",
            Area::ManagersMailbox => "the manager’s mailbox",
            Area::Voicemail => "other people’s voicemail",
            Area::OwnVoicemail => "their own voicemail",
            Area::Ehr => "the health-record system’s files",
            Area::Export => "the health-record exports",
            Area::Hr => "the personnel files",
            Area::OwnHr => "their own personnel file",
            Area::Backup => "the backups",
            Area::System => "the system files",
            Area::SelfFiles => "Need-to-Know’s own files",
            Area::Login => "logging in",
            Area::Elevation => "taking on another account’s rights",
            Area::RemoteControl => "remote control",
            Area::Recording => "the recording",
            Area::AccessRights => "who may reach mail",
        }
    }
}
