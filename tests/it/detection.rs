//! The detection benchmark itself: what is generated, what is refused, what the naive rules say.

mod bench;
mod faults;
mod unseen;

use std::collections::BTreeSet;
use std::fs;

use anyhow::Result;
use expect_test::expect;
use ntk_evidence::event::Event;
use ntk_evidence::hash::Hash;
use ntk_tests::detection::detector::{DetectedItem, Detector, SumsUp, Week};
use ntk_tests::detection::generate::Request;
use ntk_tests::detection::report::measure;
use ntk_tests::detection::scenario::read::read;
use ntk_tests::detection::scenario::{Act, Entry, Line, Scenario};
use ntk_tests::detection::score::judge;
use ntk_tests::detection::{cert, incidents, innocent};

const SMALL: Request = Request { seed: 3, people: 15, weeks: 8 };

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() -> Result<()> {
    let bytes = SMALL.scenario()?.to_bytes()?;
    assert!(bytes == SMALL.scenario()?.to_bytes()?, "the same seed");
    assert!(bytes != Request { seed: 4, ..SMALL }.scenario()?.to_bytes()?, "another seed");
    Ok(())
}

/// Whoever changes this changes what every figure in the README was measured on: measure anew, on other seeds.
/// The table of the practice is left out, because it is the product's own template.
#[test]
fn the_generator_is_frozen() -> Result<()> {
    let mut scenario = Request { seed: 1, people: 15, weeks: 12 }.scenario()?;
    scenario.lines.retain(|line| !matches!(line, Line::Act(act) if act.kind == "act_policy"));
    expect!["0879686e821528cac5a4540f77bdad782bc63668fce93bcfcd718d720fd8d558"]
        .assert_eq(&Hash::of(&scenario.to_bytes()?).to_hex());
    Ok(())
}

#[test]
fn what_is_written_is_read_as_it_was() -> Result<()> {
    let scenario = SMALL.scenario()?;
    let again = read(&mut scenario.to_bytes()?.as_slice())?;
    assert!(again == scenario);
    Ok(())
}

#[test]
fn every_kind_is_played_within_a_few_seeds() -> Result<()> {
    let mut played = BTreeSet::new();
    for seed in 0..6 {
        let scenario = Request { seed, people: 40, weeks: 12 }.scenario()?;
        played.extend(scenario.labels().map(|label| label.kind.clone()));
    }
    let kinds = incidents::KINDS.iter().chain(innocent::KINDS).map(|kind| kind.name).chain(["overtime"]);
    let missing: Vec<&str> = kinds.filter(|kind| !played.contains(*kind)).collect();
    assert!(missing.is_empty(), "never played: {missing:?}");
    Ok(())
}

#[test]
fn a_practice_has_ordinary_days_and_about_one_incident_a_week() -> Result<()> {
    for (people, least, most) in [(15, 8, 8), (150, 24, 24)] {
        let scenario = Request { seed: 11, people, weeks: 12 }.scenario()?;
        let n = scenario.labels().filter(|label| label.incident && label.key).count();
        assert!((least..=most).contains(&n), "{people} people: {n} incidents");
        let n = scenario.entries().count() / usize::try_from(people)? / 60;
        assert!((10..=40).contains(&n), "{people} people: {n} entries a person and work day");
    }
    Ok(())
}

#[test]
fn events_look_like_those_of_agents() -> Result<()> {
    let scenario = SMALL.scenario()?;
    let mut numbers = std::collections::BTreeMap::new();
    for entry in scenario.entries() {
        assert!(entry.event.unknown().is_empty(), "{:?}", entry.event.unknown());
        let next: &mut u64 = numbers.entry(&entry.author).or_default();
        assert_eq!(entry.number, *next, "{}", entry.author);
        *next += 1;
        let actor = entry.event.actor.as_ref().unwrap();
        assert_eq!(actor.login_uid.is_some(), actor.session.is_some(), "{:?}", entry.event);
    }
    Ok(())
}

