//! Ordinary days: people come, work, and go; programs do their work at night.

use jiff::Timestamp;
use jiff::civil::Date;
use ntk_evidence::event::{Action, Class};
use serde_json::json;

use super::calendar::{later, minutes, seconds};
use super::cast::{EHR, MAIL, Person, Role, SHARED};
use super::roster_text::{ANTIVIRUS, BACKUP, INDEXER, SERVER};
use super::stage::{Stage, Wanted, practice};
use super::tape::{Seat, Touch};

const MAIL_PROGRAM: &str = "/usr/bin/thunderbird";
const CHART_PROGRAM: &str = "/opt/caresoft/bin/charts";
const TABLE_PROGRAM: &str = "/usr/lib/libreoffice/program/soffice.bin";
const SESSION: &str = "/usr/bin/gnome-shell";
const SYSTEMD: &str = "/usr/lib/systemd/systemd";

/// Plays every ordinary day and night.
pub fn play(stage: &mut Stage) {
    for n in 0..stage.calendar.n_days() {
        let date = stage.calendar.day(n);
        night(stage, date);
        if !stage.calendar.is_work_day(date) {
            continue;
        }
        let people = stage.cast.people.clone();
        for person in people.iter().filter(|person| person.is_at_work(date) && !person.is_firm) {
            work_day(stage, person, date);
        }
        if stage.chance.happens(400) {
            shared_account(stage, date);
        }
        firm_day(stage, date);
    }
}

/// Whether a scene speaks for this person then.
fn is_quiet(stage: &Stage, person: &Person, at: Timestamp) -> bool {
    stage.quiet.iter().any(|(id, from, to)| *id == person.id && *from <= at && at <= *to)
}

fn work_day(stage: &mut Stage, person: &Person, date: Date) {
    let come = stage.chance.between(425, 525);
    let go = stage.chance.between(935, 1095);
    // Treatment rooms are shared; others borrow a colleague's computer now and then.
    let roams = match person.role {
        Role::Nurse | Role::Physician => 150,
        _ => 25,
    };
    let mut host = person.host.clone();
    if stage.chance.happens(roams) {
        let other = stage.chance.pick(&stage.cast.machines).map(|machine| machine.name.clone());
        host = other.filter(|name| name.starts_with("ws-")).unwrap_or(host);
    }
    let begin = stage.at(date, come);
    if stage.chance.happens(30) {
        stage.tape.refused_login(seconds(begin, -25), &host, &person.user, "/dev/tty2");
    }
    let seat = stage.tape.sit_down(begin, &host, person);
    let (mail, charts, exports) = match person.role {
        Role::Manager => ((5, 9), (0, 2), (0, 2)),
        Role::Physician => ((3, 6), (5, 9), (0, 2)),
        Role::Nurse => ((2, 5), (5, 9), (0, 2)),
        Role::FrontDesk => ((3, 6), (4, 7), (0, 0)),
        Role::Billing => ((3, 6), (2, 4), (3, 6)),
        Role::It | Role::Vendor => ((4, 7), (0, 0), (0, 0)),
    };
    let month_end =
        if person.role == Role::Billing && later(date, 2).month() != date.month() { 3 } else { 1 };
    for _ in 0..stage.chance.between(mail.0, mail.1) {
        let Some(at) = moment(stage, person, date, come, go) else { continue };
        let path = stage.message(&person.user);
        let action = if stage.chance.happens(120) { Action::Delete } else { Action::Read };
        let times = stage.chance.between(1, 4);
        let touch = Touch::new(action, Class::Mailbox, path, MAIL_PROGRAM).of(&person.user);
        stage.tape.touch(at, &seat, touch.from(SESSION).times(times));
    }
    for _ in 0..stage.chance.between(charts.0, charts.1) {
        let Some(at) = moment(stage, person, date, come, go) else { continue };
        let path = stage.chart(&host);
        let action = if stage.chance.happens(250) { Action::Write } else { Action::Read };
        let times = stage.chance.between(1, 3);
        let touch = Touch::new(action, Class::Ehr, path, CHART_PROGRAM).from(SESSION).times(times);
        stage.tape.touch(at, &seat, touch);
    }
    for _ in 0..stage.chance.between(exports.0, exports.1) * month_end {
        let Some(at) = moment(stage, person, date, come, go) else { continue };
        export(stage, &seat, at);
    }
    special(stage, person, date, &seat, (come, go));
    let end = stage.at(date, go + 2);
    stage.tape.logout(end, &seat);
}

/// A moment of the working day, the lunch hour mostly left out.
fn moment(stage: &mut Stage, person: &Person, date: Date, come: i64, go: i64) -> Option<Timestamp> {
    let minute = stage.chance.between(come + 2, go);
    let minute = if (725..770).contains(&minute) && stage.chance.happens(700) { minute + 60 } else { minute };
    let at = stage.at(date, minute.min(go));
    (!is_quiet(stage, person, at)).then_some(at)
}

