//! A busy, a quiet and an empty week, from events to pages.
//!
//! With `NTK_REPORTS=DIR` in the environment the pages are written there, to be looked at.

use expect_test::expect;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use ntk_evidence::event::Event;
use serde_json::{Value, json};

use super::coverage::{Interval, MachineInput, State};
use super::tally::WeekTally;
use super::week::Week;
use super::*;
use crate::finding::step::StepRecord;
use crate::finding::wording::ACCUSING_WORDS;
use crate::finding::{FindingStep, Findings};
use crate::items::Span;
use crate::need_to_know::{Access, decide};
use crate::on_site::{OnSite, Test};
use crate::policy::Policy;
use crate::report::html::render_html;
use crate::report::pdf::render_pdf;
use crate::review::incidents::{Paths, weigh};
use crate::roster::Roster;
use crate::store::FindingRecord;

mod paper;
mod parts;

use parts::{matters, roster_part};

const WEEK: &str = "2026-W47";

fn zone() -> TimeZone {
    TimeZone::get("America/New_York").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn footer(policy: &Policy, roster: &Roster) -> Footer {
    Footer {
        log_size: 18_204,
        root: "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".to_owned(),
        words: "visual assist meat hockey right flush hour lazy derive error else silent".split(' ').map(str::to_owned).collect(),
        checkpoint: "maple-street.a1b2c3d4/log\n40\nqINS1GRFDPJlKZtfWXhWK7i5hqMr0ZXzVXRVDp8CuVY=\n".to_owned(),
        practice_words: "ribbon absent crawl mule treat share someone autumn purity false edit tenant".to_owned(),
        first_entry: Some("Monday 16 November, 00:00".to_owned()),
        last_entry: Some("Sunday 22 November, 23:59".to_owned()),
        policy_hash: policy.hash().to_owned(),
        roster_version: roster.version().to_owned(),
        self_check_passed: Some(true),
        self_check: "18,204 entries and 211 signatures were checked on Monday 23 November, 05:40.".to_owned(),
        at_rest: "The ledger is encrypted at rest; its key comes from a systemd credential.".to_owned(),
        custodians: "Smith & Jones holds a copy of the recovery key.".to_owned(),
        time_stamps: "CN=TSA stamped the log at size 40 at 2026-11-23T10:58:00Z by its own clock.".to_owned(),
        provable_until: "Witnessed inside until Monday 05:58, outside until Sunday 18:00: nothing before that can be changed without being noticed.".to_owned(),
        outside: "A copy outside this machine, encrypted to the recovery key, reaches 18,000 entries of the log.".to_owned(),
        place: crate::place::Place::PracticeServer.sentence().to_owned(),
        administers: [("host", "Northwind IT"), ("network", "Northwind IT"), ("backup", "Northwind IT")]
            .map(|(what, who)| (what.to_owned(), who.to_owned()))
            .into(),
        version: "0.1.0".to_owned(),
    }
}

/// The week's entries of two machines, decided and counted.
fn input(events: &[(&str, Event)], made_at: &str) -> WeekInput {
    let roster = Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap();
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let week = Week::parse(WEEK).unwrap();
    let mut tally = WeekTally::new(week, &zone());
    let mut findings = Findings::new();
    let mut steps = Vec::new();
    for (number, (host, event)) in (0u64..).zip(events) {
        let author = format!("agent/{host}");
        let access = Access::new(&author, host, number, event, &zone());
        let decision = decide(&access, &roster, &policy, &crate::ticket::Tickets::default());
        tally.observe(&access, &decision);
        steps.extend(findings.observe(&access, &decision, &[], &[]));
    }
    steps.extend(findings.end_day());
    let closed = steps.into_iter().filter_map(|step| match step {
        FindingStep::Closed { finding, .. } => Some(record(finding, Vec::new())),
        FindingStep::Opened { .. } => None,
    });
    let (incidents, _) = weighed(&closed.collect::<Vec<_>>());
    WeekInput {
        practice: "Maple Street Family Practice".to_owned(),
        zone_name: "America/New_York".to_owned(),
        zone: zone(),
        week,
        made_at: at(made_at),
        number: Some(12),
        tally,
        machines: Vec::new(),
        incidents,
        break_glass: Vec::new(),
        tickets: Vec::new(),
        roster: RosterPart::default(),
        changes: Vec::new(),
        previous_opens: Vec::new(),
        undecided: Vec::new(),
        medians: BTreeMap::new(),
        earlier: Vec::new(),
        imported: Vec::new(),
        is_extract: false,
        footer: footer(&policy, &roster),
        names: roster,
    }
}

fn record(finding: Finding, steps: Vec<StepRecord>) -> FindingRecord {
    FindingRecord { finding, is_open: false, opened_by: Some(1), closed_by: Some(2), steps }
}

fn weighed(records: &[FindingRecord]) -> (Vec<IncidentInput>, Vec<UndecidedInput>) {
    let (from, to) = Week::parse(WEEK).unwrap().bounds(&zone());
    weigh(records, &Paths::new(), Span { from, to }, &zone())
}

/// The findings of an input as the store has them.
fn records_of(input: &WeekInput) -> Vec<FindingRecord> {
    let all = input.incidents.iter().flat_map(|incident| incident.findings.clone());
    all.map(|finding| record(finding.finding, finding.steps)).collect()
}

fn said(number: u64, at_text: &str, seen: u64, step: Value) -> StepRecord {
    let step = serde_json::from_value(step).unwrap();
    StepRecord { number, at: at(at_text), seen: Some(seen), step }
}

fn event(json: &str) -> Event {
    serde_json::from_str(json).unwrap()
}

fn file(time: &str, actor: &str, action: &str, outcome: &str, object: &str) -> Event {
    event(&format!(
        r#"{{"kind":"file_access","time":"{time}","outcome":"{outcome}","action":"{action}","actor":{{{actor},"confidence":"kernel"}},
        "process":{{"exe":"/usr/bin/cat","parent":"/usr/bin/sudo"}},"object":{{{object}}},"source":{{"sensor":"linux-audit"}}}}"#
    ))
}

