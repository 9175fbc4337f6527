//! What must outlive a visit: reports and what follows from them. SQLite in `state_dir`, or PostgreSQL where several servers
//! share it; both behave alike, because everything above `sql` is written once.
//!
//! What always holds: an acknowledged write is on the disk. The chat never waits for the store: while it is away, locked or full,
//! reports are refused and all else goes on. Nothing in it is an address or readable as one, and everything has an end
//! (`retention`).

mod postgres;
mod reports;
mod retention;
mod schema;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use postgres::PostgresUrl;
pub(crate) use reports::{Category, Digests, Filing, LineFrom, NewReport, ReportedLine};

use crate::failure::Failure;
use schema::Unfit;
use sql::{Sql, SqlError, SqlErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use writer::{Job, Task, Writer};

/// Reports that may wait for the disk; beyond it they are refused.
const QUEUE: usize = 256;

/// How long a report waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

const BETWEEN_CLEANUPS: Duration = Duration::from_secs(60 * 60);

/// Where the store is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    File(PathBuf),
    Postgres(PostgresUrl),
}

impl Place {
    /// What `store.url` and `state_dir` say.
    pub(crate) fn of(url: Option<&PostgresUrl>, state_dir: &Path) -> Self {
        match url {
            Some(url) => Place::Postgres(url.clone()),
            None => Place::File(state_dir.join("visavis.db")),
        }
    }

    fn setting(&self) -> &'static str {
        match self {
            Place::File(_) => "state_dir",
            Place::Postgres(_) => "store.url",
        }
    }
}

/// The store cannot take anything now. Trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreState {
    Ready,
    Unavailable,
}

/// A handle. The writer ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Store {
    jobs: SyncSender<Box<dyn Job>>,
    state: Arc<Mutex<StoreState>>,
}

impl Store {
    /// Opens the store, and brings it to this server's schema. May take seconds, and waits for them: not for async code.
    ///
    /// # Errors
    /// One sentence where the schema is of a newer server. A store that is away is waited for while the chat goes on.
    pub(crate) fn open(place: Place) -> Result<Self, Failure> {
        let sql = match (open(&place), &place) {
            (Ok(sql), _) => Some(sql),
            (Err(OpenError::Sql(error)), place) => {
                let setting = place.setting();
                tracing::warn!(
                    "{setting}: the store is unavailable, so reports are refused: {}",
                    error.reason
                );
                None
            }
            (Err(OpenError::Newer { found, known }), place) => {
                return Err(Failure::Runtime(format!(
                    "{}: the store was written by a newer server (schema {found}, this one knows {known}); start that \
                     one, or restore a backup",
                    place.setting()
                )));
            }
        };
        let state = if sql.is_some() { StoreState::Ready } else { StoreState::Unavailable };
        let state = Arc::new(Mutex::new(state));
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = Writer::new(place, sql, Arc::clone(&state));
        thread::Builder::new().name("store".into()).spawn(move || writer.run(&queue)).map_err(|error| {
            Failure::Runtime(format!("the store's thread cannot be started: {}", crate::reason(&error)))
        })?;
        Ok(Store { jobs, state })
    }

    pub(crate) fn state(&self) -> StoreState {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files a report, once for each side of a match.
    pub(crate) async fn file_report(&self, report: NewReport) -> Result<Filing, Unavailable> {
        self.write(move |sql| reports::file(sql, &report), false).await
    }

    /// Deletes what is over at `now_ms`, and says how many rows that were.
    pub(crate) async fn clean_up(&self, now_ms: i64) -> Result<u64, Unavailable> {
        self.write(move |sql| retention::clean_up(sql, now_ms), true).await
    }

    /// Cleans up at once, and every hour until the process ends.
    pub(crate) async fn keep_clean(self) {
        loop {
            match self.clean_up(now_ms()).await {
                Ok(0) | Err(Unavailable) => {}
                Ok(rows) => tracing::info!(rows, "deleted from the store what was over"),
            }
            sleep(BETWEEN_CLEANUPS).await;
        }
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut dyn Sql) -> Result<T, SqlError> + Send + 'static,
        deletes: bool,
    ) -> Result<T, Unavailable> {
        let (answer, answered) = oneshot::channel();
        let task = Box::new(Task { work, done: None, answer, deletes });
        self.jobs.try_send(task).map_err(|_| Unavailable)?;
        match timeout(PATIENCE, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(Unavailable),
        }
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Why a store could not be opened.
#[derive(Debug)]
enum OpenError {
    Newer { found: i64, known: i64 },
    Sql(SqlError),
}

impl OpenError {
    fn error(self) -> SqlError {
        match self {
            OpenError::Newer { found, known } => SqlError {
                kind: SqlErrorKind::Store,
                reason: format!("written by a newer server (schema {found}, this one knows {known})"),
            },
            OpenError::Sql(error) => error,
        }
    }
}

fn open(place: &Place) -> Result<Box<dyn Sql>, OpenError> {
    let mut sql: Box<dyn Sql> = match place {
        Place::File(path) => Box::new(sqlite::Sqlite::open(path).map_err(OpenError::Sql)?),
        Place::Postgres(url) => Box::new(postgres::Postgres::connect(url).map_err(OpenError::Sql)?),
    };
    match schema::migrate(&mut *sql) {
        Ok(()) => Ok(sql),
        Err(Unfit::Newer { found, known }) => Err(OpenError::Newer { found, known }),
        Err(Unfit::Sql(error)) => Err(OpenError::Sql(error)),
    }
}
