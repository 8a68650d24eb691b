//! What a decision makes of its surroundings: shared accounts, driven sessions, covers, break-glass, moved clocks.

use jiff::Timestamp;
use serde_json::json;

use super::*;

const MORE: &str = r#"
[[organisation]]
id = "medsoft"
name = "Medsoft"
roles = ["vendor"]
remote_tools = ["AnyDesk"]

[[account]]
shared_by = ["sam", "drchen"]
user = "desk"

[[cover]]
person = "sam"
covers = "drchen"
from = "2026-11-18"
to = "2026-11-18"
mailbox = true
"#;

/// One access on 18 November with everything that may surround it.
struct Case<'a> {
    json: String,
    more: &'a str,
    policy: &'a str,
    tickets: Tickets,
    received: Option<(&'a str, Option<&'a str>)>,
    driven: Option<&'a str>,
}

impl Case<'_> {
    fn of(json: String) -> Self {
        let policy = Policy::template("small-practice").unwrap();
        Self { json, more: MORE, policy, tickets: Tickets::default(), received: None, driven: None }
    }

    fn decision(&self) -> Decision {
        let event: Event = serde_json::from_str(&self.json).unwrap();
        let zone = TimeZone::get("America/New_York").unwrap();
        let roster = format!("{}{}", include_str!("../../../templates/roster-example.toml"), self.more);
        let mut access = Access::new("agent/ws-01", "ws-01", 7, &event, &zone);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        if let Some((received, live)) = self.received {
            access = access.received(at(received), live.map(at), &zone);
        }
        access.remote_tool = self.driven;
        decide(&access, &Roster::parse(&roster).unwrap(), &Policy::parse(self.policy).unwrap(), &self.tickets)
    }

    #[track_caller]
    fn is(&self, outcome: Judgement, rules: &[&str]) {
        let decision = self.decision();
        let found: Vec<&str> = decision.reasons.iter().map(|reason| reason.rule.as_str()).collect();
        assert_eq!((decision.outcome, found.as_slice()), (outcome, rules), "{:?}", decision.reasons);
    }
}

const DESK: &str = r#""login_uid":1009,"login_user":"desk""#;
const SAM: &str = r#""login_uid":1005,"login_user":"frontdesk1""#;

#[test]
fn a_shared_account_is_explained_only_where_it_is_for_each_who_shares_it() {
    // Two days later, when nobody covers for anybody.
    let file =
        |hour: &str, class: &str, owner: &str| file(hour, DESK, class, owner).replace("11-18T", "11-20T");
    // In hours front desk and physicians both may; at night only the physician.
    let day = Case::of(file("16:00", "ehr", ""));
    day.is(Judgement::Explained, &["table:frontdesk.ehr", "table:physician.ehr"]);
    let night = Case::of(file("03:00", "ehr", ""));
    assert_eq!(night.decision().outcome, Judgement::Unexplained);
    assert!(night.decision().reasons.iter().any(|reason| reason.rule == "shared-account"));
    let holder = night.decision().who.unwrap().holder;
    assert_eq!(holder.as_deref(), Some("Sam Ortiz or Dr. Chen"));
    // Never for each of them is never.
    let never = Case::of(file("16:00", "hr", ""));
    never.is(Judgement::Never, &["table:frontdesk.hr", "table:physician.hr", "shared-account"]);
    // The mailbox of one of them: the other might have opened it.
    assert_eq!(Case::of(file("16:00", "mailbox", "drchen")).decision().outcome, Judgement::Unexplained);
}

#[test]
fn a_driven_session_is_explained_only_where_the_firm_may_too() {
    let chen = r#""login_uid":1003,"login_user":"drchen""#;
    let mut case = Case::of(file("16:00", chen, "ehr", ""));
    case.is(Judgement::Explained, &["table:physician.ehr"]);
    // By the record itself or by an earlier entry that is still open.
    case.driven = Some("anydesk");
    assert_eq!(case.decision().outcome, Judgement::Unexplained);
    let ticket = json!([{"id":"T-1","assignee":"medsoft","class":"ehr","scope":"everything","from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z","approved_by":"mary"}]);
    case.tickets = Tickets::of_approved(serde_json::from_value::<Vec<_>>(ticket).unwrap());
    case.is(Judgement::Explained, &["table:physician.ehr", "ticket:T-1"]);
    case.driven = Some("TeamViewer");
    assert_eq!(case.decision().outcome, Judgement::Unexplained, "no firm stands behind it");
}

