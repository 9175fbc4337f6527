//! The real binary on real sockets: what it answers, refuses, cuts, and how it starts and stops.

mod admission;
mod conformance;
mod credentials;
mod floods;
mod harness;
mod hosts;
mod ice;
mod pages;
mod protocol;
mod relay;
mod relay_bounds;
mod reports;
mod script;
mod secure;
mod settings;
mod slow;
mod stop;
mod survival;
mod turn_client;
