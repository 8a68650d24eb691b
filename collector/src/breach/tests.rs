//! The counter on the practice's calendar, the four factors, and what cannot be undone.

use expect_test::expect;

use super::*;

const AT: &str = "2026-11-20T10:00:00Z";

fn started(id: &str, finding: &str, discovered: Date) -> BreachStep {
    BreachStep::Started {
        id: id.into(),
        finding: finding.into(),
        about: Some("sam".into()),
        discovered,
        because: "an export was opened".into(),
    }
}

fn noted(id: &str, factor: Option<Factor>, leaning: Option<Leaning>, people: Option<u64>) -> BreachStep {
    BreachStep::Noted { id: id.into(), factor, leaning, people, text: "as the log shows".into() }
}

fn closed(id: &str, outcome: Outcome) -> BreachStep {
    BreachStep::Closed { id: id.into(), outcome, because: "all is said".into() }
}

fn of(discovered: Date, people: Option<u64>) -> Assessment {
    let mut all = Breaches::default();
    all.apply(AT, "mary", started("A-1", "f1", discovered));
    all.apply(AT, "mary", noted("A-1", None, None, people));
    all.get("A-1").unwrap().clone()
}

// 45 CFR 164.404(b) and 164.408.
#[test]
fn sixty_calendar_days_are_counted_from_the_discovery_over_months_years_and_the_change_of_clocks() {
    for (discovered, people, due, secretary) in [
        (date(2026, 1, 1), None, "2026-03-02", None),
        (date(2026, 1, 1), Some(1), "2026-03-02", Some("2027-03-01")),
        (date(2026, 1, 1), Some(499), "2026-03-02", Some("2027-03-01")),
        (date(2026, 1, 1), Some(500), "2026-03-02", Some("2026-03-02")),
        (date(2027, 11, 20), Some(3), "2028-01-19", Some("2028-02-29")),
        (date(2028, 1, 1), Some(800), "2028-03-01", Some("2028-03-01")),
        // Clocks change on 8 March and 1 November 2026 in New York: days are days.
        (date(2026, 2, 20), None, "2026-04-21", None),
        (date(2026, 10, 25), None, "2026-12-24", None),
    ] {
        let one = of(discovered, people);
        let text = |day: Option<Date>| day.map(|day| day.to_string());
        assert_eq!(text(one.due()).as_deref(), Some(due), "{discovered}");
        assert_eq!(text(one.secretary_due()).as_deref(), secretary, "{discovered} {people:?}");
        assert_eq!(one.days_left(discovered), Some(60));
    }
}

#[test]
fn the_review_says_how_many_days_are_left_and_when_they_are_over() {
    let day = |day| date(2026, 11, 20).checked_add(i64::from(day).days()).unwrap();
    let said = [
        of(date(2026, 11, 20), None).sentence(day(1)),
        of(date(2026, 11, 20), Some(12)).sentence(day(59)),
        of(date(2026, 11, 20), Some(612)).sentence(day(60)),
        of(date(2026, 11, 20), Some(1)).sentence(day(61)),
    ];
    expect![[r#"
        Assessment A-1 under 45 CFR 164.402 (finding f1, discovered 2026-11-20): 59 days left, until 2027-01-19; 0 of 4 factors noted; how many people are concerned is not known yet.
        Assessment A-1 under 45 CFR 164.402 (finding f1, discovered 2026-11-20): 1 day left, until 2027-01-19; 0 of 4 factors noted; 12 people concerned: the Secretary is told by 2027-03-01.
        Assessment A-1 under 45 CFR 164.402 (finding f1, discovered 2026-11-20): today, 2027-01-19, is the last day on which those concerned are told in time; 0 of 4 factors noted; 612 people concerned: the Secretary is told at the same time, and the media where more than 500 live in one State.
        Assessment A-1 under 45 CFR 164.402 (finding f1, discovered 2026-11-20): PAST by 1 day, it was 2027-01-19; 0 of 4 factors noted; 1 person concerned: the Secretary is told by 2027-03-01."#]]
    .assert_eq(&said.join("\n"));
    for word in crate::finding::wording::ACCUSING_WORDS {
        assert!(said.iter().all(|line| !line.to_lowercase().contains(word)), "{word}");
    }
}

#[test]
fn an_assessment_ends_once_and_a_low_probability_needs_all_four_factors() {
    let (mut all, today) = (Breaches::default(), date(2026, 11, 25));
    let check = |all: &Breaches, step: &BreachStep| {
        all.check(step, today, Some(date(2026, 11, 18))).map_err(|fault| fault.to_string())
    };
    let refused = |all: &Breaches, step: BreachStep, says: &str| {
        let said = check(all, &step).unwrap_err();
        assert!(said.contains(says), "{said}");
    };
    refused(&all, started("A-1", "f1", date(2026, 11, 26)), "yet to come");
    refused(&all, started("A-1", "f1", date(2026, 11, 17)), "before the first access");
    refused(&all, noted("A-1", None, None, None), "there is no breach assessment `A-1`");
    let first = started(&all.next_id(), "f1", date(2026, 11, 20));
    assert_eq!(check(&all, &first), Ok(()));
    all.apply(AT, "mary", first);
    // A second act of the number moves no day.
    all.apply(AT, "mary", started("A-1", "f1", date(2026, 11, 24)));
    assert_eq!(all.get("A-1").unwrap().discovered, date(2026, 11, 20));
    refused(&all, started("A-2", "f1", date(2026, 11, 20)), "`A-1` is about this finding");
    refused(&all, noted("A-1", Some(Factor::Viewed), None, None), "a factor comes with what it says");
    refused(&all, closed("A-1", Outcome::Notified), "how many people");
    for factor in [Factor::Information, Factor::Viewed] {
        all.apply(AT, "mary", noted("A-1", Some(factor), Some(Leaning::Low), None));
    }
    refused(&all, closed("A-1", Outcome::LowProbability), "nothing is noted on: recipient, mitigated");
    for factor in Factor::ALL {
        all.apply(AT, "mary", noted("A-1", Some(factor), Some(Leaning::Low), Some(3)));
    }
    assert_eq!(check(&all, &closed("A-1", Outcome::LowProbability)), Ok(()));
    all.apply(AT, "mary", closed("A-1", Outcome::LowProbability));
    all.apply(AT, "mary", closed("A-1", Outcome::Notified));
    all.apply(AT, "mary", noted("A-1", None, None, Some(9)));
    let ended = all.get("A-1").unwrap();
    assert_eq!((ended.outcome, ended.people), (Some(Outcome::LowProbability), Some(3)));
    refused(&all, noted("A-1", None, None, None), "is closed");
    assert_eq!((all.open().count(), all.next_id().as_str()), (0, "A-2"));
    let kept: Breaches = serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
    assert_eq!(kept, all);
}
