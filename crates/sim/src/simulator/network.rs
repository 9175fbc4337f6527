//! Sockets between visitors and the server: in order within one, in any order between them.

use super::script::Micros;
use crate::Prng;
use std::collections::VecDeque;
use visavis_lobby::{ConnectionId, Ending, Input, Output};
use visavis_protocol::{ClientMessage, Limits, ServerMessage, read_client_message};

/// What travels to the server.
pub(crate) enum Up {
    Message(ClientMessage),
    Text(String),
    Pong(u32),
    /// A close frame.
    Bye,
}

/// What travels to the client.
pub(crate) enum Down {
    Message(Box<ServerMessage>),
    Ping(u32),
    Close(&'static str),
}

pub(crate) struct Socket {
    pub(crate) guest: u32,
    /// Opened beside the visitor's own, by a hostile one.
    pub(crate) stray: bool,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    /// When the latest in each direction arrives, and how many have been sent.
    up_last: Micros,
    down_last: Micros,
    sent_up: u64,
    sent_down: u64,
    pub(crate) client_open: bool,
    pub(crate) server_open: bool,
    /// Still on its way to the server for the first time.
    pub(crate) opening: bool,
    /// The network is gone: nothing arrives any more.
    pub(crate) severed: bool,
    /// The client reads nothing for now.
    pub(crate) deaf: bool,
    /// It is a page that is frozen: its browser goes on answering WebSocket pings.
    pub(crate) frozen: bool,
    /// How the server learns of the end, if it does.
    pub(crate) ending: Ending,
}

/// The end of a socket that nobody announced, or that its client gave up for another one.
pub(crate) const BROKEN: Ending = Ending::Broken;

/// How long things take when nothing goes wrong any more.
pub(crate) const CALM_DELAY_US: (Micros, Micros) = (2_000, 12_000);

/// What may wait for a client that does not read; beyond it the server closes.
pub(crate) const MAX_UNREAD: usize = 256;

impl Up {
    /// What the server reads; `None` for a close frame.
    pub(crate) fn read(self, connection: ConnectionId) -> Option<Input> {
        Some(match self {
            Up::Message(message) => Input::Received { connection, message },
            Up::Text(text) => match read_client_message(&text, &Limits::default()) {
                Ok(message) => Input::Received { connection, message },
                Err(refusal) => Input::Malformed { connection, refusal },
            },
            Up::Pong(mark) => Input::Alive { connection, mark: Some(mark) },
            Up::Bye => return None,
        })
    }
}

impl Down {
    /// What a socket carries of what the lobby says, and which; `None` for what is no visitor's.
    pub(crate) fn of(output: Output) -> Option<(ConnectionId, Down)> {
        match output {
            Output::Send { connection, message } => Some((connection, Down::Message(Box::new(message)))),
            Output::Ping { connection, mark } => Some((connection, Down::Ping(mark))),
            Output::Close { connection, reason, .. } => Some((connection, Down::Close(reason))),
            Output::Cluster(_) => None,
        }
    }
}

/// Names a visitor's socket by the two of them alone, so that other visitors change nothing about it.
pub(crate) fn connection_id(guest: u32, number: u64) -> ConnectionId {
    ConnectionId(u64::from(guest) << 12 | (number & 0xfff))
}

/// How long things take on a socket: by its visitor and its number, so that other visitors do not change it.
pub(crate) fn delay(
    seed: u64,
    guest: u32,
    connection: ConnectionId,
    range: (Micros, Micros),
    slowest: u64,
) -> impl Fn(u64) -> Micros {
    let seed = seed ^ u64::from(guest) << 20 ^ (connection.0 & 0xfff) << 44;
    move |number| span_of(seed ^ number.rotate_left(17), range, slowest)
}

/// A span within a range; now and then one of so many times its length.
pub(crate) fn span_of(seed: u64, (shortest, longest): (Micros, Micros), slowest: u64) -> Micros {
    let mut chance = Prng::new(seed);
    let usual = shortest + chance.below(longest.saturating_sub(shortest) + 1);
    if chance.below(64) == 0 { usual * slowest } else { usual }
}

impl Socket {
    pub(crate) fn new(guest: u32, stray: bool) -> Self {
        Socket {
            guest,
            stray,
            up: VecDeque::new(),
            down: VecDeque::new(),
            up_last: 0,
            down_last: 0,
            sent_up: 0,
            sent_down: 0,
            client_open: true,
            server_open: false,
            opening: true,
            severed: false,
            deaf: false,
            frozen: false,
            ending: Ending::Broken,
        }
    }

    /// Nothing arrives any more, in either direction.
    pub(crate) fn sever(&mut self) {
        self.severed = true;
        self.up.clear();
        self.down.clear();
    }

    /// When something sent upwards now arrives.
    pub(crate) fn arrives_up(&mut self, now: Micros, delay: impl Fn(u64) -> Micros) -> Micros {
        self.sent_up += 1;
        self.up_last = self.up_last.max(now + delay(self.sent_up));
        self.up_last
    }

    /// When something sent downwards now arrives.
    pub(crate) fn arrives_down(&mut self, now: Micros, delay: impl Fn(u64) -> Micros) -> Micros {
        self.sent_down += 1;
        self.down_last = self.down_last.max(now + delay(self.sent_down | 1 << 40));
        self.down_last
    }
}
