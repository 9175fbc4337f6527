//! What SQLite and PostgreSQL have in common: statements with `$1`, `$2` … in the order in which they first appear, values of
//! four kinds, and transactions. Everything above this file is written once for both.

use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A store holds what people wrote: it is never printed.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(‹redacted›)")
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

/// The same bits: a digest is no number.
impl From<u64> for Value {
    fn from(digest: u64) -> Self {
        Value::Int(digest.cast_signed())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Int(flag.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value::Bytes(bytes)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// One row of an answer; columns count from 0.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    pub(crate) fn int(&self, column: usize) -> Result<i64, SqlError> {
        match self.0.get(column) {
            Some(Value::Int(number)) => Ok(*number),
            Some(Value::Null | Value::Text(_) | Value::Bytes(_)) | None => Err(SqlError::unexpected()),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, SqlError> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.clone()),
            Some(Value::Null | Value::Int(_) | Value::Bytes(_)) | None => Err(SqlError::unexpected()),
        }
    }
}

/// What went wrong, without what was to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) kind: SqlErrorKind,
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlErrorKind {
    /// This statement, not the store: others may succeed.
    Statement,
    /// The store is away, locked or full.
    Store,
}

impl SqlError {
    fn unexpected() -> Self {
        SqlError { kind: SqlErrorKind::Statement, reason: "a column of another type".into() }
    }
}

/// One connection.
pub(crate) trait Sql: Send {
    fn flavour(&self) -> Flavour;

    /// Several statements without parameters.
    fn batch(&mut self, sql: &str) -> Result<(), SqlError>;

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError>;

    /// How many rows were changed.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, SqlError>;

    /// Lets nothing of deleted rows remain in the files, as far as that is in our hands.
    fn scrub(&mut self) -> Result<(), SqlError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Sqlite,
    Postgres,
}

impl Flavour {
    /// Starts a transaction that writes, and waits for other writers first.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            // A deferred one would be refused at once where another writer is at work.
            Flavour::Sqlite => "BEGIN IMMEDIATE",
            Flavour::Postgres => "BEGIN",
        }
    }
}
