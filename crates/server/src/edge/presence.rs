//! One client as the driver knows it, whatever carries its bytes.
//!
//! What always holds: the driver hears `Opened` first and `Closed` once, last, whatever becomes of the task that holds
//! this. Today that is one WebSocket's; a session that moves from request to request would be held in a table.

use super::Edge;
use crate::driver::{Event, Outbox};
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use visavis_lobby::{ConnectionId, Ending, Input, Limiting};

/// Owes the driver one `Closed`.
pub(super) struct Presence {
    edge: Arc<Edge>,
    id: ConnectionId,
    outbox: Arc<Outbox>,
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    NotYet,
    Closed,
}

/// The driver is gone, so the process ends.
pub(super) struct Stopped;

/// Why the driver was not told.
pub(super) enum Untold {
    /// Its inbox is full: read nothing more until [`Presence::tell_when_free`] is through with this.
    Full(Box<Event>),
    Stopped,
}

impl Presence {
    /// `None`: the driver is gone.
    pub(super) async fn open(edge: Arc<Edge>, limiting: Limiting) -> Option<Self> {
        let id = edge.next_connection();
        let outbox = Arc::new(Outbox::default());
        let opened = Event::Opened { connection: id, limiting, outbox: Arc::clone(&outbox) };
        edge.link.inbox.send(opened).await.ok()?;
        Some(Presence { edge, id, outbox, told: Told::NotYet })
    }

    pub(super) fn edge(&self) -> &Edge {
        &self.edge
    }

    pub(super) fn id(&self) -> ConnectionId {
        self.id
    }

    /// What waits to be written to this client.
    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Tells the driver what came.
    ///
    /// # Errors
    /// It has no room, or is gone.
    pub(super) fn tell(&self, mut inputs: Vec<Input>) -> Result<(), Untold> {
        let event = match (inputs.len(), inputs.pop()) {
            (_, None) => return Ok(()),
            (1, Some(only)) => Event::Happened(only),
            (_, Some(last)) => {
                inputs.push(last);
                Event::Read(inputs)
            }
        };
        self.edge.link.inbox.try_send(event).map_err(|error| match error {
            TrySendError::Full(event) => Untold::Full(Box::new(event)),
            TrySendError::Closed(_) => Untold::Stopped,
        })
    }

    pub(super) async fn tell_when_free(&self, event: Event) -> Result<(), Stopped> {
        self.edge.link.inbox.send(event).await.map_err(|_| Stopped)
    }

    pub(super) async fn close(&mut self, ending: Ending) {
        let closed = Event::Happened(Input::Closed { connection: self.id, ending });
        // Without a driver nobody is left to be told.
        let _ = self.edge.link.inbox.send(closed).await;
        self.told = Told::Closed;
    }
}

impl Drop for Presence {
    /// Only after a panic in the task that holds it, or when the task is dropped: the visitor must not become a ghost.
    fn drop(&mut self) {
        if self.told == Told::Closed {
            return;
        }
        let closed = Event::Happened(Input::Closed { connection: self.id, ending: Ending::Broken });
        if let Err(TrySendError::Full(closed)) = self.edge.link.inbox.try_send(closed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let inbox = self.edge.link.inbox.clone();
            runtime.spawn(async move { inbox.send(closed).await });
        }
    }
}
