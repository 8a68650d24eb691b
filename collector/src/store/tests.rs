//! The store, plain and sealed.

use super::*;
use crate::on_site::{Facts, Test};

fn record(leaf: u64, author: &str, first: u64, size: u64, day: i64) -> LeafRecord {
    let at = day * SECONDS_PER_DAY * 1_000_000_000;
    LeafRecord {
        leaf,
        segment: 0,
        offset: 100 + leaf,
        author: author.into(),
        epoch: 0,
        first,
        size,
        received_unix_ns: at,
        from_unix_ns: at,
        to_unix_ns: at + 5,
        around: BTreeMap::new(),
    }
}

fn seal(byte: u8) -> Option<Arc<StoreSeal>> {
    Some(crate::at_rest::keys::for_tests(byte).store())
}

#[test]
fn batches_are_found_by_note_by_entry_and_by_day() {
    batches_are_found(None);
}

#[test]
fn batches_are_found_where_values_are_sealed_and_authors_have_no_names() {
    batches_are_found(seal(1));
}

/// Whether any file below a folder holds this.
fn holds(folder: &Path, part: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, part);
        }
        fs::read(path).unwrap().windows(part.len()).any(|window| window == part.as_bytes())
    })
}

#[test]
fn a_sealed_store_shows_no_name_and_one_of_another_key_or_none_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sled");
    for (sealed_with, fresh) in [(None, true), (seal(1), true), (seal(1), false), (seal(2), true)] {
        let is_sealed = sealed_with.is_some();
        let (store, is_fresh) = Store::open_sealed(&path, sealed_with).unwrap();
        assert_eq!(is_fresh, fresh);
        assert_eq!(store.leaf(7).unwrap().is_none(), fresh);
        let mut changes = Changes::default();
        changes.leaf(&record(7, "agent/ws-01", 0, 3, 10)).unwrap();
        changes.mark("agent/ws-01", &mark(3, "mary")).unwrap();
        changes.roster(7, "[[person]] id = \"mary\"");
        store.apply(changes, Some((Cursor::default(), &Snapshot::default()))).unwrap();
        store.flush().unwrap();
        drop(store);
        for name in ["ws-01", "mary", "received_unix_ns"] {
            assert_eq!(holds(&path, name), !is_sealed, "{name}");
        }
    }
    let aside = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(aside, 1, "nothing is set aside: it may be plain");
    // A value that was put under another key does not open, and everything is made anew.
    let (store, _) = Store::open_sealed(&path, seal(2)).unwrap();
    let value = store.db.get(leaf_key(b'b', 7)).unwrap().unwrap();
    store.db.insert(leaf_key(b'b', 8), value).unwrap();
    assert!(matches!(store.leaf(8), Err(StoreError::DoesNotOpen)));
    store.flush().unwrap();
    drop(store);
    assert!(Store::open_sealed(&path, seal(2)).unwrap().1);
}

/// An on-site test that somebody ran.
fn mark(number: u64, by: &str) -> Mark {
    let test = Test { by: Some(by.to_owned()), present: Vec::new(), exceptions: Vec::new(), is_empty: false };
    Mark { number, received_unix_ns: 7, facts: Facts::default(), test: Some(test) }
}

fn batches_are_found(seal: Option<Arc<StoreSeal>>) {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open_sealed(&dir.path().join("sled"), seal).unwrap();
    let mut changes = Changes::default();
    for record in
        [record(0, "agent/a", 0, 3, 10), record(1, "agent/b", 0, 9, 10), record(2, "agent/a", 3, 7, 11)]
    {
        changes.leaf(&record).unwrap();
    }
    for (author, number) in [("agent/a", 4), ("agent/a", 300), ("agent/a2", 5), ("agent/a", 6)] {
        changes.mark(author, &mark(number, "x")).unwrap();
    }
    store.apply(changes, Some((Cursor { leaf: 3, segment: 0, offset: 9 }, &Snapshot::default()))).unwrap();
    store.flush().unwrap();
    let marks = |author, before| {
        store.marks(author, before).unwrap().iter().map(|mark| mark.number).collect::<Vec<_>>()
    };
    assert_eq!(marks("agent/a", u64::MAX), [4, 6, 300]);
    assert_eq!(marks("agent/a", 6), [4]);
    assert_eq!(marks("agent/a2", u64::MAX), [5]);
    let leaf = |found: Option<LeafRecord>| found.map(|record| record.leaf);
    assert_eq!(leaf(store.leaf_of_note("agent/a", 7).unwrap()), Some(2));
    assert_eq!(leaf(store.leaf_of_note("agent/a", 6).unwrap()), None);
    assert_eq!(leaf(store.leaf_of_entry("agent/a", 2).unwrap()), Some(0));
    assert_eq!(leaf(store.leaf_of_entry("agent/a", 3).unwrap()), Some(2));
    assert_eq!(leaf(store.leaf_of_entry("agent/a", 7).unwrap()), None, "not the next author's");
    let of = |author| store.leaves_of(author).unwrap().iter().map(|record| record.leaf).collect::<Vec<_>>();
    assert_eq!((of("agent/a"), of("agent/b"), of("agent/")), (vec![0, 2], vec![1], vec![]));
    let rolled = |epoch, leaf| RollOverRecord { epoch, leaf, number: leaf, before: Vec::new() };
    let mut changes = Changes::default();
    for (author, record) in
        [("agent/a", rolled(1, 5)), ("agent/a", rolled(256, 9)), ("agent/b", rolled(2, 7))]
    {
        changes.roll_over(author, &record).unwrap();
    }
    store.apply(changes, None).unwrap();
    assert_eq!(store.roll_overs("agent/a", 255).unwrap(), [rolled(1, 5)]);
    assert_eq!(store.roll_overs("agent/a", u32::MAX).unwrap(), [rolled(1, 5), rolled(256, 9)]);
    let ten = 10 * SECONDS_PER_DAY * 1_000_000_000;
    let found = store.leaves_between(ten, ten + 1).unwrap();
    assert_eq!(found.iter().map(|record| record.leaf).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.cursor().unwrap().map(|(cursor, _)| cursor.leaf), Some(3));
}

#[test]
fn a_store_that_does_not_open_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sled");
    fs::create_dir(&path).unwrap();
    fs::write(path.join("db"), [7; 4096]).unwrap();
    fs::write(path.join("conf"), [7; 64]).unwrap();
    let (store, fresh) = Store::open(&path).unwrap();
    assert!(fresh);
    assert!(dir.path().join("sled.broken-0").exists());
    store.apply(Changes::default(), Some((Cursor::default(), &Snapshot::default()))).unwrap();
    assert_eq!(store.cursor().unwrap(), Some((Cursor::default(), Snapshot::default())));
}
