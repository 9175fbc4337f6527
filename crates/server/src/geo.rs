//! Where on the globe a visitor is, roughly: good enough to choose the nearer of two relays, and for nothing else.
//!
//! The answer lives as long as one request. Private and unknown addresses are nowhere.

mod database;
mod table;
mod zones;

pub(crate) use zones::zone_of;

use crate::failure::Failure;
use database::Database;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

/// Where addresses are looked up: in the operator's database, if there is one, then in the built-in table.
pub(crate) struct Geo {
    database: Option<Database>,
}

impl Geo {
    /// # Errors
    /// One sentence that names `geo.database`.
    pub(crate) fn load(database: Option<&Path>) -> Result<Self, Failure> {
        let database = database.map(Database::load).transpose();
        let sentence = |sentence| Failure::Config(format!("geo.database: {sentence}"));
        Ok(Geo { database: database.map_err(sentence)? })
    }

    /// `None` for an address of nobody, or of nobody knows whom.
    pub(crate) fn locate(&self, address: IpAddr) -> Option<Whereabouts> {
        let address = address.to_canonical();
        if !is_public(address) {
            return None;
        }
        let built_in =
            || table::look_up(address).map(|zone| Whereabouts { country: None, place: zone.place() });
        self.database.as_ref().and_then(|database| database.look_up(address)).or_else(built_in)
    }

    /// Looks at the database's file for as long as the process runs.
    pub(crate) async fn watch(&self) {
        if let Some(database) = &self.database {
            database.watch().await;
        }
    }
}

/// Not private, local, shared by a carrier's customers (RFC 6598), or for documentation.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 198 && b & 0xfe == 18))
        }
        IpAddr::V6(ip) => {
            // Only 2000::/3 is given out.
            ip.segments()[0] & 0xe000 == 0x2000 && ip.segments()[..2] != [0x2001, 0x0db8]
        }
    }
}

/// A point on the globe, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

impl Place {
    /// `None` for what lies on no globe.
    pub(crate) fn new(latitude: f64, longitude: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
            .then_some(Place { latitude, longitude })
    }

    /// Great-circle distance (haversine) on a globe of 6,371 km radius.
    pub(crate) fn distance_km(self, other: Place) -> f64 {
        const RADIUS_KM: f64 = 6_371.0;
        let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let chord = half(self.latitude, other.latitude)
            + self.latitude.to_radians().cos()
                * other.latitude.to_radians().cos()
                * half(self.longitude, other.longitude);
        2.0 * RADIUS_KM * chord.min(1.0).sqrt().asin()
    }
}

/// Two letters of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Country([u8; 2]);

impl Country {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| Country(letters.map(|l| l.to_ascii_uppercase())))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Whereabouts {
    pub(crate) country: Option<Country>,
    pub(crate) place: Place,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        let place = |latitude, longitude| Place::new(latitude, longitude).unwrap();
        let (paris, new_york) = (place(48.86, 2.35), place(40.71, -74.01));
        assert!((paris.distance_km(new_york) - 5_837.0).abs() < 10.0, "{}", paris.distance_km(new_york));
        // Over the date line, not around the world.
        assert!(place(0.0, 179.0).distance_km(place(0.0, -179.0)) < 223.0);
        assert_eq!(Place::new(91.0, 0.0), None);
        assert_eq!(Place::new(f64::NAN, 0.0), None);
    }

    #[test]
    fn the_built_in_table_serves_where_there_is_no_database() {
        let geo = Geo::load(None).unwrap();
        let place = |address: &str| geo.locate(address.parse().unwrap()).map(|found| found.place);
        let berlin = Place::new(52.5, 13.4).unwrap();
        assert!(place("141.20.1.1").unwrap().distance_km(berlin) < 500.0);
        assert_eq!(place("::ffff:141.20.1.1"), place("141.20.1.1"));
        for address in ["10.0.0.1", "192.0.2.1", "2001:db8::1", "198.18.0.1", "100.127.255.255", "fd00::1"] {
            assert_eq!(place(address), None, "{address}");
        }
    }

    #[test]
    fn a_database_that_cannot_be_read_is_the_operators_affair() {
        let sentence = |path: &str| Geo::load(Some(Path::new(path))).err().unwrap().to_string();
        assert_eq!(sentence("/none.mmdb"), "geo.database: cannot read /none.mmdb: no such file or directory");
        assert_eq!(
            sentence(file!().rsplit_once("crates/server/").unwrap().1),
            "geo.database: src/geo.rs is not a database in MaxMind's format (.mmdb)"
        );
    }

    #[test]
    fn a_country_has_two_letters() {
        assert_eq!(Country::read("de").map(|country| country.as_str().to_owned()), Some("DE".to_owned()));
        for text in ["", "d", "deu", "d1", "ß"] {
            assert_eq!(Country::read(text), None, "{text}");
        }
    }
}