#[test]
fn nobody_works_after_they_have_left_but_in_incidents() -> Result<()> {
    for seed in 0..8 {
        let scenario = Request { seed, people: 15, weeks: 12 }.scenario()?;
        let text =
            scenario.acts().filter(|act| act.kind == "act_roster").last().unwrap().body["text"].clone();
        let roster: toml::Table = text.as_str().unwrap().parse()?;
        let account = |person: &toml::Value| {
            let accounts = roster["account"].as_array().unwrap();
            let account = accounts.iter().find(|account| account.get("person") == Some(person));
            account.unwrap()["user"].as_str().unwrap().to_owned()
        };
        let zone = jiff::tz::TimeZone::get(&scenario.header.timezone)?;
        let innocent = |id: &String| scenario.labels().any(|label| label.id == *id && !label.incident);
        for leave in roster["leave"].as_array().unwrap() {
            let (user, on) = (account(&leave["person"]), leave["on"].as_str().unwrap());
            for entry in scenario.entries().filter(|entry| entry.label.as_ref().is_none_or(innocent)) {
                let actor = entry.event.actor.as_ref().unwrap();
                let date = zone.to_datetime(entry.event.time.parse()?).date().to_string();
                let is_theirs = actor.login_user.as_ref() == Some(&user);
                assert!(!is_theirs || *date < *on, "seed {seed}: {user} left {on}, and: {:?}", entry.event);
            }
        }
    }
    Ok(())
}

#[test]
fn an_account_is_held_once() -> Result<()> {
    let scenario = Request { seed: 2, people: 400, weeks: 3 }.scenario()?;
    let text = scenario.acts().filter(|act| act.kind == "act_roster").last().unwrap().body["text"].clone();
    let roster: toml::Table = text.as_str().unwrap().parse()?;
    for (table, key) in [("account", "user"), ("person", "id"), ("job", "id"), ("machine", "name")] {
        let mut seen = BTreeSet::new();
        for block in roster[table].as_array().unwrap() {
            let host = block.get("host").filter(|_| table == "account").map(ToString::to_string);
            assert!(seen.insert((block[key].to_string(), host)), "{table}.{key} twice: {block}");
        }
    }
    Ok(())
}

#[test]
fn a_practice_that_cannot_be_made_is_refused() {
    let told = |request: Request| request.scenario().unwrap_err().to_string();
    expect!["--people: from 5 to 1000, and not 2"].assert_eq(&told(Request { people: 2, ..SMALL }));
    expect!["--weeks: from 3 to 520, and not 0"].assert_eq(&told(Request { weeks: 0, ..SMALL }));
}

