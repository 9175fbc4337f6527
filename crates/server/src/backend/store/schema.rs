//! Numbered migrations, forward only. A database of a newer server is left alone.

use super::sql::{Flavour, Sql, SqlError, SqlErrorKind};

/// Each runs once, in order, in a transaction of its own. Never change one that was released: add another.
const MIGRATIONS: &[&str] = &[
    // 1: reports.
    "CREATE TABLE reports (
        id TEXT PRIMARY KEY,
        match_id TEXT NOT NULL,
        side BIGINT NOT NULL,
        matched_at_ms BIGINT NOT NULL,
        filed_at_ms BIGINT NOT NULL,
        category TEXT NOT NULL,
        note TEXT,
        reporter_session BIGINT NOT NULL,
        reporter_device BIGINT,
        reporter_prefix BIGINT,
        reported_session BIGINT NOT NULL,
        reported_device BIGINT,
        reported_prefix BIGINT,
        UNIQUE (match_id, side)
    );
    CREATE INDEX reports_by_time ON reports (filed_at_ms);
    CREATE INDEX reports_by_reported_session ON reports (reported_session);
    CREATE INDEX reports_by_reported_device ON reports (reported_device);
    CREATE TABLE report_lines (
        report_id TEXT NOT NULL REFERENCES reports (id) ON DELETE CASCADE,
        position BIGINT NOT NULL,
        speaker TEXT NOT NULL,
        line TEXT NOT NULL,
        verified BIGINT NOT NULL,
        PRIMARY KEY (report_id, position)
    );
    CREATE TABLE evidence (
        report_id TEXT PRIMARY KEY REFERENCES reports (id) ON DELETE CASCADE,
        sealed BYTEA NOT NULL,
        sha256 TEXT NOT NULL,
        filed_at_ms BIGINT NOT NULL
    );
    CREATE INDEX evidence_by_time ON evidence (filed_at_ms);
    CREATE TABLE holds (
        report_id TEXT PRIMARY KEY REFERENCES reports (id) ON DELETE CASCADE,
        reason TEXT NOT NULL,
        since_ms BIGINT NOT NULL
    );",
];

/// `visavis` in ASCII: servers that start together migrate one after another.
const ADVISORY_LOCK: i64 = 0x76_6973_6176_6973;

/// Why the schema is not as this server needs it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// Written by a newer server: its schema version, and the newest one that this server knows.
    Newer {
        found: i64,
        known: i64,
    },
    Sql(SqlError),
}

impl From<SqlError> for Unfit {
    fn from(error: SqlError) -> Self {
        Unfit::Sql(error)
    }
}

/// Brings the database to the newest schema.
pub(crate) fn migrate(sql: &mut dyn Sql) -> Result<(), Unfit> {
    migrate_to(sql, MIGRATIONS)
}

fn migrate_to(sql: &mut dyn Sql, migrations: &[&str]) -> Result<(), Unfit> {
    sql.batch(sql.flavour().begin())?;
    let done = apply(sql, migrations);
    let ended = sql.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" });
    done.and_then(|()| ended.map_err(Unfit::from))
}

fn apply(sql: &mut dyn Sql, migrations: &[&str]) -> Result<(), Unfit> {
    if sql.flavour() == Flavour::Postgres {
        sql.query("SELECT pg_advisory_xact_lock($1)::text", &[ADVISORY_LOCK.into()])?;
    }
    sql.batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")?;
    let found = match sql.query("SELECT version FROM schema_version", &[])?.first() {
        Some(row) => row.int(0)?,
        None => {
            sql.execute("INSERT INTO schema_version (version) VALUES ($1)", &[0_i64.into()])?;
            0
        }
    };
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Unfit::Newer { found, known });
    }
    let applied = usize::try_from(found)
        .map_err(|_| SqlError { kind: SqlErrorKind::Statement, reason: "a schema version below 0".into() })?;
    for migration in migrations.iter().skip(applied) {
        match sql.flavour() {
            Flavour::Sqlite => sql.batch(&migration.replace("BYTEA", "BLOB"))?,
            Flavour::Postgres => sql.batch(migration)?,
        }
    }
    sql.execute("UPDATE schema_version SET version = $1", &[known.into()])?;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As a server would that knows one migration more.
    pub(crate) fn migrate_beyond(sql: &mut dyn Sql) -> Result<(), Unfit> {
        let next: Vec<&str> =
            MIGRATIONS.iter().copied().chain(["CREATE TABLE of_tomorrow (a BIGINT)"]).collect();
        migrate_to(sql, &next)
    }

    /// As the first server did.
    pub(crate) fn migrate_to_first(sql: &mut dyn Sql) -> Result<(), Unfit> {
        migrate_to(sql, &MIGRATIONS[..1])
    }
}
