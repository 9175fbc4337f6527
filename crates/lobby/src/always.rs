//! What is there unless we have a bug: in a test its absence panics, in production it changes nothing.

pub(crate) trait Always {
    /// The same; `why` says what guarantees it.
    fn always(self, why: &str) -> Self;
}

impl<T> Always for Option<T> {
    #[inline]
    fn always(self, why: &str) -> Self {
        debug_assert!(self.is_some(), "{why}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays_as_it_is() {
        assert_eq!(Some(7).always("seven is there"), Some(7));
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "a match has two seats")]
    fn what_must_be_there_and_is_not_is_our_bug() {
        let _ = None::<u8>.always("a match has two seats");
    }
}
