//! What goes into the lobby and what comes out.

use crate::Span;
use crate::crowd::Source;
use crate::ids::ConnectionId;
use crate::nodes::{Reply, Request};
use crate::receipts::Receipt;
use visavis_protocol::{ClientMessage, CloseCode, Refusal, ServerMessage};

/// Whether rates bind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limiting {
    /// The usual visitor.
    Bound(Source),
    /// From an address that the operator exempts: sizes still hold, rates do not.
    Exempt,
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a close frame: the visitor left.
    CloseFrame,
    /// Without one: the network, a crash, or a reader that stalled.
    Broken,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Opened {
        connection: ConnectionId,
        limiting: Limiting,
    },
    Received {
        connection: ConnectionId,
        message: ClientMessage,
    },
    /// A frame that could not be read. Costs its sender's rate like any other.
    Malformed {
        connection: ConnectionId,
        refusal: Refusal,
    },
    /// A pong or a ping: a sign of life. A pong brings the `mark` of the [`Output::Ping`] that it answers.
    Alive {
        connection: ConnectionId,
        mark: Option<u32>,
    },
    Closed {
        connection: ConnectionId,
        ending: Ending,
    },
    /// This node goes away: matches nobody any more and asks everybody to move, within `spread`.
    Drain {
        spread: Span,
    },
    /// The holder of this receipt reports the stranger: their match ends, they never meet again, and who reports looks for
    /// somebody else at once.
    Reported(Receipt),
    /// Other nodes, or the place where they meet.
    Cluster(Reply),
    /// The time of [`crate::Lobby::poll_timeout`] has come.
    Timeout,
}

/// What the shell shall do, in this order. The variant names the addressee; a message to a client is whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Send {
        connection: ConnectionId,
        message: ServerMessage,
    },
    /// Send a WebSocket ping with `mark` as its payload (4 bytes, big endian), so that a living client shows itself;
    /// its pong says, too, that everything sent before it has arrived.
    Ping {
        connection: ConnectionId,
        mark: u32,
    },
    /// Close the socket. The lobby has already forgotten the connection: no input of it counts any more.
    Close {
        connection: ConnectionId,
        code: CloseCode,
        reason: &'static str,
    },
    /// Ask other nodes, or the place where they meet. Only of a lobby that is one of several.
    Cluster(Request),
}

/// Outputs of one or more inputs, in order. The caller owns and drains it.
#[derive(Debug, Default)]
pub struct Outputs(Vec<Output>);

impl Outputs {
    pub fn new() -> Self {
        Outputs(Vec::new())
    }

    pub fn drain(&mut self) -> impl Iterator<Item = Output> + '_ {
        self.0.drain(..)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn send(&mut self, connection: ConnectionId, message: ServerMessage) {
        self.0.push(Output::Send { connection, message });
    }

    pub(crate) fn ask(&mut self, request: Request) {
        self.0.push(Output::Cluster(request));
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.0.push(output);
    }
}
