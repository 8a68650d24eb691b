//! What was announced, what a machine runs, and what of that becomes an act.

use expect_test::expect;
use ntk_evidence::hash::Hash;
use ntk_evidence::note::{KeyType, NoteSigner};

use super::*;
use crate::desk::rig::Rig;
use crate::keys_file::{Secret, secret};
use crate::on_site::Facts;

const GOOD: &[u8] = b"the program";

async fn rig() -> (Rig, NoteSigner) {
    let rig = Rig::start().await;
    let keys = std::fs::read_to_string(rig.scratch().join("keys.txt")).unwrap();
    let trust = rig.app().trust.now().0;
    let seed = secret(&keys, Secret::Practice).unwrap();
    let practice = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &seed).unwrap();
    (rig, practice)
}

fn announcement(rig: &Rig, program: &[u8]) -> Announcement {
    Announcement {
        slug: rig.app().trust.now().0.slug.clone(),
        version: "0.2.0".to_owned(),
        platform: "linux-x86_64".to_owned(),
        made: "2026-11-27T19:00:00Z".to_owned(),
        program: Hash::of(program),
        packages: Vec::new(),
    }
}

fn health(program: &[u8]) -> String {
    json!({"kind": "health", "time": "2026-11-27T19:00:00.000Z",
           "health": {"reason": "start", "binary_sha256": Hash::of(program).to_hex()}})
    .to_string()
}

