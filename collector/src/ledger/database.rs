//! The second form of the ledger's store: the frames of the segments as rows, over the PostgreSQL wire.
//!
//! What a segment file holds (STATE, BATCH, COMMIT) stands in three tables, byte for byte; one row a practice says who
//! leads, in which term, and how far the log reaches. Every transaction that adds to the log reads that row for update
//! and compares holder, term and size: whoever lost the lease changes nothing, whatever its clock says. Only plain SQL of
//! the PostgreSQL wire is used (no advisory locks, no LISTEN), so that Citus, CockroachDB and YugabyteDB can be asked, too.
//!
//! ```text
//! ntk_tenant   tenant | version | holder, term, until | size: leaves | closed
//! ntk_batch    tenant, leaf | author, size (unique) | frame           BATCH; empty once its segment was pruned
//! ntk_commit   tenant, size | term | frame                            COMMIT after leaf `size - 1`
//! ntk_segment  tenant, number | size | state | pruned                 STATE, and the pruned file once there is one
//! ntk_heard    tenant, author | at                                   machines that other collectors hear
//! ntk_waiting  tenant, id | term | kind | body | leaf, refused        from a collector that does not lead, and the answer
//! ```
//! Frames and bodies are sealed with a key of the practice where it is encrypted at rest. A body that holds acts is signed
//! with the collector's key for one term: whoever writes to the database cannot make the collector say anything.
//!
//! # What a loss of the connection leaves
//! Before COMMIT: nothing. During COMMIT: either; [`Database::commit`] looks for its own bytes before it tries again, and
//! the checkpoint has left this process in neither case (LG-1).

mod statements;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::at_rest::keys::RowSeal;
use crate::config::store::StoreAt;
use crate::home::{Home, HomeError, random};
use statements::Statements;

/// The version of the tables.
const VERSION: i32 = 1;
/// How long one question may take before the connection counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How many groups are read at a time by a collector that follows.
const GROUPS_MAX: i64 = 16;
/// How many waiting requests are taken into one group.
const WAITING_MAX: i64 = 64;

/// The database failed or refused.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The connection cannot be made or was lost; what was asked may or may not have been done.
    #[error("the database does not answer; nothing that was acknowledged is lost, it is asked again")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It answered with an error.
    #[error("the database refused; its own words follow")]
    Refused(#[from] tokio_postgres::Error),
    /// It would acknowledge what a power cut can take away.
    #[error("the database has `{0} = off`: what it acknowledges is not durable; turn it on")]
    NotDurable(&'static str),
    /// There is no such practice in it.
    #[error("the database holds no ledger of `{0}`; `ntk-collector migrate --to postgres` brings one there")]
    NoTenant(String),
    /// There is one already.
    #[error(
        "the database holds a ledger of `{0}` already; name another database, or remove that one by hand"
    )]
    AlreadyThere(String),
    /// Tables of another version.
    #[error(
        "the database's tables are of version {0}, and this program knows version 1; use the newer program"
    )]
    Version(i32),
    /// The ledger was taken out of it.
    #[error(
        "the ledger of `{0}` was moved out of this database; remove `[store]` from the configuration where it is now"
    )]
    Closed(String),
    /// What it holds is not what was put there.
    #[error("the database's {what} is not what was written: {wrong}")]
    Damaged {
        /// Which row.
        what: String,
        /// What is wrong.
        wrong: String,
    },
    /// A file that the configuration names.
    #[error("could not read `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// TLS.
    #[error("TLS to the database cannot be set up")]
    Tls(#[from] rustls::Error),
    /// Random numbers.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Sealing.
    #[error("a row could not be encrypted")]
    Seal,
}

/// Who leads, and how far the log reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Whose lease it is.
    pub holder: String,
    /// Grows with each change of the holder.
    pub term: i64,
    /// Leaves.
    pub size: u64,
    /// Whether the lease has run out, by the database's clock.
    pub is_free: bool,
    /// Whether the ledger has left this database.
    pub is_closed: bool,
}

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

/// What became of a waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the log: the last leaf of it.
    Leaf(u64),
    /// It is not.
    Refused(Refusal),
}

/// Why a waiting request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The author's log has moved on.
    Moved,
    /// The author is not enrolled, or no longer.
    NotEnrolled,
    /// Signed for an earlier term: to be asked again.
    Term,
    /// Not signed by a collector of this practice, or not readable.
    Unsigned,
}

