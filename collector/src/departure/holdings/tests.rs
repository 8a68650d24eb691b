//! Lists of departures: people, firms, and what machines add.

use super::*;
use expect_test::{Expect, expect};

const TEXT: &str = r#"
    [[organisation]]
    id = "northwind"
    name = "Northwind IT"
    roles = ["itadmin"]
    remote_tools = ["AnyDesk"]
    [[person]]
    id = "bea"
    name = "Bea Novak"
    roles = ["billing"]
    email = "bea@maplestreet.example"
    leave_date = "2026-12-01"
    [[person]]
    id = "sam"
    name = "Sam Ortiz"
    roles = ["frontdesk"]
    [[account]]
    person = "bea"
    user = "billing1"
    host = "ws-02"
    uid = 1003
    [[account]]
    shared_by = ["bea", "sam"]
    user = "desk"
    [[account]]
    person = "sam"
    upn = "sam@maplestreet.example"
    known_to = ["northwind"]
    [[account]]
    person = "northwind"
    user = "itadmin1"
    [[ssh_key]]
    person = "northwind"
    fingerprint = "SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0"
    [[cover]]
    person = "bea"
    covers = "sam"
    from = "2026-11-02"
    to = "2026-11-06"
    [[cover]]
    person = "sam"
    covers = "bea"
    from = "2026-11-30"
    to = "2026-12-06"
    [[job]]
    id = "statements"
    name = "the statements run"
    program = "/usr/bin/statements"
    host = "ws-02"
    uid = 1003
    classes = ["export"]
"#;

#[track_caller]
fn check(person: &str, inventory: Option<&Inventory>, expected: Expect) {
    let roster = Roster::parse(TEXT).unwrap();
    let steps = checklist(&roster, person, inventory);
    let lines: Vec<_> =
        steps.iter().map(|step| format!("{}: {}. {}", step.id, step.what, step.why)).collect();
    expected.assert_eq(&lines.join("\n"));
    for word in crate::finding::wording::ACCUSING_WORDS {
        assert!(lines.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
    }
}

#[test]
fn a_person_of_the_practice_leaves_from_the_outside_inwards() {
    check(
        "bea",
        None,
        expect![[r#"
        sessions: End every open session of Bea Novak. An open session goes on after a password is changed.
        admin-groups: Take the accounts of Bea Novak out of administrator groups and sudoers. With an administrator’s rights a closed account can be opened again.
        account/billing1@ws-02: Close the account billing1 (uid 1003) on ws-02. The roster says that they hold it.
        mail: Close the mailbox of Bea Novak, look for forwards and delegates, sign out phones. Mail goes on arriving, and a forward or a phone goes on reading it.
        password/desk: Change the password of desk. The roster says that they know it.
        job/statements: Give the statements run on ws-02 an account of its own. It runs as an account of theirs and stops when that is closed.
        cover/sam-bea-2026-11-30: End the cover of Bea Novak by Sam Ortiz from 2026-11-30 to 2026-12-06. It lends roles until its last day.
        contract: Tell firms that know Bea Novak as a contact: software, laboratory, bank, insurer. They give out access to whom they know.
        keys-and-phone: Take back door keys, cards, phone, laptop and papers from Bea Novak. Whoever stands in the room needs no account."#]],
    );
}

#[test]
fn a_vendor_leaves_with_its_remote_tool_first() {
    check(
        "northwind",
        None,
        expect![[r#"
        sessions: End every open session of Northwind IT. An open session goes on after a password is changed.
        remote-tool/anydesk: Remove AnyDesk or its access rights from every computer. It reaches a computer from outside without an account there.
        admin-groups: Take the accounts of Northwind IT out of administrator groups and sudoers. With an administrator’s rights a closed account can be opened again.
        account/itadmin1: Close the account itadmin1. The roster says that they hold it.
        key/univztkscsdh: Remove the SSH key SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0 from every authorized_keys file. A key opens an account without its password, also accounts of others.
        password/sam@maplestreet.example: Change the password of sam@maplestreet.example. The roster says that they know it.
        contract: Settle the end of the contract with Northwind IT, with the return of data and passwords in writing. What they still hold afterwards is then theirs to give back.
        keys-and-phone: Take back door keys, cards and equipment from Northwind IT and tell the building and the telephone company. Whoever stands in the room needs no account."#]],
    );
}

#[test]
fn inventories_of_machines_add_what_the_roster_does_not_know() {
    let mut inventory = Inventory::default();
    let event = r#"{"kind":"inventory","time":"2026-11-20T08:00:00Z","admin_groups":[{"group":"wheel","members":["ITADMIN1"]}],
        "services":[{"name":"backup agent","runs_as":"itadmin1"},{"name":"web","runs_as":"www"}],"remote_tools":["TeamViewer"]}"#;
    inventory.observe("ws-01", &serde_json::from_str(event).unwrap());
    check(
        "northwind",
        Some(&inventory),
        expect![[r#"
        sessions: End every open session of Northwind IT. An open session goes on after a password is changed.
        remote-tool/anydesk: Remove AnyDesk or its access rights from every computer. It reaches a computer from outside without an account there.
        machine/ws-01/admingroups/wheel: Take their account out of wheel on ws-01. The machine’s own inventory names it.
        account/itadmin1: Close the account itadmin1. The roster says that they hold it.
        key/univztkscsdh: Remove the SSH key SHA256:uNiVztksCsDhcc0u9e8BrqXVGHQ8k2bhBLXDbLX3Gx0 from every authorized_keys file. A key opens an account without its password, also accounts of others.
        password/sam@maplestreet.example: Change the password of sam@maplestreet.example. The roster says that they know it.
        machine/ws-01/jobs/backup-agent: Give backup agent on ws-01 an account of its own, or stop it. The machine’s own inventory names it.
        contract: Settle the end of the contract with Northwind IT, with the return of data and passwords in writing. What they still hold afterwards is then theirs to give back.
        keys-and-phone: Take back door keys, cards and equipment from Northwind IT and tell the building and the telephone company. Whoever stands in the room needs no account."#]],
    );
    check(
        "sam",
        Some(&inventory),
        expect![[r#"
        sessions: End every open session of Sam Ortiz. An open session goes on after a password is changed.
        machine/ws-01/remotetools/teamviewer: Ask whether Sam Ortiz knows how to reach TeamViewer on ws-01. The machine’s own inventory lists it.
        account/sam@maplestreet.example: Close the account sam@maplestreet.example. The roster says that they hold it.
        mail: Close the mailbox of Sam Ortiz, look for forwards and delegates, sign out phones. Mail goes on arriving, and a forward or a phone goes on reading it.
        password/desk: Change the password of desk. The roster says that they know it.
        cover/bea-sam-2026-11-02: End the cover of Sam Ortiz by Bea Novak from 2026-11-02 to 2026-11-06. It lends roles until its last day.
        cover/sam-bea-2026-11-30: End the cover of Bea Novak by Sam Ortiz from 2026-11-30 to 2026-12-06. It lends roles until its last day.
        contract: Tell firms that know Sam Ortiz as a contact: software, laboratory, bank, insurer. They give out access to whom they know.
        keys-and-phone: Take back door keys, cards, phone, laptop and papers from Sam Ortiz. Whoever stands in the room needs no account."#]],
    );
}

#[test]
fn nobody_has_no_list() {
    check("zoe", None, expect![[""]]);
}
