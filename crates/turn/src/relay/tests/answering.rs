//! What anybody gets, without credentials.

use super::*;

#[test]
fn a_binding_request_tells_its_own_address_and_nothing_else() {
    let mut world = World::new();
    for client in [alice(), udp("[2a00::1]:99"), stream(4, "8.8.4.4:5")] {
        let request = world.request(BINDING).unsigned();
        let answer = world.ask(client, &request);
        assert_eq!(answer.code(), 0);
        assert_eq!(answer.kinds(), [attribute::XOR_MAPPED_ADDRESS]);
        assert_eq!(answer.addresses(attribute::XOR_MAPPED_ADDRESS), [client.address]);
    }
    assert_eq!(world.relay.counters().bindings, 3);
}

#[test]
fn an_attribute_that_must_be_understood_and_is_not_is_420_and_named() {
    let mut world = World::new();
    let request =
        world.request(BINDING).with(0x0003, &[0; 4]).with(0x8003, &[1]).with(0x0024, &[0; 4]).unsigned();
    let answer = world.ask(alice(), &request);
    assert_eq!(answer.code(), 420);
    assert_eq!(answer.value(attribute::UNKNOWN_ATTRIBUTES), [0x00, 0x03, 0x00, 0x24]);

    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).with(0x0003, &[0; 4]);
    let answer = world.ask_as("alice", alice(), request);
    assert_eq!(answer.code(), 420);
    assert_eq!(answer.value(attribute::UNKNOWN_ATTRIBUTES), [0x00, 0x03]);
    assert_eq!(world.relay.gauges(), Gauges::default());
}

#[test]
fn a_fingerprint_is_answered_by_one_and_a_wrong_one_by_nothing() {
    let mut world = World::new();
    // RFC 5769, section 2.1, without its attributes that are not for us: our own sum must agree with the standard's,
    // as `stun::fingerprint` tests; here a bit less makes it another message.
    let bare = world.request(BINDING);
    let covered = {
        let mut bytes = bare.header(8);
        bytes.extend(&bare.attributes);
        bytes
    };
    let sum = crc(&covered) ^ 0x5354_554e;
    let request = bare.with(attribute::FINGERPRINT, &sum.to_be_bytes()).unsigned();
    let answer = world.ask(alice(), &request);
    assert_eq!(answer.kinds(), [attribute::XOR_MAPPED_ADDRESS, attribute::FINGERPRINT]);
    let (covered, _) = answer.bytes.split_at(answer.bytes.len() - 8);
    assert_eq!(answer.number(attribute::FINGERPRINT), crc(covered) ^ 0x5354_554e);

    let mut damaged = request.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(world.receive(alice(), &damaged).0, Forward::Nowhere);
}

/// CRC-32 bit by bit, as in the textbook.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn packets_of_the_old_standard_and_of_no_standard_are_ignored() {
    let mut world = World::new();
    let sound = world.request(BINDING).unsigned();
    let mut without_cookie = sound.clone();
    without_cookie[4] = 0;
    let mut too_long = sound.clone();
    too_long[3] = 4;
    let mut odd = sound.clone();
    odd.push(0);
    let unknown_method = world.request(0x00b).unsigned();
    let response = world.request(0x101).unsigned();
    let indication = world.request(0x011).unsigned();
    for ignored in
        [without_cookie, too_long, odd, unknown_method, response, indication, vec![], b"GET /".to_vec()]
    {
        assert_eq!(world.receive(alice(), &ignored).0, Forward::Nowhere, "{ignored:?}");
    }
}

#[test]
fn strangers_get_at_most_twice_what_they_send_for_a_binding_and_2_7_times_for_a_challenge() {
    let mut world = World::new();
    let binding = world.request(BINDING).unsigned();
    let answer = world.ask(alice(), &binding);
    assert!(answer.bytes.len() * 10 <= binding.len() * 20);
    let allocate = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).unsigned();
    for client in [alice(), udp("[2a00::1]:99")] {
        let answer = world.ask(client, &allocate);
        assert_eq!(answer.code(), 401);
        assert!(
            answer.bytes.len() * 10 <= allocate.len() * 27,
            "{} for {}",
            answer.bytes.len(),
            allocate.len()
        );
    }
    // Too short to be of any use: a challenge would be 3.2 times as long.
    for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
        let bare = world.request(method).unsigned();
        let answer = world.ask(alice(), &bare);
        assert_eq!(answer.code(), 400);
        assert!(answer.bytes.len() * 10 <= bare.len() * 27);
    }
}

#[test]
fn a_source_that_asks_too_often_gets_silence_and_others_their_answers() {
    let mut world = World::with(|config| config.bounds.stranger_replies_per_s = 10);
    let mut answered = 0;
    for port in 1..1000 {
        let request = world.request(BINDING).unsigned();
        let (forward, _) = world.receive(udp(&format!("8.8.8.8:{port}")), &request);
        answered += usize::from(forward != Forward::Nowhere);
    }
    assert_eq!(answered, 50);
    assert_eq!(world.relay.counters().dropped[&Drop::Throttled], 949);
    let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).unsigned();
    assert_eq!(world.receive(alice(), &request).0, Forward::Nowhere);
    assert_eq!(world.ask(udp("8.8.8.9:1"), &request).code(), 401);
}

#[test]
fn twenty_thousand_strangers_leave_nothing_behind() {
    let mut world = World::new();
    for source in 0..20_000u32 {
        let client =
            Client { via: Via::Udp(0), address: SocketAddr::new(IpAddr::from(source.to_be_bytes()), 1) };
        let request = world.request(ALLOCATE).with(attribute::REQUESTED_TRANSPORT, &UDP).unsigned();
        assert_eq!(world.ask(client, &request).code(), 401);
    }
    world.assert_nothing_is_kept();
    assert_eq!(world.relay.clients.capacity(), 0);
    assert_eq!(world.relay.poll_timeout(), None);
}

#[test]
fn a_connection_that_never_allocates_is_closed() {
    let mut world = World::new();
    let (idle, busy) = (stream(1, "8.8.8.8:1"), stream(2, "8.8.8.8:2"));
    for client in [idle, busy] {
        world.relay.handle_stream_opened(world.now, client);
    }
    world.allocate("alice", busy);
    world.pass(31);
    assert_eq!(world.shell.closed_streams, [1]);
    world.pass(700);
    world.pass(31);
    assert_eq!(world.shell.closed_streams, [1, 2]);
}
