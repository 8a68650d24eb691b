//! Against the stand-in: pages, tokens that end, throttling, refusals, silence, applications; twice brings nothing twice.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::stand_in::{Manner, start};
use super::*;
use crate::desk::rig::Rig;

const NOW: &str = "2026-11-28T10:00:00Z";

fn mail_read(id: &str, time: &str) -> Value {
    json!({"Id": id, "CreationTime": time, "Operation": "MailItemsAccessed", "Workload": "Exchange", "UserId": "it@practice.example",
        "LogonType": 2, "MailboxOwnerUPN": "dana@practice.example", "OperationProperties": [{"Name": "MailAccessType", "Value": "Bind"}]})
}

fn signed_in(id: &str) -> Value {
    json!({"id": id, "createdDateTime": "2026-11-28T08:00:00Z", "userPrincipalName": "dana@practice.example", "ipAddress": "203.0.113.9",
        "status": {"errorCode": 0}})
}

fn ordinary() -> Manner {
    let day = |id: &str, kind: &str, time: &str| {
        (
            format!("blob-{id}"),
            (kind.to_owned(), vec![mail_read(&format!("{id}-1"), time), mail_read(&format!("{id}-2"), time)]),
        )
    };
    Manner {
        content: [
            day("a", "Audit.Exchange", "2026-11-28T09:00:00"),
            day("b", "Audit.Exchange", "2026-11-28T09:30:00"),
            day("old", "Audit.Exchange", "2026-11-24T09:30:00"),
            day("dir", "Audit.AzureActiveDirectory", "2026-11-28T09:30:00"),
        ]
        .into(),
        graph: Some((vec![signed_in("s1"), signed_in("s2")], Vec::new())),
        rights: vec![
            ("p-1".into(), "Backup".into(), "Mail.Read".into()),
            ("p-2".into(), "Phone list".into(), "User.Read.All".into()),
        ],
        secret: "right".into(),
        ..Manner::default()
    }
}

/// A practice whose [m365] points at the stand-in.
async fn practice(manner: Manner) -> (Rig, Arc<Mutex<Manner>>) {
    let shared = Arc::new(Mutex::new(manner));
    let address = start(Arc::clone(&shared)).await;
    let section = format!(
        "\n[m365]\ntenant = \"t.example\"\nclient_id = \"c-1\"\nevery_minutes = 0\nlogin = \"{address}\"\nactivity = \"{address}\"\ngraph = \"{address}\"\n"
    );
    let rig = Rig::start().await;
    let config = rig.app().practice.home.config();
    let text = std::fs::read_to_string(&config).unwrap() + &section;
    std::fs::write(&config, text).unwrap();
    let rig = rig.again(NOW).await;
    rig.app().practice.home.write_secret(SECRET, b"right").unwrap();
    (rig, shared)
}

fn asked(shared: &Arc<Mutex<Manner>>) -> String {
    std::mem::take(&mut shared.lock().unwrap().asked).join("\n")
}

fn n_entries(polled: &Polled) -> u64 {
    polled.import.as_ref().map_or(0, |import| import.tally.entries)
}

