//! Innocent look-alikes of the people who keep the computers running.

use jiff::civil::{Date, Weekday};
use ntk_evidence::event::{Action, Class};
use serde_json::json;

use crate::detection::calendar::{later, minutes, seconds};
use crate::detection::cast::{EHR, MAIL, Role};
use crate::detection::roster_text::{self, ANTIVIRUS};
use crate::detection::stage::{Stage, Wanted};
use crate::detection::tape::{Seat, Touch};

const STAFF: &[Role] = &[Role::Physician, Role::Nurse, Role::FrontDesk, Role::Billing];

/// Mail is repaired at noon, under a ticket for just that mailbox with two approvals.
pub(super) fn mailbox_ticket_noon(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let owner = stage.one(STAFF, day, &[])?;
    let case = stage.innocent("mailbox_ticket_noon", "a mailbox is repaired under the right ticket");
    stage.tape.mark(Some(&case.context));
    let from = stage.between(day, 660, 700);
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class: "mailbox",
        scope: json!({ "owner": owner.id }),
        from,
        to: minutes(from, 240),
        reason: "messages are missing",
    };
    stage.proper_ticket(&wanted)?;
    let at = stage.between(day, 715, 760);
    let (seat, root) = stage.root_session(at, MAIL, &admin, false);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(3, 15);
    let at = stage.read_mail(minutes(at, 2), &root, &owner.user, n, "/usr/bin/less");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    Some(())
}

/// Called at night, with an approved on-call ticket for the records' server.
pub(super) fn call_out(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?.id;
    let case = stage.innocent("call_out", "the records' server fails at night and is repaired");
    stage.tape.mark(Some(&case.context));
    let from = stage.between(day, 1200, 1500);
    let wanted = Wanted {
        kind: "on_call",
        assignee: &admin.id,
        class: "ehr",
        scope: json!({ "host": EHR }),
        from,
        to: minutes(from, 240),
        reason: "charts cannot be opened",
    };
    stage.ticket(&wanted, minutes(from, -20), &[(&manager, minutes(from, -8))]);
    stage.tape.mark(Some(&case.key));
    let (seat, root) = stage.root_session(minutes(from, 5), EHR, &admin, true);
    let mut at = minutes(from, 9);
    for _ in 0..stage.chance.between(2, 12) {
        let path = stage.chart(EHR);
        stage.tape.touch(
            at,
            &root,
            Touch::new(Action::Read, Class::Ehr, path, "/usr/bin/head").from("/usr/bin/bash"),
        );
        at = seconds(at, stage.chance.between(10, 100));
    }
    stage.tape.logout(at, &seat);
    Some(())
}

/// The same, but the manager slept: the approval came in the morning. Only system files were touched.
pub(super) fn late_call_out(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?.id;
    let case = stage
        .innocent("late_call_out", "a server is repaired at night and the approval comes in the morning");
    let from = stage.between(day, 1300, 1420);
    let wanted = Wanted {
        kind: "on_call",
        assignee: &admin.id,
        class: "system",
        scope: json!("everything"),
        from,
        to: minutes(from, 240),
        reason: "mail stands still",
    };
    stage.tape.mark(Some(&case.key));
    let approved = stage.between(later(day, 1), 470, 540);
    stage.ticket(&wanted, minutes(from, -4), &[(&manager, approved)]);
    let (seat, root) = stage.root_session(minutes(from, 2), MAIL, &admin, true);
    let n = stage.chance.between(2, 5);
    let end = stage.system_work(minutes(from, 4), &root, n);
    stage.tape.logout(end, &seat);
    Some(())
}

/// A restore is tried, under a ticket for the backups.
pub(super) fn restore_test(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let case = stage.innocent("restore_test", "a restore is tried under a ticket for the backups");
    stage.tape.mark(Some(&case.context));
    let from = stage.between(day, 600, 840);
    let wanted = Wanted {
        kind: "maintenance",
        assignee: &admin.id,
        class: "backup",
        scope: json!({ "host": EHR }),
        from,
        to: minutes(from, 240),
        reason: "quarterly restore test",
    };
    stage.proper_ticket(&wanted)?;
    let (seat, root) = stage.root_session(minutes(from, 8), EHR, &admin, false);
    stage.tape.mark(Some(&case.key));
    let mut at = minutes(from, 12);
    for _ in 0..stage.chance.between(20, 60) {
        let path = format!("/srv/backup/snapshots/{}", stage.chance.between(1000, 9999));
        let touch = Touch::new(Action::Read, Class::Backup, path, "/usr/bin/restic").from("/usr/bin/bash");
        stage.tape.touch(at, &root, touch);
        at = seconds(at, stage.chance.between(1, 20));
    }
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    Some(())
}

/// The virus scanner reads everything at the week-end, not only what is new.
pub(super) fn antivirus_bulk(stage: &mut Stage, day: Date) -> Option<()> {
    let case = stage.innocent("antivirus_bulk", "the virus scanner reads every mailbox at the week-end");
    stage.tape.mark(Some(&case.key));
    let saturday = (0..7).map(|n| later(day, n)).find(|date| date.weekday() == Weekday::Saturday)?;
    let seat = Seat::service(MAIL, "clamav");
    let mut at = stage.between(saturday, 300, 700);
    let staff: Vec<_> = STAFF.iter().flat_map(|role| stage.cast.with(*role, day)).collect();
    for owner in staff.iter().take(20) {
        for _ in 0..stage.chance.between(4, 12) {
            let path = stage.message(&owner.user);
            let touch = Touch::new(Action::Read, Class::Mailbox, path, ANTIVIRUS).of(&owner.user);
            stage.tape.touch(at, &seat, touch.from("/usr/lib/systemd/systemd"));
            at = seconds(at, stage.chance.between(1, 3));
        }
    }
    Some(())
}

