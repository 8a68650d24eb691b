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
//! ntk_file     tenant, name | version | body                           passphrases, accounts, kept reviews (`crate::in_common`)
//! ```
//! Frames and bodies are sealed with a key of the practice where it is encrypted at rest. A body that holds acts is signed
//! with the collector's key for one term: whoever writes to the database cannot make the collector say anything.
//!
//! # What a loss of the connection leaves
//! Before COMMIT: nothing. During COMMIT: either; [`Database::commit`] looks for its own bytes before it tries again, and
//! the checkpoint has left this process in neither case (LG-1).

mod files;
mod group;
mod read;
mod statements;
mod waiting;

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

pub use files::StoredFile;
pub use group::{BatchRow, Group, SealedGroup};
pub use read::{StoredGroup, StoredSegment};
pub use waiting::{Answer, Kind, Refusal, Waiting};

/// The version of the tables.
const VERSION: i32 = 1;
/// How long one question may take before the connection counts as lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

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

/// Whether a transaction counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Durably,
    /// Another collector leads: nothing was changed.
    NotLeading,
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
