//! What stands on the page of second signatures.

use askama::Template;
use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::super::{Console, ask};
use crate::admin::{Failure, roster::in_force};
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::report::text::moment;
use crate::roster::Roster;
use crate::second::cosign::{Outcome, Over, What};

/// How many that are over are listed.
const OVER_MAX: usize = 20;

/// What was wrong with a form, and what had been typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong {
    /// The form and its field.
    pub(super) field: String,
    /// What, and what to do.
    pub(super) sentence: String,
    /// Typed: the person.
    pub(super) person: String,
    /// Typed: why.
    pub(super) because: String,
    /// Typed: why without the agreement of the one before.
    pub(super) changed_because: String,
}

/// One that waits, as the API tells it.
#[derive(Clone, Debug, Deserialize)]
struct Row {
    id: String,
    what: What,
    says: String,
    sha256: String,
    by: String,
    #[serde(default)]
    at_once: Option<String>,
    #[serde(with = "crate::need_to_know::moment")]
    expires: Timestamp,
    #[serde(default)]
    may_sign: bool,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Deserialize)]
struct Listed {
    waiting: Vec<Row>,
    lapsed: Vec<Row>,
    over: Vec<Over>,
    not_shown: usize,
}

/// How many things this person may put the second name under.
pub(in super::super) async fn n_to_sign(console: &Console, visitor: &Visitor) -> Result<usize, Failure> {
    let listed: Listed = ask::get(console, visitor, "/v1/cosign").await?;
    Ok(listed.waiting.iter().filter(|row| row.may_sign).count())
}

/// One that waits, in words.
struct Waiting {
    id: String,
    what: &'static str,
    says: String,
    sha256: String,
    asked_by: String,
    is_own: bool,
    holds: Option<String>,
    until: String,
    may_sign: bool,
    /// What takes effect, whole: short values, and texts of several lines.
    fields: Vec<(String, String)>,
    texts: Vec<(String, String)>,
}

/// One person who can be named.
struct Candidate {
    id: String,
    name: String,
    has_passphrase: bool,
}

#[derive(Template)]
#[template(path = "console/second.html")]
struct SecondPage {
    shell: Shell,
    said: &'static str,
    wrong: Wrong,
    sentence: Option<String>,
    present: Option<String>,
    present_is_you: bool,
    waiting: Vec<Waiting>,
    n_yours: usize,
    not_shown: usize,
    over: Vec<(String, String)>,
    may_name: bool,
    candidates: Vec<Candidate>,
    zone: String,
}

impl SecondPage {
    fn is_wrong(&self, form: &str) -> bool {
        !self.wrong.sentence.is_empty() && self.wrong.field == form
    }

    fn is_wrong_at(&self, form: &str, id: &String) -> bool {
        self.is_wrong(&format!("{form}-{id}"))
    }

    fn names(&self) -> bool {
        ["name-person", "name-because", "name-what"].iter().any(|form| self.is_wrong(form))
    }
}

pub(super) async fn page_of(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    wrong: Wrong,
) -> Page {
    let listed: Listed = ask::get(console, visitor, "/v1/cosign").await?;
    let standing: Value = ask::get(console, visitor, "/v1/second-reviewer").await?;
    let (_, roster) = in_force(&console.app).await?;
    let zone = console.app.lookup.zone();
    let mut waiting = Vec::new();
    for row in &listed.waiting {
        let mut whole: Row = ask::get(console, visitor, &format!("/v1/cosign/{}", row.id)).await?;
        whole.may_sign = row.may_sign;
        waiting.push(in_words(whole, visitor, &roster, zone));
    }
    let lapsed = listed.lapsed.iter().map(|row| {
        (visible(&row.says), format!("nobody signed in time; until {}", moment(row.expires, zone)))
    });
    let over = listed.over.iter().map(|over| (visible(&over.says), ended(over, &roster, zone)));
    let present = standing.pointer("/standing/person").and_then(Value::as_str);
    let may_name = visitor.role.name() == "manager";
    let page = SecondPage {
        shell: Shell::new(console, Some(visitor), "/second", "Second signatures"),
        said,
        wrong,
        sentence: standing.get("sentence").and_then(Value::as_str).map(for_the_page),
        present: present.map(|id| visible(&name(id, &roster))),
        present_is_you: present == Some(visitor.person.as_str()),
        n_yours: waiting.iter().filter(|one| one.may_sign).count(),
        waiting,
        not_shown: listed.not_shown,
        over: lapsed.chain(over).take(OVER_MAX).collect(),
        candidates: if may_name { candidates(console, visitor, &roster, present).await? } else { Vec::new() },
        may_name,
        zone: console.app.practice.config.raw.timezone.clone(),
    };
    page_with(status, &page)
}

