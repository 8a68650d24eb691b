//! Incidents under another name: a shared account, a job's account, a colleague's number, a trusted program's name.

use jiff::civil::Date;
use ntk_evidence::event::{Action, Class, Confidence, TamperKind};
use serde_json::json;

use crate::detection::calendar::{minutes, seconds};
use crate::detection::cast::{EHR, MAIL, Role, SHARED};
use crate::detection::roster_text::BACKUP;
use crate::detection::stage::{Stage, Wanted};
use crate::detection::tape::{Seat, Touch};

const STAFF: &[Role] = &[Role::Physician, Role::Nurse, Role::Billing, Role::FrontDesk];
/// The number of the backup's account.
const BACKUP_UID: u32 = 990;

/// The front desk's shared account opens a person's mailbox.
pub(super) fn shared_account(stage: &mut Stage, day: Date) -> Option<()> {
    let victim = stage.one(&[Role::Physician, Role::Billing, Role::Manager], day, &[])?;
    let about = format!("the shared account of the front desk opens the mailbox of {}", victim.name);
    let case = stage.incident("shared_account", &about);
    let host = stage.cast.desk.clone();
    let at = stage.between(day, 700, 1060);
    stage.tape.mark(Some(&case.context));
    let seat = stage.tape.login(at, &host, SHARED, "/dev/tty2", None);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(2, 12);
    let at = stage.read_mail(minutes(at, 1), &seat, &victim.user, n, "/usr/bin/thunderbird");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    Some(())
}

/// Somebody uses the backup's own account, by logging in with it or by su, to read what the backup may read.
pub(super) fn backup_operator(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Manager, Role::Physician], day, &[])?;
    let is_login = stage.chance.happens(500);
    let host = if stage.chance.happens(600) { MAIL } else { EHR };
    // In the backup's hours too: hours alone do not tell.
    let at =
        if stage.chance.happens(500) { stage.between(day, 70, 200) } else { stage.between(day, 600, 1000) };
    let about = format!("files are read with the backup's account from a session of {}", admin.name);
    let case = stage.incident("backup_operator", &about);
    let seat = if is_login {
        stage.tape.mark(Some(&case.key));
        let from = admin.remote_address();
        stage.tape.login(at, host, ("svc-backup", BACKUP_UID), &from, None)
    } else {
        stage.tape.mark(Some(&case.context));
        let seat = stage.admin_session(at, host, &admin, true);
        stage.tape.elevate(seconds(at, 30), &seat, "svc-backup", "/usr/bin/su", None)
    };
    stage.tape.mark(Some(&case.key));
    let exe = if stage.chance.happens(500) { BACKUP } else { "/usr/bin/cat" };
    let n = stage.chance.between(3, 30);
    let at = match host {
        MAIL => stage.read_mail(minutes(at, 1), &seat, &victim.user, n, exe),
        _ => stage.read_exports(minutes(at, 1), &seat, n, exe, "/usr/bin/bash"),
    };
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// The login uid is overwritten with a colleague's, then files are read.
pub(super) fn forged_login_uid(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let colleague = stage.one(STAFF, day, &[])?;
    let about = format!("{} overwrites the login uid with that of {} and reads", admin.name, colleague.name);
    let case = stage.incident("forged_login_uid", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 560, 1380);
    let is_mail = stage.chance.happens(500);
    let host = if is_mail { MAIL } else { EHR };
    let (seat, root) = stage.root_session(at, host, &admin, false);
    stage.tape.mark(Some(&case.key));
    let mut forged = root.clone();
    forged.actor.claims = Some(colleague.uid.to_string());
    let detail = format!("old-auid={} auid={}", admin.uid, colleague.uid);
    let command = format!("sh -c echo {} > /proc/self/loginuid", colleague.uid);
    stage.tape.tamper(
        minutes(at, 1),
        &forged,
        TamperKind::LoginUidChanged,
        &detail,
        "/usr/bin/dash",
        &command,
    );
    forged.actor.confidence = Some(Confidence::Derived);
    let n = stage.chance.between(1, 15);
    let at = match is_mail {
        true => stage.read_mail(minutes(at, 2), &forged, &colleague.user, n, "/usr/bin/cat"),
        false => stage.read_exports(minutes(at, 2), &forged, n, "/usr/bin/cat", "/usr/bin/dash"),
    };
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// A program with the backup's name, late in the evening: at another place, or the right one from a shell.
pub(super) fn renamed_program(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Physician, Role::Manager], day, &[])?;
    let case = stage.incident("renamed_program", "a program with the backup's name reads mail at 23:00");
    let at = stage.between(day, 1370, 1400);
    let (seat, exe, parent) = match stage.chance.between(0, 2) {
        0 => {
            // A service of its own, so that no login stands behind it.
            let seat = Seat::service(MAIL, "svc-backup");
            (seat, "/usr/local/bin/restic", "/usr/lib/systemd/systemd")
        }
        1 => {
            stage.tape.mark(Some(&case.context));
            let (_, root) = stage.root_session(at, MAIL, &admin, true);
            (root, "/tmp/restic", "/usr/bin/bash")
        }
        _ => {
            stage.tape.mark(Some(&case.context));
            let (_, root) = stage.root_session(at, MAIL, &admin, true);
            (root.acting_as("svc-backup"), BACKUP, "/usr/bin/bash")
        }
    };
    stage.tape.mark(Some(&case.key));
    let mut at = minutes(at, 4);
    for _ in 0..stage.chance.between(6, 40) {
        let path = stage.message(&victim.user);
        let touch = Touch::new(Action::Read, Class::Mailbox, path, exe).of(&victim.user).from(parent);
        stage.tape.touch(at, &seat, touch);
        at = seconds(at, stage.chance.between(1, 9));
    }
    stage.need(&admin.id, day);
    Some(())
}

