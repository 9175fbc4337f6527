//! The one thread that writes. What waits while a transaction is written is written together with the next one, so a slow disk
//! makes reports wait, not fail; each has a savepoint of its own, and none is acknowledged before all are on the disk.

use super::sql::{Sql, SqlError, SqlErrorKind};
use super::{Place, StoreState, Unavailable, open};
use crate::notice::error_rarely;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Written together, at most.
const GROUP: usize = 64;

/// How often a store that is away is tried.
const AGAIN: Duration = Duration::from_secs(2);

/// Something to do in a transaction, and somebody who waits for it.
pub(super) trait Job: Send {
    fn run(&mut self, sql: &mut dyn Sql) -> Result<(), SqlError>;
    fn answer(self: Box<Self>, end: Result<(), Unavailable>);
    /// Whether rows were deleted whose content must go from the files as well.
    fn leaves_traces(&self) -> bool;
}

pub(super) struct Task<Work, T> {
    pub(super) work: Work,
    pub(super) done: Option<T>,
    pub(super) answer: oneshot::Sender<Result<T, Unavailable>>,
    pub(super) deletes: bool,
}

impl<T: Send, Work: FnMut(&mut dyn Sql) -> Result<T, SqlError> + Send> Job for Task<Work, T> {
    fn run(&mut self, sql: &mut dyn Sql) -> Result<(), SqlError> {
        self.done = Some((self.work)(sql)?);
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), Unavailable>) {
        let Task { done, answer, .. } = *self;
        // Who asked may have gone.
        let _ = answer.send(end.and_then(|()| done.ok_or(Unavailable)));
    }

    fn leaves_traces(&self) -> bool {
        self.deletes
    }
}

pub(super) struct Writer {
    place: Place,
    sql: Option<Box<dyn Sql>>,
    state: Arc<Mutex<StoreState>>,
}

impl Writer {
    pub(super) fn new(place: Place, sql: Option<Box<dyn Sql>>, state: Arc<Mutex<StoreState>>) -> Self {
        Writer { place, sql, state }
    }

    /// Until nobody can ask any more.
    pub(super) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        loop {
            match jobs.recv_timeout(AGAIN) {
                Ok(first) => {
                    let others = jobs.try_iter().take(GROUP - 1);
                    let group = std::iter::once(first).chain(others).collect();
                    self.carry_out(group);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn carry_out(&mut self, mut group: Vec<Box<dyn Job>>) {
        let done = self.connect().and_then(|sql| transact(sql, &mut group));
        match done {
            Ok(outcomes) => {
                let deletes = group.iter().any(|job| job.leaves_traces());
                if let (true, Some(sql)) = (deletes, &mut self.sql)
                    && let Err(error) = sql.scrub()
                {
                    error_rarely!("the store could not be scrubbed, and will be again: {}", error.reason);
                }
                self.note(StoreState::Ready);
                for (job, outcome) in group.into_iter().zip(outcomes) {
                    job.answer(outcome);
                }
            }
            Err(error) => {
                self.lose(&error);
                for job in group {
                    job.answer(Err(Unavailable));
                }
            }
        }
    }

    /// While nothing is asked: whether a store that was away is back.
    fn look(&mut self) {
        if *self.state.lock().unwrap_or_else(PoisonError::into_inner) == StoreState::Ready {
            return;
        }
        match self.connect().and_then(|sql| transact(sql, &mut [])) {
            Ok(_) => self.note(StoreState::Ready),
            Err(error) => self.lose(&error),
        }
    }

    fn connect(&mut self) -> Result<&mut dyn Sql, SqlError> {
        if self.sql.is_none() {
            self.sql = Some(open(&self.place).map_err(|unfit| unfit.error())?);
        }
        match &mut self.sql {
            Some(sql) => Ok(&mut **sql),
            None => Err(SqlError { kind: SqlErrorKind::Store, reason: "not connected".into() }),
        }
    }

    /// The connection is made anew: what is left of a broken one is not known.
    fn lose(&mut self, error: &SqlError) {
        self.sql = None;
        self.note(StoreState::Unavailable);
        error_rarely!("the store is unavailable, so reports are refused: {}", error.reason);
    }

    fn note(&self, state: StoreState) {
        let mut noted = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *noted == StoreState::Unavailable && state == StoreState::Ready {
            tracing::info!("the store is available");
        }
        *noted = state;
    }
}

/// Everybody's outcome; `Err` where the store itself failed, and nothing of the group is in it.
fn transact(sql: &mut dyn Sql, group: &mut [Box<dyn Job>]) -> Result<Vec<Result<(), Unavailable>>, SqlError> {
    sql.batch(sql.flavour().begin())?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        sql.batch("SAVEPOINT job")?;
        match job.run(sql) {
            Ok(()) => {
                sql.batch("RELEASE SAVEPOINT job")?;
                outcomes.push(Ok(()));
            }
            Err(error) if error.kind == SqlErrorKind::Statement => {
                error_rarely!(
                    "the store refused a statement; this is a bug, please report it: {}",
                    error.reason
                );
                sql.batch("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job")?;
                outcomes.push(Err(Unavailable));
            }
            Err(error) => return Err(error),
        }
    }
    sql.batch("COMMIT")?;
    Ok(outcomes)
}
