//! What always holds of sessions, whoever stands on them.

use super::Sessions;
use crate::audit::{Invariant, Violation, check};
use crate::ids::SessionKey;
use crate::session::Session;

impl Sessions {
    /// Looks whether everything holds that always must.
    ///
    /// # Errors
    /// The first violation found.
    pub(crate) fn audit(&self) -> Result<(), Violation> {
        for (connection, key) in &self.connections {
            let named = self.connection(*key);
            check(named == Some(*connection), Invariant::ConnectionsNameSessions, || {
                format!("{connection:?} names {key:?}, which names {named:?}")
            })?;
        }
        for (key, session) in &self.all {
            if let Some(connection) = session.connection() {
                let named = self.at(connection);
                check(named == Some(key), Invariant::ConnectionsNameSessions, || {
                    format!("{key:?} names {connection:?}, which names {named:?}")
                })?;
            }
            self.audit_identity(key, session)?;
            check(session.last_seen <= self.now, Invariant::TimesLieInThePast, || format!("{key:?}: seen"))?;
            let watched = session.timer.is_some() || session.is_elsewhere();
            check(watched, Invariant::SessionsAreWatched, || format!("{key:?}"))?;
        }
        let mut queued = 0;
        for (at, key) in self.timers.entries() {
            queued += 1;
            let remembered = self.all.get(key).and_then(|session| session.timer);
            check(remembered == Some(at), Invariant::TimersAreRemembered, || {
                format!("{key:?} is queued for {at:?} and remembers {remembered:?}")
            })?;
        }
        let remembered = self.all.values().filter(|session| session.timer.is_some()).count();
        check(remembered == queued, Invariant::TimersAreRemembered, || {
            format!("{remembered} sessions remember a time, {queued} are queued")
        })
    }

    fn audit_identity(&self, key: SessionKey, session: &Session) -> Result<(), Violation> {
        let Some(identity) = &session.identity else {
            let attached = session.connection().is_some();
            return check(attached, Invariant::OnlyTheRecognisableDetach, || format!("{key:?}"));
        };
        let known = self.known(session.id);
        check(known == Some(key), Invariant::IdentitiesNameSessions, || format!("{key:?}"))?;
        let within = identity.replay.is_within(self.replay_bounds());
        check(within, Invariant::ReplayIsBounded, || format!("{key:?}"))
    }
}
