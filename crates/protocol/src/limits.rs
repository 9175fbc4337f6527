//! The bounds of one message. Rates and numbers of connections are the server's affair.

/// How large one client message, and each part of it, may be. The defaults are the documented ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One frame, in bytes. A larger one closes the socket with 1009.
    pub max_frame_bytes: usize,
    /// One session description, in bytes of UTF-8 after JSON escapes are undone.
    pub max_sdp_bytes: usize,
    /// One candidate, in bytes of JSON.
    pub max_candidate_bytes: usize,
    /// Candidates one side may send in a match, counted anew when it sends an offer or an answer (an ICE restart).
    pub max_candidates_per_match: u32,
    /// One chat message, in Unicode scalar values.
    pub max_text_chars: usize,
    /// Nesting of objects and arrays in a frame; the frame's own object counts as one.
    pub max_depth: usize,
    /// Interests in a wish.
    pub max_interests: usize,
    /// One interest, in Unicode scalar values after normalisation.
    pub max_interest_chars: usize,
    /// Languages in a wish.
    pub max_languages: usize,
    /// The name of a pool, in Unicode scalar values.
    pub max_pool_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_frame_bytes: 64 * 1024,
            max_sdp_bytes: 32 * 1024,
            max_candidate_bytes: 1024,
            max_candidates_per_match: 64,
            max_text_chars: 2_000,
            max_depth: 8,
            max_interests: 10,
            max_interest_chars: 32,
            max_languages: 5,
            max_pool_chars: 64,
        }
    }
}