/// Health entries every five minutes, except where the machine is off or silent.
fn health(
    host: &'static str,
    skip: impl Fn(i64) -> bool,
    boot: impl Fn(i64) -> (String, i64),
) -> Vec<(&'static str, Event)> {
    let (from, to) = Week::parse(WEEK).unwrap().bounds(&zone());
    let minutes = to.duration_since(from).as_mins();
    (0..=minutes)
        .step_by(5)
        .filter(|minute| !skip(*minute))
        .map(|minute| {
            let time = from + SignedDuration::from_mins(minute);
            let (boot, booted) = boot(minute);
            let uptime = (minute - booted) * 60;
            let json = format!(
                r#"{{"kind":"health","time":"{time}","health":{{"reason":"periodic","boot_id":"{boot}","uptime_s":{uptime},"cannot_see":["Windows shares opened from other machines are not seen."]}}}}"#
            );
            (host, event(&json))
        })
        .collect()
}

fn week_of_health() -> Vec<(&'static str, Event)> {
    let mut events = health("ws-01", |_| false, |_| ("a".to_owned(), -9000));
    events.extend(health("reception-2", |_| false, |_| ("a".to_owned(), -9000)));
    let is_off = |minute: i64| minute % 1440 < 420 || minute % 1440 > 1110 || minute > 5 * 1440;
    events.extend(health("dr-office", is_off, |minute| {
        (format!("day{}", minute / 1440), minute / 1440 * 1440 + 415)
    }));
    events
}

