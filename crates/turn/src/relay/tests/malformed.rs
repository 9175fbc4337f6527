//! Whatever arrives: no panic, no answer longer than its bound, and the maps stay in step.

use super::*;

/// xorshift64*: the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

#[test]
fn sound_messages_with_damage_never_panic_and_keep_the_maps_in_step() {
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for round in 0..40u64 {
        let mut world = World::with(|config| config.relay_ports = 50_000..=50_007);
        for step in 0..200 {
            let client = match dice.below(4) {
                0 => alice(),
                1 => udp("[2a00::1]:99"),
                2 => stream(round, "8.8.8.8:1"),
                _ => udp("8.8.8.8:4001"),
            };
            let user = ["alice", "bob"][dice.below(2)];
            let nonce = world.nonce(client);
            let method =
                [BINDING, ALLOCATE, REFRESH, SEND, CREATE_PERMISSION, CHANNEL_BIND, 0x7ff][dice.below(7)];
            let mut request = world.request(method);
            for _ in 0..dice.below(6) {
                request = match dice.below(9) {
                    0 => request.with(attribute::REQUESTED_TRANSPORT, &UDP),
                    1 => request.with(attribute::ADDITIONAL_ADDRESS_FAMILY, &IPV6),
                    2 => request.with(attribute::EVEN_PORT, &[0x80]),
                    3 => request.with(attribute::LIFETIME, &[0, 0, 0, dice.below(2) as u8]),
                    4 => request.with(attribute::MOBILITY_TICKET, &[]),
                    5 => request.peer(["9.9.9.9:7000", "[2a00::9]:1", "5.5.5.5:50001"][dice.below(3)]),
                    6 => request.with(attribute::CHANNEL_NUMBER, &[0x40, dice.below(3) as u8, 0, 0]),
                    7 => request.with(attribute::DATA, &[1; 9]),
                    _ => request.with(dice.below(0x10000) as u16, &vec![0; dice.below(40)]),
                };
            }
            let mut bytes = request.signed(&credential(user), REALM, &nonce);
            for _ in 0..dice.below(3) {
                let at = dice.below(bytes.len());
                match dice.below(3) {
                    0 => bytes[at] = dice.below(256) as u8,
                    1 => bytes.truncate(at),
                    _ => bytes.push(dice.below(256) as u8),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            let (_, _) = world.receive(client, &bytes);
            let open: Vec<RelayId> = world.shell.open.keys().copied().collect();
            if !open.is_empty() {
                let (_, _) = world.receive_from_peer(open[dice.below(open.len())], "9.9.9.9:7000", &[5; 50]);
            }
            if dice.below(20) == 0 {
                world.pass(dice.below(700) as u64);
            }
            if step % 50 == 49 && dice.below(2) == 0 {
                world.relay.handle_stream_closed(stream(round, "8.8.8.8:1"), &mut world.shell);
            }
            assert_in_step(&world);
        }
        world.pass(3601);
        world.pass(3601);
        world.assert_nothing_is_kept();
    }
}

fn assert_in_step(world: &World) {
    let relay = &world.relay;
    assert_eq!(relay.addresses.len(), world.shell.open.len());
    assert_eq!(relay.addresses.len(), relay.ports.len());
    assert_eq!(relay.holders.held_by_users(), relay.allocations.len() + relay.reservations.len());
    assert_eq!(relay.clients.len(), relay.allocations.len());
    for (id, allocation) in &relay.allocations {
        assert_eq!(relay.clients.get(&allocation.client), Some(&id));
        assert!(allocation.relays().count() > 0);
        assert!(allocation.channels.is_in_step(world.now));
        for address in allocation.relays() {
            assert!(relay.addresses.contains_key(address));
        }
    }
}

#[test]
fn noise_never_panics() {
    let mut dice = Dice(99);
    let mut world = World::new();
    world.allocate("alice", alice());
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.below(256) as u8).collect();
        if bytes.len() >= 8 && dice.below(2) == 0 {
            bytes[0] &= 0x3f;
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
            let length = (bytes.len() as u16).saturating_sub(20).to_be_bytes();
            bytes[2..4].copy_from_slice(&length);
        }
        let (_, _) = world.receive(alice(), &bytes);
        let _ = crate::next_frame(&bytes);
    }
    assert_eq!(world.relay.gauges().allocations, 1);
}
