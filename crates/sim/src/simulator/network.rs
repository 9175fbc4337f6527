//! Sockets between visitors and the server: in order within one, in any order between them.

use super::script::Micros;
use std::collections::VecDeque;
use visavis_lobby::Ending;
use visavis_protocol::{ClientMessage, ServerMessage};

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
    /// How the server learns of the end, if it does.
    pub(crate) ending: Ending,
}

/// What may wait for a client that does not read; beyond it the server closes.
pub(crate) const MAX_UNREAD: usize = 256;

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
            ending: Ending::Broken,
        }
    }

    /// When something sent upwards now arrives.
    pub(crate) fn arrives_up(&mut self, now: Micros, delay: impl Fn(u64) -> Micros) -> Micros {
        self.sent_up += 1;
        self.up_last = self.up_last.max(now + delay(self.sent_up));
        self.up_last
    }

    pub(crate) fn arrives_down(&mut self, now: Micros, delay: impl Fn(u64) -> Micros) -> Micros {
        self.sent_down += 1;
        self.down_last = self.down_last.max(now + delay(self.sent_down | 1 << 40));
        self.down_last
    }
}