/// A week-end's work on the servers, announced and approved.
pub(super) fn maintenance_window(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let saturday = (0..7).map(|n| later(day, n)).find(|date| date.weekday() == Weekday::Saturday)?;
    let manager = stage.manager()?.id;
    let case =
        stage.innocent("maintenance_window", "servers are updated at the week-end in an announced window");
    stage.tape.mark(Some(&case.context));
    let from = stage.between(saturday, 480, 900);
    let wanted = Wanted {
        kind: "maintenance",
        assignee: &admin.id,
        class: "system",
        scope: json!("everything"),
        from,
        to: minutes(from, 480),
        reason: "system updates",
    };
    let friday = stage.between(later(saturday, -1), 600, 900);
    stage.ticket(&wanted, friday, &[(&manager, minutes(friday, 50))]);
    stage.tape.mark(Some(&case.key));
    let mut at = minutes(from, 10);
    for host in [MAIL, EHR] {
        let (seat, root) = stage.root_session(at, host, &admin, true);
        let n = stage.chance.between(5, 12);
        let end = stage.system_work(minutes(at, 2), &root, n);
        stage.tape.logout(end, &seat);
        at = minutes(end, 5);
    }
    Some(())
}

/// Remote support under a ticket; nobody's files are touched.
pub(super) fn remote_support(stage: &mut Stage, day: Date) -> Option<()> {
    let user = stage.one(STAFF, day, &[])?;
    let case =
        stage.innocent("remote_support", "remote support repairs a program and touches nobody's files");
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
    let lasts = stage.chance.between(15, 60);
    stage.quiet.push((user.id.clone(), minutes(from, -1), minutes(from, lasts)));
    let host = user.host.clone();
    let seat = stage.tape.sit_down(minutes(from, -2), &host, &user);
    stage.tape.mark(Some(&case.key));
    stage.tape.remote_control(from, &seat, "AnyDesk", lasts);
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(minutes(from, lasts + 2), &seat);
    Some(())
}

/// A scheduled job of IT at night that a person confirmed in the roster.
pub(super) fn confirmed_cron(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.one(&[Role::It], day, &[])?;
    let manager = stage.manager()?.id;
    let case =
        stage.innocent("confirmed_cron", "a scheduled job counts the exports every night, as confirmed");
    stage.tape.mark(Some(&case.key));
    let program = "/usr/local/bin/count-exports";
    let confirmed = stage.between(day, 600, 900);
    let extra = format!(
        "hours = \"02:00-03:00\"\nparent = \"/usr/sbin/cron\"\nconfirmed_by = \"{manager}\"\nconfirmed_on = \"{day}\"\n"
    );
    let id = format!("count-{}", case.key.to_lowercase());
    let job = roster_text::job(
        &id,
        "the nightly count of exports",
        program,
        EHR,
        &admin.user,
        &extra,
        "[\"export\"]",
    );
    stage.tape.roster(confirmed, job);
    for n in 1..=stage.chance.between(4, 10) {
        let night = later(day, n);
        if night >= stage.calendar.end() {
            break;
        }
        // In spring there is a night without a second hour.
        if stage.calendar.at(night, 150) == stage.calendar.at(night, 210) {
            continue;
        }
        let seat = stage.tape.scheduled(EHR, (&admin.user, admin.uid));
        let mut at = stage.between(night, 125, 150);
        for _ in 0..stage.chance.between(2, 5) {
            let path = stage.export(EHR);
            stage.tape.touch(
                at,
                &seat,
                Touch::new(Action::List, Class::Export, path, program).from("/usr/sbin/cron"),
            );
            at = seconds(at, stage.chance.between(1, 4));
        }
    }
    Some(())
}

/// The glass is opened for a dead server at night, used for just that, and acknowledged in the morning.
pub(super) fn break_glass_used_well(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?.id;
    let case = stage
        .innocent("break_glass_used_well", "the glass is opened for the records' server and used for it");
    stage.tape.mark(Some(&case.key));
    let from = stage.between(day, 1250, 1410);
    let id = stage.break_glass(&admin.id, "the health records do not start, patients are waiting", from, 4);
    let (seat, root) = stage.root_session(minutes(from, 4), EHR, &admin, true);
    let n = stage.chance.between(2, 5);
    let end = stage.system_work(minutes(from, 6), &root, n);
    stage.tape.logout(end, &seat);
    let morning = stage.between(later(day, 1), 480, 560);
    let body = json!({"step": "acknowledged", "id": id, "by": manager, "proof": "passphrase"});
    stage.tape.act(morning, "act_break_glass", body);
    Some(())
}

/// A ticket is approved, the fault mends itself, and nobody goes in.
pub(super) fn unused_ticket(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let owner = stage.one(STAFF, day, &[])?;
    let case = stage.innocent("unused_ticket", "a ticket is approved and not needed");
    let from = stage.between(day, 600, 900);
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class: "mailbox",
        scope: json!({ "owner": owner.id }),
        from,
        to: minutes(from, 240),
        reason: "a message does not arrive",
    };
    stage.tape.mark(Some(&case.key));
    stage.proper_ticket(&wanted)?;
    // What there is to see: a look at the system, which needs no ticket.
    let (seat, root) = stage.root_session(minutes(from, 10), MAIL, &admin, false);
    let end = stage.system_work(minutes(from, 12), &root, 1);
    stage.tape.logout(end, &seat);
    Some(())
}
