//! Spreadsheets as people save them, and everything that was written read back.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const IN_FORCE: &str = r#"
[[person]]
id = "mary"
name = "Mary Lopez"
roles = ["manager"]
notice_given = "2026-11-01"
[[person]]
id = "sam"
name = "Sam Ortiz"
roles = ["frontdesk"]
[[organisation]]
id = "northwind"
name = "Northwind IT"
roles = ["itadmin"]
remote_tools = ["AnyDesk"]
[[account]]
person = "mary"
user = "mlopez"
known_to = ["northwind"]
confirmed_on = "2026-10-01"
[[leave]]
person = "sam"
on = "2026-12-01"
[[machine]]
name = "ws-01"
"#;

#[track_caller]
fn check(csv: &str, expected: Expect) {
    let said = match merge(csv, IN_FORCE) {
        Ok(text) => text,
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&said);
}

#[test]
fn a_spreadsheet_replaces_people_accounts_and_keys_and_keeps_the_rest() {
    check(
        "user,person,name,roles\r\nmlopez,mary,Mary Lopez,manager\r\nbill,mary,,\r\n,sam,Sam Ortiz,frontdesk;billing\r\nadm,northwind,,\r\ndesk,sam;mary,,\r\n",
        expect![[r#"
            [[person]]
            id = "mary"
            name = "Mary Lopez"
            roles = ["manager"]
            notice_given = "2026-11-01"

            [[person]]
            id = "sam"
            name = "Sam Ortiz"
            roles = ["frontdesk", "billing"]

            [[account]]
            person = "mary"
            user = "mlopez"
            known_to = ["northwind"]
            confirmed_on = "2026-10-01"

            [[account]]
            person = "mary"
            user = "bill"

            [[account]]
            person = "northwind"
            user = "adm"

            [[account]]
            shared_by = ["sam", "mary"]
            user = "desk"

            [[leave]]
            on = "2026-12-01"
            person = "sam"

            [[machine]]
            name = "ws-01"

            [[organisation]]
            id = "northwind"
            name = "Northwind IT"
            remote_tools = ["AnyDesk"]
            roles = ["itadmin"]
        "#]],
    );
}

#[test]
fn semicolons_a_mark_of_utf8_and_other_orders_of_columns_are_taken() {
    let csv =
        "\u{feff}roles;name;person\r\n\"manager;billing\";Mary López;mary\r\nfrontdesk;Sam;sam\r\n;;\r\n";
    let text = merge(csv, IN_FORCE).unwrap();
    let roster = Roster::parse(&text).unwrap();
    let mary = roster.person("mary").unwrap();
    assert_eq!((mary.name.as_str(), mary.roles.len()), ("Mary López", 2));
}

#[test]
fn every_fault_has_its_line_and_column() {
    check(
        "person,name,roles,email,leave_date,host,uid,user,ssh_key,kind\n\
         mary,Mary Lopez,manager,nowhere,30.11.2026,,,,MD5:1,\n\
         mary,Mary L.,,,,ws-01,1001x,,,\n\
         ,Zoe,billing,,,,,,,\n\
         sam,Sam,,,,,,,,firm\n\
         bea,,billing,,,ws-01,,,,\n\
         bea;mary,B,,,,,,,SHA256:x,\n",
        expect![[r#"
            the spreadsheet has 8 things to mend:
            - line 3, column name: `Mary L.` is not what line 2 says of `mary`; correct one, or leave this empty
            - line 3, column uid: `1001x` is not a whole number such as 1001
            - line 4, column person: is empty; it says whose row this is
            - line 5, column kind: `firm` is none of person, organisation
            - line 6, column host: the row names no account; fill one of uid, user, sid, upn, ehr_user
            - line 7, column name: must be empty in the row of a shared account
            - line 7, column person: names several people, but the row names no account that they share
            - line 7, column ssh_key: a key has one holder, this row names several"#]],
    );
    check(
        "person,name,roles,email,uid\nmary,Mary,manager,nowhere,\nzoe,Zoe,,,1001\n",
        expect![[r#"
        the spreadsheet has 4 things to mend:
        - line 2, column email: is not a mail address
        - line 3, column roles: is empty; without a role no row of the table applies
        - line 3, column uid: needs a host, because a uid means another account on each machine
        - leave[0].person (line 19): nobody in the roster has the id `sam` (outside the spreadsheet: in the roster in force, which this import keeps)"#]],
    );
    check(
        "persno,name,name\nmary,Mary,x\n",
        expect![[r#"
        the spreadsheet has 2 things to mend:
        - line 1: `persno` is none of the columns person, name, roles, organisation, email, employed_from, contract_until, leave_date, host, uid, user, sid, upn, ehr_user, ssh_key, kind, notice_given, remote_tools, known_to, confirmed_on
        - line 1: the column name is there twice"#]],
    );
    check(
        "name\nMary\n",
        expect![[r#"
        the spreadsheet has 1 thing to mend:
        - line 1: there is no column person; the first row names the columns"#]],
    );
    check(
        "",
        expect![[r#"
        the spreadsheet has 1 thing to mend:
        - line 1: is empty; the first row names the columns"#]],
    );
    check(
        "person,name,roles\nmary,Mary,manager,too many\n",
        expect![[r#"
        the spreadsheet has 1 thing to mend:
        - line 2: has 4 cells, but the first row names 3 columns"#]],
    );
}

#[test]
fn other_encodings_are_named_with_the_line() {
    let windows = b"person,name,roles\nmary,Mary L\xf3pez,manager\n";
    expect!["the spreadsheet is not UTF-8 text (line 2 holds a letter in an older encoding); save it anew as “CSV UTF-8”"].assert_eq(&text_of(windows).unwrap_err().to_string());
    let utf16: Vec<u8> = [0xff, 0xfe, b'p', 0].to_vec();
    expect!["the spreadsheet is not UTF-8 text (it is UTF-16); save it anew as “CSV UTF-8”"]
        .assert_eq(&text_of(&utf16).unwrap_err().to_string());
}

#[test]
fn no_written_cell_is_a_formula() {
    let text = r#"
        [[person]]
        id = "mary"
        name = "=HYPERLINK(\"http://x\")"
        roles = ["+1", "-2"]
        [[account]]
        person = "mary"
        user = "@SUM(A1)"
    "#;
    let roster = Roster::parse(text).unwrap();
    let csv = write(&roster);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    for record in reader.records() {
        assert!(record.unwrap().iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{csv}");
    }
    let back = Roster::parse(&merge(&csv, text).unwrap()).unwrap();
    assert_eq!(sorted(&back), sorted(&roster));
}

#[test]
fn what_is_written_is_read_back_with_nothing_lost() {
    let example = include_str!("../../../templates/roster-example.toml");
    for text in [example, IN_FORCE] {
        let roster = Roster::parse(text).unwrap();
        let back = Roster::parse(&merge(&write(&roster), text).unwrap()).unwrap();
        assert_eq!(sorted(&back), sorted(&roster));
        assert_eq!(
            (back.jobs(), back.leave(), back.machines()),
            (roster.jobs(), roster.leave(), roster.machines())
        );
    }
}

/// Everything that a spreadsheet holds, in an order that does not depend on rows.
fn sorted(roster: &Roster) -> (Vec<String>, Vec<String>, Vec<String>) {
    fn debug<T: std::fmt::Debug>(items: &[T]) -> Vec<String> {
        let mut lines: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
        lines.sort();
        lines
    }
    (debug(roster.persons()), debug(roster.accounts()), debug(roster.keys()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_names_survive_the_spreadsheet(
        people in prop::collection::vec(("[ -~äß\n'=+@;,\"]{0,12}", prop::collection::vec("[a-z=+@'-]{1,6}", 1..3), any::<bool>()), 1..5),
        users in prop::collection::vec(("[!-~ü\"',]{1,8}", prop::option::of(0u32..9), any::<bool>()), 0..6),
    ) {
        let mut text = String::new();
        for (position, (name, roles, is_organisation)) in people.iter().enumerate() {
            let kind = if *is_organisation { "organisation" } else { "person" };
            let name = toml::Value::from(format!("N{}", name.trim()));
            let roles = toml::Value::from(roles.clone());
            text.push_str(&format!("[[{kind}]]\nid = \"p{position}\"\nname = {name}\nroles = {roles}\n"));
        }
        for (position, (user, uid, is_shared)) in users.iter().enumerate() {
            let user = toml::Value::from(format!("{user}{position}"));
            text.push_str(&format!("[[account]]\nuser = {user}\nhost = \"h{position}\"\n"));
            text.push_str(&uid.map(|uid| format!("uid = {uid}\n")).unwrap_or_default());
            let is_shared = *is_shared && people.len() > 1;
            text.push_str(if is_shared { "shared_by = [\"p0\", \"p1\"]\n" } else { "person = \"p0\"\n" });
        }
        let roster = Roster::parse(&text).unwrap();
        let back = Roster::parse(&merge(&write(&roster), &text).unwrap()).unwrap();
        prop_assert_eq!(sorted(&back), sorted(&roster));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = text_of(&bytes) {
            let _ = merge(&text, IN_FORCE);
        }
    }

    #[test]
    fn no_rows_make_reading_panic(rows in "(person|name|roles|uid|host|user|kind|;|,|\n|\"|mary|sam|1001|'=|x){0,60}") {
        let _ = merge(&rows, IN_FORCE);
    }
}
