//! A departure over the admin API: the list with its ticks, and what was used after the leave date.

use axum::Json;
use axum::extract::{Query, State};
use jiff::{Timestamp, ToSpan};
use ntk_evidence::act;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::{in_force, person};
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::departure::{DepartureStep, Inventory, Ticks, Watch, checklist, held};
use crate::follow::answer::{read, store_error};
use crate::reviewer::Passphrase;
use crate::roster::Roster;

/// How far back machines' inventories are looked for.
const INVENTORY_DAYS: i64 = 35;

pub(super) fn routes() -> Api {
    Api::new()
        .get(
            "/v1/departure",
            "What a leaving person's access consists of, and the steps that end it",
            departure,
        )
        .post("/v1/departure/tick", "Tick off a step of a departure, or take the tick back", tick)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DepartureQuery {
    person: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TickRequest {
    pub(crate) person: String,
    pub(crate) item: String,
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
    #[serde(default)]
    pub(crate) note: Option<String>,
    #[serde(default)]
    pub(crate) untick: bool,
}

/// What the ledger says about a departure.
struct Found {
    ticks: Ticks,
    inventory: Inventory,
    watch: Option<Value>,
}

fn look(app: &App, roster: &Roster, id: &str) -> Answer<Found> {
    let now: Timestamp = app.ledger.now().parse().map_err(|_| Failure::bad("the clock cannot be read"))?;
    let mut watch = Watch::over(roster, id);
    let zone = app.lookup.zone();
    let since = watch.as_ref().and_then(|watch| watch.since().to_zoned(zone.clone()).ok());
    let since = since.map_or(now, |since| since.timestamp());
    let inventories_from = now.checked_sub((INVENTORY_DAYS * 24).hours()).unwrap_or(since);
    let from = i64::try_from(since.min(inventories_from).as_nanosecond()).unwrap_or(0);
    let mut inventory = Inventory::default();
    app.lookup.events(from, i64::MAX, |seen| {
        inventory.observe(seen.access.host, seen.event);
        if let (Some(watch), false) = (&mut watch, act::is_act(&seen.event.kind)) {
            watch.observe(seen.access);
        }
    })?;
    let watch = watch.map(|watch| {
        let (since, has_begun) = (watch.since().to_string(), watch.since() <= zone.to_datetime(now).date());
        let uses = watch.uses();
        let sentences = |theirs: bool| {
            let uses = uses.iter().filter(|used| used.is_theirs() == theirs);
            uses.map(|used| json!({"sentence": used.sentence(), "use": used})).collect::<Vec<_>>()
        };
        json!({"since": since, "has_begun": has_begun, "theirs": sentences(true), "others": sentences(false)})
    });
    Ok(Found { ticks: ticks(app)?, inventory, watch })
}

/// The acts about departures, in the order of the ledger.
fn ticks(app: &App) -> Answer<Ticks> {
    app.lookup.up_to_date()?;
    let mut ticks = Ticks::default();
    let reader = app.ledger.reader();
    for leaf in app.lookup.store().leaves_of("collector").map_err(store_error)? {
        let batch = read(&reader, &leaf)?;
        for (_, entry) in batch.numbered() {
            let Ok(event) = entry.event() else { continue };
            if event.kind.as_str() != act::kind::DEPARTURE {
                continue;
            }
            // An act of a newer version that this one cannot read ticks nothing.
            let _ = act::body(&event).map(|body| ticks.apply(&event.time, body));
        }
    }
    Ok(ticks)
}

async fn departure(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<DepartureQuery>,
) -> Answer<Json<Value>> {
    Ok(Json(told(&app, &viewer, &query.person).await?))
}

/// VW-1: a departure is nobody's own to see or to tick off.
fn is_another(viewer: &Viewer, roster: &Roster, person: &str) -> Answer<()> {
    if viewer.themselves(roster).are_named(person, roster) {
        return Err(Failure::not_theirs(
            "This departure is yours or your firm's: somebody else who decides handles it.",
        ));
    }
    Ok(())
}

/// [`departure`], for whoever asks.
pub(crate) async fn told(app: &App, viewer: &Viewer, id: &str) -> Answer<Value> {
    let (_, roster) = in_force(app).await?;
    person(&roster, id)?;
    is_another(viewer, &roster, id)?;
    let looked = viewer.looked(json!({"what": "uses after a departure", "person": id}));
    let (app_for_reading, id) = (app.clone(), id.to_owned());
    let body = blocking(move || {
        let id = id.as_str();
        let who = person(&roster, id)?;
        let found = look(&app_for_reading, &roster, id)?;
        let inventory = Some(&found.inventory).filter(|inventory| !inventory.is_empty());
        let steps = checklist(&roster, id, inventory);
        let earlier: Vec<Value> = found
            .ticks
            .of_person(id)
            .filter(|(item, _)| steps.iter().all(|step| step.id != *item))
            .map(|(item, tick)| json!({"id": item, "tick": tick}))
            .collect();
        let steps: Vec<Value> =
            steps.iter().map(|step| json!({"step": step, "tick": found.ticks.of(id, &step.id)})).collect();
        Ok(json!({
            "person": id,
            "name": who.in_words(),
            "leave_date": who.leave_date.map(|date| date.to_string()),
            "notice_given": who.notice_given.map(|date| date.to_string()),
            "steps": steps,
            "ticked_before": earlier,
            "holdings": held(&roster, id, &found.inventory),
            "watch": found.watch,
        }))
    })
    .await?;
    record(app, act::kind::VIEWED, looked).await?;
    Ok(body)
}

async fn tick(
    State(app): State<App>,
    viewer: Viewer,
    Json(request): Json<TickRequest>,
) -> Answer<Json<Value>> {
    Ok(Json(ticked(&app, &viewer, request).await?))
}

/// Ticks a step off or takes that back, for whoever asks.
pub(crate) async fn ticked(app: &App, viewer: &Viewer, request: TickRequest) -> Answer<Value> {
    let (_, roster) = in_force(app).await?;
    person(&roster, &request.person)?;
    is_another(viewer, &roster, &request.person)?;
    let by = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    if by.by == request.person {
        return Err(Failure::bad(format!("`--by {}`: a departure is ticked off by another person", by.by)));
    }
    let TickRequest { person: id, item, note, untick, .. } = request;
    let (id_for_reading, item_for_reading, app_for_reading) = (id.clone(), item.clone(), app.clone());
    blocking(move || {
        let (id, item) = (id_for_reading.as_str(), item_for_reading.as_str());
        let found = look(&app_for_reading, &roster, id)?;
        let is_ticked = found.ticks.of(id, item).is_some();
        if untick {
            let none = format!("`{item}` is not ticked; `ntk-collector departure {id}` shows the list");
            return if is_ticked { Ok(()) } else { Err(Failure::bad(none)) };
        }
        if is_ticked {
            return Err(Failure::bad(format!("`{item}` is ticked already; `untick` takes that back")));
        }
        let inventory = Some(&found.inventory).filter(|inventory| !inventory.is_empty());
        if checklist(&roster, id, inventory).iter().any(|step| step.id == item) {
            return Ok(());
        }
        let none =
            format!("the list of `{id}` has no step `{item}`; `ntk-collector departure {id}` shows it");
        Err(Failure::missing(none))
    })
    .await?;
    let (person, item_said) = (id, item.clone());
    let step = if untick {
        DepartureStep::Unticked { person, item, by: by.by.clone(), note }
    } else {
        DepartureStep::Ticked { person, item, by: by.by.clone(), note }
    };
    let body = serde_json::to_value(&step).map_err(|error| Failure::ours(&error))?;
    record(app, act::kind::DEPARTURE, by.sign(body)).await?;
    Ok(json!({"item": item_said, "ticked": !untick, "by": by.by}))
}
