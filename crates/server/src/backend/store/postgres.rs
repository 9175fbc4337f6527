//! PostgreSQL, where several servers share one store.

use super::sql::{Flavour, Row, Sql, SqlError, SqlErrorKind, Value};
use ::postgres::config::SslMode;
use ::postgres::types::private::BytesMut;
use ::postgres::types::{FromSql, IsNull, ToSql, Type};
use ::postgres::{Client, Config, Error, NoTls};
use std::error;
use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const CONNECTING: Duration = Duration::from_secs(2);

/// A server that holds a lock, or stands still, is one that is away.
const STATEMENT: &str = "SET statement_timeout = '4s'; SET lock_timeout = '2s'; SET synchronous_commit = on";

/// Where PostgreSQL is, with a password perhaps.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl(String);

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl(‹redacted›)")
    }
}

impl PostgresUrl {
    /// # Errors
    /// What is not understood, without the URL itself.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_postgres {
            return Err("is no postgres:// URL, as in postgres://user:password@host/database".into());
        }
        match Config::from_str(text) {
            Ok(_) => Ok(PostgresUrl(text.to_owned())),
            Err(error) => Err(format!("is not understood: {}", source(&error))),
        }
    }
}

pub(crate) struct Postgres(Client);

impl Postgres {
    pub(crate) fn connect(url: &PostgresUrl) -> Result<Self, SqlError> {
        let mut config = Config::from_str(&url.0).map_err(sql_error)?;
        config.connect_timeout(CONNECTING).tcp_user_timeout(2 * CONNECTING).application_name("visavis");
        let mut client = match config.get_ssl_mode() {
            SslMode::Disable => config.connect(NoTls),
            _ => config.connect(MakeRustlsConnect::new(tls())),
        }
        .map_err(sql_error)?;
        client.batch_execute(STATEMENT).map_err(sql_error)?;
        Ok(Postgres(client))
    }
}

/// Trusts what this machine trusts.
fn tls() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots.clone()).with_no_client_auth())
        .unwrap_or_else(|_| ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

impl Sql for Postgres {
    fn flavour(&self) -> Flavour {
        Flavour::Postgres
    }

    fn batch(&mut self, sql: &str) -> Result<(), SqlError> {
        self.0.batch_execute(sql).map_err(sql_error)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, SqlError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        let rows = self.0.query(sql, &parameters).map_err(sql_error)?;
        rows.iter()
            .map(|row| {
                let columns = (0..row.len()).map(|column| row.try_get(column).map_err(sql_error));
                columns.collect::<Result<_, _>>().map(Row)
            })
            .collect()
    }

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, SqlError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        self.0.execute(sql, &parameters).map_err(sql_error)
    }

    /// Without it deleted rows stay until PostgreSQL cleans up by itself. Its write-ahead log and backups are the operator's.
    fn scrub(&mut self) -> Result<(), SqlError> {
        self.batch("VACUUM")
    }
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    ::postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn error::Error + Sync + Send>> {
        match *ty {
            Type::BYTEA => Vec::from_sql(ty, raw).map(Value::Bytes),
            Type::INT8 => i64::from_sql(ty, raw).map(Value::Int),
            Type::INT4 => i32::from_sql(ty, raw).map(|number| Value::Int(number.into())),
            _ => String::from_sql(ty, raw).map(Value::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn error::Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// PostgreSQL's code and the system's reason; never its detail, which quotes values.
fn sql_error(error: Error) -> SqlError {
    match error.code() {
        // Integrity, data and syntax: classes 22, 23 and 42 (PostgreSQL, appendix A). All else is the server's own trouble.
        Some(code) => {
            let ours = ["22", "23", "42"].iter().any(|class| code.code().starts_with(class));
            let kind = if ours { SqlErrorKind::Statement } else { SqlErrorKind::Store };
            SqlError { kind, reason: format!("SQLSTATE {}", code.code()) }
        }
        None => SqlError { kind: SqlErrorKind::Store, reason: source(&error) },
    }
}

fn source(error: &Error) -> String {
    error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}
