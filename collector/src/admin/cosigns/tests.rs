//! What waits for a second signature, what does not, and what a signature cannot be used for.

use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::people::rig::{CHENS, MARYS, acts, chen, mary, practice, signed, with_second};

async fn refused(rig: &Rig, path: &str, body: Value, says: &str) {
    let (status, body) = rig.post(path, body).await;
    assert!(status >= 400 && body["error"].as_str().unwrap_or_default().contains(says), "{says}: {body}");
}

async fn done(rig: &Rig, path: &str, body: Value) -> Value {
    let (status, body) = rig.post(path, body).await;
    assert!(status < 300, "{path}: {body}");
    body
}

async fn leave_of(rig: &Rig, person: &str) -> Value {
    let (_, body) = rig.get(&format!("/v1/departure?person={person}")).await;
    body["leave_date"].clone()
}

async fn table(rig: &Rig) -> String {
    rig.get("/v1/policy").await.1["text"].as_str().unwrap().to_owned()
}

fn id(body: &Value) -> String {
    body["pending"]["id"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

fn sign(body: &Value) -> Value {
    json!({"id": body["pending"]["id"], "sha256": body["pending"]["sha256"]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_date_holds_at_once_and_taking_it_back_waits() {
    let rig = with_second().await;
    let body = done(&rig, "/v1/leave", mary(json!({"person": "sam", "on": "2026-12-24"}))).await;
    assert_eq!(leave_of(&rig, "sam").await, "2026-12-24", "the safe side does not wait");
    assert!(body["pending"]["at_once"].is_string(), "{body}");
    done(&rig, "/v1/cosign/sign", chen(sign(&body))).await;
    let back = done(&rig, "/v1/leave", mary(json!({"person": "sam", "withdraw": true}))).await;
    assert_eq!(leave_of(&rig, "sam").await, "2026-12-24", "the other side does");
    refused(&rig, "/v1/cosign/sign", mary(sign(&back)), "asked for this; somebody else signs").await;
    done(&rig, "/v1/cosign/sign", chen(sign(&back))).await;
    assert_eq!(leave_of(&rig, "sam").await, Value::Null);
    let roster = acts(&rig, "act_roster").await;
    let last = roster.last().unwrap();
    assert_eq!(
        (&last["by"], &last["second"], &last["cosign"]),
        (&json!("mary"), &json!("drchen"), &json!("C-2"))
    );
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_signs_or_declines_what_is_about_their_own_leave_date() {
    let rig = with_second().await;
    let leaves = done(&rig, "/v1/leave", mary(json!({"person": "drchen", "on": "2026-12-24"}))).await;
    let says = "nobody signs or declines what is about their own leave date";
    refused(&rig, "/v1/cosign/sign", chen(sign(&leaves)), says).await;
    let no = json!({"id": id(&leaves), "because": "I stay."});
    refused(&rig, "/v1/cosign/decline", chen(no), says).await;
    assert_eq!(leave_of(&rig, "drchen").await, "2026-12-24");
    let back = done(&rig, "/v1/leave", mary(json!({"person": "drchen", "withdraw": true}))).await;
    refused(&rig, "/v1/cosign/sign", chen(sign(&back)), says).await;
    assert_eq!(leave_of(&rig, "drchen").await, "2026-12-24");
    // Whoever asked may take back what they asked for.
    done(&rig, "/v1/cosign/decline", mary(json!({"id": id(&back), "because": "Asked too early."}))).await;
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leave_date_that_is_declined_is_withdrawn_and_one_that_nobody_signs_stays_and_is_said() {
    let rig = with_second().await;
    let body = done(&rig, "/v1/leave", mary(json!({"person": "sam", "on": "2026-12-24"}))).await;
    let no = json!({"id": id(&body), "because": "He stays."});
    refused(&rig, "/v1/cosign/decline", signed(no.clone(), "sam", "desk at the window"), "no passphrase")
        .await;
    let declined = done(&rig, "/v1/cosign/decline", chen(no.clone())).await;
    assert_eq!((declined["withdrawn"].clone(), leave_of(&rig, "sam").await), (json!(true), Value::Null));
    refused(&rig, "/v1/cosign/decline", chen(no), "is over").await;
    refused(&rig, "/v1/cosign/sign", chen(sign(&body)), "is over").await;

    done(&rig, "/v1/leave", mary(json!({"person": "sam", "on": "2026-12-24"}))).await;
    let html = done(&rig, "/v1/report", json!({})).await["html"].as_str().unwrap().to_owned();
    assert!(html.contains("holds already and waits for a second signature"));
    let rig = rig.again("2026-12-05T19:00:00Z").await;
    let (_, body) = rig.get("/v1/cosign").await;
    assert_eq!((body["waiting"].as_array().unwrap().len(), body["lapsed"].as_array().unwrap().len()), (0, 1));
    assert_eq!(leave_of(&rig, "sam").await, "2026-12-24");
    let html = done(&rig, "/v1/report", json!({})).await["html"].as_str().unwrap().to_owned();
    assert!(html.contains("it holds on one person’s word"));
    rig.end().await;
}

// SR-2.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_waits_and_a_signature_is_for_this_text_over_that_table_once() {
    let rig = with_second().await;
    let (before, other) = (table(&rig).await, format!("{}\n# changed\n", table(&rig).await));
    let adopt = |text: &str| mary(json!({"text": text}));
    let one = done(&rig, "/v1/policy", adopt(&other)).await;
    let two = done(&rig, "/v1/policy", adopt(&format!("{before}\n# otherwise\n"))).await;
    assert_eq!(table(&rig).await, before, "both wait");
    let sign_path = "/v1/cosign/sign";
    refused(&rig, sign_path, signed(sign(&one), "drchen", MARYS), "not the passphrase").await;
    refused(
        &rig,
        sign_path,
        json!({"id": id(&one), "sha256": one["pending"]["sha256"], "by": "drchen"}),
        "signs with a passphrase",
    )
    .await;
    refused(&rig, sign_path, signed(sign(&one), "mary", MARYS), "somebody else signs").await;
    // The signature under one text, played under the other number.
    let replayed = json!({"id": id(&two), "sha256": one["pending"]["sha256"]});
    refused(&rig, sign_path, chen(replayed), "another text").await;
    let (_, shown) = rig.get(&format!("/v1/cosign/{}", id(&one))).await;
    assert_eq!(shown["sha256"], one["pending"]["sha256"]);
    assert!(shown["text"].as_str().unwrap().contains("# changed"));
    assert_eq!(table(&rig).await, before);

    done(&rig, sign_path, chen(sign(&one))).await;
    assert_eq!(table(&rig).await, other);
    let policy = acts(&rig, "act_policy").await;
    let last = policy.last().unwrap();
    assert_eq!(
        (&last["by"], &last["second"], &last["second_proof"]),
        (&json!("mary"), &json!("drchen"), &json!("passphrase"))
    );
    refused(&rig, sign_path, chen(sign(&one)), "is over").await;
    refused(&rig, sign_path, chen(sign(&two)), "the table has changed since").await;
    assert_eq!(table(&rig).await, other, "what was asked for over another table overwrites nothing");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_round_is_recorded_and_shown_and_two_together_need_none() {
    let rig = with_second().await;
    let (first, second) =
        (format!("{}\n# one\n", table(&rig).await), format!("{}\n# two\n", table(&rig).await));
    let alone =
        done(&rig, "/v1/policy", mary(json!({"text": first, "alone_because": "the server is down"}))).await;
    assert!(alone["pending"].is_null(), "{alone}");
    assert_eq!(table(&rig).await, first);
    assert_eq!(acts(&rig, "act_policy").await.last().unwrap()["alone_because"], "the server is down");
    let html = done(&rig, "/v1/report", json!({})).await["html"].as_str().unwrap().to_owned();
    assert!(html.contains("the server is down") && html.contains("waits for a second signature"));
    let (_, waiting) = rig.get("/v1/cosign").await;
    assert_eq!(waiting["waiting"][0]["at_once"], "the server is down");
    let both = json!({"text": second, "second": "drchen", "second_passphrase": CHENS});
    let both = done(&rig, "/v1/policy", mary(both)).await;
    assert!(both["pending"].is_null(), "{both}");
    assert_eq!(table(&rig).await, second);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_that_loosens_waits_and_one_that_does_not_comes_into_force() {
    let rig = with_second().await;
    let text = rig.get("/v1/roster").await.1["text"].as_str().unwrap().to_owned();
    let looser = text.replace("leave_date = \"2026-11-20\"", "");
    let body = done(&rig, "/v1/roster", mary(json!({"text": looser}))).await;
    assert!(body["pending"]["says"].as_str().unwrap().contains("the leave date of Bea Novak"), "{body}");
    assert_eq!(leave_of(&rig, "bea").await, "2026-11-20");
    let more = format!("{text}\n[[person]]\nid = \"zoe\"\nname = \"Zoe\"\nroles = [\"billing\"]\n");
    let now = done(&rig, "/v1/roster", mary(json!({"text": more}))).await;
    assert!(now["pending"].is_null(), "{now}");
    refused(&rig, "/v1/cosign/sign", chen(sign(&body)), "the roster has changed since").await;
    assert_eq!(leave_of(&rig, "bea").await, "2026-11-20");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_and_is_then_made_once_as_it_was_signed() {
    let rig = with_second().await;
    let question = json!({"person": "northwind", "case": "C-7", "from": "2026-11-20T00:00:00Z", "to": "2026-11-27T00:00:00Z"});
    refused(&rig, "/v1/export", question.clone(), "say who asks").await;
    let asked = done(&rig, "/v1/export", mary(question.clone())).await;
    assert!(acts(&rig, "act_export").await.is_empty(), "nothing was made");
    let mut with = question.clone();
    with["cosigned"] = json!(id(&asked));
    refused(&rig, "/v1/export", mary(with.clone()), "is not signed yet").await;
    done(&rig, "/v1/cosign/sign", chen(sign(&asked))).await;
    let mut wider = with.clone();
    wider["person"] = Value::Null;
    refused(&rig, "/v1/export", mary(wider), "another text").await;
    done(&rig, "/v1/export", mary(with.clone())).await;
    refused(&rig, "/v1/export", mary(with), "is over").await;
    let made = acts(&rig, "act_export").await;
    assert_eq!((made.len(), &made[0]["cosign"], &made[0]["by"]), (1, &json!("C-1"), &json!("mary")));
    // The way round.
    let mut alone = question;
    alone["alone_because"] = json!("the hearing is today");
    done(&rig, "/v1/export", mary(alone)).await;
    assert_eq!(acts(&rig, "act_export").await[1]["alone_because"], "the hearing is today");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_second_reviewer_nothing_waits_and_every_review_says_so() {
    let rig = practice().await;
    let body = done(&rig, "/v1/leave", mary(json!({"person": "sam", "on": "2026-12-24"}))).await;
    assert!(body["pending"].is_null(), "{body}");
    done(&rig, "/v1/leave", mary(json!({"person": "sam", "withdraw": true}))).await;
    assert_eq!(leave_of(&rig, "sam").await, Value::Null);
    let question = json!({"case": "C-7", "from": "2026-11-20T00:00:00Z", "to": "2026-11-27T00:00:00Z"});
    done(&rig, "/v1/export", question).await;
    assert!(acts(&rig, "act_cosign").await.is_empty());
    let html = done(&rig, "/v1/report", json!({})).await["html"].as_str().unwrap().to_owned();
    assert!(html.contains("There is no second reviewer"));
    refused(
        &rig,
        "/v1/cosign/sign",
        chen(json!({"id": "C-1", "sha256": "00"})),
        "there is no second reviewer",
    )
    .await;
    rig.end().await;
}
