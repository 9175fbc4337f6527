//! One run, written down: settings, network, cast and what happens when. Readable, and small changes keep it runnable:
//! a step whose visitor is not in the right state does nothing, so lines can be taken out one by one.

mod action;
mod read;

pub use action::Action;

use std::collections::BTreeMap;
use std::fmt;
use visavis_lobby::{Config, SessionSecret, Span};
use visavis_protocol::{FindPartner, Kind, Pin};

/// Moments and spans of scripts, in microseconds since the run began.
pub(crate) type Micros = u64;

/// For what scripts give in milliseconds.
pub(crate) fn millis(ms: i64) -> Micros {
    (ms.max(0) as Micros).saturating_mul(1_000)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// Of delays on the network and of ids; what happens stands in the steps.
    pub seed: u64,
    /// What differs from the lobby's defaults.
    pub settings: BTreeMap<String, u64>,
    /// One way, the shortest and the longest.
    pub delay_us: (Micros, Micros),
    pub cast: BTreeMap<u32, Persona>,
    /// Several servers and the place where they meet; `None`: one server, alone.
    pub town: Option<Town>,
    /// In order of time.
    pub steps: Vec<Step>,
    /// From then on nothing goes wrong, and everybody comes back.
    pub calm_at: Micros,
}

/// Several nodes and a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Town {
    pub nodes: u32,
    /// One way between a node and Redis, the shortest and the longest.
    pub redis_us: (Micros, Micros),
}

/// Whom a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Visitor(u32),
    /// The only server.
    Server,
    Node(u32),
    Redis,
}

/// What a visitor is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Persona {
    pub wish: Wish,
    /// Says `hello`, and comes back by its token.
    pub hello: bool,
    /// Answers the server's `ping`. Its browser answers WebSocket pings even while the page is frozen.
    pub answers: bool,
    /// Names its device in every `hello`, and brings the blocks that it has kept.
    pub device: bool,
    /// Tells how many messages it has when it comes back.
    pub counts: bool,
    /// Believes after a resume that it still waits; others ask again.
    pub trusting: bool,
    /// Relays offer, answer and candidates, and reports when connected.
    pub handshake: bool,
    /// Comes back after a lost socket, about this much later; 0: stays away.
    pub back_ms: u64,
    /// Shares an address with those of the same number; 0: not bound by rates.
    pub host: u64,
}

/// What a visitor asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub kind: Kind,
    pub interests: Vec<String>,
    pub languages: Vec<String>,
    pub pin: Vec<Pin>,
    pub pool: Option<String>,
    pub requeue: bool,
    /// Sends an offer along.
    pub offers: bool,
}

impl Wish {
    pub fn anyone(kind: Kind) -> Self {
        Wish {
            kind,
            interests: Vec::new(),
            languages: Vec::new(),
            pin: Vec::new(),
            pool: None,
            requeue: false,
            offers: false,
        }
    }

    /// Whether two who wait with these for ever have to be put together.
    pub(crate) fn fits(&self, other: &Wish) -> bool {
        let pins = |pin: Pin, wished: fn(&Wish) -> &Vec<String>| {
            [self, other].iter().any(|wish| wish.pin.contains(&pin) && !wished(wish).is_empty())
        };
        let primary = |language: &String| language.split('-').next().map(str::to_owned);
        let interest = self.interests.iter().any(|mine| other.interests.contains(mine));
        let language = self
            .languages
            .iter()
            .any(|mine| other.languages.iter().any(|theirs| primary(mine) == primary(theirs)));
        self.kind == other.kind
            && self.pool == other.pool
            && (interest || !pins(Pin::Interests, |wish| &wish.interests))
            && (language || !pins(Pin::Language, |wish| &wish.languages))
    }

