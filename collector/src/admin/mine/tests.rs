//! What people see of what is recorded about themselves: nothing until it is allowed, and never another's.

use serde_json::{Value, json};

use crate::people::rig::{acts, mary, practice};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_their_own_entries_once_it_is_allowed_and_neither_findings_nor_others() {
    let rig = practice().await;
    let (status, body) = rig.get("/v1/mine?person=mary").await;
    assert!(status == 403 && body["error"].as_str().unwrap().contains("does not show people"), "{body}");
    let set = |allowed: bool| mary(json!({"allowed": allowed}));
    let (status, body) = rig.post("/v1/self-view", json!({"allowed": true, "by": "mary"})).await;
    assert_eq!(status, 401, "{body}");
    let (status, body) = rig.post("/v1/self-view", set(false)).await;
    assert!(status == 400 && body["error"].as_str().unwrap().contains("already"), "{body}");
    assert_eq!(rig.post("/v1/self-view", set(true)).await.0, 200);
    let (status, body) = rig.get("/v1/mine?person=mary").await;
    assert_eq!(status, 200, "{body}");
    let mine = &body["mine"];
    assert_eq!((&mine["n_entries"], mine["rows"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(
        (&mine["rows"][0]["what"], &mine["rows"][0]["computer"]),
        (&json!("opened for reading"), &json!("ws-01"))
    );
    let all = body.to_string();
    for other in ["itadmin1", "northwind", "finding", "unexplained", "never", "manager/1"] {
        assert!(!all.contains(other), "{other} in {all}");
    }
    assert_eq!(rig.get("/v1/mine?person=sam").await.1["mine"]["n_entries"], 0);
    for (query, status) in [("person=nobody", 404), ("person=mary&days=32", 400), ("person=mary&days=0", 400)]
    {
        assert_eq!(rig.get(&format!("/v1/mine?{query}")).await.0, status, "{query}");
    }
    let looked: Vec<Value> = acts(&rig, "act_viewed")
        .await
        .into_iter()
        .filter(|act| act["what"] == "what is recorded about oneself")
        .collect();
    assert_eq!(looked.len(), 2);
    let rig = rig.again("2026-11-27T20:00:00Z").await;
    assert_eq!(rig.post("/v1/self-view", set(false)).await.0, 200);
    assert_eq!(rig.get("/v1/mine?person=mary").await.0, 403);
    rig.end().await;
}
