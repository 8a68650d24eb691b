//! What is said about people besides what they hold: covers, leave, jobs, notices, known computers.

use std::net::IpAddr;

use ntk_evidence::event::Class;

use super::lines::{Block, Faults};
use super::people::must_exist;
use crate::policy::hours::parse_spans;
use crate::roster::Roster;
use crate::roster::entry::{Acknowledgement, Cover, Job, Leave, Machine, Notice, NoticeKind};
use crate::roster::raw::{RawAcknowledgement, RawCover, RawJob, RawLeave, RawMachine, RawNotice};

pub(super) fn add_cover(roster: &mut Roster, block: Block<RawCover>, faults: &mut Faults) {
    let Block { raw, place } = block;
    must_exist(roster, &place, "person", &raw.person, faults);
    must_exist(roster, &place, "covers", &raw.covers, faults);
    if raw.person == raw.covers {
        faults.field(&place, "covers", "is the same person");
    }
    let from = faults.date(&place, "from", Some(&raw.from));
    let to = faults.date(&place, "to", Some(&raw.to));
    let (Some(from), Some(to)) = (from, to) else { return };
    if to < from {
        faults.field(&place, "to", "is before from");
    }
    let mailbox = raw.mailbox.unwrap_or(false);
    roster.covers.push(Cover { person: raw.person, covers: raw.covers, from, to, mailbox });
}

pub(super) fn add_leave(roster: &mut Roster, block: Block<RawLeave>, faults: &mut Faults) {
    let Block { raw, place } = block;
    must_exist(roster, &place, "person", &raw.person, faults);
    let on = faults.date(&place, "on", raw.on.as_deref());
    let notice_given = faults.date(&place, "notice_given", raw.notice_given.as_deref());
    match (&raw.on, raw.withdrawn) {
        (Some(_), Some(true)) => faults.block(&place, "has both on and withdrawn; keep one of them"),
        (None, Some(false) | None) => {
            faults
                .block(&place, "says no day; give on, or withdrawn = true to take back what was said before");
        }
        (Some(_), Some(false) | None) | (None, Some(true)) => {}
    }
    if let (Some(on), Some(given)) = (on, notice_given)
        && on < given
    {
        faults.field(&place, "notice_given", "is after on");
    }
    roster.leave.push(Leave { person: raw.person, on, notice_given });
}

pub(super) fn add_job(roster: &mut Roster, block: Block<RawJob>, faults: &mut Faults) {
    let Block { raw, place } = block;
    faults.if_empty(&place, &[("id", &raw.id), ("name", &raw.name), ("host", &raw.host)]);
    for (field, text) in [("signer", &raw.signer), ("parent", &raw.parent), ("user", &raw.user)] {
        if let Some(text) = text {
            faults.if_empty(&place, &[(field, text)]);
        }
    }
    if roster.jobs.iter().any(|other| other.id == raw.id) {
        faults.field(&place, "id", format!("`{}` is already another job’s id", raw.id));
    }
    let is_full_path = raw.program.starts_with('/') || raw.program.contains(":\\");
    if !is_full_path {
        faults.field(&place, "program", format!("`{}` is not a full path", raw.program));
    }
    if raw.uid.is_none() && raw.user.is_none() {
        faults.block(&place, "names no account; give uid or user");
    }
    if raw.classes.is_empty() {
        faults.field(&place, "classes", "is empty; name what the job may touch");
    }
    for class in raw.classes.iter().filter(|class| !class.is_known()) {
        faults.field(&place, "classes", format!("`{class}` is none of {}", Class::WORDS.join(", ")));
    }
    let hours = match raw.hours.as_deref().map(parse_spans) {
        None => Vec::new(),
        Some(Ok(spans)) => spans,
        Some(Err(fault)) => {
            faults.field(&place, "hours", fault);
            Vec::new()
        }
    };
    let sha256 = raw.sha256.map(|hash| hash.to_ascii_lowercase());
    if sha256.as_deref().is_some_and(|hash| hash.len() != 64 || !hash.bytes().all(|c| c.is_ascii_hexdigit()))
    {
        faults.field(&place, "sha256", "is not 64 hex digits; `sha256sum FILE` prints them");
    }
    if let Some(person) = &raw.confirmed_by {
        must_exist(roster, &place, "confirmed_by", person, faults);
    }
    roster.jobs.push(Job {
        until: faults.date(&place, "until", raw.until.as_deref()),
        confirmed_on: faults.date(&place, "confirmed_on", raw.confirmed_on.as_deref()),
        id: raw.id,
        name: raw.name,
        program: raw.program,
        host: raw.host,
        uid: raw.uid,
        user: raw.user,
        hours,
        classes: raw.classes,
        sha256,
        signer: raw.signer,
        parent: raw.parent,
        confirmed_by: raw.confirmed_by,
    });
}

