//! Which findings are one item: told as tables, and the same whatever the order.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::finding::wording::tests::accuses_nobody;

fn zone() -> TimeZone {
    TimeZone::get("America/New_York").unwrap()
}

/// `ID TIME WHO AREA[/OWNER] HOST SESSION OUTCOME SEVERITY N`, `-` for nothing.
fn finding(line: &str) -> Finding {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, time, who, asset, host, session, outcome, severity, n] = words[..] else { panic!("{line}") };
    let (area, owner) = asset.split_once('/').map_or((asset, None), |(area, owner)| (area, Some(owner)));
    let time = if time == "-" { serde_json::Value::Null } else { time.into() };
    let label = owner.map_or(format!("the {area} on {host}"), |owner| format!("the {area} of {owner}"));
    let n = n.parse::<u64>().unwrap();
    let mut json = serde_json::json!({
        "id": id, "outcome": outcome, "author": format!("agent/{host}"), "host": host, "first_number": 7,
        "last_number": 9, "numbers": [7], "n_entries": 1, "n_accesses": n, "first_time": time, "last_time": time,
        "is_verified": who != "typed", "asset": {"area": area, "owner": owner, "label": label},
        "session": session.parse::<u64>().ok(), "way": {},
        "deeds": [{"action": "read", "outcome": "success", "count": n}], "reasons": [], "innocent_causes": [],
        "severity": severity, "recorded": false, "policy_hash": "", "roster_version": "",
    });
    match who {
        "typed" | "nobody" => {}
        _ if who.starts_with("uid") => json["account"] = who.into(),
        _ => {
            json["person"] = who.into();
            json["account"] = format!("{who}1").into();
            json["holder"] = who.into();
        }
    }
    if matches!(area, "login" | "elevation") {
        json["deeds"] = serde_json::json!([{"outcome": "success", "count": 1}]);
    }
    serde_json::from_value(json).unwrap()
}

fn told(findings: &[Finding]) -> String {
    let line = |incident: &Incident| {
        let flood = if incident.is_flood { format!(" flood of {}", incident.grouped) } else { String::new() };
        format!(
            "{} {:?} {:?}{flood} [{}] {} accesses, {} days\n  {}\n",
            incident.id,
            incident.severity,
            incident.outcome,
            incident.findings.join(" "),
            incident.n_accesses,
            incident.days.len(),
            incident.headline
        )
    };
    incidents(findings, &zone()).iter().map(line).collect()
}

#[track_caller]
fn check(lines: &str, expected: Expect) {
    let findings: Vec<Finding> =
        lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(finding).collect();
    let said = told(&findings);
    accuses_nobody(&said);
    let reversed: Vec<Finding> = findings.iter().rev().cloned().collect();
    assert_eq!(told(&reversed), said, "the order does not matter");
    expected.assert_eq(&said);
}

