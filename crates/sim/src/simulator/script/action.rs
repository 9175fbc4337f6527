//! What may happen in a step.

use super::Wish;
use std::fmt;

/// Declares the actions: the word in a script, its numbers, and what happens.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $word:literal ($($field:ident),*);)*) => {
        /// One thing that a visitor does, or that happens to it or to the server.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Action {
            /// Changes its wishes and searches with them.
            Wish(Wish),
            $($(#[$doc])* $name { $($field: i64),* },)*
        }

        impl Action {
            /// The action of this word with these numbers; missing ones are 0.
            pub(super) fn named(word: &str, numbers: &[i64]) -> Option<Action> {
                let mut numbers = numbers.iter().copied();
                match word {
                    $($word => {
                        $(let $field = numbers.next().unwrap_or(0);)*
                        numbers.next().is_none().then_some(Action::$name { $($field),* })
                    })*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Action {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Action::Wish(wish) => write!(f, "wish {wish}"),
                    $(Action::$name { $($field),* } => {
                        write!(f, $word)?;
                        $(write!(f, " {}", $field)?;)*
                        Ok(())
                    })*
                }
            }
        }
    };
}

actions! {
    /// Opens a socket.
    Open "open" ();
    /// Searches with its wishes.
    Find "find" ();
    /// Presses Next and names the stranger.
    Next "next" ();
    /// Presses Next without naming the match.
    NextBlind "next-blind" ();
    Stop "stop" ();
    /// Blocks the stranger.
    Block "block" ();
    /// Blocks whom it met before.
    BlockLast "block-last" ();
    /// Takes its latest block back.
    Unblock "unblock" ();
    /// Writes so many messages.
    Write "write" (messages);
    Typing "typing" ();
    /// Asks whether the server is there.
    Ping "ping" ();
    /// Sends a fresh offer for its ticket.
    Offer "offer" ();
    /// Says that media flows.
    Connected "connected" ();
    /// Closes the socket with a close frame, and stays away until told otherwise.
    Leave "leave" ();

    /// The network is lost; client and server notice so much later.
    Drop "drop" (client_ms, server_ms);
    /// The network is lost and the server is not told: a half-open socket. The client notices so much later.
    Vanish "vanish" (client_ms);
    /// Neither reads nor does anything for a while; the socket stays.
    Freeze "freeze" (ms);
    /// Does not read for a while, and acts on.
    Deaf "deaf" (ms);

    /// Sends a signal that names a match that never was.
    ForgeId "forge-id" ();
    /// Sends a signal into the match of another visitor.
    StealId "steal-id" (from);
    /// Sends a signal into its own last match.
    LateSignal "late-signal" ();
    /// Opens another socket with a token that nobody issued.
    ForgeToken "forge-token" (kind);
    /// Opens another socket with a token that it has used.
    OldToken "old-token" (back);
    /// Opens another socket with a token that another visitor has used.
    StealToken "steal-token" (from);
    /// Opens another socket with its newest token while the first one lives.
    TwinToken "twin-token" ();
    /// Sends so many messages at once.
    Flood "flood" (messages);
    /// Sends a frame that is none.
    Malformed "malformed" (kind);
    /// Sends something at the wrong time.
    Disorder "disorder" (kind);

    /// Opens a socket at another node while the old one lives, and moves there with its newest token.
    Move "move" ();

    /// The server is killed and comes back so much later; it may bring a new first secret.
    Restart "restart" (down_ms, new_secret);
    /// The server drains for so long, then restarts.
    Drain "drain" (spread_ms, down_ms);
    /// The server's clock jumps.
    Clock "clock" (ms);
    /// The server does nothing for a while.
    Hang "hang" (ms);

    /// Of several nodes: nothing passes between it and Redis for a while.
    CutOff "cut-off" (ms);
    /// Its subscription brings nothing any more, without a sign, until it is made anew.
    Deafen "deafen" ();
    /// Of the next command of this sort (0: any, 1: a claim) the reply is lost, with the connection.
    LoseReply "lose-reply" (sort);
    /// Frames on their way to it are lost, this many.
    LoseFrames "lose-frames" (frames);
    /// What it says to Redis takes so much longer, for a while.
    Slow "slow" (more_ms, ms);

    /// Redis is killed and is back so much later, with what it had or (1) empty.
    Outage "outage" (ms, empty);
    /// Redis does nothing for a while; connections stay, and what was asked is done afterwards.
    Stall "stall" (ms);
    /// Another Redis takes over, so much later, which has not got the last writes.
    Failover "failover" (lost_ms, ms);
    /// The clock of Redis jumps.
    RedisClock "redis-clock" (ms);
    /// The clock of Redis runs faster by so many millionths, or slower.
    Drift "drift" (ppm);
}
