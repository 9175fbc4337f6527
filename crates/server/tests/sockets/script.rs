//! Scenes as a table of lines, each of one client: `a > {…}` says, `b < {…}` hears exactly that.
//!
//! In what is heard `"*"` stands for anything, and `"$name"` keeps a value, which `$name` in later lines repeats.
//! `<x*2001>` is 2,001 times `x`; `$pool` is a pool of the scene's own. Other steps: `a close`, `a drop`, `a binary`,
//! `a silent` (has nothing more to hear: the next thing is the answer to a `hello`), `a ! 1003` (is closed with).

use super::harness::{Client, Server};
use futures_util::SinkExt as _;
use serde_json::Value;
use std::collections::HashMap;
use tokio_tungstenite::tungstenite::Message;

pub(crate) async fn play(server: &Server, scenes: &[(&str, &str)]) {
    for (index, (name, script)) in scenes.iter().enumerate() {
        let mut scene = Scene { server, name, clients: HashMap::new(), kept: HashMap::new() };
        scene.kept.insert("pool".into(), format!("pool {index}"));
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            scene.step(line).await;
        }
    }
}

struct Scene<'a> {
    server: &'a Server,
    name: &'a str,
    clients: HashMap<char, Client>,
    kept: HashMap<String, String>,
}

impl Scene<'_> {
    async fn step(&mut self, line: &str) {
        let place = format!("in {:?}, at {line:?}", self.name);
        let who = line.chars().next().expect("a client");
        let step = line[1..].trim();
        if !self.clients.contains_key(&who) {
            self.clients.insert(who, self.server.connect().await);
        }
        let said = step.strip_prefix('>').map(|text| self.fill(text.trim()));
        let client = self.clients.get_mut(&who).expect("just connected");
        match step.split_at(1) {
            (">", _) => client.say(&said.expect("something to say")).await,
            ("<", pattern) => {
                let pattern: Value = serde_json::from_str(&self.fill(pattern.trim())).expect(&place);
                let heard = self.clients.get_mut(&who).expect("present").hear().await;
                self.expect(&pattern, &heard, &format!("{place}: heard {heard}"));
            }
            ("!", code) => assert_eq!(client.closed().await.0.to_string(), code.trim(), "{place}"),
            _ => match step {
                "close" => drop(client.0.close(None).await),
                "drop" => drop(self.clients.remove(&who)),
                "binary" => client.0.send(Message::binary(vec![1, 2, 3])).await.expect(&place),
                "silent" => {
                    client.say(r#"{"type":"hello","version":1}"#).await;
                    assert_eq!(client.hear().await["type"], "welcome", "{place}");
                }
                other => panic!("{place}: no step is called {other:?}"),
            },
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.kept {
            text = text.replace(&format!("${name}"), value);
        }
        while let Some((before, rest)) = text.split_once('<') {
            let (repeat, after) = rest.split_once('>').expect("a repeat ends with >");
            let (what, times) = repeat.rsplit_once('*').expect("what*times");
            text = format!("{before}{}{after}", what.repeat(times.parse().expect("a number")));
        }
        text
    }

    fn expect(&mut self, pattern: &Value, heard: &Value, place: &str) {
        match (pattern, heard) {
            (Value::String(any), _) if any == "*" => {}
            (Value::String(name), Value::String(value)) if name.starts_with('$') => {
                self.kept.insert(name[1..].to_owned(), value.clone());
            }
            (Value::Object(fields), Value::Object(found)) => {
                // A script that is not about resuming or reporting need not name what is for those.
                let is_optional = |name: &String| matches!(name.as_str(), "resume_token" | "receipt");
                let names = |object: &serde_json::Map<String, Value>| {
                    let mut names: Vec<String> = object.keys().cloned().collect();
                    names.retain(|name| !is_optional(name) || fields.contains_key(name));
                    names.sort();
                    names
                };
                assert_eq!(names(fields), names(found), "{place}");
                for (name, pattern) in fields {
                    self.expect(pattern, &found[name], place);
                }
            }
            _ => assert_eq!(pattern, heard, "{place}"),
        }
    }
}
