//! Reading: a message is borrowed from its packet and checked for form once, in [`Message::read`].

use super::fingerprint::fingerprint;
use super::{CHANNEL_HEADER_BYTES, Class, HEADER_BYTES, MAGIC_COOKIE, Transaction, attribute};
use crate::credentials::Key;

/// Attributes of a type that must be understood and is not: at most this many are named in the reply.
const MAX_UNKNOWN: usize = 8;

pub(crate) struct Message<'a> {
    /// As on the wire, without the class: perhaps none that we know.
    pub(crate) method: u16,
    pub(crate) class: Class,
    pub(crate) transaction: Transaction,
    pub(crate) attributes: Attributes<'a>,
    raw: &'a [u8],
}

/// The attributes that we understand. Of one that occurs twice the first counts (RFC 8489, section 14), except peers.
#[derive(Default)]
pub(crate) struct Attributes<'a> {
    pub(crate) username: Option<&'a [u8]>,
    pub(crate) realm: Option<&'a [u8]>,
    pub(crate) nonce: Option<&'a [u8]>,
    pub(crate) channel_number: Option<&'a [u8]>,
    pub(crate) lifetime: Option<&'a [u8]>,
    pub(crate) data: Option<Found<'a>>,
    pub(crate) requested_address_family: Option<&'a [u8]>,
    pub(crate) additional_address_family: Option<&'a [u8]>,
    pub(crate) even_port: Option<&'a [u8]>,
    pub(crate) requested_transport: Option<&'a [u8]>,
    pub(crate) reservation_token: Option<&'a [u8]>,
    pub(crate) mobility_ticket: Option<&'a [u8]>,
    pub(crate) dont_fragment: Option<&'a [u8]>,
    pub(crate) fingerprint: Option<&'a [u8]>,
    /// The attributes from the first peer on, to be walked again: there may be many peers.
    peers: &'a [u8],
    integrity: Option<Found<'a>>,
    unknown: [u16; MAX_UNKNOWN],
    unknown_count: usize,
}

/// A value and where in the message it stands.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) offset: usize,
}

