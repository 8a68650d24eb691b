//! One person: what they hold, when it ends, and the notice.

use askama::Template;
use axum::extract::{Form, Path, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::super::form::{Done, Wrong, day, may_post, passphrase};
use super::super::gate::encoded;
use super::super::link_made::LinkMade;
use super::super::shell::{Page, Shell, Visitor, page, page_with};
use super::super::{Console, see, table};
use super::{accounts_of, notice_of};
use crate::admin::Failure;
use crate::admin::roster::{LeaveRequest, in_force, leave, today};
use crate::admin::staff_notices::{LinkRequest, PaperRequest, link, paper};
use crate::departure::{checklist, follows};
use crate::report::shown::visible;
use crate::report::text::{count, list_of};
use crate::roster::{Person, Roster};
use crate::staff_notice::Notice;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/people/{id}", get(show))
        .route("/people/{id}/leave", post(leaves))
        .route("/people/{id}/notice", post(notice))
}

#[derive(Template)]
#[template(path = "console/person.html")]
struct PersonPage {
    shell: Shell,
    id: String,
    path: String,
    name: String,
    roles: String,
    email: String,
    accounts: Vec<String>,
    things: Vec<String>,
    /// What follows from the leave date, where there is one.
    follows: Vec<String>,
    /// What waits for a second signature about them.
    waiting: Vec<String>,
    leave_date: String,
    can_withdraw: bool,
    may_leave: bool,
    is_oneself: bool,
    second: String,
    notice_name: &'static str,
    notice: String,
    is_open: bool,
    may_notice: bool,
    typed: PersonForm,
    wrong: Wrong,
    said: String,
}

/// Both forms of the page, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct PersonForm {
    #[serde(default)]
    step: String,
    #[serde(default)]
    on: String,
    #[serde(default)]
    notice_given: String,
    #[serde(default)]
    passphrase: String,
}

async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Done>,
) -> Page {
    let said = match said.said.as_str() {
        "leave" => "The leave date is kept, and holds at once.",
        "asked" => "It is asked for. It holds once the second reviewer has signed.",
        "withdrawn" => "The leave date is withdrawn. Both stay in the ledger.",
        "paper" => "The acknowledgement on paper is kept. Keep the paper, too.",
        _ => "",
    };
    with(&console, &visitor, &id, PersonForm::default(), Wrong::default(), said).await
}

async fn with(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    typed: PersonForm,
    wrong: Wrong,
    said: &str,
) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let today = today(&console.app)?;
    let person = known(&roster, id)?;
    let published = console.app.ledger.published();
    let people = &published.registry.people;
    let asked = Notice::ALL.into_iter().find(|notice| notice.asks(person)).unwrap_or(Notice::Staff);
    let (notice, is_open) = notice_of(person, &people.notices, console.app.lookup.zone());
    // Nobody reads here that they are to leave.
    let is_oneself = visitor.person == person.id;
    let leave_date = person.leave_date.filter(|_| !is_oneself);
    let waiting = people
        .cosigns
        .waiting(console.now())
        .filter(|_| !is_oneself)
        .filter(|pending| pending.body.get("person").and_then(Value::as_str) == Some(id));
    let second = people.second.person().and_then(|id| roster.person(id));
    let shown = PersonPage {
        shell: Shell::new(console, Some(visitor), "/people", visible(&person.name)),
        id: person.id.clone(),
        path: encoded(&person.id),
        name: visible(&person.in_words()),
        roles: visible(&list_of(&person.roles)),
        email: visible(person.email.as_deref().unwrap_or_default()),
        accounts: accounts_of(person, &roster)
            .map(|account| {
                let shared = if account.is_shared() { ", shared" } else { "" };
                visible(&format!("{}{shared}", account.in_words()))
            })
            .collect(),
        things: things(person, &roster),
        follows: leave_date.map(|_| what_follows(person, &roster, today)).unwrap_or_default(),
        waiting: waiting.map(|pending| visible(&format!("{}: {}", pending.id, pending.says))).collect(),
        leave_date: leave_date.map(|day| day.to_string()).unwrap_or_default(),
        can_withdraw: can_withdraw(person, &roster, today),
        may_leave: may_post(&visitor.role, "/people/{id}/leave") && !is_oneself,
        is_oneself,
        second: second.map(|second| visible(&second.name)).unwrap_or_default(),
        notice_name: asked.in_words(),
        is_open: is_open && people.notices.in_force(asked).is_some(),
        notice,
        may_notice: may_post(&visitor.role, "/people/{id}/notice"),
        typed,
        said: said.to_owned(),
        wrong: wrong.clone(),
    };
    page_with(wrong.status, &shown)
}

fn known<'r>(roster: &'r Roster, id: &str) -> Result<&'r Person, Failure> {
    roster.person(id).ok_or_else(|| Failure::missing("Nobody in the roster has this short name."))
}

