//! What an approval allows, in plain words, before it is given.

use jiff::{Timestamp, Zoned};

use super::{ROLE, Request, Scope, TicketKind};
use crate::policy::Area;
use crate::report::text::list_of;
use crate::roster::{Person, Roster};

/// The sentence that the approver reads, and that stands in the act: what, by whom, where, until when.
/// `now` is in the practice's zone.
pub fn echo(request: &Request, roster: &Roster, now: &Zoned) -> String {
    let when = when(request, now);
    let who = assignee(&request.assignee, roster);
    let what = what(request, roster);
    let place = match &request.scope {
        Scope::Host(host) => format!("on {host}"),
        Scope::Everything | Scope::Owner(_) => "on any computer".to_owned(),
    };
    let on_call = if request.kind == TicketKind::OnCall { ", while on call," } else { "" };
    let mut text = format!("{when}, {who}{on_call} may {what} {place}.");
    if !matches!(request.class, Area::Login | Area::Elevation) {
        text.push_str(" Meanwhile they may log in and take on rights there.");
    }
    text
}

/// The assignee as people say it.
pub fn assignee(assignee: &str, roster: &Roster) -> String {
    let Some(role) = assignee.strip_prefix(ROLE) else {
        return roster.person(assignee).map_or_else(|| assignee.to_owned(), |person| person.name.clone());
    };
    let holders = roster.persons().iter().filter(|person| person.has_role(role));
    let names: Vec<String> = holders.map(|person| person.name.clone()).collect();
    match names.len() {
        0 => format!("whoever has the role {role}"),
        1..=4 => format!("whoever has the role {role} (now {})", list_of(&names)),
        n => format!("whoever has the role {role} (now {n} people)"),
    }
}

fn when(request: &Request, now: &Zoned) -> String {
    let there = |at: Timestamp| at.to_zoned(now.time_zone().clone());
    let (from, to) = (there(request.from), there(request.to));
    let long = |at: &Zoned| at.strftime("%A %-d %B %H:%M").to_string();
    if request.from <= now.timestamp() {
        return format!("Until {}", long(&to));
    }
    if from.date() == to.date() {
        return format!("On {} to {}", from.strftime("%A %-d %B from %H:%M"), to.strftime("%H:%M"));
    }
    format!("From {} until {}", long(&from), long(&to))
}

fn what(request: &Request, roster: &Roster) -> String {
    let owner = match &request.scope {
        Scope::Owner(owner) => Some(roster.person(owner).map_or(owner.as_str(), |person| &person.name)),
        Scope::Everything | Scope::Host(_) => None,
    };
    let owned = |one: &str, more: &str| match owner {
        Some(owner) => format!("open {owner}’s {one}"),
        None => format!("open {more}"),
    };
    let of_people = |one: &str, more: &str| match owner {
        Some(owner) => format!("open {owner}’s {one}"),
        None => match people_besides(request, roster) {
            0 => format!("open every {one}"),
            1 => format!("open one person’s {one}"),
            n => format!("open {n} people’s {more}"),
        },
    };
    match request.class.class() {
        Area::Mailbox => of_people("mailbox", "mailboxes"),
        Area::Voicemail => of_people("voice messages", "voice messages"),
        Area::Hr => of_people("personnel file", "personnel files"),
        Area::Ehr => owned("health records", "the health records"),
        Area::Export => owned("exports of health records", "every export of health records"),
        Area::Backup => owned("backups", "the backups"),
        Area::System => "open and change system files".to_owned(),
        Area::SelfFiles => "open and change Need-to-Know’s own files".to_owned(),
        Area::Login => "log in".to_owned(),
        Area::Elevation => "take on other accounts’ rights".to_owned(),
        Area::RemoteControl => "drive sessions through remote-support tools".to_owned(),
        Area::Recording => "change the recording itself".to_owned(),
        Area::AccessRights => "change who may reach mail and sign in as others".to_owned(),
        Area::OwnMailbox | Area::ManagersMailbox | Area::OwnVoicemail | Area::OwnHr => {
            "open what is their own".to_owned()
        }
    }
}

/// How many people of the practice own one of these, the assignee left out.
fn people_besides(request: &Request, roster: &Roster) -> usize {
    let is_owner = |person: &&Person| {
        !person.is_organisation && person.organisation.is_none() && person.id != request.assignee
    };
    roster.persons().iter().filter(is_owner).count()
}
