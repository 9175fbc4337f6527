//! A script from a seed. Sizes, settings, casts and rates of faults differ from seed to seed, zero included: what never
//! happens in one run happens all the time in another (swarm testing; Groce and others 2012).

use super::draw::{Rates, one_of};
use super::script::{Action, Micros, Persona, Script, Step, Who, Wish};
use crate::Prng;
use std::collections::BTreeMap;
use visavis_protocol::{Kind, Pin};

/// How large a run is.
struct Size {
    visitors: u32,
    steps: u64,
    lasts: Micros,
}

#[derive(Clone, Copy)]
enum Sort {
    Search,
    Wish,
    Next,
    NextBlind,
    Stop,
    Block,
    BlockLast,
    Unblock,
    Write,
    Chatter,
    Typing,
    Ping,
    Offer,
    Connected,
    Leave,
    Drop,
    Vanish,
    Freeze,
    Deaf,
    Ids,
    Tokens,
    Flood,
    Malformed,
    Disorder,
    Restart,
    Drain,
    ClockStep,
    ClockJump,
    Hang,
    StormOfDrops,
    StormOfNexts,
}

const INTERESTS: [&str; 6] = ["chess", "jazz", "tea", "theremin", "go", "rain"];
const LANGUAGES: [&str; 6] = ["de", "en", "en-GB", "fr", "de-AT", "pt-BR"];

/// The script of a seed.
pub(crate) fn generate(seed: u64) -> Script {
    let mut chance = Prng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5151);
    let size = size(&mut chance);
    let settings = settings(&mut chance);
    let longest = one_of(&mut chance, &[1_000, 20_000, 80_000, 400_000]);
    let hello = chance.below(101);
    // In a large world with many wishes a long line builds up.
    let few_wishes = size.visitors < 1_000 && chance.below(3) == 0;
    let cast: BTreeMap<u32, Persona> =
        (0..size.visitors).map(|id| (id, persona(&mut chance, hello, few_wishes))).collect();
    let rates = rates(&mut chance, &size);
    let mut steps: Vec<Step> = Vec::new();
    for id in 0..size.visitors {
        let at = chance.below(size.lasts / 4);
        steps.push(Step { at, who: Who::Visitor(id), action: Action::Find {} });
    }
    while (steps.len() as u64) < size.steps {
        let at = chance.below(size.lasts);
        let sort = rates.draw(&mut chance);
        add(&mut chance, sort, at, &size, few_wishes, &mut steps);
    }
    steps.sort_by_key(|step| step.at);
    Script {
        seed,
        settings,
        delay_us: (500, longest),
        cast,
        town: None,
        steps,
        calm_at: size.lasts + 12_000_000,
    }
}

fn size(chance: &mut Prng) -> Size {
    let roll = chance.below(1_000);
    let (visitors, steps_each) = match roll {
        0..500 => (2 + chance.below(5), 30),
        500..900 => (6 + chance.below(30), 12),
        900..995 => (40 + chance.below(160), 6),
        _ => (1_000 + chance.below(2_000), 2),
    };
    let lasts = one_of(chance, &[15, 40, 120]) * 1_000_000;
    Size { visitors: visitors as u32, steps: visitors * steps_each, lasts }
}

fn settings(chance: &mut Prng) -> BTreeMap<String, u64> {
    let choices: &[(&str, &[u64])] = &[
        ("grace_ms", &[500, 3_000, 10_000]),
        ("half_pair_grace_ms", &[1_000, 6_000, 30_000]),
        ("recent_pause_ms", &[0, 3_000, 9_000]),
        ("recent_partners", &[0, 1, 5]),
        ("relax_interests_ms", &[300, 1_500, 8_000]),
        ("relax_language_ms", &[600, 3_000, 12_000]),
        ("max_overtakes", &[0, 1, 2, 8]),
        ("offer_ttl_ms", &[400, 3_000, 60_000]),
        ("sign_of_life_ms", &[2_000, 10_000]),
        ("age_credit_ms", &[0, 900, 5_000]),
        ("token_ttl_ms", &[4_000, 86_400_000]),
        ("replay_messages", &[3, 8, 64]),
        ("admission_rate", &[4, 40, 1_000]),
        ("next_burst", &[1, 3, 10]),
        ("text_burst", &[2, 30]),
        ("message_burst", &[15, 200]),
        ("max_refusals", &[3, 200]),
    ];
    let mut settings = BTreeMap::new();
    for (name, values) in choices {
        if chance.below(3) == 0 {
            settings.insert((*name).to_owned(), one_of(chance, values));
        }
    }
    settings
}