impl<'a> Message<'a> {
    /// `None`: not a STUN message, or one that was damaged on its way.
    pub(crate) fn read(raw: &'a [u8]) -> Option<Self> {
        let (header, body) = raw.split_first_chunk::<HEADER_BYTES>()?;
        let (kind, rest) = header.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (cookie, transaction) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes(*kind);
        let is_sound = kind & 0xc000 == 0
            && *cookie == MAGIC_COOKIE
            && usize::from(u16::from_be_bytes(*length)) == body.len()
            && body.len().is_multiple_of(4);
        if !is_sound {
            return None;
        }
        let attributes = Attributes::read(body)?;
        if let Some(value) = attributes.fingerprint {
            let covered = raw.get(..raw.len().checked_sub(8)?)?;
            if value != fingerprint(&[covered]).to_be_bytes() {
                return None;
            }
        }
        Some(Message {
            method: (kind & 0x000f) | ((kind & 0x00e0) >> 1) | ((kind & 0x3e00) >> 2),
            class: Class::of(kind),
            transaction: transaction.try_into().ok()?,
            attributes,
            raw,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    pub(crate) fn is_signed(&self) -> bool {
        self.attributes.integrity.is_some()
    }

    /// Whether MESSAGE-INTEGRITY is there and was made with this key. The header is signed with the length that it
    /// has if the message ends with that attribute (RFC 8489, section 14.5).
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        let Some(Found { value, offset }) = self.attributes.integrity else { return false };
        // `offset` is that of the value; the attribute starts four bytes before.
        let (Some(kind), Some(rest), Ok(length)) = (
            self.raw.get(..2),
            self.raw.get(4..offset.saturating_sub(4)),
            u16::try_from(offset + Key::SIGNATURE_BYTES - HEADER_BYTES),
        ) else {
            return false;
        };
        let signature = key.sign(&[kind, &length.to_be_bytes(), rest]);
        // Constant time: nobody shall feel a signature out byte by byte.
        value.len() == signature.len()
            && value.iter().zip(signature).fold(0, |differences, (left, right)| differences | (left ^ right))
                == 0
    }
}

impl<'a> Attributes<'a> {
    fn read(body: &'a [u8]) -> Option<Self> {
        let mut found = Attributes::default();
        let mut walk = Walk { rest: body, offset: HEADER_BYTES };
        while !walk.rest.is_empty() {
            let before = walk.rest;
            let (kind, at) = walk.next()?;
            if kind == attribute::FINGERPRINT {
                // It is the last, or it is none.
                found.fingerprint = Some(at.value);
                return (walk.rest.is_empty() && at.value.len() == 4).then_some(found);
            }
            // What follows the signature is not covered by it, and does not count.
            if found.integrity.is_some() {
                continue;
            }
            let place = match kind {
                attribute::USERNAME => &mut found.username,
                attribute::REALM => &mut found.realm,
                attribute::NONCE => &mut found.nonce,
                attribute::CHANNEL_NUMBER => &mut found.channel_number,
                attribute::LIFETIME => &mut found.lifetime,
                attribute::REQUESTED_ADDRESS_FAMILY => &mut found.requested_address_family,
                attribute::ADDITIONAL_ADDRESS_FAMILY => &mut found.additional_address_family,
                attribute::DRAFT_ADDITIONAL_ADDRESS_FAMILY if matches!(at.value, [1 | 2, 0, 0, 0]) => {
                    &mut found.additional_address_family
                }
                attribute::EVEN_PORT => &mut found.even_port,
                attribute::REQUESTED_TRANSPORT => &mut found.requested_transport,
                attribute::RESERVATION_TOKEN => &mut found.reservation_token,
                attribute::MOBILITY_TICKET => &mut found.mobility_ticket,
                attribute::DONT_FRAGMENT => &mut found.dont_fragment,
                attribute::DATA => {
                    found.data.get_or_insert(at);
                    continue;
                }
                attribute::MESSAGE_INTEGRITY => {
                    found.integrity = Some(at);
                    continue;
                }
                attribute::XOR_PEER_ADDRESS => {
                    if found.peers.is_empty() {
                        found.peers = before;
                    }
                    continue;
                }
                attribute::MESSAGE_INTEGRITY_SHA256 => continue,
                // From 0x8000 on an attribute may be ignored.
                ignorable if ignorable >= 0x8000 => continue,
                unknown => {
                    if let Some(place) = found.unknown.get_mut(found.unknown_count) {
                        *place = unknown;
                        found.unknown_count += 1;
                    }
                    continue;
                }
            };
            place.get_or_insert(at.value);
        }
        Some(found)
    }

    /// Types that must be understood, and are not.
    pub(crate) fn unknown(&self) -> &[u16] {
        self.unknown.get(..self.unknown_count).unwrap_or_default()
    }

    /// The values of all XOR-PEER-ADDRESS attributes, in order.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut walk = Walk { rest: self.peers, offset: 0 };
        std::iter::from_fn(move || walk.next())
            .take_while(|(kind, _)| *kind != attribute::MESSAGE_INTEGRITY)
            .filter_map(|(kind, at)| (kind == attribute::XOR_PEER_ADDRESS).then_some(at.value))
    }
}

struct Walk<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Option<(u16, Found<'a>)> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        let [kind_high, kind_low, length_high, length_low] = *head;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let value = rest.get(..length)?;
        self.rest = rest.get(length.next_multiple_of(4)..)?;
        let offset = self.offset + 4;
        self.offset = offset + length.next_multiple_of(4);
        Some((u16::from_be_bytes([kind_high, kind_low]), Found { value, offset }))
    }
}

/// The channel and the payload's length, if the packet is ChannelData. Over UDP padding may follow, or may not.
#[inline]
pub(crate) fn read_channel_data(raw: &[u8]) -> Option<(u16, usize)> {
    let (head, rest) = raw.split_first_chunk::<CHANNEL_HEADER_BYTES>()?;
    let [channel_high, channel_low, length_high, length_low] = *head;
    let channel = u16::from_be_bytes([channel_high, channel_low]);
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    (channel & 0xc000 == 0x4000 && length <= rest.len()).then_some((channel, length))
}
