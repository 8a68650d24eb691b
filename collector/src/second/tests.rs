//! Who decides about whom, and what a co-signature is bound to.

use expect_test::expect;
use serde_json::json;

use super::cosign::{CosignFault, CosignStep, Cosigns, Outcome, Pending, What, loosens};
use super::*;
use crate::policy::Policy;

const ROSTER: &str = include_str!("../../templates/roster-example.toml");

fn roster() -> Roster {
    Roster::parse(ROSTER).unwrap()
}

fn named(person: &str) -> Standing {
    Standing::Named { person: person.into(), since: "2026-11-01T00:00:00Z".into(), without_agreement: None }
}

// SR-1.
#[test]
fn who_approves_is_decided_about_by_the_second_reviewer_alone() {
    let policy = Policy::parse(Policy::template("small-practice").unwrap()).unwrap();
    let may = |by: &str, about: &str, standing: &Standing| {
        may_decide(by, [about], standing, &roster(), policy.tickets()).is_ok()
    };
    let second = named("drchen");
    assert!(may("drchen", "mary", &second));
    assert!(!may("northwind", "mary", &second));
    assert!(!may("sam", "mary", &second));
    // Others, and the second reviewer, are decided about as before.
    assert!(may("mary", "sam", &second) && may("mary", "drchen", &second));
    for without in [Standing::NotAsked, Standing::Declined { because: "small".into() }] {
        assert!(may("sam", "mary", &without));
    }
    let fault = may_decide("sam", ["bea", "mary"], &second, &roster(), policy.tickets()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "this is about Mary Lopez, who approves here: only the second reviewer, `drchen`, decides it"
    );
}

