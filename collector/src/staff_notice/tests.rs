//! A new version asks everybody again; texts that hide something are refused.

use expect_test::expect;
use jiff::civil::date;

use super::*;

const AT: &str = "2026-11-20T10:00:00Z";

fn roster() -> Roster {
    Roster::parse(include_str!("../../templates/roster-example.toml")).unwrap()
}

fn published(version: &str, text: &str) -> Published {
    Published { notice: Notice::Staff, version: version.into(), text: text.into() }
}

fn said(version: &str, person: &str) -> NoticeStep {
    NoticeStep::Acknowledged(Acknowledged {
        notice: Notice::Staff,
        version: version.into(),
        person: person.into(),
        how: How::Paper,
        link: None,
        on: None,
        recorded_by: Some("mary".into()),
    })
}

#[test]
fn a_new_version_asks_everybody_who_is_here_again() {
    let (mut notices, today) = (Notices::default(), date(2026, 11, 25));
    assert!(notices.sentences(&roster(), today).is_empty(), "nothing is asked before a notice is in force");
    notices.apply(AT, NoticeStep::Published(published("1", "one")));
    let mut all = notices.sentences(&roster(), today);
    ["mary", "drchen", "mary"].into_iter().for_each(|who| drop(notices.apply(AT, said("1", who))));
    assert_eq!(notices.said().len(), 2, "the same again is the same");
    all.extend(notices.sentences(&roster(), today));
    drop(notices.apply(AT, said("1", "sam")));
    assert!(notices.sentences(&roster(), today).is_empty());
    assert_eq!(notices.next_version(Notice::Staff), "2");
    notices.apply(AT, NoticeStep::Published(published("2", "two")));
    // Word of an earlier version is none of this one.
    drop(notices.apply(AT, said("1", "bea")));
    all.extend(notices.sentences(&roster(), date(2026, 11, 1)));
    expect![[r#"
        3 people have not acknowledged the staff notice, version 1: Mary Lopez, Dr. Chen and Sam Ortiz.
        1 person has not acknowledged the staff notice, version 1: Sam Ortiz.
        4 people have not acknowledged the staff notice, version 2: Mary Lopez, Dr. Chen, Sam Ortiz and Bea Novak."#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn the_templates_name_the_practice_can_be_published_and_accuse_nobody() {
    for notice in Notice::ALL {
        let text = notice.template("Maple Street \u{202e}Family Practice");
        assert!(text.contains("Maple Street Family Practice"), "{text}");
        let published = Published { notice, version: "1".into(), text: text.clone() };
        assert_eq!(Notices::default().check(&published), Ok(()));
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!text.to_lowercase().contains(word), "{word} in {}", notice.name());
        }
    }
}

#[test]
fn a_text_that_hides_something_and_a_version_twice_are_refused() {
    let mut notices = Notices::default();
    notices.apply(AT, NoticeStep::Published(published("1", "one")));
    for (version, text, says) in [
        ("1", "two", "there was a version `1`"),
        ("", "two", "no name of a version"),
        ("2 final", "two", "no name of a version"),
        ("2", " \n", "has 1 to"),
        ("2", &"x".repeat(40_000), "this one has 40000"),
        ("2", "fine\nnot \u{202e}fine", "line 2 of the text holds"),
        ("2", "fine\n\u{7}", "line 2 of the text holds"),
        ("2", "fine\n{practice}", "line 2 of the text still has a blank"),
    ] {
        let fault = notices.check(&published(version, text)).unwrap_err().to_string();
        assert!(fault.contains(says), "{fault}");
    }
    assert_eq!(notices.check(&published("2", "fine\n\tand indented")), Ok(()));
}