    /// The message, without an offer.
    pub fn to_message(&self) -> FindPartner {
        FindPartner {
            kind: self.kind,
            interests: self.interests.clone(),
            languages: self.languages.clone(),
            offer: None,
            requeue: self.requeue,
            pin: self.pin.clone(),
            pool: self.pool.clone(),
            relay_only: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub at: Micros,
    pub who: Who,
    pub action: Action,
}

/// Declares the settings that scripts may change, and where they stand.
macro_rules! settings {
    ($config:ident, $value:ident; $($name:ident => $apply:expr;)*) => {
        /// The names of all settings that a script may change.
        pub(super) const SETTINGS: &[&str] = &[$(stringify!($name),)*];

        fn apply(name: &str, $value: u64, $config: &mut Config) {
            match name {
                $(stringify!($name) => $apply,)*
                _ => {}
            }
        }
    };
}

settings! { config, value;
    grace_ms => config.grace = Span::from_millis(value);
    half_pair_grace_ms => config.half_pair_grace = Span::from_millis(value);
    recent_pause_ms => config.recent_pause = Span::from_millis(value);
    recent_partners => config.recent_partners = value as usize;
    relax_interests_ms => config.relax_interests_after = Span::from_millis(value);
    relax_language_ms => config.relax_language_after = Span::from_millis(value);
    max_overtakes => config.max_overtakes = value as u32;
    offer_ttl_ms => config.offer_ttl = Span::from_millis(value);
    sign_of_life_ms => config.sign_of_life = Span::from_millis(value);
    age_credit_ms => config.age_credit = Span::from_millis(value);
    token_ttl_ms => config.token_ttl = Span::from_millis(value);
    replay_messages => config.replay_messages = value as usize;
    admission_rate => config.admission_rate = value as u32;
    next_burst => config.next_burst = value as u32;
    text_burst => config.text_burst = value as u32;
    message_burst => config.message_burst = value as u32;
    max_refusals => config.max_refusals = value as u32;
    overflow_after_ms => config.overflow_after = Span::from_millis(value);
}

impl Script {
    /// The lobby's settings in this run.
    pub fn config(&self) -> Config {
        let mut config = Config {
            session_secrets: vec![SessionSecret([1; 32])],
            // Half of a world may come from one address, which a server's door would not let in.
            sessions_per_host: 20_000,
            ..Config::default()
        };
        for (name, value) in &self.settings {
            apply(name, *value, &mut config);
        }
        config
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "visavis-sim script 1")?;
        writeln!(f, "seed {}", self.seed)?;
        for (name, value) in &self.settings {
            writeln!(f, "set {name} {value}")?;
        }
        writeln!(f, "delay_us {} {}", self.delay_us.0, self.delay_us.1)?;
        if let Some(Town { nodes, redis_us: (shortest, longest) }) = self.town {
            writeln!(f, "nodes {nodes} redis_us {shortest} {longest}")?;
        }
        for (id, persona) in &self.cast {
            writeln!(f, "visitor {id} {persona}")?;
        }
        for Step { at, who, action } in &self.steps {
            writeln!(f, "{at} {who} {action}")?;
        }
        writeln!(f, "{} calm", self.calm_at)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Visitor(id) => write!(f, "{id}"),
            Who::Server => write!(f, "server"),
            Who::Node(node) => write!(f, "node{node}"),
            Who::Redis => write!(f, "redis"),
        }
    }
}

impl fmt::Display for Persona {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.wish)?;
        for (is, word) in [
            (self.hello, "hello"),
            (self.answers, "answers"),
            (self.device, "device"),
            (self.counts, "counts"),
            (self.trusting, "trusting"),
            (self.handshake, "handshake"),
        ] {
            if is {
                write!(f, " {word}")?;
            }
        }
        write!(f, " back_ms={} host={}", self.back_ms, self.host)
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "kind={}",
            match self.kind {
                Kind::Video => "video",
                Kind::Audio => "audio",
                Kind::Text => "text",
            }
        )?;
        let pins: Vec<&str> = self
            .pin
            .iter()
            .map(|pin| match pin {
                Pin::Language => "language",
                Pin::Interests => "interests",
            })
            .collect();
        for (name, list) in [
            ("interests", self.interests.join(",")),
            ("languages", self.languages.join(",")),
            ("pin", pins.join(",")),
            ("pool", self.pool.clone().unwrap_or_default()),
        ] {
            if !list.is_empty() {
                write!(f, " {name}={list}")?;
            }
        }
        if self.requeue {
            write!(f, " requeue")?;
        }
        if self.offers {
            write!(f, " offers")?;
        }
        Ok(())
    }
}
