//! The SQL: plain enough for every engine that speaks this wire.

use tokio_postgres::{Client, Error, Statement};

/// The tables, where they are not there.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS ntk_tenant (
  tenant text PRIMARY KEY, version integer NOT NULL, holder text NOT NULL, term bigint NOT NULL,
  until timestamptz NOT NULL, size bigint NOT NULL, closed boolean NOT NULL);
CREATE TABLE IF NOT EXISTS ntk_batch (
  tenant text NOT NULL, leaf bigint NOT NULL, author text NOT NULL, size bigint NOT NULL, frame bytea NOT NULL,
  PRIMARY KEY (tenant, leaf), UNIQUE (tenant, author, size));
CREATE TABLE IF NOT EXISTS ntk_commit (
  tenant text NOT NULL, size bigint NOT NULL, term bigint NOT NULL, frame bytea NOT NULL, PRIMARY KEY (tenant, size));
CREATE TABLE IF NOT EXISTS ntk_segment (
  tenant text NOT NULL, number bigint NOT NULL, size bigint NOT NULL, state bytea NOT NULL, pruned bytea,
  PRIMARY KEY (tenant, number));
CREATE TABLE IF NOT EXISTS ntk_heard (
  tenant text NOT NULL, author text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (tenant, author));
CREATE TABLE IF NOT EXISTS ntk_waiting (
  tenant text NOT NULL, id text NOT NULL, arrived timestamptz NOT NULL, kind smallint NOT NULL, body bytea NOT NULL,
  leaf bigint, refused text, PRIMARY KEY (tenant, id));
CREATE TABLE IF NOT EXISTS ntk_file (
  tenant text NOT NULL, name text NOT NULL, version bigint NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, name));
";

/// A practice's row; nothing where there is one.
pub(super) const NEW_TENANT: &str =
    "INSERT INTO ntk_tenant (tenant, version, holder, term, until, size, closed)
  VALUES ($1, $2, $3, 1, now() + $4 * interval '1 second', 0, false) ON CONFLICT DO NOTHING";

/// A segment's row; nothing where there is one.
pub(super) const NEW_SEGMENT: &str =
    "INSERT INTO ntk_segment (tenant, number, size, state) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// The pruned file of a segment.
pub(super) const PRUNE_SEGMENT: &str = "UPDATE ntk_segment SET pruned = $3 WHERE tenant = $1 AND number = $2";

/// Whether there is one.
pub(super) const IS_PRUNED: &str =
    "SELECT pruned IS NOT NULL FROM ntk_segment WHERE tenant = $1 AND number = $2";

/// The frames of a pruned segment.
pub(super) const PRUNE_BATCHES: &str =
    "UPDATE ntk_batch SET frame = '' WHERE tenant = $1 AND leaf >= $2 AND leaf < $3";

/// Nobody adds any more.
pub(super) const CLOSE: &str = "UPDATE ntk_tenant SET closed = true WHERE tenant = $1";

