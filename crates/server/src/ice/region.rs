//! A region of the operator's relays, as the settings have it.
//!
//! In the file it is a table `[[ice.region]]`; elsewhere the same in one line, lists joined by `|`:
//! `name=paris place=48.9|2.4 countries=FR|BE urls=turn:fr.example:3478|turns:fr.example:443`.

use crate::geo::{Country, Place, Whereabouts, zone_of};
use crate::host::Host;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Region {
    pub(crate) name: String,
    place: Option<Place>,
    countries: Vec<Country>,
    urls: Vec<RelayUrl>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayUrl {
    pub(crate) url: String,
    pub(crate) transport: Transport,
}

/// What a browser speaks to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
}

impl Region {
    /// Without a place: it stands where the operator's order puts it.
    pub(crate) fn anywhere(name: &str, urls: Vec<RelayUrl>) -> Self {
        Region { name: name.to_owned(), place: None, countries: Vec::new(), urls }
    }

    /// # Errors
    /// What is wrong and how to mend it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (mut name, mut place, mut countries, mut urls) = (None, None, Vec::new(), Vec::new());
        for part in text.split_whitespace() {
            let Some((key, value)) = part.split_once('=') else {
                return Err(format!("`{part}` is not KEY=VALUE; write for instance {EXAMPLE}"));
            };
            let items = || value.split('|').filter(|item| !item.is_empty());
            match key {
                "name" => name = Some(value.to_owned()),
                "place" => place = Some(read_place(value)?),
                "countries" => countries = items().map(read_country).collect::<Result<_, _>>()?,
                "urls" => urls = items().map(RelayUrl::read).collect::<Result<_, _>>()?,
                _ => {
                    return Err(format!(
                        "a region has no `{key}`, but `name`, `place`, `countries` and `urls`"
                    ));
                }
            }
        }
        let name = name.ok_or_else(|| format!("a region needs a `name`; write for instance {EXAMPLE}"))?;
        if urls.is_empty() {
            return Err(format!(
                "the region `{name}` needs `urls` of its relays, as turn:{name}.example:3478"
            ));
        }
        Ok(Region { name, place, countries, urls })
    }

    #[cfg(test)]
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().map(|relay| relay.url.as_str())
    }

    /// The first one that speaks this.
    pub(super) fn over(&self, transport: Transport) -> Option<&str> {
        self.urls.iter().find(|relay| relay.transport == transport).map(|relay| relay.url.as_str())
    }

    /// How far it is for a visitor; a country that the operator gave to this region is no distance at all. `None`
    /// where the settings do not say where the region is.
    pub(super) fn distance_km(&self, visitor: &Whereabouts) -> Option<f64> {
        if visitor.country.is_some_and(|country| self.countries.contains(&country)) {
            return Some(0.0);
        }
        let of_countries =
            || self.countries.iter().filter_map(|country| zone_of(*country)).map(|zone| zone.place());
        let distance = |place: Place| place.distance_km(visitor.place);
        match self.place {
            Some(place) => Some(distance(place)),
            None => of_countries().map(distance).min_by(f64::total_cmp),
        }
    }
}

const EXAMPLE: &str = "name=paris place=48.9|2.4 urls=turn:fr.example:3478|turns:fr.example:443";

fn read_place(text: &str) -> Result<Place, String> {
    let read = || {
        let (latitude, longitude) = text.split_once('|')?;
        Place::new(latitude.parse().ok()?, longitude.parse().ok()?)
    };
    read().ok_or_else(|| {
        format!("`{text}` is not a place; give latitude and longitude in degrees, as place = [48.9, 2.4]")
    })
}

fn read_country(text: &str) -> Result<Country, String> {
    Country::read(text)
        .filter(|country| zone_of(*country).is_some())
        .ok_or_else(|| format!("`{text}` is no country; give two letters of ISO 3166, as FR"))
}

impl RelayUrl {
    /// A TURN URL (RFC 7065) that browsers take.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let read = || {
            let (scheme, rest) = text.split_once(':')?;
            let (place, transport) = match rest.split_once("?transport=") {
                Some((place, transport)) => (place, Some(transport)),
                None => (rest, None),
            };
            Host::read(place)?;
            let transport = match (scheme, transport) {
                ("turn", None | Some("udp")) => Transport::Udp,
                ("turn", Some("tcp")) => Transport::Tcp,
                ("turns", None | Some("tcp")) => Transport::Tls,
                _ => return None,
            };
            Some(RelayUrl { url: text.to_owned(), transport })
        };
        read().ok_or_else(|| {
            format!(
                "`{text}` is not a TURN URL; write for instance turn:fr.example:3478, \
                 turn:fr.example:3478?transport=tcp or turns:fr.example:443"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_read_from_one_line() {
        let region = Region::read(
            "name=paris place=48.9|2.4 countries=FR|be urls=turn:a.example|turn:a.example:1?transport=tcp|turns:[fd00::1]:443",
        )
        .unwrap();
        assert_eq!((region.name.as_str(), region.countries.len()), ("paris", 2));
        assert_eq!(region.over(Transport::Udp), Some("turn:a.example"));
        assert_eq!(region.over(Transport::Tcp), Some("turn:a.example:1?transport=tcp"));
        assert_eq!(region.over(Transport::Tls), Some("turns:[fd00::1]:443"));
    }

    #[test]
    fn what_is_wrong_with_a_region_is_said() {
        for (text, expected) in [
            ("paris", "`paris` is not KEY=VALUE"),
            ("urls=turn:a", "a region needs a `name`"),
            ("name=a", "the region `a` needs `urls`"),
            ("name=a url=turn:a", "a region has no `url`"),
            ("name=a place=91|0 urls=turn:a", "`91|0` is not a place"),
            ("name=a place=1 urls=turn:a", "`1` is not a place"),
            ("name=a countries=EU urls=turn:a", "`EU` is no country"),
            ("name=a urls=stun:a", "`stun:a` is not a TURN URL"),
            ("name=a urls=turn:", "`turn:` is not a TURN URL"),
            ("name=a urls=turns:a?transport=udp", "`turns:a?transport=udp` is not a TURN URL"),
            ("name=a urls=turn:a:99999", "`turn:a:99999` is not a TURN URL"),
            ("name=a urls=turn:::1", "`turn:::1` is not a TURN URL"),
            ("name=a urls=turn:u@a", "`turn:u@a` is not a TURN URL"),
        ] {
            let sentence = Region::read(text).unwrap_err();
            assert!(sentence.starts_with(expected), "{text}: {sentence}");
        }
    }
}
