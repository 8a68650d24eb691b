//! An assessment begins from a finding, is noted on and ends; the review counts its days.

use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::people::rig::{acts, chen, finding_about, mary, practice};

async fn refused(rig: &Rig, path: &str, body: Value, says: &str) {
    let (status, body) = rig.post(path, body).await;
    assert!(status >= 400 && body["error"].as_str().unwrap_or_default().contains(says), "{says}: {body}");
}

async fn done(rig: &Rig, path: &str, body: Value) -> Value {
    let (status, body) = rig.post(path, body).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assessment_goes_from_a_finding_to_its_end_and_the_review_counts_the_days() {
    let rig = practice().await;
    let (firms, hers) = (finding_about(&rig, "northwind").await, finding_about(&rig, "mary").await);
    let start = |finding: &str, on: &str| {
        mary(json!({"finding": finding, "discovered": on, "because": "A mailbox was opened."}))
    };
    refused(&rig, "/v1/breach", start("ffffffff", "2026-11-27"), "there is no finding").await;
    refused(&rig, "/v1/breach", start(&firms, "2026-11-28"), "yet to come").await;
    refused(&rig, "/v1/breach", start(&firms, "2026-11-24"), "before the first access").await;
    refused(&rig, "/v1/breach", start(&hers, "2026-11-27"), "nobody assesses themselves").await;
    // The access was on the evening of the 25th in New York; the days are the practice's.
    let begun = done(&rig, "/v1/breach", start(&firms, "2026-11-25")).await;
    assert_eq!(
        (&begun["assessment"]["id"], &begun["due"], &begun["days_left"]),
        (&json!("A-1"), &json!("2027-01-24"), &json!(58))
    );
    refused(&rig, "/v1/breach", start(&firms, "2026-11-27"), "`A-1` is about this finding").await;

    let note = |body: Value| {
        let mut body = mary(body);
        body["id"] = json!("A-1");
        body
    };
    refused(
        &rig,
        "/v1/breach/note",
        note(json!({"text": "x", "factor": "viewed"})),
        "a factor comes with what it says",
    )
    .await;
    refused(&rig, "/v1/breach/note", note(json!({"text": " "})), "write 1 to").await;
    done(&rig, "/v1/breach/note", note(json!({"text": "Counted.", "people": 612}))).await;
    let (_, report) = rig.post("/v1/report", json!({})).await;
    let html = report["html"].as_str().unwrap();
    assert!(
        html.contains("58 days left, until 2027-01-24") && html.contains("612 people concerned"),
        "one line in the review"
    );
    let close = |outcome: &str| note(json!({"outcome": outcome, "because": "All is said."}));
    refused(&rig, "/v1/breach/close", close("low_probability"), "nothing is noted on").await;
    for factor in ["information", "recipient", "viewed", "mitigated"] {
        done(
            &rig,
            "/v1/breach/note",
            note(json!({"text": "As the log shows.", "factor": factor, "says": "low"})),
        )
        .await;
    }
    done(&rig, "/v1/breach/close", close("low_probability")).await;
    refused(&rig, "/v1/breach/close", close("notified"), "is closed").await;
    let (_, all) = rig.get("/v1/breach").await;
    assert_eq!(
        (&all["assessments"][0]["assessment"]["outcome"], &all["assessments"][0]["days_left"]),
        (&json!("low_probability"), &Value::Null)
    );
    let about: Vec<Value> = acts(&rig, "act_breach").await.iter().map(|act| act["about"].clone()).collect();
    assert!(about.len() == 7 && about.iter().all(|about| about == "northwind"), "{about:?}");
    // Hers is assessed by somebody else.
    let mut begun = chen(json!({"finding": hers, "because": "A mailbox was opened."}));
    assert_eq!(done(&rig, "/v1/breach", begun.take()).await["assessment"]["id"], "A-2");
    refused(
        &rig,
        "/v1/breach/note",
        mary(json!({"id": "A-2", "text": "Nothing."})),
        "nobody assesses themselves",
    )
    .await;
    let rig = rig.again("2027-02-10T15:00:00Z").await;
    let (_, all) = rig.get("/v1/breach").await;
    assert!(all["assessments"][1]["sentence"].as_str().unwrap().contains("PAST by 15 days"), "{all}");
    rig.end().await;
}