fn persona(chance: &mut Prng, hello: u64, few_wishes: bool) -> Persona {
    let hello = chance.below(100) < hello;
    Persona {
        wish: wish(chance, few_wishes),
        hello,
        answers: hello && chance.below(2) == 0,
        device: hello && chance.below(2) == 0,
        counts: hello && chance.below(4) > 0,
        trusting: chance.below(2) == 0,
        handshake: chance.below(4) > 0,
        back_ms: one_of(chance, &[0, 50, 400, 400, 1_500, 6_000]),
        host: match chance.below(4) {
            0 => 0,
            1 => 1,
            _ => 2 + chance.below(1_000),
        },
    }
}

fn wish(chance: &mut Prng, few_wishes: bool) -> Wish {
    let mut some = |words: &[&str], at_most: u64| -> Vec<String> {
        if few_wishes {
            return Vec::new();
        }
        let wanted = chance.below(at_most + 1);
        let mut chosen: Vec<String> = Vec::new();
        for _ in 0..wanted {
            // The first words are the popular ones.
            let place = chance.below(words.len() as u64).min(chance.below(words.len() as u64));
            if let Some(word) =
                words.get(place as usize).filter(|word| !chosen.iter().any(|known| known == *word))
            {
                chosen.push((*word).to_owned());
            }
        }
        chosen
    };
    let interests = some(&INTERESTS, 3);
    let languages = some(&LANGUAGES, 2);
    let pins: &[&[Pin]] =
        &[&[], &[], &[], &[Pin::Interests], &[Pin::Language], &[Pin::Interests, Pin::Language]];
    Wish {
        kind: one_of(chance, &[Kind::Video, Kind::Video, Kind::Video, Kind::Audio, Kind::Text]),
        interests,
        languages,
        pin: pins.get(chance.below(pins.len() as u64) as usize).map_or_else(Vec::new, |pins| pins.to_vec()),
        pool: (chance.below(8) == 0).then(|| "adults".to_owned()),
        requeue: chance.below(3) > 0,
        offers: chance.below(2) == 0,
    }
}

fn rates(chance: &mut Prng, size: &Size) -> Rates<Sort> {
    let always = [
        (Sort::Search, 20),
        (Sort::Next, 30),
        (Sort::NextBlind, 3),
        (Sort::Stop, 5),
        (Sort::Write, 15),
        (Sort::Typing, 3),
        (Sort::Ping, 3),
        (Sort::Connected, 3),
    ];
    let sometimes = [
        (Sort::Wish, 8),
        (Sort::Block, 8),
        (Sort::BlockLast, 3),
        (Sort::Unblock, 3),
        (Sort::Chatter, 4),
        (Sort::Offer, 6),
        (Sort::Leave, 8),
        (Sort::Drop, 25),
        (Sort::Vanish, 12),
        (Sort::Freeze, 10),
        (Sort::Deaf, 5),
        (Sort::Ids, 10),
        (Sort::Tokens, 15),
        (Sort::Flood, 2),
        (Sort::Malformed, 4),
        (Sort::Disorder, 6),
    ];
    // Of these a few are plenty, however large the world.
    let rare = [
        (Sort::Restart, 3),
        (Sort::Drain, 1),
        (Sort::ClockStep, 2),
        (Sort::ClockJump, 2),
        (Sort::Hang, 2),
        (Sort::StormOfDrops, 1),
        (Sort::StormOfNexts, 1),
    ];
    let unit = 100;
    let mut all: Vec<(u64, Sort)> = always.iter().map(|(sort, rate)| (rate * unit, *sort)).collect();
    for (sort, rate) in sometimes {
        let share = one_of(chance, &[0, 0, 1, 1, 4]);
        all.push((rate * share * unit, sort));
    }
    for (sort, rate) in rare {
        let share = one_of(chance, &[0, 0, 1, 3]);
        all.push(((rate * share * unit * 100 / size.steps.max(100)).max(share), sort));
    }
    Rates(all)
}

