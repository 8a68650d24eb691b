//! `rebuild`: makes the query store again from the segments, beside the one in use, and compares.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Answer, Failure, blocking};
use crate::app::App;
use crate::follow::{Follower, Progress, Writing};
use crate::store::Store;

/// How often the comparison is made again where entries came in meanwhile.
const ATTEMPTS: u32 = 5;

/// Rebuilds, compares, and puts right what differs. What the ledger writes by itself (rounds, silences) may come in
/// between: then it is compared again.
pub async fn rebuild(State(app): State<App>) -> Answer<Json<Value>> {
    blocking(move || {
        let mut attempt = 1;
        loop {
            let (found, is_settled) = compare(&app)?;
            if is_settled || attempt >= ATTEMPTS {
                return Ok(Json(found));
            }
            attempt += 1;
        }
    })
    .await
}

/// One comparison, and whether its answer is final.
fn compare(app: &App) -> Answer<(Value, bool)> {
    // Up to here both stores are read; what comes meanwhile is in neither comparison.
    let size = app.lookup.up_to_date()?;
    let path = app.practice.home.cache().join("rebuilt");
    let _ = std::fs::remove_dir_all(&path);
    let made = make(app, &path);
    let _ = std::fs::remove_dir_all(&path);
    let (rebuilt, reached) = made?;
    let used: BTreeMap<_, _> =
        app.lookup.store().contents().collect::<Result<_, _>>().map_err(|error| Failure::ours(&error))?;
    let missing: Vec<_> = rebuilt.iter().filter(|(key, value)| used.get(*key) != Some(*value)).collect();
    let extra = used.keys().filter(|key| !rebuilt.contains_key(*key)).count();
    let moved_on = app.ledger.published().checkpoint.checkpoint.size > size || reached > size;
    let same = missing.is_empty() && extra == 0;
    let sentence = match (same, moved_on) {
        (true, _) => format!(
            "The query store is what the ledger says: {} keys, rebuilt from {reached} leaves, the same.",
            rebuilt.len()
        ),
        (false, true) => format!(
            "{} keys differ and {extra} are extra, while new entries came in; run it again when it is quiet.",
            missing.len()
        ),
        (false, false) => format!(
            "{} keys differed and {extra} were extra; they have been put right from the ledger.",
            missing.len()
        ),
    };
    if !same && !moved_on {
        app.lookup.store().replace(rebuilt.clone()).map_err(|error| Failure::ours(&error))?;
    }
    // Of what is right now: the roll-ups are made from these rows.
    let wrong = if same || !moved_on { crate::rollup::put_right(&app.lookup)? } else { 0 };
    let rolled = match wrong {
        0 => String::new(),
        1 => " One roll-up was not what its entries come to; it has been put right.".to_owned(),
        n => format!(" {n} roll-ups were not what their entries come to; they have been put right."),
    };
    let (sentence, same) = (sentence + &rolled, same && wrong == 0);
    Ok((
        json!({"same": same, "rollups_wrong": wrong, "moved_on": moved_on, "keys": rebuilt.len(), "leaves": reached, "differ": missing.len(), "extra": extra, "sentence": sentence}),
        same || !moved_on,
    ))
}

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

fn make(app: &App, path: &std::path::Path) -> Answer<(Contents, u64)> {
    let (store, _) =
        Store::open_sealed(path, app.practice.home.store_seal()).map_err(|error| Failure::ours(&error))?;
    let store = Arc::new(store);
    let progress = Arc::new(Progress::default());
    let follower = Follower::new(
        app.ledger.clone(),
        Arc::clone(&store),
        app.lookup.zone().clone(),
        Arc::clone(&progress),
        Writing::Nothing,
    );
    follower.and_then(|mut follower| follower.catch_up()).map_err(|error| Failure::ours(&error))?;
    let contents = store.contents().collect::<Result<_, _>>().map_err(|error| Failure::ours(&error))?;
    Ok((contents, progress.applied()))
}
