//! `visavis check-config`: all settings, where each comes from, and whether they are sound.

use crate::config::Loaded;
use crate::edge::Certificates;
use crate::failure::Failure;
use crate::geo::Geo;

pub(crate) fn check(loaded: &Loaded) -> Result<(), Failure> {
    if let (Some(cert), Some(key)) = (&loaded.config.tls.cert, &loaded.config.tls.key) {
        Certificates::load(cert, key)?;
    }
    Geo::load(loaded.config.geo_database.as_deref())?;
    for found in &loaded.found {
        let value = match found.key {
            _ if found.values.iter().all(String::is_empty) => "none".into(),
            "session.secret" | "turn.secret" | "redis.url" => "‹redacted›".into(),
            _ => found.values.join(", "),
        };
        println!("{:<32} {value}  ({})", found.key, found.source);
    }
    println!("The configuration is sound.");
    Ok(())
}
