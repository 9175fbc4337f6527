//! The operator's own database, in MaxMind's format (`.mmdb`): read at start, read again when its file changes. A new
//! one that cannot be read leaves the old.
//!
//! Two shapes of records are known: MaxMind's own (`country.iso_code`, `location.latitude`) and flat ones
//! (`country_code`, `latitude`), as other publishers write them.

use super::{Country, Place, Whereabouts, zone_of};
use maxminddb::{LookupResult, PathElement, Reader};
use serde::Deserialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

pub(super) struct Database {
    path: PathBuf,
    current: RwLock<Arc<Reader<Vec<u8>>>>,
}

/// When the file was written, and how long it is.
type Stamp = Option<(SystemTime, u64)>;

impl Database {
    /// # Errors
    /// Which file cannot be read, and why.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        Ok(Database { path: path.to_owned(), current: RwLock::new(Arc::new(read(path)?)) })
    }

    pub(super) fn look_up(&self, address: IpAddr) -> Option<Whereabouts> {
        let reader = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        // A record that cannot be read is one that is not there.
        let record = reader.lookup(address).ok()?;
        let country = COUNTRY
            .iter()
            .find_map(|path| record.decode_path::<&str>(&keys(path)).ok().flatten().and_then(Country::read));
        let place = PLACE.iter().find_map(|[latitude, longitude]| {
            Place::new(degrees(&record, latitude)?, degrees(&record, longitude)?)
        });
        let of_zone = || country.and_then(zone_of).map(|zone| zone.place());
        Some(Whereabouts { country, place: place.or_else(of_zone)? })
    }

    /// Looks at the file for as long as the process runs.
    pub(super) async fn watch(&self) {
        let mut loaded = stamp(&self.path);
        let mut last = loaded;
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            let now = stamp(&self.path);
            // One that still grows is not looked into.
            let rests = std::mem::replace(&mut last, now) == now;
            if now == loaded || !rests {
                continue;
            }
            let path = self.path.clone();
            match tokio::task::spawn_blocking(move || read(&path)).await {
                Ok(Ok(reader)) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(reader);
                    tracing::info!("the new geo.database is in use");
                }
                Ok(Err(sentence)) => tracing::warn!("the old geo.database stays in use: {sentence}"),
                Err(_) => tracing::warn!("the old geo.database stays in use: reading the new one failed"),
            }
            // Also after a failure: it is said once, until the file changes again.
            loaded = now;
        }
    }
}

const COUNTRY: &[&[&str]] =
    &[&["country", "iso_code"], &["country_code"], &["country"], &["registered_country", "iso_code"]];

const PLACE: &[[&[&str]; 2]] = &[
    [&["location", "latitude"], &["location", "longitude"]],
    [&["latitude"], &["longitude"]],
    [&["lat"], &["lng"]],
];

fn keys<'a>(path: &[&'a str]) -> Vec<PathElement<'a>> {
    path.iter().map(|key| PathElement::Key(key)).collect()
}

/// Some publishers write numbers as text.
fn degrees(record: &LookupResult<'_, Vec<u8>>, path: &[&str]) -> Option<f64> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Degrees<'a> {
        Number(f64),
        Text(&'a str),
    }
    match record.decode_path(&keys(path)).ok()?? {
        Degrees::Number(number) => Some(number),
        Degrees::Text(text) => text.parse().ok(),
    }
}

fn read(path: &Path) -> Result<Reader<Vec<u8>>, String> {
    let bytes = std::fs::read(path)
        .map_err(|error| format!("cannot read {}: {}", path.display(), crate::reason(&error)))?;
    Reader::from_source(bytes)
        .map_err(|_| format!("{} is not a database in MaxMind's format (.mmdb)", path.display()))
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
