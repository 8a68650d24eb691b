//! `/v1/accounts`: who may sign in to the console; every change is an act before it is one.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Signature, Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::account::{Account, AccountError, Role};
use crate::app::App;
use crate::console::start::set_up_link;
use crate::reviewer::Passphrase;

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/accounts", "Accounts of the console", list)
        .post("/v1/accounts", "Make an account of the console: its set-up link is shown once", add)
        .post("/v1/accounts/role", "Change an account's role", set_role)
        .post("/v1/accounts/remove", "Remove an account", remove)
        .post("/v1/accounts/unlock", "Unlock an account after too many wrong passphrases", unlock)
        .post(
            "/v1/accounts/reset-second-factor",
            "Let an account set its second factor up anew",
            reset_second_factor,
        )
        .post("/v1/accounts/set-up-link", "A new set-up link for an account, shown once", new_set_up_link)
}

/// `account add|role|remove|unlock|reset-second-factor`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountRequest {
    /// Id of the person.
    person: String,
    /// `manager`, `reviewer`, `attorney`, `operator`, `person`.
    #[serde(default)]
    role: Option<String>,
    /// The case that an attorney sees.
    #[serde(default)]
    case: Option<String>,
    /// Who does this.
    #[serde(default)]
    by: Option<String>,
    /// Shows that it is them.
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

impl AccountRequest {
    fn role(&self) -> Answer<Role> {
        let role = self.role.as_deref().unwrap_or_default();
        Ok(Role::parse(role, self.case.as_deref())?)
    }

    /// Letting people in and out is a manager's: once the practice has somebody who decides, nobody else's word counts.
    async fn signed(&self, app: &App, viewer: &Viewer) -> Answer<Option<Signature>> {
        let (_, roster) = in_force(app).await?;
        let by = self.by.as_deref().or(viewer.person());
        if let Some(by) = by {
            return Ok(Some(sign(app, &roster, by, self.passphrase.as_ref(), Word::Decides).await?));
        }
        let reviewers = app.reviewers.clone();
        if blocking(move || Ok(reviewers.list()?)).await?.is_empty() {
            return Ok(None);
        }
        Err(Failure::unproved("this practice has reviewers: say who does this, --by WHO"))
    }

    /// Whoever is signed in shows with the passphrase that it is them; whoever runs the collector is there already.
    async fn signed_in_console(&self, app: &App, viewer: &Viewer) -> Answer<Option<Signature>> {
        if viewer.person().is_some() { self.signed(app, viewer).await } else { Ok(None) }
    }
}

async fn write(app: &App, body: Value, by: Option<&Signature>) -> Answer<()> {
    let body = by.map_or_else(|| body.clone(), |by| by.sign(body.clone()));
    record(app, act::kind::ACCOUNT, body).await?;
    Ok(())
}

fn origin(app: &App) -> Answer<&str> {
    let console = app.practice.config.console.as_ref().map(|console| console.origin.as_str());
    console.ok_or_else(|| {
        Failure::bad("there is no console: write a section [console] into collector.toml and start again")
    })
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    let now = app.desk.now().timestamp();
    blocking(move || {
        let rows = app.accounts.list()?.into_iter().map(|(person, account)| {
            json!({
                "person": person,
                "name": roster.person(&person).map(|person| person.name.as_str()),
                "role": account.role.name(),
                "case": account.role.case(),
                "since": account.since.to_string(),
                "second_factor": account.second_factor.is_some(),
                "recovery_left": account.second_factor.as_ref().map(|factor| factor.n_recovery()),
                "locked": account.locked.map(|at| at.to_string()),
                "signed_in": app.sessions.of(&person, now).len(),
            })
        });
        Ok(Json(json!({"accounts": rows.collect::<Vec<_>>()})))
    })
    .await
}

