//! Who counts as running the mail, what paper and page say, and what is taken out of what is typed.

use expect_test::expect;

use super::*;

const FIRM: &str = "[[organisation]]\nid = \"northwind\"\nname = \"Northwind IT\"\nroles = [\"itadmin\"]\n\
    [[person]]\nid = \"tess\"\nname = \"Tess\"\nroles = [\"guest\"]\norganisation = \"northwind\"\n\
    [[person]]\nid = \"ann\"\nname = \"Ann\"\nroles = [\"itadmin\"]\n\
    [[person]]\nid = \"bob\"\nname = \"Bob Lee\"\nroles = [\"billing\"]\n";

#[test]
fn whoever_administers_the_machines_counts_as_running_the_mail() {
    let roster = Roster::parse(FIRM).unwrap();
    let runs = |id: &str, host: &str| {
        let administers = [("host".to_owned(), host.to_owned())].into();
        runs_mail(roster.person(id).unwrap(), &roster, &administers)
    };
    assert!(runs("northwind", "us") && runs("tess", "us") && runs("ann", "us"));
    assert!(!runs("bob", "us"));
    assert!(runs("bob", "bob lee ") && runs("bob", "bob"));
}

fn asked<'a>(question: &'a str) -> Asked<'a> {
    Asked {
        practice: "Maple Street",
        name: "Sam Ortiz",
        asked_by: "Mary Lopez",
        question,
        recorded: "Account frontdesk1 opened an export for reading on ws-01.",
        until: "Friday 4 December, 14:00 (EST)".into(),
        id: "L-1",
        needs_code: false,
    }
}

#[test]
fn the_form_on_paper_says_that_no_answer_is_no_admission_and_has_its_code() {
    expect![[r#"
        Maple Street
        A question to Sam Ortiz

        What is recorded:
          Account frontdesk1 opened an export for reading on ws-01.

        The question of Mary Lopez:
          What was this for?

        You may answer, and you may leave it. Not answering is never taken as an admission. A record shows an account, a computer and a moment; it does not show why.
        What you write is typed in as it stands here, with the name of whoever types it, and kept.

        Your answer:






        Day: ____________   Name: ______________________________

        Give this sheet back by Friday 4 December, 14:00 (EST).
        Form L-1, code 7K3QZ-M09TB. The code ties an answer to this sheet, which is kept.
    "#]].assert_eq(&paper_text(&asked("What was this for?"), "7K3QZ-M09TB"));
    let page = paper_html(&asked("<script>x</script>"), "7K3QZ-M09TB");
    assert!(
        !page.contains("<script>") && page.contains("7K3QZ-M09TB") && page.contains(NO_ADMISSION),
        "{page}"
    );
    for word in crate::finding::wording::ACCUSING_WORDS {
        assert!(!page.to_lowercase().contains(word), "{word}");
    }
}

#[test]
fn what_hides_in_a_typed_text_is_taken_out_and_its_lines_stay() {
    assert_eq!(typed("  one\r\ntwo\u{202e}\u{7}\tthree\n\n"), "one\ntwo\tthree");
    assert_eq!(typed("\u{200e}\u{feff} \n"), "");
}
