//! Reviewers' passphrases over the admin API, and how other requests get their [`Proof`].

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::reviewer::{Passphrase, Proof, ReviewerError, Reviewers};
use crate::roster::Roster;

/// `reviewer passphrase`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassphraseRequest {
    /// Id of the person.
    pub person: String,
    /// The new one.
    pub new: Passphrase,
    /// The one before, where there is one.
    #[serde(default)]
    pub old: Option<Passphrase>,
    /// Without the one before: an act that the review shows.
    #[serde(default)]
    pub reset: bool,
}

impl From<ReviewerError> for Failure {
    fn from(error: ReviewerError) -> Self {
        match &error {
            ReviewerError::None(_)
            | ReviewerError::Wrong(_)
            | ReviewerError::Older(_)
            | ReviewerError::TooMany(_)
            | ReviewerError::Weak => Self::bad(error.to_string()),
            ReviewerError::Home(_) | ReviewerError::Form(_) | ReviewerError::Hash(_) => Self::ours(&error),
        }
    }
}

/// Verifies who asks; what is decided is written with the proof.
pub(crate) async fn prove(app: &App, by: &str, passphrase: &Passphrase) -> Answer<Proof> {
    let (reviewers, now) = (app.reviewers.clone(), app.desk.now().timestamp());
    let (by, passphrase) = (by.to_owned(), passphrase.clone());
    blocking(move || Ok(reviewers.verify(&by, &passphrase, now)?)).await
}

/// How much a person's word does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It decides something: once the practice has reviewers, only with a passphrase.
    Decides,
    /// It is written down: with a passphrase where the person has one.
    IsRecorded,
}

/// Who does something, and how it was shown that it is them: `by` and `proof` of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Id of the person.
    pub(crate) by: String,
    /// Name of the person.
    pub(crate) name: String,
    /// `passphrase`, or `none` while nobody in the practice has one: the review says so.
    pub(crate) proof: &'static str,
}

impl Signature {
    /// Puts both into an act's body.
    pub(crate) fn sign(&self, mut body: Value) -> Value {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("by".into(), json!(self.by));
            fields.insert("proof".into(), json!(self.proof));
        }
        body
    }
}

/// Makes sure who does something. While nobody has a passphrase the practice is being set up, and a name is taken
/// as it is given; from the first passphrase on, whoever decides needs one.
pub(crate) async fn sign(
    app: &App,
    roster: &Roster,
    by: &str,
    passphrase: Option<&Passphrase>,
    word: Word,
) -> Answer<Signature> {
    let Some(person) = roster.person(by) else {
        return Err(Failure::bad(format!(
            "`--by {by}`: nobody in the roster has the id `{by}`; `ntk-collector roster export FILE` shows the ids"
        )));
    };
    let signature = |proof| Signature { by: by.to_owned(), name: person.name.clone(), proof };
    if let Some(passphrase) = passphrase {
        return Ok(signature(prove(app, by, passphrase).await?.how()));
    }
    let reviewers = app.reviewers.clone();
    let set = blocking(move || Ok(reviewers.list()?)).await?;
    if set.iter().any(|(person, _)| person == by) {
        return Err(Failure::unproved(format!(
            "`{by}` has a passphrase: give it at the prompt, with --passphrase-file, or in NTK_PASSPHRASE"
        )));
    }
    if word == Word::Decides && !set.is_empty() {
        return Err(Failure::unproved(format!(
            "`{by}` has no passphrase yet, and this practice has reviewers; set one with `ntk-collector reviewer passphrase {by}`"
        )));
    }
    Ok(signature("none"))
}

/// Sets or changes a passphrase.
pub(super) async fn set(
    State(app): State<App>,
    Json(request): Json<PassphraseRequest>,
) -> Answer<Json<Value>> {
    let person = request.person.clone();
    let step = set_passphrase(&app, request).await?;
    Ok(Json(json!({"person": person, "step": step})))
}

/// Sets or changes a passphrase, and ends every session of its person; whether it was set, changed or reset.
pub(crate) async fn set_passphrase(app: &App, request: PassphraseRequest) -> Answer<&'static str> {
    let person = request.person;
    let app_for_reading = app.clone();
    let wanted = person.clone();
    let (has, is_known) = blocking(move || {
        let (roster, _) = app_for_reading.lookup.rules_now()?;
        Ok((app_for_reading.reviewers.has(&wanted)?, roster.person(&wanted).is_some()))
    })
    .await?;
    if !is_known {
        return Err(Failure::missing(format!(
            "`{person}` is not in the roster; import a roster with this person first"
        )));
    }
    Reviewers::check_new(&request.new)?;
    let reviewers = app.reviewers.clone();
    blocking(move || Ok(reviewers.check_settable()?)).await?;
    let step = match (has, request.old, request.reset) {
        (false, _, _) => "set",
        (true, Some(old), _) => {
            let _proof = prove(app, &person, &old).await?;
            "changed"
        }
        (true, None, true) => "reset",
        (true, None, false) => {
            return Err(Failure::bad(format!(
                "`{person}` has a passphrase; give the old one, or use --reset, which the review will show"
            )));
        }
    };
    // The act first: a passphrase that changed unseen would be worse than an act that changed nothing.
    record(app, act::kind::REVIEWER, json!({"step": step, "person": person})).await?;
    let now = app.desk.now().timestamp();
    let (reviewers, id) = (app.reviewers.clone(), person.clone());
    blocking(move || Ok(reviewers.set(&id, &request.new, now)?)).await?;
    // INVARIANT SS-2.
    app.sessions.end_of(&person, None);
    Ok(step)
}

/// Who may decide, and who of them has a passphrase.
pub(super) async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let (roster, policy) = app.lookup.rules_now()?;
        let set = app.reviewers.list()?;
        let set_at = |id: &str| set.iter().find(|(person, _)| person == id).map(|(_, at)| at.to_string());
        let people = roster.persons().iter().filter_map(|person| {
            let approves = crate::ticket::approve::is_approver(person, policy.tickets());
            let seconds = approves || person.has_role(crate::ticket::approve::SECOND_APPROVER);
            let set_at = set_at(&person.id);
            (seconds || set_at.is_some()).then(|| {
                json!({"person": person.id, "name": person.name, "approves": approves, "approves_second": seconds, "passphrase_set": set_at})
            })
        });
        Ok(Json(json!({"reviewers": people.collect::<Vec<_>>()})))
    })
    .await
}