async fn add(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<AccountRequest>,
) -> Answer<Json<Value>> {
    let (role, origin) = (request.role()?, origin(&app)?.to_owned());
    let (_, roster) = in_force(&app).await?;
    let person = super::roster::person(&roster, &request.person)?.id.clone();
    let by = request.signed(&app, &viewer).await?;
    let (reading, id) = (app.clone(), person.clone());
    if blocking(move || Ok(reading.accounts.get(&id)?)).await?.is_some() {
        return Err(AccountError::Taken(person).into());
    }
    let body = json!({"step": "made", "person": person, "role": role.name(), "case": role.case()});
    write(&app, body, by.as_ref()).await?;
    let (now, id) = (app.desk.now().timestamp(), person.clone());
    let token = blocking(move || Ok(app.accounts.add(&id, role, now)?)).await?;
    Ok(Json(json!({"person": person, "link": format!("{origin}/set-up/{token}")})))
}

async fn set_role(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<AccountRequest>,
) -> Answer<Json<Value>> {
    let role = request.role()?;
    let account = existing(&app, &request.person).await?;
    let by = request.signed(&app, &viewer).await?;
    let body = json!({
        "step": "role", "person": request.person, "role": role.name(), "case": role.case(),
        "before": account.role.name(),
    });
    change(&app, &request.person, {
        let role = role.clone();
        move |app, person| app.accounts.set_role(person, role).map(|_| ())
    })
    .await?;
    write(&app, body, by.as_ref()).await?;
    Ok(Json(json!({"person": request.person, "role": role.name()})))
}

async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<AccountRequest>,
) -> Answer<Json<Value>> {
    existing(&app, &request.person).await?;
    let by = request.signed(&app, &viewer).await?;
    change(&app, &request.person, |app, person| app.accounts.remove(person)).await?;
    write(&app, json!({"step": "removed", "person": request.person}), by.as_ref()).await?;
    Ok(Json(json!({"removed": request.person})))
}

/// The way back after a lock-out. Whoever runs the collector may do it: it opens nothing, and the ledger says so.
async fn unlock(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<AccountRequest>,
) -> Answer<Json<Value>> {
    let account = existing(&app, &request.person).await?;
    let by = request.signed_in_console(&app, &viewer).await?;
    let body = json!({"step": "unlocked", "person": request.person, "was_locked": account.locked.is_some()});
    write(&app, body, by.as_ref()).await?;
    let (reading, person) = (app.clone(), request.person.clone());
    let was_locked = blocking(move || Ok(reading.accounts.unlock(&person)?)).await?;
    Ok(Json(json!({"person": request.person, "was_locked": was_locked})))
}

/// A new second factor for somebody who lost theirs. It needs their passphrase as well, so whoever runs the collector
/// may do it; the ledger says so, and the review shows it.
async fn reset_second_factor(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<AccountRequest>,
) -> Answer<Json<Value>> {
    let origin = origin(&app)?.to_owned();
    existing(&app, &request.person).await?;
    let by = request.signed_in_console(&app, &viewer).await?;
    write(&app, json!({"step": "second_factor_reset", "person": request.person}), by.as_ref()).await?;
    let now = app.desk.now().timestamp();
    let (reading, person) = (app.clone(), request.person.clone());
    let token = blocking(move || Ok(reading.accounts.reset_second_factor(&person, now)?)).await?;
    // INVARIANT SS-2.
    app.sessions.end_of(&request.person, None);
    Ok(Json(json!({"person": request.person, "link": format!("{origin}/set-up/{token}")})))
}

async fn new_set_up_link(State(app): State<App>) -> Answer<Json<Value>> {
    let origin = origin(&app)?.to_owned();
    match set_up_link(&app, &origin).await? {
        Some(link) => Ok(Json(json!({"link": link}))),
        None => Err(AccountError::SetUp.into()),
    }
}

async fn existing(app: &App, person: &str) -> Answer<Account> {
    let (app, person) = (app.clone(), person.to_owned());
    blocking(move || app.accounts.get(&person)?.ok_or_else(|| AccountError::Unknown(person).into())).await
}

/// Changes an account and ends its sessions (SS-2). Taking rights away comes before the act that tells it: who is shut
/// out too early is harmed less than who is let in too long.
async fn change(
    app: &App,
    person: &str,
    change: impl FnOnce(&App, &str) -> Result<(), AccountError> + Send + 'static,
) -> Answer<()> {
    let (changing, id) = (app.clone(), person.to_owned());
    blocking(move || Ok(change(&changing, &id)?)).await?;
    app.sessions.end_of(person, None);
    Ok(())
}
