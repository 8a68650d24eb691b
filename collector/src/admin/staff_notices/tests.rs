//! A notice is published, acknowledged in three ways, and asked for again with a new version.

use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::people::rig::{acts, chen, form, mary, page, practice};

async fn refused(rig: &Rig, path: &str, body: Value, says: &str) {
    let (status, body) = rig.post(path, body).await;
    assert!(status >= 400 && body["error"].as_str().unwrap_or_default().contains(says), "{says}: {body}");
}

async fn done(rig: &Rig, path: &str, body: Value) -> Value {
    let (status, body) = rig.post(path, body).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

async fn missing(rig: &Rig) -> Vec<String> {
    let (_, body) = rig.get("/v1/staff-notice/list").await;
    let rows = body["notices"][0]["missing"].as_array().unwrap();
    rows.iter().map(|row| row["person"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_acknowledged_by_passphrase_link_and_paper_and_a_new_version_asks_again() {
    let rig = practice().await;
    refused(&rig, "/v1/staff-notice/acknowledge", mary(json!({})), "no staff notice is in force").await;
    refused(&rig, "/v1/staff-notice", json!({"by": "mary"}), "has a passphrase").await;
    let published = done(&rig, "/v1/staff-notice", mary(json!({}))).await;
    assert_eq!(
        (&published["version"], &published["missing"]),
        (&json!("1"), &json!(["mary", "drchen", "sam"]))
    );

    done(&rig, "/v1/staff-notice/acknowledge", mary(json!({}))).await;
    refused(&rig, "/v1/staff-notice/acknowledge", mary(json!({})), "already").await;
    refused(&rig, "/v1/staff-notice/acknowledge", json!({"by": "sam"}), "has no passphrase").await;
    let paper = |person: &str, on: &str| json!({"person": person, "on": on});
    refused(&rig, "/v1/staff-notice/paper", mary(paper("mary", "2026-11-20")), "another person").await;
    refused(&rig, "/v1/staff-notice/paper", mary(paper("drchen", "2026-12-20")), "yet to come").await;
    done(&rig, "/v1/staff-notice/paper", mary(paper("drchen", "2026-11-20"))).await;

    let link = done(&rig, "/v1/staff-notice/link", mary(json!({"person": "sam"}))).await;
    let path = link["path"].as_str().unwrap().to_owned();
    let (status, shown) = page(&rig, &path).await;
    assert!(status == 200 && shown.contains("How access is recorded at Maple Street"), "{shown}");
    let (status, shown) = form(&rig, &path, "").await;
    assert!(status == 400 && shown.contains("Tick the box"), "{shown}");
    assert_eq!(missing(&rig).await, ["sam"]);
    assert_eq!(form(&rig, &path, "read=yes").await.0, 200);
    assert_eq!(form(&rig, &path, "read=yes").await.0, 410);
    assert!(missing(&rig).await.is_empty());
    let how: Vec<Value> =
        acts(&rig, "act_staff_notice").await.iter().filter_map(|act| act.get("how").cloned()).collect();
    assert_eq!(how, ["passphrase", "paper", "link"]);

    // A link to the version before opens nothing once there is a new one.
    refused(&rig, "/v1/staff-notice/link", mary(json!({"person": "sam"})), "already").await;
    done(&rig, "/v1/staff-notice", mary(json!({"text": "# New\n\nShort.\n", "version": "2026-12"}))).await;
    assert_eq!(missing(&rig).await, ["mary", "drchen", "sam"]);
    let old = done(&rig, "/v1/staff-notice/link", mary(json!({"person": "sam"}))).await;
    refused(&rig, "/v1/staff-notice", mary(json!({"text": "x", "version": "1"})), "there was a version `1`")
        .await;
    refused(&rig, "/v1/staff-notice", mary(json!({"text": "a\u{202e}b"})), "line 1 of the text").await;
    done(&rig, "/v1/staff-notice", chen(json!({"text": "# Newer\n"}))).await;
    let (status, shown) = page(&rig, old["path"].as_str().unwrap()).await;
    assert!(status == 410 && shown.contains("taken this link back"), "{shown}");
    let (_, report) = rig.post("/v1/report", json!({})).await;
    assert!(
        report["html"]
            .as_str()
            .unwrap()
            .contains("3 people have not acknowledged the staff notice, version 3"),
        "the week’s review says so"
    );
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_are_asked_by_their_own_notice_and_a_script_in_a_text_stays_text() {
    let rig = practice().await;
    let text = "# Access <script>alert(1)</script>\n\nWe record.\n";
    let body = mary(json!({"notice": "vendor_contract", "text": text}));
    assert_eq!(done(&rig, "/v1/staff-notice", body).await["missing"], json!(["northwind"]));
    let link = mary(json!({"notice": "vendor-contract", "person": "northwind"}));
    let link = done(&rig, "/v1/staff-notice/link", link).await;
    let (status, shown) = page(&rig, link["path"].as_str().unwrap()).await;
    assert!(status == 200 && !shown.contains("<script>") && shown.contains("&#60;script&#62;"), "{shown}");
    refused(&rig, "/v1/staff-notice", mary(json!({"notice": "dogs"})), "`dogs` is no notice").await;
    rig.end().await;
}
