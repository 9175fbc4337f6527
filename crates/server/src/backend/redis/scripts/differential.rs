//! The model of Redis that the simulator builds on, held against a real redis-server: the same sequences of what nodes
//! ask go to both, through the server's own scripts, and every reply and in the end all that lies there must be the same.
//!
//! The redis-server and the scripts are as they are; only the clock is ours. libfaketime gives that one process the time
//! that stands in a file, so leases and keys end when a sequence says so, and to the millisecond. It runs as a cluster of
//! one, where a script that touches keys of two slots fails.

mod actions;
mod real;

use super::*;
use actions::{Action, Pace, sequence};
use real::Real;
use visavis_sim::redis::{Channels, Contents, Redis as Model, Subscription, Value};

/// Sequences of a run; more of them if this variable says so.
const SEEDS: u64 = 120;
const SEEDS_VARIABLE: &str = "VISAVIS_DIFFERENTIAL_SEEDS";

#[tokio::test]
async fn the_model_does_what_redis_does() {
    let Some(mut real) = Real::start(Pace::Set).await else { return };
    let scripts = Scripts::new();
    let seeds = std::env::var(SEEDS_VARIABLE).ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let actions = sequence(seed);
        if play(&mut real, &scripts, &actions, Look::AtTimes).await.is_err() {
            let (actions, difference) = shrunk(&mut real, &scripts, actions).await;
            panic!("seed {seed}: {difference}\nafter the last of these:\n{}", told(&actions));
        }
    }
}

/// With the machine's own clock: keys die while one waits for it. Moments are known to the time that a request takes.
#[tokio::test]
async fn the_model_does_what_redis_does_as_time_goes_by() {
    let Some(mut real) = Real::start(Pace::True).await else { return };
    let actions = actions::across_a_deadline();
    if let Err(difference) = play(&mut real, &Scripts::new(), &actions, Look::Always).await {
        panic!("{difference}\nafter one of these:\n{}", told(&actions));
    }
}

/// The sequences reach what they are meant to reach: a script that is a little different is found out.
#[tokio::test]
async fn a_script_that_does_a_little_otherwise_is_found_out() {
    let Some(mut real) = Real::start(Pace::Set).await else { return };
    for (script, right, wrong) in MUTANTS {
        let mut scripts = Scripts::new();
        let (place, text) = match script {
            "beat" => (&mut scripts.beat, include_str!("../lua/beat.lua")),
            "claim" => (&mut scripts.claim, include_str!("../lua/claim.lua")),
            "mark" => (&mut scripts.mark, include_str!("../lua/mark.lua")),
            "note" => (&mut scripts.note, include_str!("../lua/note.lua")),
            "meet" => (&mut scripts.meet, include_str!("../lua/meet.lua")),
            _ => (&mut scripts.withdraw, include_str!("../lua/withdraw.lua")),
        };
        assert_eq!(text.matches(right).count(), 1, "{script}.lua no longer says `{right}`, or says it twice");
        *place = Script::new(&text.replace(right, wrong));
        let mut found_out = false;
        for seed in 0..SEEDS {
            let actions = sequence(seed);
            if play(&mut real, &scripts, &actions, Look::AtTimes).await.is_err() {
                found_out = true;
                break;
            }
        }
        assert!(found_out, "{script}.lua with `{wrong}` for `{right}` passed for the same");
    }
}

const MUTANTS: [(&str, &str, &str); 22] = [
    ("claim", "tonumber(leased_till) < now", "tonumber(leased_till) <= now"),
    ("claim", "owner ~= node", "owner"),
    ("claim", "blocked[their_session]", "recent[their_session] and blocked[their_session]"),
    ("claim", "string.find(their_blocked, session", "string.find(their_blocked, ticket"),
    ("claim", "string.find(their_recent, session", "string.find(their_recent, ticket"),
    ("claim", "till < 0 or till > now", "till < 0 or till >= now"),
    ("claim", "now >= math.max", "now > math.max"),
    ("claim", "math.max(made, tonumber(their_made))", "tonumber(their_made)"),
    ("claim", "if not met and", "if"),
    ("claim", "scan + tonumber(string.sub(ticket, 1, 8), 16) % behind", "scan"),
    ("claim", "first + scan - 1", "first + scan"),
    ("claim", "shares(interests, their_interests)", "shares(languages, their_languages)"),
    ("claim", "redis.call('PEXPIRE', KEYS[2], lease + 60000)", ""),
    ("claim", "text(since), ticket", "text(made), ticket"),
    ("beat", "now - 60000", "'(' .. (now - 60000)"),
    ("beat", "redis.call('HDEL', KEYS[2], node)", ""),
    ("beat", "redis.call('PEXPIRE', KEYS[2], 600000)", ""),
    ("mark", "generation < known", "generation <= known"),
    ("mark", "generation + 1", "generation"),
    ("note", "ARGV[3] ~= ''", "ARGV[3]"),
    ("meet", "redis.call('PEXPIRE', KEYS[1], ARGV[4])", ""),
    ("withdraw", "redis.call('ZREM', KEYS[1], ARGV[1])", ""),
];

