//! Who talks to whom: places in line, matches, and what passes between strangers.
//!
//! What always holds: a session sits in at most one match and holds at most one ticket, never both. A partner on another node is a
//! participant like any other; what is said to it goes to that node.

mod absence;
mod ghosts;
mod hiding;
mod minting;
mod participant;
mod participants;
mod parting;
mod remote;
mod reservations;
mod returning;
mod saying;
mod search;
mod switchboard;

pub(crate) use participant::{AgeCredit, Participant, Participants, State};
pub(crate) use participants::acquaintance;
pub(crate) use remote::{FarMatch, FarSeat};
pub(crate) use reservations::{Reservation, Role};
pub(crate) use returning::Believed;
pub(crate) use search::{TicketDue, first_initiates, fit};

use crate::ids::{MatchKey, SessionId, TicketId, TicketKey};
use crate::matches::Match;
use crate::matchmaker::Matchmaker;
use crate::peers::Peers;
use crate::random::{LobbyKey, Random};
use crate::receipts::Sealer;
use crate::sessions::Sessions;
use crate::timers::Timers;
use crate::tokens::boot_of;
use crate::{Config, Gauges, Time};
use rustc_hash::FxHashMap;
use slotmap::SlotMap;
use visavis_protocol::MatchId;

/// What a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Ticket(TicketKey),
    Match(MatchKey),
    Reservation(MatchId),
}

/// Everything that is between sessions.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) participants: Participants,
    pub(crate) matches: SlotMap<MatchKey, Match>,
    pub(crate) match_ids: Random,
    pub(crate) matchmaker: Matchmaker,
    /// Matches of which one side is known by hearsay only: elsewhere, or awaited.
    pub(crate) remote: FxHashMap<MatchId, FarMatch>,
    /// By the id of the match that may come of them.
    pub(crate) reservations: FxHashMap<MatchId, Reservation>,
    /// Sessions that were resumed by nothing but their token, while it says so.
    pub(crate) believed: FxHashMap<SessionId, Believed>,
    /// Tickets that others were shown, and that were taken from their place during the present input.
    pub(crate) touched: Vec<TicketId>,
    pub(crate) ticket_ids: Random,
    /// `None`: nothing can be reported.
    pub(crate) receipts: Option<Sealer>,
    pub(crate) timers: Timers<Due>,
    pub(crate) gauges: Gauges,
}

impl Pairs {
    pub(crate) fn new(config: &Config, key: &LobbyKey) -> Self {
        Pairs {
            receipts: config.receipts.as_ref().and_then(|receipts| receipts.sealer(boot_of(config, key))),
            participants: Participants::new(),
            matches: SlotMap::with_key(),
            match_ids: key.random("visavis match 1"),
            matchmaker: Matchmaker::new(),
            remote: FxHashMap::default(),
            reservations: FxHashMap::default(),
            believed: FxHashMap::default(),
            touched: Vec::new(),
            ticket_ids: key.random("visavis ticket 1"),
            timers: Timers::new(),
            gauges: Gauges::default(),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Time, Due)> {
        self.timers.soonest()
    }

    /// Takes what is due now.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<Due> {
        let due = self.timers.pop_due(now)?;
        match due {
            Due::Ticket(key) => {
                if let Some(ticket) = self.matchmaker.ticket_mut(key) {
                    ticket.timer = None;
                }
            }
            Due::Match(key) => {
                if let Some(found) = self.matches.get_mut(key) {
                    found.timer = None;
                }
            }
            Due::Reservation(id) => {
                if let Some(reserved) = self.reservations.get_mut(&id) {
                    reserved.timer = None;
                }
            }
        }
        Some(due)
    }
}

/// The pairs, and what they stand on.
pub(crate) struct Pairing<'a> {
    pub(crate) config: &'a Config,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) peers: &'a mut Peers,
    pub(crate) pairs: &'a mut Pairs,
}
