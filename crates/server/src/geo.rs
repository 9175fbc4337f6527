//! Where on the globe a visitor is, roughly: good enough to choose the nearer of two relays, and for nothing else.
//!
//! The answer lives as long as one request. Private and unknown addresses are nowhere.

mod zones;

pub(crate) use zones::zone_of;

use std::fmt;

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
    fn a_country_has_two_letters() {
        assert_eq!(Country::read("de").map(|country| country.as_str().to_owned()), Some("DE".to_owned()));
        for text in ["", "d", "deu", "d1", "ß"] {
            assert_eq!(Country::read(text), None, "{text}");
        }
    }
}
