//! People, organisations, accounts and keys: from blocks to who holds what.

use super::lines::{Block, Faults, Place};
use crate::roster::Roster;
use crate::roster::entry::{Account, Holder, Key, Person, Written};
use crate::roster::raw::{RawAccount, RawKey, RawOrganisation, RawPerson};

pub(super) fn add_organisation(roster: &mut Roster, block: Block<RawOrganisation>, faults: &mut Faults) {
    let Block { raw, place } = block;
    must_be_whole(roster, &place, (&raw.id, &raw.name, &raw.roles, raw.email.as_deref()), faults);
    let employed_from = faults.date(&place, "contract_from", raw.contract_from.as_deref());
    let contract_until = faults.date(&place, "contract_until", raw.contract_until.as_deref());
    if let (Some(from), Some(until)) = (employed_from, contract_until)
        && until < from
    {
        faults.field(&place, "contract_until", "is before contract_from");
    }
    let remote_tools = raw.remote_tools.unwrap_or_default();
    if remote_tools.iter().any(|tool| tool.trim().is_empty()) {
        faults.field(&place, "remote_tools", "holds an empty name");
    }
    let notice_given = faults.date(&place, "notice_given", raw.notice_given.as_deref());
    roster.add_person(Person {
        id: raw.id,
        organisation: Some(raw.name.clone()),
        name: raw.name,
        roles: raw.roles,
        email: raw.email,
        employed_from,
        leave_date: None,
        contract_until,
        notice_given: None,
        is_organisation: true,
        remote_tools,
        written: Written { organisation: None, leave_date: None, notice_given },
    });
}

pub(super) fn add_person(roster: &mut Roster, block: Block<RawPerson>, faults: &mut Faults) {
    let Block { raw, place } = block;
    must_be_whole(roster, &place, (&raw.id, &raw.name, &raw.roles, raw.email.as_deref()), faults);
    let employed_from = faults.date(&place, "employed_from", raw.employed_from.as_deref());
    let leave_date = faults.date(&place, "leave_date", raw.leave_date.as_deref());
    let contract_until = faults.date(&place, "contract_until", raw.contract_until.as_deref());
    let notice_given = faults.date(&place, "notice_given", raw.notice_given.as_deref());
    for (field, day) in [("leave_date", leave_date), ("contract_until", contract_until)] {
        if let (Some(from), Some(day)) = (employed_from, day)
            && day < from
        {
            faults.field(&place, field, "is before employed_from");
        }
    }
    // A technician's firm may be named by its id: people read its name.
    let firm = raw.organisation.as_deref().and_then(|firm| roster.person(firm));
    let organisation = firm.filter(|firm| firm.is_organisation).map(|firm| firm.name.clone());
    roster.add_person(Person {
        id: raw.id,
        name: raw.name,
        roles: raw.roles,
        organisation: organisation.or_else(|| raw.organisation.clone()),
        email: raw.email,
        employed_from,
        leave_date: None,
        contract_until,
        notice_given: None,
        is_organisation: false,
        remote_tools: Vec::new(),
        written: Written { organisation: raw.organisation, leave_date, notice_given },
    });
}

fn must_be_whole(
    roster: &Roster,
    place: &Place,
    (id, name, roles, email): (&str, &str, &[String], Option<&str>),
    faults: &mut Faults,
) {
    faults.if_empty(place, &[("id", id), ("name", name)]);
    if let Some(other) = roster.person(id) {
        let whose = if other.is_organisation { "organisation’s" } else { "person’s" };
        faults.field(place, "id", format!("`{id}` is already another {whose} id"));
    }
    if roles.is_empty() {
        faults.field(place, "roles", "is empty; without a role no row of the table applies");
    }
    if email.is_some_and(|email| !email.contains('@')) {
        faults.field(place, "email", "is not a mail address");
    }
}

