//! One visitor's WebSocket after the upgrade: the task that reads and writes it.
//!
//! What always holds: an idle connection holds no buffer (reading and writing go through a buffer of the thread); what
//! was queued together is written together; a reader that leaves a write unfinished for too long is cut.
//! What it does not do: decide. What a text says is the dialect's affair; rates, keep-alive and who hears what are the
//! lobby's.

mod farewell;
mod sending;

use super::Edge;
use super::admission::Permit;
use super::dialect::{Carrier, Dialect};
use super::frame::{self, Frame, FrameReader, Violation};
use super::presence::{Presence, Untold};
use super::stream::Stream;
use crate::driver::{Event, Last, Outbound, Taken};
use sending::Sending;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;
use visavis_lobby::Input;
use visavis_protocol::CloseCode;

/// What the kernel may keep for a reader that stalls; it doubles the figure for its own book-keeping.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The largest read, and what a connection may get done before others have their turn.
const READ_BYTES: usize = 32 * 1024;

/// What one event may tell at most: a turn of the driver counts events. A description and its candidates fit.
const EVENT_INPUTS: usize = 8;

thread_local! {
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    static WRITE: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ_BYTES));
}

/// Serves one visitor until the socket ends. `early` is what the client sent right behind its request.
pub(super) async fn serve(
    edge: Arc<Edge>,
    dialect: Dialect,
    stream: Stream,
    visitor: Permit,
    early: Vec<u8>,
) {
    stream.shrink_send_buffer(SEND_BUFFER_BYTES);
    let max_frame_bytes = edge.limits.max_frame_bytes;
    // Boxed: it runs once, and its future would enlarge every connection's.
    let Some(presence) = Box::pin(Presence::open(edge, visitor.limiting())).await else { return };
    let mut connection = Connection {
        frames: FrameReader::new(max_frame_bytes),
        presence,
        dialect,
        stream,
        unread: if early.is_empty() { Unread::Part(early) } else { Unread::Fresh(early) },
        sending: Sending::default(),
        pong: None,
        sign: None,
        stall: None,
        unfinished: None,
        visitor,
    };
    let end = connection.converse().await;
    // Boxed, as above.
    Box::pin(farewell::part(connection, end)).await;
}

struct Connection {
    presence: Presence,
    dialect: Dialect,
    stream: Stream,
    frames: FrameReader,
    unread: Unread,
    sending: Sending,
    /// The payload of the latest ping, to be answered when the line is free (RFC 6455, section 5.5.3).
    pong: Option<Box<[u8]>>,
    /// Pings and pongs of which the driver is still to be told.
    sign: Option<Sign>,
    /// Runs while a write is unfinished.
    stall: Option<Pin<Box<Sleep>>>,
    /// Runs while a message of the client is.
    unfinished: Option<Pin<Box<Sleep>>>,
    visitor: Permit,
}

/// A sign of life beside the messages.
#[derive(Default)]
struct Sign {
    /// Of the newest pong that has one.
    mark: Option<u32>,
}

/// What came and is not yet read.
enum Unread {
    /// May hold whole frames.
    Fresh(Vec<u8>),
    /// Holds less than a frame.
    Part(Vec<u8>),
}

/// Why the conversation is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// The client closed, with this code.
    Left(Option<u16>),
    Violated(Violation),
    /// The lobby closes, and what it said before is still in line.
    Told {
        code: CloseCode,
        reason: &'static str,
    },
    /// EOF or an error, without a close frame.
    Broken,
    /// More waited for the reader than its queue holds.
    Overflow,
    /// The reader left a write unfinished for too long.
    Stall,
    /// The driver is gone, so the process ends.
    Stopped,
}

/// Why reading and writing pause.
enum Pause {
    /// The driver's inbox is full: wait there, and read nothing meanwhile.
    Full {
        event: Box<Event>,
        /// What came right behind it.
        then: Option<End>,
    },
    End(End),
}

