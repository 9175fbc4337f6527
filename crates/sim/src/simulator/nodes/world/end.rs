//! The end of a run: nothing goes wrong any more, and everybody has to find somebody.

use super::{Event, World};
use crate::simulator::guest::{Line, Stand};
use crate::simulator::promises::{Breach, Promise, hold};
use crate::simulator::script::Micros;
use std::collections::BTreeMap;
use visavis_lobby::{ConnectionId, Lobby};
use visavis_protocol::MatchId;

/// After the faults stop, how often and how long it is looked whether everybody has met: for longer than half of a pair
/// waits for the other, and a silent socket lives.
const CHECK_EVERY: Micros = 5_000_000;
const CHECKS: u64 = 24;

impl World<'_> {
    pub(super) fn become_calm(&mut self) -> Result<(), Breach> {
        self.tell_story(|| "from now on nothing goes wrong".to_owned());
        self.calm = true;
        self.redis_starts();
        for node in 0..self.nodes.len() {
            let Some(there) = self.nodes.get_mut(node) else { continue };
            there.redis.cut_until = 0;
            there.redis.slow = (0, 0);
            there.redis.loses_frames = 0;
            there.redis.loses_reply = None;
            let process = there.id;
            self.wake_up(node, process)?;
        }
        self.frozen.clear();
        let connections: Vec<ConnectionId> = self.wires.keys().copied().collect();
        for connection in connections {
            self.hears_again(connection)?;
            let Some(wire) = self.wires.get(&connection) else { continue };
            if wire.socket.severed && wire.socket.client_open {
                self.after(500_000, Event::ClientNotices(connection));
            }
        }
        for guest in self.guests.keys().copied().collect::<Vec<u32>>() {
            self.give_up_retired(guest);
        }
        let away: Vec<u32> =
            self.guests.values_mut().filter_map(|guest| guest.calms_down().then_some(guest.id)).collect();
        for guest in away {
            self.after(300_000, Event::Reopen(guest));
        }
        self.after(CHECK_EVERY, Event::Check(1));
        Ok(())
    }

    pub(super) fn check(&mut self, times: u64) -> Result<(), Breach> {
        match self.convergence() {
            Ok(()) => self.settled = true,
            Err(breach) if times >= CHECKS => return Err(breach),
            Err(_) => self.after(CHECK_EVERY, Event::Check(times + 1)),
        }
        Ok(())
    }

    /// Who searches is in a match with somebody who is in it too, or waits because nobody fits; and all nodes know how
    /// many people there are.
    fn convergence(&mut self) -> Result<(), Breach> {
        let mut met: BTreeMap<MatchId, Vec<u32>> = BTreeMap::new();
        let mut waiting: Vec<(ConnectionId, u32)> = Vec::new();
        for guest in self.guests.values().filter(|guest| guest.searches) {
            match (guest.stand, guest.line) {
                (Stand::Met(id), Line::On(_)) => met.entry(id).or_default().push(guest.id),
                (Stand::Waiting, Line::On(connection)) => waiting.push((connection, guest.id)),
                (stand, line) => {
                    return hold(false, Promise::EverybodyMeets, || {
                        format!("visitor {} believes {stand:?}, {line:?}", guest.id)
                    });
                }
            }
        }
        for (id, sides) in met {
            hold(sides.len() == 2, Promise::EverybodyMeets, || format!("{id:?} holds visitors {sides:?}"))?;
        }
        let lobbies = || self.nodes.iter().filter_map(|node| node.lobby.as_ref());
        let in_line: usize = lobbies()
            .map(Lobby::gauges)
            .map(|gauges| gauges.waiting.video + gauges.waiting.audio + gauges.waiting.text)
            .sum();
        hold(in_line == waiting.len(), Promise::EverybodyMeets, || {
            format!("{in_line} are in line, {} believe it: {waiting:?}", waiting.len())
        })?;
        let online: usize = lobbies().map(Lobby::online).sum();
        for lobby in lobbies() {
            let known = lobby.online_everywhere();
            hold(known == online, Promise::PresenceIsTrue, || format!("{known} of {online}"))?;
        }
        self.watcher.judge_line(&waiting, &self.guests)
    }
}
