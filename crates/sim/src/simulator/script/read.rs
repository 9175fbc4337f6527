//! Reads a script from its text.

use super::{Action, Micros, Persona, SETTINGS, Script, Step, Town, Who, Wish};
use std::collections::BTreeMap;
use std::str::FromStr;
use visavis_protocol::{Kind, Pin};

impl FromStr for Script {
    /// A sentence that names the line.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut script = Script {
            seed: 0,
            settings: BTreeMap::new(),
            delay_us: (1_000, 1_000),
            cast: BTreeMap::new(),
            town: None,
            steps: Vec::new(),
            calm_at: 0,
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || line == "visavis-sim script 1" {
                continue;
            }
            read_line(line, &mut script).map_err(|sentence| format!("line {number}: {sentence}"))?;
        }
        script.steps.sort_by_key(|step| step.at);
        Ok(script)
    }
}

fn read_line(line: &str, script: &mut Script) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["seed", seed] => script.seed = number(seed)?,
        ["delay_us", shortest, longest] => script.delay_us = (number(shortest)?, number(longest)?),
        ["nodes", nodes, "redis_us", shortest, longest] => {
            script.town =
                Some(Town { nodes: number(nodes)?, redis_us: (number(shortest)?, number(longest)?) });
        }
        ["set", name, value] => {
            if !SETTINGS.contains(name) {
                return Err(format!("there is no setting {name}"));
            }
            script.settings.insert((*name).to_owned(), number(value)?);
        }
        ["visitor", id, rest @ ..] => {
            script.cast.insert(number(id)?, read_persona(rest)?);
        }
        [at, "calm"] => script.calm_at = number(at)?,
        [at, who, word, rest @ ..] => {
            let at: Micros = number(at)?;
            let who = read_who(who)?;
            let action = if *word == "wish" {
                Action::Wish(read_persona(rest)?.wish)
            } else {
                let numbers = rest.iter().map(|word| number(word)).collect::<Result<Vec<i64>, String>>()?;
                Action::named(word, &numbers).ok_or_else(|| format!("nobody can do `{word}` like that"))?
            };
            script.steps.push(Step { at, who, action });
        }
        _ => return Err(format!("cannot read `{line}`")),
    }
    Ok(())
}

fn read_who(word: &str) -> Result<Who, String> {
    Ok(match (word, word.strip_prefix("node")) {
        ("server", _) => Who::Server,
        ("redis", _) => Who::Redis,
        (_, Some(node)) => Who::Node(number(node)?),
        (visitor, None) => Who::Visitor(number(visitor)?),
    })
}

fn read_persona(words: &[&str]) -> Result<Persona, String> {
    let mut persona = Persona {
        wish: Wish::anyone(Kind::Video),
        hello: false,
        answers: false,
        device: false,
        counts: false,
        trusting: false,
        handshake: false,
        back_ms: 0,
        host: 0,
    };
    let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<String>>();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "kind" => persona.wish.kind = read_kind(value)?,
            "interests" => persona.wish.interests = list(value),
            "languages" => persona.wish.languages = list(value),
            "pin" => {
                persona.wish.pin = list(value).iter().map(|pin| read_pin(pin)).collect::<Result<_, _>>()?
            }
            "pool" => persona.wish.pool = Some(value.to_owned()),
            "requeue" => persona.wish.requeue = true,
            "offers" => persona.wish.offers = true,
            "hello" => persona.hello = true,
            "device" => persona.device = true,
            "answers" => persona.answers = true,
            "counts" => persona.counts = true,
            "trusting" => persona.trusting = true,
            "handshake" => persona.handshake = true,
            "back_ms" => persona.back_ms = number(value)?,
            "host" => persona.host = number(value)?,
            _ => return Err(format!("a visitor has no `{name}`")),
        }
    }
    Ok(persona)
}

fn read_kind(text: &str) -> Result<Kind, String> {
    match text {
        "video" => Ok(Kind::Video),
        "audio" => Ok(Kind::Audio),
        "text" => Ok(Kind::Text),
        _ => Err(format!("there is no kind `{text}`")),
    }
}

fn read_pin(text: &str) -> Result<Pin, String> {
    match text {
        "language" => Ok(Pin::Language),
        "interests" => Ok(Pin::Interests),
        _ => Err(format!("`{text}` cannot be pinned")),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}
