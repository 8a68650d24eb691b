//! Incidents that take their time: a little every day, a little more every day, every night, before leaving.

use jiff::civil::Date;
use ntk_evidence::event::{Action, Class};

use crate::detection::calendar::{later, minutes, seconds};
use crate::detection::cast::{EHR, MAIL, Role};
use crate::detection::stage::Stage;
use crate::detection::tape::Touch;
use crate::detection::turnover;

/// Somebody of IT reads one or two messages or exports a day, for weeks, among ordinary work.
pub(super) fn slow_drip(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Physician, Role::Billing, Role::FrontDesk], day, &[])?;
    let is_mail = stage.chance.happens(600);
    let what = if is_mail { "messages of one colleague" } else { "exports" };
    let about = format!("{} reads one or two {what} a day over weeks, without a ticket", admin.name);
    let case = stage.incident("slow_drip", &about);
    let n_days = stage.chance.between(10, 28);
    let mut last = day;
    for n in 0..n_days {
        let today = later(day, n);
        let is_working = stage.cast.person(&admin.id).is_some_and(|one| one.is_at_work(today));
        if today >= stage.calendar.end() || !stage.calendar.is_work_day(today) || !is_working {
            continue;
        }
        last = today;
        stage.tape.mark(Some(&case.context));
        let at = stage.between(today, 550, 1020);
        let host = if is_mail { MAIL } else { EHR };
        let (seat, root) = stage.root_session(at, host, &admin, false);
        let at = stage.system_work(minutes(at, 1), &root, 1);
        stage.tape.mark(Some(&case.key));
        let few = stage.chance.between(1, 2);
        let at = match is_mail {
            true => stage.read_mail(at, &root, &victim.user, few, "/usr/bin/less"),
            false => stage.read_exports(at, &root, few, "/usr/bin/less", "/usr/bin/bash"),
        };
        stage.tape.mark(Some(&case.context));
        stage.tape.logout(minutes(at, 1), &seat);
    }
    stage.need(&admin.id, last);
    Some(())
}

/// Somebody who may read exports takes more of them from day to day.
pub(super) fn slow_growth(stage: &mut Stage, day: Date) -> Option<()> {
    // It has to have time to grow.
    let day = stage.calendar.work_day_from(day.min(later(stage.calendar.end(), -24)));
    let person = stage.one(&[Role::Nurse, Role::Billing, Role::Physician], day, &[])?;
    let is_working = |date: Date| {
        date < stage.calendar.end() && stage.calendar.is_work_day(date) && person.is_at_work(date)
    };
    let days: Vec<Date> = (0..28).map(|n| later(day, n)).filter(|date| is_working(*date)).collect();
    if stage.calendar.weeks < 5 || days.len() < 10 {
        return None;
    }
    let about = format!("{} may read exports, and takes a few more of them every day", person.name);
    let case = stage.incident("slow_growth", &about);
    let mut extra = 4;
    for today in days {
        stage.tape.mark(Some(&case.context));
        let at = stage.between(today, 560, 960);
        let host = person.host.clone();
        let seat = stage.tape.sit_down(at, &host, &person);
        // The first days look like any other; what matters is what comes later.
        stage.tape.mark(Some(if extra >= 12 { &case.key } else { &case.context }));
        let program = "/usr/lib/libreoffice/program/soffice.bin";
        let at = stage.read_exports(minutes(at, 1), &seat, extra, program, "/usr/bin/gnome-shell");
        stage.tape.mark(Some(&case.context));
        stage.tape.logout(minutes(at, 1), &seat);
        extra += stage.chance.between(2, 4);
    }
    stage.need(&person.id, later(day, 27));
    Some(())
}

/// A scheduled job of an administrator copies somebody's mail or exports at night.
pub(super) fn cron(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Physician, Role::Manager], day, &[])?;
    let is_mail = stage.chance.happens(600);
    let about =
        format!("a scheduled job of {} copies files every night, and nobody confirmed it", admin.name);
    let case = stage.incident("cron", &about);
    let host = if is_mail { MAIL } else { EHR };
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 900, 1000);
    let (seat, root) = stage.root_session(at, host, &admin, false);
    let touch = Touch::new(Action::Create, Class::System, "/etc/cron.d/sync-logs", "/usr/bin/vim.basic");
    stage.tape.touch(minutes(at, 1), &root, touch.from("/usr/bin/bash"));
    stage.tape.logout(minutes(at, 3), &seat);
    let minute = stage.chance.between(125, 300);
    let exe = stage.chance.word(&["/usr/bin/rsync", "/usr/bin/cp", "/usr/bin/tar"]);
    for n in 1..=stage.chance.between(3, 9) {
        let night = later(day, n);
        if night >= stage.calendar.end() {
            break;
        }
        let seat = stage.tape.scheduled(host, (&admin.user, admin.uid));
        let seat = seat.acting_as("root");
        stage.tape.mark(Some(&case.key));
        let mut at = stage.at(night, minute);
        for _ in 0..stage.chance.between(2, 6) {
            let (class, path) = match is_mail {
                true => (Class::Mailbox, stage.message(&victim.user)),
                false => (Class::Export, stage.export(host)),
            };
            let touch = Touch::new(Action::Read, class, path, exe).from("/usr/sbin/cron");
            stage.tape.touch(at, &seat, if is_mail { touch.of(&victim.user) } else { touch });
            at = seconds(at, stage.chance.between(1, 5));
        }
    }
    stage.need(&admin.id, later(day, 9));
    Some(())
}

/// Somebody who has given notice copies in bulk what they may read.
pub(super) fn after_notice(stage: &mut Stage, day: Date) -> Option<()> {
    let notice = later(day, -stage.chance.between(2, 9)).max(later(stage.calendar.first, 1));
    let person = stage.leaver(&[Role::Physician, Role::Nurse, Role::Billing], notice)?;
    if !person.is_at_work(day) {
        return None;
    }
    let on = later(day, stage.chance.between(2, 14));
    turnover::leaves(stage, &person.id, notice, on);
    let about = format!("{} has given notice and copies records in bulk", person.name);
    let case = stage.incident("after_notice", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 600, 960);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(50, 150);
    let at = stage.read_exports(minutes(at, 1), &seat, n, "/usr/bin/cp", "/usr/bin/bash");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(minutes(at, 2), &seat);
    stage.need(&person.id, day);
    Some(())
}
