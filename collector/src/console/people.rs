//! People: who is in the roster, what they hold, who leaves, who has read the notice, and whose an account is.

mod notices;
mod one;

use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{Form, Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::form::{Done, Wrong, may_post, passphrase};
use super::gate::encoded;
use super::shell::{Page, Shell, Visitor, page_with};
use super::{Console, see};
use crate::admin::mine;
use crate::admin::roster::{ConfirmRequest, Lately, confirm, in_force, lately, today};
use crate::report::shown::visible;
use crate::report::text::{list_of, moment};
use crate::roster::{Account, ItemKind, Person, Proposal, Roster, RosterItem, roster_items};
use crate::staff_notice::{Notice, Notices};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/people", get(list).post(look))
        .route("/accounts/confirm", post(whose))
        .route("/self-view", post(self_view))
        .merge(one::routes())
        .merge(notices::routes())
}

/// What the entries of the last weeks say, from the last time that somebody looked it up.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<(Timestamp, Arc<Lately>)>>);

impl Kept {
    fn get(&self) -> Option<(Timestamp, Arc<Lately>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, at: Timestamp, lately: Lately) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, Arc::new(lately)));
    }

    /// An account belongs to somebody now.
    fn settle(&self, account: &str) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, lately)) = kept.as_mut() {
            Arc::make_mut(lately).proposals.retain(|proposal| proposal.account != account);
        }
    }
}

/// One person of the list.
struct Row {
    path: String,
    name: String,
    roles: String,
    accounts: Vec<String>,
    last_seen: String,
    leaves: String,
    has_left: bool,
    notice: String,
    is_open: bool,
}

/// An account that belongs to nobody yet.
struct Unknown {
    account: String,
    sentence: String,
    suggested: String,
}

#[derive(Template)]
#[template(path = "console/people.html")]
struct PeoplePage {
    shell: Shell,
    rows: Vec<Row>,
    items: Vec<String>,
    /// When the entries were looked through; empty where nobody asked for it yet.
    looked: String,
    unknown: Vec<Unknown>,
    people: Vec<(String, String)>,
    self_view: bool,
    may_confirm: bool,
    may_allow: bool,
    typed: ConfirmForm,
    wrong: Wrong,
    said: String,
    zone: String,
}

async fn list(State(console): State<Console>, visitor: Visitor, Query(said): Query<Done>) -> Page {
    let said = match said.said.as_str() {
        "looked" => "The entries of the last four weeks were looked through.",
        "confirmed" => "It is kept whose the account is.",
        "allowed" => "People may see what is recorded about themselves.",
        "forbidden" => "People no longer see what is recorded about themselves.",
        _ => "",
    };
    show(&console, &visitor, ConfirmForm::default(), Wrong::default(), said).await
}

async fn show(console: &Console, visitor: &Visitor, typed: ConfirmForm, wrong: Wrong, said: &str) -> Page {
    let (_, roster) = in_force(&console.app).await?;
    let today = today(&console.app)?;
    let published = console.app.ledger.published();
    let people = &published.registry.people;
    let zone = console.app.lookup.zone();
    let kept = console.people.get();
    let seen = |id: &str| {
        let (_, lately) = kept.as_ref()?;
        Some(lately.last_seen.get(id).map_or("not in four weeks".to_owned(), |at| moment(*at, zone)))
    };
    let rows = roster.persons().iter().map(|person| {
        let (notice, is_open) = notice_of(person, &people.notices, zone);
        Row {
            path: encoded(&person.id),
            name: visible(&person.in_words()),
            roles: visible(&list_of(&person.roles)),
            accounts: accounts_of(person, &roster).map(|account| visible(&account.in_words())).collect(),
            last_seen: seen(&person.id).unwrap_or_default(),
            // Nobody reads here that they are to leave.
            leaves: match person.leave_date {
                _ if person.id == visitor.person => "not shown to oneself".to_owned(),
                Some(day) => day.to_string(),
                None => String::new(),
            },
            has_left: person.id != visitor.person && person.leave_date.is_some_and(|day| day <= today),
            notice,
            is_open,
        }
    });
    let unknown = kept.iter().flat_map(|(_, lately)| &lately.proposals).map(|proposal| Unknown {
        account: proposal.account.clone(),
        sentence: visible(&proposal.sentence(&roster)),
        suggested: suggested(proposal),
    });
    let page = PeoplePage {
        shell: Shell::new(console, Some(visitor), "/people", "People"),
        rows: rows.collect(),
        items: items(&roster, today, &visitor.person),
        looked: kept.as_ref().map(|(at, _)| moment(*at, zone)).unwrap_or_default(),
        unknown: unknown.collect(),
        people: roster.persons().iter().map(|person| (person.id.clone(), visible(&person.name))).collect(),
        self_view: people.self_view,
        may_confirm: may_post(&visitor.role, "/accounts/confirm"),
        may_allow: may_post(&visitor.role, "/self-view"),
        typed,
        said: said.to_owned(),
        zone: zone.iana_name().unwrap_or("the practice’s own zone").to_owned(),
        wrong: wrong.clone(),
    };
    page_with(wrong.status, &page)
}