fn size(rig: &Rig) -> u64 {
    let author = ntk_evidence::name::Author::import("m365").unwrap();
    rig.app().ledger.published().authors.get(&author).map_or(0, |known| known.log.size())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_are_had_once_and_a_second_poll_asks_for_no_content_again() {
    let (rig, shared) = practice(ordinary()).await;
    let polled = poll(rig.app(), None, "mary").await.unwrap();
    // Two contents of two records, two sign-ins, two applications with rights to mail.
    assert_eq!((n_entries(&polled), polled.notes.len()), (8, 0), "{polled:?}");
    let said = asked(&shared);
    assert!(said.contains("content blob-a") && said.contains("content blob-b"), "{said}");
    assert!(
        !said.contains("blob-old") && !said.contains("AzureActiveDirectory"),
        "Graph tells of the directory: {said}"
    );
    let again = poll(rig.app(), None, "mary").await.unwrap();
    assert_eq!((n_entries(&again), again.import.is_none(), size(&rig)), (0, true, 8));
    assert!(!asked(&shared).contains("content blob"), "what was had is not asked for again");
    // The whole week, when it is asked for: the old one is new, the others are known.
    let week = poll(rig.app(), Some(SignedDuration::from_hours(168)), "mary").await.unwrap();
    assert_eq!((n_entries(&week), size(&rig)), (2, 10));
    // Without its memory everything is asked for, and known.
    std::fs::remove_file(rig.app().practice.home.cache().join(MEMORY)).unwrap();
    let again = poll(rig.app(), Some(SignedDuration::from_hours(168)), "mary").await.unwrap();
    assert_eq!((n_entries(&again), size(&rig)), (0, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_licence_is_read_from_the_activity_log_and_that_is_said() {
    let (rig, shared) = practice(Manner { graph: None, ..ordinary() }).await;
    let polled = poll(rig.app(), None, "mary").await.unwrap();
    assert_eq!(polled.notes.len(), 2, "{:?}", polled.notes);
    assert!(
        polled.notes[0].contains("premium license")
            && polled.notes[0].contains("activity log is asked instead")
    );
    assert!(asked(&shared).contains("content blob-dir"));
    assert_eq!(n_entries(&polled), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_is_obeyed_and_a_token_that_ended_is_made_anew() {
    let (rig, shared) = practice(Manner { throttle: 2, wait: 0, token_uses: 3, ..ordinary() }).await;
    let polled = poll(rig.app(), None, "mary").await.unwrap();
    assert_eq!(n_entries(&polled), 8);
    assert!(asked(&shared).matches("token").count() > 2, "tokens that ended were made anew");
    // What asks for longer than a poll waits is left to the next one.
    let (rig, _) = practice(Manner { throttle: 1, wait: 600, ..ordinary() }).await;
    let error = poll(rig.app(), None, "mary").await.unwrap_err().to_string();
    assert!(error.contains("asks to wait 600 s"), "{error}");
    assert_eq!(n_entries(&poll(rig.app(), None, "mary").await.unwrap()), 8, "the next one goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_with_what_to_do_and_the_token_goes_nowhere_else() {
    let (rig, _) = practice(Manner { secret: "another".into(), ..ordinary() }).await;
    let error = poll(rig.app(), None, "mary").await.unwrap_err().to_string();
    assert!(
        error.contains("AADSTS7000215") && error.contains("make a new secret") && !error.contains("Trace"),
        "{error}"
    );
    let (rig, _) = practice(Manner { leads_away: true, ..ordinary() }).await;
    let error = poll(rig.app(), None, "mary").await.unwrap_err().to_string();
    assert!(error.contains("names a page at another address"), "{error}");
    std::fs::remove_file(rig.app().practice.home.private(SECRET)).unwrap();
    let error = poll(rig.app(), None, "mary").await.unwrap_err().to_string();
    assert!(error.contains("--set-secret"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_appears_or_goes_is_a_change_at_the_next_weeks_comparison() {
    let (rig, shared) = practice(ordinary()).await;
    poll(rig.app(), None, "mary").await.unwrap();
    let rights = vec![("p-3".to_owned(), "New reader".to_owned(), "full_access_as_app".to_owned())];
    shared.lock().unwrap().rights = rights;
    assert_eq!(
        n_entries(&poll(rig.app(), None, "mary").await.unwrap()),
        0,
        "within the week nothing is compared"
    );
    let rig = rig.again("2026-12-06T10:00:00Z").await;
    let polled = poll(rig.app(), None, "mary").await.unwrap();
    let kinds = polled.import.unwrap().tally.kinds;
    assert_eq!(kinds.get("account_change"), Some(&2), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_without_a_record_is_a_gap_whether_it_answers_or_not() {
    let (rig, shared) = practice(ordinary()).await;
    poll(rig.app(), None, "mary").await.unwrap();
    {
        let mut manner = shared.lock().unwrap();
        (manner.content, manner.graph) = (BTreeMap::new(), Some((Vec::new(), Vec::new())));
    }
    let gaps = |polled: &Polled| polled.import.as_ref().map_or(0, |import| import.tally.gaps);
    let rig = rig.again("2026-11-29T11:00:00Z").await;
    let before = size(&rig);
    poll(rig.app(), None, "mary").await.unwrap();
    assert_eq!(size(&rig), before + 1);
    let again = poll(rig.app(), None, "mary").await.unwrap();
    assert_eq!((size(&rig), gaps(&again)), (before + 1, 0), "the same day is told once");
    shared.lock().unwrap().secret = "another".into();
    let rig = rig.again("2026-11-30T11:00:00Z").await;
    assert!(poll(rig.app(), None, "mary").await.is_err());
    assert_eq!(size(&rig), before + 2, "that nothing can be had is a gap, too");
}