#[test]
fn from_login_to_deletion_is_one_story() {
    check(
        "a 2026-11-18T02:00:00Z it login ws-01 - unexplained low 1
         b 2026-11-18T02:05:00Z it elevation ws-01 5 unexplained low 1
         c 2026-11-18T02:06:00Z it mailbox/drchen ws-01 5 unexplained normal 40
         d 2026-11-18T04:50:00Z it export ws-01 5 unexplained normal 3",
        expect![[r#"
            c Normal Unexplained [a b c d] 45 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-01 by account it1 (held by it). Close to it in time: the login on ws-01, the elevation on ws-01 and the export on ws-01.
        "#]],
    );
}

#[test]
fn a_slow_drip_is_one_item_that_counts_its_days() {
    check(
        "a 2026-03-03T15:00:00Z it mailbox/drchen ws-01 5 unexplained normal 1
         b 2026-03-05T15:00:00Z it mailbox/drchen ws-01 9 unexplained normal 1
         c 2026-03-12T14:00:00Z it mailbox/drchen ws-02 5 unexplained normal 2
         x 2026-03-12T14:10:00Z it login ws-02 - unexplained low 1
         y 2026-03-30T14:10:00Z it mailbox/drchen ws-02 8 unexplained normal 1
         z 2026-03-12T14:00:00Z sam mailbox/drchen ws-02 77 unexplained normal 2",
        expect![[r#"
            a Normal Unexplained [a b c x] 5 accesses, 3 days
              The mailbox of drchen was opened for reading on ws-01 by account it1 (held by it). This happened on 3 days since 3 March, 4 accesses in all. Close to it in time: the login on ws-02.
            z Normal Unexplained [z] 2 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-02 by account sam1 (held by sam).
            y Normal Unexplained [y] 1 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-02 by account it1 (held by it).
        "#]],
    );
}

#[test]
fn nevers_of_different_assets_stay_apart_unless_one_session_did_both() {
    check(
        "a 2026-11-18T15:00:00Z it managers_mailbox/manager ws-01 5 never high 1
         b 2026-11-18T15:10:00Z it hr ws-01 6 never high 1
         c 2026-11-18T15:12:00Z it login ws-01 - unexplained low 1
         d 2026-11-19T15:00:00Z sam managers_mailbox/manager ws-01 8 never high 1
         e 2026-11-19T15:10:00Z sam hr ws-01 8 never high 1",
        expect![[r#"
            b High Never [b c] 2 accesses, 1 days
              The hr on ws-01 was opened for reading on ws-01 by account it1 (held by it). Close to it in time: the login on ws-01.
            d High Never [d e] 2 accesses, 1 days
              The managers_mailbox of manager was opened for reading on ws-01 by account sam1 (held by sam). Close to it in time: the hr on ws-01.
            a High Never [a] 1 accesses, 1 days
              The managers_mailbox of manager was opened for reading on ws-01 by account it1 (held by it).
        "#]],
    );
}

#[test]
fn logins_of_each_day_do_not_chain_other_stories_together() {
    check(
        "a 2026-11-16T02:00:00Z it login ws-01 - unexplained low 1
         b 2026-11-16T02:05:00Z it mailbox/drchen ws-01 5 unexplained normal 4
         c 2026-11-17T02:00:00Z it login ws-01 - unexplained low 1
         d 2026-11-17T02:05:00Z it export ws-01 6 unexplained normal 4
         e 2026-11-18T02:00:00Z it login ws-01 - unexplained low 1
         f 2026-11-19T02:00:00Z it login ws-01 - unexplained low 1",
        expect![[r#"
            b Normal Unexplained [a b] 5 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-01 by account it1 (held by it). Close to it in time: the login on ws-01.
            d Normal Unexplained [c d] 5 accesses, 1 days
              The export on ws-01 was opened for reading on ws-01 by account it1 (held by it). Close to it in time: the login on ws-01.
            e Low Unexplained [e f] 2 accesses, 2 days
              A login to ws-01 with account it1 (held by it) succeeded. This happened on 2 days since 17 November, 2 accesses in all.
        "#]],
    );
}

#[test]
fn a_flood_is_one_item_and_buries_nothing_grave() {
    let mut lines = String::new();
    for n in 0..12 {
        lines.push_str(&format!(
            "f{n:02} 2026-11-18T{n:02}:00:00Z it mailbox/owner{n:02} ws-01 {n} unexplained low 3\n"
        ));
    }
    lines.push_str("big 2026-11-18T13:00:00Z it managers_mailbox/manager ws-01 90 never high 1\n");
    lines.push_str("bit 2026-11-18T15:00:00Z it export ws-01 91 unexplained normal 1\n");
    lines.push_str("oth 2026-11-18T15:00:00Z sam export ws-01 92 unexplained normal 1\n");
    check(
        &lines,
        expect![[r#"
        big High Never [big] 1 accesses, 1 days
          The managers_mailbox of manager was opened for reading on ws-01 by account it1 (held by it).
        oth Normal Unexplained [oth] 1 accesses, 1 days
          The export on ws-01 was opened for reading on ws-01 by account sam1 (held by sam).
        bit Normal Unexplained flood of 13 [f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 bit] 37 accesses, 2 days
          It: 13 separate questions in the week of 16 November, shown as one because they are so many: the export on ws-01 once, the mailbox of owner00 once, the mailbox of owner01 once, the mailbox of owner02 once, the mailbox of owner03 once and 8 more.
    "#]],
    );
}

#[test]
fn what_names_nobody_is_told_apart_by_machine_and_asset() {
    check(
        "a 2026-11-18T02:00:00Z nobody mailbox/drchen ws-01 - unexplained normal 5
         b 2026-11-18T02:05:00Z nobody mailbox/mary ws-01 - unexplained normal 5
         c 2026-11-18T02:07:00Z nobody mailbox/drchen ws-02 - unexplained normal 5
         d 2026-11-19T02:07:00Z nobody mailbox/drchen ws-02 - unexplained normal 5
         e 2026-11-18T02:07:00Z uid1044 mailbox/drchen ws-02 4 unexplained normal 5
         f 2026-11-18T02:07:00Z typed login ws-02 - unexplained low 90
         g - it mailbox/drchen ws-01 5 unexplained normal 5",
        expect![[r#"
            c Normal Unexplained [c d] 10 accesses, 2 days
              The mailbox of drchen was opened for reading on ws-02 by an account that the record does not name. This happened on 2 days since 17 November, 10 accesses in all.
            g Normal Unexplained [g] 5 accesses, 0 days
              The mailbox of drchen was opened for reading on ws-01 by account it1 (held by it).
            a Normal Unexplained [a] 5 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-01 by an account that the record does not name.
            b Normal Unexplained [b] 5 accesses, 1 days
              The mailbox of mary was opened for reading on ws-01 by an account that the record does not name.
            e Normal Unexplained [e] 5 accesses, 1 days
              The mailbox of drchen was opened for reading on ws-02 by account uid1044, which is not in the roster.
            f Low Unexplained [f] 90 accesses, 1 days
              90 logins to ws-02 with names that are not in the roster were refused.
        "#]],
    );
}

/// Minute, who, asset, host, session, weight.
type Made = (u32, usize, usize, u8, u8, u8);

fn any_finding() -> impl Strategy<Value = Made> {
    (0..60 * 24 * 20u32, 0..4usize, 0..5usize, 0..2u8, 0..4u8, 0..6u8)
}

fn made(n: usize, (minute, who, asset, host, session, weight): &Made) -> Finding {
    let start: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
    let at = start + SignedDuration::from_mins(i64::from(*minute));
    let who = ["it", "sam", "nobody", "uid1044"][*who];
    let asset = ["login", "elevation", "mailbox/drchen", "export", "managers_mailbox/manager"][*asset];
    let outcome = match weight {
        0 => "never high",
        1 => "unexplained high",
        2 => "explained normal",
        3 => "unexplained normal",
        _ => "unexplained low",
    };
    finding(&format!("id{n:02} {at} {who} {asset} ws-0{host} {session} {outcome} 1"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_order_never_matters_and_every_finding_has_one_place(
        (findings, shuffled) in proptest::collection::vec(any_finding(), 0..60).prop_flat_map(|all| {
            let findings: Vec<Finding> = (0..).zip(&all).map(|(n, one)| made(n, one)).collect();
            (Just(findings.clone()), Just(findings).prop_shuffle())
        }),
    ) {
        let told = incidents(&findings, &zone());
        prop_assert_eq!(&incidents(&shuffled, &zone()), &told);
        let mut ids: Vec<&String> = told.iter().flat_map(|incident| &incident.findings).collect();
        ids.sort();
        let mut all: Vec<&String> = findings.iter().map(|finding| &finding.id).collect();
        all.sort();
        prop_assert_eq!(ids, all);
        let is_grave =
            |finding: &Finding| finding.outcome == Judgement::Never || finding.severity > Severity::Normal;
        for incident in told.iter().filter(|incident| incident.is_flood) {
            let grave = findings.iter().find(|finding| incident.findings.contains(&finding.id) && is_grave(finding));
            prop_assert!(grave.is_none());
            prop_assert!(incident.grouped > 8);
        }
        let rank = |incident: &Incident| incident.severity.max(Severity::Normal);
        prop_assert!(told.windows(2).all(|two| rank(&two[0]) >= rank(&two[1])), "worst first");
    }
}