impl Refusal {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Moved, "moved"),
        (Self::NotEnrolled, "not_enrolled"),
        (Self::Term, "term"),
        (Self::Unsigned, "unsigned"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(refusal, _)| *refusal == self).map_or("unsigned", |(_, word)| word)
    }

    fn of(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Unsigned, |(refusal, _)| *refusal)
    }
}

/// Whether a transaction counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Durably,
    /// Another collector leads: nothing was changed.
    NotLeading,
}

/// What a waiting request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One BATCH frame of an agent or import.
    Batch,
    /// Acts, signed by the collector that asks.
    Acts,
}

/// A request of a collector that does not lead.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its name, random.
    pub id: String,
    /// What it asks for.
    pub kind: Kind,
    /// A BATCH frame, or a signed note.
    pub body: Vec<u8>,
}

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

struct Link {
    client: Client,
    statements: Statements,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The way to one practice's rows. Every call may block; none is made from an async thread.
pub struct Database {
    runtime: tokio::runtime::Runtime,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    lease: Duration,
    tenant: String,
    holder: String,
    seal: Option<Arc<RowSeal>>,
    link: Option<Link>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.tenant)
    }
}

fn lost(error: impl std::error::Error + Send + Sync + 'static) -> DatabaseError {
    DatabaseError::Lost(Box::new(error))
}

/// Whether a transaction may simply be tried again: the connection or server went, or two transactions met.
fn is_passing(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else { return true };
    let passing = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
    ];
    passing.contains(code) || code.code().starts_with("08")
}

fn sorted(error: tokio_postgres::Error) -> DatabaseError {
    if is_passing(&error) { lost(error) } else { DatabaseError::Refused(error) }
}

/// As the database's numbers are signed.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(what: &str, number: i64) -> Result<u64, DatabaseError> {
    u64::try_from(number)
        .map_err(|_| DatabaseError::Damaged { what: what.into(), wrong: "a number below zero".into() })
}

