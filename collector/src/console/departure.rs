//! Departure: who leaves and when, what they hold, the steps in their order, and what is used afterwards.

use std::collections::BTreeMap;

use askama::Template;
use axum::Json;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::form::{as_said, passphrase};
use super::gate::encoded;
use super::shell::{Page, Shell, Trouble, Visitor, page_with};
use super::signing::{Waiting, waiting};
use super::words::when_in_short as when;
use super::{Console, see};
use crate::account::Role;
use crate::admin::Failure;
use crate::admin::departure::{TickRequest, ticked, told};
use crate::admin::preserve::preserved_so_far;
use crate::admin::roster::{LeaveRequest, in_force, leave};
use crate::report::acts::name;
use crate::report::shown::visible;
use crate::roster::Roster;
use crate::second::cosign::What;

/// How many steps are ticked off at once.
const AT_ONCE_MAX: usize = 100;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/departure", get(show).post(act))
}

/// Somebody with a leave date.
struct Leaving {
    link: String,
    name: String,
    on: String,
    is_past: bool,
}

#[derive(Template)]
#[template(path = "console/departures.html")]
struct DeparturesPage {
    shell: Shell,
    leaving: Vec<Leaving>,
    people: Vec<(String, String)>,
    waiting: Vec<Waiting>,
    wrong: String,
    said: &'static str,
    n_hidden: bool,
}

/// A step as the page shows it.
struct Line {
    id: String,
    what: String,
    why: String,
    since: String,
    ticked: Option<Ticked>,
}

struct Ticked {
    by: String,
    at: String,
    note: String,
}

/// What a computer says that they hold.
struct Held {
    host: String,
    what: String,
    since: String,
}

#[derive(Template)]
#[template(path = "console/departure.html")]
struct DeparturePage {
    shell: Shell,
    zone: String,
    person: String,
    name: String,
    on: String,
    has_come: bool,
    notice_given: String,
    lines: Vec<Line>,
    n_done: usize,
    earlier: Vec<(String, Ticked)>,
    held: Vec<Held>,
    theirs: Vec<String>,
    others: Vec<String>,
    preserved: String,
    waiting: Vec<Waiting>,
    refused_at: String,
    wrong: String,
    said: &'static str,
    typed: DepartureForm,
    today: Date,
    /// Whether the one who reads records leave dates.
    can_leave: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    person: String,
    said: String,
}

fn said(word: &str) -> &'static str {
    match word {
        "left" => "The leave date is recorded and holds now.",
        "withdrawn" => "The leave date is taken back. Both stay in the ledger.",
        "waits" => "Taking it back waits for a second signature; until then the leave date holds.",
        "ticked" => "Ticked off, in your name.",
        "unticked" => "Open again. Both stay in the ledger.",
        _ => "",
    }
}

async fn show(State(console): State<Console>, visitor: Visitor, Query(wanted): Query<Wanted>) -> Page {
    let said = said(&wanted.said);
    if wanted.person.is_empty() {
        return all(&console, &visitor, StatusCode::OK, said, String::new()).await;
    }
    let form = DepartureForm { person: wanted.person, ..DepartureForm::default() };
    one(&console, &visitor, StatusCode::OK, form, said, (String::new(), String::new())).await
}

