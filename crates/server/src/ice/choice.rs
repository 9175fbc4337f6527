//! Which relays one browser gets: as few as do the job, because each costs it time to gather.

use super::region::{Region, Transport};
use crate::geo::Whereabouts;

/// URLs of the two nearest regions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The nearest relay over UDP (or what it speaks instead): what a waiting offer gathers with.
    pub(crate) first: Option<String>,
    /// What joins at the match: the nearest one over TCP and over TLS, for browsers behind firewalls, and the second
    /// nearest over UDP, for the day on which the nearest is down.
    pub(crate) rest: Vec<String>,
}

/// At most four URLs: Firefox warns at five.
pub(crate) fn choose<'a>(
    regions: impl IntoIterator<Item = &'a Region>,
    visitor: Option<&Whereabouts>,
) -> Choice {
    let mut regions: Vec<&Region> = regions.into_iter().collect();
    if let Some(visitor) = visitor {
        // Stable: equals keep the operator's order. Who did not say where a region is put it last.
        let distance = |region: &&Region| region.distance_km(visitor).unwrap_or(f64::INFINITY);
        regions.sort_by(|a, b| distance(a).total_cmp(&distance(b)));
    }
    let mut regions = regions.into_iter();
    let Some(nearest) = regions.next() else { return Choice::default() };
    let mut urls: Vec<&str> = [Transport::Udp, Transport::Tcp, Transport::Tls]
        .into_iter()
        .filter_map(|t| nearest.over(t))
        .collect();
    urls.extend(regions.next().and_then(|second| second.over(Transport::Udp)));
    let mut urls = urls.into_iter().map(str::to_owned);
    Choice { first: urls.next(), rest: urls.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::{Country, Place};

    fn region(name: &str, place: &str) -> Region {
        let host = format!("{name}.example");
        Region::read(&format!(
            "name={name} {place} urls=turn:{host}:3478|turn:{host}:3478?transport=tcp|turns:{host}:443"
        ))
        .unwrap()
    }

    fn regions() -> Vec<Region> {
        vec![
            region("virginia", "place=38.9|-77.5"),
            region("frankfurt", "place=50.1|8.7 countries=DE|AT"),
            region("singapore", "countries=SG|MY"),
            region("paris", "place=48.9|2.4"),
            region("somewhere", ""),
        ]
    }

    fn visitor(country: &str, latitude: f64, longitude: f64) -> Option<Whereabouts> {
        Some(Whereabouts { country: Country::read(country), place: Place::new(latitude, longitude).unwrap() })
    }

    fn nearest_two(visitor: Option<Whereabouts>) -> Vec<String> {
        let choice = choose(&regions(), visitor.as_ref());
        let name = |url: &String| url[5..].split('.').next().unwrap().to_owned();
        [choice.first.iter().map(name).next().unwrap(), choice.rest.last().map(name).unwrap()].into()
    }

    #[test]
    fn the_nearest_comes_in_all_transports_and_the_second_over_udp() {
        let choice = choose(&regions(), visitor("", 52.5, 13.4).as_ref());
        assert_eq!(choice.first.as_deref(), Some("turn:frankfurt.example:3478"));
        assert_eq!(
            choice.rest,
            [
                "turn:frankfurt.example:3478?transport=tcp",
                "turns:frankfurt.example:443",
                "turn:paris.example:3478"
            ]
        );
    }

    #[test]
    fn distance_decides_and_the_countries_of_a_region_before_it() {
        assert_eq!(nearest_two(visitor("", 48.0, 2.0)), ["paris", "frankfurt"]);
        assert_eq!(nearest_two(visitor("AT", 48.0, 2.0)), ["frankfurt", "paris"]);
        assert_eq!(nearest_two(visitor("", -6.2, 106.8)), ["singapore", "frankfurt"]);
        assert_eq!(nearest_two(visitor("US", 34.0, -118.0)), ["virginia", "paris"]);
    }

    #[test]
    fn who_is_nowhere_gets_the_operators_order() {
        assert_eq!(nearest_two(None), ["virginia", "frankfurt"]);
    }

    #[test]
    fn one_region_or_none_is_enough() {
        let alone = [region("virginia", "")];
        assert_eq!(choose(&alone, None).rest.len(), 2);
        let tls_only = [Region::read("name=a urls=turns:a:443").unwrap()];
        assert_eq!(choose(&tls_only, None), Choice { first: Some("turns:a:443".into()), rest: Vec::new() });
        assert_eq!(choose(&[], None), Choice::default());
    }
}
