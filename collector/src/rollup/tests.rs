//! What is made of roll-ups is what is made of the entries themselves.

use ntk_evidence::event::Event;
use serde_json::{Value, json, to_value};

use super::read::Next;
use super::{Cover, Rollup, put_right};
use crate::baseline::Survey;
use crate::desk::rig::Rig;
use crate::protected::Places;
use crate::report::week::Week;
use crate::review::review;
use crate::roster::proposal::Gathering;
use crate::store::{FindingRecord, LeafRecord};

/// What two machines recorded in five weeks: a day's work, and one of everything that is no day's work.
fn recorded() -> Vec<String> {
    let actors = [
        json!({"login_uid": 1001, "login_user": "itadmin1", "session": 5, "confidence": "kernel"}),
        json!({"login_uid": 1001, "login_user": "itadmin1", "session": 6, "from": "10.0.0.7", "key": "SHA256:x"}),
        json!({"login_uid": 1044, "login_user": "temp", "confidence": "kernel"}),
        json!({"login_uid": u32::MAX, "effective_user": "backup"}),
        json!({"confidence": "unattributed", "candidates": [{"login_uid": 1001}]}),
    ];
    let classes = ["ehr", "mailbox", "export", "hr"];
    let mut events = Vec::new();
    for n in 0..600_usize {
        let day = 1 + n / 20;
        let (hour, minute) = (7 + n % 12, (n * 7) % 60);
        let mut event = json!({
            "kind": (["file_access", "file_access", "file_access", "process_start", "login"])[n % 5],
            "time": format!("2026-11-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}Z", n % 60, n % 1000),
            "outcome": if n % 11 == 0 { "denied" } else { "success" },
            "action": "read",
            "actor": actors[(n / 3) % actors.len()],
            "process": {"pid": n, "exe": (["/usr/bin/less", "/usr/bin/rsync"])[(n / 7) % 2], "parent": "/usr/bin/bash"},
            "object": {"class": classes[(n / 2) % 4], "path": format!("/srv/{}/{}/{n}", classes[(n / 2) % 4], n % 3)},
            "source": {"sensor": "linux-audit", "record": n.to_string()},
        });
        match n % 17 {
            // Runs: within a half hour, and beyond it.
            3 => (event["count"], event["last"]) = (json!(4), event["time"].clone()),
            4 => {
                event["count"] = json!(9);
                event["last"] = json!(format!("2026-11-{day:02}T{:02}:59:59Z", hour + 2));
            }
            5 => event["of_a_newer_agent"] = json!(n % 2),
            6 => event["source"]["recorded"] = json!(true),
            7 if n > 300 => event["time"] = json!("yesterday"),
            8 => event["object"]["path"] = Value::Null,
            9 => {
                event["kind"] = json!("health");
                event["health"] = json!({"reason": "periodic", "boot_id": "b", "uptime_s": n * 100, "clock_ahead_ms": n,
                    "cannot_see": [format!("{} is not seen", n % 3)], "memory_bytes": n});
            }
            10 => {
                event["kind"] = json!("gap");
                event["gap"] = json!({"cause": "kernel_lost", "lost": n, "to": event["time"]});
            }
            11 => {
                event["kind"] = json!("tamper");
                event["tamper"] = json!({"what": "rules_changed", "detail": format!("{n} rules")});
            }
            12 => event["kind"] = json!("of_a_newer_agent"),
            _ => {}
        }
        events.push(event.to_string());
    }
    // A folder that is read whole.
    for n in 0..300 {
        let event = json!({"kind": "file_access", "time": format!("2026-11-24T15:{:02}:{:02}Z", n / 20, n % 60),
            "outcome": "success", "action": "read", "actor": actors[0], "process": {"exe": "/usr/bin/tar"},
            "object": {"class": "ehr", "path": format!("/srv/ehr/all/{n}")}});
        events.push(event.to_string());
    }
    events
}