async fn all(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    said: &'static str,
    wrong: String,
) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let today = super::evidence::today(console);
    let them = visitor.viewer().themselves(&roster);
    let others = || roster.persons().iter().filter(|person| !them.are_named(&person.id, &roster));
    let mut leaving: Vec<(Date, Leaving)> = others()
        .filter_map(|person| {
            let on = roster.leave_of(&person.id)?;
            let (link, name) = (encoded(&person.id), visible(&person.in_words()));
            Some((on, Leaving { link, name, on: on.to_string(), is_past: on <= today }))
        })
        .collect();
    leaving.sort_by_key(|(on, _)| std::cmp::Reverse(*on));
    let mut people: Vec<(String, String)> =
        others().map(|person| (person.id.clone(), visible(&person.in_words()))).collect();
    people.sort_by_key(|(_, name)| name.to_lowercase());
    let page = DeparturesPage {
        shell: Shell::new(console, Some(visitor), "/departure", "Departure"),
        n_hidden: others().count() < roster.persons().len(),
        leaving: leaving.into_iter().map(|(_, leaving)| leaving).collect(),
        people,
        waiting: waiting(console, visitor, &roster, &[What::Leave, What::LeaveWithdrawn], None),
        wrong,
        said,
    };
    page_with(status, &page)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).map(visible).unwrap_or_default()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// A sentence of the command line with its moments as the practice's clock shows them.
