//! What a mail says of a week: the verdict first, what does not work, where the review is. As text and as HTML, the same
//! sentences. Names of people, machines and files stand in it only where the practice chose that.

use askama::Template;

use crate::report::coverage::State;
use crate::report::week::Week;
use crate::report::{TITLE, WeeklyReport};

/// What the letter is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A review.
    Review(&'a WeeklyReport),
    /// One that could not be made, and why.
    NotMade(&'a str),
}

/// What stands beside the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// Files for the passphrase.
    ForPassphrase(Vec<String>),
    /// Files for keys.
    ForKeys(Vec<String>),
    /// The console.
    Link(String),
    /// It was to be encrypted, and there is neither key nor passphrase.
    NoKey,
}

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "mail.html")]
pub struct Words {
    practice: String,
    title: String,
    /// One line.
    pub subject: String,
    period: String,
    verdict: String,
    more: Vec<String>,
    broken: Vec<String>,
    place: Vec<String>,
    link: Option<String>,
    footer: String,
}

/// The words for a week.
pub fn words(
    practice: &str,
    week: Week,
    about: About<'_>,
    broken: &[String],
    beside: &Beside,
    details: bool,
) -> Words {
    let (verdict, summary) = match about {
        About::Review(report) => (report.verdict.sentence.clone(), summary(report)),
        About::NotMade(_) => {
            ("The review of this week could not be made.".to_owned(), "could not be made".to_owned())
        }
    };
    let mut broken = broken.to_vec();
    let mut more = Vec::new();
    match about {
        // What stands beside the verdict names machines and people.
        About::Review(report) if details => more.clone_from(&report.verdict.more),
        About::Review(report) => {
            let n = report.verdict.more.len();
            if n > 0 {
                let sentence = if n == 1 {
                    "One more sentence stands".to_owned()
                } else {
                    format!("{n} more sentences stand")
                };
                more.push(format!("{sentence} beside this in the review."));
            }
        }
        About::NotMade(why) => {
            let why = if details { format!(" The collector says: {why}.") } else { String::new() };
            broken.insert(0, format!("The collector could not put the review together and tries again every hour.{why} Nothing that was recorded is lost by this. Ask somebody who does not work for the firm that runs your computers to look at the collector: ntk-collector status, then ntk-collector self-check."));
        }
    }
    let subject = match broken.len() {
        0 => format!("{TITLE}, week {week}: {summary}"),
        _ => format!("{TITLE}, week {week}: {summary}; something does not work"),
    };
    let (place, link) = place(week, beside);
    Words {
        practice: practice.to_owned(),
        title: TITLE.to_owned(),
        subject,
        period: week.in_words(),
        verdict,
        more,
        broken,
        place,
        link,
        footer: "This mail comes every week, also when there is nothing to decide. If one week none comes, that is a reason to look: ask whether the collector runs, and check its log with the stick that you keep (ntk-verify witness). Whoever runs your mail could read this mail or hold it back.".to_owned(),
    }
}

impl Words {
    /// As plain text.
    pub fn text(&self) -> String {
        let list =
            |sentences: &[String]| sentences.iter().map(|one| format!("- {one}\n")).collect::<String>();
        let mut text = format!("{}\n{}\n{}\n\n{}\n\n", self.practice, self.title, self.period, self.verdict);
        if !self.more.is_empty() {
            text.push_str(&format!("{}\n", list(&self.more)));
        }
        if !self.broken.is_empty() {
            text.push_str(&format!("WHAT DOES NOT WORK\n{}\n", list(&self.broken)));
        }
        text.push_str(&format!("WHERE THE REVIEW IS\n{}\n", self.place.join("\n")));
        text.extend(self.link.iter().map(|link| format!("{link}\n")));
        text.push_str(&format!("\n-- \n{}\n", self.footer));
        text
    }

    /// As a page.
    ///
    /// # Errors
    /// When the template's own writing fails.
    pub fn html(&self) -> Result<String, askama::Error> {
        self.render()
    }
}