/// Prepared once a connection.
pub(super) struct Statements {
    pub(super) tip: Statement,
    pub(super) tip_for_update: Statement,
    pub(super) take_lease: Statement,
    pub(super) renew: Statement,
    pub(super) advance: Statement,
    pub(super) insert_batches: Statement,
    pub(super) insert_commit: Statement,
    pub(super) commit_at: Statement,
    pub(super) commits_after: Statement,
    pub(super) batches: Statement,
    pub(super) batch_of: Statement,
    pub(super) segments_from: Statement,
    pub(super) put: Statement,
    pub(super) waiting: Statement,
    pub(super) answer: Statement,
    pub(super) answers: Statement,
    pub(super) forget: Statement,
    pub(super) tell_heard: Statement,
    pub(super) heard: Statement,
    pub(super) files: Statement,
    pub(super) file: Statement,
    pub(super) new_file: Statement,
    pub(super) change_file: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
        let tip =
            "SELECT holder, term, size, until < now(), closed, version FROM ntk_tenant WHERE tenant = $1";
        Ok(Self {
            tip: client.prepare(tip).await?,
            tip_for_update: client.prepare(&format!("{tip} FOR UPDATE")).await?,
            take_lease: client
                .prepare(
                    "UPDATE ntk_tenant SET holder = $2, term = term + 1, until = now() + $3 * interval '1 second'
                     WHERE tenant = $1 AND until < now() AND NOT closed RETURNING term",
                )
                .await?,
            renew: client
                .prepare(
                    "UPDATE ntk_tenant SET until = now() + $4 * interval '1 second'
                     WHERE tenant = $1 AND holder = $2 AND term = $3",
                )
                .await?,
            advance: client
                .prepare(
                    "UPDATE ntk_tenant SET size = $2, until = now() + $3 * interval '1 second' WHERE tenant = $1",
                )
                .await?,
            insert_batches: client
                .prepare(
                    "INSERT INTO ntk_batch (tenant, leaf, author, size, frame)
                     SELECT $1, rows.* FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bytea[]) AS rows",
                )
                .await?,
            insert_commit: client
                .prepare("INSERT INTO ntk_commit (tenant, size, term, frame) VALUES ($1, $2, $3, $4)")
                .await?,
            commit_at: client.prepare("SELECT frame FROM ntk_commit WHERE tenant = $1 AND size = $2").await?,
            commits_after: client
                .prepare(
                    "SELECT size, frame FROM ntk_commit WHERE tenant = $1 AND size > $2 ORDER BY size LIMIT $3",
                )
                .await?,
            batches: client
                .prepare(
                    "SELECT leaf, frame FROM ntk_batch WHERE tenant = $1 AND leaf >= $2 AND leaf < $3 ORDER BY leaf",
                )
                .await?,
            batch_of: client
                .prepare("SELECT leaf, frame FROM ntk_batch WHERE tenant = $1 AND author = $2 AND size = $3")
                .await?,
            segments_from: client
                .prepare(
                    "SELECT number, size, state, pruned FROM ntk_segment WHERE tenant = $1 AND number >= $2
                     ORDER BY number",
                )
                .await?,
            put: client
                .prepare(
                    "INSERT INTO ntk_waiting (tenant, id, arrived, kind, body) VALUES ($1, $2, clock_timestamp(), $3, $4)
                     ON CONFLICT DO NOTHING",
                )
                .await?,
            waiting: client
                .prepare(
                    "SELECT id, kind, body FROM ntk_waiting WHERE tenant = $1 AND leaf IS NULL AND refused IS NULL
                     ORDER BY arrived, id LIMIT $2",
                )
                .await?,
            answer: client
                .prepare("UPDATE ntk_waiting SET leaf = $3, refused = $4, body = '' WHERE tenant = $1 AND id = $2")
                .await?,
            answers: client
                .prepare(
                    "SELECT id, leaf, refused FROM ntk_waiting
                     WHERE tenant = $1 AND id = ANY($2) AND (leaf IS NOT NULL OR refused IS NOT NULL)",
                )
                .await?,
            tell_heard: client
                .prepare(
                    "INSERT INTO ntk_heard (tenant, author, at) SELECT $1, unnest($2::text[]), now()
                     ON CONFLICT (tenant, author) DO UPDATE SET at = excluded.at",
                )
                .await?,
            heard: client
                .prepare("SELECT author FROM ntk_heard WHERE tenant = $1 AND at > now() - interval '5 seconds'")
                .await?,
            files: client.prepare("SELECT name, version FROM ntk_file WHERE tenant = $1 ORDER BY name").await?,
            file: client.prepare("SELECT version, body FROM ntk_file WHERE tenant = $1 AND name = $2").await?,
            // A ledger that left this database takes its small files with it.
            new_file: client
                .prepare(
                    "INSERT INTO ntk_file (tenant, name, version, body)
                     SELECT tenant, $2::text, $3::bigint, $4::bytea FROM ntk_tenant WHERE tenant = $1 AND NOT closed
                     ON CONFLICT DO NOTHING",
                )
                .await?,
            change_file: client
                .prepare(
                    "UPDATE ntk_file SET version = $3, body = $4 WHERE tenant = $1 AND name = $2 AND version = $5
                     AND EXISTS (SELECT 1 FROM ntk_tenant WHERE tenant = $1 AND NOT closed)",
                )
                .await?,
            forget: client
                .prepare(
                    "DELETE FROM ntk_waiting WHERE tenant = $1 AND (id = ANY($2)
                     OR (arrived < now() - interval '10 minutes' AND (leaf IS NOT NULL OR refused IS NOT NULL)))",
                )
                .await?,
        })
    }
}
