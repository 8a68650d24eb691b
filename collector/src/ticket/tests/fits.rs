//! Which access which ticket explains.

use expect_test::{Expect, expect};
use serde_json::json;

use super::super::*;
use super::{asked, at, roster, sign, terms};

#[track_caller]
fn fits(book: &Tickets, person: &str, area: Area, host: &str, owner: &str, time: &str, expected: Expect) {
    let roster = roster();
    let person = roster.person(person).unwrap();
    let need = Need { person, roster: &roster, area, owners: [Some(owner), None], host, at: Some(at(time)) };
    let fits: Vec<String> =
        book.of(person, &roster).map(|ticket| format!("{:?}", ticket.fit(need, &terms()))).collect();
    expected.assert_eq(&fits.join(", "));
}

// TK-1.
#[test]
fn a_ticket_explains_what_came_after_its_approval_and_before_its_end() {
    let mut book = asked(json!({}));
    fits(&book, "northwind", Area::Export, "srv-01", "", "15:00", expect![[r#""#]]);
    sign(&mut book, "mary", "14:30");
    fits(
        &book,
        "northwind",
        Area::Export,
        "srv-01",
        "",
        "14:29",
        expect![[r#"ButFor("it was approved only after the access")"#]],
    );
    fits(&book, "northwind", Area::Export, "srv-01", "", "14:31", expect!["Covers"]);
    fits(&book, "northwind", Area::Login, "srv-01", "", "14:31", expect!["Covers"]);
    fits(&book, "northwind", Area::Hr, "srv-01", "", "14:31", expect!["Elsewhere"]);
    fits(&book, "northwind", Area::Export, "srv-01", "", "18:01", expect!["Elsewhere"]);
    fits(&book, "sam", Area::Export, "srv-01", "", "14:31", expect![[r#""#]]);
    let close = json!({"step": "closed", "id": "T-1", "by": "mary"});
    book.apply(at("15:00"), "act_ticket", &close).unwrap();
    fits(&book, "northwind", Area::Export, "srv-01", "", "15:00", expect!["Covers"]);
    fits(&book, "northwind", Area::Export, "srv-01", "", "15:01", expect!["Elsewhere"]);
}

// TK-1.
#[test]
fn an_approval_by_the_assignees_own_side_explains_nothing() {
    // Acts that no `approve` let through: the book takes them, the fit does not.
    let mut book = asked(json!({}));
    sign(&mut book, "tess", "14:01");
    fits(
        &book,
        "northwind",
        Area::Export,
        "srv-01",
        "",
        "14:31",
        expect![[r#"ButFor("it was approved by the person it was for")"#]],
    );
    let mut book = asked(json!({"for": "role:itadmin", "kind": "maintenance", "host": "srv-01"}));
    sign(&mut book, "northwind", "14:01");
    fits(
        &book,
        "tess",
        Area::Export,
        "srv-01",
        "",
        "14:31",
        expect![[r#"ButFor("it was approved by the person it was for")"#]],
    );
}

#[test]
fn a_maintenance_window_is_for_its_machine_and_its_role() {
    let mut book =
        asked(json!({"for": "role:itadmin", "kind": "maintenance", "host": "srv-01", "class": "system"}));
    sign(&mut book, "mary", "14:01");
    fits(&book, "tess", Area::System, "srv-01", "", "14:31", expect!["Covers"]);
    fits(&book, "tess", Area::System, "ws-01", "", "14:31", expect!["Elsewhere"]);
    fits(&book, "mary", Area::System, "srv-01", "", "14:31", expect![[r#""#]]);
}

#[test]
fn a_mailbox_ticket_holds_from_the_second_approval() {
    let mut book = asked(json!({"class": "mailbox", "owner": "sam"}));
    sign(&mut book, "mary", "14:05");
    fits(
        &book,
        "northwind",
        Area::Mailbox,
        "srv-01",
        "sam",
        "14:31",
        expect![[r#"ButFor("a ticket for a mailbox needs the approval of a second person")"#]],
    );
    sign(&mut book, "drchen", "14:30");
    fits(
        &book,
        "northwind",
        Area::Mailbox,
        "srv-01",
        "sam",
        "14:29",
        expect![[r#"ButFor("it was approved only after the access")"#]],
    );
    fits(&book, "northwind", Area::Mailbox, "srv-01", "sam", "14:31", expect!["Covers"]);
    fits(&book, "northwind", Area::Mailbox, "srv-01", "mary", "14:31", expect!["Elsewhere"]);
}

#[test]
fn on_call_explains_logins_raised_rights_and_its_class() {
    let mut book = asked(json!({"kind": "on_call", "class": "backup", "to": "2026-11-29T14:00"}));
    sign(&mut book, "mary", "14:05");
    for area in [Area::Login, Area::Elevation, Area::Backup] {
        fits(&book, "northwind", area, "srv-01", "", "23:00", expect!["Covers"]);
    }
    fits(&book, "northwind", Area::Ehr, "srv-01", "", "23:00", expect!["Elsewhere"]);
}
