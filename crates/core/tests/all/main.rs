//! The integration tests of `ironlatch-core`, on both engines where the database matters.

#![cfg(test)]

mod application_tokens;
mod architecture;
mod database;
mod hash_gate;
mod master_key;
mod messages;
mod once_only;
mod passwords;
mod profiles;
mod races;
mod sessions;
mod sign_in;
mod social;
mod sources;
