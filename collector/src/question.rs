//! Questions to people, on a page that needs no account and on paper.
//!
//! Both say what is recorded in the words of the finding, that an answer is kept as it is given, and that not answering
//! is never taken as an admission. Whoever runs the practice's mail could read a link that is sent by it, and answer in
//! another's name or say that it never came; so what comes by such a link counts as confirmed only with a code that
//! was handed over on another way.
//!
//! [`public::routes`] is mounted where people without an account can reach it.

pub mod public;

use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::link::{Link, Purpose};
use crate::report::text::moment;
use crate::roster::{Person, Roster};
use crate::second::is_hidden;
use crate::staff_notice::InForce;

/// What stands beside every question.
pub const NO_ADMISSION: &str = "You may answer, and you may leave it. Not answering is never taken as an admission. A record shows an account, a computer and a moment; it does not show why.";
/// Where the pages live, below the address of the listener.
pub const PATH: &str = "/a";
/// The role whose holders run the machines where nobody says otherwise.
const MACHINES_ROLE: &str = "itadmin";

/// Whether a person has to be taken for one who runs the practice's mail: by their role or their firm's, or because
/// they administer the practice's machines. Whoever asks may say that it is so of somebody else, too.
pub fn runs_mail(person: &Person, roster: &Roster, administers: &BTreeMap<String, String>) -> bool {
    let has_role = |person: &Person| person.has_role(MACHINES_ROLE);
    let firm = person.organisation.as_deref();
    let of_firm = |other: &&Person| {
        other.is_organisation && firm.is_some_and(|firm| firm == other.id || firm == other.name)
    };
    let is_named = |who: &String| {
        [Some(person.id.as_str()), Some(person.name.as_str()), firm]
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(who.trim()))
    };
    has_role(person)
        || roster.persons().iter().filter(of_firm).any(has_role)
        || administers.values().any(is_named)
}

/// A question or a notice as a page shows it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Name of the practice.
    pub practice: &'a str,
    /// Name of the person asked.
    pub name: &'a str,
    /// Name of whoever asks.
    pub asked_by: &'a str,
    /// The question.
    pub question: &'a str,
    /// What is recorded.
    pub recorded: &'a str,
    /// Until when it can be answered, in words.
    pub until: String,
    /// Number of link or form.
    pub id: &'a str,
    /// Whether a code is asked for.
    pub needs_code: bool,
}

impl<'a> Asked<'a> {
    /// From a link to a question; none where it is for something else.
    pub fn of(link: &'a Link, practice: &'a str, roster: &'a Roster, zone: &TimeZone) -> Option<Self> {
        let Purpose::Question { question, recorded, asked_by, .. } = &link.purpose else { return None };
        let name = |id: &'a str| roster.person(id).map_or(id, |person| person.name.as_str());
        Some(Self {
            practice,
            name: name(&link.to),
            asked_by: name(asked_by),
            question,
            recorded,
            until: moment(link.expires, zone),
            id: &link.id,
            needs_code: link.needs_code,
        })
    }
}

/// The page with the question, with what was wrong with the answer before.
#[derive(Template)]
#[template(path = "question/question.html")]
pub(crate) struct QuestionPage<'a> {
    pub(crate) asked: &'a Asked<'a>,
    pub(crate) no_admission: &'static str,
    pub(crate) before: &'a str,
    pub(crate) wrong: &'a str,
}

/// The page with a notice to acknowledge.
#[derive(Template)]
#[template(path = "question/notice.html")]
pub(crate) struct NoticePage<'a> {
    pub(crate) practice: &'a str,
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) version: &'a str,
    pub(crate) text: &'a str,
    pub(crate) wrong: &'a str,
}

/// A page that only says something.
#[derive(Template)]
#[template(path = "question/said.html")]
pub(crate) struct SaidPage<'a> {
    pub(crate) practice: &'a str,
    pub(crate) title: &'a str,
    pub(crate) said: &'a [&'a str],
}

/// The form to print.
#[derive(Template)]
#[template(path = "question/paper.html")]
struct PaperPage<'a> {
    asked: &'a Asked<'a>,
    no_admission: &'static str,
    code: &'a str,
    css: &'static str,
}

/// The form on paper as a page to print.
pub fn paper_html(asked: &Asked<'_>, code: &str) -> String {
    let page = PaperPage { asked, no_admission: NO_ADMISSION, code, css: CSS };
    // A template over strings cannot fail; an empty page would be seen at once.
    page.render().unwrap_or_default()
}

/// The style of all pages.
pub(crate) const CSS: &str = include_str!("../templates/question/question.css");

/// The form on paper as plain text.
pub fn paper_text(asked: &Asked<'_>, code: &str) -> String {
    let Asked { practice, name, asked_by, question, recorded, until, id, .. } = asked;
    format!(
        "{practice}\nA question to {name}\n\n\
         What is recorded:\n  {recorded}\n\n\
         The question of {asked_by}:\n  {question}\n\n\
         {NO_ADMISSION}\n\
         What you write is typed in as it stands here, with the name of whoever types it, and kept.\n\n\
         Your answer:\n\n\n\n\n\n\n\
         Day: ____________   Name: ______________________________\n\n\
         Give this sheet back by {until}.\n\
         Form {id}, code {code}. The code ties an answer to this sheet, which is kept.\n"
    )
}

/// What somebody typed, without what would hide in it; lines stay.
pub fn typed(text: &str) -> String {
    let kept = |c: char| !is_hidden(c) || matches!(c, '\n' | '\t');
    text.replace("\r\n", "\n").chars().filter(|c| kept(*c)).collect::<String>().trim().to_owned()
}

/// A notice as its page shows it.
pub(crate) fn notice_title(in_force: &InForce) -> String {
    let mut lines = in_force.published.text.lines().map(|line| line.trim_start_matches('#').trim());
    let first = lines.find(|line| !line.is_empty()).unwrap_or("Notice");
    first.chars().take(120).collect()
}

/// Until when a link of so many days holds.
pub fn expires(now: Timestamp, days: u16) -> Option<Timestamp> {
    now.checked_add(jiff::SignedDuration::from_hours(i64::from(days) * 24)).ok()
}

#[cfg(test)]
mod tests;
