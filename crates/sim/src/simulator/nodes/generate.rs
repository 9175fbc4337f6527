//! A script of several nodes from a seed. As with one server, sizes, settings, casts and rates of faults differ from seed
//! to seed, zero included.

use crate::Prng;
use crate::simulator::draw::{Rates, one_of};
use crate::simulator::script::{Action, Micros, Persona, Script, Step, Town, Who, Wish};
use std::collections::BTreeMap;
use visavis_protocol::{Kind, Pin};

struct Size {
    visitors: u32,
    nodes: u32,
    steps: u64,
    lasts: Micros,
}

#[derive(Clone, Copy)]
enum Sort {
    Search,
    Wish,
    Next,
    Stop,
    Block,
    BlockLast,
    Write,
    Chatter,
    Typing,
    Offer,
    Connected,
    Leave,
    Drop,
    Vanish,
    Freeze,
    Move,
    Kill,
    Pause,
    Drain,
    Clock,
    CutOff,
    Deafen,
    LoseReply,
    LoseFrames,
    Slow,
    Outage,
    Empty,
    Stall,
    Failover,
    RedisClock,
    Drift,
    MovesOfAll,
}

pub(crate) fn generate(seed: u64) -> Script {
    let mut chance = Prng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0d0e);
    let size = size(&mut chance);
    let settings = settings(&mut chance);
    let longest = one_of(&mut chance, &[1_000, 20_000, 80_000, 300_000]);
    let redis_longest = one_of(&mut chance, &[700, 5_000, 40_000, 140_000, 260_000]);
    let hello = one_of(&mut chance, &[100, 100, 80, 30]);
    let cast: BTreeMap<u32, Persona> =
        (0..size.visitors).map(|id| (id, persona(&mut chance, hello))).collect();
    let rates = rates(&mut chance);
    let mut steps: Vec<Step> = Vec::new();
    for id in 0..size.visitors {
        let at = chance.below(size.lasts / 4);
        steps.push(Step { at, who: Who::Visitor(id), action: Action::Find {} });
    }
    for node in 0..size.nodes {
        let ms = chance.below(4_000) as i64 - 2_000;
        steps.push(Step { at: 0, who: Who::Node(node), action: Action::Clock { ms } });
    }
    while (steps.len() as u64) < size.steps {
        let at = chance.below(size.lasts);
        let sort = rates.draw(&mut chance);
        add(&mut chance, sort, at, &size, &mut steps);
    }
    steps.sort_by_key(|step| step.at);
    let town = Town { nodes: size.nodes, redis_us: (300, redis_longest) };
    Script {
        seed,
        settings,
        delay_us: (500, longest),
        town: Some(town),
        cast,
        steps,
        calm_at: size.lasts + 3_000_000,
    }
}

fn size(chance: &mut Prng) -> Size {
    let (visitors, steps_each) = match chance.below(100) {
        0..55 => (2 + chance.below(3), 14),
        55..90 => (4 + chance.below(8), 10),
        _ => (12 + chance.below(28), 6),
    };
    let lasts = one_of(chance, &[8, 15, 30]) * 1_000_000;
    let nodes = one_of(chance, &[2, 2, 3, 3, 4]);
    Size { visitors: visitors as u32, nodes, steps: visitors * steps_each + 6, lasts }
}

fn settings(chance: &mut Prng) -> BTreeMap<String, u64> {
    let choices: &[(&str, &[u64])] = &[
        ("grace_ms", &[500, 3_000, 10_000]),
        ("half_pair_grace_ms", &[1_000, 6_000, 30_000]),
        ("recent_pause_ms", &[0, 3_000, 9_000]),
        ("recent_partners", &[0, 5]),
        ("relax_interests_ms", &[300, 1_500, 4_000]),
        ("relax_language_ms", &[600, 3_000, 6_000]),
        ("offer_ttl_ms", &[400, 3_000, 60_000]),
        ("sign_of_life_ms", &[2_000, 10_000]),
        ("replay_messages", &[3, 64]),
        ("overflow_after_ms", &[0, 50, 300, 1_500]),
    ];
    let mut settings = BTreeMap::new();
    for (name, values) in choices {
        if chance.below(3) == 0 {
            settings.insert((*name).to_owned(), one_of(chance, values));
        }
    }
    settings
}

fn persona(chance: &mut Prng, hello: u64) -> Persona {
    let hello = chance.below(100) < hello;
    let wish = wish(chance);
    let counts = hello && chance.below(8) > 0;
    let trusting = chance.below(2) == 0;
    Persona {
        wish,
        hello,
        answers: counts && trusting,
        device: false,
        counts,
        trusting,
        handshake: chance.below(4) > 0,
        back_ms: one_of(chance, &[0, 50, 400, 400, 1_500, 5_000]),
        host: 0,
    }
}

/// Few wishes: people of several nodes have to meet, and meet again.
fn wish(chance: &mut Prng) -> Wish {
    let mut some = |words: &[&str]| match chance.below(4) {
        0 => vec![words[chance.below(words.len() as u64) as usize].to_owned()],
        _ => Vec::new(),
    };
    let interests = some(&["chess", "jazz"]);
    let languages = some(&["de", "en", "en-GB"]);
    let pins: &[&[Pin]] = &[&[], &[], &[], &[], &[Pin::Interests], &[Pin::Language]];
    let pin = pins.get(chance.below(pins.len() as u64) as usize).map_or_else(Vec::new, |pins| pins.to_vec());
    Wish {
        kind: one_of(chance, &[Kind::Video, Kind::Video, Kind::Video, Kind::Video, Kind::Text]),
        interests,
        languages,
        pin,
        pool: (chance.below(16) == 0).then(|| "adults".to_owned()),
        requeue: chance.below(4) > 0,
        offers: chance.below(2) == 0,
    }
}