/// Keys and tools.
fn things(person: &Person, roster: &Roster) -> Vec<String> {
    let keys = roster.keys().iter().filter(|key| key.person == person.id);
    let keys = keys.map(|key| format!("SSH key {}", key.fingerprint));
    let tools = person.remote_tools.iter().map(|tool| format!("remote support through {tool}"));
    keys.chain(tools).map(|thing| visible(&thing)).collect()
}

/// What follows from the leave date, without what is a command.
fn what_follows(person: &Person, roster: &Roster, today: Date) -> Vec<String> {
    let said = follows(roster, &person.id, today).into_iter();
    let mut said: Vec<String> = said.filter(|sentence| !sentence.contains("ntk-collector")).collect();
    let n = checklist(roster, &person.id, None).len();
    said.push(format!("{} to take back, in order.", count(n, "thing", "things")));
    said.iter().map(|sentence| visible(sentence)).collect()
}

/// Whether there is a leave date that was recorded afterwards and is yet to come.
fn can_withdraw(person: &Person, roster: &Roster, today: Date) -> bool {
    let last = roster.leave().iter().rev().find(|block| block.person == person.id);
    last.and_then(|block| block.on).is_some_and(|on| on > today)
}

impl PersonPage {
    /// Where the things are taken back one by one, where that page is there.
    fn departure(&self) -> Option<String> {
        let opens = table::row(&axum::http::Method::GET, "/departure").is_some();
        opens.then(|| format!("/departure?person={}", encoded(&self.id)))
    }
}

async fn leaves(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<PersonForm>,
) -> Page {
    match record_leave(&console, &visitor, &id, &form).await {
        Ok(said) => Ok(see(&format!("/people/{}?said={said}", encoded(&id)))),
        Err(Refused::Wrong(wrong)) => again(&console, &visitor, &id, form, wrong).await,
        Err(Refused::Failed(failure)) => {
            let name = if form.step == "withdraw" { "withdraw" } else { "leave" };
            let wrong = Wrong::from_failure(name, failure)?;
            again(&console, &visitor, &id, form, wrong).await
        }
    }
}

async fn again(console: &Console, visitor: &Visitor, id: &str, form: PersonForm, wrong: Wrong) -> Page {
    let typed = PersonForm { passphrase: String::new(), ..form };
    with(console, visitor, id, typed, wrong, "").await
}

/// Why a form was not taken.
enum Refused {
    Wrong(Wrong),
    Failed(Failure),
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn record_leave(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    form: &PersonForm,
) -> Result<&'static str, Refused> {
    let withdraw = form.step == "withdraw";
    let on = if withdraw { None } else { day("leave", "on", &form.on)? };
    let notice_given = if withdraw { None } else { day("leave", "notice_given", &form.notice_given)? };
    if !withdraw && on.is_none() {
        return Err(Wrong::new(
            "leave",
            "on",
            "Write the first day on which nothing of theirs is used any more.",
        )
        .into());
    }
    if on.as_ref().zip(notice_given.as_ref()).is_some_and(|(on, given)| given > on) {
        return Err(Wrong::new("leave", "notice_given", "That is later than the leave date.").into());
    }
    let request = LeaveRequest {
        person: id.to_owned(),
        on,
        withdraw,
        notice_given,
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let _room = console.passphrases.acquire().await;
    let Json(answer) = leave(State(console.app.clone()), visitor.viewer(), Json(request)).await?;
    console.week.forget();
    let is_pending = answer.get("version").is_none();
    Ok(match (withdraw, is_pending) {
        (false, _) => "leave",
        (true, false) => "withdrawn",
        (true, true) => "asked",
    })
}

async fn notice(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<PersonForm>,
) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let person = known(&roster, &id)?;
    let asked = Notice::ALL.into_iter().find(|notice| notice.asks(person)).unwrap_or(Notice::Staff);
    let (notice, by) = (Some(asked.name().to_owned()), visitor.person.clone());
    let proof = passphrase(&form.passphrase);
    if form.step == "paper" {
        let on = match day("paper", "on", &form.on) {
            Ok(on) => on,
            Err(wrong) => return again(&console, &visitor, &id, form, wrong).await,
        };
        let request = PaperRequest { notice, person: id.clone(), on, by, passphrase: proof };
        let kept = {
            let _room = console.passphrases.acquire().await;
            paper(State(console.app.clone()), Json(request)).await
        };
        return match kept {
            Ok(_) => Ok(see(&format!("/people/{}?said=paper", encoded(&id)))),
            Err(failure) => {
                let wrong = Wrong::from_failure("paper", failure)?;
                again(&console, &visitor, &id, form, wrong).await
            }
        };
    }
    let request = LinkRequest { notice, person: id.clone(), days: None, by, passphrase: proof };
    let made = {
        let _room = console.passphrases.acquire().await;
        link(State(console.app.clone()), Json(request)).await
    };
    match made {
        Ok(Json(made)) => {
            let back = format!("/people/{}", encoded(&id));
            let shown = LinkMade::of_notice(&console, &visitor, &made, (&person.name, asked), back)?;
            page(&shown)
        }
        Err(failure) => {
            let wrong = Wrong::from_failure("link", failure)?;
            again(&console, &visitor, &id, form, wrong).await
        }
    }
}