fn suggested(proposal: &Proposal) -> String {
    proposal.suggestion.as_ref().map(|suggestion| suggestion.person.clone()).unwrap_or_default()
}

/// What in the roster waits for somebody, without what is a command.
fn items(roster: &Roster, today: Date, visitor: &str) -> Vec<String> {
    let sentence = |text: String| visible(text.split(": record it with `").next().unwrap_or(&text));
    let about_others = |item: &RosterItem| {
        item.kind == ItemKind::NotAcknowledged || !item.persons.iter().any(|id| id == visitor)
    };
    roster_items(roster, today).into_iter().filter(about_others).map(|item| sentence(item.sentence)).collect()
}

/// The accounts that somebody holds, alone or with others.
fn accounts_of<'r>(person: &'r Person, roster: &'r Roster) -> impl Iterator<Item = &'r Account> {
    roster.accounts().iter().filter(|account| account.holder.ids().contains(&person.id))
}

/// How it stands with the notice that asks somebody, and whether it is open.
fn notice_of(person: &Person, notices: &Notices, zone: &jiff::tz::TimeZone) -> (String, bool) {
    let asks = Notice::ALL.into_iter().find(|notice| notice.asks(person));
    let Some((notice, in_force)) = asks.and_then(|notice| Some((notice, notices.in_force(notice)?))) else {
        return ("none is in force".to_owned(), false);
    };
    let version = &in_force.published.version;
    let own = notices
        .said()
        .iter()
        .filter(|said| said.acknowledged.notice == notice && said.acknowledged.person == person.id);
    let own: Vec<_> = own.collect();
    if let Some(said) = own.iter().find(|said| said.acknowledged.version == *version) {
        let how = said.acknowledged.how.in_words();
        let when = match &said.acknowledged.on {
            Some(on) => on.clone(),
            None => said.at.parse().map(|at| moment(at, zone)).unwrap_or_else(|_| said.at.clone()),
        };
        return (format!("version {version}, {how}, {when}"), false);
    }
    let before = own.last().map(|said| format!("; version {} was", said.acknowledged.version));
    (format!("version {version} not acknowledged{}", before.unwrap_or_default()), true)
}

async fn look(State(console): State<Console>, visitor: Visitor) -> Page {
    let found = lately(&console.app, &visitor.viewer()).await?;
    console.people.keep(console.now(), found);
    Ok(see("/people?said=looked"))
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ConfirmForm {
    #[serde(default)]
    account: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    with: String,
    #[serde(default)]
    passphrase: String,
}

async fn whose(State(console): State<Console>, visitor: Visitor, Form(form): Form<ConfirmForm>) -> Page {
    let typed = ConfirmForm { passphrase: String::new(), ..form.clone() };
    if form.person.is_empty() {
        let wrong = Wrong::new("confirm", "person", "Choose whose it is.");
        return show(&console, &visitor, typed, wrong, "").await;
    }
    let others = [form.person.clone(), form.with.clone()];
    let mut persons: Vec<String> = others.into_iter().filter(|id| !id.is_empty()).collect();
    persons.dedup();
    let request = ConfirmRequest {
        account: form.account.clone(),
        persons,
        by: visitor.person.clone(),
        passphrase: passphrase(&form.passphrase),
    };
    let confirmed = {
        let _room = console.passphrases.acquire().await;
        confirm(State(console.app.clone()), Json(request)).await
    };
    match confirmed {
        Ok(_) => {
            console.people.settle(&form.account);
            Ok(see("/people?said=confirmed"))
        }
        Err(failure) => {
            let wrong = Wrong::from_failure("confirm", failure)?;
            show(&console, &visitor, typed, wrong, "").await
        }
    }
}

#[derive(Debug, Deserialize)]
struct SelfViewForm {
    #[serde(default)]
    allowed: String,
    #[serde(default)]
    passphrase: String,
}

async fn self_view(State(console): State<Console>, visitor: Visitor, Form(form): Form<SelfViewForm>) -> Page {
    let allowed = form.allowed == "yes";
    let request =
        mine::SetRequest { allowed, by: visitor.person.clone(), passphrase: passphrase(&form.passphrase) };
    let set = {
        let _room = console.passphrases.acquire().await;
        mine::set(State(console.app.clone()), Json(request)).await
    };
    match set {
        Ok(_) if allowed => Ok(see("/people?said=allowed")),
        Ok(_) => Ok(see("/people?said=forbidden")),
        Err(failure) => {
            let wrong = Wrong::from_failure("self-view", failure)?;
            show(&console, &visitor, ConfirmForm::default(), wrong, "").await
        }
    }
}
