//! The parts of the world, each by the countries in it and a point where many of its people live.
//!
//! A zone is what the built-in table knows of an address: fine enough to tell relays on different coasts of an ocean
//! apart. The table names zones by their place in this list: after a change here `make geo` writes it anew.

use super::{Country, Place};

pub(crate) struct Zone {
    latitude: i16,
    longitude: i16,
    /// Separated by spaces.
    countries: &'static str,
}

impl Zone {
    pub(crate) fn place(&self) -> Place {
        Place { latitude: f64::from(self.latitude), longitude: f64::from(self.longitude) }
    }

    pub(crate) fn countries(&self) -> impl Iterator<Item = &'static str> {
        self.countries.split(' ')
    }
}

/// The zone of a country; `None` for letters that are no country's.
pub(crate) fn zone_of(country: Country) -> Option<&'static Zone> {
    ZONES.iter().find(|zone| zone.countries().any(|known| known == country.as_str()))
}

#[cfg(test)]
pub(super) fn index_of(country: Country) -> Option<usize> {
    ZONES.iter().position(|zone| zone.countries().any(|known| known == country.as_str()))
}

pub(crate) static ZONES: &[Zone] = &[
    // Northern America.
    zone(40, -90, "US CA PM BM GL UM"),
    // Mexico and Central America.
    zone(19, -95, "MX GT BZ SV HN NI CR PA"),
    // Caribbean.
    zone(19, -71, "CU DO HT JM PR BS BB TT GD LC VC DM AG KN AI VG VI KY TC MS AW CW BQ SX MF BL GP MQ"),
    // Northern South America.
    zone(4, -72, "CO VE EC PE GY SR GF"),
    // Brazil.
    zone(-20, -46, "BR"),
    // Southern South America.
    zone(-33, -63, "AR CL UY PY BO FK"),
    // Western Europe.
    zone(50, 2, "GB IE FR BE NL LU IM JE GG MC"),
    // Iberia.
    zone(40, -5, "ES PT GI AD"),
    // Central Europe.
    zone(50, 12, "DE AT CH LI CZ PL HU SK SI"),
    // Northern Europe.
    zone(60, 17, "SE NO DK FI IS FO AX EE LV LT SJ"),
    // Southern Europe.
    zone(42, 16, "IT GR HR BA RS ME MK AL XK MT SM VA CY"),
    // Eastern Europe.
    zone(48, 28, "UA RO BG MD BY"),
    // Russia.
    zone(56, 44, "RU"),
    // Anatolia and Caucasus.
    zone(40, 36, "TR GE AM AZ"),
    // Near East.
    zone(32, 37, "IL PS JO LB SY IQ"),
    // Arabian Peninsula.
    zone(25, 50, "SA AE QA KW BH OM YE IR"),
    // Northern Africa.
    zone(33, 5, "MA DZ TN LY EH"),
    // Egypt and Sudan.
    zone(28, 31, "EG SD SS"),
    // Western Africa.
    zone(8, 1, "NG GH CI SN ML BF NE BJ TG LR SL GN GW GM CV MR CM"),
    // Central Africa.
    zone(-4, 17, "CD CG GA GQ CF TD AO ST SH"),
    // Eastern Africa.
    zone(-1, 37, "KE TZ UG RW BI ET ER DJ SO"),
    // Southern Africa.
    zone(-26, 28, "ZA NA BW ZW ZM MZ MW LS SZ"),
    // Indian Ocean.
    zone(-20, 52, "MG MU RE YT KM SC IO"),
    // Central Asia.
    zone(43, 70, "KZ UZ KG TJ TM"),
    // Afghanistan and Pakistan.
    zone(31, 71, "PK AF"),
    // India.
    zone(21, 78, "IN NP BT BD LK MV"),
    // Mainland South-East Asia.
    zone(14, 101, "TH VN KH LA MM"),
    // Maritime South-East Asia.
    zone(0, 106, "SG MY ID BN TL CC CX PH"),
    // China.
    zone(31, 113, "CN MN"),
    // Hong Kong and Taiwan.
    zone(23, 117, "HK MO TW"),
    // Japan and Korea.
    zone(36, 134, "JP KR KP"),
    // Australia.
    zone(-33, 146, "AU NF"),
    // New Zealand and Pacific.
    zone(-36, 175, "NZ FJ PG NC PF SB VU WS TO TV KI NR NU CK TK WF PN AS FM PW MH GU MP"),
    // Antarctica and the southern islands.
    zone(-60, 0, "AQ BV HM GS TF"),
];

const fn zone(latitude: i16, longitude: i16, countries: &'static str) -> Zone {
    Zone { latitude, longitude, countries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_country_is_in_one_zone_and_every_zone_on_the_globe() {
        let mut seen = HashSet::new();
        for zone in ZONES {
            assert!(
                Place::new(zone.place().latitude, zone.place().longitude).is_some(),
                "{}",
                zone.countries
            );
            for country in zone.countries() {
                assert!(Country::read(country).is_some_and(|read| read.as_str() == country), "{country}");
                assert!(seen.insert(country), "{country} is in two zones");
            }
        }
        // ISO 3166-1 has 249 codes, and Kosovo uses one of its own.
        assert_eq!(seen.len(), 250);
    }
}