/// Ten entries made by hand: what each rule says of them can be checked by eye.
const BY_HAND: &[&str] = &[
    r#"{"scenario":"ntk-scenario/1","name":"by hand","timezone":"America/New_York","people":3,"weeks":3,"from":"2026-01-05T05:00:00Z","counted_from":"2026-01-12T05:00:00Z"}"#,
    r#"{"label":{"id":"I-1","kind":"night_read","incident":true,"about":"IT reads at night"}}"#,
    r#"{"label":{"id":"I-2","kind":"noon_read","incident":true,"about":"the desk's account reads mail at noon"}}"#,
    r#"{"label":{"id":"N-1","kind":"backup","incident":false,"about":"the backup does its work"}}"#,
    r#"{"act":{"kind":"act_roster","body":{"text":"[[person]]\nid='tom'\nroles=['itadmin']\n[[account]]\nperson='tom'\nuid=1001\n[[person]]\nid='sam'\nroles=['frontdesk']\n[[account]]\nperson='sam'\nuser='sam'\n[[job]]\nprogram='/usr/bin/restic'\nhost='srv-01'\nuser='svc-backup'\n"}},"at":"2026-01-05T05:00:00Z"}"#,
    r#"{"act":{"kind":"act_policy","body":{"template":"small-practice"}},"at":"2026-01-05T05:00:00Z"}"#,
    // Learning time: Tom at night, not counted; Sam on three days.
    r#"{"event":{"kind":"file_access","time":"2026-01-06T04:00:00Z","actor":{"login_uid":1001,"effective_user":"root"},"action":"read","object":{"class":"ehr"}},"author":"agent/srv-01","received":"2026-01-06T04:00:00Z"}"#,
    r#"{"event":{"kind":"login","time":"2026-01-06T15:00:00Z","actor":{"login_user":"sam"}},"author":"agent/ws-01","received":"2026-01-06T15:00:00Z"}"#,
    r#"{"event":{"kind":"login","time":"2026-01-07T15:00:00Z","actor":{"login_user":"sam"}},"author":"agent/ws-01","received":"2026-01-07T15:00:00Z"}"#,
    r#"{"event":{"kind":"login","time":"2026-01-08T15:00:00Z","actor":{"login_user":"sam"}},"author":"agent/ws-01","received":"2026-01-08T15:00:00Z"}"#,
    // Counted: the backup at night, Tom at 23:00, Sam at noon on the usual computer, Sam elsewhere.
    r#"{"event":{"kind":"file_access","time":"2026-01-13T07:00:00Z","actor":{"effective_user":"svc-backup","confidence":"unattributed"},"action":"read","process":{"exe":"/usr/bin/restic"},"object":{"class":"mailbox"}},"author":"agent/srv-01","received":"2026-01-13T07:00:00Z","label":"N-1"}"#,
    r#"{"event":{"kind":"file_access","time":"2026-01-14T04:00:00Z","actor":{"login_uid":1001,"login_user":"tadmin","effective_user":"root"},"action":"read","object":{"class":"export"}},"author":"agent/srv-01","received":"2026-01-14T04:00:00Z","label":"I-1"}"#,
    r#"{"event":{"kind":"file_access","time":"2026-01-14T17:00:00Z","actor":{"login_user":"sam","effective_user":"sam"},"action":"read","object":{"class":"mailbox","owner":"mary"}},"author":"agent/ws-01","received":"2026-01-14T17:00:00Z","label":"I-2"}"#,
    r#"{"event":{"kind":"login","time":"2026-01-15T17:00:00Z","actor":{"login_user":"sam"}},"author":"agent/ws-02","received":"2026-01-15T17:00:00Z"}"#,
];

fn by_hand() -> Result<Scenario> {
    Ok(read(&mut BY_HAND.join("\n").as_bytes())?)
}

