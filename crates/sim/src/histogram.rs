//! Durations in logarithmic classes of 1/128: a quantile is off by less than 1 %, and two processes' counts add up.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use visavis_lobby::Span;

const BITS: u32 = 7;

/// Counts of durations, by class. Sparse: most classes stay empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    classes: BTreeMap<u32, u64>,
    max_us: u64,
}

impl Histogram {
    pub fn record(&mut self, span: Span) {
        let micros = span.as_micros();
        *self.classes.entry(class_of(micros)).or_default() += 1;
        self.max_us = self.max_us.max(micros);
    }

    pub fn add(&mut self, other: &Histogram) {
        for (class, count) in &other.classes {
            *self.classes.entry(*class).or_default() += count;
        }
        self.max_us = self.max_us.max(other.max_us);
    }

    pub fn count(&self) -> u64 {
        self.classes.values().sum()
    }

    pub fn max(&self) -> Span {
        Span::from_micros(self.max_us)
    }

    /// The least duration that `per_mille` of all do not exceed; zero if there are none.
    pub fn quantile(&self, per_mille: u64) -> Span {
        let wanted = (self.count() * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (class, count) in &self.classes {
            seen += count;
            if seen >= wanted {
                return Span::from_micros(top_of(*class).min(self.max_us));
            }
        }
        Span::ZERO
    }
}

fn class_of(micros: u64) -> u32 {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(BITS + 1);
    (shift << BITS) + (micros >> shift) as u32
}

fn top_of(class: u32) -> u64 {
    let shift = (class >> BITS).saturating_sub(1);
    let mantissa = u64::from(class - (shift << BITS));
    ((mantissa + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_was_put_in_it() {
        for micros in (0..100_000).chain([1 << 40, (1 << 40) + 12_345_678]) {
            let top = top_of(class_of(micros));
            assert!(top >= micros && top <= micros + micros / 128, "{micros} → {top}");
        }
    }

    #[test]
    fn quantiles_of_a_known_row() {
        let mut row = Histogram::default();
        (1..=1_000).for_each(|ms| row.record(Span::from_millis(ms)));
        for per_mille in [500, 900, 990] {
            let error = row.quantile(per_mille).as_micros() as f64 / (per_mille as f64 * 1e3) - 1.0;
            assert!((0.0..0.01).contains(&error), "{per_mille}: {error}");
        }
        assert_eq!(row.quantile(1_000), Span::from_secs(1));
        assert_eq!(Histogram::default().quantile(500), Span::ZERO);
    }

    #[test]
    fn two_halves_add_up_to_the_whole() {
        let (mut odd, mut even, mut all) = (Histogram::default(), Histogram::default(), Histogram::default());
        for micros in 0..5_000 {
            if micros % 2 == 0 { &mut even } else { &mut odd }.record(Span::from_micros(micros));
            all.record(Span::from_micros(micros));
        }
        odd.add(&even);
        assert_eq!(odd, all);
    }
}
