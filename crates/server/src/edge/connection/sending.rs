//! What the socket has not yet taken.

use super::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

#[derive(Default)]
pub(super) enum Sending {
    #[default]
    Idle,
    Rest {
        bytes: Vec<u8>,
        at: usize,
    },
    /// Everything is taken, but TLS may still hold records of it.
    Flush,
    Failed(io::ErrorKind),
}

impl Sending {
    /// Only when idle: hands over `bytes`, and keeps what the socket does not take at once.
    pub(super) fn start(&mut self, bytes: &[u8], stream: &mut Stream, context: &mut Context<'_>) {
        debug_assert!(matches!(self, Sending::Idle));
        let mut at = 0;
        *self = match poll_all(stream, context, bytes, &mut at) {
            Poll::Ready(Ok(())) => Sending::Flush,
            Poll::Ready(Err(error)) => Sending::Failed(error.kind()),
            Poll::Pending => Sending::Rest { bytes: bytes[at..].to_vec(), at: 0 },
        };
    }

    /// Ready when idle.
    pub(super) fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self {
                Sending::Idle => return Poll::Ready(Ok(())),
                Sending::Rest { bytes, at } => {
                    ready!(poll_all(stream, context, bytes, at))?;
                    *self = Sending::Flush;
                }
                Sending::Flush => {
                    ready!(Pin::new(&mut *stream).poll_flush(context))?;
                    *self = Sending::Idle;
                }
                Sending::Failed(kind) => return Poll::Ready(Err((*kind).into())),
            }
        }
    }
}

fn poll_all(
    stream: &mut Stream,
    context: &mut Context<'_>,
    bytes: &[u8],
    at: &mut usize,
) -> Poll<io::Result<()>> {
    while *at < bytes.len() {
        match ready!(Pin::new(&mut *stream).poll_write(context, &bytes[*at..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            taken => *at += taken,
        }
    }
    Poll::Ready(Ok(()))
}