impl Connection {
    async fn converse(&mut self) -> End {
        loop {
            match poll_fn(|context| self.poll(context)).await {
                // Boxed, as above.
                Pause::Full { event, then } => {
                    if Box::pin(self.presence.tell_when_free(*event)).await.is_err() {
                        return End::Stopped;
                    }
                    if let Some(end) = then {
                        return end;
                    }
                }
                Pause::End(end) => return end,
            }
        }
    }

    /// Writes what waits and reads what came, until neither can go on.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Pause> {
        loop {
            let writing = self.poll_write(context);
            if let Poll::Ready(Err(end)) = writing {
                return Poll::Ready(Pause::End(end));
            }
            let reading = self.poll_read(context);
            if let Poll::Ready(Err(pause)) = reading {
                return Poll::Ready(pause);
            }
            if writing.is_pending() && reading.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        match self.sending.poll(&mut self.stream, context) {
            Poll::Ready(Ok(())) => self.stall = None,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Broken)),
            Poll::Pending => return self.poll_blocked(context).map(Err),
        }
        if let Some(payload) = self.pong.take() {
            self.write(context, |_, out| frame::write_pong(out, &payload));
            return Poll::Ready(Ok(()));
        }
        let outbounds = match self.presence.outbox().poll_take(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Taken::Overflow) => return Poll::Ready(Err(End::Overflow)),
            Poll::Ready(Taken::Outbounds(outbounds)) => outbounds,
        };
        self.presence.edge().counters.messages_out.add(outbounds.len());
        self.write(context, |dialect, out| {
            outbounds.iter().for_each(|outbound| dialect.write(outbound, &mut Frames(out)));
        });
        // Nothing follows a `Close`, so looking at the last is enough.
        Poll::Ready(match outbounds.last() {
            Some(Outbound::Close { code, reason }) => Err(End::Told { code: *code, reason }),
            _ => Ok(()),
        })
    }

    /// Hands everything that `fill` appends to the socket in one write, as far as it takes it.
    fn write(&mut self, context: &mut Context<'_>, fill: impl FnOnce(&mut Dialect, &mut Vec<u8>)) {
        WRITE.with_borrow_mut(|out| {
            out.clear();
            fill(&mut self.dialect, out);
            self.presence.edge().counters.bytes_out.add(out.len());
            self.sending.start(out, &mut self.stream, context);
            out.shrink_to(READ_BYTES);
        });
    }

    /// While a write is unfinished: ready when it is not worth finishing.
    fn poll_blocked(&mut self, context: &mut Context<'_>) -> Poll<End> {
        match self.presence.outbox().poll_last(context) {
            Poll::Ready(Last::Overflow) => return Poll::Ready(End::Overflow),
            Poll::Ready(Last::Close { code, reason }) => {
                return Poll::Ready(End::Told { code, reason });
            }
            Poll::Pending => {}
        }
        let patience = self.presence.edge().write_stall;
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stall.as_mut().poll(context).map(|()| End::Stall)
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Pause>> {
        let mut part = match &mut self.unread {
            Unread::Fresh(fresh) => {
                let mut fresh = std::mem::take(fresh);
                let (taken, result) = self.read_frames(&mut fresh);
                fresh.drain(..taken);
                return Poll::Ready(self.keep(fresh, result));
            }
            Unread::Part(part) => std::mem::take(part),
        };
        READ.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => {
                    self.unread = Unread::Part(part);
                    let late =
                        self.unfinished.as_mut().is_some_and(|late| late.as_mut().poll(context).is_ready());
                    let end = || Pause::End(End::Violated(Violation::Unfinished));
                    return if late { Poll::Ready(Err(end())) } else { Poll::Pending };
                }
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Err(Pause::End(End::Broken))),
            }
            self.presence.edge().counters.bytes_in.add(buffer.filled().len());
            if part.is_empty() {
                let (taken, result) = self.read_frames(buffer.filled_mut());
                return Poll::Ready(self.keep(buffer.filled()[taken..].to_vec(), result));
            }
            part.extend_from_slice(buffer.filled());
            let (taken, result) = self.read_frames(&mut part);
            part.drain(..taken);
            Poll::Ready(self.keep(part, result))
        })
    }

    fn keep(&mut self, rest: Vec<u8>, result: Result<(), Pause>) -> Result<(), Pause> {
        // Emptied, it would hold its memory for as long as the connection idles.
        let rest = if rest.is_empty() { Vec::new() } else { rest };
        let held = rest.capacity() + self.frames.held();
        if held == 0 {
            self.unfinished = None;
        } else if self.unfinished.is_none() {
            let patience = self.presence.edge().message_timeout;
            self.unfinished = Some(Box::pin(tokio::time::sleep(patience)));
        }
        let result = match self.visitor.hold_unfinished(held) {
            Err(_) if result.is_ok() => Err(Pause::End(End::Violated(Violation::TooMuchUnfinished))),
            Ok(()) | Err(_) => result,
        };
        self.unread = match &result {
            Ok(()) => Unread::Part(rest),
            Err(_) => Unread::Fresh(rest),
        };
        result
    }

    /// Reads whole frames and tells the driver what they say; how many bytes they took.
    fn read_frames(&mut self, bytes: &mut [u8]) -> (usize, Result<(), Pause>) {
        let id = self.presence.id();
        let mut inputs = Vec::new();
        let mut at = 0;
        loop {
            let (taken, frame) = match self.frames.read(&mut bytes[at..]) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    inputs.extend(self.take_sign());
                    return (at, self.tell(inputs, None));
                }
                Err(violation) => return (at, self.tell(inputs, Some(End::Violated(violation)))),
            };
            at += taken;
            match frame {
                Frame::Text(text) => {
                    self.presence.edge().counters.messages_in.add(1);
                    // The deadline of this one is not that of the next.
                    self.unfinished = None;
                    self.dialect.read(id, &text, &self.presence.edge().limits, &mut inputs);
                }
                Frame::Part => {}
                Frame::Close(code) => return (at, self.tell(inputs, Some(End::Left(code)))),
                Frame::Ping(payload) => {
                    self.pong = Some(payload.into());
                    self.sign.get_or_insert_default();
                }
                Frame::Pong(payload) => {
                    let mark = payload.try_into().ok().map(u32::from_be_bytes);
                    let sign = self.sign.get_or_insert_default();
                    sign.mark = mark.or(sign.mark);
                }
            }
            if inputs.len() >= EVENT_INPUTS
                && let Err(pause) = self.tell(std::mem::take(&mut inputs), None)
            {
                return (at, Err(pause));
            }
        }
    }

    /// Tells of the pings and pongs of a read, once: a flood of them shall not become a flood of events. The newest mark
    /// says all that the earlier ones said.
    fn take_sign(&mut self) -> Option<Input> {
        self.sign.take().map(|Sign { mark }| Input::Alive { connection: self.presence.id(), mark })
    }

    /// Tells the driver what came, and ends if something came that ends the conversation.
    fn tell(&self, inputs: Vec<Input>, then: Option<End>) -> Result<(), Pause> {
        match self.presence.tell(inputs) {
            Ok(()) => then.map_or(Ok(()), |end| Err(Pause::End(end))),
            Err(Untold::Full(event)) => Err(Pause::Full { event, then }),
            Err(Untold::Stopped) => Err(Pause::End(End::Stopped)),
        }
    }
}

/// A dialect's packets as frames, behind each other.
struct Frames<'a>(&'a mut Vec<u8>);

impl Carrier for Frames<'_> {
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        frame::write_text(self.0, write);
    }

    fn ping(&mut self, mark: u32) {
        frame::write_ping(self.0, mark);
    }
}
