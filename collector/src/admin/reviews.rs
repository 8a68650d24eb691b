//! `/v1/reports`: the reviews that were kept, who opened them; and `/v1/sign-off`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::reviewers::{Word, sign};
use super::roster::in_force;
use super::viewer::Viewer;
use super::{Answer, Failure, blocking, record};
use crate::app::App;
use crate::report::week::Week;
use crate::reviewer::Passphrase;
use crate::sign_off::{Reviewed, check};

/// How many kept files are listed: three a week over ten years, and again as many made by hand.
const FILES_MAX: usize = 4_000;

pub(super) fn routes() -> Api {
    Api::new().get("/v1/reports", "Reviews as they were made", list).post(
        "/v1/sign-off",
        "Sign a weekly review off",
        sign_off,
    )
}

/// One review that was kept: its files by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// `2026-W47`.
    pub(crate) week: String,
    /// The act that made it.
    pub(crate) leaf: u64,
    /// File names by kind: `html`, `json`, `pdf`.
    pub(crate) files: BTreeMap<String, String>,
}

/// The kept reviews, the newest first.
pub(crate) fn kept(app: &App) -> Answer<Vec<Kept>> {
    let folder = app.practice.home.path("reports");
    let names = std::fs::read_dir(&folder).map_err(|error| Failure::ours(&error))?;
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).take(FILES_MAX);
    let mut found: BTreeMap<(String, u64), Kept> = BTreeMap::new();
    for name in names {
        let Some((week, leaf, kind)) = parts(&name) else { continue };
        let one = found.entry((week.clone(), leaf)).or_insert_with(|| Kept { week, leaf, ..Kept::default() });
        one.files.insert(kind, name);
    }
    Ok(found.into_values().rev().collect())
}

/// `2026-W47-leaf-12.html` in its parts.
fn parts(name: &str) -> Option<(String, u64, String)> {
    let (stem, kind) = name.rsplit_once('.')?;
    let (week, leaf) = stem.split_once("-leaf-")?;
    let week = Week::parse(week).ok()?.to_string();
    let is_kind = matches!(kind, "html" | "json" | "pdf");
    Some((week, leaf.parse().ok()?, kind.to_owned())).filter(|_| is_kind)
}

/// What was done with each week's review.
pub(crate) fn reviewed(app: &App, week: &str) -> Reviewed {
    app.ledger.published().registry.reviews.of(week).cloned().unwrap_or_default()
}

async fn list(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let rows = kept(&app)?.into_iter().map(|one| {
            let done = reviewed(&app, &one.week);
            json!({"week": one.week, "leaf": one.leaf, "files": one.files, "signed": done.signed, "opened": done.opened})
        });
        Ok(Json(json!({"reports": rows.collect::<Vec<_>>()})))
    })
    .await
}

/// `sign-off`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignOffRequest {
    /// `2026-W47`.
    pub(crate) week: String,
    /// A remark.
    #[serde(default)]
    pub(crate) note: Option<String>,
    /// Who signs.
    pub(crate) by: String,
    /// Shows that it is them.
    #[serde(default)]
    pub(crate) passphrase: Option<Passphrase>,
}

async fn sign_off(State(app): State<App>, Json(request): Json<SignOffRequest>) -> Answer<Json<Value>> {
    Ok(Json(sign_week(&app, request).await?))
}

/// Signs off a week's review: the newest that was kept, by its hash.
pub(crate) async fn sign_week(app: &App, request: SignOffRequest) -> Answer<Value> {
    let week = Week::parse(&request.week).map_err(|error| Failure::bad(error.to_string()))?;
    let (_, roster) = in_force(app).await?;
    let signature = sign(app, &roster, &request.by, request.passphrase.as_ref(), Word::Decides).await?;
    let note = request.note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let (reading, by) = (app.clone(), request.by.clone());
    let body = blocking(move || {
        let newest = kept(&reading)?.into_iter().find(|one| one.week == week.to_string());
        let now = reading.desk.now().timestamp();
        let before = reviewed(&reading, &week.to_string());
        let said = (week, by.as_str(), note.as_deref());
        check(said, Some(&before), newest.is_some(), now, reading.lookup.zone())
            .map_err(|fault| Failure::bad(fault.to_string()))?;
        // What was signed is this page, and no other.
        let mut files = serde_json::Map::new();
        for name in newest.iter().flat_map(|one| one.files.values()) {
            let content = reading.practice.home.read_report(name).map_err(|error| Failure::ours(&error))?;
            files.insert(name.clone(), Hash::of(&content).to_hex().into());
        }
        let report = newest.map(|one| one.leaf);
        Ok(json!({"week": week.to_string(), "report": report, "files": files, "note": note}))
    })
    .await?;
    record(app, act::kind::SIGN_OFF, signature.sign(body)).await?;
    Ok(json!({"week": week.to_string(), "by": request.by}))
}

/// Writes down that somebody opened a review.
pub(crate) async fn opened(app: &App, viewer: &Viewer, week: &str) -> Answer<()> {
    record(app, act::kind::REPORT_OPENED, viewer.looked(json!({"week": week}))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_this_collector_writes_are_reviews() {
        let split = parts("2026-W47-leaf-12.html").unwrap();
        assert_eq!(split, ("2026-W47".to_owned(), 12, "html".to_owned()));
        for name in
            ["../2026-W47-leaf-1.html", "2026-W47-leaf-x.html", "2026-W47.html", "2026-W47-leaf-1.sh", ""]
        {
            assert!(parts(name).is_none(), "{name}");
        }
    }
}
