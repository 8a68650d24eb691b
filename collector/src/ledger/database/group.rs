//! A group on its way into the database: one transaction.

use super::waiting::answer;
use super::{Answer, Asker, Database, DatabaseError, Written, signed, sorted, tip_of};

/// A batch as it goes into a row.
#[derive(Clone, Debug)]
pub struct BatchRow {
    /// Index in the collector log.
    pub leaf: u64,
    /// Whose.
    pub author: String,
    /// Entries of the author including this batch.
    pub size: u64,
    /// The BATCH frame.
    pub frame: Vec<u8>,
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Leaves before it.
    pub from: u64,
    /// Leaves with it.
    pub to: u64,
    /// The batches.
    pub batches: Vec<BatchRow>,
    /// The COMMIT frame.
    pub commit: Vec<u8>,
    /// Requests of other collectors that it answers.
    pub answers: Vec<(String, Answer)>,
}

/// A group whose rows are sealed.
#[derive(Clone, Debug)]
pub struct SealedGroup(Group);

impl std::ops::Deref for SealedGroup {
    type Target = Group;

    fn deref(&self) -> &Group {
        &self.0
    }
}

impl SealedGroup {
    #[expect(clippy::type_complexity, reason = "four columns")]
    fn columns(&self) -> (Vec<i64>, Vec<&str>, Vec<i64>, Vec<&[u8]>) {
        let rows = &self.batches;
        (
            rows.iter().map(|row| signed(row.leaf)).collect(),
            rows.iter().map(|row| row.author.as_str()).collect(),
            rows.iter().map(|row| signed(row.size)).collect(),
            rows.iter().map(|row| row.frame.as_slice()).collect(),
        )
    }
}

impl Database {
    /// Writes a group, if this collector leads in this term and the log reaches as far as it thinks. Asked again with
    /// the same group after a lost connection, it finds what it wrote before.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`]: it may be written or not; ask again with the same group.
    pub fn commit(&mut self, term: i64, group: &SealedGroup) -> Result<Written, DatabaseError> {
        let lease = self.lease.as_secs_f64();
        self.ask(async move |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            let row = transaction
                .query_opt(&statements.tip_for_update, &[&asker.tenant])
                .await
                .map_err(sorted)?
                .ok_or_else(|| DatabaseError::NoTenant(asker.tenant.into()))?;
            let tip = tip_of(&row)?;
            if tip.size >= group.to {
                let row = transaction
                    .query_opt(&statements.commit_at, &[&asker.tenant, &signed(group.to)])
                    .await
                    .map_err(sorted)?;
                let before: Option<Vec<u8>> = row.map(|row| row.try_get(0)).transpose().map_err(sorted)?;
                let landed = before.as_deref() == Some(group.commit.as_slice());
                return Ok(if landed { Written::Durably } else { Written::NotLeading });
            }
            if tip.holder != asker.holder || tip.term != term || tip.size != group.from || tip.is_closed {
                return Ok(Written::NotLeading);
            }
            let (leaves, authors, sizes, frames) = group.columns();
            transaction
                .execute(&statements.insert_batches, &[&asker.tenant, &leaves, &authors, &sizes, &frames])
                .await
                .map_err(sorted)?;
            transaction
                .execute(&statements.insert_commit, &[&asker.tenant, &signed(group.to), &term, &group.commit])
                .await
                .map_err(sorted)?;
            answer(&transaction, statements, asker, &group.answers).await?;
            let size = signed(group.to);
            transaction
                .execute(&statements.advance, &[&asker.tenant, &size, &lease])
                .await
                .map_err(sorted)?;
            transaction.commit().await.map_err(sorted)?;
            Ok(Written::Durably)
        })
    }

    /// Seals a group's rows, once: asked again, the database is asked with the same bytes.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn seal_group(&self, group: Group) -> Result<SealedGroup, DatabaseError> {
        let asker = Asker { tenant: &self.tenant, holder: &self.holder, seal: self.seal.as_deref() };
        let seal_batch = |row: BatchRow| {
            // Empty stays empty: the entries are in the pruned file.
            if row.frame.is_empty() {
                return Ok(row);
            }
            let frame = asker.seal(&format!("batch/{}", row.leaf), &row.frame)?;
            Ok(BatchRow { frame, ..row })
        };
        let batches = group.batches.into_iter().map(seal_batch).collect::<Result<Vec<_>, DatabaseError>>()?;
        let commit = asker.seal(&format!("commit/{}", group.to), &group.commit)?;
        Ok(SealedGroup(Group { batches, commit, ..group }))
    }
}