/// When all that lies there is compared.
#[derive(Clone, Copy, PartialEq)]
enum Look {
    AtTimes,
    Always,
}

/// Does the same in both places. Else: where they differ.
async fn play(real: &mut Real, scripts: &Scripts, actions: &[Action], look: Look) -> Result<(), String> {
    real.empty().await;
    let (mut model, mut channels) = (Model::default(), Channels::default());
    let mut heard: [Option<Subscription>; actions::EARS] = Default::default();
    for (index, action) in actions.iter().enumerate() {
        let asked_ms = real.now_ms().await;
        let said = match action {
            Action::Pass(millis) => {
                real.pass(*millis).await;
                continue;
            }
            Action::Listen { ear, node } => {
                real.listen(*ear, *node).await;
                if let Some(old) = heard[*ear].replace(channels.subscribe(*node)) {
                    channels.end(old);
                }
                continue;
            }
            Action::Deafen { ear } => {
                real.deafen(*ear).await;
                if let Some(old) = heard[*ear].take() {
                    channels.end(old);
                }
                continue;
            }
            _ => real.carry_out(scripts, action).await,
        };
        let answered_ms = real.now_ms().await;
        real.took(answered_ms - asked_ms);
        // By a clock that goes on meanwhile, it happened at any moment between the two.
        let mut first = None;
        let same = [asked_ms, answered_ms].into_iter().find_map(|now_ms| {
            let mut model = model.clone();
            let wanted = answer(&mut model, &channels, action, now_ms);
            let same = wanted == said;
            first.get_or_insert(wanted);
            same.then_some(model)
        });
        let Some(after) = same else {
            let wanted = first.unwrap_or_default();
            return Err(format!("the model answers\n  {wanted}\nand Redis\n  {said}"));
        };
        model = after;
        if look == Look::Always || index % 16 == 0 || index + 1 == actions.len() {
            compare(real, &model).await?;
        }
    }
    compare(real, &model).await
}

/// What the model says, as text.
fn answer(model: &mut Model, channels: &Channels, action: &Action, now_ms: i64) -> String {
    match action {
        Action::Ask { node, request } => format!("{:?}", model.carry_out(now_ms, *node, request)),
        Action::Beat { node, lease_ms, census } => {
            let Census { name, online, waiting, in_calls } = census;
            let info = format!("{online} {waiting} {in_calls} {name}");
            let known = model.beat(now_ms, *node, Span::from_millis(*lease_ms), &info);
            let all: Vec<_> = known
                .iter()
                .filter_map(|known| sighting(&known.node.to_string(), known.left_ms, &known.info))
                .inspect(|(seen, _)| assert!(known.iter().any(|known| known.sighting() == *seen)))
                .collect();
            format!("{all:?}")
        }
        Action::Leave { node } => {
            model.leave(now_ms, *node);
            String::new()
        }
        Action::Publish { node } => format!("{} hear it", channels.publish(*node).count()),
        Action::Pass(_) | Action::Listen { .. } | Action::Deafen { .. } => String::new(),
    }
}

async fn compare(real: &mut Real, model: &Model) -> Result<(), String> {
    let begun_ms = real.now_ms().await;
    let there = real.contents().await;
    let done_ms = real.now_ms().await;
    let (wanted, later) = (model.contents(begun_ms), model.contents(done_ms));
    for key in wanted.keys().chain(there.keys()) {
        // What died while we looked may be seen or not.
        let is_dying = wanted.contains_key(key) && !later.contains_key(key);
        match (wanted.get(key), there.get(key)) {
            (Some(a), Some(b)) if real.is_near(a, b) => {}
            (_, None) if is_dying => {}
            (a, b) => return Err(format!("{key} is in the model\n  {a:?}\nand in Redis\n  {b:?}")),
        }
    }
    Ok(())
}

/// The shortest beginning that shows a difference, without what is not needed for one.
async fn shrunk(real: &mut Real, scripts: &Scripts, mut actions: Vec<Action>) -> (Vec<Action>, String) {
    let mut difference = "it does not come again".to_owned();
    let mut length = 1;
    while length <= actions.len() {
        if let Err(said) = play(real, scripts, &actions[..length], Look::Always).await {
            difference = said;
            actions.truncate(length);
            break;
        }
        length += 1;
    }
    let mut at = actions.len();
    while at > 0 {
        at -= 1;
        let mut fewer = actions.clone();
        fewer.remove(at);
        if let Err(said) = play(real, scripts, &fewer, Look::Always).await {
            (actions, difference) = (fewer, said);
        }
    }
    (actions, difference)
}

fn told(actions: &[Action]) -> String {
    actions.iter().map(|action| format!("  {action:?}\n")).collect()
}
