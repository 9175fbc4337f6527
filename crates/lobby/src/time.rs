//! Time as the shell tells it: microseconds since a moment of the shell's choosing. Never read here, only compared.

use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::ops::{Add, Sub};

/// A moment, in microseconds. Monotonic within one process.
///
/// Resume tokens carry moments to the next process, so the shell counts from the Unix epoch: its wall clock at start
/// plus what has passed since by a monotonic clock.
///
/// One more is stored, so that an `Option<Time>` is no larger: every session has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Time(NonZero<u64>);

/// A span, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(u64);

impl Time {
    pub const ZERO: Time = Time::from_micros(0);

    pub const fn from_micros(micros: u64) -> Self {
        Time(NonZero::<u64>::MIN.saturating_add(micros))
    }

    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was; zero if it is still to come.
    pub fn since(self, earlier: Time) -> Span {
        Span(self.as_micros().saturating_sub(earlier.as_micros()))
    }
}

impl Default for Time {
    fn default() -> Self {
        Time::ZERO
    }
}

impl From<u64> for Time {
    fn from(micros: u64) -> Self {
        Time::from_micros(micros)
    }
}

impl From<Time> for u64 {
    fn from(time: Time) -> Self {
        time.as_micros()
    }
}

impl Span {
    pub const ZERO: Span = Span(0);

    pub const fn from_micros(micros: u64) -> Self {
        Span(micros)
    }

    pub const fn from_millis(millis: u64) -> Self {
        Span(millis.saturating_mul(1_000))
    }

    pub const fn from_secs(secs: u64) -> Self {
        Span(secs.saturating_mul(1_000_000))
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    pub const fn half(self) -> Self {
        Span(self.0 / 2)
    }

    /// Rounded up: a client told to wait this long never comes too early.
    pub const fn as_millis_ceil(self) -> u64 {
        self.0.div_ceil(1_000)
    }
}

impl Add<Span> for Time {
    type Output = Time;
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Time {
    type Output = Time;
    fn sub(self, span: Span) -> Time {
        Time::from_micros(self.as_micros().saturating_sub(span.0))
    }
}

impl Sub for Span {
    type Output = Span;
    fn sub(self, span: Span) -> Span {
        Span(self.0.saturating_sub(span.0))
    }
}
