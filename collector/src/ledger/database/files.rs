//! Small files that all collectors of a practice have, as rows: sealed by whoever asks ([`crate::in_common`]), each change
//! on top of the version that was read.

use super::{Database, DatabaseError, sorted};

/// A small file as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Grows with each change.
    pub version: i64,
    /// Sealed for this name and version.
    pub body: Vec<u8>,
}

impl Database {
    /// Names and versions of all of them.
    ///
    /// # Errors
    /// As the database answers.
    pub fn files(&mut self) -> Result<Vec<(String, i64)>, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let rows = client.query(&statements.files, &[&asker.tenant]).await.map_err(sorted)?;
            let row_of = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
            rows.iter().map(|row| row_of(row).map_err(sorted)).collect()
        })
    }

    /// One of them.
    ///
    /// # Errors
    /// As the database answers.
    pub fn file(&mut self, name: &str) -> Result<Option<StoredFile>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let row = client.query_opt(&statements.file, &[&asker.tenant, &name]).await.map_err(sorted)?;
            let Some(row) = row else { return Ok(None) };
            let (version, body) = (row.try_get(0).map_err(sorted)?, row.try_get(1).map_err(sorted)?);
            Ok(Some(StoredFile { version, body }))
        })
    }

    /// Writes one of them, if it stands there in the version `before`, 0 for not at all; whether it did.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`]: it may be written or not; look before asking again.
    pub fn put_file(&mut self, name: &str, before: i64, file: &StoredFile) -> Result<bool, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let StoredFile { version, body } = file;
            let transaction = client.transaction().await.map_err(sorted)?;
            let written = if before == 0 {
                transaction.execute(&statements.new_file, &[&asker.tenant, &name, version, body]).await
            } else {
                transaction
                    .execute(&statements.change_file, &[&asker.tenant, &name, version, body, &before])
                    .await
            };
            let written = written.map_err(sorted)? == 1;
            transaction.commit().await.map_err(sorted)?;
            Ok(written)
        })
    }
}