/// Everything that is made of rows, as text.
fn made(rig: &Rig) -> String {
    let app = rig.app();
    let (lookup, published, trust) = (&app.lookup, app.ledger.published(), app.trust.now().0);
    let now = app.ledger.now().parse().unwrap();
    let mut out = Vec::new();
    for week in ["2026-W46", "2026-W47", "2026-W48"] {
        let week = Week::parse(week).unwrap();
        let report = review(&app.practice, lookup, &published, &trust, now, week, None).unwrap();
        out.push(to_value(&report).unwrap());
    }
    let (roster, _) = lookup.rules_now().unwrap();
    let (mut survey, mut places, mut accounts) =
        (Survey::new(now, None), Places::default(), Gathering::default());
    let mut n = 0;
    lookup
        .rolled(i64::MIN, i64::MAX, |seen| {
            survey.observe(seen.access, seen.decision);
            places.observe(seen.access.host, seen.event, seen.access.n_accesses());
            accounts.observe(seen.access, &roster);
            n += seen.access.entries;
        })
        .unwrap();
    let mut found = to_value(survey.finish(&roster, "2026-11-27".parse().unwrap())).unwrap();
    // Which entries are samples is the one thing that differs: those that began a half hour.
    for worker in ["proposals", "unfit"].iter().flat_map(|part| found[part].as_array().unwrap().clone()) {
        assert!(worker["evidence"]["samples"].is_array() || worker["samples"].is_null(), "{worker}");
    }
    drop_samples(&mut found);
    let places: Vec<_> = places.finish(&lookup.rules_now().unwrap().1);
    out.push(json!({"survey": found, "places": places, "accounts": accounts.finish(&roster), "entries": n}));
    serde_json::to_string_pretty(&out).unwrap()
}

fn drop_samples(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("samples");
            fields.values_mut().for_each(drop_samples);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_samples),
        _ => {}
    }
}

/// Rolls everything up that fills roll-ups of so many entries; how many there are.
fn roll(rig: &Rig, entries: u64) -> usize {
    let lookup = &rig.app().lookup;
    lookup.store().forget_rollups(|_| true).unwrap();
    let mut next = Next::after_kept(lookup).unwrap();
    while next.make(lookup, entries).unwrap() {}
    lookup.store().covers().unwrap().len()
}