impl Database {
    /// The way to a practice's rows; nothing is asked yet.
    ///
    /// # Errors
    /// When a file that the configuration names cannot be read, or TLS cannot be set up.
    pub fn new(at: &StoreAt, home: &Home, tenant: &str) -> Result<Self, DatabaseError> {
        let mut config = at.postgres.clone();
        if let Some(file) = &at.password_file {
            let path = StoreAt::file(home.dir(), file);
            let text = std::fs::read_to_string(&path)
                .map_err(|source| DatabaseError::File { path: path.clone(), source })?;
            config.password(text.lines().next().unwrap_or_default());
        }
        let tls = match &at.authority {
            None => crate::outside::client_config()?,
            Some(file) => {
                let path = StoreAt::file(home.dir(), file);
                let unreadable = |wrong: rustls::pki_types::pem::Error| DatabaseError::File {
                    path: path.clone(),
                    source: std::io::Error::other(wrong.to_string()),
                };
                let mut roots = rustls::RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(&path).map_err(unreadable)? {
                    roots.add(certificate.map_err(unreadable)?)?;
                }
                crate::outside::trusting(roots)?
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(lost)?;
        Ok(Self {
            runtime,
            config,
            tls: MakeRustlsConnect::new(tls),
            lease: at.lease,
            tenant: tenant.to_owned(),
            holder: ntk_evidence::hash::hex(&random()?),
            seal: home.keys().map(|keys| keys.rows()),
            link: None,
        })
    }

    /// Who asks: random, of this process.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// For how long a lease holds.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// Waits for whichever of a future and a time is first; the connection is kept alive meanwhile.
    pub fn wait<T>(&self, at_most: Duration, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(async { tokio::time::timeout(at_most, future).await.ok() })
    }

    /// Asks something over a connection that is made where there is none.
    fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut Client, &Statements, &Asker<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        let Self { runtime, config, tls, tenant, holder, seal, link, .. } = self;
        let asker = Asker { tenant, holder, seal: seal.as_deref() };
        let answered = runtime.block_on(async {
            tokio::time::timeout(ANSWER_WITHIN, async {
                if link.as_ref().is_none_or(|link| link.client.is_closed()) {
                    *link = Some(connect(config, tls).await?);
                }
                match link {
                    Some(link) => question(&mut link.client, &link.statements, &asker).await,
                    None => Err(lost(std::io::Error::other("no connection"))),
                }
            })
            .await
            .unwrap_or_else(|elapsed| Err(lost(elapsed)))
        });
        if answered.is_err() {
            // A transaction may be half-way: only a new connection is in a known state.
            *link = None;
        }
        answered
    }

    /// Makes the tables where there are none, and the practice's row.
    ///
    /// # Errors
    /// When there is a ledger of this practice already.
    pub fn create_tenant(&mut self, state: &[u8]) -> Result<(), DatabaseError> {
        let lease = self.lease.as_secs_f64();
        self.ask(async move |client, _, asker| {
            client.batch_execute(statements::TABLES).await.map_err(sorted)?;
            let transaction = client.transaction().await.map_err(sorted)?;
            let made = transaction
                .execute(statements::NEW_TENANT, &[&asker.tenant, &VERSION, &asker.holder, &lease])
                .await
                .map_err(sorted)?;
            if made == 0 {
                return Err(DatabaseError::AlreadyThere(asker.tenant.into()));
            }
            let sealed = asker.seal("segment/0", state)?;
            transaction
                .execute(statements::NEW_SEGMENT, &[&asker.tenant, &0_i64, &0_i64, &sealed])
                .await
                .map_err(sorted)?;
            transaction.commit().await.map_err(sorted)
        })
    }

    /// Who leads and how far the log reaches.
    ///
    /// # Errors
    /// When there is no ledger of this practice, or it is of another version.
    pub fn tip(&mut self) -> Result<Tip, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let row = client.query_opt(&statements.tip, &[&asker.tenant]).await.map_err(sorted)?;
            let row = row.ok_or_else(|| DatabaseError::NoTenant(asker.tenant.into()))?;
            tip_of(&row)
        })
    }

    /// Takes the lease if it is free: the new term.
    ///
    /// # Errors
    /// As the database answers.
    pub fn take_lease(&mut self) -> Result<Option<i64>, DatabaseError> {
        let lease = self.lease.as_secs_f64();
        self.ask(async move |client, statements, asker| {
            let row = client
                .query_opt(&statements.take_lease, &[&asker.tenant, &asker.holder, &lease])
                .await
                .map_err(sorted)?;
            row.map(|row| row.try_get(0)).transpose().map_err(sorted)
        })
    }

    /// Prolongs the lease; whether it was still held.
    ///
    /// # Errors
    /// As the database answers.
    pub fn renew(&mut self, term: i64) -> Result<bool, DatabaseError> {
        let lease = self.lease.as_secs_f64();
        self.ask(async move |client, statements, asker| {
            let renewed = client
                .execute(&statements.renew, &[&asker.tenant, &asker.holder, &term, &lease])
                .await
                .map_err(sorted)?;
            Ok(renewed == 1)
        })
    }

    /// Gives the lease back, so that another need not wait for its end.
    ///
    /// # Errors
    /// As the database answers; it then ends by itself.
    pub fn release(&mut self, term: i64) -> Result<(), DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let renewed = client
                .execute(&statements.renew, &[&asker.tenant, &asker.holder, &term, &0.0_f64])
                .await
                .map_err(sorted)?;
            let _ = renewed;
            Ok(())
        })
    }

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

    /// Writes answers to requests that need no group.
    ///
    /// # Errors
    /// As the database answers.
    pub fn refuse(&mut self, answers: &[(String, Answer)]) -> Result<(), DatabaseError> {
        self.ask(async |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            answer(&transaction, statements, asker, answers).await?;
            transaction.commit().await.map_err(sorted)
        })
    }

    /// Writes that a segment begins after leaf `size - 1`; the same again changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`]: ask again.
    pub fn roll(
        &mut self,
        term: i64,
        number: u64,
        size: u64,
        state: &[u8],
    ) -> Result<Written, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            if !leads(&transaction, statements, asker, term).await? {
                return Ok(Written::NotLeading);
            }
            let sealed = asker.seal(&format!("segment/{number}"), state)?;
            transaction
                .execute(statements::NEW_SEGMENT, &[&asker.tenant, &signed(number), &signed(size), &sealed])
                .await
                .map_err(sorted)?;
            transaction.commit().await.map_err(sorted)?;
            Ok(Written::Durably)
        })
    }

    /// Puts the pruned form of a segment in the place of its batches' frames, which are leaves `[from, to)`.
    ///
    /// # Errors
    /// [`DatabaseError::Lost`]: ask again.
    pub fn prune(
        &mut self,
        term: i64,
        number: u64,
        (from, to): (u64, u64),
        file: &[u8],
    ) -> Result<Written, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            if !leads(&transaction, statements, asker, term).await? {
                return Ok(Written::NotLeading);
            }
            let sealed = asker.seal(&format!("pruned/{number}"), file)?;
            transaction
                .execute(statements::PRUNE_SEGMENT, &[&asker.tenant, &signed(number), &sealed])
                .await
                .map_err(sorted)?;
            transaction
                .execute(statements::PRUNE_BATCHES, &[&asker.tenant, &signed(from), &signed(to)])
                .await
                .map_err(sorted)?;
            transaction.commit().await.map_err(sorted)?;
            Ok(Written::Durably)
        })
    }

    /// The ledger leaves this database: nobody can add to it any more.
    ///
    /// # Errors
    /// When this collector does not lead.
    pub fn close(&mut self, term: i64) -> Result<Written, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            if !leads(&transaction, statements, asker, term).await? {
                return Ok(Written::NotLeading);
            }
            transaction.execute(statements::CLOSE, &[&asker.tenant]).await.map_err(sorted)?;
            transaction.commit().await.map_err(sorted)?;
            Ok(Written::Durably)
        })
    }

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

    /// Puts a request where the collector that leads takes it; the same again changes nothing.
    ///
    /// # Errors
    /// As the database answers.
    pub fn put(&mut self, waiting: &Waiting) -> Result<(), DatabaseError> {
        self.ask(async |client, statements, asker| {
            let sealed = asker.seal(&format!("waiting/{}", waiting.id), &waiting.body)?;
            let kind = i16::from(waiting.kind == Kind::Acts);
            client
                .execute(&statements.put, &[&asker.tenant, &waiting.id, &kind, &sealed])
                .await
                .map_err(sorted)?;
            Ok(())
        })
    }

    /// The oldest requests that nobody answered.
    ///
    /// # Errors
    /// As the database answers. A row that does not open is given with an empty body.
    pub fn waiting(&mut self) -> Result<Vec<Waiting>, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let rows =
                client.query(&statements.waiting, &[&asker.tenant, &WAITING_MAX]).await.map_err(sorted)?;
            let mut waiting = Vec::new();
            for row in rows {
                let id: String = row.try_get(0).map_err(sorted)?;
                let kind: i16 = row.try_get(1).map_err(sorted)?;
                let sealed: Vec<u8> = row.try_get(2).map_err(sorted)?;
                // What somebody else put there must not stop the ledger.
                let body = asker.open(&format!("waiting/{id}"), sealed).unwrap_or_default();
                let kind = if kind == 1 { Kind::Acts } else { Kind::Batch };
                waiting.push(Waiting { id, kind, body });
            }
            Ok(waiting)
        })
    }

    /// Answers to these requests, as far as there are.
    ///
    /// # Errors
    /// As the database answers.
    pub fn answers(&mut self, ids: &[String]) -> Result<Vec<(String, Answer)>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let rows = client.query(&statements.answers, &[&asker.tenant, &ids]).await.map_err(sorted)?;
            let mut answers = Vec::new();
            for row in rows {
                let id: String = row.try_get(0).map_err(sorted)?;
                let leaf: Option<i64> = row.try_get(1).map_err(sorted)?;
                let refused: Option<String> = row.try_get(2).map_err(sorted)?;
                let answer = match (leaf, refused) {
                    (Some(leaf), _) => Answer::Leaf(unsigned("answer", leaf)?),
                    (None, Some(word)) => Answer::Refused(Refusal::of(&word)),
                    (None, None) => continue,
                };
                answers.push((id, answer));
            }
            Ok(answers)
        })
    }

    /// Says which machines this collector hears now.
    ///
    /// # Errors
    /// As the database answers.
    pub fn tell_heard(&mut self, authors: &[String]) -> Result<(), DatabaseError> {
        self.ask(async move |client, statements, asker| {
            client.execute(&statements.tell_heard, &[&asker.tenant, &authors]).await.map_err(sorted)?;
            Ok(())
        })
    }

    /// Which machines other collectors hear now.
    ///
    /// # Errors
    /// As the database answers.
    pub fn heard(&mut self) -> Result<Vec<String>, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let rows = client.query(&statements.heard, &[&asker.tenant]).await.map_err(sorted)?;
            rows.iter().map(|row| row.try_get(0).map_err(sorted)).collect()
        })
    }

    /// Whether a segment's pruned form is there.
    ///
    /// # Errors
    /// As the database answers.
    pub fn is_pruned(&mut self, number: u64) -> Result<bool, DatabaseError> {
        self.ask(async move |client, _, asker| {
            let row = client
                .query_opt(statements::IS_PRUNED, &[&asker.tenant, &signed(number)])
                .await
                .map_err(sorted)?;
            row.map_or(Ok(false), |row| row.try_get(0).map_err(sorted))
        })
    }

    /// Forgets requests: those that were heard of, and what nobody fetched for long.
    ///
    /// # Errors
    /// As the database answers.
    pub fn forget(&mut self, ids: &[String]) -> Result<(), DatabaseError> {
        self.ask(async move |client, statements, asker| {
            client.execute(&statements.forget, &[&asker.tenant, &ids]).await.map_err(sorted)?;
            Ok(())
        })
    }
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

