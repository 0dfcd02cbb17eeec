//! The real binary, run as an operator runs it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong in a test ends it"
)]

mod attack;
mod configuration;
mod crash;
mod development;
mod edges;
mod faults;
mod keep_alive;
mod lifecycle;
mod operator;
mod postgres;
mod process;
