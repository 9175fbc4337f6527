//! SQLite, compiled into the binary: one file in `state_dir`, for one server.

use super::sql::{Flavour, Row, Sql, SqlError, SqlErrorKind, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, params_from_iter};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

/// How long another process may hold the lock: a backup, a second server with the same directory.
const PATIENCE: Duration = Duration::from_secs(2);

/// WAL lets readers read while somebody writes. FULL: what was acknowledged survives a loss of power. What is deleted is
/// overwritten with zeros.
const PRAGMAS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA secure_delete = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
";

pub(crate) struct Sqlite(Connection);

impl Sqlite {
    /// Opens the file, or makes one that only this user can read.
    pub(crate) fn open(path: &Path) -> Result<Self, SqlError> {
        let world = |error: std::io::Error| SqlError {
            kind: SqlErrorKind::Store,
            reason: format!("{}: {}", path.display(), crate::reason(&error)),
        };
        if let Some(directory) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(world)?;
        }
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(world)?;
        let connection = Connection::open(path).map_err(sql_error)?;
        connection.busy_timeout(PATIENCE).map_err(sql_error)?;
        connection.execute_batch(PRAGMAS).map_err(sql_error)?;
        Ok(Sqlite(connection))
    }
}

impl Sql for Sqlite {
    fn flavour(&self) -> Flavour {
        Flavour::Sqlite
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        self.0.execute_batch(sql).map_err(sql_error)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let columns = statement.column_count();
        let rows = statement
            .query_map(params_from_iter(parameters), |row| {
                (0..columns).map(|column| Ok(value(row.get_ref(column)?))).collect::<Result<_, _>>().map(Row)
            })
            .map_err(sql_error)?;
        rows.collect::<Result<_, _>>().map_err(sql_error)
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, SqlError> {
        let mut statement = self.0.prepare_cached(sql).map_err(sql_error)?;
        let changed = statement.execute(params_from_iter(parameters)).map_err(sql_error)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    /// The pages were overwritten when the rows were deleted; the write-ahead log still holds their former state.
    fn scrub(&mut self) -> Result<(), SqlError> {
        self.query("PRAGMA wal_checkpoint(TRUNCATE)", &[]).map(drop)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(of: ValueRef<'_>) -> Value {
    match of {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // No column of ours is one.
        ValueRef::Real(number) => Value::Text(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// SQLite's own word for the kind of error, never the statement or its values.
fn sql_error(error: Error) -> SqlError {
    let kind = match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure,
        ) => SqlErrorKind::Store,
        _ => SqlErrorKind::Statement,
    };
    let reason = match error {
        Error::SqliteFailure(failure, _) => failure.to_string(),
        other => other.to_string(),
    };
    SqlError { kind, reason }
}
