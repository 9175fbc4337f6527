//! What visitors of several nodes may rely on, checked from outside: by the frames that the lobbies send and get, and by
//! those that clients read. It foresees nothing: with faults on every way, an order that one server keeps is nobody's
//! promise. What always holds, and what has to hold when nothing has gone wrong lately, is here.
//!
//! A *visit* is what the protocol calls a session: it goes on as long as tokens bring it back.

mod client;
mod fault_windows;
mod meeting;

use super::super::coverage::{Case, Coverage};
use super::super::promises::{Breach, Promise, hold};
use super::super::script::Micros;
use client::Client;
use fault_windows::FaultWindows;
use meeting::{Meeting, Pair};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use visavis_lobby::{Config, ConnectionId, Input, NodeId, Output};
use visavis_protocol::{ClientMessage, MatchId, ResumeToken, SearchMessage, ServerMessage, SessionMessage};

/// One session: its visitor, and the how manieth it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VisitId {
    guest: u32,
    nth: u32,
}

/// What the servers have said to a session, and it to them.
#[derive(Debug, Default)]
struct Visit {
    /// The process that has it, and since when.
    at: Option<(NodeId, Micros)>,
    present: Option<MatchId>,
    last: Option<MatchId>,
    /// How often it has asked for something that leaves a match.
    leaves: u32,
    /// How often it had when it was told of a match, and the how manieth that was.
    told: BTreeMap<MatchId, (u32, usize)>,
}

impl Visit {
    fn is_told_of(&mut self, id: MatchId) {
        let place = self.told.len();
        self.told.entry(id).or_insert((self.leaves, place));
    }
}

/// A socket as the server sees it.
#[derive(Debug, Default)]
struct Seen {
    visit: Option<VisitId>,
    /// Its `hello`, which has no answer yet.
    greets: Option<Option<ResumeToken>>,
    /// What would leave a match, said while the `hello` had no answer.
    leaves: u32,
}

pub(super) struct Watcher {
    config: Config,
    pub(super) coverage: Coverage,
    now: Micros,
    sockets: BTreeMap<ConnectionId, Seen>,
    visits: BTreeMap<VisitId, Visit>,
    begun: BTreeMap<u32, u32>,
    tokens: FxHashMap<String, VisitId>,
    meetings: BTreeMap<MatchId, Meeting>,
    /// To whom each offer was shown.
    offers: BTreeMap<String, VisitId>,
    /// Since when, and whether it has to be remembered wherever the two are.
    blocked: BTreeMap<Pair, Micros>,
    /// Matches of which one side has wanted to block the other: nobody can say from outside whether it was done.
    wanted_blocks: BTreeSet<MatchId>,
    clients: BTreeMap<u32, Client>,
    /// Sockets that were welcomed just now: what follows is told again, and happened before.
    greeted: BTreeSet<ConnectionId>,
    fault_windows: FaultWindows,
}

impl Watcher {
    pub(super) fn new(config: Config) -> Self {
        Watcher {
            config,
            coverage: Coverage::default(),
            now: 0,
            sockets: BTreeMap::new(),
            visits: BTreeMap::new(),
            begun: BTreeMap::new(),
            tokens: FxHashMap::default(),
            meetings: BTreeMap::new(),
            offers: BTreeMap::new(),
            blocked: BTreeMap::new(),
            wanted_blocks: BTreeSet::new(),
            clients: BTreeMap::new(),
            greeted: BTreeSet::new(),
            fault_windows: FaultWindows::default(),
        }
    }

