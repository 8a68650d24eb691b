//! Staff notices over the admin API: shown, published, acknowledged by passphrase, link or paper, listed.

use axum::Json;
use axum::extract::{Query, State};
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::{day, in_force, person, today};
use super::{Answer, Failure, links, record};
use crate::app::App;
use crate::reviewer::Passphrase;
use crate::staff_notice::{Acknowledged, How, InForce, Notice, NoticeStep, Published};

pub(super) fn routes() -> Api {
    Api::new()
        .get("/v1/staff-notice", "A staff notice as it is in force", show)
        .post("/v1/staff-notice", "Publish a version of a staff notice", publish)
        .get("/v1/staff-notice/list", "Who acknowledged which version of the staff notice", list)
        .post("/v1/staff-notice/acknowledge", "Acknowledge the staff notice oneself", acknowledge)
        .post("/v1/staff-notice/paper", "Record an acknowledgement that was signed on paper", paper)
        .post("/v1/staff-notice/link", "Make a one-time link to acknowledge the staff notice", link)
}

fn named(name: Option<&str>) -> Answer<Notice> {
    let name = name.unwrap_or("staff").replace('-', "_");
    let all = Notice::ALL.map(Notice::name).join(", ");
    Notice::parse(&name).ok_or_else(|| Failure::bad(format!("`{name}` is no notice; there is {all}")))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowQuery {
    #[serde(default)]
    notice: Option<String>,
}

/// The text in force, and the one that comes with the program.
async fn show(State(app): State<App>, Query(query): Query<ShowQuery>) -> Answer<Json<Value>> {
    let notice = named(query.notice.as_deref())?;
    let published = app.ledger.published();
    let notices = &published.registry.people.notices;
    Ok(Json(json!({
        "notice": notice, "in_force": notices.in_force(notice),
        "template": notice.template(&app.practice.config.raw.practice), "next_version": notices.next_version(notice),
    })))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishRequest {
    #[serde(default)]
    pub(crate) notice: Option<String>,
    /// The practice's own; the one that comes with the program where absent.
    #[serde(default)]
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) version: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

pub(crate) async fn publish(
    State(app): State<App>,
    Json(request): Json<PublishRequest>,
) -> Answer<Json<Value>> {
    let notice = named(request.notice.as_deref())?;
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let snapshot = app.ledger.published();
    let notices = &snapshot.registry.people.notices;
    let version = request.version.unwrap_or_else(|| notices.next_version(notice));
    let text = request.text.unwrap_or_else(|| notice.template(&app.practice.config.raw.practice));
    let published = Published { notice, version, text: text.replace("\r\n", "\n") };
    notices.check(&published).map_err(|fault| Failure::bad(fault.to_string()))?;
    let (version, sha256) = (published.version.clone(), links::sha256(&published.text));
    let body =
        serde_json::to_value(NoticeStep::Published(published)).map_err(|error| Failure::ours(&error))?;
    let mut body = by.sign(body);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("sha256".to_owned(), json!(sha256));
    }
    record(&app, act::kind::STAFF_NOTICE, body).await?;
    let now = app.ledger.published();
    let missing = now.registry.people.notices.missing(notice, &roster, today(&app)?);
    let missing: Vec<&str> = missing.iter().map(|person| person.id.as_str()).collect();
    Ok(Json(json!({"notice": notice, "version": version, "sha256": sha256, "missing": missing})))
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    let (_, roster) = in_force(&app).await?;
    let (today, published) = (today(&app)?, app.ledger.published());
    let notices = &published.registry.people.notices;
    let row = |notice: Notice| {
        let in_force = notices.in_force(notice)?;
        let missing = notices.missing(notice, &roster, today);
        let missing = missing.iter().map(|person| json!({"person": person.id, "name": person.name}));
        Some(json!({
            "notice": notice, "version": in_force.published.version, "since": in_force.since,
            "missing": missing.collect::<Vec<_>>(),
        }))
    };
    let rows: Vec<Value> = Notice::ALL.into_iter().filter_map(row).collect();
    // What was said when a machine was enrolled: whether its users were told.
    let machines = published.registry.machines.iter().filter(|(_, machine)| machine.revoked.is_none());
    let machines = machines.map(|(author, machine)| {
        json!({"machine": author.trim_start_matches("agent/"), "notice": machine.enrolment.notice, "enrolled": machine.enrolled})
    });
    Ok(Json(json!({
        "notices": rows, "acknowledged": notices.said(), "machines": machines.collect::<Vec<_>>(),
        "sentences": notices.sentences(&roster, today),
    })))
}

/// The version in force, which is the one that can be acknowledged.
fn in_force_of(app: &App, notice: Notice) -> Answer<InForce> {
    let published = app.ledger.published();
    published.registry.people.notices.in_force(notice).cloned().ok_or_else(|| {
        Failure::missing(format!(
            "no {} is in force; publish one first: ntk-collector staff-notice publish --by WHO",
            notice.in_words()
        ))
    })
}

fn is_open(app: &App, notice: Notice, version: &str, id: &str) -> Answer<()> {
    let published = app.ledger.published();
    if published.registry.people.notices.has_said(notice, version, id) {
        return Err(Failure::bad(format!(
            "`{id}` has acknowledged version {version} of the {} already",
            notice.in_words()
        )));
    }
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AcknowledgeRequest {
    #[serde(default)]
    notice: Option<String>,
    by: String,
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

/// A person says it themselves, and shows that it is them.
async fn acknowledge(State(app): State<App>, Json(request): Json<AcknowledgeRequest>) -> Answer<Json<Value>> {
    let notice = named(request.notice.as_deref())?;
    let (_, roster) = in_force(&app).await?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::IsRecorded).await?;
    if by.proof == "none" {
        return Err(Failure::unproved(format!(
            "`{}` has no passphrase, so nobody knows that it is them; make a link for them, or record it from paper",
            by.by
        )));
    }
    let version = in_force_of(&app, notice)?.published.version;
    is_open(&app, notice, &version, &by.by)?;
    let said = Acknowledged {
        notice,
        version: version.clone(),
        person: by.by.clone(),
        how: How::Passphrase,
        link: None,
        on: None,
        recorded_by: None,
    };
    let body = serde_json::to_value(NoticeStep::Acknowledged(said)).map_err(|error| Failure::ours(&error))?;
    record(&app, act::kind::STAFF_NOTICE, by.sign(body)).await?;
    Ok(Json(json!({"person": by.by, "version": version})))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperRequest {
    #[serde(default)]
    pub(crate) notice: Option<String>,
    pub(crate) person: String,
    /// The day on the paper.
    #[serde(default)]
    pub(crate) on: Option<String>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

/// Somebody signed on paper, and another person records it.
pub(crate) async fn paper(State(app): State<App>, Json(request): Json<PaperRequest>) -> Answer<Json<Value>> {
    let notice = named(request.notice.as_deref())?;
    let (_, roster) = in_force(&app).await?;
    let who = person(&roster, &request.person)?;
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    if by.by == who.id {
        return Err(Failure::bad(format!(
            "`--by {}`: what was signed on paper is recorded by another person",
            by.by
        )));
    }
    let today = today(&app)?;
    let on = request.on.as_deref().map_or(Ok(today), |on| day("--on", on))?;
    if on > today {
        return Err(Failure::bad(format!("`--on {on}` is yet to come")));
    }
    let version = in_force_of(&app, notice)?.published.version;
    is_open(&app, notice, &version, &who.id)?;
    let said = Acknowledged {
        notice,
        version: version.clone(),
        person: who.id.clone(),
        how: How::Paper,
        link: None,
        on: Some(on.to_string()),
        recorded_by: Some(by.by.clone()),
    };
    let body = serde_json::to_value(NoticeStep::Acknowledged(said)).map_err(|error| Failure::ours(&error))?;
    record(&app, act::kind::STAFF_NOTICE, by.sign(body)).await?;
    Ok(Json(json!({"person": who.id, "version": version, "on": on.to_string(), "recorded_by": by.by})))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkRequest {
    #[serde(default)]
    pub(crate) notice: Option<String>,
    pub(crate) person: String,
    #[serde(default)]
    pub(crate) days: Option<u16>,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

pub(crate) async fn link(State(app): State<App>, Json(request): Json<LinkRequest>) -> Answer<Json<Value>> {
    let notice = named(request.notice.as_deref())?;
    let (_, roster) = in_force(&app).await?;
    let who = person(&roster, &request.person)?.id.clone();
    let by = sign(&app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let version = in_force_of(&app, notice)?.published.version;
    is_open(&app, notice, &version, &who)?;
    let made = links::for_notice(&app, &roster, (who, notice, version), request.days, &by).await?;
    let _appended = app.ledger.act(vec![made.act]).await?;
    Ok(Json(made.shown))
}

#[cfg(test)]
mod tests;
