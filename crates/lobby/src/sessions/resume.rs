//! Sessions that outlive their sockets, as far as nobody else is concerned: `hello`, tokens, and another socket for an older
//! session.
//!
//! What always holds: within one process a token resumes at most once, and memory knows better than the token.

use super::Sessions;
use crate::admission::Admittance;
use crate::ids::{SessionId, SessionKey};
use crate::planted::planted;
use crate::replay::Replay;
use crate::session::{Identity, Link, Origin, Session};
use crate::tokens::{Claims, Opened};
use crate::{Output, Outputs};
use visavis_protocol::{CloseCode, Hello, IceToken, MatchId, ResumeToken, ServerMessage, VERSION};

/// A token that is still good, as far as this node knows.
pub(crate) struct Recognised {
    pub(crate) opened: Opened,
    /// Its session, if that is here.
    pub(crate) here: Option<SessionKey>,
}

/// Where a client stands, as it is told first of all.
#[derive(Default)]
pub(crate) struct Welcome {
    pub(crate) resumed: Option<bool>,
    pub(crate) match_id: Option<MatchId>,
    pub(crate) online: u32,
    pub(crate) resume_token: Option<ResumeToken>,
}

impl Sessions {
    /// Whether a session has done nothing yet, so that an older one can take its socket over.
    pub(crate) fn is_untouched(&self, key: SessionKey) -> bool {
        self.all.get(key).is_some_and(|session| session.identity.is_none() && !session.in_use)
    }

    /// What a client says about itself. False: it has said so before.
    pub(crate) fn note_greeting(&mut self, key: SessionKey, hello: &Hello) -> bool {
        let Some(session) = self.all.get_mut(key) else { return false };
        session.answers_ping = hello.answers_ping;
        if session.greeted {
            return false;
        }
        session.greeted = true;
        let device = hello.device.as_ref().filter(|_| !planted!(DevicesAreForgotten));
        let device = device.map(|name| self.persons.device(name));
        session.device = session.device.or(device);
        true
    }

    /// From now on it can be recognised.
    pub(crate) fn identify(&mut self, key: SessionKey) {
        let enabled = self.tokens.are_enabled();
        let Some(session) = self.all.get_mut(key) else { return };
        if enabled && session.identity.is_none() {
            session.identity = Some(Box::new(Identity::new(0, Origin::Here)));
            self.identities.insert(session.id, key);
        }
    }

    /// `None`: nothing may come of this token.
    pub(crate) fn recognise(&mut self, token: &ResumeToken) -> Option<Recognised> {
        let opened = self.tokens.open(token)?;
        if opened.claims.expires <= self.now {
            return None;
        }
        let Claims { session, generation, .. } = opened.claims;
        let here = self.known(session).filter(|known| !self.is_known_by_hearsay(*known));
        // Our own memory has no such session: it ended. Of an earlier process we know only what the token says.
        let ended = || opened.ours || self.ended.contains(session, generation);
        match here {
            None if !planted!(EndedSessionsReturn) && ended() => None,
            Some(known) if self.is_older(&opened.claims, known) => None,
            Some(_) | None => Some(Recognised { opened, here }),
        }
    }

    /// What its token says of a session, as far as it concerns nobody else. `None` for one that cannot be resumed.
    pub(crate) fn claims(&self, key: SessionKey) -> Option<Claims> {
        let session = self.all.get(key)?;
        let identity = session.identity.as_ref()?;
        let expires = self.now + self.config.token_ttl;
        Some(Claims::new(session.id, identity.generation, session.device, expires))
    }

    /// Of the tokens of one session the highest generation counts.
    pub(crate) fn is_older(&self, claims: &Claims, known: SessionKey) -> bool {
        let identity = self.all.get(known).and_then(|session| session.identity.as_ref());
        identity.is_none_or(|identity| claims.generation < identity.generation) && !planted!(OldTokensPass)
    }

    /// Tokens of a session of an earlier process, up to this generation, bring nothing back any more: it has ended.
    pub(crate) fn note_end(&mut self, session: &Session) {
        if let Some(identity) = &session.identity
            && identity.origin == Origin::Restored
        {
            self.ended.remember(session.id, identity.generation);
        }
    }

    /// Whether a session of an earlier process has ended here.
    pub(crate) fn has_ended(&self, session: SessionId) -> bool {
        self.ended.contains(session, 0)
    }