fn export(stage: &mut Stage, seat: &Seat, at: Timestamp) {
    let path = stage.export(&seat.host);
    let action = match stage.chance.between(0, 9) {
        0 => Action::Create,
        1 => Action::Write,
        _ => Action::Read,
    };
    stage.tape.touch(at, seat, Touch::new(action, Class::Export, path, TABLE_PROGRAM).from(SESSION));
}

/// What only some do.
fn special(stage: &mut Stage, person: &Person, date: Date, seat: &Seat, day: (i64, i64)) {
    match person.role {
        Role::Manager if stage.chance.happens(350) => {
            for _ in 0..stage.chance.between(1, 3) {
                let Some(at) = moment(stage, person, date, day.0, day.1) else { continue };
                let staff = stage.cast.people.iter().filter(|one| !one.is_firm).cloned().collect::<Vec<_>>();
                let Some(of) = stage.chance.pick(&staff).cloned() else { continue };
                let path = format!("/mnt/practice/hr/{}/file.odt", of.user);
                let touch =
                    Touch::new(Action::Read, Class::Hr, path, TABLE_PROGRAM).of(&of.user).from(SESSION);
                stage.tape.touch(at, seat, touch);
            }
        }
        Role::FrontDesk => {
            for _ in 0..stage.chance.between(1, 4) {
                let Some(at) = moment(stage, person, date, day.0, day.1) else { continue };
                let path = format!("/mnt/practice/voicemail/{}.wav", stage.chance.between(1000, 9999));
                stage.tape.touch(
                    at,
                    seat,
                    Touch::new(Action::Read, Class::Voicemail, path, "/usr/bin/vlc").from(SESSION),
                );
            }
        }
        Role::Physician if stage.chance.happens(60) => evening(stage, person, date),
        Role::It => it_day(stage, person, date),
        Role::Nurse | Role::Billing if stage.chance.happens(5) => overtime(stage, person, date, seat),
        _ => {}
    }
}

/// A physician finishes charts at home.
fn evening(stage: &mut Stage, person: &Person, date: Date) {
    let at = stage.between(date, 1150, 1320);
    let from = person.remote_address();
    let seat = stage.tape.login(at, &person.host, (&person.user, person.uid), &from, None);
    let mut at = minutes(at, 2);
    for _ in 0..stage.chance.between(2, 6) {
        let path = stage.chart(&seat.host);
        stage.tape.touch(at, &seat, Touch::new(Action::Read, Class::Ehr, path, CHART_PROGRAM).from(SESSION));
        at = minutes(at, stage.chance.between(1, 9));
    }
    stage.tape.logout(at, &seat);
}

/// Somebody stays after closing time to finish.
fn overtime(stage: &mut Stage, person: &Person, date: Date, seat: &Seat) {
    let about = format!("{} stays after closing time to finish the day's charts", person.name);
    let case = stage.innocent("overtime", &about);
    stage.tape.mark(Some(&case.key));
    let mut at = stage.between(date, 1115, 1150);
    for _ in 0..stage.chance.between(1, 4) {
        let path = stage.chart(&seat.host);
        stage.tape.touch(at, seat, Touch::new(Action::Read, Class::Ehr, path, CHART_PROGRAM).from(SESSION));
        at = minutes(at, stage.chance.between(1, 5));
    }
    stage.tape.mark(None);
}

/// The computers are looked after: in hours without a ticket where only system files are touched, else with one.
fn it_day(stage: &mut Stage, person: &Person, date: Date) {
    for _ in 0..stage.chance.between(1, 3) {
        let host =
            stage.chance.pick(&stage.cast.machines).map_or_else(|| EHR.to_owned(), |one| one.name.clone());
        let at = stage.between(date, 540, 1000);
        if is_quiet(stage, person, at) {
            continue;
        }
        if stage.chance.happens(60) {
            let seat = stage.admin_session(at, &host, person, false);
            stage.tape.refused_elevation(minutes(at, 1), &seat, "systemctl restart cups");
        }
        let (seat, root) = stage.root_session(at, &host, person, false);
        let n = stage.chance.between(2, 5);
        let end = stage.system_work(minutes(at, 2), &root, n);
        stage.tape.logout(end, &seat);
    }
    if stage.chance.happens(220) {
        ticket_work(stage, person, date);
    }
    if stage.chance.happens(120) {
        on_call(stage, person, date);
    }
}

/// Work on the practice's files, under a ticket that covers it.
fn ticket_work(stage: &mut Stage, admin: &Person, date: Date) {
    let (class, asset, host) = match stage.chance.between(0, 3) {
        0 => ("ehr", Class::Ehr, EHR),
        1 => ("backup", Class::Backup, EHR),
        2 => ("backup", Class::Backup, MAIL),
        _ => ("export", Class::Export, EHR),
    };
    let from = stage.between(date, 600, 840);
    let to = minutes(from, 240);
    let reason = stage.chance.word(&[
        "import stops at line 1",
        "restore asked for",
        "disk is full",
        "an export is damaged",
    ]);
    let scope = if stage.chance.happens(500) { json!({ "host": host }) } else { json!("everything") };
    let wanted = Wanted { kind: "ticket", assignee: &admin.id, class, scope, from, to, reason };
    if stage.proper_ticket(&wanted).is_none() || stage.chance.happens(100) {
        return;
    }
    let wait = stage.chance.between(5, 60);
    let at = minutes(from, wait);
    let (seat, root) = stage.root_session(at, host, admin, false);
    let mut at = minutes(at, 2);
    for _ in 0..stage.chance.between(2, 8) {
        let path = match class {
            "ehr" => stage.chart(host),
            "backup" => format!("/srv/backup/snapshots/{}", stage.chance.between(1000, 9999)),
            _ => stage.export(host),
        };
        stage.tape.touch(
            at,
            &root,
            Touch::new(Action::Read, asset.clone(), path, "/usr/bin/less").from("/usr/bin/bash"),
        );
        at = seconds(at, stage.chance.between(20, 200));
    }
    stage.tape.logout(at, &seat);
}