fn local(sentence: &str, zone: &TimeZone) -> String {
    let words = sentence.split(' ').map(|word| {
        let (moment, end) = word.strip_suffix('.').map_or((word, ""), |moment| (moment, "."));
        match moment.parse::<Timestamp>() {
            Ok(at) => format!("{}{end}", when(&at.to_string(), zone)),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

async fn one(
    console: &Console,
    visitor: &Visitor,
    status: StatusCode,
    typed: DepartureForm,
    said: &'static str,
    (refused_at, wrong): (String, String),
) -> Page {
    let (app, zone) = (&console.app, console.app.lookup.zone());
    let body = told(app, &visitor.viewer(), &typed.person).await?;
    let (_, roster) = in_force(app).await?;
    let tick = |value: &Value, roster: &Roster| Ticked {
        by: visible(&name(&text(value, "/by"), roster)),
        at: when(&text(value, "/at"), zone),
        note: text(value, "/note"),
    };
    let day = |text: String| if text.is_empty() { text } else { when(&text, zone) };
    let lines: Vec<Line> = list(&body, "/steps")
        .map(|row| Line {
            id: row.pointer("/step/id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            what: text(row, "/step/what"),
            why: text(row, "/step/why"),
            since: day(text(row, "/step/since")),
            ticked: row.get("tick").filter(|tick| tick.is_object()).map(|value| tick(value, &roster)),
        })
        .collect();
    let sentences =
        |pointer: &str| list(&body, pointer).map(|row| local(&text(row, "/sentence"), zone)).collect();
    let today = super::evidence::today(console);
    let on = text(&body, "/leave_date");
    let page = DeparturePage {
        zone: zone.iana_name().unwrap_or("the practice’s zone").to_owned(),
        name: text(&body, "/name"),
        has_come: on.parse::<Date>().is_ok_and(|on| on <= today),
        on,
        notice_given: text(&body, "/notice_given"),
        n_done: lines.iter().filter(|line| line.ticked.is_some()).count(),
        lines,
        earlier: list(&body, "/ticked_before")
            .filter_map(|row| Some((text(row, "/id"), tick(row.get("tick")?, &roster))))
            .collect(),
        held: list(&body, "/holdings")
            .map(|row| Held {
                host: text(row, "/host"),
                what: text(row, "/what"),
                since: day(text(row, "/since")),
            })
            .collect(),
        theirs: sentences("/watch/theirs"),
        others: sentences("/watch/others"),
        preserved: preserved_so_far(app).await?.last().map(|line| when(&line.time, zone)).unwrap_or_default(),
        waiting: waiting(
            console,
            visitor,
            &roster,
            &[What::Leave, What::LeaveWithdrawn],
            Some(&typed.person),
        ),
        shell: Shell::new(console, Some(visitor), "/departure", "Departure"),
        person: typed.person.clone(),
        refused_at,
        wrong,
        said,
        typed,
        today,
        can_leave: visitor.role == Role::Manager,
    };
    page_with(status, &page)
}

/// The forms of the page, with what was typed.
#[derive(Clone, Debug, Default)]
struct DepartureForm {
    person: String,
    /// `leave`, `withdraw`, `tick`, `untick`.
    step: String,
    on: String,
    notice_given: String,
    note: String,
    passphrase: String,
    items: Vec<String>,
}

impl DepartureForm {
    /// Fields by name; those that begin with `item:` are steps that were chosen.
    fn read(mut fields: BTreeMap<String, String>) -> Self {
        let items = fields.keys().filter_map(|name| name.strip_prefix("item:").map(str::to_owned));
        let items = items.take(AT_ONCE_MAX).collect();
        let mut field =
            |name: &str| fields.remove(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            person: field("person"),
            step: field("step"),
            on: field("on"),
            notice_given: field("notice_given"),
            note: field("note"),
            passphrase: field("passphrase"),
            items,
        }
    }
}

async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Form(fields): Form<BTreeMap<String, String>>,
) -> Page {
    let form = DepartureForm::read(fields);
    if form.person.is_empty() {
        let wrong = "Choose who leaves.".to_owned();
        return all(&console, &visitor, StatusCode::BAD_REQUEST, "", wrong).await;
    }
    match done(&console, &visitor, &form).await {
        Ok(said) => Ok(see(&format!("/departure?person={}&said={said}", encoded(&form.person)))),
        Err(failure) => {
            let (status, wrong) = as_said(failure)?;
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN) {
                return Err(Trouble { status, sentence: wrong });
            }
            let (at, form) = (form.step.clone(), DepartureForm { passphrase: String::new(), ..form });
            one(&console, &visitor, status, form, "", (at, wrong)).await
        }
    }
}

async fn done(console: &Console, visitor: &Visitor, form: &DepartureForm) -> Result<&'static str, Failure> {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let _room = console.passphrases.acquire().await;
    let (by, passphrase) = (visitor.person.clone(), passphrase(&form.passphrase));
    match form.step.as_str() {
        step @ ("leave" | "withdraw") => {
            if visitor.role != Role::Manager {
                return Err(Failure::bad("A manager records leave dates."));
            }
            let withdraw = step == "withdraw";
            if !withdraw && form.on.parse::<Date>().is_err() {
                return Err(Failure::bad("Write the first day on which nothing of theirs is used any more."));
            }
            let request = LeaveRequest {
                person: form.person.clone(),
                on: given(&form.on).filter(|_| !withdraw),
                withdraw,
                notice_given: given(&form.notice_given).filter(|_| !withdraw),
                by,
                passphrase,
            };
            let Json(answer) = leave(State(console.app.clone()), visitor.viewer(), Json(request)).await?;
            let waits = answer.get("pending").is_some_and(Value::is_object);
            Ok(match (withdraw, waits) {
                (true, true) => "waits",
                (true, false) => "withdrawn",
                (false, _) => "left",
            })
        }
        step @ ("tick" | "untick") => {
            let untick = step == "untick";
            if form.items.is_empty() {
                return Err(Failure::bad("Choose at least one step."));
            }
            for item in &form.items {
                let request = TickRequest {
                    person: form.person.clone(),
                    item: item.clone(),
                    by: by.clone(),
                    passphrase: passphrase.clone(),
                    note: given(&form.note),
                    untick,
                };
                ticked(&console.app, &visitor.viewer(), request).await?;
            }
            Ok(if untick { "unticked" } else { "ticked" })
        }
        _ => Err(Failure::bad("Choose what you want to do.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_in_a_sentence_are_told_by_the_practices_clock_and_all_else_stays() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let check = |sentence: &str, wanted: &str| assert_eq!(local(sentence, &zone), wanted);
        check(
            "Account a on ws-01, which they held: 2 logins from 2026-11-20T05:00:00Z to 2026-11-21T06:05:00.5Z.",
            "Account a on ws-01, which they held: 2 logins from 2026-11-20 00:00 to 2026-11-21 01:05.",
        );
        check(
            "1 login at a time that cannot be read. Nobody.",
            "1 login at a time that cannot be read. Nobody.",
        );
    }
}
