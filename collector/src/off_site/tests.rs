//! A copy to a place that fails in every way, and what becomes of it afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ntk_evidence::act;
use ntk_segment::frame::Frame;
use serde_json::json;

use super::check::{Found, check};
use super::copy::CopyError;
use super::list::{self, Newest};
use super::shelf::{Shelf, ShelfError};
use super::target::Target;
use super::{Finish, OffSite, OffSiteError};
use crate::app::App;
use crate::desk::rig::Rig;
use crate::ledger::from_frame;

/// How a put goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    /// Nothing was written, and that is said.
    NotWritten,
    /// It was written, and reported failed.
    Written,
    /// Half of it was written, and reported done.
    Half,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    n_puts: usize,
    /// The put of this number fails so.
    plan: Option<(usize, Failing)>,
}

/// A place in memory.
#[derive(Clone, Debug, Default)]
struct Place(Arc<Mutex<State>>);

impl Place {
    fn failing(at: usize, how: Failing) -> Self {
        let place = Self::default();
        place.0.lock().unwrap().plan = Some((at, how));
        place
    }

    fn n_puts(&self) -> usize {
        self.0.lock().unwrap().n_puts
    }

    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().objects.clone()
    }

    fn down(name: &str) -> ShelfError {
        let (name, target, said) = (name.to_owned(), "memory".to_owned(), "it is down".to_owned());
        ShelfError::Failed { doing: "write", name, target, said }
    }
}

impl Shelf for Place {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ShelfError> {
        let mut state = self.0.lock().unwrap();
        let number = state.n_puts;
        state.n_puts += 1;
        let how = state.plan.filter(|(at, _)| *at == number).map(|(_, how)| how);
        let kept = match how {
            Some(Failing::NotWritten) => return Err(Self::down(name)),
            Some(Failing::Half) => &bytes[..bytes.len() / 2],
            _ => bytes,
        };
        state.objects.insert(name.to_owned(), kept.to_vec());
        if how == Some(Failing::Written) { Err(Self::down(name)) } else { Ok(()) }
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ShelfError> {
        Ok(self.0.lock().unwrap().objects.get(name).cloned())
    }

    fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, ShelfError> {
        let state = self.0.lock().unwrap();
        let below = state.objects.iter().filter(|(name, _)| name.starts_with(&format!("{folder}/")));
        Ok(below.map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn remove(&self, name: &str) -> Result<(), ShelfError> {
        self.0.lock().unwrap().objects.remove(name);
        Ok(())
    }
}

fn target(name: &str) -> Target {
    Target::Folder(PathBuf::from(format!("/{name}")))
}

/// One run to this place; how many objects were sent.
async fn copy(app: &App, name: &str, place: &Place, finish: Finish) -> Result<u64, OffSiteError> {
    let (off_site, target, place): (OffSite, _, _) = (app.off_site.clone(), target(name), place.clone());
    let ran = tokio::task::spawn_blocking(move || {
        let open = || -> Result<Box<dyn Shelf>, ShelfError> { Ok(Box::new(place.clone())) };
        off_site.copy_to(&target, &open, finish, &mut |_, _| {})
    });
    ran.await.unwrap().map(|copied| copied.n_sent)
}

/// What `check` finds there.
async fn found(app: &App, name: &str, place: &Place) -> Found {
    let (app, target, place) = (app.clone(), target(name), place.clone());
    let ran = tokio::task::spawn_blocking(move || {
        let memory = super::memory::Memory::read(&app.practice.home, &target.to_string());
        check(&place, &app.ledger, memory.list.as_ref(), &app.trust.now().1, |_, _| {}).unwrap()
    });
    ran.await.unwrap()
}

/// Some acts, and the segment with them finished.
async fn segment(app: &App) {
    let body = json!({"change": "test"});
    let _appended =
        app.ledger.act(vec![act::event(act::kind::CONFIGURATION, app.ledger.now(), body)]).await.unwrap();
    let ledger = app.ledger.clone();
    tokio::task::spawn_blocking(move || ledger.finish_segment_blocking()).await.unwrap().unwrap();
}

/// The steps that the acts tell of the copy.
fn told(app: &App) -> Vec<String> {
    let mut steps = Vec::new();
    for frame in app.ledger.reader().frames().unwrap() {
        let Frame::Batch(batch) = frame.unwrap().1 else { continue };
        for (_, entry) in from_frame(0, batch).unwrap().numbered() {
            let event = entry.event().unwrap();
            if event.kind.as_str() == act::kind::OFF_SITE {
                steps.push(act::body(&event).unwrap()["step"].as_str().unwrap().to_owned());
            }
        }
    }
    steps
}

#[tokio::test]
async fn whatever_put_fails_in_whatever_way_the_next_run_makes_the_copy_whole() {
    let rig = Rig::start().await;
    let app = rig.app();
    for _ in 0..3 {
        segment(app).await;
    }
    let clean = Place::default();
    assert_eq!(copy(app, "clean", &clean, Finish::No).await.unwrap(), 3);
    let n_puts = clean.n_puts();
    assert_eq!(n_puts, 7, "the empty list, the trust file, the settings, three segments, the list");
    for how in [Failing::NotWritten, Failing::Written, Failing::Half] {
        for at in 0..n_puts {
            let (name, place) = (format!("{how:?}-{at}"), Place::failing(at, how));
            let first = copy(app, &name, &place, Finish::No).await;
            // Half a list, trust file or settings that was reported done is found by the next run, a half segment by this one.
            let is_segment = (3..6).contains(&at);
            assert_eq!(first.is_err(), how != Failing::Half || is_segment, "{name}: {first:?}");
            if how == Failing::Half && !is_segment && at != 0 {
                assert_ne!(found(app, &name, &place).await.faults, Vec::<String>::new(), "{name}");
            }
            // What is on the list is there, whatever failed.
            let list = place.objects().get(list::NAME).and_then(|bytes| Newest::parse(bytes).ok());
            for object in list.iter().flat_map(|list| &list.segments) {
                let there = place.objects();
                assert_eq!(
                    there.get(&object.name()).map(|bytes| bytes.len() as u64),
                    Some(object.bytes),
                    "{name}"
                );
            }
            if how == Failing::Half && at == n_puts - 1 {
                // Half a list is no list: a person looks at it, nothing is written over.
                let again = copy(app, &name, &place, Finish::No).await;
                assert!(matches!(again, Err(OffSiteError::Copy(CopyError::List(_)))), "{name}: {again:?}");
                place.remove(list::NAME).unwrap();
                let again = copy(app, &name, &place, Finish::No).await;
                assert!(
                    matches!(again, Err(OffSiteError::Copy(CopyError::OtherHistory(_)))),
                    "{name}: {again:?}"
                );
                continue;
            }
            copy(app, &name, &place, Finish::No).await.unwrap();
            let found = found(app, &name, &place).await;
            assert_eq!((found.faults, found.n_whole), (vec![], 3), "{name}");
            assert_eq!(
                copy(app, &name, &place, Finish::No).await.unwrap(),
                0,
                "{name}: nothing is sent twice"
            );
        }
    }
    rig.end().await;
}

#[tokio::test]
async fn everything_up_to_now_is_copied_where_that_is_asked_and_nothing_finished_otherwise() {
    let rig = Rig::start().await;
    let (app, place) = (rig.app(), Place::default());
    assert_eq!(copy(app, "now", &place, Finish::No).await.unwrap(), 0, "no segment is finished");
    assert_eq!(copy(app, "now", &place, Finish::Yes).await.unwrap(), 1);
    assert_eq!(told(app), ["copied"]);
    let list = Newest::parse(&place.objects()[list::NAME]).unwrap();
    // The act came afterwards; all before it is outside, under a checkpoint of the log.
    assert_eq!(Some(list.log_size + 1), Some(app.ledger.published().checkpoint.checkpoint.size));
    assert_eq!(app.ledger.root_at(list.log_size).unwrap(), list.root());
    // What is there has no word of what is inside.
    for (name, bytes) in place.objects() {
        for plain in ["Maple Street", "itadmin1", "act_configuration", "collector.toml"] {
            let stands = bytes.windows(plain.len()).any(|window| window == plain.as_bytes());
            assert!(!stands || name == list::TRUST, "`{plain}` in {name}");
        }
    }
    rig.end().await;
}

#[tokio::test]
async fn a_copy_that_fails_for_a_day_is_one_act_and_its_end_is_another() {
    let rig = Rig::start().await;
    segment(rig.app()).await;
    let place = Place::default();
    assert_eq!(copy(rig.app(), "x", &place, Finish::No).await.unwrap(), 1);
    // An empty place where a copy was is one that is not mounted.
    let down = Place::default;
    for _ in 0..2 {
        assert!(copy(rig.app(), "x", &down(), Finish::No).await.is_err());
    }
    assert_eq!(told(rig.app()), ["copied"], "an hour of it is nobody's alarm");
    let rig = rig.again("2026-11-28T18:59:00Z").await;
    assert!(copy(rig.app(), "x", &down(), Finish::No).await.is_err());
    assert_eq!(told(rig.app()), ["copied"]);
    let rig = rig.again("2026-11-28T19:00:00Z").await;
    for _ in 0..2 {
        assert!(copy(rig.app(), "x", &down(), Finish::No).await.is_err());
    }
    assert_eq!(told(rig.app()), ["copied", "failing"]);
    assert!(rig.app().ledger.published().registry.off_site.clone().unwrap().failing_since.is_some());
    for _ in 0..2 {
        assert_eq!(copy(rig.app(), "x", &place, Finish::No).await.unwrap(), 0);
    }
    assert_eq!(told(rig.app()), ["copied", "failing", "works_again"]);
    // A start reads the same from the acts.
    let rig = rig.again("2026-11-29T19:00:00Z").await;
    let recorded = rig.app().ledger.published().registry.off_site.clone().unwrap();
    assert_eq!((recorded.failing_since, recorded.copied.is_some()), (None, true));
    rig.end().await;
}

#[tokio::test]
async fn the_pruned_form_takes_an_objects_place_only_where_no_hold_covers_its_time() {
    let rig = Rig::start().await;
    let event = r#"{"kind":"file_access","time":"2026-11-27T18:00:00Z","count":1,"outcome":"success","action":"read",
        "actor":{"login_uid":1001,"login_user":"itadmin1","confidence":"kernel"},"process":{"exe":"/usr/bin/cat"},
        "object":{"class":"export","path":"/srv/practice/lopez.csv"},"source":{"sensor":"linux-audit"}}"#;
    rig.entries("ws-01", &[event.to_owned()]).await;
    segment(rig.app()).await;
    let (place, free) = (Place::default(), Place::default());
    for (name, place) in [("held", &place), ("free", &free)] {
        assert_eq!(copy(rig.app(), name, place, Finish::No).await.unwrap(), 1);
    }
    let whole = place.objects().keys().find(|name| name.ends_with(".age")).unwrap().clone();
    let rig = rig.again("2030-01-01T12:00:00Z").await;
    let ledger = rig.app().ledger.clone();
    let pruned =
        tokio::task::spawn_blocking(move || crate::prune::prune(&ledger, 24, false, |_, _| {}).unwrap());
    assert_eq!(pruned.await.unwrap().removed, [0]);
    // The twin first: nothing holds it.
    assert_eq!(copy(rig.app(), "free", &free, Finish::No).await.unwrap(), 1);
    let names: Vec<String> =
        free.objects().into_keys().filter(|name| name.starts_with("segments/")).collect();
    assert_eq!(names, ["segments/00000000000000000000.segp.age"]);
    // A run that was killed before the last step left the whole form behind.
    let left = free.objects()[&names[0]].clone();
    free.put(&whole, &left).unwrap();
    assert_eq!(copy(rig.app(), "free", &free, Finish::No).await.unwrap(), 0);
    assert!(!free.objects().contains_key(&whole));
    assert_eq!(found(rig.app(), "free", &free).await.faults, Vec::<String>::new());
    // This collector remembers the other place only: what it can no longer send whole it leaves as it is there.
    // A hold of that time, which came after retention had removed the entries here: the copy is all that has them.
    let hold = |step: serde_json::Value| act::event(act::kind::HOLD, rig.app().ledger.now(), step);
    let began = json!({"step": "began", "id": "H-1", "case": "C-1", "reason": "letter of counsel",
        "from": "2026-11-27T00:00:00Z", "to": "2026-11-28T00:00:00Z"});
    let _appended = rig.app().ledger.act(vec![hold(began)]).await.unwrap();
    assert_eq!(copy(rig.app(), "held", &place, Finish::No).await.unwrap(), 0);
    assert!(place.objects().contains_key(&whole));
    let released = hold(json!({"step": "released", "id": "H-1"}));
    // One of another time holds nothing of it.
    let other = hold(
        json!({"step": "began", "id": "H-2", "case": "C-2", "reason": "other", "from": "2029-01-01T00:00:00Z"}),
    );
    let _appended = rig.app().ledger.act(vec![released, other]).await.unwrap();
    assert_eq!(copy(rig.app(), "held", &place, Finish::No).await.unwrap(), 1);
    assert!(!place.objects().contains_key(&whole));
    rig.end().await;
}

/// Puts a trust file with another recovery key in force.
fn replace_recovery(app: &App, seed: u8, made: &str) -> String {
    let mut trust = ntk_evidence::trust::TrustFile::clone(&app.trust.now().0);
    let next = crate::recovery::recipient(&[seed; 32]).unwrap();
    trust.replace_recovery(&next, made, "a stick was lost").unwrap();
    // Who signs it is asked where it is taken, not here.
    let text = trust.text();
    app.trust.replace(trust, &text);
    next
}

/// Whether every object that the list names lies there as the list says: what a restore needs at any moment.
fn is_whole(place: &Place) -> (usize, bool) {
    let there = place.objects();
    let Some(list) = there.get(list::NAME).map(|bytes| Newest::parse(bytes).unwrap()) else {
        return (0, true);
    };
    let is_as_said = |name: String, sha256: &str| {
        there.get(&name).is_some_and(|bytes| ntk_evidence::hash::Hash::of(bytes).to_hex() == sha256)
    };
    let segments = list.segments.iter().all(|object| is_as_said(object.name(), &object.sha256));
    let settings = list.settings.iter().all(|object| is_as_said(object.name(), &object.sha256));
    (list.segments.len(), segments && settings)
}

#[tokio::test]
async fn after_the_recovery_key_was_replaced_everything_there_is_for_the_new_one_and_no_moment_between_leaves_less()
 {
    for how in [Failing::NotWritten, Failing::Written] {
        // The trust file, the settings, three segments, the list, nothing.
        for at in 0..7 {
            let rig = Rig::start().await;
            let app = rig.app();
            for _ in 0..3 {
                segment(app).await;
            }
            let (name, place) = (format!("{how:?}-{at}"), Place::default());
            assert_eq!(copy(app, &name, &place, Finish::No).await.unwrap(), 3);
            let before = place.objects();
            let next = replace_recovery(app, 77, "2036-01-01T00:00:00Z");
            place.0.lock().unwrap().plan = Some((place.n_puts() + at, how));
            let first = copy(app, &name, &place, Finish::No).await;
            assert_eq!(first.is_err(), at < 6, "{name}: {first:?}");
            assert_eq!(is_whole(&place), (3, true), "{name}: what is on the list can be put back");
            copy(app, &name, &place, Finish::No).await.unwrap();
            assert_eq!(is_whole(&place), (3, true), "{name}");
            assert_eq!(
                copy(app, &name, &place, Finish::No).await.unwrap(),
                0,
                "{name}: nothing is sent twice"
            );
            let keys = crate::recovery::RecoveryKeys::new(&[77; 32], &[]).unwrap();
            let after = place.objects();
            for (object, bytes) in after.iter().filter(|(object, _)| object.ends_with(".age")) {
                assert!(keys.open(bytes).is_ok(), "{name}: {object} is for {next}");
                assert_ne!(before.get(object), Some(bytes), "{name}: {object}");
            }
            // Three segments and the settings, and nothing for the former key beside them.
            assert_eq!(after.keys().filter(|object| object.starts_with("segments/")).count(), 3, "{name}");
            assert_eq!(found(app, &name, &place).await.faults, Vec::<String>::new(), "{name}");
            rig.end().await;
        }
    }
}