fn add(chance: &mut Prng, sort: Sort, at: Micros, size: &Size, few_wishes: bool, steps: &mut Vec<Step>) {
    let who = chance.below(u64::from(size.visitors)) as u32;
    let other = chance.below(u64::from(size.visitors)) as i64;
    let some_ms = |chance: &mut Prng, choices: &[u64]| {
        let mean = one_of(chance, choices);
        (mean / 2 + chance.below(mean + 1)) as i64
    };
    let action = match sort {
        Sort::Search => Action::Find {},
        Sort::Wish => Action::Wish(wish(chance, few_wishes)),
        Sort::Next => Action::Next {},
        Sort::NextBlind => Action::NextBlind {},
        Sort::Stop => Action::Stop {},
        Sort::Block => Action::Block {},
        Sort::BlockLast => Action::BlockLast {},
        Sort::Unblock => Action::Unblock {},
        Sort::Write => Action::Write { messages: 1 },
        Sort::Chatter => Action::Write { messages: 5 + chance.below(60) as i64 },
        Sort::Typing => Action::Typing {},
        Sort::Ping => Action::Ping {},
        Sort::Offer => Action::Offer {},
        Sort::Connected => Action::Connected {},
        Sort::Leave => Action::Leave {},
        Sort::Drop => Action::Drop {
            client_ms: some_ms(chance, &[0, 200, 2_000]),
            server_ms: some_ms(chance, &[0, 200, 2_000]),
        },
        Sort::Vanish => Action::Vanish { client_ms: some_ms(chance, &[200, 3_000, 15_000, 70_000]) },
        Sort::Freeze => Action::Freeze { ms: some_ms(chance, &[300, 5_000, 25_000]) },
        Sort::Deaf => Action::Deaf { ms: some_ms(chance, &[300, 5_000, 25_000]) },
        Sort::Ids => match chance.below(3) {
            0 => Action::ForgeId {},
            1 => Action::StealId { from: other },
            _ => Action::LateSignal {},
        },
        Sort::Tokens => match chance.below(6) {
            0 => Action::ForgeToken { kind: chance.below(3) as i64 },
            1 | 2 => Action::OldToken { back: chance.below(5) as i64 },
            3 => Action::StealToken { from: other },
            _ => Action::TwinToken {},
        },
        Sort::Flood => Action::Flood { messages: 100 + chance.below(500) as i64 },
        Sort::Malformed => Action::Malformed { kind: chance.below(6) as i64 },
        Sort::Disorder => Action::Disorder { kind: chance.below(7) as i64 },
        Sort::Restart
        | Sort::Drain
        | Sort::ClockStep
        | Sort::ClockJump
        | Sort::Hang
        | Sort::StormOfDrops
        | Sort::StormOfNexts => return add_for_all(chance, sort, at, size, steps),
    };
    steps.push(Step { at, who: Who::Visitor(who), action });
}

/// What happens to the server, or to everybody at once.
fn add_for_all(chance: &mut Prng, sort: Sort, at: Micros, size: &Size, steps: &mut Vec<Step>) {
    let action = match sort {
        Sort::Restart => Action::Restart {
            down_ms: one_of(chance, &[0, 300, 2_000, 8_000]),
            new_secret: chance.below(2) as i64,
        },
        Sort::Drain => {
            Action::Drain { spread_ms: one_of(chance, &[100, 2_000]), down_ms: one_of(chance, &[100, 1_000]) }
        }
        Sort::ClockStep => Action::Clock { ms: -(chance.below(8_000) as i64) },
        // ASSUMES: no longer ones. Of deadlines that fall due in one moment by a longer leap, a silence and a match's, the
        // observer does not foresee which comes first.
        Sort::ClockJump => Action::Clock { ms: one_of(chance, &[1_500, 8_000, 20_000]) },
        Sort::Hang => Action::Hang { ms: one_of(chance, &[100, 1_000, 6_000, 20_000]) },
        Sort::StormOfDrops | Sort::StormOfNexts => {
            let share = 1 + chance.below(3);
            for id in 0..size.visitors {
                if chance.below(share) > 0 {
                    continue;
                }
                let action = match sort {
                    Sort::StormOfNexts => Action::Next {},
                    _ => Action::Drop {
                        client_ms: chance.below(300) as i64,
                        server_ms: chance.below(300) as i64,
                    },
                };
                steps.push(Step { at, who: Who::Visitor(id), action });
            }
            return;
        }
        _ => return,
    };
    steps.push(Step { at, who: Who::Server, action });
}
