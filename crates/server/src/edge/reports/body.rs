//! The bytes of a report: at most 256 KiB each, and bounded in all, however many are being sent.

use super::Refusal;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;

const MAX_BYTES: usize = 256 * 1024;

/// Read and thrown away of one that is too large: its sender hears why only if it could send on.
const MAX_WASTED: usize = 1024 * 1024;

/// Of all reports that are being read. Whoever sends slowly holds what it has sent, and no more.
const MAX_HELD: usize = 64 * 1024 * 1024;

const PATIENCE: Duration = Duration::from_secs(30);

/// Why a report could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Unfinished,
}

/// How many bytes of reports are in memory.
#[derive(Default)]
pub(super) struct Reading(Arc<AtomicUsize>);

/// Bytes, counted until they are dropped.
pub(super) struct Held {
    bytes: Vec<u8>,
    all: Arc<AtomicUsize>,
}

impl Held {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    fn take(&mut self, more: &[u8]) -> Result<(), Refusal> {
        let before = self.all.fetch_add(more.len(), Ordering::Relaxed);
        self.bytes.extend_from_slice(more);
        if before + more.len() > MAX_HELD { Err(Refusal::Busy) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Reading {
    pub(super) async fn whole(&self, request: Request) -> Result<Held, Refusal> {
        let told =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let is_hopeless = told.is_some_and(|told: usize| told > MAX_WASTED);
        if is_hopeless {
            return Err(Refusal::Unread(Unread::TooLarge));
        }
        let held = Held { bytes: Vec::new(), all: Arc::clone(&self.0) };
        match timeout(PATIENCE, read(request.into_body(), held)).await {
            Ok(done) => done,
            Err(_) => Err(Refusal::Unread(Unread::Unfinished)),
        }
    }
}

async fn read(mut body: Body, mut held: Held) -> Result<Held, Refusal> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Refusal::Unread(Unread::Unfinished)) };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > MAX_WASTED {
            break;
        }
        if length <= MAX_BYTES {
            held.take(&data)?;
        }
    }
    if length > MAX_BYTES { Err(Refusal::Unread(Unread::TooLarge)) } else { Ok(held) }
}
