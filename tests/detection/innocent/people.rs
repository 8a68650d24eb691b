//! Innocent look-alikes of everybody else.

use jiff::civil::Date;
use ntk_evidence::event::{Action, Class};

use crate::detection::calendar::{later, minutes, seconds};
use crate::detection::cast::{MAIL, Role};
use crate::detection::roster_text;
use crate::detection::stage::Stage;
use crate::detection::tape::Touch;
use crate::detection::turnover;

const CHARTS: &str = "/opt/caresoft/bin/charts";
const TABLES: &str = "/usr/lib/libreoffice/program/soffice.bin";
const SHELL: &str = "/usr/bin/gnome-shell";
const STAFF: &[Role] = &[Role::Nurse, Role::FrontDesk, Role::Billing, Role::Physician];

/// A physician is called at three in the morning.
pub(super) fn physician_at_night(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(&[Role::Physician], day, &[])?;
    let case = stage.innocent("physician_at_night", "a physician is called at night and reads charts");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 130, 290);
    let from = person.remote_address();
    let host = person.host.clone();
    let seat = stage.tape.login(at, &host, (&person.user, person.uid), &from, None);
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(2, 12) {
        let path = stage.chart(&host);
        stage.tape.touch(at, &seat, Touch::new(Action::Read, Class::Ehr, path, CHARTS).from(SHELL));
        at = minutes(at, stage.chance.between(1, 6));
    }
    stage.tape.logout(at, &seat);
    Some(())
}

/// Somebody is away and a colleague, named in the roster, reads their mail.
pub(super) fn cover_holiday(stage: &mut Stage, day: Date) -> Option<()> {
    let away = stage.one(&[Role::Billing, Role::Physician, Role::FrontDesk], day, &[])?;
    let deputy = stage.one(&[away.role], day, &[&away.id])?;
    if away.leaves.is_some() || deputy.leaves.is_some() {
        return None;
    }
    let to = later(day, stage.chance.between(4, 9));
    let about = format!("{} stands in for {} and reads that mailbox", deputy.name, away.name);
    let case = stage.innocent("cover_holiday", &about);
    stage.tape.mark(Some(&case.key));
    let known = stage.between(later(day, -2), 560, 900);
    stage.tape.roster(known, roster_text::cover(&deputy.id, &away.id, day, to, true));
    if let Some(person) = stage.cast.person_mut(&away.id) {
        person.away.push((day, to));
    }
    for n in 0..4 {
        let date = later(day, n);
        if date >= stage.calendar.end()
            || date > to
            || !stage.calendar.is_work_day(date)
            || !deputy.is_at_work(date)
        {
            continue;
        }
        let at = stage.between(date, 560, 900);
        let host = deputy.host.clone();
        let seat = stage.tape.sit_down(at, &host, &deputy);
        let few = stage.chance.between(2, 6);
        let at = stage.read_mail(minutes(at, 1), &seat, &away.user, few, "/usr/bin/thunderbird");
        stage.tape.logout(at, &seat);
    }
    stage.need(&deputy.id, to);
    stage.need(&away.id, to);
    Some(())
}

/// The month's bills: far more exports than on other days, as every month.
pub(super) fn billing_month_end(stage: &mut Stage, day: Date) -> Option<()> {
    let last = (0..31).map(|n| later(day, n)).find(|date| later(*date, 1).month() != date.month())?;
    let date = (0..4).map(|n| later(last, -n)).find(|date| stage.calendar.is_work_day(*date))?;
    if date >= stage.calendar.end() {
        return None;
    }
    let person = stage.one(&[Role::Billing], date, &[])?;
    let case = stage.innocent("billing_month_end", "billing reads many exports at the end of the month");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(date, 560, 800);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let n = stage.chance.between(15, 35);
    let at = stage.read_exports(minutes(at, 1), &seat, n, TABLES, SHELL);
    stage.tape.logout(at, &seat);
    Some(())
}

/// A forgotten password is reset, and its owner goes on at their own computer.
pub(super) fn password_reset_own(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let person = stage.one(STAFF, day, &[])?;
    let case =
        stage.innocent("password_reset_own", "a forgotten password is reset and its owner logs in as always");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 560, 900);
    let host = person.host.clone();
    stage.tape.refused_login(minutes(at, -3), &host, &person.user, "/dev/tty2");
    let (seat, root) = stage.root_session(at, MAIL, &admin, false);
    stage.tape.account_change(minutes(at, 1), &root, Action::Attributes, &person.user, "/usr/bin/passwd");
    stage.tape.logout(minutes(at, 2), &seat);
    let seat = stage.tape.sit_down(minutes(at, 5), &host, &person);
    let few = stage.chance.between(2, 5);
    let at = stage.read_mail(minutes(at, 6), &seat, &person.user, few, "/usr/bin/thunderbird");
    stage.tape.logout(at, &seat);
    Some(())
}