    /// A token of another process brought nothing back.
    pub(crate) fn note_spent(&mut self, session: SessionId, generation: u32) {
        self.spent.remember(session, generation);
    }

    /// Makes a fresh session the one that its token names.
    pub(crate) fn become_restored(&mut self, key: SessionKey, id: SessionId, presented: u32) {
        let Some(session) = self.all.get_mut(key) else { return };
        session.id = id;
        session.identity = Some(Box::new(Identity::new(presented.saturating_add(1), Origin::Restored)));
        session.admittance = Admittance::Inside;
        self.identities.insert(id, key);
    }

    /// Moves the socket of `fresh` to `known`; an older socket of `known` is closed. Says where that was.
    pub(crate) fn take_over(
        &mut self,
        fresh: SessionKey,
        known: SessionKey,
        generation: u32,
        outputs: &mut Outputs,
    ) -> Option<Link> {
        let mut shell = self.all.remove(fresh)?;
        self.timers.clear(&mut shell.timer, fresh);
        let connection = shell.connection()?;
        let session = self.all.get_mut(known)?;
        session.said = shell.said;
        session.answers_ping = shell.answers_ping;
        session.greeted = true;
        // Whoever is known by one device does not become another by a resume.
        session.device = session.device.or(shell.device);
        let link_before = std::mem::replace(&mut session.link, Link::Attached(connection));
        let limiting_before = std::mem::replace(&mut session.limiting, shell.limiting);
        session.admittance = Admittance::Inside;
        session.last_seen = self.now;
        session.last_frame = self.now;
        session.asked = None;
        self.timers.clear(&mut session.timer, known);
        if let Some(identity) = &mut session.identity {
            identity.generation = generation.saturating_add(u32::from(!planted!(TokensStayGood)));
        }
        self.connections.insert(connection, known);
        // The socket that came brought its own place in its crowd.
        self.part_from_crowd(limiting_before);
        if let Link::Attached(old) = link_before
            && !planted!(OldSocketStays)
        {
            self.connections.remove(&old);
            outputs.push(Output::Close {
                connection: old,
                code: CloseCode::Policy,
                reason: "resumed elsewhere",
            });
        }
        self.watch(known);
        Some(link_before)
    }

    /// How many frames of its present socket were taken.
    pub(crate) fn taken(&self, key: SessionKey) -> Option<u32> {
        self.all.get(key).map(|session| session.said.nth)
    }

    /// Notes how much of the socket before was taken, for the `welcome`.
    pub(crate) fn note_taken(&mut self, key: SessionKey, taken: Option<u32>) {
        if let Some(identity) = self.all.get_mut(key).and_then(|session| session.identity.as_mut()) {
            identity.taken_before = taken;
        }
    }

    /// What a session has missed that has received so much since its last `welcome`. It is not kept any longer.
    pub(crate) fn take_missed(&mut self, key: SessionKey, received: u32) -> Vec<ServerMessage> {
        let identity = self.all.get_mut(key).and_then(|session| session.identity.as_mut());
        identity.map_or(Vec::new(), |identity| {
            identity.replay.acknowledge(received);
            identity.replay.take().collect()
        })
    }

    pub(crate) fn welcome(&mut self, key: SessionKey, welcome: Welcome, outputs: &mut Outputs) {
        let Welcome { resumed, match_id, online, resume_token } = welcome;
        let ice_token = self.ice_pass();
        let Some(session) = self.all.get_mut(key) else { return };
        let received = session.identity.as_mut().and_then(|identity| identity.taken_before.take());
        let message = ServerMessage::Welcome {
            version: VERSION,
            online,
            resume_token,
            resumed,
            received: received.filter(|_| resumed == Some(true)),
            match_id,
            ice_token,
        };
        if let Some(connection) = session.connection() {
            outputs.send(connection, message);
        }
        // Both sides count from here. Who hears this has heard all that came before it on the same socket, and what
        // came by another is said again behind it.
        if let Some(identity) = &mut session.identity {
            identity.sent = 0;
            identity.replay = Replay::default();
        }
    }

    /// For `GET /api/ice`, where only sessions are given relays.
    fn ice_pass(&mut self) -> Option<IceToken> {
        let now_unix_s = self.now.as_micros() / 1_000_000;
        self.config.ice_passes.as_ref()?.make(now_unix_s, self.passes.bytes())
    }
}
