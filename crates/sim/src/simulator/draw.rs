//! What scripts are drawn with: one of some values, and actions by their rates.

use crate::Prng;

pub(crate) fn one_of<T: Copy>(chance: &mut Prng, choices: &[T]) -> T {
    choices[chance.below(choices.len() as u64) as usize]
}

/// Sorts of actions, each with how often it comes among all of them. At least one of the rates is not zero.
pub(crate) struct Rates<S>(pub(crate) Vec<(u64, S)>);

impl<S: Copy> Rates<S> {
    pub(crate) fn draw(&self, chance: &mut Prng) -> S {
        let total = self.0.iter().map(|(rate, _)| rate).sum();
        let mut roll = chance.below(total);
        let drawn = self.0.iter().find(|(rate, _)| {
            let is_it = roll < *rate;
            roll = roll.saturating_sub(*rate);
            is_it
        });
        drawn.map(|(_, sort)| *sort).expect("the roll is less than the sum of the rates")
    }
}
