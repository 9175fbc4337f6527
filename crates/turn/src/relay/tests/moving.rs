//! Refresh, and moving to another transport address.

use super::*;

const TICKET: u16 = attribute::MOBILITY_TICKET;

impl World {
    fn allocate_mobile(&mut self, client: Client) -> (Answer, Vec<u8>) {
        let request = self.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).with(TICKET, &[]);
        let answer = self.ask_as("alice", client, request);
        let ticket = answer.value(TICKET).to_vec();
        (answer, ticket)
    }

    fn refresh_with(&mut self, user: &str, client: Client, kind: u16, value: &[u8]) -> Answer {
        let request = self.request(REFRESH).with(kind, value);
        self.ask_as(user, client, request)
    }
}

#[test]
fn a_refresh_prolongs_and_one_of_zero_ends() {
    let mut world = World::new();
    world.allocate("alice", alice());
    world.pass(500);
    let answer = world.refresh("alice", alice(), 1800);
    assert_eq!(answer.kinds(), [attribute::LIFETIME, attribute::MESSAGE_INTEGRITY]);
    assert_eq!(answer.number(attribute::LIFETIME), 1800);
    world.pass(1799);
    assert_eq!(world.relay.gauges().allocations, 1);
    assert_eq!(world.refresh("alice", alice(), 0).number(attribute::LIFETIME), 0);
    world.assert_nothing_is_kept();
}

#[test]
fn a_refresh_without_allocation_is_437() {
    let mut world = World::new();
    for lifetime_s in [0, 600] {
        assert_eq!(world.refresh("alice", alice(), lifetime_s).code(), 437);
    }
    assert_eq!(world.permit("alice", alice(), &[PEER]), 437);
    assert_eq!(world.bind("alice", alice(), 0x4000, PEER), 437);
}

#[test]
fn an_allocation_is_never_taken_back_sooner_than_promised() {
    let mut world = World::new();
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    world.ask_as("alice", alice(), request.with(attribute::LIFETIME, &3600u32.to_be_bytes()));
    assert_eq!(world.refresh("alice", alice(), 600).number(attribute::LIFETIME), 3600);
    world.pass(3599);
    assert_eq!(world.relay.gauges().allocations, 1);
    world.pass(1);
    world.assert_nothing_is_kept();
}

#[test]
fn a_refresh_for_a_family_that_it_lacks_is_443() {
    let mut world = World::new();
    world.allocate("alice", alice());
    let family = attribute::REQUESTED_ADDRESS_FAMILY;
    assert_eq!(world.refresh_with("alice", alice(), family, &IPV6).code(), 443);
    assert_eq!(world.refresh_with("alice", alice(), family, &IPV4).code(), 0);
}

#[test]
fn one_half_of_a_dual_allocation_can_end_alone() {
    let mut world = World::new();
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP);
    world.ask_as("alice", alice(), request.with(attribute::ADDITIONAL_ADDRESS_FAMILY, &IPV6));
    let end = |world: &mut World, family: &[u8]| {
        let request = world.request(REFRESH).with(attribute::LIFETIME, &[0; 4]);
        world.ask_as("alice", alice(), request.with(attribute::REQUESTED_ADDRESS_FAMILY, family)).code()
    };
    assert_eq!(end(&mut world, &IPV4), 0);
    assert_eq!(world.relay.gauges(), Gauges { allocations: 1, relay_addresses: 1, users: 1 });
    assert_eq!(end(&mut world, &IPV4), 443);
    assert_eq!(end(&mut world, &IPV6), 0);
    world.assert_nothing_is_kept();
}

#[test]
fn a_ticket_moves_an_allocation_and_every_refresh_brings_a_new_one() {
    let mut world = World::new();
    let (answer, ticket) = world.allocate_mobile(alice());
    let relay = world.socket(answer.relayed());
    assert_eq!(world.bind("alice", alice(), 0x4001, PEER), 0);
    let moved = udp("[2a00::1]:9000");
    let answer = world.refresh_with("alice", moved, TICKET, &ticket);
    assert_eq!(answer.code(), 0);
    let next = answer.value(TICKET).to_vec();
    assert_ne!(next, ticket);
    // Its channels came along.
    let (forward, bytes) = world.receive_from_peer(relay, PEER, b"hello");
    assert_eq!((forward, bytes), (Forward::ToClient(moved), channel_data(0x4001, b"hello")));
    let (forward, _) = world.receive(alice(), &channel_data(0x4001, b"late"));
    assert_eq!(forward, Forward::Nowhere, "the former address is nobody's");
    // The old ticket is good once more, as the reply may have been lost; then it is spent.
    let third = udp("7.7.7.7:1");
    assert_eq!(world.refresh_with("alice", third, TICKET, &ticket).code(), 0);
    assert_eq!(world.refresh_with("alice", udp("7.7.7.7:2"), TICKET, &ticket).code(), 437);
    assert_eq!(world.relay.gauges(), Gauges { allocations: 1, relay_addresses: 1, users: 1 });
    assert_eq!(world.refresh("alice", third, 0).code(), 0);
    world.assert_nothing_is_kept();
}

#[test]
fn a_ticket_serves_its_owner_only() {
    let mut world = World::new();
    let (_, ticket) = world.allocate_mobile(alice());
    let thief = udp("6.6.6.6:6");
    assert_eq!(world.refresh_with("mallory", thief, TICKET, &ticket).code(), 441);
    assert_eq!(world.refresh_with("alice", thief, TICKET, &[9; 16]).code(), 437);
    assert_eq!(world.refresh_with("alice", thief, TICKET, &[]).code(), 437);
    assert_eq!(world.refresh("alice", alice(), 600).code(), 0);
}

#[test]
fn who_did_not_ask_for_mobility_has_none() {
    let mut world = World::new();
    let answer = world.allocate("alice", alice());
    assert!(answer.values(TICKET).is_empty());
    assert_eq!(world.refresh_with("alice", alice(), TICKET, &[1; 16]).code(), 405);
}

#[test]
fn a_mobile_allocation_outlives_its_connection_until_it_moves_or_expires() {
    let mut world = World::new();
    let client = stream(1, "8.8.8.8:1");
    let (_, ticket) = world.allocate_mobile(client);
    world.relay.handle_stream_closed(client, &mut world.shell);
    assert_eq!(world.relay.gauges().allocations, 1);
    assert_eq!(world.refresh_with("alice", stream(2, "8.8.8.8:2"), TICKET, &ticket).code(), 0);
    world.pass(601);
    world.assert_nothing_is_kept();
}
