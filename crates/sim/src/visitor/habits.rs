//! What a visitor does by itself, when its alarm goes off.

use super::script::{Act, Alarm, Then};
use super::{Past, Phase, Visitor};
use std::sync::LazyLock;
use visavis_lobby::{Ending, Span, Time};
use visavis_protocol::{ClientMessage, Message, SearchMessage, SignalMessage, Stop, Typing};

/// What a partner writes to somebody who does not read: as much and as fast as a server's default bounds let anybody,
/// a burst and then on and on. Characters of four bytes each fill a reader's line within a second.
const WRITTEN: char = '\u{1f300}';
const WRITTEN_CHARS: usize = 1_900;
static FILLING: LazyLock<String> = LazyLock::new(|| std::iter::repeat_n(WRITTEN, WRITTEN_CHARS).collect());
const WRITE_BURST: u32 = 28;
pub(super) const WRITE_BURST_INTERVAL: Span = Span::from_millis(20);
const WRITE_INTERVAL: Span = Span::from_millis(550);
/// Well within every deadline for a sign of life.
pub(super) const LIFE_INTERVAL: Span = Span::from_secs(3);
/// A restless visitor who leaves altogether is back after about this long.
pub(super) const ABSENCE: Span = Span::from_millis(300);

impl Visitor {
    /// Sets an alarm about so long after a moment.
    pub(super) fn set_alarm_about(&mut self, from: Time, mean: Span, then: Then) {
        let at = from + self.chance.about(mean);
        self.set_alarm(at, then);
    }

    pub(super) fn set_alarm(&mut self, at: Time, then: Then) {
        self.alarm = Some(Alarm { at, then });
    }

    pub(super) fn on_alarm(&mut self, now: Time, then: Then, acts: &mut Vec<Act>) {
        match then {
            Then::Press => self.search(now, acts),
            Then::Greet => {
                if let Phase::Greeting { .. } = self.phase {
                    self.greet(acts);
                }
            }
            Then::Wander => self.wander(now, acts),
            Then::Write | Then::ShowLife => {
                let speaker = self.speaker();
                let Phase::Met(encounter) = &self.phase else { return };
                let match_id = Some(encounter.match_id);
                if then == Then::ShowLife {
                    acts.push(Act::Send(ClientMessage::Signal(SignalMessage::Typing(Typing {
                        match_id,
                        on: true,
                    }))));
                    return self.set_alarm(now + LIFE_INTERVAL, Then::ShowLife);
                }
                let text = encounter.marker(speaker, now).text(&FILLING);
                acts.push(Act::Send(ClientMessage::Signal(SignalMessage::Message(Message {
                    match_id,
                    text,
                }))));
                self.writes += 1;
                let pause = if self.writes < WRITE_BURST { WRITE_BURST_INTERVAL } else { WRITE_INTERVAL };
                self.set_alarm(now + pause, Then::Write);
            }
        }
    }

    /// What a restless visitor does when it has had enough: mostly Next, sometimes Stop, now and then away.
    fn wander(&mut self, now: Time, acts: &mut Vec<Act>) {
        let roll = self.chance.below(100);
        let live = match &self.phase {
            // While searching there is nobody to leave: a Next could only hit a match that is being announced.
            Phase::Met(_) if roll < 70 => return self.press(now, acts),
            Phase::Met(encounter) => Some(encounter.match_id),
            Phase::Searching { left, .. } => *left,
            Phase::Offline { .. }
            | Phase::Greeting { .. }
            | Phase::Idle
            | Phase::Stopping { .. }
            | Phase::Silent => return,
        };
        if roll < 85 {
            acts.push(Act::Send(ClientMessage::Search(SearchMessage::Stop(Stop {}))));
            self.phase = Phase::Stopping { live };
        } else {
            let ending = if roll < 95 { Ending::CloseFrame } else { Ending::Broken };
            if ending == Ending::CloseFrame {
                // Who says good-bye begins anew; who loses the socket goes on where it was.
                self.token = None;
                self.phase = Phase::Offline { past: Past::Searching { left: None } };
            }
            acts.push(Act::Reopen { ending, after: self.chance.about(ABSENCE) });
        }
    }
}
