//! How a conversation ends: the driver is told first, so that the partner need not wait for the closing handshake.

use super::{Connection, End, frame};
use crate::edge::stream::Stream;
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use visavis_lobby::Ending;
use visavis_protocol::{CLOSE_TO_RESUME, CloseCode};

/// How long a client may take to answer a close frame before the socket is dropped.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn part(mut connection: Connection, end: End) {
    let ending = match end {
        // Asked to come back.
        End::Told { code: CloseCode::Restart, .. } => Ending::Broken,
        End::Left(Some(CLOSE_TO_RESUME)) => Ending::Broken,
        // Also when it was we who closed: nobody shall wait for such a client to come back.
        End::Left(_) | End::Violated(_) | End::Told { .. } => Ending::CloseFrame,
        End::Broken | End::Overflow | End::Stall | End::Stopped => Ending::Broken,
    };
    connection.presence.edge().counters.ended(end);
    connection.presence.close(ending).await;
    let (code, reason, then) = match end {
        End::Left(code) => (code, "", Then::Close),
        End::Violated(violation) => {
            let (code, reason) = violation.close();
            (Some(code), reason, Then::AwaitPeer)
        }
        End::Told { code, reason } => (Some(code.as_u16()), reason, Then::AwaitPeer),
        End::Broken | End::Stopped => return,
        End::Overflow | End::Stall => return connection.stream.forget_on_close(),
    };
    // In time or not, the socket goes now.
    let _ = timeout(PATIENCE, say_goodbye(&mut connection, code, reason, then)).await;
}

enum Then {
    Close,
    /// The client may still be sending. Closing under it would reset the connection, and it would never read why.
    AwaitPeer,
}

async fn say_goodbye(
    connection: &mut Connection,
    code: Option<u16>,
    reason: &'static str,
    then: Then,
) -> io::Result<()> {
    let Connection { sending, stream, .. } = connection;
    poll_fn(|context| sending.poll(stream, context)).await?;
    let mut bytes = Vec::new();
    frame::write_close(&mut bytes, code, reason);
    stream.write_all(&bytes).await?;
    stream.shutdown().await?;
    match then {
        Then::Close => Ok(()),
        Then::AwaitPeer => discard(stream).await,
    }
}

async fn discard(stream: &mut Stream) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}
