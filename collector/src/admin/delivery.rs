//! Mails and notices over the admin API: how they stand, their secrets, a trial, an address that is kept all the same.

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::config::delivery::Delivery;
use crate::delivery::outbox::{Item, Way};
use crate::delivery::send::{attempt, secret};
use crate::delivery::task::{notice_ways, of_way, report_ways, tell};
use crate::delivery::{DeliveryAct, What};
use crate::mail::Address;
use crate::mail::place::{Place, not_checked, warnings};
use crate::reviewer::Passphrase;

/// The longest secret, bytes.
const SECRET_BYTES_MAX: usize = 1024;
/// The shortest passphrase of attachments: they may lie in a mailbox for years.
const PASSPHRASE_CHARS_MIN: usize = 12;
/// The longest reason.
const TEXT_CHARS_MAX: usize = 500;

pub(super) fn routes() -> Api {
    Api::new()
        .get(
            "/v1/delivery",
            "Mails, notices and signs of life: what is set, what waits, what went wrong",
            standing,
        )
        .post("/v1/delivery/secret", "Set a password or token for mails and notices", set_secret)
        .post("/v1/delivery/test", "Send a test mail or a test notice", test)
        .post("/v1/delivery/decline", "Record that an advice about mail was declined", decline)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Secret {
    /// `mail-password`, `mail-passphrase`, `webhook-secret`, `ntfy-token`.
    what: String,
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Test {
    /// `mail` or `notice`.
    what: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Decline {
    because: String,
    /// Who decides it.
    #[serde(default)]
    by: Option<String>,
    /// Shows that it is them.
    #[serde(default)]
    passphrase: Option<Passphrase>,
}

async fn standing(State(app): State<App>) -> Answer<Json<Value>> {
    let settings = app.outgoing.settings();
    let deliveries = app.ledger.published().registry.deliveries.clone();
    let Looked { warnings, not_checked } = looked(&app, &settings).await;
    let home = app.practice.home.clone();
    let is_set = |name: &str| home.private(name).exists();
    let said = |ways: Vec<Way>| ways.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(Json(json!({
        "scheduled": settings.schedule.is_some(),
        "reports_to": said(report_ways(&settings)),
        "notices_to": said(notice_ways(&settings)),
        "heartbeat": settings.notices.as_ref().is_some_and(|notices| notices.heartbeat.is_some()),
        "waiting": app.outgoing.outbox().n_waiting(),
        "last_report": deliveries.last_report,
        "secrets": {
            "mail-password": is_set(secret::MAIL), "mail-passphrase": is_set(secret::PASSPHRASE),
            "webhook-secret": is_set(secret::WEBHOOK), "ntfy-token": is_set(secret::NTFY),
        },
        "warnings": warnings,
        "not_checked": not_checked,
    })))
}

/// What was found, and what was not looked at.
struct Looked {
    warnings: Vec<String>,
    not_checked: String,
}

/// Everything that should be looked at before this is relied on.
async fn looked(app: &App, settings: &Delivery) -> Looked {
    let mut found = Vec::new();
    if settings.schedule.is_none() {
        found.push("No review is made by itself: add the section [report] to collector.toml.".to_owned());
    }
    if settings.mail.as_ref().is_some_and(|mail| mail.user.is_some())
        && !app.practice.home.private(secret::MAIL).exists()
    {
        found.push(
            "`mail.user` is set and there is no password: run `ntk-collector mail password`.".to_owned(),
        );
    }
    if report_ways(settings).is_empty() {
        found.push("Nobody gets the review: add the section [mail], or `folder` under [report].".to_owned());
    }
    let channels: std::collections::BTreeSet<String> =
        notice_ways(settings).iter().map(|way| format!("{:?}", way.channel())).collect();
    match channels.len() {
        0 => found.push("Nobody is told at once: add the section [notices].".to_owned()),
        1 => found.push("Notices go one way only: whoever holds that up holds up all of them. Add a second one that the watched person does not run (mail, ntfy or webhook).".to_owned()),
        _ => {}
    }
    if settings.notices.as_ref().is_none_or(|notices| notices.heartbeat.is_none()) {
        found.push("Nobody outside notices when nothing comes any more: add `notices.heartbeat_url`, or check the log every week with the stick (ntk-verify witness).".to_owned());
    }
    let machines = app.ledger.published().registry.machines.clone();
    let machines: Vec<String> =
        machines.keys().map(|author| author.trim_start_matches("agent/").to_owned()).collect();
    let places = app.looked_up.places(&app.names, places(settings)).await;
    found.extend(warnings(&places, &machines));
    Looked { warnings: found, not_checked: not_checked(&places) }
}

/// Where mails and notices end up.
fn places(settings: &Delivery) -> Vec<Place> {
    let address = |to: &Address| Place::of_mail(format!("The address {to}"), to.domain());
    let mut places = Vec::new();
    if let Some(mail) = &settings.mail {
        places.push(Place::of("The mail server", &mail.server));
        places.extend(mail.to.iter().map(address));
    }
    if let Some(notices) = &settings.notices {
        places.extend(notices.mail.iter().map(address));
        for (what, url) in
            [("webhook", &notices.webhook), ("ntfy", &notices.ntfy), ("heartbeat", &notices.heartbeat)]
        {
            places.extend(url.as_ref().map(|url| Place::of(format!("The way {what}"), &url.host)));
        }
    }
    places.sort_by(|a, b| (&a.what, &a.host).cmp(&(&b.what, &b.host)));
    places.dedup();
    places
}

async fn set_secret(State(app): State<App>, Json(request): Json<Secret>) -> Answer<Json<Value>> {
    let known = [secret::MAIL, secret::PASSPHRASE, secret::WEBHOOK, secret::NTFY, crate::poll::SECRET];
    let Some(name) = known.into_iter().find(|name| *name == request.what) else {
        return Err(Failure::bad(format!(
            "there is no secret of that name; it is one of {}",
            known.join(", ")
        )));
    };
    let value = request.value.trim_end_matches(['\r', '\n']).to_owned();
    if value.is_empty() || value.len() > SECRET_BYTES_MAX || value.contains(char::is_control) {
        return Err(Failure::bad(format!("a secret is one line of 1 to {SECRET_BYTES_MAX} bytes")));
    }
    if name == secret::PASSPHRASE && value.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(Failure::bad(format!(
            "what it opens may lie in a mailbox for years: use at least {PASSPHRASE_CHARS_MIN} characters, such as five words"
        )));
    }
    let home = app.practice.home.clone();
    blocking(move || home.write_secret(name, value.as_bytes()).map_err(|error| Failure::ours(&error)))
        .await?;
    record(&app, act::kind::CONFIGURATION, json!({"change": "secret set", "name": name})).await?;
    Ok(Json(json!({"set": name})))
}

/// Sends one trial each way, now, and says what became of it.
async fn test(State(app): State<App>, Json(request): Json<Test>) -> Answer<Json<Value>> {
    let settings = app.outgoing.settings();
    let ways = match request.what.as_str() {
        "mail" => report_ways(&settings).into_iter().filter(|way| matches!(way, Way::Mail { .. })).collect(),
        "notice" => notice_ways(&settings),
        _ => return Err(Failure::bad("`what` is `mail` or `notice`")),
    };
    if ways.is_empty() {
        let section = if request.what == "mail" { "[mail]" } else { "[notices]" };
        return Err(Failure::bad(format!(
            "there is nobody to send a trial to: add the section {section} to collector.toml"
        )));
    }
    let mut rows = Vec::new();
    for way in ways {
        let said = way.to_string();
        let item = trial(&app, way)?;
        let attempted = item.attempted(None);
        let result = attempt(&app, &settings, item, app.ledger.clock().now()).await;
        let reason = result.err().map(|failure| crate::error_chain(&failure));
        let attempted = crate::delivery::Attempted { reason: reason.clone(), ..attempted };
        let act =
            if reason.is_none() { DeliveryAct::Sent(attempted) } else { DeliveryAct::Failed(attempted) };
        tell(&app, act).await?;
        rows.push(json!({"way": said, "taken": reason.is_none(), "reason": reason}));
    }
    Ok(Json(json!({"tried": rows})))
}

fn trial(app: &App, way: Way) -> Answer<Item> {
    let random = crate::home::random().map_err(|error| Failure::ours(&error))?;
    let random = ntk_evidence::hash::hex(random.get(..6).unwrap_or_default());
    Ok(Item {
        id: format!("test-{random}-{}", of_way(&way)),
        what: What::Test,
        week: None,
        way,
        subject: "Need-to-Know: a trial".to_owned(),
        text: "This is a trial. Nothing happened. If you read this, this way works.\n".to_owned(),
        html: None,
        files: Vec::new(),
        queued: app.ledger.now(),
        attempts: 0,
        next: None,
        taken: None,
    })
}

async fn decline(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<Decline>,
) -> Answer<Json<Value>> {
    let because = crate::mail::one_line(&request.because, TEXT_CHARS_MAX);
    if because.is_empty() {
        return Err(Failure::bad("say why it is kept all the same: --because TEXT"));
    }
    let by = match request.by.as_deref().or(viewer.person()) {
        Some(by) => {
            let (_, roster) = in_force(&app).await?;
            Some(sign(&app, &roster, by, request.passphrase.as_ref(), Word::Decides).await?)
        }
        None => None,
    };
    let settings = app.outgoing.settings();
    let Looked { warnings, .. } = looked(&app, &settings).await;
    let (by, proof) = by.map(|by| (by.by, by.proof.to_owned())).unzip();
    tell(&app, DeliveryAct::Declined { because, warnings: warnings.clone(), by, proof }).await?;
    Ok(Json(json!({"recorded": warnings})))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::delivery::{Attach, Mail};
    use crate::desk::rig::Rig;
    use crate::mail::Security;
    use crate::mail::lookup::stand_in::{Says, mail, start};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_sets_up_mails_is_warned_of_a_domain_that_is_served_inside() {
        let rig = Rig::start().await;
        let mut app = rig.app().clone();
        app.names = start(vec![
            ("maple.example", mail("mx.maple.example")),
            ("mx.maple.example", Says::At("192.168.1.5")),
            ("failed.example", Says::Failed),
        ])
        .await;
        let address = |text: &str| Address::parse(text).unwrap();
        let mail = Mail {
            server: "203.0.113.25".into(),
            port: 587,
            security: Security::StartTls,
            user: None,
            from: address("reviews@example.com"),
            to: vec![address("mary@maple.example"), address("mary@failed.example")],
            attach: Attach::Nothing,
            details: false,
        };
        app.outgoing.set(Delivery { mail: Some(mail), ..Delivery::default() });
        let told = standing(State(app.clone())).await.unwrap_or_else(|_| panic!("an answer")).0;
        let warned = told["warnings"].to_string();
        let part = "The address mary@maple.example: the mail of `maple.example` is served by `mx.maple.example`, which is 192.168.1.5, an address inside the practice.";
        assert!(warned.contains(part), "{told}");
        assert!(!warned.contains("failed.example"), "{told}");
        let open = told["not_checked"].as_str().unwrap();
        assert!(open.contains("The mail servers of failed.example could not all be looked up"), "{told}");
        drop(app);
        rig.end().await;
    }
}
