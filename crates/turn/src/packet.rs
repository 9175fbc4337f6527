//! One datagram or frame in a buffer with room around it, so that headers are put on and taken off without copying.

use std::fmt;

/// The longest header that is ever put before a payload: a Data indication for an IPv6 peer (20 + 24 + 4 bytes).
const HEADROOM: usize = 48;
/// Padding behind a payload (RFC 8489, section 14: attributes are padded to 4 bytes).
const TAILROOM: usize = 3;

pub struct Packet {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Packet {
    /// Room for a payload of `bytes`.
    pub fn with_room(bytes: usize) -> Self {
        Packet { buffer: vec![0; HEADROOM + bytes + TAILROOM].into(), start: HEADROOM, end: HEADROOM }
    }

    /// Where the next packet is to be written, from its first byte on. Then call [`Packet::set_len`].
    pub fn room(&mut self) -> &mut [u8] {
        let end = self.buffer.len() - TAILROOM;
        self.buffer.get_mut(HEADROOM..end).unwrap_or_default()
    }

    /// Says how much of [`Packet::room`] was written.
    pub fn set_len(&mut self, bytes: usize) {
        self.start = HEADROOM;
        self.end = (HEADROOM + bytes).min(self.buffer.len() - TAILROOM);
    }

    /// Replaces the content; cut off if it does not fit, which no reply of ours can be.
    pub fn fill(&mut self, content: &[u8]) {
        let room = self.room();
        debug_assert!(content.len() <= room.len());
        let len = content.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..len), content.get(..len)) {
            to.copy_from_slice(from);
        }
        self.set_len(len);
    }

    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.end - self.start
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps `len` bytes from `offset` on.
    pub(crate) fn narrow(&mut self, offset: usize, len: usize) {
        self.start = (self.start + offset).min(self.end);
        self.end = (self.start + len).min(self.end);
    }

    pub(crate) fn prepend(&mut self, header: &[u8]) {
        let start = self.start.saturating_sub(header.len());
        if let Some(to) = self.buffer.get_mut(start..self.start)
            && to.len() == header.len()
        {
            to.copy_from_slice(header);
            self.start = start;
        }
    }

    /// Adds zeros until the length is a multiple of four.
    pub(crate) fn pad(&mut self) {
        let padding = self.len().wrapping_neg() & 3;
        if let Some(to) = self.buffer.get_mut(self.end..self.end + padding) {
            to.fill(0);
            self.end += padding;
        }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packet({} bytes)", self.len())
    }
}
