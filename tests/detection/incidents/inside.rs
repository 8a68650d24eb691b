//! Incidents by people of the house with what they have: taking files out, coming back, looking where they should not.

use jiff::civil::Date;
use ntk_evidence::event::{Action, Class, TamperKind, Via};

use crate::detection::calendar::{later, minutes, seconds};
use crate::detection::cast::{EHR, MAIL, Role};
use crate::detection::stage::Stage;
use crate::detection::tape::Touch;
use crate::detection::turnover;

/// Exports are moved, linked or copied to Downloads or to a stick.
pub(super) fn export_to_downloads(stage: &mut Stage, day: Date) -> Option<()> {
    let person = stage.one(&[Role::Billing, Role::Nurse, Role::Physician], day, &[])?;
    let case =
        stage.incident("export_to_downloads", &format!("{} takes exports out of their folder", person.name));
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 600, 1020);
    let host = person.host.clone();
    let seat = stage.tape.sit_down(at, &host, &person);
    let way = stage.chance.between(0, 3);
    let place = match way {
        3 => format!("/media/{}/STICK", person.user),
        _ => format!("/home/{}/Downloads", person.user),
    };
    let mut at = minutes(at, 1);
    for _ in 0..stage.chance.between(1, 6) {
        let path = stage.export(&host);
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let to = format!("{place}/{name}");
        stage.tape.mark(Some(&case.key));
        let shell = "/usr/bin/bash";
        match way {
            0 => {
                let touch = Touch::new(Action::Rename, Class::Export, path.clone(), "/usr/bin/mv");
                stage.tape.touch(at, &seat, touch.to(&to).command(format!("mv {path} {to}")).from(shell));
            }
            1 => {
                let touch = Touch::new(Action::Link, Class::Export, path.clone(), "/usr/bin/ln");
                stage.tape.touch(at, &seat, touch.to(&to).command(format!("ln {path} {to}")).from(shell));
            }
            _ => {
                stage.tape.mark(Some(&case.context));
                let read = Touch::new(Action::Read, Class::Export, path.clone(), "/usr/bin/cp");
                stage.tape.touch(at, &seat, read.command(format!("cp {path} {to}")).from(shell));
                stage.tape.mark(Some(&case.key));
                // The folder it lands in is watched as a place for exports.
                let made = Touch::new(Action::Create, Class::Export, to.clone(), "/usr/bin/cp");
                stage.tape.touch(seconds(at, 1), &seat, made.command(format!("cp {path} {to}")).from(shell));
            }
        }
        at = seconds(at, stage.chance.between(4, 40));
    }
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(minutes(at, 2), &seat);
    stage.need(&person.id, day);
    Some(())
}

/// Somebody who has left: the own account, a key on an administrator's account, or an account made beforehand.
pub(super) fn after_leaving(stage: &mut Stage, day: Date) -> Option<()> {
    let on = later(day, -stage.chance.between(1, 12)).max(later(stage.calendar.first, 10));
    let notice = later(on, -stage.chance.between(5, 20)).max(later(stage.calendar.first, 1));
    let is_it = stage.chance.happens(400);
    let it = if is_it { stage.leaver(&[Role::It], notice) } else { None };
    let staff = [Role::Nurse, Role::Billing, Role::FrontDesk, Role::Physician];
    let person = match it {
        Some(it) => it,
        None => stage.leaver(&staff, notice)?,
    };
    turnover::leaves(stage, &person.id, notice, on);
    let case = stage
        .incident("after_leaving", &format!("{} has left, and something of theirs is used", person.name));
    let at = stage.between(day, 400, 1380);
    let from = stage.chance.word(&["198.51.100.23", "203.0.113.151"]);
    let seat = match (stage.chance.between(0, 2), &person.key) {
        (0, Some(key)) => {
            // Their key still opens an account that is not theirs.
            stage.tape.mark(Some(&case.key));
            stage.tape.login(at, EHR, ("nwadmin", 1001), from, Some(key))
        }
        (1, Some(_)) => {
            stage.tape.mark(Some(&case.context));
            let before = stage.between(later(on, -2), 900, 1000);
            let (seat, root) = stage.root_session(before, EHR, &person, false);
            stage.tape.account_change(
                minutes(before, 2),
                &root,
                Action::Create,
                "svc-sync",
                "/usr/sbin/useradd",
            );
            stage.tape.logout(minutes(before, 4), &seat);
            stage.tape.mark(Some(&case.key));
            stage.tape.login(at, EHR, ("svc-sync", 1103), from, None)
        }
        _ => {
            stage.tape.mark(Some(&case.key));
            stage.tape.login(at, EHR, (&person.user, person.uid), from, None)
        }
    };
    let n = stage.chance.between(1, 20);
    let at = stage.read_exports(minutes(at, 1), &seat, n, "/usr/bin/scp", "/usr/sbin/sshd");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    Some(())
}