#[test]
fn a_cover_lends_roles_and_mail_while_it_lasts() {
    let export = |day: &str| file("16:00", SAM, "export", "").replace("11-18T", day);
    Case::of(export("11-18T")).is(Judgement::Explained, &["table:physician.export"]);
    assert_eq!(Case::of(export("11-19T")).decision().outcome, Judgement::Unexplained);
    let mail = |day: &str| file("16:00", SAM, "mailbox", "drchen").replace("11-18T", day);
    Case::of(mail("11-18T")).is(Judgement::Explained, &["cover"]);
    assert_eq!(Case::of(mail("11-19T")).decision().outcome, Judgement::Unexplained);
}

#[test]
fn break_glass_explains_and_a_never_stays_one() {
    let mut tickets = Tickets::default();
    let opened = json!({"step":"opened","id":"B-1","person":"northwind","reason":"server down","from":"2026-11-18T15:00:00Z","to":"2026-11-18T19:00:00Z"});
    let at = "2026-11-18T15:00:00Z".parse().unwrap();
    tickets.apply(at, ntk_evidence::act::kind::BREAK_GLASS, &opened).unwrap();
    let case = |json| Case { tickets: tickets.clone(), ..Case::of(json) };
    case(file("16:00", IT, "export", "")).is(Judgement::Explained, &["break-glass:B-1"]);
    assert_eq!(case(file("20:00", IT, "export", "")).decision().outcome, Judgement::Unexplained);
    assert_eq!(case(file("16:00", IT, "mailbox", "manager")).decision().outcome, Judgement::Never);
}

#[test]
fn a_moved_clock_opens_no_hours_and_a_late_delivery_keeps_its_time() {
    let billing = r#""login_uid":1002,"login_user":"billing1""#;
    let mut case = Case::of(file("16:00", billing, "export", ""));
    // It says 11:00 and came at 22:00; an entry before it came live at 21:55.
    case.received = Some(("2026-11-19T03:00:00Z", Some("2026-11-19T02:55:00Z")));
    case.is(Judgement::Unexplained, &["clock", "table:billing.export"]);
    // Ahead of its receipt it cannot be.
    case.received = Some(("2026-11-18T11:00:00Z", None));
    case.is(Judgement::Unexplained, &["clock", "table:billing.export"]);
    // Out of reach all day, sent at night: nothing says that it lies.
    case.received = Some(("2026-11-19T03:00:00Z", Some("2026-11-18T13:00:00Z")));
    case.is(Judgement::Explained, &["table:billing.export"]);
    // A minute is no lie.
    case.received = Some(("2026-11-18T15:59:00Z", Some("2026-11-18T15:58:00Z")));
    case.is(Judgement::Explained, &["table:billing.export"]);
}

#[test]
fn what_a_policy_cannot_evaluate_is_held_against_nobody() {
    let text = |effect: &str| {
        format!(
            "name = \"x\"\n[table.everyone]\nexport = \"always\"\n[expert.odd]\ncedar = '''\n@id(\"odd\") @plain(\"Odd.\") {effect} (principal, action, resource) when {{ context.minute * 9223372036854775807 > 5 }};\n'''\n"
        )
    };
    let judged =
        |policy: &str, class: &str| Case { policy, ..Case::of(file("16:00", SAM, class, "")) }.decision();
    // It might have been a never: nothing counts as explained, and nobody is asked.
    let decision = judged(&text("forbid"), "export");
    assert_eq!(decision.outcome, Judgement::NotJudged);
    assert_eq!(decision.system_item().map(|reason| reason.rule.as_str()), Some("policy-error"));
    // A permit that failed takes nothing from one that matched.
    assert_eq!(judged(&text("permit"), "export").outcome, Judgement::Explained);
    assert_eq!(judged(&text("permit"), "backup").outcome, Judgement::NotJudged);
}

#[test]
fn after_somebody_left_an_account_that_nobody_confirmed_may_be_theirs() {
    // Bea left on 20 November.
    let stranger = r#""login_uid":1044,"login_user":"helpdesk2""#;
    let on = |day: &str| Case::of(file("16:00", stranger, "hr", "").replace("2026-11-18T", day));
    on("2026-11-19T").is(Judgement::Unexplained, &["unknown-account"]);
    on("2026-11-20T").is(Judgement::Unexplained, &["unknown-account", "left:unconfirmed"]);
    on("2027-08-01T").is(Judgement::Unexplained, &["unknown-account"]);
}