fn rates(chance: &mut Prng) -> Rates<Sort> {
    let always = [
        (Sort::Search, 10),
        (Sort::Next, 30),
        (Sort::Stop, 4),
        (Sort::Write, 15),
        (Sort::Typing, 2),
        (Sort::Connected, 3),
    ];
    let sometimes = [
        (Sort::Wish, 4),
        (Sort::Block, 6),
        (Sort::BlockLast, 3),
        (Sort::Chatter, 2),
        (Sort::Offer, 6),
        (Sort::Leave, 5),
        (Sort::Drop, 15),
        (Sort::Vanish, 15),
        (Sort::Freeze, 4),
        (Sort::Move, 20),
        (Sort::MovesOfAll, 2),
        (Sort::Kill, 5),
        (Sort::Pause, 5),
        (Sort::Drain, 3),
        (Sort::Clock, 1),
        (Sort::CutOff, 6),
        (Sort::Deafen, 3),
        (Sort::LoseReply, 8),
        (Sort::LoseFrames, 8),
        (Sort::Slow, 5),
        (Sort::Outage, 3),
        (Sort::Empty, 3),
        (Sort::Stall, 4),
        (Sort::Failover, 3),
        (Sort::RedisClock, 2),
        (Sort::Drift, 2),
    ];
    let mut all: Vec<(u64, Sort)> = always.iter().map(|(sort, rate)| (rate * 10, *sort)).collect();
    for (sort, rate) in sometimes {
        all.push((rate * one_of(chance, &[0, 0, 0, 3, 10, 25]), sort));
    }
    Rates(all)
}

fn add(chance: &mut Prng, sort: Sort, at: Micros, size: &Size, steps: &mut Vec<Step>) {
    let visitor = Who::Visitor(chance.below(u64::from(size.visitors)) as u32);
    let node = Who::Node(chance.below(u64::from(size.nodes)) as u32);
    let mut about = |choices: &[u64]| {
        let mean = one_of(chance, choices);
        (mean / 2 + chance.below(mean + 1)) as i64
    };
    let (who, action) = match sort {
        Sort::Search => (visitor, Action::Find {}),
        Sort::Wish => (visitor, Action::Wish(wish(chance))),
        Sort::Next => (visitor, Action::Next {}),
        Sort::Stop => (visitor, Action::Stop {}),
        Sort::Block => (visitor, Action::Block {}),
        Sort::BlockLast => (visitor, Action::BlockLast {}),
        Sort::Write => (visitor, Action::Write { messages: 1 }),
        Sort::Chatter => (visitor, Action::Write { messages: about(&[5, 40]) }),
        Sort::Typing => (visitor, Action::Typing {}),
        Sort::Offer => (visitor, Action::Offer {}),
        Sort::Connected => (visitor, Action::Connected {}),
        Sort::Leave => (visitor, Action::Leave {}),
        Sort::Drop => {
            let (client_ms, server_ms) = (about(&[0, 200, 2_000]), about(&[0, 200, 2_000]));
            (visitor, Action::Drop { client_ms, server_ms })
        }
        Sort::Vanish => (visitor, Action::Vanish { client_ms: about(&[100, 1_000, 10_000]) }),
        Sort::Freeze => (visitor, Action::Freeze { ms: about(&[300, 5_000]) }),
        Sort::Move => (visitor, Action::Move {}),
        Sort::Kill => (node, Action::Restart { down_ms: about(&[50, 1_000, 6_000]), new_secret: 0 }),
        Sort::Pause => (node, Action::Hang { ms: about(&[150, 1_000, 4_000, 15_000]) }),
        Sort::Drain => {
            (node, Action::Drain { spread_ms: about(&[100, 2_000]), down_ms: about(&[100, 2_000]) })
        }
        Sort::Clock => (node, Action::Clock { ms: about(&[1_000, 8_000]) - 4_000 }),
        Sort::CutOff => (node, Action::CutOff { ms: about(&[100, 700, 3_000, 9_000]) }),
        Sort::Deafen => (node, Action::Deafen {}),
        Sort::LoseReply => (node, Action::LoseReply { sort: one_of(chance, &[0, 1, 1]) }),
        Sort::LoseFrames => (node, Action::LoseFrames { frames: about(&[1, 1, 4]) }),
        Sort::Slow => (node, Action::Slow { more_ms: about(&[50, 150, 300]), ms: about(&[500, 4_000]) }),
        Sort::Outage => (Who::Redis, Action::Outage { ms: about(&[100, 1_000, 8_000]), empty: 0 }),
        Sort::Empty => (Who::Redis, Action::Outage { ms: about(&[100, 1_000, 8_000]), empty: 1 }),
        Sort::Stall => (Who::Redis, Action::Stall { ms: about(&[100, 800, 3_000]) }),
        Sort::Failover => {
            (Who::Redis, Action::Failover { lost_ms: about(&[50, 500, 3_000]), ms: about(&[50, 1_500]) })
        }
        Sort::RedisClock => (Who::Redis, Action::RedisClock { ms: about(&[1_000, 8_000, 60_000]) - 4_000 }),
        Sort::Drift => (Who::Redis, Action::Drift { ppm: about(&[20_000]) - 20_000 }),
        Sort::MovesOfAll => {
            for id in 0..size.visitors {
                steps.push(Step { at, who: Who::Visitor(id), action: Action::Move {} });
            }
            return;
        }
    };
    steps.push(Step { at, who, action });
}