async fn runs(rig: &Rig, machine: &str) -> String {
    let (status, body) = rig.get("/v1/enroll").await;
    assert_eq!(status, 200, "{body}");
    let found = body["machines"].as_array().unwrap().iter();
    let found = found.into_iter().find(|one| one["author"] == format!("agent/{machine}")).unwrap();
    found["standing"]["runs_in_words"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_runs_what_nobody_announced_is_told_once_in_neutral_words() {
    let (rig, practice) = rig().await;
    rig.entries("ws-01", &[health(GOOD)]).await;
    rig.entries("ws-02", &[health(b"another program")]).await;
    compare(rig.app()).await.unwrap();
    assert_eq!(runs(&rig, "ws-02").await, "Its program is compared with nothing: none was announced.");
    assert!(rig.app().ledger.published().registry.programs.is_empty());

    let signed = announcement(&rig, GOOD).sign(&practice).unwrap();
    let (status, answer) = rig.post("/v1/programs", json!({"text": signed})).await;
    assert_eq!((status, &answer["announced"]), (200, &json!(Hash::of(GOOD).to_hex())));
    assert_eq!(runs(&rig, "ws-01").await, "It runs a program that was announced: version 0.2.0.");
    let said = runs(&rig, "ws-02").await;
    expect!["It runs a program that nobody announced since Friday 27 November, 14:00 (EST) (60f787c0cff5)."]
        .assert_eq(&said);
    for word in ntk_evidence::bundle::wording::table::ACCUSING_WORDS {
        assert!(!said.to_lowercase().contains(word), "{word}");
    }
    let size = || rig.app().ledger.published().checkpoint.checkpoint.size;
    let before = size();
    compare(rig.app()).await.unwrap();
    compare(rig.app()).await.unwrap();
    assert_eq!(size(), before + 1, "one act, once");
    let told = rig.app().ledger.published().registry.programs.told.clone();
    assert_eq!(told, [("agent/ws-02".to_owned(), Hash::of(b"another program").to_hex())].into());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_without_the_practice_key_announces_nothing() {
    let (rig, practice) = rig().await;
    rig.entries("ws-02", &[health(b"another program")]).await;
    let slug = rig.app().trust.now().0.slug.clone();
    let other = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &[9; 32]).unwrap();
    let signed = announcement(&rig, b"another program").sign(&other).unwrap();
    let (status, answer) = rig.post("/v1/programs", json!({"text": signed})).await;
    assert_eq!(status, 400, "{answer}");
    // Whoever holds the collector's key can write the act itself.
    let body = json!({"step": "announced", "text": signed, "program": Hash::of(b"another program").to_hex()});
    let forged = act::event(act::kind::PROGRAM, rig.app().ledger.now(), body);
    let _appended = rig.app().ledger.act(vec![forged]).await.unwrap();
    let published = rig.app().ledger.published();
    assert!(published.registry.programs.known(&rig.app().trust.now().0).is_empty());
    let signed = announcement(&rig, GOOD).sign(&practice).unwrap();
    rig.post("/v1/programs", json!({"text": signed})).await;
    assert!(runs(&rig, "ws-02").await.starts_with("It runs a program that nobody announced since"));
    let (_, listed) = rig.get("/v1/programs").await;
    assert_eq!(listed["programs"].as_array().unwrap().len(), 1);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_is_said_of_each_machine_that_runs_it_once_until_it_is_announced_again() {
    let (rig, practice) = rig().await;
    rig.entries("ws-01", &[health(GOOD)]).await;
    let of = |made: &str| Announcement { made: made.to_owned(), ..announcement(&rig, GOOD) };
    let reason = "it loses events after a suspend".to_owned();
    let withdrawal = |made: &str| Withdrawal { of: of(made), reason: reason.clone() };
    let (announced, withdrawn, again) =
        ("2026-11-27T19:00:00Z", "2026-11-27T19:10:00Z", "2026-11-27T19:20:00Z");
    let signed = withdrawal(withdrawn).sign(&practice).unwrap();
    let take_back = || rig.post("/v1/programs/withdraw", json!({"text": signed}));
    assert_eq!(take_back().await.0, 400, "nothing is announced yet");
    rig.post("/v1/programs", json!({"text": of(announced).sign(&practice).unwrap()})).await;
    let early = withdrawal("2026-11-27T18:59:59Z").sign(&practice).unwrap();
    let (status, answer) = rig.post("/v1/programs/withdraw", json!({"text": early})).await;
    assert!(status == 400 && answer.to_string().contains("look at the clock"), "{answer}");
    let size = || rig.app().ledger.published().checkpoint.checkpoint.size;
    let before = size();
    compare(rig.app()).await.unwrap();
    assert_eq!(size(), before, "an announced program is no act");

    assert_eq!(take_back().await, (200, json!({"withdrawn": Hash::of(GOOD).to_hex()})));
    let said = runs(&rig, "ws-01").await;
    expect!["It runs version 0.2.0, which was withdrawn on Friday 27 November, 14:10 (EST): it loses events after a suspend."]
        .assert_eq(&said);
    let (_, listed) = rig.get("/v1/programs").await;
    assert_eq!(listed["programs"][0]["withdrawn"]["reason"], reason);
    let before = size();
    compare(rig.app()).await.unwrap();
    compare(rig.app()).await.unwrap();
    assert_eq!(size(), before + 1, "one act, once");
    // The announcement that was taken back is not taken in once more; one that is made later counts.
    let (status, answer) =
        rig.post("/v1/programs", json!({"text": of(announced).sign(&practice).unwrap()})).await;
    assert!(status == 400 && answer.to_string().contains("was withdrawn at"), "{answer}");
    rig.post("/v1/programs", json!({"text": of(again).sign(&practice).unwrap()})).await;
    assert_eq!(runs(&rig, "ws-01").await, "It runs a program that was announced: version 0.2.0.");
    let before = size();
    compare(rig.app()).await.unwrap();
    assert_eq!(size(), before);
    // And withdrawn again, it is said again.
    let signed = withdrawal("2026-11-27T19:30:00Z").sign(&practice).unwrap();
    rig.post("/v1/programs/withdraw", json!({"text": signed})).await;
    let before = size();
    compare(rig.app()).await.unwrap();
    assert_eq!(size(), before + 1);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_without_the_practice_key_withdraws_nothing() {
    let (rig, practice) = rig().await;
    rig.entries("ws-01", &[health(GOOD)]).await;
    let signed = announcement(&rig, GOOD).sign(&practice).unwrap();
    rig.post("/v1/programs", json!({"text": signed})).await;
    let slug = rig.app().trust.now().0.slug.clone();
    let other = NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &[9; 32]).unwrap();
    let withdrawal = Withdrawal { of: announcement(&rig, GOOD), reason: "none".to_owned() };
    let forged = withdrawal.sign(&other).unwrap();
    assert_eq!(rig.post("/v1/programs/withdraw", json!({"text": forged})).await.0, 400);
    // Whoever holds the collector's key can write the act itself.
    let body = json!({"step": "withdrawn", "text": forged, "program": Hash::of(GOOD).to_hex()});
    let forged = act::event(act::kind::PROGRAM, rig.app().ledger.now(), body);
    let _appended = rig.app().ledger.act(vec![forged]).await.unwrap();
    assert_eq!(runs(&rig, "ws-01").await, "It runs a program that was announced: version 0.2.0.");
    rig.end().await;
}

#[test]
fn since_is_when_the_machine_first_said_so_without_another_in_between() {
    let mark = |number, program: &str| Mark {
        number,
        received_unix_ns: 1_795_208_400_000_000_000 + i64::try_from(number).unwrap() * 1_000_000_000,
        facts: Facts { binary_sha256: Some(program.to_owned()), ..Facts::default() },
        test: None,
    };
    let slug = ntk_evidence::name::Slug::parse("maple-street.b62e867f").unwrap();
    let one = Announcement {
        slug,
        version: "1".into(),
        platform: "p".into(),
        made: String::new(),
        program: Hash::of(b"good"),
        packages: Vec::new(),
    };
    let announced = [Known { announcement: one, text: "", withdrawn: None }];
    let marks = [mark(0, "x"), mark(1, "y"), mark(2, "x"), mark(3, "x")];
    let Runs::NotAnnounced { since, .. } = Runs::of(&announced, Some("x"), &marks) else { panic!() };
    assert_eq!(since.as_deref(), Some("2026-11-20T21:00:02Z"));
    assert_eq!(Runs::of(&announced, None, &marks), Runs::NotCompared);
    assert_eq!(Runs::of(&[], Some("x"), &marks), Runs::NotCompared);
}