pub(super) fn add_account(roster: &mut Roster, block: Block<RawAccount>, faults: &mut Faults) {
    let Block { raw, place } = block;
    let Some(holder) = holder(roster, &place, raw.person, raw.shared_by, faults) else { return };
    let known_to = raw.known_to.unwrap_or_default();
    for person in &known_to {
        must_exist(roster, &place, "known_to", person, faults);
    }
    let account = Account {
        holder,
        host: raw.host,
        uid: raw.uid,
        user: raw.user,
        sid: raw.sid,
        upn: raw.upn,
        ehr_user: raw.ehr_user,
        known_to,
        confirmed_on: faults.date(&place, "confirmed_on", raw.confirmed_on.as_deref()),
    };
    let names = [&account.user, &account.sid, &account.upn, &account.ehr_user];
    if account.uid.is_none() && names.iter().all(|name| name.is_none()) {
        faults.block(&place, "names no account; give one of uid, user, sid, upn, ehr_user");
    }
    if names
        .iter()
        .chain(&[&account.host])
        .any(|name| name.as_deref().is_some_and(|name| name.trim().is_empty()))
    {
        faults.block(&place, "holds an empty name; leave the key out instead");
    }
    if account.uid.is_some() && account.host.is_none() {
        faults.field(&place, "uid", "needs a host, because a uid means another account on each machine");
    }
    if let Some(other) = roster.accounts.iter().find(|other| overlaps(other, &account)) {
        let advice = "where several people use it, write one block with shared_by = [..]";
        let holder = other.holder.ids().join("`, `");
        faults.block(&place, format!("this account is already held by `{holder}`; {advice}"));
    }
    roster.add_account(account);
}

fn holder(
    roster: &Roster,
    place: &Place,
    person: Option<String>,
    shared_by: Option<Vec<String>>,
    faults: &mut Faults,
) -> Option<Holder> {
    match (person, shared_by) {
        (Some(person), None) => {
            must_exist(roster, place, "person", &person, faults);
            Some(Holder::Person(person))
        }
        (None, Some(ids)) => {
            for (position, id) in ids.iter().enumerate() {
                must_exist(roster, place, "shared_by", id, faults);
                if ids.iter().take(position).any(|before| before == id) {
                    faults.field(place, "shared_by", format!("names `{id}` twice"));
                }
            }
            if ids.len() < 2 {
                let said = "names fewer than two people; write person = \"..\" for an account of one";
                faults.field(place, "shared_by", said);
            }
            Some(Holder::Shared(ids))
        }
        (Some(_), Some(_)) => {
            faults.block(place, "has both person and shared_by; keep one of them");
            None
        }
        (None, None) => {
            faults.block(place, "names no holder; give person, or shared_by = [..] for a shared account");
            None
        }
    }
}

fn overlaps(one: &Account, other: &Account) -> bool {
    fn same<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
        one.is_some() && one == other
    }
    let same_host = one.host.is_none() || other.host.is_none() || one.host == other.host;
    let uid_differs = one.uid.is_some() && other.uid.is_some() && one.uid != other.uid;
    same(&one.sid, &other.sid)
        || same(&one.upn, &other.upn)
        || same(&one.ehr_user, &other.ehr_user)
        || (same_host && (same(&one.uid, &other.uid) || (same(&one.user, &other.user) && !uid_differs)))
}

pub(super) fn add_key(roster: &mut Roster, block: Block<RawKey>, faults: &mut Faults) {
    let Block { raw, place } = block;
    must_exist(roster, &place, "person", &raw.person, faults);
    if !raw.fingerprint.starts_with("SHA256:") {
        faults.field(&place, "fingerprint", "write it as sshd does, `SHA256:...` (ssh-keygen -lf FILE)");
    }
    if let Some(other) = roster.keys.iter().find(|other| other.fingerprint == raw.fingerprint) {
        faults.field(&place, "fingerprint", format!("this key is already held by `{}`", other.person));
    }
    roster.add_key(Key { person: raw.person, fingerprint: raw.fingerprint });
}

pub(super) fn must_exist(roster: &Roster, place: &Place, field: &str, person: &str, faults: &mut Faults) {
    if roster.person(person).is_none() {
        faults.field(place, field, format!("nobody in the roster has the id `{person}`"));
    }
}