#[test]
fn the_naive_rules_say_of_a_scenario_made_by_hand_what_can_be_checked_by_eye() -> Result<()> {
    expect![[r#"
        detection: by hand (8 entries)
          3 people, 3 weeks, 2 of them counted; generator and detector come from one team
                                   incidents   found   recall   items  items/week   precision
          hours                            2       1    50.0%       1         0.5      100.0%
          foreign_host                     2       1    50.0%       2         1.0       50.0%
          any_privileged_read              2       1    50.0%       1         0.5      100.0%
          incidents found, by kind                     hours        foreign_host any_privileged_read
            night_read                                   1/1                 1/1                 1/1
            noon_read                                    0/1                 0/1                 0/1
          look-alikes flagged, by kind                 hours        foreign_host any_privileged_read
            backup                                       0/1                 0/1                 0/1
    "#]]
    .assert_eq(&measure(&by_hand()?, None)?.to_string());
    Ok(())
}

/// Puts before the manager what it is told to.
struct Told(Vec<DetectedItem>);

impl Detector for Told {
    fn name(&self) -> &str {
        "told"
    }
    fn act(&mut self, _: &Act) -> Result<()> {
        Ok(())
    }
    fn entry(&mut self, _: &Entry) -> Result<()> {
        Ok(())
    }
    fn finish(&mut self) -> Result<Vec<DetectedItem>> {
        Ok(std::mem::take(&mut self.0))
    }
}

#[test]
fn an_item_finds_what_it_rests_on_in_its_week_or_the_next_and_no_flood_finds_anything() -> Result<()> {
    let scenario = by_hand()?;
    // I-1 is entry 2 of srv-01, in the week of 12 January.
    let found = |day: i8, author: &str, number: u64, sums_up: SumsUp| -> Result<(u32, u32, u32)> {
        let item = DetectedItem {
            week: Week::of_date(jiff::civil::date(2026, 1, day)),
            entries: vec![(author.to_owned(), number)],
            headline: String::new(),
            kind: "told".to_owned(),
            sums_up,
        };
        let outcome = judge(&scenario, &mut Told(vec![item]))?;
        Ok((outcome.incidents.found, outcome.items, outcome.right))
    };
    assert_eq!(found(12, "agent/srv-01", 2, SumsUp::No)?, (1, 1, 1), "in its week");
    assert_eq!(found(19, "agent/srv-01", 2, SumsUp::No)?, (1, 1, 1), "in the week after");
    assert_eq!(found(26, "agent/srv-01", 2, SumsUp::No)?, (0, 1, 1), "too late");
    assert_eq!(found(12, "agent/srv-01", 2, SumsUp::Flood)?, (0, 1, 1), "a count is no find");
    assert_eq!(found(12, "agent/srv-01", 1, SumsUp::No)?, (0, 1, 0), "the backup");
    assert_eq!(found(5, "agent/srv-01", 0, SumsUp::No)?, (0, 0, 0), "learning time");
    Ok(())
}

#[test]
fn the_report_for_machines_has_the_products_figures_on_top() -> Result<()> {
    let scenario = by_hand()?;
    let json = measure(&scenario, Some(&mut Told(Vec::new())))?.json();
    for key in ["incidents", "found", "recall", "items", "items_per_week", "precision", "kinds", "misses"] {
        assert!(json.get(key).is_some(), "{key} is missing");
        assert!(json["naive"]["hours"].get(key).is_some(), "naive.hours.{key} is missing");
    }
    assert_eq!(json["misses"][0]["about"], "IT reads at night");
    assert!(
        measure(&scenario, None)?.json().get("recall").is_none(),
        "nothing is said of a product not there"
    );
    Ok(())
}

#[test]
fn the_week_is_that_of_the_calendar_on_the_wall() {
    let week = |date: &str| Week::of_date(date.parse().unwrap()).to_string();
    assert_eq!((week("2026-01-04"), week("2026-01-05")), ("2026-W01".to_owned(), "2026-W02".to_owned()));
}

#[test]
fn rows_in_the_form_of_the_cert_files_become_a_scenario() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("r4.2");
    fs::create_dir_all(dir.join("LDAP"))?;
    fs::create_dir_all(folder.path().join("answers"))?;
    let people = "employee_name,user_id,email,role,business_unit\nAda Hill,AHL0001,a@x,ITAdmin,1\nBo Lee,BLE0002,b@x,Nurse,1\n";
    fs::write(dir.join("LDAP/2010-01.csv"), people)?;
    fs::write(
        dir.join("LDAP/2010-02.csv"),
        "employee_name,user_id,email,role,business_unit\nAda Hill,AHL0001,a@x,ITAdmin,1\n",
    )?;
    let logons = "id,date,user,pc,activity\n{A},01/04/2010 09:00:00,BLE0002,PC-2,Logon\n{B},01/12/2010 23:10:00,AHL0001,PC-1,Logon\n{C},01/12/2010 23:59:00,AHL0001,PC-1,Logoff\n{D},03/12/2010 23:59:00,AHL0001,PC-1,Logoff\n";
    fs::write(dir.join("logon.csv"), logons)?;
    fs::write(
        dir.join("file.csv"),
        "id,date,user,pc,filename,content\n{E},01/12/2010 23:20:00,AHL0001,PC-1,PLAN.doc,\"D0-CF, a\"\n",
    )?;
    fs::write(
        dir.join("email.csv"),
        "id,date,user,pc,to,cc,bcc,from,size,attachments,content\n{F},01/13/2010 10:00:00,BLE0002,PC-2,a@x,,,b@x,100,2,hello\n{G},01/13/2010 11:00:00,BLE0002,PC-2,a@x,,,b@x,100,0,hello\n",
    )?;
    fs::write(
        dir.join("device.csv"),
        "id,date,user,pc,activity\n{H},01/12/2010 23:19:00,AHL0001,PC-1,Connect\n",
    )?;
    let answers = "dataset,scenario,details,user,start,end\n4.2,1,r4.2-1.csv,AHL0001,01/12/2010 23:00:00,01/13/2010 01:00:00\n5.2,1,x.csv,BLE0002,01/12/2010 23:00:00,01/13/2010 01:00:00\n";
    fs::write(folder.path().join("answers/insiders.csv"), answers)?;
    let cert = cert::read(&dir, 3)?;
    expect!["CERT r4.2: 5 rows became entries, 2 rows have no event of ours and were left out"]
        .assert_eq(&cert.in_words());
    expect![[r#"
        detection: CERT r4.2 (5 entries)
          2 people, 3 weeks, 2 of them counted; generator and detector come from one team
                                   incidents   found   recall   items  items/week   precision
          hours                            1       1   100.0%       1         0.5      100.0%
          foreign_host                     1       1   100.0%       2         1.0       50.0%
          any_privileged_read              1       0     0.0%       0         0.0      100.0%
          incidents found, by kind                     hours        foreign_host any_privileged_read
            cert_insider                                 1/1                 1/1                 0/1
          look-alikes flagged, by kind                 hours        foreign_host any_privileged_read
    "#]]
    .assert_eq(&measure(&cert.scenario, None)?.to_string());
    let text = String::from_utf8(cert.scenario.to_bytes()?)?;
    assert!(read(&mut text.as_bytes())? == cert.scenario, "it is a scenario like any other");
    let export = text.lines().find(|line| line.contains("PLAN.doc")).unwrap_or_default();
    expect![[r#"{"event":{"kind":"file_access","time":"2010-01-13T04:20:00.000Z","outcome":"success","actor":{"login_uid":10000,"login_user":"AHL0001","effective_user":"AHL0001","from":"/dev/console","confidence":"derived"},"action":"create","process":{},"object":{"path":"/media/AHL0001/PLAN.doc","class":"export","via":"direct"},"source":{"sensor":"cert","record":"{E}","recorded":true}},"author":"import/pc-1","received":"2010-01-13T04:20:00.000Z","label":"I-001"}"#]].assert_eq(export);
    fs::write(
        dir.join("file.csv"),
        "id,date,user,pc,filename,content\n{E},12.1.2010,AHL0001,PC-1,PLAN.doc,x\n",
    )?;
    let told = cert::read(&dir, 3).unwrap_err().to_string().replace(&*dir.to_string_lossy(), "r4.2");
    expect!["`r4.2/file.csv`, line 2: date: `12.1.2010` should be MM/DD/YYYY HH:MM:SS; take the file as it was published"].assert_eq(&told);
    Ok(())
}

#[test]
fn the_description_shows_lines_that_are_taken() -> Result<()> {
    let text = fs::read_to_string(super::tidy::top().join("tests/scenario.md"))?;
    let shown: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"")).collect();
    assert_eq!(shown.len(), 6, "the header, three labels, an act and an event");
    let roster = r#"{"act":{"kind":"act_roster","body":{"text":"[[person]]\nid = \"mary\"\n"}},"at":"2026-01-05T05:01:00Z"}"#;
    let lines: Vec<&str> =
        shown.iter().map(|line| if line.contains("act_roster") { roster } else { line }).collect();
    let scenario = read(&mut lines.join("\n").as_bytes())?;
    let event: &Event = &scenario.entries().next().unwrap().event;
    assert!(event.unknown().is_empty());
    Ok(())
}