pub(super) fn add_notice(roster: &mut Roster, block: Block<RawNotice>, faults: &mut Faults) {
    let Block { raw, place } = block;
    faults.if_empty(&place, &[("id", &raw.id), ("title", &raw.title), ("version", &raw.version)]);
    if roster.notices.iter().any(|other| other.id == raw.id && other.version == raw.version) {
        let said = format!(
            "version `{}` of `{}` is there already; give a changed text a new version",
            raw.version, raw.id
        );
        faults.field(&place, "version", said);
    }
    let kind = match raw.kind.as_str() {
        "monitoring" => Some(NoticeKind::Monitoring),
        "sanctions" => Some(NoticeKind::Sanctions),
        other => {
            faults.field(&place, "kind", format!("`{other}` is none of monitoring, sanctions"));
            None
        }
    };
    let in_force_from = faults.date(&place, "in_force_from", Some(&raw.in_force_from));
    let (Some(kind), Some(in_force_from)) = (kind, in_force_from) else { return };
    roster.notices.push(Notice { id: raw.id, title: raw.title, version: raw.version, kind, in_force_from });
}

pub(super) fn add_acknowledgement(
    roster: &mut Roster,
    block: Block<RawAcknowledgement>,
    faults: &mut Faults,
) {
    let Block { raw, place } = block;
    must_exist(roster, &place, "person", &raw.person, faults);
    let versions: Vec<&str> = roster
        .notices
        .iter()
        .filter(|notice| notice.id == raw.notice)
        .map(|notice| notice.version.as_str())
        .collect();
    if versions.is_empty() {
        faults.field(&place, "notice", format!("there is no [[notice]] with the id `{}`", raw.notice));
    } else if !versions.contains(&raw.version.as_str()) {
        let said =
            format!("`{}` is no version of `{}`; there is {}", raw.version, raw.notice, versions.join(", "));
        faults.field(&place, "version", said);
    }
    let Some(on) = faults.date(&place, "on", Some(&raw.on)) else { return };
    let (person, notice, version) = (raw.person, raw.notice, raw.version);
    roster.acknowledgements.push(Acknowledgement { person, notice, version, on });
}

pub(super) fn add_machine(roster: &mut Roster, block: Block<RawMachine>, faults: &mut Faults) {
    let Block { raw, place } = block;
    faults.if_empty(&place, &[("name", &raw.name)]);
    if roster.machines.iter().any(|other| other.name.eq_ignore_ascii_case(&raw.name)) {
        faults.field(
            &place,
            "name",
            format!("`{}` is there already; give one machine all its addresses", raw.name),
        );
    }
    let mut addresses = Vec::new();
    for text in raw.addresses.unwrap_or_default() {
        match text.trim().parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => {
                let said = format!("`{text}` is not an address such as 10.0.4.17; a name belongs into name");
                faults.field(&place, "addresses", said);
            }
        }
    }
    roster.machines.push(Machine { name: raw.name, addresses });
}
