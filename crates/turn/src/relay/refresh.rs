//! Refresh (RFC 8656, section 8), which also moves an allocation to a new transport address (RFC 8016, section 3.2).

use super::allocate::{asked_lifetime, family, put_lifetime};
use super::allocation::{AllocationId, DEFAULT_LIFETIME, MAX_LIFETIME, Tickets, draw_ticket};
use super::authenticate::Caller;
use super::{Client, Relay, Shell};
use crate::stun::{ErrorCode, Message, Reply, attribute};
use crate::{Family, Time};
use std::time::Duration;

impl Relay {
    pub(super) fn on_refresh(
        &mut self,
        now: Time,
        client: Client,
        caller: &Caller<'_>,
        message: &Message<'_>,
        shell: &mut impl Shell,
    ) -> Result<Reply, ErrorCode> {
        let id = caller.allocation.ok_or(ErrorCode::AllocationMismatch)?;
        let allocation = self.allocations.get(id).ok_or(ErrorCode::AllocationMismatch)?;
        if *allocation.username != *caller.username {
            return Err(ErrorCode::WrongCredentials);
        }
        let asked = asked_lifetime(&message.attributes)?;
        let half = message.attributes.requested_address_family.map(family).transpose()?;
        if half.is_some_and(|family| allocation.relay(family).is_none()) {
            return Err(ErrorCode::PeerAddressFamilyMismatch);
        }
        let has_moved = allocation.client != client;
        let ticket = match (message.attributes.mobility_ticket, &allocation.ticket) {
            (None, _) => None,
            (Some(_), None) => return Err(ErrorCode::MobilityForbidden),
            (Some(_), Some(_)) => Some(self.renew_ticket(id)),
        };
        if has_moved {
            self.move_to(id, client);
        }
        let mut reply = Reply::success(message);
        if asked == Some(Duration::ZERO) {
            self.end(id, half, shell);
            put_lifetime(&mut reply, Duration::ZERO);
            return Ok(reply);
        }
        let mut lifetime = asked.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, MAX_LIFETIME);
        if let Some(allocation) = self.allocations.get_mut(id) {
            // Never sooner than promised before: so its one timer, which sees this when it rings, is enough.
            lifetime = lifetime.max(allocation.expires.since(now));
            allocation.expires = now + lifetime;
        }
        put_lifetime(&mut reply, lifetime);
        if let Some(ticket) = ticket.flatten() {
            reply.put(attribute::MOBILITY_TICKET, &ticket);
        }
        Ok(reply)
    }

    /// The present ticket stays good once more.
    fn renew_ticket(&mut self, id: AllocationId) -> Option<super::allocation::Ticket> {
        let fresh = draw_ticket(&mut self.random);
        let tickets = self.allocations.get_mut(id)?.ticket.as_mut()?;
        let spent = tickets.previous.replace(tickets.current);
        *tickets = Tickets { current: fresh, previous: tickets.previous };
        if let Some(spent) = spent {
            self.tickets.remove(&spent);
        }
        self.tickets.insert(fresh, id);
        Some(fresh)
    }

    fn move_to(&mut self, id: AllocationId, client: Client) {
        let Some(allocation) = self.allocations.get_mut(id) else { return };
        let former = std::mem::replace(&mut allocation.client, client);
        if self.clients.get(&former) == Some(&id) {
            self.clients.remove(&former);
        }
        self.clients.insert(client, id);
    }

    /// Ends all of it, or the half of one family as long as the other is there.
    fn end(&mut self, id: AllocationId, half: Option<Family>, shell: &mut impl Shell) {
        let Some(allocation) = self.allocations.get_mut(id) else { return };
        let relay = match half {
            Some(Family::Ipv4) if allocation.relay_ipv6.is_some() => allocation.relay_ipv4.take(),
            Some(Family::Ipv6) if allocation.relay_ipv4.is_some() => allocation.relay_ipv6.take(),
            Some(_) | None => return self.remove(id, shell),
        };
        if let Some(relay) = relay {
            self.close(relay, shell);
        }
    }
}