fn summary(report: &WeeklyReport) -> String {
    let n = report.items.len()
        + report.break_glass.iter().chain(&report.tickets).filter(|matter| matter.is_to_decide).count()
        + report.roster.new_items.len();
    let is_seen = report.machines.iter().any(|machine| machine.hours.contains(&State::Reporting));
    match n {
        // A week that nobody saw is not a quiet one.
        0 if !is_seen => "no computer reported".to_owned(),
        0 => "nothing to decide".to_owned(),
        1 => "one item to decide".to_owned(),
        n => format!("{n} items to decide"),
    }
}

fn place(week: Week, beside: &Beside) -> (Vec<String>, Option<String>) {
    let here = format!(
        "On the collector it is kept as it was made; a copy on a stick: ntk-collector report --week {week} --out FOLDER."
    );
    match beside {
        Beside::Nothing => (vec![here], None),
        Beside::Link(link) => (vec!["Open the console, sign in, and choose Reports. Type its address yourself if this mail looks odd.".to_owned(), here], Some(link.clone())),
        Beside::ForPassphrase(files) => (
            vec![
                format!("It is attached, encrypted: {}.", files.join(", ")),
                "To open it, save the file and decrypt it with the program age (age-encryption.org) and the passphrase that was agreed on when this was set up; it is in no mail:".to_owned(),
                format!("age --decrypt --output {} {}", plain(files), files.first().map_or("", String::as_str)),
                here,
            ],
            None,
        ),
        Beside::ForKeys(files) => (
            vec![
                format!("It is attached, encrypted to your key: {}.", files.join(", ")),
                "To open it, save the file and decrypt it with the program age (age-encryption.org) and your key file:".to_owned(),
                format!("age --decrypt --identity KEYFILE --output {} {}", plain(files), files.first().map_or("", String::as_str)),
                here,
            ],
            None,
        ),
        Beside::NoKey => (
            vec![
                "It was to be attached encrypted, but neither key nor passphrase is set, and it is never sent open: ntk-collector mail passphrase.".to_owned(),
                here,
            ],
            None,
        ),
    }
}

fn plain(files: &[String]) -> &str {
    files.first().map_or("", |file| file.trim_end_matches(".age"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_made(beside: &Beside, details: bool) -> Words {
        let week = Week::parse("2026-W47").unwrap();
        let about = About::NotMade("segment 3 of /var/lib/x cannot be read");
        words(
            "Maple <b>&",
            week,
            about,
            &["The ledger’s check of itself did not pass.".to_owned()],
            beside,
            details,
        )
    }

    #[test]
    fn a_broken_week_says_so_in_plain_words_and_accuses_nobody() {
        let words = not_made(&Beside::Nothing, false);
        assert_eq!(
            words.subject,
            "Weekly access review, week 2026-W47: could not be made; something does not work"
        );
        let (text, html) = (words.text(), words.html().unwrap());
        for said in [
            "could not be made",
            "check of itself did not pass",
            "Nothing that was recorded is lost",
            "ntk-verify witness",
        ] {
            assert!(text.contains(said) && html.contains(said), "{said} in {text}");
        }
        assert!(!text.contains("/var/lib") && !html.contains("/var/lib"), "no path");
        assert!(html.contains("Maple &#60;b&#62;&#38;") && !html.contains("<b>"), "{html}");
        assert!(not_made(&Beside::Nothing, true).text().contains("segment 3"));
        for word in crate::finding::wording::ACCUSING_WORDS {
            assert!(!text.to_lowercase().contains(word), "RP-3: `{word}` in {text}");
        }
    }

    #[test]
    fn a_mail_says_how_what_is_attached_is_opened() {
        let files = vec!["report.html.age".to_owned()];
        let text = not_made(&Beside::ForPassphrase(files.clone()), false).text();
        assert!(text.contains("age --decrypt --output report.html report.html.age"), "{text}");
        let text = not_made(&Beside::ForKeys(files), false).text();
        assert!(text.contains("--identity KEYFILE"), "{text}");
        let html = not_made(&Beside::Link("https://c.example/".into()), false).html().unwrap();
        assert!(html.contains("<a href=\"https://c.example/\">"), "{html}");
        assert!(not_made(&Beside::NoKey, false).text().contains("never sent open"));
    }
}