/// Called in the evening, with an on-call ticket that the manager approved by then.
fn on_call(stage: &mut Stage, admin: &Person, date: Date) {
    let from = stage.between(date, 1140, 1290);
    let wanted = Wanted {
        kind: "on_call",
        assignee: &admin.id,
        class: "system",
        scope: json!("everything"),
        from,
        to: minutes(from, 240),
        reason: "a server does not answer",
    };
    let Some(manager) = stage.manager() else { return };
    stage.ticket(&wanted, seconds(from, -900), &[(&manager.id, seconds(from, -300))]);
    let host = if stage.chance.happens(500) { MAIL } else { EHR };
    let (seat, root) = stage.root_session(minutes(from, 6), host, admin, true);
    let n = stage.chance.between(2, 6);
    let end = stage.system_work(minutes(from, 8), &root, n);
    stage.tape.logout(end, &seat);
}

/// The firm looks in now and then.
fn firm_day(stage: &mut Stage, date: Date) {
    let Some(firm) = stage.cast.person("northwind").cloned() else { return };
    if !stage.chance.happens(250) {
        return;
    }
    let host = if stage.chance.happens(500) { MAIL } else { EHR };
    let at = stage.between(date, 540, 1000);
    let (seat, root) = stage.root_session(at, host, &firm, false);
    let n = stage.chance.between(2, 5);
    let end = stage.system_work(minutes(at, 2), &root, n);
    stage.tape.logout(end, &seat);
    if stage.chance.happens(200) {
        ticket_work(stage, &firm, date);
    }
}

/// The front desk shares an account for the charts.
fn shared_account(stage: &mut Stage, date: Date) {
    let host = stage.cast.desk.clone();
    let at = stage.between(date, 480, 1000);
    let seat = stage.tape.login(at, &host, SHARED, "/dev/tty2", None);
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(1, 3) {
        let path = format!("{}/schedule/today.xml", practice(&host));
        stage.tape.touch(at, &seat, Touch::new(Action::Read, Class::Ehr, path, CHART_PROGRAM).from(SESSION));
        at = minutes(at, stage.chance.between(1, 6));
    }
    stage.tape.logout(at, &seat);
}

/// Backup, virus scanner, index and mail server: services outside any login.
fn night(stage: &mut Stage, date: Date) {
    let staff: Vec<Person> =
        stage.cast.people.iter().filter(|one| !one.is_firm && one.is_here(date)).cloned().collect();
    for (user, exe, host, least, most) in [
        ("svc-backup", BACKUP, MAIL, 65, 150),
        ("clamav", ANTIVIRUS, MAIL, 270, 330),
        ("vmail", INDEXER, MAIL, 30, 50),
        ("vmail", SERVER, MAIL, 480, 900),
    ] {
        let seat = Seat::service(host, user);
        for _ in 0..stage.chance.between(4, 7) {
            let Some(of) = stage.chance.pick(&staff).cloned() else { continue };
            let at = stage.between(date, least, most);
            let path = stage.message(&of.user);
            let times = stage.chance.between(1, 9);
            let touch = Touch::new(Action::Read, Class::Mailbox, path, exe).of(&of.user).from(SYSTEMD);
            stage.tape.touch(at, &seat, touch.times(times));
        }
    }
    for (user, exe, least, most) in [("svc-backup", BACKUP, 65, 200), ("clamav", ANTIVIRUS, 270, 330)] {
        let seat = Seat::service(EHR, user);
        for n in 0..stage.chance.between(4, 7) {
            let at = stage.between(date, least, most);
            let (class, path) = match n % 3 {
                0 => (Class::Export, stage.export(EHR)),
                1 => (Class::Ehr, stage.chart(EHR)),
                _ => (Class::Hr, "/srv/practice/hr/index.ods".to_owned()),
            };
            stage.tape.touch(at, &seat, Touch::new(Action::Read, class, path, exe).from(SYSTEMD));
        }
    }
    let at = stage.between(date, 202, 230);
    let path = format!("/srv/backup/snapshots/{}", stage.chance.between(1000, 9999));
    let touch = Touch::new(Action::Create, Class::Backup, path, BACKUP).from(SYSTEMD);
    stage.tape.touch(at, &Seat::service(EHR, "svc-backup"), touch);
}