/// The sentence of reviews, without the command at its end: here is a form.
fn for_the_page(sentence: &str) -> String {
    let kept = [" Name one: ntk-collector", " Next: ntk-collector"]
        .iter()
        .find_map(|next| sentence.split_once(next).map(|(kept, _)| kept));
    visible(kept.unwrap_or(sentence))
}

async fn candidates(
    console: &Console,
    visitor: &Visitor,
    roster: &Roster,
    present: Option<&str>,
) -> Result<Vec<Candidate>, Trouble> {
    let told: Value = ask::get(console, visitor, "/v1/reviewers").await?;
    let told = told.get("reviewers").and_then(Value::as_array).cloned().unwrap_or_default();
    let has = |id: &str| {
        told.iter().any(|row| {
            row.get("person").and_then(Value::as_str) == Some(id)
                && row.get("passphrase_set").is_some_and(Value::is_string)
        })
    };
    let today = console.now().to_zoned(console.app.lookup.zone().clone()).date();
    let gone: Vec<&str> = roster.gone(today).map(|person| person.id.as_str()).collect();
    let may = |id: &str| id != visitor.person && Some(id) != present && !gone.contains(&id);
    let all = roster.persons().iter().filter(|person| !person.is_organisation && may(&person.id));
    Ok(all
        .map(|person| Candidate {
            id: person.id.clone(),
            name: visible(&person.name),
            has_passphrase: has(&person.id),
        })
        .collect())
}

fn in_words(row: Row, visitor: &Visitor, roster: &Roster, zone: &TimeZone) -> Waiting {
    let (mut fields, mut texts) = (Vec::new(), Vec::new());
    for (key, value) in row.body.as_object().into_iter().flatten() {
        let label = label(key);
        match value {
            Value::Null => {}
            Value::String(text) if text.contains('\n') => texts.push((label, lines(text))),
            Value::String(text) => fields.push((label, visible(text))),
            other => fields.push((label, visible(&other.to_string()))),
        }
    }
    Waiting {
        what: match row.what {
            What::Leave => "leave date",
            What::LeaveWithdrawn => "leave date taken back",
            What::Roster => "roster",
            What::Policy => "need-to-know table",
            What::Export => "evidence bundle",
        },
        says: visible(&row.says),
        asked_by: visible(&name(&row.by, roster)),
        is_own: row.by == visitor.person,
        holds: row.at_once.as_deref().map(visible),
        until: moment(row.expires, zone),
        may_sign: row.may_sign,
        id: row.id,
        sha256: row.sha256,
        fields,
        texts,
    }
}

/// A text of several lines with each line made visible.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// How a field of what takes effect is called on paper.
fn label(key: &str) -> String {
    match key {
        "person" => "Person",
        "on" => "Date",
        "notice_given" => "Notice given",
        "text" => "The whole text",
        "over" => "It takes the place of",
        "hash" | "version" => "Its fingerprint",
        "change" => "What changes",
        "case" => "Case",
        "name" => "Name",
        "from" => "From",
        "to" => "To",
        "asset" | "assets" => "Of what",
        other => return visible(&other.replace('_', " ")),
    }
    .to_owned()
}

fn ended(over: &Over, roster: &Roster, zone: &TimeZone) -> String {
    let when = over.at.parse().map_or_else(|_| visible(&over.at), |at| moment(at, zone));
    match &over.outcome {
        Outcome::Signed { by } => format!("signed by {}, {when}", visible(&name(by, roster))),
        Outcome::Used => format!("signed, and done; {when}"),
        Outcome::Declined { by, because } => {
            format!("declined by {}, {when}: {}", visible(&name(by, roster)), visible(because))
        }
        Outcome::Lapsed => format!("nobody signed in time; {when}"),
    }
}
