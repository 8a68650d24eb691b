//! Reading the log out of the database.

use super::{Database, DatabaseError, signed, sorted, unsigned};

/// How many groups are read at a time by a collector that follows.
const GROUPS_MAX: i64 = 16;

/// A group as it stands in the database.
#[derive(Clone, Debug)]
pub struct StoredGroup {
    /// Leaves with it.
    pub size: u64,
    /// The COMMIT frame.
    pub commit: Vec<u8>,
    /// BATCH frames.
    pub batches: Vec<Vec<u8>>,
}

/// The begin of a segment as it stands in the database.
#[derive(Clone, Debug)]
pub struct StoredSegment {
    /// Its number.
    pub number: u64,
    /// Leaves before it.
    pub size: u64,
    /// The STATE frame.
    pub state: Vec<u8>,
    /// The file of its pruned form, once its entries were taken out.
    pub pruned: Option<Vec<u8>>,
}

impl Database {
    /// The next groups after a size, a few at a time; none when there are none.
    ///
    /// # Errors
    /// When a row does not open, or batches are missing.
    pub fn groups_after(&mut self, size: u64) -> Result<Vec<StoredGroup>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let rows = client
                .query(&statements.commits_after, &[&asker.tenant, &signed(size), &GROUPS_MAX])
                .await
                .map_err(sorted)?;
            let mut groups = Vec::new();
            let mut from = size;
            for row in rows {
                let to = unsigned("commit", row.try_get(0).map_err(sorted)?)?;
                let sealed: Vec<u8> = row.try_get(1).map_err(sorted)?;
                let commit = asker.open(&format!("commit/{to}"), sealed)?;
                let rows = client
                    .query(&statements.batches, &[&asker.tenant, &signed(from), &signed(to)])
                    .await
                    .map_err(sorted)?;
                let mut batches = Vec::new();
                for (leaf, row) in (from..to).zip(rows) {
                    let found = unsigned("leaf", row.try_get(0).map_err(sorted)?)?;
                    let sealed: Vec<u8> = row.try_get(1).map_err(sorted)?;
                    if found != leaf {
                        break;
                    }
                    // Empty: its segment was pruned.
                    let is_pruned = sealed.is_empty();
                    batches.push(if is_pruned {
                        sealed
                    } else {
                        asker.open(&format!("batch/{leaf}"), sealed)?
                    });
                }
                if u64::try_from(batches.len()).ok() != to.checked_sub(from) {
                    return Err(DatabaseError::Damaged {
                        what: format!("log from leaf {from} on"),
                        wrong: "batches are missing".into(),
                    });
                }
                groups.push(StoredGroup { size: to, commit, batches });
                from = to;
            }
            Ok(groups)
        })
    }

    /// The COMMIT frame after leaf `size - 1`, if a group ends there.
    ///
    /// # Errors
    /// When the row does not open.
    pub fn commit_at(&mut self, size: u64) -> Result<Option<Vec<u8>>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let row = client
                .query_opt(&statements.commit_at, &[&asker.tenant, &signed(size)])
                .await
                .map_err(sorted)?;
            let sealed: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose().map_err(sorted)?;
            sealed.map(|sealed| asker.open(&format!("commit/{size}"), sealed)).transpose()
        })
    }

    /// Segments from this number on, in order.
    ///
    /// # Errors
    /// When a row does not open.
    pub fn segments_from(&mut self, number: u64) -> Result<Vec<StoredSegment>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let rows = client
                .query(&statements.segments_from, &[&asker.tenant, &signed(number)])
                .await
                .map_err(sorted)?;
            let mut segments = Vec::new();
            for row in rows {
                let number = unsigned("segment", row.try_get(0).map_err(sorted)?)?;
                let size = unsigned("segment", row.try_get(1).map_err(sorted)?)?;
                let state = asker.open(&format!("segment/{number}"), row.try_get(2).map_err(sorted)?)?;
                let pruned: Option<Vec<u8>> = row.try_get(3).map_err(sorted)?;
                let pruned = pruned.map(|sealed| asker.open(&format!("pruned/{number}"), sealed));
                segments.push(StoredSegment { number, size, state, pruned: pruned.transpose()? });
            }
            Ok(segments)
        })
    }

    /// The leaf and BATCH frame of an author's batch that ends at this size.
    ///
    /// # Errors
    /// When the row does not open.
    pub fn batch_of(&mut self, author: &str, size: u64) -> Result<Option<(u64, Vec<u8>)>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let row = client
                .query_opt(&statements.batch_of, &[&asker.tenant, &author, &signed(size)])
                .await
                .map_err(sorted)?;
            let Some(row) = row else { return Ok(None) };
            let leaf = unsigned("leaf", row.try_get(0).map_err(sorted)?)?;
            let sealed: Vec<u8> = row.try_get(1).map_err(sorted)?;
            if sealed.is_empty() {
                return Ok(None);
            }
            Ok(Some((leaf, asker.open(&format!("batch/{leaf}"), sealed)?)))
        })
    }
}