/// Mail is read out of a snapshot, a backup, or the disk below the files.
pub(super) fn through_copy(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Manager, Role::Physician], day, &[])?;
    let about = format!("{} reads the mail of {} out of a copy", admin.name, victim.name);
    let case = stage.incident("through_copy", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 560, 1020);
    let (seat, root) = stage.root_session(at, MAIL, &admin, false);
    stage.tape.mark(Some(&case.key));
    let way = stage.chance.between(0, 2);
    let mut at = minutes(at, 3);
    let n = if way == 2 { 1 } else { stage.chance.between(2, 15) };
    for _ in 0..n {
        let message = stage.message(&victim.user);
        let touch = match way {
            0 => Touch::new(
                Action::Read,
                Class::Mailbox,
                format!("/srv/.snapshots/41{message}"),
                "/usr/bin/less",
            )
            .of(&victim.user)
            .via(Via::ShadowCopy),
            1 => {
                Touch::new(Action::Read, Class::Backup, format!("/srv/backup/mnt{message}"), "/usr/bin/less")
            }
            _ => Touch::new(Action::Read, Class::Mailbox, "/dev/vda2", "/usr/sbin/debugfs")
                .via(Via::RawDisk)
                .command(format!("debugfs -R cat {message} /dev/vda2")),
        };
        stage.tape.touch(at, &root, touch.from("/usr/bin/bash"));
        at = seconds(at, stage.chance.between(5, 60));
    }
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// The recording is switched off; what is read before it stands again is not all seen.
pub(super) fn recording_off(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let case =
        stage.incident("recording_off", &format!("{} switches the recording off and reads", admin.name));
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 560, 1380);
    let host = if stage.chance.happens(500) { MAIL } else { EHR };
    let (seat, root) = stage.root_session(at, host, &admin, false);
    stage.tape.mark(Some(&case.key));
    let (what, detail, command) = match stage.chance.between(0, 2) {
        0 => (TamperKind::RulesChanged, "op=remove_rule key=(null) list=4", "auditctl -D"),
        _ => (TamperKind::AuditDisabled, "op=set audit_enabled=0 old=1", "auditctl -e 0"),
    };
    stage.tape.tamper(minutes(at, 1), &root, what, detail, "/usr/sbin/auditctl", command);
    let n = stage.chance.between(0, 3);
    let at = stage.read_exports(minutes(at, 4), &root, n, "/usr/bin/cat", "/usr/bin/bash");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(minutes(at, 1), &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// Somebody of IT reads the personnel file about themselves.
pub(super) fn own_hr_file(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.one(&[Role::It], day, &[])?;
    let about = format!("{} reads the practice's personnel file about themselves", admin.name);
    let case = stage.incident("own_hr_file", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 560, 1080);
    let (seat, root) = stage.root_session(at, EHR, &admin, false);
    stage.tape.mark(Some(&case.key));
    let mut at = minutes(at, 2);
    for n in 0..stage.chance.between(1, 4) {
        let path = format!("/srv/practice/hr/{}/file-{n}.odt", admin.user);
        let touch = Touch::new(Action::Read, Class::Hr, path, "/usr/bin/less").of(&admin.user);
        stage.tape.touch(at, &root, touch.from("/usr/bin/bash"));
        at = seconds(at, stage.chance.between(10, 60));
    }
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// A physician reads a colleague's mailbox at night.
pub(super) fn curiosity(stage: &mut Stage, day: Date) -> Option<()> {
    let reader = stage.one(&[Role::Physician], day, &[])?;
    let victim = stage.one(&[Role::Physician, Role::Nurse, Role::Billing], day, &[&reader.id])?;
    let about = format!("{} reads the mailbox of {} at night", reader.name, victim.name);
    let case = stage.incident("curiosity", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 1200, 1420);
    let from = reader.remote_address();
    let host = if stage.chance.happens(500) { victim.host.clone() } else { reader.host.clone() };
    let seat = stage.tape.login(at, &host, (&reader.user, reader.uid), &from, None);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(1, 10);
    let at = stage.read_mail(minutes(at, 1), &seat, &victim.user, n, "/usr/bin/thunderbird");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&reader.id, day);
    Some(())
}