fn usual_week() -> Vec<(&'static str, Event)> {
    let mut events = week_of_health();
    for day in 16..21 {
        for (n, hour) in [(3, 13), (5, 14), (2, 16), (6, 18), (4, 19)] {
            for minute in 0..n {
                let time = format!("2026-11-{day}T{hour}:{:02}:00Z", minute * 7);
                let chen = r#""login_uid":1003,"login_user":"drchen""#;
                events.push((
                    "dr-office",
                    file(&time, chen, "read", "success", r#""class":"mailbox","owner":"drchen""#),
                ));
                let desk = r#""login_uid":1005,"login_user":"frontdesk1""#;
                events.push(("reception-2", file(&time, desk, "read", "success", r#""class":"ehr""#)));
            }
        }
        let mut backup = file(
            &format!("2026-11-{day}T08:10:00Z"),
            r#""login_uid":4294967295,"effective_user":"svc-backup""#,
            "read",
            "success",
            r#""class":"backup""#,
        );
        backup.process.as_mut().unwrap().exe = Some("/usr/bin/restic".to_owned());
        backup.count = Some(640);
        events.push(("ws-01", backup));
    }
    events
}

const IT: &str =
    r#""login_uid":1001,"login_user":"itadmin1","effective_user":"root","session":5,"from":"10.0.0.14""#;

fn busy() -> WeekInput {
    let mut events = usual_week();
    // reception-2 says nothing for a while on Wednesday, though it runs.
    events.retain(|(host, event)| {
        let is_hole = *host == "reception-2"
            && event.time.as_str() > "2026-11-18T17:00"
            && event.time.as_str() < "2026-11-18T19:13";
        !is_hole
    });
    for n in 0..4012 {
        let time = at("2026-11-19T02:03:00Z") + SignedDuration::from_millis(n * 90);
        events.push((
            "ws-01",
            file(&time.to_string(), IT, "read", "success", r#""class":"mailbox","owner":"manager""#),
        ));
    }
    let export = r#""class":"export","owner":"<b>Dr. \"X\" & Sons</b>""#;
    events.push((
        "reception-2",
        file(
            "2026-11-20T21:48:00Z",
            r#""login_uid":1005,"login_user":"frontdesk1","session":9"#,
            "rename",
            "success",
            export,
        ),
    ));
    events.push((
        "ws-01",
        file(
            "2026-11-20T15:00:00Z",
            r#""login_uid":1044,"login_user":"helpdesk2","session":11"#,
            "read",
            "denied",
            r#""class":"hr""#,
        ),
    ));
    let mut recorded = file(
        "2026-11-17T15:00:00Z",
        r#""login_uid":1044,"session":12"#,
        "list",
        "success",
        r#""class":"voicemail","owner":"drchen""#,
    );
    recorded.source.as_mut().unwrap().recorded = Some(true);
    events.push(("ws-01", recorded));
    for json in [
        r#"{"kind":"tamper","time":"2026-11-18T17:00:00Z","tamper":{"what":"agent_killed","detail":"signal 9"},"actor":{"login_uid":1001,"login_user":"itadmin1"}}"#,
        r#"{"kind":"gap","time":"2026-11-18T19:13:00Z","gap":{"cause":"agent_restart","from":"2026-11-18T17:00:00Z","to":"2026-11-18T19:13:00Z"}}"#,
        r#"{"kind":"account_change","time":"2026-11-19T15:20:00Z","outcome":"success","actor":{"login_uid":1001,"login_user":"itadmin1"},"account":"helpdesk2","group":"sudo"}"#,
        r#"{"kind":"dream","time":"2026-11-19T15:20:00Z","depth":3}"#,
        r#"{"kind":"file_access","time":"2026-11-19T15:20:00Z","object":{"class":"fax"}}"#,
    ] {
        let host = if json.contains("account_change") { "ws-01" } else { "reception-2" };
        events.push((host, event(json)));
    }
    let mut input = input(&events, "2026-11-23T11:00:00Z");
    // A file of the same front desk four days later, and one that somebody has asked about.
    let mut records = records_of(&input);
    for record in &mut records {
        if record.finding.account.as_deref().is_some_and(|account| account.starts_with("helpdesk2")) {
            let question = json!({"step": "asked", "question": "Was this the new scanner?", "by": "mary", "proof": "passphrase"});
            let answer = json!({"step": "answered", "answer": "Yes, its folder has moved.", "by": "northwind", "proof": "none"});
            record.steps = vec![
                said(40, "2026-11-20T16:00:00Z", 1, question),
                said(41, "2026-11-20T17:00:00Z", 1, answer),
            ];
        }
        if record.finding.recorded {
            let decided = json!({"step": "decided", "decision": "expected", "because": "a rehearsal of ours", "by": "mary", "proof": "passphrase", "until": "2026-12-01T05:00:00Z"});
            record.steps = vec![said(42, "2026-11-20T17:30:00Z", 1, decided)];
        }
    }
    input.incidents = weighed(&records).0;
    for finding in input.incidents.iter_mut().flat_map(|incident| &mut incident.findings) {
        if finding.finding.n_accesses > 4000 {
            finding.paths = (1..8).map(|n| format!("/srv/mail/manager/cur/17{n}.<i>jane</i>.eml")).collect();
        }
    }
    let machine = |name: &str, is_proved| MachineInput {
        name: name.to_owned(),
        enrolled_at: None,
        on_site: on_site(is_proved),
        silences: Vec::new(),
    };
    input.machines = vec![machine("ws-01", true), machine("reception-2", true), machine("dr-office", false)];
    let mut fresh = machine("xray-1", false);
    fresh.enrolled_at = Some(at("2026-11-20T15:00:00Z"));
    input.machines.push(fresh);
    let note = |at_text: &str, sentence: &str| Note::new(Some(at(at_text)), sentence);
    (input.break_glass, input.tickets) = matters(&input.names);
    input.roster = roster_part(&input.names);
    let mut reset = note(
        "2026-11-18T21:00:00Z",
        "The passphrase of Mary Lopez was reset without the old one: whoever has the new one decides in this name. Ask Mary Lopez whether they did it.",
    );
    reset.is_prominent = true;
    input.changes =
        vec![note("2026-11-17T14:00:00Z", "Mary Lopez adopted a changed table (2 cells)."), reset];
    input.previous_opens = vec![note("2026-11-16T13:05:00Z", "Report 11 was opened by Mary Lopez.")];
    input.undecided = vec![UndecidedInput { id: "0f1e2d3c4b5a6978".to_owned(), headline: "The health-record exports were opened for reading on ws-01 by account billing1 (held by Bea Novak).".to_owned(), opened: at("2026-11-12T15:00:00Z") }];
    input.medians =
        [(Area::Backup, 3200), (Area::OwnMailbox, 96), (Area::Ehr, 110), (Area::Mailbox, 0)].into();
    input.earlier = earlier();
    input
}

fn earlier() -> Vec<TrendWeek> {
    let week = |(n, n_accesses): (i32, u64)| TrendWeek {
        week: Week::parse(WEEK).unwrap().earlier(n).to_string(),
        n_accesses,
        n_items: n_accesses % 4,
        coverage_percent: (n_accesses != 3_310).then_some(92 + n_accesses % 9),
    };
    (1..=8).rev().zip([3_310, 3_288, 3_402, 3_390, 2_101, 3_405, 3_377, 3_399]).map(week).collect()
}

fn on_site(is_proved: bool) -> OnSite {
    let test = Test {
        by: Some("Jan Novak".to_owned()),
        present: vec!["Anna Roth".to_owned()],
        exceptions: Vec::new(),
        is_empty: false,
    };
    if is_proved { OnSite::Tested { at: at("2026-11-03T15:00:00Z"), test } } else { OnSite::Never }
}

fn quiet() -> WeekInput {
    let mut input = input(&usual_week(), "2026-11-23T11:00:00Z");
    let machine = |name: &str| MachineInput {
        name: name.to_owned(),
        enrolled_at: None,
        on_site: on_site(true),
        silences: Vec::new(),
    };
    input.machines = ["ws-01", "reception-2", "dr-office"].map(machine).into();
    input.previous_opens =
        vec![Note::new(Some(at("2026-11-16T13:05:00Z")), "Report 11 was opened by Mary Lopez.")];
    input.medians = [(Area::Backup, 3200), (Area::OwnMailbox, 96), (Area::Ehr, 110)].into();
    input.earlier = earlier();
    input
}

/// Renders, holds the page to what every page must keep, and writes it where somebody wants to look.
#[track_caller]
fn page(name: &str, input: WeekInput) -> (WeeklyReport, String) {
    let report = build(input);
    let html = render_html(&report);
    assert_eq!(build_twice(&report), report, "report.json holds everything");
    if let Some(folder) = std::env::var_os("NTK_REPORTS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), &html).unwrap();
        std::fs::write(
            std::path::Path::new(&folder).join(format!("{name}.pdf")),
            render_pdf(&report).unwrap(),
        )
        .unwrap();
    }
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "a whole page");
    assert!(html.contains("<title>Weekly access review"));
    assert!(html.contains("What we could not see"), "RP-1");
    assert!(!report.could_not_see.is_empty(), "RP-1");
    for outside in ["<script", "http://", "https://", "src=", "@import", "<link", "javascript:", "url(h"] {
        assert!(!html.replace("url(#hatch", "").contains(outside), "{outside}");
    }
    for word in ACCUSING_WORDS {
        assert!(!html.to_lowercase().contains(word), "RP-3: `{word}`");
    }
    (report, html)
}

fn build_twice(report: &WeeklyReport) -> WeeklyReport {
    serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
}

#[test]
fn a_busy_week() {
    let (report, html) = page("busy", busy());
    let mut text = format!("{}\n", report.verdict.sentence);
    for sentence in &report.verdict.more {
        text.push_str(&format!("- {sentence}\n"));
    }
    for item in &report.items {
        text.push_str(&format!("\n{} [{}]\n", item.headline, item.tag));
        for (name, value) in &item.facts {
            text.push_str(&format!("  {name}: {value}\n"));
        }
    }
    expect![[r#"
        Seven items need your decision. 3,392 other recorded accesses and logins are explained; one question was decided or covered by an earlier answer.
        - These are four questions about accesses, one break-glass to acknowledge, one ticket and one matter of the roster.
        - One of them is something that your table says never happens.
        - The passphrase of Mary Lopez was reset without the old one: whoever has the new one decides in this name. Ask Mary Lopez whether they did it.
        - reception-2 was running but did not report for 2 hours 20 minutes.
        - Something was done to the recording itself once: see “What we could see”.

        The agent was ended on reception-2 in a session of account itadmin1 (uid 1001), not in the roster. [no explanation yet]
          When: Wednesday 18 November, 12:00 (EST)
          Account: itadmin1 (uid 1001), not in the roster
          What: 1 × change to the recording
          Rule: Account itadmin1 (uid 1001) on reception-2 is not in the roster, so no row of the table applies.
          Would explain it: an entry in the roster that says who holds the account

        The manager’s mailbox was opened for reading on ws-01 by account itadmin1 (held by Northwind IT), working as root after sudo. [your table says never]
          When: Wednesday 18 November, 21:03 to 21:09 (EST)
          Account: itadmin1, held by Northwind IT, working as root after sudo
          What: 4,012 × opened for reading, by the program cat
          From: 10.0.0.14
          Rule: IT does not open the manager’s mailbox.

        A file was moved or renamed in the health-record exports of <b>Dr. "X" & Sons</b> on reception-2 by account frontdesk1 (held by Sam Ortiz). [no explanation yet]
          When: Friday 20 November, 16:48 (EST)
          Account: frontdesk1, held by Sam Ortiz
          What: 1 × moved or renamed, by the program cat
          Rule: No row of the table speaks of the health-record exports for the role “frontdesk”.
          Would explain it: an entry in the table for the health-record exports, if this is their work

        Opening the personnel files for reading on ws-01 was refused to account helpdesk2 (uid 1044), which is not in the roster. [no explanation yet]
          When: Friday 20 November, 10:00 (EST)
          Account: helpdesk2 (uid 1044), not in the roster
          What: 1 × opened for reading: refused, by the program cat
          Rule: Account helpdesk2 (uid 1044) on ws-01 is not in the roster, so no row of the table applies. Bea Novak left on 2026-11-20, and nobody has confirmed whose this account is.
          Would explain it: an entry in the roster that says who holds the account
          Asked: “Was this the new scanner?”, by Mary Lopez, Friday 20 November, 11:00 (EST)
          Answered: “Yes, its folder has moved.”, recorded in Northwind IT’s name; nobody proved to be Northwind IT, Friday 20 November, 12:00 (EST)
    "#]].assert_eq(&text);
    let sentences: Vec<_> = report.machines.iter().map(|machine| machine.sentence.as_str()).collect();
    expect![[r#"
        dr-office: reporting 2 days 9 hours; switched off or asleep 2 days 1 hour; 2 days 12 hours without a report, and not known whether it was running. Not proved by an on-site test.
        reception-2: reporting 6 days 21 hours; running but silent 2 hours 20 minutes. Silent Wednesday 18 November, 11:55 to 14:15 (EST): the agent was started again. Proved by an on-site test on 3 November 2026 (run by Jan Novak; Anna Roth was there).
        ws-01: reporting 7 days. Proved by an on-site test on 3 November 2026 (run by Jan Novak; Anna Roth was there).
        xray-1: 2 days 14 hours without a report, and not known whether it was running; not enrolled yet 4 days 10 hours. Not proved by an on-site test."#]].assert_eq(&sentences.join("\n"));
    assert!(!html.contains("<b>Dr.") && !html.contains("<i>jane"), "rows are escaped");
    assert!(html.contains("&#60;i&#62;jane") || html.contains("&lt;i&gt;jane"));
    assert!(html.contains("from a recording"));
    for heading in [
        "For you to decide (",
        "Break-glass (2)",
        "Tickets worth a look (2)",
        "People and accounts",
        "Decided or covered by an earlier answer (1)",
        "What we could see",
        "Changed rights (1)",
        "by account and hour",
        "Accesses by area",
        "Explained (",
        "Still open from earlier weeks (1)",
        "How far this page can be trusted",
    ] {
        assert!(html.contains(heading), "{heading}");
    }
}

#[test]
fn the_parts_stand_in_their_order() {
    let (_, html) = page("busy", busy());
    let order = [
        "id=\"verdict\"",
        "id=\"items\"",
        "id=\"glass\"",
        "id=\"tickets\"",
        "id=\"roster\"",
        "id=\"seen\"",
        "id=\"unseen\"",
        "id=\"rights\"",
        "id=\"heat\"",
        "id=\"areas\"",
        "id=\"explained\"",
        "id=\"settled\"",
        "id=\"undecided\"",
        "<footer",
    ];
    let places: Vec<_> = order.iter().map(|part| html.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    let causes = html.find("Rule out first").unwrap();
    assert!(causes < html.find("class=\"boxes\"").unwrap(), "causes before boxes");
}

#[test]
fn a_quiet_week_says_so() {
    let (report, html) = page("quiet", quiet());
    assert!(report.verdict.is_quiet && report.items.is_empty());
    expect!["Nothing needs your decision: all 3,400 recorded accesses and logins are explained."]
        .assert_eq(&report.verdict.sentence);
    assert_eq!(report.verdict.more, Vec::<String>::new());
    assert!(html.contains("Also looked at: nothing to tell") && !html.contains("For you to decide"));
}

#[test]
fn an_empty_week_never_says_that_all_is_well() {
    let (report, html) = page("empty", input(&[], "2026-11-23T11:00:00Z"));
    expect!["No machine reported this week, so this page cannot say what happened."]
        .assert_eq(&report.verdict.sentence);
    assert!(html.contains("No machine is enrolled"));
    let mut unheard = input(&[], "2026-11-23T11:00:00Z");
    unheard.machines = vec![MachineInput {
        name: "ws-01".to_owned(),
        enrolled_at: None,
        on_site: on_site(false),
        silences: Vec::new(),
    }];
    let (report, _) = page("unheard", unheard);
    expect!["No machine reported this week, so this page cannot say what happened."]
        .assert_eq(&report.verdict.sentence);
    assert!(report.machines[0].hours.iter().all(|state| *state == State::Unknown));
}

#[test]
fn a_report_before_the_week_is_over_says_so() {
    let (report, _) = page("early", input(&week_of_health(), "2026-11-18T17:00:00Z"));
    assert!(report.could_not_see.iter().any(|sentence| sentence.contains("before the week was over")));
    assert_eq!(report.machines[0].hours.len(), 60);
}

#[test]
fn a_silence_that_the_collector_noticed_is_in_the_verdict() {
    let mut input = quiet();
    input.machines[0].silences = vec![Interval {
        from: at("2026-11-18T17:00:00Z"),
        to: at("2026-11-18T17:03:00Z"),
        state: State::Silent,
        cause: Some("the agent was stopped by account itadmin1".to_owned()),
    }];
    let (report, _) = page("silence", input);
    assert_eq!(report.verdict.more, ["ws-01 was running but did not report for 3 minutes."]);
}

#[test]
fn many_incidents_are_listed_to_the_end() {
    let mut input = busy();
    let mut records = records_of(&input);
    let first = records[0].finding.clone();
    for n in 0..30 {
        let mut finding = first.clone();
        finding.id = format!("{n:016x}");
        finding.person = Some(format!("person-{n}"));
        records.push(record(finding, Vec::new()));
    }
    input.incidents = weighed(&records).0;
    let n = input.incidents.len();
    assert!(n > 30);
    let (report, html) = page("flood", input);
    assert_eq!(report.items.len() + report.settled.len(), n);
    for item in &report.items {
        assert!(html.contains(&item.finding.id), "{}", item.finding.id);
    }
}

#[test]
fn a_review_of_one_case_says_that_it_is_no_whole_review() {
    let mut input = quiet();
    input.is_extract = true;
    let (report, html) = page("extract", input);
    assert!(!html.contains("Break-glass was not used") && html.contains("of one case"));
    assert!(report.is_extract);
}

#[test]
fn the_week_of_a_clock_change_has_its_own_number_of_hours() {
    for (week, hours) in [("2026-W44", 169), ("2026-W10", 167), (WEEK, 168)] {
        let mut input = input(&[], "2027-01-01T00:00:00Z");
        input.week = Week::parse(week).unwrap();
        input.tally = WeekTally::new(input.week, &zone());
        input.machines = vec![MachineInput {
            name: "ws-01".to_owned(),
            enrolled_at: None,
            on_site: on_site(true),
            silences: Vec::new(),
        }];
        let (report, _) = page("clock", input);
        assert_eq!(report.machines[0].hours.len(), hours, "{week}");
        let days = &report.machines[0].days;
        assert_eq!(days.iter().map(|day| day.unknown).sum::<u64>(), u64::try_from(hours).unwrap() * 60);
    }
}
