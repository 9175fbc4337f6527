//! What a load and a test say to a TURN server.

pub mod message;
