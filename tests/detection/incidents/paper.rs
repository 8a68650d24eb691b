//! Incidents with a paper that looks right: tickets for something else, for everything, by oneself, too late.

use jiff::civil::Date;
use serde_json::json;

use crate::detection::calendar::{later, minutes, seconds};
use crate::detection::cast::{EHR, MAIL, Role};
use crate::detection::stage::{Stage, Wanted};

const OTHERS: &[Role] = &[Role::Physician, Role::Nurse, Role::FrontDesk, Role::Billing];

/// A ticket for one person's mailbox, and the manager's is read under it at noon.
pub(super) fn managers_mailbox_noon(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?;
    let other = stage.one(OTHERS, day, &[])?;
    let from = stage.between(day, 660, 700);
    let (class, scope) = match stage.chance.between(0, 3) {
        0 => ("backup", json!({ "host": MAIL })),
        1 => ("ehr", json!("everything")),
        _ => ("mailbox", json!({ "owner": other.id })),
    };
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class,
        scope,
        from,
        to: minutes(from, 240),
        reason: "mail does not arrive",
    };
    let case = stage.incident(
        "managers_mailbox_noon",
        &format!("{} reads the manager's mailbox at noon under a ticket for something else", admin.name),
    );
    stage.tape.mark(Some(&case.context));
    stage.proper_ticket(&wanted)?;
    let at = stage.between(day, 720, 760);
    let (seat, root) = stage.root_session(at, MAIL, &admin, false);
    let mut at = minutes(at, 2);
    if class == "mailbox" {
        at = stage.read_mail(at, &root, &other.user, 3, "/usr/bin/less");
    }
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(2, 14);
    let exe = stage.chance.word(&["/usr/bin/less", "/usr/bin/grep", "/usr/bin/cat"]);
    let at = stage.read_mail(at, &root, &manager.user, n, exe);
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// A ticket over 72 hours and every mailbox or export, and all of it is used.
pub(super) fn broad_ticket(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let from = stage.between(day, 540, 600);
    let is_mail = stage.chance.happens(600);
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class: if is_mail { "mailbox" } else { "export" },
        scope: json!("everything"),
        from,
        to: minutes(from, 72 * 60),
        reason: "general clean-up",
    };
    let case = stage.incident(
        "broad_ticket",
        &format!(
            "{} goes through everybody's files under a ticket for everything and three days",
            admin.name
        ),
    );
    stage.tape.mark(Some(&case.context));
    stage.proper_ticket(&wanted)?;
    let evening = later(day, stage.chance.between(0, 1));
    let (host, start) = (if is_mail { MAIL } else { EHR }, stage.between(evening, 1150, 1380));
    let (seat, root) = stage.root_session(start, host, &admin, true);
    stage.tape.mark(Some(&case.key));
    let mut at = minutes(start, 3);
    if is_mail {
        let staff: Vec<_> = OTHERS.iter().flat_map(|role| stage.cast.with(*role, day)).collect();
        for of in staff.iter().take(10) {
            let n = stage.chance.between(3, 12);
            at = stage.read_mail(at, &root, &of.user, n, "/usr/bin/grep");
        }
    } else {
        let n = stage.chance.between(60, 140);
        at = stage.read_exports(at, &root, n, "/usr/bin/cp", "/usr/bin/bash");
    }
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, evening);
    Some(())
}

/// Asked for and approved by the same person.
pub(super) fn self_approved_ticket(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let from = stage.between(day, 560, 900);
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class: "export",
        scope: json!("everything"),
        from,
        to: minutes(from, 240),
        reason: "check an export",
    };
    let case = stage.incident(
        "self_approved_ticket",
        &format!("{} reads exports under a ticket approved by the one it is for", admin.name),
    );
    stage.tape.mark(Some(&case.context));
    let own = admin.id.clone();
    stage.ticket(&wanted, minutes(from, -30), &[(&own, minutes(from, -25))]);
    let at = minutes(from, 10);
    let (seat, root) = stage.root_session(at, EHR, &admin, false);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(3, 20);
    let at = stage.read_exports(minutes(at, 2), &root, n, "/usr/bin/less", "/usr/bin/bash");
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    stage.need(&admin.id, day);
    Some(())
}

/// First the access, then the ticket that would have covered it.
pub(super) fn late_ticket(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let (manager, reviewer) = (stage.manager()?.id, stage.reviewer()?.id);
    let other = stage.one(OTHERS, day, &[])?;
    let is_mail = stage.chance.happens(500);
    let start = stage.between(day, 560, 840);
    let case = stage.incident(
        "late_ticket",
        &format!("{} goes in first and asks for the ticket hours later", admin.name),
    );
    stage.tape.mark(Some(&case.context));
    let host = if is_mail { MAIL } else { EHR };
    let (seat, root) = stage.root_session(start, host, &admin, false);
    stage.tape.mark(Some(&case.key));
    let n = stage.chance.between(3, 25);
    let at = match is_mail {
        true => stage.read_mail(minutes(start, 2), &root, &other.user, n, "/usr/bin/less"),
        false => stage.read_exports(minutes(start, 2), &root, n, "/usr/bin/less", "/usr/bin/bash"),
    };
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(at, &seat);
    let wanted = Wanted {
        kind: "ticket",
        assignee: &admin.id,
        class: if is_mail { "mailbox" } else { "export" },
        scope: json!("everything"),
        from: minutes(start, -10),
        to: minutes(start, 230),
        reason: "was urgent",
    };
    let asked = minutes(at, 90);
    stage.ticket(&wanted, asked, &[(&manager, minutes(asked, 20)), (&reviewer, minutes(asked, 35))]);
    stage.need(&admin.id, day);
    Some(())
}

/// Break-glass for one thing, used for another.
pub(super) fn break_glass_misuse(stage: &mut Stage, day: Date) -> Option<()> {
    let admin = stage.admin(day)?;
    let manager = stage.manager()?;
    let other = stage.one(&[Role::Physician], day, &[])?;
    let start = stage.between(day, 1140, 1380);
    let reason =
        stage.chance.word(&["the printer at the front desk is stuck", "the telephone system is down"]);
    let case = stage.incident(
        "break_glass_misuse",
        &format!("{} opens the glass for a printer and reads what has nothing to do with it", admin.name),
    );
    stage.tape.mark(Some(&case.context));
    stage.break_glass(&admin.id, reason, start, 4);
    let way = stage.chance.between(0, 2);
    let host = if way == 2 { EHR } else { MAIL };
    let (seat, root) = stage.root_session(minutes(start, 5), host, &admin, true);
    stage.tape.mark(Some(&case.key));
    let at = minutes(start, 8);
    let at = match way {
        0 => stage.read_mail(at, &root, &manager.user, 6, "/usr/bin/less"),
        1 => stage.read_mail(at, &root, &other.user, 30, "/usr/bin/grep"),
        _ => stage.read_exports(at, &root, 80, "/usr/bin/cp", "/usr/bin/bash"),
    };
    stage.tape.mark(Some(&case.context));
    stage.tape.logout(seconds(at, 30), &seat);
    stage.need(&admin.id, day);
    Some(())
}