/// Everything is new to somebody new.
pub(super) fn new_hire(stage: &mut Stage, day: Date) -> Option<()> {
    let role = stage.chance.pick(STAFF).copied()?;
    let n = stage.cast.join(role, &mut stage.chance);
    let person = stage.cast.people.get_mut(n)?;
    person.begins = Some(day);
    let person = person.clone();
    let known = stage.between(later(day, -3), 600, 900);
    stage.tape.roster(known, roster_text::person(&person));
    let case = stage.innocent("new_hire", &format!("the first day of {}", person.name));
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 485, 500);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let mut at = minutes(at, 3);
    for _ in 0..stage.chance.between(6, 12) {
        let path = stage.chart(&host);
        stage.tape.touch(at, &seat, Touch::new(Action::Read, Class::Ehr, path, CHARTS).from(SHELL));
        at = minutes(at, stage.chance.between(1, 5));
    }
    stage.tape.logout(at, &seat);
    Some(())
}

/// The manager goes through the personnel files before the yearly talks.
pub(super) fn personnel_review(stage: &mut Stage, day: Date) -> Option<()> {
    let manager = stage.one(&[Role::Manager], day, &[])?;
    let staff: Vec<_> = STAFF.iter().flat_map(|role| stage.cast.with(*role, day)).collect();
    let case =
        stage.innocent("personnel_review", "the manager reads the personnel files before the yearly talks");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 560, 900);
    let host = manager.host.clone();
    let seat = stage.tape.sit_down(at, &host, &manager);
    let mut at = minutes(at, 1);
    for person in staff.iter().take(30) {
        let path = format!("/mnt/practice/hr/{}/file.odt", person.user);
        let touch = Touch::new(Action::Read, Class::Hr, path, TABLES).of(&person.user).from(SHELL);
        stage.tape.touch(at, &seat, touch);
        at = minutes(at, stage.chance.between(1, 4));
    }
    stage.tape.logout(at, &seat);
    Some(())
}

/// Somebody who leaves clears up their own mailbox, as agreed.
pub(super) fn leaver_clean_up(stage: &mut Stage, day: Date) -> Option<()> {
    let notice = later(day, -stage.chance.between(3, 10)).max(later(stage.calendar.first, 1));
    let person = stage.leaver(STAFF, notice)?;
    if !person.is_at_work(day) {
        return None;
    }
    let on = later(day, stage.chance.between(1, 7));
    turnover::leaves(stage, &person.id, notice, on);
    let about = format!("{} leaves and clears up their own mailbox", person.name);
    let case = stage.innocent("leaver_clean_up", &about);
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 600, 960);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(20, 60) {
        let path = stage.message(&person.user);
        let touch = Touch::new(Action::Delete, Class::Mailbox, path, "/usr/bin/thunderbird").of(&person.user);
        stage.tape.touch(at, &seat, touch.from(SHELL));
        at = seconds(at, stage.chance.between(1, 6));
    }
    stage.tape.logout(at, &seat);
    stage.need(&person.id, day);
    Some(())
}

/// Caps lock.
pub(super) fn mistyped_password(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(STAFF, day, &[])?;
    let case =
        stage.innocent("mistyped_password", "a password is mistyped several times, then typed rightly");
    stage.tape.mark(Some(&case.key));
    let host = person.host.clone();
    let mut at = stage.between(day, 560, 960);
    for _ in 0..stage.chance.between(3, 8) {
        stage.tape.refused_login(at, &host, &person.user, "/dev/tty2");
        at = seconds(at, stage.chance.between(5, 20));
    }
    let seat = stage.tape.sit_down(at, &host, &person);
    stage.tape.logout(minutes(at, 30), &seat);
    Some(())
}

/// A telephone with last month's password asks for mail all day.
pub(super) fn old_device(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(STAFF, day, &[])?;
    let about = format!("a telephone of {} keeps trying an old password", person.name);
    let case = stage.innocent("old_device", &about);
    stage.tape.mark(Some(&case.key));
    let from = stage.cast.address(&person.host);
    let mut at = stage.between(day, 480, 520);
    for _ in 0..stage.chance.between(40, 120) {
        stage.tape.refused_login(at, MAIL, &person.user, &from);
        at = minutes(at, stage.chance.between(3, 6));
    }
    Some(())
}

/// Exports are put into the month's folder, within the watched one.
pub(super) fn archive_exports(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(&[Role::Billing], day, &[])?;
    let case = stage.innocent("archive_exports", "billing puts exports into the month's folder");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 560, 960);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(3, 12) {
        let path = stage.export(&host);
        let to = path.replace("/exports/", &format!("/exports/{}-{:02}/", day.year(), day.month()));
        let touch = Touch::new(Action::Rename, Class::Export, path, "/usr/bin/nautilus").to(to).from(SHELL);
        stage.tape.touch(at, &seat, touch);
        at = seconds(at, stage.chance.between(2, 15));
    }
    stage.tape.logout(at, &seat);
    Some(())
}

/// Claims go to the clearing house: the browser takes them from Downloads. Only a person can know that.
pub(super) fn clearing_house(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(&[Role::Billing], day, &[])?;
    let case = stage
        .innocent("clearing_house", "billing puts claims where the browser sends them to the clearing house");
    stage.tape.mark(Some(&case.key));
    let at = stage.between(day, 560, 960);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(1, 3) {
        let path = stage.export(&host);
        let name = path.rsplit('/').next().unwrap_or_default();
        let to = format!("/home/{}/Downloads/{name}", person.user);
        let touch = Touch::new(Action::Create, Class::Export, to, "/usr/bin/nautilus").from(SHELL);
        stage.tape.touch(at, &seat, touch);
        at = seconds(at, stage.chance.between(5, 30));
    }
    stage.tape.logout(at, &seat);
    Some(())
}
