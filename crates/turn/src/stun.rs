//! STUN messages (RFC 8489, section 5 and 14) and ChannelData (RFC 8656, section 12.4): reading and writing.
//!
//! Reading borrows and copies nothing; whatever is not exactly a message is none. RFC 3489's packets, which lack the
//! magic cookie, are not messages.

mod address;
mod fingerprint;
mod frame;
mod message;
mod reply;

pub(crate) use address::{read_xor_address, xor_address};
pub use frame::{Frame, next_frame};
pub(crate) use message::{Attributes, Message, read_channel_data};
pub use reply::ErrorCode;
pub(crate) use reply::{Reply, Words};

pub(crate) const HEADER_BYTES: usize = 20;
pub(crate) const CHANNEL_HEADER_BYTES: usize = 4;
pub(crate) const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

pub(crate) type Transaction = [u8; 12];

/// What a message is about, in the fourteen bits of its type (RFC 8489, section 5; RFC 8656, section 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Binding,
    Allocate,
    Refresh,
    Send,
    CreatePermission,
    ChannelBind,
}

impl Method {
    pub(crate) const fn of(code: u16) -> Option<Method> {
        match code {
            0x001 => Some(Method::Binding),
            0x003 => Some(Method::Allocate),
            0x004 => Some(Method::Refresh),
            0x006 => Some(Method::Send),
            0x008 => Some(Method::CreatePermission),
            0x009 => Some(Method::ChannelBind),
            _ => None,
        }
    }
}

/// The two bits between the method's: bit 4 and bit 8 of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

impl Class {
    pub(crate) const fn bits(self) -> u16 {
        match self {
            Class::Request => 0x000,
            Class::Indication => 0x010,
            Class::Success => 0x100,
            Class::Error => 0x110,
        }
    }

    pub(crate) const fn of(kind: u16) -> Class {
        match kind & 0x110 {
            0x000 => Class::Request,
            0x010 => Class::Indication,
            0x100 => Class::Success,
            _ => Class::Error,
        }
    }
}

/// The type of a Data indication (method 0x007), which only we send.
pub(crate) const DATA_INDICATION: u16 = 0x0017;

/// Attribute types (RFC 8489, section 18.3; RFC 8656, section 18; RFC 8016, section 3.4).
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
    pub(crate) const LIFETIME: u16 = 0x000d;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const EVEN_PORT: u16 = 0x0018;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const DONT_FRAGMENT: u16 = 0x001a;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(crate) const RESERVATION_TOKEN: u16 = 0x0022;
    pub(crate) const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
    /// Its number before RFC 8656, which coturn and its clients still use. Ignored where it is somebody else's: Microsoft's
    /// servers say a name in it.
    pub(crate) const DRAFT_ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8032;
    pub(crate) const ADDRESS_ERROR_CODE: u16 = 0x8001;
    pub(crate) const FINGERPRINT: u16 = 0x8028;
    pub(crate) const MOBILITY_TICKET: u16 = 0x8030;

    /// What we know and may ignore although it must be understood: MESSAGE-INTEGRITY-SHA256 beside the SHA-1 one.
    pub(crate) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
}
