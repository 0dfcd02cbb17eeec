//! What is asked, what is refused, and what a provider can do to us at most (attack F17, R12).

mod addresses;
mod bounds;
mod secrecy;
pub(crate) mod server;
mod tls;