/// A new password is set for somebody, then that account is used from another computer.
pub(super) fn password_reset(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let victim = stage.one(&[Role::Physician, Role::Manager, Role::Billing], day, &[&admin.id])?;
    let about = format!("a new password is set for {}, and the account is used from elsewhere", victim.name);
    let case = stage.incident("password_reset", &about);
    stage.tape.mark(Some(&case.context));
    let at = stage.between(day, 1110, 1300);
    let (seat, root) = stage.root_session(at, MAIL, &admin, true);
    stage.tape.account_change(minutes(at, 1), &root, Action::Attributes, &victim.user, "/usr/bin/passwd");
    stage.tape.logout(minutes(at, 2), &seat);
    stage.tape.mark(Some(&case.key));
    let from = if admin.is_firm || stage.chance.happens(500) {
        admin.remote_address()
    } else {
        stage.cast.address(&admin.host)
    };
    let later = stage.chance.between(4, 50);
    let seat = stage.tape.login(minutes(at, later), MAIL, (&victim.user, victim.uid), &from, None);
    let n = stage.chance.between(3, 25);
    let at = stage.read_mail(minutes(at, later + 1), &seat, &victim.user, n, "/usr/bin/less");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    stage.need(&victim.id, day);
    Some(())
}

/// Remote support was allowed on a user's computer, and the user's own mail or the exports are read meanwhile.
pub(super) fn vendor_in_user_session(stage: &mut Stage, day: Date) -> Option<()> {
    let user = stage.one(&[Role::Nurse, Role::Billing, Role::Physician], day, &[])?;
    let about = format!("a technician drives the session of {} and reads that person's files", user.name);
    let case = stage.incident("vendor_in_user_session", &about);
    stage.tape.mark(Some(&case.context));
    let from = stage.between(day, 600, 900);
    let wanted = Wanted {
        kind: "ticket",
        assignee: "caresoft",
        class: "remote_control",
        scope: json!({ "host": user.host }),
        from: minutes(from, -20),
        to: minutes(from, 120),
        reason: "the chart program freezes",
    };
    stage.proper_ticket(&wanted)?;
    let lasts = stage.chance.between(25, 60);
    stage.quiet.push((user.id.clone(), minutes(from, -1), minutes(from, lasts)));
    let host = user.host.clone();
    let seat = stage.tape.sit_down(minutes(from, -2), &host, &user);
    stage.tape.remote_control(from, &seat, "AnyDesk", lasts);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(3, 20);
    let at = minutes(from, 6);
    let at = match stage.chance.happens(500) {
        true => stage.read_mail(at, &seat, &user.user, n, "/usr/bin/thunderbird"),
        false => stage.read_exports(at, &seat, n, "/usr/bin/nautilus", "/usr/bin/gnome-shell"),
    };
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at.max(minutes(from, lasts + 1)), &seat);
    stage.need(&user.id, day);
    Some(())
}

/// An account that is in nobody's roster entry reads exports.
pub(super) fn unknown_account(stage: &mut Stage, day: Date) -> Option<()> {
    let case = stage.incident("unknown_account", "an account that is not in the roster reads exports");
    let at = stage.between(day, 540, 1400);
    stage.tape.mark(Some(&case.key));
    let uid = u32::try_from(stage.chance.between(1040, 1090)).ok()?;
    let user = stage.chance.word(&["support2", "test", "scanner", "backup-old"]);
    let from = stage.chance.word(&["10.0.4.231", "198.51.100.44", "10.0.2.6"]);
    let seat = stage.tape.login(at, EHR, (user, uid), from, None);
    let n = stage.chance.between(2, 20);
    let at = stage.read_exports(minutes(at, 1), &seat, n, "/usr/bin/scp", "/usr/sbin/sshd");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    Some(())
}

/// Hundreds of refused logins or refused reads, and among them one read that succeeds.
pub(super) fn flood(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?;
    let staff = stage.cast.with(Role::Nurse, day);
    let case =
        stage.incident("flood", "hundreds of refusals, and among them one message of the manager is read");
    stage.tape.mark(Some(&case.context));
    let start = stage.between(day, 1000, 1300);
    let (seat, root) = stage.root_session(start, MAIL, &admin, true);
    let n = stage.chance.between(200, 400);
    let hidden = stage.chance.between(60, n - 20);
    let of_logins = stage.chance.happens(500);
    let mut at = minutes(start, 1);
    for turn in 0..n {
        at = seconds(at, stage.chance.between(1, 4));
        if turn == hidden {
            stage.tape.mark(Some(&case.key));
            stage.read_mail(at, &root, &manager.user, 1, "/usr/bin/cat");
            stage.tape.mark(Some(&case.context));
        } else if of_logins {
            let name = stage.chance.pick(&staff).map_or_else(|| "guest".to_owned(), |one| one.user.clone());
            let from = stage.cast.address(&admin.host);
            stage.tape.refused_login(at, MAIL, &name, &from);
        } else {
            let path = format!("/srv/mail/lists/{}.mbox", stage.chance.between(1, 9999));
            let touch = Touch::new(Action::Read, Class::Mailbox, path, "/usr/bin/grep").of("lists").denied();
            stage.tape.touch(at, &seat, touch.from("/usr/bin/bash"));
        }
    }
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}