async fn practice() -> Rig {
    let rig = Rig::start().await;
    let events = recorded();
    let (one, other) = events.split_at(events.len() / 2);
    rig.batches("ws-01", one, 7).await;
    rig.batches("ws-02", other, 30).await;
    let app = rig.app().clone();
    // The acts of its findings come after what they are about.
    rig.until("every finding to stand in the ledger", move || {
        let size = app.lookup.up_to_date().unwrap();
        let findings = app.lookup.store().findings().unwrap();
        let is_written =
            |one: &FindingRecord| one.opened_by.is_some() && (one.is_open || one.closed_by.is_some());
        !findings.is_empty()
            && findings.iter().all(is_written)
            && app.ledger.published().checkpoint.checkpoint.size == size
    })
    .await;
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_made_of_rollups_is_the_one_made_of_entries() {
    let rig = practice().await;
    tokio::task::block_in_place(|| {
        let direct = made(&rig);
        for (entries, at_least) in [(1, 50), (50, 10), (500, 1)] {
            let n = roll(&rig, entries);
            assert!(n >= at_least, "{n} roll-ups of {entries} entries");
            let rolled = made(&rig);
            let differ = direct.lines().zip(rolled.lines()).find(|(one, other)| one != other);
            assert_eq!((differ, direct.len()), (None, rolled.len()), "{entries} entries a roll-up");
        }
    });
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollup_is_smaller_than_its_entries_and_names_no_path() {
    let rig = practice().await;
    tokio::task::block_in_place(|| {
        // Small ones: where the last one ends, so that the folder that is read whole lies in none, depends on how acts fall
        // between batches.
        assert!(roll(&rig, 50) > 0);
        let store = rig.app().lookup.store();
        let of = |cover: &Cover| store.rollup(cover.first).unwrap().unwrap();
        let rollups: Vec<_> = store.covers().unwrap().iter().map(of).collect();
        let n: u64 = rollups.iter().flat_map(|rollup| &rollup.rows).map(|row| row.entries).sum();
        let n_rows: usize = rollups.iter().map(|rollup| rollup.rows.len()).sum();
        assert!(n_rows + 150 < usize::try_from(n).unwrap(), "{n_rows} rows of {n} entries");
        let text = serde_json::to_string(&rollups).unwrap();
        assert!(text.contains("/srv/mailbox"), "the folder");
        let file = |event: &Event| event.object.as_ref().and_then(|object| object.path.clone());
        let lookup = &rig.app().lookup;
        lookup
            .events(i64::MIN, i64::MAX, |seen| {
                let path = file(seen.event).filter(|_| super::half_hour_of(&seen).is_some());
                assert!(path.is_none_or(|path| !text.contains(&format!("\"{path}\""))));
            })
            .unwrap();
    });
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_of_another_version_are_passed_over_and_then_made_again() {
    let rig = practice().await;
    tokio::task::block_in_place(|| {
        let (lookup, direct) = (&rig.app().lookup, made(&rig));
        let n = roll(&rig, 50);
        for mut cover in lookup.store().covers().unwrap() {
            cover.made_by = "0 of another program".to_owned();
            lookup.store().put_rollup(&cover, &Rollup::default()).unwrap();
        }
        assert!(made(&rig) == direct, "empty ones of another version say nothing");
        let mut next = Next::after_kept(lookup).unwrap();
        assert!(lookup.store().covers().unwrap().is_empty());
        while next.make(lookup, 50).unwrap() {}
        assert_eq!(lookup.store().covers().unwrap().len(), n);
    });
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_that_somebody_changed_or_made_up_are_put_right() {
    let rig = practice().await;
    tokio::task::block_in_place(|| {
        let (lookup, direct) = (&rig.app().lookup, made(&rig));
        let (store, n) = (lookup.store(), roll(&rig, 50));
        assert_eq!(put_right(lookup).unwrap(), 0);
        let covers = store.covers().unwrap();
        // One says nothing, one says less, one claims what others cover, one what does not exist.
        store.put_rollup(&covers[1], &Rollup::default()).unwrap();
        let mut less = store.rollup(covers[2].first).unwrap().unwrap();
        less.rows.pop();
        store.put_rollup(&covers[2], &less).unwrap();
        store.put_rollup(&Cover { end: covers[4].end, ..covers[3].clone() }, &Rollup::default()).unwrap();
        let last = covers[n - 1].end;
        store
            .put_rollup(&Cover { first: last, end: u64::MAX, ..covers[0].clone() }, &Rollup::default())
            .unwrap();
        assert!(made(&rig) != direct, "what was changed is told");
        assert!(put_right(lookup).unwrap() >= 4);
        assert!(made(&rig) == direct);
        assert_eq!(put_right(lookup).unwrap(), 0);
    });
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_removed_is_in_no_rollup() {
    let rig = practice().await;
    tokio::task::block_in_place(|| {
        let store = rig.app().lookup.store();
        let n = roll(&rig, 50);
        let leaf = store.covers().unwrap()[n / 2].first;
        store.forget_told(|record: &LeafRecord| record.leaf == leaf).unwrap();
        let covers = store.covers().unwrap();
        assert_eq!(covers.len(), n - 1);
        assert!(covers.iter().all(|cover| !(cover.first..cover.end).contains(&leaf)));
        assert_eq!(store.rollup(leaf).unwrap(), None);
        // What is no longer rolled up is read again.
        let before = made(&rig);
        store.forget_rollups(|_| true).unwrap();
        assert!(made(&rig) == before);
    });
    rig.end().await;
}