/// Who asks, and how rows are sealed.
struct Asker<'a> {
    tenant: &'a str,
    holder: &'a str,
    seal: Option<&'a RowSeal>,
}

impl Asker<'_> {
    /// A row's bytes: bound to practice and place, so that no row can stand for another.
    fn seal(&self, place: &str, bytes: &[u8]) -> Result<Vec<u8>, DatabaseError> {
        let Some(seal) = self.seal else { return Ok(bytes.to_vec()) };
        seal.seal(&format!("{}/{place}", self.tenant), bytes).map_err(|_| DatabaseError::Seal)
    }

    fn open(&self, place: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DatabaseError> {
        let Some(seal) = self.seal else { return Ok(bytes) };
        seal.open(&format!("{}/{place}", self.tenant), &bytes).ok_or_else(|| DatabaseError::Damaged {
            what: place.to_owned(),
            wrong: "it does not open with this practice's key".into(),
        })
    }
}

fn tip_of(row: &tokio_postgres::Row) -> Result<Tip, DatabaseError> {
    let version: i32 = row.try_get(5).map_err(sorted)?;
    if version != VERSION {
        return Err(DatabaseError::Version(version));
    }
    Ok(Tip {
        holder: row.try_get(0).map_err(sorted)?,
        term: row.try_get(1).map_err(sorted)?,
        size: unsigned("size", row.try_get(2).map_err(sorted)?)?,
        is_free: row.try_get(3).map_err(sorted)?,
        is_closed: row.try_get(4).map_err(sorted)?,
    })
}