    /// A lobby took an input.
    pub(super) fn saw(
        &mut self,
        now: Micros,
        process: NodeId,
        input: &Input,
        outputs: &[Output],
    ) -> Result<(), Breach> {
        self.now = now;
        self.greeted.clear();
        match input {
            Input::Opened { connection, .. } => {
                self.sockets.insert(*connection, Seen::default());
            }
            Input::Received { connection, message } => self.receives(process, *connection, message, outputs),
            Input::Closed { connection, .. } => {
                self.sockets.remove(connection);
            }
            Input::Malformed { .. }
            | Input::Alive { .. }
            | Input::Drain { .. }
            | Input::Reported(_)
            | Input::Cluster(_)
            | Input::Timeout => {}
        }
        for output in outputs {
            match output {
                Output::Send { connection, message } => self.sends(process, *connection, message)?,
                Output::Close { connection, .. } => {
                    self.sockets.remove(connection);
                }
                Output::Ping { .. } | Output::Cluster(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a `hello` on this socket has no answer.
    pub(super) fn waits_for_welcome(&self, connection: ConnectionId) -> bool {
        self.sockets.get(&connection).is_some_and(|seen| seen.greets.is_some())
    }

    fn receives(
        &mut self,
        process: NodeId,
        connection: ConnectionId,
        message: &ClientMessage,
        outputs: &[Output],
    ) {
        let Some(seen) = self.sockets.get_mut(&connection) else { return };
        if let ClientMessage::Session(SessionMessage::Hello(hello)) = message {
            if seen.visit.is_none() {
                seen.greets = Some(hello.resume.clone());
            }
            return;
        }
        let leaves = matches!(
            message,
            ClientMessage::Search(
                SearchMessage::Next(_) | SearchMessage::FindPartner(_) | SearchMessage::Stop(_)
            ) | ClientMessage::Session(SessionMessage::Block(_))
        );
        if seen.greets.is_some() {
            // It waits until the session is found.
            seen.leaves += u32::from(leaves);
            return;
        }
        let visit = match seen.visit {
            Some(visit) => visit,
            None => self.begin_visit(process, connection),
        };
        let refused = outputs.iter().any(|output| {
            matches!(output, Output::Send { connection: to, message: ServerMessage::Error { .. } } if *to == connection)
        });
        if let Some(known) = self.visits.get_mut(&visit) {
            known.leaves += u32::from(leaves);
        }
        match message {
            ClientMessage::Session(SessionMessage::Block(block)) if !refused => {
                self.blocks(visit, block.match_id)
            }
            ClientMessage::Search(
                SearchMessage::Next(_) | SearchMessage::FindPartner(_) | SearchMessage::Stop(_),
            ) => {
                // Perhaps it leaves, perhaps it is refused: its match ends no sooner.
                self.ends(visit, Some(self.now));
            }
            _ => {}
        }
    }

    fn begin_visit(&mut self, process: NodeId, connection: ConnectionId) -> VisitId {
        let guest = (connection.0 >> 12) as u32;
        let nth = self.begun.entry(guest).or_default();
        *nth += 1;
        let visit = VisitId { guest, nth: *nth };
        self.visits.insert(visit, Visit { at: Some((process, self.now)), ..Visit::default() });
        if let Some(seen) = self.sockets.get_mut(&connection) {
            seen.visit = Some(visit);
        }
        visit
    }

    fn sends(
        &mut self,
        process: NodeId,
        connection: ConnectionId,
        message: &ServerMessage,
    ) -> Result<(), Breach> {
        if let ServerMessage::Welcome { resumed, match_id, .. } = message {
            self.welcomes(process, connection, *resumed == Some(true), *match_id)?;
        }
        let Some(visit) = self.sockets.get(&connection).and_then(|seen| seen.visit) else {
            return Ok(());
        };
        match message {
            ServerMessage::PartnerFound(found) => {
                if let Some(known) = self.visits.get_mut(&visit) {
                    known.is_told_of(found.match_id);
                }
                self.finds(visit, process, found)?;
                self.keep(visit, found.resume_token.as_ref());
            }
            ServerMessage::PartnerLeft { match_id, resume_token, .. } => {
                self.keep(visit, resume_token.as_ref());
                if self.visits.get(&visit).is_some_and(|known| known.present == Some(*match_id)) {
                    let since = (!self.greeted.contains(&connection)).then_some(self.now);
                    self.ends(visit, since);
                }
            }
            ServerMessage::Welcome { resume_token, .. }
            | ServerMessage::Waiting { resume_token, .. }
            | ServerMessage::Blocked { resume_token, .. }
            | ServerMessage::Unblocked { resume_token, .. }
            | ServerMessage::Stopped { resume_token } => self.keep(visit, resume_token.as_ref()),
            _ => {}
        }
        Ok(())
    }

    fn welcomes(
        &mut self,
        process: NodeId,
        connection: ConnectionId,
        resumed: bool,
        match_id: Option<MatchId>,
    ) -> Result<(), Breach> {
        let Some(seen) = self.sockets.get_mut(&connection) else { return Ok(()) };
        let Some(greets) = seen.greets.take() else { return Ok(()) };
        self.greeted.insert(connection);
        let leaves = std::mem::take(&mut seen.leaves);
        if !resumed {
            self.begin_visit(process, connection);
            return Ok(());
        }
        let known = greets.and_then(|token| self.tokens.get(&token.0).copied());
        hold(known.is_some(), Promise::OnlyKnownTokensResume, || format!("{connection:?}"))?;
        let Some(visit) = known else { return Ok(()) };
        if let Some(seen) = self.sockets.get_mut(&connection) {
            seen.visit = Some(visit);
        }
        let now = self.now;
        let Some(known) = self.visits.get_mut(&visit) else { return Ok(()) };
        if known.at.is_none_or(|(at, _)| at != process) {
            known.at = Some((process, now));
            self.coverage.note(Case::ResumedElsewhere);
        }
        if let Some(id) = match_id {
            known.is_told_of(id);
        }
        known.leaves += leaves;
        if known.present != match_id {
            known.last = known.present.or(known.last);
            known.present = match_id;
        }
        Ok(())
    }

    fn keep(&mut self, visit: VisitId, token: Option<&ResumeToken>) {
        if let Some(token) = token {
            self.tokens.insert(token.0.clone(), visit);
        }
    }

    /// Whether a session has asked to leave one match before it was told of the other; or the other is the earlier one, of
    /// which it is told again.
    fn may_follow(&self, visit: VisitId, one: MatchId, other: MatchId) -> bool {
        self.visits.get(&visit).is_none_or(|known| match (known.told.get(&one), known.told.get(&other)) {
            (Some(one), Some(other)) => one.0 != other.0 || other.1 < one.1,
            (_, _) => true,
        })
    }

    pub(super) fn troubled(&mut self, from: Micros, to: Micros) {
        self.fault_windows.troubled(from, to);
    }

    pub(super) fn sleeps(&mut self, from: Micros, to: Micros) {
        self.fault_windows.sleeps(from, to);
    }

    pub(super) fn slept(&mut self, now: Micros) {
        self.fault_windows.sleeps(now, now);
    }

    pub(super) fn stands_still(&mut self, from: Micros, to: Micros) {
        self.fault_windows.stands_still(from, to);
    }

    pub(super) fn jumped(&mut self, now: Micros) {
        self.fault_windows.jumped(now);
    }

    pub(super) fn has_slept(&self, now: Micros, span: Micros) -> bool {
        self.fault_windows.has_slept(now.saturating_sub(span), now)
    }
}
