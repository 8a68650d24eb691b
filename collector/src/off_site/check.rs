//! Reads a copy back: every object there, its hash against the list, the list against what this collector remembers and
//! its own segments. It cannot decrypt: the recovery key is not here, and should not be.

use std::collections::BTreeMap;

use ntk_evidence::hash::Hash;
use serde::Serialize;

use super::list::{self, Newest};
use super::shelf::{Shelf, ShelfError};
use crate::ledger::LedgerError;
use crate::ledger::LedgerHandle;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Objects that are whole.
    pub n_whole: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Leaves of the log that the list says are there.
    pub log_size: u64,
    /// One sentence for each thing that is wrong.
    pub faults: Vec<String>,
    /// What is there and belongs to nothing: half an upload, another's file. No fault.
    pub unknown: Vec<String>,
}

/// Reads everything back.
pub fn check(
    shelf: &dyn Shelf,
    ledger: &LedgerHandle,
    remembered: Option<&Newest>,
    trust: &str,
    mut tell: impl FnMut(u64, u64),
) -> Result<Found, CheckError> {
    let mut found = Found::default();
    let there = shelf.list(list::SEGMENTS)?;
    let Some(bytes) = shelf.get(list::NAME)? else {
        found.faults.push("`newest.json` is missing: nothing says what should be there".to_owned());
        return Ok(found);
    };
    let listed = match Newest::parse(&bytes) {
        Ok(listed) => listed,
        Err(error) => {
            found.faults.push(format!("`newest.json` cannot be used: {error}"));
            return Ok(found);
        }
    };
    found.log_size = listed.log_size;
    against_here(&listed, ledger, remembered, &mut found)?;
    if shelf.get(list::TRUST)?.as_deref() != Some(trust.as_bytes()) {
        found.faults.push("`trust.txt` there is not the one in force".to_owned());
    }
    let total = u64::try_from(listed.segments.len()).unwrap_or(u64::MAX);
    let mut known: BTreeMap<String, ()> = BTreeMap::new();
    for (done, object) in (0_u64..).zip(&listed.segments) {
        tell(done, total);
        let name = object.name();
        match shelf.get(&name)? {
            None => found.faults.push(format!("`{name}` is missing")),
            Some(bytes) if Hash::of(&bytes).to_hex() != object.sha256 => {
                found.faults.push(format!("`{name}` is not what was sent: its bytes were changed or cut"));
            }
            Some(_) => {
                found.n_whole = found.n_whole.saturating_add(1);
                found.bytes = found.bytes.saturating_add(object.bytes);
            }
        }
        known.insert(name, ());
    }
    match &listed.settings {
        None => found.faults.push("the settings are not there: `off-site now` sends them".to_owned()),
        Some(object) => {
            let whole =
                shelf.get(&object.name())?.is_some_and(|bytes| Hash::of(&bytes).to_hex() == object.sha256);
            if !whole {
                found.faults.push(format!("`{}` is missing or not what was sent", object.name()));
            }
        }
    }
    found.faults.extend(
        listed.left_out.iter().map(|left| format!("segment {} is not there: {}", left.number, left.why)),
    );
    found.unknown.extend(there.into_keys().filter(|name| !known.contains_key(name)));
    tell(total, total);
    Ok(found)
}

/// A copy could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The place.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The ledger.
    #[error("the ledger could not be asked")]
    Ledger(#[from] LedgerError),
}

fn against_here(
    listed: &Newest,
    ledger: &LedgerHandle,
    remembered: Option<&Newest>,
    found: &mut Found,
) -> Result<(), CheckError> {
    match remembered {
        None => found.faults.push(
            "this collector does not remember what it wrote there (`off-site.json` is missing): `off-site now` sends everything again".to_owned(),
        ),
        Some(remembered) if remembered != listed => {
            found.faults.push("`newest.json` is not the list that this collector wrote last".to_owned());
        }
        Some(_) => {}
    }
    if ledger.root_at(listed.log_size)? != listed.root() {
        found.faults.push("the checkpoint there is not one of this ledger".to_owned());
    }
    let segments = ledger.reader().segments().map_err(LedgerError::from)?;
    let end = ledger.committed_end().segment;
    let mut numbers: Vec<u64> = segments
        .iter()
        .filter(|segment| segment.number < end)
        .map(|segment| segment.number.value())
        .collect();
    numbers.dedup();
    let is_told = |number: &u64| {
        listed.object(*number).is_some() || listed.left_out.iter().any(|left| left.number == *number)
    };
    found.faults.extend(
        numbers
            .iter()
            .filter(|number| !is_told(number))
            .map(|number| format!("segment {number} is finished here and not there yet")),
    );
    Ok(())
}