async fn leads(
    transaction: &tokio_postgres::Transaction<'_>,
    statements: &Statements,
    asker: &Asker<'_>,
    term: i64,
) -> Result<bool, DatabaseError> {
    let row = transaction.query_opt(&statements.tip_for_update, &[&asker.tenant]).await.map_err(sorted)?;
    let tip = tip_of(&row.ok_or_else(|| DatabaseError::NoTenant(asker.tenant.into()))?)?;
    Ok(tip.holder == asker.holder && tip.term == term && !tip.is_closed)
}

async fn answer(
    transaction: &tokio_postgres::Transaction<'_>,
    statements: &Statements,
    asker: &Asker<'_>,
    answers: &[(String, Answer)],
) -> Result<(), DatabaseError> {
    for (id, answer) in answers {
        let (leaf, refused) = match answer {
            Answer::Leaf(leaf) => (Some(signed(*leaf)), None),
            Answer::Refused(refusal) => (None, Some(refusal.word())),
        };
        transaction
            .execute(&statements.answer, &[&asker.tenant, id, &leaf, &refused])
            .await
            .map_err(sorted)?;
    }
    Ok(())
}

async fn connect(config: &tokio_postgres::Config, tls: &MakeRustlsConnect) -> Result<Link, DatabaseError> {
    let (client, connection) = config.connect(tls.clone()).await.map_err(lost)?;
    let driver = tokio::spawn(async move {
        // Whoever asks hears of a lost connection by the answer that does not come.
        let _ = connection.await;
    });
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        let row = client.query_one(&format!("SHOW {setting}"), &[]).await;
        // Other engines of the same wire do not know the setting, and are always durable.
        if row.ok().and_then(|row| row.try_get::<_, String>(0).ok()).as_deref() == Some("off") {
            return Err(DatabaseError::NotDurable(setting));
        }
    }
    let statements = Statements::prepare(&client).await;
    let statements = match statements {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {
            client.batch_execute(statements::TABLES).await.map_err(sorted)?;
            Statements::prepare(&client).await.map_err(sorted)?
        }
        prepared => prepared.map_err(sorted)?,
    };
    Ok(Link { client, statements, driver })
}