#[test]
fn each_standing_has_its_sentence_and_accuses_nobody() {
    let day = jiff::civil::date(2026, 11, 25);
    let mut all: Vec<Standing> = vec![
        Standing::of_init(&json!({})),
        Standing::of_init(&json!({"second_reviewer": {"named": "Dr. Chen"}})),
        Standing::of_init(&json!({"second_reviewer": {"declined": "two\n of us \u{202e}only"}})),
        named("drchen"),
        named("nobody"),
        named("bea"),
    ];
    let mut replaced = named("sam");
    replaced.apply(
        "2026-11-02T00:00:00Z",
        SecondStep::Named { person: "drchen".into(), agreed: None, because: Some("moved away".into()) },
    );
    all.push(replaced);
    let said: Vec<String> =
        all.iter().map(|one| one.sentence(&roster(), day).unwrap_or_else(|| "-".into())).collect();
    expect![[r#"
        There is no second reviewer, and nobody has declined one. Decisions, leave dates, tables and exports rest on one person’s word. Name one: ntk-collector reviewer second PERSON --by WHO.
        Dr. Chen was to be the second reviewer when the practice was set up, and is not yet. Decisions, leave dates, tables and exports rest on one person’s word. Next: ntk-collector reviewer second PERSON --by WHO.
        The practice does without a second reviewer (“two of us �only”). Decisions, leave dates, tables and exports rest on one person’s word.
        -
        The second reviewer `nobody` is no longer in the roster: nothing can be co-signed until another one is named.
        The second reviewer, Bea Novak, has left: nothing can be co-signed until another one is named.
        Dr. Chen became second reviewer without the agreement of the one before (“moved away”)."#]]
    .assert_eq(&said.join("\n"));
    for word in crate::finding::wording::ACCUSING_WORDS {
        assert!(said.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
    }
}

fn pending(id: &str, says: &str) -> Pending {
    let body = json!({"text": "table = 1"});
    let mut made = Pending {
        id: id.into(),
        what: What::Policy,
        says: says.into(),
        body,
        sha256: String::new(),
        at_once: None,
        by: "mary".into(),
        proof: "passphrase".into(),
        expires: "2026-11-27T10:00:00Z".parse().unwrap(),
    };
    made.sha256 = made.hash();
    made
}

const AT: &str = "2026-11-20T10:00:00Z";

// SR-2.
#[test]
fn a_signature_is_for_one_text_by_another_person_once_and_in_time() {
    let now = "2026-11-21T10:00:00Z".parse().unwrap();
    let (one, other) = (pending("C-1", "One table."), pending("C-2", "Another table."));
    let mut cosigns = Cosigns::default();
    cosigns.apply(AT, CosignStep::Asked(one.clone()));
    cosigns.apply(AT, CosignStep::Asked(other.clone()));
    let may = |cosigns: &Cosigns, id: &str, sha256: &str, by: &str| {
        cosigns.may_sign(id, sha256, by, "drchen", |id| id == "mary", now).map(|_| ())
    };
    assert_eq!(may(&cosigns, "C-1", &one.sha256, "drchen"), Ok(()));
    assert_eq!(may(&cosigns, "C-1", &one.sha256, "mary"), Err(CosignFault::Same("mary".into())));
    assert!(matches!(may(&cosigns, "C-1", &one.sha256, "sam"), Err(CosignFault::NotTheOne { .. })));
    assert_eq!(may(&cosigns, "C-1", &other.sha256, "drchen"), Err(CosignFault::OtherText("C-1".into())));
    assert_eq!(may(&cosigns, "C-9", &one.sha256, "drchen"), Err(CosignFault::Unknown("C-9".into())));

    let signed = |id: &str, sha256: &str, by: &str| CosignStep::Signed {
        id: id.into(),
        sha256: sha256.into(),
        by: by.into(),
    };
    // Acts that somebody wrote past the routes: another text, the same person, too late. None signs.
    for (at, step) in [
        (AT, signed("C-1", &other.sha256, "drchen")),
        (AT, signed("C-1", &one.sha256, "mary")),
        ("2026-12-20T10:00:00Z", signed("C-1", &one.sha256, "drchen")),
    ] {
        cosigns.apply(at, step);
        assert_eq!(cosigns.waiting(now).count(), 2);
    }
    cosigns.apply(AT, signed("C-1", &one.sha256, "drchen"));
    assert_eq!(cosigns.over("C-1").unwrap().outcome, Outcome::Signed { by: "drchen".into() });
    assert_eq!(may(&cosigns, "C-1", &one.sha256, "drchen"), Err(CosignFault::Over("C-1".into())));
    cosigns.apply(AT, CosignStep::Declined { id: "C-1".into(), because: "no".into(), by: "drchen".into() });
    assert_eq!(cosigns.over("C-1").unwrap().outcome, Outcome::Signed { by: "drchen".into() });
    // Asked again under a number that was given, or with a hash of something else: changes nothing.
    cosigns.apply(AT, CosignStep::Asked(one));
    cosigns.apply(AT, CosignStep::Asked(Pending { id: "C-3".into(), ..other }));
    assert_eq!(cosigns.waiting(now).map(|one| one.id.as_str()).collect::<Vec<_>>(), ["C-2"]);
    // Nobody signs in time.
    let late = "2026-11-28T10:00:00Z".parse().unwrap();
    assert!(matches!(cosigns.find("C-2", late), Err(CosignFault::Over(_))));
    assert_eq!(cosigns.lapsed(late).count(), 1);
    let kept: Cosigns = serde_json::from_str(&serde_json::to_string(&cosigns).unwrap()).unwrap();
    assert_eq!(kept, cosigns);
}

#[test]
fn an_export_is_the_one_that_was_signed_and_made_once() {
    let question = json!({"case": "C-7", "person": "sam"});
    let mut asked = Pending { what: What::Export, body: question.clone(), ..pending("C-1", "A bundle.") };
    asked.sha256 = asked.hash();
    let mut cosigns = Cosigns::default();
    cosigns.apply(AT, CosignStep::Asked(asked.clone()));
    assert!(cosigns.may_export("C-1", "mary", &question).is_err());
    cosigns.apply(AT, CosignStep::Signed { id: "C-1".into(), sha256: asked.sha256, by: "drchen".into() });
    assert_eq!(cosigns.may_export("C-1", "mary", &question), Ok(()));
    let wider = json!({"case": "C-7", "person": null});
    assert_eq!(cosigns.may_export("C-1", "mary", &wider), Err(CosignFault::OtherText("C-1".into())));
    assert!(cosigns.may_export("C-1", "sam", &question).is_err());
    cosigns.used("C-1");
    assert_eq!(cosigns.may_export("C-1", "mary", &question), Err(CosignFault::Over("C-1".into())));
}

#[test]
fn a_roster_that_takes_a_leave_date_back_or_the_second_reviewer_out_is_loose() {
    let before = roster();
    let without = |what: &str| Roster::parse(&ROSTER.replace(what, "")).unwrap();
    let said = |after: &Roster| loosens(&before, after, "drchen").join("; ");
    assert_eq!(said(&before), "");
    assert_eq!(
        said(&without("leave_date = \"2026-11-20\"")),
        "the leave date of Bea Novak, 2026-11-20, is gone"
    );
    let later =
        Roster::parse(&ROSTER.replace("leave_date = \"2026-11-20\"", "leave_date = \"2027-01-20\"")).unwrap();
    assert_eq!(said(&later), "the leave date of Bea Novak is 2027-01-20 and no longer 2026-11-20");
    let sooner =
        Roster::parse(&ROSTER.replace("leave_date = \"2026-11-20\"", "leave_date = \"2026-11-10\"")).unwrap();
    assert_eq!(said(&sooner), "");
    let chens = "[[person]]\nid = \"drchen\"\nname = \"Dr. Chen\"\nroles = [\"physician\"]\nemail = \"chen@maplestreet.example\"\n";
    let accounts = "[[account]]\nperson = \"drchen\"\nuser = \"drchen\"\nehr_user = \"CHEN\"\n";
    let gone = Roster::parse(&ROSTER.replace(chens, "").replace(accounts, "")).unwrap();
    assert_eq!(said(&gone), "the second reviewer, Dr. Chen, is gone");
}
