//! A question goes out by link and on paper and comes back; and every way in which it must not.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::desk::rig::Rig;
use crate::people::rig::{acts, chen, finding_about, form, mary, page, practice, web};

async fn ask(rig: &Rig, about: &str, way: Value) -> Value {
    let id = finding_about(rig, about).await;
    let what = json!({"what": {"step": "asked", "question": "What was <b>this</b> for?", "way": way}});
    // Nobody puts questions about themselves.
    let what = if about == "mary" { chen(what) } else { mary(what) };
    let (status, body) = rig.post(&format!("/v1/findings/{id}/step"), what).await;
    assert_eq!(status, 200, "{body}");
    body["link"].clone()
}

async fn step(rig: &Rig, about: &str, body: Value) -> (u16, Value) {
    let id = finding_about(rig, about).await;
    rig.post(&format!("/v1/findings/{id}/step"), body).await
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap()
}

async fn answered(rig: &Rig) -> Vec<Value> {
    let steps = acts(rig, "act_finding_step").await;
    steps.into_iter().filter(|step| step["step"] == "answered").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_by_a_link_that_works_once_and_says_whether_a_code_came_with_it() {
    let rig = practice().await;
    // The firm has the role that runs the machines: a code goes another way, whatever whoever asks says.
    let link = ask(&rig, "northwind", json!({"link": true, "runs_mail": false})).await;
    assert_eq!(
        (text(&link, "id"), text(&link, "to"), &link["needs_code"]),
        ("L-1", "northwind", &json!(true))
    );
    let (path, code) = (text(&link, "path").to_owned(), text(&link, "code").to_owned());
    let token = path.rsplit('/').next().unwrap().to_owned();

    // Mail programs open links by themselves: that spends nothing, and is an act once.
    for _ in 0..3 {
        let (status, shown) = page(&rig, &path).await;
        assert_eq!(status, 200);
        for part in [
            "What was &#60;b&#62;this&#60;/b&#62; for?",
            "never taken as an admission",
            "Northwind IT",
            "Mary Lopez",
            "works once",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains(&code) && !shown.contains("<b>this"), "{shown}");
    }
    let answers = async |fields: &str| form(&rig, &path, fields).await;
    let (status, shown) = answers("answer=+%0D%0A&code=").await;
    assert!(status == 400 && shown.contains("Write an answer"), "{shown}");
    let (status, shown) = answers("answer=The+migration.&code=00000-00000").await;
    assert!(status == 400 && shown.contains("not the code") && shown.contains("The migration."), "{shown}");
    let (status, shown) = answers(&format!("answer={}&code=", "x".repeat(2001))).await;
    assert!(status == 400 && shown.contains("at most 2000"), "{shown}");
    assert!(answered(&rig).await.is_empty(), "nothing of that was taken");
    let (status, shown) =
        answers(&format!("answer=The+migration%2C+%E2%80%AEas+%3Cagreed%3E.&code={}", code.to_lowercase()))
            .await;
    assert!(
        status == 200 && shown.contains("kept as you wrote it") && !shown.contains("not confirmed"),
        "{shown}"
    );

    // A link that was used opens nothing, sends nothing, and says so.
    for (status, shown) in [page(&rig, &path).await, answers("answer=Another+one.&code=").await] {
        assert!(status == 410 && shown.contains("used already"), "{shown}");
    }
    let given = answered(&rig).await;
    assert_eq!(given.len(), 1);
    assert_eq!(given[0]["answer"], "The migration, as <agreed>.");
    assert_eq!((&given[0]["by"], &given[0]["proof"]), (&json!("northwind"), &json!("link")));
    assert_eq!(
        given[0]["given"],
        json!({"how": "link", "link": "L-1", "from": "northwind", "confirmed": "by_code"})
    );
    let opened = acts(&rig, "act_link").await;
    assert_eq!(opened.iter().filter(|step| step["step"] == "opened").count(), 1);
    let all = format!("{:?}{:?}", acts(&rig, "act_link").await, acts(&rig, "act_finding_step").await);
    assert!(
        !all.contains(&token) && !all.contains(&code) && !all.contains(&code.replace('-', "")),
        "no secret in the ledger"
    );

    // It is the same after a new start, from the ledger alone.
    let rig = rig.again("2026-11-27T19:10:00Z").await;
    let (status, shown) = page(&rig, &path).await;
    assert!(status == 410 && shown.contains("used already"), "{shown}");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_code_the_answer_is_marked_and_without_an_answer_nothing_is_decided() {
    let rig = practice().await;
    let link = ask(&rig, "northwind", json!({"link": true})).await;
    // Two ask at once with one link: one is taken.
    let path = text(&link, "path");
    let (one, other) =
        tokio::join!(form(&rig, path, "answer=One.&code="), form(&rig, path, "answer=Two.&code="));
    let mut statuses = [one.0, other.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);
    assert!([one.1, other.1].concat().contains("marked as not confirmed"));
    let given = answered(&rig).await;
    assert_eq!((given.len(), &given[0]["given"]["confirmed"]), (1, &json!("no")));
    let id = finding_about(&rig, "northwind").await;
    let (_, body) = rig.get(&format!("/v1/findings/{id}")).await;
    assert_eq!(body["incident"]["state"], "answered", "an answer judges nothing by itself");
    // No answer leaves a question a question.
    let rig = {
        let _ = ask(&rig, "mary", json!({"link": true, "to": "sam"})).await;
        rig.again("2026-12-20T19:00:00Z").await
    };
    let id = finding_about(&rig, "mary").await;
    let (_, body) = rig.get(&format!("/v1/findings/{id}")).await;
    assert_eq!(body["incident"]["state"], "asked");
    assert_eq!(body["incident"]["state_in_words"], "asked, no answer yet");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_guessed_withdrawn_or_over_opens_nothing_and_an_answer_undoes_no_decision() {
    let rig = practice().await;
    let first = ask(&rig, "northwind", json!({"link": true, "days": 1})).await;
    let second = ask(&rig, "northwind", json!({"link": true, "days": 2})).await;
    let third = ask(&rig, "northwind", json!({"link": true})).await;
    let good = text(&third, "path");
    let other = if good.ends_with('A') { "B" } else { "A" };
    let guessed = format!("{}{other}", &good[..good.len() - 1]);
    for path in [guessed.as_str(), "/a/short", "/a/L-3", &format!("/a/{}", "A".repeat(43))] {
        assert_eq!(page(&rig, path).await.0, 404, "{path}");
        assert_eq!(form(&rig, path, "answer=x&code=").await.0, 404, "{path}");
    }
    let (status, body) = rig.post("/v1/links/withdraw", mary(json!({"id": text(&second, "id")}))).await;
    assert_eq!(status, 200, "{body}");
    let (status, body) = rig.post("/v1/links/withdraw", mary(json!({"id": text(&second, "id")}))).await;
    assert!(status == 400 && body["error"].as_str().unwrap().contains("taken this link back"), "{body}");
    let (status, shown) = form(&rig, text(&second, "path"), "answer=x&code=").await;
    assert!(status == 410 && shown.contains("taken this link back"), "{shown}");

    let decided = json!({"step": "decided", "decision": "escalated", "because": "Counsel looks."});
    let (status, body) = step(&rig, "northwind", mary(json!({"what": decided}))).await;
    assert_eq!(status, 200, "{body}");
    let rig = rig.again("2026-11-28T19:00:01Z").await;
    let (status, shown) = form(&rig, text(&first, "path"), "answer=x&code=").await;
    assert!(status == 410 && shown.contains("time for this link is over"), "{shown}");
    assert_eq!(form(&rig, good, "answer=Late.&code=").await.0, 200, "what comes later is kept");
    let id = finding_about(&rig, "northwind").await;
    let (_, body) = rig.get(&format!("/v1/findings/{id}")).await;
    assert_eq!(body["incident"]["state"], "escalated", "and undoes no decision");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_on_paper_names_who_typed_it_in_and_without_the_forms_code_it_is_not_confirmed() {
    let rig = practice().await;
    let made = ask(&rig, "northwind", json!({"paper": true})).await;
    assert!(made["path"].is_null(), "a form is no link");
    let (paper, code) = (text(&made, "form"), text(&made, "code"));
    for part in [code, "never taken as an admission", "Form L-1", "Northwind IT", "What was <b>this</b> for?"]
    {
        assert!(paper.contains(part), "{part} in {paper}");
    }
    assert!(text(&made, "form_html").contains("&#60;b&#62;this"));
    let typed = |paper: Value| json!({"step": "answered", "answer": "We moved mail.", "paper": paper});
    let refused = async |body: Value, says: &str| {
        let (status, body) = step(&rig, "northwind", body).await;
        assert!(status >= 400 && body["error"].as_str().unwrap_or_default().contains(says), "{says}: {body}");
    };
    refused(mary(json!({"what": typed(json!({"code": "AAAAA-AAAAA"}))})), "not the code of an open form")
        .await;
    refused(
        mary(json!({"what": typed(json!({"code": code, "from": "sam"}))})),
        "not the code of an open form of sam",
    )
    .await;
    refused(json!({"what": typed(json!({})), "by": "northwind"}), "no passphrase").await;
    refused(json!({"what": typed(json!({})), "by": "mary"}), "has a passphrase").await;
    refused(mary(json!({"what": typed(json!({"from": "mary"}))})), "an answer of their own").await;
    let (status, body) = step(&rig, "northwind", chen(json!({"what": typed(json!({"code": code}))}))).await;
    assert_eq!(status, 200, "{body}");
    // The form is spent, and a copy of it is worth no more than a word.
    refused(mary(json!({"what": typed(json!({"code": code}))})), "not the code of an open form").await;
    let (status, body) = step(&rig, "northwind", mary(json!({"what": typed(json!({}))}))).await;
    assert_eq!(status, 200, "{body}");
    let confirmed: Vec<(Value, Value, Value)> = answered(&rig)
        .await
        .iter()
        .map(|step| (step["by"].clone(), step["given"]["from"].clone(), step["given"]["confirmed"].clone()))
        .collect();
    let row = |by: &str, confirmed: &str| (json!(by), json!("northwind"), json!(confirmed));
    assert_eq!(confirmed, [row("drchen", "by_code"), row("mary", "no")]);
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_run_out_and_what_is_odd_is_answered_calmly() {
    let rig = practice().await;
    let link = ask(&rig, "northwind", json!({"link": true})).await;
    let path = text(&link, "path");
    for n in 0..5 {
        let (status, shown) = form(&rig, path, &format!("answer=x&code=AAAAA-AAAA{n}")).await;
        assert!(status == 400 && shown.contains("not the code"), "{n}: {shown}");
    }
    let fields = format!("answer=x&code={}", text(&link, "code"));
    let (status, shown) = form(&rig, path, &fields).await;
    assert!(status == 400 && shown.contains("Too many wrong codes"), "{shown}");
    for odd in [
        "",
        "answer",
        "answer=%FF%FE&code=%",
        &format!("answer={}", "x".repeat(40_000)),
        "code=x&answer=a&answer=b",
    ] {
        let (status, _) = form(&rig, path, odd).await;
        assert!(
            status == 400 || status == 413 || (odd.contains("%FF") && status == 200),
            "{status} for {odd:.40}"
        );
    }
    let put = Request::put(path).body(Body::empty()).unwrap();
    assert_eq!(web(&rig, put).await.status(), 405);
    let opened = web(&rig, Request::get(path).body(Body::empty()).unwrap()).await;
    for (name, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert!(opened.headers()[name].to_str().unwrap().contains(value), "{name}");
    }
    assert!(opened.headers().get("set-cookie").is_none());
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_bounded_in_days_and_go_to_another_person_in_the_roster() {
    let rig = practice().await;
    let ask = async |way: Value, says: &str| {
        let what = json!({"step": "asked", "question": "What was this for?", "way": way});
        let (status, body) = step(&rig, "northwind", mary(json!({"what": what}))).await;
        assert!(status >= 400 && body["error"].as_str().unwrap().contains(says), "{body}");
    };
    ask(json!({"link": true, "days": 0}), "at least 1").await;
    ask(json!({"link": true, "days": 61}), "at most 60").await;
    ask(json!({"link": true, "to": "nobody"}), "nobody in the roster").await;
    ask(json!({"link": true, "to": "mary"}), "nobody puts a question to themselves").await;
    assert!(acts(&rig, "act_link").await.is_empty(), "and no question was put by that");
    assert!(acts(&rig, "act_finding_step").await.is_empty());
    let (_, body) = rig.get("/v1/links").await;
    assert_eq!(body["links"].as_array().unwrap().len(), 0);
    rig.end().await;
}
