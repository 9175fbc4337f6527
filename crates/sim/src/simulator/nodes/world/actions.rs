//! What the script says, done: by visitors, by the network, to nodes, to Redis.

use super::{Event, World};
use crate::simulator::coverage::Case;
use crate::simulator::guest::Line;
use crate::simulator::network::Up;
use crate::simulator::nodes::node::Arrival;
use crate::simulator::promises::Breach;
use crate::simulator::script::{Action, Micros, Step, Who, millis};
use visavis_lobby::{ConnectionId, Input, Span};

impl World<'_> {
    pub(super) fn step(&mut self, index: usize) -> Result<(), Breach> {
        let Some(Step { who, action, .. }) = self.script.steps.get(index) else { return Ok(()) };
        if self.calm {
            return Ok(());
        }
        match *who {
            Who::Server => Ok(()),
            Who::Redis => {
                self.befalls_redis(action);
                Ok(())
            }
            Who::Node(node) => self.befalls(node as usize, action),
            Who::Visitor(id) => {
                if self.frozen.get(&id).is_none_or(|until| *until <= self.now) {
                    self.does(id, action);
                }
                Ok(())
            }
        }
    }

    fn does(&mut self, id: u32, action: &Action) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let line = guest.line;
        let mut acts = Vec::new();
        if !guest.does(action, &mut acts) {
            return self.suffers(id, line, action);
        }
        if line == Line::Away {
            self.open(id);
        }
        self.act(id, acts);
    }

    /// What a visitor's network does to it.
    fn suffers(&mut self, id: u32, line: Line, action: &Action) {
        let Line::On(connection) = line else { return };
        match *action {
            Action::Leave {} => {
                self.send(connection, Up::Bye);
                if let Some(wire) = self.wires.get_mut(&connection) {
                    wire.socket.client_open = false;
                }
                self.give_up_retired(id);
                if let Some(guest) = self.guests.get_mut(&id) {
                    guest.forget();
                }
            }
            Action::Drop { client_ms, server_ms } => {
                self.sever(connection);
                self.after(millis(client_ms), Event::ClientNotices(connection));
                self.after(millis(server_ms), Event::ServerNotices(connection));
            }
            Action::Vanish { client_ms } => {
                self.sever(connection);
                self.after(millis(client_ms), Event::ClientNotices(connection));
            }
            Action::Freeze { ms } => {
                self.frozen.insert(id, self.now + millis(ms));
                self.plug(connection, ms);
            }
            Action::Deaf { ms } => self.plug(connection, ms),
            Action::Move {} => self.moves(id, connection),
            _ => {}
        }
    }

    fn plug(&mut self, connection: ConnectionId, ms: i64) {
        if let Some(wire) = self.wires.get_mut(&connection) {
            wire.socket.deaf = true;
            self.after(millis(ms), Event::Hears(connection));
        }
    }

    /// Something happens to a node.
    fn befalls(&mut self, node: usize, action: &Action) -> Result<(), Breach> {
        let now = self.now;
        let Some(there) = self.nodes.get_mut(node).filter(|node| node.lobby.is_some()) else { return Ok(()) };
        let process = there.id;
        match *action {
            Action::Restart { down_ms, .. } => {
                self.note(Case::NodeKilled);
                self.end(node, process, millis(down_ms));
            }
            Action::Clock { ms } => {
                let still = there.step_clock(now, ms.clamp(-20_000_000, 20_000_000) * 1_000);
                self.watcher.slept(now);
                self.watcher.stands_still(now, now + still);
                self.watcher.jumped(now);
                return self.run_timers(node);
            }
            Action::Hang { ms } if !there.hung => {
                there.hung = true;
                self.note(Case::NodeSlept);
                self.watcher.sleeps(now, now + millis(ms));
                self.after(millis(ms), Event::Wakes(node, process));
            }
            Action::Drain { spread_ms, down_ms } if there.runs() && !there.draining => {
                there.draining = true;
                self.note(Case::NodeDrained);
                let spread = millis(spread_ms);
                self.after(spread + 1_500_000, Event::End { node, process, down: millis(down_ms) });
                return self.arrive(node, Arrival::Input(Input::Drain { spread: Span::from_micros(spread) }));
            }
            Action::CutOff { ms } => {
                there.redis.cut_until = now + millis(ms);
                self.watcher.troubled(now, now + millis(ms) + 3_000_000);
                self.note(Case::NodeCutOff);
            }
            Action::Deafen {} => {
                self.host.deafen(process);
                self.watcher.troubled(now, now + 5_000_000);
            }
            Action::LoseReply { sort } => there.redis.loses_reply = Some(sort),
            Action::LoseFrames { frames } => {
                there.redis.loses_frames = frames;
                self.watcher.troubled(now, now + 5_000_000);
            }
            Action::Slow { more_ms, ms } => {
                there.redis.slow = (millis(more_ms), now + millis(ms));
                self.watcher.troubled(now, now + millis(ms) + 3_000_000);
            }
            _ => {}
        }
        Ok(())
    }

    fn befalls_redis(&mut self, action: &Action) {
        let now = self.now;
        let mut sent = Vec::new();
        let mut trouble = |before: Micros, after: Micros| {
            self.watcher.troubled(now.saturating_sub(before), now + after + 4_000_000);
        };
        match *action {
            Action::Outage { ms, empty } if self.host.is_up() => {
                trouble(if empty == 0 { 2_000_000 } else { Micros::MAX }, millis(ms));
                self.host.stop(&mut sent);
                if empty != 0 {
                    self.host.forget_everything();
                }
                self.note(if empty == 0 { Case::RedisDown } else { Case::RedisEmptied });
                self.after(millis(ms), Event::RedisStarts);
            }
            Action::Stall { ms } if self.host.is_up() => {
                trouble(2_000_000, millis(ms));
                self.host.stall();
                self.note(Case::RedisStalled);
                self.after(millis(ms), Event::RedisStarts);
            }
            Action::Failover { lost_ms, ms } if self.host.is_up() => {
                trouble(millis(lost_ms) + 2_000_000, millis(ms));
                self.host.stop(&mut sent);
                self.host.go_back_to(now.saturating_sub(millis(lost_ms)));
                self.note(Case::RedisFailedOver);
                self.after(millis(ms), Event::RedisStarts);
            }
            Action::RedisClock { ms } => {
                // Whatever it keeps may be dead now.
                trouble(if ms > 0 { Micros::MAX } else { 0 }, 5_000_000);
                self.host.step_clock(now, ms.clamp(-100_000_000, 100_000_000) * 1_000);
                self.note(Case::RedisClockJumped);
            }
            Action::Drift { ppm } => self.host.drift(now, ppm.clamp(-100_000, 100_000)),
            _ => {}
        }
        self.deliver_from_redis(&mut sent);
    }

    /// A failover goes back to what Redis had: that has to be kept then.
    pub(super) fn foresee_failover(&mut self, step: &Step) {
        if let (Who::Redis, Action::Failover { lost_ms, .. }) = (step.who, &step.action) {
            self.at(step.at.saturating_sub(millis(*lost_ms)), Event::Snapshot);
        }
    }

    pub(super) fn redis_starts(&mut self) {
        let mut sent = Vec::new();
        if !self.host.is_up() {
            self.tell_story(|| "Redis goes on".to_owned());
            self.host.start(self.now, &mut sent);
        }
        self.deliver_from_redis(&mut sent);
    }
}
