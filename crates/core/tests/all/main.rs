//! The integration tests of `ironlatch-core`, on both engines where the database matters.

mod architecture;
mod database;
mod engines;
mod messages;
