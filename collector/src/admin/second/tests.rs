//! Naming, declining and replacing the second reviewer; and who then sees and decides what.

use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::people::rig::{CHENS, acts, chen, finding_about, mary, practice, signed, with_second};

async fn refused(rig: &Rig, path: &str, body: Value, says: &str) {
    let (status, body) = rig.post(path, body).await;
    assert!(status >= 400 && body["error"].as_str().unwrap_or_default().contains(says), "{says}: {body}");
}

const SECOND: &str = "/v1/second-reviewer";

#[tokio::test(flavor = "multi_thread")]
async fn the_second_reviewer_is_another_person_with_a_passphrase_and_agrees_to_being_replaced() {
    let rig = practice().await;
    let (_, body) = rig.get(SECOND).await;
    assert!(body["sentence"].as_str().unwrap().contains("There is no second reviewer"), "{body}");
    refused(&rig, SECOND, json!({"person": "drchen", "by": "mary"}), "has a passphrase").await;
    refused(&rig, SECOND, mary(json!({"person": "mary"})), "another person").await;
    refused(&rig, SECOND, mary(json!({"person": "sam"})), "has no passphrase yet").await;
    refused(&rig, SECOND, mary(json!({"person": "bea"})), "has left").await;
    refused(&rig, SECOND, mary(json!({"person": "zoe"})), "nobody in the roster").await;
    refused(&rig, SECOND, mary(json!({})), "name a person").await;
    refused(&rig, SECOND, chen(json!({"person": "drchen"})), "may not name").await;
    refused(&rig, SECOND, mary(json!({"decline": " "})), "write 1 to").await;
    let (status, body) = rig.post(SECOND, mary(json!({"decline": "there are two of us"}))).await;
    assert!(status == 200 && body["sentence"].as_str().unwrap().contains("two of us"), "{body}");
    let (status, _) = rig.post(SECOND, mary(json!({"person": "drchen"}))).await;
    assert_eq!(status, 200);

    // From now on Mary alone neither replaces nor declines.
    refused(&rig, SECOND, mary(json!({"decline": "not any more"})), "agrees to a change").await;
    refused(
        &rig,
        SECOND,
        mary(json!({"person": "drchen", "second_passphrase": "not the right one"})),
        "not the passphrase",
    )
    .await;
    let before = acts(&rig, "act_second_reviewer").await.len();
    let (status, body) =
        rig.post(SECOND, mary(json!({"decline": "he moves away", "second_passphrase": CHENS}))).await;
    assert_eq!(status, 200, "{body}");
    let all = acts(&rig, "act_second_reviewer").await;
    assert_eq!((before, all.len(), &all[2]["agreed"]), (2, 3, &json!("drchen")));
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reviewer_who_is_replaced_without_agreement_is_said_in_every_review() {
    let rig = with_second().await;
    let (status, _) =
        rig.post("/v1/reviewers/passphrase", json!({"person": "sam", "new": "desk at the window"})).await;
    assert_eq!(status, 200);
    let (status, body) =
        rig.post(SECOND, mary(json!({"person": "sam", "because": "he cannot be reached"}))).await;
    assert!(status == 200 && body["sentence"].as_str().unwrap().contains("without the agreement"), "{body}");
    for _ in 0..2 {
        let (status, body) = rig.post("/v1/report", json!({})).await;
        assert_eq!(status, 200, "{body}");
        assert!(body["html"].as_str().unwrap().contains("became second reviewer without the agreement"));
    }
    rig.end().await;
}

// SR-1 and ST-2.
#[tokio::test(flavor = "multi_thread")]
async fn the_managers_own_findings_are_decided_by_the_second_reviewer_alone_and_hidden_from_the_manager() {
    let rig = with_second().await;
    let (status, _) =
        rig.post("/v1/reviewers/passphrase", json!({"person": "sam", "new": "desk at the window"})).await;
    assert_eq!(status, 200);
    let (hers, firms) = (finding_about(&rig, "mary").await, finding_about(&rig, "northwind").await);
    let decide = |body: Value| {
        let what = json!({"step": "decided", "decision": "expected", "because": "We agreed on it."});
        let mut body = body;
        body["what"] = what;
        body
    };
    let path = format!("/v1/findings/{hers}/step");
    refused(&rig, &path, decide(mary(json!({}))), "nobody decides about themselves").await;
    refused(&rig, &path, decide(signed(json!({}), "sam", "desk at the window")), "only the second reviewer")
        .await;
    let list = async |viewer: &str| {
        let (status, body) = rig.get(&format!("/v1/findings?viewer={viewer}")).await;
        assert_eq!(status, 200, "{body}");
        body.to_string()
    };
    assert!(!list("mary").await.contains(&hers) && list("mary").await.contains(&firms));
    assert!(list("drchen").await.contains(&hers));
    assert!(!list("northwind").await.contains(&firms));
    let one = async |id: &str, viewer: &str| rig.get(&format!("/v1/findings/{id}?viewer={viewer}")).await;
    let (status, hidden) = one(&hers, "mary").await;
    assert_eq!(status, 403);
    assert!(hidden["error"].as_str().unwrap().starts_with("This finding is about you"), "{hidden}");
    assert_eq!(one(&hers, "drchen").await.0, 200);
    let (status, body) = rig.post(&path, decide(chen(json!({})))).await;
    assert!(status == 200 && body["state"] == "expected", "{body}");
    // Others' findings are decided as before.
    let (status, body) = rig.post(&format!("/v1/findings/{firms}/step"), decide(mary(json!({})))).await;
    assert_eq!(status, 200, "{body}");
    rig.end().await;
}
