//! The long-term credential mechanism (RFC 8489, section 9.2.4): who asks, before anything is done or kept.

use super::allocation::{AllocationId, Ticket};
use super::{Client, Relay};
use crate::Time;
use crate::counters::{Denied, Drop};
use crate::credentials::{Key, Refusal};
use crate::stun::{ErrorCode, Message, Reply, Words, attribute};

/// Somebody who has shown to know the password of its user name.
pub(super) struct Caller<'a> {
    pub(super) username: &'a str,
    pub(super) key: Key,
    /// What it speaks of: the allocation of its transport address, or of its ticket.
    pub(super) allocation: Option<AllocationId>,
}

/// A reply to a stranger is at most this much longer than its request, as tenths: or we would be a lever for floods.
const MAX_AMPLIFICATION_TENTHS: usize = 27;

impl Relay {
    /// The error is the reply, or nothing for those who had enough replies.
    pub(super) fn authenticate<'a>(
        &mut self,
        now: Time,
        client: Client,
        message: &Message<'a>,
    ) -> Result<Caller<'a>, Option<Vec<u8>>> {
        self.identify(now, client, message).map_err(|denied| {
            self.counters.deny(denied);
            self.challenge(now, client, message, denied.code())
        })
    }

    fn identify<'a>(&self, now: Time, client: Client, message: &Message<'a>) -> Result<Caller<'a>, Denied> {
        let attributes = &message.attributes;
        if !message.is_signed() {
            return Err(Denied::NoCredentials);
        }
        let (Some(username), Some(realm), Some(nonce)) =
            (attributes.username, attributes.realm, attributes.nonce)
        else {
            return Err(Denied::Incomplete);
        };
        self.nonces.check(now, client, nonce).map_err(|_| Denied::StaleNonce)?;
        let username = std::str::from_utf8(username).map_err(|_| Denied::MalformedName)?;
        if realm != self.config.realm.as_bytes() {
            return Err(Denied::WrongRealm);
        }
        let allocation = self.clients.get(&client).copied().or_else(|| {
            let ticket: Ticket = attributes.mobility_ticket?.try_into().ok()?;
            self.tickets.get(&ticket).copied()
        });
        // Whoever holds an allocation keeps it: its name's expiry counts when it is made, or long calls would break.
        if let Some(known) = allocation.and_then(|id| self.allocations.get(id))
            && *known.username == *username
        {
            let caller = Caller { username, key: Key::clone(&known.key), allocation };
            return if message.is_signed_by(&caller.key) { Ok(caller) } else { Err(Denied::WrongPassword) };
        }
        let keys =
            self.config.secrets.keys(username, &self.config.realm, now.as_unix_s()).map_err(|refusal| {
                match refusal {
                    Refusal::Malformed => Denied::MalformedName,
                    Refusal::Expired { for_s } => Denied::Expired { for_s },
                }
            })?;
        let key = keys.into_iter().find(|key| message.is_signed_by(key)).ok_or(Denied::WrongPassword)?;
        Ok(Caller { username, key, allocation })
    }

    /// What a stranger is told: how to authenticate. Never in words, and never much more than it sent.
    fn challenge(
        &mut self,
        now: Time,
        client: Client,
        message: &Message<'_>,
        code: ErrorCode,
    ) -> Option<Vec<u8>> {
        if !self.throttle.allows(now, client.address.ip()) {
            self.counters.drop(Drop::Throttled);
            return None;
        }
        if code == ErrorCode::BadRequest {
            self.counters.refuse(code);
            return Some(Reply::error(message, code, Words::Spared).finish());
        }
        let mut reply = Reply::error(message, code, Words::Spared);
        reply.put(attribute::REALM, self.config.realm.as_bytes());
        reply.put(attribute::NONCE, &self.nonces.make(now, client));
        let bytes = reply.finish();
        if bytes.len() * 10 <= message.len() * MAX_AMPLIFICATION_TENTHS {
            self.counters.refuse(code);
            return Some(bytes);
        }
        // No request that means anything is that short.
        self.counters.refuse(ErrorCode::BadRequest);
        Some(Reply::error(message, ErrorCode::BadRequest, Words::Spared).finish())
    }
}
